"""Decline codes, advice and networks: the table of the provider fact sheet §6, and what outranks it."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate.networks import load
from paygate.provider import DeclineClass, Outcome
from paygate_stripe.declines import Decline

SOFT, HARD, ACTION, UNKNOWN = DeclineClass.SOFT, DeclineClass.HARD, DeclineClass.ACTION, DeclineClass.UNKNOWN

#: What Stripe's own retries give up on until the card changes.
NEVER_RETRIED = [
    "incorrect_number",
    "lost_card",
    "pickup_card",
    "stolen_card",
    "revocation_of_authorization",
    "revocation_of_all_authorizations",
    "highest_risk_level",
    "transaction_not_allowed",
]
LATER = [
    "insufficient_funds",
    "generic_decline",
    "do_not_honor",
    "call_issuer",
    "no_action_taken",
    "try_again_later",
    "processing_error",
    "issuer_not_available",
    "reenter_transaction",
    "approve_with_id",
    "card_velocity_exceeded",
    "withdrawal_count_limit_exceeded",
]
CUSTOMER = [
    "authentication_required",
    "authentication_not_handled",
    "mobile_device_authentication_required",
    "incorrect_cvc",
]


@pytest.mark.parametrize("code", NEVER_RETRIED)
def test_what_stripe_never_retries_is_hard(shop, code):
    assert shop.answers(shop.decline(decline_code=code)).charge().decline is HARD


@pytest.mark.parametrize("code", ["expired_card", "restricted_card", "fraudulent", "stop_payment_order"])
def test_what_needs_another_card_is_hard(shop, code):
    assert shop.answers(shop.decline(code)).charge().decline is HARD


@pytest.mark.parametrize("code", LATER)
def test_what_may_work_later_is_soft(shop, code):
    assert shop.answers(shop.decline(decline_code=code)).charge().decline is SOFT


@pytest.mark.parametrize("code", CUSTOMER)
def test_what_the_customer_has_to_do_something_about_asks_for_action(shop, code):
    assert shop.answers(shop.decline(code)).charge().decline is ACTION


def test_a_duplicate_is_looked_into_before_anything_is_repeated_whatever_the_advice(shop):
    refused = shop.decline(decline_code="duplicate_transaction", advice_code="try_again_later")

    assert shop.answers(refused).charge().decline is DeclineClass.DUPLICATE


@pytest.mark.parametrize("code", ["metamorphosed", "4242", "", None, 7, {}])
@pytest.mark.rule("R-193")
def test_a_code_that_nobody_documented_is_a_decline_of_unknown_class(shop, code):
    result = shop.answers(shop.decline("new_code", decline_code=code)).charge()

    assert (result.outcome, result.decline) == (Outcome.DECLINED, UNKNOWN)


def test_the_banks_reason_counts_before_the_general_code(shop):
    result = shop.answers(shop.decline("card_declined", decline_code="stolen_card")).charge()

    assert (result.code, result.decline) == ("stolen_card", HARD)


@pytest.mark.parametrize(
    ("advice", "kind"), [("do_not_try_again", HARD), ("try_again_later", SOFT), ("confirm_card_data", ACTION)]
)
@pytest.mark.parametrize("code", ["generic_decline", "lost_card", "new_code"])
def test_stripes_advice_outranks_the_table(code, advice, kind):
    assert Decline.of({"decline_code": code, "advice_code": advice}).kind is kind


def test_an_advice_that_nobody_documented_leaves_the_table_in_force():
    assert Decline.of({"decline_code": "lost_card", "advice_code": "metamorphosed"}).kind is HARD


def test_the_network_and_its_advice_come_from_the_failed_charge(shop):
    charge = {
        "id": "ch_1",
        "payment_method_details": {"card": {"brand": "mastercard", "network": "mastercard"}},
        "outcome": {"network_advice_code": "02", "advice_code": "try_again_later"},
    }
    failed = shop.intent("requires_payment_method", last_payment_error={"code": "card_declined"}, latest_charge=charge)

    result = shop.answers(failed).charge()

    assert (result.network, result.advice_code) == ("mastercard", "02")


def test_the_network_of_a_refused_card_is_known_without_a_charge():
    error = {"code": "authentication_required", "payment_method": {"card": {"brand": "visa"}}}

    assert Decline.of(error).network == "visa"


@pytest.mark.parametrize("card", [None, {}, {"brand": "unknown"}, {"brand": 5}])
def test_a_card_of_an_unknown_network_has_none(card):
    assert Decline.of({"payment_method": {"card": card}}).network is None


@pytest.mark.parametrize(
    ("network", "said", "advice", "kept"),
    [
        ("mastercard", "02", "try_again_later", "02"),
        ("visa", "1", "do_not_try_again", "do_not_try_again"),  # only Mastercard publishes what its codes advise
        ("visa", "1", None, "1"),
        ("visa", None, None, None),
    ],
)
def test_the_most_telling_advice_is_kept(network, said, advice, kept):
    error = {
        "network_advice_code": said,
        "advice_code": advice,
        "payment_method": {"card": {"brand": network}},
    }

    assert Decline.of(error).advice_code == kept


@pytest.mark.parametrize("advice", ["try_again_later", "do_not_try_again", "confirm_card_data"])
@pytest.mark.parametrize("network", ["visa", "jcb", None])
def test_retries_are_planned_by_stripes_advice_whatever_the_network(advice, network):
    assert load().advice_rule(network, advice, dt.date(2026, 11, 22)) is not None


def test_retries_are_planned_by_mastercards_advice():
    error = {"network_advice_code": "03", "payment_method": {"card": {"brand": "mastercard"}}}
    decline = Decline.of(error)

    rule = load().advice_rule(decline.network, str(decline.advice_code), dt.date(2026, 11, 22))

    assert rule is not None
    assert rule.action.value == "never"


@pytest.mark.rule("R-334")
def test_the_networks_own_code_is_passed_on_from_the_error_or_the_charge(shop):
    told = shop.decline(decline_code="do_not_honor", network_decline_code="05")
    by_charge = Decline.of({"code": "card_declined"}, {"outcome": {"network_decline_code": "51"}})

    assert shop.answers(told).charge().response_code == "05"
    assert by_charge.response_code == "51"
    assert shop.answers(shop.decline(decline_code="do_not_honor")).charge().response_code is None
