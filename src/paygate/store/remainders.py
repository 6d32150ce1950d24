"""The money of deleted contracts as rows (R-415)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from ..domain.after_deletion import Remainder, RemainderKind
from ..money import Money
from .mapping import actor, found
from .statements import Row, Runner, Statement, insert_all, value, values
from .tables import REMAINDER_DUE, remainders

__all__ = ["Remainders"]

_SELECTED = [column for column in remainders.c if column.key != "seq"]
_INSERT = Statement(insert_all(remainders))
_CHANGED = ("state", "done_on", "remarks")
_UPDATE = Statement(
    remainders.update()
    .where(remainders.c.id == value(remainders.c.id))
    .values(values(remainders.c[name] for name in _CHANGED))
)
_GET = Statement(sa.select(*_SELECTED).where(remainders.c.id == value(remainders.c.id)))
_OF_CONTRACT = Statement(
    sa.select(*_SELECTED)
    .where(remainders.c.contract_id == value(remainders.c.contract_id))
    .order_by(remainders.c.seq)
    .limit(1)
)
_OF_CHARGE = Statement(
    sa.select(*_SELECTED).where(remainders.c.charge_id == value(remainders.c.charge_id)).order_by(remainders.c.seq)
)
_BY_REFERENCE = Statement(
    sa.select(*_SELECTED)
    .where(remainders.c.account == value(remainders.c.account), remainders.c.reference == value(remainders.c.reference))
    .order_by(remainders.c.seq)
)
_DUES = Statement(sa.select(*_SELECTED).where(REMAINDER_DUE).order_by(remainders.c.seq))


def _columns_of(one: Remainder) -> dict[str, Any]:
    return {
        "id": one.id,
        "contract_id": one.contract_id,
        "kind": one.kind.value,
        "amount": one.amount.minor,
        "currency": one.amount.currency,
        "state": one.state,
        "actor": str(one.actor),
        "at": one.at,
        "account": one.account,
        "reference": one.reference,
        "charge_id": one.charge_id,
        "entry_id": one.entry_id,
        "refund_id": one.refund_id,
        "done_on": one.done_on,
        "remarks": one.remarks,
    }


def _remainder_of(row: Row) -> Remainder:
    (
        id_, contract_id, kind, amount, currency, state, by, at, account, reference, charge_id, entry_id, refund_id,
        done_on, remarks,
    ) = row  # fmt: skip
    return Remainder(
        id=id_,
        contract_id=contract_id,
        kind=RemainderKind(kind),
        amount=Money(amount, currency),
        state=state,
        actor=actor(by),
        at=at,
        account=account,
        reference=reference,
        charge_id=charge_id,
        entry_id=entry_id,
        refund_id=refund_id,
        done_on=done_on,
        remarks=remarks,
    )


class Remainders:
    """What is kept of the money of deleted contracts."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def insert_many(self, kept: Iterable[Remainder]) -> None:
        """Write them down in their order."""
        for one in kept:
            self._runner.change(_INSERT, _columns_of(one))

    def update(self, one: Remainder) -> None:
        """Store its state, the day done and the remarks.

        :raises NotFound: there is no such row.
        """
        given = _columns_of(one)
        changed = {name: given[name] for name in ("id", *_CHANGED)}
        found((one.id,) if self._runner.change(_UPDATE, changed) else None, "remainder", one.id)

    def get(self, id: str | None) -> Remainder | None:  # noqa: A002
        """The one of that id, if there is one."""
        return None if id is None else self._maybe(_GET, {"id": id})

    def of_contract(self, contract_id: str | None) -> Remainder | None:
        """The oldest of a deleted contract, which tells when that was."""
        return None if contract_id is None else self._maybe(_OF_CONTRACT, {"contract_id": contract_id})

    def of_charge(self, charge_id: str) -> list[Remainder]:
        """Refunds and dues of one charge, oldest first."""
        return [_remainder_of(row) for row in self._runner.all(_OF_CHARGE, {"charge_id": charge_id})]

    def by_reference(self, account: str, reference: str | None, kind: RemainderKind) -> Remainder | None:
        """The oldest of that kind that the provider knows as *reference*."""
        if reference is None:
            return None
        rows = map(_remainder_of, self._runner.all(_BY_REFERENCE, {"account": account, "reference": reference}))
        return next((one for one in rows if one.kind is kind), None)

    def dues(self) -> list[Remainder]:
        """What nobody has returned yet, oldest first."""
        return [_remainder_of(row) for row in self._runner.all(_DUES, {})]

    def _maybe(self, statement: Statement, given: dict[str, Any]) -> Remainder | None:
        row = self._runner.first(statement, given)
        return None if row is None else _remainder_of(row)
