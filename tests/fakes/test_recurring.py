"""Fakes that own renewals and store cards: what they charge by themselves, tell, and keep."""

from __future__ import annotations

import datetime as dt
from importlib import import_module

import attrs
import pytest

from paygate import JST, Money
from paygate.errors import (
    CapabilityNotSupported,
    ChargeDeclined,
    InvalidValue,
    NotFound,
    OutcomeUnknown,
    ProviderUnavailable,
)
from paygate.provider import (
    CheckoutRequest,
    CheckoutState,
    EventKind,
    Outcome,
    Renewals,
    SubscriptionRequest,
    SubscriptionStart,
)
from paygate.testing import (
    Decline,
    FakeSettings,
    FakeStripe,
    FakeTelecom,
    FakeUnivaPay,
    NeverThere,
    StayPending,
    Vanish,
)

from .conftest import run

YEN = Money(3000, "JPY")


def start_of(contract="con_1", starts_on="2026-01-31", months=1, **more):
    return SubscriptionStart(
        contract, f"key-{contract}", "tok_1", YEN, months, dt.date.fromisoformat(starts_on), **more
    )


@pytest.fixture(params=[FakeStripe, FakeUnivaPay], ids=lambda kind: kind.__name__)
def owner(request, at, manual_clock):
    manual_clock.set(dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST))
    return at(request.param(renewals="provider"))


@pytest.fixture
def stripe(at, manual_clock):
    manual_clock.set(dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST))
    return at(FakeStripe(renewals="provider"))


def test_a_fake_stripe_whose_renewals_are_its_own_declares_what_the_plugin_then_declares():
    stripe = import_module("paygate_stripe")
    settings = stripe.StripeSettings(api_key="sk_test_" + "0" * 24, webhook_secret="whsec_test", renewals="provider")

    assert FakeStripe(renewals="provider").capabilities() == stripe.Stripe(settings).capabilities()


def start(desk, request=None):
    return run(desk.fake.start_recurring(request or start_of()))


def test_the_setting_changes_who_charges_and_nothing_else():
    for kind in (FakeStripe, FakeUnivaPay):
        merchant, provider = kind().capabilities(), kind(renewals="provider").capabilities()
        assert kind(renewals="merchant").capabilities() == merchant
        assert provider == attrs.evolve(merchant, renewals=Renewals.PROVIDER, starts_subscriptions=True)
        with pytest.raises(InvalidValue, match="renewals"):
            kind(renewals="none")


@pytest.mark.rule("R-032", "R-036")
def test_it_charges_each_period_in_the_morning_of_its_day_and_tells_of_it(owner):
    start(owner, start_of(starts_on="2026-02-28", anchor_day=31))
    owner.clock.set(dt.datetime(2026, 2, 28, 6, 59, tzinfo=JST))
    assert owner.events() == []
    owner.clock.set(dt.datetime(2026, 4, 30, 7, 0, tzinfo=JST))

    events = owner.events()

    assert [(event.kind, event.contract_id, str(event.period_on)) for event in events] == [
        (EventKind.RENEWAL, "con_1", "2026-02-28"),
        (EventKind.RENEWAL, "con_1", "2026-03-31"),
        (EventKind.RENEWAL, "con_1", "2026-04-30"),
    ]
    assert events[0].charge.charged_at == dt.datetime(2026, 2, 28, 7, 0, tzinfo=JST)
    assert {event.charge.amount for event in events} == {YEN}
    assert owner.fake.book.captured() == 9000
    assert (owner.events(), len({event.event_id for event in events})) == ([], 3)


def test_a_year_is_charged_once_a_year_and_a_day_that_has_come_at_once(stripe):
    start(stripe, start_of(starts_on="2026-01-15", months=12))
    assert stripe.fake.book.captured() == 3000
    stripe.clock.advance(days=364)
    assert stripe.fake.book.captured() == 3000
    stripe.clock.advance(days=1)
    assert stripe.fake.book.captured() == 6000


def test_a_second_start_of_a_contract_makes_no_second_subscription(owner):
    first, again, other = start(owner), start(owner), start(owner, start_of("con_2"))

    assert (first, first == other) == (again, False)
    assert [each.contract_id for each in owner.fake.subscriptions] == ["con_1", "con_2"]


@pytest.mark.parametrize(
    ("outcome", "error", "stands"),
    [
        (Decline("no"), ChargeDeclined, 0),
        (NeverThere(), ProviderUnavailable, 0),
        (Vanish(after=True), OutcomeUnknown, 1),
        (Vanish(after=False), OutcomeUnknown, 0),
        (Vanish(then=Decline("no")), ChargeDeclined, 0),
    ],
)
def test_a_start_can_go_wrong_in_every_way(stripe, outcome, error, stands):
    stripe.fake.script_start(outcome)
    with pytest.raises(error):
        start(stripe)

    assert len(stripe.fake.subscriptions) == stands
    start(stripe)
    assert len(stripe.fake.subscriptions) == 1


@pytest.mark.rule("R-145")
def test_renewals_fail_as_scripted_and_for_cards_that_are_gone(stripe):
    start(stripe)
    stripe.fake.script_renewal(Decline("insufficient_funds"))
    stripe.clock.advance(days=48)
    stripe.fake.remove_credential("tok_1")
    stripe.clock.advance(days=31)

    outcomes = [(event.charge.outcome, event.charge.code) for event in stripe.events()]

    assert outcomes == [
        (Outcome.DECLINED, "insufficient_funds"),
        (Outcome.SUCCEEDED, None),
        (Outcome.DECLINED, "invalid_account"),
    ]
    assert stripe.fake.book.captured() == 3000


@pytest.mark.rule("R-092", "R-130")
def test_it_charges_nothing_after_its_end_and_goes_on_when_told(stripe):
    fake, about = stripe.fake, SubscriptionRequest("con_1", "tok_1", dt.date(2026, 3, 31))
    start(stripe)
    run(fake.end_recurring(about))
    stripe.clock.advance(days=80)
    assert fake.book.captured() == 6000
    run(fake.resume_recurring(about))
    assert fake.book.captured() == 9000
    run(fake.stop_recurring(about))
    run(fake.stop_recurring(about))
    stripe.clock.advance(days=400)
    assert fake.book.captured() == 9000
    run(fake.stop_recurring(SubscriptionRequest("con_unknown", "tok_1")))


def test_only_what_can_happen_to_a_subscription_is_taken(stripe):
    with pytest.raises(InvalidValue, match="start of a subscription"):
        stripe.fake.script_start(StayPending(5))
    with pytest.raises(InvalidValue, match="renewal"):
        stripe.fake.script_renewal(NeverThere())


def begin(desk, checkout_id="0" * 32):
    return run(
        desk.fake.begin_checkout(CheckoutRequest(checkout_id, checkout_id, "cus_1", None, "https://shop.example/"))
    )


def test_what_is_not_declared_is_refused_and_not_even_counted_as_a_call(at):
    univapay = at(FakeUnivaPay())
    for act in (
        lambda: start(univapay),
        lambda: run(univapay.fake.stop_recurring(SubscriptionRequest("con_1", "tok_1"))),
    ):
        with pytest.raises(CapabilityNotSupported):
            act()
    telecom = at(FakeTelecom())
    for act in (
        lambda: begin(telecom),
        lambda: run(telecom.fake.complete_checkout("checkout_1")),
        lambda: start(telecom),
    ):
        with pytest.raises(CapabilityNotSupported):
            act()

    assert univapay.fake.calls == telecom.fake.calls == []


def test_subscriptions_and_checkouts_go_on_in_another_process(at, tmp_path, manual_clock):
    manual_clock.set(dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST))
    settings = FakeSettings(state_file=str(tmp_path / "fake.json"))
    here, there = (at(FakeStripe(settings, renewals="provider")) for _ in range(2))
    start(here)
    run(here.fake.end_recurring(SubscriptionRequest("con_1", "tok_1", dt.date(2026, 3, 31))))
    checkout = begin(here)
    here.fake.store_card(checkout.reference, credential="cus_1/pm_1")
    manual_clock.advance(days=90)

    assert there.fake.subscriptions == here.fake.subscriptions
    assert there.fake.book.captured() == 6000
    assert run(there.fake.complete_checkout(checkout.reference)).credential == "cus_1/pm_1"
    assert [event.kind for event in there.events()] == [EventKind.CHECKOUT, EventKind.RENEWAL, EventKind.RENEWAL]
    assert here.events() == []
    assert "tok_1" not in (tmp_path / "fake.json").read_text(encoding="utf-8")


def test_a_checkout_is_open_until_the_customer_or_the_day_has_gone(stripe):
    one, two = begin(stripe), begin(stripe, "1" * 32)
    stripe.fake.store_card(one.reference)
    done = run(stripe.fake.complete_checkout(one.reference))
    stripe.clock.advance(days=1)

    assert (done.state, done.credential) == (CheckoutState.COMPLETED, f"tok_{one.reference}")
    assert run(stripe.fake.complete_checkout(two.reference)).state is CheckoutState.EXPIRED
    assert begin(stripe).expires_at == one.expires_at
    with pytest.raises(NotFound):
        run(stripe.fake.complete_checkout("checkout_unknown"))
    with pytest.raises(InvalidValue):
        stripe.fake.store_card("checkout_unknown")
