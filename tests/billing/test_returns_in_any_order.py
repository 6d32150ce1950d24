"""Whatever order refunds, totals and disputes are reported in, ledger, discrepancies and announcements end alike."""

from __future__ import annotations

import datetime as dt
import itertools

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paygate import JST, Card, Customer, Gateway, Money, Plan
from paygate.dispute import Dispute, DisputeState
from paygate.domain.charge import RefundState
from paygate.domain.discrepancy import DiscrepancyKind
from paygate.domain.ledger import EntryKind, EntryState
from paygate.errors import NothingToRefund
from paygate.provider import ChargeResult, EventKind, ProviderEvent, RefundResult
from paygate.testing import FailLate, ManualClock

from .conftest import Observer
from .test_discrepancies import Telling
from .test_provider_refunds import outcomes, paid, rows_of, sale_of, yen


class Shop:
    """A charge of 5,000 yen that has succeeded, at a provider that reports what a test has it report."""

    def __init__(self):
        self.clock, self.observer = ManualClock(dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST)), Observer()
        self.fake = Telling(clock=self.clock)
        options = {"database": "sqlite://", "providers": {"univapay": self.fake}, "plugins": [self.observer]}
        self.gateway = Gateway(**options, clock=self.clock)
        card, plan = Card("univapay", "tok_1"), Plan.recurring("Gold", yen(3000))
        self.contract = self.gateway.contracts.create(Customer("cus_1", "A", "a@example.com"), plan, card)
        self.charge = self.gateway.charges.create(self.contract.id, yen(5000), consent="phone")
        self.charge = self.gateway.charges.wait(self.charge.id)
        self.observer.heard.clear()

    def tell(self, what, of=None):
        """A notice of *what* about the payment *of*, by default the charge's own."""
        reference, number = of or self.charge.reference, len(self.fake.told)
        if isinstance(what, Money):  # a total
            what = attrs.evolve(ChargeResult.succeeded(reference, amount=yen(5000)), refunded=what)
        if isinstance(what, ChargeResult):
            event = ProviderEvent(
                f"evt_{number}", EventKind.CHARGE, reference=reference, attempt_id=self.charge.id, charge=what
            )
        elif isinstance(what, RefundResult):
            event = ProviderEvent(
                f"evt_{number}", EventKind.REFUND, reference=what.reference, refund=what, charge_reference=reference
            )
        else:
            event = ProviderEvent(
                f"evt_{number}", EventKind.DISPUTE, reference=what.reference, dispute=what, charge_reference=reference
            )
        self.fake.told.append(event)
        [outcome] = self.gateway.webhooks.receive("univapay", {}, b'{"tell": %d}' % number).events
        return outcome.outcome

    def rows(self):
        return [row for row in self.gateway.ledger.list() if row.charge_id == self.charge.id]

    def open(self):
        return [(one.kind, one.their_reference, one.unbooked) for one in self.gateway.charges.discrepancies()]

    def announced(self):
        return [(one.refund.amount.minor, one.refund.state) for one in self.observer.of("refund")]

    def end(self):
        rows = self.rows()
        back = sorted(
            (row.kind.value, self._name(row.reference), row.amount.minor, row.state.value)
            for row in rows
            if not row.kind.sale and row.state is not EntryState.FAILED
        )
        [sale] = [row for row in rows if row.kind.sale]
        still = sorted((kind.value, self._name(name), minor) for kind, name, minor in self.open())
        gone = sum(row.amount.minor for row in rows if row.state in {EntryState.DONE, EntryState.LOST})
        assert self.gateway.ledger.net(self.contract.id) == yen(max(0, 8000 - gone))
        return sale.state, back, still

    def _name(self, reference):
        return reference.replace(self.charge.reference, "own")


def refund(name, amount):
    return RefundResult.succeeded(name, amount=yen(amount))


def failed(name):
    return RefundResult.declined("bank", reference=name)


def dispute(state, amount, name="dp_1"):
    return Dispute(name, state, yen(amount))


REPORTS = {
    "R1": refund("re_1", 3000),
    "R2": refund("re_2", 3000),
    "R3": refund("re_3", 5000),
    "P1": RefundResult.pending("re_1"),
    "F1": failed("re_1"),
    "F3": failed("re_3"),
    "T3": yen(3000),
    "T5": yen(5000),
    "DO": dispute(DisputeState.OPENED, 2000),
    "DO+": dispute(DisputeState.OPENED, 4900),
    "DL": dispute(DisputeState.LOST, 4900),
    "DW": dispute(DisputeState.WON, 5000),
    "E": dispute(DisputeState.LOST, 1000, "dp_2"),
}


def told_in(order):
    shop = Shop()
    with shop.gateway:
        for name in order:
            assert shop.tell(REPORTS[name]) == "applied"
        return shop.end()


@pytest.mark.rule("R-319", "R-321")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(st.sampled_from(sorted(REPORTS)), min_size=2, max_size=6), data=st.data())
def test_the_ledger_is_the_same_in_any_order(history, data):
    other = data.draw(st.permutations(history))

    assert told_in(history) == told_in(other) == told_in(history + other)


@pytest.mark.rule("R-319", "R-321")
@pytest.mark.parametrize("order", list(itertools.permutations(["R3", "DO", "DW"])), ids="-".join)
def test_a_full_refund_beside_a_dispute_that_is_won_is_in_the_ledger(order):
    shop = Shop()
    with shop.gateway:
        for name in order:
            shop.tell(REPORTS[name])
        rows = {(row.kind, row.state, row.amount.minor) for row in shop.rows() if not row.kind.sale}
        assert rows == {(EntryKind.REFUND, EntryState.DONE, 5000), (EntryKind.DISPUTE, EntryState.WON, 5000)}
        assert shop.open() == []
        with pytest.raises(NothingToRefund):
            shop.gateway.refunds.preview(shop.charge.id)


@pytest.mark.rule("R-321")
def test_a_refund_that_was_made_again_before_its_failure_was_reported_is_booked_once(world):
    _, charge = paid(world, "stripe")
    world.stripe.refund_in_console(charge.reference, yen(3000), outcome=FailLate(seconds=60))
    outcomes(world, "stripe")
    world.clock.advance(minutes=2)
    world.stripe.refund_in_console(charge.reference, yen(3000))

    for one in reversed(world.stripe.notifications()):
        world.gateway.webhooks.receive("stripe", one.headers, one.body)

    back = [row for row in rows_of(world, charge) if row.kind is EntryKind.REFUND and row.state is EntryState.DONE]
    assert [row.amount for row in back] == [yen(3000)] == [yen(world.stripe.book.refunded())]
    assert sale_of(world, charge).state is EntryState.PARTLY_REFUNDED
    assert list(world.gateway.charges.discrepancies()) == []


@pytest.mark.rule("R-322")
@pytest.mark.parametrize("amounts", [(2000,), (1000, 2000, 2000), (1500, 2500)])
def test_each_refund_is_told_once_whether_a_total_or_its_name_comes_first(amounts):
    named = [refund(f"re_{number}", amount) for number, amount in enumerate(amounts)]
    totals = [yen(sum(amounts[: number + 1])) for number in range(len(amounts))]
    in_turn = [report for pair in zip(totals, named, strict=True) for report in pair]
    for order in (in_turn, in_turn[::-1], [totals[-1], *named], [*named, *totals], [*totals, *named[::-1]]):
        shop = Shop()
        with shop.gateway:
            for report in order:
                shop.tell(report)
            told = shop.announced()
            assert {state for _, state in told} == {RefundState.DONE}
            assert sum(amount for amount, _ in told) == sum(amounts)
            rows = sorted((row.reference, row.amount.minor, row.state) for row in shop.rows() if not row.kind.sale)
            assert rows == [(f"re_{n}", amount, EntryState.DONE) for n, amount in enumerate(amounts)]
            [sale] = [row for row in shop.rows() if row.kind.sale]
            assert sale.remarks.count("refunded") == len(told)
            codes = [one.message for one in shop.observer.of("operator") if one.code == "provider_refund"]
            assert len(codes) <= len(amounts)


@pytest.mark.rule("R-322")
def test_a_refund_that_was_counted_and_told_is_not_told_again_when_it_is_pending_by_name():
    shop = Shop()
    with shop.gateway:
        for report in (yen(2000), attrs.evolve(RefundResult.pending("re_1"), amount=yen(2000)), refund("re_1", 2000)):
            shop.tell(report)
        assert shop.announced() == [(2000, RefundState.DONE)]
        assert [row.state for row in shop.rows() if not row.kind.sale] == [EntryState.DONE]


@pytest.mark.rule("R-323")
@pytest.mark.parametrize("how", ["refund", "dispute"])
def test_a_discrepancy_is_open_again_when_what_closed_it_did_not_last(how):
    shop = Shop()
    with shop.gateway:
        shop.tell(ChargeResult.succeeded("ch_B", amount=yen(5000)), of="ch_B")
        gone = refund("re_B", 5000) if how == "refund" else dispute(DisputeState.LOST, 5000)
        shop.tell(gone, of="ch_B")
        assert shop.open() == []

        shop.tell(failed("re_B") if how == "refund" else dispute(DisputeState.WON, 5000), of="ch_B")

        assert shop.open() == [(DiscrepancyKind.SECOND_REFERENCE, "ch_B", 5000)]
        assert [one.code for one in shop.observer.of("operator")].count("discrepancy") == 2


@pytest.mark.rule("R-323")
def test_a_part_that_went_back_of_a_second_payment_is_not_unbooked_any_more_and_a_persons_word_lasts():
    shop = Shop()
    with shop.gateway:
        shop.tell(ChargeResult.succeeded("ch_B", amount=yen(5000)), of="ch_B")
        shop.tell(refund("re_B", 2000), of="ch_B")
        assert shop.open() == [(DiscrepancyKind.SECOND_REFERENCE, "ch_B", 3000)]

        shop.gateway.charges.resolve(shop.charge.id, succeeded=True, note="the rest is a gift")
        shop.tell(failed("re_B"), of="ch_B")

        assert shop.open() == []


@pytest.mark.rule("R-324")
def test_what_went_back_in_another_currency_is_a_discrepancy_until_it_comes_back():
    shop = Shop()
    with shop.gateway:
        shop.tell(RefundResult.succeeded("re_1", amount=Money(4000, "USD")))
        shop.tell(Dispute("dp_1", DisputeState.LOST, Money(3000, "USD")))
        over = DiscrepancyKind.OVER_REFUNDED
        assert shop.open() == [(over, "re_1", 4000), (over, "dp_1", 3000)]

        shop.tell(failed("re_1"))
        shop.tell(Dispute("dp_1", DisputeState.WON, Money(3000, "USD")))

        assert shop.open() == []
        assert shop.gateway.refunds.preview(shop.charge.id).amount == yen(5000)


@pytest.mark.rule("R-324")
@pytest.mark.parametrize("order", list(itertools.permutations(["DO", "DO+", "DL"])), ids="-".join)
def test_a_dispute_whose_sum_grows_is_booked_with_the_sum_it_ended_with(order):
    shop = Shop()
    with shop.gateway:
        for name in order:
            shop.tell(REPORTS[name])
        [row] = [row for row in shop.rows() if row.kind is EntryKind.DISPUTE]
        assert (row.state, row.amount) == (EntryState.LOST, yen(4900))
        assert shop.gateway.refunds.preview(shop.charge.id).amount == yen(100)
