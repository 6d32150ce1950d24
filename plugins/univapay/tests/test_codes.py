"""The provider fact sheet's tables of codes, walked from the first to the last: what each one makes of an attempt."""

from __future__ import annotations

import json

import pytest

from paygate.drivers import SyncDriver
from paygate.flow import Response
from paygate.provider import DeclineClass, Outcome, Webhook
from paygate.testing.emulators import Wish, WishKind
from paygate_univapay.codes import CHARGE_CODES, HTTP_CODES, UNCLEAR_CODES
from paygate_univapay.mapping import charge_result

SOFT, HARD, ACTION, CONFIG = DeclineClass.SOFT, DeclineClass.HARD, DeclineClass.ACTION, DeclineClass.CONFIG
DUPLICATE, UNKNOWN = DeclineClass.DUPLICATE, DeclineClass.UNKNOWN

#: §15.3: the class in the words of the table, and what a charge with such a code is to paygate; None: unknown outcome.
MEANS = {
    "hard": HARD,
    "soft": SOFT,
    "customer": ACTION,
    "config": CONFIG,
    "op": UNKNOWN,  # about a cancel or a refund: a charge failed, and why is not said
    "look": None,
}

CHARGE_TABLE = {
    **dict.fromkeys([301, 302, 303, 304, 307, 308, 314, 319, 326, *range(332, 336)], "hard"),
    **dict.fromkeys([340, 342, 351, 355, 356, 359], "hard"),
    305: "hard",  # "customer" in general; the security code of a stored card is not asked for again
    **dict.fromkeys([306, 309, 315, 320, 330, 336, 337, 343, 344, 346], "soft"),
    313: "soft",  # "op": the authorisation lapsed, and a new charge is needed
    **dict.fromkeys([322, 323, 327, 358, 363], "customer"),
    **dict.fromkeys([310, 316, 317, 318, 321, 331, 341], "config"),
    **dict.fromkeys([312, 329, 345], "op"),
    **dict.fromkeys([324, 325, 328, 338, 339, 500, 501, 502, 504, 601, 602, 603, 604], "look"),
}

#: §15.2: HTTP statuses and the codes that come with them, by what is to be done about a charge that was refused so.
HTTP_TABLE = {
    (400, CONFIG): """
        VALIDATION_ERROR RECURRING_USAGE_LIMIT_REQUIRED USAGE_LIMIT_NOT_APPLICABLE INVALID_TOKEN_TYPE
        NON_SUBSCRIPTION_PAYMENT NOT_ONE_TIME_TOKEN NOT_SUBSCRIPTION_TOKEN TOKEN_FOR_WRONG_STORE PROCESSING_MODE_MISMATCH
        NO_TEST_CARD_IN_LIVE_MODE LIVE_MODE_NOT_ENABLED_WHEN_UNVERIFIED CHARGE_AMOUNT_TOO_HIGH CHARGE_AMOUNT_TOO_LOW
        CARD_PROCESSING_DISABLED CONVENIENCE_PROCESSING_DISABLED QR_PROCESSING_DISABLED NO_GATEWAYS_AVAILABLE
        NO_DIRECT_CURRENCY_GATEWAY NOT_SUPPORTED_BY_PROCESSOR AUTH_NOT_SUPPORTED INVALID_QR_SCAN_GATEWAY
        PAYMENT_EXPIRATION_EXCEEDS_PERIOD INSTALLMENT_MAX_PAYOUT_PERIOD_EXCEEDED
        INSTALLMENT_PAYMENT_TYPE_NOT_ALLOWED_FOR_PLAN INSTALLMENT_INVALID_CYCLES_COUNT INSTALLMENT_INVALID_PLAN
        RESOURCE_LIMIT_REACHED INVALID_PLATFORM INVALID_IP_ADDRESS AUTH_EXPIRED PAYMENT_TYPE_NOT_ALLOWED
        ONE_TIME_ONLY_ALLOWED
    """,
    (400, HARD): """
        TRANSACTION_ALREADY_PROCESSED TRANSACTION_TOKEN_EXPIRED RECURRING_TOKEN_DISABLED RECURRING_TOKEN_NOT_ALLOWED
        CARD_BRAND_NOT_SUPPORTED CARD_COUNTRY_NOT_SUPPORTED FORBIDDEN_IP USER_BANNED
    """,
    (400, ACTION): """
        RECURRING_USAGE_REQUIRES_CVV CVV_REQUIRED CVV_AUTHORIZATION_NOT_COMPLETED LAST_NAME_REQUIRED
        TOKEN_MUST_BE_CONFIRMED
    """,
    (400, DUPLICATE): "CHARGE_TOO_QUICK",
    (400, SOFT): "SERVICE_RESTRICTED RATE_LIMIT_EXCEEDED TOO_MANY_REQUESTS CARD_LIMIT_EXCEEDED_FOR_STORE "
    "SUBSCRIPTION_PROCESSING",
    (400, UNKNOWN): """
        ALREADY_CAPTURED CAPTURE_AMOUNT_TOO_LARGE PARTIAL_CAPTURE_NOT_SUPPORTED CANCEL_NOT_ALLOWED
        CANNOT_REFUND_UNSUCCESSFUL_CHARGE REFUND_EXCEEDS_CHARGE_AMOUNT REFUND_NOT_WITHIN_BOUNDS REFUND_NOT_ALLOWED
        REFUND_EXCEEDS_SALES CURRENCY_MUST_MATCH_CHARGE CANNOT_CHANGE_CANCELED_SUBSCRIPTION CANNOT_CHANGE_TOKEN
        SUBSCRIPTION_ALREADY_ENDED FILE_INVALID_TYPE FILE_MAX_SIZE_EXCEEDED CANNOT_UPDATE_TRANSACTION_TOKEN
    """,
    (401, CONFIG): """
        AUTH_HEADER_MISSING INVALID_APP_TOKEN INVALID_CREDENTIALS INVALID_DOMAIN INVALID_LOGIN_TOKEN EXPIRED_LOGIN_TOKEN
        DIRECT_CARD_TOKEN_CREATION_DISABLED
    """,
    (403, CONFIG): """
        INVALID_PERMISSIONS OUTDATED_APP_TOKEN INSTALLMENTS_NOT_ENABLED
        INSTALLMENT_PROCESSOR_INITIAL_AMOUNTS_NOT_SUPPORTED TEST_CARD_CANNOT_BE_BANNED
    """,
    (403, SOFT): "CARD_LOCKED",
    (404, HARD): "NOT_FOUND",
    (409, UNKNOWN): "NON_UNIQUE_ACTIVE_TOKEN WEBHOOK_URL_EXISTS",
}

#: §15.2: codes after which the charge may exist.
HTTP_LOOK = {
    409: "IDEMPOTENCY_KEY_CONFLICT",
    500: """
        DB_ERROR TIMEOUT UNKNOWN_ERROR IMPROPER_AUTH COULD_NOT_REFRESH_AUTH FILE_UPLOAD_ERROR
        UNABLE_TO_GET_IDEMPOTENT_RESULT UNABLE_TO_GET_IDEMPOTENT_REQUEST
    """,
    503: "SERVICE_UNAVAILABLE_TRY_AGAIN",
    504: "NO_GATEWAY_AVAILABLE_TO_PROCESS_THE_REQUEST",
}

HTTP_ROWS = [(status, code, decline) for (status, decline), codes in HTTP_TABLE.items() for code in codes.split()]
LOOK_ROWS = [(status, code) for status, codes in HTTP_LOOK.items() for code in codes.split()]


def answering(shop, status, body):
    """A driver behind which every request gets the same answer, but for the list of the store, which is there."""

    def handle(request):
        if request.url.endswith("/charges?limit=1"):
            return Response(200, {}, b'{"items": [], "has_more": false}')
        return Response(status, {}, json.dumps(body).encode())

    return SyncDriver(shop.clock, mounts={"https://api.univapay.com": handle})


def failed(code, status="failed"):
    return {
        "id": "11f0b002-bbbb-4e00-9f00-00000000e001",
        "status": status,
        "requested_amount": 3980,
        "requested_currency": "JPY",
        "error": {"code": code, "message": "a text that nobody may match on"},
        "metadata": {"paygate_charge": f"{1:032x}"},  # the id of the first attempt of each shop
    }


@pytest.mark.parametrize(("code", "word"), CHARGE_TABLE.items())
def test_every_code_of_a_failed_charge_means_what_the_table_says(shop, code, word):
    driver, expected = answering(shop, 201, failed(code)), MEANS[word]

    result = driver.run(shop.provider.charge(shop.attempt(3980)))

    assert result.code == str(code)
    assert result.decline is expected
    assert result.outcome is (Outcome.UNKNOWN if expected is None else Outcome.DECLINED)


def test_the_duplicate_code_of_a_charge_is_a_duplicate(shop):
    result = answering(shop, 201, failed(311)).run(shop.provider.charge(shop.attempt(3980)))

    assert (result.outcome, result.decline) == (Outcome.DECLINED, DUPLICATE)


@pytest.mark.parametrize(("status", "code", "decline"), HTTP_ROWS)
def test_every_code_of_a_refused_request_means_what_the_table_says(shop, status, code, decline):
    driver = answering(shop, status, {"status": "error", "code": code})

    result = driver.run(shop.provider.charge(shop.attempt(3980)))

    # 401 and 403 are about the account, but for a locked card: nothing was done, and nothing is wrong with the card
    account = status in {401, 403} and code != "CARD_LOCKED"
    expected = Outcome.NOT_SENT if account else Outcome.DECLINED
    assert (result.outcome, result.code, result.decline) == (expected, code, decline)


@pytest.mark.parametrize(("status", "code"), LOOK_ROWS)
def test_every_code_after_which_the_charge_may_exist_is_an_unknown_outcome(shop, status, code):
    driver = answering(shop, status, {"status": "error", "code": code})

    result = driver.run(shop.provider.charge(shop.attempt(3980)))

    assert (result.outcome, result.code) == (Outcome.UNKNOWN, code)


def test_the_tables_of_the_plugin_hold_the_documented_codes_and_no_others():
    assert {*CHARGE_CODES, *UNCLEAR_CODES} == {str(code) for code in CHARGE_TABLE} | {"311"}
    assert {code for _, code, _ in HTTP_ROWS} == set(HTTP_CODES)


@pytest.mark.parametrize("code", [1, 300, 347, 362, 699, 40_001, "399", "INVENTED_TOMORROW", "", "日本"])
def test_a_code_that_nobody_documented_is_a_decline_of_unknown_class_in_both_vocabularies(shop, code):
    charge = answering(shop, 201, failed(code)).run(shop.provider.charge(shop.attempt(3980)))
    body = {"status": "error", "code": str(code) or "X"}
    refused = answering(shop, 400, body).run(shop.provider.charge(shop.attempt(3980)))

    assert (charge.outcome, charge.decline) == (Outcome.DECLINED, UNKNOWN)
    assert (refused.outcome, refused.decline) == (Outcome.DECLINED, UNKNOWN)


@pytest.mark.parametrize("code", [306, 500, 999])
@pytest.mark.parametrize("status", ["failed", "error", "canceled", "unheard_of"])
def test_no_code_makes_an_event_a_success(shop, code, status):
    headers = {"authorization": shop.settings.webhook_auth_token}
    body = {"event": "charge_finished", "data": {**failed(code, status), "status": "successful"}}
    driver = answering(shop, 200, failed(code, status))

    [event] = driver.run(shop.provider.parse_webhook(Webhook(headers, json.dumps(body).encode())))

    assert event.charge.outcome in {Outcome.DECLINED, Outcome.UNKNOWN}


# --- the network, by whose rules retries are planned -----------------------------------------------------------------


@pytest.mark.parametrize(("number", "network"), [("4111111111111111", "visa"), ("5555555555554444", "mastercard")])
def test_a_declined_charge_names_the_network_of_its_card(shop, number, network):
    card = shop.emulator.add_card(number)
    shop.emulator.wish(Wish(WishKind.DECLINE))

    result = shop.charge(shop.attempt(card=card))

    assert (result.outcome, result.network, result.advice_code) == (Outcome.DECLINED, network, None)
    assert number not in repr((result, result.raw))


@pytest.mark.parametrize(
    "token",
    [
        {},
        {"data": None},
        {"data": {"card": []}},
        {"data": {"card": {"brand": None}}},
        {"data": {"card": {"brand": "unknown"}}},
        {"data": {"card": {"brand": "private_label"}}},
        {"data": {"card": {"brand": "4111 1111"}}},
        [],
    ],
)
def test_a_card_that_does_not_name_its_network_is_declined_without(shop, token):
    def handle(request):
        body = token if "/tokens/" in request.url else {**failed(306), "transaction_token_id": shop.card}
        return Response(201 if request.method == "POST" else 200, {}, json.dumps(body).encode())

    driver = SyncDriver(shop.clock, mounts={"https://api.univapay.com": handle})
    result = driver.run(shop.provider.charge(shop.attempt(3980)))

    assert (result.outcome, result.code, result.network) == (Outcome.DECLINED, "306", None)


def test_a_charge_that_succeeds_asks_for_no_network(shop):
    shop.charge()

    assert not any("/tokens/" in request.url for request in shop.emulator.requests)


@pytest.mark.rule("R-334")
@pytest.mark.parametrize(
    ("number", "code"), [("301", "14"), ("304", "54"), ("314", "43"), ("330", "51"), ("306", None)]
)
def test_a_number_that_means_what_a_networks_code_means_is_passed_on_as_that(number, code):
    failed = {"id": "c1", "status": "failed", "error": {"code": int(number), "message": "no"}}

    result = charge_result(failed, None)

    assert (result.code, result.response_code) == (number, code)
