"""Having a provider start the subscription that will charge a contract's renewals.

The intent comes first: either the contract is stored already, made by its first payment, or a draft of it is. Then the
provider is asked, under one key for each contract, and asked again by reconciliation until it is known whether the
subscription stands. A draft becomes a contract when it does.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from functools import partial

import attrs

from ..domain.audit import change
from ..domain.contract import Actor, Contract, Customer
from ..domain.creation import activate
from ..domain.subscribing import subscription_months
from ..domain.subscription import Subscription, SubscriptionState
from ..drivers.redact import mask_text
from ..errors import ChargeDeclined, OutcomeUnknown, PaygateError
from ..flow import call
from ..provider import StartedSubscription, SubscriptionStart
from ..store import Draft, Session
from . import logs
from .admission import remember
from .changes import changed
from .claims import Claim, take
from .outbox import deliver, operator
from .reasons import reason_of
from .recording import once_sent, write_down
from .services import Services
from .settling import write_new

__all__ = ["asked_for", "claim", "make", "make_contract", "overdue", "start", "write_subscription"]


def _request(services: Services, contract: Contract, customer: Customer) -> SubscriptionStart:
    """What the provider is asked for: the same on every repeat, but for a first charge whose day has passed."""
    account = services.plugins.account(contract.account)
    first = contract.subscription.starts_on if contract.subscription else contract.start_on
    seed = hashlib.sha256(f"subscription\0{account.name}\0{contract.id}".encode()).hexdigest()[:32]
    return SubscriptionStart(
        contract_id=contract.id,
        key=account.capabilities.idempotency.key_for(seed),
        credential=contract.credential or "",
        price=contract.plan.price,
        months=subscription_months(contract.plan, account.capabilities),
        starts_on=max(first, services.today()),
        anchor_day=contract.anchor_day,
        description=contract.plan.name,
        email=customer.email or None,
        metadata={**contract.metadata, "paygate_contract": contract.id},
        requested_at=contract.applied_at,
    )


def asked_for(services: Services, session: Session, subscription: Subscription) -> bool:
    """Whether somebody may be asking the provider at this moment; two at once might make two subscriptions (R-280)."""
    in_flight = dt.timedelta(seconds=services.waiting.in_flight)
    return subscription.asked_at is not None and session.instant() - subscription.asked_at < in_flight


# --- contracts that exist --------------------------------------------------------------------------------------------


async def start(services: Services, contract_id: str) -> Contract:
    """Start the subscription of a stored contract, if it is to be started and nobody else is about to.

    Never raises for what the provider did: the contract has been paid for, whatever becomes of its renewals. A declined
    subscription leaves them to paygate; one without an answer stays STARTING.
    """
    to_ask = await call(partial(_account_to_ask, services, contract_id)) if services.paced else None
    held = await take(services, to_ask)
    contract, customer = await call(partial(_claim_contract, services, contract_id))
    if customer is None:
        return contract
    account = services.plugins.account(contract.account)
    try:
        started = await account.start_recurring(_request(services, contract, customer), held.on(account.name))
    except ChargeDeclined as exc:
        contract = await write_down(partial(_refused, services, contract_id, exc))
    except PaygateError as exc:
        logs.subscription_waits(contract_id, account.name, reason_of(exc))
        contract = await write_down(partial(_given_up, services, contract_id, exc))
    else:
        contract = await write_down(partial(_running, services, contract_id, started))
    await deliver(services)
    return contract


def _account_to_ask(services: Services, contract_id: str) -> str | None:
    with services.store.read() as session:
        contract = session.contracts.get(contract_id)
        known = contract.subscription
        waits = known is not None and known.state is SubscriptionState.STARTING
        return contract.account if known and waits and not asked_for(services, session, known) else None


def _claim_contract(services: Services, contract_id: str) -> tuple[Contract, Customer | None]:
    """The contract; with its customer if the caller is now the one who asks."""
    with services.store.write() as session:
        contract = session.contracts.lock(contract_id)
        subscription = contract.subscription
        if (
            subscription is None
            or subscription.state is not SubscriptionState.STARTING
            or asked_for(services, session, subscription)
        ):
            return contract, None
        asked = attrs.evolve(subscription, asked_at=session.instant())
        claimed = session.contracts.update(attrs.evolve(contract, subscription=asked))
        return claimed, session.customers.get(contract.customer_id)


def _running(services: Services, contract_id: str, started: StartedSubscription) -> Contract:
    with services.store.write() as session:
        contract = session.contracts.lock(contract_id)
        return _note_running(services, session, contract, started)


def _note_running(services: Services, session: Session, contract: Contract, started: StartedSubscription) -> Contract:
    known = contract.subscription
    running = {SubscriptionState.RUNNING, SubscriptionState.ENDING}
    if known is None or (known.state in running and known.reference == started.reference):
        return contract
    # whatever was thought of it meanwhile: it stands, and charges until it is ended
    state = known.state if known.state in running else SubscriptionState.RUNNING
    stands = attrs.evolve(known, state=state, reference=started.reference, asked_at=None)
    return write_subscription(services, session, contract, stands, "subscription_started")


def _refused(services: Services, contract_id: str, error: ChargeDeclined) -> Contract:
    with services.store.write() as session:
        contract = session.contracts.lock(contract_id)
        known = contract.subscription
        if known is None or known.state is not SubscriptionState.STARTING:
            return contract
        message = (
            f"contract {contract_id} is paid, but {contract.account} declined the subscription for its renewals "
            f"({error.code or 'no code'}): paygate charges them itself, beginning with {known.starts_on}"
        )
        facts = {"account": contract.account, "starts_on": known.starts_on, "said": error.code}
        ids = {"contract_id": contract_id}
        operator(services, session, "subscription_refused", message, now=services.now(), facts=facts, **ids)
        refused = attrs.evolve(known, state=SubscriptionState.REFUSED, asked_at=None)
        return write_subscription(services, session, contract, refused, "subscription_refused", reason=error.code or "")


def _given_up(services: Services, contract_id: str, error: PaygateError) -> Contract:
    with services.store.write() as session:
        contract = session.contracts.lock(contract_id)
        known = contract.subscription
        if known is None or known.state is not SubscriptionState.STARTING:
            return contract
        told = overdue(services, session, contract, known, error)
        waiting = attrs.evolve(known, asked_at=None, operator_told=told)
        return session.contracts.update(attrs.evolve(contract, subscription=waiting))


def write_subscription(
    services: Services, session: Session, contract: Contract, to: Subscription, action: str, *, reason: str = ""
) -> Contract:
    """Store what has become of the subscription of *contract*, with the audit record of it."""
    after = attrs.evolve(contract, subscription=to)
    record = change(
        contract,
        after,
        id=services.new_id(),
        at=services.now(),
        actor=Actor.provider(contract.account or ""),
        action=action,
        reason=reason,
        facts={"reference": to.reference} if to.reference else None,
    )
    session.audit.insert_many([record])
    changed(services, session, contract, after, [record])
    return session.contracts.update(after)


def overdue(
    services: Services, session: Session, contract: Contract, subscription: Subscription, error: PaygateError
) -> bool:
    """Tell an operator, once, of a subscription that may have been started; whether they know.

    At once where the start may have had its effect. Where it certainly had none it is asked for again, and they hear of it
    only if that has been in vain for ``Waiting.operator_after``.
    """
    age = services.now() - contract.applied_at
    open_outcome = isinstance(error, OutcomeUnknown)
    late = age >= dt.timedelta(seconds=services.waiting.operator_after)
    if subscription.operator_told or not (open_outcome or late):
        return subscription.operator_told
    since = f" after {age.days} day(s) of asking" if late else ""
    message = (
        f"whether {contract.account} has started the subscription of contract {contract.id} over {contract.plan.price} is "
        f"not known{since} ({mask_text(str(error))}); billing.reconcile goes on asking. If it stays open, find it in the "
        "provider's console. Do not start another"
    )
    facts = {"account": contract.account, "amount": contract.plan.price, "said": mask_text(str(error))}
    ids = {"contract_id": contract.id}
    operator(services, session, "unknown_subscription", message, now=services.now(), facts=facts, **ids)
    return True


# --- drafts ----------------------------------------------------------------------------------------------------------


async def make(services: Services, draft: Draft, held: Claim) -> Contract:
    """Have the provider start the subscription of *draft*, which the caller has claimed; its success makes the contract.

    :param held: taken before the draft was claimed.
    :raises ChargeDeclined: the provider said no; there is no contract.
    :raises ProviderUnavailable: certainly nothing happened; there is no contract. So do errors of the set-up.
    :raises OutcomeUnknown: the draft stays, and reconciliation asks again.
    """
    contract = draft.contract
    account = services.plugins.account(contract.account)
    try:
        started = await account.start_recurring(_request(services, contract, draft.customer), held.on(account.name))
    except ChargeDeclined:
        with once_sent(f"contract {contract.id}", account=account.name):
            await write_down(partial(_drop, services, contract.id))
        raise
    except PaygateError as exc:
        nothing_happened = not isinstance(exc, OutcomeUnknown)
        with once_sent(f"contract {contract.id}", account=account.name):
            put_back = partial(_put_back, services, draft, exc, nothing_happened=nothing_happened)
            forgotten = await write_down(put_back)
        if forgotten:
            raise
        await deliver(services)
        raise OutcomeUnknown(
            f"contract {contract.id} is not made yet: whether {account.name} has started its subscription is not known. "
            "It appears once billing.reconcile knows; do not make another",
            provider=account.name,
            rule="R-013",
        ) from exc
    with once_sent(f"contract {contract.id}", account=account.name, strict=True):
        made = await write_down(partial(_made, services, draft, started))
    await deliver(services)
    return made


def claim(services: Services, session: Session, draft: Draft) -> Draft | None:
    """Become the one who asks for *draft*; None if it is gone, or somebody else is asking."""
    subscription = draft.contract.subscription
    if subscription is None or asked_for(services, session, subscription):
        return None
    return session.drafts.update(draft, attrs.evolve(subscription, asked_at=session.instant()))


def _drop(services: Services, contract_id: str) -> None:
    with services.store.write() as session:
        session.drafts.drop(contract_id)


def _put_back(services: Services, draft: Draft, error: PaygateError, *, nothing_happened: bool) -> bool:
    """Stop asking. The draft is forgotten only if this was the only time that anybody has asked, and in vain.

    :returns: whether it is forgotten.
    """
    subscription = draft.contract.subscription
    with services.store.write() as session:
        current = session.drafts.get(draft.contract.id)
        if subscription is None or current is None or current.contract.version != draft.contract.version:
            return False
        if nothing_happened and draft.contract.version == 1:
            session.drafts.drop(draft.contract.id)
            return True
        told = overdue(services, session, draft.contract, subscription, error)
        session.drafts.update(draft, attrs.evolve(subscription, asked_at=None, operator_told=told))
    return False


def _made(services: Services, draft: Draft, started: StartedSubscription) -> Contract:
    with services.store.write() as session:
        if session.contracts.exists(draft.contract.id):
            return _note_running(services, session, session.contracts.lock(draft.contract.id), started)
        return _note_running(services, session, make_contract(services, session, draft), started)


def make_contract(services: Services, session: Session, draft: Draft) -> Contract:
    """Turn *draft* into its contract, in the caller's transaction: its subscription stands."""
    now, contract = services.now(), attrs.evolve(draft.contract, version=1)
    session.customers.upsert(draft.customer)
    remember(session, contract)
    settlement = activate(
        contract,
        now,
        services.rules,
        services.new_id,
        actor=contract.created_by,
        capabilities=services.plugins.account(contract.account).capabilities,
        action="create",
    )
    write_new(services, session, settlement, now=now)
    session.drafts.drop(contract.id)
    return settlement.contract
