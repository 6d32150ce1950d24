"""The connections of an async driver: each event loop has its own, and they end with it.

A connection belongs to the loop that opened it. A driver outlives loops (``asyncio.run`` once for each job of a worker)
and serves several at once (one in each thread), so the sender is looked up by the running loop each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import warnings
import weakref
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import anyio.lowlevel
import attrs

from .forks import inherited, on_fork
from .settings import HttpSettings

if TYPE_CHECKING:
    from .http import AsyncSender, SyncSender

__all__ = ["Loops"]


@attrs.define(eq=False)
class _Lines:
    """The connections of one loop, and what closes them when the loop ends."""

    loop: object
    sender: AsyncSender
    keeper: AsyncGenerator[None, None] | None = None

    @property
    def dead(self) -> bool:
        """Whether the loop was closed without being asked to finish its asynchronous generators first."""
        return isinstance(self.loop, asyncio.AbstractEventLoop) and self.loop.is_closed()


class Loops:
    """Senders by event loop. Thread-safe."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._lines: dict[object, _Lines] = {}
        self._worker: SyncSender | None = None
        self._lock = threading.Lock()
        on_fork(self)

    def forget(self) -> None:
        """Begin anew in a forked child; see :mod:`paygate.drivers.forks`."""
        inherited(self._lines)
        self._lines = {}
        self._worker = None
        self._lock = threading.Lock()

    async def sender(self) -> AsyncSender:
        """The sender of the running loop, made with its first request."""
        loop = _running()
        lines = self._lines.get(loop)
        if lines is None:
            from .http import AsyncSender  # noqa: PLC0415 - the HTTP client loads with the first real request

            self._bury()
            lines = _Lines(loop, AsyncSender(self._settings))
            with self._lock:
                self._lines[loop] = lines
            lines.keeper = _keeper(weakref.ref(self), loop, lines.sender)
            await anext(lines.keeper)
        return lines.sender

    def worker(self) -> SyncSender:
        """The sender for worker threads, which belongs to no loop."""
        with self._lock:
            if self._worker is None:
                from .http import SyncSender  # noqa: PLC0415

                self._worker = SyncSender(self._settings)
            return self._worker

    async def aclose(self) -> None:
        """Close what the running loop has, and let go of what loops have left behind that ended without notice."""
        with self._lock:
            lines = self._lines.pop(_running(), None)
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
        if lines is not None and lines.keeper is not None:
            await lines.keeper.aclose()
        self._bury()

    def drop(self, loop: object) -> None:
        """Forget the connections of *loop*, which are being closed."""
        with self._lock:
            self._lines.pop(loop, None)

    def _bury(self) -> None:
        """Let go of the connections of dead loops: there is nothing left that they could be closed with in good order."""
        with self._lock:
            dead = [lines for lines in self._lines.values() if lines.dead]
            for lines in dead:
                del self._lines[lines.loop]
        if not dead:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for lines in dead:
                lines.sender.abandon()
            del lines
            dead.clear()
            gc.collect()  # a connection and its protocol hold each other


def _running() -> object:
    """The running event loop: asyncio's own object, or what stands for trio's run."""
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop()
    return anyio.lowlevel.current_token()


async def _keeper(owner: weakref.ref[Loops], loop: object, sender: AsyncSender) -> AsyncGenerator[None, None]:
    """Closes *sender* when it is itself closed: event loops do that to every asynchronous generator before they end."""
    try:
        yield
    finally:
        loops = owner()
        if loops is not None:
            loops.drop(loop)
        await sender.aclose()
