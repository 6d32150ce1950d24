"""How each field of what a plugin returns passes the border, found out once for each class."""

from __future__ import annotations

import enum
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeAlias

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


#: A class's fields with how each is passed, and what reads the values of all of them.
_Plan: TypeAlias = tuple[tuple[tuple[str, As], ...], Callable[[Any], tuple[Any, ...]]]

_known: dict[type[Any], _Plan] = {}


def fields_of(kind: type[Any]) -> _Plan:
    """The fields of a class and how each is passed, and what reads their values; found out once for each class."""
    plan = _known.get(kind)
    if plan is None:
        fields = attrs.fields(kind)
        read = attrgetter(*(field.name for field in fields))  # of several fields: it answers with a tuple
        plan = _known[kind] = tuple((field.name, _how(field.name, str(field.type))) for field in fields), read
    return plan


def _how(name: str, declared: str) -> As:
    if name in _IDS:
        return As.ID
    if name in _LINKS:
        return As.LINK
    if name in _MANY:
        return As.MANY
    known = {
        "raw": As.RAW,
        "refund": As.RESULT,
        "message": As.MESSAGE,
        "metadata": As.TEXTS,
        "action_fields": As.TEXTS,
    }.get(name, As.CODE)
    return known if known is not As.CODE or "str" in declared else As.OTHER
