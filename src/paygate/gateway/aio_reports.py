"""The reports namespace of the async face. ``sync_reports.py`` is generated from this module."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ..billing import expiring_cards, health, overdue_renewals, reports
from ..billing.expiring_cards import ExpiringCard
from ..billing.health import Health
from ..billing.overdue_renewals import OverdueRenewal
from ..billing.reports import ClosingWindow, ContractOn, ContractReport
from ..domain.charge import Charge, Refund
from ..domain.ledger import LedgerEntry
from .aio_contracts import AsyncNamespace
from .cursor import AsyncCursor

__all__ = ["AsyncReports"]


class AsyncReports(AsyncNamespace):
    """Lists by date, over all contracts.

    *since* and *until* are business dates (JST), both included; None leaves that side open. The lists are read page by
    page while somebody iterates, each found by an index: they cost what they show, not what is stored.
    """

    def due(
        self,
        *,
        since: dt.date | None = None,
        until: dt.date | None = None,
        account: str | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[ContractOn]:
        """Contracts by the day on which a billing run next has something to do for them: start, renewal, end."""
        return self._contracts(ContractReport.DUE, since, until, account, page_size)

    def starting(
        self,
        *,
        since: dt.date | None = None,
        until: dt.date | None = None,
        account: str | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[ContractOn]:
        """NOT_STARTED contracts by their start date."""
        return self._contracts(ContractReport.STARTING, since, until, account, page_size)

    def ending(
        self,
        *,
        since: dt.date | None = None,
        until: dt.date | None = None,
        account: str | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[ContractOn]:
        """Contracts whose end is scheduled, by the day on which it takes effect; PAST_DUE ones that kept a notice too."""
        return self._contracts(ContractReport.ENDING, since, until, account, page_size)

    def expiring_cards(
        self,
        *,
        since: dt.date | None = None,
        until: dt.date | None = None,
        account: str | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[ExpiringCard]:
        """Contracts whose card ends before their next renewal, by the card's last day (R-408).

        Of which cards is known by when they were stored on a checkout's page, or last asked about: ``credentials.refresh``.
        """

        async def fetch(after: Any) -> tuple[list[ExpiringCard], Any]:
            return await self._run(
                expiring_cards.page(self._services, after, page_size, since=since, until=until, account=account)
            )

        return AsyncCursor(fetch)

    def past_due(
        self,
        *,
        since: dt.date | None = None,
        until: dt.date | None = None,
        account: str | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[ContractOn]:
        """PAST_DUE contracts by the day since which their payment is missing."""
        return self._contracts(ContractReport.PAST_DUE, since, until, account, page_size)

    def charged(
        self,
        *,
        since: dt.date | None = None,
        until: dt.date | None = None,
        account: str | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[LedgerEntry]:
        """Ledger rows of money that providers took, by the day of the payment; refunded ones are among them (R-201)."""

        async def fetch(after: Any) -> tuple[list[LedgerEntry], Any]:
            return await self._run(
                reports.charged(self._services, after, page_size, since=since, until=until, account=account)
            )

        return AsyncCursor(fetch)

    def failed(
        self,
        *,
        since: dt.date | None = None,
        until: dt.date | None = None,
        account: str | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[Charge]:
        """Charges that failed, by the day on which that became known."""

        async def fetch(after: Any) -> tuple[list[Charge], Any]:
            return await self._run(
                reports.failed(self._services, after, page_size, since=since, until=until, account=account)
            )

        return AsyncCursor(fetch)

    def requires_action(self, *, account: str | None = None, page_size: int = 100) -> AsyncCursor[Charge]:
        """Charges that wait for their customer, with link and deadline (``action_url``, ``action_until``), oldest first."""

        async def fetch(after: Any) -> tuple[list[Charge], Any]:
            return await self._run(reports.requires_action(self._services, after, page_size, account=account))

        return AsyncCursor(fetch)

    def refunded(
        self,
        *,
        since: dt.date | None = None,
        until: dt.date | None = None,
        account: str | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[Refund]:
        """Refunds that are done, those made by hand among them, by the day on which that became known."""

        async def fetch(after: Any) -> tuple[list[Refund], Any]:
            return await self._run(
                reports.refunded(self._services, after, page_size, since=since, until=until, account=account)
            )

        return AsyncCursor(fetch)

    def disputed(
        self,
        *,
        since: dt.date | None = None,
        until: dt.date | None = None,
        account: str | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[LedgerEntry]:
        """DISPUTE rows, open and decided, by the day on which the dispute became known (R-316).

        ``row.state`` says how each stands, ``row.due_by`` until when evidence can be handed in.
        """

        async def fetch(after: Any) -> tuple[list[LedgerEntry], Any]:
            return await self._run(
                reports.disputed(self._services, after, page_size, since=since, until=until, account=account)
            )

        return AsyncCursor(fetch)

    def assumed(self, *, days: int = 30, page_size: int = 100) -> AsyncCursor[LedgerEntry]:
        """Renewals without a card that were taken as paid and are still ASSUMED, the oldest first (X-15, R-037).

        :param days: how long ago the renewal day is at least; 0: all.
        """

        async def fetch(after: Any) -> tuple[list[LedgerEntry], Any]:
            return await self._run(reports.assumed(self._services, after, page_size, days=days))

        return AsyncCursor(fetch)

    def overdue_renewals(self, *, page_size: int = 100) -> AsyncCursor[OverdueRenewal]:
        """Periods that the provider charges and of which it has told nothing for days, the longest due first (R-392).

        After ``waiting.renewal_notice`` seconds, three days by default, the operator is told of each once.
        """

        async def fetch(after: Any) -> tuple[list[OverdueRenewal], Any]:
            return await self._run(overdue_renewals.page(self._services, after, page_size))

        return AsyncCursor(fetch)

    def closing_windows(
        self, *, within_days: int = 30, account: str | None = None, page_size: int = 100
    ) -> AsyncCursor[ClosingWindow]:
        """Customers who soon can no longer be charged additionally, because they last paid so long ago (X-13, R-197).

        By account, and within it by the last payment. Accounts without such a limit have none (R-203); customers without
        a contract that could be charged are left out.

        :param within_days: the window closes within so many days from now.
        """

        async def fetch(after: Any) -> tuple[list[ClosingWindow], Any]:
            return await self._run(
                reports.closing_windows(self._services, after, page_size, within_days=within_days, account=account)
            )

        return AsyncCursor(fetch)

    async def health(self, *, ping: bool = True) -> Health:
        """Whether all is in order: accounts, open attempts, the outbox, the runs; for a monitor.

        :param ping: whether to ask each account, which takes a request to each provider.
        :raises StoreError: the database cannot be used.
        """
        return await self._run(health.check(self._services, ping=ping))

    def _contracts(
        self,
        report: ContractReport,
        since: dt.date | None,
        until: dt.date | None,
        account: str | None,
        page_size: int,
    ) -> AsyncCursor[ContractOn]:
        async def fetch(after: Any) -> tuple[list[ContractOn], Any]:
            return await self._run(
                reports.contracts(self._services, report, after, page_size, since=since, until=until, account=account)
            )

        return AsyncCursor(fetch)
