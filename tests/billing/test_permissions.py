"""Roles of the seller's staff: an observer may refuse anything that somebody asks for, before it happens (X-21)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from paygate import Actor, BankTransfer, Card, Customer, Gateway, Money, hookimpl
from paygate.billing.importing import NewContract
from paygate.domain.contract import Manual
from paygate.errors import NotFound, Vetoed
from paygate.notices import OperationProposal
from paygate.testing import ManualClock, Vanish

from .conftest import ONE_OFF, PLAN, World

pytestmark = pytest.mark.rule("X-21", "R-267")

_CLERK = Actor.admin("clerk")


@attrs.define
class Staff:
    """The seller's own roles: everybody may do everything, but the clerk only what is in ``allowed``."""

    allowed: set[str] = attrs.field(factory=set)
    asked: list[OperationProposal] = attrs.field(factory=list)

    @hookimpl
    def before_operation(self, proposal: OperationProposal) -> str | None:
        self.asked.append(proposal)
        if proposal.actor.id != "clerk" or proposal.operation in self.allowed:
            return None
        return "the role 'clerk' may only look"


@pytest.fixture
def staff(world: World) -> Staff:
    staff = Staff()
    world.options["plugins"] = [world.observer, staff]
    world.reopen()
    return staff


def _unpaid(world: World, **options: Any) -> str:
    made = world.gateway.contracts.create(Customer("cus_9"), PLAN, BankTransfer(), contract_id="con_9", **options)
    return str(made.id)


def _waiting_refund(world: World) -> str:
    made = world.gateway.contracts.create(Customer("cus_8"), ONE_OFF, Manual(), contract_id="con_8", paid=True)
    world.gateway.contracts.cancel_with_manual_refund(made.id)
    return str(world.gateway.refunds.dues()[0].id)


def _queued_mail(world: World) -> str:
    contract = world.contract("stripe")
    world.settled(contract, send_step_mail=True)
    return str(world.gateway.step_mails.list(contract_id=contract.id).all()[-1].id)


def _unknown_charge(world: World) -> str:
    contract = world.contract("telecom")
    world.telecom.next(Vanish(after=True))
    return str(world.charge(contract).id)


Ask = Callable[[Any, str], Any]

#: operation → what has to be there, and the call of the clerk
CASES: dict[str, tuple[Callable[[World], str], Ask]] = {
    "create": (lambda world: "", lambda gateway, _: gateway.contracts.create(
        Customer("cus_5"), PLAN, Card("stripe", "tok_5"), contract_id="con_5", actor=_CLERK)),
    "import": (lambda world: "", lambda gateway, _: gateway.contracts.import_many(
        [NewContract("con_6", Customer("cus_6"), PLAN, BankTransfer(), dt.date(2025, 12, 1))], actor=_CLERK)),
    "confirm_payment": (_unpaid, lambda gateway, id_: gateway.contracts.confirm_payment(id_, actor=_CLERK)),
    "cancel": (_unpaid, lambda gateway, id_: gateway.contracts.cancel(id_, actor=_CLERK)),
    "send_dunning_mail": (_unpaid, lambda gateway, id_: gateway.contracts.send_dunning_mail(id_, actor=_CLERK)),
    "delete": (_unpaid, lambda gateway, id_: gateway.contracts.delete(
        id_, confirm=id_, reason="mistake", actor=_CLERK)),
    "set_expiry": (lambda world: world.contract().id, lambda gateway, id_: gateway.contracts.set_expiry(
        id_, dt.date(2027, 1, 1), actor=_CLERK)),
    "schedule_cancellation": (lambda world: world.contract().id, lambda gateway, id_:
        gateway.contracts.schedule_cancellation(id_, actor=_CLERK)),
    "cancel_and_refund": (lambda world: world.contract(plan=ONE_OFF).id, lambda gateway, id_:
        gateway.contracts.cancel_and_refund(id_, actor=_CLERK)),
    "charge_addon": (lambda world: world.contract().id, lambda gateway, id_: gateway.charges.create(
        id_, Money(5000, "JPY"), consent="phone", actor=_CLERK)),
    "resolve_charge": (_unknown_charge, lambda gateway, id_: gateway.charges.resolve(
        id_, succeeded=True, note="console", actor=_CLERK)),
    "refund_entry": (lambda world: world.gateway.contracts.details(world.contract().id).entries[0].id,
        lambda gateway, id_: gateway.refunds.create(id_, actor=_CLERK)),
    "mark_manual_refund_done": (_waiting_refund, lambda gateway, id_: gateway.refunds.mark_done(
        id_, note="transfer", actor=_CLERK)),
    "pause_step_mail": (_queued_mail, lambda gateway, id_: gateway.step_mails.pause(id_, actor=_CLERK)),
    "delete_step_mail": (_queued_mail, lambda gateway, id_: gateway.step_mails.delete(id_, actor=_CLERK)),
}  # fmt: skip


def _all_rows(world: World) -> list[Any]:
    gateway = world.gateway
    return [
        gateway.contracts.list().all(),
        gateway.charges.list().all(),
        gateway.refunds.list().all(),
        gateway.ledger.list().all(),
        gateway.step_mails.list().all(),
    ]


@pytest.mark.parametrize("operation", CASES)
def test_what_a_member_of_the_staff_may_not_do_is_refused_before_anything_is_written_or_sent(
    world: World, staff: Staff, operation: str
) -> None:
    prepare, ask = CASES[operation]
    target = prepare(world)
    before = _all_rows(world)
    for fake in (world.stripe, world.telecom):
        fake.calls.clear()

    with pytest.raises(Vetoed, match=rf"admin:clerk may not {operation}.*the role 'clerk' may only look"):
        ask(world.gateway, target)

    assert (staff.asked[-1].operation, staff.asked[-1].actor) == (operation, _CLERK)
    assert _all_rows(world) == before
    assert not world.stripe.calls
    assert not world.telecom.calls


@pytest.mark.parametrize("operation", CASES)
def test_who_may_do_it_does_it(world: World, staff: Staff, operation: str) -> None:
    staff.allowed.add(operation)
    prepare, ask = CASES[operation]
    ask(world.gateway, prepare(world))

    assert staff.asked[-1].operation == operation


def test_the_refusal_is_in_the_audit_trail_with_who_asked(world: World, staff: Staff) -> None:
    contract = world.contract()
    with pytest.raises(Vetoed):
        world.gateway.contracts.schedule_cancellation(contract.id, actor=_CLERK)

    record = world.gateway.audit.list(contract_id=contract.id).all()[-1]
    assert (record.action, record.actor) == ("schedule_cancellation_refused", _CLERK)
    assert "may only look" in record.reason


def test_the_observer_sees_contract_and_amount(world: World, staff: Staff) -> None:
    contract = world.contract()
    world.charge(contract, 5000)

    proposal = staff.asked[-1]
    assert proposal.contract == contract
    assert proposal.amount == Money(5000, "JPY")


def test_looking_asks_nobody(world: World, staff: Staff) -> None:
    contract = world.contract()
    staff.asked.clear()

    world.gateway.contracts.details(contract.id)
    world.gateway.contracts.operations(contract.id)
    world.gateway.charges.preview(contract.id, Money(5000, "JPY"), consent="phone", actor=_CLERK)
    world.gateway.contracts.preview_delete(contract.id, actor=_CLERK)
    assert staff.asked == []


def test_a_repeat_under_a_known_key_returns_what_was_allowed_before(world: World, staff: Staff) -> None:
    contract = world.contract()
    staff.allowed.update({"charge_addon", "refund_entry"})
    charge = world.settled(contract, idempotency_key="order-1", actor=_CLERK)
    refund = world.gateway.refunds.create(charge.id, idempotency_key="rma-1", actor=_CLERK)
    staff.allowed.clear()

    again = world.charge(contract, idempotency_key="order-1", actor=_CLERK)
    assert again.id == charge.id
    assert world.gateway.refunds.create(charge.id, idempotency_key="rma-1", actor=_CLERK).id == refund.id


def test_a_billing_run_asks_nobody(world: World, staff: Staff, clock: ManualClock) -> None:
    world.contract()
    clock.advance(days=40)
    staff.asked.clear()

    assert world.gateway.billing.run().renewed == 1
    assert staff.asked == []


def test_an_observer_that_breaks_refuses_as_well(world: World) -> None:
    class Broken:
        @hookimpl
        def before_operation(self, proposal: OperationProposal) -> str | None:
            raise LookupError("the directory of the staff does not answer to 4242 4242 4242 4242, password=hunter2")

    contract = world.contract()
    world.options["plugins"] = [Broken()]
    world.reopen()
    with pytest.raises(
        Vetoed, match="failed with LookupError: the directory of the staff does not answer to <card>"
    ) as told:
        world.gateway.contracts.schedule_cancellation(contract.id)
    assert "hunter2" not in str(told.value)
    assert world.gateway.contracts.get(contract.id) == contract


def test_a_veto_hook_that_breaks_lets_nothing_be_charged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        @hookimpl
        def before_charge(self, proposal: object) -> str | None:
            raise KeyError("card 4242 4242 4242 4242 cvv=987")

    contract = world.contract()
    world.options["plugins"] = [Broken()]
    world.reopen()
    world.stripe.calls.clear()
    with pytest.raises(Vetoed, match="before_charge of a plugin failed with KeyError") as told:
        world.charge(contract)

    assert not world.stripe.calls
    assert "4242" not in str(told.value) + caplog.text
    assert "987" not in str(told.value) + caplog.text
    assert "KeyError" in caplog.text


def test_what_does_not_exist_is_not_found_before_anybody_is_asked(world: World, staff: Staff) -> None:
    with pytest.raises(NotFound):
        world.gateway.contracts.cancel("nobody")
    assert staff.asked == []


def test_the_word_on_an_unknown_refund_is_asked_for_as_well(world: World, staff: Staff) -> None:
    contract = world.contract("univapay")
    entry = world.gateway.contracts.details(contract.id).entries[0]
    world.univapay.next_refund(Vanish(after=True))
    refund = world.gateway.refunds.create(entry.id)
    with pytest.raises(Vetoed, match="may not resolve_refund on contract"):
        world.gateway.refunds.resolve(refund.id, succeeded=True, note="console", actor=_CLERK)


def test_nobody_listens_nobody_is_asked() -> None:
    with Gateway(database="sqlite://", providers={}) as gateway:
        made = gateway.contracts.create(Customer("cus_1"), PLAN, BankTransfer())
        assert gateway.contracts.cancel(made.id, actor=_CLERK).contract.status.value == "CANCELED"
