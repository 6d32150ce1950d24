"""What lies between two dates, each list found by an index of its own and read in keyset pages (X-13, X-15, X-26)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import attrs
import sqlalchemy as sa

from ..domain.charge import Charge, Refund
from ..domain.contract import Contract, Status
from ..domain.ledger import LedgerEntry
from .charges import charge_of
from .claims import settled_columns
from .contracts import COLUMNS, contract_of
from .ledger import entry_of
from .refunds import refund_of
from .statements import Row, Runner, Statement
from .tables import ASSUMED, DISPUTES, FAILED, PAID, RETURNED, charges, contracts, ledger, one_of, paid, refunds

__all__ = ["Key", "Reports", "Span"]

T = TypeVar("T")

#: Where a page ended: the date or instant of its last row, and the row's own number or id.
Key = tuple[Any, Any]


@attrs.frozen
class Span:
    """From *since* on, and before *before*: business dates or instants, as the list has them; None: no bound.

    :param account: only what belongs to this account.
    """

    since: dt.date | None = None
    before: dt.date | None = None
    account: str | None = None


def _unindexed(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """*column*, whose own index is not to be used: it would find too much, and in another order than that of the dates."""
    return sa.func.coalesce(column, sa.literal_column("''"))


class _Dated(Generic[T]):
    """One list in the order of a date or instant.

    :param columns: what *convert* makes a value of.
    :param by: orders the list; *tie* is unique, and orders what is of one date.
    :param only: conditions that always hold.
    """

    def __init__(
        self,
        columns: Sequence[sa.Column[Any]],
        convert: Callable[[Row], T],
        by: sa.Column[Any],
        tie: sa.Column[Any],
        *only: sa.ColumnElement[bool],
    ) -> None:
        self._columns = columns
        self._convert = convert
        self._by = by
        self._tie = tie
        self._only = only
        self._statements: dict[tuple[str, ...], Statement] = {}

    def page(self, runner: Runner, span: Span, after: Key | None, limit: int) -> tuple[list[T], Key | None]:
        """Up to *limit* values after the key *after*, and the key of the last one; None: the list ends here."""
        last_by, last_tie = after or (None, None)
        wanted = {
            "since": span.since, "before": span.before, "account": span.account, "by": last_by, "tie": last_tie,
        }  # fmt: skip
        given = {name: wish for name, wish in wanted.items() if wish is not None}
        rows = runner.all(self.statement(*given), {**given, "limit": limit})
        ended = len(rows) < limit
        return [self._convert(row[:-2]) for row in rows], None if ended else (rows[-1][-2], rows[-1][-1])

    def statement(self, *given: str) -> Statement:
        """The statement for that combination of bounds, compiled once."""
        known = self._statements.get(given)
        if known is None:
            by, tie = self._by, self._tie
            known = self._statements[given] = Statement(
                sa.select(*self._columns, by, tie)
                .where(by.is_not(None), *self._only, *map(self._condition, (name for name in given if name != "tie")))
                .order_by(by, tie)
                .limit(sa.bindparam("limit", type_=sa.Integer))
            )
        return known

    def _condition(self, name: str) -> sa.ColumnElement[bool]:
        by, tie = self._by, self._tie
        parameter: sa.BindParameter[Any] = sa.bindparam(name, type_=by.type)
        match name:
            case "since":
                return by >= parameter
            case "before":
                return by < parameter
            case "account":
                account = by.table.c["account"]
                return _unindexed(account) == sa.bindparam(name, type_=account.type)
            case _:
                return sa.tuple_(by, tie) > sa.tuple_(parameter, sa.bindparam("tie", type_=tie.type))


def _contracts(by: sa.Column[Any], *only: sa.ColumnElement[bool]) -> _Dated[Contract]:
    return _Dated([contracts.c[name] for name in COLUMNS], contract_of, by, contracts.c.id, *only)


def _rows(table: sa.Table, convert: Callable[[Row], T], by: sa.Column[Any], *only: sa.ColumnElement[bool]) -> _Dated[T]:
    return _Dated(settled_columns(table), convert, by, table.c.seq, *only)


_later = ledger.alias("later")
#: No later payment of the same customer through the same account, whatever contract it was for (R-200).
_NEWEST = ~sa.exists().where(
    _later.c.customer_id == ledger.c.customer_id,
    _later.c.account == ledger.c.account,
    sa.tuple_(_later.c.received_at, _later.c.seq) > sa.tuple_(ledger.c.received_at, ledger.c.seq),
    paid(_later),
)

_DUE = _contracts(contracts.c.due_on)
_STARTING = _contracts(contracts.c.due_on, one_of(_unindexed(contracts.c.status), Status.NOT_STARTED))
_ENDING = _contracts(contracts.c.cancellation_effective_on)
_PAST_DUE = _contracts(contracts.c.past_due_since)
_CHARGED = _rows(ledger, entry_of, ledger.c.received_at, PAID, ledger.c.account.is_not(None))
_FAILED = _rows(charges, charge_of, charges.c.settled_at, FAILED)
_REFUNDED = _rows(refunds, refund_of, refunds.c.settled_at, RETURNED)
_DISPUTED = _rows(ledger, entry_of, ledger.c.received_at, DISPUTES)
_ASSUMED = _rows(ledger, entry_of, ledger.c.target_on, ASSUMED)
_LAST_PAYMENTS = _rows(ledger, entry_of, ledger.c.received_at, PAID, _NEWEST)


class Reports:
    """The lists of the store that are asked for by date. Every method gives a page and the key after which the next begins."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def due(self, span: Span, after: Key | None, limit: int) -> tuple[list[Contract], Key | None]:
        """Contracts by the business date on which a billing run next has something to do for them."""
        return _DUE.page(self._runner, span, after, limit)

    def starting(self, span: Span, after: Key | None, limit: int) -> tuple[list[Contract], Key | None]:
        """NOT_STARTED contracts by their start date."""
        return _STARTING.page(self._runner, span, after, limit)

    def ending(self, span: Span, after: Key | None, limit: int) -> tuple[list[Contract], Key | None]:
        """Contracts whose end is scheduled, by the business date on which it takes effect."""
        return _ENDING.page(self._runner, span, after, limit)

    def past_due(self, span: Span, after: Key | None, limit: int) -> tuple[list[Contract], Key | None]:
        """PAST_DUE contracts by the instant since which their payment is missing."""
        return _PAST_DUE.page(self._runner, span, after, limit)

    def charged(self, span: Span, after: Key | None, limit: int) -> tuple[list[LedgerEntry], Key | None]:
        """Payments through a provider by the instant at which the money was taken; refunded ones count."""
        return _CHARGED.page(self._runner, span, after, limit)

    def failed(self, span: Span, after: Key | None, limit: int) -> tuple[list[Charge], Key | None]:
        """FAILED charges by the instant at which that became known."""
        return _FAILED.page(self._runner, span, after, limit)

    def refunded(self, span: Span, after: Key | None, limit: int) -> tuple[list[Refund], Key | None]:
        """DONE refunds, those made by hand among them, by the instant at which that became known."""
        return _REFUNDED.page(self._runner, span, after, limit)

    def disputed(self, span: Span, after: Key | None, limit: int) -> tuple[list[LedgerEntry], Key | None]:
        """Disputes by the instant at which they became known, those that are decided among them."""
        return _DISPUTED.page(self._runner, span, after, limit)

    def assumed(self, span: Span, after: Key | None, limit: int) -> tuple[list[LedgerEntry], Key | None]:
        """Renewals that were taken as paid and are not confirmed, by their renewal day (R-037)."""
        return _ASSUMED.page(self._runner, span, after, limit)

    def last_payments(self, span: Span, after: Key | None, limit: int) -> tuple[list[LedgerEntry], Key | None]:
        """The latest payment of each customer through each account, by the instant of the payment (R-200, R-201)."""
        return _LAST_PAYMENTS.page(self._runner, span, after, limit)
