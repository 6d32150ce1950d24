"""Starts, renewals and due ends: what is due, and what carrying it out does (R-029 to R-046, R-058 to R-071).

:func:`due_steps` tells a run what is due; the run then asks :func:`start`, :func:`renew` or :func:`end`. For cards
:func:`start` and :func:`renew` are asked when the success is processed, and :func:`fail` when the charge failed.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterator, Sequence

import attrs

from ..clock import business_date, require_aware
from ..errors import OperationNotAllowed
from ..money import Money
from . import licences as entitlements
from .audit import change
from .calendar import next_renewal
from .charge import Charge
from .contract import Actor, Cancellation, CancellationOrigin, Contract, PastDue, Status
from .expiry import extended, first_expiry
from .ledger import EntryKind, EntryState, LedgerEntry
from .licences import License
from .mails import MailSet, StepMail, queue
from .rules import Rules
from .running import next_renewal_on, period_price, product_ends_on, resumed, running
from .settlement import Settlement

__all__ = ["DueStep", "StepKind", "due_steps", "end", "fail", "next_due_on", "renew", "schedule_product_end", "start"]

_RUNNING = frozenset({Status.ACTIVE, Status.SPECIAL_PERIOD})
_ENDED = frozenset({Status.TERMINATED, Status.CANCELED})


class StepKind(enum.Enum):
    """What a run does for one contract; on one day in this order (R-042)."""

    CANCELLATION = "CANCELLATION"  #: a scheduled cancellation, or the product's end, takes effect (T-69, T-73)
    START = "START"  #: the start date has come (T-23 to T-25)
    RENEWAL = "RENEWAL"  #: a new period begins (T-40, T-41, T-50, T-51)
    PRODUCT_END = "PRODUCT_END"  #: the product's final period has begun (T-46, T-75)


@attrs.frozen
class DueStep:
    """One step that is due.

    :param on: the business date on which it fell due, whenever the run comes (R-041).
    :param price: what this step charges; zero for steps that charge nothing, and for free periods (R-017).
    """

    kind: StepKind
    on: dt.date
    price: Money


def due_steps(contract: Contract, now: dt.datetime, rules: Rules) -> tuple[DueStep, ...]:
    """What is due for *contract* at *now*, in date order, and within a day in the order of R-042 (R-041).

    It assumes that every step succeeds. A run that charges cards executes the first step and asks again, because a
    failed charge ends the list: PAST_DUE is not billed (R-038, R-039). Nothing follows a cancellation, so a contract
    that ends on a renewal day is not charged on it (R-128).
    """
    return tuple(_steps(contract, business_date(now, rules.zone)))


def _steps(contract: Contract, today: dt.date) -> Iterator[DueStep]:
    nothing = Money(0, contract.plan.price.currency)
    plan, start_on, status = contract.plan, contract.start_on, contract.status
    product_end = product_ends_on(plan, start_on)
    if status is Status.CANCEL_SCHEDULED and contract.cancellation is not None:
        if contract.cancellation.effective_on <= today:
            yield DueStep(StepKind.CANCELLATION, contract.cancellation.effective_on, nothing)
        elif (
            _in_final_period(contract, product_end)
            and contract.cancellation.origin is not CancellationOrigin.PRODUCT_END
        ):
            yield DueStep(StepKind.PRODUCT_END, contract.period_start or start_on, nothing)
        return
    if status is Status.PAST_DUE:
        if product_end is not None and product_end <= today:
            yield DueStep(StepKind.CANCELLATION, product_end, nothing)
        return
    if status is Status.NOT_STARTED:
        if start_on > today:
            return
        yield DueStep(StepKind.START, start_on, period_price(plan, start_on, start_on) if plan.cycle else nothing)
    elif status not in _RUNNING:
        return
    if plan.cycle is None:
        return
    begun = contract.period_start or start_on
    day = next_renewal(start_on, plan.cycle, begun)
    if status in _RUNNING and _in_final_period(contract, product_end):
        yield DueStep(StepKind.PRODUCT_END, begun, nothing)
        product_end = day
    while day <= today:
        if day == product_end:
            yield DueStep(StepKind.CANCELLATION, day, nothing)
            return
        yield DueStep(StepKind.RENEWAL, day, period_price(plan, start_on, day))
        day = next_renewal(start_on, plan.cycle, day)


def _in_final_period(contract: Contract, product_end: dt.date | None) -> bool:
    next_on = next_renewal_on(contract, contract.period_start or contract.start_on)
    return product_end is not None and next_on is not None and next_on >= product_end


def next_due_on(contract: Contract) -> dt.date | None:
    """The business date on which a run next has something to do for *contract*; None for never.

    Cheap to store and to index: work is found by date, whatever else exists.
    """
    match contract.status:
        case Status.NOT_STARTED:
            return contract.start_on
        case Status.CANCEL_SCHEDULED if contract.cancellation is not None:
            return contract.cancellation.effective_on
        case Status.PAST_DUE:
            return product_ends_on(contract.plan, contract.start_on)
        case Status.ACTIVE | Status.SPECIAL_PERIOD:
            begun = contract.period_start or contract.start_on
            overdue = _in_final_period(contract, product_ends_on(contract.plan, contract.start_on))
            return begun if overdue else next_renewal_on(contract, begun)
        case _:
            return None


def start(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    charge: Charge | None = None,
    actor: Actor | None = None,
) -> Settlement:
    """The start date has come (R-029, R-030, T-23 to T-25).

    A recurring contract opens its first period: by the charge for a card, as if paid otherwise (R-015, R-037); a first
    period that costs nothing needs no charge (R-017).

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
        record = change(contract, begun, id=new_id(), at=now, actor=actor, action="start")
        return Settlement(begun, audit=(record,))
    entry = _period_row(
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
    begun = attrs.evolve(begun, expires_on=_paid_until(contract, start_on, paid_on, rules))
    record = change(contract, begun, id=new_id(), at=now, actor=actor, action="start")
    licences = entitlements.issue(contract, start_on, entry.id, (), new_id)
    return Settlement(begun, (entry,), (), licences, (record,))


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
    * one that has ended is not revived: the sale is recorded, and the money has to be returned (R-144, T-82).

    The caller holds ``UNIQUE(contract, due_on, PERIOD)``, so that nothing happens twice (R-040).

    :param licences: all licences of the contract so far.
    :raises OperationNotAllowed: the status does not renew (R-038), or a card without its charge (R-036).
    """
    now = require_aware(now, "now")
    actor = actor or (Actor.provider(charge.account) if charge else Actor.scheduler())
    late = contract.status in _ENDED or contract.status is Status.PAST_DUE
    if contract.plan.cycle is None or not (
        contract.status in _RUNNING or (charge and (late or contract.status is Status.CANCEL_SCHEDULED))
    ):
        raise OperationNotAllowed(f"contract {contract.id} is {contract.status.value}: it does not renew", rule="R-038")
    state = _period_state(contract, due_on, charge)
    entry = _period_row(contract, due_on, due_on, state, now, new_id, charge, actor)
    if contract.status in _ENDED:
        entry = attrs.evolve(entry, remarks="paid after the contract ended: to be returned")
        record = change(
            contract, contract, id=new_id(), at=now, actor=actor, action="late_payment", facts={"entry": entry.id}
        )
        return Settlement(contract, (entry,), audit=(record,))
    today = business_date(now, rules.zone)
    was_past_due = contract.status is Status.PAST_DUE
    renewed = resumed(contract, today, now) if was_past_due else running(contract, due_on, now)
    revived = was_past_due and renewed.status is not Status.TERMINATED
    action = "resume" if revived else "late_payment" if was_past_due else "renew"
    renewed = attrs.evolve(renewed, expires_on=_paid_until(contract, due_on, today if charge else due_on, rules))
    charge_id = charge.id if charge else None
    return Settlement(
        renewed,
        (entry,),
        queue(rules.step_mails, MailSet.ON_RENEWAL, contract, now, new_id, charge_id=charge_id),
        entitlements.restore(licences) or entitlements.issue(contract, due_on, entry.id, licences, new_id),
        (
            change(
                contract, renewed, id=new_id(), at=now, actor=actor, action=action, facts={"period": due_on.isoformat()}
            ),
        ),
    )


def fail(
    contract: Contract,
    period_start: dt.date,
    now: dt.datetime,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    retry_pending: bool = False,
    licences: Sequence[License] = (),
    entry_id: str | None = None,
    reason: str = "",
) -> Settlement:
    """The charge for the period that begins on *period_start* failed: PAST_DUE (R-066, R-145, T-26, T-42, T-52, T-76).

    Nothing is added to the ledger. A scheduled cancellation is kept (R-163); another failure of the same period only
    counts on (T-61).

    :param retry_pending: whether the provider tries again by itself (R-161).
    :param entry_id: the period's row, if it has one already; its licences are locked (R-074).
    :raises OperationNotAllowed: the status knows no failing period: it waits, is one-off, or has ended (R-021, R-022).
    """
    missing = contract.past_due
    known = contract.status in {*_RUNNING, Status.CANCEL_SCHEDULED, Status.PAST_DUE, Status.NOT_STARTED}
    if not known or contract.plan.cycle is None:
        raise OperationNotAllowed(
            f"contract {contract.id} is {contract.status.value}: a failed period changes nothing", rule="R-022"
        )
    if missing is not None and missing.period_start == period_start:
        missing = attrs.evolve(missing, failures=missing.failures + 1, retry_pending=retry_pending)
    else:
        missing = PastDue(now, period_start, retry_pending=retry_pending)
    stopped = attrs.evolve(contract, status=Status.PAST_DUE, past_due=missing)
    record = change(contract, stopped, id=new_id(), at=now, actor=actor, action="payment_failed", reason=reason)
    locked = entitlements.revoke(contract, licences, entry_id) if entry_id else ()
    return Settlement(stopped, licences=locked, audit=(record,))


def end(contract: Contract, on: dt.date, now: dt.datetime, rules: Rules, new_id: Callable[[], str]) -> Settlement:
    """The end that was due on *on* takes effect, with that date however late the run is (R-070, R-128, R-132).

    The expiry stays; the status closes access.

    :raises OperationNotAllowed: no end of this contract is due at *now* (R-135).
    """
    step = next(_steps(contract, business_date(now, rules.zone)), None)
    if step is None or step.kind is not StepKind.CANCELLATION or step.on != on:
        raise OperationNotAllowed(f"contract {contract.id}: no end was due on {on}", rule="R-128")
    ended = attrs.evolve(contract, status=Status.TERMINATED, cancellation=None, past_due=None, ended_on=on)
    record = change(contract, ended, id=new_id(), at=now, actor=Actor.scheduler(), action="end")
    mails: tuple[StepMail, ...] = queue(rules.step_mails, MailSet.ON_RECURRING_CANCEL, contract, now, new_id)
    return Settlement(ended, mails=mails, audit=(record,))


def schedule_product_end(contract: Contract, now: dt.datetime, new_id: Callable[[], str]) -> Settlement:
    """The product's final period has begun: the contract ends with it and cannot be kept (R-067, R-069, T-46, T-75).

    Renewals and starts do this by themselves; this is for a final month that was decided later.

    :raises OperationNotAllowed: the contract does not run, or is not in the product's final period.
    """
    effective_on = next_renewal_on(contract, contract.period_start or contract.start_on)
    if (
        contract.status not in {*_RUNNING, Status.CANCEL_SCHEDULED}
        or effective_on is None
        or not _in_final_period(contract, product_ends_on(contract.plan, contract.start_on))
    ):
        raise OperationNotAllowed(f"contract {contract.id} is not in its product's final period", rule="R-067")
    notice = Cancellation(CancellationOrigin.PRODUCT_END, now, Actor.scheduler(), effective_on)
    scheduled = attrs.evolve(contract, status=Status.CANCEL_SCHEDULED, cancellation=notice)
    record = change(contract, scheduled, id=new_id(), at=now, actor=Actor.scheduler(), action="product_end")
    return Settlement(scheduled, audit=(record,))


def _paid_until(contract: Contract, period_start: dt.date, receipt_on: dt.date, rules: Rules) -> dt.date:
    """The expiry once the period is paid; signing up has set that of the first period already (R-048, R-058)."""
    plan, start_on, expires_on = contract.plan, contract.start_on, contract.expires_on
    if expires_on is not None and period_start != start_on:
        return extended(expires_on, plan, start_on, receipt_on, rules.system_max)
    first = first_expiry(plan, start_on, receipt_on, rules.system_max)
    return first if expires_on is None else max(expires_on, first)


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
