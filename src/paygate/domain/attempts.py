"""What is known of a card from the attempts to charge it, in whichever contracts, and what that allows now.

An attempt is one of the card, whatever it pays for: the networks count the card, and a card that answered that it was
stolen is stolen in every contract. :func:`plan_attempt` is pure and asks this before the *first* attempt of a payment;
:mod:`.dunning` asks it for retries, which have a schedule besides.

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

__all__ = [
    "Attempt", "Reason", "RetryPlan", "Why", "clock_text", "days_text", "moves", "objections", "plan_attempt", "sent",
    "unresolved",
]  # fmt: skip

#: Classes of declines after which no attempt is made without a person.
_NOT_RETRIED = {
    DeclineClass.HARD: "this card will not work",
    DeclineClass.PERMISSION: "the customer's permission is closed or expired",
    DeclineClass.ACTION: "the customer has to do something first",
    DeclineClass.CONFIG: "the set-up or the request has to be corrected first",
    DeclineClass.DUPLICATE: "an earlier payment may have gone through; it has to be looked up first",
}
#: Those after which the card is not tried for any other payment either.
_FINAL = frozenset({DeclineClass.HARD, DeclineClass.PERMISSION})
#: Those that are about the one payment that was asked for and not about the card.
_OF_ONE_PAYMENT = frozenset({DeclineClass.CONFIG, DeclineClass.DUPLICATE})


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
    :param cleared: it was declined as a duplicate, and that doubt is gone: the period may be tried again at once (R-339).
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
    cleared: bool = False

    @classmethod
    def of(cls, charge: Charge, *, network: str | None = None, advice_code: str | None = None) -> Attempt:
        """The attempt that *charge* was, with what the provider told about card and advice.

        A duplicate of another payment says nothing about the card or the period: only that it was too soon (R-339).
        """
        if charge.cleared_by is not None and charge.state is ChargeState.FAILED:
            soft = DeclineClass.SOFT
            return cls(
                charge.id, charge.created_at, Outcome.DECLINED, charge.amount, decline=soft, network=charge.network,
                cleared=True,
            )  # fmt: skip
        return cls.made(
            charge.id,
            charge.created_at,
            charge.state,
            charge.amount,
            charge.failure,
            network=network or charge.network,
            advice_code=advice_code or charge.advice_code,
            response_code=charge.response_code,
        )

    @classmethod
    def made(
        cls,
        id: str,  # noqa: A002
        at: dt.datetime,
        state: ChargeState,
        amount: Money,
        failure: Failure | None,
        *,
        network: str | None,
        advice_code: str | None,
        response_code: str | None,
    ) -> Attempt:
        """An attempt from what is stored of its charge, where the rest of it was not read."""
        known = failure or Failure()
        return cls(
            id=id,
            at=at,
            outcome=_OUTCOMES[state] if known.sent else Outcome.NOT_SENT,
            amount=amount,
            code=response_code or known.code,
            decline=known.decline or DeclineClass.UNKNOWN,
            network=network,
            advice_code=advice_code,
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
    :param network: of the card whose network's rule it is; None where it is nobody's, or anybody's.
    """

    why: Why
    rule: str
    text: str
    citations: tuple[str, ...] = ()
    until: dt.datetime | None = None
    network: str | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.rule})"


@attrs.frozen
class RetryPlan:
    """When the next retry is due and why then; or that there is none, and what forbids it.

    :param next_at: UTC; None for no retry.
    :param on: the business date of *next_at*.
    :param because: how the date came about, in the order in which it moved.
    :param forbidden_by: set exactly when there is no retry.
    :param scheduled_at: the schedule's own instant, UTC, before limits and advice moved it; None for no retry.
    :param ends_contract: the attempts are used up and the contract has to end now (R-150).
    """

    next_at: dt.datetime | None
    on: dt.date | None
    because: tuple[Reason, ...] = ()
    forbidden_by: Reason | None = None
    ends_contract: bool = False
    scheduled_at: dt.datetime | None = None

    def explain(self) -> str:
        """One line for people: the date or its absence, and the reasons."""
        if self.forbidden_by is not None:
            return f"no retry: {self.forbidden_by}"
        return f"retry on {self.on}: {'; '.join(map(str, self.because))}"


def plan_attempt(
    history: Iterable[Attempt], amount: Money, rules: NetworkRules, now: dt.datetime, zone: dt.tzinfo = JST
) -> RetryPlan:
    """When a payment that has not been tried yet may be tried on a card, given what happened to the card.

    A final no to any attempt (lost, stolen or closed; a code or an advice that says never; a permission that was
    withdrawn) holds for all of them until the card has worked again or is another. So do limits and waits. That a
    customer or somebody else has to act is about the one payment and holds back no other.

    :param history: the attempts on the same card data, as far back as is kept.
    :param now: aware.
    :returns: a plan whose ``next_at`` is *now* where nothing is against it, a later instant where something asks for
        patience, or None where the card is not to be tried again.
    :raises NaiveDatetime: *now* has no zone (R-002).
    """
    at, known = require_aware(now, "now"), sent(history)
    declines = unresolved((), known)
    if not declines and not any(attempt.network for attempt in known):
        # nothing is known against it: that it might be of a network that counts successes too is no reason to refuse
        return RetryPlan(at.astimezone(dt.UTC), business_date(at, zone))
    because: list[Reason] = []
    while later := list(moves(at, (), known, amount, rules, zone)):
        at, reason = max(later, key=lambda move: move[0])
        because.append(reason)
    on = business_date(at, zone)
    for attempt in declines:
        for reason in objections(attempt, rules, on, own=False):
            if reason.why is Why.FINAL_CODE or attempt.decline in _FINAL:
                return RetryPlan(None, None, forbidden_by=reason)
    return RetryPlan(at.astimezone(dt.UTC), on, tuple(because))


# --- what the card's history says ---


def sent(attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """Each attempt that may have reached the provider, once, oldest first."""
    once = {attempt.id: attempt for attempt in attempts if attempt.outcome is not Outcome.NOT_SENT}
    return tuple(sorted(once.values(), key=lambda attempt: attempt.at))


def unresolved(period: Sequence[Attempt], history: Sequence[Attempt]) -> list[Attempt]:
    """The declines that still speak, latest first: the period's own, and the card's since it last worked."""
    worked = max((attempt.at for attempt in history if attempt.outcome is Outcome.SUCCEEDED), default=None)
    own = {attempt.id for attempt in period}
    return [
        attempt
        for attempt in reversed(history)
        if attempt.outcome is Outcome.DECLINED and (attempt.id in own or worked is None or attempt.at >= worked)
    ]


def moves(
    at: dt.datetime,
    period: Sequence[Attempt],
    history: Sequence[Attempt],
    amount: Money,
    rules: NetworkRules,
    zone: dt.tzinfo,
) -> Iterator[tuple[dt.datetime, Reason]]:
    """What asks for a later instant than *at*, by the rules of that day; *amount* is what would be charged."""
    on = business_date(at, zone)
    for attempt in unresolved(period, history):
        advice = attempt.advice_code and rules.advice_rule(attempt.network, attempt.advice_code, on)
        if advice and (over := attempt.at + advice.wait) > at:
            text = f"{advice.means}, {advice.advice}: wait until {clock_text(over, zone)}"
            yield over, Reason(Why.WAIT, _name(advice), text, rules.citations(advice), over, advice.network)
    networks: set[str | None] = {attempt.network for attempt in history if attempt.network}
    for network in sorted(networks, key=str) or [None]:
        for limit in rules.limits_on(network, on):
            free = limit.free_at(_counted(limit, history, amount), at, zone)
            if free > at:
                text = f"{limit.maximum} {limit.counts.value} in {days_text(limit.length.days)} are used up until {clock_text(free, zone)}"
                yield free, Reason(Why.LIMIT, limit.id, text, rules.citations(limit), free, limit.network)


def _counted(limit: ReattemptLimit, history: Sequence[Attempt], amount: Money) -> list[dt.datetime]:
    """When the attempts that count towards *limit* were made."""
    scope = [attempt for attempt in history if attempt.amount == amount or not limit.per_amount]
    if limit.counts is Counts.ATTEMPTS:
        return [attempt.at for attempt in scope]
    if scope and scope[-1].outcome is Outcome.SUCCEEDED:
        return []  # what follows a success is no reattempt, so that the limit does not speak of it
    return [attempt.at for previous, attempt in pairwise(scope) if previous.outcome is not Outcome.SUCCEEDED]


def objections(attempt: Attempt, rules: NetworkRules, on: dt.date, *, own: bool) -> Iterator[Reason]:
    """What *attempt* says against another on the same card on day *on*.

    :param own: whether the other is one of the same payment.
    """
    stated: list[CodeRule | AdviceRule | None] = [
        rules.code_rule(attempt.network, attempt.code, on) if attempt.code else None,
        rules.advice_rule(attempt.network, attempt.advice_code, on) if attempt.advice_code else None,
    ]
    for rule in stated:
        if rule is not None and rule.action is not Action.RETRY:
            why = Why.FINAL_CODE if rule.action is Action.NEVER else Why.CORRECTION
            text = f"{rule.means}: {rule.advice}" if isinstance(rule, AdviceRule) else rule.means
            yield Reason(why, _name(rule), text, rules.citations(rule), network=rule.network)
    # A wrong set-up or request, or a doubt about a double, is about one payment; the other classes are about the card.
    if attempt.decline in _NOT_RETRIED and (own or attempt.decline not in _OF_ONE_PAYMENT):
        text = _NOT_RETRIED[attempt.decline]
        yield Reason(Why.DECLINE_CLASS, f"class {attempt.decline.value}", text, network=attempt.network)


def _name(rule: CodeRule | AdviceRule) -> str:
    kind = "advice" if isinstance(rule, AdviceRule) else "code"
    return " ".join(filter(None, (rule.network, kind, rule.code)))


def days_text(count: int) -> str:
    """*count* days, for people."""
    return f"{count} day{'' if count == 1 else 's'}"


def clock_text(at: dt.datetime, zone: dt.tzinfo) -> str:
    """*at* on the wall clock of *zone*, for people."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
