"""What somebody should know before an additional charge is sent: the warnings of its preview (R-173, R-211, R-230, R-382)."""

from __future__ import annotations

import datetime as dt

from ..clock import spoken
from ..money import Money
from ..provider import Capabilities, OptionPolicy
from .arrears import shortfall, unpaid
from .contract import Contract, Status
from .mails import StepMailPlan

__all__ = ["before_charging", "beside_arrears"]


def before_charging(
    capabilities: Capabilities,
    mails: tuple[tuple[StepMailPlan, dt.datetime], ...],
    closes_at: dt.datetime | None,
    now: dt.datetime,
    zone: dt.tzinfo,
) -> tuple[str, ...]:
    """Mails that cannot be held back, and a window that closes soon.

    :param closes_at: the end of the window if it is near, aware.
    """
    warnings: tuple[str, ...] = ()
    if mails and capabilities.send_step_mail is OptionPolicy.FORCED_ON:
        warnings = tuple(
            f"step mail {plan.name!r} always goes out through {capabilities.name}"
            + (
                f"; pause or delete it before {spoken(due_at, zone)}"
                if plan.delay
                else "; it has no delay, so it cannot be held back"
            )
            for plan, due_at in mails
        )
    if closes_at is not None:
        days = (closes_at - now).days
        warnings += (
            f"additional charges end at {spoken(closes_at, zone)} ({days} days left) unless this one succeeds",
        )
    return warnings


def beside_arrears(
    contract: Contract,
    amount: Money,
    due: Money | None,
    expires_on: dt.date | None,
    today: dt.date,
    *,
    unsaid: bool,
    pays_period: bool,
) -> tuple[str, ...]:
    """What somebody who charges a contract with an unpaid period, or one that has ended, should know first."""
    warnings = []
    missing = contract.past_due
    if due is not None and missing is not None and not pays_period:
        choice = "say which is meant: " if unsaid else "this sale does not pay it: "
        warnings.append(
            f"{unpaid(contract, due)}; {choice}"
            "purpose ARREARS (--arrears) collects that period, ONE_OFF (--one-off) is a sale beside it"
        )
    if pays_period and (left := shortfall(amount, due)):
        warnings.append(f"{left}; the period counts as paid all the same")
    if pays_period and expires_on is not None and expires_on < today:
        warnings.append(f"the expiry stays {expires_on}, which has passed: the content stays closed")
    if contract.status is Status.TERMINATED and expires_on != contract.expires_on:
        warnings.append("the contract has ended: the expiry moves, and opens nothing")
    return tuple(warnings)
