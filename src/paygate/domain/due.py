"""What is due for a contract, and when: starts, renewals, due ends and the product's end (R-029, R-037 to R-042, R-067 to R-070).

:func:`due_steps` tells a run what to do, :func:`next_due_on` on which day to look. What carrying a step out does is in
:mod:`~paygate.domain.renewal`.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Iterator

import attrs

from ..clock import business_date
from ..money import Money
from .calendar import next_renewal
from .contract import CancellationOrigin, Contract, Status
from .rules import Rules
from .running import in_final_period, next_renewal_on, period_price, product_ends_on
from .unlocking import OPENING, next_unlock_on, opened_until, opens_further, unlocks_between

__all__ = ["DueStep", "StepKind", "due_steps", "next_due_on"]

_RUNNING = frozenset({Status.ACTIVE, Status.SPECIAL_PERIOD})


class StepKind(enum.Enum):
    """What a run does for one contract; on one day in this order (R-042)."""

    CANCELLATION = "CANCELLATION"  #: a scheduled cancellation, or the product's end, takes effect (T-69, T-73)
    START = "START"  #: the start date has come (T-23 to T-25)
    RENEWAL = "RENEWAL"  #: a new period begins (T-40, T-41, T-50, T-51)
    PRODUCT_END = "PRODUCT_END"  #: the product's final period has begun (T-46, T-75)
    UNLOCK = "UNLOCK"  #: a further content of a bought unlock product opens (R-082)


@attrs.frozen
class DueStep:
    """One step that is due.

    :param on: the business date on which it fell due, whenever the run comes (R-041).
    :param price: what this step charges; zero for steps that charge nothing, and for free periods (R-017).
    """

    kind: StepKind
    on: dt.date
    price: Money


def due_steps(contract: Contract, now: dt.datetime, rules: Rules) -> tuple[DueStep, ...]:
    """What is due for *contract* at *now*, in date order, and within a day in the order of R-042 (R-041).

    It assumes that every step succeeds. A run that charges cards executes the first step and asks again, because a
    failed charge ends the list: PAST_DUE is not billed (R-038, R-039). Nothing follows a cancellation, so a contract
    that ends on a renewal day is not charged on it (R-128).
    """
    today = business_date(now, rules.zone)
    steps = _steps(contract, today)
    # few plans sell what opens by and by, and asking for it costs as much as all the rest
    return tuple(_with_unlocks(contract, steps, today) if opens_further(contract.plan) else steps)


def _with_unlocks(contract: Contract, steps: Iterable[DueStep], today: dt.date) -> Iterator[DueStep]:
    """*steps* with the contents that open between them, as long as the contract stands or runs (R-082)."""
    nothing = Money(0, contract.plan.price.currency)
    last, opens = opened_until(contract), contract.status in OPENING
    for step in steps:
        # on one day a renewal comes before what opens, and an end before both: nothing opens on it any more
        if opens:
            for day in unlocks_between(contract, last, step.on):
                yield DueStep(StepKind.UNLOCK, day, nothing)
            last = max(last, step.on - dt.timedelta(days=1))
        yield step
        opens = step.kind is not StepKind.CANCELLATION and (opens or step.kind is StepKind.START)
    if opens:
        for day in unlocks_between(contract, last, today + dt.timedelta(days=1)):
            yield DueStep(StepKind.UNLOCK, day, nothing)


def _steps(contract: Contract, today: dt.date) -> Iterator[DueStep]:
    nothing = Money(0, contract.plan.price.currency)
    plan, start_on, status = contract.plan, contract.start_on, contract.status
    product_end = product_ends_on(plan, start_on)
    notice = contract.cancellation
    if status is Status.CANCEL_SCHEDULED and notice is not None and plan.cycle is not None:
        # renewal days before the notice was given, which no run has seen yet, are due all the same
        day = next_renewal(start_on, plan.cycle, contract.period_start or start_on)
        while day <= today and day < notice.effective_on:
            yield DueStep(StepKind.RENEWAL, day, period_price(plan, start_on, day))
            day = next_renewal(start_on, plan.cycle, day)
        if notice.effective_on <= today:
            yield DueStep(StepKind.CANCELLATION, notice.effective_on, nothing)
        elif notice.origin is not CancellationOrigin.PRODUCT_END and in_final_period(contract):
            yield DueStep(StepKind.PRODUCT_END, contract.period_start or start_on, nothing)
        return
    if status is Status.PAST_DUE:
        if product_end is not None and product_end <= today:
            yield DueStep(StepKind.CANCELLATION, product_end, nothing)
        return
    if status is Status.NOT_STARTED:
        if start_on > today:
            return
        yield DueStep(StepKind.START, start_on, period_price(plan, start_on, start_on) if plan.cycle else nothing)
    elif status not in _RUNNING:
        return
    if plan.cycle is None:
        return
    begun = contract.period_start or start_on
    day = next_renewal(start_on, plan.cycle, begun)
    if status in _RUNNING and in_final_period(contract):
        yield DueStep(StepKind.PRODUCT_END, begun, nothing)
        product_end = day
    while day <= today:
        if day == product_end:
            yield DueStep(StepKind.CANCELLATION, day, nothing)
            return
        yield DueStep(StepKind.RENEWAL, day, period_price(plan, start_on, day))
        day = next_renewal(start_on, plan.cycle, day)


def next_due_on(contract: Contract) -> dt.date | None:
    """The business date on which a run next has something to do for *contract*; None for never.

    Cheap to store and to index: work is found by date, whatever else exists.
    """
    begun = contract.period_start or contract.start_on
    days: list[dt.date | None]
    match contract.status:
        case Status.NOT_STARTED:
            return contract.start_on
        case Status.PAST_DUE:
            return product_ends_on(contract.plan, contract.start_on)
        case Status.CANCEL_SCHEDULED if contract.cancellation is not None:
            days = [contract.cancellation.effective_on, next_renewal_on(contract, begun)]
        case Status.ACTIVE | Status.SPECIAL_PERIOD:
            days = [begun if in_final_period(contract) else next_renewal_on(contract, begun)]
        case Status.ESTABLISHED:
            days = []
        case _:
            return None
    if opens_further(contract.plan):
        days.append(next_unlock_on(contract, opened_until(contract)))
    return min((day for day in days if day is not None), default=None)
