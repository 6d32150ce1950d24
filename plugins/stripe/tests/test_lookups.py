"""Finding charges whose answer was lost: lists of one customer are consistent, so absence is a proof (§8)."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from paygate.errors import ConfigurationError, InvalidValue, ProviderUnavailable
from paygate.flow import Replay, Response
from paygate.provider import LookupRequest, Outcome


def own(shop, attempt, status="succeeded", **changes):
    return shop.intent(status, metadata={"paygate_charge": attempt.charge_id}, **changes)


@pytest.mark.rule("R-193")
def test_a_charge_is_found_by_stripes_id(shop):
    found = shop.answers(shop.intent()).find_charge(shop.attempt(), "pi_1")

    assert found.result.outcome is Outcome.SUCCEEDED
    assert shop.sent() == ["GET /v1/payment_intents/pi_1"]
    assert shop.requests[0].replay is Replay.SAFE


@pytest.mark.rule("R-193")
def test_without_an_id_it_is_found_among_the_customers_payments_by_paygates_own(shop):
    attempt = shop.attempt()
    others = [shop.intent(id="pi_2", metadata={}), shop.intent(id="pi_3", metadata={"paygate_charge": "other"})]

    found = shop.answers(shop.page(*others, own(shop, attempt))).find_charge(attempt)

    assert found.result.reference == "pi_1"
    assert shop.form() == {
        "customer": "cus_Hanako",
        "limit": "100",
        "expand[0]": "data.latest_charge",
    }


@pytest.mark.rule("R-288")
@pytest.mark.parametrize("ahead", [None, dt.timedelta(days=2), dt.timedelta(days=4000)])
def test_the_list_has_no_beginning_whatever_the_clock_of_the_host_said(shop, ahead):
    attempt = shop.attempt()
    attempt = attrs.evolve(attempt, requested_at=None if ahead is None else attempt.requested_at + ahead)

    shop.answers(shop.page()).find_charge(attempt)

    assert not any(name.startswith("created") for name in shop.form())


@pytest.mark.rule("R-287")
def test_every_payment_of_the_contract_is_given_where_it_is_asked_for(shop):
    attempt = attrs.evolve(shop.attempt(), metadata={"paygate_contract": "con_1"})
    arrears = shop.intent(id="pi_2", metadata={"paygate_charge": "f" * 32, "paygate_contract": "con_1"})
    console = shop.intent(id="pi_4", metadata={"paygate_contract": "con_1"})
    other = shop.intent(id="pi_3", metadata={"paygate_charge": "a" * 32, "paygate_contract": "con_2"})
    page = shop.page(arrears, console, other)

    found = shop.answers(page, page).run(shop.provider.find_charge(LookupRequest(attempt, contract=True)))

    assert found.result is None
    assert [(one.charge_id, one.result.reference) for one in found.payments] == [("f" * 32, "pi_2"), ("", "pi_4")]


def test_what_the_customers_payments_do_not_hold_does_not_exist(shop):
    assert shop.answers(shop.page(shop.intent(metadata={}))).find_charge(shop.attempt()).result is None


def test_every_page_is_looked_through(shop):
    attempt = shop.attempt()
    first = shop.page(shop.intent(id="pi_9", metadata={}), shop.intent(id="pi_8", metadata={}), more=True)

    found = shop.answers(first, shop.page(own(shop, attempt))).find_charge(attempt)

    assert found.result.reference == "pi_1"
    assert shop.form()["starting_after"] == "pi_8"


@pytest.mark.rule("R-307")
def test_a_list_that_never_ends_is_left_and_proves_nothing(shop):
    same = shop.page(shop.intent(metadata={}), more=True)

    with pytest.raises(ProviderUnavailable, match="brings nothing new"):
        shop.answers(same).find_charge(shop.attempt())
    assert len(shop.requests) == 2


def test_a_payment_that_was_made_counts_before_one_that_was_not(shop):
    attempt = shop.attempt()
    failed = own(shop, attempt, "requires_payment_method", id="pi_2")

    found = shop.answers(shop.page(failed, own(shop, attempt))).find_charge(attempt)

    assert (found.result.outcome, found.result.reference) == (Outcome.SUCCEEDED, "pi_1")


@pytest.mark.rule("R-193")
def test_two_payments_for_one_attempt_are_for_a_person_to_look_at(shop):
    attempt = shop.attempt()

    found = shop.answers(shop.page(own(shop, attempt), own(shop, attempt, id="pi_2"))).find_charge(attempt)

    assert found.result.outcome is Outcome.UNKNOWN
    assert "pi_1, pi_2" in found.result.message


def test_a_payment_that_stripe_no_longer_knows_by_its_id_is_looked_for_by_paygates(shop):
    gone = Response(404, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}')
    attempt = shop.attempt()

    found = shop.answers(gone, shop.page(own(shop, attempt))).find_charge(attempt, "pi_7")

    assert found.result.reference == "pi_1"


@pytest.mark.parametrize(
    "answer",
    [
        Response(400, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}'),
        Response(404, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}'),
        Response(404, {}, b"<html>"),
        Response(200, {}, b"{}"),
        Response(200, {}, b'{"data": {}}'),
        Response(200, {}, b"<html>"),
        Response(200),
        Response(500),
        Response(429),
    ],
)
def test_only_a_list_proves_that_there_is_no_charge(shop, answer):
    with pytest.raises(ProviderUnavailable):
        shop.answers(answer).find_charge(shop.attempt())


def test_a_look_up_that_is_answered_with_another_payment_is_unavailable(shop):
    with pytest.raises(ProviderUnavailable, match="something else"):
        shop.answers(shop.intent(id="pi_2")).find_charge(shop.attempt(), "pi_1")


@pytest.mark.parametrize("status", [401, 403])
def test_a_look_up_with_a_key_that_stripe_refuses_says_which_setting_is_wrong(shop, status):
    with pytest.raises(ConfigurationError, match="api_key"):
        shop.answers(shop.error(message="no sk_test_canary0key here"), status=status).find_charge(shop.attempt())


@pytest.mark.parametrize(("hook", "other"), [("find_charge", "refund_attempt"), ("find_refund", "attempt")])
def test_charges_and_refunds_are_not_looked_for_in_each_others_place(shop, hook, other):
    with pytest.raises(InvalidValue):
        shop.run(getattr(shop.provider, hook)(LookupRequest(getattr(shop, other)())))

    assert shop.requests == []


def test_what_is_found_among_items_of_another_form_is_believed(shop):
    attempt = shop.attempt()
    odd = [None, {}, {"id": 5}, {"id": "pi_5", "metadata": []}, {"id": "pi_6", "metadata": {"paygate_charge": 5}}]

    found = shop.answers({"object": "list", "data": [*odd, own(shop, attempt)]}).find_charge(attempt)

    assert found.result.reference == "pi_1"
