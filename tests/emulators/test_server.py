"""The emulator on loopback: real connections, real faults, real webhooks."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest

from paygate.clock import SystemClock
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


def test_a_late_answer_comes(live):
    live.faults.add(Fault(FaultKind.SLOW, seconds=1))
    began = time.monotonic()
    with serve(live, webhooks=False) as url, connected(url) as connection:
        assert ask(connection, live, "GET", "/me")[0] == 200
    assert time.monotonic() - began >= 1


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
