"""Refunds: partial, repeated, failing, lost."""

from __future__ import annotations

import pytest

from paygate import Money
from paygate.errors import OutcomeUnknown
from paygate.provider import Outcome
from paygate.testing.emulators import Fault, FaultKind, When

CREATE = "POST /stores/*/charges/*/refunds"


@pytest.mark.rule("R-241", "R-247")
def test_a_part_of_a_charge_is_refunded_several_times_up_to_what_was_charged(shop):
    charge = shop.charge(3000)

    outcomes = [shop.refund(shop.refund_attempt(charge, amount)).outcome for amount in (1000, 1500, 500)]

    assert outcomes == [Outcome.SUCCEEDED] * 3
    assert shop.book.refunded(charge.reference) == 3000


@pytest.mark.parametrize(
    ("amount", "code"), [(3001, "REFUND_EXCEEDS_CHARGE_AMOUNT"), (2001, "REFUND_NOT_WITHIN_BOUNDS")]
)
def test_more_than_is_left_is_declined_and_returns_nothing(shop, amount, code):
    charge = shop.charge(3000)
    shop.refund(shop.refund_attempt(charge, 1000))

    result = shop.refund(shop.refund_attempt(charge, amount))

    assert (result.outcome, result.code) == (Outcome.DECLINED, code)
    assert shop.book.refunded() == 1000


@pytest.mark.rule("R-248")
def test_a_refund_over_the_balance_limit_is_declined_and_returns_nothing(shop):
    charge = shop.charge(3000)
    shop.emulator.behaviour.refund_balance = 500

    result = shop.refund(shop.refund_attempt(charge, 501))

    assert (result.outcome, result.code) == (Outcome.DECLINED, "REFUND_EXCEEDS_SALES")
    assert not shop.book.refunds


@pytest.mark.rule("R-247")
def test_a_refund_that_fails_late_is_declined_with_its_code(shop):
    card = shop.emulator.add_card("4242424242424242")
    charge = shop.charge(3000, card=card)

    result = shop.refund(shop.refund_attempt(charge, 3000))

    assert (result.outcome, result.code) == (Outcome.DECLINED, "329")
    assert not shop.book.refunds


@pytest.mark.rule("R-247")
def test_a_refund_that_outlasts_the_budget_stays_pending_and_is_found_later(shop):
    charge = shop.charge(3000)
    shop.emulator.behaviour.pending = None
    attempt = shop.refund_attempt(charge, 3000)

    left = shop.refund(attempt)
    shop.emulator.settle_refund(left.reference)

    assert left.outcome is Outcome.PENDING
    assert shop.find_refund(attempt, left.reference).result.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(("status", "code"), [("error", None), ("failed", 328), ("reversed", None)])
def test_a_refund_in_an_exceptional_or_unheard_of_state_is_unknown(shop, status, code):
    charge = shop.charge(3000)
    shop.emulator.behaviour.pending = None
    attempt = shop.refund_attempt(charge, 3000)
    left = shop.refund(attempt)

    shop.emulator.settle_refund(left.reference, status, code=code)

    assert shop.find_refund(attempt, left.reference).result.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("when", list(When))
def test_a_lost_answer_is_repeated_under_the_same_key_and_returns_the_money_once(shop, when):
    charge = shop.charge(3000)
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, when), match=CREATE)

    result = shop.refund(shop.refund_attempt(charge, 1000))

    assert result.outcome is Outcome.SUCCEEDED
    assert shop.book.refunded() == 1000


def test_a_refund_whose_answers_were_all_lost_is_found_in_the_list(shop):
    charge = shop.charge(3000)
    shop.emulator.faults.add(Fault(FaultKind.RESET, When.AFTER), times=3, match=CREATE)
    attempt = shop.refund_attempt(charge, 1000)

    with pytest.raises(OutcomeUnknown):
        shop.refund(attempt)
    shop.clock.advance(seconds=1)

    assert shop.find_refund(attempt).result.outcome is Outcome.SUCCEEDED
    assert shop.find_refund(shop.refund_attempt(charge, 1000)).result is None


def test_an_unchecked_repeat_of_a_refund_is_unknown_and_the_look_up_names_both(shop):
    charge = shop.charge(3000)
    shop.emulator.behaviour.key_store_down = True
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), match=CREATE)
    attempt = shop.refund_attempt(charge, 1000)

    result = shop.refund(attempt)
    shop.clock.advance(seconds=1)
    found = shop.find_refund(attempt).result

    assert shop.book.refunded() == 2000
    assert result.outcome is found.outcome is Outcome.UNKNOWN
    assert all(row.reference in found.message for row in shop.book.refunds)


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.ERROR])
def test_an_answer_that_is_not_the_providers_own_is_never_a_refusal(shop, kind):
    charge = shop.charge(3000)
    shop.emulator.faults.add(Fault(kind, When.AFTER), match=CREATE)

    assert shop.refund(shop.refund_attempt(charge, 1000)).outcome is Outcome.UNKNOWN


def test_too_many_requests_mean_that_nothing_was_returned(shop):
    charge = shop.charge(3000)
    shop.emulator.faults.add(Fault(FaultKind.RATE_LIMITED), times=3, match=CREATE)

    assert shop.refund(shop.refund_attempt(charge, 1000)).outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, "REFUND_NOT_ALLOWED", Outcome.DECLINED),
        (400, "CURRENCY_MUST_MATCH_CHARGE", Outcome.DECLINED),
        (400, "SOMETHING_NOBODY_DOCUMENTED", Outcome.DECLINED),
        (409, "IDEMPOTENCY_KEY_CONFLICT", Outcome.UNKNOWN),
        (500, "DB_ERROR", Outcome.UNKNOWN),
    ],
)
def test_a_refused_refund_says_why(shop, status, code, outcome):
    charge = shop.charge(3000)
    shop.emulator.refuse_next(status, code)

    result = shop.refund(shop.refund_attempt(charge, 1000))

    assert result.outcome is outcome
    assert code in f"{result.code} {result.message}" or code == "IDEMPOTENCY_KEY_CONFLICT"
    assert not shop.book.refunds


def test_a_refund_of_an_unknown_charge_is_declined(shop):
    charge = shop.charge(3000)
    attempt = shop.refund_attempt(charge, 1000)
    elsewhere = type(attempt)(
        attempt.refund_id, attempt.key, Money(1000, "JPY"), "11f0b002-bbbb-4e00-9f00-00000000e999", attempt.charged
    )

    assert shop.refund(elsewhere).code == "NOT_FOUND"
