"""Refunds of ledger rows, whole or in part, through the provider or by hand (§6.22)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial

import attrs

from ..domain.charge import Refund, RefundState
from ..domain.contract import Actor, ActorKind
from ..domain.discrepancy import NO_REFERENCE, Discrepancy, DiscrepancyKind, Source, refund_contradiction
from ..domain.ledger import LedgerEntry, refundable
from ..domain.metadata import Metadata, checked_metadata
from ..domain.operations import Operation, require_admin
from ..domain.refunding import RefundDecision, decide_refund, settle_refund
from ..errors import (
    IdempotencyConflict,
    InvalidValue,
    NotFound,
    OperationNotAllowed,
)
from ..flow import call, sleep
from ..money import Money
from ..notices import OperationProposal
from ..provider import Capabilities, Lookup, LookupRequest, Outcome, RefundRequest, RefundResult
from ..store import Session
from . import interrupted, logs, permission, returns
from .claims import Claim, take
from .discrepancies import chosen, close, refresh
from .discrepancies import note as note_discrepancy
from .outbox import deliver, operator_unlogged, put
from .problems import Troubles
from .recording import failure, once_sent, write_down
from .repeats import attempt_id
from .resolving import check_resolution
from .restoring import refund_seen_before
from .services import Services, checked_key, fingerprint
from .settled_again import look_behind_refund
from .settling import write_by_hand
from .taken_back import heard_of
from .unknowns import refund_became_unknown

__all__ = [
    "RefundPreview",
    "apply_refund",
    "create",
    "look",
    "preview",
    "resolve",
    "send",
    "wait",
    "write_intent",
]

_STATES = {
    Outcome.SUCCEEDED: RefundState.DONE,
    Outcome.PENDING: RefundState.PENDING,
    Outcome.DECLINED: RefundState.FAILED,
    Outcome.NOT_SENT: RefundState.FAILED,
    Outcome.UNKNOWN: RefundState.UNKNOWN,
}


@attrs.frozen
class RefundPreview:
    """What a refund would do; nothing has been written or sent (R-272).

    :param left_after: what could still be refunded of the row afterwards.
    :param by_hand: no provider call is made; a person returns the money (R-245, R-249).
    :param licenses: codes of the products whose licence would be removed.
    """

    entry: LedgerEntry
    amount: Money
    left_after: Money
    by_hand: bool
    licenses: tuple[str, ...]


def _row(session: Session, target: str) -> LedgerEntry:
    """The ledger row that *target*, a row's or a charge's id, names."""
    if not isinstance(target, str):
        raise InvalidValue(f"name what to refund by the id of a charge or ledger row, got {target!r}")
    rows = [row for row in session.ledger.for_charge(target) if row.kind.sale]
    if len(rows) > 1:
        known = ", ".join(f"{row.id} ({row.kind.value}, {row.amount})" for row in rows)
        raise InvalidValue(f"charge {target} paid several rows; name the one to refund: {known}", rule="R-241")
    if rows:
        return rows[0]
    try:
        return session.ledger.get(target)
    except NotFound as exc:
        raise NotFound(f"{target!r} is neither a charge that was paid nor a ledger row") from exc


def _capabilities(services: Services, row: LedgerEntry) -> Capabilities | None:
    return services.plugins.account(row.account).capabilities if row.account is not None else None


def _decide(
    services: Services,
    session: Session,
    row: LedgerEntry,
    amount: Money | None,
    *,
    remove_license: bool,
    reason: str = "",
    actor: Actor,
    key: str = "preview",
    digest: str = "",
    refund_id: str | None = None,
) -> RefundDecision:
    together = (
        [other for other in session.ledger.for_charge(row.charge_id) if other.kind.sale] if row.charge_id else [row]
    )
    contract = session.contracts.get(row.contract_id)
    if row.account is not None:
        services.account_of(contract)  # refuses what was paid in another mode
    return decide_refund(
        contract,
        row,
        session.ledger.refunds_of(row.id),
        amount,
        _capabilities(services, row),
        actor=actor,
        now=services.now(),
        refund_id=refund_id or services.new_id(),
        entry_id=services.new_id(),
        audit_id=services.new_id(),
        idempotency_key=key,
        fingerprint=digest,
        remove_license=remove_license,
        licences=session.licences.for_contract(row.contract_id),
        charged=Money(sum(other.amount.minor for other in together), row.amount.currency),
        reason=reason,
        zone=services.rules.zone,
    )


async def preview(services: Services, target: str, amount: Money | None, *, remove_license: bool) -> RefundPreview:
    """What :func:`create` would do now; raises what it would raise."""

    def look() -> RefundPreview:
        with services.store.read() as session:
            row = _row(session, target)
            decision = _decide(services, session, row, amount, remove_license=remove_license, actor=Actor.admin())
            left = refundable(row, session.ledger.refunds_of(row.id)) - decision.refund.amount.minor
            gone = [
                known.product for known in session.licences.for_contract(row.contract_id) if known.entry_id == row.id
            ]
        return RefundPreview(
            row,
            decision.refund.amount,
            Money(left, row.amount.currency),
            decision.by_hand,
            tuple(gone) if remove_license else (),
        )

    return await call(look)


async def create(
    services: Services,
    target: str,
    amount: Money | None,
    *,
    idempotency_key: str | None,
    remove_license: bool,
    reason: str,
    actor: Actor,
    metadata: Mapping[str, str] | None = None,
) -> Refund:
    """Refund a row: intent first, provider after, outcome in a second transaction.

    :raises PermissionDenied: not an administrator (R-267); also of a key that is known, whose refund may be another's.
    """
    require_admin(actor, "starts a refund")
    key = checked_key(idempotency_key, services.new_id())
    texts = checked_metadata(metadata)
    digest = fingerprint("refund", target, amount, remove_license, *([texts] if texts else []))

    def proposal(session: Session) -> OperationProposal | None:
        row = _row(session, target)
        if session.refunds.by_key(row.account, key) is not None:
            return None
        contract = session.contracts.get(row.contract_id)
        return OperationProposal(Operation.REFUND_ENTRY.value, actor, contract, amount)

    await permission.ask(services, proposal)
    to_ask = await call(partial(_account_to_ask, services, target, key)) if services.paced else None
    claim = await take(services, to_ask)
    refund, fresh = await call(
        partial(
            _intend,
            services,
            target,
            amount,
            key,
            digest,
            given=idempotency_key is not None,
            remove_license=remove_license,
            reason=reason,
            actor=actor,
            metadata=texts,
        )
    )
    if not fresh or refund.by_hand:
        await deliver(services)
        return refund
    return await send(services, refund, claim)


def _account_to_ask(services: Services, target: str, key: str) -> str | None:
    """The account whose turn has to be waited for; None where nothing is going to be sent."""
    with services.store.read() as session:
        row = _row(session, target)
        known = session.refunds.by_key(row.account, key) is not None
    return None if known or row.account is None else row.account


def _intend(
    services: Services,
    target: str,
    amount: Money | None,
    key: str,
    digest: str,
    *,
    given: bool,
    remove_license: bool,
    reason: str,
    actor: Actor,
    metadata: Metadata,
) -> tuple[Refund, bool]:
    with services.store.write() as session:
        row = _row(session, target)
        session.contracts.lock(row.contract_id)  # two refunds of one row must not both see the whole of it
        row = session.ledger.get(row.id)
        earlier = session.refunds.by_key(row.account, key)
        if earlier is not None:
            if earlier.fingerprint != digest:
                raise IdempotencyConflict(
                    f"idempotency key {key!r} was used for refund {earlier.id} with other contents; use a new key",
                    rule="R-190",
                )
            return earlier, False
        decision = _decide(
            services,
            session,
            row,
            amount,
            remove_license=remove_license,
            reason=reason,
            actor=actor,
            key=key,
            digest=digest,
            refund_id=attempt_id(services, row.account, key if given else None, "refund"),
        )
        decision = attrs.evolve(decision, refund=attrs.evolve(decision.refund, metadata=metadata))
        write_intent(services, session, decision)
    return decision.refund, True


def write_intent(services: Services, session: Session, decision: RefundDecision) -> None:
    """Write a refund down before the provider hears of it; one by hand is complete with that."""
    if decision.by_hand:
        write_by_hand(services, session, decision)
        return
    session.ledger.set_state(decision.entry.id, decision.entry.state)
    session.ledger.insert_many([decision.refund_entry])
    session.refunds.insert(decision.refund, claim=services.waiting.in_flight)
    session.audit.insert_many([decision.audit])


async def send(services: Services, refund: Refund, claim: Claim | None = None) -> Refund:
    """Ask the provider for a refund whose intent is committed, and record its answer.

    :param claim: taken before the intent was written; None: a new one is, because others were sent before this one. The
        refund is not sent if somebody has settled it meanwhile (R-280).
    """
    if claim is None:
        claim = await take(services, refund.account)
        if not await call(partial(_claim_again, services, refund)):
            return await call(partial(_read, services, refund.id))
    request = await call(partial(refund_request, services, refund))
    account = services.plugins.account(refund.account)
    result = await refund_seen_before(services, refund, request)
    if result is None:
        result = await account.refund(request, claim.on(account.name), partial(_unsent, services, refund))
    with once_sent(refund, account=account.name, refund_id=refund.id, strict=True):
        return await settle(services, refund, result, Actor.provider(account.name))


def _unsent(services: Services, refund: Refund) -> None:
    """Record that *refund* was interrupted before anything of it was sent."""
    result = RefundResult.not_sent(interrupted.WHY)
    actor = Actor.provider(refund.account or "")
    interrupted.record(
        services, lambda session: apply_refund(services, session, refund.id, result, actor=actor, now=services.now())
    )


def _claim_again(services: Services, refund: Refund) -> bool:
    with services.store.write() as session:
        return session.refunds.claim(refund.id, services.waiting.in_flight)


def _read(services: Services, refund_id: str) -> Refund:
    with services.store.read() as session:
        return session.refunds.get(refund_id)


def refund_request(services: Services, refund: Refund) -> RefundRequest:
    """What the provider is asked for; built the same way on every look-up."""
    with services.store.read() as session:
        row = session.ledger.get(refund.entry_id)
        together = (
            [other for other in session.ledger.for_charge(row.charge_id) if other.kind.sale] if row.charge_id else [row]
        )
    capabilities = services.plugins.account(refund.account).capabilities
    return RefundRequest(
        refund_id=refund.id,
        key=capabilities.idempotency.key_for(refund.id),
        amount=refund.amount,
        charge_reference=row.reference or "",
        charged=Money(sum(other.amount.minor for other in together), row.amount.currency),
        reason=refund.reason,
        metadata={**refund.metadata, "paygate_refund": refund.id, "paygate_contract": refund.contract_id},
        requested_at=refund.created_at,
    )


async def settle(services: Services, refund: Refund, result: RefundResult, actor: Actor) -> Refund:
    """Record *result* in a transaction of its own, then tell the observers."""

    def write() -> Refund:
        with services.store.write() as session:
            return apply_refund(services, session, refund.id, result, actor=actor, now=services.now())

    settled = await write_down(write)
    if settled.state is RefundState.FAILED and settled.failure is not None and settled.failure.sent:
        await look_behind_refund(services, settled.entry_id)  # it may be refused because the money went back already
    await deliver(services)
    return settled


def apply_refund(
    services: Services,
    session: Session,
    refund_id: str,
    result: RefundResult,
    *,
    actor: Actor,
    now: dt.datetime,
    source: Source = Source.ANSWER,
    noted: list[Discrepancy] | None = None,
) -> Refund:
    """Record *result* inside the caller's write transaction; repeats change nothing (R-194).

    What contradicts the record is kept as a discrepancy instead (R-310), unless it is the operator's own word.

    :param noted: takes the discrepancies that the result shows.
    """
    refund = session.refunds.get(refund_id)
    session.contracts.lock(refund.contract_id)
    refund = session.refunds.get(refund_id)
    contradicts = refund_contradiction(refund, result) if source is not Source.OPERATOR else None
    if contradicts is not None:
        found = note_discrepancy(services, session, refund, contradicts, result, source, now=now)
        if noted is not None:
            noted.append(found)
        if not refund.state.open or contradicts is DiscrepancyKind.SECOND_REFERENCE:
            return refund
        said = f"the provider returned {result.amount}, asked for was {refund.amount}; compare with its console"
        result = RefundResult.unknown(said, reference=result.reference)
    row = session.ledger.get(refund.entry_id)
    state = _STATES[result.outcome]
    wrong = failure(result) if state in {RefundState.FAILED, RefundState.UNKNOWN} else None
    settlement = settle_refund(
        refund,
        row,
        session.ledger.get(refund.refund_entry_id),
        session.ledger.refunds_of(row.id),
        state,
        now=now,
        new_id=services.new_id,
        licences=session.licences.for_contract(refund.contract_id),
        reference=result.reference,
        refunded_at=result.refunded_at,
        failure=wrong,
        actor=actor,
        zone=services.rules.zone,
    )
    if settlement.audit is None:
        if result.reference and refund.reference is None:
            refund = attrs.evolve(refund, reference=result.reference)
            session.refunds.update(refund)
            returns.follow_refund(services, session, row, now)
        if source is Source.ANSWER and refund.reference is None and refund.state.open:
            session.refunds.release(refund.id)  # the process that sent it has reported
        return refund
    session.refunds.update(settlement.refund)
    refresh(session, settlement.refund)
    session.after_commit.append(partial(logs.refund_settled, settlement.refund))
    for entry in (settlement.entry, settlement.refund_entry):
        session.ledger.set_state(
            entry.id, entry.state, remarks=entry.remarks, reference=entry.reference, done_on=entry.done_on
        )
    for licence in settlement.licences:
        session.licences.set_state(licence.id, licence.state)
    session.audit.insert_many([settlement.audit])
    returns.follow_refund(services, session, row, now)
    if not settlement.refund.state.open:
        put(services, session, "on_refund", {"refund_id": refund.id}, contract_id=refund.contract_id, now=now)
    if settlement.refund.state is RefundState.UNKNOWN:
        session.refunds.release(refund.id)  # whoever sent it has reported, or may not send it any more
        refund_became_unknown(services, session, settlement.refund, now)
    if settlement.alert:
        message = f"refund {refund.id} of {refund.amount} failed: {result.code or result.message or 'no reason given'}"
        ids = {"contract_id": refund.contract_id, "refund_id": refund.id}
        facts = {"amount": refund.amount, "account": refund.account, "said": result.message or result.code}
        operator_unlogged(services, session, "refund_failed", message, now=now, facts=facts, **ids)
    return settlement.refund


async def look(services: Services, refund: Refund, troubles: Troubles | None = None) -> Refund:
    """Look one refund up and record what was found.

    :param troubles: of the run that this is a part of.
    :raises NotFound: the refund's account is missing from the configuration.
    :raises LeftAlone: its account is not used any more in this run.
    """
    if refund.by_hand or not refund.state.open:
        return refund
    may_be_asked, in_flight = await call(partial(_stand, services, refund))
    if not may_be_asked or in_flight:
        return refund
    account = services.plugins.account(refund.account)
    lookup = account.capabilities.refund_lookup
    if lookup is Lookup.NONE:
        return await _given_up(services, refund)
    made_there = refund.actor.kind is ActorKind.PROVIDER
    if made_there and (refund.reference is None or "#" in refund.reference):
        return refund  # the provider has not named it, and nothing can be asked about it
    request = await call(partial(refund_request, services, refund))
    found = None
    with (troubles or Troubles()).asking(account.name):
        found = await account.find_refund(LookupRequest(request, refund.reference))
    if found is None:
        return refund
    result = found.result
    if made_there:
        return await call(partial(heard_of, services, refund, result))
    if result is None and lookup is Lookup.AUTHORITATIVE:
        result = RefundResult.not_sent("the provider knows nothing of it")
    if not isinstance(result, RefundResult) or result.outcome is Outcome.UNKNOWN:
        return await _overdue(services, refund)
    return await settle(services, refund, result, Actor.provider(account.name))


def _stand(services: Services, refund: Refund) -> tuple[bool, bool]:
    """Whether the account can know the refund, and whether a process may be sending it (R-280).

    An account of the other mode would say that there is none (X-24).
    """
    with services.store.read() as session:
        in_mode = services.in_mode(session.contracts.get(refund.contract_id))
        return in_mode, session.refunds.claimed_until(refund.id) is not None


async def _overdue(services: Services, refund: Refund) -> Refund:
    """A refund of which the provider has told nothing is unknown after the waiting time: its request may be lost."""
    age = await call(partial(_age, services, refund))
    waited = dt.timedelta(seconds=services.waiting.unknown_after)
    if refund.state is not RefundState.PENDING or refund.reference is not None or age < waited:
        return refund
    return await settle(services, refund, RefundResult.unknown("the provider does not know it"), Actor.scheduler())


async def _given_up(services: Services, refund: Refund) -> Refund:
    """A refund that nobody can be asked about is unknown once the process that was sending it is gone."""

    def abandoned() -> bool:
        with services.store.read() as session:
            return session.refunds.abandoned(refund.id)

    if refund.state is not RefundState.PENDING or not await call(abandoned):
        return refund
    said = "the process that was sending it ended before it could record the answer"
    return await settle(services, refund, RefundResult.unknown(said), Actor.scheduler())


def _age(services: Services, refund: Refund) -> dt.timedelta:
    with services.store.read() as session:
        return session.instant() - (session.refunds.written_at(refund.id) or refund.created_at)


async def resolve(
    services: Services, refund_id: str, *, succeeded: bool, reference: str | None, note: str, actor: Actor
) -> Refund:
    """An operator says what became of a refund that look-ups did not settle."""
    check_resolution(note, actor)

    def proposal(session: Session) -> OperationProposal:
        refund = session.refunds.get(refund_id)
        return OperationProposal("resolve_refund", actor, session.contracts.get(refund.contract_id), refund.amount)

    def write() -> Refund:
        with services.store.write() as session:
            refund = session.refunds.get(refund_id)
            known = [one for one in session.discrepancies.of_attempt(refund_id) if one.open]
            if refund.state.open and reference is None:
                _check_named(known)
            meant = [one for one in known if reference in {None, one.their_reference}]
            if not refund.state.open:
                meant = chosen(known, reference)
            elif succeeded:  # another sum than is booked stays open, as what is too much or too little
                meant = [one for one in meant if one.their_amount in {None, refund.amount}]
            if meant and not refund.by_hand:
                close(services, session, meant, note, actor=actor, now=services.now())
                if not refund.state.open and succeeded is (refund.state is RefundState.DONE):
                    return refund
            elif refund.by_hand or not refund.state.open:
                raise OperationNotAllowed(
                    f"refund {refund_id} ({refund.state.value}) is not open at a provider; "
                    "one made by hand is ended with refunds.mark_done"
                )
            if (until := session.refunds.claimed_until(refund_id)) is not None:
                raise OperationNotAllowed(
                    f"refund {refund_id} may still be sent by the process that made it until {until:%Y-%m-%d %H:%M:%S} "
                    "UTC; resolve it after that, if it is still open then",
                    rule="R-283",
                )
            if succeeded:
                result = RefundResult.succeeded(reference or refund.reference or f"{NO_REFERENCE}{refund_id}")
            else:
                result = RefundResult.declined("resolved_by_operator", note)
            now = services.now()
            return apply_refund(services, session, refund_id, result, actor=actor, now=now, source=Source.OPERATOR)

    await permission.ask(services, proposal)
    resolved = await call(write)
    await deliver(services)
    return resolved


def _check_named(known: list[Discrepancy]) -> None:
    """:raises InvalidValue: the provider reports money of an open refund, and nobody said which payment is meant (R-328)."""
    moved = [one for one in known if one.their_state is not Outcome.DECLINED]
    if moved:
        said = "; ".join(one.describe() for one in moved)
        raise InvalidValue(f"{said}. Name by reference which refund you mean", rule="R-328")


async def wait(services: Services, refund_id: str, timeout: float) -> Refund:  # noqa: ASYNC109 - seconds of patience, not a cancellation
    """Look the result up until it is there or *timeout* seconds have passed."""
    waited, pause = 0.0, 0.5

    def read() -> Refund:
        with services.store.read() as session:
            return session.refunds.get(refund_id)

    while True:
        refund = await look(services, await call(read))
        if not refund.state.open or waited >= timeout:
            return refund
        step = min(pause, timeout - waited)
        await sleep(step)
        waited += step
        pause = min(pause * 1.5, 5.0)
