"""Another card for a contract: the way out of PAST_DUE (R-400 to R-404)."""

import datetime as dt

import attrs
import pytest

from paygate import JST, BankTransfer, Card, Customer, Money, Plan, Status
from paygate.domain.charge import ChargeState, Purpose
from paygate.domain.contract import Actor
from paygate.errors import (
    CapabilityNotSupported,
    ChargeInProgress,
    ConsentRequired,
    InvalidValue,
    NotFound,
    OperationNotAllowed,
    PermissionDenied,
    WrongMode,
)
from paygate.provider import DeclineClass, Mode
from paygate.testing import Decline, StayPending

LOST = Decline("lost_card", DeclineClass.HARD)
SOFT = Decline(None, DeclineClass.SOFT)
NEW = Card("stripe", "tok_new")
AGREED = "phone, 2026-02-20"


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def now(world, contract):
    return world.gateway.contracts.get(contract.id)


def past_due(world, answer=LOST, account="stripe"):
    """A contract whose renewal of 15 February was declined."""
    contract = world.contract(account)
    world.fake(account).script_for(f"tok_{account}_cus_1", answer)
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    if account == "univapay":
        world.clock.advance(minutes=1)
        world.gateway.billing.reconcile()
    assert now(world, contract).status is Status.PAST_DUE
    world.observer.heard.clear()
    world.fake(account).calls.clear()
    return contract


def used(world, account="stripe"):
    """The cards that were charged, in order."""
    return [call.request.credential for call in world.fake(account).calls if call.hook == "charge"]


def change(world, contract, card=NEW, **options):
    return world.gateway.contracts.change_payment(contract.id, card, **options)


@pytest.mark.rule("R-404")
@pytest.mark.parametrize("answer", [LOST, SOFT])
def test_the_next_run_collects_the_unpaid_period_with_the_new_card(world, answer):
    contract = past_due(world, answer)
    assert not [step for step in world.gateway.billing.plan() if step.charge]

    changed = change(world, contract)

    assert changed.changed
    assert changed.charge is None
    (planned,) = [step for step in world.gateway.billing.plan() if step.contract_id == contract.id]
    assert planned.charge == Money(3000, "JPY")
    report = world.gateway.billing.run()
    assert report.retried == 1
    assert used(world) == ["tok_new"]
    after = now(world, contract)
    assert (after.status, after.expires_on) == (Status.ACTIVE, dt.date(2026, 3, 15))
    assert world.gateway.billing.run().retried == 0


@pytest.mark.rule("R-404", "R-148", "R-149")
def test_the_new_card_has_all_attempts_of_the_schedule(world):
    contract = past_due(world, SOFT)
    for day in ("2026-02-25", "2026-03-07"):  # one attempt of four is left, and it would end the contract
        at(world, f"{day}T03:00:00")
        assert world.gateway.billing.run().failed == 1
    world.stripe.script_for("tok_new", SOFT)
    world.stripe.calls.clear()
    change(world, contract)
    world.observer.heard.clear()

    world.gateway.billing.run()

    assert used(world) == ["tok_new"]
    missing = now(world, contract).past_due
    assert (missing.failures, missing.exhausted) == (1, False)
    first = world.observer.of("notice")[0].notice
    assert (first.kind.value, first.facts["attempt"], first.next.name) == ("renewal_failed", 1, "RETRY")


@pytest.mark.rule("R-404", "R-331")
def test_a_card_that_was_held_back_is_tried_no_more_and_the_new_one_is(world):
    other = world.contract("stripe", customer="cus_2", token="tok_shared")
    contract = world.contract("stripe", customer="cus_3", token="tok_shared")
    world.stripe.script_for("tok_shared", LOST)
    world.charge(other)
    world.clock.advance(minutes=1)
    at(world, "2026-02-15T03:00:00")
    world.gateway.billing.run()
    assert now(world, contract).status is Status.PAST_DUE
    world.stripe.calls.clear()

    change(world, contract)
    world.gateway.billing.run()

    assert used(world) == ["tok_new"]
    assert now(world, contract).status is Status.ACTIVE
    assert now(world, other).credential == "tok_shared"  # another contract's card is its own


@pytest.mark.rule("R-403", "R-380")
def test_what_is_unpaid_is_collected_at_once_and_only_once(world):
    contract = past_due(world)

    done = [change(world, contract, collect=True, consent=AGREED, idempotency_key="new-card-7") for _ in range(2)]

    assert [one.changed for one in done] == [True, False]
    assert [one.charge.id for one in done] == [done[0].charge.id] * 2
    charge = done[0].charge
    assert (charge.state, charge.purpose, charge.amount.minor) == (ChargeState.SUCCEEDED, Purpose.ARREARS, 3000)
    assert used(world) == ["tok_new"]
    assert done[0].contract.status is Status.ACTIVE
    assert world.gateway.billing.run().retried == 0
    assert change(world, contract, collect=True, consent=AGREED).charge is None
    assert used(world) == ["tok_new"]


@pytest.mark.rule("R-403")
def test_a_decline_leaves_the_new_card_in_place(world):
    contract = past_due(world)
    world.stripe.script_for("tok_new", SOFT)

    done = change(world, contract, collect=True, consent=AGREED)

    assert done.charge.state is ChargeState.FAILED
    assert (done.contract.status, done.contract.credential) == (Status.PAST_DUE, "tok_new")


@pytest.mark.rule("R-403", "R-188")
def test_without_the_customers_agreement_nothing_is_collected_and_nothing_changed(world):
    contract = past_due(world)

    with pytest.raises(ConsentRequired, match="nothing was changed"):
        change(world, contract, collect=True)

    assert now(world, contract) == contract or now(world, contract).credential == contract.credential
    assert used(world) == []


@pytest.mark.rule("R-403", "R-404")
def test_another_account_takes_over_and_collects_though_nobody_has_paid_there(world):
    contract = past_due(world)
    card = Card("univapay", "tok_u")

    done = change(world, contract, card, collect=True, consent=AGREED)
    world.gateway.charges.wait(done.charge.id, timeout=300)

    after = now(world, contract)
    assert (after.account, after.credential, after.status) == ("univapay", "tok_u", Status.ACTIVE)
    assert used(world) == []
    assert used(world, "univapay") == ["tok_u"]
    (row,) = [row for row in world.gateway.ledger.list(contract_id=contract.id) if row.account == "univapay"]
    assert row.target_on == dt.date(2026, 2, 15)


@pytest.mark.rule("R-400")
def test_both_sides_are_told_and_no_token_is_shown_anywhere(world):
    contract = world.contract("stripe")

    change(world, contract, reason="customer called")

    notices = [one.notice for one in world.observer.of("notice")]
    assert [(one.kind.value, one.audience.value) for one in notices] == [
        ("card_changed", "customer"),
        ("card_changed", "admin"),
    ]
    (record,) = [one for one in world.gateway.audit.list(contract_id=contract.id) if one.action == "change_payment"]
    assert (record.reason, record.actor.kind.value, record.after["account"]) == ("customer called", "admin", "stripe")
    assert record.after["card"] != record.after["card_before"]
    said = f"{notices} {record} {change(world, contract)}"
    assert "tok_" not in said


@pytest.mark.rule("R-400")
def test_the_same_card_is_nothing_to_do(world):
    contract = world.contract("stripe")
    version = contract.version

    done = change(world, contract, Card("stripe", contract.credential))

    assert not done.changed
    assert now(world, contract).version == version
    assert world.observer.of("notice") == []


@pytest.mark.rule("R-400", "R-267")
def test_a_customer_changes_the_card_of_the_own_contract_only(world):
    contract = world.contract("stripe")

    with pytest.raises(PermissionDenied):
        change(world, contract, actor=Actor.customer("cus_other"))
    assert now(world, contract).credential == contract.credential
    assert change(world, contract, actor=Actor.customer("cus_1")).changed


@pytest.mark.rule("R-400")
def test_contracts_that_have_ended_or_have_no_card_take_none(world):
    ended = past_due(world)
    world.gateway.contracts.terminate(ended.id)
    offline = world.gateway.contracts.create(Customer("cus_9"), Plan.one_off("Book", Money(500, "JPY")), BankTransfer())
    world.gateway.contracts.confirm_payment(offline.id)
    world.observer.heard.clear()

    for contract in (ended, offline):
        offer = next(
            one for one in world.gateway.contracts.operations(contract.id) if one.operation.value == "change_payment"
        )
        assert not offer.offered
        assert offer.text
        with pytest.raises(OperationNotAllowed):
            change(world, contract)
    assert world.observer.of("notice") == []


@pytest.mark.rule("R-401")
def test_the_card_stays_while_a_charge_has_no_result(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending(600))
    charge = world.charge(contract)

    with pytest.raises(ChargeInProgress, match=charge.id):
        change(world, contract, Card("univapay", "tok_2"))

    assert now(world, contract).credential == contract.credential
    world.gateway.charges.wait(charge.id, timeout=3600)
    assert change(world, contract, Card("univapay", "tok_2")).changed


@pytest.mark.rule("R-402", "R-220")
def test_an_account_that_cannot_take_the_contract_is_refused(world):
    contract = world.contract("stripe")

    with pytest.raises(CapabilityNotSupported, match="lump-sum"):
        change(world, contract, Card("amazonpay", "S01-1"))
    with pytest.raises(CapabilityNotSupported, match="begin there"):
        change(world, contract, Card("telecom", "123"))
    with pytest.raises(NotFound):
        change(world, contract, Card("nowhere", "123"))
    assert now(world, contract) == contract


@pytest.mark.rule("R-402")
def test_a_card_that_was_changed_on_the_providers_screen_is_recorded(world):
    contract = world.contract("telecom")

    with pytest.raises(CapabilityNotSupported, match="changed_elsewhere"):
        change(world, contract, Card("telecom", "tok_other"))
    assert world.telecom.calls == []

    done = change(world, contract, Card("telecom", contract.credential), changed_elsewhere=True, reason="on the screen")

    assert done.changed or done.contract == contract
    assert any(one.action == "change_payment" for one in world.gateway.audit.list(contract_id=contract.id))
    stripe = world.contract("stripe", customer="cus_5")
    with pytest.raises(InvalidValue, match="changed_elsewhere"):
        change(world, stripe, changed_elsewhere=True)


@pytest.mark.rule("R-400", "X-24")
def test_a_live_contract_takes_no_test_account(world):
    contract = world.contract("stripe")
    store = world.gateway._services.store
    with store.write() as session:
        session.contracts.update(attrs.evolve(contract, mode=Mode.LIVE))
    account = world.gateway.providers.get("univapay")
    account.mode = Mode.TEST

    with pytest.raises(WrongMode):
        change(world, contract, Card("univapay", "tok_u"))

    assert now(world, contract).account == "stripe"


# --- subscriptions that the provider runs ----------------------------------------------------------------------------


def provided(world):
    """A contract whose renewal of 15 February Stripe's own subscription has failed to charge, with a retry to come."""
    contract = world.contract("stripe")
    world.stripe.script_renewal(SOFT)
    at(world, "2026-02-15T09:00:00")
    world.deliver("stripe")
    assert now(world, contract).status is Status.PAST_DUE
    world.observer.heard.clear()
    world.stripe.calls.clear()
    return contract


def hooks(world):
    return [call.hook for call in world.stripe.calls if call.hook not in {"parse_webhook", "describe_card"}]


@pytest.mark.rule("R-403")
def test_a_provider_that_runs_the_subscription_is_given_the_card_first(renewing):
    contract = renewing.contract("stripe")

    change(renewing, contract)

    (call,) = [call for call in renewing.stripe.calls if call.hook == "change_recurring_payment"]
    assert (call.request.contract_id, call.request.new_credential) == (contract.id, "tok_new")
    assert call.request.reference == contract.subscription.reference
    assert now(renewing, contract).credential == "tok_new"
    at(renewing, "2026-02-15T09:00:00")
    renewing.deliver("stripe")
    assert now(renewing, contract).status is Status.ACTIVE


@pytest.mark.rule("R-403")
def test_a_provider_that_does_not_take_the_card_leaves_everything_as_it_is(renewing):
    contract = renewing.contract("stripe")
    account = renewing.gateway.providers.get("stripe")
    account.capabilities = attrs.evolve(account.capabilities, changes_recurring_payment=False)

    with pytest.raises(CapabilityNotSupported, match="own screen"):
        change(renewing, contract)

    assert now(renewing, contract).credential == contract.credential
    assert renewing.observer.of("notice") == []
    done = change(renewing, contract, changed_elsewhere=True)
    assert done.contract.credential == "tok_new"
    assert hooks(renewing) == []


@pytest.mark.rule("R-403", "R-161")
def test_what_the_provider_can_collect_it_collects_and_paygate_charges_nothing(renewing):
    contract = provided(renewing)
    before = renewing.stripe.book.captured()

    done = change(renewing, contract, collect=True, consent=AGREED)

    assert (done.collecting, done.charge) == (True, None)
    assert hooks(renewing) == ["change_recurring_payment"]
    renewing.clock.advance(minutes=1)
    renewing.deliver("stripe")
    assert now(renewing, contract).status is Status.ACTIVE
    renewing.gateway.billing.run()
    assert renewing.stripe.book.captured() == before + 3000


@pytest.mark.rule("R-403", "R-387")
def test_a_provider_collects_nothing_where_nothing_is_unpaid_here_any_more(renewing):
    contract = provided(renewing)
    renewing.charge(contract, 3000, purpose=Purpose.ARREARS)
    assert now(renewing, contract).status is Status.ACTIVE
    before = renewing.stripe.book.captured()

    done = change(renewing, contract, collect=True, consent=AGREED)

    assert (done.collecting, done.charge) == (False, None)
    renewing.clock.advance(minutes=1)
    renewing.deliver("stripe")
    assert renewing.stripe.book.captured() == before


@pytest.mark.rule("R-402")
def test_a_subscription_of_the_provider_does_not_move_to_another_account(renewing):
    contract = renewing.contract("stripe")

    with pytest.raises(CapabilityNotSupported, match="cannot move"):
        change(renewing, contract, Card("univapay", "tok_u"))

    assert now(renewing, contract) == contract
    assert hooks(renewing) == []


@pytest.mark.rule("R-400")
def test_each_face_changes_the_card(faces):
    contract = faces.contract("stripe")

    assert change(faces, contract).contract.credential == "tok_new"


@pytest.mark.rule("R-400", "X-21")
def test_a_change_that_is_refused_asks_no_provider_about_the_card(world):
    contract = past_due(world)

    for refused, error in (
        ({"actor": Actor.customer("cus_other")}, PermissionDenied),
        ({"collect": True}, ConsentRequired),
        ({"card": Card("amazonpay", "S01-1")}, CapabilityNotSupported),
    ):
        with pytest.raises(error):
            change(world, contract, **refused)
    world.gateway.contracts.terminate(contract.id)
    with pytest.raises(OperationNotAllowed):
        change(world, contract)

    assert world.stripe.calls == []
    assert world.amazonpay.calls == []
