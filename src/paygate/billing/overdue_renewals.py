"""Renewals that a provider charges and of which it has told nothing days after their day (R-392).

paygate cannot make these charges and cannot ask for them; that nothing has come is all there is to know, and somebody has
to look before months go by.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from ..domain.contract import Contract
from ..domain.due import DueStep, StepKind, due_steps
from ..domain.subscribing import charged_by_provider
from ..flow import call
from ..store import Session
from .listing import check_page_size
from .outbox import operator
from .services import Services

__all__ = ["OverdueRenewal", "page", "report"]

_Key = tuple[dt.date, str]


@attrs.frozen
class OverdueRenewal:
    """A period whose result the provider has not told.

    :param period: the JST date on which it began.
    """

    period: dt.date
    contract: Contract


def report(services: Services, session: Session, contract: Contract, period: dt.date) -> None:
    """Tell the operator, once for each period, that the provider's notice of *period* is overdue, if it charges it.

    In the caller's write transaction, under the contract's lock.
    """
    account, known = services.plugins.account(contract.account), contract.overdue_period
    if not charged_by_provider(contract, account.capabilities, period):
        return
    if (known is not None and known >= period) or not _overdue(services, period):
        return
    message = (
        f"{account.capabilities.name} charges the renewals of contract {contract.id} and has told nothing about the period of "
        f"{period}; look the subscription up in the provider's console: it may never have been started, or have ended, or its "
        f"notices do not arrive. Nothing is charged by paygate"
    )
    facts = {"provider": account.capabilities.name, "account": contract.account, "period": period}
    ids = {"contract_id": contract.id}
    operator(services, session, "renewal_notice_overdue", message, now=services.now(), facts=facts, **ids)
    session.contracts.update(attrs.evolve(contract, overdue_period=period))


def _overdue(services: Services, period: dt.date) -> bool:
    due_at = dt.datetime.combine(period, dt.time(), services.rules.zone)
    return services.now() - due_at >= dt.timedelta(seconds=services.waiting.renewal_notice)


async def page(services: Services, after: _Key | None, size: int) -> tuple[list[OverdueRenewal], _Key | None]:
    """Some contracts whose provider has told nothing of a period that began long enough ago, the longest due first.

    :raises InvalidValue: a page of none, or of more than 10,000.
    """
    check_page_size(size)
    return await call(partial(_page, services, after, size))


def _page(services: Services, after: _Key | None, size: int) -> tuple[list[OverdueRenewal], _Key | None]:
    with services.store.read() as session:
        keys = session.contracts.due_keys(services.today(), after, size)
        contracts = [session.contracts.get(key) for _, key in keys]
    found = [
        OverdueRenewal(step.on, contract)
        for contract in contracts
        if (step := _awaited(services, contract)) is not None and _overdue(services, step.on)
    ]
    return found, keys[-1] if len(keys) == size else None


def _awaited(services: Services, contract: Contract) -> DueStep | None:
    """The due step of *contract* that its provider has to charge, if that is what comes next."""
    if not contract.is_card or not services.plugins.has(contract.account or "") or not services.in_mode(contract):
        return None
    step = next(iter(due_steps(contract, services.now(), services.rules)), None)
    if step is None or step.kind not in {StepKind.START, StepKind.RENEWAL} or not step.price:
        return None
    capabilities = services.plugins.account(contract.account).capabilities
    return step if charged_by_provider(contract, capabilities, step.on) else None
