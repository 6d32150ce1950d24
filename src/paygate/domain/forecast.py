"""What will happen to a contract, day by day, and why on that day. Nothing here changes anything.

It supposes that every payment succeeds and that nobody acts; for a period that is unpaid it shows the retries as if each
were declined. Runs and dry runs give the same reasons, by :func:`why_due`.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Iterator, Sequence

import attrs

from ..clock import business_date, require_aware
from ..money import Money
from ..provider import Capabilities
from .calendar import next_renewal
from .contract import CancellationOrigin, Contract, Cycle, Status
from .due import DueStep, StepKind, due_steps
from .dunning import RetryPlan
from .expiry import buys_nothing
from .mails import StepMail, StepMailState
from .rules import Rules
from .running import product_ends_on, special_ends_on
from .subscribing import charged_by_provider

__all__ = ["Coming", "Forecast", "forecast", "why_due"]


class Coming(enum.Enum):
    """What happens; on one day in this order (R-042)."""

    CANCELLATION = "end"
    START = "start"
    RENEWAL = "renewal"
    SPECIAL_END = "special period ends"
    PRODUCT_END = "final period begins"
    UNLOCK = "content opens"
    RETRY = "retry"
    NO_RETRY = "no retry"
    NO_RENEWAL = "not renewed"
    STEP_MAIL = "step mail"


_ORDER = {coming: number for number, coming in enumerate(Coming)}


@attrs.frozen
class Forecast:
    """One event on the time line.

    :param on: the business date; earlier than today for what is overdue.
    :param amount: what the period costs, whoever collects it; None where nothing is to be paid.
    :param why: why on that date, or which rule forbids a retry, with the rule's number.
    """

    on: dt.date
    what: Coming
    why: str
    amount: Money | None = None


_EVERY = {
    Cycle.DAILY: "every day",
    Cycle.WEEKLY: "every week",
    Cycle.BIWEEKLY: "every two weeks",
    Cycle.MONTHLY: "every month",
    Cycle.QUARTERLY: "every three months",
    Cycle.SEMIANNUAL: "every six months",
    Cycle.ANNUAL: "every year",
}
_OF_DAYS = frozenset({Cycle.DAILY, Cycle.WEEKLY, Cycle.BIWEEKLY})


def why_due(contract: Contract, step: DueStep) -> str:
    """Why *step* of *contract* falls on its day, in words and with the rules' numbers."""
    match step.kind:
        case StepKind.START:
            return "the start date (R-029)"
        case StepKind.PRODUCT_END:
            return f"the product ends with {contract.plan.product_end_month}: this is its last period (R-067)"
        case StepKind.CANCELLATION:
            notice = contract.cancellation
            if notice is None or notice.origin is CancellationOrigin.PRODUCT_END:
                return f"the product ends with {contract.plan.product_end_month}: its last period is over (R-067)"
            return f"cancelled by {notice.by}: the renewal day after the notice (R-126)"
        case StepKind.UNLOCK:
            return f"a further content of what was bought on {contract.start_on} (R-082)"
        case StepKind.RENEWAL:
            return "; ".join(_why_renewed(contract, step))


def _why_renewed(contract: Contract, step: DueStep) -> Iterator[str]:
    cycle = contract.plan.cycle
    if cycle is not None:
        counted = f"{_EVERY[cycle]} from the start on {contract.start_on}"
        yield f"{counted} ({'R-034' if cycle in _OF_DAYS else 'R-031'})"
        if cycle not in _OF_DAYS and step.on.day != contract.anchor_day:
            yield f"the month has no day {contract.anchor_day} (R-032)"
    special_end = special_ends_on(contract.plan, contract.start_on)
    if special_end is not None and step.on < special_end:
        yield "at the special price (R-061)"
    if not step.price:
        yield "free (R-017)"
    elif not contract.is_card:
        yield "taken as paid (R-037)"


def forecast(
    contract: Contract,
    now: dt.datetime,
    until: dt.date,
    rules: Rules,
    *,
    capabilities: Capabilities | None = None,
    retries: Sequence[RetryPlan] = (),
    unpaid: Money | None = None,
    mails: Iterable[StepMail] = (),
) -> tuple[Forecast, ...]:
    """The time line of *contract* from what is overdue up to and including *until*.

    :param until: the last business date shown.
    :param capabilities: of the contract's account; None without one.
    :param retries: those of the unpaid period, see :func:`~paygate.domain.dunning.plan_all`; the last one says what ends
        them.
    :param unpaid: what the unpaid period costs.
    :param mails: the contract's step mails; those that are sent or deleted are left out.
    :raises NaiveDatetime: *now* has no zone (R-002).
    """
    today = business_date(require_aware(now, "now"), rules.zone)
    last = dt.datetime.combine(until, dt.time(), rules.zone)
    steps: list[Forecast] = []
    for step in due_steps(contract, last, rules):
        renews = step.kind in {StepKind.START, StepKind.RENEWAL}
        if renews and _beyond(contract, step.on, max(step.on, today), rules):
            why = f"it could not extend the expiry beyond the system's largest date, {rules.system_max} (R-391)"
            steps.append(Forecast(step.on, Coming.NO_RENEWAL, why))
            break
        steps += _events(contract, step, capabilities)
    steps += _unpaid(contract, today, retries, unpaid)
    end = min((event.on for event in steps if event.what is Coming.CANCELLATION), default=until)
    line = [event for event in steps if event.on <= min(end, until)]
    line += [event for event in _mails(mails, rules) if event.on <= until]
    return tuple(sorted(line, key=lambda event: (event.on, _ORDER[event.what])))


def _beyond(contract: Contract, period: dt.date, on: dt.date, rules: Rules) -> bool:
    """Whether a period of the future would open nothing; those before it are supposed to have been paid (R-391)."""
    paid = (
        contract
        if contract.expires_on is None
        else attrs.evolve(contract, expires_on=max(contract.expires_on, min(period, rules.system_max)))
    )
    return buys_nothing(paid, period, on, rules.system_max)


def _events(contract: Contract, step: DueStep, capabilities: Capabilities | None) -> Iterator[Forecast]:
    """What *step* is on the time line, with the turn that its period brings."""
    plan, why = contract.plan, why_due(contract, step)
    if contract.is_card and step.price and capabilities and charged_by_provider(contract, capabilities, step.on):
        why += "; the provider charges it"
    yield Forecast(step.on, Coming[step.kind.name], why, step.price or None)
    if step.kind not in {StepKind.START, StepKind.RENEWAL} or plan.cycle is None:
        return
    if step.on == special_ends_on(plan, contract.start_on):
        yield Forecast(step.on, Coming.SPECIAL_END, "the regular price from here on (R-062)")
    if next_renewal(contract.start_on, plan.cycle, step.on) == product_ends_on(plan, contract.start_on):
        begins = DueStep(StepKind.PRODUCT_END, step.on, step.price)
        yield Forecast(step.on, Coming.PRODUCT_END, why_due(contract, begins))


def _unpaid(
    contract: Contract, today: dt.date, retries: Sequence[RetryPlan], unpaid: Money | None
) -> Iterator[Forecast]:
    if contract.status is not Status.PAST_DUE:
        return
    if not contract.is_card:
        yield Forecast(today, Coming.NO_RETRY, "paid without a card: it runs again once the payment is found (R-119)")
    on = today
    for plan in retries:
        if plan.forbidden_by is not None:
            text = str(plan.forbidden_by)
            yield Forecast(on, Coming.NO_RETRY, text if plan is retries[0] else f"if every retry fails: {text}")
        elif plan.on is not None:
            on = plan.on
            yield Forecast(on, Coming.RETRY, "; ".join(map(str, plan.because)), unpaid)


def _mails(mails: Iterable[StepMail], rules: Rules) -> Iterator[Forecast]:
    for mail in mails:
        due = mail.due_at.astimezone(rules.zone)
        if mail.state is StepMailState.QUEUED:
            yield Forecast(due.date(), Coming.STEP_MAIL, f"{mail.name}, queued for {due:%H:%M} (R-225)")
        elif mail.state is StepMailState.PAUSED:
            yield Forecast(due.date(), Coming.STEP_MAIL, f"{mail.name}, paused: not before it is resumed (R-227)")
