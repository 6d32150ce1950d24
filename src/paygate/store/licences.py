"""Licences as rows (§6.8)."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.licences import License, LicenseState
from .mapping import found
from .statements import Row, Runner, Statement, value, values
from .tables import licences

__all__ = ["Licences"]

_SELECTED = [column for column in licences.c if column.key != "seq"]


def _upsert(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    fresh = insert.values(values(_SELECTED)).inline()
    return fresh.on_conflict_do_update(index_elements=[licences.c.id], set_={licences.c.state: fresh.excluded.state})


_UPSERT = Statement(_upsert(sqlite.insert(licences)), postgresql=_upsert(postgresql.insert(licences)))
_SET_STATE = Statement(
    licences.update().where(licences.c.id == value(licences.c.id)).values(values([licences.c.state]))
)
_FOR_CONTRACT = Statement(
    sa.select(*_SELECTED).where(licences.c.contract_id == value(licences.c.contract_id)).order_by(licences.c.seq)
)


def _licence(row: Row) -> License:
    id_, contract_id, product, scope, entry_id, issued_on, state = row
    return License(id_, contract_id, product, scope, entry_id, issued_on, LicenseState(state))


class Licences:
    """The licences of the store."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def insert_many(self, issued: Iterable[License]) -> None:
        """Add new licences; of one that is stored already only the state is taken."""
        self._runner.change_many(
            _UPSERT,
            (
                {
                    "id": licence.id,
                    "contract_id": licence.contract_id,
                    "product": licence.product,
                    "scope": licence.scope,
                    "entry_id": licence.entry_id,
                    "issued_on": licence.issued_on,
                    "state": licence.state.value,
                }
                for licence in issued
            ),
        )

    def for_contract(self, contract_id: str) -> list[License]:
        """All licences of one contract in the order of issue, revoked and removed ones included."""
        return [_licence(row) for row in self._runner.all(_FOR_CONTRACT, {"contract_id": contract_id})]

    def set_state(self, id: str, state: LicenseState) -> None:  # noqa: A002 - the field's own name
        """:raises NotFound: there is no such licence."""
        changed = self._runner.change(_SET_STATE, {"id": id, "state": state.value})
        found((id,) if changed else None, "licence", id)
