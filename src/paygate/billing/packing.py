"""Notices as plain JSON values, for the time they wait in the outbox."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ..domain.followup import Audience, Next, Notice, NoticeKind
from ..money import Money

__all__ = ["pack", "unpack"]


def pack(notice: Notice) -> dict[str, Any]:
    """*notice* without its contract, which the outbox row names."""
    return {
        "kind": notice.kind.value,
        "audience": notice.audience.value,
        "next": notice.next.value,
        "facts": {name: _packed(value) for name, value in notice.facts.items()},
    }


def unpack(payload: Mapping[str, Any], contract_id: str) -> Notice:
    """The notice that :func:`pack` made."""
    facts = {name: _unpacked(value) for name, value in payload["facts"].items()}
    return Notice(NoticeKind(payload["kind"]), Audience(payload["audience"]), contract_id, Next(payload["next"]), facts)


def _packed(value: object) -> object:
    if isinstance(value, Money):
        return {"minor": value.minor, "currency": value.currency}
    return {"date": value.isoformat()} if isinstance(value, dt.date) else value


def _unpacked(value: Any) -> object:
    if isinstance(value, dict):
        return Money(value["minor"], value["currency"]) if "minor" in value else dt.date.fromisoformat(value["date"])
    return value
