"""What will happen to one contract in the next months (read only), and the retries of its unpaid period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import attrs

from ..clock import business_date
from ..domain.attempts import Reason
from ..domain.calendar import advance
from ..domain.charge import Charge
from ..domain.contract import Contract, Cycle, Status
from ..domain.dunning import Attempt, RetryPlan, RetrySchedule, Why, plan_all, plan_attempt, plan_retry
from ..domain.forecast import Forecast
from ..domain.forecast import forecast as decide_forecast
from ..domain.network_rules import NetworkRules
from ..domain.running import period_price
from ..domain.subscribing import charged_by_provider
from ..errors import InvalidValue
from ..flow import call
from ..money import Money
from ..provider import DeclineClass, Outcome
from ..store import Session
from .card_limits import history_of, inside, window_of
from .services import Services, secret_hash

__all__ = ["UnpaidPeriod", "forecast", "unpaid_period"]

_MOST_MONTHS = 120
_UNNAMED_WINDOW = dt.timedelta(days=1)
#: Why there is no attempt although the card could be tried.
_NOT_HELD = frozenset({Why.PROVIDER_OWNED, Why.NOTHING_FAILED, Why.OPEN, Why.EXHAUSTED})


@attrs.frozen
class UnpaidPeriod:
    """What decides about the retries of one unpaid period: the same for a run, a dry run and a forecast.

    :param schedule: None where the provider owns the retries (R-147).
    :param price: what was charged in vain, or is to be charged; None if it is not known to have been tried.
    :param untried: nothing of it has been sent yet, because the card was held back (R-331).
    :param window: within which the provider refuses the same amount on the same card (R-205).
    :param doubt: why nobody tries the period again, whatever its card: an earlier attempt of it may have been paid (R-340).
    """

    schedule: RetrySchedule | None
    attempts: tuple[Attempt, ...]
    history: tuple[Attempt, ...]
    rules: NetworkRules
    now: dt.datetime
    zone: dt.tzinfo
    price: Money | None
    untried: bool = False
    window: dt.timedelta | None = None
    doubt: Reason | None = None

    def next(self) -> RetryPlan:
        """The next attempt, or why there is none."""
        if self.doubt is not None:
            return RetryPlan(None, None, forbidden_by=self.doubt)
        plan = self._planned()
        if plan.next_at is None or (wait := self._window()) is None or wait.until is None or wait.until <= plan.next_at:
            return plan
        on = business_date(wait.until, self.zone)
        return attrs.evolve(plan, next_at=wait.until, on=on, because=(*plan.because, wait))

    def _window(self) -> Reason | None:
        """What asks for patience because the same amount was sent for this card shortly before."""
        alike = [made.at for made in (*self.history, *self.attempts) if made.amount == self.price]
        if self.window is not None:
            return inside(self.window, max(alike) + self.window) if alike else None
        if not self.attempts or not self.attempts[-1].cleared:
            return None
        # refused as a repetition by somebody who does not say for how long
        return inside(_UNNAMED_WINDOW, self.attempts[-1].at + _UNNAMED_WINDOW)

    def _planned(self) -> RetryPlan:
        if self.untried and self.price is not None and self.schedule is not None:
            return plan_attempt(self.history, self.price, self.rules, self.now, self.zone)
        return plan_retry(self.schedule, self.attempts, self.history, self.rules, self.now, self.zone)

    def next_by(self, horizon: dt.datetime) -> RetryPlan | None:
        """The next retry if it falls due by *horizon*, or why there is none; None if it falls due later.

        Whether the card may be tried is asked of the present, or of a later *horizon* at the retry's own instant; an
        earlier *horizon* leaves out what was not due by then.
        """
        plan = self.next()
        if plan.next_at is None:
            return plan
        then = plan if horizon >= self.now else attrs.evolve(self, now=horizon).next()
        due = then.next_at is not None and then.next_at <= horizon and plan.next_at <= max(horizon, self.now)
        return plan if due else None

    def all(self) -> tuple[RetryPlan, ...]:
        """All retries, supposing that each is declined; the last plan says what ends them."""
        first = self.next() if self.untried or self.doubt is not None else None
        if first is None or first.next_at is None or self.price is None:
            return (first,) if first else self._all(self.attempts, self.now)
        planned = Attempt("planned attempt", first.next_at, Outcome.DECLINED, self.price)
        return (first, *self._all((planned,), first.next_at))

    def held_back(self) -> RetryPlan | None:
        """The plan of an attempt whose day has come and that the card's history puts off or forbids; else None."""
        plan = self.next()
        because = {reason.why for reason in plan.because}
        if plan.forbidden_by is not None:
            return None if plan.forbidden_by.why in _NOT_HELD else plan
        due = plan.scheduled_at is None or plan.scheduled_at <= self.now
        return plan if due and because & {Why.LIMIT, Why.WAIT} else None

    def _all(self, attempts: tuple[Attempt, ...], now: dt.datetime) -> tuple[RetryPlan, ...]:
        return plan_all(self.schedule, attempts, self.history, self.rules, now, self.zone)


def unpaid_period(services: Services, session: Session, contract: Contract) -> UnpaidPeriod | None:
    """The unpaid period of *contract*; None if nothing that a card pays is missing."""
    missing, cycle = contract.past_due, contract.plan.cycle
    if missing is None or cycle is None or not contract.is_card or contract.status is not Status.PAST_DUE:
        return None
    account = services.plugins.account(contract.account)
    ours = not charged_by_provider(contract, account.capabilities, missing.period_start)
    now = services.now()
    card = secret_hash(account.name, contract.credential)
    made = session.charges.of_period(contract.id, missing.period_start)
    # with another card the schedule begins anew
    attempts = tuple(Attempt.of(charge) for charge in made if charge.credential_hash == card)
    untried = missing.failures == 0 and all(attempt.outcome is Outcome.NOT_SENT for attempt in attempts)
    price = made[0].amount if made else None
    if untried and price is None:
        price = period_price(contract.plan, contract.start_on, missing.period_start)
    return UnpaidPeriod(
        services.schedule(account.name, cycle) if ours else None,
        attempts,
        tuple(history_of(session, account.name, card)) if price is not None else (),
        services.network_rules,
        now,
        services.rules.zone,
        price,
        untried,
        window_of(services, contract),
        _doubt(made),
    )


def _doubt(made: Sequence[Charge]) -> Reason | None:
    doubted = next((charge for charge in reversed(made) if charge.doubted), None)
    if doubted is None:
        return None
    text = f"charge {doubted.id} was declined as a duplicate: an earlier payment may have gone through; it has to be resolved"
    return Reason(Why.DECLINE_CLASS, f"class {DeclineClass.DUPLICATE.value}", text, network=doubted.network)


async def forecast(services: Services, contract_id: str, *, months: int) -> tuple[Forecast, ...]:
    """The time line of a contract for the next *months*; nothing is written or sent.

    :raises InvalidValue: not 1 to 120 months.
    """
    if type(months) is not int or not 1 <= months <= _MOST_MONTHS:
        raise InvalidValue(f"a forecast is for 1 to {_MOST_MONTHS} months, not {months!r}")

    def look() -> tuple[Forecast, ...]:
        with services.store.read() as session:
            contract = session.contracts.get(contract_id)
            capabilities = services.known_capabilities(contract.account)
            # nobody can say when an account that is not configured would be asked again
            known = contract.account is None or capabilities is not None
            unpaid = unpaid_period(services, session, contract) if known else None
            return decide_forecast(
                contract,
                services.now(),
                advance(services.today(), Cycle.MONTHLY, months),
                services.rules,
                capabilities=capabilities,
                retries=unpaid.all() if unpaid else (),
                unpaid=unpaid.price if unpaid else None,
                mails=session.step_mails.page(contract_id=contract_id, limit=1000),
            )

    return await call(look)
