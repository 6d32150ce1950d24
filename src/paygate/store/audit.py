"""Audit records as rows: only ever added (R-266)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..domain.audit import AuditRecord
from .mapping import actor
from .statements import Pages, Row, Runner, Statement, insert_all
from .tables import audit

__all__ = ["Audit"]

_SELECTED = [column for column in audit.c if column.key != "seq"]
_INSERT = Statement(insert_all(audit))
_PAGES = Pages(_SELECTED, audit.c.seq, audit.c.id)


def _columns_of(record: AuditRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "at": record.at,
        "actor": str(record.actor),
        "action": record.action,
        "contract_id": record.contract_id,
        "before": dict(record.before),
        "after": dict(record.after),
        "reason": record.reason,
    }


def _record(row: Row) -> AuditRecord:
    id_, at, by, action, contract_id, before, after, reason = row
    return AuditRecord(id_, at, actor(by), action, contract_id, before, after, reason)


class Audit:
    """The audit trail of the store."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def insert_many(self, records: Iterable[AuditRecord]) -> None:
        """Add records in their order. ``before`` and ``after`` are plain JSON values."""
        self._runner.change_many(_INSERT, map(_columns_of, records))

    def page(self, contract_id: str | None = None, after: str | None = None, limit: int = 100) -> list[AuditRecord]:
        """Up to *limit* records, newest last, from the first one after the id *after* on."""
        return [_record(row) for row in _PAGES.rows(self._runner, {"contract_id": contract_id}, after, limit)]
