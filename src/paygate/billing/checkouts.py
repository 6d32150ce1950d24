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

from ..domain.contract import Customer
from ..errors import IdempotencyConflict, InvalidValue
from ..flow import call
from ..provider import Checkout, CheckoutRequest, CheckoutResult
from .services import Services, checked_key, fingerprint

__all__ = ["begin", "complete"]

#: A language tag as BCP 47 writes it, as far as providers know them: ``ja``, ``en``, ``zh-Hant``, ``pt-BR``.
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}")
_LONGEST_URL = 2048


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
) -> Checkout:
    """Prepare the page for *customer*; nothing is sent for bad input.

    :raises IdempotencyConflict: the key was used with other contents (R-371).
    """
    account = services.plugins.account(account_name)
    if not isinstance(customer, Customer):
        raise InvalidValue(f"customer must be a paygate Customer, got {customer!r}")
    if not isinstance(locale, str) or not _LOCALE.fullmatch(locale):
        raise InvalidValue(f"locale is a language tag such as 'ja' or 'en-GB', not {locale!r}")
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
        metadata=_checked_metadata(metadata or {}),
    )
    if idempotency_key is not None:
        if services.store.missing:
            await call(services.store.create)
        await call(partial(_claim, services, account.name, request))
    return await account.begin_checkout(request)


def _claim(services: Services, account_name: str, request: CheckoutRequest) -> None:
    """Note what the checkout is asked for with, or refuse it where that differs from the first time."""
    given = fingerprint(
        "checkout",
        json.dumps(
            [request.email, request.return_url, request.cancel_url, request.locale, dict(request.metadata)],
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


async def complete(services: Services, account_name: str, reference: str) -> CheckoutResult:
    """What has become of a checkout, as the provider says now."""
    account = services.plugins.account(account_name)
    if not isinstance(reference, str) or not reference.strip():
        raise InvalidValue("reference is the Checkout.reference that checkouts.begin gave")
    return await account.complete_checkout(reference)


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
    return dict(metadata)
