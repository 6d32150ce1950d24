"""The queue of step mails: hold back, set running, delete, and hand over what is due (§6.21)."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Literal

import attrs

from ..domain import mails as mail_rules
from ..domain.audit import AuditRecord
from ..domain.contract import Actor, ActorKind
from ..domain.mails import StepMail, StepMailState
from ..errors import PermissionDenied
from ..flow import call
from ..notices import OperationProposal
from ..store import Session
from .outbox import deliver_backlog, operator
from .permission import ask
from .problems import Troubles
from .reasons import ends_everything
from .services import Services
from .settling import announce

__all__ = ["Release", "change", "release"]

_CHANGES = {"pause": mail_rules.pause, "resume": mail_rules.resume, "delete": mail_rules.delete}


@attrs.frozen
class Release:
    """What a release did: ids of mails handed over, and how many stay queued because no plugin delivers mail.

    Mails that are overdue for too long are paused and not among the released ones (R-394).
    """

    released: tuple[str, ...] = ()
    undeliverable: int = 0


async def change(
    services: Services, mail_id: str, verb: Literal["pause", "resume", "delete"], *, actor: Actor
) -> StepMail:
    """Pause, resume or delete a queued mail; by an administrator, with an audit record (R-227 to R-229, R-266)."""
    if actor.kind is not ActorKind.ADMIN:
        raise PermissionDenied(f"only an administrator may {verb} a step mail", rule="R-267")

    def work() -> StepMail:
        now = services.now()
        with services.store.write() as session:
            mail = session.step_mails.get(mail_id)
            session.contracts.lock(mail.contract_id)
            mail = session.step_mails.get(mail_id)
            changed = _CHANGES[verb](mail, now, delivered=services.plugins.listening("on_step_mail_due"))
            if changed == mail:
                return mail
            session.step_mails.update(changed)
            session.audit.insert_many(
                [
                    AuditRecord(
                        id=services.new_id(),
                        at=now,
                        actor=actor,
                        action=f"{verb}_step_mail",
                        contract_id=mail.contract_id,
                        before={"mail": mail.id, "state": mail.state.value, "due_at": mail.due_at.isoformat()},
                        after={"mail": mail.id, "state": changed.state.value, "due_at": changed.due_at.isoformat()},
                    )
                ]
            )
        return changed

    def proposal(session: Session) -> OperationProposal:
        mail = session.step_mails.get(mail_id)
        return OperationProposal(f"{verb}_step_mail", actor, session.contracts.get(mail.contract_id))

    await ask(services, proposal)
    return await call(work)


async def release(
    services: Services, *, by: dt.datetime | None = None, chunk: int = 200, troubles: Troubles | None = None
) -> Release:
    """Mark mails that are due as sent and tell the plugins that deliver them, in chunks.

    :param by: only those that were due by then; None for now.
    :param troubles: where mails that cannot be released are reported; they stay queued.
    """
    by, troubles = by or services.now(), troubles or Troubles()
    if not services.plugins.listening("on_step_mail_due"):
        return Release(undeliverable=await call(lambda: _due(services, by, chunk)))
    released: list[str] = []
    left: set[str] = set()
    stalled = False
    while True:
        some, tried = await call(partial(_release, services, by, chunk, left, troubles))
        released.extend(some)
        left |= tried - set(some)
        if not tried:
            break
        if not stalled:  # else they wait for whoever delivers next; releasing does not wait for the observers
            stalled = (await deliver_backlog(services, limit=len(some))).stalled
    if not stalled:
        await deliver_backlog(services)
    return Release(tuple(released))


def _due(services: Services, by: dt.datetime, chunk: int) -> int:
    with services.store.read() as session:
        return len(session.step_mails.due_ids(by, chunk))


def _release(
    services: Services, by: dt.datetime, chunk: int, left: set[str], troubles: Troubles
) -> tuple[list[str], set[str]]:
    """Release the next mails but *left*, in one transaction; if that fails, each in one of its own.

    :returns: the ids of those that are released now, and of all that were tried.
    """
    try:
        with services.store.write() as session:
            due = [mail for mail in session.step_mails.due(by, chunk + len(left)) if mail.id not in left]
            sent = _hand_over(services, session, due)
    except Exception as exc:
        if ends_everything(exc):
            raise
    else:
        return sent, {mail.id for mail in due}
    with services.store.read() as session:
        tried = [mail_id for mail_id in session.step_mails.due_ids(by, chunk + len(left)) if mail_id not in left]
    released = []
    for mail_id in tried:
        with troubles.isolated(mail_id=mail_id), services.store.write() as session:
            mail = session.step_mails.get(mail_id)
            if mail.state is StepMailState.QUEUED and mail.due_at <= by:
                released += _hand_over(services, session, [mail])
    return released, set(tried)


def _hand_over(services: Services, session: Session, due: list[StepMail]) -> list[str]:
    """Hand over what is due; what is overdue for too long is paused instead, and an operator told (R-394).

    :returns: the ids of those that were handed over.
    """
    now = services.now()
    lateness = dt.timedelta(seconds=services.waiting.step_mail_lateness)
    late = {mail.id: lapsed for mail in due if (lapsed := mail_rules.lapse(mail, now, lateness)) is not None}
    for mail in due:
        if (lapsed := late.get(mail.id)) is not None:
            session.step_mails.update(lapsed)
            session.audit.insert_many([_record(services, mail, lapsed.state, "lapse_step_mail")])
            continue
        session.step_mails.update(attrs.evolve(mail, state=StepMailState.SENT, sent_at=now))
        session.audit.insert_many([_record(services, mail, StepMailState.SENT, "send_step_mail")])
        announce(services, session, mail, now)
    if late:
        message = (
            f"{len(late)} step mail(s) are overdue by more than {lateness} and were not sent but paused: look through them "
            "with step_mails.list(state=PAUSED), and set running or delete them"
        )
        facts = {"count": len(late), "hours": services.waiting.step_mail_lateness // 3600}
        operator(services, session, "step_mails_late", message, now=now, facts=facts)
    return [mail.id for mail in due if mail.id not in late]


def _record(services: Services, mail: StepMail, state: StepMailState, action: str) -> AuditRecord:
    return AuditRecord(
        id=services.new_id(),
        at=services.now(),
        actor=Actor.scheduler(),
        action=action,
        contract_id=mail.contract_id,
        before={"mail": mail.id, "state": mail.state.value},
        after={"mail": mail.id, "state": state.value, "set": mail.set.value, "name": mail.name},
    )
