"""Answers about somebody else's payment, refund or subscription are applied to nobody; malformed lists prove nothing."""

from __future__ import annotations

import hashlib
import json

import pytest

from paygate.errors import ConfigurationError, OutcomeUnknown, ProviderError, ProviderUnavailable
from paygate.flow import Response
from paygate.provider import DeclineClass, Outcome

FOREIGN = {
    "another attempt": {"metadata": {"paygate_charge": f"{9:032x}"}},
    "another customer": {"customer": "cus_Taro"},
    "the other mode": {"livemode": True},
    "another kind": {"object": "setup_intent"},
}


@pytest.fixture
def renewing(shops):
    return shops(renewals="provider")


def refund_body(**changes):
    return {"id": "re_1", "object": "refund", "amount": 100, "currency": "jpy", "status": "succeeded", **changes}


@pytest.mark.rule("R-301")
@pytest.mark.parametrize(
    "status", ["succeeded", "processing", "requires_action", "requires_payment_method", "canceled"]
)
@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_an_answer_about_another_payment_is_unknown_and_its_reference_is_not_taken(shop, change, status):
    result = shop.answers(shop.intent(status, **change), shop.page()).charge()

    assert (result.outcome, result.reference) == (Outcome.UNKNOWN, None)


@pytest.mark.rule("R-301")
def test_the_decline_of_another_payment_declines_nobody(shop):
    other = shop.intent("requires_payment_method", metadata={"paygate_charge": f"{9:032x}"})

    result = shop.answers(shop.decline(payment_intent=other), shop.page()).charge()

    assert (result.outcome, result.reference) == (Outcome.UNKNOWN, None)


@pytest.mark.rule("R-301")
def test_after_an_answer_about_another_payment_the_list_tells_of_ours(shop):
    other = shop.intent(id="pi_9", metadata={"paygate_charge": f"{9:032x}"})

    result = shop.answers(other, shop.page(other, shop.intent())).charge()

    assert (result.outcome, result.reference) == (Outcome.SUCCEEDED, "pi_1")


@pytest.mark.rule("R-301")
@pytest.mark.parametrize("status", ["succeeded", "processing", "requires_payment_method", "canceled"])
@pytest.mark.parametrize("change", [{"amount": 5000, "amount_received": 5000}, {"currency": "usd"}])
def test_a_payment_over_another_amount_is_unknown_in_every_state(shop, status, change):
    result = shop.answers(shop.intent(status, **change)).charge()

    assert (result.outcome, result.code, result.reference) == (Outcome.UNKNOWN, "amount_mismatch", "pi_1")


@pytest.mark.rule("R-301")
@pytest.mark.parametrize("change", [FOREIGN["another attempt"], FOREIGN["another customer"], FOREIGN["another kind"]])
def test_a_look_up_by_a_reference_that_is_another_s_applies_nothing_of_it(shop, change):
    found = shop.answers(shop.intent(**change), shop.page()).find_charge(shop.attempt(), "pi_1").result

    assert (found.outcome, found.reference) == (Outcome.UNKNOWN, None)
    assert "another's" in found.message


@pytest.mark.rule("R-301")
def test_a_look_up_by_a_reference_that_is_another_s_finds_ours_in_the_list(shop):
    attempt = shop.attempt()
    other = shop.intent(id="pi_9", metadata={"paygate_charge": f"{9:032x}"})

    assert shop.answers(other, shop.page(other, shop.intent())).find_charge(attempt, "pi_9").result.reference == "pi_1"


@pytest.mark.rule("R-301")
@pytest.mark.parametrize(
    "change",
    [{"metadata": {"paygate_refund": f"{9:032x}"}}, {"payment_intent": "pi_9"}, {"livemode": True}, {"amount": 101}],
)
@pytest.mark.parametrize("status", ["succeeded", "failed", "pending"])
def test_an_answer_about_another_refund_is_unknown(shop, change, status):
    attempt = shop.refund_attempt(100)
    crossed = refund_body(status=status, **change)

    assert shop.answers(crossed).refund(attempt).outcome is Outcome.UNKNOWN
    if "livemode" in change:
        with pytest.raises(ProviderUnavailable):
            shop.answers(crossed, shop.page()).find_refund(attempt, "re_1")
    else:
        assert shop.answers(crossed, shop.page()).find_refund(attempt, "re_1").result.outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-301")
@pytest.mark.parametrize("change", [{"metadata": {"paygate_contract": "e" * 32}}, {"customer": "cus_Taro"}])
def test_an_answer_about_another_subscription_starts_nothing_for_sure(renewing, change):
    made = {"id": "sub_9", "object": "subscription", "status": "active", **change}
    product = f"paygate_{hashlib.sha256(b'Gold').hexdigest()[:24]}"
    renewing.answers(renewing.page(), {"id": product}, made)

    with pytest.raises(OutcomeUnknown, match="another subscription"):
        renewing.run(renewing.provider.start_recurring(renewing.start()))


@pytest.mark.rule("R-301")
@pytest.mark.parametrize("verb", ["stop_recurring", "end_recurring", "resume_recurring"])
def test_the_subscription_of_another_contract_is_not_changed(renewing, verb):
    seen = {"id": "sub_1", "object": "subscription", "status": "active", "metadata": {"paygate_contract": "e" * 32}}
    renewing.answers(seen)

    with pytest.raises(ProviderError, match="is not of contract"):
        renewing.run(getattr(renewing.provider, verb)(renewing.about_subscription()))
    assert renewing.sent() == ["GET /v1/subscriptions/sub_1"]


@pytest.mark.rule("R-301")
def test_a_card_is_not_stored_with_a_customer_that_an_answer_about_another_names(shop):
    other = {"id": "cus_Taro", "object": "customer", "metadata": {"paygate_customer": "43"}}

    with pytest.raises(OutcomeUnknown, match="another customer"):
        shop.run(shop.answers(shop.page(), other).provider.begin_checkout(shop.checkout_request()))


INTENT = {"id": "pi_5", "object": "payment_intent", "livemode": False, "customer": "cus_Hanako", "metadata": {}}
PAGE = {"object": "list", "data": [], "has_more": False}
ODD_METADATA = [None, [], "x", 5, *({"paygate_charge": odd} for odd in (5, None, "", {}, ["a"], True))]
MALFORMED = [
    {},
    {**PAGE, "object": "search_result"},
    {"object": "list", "has_more": False},
    {**PAGE, "data": None},
    {**PAGE, "data": {}},
    {"object": "list", "data": []},
    {**PAGE, "has_more": "false"},
    {**PAGE, "has_more": True},
    {**PAGE, "data": [None]},
    {**PAGE, "data": [{}]},
    {**PAGE, "data": ["pi_5"]},
    {**PAGE, "data": [INTENT, {"id": 5}]},
    {**PAGE, "data": [{**INTENT, "object": "charge"}]},
    {**PAGE, "data": [{**INTENT, "livemode": True}]},
    {**PAGE, "data": [{**INTENT, "customer": "cus_Taro"}]},
    {**PAGE, "data": [{**INTENT, "customer": None}]},
    {**PAGE, "data": [{**INTENT, "livemode": "false"}]},
    {**PAGE, "data": [{**INTENT, "deleted": True}]},
    *({**PAGE, "data": [INTENT, {**INTENT, "id": "pi_6", "metadata": odd}]} for odd in ODD_METADATA),
    {**PAGE, "data": [{name: value for name, value in INTENT.items() if name != "metadata"}]},
    {"error": {"type": "api_error"}},
    Response(404),
    Response(200, {}, b"<html>"),
    Response(200, {}, b"[]"),
]


@pytest.mark.rule("R-307")
@pytest.mark.parametrize("page", MALFORMED, ids=repr)
def test_a_malformed_list_is_no_proof_of_absence(shop, page):
    with pytest.raises(ProviderUnavailable):
        shop.answers(page).find_charge(shop.attempt())


@pytest.mark.rule("R-307")
def test_a_malformed_page_after_a_sound_one_is_no_proof_either(shop):
    first = {**PAGE, "data": [INTENT], "has_more": True}

    with pytest.raises(ProviderUnavailable):
        shop.answers(first, {**PAGE, "data": [None]}).find_charge(shop.attempt())


@pytest.mark.rule("R-307")
@pytest.mark.parametrize("page", [page for page in MALFORMED if isinstance(page, dict) and page.get("data")], ids=repr)
def test_what_is_found_beside_what_cannot_be_matched_is_believed(shop, page):
    attempt = shop.attempt()
    ours = shop.intent(metadata={"paygate_charge": attempt.charge_id})
    seen = {**page, "data": [*page["data"], ours]} if isinstance(page["data"], list) else {**PAGE, "data": [ours]}

    found = shop.answers({**seen, "has_more": False}).find_charge(attempt)

    assert (found.result.outcome, found.result.reference) == (Outcome.SUCCEEDED, "pi_1")


@pytest.mark.rule("R-307")
def test_neither_is_one_of_refunds(shop):
    attempt = shop.refund_attempt(100)
    for wrong in (
        [None],
        [refund_body(payment_intent="pi_9")],
        [refund_body(object="charge")],
        [refund_body(payment_intent=None, metadata={})],
        *([refund_body(metadata=odd)] for odd in (None, [], "x", {"paygate_refund": 5})),
    ):
        with pytest.raises(ProviderUnavailable):
            shop.answers({**PAGE, "data": wrong}).find_refund(attempt)


@pytest.mark.rule("R-307")
@pytest.mark.parametrize("odd", [{"metadata": None}, {"metadata": {"paygate_contract": 5}}, {}, {"id": 5}], ids=repr)
def test_a_second_subscription_is_not_made_beside_a_list_that_nobody_understands(renewing, odd):
    seen = {"id": "sub_1", "object": "subscription", "customer": "cus_Hanako", "status": "active", **odd}
    renewing.answers({**PAGE, "data": [seen]})

    with pytest.raises(ProviderUnavailable):
        renewing.run(renewing.provider.start_recurring(renewing.start()))
    assert len(renewing.requests) == 1


# --- the status decides ----------------------------------------------------------------------------------------------


@pytest.mark.rule("R-306")
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("code", [None, "api_key_expired", "card_declined", "invented_tomorrow"])
@pytest.mark.parametrize("kind", ["invalid_request_error", "card_error", "invented_error"])
def test_401_and_403_are_about_the_account_whatever_the_code(shop, status, code, kind):
    result = shop.answers(shop.error(code, kind=kind), status=status).charge()

    assert (result.outcome, result.decline) == (Outcome.NOT_SENT, DeclineClass.CONFIG)
    assert "api_key" in result.message


@pytest.mark.rule("R-306")
@pytest.mark.parametrize("code", [None, "invented_tomorrow", "url_invalid"])
def test_an_address_that_stripe_does_not_know_is_a_matter_of_the_set_up(shop, code):
    result = shop.answers(shop.error(code), status=404).charge()

    assert (result.outcome, result.decline) == (Outcome.NOT_SENT, DeclineClass.CONFIG)


@pytest.mark.rule("R-306")
@pytest.mark.parametrize("status", [405, 408, 409, 410, 412, 418, 424, 500, 501, 505])
@pytest.mark.parametrize("kind", ["invalid_request_error", "card_error", "api_error", "invented_error"])
def test_no_code_makes_a_decline_of_a_status_that_is_not_documented_as_one(shop, status, kind):
    assert shop.answers(shop.error("card_declined", kind=kind), status=status).charge().outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-306")
def test_a_start_through_a_key_that_is_refused_is_a_matter_of_the_set_up(renewing):
    refused = Response(401, {}, json.dumps(renewing.error("invented")).encode())

    with pytest.raises(ConfigurationError, match="api_key"):
        renewing.run(renewing.answers(refused).provider.start_recurring(renewing.start()))
