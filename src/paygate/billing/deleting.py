"""Deleting a contract: money back one by one, then everything of it goes, and a tombstone stays (§6.23)."""

from __future__ import annotations

from functools import partial

import attrs

from ..domain.audit import AuditRecord
from ..domain.charge import Refund
from ..domain.contract import Actor, Contract
from ..domain.deleting import Deletion, Skipped, confirm_deletion, plan_deletion, tombstone
from ..domain.operations import Operation
from ..errors import PendingMoney
from ..flow import call
from ..money import Money
from ..store import Session
from . import after_deletion
from .changes import changed
from .operations import read_case, tell_provider
from .outbox import deliver
from .permission import ask, on_contract
from .recording import Told, already_told, write_down
from .refunds import send, wait, write_intent
from .services import Services

__all__ = ["DeletionReport", "delete", "preview"]


@attrs.frozen
class DeletionReport:
    """What deleting did with the money; the contract and its records are gone.

    :param refunds: the attempts through the provider, with their outcome; a failed one stopped nothing (R-258).
    :param skipped: payments that were not refunded, and why (R-256, R-259).
    :param by_hand: what may have to be returned by hand (R-260).
    :param tombstone: the audit record that stays (R-263).
    """

    contract_id: str
    refunds: tuple[Refund, ...]
    skipped: tuple[Skipped, ...]
    by_hand: Money
    tombstone: AuditRecord


async def preview(services: Services, contract_id: str, *, actor: Actor) -> Deletion:
    """What :func:`delete` would do with the money; nothing is written or sent (R-272)."""

    def look() -> Deletion:
        with services.store.read() as session:
            return _plan(services, session, session.contracts.get(contract_id), actor)

    return await call(look)


async def delete(services: Services, contract_id: str, *, confirm: str, reason: str, actor: Actor) -> DeletionReport:
    """Refund what can be refunded, then remove the contract. What only a person can return stays in ``refunds.dues``.

    A refund that is still on its way when the waiting time is over keeps the contract: its result would have nowhere to
    go (R-265). Deleting again later finds it done.

    :raises DeleteNotConfirmed: *confirm* is not the contract's id, or there is no reason (R-261).
    :raises PendingMoney: a charge or refund has no result yet (R-265).
    """
    plan = await preview(services, contract_id, actor=actor)
    confirm_deletion(plan.contract, confirm, reason)
    await ask(services, on_contract(Operation.DELETE.value, actor, contract_id))
    told = Told()
    with already_told(f"contract {contract_id} is not deleted yet", told):
        report = await _delete(services, plan, actor, reason, told)
    await deliver(services)
    return report


async def _delete(services: Services, plan: Deletion, actor: Actor, reason: str, told: Told) -> DeletionReport:
    contract_id = plan.contract.id
    for wanted in plan.wanted:
        await tell_provider(services, contract_id, wanted)
        told.sent = True
    intents = await call(partial(_intend, services, contract_id, actor))
    refunds = []
    for intent in intents:
        refund = await send(services, intent)
        told.sent = True
        refunds.append(await wait(services, refund.id, services.waiting.first_payment))
    open_ones = [refund.id for refund in refunds if refund.state.open]
    if open_ones:
        raise PendingMoney(
            f"contract {contract_id}: {', '.join(open_ones)} has no result yet, so the contract is kept; "
            "delete it again once reconciliation has settled it",
            rule="R-265",
        )
    return await write_down(partial(_remove, services, contract_id, refunds, actor, reason), once=True)


def _plan(services: Services, session: Session, contract: Contract, actor: Actor) -> Deletion:
    case = read_case(services, session, contract)
    charges = session.charges.page(contract_id=contract.id, limit=10_000)
    if against := session.discrepancies.page(contract_id=contract.id, limit=10):
        raise PendingMoney(
            f"contract {contract.id}: {against[0].describe()}; resolve that first, it would be all that is left to show it",
            rule="R-265",
        )
    return plan_deletion(
        contract,
        case.now,
        services.rules,
        services.new_id,
        actor=actor,
        capabilities=case.capabilities,
        entries=case.entries,
        open_charges=[charge.id for charge in charges if charge.open],
        cut_off=services.refund_cut_off,
    )


def _intend(services: Services, contract_id: str, actor: Actor) -> list[Refund]:
    with services.store.write() as session:
        plan = _plan(services, session, session.contracts.lock(contract_id), actor)
        for decision in plan.refunds:
            write_intent(services, session, decision)
    return [decision.refund for decision in plan.refunds if not decision.by_hand]


def _remove(services: Services, contract_id: str, refunds: list[Refund], actor: Actor, reason: str) -> DeletionReport:
    with services.store.write() as session:
        contract = session.contracts.lock(contract_id)
        refunds = [session.refunds.get(refund.id) for refund in refunds]
        tried = {refund.entry_id for refund in refunds}
        plan = _plan(services, session, contract, actor)
        kept = after_deletion.keep(services, session, plan, refunds, actor)
        # what this deletion has just refunded is reported as such, and not as refunded before
        plan = attrs.evolve(plan, skipped=tuple(kept for kept in plan.skipped if kept.entry_id not in tried))
        stone = tombstone(plan, refunds, services.now(), services.new_id, actor=actor, reason=reason)
        session.remove_contract(contract_id, contract.customer_id)
        session.audit.insert_many([stone])
        after_deletion.write(services, session, contract_id, kept)
        changed(services, session, contract, None, [stone])
    return DeletionReport(contract_id, tuple(refunds), plan.skipped, plan.by_hand, stone)
