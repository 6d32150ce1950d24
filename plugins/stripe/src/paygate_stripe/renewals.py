"""What the invoices of Stripe's own subscriptions say about a contract (provider fact sheet §10, §13; R-145 to R-164).

An event names the invoice; what it says is read again at the plugin's own version of the interface, because the body of a
delivery has the fields of whichever version its endpoint was made with.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from paygate.clock import business_date
from paygate.provider import ChargeResult, EventKind, ProviderEvent

from .charges import read_intent
from .client import Client
from .declines import Decline
from .resources import CONTRACT_REF, id_in, instant, metadata_in, money, object_in, objects_in, shown, text_in, whole_in
from .subscriptions import ENDED, read_subscription

__all__ = ["INVOICE_EVENTS", "SUBSCRIPTION_EVENTS", "renewal_event", "subscription_event"]

#: Events about the invoice of a period, with whether they say that it was paid.
INVOICE_EVENTS = {"invoice.paid": True, "invoice.payment_failed": False, "invoice.payment_action_required": False}

SUBSCRIPTION_EVENTS = frozenset({"customer.subscription.updated", "customer.subscription.deleted"})

#: Why an invoice was made, where it is for a period. Others are for changes within one, or made by hand.
_PERIODIC = frozenset({"subscription_create", "subscription_cycle"})


async def renewal_event(client: Client, kind: str, told: Mapping[str, Any]) -> ProviderEvent | None:
    """What an invoice event means; None where it is not about a period of one of paygate's contracts.

    An invoice over nothing, such as that of a trial, and one that was paid elsewhere moved no money at Stripe.

    :param told: the invoice as the event has it.
    """
    invoice = await client.read(
        client.stripe.v1.invoices.retrieve_async(str(told["id"]), {"expand": ["payments"]}), str(told["id"])
    )
    if invoice is None or text_in(invoice, "billing_reason") not in _PERIODIC or not whole_in(invoice, "total"):
        return None
    contract = await _contract(client, invoice)
    if contract is None:
        return None
    if INVOICE_EVENTS[kind]:
        return _paid(kind, invoice, contract)
    return await _failed(client, kind, invoice, told, contract)


async def subscription_event(client: Client, kind: str, told: Mapping[str, Any]) -> ProviderEvent | None:
    """The end of a subscription (R-152); None for every other change, and for subscriptions that are not paygate's."""
    reference = str(told["id"])
    seen = await read_subscription(client, reference)
    contract = metadata_in(seen, CONTRACT_REF)
    if seen is None or contract is None or text_in(seen, "status") not in ENDED:
        return None
    return ProviderEvent(
        event_id=f"{reference}/ended",  # told by two events, and more often where deliveries are repeated
        kind=EventKind.SUBSCRIPTION_ENDED,
        type=kind,
        reference=reference,
        contract_id=contract,
        raw=shown(seen),
    )


def _paid(kind: str, invoice: Mapping[str, Any], contract: str) -> ProviderEvent | None:
    payment, amount = _payment(invoice, "paid"), money(invoice, "amount_paid")
    if text_in(invoice, "status") != "paid" or payment is None or amount is None:
        return None
    result = ChargeResult.succeeded(
        payment,
        amount=amount,
        charged_at=instant(object_in(invoice, "status_transitions"), "paid_at"),
        raw=shown(invoice),
    )
    return _event(f"{invoice['id']}/paid", kind, invoice, contract, result)


async def _failed(
    client: Client, kind: str, invoice: Mapping[str, Any], told: Mapping[str, Any], contract: str
) -> ProviderEvent:
    """One failed attempt. Which one, and when the next is, are the event's own: the invoice may have moved on since."""
    attempt = whole_in(told, "attempt_count") or whole_in(invoice, "attempt_count") or None
    payment = _payment(invoice, "open") or _payment(invoice, "paid")
    intent = await read_intent(client, payment) if payment is not None else None
    error = object_in(intent, "last_payment_error") or {}
    decline = Decline.of(error, object_in(intent, "latest_charge"), otherwise="payment_failed")
    raw = dict(shown(invoice, error))
    link = text_in(invoice, "hosted_invoice_url")
    if link is not None:
        raw["hosted_invoice_url"] = link  # where the customer confirms the payment, or pays with another card
    result = ChargeResult.declined(
        decline.code,
        decline.message,
        decline=decline.kind,
        reference=payment,
        network=decline.network,
        response_code=decline.response_code,
        advice_code=decline.advice_code,
        raw=raw,
    )
    next_at = instant(told, "next_payment_attempt")
    return _event(
        f"{invoice['id']}/failed/{attempt or kind}",  # that the customer has to act is told beside the failure
        kind,
        invoice,
        contract,
        result,
        attempt=attempt,
        next_on=business_date(next_at) if next_at is not None else None,
        action_url=link,
    )


def _event(
    event_id: str,
    kind: str,
    invoice: Mapping[str, Any],
    contract: str,
    result: ChargeResult,
    *,
    attempt: int | None = None,
    next_on: dt.date | None = None,
    action_url: str | None = None,
) -> ProviderEvent:
    return ProviderEvent(
        event_id=event_id,
        kind=EventKind.RENEWAL,
        type=kind,
        reference=result.reference,
        charge=result,
        contract_id=contract,
        period_on=_period_on(invoice),
        attempt=attempt,
        retries=next_on is not None,
        next_on=next_on,
        action_url=action_url,
        raw=result.raw,
    )


async def _contract(client: Client, invoice: Mapping[str, Any]) -> str | None:
    """The contract in the subscription's metadata: as the invoice remembers them, else as they are."""
    details = object_in(invoice, "parent", "subscription_details")
    remembered = metadata_in(details, CONTRACT_REF)
    if remembered is not None:
        return remembered
    subscription = id_in(details, "subscription")
    seen = await read_subscription(client, subscription) if subscription is not None else None
    return metadata_in(seen, CONTRACT_REF)


def _payment(invoice: Mapping[str, Any], status: str) -> str | None:
    """The PaymentIntent by which the invoice was or is to be paid."""
    payments = (one for one in objects_in(invoice, "payments") if text_in(one, "status") == status)
    intents = (id_in(object_in(one, "payment"), "payment_intent") for one in payments)
    return next(filter(None, intents), None)


def _period_on(invoice: Mapping[str, Any]) -> dt.date | None:
    """The business date on which the charged period begins: that of the subscription's line, not of the invoice.

    The invoice's own period is the one before.
    """
    lines = objects_in(invoice, "lines")
    own = [line for line in lines if object_in(line, "parent", "subscription_item_details") is not None]
    begins = [moment for line in own or lines if (moment := instant(object_in(line, "period"), "start")) is not None]
    return business_date(max(begins)) if begins else None
