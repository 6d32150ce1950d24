"""Refunds and disputes made at the provider reach the ledger, in any order, once (R-314 to R-320)."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paygate import JST, Card, ChargeState, Customer, Cycle, Gateway, Money, Plan, Status
from paygate.dispute import Dispute, DisputeState
from paygate.domain.charge import RefundState
from paygate.domain.ledger import EntryKind, EntryState
from paygate.errors import NothingToRefund, OutcomeUnknown, PendingMoney
from paygate.provider import ChargeResult, EventKind, ProviderEvent, RefundResult
from paygate.testing import FailLate, ManualClock, StayPending, Vanish

from .conftest import Observer
from .test_discrepancies import Telling, discrepancies, tell, telling  # noqa: F401 - a fixture

ACCOUNTS = ["stripe", "univapay"]


def yen(amount: int) -> Money:
    return Money(amount, "JPY")


def rows_of(world, charge):
    return [row for row in world.gateway.ledger.list() if row.charge_id == charge.id]


def sale_of(world, charge):
    return next(row for row in rows_of(world, charge) if row.kind.sale)


def codes(world):
    return [notice.code for notice in world.observer.of("operator")]


def outcomes(world, account):
    """What becomes of the notices that are due."""
    receipts = [
        world.gateway.webhooks.receive(account, one.headers, one.body) for one in world.fake(account).notifications()
    ]
    return [event.outcome for receipt in receipts for event in receipt.events]


def paid(world, account):
    contract = world.contract(account)
    charge = world.settled(contract)
    world.fake(account).notifications()
    world.observer.heard.clear()
    return contract, charge


@pytest.mark.rule("R-314", "R-320", "X-16")
@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_refund_made_in_the_console_becomes_a_row_and_counts(world, account):
    contract, charge = paid(world, account)
    before = world.gateway.ledger.net(contract.id)
    reference = world.fake(account).refund_in_console(charge.reference, yen(2000))

    assert outcomes(world, account) == ["applied"]

    row = next(row for row in rows_of(world, charge) if row.kind is EntryKind.REFUND)
    assert (row.state, row.amount, row.origin, row.reference) == (EntryState.DONE, yen(2000), "provider", reference)
    assert sale_of(world, charge).state is EntryState.PARTLY_REFUNDED
    assert before.minor - world.gateway.ledger.net(contract.id).minor == 2000
    assert world.gateway.refunds.preview(charge.id).amount == yen(3000)
    [refund] = world.gateway.reports.refunded()
    assert (refund.reference, refund.state) == (reference, RefundState.DONE)
    assert codes(world) == ["provider_refund"]
    assert [notice.refund.reference for notice in world.observer.of("refund")] == [reference]


@pytest.mark.rule("R-314")
@pytest.mark.parametrize("account", ACCOUNTS)
def test_the_same_refund_reported_again_is_one_row(world, account):
    _, charge = paid(world, account)
    world.fake(account).refund_in_console(charge.reference)
    notices = world.fake(account).notifications()

    for one in notices * 3:
        world.gateway.webhooks.receive(account, one.headers, one.body)

    assert len([row for row in rows_of(world, charge) if row.kind is EntryKind.REFUND]) == 1
    assert sale_of(world, charge).state is EntryState.REFUNDED
    with pytest.raises(NothingToRefund):
        world.gateway.refunds.preview(charge.id)


@pytest.mark.rule("R-314", "R-247")
def test_a_console_refund_that_fails_later_restores_the_sale(world):
    _, charge = paid(world, "stripe")
    world.stripe.refund_in_console(charge.reference, outcome=FailLate(seconds=60))
    outcomes(world, "stripe")
    world.clock.advance(minutes=2)

    outcomes(world, "stripe")

    assert sale_of(world, charge).state is EntryState.SUCCEEDED
    assert world.gateway.refunds.preview(charge.id).amount == yen(5000)
    assert codes(world)[-1] == "provider_refund_failed"


@pytest.mark.rule("R-314")
def test_a_console_refund_that_is_pending_is_looked_up_by_reconciliation(world):
    _, charge = paid(world, "univapay")
    reference = world.univapay.refund_in_console(charge.reference, outcome=StayPending(600))
    told = RefundResult.pending(reference)
    assert told.outcome.value == "pending"
    world.clock.advance(minutes=20)
    world.deliver("univapay")

    world.gateway.billing.reconcile()

    assert sale_of(world, charge).state is EntryState.REFUNDED


@pytest.mark.rule("R-315")
@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_unknown_charge_that_was_returned_in_the_console_gives_the_customer_nothing(world, account):
    contract = world.contract(account)
    world.fake(account).next(Vanish())
    charge = world.charge(contract, renew_expiry=True, send_step_mail=True)
    world.clock.advance(minutes=3)
    world.observer.heard.clear()
    world.fake(account).refund_in_console(charge.id)

    world.gateway.billing.reconcile()

    after = world.gateway.contracts.get(contract.id)
    assert world.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
    assert (after.expires_on, after.status) == (contract.expires_on, contract.status)
    assert [row.state for row in rows_of(world, charge)] == [EntryState.REFUNDED, EntryState.DONE]
    assert [row for row in world.gateway.step_mails.list() if row.charge_id == charge.id] == []
    assert world.observer.of("success") == world.observer.of("mail") == []
    assert "provider_refund" in codes(world)


@pytest.mark.rule("R-315")
def test_a_first_payment_that_was_returned_before_it_was_known_makes_no_contract(world):
    world.stripe.next(Vanish())
    with pytest.raises(OutcomeUnknown):
        world.gateway.contracts.create(
            Customer("cus_9", "A", "a@example.com"), world.plan, Card("stripe", "tok_9"), contract_id="con_9"
        )
    [charge] = [one for one in world.gateway.charges.list() if one.contract_id == "con_9"]
    world.stripe.refund_in_console(charge.id)

    world.gateway.billing.reconcile()
    world.deliver("stripe")

    assert world.gateway.charges.get(charge.id).state is ChargeState.FAILED
    assert [one.id for one in world.gateway.contracts.list()] == []
    assert world.observer.of("success") == []
    assert "provider_refund" in codes(world)


@pytest.mark.rule("R-315")
def test_a_period_that_was_returned_before_it_was_known_stays_billed_and_extends_nothing(world):
    contract = world.contract("stripe")
    world.clock.set(dt.datetime(2026, 2, 15, 9, 0, tzinfo=JST))
    world.stripe.next(Vanish())
    world.gateway.billing.run()
    charge = next(one for one in world.gateway.charges.list(contract_id=contract.id) if one.open)
    world.stripe.refund_in_console(charge.id)
    world.clock.advance(minutes=3)

    world.gateway.billing.reconcile()
    world.clock.advance(days=1)
    world.gateway.billing.run()

    after = world.gateway.contracts.get(contract.id)
    assert (after.status, after.expires_on) == (Status.ACTIVE, contract.expires_on)
    assert len(world.stripe.book.captures) == 2
    assert sale_of(world, charge).state is EntryState.REFUNDED


@pytest.mark.rule("R-316")
@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_holds_the_money_and_then_gives_it_back_or_takes_it(world, account, won):
    contract, charge = paid(world, account)
    before = world.gateway.ledger.net(contract.id).minor
    reference = world.fake(account).dispute(charge.reference, yen(4000))

    assert outcomes(world, account) == ["applied"]
    [row] = [row for row in rows_of(world, charge) if row.kind is EntryKind.DISPUTE]
    assert (row.state, row.amount, row.origin) == (EntryState.OPENED, yen(4000), "provider")
    assert row.due_by is not None
    assert [one.id for one in world.gateway.reports.disputed()] == [row.id]
    assert world.gateway.refunds.preview(charge.id).amount == yen(1000)
    assert world.gateway.ledger.net(contract.id).minor == before

    world.fake(account).close_dispute(reference, won=won)
    assert outcomes(world, account) == ["applied"]

    [row] = [row for row in rows_of(world, charge) if row.kind is EntryKind.DISPUTE]
    assert row.state is (EntryState.WON if won else EntryState.LOST)
    assert before - world.gateway.ledger.net(contract.id).minor == (0 if won else 4000)
    assert world.fake(account).book.disputed() == (0 if won else 4000)
    assert world.gateway.refunds.preview(charge.id).amount == yen(5000 if won else 1000)
    assert sale_of(world, charge).state is (EntryState.SUCCEEDED if won else EntryState.PARTLY_REFUNDED)
    assert codes(world) == ["dispute_opened", "dispute_won" if won else "dispute_lost"]
    assert world.gateway.contracts.get(contract.id).status is contract.status


@pytest.mark.rule("R-317", "R-269")
def test_a_refund_or_dispute_of_something_unknown_is_unmatched(world):
    contract = world.contract("univapay")
    stranger = world.univapay.charge_unasked("tok_univapay_cus_1", yen(999))
    world.univapay.notifications()
    world.univapay.refund_in_console(stranger, yen(1))
    world.univapay.dispute(stranger)

    assert outcomes(world, "univapay") == ["unmatched", "unmatched"]
    assert codes(world) == ["unmatched_event"] * 2
    assert world.gateway.contracts.get(contract.id) == contract


@pytest.mark.rule("R-317", "R-263")
def test_notices_about_what_deleting_a_contract_returned_are_no_alarm_but_others_are(world):
    contract, charge = paid(world, "stripe")
    world.gateway.contracts.delete(contract.id, confirm=contract.id, reason="mistake")
    world.observer.heard.clear()

    assert set(outcomes(world, "stripe")) == {"ignored"}
    assert codes(world) == []

    world.stripe.dispute(charge.reference)
    assert outcomes(world, "stripe") == ["unmatched"]


@pytest.mark.rule("R-318")
def test_refunds_of_paygate_itself_are_not_counted_twice_by_the_providers_total(telling):  # noqa: F811
    _, charge = paid(telling, "univapay")
    known = telling.gateway.refunds.create(charge.id, yen(1000))
    telling.gateway.refunds.wait(known.id)
    telling.univapay.script_refund(Vanish())
    lost = telling.gateway.refunds.create(charge.id, yen(500))
    assert lost.state is RefundState.UNKNOWN
    telling.univapay.refund_in_console(charge.reference, yen(200))

    total = attrs.evolve(ChargeResult.succeeded(charge.reference, amount=yen(5000)), refunded=yen(1700))
    tell(telling, charge.id, total)
    first = _back(telling, charge)
    telling.clock.advance(minutes=5)
    telling.gateway.billing.reconcile()
    outcomes(telling, "univapay")

    assert first == [200, 1000]
    assert _back(telling, charge) == [200, 500, 1000]
    assert telling.univapay.book.refunded() == 1700


def _back(world, charge):
    rows = [row for row in rows_of(world, charge) if row.kind is EntryKind.REFUND and row.state is EntryState.DONE]
    return sorted(row.amount.minor for row in rows)


@pytest.mark.rule("R-318")
def test_a_refund_whose_answer_was_lost_and_that_never_was_leaves_the_total_to_the_console(telling):  # noqa: F811
    _, charge = paid(telling, "univapay")
    telling.univapay.script_refund(Vanish(after=False))
    lost = telling.gateway.refunds.create(charge.id, yen(500))
    total = attrs.evolve(ChargeResult.succeeded(charge.reference, amount=yen(5000)), refunded=yen(100))
    tell(telling, charge.id, total)
    assert _back(telling, charge) == []

    telling.gateway.refunds.resolve(lost.id, succeeded=False, note="not in the console")

    assert _back(telling, charge) == [100]


@pytest.mark.rule("R-311")
def test_a_refund_of_the_second_payment_closes_its_discrepancy(world):
    contract = world.contract("univapay")
    world.univapay.next(Vanish())
    charge = world.charge(contract)
    second = world.univapay.charge_again(charge.id)
    world.clock.advance(minutes=1)
    world.deliver("univapay")
    [found] = discrepancies(world)

    world.univapay.refund_in_console(found.their_reference)
    world.deliver("univapay")

    assert discrepancies(world) == []
    [closed] = discrepancies(world, only_open=False)
    assert "returned" in closed.note
    assert second in {found.their_reference, found.our_reference}
    assert sale_of(world, charge).state is EntryState.SUCCEEDED


# --- in any order ----------------------------------------------------------------------------------------------------


def _dispute(state):
    return ("DISPUTE", Dispute("dp_1", state, yen(700)))


REPORTS = {
    "S": ("CHARGE", ChargeResult.succeeded("ch_1", amount=yen(5000))),
    "T": ("CHARGE", attrs.evolve(ChargeResult.succeeded("ch_1", amount=yen(5000)), refunded=yen(500))),
    "R1": ("REFUND", RefundResult.succeeded("re_1", amount=yen(300))),
    "R2": ("REFUND", RefundResult.succeeded("re_2", amount=yen(200))),
    "F2": ("REFUND", RefundResult.declined("no", reference="re_2")),
    "DO": _dispute(DisputeState.OPENED),
    "DL": _dispute(DisputeState.LOST),
    "DW": _dispute(DisputeState.WON),
}


@pytest.mark.rule("R-319")
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(st.sampled_from(sorted(REPORTS)), min_size=1, max_size=7), data=st.data())
def test_reports_of_refunds_and_disputes_end_alike_in_any_order(history, data):
    history = [*history, "S"]
    ends = [_end(history), _end(data.draw(st.permutations(history))), _end(history + history)]
    assert ends[0] == ends[1] == ends[2]
    net, *_ = ends[0]
    items = sum(
        {"R1": 300, "R2": 200}[name] for name in {"R1", "R2"} & set(history) if not (name == "R2" and "F2" in history)
    )
    lost = 700 if "DL" in history and "DW" not in history else 0
    if "F2" not in history:
        assert net == 5000 - max(items, 500 if "T" in history else 0) - lost


def _end(history):
    clock = ManualClock(dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST))
    fake = Telling(clock=clock)
    with Gateway(database="sqlite://", providers={"univapay": fake}, plugins=[Observer()], clock=clock) as gateway:
        plan = Plan.recurring("Gold", Money(3000, "JPY"), Cycle.MONTHLY)
        contract = gateway.contracts.create(Customer("cus_1", "A", "a@example.com"), plan, Card("univapay", "tok_1"))
        clock.advance(minutes=5)
        fake.next(Vanish(after=False))
        charge = gateway.charges.create(contract.id, yen(5000), consent="phone", idempotency_key="k")
        for number, name in enumerate(history):
            kind, result = REPORTS[name]
            fake.told.append(_report(f"evt_{number}", charge.id, kind, result))
            body = b'{"tell": %d}' % (len(fake.told) - 1)
            [outcome] = gateway.webhooks.receive("univapay", {}, body).events
            assert outcome.outcome == "applied"
        rows = [row for row in gateway.ledger.list() if row.charge_id == charge.id]
        net = sum(row.amount.minor for row in rows if row.kind.sale)
        net -= sum(row.amount.minor for row in rows if row.state in {EntryState.DONE, EntryState.LOST})
        [sale] = [row for row in rows if row.kind.sale]
        counted = sorted(
            (row.kind.value, row.reference.partition("#")[0], row.amount.minor, row.state.value)
            for row in rows
            if not row.kind.sale and row.state is not EntryState.FAILED
        )
        return net, sale.state, counted


def _report(event_id, attempt, kind, result):
    if kind == "CHARGE":
        return ProviderEvent(event_id, EventKind.CHARGE, attempt_id=attempt, reference="ch_1", charge=result)
    if kind == "REFUND":
        return ProviderEvent(
            event_id,
            EventKind.REFUND,
            reference=result.reference,
            refund=result,
            charge_reference="ch_1",
            charge_id=attempt,
        )
    return ProviderEvent(
        event_id, EventKind.DISPUTE, reference="dp_1", dispute=result, charge_reference="ch_1", charge_id=attempt
    )


@pytest.mark.rule("R-315", "R-319")
def test_a_renewal_that_the_provider_made_and_returned_before_it_was_reported_extends_nothing(renewing):
    contract = renewing.contract("stripe")
    renewing.clock.set(dt.datetime(2026, 2, 15, 9, 0, tzinfo=JST))
    reports = renewing.stripe.notifications()
    [capture] = [row for row in renewing.stripe.book.captures if row.at > contract.applied_at][-1:]
    renewing.stripe.refund_in_console(capture.reference)

    assert outcomes(renewing, "stripe") == ["unmatched"]
    for one in reports:
        renewing.gateway.webhooks.receive("stripe", one.headers, one.body)

    [charge] = [one for one in renewing.gateway.charges.list() if one.reference == capture.reference]
    after = renewing.gateway.contracts.get(contract.id)
    assert (after.status, after.expires_on) == (Status.ACTIVE, contract.expires_on)
    assert sale_of(renewing, charge).state is EntryState.REFUNDED
    assert charge.id not in [notice.charge.id for notice in renewing.observer.of("success")]


@pytest.mark.rule("R-310", "R-265")
def test_a_contract_with_an_open_discrepancy_is_not_deleted(world):
    contract = world.contract("univapay")
    world.univapay.next(Vanish())
    charge = world.charge(contract)
    world.univapay.charge_again(charge.id)
    world.clock.advance(minutes=1)
    world.deliver("univapay")

    with pytest.raises(PendingMoney, match="reports 5,000 JPY as succeeded"):
        world.gateway.contracts.delete(contract.id, confirm=contract.id, reason="mistake")

    world.gateway.charges.resolve(charge.id, succeeded=True, note="returned in the console")
    world.gateway.contracts.delete(contract.id, confirm=contract.id, reason="mistake")
    assert len(discrepancies(world, only_open=False)) == 1


@pytest.mark.rule("R-316", "R-265")
def test_a_contract_with_an_open_dispute_is_not_deleted(world):
    contract, charge = paid(world, "stripe")
    dispute = world.stripe.dispute(charge.reference)
    outcomes(world, "stripe")

    with pytest.raises(PendingMoney, match="no result yet"):
        world.gateway.contracts.delete(contract.id, confirm=contract.id, reason="mistake")

    world.stripe.close_dispute(dispute, won=True)
    outcomes(world, "stripe")
    report = world.gateway.contracts.delete(contract.id, confirm=contract.id, reason="mistake")
    assert {refund.amount.minor for refund in report.refunds} == {3000, 5000}


@pytest.mark.rule("R-318")
def test_a_refund_that_paygate_makes_after_the_provider_counted_is_no_part_of_what_it_counted(telling):  # noqa: F811
    _, charge = paid(telling, "univapay")
    total = attrs.evolve(ChargeResult.succeeded(charge.reference, amount=yen(5000)), refunded=yen(200))
    tell(telling, charge.id, total)
    telling.clock.advance(minutes=1)

    own = telling.gateway.refunds.wait(telling.gateway.refunds.create(charge.id, yen(1000)).id)
    assert _back(telling, charge) == [200, 1000]
    tell(telling, charge.id, attrs.evolve(total, refunded=yen(1200)))
    assert _back(telling, charge) == [200, 1000]

    tell(telling, own.id, RefundResult.declined("bank", reference=own.reference))
    assert _back(telling, charge) == [200]


@pytest.mark.rule("R-318", "R-311")
def test_a_refund_of_paygate_that_was_reported_as_a_strangers_is_known_once_it_is_found(telling):  # noqa: F811
    _, charge = paid(telling, "univapay")
    telling.univapay.script_refund(Vanish())
    own = telling.gateway.refunds.create(charge.id)
    assert own.state is RefundState.UNKNOWN
    reference = telling.univapay.book.refunds[-1].reference
    report = RefundResult.succeeded(reference, amount=yen(5000))
    telling.univapay.told.append(_report("evt_stranger", charge.id, "REFUND", report))
    telling.univapay.told[-1] = attrs.evolve(telling.univapay.told[-1], charge_reference=charge.reference)
    body = b'{"tell": %d}' % (len(telling.univapay.told) - 1)
    telling.gateway.webhooks.receive("univapay", {}, body)
    telling.clock.advance(minutes=5)

    telling.gateway.billing.reconcile()

    assert telling.gateway.refunds.get(own.id).state is RefundState.DONE
    assert _back(telling, charge) == [5000]
    assert discrepancies(telling) == []


@pytest.mark.rule("R-315")
def test_a_failed_charge_that_took_money_after_all_and_gave_it_back_stays_failed(telling):  # noqa: F811
    contract = telling.contract("univapay")
    telling.univapay.next(Vanish())
    charge = telling.charge(contract, renew_expiry=True)
    tell(telling, charge.id, ChargeResult.declined("no", reference="ch_1"))
    telling.observer.heard.clear()
    late = attrs.evolve(ChargeResult.succeeded("ch_1", amount=yen(5000)), refunded=yen(5000))

    tell(telling, charge.id, late)
    tell(telling, charge.id, ChargeResult.succeeded("ch_1", amount=yen(5000)))

    after = telling.gateway.charges.get(charge.id)
    assert (after.state, after.failure.code) == (ChargeState.FAILED, "returned_at_provider")
    assert rows_of(telling, charge) == []
    assert telling.gateway.contracts.get(contract.id).expires_on == contract.expires_on
    assert telling.observer.of("success") == telling.observer.of("failure") == []
    assert codes(telling) == ["provider_refund"]
