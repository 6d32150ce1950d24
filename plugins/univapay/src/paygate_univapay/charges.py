"""Charging a stored card, and finding a charge whose answer was lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from paygate.errors import ConfigurationError, OutcomeUnknown, ProviderUnavailable
from paygate.money import Money
from paygate.provider import ChargeRequest, ChargeResult, DeclineClass, Found, FoundPayment, Outcome

from .client import Client
from .mapping import charge_refusal, charge_result, status_of
from .resources import (
    CHARGE_REF,
    CONTRACT_REF,
    Unreliable,
    listed,
    metadata_for,
    network_of,
    others,
    reference_in,
    token_id,
    wait_for_result,
)
from .returned import with_returns

__all__ = ["cancel_charge", "charge", "find_charge", "read_charge", "shown"]

#: Statuses of a charge that has certainly taken nothing.
_NOTHING_TAKEN = frozenset({"failed", "canceled"})


async def charge(client: Client, request: ChargeRequest) -> ChargeResult:
    """Create the charge and wait a little for its result; see :func:`paygate.hookspecs.charge`.

    :raises InvalidValue: the credential looks like a card number; nothing was sent.
    """
    reply = await client.create(
        "/charges",
        {
            "transaction_token_id": token_id(request.credential),
            "amount": request.amount.minor,
            "currency": request.amount.currency,
            "capture": True,
            "only_direct_currency": True,  # refuse rather than take a converted amount
            "metadata": metadata_for(request.metadata, {CHARGE_REF: request.charge_id}),
        },
        request.key,
    )
    created = reply.created
    if created is None:
        refusal = charge_refusal(reply)
        if refusal.outcome is Outcome.DECLINED and (elsewhere := await client.why_nowhere(reply)) is not None:
            return ChargeResult.not_sent(elsewhere, code=reply.code or "NOT_FOUND", decline=DeclineClass.CONFIG)
        # where the charge may exist all the same, the list may have it already
        return await _found_at_once(client, request, refusal) if refusal.outcome is Outcome.UNKNOWN else refusal
    if (why := _not_asked_for(client, created, request)) is not None:
        # whatever became of that one, it says nothing about ours
        return await _found_at_once(client, request, ChargeResult.unknown(f"the answer is about another charge: {why}"))
    if reply.doubtful and (doubt := await _twin(client, request, str(created["id"]))) is not None:
        return doubt
    seen = await wait_for_result(client, client.charge_path(str(created["id"])), created)
    return await shown(client, seen, request.amount, repeated=reply.repeated)


async def find_charge(
    client: Client, attempt: ChargeRequest, reference: str | None, *, of_contract: bool = False
) -> Found:
    """Look the attempt up, with what has gone back of it; see :func:`paygate.hookspecs.find_charge`.

    :param of_contract: give the card's other charges for the same contract as well, as far as the list has them.
    """
    found = await _find(client, attempt, reference)
    if of_contract:
        found = attrs.evolve(found, payments=await _of_contract(client, attempt))
    if not isinstance(found.result, ChargeResult):
        return found
    return attrs.evolve(found, result=await with_returns(client, found.result))


async def _find(client: Client, attempt: ChargeRequest, reference: str | None) -> Found:
    """The attempt's charge. Not finding it proves nothing (§20.4).

    A charge that carries another attempt's id is not looked at, whoever noted its id with this one: the list is asked.
    """
    if reference is not None:
        seen = await read_charge(client, reference)
        if seen is None:
            return Found()
        why = _not_asked_for(client, seen, attempt)
        if why is None:
            return Found(await shown(client, seen, attempt.amount))
    try:
        own = await _own_charges(client, attempt)
    except Unreliable:
        own = []  # which proves as little as a list without it
    if not own and reference is not None:
        return Found(ChargeResult.unknown(f"charge {reference} is another's ({why}): a person has to look"))
    return Found(await _judged(client, attempt, own)) if own else Found()


async def cancel_charge(client: Client, attempt: ChargeRequest, reference: str | None) -> Found:
    """Cancel a charge that waits for the customer; see :func:`paygate.hookspecs.cancel_charge`.

    A cancel may be refused (§10: the charge has ended meanwhile) or take its time: what counts is what the charge is.

    :raises ProviderUnavailable: UnivaPay could not be asked.
    :raises OutcomeUnknown: the answer was lost; asking again does no harm.
    """
    if reference is None:
        return await find_charge(client, attempt, None)
    await client.create(
        client.charge_path(reference, "cancels"),
        {"metadata": {CHARGE_REF: attempt.charge_id}},
        f"{attempt.key}-cancel",
    )
    return await find_charge(client, attempt, reference)


async def read_charge(client: Client, reference: str) -> Mapping[str, Any] | None:
    """The charge as UnivaPay has it now; None where it knows none of that id.

    :raises ProviderUnavailable: the answer was not readable.
    """
    seen = await client.read(client.charge_path(reference))
    if seen is not None and seen.get("id") != reference:
        raise ProviderUnavailable("univapay: a look-up was answered with another charge; look again later")
    return seen


async def shown(
    client: Client, seen: Mapping[str, Any], asked: Money | None, *, repeated: bool = False
) -> ChargeResult:
    """The result that a charge shows: with the address where the customer has to act, if it waits for that, and with the
    card's network, if it was declined.
    """
    result = charge_result(seen, asked)
    if repeated and result.outcome is Outcome.DECLINED and result.code == "311":
        # the 30-second rule struck a repeat: what it repeats was probably processed (§20.2)
        return ChargeResult.unknown("code 311 on a repeat: the first sending was probably processed", code="311")
    if status_of(seen) == "awaiting":
        return await _with_action(client, result)
    if result.outcome is Outcome.DECLINED:
        return attrs.evolve(result, network=await network_of(client, seen.get("transaction_token_id")))
    return result


async def _found_at_once(client: Client, request: ChargeRequest, otherwise: ChargeResult) -> ChargeResult:
    """The attempt's charge, if the list has it already; else *otherwise*, and reconciliation goes on looking."""
    try:
        found = (await _find(client, request, None)).result
    except (ProviderUnavailable, OutcomeUnknown, ConfigurationError):
        return otherwise
    return found if isinstance(found, ChargeResult) else otherwise


async def _twin(client: Client, request: ChargeRequest, reference: str) -> ChargeResult | None:
    """Why the charge *reference*, made by an unchecked repeat, may be the second of this attempt; None if it is not.

    The first was sent earlier, so a list that has this one and no other is as good as proof. A list that does not
    even have this one is late: the result stays unknown and without a reference, so that reconciliation goes through
    the list and sees both.
    """
    try:
        own = await _own_charges(client, request)
    except (ProviderUnavailable, OutcomeUnknown, ConfigurationError):
        own = []
    known = [one["id"] for one in own]
    if known == [reference]:
        return None
    if reference in known:
        return _two(own, request.amount)
    return ChargeResult.unknown(
        f"charge {reference} was made by a repeat that UnivaPay did not check; the first sending may have charged too"
    )


def _not_asked_for(client: Client, seen: Mapping[str, Any], request: ChargeRequest) -> str | None:
    """Why the charge *seen* is not the one that *request* asked for; None where it is."""
    if (why := others(client, seen, CHARGE_REF, request.charge_id)) is not None:
        return why
    if seen.get("transaction_token_id", request.credential) != request.credential:
        return "it is of another card"
    return None


async def _own_charges(client: Client, request: ChargeRequest) -> list[Mapping[str, Any]]:
    """Of the whole list of the card: the clock of the host that wrote the attempt down may have been days ahead."""
    query = {"transaction_token_id": request.credential}
    return await listed(client, client.charge_path(), query, CHARGE_REF, request.charge_id)


async def _of_contract(client: Client, request: ChargeRequest) -> tuple[FoundPayment, ...]:
    query, contract = {"transaction_token_id": request.credential}, request.metadata.get(CONTRACT_REF, "")
    try:
        made = await listed(client, client.charge_path(), query, CONTRACT_REF, contract)
    except Unreliable:
        return ()  # which proves as little as a list without them
    return tuple(FoundPayment(reference_in(seen, CHARGE_REF) or "", charge_result(seen, None)) for seen in made)


async def _judged(client: Client, attempt: ChargeRequest, own: Sequence[Mapping[str, Any]]) -> ChargeResult | None:
    """The result of the charges *own* of one attempt, of which there should be one. Lists are late, so each is read."""
    current = [seen for one in own if (seen := await read_charge(client, one["id"])) is not None]
    alive = [seen for seen in current if status_of(seen) not in _NOTHING_TAKEN]
    if len(alive) > 1:
        return _two(alive, attempt.amount)
    best = (alive or current)[:1]
    return await shown(client, best[0], attempt.amount) if best else None


def _two(own: Sequence[Mapping[str, Any]], asked: Money) -> ChargeResult:
    """All of them, oldest first: the first that took the money counts, every other is evidence."""
    ids = ", ".join(one["id"] for one in own)
    return ChargeResult.unknown(
        f"more than one charge carries this attempt ({ids}): refund all but one by hand",
        others=tuple(charge_result(one, asked) for one in reversed(own)),
    )


#: How a browser goes where ``call_method`` says; any other, ``sdk`` above all, is nothing that a browser can do.
_METHODS = {"http_get": "GET", "http_get_mobile": "GET", "http_post": "POST"}


async def _with_action(client: Client, result: ChargeResult) -> ChargeResult:
    """Add where the customer's browser has to go, how, and with which form: ``payload`` is posted as it is (§8)."""
    try:
        issuer = await client.read(client.charge_path(str(result.reference), "three_ds", "issuer_token"))
    except (ProviderUnavailable, OutcomeUnknown, ConfigurationError):
        return result
    if issuer is None or not isinstance(issuer.get("issuer_token"), str):
        return result
    called = issuer.get("call_method") or "http_get"
    payload = issuer.get("payload")
    fields = {str(name): _text(value) for name, value in payload.items()} if isinstance(payload, Mapping) else {}
    return attrs.evolve(
        result,
        action_url=issuer["issuer_token"],
        action_method=_METHODS.get(called, str(called).upper()),
        action_fields=fields if called == "http_post" else {},
        raw={**(result.raw or {}), "action": {"call_method": called, "content_type": issuer.get("content_type")}},
    )


def _text(value: object) -> str:
    """A value of the form as a browser would send it."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
