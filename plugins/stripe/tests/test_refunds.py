"""Refunds: what is sent, what the states mean, and limits over several of them (§5, R-241 to R-248)."""

from __future__ import annotations

import datetime as dt
import json

import attrs
import pytest

from paygate import Money
from paygate.drivers import Lost, NotSent
from paygate.errors import InvalidValue, OutcomeUnknown, ProviderUnavailable
from paygate.flow import Response
from paygate.provider import Outcome


def refunded(status="succeeded", **changes):
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 1000,
        "currency": "jpy",
        "status": status,
        "created": 1_795_316_400,
        "payment_intent": "pi_1",
        "metadata": {},
        **changes,
    }


def test_a_refund_names_the_payment_the_amount_and_why(shop):
    attempt = shop.refund_attempt(1000, reason="one item returned")

    result = shop.answers(refunded()).refund(attempt)

    assert shop.sent() == ["POST /v1/refunds"]
    assert shop.form() == {
        "payment_intent": "pi_1",
        "amount": "1000",
        "metadata[paygate_refund]": attempt.refund_id,
        "metadata[paygate_reason]": "one item returned",
    }
    assert shop.requests[0].headers["idempotency-key"] == attempt.key
    assert (result.outcome, result.reference) == (Outcome.SUCCEEDED, "re_1")
    assert result.refunded_at == dt.datetime(2026, 11, 22, 3, tzinfo=dt.UTC)


def test_a_payment_that_is_known_by_its_charge_is_refunded_by_that(shop):
    shop.answers(refunded()).refund(shop.refund_attempt(charge="ch_1"))

    assert shop.form()["charge"] == "ch_1"
    assert "payment_intent" not in shop.form()


def test_a_long_reason_is_cut_to_what_metadata_hold(shop):
    shop.answers(refunded()).refund(shop.refund_attempt(reason="あ" * 600))

    assert shop.form()["metadata[paygate_reason]"] == "あ" * 500


@pytest.mark.parametrize("status", ["pending", "requires_action"])
@pytest.mark.rule("R-247")
def test_a_refund_on_its_way_is_pending(shop, status):
    assert shop.answers(refunded(status)).refund(shop.refund_attempt()).outcome is Outcome.PENDING


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        ("failed", "expired_or_canceled_card", "expired_or_canceled_card"),
        ("failed", None, "failed"),
        ("canceled", None, "canceled"),
    ],
)
@pytest.mark.rule("R-248")
def test_a_refund_that_failed_is_declined_with_its_reason(shop, status, reason, code):
    result = shop.answers(refunded(status, failure_reason=reason)).refund(shop.refund_attempt())

    assert (result.outcome, result.code, result.reference) == (Outcome.DECLINED, code, "re_1")


@pytest.mark.parametrize("status", [None, "", "SUCCEEDED", "metamorphosed", 5])
def test_a_status_of_a_refund_that_nobody_documented_is_unknown(shop, status):
    assert shop.answers(refunded(status)).refund(shop.refund_attempt()).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("change", [{"amount": 999}, {"amount": None}, {"amount": "1000"}, {"currency": "usd"}])
def test_a_refund_over_another_amount_is_unknown(shop, change):
    assert shop.answers(refunded(**change)).refund(shop.refund_attempt()).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "fields", "code"),
    [
        (400, {"param": "amount"}, "amount_too_large"),  # more than is left comes without a code
        (400, {"code": "amount_too_large", "param": "amount"}, "amount_too_large"),
        (400, {"code": "charge_already_refunded"}, "charge_already_refunded"),
        (400, {"code": "charge_disputed"}, "charge_disputed"),
        (404, {"code": "resource_missing"}, "resource_missing"),
        (400, {}, "invalid_request_error"),
        (402, {"code": "insufficient_funds"}, "insufficient_funds"),
    ],
)
@pytest.mark.rule("R-239", "R-248")
def test_a_refund_that_stripe_refuses_has_returned_nothing(shop, status, fields, code):
    body = {"error": {"type": "invalid_request_error", "message": "no", **fields}}

    result = shop.answers(body, status=status).refund(shop.refund_attempt())

    assert (result.outcome, result.code) == (Outcome.DECLINED, code)


@pytest.mark.parametrize("status", [401, 403, 429])
def test_what_never_reached_the_payment_has_returned_nothing_and_may_be_repeated(shop, status):
    assert shop.answers(shop.error(), status=status).refund(shop.refund_attempt()).outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    "answer",
    [
        Response(400, {}, b'{"error": {"type": "idempotency_error"}}'),
        Response(409, {}, b'{"error": {"type": "invalid_request_error"}}'),
        Response(500),
        Response(200, {}, b"{}"),
        Response(200, {}, b"<html>"),
    ],
)
@pytest.mark.rule("R-247")
def test_what_leaves_open_whether_money_went_back_is_unknown(shop, answer):
    assert shop.answers(answer).refund(shop.refund_attempt()).outcome is Outcome.UNKNOWN


def test_a_refusal_of_a_repeated_refund_says_nothing_about_the_first_sending(shop):
    shop.driver = shop.patient()
    refused = Response(400, {}, json.dumps(shop.error("charge_already_refunded")).encode())

    assert shop.answers(Lost("timed out"), refused).refund(shop.refund_attempt()).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(("failure", "error"), [(NotSent("x"), ProviderUnavailable), (Lost("x"), OutcomeUnknown)])
def test_refunds_keep_lost_and_not_sent_apart(shop, failure, error):
    with pytest.raises(error):
        shop.answers(failure).refund(shop.refund_attempt())


# --- looking up ------------------------------------------------------------------------------------------------------


def test_a_refund_is_found_by_stripes_id(shop):
    found = shop.answers(refunded()).find_refund(shop.refund_attempt(), "re_1")

    assert found.result.outcome is Outcome.SUCCEEDED
    assert shop.sent() == ["GET /v1/refunds/re_1"]


@pytest.mark.parametrize(("charge", "name"), [("pi_1", "payment_intent"), ("ch_1", "charge")])
def test_without_an_id_it_is_found_among_the_payments_refunds(shop, charge, name):
    attempt = shop.refund_attempt(charge=charge)
    own = refunded(metadata={"paygate_refund": attempt.refund_id})

    found = shop.answers(shop.page(refunded(id="re_2"), own)).find_refund(attempt)

    assert found.result.reference == "re_1"
    assert shop.form() == {name: charge, "limit": "100"}


def test_what_the_payments_refunds_do_not_hold_does_not_exist(shop):
    assert shop.answers(shop.page(refunded())).find_refund(shop.refund_attempt()).result is None


def test_the_second_page_of_refunds_is_asked_for(shop):
    shop.answers(shop.page(refunded(), more=True), shop.page()).find_refund(shop.refund_attempt())

    assert shop.form()["starting_after"] == "re_1"


def test_a_refund_that_went_back_counts_before_one_that_failed(shop):
    attempt = shop.refund_attempt()
    own = {"paygate_refund": attempt.refund_id}
    failed = refunded("failed", id="re_2", metadata=own)

    found = shop.answers(shop.page(failed, refunded(metadata=own))).find_refund(attempt)

    assert found.result.reference == "re_1"


def test_two_refunds_for_one_attempt_are_for_a_person_to_look_at(shop):
    attempt = shop.refund_attempt()
    own = {"paygate_refund": attempt.refund_id}

    found = shop.answers(shop.page(refunded(metadata=own), refunded(id="re_2", metadata=own))).find_refund(attempt)

    assert found.result.outcome is Outcome.UNKNOWN


def test_a_refund_that_stripe_no_longer_knows_by_its_id_is_looked_for_by_paygates(shop):
    gone = Response(404, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}')

    assert shop.answers(gone, shop.page()).find_refund(shop.refund_attempt(), "re_9").result is None


@pytest.mark.rule("R-247")
def test_a_stored_answer_may_be_old_so_the_refund_is_read_again(shop):
    stored = Response(200, {"Idempotent-Replayed": "true"}, json.dumps(refunded()).encode())

    result = shop.answers(stored, refunded("failed")).refund(shop.refund_attempt())

    assert shop.sent() == ["POST /v1/refunds", "GET /v1/refunds/re_1"]
    assert result.outcome is Outcome.DECLINED


def test_a_refund_in_another_currency_than_the_payment_is_refused_with_nothing_sent(shop):
    attempt = attrs.evolve(shop.refund_attempt(), amount=Money(1000, "USD"))

    with pytest.raises(InvalidValue):
        shop.refund(attempt)

    assert shop.requests == []
