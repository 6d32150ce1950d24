"""Whether a stored card may be tried now, by what happened to it in all contracts of the account (R-331).

Every attempt asks this inside the transaction that writes its intent down, with the card locked: two processes cannot
take the last attempt that a network allows at the same time. The same card under another token or through another account
is another card here: providers tell no number, and not all of them a fingerprint.
"""

from __future__ import annotations

import datetime as dt

import attrs

from ..clock import business_date
from ..domain.attempts import Attempt, Reason, RetryPlan, Why, plan_attempt
from ..domain.contract import Contract
from ..errors import CardHeldBack
from ..money import Money
from ..store import Session
from .services import Services, secret_hash

__all__ = [
    "HeldBack",
    "allowed_at",
    "check",
    "check_card",
    "history_of",
    "inside",
    "lock_card",
    "waits",
    "why_held",
    "why_not_charged",
    "window_of",
]


@attrs.frozen
class HeldBack:
    """A charge that was due and that a run did not make.

    :param reason: for people. :param rule: what forbids it: the id of a limit, network and code, or a class of declines.
    :param network: whose rule it is; None: nobody's, or anybody's.
    :param until: when it may be made, UTC; None: not with this card.
    """

    contract_id: str
    account: str | None
    reason: str
    rule: str = ""
    network: str | None = None
    until: dt.datetime | None = None


def history_of(session: Session, account: str, credential_hash: str) -> list[Attempt]:
    """What was asked of one stored card in all contracts, deleted ones included, oldest first (R-337)."""
    return session.cards.attempts(account, credential_hash)


def lock_card(session: Session, contract: Contract) -> str:
    """Let nobody else count the attempts on the card of *contract* until the transaction ends; nothing in a reading one.

    :returns: what the card is known by.
    """
    account = contract.account or ""
    card = secret_hash(account, contract.credential)
    session.cards.lock(account, card)
    return card


def allowed_at(services: Services, session: Session, contract: Contract, amount: Money) -> RetryPlan:
    """When a period that has not been tried yet may be tried on the card of *contract*; locks the card.

    :returns: a plan for now, for later, or with what forbids it.
    """
    card, now = lock_card(session, contract), services.now()
    seen = session.cards.look(contract.account or "", card, amount)
    too_soon = _too_soon(services, contract, seen.similar_at, now)
    return too_soon or _plan(services, session, contract, card, amount, now, tells=seen.tells)


def _plan(
    services: Services,
    session: Session,
    contract: Contract,
    card: str,
    amount: Money,
    now: dt.datetime,
    *,
    tells: bool,
) -> RetryPlan:
    """By the history of the card; one that *tells* nothing forbids nothing, and is not read."""
    history = history_of(session, contract.account or "", card) if tells else ()
    return plan_attempt(history, amount, services.network_rules, now, services.rules.zone)


def _too_soon(
    services: Services, contract: Contract, similar_at: dt.datetime | None, now: dt.datetime
) -> RetryPlan | None:
    """When the provider's own window for the same amount on the same card is over (R-205); None if it is not open."""
    window = window_of(services, contract)
    if window is None or similar_at is None or (over := similar_at + window) <= now:
        return None
    return RetryPlan(over, business_date(over, services.rules.zone), (inside(window, over),))


def window_of(services: Services, contract: Contract) -> dt.timedelta | None:
    """How long the provider refuses the same amount on the card of *contract*; None where it does not (R-205)."""
    seconds = services.plugins.account(contract.account).capabilities.duplicate_window
    return None if seconds is None else dt.timedelta(seconds=seconds)


def inside(window: dt.timedelta, over: dt.datetime) -> Reason:
    """Why nothing of the same amount is sent before *over*."""
    text = f"the same amount was sent for this card less than {window.total_seconds():.0f} seconds ago"
    return Reason(Why.WAIT, "R-205", text, until=over)


def check(services: Services, session: Session, contract: Contract, amount: Money) -> None:
    """Refuse a charge that the card's history forbids now; locks the card.

    :raises CardHeldBack: with the rule, the network and until when.
    """
    card, now = lock_card(session, contract), services.now()
    seen = session.cards.look(contract.account or "", card, amount)
    if too_soon := _too_soon(services, contract, seen.similar_at, now):
        _refuse(contract, too_soon)
    check_card(services, session, contract, card, amount, now, tells=seen.tells)


def check_card(
    services: Services,
    session: Session,
    contract: Contract,
    card: str,
    amount: Money,
    now: dt.datetime,
    *,
    tells: bool,
) -> None:
    """:func:`check` for a *card* that is locked and has been looked at already."""
    if not tells:
        return
    _refuse(contract, _plan(services, session, contract, card, amount, now, tells=tells))


def _refuse(contract: Contract, plan: RetryPlan) -> None:
    """:raises CardHeldBack: *plan* is not for now."""
    if plan.forbidden_by is not None:
        reason = plan.forbidden_by
        raise CardHeldBack(
            f"contract {contract.id}: its card is not tried again: {reason.text} ({reason.rule}). "
            "The customer has to pay with another card",
            rule=reason.rule,
            network=reason.network,
        )
    if plan.because:
        reason = plan.because[-1]
        raise CardHeldBack(
            f"contract {contract.id}: its card may not be tried now: {reason.text} ({reason.rule}). "
            "Wait until then, or let the customer pay with another card",
            rule=reason.rule,
            network=reason.network,
            until=plan.next_at,
        )


def why_held(contract: Contract, plan: RetryPlan) -> HeldBack:
    """*plan*, which is not for now, as an item of a report."""
    reason = plan.forbidden_by or plan.because[-1]
    return HeldBack(contract.id, contract.account, why_not_charged(plan), reason.rule, reason.network, plan.next_at)


def waits(plan: RetryPlan, due_on: dt.date, today: dt.date, now: dt.datetime) -> bool:
    """Whether a period that is held back by *plan* is left as it is, because the next day's run can make the charge.

    Only on the day on which it fell due and the next: what is put off again and again is unpaid like anything else.
    """
    soon = plan.next_at is not None and plan.next_at - now <= dt.timedelta(days=1)
    return soon and today - due_on <= dt.timedelta(days=1)


def why_not_charged(plan: RetryPlan) -> str:
    """One line for people about *plan*, which is not for now."""
    if plan.forbidden_by is not None:
        return f"not charged: {plan.forbidden_by}"
    return f"not charged before {plan.on}: {'; '.join(map(str, plan.because))}"
