"""The audit record that everything leaves behind (R-266)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from .contract import Actor, Contract

__all__ = ["AuditRecord", "change"]


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


def _facts(contract: Contract | None) -> dict[str, Any]:
    if contract is None:
        return {}
    notice, missing, provided = contract.cancellation, contract.past_due, contract.subscription
    return {
        "status": contract.status.value,
        "expires_on": _iso(contract.expires_on),
        "period_start": _iso(contract.period_start),
        "ended_on": _iso(contract.ended_on),
        "cancellation": notice and f"{notice.origin.value} effective {notice.effective_on.isoformat()}",
        "past_due": missing and f"period of {missing.period_start.isoformat()}, failures: {missing.failures}",
        "subscription": provided and f"{provided.state.value} from {provided.starts_on.isoformat()}",
    }


def _iso(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def change(
    before: Contract | None,
    after: Contract,
    *,
    id: str,  # noqa: A002 - the record's own name for it
    at: dt.datetime,
    actor: Actor,
    action: str,
    reason: str = "",
    facts: Mapping[str, Any] | None = None,
) -> AuditRecord:
    """The record of one change of a contract: only what differs, old beside new (R-266).

    :param before: None for a contract that is new.
    :param facts: further plain JSON values that belong to the new state, for example ids and chosen options.
    """
    old, new = ({}, {}) if before is after else (_facts(before), _facts(after))  # most changes are about something else
    changed = [name for name in new if old.get(name) != new[name]]
    return AuditRecord(
        id,
        at,
        actor,
        action,
        after.id,
        {name: old[name] for name in changed if name in old},
        {name: new[name] for name in changed} | dict(facts or {}),
        reason,
    )
