"""What an administrator records about single payments: retries stopped, a month paid or not paid (R-383, R-387, R-388).

Stopping and resuming a contract as a whole is in :mod:`~paygate.domain.suspending`; here single facts are put right.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence

import attrs

from ..clock import business_date, require_aware, spoken
from ..errors import InvalidValue, NotFound, OperationNotAllowed
from . import licences as entitlements
from .audit import change
from .contract import Actor, Contract, Status
from .expiry import paid_until
from .ledger import EntryKind, EntryState, LedgerEntry
from .licences import License
from .operations import Facts, Operation, permit
from .rules import Rules
from .settlement import Settlement
from .suspending import resume, suspend

__all__ = ["mark_paid", "mark_retries_stopped", "mark_unpaid"]

_RUNNING = frozenset({Status.ACTIVE, Status.SPECIAL_PERIOD})
_ENDED = frozenset({Status.TERMINATED, Status.CANCELED})


def mark_retries_stopped(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    note: str,
) -> Settlement:
    """An administrator has stopped the provider's retries of the unpaid period on its screen (R-383).

    From then on the period can be collected by an arrears charge. The contract stays PAST_DUE. Should the provider take
    the money all the same, its notice is applied as any late success: the period is paid by it, or the money is to be
    returned.

    :param note: where it was done, for example "provider console, 2026-11-20 10:15"; kept in the audit record.
    :raises PermissionDenied: not an administrator.
    :raises InvalidValue: no note.
    :raises OperationNotAllowed: no retry of the provider is pending.
    """
    now = permit(Operation.MARK_RETRIES_STOPPED, contract, actor, now, rules)
    if not isinstance(note, str) or not note.strip():
        raise InvalidValue("say in the note where the retries were stopped, for example 'provider console, 2026-11-20'")
    missing = contract.past_due
    if missing is None or not missing.retry_pending:
        raise OperationNotAllowed(
            f"contract {contract.id}: no retry of the provider is pending; arrears can be charged as they are",
            rule="R-383",
        )
    stopped = attrs.evolve(contract, past_due=attrs.evolve(missing, retry_pending=False))
    record = change(
        contract,
        stopped,
        id=new_id(),
        at=now,
        actor=actor,
        action="retries_stopped",
        reason=note.strip(),
        facts={"period": missing.period_start.isoformat()},
    )
    return Settlement(stopped, audit=(record,))


def mark_paid(
    contract: Contract,
    period: dt.date,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    entries: Sequence[LedgerEntry],
    licences: Sequence[License] = (),
    received_at: dt.datetime | None = None,
    reason: str = "",
) -> Settlement:
    """The payment of the period that begins on *period* has been found (R-387).

    An ASSUMED row is confirmed: its state and receipt change and nothing else, whatever the status, and nobody is mailed.
    An UNPAID or VOID row becomes a sale again, and what was locked with it opens. If it is the payment for which the
    contract stands still, this is :func:`~paygate.domain.suspending.resume`.

    :param entries: all ledger rows of the contract; :param licences: all licences.
    :param received_at: when the money came in; by default *now*.
    :raises PermissionDenied: not an administrator.
    :raises OperationNotAllowed: a card (R-158), or the row is paid already.
    :raises NotFound: no period of the contract begins on that day.
    :raises InvalidValue: *received_at* lies in the future (R-122).
    """
    now = permit(Operation.MARK_PAID, contract, actor, now, rules, Facts(unconfirmed=True))
    received_at = now if received_at is None else require_aware(received_at, "received_at")
    if received_at > now:
        raise InvalidValue(f"the payment cannot have come in the future, at {spoken(received_at)}", rule="R-122")
    found = _row(contract, period, entries)
    if found.state not in {EntryState.ASSUMED, EntryState.UNPAID, EntryState.VOID}:
        raise OperationNotAllowed(
            f"contract {contract.id}: the period of {period} is {found.state.value}, so its payment is not missing",
            rule="R-387",
        )
    missing = contract.past_due
    if missing is not None and missing.period_start == period:
        return resume(
            contract, now, rules, new_id, actor=actor, received_at=received_at, entries=entries, licences=licences,
            reason=reason,
        )  # fmt: skip
    after = contract
    if found.state is EntryState.UNPAID and contract.status is Status.CANCEL_SCHEDULED and _running(contract, found):
        today = business_date(now, rules.zone)
        after = attrs.evolve(contract, expires_on=paid_until(contract, period, today, rules.system_max))
    opened = entitlements.restore(known for known in licences if known.entry_id == found.id)
    return _put_right(
        contract, after, found, EntryState.SUCCEEDED, now, new_id, actor, "mark_paid", reason, opened, received_at
    )


def mark_unpaid(
    contract: Contract,
    period: dt.date,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    entries: Sequence[LedgerEntry],
    licences: Sequence[License] = (),
    reason: str = "",
) -> Settlement:
    """The payment of the period that begins on *period* has not come (R-388).

    Its row counts no longer: UNPAID, or VOID once the contract has ended, so that nothing of it is ever returned. The
    content of that month is locked, that of others stays. For the running period of a contract that runs this is
    :func:`~paygate.domain.suspending.suspend`. While an end is scheduled, which a suspension would not survive (R-117), the
    status stays and the expiry goes back to what has been paid for.

    :raises PermissionDenied: not an administrator.
    :raises OperationNotAllowed: a card (R-158), money of the row was returned, or the row is unpaid already.
    :raises NotFound: no period of the contract begins on that day.
    """
    now = permit(Operation.MARK_UNPAID, contract, actor, now, rules, Facts(counted=True))
    row = _row(contract, period, entries)
    returned = [one.id for one in entries if one.refunds == row.id and one.state is not EntryState.FAILED]
    if returned:
        raise OperationNotAllowed(
            f"contract {contract.id}: money of the period of {period} was returned (row {returned[0]}), so it has been paid",
            rule="R-388",
        )
    if row.state not in {EntryState.ASSUMED, EntryState.SUCCEEDED}:
        raise OperationNotAllowed(
            f"contract {contract.id}: the period of {period} is {row.state.value}, so it does not count as paid",
            rule="R-388",
        )
    if contract.status in _RUNNING and _latest(entries, contract) is row:
        return suspend(contract, now, rules, new_id, actor=actor, entries=entries, licences=licences, reason=reason)
    after = contract
    if contract.status is Status.CANCEL_SCHEDULED and _running(contract, row) and contract.expires_on is not None:
        after = attrs.evolve(contract, expires_on=min(contract.expires_on, period))
    state = EntryState.VOID if contract.status in _ENDED else EntryState.UNPAID
    locked = entitlements.revoke(contract, licences, row.id)
    return _put_right(contract, after, row, state, now, new_id, actor, "mark_unpaid", reason, locked, None)


def _put_right(
    contract: Contract,
    after: Contract,
    row: LedgerEntry,
    state: EntryState,
    now: dt.datetime,
    new_id: Callable[[], str],
    actor: Actor,
    action: str,
    reason: str,
    licences: tuple[License, ...],
    received_at: dt.datetime | None,
) -> Settlement:
    facts = {
        "entry": row.id,
        "period": row.target_on.isoformat(),
        "entry_state": f"{row.state.value} → {state.value}",
    }
    if received_at is not None:
        facts["received_at"] = received_at.isoformat()
    record = change(contract, after, id=new_id(), at=now, actor=actor, action=action, reason=reason, facts=facts)
    changed = attrs.evolve(row, state=state, received_at=received_at or row.received_at)
    return Settlement(after, licences=licences, audit=(record,), changed=(changed,))


def _row(contract: Contract, period: dt.date, entries: Iterable[LedgerEntry]) -> LedgerEntry:
    """The sale of the period that begins on *period*."""
    if not isinstance(period, dt.date) or isinstance(period, dt.datetime):
        raise InvalidValue(f"a period is named by its first day, a datetime.date, got {period!r}")
    periods = [entry for entry in entries if entry.kind is EntryKind.PERIOD]
    found = next((entry for entry in periods if entry.target_on == period), None)
    if found is None:
        known = ", ".join(entry.target_on.isoformat() for entry in periods) or "none"
        raise NotFound(f"contract {contract.id} has no period that begins on {period}; its periods: {known}")
    return found


def _latest(entries: Iterable[LedgerEntry], contract: Contract) -> LedgerEntry | None:
    rows = [one for one in entries if one.kind is EntryKind.PERIOD and one.contract_id == contract.id]
    return max(rows, key=lambda entry: entry.target_on, default=None)


def _running(contract: Contract, row: LedgerEntry) -> bool:
    """Whether *row* pays for the running period, or for the one whose place it has taken (R-039)."""
    return contract.period_start is None or row.target_on >= contract.period_start
