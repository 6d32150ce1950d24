"""Checkouts: having a customer store a card on the provider's own page, for contracts to be made with.

No money moves, the provider keeps the checkout and its card, and the caller keeps the reference. Kept here is only a
digest of what was asked for under a caller's key, so that the key is refused with other contents.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping
from functools import partial
from urllib.parse import SplitResult, urlsplit

import attrs

from ..domain.contract import Actor, ActorKind, Card, Contract, Customer
from ..domain.operations import Operation, permit
from ..domain.stored_card import card_name
from ..errors import IdempotencyConflict, InvalidValue, PermissionDenied
from ..flow import call
from ..plugins.account import Account
from ..provider import Checkout, CheckoutRequest, CheckoutResult, CheckoutState
from . import credentials
from .new_card import replace_once
from .services import Services, checked_key, fingerprint

__all__ = ["begin", "complete"]

#: A language tag as BCP 47 writes it, as far as providers know them: ``ja``, ``en``, ``zh-Hant``, ``pt-BR``.
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}")
_LONGEST_URL = 2048
#: Metadata of paygate's own, by which a checkout is known again: nothing else is kept of it.
_CUSTOMER, _REPLACES = "paygate_customer", "paygate_replaces"


async def begin(
    services: Services,
    account_name: str,
    customer: Customer,
    *,
    return_url: str,
    cancel_url: str | None,
    idempotency_key: str | None,
    locale: str,
    metadata: Mapping[str, str] | None,
    replace: str | None,
    actor: Actor,
) -> Checkout:
    """Prepare the page for *customer*; nothing is sent for bad input.

    Whom it is for, and the contract whose card it is to *replace*, go with the metadata: the provider keeps them.

    :raises PermissionDenied: neither an administrator nor *customer* asks (R-267).
    :raises IdempotencyConflict: the key was used with other contents (R-371).
    """
    account = services.plugins.account(account_name)
    if not isinstance(customer, Customer):
        raise InvalidValue(f"customer must be a paygate Customer, got {customer!r}")
    if actor.kind is not ActorKind.ADMIN and actor != Actor.customer(customer.id):
        raise PermissionDenied(f"{actor} may not store a card for customer {customer.id}", rule="R-267")
    if not isinstance(locale, str) or not _LOCALE.fullmatch(locale):
        raise InvalidValue(f"locale is a language tag such as 'ja' or 'en-GB', not {locale!r}")
    contract = await call(partial(_replaceable, services, account, customer, replace, actor)) if replace else None
    key = checked_key(idempotency_key, services.new_id())
    checkout_id = hashlib.sha256(f"checkout\0{account.name}\0{customer.id}\0{key}".encode()).hexdigest()[:32]
    request = CheckoutRequest(
        checkout_id=checkout_id,
        key=account.capabilities.idempotency.key_for(checkout_id),
        customer_id=customer.id,
        email=customer.email or None,
        return_url=_checked_url("return_url", return_url),
        cancel_url=None if cancel_url is None else _checked_url("cancel_url", cancel_url),
        locale=locale,
        metadata={**_checked_metadata(metadata or {}), **_own(customer, contract)},
        replaces=contract.credential if contract is not None and contract.account == account.name else None,
    )
    if idempotency_key is not None:
        if services.store.missing:
            await call(services.store.create)
        await call(partial(_claim, services, account.name, request, metadata or {}, replace))
    return await account.begin_checkout(request)


def _claim(
    services: Services, account_name: str, request: CheckoutRequest, metadata: Mapping[str, str], replace: str | None
) -> None:
    """Note what the checkout is asked for with, or refuse it where that differs from the first time."""
    given = fingerprint(
        "checkout",
        json.dumps(
            [
                request.email,
                request.return_url,
                request.cancel_url,
                request.locale,
                dict(metadata),
                *([replace] if replace else []),
            ],
            sort_keys=True,
        ),
    )
    with services.store.write() as session:
        earlier = session.checkouts.remember(request.checkout_id, account_name, given)
    if earlier != given:
        raise IdempotencyConflict(
            "this idempotency key began a checkout of this customer with another address, language, e-mail address or "
            "metadata; repeat it with the same ones, or use a new key for another checkout"
        )


def _replaceable(services: Services, account: Account, customer: Customer, contract_id: str, actor: Actor) -> Contract:
    """The contract whose card is to be replaced, unless that would be refused afterwards.

    :raises InvalidValue: it is another customer's.
    """
    with services.store.read() as session:
        contract = session.contracts.get(contract_id)
    if contract.customer_id != customer.id:
        raise InvalidValue(f"contract {contract_id} is not of customer {customer.id}; nothing was sent", rule="R-407")
    services.account_of(attrs.evolve(contract, account=account.name))
    permit(Operation.CHANGE_PAYMENT, contract, actor, services.now(), services.rules)
    return contract


def _own(customer: Customer, contract: Contract | None) -> dict[str, str]:
    own = {_CUSTOMER: customer.id}
    return own if contract is None else {**own, _REPLACES: contract.id}


async def complete(services: Services, account_name: str, reference: str) -> CheckoutResult:
    """What has become of a checkout, as the provider says now; a card that was begun for a contract becomes its card.

    That happens once: repeats, reloads, and old checkouts that another card has followed change nothing (R-407).
    """
    account = services.plugins.account(account_name)
    if not isinstance(reference, str) or not reference.strip():
        raise InvalidValue("reference is the Checkout.reference that checkouts.begin gave")
    told = await account.complete_checkout(reference)
    metadata = dict(told.metadata)
    customer, contract_id = metadata.pop(_CUSTOMER, None), metadata.pop(_REPLACES, None)
    result = attrs.evolve(told, metadata=metadata, customer_id=customer, replaces=contract_id)
    if result.state is CheckoutState.COMPLETED and not services.store.missing:
        await call(partial(_learn, services, account.name, result))
    if result.state is CheckoutState.COMPLETED and result.credential and customer and contract_id:
        card = Card(account.name, result.credential)
        looks = card_name(result.network, result.last4)
        await replace_once(services, contract_id, card, Actor.customer(customer), looks=looks)
    return result


def _learn(services: Services, account: str, result: CheckoutResult) -> None:
    with services.store.write() as session:
        token = result.credential or ""
        credentials.learn(services, session, account, token, result.network, result.last4, result.expires)


def _checked_url(name: str, url: str) -> str:
    """*url* if a customer can be sent there: absolute, and encrypted unless it never leaves the machine.

    :raises InvalidValue: it is none.
    """
    try:
        parts = urlsplit(url) if isinstance(url, str) else SplitResult("", "", "", "", "")
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        parts, host = SplitResult("", "", "", "", ""), ""
    plain = isinstance(url, str) and len(url) <= _LONGEST_URL and url.isprintable() and " " not in url
    encrypted = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
    if not (plain and host and encrypted) or parts.username is not None or parts.password is not None:
        raise InvalidValue(
            f"{name} is an absolute https URL without a user name, for example 'https://shop.example/cards/done'; "
            "http is for localhost only"
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _checked_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(metadata, Mapping) or any(
        not isinstance(text, str) for pair in metadata.items() for text in pair
    ):
        raise InvalidValue("metadata is a flat mapping of texts to texts")
    if reserved := [key for key in metadata if key.lower().startswith("paygate")]:
        raise InvalidValue(
            f"metadata keys that begin with 'paygate' are paygate's own: {', '.join(reserved)}; rename them"
        )
    return dict(metadata)
