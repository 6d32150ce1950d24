"""When a billing run and a reconciliation came to their end for the last time."""

from __future__ import annotations

import datetime as dt

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .statements import Runner, Statement, values
from .tables import runs

__all__ = ["LastRun", "Runs"]


@attrs.frozen
class LastRun:
    """The last run of its kind that came to its end; instants are UTC.

    :param kind: ``billing_run`` or ``reconciliation``.
    :param blocked: how much it had to leave undone.
    """

    kind: str
    started_at: dt.datetime
    finished_at: dt.datetime
    blocked: int


_ALL = Statement(sa.select(*runs.c).order_by(runs.c.kind))


def _put(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    new = insert.values(values(runs.c)).inline()
    later = {name: insert.excluded[name] for name in ("started_at", "finished_at", "blocked")}
    return new.on_conflict_do_update(index_elements=[runs.c.kind], set_=later)


_PUT = Statement(_put(sqlite.insert(runs)), postgresql=_put(postgresql.insert(runs)))


class Runs:
    """The last runs."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def finished(self, run: LastRun) -> None:
        """Remember *run* as the last one of its kind."""
        self._runner.change(_PUT, attrs.asdict(run))

    def all(self) -> list[LastRun]:
        """The last run of each kind that has ever come to its end."""
        return [LastRun(*row) for row in self._runner.all(_ALL, {})]
