"""Charges: results, declines, doubt."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from paygate import Money
from paygate.errors import OutcomeUnknown, ProviderUnavailable
from paygate.flow import Request
from paygate.provider import DeclineClass, LookupRequest, Outcome
from paygate.testing.emulators import Fault, FaultKind, When
from paygate.testing.emulators.univapay import ChargePlan, Credentials
from paygate_univapay import UnivaPay, UnivaPaySettings

CREATE = "POST /charges"
LOOK = "GET /stores/*/charges/*"


# --- results ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-201")
def test_a_charge_that_settles_within_the_budget_is_a_success_at_the_providers_time(shop):
    result = shop.charge(3980)

    assert result.outcome is Outcome.SUCCEEDED
    assert result.amount == Money(3980, "JPY")
    assert result.charged_at == dt.datetime(2026, 11, 22, 3, 0, 0, 100_000, tzinfo=dt.UTC)
    assert shop.book.captured(result.reference) == 3980


def test_a_charge_carries_our_references_and_asks_for_capture_without_conversion(shop):
    attempt = shop.attempt(500)

    result = shop.charge(attempt)

    charge = shop.emulator.charge(result.reference)
    assert charge.metadata == {"paygate_charge": attempt.charge_id, "paygate_contract": "c" * 32}
    assert charge.capture
    assert charge.only_direct_currency


def test_a_charge_that_outlasts_the_budget_stays_pending_and_is_found_later(shop):
    shop.emulator.behaviour.pending = None
    attempt = shop.attempt()

    left = shop.charge(attempt)
    shop.emulator.settle(left.reference)
    found = shop.find_charge(attempt, left.reference).result

    assert left.outcome is Outcome.PENDING
    assert found.outcome is Outcome.SUCCEEDED
    assert shop.sent("GET", left.reference) == 3 + 1


def test_a_charge_is_polled_for_no_longer_than_the_budget(shop, clock):
    shop.emulator.behaviour.pending = None
    began = clock.now()

    shop.charge()

    assert clock.now() - began == dt.timedelta(seconds=11)


def test_with_no_budget_a_charge_is_left_pending_at_once(shop):
    provider = UnivaPay(attrs.evolve(shop.settings, poll_budget=0))

    result = shop.driver.run(provider.charge(shop.attempt()))

    assert result.outcome is Outcome.PENDING
    assert [one.method for one in shop.emulator.requests] == ["POST"]


def test_authorized_on_the_way_to_a_capture_is_not_taken_for_a_failure(shop):
    shop.emulator.plan(ChargePlan(authorized=5))

    result = shop.charge()

    assert result.outcome is Outcome.SUCCEEDED
    assert len(shop.book.captures) == 1


def test_a_charge_that_waits_for_the_customer_says_where_to_go(shop):
    shop.emulator.behaviour.three_ds_required = True
    attempt = shop.attempt()

    waiting = shop.charge(attempt)
    shop.emulator.customer_returns(waiting.reference, passed=True)

    assert waiting.outcome is Outcome.PENDING
    assert waiting.action_url.startswith("https://api.univapay.com/stores/")
    assert waiting.action_method == "POST"
    assert waiting.action_fields == {"resource_id": waiting.reference, "resource_type": "charge"}
    assert shop.find_charge(attempt, waiting.reference).result.outcome is Outcome.SUCCEEDED


def test_a_customer_who_fails_the_identity_check_is_declined_with_action(shop):
    shop.emulator.behaviour.three_ds_required = True
    attempt = shop.attempt()

    waiting = shop.charge(attempt)
    shop.emulator.customer_returns(waiting.reference, passed=False)
    result = shop.find_charge(attempt, waiting.reference).result

    assert (result.outcome, result.code, result.decline) == (Outcome.DECLINED, "358", DeclineClass.ACTION)


@pytest.mark.parametrize("status", ["error", "quarantined", ""])
@pytest.mark.rule("R-193")
def test_an_exceptional_or_unheard_of_status_is_an_unknown_outcome(shop, status):
    shop.emulator.plan(ChargePlan(status=status))

    result = shop.charge()

    assert result.outcome is Outcome.UNKNOWN
    assert result.reference == shop.emulator.charges[0].id


def test_a_cancelled_charge_is_declined(shop):
    shop.emulator.plan(ChargePlan(status="canceled"))

    result = shop.charge()

    assert (result.outcome, result.code) == (Outcome.DECLINED, "canceled")
    assert not shop.book.captures


@pytest.mark.parametrize("charged", [Money(3979, "JPY"), Money(3980, "USD")])
def test_a_success_over_another_amount_is_an_unknown_outcome_that_names_both(shop, charged):
    shop.emulator.plan(ChargePlan(charged=charged))

    result = shop.charge(3980)

    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "amount_mismatch")
    assert str(charged) in result.message
    assert "3,980 JPY" in result.message


# --- declines --------------------------------------------------------------------------------------------------------

HARD = "301 302 303 304 305 307 308 314 319 326 332 333 334 335 340 342 351 355 356 359"
SOFT = "306 309 313 315 320 330 336 337 343 344 346"
ACTION = "322 323 327 358 363"
CONFIG = "310 316 317 318 321 331 341"
UNSAID = "312 329 345 399 777"
CLASSES = {
    DeclineClass.HARD: HARD,
    DeclineClass.SOFT: SOFT,
    DeclineClass.ACTION: ACTION,
    DeclineClass.CONFIG: CONFIG,
    DeclineClass.DUPLICATE: "311",
    DeclineClass.UNKNOWN: UNSAID,
}


@pytest.mark.parametrize(
    ("code", "decline"), [(code, decline) for decline, codes in CLASSES.items() for code in codes.split()]
)
def test_a_failed_charge_is_declined_with_its_code_and_class(shop, code, decline):
    shop.emulator.plan(ChargePlan("failed", int(code)))

    result = shop.charge()

    assert (result.outcome, result.code, result.decline) == (Outcome.DECLINED, code, decline)
    assert not shop.book.captures


@pytest.mark.parametrize("code", [324, 325, 328, 338, 339, 500, 501, 502, 504, 601, 602, 603, 604])
@pytest.mark.rule("R-193")
def test_a_failure_that_leaves_the_money_unclear_is_an_unknown_outcome(shop, code):
    shop.emulator.plan(ChargePlan("failed", code))

    result = shop.charge()

    assert (result.outcome, result.code) == (Outcome.UNKNOWN, str(code))


def test_the_published_declining_card_and_forced_codes_are_declines(shop):
    declining = shop.emulator.add_card("4111111111111111")
    forced = shop.emulator.add_card(email="test+charge-failure-309@example.com")

    assert shop.charge(card=declining).code == "306"
    assert shop.charge(card=forced).code == "309"


REFUSALS = {
    DeclineClass.CONFIG: "VALIDATION_ERROR CHARGE_AMOUNT_TOO_HIGH NO_GATEWAYS_AVAILABLE TOKEN_FOR_WRONG_STORE "
    "PROCESSING_MODE_MISMATCH NON_SUBSCRIPTION_PAYMENT NO_DIRECT_CURRENCY_GATEWAY CARD_PROCESSING_DISABLED",
    DeclineClass.HARD: "TRANSACTION_TOKEN_EXPIRED RECURRING_TOKEN_DISABLED CARD_BRAND_NOT_SUPPORTED "
    "CARD_COUNTRY_NOT_SUPPORTED TRANSACTION_ALREADY_PROCESSED FORBIDDEN_IP",
    DeclineClass.ACTION: "RECURRING_USAGE_REQUIRES_CVV CVV_REQUIRED CVV_AUTHORIZATION_NOT_COMPLETED",
    DeclineClass.SOFT: "SERVICE_RESTRICTED CARD_LIMIT_EXCEEDED_FOR_STORE",
    DeclineClass.UNKNOWN: "SOMETHING_NOBODY_DOCUMENTED",
}


@pytest.mark.parametrize(
    ("status", "code", "decline"),
    [
        *((400, code, decline) for decline, codes in REFUSALS.items() for code in codes.split()),
        (403, "CARD_LOCKED", DeclineClass.SOFT),
        (409, "NON_UNIQUE_ACTIVE_TOKEN", DeclineClass.UNKNOWN),
    ],
)
def test_a_refused_request_is_declined_with_its_code_and_class(shop, status, code, decline):
    shop.emulator.refuse_next(status, code)

    result = shop.charge()

    assert (result.outcome, result.code, result.decline) == (Outcome.DECLINED, code, decline)
    assert not shop.emulator.charges


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "IDEMPOTENCY_KEY_CONFLICT"),
        (500, "DB_ERROR"),
        (500, "UNABLE_TO_GET_IDEMPOTENT_RESULT"),
        (500, "UNABLE_TO_GET_IDEMPOTENT_REQUEST"),
        (500, "UNKNOWN_ERROR"),
    ],
)
@pytest.mark.rule("R-193")
def test_a_refusal_that_may_follow_an_effect_is_an_unknown_outcome(shop, status, code):
    shop.emulator.refuse_next(status, code)

    result = shop.charge()

    assert (result.outcome, result.code) == (Outcome.UNKNOWN, code)


@pytest.mark.parametrize(
    ("status", "code"), [(503, "SERVICE_UNAVAILABLE_TRY_AGAIN"), (504, "NO_GATEWAY_AVAILABLE_TO_PROCESS_THE_REQUEST")]
)
@pytest.mark.rule("R-193")
def test_a_gateway_that_keeps_failing_leaves_the_outcome_unknown(shop, status, code):
    shop.emulator.refuse_next(status, code, times=3)

    assert shop.charge().outcome is Outcome.UNKNOWN


def test_an_unknown_card_is_a_hard_decline_although_the_404_has_no_body(shop):
    result = shop.charge(card="11f0b001-aaaa-4d00-8f00-00000000d999")

    assert (result.outcome, result.code, result.decline) == (Outcome.DECLINED, "NOT_FOUND", DeclineClass.HARD)


def test_a_card_that_was_deleted_is_a_hard_decline(shop):
    shop.emulator.handle(
        Request(
            "DELETE",
            f"https://api.univapay.com/stores/{shop.settings.store_id}/tokens/{shop.card}",
            {"Authorization": shop.emulator.credentials.header},
        )
    )

    assert shop.charge().decline is DeclineClass.HARD


def test_too_many_requests_mean_that_nothing_was_done(shop):
    shop.emulator.faults.add(Fault(FaultKind.RATE_LIMITED), times=3, match=CREATE)

    assert shop.charge().outcome is Outcome.NOT_SENT
    assert not shop.emulator.charges


def test_wrong_credentials_are_not_sent_as_a_matter_of_the_set_up(shop):
    stranger = Credentials.for_store(2)
    provider = UnivaPay(UnivaPaySettings(app_token=stranger.app_token, secret=stranger.secret, webhook_auth_token="w"))

    result = shop.driver.run(provider.charge(shop.attempt()))

    assert (result.outcome, result.code, result.decline) == (
        Outcome.NOT_SENT,
        "INVALID_APP_TOKEN",
        DeclineClass.CONFIG,
    )


# --- lost answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", list(When))
@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT, FaultKind.RESET])
@pytest.mark.rule("R-190")
def test_a_lost_answer_is_repeated_under_the_same_key_and_takes_the_money_once(shop, kind, when):
    shop.emulator.faults.add(Fault(kind, when), match=CREATE)

    result = shop.charge(3980)

    assert result.outcome is Outcome.SUCCEEDED
    assert shop.book.captured() == 3980
    assert len(shop.emulator.charges) == 1
    assert shop.sent("POST", "/charges") == 2


def test_a_gateway_error_after_the_effect_takes_the_money_once(shop):
    shop.emulator.faults.add(Fault(FaultKind.HTML, When.AFTER, status=502), match=CREATE)

    assert shop.charge().outcome is Outcome.SUCCEEDED
    assert len(shop.book.captures) == 1


@pytest.mark.rule("R-193", "B-114")
def test_when_every_answer_is_lost_the_outcome_is_unknown_and_looking_it_up_settles_it(shop):
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), times=3, match=CREATE)
    attempt = shop.attempt()

    with pytest.raises(OutcomeUnknown):
        shop.charge(attempt)
    shop.clock.advance(seconds=1)

    assert shop.find_charge(attempt).result.outcome is Outcome.SUCCEEDED
    assert len(shop.book.captures) == 1


def test_a_request_that_never_left_is_not_a_charge(shop):
    shop.emulator.faults.add(Fault(FaultKind.REFUSED), times=3, match=CREATE)

    with pytest.raises(ProviderUnavailable):
        shop.charge()
    assert not shop.emulator.charges


@pytest.mark.parametrize("when", list(When))
@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.ERROR])
@pytest.mark.rule("R-193")
def test_an_answer_that_is_not_the_providers_own_is_never_a_decline(shop, kind, when):
    shop.emulator.behaviour.list_delay = 60
    shop.emulator.faults.add(Fault(kind, when), match=CREATE)

    assert shop.charge().outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.ERROR])
def test_a_charge_whose_answer_was_unreadable_is_found_at_once_where_the_list_has_it(shop, kind):
    shop.emulator.faults.add(Fault(kind, When.AFTER), match=CREATE)
    attempt = shop.attempt()

    result = shop.charge(attempt)

    assert result.outcome is Outcome.PENDING
    assert result.reference == shop.emulator.charges[0].id


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.ERROR, FaultKind.TIMEOUT])
def test_a_look_that_fails_is_no_news(shop, kind):
    shop.emulator.faults.add(Fault(kind), match=LOOK)

    assert shop.charge().outcome is Outcome.SUCCEEDED


def test_a_result_lost_by_the_key_store_is_looked_up_instead_of_asked_for_again(shop):
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), match=CREATE)
    shop.emulator.behaviour.key_result_lost = True

    result = shop.charge()

    assert result.reference == shop.emulator.charges[0].id
    assert len(shop.emulator.charges) == 1


# --- the key store is down -------------------------------------------------------------------------------------------


def test_a_key_store_that_is_down_does_not_matter_to_a_request_sent_once(shop):
    shop.emulator.behaviour.key_store_down = True

    assert shop.charge().outcome is Outcome.SUCCEEDED


@pytest.mark.rule("R-193")
def test_an_unchecked_repeat_that_charged_twice_is_unknown_and_names_both_charges(shop):
    shop.emulator.behaviour.key_store_down = True
    shop.emulator.behaviour.duplicate_window = None
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), match=CREATE)
    attempt = shop.attempt()

    result = shop.charge(attempt)
    shop.clock.advance(seconds=5)
    later = shop.find_charge(attempt, result.reference).result

    assert len(shop.emulator.charges) == 2
    for answer in (result, later):
        assert answer.outcome is Outcome.UNKNOWN
        assert all(charge.id in answer.message for charge in shop.emulator.charges)


@pytest.mark.rule("R-193")
def test_an_unchecked_repeat_is_unknown_while_the_list_is_late(shop):
    shop.emulator.behaviour.key_store_down = True
    shop.emulator.behaviour.list_delay = 60
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.BEFORE), match=CREATE)

    result = shop.charge()

    assert result.outcome is Outcome.UNKNOWN
    assert result.reference is None  # so that the look-up goes through the list and would see a twin


def test_an_unchecked_repeat_that_charged_once_is_a_success(shop):
    shop.emulator.behaviour.key_store_down = True
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.BEFORE), match=CREATE)

    assert shop.charge().outcome is Outcome.SUCCEEDED
    assert len(shop.book.captures) == 1


# --- the 30-second rule ----------------------------------------------------------------------------------------------


@pytest.mark.rule("R-205", "B-103")
@pytest.mark.parametrize(("seconds", "outcome"), [(29.899, Outcome.DECLINED), (29.9, Outcome.SUCCEEDED)])
def test_the_same_amount_on_the_same_card_within_thirty_seconds_is_a_duplicate(shop, seconds, outcome):
    shop.charge(3980)  # returns 0.1 s after it was made
    shop.clock.advance(seconds=seconds)

    result = shop.charge(3980)

    assert result.outcome is outcome
    if outcome is Outcome.DECLINED:
        assert (result.code, result.decline) == ("CHARGE_TOO_QUICK", DeclineClass.DUPLICATE)


@pytest.mark.rule("R-205")
def test_the_thirty_second_rule_is_a_duplicate_in_its_other_form_too(shop):
    shop.emulator.behaviour.duplicate_as_charge_311 = True
    shop.charge(3980)

    result = shop.charge(3980)

    assert (result.outcome, result.code, result.decline) == (Outcome.DECLINED, "311", DeclineClass.DUPLICATE)


def test_another_amount_within_thirty_seconds_is_charged(shop):
    shop.charge(3980)

    assert shop.charge(3981).outcome is Outcome.SUCCEEDED


@pytest.mark.rule("R-205", "R-193")
def test_a_duplicate_refusal_of_our_own_repeat_finds_the_charge_that_it_repeated(shop):
    shop.emulator.behaviour.key_store_down = True
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), match=CREATE)
    attempt = shop.attempt()

    result = shop.charge(attempt)
    shop.clock.advance(seconds=1)

    assert result.outcome is not Outcome.DECLINED
    assert shop.find_charge(attempt, result.reference).result.outcome is Outcome.SUCCEEDED
    assert len(shop.book.captures) == 1


@pytest.mark.rule("R-205", "R-193")
def test_a_duplicate_refusal_of_our_own_repeat_is_unknown_while_the_list_is_late(shop):
    shop.emulator.behaviour.key_store_down = True
    shop.emulator.behaviour.list_delay = 60
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), match=CREATE)

    assert shop.charge().outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-205", "R-193")
def test_code_311_on_our_own_repeat_is_not_taken_for_a_decline(shop):
    shop.emulator.behaviour.key_store_down = True
    shop.emulator.behaviour.duplicate_as_charge_311 = True
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), match=CREATE)
    attempt = shop.attempt()

    result = shop.charge(attempt)
    shop.clock.advance(seconds=1)

    assert result.outcome is Outcome.UNKNOWN
    assert shop.find_charge(attempt).result.outcome is Outcome.SUCCEEDED


# --- look-up ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-193")
def test_a_lost_charge_is_not_found_while_the_list_is_late_and_found_after(shop):
    shop.emulator.behaviour.list_delay = 60
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), times=3, match=CREATE)
    attempt = shop.attempt()
    with pytest.raises(OutcomeUnknown):
        shop.charge(attempt)

    early = shop.find_charge(attempt).result
    shop.clock.advance(seconds=60)
    late = shop.find_charge(attempt).result

    assert early is None
    assert late.outcome is Outcome.SUCCEEDED


def test_a_look_up_goes_through_all_pages_and_ignores_other_attempts(shop):
    shop.emulator.behaviour.duplicate_window = None
    wanted = shop.attempt(100)
    shop.charge(wanted)
    for _ in range(120):
        shop.charge(100)

    found = shop.find_charge(wanted).result

    assert found.reference == shop.emulator.charges[0].id
    assert shop.sent("GET", "/charges") == 2


def test_an_attempt_that_never_got_there_is_not_found(shop):
    shop.charge(100)

    assert shop.find_charge(shop.attempt(100)).result is None


def test_a_look_up_under_an_id_that_univapay_does_not_know_finds_nothing(shop):
    assert shop.find_charge(shop.attempt(), "11f0b002-bbbb-4e00-9f00-00000000e999").result is None


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.ERROR, FaultKind.TRUNCATED, FaultKind.TIMEOUT])
def test_a_look_up_without_a_readable_answer_is_unavailable_and_proves_nothing(shop, kind):
    shop.emulator.faults.add(Fault(kind), times=3, match="GET /stores/*/charges")

    with pytest.raises(ProviderUnavailable):
        shop.find_charge(shop.attempt())


def test_a_look_up_reads_the_charge_and_not_the_amount_that_was_asked_for(shop):
    shop.emulator.plan(ChargePlan(charged=Money(1, "JPY")))
    attempt = shop.attempt()
    shop.charge(attempt)

    assert shop.find_charge(attempt).result.code == "amount_mismatch"


@pytest.mark.rule("R-336")
def test_a_charge_that_waits_for_the_customer_is_withdrawn_and_takes_nothing(shop):
    shop.emulator.behaviour.three_ds_required = True
    attempt = shop.attempt()
    waiting = shop.charge(attempt)

    withdrawn = shop.driver.run(shop.provider.cancel_charge(LookupRequest(attempt, waiting.reference))).result
    shop.clock.advance(minutes=1)
    after = shop.find_charge(attempt, waiting.reference).result

    assert withdrawn.outcome in {Outcome.DECLINED, Outcome.PENDING}
    assert (after.outcome, after.code) == (Outcome.DECLINED, "canceled")
    assert not shop.book.captures


@pytest.mark.rule("R-336")
def test_a_customer_who_was_faster_than_the_withdrawal_has_paid(shop):
    shop.emulator.behaviour.three_ds_required = True
    attempt = shop.attempt()
    waiting = shop.charge(attempt)
    shop.emulator.customer_returns(waiting.reference, passed=True)

    found = shop.driver.run(shop.provider.cancel_charge(LookupRequest(attempt, waiting.reference))).result

    assert found.outcome is Outcome.SUCCEEDED


@pytest.mark.rule("R-422")
def test_univapay_gets_the_shops_texts_but_no_key_that_it_reserves(shop):
    attempt = shop.attempt(500)
    attempt = attrs.evolve(
        attempt, metadata={**attempt.metadata, "order": "77", "univapay-customer-id": "x", "paygate_charge": "odd"}
    )

    result = shop.charge(attempt)

    charge = shop.emulator.charge(result.reference)
    assert charge.metadata == {"paygate_charge": attempt.charge_id, "paygate_contract": "c" * 32, "order": "77"}
