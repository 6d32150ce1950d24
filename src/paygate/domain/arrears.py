"""Collecting an unpaid period of a card contract by an additional charge: purpose ARREARS (R-191, R-380 to R-384).

Paying the period does what its renewal would have done: the expiry, licences, access and mails follow, and the contract
runs again by date. What was asked for and is not the amount owed stays visible in the ledger row's remarks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import attrs

from ..errors import InvalidAmount, PurposeNeeded, RetryPending
from ..money import Money
from . import licences as entitlements
from .charge import Charge, Purpose
from .contract import Contract, Status
from .expiry import paid_until
from .licences import License
from .lifecycle import resumption, resumption_notices, step
from .rules import Rules
from .running import period_price, resumed
from .settlement import Settlement
from .transitions import row

__all__ = ["check_amount_owed", "check_retries", "expiry_after", "owed", "pay", "purpose_of", "shortfall", "unpaid"]


def owed(contract: Contract, asked: Money | None = None) -> Money | None:
    """What the unpaid period of *contract* costs; None if it is paid by card and nothing is missing, or not by card.

    :param asked: what was charged for it in vain, which counts before the plan's price.
    """
    missing = contract.past_due
    if missing is None or not contract.is_card:
        return None
    return asked or period_price(contract.plan, contract.start_on, missing.period_start)


def purpose_of(contract: Contract, purpose: Purpose | None, due: Money | None) -> Purpose:
    """The purpose of a charge that was asked for with *purpose*; without a word it is ONE_OFF (R-191).

    :param due: as :func:`owed` tells.
    :raises PurposeNeeded: the contract is PAST_DUE: a charge without a word could be meant for the unpaid period, which
        the next retry would then take once more (R-382).
    """
    if purpose is not None or contract.status is not Status.PAST_DUE or due is None or contract.past_due is None:
        return purpose or Purpose.ONE_OFF
    raise PurposeNeeded(
        f"contract {contract.id} is PAST_DUE: {unpaid(contract, due)}. Say purpose=Purpose.ARREARS (--arrears) to collect that period, or purpose=Purpose.ONE_OFF "
        "(--one-off) for a sale beside it",
        rule="R-382",
    )


def check_amount_owed(contract: Contract, amount: Money, due: Money | None, *, other_amount: bool) -> None:
    """Refuse arrears of another amount than the one owed, unless that is said (R-381).

    :raises InvalidAmount: it is another amount.
    """
    if due is None or amount == due or other_amount:
        return
    missing = contract.past_due.period_start if contract.past_due else contract.period_start
    raise InvalidAmount(
        f"contract {contract.id}: the period of {missing} costs {due}, not {amount}; leave the amount out to collect what "
        "is owed, or say other_amount=True (--other-amount) to take another amount for the whole period",
        rule="R-381",
    )


def unpaid(contract: Contract, due: Money | None) -> str:
    """In words what is missing, and whether it will be asked for again without anybody's doing."""
    missing = contract.past_due
    if missing is None or due is None:
        return ""
    again = "" if missing.exhausted else " and will be charged again"
    return f"{due} of the period of {missing.period_start} is unpaid{again}"


def shortfall(amount: Money, due: Money | None) -> str:
    """In words what a payment of *amount* leaves open of *due*, or brings more; empty where they are equal (R-381)."""
    if due is None or amount == due:
        return ""
    if amount.minor < due.minor:
        return f"{amount} for an unpaid period of {due}: {Money(due.minor - amount.minor, due.currency)} less than owed"
    return f"{amount} for an unpaid period of {due}: {Money(amount.minor - due.minor, due.currency)} more than owed"


def expiry_after(contract: Contract, receipt_on: dt.date, rules: Rules) -> dt.date | None:
    """The expiry once the unpaid period is paid on business date *receipt_on*: that of its renewal (R-050, R-058, R-380)."""
    if contract.past_due is None:
        return contract.expires_on
    return paid_until(contract, contract.past_due.period_start, receipt_on, rules.system_max)


def pay(
    before: Contract,
    charged: Settlement,
    charge: Charge,
    receipt_at: dt.datetime,
    receipt_on: dt.date,
    new_id: Callable[[], str],
    licences: Sequence[License],
    due: Money | None,
) -> Settlement:
    """*charged*, what the charge itself does, with the unpaid period of *before* paid by it (T-66).

    :param due: what was owed.
    """
    missing = before.past_due
    if missing is None:
        return charged
    (entry,) = charged.entries
    entry = attrs.evolve(entry, target_on=missing.period_start, remarks=_remarks(missing.period_start, charge, due))
    back = resumed(charged.contract, receipt_on, receipt_at)
    # a period that failed at once has no licences yet; one that failed late has them locked
    opened = entitlements.restore(licences) or entitlements.issue(
        before, missing.period_start, entry.id, licences, new_id, issued_on=receipt_on
    )
    facts = {"charge": charge.id, "period": missing.period_start.isoformat()}
    if left := shortfall(charge.amount, due):
        facts["difference"] = left
    resumed_by = step(
        resumption(charged.contract, back, row("T-66")),
        charged.contract,
        back,
        at=receipt_at,
        actor=charge.actor,
        new_id=new_id,
        action="arrears_paid",
        facts=facts,
    )
    return attrs.evolve(
        charged,
        contract=back,
        entries=(entry,),
        licences=opened,
        audit=(*charged.audit, resumed_by),
        pay_period=missing.period_start,
        notices=resumption_notices(back, receipt_on),
    )


def _remarks(period: dt.date, charge: Charge, due: Money | None) -> str:
    left = shortfall(charge.amount, due)
    return f"arrears of the period of {period}" + (f"; {left}" if left else "")


def check_retries(contract: Contract, provider: str, open_period: str | None) -> None:
    """Refuse arrears while the same period may still be collected in another way (R-161).

    :param provider: its name, for people.
    :param open_period: id of a charge of the period that has no result yet.
    :raises RetryPending: the provider still retries, or that charge is open.
    """
    missing = contract.past_due
    if missing is not None and missing.retry_pending:
        raise RetryPending(
            f"contract {contract.id}: {provider} still retries the period of {missing.period_start}, and the customer could "
            f"pay twice. Stop the retries on {provider}'s own screen (the customer's subscription, the failed payment, "
            "“stop retrying”), then record it with contracts.mark_retries_stopped (paygate contracts retries-stopped)",
            rule="R-161",
        )
    if open_period is not None:
        raise RetryPending(
            f"contract {contract.id}: charge {open_period} of the period has no result yet; wait for it or "
            "reconcile, or the customer could pay twice",
            rule="R-161",
        )
