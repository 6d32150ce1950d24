"""``examples/contracts.csv``: valid, realistic, and on both sides of each line that the rules draw."""

import csv
import re
from pathlib import Path

import pytest

from paygate import BankTransfer, Card, Manual, NewContract
from paygate.cli.csv_import import COLUMNS, read_rows
from paygate.cli.demo import contracts_file
from paygate.cli.demo_world import BEGINS
from paygate.domain.calendar import renewal_day, years_later

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS = {"univapay", "telecom", "stripe", "amazonpay"}


@pytest.fixture(scope="module")
def rows() -> tuple[NewContract, ...]:
    reading = read_rows(contracts_file(), accounts=ACCOUNTS)
    assert reading.problems == ()
    return tuple(reading.rows)


def through(rows: tuple[NewContract, ...], account: str) -> list[NewContract]:
    return [row for row in rows if isinstance(row.payment, Card) and row.payment.account == account]


def test_the_repository_holds_one_file_for_the_demo() -> None:
    assert contracts_file() == ROOT / "examples" / "contracts.csv"


def test_the_columns_are_those_that_the_import_knows() -> None:
    with contracts_file().open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))

    assert sorted(header) == sorted(COLUMNS)


def test_there_are_at_least_forty_contracts_over_all_ways_to_pay(rows: tuple[NewContract, ...]) -> None:
    assert len(rows) >= 40
    assert all(len(through(rows, account)) >= 5 for account in ACCOUNTS)
    assert {type(row.payment) for row in rows} == {Card, BankTransfer, Manual}
    assert len({row.contract_id for row in rows}) == len(rows)


@pytest.mark.parametrize("account", sorted(ACCOUNTS - {"amazonpay"}))
def test_one_off_and_recurring_contracts_are_paid_through(rows: tuple[NewContract, ...], account: str) -> None:
    assert {row.plan.is_recurring for row in through(rows, account)} == {True, False}


@pytest.mark.rule("R-053", "R-220")
def test_amazon_pay_contracts_are_one_off_and_last_to_the_largest_date(rows: tuple[NewContract, ...]) -> None:
    assert {(row.plan.is_recurring, str(row.expires_on)) for row in through(rows, "amazonpay")} == {
        (False, "2030-12-31")
    }


@pytest.mark.rule("R-197", "R-199")
def test_last_payments_lie_on_both_sides_of_the_one_year_limit_and_on_it(rows: tuple[NewContract, ...]) -> None:
    limits = [years_later(row.last_paid_at, 1) for row in through(rows, "univapay") if row.last_paid_at]

    assert sum(limit > BEGINS for limit in limits) >= 3
    assert sum(limit < BEGINS for limit in limits) >= 2
    assert BEGINS in limits


@pytest.mark.rule("R-031", "R-032", "R-006")
def test_starts_lie_on_a_leap_day_and_on_month_ends(rows: tuple[NewContract, ...]) -> None:
    recurring = [row for row in rows if row.plan.cycle is not None]
    clipped = [
        row for row in recurring
        if row.plan.cycle and any(renewal_day(row.start_on, row.plan.cycle, k).day < row.start_on.day for k in range(1, 5))
    ]  # fmt: skip

    assert any((row.start_on.month, row.start_on.day) == (2, 29) for row in recurring)
    assert {row.start_on.day for row in recurring} >= {28, 29, 30, 31}
    assert len(clipped) >= 3


def test_names_are_japanese_and_addresses_belong_to_nobody(rows: tuple[NewContract, ...]) -> None:
    assert all(re.fullmatch(r"[一-龠々ぁ-んァ-ヶー]+ [一-龠々ぁ-んァ-ヶー]+", row.customer.name) for row in rows)
    assert all(re.fullmatch(r"[a-z.]+@example\.(com|jp)", row.customer.email) for row in rows)


@pytest.mark.parametrize(
    ("account", "form"),
    [
        ("univapay", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("telecom", r"[a-z0-9]{1,16}"),
        ("stripe", r"pm_[0-9A-Za-z]{24}"),
        ("amazonpay", r"[BC]01-\d{7}-\d{7}"),
    ],
)
@pytest.mark.rule("R-168")
def test_tokens_look_like_the_references_of_their_provider(
    rows: tuple[NewContract, ...], account: str, form: str
) -> None:
    tokens = [row.payment.token for row in through(rows, account) if isinstance(row.payment, Card)]

    assert [token for token in tokens if not re.fullmatch(form, token)] == []
    assert len(set(tokens)) == len(tokens)
