"""Further contents of bought unlock products: one opens at the purchase and one more per interval (R-082).

The first content belongs to the sale, see :func:`~paygate.domain.licences.issue`. The further ones are due on days of
their own, which a run finds like renewals and records with their own dates, however late it comes (R-041). They open while
the contract stands or runs; what is open already stays open for good (R-077).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from ..clock import business_date, require_aware
from ..errors import OperationNotAllowed
from .audit import change
from .calendar import is_renewal_day, next_renewal
from .contract import Actor, Contract, Cycle, Plan, Product, ProductType, Status
from .licences import License, LicenseState
from .rules import Rules
from .settlement import Settlement

__all__ = ["OPENING", "contents_due", "next_unlock_on", "opened_until", "opens_further", "unlock", "unlocks_between"]

#: In which contents go on opening.
OPENING = frozenset({Status.ESTABLISHED, Status.ACTIVE, Status.SPECIAL_PERIOD, Status.CANCEL_SCHEDULED})


def _unlocking(contract: Contract) -> Iterator[tuple[Product, Cycle]]:
    """The bought unlock products of *contract* with their intervals; a month unless they say otherwise."""
    for product in contract.plan.products:
        if product.type is ProductType.BUYOUT_UNLOCK:
            yield product, product.unlock_interval or Cycle.MONTHLY


def opens_further(plan: Plan) -> bool:
    """Whether *plan* sells a product that opens by and by."""
    return any(product.type is ProductType.BUYOUT_UNLOCK for product in plan.products)


def opened_until(contract: Contract) -> dt.date:
    """The last business date up to which contents have been opened: at first the start, with those of the purchase."""
    return contract.unlocked_on or contract.start_on


def next_unlock_on(contract: Contract, after: dt.date) -> dt.date | None:
    """The first business date after *after* on which a further content opens; None: there is none.

    A one-off purchase opens contents up to its expiry, which is the system's largest date unless set by hand (R-053): how
    many contents a product has is not known here.
    """
    days = (next_renewal(contract.start_on, interval, after) for _, interval in _unlocking(contract))
    day = min(days, default=None)
    last = contract.expires_on if contract.plan.cycle is None else None
    return None if day is None or (last is not None and day > last) else day


def unlocks_between(contract: Contract, after: dt.date, before: dt.date) -> Iterator[dt.date]:
    """The business dates strictly between the two on which a further content opens."""
    day = next_unlock_on(contract, after)
    while day is not None and day < before:
        yield day
        day = next_unlock_on(contract, day)


def contents_due(
    contract: Contract, on: dt.date, known: Sequence[License], new_id: Callable[[], str]
) -> tuple[License, ...]:
    """The licences of the further contents that open on business date *on*.

    They belong to the row that paid for the product; if its licence was removed by a refund, nothing more opens (R-083).

    :param known: all licences of the contract so far, removed ones included.
    """
    return tuple(
        License(new_id(), contract.id, product.code, f"#{len(before) + 1}", before[0].entry_id, on)
        for product, interval in _unlocking(contract)
        if (before := [one for one in known if one.product == product.code])
        and before[0].state is not LicenseState.REMOVED
        and is_renewal_day(contract.start_on, interval, on)
    )


def unlock(
    contract: Contract,
    on: dt.date,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    licences: Iterable[License] = (),
) -> Settlement:
    """Open the contents that are due on business date *on*, see :func:`contents_due`.

    :param licences: all licences of the contract, removed ones included.
    :raises OperationNotAllowed: the contract neither stands nor runs, or nothing is due on *on* at *now*.
    :raises NaiveDatetime: *now* has no zone (R-002).
    """
    now = require_aware(now, "now")
    due = next_unlock_on(contract, opened_until(contract))
    if contract.status not in OPENING or due != on or on > business_date(now, rules.zone):
        raise OperationNotAllowed(
            f"contract {contract.id} is {contract.status.value}: no content opens on {on}", rule="R-082"
        )
    opened = contents_due(contract, on, tuple(licences), new_id)
    after = attrs.evolve(contract, unlocked_on=on)
    record = change(
        contract,
        after,
        id=new_id(),
        at=now,
        actor=Actor.scheduler(),
        action="unlock",
        facts={"on": on.isoformat(), "opened": [f"{one.product} {one.scope}" for one in opened]},
    )
    return Settlement(after, licences=opened, audit=(record,))
