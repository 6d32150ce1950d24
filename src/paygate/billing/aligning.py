"""Keeping the providers' subscriptions in step with the contracts, whatever was lost on the way (R-130, R-143, R-264).

Reconciliation finds by an index what is out of step: a subscription that is starting; one that goes on although its
contract has ended, through whatever event; one that does not know yet that its product ends.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TypeVar

import attrs

from ..domain.contract import CancellationOrigin, Contract, Status
from ..domain.subscription import Subscription, SubscriptionState
from ..errors import ConfigurationError, OutcomeUnknown, PaygateError, ProviderUnavailable
from ..flow import call
from ..provider import SubscriptionRequest
from ..store import Draft
from . import logs, starting
from .claims import take
from .problems import Troubles, Unreadable, readable
from .reasons import reason_of
from .services import Services

__all__ = ["known", "run", "subscription_request"]

T = TypeVar("T")
_ENDED = frozenset({Status.TERMINATED, Status.CANCELED})
_PAGE = 100


def subscription_request(contract: Contract, ends_on: dt.date | None) -> SubscriptionRequest:
    """What a provider is told about the subscription of *contract*: the business date of its end, and the provider's id."""
    reference = contract.subscription.reference if contract.subscription else None
    return SubscriptionRequest(contract.id, contract.credential or "", ends_on, reference)


async def known(services: Services, contract: Contract) -> Contract:
    """*contract*, once it is known whether its subscription stands: only then can the provider be told about it.

    :raises OutcomeUnknown: the provider gives no answer, or somebody else is asking it.
    """
    if contract.subscription is None or contract.subscription.state is not SubscriptionState.STARTING:
        return contract
    contract = await starting.start(services, contract.id)
    if contract.subscription is not None and contract.subscription.state is SubscriptionState.STARTING:
        raise OutcomeUnknown(
            f"contract {contract.id}: whether {contract.account} has started its subscription is not known yet; "
            "nothing was changed. Run billing.reconcile, then try again",
            provider=contract.account,
        )
    return contract


async def run(services: Services, troubles: Troubles) -> tuple[list[str], list[str]]:
    """Ask and tell the providers what is open; each contract's trouble is its own.

    :returns: ids of the contracts that are settled now, and of those that are not.
    """
    settled: list[str] = []
    waiting: list[str] = []
    after: str | None = None
    while drafts := await call(partial(_drafts, services, after)):
        for draft in drafts:
            after = draft.key if isinstance(draft, Unreadable) else draft.contract.id
            done = False
            with troubles.isolated(contract_id=after):
                done = services.in_mode(_read(draft).contract) and await _make(services, _read(draft), troubles)
            (settled if done else waiting).append(after)
    after = None
    while contracts := await call(partial(_open, services, after)):
        for contract in contracts:
            after = contract.key if isinstance(contract, Unreadable) else contract.id
            done = False
            with troubles.isolated(contract_id=after):
                done = services.in_mode(_read(contract)) and await _align(services, _read(contract), troubles)
            (settled if done else waiting).append(after)
    return settled, waiting


def _read(value: T | Unreadable[str]) -> T:
    if isinstance(value, Unreadable):
        raise value.error
    return value


def _drafts(services: Services, after: str | None) -> list[Draft | Unreadable[str]]:
    return readable(
        services,
        lambda session: session.drafts.page(after, _PAGE),
        lambda session: session.drafts.ids(after, _PAGE),
        lambda session, key: session.drafts.get(key),
    )


def _open(services: Services, after: str | None) -> list[Contract | Unreadable[str]]:
    return readable(
        services,
        lambda session: session.contracts.open_subscriptions(after, _PAGE),
        lambda session: session.contracts.open_subscription_ids(after, _PAGE),
        lambda session, key: session.contracts.get(key),
    )


async def _make(services: Services, draft: Draft, troubles: Troubles) -> bool:
    """Whether it is known now what became of *draft*."""
    troubles.check(draft.contract.account or "")
    held = await take(services, draft.contract.account)
    claimed = await call(partial(_claim, services, draft))
    if claimed is None:
        return False
    try:
        await starting.make(services, claimed, held)
    except OutcomeUnknown:
        return False
    except PaygateError as exc:
        logs.contract_not_made(draft.contract.id, draft.contract.account, reason_of(exc))
    return True


def _claim(services: Services, draft: Draft) -> Draft | None:
    with services.store.write() as session:
        return starting.claim(services, session, draft)


async def _align(services: Services, contract: Contract, troubles: Troubles) -> bool:
    """Whether the subscription of *contract* is in step now."""
    troubles.check(contract.account or "")
    ended = contract.status in _ENDED
    if not ended:
        contract = await starting.start(services, contract.id)
    subscription, notice = contract.subscription, contract.cancellation
    if subscription is None or await call(partial(_asked_for, services, subscription)):
        return False
    if ended:
        return await _tell(services, contract, SubscriptionState.ENDED, troubles)
    if subscription.state is SubscriptionState.STARTING:
        return False
    if notice is None or notice.origin is not CancellationOrigin.PRODUCT_END or not subscription.state.stands:
        return True
    return await _tell(services, contract, SubscriptionState.ENDING, troubles)


def _asked_for(services: Services, subscription: Subscription) -> bool:
    with services.store.read() as session:
        return starting.asked_for(services, session, subscription)


async def _tell(services: Services, contract: Contract, to: SubscriptionState, troubles: Troubles) -> bool:
    account, notice = services.plugins.account(contract.account), contract.cancellation
    request = subscription_request(contract, notice.effective_on if notice else None)
    try:
        if to is SubscriptionState.ENDED:
            await account.stop_recurring(request)
        else:
            await account.end_recurring(request)
    except PaygateError as exc:
        logs.provider_not_told(contract.id, account.name, reason_of(exc))
        if isinstance(exc, ProviderUnavailable | ConfigurationError):
            troubles.unsent(account.name, reason_of(exc))
        return False
    troubles.answered(account.name)
    await call(partial(_note, services, contract, to))
    return True


def _note(services: Services, told: Contract, to: SubscriptionState) -> None:
    with services.store.write() as session:
        contract = session.contracts.lock(told.id)
        if contract.subscription is not None and contract.subscription == told.subscription:
            after = attrs.evolve(contract.subscription, state=to)
            starting.write_subscription(services, session, contract, after, f"subscription_{to.value.lower()}")
