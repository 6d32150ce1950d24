"""The money of contracts that were deleted: what is still owed, and what their providers report later (R-415 to R-417)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import attrs

from ..clock import business_date
from ..domain.after_deletion import Remainder, RemainderKind, owed, remainders
from ..domain.charge import ChargeState, Refund, RefundState
from ..domain.contract import Actor
from ..domain.deleting import Deletion
from ..domain.ledger import EntryState, LedgerEntry
from ..domain.refunding import mark_manual_refund_done
from ..money import Money
from ..provider import EventKind, Outcome, ProviderEvent
from ..store import Session
from .outbox import operator
from .services import Services

__all__ = ["done", "dues", "keep", "reported", "write"]

_ALL = 10_000


def keep(
    services: Services, session: Session, deletion: Deletion, tried: Sequence[Refund], actor: Actor
) -> list[Remainder]:
    """What has to outlive the contract of *deletion*, read before it is removed."""
    contract_id = deletion.contract.id
    return remainders(
        deletion,
        session.charges.page(contract_id=contract_id, limit=_ALL),
        session.ledger.for_contract(contract_id),
        session.refunds.page(contract_id=contract_id, limit=_ALL),
        services.now(),
        services.new_id,
        actor=actor,
        tried=tried,
    )


def write(services: Services, session: Session, contract_id: str, kept: Sequence[Remainder]) -> None:
    """Write down what :func:`keep` found, once the contract is removed, and tell the operator what is owed (R-415)."""
    session.remainders.insert_many(kept)
    open_ones = [one for one in kept if one.kind is RemainderKind.DUE]
    if open_ones:
        message = (
            f"contract {contract_id} was deleted, and {_sums(open_ones)} of its payments may have to be returned by hand; "
            "'paygate refunds dues' lists them, and each is ended with 'paygate refunds done', also where nothing is owed"
        )
        sums = {one.amount.currency for one in open_ones}
        total = Money(sum(one.amount.minor for one in open_ones), sums.pop()) if len(sums) == 1 else _sums(open_ones)
        facts = {"variant": "deleted", "deleted": True, "amount": total}
        ids = {"contract_id": contract_id}
        operator(services, session, "manual_refund_due", message, now=services.now(), facts=facts, **ids)


def dues(services: Services, session: Session) -> list[LedgerEntry]:
    """What deleted contracts owe, as rows of the ledger."""
    return [one.entry(services.rules.zone) for one in session.remainders.dues()]


def done(
    services: Services, session: Session, entry_id: str, on: dt.date | None, note: str, actor: Actor
) -> LedgerEntry | None:
    """A person has returned what a deleted contract owed; None: there is no such due.

    :raises NothingToRefund: it was done before.
    """
    known = session.remainders.get(entry_id)
    if known is None or known.kind is not RemainderKind.DUE:
        return None
    entry, record = mark_manual_refund_done(
        known.entry(services.rules.zone),
        on or services.today(),
        note,
        actor=actor,
        now=services.now(),
        new_id=services.new_id,
        zone=services.rules.zone,
    )
    session.remainders.update(
        attrs.evolve(known, state=entry.state.value, done_on=entry.done_on, remarks=entry.remarks)
    )
    session.audit.insert_many([record])
    return entry


def reported(services: Services, session: Session, account: str, event: ProviderEvent) -> tuple[str, str | None] | None:
    """Take *event* if it is about a deleted contract, inside the caller's write transaction.

    What deleting has made itself is recognised; that a refund failed after all is told and owed; everything else is
    reported as unmatched, with the deletion (R-269).

    :returns: what became of the event, and the id of the refund that it is about; None: it is about something else.
    """
    if (refund := _refund(session, account, event)) is not None:
        return _of_refund(services, session, account, refund, event), refund.id
    charge = _charge(session, account, event)
    if charge is not None and event.kind is EventKind.CHARGE and _known(session, charge, event):
        return "ignored", None
    contract_id = charge.contract_id if charge is not None else event.contract_id
    deleted_at = charge.at if charge is not None else _deleted_at(session, contract_id)
    if contract_id is None or deleted_at is None:
        return None
    if event.kind is EventKind.SUBSCRIPTION_ENDED:  # deleting has asked for it
        return "ignored", None
    if session.remainders.of_contract(contract_id) is None and _told_by_the_tombstone(session, event):
        return "ignored", None
    what = f"{event.kind.value} {event.reference or event.attempt_id or ''}".rstrip()
    if charge is not None and charge.reference != event.reference:
        what += f" of payment {charge.reference or charge.id}"
    _tell(
        services,
        session,
        "unmatched_event",
        account,
        what + _sum_of(event),
        contract_id,
        deleted_at,
        reference=event.reference,
    )
    return "unmatched", None


def _refund(session: Session, account: str, event: ProviderEvent) -> Remainder | None:
    if event.kind is not EventKind.REFUND:
        return None
    known = session.remainders.get(event.attempt_id)
    if known is None or known.kind is not RemainderKind.REFUND or known.account != account:
        known = session.remainders.by_reference(account, event.reference, RemainderKind.REFUND)
    return known


def _charge(session: Session, account: str, event: ProviderEvent) -> Remainder | None:
    reference = event.reference if event.kind is EventKind.CHARGE else event.charge_reference
    for known in (
        session.remainders.get(event.attempt_id if event.kind is EventKind.CHARGE else event.charge_id),
        session.remainders.by_reference(account, reference, RemainderKind.CHARGE),
    ):
        if known is not None and known.kind is RemainderKind.CHARGE and known.account == account:
            return known
    return None


def _known(session: Session, charge: Remainder, event: ProviderEvent) -> bool:
    """Whether *event* tells of a charge what was on record when its contract was deleted, or what deleting returned."""
    told = event.charge
    if told is None:
        return False
    if told.outcome is Outcome.DECLINED:
        return charge.state == ChargeState.FAILED.value
    if not told.refunded or told.refunded.currency != charge.amount.currency:
        return False
    own = [one for one in session.remainders.of_charge(charge.id) if one.kind is RemainderKind.REFUND]
    return told.refunded.minor <= sum(one.amount.minor for one in own if one.state == RefundState.DONE.value)


def _of_refund(services: Services, session: Session, account: str, refund: Remainder, event: ProviderEvent) -> str:
    told, now = event.refund, services.now()
    if told is None or told.outcome in {Outcome.PENDING, Outcome.UNKNOWN}:
        return "ignored"
    about = f"refund {refund.id} ({refund.reference or 'no reference'}) of {refund.amount}"
    if told.outcome is Outcome.SUCCEEDED:
        if told.amount is not None and told.amount != refund.amount:
            what = f"{told.amount} returned by {about}"
            _tell(
                services,
                session,
                "unmatched_event",
                account,
                what,
                refund.contract_id,
                refund.at,
                reference=refund.reference,
            )
            return "unmatched"
        if refund.state == RefundState.DONE.value:
            return "ignored"
        session.remainders.update(attrs.evolve(refund, state=RefundState.DONE.value))
        _settle_due(services, session, refund, now)
        what = f"{about} has succeeded after all; whoever returned it by hand as well has returned it twice"
        _tell(
            services,
            session,
            "refund_succeeded_late",
            account,
            what,
            refund.contract_id,
            refund.at,
            refund.id,
            amount=refund.amount,
        )
        return "applied"
    if refund.state == RefundState.FAILED.value:
        return "ignored"
    session.remainders.update(attrs.evolve(refund, state=RefundState.FAILED.value))
    payment = session.remainders.get(refund.charge_id)
    actor = Actor.provider(account)
    due = owed(refund, payment.reference if payment else None, refund.charge_id, now, services.new_id, actor=actor)
    session.remainders.insert_many([due])
    why = told.code or told.message or "no reason given"
    what = f"{about} failed: {why}; return it by hand, then mark {due.id} as done with 'paygate refunds done'"
    _tell(
        services, session, "refund_failed_after_deletion", account, what, refund.contract_id, refund.at, refund.id,
        amount=refund.amount, row_id=due.id, said=told.message or told.code,
    )  # fmt: skip
    return "applied"


def _settle_due(services: Services, session: Session, refund: Remainder, now: dt.datetime) -> None:
    """What was owed because *refund* had failed is not owed any more."""
    for one in session.remainders.of_charge(refund.charge_id or ""):
        if one.refund_id == refund.id and one.state == EntryState.PENDING.value:
            remarks = f"{one.remarks}; the provider has returned it after all"
            day = business_date(now, services.rules.zone)
            session.remainders.update(attrs.evolve(one, state=EntryState.DONE.value, done_on=day, remarks=remarks))


def _deleted_at(session: Session, contract_id: str | None) -> dt.datetime | None:
    """When the contract of that id was deleted; None: it was not."""
    if contract_id is None or session.contracts.exists(contract_id):
        return None
    records = session.audit.page(contract_id=contract_id, limit=1000)
    return next((record.at for record in reversed(records) if record.action == "delete"), None)


def _told_by_the_tombstone(session: Session, event: ProviderEvent) -> bool:
    """Of what was deleted before its refunds were kept: whether *event* tells only of a whole return (R-263)."""
    if not event.attempt_id:
        return False
    if event.refund is not None and event.refund.outcome not in {Outcome.SUCCEEDED, Outcome.PENDING}:
        return False
    if event.charge is not None and (not event.charge.refunded or event.charge.refunded != event.charge.amount):
        return False
    if event.refund is None and event.charge is None:
        return False
    records = session.audit.page(contract_id=event.contract_id, limit=1000)
    return any(record.action == "delete" and record.after.get("refunds") for record in records)


def _tell(
    services: Services,
    session: Session,
    code: str,
    account: str,
    what: str,
    contract_id: str,
    deleted_at: dt.datetime,
    refund_id: str | None = None,
    **facts: object,
) -> None:
    day = business_date(deleted_at, services.rules.zone)
    message = f"{account} reports about contract {contract_id}, which was deleted on {day}: {what}"
    if code == "unmatched_event":
        message += ". It was not applied; compare with the provider's console"
    known = {"variant": "deleted", "deleted": True, "account": account, "day": day, **facts}
    ids = {"contract_id": contract_id, "refund_id": refund_id}
    operator(services, session, code, message, now=services.now(), facts=known, **ids)


def _sum_of(event: ProviderEvent) -> str:
    """The sum and state that *event* names, to be read behind its name."""
    result = event.refund or event.charge
    if result is not None:
        return f", {result.amount or 'no sum named'} ({result.outcome.value})"
    return f", {event.dispute.amount} ({event.dispute.state.value})" if event.dispute is not None else ""


def _sums(dues_: Iterable[Remainder]) -> str:
    by_currency: dict[str, int] = {}
    for one in dues_:
        by_currency[one.amount.currency] = by_currency.get(one.amount.currency, 0) + one.amount.minor
    return " and ".join(str(Money(minor, currency)) for currency, minor in by_currency.items())
