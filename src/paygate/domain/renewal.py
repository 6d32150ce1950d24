"""Starts, renewals and due ends: what carrying them out does (R-029 to R-046, R-058 to R-071).

:func:`~paygate.domain.due.due_steps` tells a run what is due; the run then asks :func:`start`, :func:`renew` or :func:`end`. For cards
:func:`start` and :func:`renew` are asked when the success is processed, and :func:`~paygate.domain.failing.fail` when the
charge failed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence

from ..clock import JST, business_date, require_aware
from ..errors import OperationNotAllowed
from ..evolving import evolve
from . import licences as entitlements
from .audit import AuditRecord
from .charge import Charge
from .contract import Actor, Contract, Status
from .expiry import paid_until
from .followup import Next, NoticeKind, tell_both
from .ledger import EntryKind, EntryState, LedgerEntry
from .licences import License
from .lifecycle import operator_notice, product_end_notices, resumption, resumption_notices, step, terminated
from .mails import MailSet, StepMail, queue
from .rules import Rules
from .running import (
    ends_with_product,
    in_final_period,
    next_renewal_on,
    period_price,
    product_ends_on,
    resumed,
    running,
)
from .settlement import Settlement
from .transitions import Event, Transition, find, row

__all__ = ["end", "overtaken", "renew", "schedule_product_end", "start"]

_RUNNING = frozenset({Status.ACTIVE, Status.SPECIAL_PERIOD})
_ENDED = frozenset({Status.TERMINATED, Status.CANCELED})


def start(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    charge: Charge | None = None,
    actor: Actor | None = None,
    entries: Iterable[LedgerEntry] = (),
) -> Settlement:
    """The start date has come (R-029, R-030, T-23 to T-25).

    A recurring contract opens its first period: by the charge for a card, as if paid otherwise (R-015, R-037); a first
    period that costs nothing needs no charge (R-017). One that was paid before the start has its row already (R-386).

    :param entries: all ledger rows of the contract.
    :param now: when the start, or the success of its charge, is processed, aware.
    :raises OperationNotAllowed: not NOT_STARTED, the start date is still ahead, or a card without its charge.
    """
    now = require_aware(now, "now")
    actor = actor or Actor.scheduler()
    plan, start_on = contract.plan, contract.start_on
    if contract.status is not Status.NOT_STARTED or business_date(now, rules.zone) < start_on:
        raise OperationNotAllowed(
            f"contract {contract.id} is {contract.status.value} and starts on {start_on}: it cannot start now",
            rule="R-029",
        )
    begun = running(contract, start_on, now)
    if plan.cycle is None:
        record = _started(contract, begun, now, actor, new_id)
        return Settlement(begun, audit=(record,))
    paid = (
        None
        if charge
        else next((row for row in entries if row.kind is EntryKind.PERIOD and row.target_on == start_on), None)
    )
    entry = paid or _period_row(
        contract,
        start_on,
        business_date(contract.applied_at, rules.zone),
        _period_state(contract, start_on, charge),
        now,
        new_id,
        charge,
        actor,
    )
    paid_on = business_date(now, rules.zone) if charge else start_on
    begun = evolve(begun, expires_on=paid_until(contract, start_on, paid_on, rules.system_max))
    record = _started(contract, begun, now, actor, new_id)
    licences = entitlements.issue(contract, start_on, entry.id, (), new_id)
    notices = product_end_notices(contract, begun, business_date(now, rules.zone))
    return Settlement(begun, () if paid else (entry,), (), licences, (record,), notices=notices)


def _started(
    contract: Contract, begun: Contract, now: dt.datetime, actor: Actor, new_id: Callable[[], str]
) -> AuditRecord:
    taken = find(contract.status, Event.START_DUE, begun.status)
    return step(taken, contract, begun, at=now, actor=actor, new_id=new_id, action="start")


def renew(
    contract: Contract,
    due_on: dt.date,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    charge: Charge | None = None,
    licences: Sequence[License] = (),
    actor: Actor | None = None,
) -> Settlement:
    """The period that begins on renewal day *due_on* is paid (R-036, R-037, R-043, R-045, R-058, R-061, R-062).

    Without a charge the period opens as if paid, with an ASSUMED row; that is for bank transfer and manual contracts,
    and lateness of the run changes nothing (R-041). With the charge's success:

    * a PAST_DUE contract runs again by date, or ends if its end has come meanwhile (R-146, R-163, T-60);
    * one that is being cancelled keeps its notice;
    * one that has ended is not revived, and a period that is paid already is not paid again: the money is recorded, and
      an administrator has to return it (R-144, T-82, T-94).

    The caller holds ``UNIQUE(contract, due_on, PERIOD)``, so that nothing happens twice (R-040).

    :param licences: all licences of the contract so far.
    :raises OperationNotAllowed: the status does not renew (R-038), the period runs already (R-040), or a card without its
        charge (R-036).
    """
    now = require_aware(now, "now")
    actor = actor or (Actor.provider(charge.account) if charge else Actor.scheduler())
    status = contract.status
    renews = status in _RUNNING or status is Status.CANCEL_SCHEDULED
    if contract.plan.cycle is None or not (renews or (charge and (status in _ENDED or status is Status.PAST_DUE))):
        raise OperationNotAllowed(f"contract {contract.id} is {status.value}: it does not renew", rule="R-038")
    paid_before = _is_paid(contract, due_on)
    if charge and (paid_before or status in _ENDED):
        return _not_owed(contract, due_on, charge, now, rules, new_id, actor)
    if paid_before:
        raise OperationNotAllowed(f"contract {contract.id}: the period of {due_on} runs already", rule="R-040")
    if not charge and contract.cancellation is not None and due_on >= contract.cancellation.effective_on:
        raise OperationNotAllowed(f"contract {contract.id} ends before the period of {due_on}", rule="R-128")
    state = _period_state(contract, due_on, charge)
    entry = _period_row(contract, due_on, due_on, state, now, new_id, charge, actor)
    today = business_date(now, rules.zone)
    resumes = status is Status.PAST_DUE
    after = resumed(contract, today, now) if resumes else running(contract, due_on, now)
    after = evolve(after, expires_on=paid_until(contract, due_on, today if charge else due_on, rules.system_max))
    ended = after.status is Status.TERMINATED
    record = step(
        resumption(contract, after, row("T-60")) if resumes else _renewal_row(contract, after, charge),
        contract,
        after,
        at=now,
        actor=actor,
        new_id=new_id,
        action="late_payment" if ended else "resume" if resumes else "renew",
        facts={"period": due_on.isoformat()},
    )
    return Settlement(
        after,
        (entry,),
        queue(rules.step_mails, MailSet.ON_RENEWAL, contract, now, new_id, charge_id=charge.id if charge else None),
        entitlements.restore(licences) or entitlements.issue(contract, due_on, entry.id, licences, new_id),
        (record,),
        notices=resumption_notices(after, today) if resumes else product_end_notices(contract, after, today),
    )


def overtaken(
    contract: Contract,
    due_on: dt.date,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    charge: Charge,
    licences: Sequence[License] = (),
) -> Settlement:
    """The success for the period of *due_on* is told after something about a later period was (R-162, R-269, T-94).

    The period gets what its payment bought: its row, its share of the expiry, its content and its mails. Which period
    runs, and whether a later one is missing, stays as it is. The caller has made sure that the period has no row yet.

    :param licences: all licences of the contract so far.
    """
    now = require_aware(now, "now")
    actor = Actor.provider(charge.account)
    entry = _period_row(contract, due_on, due_on, EntryState.SUCCEEDED, now, new_id, charge, actor)
    # the end of its own period and no more: counted from today it would pay for a later one as well
    ends = [day for day in (contract.expires_on, next_renewal_on(contract, due_on)) if day is not None]
    after = evolve(contract, expires_on=min(max(ends), rules.system_max) if ends else None)
    record = step(
        row("T-94"),
        contract,
        after,
        at=now,
        actor=actor,
        new_id=new_id,
        action="overtaken_payment",
        facts={"period": due_on.isoformat()},
    )
    return Settlement(
        after,
        (entry,),
        queue(rules.step_mails, MailSet.ON_RENEWAL, contract, now, new_id, charge_id=charge.id),
        entitlements.issue(contract, due_on, entry.id, licences, new_id),
        (record,),
    )


def _is_paid(contract: Contract, due_on: dt.date) -> bool:
    missing = contract.past_due
    if contract.period_start is None or (missing is not None and missing.period_start == due_on):
        return False
    return due_on <= contract.period_start


def _renewal_row(before: Contract, after: Contract, charge: Charge | None) -> Transition | None:
    if after.cancellation != before.cancellation:
        return find(before.status, Event.FINAL_PERIOD_BEGINS, after.status)
    charged = charge is not None and before.status is not Status.SPECIAL_PERIOD
    return find(before.status, Event.CHARGE_SUCCEEDED if charged else Event.RENEWAL_DUE, after.status)


def _not_owed(
    contract: Contract,
    due_on: dt.date,
    charge: Charge,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    actor: Actor,
) -> Settlement:
    """Money that came for a period of an ended contract, or for one that is paid already."""
    late = contract.status in _ENDED
    why = "paid after the contract ended" if late else "the period was paid already"
    entry = _period_row(contract, due_on, due_on, EntryState.SUCCEEDED, now, new_id, charge, actor)
    # it pays for no period, of which each has one PERIOD row: however often such money comes, every row finds its place
    entry = evolve(entry, kind=EntryKind.ADDON, remarks=f"{why}: to be returned")
    record = step(
        row("T-82" if late else "T-94"),
        contract,
        contract,
        at=now,
        actor=actor,
        new_id=new_id,
        action="late_payment" if late else "second_payment",
        facts={"entry": entry.id, "period": due_on.isoformat()},
    )
    alert = operator_notice(
        contract,
        record.action,
        f"{charge.amount} came for the period of {due_on}, {why}: return it by refunding row {entry.id}",
        amount=charge.amount,
        happened_on=business_date(now, rules.zone),
        charge_id=charge.id,
        period=due_on,
        entry_id=entry.id,
    )
    return Settlement(contract, (entry,), audit=(record,), notices=(alert,))


def end(contract: Contract, on: dt.date, now: dt.datetime, rules: Rules, new_id: Callable[[], str]) -> Settlement:
    """The end that was due on *on* takes effect, with that date however late the run is (R-070, R-128, R-132).

    The expiry stays; the status closes access.

    :raises OperationNotAllowed: no end of this contract is due at *now* (R-135).
    """
    now = require_aware(now, "now")
    event, due_on = Event.CANCELLATION_DUE, contract.cancellation.effective_on if contract.cancellation else None
    if contract.status is Status.PAST_DUE:
        event, due_on = Event.FINAL_PERIOD_ENDS, product_ends_on(contract.plan, contract.start_on)
    if due_on is None or due_on != on or business_date(now, rules.zone) < on:
        raise OperationNotAllowed(f"contract {contract.id}: no end was due on {on}", rule="R-128")
    ended = terminated(contract, on)
    taken = find(contract.status, event, ended.status)
    record = step(taken, contract, ended, at=now, actor=Actor.scheduler(), new_id=new_id, action="end")
    mails: tuple[StepMail, ...] = queue(rules.step_mails, MailSet.ON_RECURRING_CANCEL, contract, now, new_id)
    if event is Event.FINAL_PERIOD_ENDS:
        notices = tell_both(NoticeKind.TERMINATED, ended, Next.ENDED, happened_on=on)
    else:
        last = on - dt.timedelta(days=1)
        notices = tell_both(NoticeKind.CANCELLATION_EFFECTIVE, ended, Next.ENDED, effective_on=on, last_day_of_use=last)
    return Settlement(ended, mails=mails, audit=(record,), notices=notices)


def schedule_product_end(
    contract: Contract, now: dt.datetime, new_id: Callable[[], str], *, zone: dt.tzinfo = JST
) -> Settlement:
    """The product's final period has begun: the contract ends with it and cannot be kept (R-067, R-069, T-46, T-75).

    Both sides are told.

    Renewals and starts do this by themselves; this is for a final month that was decided later.

    :raises OperationNotAllowed: the contract does not run, or is not in the product's final period.
    """
    effective_on = next_renewal_on(contract, contract.period_start or contract.start_on)
    if (
        contract.status not in {*_RUNNING, Status.CANCEL_SCHEDULED}
        or effective_on is None
        or not in_final_period(contract)
    ):
        raise OperationNotAllowed(f"contract {contract.id} is not in its product's final period", rule="R-067")
    notice = ends_with_product(contract.cancellation, now, effective_on)
    scheduled = evolve(contract, status=Status.CANCEL_SCHEDULED, cancellation=notice)
    taken = find(contract.status, Event.FINAL_PERIOD_BEGINS, scheduled.status)
    record = step(taken, contract, scheduled, at=now, actor=Actor.scheduler(), new_id=new_id, action="product_end")
    return Settlement(
        scheduled, audit=(record,), notices=product_end_notices(contract, scheduled, business_date(now, zone))
    )


def _period_state(contract: Contract, period_start: dt.date, charge: Charge | None) -> EntryState:
    if charge is not None or not period_price(contract.plan, contract.start_on, period_start):
        return EntryState.SUCCEEDED
    if contract.is_card:
        raise OperationNotAllowed(
            f"contract {contract.id} is paid by card: only the success of its charge opens a period", rule="R-036"
        )
    return EntryState.ASSUMED


def _period_row(
    contract: Contract,
    period_start: dt.date,
    purchased_on: dt.date,
    state: EntryState,
    now: dt.datetime,
    new_id: Callable[[], str],
    charge: Charge | None,
    actor: Actor,
) -> LedgerEntry:
    return LedgerEntry(
        new_id(),
        contract.id,
        contract.customer_id,
        EntryKind.PERIOD,
        charge.amount if charge else period_price(contract.plan, contract.start_on, period_start),
        state,
        purchased_on=purchased_on,
        target_on=period_start,
        received_at=(charge.charged_at if charge else None) or now,
        actor=actor,
        account=charge.account if charge else None,
        reference=charge.reference if charge else None,
        charge_id=charge.id if charge else None,
    )
