"""Answers that UnivaPay never gave so far: none may crash the plugin, and none may look like a success."""

from __future__ import annotations

import datetime as dt
import json

import attrs
import pytest

from paygate.drivers import Lost, SyncDriver
from paygate.errors import ProviderUnavailable
from paygate.flow import Response
from paygate.provider import DeclineClass, LookupRequest, Outcome
from paygate.testing.emulators import Fault, FaultKind, When

CHARGE = {
    "id": "11f0b002-bbbb-4e00-9f00-00000000e001",
    "status": "successful",
    "requested_amount": 3980,
    "requested_currency": "JPY",
    "charged_amount": 3980,
    "charged_currency": "JPY",
    "updated_on": "2026-11-22T03:00:00Z",
}


def answers(shop, *bodies, status=200):
    """A driver behind which every request gets the next of *bodies*, the last one again and again."""
    queue = list(bodies)

    def handle(_request):
        body = queue.pop(0) if len(queue) > 1 else queue[0]
        return body if isinstance(body, Response) else Response(status, {}, json.dumps(body).encode())

    return SyncDriver(shop.clock, mounts={"https://api.univapay.com": handle})


def charge(shop, *bodies, status=201):
    return answers(shop, *bodies, status=status).run(shop.provider.charge(shop.attempt(3980)))


@pytest.mark.parametrize("updated", [None, 1767225600000, "yesterday", "2026-11-22T03:00:00"])
def test_a_success_without_a_readable_instant_leaves_the_instant_open(shop, updated):
    result = charge(shop, {**CHARGE, "updated_on": updated})

    assert (result.outcome, result.charged_at) == (Outcome.SUCCEEDED, None)


@pytest.mark.parametrize(
    "change",
    [
        {"charged_amount": None},
        {"charged_amount": "3980"},
        {"charged_amount": 3980.0},
        {"charged_amount": True},
        {"charged_amount": -3980},
        {"charged_currency": "YEN"},
        {"charged_currency": None},
    ],
)
def test_a_success_without_a_sound_amount_is_unknown(shop, change):
    assert charge(shop, {**CHARGE, **change}).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("status", [None, 7, [], {}, "SUCCESSFUL", "successful ", "refunded"])
@pytest.mark.rule("R-193")
def test_a_status_that_is_not_one_of_the_documented_is_unknown(shop, status):
    assert charge(shop, {**CHARGE, "status": status}).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("error", [None, {}, [], "306", {"code": None}, {"code": [306]}, {"message": "no"}])
def test_a_failure_without_a_code_is_a_decline_of_unknown_class(shop, error):
    result = charge(shop, {**CHARGE, "status": "failed", "error": error})

    assert (result.outcome, result.code, result.decline) == (Outcome.DECLINED, "failed", DeclineClass.UNKNOWN)


@pytest.mark.parametrize("body", [{}, {"id": ""}, {"id": 5}, [], "text", None, 12])
@pytest.mark.rule("R-193")
def test_an_accepted_charge_without_an_id_is_unknown(shop, body):
    assert charge(shop, body).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("status", [200, 202, 301, 302, 304, 400, 408, 413, 418, 451, 505])
@pytest.mark.rule("R-193")
def test_whatever_somebody_else_answers_is_never_a_decline(shop, status):
    assert charge(shop, Response(status, {}, b"<html>")).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("errors", [None, "x", [1, None, {"field": "amount", "reason": "INVALID_AMOUNT"}]])
def test_the_fields_of_an_error_may_have_any_form(shop, errors):
    result = charge(shop, {"status": "error", "code": "VALIDATION_ERROR", "errors": errors}, status=400)

    assert (result.outcome, result.code) == (Outcome.DECLINED, "VALIDATION_ERROR")


def test_a_number_that_could_be_a_card_is_cut_out_of_the_providers_text(shop):
    error = {"code": 306, "message": "card 4000 0200 0000 0000 refused", "detail": "4000020000000000"}

    result = charge(shop, {**CHARGE, "status": "failed", "error": error, "metadata": "4000020000000000"})

    assert result.message == "card <number> refused"
    assert "4000" not in repr(result.raw)


def test_what_is_kept_of_an_answer_is_an_allow_list(shop):
    result = charge(
        shop, {**CHARGE, "email": "a@b.example", "metadata": {"paygate_charge": f"{1:032x}", "name": "Hanako"}}
    )

    assert result.raw == {**CHARGE, "metadata": {"paygate_charge": f"{1:032x}"}}


@pytest.mark.parametrize("kind", ["charge", "refund"])
def test_a_look_up_that_is_answered_with_another_resource_is_unavailable(shop, kind):
    attempt = shop.attempt() if kind == "charge" else shop.refund_attempt(shop.charge(), 100)
    find = getattr(shop.provider, f"find_{kind}")

    with pytest.raises(ProviderUnavailable, match="another"):
        answers(shop, CHARGE).run(find(LookupRequest(attempt, "11f0b002-bbbb-4e00-9f00-00000000e999")))


@pytest.mark.parametrize(
    "page",
    [
        {"items": None},
        {"items": [None, {}, {"id": 5}]},
        {"items": [{"id": "a", "metadata": []}], "has_more": True},
        {"items": [], "has_more": True},
        {},
    ],
)
def test_a_list_of_any_form_ends_and_finds_nothing(shop, page):
    assert answers(shop, page).run(shop.provider.find_charge(LookupRequest(shop.attempt()))).result is None


def test_a_poll_that_is_answered_with_another_charge_is_no_news(shop):
    pending = {**CHARGE, "status": "pending"}

    assert charge(shop, pending, {**CHARGE, "id": "another"}).outcome is Outcome.PENDING


@pytest.mark.parametrize("issuer", [{}, {"issuer_token": None}, Response(404), Response(500)])
def test_a_waiting_charge_whose_action_cannot_be_read_is_pending_without_one(shop, issuer):
    result = charge(shop, {**CHARGE, "status": "awaiting"}, issuer)

    assert (result.outcome, result.action_url) == (Outcome.PENDING, None)


def test_a_refund_over_another_amount_is_unknown(shop):
    attempt = shop.refund_attempt(shop.charge(), 100)
    body = {"id": "r", "status": "successful", "amount": 101, "currency": "JPY"}

    assert answers(shop, body, status=201).run(shop.provider.refund(attempt)).outcome is Outcome.UNKNOWN


def test_a_charge_that_may_exist_stays_unknown_when_the_list_cannot_be_read_either(shop):
    shop.emulator.faults.add(Fault(FaultKind.ERROR, When.AFTER), match="POST /charges")
    shop.emulator.faults.add(Fault(FaultKind.ERROR), match="GET /stores/*/charges")

    assert shop.charge().outcome is Outcome.UNKNOWN


def test_an_unchecked_repeat_stays_unknown_when_the_list_cannot_be_read(shop):
    shop.emulator.behaviour.key_store_down = True
    shop.emulator.faults.add(Fault(FaultKind.TIMEOUT), match="POST /charges")
    shop.emulator.faults.add(Fault(FaultKind.ERROR), match="GET /stores/*/charges")

    result = shop.charge()

    assert (result.outcome, result.reference) == (Outcome.UNKNOWN, None)


@pytest.mark.rule("R-205")
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"status": "error", "code": "CHARGE_TOO_QUICK"}),
        (400, {"status": "error", "code": "TRANSACTION_ALREADY_PROCESSED"}),
        (201, {**CHARGE, "status": "failed", "error": {"code": 311}}),
    ],
)
def test_a_duplicate_refusal_of_a_repeat_whose_key_was_checked_is_unknown_all_the_same(shop, status, body):
    sent = []

    def handle(request):
        sent.append(request.method)
        if sent.count("POST") == 1:
            raise Lost("no answer")
        if request.method == "GET":
            return Response(200, {}, b'{"items": []}')
        return Response(status, {"Idempotency-Status": "not_stored"}, json.dumps(body).encode())

    driver = SyncDriver(shop.clock, mounts={"https://api.univapay.com": handle})
    result = driver.run(shop.provider.charge(shop.attempt(3980)))

    assert sent.count("POST") == 2
    assert result.outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-288")
@pytest.mark.parametrize("ahead", [None, dt.timedelta(hours=1), dt.timedelta(days=4000)])
def test_the_list_has_no_beginning_whatever_the_clock_of_the_host_said(shop, ahead):
    attempt = shop.attempt()
    done = shop.charge(attempt)

    said = None if ahead is None else attempt.requested_at + ahead
    found = shop.find_charge(attrs.evolve(attempt, requested_at=said))

    assert found.result.reference == done.reference
    assert not any("from=" in request.url for request in shop.emulator.requests)
