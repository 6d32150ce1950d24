"""Which content a contract has open that is taken over from another system (R-073, R-080, R-082, R-109).

Each paid period opened something there. Which periods were paid is told by what is known of the contract: one that runs is
taken as paid since its start, one whose payment is missing or that has ended up to there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from .calendar import renewal_day
from .contract import Contract, Status
from .ledger import LedgerEntry
from .licences import License, issue
from .unlocking import contents_due, unlocks_between

__all__ = ["licences_taken_over"]

_NOTHING = frozenset({Status.PENDING_PAYMENT, Status.CANCELED})


def licences_taken_over(
    contract: Contract,
    today: dt.date,
    new_id: Callable[[], str],
    *,
    paid: LedgerEntry | None = None,
    since: dt.date | None = None,
) -> tuple[License, ...]:
    """The licences of *contract*, as it stands on business date *today*.

    :param paid: the row of the last payment, where it is known: the licence of its period belongs to it, so that it can be
        removed with a refund (R-242). A contract that does not run has nothing open beyond its period.
    :param since: periods that began before this day opened nothing; by default none is left out. What was bought for good
        is open all the same.
    """
    if contract.status in _NOTHING or (contract.status is Status.NOT_STARTED and contract.plan.is_recurring):
        return ()
    last = _open_until(contract, today, paid)
    known: tuple[License, ...] = ()
    for period in _periods(contract, last):
        if since is None or period >= since or period == contract.start_on:
            row = paid.id if paid is not None and paid.target_on == period else f"imported/{period.isoformat()}"
            new = issue(contract, period, row, known, new_id)
            known += tuple(one for one in new if since is None or period >= since or _for_good(contract, one))
    for day in unlocks_between(contract, contract.start_on, last + dt.timedelta(days=1)):
        known += contents_due(contract, day, known, new_id)
    return known


def _open_until(contract: Contract, today: dt.date, paid: LedgerEntry | None) -> dt.date:
    """The last business date on which a period that was paid, or an interval, can have begun."""
    missing = contract.past_due
    ends = [today]
    if missing is not None:
        ends.append(missing.period_start - dt.timedelta(days=1))
    if contract.ended_on is not None:
        ends.append(contract.ended_on - dt.timedelta(days=1))
    if paid is not None and (missing is not None or contract.ended_on is not None):
        ends.append(paid.target_on)
    return min(ends)


def _periods(contract: Contract, last: dt.date) -> Iterator[dt.date]:
    """The first days of the periods up to *last*; a purchase is paid whole, whenever it starts."""
    cycle, number = contract.plan.cycle, 0
    if cycle is None:
        yield contract.start_on
        return
    while (day := renewal_day(contract.start_on, cycle, number)) <= last:
        yield day
        number += 1


def _for_good(contract: Contract, licence: License) -> bool:
    return not next(product for product in contract.plan.products if product.code == licence.product).type.monthly
