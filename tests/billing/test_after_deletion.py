"""What of a deleted contract's money outlives it: dues, and the provider's later events (R-415 to R-417)."""

from __future__ import annotations

import json

import attrs
import pytest

from paygate import BankTransfer, Customer, Money
from paygate.clock import business_date
from paygate.domain.ledger import EntryKind, EntryState
from paygate.errors import NothingToRefund
from paygate.provider import ChargeResult, EventKind, ProviderEvent, RefundResult
from paygate.testing import RefuseRefund, Succeed

from .test_discrepancies import telling  # noqa: F401 - a fixture


def yen(amount: int) -> Money:
    return Money(amount, "JPY")


def delete(world, contract):
    return world.gateway.contracts.delete(contract.id, confirm=contract.id, reason="made by mistake")


def told(world):
    return [(notice.code, notice.message) for notice in world.observer.of("operator")]


def today(world):
    return business_date(world.clock.now())


def sums(world):
    return [row.amount.minor for row in world.gateway.refunds.dues()]


def tell(world, kind, **facts):
    """What becomes of an event of the provider, made up."""
    number = len(world.univapay.told)
    world.univapay.told.append(ProviderEvent(f"evt_{number}", kind, "made up", **facts))
    [event] = world.gateway.webhooks.receive("univapay", {}, json.dumps({"tell": number}).encode()).events
    return event


class Deaf(list):
    """Takes nothing down: an observer whose mail server is away."""

    def append(self, _: object) -> None:
        raise OSError("no mail server")


@pytest.mark.rule("R-415", "R-249", "R-250", "X-14")
def test_what_only_a_person_can_return_is_still_due_when_the_contract_is_gone(world):
    contract = world.contract("telecom")
    [paid] = world.gateway.ledger.list(contract_id=contract.id)
    due = world.gateway.refunds.create(paid.id, yen(200))
    world.observer.heard.clear()

    report = delete(world, contract)

    assert report.by_hand == yen(3000)
    assert sorted(sums(world)) == [200, 2800]
    rows = {row.amount.minor: row for row in world.gateway.refunds.dues()}
    assert rows[200].id == due.refund_entry_id
    for row in rows.values():
        assert (row.kind, row.state) == (EntryKind.MANUAL_REFUND_DUE, EntryState.PENDING)
        assert (row.contract_id, row.account, row.customer_id) == (contract.id, "telecom", "")
        assert row.reference == paid.reference
    [(code, message)] = told(world)
    assert code == "manual_refund_due"
    assert contract.id in message
    assert str(yen(3000)) in message

    done = world.gateway.refunds.mark_done(rows[2800].id, note="bank transfer of today")
    assert (done.state, done.done_on) == (EntryState.DONE, today(world))
    assert sorted(sums(world)) == [200]
    with pytest.raises(NothingToRefund):
        world.gateway.refunds.mark_done(rows[2800].id, note="again")
    assert "mark_manual_refund_done" in [record.action for record in world.gateway.audit.list(contract_id=contract.id)]


@pytest.mark.rule("R-415", "R-260")
def test_payments_by_transfer_are_due_when_their_contract_is_deleted(world):
    contract = world.gateway.contracts.create(Customer("cus_1", name="山田花子"), world.plan, BankTransfer())
    world.gateway.contracts.confirm_payment(contract.id)
    world.observer.heard.clear()

    delete(world, contract)

    [row] = world.gateway.refunds.dues()
    assert (row.amount, row.account, row.contract_id) == (yen(3000), None, contract.id)
    assert [code for code, _ in told(world)] == ["manual_refund_due"]
    assert "山田" not in str(row)


@pytest.mark.rule("R-415", "R-252")
def test_nothing_is_due_where_nothing_was_paid_or_everything_went_back(world):
    unpaid = world.gateway.contracts.create(Customer("cus_9"), world.plan, BankTransfer())
    delete(world, unpaid)
    card = world.contract("stripe")
    delete(world, card)

    assert world.gateway.refunds.dues() == ()
    assert "manual_refund_due" not in [code for code, _ in told(world)]


@pytest.mark.rule("R-415", "R-258")
def test_a_refund_that_failed_while_deleting_is_owed(world):
    contract = world.contract("stripe")
    world.settled(contract, 500)
    world.stripe.script_refund(RefuseRefund(), Succeed())

    report = delete(world, contract)

    failed = next(refund for refund in report.refunds if refund.failure)
    [row] = world.gateway.refunds.dues()
    assert (row.amount, row.refunds) == (failed.amount, failed.entry_id)
    assert failed.id in row.remarks


@pytest.mark.rule("R-415")
def test_an_operator_notice_that_nobody_took_is_not_lost_with_the_contract(world):
    contract = world.contract("stripe")
    world.observer.heard = Deaf()
    world.stripe.script_refund(RefuseRefund())

    delete(world, contract)
    world.observer.heard = []
    world.clock.advance(hours=3)
    world.gateway.billing.deliver()

    assert {"refund_failed", "manual_refund_due"} <= {code for code, _ in told(world)}


@pytest.fixture
def gone(telling):  # noqa: F811
    """A contract whose two payments went back when it was deleted: the world, the contract, its charge and refunds."""
    contract = telling.contract("univapay")
    charge = telling.settled(contract, 5000)
    report = delete(telling, contract)
    telling.observer.heard.clear()
    return telling, contract, charge, {refund.amount.minor: refund for refund in report.refunds}


@pytest.mark.rule("R-416", "R-317", "R-269")
@pytest.mark.parametrize("by", ["id", "reference"])
def test_the_success_of_a_refund_that_deleting_made_is_no_alarm(gone, by):
    world, contract, charge, refunds = gone
    made = refunds[5000]
    key = {"attempt_id": made.id} if by == "id" else {}

    event = tell(
        world, EventKind.REFUND, reference=made.reference, refund=RefundResult.succeeded(made.reference), **key,
        charge_reference=charge.reference,
    )  # fmt: skip
    total = attrs.evolve(ChargeResult.succeeded(charge.reference, amount=yen(5000)), refunded=yen(5000))
    whole = tell(world, EventKind.CHARGE, reference=charge.reference, charge=total)
    end = tell(world, EventKind.SUBSCRIPTION_ENDED, reference="sub_1", contract_id=contract.id)

    assert (event.outcome, event.refund_id) == ("ignored", made.id)
    assert (whole.outcome, end.outcome) == ("ignored", "ignored")
    assert told(world) == []


@pytest.mark.rule("R-416")
@pytest.mark.parametrize("by", ["id", "reference"])
def test_the_later_failure_of_such_a_refund_is_told_with_ids_and_sum_and_is_owed(gone, by):
    world, contract, charge, refunds = gone
    made = refunds[5000]
    key = {"attempt_id": made.id} if by == "id" else {}
    failed = RefundResult.declined("account_closed", "the account is closed", reference=made.reference)

    event = tell(world, EventKind.REFUND, reference=made.reference, refund=failed, **key)
    again = tell(world, EventKind.REFUND, reference=made.reference, refund=failed, **key)

    assert (event.outcome, again.outcome) == ("applied", "ignored")
    [(code, message)] = told(world)
    [due] = world.gateway.refunds.dues()
    assert code == "refund_failed_after_deletion"
    for part in (contract.id, made.id, made.reference, str(made.amount), "account_closed", due.id):
        assert part in message
    assert (due.amount, due.reference, due.charge_id) == (made.amount, charge.reference, charge.id)


@pytest.mark.rule("R-416")
def test_a_refund_that_succeeds_after_all_is_owed_no_more_and_told(gone):
    world, _, _, refunds = gone
    made = refunds[3000]
    failed = RefundResult.declined("account_closed", reference=made.reference)
    tell(world, EventKind.REFUND, reference=made.reference, refund=failed)
    assert sums(world) == [3000]

    tell(world, EventKind.REFUND, reference=made.reference, refund=RefundResult.succeeded(made.reference))

    assert sums(world) == []
    assert [code for code, _ in told(world)] == ["refund_failed_after_deletion", "refund_succeeded_late"]


@pytest.mark.rule("R-417", "R-269")
@pytest.mark.parametrize(
    "event",
    [
        lambda charge: {"kind": EventKind.CHARGE, "reference": charge.reference,
                        "charge": ChargeResult.succeeded(charge.reference, amount=yen(5000))},
        lambda charge: {"kind": EventKind.REFUND, "reference": "re_console", "charge_reference": charge.reference,
                        "refund": RefundResult.succeeded("re_console", amount=yen(7))},
        lambda charge: {"kind": EventKind.RENEWAL, "reference": "ch_new", "contract_id": charge.contract_id,
                        "charge": ChargeResult.succeeded("ch_new", amount=yen(3000))},
    ],
    ids=["a payment that still stands", "a refund of the console", "a renewal"],
)  # fmt: skip
def test_whatever_else_is_reported_of_a_deleted_contract_is_unmatched_and_names_the_deletion(gone, event):
    world, contract, charge, _ = gone

    assert tell(world, **event(charge)).outcome == "unmatched"

    [(code, message)] = told(world)
    assert code == "unmatched_event"
    assert f"contract {contract.id}, which was deleted on {today(world)}" in message


@pytest.mark.rule("R-417")
def test_a_dispute_of_a_payment_of_a_deleted_contract_names_the_deletion(world):
    contract = world.contract("stripe")
    charge = world.settled(contract)
    delete(world, contract)
    world.deliver("stripe")
    world.observer.heard.clear()

    world.stripe.dispute(charge.reference)
    world.deliver("stripe")

    [(code, message)] = told(world)
    assert code == "unmatched_event"
    assert contract.id in message
    assert charge.reference in message
