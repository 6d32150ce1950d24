"""The ledger rows of money that providers took back: refunds made in their consoles, and disputes (R-314, R-316, R-319)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import attrs

from ..clock import business_date
from ..domain.charge import Charge, ChargeState, Refund
from ..domain.contract import Actor
from ..domain.ledger import EntryKind, EntryState, LedgerEntry
from ..domain.refunding import state_after
from ..domain.returning import Return, ReturnKind, ReturnState, share_out, unnamed
from ..money import Money
from ..store import Session
from . import discrepancies
from .mirrored_refunds import alive, is_nameless, made_there, mirror_refunds, nameless, record
from .outbox import operator
from .services import Services

__all__ = ["book", "booked_nameless", "facts_of", "tell"]

#: States of a sale of which a provider can take something back.
_TAKEN_FROM = frozenset(EntryState) - {EntryState.VOID, EntryState.UNPAID}
_DISPUTE_STATES = {
    ReturnState.OPENED: EntryState.OPENED,
    ReturnState.LOST: EntryState.LOST,
    ReturnState.WON: EntryState.WON,
}


def facts_of(session: Session, charge: Charge, reference: str | None) -> list[Return]:
    """What is known to have gone back of the payment *reference* of *charge*, what came before the charge included."""
    known = session.returns.of_charge(charge.id, charge.account, reference)
    return [fact for fact in known if fact.charge_reference in {None, reference}]


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

    The rows are worked out from all facts at once, so they are the same whatever came first (R-319, R-321). Nothing is
    booked of a charge that is open or failed: its facts wait for its success.
    """
    known = facts_of(session, charge, charge.reference)
    if not known or charge.state is not ChargeState.SUCCEEDED:
        return
    sales = _sales(session, charge)
    if not sales:
        return
    refunds = _refunds(session, sales)
    ours = {refund.reference for refund in refunds if not made_there(refund)}
    known = [fact for fact in known if fact.kind is not ReturnKind.REFUND or fact.reference not in ours]
    facts = [fact for fact in known if fact.amount.currency == charge.amount.currency]
    wanted = [fact for fact in facts if fact.kind is ReturnKind.REFUND and fact.counts]
    rest = _nameless_sum(charge, facts, refunds, now)
    if rest:
        wanted.append(_nameless_fact(charge, facts, rest))
    room = {sale.id: _room(session, sale) for sale in sales}
    shares, over = share_out(wanted, room)
    failed = {fact.reference for fact in facts if fact.kind is ReturnKind.REFUND and not fact.counts}
    counted = booked_nameless(session, charge)
    mirror_refunds(services, session, charge, sales, shares, failed, now)
    if rest > counted:  # less than that had been told before
        more = attrs.evolve(wanted[-1], amount=Money(rest - counted, charge.amount.currency))
        tell(services, session, charge, more, now)
    for share in shares:
        room[share.sale] -= share.minor
    _book_disputes(services, session, charge, sales, facts, room, now)
    _follow_excess(services, session, charge, known, over, now)
    for sale in sales:
        state = state_after(sale, session.ledger.refunds_of(sale.id))
        if sale.state.received and state is not session.ledger.get(sale.id).state:
            session.ledger.set_state(sale.id, state)


def booked_nameless(session: Session, charge: Charge) -> int:
    """Minor units that are booked, and told, as gone back of *charge* without the name of a refund."""
    refunds = _refunds(session, _sales(session, charge))
    return sum(one.amount.minor for one in refunds if made_there(one) and is_nameless(one) and alive(one))


def _nameless_sum(charge: Charge, facts: Sequence[Return], refunds: Sequence[Refund], now: dt.datetime) -> int:
    """Minor units that the provider counts beyond the refunds that anybody knows."""
    until = max((fact.seen_at for fact in facts if fact.kind is ReturnKind.TOTAL), default=now)
    own = [one for one in refunds if not made_there(one) and not one.by_hand and one.created_at <= until]
    alive_sum = sum(one.amount.minor for one in own if alive(one))
    failed = [one.amount.minor for one in own if not alive(one) and one.reference is not None]
    return unnamed(facts, alive_sum, charge.amount.currency, failed)


def _nameless_fact(charge: Charge, facts: Sequence[Return], minor: int) -> Return:
    total = next(fact for fact in facts if fact.kind is ReturnKind.TOTAL)
    amount = Money(minor, charge.amount.currency)
    return attrs.evolve(total, kind=ReturnKind.REFUND, reference=nameless(charge), amount=amount)


def _room(session: Session, sale: LedgerEntry) -> int:
    """Minor units of *sale* that refunds made at the provider can have taken: all but what paygate returned of it.

    A dispute takes no room from them: a refund is certain, and comes first whatever was reported first.
    """
    rows = session.ledger.refunds_of(sale.id)
    own = [row for row in rows if row.kind is not EntryKind.DISPUTE and row.origin != "provider"]
    if sale.state not in _TAKEN_FROM:
        return 0
    return sale.amount.minor - sum(row.amount.minor for row in own if not row.state.without_effect)


def _book_disputes(
    services: Services,
    session: Session,
    charge: Charge,
    sales: Sequence[LedgerEntry],
    facts: Sequence[Return],
    room: Mapping[str, int],
    now: dt.datetime,
) -> None:
    """One row for each dispute and sale: of what refunds have left, else, for it takes what was returned, of the first."""
    disputes = [fact for fact in facts if fact.kind is ReturnKind.DISPUTE]
    taking, _ = share_out([fact for fact in disputes if fact.counts], room, over=True)
    whole = {sale.id: sale.amount.minor for sale in sales}
    without = [share for fact in disputes if not fact.counts for share in share_out([fact], whole, over=True)[0]]
    rows = [
        row for sale in sales for row in session.ledger.refunds_of(sale.id)
        if row.kind is EntryKind.DISPUTE and row.origin == "provider"
    ]  # fmt: skip
    by_id, fresh = {sale.id: sale for sale in sales}, []
    for share in [*taking, *without]:
        alike = [row for row in rows if row.reference == share.reference]
        row = next((one for one in alike if one.refunds == share.sale), alike[0] if alike else None)
        state, amount = _DISPUTE_STATES[share.state], Money(share.minor, charge.amount.currency)
        done_on = None if state is EntryState.OPENED else business_date(now, services.rules.zone)
        if row is None:
            row = _row(services, charge, by_id[share.sale], EntryKind.DISPUTE, amount, share.reference, state, now)
            row = attrs.evolve(row, done_on=done_on, due_by=share.due_by, remarks=share.reason)
            fresh.append(row)
        else:
            rows.remove(row)
            news = attrs.evolve(row, amount=amount, state=state, refunds=share.sale, due_by=share.due_by)
            if news == row:
                continue
            row = news if state is row.state else attrs.evolve(news, done_on=done_on)
            session.ledger.follow(row)
        after = {"entry": row.id, "sale": share.sale, "amount": str(amount), "state": state.value}
        record(services, session, charge, "provider_dispute", {**after, "reference": share.reference}, now)
    for row in rows:
        if not row.state.without_effect:  # its sum is in another row of the same dispute
            session.ledger.follow(attrs.evolve(row, state=EntryState.WON, remarks="counted with another sale"))
    session.ledger.insert_many(fresh)


def _follow_excess(
    services: Services,
    session: Session,
    charge: Charge,
    facts: Sequence[Return],
    over: Mapping[str, int],
    now: dt.datetime,
) -> None:
    """What went back and no row can hold is a discrepancy, for as long as it is so: too much, or in another currency."""
    currency = charge.amount.currency
    excess = {(charge.reference if "#" in name else name): Money(minor, currency) for name, minor in over.items()}
    foreign = {fact.amount.currency for fact in facts} - {currency}
    for other in sorted(foreign):
        alike = [fact for fact in facts if fact.amount.currency == other]
        excess |= {fact.reference: fact.amount for fact in alike if fact.gone and fact.kind is not ReturnKind.TOTAL}
        if rest := unnamed(alike, 0, other):
            excess[charge.reference] = Money(rest, other)
    discrepancies.follow(services, session, charge, excess, now)


def _row(
    services: Services,
    charge: Charge,
    sale: LedgerEntry,
    kind: EntryKind,
    share: Money,
    reference: str,
    state: EntryState,
    now: dt.datetime,
) -> LedgerEntry:
    return LedgerEntry(
        services.new_id(),
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
        reference=reference,
        charge_id=charge.id,
        refunds=sale.id,
        remarks="made at the provider",
    )


def _sales(session: Session, charge: Charge) -> list[LedgerEntry]:
    return [row for row in session.ledger.for_charge(charge.id) if row.kind.sale]


def _refunds(session: Session, sales: Sequence[LedgerEntry]) -> list[Refund]:
    return [refund for sale in sales for refund in session.refunds.for_entry(sale.id)]
