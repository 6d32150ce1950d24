"""Who may do what, over the whole public face: a customer little, and nothing with what is another's (R-267)."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from paygate import Actor, BankTransfer, Card, Customer, Gateway, Money
from paygate.billing.importing import NewContract
from paygate.domain.contract import Manual
from paygate.errors import PaygateError, PermissionDenied
from paygate.testing import Vanish

from .conftest import ONE_OFF, PLAN, World

pytestmark = pytest.mark.rule("R-267")

_OWN, _STRANGER = Actor.customer("cus_1"), Actor.customer("cus_9")
_MACHINES = (Actor.provider("stripe"), Actor.provider("univapay"), Actor.scheduler())


def _contract(world: World) -> str:
    return str(world.contract().id)


def _unpaid(world: World) -> str:
    made = world.gateway.contracts.create(Customer("cus_1"), PLAN, BankTransfer(), contract_id="con_7")
    return str(made.id)


def _charge(world: World) -> str:
    return str(world.settled(world.contract()).id)


def _unknown_charge(world: World) -> str:
    contract = world.contract("telecom")
    world.telecom.next(Vanish(after=True))
    return str(world.charge(contract).id)


def _unknown_refund(world: World) -> str:
    contract = world.contract("univapay")
    world.univapay.next_refund(Vanish(after=True))
    return str(world.gateway.refunds.create(world.gateway.contracts.details(contract.id).entries[0].id).id)


def _refund_by_hand(world: World) -> str:
    made = world.gateway.contracts.create(Customer("cus_1"), ONE_OFF, Manual(), contract_id="con_8", paid=True)
    world.gateway.contracts.cancel_with_manual_refund(made.id)
    return str(world.gateway.refunds.dues()[0].id)


def _mail(world: World) -> str:
    contract = world.contract("stripe")
    world.settled(contract, send_step_mail=True)
    return str(world.gateway.step_mails.list(contract_id=contract.id).all()[-1].id)


def _nothing(world: World) -> str:
    return ""


_CUS_1 = Customer("cus_1", "Hanako", "hanako@example.com")
_ROW = NewContract("con_6", _CUS_1, PLAN, BankTransfer(), dt.date(2025, 12, 1))
Ask = Callable[[Any, str, Actor], Any]

#: public method → what has to be there, and the call; every method that takes an actor is here
FACE: dict[str, tuple[Callable[[World], str], Ask]] = {
    "contracts.create": (_nothing, lambda g, _, a: g.contracts.create(
        _CUS_1, PLAN, Card("stripe", "tok_5"), contract_id="con_5", actor=a)),
    "contracts.preview_create": (_nothing, lambda g, _, a: g.contracts.preview_create(
        _CUS_1, PLAN, Card("stripe", "tok_5"), contract_id="con_5", actor=a)),
    "contracts.confirm_payment": (_unpaid, lambda g, i, a: g.contracts.confirm_payment(i, actor=a)),
    "contracts.cancel": (_unpaid, lambda g, i, a: g.contracts.cancel(i, actor=a)),
    "contracts.cancel_with_manual_refund": (_contract, lambda g, i, a:
        g.contracts.cancel_with_manual_refund(i, actor=a)),
    "contracts.cancel_and_refund": (_contract, lambda g, i, a: g.contracts.cancel_and_refund(i, actor=a)),
    "contracts.suspend": (_contract, lambda g, i, a: g.contracts.suspend(i, actor=a)),
    "contracts.resume": (_contract, lambda g, i, a: g.contracts.resume(i, actor=a)),
    "contracts.schedule_cancellation": (_contract, lambda g, i, a: g.contracts.schedule_cancellation(i, actor=a)),
    "contracts.revoke_cancellation": (_contract, lambda g, i, a: g.contracts.revoke_cancellation(i, actor=a)),
    "contracts.terminate": (_contract, lambda g, i, a: g.contracts.terminate(i, actor=a)),
    "contracts.mark_retries_stopped": (_contract, lambda g, i, a:
        g.contracts.mark_retries_stopped(i, note="console", actor=a)),
    "contracts.mark_paid": (_contract, lambda g, i, a: g.contracts.mark_paid(i, dt.date(2026, 11, 1), actor=a)),
    "contracts.mark_unpaid": (_contract, lambda g, i, a: g.contracts.mark_unpaid(i, dt.date(2026, 11, 1), actor=a)),
    "contracts.change_payment": (_contract, lambda g, i, a:
        g.contracts.change_payment(i, Card("stripe", "tok_6"), actor=a)),
    "contracts.send_dunning_mail": (_contract, lambda g, i, a: g.contracts.send_dunning_mail(i, actor=a)),
    "contracts.preview_delete": (_contract, lambda g, i, a: g.contracts.preview_delete(i, actor=a)),
    "contracts.delete": (_contract, lambda g, i, a: g.contracts.delete(i, confirm=i, reason="mistake", actor=a)),
    "contracts.set_expiry": (_contract, lambda g, i, a: g.contracts.set_expiry(i, dt.date(2027, 1, 1), actor=a)),
    "contracts.set_product_end": (_contract, lambda g, i, a: g.contracts.set_product_end(i, None, actor=a)),
    "contracts.import_many": (_nothing, lambda g, _, a: g.contracts.import_many([_ROW], actor=a)),
    "charges.preview": (_contract, lambda g, i, a: g.charges.preview(i, Money(500, "JPY"), consent="page", actor=a)),
    "charges.create": (_contract, lambda g, i, a: g.charges.create(i, Money(500, "JPY"), consent="page", actor=a)),
    "charges.resolve": (_unknown_charge, lambda g, i, a: g.charges.resolve(i, succeeded=True, note="console", actor=a)),
    "refunds.create": (_charge, lambda g, i, a: g.refunds.create(i, actor=a)),
    "refunds.resolve": (_unknown_refund, lambda g, i, a: g.refunds.resolve(i, succeeded=True, note="console", actor=a)),
    "refunds.mark_done": (_refund_by_hand, lambda g, i, a: g.refunds.mark_done(i, note="transfer", actor=a)),
    "step_mails.pause": (_mail, lambda g, i, a: g.step_mails.pause(i, actor=a)),
    "step_mails.resume": (_mail, lambda g, i, a: g.step_mails.resume(i, actor=a)),
    "step_mails.delete": (_mail, lambda g, i, a: g.step_mails.delete(i, actor=a)),
    "checkouts.begin": (_nothing, lambda g, _, a: g.checkouts.begin(
        "stripe", _CUS_1, return_url="https://shop.test/", actor=a)),
    "customers.update": (_contract, lambda g, _, a: g.customers.update("cus_1", name="Hanako", actor=a)),
    "credentials.revoke": (_contract, lambda g, _, a: g.credentials.revoke("cus_1", "none", actor=a)),
    "billing.restored": (_nothing, lambda g, _, a: g.billing.restored(actor=a)),
}  # fmt: skip

#: What a customer may do with what is their own; "charges" where the shop lets them.
CUSTOMERS = frozenset(
    {
        "contracts.create",
        "contracts.preview_create",
        "contracts.cancel",
        "contracts.schedule_cancellation",
        "contracts.revoke_cancellation",
        "contracts.change_payment",
        "checkouts.begin",
        "customers.update",
        "credentials.revoke",
    }
)
CHARGES = frozenset({"charges.preview", "charges.create"})
#: A provider that saw the transfer.
PROVIDERS = frozenset({"contracts.confirm_payment"})


def _rows(world: World) -> list[Any]:
    gateway = world.gateway
    return [
        gateway.contracts.list().all(),
        gateway.charges.list().all(),
        gateway.refunds.list().all(),
        gateway.ledger.list().all(),
        gateway.step_mails.list().all(),
        gateway.refunds.dues(),
        # that somebody was refused is written down
        [one for one in gateway.audit.list().all() if not one.action.endswith("_refused")],
    ]


def _refused(world: World, method: str, actors: tuple[Actor, ...]) -> None:
    prepare, ask = FACE[method]
    target = prepare(world)
    before = _rows(world)
    fakes = (world.stripe, world.telecom, world.univapay)
    for fake in fakes:
        fake.calls.clear()
    for actor in actors:
        with pytest.raises(PermissionDenied):
            ask(world.gateway, target, actor)
    assert _rows(world) == before
    assert not any(fake.calls for fake in fakes)


def test_the_table_names_every_public_method_that_takes_an_actor() -> None:
    with Gateway(database="sqlite://", providers={}) as gateway:
        found = {
            f"{space}.{name}"
            for space, namespace in inspect.getmembers(gateway)
            if not space.startswith("_") and not callable(namespace)
            for name, method in inspect.getmembers(namespace, inspect.ismethod)
            if not name.startswith("_") and "actor" in inspect.signature(method).parameters
        }
    assert found == set(FACE)


@pytest.mark.parametrize("method", FACE)
@pytest.mark.parametrize("allowed", [False, True], ids=["admins charge", "customers charge"])
def test_nobody_does_anything_with_what_is_anothers(world: World, method: str, *, allowed: bool) -> None:
    world.options["customer_charges"] = allowed
    world.reopen()

    _refused(world, method, (_STRANGER, *(() if method in PROVIDERS else _MACHINES)))


@pytest.mark.parametrize("method", sorted(set(FACE) - CUSTOMERS))
def test_customers_do_little_with_what_is_their_own(world: World, method: str) -> None:
    _refused(world, method, (_OWN,))


@pytest.mark.parametrize("method", sorted(CUSTOMERS | CHARGES))
def test_they_do_that_little(world: World, method: str) -> None:
    world.options["customer_charges"] = True
    world.reopen()
    prepare, ask = FACE[method]
    try:
        ask(world.gateway, prepare(world), _OWN)
    except PaygateError as exc:
        assert not isinstance(exc, PermissionDenied)  # noqa: PT017 - such as a cancellation that is not scheduled


def test_a_known_key_shows_a_customer_nobodys_refund(world: World) -> None:
    charge = _charge(world)
    world.gateway.refunds.create(charge, Money(100, "JPY"), idempotency_key="rma-1")

    for actor in (_OWN, _STRANGER):
        with pytest.raises(PermissionDenied):
            world.gateway.refunds.create(charge, Money(100, "JPY"), idempotency_key="rma-1", actor=actor)
