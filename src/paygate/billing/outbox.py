"""Notices to observers: written with the outcome, delivered after it, at least once and in order per contract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from ..domain.charge import ChargeState
from ..domain.contract import Contract
from ..domain.ledger import LedgerEntry
from ..domain.mails import MailSet, StepMail
from ..errors import InvalidValue, NotFound, StoreError
from ..flow import call
from ..notices import ChargeNotice, ContractNotice, OperatorNotice, RefundNotice, StepMailNotice
from ..plugins.manager import Complaint
from ..store import OutboxRow, Session
from . import logs
from .changes import unpack_change
from .packing import unpack
from .reasons import ends_everything, reason_of
from .services import Services

__all__ = ["Delivery", "deliver", "operator", "purge", "put", "stuck"]

_FIRST_PAUSE = dt.timedelta(seconds=30)
_LONGEST_PAUSE = dt.timedelta(hours=1)
#: Rows that one transaction of a purge looks at.
_LOT = 1000


@attrs.frozen
class Delivery:
    """How a round of deliveries went."""

    delivered: int = 0
    failed: int = 0


def put(
    services: Services,
    session: Session,
    hook: str,
    payload: Mapping[str, Any],
    *,
    contract_id: str | None,
    now: dt.datetime,
) -> None:
    """Queue a notice in the transaction of the outcome it tells of; nothing is queued if nobody listens."""
    if services.plugins.listening(hook):
        session.outbox.put(hook, contract_id, payload, id=services.new_id(), at=now)


def operator(
    services: Services,
    session: Session,
    code: str,
    message: str,
    *,
    now: dt.datetime,
    contract_id: str | None = None,
    charge_id: str | None = None,
    refund_id: str | None = None,
) -> None:
    """Queue a notice that a person has to act."""
    payload = {
        "code": code,
        "message": message,
        "contract_id": contract_id,
        "charge_id": charge_id,
        "refund_id": refund_id,
        "at": now.isoformat(),
    }
    logs.operator_told(code, message, contract_id, charge_id, refund_id)
    put(services, session, "on_operator_action_required", payload, contract_id=contract_id, now=now)


async def deliver(services: Services, *, limit: int = 100, asked_for: bool = False) -> Delivery:
    """Deliver what is due; what fails is tried again later, after growing pauses.

    :param asked_for: deliveries are what the caller wants. Otherwise they only follow what has been done, and a database
        that fails here takes nothing of that back: the notices stay queued.
    :raises StoreError: where it was asked for.
    """
    if not services.plugins.anybody_listens:
        return Delivery()
    try:
        return await call(lambda: _deliver(services, limit))
    except StoreError as exc:
        if asked_for:
            raise
        logs.outbox_failed(reason_of(exc))
        return Delivery()


async def stuck(services: Services, attempts: int) -> list[OutboxRow]:
    """Notices that failed at least *attempts* times."""

    def read() -> list[OutboxRow]:
        with services.store.read() as session:
            return session.outbox.stuck(attempts)

    return await call(read)


async def purge(services: Services, older_than: dt.timedelta) -> int:
    """Remove notices that every observer was told longer than *older_than* ago, some at a time; nothing else.

    Each lot is a transaction of its own, so that nobody has to wait for long, and it may be interrupted at any time.

    :returns: how many were removed.
    :raises InvalidValue: *older_than* is not a duration of at least a day.
    """
    if not isinstance(older_than, dt.timedelta) or older_than < dt.timedelta(days=1):
        raise InvalidValue(f"older_than is a timedelta of a day or more, got {older_than!r}")
    before = services.now() - older_than

    def lot(after: int) -> tuple[int, int | None]:
        with services.store.write() as session:
            return session.outbox.purge(before, after, _LOT)

    removed, after = await call(partial(lot, 0))
    while after is not None:
        gone, after = await call(partial(lot, after))
        removed += gone
    return removed


def _deliver(services: Services, limit: int) -> Delivery:
    delivered = failed = 0
    while delivered + failed < limit:
        with services.store.write() as session:
            rows = session.outbox.due(services.now(), limit)
        if not rows:
            break
        for row in rows:
            complaints = _tell(services, row)
            wrong = "; ".join(complaint.text for complaint in complaints)[:500]
            with services.store.write() as session:
                final = all(complaint.final for complaint in complaints)
                if complaints:
                    logs.notice_failed(row.id, row.kind, row.contract_id, wrong, final=final)
                if not final:
                    pause = min(_FIRST_PAUSE * 2 ** min(row.attempts, 12), _LONGEST_PAUSE)
                    session.outbox.failed(row.id, wrong, services.now() + pause)
                    failed += 1
                elif complaints:
                    _give_up(services, session, row, wrong)
                    failed += 1
                else:
                    session.outbox.delivered(row.id, services.now())
                    delivered += 1
    return Delivery(delivered, failed)


def _tell(services: Services, row: OutboxRow) -> list[Complaint]:
    """Tell the observers; a notice that cannot even be put together is a complaint as well, and keeps no other one back."""
    try:
        with services.store.read() as session:
            notice = _notice(session, row)
    except NotFound as exc:  # what it tells of has been removed: it will not come back
        return [Complaint(f"nothing left to tell of: {exc}", final=True)]
    except Exception as exc:
        if ends_everything(exc):
            raise
        return [Complaint(reason_of(exc))]
    return services.plugins.tell(row.kind, notice) if notice is not None else []


def _give_up(services: Services, session: Session, row: OutboxRow, wrong: str) -> None:
    """Close a notice that can never be delivered, so that later ones of its contract are, and tell an operator.

    What was itself for the operator is not told again: nobody would be left to hear it.
    """
    now = services.now()
    session.outbox.failed(row.id, wrong, now)
    session.outbox.delivered(row.id, now)
    if row.kind != "on_operator_action_required":
        message = f"notice {row.id} ({row.kind}) could not be delivered and is not tried again: {wrong}"
        operator(services, session, "notice_undeliverable", message, now=now, contract_id=row.contract_id)


def _notice(session: Session, row: OutboxRow) -> object | None:
    """The notice behind *row*, from what is stored now; None if the contract has been deleted meanwhile."""
    payload = row.payload
    if row.kind in {"on_charge_success", "on_charge_failure"}:
        charge = session.charges.get(payload["charge_id"])
        made = session.contracts.exists(charge.contract_id)
        if not made:
            return ChargeNotice(row.id, charge, None) if charge.state is ChargeState.FAILED else None
        contract = session.contracts.get(charge.contract_id)
        return ChargeNotice(row.id, charge, contract, session.customers.get(charge.customer_id))
    if row.kind == "on_refund":
        refund = session.refunds.get(payload["refund_id"])
        entry = session.ledger.get(refund.entry_id)
        contract = session.contracts.get(refund.contract_id)
        return RefundNotice(row.id, refund, entry, contract, session.customers.get(contract.customer_id))
    if row.kind == "on_step_mail_due":
        mail = session.step_mails.get(payload["mail_id"])
        contract = session.contracts.get(mail.contract_id)
        payments = _payments(session, mail)
        receipt = payments[0] if payments and _may_carry_a_receipt(mail, contract) else None
        return StepMailNotice(row.id, mail, session.customers.get(mail.customer_id), receipt, contract, payments)
    if row.kind == "on_contract_change":
        return unpack_change(row.id, row.contract_id or "", payload)
    if row.kind == "on_contract_notice":
        if row.contract_id is None or not session.contracts.exists(row.contract_id):
            return None
        contract = session.contracts.get(row.contract_id)
        return ContractNotice(
            row.id, unpack(payload, contract.id), contract, session.customers.get(contract.customer_id)
        )
    at = dt.datetime.fromisoformat(payload["at"])
    return OperatorNotice(row.id, **{**payload, "at": at})


def _payments(session: Session, mail: StepMail) -> tuple[LedgerEntry, ...]:
    """The sales whose receipt queued *mail*: those of its charge, or those received by other means at that instant."""
    if mail.set is MailSet.ON_RECURRING_CANCEL:
        return ()
    if mail.charge_id is not None:
        return tuple(row for row in session.ledger.for_charge(mail.charge_id) if row.kind.sale)
    rows = session.ledger.for_contract(mail.contract_id)
    return tuple(row for row in rows if row.kind.sale and row.received_at == mail.queued_at)


def _may_carry_a_receipt(mail: StepMail, contract: Contract) -> bool:
    """R-234: the payment-complete mail of a one-off purchase, the renewal mail of a recurring contract."""
    return mail.set is (MailSet.ON_RENEWAL if contract.plan.is_recurring else MailSet.ON_PAYMENT_COMPLETE)
