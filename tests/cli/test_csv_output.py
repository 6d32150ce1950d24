"""Lists as CSV: machines can read the values, spreadsheets carry nothing out, ids come back as they were."""

from __future__ import annotations

import csv
import inspect
import io
import json
from collections.abc import Iterator

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.cli.app import paygate as command
from paygate.cli.csv_output import harmless, original

from .conftest import HEADER


def rows(result):
    assert result.exit_code == 0, result.output
    text = result.stdout_bytes.decode("utf-8-sig")
    assert "\r\n" in text
    return list(csv.DictReader(io.StringIO(text, newline="")))


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        one = group.get_command(context, name)
        if isinstance(one, click.Group):
            yield from commands(one, *path, name)
        yield (*path, name), one


def prints_a_list(path: tuple[str, ...], one: click.Command) -> bool:
    shown = one.callback is not None and "show_rows(" in inspect.getsource(inspect.unwrap(one.callback))
    if path[-1] == "show":  # one thing, with what belongs to it
        return False
    return path[-1] == "list" or shown or any(p.name == "limit" and p.default is None for p in one.params)


LISTS = {path: one for path, one in commands(command) if prints_a_list(path, one)}


def test_every_list_can_be_had_as_csv():
    assert ("contracts", "list") in LISTS
    assert ("reports", "assumed") in LISTS
    for path, one in LISTS.items():
        assert {"csv", "bom"} <= {option.name for option in one.params}, path


@pytest.mark.rule("R-419")
def test_amounts_days_and_times_are_values_for_machines(shell):
    [row] = [row for row in rows(shell("contracts", "list", "--csv")) if row["contract"] == "ST-1"]
    assert (row["price"], row["price_currency"]) == ("3000", "JPY")
    assert row["expires"] == "2026-11-30"
    assert (row["plan"], row["paid_by"], row["status"]) == ("ゴールド会員", "stripe", "ACTIVE")

    shell("charge", "ST-1", "5000", "--consent", "phone", "--yes")
    [charge] = rows(shell("charges", "list", "--csv"))
    assert (charge["amount"], charge["why"]) == ("5000", "")
    assert charge["made"] == "2026-11-20T10:00:00+09:00"


@pytest.mark.rule("R-419")
@pytest.mark.parametrize(
    "arguments",
    [
        ("contracts", "list"), ("contracts", "operations", "ST-1"), ("charges", "list"), ("charges", "discrepancies"),
        ("refunds", "list"), ("refunds", "dues"), ("ledger", "ST-1"), ("audit", "ST-1"), ("access", "ST-1"),
        ("schedule", "ST-1"), ("step-mails", "list"), ("outbox", "list"), ("plugins",), ("providers",),
        ("reports", "due"), ("reports", "charged"), ("reports", "failed"), ("reports", "assumed"), ("bill", "--dry-run"),
        ("contracts", "closing-windows"), ("check", "--list"),
    ],
)  # fmt: skip
def test_every_list_prints_a_header_and_rows_of_its_width(shell, arguments):
    if arguments[-1] == "closing-windows":
        arguments = next(path for path in LISTS if path[0] == "contracts" and path[1] not in {"list", "operations"})
    result = shell(*arguments, "--csv")

    assert result.exit_code == 0, result.output
    header, *lines = csv.reader(io.StringIO(result.stdout_bytes.decode(), newline=""))
    assert header
    assert all(name and name == name.lower() and " " not in name for name in header)
    assert len(set(header)) == len(header)
    assert {len(line) for line in lines} <= {len(header)}


@pytest.mark.rule("R-419")
def test_the_mark_for_excel_comes_on_request(shell):
    assert not shell("contracts", "list", "--csv").stdout_bytes.startswith(b"\xef\xbb\xbf")
    marked = shell("contracts", "list", "--bom")
    assert marked.stdout_bytes.startswith(b"\xef\xbb\xbfcontract,")
    assert "ゴールド会員".encode() in marked.stdout_bytes


@pytest.mark.rule("R-419")
@pytest.mark.parametrize(
    "arguments", [("contracts", "list", "--csv", "--json"), ("--json", "contracts", "list", "--bom")]
)
def test_a_list_has_one_form(shell, arguments):
    assert shell(*arguments).exit_code == 2


@pytest.mark.rule("R-419")
def test_a_list_as_csv_is_whole(shell):
    lines = "\n".join(f"N-{n},c-{n},,,P,monthly,1,bank_transfer,,,2026-01-31,," for n in range(250))
    shell("import", shell.write("many.csv", f"{HEADER}\n{lines}"))

    assert len(rows(shell("contracts", "list", "--csv"))) == 260
    assert len(rows(shell("contracts", "list", "--csv", "--limit", "3"))) == 3


@pytest.mark.rule("R-419")
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])
def test_no_cell_is_a_formula_and_the_id_comes_back(shell, sign):
    contract_id = f"{sign}1+1|A1"
    line = f'"{contract_id}",c-1,"{sign}SUM(A1)",,"{sign}P, ""x""",monthly,1,bank_transfer,,,2026-01-31,,'
    assert shell("import", shell.write("one.csv", f"{HEADER}\n{line}")).exit_code == 0

    result = shell("contracts", "list", "--csv")
    [row] = [row for row in rows(result) if "1+1" in row["contract"]]

    assert row["contract"] == f"'{contract_id}"
    assert row["plan"] == f'\'{sign}P, "x"'
    assert original(row["contract"]) == contract_id
    assert (
        json.loads(shell("--json", "contracts", "show", "--", original(row["contract"])).stdout)["contract"]["id"]
        == contract_id
    )
    again = f'"{row["contract"]}",c-1,,,P,monthly,1,bank_transfer,,,2026-01-31,,'
    refused = shell("import", shell.write("again.csv", f"{HEADER}\n{again}"))
    assert refused.exit_code == 4
    assert contract_id in refused.output


@pytest.mark.rule("R-419")
@given(st.text(alphabet=st.sampled_from("'=+-@\t\r＝＋－＠a1 \n"), max_size=8))
def test_what_is_made_harmless_can_be_had_back_and_begins_no_formula(text):
    assert original(harmless(text)) == text
    assert harmless(text)[:1] not in set("=+-@\t\r＝＋－＠")


def test_ordinary_texts_stay_as_they_are():
    for text in ("C-1", "'quoted'", "", "3000", "山田 花子", "a=b", "'"):
        assert (harmless(text), original(text)) == (text, text)
