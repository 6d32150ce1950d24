"""Customers: found, listed, and their names and addresses put right (R-406)."""

from __future__ import annotations

import re
from functools import partial

import attrs

from ..domain.audit import AuditRecord
from ..domain.contract import Actor, ActorKind, Customer
from ..errors import InvalidValue, PermissionDenied
from ..flow import call
from ..notices import OperationProposal
from ..store import Session
from . import permission
from .services import Services

__all__ = ["get", "page", "update"]

#: One address, loosely: whether mail arrives there, only mail can tell.
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")


async def get(services: Services, customer_id: str) -> Customer:
    """One customer; raises NotFound."""

    def look() -> Customer:
        with services.store.read() as session:
            return session.customers.get(customer_id)

    return await call(look)


async def page(
    services: Services, after: str | None, size: int, *, email: str | None
) -> tuple[list[Customer], str | None]:
    """A page of customers by id, and where the next page goes on.

    :param email: only those with exactly this address.
    """
    if type(size) is not int or not 1 <= size <= 10_000:
        raise InvalidValue(f"page_size is a whole number from 1 to 10,000, got {size!r}")

    def look() -> list[Customer]:
        with services.store.read() as session:
            return session.customers.page(email, after, size)

    found = await call(look)
    return found, found[-1].id if len(found) == size else None


async def update(
    services: Services, customer_id: str, *, name: str | None, email: str | None, reason: str, actor: Actor
) -> Customer:
    """Change a name or an address; None leaves it, an empty text removes it.

    The audit record names what changed and not the values: names and addresses are in one table alone.

    :raises PermissionDenied: neither an administrator nor the customer (R-267).
    """
    for given, what in ((name, "name"), (email, "email")):
        if given is not None and (not isinstance(given, str) or "\n" in given or "\r" in given):
            raise InvalidValue(f"{what} is a text on one line", rule="R-406")
    if email and not _ADDRESS.fullmatch(email):
        raise InvalidValue("email is one address, for example hanako@example.com", rule="R-406")
    own = actor.kind is ActorKind.CUSTOMER and actor.id == customer_id
    if actor.kind is not ActorKind.ADMIN and not own:
        raise PermissionDenied(f"{actor} may not change customer {customer_id}", rule="R-267")

    def find(session: Session) -> OperationProposal:
        session.customers.get(customer_id)
        return OperationProposal("update_customer", actor)

    await permission.ask(services, find)
    return await call(partial(_update, services, customer_id, name, email, reason, actor))


def _update(
    services: Services, customer_id: str, name: str | None, email: str | None, reason: str, actor: Actor
) -> Customer:
    with services.store.write() as session:
        known = session.customers.get(customer_id)
        given = {"name": name, "email": email}
        changed = attrs.evolve(known, **{field: text for field, text in given.items() if text is not None})
        fields = [field for field in given if getattr(changed, field) != getattr(known, field)]
        if not fields:
            return known
        session.customers.update(changed)
        record = AuditRecord(
            services.new_id(), services.now(), actor, "update_customer", None, {},
            {"customer": customer_id, "changed": fields}, reason,
        )  # fmt: skip
        session.audit.insert_many([record])
    return changed
