"""What lies between two dates, in pages; what is kept of delivered notices; the mode of an account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from paygate.domain.charge import ChargeState, RefundState
from paygate.domain.contract import Cancellation, CancellationOrigin, PastDue, Status
from paygate.domain.ledger import EntryKind, EntryState
from paygate.money import Money
from paygate.provider import Mode
from paygate.store import Store, reports
from paygate.store.reports import Span
from paygate.store.statements import Statement

from .conftest import CUSTOMER, NOW, charge, contract, entry, refund
from .test_schema import _sqlite_plan

DAY = dt.timedelta(days=1)
MAY = dt.date(2027, 5, 1)


def _ending(id_: str, on: dt.date, **changes: Any) -> Any:
    notice = Cancellation(CancellationOrigin.ADMIN, NOW, contract().created_by, on)
    return contract(id_, cancellation=notice, past_due=None, **changes)


def _starting(id_: str, on: dt.date, **changes: Any) -> Any:
    return contract(
        id_, status=Status.NOT_STARTED, start_on=on, cancellation=None, past_due=None, period_start=None, **changes
    )


def _missing(id_: str, since: dt.datetime, **changes: Any) -> Any:
    return contract(
        id_, status=Status.PAST_DUE, cancellation=None, past_due=PastDue(since, dt.date(2026, 10, 31)), **changes
    )


def _all(store: Store, name: str, span: Span, limit: int) -> list[str]:
    """Ids of the whole list, read in pages of *limit*, each in a transaction of its own."""
    ids: list[str] = []
    after = None
    while True:
        with store.read() as session:
            page, after = getattr(session.reports, name)(span, after, limit)
        assert len(page) <= limit
        ids += [row.id for row in page]
        if after is None:
            return ids


@pytest.mark.rule("X-26")
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        pytest.param("ending", _ending, id="ending"),
        pytest.param("starting", _starting, id="starting"),
        pytest.param("due", _starting, id="due"),
    ],
)
def test_contracts_come_by_day_then_id_and_only_those_of_the_span(
    store: Store, name: str, make: Callable[..., Any], limit: int
) -> None:
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
        for id_, days in (("d", 0), ("c", 1), ("b", 1), ("a", 2), ("e", 3)):
            session.contracts.insert(make(id_, MAY + days * DAY))
        session.contracts.insert(make("other", MAY + DAY, account="stripe"))
        session.contracts.insert(contract("idle", status=Status.CANCELED, cancellation=None, past_due=None))

    assert _all(store, name, Span(), limit) == ["d", "b", "c", "other", "a", "e"]
    assert _all(store, name, Span(MAY + DAY, MAY + 3 * DAY), limit) == ["b", "c", "other", "a"]
    assert _all(store, name, Span(MAY + DAY, MAY + 3 * DAY, "univapay"), limit) == ["b", "c", "a"]
    assert _all(store, name, Span(before=MAY), limit) == []


@pytest.mark.rule("X-26")
@pytest.mark.parametrize("limit", [1, 100])
def test_past_due_contracts_come_by_the_instant_since_which_the_payment_is_missing(store: Store, limit: int) -> None:
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
        for id_, days in (("new", 0), ("old", 40), ("older", 90)):
            session.contracts.insert(_missing(id_, NOW - days * DAY))
        session.contracts.insert(_starting("fine", MAY))

    assert _all(store, "past_due", Span(), limit) == ["older", "old", "new"]
    assert _all(store, "past_due", Span(before=NOW - 40 * DAY), limit) == ["older"]  # type: ignore[operator]
    assert _all(store, "past_due", Span(NOW - 40 * DAY, NOW), limit) == ["old"]


@pytest.mark.rule("X-26")
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_money_comes_by_the_instant_of_its_result(shop: Store, limit: int) -> None:
    sale = {"kind": EntryKind.ADDON, "contract_id": "con_1"}
    rows = {"entry_id": "returned", "refund_entry_id": "back"}
    with shop.write() as session:
        for number, state in enumerate(ChargeState):
            session.charges.insert(charge(f"c{number}", contract_id=f"k{number}", state=state))
        session.charges.insert(charge("late", contract_id="k9", state=ChargeState.FAILED, settled_at=NOW + DAY))
        session.ledger.insert_many(
            [
                entry("paid", received_at=NOW + DAY, **sale),
                entry("returned", received_at=NOW, state=EntryState.REFUNDED, **sale),
                entry("free", received_at=NOW, amount=Money(0, "JPY"), **sale),
                entry("unpaid", received_at=NOW, state=EntryState.UNPAID, **sale),
                entry("bank", received_at=NOW, account=None, **sale),
                entry("back", received_at=NOW, kind=EntryKind.REFUND, state=EntryState.DONE),
            ]
        )
        for state in RefundState:
            session.refunds.insert(refund(state.value, state=state, settled_at=NOW, **rows))
        by_hand = refund("by hand", state=RefundState.DONE, account=None, settled_at=NOW + DAY, **rows)
        session.refunds.insert(by_hand)

    assert _all(shop, "failed", Span(), limit) == ["c2", "late"]
    assert _all(shop, "failed", Span(NOW + DAY), limit) == ["late"]
    assert _all(shop, "failed", Span(account="stripe"), limit) == []
    assert _all(shop, "charged", Span(), limit) == ["returned", "paid"]
    assert _all(shop, "charged", Span(before=NOW + DAY), limit) == ["returned"]
    assert _all(shop, "refunded", Span(), limit) == ["DONE", "by hand"]
    assert _all(shop, "refunded", Span(before=NOW + DAY), limit) == ["DONE"]


@pytest.mark.rule("X-15", "R-037")
def test_assumed_renewals_come_by_their_renewal_day(shop: Store) -> None:
    with shop.write() as session:
        session.ledger.insert_many(
            entry(f"{state.value}{days}", kind=EntryKind.PERIOD, state=state, target_on=MAY - days * DAY)
            for state, days in (
                (EntryState.ASSUMED, 0),
                (EntryState.ASSUMED, 31),
                (EntryState.SUCCEEDED, 62),
                (EntryState.VOID, 93),
            )
        )

    assert _all(shop, "assumed", Span(), 1) == ["ASSUMED31", "ASSUMED0"]
    assert _all(shop, "assumed", Span(before=MAY), 1) == ["ASSUMED31"]


@pytest.mark.rule("X-13", "R-200", "R-201")
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_the_last_payment_of_each_customer_and_account_is_found_over_all_contracts(shop: Store, limit: int) -> None:
    def row(id_: str, days: int, customer_id: str = "ann", **changes: Any) -> Any:
        return entry(id_, customer_id=customer_id, received_at=NOW - days * DAY, **changes)

    with shop.write() as session:
        session.ledger.insert_many(
            [
                row("ann old", 400),
                row("ann new", 300, state=EntryState.REFUNDED),
                row("ann free", 200, amount=Money(0, "JPY")),
                row("ann void", 100, kind=EntryKind.PERIOD, state=EntryState.VOID),
                row("ann stripe", 50, account="stripe"),
                row("ann bank", 40, account=None),
                row("bob one", 350, "bob"),
                row("bob same instant", 350, "bob"),
            ]
        )

    assert _all(shop, "last_payments", Span(account="univapay"), limit) == ["bob same instant", "ann new"]
    assert _all(shop, "last_payments", Span(NOW - 320 * DAY, NOW, "univapay"), limit) == ["ann new"]
    assert _all(shop, "last_payments", Span(account="stripe"), limit) == ["ann stripe"]


_BOUNDS = {"since": NOW, "before": NOW, "account": "a", "by": NOW, "tie": 1}
_DAYS = {**_BOUNDS, "since": MAY, "before": MAY, "by": MAY}


@pytest.mark.parametrize("paged", [False, True], ids=["first page", "next page"])
@pytest.mark.parametrize(
    ("dated", "given", "index"),
    [
        pytest.param(reports._DUE, {**_DAYS, "tie": "c"}, "paygate_contracts_due", id="due"),
        pytest.param(reports._STARTING, {**_DAYS, "tie": "c"}, "paygate_contracts_due", id="starting"),
        pytest.param(reports._ENDING, {**_DAYS, "tie": "c"}, "paygate_contracts_ending", id="ending"),
        pytest.param(reports._PAST_DUE, {**_BOUNDS, "tie": "c"}, "paygate_contracts_past_due", id="past due"),
        pytest.param(reports._CHARGED, _BOUNDS, "paygate_ledger_paid", id="charged"),
        pytest.param(reports._FAILED, _BOUNDS, "paygate_charges_failed", id="failed"),
        pytest.param(reports._REFUNDED, _BOUNDS, "paygate_refunds_done", id="refunded"),
        pytest.param(reports._ASSUMED, _DAYS, "paygate_ledger_assumed", id="assumed"),
        pytest.param(reports._LAST_PAYMENTS, _BOUNDS, "paygate_ledger_paid", id="last payments"),
    ],
)
def test_each_list_is_found_by_its_index_in_its_order(
    tmp_path: Path, dated: Any, given: dict[str, Any], index: str, *, paged: bool
) -> None:
    names = [name for name in given if paged or name not in {"by", "tie"}]
    statement: Statement = dated.statement(*names)
    plan = _sqlite_plan(tmp_path, statement, {name: given[name] for name in names})

    assert f"SEARCH paygate_{index.split('_')[1]} USING INDEX {index}" in plan
    assert "TEMP B-TREE" not in plan


def test_delivered_notices_are_removed_once_they_are_old_and_nothing_else(store: Store) -> None:
    ages = {"old": 100, "stuck": 99, "old too": 95, "slow": 92, "young": 80, "fresh": 0}
    with store.write() as session:
        for id_, days in ages.items():
            session.outbox.put("on_refund", None, {}, id=id_, at=NOW - days * DAY)
        for id_ in ("old", "old too", "young"):
            session.outbox.delivered(id_, NOW - ages[id_] * DAY)
        session.outbox.delivered("slow", NOW)  # written long ago, delivered now

    removed, after = 0, 0
    while after is not None:
        with store.write() as session:
            gone, after = session.outbox.purge(NOW - 90 * DAY, after, 1)
        removed += gone

    assert removed == 2
    with store.write() as session:
        for id_ in ("stuck", "slow", "young", "fresh"):
            session.outbox.delivered(id_, NOW)
        assert session.outbox.purge(NOW + DAY, 0, 100) == (4, None)
        assert session.outbox.purge(NOW + DAY, 0, 100) == (0, None)


@pytest.mark.rule("X-24")
def test_an_account_that_was_live_stays_live(store: Store) -> None:
    with store.write() as session:
        assert session.modes.of("stripe") is None
        session.modes.remember("stripe", Mode.TEST)
        assert session.modes.of("stripe") is Mode.TEST
        session.modes.remember("stripe", Mode.LIVE)
        session.modes.remember("stripe", Mode.TEST)
        assert session.modes.of("stripe") is Mode.LIVE
        assert session.modes.of("univapay") is None


@pytest.mark.rule("X-24", "R-082")
def test_a_contract_keeps_its_mode_and_what_it_has_unlocked(shop: Store) -> None:
    with shop.write() as session:
        session.contracts.insert(contract("con_2", mode=None, unlocked_on=None))
        assert session.contracts.get("con_2").mode is None
        stored = session.contracts.update(attrs.evolve(session.contracts.get("con_2"), mode=Mode.TEST, unlocked_on=MAY))
    with shop.read() as session:
        assert session.contracts.get("con_2") == stored
        assert (stored.mode, stored.unlocked_on) == (Mode.TEST, MAY)
