"""Taking over contracts that already run elsewhere: nothing is charged and nothing is mailed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial

import attrs

from ..bounds import check_bounds
from ..clock import business_date, require_aware, spoken
from ..domain.audit import change
from ..domain.calendar import period_containing
from ..domain.contract import (
    Actor,
    Cancellation,
    CancellationOrigin,
    Card,
    Contract,
    Customer,
    PastDue,
    Payment,
    Plan,
    Product,
    Status,
)
from ..domain.creation import decide_creation
from ..domain.expiry import first_expiry
from ..domain.ledger import EntryKind, EntryState, LedgerEntry
from ..domain.metadata import EMPTY, checked_metadata
from ..domain.operations import require_admin
from ..domain.running import next_renewal_on, running
from ..domain.subscribing import taken_over
from ..domain.takeover import licences_taken_over
from ..domain.unlocking import OPENING
from ..errors import InvalidValue, PaygateError
from ..flow import call
from ..money import Money
from ..notices import OperationProposal
from ..provider import ExpiryPolicy
from ..store import Session, Store
from .admission import admit, remember
from .changes import changed
from .outbox import deliver
from .permission import ask
from .reasons import ends_everything, reason_of
from .services import Services

__all__ = ["ImportReport", "NewContract", "import_many"]


@attrs.frozen
class NewContract:
    """A contract as another system knows it.

    :param status: by default what the dates say.
    :param expires_on: by default the renewal day after the last payment; one-off: the system's largest date.
    :param last_paid_at: when the customer last paid, aware; the provider's window counts from it (R-197).
    :param last_paid: how much; by default the plan's price.
    :param reference: the provider's id of that payment; with it the payment can be refunded through the provider.
    :param content_from: periods that began before this business date open no content; by default a contract that runs is
        taken as paid since its start, so that the content of all its periods is open. What was bought for good is anyway.
    :param subscription: the provider's id of the subscription that charges the renewals; needed where the account has
        its provider charge them, and nowhere else. Importing starts no subscription.
    :param metadata: texts of your own by which the contract is found, as for ``contracts.create`` (R-421).
    """

    contract_id: str
    customer: Customer
    plan: Plan
    payment: Payment
    start_on: dt.date
    status: Status | None = None
    expires_on: dt.date | None = None
    last_paid_at: dt.datetime | None = None
    last_paid: Money | None = None
    reference: str | None = None
    subscription: str | None = None
    content_from: dt.date | None = None
    metadata: Mapping[str, str] = EMPTY


@attrs.frozen
class ImportReport:
    """Ids of what was imported, and the refused rows: index in the sequence, and why."""

    imported: tuple[str, ...] = ()
    refused: tuple[tuple[int, PaygateError], ...] = ()


async def import_many(
    services: Services, rows: Sequence[NewContract], *, skip_invalid: bool, check_only: bool, actor: Actor
) -> ImportReport:
    """Import *rows* in one transaction; with a wrong one among them nothing, unless *skip_invalid*.

    A database that does not exist yet is made by the first import that has nothing wrong in it.

    :raises PermissionDenied: not an administrator (R-267).
    """
    require_admin(actor, "imports contracts")
    if services.store.missing:
        report = await call(partial(_check_without_database, services, rows, actor))
        if check_only or (report.refused and not skip_invalid):
            return report
        await call(services.store.create)
    if not check_only:
        await ask(services, lambda _: OperationProposal("import", actor))
    report = await call(lambda: _import(services, rows, skip_invalid=skip_invalid, check_only=check_only, actor=actor))
    await deliver(services)
    return report


def _check_without_database(services: Services, rows: Sequence[NewContract], actor: Actor) -> ImportReport:
    """What an import into an empty database would say."""
    empty = Store.open("sqlite://", clock=services.clock)
    try:
        return _import(attrs.evolve(services, store=empty), rows, skip_invalid=True, check_only=True, actor=actor)
    finally:
        empty.close()


def _import(
    services: Services, rows: Sequence[NewContract], *, skip_invalid: bool, check_only: bool, actor: Actor
) -> ImportReport:
    good: list[tuple[int, NewContract, Contract, LedgerEntry | None]] = []
    refused: list[tuple[int, PaygateError]] = []
    seen: set[str] = set()
    types: dict[str, Product] = {}
    with services.store.read() as session:
        for index, row in enumerate(rows):
            try:
                check_bounds("row", row)
                services.texts.check("row", row)
                _check_new(session, row, seen, types)
                contract, entry = _build(services, row, actor)
                admit(session, contract)
                good.append((index, row, contract, entry))
                seen.add(row.contract_id)
            except Exception as exc:  # noqa: BLE001 - the row is refused, and the others go on
                refused.append((index, _refusal(row, exc)))
    if check_only or (refused and not skip_invalid):
        return ImportReport((), tuple(refused))
    try:
        with services.store.write() as session:
            for _, row, contract, entry in good:
                _write(services, session, row, contract, entry, actor)
        return ImportReport(tuple(contract.id for _, _, contract, _ in good), tuple(refused))
    except Exception as exc:
        if not skip_invalid or ends_everything(exc):
            raise
    # something in one of them cannot be stored: each has a transaction of its own now, so that the others are
    imported = []
    for index, row, contract, entry in good:
        try:
            with services.store.write() as session:
                _write(services, session, row, contract, entry, actor)
            imported.append(contract.id)
        except Exception as exc:  # noqa: BLE001 - the row is refused, and the others go on
            refused.append((index, _refusal(row, exc)))
    return ImportReport(tuple(imported), tuple(sorted(refused, key=lambda it: it[0])))


def _refusal(row: NewContract, error: Exception) -> PaygateError:
    """Why *row* is not imported; a mistake in one row is its own trouble, an unusable database is everybody's."""
    if isinstance(error, PaygateError):
        return error
    if ends_everything(error):
        raise error
    refusal = InvalidValue(f"contract {row.contract_id!r} cannot be imported as it stands: {reason_of(error)}")
    refusal.__cause__ = error
    return refusal


def _write(
    services: Services, session: Session, row: NewContract, contract: Contract, entry: LedgerEntry | None, actor: Actor
) -> None:
    admit(session, contract)
    remember(session, contract)
    session.customers.upsert(row.customer)
    session.contracts.insert(contract)
    if entry is not None:
        session.ledger.insert_many([entry])
    session.licences.insert_many(
        licences_taken_over(contract, services.today(), services.new_id, paid=entry, since=row.content_from)
    )
    made = change(None, contract, id=services.new_id(), at=services.now(), actor=actor, action="import")
    session.audit.insert_many([made])
    changed(services, session, None, contract, [made])


def _check_new(session: Session, row: NewContract, seen: set[str], types: dict[str, Product]) -> None:
    session.products.check(row.plan)
    for product in row.plan.products:
        if types.setdefault(product.code, product).type is not product.type:
            raise InvalidValue(
                f"product {product.code!r} is {types[product.code].type.value} in a row above and {product.type.value} here",
                rule="R-019",
            )
    if row.contract_id in seen:
        raise InvalidValue(f"contract id {row.contract_id!r} appears twice; give each contract its own")
    if session.contracts.exists(row.contract_id):
        raise InvalidValue(f"contract {row.contract_id!r} exists already; leave it out or give another id")


def _build(services: Services, row: NewContract, actor: Actor) -> tuple[Contract, LedgerEntry | None]:
    now, rules = services.now(), services.rules
    account = row.payment.account if isinstance(row.payment, Card) else None
    capabilities = services.plugins.account(account).capabilities if account else None
    draft = decide_creation(
        row.customer, row.plan, row.payment, row.start_on, capabilities, rules, now, actor,
        contract_id=row.contract_id, paid=True, imported=True, mode=services.plugins.account(account).mode if account else None,
    ).contract  # fmt: skip
    paid_at = require_aware(row.last_paid_at, "last_paid_at") if row.last_paid_at else None
    if paid_at is not None and paid_at > now:
        raise InvalidValue(f"last_paid_at {spoken(paid_at)} lies in the future")
    paid_on = business_date(paid_at, rules.zone) if paid_at else None
    expires_on = row.expires_on
    if expires_on is None and row.status not in {Status.PENDING_PAYMENT, Status.CANCELED}:
        fixed = capabilities is not None and capabilities.expiry is ExpiryPolicy.SYSTEM_MAX
        later = max(row.start_on, paid_on) if paid_on else row.start_on
        expires_on = rules.system_max if fixed else first_expiry(row.plan, row.start_on, later, rules.system_max)
    contract = _with_status(services, attrs.evolve(draft, expires_on=expires_on, applied_at=paid_at or now), row.status)
    contract = attrs.evolve(
        contract,
        subscription=taken_over(contract, capabilities, row.subscription),
        unlocked_on=services.today() if contract.status in OPENING else None,
        metadata=checked_metadata(row.metadata),
    )
    if paid_at is None or paid_on is None:
        return contract, None
    target = row.start_on
    if row.plan.cycle is not None and paid_on > row.start_on:
        target = period_containing(row.start_on, row.plan.cycle, paid_on)[0]
    entry = LedgerEntry(
        id=services.new_id(),
        contract_id=contract.id,
        customer_id=contract.customer_id,
        kind=EntryKind.PERIOD if row.plan.is_recurring else EntryKind.INITIAL_FEE,
        amount=row.last_paid or row.plan.price,
        state=EntryState.SUCCEEDED,
        purchased_on=paid_on,
        target_on=target,
        received_at=paid_at,
        actor=actor,
        account=account,
        reference=row.reference,
        remarks="imported",
    )
    return contract, entry


def _with_status(services: Services, contract: Contract, status: Status | None) -> Contract:
    """*contract* in *status*, with the details that the status needs; refused where it does not fit the plan (R-021)."""
    now, today = services.now(), services.today()
    recurring = contract.plan.is_recurring
    if contract.start_on > today and status in {None, Status.NOT_STARTED}:
        return attrs.evolve(contract, status=Status.NOT_STARTED)
    natural = running(contract, max(today, contract.start_on), now)
    if status is None or status is natural.status:
        return natural
    anywhere = {Status.PENDING_PAYMENT, Status.CANCELED}
    only_recurring = {Status.PAST_DUE, Status.CANCEL_SCHEDULED, Status.TERMINATED}
    if status in only_recurring and recurring:
        started = attrs.evolve(natural, status=status, cancellation=None)
        if status is Status.PAST_DUE:
            missing = PastDue(since=now, period_start=natural.period_start or contract.start_on)
            return attrs.evolve(started, past_due=missing)
        if status is Status.CANCEL_SCHEDULED:
            effective = next_renewal_on(contract, today) or contract.start_on
            return attrs.evolve(
                started, cancellation=Cancellation(CancellationOrigin.ADMIN, now, contract.created_by, effective)
            )
        return attrs.evolve(started, ended_on=min(today, contract.expires_on or today))
    if status in anywhere:
        if status is Status.PENDING_PAYMENT and contract.is_card:
            raise InvalidValue(
                "a card contract is never PENDING_PAYMENT; it is made by its first payment", rule="R-013"
            )
        return attrs.evolve(contract, status=status, period_start=None, expires_on=None)
    plan = "recurring" if recurring else "one-off"
    raise InvalidValue(
        f"status {status.value} does not fit a {plan} contract that starts on {contract.start_on}; "
        f"by its dates it is {natural.status.value}",
        rule="R-021",
    )
