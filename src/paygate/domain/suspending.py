"""契約の停止 and 契約停止の解除: the missing payment of a contract without a card (R-111 to R-123, R-159, T-43, T-64).

Whether a payment is missing is an administrator's judgement (R-112): nothing that is paid by bank transfer or kept by hand
becomes PAST_DUE by itself (R-158). Cards have their events in :mod:`~paygate.domain.failing`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence

import attrs

from ..clock import business_date, require_aware, spoken
from ..errors import InvalidValue
from . import licences as entitlements
from .audit import change
from .contract import Actor, Contract, PastDue, Status
from .creation import first_payment
from .expiry import extended
from .followup import Audience, Next, NoticeKind, tell
from .ledger import EntryState, LedgerEntry
from .licences import License
from .lifecycle import paid_row, resumption, resumption_notices, step
from .operations import Operation, permit
from .rules import Rules
from .running import period_price, resumed
from .settlement import Settlement
from .transitions import Event, find, row

__all__ = ["remind", "resume", "suspend"]


def suspend(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    entries: Iterable[LedgerEntry] = (),
    licences: Sequence[License] = (),
    reason: str = "",
) -> Settlement:
    """契約の停止: the payment of the running period could not be found (R-111 to R-118).

    Its row becomes UNPAID, whether it was only assumed or thought to be received; its content is locked, that of earlier
    periods stays (R-074, R-075). The expiry stays. Nobody is mailed (R-118); see :func:`remind`.

    :param entries: all ledger rows of the contract.
    :param licences: all licences of the contract.
    :raises PermissionDenied: not an administrator.
    :raises OperationNotAllowed: not offered: a card (R-113), a cancellation that is scheduled (R-117), not running.
    """
    now = permit(Operation.SUSPEND, contract, actor, now, rules)
    missing = paid_row(contract, entries, EntryState.ASSUMED, EntryState.SUCCEEDED)
    period = missing.target_on if missing else contract.period_start or contract.start_on
    stopped = attrs.evolve(contract, status=Status.PAST_DUE, past_due=PastDue(now, period, failures=0))
    record = step(
        find(contract.status, Event.SUSPEND, stopped.status),
        contract,
        stopped,
        at=now,
        actor=actor,
        new_id=new_id,
        action="suspend",
        reason=reason,
        facts=_row_facts(missing, EntryState.UNPAID),
    )
    return Settlement(
        stopped,
        licences=entitlements.revoke(contract, licences, missing.id) if missing else (),
        audit=(record,),
        changed=(attrs.evolve(missing, state=EntryState.UNPAID),) if missing else (),
    )


def resume(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    received_at: dt.datetime | None = None,
    entries: Iterable[LedgerEntry] = (),
    licences: Iterable[License] = (),
    reason: str = "",
) -> Settlement:
    """契約停止の解除: the missing payment has been found (R-119 to R-123, T-64, T-6A, T-69).

    The contract runs again by today's date: ACTIVE or SPECIAL_PERIOD (R-065), CANCEL_SCHEDULED in the product's final
    period, TERMINATED once that is over (R-070). Renewal days that have passed meanwhile are not billed (R-039). The
    expiry moves only if it has already passed, and then beyond today, so that the content opens again (R-123).

    :param received_at: when the money came in; by default *now*. It is kept with the row, which counts as a sale again.
    :raises PermissionDenied: not an administrator.
    :raises OperationNotAllowed: not offered: a card resumes by its own payment (R-121), or the contract is not PAST_DUE.
    :raises InvalidValue: *received_at* lies in the future (R-122).
    :raises NaiveDatetime: an instant has no zone (R-002).
    """
    now = permit(Operation.RESUME, contract, actor, now, rules)
    received_at = now if received_at is None else require_aware(received_at, "received_at")
    if received_at > now:
        raise InvalidValue(f"the payment cannot have come in the future, at {spoken(received_at)}", rule="R-122")
    today = business_date(now, rules.zone)
    back = resumed(contract, today, now)
    expires_on = contract.expires_on
    if back.status is not Status.TERMINATED and expires_on is not None and expires_on < today:
        expires_on = extended(expires_on, contract.plan, contract.start_on, today, rules.system_max)
        back = attrs.evolve(back, expires_on=expires_on)
    found = paid_row(contract, entries, EntryState.UNPAID)
    record = step(
        resumption(contract, back, row("T-64")),
        contract,
        back,
        at=now,
        actor=actor,
        new_id=new_id,
        action="resume",
        reason=reason,
        facts={"received_at": received_at.isoformat()} | _row_facts(found, EntryState.SUCCEEDED),
    )
    return Settlement(
        back,
        licences=entitlements.restore(licences),
        audit=(record,),
        changed=(attrs.evolve(found, state=EntryState.SUCCEEDED, received_at=received_at),) if found else (),
        notices=resumption_notices(back, today),
    )


def remind(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    new_id: Callable[[], str],
    *,
    actor: Actor,
    due_on: dt.date | None = None,
) -> Settlement:
    """催促メール送信: remind the customer of a payment that is late; nothing changes (R-118, R-159).

    :param due_on: the business date until which the payment is expected; by default so many days from today as the rules say
        (R-430).
    :raises PermissionDenied: not an administrator.
    :raises OperationNotAllowed: nothing is late: neither PENDING_PAYMENT nor PAST_DUE.
    """
    now = permit(Operation.SEND_DUNNING_MAIL, contract, actor, now, rules)
    today = business_date(now, rules.zone)
    due_on = due_on or today + dt.timedelta(days=rules.payment_due_days)
    missing = contract.past_due
    if missing:
        amount = period_price(contract.plan, contract.start_on, missing.period_start)
    else:
        amount = first_payment(contract.plan, contract.start_on, today, card=contract.is_card)
    facts = {"amount": str(amount), "due_on": due_on.isoformat()}
    record = change(contract, contract, id=new_id(), at=now, actor=actor, action="send_dunning_mail", facts=facts)
    notice = tell(
        NoticeKind.DUNNING,
        Audience.CUSTOMER,
        contract,
        Next.PAY,
        amount=amount,
        due_on=due_on,
        happened_on=today,
    )
    return Settlement(contract, audit=(record,), notices=(notice,))


def _row_facts(entry: LedgerEntry | None, state: EntryState) -> dict[str, str]:
    return {} if entry is None else {"entry": entry.id, "entry_state": f"{entry.state.value} → {state.value}"}
