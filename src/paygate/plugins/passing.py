"""How each field of what a plugin returns passes the border, found out once for each class."""

from __future__ import annotations

import enum
from typing import Any

import attrs

__all__ = ["As", "fields_of"]

#: Fields that are looked up by, or opened by somebody's browser, later.
_IDS = frozenset({"reference", "event_id", "attempt_id", "contract_id", "credential", "charge_reference", "charge_id"})
_LINKS = frozenset({"action_url", "url", "client_token"})
#: Fields that hold several values, which have to be looked at one by one.
_MANY = frozenset({"disputes", "others"})


class As(enum.Enum):
    """How a field is passed."""

    ID = enum.auto()
    LINK = enum.auto()
    RAW = enum.auto()
    MANY = enum.auto()
    RESULT = enum.auto()
    MESSAGE = enum.auto()
    TEXTS = enum.auto()
    CODE = enum.auto()
    OTHER = enum.auto()


_known_fields: dict[type[Any], tuple[tuple[str, As], ...]] = {}


def fields_of(kind: type[Any]) -> tuple[tuple[str, As], ...]:
    """The fields of a class and how each is passed; found out once for each class."""
    found = _known_fields.get(kind)
    if found is None:
        found = tuple((field.name, _how(field.name, str(field.type))) for field in attrs.fields(kind))
        _known_fields[kind] = found
    return found


def _how(name: str, declared: str) -> As:
    if name in _IDS:
        return As.ID
    if name in _LINKS:
        return As.LINK
    if name in _MANY:
        return As.MANY
    known = {"raw": As.RAW, "refund": As.RESULT, "message": As.MESSAGE, "metadata": As.TEXTS}.get(name, As.CODE)
    return known if known is not As.CODE or "str" in declared else As.OTHER
