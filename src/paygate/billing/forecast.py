"""What will happen to one contract in the next months (read only), and the retries of its unpaid period."""

from __future__ import annotations

import datetime as dt

import attrs

from ..domain.calendar import advance
from ..domain.contract import Contract, Cycle, Status
from ..domain.dunning import Attempt, RetryPlan, RetrySchedule, plan_all, plan_retry
from ..domain.forecast import Forecast
from ..domain.forecast import forecast as decide_forecast
from ..domain.network_rules import NetworkRules
from ..domain.subscribing import charged_by_provider
from ..errors import InvalidValue
from ..flow import call
from ..money import Money
from ..store import Session
from .services import Services
from .settling import card_history

__all__ = ["UnpaidPeriod", "forecast", "unpaid_period"]

_MOST_MONTHS = 120


@attrs.frozen
class UnpaidPeriod:
    """What decides about the retries of one unpaid period: the same for a run, a dry run and a forecast.

    :param schedule: None where the provider owns the retries (R-147).
    :param price: what was charged in vain; None if no attempt is recorded.
    """

    schedule: RetrySchedule | None
    attempts: tuple[Attempt, ...]
    history: tuple[Attempt, ...]
    rules: NetworkRules
    now: dt.datetime
    zone: dt.tzinfo
    price: Money | None

    def next(self) -> RetryPlan:
        """The next retry, or why there is none."""
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
        return plan_all(self.schedule, self.attempts, self.history, self.rules, self.now, self.zone)


def unpaid_period(services: Services, session: Session, contract: Contract) -> UnpaidPeriod | None:
    """The unpaid period of *contract*; None if nothing that a card pays is missing."""
    missing, cycle = contract.past_due, contract.plan.cycle
    if missing is None or cycle is None or not contract.is_card or contract.status is not Status.PAST_DUE:
        return None
    account = services.plugins.account(contract.account)
    ours = not charged_by_provider(contract, account.capabilities, missing.period_start)
    now = services.now()
    made = session.charges.of_period(contract.id, missing.period_start)
    return UnpaidPeriod(
        services.schedule(account.name, cycle) if ours else None,
        tuple(Attempt.of(charge) for charge in made),
        tuple(card_history(session, made[-1], now)) if made else (),
        services.network_rules,
        now,
        services.rules.zone,
        made[0].amount if made else None,
    )


async def forecast(services: Services, contract_id: str, *, months: int) -> tuple[Forecast, ...]:
    """The time line of a contract for the next *months*; nothing is written or sent.

    :raises InvalidValue: not 1 to 120 months.
    """
    if type(months) is not int or not 1 <= months <= _MOST_MONTHS:
        raise InvalidValue(f"a forecast is for 1 to {_MOST_MONTHS} months, not {months!r}")

    def look() -> tuple[Forecast, ...]:
        with services.store.read() as session:
            contract = session.contracts.get(contract_id)
            unpaid = unpaid_period(services, session, contract)
            account = contract.account and services.plugins.account(contract.account)
            return decide_forecast(
                contract,
                services.now(),
                advance(services.today(), Cycle.MONTHLY, months),
                services.rules,
                capabilities=account.capabilities if account else None,
                retries=unpaid.all() if unpaid else (),
                unpaid=unpaid.price if unpaid else None,
                mails=session.step_mails.page(contract_id=contract_id, limit=1000),
            )

    return await call(look)
