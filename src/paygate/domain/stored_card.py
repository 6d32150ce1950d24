"""What is known of a stored card, and when people are told that it ends (R-405, R-408)."""

from __future__ import annotations

import calendar
import datetime as dt
import re

import attrs

from .calendar import next_renewal
from .contract import Contract, Status
from .followup import Next, Notice, NoticeKind, tell_both
from .running import product_ends_on

__all__ = ["StoredCard", "card_name", "expiring_notices", "first_charge_after", "last_day"]

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_RENEWING = frozenset({Status.NOT_STARTED, Status.ACTIVE, Status.SPECIAL_PERIOD, Status.PAST_DUE})


@attrs.frozen
class StoredCard:
    """What a provider has told of one stored card; None is "not told".

    :param brand: for example ``"visa"``; :param last4: the last digits of its number.
    :param expires_on: the last business date on which it can be charged.
    :param revoked_at: since when it is known to be gone, and :param seen_at: when the provider told, UTC.
    """

    brand: str | None = None
    last4: str | None = None
    expires_on: dt.date | None = None
    revoked_at: dt.datetime | None = None
    seen_at: dt.datetime | None = None


def last_day(expires: str | None) -> dt.date | None:
    """The last day of the month that a provider names as ``2030-12``; None for anything else.

    >>> last_day("2028-02"), last_day("12/30")
    (datetime.date(2028, 2, 29), None)
    """
    found = _MONTH.fullmatch(expires) if expires is not None else None
    if found is None:
        return None
    year, month = int(found[1]), int(found[2])
    return dt.date(year, month, calendar.monthrange(year, month)[1]) if 2000 <= year <= 2999 else None


def card_name(brand: str | None, last4: str | None) -> str | None:
    """How a stored card is named to people: ``visa 4242``; None if nothing is known of it.

    >>> card_name("visa", "4242"), card_name(None, None)
    ('visa 4242', None)
    """
    return " ".join(filter(None, (brand, last4))) or None


def first_charge_after(contract: Contract, day: dt.date) -> dt.date | None:
    """The first renewal day after *day* on which *contract* is charged, as far as is known; None: there is none.

    A contract that has been given notice of, or whose product ends before, is charged no more.
    """
    cycle = contract.plan.cycle
    if cycle is None or contract.status not in _RENEWING or contract.cancellation is not None:
        return None
    first = contract.start_on if contract.start_on > day else next_renewal(contract.start_on, cycle, day)
    ends_on = product_ends_on(contract.plan, contract.start_on)
    return None if ends_on is not None and first >= ends_on else first


def expiring_notices(contract: Contract, card: StoredCard) -> tuple[Notice, ...]:
    """Both sides learn that the card ends, if *contract* is charged after that (R-408)."""
    if card.expires_on is None or first_charge_after(contract, card.expires_on) is None:
        return ()
    return tell_both(
        NoticeKind.CARD_EXPIRING,
        contract,
        Next.REPLACE_CARD,
        card=card_name(card.brand, card.last4),
        card_expires_on=card.expires_on,
    )
