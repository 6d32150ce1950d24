"""Keeping the providers' subscriptions in step with the contracts, whatever was lost on the way (R-130, R-143, R-264).

Reconciliation finds by an index what is out of step: a subscription that is starting; one that goes on although its
contract has ended, through whatever event; one that does not know yet that its product ends.
"""

from __future__ import annotations

import datetime as dt
import logging
from functools import partial

import attrs

from ..domain.contract import CancellationOrigin, Contract, Status
from ..domain.subscription import SubscriptionState
from ..errors import OutcomeUnknown, PaygateError
from ..flow import call
from ..provider import SubscriptionRequest
from ..store import Draft
from . import starting
from .services import Services

__all__ = ["known", "run", "subscription_request"]

_logger = logging.getLogger(__name__)
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


async def run(services: Services) -> tuple[list[str], list[str]]:
    """Ask and tell the providers what is open.

    :returns: ids of the contracts that are settled now, and of those that are not.
    """
    settled: list[str] = []
    waiting: list[str] = []
    after: str | None = None
    while drafts := await call(partial(_drafts, services, after)):
        for draft in drafts:
            (settled if services.in_mode(draft.contract) and await _make(services, draft) else waiting).append(
                draft.contract.id
            )
        after = drafts[-1].contract.id
    after = None
    while contracts := await call(partial(_open, services, after)):
        for contract in contracts:
            (settled if services.in_mode(contract) and await _align(services, contract) else waiting).append(
                contract.id
            )
        after = contracts[-1].id
    return settled, waiting


def _drafts(services: Services, after: str | None) -> list[Draft]:
    with services.store.read() as session:
        return session.drafts.page(after, _PAGE)


def _open(services: Services, after: str | None) -> list[Contract]:
    with services.store.read() as session:
        return session.contracts.open_subscriptions(after, _PAGE)


async def _make(services: Services, draft: Draft) -> bool:
    """Whether it is known now what became of *draft*."""
    claimed = await call(partial(_claim, services, draft))
    if claimed is None:
        return False
    try:
        await starting.make(services, claimed)
    except OutcomeUnknown:
        return False
    except PaygateError as exc:
        _logger.warning("contract %s is not made: %s", draft.contract.id, exc)
    return True


def _claim(services: Services, draft: Draft) -> Draft | None:
    with services.store.write() as session:
        return starting.claim(services, session, draft)


async def _align(services: Services, contract: Contract) -> bool:
    """Whether the subscription of *contract* is in step now."""
    ended = contract.status in _ENDED
    if not ended:
        contract = await starting.start(services, contract.id)
    subscription, notice = contract.subscription, contract.cancellation
    if subscription is None or starting.asked_for(services, subscription):
        return False
    if ended:
        return await _tell(services, contract, SubscriptionState.ENDED)
    if subscription.state is SubscriptionState.STARTING:
        return False
    if notice is None or notice.origin is not CancellationOrigin.PRODUCT_END or not subscription.state.stands:
        return True
    return await _tell(services, contract, SubscriptionState.ENDING)


async def _tell(services: Services, contract: Contract, to: SubscriptionState) -> bool:
    account, notice = services.plugins.account(contract.account), contract.cancellation
    request = subscription_request(contract, notice.effective_on if notice else None)
    try:
        if to is SubscriptionState.ENDED:
            await account.stop_recurring(request)
        else:
            await account.end_recurring(request)
    except PaygateError as exc:
        _logger.warning("contract %s: its provider was not told that it ends: %s", contract.id, exc)
        return False
    await call(partial(_note, services, contract, to))
    return True


def _note(services: Services, told: Contract, to: SubscriptionState) -> None:
    with services.store.write() as session:
        contract = session.contracts.lock(told.id)
        if contract.subscription is not None and contract.subscription == told.subscription:
            after = attrs.evolve(contract.subscription, state=to)
            starting.write_subscription(services, session, contract, after, f"subscription_{to.value.lower()}")
