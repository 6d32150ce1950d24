"""The queue of step mails as rows (§6.21)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from ..domain.mails import MailSet, StepMail, StepMailState
from .mapping import found
from .statements import Pages, Row, Runner, Statement, insert_all, value, values
from .tables import one_of, step_mails

__all__ = ["StepMails"]

_SELECTED = [column for column in step_mails.c if column.key != "seq"]

_INSERT = Statement(insert_all(step_mails))
_UPDATE = Statement(
    step_mails.update()
    .where(step_mails.c.id == value(step_mails.c.id))
    .values(values(step_mails.c[name] for name in ("state", "due_at", "sent_at")))
)
_get = sa.select(*_SELECTED).where(step_mails.c.id == value(step_mails.c.id))
_GET, _LOCK = Statement(_get), Statement(_get.with_for_update())
_due = (
    sa.select(*_SELECTED)
    .where(
        one_of(step_mails.c.state, StepMailState.QUEUED),
        step_mails.c.due_at <= sa.bindparam("now", type_=step_mails.c.due_at.type),
    )
    .order_by(step_mails.c.due_at, step_mails.c.seq)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_DUE, _CLAIM = Statement(_due), Statement(_due.with_for_update(skip_locked=True))
_DUE_IDS = Statement(_due.with_only_columns(step_mails.c.id))
_PAGES = Pages(_SELECTED, step_mails.c.seq, step_mails.c.id)


def _columns_of(mail: StepMail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "contract_id": mail.contract_id,
        "customer_id": mail.customer_id,
        "name": mail.name,
        "mail_set": mail.set.value,
        "state": mail.state.value,
        "queued_at": mail.queued_at,
        "due_at": mail.due_at,
        "charge_id": mail.charge_id,
        "subject": mail.subject,
        "body": mail.body,
        "sent_at": mail.sent_at,
    }


def _mail(row: Row) -> StepMail:
    (
        id_, contract_id, customer_id, name, mail_set, state, queued_at, due_at, charge_id, subject, body, sent_at,
    ) = row  # fmt: skip
    return StepMail(
        id=id_,
        contract_id=contract_id,
        customer_id=customer_id,
        name=name,
        set=MailSet(mail_set),
        state=StepMailState(state),
        queued_at=queued_at,
        due_at=due_at,
        charge_id=charge_id,
        subject=subject,
        body=body,
        sent_at=sent_at,
    )


class StepMails:
    """The queue of mails to be sent."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def insert_many(self, mails: Iterable[StepMail]) -> None:
        """Add mails to the queue."""
        self._runner.change_many(_INSERT, map(_columns_of, mails))

    def get(self, id: str) -> StepMail:  # noqa: A002 - the field's own name
        """In a write transaction the mail is locked: pausing and dispatching cannot overtake each other (R-229).

        :raises NotFound: there is no such mail.
        """
        row = self._runner.first(_LOCK if self._runner.writes else _GET, {"id": id})
        return _mail(found(row, "step mail", id))

    def update(self, mail: StepMail) -> None:
        """Store the state, the due instant and when it was sent; what the mail says does not change.

        :raises NotFound: there is no such mail.
        """
        given = {"id": mail.id, "state": mail.state.value, "due_at": mail.due_at, "sent_at": mail.sent_at}
        found((mail.id,) if self._runner.change(_UPDATE, given) else None, "step mail", mail.id)

    def due(self, now: dt.datetime, limit: int = 100) -> list[StepMail]:
        """QUEUED mails whose due instant is *now* or earlier, the longest due first (R-229, R-231).

        In a write transaction they are claimed: other transactions pass them over until this one ends.
        """
        statement = _CLAIM if self._runner.writes else _DUE
        return [_mail(row) for row in self._runner.all(statement, {"now": now, "limit": limit})]

    def due_ids(self, now: dt.datetime, limit: int = 100) -> list[str]:
        """The ids of what :meth:`due` gives, without claiming or reading the mails."""
        return [id_ for (id_,) in self._runner.all(_DUE_IDS, {"now": now, "limit": limit})]

    def page(
        self,
        contract_id: str | None = None,
        state: StepMailState | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[StepMail]:
        """Up to *limit* mails in the order in which they were queued, from the first one after the id *after* on."""
        filters = {"contract_id": contract_id, "state": state and state.value}
        return [_mail(row) for row in _PAGES.rows(self._runner, filters, after, limit)]
