"""The sales ledger: its rows, and what they add up to (R-235 to R-240)."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable

import attrs

from ..money import Money
from .contract import Actor

__all__ = ["EntryKind", "EntryState", "LedgerEntry", "net_sales", "refundable"]


class EntryKind(enum.Enum):
    """R-237. A one-off purchase is an INITIAL_FEE row."""

    INITIAL_FEE = "INITIAL_FEE"
    PERIOD = "PERIOD"
    ADDON = "ADDON"
    REFUND = "REFUND"
    MANUAL_REFUND_DUE = "MANUAL_REFUND_DUE"

    @property
    def sale(self) -> bool:
        return self not in {EntryKind.REFUND, EntryKind.MANUAL_REFUND_DUE}


class EntryState(enum.Enum):
    """Sales: ASSUMED … REFUNDED. Refund rows: PENDING, DONE, FAILED (domain §2.6)."""

    ASSUMED = "ASSUMED"
    SUCCEEDED = "SUCCEEDED"
    UNPAID = "UNPAID"
    VOID = "VOID"
    REFUND_PENDING = "REFUND_PENDING"
    REFUNDED = "REFUNDED"
    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"


@attrs.frozen
class LedgerEntry:
    """One row of the sales information (R-236). Rows are never edited or removed, only change state with audit (R-235).

    ``refunds`` points from a refund row to the row it returns (R-238). ``refund_due_on`` and ``done_on`` belong to
    MANUAL_REFUND_DUE rows (R-096, R-250).
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


def refundable(entry: LedgerEntry, refunds: Iterable[LedgerEntry]) -> int:
    """Minor units of *entry* that can still be refunded (R-239, R-241).

    :param refunds: all refund rows that point to it; pending ones count, failed ones do not.
    """
    if not entry.kind.sale or entry.state not in {EntryState.SUCCEEDED, EntryState.REFUND_PENDING, EntryState.ASSUMED}:
        return 0
    taken = sum(row.amount.minor for row in refunds if row.refunds == entry.id and row.state is not EntryState.FAILED)
    return entry.amount.minor - taken


def net_sales(entries: Iterable[LedgerEntry]) -> int:
    """Minor units: successful, non-void rows minus completed refunds (R-240)."""
    total = 0
    for row in entries:
        if row.kind.sale and row.state in {EntryState.SUCCEEDED, EntryState.REFUND_PENDING, EntryState.REFUNDED}:
            total += row.amount.minor
        elif not row.kind.sale and row.state is EntryState.DONE:
            total -= row.amount.minor
    return total
