"""The customers namespace of the async face. ``sync_customers.py`` is generated from this module."""

from __future__ import annotations

from ..billing import customers
from ..domain.contract import Actor, Customer
from .aio_contracts import ADMIN, AsyncNamespace
from .cursor import AsyncCursor

__all__ = ["AsyncCustomers"]


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
