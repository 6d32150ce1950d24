"""The contract buttons through the gateway: provider first, then status, ledger, mails and audit in one transaction."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import JST, BankTransfer, Card, Customer, Manual, Money, Plan, Status
from paygate.domain.contract import Actor
from paygate.domain.ledger import EntryKind, EntryState
from paygate.errors import (
    EffectiveDayReached,
    OperationNotAllowed,
    PermissionDenied,
    ProviderUnavailable,
    RefundFailed,
    RenewalDayError,
)
from paygate.testing import RefuseRefund, StayPending
from paygate.testing.faults import Faults

HANAKO = Customer("cus_1", "山田花子", "hanako@example.com")
CUSTOMER = Actor.customer("cus_1")


def yen(amount):
    return Money(amount, "JPY")


def kinds(world):
    return [(notice.notice.kind.value, notice.notice.audience.value) for notice in world.observer.of("notice")]


@pytest.mark.rule("R-084", "R-085", "R-091", "T-10")
@pytest.mark.parametrize("actor", [Actor.admin(), CUSTOMER])
def test_a_contract_that_waits_for_its_payment_is_cancelled_by_either_side(world, actor):
    contract = world.gateway.contracts.create(HANAKO, world.plan, BankTransfer())

    result = world.gateway.contracts.cancel(contract.id, actor=actor)

    assert result.contract.status is Status.CANCELED
    assert world.gateway.ledger.list(contract_id=contract.id).all() == []
    assert ("canceled", "customer") in kinds(world)
    with pytest.raises(OperationNotAllowed):
        world.gateway.contracts.confirm_payment(contract.id)


@pytest.mark.rule("R-086", "R-087", "B-030", "B-031")
def test_before_the_start_the_initial_fee_goes_back_to_the_card(world):
    plan = Plan.recurring("Gold", yen(3000), initial_fee=yen(1000))
    contract = world.gateway.contracts.create(HANAKO, plan, Card("stripe", "pm_1"), start_on=dt.date(2026, 2, 1))
    other = world.gateway.contracts.create(HANAKO, plan, Card("stripe", "pm_1"), start_on=dt.date(2026, 2, 1))
    world.clock.set(dt.datetime(2026, 1, 31, 23, 59, 59, tzinfo=JST))

    result = world.gateway.contracts.cancel(contract.id)
    world.clock.advance(seconds=1)
    with pytest.raises(OperationNotAllowed):
        world.gateway.contracts.cancel(other.id)

    assert result.contract.status is Status.CANCELED
    assert [refund.amount for refund in result.refunds] == [yen(1000)]
    assert world.stripe.book.refunded() == 1000


@pytest.mark.rule("R-093", "R-094", "R-095", "R-096", "R-102")
def test_a_purchase_without_a_card_is_cancelled_and_the_refund_is_due_by_hand(world):
    contract = world.gateway.contracts.create(HANAKO, world.one_off, Manual(), paid=True)
    with pytest.raises(OperationNotAllowed):
        world.gateway.contracts.cancel_and_refund(contract.id)

    result = world.gateway.contracts.cancel_with_manual_refund(contract.id)

    assert result.contract.status is Status.CANCELED
    assert [row.amount for row in world.gateway.refunds.dues()] == [yen(12_000)]


@pytest.mark.rule("R-097", "R-098", "R-099", "R-100")
@pytest.mark.parametrize(("addons", "back"), [(False, 12_000), (True, 12_500)])
def test_a_card_purchase_is_cancelled_and_its_money_goes_back(world, addons, back):
    contract = world.contract("stripe", plan=world.one_off)
    world.settled(contract, 500)

    result = world.gateway.contracts.cancel_and_refund(contract.id, include_addons=addons)

    assert result.contract.status is Status.CANCELED
    assert world.stripe.book.refunded() == back
    assert world.gateway.ledger.net(contract.id) == yen(12_500 - back)


@pytest.mark.rule("R-101", "T-32", "X-01")
def test_a_refused_refund_leaves_the_purchase_as_it_was_and_a_record(world):
    contract = world.contract("stripe", plan=world.one_off)
    world.stripe.next_refund(RefuseRefund())

    with pytest.raises(RefundFailed):
        world.gateway.contracts.cancel_and_refund(contract.id)

    assert world.gateway.contracts.get(contract.id) == contract
    assert world.stripe.book.refunded() == 0
    record = world.gateway.audit.list(contract_id=contract.id).all()[-1]
    assert record.action == "cancel_and_refund_refused"
    assert world.gateway.contracts.cancel_and_refund(contract.id).contract.status is Status.CANCELED


@pytest.mark.rule("R-101", "R-247")
def test_an_accepted_refund_that_is_still_on_its_way_cancels_at_once(world):
    contract = world.contract("univapay", plan=world.one_off)
    world.univapay.next_refund(StayPending(60))

    result = world.gateway.contracts.cancel_and_refund(contract.id)

    assert result.contract.status is Status.CANCELED
    row = world.gateway.ledger.list(contract_id=contract.id).first()
    assert row.state is EntryState.REFUND_PENDING


@pytest.mark.rule("R-111", "R-114", "R-116", "R-119", "R-120", "R-122", "R-123")
def test_a_bank_contract_is_suspended_and_resumed_with_its_row(world):
    contract = world.gateway.contracts.create(HANAKO, world.plan, BankTransfer())
    world.gateway.contracts.confirm_payment(contract.id)

    suspended = world.gateway.contracts.suspend(contract.id, reason="no transfer").contract
    unpaid = world.gateway.ledger.list(contract_id=contract.id).first().state
    net = world.gateway.ledger.net(contract.id)
    world.clock.advance(days=3)
    received = world.clock.now() - dt.timedelta(days=1)
    resumed = world.gateway.contracts.resume(contract.id, received_at=received).contract

    assert world.gateway.ledger.list(contract_id=contract.id).first().received_at == received
    assert (suspended.status, unpaid, net) == (Status.PAST_DUE, EntryState.UNPAID, yen(0))
    assert (resumed.status, resumed.past_due) == (Status.ACTIVE, None)
    assert world.gateway.ledger.list(contract_id=contract.id).first().state is EntryState.SUCCEEDED
    assert world.gateway.ledger.net(contract.id) == yen(3000)


@pytest.mark.rule("R-113", "R-121")
def test_a_card_contract_is_never_suspended_or_resumed_by_hand(world):
    contract = world.contract("stripe")

    with pytest.raises(OperationNotAllowed):
        world.gateway.contracts.suspend(contract.id)
    with pytest.raises(OperationNotAllowed):
        world.gateway.contracts.resume(contract.id)


@pytest.mark.rule("R-124", "R-125", "R-131", "R-133", "R-134", "R-136", "R-137", "X-08", "X-22", "X-23")
def test_notice_is_given_and_taken_back_by_the_customer(world):
    contract = world.contract("stripe")

    given = world.gateway.contracts.schedule_cancellation(contract.id, actor=CUSTOMER)
    back = world.gateway.contracts.revoke_cancellation(contract.id, actor=CUSTOMER)
    again = world.gateway.contracts.schedule_cancellation(contract.id)
    world.clock.set(dt.datetime(2026, 2, 15, 0, 0, tzinfo=JST))
    with pytest.raises(EffectiveDayReached):
        world.gateway.contracts.revoke_cancellation(contract.id)

    assert given.contract.status is Status.CANCEL_SCHEDULED
    assert (given.effective_on, given.last_day_of_use) == (dt.date(2026, 2, 15), dt.date(2026, 2, 14))
    assert back.contract.status is Status.ACTIVE
    assert again.contract.status is Status.CANCEL_SCHEDULED
    assert ("cancellation_scheduled", "customer") in kinds(world)
    assert ("cancellation_revoked", "admin") in kinds(world)


@pytest.mark.rule("R-127")
def test_no_notice_on_a_renewal_day(world):
    contract = world.contract("stripe")
    world.clock.set(dt.datetime(2026, 2, 15, 12, 0, tzinfo=JST))

    with pytest.raises(RenewalDayError):
        world.gateway.contracts.schedule_cancellation(contract.id)

    assert world.gateway.contracts.get(contract.id) == contract


@pytest.mark.rule("R-130", "R-092")
def test_a_provider_that_owns_the_renewals_is_told_first_and_may_keep_everything_as_it_is(world):
    contract = world.contract("telecom")

    world.telecom.faults = Faults(1, never_there=1.0)
    with pytest.raises(ProviderUnavailable):
        world.gateway.contracts.schedule_cancellation(contract.id)
    world.telecom.faults = None
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    world.gateway.contracts.schedule_cancellation(contract.id)
    world.gateway.contracts.revoke_cancellation(contract.id)

    hooks = [call.hook for call in world.telecom.calls if "recurring" in call.hook]
    assert hooks == ["end_recurring", "end_recurring", "resume_recurring"]


@pytest.mark.rule("R-138", "R-139", "R-140", "R-141")
def test_a_past_due_contract_is_terminated_and_only_the_current_row_is_void(world):
    contract = world.gateway.contracts.create(HANAKO, world.plan, BankTransfer())
    world.gateway.contracts.confirm_payment(contract.id)
    with pytest.raises(OperationNotAllowed):
        world.gateway.contracts.terminate(contract.id)
    world.clock.set(dt.datetime(2026, 2, 16, 12, 0, tzinfo=JST))
    world.gateway.billing.run()
    world.gateway.contracts.suspend(contract.id)

    ended = world.gateway.contracts.terminate(contract.id).contract

    states = [(row.kind, row.state) for row in world.gateway.ledger.list(contract_id=contract.id)]
    assert ended.status is Status.TERMINATED
    assert states == [(EntryKind.PERIOD, EntryState.SUCCEEDED), (EntryKind.PERIOD, EntryState.VOID)]


@pytest.mark.rule("R-159")
def test_a_dunning_mail_changes_no_status(world):
    contract = world.gateway.contracts.create(HANAKO, world.plan, BankTransfer())
    assert sorted(kinds(world)) == [("application_received", "admin"), ("application_received", "customer")]
    world.observer.heard.clear()

    result = world.gateway.contracts.send_dunning_mail(contract.id)

    assert result.contract.status is Status.PENDING_PAYMENT
    assert kinds(world) == [("dunning", "customer")]


@pytest.mark.rule("R-267")
@pytest.mark.parametrize(
    "operation",
    ["cancel_and_refund", "cancel_with_manual_refund", "suspend", "resume", "terminate", "send_dunning_mail"],
)
def test_a_customer_may_not_press_the_administrators_buttons(world, operation):
    contract = world.contract("stripe", plan=world.one_off)

    with pytest.raises((PermissionDenied, OperationNotAllowed)):
        getattr(world.gateway.contracts, operation)(contract.id, actor=CUSTOMER)
    with pytest.raises(PermissionDenied):
        world.gateway.contracts.cancel(contract.id, actor=Actor.customer("somebody-else"))


@pytest.mark.rule("R-025", "R-266")
def test_each_operation_leaves_one_record_that_names_the_row_of_the_table(world):
    contract = world.contract("stripe")
    before = len(world.gateway.audit.list(contract_id=contract.id).all())

    world.gateway.contracts.schedule_cancellation(contract.id, reason="moving house")

    records = world.gateway.audit.list(contract_id=contract.id).all()[before:]
    assert [(record.action, record.after["transition"], record.reason) for record in records] == [
        ("schedule_cancellation", "T-44", "moving house")
    ]
