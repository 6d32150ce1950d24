"""Settling what is PENDING or UNKNOWN: by look-up as declared, or by telling an operator; never by a blind repeat."""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from ..domain.charge import Charge, ChargeState, Refund
from ..domain.contract import Actor, Contract
from ..domain.discrepancy import Source
from ..flow import call
from ..provider import ChargeResult, Found, Lookup, LookupRequest, Outcome
from . import aligning, customer_action, logs
from . import refunds as refund_cases
from .duplicates import follow_up
from .health import finished
from .outbox import Delivery, deliver, deliver_backlog
from .problems import Problem, Troubles, Unreadable, readable
from .restoring import asked_since, is_held
from .services import Services
from .settled_again import look_again_at_settled, moment
from .settling import apply_charge, charge_request, contract_behind
from .unknowns import charge_still_unknown
from .withdrawing import look_again, withdraw

__all__ = ["Reconciliation", "look", "run"]

_GONE = "the process that was sending it ended before it could record the answer"


@attrs.frozen
class Reconciliation:
    """What one pass over the open attempts did. Ids of charges and refunds.

    :param subscriptions: ids of contracts whose provider's subscription has been started, refused or ended now.
    :param subscriptions_open: ids of contracts, or of those yet to be made, whose provider gave no answer about it.
    :param blocked: how many of them could not be looked at, for a trouble of their own or of their account.
    :param problems: the first of these, each with its reason.
    :param requires_action: ids of charges that wait for their customer, whose time is not over (R-335).
    :param discrepancies: ids of charges and refunds of which a provider reports something against the record. No pass
        settles that (R-311); ``charges.discrepancies`` says what it is.
    :param notices: what was told to observers at its end.
    :param corrected: ids of settled charges of which something was learnt that no notice had told (R-329).
    """

    settled: tuple[str, ...] = ()
    still_open: tuple[str, ...] = ()
    needs_operator: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    subscriptions_open: tuple[str, ...] = ()
    blocked: int = 0
    problems: tuple[Problem, ...] = ()
    discrepancies: tuple[str, ...] = ()
    requires_action: tuple[str, ...] = ()
    notices: Delivery = attrs.field(factory=Delivery)
    corrected: tuple[str, ...] = ()


async def look(services: Services, charge_id: str, troubles: Troubles | None = None) -> Charge:
    """Look one attempt up and record what was found; an attempt that has ended is returned as it is.

    :param troubles: of the run that this is a part of.
    :raises NotFound: the attempt's account is missing from the configuration.
    :raises LeftAlone: its account is not used any more in this run.
    """
    charge, contract, in_flight = await call(partial(_load, services, charge_id))
    if contract is None or in_flight or not services.in_mode(contract):
        return (
            charge  # an account of the other mode would say that there is no such charge, which proves nothing
        )
    capabilities = services.plugins.account(charge.account).capabilities
    if capabilities.lookup is Lookup.NONE:
        if customer_action.is_over(services, charge):
            charge = await withdraw(services, charge, contract)
        return await call(partial(_overdue, services, charge)) if charge.open else charge
    found = await _ask(services, charge, contract.credential or "", troubles or Troubles())
    if found is None:
        return await call(partial(_overdue, services, charge))
    result = found.result
    if result is None and capabilities.lookup is Lookup.AUTHORITATIVE and not is_held(charge):
        result = ChargeResult.not_sent("the provider knows nothing of it")
    if not isinstance(result, ChargeResult) or not _tells(result):
        return await call(partial(_overdue, services, charge))
    settled = await call(partial(_apply, services, charge, result))
    if settled.open and customer_action.is_over(services, settled):
        settled = await withdraw(services, settled, contract)
    if settled.open:
        return await call(partial(_overdue, services, settled))
    await follow_up(services, settled)
    await deliver(services)
    return settled


async def _ask(services: Services, charge: Charge, credential: str, troubles: Troubles) -> Found | None:
    """The provider's answer to a look-up; None if it gave none, which proves nothing."""
    account = services.plugins.account(charge.account)
    key = account.capabilities.idempotency.key_for(charge.id)
    with troubles.asking(account.name):
        since = await call(partial(_asked_since, services, charge))
        request = attrs.evolve(charge_request(charge, credential, key), requested_at=since)
        return await account.find_charge(LookupRequest(request, charge.reference))
    return None


def _asked_since(services: Services, charge: Charge) -> dt.datetime:
    with services.store.read() as session:
        return asked_since(session, charge)


def _tells(result: ChargeResult) -> bool:
    """Whether it says anything: an unknown outcome does where it names a sum or further payments."""
    return result.outcome is not Outcome.UNKNOWN or result.amount is not None or bool(result.others)


def _load(services: Services, charge_id: str) -> tuple[Charge, Contract | None, bool]:
    """The attempt; while it is open, the contract that it is for; and whether a process may be sending it at this moment.

    In that case not finding it would prove nothing (R-280).
    """
    with services.store.read() as session:
        charge = session.charges.get(charge_id)
        if not charge.open:
            return charge, None, False
        return charge, contract_behind(session, charge), session.charges.claimed_until(charge_id) is not None


def _apply(services: Services, charge: Charge, result: ChargeResult) -> Charge:
    with services.store.write() as session:
        actor, source = Actor.provider(charge.account), Source.LOOKUP
        return apply_charge(services, session, charge, result, actor=actor, now=services.now(), source=source)


def _overdue(services: Services, charge: Charge) -> Charge:
    """Nothing new was learnt: after the waiting time PENDING becomes UNKNOWN (R-193); later an operator is told, once more."""
    with services.store.read() as session:
        # by one clock: the host that wrote it down may be hours ahead of this one
        age = session.instant() - (session.charges.written_at(charge.id) or charge.created_at)
        # nobody can be asked, so that waiting would tell nothing
        lost = _lookup(services, charge.account) in {None, Lookup.NONE} and session.charges.abandoned(charge.id)
    if customer_action.is_ending(services, charge):
        return charge
    if charge.state is ChargeState.PENDING and (lost or age >= dt.timedelta(seconds=services.waiting.unknown_after)):
        waited = _GONE if lost else f"no result after {services.waiting.unknown_after} seconds"
        charge = _apply(services, charge, ChargeResult.unknown(waited, reference=charge.reference))
    due = age >= dt.timedelta(seconds=services.waiting.operator_after)
    if charge.state is ChargeState.UNKNOWN and due and not charge.operator_told:
        with services.store.write() as session:
            charge = session.charges.get(charge.id)
            if not charge.open or charge.operator_told:
                return charge
            charge = attrs.evolve(charge, operator_told=True)
            session.charges.update(charge)
            charge_still_unknown(services, session, charge, services.now())
    return charge


async def run(services: Services, settled_since: dt.timedelta | dt.date | dt.datetime | None = None) -> Reconciliation:
    """Look at every open charge and refund, oldest first, in pages; each one's trouble is its own.

    :param settled_since: look also at the charges that have succeeded from then on, see
        :func:`~paygate.billing.settled_again.moment`.
    """
    since = moment(services, settled_since) if settled_since is not None else None
    outcome, started = _Outcome(), services.now()
    after: str | None = None
    while charges := await call(partial(_open_charges, services, after)):
        for charge in charges:
            after = charge.key if isinstance(charge, Unreadable) else charge.id
            if isinstance(charge, Unreadable):
                outcome.still_open.append(after)
                outcome.troubles.failed(charge.error, charge_id=after)
            else:
                await _look_at(services, charge, outcome)
    await _follow_up(services, outcome.troubles)
    await look_again(services, outcome.troubles)
    after = None
    while refunds := await call(partial(_open_refunds, services, after)):
        for refund in refunds:
            after = refund.key if isinstance(refund, Unreadable) else refund.id
            if isinstance(refund, Unreadable):
                outcome.still_open.append(after)
                outcome.troubles.failed(refund.error, refund_id=after)
            else:
                await _look_at_refund(services, refund, outcome)
    changed = await look_again_at_settled(services, since, outcome.troubles) if since is not None else []
    aligned, waiting = await aligning.run(services, outcome.troubles)
    told = await deliver_backlog(services)
    await finished(services, "reconciliation", started, outcome.troubles.count)
    report = Reconciliation(
        tuple(outcome.settled),
        tuple(outcome.still_open),
        tuple(outcome.people),
        tuple(aligned),
        tuple(waiting),
        outcome.troubles.count,
        outcome.troubles.problems,
        await call(partial(_contradicted, services)),
        tuple(outcome.awaited),
        told,
        tuple(changed),
    )
    counts = {
        name: value if isinstance(value, int) else len(value)
        for name, value in attrs.asdict(report, recurse=False).items()
        if name not in {"problems", "notices"}
    }
    logs.run_finished(
        "reconciliation", counts, attention=bool(report.blocked or report.needs_operator or report.discrepancies)
    )
    return report


def _contradicted(services: Services) -> tuple[str, ...]:
    with services.store.read() as session:
        return tuple(dict.fromkeys(one.attempt_id for one in session.discrepancies.page(limit=1000)))


@attrs.define
class _Outcome:
    settled: list[str] = attrs.field(factory=list)
    still_open: list[str] = attrs.field(factory=list)
    people: list[str] = attrs.field(factory=list)
    awaited: list[str] = attrs.field(factory=list)
    troubles: Troubles = attrs.field(factory=Troubles)


async def _look_at(services: Services, charge: Charge, outcome: _Outcome) -> None:
    known = charge
    item = {"account": charge.account, "contract_id": charge.contract_id, "charge_id": charge.id}
    with outcome.troubles.isolated(**item):
        try:
            known = await look(services, charge.id, outcome.troubles)
        except Exception:
            # nothing was learnt, and the clock runs on: after the waiting time it is unknown, and an operator is told
            with outcome.troubles.isolated(**item):
                known = await call(partial(_overdue, services, charge))
            raise
    if not known.open:
        outcome.settled.append(charge.id)
        logs.reconciled(known)
    elif customer_action.is_awaited(services, known):
        outcome.awaited.append(charge.id)
    elif known.state is ChargeState.UNKNOWN and (is_held(known) or _lookup(services, charge.account) is Lookup.NONE):
        outcome.people.append(charge.id)
    else:
        outcome.still_open.append(charge.id)


async def _follow_up(services: Services, troubles: Troubles) -> None:
    """Look up what the duplicates are of that nobody has followed up, because the process that recorded them ended (R-332)."""
    after: str | None = None
    while doubted := await call(partial(_doubted_charges, services, after)):
        for charge in doubted:
            after = charge.key if isinstance(charge, Unreadable) else charge.id
            if isinstance(charge, Unreadable):
                troubles.failed(charge.error, charge_id=after)
                continue
            with troubles.isolated(account=charge.account, contract_id=charge.contract_id, charge_id=charge.id):
                await follow_up(services, charge)


async def _look_at_refund(services: Services, refund: Refund, outcome: _Outcome) -> None:
    known = refund
    with outcome.troubles.isolated(account=refund.account, contract_id=refund.contract_id, refund_id=refund.id):
        known = await refund_cases.look(services, refund, outcome.troubles)
    (outcome.still_open if known.state.open else outcome.settled).append(refund.id)


def _lookup(services: Services, account: str) -> Lookup | None:
    """What can be looked up there; None where the account is missing from the configuration."""
    return services.plugins.account(account).capabilities.lookup if services.plugins.has(account) else None


def _open_charges(services: Services, after: str | None) -> list[Charge | Unreadable[str]]:
    return readable(
        services,
        lambda session: session.charges.unsettled(after, 100),
        lambda session: session.charges.unsettled_ids(after, 100),
        lambda session, key: session.charges.get(key),
    )


def _doubted_charges(services: Services, after: str | None) -> list[Charge | Unreadable[str]]:
    return readable(
        services,
        lambda session: session.charges.doubted(after, 100),
        lambda session: session.charges.doubted_ids(after, 100),
        lambda session, key: session.charges.get(key),
    )


def _open_refunds(services: Services, after: str | None) -> list[Refund | Unreadable[str]]:
    return readable(
        services,
        lambda session: session.refunds.unsettled(after, 100),
        lambda session: session.refunds.unsettled_ids(after, 100),
        lambda session, key: session.refunds.get(key),
    )
