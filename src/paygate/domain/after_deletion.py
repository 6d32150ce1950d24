"""What outlives a contract that was deleted: its payments and refunds by number, and what is owed (R-415, R-416).

Nothing in it names a person. A payment that only the seller can return is still owed when the contract is gone, and a
provider's event about a refund that paygate asked for has to be recognised.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from ..clock import JST, business_date
from ..money import Money
from .charge import Charge, Refund, RefundState
from .contract import Actor
from .deleting import Deletion, Kept
from .ledger import EntryKind, EntryState, LedgerEntry

__all__ = ["Remainder", "RemainderKind", "owed", "remainders"]


class RemainderKind(enum.Enum):
    """What a row is about."""

    CHARGE = "CHARGE"  #: a payment, or an attempt at one
    REFUND = "REFUND"  #: money that went back through the provider, or should have
    DUE = "DUE"  #: money that a person has to return


@attrs.frozen
class Remainder:
    """One fact about the money of a deleted contract.

    :param id: the charge's, the refund's, or the one to mark a due as done with.
    :param state: of a charge or refund as in their own records; of a due ``PENDING`` or ``DONE``.
    :param reference: the provider's id of the charge or refund; of a due that of the payment.
    :param charge_id: of a refund or due: the charge that is returned.
    :param entry_id: of a refund or due: the ledger row that was returned; it is gone.
    :param refund_id: of a due: the refund whose failure it comes from.
    :param at: UTC; of a due when it arose, else when the contract was deleted.
    :param done_on: of a due: the business date of the return.
    """

    id: str
    contract_id: str
    kind: RemainderKind
    amount: Money
    state: str
    actor: Actor
    at: dt.datetime
    account: str | None = None
    reference: str | None = None
    charge_id: str | None = None
    entry_id: str | None = None
    refund_id: str | None = None
    done_on: dt.date | None = None
    remarks: str = ""

    def entry(self, zone: dt.tzinfo = JST) -> LedgerEntry:
        """A due as the row of the ledger that it would be; the customer is no longer known, so the id is empty."""
        day = business_date(self.at, zone)
        return LedgerEntry(
            self.id,
            self.contract_id,
            "",
            EntryKind.MANUAL_REFUND_DUE,
            self.amount,
            EntryState(self.state),
            purchased_on=day,
            target_on=day,
            received_at=self.at,
            actor=self.actor,
            account=self.account,
            reference=self.reference,
            charge_id=self.charge_id,
            refunds=self.entry_id,
            remarks=self.remarks,
            done_on=self.done_on,
        )


def remainders(
    deletion: Deletion,
    charges: Iterable[Charge],
    entries: Sequence[LedgerEntry],
    refunds: Iterable[Refund],
    now: dt.datetime,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    tried: Sequence[Refund],
) -> list[Remainder]:
    """What stays when the contract of *deletion* is removed at *now*.

    :param deletion: as planned right before the removal.
    :param refunds: all of the contract, those of the deletion with their outcome.
    :param tried: the refunds that this deletion has made, as they ended. What came in meanwhile is not among them.
    """
    contract, rows = deletion.contract.id, {row.id: row for row in entries}
    returned = {made.entry_id for made in tried}
    kept = [
        Remainder(
            made.id,
            contract,
            RemainderKind.CHARGE,
            made.amount,
            made.state.value,
            actor,
            now,
            made.account,
            made.reference,
        )
        for made in charges
    ]
    kept += [  # what was imported has no charge
        Remainder(
            row.id, contract, RemainderKind.CHARGE, row.amount, row.state.value, actor, now, row.account, row.reference
        )
        for row in entries
        if row.kind.sale and row.charge_id is None and row.reference is not None
    ]
    kept += [_refund(made, rows, actor, now) for made in refunds if not made.by_hand]
    kept += [
        owed(made, rows[made.entry_id].reference, _payment_id(rows[made.entry_id]), now, new_id, actor=actor)
        for made in tried
        if made.state is RefundState.FAILED
    ]
    kept += [
        _due(rows[skipped.entry_id], skipped.left, "nobody but the seller can return it", new_id, actor, now)
        for skipped in deletion.skipped
        if skipped.why is Kept.BY_HAND and skipped.left
    ]
    kept += [
        _due(rows[late.entry.id], late.refund.amount, "it came in while the contract was deleted", new_id, actor, now)
        for late in deletion.refunds
        if late.entry.id not in returned
    ]
    kept += [
        attrs.evolve(
            _due(
                _sale(row, rows),
                row.amount,
                "noted before the contract was deleted",
                new_id,
                row.actor,
                row.received_at,
            ),
            id=row.id,
        )
        for row in entries
        if row.kind is EntryKind.MANUAL_REFUND_DUE and row.state is EntryState.PENDING
    ]
    return kept


def owed(
    refund: Refund | Remainder,
    payment: str | None,
    charge_id: str | None,
    now: dt.datetime,
    new_id: Callable[[], str],
    *,
    actor: Actor,
) -> Remainder:
    """What is owed because *refund* failed.

    :param payment: the provider's id of the payment that it should have returned.
    """
    return Remainder(
        new_id(),
        refund.contract_id,
        RemainderKind.DUE,
        refund.amount,
        EntryState.PENDING.value,
        actor,
        now,
        refund.account,
        payment,
        charge_id,
        refund.entry_id,
        refund.id,
        remarks=f"contract deleted; refund {refund.id} failed",
    )


def _refund(made: Refund, rows: Mapping[str, LedgerEntry], actor: Actor, now: dt.datetime) -> Remainder:
    return Remainder(
        made.id,
        made.contract_id,
        RemainderKind.REFUND,
        made.amount,
        made.state.value,
        actor,
        now,
        made.account,
        made.reference,
        _payment_id(rows[made.entry_id]),
        made.entry_id,
    )


def _payment_id(sale: LedgerEntry) -> str:
    return sale.charge_id or sale.id


def _sale(row: LedgerEntry, rows: Mapping[str, LedgerEntry]) -> LedgerEntry:
    return rows.get(row.refunds or "", row)


def _due(
    sale: LedgerEntry, left: Money, why: str, new_id: Callable[[], str], actor: Actor, at: dt.datetime
) -> Remainder:
    return Remainder(
        new_id(),
        sale.contract_id,
        RemainderKind.DUE,
        left,
        EntryState.PENDING.value,
        actor,
        at,
        sale.account,
        sale.reference,
        _payment_id(sale),
        sale.id,
        remarks=f"contract deleted; {why}",
    )
