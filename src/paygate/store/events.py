"""What providers have told us, each event once (R-269)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .mapping import found
from .statements import Pages, Row, Runner, Statement, value, values
from .tables import events

__all__ = ["Events", "StoredEvent"]


@attrs.frozen
class StoredEvent:
    """One authentic event of a provider. ``seq`` counts in the order of arrival; ``outcome`` says what it led to."""

    seq: int
    account: str
    event_id: str
    type: str
    at: dt.datetime
    payload: Mapping[str, Any] = attrs.field(repr=False)
    outcome: str | None = None


def _once(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    columns = [column for column in events.c if column.key != "seq"]
    return (
        insert.values(values(columns))
        .inline()
        .on_conflict_do_nothing(index_elements=[events.c.account, events.c.event_id])
    )


_FIRST = Statement(_once(sqlite.insert(events)), postgresql=_once(postgresql.insert(events)))
_SET_OUTCOME = Statement(
    events.update()
    .where(events.c.account == value(events.c.account), events.c.event_id == value(events.c.event_id))
    .values(values([events.c.outcome]))
)
_PAGES = Pages(list(events.c), events.c.seq)


def _event(row: Row) -> StoredEvent:
    return StoredEvent(*row)


class Events:
    """The events that providers have sent."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def first_time(
        self,
        account: str,
        event_id: str,
        *,
        type: str,  # noqa: A002 - the field's own name
        at: dt.datetime,
        payload: Mapping[str, Any],
    ) -> bool:
        """Store an event unless it is known.

        Of two deliveries at the same time the second waits for the first one's transaction: True means that this one
        has to apply the event, and that it counts as applied when the transaction commits (R-269).

        :param payload: plain JSON values, redacted.
        :returns: whether the event is new to *account*.
        """
        given = {
            "account": account,
            "event_id": event_id,
            "type": type,
            "at": at,
            "payload": dict(payload),
            "outcome": None,
        }
        return self._runner.change(_FIRST, given) == 1

    def set_outcome(self, account: str, event_id: str, outcome: str) -> None:
        """Note what the event led to, for people.

        :raises NotFound: there is no such event.
        """
        given = {"account": account, "event_id": event_id, "outcome": outcome}
        found((event_id,) if self._runner.change(_SET_OUTCOME, given) else None, "event", event_id)

    def page(
        self, account: str | None = None, outcome: str | None = None, after: int | None = None, limit: int = 100
    ) -> list[StoredEvent]:
        """Up to *limit* events, newest last, from the first one after the number *after* (its ``seq``) on."""
        filters = {"account": account, "outcome": outcome}
        return [_event(row) for row in _PAGES.rows(self._runner, filters, after, limit)]
