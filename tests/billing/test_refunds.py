"""Refunds of ledger rows through the gateway (§6.22)."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from paygate import BankTransfer, Card, Customer, Money, Plan, Product, ProductType, RefundState
from paygate.domain.ledger import EntryKind, EntryState
from paygate.errors import (
    IdempotencyConflict,
    InvalidAmount,
    InvalidValue,
    LicenseRemovalTooLate,
    NotFound,
    NothingToRefund,
    OperationNotAllowed,
    RefundExceedsSale,
)
from paygate.testing import FailLate, RefuseRefund, StayPending, Vanish


def yen(amount):
    return Money(amount, "JPY")


@pytest.mark.rule("R-238", "R-239", "R-241", "R-240", "R-246")
def test_a_charge_is_refunded_in_parts_up_to_what_is_left(world):
    contract = world.contract("stripe")
    charge = world.settled(contract)

    first = world.gateway.refunds.create(charge.id, yen(2000), idempotency_key="rma-1")
    with pytest.raises(RefundExceedsSale, match="3,000 JPY"):
        world.gateway.refunds.create(charge.id, yen(3001))
    second = world.gateway.refunds.create(charge.id)
    with pytest.raises(NothingToRefund):
        world.gateway.refunds.create(charge.id)

    assert (first.state, second.state, second.amount) == (RefundState.DONE, RefundState.DONE, yen(3000))
    rows = {row.id: row for row in world.gateway.ledger.list(contract_id=contract.id)}
    sale = next(row for row in rows.values() if row.kind is EntryKind.ADDON)
    refund_row = rows[first.refund_entry_id]
    assert (sale.state, refund_row.refunds, refund_row.state) == (EntryState.REFUNDED, sale.id, EntryState.DONE)
    assert "2026-01-15" in refund_row.remarks
    assert world.gateway.ledger.net(contract.id) == yen(3000)
    assert world.stripe.book.refunded() == 5000
    assert world.gateway.contracts.get(contract.id).status is contract.status


@pytest.mark.rule("R-190", "R-239")
def test_the_same_refund_key_returns_once(world):
    charge = world.settled(world.contract("stripe"))

    first = world.gateway.refunds.create(charge.id, yen(2000), idempotency_key="rma-1")
    again = world.gateway.refunds.create(charge.id, yen(2000), idempotency_key="rma-1")
    with pytest.raises(IdempotencyConflict):
        world.gateway.refunds.create(charge.id, yen(2001), idempotency_key="rma-1")

    assert again.id == first.id
    assert world.stripe.book.refunded() == 2000


@pytest.mark.rule("R-239")
def test_refunds_in_many_threads_never_exceed_the_capture(world):
    charge = world.settled(world.contract("stripe"))
    results = []

    def give_back():
        try:
            results.append(world.gateway.refunds.create(charge.id, yen(2000)).state)
        except RefundExceedsSale:
            results.append("refused")

    threads = [threading.Thread(target=give_back) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(map(str, results)) == sorted(["refused"] * 4 + [str(RefundState.DONE)] * 2)
    assert world.stripe.book.refunded() == 4000


@pytest.mark.rule("R-247", "R-248")
def test_a_refused_refund_changes_nothing_and_tells_the_operator(world):
    contract = world.contract("univapay")
    charge = world.settled(contract)
    world.univapay.next_refund(RefuseRefund())

    refund = world.gateway.refunds.wait(world.gateway.refunds.create(charge.id, yen(100)).id)

    assert refund.state is RefundState.FAILED
    sale = next(row for row in world.gateway.ledger.list(contract_id=contract.id) if row.kind is EntryKind.ADDON)
    assert sale.state is EntryState.SUCCEEDED
    assert world.univapay.book.refunded() == 0
    assert "refund_failed" in [notice.code for notice in world.observer.of("operator")]
    assert world.gateway.ledger.net(contract.id) == yen(8000)


@pytest.mark.rule("R-247")
def test_an_asynchronous_refund_is_pending_until_its_result_and_a_late_failure_restores_the_row(world):
    contract = world.contract("univapay")
    charge = world.settled(contract)
    world.univapay.next_refund(StayPending(60))
    first = world.gateway.refunds.create(charge.id, yen(2000))
    row = next(row for row in world.gateway.ledger.list(contract_id=contract.id) if row.kind is EntryKind.ADDON)
    assert (first.state, row.state) == (RefundState.PENDING, EntryState.REFUND_PENDING)
    world.clock.advance(minutes=2)
    world.gateway.billing.reconcile()
    assert world.gateway.refunds.get(first.id).state is RefundState.DONE

    world.univapay.next_refund(FailLate(seconds=60))
    second = world.gateway.refunds.create(charge.id, yen(1000))
    world.clock.advance(minutes=2)
    world.deliver("univapay")

    assert world.gateway.refunds.get(second.id).state is RefundState.FAILED
    assert world.gateway.ledger.net(contract.id) == yen(3000 + 5000 - 2000)
    assert world.gateway.refunds.preview(charge.id).amount == yen(3000)


@pytest.mark.parametrize("after", [True, False])
def test_a_refund_whose_answer_was_lost_is_looked_up_and_never_sent_again(world, after):
    contract = world.contract("univapay")
    charge = world.settled(contract)
    world.univapay.next_refund(Vanish(after=after))

    refund = world.gateway.refunds.create(charge.id, yen(2000))
    assert refund.state is RefundState.UNKNOWN
    assert "unknown_refund" in [notice.code for notice in world.observer.of("operator")]
    with pytest.raises(RefundExceedsSale):
        world.gateway.refunds.create(charge.id, yen(3001))
    world.clock.advance(minutes=3)
    world.gateway.billing.reconcile()

    refund = world.gateway.refunds.get(refund.id)
    assert refund.state is (RefundState.DONE if after else RefundState.UNKNOWN)  # absence proves nothing at UnivaPay
    if not after:
        with pytest.raises(InvalidValue, match="note"):
            world.gateway.refunds.resolve(refund.id, succeeded=False, note="")
        refund = world.gateway.refunds.resolve(refund.id, succeeded=False, note="not in the console, 2026-01-15")
        assert refund.state is RefundState.FAILED
        assert world.gateway.refunds.preview(charge.id).amount == yen(5000)
    with pytest.raises(OperationNotAllowed):
        world.gateway.refunds.resolve(refund.id, succeeded=True, note="again")
    assert world.univapay.book.refunded() == (2000 if after else 0)


def test_a_refund_whose_sender_died_becomes_unknown_and_not_failed(world, monkeypatch):
    charge = world.settled(world.contract("univapay"))

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("paygate.billing.refunds.refund_request", die)
    with pytest.raises(KeyboardInterrupt):
        world.gateway.refunds.create(charge.id, yen(2000), idempotency_key="rma-1")
    monkeypatch.undo()
    world.clock.advance(minutes=16)
    world.gateway.billing.reconcile()

    refund = world.gateway.refunds.create(charge.id, yen(2000), idempotency_key="rma-1")
    assert refund.state is RefundState.UNKNOWN
    assert world.univapay.book.refunded() == 0


@pytest.mark.rule("R-249", "R-250")
def test_telecom_refunds_are_due_by_hand_and_marked_done_with_date_and_note(world):
    contract = world.contract("telecom")
    sale = world.gateway.ledger.list(contract_id=contract.id).first()
    world.telecom.calls.clear()

    refund = world.gateway.refunds.create(sale.id)
    due = world.gateway.refunds.dues()
    world.clock.advance(days=2)
    done = world.gateway.refunds.mark_done(due[0].id, note="bank transfer 0117-3")

    assert refund.by_hand
    assert world.telecom.calls == []
    assert [(row.kind, row.amount) for row in due] == [(EntryKind.MANUAL_REFUND_DUE, yen(3000))]
    assert (done.state, done.done_on) == (EntryState.DONE, dt.date(2026, 1, 17))
    assert "bank transfer 0117-3" in done.remarks
    assert world.gateway.refunds.dues() == ()
    assert world.gateway.refunds.get(refund.id).state is RefundState.DONE
    assert world.gateway.ledger.net(contract.id) == yen(0)
    assert "manual_refund_due" in [notice.code for notice in world.observer.of("operator")]


@pytest.mark.rule("R-242", "R-243")
def test_a_licence_is_removed_with_the_refund_or_never(world):
    magazine = Plan.recurring("Mag", yen(800), products=(Product("mag", ProductType.MONTHLY_MAGAZINE),))
    one = world.contract("stripe", plan=magazine)
    two = world.contract("stripe", plan=magazine, customer="cus_2")
    first, second = (world.gateway.ledger.list(contract_id=made.id).first() for made in (one, two))

    assert world.gateway.refunds.preview(first.id, remove_license=True).licenses == ("mag",)
    assert world.gateway.refunds.create(first.id, remove_license=True).state is RefundState.DONE
    world.gateway.refunds.create(second.id)
    with pytest.raises(LicenseRemovalTooLate):
        world.gateway.refunds.create(second.id, remove_license=True)


@pytest.mark.rule("R-245")
def test_a_bank_row_loses_its_licence_at_once_while_the_money_is_due_by_hand(world):
    magazine = Plan.recurring("Mag", yen(800), products=(Product("mag", ProductType.MONTHLY_MAGAZINE),))
    contract = world.gateway.contracts.create(Customer("cus_1"), magazine, BankTransfer())
    world.gateway.contracts.confirm_payment(contract.id)
    row = world.gateway.ledger.list(contract_id=contract.id).first()

    refund = world.gateway.refunds.create(row.id, remove_license=True)

    assert refund.by_hand
    with pytest.raises(NothingToRefund):
        world.gateway.refunds.create(row.id, remove_license=True)


@pytest.mark.rule("R-266")
def test_each_refund_leaves_audit_records(world):
    contract = world.contract("stripe")
    charge = world.settled(contract)

    world.gateway.refunds.create(charge.id, yen(100), reason="one item back")

    actions = [(record.action, record.reason) for record in world.gateway.audit.list(contract_id=contract.id)]
    assert ("refund_entry", "one item back") in actions
    assert actions[-1][0] == "refund_result"


def test_one_charge_that_paid_two_rows_is_refunded_row_by_row(world):
    plan = Plan.recurring("Gold", yen(3000), initial_fee=yen(10_000))
    contract = world.gateway.contracts.create(Customer("cus_1"), plan, Card("stripe", "pm_1"))
    rows = world.gateway.ledger.list(contract_id=contract.id).all()
    assert [(row.kind, row.amount) for row in rows] == [
        (EntryKind.INITIAL_FEE, yen(10_000)),
        (EntryKind.PERIOD, yen(3000)),
    ]

    with pytest.raises(InvalidValue, match="several rows"):
        world.gateway.refunds.create(rows[0].charge_id, yen(100))
    world.gateway.refunds.create(rows[0].id)

    assert world.stripe.book.refunded() == 10_000
    assert world.gateway.ledger.net(contract.id) == yen(3000)


def test_bad_refunds_are_refused_with_nothing_sent(world):
    charge = world.settled(world.contract("stripe"))
    world.stripe.calls.clear()

    with pytest.raises(InvalidAmount):
        world.gateway.refunds.create(charge.id, 2000)
    with pytest.raises(InvalidAmount):
        world.gateway.refunds.create(charge.id, yen(0))
    with pytest.raises(InvalidAmount):
        world.gateway.refunds.create(charge.id, Money(100, "USD"))
    with pytest.raises(NotFound):
        world.gateway.refunds.create("nothing-of-the-kind")
    with pytest.raises(InvalidValue):
        world.gateway.refunds.create(12)

    assert world.stripe.calls == []
