"""When a subscription's payments are due and how much each takes (provider fact sheet §11.1, §11.3).

Dates are dates in the subscription's own zone; nothing here knows the time.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
import zoneinfo

import attrs

from ....clock import JST

__all__ = ["PERIODS", "Period", "Plan", "duration", "zone"]

_DURATION = re.compile(
    r"P(?=[\dT])(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
)

#: A month of a duration without a calendar has 30 days (provider fact sheet §11.3).
_MONTH = 30

#: Days of the longest cycle.
_LONGEST = 120 * _MONTH


def _parts(text: str) -> tuple[int, ...]:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"not an ISO 8601 duration: {text!r}")
    return tuple(int(part or 0) for part in found.groups())


def duration(text: str) -> dt.timedelta:
    """An ISO 8601 duration, months counting 30 days and years 360.

    >>> duration("P5D").days, duration("PT72H").days, duration("P1M").days
    (5, 3, 30)

    :raises ValueError: *text* is no duration.
    """
    years, months, weeks, days, hours, minutes, seconds = _parts(text)
    return dt.timedelta(
        days=(years * 12 + months) * _MONTH + days, weeks=weeks, hours=hours, minutes=minutes, seconds=seconds
    )


def zone(name: str) -> dt.tzinfo:
    """The time zone of an IANA name.

    :raises ValueError: there is none of that name.
    """
    if name == "Asia/Tokyo":
        return JST
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as exc:
        raise ValueError(f"no time zone {name!r}") from exc


@attrs.frozen
class Period:
    """The length of a cycle: whole months and days.

    >>> Period(months=1).day(dt.date(2026, 1, 31), 1)
    datetime.date(2026, 2, 28)
    """

    months: int = 0
    days: int = 0

    @classmethod
    def parse(cls, text: str) -> Period:
        """A ``cyclical_period`` such as ``P3D`` or ``P2M``: whole days, one at least. ASSUMED: ten years at most.

        :raises ValueError: anything else.
        """
        years, months, weeks, days, *hours = _parts(text)
        period = cls(years * 12 + months, weeks * 7 + days)
        if any(hours) or not 1 <= period.length <= _LONGEST:
            raise ValueError(f"not a cycle of one day to ten years: {text!r}")
        return period

    @property
    def length(self) -> int:
        """Days, a month counting 30."""
        return self.months * _MONTH + self.days

    def day(self, anchor: dt.date, k: int, *, month_end: bool = False) -> dt.date:
        """*anchor* plus *k* cycles, counted from the anchor itself: a short month clips one day and shifts none after.

        :param month_end: the last day of a month stays the last day, also in longer months.
        """
        years, month = divmod(anchor.month - 1 + self.months * k, 12)
        year, month = anchor.year + years, month + 1
        last = calendar.monthrange(year, month)[1]
        ends = month_end and anchor.day == calendar.monthrange(anchor.year, anchor.month)[1]
        day = last if ends and self.months else min(anchor.day, last)
        return dt.date(year, month, day) + dt.timedelta(days=self.days * k)


PERIODS = {
    "daily": Period(days=1),
    "weekly": Period(days=7),
    "biweekly": Period(days=14),
    "monthly": Period(months=1),
    "bimonthly": Period(months=2),
    "quarterly": Period(months=3),
    "semiannually": Period(months=6),
    "annually": Period(months=12),
}


@attrs.frozen(kw_only=True)
class Plan:
    """The payments of a subscription: when each is due, how much it takes, which is the last.

    :param first_on: of the first payment; :param anchor: from which the others count. They differ where the first one
        is taken at once and the cycles begin on a later day.
    :param first_amount: of the first payment, minor units; :param amount: of the others.
    :param cycles: how many payments there are; :param target: the sum at which they end. None is without end.
    """

    period: Period
    first_on: dt.date
    anchor: dt.date
    first_amount: int
    amount: int
    cycles: int | None = None
    target: int | None = None
    month_end: bool = False

    def due(self, step: int) -> dt.date:
        """The due date number *step*, counted from 0."""
        if step == 0:
            return self.first_on
        return self.period.day(self.anchor, step - (self.first_on != self.anchor), month_end=self.month_end)

    def takes(self, number: int, before: int) -> int:
        """What payment *number*, counted from 0, takes when those before it take *before* in all."""
        amount = self.first_amount if number == 0 else self.amount
        return amount if self.target is None else min(amount, self.target - before)

    def left(self, number: int, before: int) -> tuple[int, int]:
        """How many payments remain from *number* on, and their sum; of a plan that ends."""
        first = self.takes(number, before)
        if self.cycles is not None:
            payments = max(self.cycles - number, 0)
            return payments, first + (payments - 1) * self.amount if payments else 0
        amount = max((self.target or 0) - before, 0)
        return 1 - (first - amount) // self.amount if amount else 0, amount

    def ends(self, number: int, before: int) -> bool:
        """Whether payment *number* is the last."""
        if self.cycles is not None:
            return number + 1 >= self.cycles
        return self.target is not None and before + self.takes(number, before) >= self.target
