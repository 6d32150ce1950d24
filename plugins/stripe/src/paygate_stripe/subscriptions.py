"""Stripe's own subscriptions: started, ended and stopped by paygate, charged by Stripe (provider fact sheet §10).

A subscription carries paygate's contract in its metadata. By that it is found again, and its invoices lead back.
"""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paygate.clock import JST
from paygate.errors import ChargeDeclined, ConfigurationError, InvalidValue, OutcomeUnknown, ProviderError
from paygate.provider import (
    ChangedPayment,
    StartedSubscription,
    SubscriptionPayment,
    SubscriptionRequest,
    SubscriptionStart,
)

from .client import Asked, Client
from .resources import CONTRACT_REF, Credential, clean, id_in, metadata_for, others, shown, text_in

if TYPE_CHECKING:
    from stripe.params import InvoicePayParams, SubscriptionCreateParams, SubscriptionListParams

__all__ = [
    "ENDED",
    "change_recurring_payment",
    "end_recurring",
    "first_charge_at",
    "read_subscription",
    "resume_recurring",
    "start_recurring",
    "stop_recurring",
]


#: Statuses from which a subscription never charges again. ``unpaid`` is none: it waits for somebody to act (R-156).
ENDED = frozenset({"canceled", "incomplete_expired"})

#: Statuses in which an invoice of the subscription waits to be paid.
_UNPAID = frozenset({"past_due", "unpaid", "incomplete"})

#: Stripe counts days in UTC. At this hour in Japan it is the same day there, so that periods begin on the contract's dates.
_NOON = dt.time(12)

#: A first charge that is nearer than this is made at once: Stripe takes only instants that lie ahead.
_AT_ONCE = dt.timedelta(minutes=5)


async def start_recurring(client: Client, request: SubscriptionStart) -> StartedSubscription:
    """Start a subscription; see :func:`paygate.hookspecs.start_recurring`.

    Until its first charge it is a trial. A first payment that fails leaves it ``incomplete``, which events report.

    :raises ChargeDeclined: the subscription that this contract had has ended, or the card is refused.
    :raises InvalidValue: the credential has another form than ``cus_…/pm_…``; nothing was sent.
    """
    card = Credential.parse(request.credential)
    known = await _of_contract(client, card.customer, request.contract_id)
    if known is not None:
        status = text_in(known, "status") or "unknown"
        if status in ENDED:
            raise ChargeDeclined(
                f"stripe: subscription {known['id']} of this contract has ended ({status})", code=status
            )
        return StartedSubscription(str(known["id"]), raw=shown(known))
    product = await _product(client, request.description or "paygate")
    params: SubscriptionCreateParams = {
        "customer": card.customer,
        "default_payment_method": card.method,
        "items": [
            {
                "price_data": {
                    "currency": request.price.currency.lower(),
                    "product": product,
                    "unit_amount": request.price.minor,
                    "recurring": {"interval": "month", "interval_count": request.months},
                }
            }
        ],
        "collection_method": "charge_automatically",
        "payment_behavior": "allow_incomplete",
        "off_session": True,
        "metadata": metadata_for(request.metadata, {CONTRACT_REF: request.contract_id}),
    }
    if request.description:
        params["description"] = request.description
    if (begin := first_charge_at(request.starts_on, client.now())) is not None:
        params["trial_end"] = int(begin.timestamp())
    if (day := _kept_day(request.starts_on, request.anchor_day)) is not None:
        # 03:00 in UTC is noon in Japan
        params["billing_cycle_anchor_config"] = {"day_of_month": day, "hour": 3, "minute": 0, "second": 0}
    made = await client.change(client.stripe.v1.subscriptions.create_async(params, {"idempotency_key": request.key}))
    if (why := others(made, CONTRACT_REF, request.contract_id, customer=card.customer)) is not None:
        raise OutcomeUnknown(f"stripe: the answer is about another subscription ({why}); there may be one of ours")
    return StartedSubscription(str(made["id"]), raw=shown(made))


async def stop_recurring(client: Client, request: SubscriptionRequest) -> None:
    """End the subscription at once; see :func:`paygate.hookspecs.stop_recurring`. Its open invoices are retried no more.

    :raises ProviderError: there is no subscription of the contract, or Stripe refused or did not answer.
    """
    seen = await _asked_for(client, request)
    if text_in(seen, "status") in ENDED:
        return
    ended = await client.change(client.stripe.v1.subscriptions.cancel_async(str(seen["id"])))
    if ended.get("id") != seen["id"]:
        raise OutcomeUnknown(f"stripe: ending subscription {seen['id']} was answered with another; look at it")


async def end_recurring(client: Client, request: SubscriptionRequest) -> None:
    """Let the running period be the last; see :func:`paygate.hookspecs.end_recurring`.

    :raises ProviderError: as :func:`stop_recurring`.
    """
    seen = await _asked_for(client, request)
    if text_in(seen, "status") not in ENDED and seen.get("cancel_at_period_end") is not True:
        await _cancel_at_period_end(client, str(seen["id"]), wanted=True)


async def resume_recurring(client: Client, request: SubscriptionRequest) -> None:
    """Let the subscription go on after its running period; see :func:`paygate.hookspecs.resume_recurring`.

    :raises ProviderError: it has ended, which cannot be undone; else as :func:`stop_recurring`.
    """
    seen = await _asked_for(client, request)
    if text_in(seen, "status") in ENDED:
        raise ProviderError(f"stripe: subscription {seen['id']} has ended and cannot be resumed; start a new contract")
    if seen.get("cancel_at_period_end") is not False:
        await _cancel_at_period_end(client, str(seen["id"]), wanted=False)


async def change_recurring_payment(client: Client, request: SubscriptionPayment) -> ChangedPayment:
    """Charge the subscription to another stored card; see :func:`paygate.hookspecs.change_recurring_payment`.

    Retries use the method that failed, so the subscription's own is changed (§10). To collect at once its open invoice is paid.

    :raises InvalidValue: the new card is another Stripe customer's, whose cards this subscription cannot be charged to.
    :raises ProviderError: it has ended; else as :func:`stop_recurring`.
    """
    card = Credential.parse(request.new_credential)
    seen = await _asked_for(
        client, SubscriptionRequest(request.contract_id, request.credential, None, request.reference)
    )
    if text_in(seen, "status") in ENDED:
        raise ProviderError(f"stripe: subscription {seen['id']} has ended; it takes no card any more")
    owner = id_in(seen, "customer") or Credential.parse(request.credential).customer
    if card.customer != owner:
        raise InvalidValue(
            f"stripe: subscription {seen['id']} is another Stripe customer's than the card; store the card with the customer of "
            "the subscription (checkouts.begin with replace does so). Nothing was changed"
        )
    if id_in(seen, "default_payment_method") != card.method:
        seen = await _pay_from(client, str(seen["id"]), card.method)
    return ChangedPayment(request.collect and await _collect(client, seen, card.method))


async def _pay_from(client: Client, reference: str, method: str) -> Mapping[str, Any]:
    seen = await client.change(
        client.stripe.v1.subscriptions.update_async(reference, {"default_payment_method": method})
    )
    if seen.get("id") != reference or id_in(seen, "default_payment_method") != method:
        raise OutcomeUnknown(f"stripe: whether subscription {reference} has the new card cannot be read; try again")
    return seen


async def _collect(client: Client, seen: Mapping[str, Any], method: str) -> bool:
    """Have the open invoice of the subscription *seen* paid; whether that was asked for. Its result comes by an event."""
    invoice = id_in(seen, "latest_invoice")
    if invoice is None or text_in(seen, "status") not in _UNPAID:
        return False
    params: InvoicePayParams = {"payment_method": method, "off_session": True}
    try:
        await client.change(
            client.stripe.v1.invoices.pay_async(invoice, params, {"idempotency_key": f"{invoice}-{method}"})
        )
    except (ChargeDeclined, OutcomeUnknown):
        return True
    except (ProviderError, ConfigurationError):
        return False  # it waits for its next retry, which takes the new card
    return True


async def read_subscription(client: Client, reference: str) -> Mapping[str, Any] | None:
    """The subscription as Stripe has it now; None where it knows none of that id.

    :raises ProviderUnavailable: the answer was not readable.
    """
    return await client.read(client.stripe.v1.subscriptions.retrieve_async(reference), reference)


def first_charge_at(starts_on: dt.date, now: dt.datetime) -> dt.datetime | None:
    """When Stripe is to charge for the first time: at noon of *starts_on* in Japan; None: at once, it has passed."""
    noon = dt.datetime.combine(starts_on, _NOON, JST)
    return noon if now + _AT_ONCE < noon else None


def _kept_day(starts_on: dt.date, anchor_day: int | None) -> int | None:
    """The day of the month to name to Stripe, where the first charge is not on it because its month is too short (R-032).

    Otherwise Stripe keeps the day of the first charge by itself.
    """
    last = calendar.monthrange(starts_on.year, starts_on.month)[1]
    return anchor_day if anchor_day is not None and anchor_day > starts_on.day == last else None


async def _asked_for(client: Client, request: SubscriptionRequest) -> Mapping[str, Any]:
    if request.reference is not None:
        seen = await read_subscription(client, request.reference)
    else:
        seen = await _of_contract(client, Credential.parse(request.credential).customer, request.contract_id)
    if seen is None:
        raise ProviderError(
            f"stripe: Stripe knows no subscription of contract {request.contract_id}; look for it in the dashboard: it "
            f"needs the metadata {CONTRACT_REF}"
        )
    if (why := others(seen, CONTRACT_REF, request.contract_id)) is not None:
        raise ProviderError(f"stripe: subscription {seen['id']} is not of contract {request.contract_id}: {why}")
    return seen


async def _of_contract(client: Client, customer: str, contract_id: str) -> Mapping[str, Any] | None:
    """The subscription of a contract, whatever its state; one that lives is preferred."""

    def page(after: str | None) -> Asked:
        params: SubscriptionListParams = {"customer": customer, "status": "all", "limit": 100}
        if after is not None:
            params["starting_after"] = after
        return client.stripe.v1.subscriptions.list_async(params)

    own = await client.listed(
        page,
        CONTRACT_REF,
        contract_id,
        kind="subscription",
        of=("customer", customer),
    )
    alive = [seen for seen in own if text_in(seen, "status") not in ENDED]
    return next(iter(alive or own), None)


async def _product(client: Client, name: str) -> str:
    """The product that prices of that name belong to; made with the first of them.

    Its id is made of the name, so that contracts of one plan share it.
    """
    product = f"paygate_{hashlib.sha256(name.encode()).hexdigest()[:24]}"
    if await client.read(client.stripe.v1.products.retrieve_async(product), product) is None:
        await client.change(
            client.stripe.v1.products.create_async(
                {"id": product, "name": name[:250]}, {"idempotency_key": f"{product}-create"}
            )
        )
    return product


async def _cancel_at_period_end(client: Client, reference: str, *, wanted: bool) -> None:
    # under a key of its own each time: the answer stored for an earlier change is not wanted
    seen = await client.change(client.stripe.v1.subscriptions.update_async(reference, {"cancel_at_period_end": wanted}))
    if seen.get("id") != reference or seen.get("cancel_at_period_end") is not wanted:
        said = clean(text_in(seen, "status") or "unknown")
        raise ProviderError(f"stripe: subscription {reference} ({said}) was not changed; look at it in the dashboard")
