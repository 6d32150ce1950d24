"""What a provider that owns the renewals reports: each attempt, and the end of its subscription (§6.15).

The same steps as those of a billing run, driven from outside: success renews or resumes, failure makes past due, the end
ends; repeated and overtaken reports change nothing.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from ..domain.charge import Charge, ChargeKind, ChargeState, Failure
from ..domain.contract import Actor, Contract, Status
from ..domain.discrepancy import Discrepancy, Source, contradiction
from ..domain.due import StepKind, due_steps
from ..domain.failing import FailedAttempt, fail, subscription_ended
from ..domain.ledger import EntryKind, EntryState
from ..domain.renewal import overtaken, renew, start
from ..domain.running import period_price
from ..domain.settlement import Settlement, money_only
from ..domain.subscription import SubscriptionState
from ..drivers.redact import mask_text
from ..errors import NotFound
from ..money import Money
from ..plugins.account import Account
from ..provider import ChargeResult, EventKind, Outcome, ProviderEvent
from ..store import Session
from . import discrepancies, logs, returns
from .no_retry import no_retry_left
from .outbox import operator, put
from .recording import failure
from .services import Services, fingerprint, secret_hash
from .settling import write_settlement
from .starting import make_contract

__all__ = ["apply_end", "apply_renewal", "contract_of"]

#: Code of the failure of an attempt for which the provider took another sum than the period costs.
_OTHER_SUM = "other_sum"


def contract_of(services: Services, session: Session, account: Account, event: ProviderEvent) -> Contract | None:
    """The contract that *event* is about, locked; None if it is unknown, deleted, or another account's.

    A charge by a subscription whose start was never answered proves that it stands, and makes the contract.
    """
    if event.contract_id is None:
        return None
    try:
        contract = session.contracts.lock(event.contract_id)
    except NotFound:
        draft = session.drafts.get(event.contract_id)
        if (
            draft is None
            or draft.contract.account != account.name
            or not services.in_mode(draft.contract)
            or event.kind is not EventKind.RENEWAL
        ):
            return None
        return make_contract(services, session, draft)
    return contract if contract.account == account.name and services.in_mode(contract) else None


def apply_renewal(
    services: Services,
    session: Session,
    account: Account,
    contract: Contract,
    event: ProviderEvent,
    noted: list[Discrepancy],
) -> str | None:
    """Record one attempt of the provider to charge a period.

    What contradicts a charge that is recorded, or the price, is a discrepancy and pays for nothing (R-310, R-327).

    :param noted: takes the discrepancies that the report shows.
    :returns: the id of the charge that records it; None if its outcome is still to come, or it is recorded already.
    """
    result = event.charge
    if result is not None and result.outcome is Outcome.UNKNOWN:
        _tell_unknown(services, session, account, contract, event, result)
    if result is None or result.outcome not in {Outcome.SUCCEEDED, Outcome.DECLINED}:
        return None
    known = session.charges.by_reference(account.name, result.reference) if result.reference else None
    now, actor = services.now(), Actor.provider(account.name)
    if known is not None and known.contract_id == contract.id and known.state is ChargeState.SUCCEEDED:
        if result.outcome is Outcome.DECLINED and (event.retries or event.next_on or event.action_url):
            return None  # one try of several under one reference, and a later one has succeeded
        kind = contradiction(known, result)
        if kind is not None:
            noted.append(discrepancies.note(services, session, known, kind, result, Source.WEBHOOK, now=now))
        if returns.named_by_result(services, session, known, result, now):
            returns.book(services, session, known, now)
        return known.id if kind is not None else None
    charge = _charge(services, contract, account, event, result, now)
    doubted = known if known is not None and known.contract_id == contract.id and _is_other_sum(known) else None
    if result.outcome is Outcome.SUCCEEDED and charge.amount != (due := _due(contract, charge)):
        return _other_sum(services, session, attrs.evolve(charge, amount=due), doubted, result, noted, now)
    if doubted is not None and result.outcome is Outcome.SUCCEEDED:
        charge = attrs.evolve(charge, id=doubted.id)
    settlement = _settlement(services, session, contract, event, charge, actor, now)
    returns.named_by_result(services, session, charge, result, now)
    undone = charge.state is ChargeState.SUCCEEDED and returns.gone_back(session, charge, charge.reference)
    if undone:
        settlement = money_only(settlement, contract)
    charge = attrs.evolve(charge, expires_on=settlement.contract.expires_on)
    if doubted is not None and charge.id == doubted.id:
        session.charges.update(charge)
        discrepancies.refresh(session, charge)
    else:
        session.charges.insert(charge)
    session.after_commit.append(partial(logs.charge_settled, charge))
    write_settlement(services, session, contract, settlement)
    returns.book(services, session, charge, now)
    if undone:
        return charge.id
    if charge.state is ChargeState.FAILED and not (event.retries or event.next_on):
        no_retry_left(services, session, settlement, charge, f"{account.capabilities.name} does not try again")
    hook = "on_charge_success" if charge.state is ChargeState.SUCCEEDED else "on_charge_failure"
    put(services, session, hook, {"charge_id": charge.id}, contract_id=contract.id, now=now)
    return charge.id


def _due(contract: Contract, charge: Charge) -> Money:
    """What the provider was to take: its subscription has the regular price, a special one is the period's (R-061)."""
    if charge.amount == contract.plan.price:
        return charge.amount
    return period_price(contract.plan, contract.start_on, charge.period_start or contract.start_on)


def _is_other_sum(charge: Charge) -> bool:
    return charge.state is ChargeState.FAILED and charge.failure is not None and charge.failure.code == _OTHER_SUM


def _other_sum(
    services: Services,
    session: Session,
    charge: Charge,
    known: Charge | None,
    result: ChargeResult,
    noted: list[Discrepancy],
    now: dt.datetime,
) -> str:
    """Another sum than the period costs pays for nothing: the attempt is FAILED, and the money waits for a person."""
    if known is None:
        why = f"the provider took {result.amount}, and the period costs {charge.amount}"
        unpaid = Failure(_OTHER_SUM, why)
        known = attrs.evolve(charge, state=ChargeState.FAILED, charged_at=None, failure=unpaid, operator_told=True)
        session.charges.insert(known)
        session.after_commit.append(partial(logs.charge_settled, known))
    kind = contradiction(known, result)
    if kind is not None:
        noted.append(discrepancies.note(services, session, known, kind, result, Source.WEBHOOK, now=now))
    returns.named_by_result(services, session, known, result, now)
    returns.told(services, session, known, result.reference, now)  # it may have been returned already
    return known.id


def _tell_unknown(
    services: Services,
    session: Session,
    account: Account,
    contract: Contract,
    event: ProviderEvent,
    result: ChargeResult,
) -> None:
    """What the provider reports cannot be booked as it stands; somebody has to look, because money may have moved."""
    period = f" for the period of {event.period_on}" if event.period_on else ""
    message = (
        f"{account.capabilities.name} reports a payment of contract {contract.id}{period} that paygate cannot read "
        f"({mask_text(result.message) or 'no reason given'}); look {result.reference or event.reference or 'it'} up in "
        "the provider's console: nothing has been booked"
    )
    facts = {
        "variant": "renewal",
        "provider": account.capabilities.name,
        "account": contract.account,
        "period": event.period_on,
        "reference": result.reference or event.reference,
        "said": mask_text(result.message) or None,
    }
    operator(services, session, "unknown_outcome", message, contract_id=contract.id, now=services.now(), facts=facts)


def _is_overtaken(session: Session, contract: Contract, period: dt.date) -> bool:
    """Whether *period* lies before the one that the contract knows of, and was missed: webhooks come in any order.

    Of a contract that was taken over, the periods before are not known, so nothing there can have been missed.
    """
    latest = contract.past_due.period_start if contract.past_due else contract.period_start
    if latest is None or period >= latest or contract.status in {Status.TERMINATED, Status.CANCELED}:
        return False
    known = {
        entry.target_on
        for entry in session.ledger.for_contract(contract.id)
        if entry.kind is EntryKind.PERIOD and entry.state is not EntryState.VOID
    }
    return period not in known and any(before < period for before in known)


def apply_end(services: Services, session: Session, account: Account, contract: Contract, reason: str) -> None:
    """The provider has ended its subscription (R-152, R-153)."""
    settlement = subscription_ended(
        contract,
        services.now(),
        services.rules,
        services.new_id,
        actor=Actor.provider(account.name),
        entries=session.ledger.for_contract(contract.id),
        reason=reason,
    )
    if contract.subscription is not None:
        ended = attrs.evolve(contract.subscription, state=SubscriptionState.ENDED, asked_at=None)
        settlement = attrs.evolve(settlement, contract=attrs.evolve(settlement.contract, subscription=ended))
    write_settlement(services, session, contract, settlement)


def _period(services: Services, contract: Contract, event: ProviderEvent) -> dt.date:
    """The period that the attempt is for: as the provider says, else what is missing, else what is due now."""
    if event.period_on is not None:
        return event.period_on
    if contract.past_due is not None:
        return contract.past_due.period_start
    for step in due_steps(contract, services.now(), services.rules):
        if step.kind in {StepKind.START, StepKind.RENEWAL}:
            return step.on
    return contract.period_start or contract.start_on


def _charge(
    services: Services,
    contract: Contract,
    account: Account,
    event: ProviderEvent,
    result: ChargeResult,
    now: dt.datetime,
) -> Charge:
    succeeded = result.outcome is Outcome.SUCCEEDED
    amount = result.amount or contract.plan.price
    return Charge(
        id=services.new_id(),
        contract_id=contract.id,
        customer_id=contract.customer_id,
        account=account.name,
        kind=ChargeKind.PERIOD,
        amount=amount,
        idempotency_key=f"event/{event.event_id}",
        fingerprint=fingerprint("event", event.event_id),
        state=ChargeState.SUCCEEDED if succeeded else ChargeState.FAILED,
        actor=Actor.provider(account.name),
        created_at=result.charged_at or now,
        metadata=contract.metadata,
        period_start=_period(services, contract, event),
        reference=result.reference,
        settled_at=now,
        charged_at=(result.charged_at or now) if succeeded else None,
        previous_expires_on=contract.expires_on,
        failure=None if succeeded else failure(result),
        network=result.network,
        response_code=result.response_code,
        advice_code=result.advice_code,
        credential_hash=secret_hash(account.name, contract.credential),
    )


def _settlement(
    services: Services,
    session: Session,
    contract: Contract,
    event: ProviderEvent,
    charge: Charge,
    actor: Actor,
    now: dt.datetime,
) -> Settlement:
    rules, new_id, period = services.rules, services.new_id, charge.period_start or contract.start_on
    if charge.state is ChargeState.SUCCEEDED:
        if contract.status is Status.NOT_STARTED:
            return start(contract, now, rules, new_id, charge=charge)
        licences = session.licences.for_contract(contract.id)
        if _is_overtaken(session, contract, period):
            return overtaken(contract, period, now, rules, new_id, charge=charge, licences=licences)
        return renew(contract, period, now, rules, new_id, charge=charge, licences=licences)
    attempt = FailedAttempt(
        period,
        number=event.attempt,
        amount=charge.amount,
        next_on=event.next_on,
        retry_pending=event.retries,
        code=charge.failure.code if charge.failure else None,
        reason=charge.failure.message if charge.failure else "",
        retry=event.retries or event.next_on is not None,
        decline=charge.failure.decline if charge.failure else None,
        action_url=event.action_url,
    )
    cycle = contract.plan.cycle
    if cycle is None:
        return fail(contract, attempt, now, rules, new_id, actor=actor)
    return fail(contract, attempt, now, rules, new_id, actor=actor, schedule=services.schedule(charge.account, cycle))
