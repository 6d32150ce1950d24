"""Notices as plain JSON values, for the time they wait in the outbox."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any

from ..domain.attempts import Why
from ..domain.followup import Audience, Next, Notice, NoticeKind
from ..money import Money
from ..provider import DeclineClass

__all__ = ["pack", "pack_facts", "unpack", "unpack_facts"]

#: The enumerations whose members a notice may carry as facts.
_KINDS: Mapping[str, type[enum.Enum]] = {"decline": DeclineClass, "why": Why}


def pack(notice: Notice) -> dict[str, Any]:
    """*notice* without its contract, which the outbox row names."""
    return {
        "kind": notice.kind.value,
        "audience": notice.audience.value,
        "next": notice.next.value,
        "facts": pack_facts(notice.facts),
    }


def unpack(payload: Mapping[str, Any], contract_id: str) -> Notice:
    """The notice that :func:`pack` made."""
    facts = unpack_facts(payload["facts"])
    return Notice(NoticeKind(payload["kind"]), Audience(payload["audience"]), contract_id, Next(payload["next"]), facts)


def pack_facts(facts: Mapping[str, object]) -> dict[str, Any]:
    """*facts* as plain JSON values; those that are not known are left out."""
    return {name: _packed(value) for name, value in facts.items() if value is not None}


def unpack_facts(packed: Mapping[str, Any]) -> dict[str, object]:
    """The facts that :func:`pack_facts` packed."""
    return {name: _unpacked(value) for name, value in packed.items()}


def _packed(value: object) -> object:
    match value:
        case Money():
            return {"minor": value.minor, "currency": value.currency}
        case dt.datetime():
            return {"at": value.isoformat()}
        case dt.date():
            return {"date": value.isoformat()}
        case enum.Enum():
            return {next(name for name, kind in _KINDS.items() if isinstance(value, kind)): value.name}
        case _:
            return value


def _unpacked(value: Any) -> object:
    match value:
        case {"minor": int() as minor, "currency": str() as currency}:
            return Money(minor, currency)
        case {"at": str() as at}:
            return dt.datetime.fromisoformat(at)
        case {"date": str() as day}:
            return dt.date.fromisoformat(day)
        case dict():
            ((name, member),) = value.items()
            return _KINDS[name][member]
        case _:
            return value
