"""One runner per way to run flows, and a loopback server that misbehaves on demand."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import anyio
import attrs
import pytest

from paygate.clock import Clock, SystemClock
from paygate.drivers import AsyncDriver, HttpSettings, Mounts, SyncDriver
from paygate.flow import Flow

T = TypeVar("T")

#: Short waits: every test here ends within a second or two.
QUICK = HttpSettings(connect_timeout=2, read_timeout=2, retries=0, backoff_base=0)


class Run(Protocol):
    kind: str

    def __call__(
        self,
        *flows: Flow[Any],
        clock: Clock | None = None,
        settings: HttpSettings = QUICK,
        mounts: Mounts | None = None,
    ) -> Any:
        """Run *flows* one after the other on one driver; return the last result."""


class _Runner:
    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(
        self,
        *flows: Flow[Any],
        clock: Clock | None = None,
        settings: HttpSettings = QUICK,
        mounts: Mounts | None = None,
    ) -> Any:
        if self.kind == "sync":
            with SyncDriver(clock or SystemClock(), settings=settings, mounts=mounts) as driver:
                return [driver.run(flow) for flow in flows][-1]

        async def main() -> Any:
            async with AsyncDriver(clock or SystemClock(), settings=settings, mounts=mounts) as driver:
                return [await driver.run(flow) for flow in flows][-1]

        return anyio.run(main, backend=self.kind)


@pytest.fixture(params=["sync", "asyncio", "asyncio without aiohttp", "trio"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    kind = request.param
    if kind == "asyncio without aiohttp":
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)  # as if it were not installed
        kind = "asyncio"
    return _Runner(kind)


@attrs.define
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Server:
    """A loopback HTTP server whose path says what it does; keeps connections open unless it breaks them."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopping = threading.Event()
        self._connections: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            reader = connection.makefile("rb")
            with reader:
                while (seen := self._read(reader)) is not None:
                    self.seen.append(seen)
                    behaviour = seen.target.strip("/").partition("?")[0].partition("/")[0].replace("-", "_")
                    if not getattr(self, f"_do_{behaviour}")(connection, seen):
                        return

    @staticmethod
    def _read(reader: Any) -> Seen | None:
        line = reader.readline().decode("latin-1")
        if not line.endswith("HTTP/1.1\r\n"):
            return None
        method, target, _ = line.split(" ")
        headers = {}
        while (line := reader.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Seen(method, target, headers, reader.read(int(headers.get("content-length", 0))))

    @staticmethod
    def _answer(connection: socket.socket, status: str, body: bytes, *headers: str) -> bool:
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        connection.sendall("\r\n".join(head).encode() + body)
        return True

    def _do_ok(self, connection: socket.socket, seen: Seen) -> bool:
        body = json.dumps({"method": seen.method, "body": seen.body.decode()}).encode()
        return self._answer(connection, "200 OK", body, "Content-Type: application/json", "X-Request-Id: req_1")

    def _do_gzip(self, connection: socket.socket, _: Seen) -> bool:
        return self._answer(connection, "200 OK", gzip.compress(b'{"id": "ch_1"}'), "Content-Encoding: gzip")

    def _do_html(self, connection: socket.socket, _: Seen) -> bool:
        return self._answer(connection, "200 OK", b"<html>maintenance</html>", "Content-Type: text/html")

    def _do_cookie(self, connection: socket.socket, _: Seen) -> bool:
        return self._answer(connection, "200 OK", b"{}", "Set-Cookie: session=canary; Path=/")

    def _do_redirect(self, connection: socket.socket, _: Seen) -> bool:
        return self._answer(connection, "302 Found", b"", f"Location: {self.url}/ok")

    def _do_close(self, *_: Any) -> bool:
        return False

    def _do_reset(self, connection: socket.socket, _: Seen) -> bool:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def _do_partial(self, connection: socket.socket, _: Seen) -> bool:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"paid":')
        return False

    def _do_half_chunk(self, connection: socket.socket, _: Seen) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{")
        return False

    def _do_garbage(self, connection: socket.socket, _: Seen) -> bool:
        connection.sendall(b"SSH-2.0-OpenSSH_9.7\r\n\r\n")
        return False

    def _do_silent(self, *_: Any) -> bool:
        self._stopping.wait(10)
        return False

    def _do_trickle(self, connection: socket.socket, _: Seen) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.05)
        return False

    def _do_big(self, connection: socket.socket, seen: Seen) -> bool:
        return self._answer(connection, "200 OK", b"x" * int(seen.target.rpartition("/")[2]))

    def _do_busy_once(self, connection: socket.socket, seen: Seen) -> bool:
        if len([one for one in self.seen if one.target == seen.target]) == 1:
            return self._answer(connection, "429 Too Many Requests", b"", "Retry-After: 7")
        return self._answer(connection, "200 OK", b"{}")

    def _do_close_once(self, connection: socket.socket, seen: Seen) -> bool:
        if len([one for one in self.seen if one.target == seen.target]) == 1:
            return False
        return self._answer(connection, "200 OK", b"{}")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def quick() -> HttpSettings:
    return QUICK


def within(seconds: float, function: Callable[[], T]) -> T:
    """Run *function* in a thread and fail, instead of hanging, when it has not ended in time."""
    result: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            result.append(function())
        except BaseException as exc:  # noqa: BLE001 - raised again below
            errors.append(exc)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"hangs for {seconds} seconds"
    if errors:
        raise errors[0]
    return result[0]


@pytest.fixture
def in_time() -> Callable[..., Any]:
    return within
