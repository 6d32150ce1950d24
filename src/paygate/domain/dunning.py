"""When a failed recurring charge is tried again, and why then or why not (R-147 to R-157).

:func:`plan_retry` is pure. It knows the account's schedule, the attempts of the unpaid period, what happened to the *card* in
all its contracts, the networks' rules and the present instant; so a run, a dry run and a forecast cannot disagree. A retry is
never before the schedule's day, never after a final decline, never above a network's limit and never before an advice
code's waiting time is over. Where a limit or an advice asks for patience the retry moves to a later instant.

Days are business dates (R-001), instants are aware and returned in UTC.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import attrs

from ..clock import JST, business_date, require_aware
from ..money import Money
from ..provider import DeclineClass, Outcome
from .charge import Charge, ChargeState, Failure
from .network_rules import Action, AdviceRule, CodeRule, Counts, NetworkRules, ReattemptLimit
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
    "plan_retry",
]

#: Classes of declines after which no attempt is made without a person.
_NOT_RETRIED = {
    DeclineClass.HARD: "this card will not work",
    DeclineClass.PERMISSION: "the customer's permission is closed or expired",
    DeclineClass.ACTION: "the customer has to do something first",
    DeclineClass.CONFIG: "the set-up or the request has to be corrected first",
}


# --- what happened ---------------------------------------------------------------------------------------------------

_OUTCOMES = {
    ChargeState.SUCCEEDED: Outcome.SUCCEEDED,
    ChargeState.FAILED: Outcome.DECLINED,
    ChargeState.PENDING: Outcome.PENDING,
    ChargeState.UNKNOWN: Outcome.UNKNOWN,
}


def _lower(network: str | None) -> str | None:
    return network.lower() if network else None


def _aware(at: dt.datetime) -> dt.datetime:
    return require_aware(at, "at")


@attrs.frozen
class Attempt:
    """One attempt to charge a card, in whichever contract.

    :param id: of the charge; the same attempt given twice counts once.
    :param at: when it was made, aware; kept in UTC.
    :param code: the network's response code where the provider passes it on, else the provider's own.
    :param network: of the card, for example ``visa``; None if the provider does not say.
    :param advice_code: the network's or provider's advice for the next attempt, if there was one.
    :raises NaiveDatetime: if *at* has no zone (R-002).
    """

    id: str
    at: dt.datetime = attrs.field(converter=_aware)
    outcome: Outcome
    amount: Money
    code: str | None = None
    decline: DeclineClass = DeclineClass.UNKNOWN
    network: str | None = attrs.field(default=None, converter=_lower)
    advice_code: str | None = None

    @classmethod
    def of(cls, charge: Charge, *, network: str | None = None, advice_code: str | None = None) -> Attempt:
        """The attempt that *charge* was, with what the provider told about card and advice."""
        failure = charge.failure or Failure()
        return cls(
            id=charge.id,
            at=charge.created_at,
            outcome=_OUTCOMES[charge.state] if failure.sent else Outcome.NOT_SENT,
            amount=charge.amount,
            code=failure.code,
            decline=failure.decline or DeclineClass.UNKNOWN,
            network=network or charge.network,
            advice_code=advice_code or charge.advice_code,
        )


# --- what is planned -------------------------------------------------------------------------------------------------


class Why(enum.Enum):
    """What a reason is about."""

    SCHEDULE = "schedule"  #: the day on which the schedule tries again
    LATE = "late"  #: the planned instant has passed, so it is due now
    WAIT = "wait"  #: an advice code asks for patience
    LIMIT = "limit"  #: a network's limit is reached until later
    PROVIDER_OWNED = "provider owned"  #: the provider decides about retries (R-147)
    NOTHING_FAILED = "nothing failed"  #: there is nothing to try again
    OPEN = "open"  #: the last attempt's outcome is not known yet (R-193)
    EXHAUSTED = "exhausted"  #: all attempts are used up, or the last day has passed (R-150, R-156)
    FINAL_CODE = "final code"  #: a code or advice says never
    CORRECTION = "correction"  #: a code or advice asks to correct something first
    DECLINE_CLASS = "decline class"  #: the provider's class of the decline is not retried


@attrs.frozen
class Reason:
    """One reason for a date, or against any.

    :param rule: a number of the domain reference, the id of a limit, or network and code, as in ``visa code 04``.
    :param text: for people.
    :param citations: where a network's rule can be read.
    :param until: for a limit or a wait the instant in UTC at which it is over.
    """

    why: Why
    rule: str
    text: str
    citations: tuple[str, ...] = ()
    until: dt.datetime | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.rule})"


@attrs.frozen
class RetryPlan:
    """When the next retry is due and why then; or that there is none, and what forbids it.

    :param next_at: UTC; None for no retry.
    :param on: the business date of *next_at*.
    :param because: how the date came about, in the order in which it moved.
    :param forbidden_by: set exactly when there is no retry.
    :param ends_contract: the attempts are used up and the contract has to end now (R-150).
    """

    next_at: dt.datetime | None
    on: dt.date | None
    because: tuple[Reason, ...] = ()
    forbidden_by: Reason | None = None
    ends_contract: bool = False

    def explain(self) -> str:
        """One line for people: the date or its absence, and the reasons."""
        if self.forbidden_by is not None:
            return f"no retry: {self.forbidden_by}"
        return f"retry on {self.on}: {'; '.join(map(str, self.because))}"


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
    period = _sent(attempts)
    if not period:
        return _never(Why.NOTHING_FAILED, "R-145", "no attempt of this period has reached the provider")
    if any(attempt.outcome is Outcome.SUCCEEDED for attempt in period):
        return _never(Why.NOTHING_FAILED, "R-146", "the period is paid")
    if any(attempt.outcome is not Outcome.DECLINED for attempt in period):
        return _never(Why.OPEN, "R-193", "the outcome of an attempt is not known yet")
    if len(period) >= schedule.attempts:
        return _exhausted(schedule, f"all {schedule.attempts} attempts of the period are used up")
    history = _sent((*card_history, *period))
    at, because = _earliest(schedule, period, history, rules, now, zone)
    on = business_date(at, zone)
    if reason := _forbidden(period, history, rules, on):
        return RetryPlan(None, None, forbidden_by=reason)
    if schedule.give_up_after is not None:
        last_on = business_date(period[0].at, zone) + dt.timedelta(days=schedule.give_up_after)
        if on > last_on:
            return _exhausted(schedule, f"the next retry would be on {on}, after the last day {last_on}", because[-1])
    return RetryPlan(at, on, because)


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
        now, last = plan.next_at, _sent(period)[-1]
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


def _sent(attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """Each attempt that may have reached the provider, once, oldest first."""
    once = {attempt.id: attempt for attempt in attempts if attempt.outcome is not Outcome.NOT_SENT}
    return tuple(sorted(once.values(), key=lambda attempt: attempt.at))


def _earliest(
    schedule: RetrySchedule,
    period: Sequence[Attempt],
    history: Sequence[Attempt],
    rules: NetworkRules,
    now: dt.datetime,
    zone: dt.tzinfo,
) -> tuple[dt.datetime, tuple[Reason, ...]]:
    """The first instant that schedule, advice and limits allow, with the reasons in the order in which it moved."""
    last, gap = period[-1], schedule.gaps[len(period) - 1]
    before = last.at.astimezone(zone)
    at = (before.replace(tzinfo=None) + dt.timedelta(days=gap)).replace(tzinfo=zone).astimezone(dt.UTC)
    text = f"retry {len(period)} of {len(schedule.gaps)}, {_days(gap)} after the attempt of {before:%Y-%m-%d}"
    because = [Reason(Why.SCHEDULE, schedule.rule, text)]
    if at < now:
        because.append(Reason(Why.LATE, "R-041", f"was due on {business_date(at, zone)}"))
        at = now
    # Each step ends a window, a wait or a rule, of which there are finitely many: the instant only moves on.
    while moves := list(_moves(at, period, history, rules, zone)):
        at, reason = max(moves, key=lambda move: move[0])
        because.append(reason)
    return at, tuple(because)


def _moves(
    at: dt.datetime, period: Sequence[Attempt], history: Sequence[Attempt], rules: NetworkRules, zone: dt.tzinfo
) -> Iterator[tuple[dt.datetime, Reason]]:
    """What asks for a later instant than *at*, by the rules of that day."""
    on = business_date(at, zone)
    for attempt in _unresolved(period, history):
        advice = attempt.advice_code and rules.advice_rule(attempt.network, attempt.advice_code, on)
        if advice and (over := attempt.at + advice.wait) > at:
            text = f"{advice.means}, {advice.advice}: wait until {_clock(over, zone)}"
            yield over, Reason(Why.WAIT, _name(advice), text, rules.citations(advice), over)
    networks: set[str | None] = {attempt.network for attempt in history if attempt.network}
    for network in sorted(networks, key=str) or [None]:
        for limit in rules.limits_on(network, on):
            free = limit.free_at(_counted(limit, history, period[-1].amount), at, zone)
            if free > at:
                text = f"{limit.maximum} {limit.counts.value} in {_days(limit.length.days)} are used up until {_clock(free, zone)}"
                yield free, Reason(Why.LIMIT, limit.id, text, rules.citations(limit), free)


def _counted(limit: ReattemptLimit, history: Sequence[Attempt], amount: Money) -> list[dt.datetime]:
    """When the attempts that count towards *limit* were made."""
    scope = [attempt for attempt in history if attempt.amount == amount or not limit.per_amount]
    if limit.counts is Counts.ATTEMPTS:
        return [attempt.at for attempt in scope]
    return [attempt.at for previous, attempt in pairwise(scope) if previous.outcome is not Outcome.SUCCEEDED]


# --- whether at all --------------------------------------------------------------------------------------------------

_PRECEDENCE = (Why.FINAL_CODE, Why.CORRECTION, Why.DECLINE_CLASS)


def _unresolved(period: Sequence[Attempt], history: Sequence[Attempt]) -> list[Attempt]:
    """The declines that still speak, latest first: the period's own, and the card's since it last worked."""
    worked = max((attempt.at for attempt in history if attempt.outcome is Outcome.SUCCEEDED), default=None)
    own = {attempt.id for attempt in period}
    return [
        attempt
        for attempt in reversed(history)
        if attempt.outcome is Outcome.DECLINED and (attempt.id in own or worked is None or attempt.at >= worked)
    ]


def _forbidden(
    period: Sequence[Attempt], history: Sequence[Attempt], rules: NetworkRules, on: dt.date
) -> Reason | None:
    """The weightiest reason why nothing may be retried on day *on*; None if nothing is against it."""
    own = {attempt.id for attempt in period}
    found = [
        reason
        for attempt in _unresolved(period, history)
        for reason in _objections(attempt, rules, on, own=attempt.id in own)
    ]
    return min(found, key=lambda reason: _PRECEDENCE.index(reason.why), default=None)


def _objections(attempt: Attempt, rules: NetworkRules, on: dt.date, *, own: bool) -> Iterator[Reason]:
    stated: list[CodeRule | AdviceRule | None] = [
        rules.code_rule(attempt.network, attempt.code, on) if attempt.code else None,
        rules.advice_rule(attempt.network, attempt.advice_code, on) if attempt.advice_code else None,
    ]
    for rule in stated:
        if rule is not None and rule.action is not Action.RETRY:
            why = Why.FINAL_CODE if rule.action is Action.NEVER else Why.CORRECTION
            text = f"{rule.means}: {rule.advice}" if isinstance(rule, AdviceRule) else rule.means
            yield Reason(why, _name(rule), text, rules.citations(rule))
    # A wrong set-up or request is about one contract's charge; the other classes are about the card.
    if attempt.decline in _NOT_RETRIED and (own or attempt.decline is not DeclineClass.CONFIG):
        yield Reason(Why.DECLINE_CLASS, f"class {attempt.decline.value}", _NOT_RETRIED[attempt.decline])


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


def _name(rule: CodeRule | AdviceRule) -> str:
    kind = "advice" if isinstance(rule, AdviceRule) else "code"
    return " ".join(filter(None, (rule.network, kind, rule.code)))


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _clock(at: dt.datetime, zone: dt.tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
