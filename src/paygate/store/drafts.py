"""Drafts of contracts that come into being when their provider has started its subscription.

Those that a first payment creates belong to their charge, see :mod:`.charges`. Here nothing is charged first: the draft
alone remembers that the provider may have been asked.
"""

from __future__ import annotations

from typing import Any

import attrs
import sqlalchemy as sa

from ..domain.contract import Contract, Customer
from ..domain.subscription import Subscription
from ..errors import IdempotencyConflict
from .contracts import COLUMNS, columns_of, contract_of
from .statements import Pages, Row, Runner, Statement, insert_all, value, values
from .tables import STARTING_DRAFT, drafts

__all__ = ["DRAFT_COLUMNS", "Draft", "Drafts", "draft_columns", "draft_of"]


@attrs.frozen
class Draft:
    """What a first payment, or the start of a subscription, will create: the contract as applied for, and its customer."""

    customer: Customer
    contract: Contract


#: The columns of a draft in the order in which :func:`draft_of` takes them.
DRAFT_COLUMNS = (drafts.c.customer_name, drafts.c.customer_email, *(drafts.c[name] for name in COLUMNS))

_STARTING = next(index for index in drafts.indexes if index.name == "paygate_drafts_starting")
_INSERT = Statement(insert_all(drafts))
_GET = Statement(sa.select(*DRAFT_COLUMNS).where(drafts.c.id == value(drafts.c.id), STARTING_DRAFT))
_UPDATE = Statement(
    drafts.update()
    .where(drafts.c.id == value(drafts.c.id), drafts.c.version == sa.bindparam("known_version"), STARTING_DRAFT)
    .values(values([drafts.c.version, drafts.c.subscription_asked_at, drafts.c.subscription_operator_told]))
)
_DROP = Statement(drafts.delete().where(drafts.c.id == value(drafts.c.id), STARTING_DRAFT))
_PAGES = Pages(DRAFT_COLUMNS, drafts.c.id, None, STARTING_DRAFT)


def draft_columns(draft: Draft, charge_id: str | None) -> dict[str, Any]:
    """The draft as the values of its columns."""
    return {
        **columns_of(draft.contract),
        "charge_id": charge_id,
        "customer_id": draft.customer.id,
        "customer_name": draft.customer.name,
        "customer_email": draft.customer.email,
    }


def draft_of(row: Row) -> Draft:
    """The draft whose columns :data:`DRAFT_COLUMNS` are *row*."""
    name, email, *rest = row
    contract = contract_of(rest)
    return Draft(Customer(contract.customer_id, name, email), contract)


class Drafts:
    """The contracts that wait for their provider's subscription, by the id that they will have.

    The version of a draft counts how often somebody began or gave up asking for it, so that nobody forgets a draft for
    which somebody else is asking.
    """

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def insert(self, draft: Draft) -> None:
        """:raises IdempotencyConflict: somebody has just written a draft of this contract."""
        try:
            self._runner.change(_INSERT, draft_columns(draft, None))
        except self._runner.integrity_error as error:
            if self._runner.breaks(error, _STARTING):
                raise IdempotencyConflict(
                    f"contract {draft.contract.id!r} is being made by another request; ask again for its result",
                    rule="R-190",
                ) from error
            raise

    def get(self, contract_id: str) -> Draft | None:
        """The draft of that contract, if it waits."""
        row = self._runner.first(_GET, {"id": contract_id})
        return None if row is None else draft_of(row)

    def update(self, draft: Draft, subscription: Subscription) -> Draft | None:
        """Store who asks for the draft's *subscription*; None if it is gone, or somebody else did so meanwhile."""
        known = draft.contract.version
        changed = self._runner.change(
            _UPDATE,
            {
                "id": draft.contract.id,
                "known_version": known,
                "version": known + 1,
                "subscription_asked_at": subscription.asked_at,
                "subscription_operator_told": subscription.operator_told,
            },
        )
        contract = attrs.evolve(draft.contract, subscription=subscription, version=known + 1)
        return attrs.evolve(draft, contract=contract) if changed else None

    def drop(self, contract_id: str) -> None:
        """Forget the draft: the contract exists now, or never will."""
        self._runner.change(_DROP, {"id": contract_id})

    def page(self, after: str | None, limit: int) -> list[Draft]:
        """Up to *limit* drafts in the order of the contracts' ids, from the first one after *after* on."""
        return [draft_of(row) for row in _PAGES.rows(self._runner, {}, after, limit)]

    def ids(self, after: str | None, limit: int) -> list[str]:
        """The ids of what :meth:`page` gives, without reading the drafts."""
        return _PAGES.keys(self._runner, {}, after, limit)
