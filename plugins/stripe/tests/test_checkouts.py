"""Storing a card on Stripe's page or in a form of the seller's (§4)."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from paygate.drivers import Lost, NotSent
from paygate.errors import (
    ConfigurationError,
    NotFound,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
)
from paygate.flow import Response
from paygate.provider import CheckoutState

MISSING = Response(404, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}')
CARD = {"brand": "visa", "last4": "4242", "exp_year": 2030, "exp_month": 4}


def session(status="open", **changes):
    return {
        "id": "cs_test_1",
        "object": "checkout.session",
        "status": status,
        "mode": "setup",
        "customer": "cus_Hanako",
        "url": "https://checkout.stripe.com/c/pay/cs_test_1",
        "expires_at": 1_795_402_800,
        "setup_intent": None,
        **changes,
    }


def setup(status="succeeded", **changes):
    return {
        "id": "seti_1",
        "object": "setup_intent",
        "status": status,
        "customer": "cus_Hanako",
        "payment_method": {"id": "pm_Visa", "card": CARD} if status == "succeeded" else None,
        "client_secret": "seti_1_secret_canary",
        **changes,
    }


def begin(shop, **changes):
    return shop.run(shop.provider.begin_checkout(shop.checkout_request(**changes)))


def complete(shop, reference):
    return shop.run(shop.provider.complete_checkout(reference))


# --- beginning -------------------------------------------------------------------------------------------------------


def test_a_hosted_checkout_sends_the_customer_to_stripes_page(shop):
    checkout = begin(shop.answers(shop.page(), {"id": "cus_Hanako"}, session()), cancel_url="https://shop.example/back")

    assert shop.sent() == ["GET /v1/customers", "POST /v1/customers", "POST /v1/checkout/sessions"]
    assert shop.form() == {
        "mode": "setup",
        "allowed_payment_method_types[0]": "card",
        "customer": "cus_Hanako",
        "success_url": "https://shop.example/done",
        "cancel_url": "https://shop.example/back",
        "locale": "ja",
        "client_reference_id": "d" * 32,
        "metadata[paygate_checkout]": "d" * 32,
    }
    assert checkout.reference == "cs_test_1"
    assert checkout.url == "https://checkout.stripe.com/c/pay/cs_test_1"
    assert checkout.client_token is None
    assert checkout.expires_at == dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)


def test_a_customer_who_gives_up_goes_to_the_same_place_unless_told_otherwise(shop):
    begin(shop.answers(shop.page(), {"id": "cus_Hanako"}, session()))

    assert shop.form()["cancel_url"] == "https://shop.example/done"


@pytest.mark.parametrize(
    ("tag", "named"), [("ja", "ja"), ("ja-JP", "ja"), ("en-GB", "en-GB"), ("en-US", "en"), ("zh-TW", "zh-TW")]
)
def test_the_page_speaks_the_customers_language(shop, tag, named):
    begin(shop.answers(shop.page(), {"id": "cus_Hanako"}, session()), locale=tag)

    assert shop.form()["locale"] == named


def test_a_form_of_the_sellers_own_page_gets_the_client_secret_which_never_shows(shops):
    shop = shops(checkout="setup_intent")

    checkout = begin(shop.answers(shop.page(), {"id": "cus_Hanako"}, setup("requires_payment_method")))

    assert shop.sent()[-1] == "POST /v1/setup_intents"
    assert shop.form() == {
        "customer": "cus_Hanako",
        "usage": "off_session",
        "allowed_payment_method_types[0]": "card",
        "metadata[paygate_checkout]": "d" * 32,
    }
    assert (checkout.reference, checkout.url) == ("seti_1", None)
    assert checkout.client_token == "seti_1_secret_canary"
    assert "canary" not in repr(checkout)
    assert "canary" not in json.dumps(checkout.raw)


def test_a_customer_is_made_once_and_found_by_their_address(shop):
    known = {"id": "cus_Old", "metadata": {"paygate_customer": "42"}}
    newer = {"id": "cus_Newer", "metadata": {"paygate_customer": "42"}}
    sibling = {"id": "cus_Sibling", "metadata": {"paygate_customer": "43"}}

    begin(shop.answers(shop.page(newer, sibling, known), session()))

    assert shop.form(0) == {"email": "hanako@example.com", "limit": "100"}
    assert shop.form()["customer"] == "cus_Old"
    assert len(shop.requests) == 2


def test_a_new_customer_carries_the_sellers_id_and_is_the_same_on_a_repeat(shop):
    begin(shop.answers(shop.page(), {"id": "cus_Hanako"}, session()))

    assert shop.form(1) == {"email": "hanako@example.com", "metadata[paygate_customer]": "42"}
    assert shop.requests[1].headers["idempotency-key"] == "d" * 32 + "-customer"
    assert shop.requests[2].headers["idempotency-key"] == "d" * 32


def test_a_customer_without_an_address_is_made_for_the_checkout(shop):
    begin(shop.answers({"id": "cus_Hanako"}, session()), email=None)

    assert shop.sent() == ["POST /v1/customers", "POST /v1/checkout/sessions"]
    assert shop.form(0) == {"metadata[paygate_customer]": "42"}


def test_every_page_of_customers_is_looked_through(shop):
    known = {"id": "cus_Old", "metadata": {"paygate_customer": "42"}}

    begin(shop.answers(shop.page({"id": "cus_1"}, more=True), shop.page(known), session()))

    assert shop.form(1)["starting_after"] == "cus_1"
    assert shop.form()["customer"] == "cus_Old"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (NotSent("no connection"), ProviderUnavailable),
        (Lost("timed out"), OutcomeUnknown),
        (Response(500), OutcomeUnknown),
        (Response(400, {}, b'{"error": {"type": "invalid_request_error", "code": "url_invalid"}}'), ProviderError),
        (Response(403, {}, b'{"error": {"type": "invalid_request_error"}}'), ConfigurationError),
    ],
)
def test_a_checkout_that_stripe_does_not_begin_is_an_error(shop, answer, error):
    with pytest.raises(error):
        begin(shop.answers(shop.page(), {"id": "cus_Hanako"}, answer))


# --- completing ------------------------------------------------------------------------------------------------------


def test_a_completed_page_hands_over_the_credential_that_charges_take(shop):
    result = complete(shop.answers(session("complete", setup_intent=setup())), "cs_test_1")

    assert shop.sent() == ["GET /v1/checkout/sessions/cs_test_1"]
    assert shop.form() == {"expand[0]": "setup_intent.payment_method"}
    assert (result.state, result.credential) == (CheckoutState.COMPLETED, "cus_Hanako/pm_Visa")
    assert (result.network, result.last4, result.expires) == ("visa", "4242", "2030-04")
    assert "pm_Visa" not in repr(result)
    assert "pm_Visa" not in json.dumps(result.raw)


def test_a_completed_form_hands_over_the_same(shop):
    result = complete(shop.answers(setup()), "seti_1")

    assert shop.form() == {"expand[0]": "payment_method"}
    assert (result.state, result.credential, result.last4) == (CheckoutState.COMPLETED, "cus_Hanako/pm_Visa", "4242")


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (session("open"), CheckoutState.OPEN),
        (session("complete"), CheckoutState.OPEN),
        (session("complete", setup_intent=setup("processing")), CheckoutState.OPEN),
        (session("expired"), CheckoutState.EXPIRED),
        (session("metamorphosed", setup_intent=setup()), CheckoutState.OPEN),
        (session(None), CheckoutState.OPEN),
    ],
)
def test_a_page_that_is_not_complete_has_no_card(shop, now, state):
    result = complete(shop.answers(now), "cs_test_1")

    assert (result.state, result.credential) == (state, None)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (setup("requires_payment_method"), CheckoutState.OPEN),
        (setup("requires_confirmation"), CheckoutState.OPEN),
        (setup("requires_action"), CheckoutState.OPEN),
        (setup("processing"), CheckoutState.OPEN),
        (setup("metamorphosed"), CheckoutState.OPEN),
        (setup("canceled"), CheckoutState.EXPIRED),
        (setup(customer=None), CheckoutState.OPEN),
        (setup(payment_method=None), CheckoutState.OPEN),
    ],
)
def test_a_form_that_has_not_succeeded_has_no_card(shop, now, state):
    result = complete(shop.answers(now), "seti_1")

    assert (result.state, result.credential) == (state, None)


def test_a_card_that_was_refused_says_why(shop):
    refused = setup(
        "requires_payment_method",
        last_setup_error={"code": "card_declined", "decline_code": "lost_card", "message": "no"},
    )

    result = complete(shop.answers(refused), "seti_1")

    assert (result.state, result.code, result.message) == (CheckoutState.FAILED, "lost_card", "no")
    assert result.raw["error"]["decline_code"] == "lost_card"


@pytest.mark.parametrize("card", [None, {}, {"exp_year": "2030", "exp_month": 4}])
def test_a_card_that_says_nothing_of_itself_is_stored_all_the_same(shop, card):
    result = complete(shop.answers(setup(payment_method={"id": "pm_Visa", "card": card})), "seti_1")

    assert (result.state, result.network, result.expires) == (CheckoutState.COMPLETED, None, None)


@pytest.mark.parametrize("reference", ["cs_test_1", "seti_1"])
def test_a_checkout_that_stripe_does_not_know_is_not_found(shop, reference):
    with pytest.raises(NotFound):
        complete(shop.answers(MISSING), reference)


@pytest.mark.parametrize("reference", ["", "pi_1", "../v1/charges"])
def test_what_cannot_be_a_checkout_is_not_found_with_nothing_sent(shop, reference):
    with pytest.raises(NotFound):
        complete(shop, reference)

    assert shop.requests == []
