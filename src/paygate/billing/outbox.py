"""Notices to observers: written with the outcome, delivered after it, at least once and in order per contract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import attrs

from ..domain.charge import ChargeState
from ..domain.contract import Contract
from ..domain.ledger import LedgerEntry
from ..domain.mails import MailSet, StepMail
from ..errors import InvalidValue, NotFound, StoreError
from ..flow import Flow, call
from ..money import Money
from ..notices import ChargeNotice, ContractNotice, OperatorNotice, RefundNotice, StepMailNotice
from ..plugins.manager import Complaint
from ..store import OutboxRow, Session
from . import logs
from .changes import unpack_change
from .courier import WORKER
from .packing import pack_facts, unpack, unpack_facts
from .reasons import ends_everything, reason_of
from .services import Services
from .written import collected, note_written, take_written

__all__ = [
    "Backlog",
    "Delivery",
    "backlog",
    "close",
    "collecting",
    "deliver",
    "deliver_backlog",
    "deliver_now",
    "operator",
    "operator_unlogged",
    "purge",
    "put",
    "redeliver",
    "stuck",
]

_FIRST_PAUSE = dt.timedelta(seconds=30)
_LONGEST_PAUSE = dt.timedelta(hours=1)
#: Rows that one transaction of a purge looks at.
_LOT = 1000
#: Notices that are claimed together: even if each takes its time, they are told before the claim is over.
_CLAIMED = 10
#: As many as a round without a limit of its own tells.
_AT_ONCE = 1_000_000
#: A run does not go on telling after so many failures in a row, nor after so many seconds without a success.
_FAILURES, _STALL = 10, 15.0

T = TypeVar("T")


@attrs.frozen
class Delivery:
    """How a round of deliveries went.

    :param stalled: it ended before everything was tried, because the observers fail or do not come back.
    """

    delivered: int = 0
    failed: int = 0
    stalled: bool = False


@attrs.frozen
class Backlog:
    """Notices that observers have not been told.

    :param waiting: how many.
    :param oldest_at: the instant of what the oldest of them tells of, UTC; None where none waits.
    :param failing: how many of them have failed at least once.
    """

    waiting: int = 0
    oldest_at: dt.datetime | None = None
    failing: int = 0


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
        id_ = services.new_id()
        session.outbox.put(hook, contract_id, payload, id=id_, at=now)
        note_written(id_)


def _account(session: Session, contract_id: str | None, charge_id: str | None, refund_id: str | None) -> str | None:
    """The account of what a notice is about, as far as it is still stored."""
    try:
        if refund_id is not None:
            return session.refunds.get(refund_id).account
        if charge_id is not None:
            return session.charges.get(charge_id).account
        return session.contracts.get(contract_id).account if contract_id is not None else None
    except NotFound:
        return None


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
    facts: Mapping[str, object] | None = None,
) -> None:
    """Queue a notice that a person has to act, and log it.

    :param facts: for the texts in other languages than *message*; see :class:`~paygate.notices.OperatorNotice`.
    """
    account = _account(session, contract_id, charge_id, refund_id) or (facts or {}).get("account")
    ids = {"contract_id": contract_id, "charge_id": charge_id, "refund_id": refund_id}
    session.after_commit.append(partial(logs.operator_told, code, message, {**ids, "account": account}))
    operator_unlogged(services, session, code, message, now=now, facts=facts, **ids)


def operator_unlogged(
    services: Services,
    session: Session,
    code: str,
    message: str,
    *,
    now: dt.datetime,
    contract_id: str | None = None,
    charge_id: str | None = None,
    refund_id: str | None = None,
    facts: Mapping[str, object] | None = None,
) -> None:
    """Queue a notice of what is a line of the log by itself, with the same ids: it gets no second one."""
    payload = {
        "code": code,
        "message": message,
        "contract_id": contract_id,
        "charge_id": charge_id,
        "refund_id": refund_id,
        "at": now.isoformat(),
        "facts": pack_facts(facts or {}),
    }
    put(services, session, "on_operator_action_required", payload, contract_id=contract_id, now=now)


async def collecting(flow: Flow[T]) -> T:
    """Run *flow* as one call: what it writes is what :func:`deliver` tells."""
    with collected():
        return await flow


async def deliver(services: Services) -> None:
    """Tell the observers what this call has written: within the budget of a call, or by the worker (R-350, R-351).

    What is not told in time, or fails, is told later. Nothing that goes wrong here changes the result of the call.
    """
    ids = take_written()
    if ids == [] or not services.plugins.anybody_listens:
        return
    if services.courier.mode == WORKER:
        services.courier.wake(lambda: _round(services, _Round()))
        return
    one = _Round(ids=ids)
    try:
        await call(lambda: services.courier.run(partial(_round, services, one), services.courier.budget))
    except Exception as exc:  # noqa: BLE001 - the outcome is stored, and so are its notices
        logs.outbox_failed(reason_of(exc))


async def deliver_backlog(services: Services, *, limit: int = _AT_ONCE) -> Delivery:
    """Tell what is due to be told, whoever wrote it, until observers fail or hang; for the end of a run.

    :returns: what was done until then; ``stalled`` if something is left that could not be told.
    """
    if not services.plugins.anybody_listens:
        return Delivery()
    one = _Round(limit=limit, most_failures=_FAILURES)
    done = None
    try:
        done = await call(lambda: services.courier.run(partial(_round, services, one), _STALL, lambda: one.delivered))
    except StoreError as exc:  # takes nothing back of what the run has done; the notices stay queued
        logs.outbox_failed(reason_of(exc))
    return Delivery(one.delivered, one.failed, stalled=True) if done is None else done


async def deliver_now(services: Services, *, limit: int = 100) -> Delivery:
    """Tell up to *limit* notices that are due, however long it takes; what fails is tried again later."""
    if not services.plugins.anybody_listens:
        return Delivery()
    return await call(partial(_round, services, _Round(limit=limit)))


async def close(services: Services) -> None:
    """End the threads that deliver."""
    await call(services.courier.close)


async def backlog(services: Services) -> Backlog:
    """What waits to be told, and since when."""

    def read() -> Backlog:
        with services.store.read() as session:
            return Backlog(*session.outbox.backlog())

    return await call(read)


async def redeliver(services: Services, ids: Sequence[str] | None) -> int:
    """Let notices that failed be told at the next delivery, and not only after their pause; None: all of them.

    :returns: how many.
    """

    def write() -> int:
        with services.store.write() as session:
            waiting = {row.id for row in session.outbox.stuck(1)}
            for one in ids or ():
                if one not in waiting:
                    raise NotFound(f"no notice {one!r} has failed and waits; 'paygate outbox list' shows those that do")
            chosen = sorted(waiting) if ids is None else list(ids)
            session.outbox.make_due(chosen)
        return len(chosen)

    return await call(write)


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


@attrs.define
class _Round:
    """A round of deliveries: its bounds, and how far it is.

    :param ids: only these notices, those that telling them leads to, and what waits behind them on the same *contracts*;
        None: all that are due.
    :param most_failures: in a row, after which it ends.
    """

    limit: int = _AT_ONCE
    ids: list[str] | None = None
    contracts: set[str] = attrs.field(factory=set)
    most_failures: int | None = None
    delivered: int = 0
    failed: int = 0
    in_a_row: int = 0

    @property
    def over(self) -> bool:
        return self.delivered + self.failed >= self.limit or self.stalled

    @property
    def stalled(self) -> bool:
        return self.most_failures is not None and self.in_a_row >= self.most_failures


def _round(services: Services, one: _Round) -> Delivery:
    """Tell notices one after the other until *one* is over, nothing is due any more, or the gateway is closed."""
    with collected() as led_to:  # what telling leads to is told in the same round
        while not one.over and not services.courier.closed:
            with services.store.write() as session:
                rows = _claim(session, one)
            if not rows or not _tell_all(services, rows, one):
                break
            if one.ids is not None:
                tried = {row.id for row in rows}
                one.ids = [left for left in one.ids if left not in tried] + led_to
                one.contracts |= {row.contract_id for row in rows if row.contract_id is not None}
                led_to.clear()
    return Delivery(one.delivered, one.failed, one.stalled)


def _claim(session: Session, one: _Round) -> list[OutboxRow]:
    size = min(_CLAIMED, one.limit - one.delivered - one.failed)
    if one.ids is None:
        return session.outbox.due(limit=size)
    # another call may have written about the same contract meanwhile: its notice had to wait for this call's
    return session.outbox.claim(one.ids, limit=size) or session.outbox.claim_behind(one.contracts, limit=size)


def _tell_all(services: Services, rows: list[OutboxRow], one: _Round) -> bool:
    """Tell the claimed *rows*; whether the round may go on."""
    for number, row in enumerate(rows):
        if one.over:
            with services.store.write() as session:
                session.outbox.make_due([left.id for left in rows[number:]])
            return False
        complaints = _tell(services, row)
        if services.courier.closed:  # and the store with it: the notice is told again when its claim is over
            return False
        _note(services, row, complaints, one)
    return True


def _note(services: Services, row: OutboxRow, complaints: list[Complaint], one: _Round) -> None:
    """Store what became of a notice."""
    wrong = "; ".join(complaint.text for complaint in complaints)[:500]
    final = all(complaint.final for complaint in complaints)
    if complaints:
        logs.notice_failed(row.id, row.kind, row.contract_id, wrong, final=final)
        one.failed += 1
        one.in_a_row += 1
    with services.store.write() as session:
        if not final:
            pause = min(_FIRST_PAUSE * 2 ** min(row.attempts, 12), _LONGEST_PAUSE)
            session.outbox.failed(row.id, wrong, pause)
        elif complaints:
            _give_up(services, session, row, wrong)
        else:
            session.outbox.delivered(row.id, services.now())
    if not complaints:
        one.delivered += 1
        one.in_a_row = 0


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
    session.outbox.failed(row.id, wrong, dt.timedelta())
    session.outbox.delivered(row.id, now)
    if row.kind != "on_operator_action_required":
        message = f"notice {row.id} ({row.kind}) could not be delivered and is not tried again: {wrong}"
        facts = {"details": wrong}
        operator(services, session, "notice_undeliverable", message, now=now, contract_id=row.contract_id, facts=facts)


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
        if "amount" in payload:  # what is new of it, where a part had been told before
            refund = attrs.evolve(refund, amount=Money(payload["amount"], refund.amount.currency))
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
    facts = unpack_facts(payload.get("facts", {}))  # a row of an older version has none
    return OperatorNotice(row.id, **{**payload, "at": at, "facts": facts})


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
