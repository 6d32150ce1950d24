"""Renewal days and calendar years: everything counts from the start date (R-006, R-031 to R-035, R-199).

Dates are business dates (R-001). The k-th renewal day is the start date plus k cycles; it is always computed from the
start itself, so a short month clips one day and causes no drift. Nothing here loops over days.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator

from ..clock import JST, UTC, require_aware
from ..errors import InvalidValue
from .contract import Cycle

__all__ = [
    "advance",
    "cycle_months",
    "is_renewal_day",
    "next_renewal",
    "period_containing",
    "renewal_day",
    "renewal_days",
    "years_later",
]

_MONTHS = {Cycle.MONTHLY: 1, Cycle.QUARTERLY: 3, Cycle.SEMIANNUAL: 6, Cycle.ANNUAL: 12}
_DAYS = {Cycle.DAILY: 1, Cycle.WEEKLY: 7, Cycle.BIWEEKLY: 14}


def _plus_months(day: dt.date, months: int, anchor_day: int) -> dt.date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    if not dt.MINYEAR <= year <= dt.MAXYEAR:
        raise _beyond(day)
    if anchor_day > 28:
        anchor_day = min(anchor_day, calendar.monthrange(year, month + 1)[1])
    return dt.date(year, month + 1, anchor_day)


def advance(day: dt.date, cycle: Cycle, n: int = 1, anchor_day: int | None = None) -> dt.date:
    """*day* plus *n* whole cycles (R-006, R-051).

    :param anchor_day: the day of month to keep, 1 to 31; by default that of *day* itself. Clipped in shorter months;
        ignored for cycles of days and weeks.

    >>> advance(dt.date(2024, 2, 29), Cycle.MONTHLY, anchor_day=31)
    datetime.date(2024, 3, 31)
    """
    months = _MONTHS.get(cycle)
    if months is None:
        try:
            return day + dt.timedelta(days=_DAYS[cycle] * n)
        except OverflowError as exc:
            raise _beyond(day) from exc
    return _plus_months(day, months * n, day.day if anchor_day is None else anchor_day)


def _beyond(day: dt.date) -> InvalidValue:
    return InvalidValue(
        f"counted on from {day}, the calendar ends before that day; give an earlier date or fewer periods"
    )


def cycle_months(cycle: Cycle) -> int | None:
    """The length of *cycle* in months; None for cycles of days and weeks."""
    return _MONTHS.get(cycle)


def renewal_day(start_on: dt.date, cycle: Cycle, k: int) -> dt.date:
    """The *k*-th renewal day; for k = 0 the start date, which is not itself a renewal day (R-034, R-035).

    :raises InvalidValue: if *k* is negative.

    >>> renewal_day(dt.date(2024, 1, 31), Cycle.MONTHLY, 1)
    datetime.date(2024, 2, 29)
    """
    if k < 0:
        msg = f"renewal days are counted from the start date, which is number 0; got {k}"
        raise InvalidValue(msg, rule="R-035")
    return advance(start_on, cycle, k)


def renewal_days(start_on: dt.date, cycle: Cycle) -> Iterator[dt.date]:
    """The renewal days, first to last, lazily; they end with the calendar, in the year 9999."""
    k = 1
    while True:
        try:
            day = advance(start_on, cycle, k)
        except InvalidValue:
            return
        yield day
        k += 1


def _last_renewal(start_on: dt.date, cycle: Cycle, day: dt.date) -> tuple[int, dt.date]:
    """The latest renewal day that is not after *day*, with its number; the start itself up to the first one."""
    if day <= start_on:
        return 0, start_on
    months = _MONTHS.get(cycle)
    if months is None:
        k = (day - start_on).days // _DAYS[cycle]
        return k, advance(start_on, cycle, k)
    k = ((day.year - start_on.year) * 12 + day.month - start_on.month) // months
    found = _plus_months(start_on, k * months, start_on.day)
    if found <= day:
        return k, found
    return k - 1, _plus_months(start_on, (k - 1) * months, start_on.day)


def next_renewal(start_on: dt.date, cycle: Cycle, after: dt.date) -> dt.date:
    """The first renewal day strictly after *after* (R-048, R-126).

    >>> next_renewal(dt.date(2024, 10, 8), Cycle.MONTHLY, dt.date(2024, 11, 8))
    datetime.date(2024, 12, 8)
    """
    return advance(start_on, cycle, _last_renewal(start_on, cycle, after)[0] + 1)


def is_renewal_day(start_on: dt.date, cycle: Cycle, day: dt.date) -> bool:
    """Whether *day* is a renewal day; the start date is none (R-035)."""
    return day > start_on and _last_renewal(start_on, cycle, day)[1] == day


def period_containing(start_on: dt.date, cycle: Cycle, day: dt.date) -> tuple[dt.date, dt.date]:
    """First day of the period that contains *day*, and the next renewal day, which it no longer contains.

    :raises InvalidValue: if *day* is before the start.
    """
    if day < start_on:
        msg = f"{day} is before the contract starts on {start_on}"
        raise InvalidValue(msg)
    k, first = _last_renewal(start_on, cycle, day)
    return first, advance(start_on, cycle, k + 1)


def years_later(instant: dt.datetime, years: int, zone: dt.tzinfo = JST) -> dt.datetime:
    """*instant* plus calendar years on the wall clock of *zone*, in UTC; 29 February counts to the 28th (R-199).

    :raises NaiveDatetime: if *instant* has no zone (R-002).

    >>> years_later(dt.datetime(2024, 2, 29, 10, tzinfo=JST), 1).isoformat()
    '2025-02-28T01:00:00+00:00'
    """
    local = require_aware(instant, "instant").astimezone(zone)
    year = local.year + years
    if not dt.MINYEAR < year < dt.MAXYEAR:
        raise _beyond(local.date())
    day = 28 if local.month == 2 and local.day == 29 and not calendar.isleap(year) else local.day
    return local.replace(year=year, day=day).astimezone(UTC)
