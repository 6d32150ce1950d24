"""A charge that waits for the customer: it is not unknown, it has a deadline, and somebody gives the customer the link.

3-D Secure and the like: the provider answers PENDING with a link. An unattended charge of an existing contract has nobody who
shows it, so it is mailed (R-335). Until the deadline the charge is looked up like any other and stays PENDING; after it,
:mod:`.withdrawing` ends it.
"""

from __future__ import annotations

import datetime as dt

import attrs

from ..clock import business_date
from ..domain.charge import ACTION_EXPIRED, Charge, ChargeState
from ..domain.contract import Contract
from ..domain.followup import Next, NoticeKind, tell_both
from ..provider import ChargeResult, DeclineClass, Outcome
from ..store import Session
from .outbox import put
from .packing import pack
from .services import Services

__all__ = ["asked", "expired", "expired_by", "is_awaited", "is_ending", "is_over"]

#: How long a provider may take to withdraw a charge before its outcome counts as unknown.
_WITHDRAWING = dt.timedelta(days=1)


def asked(
    services: Services,
    session: Session,
    charge: Charge,
    contract: Contract | None,
    result: ChargeResult,
    now: dt.datetime,
) -> Charge:
    """*charge* with its link and deadline; the first time the customer of *contract* and the administrator are told.

    That the customer has to act is known, so it is PENDING even if nothing was known of it before.

    :param contract: None for a first payment: whoever makes the contract shows the link.
    """
    link = result.action_url or charge.action_url
    told = result.action_until if result.action_until is not None and result.action_until.tzinfo is not None else None
    until = told or charge.action_until or now + dt.timedelta(seconds=services.waiting.action)
    waiting = attrs.evolve(
        charge, state=ChargeState.PENDING, failure=None, action_url=link, action_until=until, operator_told=False
    )
    if charge.action_until is None and contract is not None:
        notices = tell_both(
            NoticeKind.ACTION_REQUIRED,
            contract,
            Next.ACT,
            amount=charge.amount,
            happened_on=business_date(now, services.rules.zone),
            due_on=business_date(until, services.rules.zone),
            action_url=link,
            charge_id=charge.id,
        )
        for notice in notices:
            put(services, session, "on_contract_notice", pack(notice), contract_id=contract.id, now=now)
    return waiting


def is_awaited(services: Services, charge: Charge) -> bool:
    """Whether the customer may still act."""
    return _waits(charge) and charge.action_until is not None and services.now() < charge.action_until


def is_over(services: Services, charge: Charge) -> bool:
    """Whether the customer has let the time pass."""
    return _waits(charge) and charge.action_until is not None and services.now() >= charge.action_until


def is_ending(services: Services, charge: Charge) -> bool:
    """Whether the customer may still act, or has not for so short a time that withdrawing it may not have come to its end."""
    return _waits(charge) and charge.action_until is not None and services.now() < charge.action_until + _WITHDRAWING


def expired(charge: Charge) -> ChargeResult:
    """The end of a charge that the customer has not confirmed in time."""
    said = "the customer has not confirmed the payment in time"
    return ChargeResult.declined(ACTION_EXPIRED, said, decline=DeclineClass.ACTION, reference=charge.reference)


def expired_by(charge: Charge, result: ChargeResult, now: dt.datetime) -> ChargeResult:
    """*result*, or what it means: a charge that was withdrawn after its deadline is declined for that."""
    asked_for = charge.open and charge.action_url is not None
    late = asked_for and charge.action_until is not None and now >= charge.action_until
    if late and result.outcome is Outcome.DECLINED and result.decline is DeclineClass.UNKNOWN:
        return attrs.evolve(expired(charge), raw=result.raw)
    return result


def _waits(charge: Charge) -> bool:
    return charge.state is ChargeState.PENDING and charge.action_url is not None
