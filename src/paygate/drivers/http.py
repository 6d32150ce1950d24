"""Sends one request once. The only module that knows which HTTP client does it.

Transports are used below the clients that httpx builds on them: so there are no redirects, no cookies, no proxy or
credentials from the environment, and no log line with a whole URL in it. What decides whether money may have moved is
*when* something failed, so the clients are asked to tell when they begin to write a request (:class:`_Wire`), and every
failure is sorted here by that into :class:`NotSent` and :class:`Lost`.

On asyncio the transport of ``httpx-aiohttp`` is used where it is installed (``pip install paygate[aiohttp]``), because
httpx's own pool slows down badly with many requests in flight.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import httpx

from .. import _door
from ..clock import SystemClock
from ..errors import InvalidValue
from ..flow import Request, Response
from .redact import describe
from .retry import Expired, Lost, NotSent
from .settings import HttpSettings

if TYPE_CHECKING:
    import ssl

    import aiohttp

__all__ = ["AsyncSender", "SyncSender"]

#: Seconds that an idle connection is kept; less than the 5 s after which many servers close theirs. A request that
#: meets a connection just closed is a lost answer.
_KEEPALIVE = 4.0

_METHOD = re.compile(r"[A-Z]{1,20}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")

_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})

# Sockets wait in real time whatever clock the flows live by.
_SYSTEM = SystemClock()


class SyncSender:
    """Sends from the calling thread. Thread-safe: the threads share one pool."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._transport = httpx.HTTPTransport(
            verify=_trust(), trust_env=False, http2=False, limits=_limits(settings), retries=0
        )

    def send(self, request: Request) -> Response:
        """Transmit *request* once, telling it when the first byte leaves.

        :raises NotSent: certainly nothing reached the server.
        :raises Lost: it may have, and no whole answer came back.
        :raises InvalidValue: the request cannot be put on the wire; nothing was sent.
        """
        message = _message(request, self._settings, complete=True)
        wire = _Wire(request)
        if (kept := _door.leaving(request)) is not None:
            wire.write()
            return kept
        wire.watch(message, wire.trace)
        try:
            answer = self._transport.handle_request(message)
        except Exception as exc:  # noqa: BLE001 - whatever the client did not foresee: what counts is how far it came
            raise wire.failure(exc) from None
        body = _Body(request, self._settings)
        try:
            for chunk in _chunks(answer):
                if not body.take(chunk):
                    break
        except Exception as exc:  # noqa: BLE001
            body.end(f"body cut off, {_reason(exc)}")
        finally:
            answer.close()
        return _door.arrived(request, body.response(answer))

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()


class AsyncSender:
    """Sends on the running event loop, asyncio or trio, and belongs to it."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._transport = _async_transport(settings)

    async def send(self, request: Request) -> Response:
        """Transmit *request* once; raises as :meth:`SyncSender.send`."""
        message = _message(request, self._settings)
        wire = _Wire(request)
        if (kept := _door.leaving(request)) is not None:
            wire.write()
            return kept
        wire.watch(message, wire.atrace)
        _wire.set(wire)
        try:
            answer = await self._transport.handle_async_request(message)
        except Exception as exc:  # noqa: BLE001 - as above
            raise wire.failure(exc) from None
        body = _Body(request, self._settings)
        try:
            async for chunk in answer.aiter_bytes():
                if not body.take(chunk):
                    # Leaving the loop would abandon httpx's generators half-way, which trio warns of. Over a closed
                    # line they come to their own end.
                    await answer.aclose()
        except Exception as exc:  # noqa: BLE001
            body.end(f"body cut off, {_reason(exc)}")
        finally:
            await answer.aclose()
        return _door.arrived(request, body.response(answer))

    async def aclose(self) -> None:
        """Close all connections. Call it on the event loop that sent."""
        await self._transport.aclose()

    def abandon(self) -> None:
        """Let go of the connections of a loop that is closed, without any of the steps that need a loop."""
        session: Any = getattr(self._transport, "client", None)
        connector = getattr(session, "connector", None)
        if connector is not None:
            session.detach()
            connector.close()  # sees that its loop is closed, and gives back nothing that has to be awaited
        del self._transport


class _Wire:
    """Knows whether a byte of a request can have left, and stops the first one when the claim on the attempt is over."""

    __slots__ = ("_claim", "_extensions", "_tell", "written")

    def __init__(self, request: Request) -> None:
        self.written = False
        self._extensions: dict[str, Any] = {}
        self._tell = request.on_wire
        self._claim = request.claim

    def watch(self, message: httpx.Request, trace: Callable[[str, Mapping[str, Any]], object]) -> None:
        """Have *trace* told of every step until the first byte leaves; of the many that follow nobody wants to know."""
        self._extensions = message.extensions
        self._extensions["trace"] = trace

    def look(self) -> None:
        """Look at the claim once more when the connection stands, right before the first byte is written (R-280).

        Getting the connection may have taken its time, and the machine may have been suspended meanwhile.

        :raises Expired: nothing may be sent any more.
        """
        if not self.written and self._claim is not None and self._claim.left() <= 0:
            raise Expired

    def write(self) -> None:
        """The first byte is about to leave; raises as :meth:`look`."""
        if not self.written:
            self.look()
            self.written = True
            self._extensions.pop("trace", None)
            if self._tell is not None:
                self._tell()

    def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        """Told by httpx of every step."""
        if event.endswith(".send_request_headers.started"):
            self.write()

    async def atrace(self, event: str, _info: Mapping[str, Any]) -> None:
        """See :meth:`trace`."""
        self.trace(event, _info)

    def failure(self, exc: Exception) -> NotSent | Lost:
        """What *exc*, out of a client, says about the request."""
        if isinstance(exc, NotSent | Lost):
            return exc.with_traceback(None)
        return Lost(_reason(exc)) if self.written else NotSent(_reason(exc))


#: The exchange of the running task, for aiohttp, whose requests carry nothing of ours.
_wire: ContextVar[_Wire] = ContextVar("paygate_wire")


def _chunks(answer: httpx.Response) -> Iterable[bytes]:
    """The body in pieces. One that is not compressed needs nothing of httpx, whose decoders cost more than reading."""
    stream = answer.stream
    if "content-encoding" in answer.headers or not isinstance(stream, httpx.SyncByteStream):
        return answer.iter_bytes()
    return stream


class _Body:
    """Collects a body within the limits of size and time."""

    def __init__(self, request: Request, settings: HttpSettings) -> None:
        self._chunks: list[bytes] = []
        self._left = settings.max_response_bytes
        self._seconds = _patience(request, settings)
        self._started = _SYSTEM.monotonic()
        self._fault: str | None = None

    def take(self, chunk: bytes) -> bool:
        """Keep *chunk*; False if the body is too large, or trickles in for longer than one waits for an answer."""
        self._left -= len(chunk)
        if self._left < 0:
            self.end("body too large")
        elif _SYSTEM.monotonic() - self._started > self._seconds:
            self.end("body too slow")
        else:
            self._chunks.append(chunk)
        return self._fault is None

    def end(self, fault: str) -> None:
        """Note that the body will not be whole; the first reason counts."""
        self._fault = self._fault or fault

    def response(self, answer: httpx.Response) -> Response:
        """The whole response.

        :raises Lost: the body is not whole.
        """
        if self._fault is not None:
            raise Lost(self._fault)
        return Response(answer.status_code, dict(answer.headers.items()), b"".join(self._chunks))


def _message(request: Request, settings: HttpSettings, *, complete: bool = False) -> httpx.Request:
    """What the transports take, checked so that neither of them has to refuse it half-way.

    :param complete: give all headers here, so that httpx has none to work out, which takes it longer than all the rest.
        aiohttp would take a body given like this for a stream that it cannot send twice.
    """
    headers = {
        "accept": "*/*",
        "connection": "keep-alive",
        "accept-encoding": "identity",  # answers are small, and a compressed one could unpack to any size
        "user-agent": settings.user_agent,
        **request.headers,
    }
    _check(request, headers)
    seconds = _patience(request, settings)
    timeout = {
        "connect": settings.connect_timeout,
        "pool": settings.connect_timeout,
        "read": seconds,
        "write": seconds,
    }
    try:
        url = _url(request.url)
    except (httpx.InvalidURL, ValueError):
        raise InvalidValue(f"{describe(request)}: not a URL that can be requested") from None
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise InvalidValue(f"{describe(request)}: give an absolute http or https URL without user name and password")
    extensions = {"timeout": timeout}
    if not complete:
        return httpx.Request(request.method, url, headers=headers, content=request.body, extensions=extensions)
    lines = [(b"host", url.netloc), *((name.encode(), value.encode()) for name, value in headers.items())]
    if request.body or request.method not in _WITHOUT_BODY:
        lines.append((b"content-length", b"%d" % len(request.body)))
    stream = httpx.ByteStream(request.body)
    return httpx.Request(request.method, url, headers=lines, stream=stream, extensions=extensions)


@functools.lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    """Parsing a URL costs as much as a tenth of a request; most requests go to a handful of them."""
    return httpx.URL(text)


def _check(request: Request, headers: Mapping[str, str]) -> None:
    if not _METHOD.fullmatch(request.method):
        raise InvalidValue(f"{describe(request)}: the method is a word in capitals")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise InvalidValue(f"{describe(request)}: header {name!r} has characters that a header cannot hold")


def _patience(request: Request, settings: HttpSettings) -> float:
    return settings.read_timeout if request.timeout is None else request.timeout


def _limits(settings: HttpSettings) -> httpx.Limits:
    return httpx.Limits(
        max_connections=settings.connections,
        max_keepalive_connections=settings.connections,
        keepalive_expiry=_KEEPALIVE,
    )


def _trust() -> ssl.SSLContext:
    """The certificates that are believed.

    :raises NotSent: there are none to be had; without them nobody is spoken to.
    """
    try:
        return httpx.create_ssl_context(trust_env=False)
    except Exception as exc:  # noqa: BLE001 - files, the environment, the TLS library
        raise NotSent(_reason(exc)) from None


def _reason(exc: BaseException) -> str:
    """The kind of failure, and the operating system's word on it. Clients' own texts may quote URLs or the answer."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, OSError) and type(cause).__module__ in {"builtins", "socket", "ssl"}:
            return f"{type(exc).__name__}: {cause}" if str(cause) else type(exc).__name__
        cause = cause.__cause__ or cause.__context__
    return type(exc).__name__


def _async_transport(settings: HttpSettings) -> httpx.AsyncBaseTransport:
    if _on_asyncio() and importlib.util.find_spec("httpx_aiohttp") is not None:
        return _aiohttp_transport(settings)
    return httpx.AsyncHTTPTransport(verify=_trust(), trust_env=False, http2=False, limits=_limits(settings), retries=0)


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _aiohttp_transport(settings: HttpSettings) -> httpx.AsyncBaseTransport:
    import aiohttp  # noqa: PLC0415 - optional
    import httpx_aiohttp  # noqa: PLC0415

    trust = _trust()
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_headers_sent)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust, limit=settings.connections, keepalive_timeout=_KEEPALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(_sort_failures,),
        skip_auto_headers=("content-type",),
        trust_env=False,
        trace_configs=[tracing],
    )
    transport: httpx.AsyncBaseTransport = httpx_aiohttp.AiohttpTransport(verify=trust, client=session)
    return transport


async def _headers_sent(_session: aiohttp.ClientSession, _context: Any, _params: Any) -> None:
    """Called by aiohttp just before it writes the headers."""
    if (wire := _wire.get(None)) is not None:
        wire.write()


async def _sort_failures(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Sort aiohttp's failures at their source.

    The transport above would report a connection that broke *after* the request was written as a connection timeout,
    and the session below would send a PUT or DELETE once more by itself; neither knows :class:`Lost` and lets it pass.
    """
    try:
        return await handler(request)
    except Exception as exc:  # noqa: BLE001 - what counts is how far it came
        raise _wire.get().failure(exc) from None
