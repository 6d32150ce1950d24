"""Telling observers of every change of a contract: written with the change, told in the order of the changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from ..domain.audit import AuditRecord
from ..domain.contract import Contract, Status
from ..notices import ContractChange
from ..store import Session
from ..store.mapping import actor
from .services import Services
from .written import note_written

__all__ = ["changed", "unpack_change"]

_HOOK = "on_contract_change"
#: Not a fact about the contract, but about its row. Of all others only the names are told, never a credential.
_UNTOLD = frozenset({"version"})


def changed(
    services: Services,
    session: Session,
    before: Contract | None,
    after: Contract | None,
    records: Sequence[AuditRecord],
) -> None:
    """Queue the notice that *before* has become *after*, in the transaction that writes it.

    :param before: None for a contract that is new, and :param after: None for one that is deleted.
    :param records: the audit records of the change; the last one names it. Without any nothing has happened.
    """
    known = after or before
    if known is None or not records or not services.plugins.listening(_HOOK):
        return
    fields = _fields(before, after)
    if fields or before is None or after is None:
        record = records[-1]
        notice_id = services.new_id()
        session.outbox.put(_HOOK, known.id, _pack(record, before, after, fields), id=notice_id, at=record.at)
        note_written(notice_id)


def _fields(before: Contract | None, after: Contract | None) -> list[str]:
    if before is None or after is None:
        return []
    names = [field.name for field in attrs.fields(Contract) if field.name not in _UNTOLD]
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _pack(
    record: AuditRecord, before: Contract | None, after: Contract | None, fields: Sequence[str]
) -> dict[str, Any]:
    def facts(contract: Contract | None) -> dict[str, str | None]:
        if contract is None:
            return {"status": None, "expires_on": None}
        return {
            "status": contract.status.value,
            "expires_on": contract.expires_on.isoformat() if contract.expires_on else None,
        }

    return {
        "action": record.action,
        "transition": record.after.get("transition"),
        "actor": str(record.actor),
        "at": record.at.isoformat(),
        "reason": record.reason,
        "before": facts(before),
        "after": facts(after),
        "fields": list(fields),
    }


def unpack_change(notice_id: str, contract_id: str, payload: Mapping[str, Any]) -> ContractChange:
    """The notice as the outbox kept it."""
    before, after = payload["before"], payload["after"]
    return ContractChange(
        id=notice_id,
        contract_id=contract_id,
        action=payload["action"],
        actor=actor(payload["actor"]),
        at=dt.datetime.fromisoformat(payload["at"]),
        status_before=Status(before["status"]) if before["status"] else None,
        status_after=Status(after["status"]) if after["status"] else None,
        expires_on_before=_date(before["expires_on"]),
        expires_on_after=_date(after["expires_on"]),
        fields=tuple(payload["fields"]),
        transition=payload["transition"],
        reason=payload["reason"],
    )


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
