"""Clocks that can be moved: one that stands still until a test moves it, and one for emulators that serve."""

from __future__ import annotations

import datetime as dt
import threading

from ..clock import JST, Clock, SystemClock, require_aware

__all__ = ["YEARS", "EmulatorClock", "FreezableClock", "ManualClock"]

#: The years in which an emulator can live: what it adds to the present has to stay within the calendar.
YEARS = range(1970, 9000)


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


class FreezableClock(ManualClock):
    """A :class:`ManualClock` that is of one mind with freezegun: while that holds the time, it is this clock's as well.

    Freezing, ``tick`` and ``move_to`` are seen here, and what moves this clock moves the frozen time. When freezegun lets
    go, the clock stands still where it was left.
    """

    def now(self) -> dt.datetime:
        self._follow()
        return super().now()

    def monotonic(self) -> float:
        self._follow()
        return super().monotonic()

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> dt.datetime:
        self._follow()
        _move_frozen(dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))
        return super().advance(days=days, hours=hours, minutes=minutes, seconds=seconds)

    def set(self, now: dt.datetime) -> None:
        now = require_aware(now)
        _move_frozen(now - self.now())
        super().set(now)

    def _follow(self) -> None:
        system = SystemClock()
        if system.frozen and (frozen := system.now()) != super().now():
            super().set(frozen)


def _move_frozen(step: dt.timedelta) -> None:
    """Move the time that freezegun holds, if it does."""
    if SystemClock().frozen:
        from freezegun.api import freeze_factories  # noqa: PLC0415 - it is loaded, since it holds the time

        freeze_factories[-1].tick(step)


class EmulatorClock:
    """The :class:`~paygate.clock.Clock` of a served emulator: it runs like the system's, or stands still, and can be moved.

    Waiting is always for real, also while it stands still: whoever polls over HTTP gets an answer in the usual time.

    :param now: where it starts, aware; by default the present.
    :param running: False lets it stand still until it is moved.
    :param system: what measures the time that passes.
    """

    def __init__(self, now: dt.datetime | None = None, *, running: bool = True, system: Clock | None = None) -> None:
        self._system = system or SystemClock()
        self._running = running
        self._lock = threading.Lock()
        self._put(require_aware(now) if now is not None else self._system.now())

    def now(self) -> dt.datetime:
        with self._lock:
            return self._read()

    def monotonic(self) -> float:
        return self._system.monotonic()

    def skip(self, seconds: float) -> bool:  # noqa: ARG002 - whoever waits for a served emulator waits for real
        return False

    @property
    def running(self) -> bool:
        """Whether time passes by itself; may be set."""
        return self._running

    @running.setter
    def running(self, running: bool) -> None:
        with self._lock:
            self._put(self._read())
            self._running = running

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> dt.datetime:
        """Move on and return the new instant."""
        with self._lock:
            self._put(self._read() + dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))
            return self._at

    def set(self, now: dt.datetime) -> None:
        """Jump to *now*, forwards or back."""
        now = require_aware(now)
        with self._lock:
            self._put(now)

    def _put(self, at: dt.datetime) -> None:
        self._at, self._since = at, self._system.monotonic()

    def _read(self) -> dt.datetime:
        if not self._running:
            return self._at
        return self._at + dt.timedelta(seconds=self._system.monotonic() - self._since)
