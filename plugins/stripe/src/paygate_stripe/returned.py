"""Money that went back without paygate's asking: refunds made in the dashboard, and disputes (provider fact sheet §5, §11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from paygate.dispute import Dispute, DisputeState
from paygate.provider import ChargeResult, EventKind, ProviderEvent

from .client import Asked, Client
from .refunds import refund_result
from .resources import (
    CHARGE_REF,
    CONTRACT_REF,
    REFUND_REF,
    clean,
    id_in,
    instant,
    metadata_in,
    money,
    object_in,
    shown,
    text_in,
)

if TYPE_CHECKING:
    from stripe.params import DisputeListParams

__all__ = ["DISPUTE_EVENTS", "dispute_event", "refund_event", "with_disputes"]

DISPUTE_EVENTS = frozenset(
    {
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    }
)

#: What has been decided. Every other status, one that nobody documented included, leaves the money in question.
_DECIDED = {
    "won": DisputeState.WON,
    "warning_closed": DisputeState.WON,  # an inquiry that became no dispute
    "prevented": DisputeState.WON,
    "lost": DisputeState.LOST,
}


async def refund_event(client: Client, event: Mapping[str, Any], refund: Mapping[str, Any]) -> ProviderEvent | None:
    """What became of a refund, whether paygate asked for it or somebody in the dashboard did.

    None where it is neither paygate's nor of a payment.
    """
    result = refund_result(refund, None)
    attempt, payment = metadata_in(refund, REFUND_REF), _payment(refund)
    if attempt is None and payment is None:
        return None
    return ProviderEvent(
        event_id=str(event["id"]),
        kind=EventKind.REFUND,
        type=str(event["type"]),
        reference=result.reference,
        attempt_id=attempt,
        refund=attrs.evolve(result, amount=result.amount or money(refund, "amount")),
        charge_reference=payment,
        charge_id=await _attempt(client, payment) if attempt is None else None,
        contract_id=metadata_in(refund, CONTRACT_REF),
        raw=result.raw,
    )


async def dispute_event(client: Client, event: Mapping[str, Any], told: Mapping[str, Any]) -> ProviderEvent | None:
    """How a dispute stands now; None where Stripe knows it no more, or it is about no payment.

    :raises ProviderUnavailable: Stripe could not be asked just now.
    """
    reference = str(told["id"])
    if _payment(told) is None:
        return None
    seen = await client.read(client.stripe.v1.disputes.retrieve_async(reference), reference)
    dispute = _dispute(seen) if seen is not None else None
    if seen is None or dispute is None:
        return None
    payment = _payment(seen)
    return ProviderEvent(
        event_id=str(event["id"]),
        kind=EventKind.DISPUTE,
        type=str(event["type"]),
        reference=reference,
        dispute=dispute,
        charge_reference=payment,
        charge_id=await _attempt(client, payment),
        raw=shown(seen),
    )


async def with_disputes(client: Client, intent: Mapping[str, Any], result: ChargeResult) -> ChargeResult:
    """*result* with the disputes of the payment *intent*, which its charge only hints at."""
    charge = object_in(intent, "latest_charge")
    if charge is None or charge.get("disputed") is not True:
        return result
    reference = str(intent["id"])

    def page(after: str | None) -> Asked:
        params: DisputeListParams = {"payment_intent": reference, "limit": 100}
        if after is not None:
            params["starting_after"] = after
        return client.stripe.v1.disputes.list_async(params)

    seen = await client.listed(page, None, kind="dispute", of=("payment_intent", reference))
    return attrs.evolve(result, disputes=tuple(one for one in map(_dispute, seen) if one is not None))


def _dispute(seen: Mapping[str, Any]) -> Dispute | None:
    reference, amount = text_in(seen, "id"), money(seen, "amount")
    if reference is None or amount is None:
        return None
    state = _DECIDED.get(text_in(seen, "status") or "", DisputeState.OPENED)
    due_by = instant(object_in(seen, "evidence_details"), "due_by")
    return Dispute(reference, state, amount, due_by, clean(text_in(seen, "reason") or ""))


def _payment(resource: Mapping[str, Any]) -> str | None:
    """By what paygate knows the payment of a refund or dispute: its intent, or of an imported one its charge."""
    return id_in(resource, "payment_intent") or id_in(resource, "charge")


async def _attempt(client: Client, payment: str | None) -> str | None:
    """Paygate's id of the charge, which the payment carries; needed where the answer to the charge was lost."""
    if payment is None or not payment.startswith("pi_"):
        return None
    seen = await client.read(client.stripe.v1.payment_intents.retrieve_async(payment), payment)
    return metadata_in(seen, CHARGE_REF)
