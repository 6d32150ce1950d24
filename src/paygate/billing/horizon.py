"""Up to when a run looks: ``until`` as callers give it, a business day or an instant, made one instant."""

from __future__ import annotations

import datetime as dt

from ..clock import UTC, require_aware, spoken
from ..errors import InvalidValue
from .services import Services

__all__ = ["ahead", "passed"]

#: A plan looks as far ahead as a forecast does: beyond, prices and cards are guesses.
_FARTHEST = dt.timedelta(days=3660)


def passed(services: Services, until: dt.date | dt.datetime | None) -> dt.datetime:
    """The last instant of *until*, in UTC, for work that is to be done: never later than now.

    :param until: a business day, which counts as a whole (today as far as it has passed); an instant; or None for now.
    :raises InvalidValue: it has not come yet: nothing is charged before it is due (R-036).
    :raises NaiveDatetime: an instant without a zone (R-002).
    """
    now = services.now()
    if until is None or (not isinstance(until, dt.datetime) and until == services.today()):
        return now
    last = _last_instant(services, until)
    if last > now:
        raise InvalidValue(
            f"{spoken(until)} has not come yet, and nothing is charged before it is due; "
            "billing.plan(until=…) tells what a run would do then",
            rule="R-036",
        )
    return last


def ahead(services: Services, until: dt.date | dt.datetime | None) -> dt.datetime:
    """The last instant of *until*, in UTC, for looking only: it may be in the future.

    :raises InvalidValue: it is more than ten years away.
    :raises NaiveDatetime: an instant without a zone (R-002).
    """
    now = services.now()
    if until is None:
        return now
    last = _last_instant(services, until)
    if last > now + _FARTHEST:
        raise InvalidValue(f"a plan looks at most ten years ahead, not until {spoken(until)}")
    return last


def _last_instant(services: Services, until: dt.date | dt.datetime) -> dt.datetime:
    try:
        if isinstance(until, dt.datetime):
            return require_aware(until, "until")
        return dt.datetime.combine(until, dt.time.max, services.rules.zone).astimezone(UTC)
    except (OverflowError, TypeError) as exc:
        raise InvalidValue(f"until is a date or an aware datetime of our times, not {until!r}") from exc
