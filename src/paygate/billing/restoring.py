"""After a backup was restored: what the provider knows and the database has forgotten is found before anything is charged.

Periods that began by the day of the restore may have been paid in the time between the backup and the restore. Their
attempts have ids that are made of account, contract, period and number, so the provider can be asked for them. What it has
is recorded instead of charging again. It is asked for everything it has of the contract: any number of attempts may have
been used up without being sent (R-286), and arrears that were collected in that time carry another id (R-287). Where it
cannot be asked, where not finding an attempt proves nothing, or where there is money of the contract that the database does
not know, a person has to look; the attempt is recorded as unknown and not sent. How far back it is asked never depends on
what was written after the restore, nor on how often that was said.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import attrs

from ..clock import business_date
from ..domain.audit import AuditRecord
from ..domain.charge import Charge, ChargeKind, Refund
from ..domain.contract import Actor, Contract
from ..domain.operations import require_admin
from ..errors import OutcomeUnknown, ProviderUnavailable
from ..flow import call
from ..ids import derived_id
from ..money import Money
from ..provider import (
    ChargeRequest,
    ChargeResult,
    Found,
    FoundPayment,
    Lookup,
    LookupRequest,
    Outcome,
    RefundRequest,
    RefundResult,
)
from ..store import Restore, Session
from .period_charges import next_number, period_charge
from .problems import LeftAlone, Troubles
from .services import Services
from .settling import charge_request, contract_behind

__all__ = ["HELD", "Known", "Suspect", "asked_since", "is_held", "look_for", "restored", "seen_before", "suspect"]

Attempt: TypeAlias = Callable[[Session], tuple[Charge, str, dt.datetime | None] | None]
Requests: TypeAlias = Callable[[Charge, str, str], ChargeRequest]

#: The code of an attempt that was not sent because it may have been made before the backup was restored.
HELD = "restored_from_backup"

#: Attempts that were never sent leave gaps in the numbers: so many after the next one are looked for, too, among the
#: payments of the contract; and so many where the plugin does not list them and has to be asked for each.
_AHEAD, _AHEAD_ASKED = 1000, 20

#: So long after a restore what is asked for under a caller's key may be a repeat of something forgotten.
_REPEATED = dt.timedelta(days=90)

#: How much earlier than the first instant at which something can have been charged the provider is asked from: the clock
#: of a host may be days ahead.
_MARGIN = dt.timedelta(days=7)


async def restored(services: Services, *, actor: Actor) -> Restore:
    """Note that the database was restored from a backup.

    :raises PermissionDenied: not an administrator (R-267).
    """
    require_admin(actor, "says that a backup was restored")

    def write() -> Restore:
        with services.store.write() as session:
            restore = session.restores.remember()
            since = restore.since and restore.since.isoformat()
            record = AuditRecord(services.new_id(), services.now(), actor, "restored", None, after={"since": since})
            session.audit.insert_many([record])
        return restore

    return await call(write)


@attrs.frozen
class Suspect:
    """A period that may have been paid already, as the database does not know.

    :param number: of the next attempt.
    :param since: from when on the provider may have taken it.
    :param looked_at: a person has said, after the restore, that the period was not paid before it.
    """

    contract: Contract
    period: dt.date
    price: Money
    number: int
    since: dt.datetime
    looked_at: bool


@attrs.frozen
class Known:
    """What there is of the attempts at a period: *result* of the one of that *number*; None: nothing, it may be sent."""

    number: int
    result: ChargeResult | None = None


def suspect(
    services: Services, session: Session, restore: Restore, contract: Contract, period: dt.date, price: Money
) -> Suspect | None:
    """Whether the *period* may have been paid between the backup and its restore."""
    if period > business_date(restore.at, services.rules.zone):
        return None
    attempts = session.charges.of_period(contract.id, period)
    looked_at = any(
        is_held(made) and not made.open and (session.charges.written_at(made.id) or made.created_at) >= restore.at
        for made in attempts
    )
    return Suspect(contract, period, price, next_number(attempts), _since(period), looked_at)


def is_held(charge: Charge) -> bool:
    """Whether *charge* was written down without being sent, for a person to look. Another result takes that mark away."""
    return charge.failure is not None and charge.failure.code == HELD


def _since(period: dt.date) -> dt.datetime:
    """No period is charged before it begins."""
    return dt.datetime.combine(period, dt.time(), dt.UTC) - _MARGIN


async def look_for(services: Services, troubles: Troubles, case: Suspect, request: Requests) -> Known:
    """Ask the provider for the attempts at a period.

    :param request: makes what the provider is asked for of an attempt.
    :raises LeftAlone: it gave no answer; nothing is charged before it has.
    """
    account = services.plugins.account(case.contract.account)
    lookup = account.capabilities.lookup
    forgotten: tuple[str, ...] = ()
    listed = False
    if lookup is not Lookup.NONE:
        found = await _ask(services, troubles, case, request, case.number)
        own = {case.number: found.result} if isinstance(found.result, ChargeResult) else {}
        listed = found.payments is not None
        if found.payments is not None:
            own |= _attempts(services, case, found.payments)
            if not own and not case.looked_at:
                forgotten = await call(partial(_forgotten, services, case.contract, found.payments))
        elif not own:
            own = await _each(services, troubles, case, request)
        if own:
            return Known(*_best(own))
    held = _why_held(case, lookup, forgotten, listed=listed)
    if held is None:
        return Known(case.number)
    return Known(case.number, attrs.evolve(ChargeResult.unknown(held), code=HELD))


def _why_held(case: Suspect, lookup: Lookup, forgotten: tuple[str, ...], *, listed: bool) -> str | None:
    """Why a period of which the provider shows no attempt is not charged; None: it may be."""
    if case.looked_at:
        return None
    begin = "not sent: the database was restored from a backup, and this period may have been charged before that; "
    end = ". If the provider's console does not show it, say so, and it is charged by the next run"
    if forgotten:
        return (
            f"{begin}the provider has money of this contract that the database does not know ({', '.join(forgotten)}), "
            f"which may have paid it{end}"
        )
    if lookup is not Lookup.AUTHORITATIVE:
        return (
            begin
            + ("it cannot be looked up" if lookup is Lookup.NONE else "it was not found, which proves nothing")
            + end
        )
    if case.contract.past_due is not None and not listed:
        return f"{begin}arrears that were collected since the backup cannot be looked up{end}"
    return None


async def _ask(services: Services, troubles: Troubles, case: Suspect, request: Requests, number: int) -> Found:
    """The provider's answer about one attempt, and about the whole contract.

    :raises LeftAlone: it gave none.
    """
    account = services.plugins.account(case.contract.account)
    charge = period_charge(services, case.contract, case.period, case.price, number)
    key = account.capabilities.idempotency.key_for(charge.id)
    asked = attrs.evolve(request(charge, case.contract.credential or "", key), requested_at=case.since)
    with troubles.asking(account.name):
        return await account.find_charge(LookupRequest(asked, None, contract=True))
    raise LeftAlone(
        "not_looked_up",
        f"the database was restored from a backup, and {account.name} gave no answer about the period of "
        f"{case.period}; it is not charged before it is known whether it was paid",
    )


async def _each(services: Services, troubles: Troubles, case: Suspect, request: Requests) -> dict[int, ChargeResult]:
    """The first attempt after the next one that the provider has, where it has to be asked for each."""
    for number in range(case.number + 1, case.number + 1 + _AHEAD_ASKED):
        found = await _ask(services, troubles, case, request, number)
        if isinstance(found.result, ChargeResult):
            return {number: found.result}
    return {}


def _attempts(services: Services, case: Suspect, payments: tuple[FoundPayment, ...]) -> dict[int, ChargeResult]:
    """Those of the *payments* that are attempts at the period which the database does not know, by number."""
    if not payments:
        return {}
    numbers = {
        period_charge(services, case.contract, case.period, case.price, number).id: number
        for number in range(case.number, case.number + 1 + _AHEAD)
    }
    return {numbers[one.charge_id]: one.result for one in payments if one.charge_id in numbers}


def _best(own: dict[int, ChargeResult]) -> tuple[int, ChargeResult]:
    """The attempt that may have taken money; else the first one, whose decline is followed by what follows declines."""
    alive = {number: result for number, result in own.items() if result.outcome not in _TOOK_NOTHING}
    number = min(alive or own, key=lambda one: ((alive or own)[one].outcome is not Outcome.SUCCEEDED, one))
    return number, own[number]


_TOOK_NOTHING = frozenset({Outcome.DECLINED, Outcome.NOT_SENT})


def _forgotten(services: Services, contract: Contract, payments: tuple[FoundPayment, ...]) -> tuple[str, ...]:
    """The provider's ids of the *payments* that took money of the contract, or may have, and are not in the database."""
    missing: dict[str, None] = {}
    with services.store.read() as session:
        for one in payments:
            reference, result = one.result.reference or "", one.result
            if result.outcome in _TOOK_NOTHING or _is_older(contract, result):
                continue
            if session.charges.by_reference(contract.account or "", reference) is None and not (
                one.charge_id and session.charges.exists(one.charge_id)
            ):
                missing[reference] = None
    return tuple(missing)


def _is_older(contract: Contract, result: ChargeResult) -> bool:
    """Whether it was made for an earlier contract of the same id."""
    return result.charged_at is not None and result.charged_at < contract.applied_at - _MARGIN


async def seen_before(
    services: Services, account: str | None, key: str | None, attempt: Attempt
) -> ChargeResult | None:
    """What the provider has of an attempt that a caller asks for under its own *key*, of which the database knows nothing.

    For so long after a restore as orders are repeated the provider is asked first: it may have forgotten the key, but not
    the payment, whose id is made of it (R-284).

    :param attempt: reads what would be asked for, and since when the provider may have it; None: it has been made.
    :returns: None where it has nothing; that is a proof only where its look-up is authoritative.
    :raises ProviderUnavailable: it gave no answer; nothing was sent or written, and the same key may be used again.
    """
    if key is None or account is None or not services.plugins.has(account):
        return None
    plugin = services.plugins.account(account)
    if plugin.capabilities.lookup is Lookup.NONE:
        return None

    def read() -> tuple[Charge, str, dt.datetime | None] | None:
        with services.store.read() as session:
            restore = session.restores.latest()
            if restore is None or session.instant() - restore.at > _REPEATED:
                return None
            return attempt(session)

    asked = await call(read)
    if asked is None:
        return None
    charge, credential, since = asked
    request = charge_request(charge, credential, plugin.capabilities.idempotency.key_for(charge.id))
    try:
        found = await plugin.find_charge(LookupRequest(attrs.evolve(request, requested_at=since and since - _MARGIN)))
    except (OutcomeUnknown, ProviderUnavailable) as exc:
        raise ProviderUnavailable(
            f"the database was restored from a backup, and {account} gave no answer whether it has this payment already "
            f"({exc}); nothing was sent, ask again under the same key",
            provider=account,
            rule="R-284",
        ) from exc
    result = found.result
    return result if isinstance(result, ChargeResult) and result.outcome is not Outcome.NOT_SENT else None


async def refund_seen_before(services: Services, refund: Refund, request: RefundRequest) -> RefundResult | None:
    """What the provider has of a refund under a caller's key; as :func:`seen_before`, but the intent is written already.

    :returns: unknown where it gave no answer: reconciliation asks again; None: nothing, send it.
    """
    plugin = services.plugins.account(refund.account)
    keyed = refund.id == derived_id("refund", refund.account or "", refund.idempotency_key)

    def restored_lately() -> bool:
        with services.store.read() as session:
            restore = session.restores.latest()
            return restore is not None and session.instant() - restore.at <= _REPEATED

    if not keyed or plugin.capabilities.refund_lookup is Lookup.NONE or not await call(restored_lately):
        return None
    try:
        found = (await plugin.find_refund(LookupRequest(attrs.evolve(request, requested_at=None)))).result
    except (OutcomeUnknown, ProviderUnavailable) as exc:
        return RefundResult.unknown(
            f"not sent: the database was restored from a backup, and {plugin.name} gave no answer whether it has this "
            f"refund already ({exc})"
        )
    return found if isinstance(found, RefundResult) else None


def asked_since(session: Session, charge: Charge) -> dt.datetime:
    """From when on a provider may have taken *charge*: earlier than it was written down, if a backup was restored."""
    written = session.charges.written_at(charge.id) or charge.created_at
    asked = min(charge.created_at, written)
    if session.restores.latest() is None:
        return asked
    if charge.kind is ChargeKind.PERIOD and charge.period_start is not None:
        return min(asked, _since(charge.period_start))
    return min(asked, contract_behind(session, charge).applied_at - _MARGIN)
