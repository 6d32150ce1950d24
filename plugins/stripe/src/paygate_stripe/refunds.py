"""Returning money, whole or in part, and finding a refund whose answer was lost (provider fact sheet §5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paygate.errors import InvalidValue
from paygate.money import Money
from paygate.provider import Found, RefundRequest, RefundResult

from .client import Asked, Client, Reply
from .resources import REFUND_REF, clean, instant, metadata_for, money, others, shown, text_in

if TYPE_CHECKING:
    from stripe.params import RefundCreateParams, RefundListParams

__all__ = ["find_refund", "read_refund", "refund", "refund_result"]


async def refund(client: Client, request: RefundRequest) -> RefundResult:
    """Create the refund; see :func:`paygate.hookspecs.refund`.

    :raises InvalidValue: it is in another currency than the payment; nothing was sent, for Stripe is told the amount alone.
    """
    if request.amount.currency != request.charged.currency:
        raise InvalidValue(f"stripe: {request.amount} cannot be returned of a payment of {request.charged}")
    params: RefundCreateParams = {
        "amount": request.amount.minor,
        "metadata": metadata_for(
            request.metadata,
            {REFUND_REF: request.refund_id, **({"paygate_reason": request.reason[:500]} if request.reason else {})},
        ),
    }
    _name_payment(params, request.charge_reference)
    reply = await client.ask(client.stripe.v1.refunds.create_async(params, {"idempotency_key": request.key}))
    if reply.created is not None and (why := _not_asked_for(client, reply.created, request)) is not None:
        return RefundResult.unknown(f"the answer is about another refund: {why}")
    seen = await client.as_it_is_now(reply, read_refund)
    return _refusal(reply) if seen is None else refund_result(seen, request.amount)


async def find_refund(client: Client, attempt: RefundRequest, reference: str | None) -> Found:
    """Look a refund up; see :func:`paygate.hookspecs.find_refund`.

    All refunds of one payment are listed under it, so not finding one proves that there is none.

    :raises ProviderUnavailable: Stripe could not be asked, or does not know the payment.
    """
    why = None
    if reference is not None and (seen := await read_refund(client, reference)) is not None:
        why = _not_asked_for(client, seen, attempt)
        if why is None:
            return Found(refund_result(seen, attempt.amount))

    def page(after: str | None) -> Asked:
        params: RefundListParams = {"limit": 100}
        _name_payment(params, attempt.charge_reference)
        if after is not None:
            params["starting_after"] = after
        return client.stripe.v1.refunds.list_async(params)

    own = await client.listed(page, REFUND_REF, attempt.refund_id, kind="refund", of=_payment_of(attempt))
    if not own and why is not None:
        return Found(RefundResult.unknown(f"refund {reference} is another's ({why}): a person has to look"))
    alive = [seen for seen in own if text_in(seen, "status") not in {"failed", "canceled"}]
    if len(alive) > 1:
        ids = ", ".join(str(one["id"]) for one in alive)
        return Found(RefundResult.unknown(f"more than one refund carries this attempt ({ids}): see the dashboard"))
    best = (alive or own)[:1]
    return Found(refund_result(best[0], attempt.amount)) if best else Found()


async def read_refund(client: Client, reference: str) -> Mapping[str, Any] | None:
    """The refund as Stripe has it now; None where it knows none of that id.

    :raises ProviderUnavailable: the answer was not readable.
    """
    return await client.read(client.stripe.v1.refunds.retrieve_async(reference), reference)


def refund_result(refund: Mapping[str, Any], asked: Money | None) -> RefundResult:
    """What a refund says. One that succeeded may be ``failed`` later, which a webhook tells (R-247)."""
    reference, status, raw = str(refund["id"]), text_in(refund, "status"), shown(refund)
    returned = money(refund, "amount")
    if (returned is None and status == "succeeded") or (asked is not None and returned not in {None, asked}):
        said = f"Stripe reports a refund of {returned or 'no amount'} where {asked or 'an amount'} was asked for"
        return RefundResult.unknown(said, reference=reference, raw=raw, amount=returned)
    if status in {"pending", "requires_action"}:
        return RefundResult.pending(reference, raw=raw)
    if status == "succeeded":
        return RefundResult.succeeded(reference, refunded_at=instant(refund, "created"), raw=raw, amount=returned)
    if status in {"failed", "canceled"}:
        return RefundResult.declined(
            clean(text_in(refund, "failure_reason") or status),
            "the money did not go back",
            reference=reference,
            raw=raw,
        )
    said = f"status {clean(status or 'missing')!r}: a person has to look at refund {clean(reference)}"
    return RefundResult.unknown(said, reference=reference, raw=raw)


def _refusal(reply: Reply) -> RefundResult:
    """What an answer without a refund says about the refund that was asked for."""
    if reply.repeated:
        return RefundResult.unknown(f"an earlier answer was lost, and the repeat was refused with HTTP {reply.status}")
    if reply.limited:
        return RefundResult.not_sent("Stripe takes no more requests just now", code="rate_limit")
    if reply.refuses_credentials:
        return RefundResult.not_sent(
            f"Stripe refuses the account's api_key (HTTP {reply.status}): {reply.message}", code=reply.code
        )
    refused = reply.status in {400, 404} and reply.type == "invalid_request_error"
    if refused or (reply.status == 402 and reply.error):
        # more than is left of a payment that was refunded in part comes without a code
        too_much = text_in(reply.error, "code") is None and text_in(reply.error, "param") == "amount"
        code = "amount_too_large" if too_much else reply.code
        return RefundResult.declined(code, reply.message, raw=shown({}, reply.error))
    return RefundResult.unknown(
        f"HTTP {reply.status} {reply.code}".rstrip() + ": whether it was processed cannot be read from that"
    )


def _payment_of(attempt: RefundRequest) -> tuple[str, str]:
    """The field of a refund that names its payment, and what it has to say."""
    return ("payment_intent" if attempt.charge_reference.startswith("pi_") else "charge", attempt.charge_reference)


def _not_asked_for(client: Client, seen: Mapping[str, Any], attempt: RefundRequest) -> str | None:
    """Why the refund *seen* is not the one that *attempt* asked for; None where it is."""
    if not client.of_mode(seen) or seen.get("object", "refund") != "refund":
        return "it is something else, or of the other mode"
    return others(seen, REFUND_REF, attempt.refund_id, **dict([_payment_of(attempt)]))


def _name_payment(params: RefundCreateParams | RefundListParams, charge_reference: str) -> None:
    """Say whose refund is meant: paygate's charges are intents, imported ones may be known by their charge."""
    if charge_reference.startswith("pi_"):
        params["payment_intent"] = charge_reference
    else:
        params["charge"] = charge_reference
