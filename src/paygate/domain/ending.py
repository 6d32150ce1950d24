"""解約予約, 解約の取消 and 解約処理: a running contract ends (R-124 to R-144, T-44, T-65, T-70).

Due ends are carried out by :func:`~paygate.domain.renewal.end`, the product's end is scheduled by
:func:`~paygate.domain.renewal.schedule_product_end`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

import attrs

from ..clock import business_date
from ..errors import OperationNotAllowed
from ..provider import Capabilities
from .contract import Actor, ActorKind, Cancellation, CancellationOrigin, Contract, Status
from .followup import Next, NoticeKind, ProviderAction, tell_both, want
from .ledger import EntryState, LedgerEntry
from .lifecycle import check_running_period_paid, paid_row, step, terminated
from .operations import Operation, permit
from .rules import Rules
from .running import next_renewal_on, running_status
from .settlement import Settlement
from .transitions import Event, find

__all__ = ["last_day_of_use", "revoke_cancellation", "schedule_cancellation", "terminate"]


def last_day_of_use(contract: Contract) -> dt.date | None:
    """The last day on which a contract that is being cancelled can be used (X-08); None without a scheduled end.

    The day before the effective day (R-079), or the expiry if that is earlier (R-059). While a renewal that fell due before
    the notice is still to be charged, the expiry is not final and does not count (R-041).
    """
    if contract.cancellation is None:
        return None
    effective_on = contract.cancellation.effective_on
    last = effective_on - dt.timedelta(days=1)
    next_on = next_renewal_on(contract, contract.period_start or contract.start_on)
    renews_first = next_on is not None and next_on < effective_on
    return last if contract.expires_on is None or renews_first else min(last, contract.expires_on)


def schedule_cancellation(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    capabilities: Capabilities | None = None,
    reason: str = "",
) -> Settlement:
    """解約予約: the contract ends on the next renewal day and is used until then (R-079, R-124 to R-131).

    The effective day is ``settlement.contract.cancellation.effective_on``, the last day of use
    :func:`last_day_of_use`. Nothing is refunded (R-129). Queued mails stay (R-233).

    :param capabilities: of the contract's account; None for a contract without one.
    :raises PermissionDenied: neither an administrator nor the contract's customer (R-131).
    :raises RenewalDayError: today is a renewal day (R-127).
    :raises OperationNotAllowed: the contract does not run.
    """
    now = permit(Operation.SCHEDULE_CANCELLATION, contract, actor, now, rules)
    effective_on = next_renewal_on(contract, business_date(now, rules.zone))
    if effective_on is None:
        raise OperationNotAllowed(f"contract {contract.id} is a one-off purchase: nothing renews", rule="R-124")
    by_customer = actor.kind is ActorKind.CUSTOMER
    origin = CancellationOrigin.CUSTOMER if by_customer else CancellationOrigin.ADMIN
    notice = Cancellation(origin, now, actor, effective_on)
    scheduled = attrs.evolve(contract, status=Status.CANCEL_SCHEDULED, cancellation=notice)
    record = step(
        find(contract.status, Event.SCHEDULE_CANCELLATION, scheduled.status),
        contract,
        scheduled,
        at=now,
        actor=actor,
        new_id=new_id,
        action="schedule_cancellation",
        reason=reason,
    )
    return Settlement(
        scheduled,
        audit=(record,),
        wanted=want(contract, capabilities, ProviderAction.END_AT_PERIOD_END, effective_on),
        notices=tell_both(
            NoticeKind.CANCELLATION_SCHEDULED,
            scheduled,
            Next.ENDS,
            happened_on=business_date(now, rules.zone),
            effective_on=effective_on,
            last_day_of_use=last_day_of_use(scheduled),
        ),
    )


def revoke_cancellation(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    capabilities: Capabilities | None = None,
    entries: Iterable[LedgerEntry] = (),
    reason: str = "",
) -> Settlement:
    """解約の取消: the contract runs on, ACTIVE or SPECIAL_PERIOD by date (R-065, R-133 to R-137).

    :raises PermissionDenied: neither an administrator nor the contract's customer (R-131).
    :raises NotRevocable: the product ends (R-068, R-069).
    :raises EffectiveDayReached: from 00:00:00 of the effective day on, whether or not a run has come (R-136).
    :param entries: all ledger rows of the contract.
    :raises OperationNotAllowed: no cancellation is scheduled, or the running period is marked as unpaid (R-388): a contract
        that runs on would leave it behind.
    """
    now = permit(Operation.REVOKE_CANCELLATION, contract, actor, now, rules)
    check_running_period_paid(contract, entries)
    today = business_date(now, rules.zone)
    # the running period stays what it is: a renewal whose result is still awaited has not begun one
    kept = attrs.evolve(contract, status=running_status(contract, today), cancellation=None)
    record = step(
        find(contract.status, Event.REVOKE_CANCELLATION, kept.status),
        contract,
        kept,
        at=now,
        actor=actor,
        new_id=new_id,
        action="revoke_cancellation",
        reason=reason,
    )
    return Settlement(
        kept,
        audit=(record,),
        wanted=want(contract, capabilities, ProviderAction.GO_ON),
        notices=tell_both(NoticeKind.CANCELLATION_REVOKED, kept, Next.RENEWS, happened_on=today),
    )


def terminate(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    capabilities: Capabilities | None = None,
    entries: Iterable[LedgerEntry] = (),
    reason: str = "",
) -> Settlement:
    """解約処理: end a contract whose payment is missing, at once (R-138 to R-143).

    The unpaid period counts as not paid: its row becomes VOID, its content stays locked (R-140). Earlier payments are
    left alone (R-141). A provider that retries is told to stop first (R-143).

    :param entries: all ledger rows of the contract.
    :raises PermissionDenied: neither an administrator nor a provider.
    :raises OperationNotAllowed: the contract is not PAST_DUE.
    """
    now = permit(Operation.TERMINATE, contract, actor, now, rules)
    today = business_date(now, rules.zone)
    ended = terminated(contract, today)
    unpaid = paid_row(contract, entries, EntryState.UNPAID)
    record = step(
        find(contract.status, Event.TERMINATE, ended.status),
        contract,
        ended,
        at=now,
        actor=actor,
        new_id=new_id,
        action="terminate",
        reason=reason,
        facts={"void_entry": unpaid.id} if unpaid else None,
    )
    return Settlement(
        ended,
        audit=(record,),
        changed=(attrs.evolve(unpaid, state=EntryState.VOID),) if unpaid else (),
        wanted=want(contract, capabilities, ProviderAction.STOP),
        notices=tell_both(NoticeKind.TERMINATED, ended, Next.ENDED, happened_on=today, reason=reason or None),
    )
