"""The notifications of a fake: JSON with a shared secret in the ``Authorization`` header.

The real providers differ in form and proof; what a fake keeps of them is what the rules see: an event id, one kind of
event, the state at the time of the event, and paygate's own id where the provider echoes it.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
from collections.abc import Mapping
from typing import Any

from ...clock import require_aware
from ...dispute import Dispute, DisputeState
from ...errors import PaygateError, WebhookRejected
from ...money import Money
from ...provider import ChargeResult, DeclineClass, EventKind, Outcome, ProviderEvent, RefundResult, Webhook
from ..book import MovementKind
from .agreements import FakeDispute
from .memory import Payment, Step

__all__ = [
    "charge_result",
    "checkout_notice",
    "dispute_notice",
    "is_so",
    "notice",
    "read_notice",
    "refund_result",
    "subscription_notice",
]

_STATES = {Outcome.SUCCEEDED: "succeeded", Outcome.DECLINED: "failed"}
#: What a step tells of the card's network.
_NETWORK = ("network", "advice_code", "response_code")
_KINDS = {MovementKind.CAPTURE: "charge", MovementKind.REFUND: "refund"}


def charge_result(payment: Payment, step: Step, reference: str | None, raw: dict[str, Any] | None) -> ChargeResult:
    """*step* of a charge as a provider answers it. *reference* None: the provider does not tell its id yet."""
    if step.state is Outcome.SUCCEEDED:
        return ChargeResult.succeeded(payment.reference, amount=payment.amount, charged_at=step.at, raw=raw)
    if step.state is Outcome.PENDING:
        return ChargeResult.pending(
            reference,
            action_url=step.action_url,
            action_method=step.action_method,
            action_fields=dict(step.action_fields),
            raw=raw,
        )
    return ChargeResult.declined(
        step.code or "",
        step.message,
        decline=step.decline or DeclineClass.UNKNOWN,
        reference=reference,
        network=step.network,
        advice_code=step.advice_code,
        response_code=step.response_code,
        raw=raw,
    )


def refund_result(payment: Payment, step: Step, raw: dict[str, Any] | None) -> RefundResult:
    """*step* of a refund as a provider answers it."""
    if step.state is Outcome.SUCCEEDED:
        return RefundResult.succeeded(payment.reference, refunded_at=step.at, raw=raw, amount=payment.amount)
    if step.state is Outcome.PENDING:
        return RefundResult.pending(payment.reference, raw=raw)
    return RefundResult.declined(step.code or "", step.message, reference=payment.reference, raw=raw)


def _of_the_network(step: Step) -> dict[str, str | None]:
    return {name: getattr(step, name) for name in _NETWORK}


def notice(payment: Payment, index: int, secret: str) -> Webhook:
    """The delivery about *payment*'s step *index*; the same bytes, with the same event id, each time."""
    step = payment.steps[index]
    body = {
        "id": f"evt_{payment.reference}_{index}",
        "type": f"{_KINDS[payment.kind]}.{_STATES[step.state]}",
        "at": step.at.isoformat(),
        "reference": payment.reference,
        "attempt": payment.attempt,
        "amount": {"minor": payment.amount.minor, "currency": payment.amount.currency},
        "code": step.code,
        "message": step.message,
        "decline": step.decline.value if step.decline else None,
        **_of_the_network(step),
        "credential": payment.credential,
        "charge": payment.charge,
        "contract": payment.owner,
    }
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    return Webhook(headers, json.dumps(body, ensure_ascii=False).encode())


def dispute_notice(dispute: FakeDispute, index: int, secret: str) -> Webhook:
    """The delivery about one state of a dispute."""
    told = dispute.states[index]
    body = {
        "id": f"evt_{told.reference}_{index}",
        "type": f"dispute.{told.state.value}",
        "reference": told.reference,
        "amount": {"minor": told.amount.minor, "currency": told.amount.currency},
        "due_by": told.due_by and told.due_by.isoformat(),
        "reason": told.reason,
        "charge": dispute.charge,
        "attempt": dispute.attempt,
    }
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    return Webhook(headers, json.dumps(body).encode())


def subscription_notice(
    event_id: str,
    contract_id: str,
    secret: str,
    *,
    payment: Payment | None = None,
    period_on: dt.date | None = None,
    attempt: int | None = None,
    retries: bool = False,
    action_url: str | None = None,
) -> Webhook:
    """A delivery about the provider's own subscription: one attempt at a renewal, or without *payment* its end."""
    step = payment.steps[-1] if payment else None
    body: dict[str, Any] = {
        "id": event_id,
        "type": f"renewal.{_STATES[step.state]}" if step else "subscription.ended",
        "contract": contract_id,
        "period": period_on.isoformat() if period_on else None,
        "number": attempt,
        "retries": retries,
        "action_url": action_url,
    }
    if payment is not None and step is not None:
        body |= {
            "at": step.at.isoformat(),
            "reference": payment.reference,
            "amount": {"minor": payment.amount.minor, "currency": payment.amount.currency},
            "code": step.code,
            "message": step.message,
            "decline": step.decline.value if step.decline else None,
            **_of_the_network(step),
        }
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    return Webhook(headers, json.dumps(body, ensure_ascii=False).encode())


def checkout_notice(reference: str, secret: str) -> Webhook:
    """The delivery that a checkout has ended; how, is to be asked."""
    body = {"id": f"evt_{reference}", "type": "checkout.ended", "reference": reference}
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    return Webhook(headers, json.dumps(body).encode())


def read_notice(webhook: Webhook, secret: str) -> ProviderEvent:
    """Authenticate and read a delivery.

    :raises WebhookRejected: 401 without the shared secret, 400 where the body is not a notification.
    """
    offered = webhook.headers.get("authorization", "")
    if not hmac.compare_digest(offered.encode(errors="replace"), f"Bearer {secret}".encode()):
        raise WebhookRejected("the delivery does not carry the shared secret", status=401)
    try:
        return _event(json.loads(webhook.body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, PaygateError) as exc:
        raise WebhookRejected("the body is not a notification of a fake provider", status=400) from exc


def is_so(event: ProviderEvent, payments: Mapping[str, Payment], disputes: Mapping[str, FakeDispute]) -> bool:
    """Whether what *event* says of money is so. The shared secret proves nothing about the body (R-269)."""
    if event.dispute is not None:
        known = disputes.get(event.dispute.reference)
        return known is not None and event.dispute in known.states and event.charge_reference == known.charge
    result = event.charge or event.refund
    if result is None:
        return True
    payment = payments.get(event.reference or "")
    if payment is None or (event.attempt_id or "") != payment.attempt:
        return False
    amount = event.charge.amount if event.charge else None
    return amount in {None, payment.amount} and any(
        (step.state, step.code) == (result.outcome, result.code) for step in payment.steps
    )


def _event(body: dict[str, Any]) -> ProviderEvent:
    event_id, name = body["id"], body["type"]
    if not (isinstance(event_id, str) and event_id and isinstance(name, str)):
        raise TypeError("id and type are texts")
    what, _, how = name.partition(".")
    if name == "subscription.ended":
        return ProviderEvent(event_id, EventKind.SUBSCRIPTION_ENDED, name, contract_id=str(body["contract"]), raw=body)
    if name == "checkout.ended":
        return ProviderEvent(event_id, EventKind.CHECKOUT, name, reference=str(body["reference"]), raw=body)
    if what == "dispute" and how in {state.value for state in DisputeState}:
        return _dispute(event_id, name, DisputeState(how), body)
    states = {text: state for state, text in _STATES.items()}
    kinds = {text: kind for kind, text in _KINDS.items()}
    if what == "renewal" and how in states:
        return _renewal(event_id, name, states[how], body)
    if what not in kinds or how not in states:
        return ProviderEvent(event_id, EventKind.OTHER, name, raw=body)
    told: dict[str, Any] = {each: body.get(each) for each in _NETWORK}
    step = Step(
        require_aware(dt.datetime.fromisoformat(body["at"])),
        states[how],
        body["code"],
        body["message"],
        DeclineClass(body["decline"]) if body["decline"] else None,
        **told,
    )
    payment = Payment(
        kinds[what],
        str(body["reference"]),
        Money(body["amount"]["minor"], body["amount"]["currency"]),
        (step,),
        attempt=str(body["attempt"]),
    )
    return ProviderEvent(
        event_id,
        EventKind.CHARGE if payment.kind is MovementKind.CAPTURE else EventKind.REFUND,
        name,
        reference=payment.reference,
        attempt_id=payment.attempt or None,
        charge=charge_result(payment, step, payment.reference, body) if what == "charge" else None,
        refund=refund_result(payment, step, body) if what == "refund" else None,
        charge_reference=str(body["charge"]) or None if what == "refund" else None,
        contract_id=body.get("contract") or None,
        raw=body,
    )


def _dispute(event_id: str, name: str, state: DisputeState, body: dict[str, Any]) -> ProviderEvent:
    due_by = require_aware(dt.datetime.fromisoformat(body["due_by"])) if body["due_by"] else None
    amount = Money(body["amount"]["minor"], body["amount"]["currency"])
    return ProviderEvent(
        event_id,
        EventKind.DISPUTE,
        name,
        reference=str(body["reference"]),
        dispute=Dispute(str(body["reference"]), state, amount, due_by, str(body["reason"])),
        charge_reference=str(body["charge"]),
        charge_id=str(body["attempt"]) or None,
        raw=body,
    )


def _renewal(event_id: str, name: str, state: Outcome, body: dict[str, Any]) -> ProviderEvent:
    decline = DeclineClass(body["decline"]) if body["decline"] else None
    at = require_aware(dt.datetime.fromisoformat(body["at"]))
    told: dict[str, Any] = {name: body.get(name) for name in _NETWORK}
    step = Step(at, state, body["code"], body["message"], decline, **told)
    amount = Money(body["amount"]["minor"], body["amount"]["currency"])
    payment = Payment(MovementKind.CAPTURE, str(body["reference"]), amount, (step,))
    return ProviderEvent(
        event_id,
        EventKind.RENEWAL,
        name,
        reference=payment.reference,
        charge=charge_result(payment, step, payment.reference, body),
        contract_id=str(body["contract"]),
        period_on=dt.date.fromisoformat(body["period"]) if body["period"] else None,
        attempt=body["number"],
        retries=bool(body["retries"]),
        action_url=body.get("action_url"),
        raw=body,
    )
