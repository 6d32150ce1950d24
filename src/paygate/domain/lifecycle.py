"""How a contract takes a step: along a row of the table of transitions, leaving one audit record (R-025, R-266).

The decisions on the operations and events are in the neighbouring modules, by subject: creation, cancelling, suspending,
ending, failing, renewal, deleting. Each returns a :class:`~paygate.domain.settlement.Settlement`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import OperationNotAllowed, PaygateError
from ..evolving import evolve
from .audit import AuditRecord, change
from .contract import Actor, CancellationOrigin, Contract, Status
from .followup import Audience, Next, Notice, NoticeKind, tell, tell_both
from .ledger import EntryKind, EntryState, LedgerEntry
from .transitions import TRANSITIONS, Event, Transition, find, row

__all__ = [
    "check_running_period_paid",
    "operator_notice",
    "paid_row",
    "product_end_notices",
    "refusal",
    "resumption",
    "resumption_notices",
    "step",
    "terminated",
    "unchanged",
]


def step(
    taken: Transition | None,
    before: Contract | None,
    after: Contract,
    *,
    at: dt.datetime,
    actor: Actor,
    new_id: Callable[[], str],
    action: str,
    reason: str = "",
    facts: Mapping[str, Any] | None = None,
) -> AuditRecord:
    """The record of the step from *before* to *after*, which names the row of the table in ``after["transition"]``.

    :param taken: the row, or None if the table has none.
    :param before: None for a contract that is new.
    :raises OperationNotAllowed: the row does not lead there, or not by this actor: what is not in the table does not
        happen (R-022, R-025).
    """
    status = before.status if before is not None else None
    if taken is None or not taken.leads(status, after.status) or actor.kind not in taken.actors:
        source = status.value if status else "nothing"
        raise OperationNotAllowed(
            f"contract {after.id}: no {action} by {actor.kind.value} leads from {source} to {after.status.value}",
            rule="R-025",
        )
    known = {"transition": taken.id} | dict(facts or {})
    return change(before, after, id=new_id(), at=at, actor=actor, action=action, reason=reason, facts=known)


def unchanged(
    contract: Contract,
    *,
    at: dt.datetime,
    actor: Actor,
    new_id: Callable[[], str],
    reason: str,
    facts: Mapping[str, Any] | None = None,
) -> AuditRecord:
    """The record of a repeated or overtaken event, which changes nothing (R-153, R-162, R-269, T-94)."""
    return step(
        row("T-94"), contract, contract, at=at, actor=actor, new_id=new_id, action="event_ignored", reason=reason, facts=facts
    )  # fmt: skip


def refusal(
    contract: Contract, action: str, error: PaygateError, *, at: dt.datetime, actor: Actor, new_id: Callable[[], str]
) -> AuditRecord:
    """The record of an operation that was refused, by a rule or by the provider, and has changed nothing (R-024, X-01).

    :param action: the operation's name; where the table has a row for a refusal under the error's rule, it is named
        (T-32, T-45, T-71, T-72).
    """
    rows = (taken for event in Event if event.value == action for taken in TRANSITIONS[event])
    taken = next((one for one in rows if one.leads(contract.status, contract.status) and error.rule in one.rules), None)
    facts = {"error": type(error).__name__, "rule": error.rule} | ({"transition": taken.id} if taken else {})
    name = f"{action}_refused"
    return change(contract, contract, id=new_id(), at=at, actor=actor, action=name, reason=str(error), facts=facts)


def terminated(contract: Contract, on: dt.date) -> Contract:
    """*contract* ended on business date *on*. The expiry stays; the status closes access (R-059, R-132)."""
    return evolve(contract, status=Status.TERMINATED, cancellation=None, past_due=None, ended_on=on)


def resumption(before: Contract, after: Contract, usual: Transition) -> Transition | None:
    """The row by which a PAST_DUE contract whose payment has come goes on.

    :param usual: the row for a contract that runs again; a kept notice and the product's end have rows of their own
        (R-070, R-163).
    """
    if after.status is Status.TERMINATED:
        event = Event.RESUME_WITH_NOTICE if before.cancellation else Event.FINAL_PERIOD_ENDS
    elif after.cancellation is None:
        return usual
    elif after.cancellation.origin is CancellationOrigin.PRODUCT_END:
        event = Event.RESUME_IN_FINAL_PERIOD
    else:
        event = Event.RESUME_WITH_NOTICE
    return find(before.status, event, after.status)


def resumption_notices(after: Contract, today: dt.date) -> tuple[Notice, ...]:
    """Both sides learn that the contract goes on, or that its end has come meanwhile (domain §3.4)."""
    if after.status is Status.TERMINATED:
        return tell_both(NoticeKind.TERMINATED, after, Next.ENDED, happened_on=after.ended_on)
    notice = after.cancellation
    then = Next.RENEWS if notice is None else Next.ENDS
    return tell_both(
        NoticeKind.RESUMED,
        after,
        then,
        happened_on=today,
        # a date that has gone is no date until which anything may be used
        expires_on=after.expires_on if after.expires_on is not None and after.expires_on >= today else None,
        effective_on=notice.effective_on if notice else None,
    )


def product_end_notices(before: Contract | None, after: Contract, today: dt.date) -> tuple[Notice, ...]:
    """Both sides learn that the contract ends with its product, once: when that is scheduled (R-067, domain §3.4).

    :param before: as the contract was; None for one that is new.
    """
    notice = after.cancellation
    if (
        notice is None
        or notice.origin is not CancellationOrigin.PRODUCT_END
        or after.status is not Status.CANCEL_SCHEDULED
    ):
        return ()
    if before is not None and before.cancellation == notice:
        return ()
    last = notice.effective_on - dt.timedelta(days=1)
    return tell_both(
        NoticeKind.CANCELLATION_SCHEDULED,
        after,
        Next.ENDS,
        happened_on=today,
        effective_on=notice.effective_on,
        last_day_of_use=last if after.expires_on is None else min(last, after.expires_on),
        code="product_end",
    )


def paid_row(contract: Contract, entries: Iterable[LedgerEntry], *states: EntryState) -> LedgerEntry | None:
    """The latest PERIOD row of *contract* in one of *states*: the payment that carries the running period.

    Its target may lie before the running period, because skipped renewal days have no rows (R-039, R-046).
    """
    rows = [
        entry
        for entry in entries
        if entry.contract_id == contract.id and entry.kind is EntryKind.PERIOD and entry.state in states
    ]
    return max(rows, key=lambda entry: entry.target_on, default=None)


def check_running_period_paid(contract: Contract, entries: Iterable[LedgerEntry]) -> None:
    """Refuse to let a contract run on whose running period was marked as unpaid while its end was scheduled (R-388).

    :raises OperationNotAllowed: it is unpaid.
    """
    missing = paid_row(contract, entries, EntryState.UNPAID)
    if missing is not None and contract.period_start is not None and missing.target_on >= contract.period_start:
        raise OperationNotAllowed(
            f"contract {contract.id}: the period of {missing.target_on} is marked as unpaid; mark it as paid first "
            "(contracts.mark_paid), or let the contract end",
            rule="R-388",
        )


def operator_notice(contract: Contract, code: str, message: str, **facts: object) -> Notice:
    """An administrator has to act: *code* names the situation, *message* says what to do."""
    return tell(
        NoticeKind.OPERATOR_ACTION, Audience.ADMIN, contract, Next.RETURN_MONEY, code=code, message=message, **facts
    )
