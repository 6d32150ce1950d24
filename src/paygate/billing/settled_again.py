"""Charges that have succeeded are looked up again for what a notice would have told: money that went back, or disputes.

A notice can be lost, and nobody asks about what is settled. So whoever runs the shop has the charges of the last days looked
up from time to time, and a refund that its provider refuses has its charge looked up at once, because what is to be returned
may have gone back already (R-329).
"""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from ..clock import require_aware
from ..domain.charge import Charge, ChargeState
from ..domain.contract import Actor, Contract
from ..domain.discrepancy import Source
from ..errors import InvalidValue, NotFound
from ..flow import call
from ..provider import ChargeResult, Lookup, LookupRequest, Outcome
from ..store import Session
from .problems import Troubles
from .restoring import asked_since
from .services import Services
from .settling import apply_charge, charge_request

__all__ = ["look_again_at_settled", "look_behind_refund", "moment"]

_PAGE = 100
_SAYS = frozenset({Outcome.SUCCEEDED, Outcome.DECLINED})


def moment(services: Services, since: dt.timedelta | dt.date | dt.datetime) -> dt.datetime:
    """From when on charges are looked at again, UTC.

    :param since: how long back, a business day from its beginning, or an instant.
    :raises InvalidValue: none of these, or it has not come yet.
    :raises NaiveDatetime: an instant without a zone (R-002).
    """
    now = services.now()
    if isinstance(since, dt.timedelta):
        at = now - since if since <= now - dt.datetime.min.replace(tzinfo=dt.UTC) else now
    elif isinstance(since, dt.datetime):
        at = require_aware(since, "settled_since")
    elif isinstance(since, dt.date):
        at = dt.datetime.combine(since, dt.time(), services.rules.zone).astimezone(dt.UTC)
    else:
        raise InvalidValue(f"settled_since is a timedelta, a date or an aware datetime, got {since!r}", rule="R-329")
    if at > now:
        raise InvalidValue(f"settled_since lies in the past, got {since!r}", rule="R-329")
    return at


async def look_again_at_settled(services: Services, since: dt.datetime, troubles: Troubles) -> list[str]:
    """Look up every charge that succeeded from *since* on, oldest first, where its provider can be asked.

    :returns: ids of the charges of which something new was learnt.
    """
    changed: list[str] = []
    after: str | None = None
    while page := await call(partial(_page, services, since, after)):
        for charge in page:
            after = charge.id
            item = {"account": charge.account, "contract_id": charge.contract_id, "charge_id": charge.id}
            with troubles.isolated(**item):
                if await _look(services, charge, troubles):
                    changed.append(charge.id)
    return changed


async def look_behind_refund(services: Services, entry_id: str) -> None:
    """A refund of the row *entry_id* was refused: record what has gone back of its charge already, if it can be asked."""

    def read() -> Charge | None:
        with services.store.read() as session:
            row = session.ledger.get(entry_id)
            return session.charges.get(row.charge_id) if row.charge_id else None

    charge = await call(read)
    if charge is not None and charge.state is ChargeState.SUCCEEDED:
        troubles = Troubles()
        with troubles.isolated(account=charge.account, charge_id=charge.id):
            await _look(services, charge, troubles)


def _page(services: Services, since: dt.datetime, after: str | None) -> list[Charge]:
    with services.store.read() as session:
        return session.charges.succeeded_since(since, after, _PAGE)


async def _look(services: Services, charge: Charge, troubles: Troubles) -> bool:
    contract, since = await call(partial(_behind, services, charge))
    if contract is None or not services.plugins.has(charge.account):
        return False
    account = services.plugins.account(charge.account)
    if account.capabilities.lookup is Lookup.NONE:
        return False
    key = account.capabilities.idempotency.key_for(charge.id)
    request = attrs.evolve(charge_request(charge, contract.credential or "", key), requested_at=since)
    found = None
    with troubles.asking(account.name):
        found = await account.find_charge(LookupRequest(request, charge.reference))
    result = found.result if found is not None else None
    if not isinstance(result, ChargeResult) or result.outcome not in _SAYS:
        return False  # what is not found proves nothing about what is recorded
    return await call(partial(_apply, services, charge, result))


def _behind(services: Services, charge: Charge) -> tuple[Contract | None, dt.datetime]:
    """The contract of *charge*, if its account is in the same mode (X-24), and since when it may have been taken."""
    with services.store.read() as session:
        try:
            contract = session.contracts.get(charge.contract_id)
        except NotFound:
            return None, charge.created_at
        return contract if services.in_mode(contract) else None, asked_since(session, charge)


def _apply(services: Services, charge: Charge, result: ChargeResult) -> bool:
    with services.store.write() as session:
        before = _known(session, charge)
        actor, source = Actor.provider(charge.account), Source.LOOKUP
        apply_charge(services, session, charge, result, actor=actor, now=services.now(), source=source)
        return _known(session, charge) != before


def _known(session: Session, charge: Charge) -> tuple[object, ...]:
    facts = session.returns.of_charge(charge.id, charge.account, charge.reference)
    return (*facts, *session.discrepancies.of_attempt(charge.id))
