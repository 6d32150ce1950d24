"""The days of a subscription: what UnivaPay is asked for, and which period of the contract a payment is for (§11; R-031
to R-035).

A contract counts its periods from its own day of the month. UnivaPay counts payments from the day on which they begin, so a
payment may fall some days beside the contract's day: where the first charge was late, and where a first charge in a short
month stands for the 29th or 30th, which no setting expresses. The contract's day is kept in the metadata, and a payment is
told with the day that it stands for.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping
from typing import Any

__all__ = ["ANCHOR_REF", "day_of", "period_of", "rhythm"]

#: Metadata of a subscription: the day of the month on which the contract's periods begin.
ANCHOR_REF = "paygate_anchor_day"

#: Contracts live by the Japanese calendar (R-001).
_ZONE = "Asia/Tokyo"

_PERIODS = {1: "monthly", 3: "quarterly", 6: "semiannually", 12: "annually"}

#: The shortest month. A day after it stands for the end of a month as well.
_SHORTEST = 28


def rhythm(months: int, starts_on: dt.date, anchor: int, today: dt.date) -> dict[str, Any]:
    """The fields of a new subscription that say when it charges.

    :param anchor: the contract's day of the month, 1 to 31.
    :param today: UnivaPay charges at once where ``start_on`` is left out, and takes only days that lie ahead.
    """
    settings: dict[str, Any] = {
        "zone_id": _ZONE,
        # the last day of each month is the 31st of those that have one; for a 29th or 30th whose first month is shorter it
        # is at most two days late, where the day of the first charge would be too early every month
        "preserve_end_of_month": anchor == 31 or anchor > starts_on.day >= _SHORTEST,
        "termination_mode": "immediate",
    }
    if starts_on > today:
        settings["start_on"] = starts_on.isoformat()
    period = {"period": _PERIODS[months]} if months in _PERIODS else {"cyclical_period": f"P{months}M"}
    return {**period, "schedule_settings": settings}


def period_of(subscription: Mapping[str, Any], payment: Mapping[str, Any]) -> dt.date | None:
    """The date on which the period begins that *payment* is for; None where the payment names no date."""
    due = day_of(payment.get("due_date"))
    if due is None:
        return None
    metadata = subscription.get("metadata")
    text = metadata.get(ANCHOR_REF) if isinstance(metadata, Mapping) else None
    anchor = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else 0
    if not 1 <= anchor <= 31:
        return due  # started elsewhere, and taken over
    begins = _in_month(due, anchor)
    if due >= begins or due.day >= _SHORTEST:
        return begins
    return _in_month(due.replace(day=1) - dt.timedelta(days=1), anchor)


def day_of(value: object) -> dt.date | None:
    """A date of the interface; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        return None


def _in_month(day: dt.date, anchor: int) -> dt.date:
    return day.replace(day=min(anchor, calendar.monthrange(day.year, day.month)[1]))
