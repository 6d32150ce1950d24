"""What a decline says is used: the network's code, doubles that are looked up, mails that promise no retry in vain."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import JST, Card, ChargeState, Money, Status
from paygate.domain.followup import Next
from paygate.errors import DuplicateCharge
from paygate.provider import DeclineClass
from paygate.testing import Decline, StayPending, Vanish

RENEWAL = "2026-02-15T03:00:00"


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def mails(world):
    """Audience → what the failure mail says comes next, and on which day."""
    told = [n.notice for n in world.observer.of("notice") if n.notice.kind.value == "renewal_failed"]
    return {(n.audience.value, n.next, n.facts.get("next_attempt_on")) for n in told}


def operator(world, code):
    return [notice for notice in world.observer.of("operator") if notice.code == code]


def sent(world, account="stripe"):
    return [call.request for call in world.fake(account).calls if call.hook == "charge"]


# --- the network's own code ------------------------------------------------------------------------------------------


@pytest.mark.rule("R-334")
def test_the_networks_code_outranks_what_the_provider_calls_it_when_a_retry_is_planned(world):
    contract = world.contract("stripe")
    world.stripe.next(Decline("generic_decline", network="visa", response_code="43"))
    at(world, RENEWAL)
    world.gateway.billing.run()

    (charge,) = [one for one in world.gateway.charges.list(contract_id=contract.id) if one.failure]
    assert (charge.failure.code, charge.response_code) == ("generic_decline", "43")
    (planned,) = world.gateway.billing.plan()
    assert "visa code 43" in planned.why
    at(world, "2026-03-15T03:00:00")
    world.gateway.billing.run()
    assert len(sent(world)) == 1


@pytest.mark.rule("R-334")
def test_the_networks_code_comes_by_notice_and_by_look_up_as_well(world):
    told = world.contract("univapay")
    found = world.contract("univapay", customer="cus_2")
    world.univapay.script(*[StayPending(60, then=Decline("306", network="visa", response_code="54"))] * 2)
    charges = [world.charge(contract) for contract in (told, found)]
    world.clock.advance(minutes=2)
    world.deliver("univapay")
    world.gateway.billing.reconcile()

    assert [world.gateway.charges.get(one.id).response_code for one in charges] == ["54", "54"]


# --- doubles ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-332")
def test_a_renewal_that_is_declined_as_a_duplicate_is_never_repeated_and_the_operator_is_asked(world):
    contract = world.contract("stripe")
    world.stripe.next(Decline("duplicate_transaction"))
    at(world, RENEWAL)

    for _ in range(30):
        world.gateway.billing.run()
        world.gateway.billing.reconcile()
        world.clock.advance(days=1)

    assert len(sent(world)) == 1
    (notice,) = operator(world, "declined_as_duplicate")
    assert contract.id in notice.message
    assert "Nothing is repeated by itself" in notice.message
    assert {then for _, then, _ in mails(world)} == {Next.CHECK}


@pytest.mark.rule("R-332", "R-146")
def test_the_earlier_payment_that_went_through_after_all_is_found_and_booked(world):
    """The answer of the first attempt is lost, and an operator takes it for failed although the money was taken."""
    contract = world.contract("univapay")
    world.univapay.next(Vanish(after=True))
    world.univapay.index_delay = 3600
    at(world, RENEWAL)
    world.gateway.billing.run()
    (first,) = [one for one in world.gateway.charges.list(contract_id=contract.id) if one.open]
    world.gateway.charges.resolve(first.id, succeeded=False, note="seen nothing in the console")
    world.clock.advance(minutes=5)
    assert world.univapay.notifications()  # which never arrive
    world.univapay.script(Decline("311", decline=DeclineClass.DUPLICATE))
    at(world, "2026-02-25T03:00:00")

    assert world.gateway.billing.run().unknown == 1
    world.clock.advance(minutes=3)
    world.deliver("univapay")

    assert world.gateway.charges.get(first.id).state is ChargeState.SUCCEEDED
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    assert world.univapay.book.captured() == 6000
    assert [row.amount.minor for row in world.gateway.ledger.list(contract_id=contract.id)] == [3000, 3000]
    (notice,) = operator(world, "declined_as_duplicate")
    assert first.id in notice.message


@pytest.mark.rule("R-332", "R-194")
def test_an_additional_charge_declined_as_a_duplicate_is_looked_up_and_told_once(world):
    contract = world.contract("stripe")
    paid = world.charge(contract, 700)
    world.clock.advance(minutes=1)
    world.stripe.next(Decline("duplicate_transaction"))

    charge = world.charge(contract, 700)
    world.gateway.billing.reconcile()

    with pytest.raises(DuplicateCharge):
        charge.raise_for_failure()
    (notice,) = operator(world, "declined_as_duplicate")
    assert paid.id in notice.message


@pytest.mark.rule("R-332")
def test_a_person_who_has_seen_the_duplicate_paid_says_so(world):
    contract = world.contract("stripe")
    world.stripe.next(Decline("duplicate_transaction"))
    at(world, RENEWAL)
    world.gateway.billing.run()
    charge = world.gateway.charges.list(contract_id=contract.id).all()[-1]

    world.gateway.charges.resolve(charge.id, succeeded=True, reference="pi_seen", note="console, 2026-02-15")

    assert world.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE


# --- what the mails promise ------------------------------------------------------------------------------------------


@pytest.mark.rule("R-333", "R-151")
@pytest.mark.parametrize(
    ("decline", "then", "remedy"),
    [
        (Decline("stolen_card"), Next.NEW_CARD, "another card"),
        (Decline("revocation_of_authorization", decline=DeclineClass.PERMISSION), Next.NEW_CARD, "another card"),
        (Decline("do_not_honor", network="mastercard", advice_code="03"), Next.NEW_CARD, "another card"),
        (Decline("authentication_required"), Next.CONFIRM, "confirm the payment"),
        (Decline("parameter_invalid_integer"), Next.CORRECT, "correct the set-up"),
    ],
    ids=["hard", "permission", "advice", "action", "config"],
)
def test_mails_say_what_has_to_happen_where_no_retry_comes_and_the_operator_is_told(world, decline, then, remedy):
    contract = world.contract("stripe")
    world.stripe.next(decline)
    at(world, RENEWAL)

    world.gateway.billing.run()

    assert mails(world) == {("customer", then, None), ("admin", then, None)}
    (notice,) = operator(world, "no_retry_left")
    assert notice.contract_id == contract.id
    assert remedy in notice.message
    assert "3,000 JPY" in notice.message


@pytest.mark.rule("R-333", "R-154")
def test_a_soft_decline_promises_the_retry_that_is_planned_and_tells_no_operator(world):
    world.contract("stripe")
    world.stripe.next(Decline("insufficient_funds"))
    at(world, RENEWAL)

    world.gateway.billing.run()

    day = dt.date(2026, 2, 18)
    assert mails(world) == {("customer", Next.RETRY, day), ("admin", Next.RETRY, day)}
    assert operator(world, "no_retry_left") == []


@pytest.mark.rule("R-333", "R-156")
def test_the_last_retry_of_a_contract_that_is_not_ended_tells_the_operator(world):
    contract = world.contract("univapay")
    world.univapay.script_for("tok_univapay_cus_1", Decline("306"))
    at(world, RENEWAL)
    for _ in range(45):
        world.gateway.billing.run()
        world.clock.advance(minutes=5)
        world.deliver("univapay")
        world.clock.advance(days=1)

    assert world.gateway.contracts.get(contract.id).past_due.exhausted
    assert [notice.contract_id for notice in operator(world, "no_retry_left")] == [contract.id]


@pytest.mark.rule("R-333", "R-161")
@pytest.mark.parametrize("retries", [True, False])
def test_a_provider_that_does_not_try_again_is_not_said_to(world, retries):
    contract = world.contract("stripe")
    notice = world.stripe.renew(
        contract.id,
        "tok",
        Money(3000, "JPY"),
        Decline("stolen_card"),
        period_on=dt.date(2026, 2, 15),
        attempt=1,
        retries=retries,
    )
    at(world, RENEWAL)
    world.gateway.webhooks.receive("stripe", notice.headers, notice.body)

    then = Next.RETRY if retries else Next.NEW_CARD
    assert {mail[1] for mail in mails(world)} == {then}
    assert len(operator(world, "no_retry_left")) == (0 if retries else 1)


# --- promises that are gone ------------------------------------------------------------------------------------------


@pytest.mark.rule("R-343", "R-331")
def test_both_sides_and_the_operator_hear_once_that_a_promised_retry_is_gone(world):
    first, second = (world.contract("stripe", customer=f"cus_{n}", token="tok_shared") for n in range(2))
    world.stripe.script_for("tok_shared", Decline("insufficient_funds", network="visa"))
    at(world, RENEWAL)
    world.gateway.billing.run()
    assert {then for _, then, _ in mails(world)} == {Next.RETRY}
    world.observer.heard.clear()
    world.stripe.script_for("tok_shared", Decline("stolen_card", network="visa"))
    for _ in range(20):
        world.clock.advance(days=1)
        world.gateway.billing.run()
        world.gateway.billing.reconcile()

    told = [n.notice for n in world.observer.of("notice")]
    gone = [one for one in told if one.kind.value == "renewal_held_back"]
    failed = {one.contract_id for one in told if one.kind.value == "renewal_failed"}
    assert {one.contract_id for one in gone} | failed == {first.id, second.id}
    assert sorted((one.audience.value, one.next) for one in gone) == [
        ("admin", Next.NEW_CARD),
        ("customer", Next.NEW_CARD),
    ]
    assert sorted(one.contract_id for one in operator(world, "no_retry_left")) == sorted([first.id, second.id])


@pytest.mark.rule("R-343", "R-340", "R-400")
def test_a_new_card_for_a_period_in_doubt_is_told_that_nothing_is_charged_before_somebody_has_looked(world):
    contract = world.contract("stripe")
    world.stripe.next(Decline("duplicate_transaction"))
    at(world, RENEWAL)
    world.gateway.billing.run()
    world.gateway.contracts.change_payment(contract.id, Card("stripe", "tok_new"))
    for _ in range(5):
        world.clock.advance(days=1)
        world.gateway.billing.run()

    gone = [n.notice for n in world.observer.of("notice") if n.notice.kind.value == "renewal_held_back"]
    assert [one.next for one in gone] == [Next.CHECK, Next.CHECK]
