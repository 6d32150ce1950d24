"""What was asked for under the key of a checkout, as a digest: nothing else of a checkout is kept (R-371)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .statements import Runner, Statement, value, values
from .tables import checkouts

__all__ = ["Checkouts"]

_GET = Statement(sa.select(checkouts.c.fingerprint).where(checkouts.c.id == value(checkouts.c.id)))


def _put(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    return insert.values(values(checkouts.c)).inline().on_conflict_do_nothing(index_elements=[checkouts.c.id])


_PUT = Statement(_put(sqlite.insert(checkouts)), postgresql=_put(postgresql.insert(checkouts)))


class Checkouts:
    """The checkouts that were begun under a caller's key."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def remember(self, id: str, account: str, fingerprint: str) -> str:  # noqa: A002 - the column's own name
        """Keep the *fingerprint* of a checkout's contents, unless it has one; of two at once the first one counts.

        :param id: the id of the checkout, a digest of account, customer and key.
        :returns: the fingerprint that counts.
        """
        self._runner.change(_PUT, {"id": id, "account": account, "fingerprint": fingerprint, "at": self._runner.now()})
        row = self._runner.first(_GET, {"id": id})
        return fingerprint if row is None else str(row[0])
