"""What a refused request means: the HTTP status decides first, the code only where the status is about the request."""

from __future__ import annotations

import json

import pytest

from paygate.drivers import Lost, SyncDriver
from paygate.flow import Response
from paygate.provider import DeclineClass, Outcome
from paygate_univapay.codes import HTTP_CODES

ACCOUNT = [
    "INVALID_CREDENTIALS",
    "INVALID_PERMISSIONS",
    "INVENTED_TOMORROW",
    "FORBIDDEN_IP",
    "RECURRING_TOKEN_DISABLED",
]


def answered(shop, status, code=None, *, body=None, kind="charge"):
    """What the plugin makes of a POST that is answered like this; everything that reads is answered 404."""
    said = body if body is not None else json.dumps({"status": "error", "code": code, "errors": []}).encode()

    def handle(request):
        return Response(status, {}, said) if request.method == "POST" else Response(404)

    driver = SyncDriver(shop.clock, mounts={"https://api.univapay.com": handle})
    if kind == "charge":
        return driver.run(shop.provider.charge(shop.attempt(3980)))
    return driver.run(shop.provider.refund(shop.refund_attempt(shop.charge(), 100)))


@pytest.mark.rule("R-306")
@pytest.mark.parametrize("kind", ["charge", "refund"])
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("code", ACCOUNT)
def test_401_and_403_are_about_the_account_whatever_the_code(shop, kind, status, code):
    result = answered(shop, status, code, kind=kind)

    assert (result.outcome, result.code) == (Outcome.NOT_SENT, code)
    assert "app_token and secret" in result.message
    if kind == "charge":
        assert result.decline is DeclineClass.CONFIG


@pytest.mark.rule("R-306")
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("code", sorted(HTTP_CODES))
def test_no_documented_code_but_that_of_a_locked_card_makes_a_decline_of_401_or_403(shop, status, code):
    expected = Outcome.DECLINED if (status, code) == (403, "CARD_LOCKED") else Outcome.NOT_SENT

    assert answered(shop, status, code).outcome is expected


@pytest.mark.rule("R-306")
@pytest.mark.parametrize("kind", ["charge", "refund"])
@pytest.mark.parametrize("status", [402, 405, 406, 408, 409, 410, 412, 415, 418, 422, 423, 425, 451, 499])
def test_an_unknown_code_beside_an_undocumented_status_is_no_decline(shop, kind, status):
    assert answered(shop, status, "INVENTED_TOMORROW", kind=kind).outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-306")
@pytest.mark.parametrize("kind", ["charge", "refund"])
@pytest.mark.parametrize("status", [500, 501, 505, 520, 599])
@pytest.mark.parametrize("code", ["DB_ERROR", "CARD_LOCKED", "INVENTED_TOMORROW"])
def test_no_code_makes_a_decline_of_a_server_s_error(shop, kind, status, code):
    assert answered(shop, status, code, kind=kind).outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-306")
@pytest.mark.parametrize("kind", ["charge", "refund"])
@pytest.mark.parametrize("body", [b"<html>not here</html>", b"{}", b'{"status": "error"}', b"[]"])
def test_a_404_of_somebody_else_is_no_decline_of_the_card(shop, kind, body):
    assert answered(shop, 404, body=body, kind=kind).outcome is Outcome.UNKNOWN


@pytest.mark.rule("R-306")
def test_an_account_that_is_refused_on_a_repeat_leaves_the_first_sending_open(shop):
    outcomes = [Lost("gone"), Response(401, {}, b'{"status": "error", "code": "INVALID_CREDENTIALS"}')]

    def handle(request):
        if request.method != "POST":
            return Response(404)
        outcome = outcomes.pop(0)
        if isinstance(outcome, Lost):
            raise outcome
        return outcome

    driver = SyncDriver(shop.clock, mounts={"https://api.univapay.com": handle})
    assert driver.run(shop.provider.charge(shop.attempt(3980))).outcome is Outcome.UNKNOWN


def at_404(shop, body, *, there, kind="charge"):
    """What the plugin makes of a POST that is answered 404 while the lists of the store are *there*, or are not."""

    def handle(request):
        if request.method == "POST":
            return Response(404, {}, body)
        return Response(200, {}, b'{"items": [], "has_more": false}') if there else Response(404, {}, body)

    attempt = shop.attempt(3980) if kind == "charge" else shop.refund_attempt(shop.charge(), 100)
    driver = SyncDriver(shop.clock, mounts={"https://api.univapay.com": handle})
    return driver.run(shop.provider.charge(attempt) if kind == "charge" else shop.provider.refund(attempt))


def error(code):
    return json.dumps({"status": "error", "code": code, "errors": []}).encode()


@pytest.mark.rule("R-298")
@pytest.mark.parametrize("kind", ["charge", "refund"])
@pytest.mark.parametrize("body", [b"", error("NOT_FOUND"), error("STORE_NOT_FOUND"), error("WHO_KNOWS")])
def test_a_404_where_the_store_is_not_found_either_is_the_set_up_s_fault(shop, kind, body):
    result = at_404(shop, body, there=False, kind=kind)

    assert result.outcome is Outcome.NOT_SENT
    assert "base_url" in result.message
    if kind == "charge":
        assert result.decline is DeclineClass.CONFIG


@pytest.mark.rule("R-298")
@pytest.mark.parametrize("body", [b"", error("NOT_FOUND")])
def test_a_404_where_the_store_is_there_is_about_the_card(shop, body):
    result = at_404(shop, body, there=True)

    assert (result.outcome, result.decline) == (Outcome.DECLINED, DeclineClass.HARD)


@pytest.mark.rule("R-298")
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("code", ["STORE_NOT_FOUND", "WHO_KNOWS"])
def test_a_404_with_a_code_that_nobody_documented_is_no_decline_of_the_card(shop, code, there):
    assert at_404(shop, error(code), there=there).outcome is Outcome.NOT_SENT


@pytest.mark.rule("R-306")
@pytest.mark.parametrize("kind", ["charge", "refund"])
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b"", b"<html>Forbidden</html>", b'{"code": "X"}', b'{"status": "error"}', b"[]"])
def test_401_and_403_are_about_the_account_whatever_the_body(shop, kind, status, body):
    result = answered(shop, status, body=body, kind=kind)

    assert result.outcome is Outcome.NOT_SENT
    assert "app_token and secret" in result.message
