"""Whose time it is: billing objects live by the emulator's clock, or by the test clock of their customer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Protocol

__all__ = ["Timeline", "instant_of", "stamp"]


class Timeline(Protocol):
    """A present, and a list of what is to be done later."""

    def now(self) -> dt.datetime:
        """The present instant, aware."""

    def at(self, when: dt.datetime, action: Callable[[], None]) -> None:
        """Do *action* at *when*. Actions check what still holds."""


def stamp(moment: dt.datetime) -> int:
    """*moment* in whole seconds since 1970."""
    return int(moment.timestamp())


def instant_of(seconds: int) -> dt.datetime:
    """The reverse, UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
