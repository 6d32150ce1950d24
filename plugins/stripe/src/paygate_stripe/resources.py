"""Reading Stripe's resources: plain JSON objects in which any field may be missing or of another kind than documented."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from paygate.errors import InvalidAmount, InvalidValue
from paygate.money import Money

__all__ = [
    "CHARGE_REF",
    "CHECKOUT_REF",
    "CONTRACT_REF",
    "REFUND_REF",
    "Credential",
    "clean",
    "id_in",
    "instant",
    "metadata_for",
    "metadata_in",
    "money",
    "object_in",
    "objects_in",
    "others",
    "shown",
    "text_in",
    "whole_in",
]

#: Metadata keys that carry paygate's own ids.
CHARGE_REF = "paygate_charge"
#: How many keys Stripe keeps (§7).
_MOST_KEYS = 50
REFUND_REF = "paygate_refund"
CONTRACT_REF = "paygate_contract"
CHECKOUT_REF = "paygate_checkout"

_CREDENTIAL = re.compile(r"(cus_\w{1,64})/((?:pm|card|src)_\w{1,64})", re.ASCII)
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){11,18}")
_CONFIDENTIAL = re.compile(r"\b(?:cus|pm|card|src|tok|[srp]k|whsec)_[\w*]+", re.ASCII)

#: Fields of a resource that may be kept; the rest may hold names, addresses, cards, credentials or client secrets.
_HARMLESS = (
    "id", "object", "amount", "amount_received", "amount_due", "amount_paid", "amount_refunded", "currency", "status",
    "created", "livemode", "cancellation_reason", "cancel_at_period_end", "ended_at", "mode", "expires_at", "reason",
    "failure_reason", "pending_reason", "billing_reason", "attempt_count", "next_payment_attempt", "collection_method",
)  # fmt: skip

#: What of an error may be kept.
_HARMLESS_IN_ERROR = (
    "type", "code", "decline_code", "advice_code", "network_decline_code", "network_advice_code", "param",
)  # fmt: skip


@attrs.frozen
class Credential:
    """A stored card: Stripe's customer and the payment method that is attached to it."""

    customer: str
    method: str = attrs.field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Credential:
        """Read ``cus_…/pm_…``.

        :raises InvalidValue: it has another form; nothing of it is quoted.
        """
        match = _CREDENTIAL.fullmatch(text)
        if match is None:
            raise InvalidValue(
                "stripe: a stored card is the customer and the payment method as 'cus_…/pm_…'; a method without its "
                "customer can be charged once only"
            )
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"{self.customer}/{self.method}"


def text_in(resource: Mapping[str, Any] | None, name: str) -> str | None:
    """A field that is a non-empty text; None for anything else."""
    value = None if resource is None else resource.get(name)
    return value if isinstance(value, str) and value else None


def whole_in(resource: Mapping[str, Any] | None, name: str) -> int | None:
    """A field that is a whole number; None for anything else, ``true`` included."""
    value = None if resource is None else resource.get(name)
    return value if type(value) is int else None


def object_in(resource: Mapping[str, Any] | None, *path: str) -> Mapping[str, Any] | None:
    """The object at the end of *path*; None where a part of it is missing, or an id instead of the object."""
    for name in path:
        value = None if resource is None else resource.get(name)
        resource = value if isinstance(value, Mapping) else None
    return resource


def objects_in(resource: Mapping[str, Any] | None, *path: str) -> list[Mapping[str, Any]]:
    """The objects of the list at the end of *path*; none where there is no list."""
    items = (object_in(resource, *path) or {}).get("data")
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def id_in(resource: Mapping[str, Any] | None, name: str) -> str | None:
    """The id of a related resource, whether it is there in full or by its id alone."""
    return text_in(resource, name) or text_in(object_in(resource, name), "id")


def metadata_for(given: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The metadata of a request: paygate's *own* ids, and of what the shop has *given* as much as Stripe keeps (§7).

    The first keys stay: the same request has the same body on every repeat.
    """
    ours = {key: text for key, text in given.items() if key.startswith("paygate_")} | dict(own)
    others = [(key, text) for key, text in given.items() if key not in ours]
    return {**dict(others[: _MOST_KEYS - len(ours)]), **ours}


def metadata_in(resource: Mapping[str, Any] | None, key: str) -> str | None:
    """Our own *key* in the metadata of *resource*."""
    return text_in(object_in(resource, "metadata"), key)


def others(resource: Mapping[str, Any] | None, key: str, own: str, **related: str) -> str | None:
    """Why *resource*, an answer to what was asked for under our id *own*, is somebody else's; None where it is not.

    What it does not say is not held against it.

    :param key: the metadata key of our id.
    :param related: ids of related resources, such as the customer, by the name of the field.
    """
    named = metadata_in(resource, key)
    if named is not None and named != own:
        return f"its {key} is {clean(named)[:40]!r}, asked for was {own}"
    wrong = next((name for name, value in related.items() if id_in(resource, name) not in {None, value}), None)
    return None if wrong is None else f"it has another {wrong}"


def money(resource: Mapping[str, Any], name: str) -> Money | None:
    """The amount under *name*, which is in minor units; None where it or the currency is not sound (§4)."""
    amount, currency = whole_in(resource, name), text_in(resource, "currency")
    if amount is None or currency is None:
        return None
    try:
        return Money(amount, currency.upper())
    except InvalidAmount:
        return None


def instant(resource: Mapping[str, Any] | None, name: str) -> dt.datetime | None:
    """An instant in UTC; Stripe counts seconds since 1970."""
    seconds = whole_in(resource, name)
    if seconds is None or not 0 <= seconds < 2**35:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def clean(text: str) -> str:
    """A provider's text, short and without anything that might be a card number, a stored card or a key."""
    return _CONFIDENTIAL.sub("<id>", _LONG_NUMBER.sub("<number>", text[:300]))


def shown(resource: Mapping[str, Any], error: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """What of a resource and the error beside it may be kept, by allow-list; texts without what :func:`clean` cuts out.

    A field that is not as simple as documented is left out.
    """
    kept: dict[str, Any] = _kept(resource, _HARMLESS)
    if charge := id_in(resource, "latest_charge"):
        kept["latest_charge"] = charge
    if error:
        kept["error"] = {**_kept(error, _HARMLESS_IN_ERROR), "message": clean(text_in(error, "message") or "")}
    own = object_in(resource, "metadata") or {}
    if ours := {key: value for key, value in own.items() if key.startswith("paygate_") and isinstance(value, str)}:
        kept["metadata"] = ours
    return kept


def _kept(resource: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    simple = {name: resource[name] for name in names if isinstance(resource.get(name), str | int)}
    return {name: clean(value) if isinstance(value, str) else value for name, value in simple.items()}
