"""The billing run: starts, renewals, retries, due ends and step mails (§6.4, §6.7, §6.15).

Safe to start twice, on several processes, and after a crash at any point: what is due is decided anew under each
contract's lock, the intent of a charge carries a key made of contract, period and attempt, and the ledger takes a period
once (R-040). Contracts are taken in pages by the day on which they fall due; each is brought up to date step by step, in
date order (R-041). What is due is what fell due by an instant, by default that at which the run begins; it is done with the
present clock, however late. Providers that own the renewals are not charged here: their notices drive the same steps.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import attrs

from ..clock import business_date
from ..domain.charge import Charge, ChargeKind, ChargeState, Purpose
from ..domain.contract import Actor, Contract, Status
from ..domain.due import DueStep, StepKind, due_steps
from ..domain.dunning import RetryPlan
from ..domain.expiry import buys_nothing
from ..domain.failing import hold_back
from ..domain.subscribing import charged_by_provider
from ..errors import OutcomeUnknown, StoreError
from ..flow import call
from ..money import Money
from ..provider import Outcome
from ..store import Restore, Session
from . import doubts, expiring_cards, logs, overdue_renewals
from .card_limits import allowed_at, lock_card, waits
from .catching_up import carry_out, needs_charge
from .charges import settle, unsent
from .claims import Claim, take
from .health import finished
from .horizon import passed
from .no_retry import retry_is_gone
from .outbox import deliver_backlog
from .period_charges import next_number, period_charge
from .planning import Planned, Work, collectable, plan
from .problems import LeftAlone
from .restoring import Known, Suspect, look_for, suspect
from .run_report import BillingReport, Run
from .services import Services
from .settling import charge_request, write_settlement
from .step_mails import release

__all__ = ["BillingReport", "Planned", "Work", "plan", "run"]

_PAGE = 100
#: More steps than this in one run of one contract would be decades of daily renewals: a mistake, not a backlog.
_MOST_STEPS = 20_000


async def run(
    services: Services,
    *,
    until: dt.date | dt.datetime | None = None,
    progress: Callable[[BillingReport], None] | None = None,
) -> BillingReport:
    """Do everything that fell due by *until*, then release the step mails that were due by then.

    :param until: see :func:`~paygate.billing.horizon.passed`.
    :param progress: told after each contract.
    :raises InvalidValue: *until* has not come yet; nothing was done.
    :raises StoreError: the database failed, and the run with it; ``sent`` says whether anything had been charged by then.
        All of that is recorded, and the next run goes on.
    :raises OutcomeUnknown: the same, and the outcome of a charge could not be recorded (R-292).
    """
    running = Run(services, passed(services, until))
    try:
        await _run(running, progress)
    except StoreError as exc:
        if running.report.unknown:
            raise OutcomeUnknown(
                f"the run stopped because the database failed ({exc}), and {running.report.unknown} charge(s) have no "
                "result yet; once it works, run billing.reconcile, then the run again. Do not charge by other means",
                rule="R-292",
            ) from exc
        what = f"the run stopped: {exc}. What it did is recorded; run it again"
        raise type(exc)(what, sent=running.told.sent) from exc
    _log(running.report)
    return running.report


async def _run(running: Run, progress: Callable[[BillingReport], None] | None) -> None:
    running.restore = await call(partial(_restored, running.services))
    after: tuple[dt.date, str] | None = None
    while due := await call(partial(_due_keys, running, after)):
        after = due[-1]
        for _, contract_id in due:
            with running.troubles.isolated(contract_id=contract_id):
                await _bring_up_to_date(running, contract_id)
            if progress is not None:
                progress(running.report)
    key: str | None = None
    while late := await call(partial(_past_due, running, key)):
        key = late[-1]
        for contract_id in late:
            with running.troubles.isolated(contract_id=contract_id):
                await _retry(running, contract_id)
            if progress is not None:
                progress(running.report)
    await expiring_cards.tell(running)
    mails = await release(running.services, by=running.horizon, troubles=running.troubles)
    running.count(mails=len(mails.released))
    await deliver_backlog(running.services)
    await finished(running.services, "billing_run", running.started, running.troubles.count)


def _restored(services: Services) -> Restore | None:
    with services.store.read() as session:
        return session.restores.latest()


def _log(report: BillingReport) -> None:
    counts = {name: number for name, number in attrs.asdict(report, recurse=False).items() if type(number) is int}
    logs.run_finished("billing_run", counts, attention=bool(report.blocked or report.unsent))


def _due_keys(running: Run, after: tuple[dt.date, str] | None) -> list[tuple[dt.date, str]]:
    with running.services.store.read() as session:
        return session.contracts.due_keys(business_date(running.horizon, running.services.rules.zone), after, _PAGE)


def _past_due(running: Run, after: str | None) -> list[str]:
    with running.services.store.read() as session:
        return session.contracts.ids(status=Status.PAST_DUE, after=after, limit=_PAGE)


async def _bring_up_to_date(running: Run, contract_id: str) -> None:
    for _ in range(_MOST_STEPS):
        known = await _looked_up(running, contract_id, _due_charge)
        to_ask = (
            await call(partial(_account_to_ask, running, contract_id, _due_charge)) if running.paces(known) else None
        )
        claim = await take(running.services, to_ask)
        done, charge, contract = await call(partial(_step, running, contract_id, known))
        if charge is None:
            if done is None:
                return
            running.count(**_COUNTED[done.kind])
            continue
        if isinstance(charge, RetryPlan):
            running.hold(contract, charge)
            return
        before = contract.status
        settled = await _send(running, charge, contract, claim, known)
        if settled is None:
            return
        await _count(running, settled, before, retry=False)
        if settled.state is not ChargeState.SUCCEEDED:
            return


_COUNTED: dict[StepKind, dict[str, int]] = {
    StepKind.START: {"started": 1},
    StepKind.RENEWAL: {"renewed": 1},
    StepKind.CANCELLATION: {"cancelled": 1},
    StepKind.PRODUCT_END: {},
    StepKind.UNLOCK: {"unlocked": 1},
}


_NextCharge: TypeAlias = Callable[[Run, Session, Contract], tuple[dt.date, Money] | None]


def _due_charge(running: Run, _session: Session, contract: Contract) -> tuple[dt.date, Money] | None:
    """The period that the next step of *contract* charges, and its price; None if it charges none."""
    due = due_steps(contract, running.horizon, running.services.rules)
    return (due[0].on, due[0].price) if due and needs_charge(contract, due[0]) else None


def _account_to_ask(running: Run, contract_id: str, next_charge: _NextCharge) -> str | None:
    """The account whose turn has to be waited for; None if nothing is going to be charged."""
    with running.services.store.read() as session:
        contract = session.contracts.get(contract_id)
        return contract.account if next_charge(running, session, contract) else None


async def _looked_up(running: Run, contract_id: str, next_charge: _NextCharge) -> Known | None:
    """What the provider has of the next charge, if the database may have forgotten it with a backup (R-286)."""
    restore = running.restore
    if restore is None:
        return None

    def read() -> Suspect | None:
        with running.services.store.read() as session:
            contract = session.contracts.get(contract_id)
            _check_mode(running.services, contract)
            wanted = next_charge(running, session, contract)
            if wanted is None or not _is_ours(running, session, contract, wanted[0]):
                return None
            return suspect(running.services, session, restore, contract, *wanted)

    case = await call(read)
    return None if case is None else await look_for(running.services, running.troubles, case, charge_request)


def _step(
    running: Run, contract_id: str, known: Known | None
) -> tuple[DueStep | None, Charge | RetryPlan | None, Contract]:
    """Take the first due step under the lock: do it, or write down the intent of the charge that it needs.

    :returns: the step that was taken and, if it has to be charged first, the new intent, or when its card may be tried;
        (None, None, …) when nothing more can be done now.
    :raises WrongMode: its account is in the other mode; nothing is done for it (X-24).
    :raises LeftAlone: it has to be charged, and its account is not used any more in this run; or nothing could be given for
        the money (R-391).
    """
    services = running.services
    with services.store.write() as session:
        contract = session.contracts.lock(contract_id)
        running.troubles.about(contract.account)
        _check_mode(services, contract)
        due = due_steps(contract, running.horizon, services.rules)
        if not due:
            return None, None, contract
        step = due[0]
        if step.kind in {StepKind.START, StepKind.RENEWAL}:
            _check_largest_date(services, contract, step.on)
        if needs_charge(contract, step):
            charge = _intend(running, session, contract, step.on, step.price, known, first=True)
            if isinstance(charge, RetryPlan) and not waits(charge, step.on, services.today(), services.now()):
                held = hold_back(
                    contract, step.on, charge, services.now(), services.rules, services.new_id, amount=step.price
                )
                write_settlement(services, session, contract, held)
            return (step, charge, contract) if charge else (None, None, contract)
        carry_out(services, session, contract, step)
    return step, None, contract


def _check_largest_date(services: Services, contract: Contract, period: dt.date) -> None:
    """Refuse a period that would be paid for and stay closed (R-391)."""
    if buys_nothing(contract, period, services.today(), services.rules.system_max):
        raise LeftAlone(
            "system_max",
            f"contract {contract.id}: the period of {period} cannot extend the expiry beyond the system's largest date, "
            f"{services.rules.system_max}, so it is neither opened nor charged; raise system_max_expiry",
        )


def _check_mode(services: Services, contract: Contract) -> None:
    """Refuse what was made in the other mode. An account that is missing matters only where it has to be used."""
    if contract.account is not None and services.plugins.has(contract.account):
        services.account_of(contract)


def _is_ours(running: Run, session: Session, contract: Contract, period: dt.date) -> bool:
    """Whether paygate is to charge the *period*, and none of its attempts is under way."""
    if charged_by_provider(contract, running.services.plugins.account(contract.account).capabilities, period):
        return False
    if session.charges.open_for(contract.id, ChargeKind.PERIOD) is not None:
        return False
    arrears = session.charges.open_for(contract.id, ChargeKind.ADDON)
    # else it may be paying this very period
    return arrears is None or arrears.purpose is not Purpose.ARREARS


def _intend(
    running: Run,
    session: Session,
    contract: Contract,
    period: dt.date,
    price: Money,
    known: Known | None,
    *,
    first: bool,
) -> Charge | RetryPlan | None:
    """Write down the charge of a period; None if it is not ours to make, or one is under way already.

    :param first: whether the card has not been asked for the period yet; retries have been planned with the card in view.
    :returns: for a first attempt that the card's history forbids now: when it may be made, or why never.
    """
    services = running.services
    if not _is_ours(running, session, contract, period):
        overdue_renewals.report(services, session, contract, period)
        return None
    running.troubles.check(contract.account or "")
    doubts.check_period(session, contract, period)
    if first and (known is None or known.result is None):
        allowed = allowed_at(services, session, contract, price)
        if allowed.forbidden_by is not None or allowed.because:
            return allowed
    number = next_number(session.charges.of_period(contract.id, period))
    if known is not None:
        if known.number < number:
            return None  # somebody else has just made the attempt that was looked for
        number = known.number
    charge = period_charge(services, contract, period, price, number)
    session.charges.insert(charge, claim=services.waiting.in_flight)
    return charge


async def _send(running: Run, charge: Charge, contract: Contract, claim: Claim, known: Known | None) -> Charge | None:
    """Charge, and record the answer; None where it could not be recorded, which reconciliation settles.

    What is *known* of the attempt already is recorded instead.
    """
    account = running.services.plugins.account(charge.account)
    key = account.capabilities.idempotency.key_for(charge.id)
    result = known.result if known is not None else None
    if result is None:
        request = charge_request(charge, contract.credential or "", key)
        result = await account.charge(request, claim.on(account.name), partial(unsent, running.services, charge))
    running.told.sent |= result.outcome is not Outcome.NOT_SENT
    try:
        settled = await settle(running.services, charge, result, Actor.provider(account.name), contract)
    except OutcomeUnknown as exc:
        logs.not_recorded(charge, exc)
        running.count(unknown=1)
        return None
    if settled.failure is not None and not settled.failure.sent:
        running.troubles.not_sent(account.name, settled.failure)
    elif settled.state is ChargeState.UNKNOWN:
        running.troubles.unknown(account.name, settled.failure.message if settled.failure is not None else "no answer")
    else:
        running.troubles.answered(account.name)
    return settled


async def _count(running: Run, charge: Charge, before: Status, *, retry: bool) -> None:
    if charge.state is ChargeState.SUCCEEDED:
        running.charged(charge.amount)
        running.count(**{"retried" if retry else "started" if before is Status.NOT_STARTED else "renewed": 1})
    elif charge.open and charge.action_url is not None:
        running.count(requires_action=1)
    elif charge.open:
        running.count(unknown=1)
    elif charge.failure is not None and not charge.failure.sent:
        running.count(unsent=1)
    else:
        after = await call(partial(_status, running.services, charge.contract_id))
        running.count(
            failed=1,
            suspended=int(after is Status.PAST_DUE is not before),
            terminated=int(after is Status.TERMINATED),
        )


def _status(services: Services, contract_id: str) -> Status:
    with services.store.read() as session:
        return session.contracts.get(contract_id).status


# --- retries of what was declined ------------------------------------------------------------------------------------


async def _retry(running: Run, contract_id: str) -> None:
    """Charge an unpaid period again if its next retry is due (R-154, and the networks' rules)."""
    known = await _looked_up(running, contract_id, _due_retry)
    to_ask = await call(partial(_account_to_ask, running, contract_id, _due_retry)) if running.paces(known) else None
    claim = await take(running.services, to_ask)
    charge, contract = await call(partial(_intend_retry, running, contract_id, known))
    if isinstance(charge, RetryPlan):
        running.hold(contract, charge)
    elif charge is not None:
        settled = await _send(running, charge, contract, claim, known)
        if settled is not None:
            await _count(running, settled, Status.PAST_DUE, retry=True)


def _due_retry(running: Run, session: Session, contract: Contract) -> tuple[dt.date, Money] | None:
    """The unpaid period whose retry is due, and its price."""
    unpaid = collectable(running.services, session, contract)
    retry = unpaid.next_by(running.horizon) if unpaid is not None else None
    if unpaid is None or unpaid.price is None or retry is None or retry.next_at is None or contract.past_due is None:
        return None
    return contract.past_due.period_start, unpaid.price


def _intend_retry(running: Run, contract_id: str, known: Known | None) -> tuple[Charge | RetryPlan | None, Contract]:
    services = running.services
    with services.store.write() as session:
        contract = session.contracts.lock(contract_id)
        running.troubles.about(contract.account)
        lock_card(session, contract)
        unpaid = collectable(services, session, contract)
        if unpaid is None or unpaid.price is None or contract.past_due is None:
            return None, contract
        retry = unpaid.next_by(running.horizon)
        if retry is None or retry.next_at is None:
            held = unpaid.held_back()
            if held is not None and held.forbidden_by is not None:
                return held, retry_is_gone(services, session, contract, held, unpaid.price)
            return held, contract
        period = contract.past_due.period_start
        _check_largest_date(services, contract, period)
        return _intend(running, session, contract, period, unpaid.price, known, first=False), contract
