"""Writing what a decision about a contract does: rows, licences, mails, audit and notices, in the caller's transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from ..domain.contract import Contract
from ..domain.followup import Notice
from ..domain.mails import StepMail, StepMailState, waiting_for_a_plugin
from ..domain.refunding import RefundDecision
from ..domain.settlement import Settlement
from ..store import Session
from .changes import changed
from .outbox import operator, put
from .packing import pack
from .services import Services

__all__ = ["announce", "record", "tell_people", "write_by_hand", "write_new", "write_settlement"]


def record(services: Services, session: Session, settlement: Settlement, *, now: dt.datetime) -> None:
    """Write what a settlement decided: rows, licences, mails, audit; mails without delay are due at once (R-230)."""
    session.ledger.insert_many(settlement.entries)
    if settlement.licences:
        session.licences.insert_many(settlement.licences)  # those that are known take their new state
    delivered = services.plugins.listening("on_step_mail_due")
    mails = settlement.mails if delivered else waiting_for_a_plugin(settlement.mails)
    if mails:
        session.step_mails.insert_many(mails)
    session.audit.insert_many(settlement.audit)
    for mail in mails:
        if mail.state is StepMailState.SENT:
            announce(services, session, mail, now)


def write_new(services: Services, session: Session, settlement: Settlement, *, now: dt.datetime) -> None:
    """Write a contract that is new, with all that was decided about it, and queue what people are told."""
    session.contracts.insert(settlement.contract)
    record(services, session, settlement, now=now)
    changed(services, session, None, settlement.contract, settlement.audit)
    tell_people(services, session, settlement.notices)


def write_settlement(services: Services, session: Session, before: Contract, settlement: Settlement) -> Contract:
    """Write everything that a decision changes, all in the caller's transaction, and queue what people are told.

    Refunds through the provider are not written here: theirs is a transaction of its own, before anything is sent.

    :returns: the contract as stored.
    """
    now = services.now()
    same = settlement.contract is before or settlement.contract == before
    contract = before if same else session.contracts.update(settlement.contract)
    record(services, session, settlement, now=now)
    changed(services, session, before, contract, settlement.audit)
    for row in settlement.changed:
        session.ledger.set_state(
            row.id,
            row.state,
            remarks=row.remarks,
            reference=row.reference,
            done_on=row.done_on,
            received_at=row.received_at,
        )
    for decision in settlement.refunds:
        if decision.by_hand:
            write_by_hand(services, session, decision)
    tell_people(services, session, settlement.notices)
    return contract


def tell_people(services: Services, session: Session, notices: Iterable[Notice]) -> None:
    """Queue *notices*, in their order."""
    for notice in notices:
        put(services, session, "on_contract_notice", pack(notice), contract_id=notice.contract_id, now=services.now())


def write_by_hand(services: Services, session: Session, decision: RefundDecision) -> None:
    """Record a refund that a person has to make, and tell the operator (R-096, R-249)."""
    refund, row = decision.refund, decision.refund_entry
    session.ledger.set_state(decision.entry.id, decision.entry.state)
    session.ledger.insert_many([row])
    session.refunds.insert(refund)
    for licence in decision.licences:
        session.licences.set_state(licence.id, licence.state)
    session.audit.insert_many([decision.audit])
    message = f"return {refund.amount} of row {decision.entry.id} by hand, then mark row {row.id} as done with refunds.mark_done"
    ids = {"contract_id": refund.contract_id, "refund_id": refund.id}
    facts = {"amount": refund.amount, "entry_id": decision.entry.id, "row_id": row.id, "account": refund.account}
    operator(services, session, "manual_refund_due", message, now=services.now(), facts=facts, **ids)


def announce(services: Services, session: Session, mail: StepMail, now: dt.datetime) -> None:
    """Queue the notice that *mail* is due."""
    put(services, session, "on_step_mail_due", {"mail_id": mail.id}, contract_id=mail.contract_id, now=now)
