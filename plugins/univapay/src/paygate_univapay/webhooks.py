"""Webhooks: a static word in a header is all the proof there is, so an event is a hint and the resource is read again.

Nothing of the body is believed but which resource to look at (provider fact sheet §12.4, §20.5).
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from paygate.errors import ProviderUnavailable, WebhookRejected
from paygate.provider import EventKind, ProviderEvent, Webhook

from .charges import read_charge, shown
from .client import Client
from .mapping import status_of
from .refunds import read_refund
from .renewals import subscription_events
from .resources import CHARGE_REF, CONTRACT_REF, REFUND_REF, reference_in
from .returned import refund_event, with_returns

__all__ = ["parse_webhook"]

_CHARGE_EVENTS = frozenset({"charge_updated", "charge_finished"})
_REFUND_EVENTS = frozenset({"refund_finished"})
_SUBSCRIPTION_EVENTS = frozenset(
    {
        "subscription_payment",
        "subscription_failure",
        "subscription_suspended",
        "subscription_canceled",
        "subscription_completed",
    }
)
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_EVENT = re.compile(r"[0-9A-Za-z_.]{1,64}")


async def parse_webhook(client: Client, webhook: Webhook) -> list[ProviderEvent]:
    """Authenticate a delivery and read what it is about; see :func:`paygate.hookspecs.parse_webhook`.

    The event's id is made of its name, the resource's id and the status that was read, so that repeats are dropped
    and news is not (R-269). One about a subscription tells of its latest attempts, each under the id of its charge.
    Resources of other stores or modes and those not made by paygate, such as CVV checks, are OTHER.

    :raises WebhookRejected: 401 forged, 400 malformed.
    :raises ProviderUnavailable: the resource could not be read just now; UnivaPay delivers again.
    :raises ConfigurationError: UnivaPay refuses the account's credentials.
    """
    _authenticate(client, webhook)
    event, data = _envelope(webhook.body)
    events: list[ProviderEvent] = []
    if client.owns(data):
        if event in _CHARGE_EVENTS:
            events = await _charge_events(client, event, data)
        elif event in _REFUND_EVENTS:
            events = await _refund_events(client, event, data)
        elif event in _SUBSCRIPTION_EVENTS:
            events = await subscription_events(client, event, data["id"])
    return events or [_other(event, data)]


async def _charge_events(client: Client, event: str, data: Mapping[str, Any]) -> list[ProviderEvent]:
    seen = await read_charge(client, data["id"])
    if seen is None or not client.owns(seen):
        return []
    attempt, subscription = reference_in(seen, CHARGE_REF), seen.get("subscription_id")
    if attempt is None:
        # made by a subscription, or not for paygate at all
        known = isinstance(subscription, str) and _ID.fullmatch(subscription)
        return await subscription_events(client, event, str(subscription), seen) if known else []
    result = await with_returns(client, await shown(client, seen, None))
    return [
        ProviderEvent(
            event_id=f"{event}:{seen['id']}:{status_of(seen)}",
            kind=EventKind.CHARGE,
            type=event,
            reference=seen["id"],
            attempt_id=attempt,
            charge=result,
            contract_id=reference_in(seen, CONTRACT_REF),
            raw=result.raw,
        )
    ]


async def _refund_events(client: Client, event: str, data: Mapping[str, Any]) -> list[ProviderEvent]:
    charge_id = data.get("charge_id")
    if not isinstance(charge_id, str) or not _ID.fullmatch(charge_id):
        raise WebhookRejected("univapay: a refund event names no charge")
    seen = await read_refund(client, charge_id, data["id"])
    if seen is None or not client.owns(seen):
        return []
    if seen.get("charge_id", charge_id) != charge_id:
        raise ProviderUnavailable("univapay: a refund was read that is of another charge; look again later")
    own = reference_in(seen, REFUND_REF) is not None
    return [await refund_event(client, event, seen, None if own else await read_charge(client, charge_id))]


def _authenticate(client: Client, webhook: Webhook) -> None:
    """Compare the whole value in constant time; whether ``Bearer`` stands before it is not documented (§12.4)."""
    given = webhook.headers.get("authorization", "").encode(errors="surrogatepass")
    token = client.settings.webhook_auth_token
    plain = hmac.compare_digest(given, token.encode())
    bearer = hmac.compare_digest(given, f"Bearer {token}".encode())
    if not (plain or bearer):
        raise WebhookRejected("univapay: the delivery does not carry the account's webhook_auth_token", status=401)


def _envelope(body: bytes) -> tuple[str, Mapping[str, Any]]:
    """Name and resource of the event; envelope id and date are optional and not needed (§12.3)."""
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookRejected("univapay: the body of the delivery is not JSON") from None
    event = envelope.get("event") if isinstance(envelope, dict) else None
    data = envelope.get("data") if isinstance(envelope, dict) else None
    if not isinstance(event, str) or not _EVENT.fullmatch(event):
        raise WebhookRejected("univapay: the delivery names no event")
    if not isinstance(data, dict) or not isinstance(data.get("id"), str) or not _ID.fullmatch(data["id"]):
        raise WebhookRejected("univapay: the delivery holds no resource with an id")
    return event, data


def _other(event: str, data: Mapping[str, Any]) -> ProviderEvent:
    status = data.get("status")
    state = status if isinstance(status, str) and _EVENT.fullmatch(status) else ""
    return ProviderEvent(f"{event}:{data['id']}:{state}", EventKind.OTHER, type=event, reference=data["id"])
