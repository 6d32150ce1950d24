"""Requests that no honest client sends: each gets a 4xx, changes nothing, and shows no traceback."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

from paygate.clock import SystemClock
from paygate.flow import Request
from paygate.testing import ManualClock
from paygate.testing.emulators import Delivery, load, serve
from paygate.testing.emulators.addressing import checked_target, host_of, origin_host, request_path
from paygate.testing.emulators.control import refuse_strangers
from paygate.testing.emulators.reading import header_value
from paygate.testing.emulators.server import post

PROVIDERS = ("stripe", "univapay")


def said(url, sent, capfd=None):
    """The whole answer to the bytes *sent*."""
    with socket.create_connection(urlsplit(url).netloc.split(":"), 2) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(4096), b""))


@pytest.fixture(scope="module", params=PROVIDERS)
def live(request):
    with serve(emulator := load(request.param)(SystemClock()), webhooks=False) as url:
        yield emulator, url


@pytest.fixture(autouse=True)
def _nothing_on_the_terminal(capfd):
    yield
    assert "Traceback" not in capfd.readouterr().err


STRANGE = {
    "a path that continues our own address": b"GET .evil/_paygate/book HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a path that makes our address a user name": b"GET @evil/_paygate/book HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an authority": b"GET 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "another scheme": b"GET file:///_paygate/book HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a fragment": b"GET /_paygate/book#x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "letters beyond ascii": "GET /日本 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(),
    "no host": b"GET /_paygate/book HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /_paygate/book HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1\r\n\r\n",
    "a user in the host": b"GET /_paygate/book HTTP/1.1\r\nHost: 127.0.0.1@evil.example\r\n\r\n",
    "a host in the user": b"GET /_paygate/book HTTP/1.1\r\nHost: evil.example@127.0.0.1\r\n\r\n",
    "garbage as a port": b"GET /_paygate/book HTTP/1.1\r\nHost: 127.0.0.1:80x\r\n\r\n",
    "a port beyond all": b"GET /_paygate/book HTTP/1.1\r\nHost: 127.0.0.1:99999\r\n\r\n",
    "a broken address": b"GET /_paygate/book HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "a path in the host": b"GET /_paygate/book HTTP/1.1\r\nHost: 127.0.0.1/evil\r\n\r\n",
    "a host beyond ascii": "GET /_paygate/book HTTP/1.1\r\nHost: ①②⑦.0.0.1\r\n\r\n".encode(),
    "an absolute address of another": b"GET http://evil.example/_paygate/book HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an origin of null": b"GET /_paygate/book HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\n\r\n",
    "a broken origin": b"GET /_paygate/book HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://[::1\r\n\r\n",
    "two origins": b"GET /_paygate/book HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil\r\nOrigin: http://localhost\r\n\r\n",
    "a folded header": b"GET /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\nIdempotency-Key: a\r\n b: c\r\n\r\n",
    "a page without an address": b"POST /_paygate/reset HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\n\r\n",
    "two lengths": b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length with a sign": b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: +1\r\n\r\na",
    "a length of python's": b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1_0\r\n\r\n0123456789",
    "a body that ends early": b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nabc",
    "a coding of another kind": b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a chunk below zero": b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "a chunk of python's": b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "a chunk that is longer": b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
    "a method of nobody": b"BREW /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a version of the future": b"GET /_paygate/book HTTP/3.0\r\nHost: 127.0.0.1\r\n\r\n",
    "a hundred headers": b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    "a path without an end": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no request at all": b"\x16\x03\x01\r\n\r\n",
}


@pytest.mark.rule("R-370")
@pytest.mark.parametrize("sent", STRANGE.values(), ids=STRANGE)
def test_a_strange_request_gets_a_4xx_and_reaches_nothing(live, sent):
    emulator, url = live
    answer = said(url, sent)

    # what is so broken that it has no version is answered by a bare body, as HTTP/0.9 does
    assert answer.startswith((b"HTTP/1.1 4", b'{"error"')), answer
    assert emulator.requests == ()
    assert b'"movements"' not in answer


@pytest.mark.rule("R-370")
@pytest.mark.parametrize(
    "sent",
    [
        b"GET http://127.0.0.1/_paygate/book HTTP/1.1\r\nHost: anything.example\r\n\r\n",
        b"GET HTTP://localhost:1/_paygate/book?after=0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /_paygate/book HTTP/1.1\r\nHost: LOCALHOST.:8700\r\n\r\n",
        b"GET /_paygate/book HTTP/1.1\r\nHost: [0:0::1]:8700\r\n\r\n",
        b"GET /_paygate/book HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://[::1]:3000\r\n\r\n",
    ],
)
def test_an_unusual_request_that_is_one_is_answered(live, sent):
    answer = said(live[1], sent)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"movements"' in answer


@pytest.mark.rule("R-370")
@pytest.mark.parametrize(
    "target",
    [
        "http://shop.example/hook\r\nX-Evil: 1",
        "http://shop.example/hook\n",
        "http://user:secret@shop.example/hook",
        "http://shop.example:port/hook",
        "http://shop.example:99999/hook",
        "http://[::1/hook",
        "http://shop .example/hook",
        "http:///hook",
        "http://shop.example/hook#part",
        "javascript:alert(1)",
        "http://ショップ/hook",
        "ftp://shop.example/hook",
        "\ud800",
        "",
        7,
        None,
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_webhook_address_that_is_none_is_refused_and_the_one_before_stays(provider, target):
    emulator = load(provider)(ManualClock.jst(2026, 11, 22))
    body = json.dumps({"url": target}).encode()
    refused = emulator.handle(Request("PUT", f"{emulator.origin}/_paygate/webhooks/target", body=body))
    assert refused.status == 400
    assert json.loads(refused.body)["error"]["remedy"]
    if isinstance(target, str):
        now = SystemClock().now()
        assert checked_target(target) is None
        assert post(Delivery(target, {}, b"", now)) == 0


@pytest.mark.parametrize("target", ["http://shop:8000/hooks?x=1", "https://shop.example/a%0D%0Ab", "http://[::1]:80/"])
def test_a_webhook_address_may_be_another_machines(target):
    assert checked_target(target) == target


@pytest.mark.rule("R-370")
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "book?after=" + "9" * 5000, b""),
        ("GET", "book?after=%FF", b""),
        ("GET", "webhooks?limit=" + "9" * 5000, b""),
        ("GET", "webhooks/%00", b""),
        ("POST", "clock/advance", b'{"days": 1' + b"0" * 400 + b"}"),
        ("POST", "clock/advance", b'{"days": 1e999}'),
        ("POST", "clock/advance", b'{"days": NaN}'),
        ("PUT", "clock", b'{"now": "9999-12-31T23:59:59-12:00"}'),
        ("PUT", "clock", b'{"now": "0001-01-01T00:00:00+14:00"}'),
        ("POST", "outcomes", b'{"kind": "pending", "seconds": 1' + b"0" * 30 + b"}"),
        ("POST", "outcomes", b"[" * 100_000),
        ("POST", "faults", b'{"kind": "error", "status": 99}'),
        ("POST", "faults", b'{"kind": "error", "match": "GET /a\\r\\nb"}'),
        ("POST", "approve", b'{"id": "\\ud800"}'),
        ("DELETE", "outcomes/a%0d%0ab", b""),
        ("POST", "cards", b'{"kind": "\\ud800"}'),
        ("GET", "customer/%3Cscript%3E", b""),
        ("POST", "reset", b"\xff\xfe"),
    ],
)
def test_the_control_interface_refuses_what_it_cannot_take(provider, method, path, body):
    emulator = load(provider)(ManualClock.jst(2026, 11, 22))
    answer = emulator.handle(Request(method, f"{emulator.origin}/_paygate/{path}", body=body))
    assert 400 <= answer.status < 500
    assert b"<script>" not in answer.body


@pytest.mark.rule("R-370")
def test_an_outcome_cannot_add_a_header_or_break_the_answer():
    emulator = load("stripe")(ManualClock.jst(2026, 11, 22))
    body = json.dumps({"kind": "decline", "code": "x\r\nX-Evil: 1\ud800"}).encode()
    made = emulator.handle(Request("POST", f"{emulator.origin}/_paygate/outcomes", body=body))
    credential = emulator.store_card()
    customer, method = credential.split("/")
    paid = emulator.handle(
        Request(
            "POST",
            f"{emulator.origin}/v1/payment_intents",
            {"Authorization": f"Bearer {emulator.credentials_for_plugin()['api_key']}"},
            f"amount=100&currency=jpy&confirm=true&off_session=true&customer={customer}&payment_method={method}".encode(),
        )
    )
    assert (made.status, paid.status) == (201, 402), paid.body
    assert json.loads(paid.body)["error"]["decline_code"] == "x\r\nX-Evil: 1\ud800"
    assert not any("\r" in value or "\n" in value for value in paid.headers.values())


@pytest.mark.parametrize(
    ("value", "sent"), [("a\r\nb", "a%0D%0Ab"), ("https://x/日", "https://x/%E6%97%A5"), ("plain; v=1", "plain; v=1")]
)
def test_a_header_of_an_answer_stays_one_line_of_ascii(value, sent):
    assert header_value(value) == sent


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("Shop.Example.:80", "shop.example"),
        ("[0:0::1]:1", "::1"),
        ("a:", "a"),
        ("a b", None),
        ("[::1%25eth0]", None),
        ("::1", None),
        ("a:b@c", None),
        ("", None),
        ("a\n", None),
    ],
)
def test_a_host_is_read_whole_or_not_at_all(authority, host):
    assert host_of(authority) == host


def test_an_origin_without_a_page_has_no_host():
    given = ["null", "", "localhost", "http://localhost/x", "http://a http://b", "chrome-extension://abc", "http://a:1"]
    assert [origin_host(one) for one in given] == [None, None, None, None, None, None, "a"]


def test_a_target_names_a_path_or_an_address():
    assert request_path("/a?b=[c]") == ("/a?b=[c]", None)
    assert request_path("http://h:1/a?b") == ("/a?b", "h:1")
    assert request_path("http://h?b=/c") == ("/?b=/c", "h")
    assert request_path("//h/a") == ("//h/a", None)


@pytest.mark.parametrize("host", ["127.0.0.1@evil.example", "localhost\\@evil", "①②⑦.0.0.1", "127.0.0.1 evil.example"])
@pytest.mark.parametrize("any_host", [False, True])
def test_in_process_a_host_that_is_none_is_a_stranger_too(host, any_host):
    request = Request("GET", "http://127.0.0.1:8700/_paygate/book", {"Host": host})
    assert refuse_strangers(request, any_host=any_host) is not None


#: Values of JSON that stand where another kind is meant.
ODD = (None, True, -1, 1.5, 10**30, "", "\ud800", "\x00", "a\r\nb", [], [1], {}, {"a": 1}, "9999-99-99")
_STORE = "/stores/{store}"


@pytest.mark.rule("R-370")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/charges",
            {"transaction_token_id": "{card}", "amount": 100, "currency": "JPY", "three_ds": {"mode": "normal"}},
        ),
        (
            "/tokens",
            {
                "payment_type": "card",
                "type": "recurring",
                "email": "a@shop.example",
                "usage_limit": "daily",
                "data": {},
            },
        ),
        (
            "/subscriptions",
            {
                "transaction_token_id": "{card}",
                "amount": 100,
                "currency": "JPY",
                "period": "monthly",
                "schedule_settings": {"termination_mode": "immediate", "start_on": "2026-12-01"},
                "subscription_plan": {"plan_type": "fixed_cycles", "fixed_cycles": 3},
            },
        ),
        (
            "/subscriptions/simulate_plan",
            {"amount": 100, "currency": "JPY", "period": "monthly", "cyclical_period": "P1M"},
        ),
        (
            _STORE + "/charges/{charge}/refunds",
            {"amount": 1, "currency": "JPY", "reason": "fraud", "metadata": {"a": "b"}},
        ),
        (_STORE + "/webhooks", {"url": "http://shop.example", "triggers": ["charge_finished"], "auth_token": "x"}),
        (_STORE + "/create_customer_id", {"customer_id": "7"}),
    ],
)
def test_a_body_with_values_of_another_kind_is_refused_or_taken_and_never_breaks_the_emulator(path, body):
    emulator = load("univapay")(ManualClock.jst(2026, 11, 22))
    card = emulator.store_card()
    names = {"store": emulator.credentials.store_id, "card": card}
    sent = {"Authorization": emulator.credentials.header}

    def send(url, content):
        url = emulator.origin + url.format(**names)
        return emulator.handle(Request("POST", url, sent, json.dumps(content).replace("{card}", card).encode()))

    charge = {"transaction_token_id": card, "amount": 1000, "currency": "JPY"}
    names["charge"] = json.loads(send("/charges", charge).body)["id"]
    emulator.clock.advance(seconds=10)
    places = [(name,) for name in body]
    places += [(name, inner) for name, value in body.items() if isinstance(value, dict) for inner in value]
    for place in places:
        for odd in ODD:
            changed = json.loads(json.dumps(body))
            inner = changed
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = odd
            assert send(path, changed).status < 500, (place, odd)
    emulator.clock.advance(days=400)
    emulator.deliver(lambda _delivery: 200)
