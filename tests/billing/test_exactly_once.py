"""No intended charge moves money twice, and no captured money stays unrecorded, whatever is lost on the way."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from paygate import ChargeState, Gateway, Money
from paygate.domain.ledger import EntryKind
from paygate.errors import ChargeInProgress, InvalidValue, OperationNotAllowed, OutcomeUnknown, ProviderUnavailable
from paygate.testing import NeverThere, StayPending, Vanish


def addons(world, contract):
    return [row for row in world.gateway.ledger.list(contract_id=contract.id) if row.kind is EntryKind.ADDON]


class Killed(KeyboardInterrupt):
    """The process dies here: no handler in the way may see it."""


@pytest.mark.rule("R-193", "B-114", "X-05")
@pytest.mark.parametrize(("after", "ends"), [(True, ChargeState.SUCCEEDED), (False, ChargeState.FAILED)])
def test_a_lost_answer_is_unknown_blocks_and_is_settled_by_looking_it_up(world, after, ends):
    contract = world.contract("amazonpay")
    world.amazonpay.next(Vanish(after=after))

    charge = world.charge(contract)
    assert charge.state is ChargeState.UNKNOWN
    with pytest.raises(OutcomeUnknown):
        charge.raise_for_failure()
    with pytest.raises(ChargeInProgress):
        world.charge(contract, 6000)
    report = world.gateway.billing.reconcile()

    settled = world.gateway.charges.get(charge.id)
    if ends is ChargeState.SUCCEEDED:
        assert settled.state is ChargeState.SUCCEEDED
        assert charge.id in report.settled
    captured = [row for row in world.amazonpay.book.captures if row.attempt == charge.id]
    assert len(captured) == len(addons(world, contract))
    assert len(captured) <= 1


@pytest.mark.rule("R-193", "X-05")
@pytest.mark.parametrize("account", ["univapay", "stripe"])
def test_money_taken_behind_a_lost_answer_is_found_and_recorded_once(world, account):
    contract = world.contract(account)
    world.fake(account).next(Vanish(after=True))

    charge = world.charge(contract)
    world.clock.advance(minutes=5)
    for _ in range(3):
        world.gateway.billing.reconcile()

    assert world.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
    assert len(addons(world, contract)) == 1
    assert [row.amount for row in world.fake(account).book.captures if row.attempt == charge.id] == [Money(5000, "JPY")]


def test_a_charge_that_never_got_there_fails_as_unsent_and_may_be_asked_for_anew(world):
    contract = world.contract("stripe")
    world.stripe.next(NeverThere())

    charge = world.charge(contract)
    with pytest.raises(ProviderUnavailable):
        charge.raise_for_failure()
    again = world.charge(contract)

    assert (charge.state, charge.failure.sent) == (ChargeState.FAILED, False)
    assert again.state is ChargeState.SUCCEEDED
    assert world.stripe.book.captured() == 3000 + 5000


@pytest.mark.rule("R-193", "R-176")
def test_where_nothing_can_be_looked_up_the_operator_is_told_and_resolves(world):
    contract = world.contract("telecom")
    world.telecom.next(Vanish(after=True))

    charge = world.charge(contract)
    report = world.gateway.billing.reconcile()
    told = [notice for notice in world.observer.of("operator") if notice.charge_id == charge.id]
    with pytest.raises(InvalidValue, match="note"):
        world.gateway.charges.resolve(charge.id, succeeded=True, note=" ")
    resolved = world.gateway.charges.resolve(charge.id, succeeded=True, reference="T-1", note="console, 2026-01-15")

    assert charge.state is ChargeState.UNKNOWN
    assert report.needs_operator == (charge.id,)
    assert [notice.code for notice in told] == ["unknown_outcome"]
    assert "charges.resolve" in told[0].message
    assert resolved.state is ChargeState.SUCCEEDED
    assert len(addons(world, contract)) == 1
    with pytest.raises(OperationNotAllowed):
        world.gateway.charges.resolve(charge.id, succeeded=False, note="again")


@pytest.mark.rule("R-193")
def test_pending_becomes_unknown_after_the_waiting_time_and_never_failed(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending())
    charge = world.charge(contract)

    world.clock.set(charge.created_at + dt.timedelta(seconds=899))
    world.gateway.billing.reconcile()
    just_before = world.gateway.charges.get(charge.id).state
    world.clock.set(charge.created_at + dt.timedelta(seconds=900))
    world.gateway.billing.reconcile()
    at = world.gateway.charges.get(charge.id).state
    world.clock.advance(days=1)
    world.gateway.billing.reconcile()
    world.gateway.billing.reconcile()

    assert (just_before, at) == (ChargeState.PENDING, ChargeState.UNKNOWN)
    assert world.gateway.charges.get(charge.id).state is ChargeState.UNKNOWN
    assert len([n for n in world.observer.of("operator") if n.charge_id == charge.id]) == 1


@pytest.mark.rule("R-268", "R-189", "X-03")
def test_a_double_click_in_two_threads_makes_one_charge(world):
    contract = world.contract("stripe")
    gate, results = threading.Barrier(2), []

    def click(key):
        gate.wait()
        try:
            results.append(world.charge(contract, idempotency_key=key).state)
        except ChargeInProgress as exc:
            results.append(type(exc))

    threads = [threading.Thread(target=click, args=("order-1",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(results) == 2
    assert len(addons(world, contract)) == 1
    assert world.stripe.book.captured() == 3000 + 5000


@pytest.mark.rule("R-268")
def test_many_threads_on_one_contract_are_serialised_and_books_and_ledger_agree(world):
    contract = world.contract("stripe")
    outcomes = []

    def buy(number):
        try:
            outcomes.append(
                world.charge(contract, 1000 + number, renew_expiry=True, idempotency_key=f"o-{number}").state
            )
        except ChargeInProgress:
            outcomes.append("in progress")

    threads = [threading.Thread(target=buy, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    succeeded = outcomes.count(ChargeState.SUCCEEDED)
    assert len(outcomes) == 8
    assert succeeded >= 1
    assert len(addons(world, contract)) == succeeded
    assert world.gateway.ledger.net(contract.id).minor == world.stripe.book.captured()
    months = world.gateway.contracts.get(contract.id).expires_on
    assert (months.year - 2026) * 12 + months.month - 2 == succeeded


@pytest.mark.parametrize("point", ["before sending", "after the provider answered"])
def test_a_process_killed_around_the_call_leaves_an_intent_that_reconciliation_settles(world, monkeypatch, point):
    contract = world.contract("stripe")
    real = world.stripe.charge

    async def dying(request):
        if point == "after the provider answered":
            await real(request)
        raise Killed

    monkeypatch.setattr(world.stripe, "charge", dying)
    world.reopen()
    with pytest.raises(Killed):
        world.charge(contract, idempotency_key="order-9")
    monkeypatch.undo()
    world.reopen()

    attempt = world.gateway.charges.list(contract_id=contract.id, state=ChargeState.PENDING).all()[0]
    assert world.charge(contract, idempotency_key="order-9").id == attempt.id
    world.clock.advance(minutes=16)
    world.gateway.billing.reconcile()
    captured = [row for row in world.stripe.book.captures if row.attempt == attempt.id]

    assert len(captured) == (0 if point == "before sending" else 1)
    assert len(addons(world, contract)) == len(captured)


def test_a_crash_before_the_outcome_is_committed_loses_no_money(world, monkeypatch):
    contract = world.contract("stripe")
    monkeypatch.setattr("paygate.billing.charges.apply_charge", _die)

    with pytest.raises(Killed):
        world.charge(contract, idempotency_key="order-9", renew_expiry=True)
    monkeypatch.undo()
    again = world.charge(contract, idempotency_key="order-9", renew_expiry=True)
    assert again.state is ChargeState.PENDING
    world.clock.advance(minutes=3)
    world.gateway.billing.reconcile()

    assert world.gateway.charges.get(again.id).state is ChargeState.SUCCEEDED
    assert len(addons(world, contract)) == 1
    assert world.stripe.book.captured() == 3000 + 5000


def _die(*_args, **_kwargs):
    raise Killed


def test_an_attempt_that_may_still_be_on_its_way_is_left_alone(world, monkeypatch):
    contract = world.contract("amazonpay")
    monkeypatch.setattr("paygate.billing.charges.apply_charge", _die)
    with pytest.raises(Killed):
        world.charge(contract)
    monkeypatch.undo()
    world.amazonpay.calls.clear()

    world.gateway.billing.reconcile()

    assert world.amazonpay.calls == []


def test_a_plugin_that_raises_leaves_an_unknown_outcome_never_a_failure(world, monkeypatch, caplog):
    contract = world.contract("stripe")

    async def broken(request):
        raise RuntimeError("secret-token-1234")

    monkeypatch.setattr(world.stripe, "charge", broken)
    world.reopen()
    charge = world.charge(contract)

    assert charge.state is ChargeState.UNKNOWN
    assert "secret-token-1234" not in repr(charge)
    assert "the plugin failed" in caplog.text


def test_a_failed_attempt_that_succeeded_after_all_is_recorded_and_reported(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending())
    charge = world.charge(contract)
    world.gateway.charges.resolve(charge.id, succeeded=False, note="thought it was lost")
    world.univapay.finish(charge.reference)
    for notice in world.univapay.notifications():
        world.gateway.webhooks.receive("univapay", notice.headers, notice.body)

    assert world.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
    assert len(addons(world, contract)) == 1
    assert "late_success" in [notice.code for notice in world.observer.of("operator")]


def test_two_gateways_on_one_database_see_one_anothers_intents(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending())
    world.charge(contract)

    with Gateway(database=world.url, providers={"univapay": world.univapay}, clock=world.clock) as other:
        with pytest.raises(ChargeInProgress):
            other.charges.create(contract.id, Money(10, "JPY"), consent="yes")
        world.clock.advance(minutes=1)
        assert [row.kind for row in other.ledger.list(contract_id=contract.id)] == [EntryKind.PERIOD]
