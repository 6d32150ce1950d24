"""What charges and refunds do alike: wait for a result, list, and find those that carry our reference."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from paygate.errors import ConfigurationError, OutcomeUnknown, ProviderUnavailable
from paygate.flow import sleep

from .client import Client
from .mapping import status_of

__all__ = ["CHARGE_REF", "REFUND_REF", "listed", "reference_in", "since", "wait_for_result"]

#: Metadata keys that carry paygate's own ids: UnivaPay has no field for them (§20.4).
CHARGE_REF = "paygate_charge"
REFUND_REF = "paygate_refund"

#: Statuses that looking again cannot be expected to change soon: settled, or waiting for the customer.
_NO_USE_WAITING = frozenset({"successful", "failed", "error", "canceled", "awaiting"})

#: Longest hold of one look, and the pause between two, in seconds (§7.3).
_HOLD, _PAUSE = 3, 1

#: UnivaPay's clock may differ from ours: lists begin this much before the attempt.
_SKEW = dt.timedelta(minutes=5)


async def wait_for_result(client: Client, path: str, resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """Look at *path* until it is settled or the account's budget is used up; returns the latest state seen.

    A look that fails is no news: what was created stays created.
    """
    looks = (client.settings.poll_budget + _PAUSE) // (_HOLD + _PAUSE)
    for turn in range(looks):
        if status_of(resource) in _NO_USE_WAITING:
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
    client: Client, path: str, query: Mapping[str, str], key: str, reference: str
) -> list[Mapping[str, Any]]:
    """All resources of the list at *path* whose metadata has *reference* under *key*, newest first.

    Compared here and not by UnivaPay's filter, whose matching nobody documents (§7.4).

    :raises ProviderUnavailable: a page could not be read.
    """
    found: list[Mapping[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await client.read(path, {**query, "limit": "100", **cursor})
        items = [one for one in _items(page) if isinstance(one, Mapping) and isinstance(one.get("id"), str)]
        found += [one for one in items if reference_in(one, key) == reference]
        last = items[-1]["id"] if items else None
        if page is None or page.get("has_more") is not True or last in {None, cursor.get("cursor")}:
            return found
        cursor = {"cursor": last}


def reference_in(resource: Mapping[str, Any], key: str) -> str | None:
    """Our reference in the metadata of *resource*."""
    metadata = resource.get("metadata")
    value = metadata.get(key) if isinstance(metadata, Mapping) else None
    return value if isinstance(value, str) and value else None


def since(moment: dt.datetime | None) -> dict[str, str]:
    """The list filter for everything made since *moment*, with room for clocks that differ."""
    if moment is None:
        return {}
    return {"from": (moment - _SKEW).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _items(page: Mapping[str, Any] | None) -> list[Any]:
    items = page.get("items") if page is not None else None
    return items if isinstance(items, list) else []
