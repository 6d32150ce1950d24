"""Stored cards: what is known of them, asked for anew, and revoked (R-405).

A stored card is known by the contracts that are or were paid from it; its token stays in them. What providers tell is kept by
its digest.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TypeAlias

import attrs

from ..domain.audit import AuditRecord
from ..domain.contract import Actor, ActorKind, Contract, Status
from ..domain.stored_card import StoredCard, last_day
from ..errors import CapabilityNotSupported, InvalidValue, NotFound, OperationNotAllowed, PaygateError, PermissionDenied
from ..flow import call
from ..notices import OperationProposal
from ..provider import CredentialDescription, CredentialRequest, CredentialState
from ..store import Session
from . import permission
from .reasons import reason_of
from .services import Services, secret_hash

__all__ = ["Refreshed", "StoredCredential", "ask", "forget", "get", "learn", "listed", "refresh", "revoke"]

_ENDED = frozenset({Status.TERMINATED, Status.CANCELED})


@attrs.frozen
class StoredCredential:
    """A stored card of a customer, without its token.

    :param id: a digest of it, the same in every list. :param account: the account whose provider keeps it.
    :param contract_ids: the contracts that are paid from it, or were until they ended; :param in_use: whether one of them has
        not ended.
    :param brand, last4: as far as the provider has told, and :param expires_on: the last day on which it can be charged.
    :param revoked: whether it is known to be gone. :param seen_at: when the provider was last asked; None: never.
    """

    id: str
    account: str
    customer_id: str
    contract_ids: tuple[str, ...]
    in_use: bool
    brand: str | None = None
    last4: str | None = None
    expires_on: dt.date | None = None
    revoked: bool = False
    seen_at: dt.datetime | None = None


#: A stored card, and its token, which stays in here.
_Kept: TypeAlias = tuple[StoredCredential, str]


@attrs.frozen
class Refreshed:
    """What asking the providers about stored cards brought.

    :param asked: how many were asked about. :param failed: contract id and reason of each that could not be.
    """

    asked: int = 0
    failed: tuple[tuple[str, str], ...] = ()


async def listed(services: Services, customer_id: str, *, again: bool) -> tuple[StoredCredential, ...]:
    """The stored cards of a customer.

    :param again: ask the providers that tell; one that fails leaves what was known.
    :raises NotFound: there is no such customer.
    """
    found = await call(partial(_of_customer, services, customer_id))
    if again:
        for one, token in found:
            await _asked(services, one, token)
        found = await call(partial(_of_customer, services, customer_id))
    return tuple(one for one, _ in found)


async def get(services: Services, customer_id: str, credential_id: str) -> StoredCredential:
    """One of a customer's stored cards; raises NotFound."""
    return (await _found(services, customer_id, credential_id))[0]


async def _found(services: Services, customer_id: str, credential_id: str) -> _Kept:
    for one, token in await call(partial(_of_customer, services, customer_id)):
        if one.id == credential_id:
            return one, token
    raise NotFound(f"customer {customer_id} has no stored card {credential_id!r}; credentials.list names them")


def _of_customer(services: Services, customer_id: str) -> tuple[_Kept, ...]:
    with services.store.read() as session:
        session.customers.get(customer_id)
        paid: dict[tuple[str, str], list[Contract]] = {}
        after: str | None = None
        while page := session.contracts.page(customer_id=customer_id, after=after, limit=1000):
            after = page[-1].id
            for contract in page:
                if contract.account is not None and contract.credential is not None:
                    paid.setdefault((contract.account, contract.credential), []).append(contract)
        return tuple((_known(session, customer_id, *card, contracts), card[1]) for card, contracts in paid.items())


def _known(session: Session, customer_id: str, account: str, token: str, contracts: list[Contract]) -> StoredCredential:
    digest = secret_hash(account, token)
    card = session.stored_cards.get(account, digest) or StoredCard()
    return StoredCredential(
        digest,
        account,
        customer_id,
        tuple(contract.id for contract in contracts),
        any(contract.status not in _ENDED for contract in contracts),
        card.brand,
        card.last4,
        card.expires_on,
        card.revoked_at is not None,
        card.seen_at,
    )


async def ask(services: Services, account_name: str, token: str) -> CredentialDescription | None:
    """What the provider tells about a stored card, kept for later; None where it tells nothing.

    :raises ProviderError: it refused or did not answer.
    """
    account = services.plugins.account(account_name)
    if not account.capabilities.describes_cards:
        return None
    told = await account.describe_card(CredentialRequest(token))
    await call(partial(_learn, services, account_name, token, told))
    return told


def _learn(services: Services, account: str, token: str, told: CredentialDescription) -> None:
    with services.store.write() as session:
        gone = told.state is CredentialState.REVOKED
        learn(services, session, account, token, told.brand, told.last4, told.expires, gone=gone)


def learn(
    services: Services,
    session: Session,
    account: str,
    token: str,
    brand: str | None,
    last4: str | None,
    expires: str | None,
    *,
    gone: bool = False,
) -> None:
    """Keep what a provider has told of a stored card, by its digest.

    :param expires: its last month, as ``2030-12``.
    """
    digits = last4 if last4 is not None and len(last4) == 4 and last4.isascii() and last4.isdigit() else None
    card = StoredCard(brand, digits, last_day(expires), services.now() if gone else None)
    session.stored_cards.learn(account, secret_hash(account, token), card)


async def _asked(services: Services, one: StoredCredential, token: str) -> str | None:
    """Ask about *one*; why that failed, or None."""
    try:
        await ask(services, one.account, token)
    except PaygateError as exc:
        return reason_of(exc)
    return None


async def refresh(services: Services, *, older_than: dt.timedelta, limit: int) -> Refreshed:
    """Ask the providers about the cards of contracts that renew, beginning with those never asked about.

    :param older_than: a card that was asked about since then is left alone. :param limit: how many to ask about at most.
    """
    if type(limit) is not int or not 1 <= limit <= 10_000:
        raise InvalidValue(f"limit is a whole number from 1 to 10,000, got {limit!r}")
    if not isinstance(older_than, dt.timedelta) or older_than < dt.timedelta(0):
        raise InvalidValue("older_than is a length of time, for example timedelta(days=30)")
    before = services.now() - older_than
    asked, failed, done = 0, list[tuple[str, str]](), set[tuple[str, str]]()
    after: str | None = None
    while asked < limit and (page := await call(partial(_page, services, after))):
        after = page[-1].id
        for contract in page:
            account, token = contract.account or "", contract.credential or ""
            if asked >= limit or (account, token) in done or not _wants(services, contract):
                continue
            done.add((account, token))
            if await call(partial(_seen_since, services, account, token, before)):
                continue
            asked += 1
            try:
                await ask(services, account, token)
            except PaygateError as exc:
                failed.append((contract.id, reason_of(exc)))
    return Refreshed(asked, tuple(failed))


def _page(services: Services, after: str | None) -> list[Contract]:
    with services.store.read() as session:
        return session.contracts.page(after=after, limit=500)


def _wants(services: Services, contract: Contract) -> bool:
    capabilities = services.known_capabilities(contract.account)
    lives = contract.status not in _ENDED and contract.credential is not None
    return lives and capabilities is not None and capabilities.describes_cards and services.in_mode(contract)


def _seen_since(services: Services, account: str, token: str, since: dt.datetime) -> bool:
    with services.store.read() as session:
        known = session.stored_cards.get(account, secret_hash(account, token))
    return known is not None and known.seen_at is not None and known.seen_at > since


async def revoke(
    services: Services, customer_id: str, credential_id: str, *, reason: str, actor: Actor
) -> StoredCredential:
    """Have the provider forget a stored card for good.

    :raises OperationNotAllowed: a contract that has not ended is paid from it, or an attempt on it has no result yet.
    :raises CapabilityNotSupported: only the provider's own screen does that.
    """
    own = actor.kind is ActorKind.CUSTOMER and actor.id == customer_id
    if actor.kind is not ActorKind.ADMIN and not own:
        raise PermissionDenied(f"{actor} may not revoke a card of customer {customer_id}", rule="R-267")
    one, token = await _found(services, customer_id, credential_id)
    account = services.plugins.account(one.account)
    if not account.capabilities.revokes_cards:
        raise CapabilityNotSupported(
            f"{account.capabilities.name} forgets a stored card on its own screen only; nothing was sent", rule="R-405"
        )
    await permission.ask(services, lambda _: OperationProposal("revoke_card", actor))
    await call(partial(_check_unused, services, one))
    await account.revoke_card(CredentialRequest(token))
    await call(partial(_note_revoked, services, one, reason, actor))
    return attrs.evolve(one, revoked=True, seen_at=services.now())


async def forget(services: Services, old: Contract, *, reason: str, actor: Actor) -> str:
    """Have the provider forget the card that *old*, a contract as it was, was paid from, if nothing else needs it.

    :returns: why that was not done; empty: it was.
    """
    account_name, token = old.account or "", old.credential or ""
    one = StoredCredential(secret_hash(account_name, token), account_name, old.customer_id, (old.id,), in_use=False)
    try:
        account = services.plugins.account(account_name)
        await call(partial(_check_unused, services, one))
        await account.revoke_card(CredentialRequest(token))
        await call(partial(_note_revoked, services, one, reason, actor))
    except PaygateError as exc:
        return reason_of(exc)
    return ""


def _check_unused(services: Services, one: StoredCredential) -> None:
    with services.store.read() as session:
        if used := session.stored_cards.in_use(one.account, one.id):
            raise OperationNotAllowed(
                f"contract {used[0]} is paid from this card; give it another one first (contracts.change_payment)",
                rule="R-405",
            )
        since = services.now() - dt.timedelta(days=400)
        if waiting := next((made for made in session.cards.charges(one.account, one.id, since) if made.open), None):
            raise OperationNotAllowed(
                f"charge {waiting.id} on this card has no result yet; wait for it or reconcile", rule="R-405"
            )


def _note_revoked(services: Services, one: StoredCredential, reason: str, actor: Actor) -> None:
    with services.store.write() as session:
        now = services.now()
        card = session.stored_cards.get(one.account, one.id) or StoredCard()
        session.stored_cards.learn(one.account, one.id, attrs.evolve(card, revoked_at=now))
        facts = {"customer": one.customer_id, "account": one.account, "card": one.id[:12]}
        session.audit.insert_many([AuditRecord(services.new_id(), now, actor, "revoke_card", None, {}, facts, reason)])
