"""Money that may have been taken already: while a discrepancy says so, the same money is not charged again (R-325).

A provider that reports a second payment, or another sum, for an attempt that is recorded as failed has perhaps been paid.
Another attempt could take the money twice, so a person decides first.
"""

from __future__ import annotations

import datetime as dt

from ..domain.charge import Charge, ChargeKind, ChargeState, Purpose
from ..domain.contract import Contract
from ..domain.discrepancy import Discrepancy, DiscrepancyKind
from ..errors import NotFound, OperationNotAllowed
from ..money import Money
from ..provider import Outcome
from ..store import Session
from .problems import LeftAlone

__all__ = ["check_addon", "check_period", "doubt_of_period", "warnings_of", "why_doubted"]

_MOST = 1000


def _doubts(session: Session, contract: Contract) -> list[tuple[Discrepancy, Charge]]:
    """The open discrepancies of *contract* that say that money came in, or may come, which no ledger row has."""
    found = []
    for one in session.discrepancies.page(contract_id=contract.id, limit=_MOST):
        if one.charge_id is None or one.kind is DiscrepancyKind.OVER_REFUNDED or one.their_state is Outcome.DECLINED:
            continue
        if one.their_amount is not None and one.unbooked <= 0:
            continue
        try:
            found.append((one, session.charges.get(one.charge_id)))
        except NotFound:  # the evidence outlives what it is about
            continue
    return found


def doubt_of_period(session: Session, contract: Contract, period: dt.date) -> Discrepancy | None:
    """What says that the *period*, which no row has as paid, may have been paid: by a charge of it, or as arrears."""
    for one, charge in _doubts(session, contract):
        if charge.kind is ChargeKind.PERIOD and (charge.period_start or contract.start_on) == period:
            return one
        unpaid = contract.past_due is not None and contract.past_due.period_start == period
        if unpaid and charge.purpose is Purpose.ARREARS and charge.state is not ChargeState.SUCCEEDED:
            return one
    return None


def why_doubted(one: Discrepancy, what: str) -> str:
    """One sentence for people: why *what* is not charged."""
    return (
        f"{what} may have been paid already ({one.describe()}), so it is not charged: compare with the provider's "
        f"console, then use charges.resolve on {one.charge_id}"
    )


def check_period(session: Session, contract: Contract, period: dt.date) -> None:
    """:raises LeftAlone: the *period* may have been paid already."""
    if (one := doubt_of_period(session, contract, period)) is not None:
        raise LeftAlone("discrepancy", why_doubted(one, f"contract {contract.id}: the period of {period}"))


def check_addon(session: Session, contract: Contract, amount: Money, purpose: Purpose | None) -> None:
    """Refuse arrears of a period that may have been paid, and a charge that repeats one which may have been.

    :raises OperationNotAllowed: with what the provider reports and the remedy.
    """
    if purpose is Purpose.ARREARS and contract.past_due is not None:
        period = contract.past_due.period_start
        if (one := doubt_of_period(session, contract, period)) is not None:
            raise OperationNotAllowed(why_doubted(one, f"the period of {period}"), rule="R-325")
    for one, charge in _doubts(session, contract):
        repeats = charge.kind is ChargeKind.ADDON and amount in {one.our_amount, one.their_amount}
        if repeats and charge.state is not ChargeState.SUCCEEDED:
            raise OperationNotAllowed(why_doubted(one, f"the same {amount}"), rule="R-325")


def warnings_of(session: Session, contract: Contract) -> tuple[str, ...]:
    """What whoever charges *contract* should know first."""
    return tuple(f"look before you charge: {one.describe()}" for one, _ in _doubts(session, contract))
