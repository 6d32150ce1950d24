"""Telling the operator that nobody tries an unpaid period again, and what has to happen (R-333)."""

from __future__ import annotations

from ..domain.attempts import RetryPlan
from ..domain.charge import Charge
from ..domain.contract import Contract, Status
from ..domain.failing import give_up
from ..domain.followup import Next, NoticeKind
from ..domain.settlement import Settlement
from ..money import Money
from ..store import Session
from .effects import write_settlement
from .outbox import operator
from .services import Services

__all__ = ["no_retry_left", "retry_is_gone"]

_TO_DO = {
    Next.CONFIRM: "the customer has to confirm the payment or correct the card's data, or pay with another card",
    Next.CHECK: "see in the provider's console whether an earlier payment went through before anything is charged",
    Next.CORRECT: "correct the set-up, then collect the period with an additional charge for arrears",
}
_NEW_CARD = "ask the customer for another card, or end the contract"


def no_retry_left(services: Services, session: Session, settlement: Settlement, charge: Charge, why: str) -> None:
    """Queue the notice, if *settlement* leaves a contract past due whose mails promise no retry.

    :param charge: the failed attempt.
    :param why: what forbids a retry, for people.
    """
    contract = settlement.contract
    told = next((notice for notice in settlement.notices if notice.kind is NoticeKind.RENEWAL_FAILED), None)
    if contract.status is not Status.PAST_DUE or told is None or told.next is Next.RETRY:
        return
    failure = charge.failure
    said = f" ({failure.code or failure.message})" if failure and (failure.code or failure.message) else ""
    because = f": {why}" if why else ""
    message = (
        f"contract {contract.id}: the period of {charge.period_start} over {charge.amount} was declined{said} on "
        f"{charge.account} and is not tried again{because}; {_TO_DO.get(told.next, _NEW_CARD)}"
    )
    ids = {"contract_id": contract.id, "charge_id": charge.id}
    facts = {
        "variant": told.next.name if told.next in _TO_DO else Next.NEW_CARD.name,
        "amount": charge.amount,
        "account": charge.account,
        "period": charge.period_start,
        "said": (failure and (failure.message or failure.code)) or None,
    }
    operator(services, session, "no_retry_left", message, now=services.now(), facts=facts, **ids)


def retry_is_gone(
    services: Services, session: Session, contract: Contract, forbidden: RetryPlan, amount: Money
) -> Contract:
    """Tell both sides and the operator, once, that a retry that was promised is not made (R-343).

    :returns: the contract, which knows that they have been told.
    """
    settlement = give_up(contract, forbidden, services.now(), services.rules, services.new_id, amount=amount)
    missing, reason = contract.past_due, forbidden.forbidden_by
    if settlement.contract == contract or missing is None or reason is None:
        return contract
    after = write_settlement(services, session, contract, settlement)
    then = settlement.notices[0].next
    message = (
        f"contract {contract.id}: the retry of the period of {missing.period_start} over {amount} on {contract.account}, which "
        f"had been promised, is not made: {reason}; {_TO_DO.get(then, _NEW_CARD)}"
    )
    facts = {
        "variant": then.name,
        "amount": amount,
        "account": contract.account,
        "period": missing.period_start,
        "said": None,
    }
    operator(services, session, "no_retry_left", message, now=services.now(), facts=facts, contract_id=contract.id)
    return after
