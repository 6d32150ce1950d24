"""The billing run: starts, renewals, retries, due ends and step mails (§6.4, §6.7, §6.15).

Safe to start twice, on several processes, and after a crash at any point: what is due is decided anew under each
contract's lock, the intent of a charge carries a key made of contract, period and attempt, and the ledger takes a period
once (R-040). Contracts are taken in pages by the day on which they fall due; each is brought up to date step by step, in
date order (R-041). What is due is what fell due by an instant, by default that at which the run begins; it is done with the
present clock, however late. Providers that own the renewals are not charged here: their notices drive the same steps.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from functools import partial

import attrs

from ..clock import business_date
from ..domain.charge import Charge, ChargeKind, ChargeState, Purpose
from ..domain.contract import Actor, Contract, Status
from ..domain.due import DueStep, StepKind, due_steps, next_due_on
from ..domain.dunning import RetryPlan
from ..domain.forecast import why_due
from ..domain.renewal import end, renew, schedule_product_end, start
from ..domain.subscribing import charged_by_provider
from ..domain.unlocking import unlock
from ..flow import call
from ..money import Money
from ..store import Session
from .charges import settle
from .forecast import unpaid_period
from .horizon import ahead, passed
from .outbox import deliver
from .services import Services, fingerprint, secret_hash
from .settling import charge_request, write_settlement
from .step_mails import release

__all__ = ["BillingReport", "Planned", "Work", "plan", "run"]

_PAGE = 100
#: More steps than this in one run of one contract would be decades of daily renewals: a mistake, not a backlog.
_MOST_STEPS = 20_000


class Work(enum.Enum):
    """What a run does for a contract, or would do."""

    START = "start"
    RENEWAL = "renewal"
    RETRY = "retry"
    CANCELLATION = "cancellation"
    PRODUCT_END = "product end"
    UNLOCK = "unlock"
    NOTHING = "nothing"  #: a card that is not retried, or a contract left alone; ``why`` says which rule forbids it


@attrs.frozen
class Planned:
    """One step that a run would take now.

    :param on: the business date on which it fell due.
    :param charge: what a card would be charged; None where no provider is asked.
    :param why: why on that date; for NOTHING, which rule forbids it.
    :param account: through which the contract is paid; None without a card.
    """

    contract_id: str
    customer_id: str
    work: Work
    on: dt.date
    charge: Money | None = None
    why: str = ""
    account: str | None = None


@attrs.frozen
class BillingReport:
    """What a run did: numbers of contracts, and what was charged.

    ``failed`` counts declined charges, first attempts and retries alike; ``suspended`` those of them that made a contract
    past due, ``terminated`` those that ended one; ``unlocked`` days on which further contents opened (R-082);
    ``unsent`` charges that certainly never reached the provider; ``unknown`` charges without a result yet; ``blocked``
    contracts that were left alone because they were made in test mode and their account is live, or the other way round
    (X-24).
    """

    started: int = 0
    renewed: int = 0
    retried: int = 0
    failed: int = 0
    suspended: int = 0
    terminated: int = 0
    cancelled: int = 0
    unlocked: int = 0
    unsent: int = 0
    unknown: int = 0
    blocked: int = 0
    mails: int = 0
    charged: dict[str, int] = attrs.field(factory=dict)

    def plus(self, **more: int) -> BillingReport:
        """The report with *more* counted."""
        return attrs.evolve(self, **{name: getattr(self, name) + number for name, number in more.items()})


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
    """
    horizon = passed(services, until)
    report = BillingReport()
    after: Contract | None = None
    while page := await call(partial(_due, services, horizon, after, _PAGE)):
        after = page[-1]
        for contract in page:
            if services.in_mode(contract):
                report = await _bring_up_to_date(services, contract.id, horizon, report)
            else:
                report = report.plus(blocked=1)
            if progress is not None:
                progress(report)
    key: str | None = None
    while late := await call(partial(_past_due, services, key)):
        key = late[-1].id
        for contract in late:
            report = await _retry(services, contract, horizon, report)
            if progress is not None:
                progress(report)
    mails = await release(services, by=horizon)
    await deliver(services)
    return report.plus(mails=len(mails.released))


def _due(services: Services, horizon: dt.datetime, after: Contract | None, size: int) -> list[Contract]:
    with services.store.read() as session:
        return session.contracts.due(business_date(horizon, services.rules.zone), after, size)


def _past_due(services: Services, after: str | None) -> list[Contract]:
    with services.store.read() as session:
        return session.contracts.page(status=Status.PAST_DUE, after=after, limit=_PAGE)


async def _bring_up_to_date(
    services: Services, contract_id: str, horizon: dt.datetime, report: BillingReport
) -> BillingReport:
    for _ in range(_MOST_STEPS):
        done, charge, contract = await call(partial(_step, services, contract_id, horizon))
        if charge is None:
            if done is None:
                return report
            report = report.plus(**_COUNTED[done.kind])
            continue
        before = contract.status
        settled = await _send(services, charge, contract)
        report = await _count(services, report, settled, before, retry=False)
        if settled.state is not ChargeState.SUCCEEDED:
            return report
    return report


_COUNTED: dict[StepKind, dict[str, int]] = {
    StepKind.START: {"started": 1},
    StepKind.RENEWAL: {"renewed": 1},
    StepKind.CANCELLATION: {"cancelled": 1},
    StepKind.PRODUCT_END: {},
    StepKind.UNLOCK: {"unlocked": 1},
}


def _step(services: Services, contract_id: str, horizon: dt.datetime) -> tuple[DueStep | None, Charge | None, Contract]:
    """Take the first due step under the lock: do it, or write down the intent of the charge that it needs.

    :returns: the step that was taken and, if it has to be charged first, the new intent; (None, None, …) when nothing
        more can be done now.
    """
    with services.store.write() as session:
        contract = session.contracts.lock(contract_id)
        now, rules, new_id = services.now(), services.rules, services.new_id
        due = due_steps(contract, horizon, rules)
        if not due:
            return None, None, contract
        step = due[0]
        if step.kind is StepKind.CANCELLATION:
            settlement = end(contract, step.on, now, rules, new_id)
        elif step.kind is StepKind.PRODUCT_END:
            settlement = schedule_product_end(contract, now, new_id)
        elif contract.is_card and step.price:
            charge = _intend(services, session, contract, step.on, step.price)
            return (step, charge, contract) if charge else (None, None, contract)
        elif step.kind is StepKind.UNLOCK:
            known = session.licences.for_contract(contract.id)
            settlement = unlock(contract, step.on, now, rules, new_id, licences=known)
        elif step.kind is StepKind.START:
            settlement = start(contract, now, rules, new_id)
        else:
            known = session.licences.for_contract(contract.id)
            settlement = renew(contract, step.on, now, rules, new_id, licences=known)
        write_settlement(services, session, contract, settlement)
    return step, None, contract


def _intend(services: Services, session: Session, contract: Contract, period: dt.date, price: Money) -> Charge | None:
    """Write down the charge of a period; None if it is not ours to make, or one is under way already."""
    account = services.plugins.account(contract.account)
    if charged_by_provider(contract, account.capabilities, period):
        return None
    if session.charges.open_for(contract.id, ChargeKind.PERIOD) is not None:
        return None
    arrears = session.charges.open_for(contract.id, ChargeKind.ADDON)
    if arrears is not None and arrears.purpose is Purpose.ARREARS:
        return None  # it may be paying this very period
    number = len(session.charges.of_period(contract.id, period)) + 1
    charge = Charge(
        id=services.new_id(),
        contract_id=contract.id,
        customer_id=contract.customer_id,
        account=account.name,
        kind=ChargeKind.PERIOD,
        amount=price,
        idempotency_key=f"period/{contract.id}/{period.isoformat()}/{number}",
        fingerprint=fingerprint("period", contract.id, period, price),
        actor=Actor.scheduler(),
        created_at=services.now(),
        period_start=period,
        previous_expires_on=contract.expires_on,
        credential_hash=secret_hash(account.name, contract.credential),
    )
    session.charges.insert(charge)
    return charge


async def _send(services: Services, charge: Charge, contract: Contract) -> Charge:
    account = services.plugins.account(charge.account)
    key = account.capabilities.idempotency.key_for(charge.id)
    result = await account.charge(charge_request(charge, contract.credential or "", key))
    return await settle(services, charge, result, Actor.provider(account.name))


async def _count(
    services: Services, report: BillingReport, charge: Charge, before: Status, *, retry: bool
) -> BillingReport:
    if charge.state is ChargeState.SUCCEEDED:
        total = {
            **report.charged,
            charge.amount.currency: report.charged.get(charge.amount.currency, 0) + charge.amount.minor,
        }
        done = "retried" if retry else "started" if before is Status.NOT_STARTED else "renewed"
        return attrs.evolve(report, charged=total).plus(**{done: 1})
    if charge.open:
        return report.plus(unknown=1)
    if charge.failure is not None and not charge.failure.sent:
        return report.plus(unsent=1)
    after = await call(partial(_status, services, charge.contract_id))
    return report.plus(
        failed=1,
        suspended=int(after is Status.PAST_DUE is not before),
        terminated=int(after is Status.TERMINATED),
    )


def _status(services: Services, contract_id: str) -> Status:
    with services.store.read() as session:
        return session.contracts.get(contract_id).status


# --- retries of what was declined ------------------------------------------------------------------------------------


async def _retry(services: Services, contract: Contract, horizon: dt.datetime, report: BillingReport) -> BillingReport:
    """Charge an unpaid period again if its next retry is due (R-154, and the networks' rules)."""
    charge = await call(partial(_intend_retry, services, contract.id, horizon))
    if charge is None:
        return report
    settled = await _send(services, charge, contract)
    return await _count(services, report, settled, Status.PAST_DUE, retry=True)


def _intend_retry(services: Services, contract_id: str, horizon: dt.datetime) -> Charge | None:
    with services.store.write() as session:
        contract = session.contracts.lock(contract_id)
        retry = _retry_by(services, session, contract, horizon)
        if retry is None or retry.next_at is None or contract.past_due is None:
            return None
        price = session.charges.of_period(contract.id, contract.past_due.period_start)[0].amount
        return _intend(services, session, contract, contract.past_due.period_start, price)


def _retry_by(services: Services, session: Session, contract: Contract, horizon: dt.datetime) -> RetryPlan | None:
    """The retry of the unpaid period that falls due by *horizon*, or why there is none any more.

    None if it falls due later, or is not ours to make.
    """
    unpaid = unpaid_period(services, session, contract) if services.in_mode(contract) else None
    if unpaid is None or unpaid.schedule is None or not unpaid.attempts:
        return None
    return unpaid.next_by(horizon)


# --- the plan: the same without touching anything --------------------------------------------------------------------


async def plan(
    services: Services, after: Contract | str | None, size: int, *, until: dt.date | dt.datetime | None = None
) -> tuple[list[Planned], Contract | str | None]:
    """One page of what a run would do by *until*, and where the next page goes on; nothing is written or sent.

    First the contracts that are due, then those that are past due. In the future it supposes that every charge succeeds
    and that nobody acts; of an unpaid period it shows the next retry, and not the renewals that follow its success.

    :param until: see :func:`~paygate.billing.horizon.ahead`.
    :raises InvalidValue: *until* is more than ten years away.
    """
    horizon = ahead(services, until)
    if not isinstance(after, str):
        page = await call(partial(_due, services, horizon, after, size))
        if page:
            return [item for contract in page for item in _would_do(services, contract, horizon)], page[-1]
        after = ""
    return await call(partial(_retry_page, services, horizon, after or None, size))


def _would_do(services: Services, contract: Contract, horizon: dt.datetime) -> list[Planned]:
    kinds = {
        StepKind.START: Work.START,
        StepKind.RENEWAL: Work.RENEWAL,
        StepKind.CANCELLATION: Work.CANCELLATION,
        StepKind.PRODUCT_END: Work.PRODUCT_END,
        StepKind.UNLOCK: Work.UNLOCK,
    }
    if not services.in_mode(contract):
        why = "made in the other of test and live mode than its account is in (X-24)"
        on = next_due_on(contract) or contract.start_on
        return [Planned(contract.id, contract.customer_id, Work.NOTHING, on, None, why, contract.account)]
    capabilities = services.plugins.account(contract.account).capabilities if contract.is_card else None
    items = []
    for step in due_steps(contract, horizon, services.rules):
        charged = contract.is_card and bool(step.price)
        if charged and capabilities is not None and charged_by_provider(contract, capabilities, step.on):
            break  # the provider charges it and tells us
        price = step.price if charged else None
        why = why_due(contract, step)
        items.append(
            Planned(contract.id, contract.customer_id, kinds[step.kind], step.on, price, why, contract.account)
        )
    return items


def _retry_page(
    services: Services, horizon: dt.datetime, after: str | None, size: int
) -> tuple[list[Planned], str | None]:
    items = []
    with services.store.read() as session:
        contracts = session.contracts.page(status=Status.PAST_DUE, after=after, limit=size)
        for contract in contracts:
            retry = _retry_by(services, session, contract, horizon)
            if retry is None or contract.past_due is None:
                continue
            due = retry.next_at is not None
            price = session.charges.of_period(contract.id, contract.past_due.period_start)[0].amount if due else None
            on = retry.on or services.today()
            work = Work.RETRY if due else Work.NOTHING
            why = retry.explain()
            items.append(Planned(contract.id, contract.customer_id, work, on, price, why, contract.account))
    return items, contracts[-1].id if contracts else None
