"""Drivers run flows: :class:`SyncDriver` in the calling thread, :class:`AsyncDriver` on asyncio and trio.

They own what provider code must not: timeouts, repeats, pace, redaction, and the judgement whether a request that
failed may have moved money. Importing this package loads no HTTP client and no event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .exchange import Handler, Mounts
from .retry import Lost, NotSent
from .settings import HttpSettings
from .sync import SyncDriver

if TYPE_CHECKING:
    from .aio import AsyncDriver

__all__ = ["AsyncDriver", "Handler", "HttpSettings", "Lost", "Mounts", "NotSent", "SyncDriver"]


def __getattr__(name: str) -> object:  # PEP 562: anyio loads with the first async user
    if name == "AsyncDriver":
        from .aio import AsyncDriver  # noqa: PLC0415

        return AsyncDriver
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
