"""Changing the card that a contract is paid from, and collecting what is unpaid with the new one (R-400 to R-404).

Like every operation: decided under the contract's lock, the provider that runs a subscription told first, then decided once
more and written. Collecting is a charge of its own afterwards, so that a decline leaves the new card in place.
"""

from __future__ import annotations

from functools import partial

import attrs

from ..domain.charge import Charge, ChargeKind, Consent, Purpose
from ..domain.charging import AddonCommand
from ..domain.contract import Actor, Card, Contract, Status
from ..domain.new_card import change_card, collected_by_provider, is_same_card
from ..domain.operations import Operation
from ..domain.settlement import Settlement
from ..domain.stored_card import card_name
from ..errors import ConfigurationError, ConsentRequired, InvalidValue, ProviderError
from ..flow import call
from ..provider import CredentialState
from ..store import Session
from . import charges, credentials
from .admission import admit, remember
from .catching_up import catch_up
from .operations import tell_provider
from .outbox import deliver
from .permission import ask, on_contract
from .recording import Told, already_told, write_down
from .services import Services, checked_key, secret_hash
from .settling import write_settlement

__all__ = ["PaymentChange", "change_payment", "replace_once"]

_KINDS = (ChargeKind.PERIOD, ChargeKind.ADDON, ChargeKind.INITIAL)


@attrs.frozen
class PaymentChange:
    """What changing the card did.

    :param contract: as it is now.
    :param changed: False: it was paid from this card already, and nothing was done.
    :param charge: the charge that collected what was unpaid, where that was wanted and paygate makes it: look at its state.
    :param revoked: whether the provider has forgotten the old card, where that was wanted; :param not_revoked: why not.
    :param collecting: the provider was told to collect what is unpaid by its own subscription; its notice brings the result.
    """

    contract: Contract
    changed: bool
    charge: Charge | None = None
    collecting: bool = False
    revoked: bool | None = None
    not_revoked: str = ""


@attrs.frozen
class _Ask:
    contract_id: str
    card: Card
    collect: bool
    consent: Consent | None
    changed_elsewhere: bool
    reason: str
    actor: Actor
    looks: str | None = None
    once: bool = False


async def change_payment(
    services: Services,
    contract_id: str,
    card: Card,
    *,
    collect: bool,
    consent: str | Consent | None,
    changed_elsewhere: bool,
    idempotency_key: str | None,
    revoke_old: bool,
    reason: str,
    actor: Actor,
) -> PaymentChange:
    """Pay the contract from *card* from now on, and collect its unpaid period at once if *collect* says so.

    :raises ConsentRequired: *collect* without the customer's agreement; nothing was changed.
    """
    if not isinstance(card, Card):
        raise InvalidValue(f"card must be a paygate Card(account, token), got {type(card).__name__}")
    key = checked_key(idempotency_key, "")
    given = charges.recorded_consent(services, consent, actor)
    wish = _Ask(contract_id, card, collect, given, changed_elsewhere, reason, actor)
    old = await call(partial(_read, services, contract_id)) if revoke_old else None
    done = await _change(services, wish, key)
    if old is None or not done.changed or old.account is None or old.credential is None or changed_elsewhere:
        return done
    why = await credentials.forget(services, old, reason=reason, actor=actor)
    return attrs.evolve(done, revoked=not why, not_revoked=why)


async def _looks(services: Services, wish: _Ask, key: str) -> str | None:
    """How the card, which is new for the contract, is named in mails: asked of a provider that tells, if it answers.

    :raises InvalidValue: the provider does not know the card any more. Whatever else refuses the change does so first.
    """
    card = wish.card
    if not await call(partial(_is_wanted, services, wish, key)):
        return None
    try:
        told = await credentials.ask(services, card.account, card.token)
    except (ProviderError, ConfigurationError):
        return None  # whether the card works, its first charge will tell
    if told is not None and told.state is CredentialState.REVOKED:
        raise InvalidValue(
            f"{card.account} does not know this stored card, or it was revoked; nothing was changed", rule="R-402"
        )
    return card_name(told.brand, told.last4) if told is not None else None


def _is_wanted(services: Services, wish: _Ask, key: str) -> bool:
    """Whether the card is another than the contract's; raises what would refuse it, before a provider is asked."""
    with services.store.read() as session:
        contract = session.contracts.get(wish.contract_id)
        settlement = _decide(services, session, wish, contract)
        if wish.collect:
            _check_collecting(services, session, wish, settlement, key)
    return not is_same_card(contract, wish.card)


async def replace_once(
    services: Services, contract_id: str, card: Card, actor: Actor, *, looks: str | None
) -> PaymentChange:
    """Pay the contract from *card*, which a checkout has stored for it, unless it has ever been paid from it before (R-407).

    :param looks: how the card is named in mails.
    """
    wish = _Ask(
        contract_id, card, collect=False, consent=None, changed_elsewhere=False, reason="", actor=actor, looks=looks, once=True
    )  # fmt: skip
    return await _change(services, wish, "")


async def _change(services: Services, wish: _Ask, key: str) -> PaymentChange:
    contract_id, actor, collect = wish.contract_id, wish.actor, wish.collect
    if wish.once and not await call(partial(_is_new, services, wish)):
        return PaymentChange(await call(partial(_read, services, contract_id)), changed=False)
    await ask(services, on_contract(Operation.CHANGE_PAYMENT.value, actor, contract_id))
    if not wish.once:
        wish = attrs.evolve(wish, looks=await _looks(services, wish, key))
    before, first = await call(partial(_begin, services, wish, key))
    contract, collecting = first.contract, False
    if first.wanted:
        told = Told()
        with already_told(f"contract {contract_id}: changing its card is not complete", told):
            for wanted in first.wanted:
                changed_there = await tell_provider(services, contract_id, wanted)
                told.sent = True
                collecting |= changed_there is not None and changed_there.collecting
            contract = await write_down(partial(_finish, services, wish), once=True)
    await deliver(services)
    changed = contract.version != before.version
    if not collect or collecting:
        return PaymentChange(contract, changed, collecting=collecting)
    charge = await _collected(services, wish, contract, key)
    if charge is not None:
        contract = await call(partial(_read, services, contract_id))
    return PaymentChange(contract, changed, charge)


def _begin(services: Services, wish: _Ask, key: str) -> tuple[Contract, Settlement]:
    """Decide, and write it if no provider has to be told first.

    :returns: the contract as it was, and what was decided; its contract is as stored, if it is stored.
    """
    with services.store.write() as session:
        before = catch_up(services, session, session.contracts.lock(wish.contract_id))
        settlement = _decide(services, session, wish, before)
        if wish.collect:
            _check_collecting(services, session, wish, settlement, key)
        if settlement.wanted:
            return before, settlement
        return before, attrs.evolve(settlement, contract=_write(services, session, before, settlement))


def _finish(services: Services, wish: _Ask) -> Contract:
    """The provider has taken the new card: decide again on what is true now, and write it."""
    with services.store.write() as session:
        before = catch_up(services, session, session.contracts.lock(wish.contract_id))
        return _write(services, session, before, _decide(services, session, wish, before))


def _write(services: Services, session: Session, before: Contract, settlement: Settlement) -> Contract:
    if settlement.contract == before and not settlement.audit:
        return before
    remember(session, settlement.contract)
    return write_settlement(services, session, before, settlement)


def _is_new(services: Services, wish: _Ask) -> bool:
    """Whether the contract has never been paid from this card: its audit trail names every one by its digest."""
    mark = _mark(wish.card.account, wish.card.token)
    with services.store.read() as session:
        if is_same_card(session.contracts.get(wish.contract_id), wish.card):
            return False
        after: str | None = None
        while records := session.audit.page(wish.contract_id, after, 1000):
            after = records[-1].id
            if any(mark in {record.after.get("card"), record.after.get("card_before")} for record in records):
                return False
    return True


def _mark(account: str, credential: str | None) -> str:
    return secret_hash(account, credential)[:12]


def _decide(services: Services, session: Session, wish: _Ask, contract: Contract) -> Settlement:
    card = wish.card
    account = services.plugins.account(card.account)
    waiting = (session.charges.open_for(contract.id, kind) for kind in _KINDS)
    settlement = change_card(
        contract,
        card,
        services.now(),
        services.rules,
        services.new_id,
        actor=wish.actor,
        capabilities=account.capabilities,
        known=services.known_capabilities(contract.account),
        mode=account.mode,
        open_charge=next((charge.id for charge in waiting if charge is not None), None),
        collect=wish.collect,
        changed_elsewhere=wish.changed_elsewhere,
        marks={
            "card": _mark(card.account, card.token),
            "card_before": _mark(contract.account or "", contract.credential),
        },
        looks=wish.looks,
        reason=wish.reason,
    )
    if settlement.contract != contract:
        # what the account may be used for depends on the mode that the contract was made in
        services.account_of(attrs.evolve(contract, account=card.account))
        admit(session, settlement.contract)
    return settlement


def _check_collecting(services: Services, session: Session, wish: _Ask, settlement: Settlement, key: str) -> None:
    """Refuse a charge that could not be made, before the card is changed."""
    after = settlement.contract
    if after.status is not Status.PAST_DUE:
        return
    if wish.consent is None or not wish.consent.how.strip():
        raise ConsentRequired(
            f"contract {after.id}: collecting what is unpaid needs the customer's agreement: how it was given; nothing was "
            "changed",
            rule="R-188",
        )
    if key and session.charges.by_key(wish.card.account, key) is not None:
        return  # a repeat: the charge says itself what it was made for
    if not _left_to_provider(services, after):
        charges.check_arrears(services, session, after, _arrears(wish))


def _left_to_provider(services: Services, contract: Contract) -> bool:
    """Whether the provider is to try the unpaid period of *contract* again by itself: a charge could take it twice (R-161)."""
    capabilities = services.known_capabilities(contract.account)
    missing = contract.past_due
    return missing is not None and missing.retry_pending and collected_by_provider(contract, capabilities)


def _arrears(wish: _Ask) -> AddonCommand:
    return AddonCommand(None, None, None, wish.consent, Purpose.ARREARS, wish.actor)


async def _collected(services: Services, wish: _Ask, contract: Contract, key: str) -> Charge | None:
    """The charge of what is unpaid, or the one that this key has made already; None where nothing is owed."""
    if contract.status is not Status.PAST_DUE and (not key or not await call(partial(_made, services, wish, key))):
        return None
    if _left_to_provider(services, contract):
        return None
    return await charges.create(
        services,
        wish.contract_id,
        None,
        renew_expiry=None,
        send_step_mail=None,
        consent=wish.consent,
        idempotency_key=key or None,
        purpose=Purpose.ARREARS,
        other_amount=False,
        actor=wish.actor,
    )


def _made(services: Services, wish: _Ask, key: str) -> bool:
    with services.store.read() as session:
        return session.charges.by_key(wish.card.account, key) is not None


def _read(services: Services, contract_id: str) -> Contract:
    with services.store.read() as session:
        return session.contracts.get(contract_id)
