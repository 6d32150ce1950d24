"""What every fake does with a charge, and where the four differ because they declare different things."""

from __future__ import annotations

import attrs
import pytest

from paygate import Money
from paygate.errors import InvalidValue, OutcomeUnknown, ProviderNotCapable, ProviderUnavailable
from paygate.provider import ChargeResult, DeclineClass, IdempotencyKind, Lookup, Outcome, Results
from paygate.testing import (
    ClosePermission,
    Decline,
    FakeAmazonPay,
    FakeProvider,
    FakeStripe,
    FakeTelecom,
    FakeUnivaPay,
    NeverThere,
    RefuseRefund,
    RemoveCredential,
    RequireAction,
    StayPending,
    Succeed,
    Vanish,
)
from paygate.testing.fakes import UNIVAPAY_CAPABILITIES, fingerprint

S, P, D = Outcome.SUCCEEDED, Outcome.PENDING, Outcome.DECLINED


def ended(desk) -> list[tuple[Outcome, str | None]]:
    """What the notifications say since the last time."""
    return [(event.charge.outcome, event.charge.code) for event in desk.events()]


@pytest.mark.rule("R-175")
def test_a_charge_takes_the_money_once_and_the_answer_comes_at_once_only_where_declared(desk):
    result = desk.charge(minor=1200)

    assert result.outcome is (S if Results.IMMEDIATE in desk.fake.capabilities().results else P)
    assert [row.amount for row in desk.fake.book.captures] == [Money(1200, "JPY")]
    assert ended(desk) == [(S, None)]


def test_a_success_says_how_much_was_taken_and_when(at):
    desk = at(FakeStripe())

    result = desk.charge(minor=1200)

    assert (result.amount, result.charged_at) == (Money(1200, "JPY"), desk.clock.now())


def test_the_book_names_attempt_and_charge_but_holds_no_credential(desk):
    request = desk.request(credential="tok_secret")
    desk.charge(request)

    (row,) = desk.fake.book.captures
    assert (row.attempt, row.credential) == (request.charge_id, fingerprint("tok_secret"))
    assert "tok_secret" not in repr(desk.fake.calls) + repr(desk.fake)


def test_a_decline_takes_nothing_and_later_charges_succeed_again(desk):
    desk.fake.next(Decline())

    first, second = desk.charge(), desk.charge(minor=2000)

    assert first.outcome is not S
    assert second.outcome is not D
    assert [outcome for outcome, _ in ended(desk)] in ([D, S], [S])
    assert desk.fake.book.captured() == 2000


@pytest.mark.parametrize(
    ("kind", "code", "decline"),
    [
        pytest.param(FakeStripe, "insufficient_funds", DeclineClass.SOFT, id="stripe soft"),
        pytest.param(FakeStripe, "expired_card", DeclineClass.HARD, id="stripe hard"),
        pytest.param(FakeStripe, "authentication_required", DeclineClass.ACTION, id="stripe action"),
        pytest.param(FakeStripe, "a_code_of_next_year", DeclineClass.UNKNOWN, id="stripe unknown"),
        pytest.param(FakeAmazonPay, "SoftDeclined", DeclineClass.SOFT, id="amazon soft"),
        pytest.param(FakeAmazonPay, "AmazonRejected", DeclineClass.HARD, id="amazon hard"),
        pytest.param(FakeAmazonPay, "PeriodicAmountExceeded", DeclineClass.CONFIG, id="amazon limit"),
    ],
)
def test_a_declines_class_is_looked_up_by_the_providers_own_code(at, kind, code, decline):
    desk = at(kind())
    desk.fake.next(Decline(code, message="no"))

    result = desk.charge()

    assert (result.outcome, result.code, result.decline, result.message) == (D, code, decline, "no")


def test_a_declines_class_can_be_given(at):
    desk = at(FakeStripe())
    desk.fake.next(Decline("card_declined", DeclineClass.HARD))

    assert desk.charge().decline is DeclineClass.HARD


def test_outcomes_are_used_in_the_order_of_the_script(at):
    desk = at(FakeStripe())
    desk.fake.script(Decline("a"), Succeed(), Decline("b"))

    assert [desk.charge(minor=100 + n).code for n in range(4)] == ["a", None, "b", None]


def test_a_credentials_own_outcome_holds_for_every_charge_on_it_and_leaves_the_queue_alone(at):
    desk = at(FakeStripe())
    desk.fake.script_for("tok_bad", Decline("expired_card"))
    desk.fake.next(Decline("queued"))

    codes = [desk.charge(credential=credential).code for credential in ("tok_bad", "tok_bad", "tok_1", "tok_1")]

    assert codes == ["expired_card", "expired_card", "queued", None]


@pytest.mark.parametrize(
    ("credential", "outcome"), [("tok_declines", D), ("tok_pending", P), ("tok_action", P), ("tok_removed", D)]
)
def test_well_known_credentials_end_as_their_names_say(at, credential, outcome):
    assert at(FakeStripe()).charge(credential=credential).outcome is outcome


@pytest.mark.parametrize("outcome", ["Decline", RefuseRefund("balance"), Decline, Vanish(then=RefuseRefund())])
def test_what_is_no_outcome_of_a_charge_is_refused_when_it_is_scripted(outcome):
    with pytest.raises(InvalidValue, match="not an outcome of a charge"):
        FakeStripe().next(outcome)


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_a_pending_time_is_not_negative(seconds):
    with pytest.raises(InvalidValue, match="0 seconds or more"):
        StayPending(seconds)


# --- pending ---


@pytest.mark.rule("R-175", "R-180")
def test_a_pending_charge_ends_when_its_time_has_come_and_not_before(desk):
    desk.fake.next(StayPending(90))
    result = desk.charge()

    desk.clock.advance(seconds=89.999)
    assert (result.outcome, desk.fake.book.captured(), desk.fake.notifications()) == (P, 0, [])

    desk.clock.advance(seconds=0.001)
    assert (desk.fake.book.captured(), ended(desk)) == (1000, [(S, None)])


def test_a_pending_charge_may_end_badly(desk):
    desk.fake.next(StayPending(60, then=Decline()))
    desk.charge()
    desk.clock.advance(minutes=5)

    assert (desk.fake.book.captured(), [outcome for outcome, _ in ended(desk)]) == (0, [D])


@pytest.mark.rule("R-201")
def test_the_money_moves_at_the_instant_of_success_however_late_somebody_looks(desk):
    desk.fake.next(StayPending(60))
    desk.charge()
    due = desk.clock.now().timestamp() + 60
    desk.clock.advance(days=3)

    assert [row.at.timestamp() for row in desk.fake.book.captures] == [due]
    assert [event.charge.charged_at.timestamp() for event in desk.events()] == [due]


def test_a_charge_without_end_stays_pending_until_it_is_finished(desk):
    desk.fake.next(StayPending(None))
    request = desk.request()
    desk.charge(request)
    desk.clock.advance(days=400)
    assert desk.fake.book.captured() == 0

    desk.fake.finish(request.charge_id)

    assert (desk.fake.book.captured(), ended(desk)) == (1000, [(S, None)])


@pytest.mark.parametrize(("outcome", "captured"), [(Succeed(), 1000), (Decline(), 0)])
def test_a_required_action_waits_for_the_customer(at, outcome, captured):
    desk = at(FakeStripe())
    desk.fake.next(RequireAction("https://bank.example/3ds"))

    result = desk.charge()
    desk.fake.finish(result.reference, outcome)

    assert (result.outcome, result.action_url) == (P, "https://bank.example/3ds")
    assert desk.fake.book.captured() == captured


def test_finishing_early_replaces_what_was_to_come(at):
    desk = at(FakeStripe())
    desk.fake.next(StayPending(3600))
    desk.fake.finish(desk.charge().reference, Decline("expired_card"))
    desk.clock.advance(hours=2)

    assert (desk.fake.book.captured(), ended(desk)) == (0, [(D, "expired_card")])


def test_only_what_is_pending_can_be_finished(at):
    desk = at(FakeStripe())
    result = desk.charge()

    with pytest.raises(InvalidValue, match="no payment"):
        desk.fake.finish(result.reference)


# --- lost answers ---


@pytest.mark.rule("R-193")
def test_an_answer_lost_after_the_provider_acted_leaves_the_money_taken(desk):
    desk.fake.next(Vanish(after=True))

    with pytest.raises(OutcomeUnknown):
        desk.charge()

    assert desk.fake.book.captured() == 1000


@pytest.mark.rule("R-193")
def test_an_answer_lost_before_the_provider_heard_looks_the_same_but_nothing_was_taken(desk):
    desk.fake.next(Vanish(after=False))

    with pytest.raises(OutcomeUnknown):
        desk.charge()

    assert (desk.fake.book.movements, desk.fake.notifications()) == ((), [])


def test_a_lost_answer_may_have_been_a_no(desk):
    desk.fake.next(Vanish(then=Decline()))

    with pytest.raises(OutcomeUnknown):
        desk.charge()

    assert desk.fake.book.movements == ()


def test_a_provider_that_was_never_there_says_so(desk):
    desk.fake.next(NeverThere())

    with pytest.raises(ProviderUnavailable):
        desk.charge()

    assert (desk.fake.book.movements, [call.hook for call in desk.fake.calls]) == ((), ["charge"])


# --- keys ---


def natively_keyed(desk) -> bool:
    return desk.fake.capabilities().idempotency.kind is not IdempotencyKind.NONE


@pytest.mark.rule("R-190", "B-101")
def test_a_repeat_under_the_same_key_is_answered_again_and_charged_again_only_without_keys(desk):
    request = desk.request()

    first, second = desk.charge(request), desk.charge(request)

    assert first.outcome is second.outcome
    assert first.reference == second.reference
    assert desk.fake.book.captured() == (1000 if natively_keyed(desk) else 2000)


@pytest.mark.rule("R-190")
def test_a_lost_answer_is_got_by_repeating_under_the_same_key(refunding):
    desk = refunding
    desk.fake.next(Vanish())
    request = desk.request()
    with pytest.raises(OutcomeUnknown):
        desk.charge(request)

    assert desk.charge(request).outcome in {S, P}
    assert desk.fake.book.captured() == 1000


@pytest.mark.rule("R-190", "B-102")
@pytest.mark.parametrize("change", [{"amount": Money(1001, "JPY")}, {"credential": "tok_2"}, {"metadata": {"a": "b"}}])
def test_the_same_key_with_another_body_charges_nothing_and_leaves_open_what_the_first_did(refunding, change):
    desk = refunding
    request = desk.request()
    desk.charge(request)

    result = desk.charge(attrs.evolve(request, **change))

    assert (result.outcome, result.code) == (Outcome.UNKNOWN, desk.fake.codes.key_reused)
    assert desk.fake.book.captured() == 1000


def test_a_repeat_uses_up_no_outcome_but_may_get_lost(at):
    desk = at(FakeStripe())
    request = desk.request()
    desk.charge(request)
    desk.fake.script(Vanish(), Decline("next"))

    with pytest.raises(OutcomeUnknown):
        desk.charge(request)

    assert desk.charge(request).outcome is S
    assert desk.charge().code == "next"


def test_stripe_replays_a_decline_and_a_new_key_is_a_new_try(at):
    desk = at(FakeStripe())
    desk.fake.next(Decline("insufficient_funds"))
    request = desk.request()

    assert [desk.charge(request).outcome, desk.charge(request).outcome, desk.charge().outcome] == [D, D, S]


def test_a_provider_that_does_not_replay_errors_tries_again(at):
    capabilities = FakeStripe().capabilities()
    forgetful = attrs.evolve(capabilities, idempotency=attrs.evolve(capabilities.idempotency, errors_replayed=False))
    desk = at(FakeProvider(forgetful))
    desk.fake.next(Decline())
    request = desk.request()

    assert [desk.charge(request).outcome, desk.charge(request).outcome] == [D, S]


@pytest.mark.parametrize(
    ("kind", "hours", "captured"),
    [(FakeStripe, 23.99, 1000), (FakeStripe, 24, 2000), (FakeUnivaPay, 24, 2000), (FakeAmazonPay, 24 * 4000, 1000)],
)
def test_a_key_is_remembered_for_the_declared_window(at, kind, hours, captured):
    desk = at(kind())
    request = desk.request()
    desk.charge(request)
    desk.clock.advance(hours=hours)
    desk.charge(request)

    assert desk.fake.book.captured() == captured


@pytest.mark.parametrize("key", ["", "x" * 33, "with.dot", "ｗｉｄｅ"])
def test_a_key_outside_the_declared_alphabet_and_length_is_refused(at, key):
    desk = at(FakeAmazonPay())

    result = desk.charge(desk.request(key=key))

    assert (result.outcome, result.code, desk.fake.book.movements) == (D, "InvalidHeaderValue", ())


def test_univapay_tells_in_its_header_when_it_did_not_look_at_the_key(at):
    desk = at(FakeUnivaPay())
    request = desk.request()

    def word(result: ChargeResult) -> str:
        return result.raw["idempotency-status"]

    assert word(desk.charge(request)) == "successfully_stored"
    assert word(desk.charge(request)) == "retrieved_idempotent_response"
    desk.fake.keys_down = True
    desk.clock.advance(seconds=31)
    assert word(desk.charge(request)) == "error"
    assert desk.fake.book.captured() == 2000


# --- limits and windows ---


@pytest.mark.rule("R-215", "B-104")
@pytest.mark.parametrize(
    ("minor", "code"),
    [(49, "amount_too_small"), (50, None), (99_999_999, None), (100_000_000, "amount_too_large")],
)
def test_stripe_takes_50_to_99999999_yen(at, minor, code):
    desk = at(FakeStripe())

    assert desk.charge(minor=minor).code == code
    assert desk.fake.book.captured() == (0 if code else minor)


@pytest.mark.rule("R-171")
def test_every_fake_refuses_an_amount_below_its_own_minimum_and_a_foreign_currency(desk):
    assert desk.charge(minor=0).outcome is D
    assert desk.charge(currency="USD").decline is DeclineClass.CONFIG
    assert desk.fake.book.movements == ()


def test_a_refused_charge_uses_up_no_outcome(at):
    desk = at(FakeStripe())
    desk.fake.next(Decline("kept"))

    assert [desk.charge(minor=1).code, desk.charge().code] == ["amount_too_small", "kept"]


@pytest.mark.rule("R-205", "B-103")
@pytest.mark.parametrize(("seconds", "refused"), [(29.999, True), (30.0, False)])
def test_univapay_refuses_the_same_amount_on_the_same_card_within_30_seconds(at, seconds, refused):
    desk = at(FakeUnivaPay())
    desk.charge()
    desk.clock.advance(seconds=seconds)

    result = desk.charge()

    assert (result.decline is DeclineClass.DUPLICATE) is refused
    assert desk.fake.book.captured() == (1000 if refused else 2000)


@pytest.mark.rule("R-205")
def test_the_duplicate_window_minds_neither_other_amounts_nor_other_cards(at):
    desk = at(FakeUnivaPay())

    results = [desk.charge(), desk.charge(minor=1001), desk.charge(credential="tok_2")]

    assert [result.outcome for result in results] == [P, P, P]


def test_a_refused_duplicate_does_not_prolong_the_window(at):
    desk = at(FakeUnivaPay())
    desk.charge()
    desk.clock.advance(seconds=20)
    desk.charge()
    desk.clock.advance(seconds=10)

    assert desk.charge().outcome is P


# --- customers who leave ---


@pytest.mark.rule("R-222")
@pytest.mark.parametrize("by_script", [True, False])
def test_a_closed_permission_declines_this_charge_and_all_later_ones(at, by_script):
    desk = at(FakeAmazonPay())
    if by_script:
        desk.fake.next(ClosePermission())
    else:
        desk.fake.close_permission("tok_1")

    results = [desk.charge(), desk.charge()]

    assert {result.decline for result in results} == {DeclineClass.PERMISSION}
    assert desk.charge(credential="tok_2").outcome is S


@pytest.mark.parametrize("by_script", [True, False])
def test_a_removed_credential_declines_this_charge_and_all_later_ones(desk, by_script):
    if by_script:
        desk.fake.next(RemoveCredential())
    else:
        desk.fake.remove_credential("tok_1")

    desk.charge(minor=100)
    desk.charge(minor=200)
    desk.charge(minor=300, credential="tok_2")

    assert [row.amount.minor for row in desk.fake.book.captures] == [300]


# --- look-ups ---


def test_a_charge_is_found_by_the_providers_id_and_by_the_attempt(refunding):
    desk = refunding
    request = desk.request()
    desk.charge(request)
    reference = desk.fake.book.captures[0].reference

    assert (desk.find(request, reference).outcome, desk.find(request).outcome) == (S, S)
    assert desk.fake.book.captured() == 1000


def test_a_look_up_shows_a_pending_charge_ripen(refunding):
    desk = refunding
    desk.fake.next(StayPending(60))
    request = desk.request()
    reference = desk.charge(request).reference

    assert desk.find(request, reference).outcome is P
    desk.clock.advance(seconds=60)
    assert desk.find(request, reference).outcome is S


def test_univapays_index_lags_behind_so_that_absence_proves_nothing(at):
    desk = at(FakeUnivaPay())
    desk.fake.index_delay = 40
    desk.fake.next(Vanish())
    request = desk.request()
    with pytest.raises(OutcomeUnknown):
        desk.charge(request)

    desk.clock.advance(seconds=39)
    assert desk.find(request) is None
    desk.clock.advance(seconds=1)
    assert desk.find(request).outcome is S


def test_an_id_that_is_known_needs_no_index(at):
    desk = at(FakeUnivaPay())
    desk.fake.index_delay = 40
    request = desk.request()

    assert desk.find(request, desk.charge(request).reference).outcome is S


def test_a_charge_that_was_taken_twice_is_found_by_the_one_that_took_money(at):
    desk = at(FakeUnivaPay())
    desk.fake.keys_down = True
    desk.fake.script(Decline(), Succeed())
    request = desk.request()
    desk.charge(request)
    desk.clock.advance(seconds=30)
    desk.charge(request)

    assert desk.find(request).outcome is S


def test_stripes_list_proves_that_a_lost_request_never_arrived(at):
    desk = at(FakeStripe())
    desk.fake.next(Vanish(after=False))
    request = desk.request()
    with pytest.raises(OutcomeUnknown):
        desk.charge(request)

    assert (desk.find(request), desk.find(request, "pi_of_nobody")) == (None, None)


@pytest.mark.parametrize("after", [True, False])
def test_amazon_pay_is_asked_again_under_the_same_key_and_takes_the_money_once(at, after):
    desk = at(FakeAmazonPay())
    desk.fake.next(Vanish(after=after))
    request = desk.request()
    with pytest.raises(OutcomeUnknown):
        desk.charge(request)

    assert [desk.find(request).outcome, desk.find(request).outcome] == [S, S]
    assert desk.fake.book.captured() == 1000


@pytest.mark.rule("R-193")
def test_telecom_can_be_asked_nothing_and_is_sent_nothing(at):
    desk = at(FakeTelecom())

    with pytest.raises(ProviderNotCapable, match="nothing was sent"):
        desk.find(desk.request())

    assert desk.fake.calls == []


def test_a_look_up_of_something_else_is_refused(refunding):
    desk = refunding
    refund = desk.refund_request(("x", Money(1, "JPY")), 1)

    with pytest.raises(InvalidValue):
        desk.find(refund)
    with pytest.raises(InvalidValue):
        desk.find_refund(desk.request())


# --- shapes ---


def test_telecom_names_a_charge_only_in_its_notice_and_gives_no_reasons(at):
    desk = at(FakeTelecom())
    desk.fake.next(Decline("expired_card", DeclineClass.HARD, "the card has expired"))

    accepted = desk.charge()
    (event,) = desk.events()

    assert (accepted.outcome, accepted.reference) == (P, None)
    assert event.reference.startswith("settle_")
    assert (event.charge.code, event.charge.decline, event.charge.message) == ("rel=no", DeclineClass.UNKNOWN, "")


def test_amazon_pay_gives_a_decline_no_id_and_no_notice(at):
    desk = at(FakeAmazonPay())
    desk.fake.next(Decline("HardDeclined"))

    assert desk.charge().reference is None
    assert desk.fake.notifications() == []


def test_results_ripen_after_the_configured_latency(at):
    desk = at(FakeUnivaPay())
    desk.fake.latency = 120
    desk.charge()
    desk.clock.advance(seconds=119)
    assert desk.fake.book.captured() == 0
    desk.clock.advance(seconds=1)
    assert desk.fake.book.captured() == 1000


def test_every_call_is_recorded_with_what_was_asked(refunding):
    desk = refunding
    request = desk.request()
    desk.charge(request)
    desk.find(request)

    assert [(call.hook, getattr(call.request, "attempt", call.request)) for call in desk.fake.calls] == [
        ("charge", request),
        ("find_charge", request),
    ]


def test_a_fake_of_ones_own_is_a_capabilities_value(at):
    none = attrs.evolve(UNIVAPAY_CAPABILITIES, name="Acme", lookup=Lookup.NONE, webhooks=False)
    desk = at(FakeProvider(none))
    desk.charge()

    assert (desk.fake.book.captured(), desk.fake.notifications()) == (1000, [])
