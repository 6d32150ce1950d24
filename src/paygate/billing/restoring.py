"""After a backup was restored: what the provider knows and the database has forgotten is found before anything is charged.

Periods that began by the day of the restore may have been paid in the time between the backup and the restore. Their
attempts have ids that are made of account, contract, period and number, so the provider can be asked for them. What it has
is recorded instead of charging again. Where it cannot be asked, or where not finding an attempt proves nothing, a person
has to look; the attempt is recorded as unknown and not sent (R-286).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TypeAlias

import attrs

from ..clock import business_date
from ..domain.audit import AuditRecord
from ..domain.charge import Charge, ChargeKind
from ..domain.contract import Actor, Contract
from ..domain.operations import require_admin
from ..flow import call
from ..money import Money
from ..provider import ChargeRequest, ChargeResult, Lookup, LookupRequest
from ..store import Restore, Session
from .period_charges import next_number, period_charge
from .problems import LeftAlone, Troubles
from .services import Services

__all__ = ["HELD", "Known", "Suspect", "asked_since", "look_for", "restored", "suspect"]

Requests: TypeAlias = Callable[[Charge, str, str], ChargeRequest]

#: The code of an attempt that was not sent because it may have been made before the backup was restored.
HELD = "restored_from_backup"

#: Attempts that were never sent leave gaps in the numbers: so many after the next one are looked for, too.
_AHEAD = 3

#: How much earlier than the newest thing in the backup the provider is asked from: clocks differ.
_MARGIN = dt.timedelta(days=1)


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
    :param looked_at: an attempt of the period was made after the restore and has ended: a person or a look-up has said
        that the period was not paid before it.
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
    looked_at = any(not made.open and made.created_at >= restore.at for made in attempts)
    return Suspect(contract, period, price, next_number(attempts), _since(restore, period), looked_at)


def _since(restore: Restore, period: dt.date) -> dt.datetime:
    begin = dt.datetime.combine(period, dt.time(), dt.UTC)
    return (begin if restore.since is None else restore.since) - _MARGIN


async def look_for(services: Services, troubles: Troubles, case: Suspect, request: Requests) -> Known:
    """Ask the provider for the attempts at a period.

    :param request: makes what the provider is asked for of an attempt.
    :raises LeftAlone: it gave no answer; nothing is charged before it has.
    """
    account = services.plugins.account(case.contract.account)
    lookup = account.capabilities.lookup
    if lookup is not Lookup.NONE:
        for number in range(case.number, case.number + 1 + _AHEAD):
            charge = period_charge(services, case.contract, case.period, case.price, number)
            key = account.capabilities.idempotency.key_for(charge.id)
            asked = attrs.evolve(request(charge, case.contract.credential or "", key), requested_at=case.since)
            found = None
            with troubles.asking(account.name):
                found = await account.find_charge(LookupRequest(asked, None))
            if found is None:
                raise LeftAlone(
                    "not_looked_up",
                    f"the database was restored from a backup, and {account.name} gave no answer about the period of "
                    f"{case.period}; it is not charged before it is known whether it was paid",
                )
            if isinstance(found.result, ChargeResult):
                return Known(number, found.result)
    if lookup is Lookup.AUTHORITATIVE or case.looked_at:
        return Known(case.number)
    text = (
        "not sent: the database was restored from a backup, and this period may have been charged before that; "
        + ("it cannot be looked up" if lookup is Lookup.NONE else "it was not found, which proves nothing")
        + ". If the provider's console does not show it, say so, and it is charged by the next run"
    )
    return Known(case.number, attrs.evolve(ChargeResult.unknown(text), code=HELD))


def asked_since(session: Session, charge: Charge) -> dt.datetime:
    """From when on a provider may have taken *charge*: earlier than it was written down, if a backup was restored."""
    if charge.kind is not ChargeKind.PERIOD or charge.period_start is None:
        return charge.created_at
    restore = session.restores.latest()
    if restore is None or charge.created_at < restore.at:
        return charge.created_at
    return min(charge.created_at, _since(restore, charge.period_start))
