"""Events about refunds and disputes that paygate did not ask for: whose they are, and what becomes of them."""

from __future__ import annotations

import contextlib

from ..domain.charge import Charge, Refund
from ..errors import NotFound
from ..provider import EventKind, ProviderEvent, RefundResult
from ..store import Session
from . import returns
from .services import Services
from .settling import contract_behind

__all__ = ["by_id", "heard_of", "taken_back"]


def taken_back(
    services: Services, session: Session, account: str, event: ProviderEvent
) -> tuple[str | None, str | None]:
    """Record a refund or dispute that paygate did not ask for, inside the caller's write transaction (R-314, R-316).

    :returns: what became of the event, None where it matches nothing; and the id of the charge that it takes back.
    """
    now, charge = services.now(), _charge(session, account, event)
    if charge is None:
        returns.named_before(services, session, account, event, now)
        return None, None
    if not services.in_mode(contract_behind(session, charge)):
        return None, None
    with contextlib.suppress(NotFound):  # a first payment makes its contract only when it succeeds
        session.contracts.lock(charge.contract_id)
    charge = session.charges.get(charge.id)
    returns.named_by_event(services, session, charge, event, now)
    returns.told(services, session, charge, event.charge_reference, now)
    return "applied", charge.id


def heard_of(services: Services, refund: Refund, result: object) -> Refund:
    """Record what was found of a *refund* that was made at the provider, in a transaction of its own."""
    if not isinstance(result, RefundResult) or result.reference != refund.reference:
        return refund
    with services.store.write() as session:
        row = session.ledger.get(refund.entry_id)
        session.contracts.lock(refund.contract_id)
        charge, now = session.charges.get(row.charge_id or ""), services.now()
        event = ProviderEvent("", EventKind.REFUND, refund=result, charge_reference=charge.reference)
        returns.named_by_event(services, session, charge, event, now)
        returns.book(services, session, charge, now)
        return session.refunds.get(refund.id)


def by_id(session: Session, account: str, charge_id: str | None) -> Charge | None:
    """The charge of that id, if it is one of *account*."""
    try:
        charge = session.charges.get(charge_id) if charge_id else None
    except NotFound:
        return None
    return charge if charge is not None and charge.account == account else None


def _charge(session: Session, account: str, event: ProviderEvent) -> Charge | None:
    """By paygate's own id, by the payment's reference, or as the second payment of an attempt (R-310)."""
    charge, reference = by_id(session, account, event.charge_id), event.charge_reference
    if charge is not None or reference is None:
        return charge
    charge = session.charges.by_reference(account, reference)
    if charge is not None:
        return charge
    second = session.discrepancies.by_reference(account, reference)
    return by_id(session, account, second[0].charge_id) if second else None
