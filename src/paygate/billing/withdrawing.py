"""Ending a charge that the customer has not confirmed in time, without losing a success that comes late (R-336).

The provider has been asked first, and said that it still waits. Where it can withdraw a charge, it does; only when it says so
is the charge over. Where it cannot, the charge is recorded as failed and looked at for some time more: should the customer
confirm it after all, the money is booked and the operator told, as of any late success.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

from ..domain.charge import Charge
from ..domain.contract import Actor, Contract
from ..domain.discrepancy import Source
from ..errors import PaygateError
from ..flow import call
from ..provider import ChargeResult, Found, Lookup, LookupRequest, Outcome
from . import customer_action, logs
from .problems import Troubles
from .services import Services
from .settling import apply_charge, charge_request, contract_behind

__all__ = ["look_again", "withdraw"]

#: How long after its end a charge is looked at that could not be withdrawn.
_STILL_LOOKED_AT = dt.timedelta(days=30)


async def withdraw(services: Services, charge: Charge, contract: Contract) -> Charge:
    """End *charge*, whose deadline has passed; it stays open where its provider gives no answer."""
    account = services.plugins.account(charge.account)
    result: ChargeResult | None = customer_action.expired(charge)
    if account.capabilities.cancels_charges:
        result = await _withdrawn(services, charge, contract)
    if result is None:
        return charge
    return await call(partial(_apply, services, charge, result))


async def _withdrawn(services: Services, charge: Charge, contract: Contract) -> ChargeResult | None:
    """What the charge is after it was withdrawn; None where that is not known yet."""
    account = services.plugins.account(charge.account)
    try:
        found = await account.cancel_charge(_request(services, charge, contract))
    except PaygateError as exc:  # nothing is lost: the next reconciliation asks again
        logs.not_withdrawn(charge, exc)
        return None
    result = found.result
    if not isinstance(result, ChargeResult) or result.outcome not in {Outcome.DECLINED, Outcome.SUCCEEDED}:
        return None
    return customer_action.expired(charge) if result.outcome is Outcome.DECLINED else result


async def look_again(services: Services, troubles: Troubles) -> None:
    """Look at charges that ended because nobody confirmed them: a success that comes late is money all the same."""
    for charge in await call(partial(_expired, services)):
        with troubles.isolated(account=charge.account, charge_id=charge.id):
            await _look(services, charge, troubles)


async def _look(services: Services, charge: Charge, troubles: Troubles) -> None:
    account = services.plugins.account(charge.account)
    if account.capabilities.lookup is Lookup.NONE or account.capabilities.cancels_charges:
        return
    contract = await call(partial(_contract, services, charge))
    if not services.in_mode(contract):
        return
    found = Found()
    with troubles.asking(account.name):
        found = await account.find_charge(_request(services, charge, contract))
    if isinstance(found.result, ChargeResult) and found.result.outcome is Outcome.SUCCEEDED:
        await call(partial(_apply, services, charge, found.result))


def _request(services: Services, charge: Charge, contract: Contract) -> LookupRequest:
    key = services.plugins.account(charge.account).capabilities.idempotency.key_for(charge.id)
    return LookupRequest(charge_request(charge, contract.credential or "", key), charge.reference)


def _contract(services: Services, charge: Charge) -> Contract:
    with services.store.read() as session:
        return contract_behind(session, charge)


def _expired(services: Services) -> list[Charge]:
    with services.store.read() as session:
        return session.charges.unconfirmed(services.now() - _STILL_LOOKED_AT)


def _apply(services: Services, charge: Charge, result: ChargeResult) -> Charge:
    with services.store.write() as session:
        actor, source = Actor.provider(charge.account), Source.LOOKUP
        return apply_charge(services, session, charge, result, actor=actor, now=services.now(), source=source)
