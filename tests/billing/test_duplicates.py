"""What a decline as a duplicate means: another payment of ours, an earlier one of the same period, or nobody knows."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import JST, Card, ChargeState, Gateway, Status
from paygate.billing import duplicates
from paygate.domain.followup import Next
from paygate.domain.retry_schedule import RetrySchedule
from paygate.errors import CardHeldBack, OperationNotAllowed, ProviderUnavailable
from paygate.provider import DeclineClass
from paygate.testing import Decline, FakeUnivaPay, StayPending, Succeed

TOKEN = "tok_shared"
DUPLICATE = Decline("duplicate_transaction")
TOO_QUICK = Decline("CHARGE_TOO_QUICK", decline=DeclineClass.DUPLICATE)
RENEWAL = "2026-02-15T03:00:00"


class _Silent(FakeUnivaPay):
    """Answers no look-up while it is silent."""

    silent = False

    async def find_charge(self, request):
        if self.silent:
            raise ProviderUnavailable("univapay: not now")
        return await super().find_charge(request)


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def operator(world, code="declined_as_duplicate"):
    return [notice for notice in world.observer.of("operator") if notice.code == code]


def periods(world, contract):
    return [one for one in world.gateway.charges.list(contract_id=contract.id) if one.kind.value == "PERIOD"]


def two_on_one_card(world, account="univapay"):
    world.gateway.close()
    world.options["schedules"] = {account: RetrySchedule((3, 5, 7))}
    world.gateway = Gateway(**world.options)
    made = []
    for number in range(2):
        made.append(world.contract(account, customer=f"cus_{number}", token=TOKEN))
        world.clock.advance(minutes=1)
        world.deliver(account)
        world.gateway.billing.reconcile()
    return made


def run(world, account="univapay"):
    report = world.gateway.billing.run()
    world.clock.advance(minutes=5)
    world.deliver(account)
    world.gateway.billing.reconcile()
    return report


def daily(world, days, account="univapay"):
    for _ in range(days):
        world.clock.advance(days=1)
        run(world, account)


# --- the provider's own window ---------------------------------------------------------------------------------------


@pytest.mark.rule("R-339", "R-205")
def test_retries_of_two_contracts_on_one_card_keep_the_providers_window_and_both_are_paid(world):
    contracts = two_on_one_card(world)
    world.univapay.script_for(TOKEN, Decline("306"))
    at(world, RENEWAL)
    for _ in range(3):
        run(world)
    assert [world.gateway.contracts.get(one.id).past_due.failures for one in contracts] == [1, 1]
    world.univapay.script_for(TOKEN, Succeed())
    daily(world, 10)

    for contract in contracts:
        assert [one.state for one in periods(world, contract)] == [ChargeState.FAILED, ChargeState.SUCCEEDED]
        assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    assert operator(world) == []


@pytest.mark.rule("R-339", "R-205")
def test_a_retry_inside_the_window_is_held_back_shown_so_in_the_plan_and_made_after_it(world):
    contracts = two_on_one_card(world)
    world.univapay.script_for(TOKEN, Decline("306"))
    at(world, RENEWAL)
    for _ in range(3):
        run(world)
    world.univapay.script_for(TOKEN, Succeed())
    at(world, "2026-02-18T12:00:00")

    first = world.gateway.billing.run()
    planned = [step for step in world.gateway.billing.plan() if step.contract_id in {one.id for one in contracts}]
    world.clock.advance(seconds=31)
    world.deliver("univapay")
    second = world.gateway.billing.run()

    assert (first.held_back, second.held_back) == (1, 0)
    assert first.reasons[0].rule == "R-205"
    assert {step.charge for step in planned} == {None}
    assert any("R-205" in step.why for step in planned)


@pytest.mark.rule("R-339", "R-205")
def test_a_first_payment_inside_the_window_is_refused_before_it_is_sent(world):
    contract = world.contract("univapay", token=TOKEN)
    world.clock.advance(minutes=1)
    world.deliver("univapay")
    world.charge(contract, 3000)
    world.univapay.calls.clear()

    with pytest.raises(CardHeldBack) as refused:
        world.contract("univapay", customer="cus_2", token=TOKEN)

    assert (refused.value.rule, world.univapay.calls) == ("R-205", [])


# --- what the duplicate is of ----------------------------------------------------------------------------------------


def taken_for_the_other(world, account="univapay", after=35):
    """The second contract's renewal is refused as a duplicate of the first one's, which the provider took slowly."""
    first, second = two_on_one_card(world, account)
    at(world, RENEWAL)
    world.fake(account).script(Succeed(), TOO_QUICK)
    world.gateway.billing.run()
    world.clock.advance(seconds=after)
    world.deliver(account)
    world.gateway.billing.run()
    world.clock.advance(minutes=5)
    world.deliver(account)
    return next(one for one in (first, second) if world.gateway.contracts.get(one.id).status is Status.PAST_DUE)


@pytest.mark.rule("R-339", "R-332")
@pytest.mark.parametrize("account", ["univapay", "stripe"])
def test_a_duplicate_of_another_contracts_payment_is_explained_told_and_the_period_is_tried_again(world, account):
    refused = taken_for_the_other(world, account)
    (charge,) = periods(world, refused)
    (notice,) = operator(world)
    promised = [one.notice for one in world.observer.of("notice") if one.notice.kind.value == "renewal_held_back"]

    assert charge.cleared_by is not None
    assert charge.cleared_by in notice.message
    assert "is tried again on 2026-02-1" in notice.message
    assert {(one.audience.value, one.next) for one in promised if one.contract_id == refused.id} >= {
        ("customer", Next.RETRY),
        ("admin", Next.RETRY),
    }
    daily(world, 2, account)
    assert [one.state for one in periods(world, refused)] == [ChargeState.FAILED, ChargeState.SUCCEEDED]
    assert world.gateway.contracts.get(refused.id).status is Status.ACTIVE


@pytest.mark.rule("R-339", "R-337")
def test_a_duplicate_of_a_deleted_contracts_payment_is_explained_too(world):
    first, second = two_on_one_card(world, "stripe")
    at(world, RENEWAL)
    world.stripe.next(Decline("insufficient_funds"))
    world.charge(first, 3000)
    world.gateway.contracts.delete(first.id, confirm=first.id, reason="left")
    world.stripe.next(DUPLICATE)
    run(world, "stripe")

    assert periods(world, second)[0].cleared_by is not None


@pytest.mark.rule("R-332")
def test_a_duplicate_that_nothing_of_ours_explains_waits_for_a_person(world):
    first, second = two_on_one_card(world, "stripe")
    world.stripe.script(DUPLICATE, Succeed())
    at(world, RENEWAL)
    run(world, "stripe")
    daily(world, 30, "stripe")

    (doubted,) = [one for one in (first, second) if world.gateway.contracts.get(one.id).status is Status.PAST_DUE]
    assert [one.state for one in periods(world, doubted)] == [ChargeState.FAILED]


@pytest.mark.rule("R-339")
def test_another_payment_explains_nothing_while_an_attempt_of_the_period_itself_cannot_be_seen(world):
    world.univapay = world.options["providers"]["univapay"] = _Silent(clock=world.clock)
    first, second = two_on_one_card(world, "univapay")
    at(world, RENEWAL)
    world.univapay.script_for(TOKEN, Decline("306"))
    for _ in range(3):
        run(world)
    at(world, "2026-02-19T03:00:00")
    world.univapay.script_for(TOKEN, Succeed())
    world.gateway.billing.run()
    world.univapay.script_for(TOKEN, TOO_QUICK)
    world.clock.advance(minutes=5)
    world.deliver("univapay")
    # the provider does not answer the look-up of the attempt that had been declined on the 15th
    world.univapay.silent = True
    world.gateway.billing.run()
    world.clock.advance(minutes=5)
    world.deliver("univapay")

    (late,) = [one for one in (first, second) if world.gateway.contracts.get(one.id).status is Status.PAST_DUE]
    assert periods(world, late)[-1].cleared_by is None
    assert "Nothing is repeated by itself" in operator(world)[-1].message


# --- what a person says ----------------------------------------------------------------------------------------------


def doubted_period(world):
    contract = world.contract("stripe", token="tok_old")
    world.stripe.next(DUPLICATE)
    at(world, RENEWAL)
    run(world, "stripe")
    return contract


@pytest.mark.rule("R-340", "R-404", "R-332")
def test_a_new_card_does_not_take_the_doubt_away_that_an_earlier_payment_went_through(world):
    contract = doubted_period(world)
    world.gateway.contracts.change_payment(contract.id, Card("stripe", "tok_new"))
    daily(world, 20, "stripe")

    assert len(periods(world, contract)) == 1
    assert world.gateway.contracts.get(contract.id).status is Status.PAST_DUE
    (step,) = world.gateway.billing.plan()
    assert (step.charge, "duplicate" in step.why) == (None, True)


@pytest.mark.rule("R-340")
@pytest.mark.parametrize("card", ["tok_old", "tok_new"])
def test_a_person_who_has_seen_that_nothing_was_paid_lets_the_period_be_tried_again(world, card):
    contract = doubted_period(world)
    if card != "tok_old":
        world.gateway.contracts.change_payment(contract.id, Card("stripe", card))
    (charge,) = periods(world, contract)

    resolved = world.gateway.charges.resolve(charge.id, succeeded=False, note="console, 2026-02-16: nothing there")
    daily(world, 1, "stripe")

    assert (resolved.state, resolved.cleared_by is not None) == (ChargeState.FAILED, True)
    assert [one.state for one in periods(world, contract)] == [ChargeState.FAILED, ChargeState.SUCCEEDED]
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    with pytest.raises(OperationNotAllowed):
        world.gateway.charges.resolve(charge.id, succeeded=False, note="once more")


# --- the look-up happens, and says what it saw -----------------------------------------------------------------------


class _Killed(KeyboardInterrupt):
    pass


@pytest.mark.rule("R-341", "R-332")
@pytest.mark.parametrize("kind", ["additional", "period"])
def test_a_duplicate_whose_process_died_before_the_look_up_is_looked_up_by_reconciliation(world, kind, monkeypatch):
    contract = world.contract("stripe", token=TOKEN)
    earlier = world.charge(contract, 3000)
    at(world, RENEWAL)
    world.stripe.next(DUPLICATE)

    def die(*_arguments):
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(duplicates, "_earlier", die)
        with pytest.raises(_Killed):
            world.gateway.billing.run() if kind == "period" else world.charge(contract, 3000)
    world.gateway.close()
    world.gateway = Gateway(**world.options)
    assert operator(world) == []
    assert earlier.state is ChargeState.SUCCEEDED

    world.gateway.billing.reconcile()
    world.gateway.billing.reconcile()

    (notice,) = operator(world)
    assert notice.contract_id == contract.id


@pytest.mark.rule("R-341", "R-332")
def test_an_earlier_charge_without_a_result_is_not_reported_as_not_paid(world):
    first, second = (world.contract("stripe", customer=f"cus_{n}", token=TOKEN) for n in range(2))
    world.stripe.next(StayPending())
    waiting = world.charge(first, 5000)
    world.clock.advance(minutes=1)
    world.stripe.next(DUPLICATE)
    world.charge(second, 5000)

    (notice,) = operator(world)
    assert waiting.id in notice.message
    assert "no result yet" in notice.message
    assert "not paid" not in notice.message
