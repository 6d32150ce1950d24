"""The fakes behind a real gateway: what a user's tests will do with them."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest

from paygate import Card, Charge, ChargeState, Customer, Gateway, Money, Plan, RefundState
from paygate.errors import OutcomeUnknown, PaygateError
from paygate.provider import Lookup
from paygate.testing import (
    AnswerTwice,
    ClosePermission,
    Decline,
    FailLate,
    FakeProvider,
    FakeStripe,
    FakeUnivaPay,
    NeverThere,
    StayPending,
    Vanish,
)
from paygate.testing.faults import duplicated, forged, reordered

FIRST = 9800


class Shop:
    """A customer with a paid contract at one account, a day later."""

    def __init__(self, gateway: Gateway, account: str, fake: FakeProvider) -> None:
        self.gateway, self.account, self.fake = gateway, account, fake
        with suppress(OutcomeUnknown):  # Telecom's first payment is known only once its notice is delivered
            gateway.contracts.create(
                customer=Customer("cus_1", email="hanako@example.com"),
                plan=Plan.one_off("Course", price=Money(FIRST, "JPY")),
                payment=Card(account, token="tok_1"),
                start_on=date(2026, 1, 15),
                contract_id="course-1",
            )
        self.deliver()
        gateway.clock.advance(days=1)

    def deliver(self) -> None:
        for webhook in self.fake.notifications():
            self.gateway.webhooks.receive(self.account, webhook.headers, webhook.body)

    def charge(self, minor: int = 5000) -> Charge:
        """An additional charge; a failure is read from the stored attempt like everything else."""
        try:
            made = self.gateway.charges.create(
                "course-1", Money(minor, "JPY"), consent="phone", idempotency_key=f"order-{minor}"
            )
        except PaygateError as exc:
            return self.gateway.charges.get(exc.charge_id)
        return self.gateway.charges.get(made.id)

    def state(self, charge: Charge) -> ChargeState:
        return self.gateway.charges.get(charge.id).state

    def sold(self) -> int:
        return self.gateway.ledger.net("course-1").minor


@pytest.fixture(params=["univapay", "telecom", "stripe", "amazonpay"])
def shop(request: pytest.FixtureRequest, gateway: Gateway) -> Shop:
    return Shop(gateway, request.param, request.getfixturevalue(f"fake_{request.param}"))


@pytest.mark.rule("R-176", "R-194", "R-269")
def test_a_charge_is_settled_once_however_often_and_in_whatever_order_it_is_notified(shop: Shop) -> None:
    shop.fake.script(AnswerTwice(), AnswerTwice(StayPending(30)))
    first = shop.charge(5000)
    shop.deliver()
    second = shop.charge(6000)
    shop.gateway.clock.advance(seconds=30)
    for webhook in duplicated(reordered(shop.fake.notifications(again=True))):
        shop.gateway.webhooks.receive(shop.account, webhook.headers, webhook.body)

    assert [shop.state(first), shop.state(second)] == [ChargeState.SUCCEEDED, ChargeState.SUCCEEDED]
    assert shop.fake.book.captured() == shop.sold() == FIRST + 5000 + 6000


@pytest.mark.rule("R-178")
@pytest.mark.parametrize("by_notice", [True, False])
def test_a_decline_is_recorded_and_takes_nothing(shop: Shop, by_notice: bool) -> None:
    shop.fake.next(Decline())
    charge = shop.charge()
    if by_notice or shop.fake.capabilities().lookup is Lookup.NONE:
        shop.deliver()
    else:
        shop.gateway.billing.reconcile()

    assert shop.state(charge) is ChargeState.FAILED
    assert shop.fake.book.captured() == shop.sold() == FIRST


@pytest.mark.rule("R-193", "B-114")
def test_a_lost_answer_is_settled_by_its_notice(shop: Shop) -> None:
    shop.fake.next(Vanish())
    charge = shop.charge()
    assert shop.state(charge) is ChargeState.UNKNOWN

    shop.deliver()

    assert shop.state(charge) is ChargeState.SUCCEEDED
    assert shop.fake.book.captured() == shop.sold() == FIRST + 5000


@pytest.mark.rule("R-193")
@pytest.mark.parametrize(
    ("after", "states"),
    [
        pytest.param(True, ["SUCCEEDED", "UNKNOWN", "SUCCEEDED", "SUCCEEDED"], id="after"),
        pytest.param(False, ["UNKNOWN", "UNKNOWN", "FAILED", "SUCCEEDED"], id="before"),
    ],
)
def test_reconciliation_learns_of_a_lost_answer_what_the_provider_can_tell(
    shop: Shop, after: bool, states: list[str]
) -> None:
    shop.fake.next(Vanish(after=after))
    charge = shop.charge()
    shop.gateway.clock.advance(minutes=20)

    shop.gateway.billing.reconcile()

    known = dict(zip(["univapay", "telecom", "stripe", "amazonpay"], states, strict=True))[shop.account]
    assert shop.state(charge).value == known
    if known != "UNKNOWN":
        assert shop.fake.book.captured() == shop.sold()


def test_a_provider_that_was_never_there_leaves_a_failed_attempt_and_no_money(shop: Shop) -> None:
    shop.fake.next(NeverThere())

    charge = shop.charge()

    assert (shop.state(charge), charge.failure.sent) == (ChargeState.FAILED, False)
    assert shop.fake.book.captured() == FIRST


@pytest.mark.rule("R-269")
def test_a_charge_that_nobody_asked_for_is_reported_and_not_booked(shop: Shop) -> None:
    shop.fake.charge_unasked("tok_1", Money(777, "JPY"))
    (webhook,) = shop.fake.notifications()

    receipt = shop.gateway.webhooks.receive(shop.account, webhook.headers, webhook.body)

    assert [event.outcome for event in receipt.events] == ["unmatched"]
    assert shop.sold() == FIRST


def test_a_forged_notice_changes_nothing(shop: Shop) -> None:
    shop.fake.next(StayPending(60))
    charge = shop.charge()
    shop.gateway.clock.advance(seconds=60)
    (webhook,) = shop.fake.notifications()
    forgery = forged(webhook)

    with pytest.raises(PaygateError):
        shop.gateway.webhooks.receive(shop.account, forgery.headers, forgery.body)

    assert shop.state(charge) is ChargeState.PENDING


@pytest.mark.rule("R-222")
def test_a_closed_permission_fails_the_charge_as_such(gateway: Gateway, fake_amazonpay: FakeProvider) -> None:
    shop = Shop(gateway, "amazonpay", fake_amazonpay)
    fake_amazonpay.next(ClosePermission())

    assert shop.charge().failure.decline.value == "permission"


@pytest.mark.rule("R-190", "B-101")
def test_the_same_key_again_sends_nothing(shop: Shop) -> None:
    shop.charge()
    shop.deliver()
    calls = len(shop.fake.calls)

    shop.charge()

    assert [call.hook for call in shop.fake.calls[calls:]] == []


@pytest.mark.rule("R-247")
def test_an_asynchronous_refund_is_done_when_the_provider_says_so(
    gateway: Gateway, fake_univapay: FakeUnivaPay
) -> None:
    shop = Shop(gateway, "univapay", fake_univapay)
    fake_univapay.refund_latency = 3600
    charge = shop.charge()
    shop.deliver()
    refund = gateway.refunds.create(charge.id, Money(2000, "JPY"), idempotency_key="rma-1")
    assert refund.state is RefundState.PENDING

    gateway.clock.advance(hours=1)
    shop.deliver()

    assert gateway.refunds.get(refund.id).state is RefundState.DONE
    assert (fake_univapay.book.refunded(), shop.sold()) == (2000, FIRST + 3000)


@pytest.mark.rule("R-247")
def test_a_refund_that_fails_late_is_taken_back_in_the_books(gateway: Gateway, fake_stripe: FakeStripe) -> None:
    shop = Shop(gateway, "stripe", fake_stripe)
    fake_stripe.next_refund(FailLate("expired_or_canceled_card", seconds=3600))
    refund = gateway.refunds.create(shop.charge().id, idempotency_key="rma-1")
    assert refund.state is RefundState.DONE

    gateway.clock.advance(hours=1)
    shop.deliver()

    assert gateway.refunds.get(refund.id).state is RefundState.FAILED
    assert (fake_stripe.book.refunded(), shop.sold()) == (0, FIRST + 5000)
