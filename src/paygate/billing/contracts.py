"""Contracts: made with their first payment, read, confirmed, and their expiry set by hand (§6.2, §6.5, §6.11)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from functools import partial

import attrs

from ..clock import business_date
from ..domain.access import Opening
from ..domain.access import access as openings
from ..domain.audit import change
from ..domain.charge import Charge, ChargeKind, ChargeState
from ..domain.charging import window_closes_at
from ..domain.contract import Actor, Contract, Customer, Payment, Plan
from ..domain.creation import Creation, activate, application_notices
from ..domain.creation import confirm_payment as decide_confirmation
from ..domain.expiry import set_expiry as decide_expiry
from ..domain.ledger import EntryKind, EntryState, LedgerEntry, refundable
from ..domain.mails import StepMailState, can_be_held
from ..domain.metadata import checked_metadata
from ..domain.operations import Facts, Offer, Operation
from ..domain.operations import operations as decide_operations
from ..domain.running import next_renewal_on
from ..errors import InvalidValue, OutcomeUnknown
from ..flow import call
from ..money import Money
from ..notices import OperationProposal
from ..provider import Capabilities
from ..store import Draft, Session
from . import card_limits, reconcile, starting
from .admission import admit, remember
from .application import check_parts, decide
from .changes import changed
from .charges import settle, unsent
from .charges import wait as wait_for
from .claims import take
from .outbox import deliver
from .permission import ask, on_contract
from .recording import Told, already_told, once_sent
from .repeats import Asked, attempt_id, find_earlier
from .restoring import seen_before
from .services import Services, checked_key, secret_hash
from .settling import charge_request, tell_people, write_new, write_settlement

__all__ = ["ContractDetails", "access", "confirm_payment", "create", "details", "get", "operations", "set_expiry"]


@attrs.frozen
class ContractDetails:
    """A contract with what a person wants to see beside it.

    :param addon_window_closes_at: from this instant on additional charges are refused (R-197, X-13), or None.
    """

    contract: Contract
    customer: Customer
    next_renewal_on: dt.date | None
    last_paid_at: dt.datetime | None
    addon_window_closes_at: dt.datetime | None
    open_charge: Charge | None
    entries: tuple[LedgerEntry, ...]


def _capabilities(services: Services, account: str | None) -> Capabilities | None:
    return services.plugins.account(account).capabilities if account is not None else None


async def create(
    services: Services,
    customer: Customer,
    plan: Plan,
    payment: Payment,
    *,
    start_on: dt.date | None,
    contract_id: str | None,
    paid: bool,
    subscription: str | None,
    started_elsewhere: bool,
    idempotency_key: str | None,
    metadata: Mapping[str, str] | None = None,
    actor: Actor,
) -> Contract:
    """Make a contract. A card is charged first, and a decline makes none (R-013).

    A repeat under the same key is recognised by what the caller gave, before anything is decided anew: it gets the same
    contract on another day too (R-285).
    """
    check_parts(customer, plan, payment)
    key = checked_key(idempotency_key, services.new_id())
    # without a charge to hang the key on, the contract's own id carries it
    made_id = contract_id or (
        services.new_id() if idempotency_key is None else hashlib.sha256(key.encode()).hexdigest()[:32]
    )
    asked = Asked(customer.id, plan, start_on, payment, key, subscription, checked_metadata(metadata))
    if idempotency_key is not None:
        match await call(partial(find_earlier, services, asked, made_id)):
            case Charge() as first:
                return await _after_first(services, first, fresh=False)
            case Contract() as contract:
                return contract
            case Draft() as draft:
                return await _subscribe_first(services, draft.customer, draft.contract, asked, repeatable=True)
    creation = decide(
        services, customer, plan, payment, start_on=start_on, contract_id=made_id, paid=paid, subscription=subscription,
        started_elsewhere=started_elsewhere, metadata=metadata, actor=actor,
    )  # fmt: skip
    proposal = OperationProposal("create", actor, creation.contract, creation.due)
    if services.store.missing:
        await call(services.store.create)
    await ask(services, lambda _: proposal)
    if creation.charge_now:
        return await _charge_first(services, customer, creation, asked, actor=actor, given=idempotency_key is not None)
    repeatable = idempotency_key is not None
    if creation.subscribe_first:
        return await _subscribe_first(services, customer, creation.contract, asked, repeatable=repeatable)
    contract = await call(lambda: _insert(services, customer, creation, asked, repeatable=repeatable, actor=actor))
    await deliver(services)
    return contract


def _insert(
    services: Services, customer: Customer, creation: Creation, asked: Asked, *, repeatable: bool, actor: Actor
) -> Contract:
    draft, now = creation.contract, services.now()
    with services.store.write() as session:
        if repeatable and session.contracts.exists(draft.id):
            return asked.same(session.contracts.get(draft.id))
        admit(session, draft)
        remember(session, draft)
        session.customers.upsert(customer)
        if creation.activate_now:
            capabilities = _capabilities(services, draft.account)
            settlement = activate(
                draft, now, services.rules, services.new_id, actor=actor, capabilities=capabilities, action="create"
            )
            write_new(services, session, settlement, now=now)
            return settlement.contract
        session.contracts.insert(draft)
        made = change(None, draft, id=services.new_id(), at=now, actor=actor, action="create")
        session.audit.insert_many([made])
        changed(services, session, None, draft, [made])
        tell_people(
            services, session, application_notices(creation, business_date(now, services.rules.zone), services.rules)
        )
    return draft


async def _subscribe_first(
    services: Services, customer: Customer, contract: Contract, asked: Asked, *, repeatable: bool
) -> Contract:
    """Have the provider's subscription started, where nothing is paid before its first charge; it makes the contract."""
    held = await take(services, contract.account)

    def intend() -> Contract | Draft | None:
        with services.store.write() as session:
            if session.contracts.exists(contract.id) and repeatable:
                return asked.same(session.contracts.get(contract.id))
            earlier = session.drafts.get(contract.id)
            if session.contracts.exists(contract.id) or (earlier is not None and not repeatable):
                raise InvalidValue(
                    f"there is already a contract {contract.id!r}, or one is being made; choose another id"
                )
            if earlier is not None:
                asked.same(earlier.contract)
                return starting.claim(services, session, earlier)
            admit(session, contract)
            card_limits.check(services, session, contract, contract.plan.price)
            claimed = contract.subscription and attrs.evolve(contract.subscription, asked_at=session.instant())
            draft = Draft(customer, attrs.evolve(contract, subscription=claimed))
            session.drafts.insert(draft)
        return draft

    waiting = await call(intend)
    if waiting is None:
        raise OutcomeUnknown(
            f"contract {contract.id} is being made: {contract.account} is asked for its subscription at this moment; "
            "ask again with the same key",
            provider=contract.account,
            rule="R-013",
        )
    return waiting if isinstance(waiting, Contract) else await starting.make(services, waiting, held)


async def _charge_first(
    services: Services, customer: Customer, creation: Creation, asked: Asked, *, actor: Actor, given: bool
) -> Contract:
    """Charge the first payment; its success makes the contract, in the transaction that records it.

    :param given: the caller gave the key.
    """
    draft = creation.contract

    def attempt() -> Charge:
        return Charge(
            id=attempt_id(services, draft.account, asked.key if given else None),
            contract_id=draft.id,
            customer_id=customer.id,
            account=draft.account or "",
            kind=ChargeKind.INITIAL,
            amount=creation.due,
            idempotency_key=asked.key,
            fingerprint=asked.digest,
            actor=actor,
            created_at=services.now(),
            period_start=draft.start_on,
            metadata=draft.metadata,
            credential_hash=secret_hash(draft.account or "", draft.credential),
        )

    def forgotten(session: Session) -> tuple[Charge, str, None] | None:
        if session.charges.by_key(draft.account or "", asked.key) is not None or session.contracts.exists(draft.id):
            return None
        return attempt(), draft.credential or "", None

    def intend() -> tuple[Charge, bool]:
        with services.store.write() as session:
            earlier = session.charges.by_key(draft.account or "", asked.key)
            if earlier is not None:
                return asked.paid_by(earlier), False
            admit(session, draft)
            if session.contracts.exists(draft.id):
                raise InvalidValue(f"contract {draft.id} exists already; choose another id")
            card_limits.check(services, session, draft, creation.due)
            charge = attempt()
            session.charges.insert(charge, Draft(customer, draft), claim=services.waiting.in_flight)
        return charge, True

    known = await seen_before(services, draft.account, asked.key if given else None, forgotten)
    claim = await take(services, draft.account)
    charge, fresh = await call(intend)
    if fresh and known is not None:
        charge = await settle(services, charge, known, Actor.provider(charge.account))
    elif fresh:
        account = services.plugins.account(charge.account)
        request = charge_request(charge, draft.credential or "", account.capabilities.idempotency.key_for(charge.id))
        result = await account.charge(request, claim.on(account.name), partial(unsent, services, charge))
        charge = await settle(services, charge, result, Actor.provider(account.name))
    return await _after_first(services, charge, fresh=fresh)


async def _after_first(services: Services, charge: Charge, *, fresh: bool) -> Contract:
    """The contract that a first payment has made, with its subscription on its way; raises where it made none.

    :param fresh: it has been sent by this call, and not by an earlier one of the same key.
    """
    what = f"contract {charge.contract_id}, first payment {charge.id}"
    with once_sent(what, account=charge.account, charge_id=charge.id):
        made = await _made_by(services, charge, fresh=fresh)
    if not made.subscription:
        return made
    with already_told(f"contract {made.id} is made and paid, its subscription not started yet", Told(sent=True)):
        return await starting.start(services, made.id)


async def _made_by(services: Services, charge: Charge, *, fresh: bool) -> Contract:
    """The contract, once its first payment has succeeded."""
    if charge.state is ChargeState.PENDING and charge.action_url is None:
        charge = await wait_for(services, charge.id, services.waiting.first_payment)
    elif charge.open and not fresh:
        charge = await reconcile.look(services, charge.id)
    charge.raise_for_failure()
    if charge.open:
        where = (
            f"the customer has to act at {charge.action_url}"
            if charge.action_url and charge.action_method == "GET"
            else "the customer has to act, on a page that posts what charges.action gives"
            if charge.action_url
            else "the provider has not decided yet"
        )
        raise OutcomeUnknown(
            f"contract {charge.contract_id} is not made yet: its first payment {charge.id} is pending; {where}. "
            "It appears once the payment succeeds; ask with charges.wait",
            provider=charge.account,
            charge_id=charge.id,
            rule="R-013",
        )
    return await get(services, charge.contract_id)


async def get(services: Services, contract_id: str) -> Contract:
    """One contract; raises NotFound."""

    def look() -> Contract:
        with services.store.read() as session:
            return session.contracts.get(contract_id)

    return await call(look)


def _last_paid(session: Session, contract: Contract) -> dt.datetime | None:
    return session.ledger.last_paid_at(contract.customer_id, contract.account) if contract.account else None


async def details(services: Services, contract_id: str) -> ContractDetails:
    """A contract with customer, next renewal, ledger, open charge and charge window."""

    def look() -> ContractDetails:
        with services.store.read() as session:
            contract = session.contracts.get(contract_id)
            last_paid_at = _last_paid(session, contract)
            capabilities = services.known_capabilities(contract.account)
            return ContractDetails(
                contract,
                session.customers.get(contract.customer_id),
                next_renewal_on(contract, services.today()),
                last_paid_at,
                window_closes_at(last_paid_at, capabilities, services.rules.zone) if capabilities else None,
                session.charges.open_for(contract_id, ChargeKind.ADDON),
                tuple(session.ledger.for_contract(contract_id)),
            )

    return await call(look)


_UNCONFIRMED = frozenset({EntryState.ASSUMED, EntryState.UNPAID, EntryState.VOID})
_COUNTED = frozenset({EntryState.ASSUMED, EntryState.SUCCEEDED})


def _facts(services: Services, session: Session, contract: Contract) -> Facts:
    now, delivered = services.now(), services.plugins.listening("on_step_mail_due")
    entries = session.ledger.for_contract(contract.id)
    mails = session.step_mails.page(contract_id=contract.id, limit=1000)
    return Facts(
        last_paid_at=_last_paid(session, contract),
        open_charge=session.charges.open_for(contract.id, ChargeKind.ADDON) is not None,
        refundable=any(refundable(row, entries) > 0 for row in entries),
        manual_refund_due=any(
            row.kind is EntryKind.MANUAL_REFUND_DUE and row.state is EntryState.PENDING for row in entries
        ),
        queued_mails=sum(
            mail.state is StepMailState.QUEUED and can_be_held(mail, now, delivered=delivered) for mail in mails
        ),
        paused_mails=sum(mail.state is StepMailState.PAUSED for mail in mails),
        unconfirmed=any(row.kind is EntryKind.PERIOD and row.state in _UNCONFIRMED for row in entries),
        counted=any(row.kind is EntryKind.PERIOD and row.state in _COUNTED for row in entries),
    )


async def operations(services: Services, contract_id: str) -> tuple[Offer, ...]:
    """Every operation with whether it is offered now, or why not (domain §3.1)."""

    def look() -> tuple[Offer, ...]:
        with services.store.read() as session:
            contract = session.contracts.get(contract_id)
            return decide_operations(
                contract,
                services.now(),
                services.rules,
                capabilities=services.known_capabilities(contract.account),
                facts=_facts(services, session, contract),
            )

    return await call(look)


async def access(services: Services, contract_id: str, *, on: dt.datetime | None) -> tuple[Opening, ...]:
    """What the contract opens at an instant (domain §2.5)."""

    def look() -> tuple[Opening, ...]:
        with services.store.read() as session:
            contract = session.contracts.get(contract_id)
            known = session.licences.for_contract(contract_id)
            return openings(contract, known, on or services.now(), services.rules)

    return await call(look)


async def confirm_payment(
    services: Services,
    contract_id: str,
    *,
    received_at: dt.datetime | None,
    received: Money | None,
    actor: Actor,
) -> Contract:
    """支払いを確認 (R-104 to R-110)."""

    def work() -> Contract:
        now = services.now()
        with services.store.write() as session:
            contract = session.contracts.lock(contract_id)
            settlement = decide_confirmation(
                contract, services.rules, now, services.new_id, actor=actor, received_at=received_at, received=received
            )
            return write_settlement(services, session, contract, settlement)

    await ask(services, on_contract(Operation.CONFIRM_PAYMENT.value, actor, contract_id))
    contract = await call(work)
    await deliver(services)
    return contract


async def set_expiry(services: Services, contract_id: str, to: dt.date, *, reason: str, actor: Actor) -> Contract:
    """有効期限の手動変更 (R-056, R-057)."""

    def work() -> Contract:
        now = services.now()
        with services.store.write() as session:
            contract = session.contracts.lock(contract_id)
            settlement = decide_expiry(contract, to, actor=actor, now=now, new_id=services.new_id, reason=reason)
            session.audit.insert_many(settlement.audit)
            updated = session.contracts.update(settlement.contract)
            changed(services, session, contract, updated, settlement.audit)
        return updated

    await ask(services, on_contract(Operation.SET_EXPIRY.value, actor, contract_id))
    contract = await call(work)
    await deliver(services)
    return contract
