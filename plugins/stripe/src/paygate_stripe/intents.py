"""What a PaymentIntent says about a charge (provider fact sheet §4).

Nothing but ``succeeded`` with the amount that was asked for is a success, and a status that nobody documented is an
unknown outcome, never a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from paygate.money import Money
from paygate.provider import ChargeResult, DeclineClass

from .client import Reply
from .declines import REQUEST_CODES, Decline
from .resources import clean, instant, money, object_in, shown, text_in

__all__ = ["charge_refusal", "intent_result"]

#: Statuses of an intent that a decline may leave behind. Beside any other a decline would contradict itself.
_NOT_PAID = frozenset({"requires_payment_method", "requires_action", "canceled"})


def intent_result(intent: Mapping[str, Any], asked: Money | None) -> ChargeResult:
    """What *intent* says.

    :param asked: the amount that was asked for; None takes it from the intent, for events about attempts whose amount
        only the caller knows. A success over any other amount is an unknown outcome.
    """
    reference, status = str(intent["id"]), text_in(intent, "status")
    error = object_in(intent, "last_payment_error")
    raw = shown(intent, error)
    requested = money(intent, "amount")
    if asked is not None and requested not in {None, asked}:
        said = f"Stripe was asked for {requested} by this payment, paygate asked for {asked}"
        taken = money(intent, "amount_received") if status == "succeeded" else None
        return ChargeResult.unknown(said, reference=reference, code="amount_mismatch", raw=raw, amount=taken)
    if status == "succeeded":
        expected, received = asked or requested, money(intent, "amount_received")
        if received is None or received != expected:
            said = f"Stripe reports {received or 'no amount'} received where {expected or 'an amount'} was asked for"
            return ChargeResult.unknown(said, reference=reference, code="amount_mismatch", raw=raw, amount=received)
        charge = object_in(intent, "latest_charge")
        done = ChargeResult.succeeded(reference, amount=received, charged_at=instant(charge, "created"), raw=raw)
        back = money({"currency": intent.get("currency"), **charge}, "amount_refunded") if charge else None
        return attrs.evolve(done, refunded=back) if back else done
    if status == "processing":
        return ChargeResult.pending(reference, raw=raw)
    if status == "requires_action":
        # without a link it waits for a front end that has the intent's client secret; the money may move all the same
        link = text_in(object_in(intent, "next_action", "redirect_to_url"), "url")
        return ChargeResult.pending(reference, action_url=link, raw=raw)
    if status == "requires_payment_method":
        return _declined(reference, error or {}, object_in(intent, "latest_charge"), raw, status)
    if status == "canceled":
        code = text_in(intent, "cancellation_reason") or "canceled"
        return ChargeResult.declined(clean(code), "the payment was canceled", reference=reference, raw=raw)
    # requires_confirmation and requires_capture are documented, but what paygate asks for never ends there
    said = f"status {clean(status or 'missing')!r}: a person has to look at payment {clean(reference)}"
    return ChargeResult.unknown(said, reference=reference, code=clean(status) if status else None, raw=raw)


def charge_refusal(reply: Reply) -> ChargeResult:
    """What an answer without an intent says about the charge that was asked for (§3)."""
    if reply.status == 402 and reply.error:
        intent = object_in(reply.error, "payment_intent")
        status, reference = text_in(intent, "status"), text_in(intent, "id")
        if status is not None and status not in _NOT_PAID:
            said = f"a decline beside an intent that is {clean(status)!r}: a person has to look"
            return ChargeResult.unknown(said, reference=reference, code=reply.code)
        raw = shown(intent or {}, reply.error)
        return _declined(reference, reply.error, object_in(intent, "latest_charge"), raw, reply.type)
    if reply.repeated:
        # a decline is stored under the key and comes again; no other refusal says what an earlier sending did
        return ChargeResult.unknown(
            f"an earlier answer was lost, and the repeat was refused with HTTP {reply.status}", code=reply.code or None
        )
    if reply.limited:
        return ChargeResult.not_sent("Stripe takes no more requests just now", code="rate_limit")
    if reply.refuses_credentials:
        return ChargeResult.not_sent(
            f"Stripe refuses the account's api_key (HTTP {reply.status}): {reply.message}",
            code=reply.code,
            decline=DeclineClass.CONFIG,
        )
    if reply.status == 404 and reply.type == "invalid_request_error" and not reply.missing:
        return ChargeResult.not_sent(
            f"Stripe knows no such address (HTTP 404); check the account's base_url: {reply.message}",
            code=reply.code,
            decline=DeclineClass.CONFIG,
        )
    if reply.status in {400, 404} and reply.type == "invalid_request_error":
        kind = REQUEST_CODES.get(reply.code, DeclineClass.UNKNOWN)
        return ChargeResult.declined(reply.code, reply.message, decline=kind, raw=shown({}, reply.error))
    return ChargeResult.unknown(
        f"HTTP {reply.status} {reply.code}".rstrip() + ": whether it was processed cannot be read from that",
        code=reply.code or None,
    )


def _declined(
    reference: str | None,
    error: Mapping[str, Any],
    charge: Mapping[str, Any] | None,
    raw: Mapping[str, Any],
    otherwise: str,
) -> ChargeResult:
    decline = Decline.of(error, charge, otherwise=otherwise or "card_declined")
    return ChargeResult.declined(
        decline.code,
        decline.message,
        decline=decline.kind,
        reference=reference,
        network=decline.network,
        response_code=decline.response_code,
        advice_code=decline.advice_code,
        raw=raw,
    )
