"""What a provider's bad news does to a recurring contract paid by card (R-145 to R-164, T-26, T-42, T-47, T-52, T-61 to T-63,
T-67, T-74, T-76, T-94).

Good news has its own module: :func:`~paygate.domain.renewal.renew` and :func:`~paygate.domain.renewal.start` are asked when
the charge of a period succeeds, at once or by a retry (R-146, R-164). News may repeat, overtake one another or come after the
end (R-153, R-162); what tells nothing new changes nothing and is recorded.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

import attrs

from ..clock import business_date, require_aware
from ..errors import InvalidValue, OperationNotAllowed
from ..money import Money
from ..provider import DeclineClass
from .charge import ACTION_EXPIRED
from .contract import Actor, Contract, PastDue, Status
from .dunning import USUAL_RETRIES, RetryPlan, RetrySchedule
from .followup import Audience, Next, Notice, NoticeKind, tell_both
from .ledger import EntryState, LedgerEntry
from .lifecycle import paid_row, step, terminated, unchanged
from .rules import Rules
from .running import period_price, special_ends_on
from .settlement import Settlement
from .transitions import Event, Transition, find, row

__all__ = ["FailedAttempt", "fail", "give_up", "hold_back", "subscription_ended"]

_RECURRING = frozenset({Status.ACTIVE, Status.SPECIAL_PERIOD, Status.PAST_DUE, Status.CANCEL_SCHEDULED})
_ENDED = frozenset({Status.TERMINATED, Status.CANCELED})


def _from_one(_instance: object, _attribute: object, number: int | None) -> None:
    if number is not None and (type(number) is not int or number < 1):
        raise InvalidValue(f"attempts are counted from 1, got {number!r}", rule="R-149")


@attrs.frozen
class FailedAttempt:
    """One failed attempt to charge a period.

    :param period_start: the renewal day, or the start date, whose payment is missing.
    :param number: which attempt of the period it was, the first is 1; None where the provider does not say.
    :param amount: what was asked for; by default the period's price.
    :param next_on: the business date of the next attempt, as far as it is known.
    :param retry_pending: whether the *provider* tries again by itself, so that collecting the period otherwise could
        charge twice (R-161).
    :param retry: whether anybody tries again by themselves; None: not known, so that the schedule is believed.
    :param action_url: where the customer can confirm the payment or pay it otherwise, if the provider has such a page.
    :param code: the provider's own code; :param reason: its words, for people; :param decline: what the code means.
    """

    period_start: dt.date
    number: int | None = attrs.field(default=None, validator=_from_one)
    amount: Money | None = None
    next_on: dt.date | None = None
    retry_pending: bool = False
    code: str | None = None
    reason: str = ""
    retry: bool | None = None
    decline: DeclineClass | None = None
    action_url: str | None = None


#: What has to happen where a decline of that class is not retried; a new card where nothing else is said.
_WITHOUT_RETRY = {
    DeclineClass.ACTION: Next.CONFIRM,
    DeclineClass.CONFIG: Next.CORRECT,
    DeclineClass.DUPLICATE: Next.CHECK,
}


def fail(
    contract: Contract,
    attempt: FailedAttempt,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    schedule: RetrySchedule = USUAL_RETRIES,
) -> Settlement:
    """A period's charge failed. Each attempt is mailed to both sides, the first one included (R-151).

    * The first failure makes the contract PAST_DUE and keeps a cancellation that is scheduled (R-145, R-163).
    * Further ones are counted (R-149). The last one ends the contract where *schedule* says so (R-150), else the contract
      stays PAST_DUE with its attempts used up (R-156).
    * After the end the mails still go out, and nothing else (R-153).
    * A notice that was overtaken by a success or by a later attempt, or that repeats, is only recorded (R-162, R-269).

    Nothing is added to the ledger; the expiry stays. The period was never open, so there is nothing to lock (R-036, R-074).

    :param schedule: the account's retries; by default three after the first failure, then the end (R-148).
    :param actor: who brings the news: the provider, a run that asked, or an operator who looked it up.
    :raises OperationNotAllowed: the contract is not paid by card (R-158), or has no periods (R-021).
    :raises NaiveDatetime: *now* has no zone (R-002).
    """
    now = require_aware(now, "now")
    if not contract.is_card or contract.plan.cycle is None or contract.status is Status.PENDING_PAYMENT:
        raise OperationNotAllowed(
            f"contract {contract.id} is {contract.status.value}: no period of it is charged to a card", rule="R-158"
        )
    known, missing = _failures_before(contract, attempt), contract.past_due
    if known is None or (attempt.number is not None and attempt.number <= known):
        facts = {"period": attempt.period_start.isoformat(), "attempt": attempt.number, "code": attempt.code}
        record = unchanged(
            contract, at=now, actor=actor, new_id=new_id, reason="a newer result of the period is known", facts=facts
        )
        return Settlement(contract, audit=(record,))
    number = attempt.number or known + 1
    last = number >= schedule.attempts
    today = business_date(now, rules.zone)
    if contract.status in _ENDED:
        after = contract
    elif known and last and schedule.ends_contract:
        after = terminated(contract, today)
    else:
        since = missing.since if missing and missing.period_start == attempt.period_start else now
        unpaid = PastDue(
            since,
            attempt.period_start,
            number,
            retry_pending=attempt.retry_pending and not last,
            exhausted=last,
            given_up=last or attempt.retry is False,
        )
        after = attrs.evolve(contract, status=Status.PAST_DUE, past_due=unpaid)
    record = step(
        _row_taken(contract, after, attempt),
        contract,
        after,
        at=now,
        actor=actor,
        new_id=new_id,
        action="payment_failed",
        reason=attempt.reason,
        facts={"period": attempt.period_start.isoformat(), "attempt": number, "code": attempt.code},
    )
    failed = _failure_notices(after, attempt, number, today, last=last)
    ended = _end_notices(after, today) if after.status is Status.TERMINATED is not contract.status else ()
    return Settlement(after, audit=(record,), notices=failed + ended)


def hold_back(
    contract: Contract,
    period: dt.date,
    held: RetryPlan,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    amount: Money,
) -> Settlement:
    """The card of *contract* may not be tried for *period* now: it is unpaid, as if it had been declined (R-145).

    Nothing was sent, so no failure is counted. Both sides are told, once, when it is tried or that it is not (R-331).

    :param held: when the card may be tried, or why never.
    """
    now = require_aware(now, "now")
    after = attrs.evolve(
        contract, status=Status.PAST_DUE, past_due=PastDue(now, period, failures=0, given_up=held.on is None)
    )
    reason = held.forbidden_by or held.because[-1]
    record = step(
        _row_taken(contract, after, FailedAttempt(period)),
        contract,
        after,
        at=now,
        actor=Actor.scheduler(),
        new_id=new_id,
        action="payment_held_back",
        reason=str(reason),
        facts={"period": period.isoformat(), "rule": reason.rule},
    )
    then = Next.NEW_CARD if held.on is None else Next.RETRY
    return Settlement(after, audit=(record,), notices=_held_notices(after, then, held, amount, now, rules))


def give_up(
    contract: Contract,
    forbidden: RetryPlan,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    amount: Money,
) -> Settlement:
    """A retry that was promised is not made any more: both sides are told, once (R-343).

    What forbids it has come since: the card gave its final answer in another contract, or a payment is in doubt.

    :param forbidden: with what forbids it.
    """
    now, missing, reason = require_aware(now, "now"), contract.past_due, forbidden.forbidden_by
    if missing is None or reason is None or missing.given_up:
        return Settlement(contract)
    after = attrs.evolve(contract, past_due=attrs.evolve(missing, given_up=True))
    facts = {"period": missing.period_start.isoformat(), "rule": reason.rule}
    record = unchanged(contract, at=now, actor=Actor.scheduler(), new_id=new_id, reason=str(reason), facts=facts)
    record = attrs.evolve(record, action="payment_held_back")
    doubted = reason.rule == f"class {DeclineClass.DUPLICATE.value}"
    then = Next.CHECK if doubted else Next.NEW_CARD
    return Settlement(after, audit=(record,), notices=_held_notices(after, then, forbidden, amount, now, rules))


def _held_notices(
    after: Contract, then: Next, held: RetryPlan, amount: Money, now: dt.datetime, rules: Rules
) -> tuple[Notice, ...]:
    reason = held.forbidden_by or held.because[-1]
    notices = tell_both(
        NoticeKind.RENEWAL_HELD_BACK,
        after,
        then,
        amount=amount,
        happened_on=business_date(now, rules.zone),
        next_attempt_on=held.on,
    )
    return tuple(
        attrs.evolve(notice, facts={**notice.facts, "reason": str(reason)})
        if notice.audience is Audience.ADMIN  # which network forbids what is nothing that a customer has to know
        else notice
        for notice in notices
    )


def subscription_ended(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    entries: Iterable[LedgerEntry] = (),
    reason: str = "",
) -> Settlement:
    """The provider has ended its subscription: TERMINATED at once, whatever recurring status it was (R-152).

    The unpaid period, if there is one, counts as not paid (R-140). If the contract has ended already, this is the same end
    told twice and only recorded (R-153).

    :param entries: all ledger rows of the contract.
    :raises OperationNotAllowed: the contract is not paid by card (R-158).
    :raises NaiveDatetime: *now* has no zone (R-002).
    """
    now = require_aware(now, "now")
    if not contract.is_card:
        raise OperationNotAllowed(f"contract {contract.id} is not paid by card: no provider can end it", rule="R-158")
    if contract.status not in _RECURRING:
        why = f"the provider ended its subscription, and the contract is {contract.status.value}"
        return Settlement(contract, audit=(unchanged(contract, at=now, actor=actor, new_id=new_id, reason=why),))
    today = business_date(now, rules.zone)
    ended = terminated(contract, today)
    unpaid = paid_row(contract, entries, EntryState.UNPAID)
    record = step(
        find(contract.status, Event.SUBSCRIPTION_ENDED, ended.status),
        contract,
        ended,
        at=now,
        actor=actor,
        new_id=new_id,
        action="subscription_ended",
        reason=reason,
    )
    changed = (attrs.evolve(unpaid, state=EntryState.VOID),) if unpaid else ()
    return Settlement(ended, audit=(record,), changed=changed, notices=_end_notices(ended, today))


def _failures_before(contract: Contract, attempt: FailedAttempt) -> int | None:
    """How many failures of the period are known already; None if the period is paid, or a later one is missing."""
    missing = contract.past_due
    if missing is not None:
        if attempt.period_start == missing.period_start:
            return missing.failures
        return 0 if attempt.period_start > missing.period_start else None
    if contract.status in _ENDED:
        return 0
    # a card's period begins only when it is paid
    paid = contract.period_start is not None and attempt.period_start <= contract.period_start
    return None if paid else 0


def _row_taken(before: Contract, after: Contract, attempt: FailedAttempt) -> Transition | None:
    if before.status in _ENDED:
        return row("T-94")
    if before.status is Status.SPECIAL_PERIOD:
        ends_on = special_ends_on(before.plan, before.start_on)
        return row("T-52" if ends_on is not None and attempt.period_start >= ends_on else "T-42")
    exhausted = after.past_due is not None and after.past_due.exhausted
    if before.status is Status.PAST_DUE and exhausted:
        return find(before.status, Event.RETRIES_USED_UP, after.status)
    return find(before.status, Event.CHARGE_FAILED, after.status)


def _failure_notices(
    after: Contract, attempt: FailedAttempt, number: int, today: dt.date, *, last: bool
) -> tuple[Notice, ...]:
    then = Next.ENDED if after.status in _ENDED else Next.NEW_CARD if last else Next.RETRY
    if attempt.retry is False and then is not Next.ENDED:  # a retry that never comes is not promised
        expired = attempt.code == ACTION_EXPIRED  # there is nothing left to confirm
        decline = DeclineClass.UNKNOWN if expired or attempt.decline is None else attempt.decline
        then = _WITHOUT_RETRY.get(decline, Next.NEW_CARD)
    return tell_both(
        NoticeKind.RENEWAL_FAILED,
        after,
        then,
        amount=attempt.amount or period_price(after.plan, after.start_on, attempt.period_start),
        happened_on=today,
        attempt=number,
        next_attempt_on=attempt.next_on if then is Next.RETRY else None,
        code=attempt.code,
        decline=attempt.decline,
        reason=attempt.reason or None,
        action_url=attempt.action_url,
    )


def _end_notices(ended: Contract, today: dt.date) -> tuple[Notice, ...]:
    return tell_both(NoticeKind.TERMINATED, ended, Next.ENDED, happened_on=today)
