"""Who may drive a served emulator: whoever is on this machine, but no web page that a browser on it shows."""

from __future__ import annotations

import contextlib
import http.client
import json
from urllib.parse import urlsplit

import pytest

from paygate.clock import SystemClock
from paygate.flow import Request
from paygate.testing.emulators import serve
from paygate.testing.emulators.control import is_loopback, refuse_strangers
from paygate.testing.emulators.univapay import UnivaPayEmulator


def allowed(*, any_host=False, **headers):
    request = Request("POST", "http://127.0.0.1:8700/_paygate/reset", headers)
    return refuse_strangers(request, any_host=any_host) is None


@pytest.mark.parametrize("host", ["127.0.0.1:8700", "127.0.0.1", "localhost:8700", "[::1]:8700", "127.9.9.9:1"])
def test_requests_to_this_machine_are_taken(host):
    assert allowed(Host=host)


@pytest.mark.parametrize("host", ["evil.example:8700", "evil.example", "10.0.0.1", "localhost.evil.example", "", ":"])
def test_a_page_that_points_its_own_domain_to_this_machine_is_refused(host):
    assert not allowed(Host=host)


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1.evil.example", "null", "file://", ""])
def test_a_page_of_somebody_else_is_refused(origin):
    assert not allowed(Host="127.0.0.1:8700", Origin=origin)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8700", "http://localhost:3000"])
def test_a_page_of_this_machine_is_taken(origin):
    assert allowed(Host="127.0.0.1:8700", Origin=origin)


def test_who_serves_others_takes_any_name_but_still_no_page_of_somebody_else():
    assert allowed(any_host=True, Host="emulator:8700")
    assert allowed(any_host=True, Host="emulator:8700", Origin="http://emulator:8700")
    assert not allowed(any_host=True, Host="emulator:8700", Origin="https://evil.example")


@pytest.mark.parametrize(
    ("host", "known"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("shop", False)]
)
def test_loopback_is_told_from_the_rest(host, known):
    assert is_loopback(host) is known


def test_a_served_emulator_refuses_pages_at_its_control_interface_only():
    emulator = UnivaPayEmulator(SystemClock())
    with serve(emulator, webhooks=False) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=2)
        with contextlib.closing(connection):

            def ask(method, path, **headers):
                connection.request(method, path, headers=headers)
                response = connection.getresponse()
                return response.status, response.read()

            own = ask("GET", "/_paygate/book")[0]
            status, body = ask("POST", "/_paygate/reset", Origin="https://evil.example")
            rebound = ask("GET", "/_paygate/", Host="evil.example")[0]
            provider = ask("GET", "/heartbeat", Origin="https://shop.example")[0]

    assert (own, status, rebound, provider) == (200, 403, 403, 200)
    assert json.loads(body)["error"]["remedy"]
    assert len(emulator.requests) == 1


def test_an_address_that_was_joined_with_two_slashes_is_understood():
    emulator = UnivaPayEmulator(SystemClock())

    answers = [emulator.handle(Request("GET", f"{emulator.origin}/_paygate/{path}")) for path in ("clock", "/clock")]

    assert [answer.status for answer in answers] == [200, 200]
