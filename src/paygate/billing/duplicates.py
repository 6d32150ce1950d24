"""What follows a decline as a duplicate: the earlier payment is looked up, and nothing is repeated (R-332).

A provider that refuses a charge as a duplicate says that it has seen the same one shortly before. So one that paygate holds
for failed may have taken the money after all. Whatever is found is recorded; then a person decides.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from ..domain.charge import Charge, ChargeState
from ..domain.contract import Actor, Contract
from ..domain.discrepancy import Source
from ..errors import ConfigurationError, OutcomeUnknown, ProviderUnavailable
from ..flow import call
from ..provider import ChargeResult, DeclineClass, Lookup, LookupRequest, Outcome
from ..store import Session
from .outbox import operator
from .services import Services
from .settling import apply_charge, charge_request, contract_behind

__all__ = ["follow_up", "follow_up_reported", "is_doubted"]

#: How long before the duplicate the earlier payment may have been made. A paid one that is older than the second span is
#: the regular payment of an earlier period.
_BEFORE, _PAID_BEFORE = dt.timedelta(days=31), dt.timedelta(days=7)
_MOST = 10


def is_doubted(charge: Charge) -> bool:
    """Whether *charge* was declined as a duplicate, so that an earlier one may have been paid in its place."""
    failure = charge.failure
    return charge.state is ChargeState.FAILED and failure is not None and failure.decline is DeclineClass.DUPLICATE


async def follow_up(services: Services, charge: Charge) -> None:
    """Look the payments up of which *charge* may be a duplicate, record what is found, and tell the operator, once."""
    if not is_doubted(charge) or charge.operator_told:
        return
    paid: list[Charge] = []
    asked = 0
    for earlier, contract in await call(partial(_earlier, services, charge)):
        if earlier.state is ChargeState.SUCCEEDED:
            if charge.created_at - earlier.created_at <= _PAID_BEFORE:
                paid.append(earlier)
            continue
        result = await _found(services, earlier, contract)
        asked += result is not None
        if result is not None and result.outcome is Outcome.SUCCEEDED:
            found = await call(partial(_apply, services, earlier, result))
            if found.state is ChargeState.SUCCEEDED:
                paid.append(found)
    await call(partial(_tell, services, charge, paid, asked))


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
        alike = [
            one
            for one in reversed(made)
            if one.id != charge.id and one.amount == charge.amount and one.created_at <= charge.created_at
        ][:_MOST]
        behind = [(one, contract_behind(session, one)) for one in alike if _has_contract(session, one)]
    return [(one, contract) for one, contract in behind if services.in_mode(contract)]


def _has_contract(session: Session, charge: Charge) -> bool:
    return session.contracts.exists(charge.contract_id) or session.charges.draft(charge.id) is not None


async def _found(services: Services, charge: Charge, contract: Contract) -> ChargeResult | None:
    """What the provider says of *charge*; None where it cannot be asked or knows nothing."""
    account = services.plugins.account(charge.account)
    if account.capabilities.lookup is Lookup.NONE:
        return None
    request = charge_request(charge, contract.credential or "", account.capabilities.idempotency.key_for(charge.id))
    try:
        found = await account.find_charge(LookupRequest(request, charge.reference))
    except (ProviderUnavailable, OutcomeUnknown, ConfigurationError):
        return None
    return found.result if isinstance(found.result, ChargeResult) else None


def _apply(services: Services, charge: Charge, result: ChargeResult) -> Charge:
    with services.store.write() as session:
        actor = Actor.provider(charge.account)
        return apply_charge(services, session, charge, result, actor=actor, now=services.now(), source=Source.LOOKUP)


def _tell(services: Services, charge: Charge, paid: list[Charge], asked: int) -> None:
    if paid:
        names = ", ".join(f"{one.id} of contract {one.contract_id} ({one.reference or 'no reference'})" for one in paid)
        known = f"the same amount was paid on the card by {names}: see whether the customer owes it a second time"
    elif asked:
        known = f"{asked} earlier attempt(s) were looked up and are not paid; look in the provider's console"
    else:
        known = "no earlier attempt could be looked up; look in the provider's console"
    message = (
        f"charge {charge.id} of {charge.amount} on {charge.account}, contract {charge.contract_id}, was declined as a "
        f"duplicate: {known}. Nothing is repeated by itself; if it was paid, use charges.resolve"
    )
    facts = {
        "variant": "paid" if paid else "looked_up" if asked else "nothing",
        "amount": charge.amount,
        "account": charge.account,
        "others": ", ".join(one.id for one in paid),
        "count": asked,
    }
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id}
    with services.store.write() as session:
        now_known = session.charges.get(charge.id)
        if not is_doubted(now_known) or now_known.operator_told:
            return
        session.charges.update(attrs.evolve(now_known, operator_told=True))
        operator(services, session, "declined_as_duplicate", message, now=services.now(), facts=facts, **ids)
