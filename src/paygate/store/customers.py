"""Customers as rows. The one table with personal data; nothing else copies names or addresses."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.contract import Customer
from .mapping import found
from .statements import Pages, Runner, Statement, value, values
from .tables import customers

__all__ = ["Customers"]

_GET = Statement(
    sa.select(customers.c.id, customers.c.name, customers.c.email).where(customers.c.id == value(customers.c.id))
)


def _upsert(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    fresh = insert.values(values(customers.c)).inline()
    kept = {
        column: sa.func.coalesce(sa.func.nullif(fresh.excluded[column.key], ""), column)
        for column in (customers.c.name, customers.c.email)
    }
    return fresh.on_conflict_do_update(
        index_elements=[customers.c.id], set_={**kept, customers.c.updated_at: fresh.excluded.updated_at}
    )


_UPSERT = Statement(_upsert(sqlite.insert(customers)), postgresql=_upsert(postgresql.insert(customers)))


_PAGES = Pages([customers.c.id, customers.c.name, customers.c.email], customers.c.id)
_UPDATE = Statement(
    customers.update()
    .where(customers.c.id == value(customers.c.id))
    .values(values((customers.c.name, customers.c.email, customers.c.updated_at)))
)


class Customers:
    """The customers of the store."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def get(self, id: str) -> Customer:  # noqa: A002 - the field's own name
        """:raises NotFound: there is no such customer."""
        id_, name, email = found(self._runner.first(_GET, {"id": id}), "customer", id)
        return Customer(id_, name, email)

    def page(self, email: str | None, after: str | None, limit: int) -> list[Customer]:
        """Up to *limit* customers by id, from the first one after the id *after* on; with that address only, if one is given."""
        rows = _PAGES.rows(self._runner, {"email": email}, after, limit)
        return [Customer(id_, name, email_) for id_, name, email_ in rows]

    def update(self, customer: Customer) -> None:
        """Store name and address of a known customer, also where they are empty.

        :raises NotFound: there is no such customer.
        """
        given = {"id": customer.id, "name": customer.name, "email": customer.email, "updated_at": self._runner.now()}
        found((customer.id,) if self._runner.change(_UPDATE, given) else None, "customer", customer.id)

    def upsert(self, customer: Customer) -> None:
        """Store *customer*; a name or address that is empty leaves the stored one as it is."""
        given = {
            "id": customer.id,
            "name": customer.name,
            "email": customer.email,
            "updated_at": self._runner.now(),
        }
        self._runner.change(_UPSERT, given)
