"""Subscriptions that paygate has the provider start: once, whatever is lost, and stopped when the contract ends."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from paygate import JST, Card, Customer, Cycle, Gateway, Money, NewContract, Plan, Product, ProductType, Status
from paygate.domain.ledger import EntryKind
from paygate.domain.subscription import SubscriptionState
from paygate.errors import (
    CapabilityNotSupported,
    ChargeDeclined,
    ConfigurationError,
    IdempotencyConflict,
    InvalidValue,
    NotFound,
    OutcomeUnknown,
    ProviderUnavailable,
)
from paygate.provider import StartedSubscription
from paygate.testing import Decline, FakeStripe, NeverThere, Vanish

from .conftest import Killed, fails_with

STARTING, RUNNING, ENDING = SubscriptionState.STARTING, SubscriptionState.RUNNING, SubscriptionState.ENDING
ENDED, REFUSED = SubscriptionState.ENDED, SubscriptionState.REFUSED

YEN = Money(3000, "JPY")
HANAKO = Customer("cus_1", "山田花子", "hanako@example.com")
CARD = Card("stripe", "tok_hanako")
GOLD = Plan.recurring("Gold", YEN, Cycle.MONTHLY)
FEBRUARY = dt.date(2026, 2, 1)  # today is 2026-01-15


def create(world, plan=GOLD, **options):
    options = {"contract_id": "con_1", **options}
    return world.gateway.contracts.create(HANAKO, plan, CARD, **options)


def apply_for_february(world, plan=GOLD, **options):
    """A start still ahead and no initial fee: nothing is charged first, so the subscription makes the contract."""
    return create(world, plan, start_on=FEBRUARY, **options)


def now(world, contract_id="con_1"):
    return world.gateway.contracts.get(contract_id)


def state(world, contract_id="con_1"):
    return now(world, contract_id).subscription.state


def asked(world, hook="start_recurring"):
    return [call.request for call in world.stripe.calls if call.hook == hook]


def exists(world, contract_id="con_1"):
    try:
        return now(world, contract_id) is not None
    except NotFound:
        return False


def go_on(world, **time):
    world.clock.advance(**time)
    world.deliver("stripe")


def periods(world):
    rows = world.gateway.ledger.list(contract_id="con_1")
    return [row.target_on.isoformat() for row in rows if row.kind is EntryKind.PERIOD]


# --- what is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.rule("R-013", "R-014", "R-036", "R-147")
def test_the_first_period_is_charged_by_us_and_the_next_ones_by_the_provider(renewing_faces):
    world = renewing_faces
    contract = create(world)

    (request,) = asked(world)
    assert (contract.status, contract.subscription) == (
        Status.ACTIVE,
        attrs.evolve(contract.subscription, state=RUNNING, starts_on=dt.date(2026, 2, 15), reference="sub_1"),
    )
    assert (request.contract_id, request.price, request.months, request.starts_on, request.anchor_day) == (
        "con_1",
        YEN,
        1,
        dt.date(2026, 2, 15),
        15,
    )
    assert (request.credential, request.email) == ("tok_hanako", "hanako@example.com")
    assert request.metadata == {"paygate_contract": "con_1"}

    go_on(world, days=32)
    run = world.gateway.billing.run()
    go_on(world, days=28)
    assert run.charged == {}
    assert periods(world) == ["2026-01-15", "2026-02-15", "2026-03-15"]
    assert world.stripe.book.captured() == 9000 == world.gateway.ledger.net("con_1").minor
    assert len(world.stripe.subscriptions) == 1


@pytest.mark.rule("R-015", "R-030")
def test_a_start_ahead_begins_with_the_providers_first_charge(renewing_faces):
    world = renewing_faces
    contract = apply_for_february(world)

    (request,) = asked(world)
    assert (contract.status, contract.subscription.state, request.starts_on) == (Status.NOT_STARTED, RUNNING, FEBRUARY)
    assert world.stripe.book.captured() == 0

    world.clock.set(dt.datetime(2026, 2, 1, 12, 0, tzinfo=JST))
    world.gateway.billing.run()
    assert now(world).status is Status.NOT_STARTED
    world.deliver("stripe")
    assert (now(world).status, periods(world)) == (Status.ACTIVE, ["2026-02-01"])


@pytest.mark.rule("R-087", "R-015")
def test_an_initial_fee_is_charged_by_us_before_the_subscription_is_started(renewing):
    world = renewing
    contract = apply_for_february(world, Plan.recurring("Gold", YEN, initial_fee=Money(500, "JPY")))

    assert [call.hook for call in world.stripe.calls] == ["charge", "start_recurring"]
    assert (contract.status, contract.subscription.state) == (Status.NOT_STARTED, RUNNING)
    assert world.stripe.book.captured() == 500


@pytest.mark.rule("R-017", "R-060", "R-062")
def test_free_periods_open_by_themselves_and_the_provider_begins_after_them(renewing):
    world = renewing
    plan = Plan.recurring("Try", YEN, special_price=Money(0, "JPY"), special_periods=2)
    contract = create(world, plan)

    (request,) = asked(world)
    assert (contract.status, request.starts_on) == (Status.SPECIAL_PERIOD, dt.date(2026, 3, 15))
    go_on(world, days=31)
    world.gateway.billing.run()
    assert (world.stripe.book.captured(), periods(world)) == (0, ["2026-01-15", "2026-02-15"])
    go_on(world, days=29)
    assert (now(world).status, world.stripe.book.captured()) == (Status.ACTIVE, 3000)


@pytest.mark.rule("R-061", "R-062")
def test_special_periods_are_charged_by_us_because_a_subscription_has_one_price(renewing):
    world = renewing
    create(world, Plan.recurring("Try", YEN, special_price=Money(100, "JPY"), special_periods=2))

    go_on(world, days=31)
    world.gateway.billing.run()
    go_on(world, days=29)
    world.gateway.billing.run()

    assert [row.minor for row in (movement.amount for movement in world.stripe.book.captures)] == [100, 100, 3000]
    assert periods(world) == ["2026-01-15", "2026-02-15", "2026-03-15"]


@pytest.mark.rule("R-031", "R-032")
def test_a_contract_of_the_thirty_first_keeps_its_day(renewing):
    world = renewing
    world.clock.set(dt.datetime(2026, 1, 31, 12, 0, tzinfo=JST))
    create(world)

    (request,) = asked(world)
    assert (request.starts_on, request.anchor_day) == (dt.date(2026, 2, 28), 31)
    go_on(world, days=60)
    assert periods(world) == ["2026-01-31", "2026-02-28", "2026-03-31"]


@pytest.mark.rule("R-008")
def test_cycles_of_weeks_are_refused_before_anything_is_sent(renewing):
    with pytest.raises(CapabilityNotSupported, match="months"):
        create(renewing, Plan.recurring("Weekly", YEN, Cycle.WEEKLY))

    assert renewing.stripe.calls == []


def test_one_off_plans_and_other_accounts_start_nothing(renewing):
    one_off = create(renewing, Plan.one_off("Course", YEN))
    elsewhere = renewing.gateway.contracts.create(HANAKO, GOLD, Card("univapay", "tok_2"), contract_id="con_2")

    assert (one_off.subscription, elsewhere.subscription, asked(renewing)) == (None, None, [])


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-013")
def test_a_declined_subscription_makes_no_contract_where_nothing_was_paid(renewing_faces):
    world = renewing_faces
    world.stripe.script_start(Decline("card_declined"))

    with pytest.raises(ChargeDeclined) as declined:
        apply_for_february(world)

    assert (declined.value.code, exists(world), world.stripe.subscriptions) == ("card_declined", False, [])
    assert world.gateway.billing.reconcile().subscriptions_open == ()
    assert apply_for_february(world).subscription.state is RUNNING


def test_a_provider_that_was_never_reached_leaves_nothing_behind(renewing_faces):
    world = renewing_faces
    world.stripe.script_start(NeverThere())

    with pytest.raises(ProviderUnavailable):
        apply_for_february(world)

    assert (exists(world), len(asked(world))) == (False, 1)
    assert world.gateway.billing.reconcile().subscriptions == ()
    assert len(asked(world)) == 1


@pytest.mark.rule("X-05")
@pytest.mark.parametrize("after", [True, False], ids=["the provider acted", "the request was lost"])
def test_a_lost_answer_keeps_a_draft_that_reconciliation_makes_a_contract(renewing_faces, after):
    world = renewing_faces
    world.stripe.script_start(Vanish(after=after), Vanish(after=after))

    with pytest.raises(OutcomeUnknown, match=r"billing\.reconcile"):
        apply_for_february(world)
    assert not exists(world)
    first, second = world.gateway.billing.reconcile(), world.gateway.billing.reconcile()

    assert (first.subscriptions_open, second.subscriptions) == (("con_1",), ("con_1",))
    assert (now(world).status, state(world)) == (Status.NOT_STARTED, RUNNING)
    assert now(world).subscription.reference == "sub_1"
    assert len(world.stripe.subscriptions) == 1
    assert len({(request.key, request.starts_on, request.requested_at) for request in asked(world)}) == 1
    assert world.gateway.billing.reconcile().subscriptions_open == ()


def test_a_provider_out_of_reach_proves_nothing_once_an_answer_was_lost(renewing):
    world = renewing
    world.stripe.script_start(Vanish(after=True), NeverThere())

    with pytest.raises(OutcomeUnknown):
        apply_for_february(world, contract_id=None, idempotency_key="order-1")
    with pytest.raises(OutcomeUnknown) as unknown:
        apply_for_february(world, contract_id=None, idempotency_key="order-1")

    assert isinstance(unknown.value.__cause__, ProviderUnavailable)
    contract = apply_for_february(world, contract_id=None, idempotency_key="order-1")
    assert (contract.subscription.state, len(world.stripe.subscriptions)) == (RUNNING, 1)


def test_the_same_key_twice_makes_one_contract_and_one_subscription(renewing_faces):
    world = renewing_faces
    first = apply_for_february(world, contract_id=None, idempotency_key="order-1")
    again = apply_for_february(world, contract_id=None, idempotency_key="order-1")

    assert first == again
    assert (len(asked(world)), len(world.stripe.subscriptions)) == (1, 1)


def test_the_same_key_with_other_contents_is_refused_while_the_start_is_open(renewing):
    world = renewing
    world.stripe.script_start(Vanish())
    with pytest.raises(OutcomeUnknown):
        apply_for_february(world, contract_id=None, idempotency_key="order-1")

    with pytest.raises(IdempotencyConflict):
        apply_for_february(world, Plan.recurring("Silver", YEN), contract_id=None, idempotency_key="order-1")

    assert len(asked(world)) == 1


def test_an_id_whose_contract_is_being_made_is_taken(renewing):
    world = renewing
    world.stripe.script_start(Vanish())
    with pytest.raises(OutcomeUnknown):
        apply_for_february(world)

    with pytest.raises(InvalidValue, match="is being made"):
        apply_for_february(world)

    assert len(asked(world)) == 1


# --- after a first payment -------------------------------------------------------------------------------------------


@pytest.mark.rule("R-013", "R-036")
def test_a_paid_contract_stands_whatever_becomes_of_its_subscription(renewing_faces):
    world = renewing_faces
    world.stripe.script_start(Vanish(after=True), NeverThere())

    contract = create(world)
    assert (contract.status, contract.subscription.state) == (Status.ACTIVE, STARTING)
    assert world.gateway.billing.reconcile().subscriptions_open == ("con_1",)
    assert world.gateway.billing.reconcile().subscriptions == ("con_1",)

    assert (state(world), len(world.stripe.subscriptions)) == (RUNNING, 1)
    go_on(world, days=32)
    assert world.gateway.billing.run().charged == {}
    assert periods(world) == ["2026-01-15", "2026-02-15"]


@pytest.mark.rule("R-036", "R-145")
def test_after_a_declined_subscription_paygate_charges_the_renewals_itself(renewing):
    world = renewing
    world.stripe.script_start(Decline("card_declined"))

    contract = create(world)
    told = [notice.code for notice in world.observer.of("operator")]
    world.clock.advance(days=31)
    run = world.gateway.billing.run()

    assert (contract.subscription.state, told) == (REFUSED, ["subscription_refused"])
    assert (run.renewed, run.charged) == (1, {"JPY": 3000})
    assert periods(world) == ["2026-01-15", "2026-02-15"]
    world.clock.advance(days=1)
    world.gateway.contracts.schedule_cancellation("con_1")
    assert asked(world, "end_recurring") == []


def test_a_repeated_creation_starts_what_was_left_open(renewing):
    world = renewing
    world.stripe.script_start(NeverThere())

    first = create(world, idempotency_key="order-1")
    again = create(world, idempotency_key="order-1")

    assert (first.subscription.state, again.subscription.state) == (STARTING, RUNNING)
    assert world.stripe.book.captured() == 3000


def test_a_first_payment_that_is_settled_later_leaves_the_start_to_reconciliation(renewing):
    world = renewing
    world.stripe.next(Vanish(after=True))
    with pytest.raises(OutcomeUnknown):
        create(world)
    assert asked(world) == []
    world.clock.advance(minutes=5)

    report = world.gateway.billing.reconcile()

    assert (len(report.settled), report.subscriptions, state(world)) == (1, ("con_1",), RUNNING)


@pytest.mark.rule("R-330")
def test_an_operator_is_told_once_of_a_start_without_an_answer(renewing):
    world = renewing
    world.stripe.script_start(*[Vanish(after=False)] * 8)
    create(world)
    with pytest.raises(OutcomeUnknown):
        apply_for_february(world, contract_id="con_2")
    at_once = [(notice.code, notice.contract_id) for notice in world.observer.of("operator")]

    for _ in range(3):
        world.clock.advance(days=1)
        world.gateway.billing.reconcile()

    told = [(notice.code, notice.contract_id) for notice in world.observer.of("operator")]
    assert told == at_once
    assert sorted(told) == [("unknown_subscription", "con_1"), ("unknown_subscription", "con_2")]


def test_a_first_charge_whose_day_has_passed_is_asked_for_today(renewing):
    world = renewing
    world.stripe.script_start(Vanish(after=False))
    with pytest.raises(OutcomeUnknown):
        apply_for_february(world)
    world.clock.set(dt.datetime(2026, 2, 3, 9, 0, tzinfo=JST))

    world.gateway.billing.reconcile()
    world.deliver("stripe")

    assert [request.starts_on for request in asked(world)] == [FEBRUARY, dt.date(2026, 2, 3)]
    assert (now(world).status, world.stripe.book.captured()) == (Status.ACTIVE, 3000)


@pytest.mark.rule("R-036", "X-05")
def test_a_charge_by_a_subscription_whose_start_was_not_answered_makes_the_contract(renewing):
    world = renewing
    world.stripe.script_start(Vanish(after=True))
    with pytest.raises(OutcomeUnknown):
        apply_for_february(world)

    world.clock.set(dt.datetime(2026, 2, 1, 12, 0, tzinfo=JST))
    world.deliver("stripe")

    assert (now(world).status, state(world)) == (Status.ACTIVE, STARTING)
    assert world.gateway.ledger.net("con_1").minor == world.stripe.book.captured() == 3000
    world.gateway.billing.reconcile()
    assert (state(world), now(world).subscription.reference) == (RUNNING, "sub_1")


def test_the_end_of_a_subscription_makes_no_contract_of_a_draft(renewing):
    world = renewing
    world.stripe.script_start(Vanish(after=False))
    with pytest.raises(OutcomeUnknown):
        apply_for_february(world)

    end = world.stripe.end_subscription("con_1")

    assert world.gateway.webhooks.receive("stripe", end.headers, end.body).events[0].outcome == "unmatched"
    assert not exists(world)


# --- killed in between -----------------------------------------------------------------------------------------------


@pytest.mark.rule("X-05")
@pytest.mark.parametrize("plan", [GOLD, Plan.recurring("Gold", YEN, initial_fee=YEN)], ids=["no fee", "initial fee"])
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_a_process_killed_around_the_start_is_made_good_by_reconciliation(renewing, plan, after):
    world = renewing
    world.stripe.trouble, world.stripe.acts_first = [fails_with(Killed())], after
    with pytest.raises(Killed):
        apply_for_february(world, plan)
    world.reopen()

    # for a moment the process might still be alive, and two of them asking at once might make two subscriptions
    assert world.gateway.billing.reconcile().subscriptions_open == ("con_1",)
    world.clock.advance(minutes=3)
    assert world.gateway.billing.reconcile().subscriptions == ("con_1",)

    assert (now(world).status, state(world), len(world.stripe.subscriptions)) == (Status.NOT_STARTED, RUNNING, 1)
    assert len({request.key for request in asked(world)}) == 1


def test_a_repeat_does_not_ask_while_another_process_may_be_asking(renewing):
    world = renewing
    world.stripe.trouble = [fails_with(Killed())]
    with pytest.raises(Killed):
        apply_for_february(world, contract_id=None, idempotency_key="order-1")

    with pytest.raises(OutcomeUnknown, match="ask again with the same key"):
        apply_for_february(world, contract_id=None, idempotency_key="order-1")
    world.clock.advance(minutes=3)
    assert apply_for_february(world, contract_id=None, idempotency_key="order-1").subscription.state is RUNNING


def meanwhile(world, then):
    """Trouble: while the provider is asked, another process takes over what waited too long; then *then*."""

    def happen():
        world.clock.advance(minutes=3)
        with Gateway(**world.options) as other:
            assert other.billing.reconcile().subscriptions == ("con_1",)
        return then()

    return happen


@pytest.mark.parametrize("plan", [GOLD, Plan.recurring("Gold", YEN, initial_fee=YEN)], ids=["no fee", "initial fee"])
def test_two_processes_that_both_get_an_answer_make_one_contract(renewing, plan):
    world = renewing
    world.stripe.trouble = [meanwhile(world, lambda: StartedSubscription("sub_1"))]

    contract = apply_for_february(world, plan)

    assert (contract.subscription.state, len(world.stripe.subscriptions)) == (RUNNING, 1)
    started = [record for record in world.gateway.audit.list() if record.action == "subscription_started"]
    assert len(started) == 1


@pytest.mark.parametrize("error", [ProviderUnavailable("down"), ConfigurationError("no key")])
def test_an_answer_that_comes_too_late_forgets_nothing_that_another_process_has_made(renewing, error):
    world = renewing
    world.stripe.trouble = [meanwhile(world, fails_with(error))]

    with pytest.raises(OutcomeUnknown):
        apply_for_february(world)

    assert (state(world), len(world.stripe.subscriptions)) == (RUNNING, 1)


@pytest.mark.parametrize("error", [ChargeDeclined("no"), ProviderUnavailable("down")])
def test_a_late_refusal_changes_no_subscription_that_is_known_to_stand(renewing, error):
    world = renewing
    world.stripe.trouble = [meanwhile(world, fails_with(error))]

    assert create(world).subscription.state is RUNNING


@pytest.mark.rule("R-013")
def test_a_draft_whose_subscription_is_declined_later_is_forgotten(renewing):
    world = renewing
    world.stripe.script_start(Vanish(after=False), Decline("card_declined"))
    with pytest.raises(OutcomeUnknown):
        apply_for_february(world)

    first, second = world.gateway.billing.reconcile(), world.gateway.billing.reconcile()

    assert (first.subscriptions, second.subscriptions, second.subscriptions_open) == (("con_1",), (), ())
    assert not exists(world)


@pytest.mark.parametrize(
    "trouble", [fails_with(KeyError("id")), lambda: "sub_1"], ids=["it raises", "it answers a text"]
)
def test_a_plugin_that_breaks_counts_as_unknown(renewing, trouble):
    world = renewing
    world.stripe.trouble = [trouble]
    with pytest.raises(OutcomeUnknown):
        apply_for_february(world)

    assert world.gateway.billing.reconcile().subscriptions == ("con_1",)


def test_a_set_up_that_is_refused_before_anything_is_sent_leaves_nothing_behind(renewing):
    world = renewing
    world.stripe.trouble = [fails_with(ConfigurationError("no key"))]
    with pytest.raises(ConfigurationError):
        apply_for_february(world)

    assert world.gateway.billing.reconcile().subscriptions_open == ()


# --- what follows ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-092")
def test_cancelling_before_the_start_stops_the_subscription_by_its_reference(renewing_faces):
    world = renewing_faces
    apply_for_february(world)

    world.gateway.contracts.cancel("con_1")
    world.gateway.billing.reconcile()
    go_on(world, days=60)

    assert {request.reference for request in asked(world, "stop_recurring")} == {"sub_1"}
    assert (now(world).status, state(world), world.stripe.book.captured()) == (Status.CANCELED, ENDED, 0)


@pytest.mark.rule("R-130", "R-143")
def test_ending_and_resuming_hand_the_reference_over(renewing):
    world = renewing
    create(world)
    world.gateway.contracts.schedule_cancellation("con_1")
    world.gateway.contracts.revoke_cancellation("con_1")
    world.gateway.contracts.schedule_cancellation("con_1")

    ends, goes_on = asked(world, "end_recurring"), asked(world, "resume_recurring")
    assert {request.reference for request in (*ends, *goes_on)} == {"sub_1"}
    assert [request.ends_on for request in ends] == [dt.date(2026, 2, 15)] * 2

    go_on(world, days=40)
    world.gateway.billing.run()
    world.gateway.billing.reconcile()
    assert (now(world).status, state(world), world.stripe.book.captured()) == (Status.TERMINATED, ENDED, 3000)


@pytest.mark.rule("R-130")
def test_an_operation_first_finds_out_whether_the_subscription_stands(renewing):
    world = renewing
    world.stripe.script_start(Vanish(after=True), Vanish(after=True))
    create(world)

    with pytest.raises(OutcomeUnknown, match="nothing was changed"):
        world.gateway.contracts.schedule_cancellation("con_1")
    assert now(world).status is Status.ACTIVE
    world.gateway.contracts.schedule_cancellation("con_1")

    assert (now(world).status, state(world)) == (Status.CANCEL_SCHEDULED, RUNNING)
    assert [request.reference for request in asked(world, "end_recurring")] == ["sub_1"]


@pytest.mark.rule("R-067", "R-070")
def test_the_end_of_the_product_reaches_the_provider_before_it_charges_again(renewing):
    world = renewing
    school = Product("school", ProductType.MONTHLY_SCHOOL, end_month="2026-02")
    create(world, Plan.recurring("School", YEN, products=(school,)))
    go_on(world, days=32)
    assert now(world).status is Status.CANCEL_SCHEDULED
    world.stripe.script_start(NeverThere())

    report = world.gateway.billing.reconcile()
    again = world.gateway.billing.reconcile()

    assert (report.subscriptions, again.subscriptions, state(world)) == (("con_1",), (), ENDING)
    assert [request.ends_on for request in asked(world, "end_recurring")] == [dt.date(2026, 3, 15)]
    go_on(world, days=60)
    world.gateway.billing.run()
    world.gateway.billing.reconcile()
    assert (now(world).status, state(world), world.stripe.book.captured()) == (Status.TERMINATED, ENDED, 6000)


@pytest.mark.rule("R-067")
def test_a_product_that_ends_before_the_second_period_starts_no_subscription(renewing):
    world = renewing
    school = Product("school", ProductType.MONTHLY_SCHOOL, end_month="2026-01")

    contract = create(world, Plan.recurring("School", YEN, products=(school,)))

    assert (contract.subscription.state, asked(world)) == (ENDED, [])


@pytest.mark.rule("R-152")
def test_the_end_by_the_provider_needs_no_stop(renewing):
    world = renewing
    create(world)
    end = world.stripe.end_subscription("con_1")
    world.gateway.webhooks.receive("stripe", end.headers, end.body)

    world.gateway.billing.reconcile()

    assert (now(world).status, state(world), asked(world, "stop_recurring")) == (Status.TERMINATED, ENDED, [])


def test_a_stop_that_does_not_get_through_is_repeated(renewing):
    world = renewing
    create(world)
    world.gateway.contracts.schedule_cancellation("con_1")
    world.clock.advance(days=40)
    world.gateway.billing.run()
    world.stripe.trouble = [fails_with(ProviderUnavailable("down"))]

    assert world.gateway.billing.reconcile().subscriptions_open == ("con_1",)
    assert world.gateway.billing.reconcile().subscriptions == ("con_1",)
    assert state(world) is ENDED


@pytest.mark.rule("R-264")
def test_deleting_stops_the_subscription(renewing):
    world = renewing
    create(world)

    world.gateway.contracts.delete("con_1", confirm="con_1", reason="asked for")
    go_on(world, days=60)

    assert [request.reference for request in asked(world, "stop_recurring")] == ["sub_1"]
    assert world.stripe.book.captured() == 3000


def test_changing_the_setting_changes_who_charges_no_contract_that_exists(renewing):
    world = renewing
    create(world)
    world.gateway.close()
    merchant = FakeStripe(clock=world.clock)
    with Gateway(**{**world.options, "providers": {**world.options["providers"], "stripe": merchant}}) as gateway:
        gateway.contracts.create(HANAKO, GOLD, CARD, contract_id="con_2")
        world.clock.advance(days=32)
        assert gateway.billing.run().charged == {"JPY": 3000}
    world.gateway = Gateway(**world.options)
    world.clock.advance(days=31)

    run = world.gateway.billing.run()

    assert (run.charged, run.renewed) == ({"JPY": 3000}, 1)
    assert [movement.credential for movement in merchant.book.captures][1:] != []


# --- taken over ------------------------------------------------------------------------------------------------------


def test_an_imported_contract_brings_its_subscription_and_starts_none(renewing):
    world = renewing
    row = NewContract("con_1", HANAKO, GOLD, CARD, dt.date(2025, 1, 20))

    refused = world.gateway.contracts.import_many([row], skip_invalid=True)
    report = world.gateway.contracts.import_many([attrs.evolve(row, subscription="sub_9")])
    world.gateway.contracts.schedule_cancellation("con_1")

    assert "id of its subscription" in str(refused.refused[0][1])
    assert report.imported == ("con_1",)
    assert (now(world).subscription.reference, asked(world)) == ("sub_9", [])
    assert [request.reference for request in asked(world, "end_recurring")] == ["sub_9"]
