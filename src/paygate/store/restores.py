"""When the database was restored from a backup, as somebody said (R-286)."""

from __future__ import annotations

import datetime as dt

import attrs
import sqlalchemy as sa

from .claims import instant
from .statements import Runner, Statement, insert_all
from .tables import audit, charges, restores

__all__ = ["Restore", "Restores"]


@attrs.frozen
class Restore:
    """The database holds a backup. Instants are UTC.

    :param at: when that was said, by the database's clock: what is written from then on is no longer of the backup.
    :param since: when the newest thing in the backup was written, as far as that could be told: a time before which nothing
        is missing if nothing was written between the restore and the word. For people: what is asked of providers does not
        depend on it. Saying it again never makes it later.
    """

    at: dt.datetime
    since: dt.datetime | None


_INSERT = Statement(insert_all(restores))
_LATEST = Statement(
    sa.select(restores.c.at, restores.c.since).order_by(restores.c.seq.desc()).limit(sa.literal_column("1"))
)
_NEWEST = tuple(
    Statement(sa.select(column).order_by(column.table.c.seq.desc()).limit(sa.literal_column("1")))
    for column in (charges.c.created_at, audit.c.at)
)


class Restores:
    """What is known of restored backups."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def remember(self) -> Restore:
        """Note that the database holds a backup from now on."""
        written = [row[0] for statement in _NEWEST if (row := self._runner.first(statement, {})) is not None]
        known = self.latest()
        if known is not None and known.since is not None:
            written = [min([known.since, *written])]  # what has been written since then is no part of any backup
        restore = Restore(instant(self._runner), max(written) if written else None)
        self._runner.change(_INSERT, {"at": restore.at, "since": restore.since})
        return restore

    def latest(self) -> Restore | None:
        """The last time; None: never."""
        row = self._runner.first(_LATEST, {})
        return None if row is None else Restore(*row)
