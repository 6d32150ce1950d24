"""The audit record that everything leaves behind (R-266)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from .contract import Actor

__all__ = ["AuditRecord"]


@attrs.frozen
class AuditRecord:
    """Who did what, when, why, with the old and the new values. ``before`` and ``after`` hold plain JSON values."""

    id: str
    at: dt.datetime
    actor: Actor
    action: str
    contract_id: str | None
    before: Mapping[str, Any] = attrs.field(factory=dict)
    after: Mapping[str, Any] = attrs.field(factory=dict)
    reason: str = ""
