"""What lies between two dates, and what needs to be looked after in time (X-13, X-15, X-26). Reads only."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import attrs

from ..clock import business_date
from ..domain.calendar import years_later
from ..domain.charge import Charge, Refund
from ..domain.charging import window_closes_at
from ..domain.contract import Contract, Customer, Status
from ..domain.due import next_due_on
from ..domain.ledger import LedgerEntry
from ..errors import InvalidValue
from ..flow import call
from ..plugins.account import Account
from ..store import Session
from ..store.reports import Key, Span
from .listing import check_page_size
from .services import Services

__all__ = [
    "ClosingWindow",
    "ContractOn",
    "ContractReport",
    "assumed",
    "charged",
    "closing_windows",
    "contracts",
    "disputed",
    "failed",
    "refunded",
    "requires_action",
]

T = TypeVar("T")

#: Where a list of closing windows goes on: the account, and the page within its list.
_Place = tuple[str, Key | None]

#: In which no additional charge is ever offered, so that no window matters (R-187).
_NOT_CHARGEABLE = frozenset({Status.PENDING_PAYMENT, Status.CANCELED})


class ContractReport(enum.Enum):
    """By which date contracts are listed."""

    DUE = "due"
    STARTING = "starting"
    ENDING = "ending"
    PAST_DUE = "past due"


@attrs.frozen
class ContractOn:
    """A contract, and the business date by which it is listed."""

    on: dt.date
    contract: Contract


@attrs.frozen
class ClosingWindow:
    """A customer who can soon no longer be charged additionally (R-197).

    :param last_paid_at: the customer's last payment through the account, whatever contract it was for, UTC (R-200).
    :param closes_at: from this instant on additional charges are refused, UTC (R-199).
    :param contract_ids: the contracts through which the customer can be charged until then.
    """

    account: str
    customer: Customer
    last_paid_at: dt.datetime
    closes_at: dt.datetime
    contract_ids: tuple[str, ...]


async def contracts(
    services: Services,
    report: ContractReport,
    after: Key | None,
    size: int,
    *,
    since: dt.date | None,
    until: dt.date | None,
    account: str | None,
) -> tuple[list[ContractOn], Key | None]:
    """A page of contracts by date, from *since* up to and including *until*, and where the next page goes on."""
    instants = report is ContractReport.PAST_DUE
    span = _span(services, since, until, account, instants=instants)

    def look(session: Session) -> tuple[list[Contract], Key | None]:
        match report:
            case ContractReport.DUE:
                return session.reports.due(span, after, size)
            case ContractReport.STARTING:
                return session.reports.starting(span, after, size)
            case ContractReport.ENDING:
                return session.reports.ending(span, after, size)
            case ContractReport.PAST_DUE:
                return session.reports.past_due(span, after, size)

    page, key = await _read(services, size, look)
    return [ContractOn(_listed_on(services, report, contract), contract) for contract in page], key


def _listed_on(services: Services, report: ContractReport, contract: Contract) -> dt.date:
    if report is ContractReport.ENDING and contract.cancellation is not None:
        return contract.cancellation.effective_on
    if report is ContractReport.PAST_DUE and contract.past_due is not None:
        return business_date(contract.past_due.since, services.rules.zone)
    return next_due_on(contract) or contract.start_on


async def charged(
    services: Services,
    after: Key | None,
    size: int,
    *,
    since: dt.date | None,
    until: dt.date | None,
    account: str | None,
) -> tuple[list[LedgerEntry], Key | None]:
    """A page of what was charged through providers, by the day on which the money was taken."""
    span = _span(services, since, until, account, instants=True)
    return await _read(services, size, lambda session: session.reports.charged(span, after, size))


async def failed(
    services: Services,
    after: Key | None,
    size: int,
    *,
    since: dt.date | None,
    until: dt.date | None,
    account: str | None,
) -> tuple[list[Charge], Key | None]:
    """A page of charges that failed, by the day on which that became known."""
    span = _span(services, since, until, account, instants=True)
    return await _read(services, size, lambda session: session.reports.failed(span, after, size))


async def requires_action(
    services: Services, after: str | None, size: int, *, account: str | None
) -> tuple[list[Charge], str | None]:
    """A page of charges that wait for their customer, oldest first (R-335)."""

    def look() -> list[Charge]:
        with services.store.read() as session:
            return session.charges.awaited(account, after, size)

    page = await call(look)
    return page, page[-1].id if len(page) == size else None


async def refunded(
    services: Services,
    after: Key | None,
    size: int,
    *,
    since: dt.date | None,
    until: dt.date | None,
    account: str | None,
) -> tuple[list[Refund], Key | None]:
    """A page of refunds that are done, by hand or not, by the day on which that became known."""
    span = _span(services, since, until, account, instants=True)
    return await _read(services, size, lambda session: session.reports.refunded(span, after, size))


async def disputed(
    services: Services,
    after: Key | None,
    size: int,
    *,
    since: dt.date | None,
    until: dt.date | None,
    account: str | None,
) -> tuple[list[LedgerEntry], Key | None]:
    """A page of disputes, by the day on which they became known (R-316)."""
    span = _span(services, since, until, account, instants=True)
    return await _read(services, size, lambda session: session.reports.disputed(span, after, size))


async def assumed(
    services: Services, after: Key | None, size: int, *, days: int
) -> tuple[list[LedgerEntry], Key | None]:
    """A page of renewals that were taken as paid at least *days* days ago and are not confirmed (X-15, R-037)."""
    span = Span(before=services.today() - dt.timedelta(days=_whole("days", days) - 1))
    return await _read(services, size, lambda session: session.reports.assumed(span, after, size))


async def closing_windows(
    services: Services, after: _Place | None, size: int, *, within_days: int, account: str | None
) -> tuple[list[ClosingWindow], _Place | None]:
    """A page of customers whose window closes within so many days, account by account (X-13, R-197 to R-203)."""
    days = dt.timedelta(days=_whole("within_days", within_days))
    accounts = [services.plugins.account(account)] if account is not None else list(services.plugins)
    limited = sorted((one for one in accounts if _limited(one)), key=lambda one: one.name)
    if after is not None:
        limited = [one for one in limited if one.name >= after[0]]
    if not limited:
        return [], None
    first, *others = limited
    key = after[1] if after is not None and after[0] == first.name else None
    page, key = await _read(services, size, partial(_closing, services, first, days, key, size))
    if key is not None:
        return page, (first.name, key)
    return page, (others[0].name, None) if others else None


def _limited(account: Account) -> bool:
    declared = account.capabilities
    return declared.additional_charge and declared.charge_window_years is not None


def _closing(
    services: Services, account: Account, days: dt.timedelta, after: Key | None, size: int, session: Session
) -> tuple[list[ClosingWindow], Key | None]:
    now, zone = services.now(), services.rules.zone
    years = account.capabilities.charge_window_years or 0
    # a window closes on the calendar, which knows leap days: look a little too far on both sides, then decide exactly
    margin = dt.timedelta(days=2)
    span = Span(years_later(now, -years, zone) - margin, years_later(now + days, -years, zone) + margin, account.name)
    payments, key = session.reports.last_payments(span, after, size)
    closing = []
    for payment in payments:
        closes_at = window_closes_at(payment.received_at, account.capabilities, zone)
        if closes_at is None or not now < closes_at <= now + days:
            continue
        open_ones = tuple(
            contract.id
            for contract in session.contracts.page(customer_id=payment.customer_id, account=account.name, limit=1000)
            if contract.credential is not None and contract.status not in _NOT_CHARGEABLE
        )
        if open_ones:
            customer = session.customers.get(payment.customer_id)
            closing.append(ClosingWindow(account.name, customer, payment.received_at, closes_at, open_ones))
    return closing, key


def _whole(name: str, days: int) -> int:
    if type(days) is not int or not 0 <= days <= 3660:
        raise InvalidValue(f"{name} is a whole number of days from 0 to 3660, got {days!r}")
    return days


def _span(
    services: Services, since: dt.date | None, until: dt.date | None, account: str | None, *, instants: bool
) -> Span:
    """The days from *since* up to and including *until*; as *instants*, from midnight to midnight (R-001)."""
    for name, day in (("since", since), ("until", until)):
        if day is not None and (not isinstance(day, dt.date) or isinstance(day, dt.datetime)):
            raise InvalidValue(f"{name} is a datetime.date in the business zone, got {day!r}", rule="R-001")
    if since is not None and until is not None and until < since:
        raise InvalidValue(f"the days from {since} to {until} are none; give the earlier one as since")
    if account is not None:
        services.plugins.account(account)  # a misspelt one is an error, not an empty list
    before = None if until is None else until + dt.timedelta(days=1)
    if not instants:
        return Span(since, before, account)
    return Span(_midnight(services, since), _midnight(services, before), account)


def _midnight(services: Services, day: dt.date | None) -> dt.datetime | None:
    return None if day is None else dt.datetime.combine(day, dt.time(), services.rules.zone)


async def _read(
    services: Services, size: int, look: Callable[[Session], tuple[list[T], Key | None]]
) -> tuple[list[T], Key | None]:
    check_page_size(size)

    def work() -> tuple[list[T], Key | None]:
        with services.store.read() as session:
            return look(session)

    return await call(work)
