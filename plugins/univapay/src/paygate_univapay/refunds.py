"""Returning money, whole or in part, and finding a refund whose answer was lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paygate.errors import ProviderUnavailable
from paygate.provider import Found, Outcome, RefundRequest, RefundResult

from .client import Client
from .mapping import refund_refusal, refund_result, status_of
from .resources import REFUND_REF, Unreliable, listed, metadata_for, others, wait_for_result

__all__ = ["find_refund", "read_refund", "refund"]


async def refund(client: Client, request: RefundRequest) -> RefundResult:
    """Create the refund and wait a little for its result; see :func:`paygate.hookspecs.refund`."""
    reply = await client.create(
        client.charge_path(request.charge_reference, "refunds"),
        {
            "amount": request.amount.minor,
            "currency": request.amount.currency,
            "reason": "customer_request",
            "message": request.reason,
            "metadata": metadata_for(request.metadata, {REFUND_REF: request.refund_id}),
        },
        request.key,
    )
    created = reply.created
    if created is None:
        refusal = refund_refusal(reply)
        if refusal.outcome is Outcome.DECLINED and (elsewhere := await client.why_nowhere(reply)) is not None:
            return RefundResult.not_sent(elsewhere, code=reply.code or "NOT_FOUND")
        return refusal
    if (why := _not_asked_for(client, created, request)) is not None:
        return RefundResult.unknown(f"the answer is about another refund: {why}")
    if reply.doubtful:
        return RefundResult.unknown(
            f"refund {created['id']} was made by a repeat that UnivaPay did not check; the first sending may have "
            "returned money too"
        )
    path = client.charge_path(request.charge_reference, "refunds", str(created["id"]))
    return refund_result(await wait_for_result(client, path, created), request.amount)


async def find_refund(client: Client, attempt: RefundRequest, reference: str | None) -> Found:
    """Look a refund up; see :func:`paygate.hookspecs.find_refund`. Not finding it proves nothing."""
    if reference is not None:
        seen = await read_refund(client, attempt.charge_reference, reference)
        if seen is None:
            return Found()
        why = _not_asked_for(client, seen, attempt)
        if why is None:
            return Found(refund_result(seen, attempt.amount))
    path = client.charge_path(attempt.charge_reference, "refunds")
    try:
        own = await listed(client, path, {}, REFUND_REF, attempt.refund_id)
    except Unreliable:
        own = []  # which proves as little as a list without it
    if not own and reference is not None:
        return Found(RefundResult.unknown(f"refund {reference} is another's ({why}): a person has to look"))
    current = [seen for one in own if (seen := await read_refund(client, attempt.charge_reference, one["id"]))]
    alive = [seen for seen in current if status_of(seen) != "failed"]
    if len(alive) > 1:
        ids = ", ".join(one["id"] for one in alive)
        return Found(RefundResult.unknown(f"more than one refund carries this attempt ({ids}): see the dashboard"))
    best = (alive or current)[:1]
    return Found(refund_result(best[0], attempt.amount)) if best else Found()


def _not_asked_for(client: Client, seen: Mapping[str, Any], attempt: RefundRequest) -> str | None:
    """Why the refund *seen* is not the one that *attempt* asked for; None where it is."""
    if (why := others(client, seen, REFUND_REF, attempt.refund_id)) is not None:
        return why
    if seen.get("charge_id", attempt.charge_reference) != attempt.charge_reference:
        return "it is of another charge"
    return None


async def read_refund(client: Client, charge_reference: str, reference: str) -> Mapping[str, Any] | None:
    """The refund as UnivaPay has it now; None where it knows none of that id.

    :raises ProviderUnavailable: the answer was not readable.
    """
    seen = await client.read(client.charge_path(charge_reference, "refunds", reference))
    if seen is not None and seen.get("id") != reference:
        raise ProviderUnavailable("univapay: a look-up was answered with another refund; look again later")
    return seen
