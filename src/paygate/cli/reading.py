"""Amounts, days and instants as people write them, in arguments and in CSV files."""

from __future__ import annotations

import datetime as dt
import re

from ..clock import JST, UTC
from ..errors import InvalidAmount, InvalidValue
from ..money import Money

__all__ = ["day", "day_or_instant", "instant", "yen"]

_WHOLE = re.compile(r"[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3}")
_NUMBER = re.compile(r"[0-9][0-9,]*\.[0-9]+")
_DAY = re.compile(r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})")
_INSTANT = re.compile(
    _DAY.pattern + r"[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?\s*(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def yen(text: str) -> Money:
    """A whole number of yen, with or without separators of thousands.

    :raises InvalidAmount: anything else: a fraction, a negative number, a text (R-004).

    >>> yen("5,000")
    Money(minor=5000, currency='JPY')
    """
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return Money(int(text.replace(",", "")), "JPY")
    if text.startswith(("-", "−")):
        problem = "an amount is not negative; money back is a refund"
    elif _NUMBER.fullmatch(text):
        problem = "yen have no fractions; write a whole number such as 5000"
    else:
        problem = "not a whole number of yen; write 5000 or 5,000"
    raise InvalidAmount(problem, rule="R-004")


def day(text: str) -> dt.date:
    """A calendar date: ``2026-01-31`` or ``2026/1/31``.

    :raises InvalidValue: another form, or no day of the calendar.
    """
    match = _DAY.fullmatch(text.strip())
    if match is None:
        raise InvalidValue("not a date; write it as 2026-01-31")
    try:
        return dt.date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError as exc:
        raise InvalidValue("no such day in the calendar; check month and day") from exc


def instant(text: str) -> dt.datetime:
    """An instant, in UTC: ISO 8601 with its zone, or ``2026-01-31 10:00[:00]``, which is taken as Japanese time (R-001).

    :raises InvalidValue: another form, no time of day, or no such moment.
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise InvalidValue("not a point in time; write 2026-01-31 10:00 (Japanese time) or 2026-01-31T01:00:00Z")
    year, _, month, date, hour, minute, second, zone = match.groups()
    try:
        wall = dt.datetime(int(year), int(month), int(date), int(hour), int(minute), int(second or 0), tzinfo=JST)
        if zone is not None:
            offset = "+00:00" if zone == "Z" else zone
            wall = wall.replace(tzinfo=dt.datetime.strptime(offset, "%z").tzinfo)
        return wall.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidValue("no such point in time; check day, time and zone") from exc


def day_or_instant(text: str) -> dt.date | dt.datetime:
    """What :func:`day` or :func:`instant` reads.

    :raises InvalidValue: another form, or no such day or moment.
    """
    return day(text) if _DAY.fullmatch(text.strip()) else instant(text)
