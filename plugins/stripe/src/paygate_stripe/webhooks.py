"""Webhooks: authentic by their signature, and read again all the same (provider fact sheet §9).

Deliveries come late, repeatedly and in any order, and their bodies have the fields of the version that the endpoint was
made with. So an event says which resource to look at, and the resource says how things stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from paygate.errors import WebhookRejected
from paygate.provider import ChargeResult, EventKind, ProviderEvent, Webhook

from .charges import read_intent
from .client import Client
from .declines import is_authentication
from .intents import intent_result
from .refunds import read_refund
from .renewals import INVOICE_EVENTS, SUBSCRIPTION_EVENTS, renewal_event, subscription_event
from .resources import CHARGE_REF, CHECKOUT_REF, CONTRACT_REF, id_in, metadata_in, object_in, text_in
from .returned import DISPUTE_EVENTS, dispute_event, refund_event, with_disputes
from .signatures import verify

__all__ = ["parse_webhook"]

_CHARGE_EVENTS = frozenset(
    {
        "payment_intent.succeeded",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
    }
)
_REFUND_EVENTS = frozenset({"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"})
_CHECKOUT_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.expired",
        "setup_intent.succeeded",
        "setup_intent.setup_failed",
        "setup_intent.canceled",
    }
)
_ID = re.compile(r"[A-Za-z][0-9A-Za-z_]{0,254}", re.ASCII)
_TYPE = re.compile(r"[0-9a-z_.]{1,100}", re.ASCII)


async def parse_webhook(client: Client, webhook: Webhook) -> list[ProviderEvent]:
    """Authenticate a delivery and read what it is about; see :func:`paygate.hookspecs.parse_webhook`.

    Events of the other mode, of another connected account, and about what paygate did not make are OTHER.

    :raises WebhookRejected: 401 forged, 400 malformed.
    :raises ProviderUnavailable: the resource could not be read just now; Stripe delivers again.
    :raises ConfigurationError: Stripe refuses the account's key.
    """
    verify(webhook.headers.get("stripe-signature"), webhook.body, client.settings.webhook_secrets, client.now())
    event = _event(webhook.body)
    kind, told = str(event["type"]), object_in(event, "data", "object") or {}
    if not _ours(client, event) or not _ID.fullmatch(text_in(told, "id") or ""):
        return [_other(event, told)]
    return [await _meaning(client, event, kind, told) or _other(event, told)]


async def _meaning(
    client: Client, event: Mapping[str, Any], kind: str, told: Mapping[str, Any]
) -> ProviderEvent | None:
    if kind in _CHARGE_EVENTS:
        return await _charge_event(client, event, told)
    if kind in _REFUND_EVENTS:
        return await _refund_event(client, event, told)
    if kind == "charge.refunded":
        return await _refunded_event(client, event, told)
    if kind in DISPUTE_EVENTS:
        return await dispute_event(client, event, told)
    if kind in INVOICE_EVENTS:
        return await renewal_event(client, kind, told)
    if kind in SUBSCRIPTION_EVENTS:
        return await subscription_event(client, kind, told)
    if kind in _CHECKOUT_EVENTS and metadata_in(told, CHECKOUT_REF) is not None:
        return ProviderEvent(str(event["id"]), EventKind.CHECKOUT, type=kind, reference=str(told["id"]))
    return None


async def _charge_event(client: Client, event: Mapping[str, Any], told: Mapping[str, Any]) -> ProviderEvent | None:
    seen = await read_intent(client, str(told["id"]))
    attempt = metadata_in(seen, CHARGE_REF)
    if seen is None or attempt is None:  # made in the dashboard, or for an invoice, which has events of its own
        return None
    result = await with_disputes(client, seen, intent_result(seen, None))
    if is_authentication(result.code) and client.settings.return_url is not None:
        # the charge that made the intent is about to ask the bank where the customer confirms it: no end yet
        result = ChargeResult.pending(result.reference, raw=result.raw)
    return ProviderEvent(
        event_id=str(event["id"]),
        kind=EventKind.CHARGE,
        type=str(event["type"]),
        reference=result.reference,
        attempt_id=attempt,
        charge=result,
        contract_id=metadata_in(seen, CONTRACT_REF),
        raw=result.raw,
    )


async def _refund_event(client: Client, event: Mapping[str, Any], told: Mapping[str, Any]) -> ProviderEvent | None:
    seen = await read_refund(client, str(told["id"]))
    return None if seen is None else await refund_event(client, event, seen)


async def _refunded_event(client: Client, event: Mapping[str, Any], told: Mapping[str, Any]) -> ProviderEvent | None:
    """What went back of a charge in all, by the payment that it belongs to; each refund has events of its own."""
    payment = id_in(told, "payment_intent")
    return None if payment is None else await _charge_event(client, event, {"id": payment})


def _event(body: bytes) -> Mapping[str, Any]:
    """The event in an authentic body."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookRejected("stripe: the body of the delivery is not JSON") from None
    if not isinstance(event, dict) or not _ID.fullmatch(text_in(event, "id") or ""):
        raise WebhookRejected("stripe: the delivery holds no event with an id")
    if not _TYPE.fullmatch(text_in(event, "type") or ""):
        raise WebhookRejected("stripe: the delivery does not say what kind of event it is")
    return event


def _ours(client: Client, event: Mapping[str, Any]) -> bool:
    """Whether the event belongs to the account and its mode; what it does not say is not held against it."""
    live = client.settings.mode == "live"
    own = client.settings.stripe_account
    account = text_in(event, "account") or own
    return event.get("livemode", live) is live and account == own


def _other(event: Mapping[str, Any], told: Mapping[str, Any]) -> ProviderEvent:
    reference = text_in(told, "id") or ""
    return ProviderEvent(
        str(event["id"]),
        EventKind.OTHER,
        type=str(event["type"]),
        reference=reference if _ID.fullmatch(reference) else None,
    )
