"""Bad input: a typed error that names the thing and the remedy, with nothing sent and nothing changed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from paygate import ChargeState, Money, NewContract, Status, hookimpl
from paygate.domain.contract import Actor, ActorKind, Card, Customer
from paygate.errors import (
    ConsentRequired,
    InvalidAmount,
    InvalidValue,
    NaiveDatetime,
    NotFound,
    OperationNotAllowed,
    PaygateError,
    PermissionDenied,
    Vetoed,
)

FEE = Money(5000, "JPY")


@pytest.mark.rule("R-004", "R-171", "B-105")
@pytest.mark.parametrize("amount", [0, -1, 1.5, True, "1000", Decimal(10), None, float("nan")])
def test_an_amount_that_is_no_whole_positive_number_is_refused(world, amount):
    contract = world.contract("stripe")
    before = world.gateway.charges.list(contract_id=contract.id).all()

    with pytest.raises(InvalidAmount):
        world.charge(contract, amount)
    with pytest.raises(InvalidAmount):
        world.gateway.charges.create(contract.id, amount, consent="yes")

    assert world.stripe.calls == []
    assert world.gateway.charges.list(contract_id=contract.id).all() == before


@pytest.mark.rule("R-004")
def test_another_currency_is_refused(world):
    contract = world.contract("stripe")

    with pytest.raises(InvalidAmount, match="USD"):
        world.gateway.charges.create(contract.id, Money(5000, "USD"), consent="yes")
    with pytest.raises(InvalidAmount, match="ISO 4217"):
        Money(5000, "yen")

    assert world.stripe.calls == []


def test_an_unknown_contract_is_named(world):
    with pytest.raises(NotFound, match="con_nowhere"):
        world.gateway.charges.create("con_nowhere", Money(1, "JPY"), consent="yes")
    with pytest.raises(InvalidValue):
        world.gateway.charges.create(17, Money(1, "JPY"), consent="yes")


@pytest.mark.rule("R-166")
def test_a_contract_of_an_account_that_is_not_configured_is_refused(world):
    contract = world.contract("stripe")
    del world.options["providers"]["stripe"]
    world.reopen()

    with pytest.raises(NotFound, match=r"'stripe'.*amazonpay, telecom, univapay"):
        world.charge(contract)


@pytest.mark.rule("R-187")
def test_a_cancelled_contract_cannot_be_charged(world):
    row = NewContract(
        "C-1", Customer("c"), world.plan, Card("stripe", "pm_1"), dt.date(2025, 1, 1), status=Status.CANCELED
    )
    world.gateway.contracts.import_many([row])

    with pytest.raises(OperationNotAllowed, match="CANCELED"):
        world.charge(world.gateway.contracts.get("C-1"))

    assert world.stripe.calls == []


@pytest.mark.rule("R-169")
@pytest.mark.parametrize("actor", [Actor.customer("cus_1"), Actor.provider("stripe"), Actor.scheduler()])
def test_only_an_administrator_charges_additionally(world, actor):
    contract = world.contract("stripe")

    with pytest.raises(PermissionDenied):
        world.charge(contract, actor=actor)

    assert world.stripe.calls == []


@pytest.mark.rule("R-376", "R-188", "R-266", "R-267")
def test_where_the_shop_lets_them_customers_buy_on_their_own_contracts_and_are_audited(world):
    world.options["customer_charges"] = True
    world.reopen()
    contract = world.contract("stripe")
    buyer, other = Actor.customer(contract.customer_id), Actor.customer("somebody-else")
    charges = world.gateway.charges

    with pytest.raises(PermissionDenied) as strange:
        world.charge(contract, actor=other)
    with pytest.raises(ConsentRequired):
        world.charge(contract, actor=buyer, consent=None)
    for actor in (Actor.scheduler(), Actor.provider("stripe")):
        with pytest.raises(PermissionDenied):
            world.charge(contract, actor=actor)
    seen = charges.preview(contract.id, FEE, consent="ticked on the page", actor=buyer)
    bought = world.charge(contract, actor=buyer, consent="ticked on the page", idempotency_key="cart-7")
    with pytest.raises(PermissionDenied):  # a key shows nobody another's charge
        world.charge(contract, actor=other, consent="ticked on the page", idempotency_key="cart-7")
    again = world.charge(contract, actor=buyer, consent="ticked on the page", idempotency_key="cart-7")

    assert strange.value.rule == "R-267"
    assert seen.amount == FEE
    assert (bought.state, again.id) == (ChargeState.SUCCEEDED, bought.id)
    (record,) = [one for one in world.gateway.audit.list(contract_id=contract.id) if one.action == "charge_addon"]
    assert (record.actor, record.reason) == (buyer, "ticked on the page")
    assert bought.consent.recorded_by == contract.customer_id
    assert len([call for call in world.stripe.calls if call.hook == "charge"]) == 1


@pytest.mark.rule("R-376", "X-21")
def test_the_permission_hook_is_asked_for_a_customers_charge_too(world):
    class Gate:
        @hookimpl
        def before_operation(self, proposal):
            return "not on Sundays" if proposal.actor.kind is ActorKind.CUSTOMER else None

    world.options["customer_charges"] = True
    world.options["plugins"] = [*world.options.get("plugins", ()), Gate()]
    world.reopen()
    contract = world.contract("stripe")

    with pytest.raises(Vetoed, match="Sundays"):
        world.charge(contract, actor=Actor.customer(contract.customer_id))
    assert world.charge(contract).state is ChargeState.SUCCEEDED


@pytest.mark.parametrize(
    "options",
    [
        {"renew_expiry": "yes"},
        {"send_step_mail": 1},
        {"purpose": "ARREARS"},
        {"idempotency_key": ""},
        {"idempotency_key": "x" * 256},
        {"idempotency_key": 7},
        {"consent": 7},
    ],
)
def test_options_of_the_wrong_kind_are_refused(world, options):
    contract = world.contract("stripe")

    with pytest.raises(InvalidValue):
        world.charge(contract, **options)

    assert world.stripe.calls == []


def test_an_unknown_option_is_a_type_error_of_python(world):
    contract = world.contract("stripe")

    with pytest.raises(TypeError, match="send_mail"):
        world.charge(contract, send_mail=True)


@pytest.mark.rule("R-002")
def test_naive_datetimes_are_refused(world):
    naive = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - the point
    contract = world.contract("univapay")
    charge = world.charge(contract)

    with pytest.raises(NaiveDatetime):
        world.gateway.charges.resolve(charge.id, succeeded=True, charged_at=naive, note="seen")


def test_page_sizes_out_of_range_are_refused(world):
    for size in (0, -1, 10_001, "10"):
        with pytest.raises(InvalidValue, match="page_size"):
            world.gateway.contracts.list(page_size=size).all()


@pytest.mark.rule("R-024")
def test_every_refusal_leaves_contract_ledger_mails_and_audit_as_they_were(world):
    contract = world.contract("telecom")

    def everything():
        gateway = world.gateway
        return [
            gateway.contracts.get(contract.id),
            gateway.ledger.list().all(),
            gateway.charges.list().all(),
            gateway.step_mails.list().all(),
            gateway.audit.list().all(),
        ]

    before = everything()
    attempts = [
        {"amount": 0}, {"consent": None}, {"renew_expiry": False}, {"send_step_mail": False}, {"actor": Actor.scheduler()},
    ]  # fmt: skip
    for options in attempts:
        with pytest.raises(PaygateError):
            world.charge(contract, **options)

    assert everything() == before
