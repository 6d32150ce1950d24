"""A clock that stands still until a test moves it."""

from __future__ import annotations

import datetime as dt
import threading

from ..clock import JST, require_aware

__all__ = ["ManualClock"]


class ManualClock:
    """A :class:`~paygate.clock.Clock` that is moved by hand; a driver's sleep moves it too.

    >>> clock = ManualClock.jst(2024, 11, 8)
    >>> clock.advance(minutes=5).isoformat()
    '2024-11-07T15:05:00+00:00'
    """

    def __init__(self, now: dt.datetime) -> None:
        """Start at *now*, an aware datetime."""
        self._now = require_aware(now)
        self._elapsed = 0.0
        self._lock = threading.Lock()

    @classmethod
    def jst(cls, year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> ManualClock:
        """Start at a wall-clock time in Asia/Tokyo."""
        return cls(dt.datetime(year, month, day, hour, minute, second, tzinfo=JST))

    def now(self) -> dt.datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    def skip(self, seconds: float) -> bool:
        self.advance(seconds=seconds)
        return True

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> dt.datetime:
        """Move on and return the new instant."""
        step = dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        with self._lock:
            self._now += step
            self._elapsed += max(step.total_seconds(), 0.0)
        return self._now

    def set(self, now: dt.datetime) -> None:
        """Jump to *now*, forwards or back; monotonic time never runs backwards."""
        now = require_aware(now)
        with self._lock:
            self._elapsed += max((now - self._now).total_seconds(), 0.0)
            self._now = now
