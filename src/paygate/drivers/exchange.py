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
from ..flow import Call, Effect, Flow, Request, Response, Sleep
from .foreign import foreign_await, foreign_refusal
from .forks import on_fork
from .limit import TokenBucket
from .redact import describe, origin
from .retry import Deliver, Lost, NotSent, Outcome, RetryAfter, next_step
from .settings import HttpSettings

__all__ = ["Conductor", "Handler", "Mounts", "played"]

T = TypeVar("T")

Handler: TypeAlias = Callable[[Request], Response]
Mounts: TypeAlias = Mapping[str, Handler]

logger = logging.getLogger("paygate.http")


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

    def steps(self, flow: Flow[T], effect: object) -> Generator[Effect, Any, T]:
        """The acts that *flow*, suspended at *effect*, needs, one at a time.

        A yielded :class:`~paygate.flow.Request` is to be transmitted once: send the response in, or throw
        :class:`NotSent` or :class:`Lost`. Whatever else is thrown in, a cancellation too, passes through the flow.

        :raises ForeignAwait: the flow awaited something else; it has been closed.
        """
        try:
            while True:
                answer: Any = None
                error: BaseException | None = None
                if not isinstance(effect, Request | Sleep | Call):
                    raise foreign_await(flow, effect)
                try:
                    answer = (yield from self._exchange(effect)) if isinstance(effect, Request) else (yield effect)
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

    def _exchange(self, request: Request) -> Generator[Effect, Any, Response]:
        history: list[Outcome] = []
        while True:
            if wait := self._pace(request):
                yield Sleep(wait)
            started = self.clock.monotonic()
            outcome: Outcome
            try:
                outcome = yield request
            except (NotSent, Lost) as exc:
                outcome = exc.with_traceback(None)  # kept in the history: must not keep this frame alive
            history.append(outcome)
            if logger.isEnabledFor(logging.DEBUG):
                self._log(request, outcome, self.clock.monotonic() - started, len(history))
            step = next_step(request, history, self.settings, now=self.clock.now(), rng=self._rng)
            if isinstance(step, Deliver):
                return step.response
            if isinstance(step, RetryAfter):
                yield Sleep(step.seconds)
            elif isinstance(outcome, Response):
                raise step.error
            else:
                raise step.error from outcome

    def _pace(self, request: Request) -> float:
        rate = self.settings.requests_per_second
        if rate is None:
            return 0.0
        with self._lock:
            bucket = self._buckets.setdefault(origin(request.url), TokenBucket(rate, self.settings.burst))
        return bucket.reserve(self.clock.monotonic())

    @staticmethod
    def _log(request: Request, outcome: Outcome, seconds: float, attempt: int) -> None:
        if isinstance(outcome, Response):
            result = str(outcome.status)
        else:
            result = f"{'not sent' if isinstance(outcome, NotSent) else 'answer lost'} ({outcome})"
        logger.debug("%s: %s in %.0f ms, attempt %d", describe(request), result, seconds * 1000, attempt)
