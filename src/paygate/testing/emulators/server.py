"""Serve an emulator over real HTTP on loopback, and deliver its webhooks over real HTTP.

Faults become real here: a reset closes the socket, a cut answer ends before its Content-Length, a trickling one takes
its time, and a time-out is a request that is never answered.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from ...flow import Request, Response
from .addressing import checked_target, host_of, request_path
from .base import Emulator
from .control import PREFIX, is_loopback, refuse_strangers
from .control_input import Refusal
from .faults import Broken, FaultKind
from .reading import Unreadable, header_value, read_body, read_headers
from .webhooks import Delivery

__all__ = ["post", "serve"]

#: Seconds between two looks for work that is due.
_TICK = 0.02

#: Seconds that a merchant has to answer a webhook.
_MERCHANT_PATIENCE = 3.0

#: Into how many pieces a trickling answer is cut.
_PIECES = 20

#: SO_LINGER switched on with no time: close() sends a reset instead of an orderly end.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined on close, so that no connection outlives the ``with``
    request_queue_size = 128

    def __init__(self, host: str, port: int, emulator: Emulator) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        self.emulator = emulator
        self.beyond_loopback = not is_loopback(host)
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    @property
    def base_url(self) -> str:
        """Where clients on this machine reach it."""
        host, port = self.server_address[:2]
        name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(host), str(host))  # noqa: S104 - compared, not bound
        return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(
            self
        )  # without http.server's look-up of this machine's name, which may take long

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
        try:
            request = self._read_request()
        except Unreadable as unreadable:
            self._refuse(unreadable.status, str(unreadable))
            return
        answer = self._answer(request)
        if isinstance(answer, Broken):
            self._break(answer)
        else:
            self._write(answer)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - http.server's names

    def _answer(self, request: Request) -> Response | Broken:
        if urlsplit(request.url).path.startswith(PREFIX):
            refusal = refuse_strangers(request, any_host=self.server.beyond_loopback)
            if refusal is not None:
                return refusal
        return self.server.emulator.answer(request)

    def _read_request(self) -> Request:
        """The request, read strictly: an address is never joined to a text that could change it.

        :raises Unreadable: target, ``Host``, headers or body are none.
        """
        headers = read_headers(self.headers.items(), http_1_1=self.request_version >= "HTTP/1.1")
        found = request_path(self.path)
        if found is None:
            raise Unreadable(400, "the target of the request is neither a path nor an http address")
        path, authority = found
        if authority is not None:
            headers["host"] = authority
        if headers.get("host") and host_of(headers["host"]) is None:
            raise Unreadable(400, "Host is not a host with an optional port")
        body = read_body(self.rfile, headers)
        return Request(method=self.command, url=self.server.base_url + path, headers=headers, body=body)

    def _refuse(self, status: int, message: str) -> None:
        self.close_connection = True  # what follows on this connection cannot be told from the body
        refusal = Refusal(status, message, "send an ordinary HTTP/1.1 request").response()
        self._write(Response(refusal.status, {**refusal.headers, "Connection": "close"}, refusal.body))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Called by http.server for a request line or headers that it cannot read, or a method that nobody takes."""
        if code >= 500:
            code = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus.BAD_REQUEST
        self._refuse(code, message or "the request cannot be read")

    def _break(self, broken: Broken) -> None:
        match broken:
            case Broken(FaultKind.TIMEOUT):
                self._say_nothing()
            case Broken(FaultKind.CUT, Response() as response):
                self._write(response, response.body[: len(response.body) // 2])
            case Broken(FaultKind.TRICKLE, Response() as response):
                self._trickle(response, broken.seconds)
                return
            case _:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.close_connection = True

    def _say_nothing(self) -> None:
        """Wait until the client gives up, or the server closes."""
        while not self.server.closing.wait(_TICK):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _trickle(self, response: Response, seconds: float) -> None:
        size = -(-len(response.body) // _PIECES) or 1
        pieces = [response.body[start : start + size] for start in range(0, len(response.body), size)]
        self._write(response, b"")
        for piece in pieces:
            self.server.closing.wait(seconds / len(pieces))
            self.wfile.write(piece)
            self.wfile.flush()

    def _write(self, response: Response, body: bytes | None = None) -> None:
        """Send *response*, or its head and *body*."""
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, header_value(value))
        if response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body if body is None else body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: requests carry credentials, and tests keep the terminal."""


def post(delivery: Delivery) -> int:
    """Deliver a webhook over HTTP.

    :returns: the merchant's HTTP status; 0 where none came within 3 seconds.
    """
    if checked_target(delivery.url) is None:  # registered in process, where nobody looked at it
        return 0
    target = urlsplit(delivery.url)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    path = f"{target.path or '/'}?{target.query}" if target.query else target.path or "/"
    try:
        connection = kind(target.hostname or "", target.port, timeout=_MERCHANT_PATIENCE)
        try:
            connection.request("POST", path, delivery.body, dict(delivery.headers))
            response = connection.getresponse()
            response.read()
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException):  # ValueError: an address that is none
        return 0
    return response.status


def _deliver_until(closing: threading.Event, emulator: Emulator) -> None:
    while not closing.wait(_TICK):
        emulator.deliver(post)


@contextlib.contextmanager
def serve(emulator: Emulator, *, host: str = "127.0.0.1", port: int = 0, webhooks: bool = True) -> Iterator[str]:
    """Serve *emulator* over HTTP/1.1 until the block ends; yields its base URL.

    The control interface is served along, under ``/_paygate/``; on loopback it refuses what a web page sends.

    :param host: an address of this machine. Anything beyond loopback lets others in, to the control interface too.
    :param port: 0 picks a free one.
    :param webhooks: whether a background thread delivers webhooks to the registered URLs.
    :raises OSError: the port is in use, or the address is not one of this machine.
    """
    server = _Server(host, port, emulator)
    threads = [threading.Thread(target=server.serve_forever, args=(_TICK,), name="emulator-http")]
    if webhooks:
        threads.append(threading.Thread(target=_deliver_until, args=(server.closing, emulator), name="emulator-hooks"))
    before = emulator.base_url, emulator.receiver
    emulator.base_url, emulator.receiver = server.base_url, post if webhooks else None
    for thread in threads:
        thread.start()
    try:
        yield server.base_url
    finally:
        server.shutdown()
        server.hang_up()
        for thread in threads:
            thread.join()
        server.server_close()
        emulator.base_url, emulator.receiver = before
