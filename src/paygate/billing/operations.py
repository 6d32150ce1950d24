"""Performing the contract operations (domain §3.2): one way for all, whatever the decision asks to be carried out.

A decision is pure. What it wants from a provider is done first: refunds by the ordinary way of refunds, with their
intents committed before anything is sent. Only if the provider accepts is the change of the contract written (R-101,
R-130); then it is decided once more under the lock, so that what happened meanwhile is seen (R-268).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import attrs

from ..domain import cancelling, ending, missing_payments, product_end, suspending
from ..domain.charge import Refund, RefundState
from ..domain.contract import Actor, Contract
from ..domain.ending import last_day_of_use
from ..domain.followup import ProviderAction, Wanted
from ..domain.ledger import LedgerEntry
from ..domain.licences import License
from ..domain.mails import StepMailState
from ..domain.settlement import Settlement
from ..errors import RefundFailed
from ..flow import call
from ..provider import Capabilities, ChangedPayment, SubscriptionPayment
from ..store import Session
from . import aligning
from .catching_up import catch_up
from .outbox import deliver
from .permission import ask, on_contract, record_refusal
from .recording import Told, already_told, is_saved, write_down
from .refunds import send, write_intent
from .services import Services
from .settling import write_settlement

__all__ = [
    "OperationResult",
    "cancel",
    "cancel_and_refund",
    "cancel_with_manual_refund",
    "mark_paid",
    "mark_retries_stopped",
    "mark_unpaid",
    "perform",
    "resume",
    "revoke_cancellation",
    "schedule_cancellation",
    "send_dunning_mail",
    "set_product_end",
    "suspend",
    "terminate",
]


@attrs.frozen
class OperationResult:
    """What an operation did.

    :param refunds: refunds that belonged to it, with their outcome; those ``by_hand`` are due by a person.
    :param effective_on: for a scheduled cancellation, the day on which it takes effect (X-08).
    :param last_day_of_use: the last day on which the running period's content is open (X-08).
    :param queued_mails: step mails that are still queued; ending a payment does not stop them (R-233, X-23).
    """

    contract: Contract
    refunds: tuple[Refund, ...] = ()
    effective_on: dt.date | None = None
    last_day_of_use: dt.date | None = None
    queued_mails: int = 0


@attrs.frozen
class Case:
    """What a decision looks at, read in one transaction."""

    contract: Contract
    now: dt.datetime
    capabilities: Capabilities | None
    entries: tuple[LedgerEntry, ...]
    licences: tuple[License, ...]


Decide: TypeAlias = Callable[[Case], Settlement]


def read_case(services: Services, session: Session, contract: Contract) -> Case:
    """The facts about *contract*, as the transaction sees them."""
    capabilities = services.account_of(contract).capabilities if contract.account is not None else None
    return Case(
        contract,
        services.now(),
        capabilities,
        tuple(session.ledger.for_contract(contract.id)),
        tuple(session.licences.for_contract(contract.id)),
    )


async def perform(
    services: Services, contract_id: str, action: str, decide: Decide, *, actor: Actor
) -> OperationResult:
    """Carry out what *decide* decides for the contract; nothing of the contract changes if the provider refuses.

    :param action: the operation's name, for the audit record of a refusal (X-01).
    :raises Vetoed: an observer says that *actor* may not do this (X-21).
    :raises RefundFailed: the provider refused a refund; the contract is unchanged and the refusal is in the audit trail.
    """
    await ask(services, on_contract(action, actor, contract_id))
    first, intents = await call(partial(_begin, services, contract_id, decide))
    no_refunds: tuple[Refund, ...] = ()
    if not intents and not first.wanted:
        contract, refunds = first.contract, no_refunds
    else:
        told = Told()
        with already_told(f"contract {contract_id}: {action.replace('_', ' ')} is not complete", told):
            refunds = await _ask_provider(services, contract_id, action, first, intents, actor, told)
            contract = await write_down(partial(_finish, services, contract_id, decide), once=True)
    await deliver(services)
    with is_saved(f"contract {contract_id}: {action.replace('_', ' ')}"):
        return await call(partial(_result, services, contract, refunds))


async def _ask_provider(
    services: Services,
    contract_id: str,
    action: str,
    first: Settlement,
    intents: list[Refund],
    actor: Actor,
    told: Told,
) -> tuple[Refund, ...]:
    """Have the provider return the money and stop charging.

    :raises RefundFailed: it refused a refund.
    """
    refunds: list[Refund] = []
    for intent in intents:
        refund = await send(services, intent)
        told.sent = True
        refunds.append(refund)
        if refund.state is RefundState.FAILED:
            code = refund.failure.code if refund.failure else None
            error = RefundFailed(
                f"contract {contract_id}: {refund.account} refused to return {refund.amount} ({code or 'no code'}); "
                "nothing else was changed",
                provider=refund.account,
                code=code,
                rule="R-101",
            )
            await call(partial(record_refusal, services, contract_id, action, error, actor))
            raise error
    for wanted in first.wanted:
        await tell_provider(services, contract_id, wanted)
        told.sent = True
    return tuple(refunds)


def _begin(services: Services, contract_id: str, decide: Decide) -> tuple[Settlement, list[Refund]]:
    """Decide; write everything if the provider has nothing to do with it, else only the intents of its refunds."""
    with services.store.write() as session:
        contract = catch_up(services, session, session.contracts.lock(contract_id))
        settlement = decide(read_case(services, session, contract))
        through_provider = [decision for decision in settlement.refunds if not decision.by_hand]
        if not through_provider and not settlement.wanted:
            return attrs.evolve(settlement, contract=write_settlement(services, session, contract, settlement)), []
        for decision in through_provider:
            write_intent(services, session, decision)
        return settlement, [decision.refund for decision in through_provider]


def _finish(services: Services, contract_id: str, decide: Decide) -> Contract:
    """The provider has accepted: decide again on what is true now, and write it.

    The refunds are in the ledger by now, so the decision finds nothing left to refund through the provider.
    """
    with services.store.write() as session:
        contract = catch_up(services, session, session.contracts.lock(contract_id))
        return write_settlement(services, session, contract, decide(read_case(services, session, contract)))


def _result(services: Services, contract: Contract, refunds: tuple[Refund, ...]) -> OperationResult:
    with services.store.read() as session:
        mails = len(session.step_mails.page(contract_id=contract.id, limit=1000, state=StepMailState.QUEUED))
        known = {row.id: row for row in session.refunds.page(contract_id=contract.id, limit=1000)}
    notice = contract.cancellation
    return OperationResult(
        contract,
        tuple(known[refund.id] for refund in refunds if refund.id in known)
        or tuple(row for row in known.values() if row.by_hand and row.state.open),
        notice.effective_on if notice else None,
        last_day_of_use(contract),
        mails,
    )


async def tell_provider(services: Services, contract_id: str, wanted: Wanted) -> ChangedPayment | None:
    """Tell a provider that owns the renewals what to do with its subscription (R-092, R-130, R-143, R-403).

    :returns: what it did with a new card; None for all else.

    :raises ProviderError: it refuses or gives no answer; the caller then changes nothing.
    """
    contract = await aligning.known(services, await call(partial(_read, services, contract_id)))
    if contract.subscription is not None and not contract.subscription.state.stands:
        return None
    account = services.plugins.account(wanted.account)
    request = aligning.subscription_request(contract, wanted.on)
    match wanted.action:
        case ProviderAction.STOP:
            await account.stop_recurring(request)
        case ProviderAction.END_AT_PERIOD_END:
            await account.end_recurring(request)
        case ProviderAction.GO_ON:
            await account.resume_recurring(request)
        case ProviderAction.NEW_CARD:
            return await account.change_recurring_payment(
                SubscriptionPayment(
                    contract_id, request.credential, wanted.credential or "", request.reference, wanted.collect
                )
            )
    return None


def _read(services: Services, contract_id: str) -> Contract:
    with services.store.read() as session:
        return session.contracts.get(contract_id)


# --- the operations --------------------------------------------------------------------------------------------------


async def cancel(services: Services, contract_id: str, *, actor: Actor, reason: str) -> OperationResult:
    """キャンセル (R-084 to R-092)."""

    def decide(case: Case) -> Settlement:
        return cancelling.cancel(
            case.contract, case.now, services.rules, services.new_id, actor=actor, capabilities=case.capabilities,
            entries=case.entries, licences=case.licences, reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "cancel", decide, actor=actor)


async def cancel_with_manual_refund(
    services: Services, contract_id: str, *, actor: Actor, reason: str
) -> OperationResult:
    """キャンセル(手動返金) (R-093 to R-096)."""

    def decide(case: Case) -> Settlement:
        return cancelling.cancel_with_manual_refund(
            case.contract, case.now, services.rules, services.new_id, actor=actor, entries=case.entries,
            licences=case.licences, reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "cancel_with_manual_refund", decide, actor=actor)


async def cancel_and_refund(
    services: Services, contract_id: str, *, include_addons: bool, actor: Actor, reason: str
) -> OperationResult:
    """キャンセルして返金 (R-097 to R-103)."""

    def decide(case: Case) -> Settlement:
        return cancelling.cancel_and_refund(
            case.contract, case.now, services.rules, services.new_id, actor=actor, capabilities=case.capabilities,
            entries=case.entries, licences=case.licences, include_addons=include_addons, reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "cancel_and_refund", decide, actor=actor)


async def suspend(services: Services, contract_id: str, *, actor: Actor, reason: str) -> OperationResult:
    """契約の停止 (R-111 to R-118)."""

    def decide(case: Case) -> Settlement:
        return suspending.suspend(
            case.contract, case.now, services.rules, services.new_id, actor=actor, entries=case.entries,
            licences=case.licences, reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "suspend", decide, actor=actor)


async def resume(
    services: Services, contract_id: str, *, received_at: dt.datetime | None, actor: Actor, reason: str
) -> OperationResult:
    """契約停止の解除 (R-119 to R-123)."""

    def decide(case: Case) -> Settlement:
        return suspending.resume(
            case.contract, case.now, services.rules, services.new_id, actor=actor, received_at=received_at,
            entries=case.entries, licences=case.licences, reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "resume", decide, actor=actor)


async def mark_retries_stopped(services: Services, contract_id: str, *, note: str, actor: Actor) -> OperationResult:
    """The provider's retries of the unpaid period were stopped on its screen (R-383)."""

    def decide(case: Case) -> Settlement:
        return missing_payments.mark_retries_stopped(
            case.contract, case.now, services.rules, services.new_id, actor=actor, note=note
        )

    return await perform(services, contract_id, "mark_retries_stopped", decide, actor=actor)


async def mark_paid(
    services: Services,
    contract_id: str,
    period: dt.date,
    *,
    received_at: dt.datetime | None,
    actor: Actor,
    reason: str,
) -> OperationResult:
    """The payment of one period has been found, or an assumed one is confirmed (R-387)."""

    def decide(case: Case) -> Settlement:
        return missing_payments.mark_paid(
            case.contract, period, case.now, services.rules, services.new_id, actor=actor, entries=case.entries,
            licences=case.licences, received_at=received_at, reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "mark_paid", decide, actor=actor)


async def mark_unpaid(
    services: Services, contract_id: str, period: dt.date, *, actor: Actor, reason: str
) -> OperationResult:
    """The payment of one period has not come (R-388)."""

    def decide(case: Case) -> Settlement:
        return missing_payments.mark_unpaid(
            case.contract, period, case.now, services.rules, services.new_id, actor=actor, entries=case.entries,
            licences=case.licences, reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "mark_unpaid", decide, actor=actor)


async def set_product_end(
    services: Services,
    contract_id: str,
    end_month: str | None,
    *,
    product: str | None,
    actor: Actor,
    reason: str,
) -> OperationResult:
    """The final month of the contract's products is set, moved or cleared (R-389)."""

    def decide(case: Case) -> Settlement:
        return product_end.set_product_end(
            case.contract, end_month, case.now, services.rules, services.new_id, actor=actor, product=product,
            capabilities=case.capabilities, entries=case.entries, reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "set_product_end", decide, actor=actor)


async def send_dunning_mail(
    services: Services, contract_id: str, *, due_on: dt.date | None, actor: Actor
) -> OperationResult:
    """催促メール送信 (R-159)."""

    def decide(case: Case) -> Settlement:
        return suspending.remind(case.contract, case.now, services.rules, services.new_id, actor=actor, due_on=due_on)

    return await perform(services, contract_id, "send_dunning_mail", decide, actor=actor)


async def schedule_cancellation(services: Services, contract_id: str, *, actor: Actor, reason: str) -> OperationResult:
    """解約予約 (R-124 to R-131)."""

    def decide(case: Case) -> Settlement:
        return ending.schedule_cancellation(
            case.contract, case.now, services.rules, services.new_id, actor=actor, capabilities=case.capabilities,
            reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "schedule_cancellation", decide, actor=actor)


async def revoke_cancellation(services: Services, contract_id: str, *, actor: Actor, reason: str) -> OperationResult:
    """解約の取消 (R-133 to R-137)."""

    def decide(case: Case) -> Settlement:
        return ending.revoke_cancellation(
            case.contract, case.now, services.rules, services.new_id, actor=actor, capabilities=case.capabilities,
            entries=case.entries, reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "revoke_cancellation", decide, actor=actor)


async def terminate(services: Services, contract_id: str, *, actor: Actor, reason: str) -> OperationResult:
    """解約処理 (R-138 to R-143)."""

    def decide(case: Case) -> Settlement:
        return ending.terminate(
            case.contract, case.now, services.rules, services.new_id, actor=actor, capabilities=case.capabilities,
            entries=case.entries, reason=reason,
        )  # fmt: skip

    return await perform(services, contract_id, "terminate", decide, actor=actor)
