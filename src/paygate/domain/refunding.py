"""Refunds of single ledger rows (R-087, R-088, R-096, R-238 to R-250).

A refund is a row of its own that points to the sale; the sale only changes its state. What the provider cannot return is
recorded as due by hand instead of being claimed (R-249). No refund changes the contract (R-246).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

import attrs

from ..clock import JST, business_date, require_aware
from ..errors import (
    CapabilityNotSupported,
    InvalidAmount,
    InvalidValue,
    LicenseRemovalTooLate,
    NothingToRefund,
    PermissionDenied,
    RefundExceedsSale,
)
from ..money import Money
from ..provider import Capabilities, RefundPolicy
from .audit import AuditRecord
from .charge import Failure, Refund, RefundState
from .contract import Actor, ActorKind, Contract
from .ledger import EntryKind, EntryState, LedgerEntry, refundable
from .licences import License, LicenseState, remove

__all__ = [
    "RefundDecision",
    "RefundSettlement",
    "decide_refund",
    "mark_manual_refund_done",
    "refunded_note",
    "settle_refund",
    "state_after",
]


@attrs.frozen
class RefundDecision:
    """A refund that may be made now: what to write before anything is sent.

    :param refund: the attempt, PENDING; ``by_hand`` says that no provider call follows.
    :param entry: the sale, now REFUND_PENDING.
    :param refund_entry: the new REFUND or MANUAL_REFUND_DUE row, PENDING.
    :param licences: licences removed at once, which is so by hand (R-245); else they go when the refund succeeds.
    """

    refund: Refund
    entry: LedgerEntry
    refund_entry: LedgerEntry
    licences: tuple[License, ...]
    audit: AuditRecord

    @property
    def by_hand(self) -> bool:
        return self.refund.by_hand


@attrs.frozen
class RefundSettlement:
    """What the result of a refund changes.

    :param licences: licences that are removed now.
    :param audit: None if the result was known already and nothing has changed (R-194).
    :param alert: whether an administrator has to be told: the refund failed (R-101, R-247).
    """

    refund: Refund
    entry: LedgerEntry
    refund_entry: LedgerEntry
    licences: tuple[License, ...] = ()
    audit: AuditRecord | None = None
    alert: bool = False


def decide_refund(
    contract: Contract,
    entry: LedgerEntry,
    refunds: Iterable[LedgerEntry],
    amount: Money | None,
    capabilities: Capabilities | None,
    *,
    actor: Actor,
    now: dt.datetime,
    refund_id: str,
    entry_id: str,
    audit_id: str,
    idempotency_key: str,
    fingerprint: str,
    remove_license: bool = False,
    licences: Iterable[License] = (),
    charged: Money | None = None,
    reason: str = "",
    zone: dt.tzinfo = JST,
) -> RefundDecision:
    """Whether *amount* of *entry* may be returned at *now*, and how. The checks run in the order of the errors.

    :param refunds: all refund rows that point to *entry*; pending ones count as taken, failed ones do not.
    :param amount: None means all that is left of the row (R-241).
    :param capabilities: of the row's account; None for a row without one, which is returned by hand (R-245).
    :param charged: the whole charge behind the row, where one charge paid for several rows.
    :param licences: the licences of the contract.
    :raises PermissionDenied: the actor may not start a refund (R-267).
    :raises InvalidAmount: not Money, zero, or another currency than the row's.
    :raises LicenseRemovalTooLate: the row was refunded without its licence (R-243).
    :raises NothingToRefund: nothing is left of the row, or it was never paid (R-241).
    :raises RefundExceedsSale: more than is left of the row (R-239).
    :raises CapabilityNotSupported: a part, where the provider returns whole charges only (R-241).
    """
    now = require_aware(now, "now")
    if actor.kind not in {
        ActorKind.ADMIN,
        ActorKind.CUSTOMER,
    }:  # a customer's cancel may return the initial fee
        raise PermissionDenied(f"{actor} cannot start a refund", rule="R-267")
    refunds = tuple(refunds)
    value = _refundable_amount(entry, refunds, amount, licences, remove_license=remove_license)
    by_hand = (
        entry.account is None
        or entry.reference is None
        or capabilities is None
        or capabilities.refunds is RefundPolicy.BY_HAND
    )
    if not by_hand and capabilities is not None and capabilities.refunds is RefundPolicy.FULL:
        whole = charged or entry.amount
        if value != whole:
            raise CapabilityNotSupported(
                f"{capabilities.name} returns whole charges only: {whole}, not {value}", rule="R-241"
            )
    refund = Refund(
        refund_id,
        contract.id,
        entry.account,
        entry.id,
        entry_id,
        value,
        idempotency_key,
        fingerprint,
        by_hand=by_hand,
        remove_license=remove_license,
        reason=reason,
        actor=actor,
        created_at=now,
    )
    today = business_date(now, zone)
    refund_entry = LedgerEntry(
        entry_id,
        contract.id,
        contract.customer_id,
        EntryKind.MANUAL_REFUND_DUE if by_hand else EntryKind.REFUND,
        value,
        EntryState.PENDING,
        purchased_on=today,
        target_on=entry.target_on,
        received_at=now,
        actor=actor,
        account=entry.account,
        charge_id=entry.charge_id,
        refunds=entry.id,
        remarks=reason,
    )
    record = AuditRecord(
        audit_id,
        now,
        actor,
        "refund_entry",
        contract.id,
        {"entry": entry.id, "state": entry.state.value},
        {
            "refund": refund_id,
            "amount": str(value),
            "by_hand": by_hand,
            "remove_license": remove_license,
            "state": EntryState.REFUND_PENDING.value,
        },
        reason,
    )
    return RefundDecision(
        refund,
        attrs.evolve(entry, state=EntryState.REFUND_PENDING),
        refund_entry,
        remove(licences, entry.id) if by_hand and remove_license else (),
        record,
    )


def _refundable_amount(
    entry: LedgerEntry,
    refunds: tuple[LedgerEntry, ...],
    amount: Money | None,
    licences: Iterable[License],
    *,
    remove_license: bool,
) -> Money:
    currency = entry.amount.currency
    if amount is not None:
        if not isinstance(amount, Money):
            raise InvalidAmount(
                f"give the amount as Money, for example Money(1000, 'JPY'), not {amount!r}", rule="R-004"
            )
        if amount.minor < 1:
            raise InvalidAmount("a refund is at least 1; there is nothing to return", rule="R-241")
        if amount.currency != currency:
            raise InvalidAmount(f"row {entry.id} is in {currency}; it cannot return {amount}", rule="R-239")
    left = refundable(entry, refunds)
    if left < 1:
        kept = any(known.entry_id == entry.id and known.state is not LicenseState.REMOVED for known in licences)
        if remove_license and kept and entry.state is EntryState.REFUNDED:
            raise LicenseRemovalTooLate(
                f"row {entry.id} was refunded without its licence, which cannot be removed any more", rule="R-243"
            )
        raise NothingToRefund(
            f"row {entry.id} ({entry.kind.value}, {entry.state.value}): nothing is left to return", rule="R-241"
        )
    if amount is not None and amount.minor > left:
        raise RefundExceedsSale(f"row {entry.id}: {Money(left, currency)} is left, not {amount}", rule="R-239")
    return amount or Money(left, currency)


def state_after(entry: LedgerEntry, refunds: Iterable[LedgerEntry]) -> EntryState:
    """The state of the sale *entry* when *refunds* are all the rows that point to it (R-247, R-320).

    REFUND_PENDING while a refund is under way, REFUNDED once everything is back, PARTLY_REFUNDED once a part of it is;
    otherwise SUCCEEDED: money that is returned was received, so an ASSUMED sale does not become assumed again. A lost
    dispute has given the money back like a refund.
    """
    rows = [row for row in refunds if row.refunds == entry.id]
    if any(row.state is EntryState.PENDING for row in rows):
        return EntryState.REFUND_PENDING
    returned = sum(row.amount.minor for row in rows if row.state in {EntryState.DONE, EntryState.LOST})
    if returned >= entry.amount.minor:
        return EntryState.REFUNDED
    return EntryState.PARTLY_REFUNDED if returned else EntryState.SUCCEEDED


def settle_refund(
    refund: Refund,
    entry: LedgerEntry,
    refund_entry: LedgerEntry,
    refunds: Iterable[LedgerEntry],
    state: RefundState,
    *,
    now: dt.datetime,
    new_id: Callable[[], str],
    licences: Iterable[License] = (),
    reference: str | None = None,
    refunded_at: dt.datetime | None = None,
    failure: Failure | None = None,
    actor: Actor | None = None,
    zone: dt.tzinfo = JST,
) -> RefundSettlement:
    """Apply the provider's result *state* to *refund* and its rows (R-238, R-242, R-247).

    A failure restores the sale, also a late one that follows an accepted refund (R-101). A result that repeats what is
    known, or knows less (PENDING or UNKNOWN after the end), changes nothing.

    :param refunds: all refund rows of *entry*, *refund_entry* among them or not.
    :param refunded_at: the provider's time; by default *now*.
    :param actor: who brought the result; by default the account's provider.
    """
    now = require_aware(now, "now")
    if state is refund.state or (state.open and not refund.state.open):
        return RefundSettlement(refund, entry, refund_entry)
    at = refunded_at or now
    row_state = {RefundState.DONE: EntryState.DONE, RefundState.FAILED: EntryState.FAILED}.get(
        state, EntryState.PENDING
    )
    done = state is RefundState.DONE
    gone = remove(licences, entry.id) if done and refund.remove_license else ()
    note = refunded_note(refund.amount, at, zone, removed=refund.remove_license) if done else ""
    row = attrs.evolve(
        refund_entry,
        state=row_state,
        reference=reference or refund_entry.reference,
        done_on=business_date(at, zone) if done else None,
        remarks=_join(refund_entry.remarks, note),
    )
    others = (other for other in refunds if other.id != row.id)
    sale = attrs.evolve(entry, state=state_after(entry, (*others, row)), remarks=_join(entry.remarks, note))
    settled = attrs.evolve(
        refund,
        state=state,
        reference=reference or refund.reference,
        settled_at=None if state.open else now,
        failure=failure,
    )
    record = AuditRecord(
        new_id(),
        now,
        actor or Actor.provider(refund.account or ""),
        "refund_result",
        refund.contract_id,
        {"refund": refund.id, "state": refund.state.value, "entry_state": entry.state.value},
        {
            "state": state.value,
            "entry_state": sale.state.value,
            "licences_removed": [known.id for known in gone],
            "code": failure.code if failure else None,
        },
    )
    return RefundSettlement(settled, sale, row, gone, record, alert=state is RefundState.FAILED)


def mark_manual_refund_done(
    row: LedgerEntry,
    on: dt.date,
    note: str = "",
    *,
    actor: Actor,
    now: dt.datetime,
    new_id: Callable[[], str],
    zone: dt.tzinfo = JST,
) -> tuple[LedgerEntry, AuditRecord]:
    """A person has returned the money of a MANUAL_REFUND_DUE row (R-250, T-90).

    The refunded sale then takes the state that :func:`state_after` gives.

    :param on: business date of the return.
    :raises PermissionDenied: the actor is not an administrator (R-267).
    :raises NothingToRefund: the row is not an open manual refund.
    :raises InvalidValue: *on* is not a date or lies in the future.
    """
    if actor.kind is not ActorKind.ADMIN:
        raise PermissionDenied(f"only an administrator marks a refund as done, not {actor}", rule="R-267")
    if row.kind is not EntryKind.MANUAL_REFUND_DUE or row.state is not EntryState.PENDING:
        raise NothingToRefund(
            f"row {row.id} ({row.kind.value}, {row.state.value}) is not a manual refund that is due", rule="R-250"
        )
    if not isinstance(on, dt.date) or isinstance(on, dt.datetime) or on > business_date(now, zone):
        raise InvalidValue(f"the day of the return is a date up to today, got {on!r}", rule="R-250")
    done = attrs.evolve(row, state=EntryState.DONE, done_on=on, remarks=_join(row.remarks, note))
    record = AuditRecord(
        new_id(),
        now,
        actor,
        "mark_manual_refund_done",
        row.contract_id,
        {"entry": row.id, "state": row.state.value},
        {"state": done.state.value, "done_on": on.isoformat()},
        note,
    )
    return done, record


def refunded_note(amount: Money, at: dt.datetime, zone: dt.tzinfo, *, removed: bool = False) -> str:
    """The remark on a sale that *amount* of it went back."""
    text = f"refunded {amount} at {at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return f"{text}, licence removed" if removed else text


def _join(*texts: str) -> str:
    return "; ".join(text for text in texts if text)
