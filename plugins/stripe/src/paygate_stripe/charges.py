"""Charging a stored card while the customer is away, and finding a charge whose answer was lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paygate.errors import ConfigurationError, OutcomeUnknown, ProviderUnavailable
from paygate.provider import ChargeRequest, ChargeResult, Found, FoundPayment, Outcome

from .client import Asked, Client
from .declines import is_authentication
from .intents import charge_refusal, intent_result
from .resources import CHARGE_REF, CONTRACT_REF, Credential, metadata_for, metadata_in, object_in, others, text_in
from .returned import with_disputes

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCancelParams, PaymentIntentCreateParams, PaymentIntentListParams

__all__ = ["cancel_charge", "charge", "find_charge", "read_intent"]

#: Statuses of an intent that has certainly taken nothing.
_NOTHING_TAKEN = frozenset({"requires_payment_method", "canceled"})


async def charge(client: Client, request: ChargeRequest) -> ChargeResult:
    """Create and confirm a PaymentIntent in one call; see :func:`paygate.hookspecs.charge`.

    The body is made of the request alone, so that a repeat under the same key is the same to the byte (§7).

    :raises InvalidValue: the credential has another form than ``cus_…/pm_…``; nothing was sent.
    """
    card = Credential.parse(request.credential)
    params: PaymentIntentCreateParams = {
        "amount": request.amount.minor,
        "currency": request.amount.currency.lower(),
        "customer": card.customer,
        "payment_method": card.method,
        "off_session": True,
        "confirm": True,
        "metadata": metadata_for(request.metadata, {CHARGE_REF: request.charge_id}),
        "expand": ["latest_charge"],
    }
    if request.description:
        params["description"] = request.description
    reply = await client.ask(client.stripe.v1.payment_intents.create_async(params, {"idempotency_key": request.key}))
    answered = reply.created or object_in(reply.error, "payment_intent")
    if answered is not None and (why := _not_asked_for(client, answered, request)) is not None:
        return await _found_at_once(
            client, request, ChargeResult.unknown(f"the answer is about another payment: {why}")
        )
    seen = await client.as_it_is_now(reply, read_intent)
    result = charge_refusal(reply) if seen is None else intent_result(seen, request.amount)
    if is_authentication(result.code) and result.reference is not None and client.settings.return_url is not None:
        return await _ask_the_customer(client, request, card, result.reference, client.settings.return_url, result)
    return result


async def find_charge(
    client: Client, attempt: ChargeRequest, reference: str | None, *, of_contract: bool = False
) -> Found:
    """Look the attempt up; see :func:`paygate.hookspecs.find_charge`.

    Payments of a customer are listed consistently, so not finding it proves that there is none (§8). A repeat under the
    same key would tell as well, but it would charge where the first sending never arrived. A payment that carries another
    attempt's id is not looked at, whoever noted its id with this one.

    :param of_contract: give the customer's other payments for the same contract as well.
    :raises ProviderUnavailable: Stripe could not be asked, or does not know the customer: that proves nothing.
    :raises ConfigurationError: Stripe refuses the account's key.
    """
    why = None
    if reference is not None and (seen := await read_intent(client, reference)) is not None:
        why = _not_asked_for(client, seen, attempt)
        if why is None:
            return Found(await with_disputes(client, seen, intent_result(seen, attempt.amount)))
    own, payments = await _own_intents(client, attempt), None
    if of_contract:
        listed = await _intents(client, attempt, CONTRACT_REF, attempt.metadata.get(CONTRACT_REF, ""))
        payments = tuple(
            FoundPayment(metadata_in(seen, CHARGE_REF) or "", intent_result(seen, None)) for seen in listed
        )
    if not own and why is not None:
        return Found(ChargeResult.unknown(f"payment {reference} is another's ({why}): a person has to look"))
    alive = [seen for seen in own if text_in(seen, "status") not in _NOTHING_TAKEN]
    if len(alive) > 1:
        return Found(_two(alive, attempt), payments)
    best = (alive or own)[:1]
    result = await with_disputes(client, best[0], intent_result(best[0], attempt.amount)) if best else None
    return Found(result, payments)


async def cancel_charge(client: Client, attempt: ChargeRequest, reference: str | None) -> Found:
    """Cancel the PaymentIntent, so that it cannot be confirmed any more; see :func:`paygate.hookspecs.cancel_charge`.

    Stripe refuses to cancel what has ended or is being processed (§4): what counts is what the payment is afterwards.

    :raises ProviderUnavailable: Stripe could not be asked.
    :raises OutcomeUnknown: the answer was lost; asking again does no harm.
    """
    if reference is None:
        return await find_charge(client, attempt, None)
    params: PaymentIntentCancelParams = {"cancellation_reason": "abandoned"}
    await client.ask(client.stripe.v1.payment_intents.cancel_async(reference, params))
    return await find_charge(client, attempt, reference)


async def read_intent(client: Client, reference: str) -> Mapping[str, Any] | None:
    """The PaymentIntent as Stripe has it now; None where it knows none of that id.

    :raises ProviderUnavailable: the answer was not readable.
    """
    return await client.read(
        client.stripe.v1.payment_intents.retrieve_async(reference, {"expand": ["latest_charge"]}), reference
    )


def _not_asked_for(client: Client, seen: Mapping[str, Any], request: ChargeRequest) -> str | None:
    """Why the payment *seen* is not the one that *request* asked for; None where it is."""
    if not client.of_mode(seen) or seen.get("object", "payment_intent") != "payment_intent":
        return "it is something else, or of the other mode"
    return others(seen, CHARGE_REF, request.charge_id, customer=Credential.parse(request.credential).customer)


async def _found_at_once(client: Client, request: ChargeRequest, otherwise: ChargeResult) -> ChargeResult:
    """The attempt's own payment, if it is listed; else *otherwise*, and reconciliation goes on looking."""
    try:
        found = (await find_charge(client, request, None)).result
    except (ProviderUnavailable, OutcomeUnknown, ConfigurationError):
        return otherwise
    return found if isinstance(found, ChargeResult) else otherwise


async def _own_intents(client: Client, attempt: ChargeRequest) -> list[Mapping[str, Any]]:
    return await _intents(client, attempt, CHARGE_REF, attempt.charge_id)


async def _intents(client: Client, attempt: ChargeRequest, key: str, value: str) -> list[Mapping[str, Any]]:
    """The payments of the attempt's customer whose metadata have *value* under *key*.

    The list has no beginning: not finding a payment proves that there is none, and the clock of the host that wrote
    the attempt down may have been days ahead of Stripe's.
    """
    customer = Credential.parse(attempt.credential).customer

    def page(after: str | None) -> Asked:
        params: PaymentIntentListParams = {
            "customer": customer,
            "limit": 100,
            "expand": ["data.latest_charge"],
        }
        if after is not None:
            params["starting_after"] = after
        return client.stripe.v1.payment_intents.list_async(params)

    return await client.listed(
        page,
        key,
        value,
        kind="payment_intent",
        of=("customer", customer),
    )


def _two(own: Sequence[Mapping[str, Any]], attempt: ChargeRequest) -> ChargeResult:
    """All of them, oldest first: the first that took the money counts, every other is evidence."""
    ids = ", ".join(str(one["id"]) for one in own)
    return ChargeResult.unknown(
        f"more than one payment carries this attempt ({ids}): refund all but one by hand",
        others=tuple(intent_result(one, attempt.amount) for one in reversed(own)),
    )


async def _ask_the_customer(
    client: Client, request: ChargeRequest, card: Credential, reference: str, return_url: str, declined: ChargeResult
) -> ChargeResult:
    """Confirm the declined intent again, as if the customer were there: Stripe then says where they confirm it (§4)."""
    try:
        reply = await client.ask(
            client.stripe.v1.payment_intents.confirm_async(
                reference,
                {"payment_method": card.method, "return_url": return_url, "expand": ["latest_charge"]},
                {"idempotency_key": f"{request.key}-action"},
            )
        )
    except ProviderUnavailable:
        return declined
    except OutcomeUnknown as exc:
        # the bank may have been content without asking the customer
        return ChargeResult.unknown(str(exc), reference=reference)
    answered = reply.created or object_in(reply.error, "payment_intent")
    if answered is not None and text_in(answered, "id") != reference:
        return ChargeResult.unknown("the answer is about another payment", reference=reference)
    if (seen := await client.as_it_is_now(reply, read_intent)) is not None:
        return intent_result(seen, request.amount)
    refusal = charge_refusal(reply)
    if refusal.outcome is Outcome.NOT_SENT:
        return declined
    if reply.status == 402:
        return refusal
    # such as an intent that has moved on in the meantime: only looking at it tells
    return ChargeResult.unknown(refusal.message, reference=reference, code=refusal.code)
