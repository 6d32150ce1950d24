"""Keeps a test on this machine, whatever it uses to reach for the network: an audit hook on sockets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .live import is_this_machine

__all__ = ["this_machine_only"]


class _Guard:
    """An audit hook, which cannot be removed once installed, and whether it bites at the moment."""

    def __init__(self) -> None:
        self.installed = False
        self.depth = 0

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.depth or not event.startswith("socket."):
            return
        if event in {"socket.connect", "socket.sendto"}:
            address = args[1]
            host = address[0] if isinstance(address, tuple) else None  # a text or bytes: a socket of this machine
        elif event == "socket.getaddrinfo":
            host = args[0]
        else:
            return
        if host is not None and not is_this_machine(host):
            pytest.fail(
                f"the test reached for {host!r}; use a fake or an emulator, or mark it with paygate_network",
                pytrace=False,
            )


_guard = _Guard()


@contextmanager
def this_machine_only() -> Iterator[None]:
    """Fail whatever connects, sends or asks for an address beyond this machine, for the length of a ``with``."""
    if not _guard.installed:
        sys.addaudithook(_guard)
        _guard.installed = True
    _guard.depth += 1
    try:
        yield
    finally:
        _guard.depth -= 1
