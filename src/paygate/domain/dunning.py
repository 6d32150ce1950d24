"""When a failed recurring charge is tried again, and why then or why not (R-147 to R-157).

:func:`plan_retry` is pure. It knows the account's schedule, the attempts of the unpaid period, what happened to the *card* in
all its contracts, the networks' rules and the present instant; so a run, a dry run and a forecast cannot disagree. A retry is
never before the schedule's day, never after a final decline, never above a network's limit and never before an advice
code's waiting time is over. Where a limit or an advice asks for patience the retry moves to a later instant.

Days are business dates (R-001), instants are aware and returned in UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import attrs

from ..clock import JST, business_date, require_aware
from ..provider import DeclineClass, Outcome
from .attempts import Attempt, Reason, RetryPlan, Why, days_text, moves, objections, plan_attempt, sent, unresolved
from .network_rules import NetworkRules
from .retry_schedule import USUAL_RETRIES, RetrySchedule, default_schedule

__all__ = [
    "USUAL_RETRIES",
    "Attempt",
    "Reason",
    "RetryPlan",
    "RetrySchedule",
    "Why",
    "default_schedule",
    "plan_all",
    "plan_attempt",
    "plan_retry",
]


def plan_retry(
    schedule: RetrySchedule | None,
    attempts: Iterable[Attempt],
    card_history: Iterable[Attempt],
    rules: NetworkRules,
    now: dt.datetime,
    zone: dt.tzinfo = JST,
) -> RetryPlan:
    """The next retry of one unpaid period.

    A class or code that nobody knows is retried on the schedule only, under the limits of every network if the network is
    not known either.

    :param schedule: the account's; None where the provider owns the retries (R-147).
    :param attempts: those of the unpaid period.
    :param card_history: those on the same card data in all contracts of the merchant, as far back as limits look; those
        of the period may be among them. New card data (a new expiry, a new token) begin a new history.
    :param now: aware.
    :param zone: in which days begin (R-001).
    :raises NaiveDatetime: if *now* has no zone (R-002).
    """
    now = require_aware(now, "now")
    if schedule is None:
        return _never(Why.PROVIDER_OWNED, "R-147", "the provider decides when it tries again")
    period = sent(attempts)
    if not period:
        return _never(Why.NOTHING_FAILED, "R-145", "no attempt of this period has reached the provider")
    if any(attempt.outcome is Outcome.SUCCEEDED for attempt in period):
        return _never(Why.NOTHING_FAILED, "R-146", "the period is paid")
    if any(attempt.outcome is not Outcome.DECLINED for attempt in period):
        return _never(Why.OPEN, "R-193", "the outcome of an attempt is not known yet")
    if len(period) >= schedule.attempts:
        return _exhausted(schedule, f"all {schedule.attempts} attempts of the period are used up")
    history = sent((*card_history, *period))
    scheduled, at, because = _earliest(schedule, period, history, rules, now, zone)
    on = business_date(at, zone)
    if reason := _forbidden(period, history, rules, on):
        return RetryPlan(None, None, forbidden_by=reason)
    if schedule.give_up_after is not None:
        last_on = business_date(period[0].at, zone) + dt.timedelta(days=schedule.give_up_after)
        if on > last_on:
            return _exhausted(schedule, f"the next retry would be on {on}, after the last day {last_on}", because[-1])
    return RetryPlan(at, on, because, scheduled_at=scheduled)


def plan_all(
    schedule: RetrySchedule | None,
    attempts: Iterable[Attempt],
    card_history: Iterable[Attempt],
    rules: NetworkRules,
    now: dt.datetime,
    zone: dt.tzinfo = JST,
) -> tuple[RetryPlan, ...]:
    """All retries of the period, supposing that each is made on time and declined without code or advice.

    Takes what :func:`plan_retry` takes. The last plan has no date and says what ends the retries. What the card does in
    other contracts meanwhile is not foreseen: a run asks :func:`plan_retry` again before each retry.
    """
    period, history = list(attempts), tuple(card_history)
    plans: list[RetryPlan] = []
    while True:
        plan = plan_retry(schedule, period, history, rules, now, zone)
        plans.append(plan)
        if plan.next_at is None:
            return tuple(plans)
        now, last = plan.next_at, sent(period)[-1]
        period.append(
            Attempt(
                id=f"planned retry {len(plans)}",
                at=now,
                outcome=Outcome.DECLINED,
                amount=last.amount,
                decline=DeclineClass.SOFT,
                network=last.network,
            )
        )


# --- when at the earliest --------------------------------------------------------------------------------------------


def _earliest(
    schedule: RetrySchedule,
    period: Sequence[Attempt],
    history: Sequence[Attempt],
    rules: NetworkRules,
    now: dt.datetime,
    zone: dt.tzinfo,
) -> tuple[dt.datetime, dt.datetime, tuple[Reason, ...]]:
    """The schedule's instant, the first one that advice and limits allow as well, and the reasons in the order of its moves."""
    last = period[-1]
    gap = 0 if last.cleared else schedule.gaps[len(period) - 1]
    before = last.at.astimezone(zone)
    at = (before.replace(tzinfo=None) + dt.timedelta(days=gap)).replace(tzinfo=zone).astimezone(dt.UTC)
    text = f"retry {len(period)} of {len(schedule.gaps)}, {days_text(gap)} after the attempt of {before:%Y-%m-%d}"
    if last.cleared:
        text = f"retry {len(period)} of {len(schedule.gaps)}, the attempt of {before:%Y-%m-%d} was a duplicate of another payment"
    because = [Reason(Why.SCHEDULE, schedule.rule, text)]
    scheduled = at
    if at < now:
        because.append(Reason(Why.LATE, "R-041", f"was due on {business_date(at, zone)}"))
        at = now
    # Each step ends a window, a wait or a rule, of which there are finitely many: the instant only moves on.
    while later := list(moves(at, period, history, last.amount, rules, zone)):
        at, reason = max(later, key=lambda move: move[0])
        because.append(reason)
    return scheduled, at, tuple(because)


# --- whether at all --------------------------------------------------------------------------------------------------

_PRECEDENCE = (Why.FINAL_CODE, Why.CORRECTION, Why.DECLINE_CLASS)


def _forbidden(
    period: Sequence[Attempt], history: Sequence[Attempt], rules: NetworkRules, on: dt.date
) -> Reason | None:
    """The weightiest reason why nothing may be retried on day *on*; None if nothing is against it."""
    own = {attempt.id for attempt in period}
    found = [
        reason
        for attempt in unresolved(period, history)
        for reason in objections(attempt, rules, on, own=attempt.id in own)
    ]
    return min(found, key=lambda reason: _PRECEDENCE.index(reason.why), default=None)


def _never(why: Why, rule: str, text: str) -> RetryPlan:
    return RetryPlan(None, None, forbidden_by=Reason(why, rule, text))


def _exhausted(schedule: RetrySchedule, text: str, cause: Reason | None = None) -> RetryPlan:
    """No retry any more; *cause* is what delayed the retry beyond the last day."""
    if cause is not None and cause.until is not None:
        reason = attrs.evolve(cause, text=f"{text}: {cause.text}")
    else:
        follows = "the contract ends" if schedule.ends_contract else "the contract stays PAST_DUE"
        reason = Reason(Why.EXHAUSTED, "R-150" if schedule.ends_contract else "R-156", f"{text}: {follows}")
    return RetryPlan(None, None, forbidden_by=reason, ends_contract=schedule.ends_contract)
