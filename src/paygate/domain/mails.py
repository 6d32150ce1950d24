"""Step mails: the prepared sets, the queue, and what may still be done to a queued mail (§6.21)."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable

import attrs

from ..bounds import MAX_SECONDS
from ..clock import require_aware, spoken
from ..errors import InvalidValue, MailAlreadySent
from .contract import Contract

__all__ = [
    "MailSet",
    "StepMail",
    "StepMailPlan",
    "StepMailState",
    "can_be_held",
    "delete",
    "due_mails",
    "lapse",
    "pause",
    "queue",
    "resume",
    "waiting_for_a_plugin",
]

#: From its due instant on a mail counts as sent for so long: somebody is about to hand it over. One that is still queued
#: after that has not been handed over by anybody.
_HANDING_OVER = dt.timedelta(minutes=10)


class MailSet(enum.Enum):
    """Which event a prepared mail follows. Renewals and additional charges share one set (R-224)."""

    ON_PAYMENT_COMPLETE = "ON_PAYMENT_COMPLETE"
    ON_RENEWAL = "ON_RENEWAL"
    ON_RECURRING_CANCEL = "ON_RECURRING_CANCEL"


class StepMailState(enum.Enum):
    """QUEUED ⇄ PAUSED; QUEUED → SENT; QUEUED/PAUSED → DELETED."""

    QUEUED = "QUEUED"
    PAUSED = "PAUSED"
    SENT = "SENT"
    DELETED = "DELETED"


@attrs.frozen
class StepMailPlan:
    """One prepared mail of a set. *delay*: seconds from the receipt to the due time (R-225)."""

    name: str
    set: MailSet
    delay: int = 0
    subject: str = ""
    body: str = attrs.field(default="", repr=False)

    def __attrs_post_init__(self) -> None:
        if type(self.delay) is not int or not 0 <= self.delay <= MAX_SECONDS:
            msg = f"step mail {self.name!r}: delay is a whole number of seconds, from 0 to {MAX_SECONDS:,} (a hundred years)"
            raise InvalidValue(msg)


@attrs.frozen
class StepMail:
    """A mail in the queue of mails to be sent (R-226). Instants are UTC."""

    id: str
    contract_id: str
    customer_id: str
    name: str
    set: MailSet
    state: StepMailState
    queued_at: dt.datetime
    due_at: dt.datetime
    charge_id: str | None = None
    subject: str = ""
    body: str = attrs.field(default="", repr=False)
    sent_at: dt.datetime | None = None


def due_mails(
    plans: tuple[StepMailPlan, ...], mail_set: MailSet, receipt: dt.datetime
) -> list[tuple[StepMailPlan, dt.datetime]]:
    """The mails of *mail_set* with their due instants: receipt plus delay (R-225)."""
    receipt = require_aware(receipt, "receipt")
    return [(plan, receipt + dt.timedelta(seconds=plan.delay)) for plan in plans if plan.set is mail_set]


def queue(
    plans: tuple[StepMailPlan, ...],
    mail_set: MailSet,
    contract: Contract,
    receipt: dt.datetime,
    new_id: Callable[[], str],
    *,
    charge_id: str | None = None,
) -> tuple[StepMail, ...]:
    """The mails of *mail_set* for *contract*, queued by a success at the instant *receipt* (R-224, R-225, R-232).

    A mail without delay is due at the receipt, so it counts as SENT and cannot be held back (R-230).
    """
    return tuple(
        StepMail(
            new_id(),
            contract.id,
            contract.customer_id,
            plan.name,
            plan.set,
            StepMailState.QUEUED if plan.delay else StepMailState.SENT,
            receipt,
            due_at,
            charge_id=charge_id,
            subject=plan.subject,
            body=plan.body,
            sent_at=None if plan.delay else receipt,
        )
        for plan, due_at in due_mails(plans, mail_set, receipt)
    )


def waiting_for_a_plugin(mails: tuple[StepMail, ...]) -> tuple[StepMail, ...]:
    """*mails* where no plugin delivers mail: what would go out at once waits in the queue, because nobody sends it (R-393)."""
    return tuple(
        attrs.evolve(mail, state=StepMailState.QUEUED, sent_at=None) if mail.state is StepMailState.SENT else mail
        for mail in mails
    )


def _held_back(mail: StepMail, now: dt.datetime, verb: str, *, delivered: bool) -> None:
    """Refuse from the due instant on, whether or not the dispatcher has run (R-229); not what nobody hands over (R-393)."""
    if mail.state is StepMailState.DELETED:
        msg = f"step mail {mail.id} was deleted for good; it cannot be {verb}"
        raise InvalidValue(msg, rule="R-228")
    leaving = mail.state is StepMailState.QUEUED and _being_handed_over(mail, now, delivered=delivered)
    if mail.state is StepMailState.SENT or leaving:
        due = spoken(mail.due_at)
        msg = f"step mail {mail.id} was due at {due} and counts as sent; it can no longer be {verb}"
        raise MailAlreadySent(msg, rule="R-229")


def can_be_held(mail: StepMail, now: dt.datetime, *, delivered: bool) -> bool:
    """Whether :func:`pause` and :func:`delete` would take *mail* (R-227, R-229, R-393)."""
    if mail.state in {StepMailState.SENT, StepMailState.DELETED}:
        return False
    return mail.state is StepMailState.PAUSED or not _being_handed_over(mail, now, delivered=delivered)


def _being_handed_over(mail: StepMail, now: dt.datetime, *, delivered: bool) -> bool:
    return delivered and mail.due_at <= now < mail.due_at + _HANDING_OVER


def pause(mail: StepMail, now: dt.datetime, *, delivered: bool = True) -> StepMail:
    """Hold *mail* back (R-227).

    :param delivered: whether a plugin delivers mails, so that one that is due is about to be handed over.
    :raises MailAlreadySent: it has been handed over, or is about to be: from its due instant on (R-229). One that nobody
        has handed over ten minutes later can be held back (R-393).
    """
    _held_back(mail, now, "paused", delivered=delivered)
    return attrs.evolve(mail, state=StepMailState.PAUSED)


def lapse(mail: StepMail, now: dt.datetime, lateness: dt.timedelta) -> StepMail | None:
    """*mail* paused if it is overdue by more than *lateness*, which nobody wants to receive any more; else None (R-394).

    A person may set it running again, or delete it.
    """
    late = mail.state is StepMailState.QUEUED and now - mail.due_at > lateness
    return attrs.evolve(mail, state=StepMailState.PAUSED) if late else None


def resume(mail: StepMail, now: dt.datetime, *, delivered: bool = True) -> StepMail:
    """Set *mail* running again; if its due time has passed it goes out at the next dispatch (R-227, R-231)."""
    if mail.state is StepMailState.QUEUED:
        return mail
    _held_back(mail, now, "resumed", delivered=delivered)
    return attrs.evolve(mail, state=StepMailState.QUEUED, due_at=max(mail.due_at, now))


def delete(mail: StepMail, now: dt.datetime, *, delivered: bool = True) -> StepMail:
    """Cancel the reservation for good (R-228).

    :param delivered: as for :func:`pause`.
    :raises MailAlreadySent: it has been handed over, or is about to be (R-229, R-393).
    """
    if mail.state is StepMailState.DELETED:
        return mail
    _held_back(mail, now, "deleted", delivered=delivered)
    return attrs.evolve(mail, state=StepMailState.DELETED)
