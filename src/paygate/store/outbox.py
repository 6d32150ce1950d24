"""Notices on their way to observers: written with the outcome, delivered after it (design §5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import attrs
import sqlalchemy as sa

from .claims import given as claiming
from .claims import later_on_postgresql, present_on_postgresql
from .mapping import found
from .statements import Row, Runner, Statement, insert_all, value, values
from .tables import UNDELIVERED, outbox

__all__ = ["Outbox", "OutboxRow"]

#: How long a claimed row stays hidden from other workers: longer than observers may take for one round.
LEASE = dt.timedelta(minutes=5)


@attrs.frozen
class OutboxRow:
    """A notice that has not been delivered. Instants are UTC; ``attempts`` counts failed ones."""

    id: str
    kind: str
    contract_id: str | None
    payload: Mapping[str, Any] = attrs.field(repr=False)
    at: dt.datetime
    attempts: int
    next_at: dt.datetime
    last_error: str | None = None


_SELECTED = [column for column in outbox.c if column.key not in {"seq", "delivered_at"}]
_columns = values(column for column in outbox.c if column.key != "seq")
_INSERT = Statement(
    insert_all(outbox),
    # the host that writes it may be ahead of the database's clock, by which it falls due
    postgresql=outbox.insert()
    .values({**_columns, outbox.c.next_at: sa.func.least(value(outbox.c.next_at), present_on_postgresql())})
    .inline(),
)

_earlier = outbox.alias("earlier")


def _due(*only: sa.ColumnElement[bool], claim: bool = True) -> Statement:
    """What falls due by the parameter ``present``, which on PostgreSQL is the server's own time where it is NULL."""

    def by(present: sa.ColumnElement[Any]) -> sa.Select[Any]:
        due = (
            sa.select(*_SELECTED)
            .where(
                UNDELIVERED,
                outbox.c.next_at <= present,
                ~sa.exists().where(
                    _earlier.c.contract_id == outbox.c.contract_id,
                    _earlier.c.delivered_at.is_(None),
                    _earlier.c.seq < outbox.c.seq,
                ),
                *only,
            )
            .order_by(outbox.c.next_at, outbox.c.seq)
            .limit(sa.bindparam("limit", type_=sa.Integer))
        )
        return due.with_for_update(of=outbox, skip_locked=True) if claim else due

    plain = sa.bindparam("present", type_=outbox.c.next_at.type)
    return Statement(by(plain), postgresql=by(present_on_postgresql()))


_DUE, _CLAIM = _due(claim=False), _due()
_CLAIM_ONE = _due(outbox.c.id == value(outbox.c.id))
_CLAIM_NEXT = _due(outbox.c.contract_id == value(outbox.c.contract_id))
_LATER = {outbox.c.next_at: sa.bindparam("claim_until", type_=outbox.c.next_at.type)}
_LATER_ON_POSTGRESQL = {outbox.c.next_at: later_on_postgresql()}
_HIDE = Statement(
    outbox.update().where(outbox.c.id == value(outbox.c.id)).values(_LATER),
    postgresql=outbox.update().where(outbox.c.id == value(outbox.c.id)).values(_LATER_ON_POSTGRESQL),
)
_DELIVERED = Statement(outbox.update().where(outbox.c.id == value(outbox.c.id)).values(values([outbox.c.delivered_at])))
_ONE_MORE = {
    **values([outbox.c.last_error]),
    outbox.c.attempts: outbox.c.attempts + sa.literal_column("1"),
}
_FAILED = Statement(
    outbox.update().where(outbox.c.id == value(outbox.c.id)).values({**_ONE_MORE, **_LATER}),
    postgresql=outbox.update().where(outbox.c.id == value(outbox.c.id)).values({**_ONE_MORE, **_LATER_ON_POSTGRESQL}),
)
_STUCK = Statement(
    sa.select(*_SELECTED)
    .where(UNDELIVERED, outbox.c.attempts >= sa.bindparam("min_attempts", type_=sa.Integer))
    .order_by(outbox.c.seq)
)
_BACKLOG = Statement(
    sa.select(
        sa.func.count(),
        sa.func.min(outbox.c.at, type_=outbox.c.at.type),
        sa.func.count(sa.case((outbox.c.attempts > sa.literal_column("0"), outbox.c.seq))),
    )
    .select_from(outbox)
    .where(UNDELIVERED)
)

_OLDEST = Statement(
    sa.select(outbox.c.seq, outbox.c.at, outbox.c.delivered_at)
    .where(outbox.c.seq > sa.bindparam("after", type_=outbox.c.seq.type))
    .order_by(outbox.c.seq)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_DELETE = Statement(outbox.delete().where(outbox.c.seq == value(outbox.c.seq)))


def _row(row: Row) -> OutboxRow:
    return OutboxRow(*row)


class Outbox:
    """What observers still have to be told.

    Notices fall due, and claims on them end, by the database's clock (R-282). Where an instant can be given for *now*, it
    takes the place of that.
    """

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def put(
        self,
        kind: str,
        contract_id: str | None,
        payload: Mapping[str, Any],
        *,
        id: str,  # noqa: A002 - the field's own name
        at: dt.datetime,
    ) -> None:
        """Queue a notice, due at once.

        :param kind: the hook to call.
        :param contract_id: notices of one contract are delivered in the order of writing; None: in any order.
        :param payload: plain JSON values.
        :param at: the instant of what it tells of.
        """
        present = self._runner.present()
        held = self._runner.held
        given = {
            "present": present,
            "id": id,
            "kind": kind,
            "contract_id": contract_id,
            "payload": dict(payload),
            "at": at,
            "attempts": 0,
            "next_at": at if present is None or held else min(at, present),
            "last_error": None,
            "delivered_at": None,
        }
        self._runner.change(_INSERT, given)

    def due(self, now: dt.datetime | None = None, limit: int = 100, *, lease: dt.timedelta = LEASE) -> list[OutboxRow]:
        """What may be delivered now: of each contract only the oldest undelivered notice, so that their order holds.

        In a write transaction the rows are claimed: until *now* plus *lease* nobody else is given them, nor what
        follows them on the same contract. Whoever claims them reports each as delivered or failed; if it dies before
        that, they are due again when the lease is over. A read transaction only looks.
        """
        given = {"present": now or self._runner.present(), "limit": limit}
        if not self._runner.writes:
            return [_row(row) for row in self._runner.all(_DUE, given)]
        claimed = [_row(row) for row in self._runner.all(_CLAIM, given)]
        self._hide((row.id for row in claimed), lease, now)
        return claimed

    def claim(
        self, ids: Iterable[str], now: dt.datetime | None = None, limit: int = 100, *, lease: dt.timedelta = LEASE
    ) -> list[OutboxRow]:
        """Those of the notices *ids* that may be delivered now, *limit* at most, claimed as by :meth:`due`."""
        return self._claimed(_CLAIM_ONE, ({"id": one} for one in ids), now, limit, lease)

    def claim_behind(
        self, contracts: Iterable[str], now: dt.datetime | None = None, limit: int = 100, *, lease: dt.timedelta = LEASE
    ) -> list[OutboxRow]:
        """The next notice of each of *contracts* that may be delivered now, claimed as by :meth:`due`."""
        return self._claimed(_CLAIM_NEXT, ({"contract_id": one} for one in sorted(contracts)), now, limit, lease)

    def _claimed(
        self,
        statement: Statement,
        each: Iterable[Mapping[str, Any]],
        now: dt.datetime | None,
        limit: int,
        lease: dt.timedelta,
    ) -> list[OutboxRow]:
        present = now or self._runner.present()
        found = (self._runner.first(statement, {"present": present, "limit": 1, **one}) for one in each)
        claimed = list(islice((_row(row) for row in found if row is not None), limit))
        self._hide((row.id for row in claimed), lease, now)
        return claimed

    def _hide(self, ids: Iterable[str], lease: dt.timedelta, now: dt.datetime | None) -> None:
        later = claiming(self._runner, lease.total_seconds(), now)
        self._runner.change_many(_HIDE, ({"id": one, **later} for one in ids))

    def make_due(self, ids: Iterable[str]) -> None:
        """Let the notices *ids* be delivered from now on: after a claim that was not used, or by hand."""
        self._hide(ids, dt.timedelta(), None)

    def backlog(self) -> tuple[int, dt.datetime | None, int]:
        """How many notices wait, the instant of what the oldest tells of, and how many of them have failed already."""
        waiting, oldest, failing = self._runner.all(_BACKLOG, {})[0]
        return waiting, oldest, failing or 0

    def delivered(self, id: str, at: dt.datetime) -> None:  # noqa: A002
        """Every observer has been told.

        :raises NotFound: there is no such notice.
        """
        self._change(_DELIVERED, {"id": id, "delivered_at": at})

    def failed(self, id: str, error: str, pause: dt.timedelta, now: dt.datetime | None = None) -> None:  # noqa: A002
        """An observer failed; try again after a *pause*.

        :param error: what went wrong, for people; holds no secret.
        :raises NotFound: there is no such notice.
        """
        later = claiming(self._runner, pause.total_seconds(), now)
        self._change(_FAILED, {"id": id, "last_error": error, **later})

    def purge(self, before: dt.datetime, after: int, limit: int) -> tuple[int, int | None]:
        """Remove the notices that were delivered before an instant from among the next *limit* ones, oldest first.

        Rows lie in the order of writing, and none is delivered before it is written: looking ends with the first one
        that was written later, so the cost grows with what is old and not with what is kept.

        :param after: where the page before ended; 0 for the first.
        :returns: how many were removed, and where the next page goes on; None: there is no older one.
        """
        rows = self._runner.all(_OLDEST, {"after": after, "limit": limit})
        old = [(seq, done_at) for seq, at, done_at in rows if at < before]
        gone = [{"seq": seq} for seq, done_at in old if done_at is not None and done_at < before]
        self._runner.change_many(_DELETE, gone)
        return len(gone), old[-1][0] if len(old) == limit else None

    def stuck(self, min_attempts: int = 5) -> list[OutboxRow]:
        """Undelivered notices that have failed at least that often, oldest first."""
        return [_row(row) for row in self._runner.all(_STUCK, {"min_attempts": min_attempts})]

    def _change(self, statement: Statement, given: Mapping[str, Any]) -> None:
        found(("",) if self._runner.change(statement, given) else None, "notice", given["id"])
