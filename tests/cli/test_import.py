"""``paygate import``: all contracts or none, and every wrong row told."""

import json

import pytest

from .conftest import HEADER, line


def test_good_contracts_are_imported_and_counted(empty):
    empty.write("contracts.csv", f"{HEADER}\n{line('A', 'stripe', 'pm_a')}\n{line('B', 'stripe', 'pm_b')}\n")

    assert empty.json("import", "contracts.csv") == {
        "imported": ["A", "B"],
        "accepted": 2,
        "problems": [],
        "dry_run": False,
    }
    assert [contract["id"] for contract in empty.json("contracts", "list")] == ["A", "B"]


def test_one_wrong_row_imports_nothing_and_ends_with_4(empty):
    empty.write("contracts.csv", f"{HEADER}\n{line('A', 'stripe', 'pm_a')}\n{line('B', 'strpe', 'pm_b')}\n")
    result = empty("import", "contracts.csv")

    assert result.exit_code == 4
    assert "did you mean 'stripe'?" in result.stdout
    assert "nothing was imported" in result.stderr
    assert empty.json("contracts", "list") == []


def test_with_skip_invalid_the_good_rows_are_imported_and_the_wrong_ones_told(empty):
    empty.write("contracts.csv", f"{HEADER}\n{line('A', 'stripe', 'pm_a')}\n{line('B', 'strpe', 'pm_b')}\n")
    outcome = empty.json("import", "contracts.csv", "--skip-invalid")

    assert outcome["imported"] == ["A"]
    assert [(problem["line"], problem["column"]) for problem in outcome["problems"]] == [(3, "account")]


@pytest.mark.rule("R-021", "R-220")
def test_what_only_the_rules_refuse_is_told_together_with_what_reads_wrong(shell):
    rows = [
        line("ST-1", "stripe", "pm_one"),  # exists already
        line("NEW-1", "amazonpay", "B01-2"),  # lump-sum payments only
        line("NEW-2", "stripe", "pm_2").replace("3000", "3.5"),
    ]
    shell.write("more.csv", "\n".join([HEADER, *rows]))
    result = shell("import", "more.csv", "--json")

    problems = json.loads(result.stdout)["problems"]
    assert result.exit_code == 4
    assert [(problem["line"], problem["column"]) for problem in problems] == [
        (2, "contract_id"),
        (3, "account"),
        (4, "price"),
    ]
    assert "R-220" in problems[1]["problem"]
    assert all(problem["remedy"] for problem in problems)


def test_a_dry_run_checks_and_imports_nothing(empty):
    empty.write("contracts.csv", f"{HEADER}\n{line('A', 'stripe', 'pm_a')}\n")

    assert empty.json("import", "contracts.csv", "--dry-run")["accepted"] == 1
    assert empty.json("contracts", "list") == []


def test_a_misspelt_column_imports_nothing_even_with_skip_invalid(empty):
    header = HEADER.replace("last_paid_reference", "last_paid_referense")
    empty.write("contracts.csv", f"{header}\n{line('A', 'stripe', 'pm_a')}\n")
    result = empty("import", "contracts.csv", "--skip-invalid")

    assert result.exit_code == 4
    assert "correct the header" in result.stderr
    assert empty.json("contracts", "list") == []


def test_a_file_that_is_not_there_is_an_error_of_usage(empty):
    assert empty("import", "nowhere.csv").exit_code == 2


def test_no_token_of_a_file_is_ever_printed(empty):
    empty.write("contracts.csv", f"{HEADER}\n{line('A', 'stripe', 'pm_secret')}\n{line('B', 'strpe', 'pm_secret')}\n")

    assert "pm_secret" not in empty("import", "contracts.csv").output
    assert "pm_secret" not in empty("import", "contracts.csv", "--skip-invalid", "--json").output


@pytest.mark.rule("R-362")
@pytest.mark.parametrize(
    ("column", "number"), [("customer_name", "4111 1111 1111 1111"), ("last_paid_reference", "4111-1111-1111-1111")]
)
def test_a_card_number_in_a_row_is_told_by_its_column_with_a_remedy(empty, column, number):
    row = dict(zip(HEADER.split(","), line("A", "stripe", "pm_a").split(","), strict=True))
    row[column] = number
    empty.write("contracts.csv", f"{','.join(row)}\n{','.join(row.values())}\n")
    result = empty("import", "contracts.csv", "--json")

    (problem,) = json.loads(result.stdout)["problems"]
    assert problem["column"] == column
    assert problem["problem"].startswith(f"{column} holds what looks like a card number")
    assert "allow_card_like" in problem["remedy"]
    assert "4111" not in result.stdout + result.stderr


@pytest.mark.rule("R-362")
def test_a_providers_payment_id_is_imported_whatever_its_digits(empty):
    empty.write(
        "contracts.csv", f"{HEADER}\n{line('A', 'stripe', 'pm_a').replace('ref-A', 'S01-8783282-9156232-C197028')}\n"
    )

    assert empty.json("import", "contracts.csv")["imported"] == ["A"]
