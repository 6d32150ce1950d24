"""Which running status a contract has on a day: special periods and the product's final month.

Pure arithmetic on plan and dates (R-060 to R-071); days are business dates (R-001).
"""

from __future__ import annotations

import calendar
import datetime as dt

from ..evolving import evolve
from ..money import Money
from .calendar import next_renewal, period_containing, renewal_day
from .contract import Actor, Cancellation, CancellationOrigin, Contract, Plan, Status

__all__ = [
    "ends_with_product",
    "in_final_period",
    "next_renewal_on",
    "period_price",
    "product_ends_on",
    "resumed",
    "running",
    "running_status",
    "special_ends_on",
]


def special_ends_on(plan: Plan, start_on: dt.date) -> dt.date | None:
    """The N-th renewal day, from which the regular price holds; None without special periods (R-060, R-063)."""
    if plan.cycle is None or plan.special_price is None or not plan.special_periods:
        return None
    return renewal_day(start_on, plan.cycle, plan.special_periods)


def period_price(plan: Plan, start_on: dt.date, period_start: dt.date) -> Money:
    """What the period that begins on *period_start* costs: the special price before the N-th renewal day (R-061, R-062)."""
    ends_on = special_ends_on(plan, start_on)
    if plan.special_price is not None and ends_on is not None and period_start < ends_on:
        return plan.special_price
    return plan.price


def next_renewal_on(contract: Contract, day: dt.date) -> dt.date | None:
    """The first renewal day strictly after *day*, on which a notice given on *day* takes effect (R-126).

    :returns: None for a one-off contract.
    """
    if contract.plan.cycle is None:
        return None
    return next_renewal(contract.start_on, contract.plan.cycle, day)


def product_ends_on(plan: Plan, start_on: dt.date) -> dt.date | None:
    """The renewal day on which the product's final period is over; None if it has no final month or the plan no cycle.

    The final period is the last one that begins in the final month or, for long cycles, before its end (R-067).
    """
    end_month = plan.product_end_month
    if end_month is None or plan.cycle is None:
        return None
    year, month = map(int, end_month.split("-"))
    return next_renewal(start_on, plan.cycle, dt.date(year, month, calendar.monthrange(year, month)[1]))


def in_final_period(contract: Contract) -> bool:
    """Whether the running period of *contract* is the product's last one (R-067)."""
    product_end = product_ends_on(contract.plan, contract.start_on)
    next_on = next_renewal_on(contract, contract.period_start or contract.start_on)
    return product_end is not None and next_on is not None and next_on >= product_end


def running_status(contract: Contract, day: dt.date) -> Status:
    """SPECIAL_PERIOD before the N-th renewal day, ACTIVE from it on, whatever happened meanwhile (R-065)."""
    special_end = special_ends_on(contract.plan, contract.start_on)
    return Status.SPECIAL_PERIOD if special_end is not None and day < special_end else Status.ACTIVE


def ends_with_product(notice: Cancellation | None, requested_at: dt.datetime, effective_on: dt.date) -> Cancellation:
    """The end of a contract with its product; notice that a person gave before keeps who gave it, and when (R-069, R-389)."""
    if notice is None:
        return Cancellation(CancellationOrigin.PRODUCT_END, requested_at, Actor.scheduler(), effective_on)
    return evolve(notice, origin=CancellationOrigin.PRODUCT_END, effective_on=effective_on)


def running(contract: Contract, day: dt.date, requested_at: dt.datetime) -> Contract:
    """*contract* running on *day*: ACTIVE, SPECIAL_PERIOD, or CANCEL_SCHEDULED in the product's final period.

    A cancellation that is already scheduled stays (T-75 only changes its origin, R-069).

    :param day: on or after the start date; the running period is the one that contains it (R-039, R-046).
    :param requested_at: recorded with an automatic cancellation.
    """
    plan, start_on = contract.plan, contract.start_on
    if plan.cycle is None:
        return evolve(contract, status=Status.ESTABLISHED, period_start=start_on)
    period_start, next_on = period_containing(start_on, plan.cycle, day)
    product_end = product_ends_on(plan, start_on)
    notice = contract.cancellation
    if product_end is not None and next_on >= product_end:
        notice = ends_with_product(notice, requested_at, next_on)
    status = running_status(contract, day) if notice is None else Status.CANCEL_SCHEDULED
    return evolve(contract, status=status, period_start=period_start, cancellation=notice, past_due=None)


def resumed(contract: Contract, day: dt.date, requested_at: dt.datetime) -> Contract:
    """A PAST_DUE *contract* whose payment has come, on *day* (R-065, R-070, R-120, R-146, R-163, R-191).

    It runs again by date. If a scheduled cancellation was kept and has taken effect, or the product's final period is
    over, it is TERMINATED with that date instead.
    """
    product_end = product_ends_on(contract.plan, contract.start_on)
    notice_end = None if contract.cancellation is None else contract.cancellation.effective_on
    ends = [end for end in (notice_end, product_end) if end is not None and end <= day]
    if ends:
        return evolve(contract, status=Status.TERMINATED, cancellation=None, past_due=None, ended_on=min(ends))
    return running(contract, max(day, contract.start_on), requested_at)
