"""Serve an emulator over real HTTP on loopback, and deliver its webhooks over real HTTP.

Faults become real here: a reset closes the socket, a truncated body ends before its Content-Length, and a time-out is
a request that is never answered.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from ...flow import Request, Response
from .base import Emulator
from .faults import Broken, FaultKind
from .webhooks import Delivery

__all__ = ["post", "serve"]

#: Seconds between two looks for work that is due.
_TICK = 0.02

#: Seconds that a merchant has to answer a webhook.
_MERCHANT_PATIENCE = 3.0

#: SO_LINGER switched on with no time: close() sends a reset instead of an orderly end.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined on close, so that no connection outlives the ``with``
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], emulator: Emulator) -> None:
        super().__init__(address, _Handler)
        self.emulator = emulator
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    def opened(self, connection: socket.socket) -> None:
        with self._guard:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._guard:
            self._open.discard(connection)

    def hang_up(self) -> None:
        """End all connections, so that threads waiting for a next request see the end."""
        self.closing.set()
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet about clients that went away; anything else is a mistake of ours and shows."""
        if not self.closing.is_set():
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        with contextlib.suppress(OSError):  # the client may be gone
            super().finish()
        self.server.closed(self.connection)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        host, port = self.server.server_address[:2]
        request = Request(
            method=self.command,
            url=f"http://{host!s}:{port}{self.path}",
            headers=dict(self.headers.items()),
            body=self.rfile.read(length) if length else b"",
        )
        answer = self.server.emulator.answer(request)
        if isinstance(answer, Broken):
            self._break(answer)
        else:
            self._write(answer, answer.body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - the names http.server looks for

    def _break(self, broken: Broken) -> None:
        self.close_connection = True
        if broken.kind is FaultKind.TIMEOUT:
            self.server.closing.wait()
        elif broken.response is not None:
            self._write(broken.response, broken.response.body[: len(broken.response.body) // 2])
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def _write(self, response: Response, body: bytes) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: requests carry credentials, and tests keep the terminal."""


def post(delivery: Delivery) -> int:
    """Deliver a webhook over HTTP.

    :returns: the merchant's HTTP status; 0 where none came within 3 seconds.
    """
    target = urlsplit(delivery.url)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.hostname or "", target.port, timeout=_MERCHANT_PATIENCE)
    path = f"{target.path or '/'}?{target.query}" if target.query else target.path or "/"
    try:
        connection.request("POST", path, delivery.body, dict(delivery.headers))
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return 0
    else:
        return response.status
    finally:
        connection.close()


def _deliver_until(closing: threading.Event, emulator: Emulator) -> None:
    while not closing.wait(_TICK):
        emulator.deliver(post)


@contextlib.contextmanager
def serve(emulator: Emulator, *, host: str = "127.0.0.1", port: int = 0, webhooks: bool = True) -> Iterator[str]:
    """Serve *emulator* over HTTP/1.1 until the block ends; yields its base URL.

    :param port: 0 picks a free one.
    :param webhooks: whether a background thread delivers webhooks to the registered URLs.
    """
    server = _Server((host, port), emulator)
    threads = [threading.Thread(target=server.serve_forever, args=(_TICK,), name="emulator-http")]
    if webhooks:
        threads.append(threading.Thread(target=_deliver_until, args=(server.closing, emulator), name="emulator-hooks"))
    for thread in threads:
        thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.hang_up()
        for thread in threads:
            thread.join()
        server.server_close()
