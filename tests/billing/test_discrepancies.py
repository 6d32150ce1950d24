"""What contradicts the record is evidence: never applied, told once, and closed by people (R-310 to R-313)."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paygate import ChargeState, Gateway, Money
from paygate.domain.charge import RefundState
from paygate.domain.contract import ActorKind
from paygate.domain.discrepancy import DiscrepancyKind, Source
from paygate.domain.ledger import EntryKind
from paygate.errors import InvalidValue, OperationNotAllowed
from paygate.provider import (
    ChargeResult,
    DeclineClass,
    EventKind,
    Outcome,
    ProviderEvent,
    RefundResult,
    Webhook,
)
from paygate.testing import FakeUnivaPay, StayPending, Vanish

from .conftest import Observer

FIVE = Money(5000, "JPY")


def yen(amount: int) -> Money:
    return Money(amount, "JPY")


class Telling(FakeUnivaPay):
    """A UnivaPay that tells whatever a test has it tell, as a provider's own books may be out of order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.told: list[ProviderEvent] = []

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        body = json.loads(webhook.body)
        return [self.told[body["tell"]]] if "tell" in body else await super().parse_webhook(webhook)


@pytest.fixture
def telling(world):
    world.univapay = Telling(clock=world.clock)
    world.options["providers"]["univapay"] = world.univapay
    world.reopen()
    return world


def tell(world, attempt: str, result: ChargeResult | RefundResult, event_id: str = "") -> str:
    """A notice of *result* arrives; returns what became of it."""
    world.univapay.told.append(_event(attempt, result, event_id or f"evt_{len(world.univapay.told)}"))
    body = json.dumps({"tell": len(world.univapay.told) - 1}).encode()
    [outcome] = world.gateway.webhooks.receive("univapay", {}, body).events
    return str(outcome.outcome)


def _event(attempt: str, result: ChargeResult | RefundResult, event_id: str) -> ProviderEvent:
    if isinstance(result, ChargeResult):
        return ProviderEvent(event_id, EventKind.CHARGE, attempt_id=attempt, reference=result.reference, charge=result)
    return ProviderEvent(event_id, EventKind.REFUND, attempt_id=attempt, reference=result.reference, refund=result)


def unanswered(world, **options):
    """A charge whose answer was lost: UNKNOWN, and without a reference."""
    contract = world.contract("univapay")
    world.univapay.next(Vanish())
    charge = world.charge(contract, **options)
    assert charge.state is ChargeState.UNKNOWN
    return contract, charge


def booked(world, contract) -> int:
    rows = [row for row in world.gateway.ledger.list(contract_id=contract.id) if row.kind is EntryKind.ADDON]
    return sum(row.amount.minor for row in rows)


def discrepancies(world, **filters):
    return list(world.gateway.charges.discrepancies(**filters))


def told(world, code="discrepancy"):
    return [notice for notice in world.observer.of("operator") if notice.code == code]


@pytest.mark.rule("R-310", "R-312")
def test_of_two_payments_for_one_attempt_the_first_counts_and_the_second_stays_as_evidence(world):
    contract, charge = unanswered(world)
    second = world.univapay.charge_again(charge.id)

    world.clock.advance(minutes=1)
    world.deliver("univapay")

    assert world.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
    [found] = discrepancies(world)
    assert (found.kind, found.unbooked, found.charge_id) == (DiscrepancyKind.SECOND_REFERENCE, 5000, charge.id)
    assert second in {found.our_reference, found.their_reference}
    assert booked(world, contract) + found.unbooked == world.univapay.book.captured() - 3000
    [notice] = told(world)
    assert notice.charge_id == charge.id
    assert all(text in notice.message for text in (charge.id, second, "5,000"))


@pytest.mark.rule("R-310", "R-311")
def test_a_look_up_that_finds_two_payments_books_one_and_reconciliation_closes_nothing(world):
    contract, charge = unanswered(world)
    world.univapay.charge_again(charge.id)
    world.clock.advance(minutes=5)

    for _ in range(3):
        world.gateway.billing.reconcile()
        world.clock.advance(hours=1)
    world.deliver("univapay")

    assert booked(world, contract) == 5000
    [found] = discrepancies(world)
    assert (found.unbooked, found.source, found.resolved_at) == (5000, Source.LOOKUP, None)
    assert len(told(world)) == 1


@pytest.mark.rule("R-310")
@pytest.mark.parametrize("state", ["pending", "unknown", "succeeded", "failed"])
def test_a_success_under_a_second_reference_is_not_applied_whatever_the_charge_is(telling, state):
    contract = telling.contract("univapay")
    telling.univapay.next(StayPending())
    charge = telling.charge(contract)
    first = {
        "pending": ChargeResult.pending(charge.reference),
        "unknown": ChargeResult.unknown("hm", reference=charge.reference),
        "succeeded": ChargeResult.succeeded(charge.reference, amount=FIVE),
        "failed": ChargeResult.declined("no", reference=charge.reference, decline=DeclineClass.SOFT),
    }[state]
    assert tell(telling, charge.id, first) == "applied"
    before = telling.gateway.charges.get(charge.id)

    assert tell(telling, charge.id, ChargeResult.succeeded("ch_second", amount=FIVE)) == "discrepancy"

    after = telling.gateway.charges.get(charge.id)
    assert (after.state, after.reference) == (before.state, charge.reference)
    [found] = discrepancies(telling, charge_id=charge.id)
    assert (found.our_reference, found.their_reference) == (charge.reference, "ch_second")
    assert found.source is Source.WEBHOOK


@pytest.mark.rule("R-310")
@pytest.mark.parametrize("amount", [Money(4999, "JPY"), Money(5001, "JPY"), Money(5000, "USD")])
@pytest.mark.parametrize("outcome", [ChargeResult.succeeded, ChargeResult.unknown])
def test_another_sum_than_asked_for_leaves_the_charge_open_and_names_both(telling, amount, outcome):
    contract, charge = unanswered(telling)
    arguments = {"amount": amount, "reference": "ch_1"}

    assert tell(telling, charge.id, outcome(**arguments)) == "discrepancy"

    assert telling.gateway.charges.get(charge.id).state is ChargeState.UNKNOWN
    assert booked(telling, contract) == 0
    [found] = discrepancies(telling)
    assert (found.our_amount, found.their_amount, found.unbooked) == (FIVE, amount, amount.minor)
    [notice] = told(telling)
    assert str(amount) in notice.message
    assert str(FIVE) in notice.message


@pytest.mark.rule("R-310")
def test_a_charge_captured_in_part_is_found_by_its_notice(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending())
    charge = world.charge(contract)
    world.univapay.finish(charge.reference, amount=yen(2000))

    world.deliver("univapay")

    assert world.gateway.charges.get(charge.id).state is ChargeState.UNKNOWN
    assert [found.kind for found in discrepancies(world)] == [DiscrepancyKind.OTHER_AMOUNT]


@pytest.mark.rule("R-310")
def test_a_decline_after_a_success_does_not_take_the_payment_back(telling):
    contract, charge = unanswered(telling)
    tell(telling, charge.id, ChargeResult.succeeded("ch_1", amount=FIVE))

    assert tell(telling, charge.id, ChargeResult.declined("no", reference="ch_1")) == "discrepancy"

    assert booked(telling, contract) == 5000
    [found] = discrepancies(telling)
    assert (found.kind, found.their_state, found.unbooked) == (
        DiscrepancyKind.DECLINE_AFTER_SUCCESS,
        Outcome.DECLINED,
        0,
    )


@pytest.mark.rule("R-312")
def test_the_same_contradiction_seen_again_is_one_row_and_one_notice(telling):
    _, charge = unanswered(telling)
    tell(telling, charge.id, ChargeResult.succeeded("ch_1", amount=FIVE))

    outcomes = [tell(telling, charge.id, ChargeResult.succeeded("ch_2", amount=FIVE)) for _ in range(3)]

    assert outcomes == ["discrepancy"] * 3
    assert len(discrepancies(telling)) == len(told(telling)) == 1


@pytest.mark.rule("R-311")
def test_an_operator_closes_a_discrepancy_with_a_note_and_it_stays_closed(telling):
    _, charge = unanswered(telling)
    for reference in ("ch_1", "ch_2", "ch_3"):
        tell(telling, charge.id, ChargeResult.succeeded(reference, amount=FIVE))

    telling.gateway.charges.resolve(charge.id, succeeded=True, reference="ch_3", note="returned in the console")
    tell(telling, charge.id, ChargeResult.succeeded("ch_3", amount=FIVE))

    assert [found.their_reference for found in discrepancies(telling)] == ["ch_2"]
    closed = next(one for one in discrepancies(telling, only_open=False) if one.their_reference == "ch_3")
    assert (closed.note, closed.resolved_by.kind) == ("returned in the console", ActorKind.ADMIN)
    assert "resolve_discrepancy" in [record.action for record in telling.gateway.audit.list(contract_id="con_0")]
    with pytest.raises(InvalidValue, match="ch_2"):
        telling.gateway.charges.resolve(charge.id, succeeded=True, reference="ch_9", note="console")
    with pytest.raises(OperationNotAllowed, match=r"refunds\.create"):
        telling.gateway.charges.resolve(charge.id, succeeded=False, note="console")
    telling.gateway.charges.resolve(charge.id, succeeded=True, note="all returned")
    with pytest.raises(OperationNotAllowed, match="nothing to resolve"):
        telling.gateway.charges.resolve(charge.id, succeeded=True, note="console")


@pytest.mark.rule("R-311")
def test_an_operator_books_the_second_payment_of_a_declined_charge(telling):
    contract, charge = unanswered(telling)
    tell(telling, charge.id, ChargeResult.declined("no", reference="ch_1"))
    tell(telling, charge.id, ChargeResult.succeeded("ch_2", amount=FIVE))

    booked_now = telling.gateway.charges.resolve(charge.id, succeeded=True, note="seen in the console")

    assert (booked_now.state, booked_now.reference) == (ChargeState.SUCCEEDED, "ch_2")
    assert booked(telling, contract) == 5000
    assert discrepancies(telling) == []


@pytest.mark.rule("R-310")
def test_the_providers_id_of_what_a_person_settled_without_it_contradicts_nothing(telling):
    _, charge = unanswered(telling)
    telling.gateway.charges.resolve(charge.id, succeeded=True, note="seen in the console")

    assert tell(telling, charge.id, ChargeResult.succeeded("ch_1", amount=FIVE)) == "applied"

    assert telling.gateway.charges.get(charge.id).reference == "ch_1"
    assert discrepancies(telling) == []


RESULTS = {
    "S1": ChargeResult.succeeded("ch_1", amount=FIVE),
    "S2": ChargeResult.succeeded("ch_2", amount=FIVE),
    "S3": ChargeResult.succeeded("ch_3", amount=yen(700)),
    "O1": ChargeResult.succeeded("ch_1", amount=yen(900)),
    "D1": ChargeResult.declined("no", reference="ch_1"),
    "P1": ChargeResult.pending("ch_1"),
    "U1": ChargeResult.unknown("hm", reference="ch_1"),
    "P2": ChargeResult.pending("ch_2"),
}
HISTORIES = st.lists(st.sampled_from(sorted(RESULTS)), min_size=1, max_size=8)


@pytest.mark.rule("R-313")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=HISTORIES, data=st.data())
def test_the_end_is_the_same_in_any_order_and_no_money_is_lost(history, data):
    ends = {_end(history), _end(data.draw(st.permutations(history))), _end(history + history)}
    assert len(ends) == 1
    state, ledger, evidence = ends.pop()
    taken = {name: result for name, result in RESULTS.items() if name in history and name[0] in "SO"}
    first = [result.amount.minor for name, result in taken.items() if result.reference == "ch_1"]
    others = sum(result.amount.minor for result in taken.values() if result.reference != "ch_1")
    # of a payment whose sum the provider changes, what it said last cannot be told from what it said first
    assert ledger + evidence in {one + others for one in first or [0]}
    assert (state == "SUCCEEDED") == ("S1" in history)


def _end(history):
    """What is on record once the events of *history* have come in that order: state, ledger and unbooked sums."""
    import datetime as dt

    from paygate import JST, Card, Customer, Cycle, Plan
    from paygate.testing import ManualClock

    clock = ManualClock(dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST))
    fake = Telling(clock=clock)
    with Gateway(database="sqlite://", providers={"univapay": fake}, plugins=[Observer()], clock=clock) as gateway:
        plan = Plan.recurring("Gold", Money(3000, "JPY"), Cycle.MONTHLY)
        contract = gateway.contracts.create(Customer("cus_1", "A", "a@example.com"), plan, Card("univapay", "tok_1"))
        clock.advance(minutes=5)
        fake.next(Vanish(after=False))
        charge = gateway.charges.create(contract.id, FIVE, consent="phone", idempotency_key="k")
        one = _One(gateway, fake)
        tell(one, charge.id, RESULTS["U1"])  # the answer named the first payment
        for name in history:
            tell(one, charge.id, RESULTS[name])
        rows = [row for row in gateway.ledger.list() if row.charge_id == charge.id]
        evidence = sum(found.unbooked for found in gateway.charges.discrepancies())
        return gateway.charges.get(charge.id).state.value, sum(row.amount.minor for row in rows), evidence


@attrs.frozen
class _One:
    gateway: Any
    univapay: Any


# --- refunds ---------------------------------------------------------------------------------------------------------


def pending_refund(world):
    contract = world.contract("univapay")
    charge = world.settled(contract)
    world.univapay.script_refund(StayPending())
    return world.gateway.refunds.create(charge.id, idempotency_key="r1")


@pytest.mark.rule("R-310", "R-313", "R-328")
@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (RefundResult.succeeded("rf_second", amount=FIVE), DiscrepancyKind.SECOND_REFERENCE),
        (RefundResult.succeeded(None, amount=yen(400)), DiscrepancyKind.OTHER_AMOUNT),
        (RefundResult.unknown("hm", amount=yen(400)), DiscrepancyKind.OTHER_AMOUNT),
    ],
)
def test_a_refund_under_a_second_reference_or_of_another_sum_is_not_applied(telling, result, kind):
    refund = pending_refund(telling)
    result = attrs.evolve(result, reference=result.reference or refund.reference)

    assert tell(telling, refund.id, result) == "discrepancy"

    assert telling.gateway.refunds.get(refund.id).state.open
    [found] = discrepancies(telling)
    assert (found.kind, found.refund_id, found.charge_id) == (kind, refund.id, None)
    assert told(telling)[0].refund_id == refund.id
    with pytest.raises(InvalidValue, match="which refund you mean"):
        telling.gateway.refunds.resolve(refund.id, succeeded=True, note="console")
    assert telling.gateway.refunds.get(refund.id).state.open
    settled = telling.gateway.refunds.resolve(refund.id, succeeded=True, reference=result.reference, note="console")
    assert settled.state is RefundState.DONE
    # what is booked and what is still open is what the provider returned
    still = sum(one.unbooked for one in discrepancies(telling))
    assert settled.amount.minor + still == result.amount.minor
    if still:
        telling.gateway.refunds.resolve(refund.id, succeeded=True, reference=result.reference, note="the rest by hand")
    assert discrepancies(telling) == []


@pytest.mark.rule("R-310", "R-247")
def test_a_refund_that_failed_late_stays_failed_in_any_order(telling):
    for order in (("S", "D"), ("D", "S")):
        telling.contract("univapay", customer=f"cus_{order[0]}")
        refund = _refund_of(telling, f"cus_{order[0]}")
        results = {
            "S": RefundResult.succeeded(refund.reference, amount=FIVE),
            "D": RefundResult.declined("bank", reference=refund.reference),
        }
        for name in order:
            tell(telling, refund.id, results[name])
        assert telling.gateway.refunds.get(refund.id).state is RefundState.FAILED
    assert [found.kind for found in discrepancies(telling)] == [DiscrepancyKind.SUCCESS_AFTER_DECLINE]


def _refund_of(world, customer):
    contract = next(one for one in world.gateway.contracts.list() if one.customer_id == customer)
    charge = world.settled(contract)
    world.univapay.script_refund(StayPending())
    return world.gateway.refunds.create(charge.id)
