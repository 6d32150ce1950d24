"""Contracts as rows (domain §2.1)."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ..domain.contract import (
    Cancellation,
    CancellationOrigin,
    Contract,
    ContractType,
    Cycle,
    PastDue,
    PaymentMethod,
    Plan,
    PlanKind,
    Product,
    ProductType,
    Status,
)
from ..domain.due import next_due_on
from ..domain.subscription import Subscription, SubscriptionState
from ..errors import ChangedMeanwhile, InvalidValue
from ..evolving import evolve
from ..ids import secret_hash
from ..money import Money
from ..provider import Mode
from .mapping import actor, found
from .metadata import CONTRACT, label, labelled, metadata_of, metadata_text, sought
from .statements import Pages, Row, Runner, Statement, insert_all, value, values
from .tables import SUBSCRIPTION_OPEN, contracts

__all__ = ["COLUMNS", "Contracts", "columns_of", "contract_of"]

#: The columns of a contract in the order in which :func:`contract_of` takes them; drafts have them too.
COLUMNS = tuple(column.key for column in contracts.c if column.key not in {"card_hash", "due_on", "updated_at"})

_SELECTED = [contracts.c[name] for name in COLUMNS]
_GET = Statement(sa.select(*_SELECTED).where(contracts.c.id == value(contracts.c.id)))
_LOCK = Statement(sa.select(*_SELECTED).where(contracts.c.id == value(contracts.c.id)).with_for_update())
_LOCK_VERSION = Statement(
    sa.select(contracts.c.version).where(contracts.c.id == value(contracts.c.id)).with_for_update()
)
_EXISTS = Statement(sa.select(sa.literal_column("1")).where(contracts.c.id == value(contracts.c.id)))
_INSERT = Statement(insert_all(contracts))
_UPDATE = Statement(
    contracts.update()
    .where(contracts.c.id == value(contracts.c.id), contracts.c.version == sa.bindparam("known_version"))
    .values(values(column for column in contracts.c if column.key != "id"))
)
_PAGES = Pages(_SELECTED, contracts.c.id, further=labelled(CONTRACT, contracts.c.id))
_SUBSCRIPTIONS = Pages(_SELECTED, contracts.c.id, None, SUBSCRIPTION_OPEN)


def _due(columns: Sequence[sa.Column[Any]], *conditions: sa.ColumnElement[bool]) -> Statement:
    return Statement(
        sa.select(*columns)
        .where(contracts.c.due_on <= sa.bindparam("today", type_=sa.Date), *conditions)
        .order_by(contracts.c.due_on, contracts.c.id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


_AFTER = sa.tuple_(contracts.c.due_on, contracts.c.id) > sa.tuple_(value(contracts.c.due_on), value(contracts.c.id))
_DUE, _DUE_AFTER = _due(_SELECTED), _due(_SELECTED, _AFTER)
_DUE_KEYS, _DUE_KEYS_AFTER = (_due([contracts.c.due_on, contracts.c.id], *only) for only in ((), (_AFTER,)))


def _money(amount: Money | None) -> list[Any] | None:
    return None if amount is None else [amount.minor, amount.currency]


@functools.lru_cache(maxsize=256)
def _plan_text(plan: Plan) -> str:
    return json.dumps(_plan_json(plan), ensure_ascii=False, separators=(",", ":"))


def _plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "kind": plan.kind.value,
        "price": _money(plan.price),
        "cycle": plan.cycle and plan.cycle.value,
        "initial_fee": _money(plan.initial_fee),
        "special_price": _money(plan.special_price),
        "special_periods": plan.special_periods,
        "products": [
            {
                "code": product.code,
                "type": product.type.value,
                "end_month": product.end_month,
                "unlock_interval": product.unlock_interval and product.unlock_interval.value,
            }
            for product in plan.products
        ],
        "contract_type": plan.contract_type.value,
    }


@functools.lru_cache(maxsize=256)
def _plan(stored: str) -> Plan:
    """Most contracts share a few plans, so that reading one is mostly remembering it."""
    return _plan_of(json.loads(stored))


def _plan_of(stored: Mapping[str, Any]) -> Plan:
    return Plan(
        name=stored["name"],
        kind=PlanKind(stored["kind"]),
        price=Money(*stored["price"]),
        cycle=Cycle(stored["cycle"]) if stored["cycle"] else None,
        initial_fee=Money(*stored["initial_fee"]) if stored["initial_fee"] else None,
        special_price=Money(*stored["special_price"]) if stored["special_price"] else None,
        special_periods=stored["special_periods"],
        products=tuple(
            Product(
                code=product["code"],
                type=ProductType(product["type"]),
                end_month=product["end_month"],
                unlock_interval=Cycle(product["unlock_interval"]) if product["unlock_interval"] else None,
            )
            for product in stored["products"]
        ),
        contract_type=ContractType(stored["contract_type"]),
    )


def columns_of(contract: Contract) -> dict[str, Any]:
    """The contract as the values of its columns."""
    end, missing, provided = contract.cancellation, contract.past_due, contract.subscription
    return {
        "id": contract.id,
        "customer_id": contract.customer_id,
        "plan": _plan_text(contract.plan),
        "method": contract.method.value,
        "status": contract.status.value,
        "start_on": contract.start_on,
        "applied_at": contract.applied_at,
        "created_by": str(contract.created_by),
        "account": contract.account,
        "credential": contract.credential,
        "expires_on": contract.expires_on,
        "period_start": contract.period_start,
        "ended_on": contract.ended_on,
        "cancellation_origin": end and end.origin.value,
        "cancellation_requested_at": end and end.requested_at,
        "cancellation_by": end and str(end.by),
        "cancellation_effective_on": end and end.effective_on,
        "past_due_since": missing and missing.since,
        "past_due_period_start": missing and missing.period_start,
        "past_due_failures": missing and missing.failures,
        "past_due_retry_pending": missing and missing.retry_pending,
        "past_due_exhausted": missing and missing.exhausted,
        "subscription_state": provided and provided.state.value,
        "subscription_starts_on": provided and provided.starts_on,
        "subscription_reference": provided and provided.reference,
        "subscription_asked_at": provided and provided.asked_at,
        "subscription_operator_told": provided and provided.operator_told,
        "mode": contract.mode and contract.mode.value,
        "unlocked_on": contract.unlocked_on,
        "overdue_period": contract.overdue_period,
        "past_due_given_up": missing and missing.given_up,
        "metadata": metadata_text(contract.metadata),
        "version": contract.version,
    }


def contract_of(row: Row) -> Contract:
    """The contract whose columns :data:`COLUMNS` are *row*."""
    (
        id_, customer_id, plan, method, status, start_on, applied_at, created_by, account, credential, expires_on,
        period_start, ended_on, origin, requested_at, requested_by, effective_on, since, missing, failures,
        retry_pending, exhausted, provided, provided_from, reference, asked_at, told, mode, unlocked_on,
        overdue_period, given_up, metadata, version,
    ) = row  # fmt: skip
    return Contract(
        id=id_,
        customer_id=customer_id,
        plan=_plan(plan),
        method=PaymentMethod(method),
        status=Status(status),
        start_on=start_on,
        applied_at=applied_at,
        created_by=actor(created_by),
        account=account,
        credential=credential,
        expires_on=expires_on,
        period_start=period_start,
        ended_on=ended_on,
        cancellation=(
            Cancellation(CancellationOrigin(origin), requested_at, actor(requested_by), effective_on)
            if origin
            else None
        ),
        past_due=PastDue(since, missing, failures, retry_pending, exhausted, bool(given_up)) if since else None,
        subscription=(
            Subscription(SubscriptionState(provided), provided_from, reference, asked_at, told) if provided else None
        ),
        mode=Mode(mode) if mode else None,
        unlocked_on=unlocked_on,
        overdue_period=overdue_period,
        version=version,
        metadata=metadata_of(metadata),
    )


def _filters(
    status: Status | None, account: str | None, customer_id: str | None, method: PaymentMethod | None
) -> dict[str, Any]:
    return {
        "status": status and status.value,
        "account": account,
        "customer_id": customer_id,
        "method": method and method.value,
    }


class Contracts:
    """The contracts of the store."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def get(self, id: str) -> Contract:  # noqa: A002
        """:raises NotFound: there is no such contract."""
        return contract_of(found(self._runner.first(_GET, {"id": id}), "contract", id))

    def lock(self, id: str) -> Contract:  # noqa: A002
        """Read a contract and keep everyone else from changing it until the transaction ends (R-268).

        On SQLite the whole transaction holds that lock already.

        :raises NotFound: there is no such contract.
        """
        statement = _LOCK if self._runner.writes else _GET
        return contract_of(found(self._runner.first(statement, {"id": id}), "contract", id))

    def lock_again(self, known: Contract) -> Contract:
        """:meth:`lock` for a contract that was read a moment ago: only its version is read where that is still the same.

        :raises NotFound: it is gone.
        """
        (version,) = found(self._runner.first(_LOCK_VERSION, {"id": known.id}), "contract", known.id)
        return known if version == known.version else self.get(known.id)

    def exists(self, id: str) -> bool:  # noqa: A002
        return self._runner.first(_EXISTS, {"id": id}) is not None

    def insert(self, contract: Contract) -> None:
        """:raises InvalidValue: there is already a contract of that id."""
        try:
            self._runner.change(_INSERT, self._all_columns(contract))
        except self._runner.integrity_error as error:
            if self._runner.breaks(error, contracts.primary_key):
                raise InvalidValue(f"there is already a contract {contract.id!r}") from error
            raise
        if contract.metadata:
            label(self._runner, CONTRACT, contract.id, contract.metadata)

    def update(self, contract: Contract) -> Contract:
        """Store *contract* if nobody has changed it since it was read.

        :returns: the contract with its version counted on.
        :raises ChangedMeanwhile: it has another version by now, or is gone (R-268).
        """
        stored = evolve(contract, version=contract.version + 1)
        given = {**self._all_columns(stored), "known_version": contract.version}
        if not self._runner.change(_UPDATE, given):
            raise ChangedMeanwhile(
                f"contract {contract.id!r} was changed by someone else after version {contract.version} was read; "
                "read it again",
                rule="R-268",
            )
        return stored

    def due(
        self, today: dt.date, after: Contract | tuple[dt.date, str] | None = None, limit: int = 100
    ) -> list[Contract]:
        """Contracts for which a billing run on the business date *today* has something to do, the longest due first.

        Found by their next due date (R-041): the cost grows with what is due, not with what exists.

        :param after: the last one of the page before, as it was read then, or its key.
        """
        key = (next_due_on(after), after.id) if isinstance(after, Contract) else after
        return [contract_of(row) for row in self._due(_DUE, _DUE_AFTER, today, key, limit)]

    def due_keys(
        self, today: dt.date, after: tuple[dt.date, str] | None = None, limit: int = 100
    ) -> list[tuple[dt.date, str]]:
        """The due date and the id of what :meth:`due` gives, without reading the contracts.

        :param after: the last one of the page before.
        """
        return [(on, key) for on, key in self._due(_DUE_KEYS, _DUE_KEYS_AFTER, today, after, limit)]

    def _due(
        self, first: Statement, further: Statement, today: dt.date, after: tuple[object, str] | None, limit: int
    ) -> list[Row]:
        given = {"today": today, "limit": limit}
        if after is None:
            return self._runner.all(first, given)
        return self._runner.all(further, {**given, "due_on": after[0], "id": after[1]})

    def open_subscriptions(self, after: str | None, limit: int) -> list[Contract]:
        """Contracts whose provider has still to be told or asked about its subscription, from the id *after* on.

        It is starting; or the contract has ended, or ends with its product, and the subscription does not yet.
        """
        return [contract_of(row) for row in _SUBSCRIPTIONS.rows(self._runner, {}, after, limit)]

    def open_subscription_ids(self, after: str | None, limit: int) -> list[str]:
        """The ids of what :meth:`open_subscriptions` gives, without reading the contracts."""
        return _SUBSCRIPTIONS.keys(self._runner, {}, after, limit)

    def ids(self, *, status: Status | None = None, after: str | None = None, limit: int = 100) -> list[str]:
        """The ids of what :meth:`page` gives, without reading the contracts."""
        return _PAGES.keys(self._runner, _filters(status, None, None, None), after, limit)

    def page(
        self,
        *,
        status: Status | None = None,
        account: str | None = None,
        customer_id: str | None = None,
        method: PaymentMethod | None = None,
        metadata: Mapping[str, str] | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[Contract]:
        """Up to *limit* contracts in the order of their ids, from the first one after the id *after* on.

        :param metadata: texts that all have to be there (R-421).
        """
        filters = {**_filters(status, account, customer_id, method), **sought(metadata)}
        return [contract_of(row) for row in _PAGES.rows(self._runner, filters, after, limit)]

    def count(
        self,
        *,
        status: Status | None = None,
        account: str | None = None,
        customer_id: str | None = None,
        method: PaymentMethod | None = None,
    ) -> int:
        """How many contracts match."""
        return _PAGES.count(self._runner, _filters(status, account, customer_id, method))

    def _all_columns(self, contract: Contract) -> dict[str, Any]:
        card = secret_hash(contract.account or "", contract.credential) if contract.credential is not None else None
        derived = {"card_hash": card, "due_on": next_due_on(contract), "updated_at": self._runner.now()}
        return {**columns_of(contract), **derived}
