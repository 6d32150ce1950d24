"""Work done in a child that was really forked off, and what it came to."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["Child", "forked"]

#: Seconds after which a child that does not answer is taken to hang.
PATIENCE = 30


class Child:
    """A process forked off to do *work*; :meth:`result` waits for it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            status = 1
            with contextlib.suppress(BaseException):
                os.close(reading)
                try:
                    answer = (True, work())
                except BaseException as error:  # noqa: BLE001 - told to the parent
                    answer = (False, f"{type(error).__name__}: {error}")
                with os.fdopen(writing, "wb") as pipe:
                    pickle.dump(answer, pipe)
                status = 0
            os._exit(status)
        os.close(writing)
        self._reading = reading

    def result(self) -> Any:
        """What the work returned, or the text of what it raised."""
        answer = b""
        try:
            while True:
                ready, _, _ = select.select([self._reading], [], [], PATIENCE)
                if not ready:
                    os.kill(self._pid, signal.SIGKILL)
                    pytest.fail("the forked child hangs")
                part = os.read(self._reading, 65_536)
                if not part:
                    break
                answer += part
        finally:
            os.close(self._reading)
            os.waitpid(self._pid, 0)
        assert answer, "the forked child died"
        return pickle.loads(answer)[1]


def forked(work: Callable[[], Any]) -> Any:
    """What *work* returns in a forked child, or the text of what it raises there."""
    return Child(work).result()
