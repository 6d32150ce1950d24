"""The queue of step mails: hold back, set running, delete, and hand over what is due (§6.21)."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import attrs

from ..domain import mails
from ..domain.audit import AuditRecord
from ..domain.contract import Actor, ActorKind
from ..domain.mails import StepMail, StepMailState
from ..errors import PermissionDenied
from ..flow import call
from ..notices import OperationProposal
from ..store import Session
from .outbox import deliver
from .permission import ask
from .services import Services
from .settling import announce

__all__ = ["Release", "change", "release"]

_CHANGES = {"pause": mails.pause, "resume": mails.resume, "delete": mails.delete}


@attrs.frozen
class Release:
    """What a release did: ids of mails handed over, and how many stay queued because no plugin delivers mail."""

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
            changed = _CHANGES[verb](mail, now)
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


async def release(services: Services, *, by: dt.datetime | None = None, chunk: int = 200) -> Release:
    """Mark mails that are due as sent and tell the plugins that deliver them, in chunks.

    :param by: only those that were due by then; None for now.
    """
    by = by or services.now()
    if not services.plugins.listening("on_step_mail_due"):
        return Release(undeliverable=await call(lambda: _due(services, by, chunk)))
    released: list[str] = []
    while some := await call(lambda: _release(services, by, chunk)):
        released.extend(some)
        await deliver(services, limit=len(some))
    await deliver(services)
    return Release(tuple(released))


def _due(services: Services, by: dt.datetime, chunk: int) -> int:
    with services.store.read() as session:
        return len(session.step_mails.due(by, chunk))


def _release(services: Services, by: dt.datetime, chunk: int) -> list[str]:
    now = services.now()
    with services.store.write() as session:
        due = session.step_mails.due(by, chunk)
        for mail in due:
            session.step_mails.update(attrs.evolve(mail, state=StepMailState.SENT, sent_at=now))
            session.audit.insert_many([_sent(services, mail)])
            announce(services, session, mail, now)
    return [mail.id for mail in due]


def _sent(services: Services, mail: StepMail) -> AuditRecord:
    return AuditRecord(
        id=services.new_id(),
        at=services.now(),
        actor=Actor.scheduler(),
        action="send_step_mail",
        contract_id=mail.contract_id,
        before={"mail": mail.id, "state": mail.state.value},
        after={"mail": mail.id, "state": StepMailState.SENT.value, "set": mail.set.value, "name": mail.name},
    )
