"""Settling what is PENDING or UNKNOWN: by look-up as declared, or by telling an operator; never by a blind repeat."""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from ..domain.charge import Charge, ChargeState, Refund
from ..domain.contract import Actor, Contract
from ..domain.discrepancy import Source
from ..errors import OutcomeUnknown, ProviderUnavailable
from ..flow import call
from ..provider import ChargeResult, Found, Lookup, LookupRequest, Outcome
from . import aligning
from . import refunds as refund_cases
from .outbox import deliver
from .services import Services
from .settling import apply_charge, charge_request, contract_behind
from .unknowns import charge_still_unknown

__all__ = ["Reconciliation", "look", "run"]


@attrs.frozen
class Reconciliation:
    """What one pass over the open attempts did. Ids of charges and refunds.

    :param subscriptions: ids of contracts whose provider's subscription has been started, refused or ended now.
    :param subscriptions_open: ids of contracts, or of those yet to be made, whose provider gave no answer about it.
    :param discrepancies: ids of charges and refunds of which a provider reports something against the record. No pass
        settles that (R-311); ``charges.discrepancies`` says what it is.
    """

    settled: tuple[str, ...] = ()
    still_open: tuple[str, ...] = ()
    needs_operator: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    subscriptions_open: tuple[str, ...] = ()
    discrepancies: tuple[str, ...] = ()


async def look(services: Services, charge_id: str) -> Charge:
    """Look one attempt up and record what was found; an attempt that has ended is returned as it is."""
    charge, contract = await call(partial(_load, services, charge_id))
    if contract is None or _in_flight(services, charge) or not services.in_mode(contract):
        return (
            charge  # an account of the other mode would say that there is no such charge, which proves nothing
        )
    capabilities = services.plugins.account(charge.account).capabilities
    if capabilities.lookup is Lookup.NONE:
        return await call(partial(_overdue, services, charge))
    found = await _ask(services, charge, contract.credential or "")
    if found is None:
        return await call(partial(_overdue, services, charge))
    result = found.result
    if result is None and capabilities.lookup is Lookup.AUTHORITATIVE:
        result = ChargeResult.not_sent("the provider knows nothing of it")
    if not isinstance(result, ChargeResult) or not _tells(result):
        return await call(partial(_overdue, services, charge))
    settled = await call(partial(_apply, services, charge, result))
    if settled.open:
        return await call(partial(_overdue, services, settled))
    await deliver(services)
    return settled


async def _ask(services: Services, charge: Charge, credential: str) -> Found | None:
    """The provider's answer to a look-up; None if it could not be asked, which proves nothing."""
    account = services.plugins.account(charge.account)
    key = account.capabilities.idempotency.key_for(charge.id)
    try:
        return await account.find_charge(LookupRequest(charge_request(charge, credential, key), charge.reference))
    except (ProviderUnavailable, OutcomeUnknown):
        return None


def _tells(result: ChargeResult) -> bool:
    """Whether it says anything: an unknown outcome does where it names a sum or further payments."""
    return result.outcome is not Outcome.UNKNOWN or result.amount is not None or bool(result.others)


def _load(services: Services, charge_id: str) -> tuple[Charge, Contract | None]:
    """The attempt and, while it is open, the contract that it is for."""
    with services.store.read() as session:
        charge = session.charges.get(charge_id)
        return charge, contract_behind(session, charge) if charge.open else None


def _in_flight(services: Services, charge: Charge) -> bool:
    """Whether another process may be sending it at this moment: then not finding it would prove nothing."""
    young = services.now() - charge.created_at < dt.timedelta(seconds=services.waiting.in_flight)
    return charge.state is ChargeState.PENDING and charge.reference is None and young


def _apply(services: Services, charge: Charge, result: ChargeResult) -> Charge:
    with services.store.write() as session:
        actor, source = Actor.provider(charge.account), Source.LOOKUP
        return apply_charge(services, session, charge, result, actor=actor, now=services.now(), source=source)


def _overdue(services: Services, charge: Charge) -> Charge:
    """Nothing new was learnt: after the waiting time PENDING becomes UNKNOWN (R-193); later an operator is told, once more."""
    age = services.now() - charge.created_at
    if charge.state is ChargeState.PENDING and age >= dt.timedelta(seconds=services.waiting.unknown_after):
        waited = f"no result after {services.waiting.unknown_after} seconds"
        charge = _apply(services, charge, ChargeResult.unknown(waited, reference=charge.reference))
    due = age >= dt.timedelta(seconds=services.waiting.operator_after)
    if charge.state is ChargeState.UNKNOWN and due and not charge.operator_told:
        with services.store.write() as session:
            charge = session.charges.get(charge.id)
            if not charge.open or charge.operator_told:
                return charge
            charge = attrs.evolve(charge, operator_told=True)
            session.charges.update(charge)
            charge_still_unknown(services, session, charge, services.now())
    return charge


async def run(services: Services) -> Reconciliation:
    """Look at every open charge and refund, oldest first, in pages."""
    settled: list[str] = []
    still_open: list[str] = []
    people: list[str] = []
    after: str | None = None
    while charges := await call(partial(_open_charges, services, after)):
        for charge in charges:
            now_known = await look(services, charge.id)
            if not now_known.open:
                settled.append(charge.id)
            elif now_known.state is ChargeState.UNKNOWN and _lookup(services, charge.account) is Lookup.NONE:
                people.append(charge.id)
            else:
                still_open.append(charge.id)
        after = charges[-1].id
    after = None
    while refunds := await call(partial(_open_refunds, services, after)):
        for refund in refunds:
            looked_at = await refund_cases.look(services, refund)
            (still_open if looked_at.state.open else settled).append(refund.id)
        after = refunds[-1].id
    aligned, waiting = await aligning.run(services)
    await deliver(services)
    against = await call(partial(_contradicted, services))
    return Reconciliation(tuple(settled), tuple(still_open), tuple(people), tuple(aligned), tuple(waiting), against)


def _contradicted(services: Services) -> tuple[str, ...]:
    with services.store.read() as session:
        return tuple(dict.fromkeys(one.attempt_id for one in session.discrepancies.page(limit=1000)))


def _lookup(services: Services, account: str) -> Lookup:
    return services.plugins.account(account).capabilities.lookup


def _open_charges(services: Services, after: str | None) -> list[Charge]:
    with services.store.read() as session:
        return session.charges.unsettled(after, 100)


def _open_refunds(services: Services, after: str | None) -> list[Refund]:
    with services.store.read() as session:
        return session.refunds.unsettled(after, 100)
