"""Who tells the observers, and how long a caller waits for it: on the calling process's own time, or on a worker thread.

``inline``: what a call has written is told before the call returns, on a thread of its own. The caller waits for it for
the budget, in real seconds. An observer that takes longer goes on in that thread; until it comes back the notices of
other calls are not begun, so that nobody else waits for it. They are told by the next billing run, reconciliation or
``paygate outbox``.

``worker``: a thread that starts with the first notice tells everybody, and no caller waits. It ends when the gateway is
closed.

A forked child has neither threads nor locks of its parent: it begins anew with its first notice.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from ..errors import ConfigurationError
from . import logs
from .reasons import reason_of

__all__ = ["INLINE", "MODES", "WORKER", "Courier"]

T = TypeVar("T")

INLINE: Final = "inline"
WORKER: Final = "worker"
MODES: Final = (INLINE, WORKER)

#: Seconds for which a call waits until its own notices are told.
_BUDGET = 1.5
#: Seconds after which a worker looks for notices whose next attempt has come.
_INTERVAL = 5.0


class _State:
    """Threads and locks of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.late: set[threading.Thread] = set()
        self.worker: threading.Thread | None = None
        self.wake = threading.Event()
        self.closing = False
        self.closed = False


class _Round(Generic[T]):
    """One piece of work on a thread of its own."""

    def __init__(self, state: _State, work: Callable[[], T]) -> None:
        self._state = state
        self._work = work
        self._done = threading.Event()
        self._context = contextvars.copy_context()
        self.result: T | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="paygate-notices", daemon=True)

    def _run(self) -> None:
        try:
            self.result = self._context.run(self._work)
        except BaseException as exc:  # noqa: BLE001 - for the caller, who decides
            self.error = exc
        with self._state.lock:
            self._done.set()
            late = self.thread in self._state.late
            self._state.late.discard(self.thread)
        if late and self.error is not None:
            logs.outbox_failed(reason_of(self.error))

    def wait(self, patience: float, progress: Callable[[], int]) -> bool:
        """Whether it has ended; False if *progress* stood still for *patience* seconds. Then it goes on, but late."""
        before = progress()
        while not self._done.wait(patience):
            if (now := progress()) != before:
                before = now
                continue
            with self._state.lock:
                if self._done.is_set():
                    break
                self._state.late.add(self.thread)
            return False
        return True


class Courier:
    """Runs deliveries for one gateway.

    :param mode: ``"inline"`` or ``"worker"``.
    :param budget: seconds for which a call waits for its own notices.
    :raises ConfigurationError: no such mode.
    """

    def __init__(self, mode: str = INLINE, *, budget: float = _BUDGET) -> None:
        if mode not in MODES:
            raise ConfigurationError(f'outbox is "inline" or "worker", not {mode!r}')
        self.mode = mode
        self.budget = budget
        self._of_process = _State()

    @property
    def _state(self) -> _State:
        if self._of_process.pid != os.getpid():
            self._of_process = _State()
        return self._of_process

    @property
    def closed(self) -> bool:
        """Whether what is still under way may not use the store any more."""
        return self._state.closed

    def run(self, work: Callable[[], T], patience: float, progress: Callable[[], int] = lambda: 0) -> T | None:
        """The result of *work*, done on a thread; None if it takes too long or an earlier one still does.

        :param patience: seconds without *progress* after which the caller does not wait any longer.
        :raises BaseException: what *work* raised in time.
        """
        state = self._state
        if state.late or state.closed:
            return None
        one = _Round(state, work)
        one.thread.start()
        if not one.wait(patience, progress):
            logs.outbox_late(patience)
            return None
        if one.error is not None:
            raise one.error
        return one.result

    def wake(self, work: Callable[[], Any]) -> None:
        """Have the worker do *work* soon, and again whenever its interval has passed."""
        state = self._state
        with state.lock:
            if state.closing:
                return
            if state.worker is None or not state.worker.is_alive():
                state.worker = threading.Thread(
                    target=self._work, args=(state, work), name="paygate-outbox", daemon=True
                )
                state.worker.start()
        state.wake.set()

    @staticmethod
    def _work(state: _State, work: Callable[[], Any]) -> None:
        while True:
            state.wake.wait(_INTERVAL)
            state.wake.clear()
            last = state.closing
            try:
                work()
            except Exception as exc:  # noqa: BLE001 - the database may be back at the next attempt
                logs.outbox_failed(reason_of(exc))
            if last or state.closed:
                return

    def close(self) -> None:
        """Let the worker and late deliveries come to an end, for the budget at most; then they are left alone.

        What they have begun is told again later by whoever delivers next.
        """
        state = self._state
        with state.lock:
            state.closing = True
            threads = [*state.late, *([state.worker] if state.worker is not None else [])]
        state.wake.set()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(self.budget)
        state.closed = True
