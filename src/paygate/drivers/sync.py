"""Runs flows in the calling thread."""

from __future__ import annotations

import random
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from ..clock import Clock
from ..flow import Act, Call, Flow, Request, Response, Sleep
from .exchange import Conductor, Mounts, played
from .forks import on_fork
from .settings import HttpSettings

if TYPE_CHECKING:
    from .http import SyncSender

__all__ = ["SyncDriver"]

T = TypeVar("T")


class SyncDriver:
    """Runs flows to their end. Thread-safe: many threads may call :meth:`run` at once and share the connections.

    A forked child opens connections of its own; the parent keeps those it has.

    :param clock: for waits, pace and ``Retry-After`` dates; a manual or frozen clock never waits for real.
    :param settings: limits and waits of HTTP.
    :param mounts: URL prefix → in-process handler that answers instead of the network; the longest prefix wins. A
        handler may raise :class:`~paygate.drivers.NotSent` or :class:`~paygate.drivers.Lost` to play a broken line.
    :param rng: source of the jitter between repeats.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        settings: HttpSettings | None = None,
        mounts: Mounts | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._conductor = Conductor(clock, settings=settings, mounts=mounts, rng=rng)
        self.forget()
        on_fork(self)

    def forget(self) -> None:
        """Begin anew in a forked child, which must not use its parent's connections."""
        self._sender: SyncSender | None = None
        self._lock = threading.Lock()

    def run(self, flow: Flow[T]) -> T:
        """Run *flow* and return its result; raises what it raises.

        :raises ForeignAwait: it awaited something that is not from :mod:`paygate.flow`.
        """
        try:
            effect = self._conductor.start(flow)
        except StopIteration as stop:
            return cast("T", stop.value)
        steps = self._conductor.steps(flow, effect)
        try:
            act = next(steps)
            while True:
                try:
                    answer = self._perform(act)
                except BaseException as exc:  # noqa: BLE001 - the flow decides what becomes of it
                    act = steps.throw(exc)
                else:
                    act = steps.send(answer)
        except StopIteration as stop:
            return cast("T", stop.value)

    def close(self) -> None:
        """Close the connections. A request after that opens new ones."""
        with self._lock:
            sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _perform(self, act: Act) -> Any:
        if isinstance(act, Call):
            return act.function()
        if isinstance(act, Sleep):
            if not self._conductor.clock.skip(act.seconds):
                time.sleep(act.seconds)
            return None
        return self._transmit(act)

    def _transmit(self, request: Request) -> Response:
        handler = self._conductor.handler(request)
        return self._network().send(request) if handler is None else played(handler, request)

    def _network(self) -> SyncSender:
        with self._lock:
            if self._sender is None:
                from .http import SyncSender  # noqa: PLC0415 - the HTTP client loads with the first real request

                self._sender = SyncSender(self._conductor.settings)
            return self._sender
