"""Bringing one contract up to date: the due steps that move no money, done whenever somebody comes by (R-041, R-385).

A billing run does them, and so does every operation before it decides: what falls on a business day has happened on that
day, whether or not a run has come. What has to be charged, and the end of a contract, stay with the run.
"""

from __future__ import annotations

from ..domain.contract import Contract
from ..domain.due import DueStep, StepKind, due_steps
from ..domain.expiry import buys_nothing
from ..domain.renewal import end, renew, schedule_product_end, start
from ..domain.unlocking import unlock
from ..store import Session
from .services import Services
from .settling import write_settlement

__all__ = ["carry_out", "catch_up", "needs_charge"]

#: What changes nothing that an operation asks about by its own rules: starts and ends have errors of their own (R-090, R-136).
_AT_ANY_TIME = frozenset({StepKind.RENEWAL, StepKind.UNLOCK, StepKind.PRODUCT_END})


def needs_charge(contract: Contract, step: DueStep) -> bool:
    """Whether *step* is done only by the success of a charge (R-036)."""
    return contract.is_card and bool(step.price)


def carry_out(services: Services, session: Session, contract: Contract, step: DueStep) -> Contract:
    """Do *step*, which needs no charge, in the caller's write transaction; the contract is locked there.

    :returns: the contract as stored.
    """
    now, rules, new_id = services.now(), services.rules, services.new_id
    match step.kind:
        case StepKind.CANCELLATION:
            settlement = end(contract, step.on, now, rules, new_id)
        case StepKind.PRODUCT_END:
            settlement = schedule_product_end(contract, now, new_id, zone=rules.zone)
        case StepKind.START:
            settlement = start(contract, now, rules, new_id, entries=session.ledger.for_contract(contract.id))
        case StepKind.UNLOCK:
            known = session.licences.for_contract(contract.id)
            settlement = unlock(contract, step.on, now, rules, new_id, licences=known)
        case StepKind.RENEWAL:
            known = session.licences.for_contract(contract.id)
            settlement = renew(contract, step.on, now, rules, new_id, licences=known)
    return write_settlement(services, session, contract, settlement)


def catch_up(services: Services, session: Session, contract: Contract) -> Contract:
    """*contract* with the renewals, openings and product ends that have fallen due by now and need no charge (R-385).

    In the caller's write transaction, under the contract's lock: if the caller refuses what was asked for, none of this
    has happened.
    """
    while True:
        step = next(iter(due_steps(contract, services.now(), services.rules)), None)
        if step is None or step.kind not in _AT_ANY_TIME or needs_charge(contract, step):
            return contract
        if step.kind is StepKind.RENEWAL and buys_nothing(
            contract, step.on, services.today(), services.rules.system_max
        ):
            return contract
        contract = carry_out(services, session, contract, step)
