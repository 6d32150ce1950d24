"""Real sockets, and everything a line can do wrong. What matters each time: may money have moved?"""

from __future__ import annotations

import json
import socket
import sys
import time

import anyio
import attrs
import pytest

from paygate.clock import SystemClock
from paygate.drivers import AsyncDriver, Lost, NotSent
from paygate.errors import InvalidValue, OutcomeUnknown, ProviderUnavailable
from paygate.flow import Replay, Request, Response, send
from paygate.testing.clock import ManualClock


async def charge(url: str, replay: Replay = Replay.NEVER, **options) -> Response:
    return await send(Request("POST", url, body=b"amount=5000", replay=replay, **options))


async def read(url: str, **options) -> Response:
    return await send(Request("GET", url, **options))


def test_an_answer_comes_back_whole_with_lower_case_header_names(run, server) -> None:
    response = run(charge(f"{server.url}/ok"))

    assert (response.status, response.headers["x-request-id"]) == (200, "req_1")
    assert response.json() == {"method": "POST", "body": "amount=5000"}


def test_a_body_that_was_compressed_against_our_wish_is_read_all_the_same(run, server) -> None:
    assert run(read(f"{server.url}/gzip")).json() == {"id": "ch_1"}


def test_the_same_request_goes_out_whatever_sends_it(run, server) -> None:
    headers = {"Authorization": "Bearer t", "Content-Type": "application/json", "X-Signed": "a,b; c=1"}
    target = "/ok/a%2Fb/%E5%86%86?q=a+b&p=%2B&z=a%20b&t=2024-11-08T00:00:00Z&e="
    run(charge(server.url + target, headers=headers), charge(f"{server.url}/ok"), read(f"{server.url}/ok"))

    first, bare, reading = server.seen
    host = server.url.removeprefix("http://")
    common = {
        "host": host,
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "keep-alive",
        "user-agent": "paygate",
    }
    assert first.target == target
    assert first.headers == common | {
        "authorization": "Bearer t",
        "content-type": "application/json",
        "x-signed": "a,b; c=1",
        "content-length": "11",
    }
    assert bare.headers == common | {"content-length": "11"}
    assert reading.headers == common


def test_connections_are_kept_and_cookies_are_not(run, server) -> None:
    run(read(f"{server.url}/cookie"), read(f"{server.url}/cookie"))

    assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]
    assert len(server._connections) == 1


def test_a_redirect_is_delivered_not_followed(run, server) -> None:
    assert run(read(f"{server.url}/redirect")).status == 302
    assert [seen.target for seen in server.seen] == ["/redirect"]


def test_html_is_delivered_and_only_reading_it_as_json_is_an_unknown_outcome(run, server) -> None:
    response = run(charge(f"{server.url}/html"))

    assert response.body == b"<html>maintenance</html>"
    with pytest.raises(OutcomeUnknown):
        response.json()


def test_a_proxy_of_the_environment_is_not_used(run, server, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert run(read(f"{server.url}/ok")).status == 200


BROKEN = ["close", "reset", "partial", "half-chunk", "garbage", "silent", "trickle", "big/2000"]


@pytest.fixture
def impatient(quick):
    return attrs.evolve(quick, read_timeout=0.3, max_response_bytes=1000)


@pytest.mark.rule("R-193")
@pytest.mark.parametrize("fault", BROKEN)
def test_once_sent_a_charge_without_a_whole_answer_is_unknown_and_never_repeated(run, server, impatient, fault) -> None:
    with pytest.raises(OutcomeUnknown, match="look it up"):
        run(charge(f"{server.url}/{fault}"), settings=attrs.evolve(impatient, retries=2))

    assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("fault", ["close", "reset"])
def test_no_http_client_repeats_by_itself_what_broke_on_a_kept_connection(run, server, quick, method, fault) -> None:
    async def flow() -> None:
        await send(Request("GET", f"{server.url}/ok"))
        await send(Request(method, f"{server.url}/{fault}"))

    with pytest.raises(OutcomeUnknown):
        run(flow(), settings=attrs.evolve(quick, retries=2))
    assert [seen.method for seen in server.seen] == ["GET", method]


@pytest.mark.parametrize("fault", BROKEN)
def test_reading_that_gets_no_answer_is_repeated_and_then_unavailable(run, server, impatient, fault) -> None:
    with pytest.raises(ProviderUnavailable, match="2 attempts"):
        run(read(f"{server.url}/{fault}"), settings=attrs.evolve(impatient, retries=1))

    assert len(server.seen) == 2


def test_a_lost_answer_is_asked_for_again_under_the_same_key(run, server, quick) -> None:
    response = run(charge(f"{server.url}/close-once", Replay.SAME_KEY), settings=attrs.evolve(quick, retries=1))

    assert response.status == 200
    assert server.seen[0].body == server.seen[1].body == b"amount=5000"


def test_the_request_s_own_timeout_comes_before_the_driver_s(run, server) -> None:
    started = time.perf_counter()
    with pytest.raises(OutcomeUnknown):
        run(charge(f"{server.url}/silent", timeout=0.1))

    assert time.perf_counter() - started < 1.5


def test_ten_megabytes_are_read_by_default_and_not_one_byte_more(run, server, quick) -> None:
    limit = quick.max_response_bytes

    assert len(run(read(f"{server.url}/big/{limit}")).body) == limit
    with pytest.raises(OutcomeUnknown, match="too large"):
        run(charge(f"{server.url}/big/{limit + 1}"))


def test_429_is_repeated_after_the_time_that_the_provider_asks_for(run, server, quick) -> None:
    clock = ManualClock.jst(2024, 11, 8)
    response = run(charge(f"{server.url}/busy-once"), clock=clock, settings=attrs.evolve(quick, retries=1))

    assert response.status == 200
    assert clock.monotonic() == 7


# --- certainly not sent


def refused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize("retries", [0, 1])
def test_a_refused_connection_means_that_nothing_happened(run, quick, retries) -> None:
    with pytest.raises(ProviderUnavailable, match=f"{retries + 1} attempt.*nothing was sent"):
        run(charge(refused()), settings=attrs.evolve(quick, retries=retries))


@pytest.mark.paygate_live  # the name is looked up, and nobody has it
def test_a_host_that_does_not_exist_means_that_nothing_happened(run) -> None:
    with pytest.raises(ProviderUnavailable, match="nothing was sent"):
        run(charge("http://api.acme.invalid/"))


def test_a_failed_tls_handshake_means_that_nothing_happened(run, server) -> None:
    with pytest.raises(ProviderUnavailable, match="nothing was sent"):
        run(charge(server.url.replace("http:", "https:")))
    assert server.seen == []


def test_a_connection_that_is_never_accepted_means_that_nothing_happened(run, quick) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        queue = [socket.socket() for _ in range(3)]
        for waiting in queue:
            waiting.setblocking(False)
            waiting.connect_ex(address)
        try:
            with pytest.raises(ProviderUnavailable, match="nothing was sent"):
                run(charge(f"http://127.0.0.1:{address[1]}/"), settings=attrs.evolve(quick, connect_timeout=0.2))
        finally:
            for waiting in queue:
                waiting.close()


@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", "ftp://api.acme.test/"),
        Request("POST", "/charges"),
        Request("POST", "https://"),
        Request("POST", "http://[::1/"),
        Request("POST", "http://api.acme.test:port/"),
        Request("POST", "https://user:canary@api.acme.test/"),
        Request("POST", "https://api.acme.test/", headers={"x-note": "canary\r\nx-evil: 1"}),
        Request("POST", "https://api.acme.test/", headers={"x-note": "花子 canary"}),
        Request("POST", "https://api.acme.test/", headers={"x note": "canary"}),
        Request("post\r\n", "https://api.acme.test/"),
    ],
    ids=lambda request: repr(request.url),
)
def test_a_request_that_cannot_be_put_on_the_wire_is_refused_before_anything_is_sent(run, request_) -> None:
    async def flow() -> None:
        await send(request_)

    with pytest.raises(InvalidValue) as caught:
        run(flow())
    assert "canary" not in str(caught.value)


# --- faults without a network


@pytest.mark.parametrize(
    ("fault", "replay", "error"),
    [
        (NotSent("no route"), Replay.NEVER, ProviderUnavailable),
        (NotSent("no route"), Replay.SAME_KEY, ProviderUnavailable),
        (Lost("vanished"), Replay.SAFE, ProviderUnavailable),
        (Lost("vanished"), Replay.SAME_KEY, OutcomeUnknown),
        (Lost("vanished"), Replay.NEVER, OutcomeUnknown),
    ],
)
def test_a_mounted_handler_can_play_a_broken_line(run, fault, replay, error) -> None:
    def broken(_: Request) -> Response:
        raise fault

    with pytest.raises(error) as caught:
        run(charge("https://api.acme.test/", replay), mounts={"https://api.acme.test": broken})
    assert caught.value.__cause__ is fault


@pytest.mark.rule("R-193")
def test_a_429_after_a_lost_answer_leaves_the_outcome_unknown(run, quick) -> None:
    outcomes = [Lost("vanished"), Response(429)]

    def acme(_: Request) -> Response:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Lost):
            raise outcome
        return outcome

    with pytest.raises(OutcomeUnknown, match="an earlier answer was lost, now HTTP 429"):
        run(
            charge("https://api.acme.test/", Replay.SAME_KEY),
            mounts={"https://api.acme.test": acme},
            settings=attrs.evolve(quick, retries=1),
        )


def test_requests_to_one_origin_are_paced_and_others_are_not_held_up(run, quick) -> None:
    clock = ManualClock.jst(2024, 11, 8)
    mounts = {"https://": lambda request: Response(200, body=request.url.encode())}

    async def five() -> None:
        for _ in range(4):
            await read("https://api.acme.test/charges")
        await read("https://api.other.test/charges")

    run(five(), clock=clock, mounts=mounts, settings=attrs.evolve(quick, requests_per_second=2))

    assert clock.monotonic() == pytest.approx(1.5)


def test_repeats_are_paced_too(run, quick) -> None:
    clock = ManualClock.jst(2024, 11, 8)

    def down(_: Request) -> Response:
        raise NotSent("down")

    with pytest.raises(ProviderUnavailable):
        run(
            charge("https://api.acme.test/"),
            clock=clock,
            mounts={"https://api.acme.test": down},
            settings=attrs.evolve(quick, retries=2, requests_per_second=1),
        )
    assert clock.monotonic() == pytest.approx(2)


def test_the_flow_sees_the_same_answer_from_a_handler_and_from_the_wire(run, server) -> None:
    def handler(request: Request) -> Response:
        body = json.dumps({"method": request.method, "body": request.body.decode()}).encode()
        return Response(
            200, {"Content-Length": str(len(body)), "Content-Type": "application/json", "X-Request-Id": "req_1"}, body
        )

    wire = run(charge(f"{server.url}/ok"))
    local = run(charge("https://api.acme.test/ok"), mounts={"https://api.acme.test": handler})

    assert (wire.status, dict(wire.headers), wire.body) == (local.status, dict(local.headers), local.body)


@pytest.mark.parametrize(
    ("backend", "installed", "transport"),
    [
        ("asyncio", True, "AiohttpTransport"),
        ("asyncio", False, "AsyncHTTPTransport"),
        ("trio", True, "AsyncHTTPTransport"),
    ],
)
def test_asyncio_uses_aiohttp_where_it_is_installed(server, monkeypatch, backend, installed, transport) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)

    async def main() -> str:
        async with AsyncDriver(SystemClock()) as driver:
            await driver.run(read(f"{server.url}/ok"))
            return type((await driver._loops.sender())._transport).__name__

    assert anyio.run(main, backend=backend) == transport
