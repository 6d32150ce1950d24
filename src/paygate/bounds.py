"""How far numbers, dates and texts may go that enter from outside.

Both databases and the calendar end somewhere: Python's dates in the year 9999, PostgreSQL's whole numbers at 2⁶³, its
indexes at some 2,700 bytes. What comes near such an end is a mistake or an attack, and is refused where it enters, with
its name. The bounds leave room for all the arithmetic behind them: renewals, windows of years, sums over every row.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from .errors import InvalidAmount, InvalidValue
from .money import Money

__all__ = ["EARLIEST", "LATEST", "MAX_MINOR", "MAX_SECONDS", "check_bounds", "day_problem", "field_names"]

#: The first and the last day that anything in paygate can have.
EARLIEST, LATEST = dt.date(1900, 1, 1), dt.date(2999, 12, 31)
#: The largest amount in minor units: a thousand million million.
MAX_MINOR = 10**15
#: The longest wait, delay or age that can be given: a hundred years.
MAX_SECONDS = 36_525 * 86_400
#: Any other whole number.
_MAX_NUMBER = 2**31 - 1
#: Characters of a free text, and of an id, which is indexed.
_TEXT, _ID = 100_000, 500
#: Rows that a list reads at once.
_PAGE = 10_000

_IDS = frozenset(
    {"account", "customer_id", "email", "id", "idempotency_key", "name", "reference", "subscription", "target"}
)
_DEPTH = 8
#: What has a size, and what has none.
_SIZED = (str, int, float, dt.date, dt.timedelta, Money)
_WITHOUT = (bool, bytes, enum.Enum, type)


def check_bounds(name: str, value: object) -> None:
    """Hold everything inside *value*, the argument *name*, to the bounds; numbers that are too large are not quoted.

    :raises InvalidAmount: an amount is larger than :data:`MAX_MINOR`.
    :raises InvalidValue: a date is outside :data:`EARLIEST` to :data:`LATEST`, or a number or text too large.
    """
    if type(value) is str and len(value) <= _ID:
        return
    if type(value) is Money and value.minor <= MAX_MINOR:
        return
    for place, one in _parts(name, value, _DEPTH):
        if isinstance(one, str):
            limit = _ID if _is_id(place) else _TEXT
            if len(one) > limit:
                raise InvalidValue(f"{place} has {len(one):,} characters; give at most {limit:,}", rule="R-296")
        elif isinstance(one, Money):
            if one.minor > MAX_MINOR:
                raise InvalidAmount(
                    f"{place} is larger than {MAX_MINOR:,} minor units, the most that paygate counts", rule="R-296"
                )
        elif isinstance(one, dt.date):
            if (problem := day_problem(one)) is not None:
                raise InvalidValue(f"{place} {problem}", rule="R-296")
        elif isinstance(one, dt.timedelta):
            if abs(one) > dt.timedelta(seconds=MAX_SECONDS):
                raise InvalidValue(f"{place} is longer than a hundred years", rule="R-296")
        elif isinstance(one, float):
            if place == "timeout" and not abs(one) <= MAX_SECONDS:  # NaN, too
                raise InvalidValue(f"{place} is a number of seconds, at most {MAX_SECONDS:,}", rule="R-296")
        elif place == "page_size" and isinstance(one, int) and not 1 <= one <= _PAGE:
            raise InvalidValue(f"page_size is a whole number from 1 to {_PAGE:,}", rule="R-296")
        elif isinstance(one, int) and abs(one) > _MAX_NUMBER:
            raise InvalidValue(f"{place} is a whole number of at most {_MAX_NUMBER:,}", rule="R-296")


def day_problem(day: dt.date) -> str | None:
    """Why *day*, a date or a datetime, is out of bounds; None where it is not."""
    if EARLIEST.year <= day.year <= LATEST.year:
        return None
    return f"is a day from {EARLIEST} to {LATEST}, not {day}; leave it out if it means for ever"


_known_fields: dict[type[Any], tuple[str, ...]] = {}


def field_names(kind: type[Any]) -> tuple[str, ...]:
    """The names of the fields of an attrs class; found out once for each class."""
    found = _known_fields.get(kind)
    if found is None:
        found = _known_fields[kind] = tuple(field.name for field in attrs.fields(kind))
    return found


def _is_id(place: str) -> bool:
    last = place.rpartition(".")[2]
    return last in _IDS or last.endswith("_id")


def _parts(name: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Everything inside *value* that has a size, with the name of its place."""
    if value is None or isinstance(value, _WITHOUT):
        return
    if isinstance(value, _SIZED):
        yield name, value
    elif depth <= 0:
        return
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _parts(name, key, depth - 1)
            yield from _parts(name, item, depth - 1)
    elif isinstance(value, list | tuple | set | frozenset):
        items: Iterable[Any] = value
        for item in items:
            yield from _parts(name, item, depth - 1)
    elif attrs.has(type(value)):
        for field in field_names(type(value)):
            yield from _parts(f"{name}.{field}", getattr(value, field), depth - 1)
