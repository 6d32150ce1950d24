"""Money that a person returns: what is still due, and that it was done (X-14, R-250)."""

from __future__ import annotations

import datetime as dt

import attrs

from ..domain.charge import RefundState
from ..domain.contract import Actor
from ..domain.ledger import LedgerEntry
from ..domain.operations import Operation
from ..domain.refunding import mark_manual_refund_done, state_after
from ..flow import call
from ..notices import OperationProposal
from ..store import Session
from . import after_deletion, permission
from .outbox import deliver, put
from .services import Services

__all__ = ["dues", "mark_done"]


async def dues(services: Services) -> list[LedgerEntry]:
    """Manual refunds that are still due (X-14); those of deleted contracts last (R-415)."""

    def read() -> list[LedgerEntry]:
        with services.store.read() as session:
            return [*session.ledger.dues(), *after_deletion.dues(services, session)]

    return await call(read)


async def mark_done(services: Services, entry_id: str, *, on: dt.date | None, note: str, actor: Actor) -> LedgerEntry:
    """A person has returned the money (R-250)."""

    def proposal(session: Session) -> OperationProposal:
        kept = session.remainders.get(entry_id)
        if kept is not None:
            return OperationProposal(Operation.MARK_MANUAL_REFUND_DONE.value, actor, None, kept.amount)
        row = session.ledger.get(entry_id)
        contract = session.contracts.get(row.contract_id)
        return OperationProposal(Operation.MARK_MANUAL_REFUND_DONE.value, actor, contract, row.amount)

    def write() -> LedgerEntry:
        with services.store.write() as session:
            owed = after_deletion.done(services, session, entry_id, on, note, actor)
            if owed is not None:
                return owed
            row = session.ledger.get(entry_id)
            session.contracts.lock(row.contract_id)
            row = session.ledger.get(entry_id)
            done, audit = mark_manual_refund_done(
                row,
                on or services.today(),
                note,
                actor=actor,
                now=services.now(),
                new_id=services.new_id,
                zone=services.rules.zone,
            )
            session.ledger.set_state(done.id, done.state, remarks=done.remarks, done_on=done.done_on)
            session.audit.insert_many([audit])
            sale = session.ledger.get(row.refunds) if row.refunds else None
            if sale is not None:
                session.ledger.set_state(sale.id, state_after(sale, session.ledger.refunds_of(sale.id)))
                for refund in session.refunds.for_entry(sale.id):
                    if refund.refund_entry_id == row.id:
                        now = services.now()
                        session.refunds.update(attrs.evolve(refund, state=RefundState.DONE, settled_at=now))
                        ids = {"refund_id": refund.id}
                        put(services, session, "on_refund", ids, contract_id=row.contract_id, now=now)
        return done

    await permission.ask(services, proposal)
    done = await call(write)
    await deliver(services)
    return done
