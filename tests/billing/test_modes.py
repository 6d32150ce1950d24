"""Test and live never mix: a contract remembers the mode that it was made in, and is used in no other (X-24)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from paygate import JST, Card, Customer, Gateway, Money
from paygate.billing.importing import NewContract
from paygate.domain.charge import ChargeState, RefundState
from paygate.errors import ConfigurationError, OutcomeUnknown, WrongMode
from paygate.provider import Mode
from paygate.testing import Decline, FakeStripe, FakeUnivaPay, ManualClock, StayPending, Vanish

from .conftest import ONE_OFF, PLAN, World

pytestmark = pytest.mark.rule("X-24")


def _in_mode(world: World, mode: Mode | None, **declared: Mode) -> None:
    """Another process opens the database; all accounts are in *mode* now."""
    for name in ("univapay", "stripe", "telecom", "amazonpay"):
        world.fake(name).mode = mode
        world.fake(name).calls.clear()
    world.options["modes"] = declared
    world.reopen()


@pytest.fixture
def live(world: World) -> World:
    """A shop whose accounts are live."""
    _in_mode(world, Mode.LIVE)
    return world


def test_a_contract_remembers_the_mode_of_its_account(live: World) -> None:
    assert live.contract("stripe").mode is Mode.LIVE
    _in_mode(live, None)
    assert live.contract("univapay", customer="cus_2").mode is None


Use = Callable[[World, str], Any]

_USES: dict[str, Use] = {
    "charge": lambda world, id_: world.gateway.charges.create(id_, Money(500, "JPY"), consent="phone"),
    "charge preview": lambda world, id_: world.gateway.charges.preview(id_, Money(500, "JPY"), consent="phone"),
    "refund": lambda world, id_: world.gateway.refunds.create(world.gateway.ledger.list(contract_id=id_).first().id),
    "refund preview": lambda world, id_: world.gateway.refunds.preview(
        world.gateway.ledger.list(contract_id=id_).first().id
    ),
    "cancel and refund": lambda world, id_: world.gateway.contracts.cancel_and_refund(id_),
    "schedule the end": lambda world, id_: world.gateway.contracts.schedule_cancellation(id_),
    "delete": lambda world, id_: world.gateway.contracts.delete(id_, confirm=id_, reason="mistake"),
}


@pytest.mark.parametrize("use", _USES)
@pytest.mark.parametrize(("made", "now"), [(Mode.LIVE, Mode.TEST), (Mode.TEST, Mode.LIVE)])
def test_an_account_of_the_other_mode_is_not_used_for_it_and_nothing_is_sent_or_written(
    world: World, made: Mode, now: Mode, use: str
) -> None:
    _in_mode(world, made)
    contract = world.contract("stripe", ONE_OFF if use == "cancel and refund" else PLAN)
    _in_mode(world, now)
    before = world.gateway.contracts.details(contract.id), world.gateway.audit.list().all()

    with pytest.raises(WrongMode, match=rf"made in {made.value} mode and account 'stripe' is in {now.value} mode"):
        _USES[use](world, contract.id)

    assert world.stripe.calls == []
    assert (world.gateway.contracts.details(contract.id), world.gateway.audit.list().all()) == before


@pytest.mark.parametrize(("made", "now"), [(None, Mode.LIVE), (Mode.LIVE, None), (Mode.TEST, Mode.TEST)])
def test_what_is_not_known_to_differ_is_used(world: World, made: Mode | None, now: Mode | None) -> None:
    _in_mode(world, made)
    contract = world.contract("stripe")
    _in_mode(world, now)
    assert world.charge(contract).state is ChargeState.SUCCEEDED


def test_a_billing_run_leaves_contracts_of_the_other_mode_alone_and_says_so(live: World, clock: ManualClock) -> None:
    due = live.contract("stripe")
    late = live.contract("stripe", customer="cus_late")
    live.stripe.script_for("tok_stripe_cus_late", Decline("card_declined"))
    clock.set(dt.datetime(2026, 2, 15, 9, 0, tzinfo=JST))
    assert live.gateway.billing.run().suspended == 1
    clock.set(dt.datetime(2026, 3, 15, 9, 0, tzinfo=JST))  # the renewal of one, and a retry of the other

    _in_mode(live, Mode.TEST)
    (planned,) = live.gateway.billing.plan()
    assert (planned.contract_id, planned.work.value, planned.charge) == (due.id, "nothing", None)
    assert "X-24" in planned.why
    report = live.gateway.billing.run()
    assert (report.blocked, report.renewed, report.retried, report.failed, report.charged) == (1, 0, 0, 0, {})
    assert live.stripe.calls == []

    _in_mode(live, Mode.LIVE)
    report = live.gateway.billing.run()
    assert (report.blocked, report.renewed, report.failed) == (0, 1, 1)
    assert live.gateway.contracts.get(late.id).past_due is not None


def test_an_open_charge_is_not_looked_up_in_the_other_mode_where_it_would_seem_never_made(
    live: World, clock: ManualClock
) -> None:
    contract = live.contract("stripe")  # its look-up is proof: what is not found never happened
    live.stripe.next(Vanish(after=True))
    charge = live.charge(contract)
    assert charge.state is ChargeState.UNKNOWN
    clock.advance(hours=1)

    _in_mode(live, Mode.TEST)
    outcome = live.gateway.billing.reconcile()
    assert (outcome.settled, outcome.still_open) == ((), (charge.id,))
    assert live.gateway.charges.wait(charge.id, timeout=1).state is ChargeState.UNKNOWN
    assert live.stripe.calls == []

    _in_mode(live, Mode.LIVE)
    assert live.gateway.billing.reconcile().settled == (charge.id,)
    assert live.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED


def test_an_open_refund_is_not_looked_up_in_the_other_mode(live: World, clock: ManualClock) -> None:
    contract = live.contract("stripe")
    charge = live.settled(contract)
    live.stripe.next_refund(Vanish(after=True))
    refund = live.gateway.refunds.create(charge.id)
    clock.advance(hours=1)

    _in_mode(live, Mode.TEST)
    assert live.gateway.refunds.wait(refund.id, timeout=1).state is RefundState.UNKNOWN
    assert live.stripe.calls == []
    _in_mode(live, Mode.LIVE)
    assert live.gateway.refunds.wait(refund.id, timeout=1).state is RefundState.DONE


def test_a_first_payment_that_is_open_waits_for_its_own_mode(live: World, clock: ManualClock) -> None:
    live.stripe.next(Vanish(after=True))
    with pytest.raises(OutcomeUnknown) as unknown:
        live.gateway.contracts.create(Customer("cus_1"), PLAN, Card("stripe", "tok_1"), contract_id="con_1")
    clock.advance(hours=1)

    _in_mode(live, Mode.TEST)
    assert live.gateway.billing.reconcile().still_open == (unknown.value.charge_id,)
    assert live.stripe.calls == []
    _in_mode(live, Mode.LIVE)
    live.gateway.billing.reconcile()
    assert live.gateway.contracts.get("con_1").mode is Mode.LIVE


def test_a_notice_of_the_other_mode_settles_nothing_and_an_operator_hears_of_it(live: World) -> None:
    contract = live.contract("univapay")
    live.univapay.next(StayPending(seconds=1))
    charge = live.charge(contract)
    refunded = live.settled(live.contract("univapay", customer="cus_2"), 700)
    refund = live.gateway.refunds.create(refunded.id)

    live.clock.advance(minutes=1)
    _in_mode(live, Mode.TEST)
    live.observer.heard.clear()
    for notice in live.univapay.notifications():
        receipt = live.gateway.webhooks.receive("univapay", notice.headers, notice.body)
        assert {event.outcome for event in receipt.events} <= {"unmatched"}

    assert live.gateway.charges.get(charge.id).state is ChargeState.PENDING
    assert live.gateway.refunds.get(refund.id).state is RefundState.PENDING
    assert {notice.code for notice in live.observer.of("operator")} == {"unmatched_event"}


def test_a_renewal_that_the_provider_reports_in_the_other_mode_renews_nothing(
    renewing: World, clock: ManualClock
) -> None:
    _in_mode(renewing, Mode.LIVE)
    contract = renewing.contract("stripe")
    clock.set(dt.datetime(2026, 2, 15, 9, 0, tzinfo=JST))
    notice = renewing.stripe.renew(contract.id, contract.credential or "", PLAN.price)
    _in_mode(renewing, Mode.TEST)
    receipt = renewing.gateway.webhooks.receive("stripe", notice.headers, notice.body)
    assert [event.outcome for event in receipt.events] == ["unmatched"]
    assert renewing.gateway.contracts.get(contract.id) == contract


# --- no way back -----------------------------------------------------------------------------------------------------


def _make(world: World, name: str) -> Any:
    return world.gateway.contracts.create(
        Customer(name), PLAN, Card("stripe", f"tok_{name}"), contract_id=f"con_{name}"
    )


def _import(world: World, name: str, **options: Any) -> Any:
    row = NewContract(f"con_{name}", Customer(name), PLAN, Card("stripe", f"tok_{name}"), dt.date(2026, 1, 8))
    return world.gateway.contracts.import_many([row], **options)


def test_once_there_is_a_live_contract_no_test_contract_is_made_through_the_account(live: World) -> None:
    contract = live.contract("stripe")
    live.gateway.contracts.delete(contract.id, confirm=contract.id, reason="also when it is gone")
    _in_mode(live, Mode.TEST)

    with pytest.raises(WrongMode, match="account 'stripe' has live contracts"):
        _make(live, "ann")
    assert live.stripe.calls == []
    ((_, refusal),) = _import(live, "ann", check_only=True).refused
    assert isinstance(refusal, WrongMode)
    assert _import(live, "ann").imported == ()
    assert live.contract("univapay").mode is Mode.TEST  # an account that never was live


def test_an_imported_live_contract_counts_as_well(live: World) -> None:
    assert _import(live, "ann").imported == ("con_ann",)
    assert live.gateway.contracts.get("con_ann").mode is Mode.LIVE
    _in_mode(live, Mode.TEST)
    with pytest.raises(WrongMode):
        _make(live, "bob")


def test_an_account_may_go_from_test_to_live(world: World) -> None:
    _in_mode(world, Mode.TEST)
    _make(world, "ann")
    _in_mode(world, Mode.LIVE)
    assert _make(world, "bob").mode is Mode.LIVE


def test_a_first_payment_that_failed_made_no_live_contract(live: World) -> None:
    live.stripe.next(Decline("card_declined"))
    with pytest.raises(Exception, match="card_declined"):
        _make(live, "ann")
    _in_mode(live, Mode.TEST)
    assert _make(live, "ann").mode is Mode.TEST


# --- who says which mode it is ---------------------------------------------------------------------------------------


class _Silent(FakeStripe):
    mode = None


def _mode(provider: object, **declared: Any) -> Mode | None:
    with Gateway(database="sqlite://", providers={"shop": provider}, modes=declared) as gateway:
        return gateway.providers.get("shop").mode


def test_the_credentials_say_it_or_the_seller_does() -> None:
    assert _mode(FakeUnivaPay()) is Mode.TEST
    assert _mode(_Silent()) is None
    assert _mode(_Silent(), shop=Mode.LIVE) is Mode.LIVE
    assert _mode(FakeUnivaPay(), shop=Mode.TEST) is Mode.TEST


def test_credentials_that_contradict_the_seller_are_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match=r"'shop' is declared as live, but its credentials are .* test mode"):
        _mode(FakeUnivaPay(), shop=Mode.LIVE)
    with pytest.raises(ConfigurationError, match="unknown accounts: shpo"):
        _mode(FakeUnivaPay(), shpo=Mode.LIVE)
    with pytest.raises(ConfigurationError, match=r"Mode\.TEST or Mode\.LIVE"):
        _mode(_Silent(), shop="live")
