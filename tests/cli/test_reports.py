"""``paygate reports`` and ``paygate contracts closing``: by date, for people and for programs."""

import datetime as dt
import re

import pytest
from freezegun import freeze_time

from paygate import Card, Customer, Gateway, Manual, Money, Plan
from paygate.billing.importing import NewContract

COURSE = Plan.one_off("Course", Money(12_000, "JPY"))
GOLD = Plan.recurring("Gold", Money(3000, "JPY"))


def said(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text)


@pytest.fixture
def shop(empty):
    """Contracts of 20 November; one is charged more, one will be declined, one last paid nearly a year ago."""
    with Gateway.open(empty.folder / "paygate.toml") as gateway:
        create = gateway.contracts.create
        create(Customer("cus-1", "山田"), GOLD, Card("stripe", "pm_one"), contract_id="ST-1")
        create(Customer("cus-3"), GOLD, Manual(), contract_id="MA-1", paid=True, start_on=dt.date(2026, 11, 20))
        create(Customer("cus-4"), GOLD, Card("stripe", "pm_4"), contract_id="LATER", start_on=dt.date(2026, 12, 1))
        sato, paid_at = Customer("cus-5", "佐藤", "sato@example.com"), dt.datetime(2025, 12, 1, 1, tzinfo=dt.UTC)
        rows = [
            NewContract("UP-1", sato, COURSE, Card("univapay", "tok_old"), paid_at.date(), last_paid_at=paid_at),
            NewContract("ST-2", Customer("cus-2"), GOLD, Card("stripe", "tok_declines"), dt.date(2026, 10, 30)),
        ]
        assert gateway.contracts.import_many(rows).refused == ()
        charge = gateway.charges.create("ST-1", Money(5000, "JPY"), consent="phone")
        gateway.refunds.create(charge.id, Money(2000, "JPY"))
    return empty


@pytest.mark.rule("X-26")
def test_contracts_are_listed_by_day(shop):
    assert "2026-12-01 LATER cus-4 Gold 3,000 JPY stripe NOT_STARTED" in said(shop("reports", "starting").stdout)
    due = shop.json("reports", "due", "--since", "2026-12-02", "--until", "2026-12-31")
    assert [(row["on"], row["contract"]["id"]) for row in due] == [
        ("2026-12-20", "MA-1"),
        ("2026-12-20", "ST-1"),
    ]
    shop("contracts", "schedule-cancellation", "ST-1")
    assert "2026-12-20 ST-1 cus-1 Gold" in said(shop("reports", "ending").stdout)
    assert shop.json("reports", "ending", "--until", "2026-12-19") == []


@pytest.mark.rule("X-26")
def test_missing_payments_and_failed_charges_are_listed_by_day(shop):
    with freeze_time("2026-11-30T01:00:00Z"):
        shop("bill", "--yes")
    assert "2026-11-30 ST-2 cus-2 Gold 3,000 JPY stripe PAST_DUE" in said(
        shop("reports", "past-due", "--since", "2026-11-30").stdout
    )
    failed = said(shop("reports", "failed", "--since", "2026-11-30", "--account", "stripe").stdout)
    assert "2026-11-30 10:00 JST ST-2 cus-2 stripe PERIOD 3,000 JPY card_declined" in failed
    assert shop.json("reports", "failed", "--until", "2026-11-29") == []


@pytest.mark.rule("X-26")
def test_money_is_listed_by_day(shop):
    charged = shop.json("reports", "charged", "--since", "2026-11-20", "--until", "2026-11-20")
    assert [row["amount"]["minor"] for row in charged] == [3000, 5000]
    assert "2026-11-20 10:00 JST ST-1 cus-1 stripe ADDON 5,000 JPY" in said(shop("reports", "charged").stdout)
    assert shop.json("reports", "charged", "--since", "2026-11-21") == []
    assert "2026-11-20 10:00 JST ST-1 stripe 2,000 JPY no" in said(shop("reports", "refunded").stdout)


@pytest.mark.rule("X-15")
def test_renewals_that_were_only_taken_as_paid_are_listed_once_they_are_old(shop):
    with freeze_time("2026-12-20T01:00:00Z"):
        shop("bill", "--yes")
    with freeze_time("2027-01-18T01:00:00Z"):
        assert "(none)" in shop("reports", "assumed").stdout
    with freeze_time("2027-01-19T01:00:00Z"):
        assert [row["target_on"] for row in shop.json("reports", "assumed")] == ["2026-12-20"]
        assert "2026-12-20 2026-12-20 PERIOD 3,000 JPY ASSUMED" in said(shop("reports", "assumed").stdout)


@pytest.mark.rule("X-13", "R-197")
def test_customers_whose_window_closes_soon_are_listed_with_the_instant(shop):
    told = said(shop("contracts", "closing").stdout)
    assert "2026-12-01 10:00 JST 佐藤 (cus-5) sato@example.com univapay 2025-12-01 10:00 JST UP-1" in told
    assert shop.json("contracts", "closing", "--within", "10") == []
    (window,) = shop.json("contracts", "closing", "--account", "univapay")
    assert (window["closes_at"], window["contract_ids"]) == ("2026-12-01T10:00:00+09:00", ["UP-1"])


def test_days_that_are_none_are_refused_and_a_wrong_day_is_an_error_of_usage(shop):
    assert shop("reports", "due", "--since", "2026-12-02", "--until", "2026-12-01").exit_code == 4
    assert shop("reports", "due", "--since", "tomorrow").exit_code == 2


@pytest.mark.rule("R-335")
def test_charges_that_wait_for_their_customer_are_listed_with_link_and_deadline(shop):
    with Gateway.open(shop.folder / "paygate.toml") as gateway:
        row = NewContract(
            "ST-3",
            Customer("cus-6"),
            GOLD,
            Card("stripe", "tok_action"),
            dt.date(2026, 11, 1),
            last_paid_at=dt.datetime(2026, 11, 1, 1, tzinfo=dt.UTC),
        )
        assert gateway.contracts.import_many([row]).refused == ()
        waiting = gateway.charges.create("ST-3", Money(700, "JPY"), consent="phone")

    (listed,) = shop.json("reports", "requires-action")

    assert (listed["id"], listed["action_url"]) == (waiting.id, waiting.action_url)
    assert listed["action_until"]
    assert waiting.action_url in said(shop("reports", "requires-action").stdout).replace("\n", "")
    assert shop.json("reports", "requires-action", "--account", "univapay") == []
