"""When a card's last day concerns a contract (R-408)."""

import datetime as dt

import attrs
import pytest

from paygate import Cycle, Money, Plan, Product, ProductType, Status
from paygate.domain.contract import Actor, Cancellation, CancellationOrigin, Contract, PaymentMethod
from paygate.domain.stored_card import StoredCard, expiring_notices, first_charge_after, last_day

GOLD = Plan.recurring("Gold", Money(3000, "JPY"), Cycle.MONTHLY)
AT = dt.datetime(2026, 1, 15, tzinfo=dt.UTC)
CONTRACT = Contract(
    "con_1",
    "cus_1",
    GOLD,
    PaymentMethod.CARD,
    Status.ACTIVE,
    dt.date(2026, 1, 31),
    AT,
    Actor.admin(),
    "stripe",
    "tok_1",
)


def day(text):
    return dt.date.fromisoformat(text)


@pytest.mark.rule("R-408")
@pytest.mark.parametrize(
    ("changes", "card_ends", "charged"),
    [
        ({}, "2026-02-28", "2026-03-31"),  # on the last day it still pays
        ({}, "2026-02-27", "2026-02-28"),
        ({"status": Status.PAST_DUE}, "2026-03-31", "2026-04-30"),
        ({"status": Status.NOT_STARTED, "start_on": day("2026-06-01")}, "2026-03-31", "2026-06-01"),
        ({"status": Status.TERMINATED}, "2026-02-28", None),
        ({"status": Status.ESTABLISHED, "plan": Plan.one_off("Book", Money(500, "JPY"))}, "2026-02-28", None),
        (
            {
                "status": Status.PAST_DUE,
                "cancellation": Cancellation(CancellationOrigin.ADMIN, AT, Actor.admin(), day("2026-03-31")),
            },
            "2026-02-28",
            None,
        ),
    ],
)
def test_the_first_charge_after_the_last_day(changes, card_ends, charged):
    contract = attrs.evolve(CONTRACT, **changes)

    assert first_charge_after(contract, day(card_ends)) == (charged and day(charged))
    told = expiring_notices(contract, StoredCard("visa", "4242", day(card_ends)))
    assert len(told) == (2 if charged else 0)


@pytest.mark.rule("R-408", "R-067")
@pytest.mark.parametrize(("end_month", "told"), [("2026-02", 0), ("2026-03", 2), (None, 2)])
def test_a_product_that_ends_before_the_card_is_not_told_of(end_month, told):
    plan = Plan.recurring(
        "Mag", Money(800, "JPY"), products=(Product("m", ProductType.MONTHLY_MAGAZINE, end_month=end_month),)
    )
    contract = attrs.evolve(CONTRACT, plan=plan, start_on=day("2026-01-15"))

    assert len(expiring_notices(contract, StoredCard(expires_on=day("2026-02-28")))) == told


@pytest.mark.rule("R-408")
def test_a_card_without_a_last_day_is_not_told_of():
    assert expiring_notices(CONTRACT, StoredCard("visa", "4242")) == ()


@pytest.mark.rule("R-405")
@pytest.mark.parametrize("text", [None, "", "2030", "2030-13", "2030-1", "12/30", "9999-12", "1999-12", "2030-12-31"])
def test_what_is_no_month_is_no_last_day(text):
    assert last_day(text) is None
