"""What providers report to have taken back of charges, as rows; each refund, total and dispute once (R-314)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ..domain.returning import Return, ReturnKind, ReturnState
from ..money import Money
from .mapping import found
from .statements import Row, Runner, Statement, insert_all, value, values
from .tables import returns

__all__ = ["Returns"]

_SELECTED = [column for column in returns.c if column.key != "seq"]
_INSERT = Statement(insert_all(returns))
_CHANGED = (
    "charge_id",
    "contract_id",
    "charge_reference",
    "state",
    "amount",
    "currency",
    "seen_at",
    "due_by",
    "reason",
)
_UPDATE = Statement(
    returns.update().where(returns.c.id == value(returns.c.id)).values(values(returns.c[name] for name in _CHANGED))
)
_GET = Statement(
    sa.select(*_SELECTED).where(
        returns.c.account == value(returns.c.account),
        returns.c.kind == value(returns.c.kind),
        returns.c.reference == value(returns.c.reference),
    )
)
_OF_CHARGE = Statement(
    sa.select(*_SELECTED)
    .where(
        sa.or_(
            returns.c.charge_id == value(returns.c.charge_id),
            sa.and_(
                returns.c.charge_id == sa.literal_column("''"),
                returns.c.account == value(returns.c.account),
                returns.c.charge_reference == value(returns.c.charge_reference),
            ),
        )
    )
    .order_by(returns.c.seq)
)


def _columns_of(one: Return) -> dict[str, Any]:
    return {
        "id": one.id,
        "account": one.account,
        "charge_id": one.charge_id,
        "contract_id": one.contract_id,
        "charge_reference": one.charge_reference,
        "kind": one.kind.value,
        "reference": one.reference,
        "state": one.state.value,
        "amount": one.amount.minor,
        "currency": one.amount.currency,
        "seen_at": one.seen_at,
        "due_by": one.due_by,
        "reason": one.reason,
    }


def _return_of(row: Row) -> Return:
    (
        id_, account, charge_id, contract_id, charge_reference, kind, reference, state, amount, currency, seen_at,
        due_by, reason,
    ) = row  # fmt: skip
    return Return(
        id=id_,
        account=account,
        charge_id=charge_id,
        contract_id=contract_id,
        charge_reference=charge_reference,
        kind=ReturnKind(kind),
        reference=reference,
        state=ReturnState(state),
        amount=Money(amount, currency),
        seen_at=seen_at,
        due_by=due_by,
        reason=reason,
    )


class Returns:
    """The facts about money that went back."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def get(self, account: str, kind: ReturnKind, reference: str) -> Return | None:
        """The fact of that kind under the provider's *reference*, if it is known."""
        row = self._runner.first(_GET, {"account": account, "kind": kind.value, "reference": reference})
        return None if row is None else _return_of(row)

    def insert(self, one: Return) -> None:
        """Write a fact down."""
        self._runner.change(_INSERT, _columns_of(one))

    def update(self, one: Return) -> None:
        """Store how it stands now.

        :raises NotFound: there is no such fact.
        """
        given = _columns_of(one)
        changed = {name: given[name] for name in ("id", *_CHANGED)}
        found((one.id,) if self._runner.change(_UPDATE, changed) else None, "return", one.id)

    def of_charge(self, charge_id: str, account: str, reference: str | None) -> list[Return]:
        """All facts of one charge, and those about its payment *reference* that came before the charge; oldest first."""
        given = {"charge_id": charge_id, "account": account, "charge_reference": reference}
        return [_return_of(row) for row in self._runner.all(_OF_CHARGE, given)]
