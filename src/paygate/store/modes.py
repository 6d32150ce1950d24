"""The mode that each account is in, so that test and live never mix (X-24)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..provider import Mode
from .statements import Runner, Statement, value, values
from .tables import modes

__all__ = ["Modes"]

_GET = Statement(sa.select(modes.c.mode).where(modes.c.account == value(modes.c.account)))


def _put(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    fresh = insert.values(values(modes.c)).inline()
    return fresh.on_conflict_do_update(index_elements=[modes.c.account], set_={modes.c.mode: fresh.excluded.mode})


_PUT = Statement(_put(sqlite.insert(modes)), postgresql=_put(postgresql.insert(modes)))


class Modes:
    """The modes in which contracts have been made, by account."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def of(self, account: str) -> Mode | None:
        """The mode of the contracts that were made through *account*: LIVE as soon as there was one; None: not known."""
        row = self._runner.first(_GET, {"account": account})
        return None if row is None else Mode(row[0])

    def remember(self, account: str, mode: Mode) -> None:
        """A contract is being made through *account* in *mode*; LIVE stays LIVE."""
        if self.of(account) not in {mode, Mode.LIVE}:
            self._runner.change(_PUT, {"account": account, "mode": mode.value})
