"""Refunds and disputes made at the provider: kept as facts of the charge, and the ledger made to agree with them.

Whatever order the reports come in, the facts end up alike, and so does the ledger (R-314 to R-319). No refund or dispute
changes a contract (R-246); whoever runs the shop is told of each, and decides.
"""

from __future__ import annotations

import datetime as dt

from ..domain.charge import Charge, ChargeState
from ..domain.ledger import LedgerEntry
from ..domain.returning import Payment, Return, ReturnKind, dispute_fact, merged, refund_fact, returned, total_fact
from ..money import Money
from ..provider import ChargeResult, ProviderEvent
from ..store import Session
from . import discrepancies
from .returns_ledger import book, booked_nameless, facts_of, tell
from .services import Services

__all__ = [
    "book",
    "follow_refund",
    "gone_back",
    "named_before",
    "named_by_event",
    "named_by_result",
    "told",
]


def named_by_result(
    services: Services, session: Session, charge: Charge, result: ChargeResult, now: dt.datetime
) -> bool:
    """Keep what the result of a charge says to have gone back of it, or to be disputed.

    :returns: whether it said anything; then :func:`book` has to follow.
    """
    payment = _payment(charge, result.reference or charge.reference, now)
    facts = [dispute_fact(payment, dispute, services.new_id()) for dispute in result.disputes]
    if result.refunded:
        facts.append(total_fact(payment, result.refunded, services.new_id()))
    for fact in facts:
        _keep(services, session, charge, fact, now)
    return bool(facts)


def named_by_event(
    services: Services, session: Session, charge: Charge, event: ProviderEvent, now: dt.datetime
) -> None:
    """Keep what an event says about a refund or dispute of *charge* that paygate did not ask for."""
    payment = _payment(charge, event.charge_reference or charge.reference, now)
    fact = _fact_in(services, session, payment, event, charge.amount.currency)
    if fact is not None:
        _keep(services, session, charge, fact, now)


def named_before(services: Services, session: Session, account: str, event: ProviderEvent, now: dt.datetime) -> None:
    """Keep what an event says about a payment that paygate does not know, or does not know yet.

    The report of a charge that the provider makes by itself may come after that of its refund.
    """
    if event.charge_reference is None:
        return
    currency = event.dispute.amount.currency if event.dispute is not None else ""
    if event.refund is not None and event.refund.amount is not None:
        currency = event.refund.amount.currency
    fact = _fact_in(services, session, Payment(account, "", "", event.charge_reference, now), event, currency)
    if fact is not None:
        _keep(services, session, None, fact, now)


def _fact_in(
    services: Services, session: Session, payment: Payment, event: ProviderEvent, currency: str
) -> Return | None:
    if event.dispute is not None:
        return dispute_fact(payment, event.dispute, services.new_id())
    if event.refund is None or event.refund.reference is None:
        return None
    known = session.returns.get(payment.account, ReturnKind.REFUND, event.refund.reference)
    # a failure need not repeat the sum; one that was never heard of before is nothing that could fail
    amount = event.refund.amount or (known.amount if known else None)
    if amount is None and not currency:
        return None
    return refund_fact(payment, event.refund, amount or Money(0, currency), services.new_id())


def told(services: Services, session: Session, charge: Charge, reference: str | None, now: dt.datetime) -> None:
    """Let the records follow the facts about the payment *reference*: the charge's own, or a second one of its attempt."""
    if reference is None or charge.reference in {None, reference}:
        book(services, session, charge, now)
    if reference is not None and (charge.reference != reference or charge.state is not ChargeState.SUCCEEDED):
        about = session.discrepancies.by_reference(charge.account, reference)
        discrepancies.gone_back(services, session, about, facts_of(session, charge, reference), now)


def gone_back(session: Session, charge: Charge, reference: str | None) -> bool:
    """Whether everything of the payment *reference* of *charge* is known to have gone back (R-315)."""
    facts = facts_of(session, charge, reference)
    return bool(facts) and returned(facts, charge.amount.currency) >= charge.amount.minor


def follow_refund(services: Services, session: Session, row: LedgerEntry, now: dt.datetime) -> None:
    """Compare again what the provider has counted, now that a refund of paygate's own of *row* has a result.

    What seemed to be one refund too many may have been this one, before its reference was known.
    """
    charge = session.charges.get(row.charge_id) if row.charge_id else None
    if charge is not None:
        book(services, session, charge, now)


def _payment(charge: Charge, reference: str | None, now: dt.datetime) -> Payment:
    return Payment(charge.account, charge.id, charge.contract_id, reference, now)


def _keep(services: Services, session: Session, charge: Charge | None, fact: Return, now: dt.datetime) -> None:
    """Write *fact* down, or what it adds to what is known, and tell the operator what is new.

    :param charge: None while nobody knows whose payment it is.
    """
    known = session.returns.get(fact.account, fact.kind, fact.reference)
    if known is None:
        session.returns.insert(fact)
        if charge is not None and not _was_counted(session, charge, fact):
            tell(services, session, charge, fact, now)
        return
    news = merged(known, fact)
    if news == known:
        return
    session.returns.update(news)
    if charge is not None and ((news.state, news.amount) != (known.state, known.amount) or not known.charge_id):
        tell(services, session, charge, news, now)


def _was_counted(session: Session, charge: Charge, fact: Return) -> bool:
    """Whether *fact* only names a refund that the operator was told of, when the provider's total rose (R-322)."""
    return fact.kind is ReturnKind.REFUND and fact.counts and 0 < fact.amount.minor <= booked_nameless(session, charge)
