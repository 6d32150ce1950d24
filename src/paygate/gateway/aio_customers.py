"""The customers namespace of the async face. ``sync_customers.py`` is generated from this module."""

from __future__ import annotations

import datetime as dt

from ..billing import credentials, customers
from ..billing.credentials import Refreshed, StoredCredential
from ..domain.contract import Actor, Customer
from .aio_contracts import ADMIN, AsyncNamespace
from .cursor import AsyncCursor

__all__ = ["AsyncCredentials", "AsyncCustomers"]


class AsyncCustomers(AsyncNamespace):
    """The people who have contracts: each made with the first contract, and removed with the last."""

    async def get(self, customer_id: str) -> Customer:
        """One customer.

        :raises NotFound: there is none.
        """
        return await self._run(customers.get(self._services, customer_id))

    def list(self, *, email: str | None = None, page_size: int = 100) -> AsyncCursor[Customer]:
        """All customers by id, or those with exactly this address."""

        async def fetch(after: str | None) -> tuple[list[Customer], str | None]:
            return await self._run(customers.page(self._services, after, page_size, email=email))

        return AsyncCursor(fetch)

    async def update(
        self,
        customer_id: str,
        *,
        name: str | None = None,
        email: str | None = None,
        reason: str = "",
        actor: Actor = ADMIN,
    ) -> Customer:
        """Change a customer's name or address; all mails go to the new one from then on (R-406).

        :param name: None leaves it as it is; an empty text removes it. :param email: the same.
        :returns: the customer as stored.
        :raises InvalidValue: not one line, or no address.
        :raises PermissionDenied: neither an administrator nor the customer themselves.
        """
        return await self._run(
            customers.update(self._services, customer_id, name=name, email=email, reason=reason, actor=actor)
        )


class AsyncCredentials(AsyncNamespace):
    """Stored cards, without their tokens: what providers tell of them, and revoking them (R-405)."""

    async def list(self, customer_id: str, *, refresh: bool = False) -> tuple[StoredCredential, ...]:
        """The stored cards that a customer's contracts are paid from, or were.

        :param refresh: ask the providers that tell about them; one that does not answer leaves what was known.
        :raises NotFound: there is no such customer.
        """
        return await self._run(credentials.listed(self._services, customer_id, again=refresh))

    async def get(self, customer_id: str, credential_id: str) -> StoredCredential:
        """One of a customer's stored cards.

        :raises NotFound: the customer has none of that id.
        """
        return await self._run(credentials.get(self._services, customer_id, credential_id))

    async def revoke(
        self, customer_id: str, credential_id: str, *, reason: str = "", actor: Actor = ADMIN
    ) -> StoredCredential:
        """Have the provider forget a stored card for good.

        :raises OperationNotAllowed: a contract that has not ended is paid from it: give that another card first; or a charge
            on it has no result yet.
        :raises CapabilityNotSupported: only the provider's own screen does that.
        :raises ProviderError: the provider refused or did not answer; ask again.
        """
        return await self._run(
            credentials.revoke(self._services, customer_id, credential_id, reason=reason, actor=actor)
        )

    async def refresh(self, *, older_than: dt.timedelta = dt.timedelta(days=30), limit: int = 1000) -> Refreshed:
        """Ask the providers about the cards of contracts that live, so that people are told in time that they end (R-408).

        :param older_than: a card that was asked about since then is left alone.
        :param limit: how many to ask about at most; the next call goes on.
        """
        return await self._run(credentials.refresh(self._services, older_than=older_than, limit=limit))
