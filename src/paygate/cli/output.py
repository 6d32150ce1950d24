"""What the commands print: tables for people, or exactly one JSON document for programs.

Whatever came from a caller, a provider, a file or the database passes :func:`printable` here before people see it:
titles, names, cells, notes, questions, errors and progress. A terminal obeys escape sequences wherever they stand.

Results go to standard output, everything else (questions, progress, notes, errors) to standard error. Credentials are
printed nowhere: fields that hide from ``repr`` stay hidden here, except a customer's name and address.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import logging
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, TextIO

import attrs
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import labels
from ..clock import JST
from ..domain.contract import Actor, Customer
from ..drivers.redact import mask_text
from ..errors import PaygateError
from ..money import Money
from .wording import cell_text, language, named, people

if TYPE_CHECKING:
    from ..billing.problems import Problem

__all__ = [
    "LogLines",
    "cell",
    "console",
    "facts",
    "metadata_facts",
    "note",
    "plain",
    "print_problems",
    "printable",
    "say",
    "status",
    "table",
    "write_json",
]

#: Wide enough that a table which goes to a file or a pipe keeps its rows in one line each.
_UNBOUNDED = 1000

#: A column of at most so many cells is not folded if that can be helped; so many cells lie between two columns.
_IN_ONE_PIECE, _GUTTER = 16, 3

#: Unicode categories of what steers a terminal or the order of letters, breaks a line, or is half a character.
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_SHOWN_ALTHOUGH_PRIVATE = {(Customer, "name"), (Customer, "email")}


def console(stream: TextIO) -> Console:
    """A rich console on *stream*: colours only on a terminal, its width respected, ``COLUMNS`` elsewhere."""
    width = None if stream.isatty() or "COLUMNS" in os.environ else _UNBOUNDED
    return Console(file=stream, width=width, highlight=False, soft_wrap=False, force_terminal=stream.isatty())


def printable(text: str) -> str:
    """*text* in one line, without characters that steer a terminal, and without card numbers."""
    return mask_text("".join("·" if unicodedata.category(letter) in _STEERING else letter for letter in text))


def cell(value: object) -> str:
    """*value* as a table shows it: instants in Japanese time to the minute, no value as a dash."""
    match value:
        case None | "" | ():
            return "–"
        case bool():
            return people("yes" if value else "no")
        case dt.datetime():
            return f"{value.astimezone(JST):%Y-%m-%d %H:%M} JST"
        case dt.date():
            return value.isoformat()
        case enum.Enum():
            return named(value)
        case Money() if language() != "en":
            return labels.text(value, language())
        case _:
            return printable(cell_text(str(value)))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on standard output. Headings that start with ``>`` (amounts) or ``#`` are set flush right."""
    cells = [[cell(value) for value in row] for row in rows]
    grid = Table(
        title=Text(printable(people(title)), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        min_width=_title_width(title),
    )
    names = [people(heading.lstrip(">#")) for heading in columns]
    widths = [max(map(cell_len, (name, *(row[at] for row in cells)))) for at, name in enumerate(names)]
    # days, amounts and states stay in one piece where the rest can give way
    needed = sum(min(width, _IN_ONE_PIECE) + _GUTTER for width in widths)
    whole = needed <= console(sys.stdout).width
    for heading, name, width in zip(columns, names, widths, strict=True):
        side: Literal["left", "right"] = "right" if heading.startswith((">", "#")) else "left"
        grid.add_column(Text(printable(name)), justify=side, overflow="fold", no_wrap=whole and width <= _IN_ONE_PIECE)
    for row in cells:
        grid.add_row(*map(Text, row))
    _print(grid, sys.stdout)
    if not cells:
        _print(Text(people("(none)")), sys.stdout)


def facts(title: str, pairs: Iterable[tuple[str, object]], *, stream: TextIO | None = None) -> None:
    """Print names with their values, one a line; on standard output unless another stream is given."""
    grid = Table(
        title=Text(printable(people(title)), style="bold"),
        title_justify="left",
        min_width=_title_width(title),
        box=None,
        show_header=False,
        pad_edge=False,
    )
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(Text(printable(people(name))), Text(cell(value)))
    _print(grid, stream or sys.stdout)


def metadata_facts(metadata: Mapping[str, str]) -> list[tuple[str, object]]:
    """A caller's own texts as lines for :func:`facts`."""
    return [(f"Metadata {key}", text) for key, text in metadata.items()]


def _title_width(title: str) -> int:
    """Cells that the title needs, so that a narrow table does not fold it; a short one needs no width of its own."""
    width = cell_len(printable(people(title)))
    return width if language() != "en" else 0


def print_problems(problems: Sequence[Problem], blocked: int) -> None:
    """Print what a run was kept from doing and why; nothing where there is nothing."""
    if not blocked:
        return
    table(
        "Blocked",
        ("Contract", "What", "Account", "Code", "Reason"),
        (
            (it.contract_id, it.charge_id or it.refund_id or it.mail_id, it.account, it.code, it.reason)
            for it in problems
        ),
    )
    if blocked > len(problems):
        note(f"{blocked - len(problems)} more are counted and in the log")


def note(text: str) -> None:
    """Tell something on standard error."""
    _print(Text(printable(people(text))), sys.stderr)


def say(text: str = "", *, stream: TextIO | None = None) -> None:
    """Print *text* as it is laid out, line by line and never folded; on standard output unless another is given."""
    target = stream or sys.stdout
    for line in text.split("\n"):
        target.write(printable(line) + "\n")
    target.flush()


class LogLines(logging.Handler):
    """Shows what is logged on standard error, for ``--debug``."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record), stream=sys.stderr)


def status(what: str) -> AbstractContextManager[object]:
    """Show on the terminal of standard error that *what* takes its time."""
    return console(sys.stderr).status(Text(printable(people(what))))


def _print(what: Table | Text, stream: TextIO) -> None:
    target = console(stream)
    with target.capture() as captured:
        target.print(what)
    # rich pads every line to the width of the table; a file should not end its lines in blanks
    stream.write("\n".join(line.rstrip() for line in captured.get().split("\n")))


def plain(value: object) -> Any:
    """*value* as JSON can hold it.

    ``Money`` becomes ``{"minor": 5000, "currency": "JPY"}``, a date ``"2026-01-31"``, an instant ISO 8601 in Japanese
    time (``+09:00``), an actor ``"admin:name"``, an enumeration its value, a flag the list of its parts.

    :raises TypeError: for what is no value of paygate.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case Money():
            return {"minor": value.minor, "currency": value.currency}
        case dt.datetime():
            return value.astimezone(JST).isoformat()
        case dt.date():
            return value.isoformat()
        case enum.Flag():
            return [part.name for part in value]
        case enum.Enum():
            return value.value
        case Actor():
            return str(value)
        case PaygateError():
            return {"type": type(value).__name__, "message": mask_text(str(value)), "rule": value.rule}
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    kind: type[Any] = type(value)
    if attrs.has(kind):
        return {
            field.name: plain(getattr(value, field.name))
            for field in attrs.fields(kind)
            if field.repr or (kind, field.name) in _SHOWN_ALTHOUGH_PRIVATE
        }
    msg = f"{type(value).__name__} has no form in JSON"
    raise TypeError(msg)


def write_json(value: object, *, indent: int | None = 2) -> None:
    """Print *value* as one JSON document on standard output; without *indent* in one line. It leaves at once.

    What steers a terminal is escaped, as JSON can: the document is the same, and showing it does no harm.
    """
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    text = json.dumps(plain(value), ensure_ascii=encoding != "utf8", indent=indent)
    sys.stdout.write("\n".join(map(_harmless, text.split("\n"))) + "\n")
    sys.stdout.flush()


def _harmless(line: str) -> str:
    """A line of a JSON document; beyond ASCII, only texts hold letters, and a text may have any letter escaped."""
    if line.isprintable():
        return line
    return "".join(_escaped(letter) if unicodedata.category(letter) in _STEERING else letter for letter in line)


def _escaped(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if letter.isascii() else json.dumps(letter)[1:-1]
