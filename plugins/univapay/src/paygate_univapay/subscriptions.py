"""UnivaPay's own subscriptions: started, ended and stopped by paygate, charged by UnivaPay (provider fact sheet §11).

A subscription carries paygate's contract in its metadata. By that it is found again: UnivaPay forgets an idempotency key
after 24 hours, and processes a request unchecked where its key store is down (§13).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from paygate.errors import ChargeDeclined, ConfigurationError, OutcomeUnknown, ProviderError, ProviderUnavailable
from paygate.provider import (
    ChangedPayment,
    StartedSubscription,
    SubscriptionPayment,
    SubscriptionRequest,
    SubscriptionStart,
)

from .client import Client, Reply, refused_account
from .codes import FIRST_ONE_EXISTS
from .mapping import failure, redacted, status_of, unclear_refusal
from .periods import ANCHOR_REF, period_of, rhythm
from .resources import CONTRACT_REF, listed, metadata_for, others, reference_in, token_id, wait_for_result

__all__ = [
    "DUPLICATE_REF",
    "ENDED",
    "change_recurring_payment",
    "end_recurring",
    "read_subscription",
    "resume_recurring",
    "start_recurring",
    "stop_recurring",
]

#: Statuses from which a subscription never charges again. ``suspended`` is none: somebody may resume it (R-156).
ENDED = frozenset({"canceled", "completed"})

#: Statuses of a subscription that does not run: ended, or its first charge failed and it never began (§11.2).
_DEAD = ENDED | {"unconfirmed"}

#: Metadata of a subscription that an unchecked repeat made beside the one that it names. Its end is not the contract's.
DUPLICATE_REF = "paygate_duplicate_of"


async def start_recurring(client: Client, request: SubscriptionStart, today: dt.date) -> StartedSubscription:
    """Start a subscription; see :func:`paygate.hookspecs.start_recurring`.

    One that exists already is looked for first. The list comes from a search index and may be late, so the request
    carries the key as well, and after an answer that does not say that the key was checked the list is asked once more.
    Where two were made all the same, the older one stays and the other is ended.

    :param today: the business date. A first charge that does not lie ahead is made at once (§11.3).
    :raises InvalidValue: the credential looks like a card number; nothing was sent.
    :raises ChargeDeclined: UnivaPay refuses it, its first charge failed, or the one that this contract had has ended.
    """
    body = _body(request, today)
    try:
        standing = await _standing(client, request)
    except ConfigurationError as exc:
        # only a look so far
        raise ProviderUnavailable(f"univapay: no subscription was started: {exc}") from exc
    if standing is None:
        reply = await client.create("/subscriptions", body, request.key)
        made = reply.created
        if made is None:
            raise _refusal(reply)
        if (why := _not_asked_for(client, made, request)) is not None:
            raise OutcomeUnknown(
                f"univapay: the answer is about another subscription ({why}); there may be one of ours"
            )
        standing = made if reply.checked else await _after_unchecked(client, request, made)
    path = client.path("subscriptions", str(standing["id"]))
    seen = await wait_for_result(client, path, standing, until=lambda status: status != "unverified")
    if status_of(seen) in _DEAD:
        raise await _never_ran(client, seen)
    return StartedSubscription(str(seen["id"]), raw=redacted(seen))


async def stop_recurring(client: Client, request: SubscriptionRequest) -> None:
    """End the subscription at once and for good; see :func:`paygate.hookspecs.stop_recurring`.

    :raises ProviderError: there is no subscription of the contract, or UnivaPay refused or did not answer.
    """
    seen = await _asked_for(client, request)
    if status_of(seen) not in ENDED:
        await _change(client, seen, "DELETE", None, lambda now: status_of(now) in ENDED)


async def end_recurring(client: Client, request: SubscriptionRequest) -> None:
    """Let UnivaPay cancel the subscription when its next payment falls due, instead of charging it; see
    :func:`paygate.hookspecs.end_recurring`.

    :raises ProviderUnavailable: UnivaPay is at a payment of an earlier period, which has to be made first.
    :raises ProviderError: as :func:`stop_recurring`.
    """
    seen = await _asked_for(client, request)
    if status_of(seen) in ENDED or _terminates(seen) == "canceled":
        return
    payment = seen.get("next_payment")
    period = period_of(seen, payment) if isinstance(payment, Mapping) and payment.get("is_paid") is not True else None
    if period is None or (request.ends_on is not None and period < request.ends_on):
        raise ProviderUnavailable(
            f"univapay: subscription {seen['id']} is at a payment before its end ({period or 'no date'}, the end is "
            f"{request.ends_on}); try again when that is made"
        )
    await _terminate(client, seen, "canceled")


async def resume_recurring(client: Client, request: SubscriptionRequest) -> None:
    """Take the end at the next payment back; see :func:`paygate.hookspecs.resume_recurring`.

    :raises ProviderError: the subscription has ended, which cannot be undone, or is suspended. Whether UnivaPay charges
        what was missed when that is lifted is not documented (§11.3), so only a person does it. Else as
        :func:`stop_recurring`.
    """
    seen = await _asked_for(client, request)
    if (status := status_of(seen)) in _DEAD | {"suspended"}:
        raise ProviderError(
            f"univapay: subscription {seen['id']} is {status} and renews nothing; if it is suspended, resume it in "
            "UnivaPay's dashboard, else make a new contract"
        )
    if _terminates(seen) is not None:
        await _terminate(client, seen, None)


async def change_recurring_payment(client: Client, request: SubscriptionPayment) -> ChangedPayment:
    """Charge the subscription to another token; see :func:`paygate.hookspecs.change_recurring_payment` (§11.3).

    UnivaPay documents no way to charge what is unpaid at once: its next retry takes the new card. A suspended one has none.

    :raises ProviderError: it has ended, or UnivaPay takes no such token; else as :func:`stop_recurring`.
    """
    token = token_id(request.new_credential)
    seen = await _asked_for(
        client, SubscriptionRequest(request.contract_id, request.credential, None, request.reference)
    )
    if status_of(seen) in ENDED:
        raise ProviderError(f"univapay: subscription {seen['id']} has ended; it takes no card any more")
    if seen.get("transaction_token_id") != token:
        body = {"transaction_token_id": token}
        await _change(client, seen, "PATCH", body, lambda now: now.get("transaction_token_id") == token, "token")
    return ChangedPayment()


async def read_subscription(client: Client, reference: str) -> Mapping[str, Any] | None:
    """The subscription as UnivaPay has it now; None where it knows none of that id.

    :raises ProviderUnavailable: the answer was not readable.
    """
    seen = await client.read(client.path("subscriptions", reference))
    if seen is not None and seen.get("id") != reference:
        raise ProviderUnavailable("univapay: a look-up was answered with another subscription; look again later")
    return seen


# --- starting --------------------------------------------------------------------------------------------------------


def _body(request: SubscriptionStart, today: dt.date) -> dict[str, Any]:
    anchor = request.anchor_day or request.starts_on.day
    return {
        "transaction_token_id": token_id(request.credential),
        "amount": request.price.minor,
        "currency": request.price.currency,
        **rhythm(request.months, request.starts_on, anchor, today),
        "metadata": metadata_for(request.metadata, {CONTRACT_REF: request.contract_id, ANCHOR_REF: str(anchor)}),
    }


async def _standing(
    client: Client, request: SubscriptionStart, made: Mapping[str, Any] | None = None
) -> Mapping[str, Any] | None:
    """The one subscription of the contract, *made* among those that are looked at; None where there is none.

    :raises OutcomeUnknown: there are several, and the others could not be ended.
    """
    own = await _of_contract(client, request.contract_id, request.requested_at)
    if made is not None and all(one["id"] != made["id"] for one in own):
        own.insert(0, made)  # the newest
    alive = [one for one in own if status_of(one) not in _DEAD]
    for extra in alive[:-1]:
        await _end_duplicate(client, extra, alive[-1])
    return (alive or own)[-1] if own else None


async def _after_unchecked(client: Client, request: SubscriptionStart, made: Mapping[str, Any]) -> Mapping[str, Any]:
    """Which subscription stands after one was *made* without a look at its key.

    An earlier one is in the list if *made* is. A list without either is late: then the next call will see them.

    :raises OutcomeUnknown: it cannot be told yet.
    """
    try:
        own = await _of_contract(client, request.contract_id, request.requested_at)
        if own:
            return await _standing(client, request, made) or made
    except (ProviderUnavailable, ConfigurationError) as exc:
        raise OutcomeUnknown(f"univapay: subscription {made['id']} was made unchecked: {exc}") from exc
    raise OutcomeUnknown(
        f"univapay: subscription {made['id']} was made by a request whose key UnivaPay did not check; whether it is the "
        "only one of its contract cannot be seen yet"
    )


async def _end_duplicate(client: Client, extra: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    """End the second subscription of a contract, marked so that its end is not taken for the contract's.

    What it may have charged stays the contract's, and is reported like every payment.
    """
    mark = {"metadata": {DUPLICATE_REF: str(kept["id"])}}
    try:
        await _change(client, extra, "PATCH", mark, lambda now: reference_in(now, DUPLICATE_REF) is not None)
        await _change(client, extra, "DELETE", None, lambda now: status_of(now) in ENDED)
    except (ProviderError, ConfigurationError) as exc:
        raise OutcomeUnknown(
            f"univapay: the contract has subscriptions {kept['id']} and {extra['id']}, and the second could not be "
            f"ended: {exc}"
        ) from exc


def _refusal(reply: Reply) -> ProviderError:
    """What a POST that brought no subscription says (§20.2)."""
    if reply.status == 429:
        return ProviderUnavailable("univapay: UnivaPay takes no more requests just now", code="429")
    unclear = unclear_refusal(reply)
    if unclear is None and reply.code in FIRST_ONE_EXISTS:
        unclear = f"{reply.code}: there may be one already"
    if unclear is not None:
        return OutcomeUnknown(f"univapay: whether the subscription was started is unknown: {unclear}", code=reply.code)
    if reply.refuses_account:
        said = refused_account(reply.status, reply.code)
        return ProviderUnavailable(f"univapay: no subscription was started: {said}", code=reply.code)
    code = reply.code or "NOT_FOUND"
    if reply.nowhere and not reply.blank:
        return ProviderUnavailable(f"univapay: no subscription was started: HTTP 404 {code}, check base_url", code=code)
    return ChargeDeclined(f"univapay: UnivaPay refuses the subscription ({code}) {reply.text}".rstrip(), code=code)


async def _never_ran(client: Client, seen: Mapping[str, Any]) -> ChargeDeclined:
    """Why the subscription *seen* does not run: with the code of its failed charge, where it has one."""
    status = status_of(seen)
    try:
        latest = await client.read(client.path("subscriptions", str(seen["id"]), "charges", "latest"))
    except (ProviderUnavailable, OutcomeUnknown, ConfigurationError):
        latest = None
    code = failure(latest)[0] if latest is not None and status == "unconfirmed" else ""
    return ChargeDeclined(
        f"univapay: subscription {seen['id']} does not run: it is {status} ({code or 'no code'})", code=code or status
    )


def _not_asked_for(client: Client, made: Mapping[str, Any], request: SubscriptionStart) -> str | None:
    """Why the subscription *made* is not the one that *request* asked for; None where it is."""
    if (why := others(client, made, CONTRACT_REF, request.contract_id)) is not None:
        return why
    price = (request.price.minor, request.price.currency)
    said = (made.get("amount", price[0]), made.get("currency", price[1]))
    return None if said == price else f"it charges {said[0]} {said[1]}, asked for was {request.price}"


# --- changing --------------------------------------------------------------------------------------------------------


async def _asked_for(client: Client, request: SubscriptionRequest) -> Mapping[str, Any]:
    if request.reference is not None:
        seen = await read_subscription(client, request.reference)
    else:
        own = await _of_contract(client, request.contract_id)
        alive = [one for one in own if status_of(one) not in ENDED]
        seen = (alive or own)[-1] if own else None
    if seen is None:
        raise ProviderError(
            f"univapay: UnivaPay knows no subscription of contract {request.contract_id}; look for it in the dashboard: "
            f"it needs the metadata {CONTRACT_REF}"
        )
    if (why := others(client, seen, CONTRACT_REF, request.contract_id)) is not None:
        raise ProviderError(f"univapay: subscription {seen['id']} is not of contract {request.contract_id}: {why}")
    return seen


async def _of_contract(
    client: Client, contract_id: str, made_after: dt.datetime | None = None
) -> list[Mapping[str, Any]]:
    """The subscriptions of a contract as they are now, newest first. Lists are late, so each is read."""
    own = await listed(client, client.path("subscriptions"), {}, CONTRACT_REF, contract_id, made_after=made_after)
    read = [await read_subscription(client, one["id"]) for one in own]
    return [seen for seen in read if seen is not None and client.owns(seen)]


async def _terminate(client: Client, seen: Mapping[str, Any], status: str | None) -> None:
    await _change(
        client,
        seen,
        "PATCH",
        {"next_payment": {"terminate_with_status": status}},
        lambda now: _terminates(now) == status,
    )


def _terminates(seen: Mapping[str, Any]) -> object:
    """The status in which the subscription ends when its next payment falls due; None where it goes on."""
    payment = seen.get("next_payment")
    return payment.get("terminate_with_status") if isinstance(payment, Mapping) else None


async def _change(
    client: Client,
    seen: Mapping[str, Any],
    method: str,
    body: Mapping[str, Any] | None,
    reached: Callable[[Mapping[str, Any]], bool],
    *part: str,
) -> None:
    """Change the subscription *seen*, and believe only what it shows afterwards.

    :raises ProviderError: it was not changed, or whether it was is unknown; asking again is safe.
    """
    reference = str(seen["id"])
    reply = await client.change(method, client.path("subscriptions", reference, *part), body)
    try:
        now = await read_subscription(client, reference)
    except (ProviderUnavailable, ConfigurationError) as exc:
        raise OutcomeUnknown(f"univapay: whether subscription {reference} was changed is unknown: {exc}") from exc
    if now is None or not reached(now):
        said = f"HTTP {reply.status} {reply.code}".rstrip()
        raise ProviderError(
            f"univapay: subscription {reference} was not changed ({said}); try again, and if a charge of it is not under "
            "way, look at it in the dashboard",
            code=reply.code or None,
        )
