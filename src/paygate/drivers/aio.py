"""Runs flows on asyncio and trio."""

from __future__ import annotations

import random
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import anyio.lowlevel
import anyio.to_thread

from ..clock import Clock, SystemClock
from ..flow import Act, Call, Flow, Request, Response, Sleep
from .exchange import Conductor, Mounts, played
from .loops import Loops
from .settings import HttpSettings

__all__ = ["AsyncDriver"]

T = TypeVar("T")

# Asked whether the system's time, and with it the event loop's, stands still, whatever clock the flows live by.
_SYSTEM = SystemClock()


class AsyncDriver:
    """Runs flows on the running event loop; many tasks may call :meth:`run` at once.

    Takes what :class:`~paygate.drivers.SyncDriver` takes. Each event loop has connections of its own, which end with it:
    one driver may serve one ``asyncio.run`` after the other, and loops in several threads at once.

    While freezegun holds the time, an event loop's timers never fire. Nothing here waits for one then: sleeps end at
    once, and HTTP is done in a worker thread, whose sockets time out in real time.
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
        self._loops = Loops(self._conductor.settings)

    async def run(self, flow: Flow[T]) -> T:
        """Run *flow* and return its result; raises what it raises.

        A cancellation is thrown into the flow where it waits. A blocking call in a worker thread is not abandoned:
        the flow learns its result and is cancelled at its next effect.

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
                    answer = await self._perform(act)
                except BaseException as exc:  # noqa: BLE001 - the flow decides what becomes of it
                    act = steps.throw(exc)
                else:
                    act = steps.send(answer)
        except StopIteration as stop:
            return cast("T", stop.value)

    async def aclose(self) -> None:
        """Close the connections of the running event loop; those of others end with theirs. A request after that opens
        new ones.
        """
        await self._loops.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _perform(self, act: Act) -> Any:
        if isinstance(act, Call):
            return await anyio.to_thread.run_sync(act.function)
        if isinstance(act, Sleep):
            if self._conductor.clock.skip(act.seconds) or _SYSTEM.frozen:
                await anyio.lowlevel.checkpoint()
            else:
                await anyio.sleep(act.seconds)
            return None
        return await self._transmit(act)

    async def _transmit(self, request: Request) -> Response:
        handler = self._conductor.handler(request)
        if handler is not None:
            await anyio.lowlevel.checkpoint()
            return played(handler, request)
        if _SYSTEM.frozen:
            return await anyio.to_thread.run_sync(self._loops.worker().send, request)
        sender = await self._loops.sender()
        return await sender.send(request)
