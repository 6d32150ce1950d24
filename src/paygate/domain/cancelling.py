"""キャンセル: a contract is undone, and its money goes back (R-081, R-084 to R-103, T-10, T-20 to T-22, T-30 to T-32).

Three operations differ in which money they return: ``cancel`` the initial fee of a contract that has not started,
``cancel_with_manual_refund`` and ``cancel_and_refund`` a one-off purchase. Money that the provider cannot return is
recorded as due by hand (R-088, R-096, R-249).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence

import attrs

from ..clock import business_date
from ..money import Money
from ..provider import Capabilities
from .contract import Actor, Contract, Status
from .followup import Audience, Next, Notice, NoticeKind, ProviderAction, tell, tell_both, want
from .ledger import EntryKind, EntryState, LedgerEntry, refundable
from .licences import License, remove
from .lifecycle import step
from .operations import Operation, permit
from .refunding import RefundDecision, decide_refund
from .rules import Rules
from .settlement import Settlement
from .transitions import Event, find

__all__ = ["cancel", "cancel_and_refund", "cancel_with_manual_refund", "refund_whole"]

#: The rows that hold the money of a purchase, and of a sign-up before the start (R-237).
_PURCHASE = frozenset({EntryKind.INITIAL_FEE})


def cancel(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    capabilities: Capabilities | None = None,
    entries: Sequence[LedgerEntry] = (),
    licences: Iterable[License] = (),
    reason: str = "",
) -> Settlement:
    """キャンセル: undo a contract that is not paid yet, or a recurring one before it starts (R-084 to R-092).

    Before the start the initial fee, if there is one, goes back: to the card, or by hand (R-087 to R-089); so does a first
    period that was paid ahead (R-386). A provider that would charge the first period is told to stop (R-092).

    :param capabilities: of the contract's account; None for a contract without one.
    :param entries: all ledger rows of the contract.
    :param licences: all licences of the contract; none stays (R-081).
    :raises PermissionDenied: neither an administrator, nor the customer of a contract that is not paid yet (R-091).
    :raises OperationNotAllowed: not offered now; from 00:00:00 of the start date on it is too late (R-090).
    """
    now = permit(Operation.CANCEL, contract, actor, now, rules)
    # what was paid ahead for a period that will not begin goes back as well
    kinds = _PURCHASE | {EntryKind.PERIOD} if contract.status is Status.NOT_STARTED else _PURCHASE
    refunds = _refunds(contract, entries, kinds, capabilities, actor, now, rules, new_id, reason)
    wanted = want(contract, capabilities, ProviderAction.STOP) if contract.status is Status.NOT_STARTED else ()
    undone = _undo(contract, Event.CANCEL, refunds, entries, licences, now, rules, new_id, actor=actor, reason=reason)
    return attrs.evolve(undone, wanted=wanted)


def cancel_with_manual_refund(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    entries: Sequence[LedgerEntry] = (),
    licences: Iterable[License] = (),
    reason: str = "",
) -> Settlement:
    """キャンセル(手動返金): undo a purchase that was paid without a card (R-093 to R-096, R-103).

    Nothing is sent to anybody; what has to be returned is recorded as due by hand (R-094, R-096).

    :raises PermissionDenied: not an administrator.
    :raises OperationNotAllowed: not offered now, for example for a card (R-102).
    """
    now = permit(Operation.CANCEL_WITH_MANUAL_REFUND, contract, actor, now, rules)
    refunds = _refunds(contract, entries, _PURCHASE, None, actor, now, rules, new_id, reason)
    event = Event.CANCEL_WITH_MANUAL_REFUND
    return _undo(contract, event, refunds, entries, licences, now, rules, new_id, actor=actor, reason=reason)


def cancel_and_refund(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    capabilities: Capabilities | None,
    entries: Sequence[LedgerEntry] = (),
    licences: Iterable[License] = (),
    include_addons: bool = False,
    reason: str = "",
) -> Settlement:
    """キャンセルして返金: undo a purchase paid by card, and return its money to the card (R-097 to R-103).

    If the provider refuses the refund of the purchase, nothing of this is written: the contract stays as it is, and
    :func:`~paygate.domain.lifecycle.refusal` records that (R-101, T-32).

    :param include_addons: whether additional charges go back too; each is a sale of its own (R-100).
    :raises PermissionDenied: not an administrator.
    :raises OperationNotAllowed: not offered now, for example without a card (R-102).
    """
    now = permit(Operation.CANCEL_AND_REFUND, contract, actor, now, rules)
    kinds = _PURCHASE | {EntryKind.ADDON} if include_addons else _PURCHASE
    refunds = _refunds(contract, entries, kinds, capabilities, actor, now, rules, new_id, reason)
    event = Event.CANCEL_AND_REFUND
    return _undo(contract, event, refunds, entries, licences, now, rules, new_id, actor=actor, reason=reason)


def refund_whole(
    contract: Contract,
    entry: LedgerEntry,
    entries: Iterable[LedgerEntry],
    capabilities: Capabilities | None,
    actor: Actor,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    reason: str = "",
) -> RefundDecision:
    """A refund of all that is left of *entry*, as a part of a larger operation.

    :param entries: all ledger rows of the contract.
    :raises NothingToRefund: nothing is left (R-241).
    :raises CapabilityNotSupported: a part of a charge, where the provider returns whole charges only.
    """
    entries = tuple(entries)
    return decide_refund(
        contract,
        entry,
        [other for other in entries if other.refunds == entry.id],
        None,
        capabilities,
        actor=actor,
        now=now,
        refund_id=new_id(),
        entry_id=new_id(),
        audit_id=new_id(),
        idempotency_key=new_id(),
        fingerprint="",
        charged=_charged(entry, entries),
        reason=reason,
        zone=rules.zone,
    )


def _charged(entry: LedgerEntry, entries: Iterable[LedgerEntry]) -> Money:
    """The whole charge behind *entry*, which may have paid for several rows."""
    together = (
        other.amount.minor for other in entries if other.kind.sale and other.charge_id == entry.charge_id is not None
    )
    return Money(sum(together) or entry.amount.minor, entry.amount.currency)


def _refunds(
    contract: Contract,
    entries: Sequence[LedgerEntry],
    kinds: frozenset[EntryKind],
    capabilities: Capabilities | None,
    actor: Actor,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    reason: str,
) -> tuple[RefundDecision, ...]:
    """All that is left of the rows of *kinds*, the purchase before additional charges; free rows return nothing (R-089)."""
    rows = [entry for entry in entries if entry.kind in kinds and refundable(entry, entries) > 0]
    rows.sort(key=lambda entry: entry.kind is EntryKind.ADDON)
    return tuple(
        refund_whole(contract, entry, entries, capabilities, actor, now, rules, new_id, reason=reason) for entry in rows
    )


def _undo(
    contract: Contract,
    event: Event,
    refunds: tuple[RefundDecision, ...],
    entries: Sequence[LedgerEntry],
    licences: Iterable[License],
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    reason: str,
) -> Settlement:
    today = business_date(now, rules.zone)
    undone = attrs.evolve(contract, status=Status.CANCELED, expires_on=None, ended_on=today)
    returned = _returned(contract, refunds, entries)
    record = step(
        find(contract.status, event, undone.status),
        contract,
        undone,
        at=now,
        actor=actor,
        new_id=new_id,
        action=event.value,
        reason=reason,
        facts={"returned": str(returned)},
    )
    return Settlement(
        undone,
        licences=remove(licences),
        audit=(record,),
        refunds=refunds,
        notices=_notices(undone, refunds, entries, returned, today, reason),
    )


def _returned(contract: Contract, refunds: Iterable[RefundDecision], entries: Iterable[LedgerEntry]) -> Money:
    """What goes back in all: the same whether the refunds are still decisions or already rows of the ledger."""
    rows = [entry for entry in entries if not entry.kind.sale and not entry.state.without_effect]
    known = sum(row.amount.minor for row in rows)
    new = sum(decision.refund.amount.minor for decision in refunds)
    return Money(known + new, contract.plan.price.currency)


def _notices(
    contract: Contract,
    refunds: tuple[RefundDecision, ...],
    entries: Iterable[LedgerEntry],
    returned: Money,
    today: dt.date,
    reason: str,
) -> tuple[Notice, ...]:
    """Both sides learn that the contract is undone and what comes back; an administrator, what is left to do by hand."""
    by_hand = [decision.refund for decision in refunds if decision.by_hand]
    # nothing is announced that has happened already, and has been told
    waiting = bool(refunds) or any(row.kind is EntryKind.REFUND and row.state is EntryState.PENDING for row in entries)
    back = Next.REFUND if waiting else Next.REFUNDED
    then = Next.REFUND_BY_HAND if by_hand else back if returned else Next.NOTHING
    facts = {"happened_on": today, "amount": returned or None, "reason": reason or None}
    dues = (
        tell(
            NoticeKind.MANUAL_REFUND_DUE,
            Audience.ADMIN,
            contract,
            Next.RETURN_MONEY,
            amount=refund.amount,
            refund_id=refund.id,
            message=(
                f"return {refund.amount} of row {refund.entry_id} by hand, "
                f"then mark row {refund.refund_entry_id} as done"
            ),
        )
        for refund in by_hand
    )
    return (*tell_both(NoticeKind.CANCELED, contract, then, **facts), *dues)
