"""Watches what code does behind the driver's back: sockets, processes, sleeping for real."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import SupportsIndex

__all__ = ["watched_calls"]

_WATCHED = {
    "socket.connect": "opened a connection",
    "socket.getaddrinfo": "looked an address up",
    "socket.sendto": "sent a datagram",
    "subprocess.Popen": "started a process",
    "os.system": "started a process",
    "os.posix_spawn": "started a process",
}


class _Watch:
    """An audit hook cannot be removed: it is added once, and looks at the watching thread only."""

    def __init__(self) -> None:
        self.added = False
        self.local = threading.local()

    def __call__(self, event: str, _arguments: tuple[object, ...]) -> None:
        if event in _WATCHED and (calls := getattr(self.local, "calls", None)) is not None:
            calls.append(_WATCHED[event])


_watch = _Watch()


@contextmanager
def watched_calls() -> Generator[list[str], None, None]:
    """What this thread does while it lasts that only a driver should, in words.

    ``time.sleep`` has no audit event on all supported Pythons, so it is replaced meanwhile; other threads sleep on.
    """
    if not _watch.added:
        sys.addaudithook(_watch)
        _watch.added = True
    calls: list[str] = []
    real, here = time.sleep, threading.get_ident()

    def sleep(seconds: SupportsIndex | float, /) -> None:
        if threading.get_ident() == here:
            calls.append("slept for real")
        else:
            real(seconds)

    _watch.local.calls = calls
    time.sleep = sleep
    try:
        yield calls
    finally:
        time.sleep = real
        _watch.local.calls = None
