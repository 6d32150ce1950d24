"""Contradictions between the record and providers' reports, as rows. They outlive the contract that they are about."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.discrepancy import Discrepancy, DiscrepancyKind, Source
from ..money import Money
from ..provider import Outcome
from .mapping import actor, found
from .statements import Pages, Row, Runner, Statement, value, values
from .tables import OPEN_DISCREPANCY, discrepancies

__all__ = ["Discrepancies"]

_SELECTED = [column for column in discrepancies.c if column.key != "seq"]
#: Stands for a sum that the provider did not name, so that the unique rule counts it as a value.
_NOT_SAID = -1


def _once(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    table = discrepancies.c
    once = [table.attempt_id, table.kind, table.their_reference, table.their_amount, table.their_currency]
    return insert.values(values(_SELECTED)).inline().on_conflict_do_nothing(index_elements=once)


_INSERT = Statement(_once(sqlite.insert(discrepancies)), postgresql=_once(postgresql.insert(discrepancies)))
_CHANGED = ("our_reference", "our_state", "their_amount", "their_currency", "their_state", "resolved_at", "resolved_by",
            "note", "returned")  # fmt: skip
_UPDATE = Statement(
    discrepancies.update()
    .where(discrepancies.c.id == value(discrepancies.c.id))
    .values(values(discrepancies.c[name] for name in _CHANGED))
)
_OF_ATTEMPT = Statement(
    sa.select(*_SELECTED)
    .where(discrepancies.c.attempt_id == value(discrepancies.c.attempt_id))
    .order_by(discrepancies.c.seq)
)
_BY_REFERENCE = Statement(
    sa.select(*_SELECTED)
    .where(
        discrepancies.c.account == value(discrepancies.c.account),
        discrepancies.c.their_reference == value(discrepancies.c.their_reference),
    )
    .order_by(discrepancies.c.seq)
)
_PAGES = Pages(_SELECTED, discrepancies.c.seq, discrepancies.c.id)
_OPEN_PAGES = Pages(_SELECTED, discrepancies.c.seq, discrepancies.c.id, OPEN_DISCREPANCY)


def _columns_of(one: Discrepancy) -> dict[str, Any]:
    theirs = one.their_amount
    return {
        "id": one.id,
        "attempt_id": one.attempt_id,
        "charge_id": one.charge_id,
        "refund_id": one.refund_id,
        "contract_id": one.contract_id,
        "account": one.account,
        "kind": one.kind.value,
        "our_reference": one.our_reference,
        "our_amount": one.our_amount.minor,
        "our_currency": one.our_amount.currency,
        "our_state": one.our_state,
        "their_reference": one.their_reference or "",
        "their_amount": _NOT_SAID if theirs is None else theirs.minor,
        "their_currency": "" if theirs is None else theirs.currency,
        "their_state": one.their_state.value,
        "source": one.source.value,
        "seen_at": one.seen_at,
        "resolved_at": one.resolved_at,
        "resolved_by": one.resolved_by and str(one.resolved_by),
        "note": one.note,
        "returned": one.returned,
    }


def _discrepancy_of(row: Row) -> Discrepancy:
    (
        id_, _attempt, charge_id, refund_id, contract_id, account, kind, our_reference, our_amount, our_currency,
        our_state, their_reference, their_amount, their_currency, their_state, source, seen_at, resolved_at,
        resolved_by, note, back,
    ) = row  # fmt: skip
    return Discrepancy(
        id=id_,
        account=account,
        contract_id=contract_id,
        kind=DiscrepancyKind(kind),
        our_reference=our_reference,
        our_amount=Money(our_amount, our_currency),
        our_state=our_state,
        their_reference=their_reference or None,
        their_amount=Money(their_amount, their_currency) if their_currency else None,
        their_state=Outcome(their_state),
        source=Source(source),
        seen_at=seen_at,
        charge_id=charge_id,
        refund_id=refund_id,
        resolved_at=resolved_at,
        resolved_by=None if resolved_by is None else actor(resolved_by),
        note=note,
        returned=back,
    )


class Discrepancies:
    """The discrepancies of the store."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def insert(self, discrepancy: Discrepancy) -> bool:
        """Write it down unless the same is there already, perhaps by another process at this moment.

        :returns: whether it is new.
        """
        return self._runner.change(_INSERT, _columns_of(discrepancy)) == 1

    def update(self, discrepancy: Discrepancy) -> None:
        """Store what has become of it; what it is about never changes.

        :raises NotFound: there is no such discrepancy.
        """
        given = _columns_of(discrepancy)
        changed = {name: given[name] for name in ("id", *_CHANGED)}
        found((discrepancy.id,) if self._runner.change(_UPDATE, changed) else None, "discrepancy", discrepancy.id)

    def of_attempt(self, attempt_id: str) -> list[Discrepancy]:
        """All of one charge or refund, oldest first."""
        return [_discrepancy_of(row) for row in self._runner.all(_OF_ATTEMPT, {"attempt_id": attempt_id})]

    def by_reference(self, account: str, reference: str) -> list[Discrepancy]:
        """All about the payment that the provider knows as *reference*, oldest first."""
        given = {"account": account, "their_reference": reference}
        return [_discrepancy_of(row) for row in self._runner.all(_BY_REFERENCE, given)]

    def page(
        self,
        contract_id: str | None = None,
        account: str | None = None,
        charge_id: str | None = None,
        after: str | None = None,
        limit: int = 100,
        *,
        only_open: bool = True,
    ) -> list[Discrepancy]:
        """Up to *limit*, oldest first, from the first one after the id *after* on."""
        filters = {"contract_id": contract_id, "account": account, "charge_id": charge_id}
        pages = _OPEN_PAGES if only_open else _PAGES
        return [_discrepancy_of(row) for row in pages.rows(self._runner, filters, after, limit)]
