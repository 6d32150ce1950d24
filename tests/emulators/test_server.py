"""The emulator on loopback: real connections, real faults, real webhooks."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest

from paygate.clock import SystemClock
from paygate.testing.clock import EmulatorClock
from paygate.testing.emulators import Delivery, Fault, FaultKind, When, serve
from paygate.testing.emulators.server import post
from paygate.testing.emulators.univapay import Behaviour, UnivaPayEmulator


@pytest.fixture
def live():
    return UnivaPayEmulator(SystemClock(), behaviour=Behaviour(pending=0.05))


@contextlib.contextmanager
def connected(url):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=2)
    try:
        yield connection
    finally:
        connection.close()


def ask(connection, emulator, method, path, body=None):
    headers = {"Authorization": emulator.credentials.header, "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    content = response.read()
    return response.status, json.loads(content) if content else None


@contextlib.contextmanager
def merchant(status=200):
    """A merchant's endpoint that answers *status* and keeps what it got."""
    got = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.path, self.headers["Authorization"], self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format, *args):  # noqa: A002
            """Stay quiet."""

    with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hooks?from=univapay", got
        finally:
            server.shutdown()
            thread.join()


def test_one_connection_serves_many_requests_and_polling_really_waits(live):
    card = live.add_card()
    with serve(live) as url, connected(url) as connection:
        status, charge = ask(
            connection, live, "POST", "/charges", {"transaction_token_id": card, "amount": 10, "currency": "JPY"}
        )
        place = connection.sock.getsockname()
        path = f"/stores/{live.credentials.store_id}/charges/{charge['id']}"
        settled = ask(connection, live, "GET", path + "?polling=true")[1]
        gone = ask(connection, live, "DELETE", f"/stores/{live.credentials.store_id}/tokens/{card}")
        lost = ask(connection, live, "GET", "/nothing")

        assert connection.sock.getsockname() == place
    assert (status, charge["status"], settled["status"]) == (201, "pending", "successful")
    assert (gone, lost) == ((204, None), (404, None))


def test_a_settled_charge_reaches_the_merchants_address(live):
    live.behaviour.pending = None
    card = live.add_card()
    with merchant() as (hooks, got), serve(live) as url, connected(url) as connection:
        live.add_webhook(hooks, "word")
        _, charge = ask(
            connection, live, "POST", "/charges", {"transaction_token_id": card, "amount": 10, "currency": "JPY"}
        )
        live.settle(charge["id"])
        deadline = time.monotonic() + 2
        while not got and time.monotonic() < deadline:
            time.sleep(0.01)

    [(path, word, body)] = got
    assert (path, word) == ("/hooks?from=univapay", "word")
    assert json.loads(body)["data"]["id"] == charge["id"]


def delivery(url):
    return Delivery(url, {}, b"{}", SystemClock().now())


def test_the_merchants_answer_is_told_and_silence_is_zero():
    with merchant(503) as (hooks, _):
        answered = post(delivery(hooks))

    assert answered == 503
    assert post(delivery("http://127.0.0.1:9/hooks")) == 0
    assert post(delivery("http://127.0.0.1:none/hooks")) == 0


@pytest.mark.parametrize(
    ("kind", "when", "error"),
    [
        (FaultKind.REFUSED, When.BEFORE, ConnectionError),
        (FaultKind.RESET, When.BEFORE, ConnectionError),
        (FaultKind.RESET, When.AFTER, ConnectionError),
        (FaultKind.TIMEOUT, When.BEFORE, TimeoutError),
        (FaultKind.TIMEOUT, When.AFTER, TimeoutError),
        (FaultKind.TRUNCATED, When.BEFORE, json.JSONDecodeError),
        (FaultKind.TRUNCATED, When.AFTER, json.JSONDecodeError),
        (FaultKind.CUT, When.BEFORE, http.client.IncompleteRead),
        (FaultKind.CUT, When.AFTER, http.client.IncompleteRead),
    ],
)
def test_a_fault_breaks_the_connection_before_or_after_the_effect(live, kind, when, error):
    card = live.add_card()
    live.faults.add(Fault(kind, when))
    body = {"transaction_token_id": card, "amount": 10, "currency": "JPY"}
    with serve(live, webhooks=False) as url, connected(url) as connection:
        connection.timeout = 0.3
        with pytest.raises(error):
            ask(connection, live, "POST", "/charges", body)

    assert len(live.charges) == (1 if when is When.AFTER else 0)


def test_a_trickling_answer_arrives_whole_and_late(live):
    live.faults.add(Fault(FaultKind.TRICKLE, seconds=1))
    began = time.monotonic()
    with serve(live, webhooks=False) as url, connected(url) as connection:
        assert ask(connection, live, "GET", "/me")[1]["name"] == "Example KK"
        took = time.monotonic() - began
        assert ask(connection, live, "GET", "/me")[0] == 200  # on the same connection
    assert took >= 0.9


def test_a_client_that_gave_up_is_not_waited_for(live):
    before = threading.active_count()
    live.faults.add(Fault(FaultKind.TIMEOUT))
    with serve(live, webhooks=False) as url:
        served = threading.active_count()
        with connected(url) as connection:
            connection.timeout = 0.1
            with pytest.raises(TimeoutError):
                ask(connection, live, "GET", "/me")
        deadline = time.monotonic() + 2
        while threading.active_count() > served and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() == served
    assert threading.active_count() == before


def test_a_late_answer_comes(live):
    live.faults.add(Fault(FaultKind.SLOW, seconds=1))
    began = time.monotonic()
    with serve(live, webhooks=False) as url, connected(url) as connection:
        assert ask(connection, live, "GET", "/me")[0] == 200
    assert time.monotonic() - began >= 1


def test_a_body_in_chunks_is_read(live):
    card = live.add_card()
    body = json.dumps({"transaction_token_id": card, "amount": 10, "currency": "JPY"}).encode()
    with serve(live, webhooks=False) as url, connected(url) as connection:
        connection.request(
            "POST",
            "/charges",
            iter([body[:20], body[20:]]),
            {"Authorization": live.credentials.header},
            encode_chunked=True,
        )
        response = connection.getresponse()
        response.read()
        assert response.status == 201
        assert ask(connection, live, "GET", "/me")[0] == 200


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: many\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 99999999999\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nmany\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    ],
)
def test_a_body_of_no_known_length_ends_the_connection(live, head):
    with serve(live, webhooks=False) as url, socket.create_connection(urlsplit(url).netloc.split(":"), 2) as client:
        client.sendall(b"POST /charges HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head)
        answer = b"".join(iter(lambda: client.recv(1000), b""))

    assert answer.startswith(b"HTTP/1.1 400")
    assert live.requests == ()


def test_asking_for_the_head_gets_no_body(live):
    with serve(live, webhooks=False) as url, connected(url) as connection:
        connection.request("HEAD", "/heartbeat")
        response = connection.getresponse()
        response.read()
        assert ask(connection, live, "GET", "/me")[0] == 200  # nothing is left of the answer before
    assert response.status == 200


def test_it_serves_the_other_loopback_too(live):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with serve(live, host="::1", webhooks=False) as url:
        connection = http.client.HTTPConnection("::1", urlsplit(url).port, timeout=2)
        with contextlib.closing(connection):
            assert ask(connection, live, "GET", "/_paygate/book")[0] == 200
    assert url.startswith("http://[::1]:")


def test_while_it_is_served_its_links_lead_to_where_it_is(live):
    before = live.customer_url("a/b")
    with serve(live) as url:
        served, receiver = live.customer_url("a/b"), live.receiver

    assert served == url + "/_paygate/customer/a%2Fb"
    assert receiver is post
    assert live.customer_url("a/b") == before == "https://api.univapay.com/_paygate/customer/a%2Fb"
    assert live.receiver is None


def test_moving_the_clock_waits_for_the_webhooks_that_fell_due():
    emulator = UnivaPayEmulator(EmulatorClock(running=False), behaviour=Behaviour(pending=3600))
    card = emulator.add_card()
    with merchant() as (hooks, got), serve(emulator) as url, connected(url) as connection:
        emulator.set_webhook_target(hooks)
        ask(connection, emulator, "POST", "/charges", {"transaction_token_id": card, "amount": 10, "currency": "JPY"})
        status, clock = ask(connection, emulator, "POST", "/_paygate/clock/advance", {"hours": 1})

        assert (status, clock["running"], len(got)) == (200, False, 1)


def test_closing_does_not_wait_for_clients_that_keep_their_connection(live):
    with contextlib.ExitStack() as clients:
        with serve(live, webhooks=False) as url:
            for _ in range(5):
                connection = clients.enter_context(connected(url))
                ask(connection, live, "GET", "/me")
            began = time.monotonic()

        assert time.monotonic() - began < 1


def test_the_emulators_do_without_an_http_client():
    code = (
        "import sys, paygate.testing.emulators.univapay as u; print('httpx' in sys.modules, 'asyncio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]
