"""Claims on attempts: until when the process that wrote an attempt down may be sending it (R-280, R-282).

They begin and end by the database's clock. On PostgreSQL the statement that writes the attempt takes the time itself,
which costs no way to the server and back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from .column_types import Instant
from .statements import Runner, Statement, insert_all, value, values

__all__ = [
    "CLAIM",
    "Claims",
    "claiming_insert",
    "given",
    "instant",
    "later_on_postgresql",
    "present_on_postgresql",
    "settled_columns",
]

#: The column of the claim. It belongs to no value: only the statements here read and write it.
CLAIM = "claim_until"

#: The column that says when the attempt was written down, by the same clock.
WRITTEN = "written_at"

_NOW = Statement(sa.select(sa.literal_column("1")), postgresql=sa.select(sa.func.statement_timestamp(type_=Instant())))


def instant(runner: Runner) -> dt.datetime:
    """The present instant by which claims are judged, UTC."""
    present = runner.present()
    if present is None:
        present = runner.all(_NOW, {})[0][0]
    return present


def present_on_postgresql() -> sa.ColumnElement[Any]:
    """The parameter ``present``, or the server's own time where it is NULL."""
    return sa.func.coalesce(
        sa.cast(sa.bindparam("present", type_=Instant()), sa.DateTime(timezone=True)), sa.func.statement_timestamp()
    )


def later_on_postgresql() -> sa.ColumnElement[Any]:
    """So many seconds after that as the parameter ``claim_seconds`` says; NULL where that is NULL."""
    seconds = sa.cast(sa.bindparam("claim_seconds", type_=sa.Float()), sa.Float())
    return present_on_postgresql() + sa.func.make_interval(*[sa.literal_column("0")] * 6, seconds)


def settled_columns(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns of *table* that make up its value: all but the counter, the claim and its clock."""
    return [column for column in table.c if column.key not in {"seq", CLAIM, WRITTEN}]


def claiming_insert(table: sa.Table) -> Statement:
    """Insert a row of *table* together with the claim on it; :func:`given` gives the parameters of the claim."""
    columns = values(settled_columns(table))
    by_the_server = {table.c[CLAIM]: later_on_postgresql(), table.c[WRITTEN]: present_on_postgresql()}
    return Statement(insert_all(table), postgresql=table.insert().values({**columns, **by_the_server}).inline())


def given(runner: Runner, seconds: float | None, present: dt.datetime | None = None) -> Mapping[str, Any]:
    """The parameters of a claim that lasts *seconds* from *present* on, by default from now on; None: there is none."""
    present = present or runner.present()
    until = None if seconds is None or present is None else present + dt.timedelta(seconds=seconds)
    return {CLAIM: until, WRITTEN: present, "present": present, "claim_seconds": seconds}


class Claims:
    """Reads, renews and gives back the claims on the rows of one table that are open in the states *still_open*."""

    def __init__(self, table: sa.Table, still_open: sa.ColumnElement[bool]) -> None:
        identity, until = table.c.id == value(table.c.id), table.c[CLAIM]
        free = sa.and_(identity, still_open, table.c.reference.is_(None))
        present = sa.bindparam("present", type_=Instant())
        self._alive = Statement(
            sa.select(until).where(free, until > present),
            postgresql=sa.select(until).where(free, until > present_on_postgresql()),
        )
        self._renew = Statement(
            table.update().where(free).values({until: value(until)}),
            postgresql=table.update().where(free).values({until: later_on_postgresql()}),
        )
        self._left = Statement(sa.select(until).where(free, until.is_not(None)))
        self._written = Statement(sa.select(table.c[WRITTEN]).where(identity))
        self._release = Statement(table.update().where(identity).values({until: sa.null()}))

    def alive(self, runner: Runner, id_: str) -> dt.datetime | None:
        """Until when somebody may be sending the attempt; None: nobody may, or the provider is known to have it."""
        row = runner.first(self._alive, {"id": id_, "present": runner.present()})
        return None if row is None else row[0]

    def left(self, runner: Runner, id_: str) -> bool:
        """Whether the process that claimed the attempt has never reported, and the provider has not named it."""
        return runner.first(self._left, {"id": id_}) is not None and self.alive(runner, id_) is None

    def written(self, runner: Runner, id_: str) -> dt.datetime | None:
        """When the attempt was written down, by the database's clock; None: before that was kept."""
        row = runner.first(self._written, {"id": id_})
        return None if row is None else row[0]

    def renew(self, runner: Runner, id_: str, seconds: float) -> bool:
        """Claim the attempt from now on; False: it has ended meanwhile, or the provider has it."""
        return runner.change(self._renew, {"id": id_, **given(runner, seconds)}) > 0

    def release(self, runner: Runner, id_: str) -> None:
        """Nobody sends it any more: whoever claimed it has reported what became of it."""
        runner.change(self._release, {"id": id_})
