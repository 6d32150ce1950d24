"""Storing a card: on Stripe's own page (Checkout), or in a form of the seller's page (SetupIntent); §4 of the fact sheet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from paygate.errors import NotFound, OutcomeUnknown, ProviderUnavailable
from paygate.provider import Checkout, CheckoutRequest, CheckoutResult, CheckoutState

from .cards import expires
from .client import Asked, Client
from .declines import Decline
from .resources import (
    CHECKOUT_REF,
    Credential,
    id_in,
    instant,
    object_in,
    others,
    shown,
    text_in,
)

if TYPE_CHECKING:
    from stripe.params import CustomerListParams

__all__ = ["CUSTOMER_REF", "begin_checkout", "complete_checkout"]

#: Metadata key under which a Stripe customer carries the seller's id of the customer.
CUSTOMER_REF = "paygate_customer"

#: Languages that Stripe's page tells apart by region; of all others it knows the language alone.
_REGIONAL = frozenset({"en-GB", "es-419", "fr-CA", "hi-IN", "pt-BR", "zh-HK", "zh-TW"})


async def begin_checkout(client: Client, request: CheckoutRequest) -> Checkout:
    """Prepare a checkout; see :func:`paygate.hookspecs.begin_checkout`.

    :raises ProviderError: Stripe refused or did not answer; no card is stored.
    """
    replaced = Credential.parse(request.replaces) if request.replaces is not None else None
    customer = replaced.customer if replaced is not None else await _customer(client, request)
    if client.settings.checkout == "setup_intent":
        return await _own_form(client, request, customer)
    return await _hosted(client, request, customer)


async def complete_checkout(client: Client, reference: str) -> CheckoutResult:
    """Say what became of a checkout; see :func:`paygate.hookspecs.complete_checkout`.

    :raises NotFound: Stripe knows no such checkout.
    """
    v1 = client.stripe.v1
    if reference.startswith("cs_"):
        session = await client.read(
            v1.checkout.sessions.retrieve_async(reference, {"expand": ["setup_intent.payment_method"]}), reference
        )
        if session is not None:
            return _as_begun(_session_result(session), session)
    elif reference.startswith("seti_"):
        intent = await client.read(
            v1.setup_intents.retrieve_async(reference, {"expand": ["payment_method"]}), reference
        )
        if intent is not None:
            return _as_begun(_intent_result(intent, shown(intent, object_in(intent, "last_setup_error"))), intent)
    # the reference came through a browser and is not quoted
    raise NotFound("stripe: Stripe knows no such checkout; are the keys those of another account or mode?")


async def _customer(client: Client, request: CheckoutRequest) -> str:
    """The Stripe customer to store the card with: the one that an earlier checkout made, else a new one.

    Customers are found by their address, which lists can be filtered by; without one, each checkout makes a customer.
    """
    email = request.email
    if email is not None:

        def page(after: str | None) -> Asked:
            params: CustomerListParams = {"email": email, "limit": 100}
            if after is not None:
                params["starting_after"] = after
            return client.stripe.v1.customers.list_async(params)

        known = await client.listed(page, CUSTOMER_REF, request.customer_id, kind="customer")
        if known:
            return str(known[-1]["id"])  # the oldest, which no later one changes
    made = await client.change(
        client.stripe.v1.customers.create_async(
            {**({"email": email} if email is not None else {}), "metadata": {CUSTOMER_REF: request.customer_id}},
            {"idempotency_key": f"{request.key}-customer"},
        )
    )
    _is_asked_for(made, CUSTOMER_REF, request.customer_id)
    return str(made["id"])


def _is_asked_for(made: Mapping[str, Any], key: str, own: str) -> None:
    """Hold an answer to what was asked for.

    :raises OutcomeUnknown: it is about somebody else, whose card would be stored here.
    """
    if (why := others(made, key, own)) is not None:
        raise OutcomeUnknown(f"stripe: the answer is about another {text_in(made, 'object') or 'thing'}: {why}")


async def _hosted(client: Client, request: CheckoutRequest, customer: str) -> Checkout:
    session = await client.change(
        client.stripe.v1.checkout.sessions.create_async(
            {
                "mode": "setup",
                "allowed_payment_method_types": ["card"],
                "customer": customer,
                "success_url": request.return_url,
                "cancel_url": request.cancel_url or request.return_url,
                "locale": _locale(request.locale),
                "client_reference_id": request.checkout_id,
                "metadata": {**request.metadata, CHECKOUT_REF: request.checkout_id},
            },
            {"idempotency_key": request.key},
        )
    )
    _is_asked_for(session, CHECKOUT_REF, request.checkout_id)
    return Checkout(
        reference=str(session["id"]),
        url=text_in(session, "url"),
        expires_at=instant(session, "expires_at"),
        raw=shown(session),
    )


async def _own_form(client: Client, request: CheckoutRequest, customer: str) -> Checkout:
    intent = await client.change(
        client.stripe.v1.setup_intents.create_async(
            {
                "customer": customer,
                "usage": "off_session",
                "allowed_payment_method_types": ["card"],
                "metadata": {**request.metadata, CHECKOUT_REF: request.checkout_id},
            },
            {"idempotency_key": request.key},
        )
    )
    _is_asked_for(intent, CHECKOUT_REF, request.checkout_id)
    return Checkout(reference=str(intent["id"]), client_token=text_in(intent, "client_secret"), raw=shown(intent))


def _as_begun(result: CheckoutResult, resource: Mapping[str, Any]) -> CheckoutResult:
    """*result* with the metadata that the checkout was begun with."""
    kept = object_in(resource, "metadata") or {}
    return attrs.evolve(result, metadata={str(key): str(text) for key, text in kept.items() if key != CHECKOUT_REF})


def _session_result(session: Mapping[str, Any]) -> CheckoutResult:
    raw, status = shown(session), text_in(session, "status")
    if status == "expired":
        return CheckoutResult(CheckoutState.EXPIRED, raw=raw)
    intent = object_in(session, "setup_intent")
    if status != "complete" or intent is None:
        return CheckoutResult(CheckoutState.OPEN, raw=raw)
    if id_in(session, "customer") not in {None, id_in(intent, "customer") or id_in(session, "customer")}:
        raise ProviderUnavailable("stripe: a checkout and its card are of different customers; look again later")
    # a page that is complete may still wait for the bank; whoever is told of that customer, the session knows it
    return _intent_result({"customer": id_in(session, "customer"), **intent}, raw)


def _intent_result(intent: Mapping[str, Any], raw: Mapping[str, Any]) -> CheckoutResult:
    status = text_in(intent, "status")
    customer, method = id_in(intent, "customer"), id_in(intent, "payment_method")
    if status == "succeeded" and customer is not None and method is not None:
        card = object_in(intent, "payment_method", "card")
        return CheckoutResult(
            CheckoutState.COMPLETED,
            credential=str(Credential(customer, method)),
            network=text_in(card, "brand"),
            last4=text_in(card, "last4"),
            expires=expires(card),
            raw=raw,
        )
    if status == "canceled":
        return CheckoutResult(CheckoutState.EXPIRED, raw=raw)
    error = object_in(intent, "last_setup_error")
    if status == "requires_payment_method" and error is not None:
        decline = Decline.of(error)
        return CheckoutResult(CheckoutState.FAILED, code=decline.code, message=decline.message, raw=raw)
    return CheckoutResult(CheckoutState.OPEN, raw=raw)


def _locale(tag: str) -> str:
    """The name that Stripe's page has for the language *tag*."""
    return tag if tag in _REGIONAL else tag.partition("-")[0]
