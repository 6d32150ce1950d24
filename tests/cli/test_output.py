"""Tables that align in Japanese, and values as JSON."""

import datetime as dt
import io
import json
import logging
import re
import sys

import click
import pytest
from rich.cells import cell_len

from paygate import JST, Actor, Customer, Money, Status
from paygate.cli import output, session
from paygate.domain.contract import Contract, PaymentMethod, Plan
from paygate.errors import NotFound
from paygate.provider import Results

CONTRACT = Contract(
    "C-1", "cus-1", Plan.one_off("Book", Money(500, "JPY")), PaymentMethod.CARD, Status.ESTABLISHED,
    dt.date(2026, 1, 31), dt.datetime(2026, 1, 31, tzinfo=dt.UTC), Actor.admin("sato"), "stripe", "pm_secret",
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (Money(5000, "JPY"), {"minor": 5000, "currency": "JPY"}),
        (dt.date(2026, 11, 30), "2026-11-30"),
        (dt.datetime(2026, 11, 20, 1, tzinfo=dt.UTC), "2026-11-20T10:00:00+09:00"),
        (Status.ACTIVE, "ACTIVE"),
        (Results.POLLED | Results.NOTIFIED, ["POLLED", "NOTIFIED"]),
        (Actor.scheduler(), "scheduler:scheduler"),
        ((1, None, True), [1, None, True]),
        ({"at": dt.date(2026, 1, 1)}, {"at": "2026-01-01"}),
        (NotFound("none", rule="R-001"), {"type": "NotFound", "message": "none", "rule": "R-001"}),
        (Customer("c", "花子", "h@example.com"), {"id": "c", "name": "花子", "email": "h@example.com"}),
    ],
)
def test_values_have_one_form_in_json(value, form):
    assert output.plain(value) == form


@pytest.mark.rule("R-168")
def test_a_contract_in_json_has_no_credential():
    form = output.plain(CONTRACT)

    assert "credential" not in form
    assert "pm_secret" not in json.dumps(form)
    assert form["created_by"] == "admin:sato"


def test_what_is_no_value_of_paygate_has_no_form_in_json():
    with pytest.raises(TypeError, match="float"):
        output.plain({"amount": 1.5})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (Money(1234, "JPY"), "1,234 JPY"),
        (dt.datetime(2026, 11, 20, 15, 30, tzinfo=dt.UTC), "2026-11-21 00:30 JST"),
        (dt.datetime(2026, 11, 20, 9, 5, tzinfo=JST), "2026-11-20 09:05 JST"),
        ("red\x1b[31m\nline", "red·[31m·line"),
        ("card 4242 4242 4242 4242", "card <card>"),
    ],
)
def test_cells_are_one_line_of_harmless_text(value, text):
    assert output.cell(value) == text


def test_columns_align_where_names_are_full_width(capsys):
    output.table("名簿", ("Name", ">Amount", "State"), [("山田 花子", Money(5, "JPY"), "A"), ("Bob", None, "B")])

    lines = capsys.readouterr().out.splitlines()
    first, second = (line for line in lines if line.endswith((" A", " B")))
    assert cell_len(first[: first.rindex("A")]) == cell_len(second[: second.rindex("B")])
    assert all(line == line.rstrip() for line in lines)


def test_a_table_without_rows_says_so(capsys):
    output.table("Nothing", ("A",), [])

    assert "(none)" in capsys.readouterr().out


def test_markup_in_a_value_is_text(capsys):
    output.table("T", ("A",), [("[bold]x[/bold]",)])

    assert "[bold]x[/bold]" in capsys.readouterr().out


def test_a_narrow_width_folds_values_and_loses_none(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    output.table("T", ("Id", "Id"), [("a" * 32, "b" * 32)])

    out = capsys.readouterr().out
    assert (out.count("a"), out.count("b")) == (32, 32)
    assert max(len(line) for line in out.splitlines()) <= 30


def test_short_values_stay_in_one_piece_where_a_long_one_can_give_way(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    output.table("T", ("Day", "Text", "Amount"), [(dt.date(2026, 11, 20), "word " * 30, Money(123456, "JPY"))])

    out = capsys.readouterr().out
    assert "2026-11-20" in out
    assert "123,456 JPY" in out
    assert max(len(line) for line in out.splitlines()) <= 50


def test_a_pipe_gets_each_row_in_one_line(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    output.table("T", ("Text",), [("x" * 300,)])

    assert "x" * 300 in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_colour_unless_it_does_not_want_any(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for stream, coloured in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stdout", stream)
        output.table("Title", ("A",), [("x",)])
        assert ("\x1b[" in stream.getvalue()) is coloured


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp932"])
def test_json_survives_any_encoding_of_the_output(monkeypatch, encoding):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    output.write_json({"name": "山田 😀"})

    assert json.loads(raw.getvalue().decode(encoding)) == {"name": "山田 😀"}


#: Colours, a title, a bell, a C1 introducer, an overridden direction, a line feed, half a character; and markup of rich.
HOSTILE = "\x1b[31mred\x1b]0;owned\x07\r\x9b2J\u202etxt\u2066\x7f\n\u2028\ud800[bold]b[/bold][link=http://evil]l[/link]"
STEERING = set("\x1b\x07\r\x9b\u202e\u2066\x7f\u2028\ud800")


@pytest.mark.rule("R-374")
@pytest.mark.parametrize(
    "shown",
    [
        lambda: output.table(HOSTILE, (HOSTILE, ">n"), [(HOSTILE, 1)]),
        lambda: output.facts(HOSTILE, [(HOSTILE, HOSTILE)]),
        lambda: output.note(HOSTILE),
        lambda: output.say(HOSTILE),
        lambda: session.Session().fail(NotFound(HOSTILE, rule=HOSTILE)),
        lambda: session.Session().fail(RuntimeError(HOSTILE)),
        lambda: session.Session(debug=True).fail(RuntimeError(HOSTILE)),
        lambda: session.Session().fail(click.UsageError(HOSTILE)),
        lambda: session.Session().fail(click.BadParameter(HOSTILE, param_hint=HOSTILE)),
        lambda: session.Session(json=True).fail(NotFound(HOSTILE)),
        lambda: output.write_json({HOSTILE: HOSTILE}),
        lambda: output.write_json([HOSTILE], indent=None),
    ],
)
@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_that_is_printed_steers_the_terminal(monkeypatch, shown, terminal):
    streams = io.StringIO(), io.StringIO()
    for stream in streams:
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "1000")
    shown()
    said = "".join(stream.getvalue() for stream in streams)

    assert "red" in said
    assert not STEERING & set(re.sub(r"\x1b\[[0-9;]*m", "", said) if terminal else said)
    assert "\x1b[31m" not in said
    # of an error that nobody expects only the first line is shown
    assert "[bold]b[/bold][link=http://evil]l[/link]" in said or "--debug" in said


@pytest.mark.rule("R-374")
def test_a_question_and_a_progress_line_are_harmless_too(monkeypatch):
    asked = []
    monkeypatch.setattr(click, "confirm", lambda text, **_: asked.append(text) or True)
    session.Session().confirm(f"Charge {HOSTILE}?", yes=False)
    waiting = output.status(HOSTILE).status

    assert not STEERING & set(asked[0])
    assert not STEERING & set(waiting.plain)
    assert "[bold]b" in waiting.plain


@pytest.mark.rule("R-374")
def test_what_is_logged_while_debugging_is_harmless_too(capsys, monkeypatch):
    logger = logging.getLogger("paygate.some.plugin")
    monkeypatch.setattr(
        logger, "propagate", False
    )  # a report with a lone surrogate cannot reach a parallel run's console
    handler = output.LogLines()
    logger.addHandler(handler)
    try:
        logger.warning("charge %s", HOSTILE)
    finally:
        logger.removeHandler(handler)
    said = capsys.readouterr().err

    assert said.startswith("WARNING paygate.some.plugin: charge ")
    assert not STEERING & set(said)


@pytest.mark.rule("R-374")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_json_says_the_same_however_it_is_escaped(monkeypatch, encoding):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, write_through=True))
    value = {"id": HOSTILE, "tag": "\U000e0001", "name": "山田\u3000花子"}
    output.write_json(value)

    assert json.loads(raw.getvalue()) == value
    assert ("山田\u3000花子" in raw.getvalue().decode(encoding)) is (encoding == "utf-8")
