"""What UnivaPay's own subscriptions have charged, as events of their contracts (§11.3, §11.4; R-145 to R-164).

Whatever a delivery is about, the subscription is read as a whole: its latest payments, and the charges of each, which are
the attempts. So a delivery that was lost is made up for by the next, and those that come twice or in any order tell the
same. Each attempt has one event id, made of its charge and status.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from paygate.clock import business_date
from paygate.errors import ProviderUnavailable
from paygate.provider import ChargeResult, EventKind, Outcome, ProviderEvent

from .client import Client
from .mapping import charge_result, failure, instant, redacted, status_of
from .periods import day_of, period_of
from .resources import CONTRACT_REF, network_of, page_of, reference_in
from .subscriptions import DUPLICATE_REF, ENDED, read_subscription

__all__ = ["subscription_events"]

#: How many payments are looked at: the one that is planned or being tried, and those before it, in case that the
#: deliveries about them were lost.
_LATEST = 4

#: How many more are looked at for a charge that is none of theirs.
_OLDER = 2

#: Statuses that a subscription takes when UnivaPay has noted that a charge failed.
_FAILED = frozenset({"unpaid", "suspended", "unconfirmed", "canceled"})


@attrs.frozen
class _Attempt:
    """A charge of a subscription.

    :param payment: what it is for, if that is known; :param number: which attempt it was, the first is 1.
    :param next_at: when the attempt after it was made, UTC.
    """

    charge: Mapping[str, Any]
    payment: Mapping[str, Any] | None = None
    number: int | None = None
    next_at: dt.datetime | None = None

    @property
    def paid(self) -> bool:
        return self.payment is not None and self.payment.get("is_paid") is True


async def subscription_events(
    client: Client, event: str, reference: str, charge: Mapping[str, Any] | None = None
) -> list[ProviderEvent]:
    """What is known now of the subscription *reference*, oldest first; nothing where it is not one of paygate's.

    :param event: name of the event that was delivered.
    :param charge: the charge that it was about, if it was about one, as it is now.
    :raises ProviderUnavailable: something could not be read just now.
    :raises ConfigurationError: UnivaPay refuses the account's credentials.
    """
    seen = await read_subscription(client, reference)
    contract = reference_in(seen, CONTRACT_REF) if seen is not None and client.owns(seen) else None
    if seen is None or contract is None:
        return []
    events: list[ProviderEvent] = []
    for attempt in await _attempts(client, reference, charge):
        result = _result(seen, attempt)
        if result is not None:
            events.append(_renewal(event, contract, seen, attempt, await _with_network(client, attempt, result)))
    if status_of(seen) in ENDED and reference_in(seen, DUPLICATE_REF) is None:
        events.append(
            ProviderEvent(
                event_id=f"{reference}:ended",
                kind=EventKind.SUBSCRIPTION_ENDED,
                type=event,
                reference=reference,
                contract_id=contract,
                raw=redacted(seen),
            )
        )
    return events


async def _attempts(client: Client, reference: str, charge: Mapping[str, Any] | None) -> list[_Attempt]:
    """The charges of the latest payments and *charge*, which may belong to an older one, oldest first."""
    page = await client.read(client.path("subscriptions", reference, "payments"), {"limit": "100"})
    payments, _ = page_of(client, page)
    found: list[_Attempt] = []
    for position, payment in enumerate([*payments[:_LATEST], *_older(payments, charge)]):
        if position >= _LATEST and _has(found, charge):
            break
        path = client.path("subscriptions", reference, "payments", payment["id"], "charges")
        charges = page_of(client, await client.read(path, {"limit": "100"}))[0][::-1]
        if any(one.get("subscription_id", reference) != reference for one in charges):
            raise ProviderUnavailable("univapay: a subscription's list has charges of another; look again later")
        attempts: list[_Attempt] = []
        for number, one in enumerate(charges, start=1):
            following = instant(charges[number].get("created_on")) if number < len(charges) else None
            # lists come from a search index and may be late: what was read by itself is newer
            latest = charge if charge is not None and one["id"] == charge["id"] else one
            attempts.append(_Attempt(latest, payment, number, following))
        found = [*attempts, *found]
    return found if charge is None or _has(found, charge) else [*found, _Attempt(charge)]


def _older(payments: list[Mapping[str, Any]], charge: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The payments to which *charge* can belong, where none of the latest is its own: nothing is charged before its day."""
    made_at = instant(charge.get("created_on")) if charge is not None else None
    if made_at is None:
        return []
    due = [(day_of(payment.get("due_date")), payment) for payment in payments[_LATEST:]]
    return [payment for day, payment in due if day is not None and day <= business_date(made_at)][:_OLDER]


def _has(found: list[_Attempt], charge: Mapping[str, Any] | None) -> bool:
    return charge is None or any(one.charge["id"] == charge["id"] for one in found)


def _result(seen: Mapping[str, Any], attempt: _Attempt) -> ChargeResult | None:
    """What the attempt came to; None while that is open, or UnivaPay has not drawn its conclusions yet."""
    result = charge_result(attempt.charge, None)
    noted = attempt.next_at is not None or status_of(seen) in _FAILED
    decided = noted or attempt.paid or status_of(attempt.charge) == "successful"
    if result.outcome is Outcome.PENDING or not decided:
        return None  # whether it is tried again is still open; the event about the failure follows
    if result.outcome is Outcome.UNKNOWN and status_of(attempt.charge) in {"failed", "error"}:
        # the charge alone leaves it open; but UnivaPay goes on to collect the payment, which says that it is not made
        code, message = failure(attempt.charge)
        code = code or status_of(attempt.charge)
        declined = ChargeResult.declined(code, message, reference=result.reference, raw=result.raw)
        return declined if noted and not attempt.paid else None
    return result


async def _with_network(client: Client, attempt: _Attempt, result: ChargeResult) -> ChargeResult:
    if result.outcome is not Outcome.DECLINED:
        return result
    return attrs.evolve(result, network=await network_of(client, attempt.charge.get("transaction_token_id")))


def _renewal(
    event: str, contract: str, seen: Mapping[str, Any], attempt: _Attempt, result: ChargeResult
) -> ProviderEvent:
    retry_on = day_of(attempt.payment.get("retry_date")) if attempt.payment is not None else None
    next_on = business_date(attempt.next_at) if attempt.next_at is not None else retry_on
    pending = not attempt.paid and status_of(seen) == "unpaid"
    retries = result.outcome is Outcome.DECLINED and (attempt.next_at is not None or pending)
    return ProviderEvent(
        event_id=f"{attempt.charge['id']}:{status_of(attempt.charge)}",
        kind=EventKind.RENEWAL,
        type=event,
        reference=attempt.charge["id"],
        charge=result,
        contract_id=contract,
        period_on=period_of(seen, attempt.payment) if attempt.payment is not None else None,
        attempt=attempt.number,
        retries=retries,
        next_on=next_on if retries else None,
        raw=result.raw,
    )
