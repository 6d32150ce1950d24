"""Whose time it is: billing objects live by the emulator's clock, or by the test clock of their customer."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Callable
from typing import Protocol

__all__ = ["Agenda", "Timeline", "instant_of", "stamp"]


class Timeline(Protocol):
    """A present, and a list of what is to be done later."""

    def now(self) -> dt.datetime:
        """The present instant, aware."""

    def at(self, when: dt.datetime, action: Callable[[], None]) -> None:
        """Do *action* at *when*. Actions check what still holds."""


class Agenda:
    """A timeline that stands still until somebody moves it."""

    def __init__(self, present: dt.datetime) -> None:
        self._present = present
        self._counted = 0
        self._entries: list[tuple[dt.datetime, int, Callable[[], None]]] = []

    def now(self) -> dt.datetime:
        """The present instant; inside an entry, the instant that it was due."""
        return self._present

    def at(self, when: dt.datetime, action: Callable[[], None]) -> None:
        """Do *action* once the timeline is moved to *when* or beyond."""
        self._counted += 1
        heapq.heappush(self._entries, (when, self._counted, action))

    def move(self, target: dt.datetime) -> None:
        """Let time pass until *target*, and do on the way what is due, in order."""
        while self._entries and self._entries[0][0] <= target:
            due, _, action = heapq.heappop(self._entries)
            self._present = max(self._present, due)
            action()
        self._present = target


def stamp(moment: dt.datetime) -> int:
    """*moment* in whole seconds since 1970."""
    return int(moment.timestamp())


def instant_of(seconds: int) -> dt.datetime:
    """The reverse, UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
