"""What charges, refunds and subscriptions do alike: wait for a result, list, and find those that carry our reference."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from paygate.errors import ConfigurationError, InvalidValue, OutcomeUnknown, ProviderUnavailable
from paygate.flow import sleep

from .client import Client
from .mapping import instant, status_of

__all__ = [
    "CHARGE_REF",
    "CONTRACT_REF",
    "REFUND_REF",
    "Unreliable",
    "brand_in",
    "card_in",
    "listed",
    "made_since",
    "metadata_for",
    "network_of",
    "others",
    "page_of",
    "reference_in",
    "token_id",
    "wait_for_result",
]

#: Metadata keys that carry paygate's own ids: UnivaPay has no field for them (§20.4).
CHARGE_REF = "paygate_charge"
#: Begins the keys that UnivaPay gives a meaning of its own (§4).
_RESERVED = "univapay-"
REFUND_REF = "paygate_refund"
CONTRACT_REF = "paygate_contract"

#: Statuses of charges and refunds that looking again cannot be expected to change soon: settled, or waiting for the
#: customer.
_NO_USE_WAITING = frozenset({"successful", "failed", "error", "canceled", "awaiting"})

#: Brands of a token that name no network (§6.1).
_NO_NETWORK = frozenset({"unknown", "private_label"})

_BRAND = re.compile(r"[a-z_]{2,30}")
_CARD_NUMBER = re.compile(r"\d(?:[ -]?\d){11,18}")

#: Longest hold of one look, and the pause between two, in seconds (§7.3).
_HOLD, _PAUSE = 3, 1

#: The clock of the host that wrote something down may be days ahead of UnivaPay's: lists are read this much further back.
_SKEW = dt.timedelta(days=8)


class Unreliable(ProviderUnavailable):
    """A list was answered with something that proves nothing, neither what is on it nor what is not."""


async def wait_for_result(
    client: Client,
    path: str,
    resource: Mapping[str, Any],
    *,
    until: Callable[[str], bool] = _NO_USE_WAITING.__contains__,
) -> Mapping[str, Any]:
    """Look at *path* until it is settled or the account's budget is used up; returns the latest state seen.

    A look that fails is no news: what was created stays created.

    :param until: whether looking again at something of that status is of no use.
    """
    looks = (client.settings.poll_budget + _PAUSE) // (_HOLD + _PAUSE)
    for turn in range(looks):
        if until(status_of(resource)):
            break
        if turn:
            await sleep(_PAUSE)
        try:
            seen = await client.read(path, poll=True)
        except (ProviderUnavailable, OutcomeUnknown, ConfigurationError):
            continue
        if seen is not None and seen.get("id") == resource.get("id"):
            resource = seen
    return resource


async def listed(
    client: Client,
    path: str,
    query: Mapping[str, str],
    key: str | None = None,
    reference: str = "",
    *,
    made_after: dt.datetime | None = None,
) -> list[Mapping[str, Any]]:
    """All resources of the list at *path* whose metadata has *reference* under *key*, newest first.

    Compared here and not by UnivaPay's filter, whose matching nobody documents (§7.4). What is found is believed; that
    nothing is found is a proof only where everything on the list tells whose it is (R-307).

    :param key: None: whatever their metadata have.
    :param made_after: nothing older is wanted, which spares the pages after; for lists without such a filter.
    :raises ProviderUnavailable: a page could not be read, or (Unreliable) is not a page of that list; or nothing was found,
        and metadata on it could not be read.
    """
    found: list[Mapping[str, Any]] = []
    doubtful = False
    seen: set[str] = set()
    cursor: dict[str, str] = {}
    while True:
        page = await client.read(path, {**query, "limit": "100", **cursor})
        items, more = page_of(client, page)
        if more is None:
            raise _no_list("it does not say whether there is more")
        fresh = {one["id"] for one in items} - seen
        found += [one for one in items if one["id"] in fresh and (key is None or reference_in(one, key) == reference)]
        doubtful = doubtful or not all(key is None or _tells_whose(one, key) for one in items)
        if not more or (fresh and made_after is not None and not made_since(items[-1], made_after)):
            break
        if not fresh:
            raise _no_list("it promises more and brings nothing new")
        seen |= fresh
        cursor = {"cursor": items[-1]["id"]}
    if doubtful and not found:
        raise _no_list("something on it does not tell whose it is")
    return found


def _tells_whose(resource: Mapping[str, Any], key: str) -> bool:
    """Whether the metadata of *resource* plainly hold our reference, another, or none under *key*."""
    metadata = resource.get("metadata")
    if not isinstance(metadata, Mapping):
        return False
    return key not in metadata or reference_in(resource, key) is not None


def page_of(client: Client, page: Mapping[str, Any] | None) -> tuple[list[Mapping[str, Any]], bool | None]:
    """What is on a page of a list, and whether there is more; None where it does not say.

    A page of which one thing cannot be understood proves nothing about the rest.

    :raises Unreliable: there is no such list, or the answer is none, or something on it is of another store.
    """
    items = page.get("items") if page is not None else None
    more = page.get("has_more") if page is not None else None
    if not isinstance(items, list) or not isinstance(more, bool | None):
        raise _no_list("it is no list" if page is not None else "there is no such list")
    for one in items:
        if not isinstance(one, Mapping) or not isinstance(one.get("id"), str) or not one["id"]:
            raise _no_list("something on it has no id")
        if not client.owns(one):
            raise _no_list("something on it belongs to another store or mode")
    return items, more


def _no_list(why: str) -> Unreliable:
    return Unreliable(f"univapay: a list cannot be relied on ({why}); look again later")


async def network_of(client: Client, token: object) -> str | None:
    """The card network of a transaction token, such as ``visa``, which nothing but the token tells (§6.1).

    None where it cannot be had: it helps to plan retries, and no result may wait for it.
    """
    if not isinstance(token, str) or not token:
        return None
    try:
        seen = await client.read(client.path("tokens", token))
    except (ProviderUnavailable, OutcomeUnknown, ConfigurationError):
        return None
    return brand_in(card_in(seen))


def card_in(token: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What a transaction token tells of its card."""
    data = token.get("data") if token is not None else None
    card = data.get("card") if isinstance(data, Mapping) else None
    return card if isinstance(card, Mapping) else {}


def brand_in(card: Mapping[str, Any]) -> str | None:
    """The network that *card* names, if it names one."""
    brand = card.get("brand")
    return brand if isinstance(brand, str) and _BRAND.fullmatch(brand) and brand not in _NO_NETWORK else None


def token_id(credential: str) -> str:
    """*credential*, which is the id of a transaction token.

    :raises InvalidValue: it looks like a card number, which no server of the shop's may see or send (§1); it is not
        quoted, and nothing was sent.
    """
    if _CARD_NUMBER.fullmatch(credential.strip()):
        raise InvalidValue(
            "univapay: the credential looks like a card number; give the id of a recurring transaction token, which "
            "UnivaPay's browser widget makes. Nothing was sent"
        )
    return credential


def metadata_for(given: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The metadata of a request: what the shop has *given* but for the keys that UnivaPay reserves, and paygate's *own* ids.

    No limit of their number or length is known (§4).
    """
    return {key: text for key, text in given.items() if not key.casefold().startswith(_RESERVED)} | dict(own)


def reference_in(resource: Mapping[str, Any] | None, key: str) -> str | None:
    """Our reference in the metadata of *resource*."""
    metadata = resource.get("metadata") if resource is not None else None
    value = metadata.get(key) if isinstance(metadata, Mapping) else None
    return value if isinstance(value, str) and value else None


def others(client: Client, resource: Mapping[str, Any], key: str, own: str) -> str | None:
    """Why *resource*, an answer to what was asked for under our id *own*, is somebody else's; None where it is not.

    What it does not say is not held against it.
    """
    named = reference_in(resource, key)
    if named is not None and named != own:
        return f"its {key} is {named[:40]!r}, asked for was {own}"
    return None if client.owns(resource) else "it belongs to another store or mode"


def made_since(resource: Mapping[str, Any], moment: dt.datetime) -> bool:
    """Whether *resource* was made since *moment*, with room for clocks that differ; True where it does not say."""
    made = instant(resource.get("created_on"))
    return made is None or made >= moment - _SKEW
