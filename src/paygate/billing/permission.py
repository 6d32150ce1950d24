"""Whether somebody may do what they ask for: the seller's own roles, asked before anything is written or sent (X-21).

Which *kind* of actor may do what is a rule of the domain (R-267). Which member of the staff may look, charge or delete is
the seller's to say, in a plugin with the hook ``before_operation``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from ..domain.contract import Actor
from ..domain.lifecycle import refusal
from ..errors import PaygateError, Vetoed
from ..flow import call
from ..notices import OperationProposal
from ..store import Session
from . import logs
from .services import Services

__all__ = ["HOOK", "Find", "ask", "on_contract", "record_refusal"]

HOOK = "before_operation"

#: Looks up what the observers are asked about; None: nothing, because the call repeats what was allowed before.
Find: TypeAlias = Callable[[Session], OperationProposal | None]


def on_contract(operation: str, actor: Actor, contract_id: str) -> Find:
    """An operation on a contract that is known.

    :param operation: its name as in the audit trail.
    """
    return lambda session: OperationProposal(operation, actor, session.contracts.get(contract_id))


async def ask(services: Services, find: Find) -> None:
    """Let the observers refuse what *find* looks up; where nobody listens nothing is looked up.

    :raises Vetoed: one of them refused. If the contract is stored, its audit trail says so.
    :raises NotFound: what the operation is about does not exist.
    """
    if services.plugins.listening(HOOK):
        await call(partial(_ask, services, find))


def _ask(services: Services, find: Find) -> None:
    with services.store.read() as session:
        proposal = find(session)
    if proposal is None:
        return
    try:
        services.plugins.before_operation(proposal)  # outside the transaction, because observers may be slow
    except Vetoed as error:
        logs.vetoed(error, proposal.contract.id if proposal.contract is not None else None, proposal.operation)
        if proposal.contract is not None:
            record_refusal(services, proposal.contract.id, proposal.operation, error, proposal.actor)
        raise


def record_refusal(services: Services, contract_id: str, operation: str, error: PaygateError, actor: Actor) -> None:
    """Note in the audit trail that *operation* was refused and changed nothing (R-024, X-01)."""
    with services.store.write() as session:
        if session.contracts.exists(contract_id):
            contract = session.contracts.lock(contract_id)
            record = refusal(contract, operation, error, at=services.now(), actor=actor, new_id=services.new_id)
            session.audit.insert_many([record])
