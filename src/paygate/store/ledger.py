"""The sales ledger as rows (R-235 to R-240). Rows are never edited; their state changes, and the caller audits it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from ..domain.ledger import EntryKind, EntryState, LedgerEntry
from ..errors import ChangedMeanwhile, InvalidValue
from ..money import Money
from .mapping import actor, found
from .statements import Pages, Row, Runner, Statement, insert_all, value, values
from .tables import PAID, REFUND_DUE, charges, ledger

__all__ = ["Ledger", "entry_of"]

_SELECTED = [column for column in ledger.c if column.key != "seq"]

_ID = next(rule for rule in ledger.constraints if rule.name == "paygate_ledger_id_key")
_PERIOD = next(index for index in ledger.indexes if index.name == "paygate_ledger_period")

_INSERT = Statement(insert_all(ledger))
_SET_STATE = Statement(
    ledger.update()
    .where(ledger.c.id == value(ledger.c.id))
    .values(
        {
            ledger.c.state: value(ledger.c.state),
            **{
                column: sa.func.coalesce(value(column), column)
                for column in (
                    ledger.c.remarks,
                    ledger.c.reference,
                    ledger.c.done_on,
                    ledger.c.received_at,
                    ledger.c.due_by,
                )
            },
        }
    )
)
_FOLLOWED = ("amount", "state", "reference", "refunds", "done_on", "due_by", "remarks")
_FOLLOW = Statement(
    ledger.update().where(ledger.c.id == value(ledger.c.id)).values(values(ledger.c[name] for name in _FOLLOWED))
)
_GET = Statement(sa.select(*_SELECTED).where(ledger.c.id == value(ledger.c.id)))


def _all(condition: sa.ColumnElement[bool]) -> Statement:
    return Statement(sa.select(*_SELECTED).where(condition).order_by(ledger.c.seq))


_FOR_CONTRACT = _all(ledger.c.contract_id == value(ledger.c.contract_id))
# through the charge's contract, whose rows are few: that spares every row of the ledger one more index to keep
_FOR_CHARGE = _all(
    sa.and_(
        ledger.c.contract_id
        == sa.select(charges.c.contract_id).where(charges.c.id == sa.bindparam("charge_id")).scalar_subquery(),
        ledger.c.charge_id == value(ledger.c.charge_id),
    )
)
_REFUNDS_OF = _all(ledger.c.refunds == value(ledger.c.refunds))
_DUES = Statement(sa.select(*_SELECTED).where(REFUND_DUE).order_by(ledger.c.target_on, ledger.c.seq))
_LAST_PAID = Statement(
    sa.select(ledger.c.received_at)
    .where(
        ledger.c.customer_id == value(ledger.c.customer_id),
        ledger.c.account == value(ledger.c.account),
        PAID,
    )
    .order_by(ledger.c.received_at.desc())
    .limit(1)
)
_PAGES = Pages(_SELECTED, ledger.c.seq, ledger.c.id)


def _columns_of(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "contract_id": entry.contract_id,
        "customer_id": entry.customer_id,
        "kind": entry.kind.value,
        "amount": entry.amount.minor,
        "currency": entry.amount.currency,
        "state": entry.state.value,
        "purchased_on": entry.purchased_on,
        "target_on": entry.target_on,
        "received_at": entry.received_at,
        "actor": str(entry.actor),
        "account": entry.account,
        "reference": entry.reference,
        "charge_id": entry.charge_id,
        "refunds": entry.refunds,
        "consent": entry.consent,
        "remarks": entry.remarks,
        "done_on": entry.done_on,
        "due_by": entry.due_by,
    }


def entry_of(row: Row) -> LedgerEntry:
    """The ledger row whose columns, all but the counter, are *row*."""
    (
        id_, contract_id, customer_id, kind, amount, currency, state, purchased_on, target_on, received_at, by, account,
        reference, charge_id, refunds, consent, remarks, done_on, due_by,
    ) = row  # fmt: skip
    return LedgerEntry(
        id=id_,
        contract_id=contract_id,
        customer_id=customer_id,
        kind=EntryKind(kind),
        amount=Money(amount, currency),
        state=EntryState(state),
        purchased_on=purchased_on,
        target_on=target_on,
        received_at=received_at,
        actor=actor(by),
        account=account,
        reference=reference,
        charge_id=charge_id,
        refunds=refunds,
        consent=consent,
        remarks=remarks,
        done_on=done_on,
        due_by=due_by,
    )


def _charged_once(period: str) -> ChangedMeanwhile:
    return ChangedMeanwhile(f"the period {period} has a row already; a period is charged once")


class Ledger:
    """The sales information of the store."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def insert(self, entry: LedgerEntry) -> None:
        """Add a row.

        :raises ChangedMeanwhile: the period has a PERIOD row that is not void: it is charged once.
        :raises InvalidValue: there is already a row of that id.
        """
        self.insert_many((entry,))

    def insert_many(self, entries: Iterable[LedgerEntry]) -> None:
        """Add rows in their order; raises what :meth:`insert` raises."""
        for entry in entries:
            try:
                self._runner.change(_INSERT, _columns_of(entry))
            except self._runner.integrity_error as error:
                if self._runner.breaks(error, _ID):
                    raise InvalidValue(f"there is already a ledger row {entry.id!r}") from error
                if self._runner.breaks(error, _PERIOD):
                    raise _charged_once(f"of {entry.target_on} on contract {entry.contract_id!r}") from error
                raise

    def get(self, id: str) -> LedgerEntry:  # noqa: A002
        """:raises NotFound: there is no such row."""
        return entry_of(found(self._runner.first(_GET, {"id": id}), "ledger row", id))

    def set_state(
        self,
        id: str,  # noqa: A002
        state: EntryState,
        *,
        remarks: str | None = None,
        reference: str | None = None,
        done_on: dt.date | None = None,
        received_at: dt.datetime | None = None,
        due_by: dt.datetime | None = None,
    ) -> None:
        """Move a row to *state*. Remarks, reference, day done, receipt (R-122) and deadline are kept where none is given.

        :raises NotFound: there is no such row.
        :raises ChangedMeanwhile: the row would count again beside another PERIOD row of the same period.
        """
        given = {
            "id": id,
            "state": state.value,
            "remarks": remarks,
            "reference": reference,
            "done_on": done_on,
            "received_at": received_at,
            "due_by": due_by,
        }
        try:
            changed = self._runner.change(_SET_STATE, given)
        except self._runner.integrity_error as error:
            if self._runner.breaks(error, _PERIOD):
                raise _charged_once(f"of ledger row {id!r}") from error
            raise
        found((id,) if changed else None, "ledger row", id)

    def follow(self, entry: LedgerEntry) -> None:
        """Let a row of what a provider took back say what the provider reports of it now: sum, state, name, sale (R-321).

        :raises NotFound: there is no such row.
        """
        given = _columns_of(entry)
        changed = {name: given[name] for name in ("id", *_FOLLOWED)}
        found((entry.id,) if self._runner.change(_FOLLOW, changed) else None, "ledger row", entry.id)

    def for_contract(self, contract_id: str) -> list[LedgerEntry]:
        """All rows of one contract, oldest first."""
        return self._list(_FOR_CONTRACT, {"contract_id": contract_id})

    def for_charge(self, charge_id: str) -> list[LedgerEntry]:
        """The rows that one charge paid for, in the order of writing."""
        return self._list(_FOR_CHARGE, {"charge_id": charge_id})

    def refunds_of(self, entry_id: str) -> list[LedgerEntry]:
        """The refund rows that point to one row, oldest first (R-238)."""
        return self._list(_REFUNDS_OF, {"refunds": entry_id})

    def dues(self) -> list[LedgerEntry]:
        """Manual refunds that nobody has done yet, by target day (R-096, R-250)."""
        return self._list(_DUES, {})

    def last_paid_at(self, customer_id: str, account: str) -> dt.datetime | None:
        """The customer's last successful payment through *account*: refunded ones count, zero yen do not (R-201)."""
        row = self._runner.first(_LAST_PAID, {"customer_id": customer_id, "account": account})
        return None if row is None else row[0]

    def page(
        self,
        contract_id: str | None = None,
        customer_id: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[LedgerEntry]:
        """Up to *limit* rows, newest last, from the first one after the id *after* on."""
        filters = {"contract_id": contract_id, "customer_id": customer_id}
        return [entry_of(row) for row in _PAGES.rows(self._runner, filters, after, limit)]

    def _list(self, statement: Statement, given: dict[str, Any]) -> list[LedgerEntry]:
        return [entry_of(row) for row in self._runner.all(statement, given)]
