"""What provider code and use cases may await.

A flow is an ``async def`` that awaits only what this module offers. Awaiting hands a *description* of the work to a
driver; the sync driver and the async driver (asyncio and trio) run the same source. A flow that awaits anything else
fails at once under both drivers with :class:`ForeignAwait`.

===========================  ==========================================================
``await send(request)``      perform an HTTP request, return its :class:`Response`
``await sleep(seconds)``     wait; a manual clock moves on instead of waiting
``await call(function)``     run blocking work; a worker thread under the async driver
===========================  ==========================================================

Use cases, not providers, may also await ``turn(account)``: a place in the queue of an account whose requests are paced.
"""

from __future__ import annotations

import enum
import json
import types
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import attrs

from .errors import OutcomeUnknown, PaygateError

__all__ = [
    "Act",
    "Call",
    "Effect",
    "Flow",
    "ForeignAwait",
    "Replay",
    "Request",
    "Response",
    "Sending",
    "Sleep",
    "Turn",
    "Watch",
    "call",
    "send",
    "sleep",
    "turn",
    "watched",
]

T = TypeVar("T")


class ForeignAwait(PaygateError, TypeError):
    """A flow awaited something that is not from :mod:`paygate.flow`."""


class Replay(enum.Enum):
    """When the driver may send a request again after its answer was lost."""

    SAFE = "safe"  #: reading moves no money; a lost answer means certainly nothing happened
    SAME_KEY = "same_key"  #: the provider honours the idempotency key that the request carries
    NEVER = "never"  #: a lost answer is an unknown outcome


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    return types.MappingProxyType({name.lower(): value for name, value in headers.items()})


@attrs.frozen
class Sending:
    """Until when a process may send what it has claimed; travels with the requests of one attempt (R-280).

    :param account: name of the account that is asked.
    :param deadline: reading of *monotonic* from which on nothing may be sent any more.
    :param monotonic: the sender's own clock: seconds that never run backwards.
    :param placed: the attempt has waited for its turn already, so that its first request is not paced once more.
    """

    account: str
    deadline: float
    monotonic: Callable[[], float] = attrs.field(repr=False)
    placed: bool = False

    def left(self) -> float:
        """Seconds in which it may still be sent; zero or less: the claim has run out."""
        return self.deadline - self.monotonic()


@attrs.frozen
class Request:
    """One HTTP request. Header names are lower-cased; headers and body never show in ``repr``.

    :param method: GET, POST, PATCH, …
    :param url: absolute, with query.
    :param headers: mapping of name to value.
    :param body: raw bytes.
    :param timeout: seconds to wait for the answer; None leaves it to the driver.
    :param replay: when the driver may repeat it; by default SAFE for GET and HEAD, else NEVER.
    :param on_wire: called by the driver each time before the first byte of the request can leave; set by whoever watches
        the flow. A driver that fails without having called it has sent nothing.
    :param sending: set by paygate: until when it may be sent. It never stops one that is SAFE.
    """

    method: str
    url: str
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_lower, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    timeout: float | None = None
    replay: Replay = attrs.field()
    on_wire: Callable[[], None] | None = attrs.field(default=None, repr=False, eq=False, kw_only=True)

    @replay.default
    def _replay_by_method(self) -> Replay:
        return Replay.SAFE if self.method in {"GET", "HEAD"} else Replay.NEVER

    sending: Sending | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)

    def carrying(self, on_wire: Callable[[], None] | None, sending: Sending | None) -> Request:
        """The same request for a driver, with whom it tells and until when it may be sent. What was checked stays as it is."""
        copy = object.__new__(type(self))
        for field in _FIELDS:
            object.__setattr__(copy, field, getattr(self, field))
        object.__setattr__(copy, "on_wire", on_wire or self.on_wire)
        object.__setattr__(copy, "sending", sending)
        return copy

    @property
    def claim(self) -> Sending | None:
        """Until when it may be sent; None: at any time, as reading moves no money."""
        return None if self.replay is Replay.SAFE else self.sending


_FIELDS = ("method", "url", "headers", "body", "timeout", "replay")


@attrs.frozen
class Response:
    """One HTTP response. ``headers`` has lower-case names; headers and body never show in ``repr``.

    :param repeated: set by the driver: an earlier sending of the same request got no answer and may have had its
        effect, so this may be the answer to a second one.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_lower, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    repeated: bool = attrs.field(default=False, eq=False)

    def json(self) -> Any:
        """The decoded JSON body.

        :raises OutcomeUnknown: if it is not JSON: whoever answered, it was not the provider's own code, so what
            happened to the money cannot be read from it.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as exc:  # the latter: nested deeper than any provider's answer
            msg = f"the answer (HTTP {self.status}, {len(self.body)} bytes) is not JSON"
            raise OutcomeUnknown(msg) from exc


@attrs.frozen
class Sleep:
    """Ask the driver to let *seconds* pass."""

    seconds: float


@attrs.frozen
class Call:
    """Ask the driver to run blocking *function*."""

    function: Callable[[], Any]


@attrs.frozen
class Turn:
    """Ask the driver for a place in the queue of *account*, whose requests are paced."""

    account: str


Act: TypeAlias = Request | Sleep | Call
Effect: TypeAlias = Act | Turn
Flow: TypeAlias = Coroutine[Any, Any, T]


@types.coroutine
def send(request: Request) -> Generator[Request, Response, Response]:
    """Ask the driver to perform *request*.

    :raises ProviderUnavailable: certainly nothing happened (no connection, or a safe request without answer).
    :raises OutcomeUnknown: it was sent, no answer came, and it must not be repeated.
    """
    return (yield request)


@types.coroutine
def sleep(seconds: float) -> Generator[Sleep, None, None]:
    """Let *seconds* pass on the driver's clock."""
    yield Sleep(seconds)


@types.coroutine
def call(function: Callable[[], T]) -> Generator[Call, T, T]:
    """Run blocking *function* and return its result; raises what it raises."""
    return (yield Call(function))


class Watch(Protocol):
    """Sees what a flow asks of its driver; see :func:`watched`."""

    def asked(self, effect: Effect) -> Effect:
        """*effect* is about to be handed to the driver: return it, or another one in its place."""

    def answered(self, effect: Effect, answer: Any, error: BaseException | None) -> None:
        """The driver is done with *effect*: it gave *answer*, or failed with *error*."""


@types.coroutine
def turn(account: str) -> Generator[Turn, None, None]:
    """Wait until a request to *account* may be sent at the configured pace, before anything is written down (R-281)."""
    yield Turn(account)


@types.coroutine
def watched(flow: Flow[T], watch: Watch) -> Generator[Effect, Any, T]:
    """Run *flow*, showing *watch* each effect before the driver sees it and what came of it before the flow does."""
    answer: Any = None
    error: BaseException | None = None
    try:
        while True:
            try:
                effect = flow.send(answer) if error is None else flow.throw(error)
            except StopIteration as stop:
                return cast("T", stop.value)
            answer = error = None
            effect = watch.asked(cast("Effect", effect))
            try:
                answer = yield effect
            except BaseException as exc:  # noqa: BLE001 - handed on to the inner flow, which decides
                error = exc
            watch.answered(effect, answer, error)
    finally:
        flow.close()
