"""What an administrator records about payments that are missing, or were thought to be (R-383).

Stopping and resuming a contract as a whole is in :mod:`~paygate.domain.suspending`; here single facts are put right.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import attrs

from ..errors import InvalidValue, OperationNotAllowed
from .audit import change
from .contract import Actor, Contract
from .operations import Operation, permit
from .rules import Rules
from .settlement import Settlement

__all__ = ["mark_retries_stopped"]


def mark_retries_stopped(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    note: str,
) -> Settlement:
    """An administrator has stopped the provider's retries of the unpaid period on its screen (R-383).

    From then on the period can be collected by an arrears charge. The contract stays PAST_DUE. Should the provider take
    the money all the same, its notice is applied as any late success: the period is paid by it, or the money is to be
    returned.

    :param note: where it was done, for example "provider console, 2026-11-20 10:15"; kept in the audit record.
    :raises PermissionDenied: not an administrator.
    :raises InvalidValue: no note.
    :raises OperationNotAllowed: no retry of the provider is pending.
    """
    now = permit(Operation.MARK_RETRIES_STOPPED, contract, actor, now, rules)
    if not isinstance(note, str) or not note.strip():
        raise InvalidValue("say in the note where the retries were stopped, for example 'provider console, 2026-11-20'")
    missing = contract.past_due
    if missing is None or not missing.retry_pending:
        raise OperationNotAllowed(
            f"contract {contract.id}: no retry of the provider is pending; arrears can be charged as they are",
            rule="R-383",
        )
    stopped = attrs.evolve(contract, past_due=attrs.evolve(missing, retry_pending=False))
    record = change(
        contract,
        stopped,
        id=new_id(),
        at=now,
        actor=actor,
        action="retries_stopped",
        reason=note.strip(),
        facts={"period": missing.period_start.isoformat()},
    )
    return Settlement(stopped, audit=(record,))
