"""A checkout that was begun for a contract puts its card in the place of the contract's, once (R-407)."""

import datetime as dt

import pytest

from paygate import JST, Card, CheckoutState, Customer, Status
from paygate.domain.contract import Actor
from paygate.errors import ChargeInProgress, InvalidValue, NotFound, OperationNotAllowed, PermissionDenied
from paygate.provider import DeclineClass
from paygate.testing import Decline, StayPending

HANAKO = Customer("cus_1", "山田花子", "cus_1@example.com")
DONE = "https://shop.example/cards/done"
LOST = Decline("lost_card", DeclineClass.HARD)


def begin(world, contract, **options):
    return world.gateway.checkouts.begin("stripe", HANAKO, return_url=DONE, replace=contract.id, **options)


def finish(world, checkout, credential):
    world.stripe.store_card(checkout.reference, credential=credential)
    return world.gateway.checkouts.complete("stripe", checkout.reference)


def now(world, contract):
    return world.gateway.contracts.get(contract.id)


def changes(world, contract):
    return [one for one in world.gateway.audit.list(contract_id=contract.id) if one.action == "change_payment"]


@pytest.mark.rule("R-407")
def test_the_card_of_a_completed_checkout_is_the_contracts_and_collects_what_is_unpaid(faces):
    world = faces
    contract = world.contract("stripe")
    world.stripe.script_for("tok_stripe_cus_1", LOST)
    world.clock.set(dt.datetime(2026, 2, 15, 3, tzinfo=JST))
    world.gateway.billing.run()
    world.observer.heard.clear()

    checkout = begin(world, contract, metadata={"mail": "7"})
    opened = world.gateway.checkouts.complete("stripe", checkout.reference)
    before = now(world, contract)
    result = finish(world, checkout, "tok_new")

    assert (opened.state, before.credential) == (CheckoutState.OPEN, contract.credential)
    assert (result.customer_id, result.replaces, dict(result.metadata)) == ("cus_1", contract.id, {"mail": "7"})
    assert now(world, contract).credential == "tok_new"
    (record,) = changes(world, contract)
    assert str(record.actor) == "customer:cus_1"
    (notice, _) = [one.notice for one in world.observer.of("notice")]
    assert notice.facts["card"] == "visa 4242"
    world.gateway.billing.run()
    assert now(world, contract).status is Status.ACTIVE


@pytest.mark.rule("R-407")
def test_a_page_that_is_loaded_again_changes_nothing_even_after_another_card(world):
    contract = world.contract("stripe")
    first = begin(world, contract)
    finish(world, first, "tok_a")
    second = begin(world, contract)
    finish(world, second, "tok_b")
    version = now(world, contract).version

    again = [world.gateway.checkouts.complete("stripe", one.reference) for one in (first, second, first)]

    assert [one.state for one in again] == [CheckoutState.COMPLETED] * 3
    assert now(world, contract).credential == "tok_b"
    assert now(world, contract).version == version
    assert len(changes(world, contract)) == 2


@pytest.mark.rule("R-407")
def test_collecting_afterwards_with_the_same_card_charges_once(world):
    contract = world.contract("stripe")
    world.stripe.script_for("tok_stripe_cus_1", LOST)
    world.clock.set(dt.datetime(2026, 2, 15, 3, tzinfo=JST))
    world.gateway.billing.run()
    result = finish(world, begin(world, contract), "tok_new")
    card, taken = Card("stripe", result.credential), world.stripe.book.captured()

    for _ in range(2):
        world.gateway.contracts.change_payment(
            contract.id, card, collect=True, consent="on the card page", idempotency_key="pay-7"
        )

    assert world.stripe.book.captured() == taken + 3000
    assert now(world, contract).status is Status.ACTIVE


@pytest.mark.rule("R-407")
def test_a_checkout_for_a_contract_that_takes_no_card_from_them_is_refused_before_anything_is_sent(world):
    contract = world.contract("stripe")
    ended = world.contract("stripe", customer="cus_1", token="tok_2")
    world.gateway.contracts.schedule_cancellation(ended.id)
    other = Customer("cus_other")

    with pytest.raises(InvalidValue, match="not of customer"):
        world.gateway.checkouts.begin("stripe", other, return_url=DONE, replace=contract.id)
    with pytest.raises(NotFound):
        world.gateway.checkouts.begin("stripe", HANAKO, return_url=DONE, replace="nothing")
    with pytest.raises(PermissionDenied):
        begin(world, contract, actor=Actor.customer("cus_other"))
    with pytest.raises(InvalidValue, match="paygate"):
        world.gateway.checkouts.begin("stripe", HANAKO, return_url=DONE, metadata={"paygate_replaces": contract.id})
    world.clock.set(dt.datetime(2026, 3, 1, 3, tzinfo=JST))
    world.gateway.billing.run()
    with pytest.raises(OperationNotAllowed):
        begin(world, ended)
    assert [call for call in world.stripe.calls if call.hook == "begin_checkout"] == []


@pytest.mark.rule("R-407", "R-401")
def test_while_a_charge_is_open_the_checkout_is_completed_later(world):
    contract = world.contract("stripe")
    world.stripe.next(StayPending(600))
    charge = world.charge(contract)
    checkout = begin(world, contract)

    with pytest.raises(ChargeInProgress):
        finish(world, checkout, "tok_new")
    world.gateway.charges.wait(charge.id, timeout=3600)
    world.gateway.checkouts.complete("stripe", checkout.reference)

    assert now(world, contract).credential == "tok_new"


@pytest.mark.rule("R-407", "R-371")
def test_a_key_that_began_a_checkout_for_another_contract_is_refused(world):
    first, second = world.contract("stripe"), world.contract("stripe", token="tok_2")
    begin(world, first, idempotency_key="k")
    begin(world, first, idempotency_key="k")

    with pytest.raises(Exception, match="idempotency key"):
        begin(world, second, idempotency_key="k")


@pytest.mark.rule("R-407", "R-403")
def test_the_provider_is_told_which_card_is_replaced_so_that_it_keeps_the_customer(world):
    contract = world.contract("stripe")

    begin(world, contract)

    (request,) = [call.request for call in world.stripe.calls if call.hook == "begin_checkout"]
    assert request.replaces == contract.credential
    assert "tok_" not in repr(request)
