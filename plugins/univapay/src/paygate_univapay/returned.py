"""Money that went back without paygate's asking: refunds made in the console, and chargebacks (provider fact sheet §9).

Neither changes the charge, which stays ``successful``: only the list of its refunds tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from paygate.dispute import Dispute, DisputeState
from paygate.money import Money
from paygate.provider import ChargeResult, EventKind, Outcome, ProviderEvent

from .client import Client
from .mapping import redacted, refund_amount, refund_result, status_of
from .resources import CHARGE_REF, CONTRACT_REF, REFUND_REF, listed, reference_in

__all__ = ["refund_event", "with_returns"]

#: Reasons of what a cardholder's bank took back, and of what it gave back again.
_CHARGEBACKS = frozenset({"chargeback", "chargeback_fee_exempt"})
_REVERSED = "chargeback_reverse"

#: A chargeback is listed like a refund: once it is ``successful``, the money is gone. An unknown status leaves it open.
_DECIDED = {"successful": DisputeState.LOST, "failed": DisputeState.WON}


async def refund_event(
    client: Client, event: str, refund: Mapping[str, Any], charge: Mapping[str, Any] | None
) -> ProviderEvent:
    """What became of a refund of paygate's, of one made in the console, or of a chargeback.

    :param charge: whose refund it is; None where UnivaPay does not know it any more.
    """
    attempt, charge_id = reference_in(refund, REFUND_REF), charge["id"] if charge is not None else None
    if attempt is None and refund.get("reason") in {*_CHARGEBACKS, _REVERSED}:
        among = await _listed(client, charge_id) if charge_id is not None else [refund]
        dispute = _dispute(refund, among)
        kind = EventKind.DISPUTE if dispute is not None else EventKind.OTHER
        return attrs.evolve(_event(event, kind, refund, charge), dispute=dispute)
    result = attrs.evolve(refund_result(refund, None), amount=refund_amount(refund))
    return attrs.evolve(_event(event, EventKind.REFUND, refund, charge), attempt_id=attempt, refund=result)


async def with_returns(client: Client, result: ChargeResult) -> ChargeResult:
    """*result* of a charge that was looked up, with all that has gone back of it.

    :raises ProviderUnavailable: the list of its refunds could not be read: whether the money is still there is not known.
    """
    if result.outcome is not Outcome.SUCCEEDED or result.reference is None:
        return result
    among = await _listed(client, result.reference)
    disputed = [one for one in among if one.get("reason") in {*_CHARGEBACKS, _REVERSED}]
    returned = [one for one in among if one not in disputed and status_of(one) == "successful"]
    sums = [amount for one in returned if (amount := refund_amount(one)) is not None]
    currency = result.amount.currency if result.amount is not None else ""
    total = sum(amount.minor for amount in sums if amount.currency == currency)
    disputes = {dispute.reference: dispute for one in disputed if (dispute := _dispute(one, among)) is not None}
    return attrs.evolve(result, refunded=Money(total, currency) if total else None, disputes=tuple(disputes.values()))


def _event(event: str, kind: EventKind, refund: Mapping[str, Any], charge: Mapping[str, Any] | None) -> ProviderEvent:
    return ProviderEvent(
        event_id=f"{event}:{refund['id']}:{status_of(refund)}",
        kind=kind,
        type=event,
        reference=refund["id"],
        charge_reference=charge["id"] if charge is not None else None,
        charge_id=reference_in(charge, CHARGE_REF),
        contract_id=reference_in(refund, CONTRACT_REF),
        raw=redacted(refund),
    )


def _dispute(refund: Mapping[str, Any], among: list[Mapping[str, Any]]) -> Dispute | None:
    """The chargeback that *refund* is, or gives back: ASSUMED, the one of the same sum (the interface does not say)."""
    amount = refund_amount(refund)
    if amount is None:
        return None
    reason = str(refund.get("reason"))
    if reason in _CHARGEBACKS:
        given_back = any(one.get("reason") == _REVERSED and refund_amount(one) == amount for one in among)
        state = DisputeState.WON if given_back else _DECIDED.get(status_of(refund), DisputeState.OPENED)
        return Dispute(refund["id"], state, amount, reason=reason)
    taken = (one["id"] for one in among if one.get("reason") in _CHARGEBACKS and refund_amount(one) == amount)
    return Dispute(next(taken, refund["id"]), DisputeState.WON, amount, reason=reason)


async def _listed(client: Client, charge_id: str) -> list[Mapping[str, Any]]:
    """All refunds of a charge, chargebacks among them."""
    return await listed(client, client.charge_path(charge_id, "refunds"), {})
