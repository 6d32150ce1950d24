"""The same call under the same key is the same request, on whatever day and under whatever configuration (R-285)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from paygate import JST, BankTransfer, Card, Customer, Gateway, Money, Plan
from paygate.errors import IdempotencyConflict
from paygate.testing import FakeStripe, ManualClock, Vanish

GOLD = Plan.recurring("Gold", Money(3000, "JPY"))
HANAKO = Customer("cus_1", "山田花子", "hanako@example.com")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(dt.datetime(2026, 11, 22, 23, 59, 50, tzinfo=JST))


def shop(url: str, clock: ManualClock, stripe: FakeStripe, **options: Any) -> Gateway:
    return Gateway(database=url, providers={"stripe": stripe}, clock=clock, **options)


@pytest.mark.rule("R-285", "R-190")
@pytest.mark.parametrize("start_on", [None, dt.date(2026, 11, 22)])
def test_a_sign_up_repeated_after_midnight_is_the_same_sign_up(database_url, clock, start_on) -> None:
    """A start day that was today may not be given any more tomorrow, but this contract has been made."""
    stripe = FakeStripe(clock=clock)
    asked = {"customer": HANAKO, "plan": GOLD, "payment": Card("stripe", "tok_1"), "start_on": start_on}
    with shop(database_url, clock, stripe) as gateway:
        first = gateway.contracts.create(**asked, idempotency_key="signup-1")
        clock.advance(seconds=20)
        again = gateway.contracts.create(**asked, idempotency_key="signup-1")

        assert (again.id, again.start_on) == (first.id, dt.date(2026, 11, 22))
    assert stripe.book.captured() == 3000


@pytest.mark.rule("R-285", "R-190")
def test_a_sign_up_whose_answer_was_lost_before_midnight_is_found_after_it(database_url, clock) -> None:
    stripe = FakeStripe(clock=clock)
    stripe.next(Vanish(after=True))
    asked = {"customer": HANAKO, "plan": GOLD, "payment": Card("stripe", "tok_1"), "idempotency_key": "signup-1"}
    with shop(database_url, clock, stripe) as gateway:
        with pytest.raises(Exception, match="not known"):
            gateway.contracts.create(**asked)
        clock.advance(minutes=5)

        assert gateway.contracts.create(**asked).start_on == dt.date(2026, 11, 22)
    assert stripe.book.captured() == 3000


@pytest.mark.rule("R-285", "R-190")
@pytest.mark.parametrize("start_on", [None, dt.date(2026, 11, 22)])
@pytest.mark.parametrize("renewals", ["merchant", "provider"])
def test_contracts_that_nothing_is_charged_for_at_once_are_repeated_after_midnight_too(
    database_url, clock, start_on, renewals
) -> None:
    stripe = FakeStripe(clock=clock, renewals=renewals)
    payment = BankTransfer() if renewals == "merchant" else Card("stripe", "tok_1")
    asked = {"customer": HANAKO, "plan": GOLD, "payment": payment, "start_on": start_on, "idempotency_key": "signup-1"}
    with shop(database_url, clock, stripe) as gateway:
        first = gateway.contracts.create(**asked)
        clock.advance(seconds=20)

        assert gateway.contracts.create(**asked).id == first.id
        assert len(list(gateway.contracts.list())) == 1


@pytest.mark.rule("R-190")
@pytest.mark.parametrize("payment", [Card("stripe", "tok_1"), BankTransfer()])
@pytest.mark.parametrize(
    "other",
    [
        {"customer": Customer("cus_2")},
        {"plan": Plan.recurring("Silver", Money(2000, "JPY"))},
        {"start_on": dt.date(2026, 11, 25)},
    ],
)
def test_other_contents_under_the_key_of_a_sign_up_are_still_a_conflict(database_url, clock, payment, other) -> None:
    stripe = FakeStripe(clock=clock)
    asked: dict[str, Any] = {"customer": HANAKO, "plan": GOLD, "payment": payment, "idempotency_key": "signup-1"}
    with shop(database_url, clock, stripe) as gateway:
        gateway.contracts.create(**asked)
        before = stripe.book.captured()
        with pytest.raises(IdempotencyConflict):
            gateway.contracts.create(**{**asked, **other})

        assert stripe.book.captured() == before


@pytest.mark.rule("R-285")
def test_a_sign_up_is_repeated_under_another_configuration(database_url, clock) -> None:
    """The account takes no such amount any more; what was made under the key was made."""
    stripe = FakeStripe(clock=clock)
    asked: dict[str, Any] = {
        "customer": HANAKO, "plan": GOLD, "payment": Card("stripe", "tok_1"), "idempotency_key": "signup-1",
    }  # fmt: skip
    with shop(database_url, clock, stripe) as gateway:
        first = gateway.contracts.create(**asked)
    with shop(database_url, clock, stripe, overrides={"stripe": {"minimum_amount": 5000}}) as gateway:
        assert gateway.contracts.create(**asked).id == first.id


@pytest.mark.rule("R-285", "R-190")
def test_a_charge_and_a_refund_are_repeated_on_another_day_and_under_another_configuration(database_url, clock) -> None:
    stripe = FakeStripe(clock=clock)
    with shop(database_url, clock, stripe) as gateway:
        gateway.contracts.create(HANAKO, GOLD, Card("stripe", "tok_1"), contract_id="con_1")
        clock.advance(minutes=5)
        order: dict[str, Any] = {"amount": Money(500, "JPY"), "consent": "form", "idempotency_key": "order-1"}
        charge = gateway.charges.create("con_1", **order)
        refund = gateway.refunds.create(charge.id, idempotency_key="rma-1")
    clock.advance(days=1)
    with shop(database_url, clock, stripe, overrides={"stripe": {"minimum_amount": 5000}}) as gateway:
        assert gateway.charges.create("con_1", **order).id == charge.id
        assert gateway.refunds.create(charge.id, idempotency_key="rma-1").id == refund.id
    assert (stripe.book.captured(), stripe.book.refunded()) == (3500, 500)


@pytest.mark.rule("R-285")
def test_a_first_payment_that_an_earlier_release_wrote_down_is_recognised(database_url, clock) -> None:
    """It wrote down the start that it had derived."""
    from paygate.billing.services import fingerprint

    stripe = FakeStripe(clock=clock)
    asked: dict[str, Any] = {
        "customer": HANAKO, "plan": GOLD, "payment": Card("stripe", "tok_1"), "idempotency_key": "signup-1",
    }  # fmt: skip
    with shop(database_url, clock, stripe) as gateway:
        first = gateway.contracts.create(**asked)
        services = gateway._services
        (charge,) = gateway.charges.list(contract_id=first.id)
        old = fingerprint("contract", "cus_1", GOLD, dt.date(2026, 11, 22), "Card", "stripe")
        assert old != charge.fingerprint
        with services.store.write() as session:
            session.contracts._runner._cursor.execute(f"UPDATE paygate_charges SET fingerprint = '{old}'")
        clock.advance(seconds=20)

        assert gateway.contracts.create(**asked).id == first.id
        assert attrs.evolve(charge, fingerprint=old) == gateway.charges.get(charge.id)
