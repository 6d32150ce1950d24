"""Totals over random histories: they count what was really received and not given back, and nothing else (X-16)."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paygate import JST, Card, Customer, Cycle, Gateway, Manual, Money, Plan
from paygate.errors import PaygateError
from paygate.testing import (
    Decline,
    FailLate,
    FakeStripe,
    ManualClock,
    NeverThere,
    RefuseRefund,
    StayPending,
    Succeed,
    Vanish,
)

pytestmark = pytest.mark.rule("X-16", "R-240")

START = dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST)
WEEKLY = Plan.recurring("Weekly", Money(3000, "JPY"), Cycle.WEEKLY)

_amounts = st.integers(50, 5000)
_charges = st.sampled_from(
    [
        Succeed(),
        Succeed(),
        Decline("card_declined"),
        Vanish(after=True),
        Vanish(after=False),
        NeverThere(),
        StayPending(5),
        StayPending(5, Decline()),
    ]
)
_refunds = st.sampled_from(
    [Succeed(), Succeed(), RefuseRefund(), FailLate(seconds=5), Vanish(after=True), Vanish(after=False), NeverThere()]
)
_card_steps = st.one_of(
    st.tuples(st.just("charge"), _amounts, _charges),
    st.tuples(st.just("refund"), st.integers(0, 20), st.none() | _amounts, _refunds),
    st.tuples(st.just("days"), st.integers(1, 9), _charges),
    st.tuples(st.just("settle")),
)


class _CardShop:
    """One contract paid by card; the provider's book says what really moved."""

    def __init__(self, gateway: Any, stripe: FakeStripe, clock: ManualClock) -> None:
        self.gateway, self.stripe, self.clock = gateway, stripe, clock
        stripe.script_for("tok_1", Succeed())
        for left in gateway.contracts.list():  # by a story that did not hold: hypothesis tells it again
            self.settle()
            gateway.contracts.delete(left.id, confirm=left.id, reason="the next story begins")
        self.before = stripe.book.captured(), stripe.book.refunded()
        self.contract = gateway.contracts.create(Customer("cus_1"), WEEKLY, Card("stripe", "tok_1"))

    def do(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("charge", amount, outcome):
                self.stripe.script_for("tok_1", outcome)
                self.gateway.charges.create(self.contract.id, Money(amount, "JPY"), consent="phone")
            case ("refund", index, amount, outcome):
                sales = [row for row in self.gateway.ledger.list() if row.kind.sale]
                row, part = sales[index % len(sales)].id, Money(amount, "JPY") if amount is not None else None
                self.gateway.refunds.preview(row, part)  # what is refused here uses up no outcome
                self.stripe.next_refund(outcome)
                self.gateway.refunds.create(row, part)
            case ("days", days, outcome):
                self.clock.advance(days=days)
                self.stripe.script_for("tok_1", outcome)
                self.gateway.billing.run()
            case _:
                self.settle()

    def settle(self) -> None:
        """Every result comes in."""
        self.clock.advance(hours=1)
        for notice in self.stripe.notifications():
            self.gateway.webhooks.receive("stripe", notice.headers, notice.body)
        self.gateway.billing.reconcile()

    @property
    def moved(self) -> tuple[int, int]:
        """Minor units that the provider took and gave back for this contract."""
        captured, refunded = self.before
        return self.stripe.book.captured() - captured, self.stripe.book.refunded() - refunded


def test_once_every_result_has_come_net_sales_are_what_the_provider_took_less_what_it_gave_back() -> None:
    clock = ManualClock(START)
    stripe = FakeStripe(clock=clock)

    @given(st.lists(_card_steps, max_size=14))
    @settings(max_examples=25)
    def holds(story: list[tuple[Any, ...]]) -> None:
        shop = _CardShop(gateway, stripe, clock)
        for step in story:
            with contextlib.suppress(PaygateError):  # refused by a rule: nothing has moved
                shop.do(step)
        shop.settle()
        assert not any(one.state.open for one in (*gateway.charges.list(), *gateway.refunds.list()))
        captured, refunded = shop.moved
        assert gateway.ledger.net(shop.contract.id) == Money(captured - refunded, "JPY")
        assert sum(row.amount.minor for row in gateway.reports.charged()) == captured
        assert sum(row.amount.minor for row in gateway.reports.refunded()) == refunded
        gateway.contracts.delete(shop.contract.id, confirm=shop.contract.id, reason="the next story begins")

    with Gateway(database="sqlite://", providers={"stripe": stripe}, clock=clock) as gateway:
        holds()


_manual_steps = st.sampled_from(["week", "week", "suspend", "resume", "refund", "return", "terminate"])


class _ManualShop:
    """One contract without a card, and a simple account of which periods are paid."""

    def __init__(self, gateway: Any, clock: ManualClock) -> None:
        self.gateway, self.clock = gateway, clock
        self.contract_id = gateway.contracts.create(Customer("cus_1"), WEEKLY, Manual(), paid=True).id
        self.periods = ["found"]  #: one for each row, in order: found, assumed, unpaid, void, or going back
        self.returned = 0

    def do(self, step: str) -> None:
        contracts, refunds = self.gateway.contracts, self.gateway.refunds
        match step:
            case "week":
                self.clock.advance(days=7)
                self.periods += ["assumed"] * self.gateway.billing.run().renewed
            case "suspend":
                contracts.suspend(self.contract_id)
                self._last("unpaid", "found", "assumed")
            case "resume":
                contracts.resume(self.contract_id)
                self._last("found", "unpaid")
            case "terminate":
                contracts.terminate(self.contract_id)
                self._last("void", "unpaid")
            case "refund":
                refunds.create(self.gateway.ledger.list(contract_id=self.contract_id).first().id)
                self.periods[0] = "going back"
            case "return":
                for due in [one for one in refunds.dues() if one.contract_id == self.contract_id]:
                    refunds.mark_done(due.id, note="bank transfer")
                    # what earlier stories' deleted contracts owe is in the list as well
                    self.returned += due.amount.minor if due.contract_id == self.contract_id else 0

    def _last(self, to: str, *states: str) -> None:
        for number in reversed(range(len(self.periods))):
            if self.periods[number] in states:
                self.periods[number] = to
                return

    @property
    def received(self) -> int:
        """Minor units that have come in and not gone back."""
        return 3000 * sum(state in {"found", "going back"} for state in self.periods) - self.returned


def test_without_a_card_only_payments_that_were_found_count_and_only_until_they_are_returned() -> None:
    clock = ManualClock(START)

    @given(st.lists(_manual_steps, max_size=16))
    @settings(max_examples=25)
    def holds(story: list[str]) -> None:
        shop = _ManualShop(gateway, clock)
        for step in story:
            with contextlib.suppress(PaygateError):
                shop.do(step)
            assert gateway.ledger.net(shop.contract_id) == Money(shop.received, "JPY")
        gateway.contracts.delete(shop.contract_id, confirm=shop.contract_id, reason="the next story begins")

    with Gateway(database="sqlite://", providers={}, clock=clock) as gateway:
        holds()
