"""From a provider's answer to the books: one transaction that records an outcome, whoever brought it (design §6.4).

The answer to the call, a webhook, a look-up and an operator all end here, so a result is applied once however often
and from wherever it arrives (R-194).
"""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from ..domain.audit import AuditRecord
from ..domain.charge import Charge, ChargeKind, ChargeState, Failure, Purpose
from ..domain.charging import settle_addon
from ..domain.contract import Actor, Contract, Status
from ..domain.creation import activate
from ..domain.discrepancy import NO_REFERENCE, Discrepancy, DiscrepancyKind, Source, contradiction
from ..domain.dunning import Attempt, plan_retry
from ..domain.failing import FailedAttempt, fail
from ..domain.renewal import renew, start
from ..domain.settlement import RETURNED, Settlement, money_only, without_effects
from ..errors import NotFound
from ..evolving import evolve
from ..money import Money
from ..provider import ChargeRequest, ChargeResult, DeclineClass, Outcome
from ..store import About, Session
from . import customer_action, logs, returns
from .admission import remember
from .card_limits import history_of
from .discrepancies import note, refresh
from .effects import announce, record, tell_people, write_by_hand, write_new, write_settlement
from .no_retry import no_retry_left
from .outbox import operator, put
from .recording import failure
from .services import Services
from .unknowns import charge_became_unknown

__all__ = [
    "announce",
    "apply_charge",
    "asked_in_vain",
    "charge_request",
    "contract_behind",
    "record",
    "tell_people",
    "write_by_hand",
    "write_new",
    "write_settlement",
]


def charge_request(charge: Charge, credential: str, key: str) -> ChargeRequest:
    """What the provider is asked for; built the same way on every repeat, so that a stored key finds the same body."""
    return ChargeRequest(
        charge_id=charge.id,
        key=key,
        amount=charge.amount,
        credential=credential,
        metadata={**charge.metadata, "paygate_charge": charge.id, "paygate_contract": charge.contract_id},
        description="",
        requested_at=charge.created_at,
    )


def contract_behind(session: Session, charge: Charge) -> Contract:
    """The contract that *charge* is for: before its first payment has come, the draft of it (R-013)."""
    draft = session.charges.draft(charge.id) if charge.kind is ChargeKind.INITIAL else None
    return draft.contract if draft else session.contracts.get(charge.contract_id)


def apply_charge(
    services: Services,
    session: Session,
    charge: Charge,
    result: ChargeResult,
    *,
    actor: Actor,
    now: dt.datetime,
    known: Contract | None = None,
    source: Source = Source.ANSWER,
    noted: list[Discrepancy] | None = None,
) -> Charge:
    """Record *result* for the attempt inside the caller's write transaction.

    Serialised per contract by locking it first; only then is the attempt read as it is now (R-268). An attempt that has
    ended stays as it is, except that a success which the provider reports after all is always recorded: captured money
    must not go missing. What contradicts the record is not applied but kept as a discrepancy (R-310), unless it is the
    operator's own word; so is each further payment that the result names, once the result itself is applied.

    :param known: the contract as the caller read it a moment ago, which spares reading all of it again.
    :param noted: takes the discrepancies that the result shows, those that were known already among them.
    """
    try:
        contract = session.contracts.lock_again(known) if known else session.contracts.lock(charge.contract_id)
    except NotFound:  # a first payment makes its contract only when it succeeds
        contract = None
    charge, about = session.charges.get_again(charge, result.reference)
    for each in (result, *result.others):
        went_back = returns.named_by_result(services, session, charge, each, now)
        known_about = about if each is result and not went_back else None
        charge = _apply(
            services,
            session,
            charge,
            contract,
            each,
            actor=actor,
            now=now,
            source=source,
            noted=noted,
            about=known_about,
        )
        if went_back:
            returns.told(services, session, charge, each.reference, now)
    return charge


def _apply(
    services: Services,
    session: Session,
    charge: Charge,
    contract: Contract | None,
    result: ChargeResult,
    *,
    actor: Actor,
    now: dt.datetime,
    source: Source,
    noted: list[Discrepancy] | None,
    about: About | None,
) -> Charge:
    """Record one result for the attempt as it is now.

    :param about: what else is kept about it and the payment that *result* names; None: nobody has looked yet.
    """
    contradicts = contradiction(charge, result) if source is not Source.OPERATOR else None
    if contradicts is not None:
        if charge.open and contradicts in {DiscrepancyKind.OTHER_AMOUNT, DiscrepancyKind.OTHER_CURRENCY}:
            message = f"the provider took {result.amount}, asked for was {charge.amount}; compare with its console"
            unknown = ChargeResult.unknown(message, reference=result.reference, code=result.code)
            charge = _unknown(services, session, charge, unknown, now)
        found = note(services, session, charge, contradicts, result, source, now=now)
        if contradicts is DiscrepancyKind.SECOND_REFERENCE:
            returns.told(services, session, charge, result.reference, now)  # it may have been returned already
        if noted is not None:
            noted.append(found)
        return charge
    if charge.state is ChargeState.SUCCEEDED and result.outcome is Outcome.SUCCEEDED and result.reference:
        return _named(session, charge, result.reference)
    late = charge.state is ChargeState.FAILED and result.outcome is Outcome.SUCCEEDED
    if not charge.open and (not late or (charge.failure is not None and charge.failure.code == RETURNED)):
        return charge
    match result.outcome:
        case Outcome.SUCCEEDED:
            return _succeed(services, session, charge, contract, result, now=now, about=about)
        case Outcome.PENDING:
            pending = attrs.evolve(charge, reference=result.reference or charge.reference)
            if result.action_url or charge.action_url:
                pending = customer_action.asked(services, session, pending, contract, result, now)
            if pending != charge:
                session.charges.update(pending)
            if source is Source.ANSWER and pending.reference is None:
                session.charges.release(charge.id)  # the process that sent it has reported
            return pending
        case Outcome.DECLINED | Outcome.NOT_SENT:
            result = customer_action.expired_by(charge, result, now)
            return _fail(services, session, charge, result, actor=actor, now=now)
        case _:
            return _unknown(services, session, charge, result, now)


def _succeed(
    services: Services,
    session: Session,
    charge: Charge,
    contract: Contract | None,
    result: ChargeResult,
    *,
    now: dt.datetime,
    about: About | None,
) -> Charge:
    late = charge.state is ChargeState.FAILED
    settled = evolve(
        charge,
        state=ChargeState.SUCCEEDED,
        reference=result.reference or charge.reference,
        action_url=None,
        action_method="GET",
        action_fields=(),
        action_until=None,
        settled_at=now,
        charged_at=result.charged_at or now,
        failure=None,
    )
    draft = session.charges.draft(charge.id) if charge.kind is ChargeKind.INITIAL else None
    before = draft.contract if draft else contract or session.contracts.get(charge.contract_id)
    if about is None:
        about = session.charges.about(charge, settled.reference)
    undone = about.returns and returns.gone_back(session, charge, settled.reference)
    if undone and (late or draft is not None):
        return _undone(services, session, settled, now=now, known_failed=late)
    settlement = _settlement(services, session, before, without_effects(settled) if undone else settled, now)
    if undone:
        settlement = money_only(settlement, before)
    settled = evolve(settled, previous_expires_on=before.expires_on, expires_on=settlement.contract.expires_on)
    session.charges.update(settled)
    if draft is not None:
        session.customers.upsert(draft.customer)
        remember(session, before)
        session.charges.drop_draft(charge.id)
        write_new(services, session, settlement, now=now)
    else:
        write_settlement(services, session, before, settlement)
    if about.discrepancies:
        refresh(session, settled)
    if about.returns:
        returns.book(services, session, settled, now)
    if not undone:
        put(services, session, "on_charge_success", {"charge_id": charge.id}, contract_id=charge.contract_id, now=now)
    if late:
        message = f"charge {charge.id} was recorded as failed, but the provider took the money after all; it is now in the ledger"
        operator(
            services,
            session,
            "late_success",
            message,
            now=now,
            contract_id=charge.contract_id,
            charge_id=charge.id,
            facts={"amount": charge.amount, "account": charge.account},
        )
    return settled


def _undone(services: Services, session: Session, charge: Charge, *, now: dt.datetime, known_failed: bool) -> Charge:
    """A first payment that had gone back before anybody learnt of it makes no contract, and a failed charge stays so (R-315).

    :param known_failed: everybody has been told already that the charge failed.
    """
    failed = attrs.evolve(
        charge, state=ChargeState.FAILED, failure=Failure(RETURNED, "the payment went back at the provider")
    )
    session.charges.update(failed)
    actor = Actor.provider(charge.account)
    session.audit.insert_many([_audit(services, failed, "charge_failed", actor, now, RETURNED)])
    message = (
        f"charge {charge.id}: {charge.amount} was taken ({charge.reference or 'no reference'}) and went back at the provider "
        "before anybody learnt of it; it counts as failed, and nothing was given for it"
    )
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id}
    facts = {
        "variant": "before_known",
        "amount": charge.amount,
        "account": charge.account,
        "reference": charge.reference or charge.id,
    }
    operator(services, session, "provider_refund", message, now=now, facts=facts, **ids)
    if known_failed:
        return failed
    put(services, session, "on_charge_failure", {"charge_id": charge.id}, contract_id=charge.contract_id, now=now)
    return failed


def _named(session: Session, charge: Charge, reference: str) -> Charge:
    """*charge* under the provider's own reference, where a person settled it without knowing that one."""
    if charge.reference is not None and not charge.reference.startswith(NO_REFERENCE):
        return charge
    named = attrs.evolve(charge, reference=reference)
    session.charges.update(named)
    for row in session.ledger.for_charge(charge.id):
        if row.kind.sale:
            session.ledger.set_state(row.id, row.state, reference=reference)
    return named


def _settlement(services: Services, session: Session, before: Contract, charge: Charge, now: dt.datetime) -> Settlement:
    """What the success of *charge* does, by what it paid for."""
    rules, new_id = services.rules, services.new_id
    capabilities = services.recording_capabilities(before)
    if charge.kind is ChargeKind.INITIAL:
        return activate(
            before, now, rules, new_id, actor=charge.actor, charge=charge, capabilities=capabilities, action="create"
        )
    if charge.kind is ChargeKind.PERIOD:
        if before.status is Status.NOT_STARTED:
            return start(before, now, rules, new_id, charge=charge)
        due_on = charge.period_start or before.start_on
        return renew(
            before, due_on, now, rules, new_id, charge=charge, licences=session.licences.for_contract(before.id)
        )
    arrears = charge.purpose is Purpose.ARREARS
    return settle_addon(
        before,
        charge,
        capabilities,
        rules,
        now,
        new_id,
        licences=session.licences.for_contract(before.id) if arrears else [],
        asked=asked_in_vain(session, before) if arrears else None,
    )


def asked_in_vain(session: Session, contract: Contract) -> Money | None:
    """What was first charged for the unpaid period of *contract*, which is what is owed for it; None if nothing was."""
    missing = contract.past_due
    attempts = session.charges.of_period(contract.id, missing.period_start) if missing else []
    return attempts[0].amount if attempts else None


def _fail(
    services: Services, session: Session, charge: Charge, result: ChargeResult, *, actor: Actor, now: dt.datetime
) -> Charge:
    failed = attrs.evolve(
        charge,
        state=ChargeState.FAILED,
        reference=result.reference or charge.reference,
        action_url=None,
        action_method="GET",
        action_fields=(),
        action_until=None,
        settled_at=now,
        failure=failure(result),
        # of a doubt that a double raises the operator has not heard yet
        operator_told=charge.operator_told and result.decline is not DeclineClass.DUPLICATE,
        network=result.network,
        response_code=result.response_code,
        advice_code=result.advice_code,
    )
    session.after_commit.append(partial(logs.charge_settled, failed))
    session.charges.update(failed)  # its draft stays: should the provider report a success after all, it is needed
    session.audit.insert_many([_audit(services, failed, "charge_failed", actor, now, result.code or result.message)])
    put(services, session, "on_charge_failure", {"charge_id": charge.id}, contract_id=charge.contract_id, now=now)
    if charge.kind is ChargeKind.PERIOD and result.outcome is Outcome.DECLINED:
        _period_failed(services, session, failed, actor, now)
    return failed


def _period_failed(services: Services, session: Session, charge: Charge, actor: Actor, now: dt.datetime) -> None:
    """A renewal was declined: the contract is past due, or ends after its last retry (R-145, R-150)."""
    contract = session.contracts.get(charge.contract_id)
    period, cycle = charge.period_start or contract.start_on, contract.plan.cycle
    if cycle is None:
        return
    schedule = services.schedule(charge.account, cycle)
    attempts = [
        Attempt.of(made)
        for made in session.charges.of_period(contract.id, period)
        if made.credential_hash == charge.credential_hash  # with another card the schedule begins anew
    ]
    plan = plan_retry(
        schedule,
        attempts,
        history_of(session, charge.account, charge.credential_hash),
        services.network_rules,
        now,
        services.rules.zone,
    )
    attempt = FailedAttempt(
        period,
        number=sum(made.outcome is Outcome.DECLINED for made in attempts),
        amount=charge.amount,
        next_on=plan.on,
        code=charge.failure.code if charge.failure else None,
        reason=charge.failure.message if charge.failure else "",
        retry=plan.next_at is not None,
        decline=charge.failure.decline if charge.failure else None,
    )
    if plan.on is not None:
        session.after_commit.append(partial(logs.retry_planned, contract.id, charge.account, plan.on))
    settlement = fail(contract, attempt, now, services.rules, services.new_id, actor=actor, schedule=schedule)
    write_settlement(services, session, contract, settlement)
    no_retry_left(services, session, settlement, charge, str(plan.forbidden_by or ""))


def _unknown(services: Services, session: Session, charge: Charge, result: ChargeResult, now: dt.datetime) -> Charge:
    unknown = attrs.evolve(
        charge,
        state=ChargeState.UNKNOWN,
        reference=result.reference or charge.reference,
        failure=failure(result),
    )
    if unknown == charge:
        return charge
    arises = charge.state is not ChargeState.UNKNOWN
    if arises:
        unknown = attrs.evolve(unknown, operator_told=True)
    session.charges.update(unknown)
    if arises:
        session.charges.release(charge.id)  # whoever sent it has reported, or may not send it any more
        actor = Actor.scheduler()
        session.audit.insert_many([_audit(services, unknown, "charge_unknown", actor, now, result.message)])
        charge_became_unknown(services, session, unknown, now)
        session.after_commit.append(partial(logs.charge_settled, unknown))
    return unknown


def _audit(services: Services, charge: Charge, action: str, actor: Actor, now: dt.datetime, reason: str) -> AuditRecord:
    return AuditRecord(
        id=services.new_id(),
        at=now,
        actor=actor,
        action=action,
        contract_id=charge.contract_id,
        before={"charge": charge.id, "state": ChargeState.PENDING.value},
        after={
            "charge": charge.id,
            "state": charge.state.value,
            "amount": charge.amount.minor,
            "currency": charge.amount.currency,
            "renew_expiry": charge.renew_expiry,
            "send_step_mail": charge.send_step_mail,
            "requested_by": str(charge.actor),
        },
        reason=reason,
    )
