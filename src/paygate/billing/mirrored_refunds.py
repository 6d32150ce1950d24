"""Refunds that were made in a provider's console, as rows that say what the provider says of them (R-314, R-321).

What a total brought without a name is the same money as the refund that is named later. So a row may come to bear another
name, sum or sale, with a record of it; observers are told of each amount once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import attrs

from ..clock import business_date
from ..domain.audit import AuditRecord
from ..domain.charge import Charge, Refund, RefundState
from ..domain.contract import Actor, ActorKind
from ..domain.ledger import EntryKind, EntryState, LedgerEntry
from ..domain.refunding import refunded_note
from ..domain.returning import ReturnState, Share
from ..money import Money
from ..store import Session
from .outbox import put
from .services import Services, fingerprint

__all__ = ["alive", "is_nameless", "made_there", "mirror_refunds", "nameless", "record"]

_STATES = {ReturnState.PENDING: RefundState.PENDING, ReturnState.DONE: RefundState.DONE}


def made_there(refund: Refund) -> bool:
    """Whether it was made at the provider, and not asked for by paygate."""
    return refund.actor.kind is ActorKind.PROVIDER


def alive(refund: Refund) -> bool:
    """Whether its money is away, or about to go."""
    return refund.state is not RefundState.FAILED


def nameless(charge: Charge) -> str:
    """Stands for the reference of what the provider counts, but has not named."""
    return f"{charge.reference}#1"


def is_nameless(refund: Refund) -> bool:
    """Whether the provider has not named it."""
    return "#" in (refund.reference or "")


def record(
    services: Services, session: Session, charge: Charge, action: str, after: Mapping[str, object], now: dt.datetime
) -> None:
    """Write down what a provider's report changed."""
    actor = Actor.provider(charge.account)
    before, why = {"charge": charge.id}, "made at the provider"
    session.audit.insert_many(
        [AuditRecord(services.new_id(), now, actor, action, charge.contract_id, before, after, why)]
    )


def mirror_refunds(
    services: Services,
    session: Session,
    charge: Charge,
    sales: Sequence[LedgerEntry],
    shares: Sequence[Share],
    failed: Collection[str],
    now: dt.datetime,
) -> None:
    """Let the refunds of *charge* that were made at the provider be *shares*, and tell of money that was not told of.

    :param failed: references of refunds that did not reach the customer after all.
    """
    by_id = {sale.id: sale for sale in sales}
    known = [one for sale in sales for one in session.refunds.for_entry(sale.id) if made_there(one)]
    rows = {one.id: session.ledger.get(one.refund_entry_id) for one in known}
    left = [one for one in known if alive(one)]
    told = {one.id: one.amount.minor for one in left if one.settled_at is not None}
    made: list[Refund] = []
    for share, refund in _matched(shares, left, failed):
        news = _fresh(services, charge, share, now) if refund is None else refund
        amount, state = Money(share.minor, charge.amount.currency), _STATES[share.state]
        news = attrs.evolve(news, amount=amount, state=state, entry_id=share.sale, reference=share.reference)
        made.append(_write(services, session, charge, refund, news, by_id[share.sale], rows, now))
    fails: list[Refund] = []
    for refund in left:
        ended = attrs.evolve(refund, state=RefundState.FAILED, settled_at=now)
        fails.append(_write(services, session, charge, refund, ended, by_id[refund.entry_id], rows, now))
    _tell(services, session, made, fails, failed, told, now)


def _matched(shares: Sequence[Share], left: list[Refund], failed: Collection[str]) -> list[tuple[Share, Refund | None]]:
    """Each share with the refund that records it, taken out of *left*: by its name, else one whose name nobody needs."""
    needed = {share.reference for share in shares} | set(failed)
    found: dict[int, Refund] = {}

    def take(number: int, fits: Sequence[Refund]) -> None:
        if number not in found and fits:
            found[number] = fits[0]
            left.remove(fits[0])

    for number, share in enumerate(shares):
        take(number, [one for one in left if (one.reference, one.entry_id) == (share.reference, share.sale)])
    for number, share in enumerate(shares):
        take(number, [one for one in left if one.reference == share.reference])
    for number, _ in enumerate(shares):
        take(number, [one for one in left if one.reference not in needed])
    return [(share, found.get(number)) for number, share in enumerate(shares)]


def _fresh(services: Services, charge: Charge, share: Share, now: dt.datetime) -> Refund:
    id_ = services.new_id()
    return Refund(
        id=id_,
        contract_id=charge.contract_id,
        account=charge.account,
        entry_id=share.sale,
        refund_entry_id=services.new_id(),
        amount=Money(share.minor, charge.amount.currency),
        idempotency_key=f"provider/{id_}",
        fingerprint=fingerprint("provider", id_),
        reason="made at the provider",
        actor=Actor.provider(charge.account),
        created_at=now,
    )


def _write(
    services: Services,
    session: Session,
    charge: Charge,
    known: Refund | None,
    news: Refund,
    sale: LedgerEntry,
    rows: Mapping[str, LedgerEntry],
    now: dt.datetime,
) -> Refund:
    """Store *news* and its row; *known* is what was there. ``settled_at`` stays while its money has been told."""
    done, today = news.state is RefundState.DONE, business_date(now, services.rules.zone)
    if done and news.settled_at is None:
        news = attrs.evolve(news, settled_at=now)
    state = EntryState(news.state.value)
    if known is None:
        row = LedgerEntry(
            news.refund_entry_id,
            charge.contract_id,
            charge.customer_id,
            EntryKind.REFUND,
            news.amount,
            state,
            purchased_on=today,
            target_on=sale.target_on,
            received_at=now,
            actor=news.actor,
            account=charge.account,
            reference=news.reference,
            charge_id=charge.id,
            refunds=sale.id,
            remarks="made at the provider",
            done_on=today if done else None,
        )
        session.ledger.insert_many([row])
        session.refunds.insert(news)
    elif news != known:
        before = rows[known.id]
        done_on = (before.done_on or today) if done else None
        session.refunds.follow(news)
        session.ledger.follow(
            attrs.evolve(
                before, amount=news.amount, state=state, reference=news.reference, refunds=sale.id, done_on=done_on
            )
        )
    else:
        return news
    after = {"refund": news.id, "entry": sale.id, "amount": str(news.amount), "state": news.state.value}
    record(services, session, charge, "provider_refund", {**after, "reference": news.reference}, now)
    return news


def _tell(
    services: Services,
    session: Session,
    made: Sequence[Refund],
    fails: Sequence[Refund],
    failed: Collection[str],
    told: Mapping[str, int],
    now: dt.datetime,
) -> None:
    """Tell observers of the money that is new among what is done, and of what came back.

    :param told: minor units of each refund that had been told before.
    """
    counted = [one for one in made if one.settled_at is not None]
    named = [one for one in fails if one.reference in failed]
    before = sum(told.values()) - sum(told.get(one.id, 0) for one in named)
    fresh = sum(one.amount.minor for one in counted) - before
    for one in [*named, *(one for one in fails if is_nameless(one) and fresh < 0)]:
        _put(services, session, one, one.amount, now)
    done = [one for one in counted if one.state is RefundState.DONE]
    for one in sorted(done, key=lambda refund: refund.id in told):
        part = Money(min(fresh, one.amount.minor), one.amount.currency) if fresh > 0 else None
        if part is None:
            return
        fresh -= part.minor
        _put(services, session, one, part, now)
        sale = session.ledger.get(one.entry_id)
        note = refunded_note(part, now, services.rules.zone)
        session.ledger.set_state(sale.id, sale.state, remarks="; ".join(filter(None, (sale.remarks, note))))


def _put(services: Services, session: Session, refund: Refund, amount: Money, now: dt.datetime) -> None:
    payload = {"refund_id": refund.id, "amount": amount.minor}
    put(services, session, "on_refund", payload, contract_id=refund.contract_id, now=now)
