"""What follows a decline as a duplicate: the earlier payments are looked up (R-332, R-339).

A provider that refuses a charge as a duplicate says that it has seen the same one shortly before. So one that paygate holds
for failed may have taken the money after all. Whatever is found is recorded; then a person decides, unless the duplicate is
explained: paygate itself has just sent the same amount for another payment on the card, and no attempt of this one took any
money. Such a period is tried again by itself.

Whoever records the decline follows it up; if that process dies, reconciliation does.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from ..clock import business_date
from ..domain.audit import AuditRecord
from ..domain.charge import Charge, ChargeKind, ChargeState, Purpose
from ..domain.contract import Actor, Contract, Status
from ..domain.discrepancy import Source
from ..domain.followup import Next, NoticeKind, tell_both
from ..errors import ConfigurationError, NotFound, OutcomeUnknown, ProviderUnavailable
from ..flow import call
from ..provider import ChargeResult, DeclineClass, Lookup, LookupRequest, Outcome
from ..store import Session
from .forecast import unpaid_period
from .outbox import operator, put
from .packing import pack
from .services import Services
from .settling import apply_charge, charge_request, contract_behind

__all__ = ["clear", "follow_up", "follow_up_reported"]

#: How long before the duplicate the earlier payment may have been made. A paid one that is older than the second span is
#: the regular payment of an earlier period.
_BEFORE, _PAID_BEFORE = dt.timedelta(days=31), dt.timedelta(days=7)
_MOST = 10
#: How long before a duplicate another payment may have been sent that explains it: within the provider's window and what
#: a request may be on its way; where the provider names no window, a day.
_ON_ITS_WAY, _VERY_RECENTLY = dt.timedelta(minutes=5), dt.timedelta(days=1)


@attrs.define
class _Seen:
    """What is known of the earlier attempts.

    :param paid: took the money. :param waiting: have no result yet. :param unpaid: certainly took nothing.
    :param unseen: could not be looked up.
    """

    paid: list[Charge] = attrs.field(factory=list)
    waiting: list[Charge] = attrs.field(factory=list)
    unpaid: list[Charge] = attrs.field(factory=list)
    unseen: list[Charge] = attrs.field(factory=list)


async def follow_up(services: Services, charge: Charge) -> None:
    """Look the payments up of which *charge* may be a duplicate, record what is found, and tell the operator, once."""
    if not charge.doubted or charge.operator_told:
        return
    seen = _Seen()
    for earlier, contract in await call(partial(_earlier, services, charge)):
        known = earlier
        refused = earlier.failure is not None and earlier.failure.decline is DeclineClass.DUPLICATE
        if (
            earlier.state is not ChargeState.SUCCEEDED and not refused
        ):  # what is refused as a duplicate took nothing itself
            result = await _found(services, earlier, contract)
            if result is None or result.outcome is Outcome.UNKNOWN:
                (seen.waiting if earlier.open else seen.unseen).append(earlier)
                continue
            if earlier.open or result.outcome is Outcome.SUCCEEDED:
                known = await call(partial(_apply, services, earlier, result))
        if known.state is ChargeState.SUCCEEDED:
            if _owed_once(known, charge) or charge.created_at - known.created_at <= _PAID_BEFORE:
                seen.paid.append(known)
        elif known.open:
            seen.waiting.append(known)
        else:
            seen.unpaid.append(known)
    await call(partial(_conclude, services, charge, seen))


async def follow_up_reported(services: Services, charge_id: str) -> None:
    """:func:`follow_up` for a charge of which a webhook has told."""

    def read() -> Charge:
        with services.store.read() as session:
            return session.charges.get(charge_id)

    await follow_up(services, await call(read))


def _earlier(services: Services, charge: Charge) -> list[tuple[Charge, Contract]]:
    """The latest attempts on the card over the same amount before *charge*, with their contracts, newest first."""
    with services.store.read() as session:
        made = session.cards.charges(charge.account, charge.credential_hash, charge.created_at - _BEFORE)
        before = [
            one
            for one in reversed(made)
            if one.id != charge.id
            and one.amount == charge.amount
            and one.created_at <= charge.created_at
            and (one.failure is None or one.failure.sent)
        ]
        # of the payment itself each, however many others there are
        alike = [one for place, one in enumerate(before) if place < _MOST or _owed_once(one, charge)]
        behind = [(one, contract_behind(session, one)) for one in alike if _has_contract(session, one)]
    return [(one, contract) for one, contract in behind if services.in_mode(contract)]


def _has_contract(session: Session, charge: Charge) -> bool:
    return session.contracts.exists(charge.contract_id) or session.charges.draft(charge.id) is not None


async def _found(services: Services, charge: Charge, contract: Contract) -> ChargeResult | None:
    """What the provider says of *charge*; None where it cannot be asked or knows nothing that proves anything."""
    account = services.plugins.account(charge.account)
    if account.capabilities.lookup is Lookup.NONE:
        return None
    request = charge_request(charge, contract.credential or "", account.capabilities.idempotency.key_for(charge.id))
    try:
        found = await account.find_charge(LookupRequest(request, charge.reference))
    except (ProviderUnavailable, OutcomeUnknown, ConfigurationError):
        return None
    if found.result is None and account.capabilities.lookup is Lookup.AUTHORITATIVE and not charge.open:
        return ChargeResult.not_sent("the provider knows nothing of it")
    return found.result if isinstance(found.result, ChargeResult) else None


def _apply(services: Services, charge: Charge, result: ChargeResult) -> Charge:
    with services.store.write() as session:
        actor = Actor.provider(charge.account)
        return apply_charge(services, session, charge, result, actor=actor, now=services.now(), source=Source.LOOKUP)


def _owed_once(one: Charge, other: Charge) -> bool:
    """Whether both are for the same payment, so that a success of one is a success of the other."""
    if one.contract_id != other.contract_id:
        return False
    same = one.kind is other.kind is ChargeKind.PERIOD and one.period_start == other.period_start
    return same or Purpose.ARREARS in {one.purpose, other.purpose}


def _explained_by(services: Services, session: Session, charge: Charge, seen: _Seen) -> str | None:
    """The id of the attempt for another payment that *charge* was taken for a duplicate of; None where a person has to look.

    Every attempt of the payment itself has to be known to have taken nothing.
    """
    doubtful = (*seen.paid, *seen.waiting, *seen.unseen)
    if charge.kind is not ChargeKind.PERIOD or any(_owed_once(one, charge) for one in doubtful):
        return None
    window = services.plugins.account(charge.account).capabilities.duplicate_window
    span = _VERY_RECENTLY if window is None else dt.timedelta(seconds=window) + _ON_ITS_WAY
    own = {charge.id, *(one.id for one in seen.unpaid if _owed_once(one, charge))}
    alike = [
        made
        for made in session.cards.attempts(charge.account, charge.credential_hash)
        if made.id not in own
        and made.amount == charge.amount
        and charge.created_at - span <= made.at <= charge.created_at
    ]
    return alike[-1].id if alike else None


def clear(services: Services, session: Session, charge: Charge, by: str, actor: Actor, note: str) -> Charge:
    """Record that *charge*, declined as a duplicate, was one of another payment: its own period may be tried again."""
    cleared = attrs.evolve(charge, cleared_by=by, operator_told=True)
    session.charges.update(cleared)
    record = AuditRecord(
        id=services.new_id(),
        at=services.now(),
        actor=actor,
        action="resolve_charge",
        contract_id=charge.contract_id,
        before={"charge": charge.id, "state": charge.state.value},
        after={"charge": charge.id, "state": charge.state.value, "duplicate_of": by},
        reason=note,
    )
    session.audit.insert_many([record])
    contract = _locked(session, charge)
    missing = contract.past_due if contract is not None else None
    if contract is not None and missing is not None and missing.given_up and not missing.exhausted:
        # it is tried again: should that be forbidden later, both sides have to hear of it
        session.contracts.update(attrs.evolve(contract, past_due=attrs.evolve(missing, given_up=False)))
    return cleared


def _conclude(services: Services, charge: Charge, seen: _Seen) -> None:
    """Clear the doubt, or leave it to a person; the operator is told either way, once."""
    with services.store.write() as session:
        contract = _locked(session, charge)
        now_known = session.charges.get(charge.id)
        if not now_known.doubted or now_known.operator_told:
            return
        explained = _explained_by(services, session, now_known, seen) if contract is not None else None
        if explained is None or contract is None:
            session.charges.update(attrs.evolve(now_known, operator_told=True))
            _tell(services, session, charge, *_what_is_known(seen))
            return
        note = f"the same amount was sent for another payment on the card shortly before, by {explained}"
        clear(services, session, now_known, explained, Actor.scheduler(), note)
        on = _promise(services, session, contract, now_known)
        when = f"it is tried again on {on}" if on else "it is not tried again, because its attempts are used up"
        known = f"{note}, and no earlier attempt of the period took any money: {when}"
        _tell(services, session, charge, known, "explained" if on else "explained_late", others=explained, on=on)


def _locked(session: Session, charge: Charge) -> Contract | None:
    try:
        return session.contracts.lock(charge.contract_id)
    except NotFound:  # a first payment that made none
        return None


def _promise(services: Services, session: Session, contract: Contract, charge: Charge) -> dt.date | None:
    """Tell both sides that the period is tried again after all; when it is, or None if nobody tries it."""
    missing = contract.past_due
    if contract.status is not Status.PAST_DUE or missing is None or missing.period_start != charge.period_start:
        return None
    unpaid = unpaid_period(services, session, contract)
    on = unpaid.next().on if unpaid is not None else None
    if on is None:
        return None
    now = services.now()
    facts = {"amount": charge.amount, "happened_on": business_date(now, services.rules.zone), "next_attempt_on": on}
    for notice in tell_both(NoticeKind.RENEWAL_HELD_BACK, contract, Next.RETRY, **facts):
        put(services, session, "on_contract_notice", pack(notice), contract_id=contract.id, now=now)
    return on


def _what_is_known(seen: _Seen) -> tuple[str, str, str, int]:
    """For people: what was found, how that is called, which attempts it names, and how many."""
    if named := seen.paid or seen.waiting:
        names = ", ".join(
            f"{one.id} of contract {one.contract_id} ({one.reference or 'no reference'})" for one in named
        )
        ids = ", ".join(one.id for one in named)
        if seen.paid:
            text = f"the same amount was paid on the card by {names}: see whether the customer owes it a second time"
            return text, "paid", ids, len(seen.unpaid)
        text = f"{names} over the same amount has no result yet and may still be paid: wait for it, then look"
        return text, "waiting", ids, len(seen.unpaid)
    if seen.unpaid and not seen.unseen:
        count = len(seen.unpaid)
        text = f"{count} earlier attempt(s) were looked up and are not paid; look in the provider's console"
        return text, "looked_up", "", count
    if seen.unpaid or seen.unseen:
        text = f"{len(seen.unseen)} earlier attempt(s) could not be looked up; look in the provider's console"
        return text, "unseen", "", len(seen.unseen)
    return "no earlier attempt could be looked up; look in the provider's console", "nothing", "", 0


def _tell(
    services: Services,
    session: Session,
    charge: Charge,
    known: str,
    variant: str,
    others: str = "",
    count: int = 0,
    on: dt.date | None = None,
) -> None:
    message = (
        f"charge {charge.id} of {charge.amount} on {charge.account}, contract {charge.contract_id}, was declined as a "
        f"duplicate: {known}"
    )
    if not variant.startswith("explained"):
        message += (
            ". Nothing is repeated by itself; if it was paid, use charges.resolve, and if it was not, resolve it as not "
            "succeeded, which lets the period be tried again"
        )
    facts = {
        "variant": variant,
        "amount": charge.amount,
        "account": charge.account,
        "others": others,
        "count": count,
        "day": on,
    }
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id}
    operator(services, session, "declined_as_duplicate", message, now=services.now(), facts=facts, **ids)
