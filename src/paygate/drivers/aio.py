"""Runs flows on asyncio and trio."""

from __future__ import annotations

import random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import anyio.lowlevel
import anyio.to_thread

from ..clock import Clock, SystemClock
from ..errors import ConfigurationError
from ..flow import Call, Effect, Flow, Request, Response, Sleep
from .exchange import Conductor, Mounts
from .settings import HttpSettings

if TYPE_CHECKING:
    from .http import AsyncSender, SyncSender

__all__ = ["AsyncDriver"]

T = TypeVar("T")

# Asked whether the system's time, and with it the event loop's, stands still, whatever clock the flows live by.
_SYSTEM = SystemClock()


class AsyncDriver:
    """Runs flows on the running event loop; many tasks may call :meth:`run` at once.

    Takes what :class:`~paygate.drivers.SyncDriver` takes. Its connections belong to the event loop of the first real
    request; close them there.

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
        self._sender: AsyncSender | None = None
        self._loop: object = None
        self._blocking: SyncSender | None = None

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
        """Close the connections. A request after that opens new ones, on the event loop that runs then."""
        sender, self._sender = self._sender, None
        blocking, self._blocking = self._blocking, None
        if blocking is not None:
            blocking.close()
        if sender is not None:
            await sender.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _perform(self, act: Effect) -> Any:
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
            return handler(request)
        if _SYSTEM.frozen:
            return await anyio.to_thread.run_sync(self._worker().send, request)
        return await self._network().send(request)

    def _network(self) -> AsyncSender:
        loop = anyio.lowlevel.current_token()
        if self._sender is None:
            from .http import AsyncSender  # noqa: PLC0415 - the HTTP client loads with the first real request

            self._sender, self._loop = AsyncSender(self._conductor.settings), loop
        elif self._loop != loop:
            raise ConfigurationError(
                "this driver's connections belong to another event loop; open one per loop, or aclose() it before its "
                "loop ends"
            )
        return self._sender

    def _worker(self) -> SyncSender:
        if self._blocking is None:
            from .http import SyncSender  # noqa: PLC0415

            self._blocking = SyncSender(self._conductor.settings)
        return self._blocking
