"""What the operator hears of an outcome that is not known: at once, with what is known and what to do.

One notice for each, when the outcome becomes unknown: a reminder would say nothing new, and what is still open is in the
report of every reconciliation.
"""

from __future__ import annotations

import datetime as dt

from ..domain.charge import Charge, Refund
from ..provider import Lookup
from ..store import Session
from .outbox import operator, operator_unlogged
from .services import Services

__all__ = ["charge_became_unknown", "charge_still_unknown", "refund_became_unknown"]

_CHARGE = {
    Lookup.NONE: "{name} cannot be asked: look it up in the provider's console, then use charges.resolve",
    Lookup.EVENTUAL: (
        "billing.reconcile goes on looking; finding nothing proves nothing, so look in the provider's console as well "
        "if it stays open, then use charges.resolve"
    ),
    Lookup.AUTHORITATIVE: "billing.reconcile asks {name} and settles it: run it now",
}
_REFUND = {
    Lookup.NONE: "{name} cannot be asked: find it in the provider's console, then use refunds.resolve",
    Lookup.EVENTUAL: (
        "billing.reconcile goes on looking; finding nothing proves nothing, so look in the provider's console as well "
        "if it stays open, then use refunds.resolve"
    ),
    Lookup.AUTHORITATIVE: "billing.reconcile asks {name} and settles it: run it now",
}


def charge_became_unknown(services: Services, session: Session, charge: Charge, now: dt.datetime) -> None:
    """Tell the operator that the outcome of *charge* is not known, in the transaction that records it."""
    told = f"charge {charge.id} of {charge.amount} on {charge.account}, contract {charge.contract_id}"
    message = f"{told}: {_known(charge)}; {_advice(services, charge.account, _CHARGE, 'lookup')}. Do not charge again"
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id}
    facts = _facts(services, charge, "lookup")
    operator_unlogged(services, session, "unknown_outcome", message, now=now, facts=facts, **ids)


def charge_still_unknown(services: Services, session: Session, charge: Charge, now: dt.datetime) -> None:
    """Tell the operator of a *charge* that has been unknown since before its beginning was told, and still is."""
    message = (
        f"charge {charge.id} of {charge.amount} on {charge.account} is still unknown after "
        f"{_age(now - charge.created_at)} of looking{_reference(charge.reference)}; find it in the provider's console, "
        "then use charges.resolve. Do not charge again"
    )
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id}
    hours = int((now - charge.created_at).total_seconds()) // 3600
    facts = _facts(services, charge, "lookup") | {"variant": "still", "hours": hours}
    operator(services, session, "unknown_outcome", message, now=now, facts=facts, **ids)


def refund_became_unknown(services: Services, session: Session, refund: Refund, now: dt.datetime) -> None:
    """Tell the operator that the outcome of *refund* is not known, in the transaction that records it."""
    told = f"refund {refund.id} of {refund.amount} on {refund.account}, contract {refund.contract_id}"
    message = (
        f"{told}: {_known(refund)}, the money may have gone back; "
        f"{_advice(services, refund.account, _REFUND, 'refund_lookup')}. Do not refund again"
    )
    ids = {"contract_id": refund.contract_id, "refund_id": refund.id}
    facts = _facts(services, refund, "refund_lookup")
    operator_unlogged(services, session, "unknown_refund", message, now=now, facts=facts, **ids)


def _facts(services: Services, attempt: Charge | Refund, hook: str) -> dict[str, object]:
    """What the texts are made of; the variant is what a look-up through the account is worth."""
    account, failure = attempt.account, attempt.failure
    known = account is not None and services.plugins.has(account)
    capabilities = services.plugins.account(account).capabilities if account is not None and known else None
    return {
        "variant": getattr(capabilities, hook).name.lower() if capabilities else "missing",
        "amount": attempt.amount,
        "account": account,
        "provider": capabilities.name if capabilities else None,
        "reference": attempt.reference,
        "said": (failure and (failure.message or failure.code)) or None,
    }


def _known(attempt: Charge | Refund) -> str:
    failure = attempt.failure
    said = (failure and (failure.message or failure.code)) or "no answer"
    return f"the outcome is not known ({said}){_reference(attempt.reference)}"


def _reference(reference: str | None) -> str:
    return f", known to the provider as {reference}" if reference else ""


def _advice(services: Services, account: str | None, texts: dict[Lookup, str], hook: str) -> str:
    if account is None or not services.plugins.has(account):
        return f"account {account!r} is missing from the configuration: put it back, then run billing.reconcile"
    capabilities = services.plugins.account(account).capabilities
    lookup: Lookup = getattr(capabilities, hook)
    return texts[lookup].format(name=capabilities.name)


def _age(age: dt.timedelta) -> str:
    return f"{age.days} day(s)" if age.days else f"{age.seconds // 3600} hour(s)"
