"""What both drivers do alike: step a flow, pace and repeat its requests, log them. Performs nothing itself.

:meth:`Conductor.steps` turns a flow with wishes into a generator of single acts: *transmit this request once*, *wait*,
*call this function*. A driver performs each act in its own way and sends the result, or throws the error, back in.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeAlias, TypeVar, cast

from ..clock import Clock
from ..flow import Act, Call, Flow, Request, Response, Sleep, Turn
from .foreign import foreign_await, foreign_refusal
from .forks import on_fork
from .limit import TokenBucket
from .redact import describe, origin
from .retry import Deliver, Expired, Lost, NotSent, Outcome, RetryAfter, next_step
from .settings import HttpSettings

__all__ = ["Conductor", "Handler", "Mounts", "played"]

T = TypeVar("T")

Handler: TypeAlias = Callable[[Request], Response]
Mounts: TypeAlias = Mapping[str, Handler]

logger = logging.getLogger("paygate.http")

_EFFECTS = (Request, Sleep, Call, Turn)
_QUEUED = "its turn at the configured pace comes after the time in which this process may send it"


def played(handler: Handler, request: Request) -> Response:
    """The answer of an in-process *handler*, which stands for the other side: once it is called, anything may happen."""
    if request.on_wire is not None:
        request.on_wire()
    return handler(request)


class Conductor:
    """Steps flows under one clock, one set of limits and one table of mounts. Thread-safe."""

    def __init__(
        self, clock: Clock, *, settings: HttpSettings | None, mounts: Mounts | None, rng: random.Random | None
    ) -> None:
        self.clock = clock
        self.settings = settings or HttpSettings()
        self._mounts = sorted((mounts or {}).items(), key=lambda mount: len(mount[0]), reverse=True)
        self._rng = rng or random.SystemRandom()  # without a state that forked processes would share
        self.forget()
        on_fork(self)

    def forget(self) -> None:
        """Begin anew in a forked child: with free locks and a pace of its own."""
        self._buckets: dict[str, TokenBucket] = {}
        self._origins: dict[str, str] = {}  # account → where its requests go, learned from the first of them
        self._lock = threading.Lock()

    def handler(self, request: Request) -> Handler | None:
        """The in-process handler mounted at the longest prefix of the request's URL, or None for the network."""
        for prefix, handler in self._mounts:
            if request.url.startswith(prefix):
                rest = request.url[len(prefix) :]
                if not rest or prefix.endswith("/") or rest[0] in "/?#":  # not https://api.acme.test.example
                    return handler
        return None

    def start(self, flow: Flow[T]) -> object:
        """Run *flow* up to its first effect and return that.

        :raises StopIteration: the flow has ended without any; ``value`` is its result.
        :raises ForeignAwait: it awaited an event loop's own awaitable.
        """
        try:
            return flow.send(None)
        except RuntimeError as exc:
            if (refusal := foreign_refusal(exc)) is not None:
                raise refusal from exc
            raise

    def steps(self, flow: Flow[T], effect: object) -> Generator[Act, Any, T]:
        """The acts that *flow*, suspended at *effect*, needs, one at a time.

        A yielded :class:`~paygate.flow.Request` is to be transmitted once: send the response in, or throw
        :class:`NotSent` or :class:`Lost`. Whatever else is thrown in, a cancellation too, passes through the flow.

        :raises ForeignAwait: the flow awaited something else; it has been closed.
        """
        try:
            while True:
                answer: Any = None
                error: BaseException | None = None
                if not isinstance(effect, _EFFECTS):
                    raise foreign_await(flow, effect)
                try:
                    if isinstance(effect, Request):
                        answer = yield from self._exchange(effect)
                    elif not isinstance(effect, Turn):
                        answer = yield effect
                    elif wait := self._turn(effect.account):
                        yield Sleep(wait)
                except BaseException as exc:  # noqa: BLE001 - the flow decides what becomes of it
                    error = exc
                try:
                    effect = flow.send(answer) if error is None else flow.throw(error)
                except StopIteration as stop:
                    return cast("T", stop.value)
                except RuntimeError as exc:
                    if exc is not error and (refusal := foreign_refusal(exc)) is not None:
                        raise refusal from exc
                    raise
        finally:
            flow.close()

    def _exchange(self, request: Request) -> Generator[Act, Any, Response]:
        history: list[Outcome] = []
        claim = request.claim
        while True:
            wait = self._pace(request, again=bool(history))
            if wait:
                yield Sleep(wait)
            told = logger.isEnabledFor(logging.DEBUG)
            started = self.clock.monotonic() if told else 0.0
            outcome: Outcome
            try:
                if wait is None:
                    raise Expired(_QUEUED)
                if claim is not None and claim.left() <= 0:
                    raise Expired
                outcome = yield request
            except (NotSent, Lost) as exc:
                outcome = exc.with_traceback(None)  # kept in the history: must not keep this frame alive
            history.append(outcome)
            if told:
                self._log(request, outcome, self.clock.monotonic() - started, len(history))
            left = None if claim is None else claim.left()
            step = next_step(request, history, self.settings, now=self.clock.now(), rng=self._rng, left=left)
            if isinstance(step, Deliver):
                return step.response
            if isinstance(step, RetryAfter):
                yield Sleep(step.seconds)
            elif isinstance(outcome, Response):
                raise step.error
            else:
                raise step.error from outcome

    def _pace(self, request: Request, *, again: bool) -> float | None:
        """Seconds to wait before *request* may be sent; None: longer than the claim on the attempt lasts."""
        rate = self.settings.requests_per_second
        if rate is None:
            return 0.0
        place, sending = origin(request.url), request.sending
        with self._lock:
            if sending is not None and sending.account not in self._origins:
                self._origins[sending.account] = place
                if (queue := self._buckets.pop(_queue(sending.account), None)) is not None:
                    self._buckets.setdefault(place, queue)  # who has waited in it has waited for this origin
            bucket = self._buckets.setdefault(place, TokenBucket(rate, self.settings.burst))
        if sending is not None and sending.placed and not again and self._origins[sending.account] == place:
            return 0.0
        return bucket.reserve(self.clock.monotonic(), None if request.claim is None else request.claim.left())

    def _turn(self, account: str) -> float:
        """Seconds to wait until a first request to *account* may be sent; it is not paced again then.

        Where its requests go is known once one was sent. Until then the account has a queue of its own, which becomes
        that of the origin.
        """
        rate = self.settings.requests_per_second
        if rate is None:
            return 0.0
        with self._lock:
            place = self._origins.get(account, _queue(account))
            bucket = self._buckets.setdefault(place, TokenBucket(rate, self.settings.burst))
        return bucket.reserve(self.clock.monotonic()) or 0.0

    @staticmethod
    def _log(request: Request, outcome: Outcome, seconds: float, attempt: int) -> None:
        if isinstance(outcome, Response):
            result = str(outcome.status)
        else:
            result = f"{'not sent' if isinstance(outcome, NotSent) else 'answer lost'} ({outcome})"
        logger.debug("%s: %s in %.0f ms, attempt %d", describe(request), result, seconds * 1000, attempt)


def _queue(account: str) -> str:
    return f"account {account}"  # no origin has a space in it
