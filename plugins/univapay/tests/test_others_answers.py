"""Answers about somebody else's charge, refund or subscription are applied to nobody; malformed lists prove nothing."""

from __future__ import annotations

import json

import pytest

from paygate.drivers import SyncDriver
from paygate.errors import OutcomeUnknown, ProviderError, ProviderUnavailable
from paygate.flow import Response
from paygate.provider import LookupRequest, Outcome, SubscriptionRequest, Webhook

OURS = f"{1:032x}"
CHARGE = {
    "id": "11f0b002-bbbb-4e00-9f00-00000000e001",
    "status": "successful",
    "requested_amount": 3980,
    "requested_currency": "JPY",
    "charged_amount": 3980,
    "charged_currency": "JPY",
    "metadata": {"paygate_charge": OURS},
}
REFUND = {"id": "11f0b002-bbbb-4e00-9f00-00000000f001", "status": "successful", "amount": 100, "currency": "JPY"}
EMPTY = {"items": [], "has_more": False}

FOREIGN = {
    "another attempt": {"metadata": {"paygate_charge": f"{9:032x}"}},
    "another card": {"transaction_token_id": "11f0b001-aaaa-4d00-8f00-00000000d999"},
    "another store": {"store_id": "11f0b000-0000-4000-8000-00000000ffff"},
    "another mode": {"mode": "live"},
}


def answering(shop, answer):
    """A driver that answers as *answer* says, a function of method and path, in JSON."""

    def handle(request):
        said = answer(request.method, request.url.partition("univapay.com")[2])
        return said if isinstance(said, Response) else Response(200, {}, json.dumps(said).encode())

    return SyncDriver(shop.clock, mounts={"https://api.univapay.com": handle})


@pytest.mark.rule("R-301")
@pytest.mark.parametrize("status", ["successful", "failed", "pending"])
@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_an_answer_about_another_charge_is_unknown_and_its_reference_is_not_taken(shop, change, status):
    crossed = {**CHARGE, **change, "status": status, "error": {"code": 301}}
    driver = answering(shop, lambda method, _: crossed if method == "POST" else EMPTY)

    result = driver.run(shop.provider.charge(shop.attempt(3980)))

    assert (result.outcome, result.reference) == (Outcome.UNKNOWN, None)


@pytest.mark.rule("R-301")
def test_after_an_answer_about_another_charge_the_list_tells_of_ours(shop):
    crossed = {**CHARGE, "id": "another", "metadata": {"paygate_charge": f"{9:032x}"}}

    def answer(method, path):
        if method == "POST":
            return crossed
        return CHARGE if CHARGE["id"] in path else {"items": [crossed, CHARGE], "has_more": False}

    result = answering(shop, answer).run(shop.provider.charge(shop.attempt(3980)))

    assert (result.outcome, result.reference) == (Outcome.SUCCEEDED, CHARGE["id"])


@pytest.mark.rule("R-301")
@pytest.mark.parametrize("status", ["successful", "failed", "pending"])
def test_a_charge_over_another_amount_is_unknown_in_every_state(shop, status):
    other = {**CHARGE, "requested_amount": 5000, "charged_amount": 5000, "status": status, "error": {"code": 301}}
    driver = answering(shop, lambda *_: other)

    result = driver.run(shop.provider.charge(shop.attempt(3980)))

    assert (result.outcome, result.code, result.reference) == (Outcome.UNKNOWN, "amount_mismatch", CHARGE["id"])


@pytest.mark.rule("R-301")
@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_a_look_up_by_a_reference_that_is_another_s_applies_nothing_of_it(shop, change):
    crossed = {**CHARGE, **change}
    driver = answering(shop, lambda _, path: crossed if CHARGE["id"] in path else EMPTY)

    found = driver.run(shop.provider.find_charge(LookupRequest(shop.attempt(3980), CHARGE["id"]))).result

    assert (found.outcome, found.reference) == (Outcome.UNKNOWN, None)


@pytest.mark.rule("R-301")
@pytest.mark.parametrize(
    "change",
    [{"metadata": {"paygate_refund": "9" * 32}}, {"charge_id": "another"}, {"mode": "live"}, {"amount": 101}],
)
@pytest.mark.parametrize("status", ["successful", "failed", "pending"])
def test_an_answer_about_another_refund_is_unknown(shop, change, status):
    attempt = shop.refund_attempt(shop.charge(), 100)
    crossed = {**REFUND, **change, "status": status}
    driver = answering(shop, lambda _, path: EMPTY if "limit" in path else crossed)

    assert driver.run(shop.provider.refund(attempt)).outcome is Outcome.UNKNOWN
    found = driver.run(shop.provider.find_refund(LookupRequest(attempt, REFUND["id"]))).result
    assert found.outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-301")
@pytest.mark.parametrize(
    "change", [{"metadata": {"paygate_contract": "con_another"}}, {"amount": 1}, {"currency": "USD"}, {"mode": "live"}]
)
def test_an_answer_about_another_subscription_starts_nothing_for_sure(renewing, change):
    crossed = {"id": "sub-1", "status": "current", **change}
    driver = answering(renewing, lambda method, path: EMPTY if method == "GET" and "limit" in path else crossed)

    with pytest.raises(OutcomeUnknown, match="another subscription"):
        driver.run(renewing.provider.start_recurring(renewing.wanted()))


@pytest.mark.rule("R-301")
@pytest.mark.parametrize("verb", ["stop_recurring", "end_recurring", "resume_recurring"])
def test_the_subscription_of_another_contract_is_not_changed(renewing, verb):
    started = renewing.start()
    asked = SubscriptionRequest("c1", renewing.card, None, started.reference)
    writes = []

    def answer(method, _):
        if method != "GET":
            writes.append(method)
        return {"id": started.reference, "status": "current", "metadata": {"paygate_contract": "con_another"}}

    with pytest.raises(ProviderError, match="is not of contract"):
        answering(renewing, answer).run(getattr(renewing.provider, verb)(asked))
    assert writes == []


@pytest.mark.rule("R-301")
def test_an_event_about_a_refund_of_another_charge_is_applied_to_none(shop):
    told = {"event": "refund_finished", "data": {**REFUND, "charge_id": CHARGE["id"]}}
    driver = answering(shop, lambda *_: {**REFUND, "charge_id": "another"})
    delivery = Webhook({"authorization": shop.settings.webhook_auth_token}, json.dumps(told).encode())

    with pytest.raises(ProviderUnavailable, match="another charge"):
        driver.run(shop.provider.parse_webhook(delivery))


ODD = (5, None, "", {}, True)
MALFORMED = [
    {},
    {"items": None, "has_more": False},
    {"items": {}, "has_more": False},
    {"items": [], "has_more": "no"},
    {"items": []},
    {"items": [None], "has_more": False},
    {"items": [{"id": 7}], "has_more": False},
    {"items": [{"id": "a"}, {}], "has_more": False},
    {"items": [], "has_more": True},
    {"items": [{"id": "a"}], "has_more": True},
    {"items": [{"id": "a", "mode": "live"}], "has_more": False},
    {"items": [{"id": "a", "store_id": "another"}], "has_more": False},
    {"items": [{"id": "a"}], "has_more": False},
    *({"items": [{"id": "a", "metadata": odd}], "has_more": False} for odd in (None, [], "x", 5)),
    *({"items": [{"id": "a", "metadata": {"paygate_contract": odd}}], "has_more": False} for odd in ODD),
    {"status": "error", "code": "DB_ERROR"},
    Response(404),
    Response(404, {}, b"<html>"),
    Response(500),
    Response(200, {}, b"<html>"),
    Response(200, {}, b"[]"),
]


@pytest.mark.rule("R-307")
@pytest.mark.parametrize("page", MALFORMED, ids=repr)
def test_a_malformed_list_does_not_prove_that_a_contract_has_no_subscription(renewing, page):
    writes = []

    def answer(method, _):
        if method != "GET":
            writes.append(method)
        return page

    with pytest.raises(ProviderUnavailable):
        answering(renewing, answer).run(renewing.provider.start_recurring(renewing.wanted()))
    assert writes == [], "another might be made beside it"


@pytest.mark.rule("R-307")
@pytest.mark.parametrize("metadata", [None, [], "x", *({"paygate_charge": odd} for odd in ODD)], ids=repr)
def test_a_charge_is_found_beside_one_that_does_not_tell_whose_it_is(shop, metadata):
    odd = {"id": "a", "metadata": metadata}
    attempt = shop.attempt(3980)
    ours = {**CHARGE, "metadata": {"paygate_charge": attempt.charge_id}}

    def look(*items):
        def answer(_, path):
            if "/refunds" in path:
                return EMPTY
            return ours if CHARGE["id"] in path else {"items": list(items), "has_more": False}

        return answering(shop, answer).run(shop.provider.find_charge(LookupRequest(attempt)))

    assert look(odd, ours).result.reference == CHARGE["id"]


@pytest.mark.rule("R-307")
@pytest.mark.parametrize("extra", [None, {}, {"id": 5}])
def test_what_a_half_readable_list_has_is_not_taken_for_all_there_is(shop, extra):
    """There may be a second charge behind what cannot be read."""

    def answer(_, path):
        return CHARGE if CHARGE["id"] in path else {"items": [CHARGE, extra], "has_more": False}

    assert answering(shop, answer).run(shop.provider.find_charge(LookupRequest(shop.attempt(3980)))).result is None
