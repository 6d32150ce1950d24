"""Off-session charges of a stored card: what is sent, and what each answer means."""

from __future__ import annotations

import datetime as dt
import json

import attrs
import pytest

from paygate import Money
from paygate.drivers import Lost, NotSent
from paygate.errors import InvalidValue, OutcomeUnknown, ProviderUnavailable
from paygate.flow import Replay, Response
from paygate.provider import DeclineClass, LookupRequest, Outcome

RETURN_URL = "https://shop.example/paid"


def test_a_charge_is_an_intent_that_is_created_and_confirmed_in_one_call(shop):
    attempt = shop.attempt(3980, description="Gold, one month")

    result = shop.answers(shop.intent()).charge(attempt)

    (request,) = shop.requests
    assert (request.method, request.url) == ("POST", "https://api.stripe.com/v1/payment_intents")
    assert shop.form() == {
        "amount": "3980",  # yen have no minor unit: never multiplied
        "currency": "jpy",
        "customer": "cus_Hanako",
        "payment_method": "pm_Visa",
        "off_session": "true",
        "confirm": "true",
        "description": "Gold, one month",
        "metadata[paygate_charge]": attempt.charge_id,
        "metadata[paygate_contract]": "c" * 32,
        "expand[0]": "latest_charge",
    }
    assert result.outcome is Outcome.SUCCEEDED
    assert result.reference == "pi_1"
    assert result.amount == Money(3980, "JPY")


def test_the_attempts_own_key_and_the_pinned_version_go_out_and_nothing_about_the_machine(shop):
    attempt = shop.attempt()

    shop.answers(shop.intent()).charge(attempt)

    headers = dict(shop.requests[0].headers)
    agent = headers.pop("user-agent")
    assert headers == {
        "authorization": f"Bearer {shop.settings.api_key}",
        "content-type": "application/x-www-form-urlencoded",
        "idempotency-key": attempt.key,
        "stripe-version": "2026-10-28.endive",
    }
    assert agent.startswith("paygate-stripe/")
    assert shop.requests[0].replay is Replay.SAME_KEY


def test_a_connected_account_is_named_in_every_request(shops):
    shop = shops(stripe_account="acct_1234").answers({"id": "pi_1"})

    shop.charge()

    assert shop.requests[0].headers["stripe-account"] == "acct_1234"


@pytest.mark.rule("R-201")
def test_the_success_is_dated_by_the_charge(shop):
    result = shop.answers(shop.intent()).charge()

    assert result.charged_at == dt.datetime(2026, 11, 22, 3, 0, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize("charge", [None, "ch_1", {}, {"created": "1795316401"}, {"created": -5}, {"created": 2**60}])
def test_a_success_without_a_readable_instant_leaves_the_instant_open(shop, charge):
    result = shop.answers(shop.intent(latest_charge=charge)).charge()

    assert (result.outcome, result.charged_at) == (Outcome.SUCCEEDED, None)


@pytest.mark.parametrize(
    "change",
    [
        {"amount_received": 3979},
        {"amount_received": 398000},
        {"amount_received": None},
        {"amount_received": "3980"},
        {"amount_received": 3980.0},
        {"amount_received": True},
        {"amount_received": -3980},
        {"currency": "usd"},
        {"currency": "yen"},
        {"currency": None},
    ],
)
def test_a_success_over_another_amount_is_unknown(shop, change):
    result = shop.answers(shop.intent(**change)).charge()

    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "amount_mismatch")


def test_a_payment_that_is_processed_later_is_pending(shop):
    result = shop.answers(shop.intent("processing")).charge()

    assert (result.outcome, result.reference, result.action_url) == (Outcome.PENDING, "pi_1", None)


def test_a_payment_that_waits_for_the_customer_is_pending_with_their_link(shop):
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/3ds/1"}}

    result = shop.answers(shop.intent("requires_action", next_action=action)).charge()

    assert (result.outcome, result.action_url) == (Outcome.PENDING, "https://hooks.stripe.com/3ds/1")


def test_a_payment_that_waits_for_a_front_end_is_pending_without_a_link(shop):
    result = shop.answers(shop.intent("requires_action", next_action={"type": "use_stripe_sdk"})).charge()

    assert (result.outcome, result.action_url) == (Outcome.PENDING, None)


def test_a_canceled_payment_is_declined_with_its_reason(shop):
    result = shop.answers(shop.intent("canceled", cancellation_reason="abandoned")).charge()

    assert (result.outcome, result.code, result.decline) == (Outcome.DECLINED, "abandoned", DeclineClass.UNKNOWN)


@pytest.mark.parametrize(
    "status", ["requires_confirmation", "requires_capture", "SUCCEEDED", "succeeded ", "metamorphosed", "", None, 7, {}]
)
@pytest.mark.rule("R-193")
def test_a_status_that_paygate_never_asks_for_is_unknown(shop, status):
    result = shop.answers(shop.intent(status)).charge()

    assert result.outcome is Outcome.UNKNOWN


# --- declines --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-176")
def test_a_decline_names_the_banks_reason_and_the_intent_that_stays(shop):
    result = shop.answers(shop.decline(decline_code="insufficient_funds")).charge()

    assert result.outcome is Outcome.DECLINED
    assert (result.code, result.decline) == ("insufficient_funds", DeclineClass.SOFT)
    assert result.reference == "pi_1"
    assert result.message == "it did not work"


def test_a_decline_beside_an_intent_that_is_paid_is_unknown(shop):
    result = shop.answers(shop.decline(payment_intent=shop.intent())).charge()

    assert (result.outcome, result.reference) == (Outcome.UNKNOWN, "pi_1")


def test_a_decline_without_an_intent_is_a_decline_all_the_same(shop):
    result = shop.answers(shop.decline("expired_card", payment_intent=None)).charge()

    assert (result.outcome, result.code, result.reference) == (Outcome.DECLINED, "expired_card", None)


def test_an_intent_that_never_had_a_card_is_a_decline_of_unknown_class(shop):
    result = shop.answers(shop.intent("requires_payment_method")).charge()

    assert (result.outcome, result.code) == (Outcome.DECLINED, "requires_payment_method")
    assert result.decline is DeclineClass.UNKNOWN


def test_a_payment_that_the_bank_wants_confirmed_is_declined_where_there_is_nowhere_to_send_the_customer(shop):
    result = shop.answers(shop.decline("authentication_required")).charge()

    assert (result.outcome, result.decline) == (Outcome.DECLINED, DeclineClass.ACTION)
    assert len(shop.requests) == 1


# --- identity checks -------------------------------------------------------------------------------------------------


def waiting(shop):
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/3ds/1"}}
    return shop.intent("requires_action", next_action=action)


def test_with_a_return_url_the_bank_is_asked_where_the_customer_confirms_the_payment(shops):
    shop = shops(return_url=RETURN_URL)
    attempt = shop.attempt()

    result = shop.answers(shop.decline("authentication_required"), waiting(shop)).charge(attempt)

    assert (result.outcome, result.action_url) == (Outcome.PENDING, "https://hooks.stripe.com/3ds/1")
    assert shop.sent() == ["POST /v1/payment_intents", "POST /v1/payment_intents/pi_1/confirm"]
    assert shop.form() == {"payment_method": "pm_Visa", "return_url": RETURN_URL, "expand[0]": "latest_charge"}
    assert shop.requests[1].headers["idempotency-key"] == f"{attempt.key}-action"


def test_a_bank_that_is_content_without_asking_the_customer_is_a_success(shops):
    shop = shops(return_url=RETURN_URL)

    result = shop.answers(shop.decline("authentication_required"), shop.intent()).charge()

    assert result.outcome is Outcome.SUCCEEDED


def test_a_bank_that_refuses_when_the_customer_is_there_has_declined(shops):
    shop = shops(return_url=RETURN_URL)
    refused = shop.decline(decline_code="insufficient_funds")

    result = shop.answers(shop.decline("authentication_required"), refused).charge()

    assert (result.outcome, result.code) == (Outcome.DECLINED, "insufficient_funds")


@pytest.mark.parametrize("second", [NotSent("no connection"), Response(429, {}, b"{}")])
def test_where_the_bank_could_not_be_asked_again_the_decline_stands(shops, second):
    shop = shops(return_url=RETURN_URL)
    if isinstance(second, Response):
        second = attrs.evolve(second, body=b'{"error": {"type": "invalid_request_error", "code": "rate_limit"}}')

    result = shop.answers(shop.decline("authentication_required"), second).charge()

    assert (result.outcome, result.decline) == (Outcome.DECLINED, DeclineClass.ACTION)


@pytest.mark.parametrize("second", [Lost("timed out"), Response(500)])
@pytest.mark.rule("R-193")
def test_where_the_second_answer_is_lost_the_payment_may_have_been_made(shops, second):
    shop = shops(return_url=RETURN_URL)

    result = shop.answers(shop.decline("authentication_required"), second).charge()

    assert (result.outcome, result.reference) == (Outcome.UNKNOWN, "pi_1")


def test_an_intent_that_has_moved_on_in_the_meantime_is_unknown_until_it_is_looked_at(shops):
    shop = shops(return_url=RETURN_URL)
    moved_on = Response(
        400, {}, b'{"error": {"type": "invalid_request_error", "code": "payment_intent_unexpected_state"}}'
    )

    result = shop.answers(shop.decline("authentication_required"), moved_on).charge()

    assert (result.outcome, result.reference) == (Outcome.UNKNOWN, "pi_1")


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "decline"),
    [
        (400, "amount_too_small", DeclineClass.CONFIG),
        (400, "parameter_unknown", DeclineClass.CONFIG),
        (400, "resource_missing", DeclineClass.HARD),
        (404, "resource_missing", DeclineClass.HARD),
        (400, "something_new", DeclineClass.UNKNOWN),
        (400, None, DeclineClass.UNKNOWN),
    ],
)
def test_a_request_that_stripe_refuses_is_declined(shop, status, code, decline):
    result = shop.answers(shop.error(code), status=status).charge()

    assert (result.outcome, result.decline) == (Outcome.DECLINED, decline)
    assert result.code == (code or "invalid_request_error")


@pytest.mark.parametrize(("status", "code"), [(401, None), (401, "api_key_expired"), (403, None)])
def test_a_key_that_stripe_refuses_has_charged_nothing_and_declined_nobody(shop, status, code):
    result = shop.answers(shop.error(code), status=status).charge()

    assert result.outcome is Outcome.NOT_SENT
    assert "api_key" in result.message


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limit"), (429, "lock_timeout"), (400, "rate_limit")])
def test_too_many_requests_means_that_nothing_happened(shop, status, code):
    assert shop.answers(shop.error(code), status=status).charge().outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "idempotency_error", None),
        (409, "invalid_request_error", "idempotency_key_in_use"),
        (424, "api_error", None),
        (500, "api_error", None),
        (503, "api_error", None),
        (302, "api_error", None),
        (404, "api_error", None),
    ],
)
@pytest.mark.rule("R-193")
def test_what_leaves_open_whether_it_was_processed_is_unknown(shop, status, kind, code):
    result = shop.answers(shop.error(code, kind=kind), status=status).charge()

    assert result.outcome is Outcome.UNKNOWN


def test_no_connection_stays_certainly_nothing_through_the_package(shop):
    with pytest.raises(ProviderUnavailable):
        shop.answers(NotSent("connection refused")).charge()


@pytest.mark.rule("R-193")
def test_a_lost_answer_stays_unknown_through_the_package(shop):
    with pytest.raises(OutcomeUnknown):
        shop.answers(Lost("timed out")).charge()


@pytest.mark.parametrize("status", [400, 401, 404])
@pytest.mark.rule("R-193")
def test_a_refusal_of_a_repeat_says_nothing_about_the_first_sending(shops, clock, status):
    shop = shops()
    shop.driver = shop.patient()

    result = shop.answers(
        Lost("timed out"), Response(status, {}, b'{"error": {"type": "invalid_request_error"}}')
    ).charge()

    assert len(shop.requests) == 2
    assert result.outcome is Outcome.UNKNOWN


def test_a_decline_of_a_repeat_is_the_stored_decline_of_the_first(shop):
    shop.driver = shop.patient()

    result = shop.answers(Lost("timed out"), shop.decline(decline_code="lost_card")).charge()

    assert (result.outcome, result.code) == (Outcome.DECLINED, "lost_card")
    assert shop.requests[0] == shop.requests[1]


@pytest.mark.parametrize(
    "card", ["", "pm_1", "cus_1", "cus_1/", "cus_1/pm_1/", "tok_visa", "cus_1/tok_visa", "cus_1/pm_１"]
)
def test_a_credential_of_another_form_is_refused_with_nothing_sent_and_nothing_quoted(shop, card):
    with pytest.raises(InvalidValue) as refused:
        shop.charge(shop.attempt(card=card))

    assert shop.requests == []
    assert not card or card not in str(refused.value).replace("cus_…/pm_…", "")


def test_what_is_kept_of_an_answer_is_an_allow_list(shop):
    answer = shop.intent(
        client_secret="pi_1_secret_canary",
        customer="cus_Hanako",
        payment_method="pm_Visa",
        receipt_email="hanako@example.com",
        description="for Hanako",
        shipping={"name": "Hanako"},
        metadata={"paygate_charge": f"{1:032x}", "name": "Hanako", "paygate_odd": 5},
    )

    raw = shop.answers(answer).charge().raw

    assert raw == {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 3980,
        "amount_received": 3980,
        "currency": "jpy",
        "status": "succeeded",
        "created": 1_795_316_400,
        "livemode": False,
        "latest_charge": "ch_1",
        "metadata": {"paygate_charge": f"{1:032x}"},
    }


def test_a_field_of_another_kind_than_documented_is_not_kept(shop):
    raw = shop.answers(shop.intent(status={"card": "4242424242424242"}, created=[1], livemode=None)).charge().raw

    assert not {"status", "created", "livemode"} & raw.keys()


def test_what_might_be_a_card_a_key_or_a_credential_is_cut_out_of_stripes_text(shop):
    text = "No such customer: 'cus_Hanako'; card 4242 4242 4242 4242, key sk_test_abc, pm_Visa"

    result = shop.answers(shop.error("resource_missing", message=text), status=400).charge()

    assert result.message == "No such customer: '<id>'; card <number>, key <id>, <id>"


# --- answers that are stored under a key -----------------------------------------------------------------------------


def replayed(body, status=200):
    return Response(status, {"Idempotent-Replayed": "true"}, json.dumps(body).encode())


def test_an_answer_that_is_stored_under_the_key_may_be_old_so_the_payment_is_read_again(shop):
    result = shop.answers(replayed(shop.intent("processing")), shop.intent()).charge()

    assert shop.sent() == ["POST /v1/payment_intents", "GET /v1/payment_intents/pi_1"]
    assert result.outcome is Outcome.SUCCEEDED


def test_a_stored_decline_of_a_payment_that_the_customer_has_made_since_is_a_success(shop):
    declined = json.loads(shop.decline().body)

    assert shop.answers(replayed(declined, 402), shop.intent()).charge().outcome is Outcome.SUCCEEDED


def test_a_stored_decline_without_an_intent_stands(shop):
    declined = shop.error("card_declined", kind="card_error")

    assert shop.answers(replayed(declined, 402)).charge().outcome is Outcome.DECLINED
    assert len(shop.requests) == 1


@pytest.mark.parametrize(
    "second",
    [Response(500), Response(401, {}, b'{"error": {}}'), Response(404, {}, b'{"error": {"code": "resource_missing"}}')],
)
def test_a_stored_answer_counts_where_the_payment_cannot_be_read(shop, second):
    assert shop.answers(replayed(shop.intent("processing")), second).charge().outcome is Outcome.PENDING


@pytest.mark.rule("R-336")
def test_a_charge_that_waits_for_the_customer_is_canceled_and_read_again(shop):
    attempt = shop.attempt()
    canceled = shop.intent("canceled", cancellation_reason="abandoned")

    found = shop.answers(canceled, canceled).run(shop.provider.cancel_charge(LookupRequest(attempt, "pi_1"))).result

    assert (found.outcome, found.code) == (Outcome.DECLINED, "abandoned")
    assert shop.sent() == ["POST /v1/payment_intents/pi_1/cancel", "GET /v1/payment_intents/pi_1"]


@pytest.mark.rule("R-336")
def test_a_customer_who_was_faster_than_the_cancellation_has_paid(shop):
    attempt = shop.attempt()
    refused = Response(400, {}, json.dumps(shop.error("payment_intent_unexpected_state")).encode())

    found = shop.answers(refused, shop.intent()).run(shop.provider.cancel_charge(LookupRequest(attempt, "pi_1"))).result

    assert found.outcome is Outcome.SUCCEEDED


@pytest.mark.rule("R-422")
def test_stripe_gets_as_many_of_the_shops_texts_as_it_keeps_and_always_paygates_ids(shop):
    texts = {f"key{number}": "x" for number in range(50)}
    attempt = attrs.evolve(shop.attempt(), metadata={**texts, "paygate_charge": "odd", "paygate_contract": "c" * 32})

    shop.answers(shop.intent()).charge(attempt)

    sent = {name: text for name, text in shop.form().items() if name.startswith("metadata")}
    assert len(sent) == 50
    assert sent["metadata[paygate_charge]"] == attempt.charge_id
    assert sent["metadata[paygate_contract]"] == "c" * 32
    assert sent["metadata[key0]"] == sent["metadata[key47]"] == "x"
