"""The expiry date: the last day of the paid time, inclusive (R-047 to R-059, R-218, R-219).

The expiry is one of two gates, the status is the other (R-059); nothing here touches status or renewal days (R-057).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import attrs

from ..clock import JST, business_date
from ..errors import InvalidValue, OperationNotAllowed, PermissionDenied
from ..provider import ExpiryPolicy
from .audit import change
from .calendar import is_renewal_day, next_renewal
from .contract import Actor, ActorKind, Contract, Plan, Status
from .rules import SYSTEM_MAX_EXPIRY
from .settlement import Settlement

__all__ = [
    "SYSTEM_MAX_EXPIRY",
    "after_receipt",
    "buys_nothing",
    "extended",
    "first_expiry",
    "is_open",
    "paid_until",
    "set_expiry",
]


def first_expiry(plan: Plan, start_on: dt.date, paid_on: dt.date, system_max: dt.date = SYSTEM_MAX_EXPIRY) -> dt.date:
    """The expiry of a contract that has just been paid (R-048, R-053, R-054).

    :param paid_on: business date of the payment.
    :returns: the first renewal day after the later of start and payment; without a cycle, *system_max*.

    >>> from paygate.money import Money
    >>> plan = Plan.recurring("Gold", Money(3000, "JPY"))
    >>> first_expiry(plan, dt.date(2024, 10, 8), dt.date(2024, 10, 8))
    datetime.date(2024, 11, 8)
    """
    if plan.cycle is None:
        return system_max
    return min(next_renewal(start_on, plan.cycle, max(start_on, paid_on)), system_max)


def extended(
    expires_on: dt.date,
    plan: Plan,
    start_on: dt.date,
    receipt_on: dt.date,
    system_max: dt.date = SYSTEM_MAX_EXPIRY,
) -> dt.date:
    """*expires_on* after one extension by the payment cycle (R-049 to R-051, R-053, R-054, R-058).

    An expiry on the renewal grid moves to the first renewal day after both itself and the receipt; one that was set by
    hand moves by whole cycles of its own. The result is cut to *system_max*, but a date beyond it that was set by hand
    stays: an extension never shortens.
    """
    if plan.cycle is None:
        longer = system_max
    else:
        anchor = start_on if is_renewal_day(start_on, plan.cycle, expires_on) else expires_on
        longer = min(next_renewal(anchor, plan.cycle, max(expires_on, receipt_on)), system_max)
    return max(expires_on, longer)


def paid_until(
    contract: Contract, period_start: dt.date, receipt_on: dt.date, system_max: dt.date = SYSTEM_MAX_EXPIRY
) -> dt.date:
    """The expiry once the period that begins on *period_start* is paid (R-048, R-058).

    Signing up has set that of the first period already; every other period extends.

    :param receipt_on: business date of the payment.
    """
    plan, start_on, expires_on = contract.plan, contract.start_on, contract.expires_on
    if expires_on is not None and period_start != start_on:
        return extended(expires_on, plan, start_on, receipt_on, system_max)
    first = first_expiry(plan, start_on, receipt_on, system_max)
    return first if expires_on is None else max(expires_on, first)


def buys_nothing(
    contract: Contract, period_start: dt.date, on: dt.date, system_max: dt.date = SYSTEM_MAX_EXPIRY
) -> bool:
    """Whether paying the period that begins on *period_start* would open nothing, because of *system_max* (R-391).

    Such a period would be paid for and its content stay closed. An expiry that was set by hand beyond *system_max* covers
    the periods up to itself (R-056).

    :param on: the business date on which it would be paid.
    """
    if contract.expires_on is None or contract.plan.cycle is None or on < system_max:
        return False
    longer = paid_until(contract, period_start, max(period_start, on), system_max)
    return longer < on if longer > contract.expires_on else max(period_start, on) >= contract.expires_on


def after_receipt(
    contract: Contract,
    policy: ExpiryPolicy,
    receipt_on: dt.date,
    *,
    renew: bool,
    system_max: dt.date = SYSTEM_MAX_EXPIRY,
) -> dt.date | None:
    """The expiry of *contract* after a successful receipt.

    :param policy: SYSTEM_MAX always sets *system_max*, whatever was set by hand (R-218, R-219).
    :param renew: for BY_CYCLE, whether to extend; False leaves the date exactly as it is (R-052, R-181).
    :returns: None only for a contract that has no expiry: one not activated, or undone.
    """
    expires_on = contract.expires_on
    if expires_on is None:
        return None
    if policy is ExpiryPolicy.SYSTEM_MAX:
        return system_max
    if not renew:
        return expires_on
    return extended(expires_on, contract.plan, contract.start_on, receipt_on, system_max)


def is_open(expires_on: dt.date | None, instant: dt.datetime, zone: dt.tzinfo = JST) -> bool:
    """Whether the paid time includes *instant*: through 23:59:59 of the expiry date in *zone* (R-047).

    :raises NaiveDatetime: if *instant* has no zone (R-002).
    """
    return expires_on is not None and business_date(instant, zone) <= expires_on


def set_expiry(
    contract: Contract, to: dt.date, *, actor: Actor, now: dt.datetime, new_id: Callable[[], str], reason: str = ""
) -> Settlement:
    """Set the expiry by hand, to any date; no mail, no sale, no other change (R-056, R-057, R-209).

    :raises PermissionDenied: the actor is not an administrator (R-267).
    :raises InvalidValue: *to* is not a date.
    :raises OperationNotAllowed: the contract waits for its payment or was cancelled (R-024).
    """
    if actor.kind is not ActorKind.ADMIN:
        raise PermissionDenied(f"only an administrator sets an expiry date, not {actor}", rule="R-267")
    if not isinstance(to, dt.date) or isinstance(to, dt.datetime):
        raise InvalidValue(f"an expiry is a datetime.date in the business zone, got {to!r}", rule="R-056")
    if contract.status in {Status.PENDING_PAYMENT, Status.CANCELED}:
        raise OperationNotAllowed(
            f"contract {contract.id} is {contract.status.value}: set_expiry is offered once it has been paid",
            rule="R-024",
        )
    changed = attrs.evolve(contract, expires_on=to)
    record = change(contract, changed, id=new_id(), at=now, actor=actor, action="set_expiry", reason=reason)
    return Settlement(changed, audit=(record,))
