"""Additional charges, from preview to outcome (§6.16; design §6)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial

import attrs

from ..clock import require_aware, spoken
from ..domain.arrears import owed
from ..domain.charge import Charge, ChargeKind, ChargeState, Consent, Purpose
from ..domain.charging import AddonCommand, AddonDecision, ChargeFacts, check_actor, decide_addon
from ..domain.contract import Actor, ActorKind, Contract, Customer, Status
from ..domain.metadata import EMPTY, Metadata, checked_metadata
from ..domain.operations import Operation
from ..errors import IdempotencyConflict, InvalidValue, OperationNotAllowed, Vetoed
from ..flow import call, sleep
from ..money import Money
from ..notices import ChargeProposal, OperationProposal
from ..plugins.account import Account
from ..provider import ChargeResult
from ..store import Session
from . import interrupted, logs, permission, reconcile
from .card_limits import check_card, lock_card
from .claims import take
from .doubts import check_addon, warnings_of
from .duplicates import follow_up
from .outbox import deliver
from .recording import once_sent, write_down
from .repeats import attempt_id
from .resolving import resolve
from .restoring import seen_before
from .services import Services, checked_key, fingerprint, secret_hash
from .settling import apply_charge, asked_in_vain, charge_request

__all__ = ["ChargePreview", "check_arrears", "create", "preview", "recorded_consent", "resolve", "wait"]


@attrs.frozen
class ChargePreview:
    """What an additional charge would do; nothing has been written or sent (R-172, R-173, R-272).

    ``expires_on_after`` and the due times of ``mails`` hold if the receipt came now (R-180). ``warnings`` are texts for
    people. ``owed`` is what an unpaid period of the contract costs: charge it with purpose ARREARS (R-381, R-382).
    ``purpose`` is the effective one; ``purpose_needed`` says that ``create`` wants to be told which is meant.
    """

    contract: Contract
    customer: Customer
    provider: str
    account: str
    amount: Money
    renew_expiry: bool
    send_step_mail: bool
    expires_on: dt.date | None
    expires_on_after: dt.date | None
    mails: tuple[tuple[str, dt.datetime], ...]
    warnings: tuple[str, ...]
    purpose: Purpose = Purpose.ONE_OFF
    owed: Money | None = None
    purpose_needed: bool = False


@attrs.frozen
class _Ask:
    """An additional charge as the caller asked for it. *key* is empty where the caller gave none."""

    contract_id: str
    command: AddonCommand
    key: str
    fingerprint: str
    metadata: Metadata = EMPTY


def recorded_consent(services: Services, consent: str | Consent | None, actor: Actor) -> Consent | None:
    """The agreement with what the caller left open: recorded now, by whoever makes the charge (R-188, R-395)."""
    if consent is None:
        return None
    given = Consent(consent) if isinstance(consent, str) else consent
    if not isinstance(given, Consent) or not isinstance(given.how, str):
        raise InvalidValue(
            f"consent is a text that says how the customer agreed, or a Consent; got {consent!r}", rule="R-188"
        )
    if given.obtained_at is not None and not isinstance(given.obtained_at, dt.datetime):
        raise InvalidValue(f"obtained_at of a consent is an aware datetime, got {given.obtained_at!r}", rule="R-395")
    now = services.now()
    obtained_at = require_aware(given.obtained_at, "obtained_at") if given.obtained_at else now
    if obtained_at > now:
        raise InvalidValue(
            f"the customer cannot have agreed in the future, at {spoken(obtained_at)}; give the time of the agreement",
            rule="R-395",
        )
    return Consent(given.how.strip(), obtained_at, given.recorded_by or actor.id)


def _ask(
    services: Services,
    contract_id: str,
    amount: Money | None,
    renew_expiry: bool | None,
    send_step_mail: bool | None,
    consent: str | Consent | None,
    key: str,
    purpose: Purpose | None,
    actor: Actor,
    *,
    other_amount: bool,
    metadata: Mapping[str, str] | None = None,
) -> _Ask:
    if not isinstance(contract_id, str):
        raise InvalidValue(f"a contract is named by its id, a text; got {contract_id!r}")
    if purpose is not None and not isinstance(purpose, Purpose):
        raise InvalidValue(f"purpose is Purpose.ONE_OFF or Purpose.ARREARS, got {purpose!r}", rule="R-191")
    given = recorded_consent(services, consent, actor)
    texts = checked_metadata(metadata)
    digest = fingerprint(
        "addon",
        contract_id,
        amount,
        renew_expiry,
        send_step_mail,
        (purpose or Purpose.ONE_OFF).value,
        given.how if given else None,
        *([texts] if texts else []),  # without any, as before there were any
    )
    command = AddonCommand(amount, renew_expiry, send_step_mail, given, purpose, actor, other_amount)
    return _Ask(contract_id, command, key, digest, texts)


def _decide(
    services: Services, session: Session, contract: Contract, command: AddonCommand, *, preview: bool = False
) -> tuple[Account | None, AddonDecision]:
    """Decide on fresh facts.

    A contract without an account has no capabilities to decide by; the decision then refuses it as no card customer.
    """
    if contract.account is None:
        decide_addon(contract, command, None, ChargeFacts(), services.rules, services.now())
        raise OperationNotAllowed(f"contract {contract.id} is not paid through a provider", rule="R-167")
    account = services.account_of(contract)
    asked = asked_in_vain(session, contract)
    if command.amount is None and command.purpose is Purpose.ARREARS:
        command = attrs.evolve(command, amount=owed(contract, asked))
    # an amount that is not even money is refused by the decision; the facts do not need it
    amount = command.amount if isinstance(command.amount, Money) else Money(0, contract.plan.price.currency)
    now = services.now()
    card = lock_card(session, contract)
    seen = session.cards.facts(contract, amount, card)
    retry = None
    if command.purpose is Purpose.ARREARS:  # only arrears can pay the same period as a renewal that is on its way
        retry = session.charges.open_for(contract.id, ChargeKind.PERIOD)
    facts = ChargeFacts(seen.last_paid_at, seen.open_charge, seen.similar_at, retry.id if retry else None, asked)
    decision = decide_addon(contract, command, account.capabilities, facts, services.rules, now, preview=preview)
    check_card(services, session, contract, card, amount, now, tells=seen.tells)
    if seen.contradicted:
        check_addon(session, contract, amount, command.purpose)
    if preview and seen.contradicted:
        decision = attrs.evolve(decision, warnings=(*decision.warnings, *warnings_of(session, contract)))
    return account, decision


def check_arrears(services: Services, session: Session, contract: Contract, command: AddonCommand) -> None:
    """Refuse what :func:`create` would refuse of *command* now; *contract* may be one that is still to be stored."""
    _decide(services, session, contract, command)


def _earlier(services: Services, session: Session, contract: Contract, ask: _Ask) -> Charge | None:
    """The attempt that this idempotency key already made.

    :raises IdempotencyConflict: it was made for something else (R-190).
    :raises PermissionDenied: a customer asks who may not charge this contract.
    """
    if contract.account is None or not ask.key:
        return None
    earlier = session.charges.by_key(contract.account, ask.key)
    if earlier is not None and ask.command.actor.kind is ActorKind.CUSTOMER:  # a key shows nobody another's charge
        check_actor(contract, ask.command.actor, services.rules)
    if earlier is not None and earlier.fingerprint != ask.fingerprint:
        raise IdempotencyConflict(
            f"idempotency key {ask.key!r} was used for charge {earlier.id} with other contents "
            f"({earlier.amount} on contract {earlier.contract_id}); use a new key for a new charge",
            rule="R-190",
        )
    return earlier


async def preview(
    services: Services,
    contract_id: str,
    amount: Money | None,
    *,
    renew_expiry: bool | None,
    send_step_mail: bool | None,
    consent: str | Consent | None,
    purpose: Purpose | None,
    other_amount: bool,
    actor: Actor,
) -> ChargePreview:
    """What :func:`create` would do now; raises what it would raise, but for a purpose that is still to be said."""
    ask = _ask(
        services,
        contract_id,
        amount,
        renew_expiry,
        send_step_mail,
        consent,
        "preview",
        purpose,
        actor,
        other_amount=other_amount,
    )

    def look() -> ChargePreview:
        with services.store.read() as session:
            contract = session.contracts.get(contract_id)
            customer = session.customers.get(contract.customer_id)
            account, decision = _decide(services, session, contract, ask.command, preview=True)
        return ChargePreview(
            contract=contract,
            customer=customer,
            provider=account.capabilities.name if account else "",
            account=contract.account or "",
            amount=decision.amount,
            renew_expiry=decision.renew_expiry,
            send_step_mail=decision.send_step_mail,
            expires_on=decision.expires_on,
            expires_on_after=decision.expires_on_after,
            mails=tuple((plan.name, due) for plan, due in decision.mails),
            warnings=decision.warnings,
            purpose=decision.purpose,
            owed=decision.owed,
            purpose_needed=purpose is None and decision.owed is not None and contract.status is Status.PAST_DUE,
        )

    return await call(look)


async def create(
    services: Services,
    contract_id: str,
    amount: Money | None,
    *,
    renew_expiry: bool | None,
    send_step_mail: bool | None,
    consent: str | Consent | None,
    idempotency_key: str | None,
    purpose: Purpose | None,
    other_amount: bool,
    actor: Actor,
    metadata: Mapping[str, str] | None = None,
) -> Charge:
    """Charge the stored credential of a contract; the attempt is committed before the provider hears of it.

    :returns: the attempt: SUCCEEDED, FAILED, PENDING or UNKNOWN. The same key with the same contents returns the first
        attempt and charges nothing (R-190).
    """
    key = checked_key(idempotency_key, "")
    ask = _ask(
        services,
        contract_id,
        amount,
        renew_expiry,
        send_step_mail,
        consent,
        key,
        purpose,
        actor,
        other_amount=other_amount,
        metadata=metadata,
    )
    if services.plugins.listening(permission.HOOK):
        await permission.ask(services, partial(_proposal, services=services, ask=ask))
    if services.plugins.listening("before_charge"):
        await call(partial(_veto, services, ask))
    account_name = await call(partial(_account, services, contract_id)) if key else None
    known = await seen_before(services, account_name, key or None, partial(_forgotten, services, ask))
    claim = await take(services, await call(partial(_account_to_ask, services, ask)) if services.paced else None)
    charge, contract = await call(partial(_intend, services, ask))
    if contract is None:
        return charge
    if known is not None:
        return await settle(services, charge, known, Actor.provider(charge.account), contract)
    account = services.plugins.account(charge.account)
    provider_key = account.capabilities.idempotency.key_for(charge.id)
    request = charge_request(charge, contract.credential or "", provider_key)
    result = await account.charge(request, claim.on(account.name), partial(unsent, services, charge))
    return await settle(services, charge, result, Actor.provider(charge.account), contract)


def unsent(services: Services, charge: Charge) -> None:
    """Record that *charge* was interrupted before anything of it was sent."""
    result = ChargeResult.not_sent(interrupted.WHY)
    actor = Actor.provider(charge.account)
    interrupted.record(
        services,
        lambda session: apply_charge(services, session, charge, result, actor=actor, now=services.now()),
    )


async def settle(
    services: Services, charge: Charge, result: ChargeResult, actor: Actor, known: Contract | None = None
) -> Charge:
    """Record *result*, which the provider gave, in a transaction of its own, then tell the observers.

    :param known: as for :func:`apply_charge`.
    :raises OutcomeUnknown: it could not be recorded; reconciliation asks the provider again (R-292).
    """

    def write() -> Charge:
        with services.store.write() as session:
            return apply_charge(services, session, charge, result, actor=actor, now=services.now(), known=known)

    with once_sent(charge, account=charge.account, charge_id=charge.id, strict=True):
        settled = await write_down(write)
    await follow_up(services, settled)
    if settled.state is not ChargeState.PENDING or settled.action_url is not None:
        await deliver(services)
    return settled


def _account_to_ask(services: Services, ask: _Ask) -> str | None:
    """The account whose turn has to be waited for; None where nothing is going to be sent."""
    with services.store.read() as session:
        contract = session.contracts.get(ask.contract_id)
        return None if _earlier(services, session, contract, ask) is not None else contract.account


def _proposal(session: Session, *, services: Services, ask: _Ask) -> OperationProposal | None:
    contract = session.contracts.get(ask.contract_id)
    if _earlier(services, session, contract, ask) is not None:
        return None
    return OperationProposal(Operation.CHARGE_ADDON.value, ask.command.actor, contract, ask.command.amount)


def _veto(services: Services, ask: _Ask) -> None:
    """Let the observers look before anything is written; outside a transaction, because they may be slow."""
    with services.store.read() as session:
        contract = session.contracts.get(ask.contract_id)
        if _earlier(services, session, contract, ask) is not None:
            return
        _, decision = _decide(services, session, contract, ask.command)
    proposal = ChargeProposal(
        contract=contract,
        account=contract.account or "",
        amount=decision.amount,
        renew_expiry=decision.renew_expiry,
        send_step_mail=decision.send_step_mail,
        expires_on=decision.expires_on,
        expires_on_after=decision.expires_on_after,
    )
    try:
        services.plugins.before_charge(proposal)
    except Vetoed as error:
        logs.vetoed(error, contract.id, Operation.CHARGE_ADDON.value)
        raise


def _intend(services: Services, ask: _Ask) -> tuple[Charge, Contract | None]:
    """Transaction 1: decide under the contract's lock and write the intent down.

    :returns: the new attempt and its contract, or the earlier attempt of this key and None.
    """
    with services.store.write() as session:
        contract = session.contracts.lock(ask.contract_id)
        earlier = _earlier(services, session, contract, ask)
        if earlier is not None:
            return earlier, None
        _, decision = _decide(services, session, contract, ask.command)
        charge = _attempt_of(services, contract, ask, decision)
        session.charges.insert(charge, claim=services.waiting.in_flight)
    return charge, contract


def _attempt_of(services: Services, contract: Contract, ask: _Ask, decision: AddonDecision) -> Charge:
    id_ = attempt_id(services, contract.account, ask.key or None)
    return Charge(
        id=id_,
        contract_id=contract.id,
        customer_id=contract.customer_id,
        account=contract.account or "",
        kind=ChargeKind.ADDON,
        amount=decision.amount,
        idempotency_key=ask.key or id_,
        fingerprint=ask.fingerprint,
        purpose=decision.purpose,
        renew_expiry=decision.renew_expiry,
        send_step_mail=decision.send_step_mail,
        consent=ask.command.consent,
        actor=ask.command.actor,
        created_at=services.now(),
        previous_expires_on=contract.expires_on,
        credential_hash=secret_hash(contract.account or "", contract.credential),
        metadata=ask.metadata,
    )


def _forgotten(services: Services, ask: _Ask, session: Session) -> tuple[Charge, str, dt.datetime] | None:
    """The attempt that would be made; None where it has been."""
    contract = session.contracts.get(ask.contract_id)
    if _earlier(services, session, contract, ask) is not None:
        return None
    _, decision = _decide(services, session, contract, ask.command)
    return _attempt_of(services, contract, ask, decision), contract.credential or "", contract.applied_at


def _account(services: Services, contract_id: str) -> str | None:
    with services.store.read() as session:
        return session.contracts.get(contract_id).account


async def wait(services: Services, charge_id: str, timeout: float) -> Charge:  # noqa: ASYNC109 - seconds of patience, not a cancellation
    """Ask for the result until it is there or *timeout* seconds have passed.

    Under a frozen clock the seconds are counted, not lived through, so it never hangs.
    """
    waited, pause = 0.0, 0.5
    while True:
        charge = await reconcile.look(services, charge_id)
        if not charge.open or waited >= timeout:
            return charge
        step = min(pause, timeout - waited)
        await sleep(step)
        waited += step
        pause = min(pause * 1.5, 5.0)
