"""Whether a byte of a request can have left is known to the driver alone, and it says so."""

from __future__ import annotations

import socket

import attrs
import httpx
import pytest

from paygate import _door
from paygate.clock import SystemClock
from paygate.drivers import NotSent, SyncDriver
from paygate.drivers.http import SyncSender
from paygate.errors import InvalidValue, OutcomeUnknown, ProviderUnavailable
from paygate.flow import Replay, Request, Response, send


class Told:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


async def charge(url: str, told: Told, **options) -> Response:
    return await send(Request("POST", url, body=b"amount=5000", on_wire=told, **options))


@pytest.mark.rule("R-303")
def test_a_request_is_told_before_its_first_byte_leaves_and_each_time_that_it_is_sent(run, server, quick) -> None:
    told = Told()
    run(charge(f"{server.url}/ok", told))
    assert told.times == 1

    run(charge(f"{server.url}/close-once", told, replay=Replay.SAME_KEY), settings=attrs.evolve(quick, retries=1))
    assert told.times == 3


@pytest.mark.rule("R-303")
@pytest.mark.parametrize("fault", ["close", "reset", "partial", "garbage", "silent"])
def test_a_request_that_was_written_was_told_so_whatever_became_of_it(run, server, quick, fault) -> None:
    told = Told()
    with pytest.raises(OutcomeUnknown):
        run(charge(f"{server.url}/{fault}", told), settings=attrs.evolve(quick, read_timeout=0.3))
    assert told.times == 1


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.rule("R-303")
def test_a_request_that_found_no_connection_was_never_told(run, server) -> None:
    told = Told()
    with pytest.raises(ProviderUnavailable, match="nothing was sent"):
        run(charge(f"http://127.0.0.1:{_free_port()}/", told))
    with pytest.raises(ProviderUnavailable, match="nothing was sent"):
        run(charge(server.url.replace("http:", "https:"), told))
    with pytest.raises(InvalidValue):
        run(charge(f"{server.url}/ok", told, headers={"authorization": "Bearer secret\n"}))
    assert told.times == 0
    assert server.seen == []


@pytest.mark.rule("R-303")
def test_an_error_that_no_client_documents_is_judged_by_how_far_the_request_came(server, monkeypatch) -> None:
    told = Told()
    with SyncDriver(SystemClock()) as driver:

        def closed(*_: object) -> None:
            raise RuntimeError("Event loop is closed")

        monkeypatch.setattr(httpx.HTTPTransport, "handle_request", closed)
        with pytest.raises(ProviderUnavailable, match="nothing was sent"):
            driver.run(charge(f"{server.url}/ok", told))
        assert told.times == 0

        def late(_self: object, message: httpx.Request) -> None:
            message.extensions["trace"]("http11.send_request_headers.started", {})
            raise RuntimeError("the client's own bug")

        monkeypatch.setattr(httpx.HTTPTransport, "handle_request", late)
        with pytest.raises(OutcomeUnknown):
            driver.run(charge(f"{server.url}/ok", told))
        assert told.times == 1


@pytest.mark.rule("R-303")
def test_trust_that_cannot_be_set_up_is_nothing_sent(run, server, monkeypatch) -> None:
    def no_trust(**_: object) -> None:
        raise OSError("no certificates")

    monkeypatch.setattr(httpx, "create_ssl_context", no_trust)
    told = Told()
    with pytest.raises(ProviderUnavailable, match="nothing was sent"):
        run(charge(f"{server.url}/ok", told))
    assert told.times == 0


@pytest.mark.rule("R-303")
def test_an_in_process_handler_counts_as_the_other_side(run) -> None:
    told = Told()

    def unreachable(_: Request) -> Response:
        raise NotSent("down")

    run(charge("https://api.acme.test/", told), mounts={"https://api.acme.test": lambda _: Response(200)})
    assert told.times == 1
    with pytest.raises(ProviderUnavailable):  # the last word: nothing was sent
        run(charge("https://api.acme.test/", told), mounts={"https://api.acme.test": unreachable})


@pytest.mark.rule("R-303")
def test_an_answer_from_a_recording_counts_as_sent(run) -> None:
    class Kept(_door.Watcher):
        def leaving(self, request: Request) -> Response | None:
            return Response(200)

    told = Told()
    with _door.posted(Kept()):
        run(charge("https://api.acme.test/", told))
    assert told.times == 1


def test_a_sender_is_given_its_trust_once(server) -> None:
    sender = SyncSender(attrs.evolve(SyncDriver(SystemClock())._conductor.settings))
    try:
        assert sender.send(Request("GET", f"{server.url}/ok")).status == 200
    finally:
        sender.close()
