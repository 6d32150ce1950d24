"""The ledger rows of money that providers took back: refunds made in their consoles, and disputes (R-314, R-316, R-319)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import attrs

from ..clock import business_date
from ..domain.audit import AuditRecord
from ..domain.charge import Charge, ChargeState, Refund, RefundState
from ..domain.contract import Actor, ActorKind
from ..domain.discrepancy import DiscrepancyKind, Source
from ..domain.ledger import EntryKind, EntryState, LedgerEntry
from ..domain.refunding import settle_refund, state_after
from ..domain.returning import Return, ReturnKind, ReturnState, allocate, unnamed
from ..money import Money
from ..provider import RefundResult
from ..store import Session
from . import discrepancies
from .outbox import operator, put
from .services import Services, fingerprint

__all__ = ["book", "facts_of", "own_sum", "tell"]

_REFUND_STATES = {
    ReturnState.PENDING: RefundState.PENDING,
    ReturnState.DONE: RefundState.DONE,
    ReturnState.FAILED: RefundState.FAILED,
}
_DISPUTE_STATES = {
    ReturnState.OPENED: EntryState.OPENED,
    ReturnState.LOST: EntryState.LOST,
    ReturnState.WON: EntryState.WON,
}


def facts_of(session: Session, charge: Charge, reference: str | None) -> list[Return]:
    """What is known to have gone back of the payment *reference* of *charge*, what came before the charge included."""
    known = session.returns.of_charge(charge.id, charge.account, reference)
    return [fact for fact in known if fact.charge_reference in {None, reference}]


def own_sum(session: Session, charge: Charge, until: dt.datetime) -> int:
    """Minor units of paygate's own refunds of *charge* that a total seen at *until* may count, without a result included."""
    return _own_sum(_refunds(session, _sales(session, charge)), until)


def tell(services: Services, session: Session, charge: Charge, fact: Return, now: dt.datetime) -> None:
    """Tell the operator how a refund or dispute of *charge* stands, with ids, sum and deadline."""
    about = f"{fact.amount} of charge {charge.id} ({fact.charge_reference or 'no reference'}) on {charge.account}"
    match fact.kind, fact.state:
        case ReturnKind.TOTAL, _:
            return  # what it has beyond the refunds that are known is told when it is booked
        case ReturnKind.REFUND, ReturnState.FAILED:
            code, what = "provider_refund_failed", f"refund {fact.reference} of {about} did not reach the customer"
        case ReturnKind.REFUND, _:
            code, what = "provider_refund", f"refund {fact.reference} of {about} was made at the provider"
        case _, ReturnState.OPENED:
            until = f"hand evidence in by {fact.due_by:%Y-%m-%d %H:%M} UTC" if fact.due_by else "see its deadline there"
            code, what = "dispute_opened", f"dispute {fact.reference} over {about}: {until}"
        case _, ReturnState.LOST:
            code, what = "dispute_lost", f"dispute {fact.reference} over {about} is lost: the money is gone"
        case _:
            code, what = "dispute_won", f"dispute {fact.reference} over {about} is won: the money stays"
    because = f" ({fact.reason})" if fact.reason else ""
    message = f"{what}{because}. The contract is as it was: end it, or return more, where that is what you want"
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id}
    facts = {
        "variant": "no_deadline" if code == "dispute_opened" and fact.due_by is None else None,
        "amount": fact.amount,
        "account": charge.account,
        "reference": fact.reference,
        "due_by": fact.due_by,
        "said": fact.reason or None,
    }
    operator(services, session, code, message, now=now, facts=facts, **ids)


def book(services: Services, session: Session, charge: Charge, now: dt.datetime) -> None:
    """Make the ledger agree with the facts about *charge*, inside the caller's write transaction, its contract locked.

    Nothing is booked of a charge that is open or failed: its facts wait for its success.
    """
    known = facts_of(session, charge, charge.reference)
    facts = [fact for fact in known if fact.amount.currency == charge.amount.currency]
    if not facts or charge.state is not ChargeState.SUCCEEDED:
        return
    sales = _sales(session, charge)
    if not sales:
        return
    refunds = _refunds(session, sales)
    ours = {refund.reference for refund in refunds if not _made_there(refund)}
    named = [fact for fact in facts if fact.kind is ReturnKind.REFUND and fact.reference not in ours]
    totals = [fact for fact in facts if fact.kind is ReturnKind.TOTAL]
    own = _own_sum(refunds, max((fact.seen_at for fact in totals), default=now))
    more = unnamed([*named, *totals], own, charge.amount.currency)
    nameless = [one for one in refunds if _made_there(one) and _nameless(charge, one) and _alive(one)]
    there = sum(one.amount.minor for one in nameless)
    stale = [one for one in refunds if _made_there(one) and one.reference in ours and _alive(one)]
    for refund in [*stale, *(nameless if there > more else ())]:
        _end(services, session, refund, RefundState.FAILED, now, quiet=True)
    for fact in named:
        _book_refund(services, session, charge, sales, fact, now)
    missing = more if there > more else more - there
    if missing:
        number = sum(_nameless(charge, one) for one in refunds) + 1
        rest = attrs.evolve(
            totals[0], reference=f"{_prefix(charge)}{number}", amount=Money(missing, charge.amount.currency)
        )
        _book_refund(services, session, charge, sales, rest, now)
        tell(services, session, charge, attrs.evolve(rest, kind=ReturnKind.REFUND), now)
    for fact in facts:
        if fact.kind is ReturnKind.DISPUTE:
            _book_dispute(services, session, charge, sales, fact, now)
    for sale in sales:
        state = state_after(sale, session.ledger.refunds_of(sale.id))
        if sale.state.received and state is not session.ledger.get(sale.id).state:
            session.ledger.set_state(sale.id, state)


def _book_refund(
    services: Services, session: Session, charge: Charge, sales: Sequence[LedgerEntry], fact: Return, now: dt.datetime
) -> None:
    known = session.refunds.all_by_reference(charge.account, fact.reference)
    for refund in known:
        if _made_there(refund) and refund.state is not _REFUND_STATES[fact.state]:
            _end(services, session, refund, _REFUND_STATES[fact.state], now)
    if not fact.counts:
        return
    open_sum = fact.amount.minor - sum(refund.amount.minor for refund in known)
    if open_sum <= 0:
        return
    current = [session.ledger.get(sale.id) for sale in sales]
    taken = [row for sale in sales for row in session.ledger.refunds_of(sale.id)]
    shares, over = allocate(Money(open_sum, fact.amount.currency), current, taken, over=False)
    for sale, share in shares:
        refund = _insert_refund(services, session, charge, sale, share, fact, now)
        if fact.state is ReturnState.DONE:
            _end(services, session, refund, RefundState.DONE, now)
        else:
            session.ledger.set_state(sale.id, EntryState.REFUND_PENDING)
    if over:
        excess = RefundResult.succeeded(fact.reference, amount=Money(over, fact.amount.currency))
        kind = DiscrepancyKind.OVER_REFUNDED
        discrepancies.note(services, session, charge, kind, excess, Source.WEBHOOK, now=now)


def _insert_refund(
    services: Services,
    session: Session,
    charge: Charge,
    sale: LedgerEntry,
    share: Money,
    fact: Return,
    now: dt.datetime,
) -> Refund:
    actor, row_id = Actor.provider(charge.account), services.new_id()
    refund = Refund(
        id=services.new_id(),
        contract_id=charge.contract_id,
        account=charge.account,
        entry_id=sale.id,
        refund_entry_id=row_id,
        amount=share,
        idempotency_key=f"provider/{fact.reference}/{sale.id}",
        fingerprint=fingerprint("provider", fact.reference, sale.id),
        reason="made at the provider",
        actor=actor,
        created_at=now,
        reference=fact.reference,
    )
    row = _row(services, charge, sale, EntryKind.REFUND, share, fact, EntryState.PENDING, row_id, now)
    session.ledger.insert_many([row])
    session.refunds.insert(refund)
    after = {"refund": refund.id, "entry": sale.id, "amount": str(share), "reference": fact.reference}
    _record(services, session, charge, "provider_refund", after, now)
    return refund


def _end(
    services: Services, session: Session, refund: Refund, state: RefundState, now: dt.datetime, *, quiet: bool = False
) -> None:
    """Let a refund that was made at the provider be in *state*; *quiet*: it is only booked under another name."""
    sale = session.ledger.get(refund.entry_id)
    settled = settle_refund(
        refund,
        sale,
        session.ledger.get(refund.refund_entry_id),
        session.ledger.refunds_of(sale.id),
        state,
        now=now,
        new_id=services.new_id,
        reference=refund.reference,
        actor=refund.actor,
        zone=services.rules.zone,
    )
    if settled.audit is None:
        return
    session.refunds.update(settled.refund)
    for row in (settled.entry, settled.refund_entry):
        session.ledger.set_state(row.id, row.state, remarks=row.remarks, done_on=row.done_on)
    session.audit.insert_many([settled.audit])
    if not quiet and not state.open:
        put(services, session, "on_refund", {"refund_id": refund.id}, contract_id=refund.contract_id, now=now)


def _book_dispute(
    services: Services, session: Session, charge: Charge, sales: Sequence[LedgerEntry], fact: Return, now: dt.datetime
) -> None:
    state, today = _DISPUTE_STATES[fact.state], business_date(now, services.rules.zone)
    done_on = None if state is EntryState.OPENED else today
    against = [row for sale in sales for row in session.ledger.refunds_of(sale.id)]
    known = [row for row in against if row.kind is EntryKind.DISPUTE and row.reference == fact.reference]
    for row in known:
        if row.state is not state or row.due_by != fact.due_by:
            session.ledger.set_state(row.id, state, done_on=done_on, due_by=fact.due_by)
            after = {"entry": row.id, "state": state.value, "reference": fact.reference}
            _record(services, session, charge, "provider_dispute", after, now)
    if known:
        return
    current = [session.ledger.get(sale.id) for sale in sales]
    shares, _ = allocate(fact.amount, current, against, over=True)
    rows = []
    for sale, share in shares:
        row = _row(services, charge, sale, EntryKind.DISPUTE, share, fact, state, services.new_id(), now)
        rows.append(attrs.evolve(row, done_on=done_on, due_by=fact.due_by, remarks=fact.reason))
        after = {"entry": sale.id, "amount": str(share), "state": state.value, "reference": fact.reference}
        _record(services, session, charge, "provider_dispute", after, now)
    session.ledger.insert_many(rows)


def _row(
    services: Services,
    charge: Charge,
    sale: LedgerEntry,
    kind: EntryKind,
    share: Money,
    fact: Return,
    state: EntryState,
    row_id: str,
    now: dt.datetime,
) -> LedgerEntry:
    return LedgerEntry(
        row_id,
        charge.contract_id,
        charge.customer_id,
        kind,
        share,
        state,
        purchased_on=business_date(now, services.rules.zone),
        target_on=sale.target_on,
        received_at=now,
        actor=Actor.provider(charge.account),
        account=charge.account,
        reference=fact.reference,
        charge_id=charge.id,
        refunds=sale.id,
        remarks="made at the provider",
    )


def _record(
    services: Services, session: Session, charge: Charge, action: str, after: Mapping[str, object], now: dt.datetime
) -> None:
    actor = Actor.provider(charge.account)
    record = AuditRecord(
        services.new_id(), now, actor, action, charge.contract_id, {"charge": charge.id}, after, "made at the provider"
    )
    session.audit.insert_many([record])


def _sales(session: Session, charge: Charge) -> list[LedgerEntry]:
    return [row for row in session.ledger.for_charge(charge.id) if row.kind.sale]


def _refunds(session: Session, sales: Sequence[LedgerEntry]) -> list[Refund]:
    return [refund for sale in sales for refund in session.refunds.for_entry(sale.id)]


def _made_there(refund: Refund) -> bool:
    return refund.actor.kind is ActorKind.PROVIDER


def _alive(refund: Refund) -> bool:
    return refund.state is not RefundState.FAILED


def _own(refund: Refund) -> bool:
    """Whether paygate asked the provider for it, and it may have gone back."""
    return not _made_there(refund) and not refund.by_hand and _alive(refund)


def _own_sum(refunds: Sequence[Refund], until: dt.datetime) -> int:
    return sum(refund.amount.minor for refund in refunds if _own(refund) and refund.created_at <= until)


def _prefix(charge: Charge) -> str:
    """Begins the references of refunds that the provider counts, but has not named."""
    return f"{charge.reference}#"


def _nameless(charge: Charge, refund: Refund) -> bool:
    return (refund.reference or "").startswith(_prefix(charge))
