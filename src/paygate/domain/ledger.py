"""The sales ledger: its rows, and what they add up to (R-235 to R-240)."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable

import attrs

from ..money import Money
from .contract import Actor, ActorKind

__all__ = ["EntryKind", "EntryState", "LedgerEntry", "net_sales", "refundable"]


class EntryKind(enum.Enum):
    """R-237, R-316. A one-off purchase is an INITIAL_FEE row."""

    INITIAL_FEE = "INITIAL_FEE"
    PERIOD = "PERIOD"
    ADDON = "ADDON"
    REFUND = "REFUND"
    MANUAL_REFUND_DUE = "MANUAL_REFUND_DUE"
    DISPUTE = "DISPUTE"  #: a customer's bank takes a sale back, or asks about it (R-316)

    @property
    def sale(self) -> bool:
        return self not in {EntryKind.REFUND, EntryKind.MANUAL_REFUND_DUE, EntryKind.DISPUTE}


class EntryState(enum.Enum):
    """Sales: ASSUMED … REFUNDED. Refund rows: PENDING, DONE, FAILED. Disputes: OPENED, LOST, WON (domain §2.6, R-316)."""

    ASSUMED = "ASSUMED"
    SUCCEEDED = "SUCCEEDED"
    UNPAID = "UNPAID"
    VOID = "VOID"
    REFUND_PENDING = "REFUND_PENDING"
    PARTLY_REFUNDED = "PARTLY_REFUNDED"  #: a part of it has gone back (R-320)
    REFUNDED = "REFUNDED"
    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"
    OPENED = "OPENED"  #: holds the disputed money: it still counts, and cannot be refunded
    LOST = "LOST"  #: the disputed money is gone
    WON = "WON"  #: the disputed money stays

    @property
    def received(self) -> bool:
        """Of a sale: whether its money came in, whatever has gone back since (R-201, R-240)."""
        return self in {
            EntryState.SUCCEEDED,
            EntryState.REFUND_PENDING,
            EntryState.PARTLY_REFUNDED,
            EntryState.REFUNDED,
        }

    @property
    def without_effect(self) -> bool:
        """Of a refund or dispute: whether it takes nothing from its sale."""
        return self in {EntryState.FAILED, EntryState.WON}


@attrs.frozen
class LedgerEntry:
    """One row of the sales information (R-236). Rows are never edited or removed, only change state with audit (R-235).

    ``refunds`` points from a refund or dispute to the row that it takes from (R-238). ``done_on`` is the day on which the
    money went back, or the dispute ended (R-250). ``due_by``: until when evidence against a dispute can be handed in, UTC.
    """

    id: str
    contract_id: str
    customer_id: str
    kind: EntryKind
    amount: Money
    state: EntryState
    purchased_on: dt.date
    target_on: dt.date
    received_at: dt.datetime
    actor: Actor
    account: str | None = None
    reference: str | None = None
    charge_id: str | None = None
    refunds: str | None = None
    consent: str = ""
    remarks: str = ""
    done_on: dt.date | None = None
    due_by: dt.datetime | None = None

    @property
    def origin(self) -> str:
        """Who moved the money: ``"provider"`` for what was done in its console or by a bank, else ``"paygate"`` (R-314)."""
        return "provider" if not self.kind.sale and self.actor.kind is ActorKind.PROVIDER else "paygate"


_REFUNDABLE = frozenset(
    {EntryState.SUCCEEDED, EntryState.REFUND_PENDING, EntryState.PARTLY_REFUNDED, EntryState.ASSUMED}
)


def refundable(entry: LedgerEntry, refunds: Iterable[LedgerEntry]) -> int:
    """Minor units of *entry* that can still be refunded (R-239, R-241).

    :param refunds: all rows that point to it. Pending refunds and open disputes count, failed and won ones do not.
    """
    if not entry.kind.sale or entry.state not in _REFUNDABLE:
        return 0
    return max(0, entry.amount.minor - _taken(entry, refunds))


def _taken(entry: LedgerEntry, refunds: Iterable[LedgerEntry]) -> int:
    return sum(row.amount.minor for row in refunds if row.refunds == entry.id and not row.state.without_effect)


def net_sales(entries: Iterable[LedgerEntry]) -> int:
    """Minor units: successful, non-void rows minus completed refunds and lost disputes (R-240, R-316)."""
    total = 0
    for row in entries:
        if row.kind.sale and row.state.received:
            total += row.amount.minor
        elif not row.kind.sale and row.state is (EntryState.LOST if row.kind is EntryKind.DISPUTE else EntryState.DONE):
            total -= row.amount.minor
    return total
