"""削除: a contract and everything of it is removed (R-251 to R-265, T-93).

In four steps: :func:`plan_deletion` says what would happen, :func:`confirm_deletion` asks for the confirmation; then the
provider is told to stop and the refunds are tried one by one; last the data are removed, and :func:`tombstone` stays.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterable, Sequence

import attrs

from ..clock import business_date
from ..errors import CapabilityNotSupported, DeleteNotConfirmed, PendingMoney
from ..money import Money
from ..provider import Capabilities, RefundPolicy
from .audit import AuditRecord
from .cancelling import refund_whole
from .charge import Refund
from .contract import Actor, Contract
from .followup import ProviderAction, Wanted, want
from .ledger import EntryKind, EntryState, LedgerEntry, refundable
from .operations import Operation, permit
from .refunding import RefundDecision
from .rules import Rules
from .transitions import Event, find

__all__ = [
    "DELETE_REASON",
    "REFUND_CUT_OFF",
    "Deletion",
    "Kept",
    "Skipped",
    "confirm_deletion",
    "deletion_warning",
    "plan_deletion",
    "tombstone",
]

#: Payments up to and including this day (JST) are not returned by deleting, unless configured otherwise (R-256, R-257).
REFUND_CUT_OFF = dt.date(2018, 8, 4)

_NEVER_PAID = frozenset({EntryState.UNPAID, EntryState.VOID})


class Kept(enum.StrEnum):
    """Why deleting does not refund a payment through the provider. The value is the text for people."""

    CUT_OFF = "received on or before the cut-off day"
    REFUNDED = "refunded already, or noted as due by hand"
    BY_HAND = "nobody but the seller can return it"


@attrs.frozen
class Skipped:
    """A payment that deleting does not refund through the provider.

    :param left: what has not been returned yet.
    """

    entry_id: str
    left: Money
    why: Kept


#: Why a refund was made that deleting a contract made.
DELETE_REASON = "delete"


@attrs.frozen
class Deletion:
    """What deleting a contract does.

    :param wanted: what the provider has to be told first (R-264).
    :param refunds: to be tried one by one; a failure stops neither the others nor the deletion (R-258).
    :param skipped: the other payments.
    :param by_hand: the sum that may have to be returned by hand (R-260). Payments that were only assumed are in it, and
        manual refunds that nobody has done yet.
    """

    contract: Contract
    wanted: tuple[Wanted, ...]
    refunds: tuple[RefundDecision, ...]
    skipped: tuple[Skipped, ...]
    by_hand: Money


def plan_deletion(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    capabilities: Capabilities | None = None,
    entries: Sequence[LedgerEntry] = (),
    open_charges: Sequence[str] = (),
    cut_off: dt.date | None = REFUND_CUT_OFF,
) -> Deletion:
    """What deleting would do, which may be shown before anybody agrees to it (R-272).

    Every payment by card is to be refunded, additional charges and past periods included (R-254, R-255).

    :param capabilities: of the contract's account; None for a contract without one.
    :param entries: all ledger rows of the contract.
    :param open_charges: ids of its charges that are PENDING or UNKNOWN.
    :param cut_off: the last business date whose payments are not returned; None for no such day (R-257).
    :raises PermissionDenied: not an administrator (R-267).
    :raises PendingMoney: a charge or refund has no result yet (R-265).
    """
    now = permit(Operation.DELETE, contract, actor, now, rules)
    _check_nothing_pending(contract, entries, open_charges)
    skipped: list[Skipped] = []
    refunds: list[RefundDecision] = []
    for entry in entries:
        if not entry.kind.sale or not entry.amount or entry.state in _NEVER_PAID:
            continue
        left = Money(refundable(entry, entries), entry.amount.currency)
        why = _why_kept(entry, left, capabilities, rules, cut_off)
        if why is None:
            try:
                refunds.append(
                    refund_whole(
                        contract, entry, entries, capabilities, actor, now, rules, new_id, reason=DELETE_REASON
                    )
                )
            except CapabilityNotSupported:  # a part of a charge, where only whole ones go back
                why = Kept.BY_HAND
        if why is not None:
            skipped.append(Skipped(entry.id, left, why))
    return Deletion(
        contract,
        want(contract, capabilities, ProviderAction.STOP),
        tuple(refunds),
        tuple(skipped),
        Money(_sum_by_hand(skipped, entries), contract.plan.price.currency),
    )


def deletion_warning(contract: Contract) -> str:
    """What has to be read before deleting (R-261, R-262)."""
    return (
        f"Deleting contract {contract.id} ({contract.name}) removes it with its purchase history, application and licences "
        "for good. It is meant only for mistaken applications and for contracts made by mistake. To return money, cancel "
        "the contract or refund single payments instead."
    )


def confirm_deletion(contract: Contract, confirmation: str, reason: str) -> None:
    """Hold the administrator to the confirmation (R-261, X-19).

    :param confirmation: the contract's id, typed out.
    :raises DeleteNotConfirmed: it is not, or no reason is given; the message is the warning.
    """
    if confirmation != contract.id or not reason.strip():
        raise DeleteNotConfirmed(
            f"{deletion_warning(contract)} To confirm, give the contract's id and a reason.", rule="R-261"
        )


def tombstone(
    deletion: Deletion,
    refunds: Iterable[Refund],
    now: dt.datetime,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    reason: str,
) -> AuditRecord:
    """The record that outlives the contract: who, when, and what became of the money; no personal data (R-258, R-263).

    :param refunds: the attempts of ``deletion.refunds`` as they ended.
    :param reason: for people; whoever writes it leaves names out.
    """
    contract = deletion.contract
    taken = find(contract.status, Event.DELETE, None)
    report = [
        {
            "entry": refund.entry_id,
            "amount": str(refund.amount),
            "state": refund.state.value,
            "code": refund.failure.code if refund.failure else None,
        }
        for refund in refunds
    ]
    skipped = [{"entry": kept.entry_id, "left": str(kept.left), "why": kept.why.name} for kept in deletion.skipped]
    return AuditRecord(
        new_id(),
        now,
        actor,
        "delete",
        contract.id,
        {"status": contract.status.value},
        {
            "transition": taken.id if taken else None,
            "refunds": report,
            "skipped": skipped,
            "by_hand": str(deletion.by_hand),
        },
        reason,
    )


def _check_nothing_pending(contract: Contract, entries: Iterable[LedgerEntry], open_charges: Sequence[str]) -> None:
    # a refund by hand is no result that is awaited: it is reported with the sum
    refunds = [
        row.id
        for row in entries
        if (row.kind is EntryKind.REFUND and row.state is EntryState.PENDING) or row.state is EntryState.OPENED
    ]
    if open_charges or refunds:
        raise PendingMoney(
            f"contract {contract.id}: {', '.join((*open_charges, *refunds))} has no result yet; wait for it or reconcile, "
            "then delete",
            rule="R-265",
        )


def _why_kept(
    entry: LedgerEntry, left: Money, capabilities: Capabilities | None, rules: Rules, cut_off: dt.date | None
) -> Kept | None:
    if not left:
        return Kept.REFUNDED
    if entry.account is None:
        return Kept.BY_HAND
    if cut_off is not None and business_date(entry.received_at, rules.zone) <= cut_off:
        return Kept.CUT_OFF
    if entry.reference is None or capabilities is None or capabilities.refunds is RefundPolicy.BY_HAND:
        return Kept.BY_HAND
    return None


def _sum_by_hand(skipped: Iterable[Skipped], entries: Iterable[LedgerEntry]) -> int:
    """Minor units: what only the seller can return, and what is noted as due by hand and not done."""
    dues = (row for row in entries if row.kind is EntryKind.MANUAL_REFUND_DUE and row.state is EntryState.PENDING)
    return sum(kept.left.minor for kept in skipped if kept.why is Kept.BY_HAND) + sum(row.amount.minor for row in dues)
