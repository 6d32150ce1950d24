"""Billing periods: counted from an anchor, so that a month's end stays a month's end (provider fact sheet §10)."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping

import attrs

__all__ = ["INTERVALS", "Cycle", "first_anchor"]

#: Days of the intervals that are of a fixed length; months and years depend on where one stands.
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}

INTERVALS = (*_DAYS, *_MONTHS)


@attrs.frozen
class Cycle:
    """How often something is paid, counted from *anchor*, UTC.

    :param interval: day, week, month or year; :param count: how many of them a period has.
    :param day: the day of the month on which periods begin, where the month is long enough.
    """

    interval: str
    count: int
    anchor: dt.datetime
    day: int

    def boundary(self, number: int) -> dt.datetime:
        """Where period *number* begins, counted from the one that begins at the anchor, which is number 0."""
        if self.interval in _DAYS:
            return self.anchor + dt.timedelta(days=_DAYS[self.interval] * self.count * number)
        return _months_later(self.anchor, _MONTHS[self.interval] * self.count * number, self.day)

    def after(self, moment: dt.datetime) -> dt.datetime:
        """The first boundary after *moment*."""
        number = self._guess(moment)
        while self.boundary(number) <= moment:
            number += 1
        return self.boundary(number)

    def before(self, moment: dt.datetime) -> dt.datetime:
        """The last boundary before *moment*: where a whole period that ends at *moment* begins."""
        number = self._guess(moment) + 2
        while self.boundary(number) >= moment:
            number -= 1
        return self.boundary(number)

    def _guess(self, moment: dt.datetime) -> int:
        """A period that begins at *moment* or some periods earlier."""
        if self.interval in _DAYS:
            return (moment - self.anchor).days // (_DAYS[self.interval] * self.count) - 1
        months = (moment.year - self.anchor.year) * 12 + moment.month - self.anchor.month
        return months // (_MONTHS[self.interval] * self.count) - 1


def first_anchor(config: Mapping[str, int], now: dt.datetime) -> dt.datetime:
    """The first instant from *now* on that fits ``billing_cycle_anchor_config``; what it leaves out is as it is now."""
    moment = now.replace(
        hour=config.get("hour", now.hour),
        minute=config.get("minute", now.minute),
        second=config.get("second", now.second),
        microsecond=0,
        day=1,
    )
    day, months = config["day_of_month"], 0
    while True:
        candidate = _months_later(moment, months, day)
        if candidate >= now.replace(microsecond=0) and config.get("month", candidate.month) == candidate.month:
            return candidate
        months += 1


def _months_later(moment: dt.datetime, months: int, day: int) -> dt.datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(day, last))
