"""The one place that asks the system for the time.

Plain ``freezegun.freeze_time`` works with :class:`SystemClock`: the system is asked inside each call and nothing is
bound at import. Business days are days in Asia/Tokyo unless configured otherwise (R-001).
"""

from __future__ import annotations

import datetime as dt
import time
import types
from typing import Protocol
from zoneinfo import ZoneInfo

from .errors import NaiveDatetime

__all__ = ["JST", "UTC", "Clock", "SystemClock", "business_date", "require_aware"]

UTC = dt.UTC
JST = ZoneInfo("Asia/Tokyo")

#: The clock that goes on while the machine is suspended, where there is one; elsewhere ``time.monotonic`` has to do.
_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class Clock(Protocol):
    """Where paygate gets the time from; injected into the gateway (R-002)."""

    def now(self) -> dt.datetime:
        """The present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring waits; those in which the machine was suspended count."""
        ...

    def skip(self, seconds: float) -> bool:
        """Let *seconds* pass without waiting, if this clock is not the real one.

        :returns: True when nobody has to wait for real (a manual or frozen clock); False when the driver must sleep.
        """
        ...


class SystemClock:
    """The system's clock, or freezegun's while time is frozen."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic() if _BOOT is None or self.frozen else time.clock_gettime(_BOOT)

    def skip(self, seconds: float) -> bool:  # noqa: ARG002 - frozen time belongs to whoever froze it: never moved from here
        return self.frozen

    @property
    def frozen(self) -> bool:
        """Whether freezegun holds the time: its stand-ins are Python functions, the real ones are built in."""
        return not isinstance(time.monotonic, types.BuiltinFunctionType)


def require_aware(value: dt.datetime, name: str = "datetime") -> dt.datetime:
    """Return *value* in UTC.

    :raises NaiveDatetime: if it has no zone (R-002).
    """
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None or value.utcoffset() is None:
        msg = f"{name} {spoken(value)} has no time zone; give an aware datetime, for example with tzinfo=paygate.JST"
        raise NaiveDatetime(msg, rule="R-002")
    return value.astimezone(UTC)


def spoken(when: dt.datetime | dt.date, zone: dt.tzinfo = JST) -> str:
    """*when* as messages say it: to the second, in the business zone where it has a zone at all; a date as it is.

    >>> spoken(dt.datetime(2024, 11, 7, 15, 0, 59, 999_999, tzinfo=UTC))
    '2024-11-08T00:00:59+09:00'
    """
    if not isinstance(when, dt.datetime):
        return when.isoformat()
    if when.tzinfo is not None:
        when = when.astimezone(zone)
    return when.isoformat(timespec="seconds")


def business_date(instant: dt.datetime, zone: dt.tzinfo = JST) -> dt.date:
    """The calendar date of *instant* in the business zone (R-001, R-003).

    >>> business_date(dt.datetime(2024, 11, 7, 15, tzinfo=UTC))
    datetime.date(2024, 11, 8)
    """
    moment = require_aware(instant).astimezone(zone)
    return dt.date(moment.year, moment.month, moment.day)
