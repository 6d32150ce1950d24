"""What a fake refuses by rule before anything happens: limits, malformed keys, duplicates, refunds of too much."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs

from ...provider import Capabilities, ChargeRequest, DeclineClass, Idempotency, IdempotencyKind, Outcome, RefundRequest
from ..book import MovementKind
from .memory import Memory, fingerprint
from .outcomes import Decline

__all__ = ["Codes", "refused_charge", "refused_refund"]


@attrs.frozen
class Codes:
    """A provider's own codes for what its fake refuses by itself.

    :param classes: what a code means for the next attempt.
    :param silent: the provider never says why a charge failed: every failure carries ``declined`` and no class.
    """

    declined: str = "declined"
    too_small: str = "amount_too_small"
    too_large: str = "amount_too_large"
    currency: str = "currency_not_supported"
    duplicate: str = "duplicate"
    key_reused: str = "idempotency_conflict"
    key_malformed: str = "idempotency_key_malformed"
    credential_removed: str = "credential_removed"
    permission_closed: str = "permission_closed"
    refund_refused: str = "refund_refused"
    refund_exceeds: str = "refund_exceeds_charge"
    not_refundable: str = "not_refundable"
    classes: Mapping[str, DeclineClass] = attrs.field(factory=dict)
    silent: bool = False


def refused_charge(
    request: ChargeRequest, capabilities: Capabilities, codes: Codes, memory: Memory, now: dt.datetime
) -> Decline | None:
    """Why the provider would not even try *request*, or None (R-171, R-205, R-215)."""
    amounts = capabilities.amounts.get(request.amount.currency)
    if amounts is None:
        return Decline(codes.currency, DeclineClass.CONFIG)
    if request.amount.minor < amounts.minimum:
        return Decline(codes.too_small, DeclineClass.CONFIG)
    if amounts.maximum is not None and request.amount.minor > amounts.maximum:
        return Decline(codes.too_large, DeclineClass.CONFIG)
    if _malformed(request.key, capabilities.idempotency):
        return Decline(codes.key_malformed, DeclineClass.CONFIG)
    if capabilities.duplicate_window is not None:
        before = memory.latest_like(fingerprint(request.credential), request.amount)
        # whatever became of the earlier one: the provider looks at attempts, not at their results
        if before and now - before.created_at < dt.timedelta(seconds=capabilities.duplicate_window):
            return Decline(codes.duplicate, DeclineClass.DUPLICATE)
    return None


def refused_refund(
    request: RefundRequest, capabilities: Capabilities, codes: Codes, memory: Memory, now: dt.datetime
) -> str | None:
    """The code with which the provider would refuse *request* at once, or None (R-239, R-241)."""
    if _malformed(request.key, capabilities.idempotency):
        return codes.key_malformed
    charge = memory.payments.get(request.charge_reference)
    if charge is None or charge.kind is not MovementKind.CAPTURE or charge.at(now).state is not Outcome.SUCCEEDED:
        return codes.not_refundable
    if request.amount.currency != charge.amount.currency:
        return codes.currency
    if not request.amount:
        return codes.too_small
    taken = sum(
        refund.amount.minor
        for refund in memory.refunds_of(charge.reference)
        if refund.at(now).state is not Outcome.DECLINED  # pending ones count
    )
    return codes.refund_exceeds if taken + request.amount.minor > charge.amount.minor else None


def _malformed(key: str, rules: Idempotency) -> bool:
    if rules.kind is IdempotencyKind.NONE:
        return False
    return not 0 < len(key) <= rules.max_length or not set(key) <= set(rules.alphabet)
