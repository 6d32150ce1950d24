"""The plan of a billing run: what it would do by an instant, without touching anything (X-02)."""

from __future__ import annotations

import datetime as dt
import enum
from functools import partial
from typing import TypeAlias

import attrs

from ..clock import business_date
from ..domain.contract import Contract, Status
from ..domain.due import StepKind, due_steps, next_due_on
from ..domain.dunning import RetryPlan
from ..domain.expiry import buys_nothing
from ..domain.forecast import why_due
from ..domain.subscribing import charged_by_provider
from ..flow import call
from ..money import Money
from ..store import Session
from .card_limits import allowed_at, why_not_charged
from .doubts import doubt_of_period, why_doubted
from .forecast import UnpaidPeriod, unpaid_period
from .horizon import ahead
from .problems import Unreadable, readable
from .reasons import ends_everything, reason_of
from .services import Services

__all__ = ["Planned", "Work", "collectable", "plan"]

#: Where a page of due contracts ends: the day on which the last one falls due, and its id.
_Key: TypeAlias = tuple[dt.date, str]


class Work(enum.Enum):
    """What a run does for a contract, or would do."""

    START = "start"
    RENEWAL = "renewal"
    RETRY = "retry"
    CANCELLATION = "cancellation"
    PRODUCT_END = "product end"
    UNLOCK = "unlock"
    NOTHING = "nothing"  #: a card that is not retried, or a contract left alone; ``why`` says which rule forbids it


@attrs.frozen
class Planned:
    """One step that a run would take now.

    :param on: the business date on which it fell due.
    :param charge: what a card would be charged; None where no provider is asked.
    :param why: why on that date; for NOTHING, which rule forbids it.
    :param account: through which the contract is paid; None without a card.
    :param blocked: whether a run would report it among what it could not do.
    """

    contract_id: str
    customer_id: str
    work: Work
    on: dt.date
    charge: Money | None = None
    why: str = ""
    account: str | None = None
    blocked: bool = attrs.field(default=False, kw_only=True)


def collectable(services: Services, session: Session, contract: Contract) -> UnpaidPeriod | None:
    """The unpaid period of *contract*, if it is ours to collect."""
    unpaid = unpaid_period(services, session, contract) if services.in_mode(contract) else None
    if unpaid is None or unpaid.schedule is None or unpaid.price is None:
        return None
    return unpaid


async def plan(
    services: Services, after: _Key | str | None, size: int, *, until: dt.date | dt.datetime | None = None
) -> tuple[list[Planned], _Key | str | None]:
    """One page of what a run would do by *until*, and where the next page goes on; nothing is written or sent.

    First the contracts that are due, then those that are past due. In the future it supposes that every charge succeeds
    and that nobody acts; of an unpaid period it shows the next retry, and not the renewals that follow its success. A
    contract with a trouble of its own is among them, with nothing to do and the reason.

    :param until: see :func:`~paygate.billing.horizon.ahead`.
    :raises InvalidValue: *until* is more than ten years away.
    """
    horizon = ahead(services, until)
    if not isinstance(after, str):
        items, key = await call(partial(_due_page, services, horizon, after, size))
        if key is not None:
            return items, key
        after = ""
    return await call(partial(_retry_page, services, horizon, after or None, size))


def _due_page(
    services: Services, horizon: dt.datetime, after: _Key | None, size: int
) -> tuple[list[Planned], _Key | None]:
    today = business_date(horizon, services.rules.zone)
    items: list[Planned] = []
    last: _Key | None = None
    for contract in readable(
        services,
        lambda session: session.contracts.due(today, after, size),
        lambda session: session.contracts.due_keys(today, after, size),
        lambda session, key: session.contracts.get(key[1]),
    ):
        if isinstance(contract, Unreadable):
            last = contract.key
            items.append(_nothing(last[1], "", last[0], contract.error))
            continue
        last = (next_due_on(contract) or contract.start_on, contract.id)
        try:
            items += _would_do(services, contract, horizon)
        except Exception as exc:
            if ends_everything(exc):
                raise
            # what a run would report for this contract
            items.append(_nothing(contract.id, contract.customer_id, last[0], exc, contract.account))
    return items, last


def _nothing(contract_id: str, customer_id: str, on: dt.date, error: Exception, account: str | None = None) -> Planned:
    return Planned(contract_id, customer_id, Work.NOTHING, on, None, reason_of(error), account, blocked=True)


def _would_do(services: Services, contract: Contract, horizon: dt.datetime) -> list[Planned]:
    kinds = {
        StepKind.START: Work.START,
        StepKind.RENEWAL: Work.RENEWAL,
        StepKind.CANCELLATION: Work.CANCELLATION,
        StepKind.PRODUCT_END: Work.PRODUCT_END,
        StepKind.UNLOCK: Work.UNLOCK,
    }
    if not services.in_mode(contract):
        why = "made in the other of test and live mode than its account is in (X-24)"
        on = next_due_on(contract) or contract.start_on
        return [Planned(contract.id, contract.customer_id, Work.NOTHING, on, None, why, contract.account, blocked=True)]
    capabilities = services.plugins.account(contract.account).capabilities if contract.is_card else None
    items = []
    for step in due_steps(contract, horizon, services.rules):
        paid_on = max(step.on, services.today())
        renews = step.kind in {StepKind.START, StepKind.RENEWAL}
        if renews and buys_nothing(contract, step.on, paid_on, services.rules.system_max):
            why = (
                f"it could not extend the expiry beyond the system's largest date, {services.rules.system_max} (R-391)"
            )
            blocked = Planned(
                contract.id, contract.customer_id, Work.NOTHING, step.on, None, why, contract.account, blocked=True
            )
            items.append(blocked)
            break
        charged = contract.is_card and bool(step.price)
        if charged and capabilities is not None and charged_by_provider(contract, capabilities, step.on):
            break  # the provider charges it and tells us
        if charged and (doubt := _doubted(services, contract, step.on)):
            items.append(
                Planned(contract.id, contract.customer_id, Work.NOTHING, step.on, None, doubt, contract.account)
            )
            break
        if charged and step.price and (held := _held(services, contract, step.price, horizon)) is not None:
            why = why_not_charged(held)
            items.append(Planned(contract.id, contract.customer_id, Work.NOTHING, step.on, None, why, contract.account))
            break  # what follows would follow from its payment
        price = step.price if charged else None
        why = why_due(contract, step)
        items.append(
            Planned(contract.id, contract.customer_id, kinds[step.kind], step.on, price, why, contract.account)
        )
    return items


def _doubted(services: Services, contract: Contract, period: dt.date) -> str | None:
    """Why the *period* is not charged before a person has decided; None: nothing says that it may have been paid."""
    with services.store.read() as session:
        doubt = doubt_of_period(session, contract, period)
    return None if doubt is None else why_doubted(doubt, f"the period of {period}")


def _held(services: Services, contract: Contract, price: Money, horizon: dt.datetime) -> RetryPlan | None:
    """When the card of *contract* may be tried, if that is not by *horizon*; None where nothing holds it back."""
    with services.store.read() as session:
        plan = allowed_at(services, session, contract, price)
    later = plan.next_at is None or (bool(plan.because) and plan.next_at > max(horizon, services.now()))
    return plan if later else None


def _retry_page(
    services: Services, horizon: dt.datetime, after: str | None, size: int
) -> tuple[list[Planned], str | None]:
    items: list[Planned] = []
    last: str | None = None
    for contract in readable(
        services,
        lambda session: session.contracts.page(status=Status.PAST_DUE, after=after, limit=size),
        lambda session: session.contracts.ids(status=Status.PAST_DUE, after=after, limit=size),
        lambda session, key: session.contracts.get(key),
    ):
        if isinstance(contract, Unreadable):
            last = contract.key
            items.append(_nothing(last, "", services.today(), contract.error))
            continue
        last = contract.id
        try:
            items += _would_retry(services, contract, horizon)
        except Exception as exc:
            if ends_everything(exc):
                raise
            items.append(_nothing(contract.id, contract.customer_id, services.today(), exc, contract.account))
    return items, last


def _would_retry(services: Services, contract: Contract, horizon: dt.datetime) -> list[Planned]:
    with services.store.read() as session:
        unpaid = collectable(services, session, contract)
    retry = (unpaid.next_by(horizon) or unpaid.held_back()) if unpaid else None
    if unpaid is None or retry is None:
        return []
    due = retry.next_at is not None and retry.next_at <= max(horizon, services.now())
    if (
        due
        and contract.past_due is not None
        and (doubt := _doubted(services, contract, contract.past_due.period_start))
    ):
        on = retry.on or services.today()
        return [Planned(contract.id, contract.customer_id, Work.NOTHING, on, None, doubt, contract.account)]
    price = unpaid.price if due else None
    why = retry.explain() if due or retry.next_at is None else why_not_charged(retry)
    on = retry.on or services.today()
    work = Work.RETRY if due else Work.NOTHING
    return [Planned(contract.id, contract.customer_id, work, on, price, why, contract.account)]
