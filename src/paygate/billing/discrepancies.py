"""Contradictions between the record and what a provider reports: written down once, told at once, closed by people.

No look-up and no webhook closes one; ``charges.resolve``, ``refunds.resolve`` or a recorded refund of the very payment
does (R-311).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial

import attrs

from ..domain.audit import AuditRecord
from ..domain.charge import Charge, Refund
from ..domain.contract import Actor, ActorKind
from ..domain.discrepancy import Discrepancy, DiscrepancyKind, Source, discrepancy_of
from ..domain.returning import Return, returned
from ..errors import InvalidValue
from ..money import Money
from ..provider import ChargeResult, Outcome, RefundResult
from ..store import Session
from . import logs
from .outbox import operator_unlogged
from .services import Services

__all__ = ["chosen", "close", "follow", "gone_back", "note", "refresh", "reopen"]


def note(
    services: Services,
    session: Session,
    attempt: Charge | Refund,
    kind: DiscrepancyKind,
    result: ChargeResult | RefundResult,
    source: Source,
    *,
    now: dt.datetime,
) -> Discrepancy:
    """Write a contradiction down and tell the operator; one that is known already changes nothing (R-312).

    A payment that was still under way, and now has an end, is told once more. A second payment that took nothing is closed
    at once (R-326), and opens again if money is said to have come of it after all.
    """
    found = discrepancy_of(attempt, kind, result, source, id=services.new_id(), now=now)
    nothing_taken = found.their_state is Outcome.DECLINED and kind is DiscrepancyKind.SECOND_REFERENCE
    for known in session.discrepancies.of_attempt(attempt.id):
        if not known.same_report(found):
            continue
        if known.their_amount is not None or (found.their_amount is None and known.their_state is found.their_state):
            return known
        if known.their_state is Outcome.DECLINED and found.their_amount is None:
            return known  # it has ended, and this was on its way before
        found = attrs.evolve(known, their_amount=found.their_amount, their_state=found.their_state)
        session.discrepancies.update(found)
        if found.their_amount is not None and not found.open:  # closed while it was under way, and now it took money
            reopen(services, session, found, now)
            return found
        break
    else:
        if not session.discrepancies.insert(found):
            return found
    if nothing_taken and found.charge_id is not None:
        said = "the provider says that this payment took nothing"
        if found.open:
            close(services, session, [found], said, actor=Actor.provider(found.account), now=now)
        return found
    _tell(services, session, found, now)
    return found


def _closed_by_provider(one: Discrepancy) -> bool:
    return one.resolved_by is not None and one.resolved_by.kind is ActorKind.PROVIDER


def _tell(services: Services, session: Session, found: Discrepancy, now: dt.datetime) -> None:
    what = "charges" if found.charge_id else "refunds"
    message = (
        f"{found.describe()}. Nothing of that has been booked: compare with the provider's console, return there what was "
        f"taken too often, then use {what}.resolve"
    )
    ids = {"contract_id": found.contract_id, "charge_id": found.charge_id, "refund_id": found.refund_id}
    session.after_commit.append(partial(logs.discrepancy, found))
    facts = {
        "variant": found.kind.name,
        "amount": found.our_amount,
        "their_amount": found.their_amount,
        "account": found.account,
        "reference": found.our_reference,
        "their_reference": found.their_reference,
    }
    operator_unlogged(services, session, "discrepancy", message, now=now, facts=facts, **ids)


def refresh(session: Session, attempt: Charge | Refund) -> None:
    """Let the open discrepancies of *attempt* compare with what it has become."""
    for known in session.discrepancies.of_attempt(attempt.id):
        ours = attrs.evolve(known, our_reference=attempt.reference, our_state=attempt.state.value)
        if known.open and known.kind is not DiscrepancyKind.SECOND_REFERENCE and ours != known:
            session.discrepancies.update(ours)


def close(
    services: Services,
    session: Session,
    open_ones: list[Discrepancy],
    note: str,
    *,
    actor: Actor,
    now: dt.datetime,
) -> None:
    """Record what became of *open_ones*."""
    for one in open_ones:
        session.discrepancies.update(attrs.evolve(one, resolved_at=now, resolved_by=actor, note=note))
        record = AuditRecord(
            id=services.new_id(),
            at=now,
            actor=actor,
            action="resolve_discrepancy",
            contract_id=one.contract_id,
            before={"discrepancy": one.id, "kind": one.kind.value, "reference": one.their_reference},
            after={"charge": one.charge_id, "refund": one.refund_id, "amount": str(one.their_amount or "")},
            reason=note,
        )
        session.audit.insert_many([record])


def gone_back(
    services: Services, session: Session, about: Sequence[Discrepancy], facts: Sequence[Return], now: dt.datetime
) -> None:
    """Let what went back of a payment that is not booked count: whole closes its discrepancies, less opens them again.

    What a person has closed stays closed (R-323).
    """
    for one in about:
        theirs = one.their_amount
        if theirs is None or one.kind is DiscrepancyKind.OVER_REFUNDED:
            continue
        back = min(theirs.minor, returned(facts, theirs.currency))
        if back == one.returned or not (one.open or _closed_by_provider(one)):
            continue
        one = attrs.evolve(one, returned=back)  # noqa: PLW2901 - as it is from here on
        session.discrepancies.update(one)
        if back >= theirs.minor:
            close(services, session, [one], "returned at the provider", actor=Actor.provider(one.account), now=now)
        elif not one.open:
            reopen(services, session, one, now)


def follow(
    services: Services, session: Session, charge: Charge, excess: Mapping[str | None, Money], now: dt.datetime
) -> None:
    """Let exactly what went back and no row can hold be open as OVER_REFUNDED, by the provider's reference (R-323).

    What a person has closed stays closed.
    """
    known = [one for one in session.discrepancies.of_attempt(charge.id) if one.kind is DiscrepancyKind.OVER_REFUNDED]
    over = [one for one in known if one.open and excess.get(one.their_reference) != one.their_amount]
    said = "the provider's reports agree with the ledger now"
    close(services, session, over, said, actor=Actor.provider(charge.account), now=now)
    for reference, amount in excess.items():
        result = RefundResult.succeeded(reference or "", amount=amount)
        found = note(services, session, charge, DiscrepancyKind.OVER_REFUNDED, result, Source.WEBHOOK, now=now)
        if _closed_by_provider(found):
            reopen(services, session, found, now)


def reopen(services: Services, session: Session, one: Discrepancy, now: dt.datetime) -> None:
    """What had closed it did not last: it is open again, and the operator is told (R-323)."""
    again = attrs.evolve(one, resolved_at=None, resolved_by=None, note="")
    session.discrepancies.update(again)
    record = AuditRecord(
        id=services.new_id(),
        at=now,
        actor=Actor.provider(one.account),
        action="reopen_discrepancy",
        contract_id=one.contract_id,
        before={"discrepancy": one.id, "kind": one.kind.value, "reference": one.their_reference, "note": one.note},
        after={"charge": one.charge_id, "refund": one.refund_id, "unbooked": again.unbooked},
        reason="what had closed it did not last",
    )
    session.audit.insert_many([record])
    _tell(services, session, again, now)


def chosen(open_ones: list[Discrepancy], reference: str | None) -> list[Discrepancy]:
    """Those of *open_ones* about the payment *reference*; all of them where none is named.

    :raises InvalidValue: none of them is about it.
    """
    if reference is None:
        return open_ones
    named = [one for one in open_ones if one.their_reference == reference]
    if open_ones and not named:
        known = ", ".join(one.their_reference or "without a reference" for one in open_ones)
        raise InvalidValue(f"no open discrepancy is about {reference!r}; there are: {known}", rule="R-311")
    return named
