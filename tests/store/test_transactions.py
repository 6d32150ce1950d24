"""All or nothing, one after the other, and what another thread sees meanwhile."""

from __future__ import annotations

import datetime as dt
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import psycopg
import pytest

from paygate.domain.charge import ChargeKind
from paygate.domain.contract import Customer, Status
from paygate.errors import ChangedMeanwhile, ChargeInProgress, ConfigurationError, PaygateError, StoreUnavailable
from paygate.store import Session, Store
from paygate.testing.clock import ManualClock

from .conftest import CUSTOMER, NOW, charge, contract, entry, mail, record, refund

WAIT = 20  # seconds; far more than anything here takes


def _together(*work: Callable[[], Any]) -> list[Any]:
    """Results of *work*, or the errors of paygate that it raised, all started at the same moment."""
    barrier = threading.Barrier(len(work))

    def run(function: Callable[[], Any]) -> Any:
        barrier.wait(WAIT)
        try:
            return function()
        except PaygateError as error:
            return type(error)

    with ThreadPoolExecutor(len(work)) as pool:
        return [result.result(WAIT) for result in [pool.submit(run, function) for function in work]]


def test_an_exception_rolls_everything_back(shop: Store) -> None:
    def crash() -> None:
        with shop.write() as session:
            session.charges.insert(charge())
            session.ledger.insert(entry())
            session.contracts.update(contract(status=Status.TERMINATED))
            session.audit.insert_many([record()])
            session.outbox.put("on_charge_success", "con_1", {}, id="n1", at=NOW)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    with shop.read() as session:
        assert session.contracts.get("con_1") == contract()
        assert (session.charges.page(), session.ledger.page(), session.audit.page(), session.outbox.due(NOW)) == (
            [], [], [], [],
        )  # fmt: skip


def test_after_a_refused_insert_the_next_transaction_works(shop: Store) -> None:
    with shop.write() as session:
        session.charges.insert(charge("c1"))
    with pytest.raises(ChargeInProgress), shop.write() as session:
        session.charges.insert(charge("c2"))
    with shop.write() as session:
        session.charges.insert(charge("c3", kind=ChargeKind.PERIOD))


@pytest.mark.parametrize(
    "insert",
    [
        lambda session: session.contracts.insert(contract("con_2", customer_id=None)),
        lambda session: session.charges.insert(charge(fingerprint=None)),
        lambda session: session.ledger.insert(entry(customer_id=None)),
        lambda session: session.ledger.set_state("e0", SimpleNamespace(value=None)),
        lambda session: session.refunds.insert(refund(reason=None)),
    ],
)
def test_a_value_that_is_broken_in_another_way_is_not_mistaken_for_a_repeat(
    shop: Store, insert: Callable[[Session], None]
) -> None:
    with shop.write() as session:
        session.ledger.insert(entry("e0"))
    with pytest.raises(Exception, match=r"(?i)not.null"), shop.write() as session:
        insert(session)


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.customers.upsert(CUSTOMER),
        lambda session: session.charges.insert(charge()),
        lambda session: session.audit.insert_many([record()]),
    ],
)
def test_a_reading_transaction_changes_nothing(shop: Store, change: Callable[[Session], None]) -> None:
    with pytest.raises(RuntimeError, match="only reads"), shop.read() as session:
        change(session)


def test_a_thread_has_one_transaction_at_a_time(shop: Store) -> None:
    with shop.write() as session, pytest.raises(RuntimeError, match="open already"), shop.read():
        pass  # pragma: no cover - not reached
    with shop.read() as session:
        assert session.contracts.exists("con_1")


def test_a_reader_keeps_seeing_what_it_saw_first(shop: Store) -> None:
    def write() -> None:
        with shop.write() as session:
            session.contracts.update(contract(status=Status.TERMINATED))
            session.ledger.insert(entry())

    with shop.read() as session:
        assert session.contracts.get("con_1").status is Status.CANCEL_SCHEDULED
        with ThreadPoolExecutor(1) as pool:
            pool.submit(write).result(WAIT)
        assert session.contracts.get("con_1").status is Status.CANCEL_SCHEDULED
        assert session.ledger.page() == []
    with shop.read() as session:
        assert session.contracts.get("con_1").status is Status.TERMINATED
        assert len(session.ledger.page()) == 1


def test_locking_in_a_reading_transaction_is_reading(shop: Store) -> None:
    with shop.read() as session:
        assert session.contracts.lock("con_1") == contract()


@pytest.mark.rule("R-189", "R-268")
def test_of_two_charges_at_the_same_time_one_is_made(shop: Store) -> None:
    def attempt(id: str) -> Callable[[], str]:  # noqa: A002
        def insert() -> str:
            with shop.write() as session:
                session.charges.insert(charge(id))  # without the lock of the contract: the index alone has to hold
            return id

        return insert

    results = _together(attempt("c1"), attempt("c2"))
    assert sorted(map(str, results)) == sorted([str(ChargeInProgress), next(r for r in results if r in {"c1", "c2"})])
    with shop.read() as session:
        assert len(session.charges.unsettled(None, 10)) == 1


@pytest.mark.rule("R-268")
def test_of_two_updates_from_one_version_at_the_same_time_one_is_made(shop: Store) -> None:
    def end(status: Status) -> Callable[[], Status]:
        def update() -> Status:
            with shop.read() as session:
                known = session.contracts.get("con_1")
            both_have_read.wait(WAIT)
            with shop.write() as session:
                session.contracts.update(attrs.evolve(known, status=status))
            return status

        return update

    both_have_read = threading.Barrier(2)
    results = _together(end(Status.TERMINATED), end(Status.CANCELED))
    assert results.count(ChangedMeanwhile) == 1
    with shop.read() as session:
        stored = session.contracts.get("con_1")
    assert (stored.status in results, stored.version) == (True, 2)


@pytest.mark.rule("R-268")
def test_operations_that_lock_the_contract_come_one_after_the_other(shop: Store) -> None:
    def count() -> None:
        for _ in range(10):
            with shop.write() as session:
                known = session.contracts.lock("con_1")
                session.contracts.update(attrs.evolve(known, period_start=(known.period_start or dt.date.min)))

    assert _together(count, count, count) == [None, None, None]
    with shop.read() as session:
        assert session.contracts.get("con_1").version == 31


def test_two_writers_of_different_contracts_both_get_through(shop: Store) -> None:
    def write(name: str) -> Callable[[], None]:
        def insert() -> None:
            for number in range(20):
                with shop.write() as session:
                    session.customers.upsert(Customer(name))
                    session.contracts.insert(contract(f"{name}-{number}", customer_id=name))

        return insert

    assert _together(write("a"), write("b")) == [None, None]
    with shop.read() as session:
        assert session.contracts.count() == 41


@pytest.mark.rule("R-269")
def test_an_event_that_is_delivered_twice_at_the_same_time_is_new_once(shop: Store) -> None:
    def receive() -> bool:
        with shop.write() as session:
            return session.events.first_time("univapay", "ev1", type="charge", at=NOW, payload={})

    assert sorted(_together(receive, receive)) == [False, True]


def test_workers_at_the_same_time_share_what_is_due(shop: Store) -> None:
    with shop.write() as session:
        for number in range(12):
            session.outbox.put("on_refund", f"con_{number % 4}", {}, id=f"n{number:02}", at=NOW)
            session.step_mails.insert_many([mail(f"m{number}", due_at=NOW)])

    def claim() -> list[str]:
        with shop.write() as session:
            return [row.id for row in session.outbox.due(NOW, 2)]

    claimed = [row for rows in _together(claim, claim, claim) for row in rows]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) <= {"n00", "n01", "n02", "n03"}


def test_postgresql_passes_over_what_another_transaction_has_claimed(pg_url: str, clock: ManualClock) -> None:
    store = Store.open(pg_url, clock=clock)
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
        session.contracts.insert(contract())
        session.step_mails.insert_many([mail("m1", due_at=NOW), mail("m2", due_at=NOW)])
        session.outbox.put("on_refund", "con_1", {}, id="n1", at=NOW)
        session.outbox.put("on_refund", None, {}, id="n2", at=NOW)

    def claim() -> tuple[list[str], list[str]]:
        with store.write() as session:
            mails = [found.id for found in session.step_mails.due(NOW)]
            return mails, [row.id for row in session.outbox.due(NOW)]

    with store.write() as session, ThreadPoolExecutor(1) as pool:
        assert [found.id for found in session.step_mails.due(NOW, 1)] == ["m1"]
        assert [row.id for row in session.outbox.due(NOW, 1)] == ["n1"]
        assert pool.submit(claim).result(WAIT) == (["m2"], ["n2"])
    store.close()


def test_a_connection_that_was_cut_while_idle_is_replaced(pg_url: str, clock: ManualClock) -> None:
    store = Store.open(pg_url, clock=clock)
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
    with psycopg.connect(pg_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with store.read() as session:
        assert session.customers.get("cus_42") == CUSTOMER
    store.close()


def test_a_connection_that_is_cut_in_a_transaction_fails_it_and_not_the_next(pg_url: str, clock: ManualClock) -> None:
    store = Store.open(pg_url, clock=clock)

    def cut() -> None:
        with store.write() as session:
            session.customers.upsert(CUSTOMER)
            with psycopg.connect(pg_url, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            session.customers.get("cus_42")

    with pytest.raises(StoreUnavailable, match="terminating connection"):
        cut()
    with store.write() as session:
        session.customers.upsert(Customer("cus_1"))
    with store.read() as session:
        assert session.customers.get("cus_1") == Customer("cus_1")
    store.close()


def test_a_database_that_another_process_keeps_locked_is_waited_for_and_then_reported(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paygate.store.database.BUSY_TIMEOUT", 0.05)
    url = f"sqlite:///{tmp_path / 'paygate.db'}"
    first, second = Store.open(url, clock=clock), Store.open(url, clock=clock)

    def write() -> None:
        with second.write():
            raise AssertionError("two writers at once")

    with first.write() as session:
        session.customers.upsert(CUSTOMER)
        with pytest.raises(StoreUnavailable, match="another process keeps it locked"):
            write()
    with second.write() as session:
        assert session.customers.get("cus_42") == CUSTOMER
    first.close()
    second.close()


def test_a_database_in_memory_is_shared_by_threads_and_gone_when_closed(clock: ManualClock) -> None:
    store = Store.open("sqlite://", clock=clock)

    def write(number: int) -> Callable[[], None]:
        def upsert() -> None:
            with store.write() as session:
                session.customers.upsert(Customer(f"cus_{number}"))
            with store.read() as session:
                session.customers.get(f"cus_{number}")

        return upsert

    assert _together(*(write(number) for number in range(8))) == [None] * 8
    with store.read() as session:
        assert session.customers.get("cus_7") == Customer("cus_7")
    store.close()
    other = Store.open("sqlite:///:memory:", clock=clock)
    with other.read() as session, pytest.raises(LookupError):
        session.customers.get("cus_7")
    other.close()


def test_processes_that_open_an_empty_database_at_the_same_time_create_it_once(
    empty_database_url: str, clock: ManualClock
) -> None:
    def start() -> int:
        store = Store.open(empty_database_url, clock=clock)
        with store.write() as session:
            session.customers.upsert(CUSTOMER)
        with store.read() as session:
            number = session.contracts.count()
        store.close()
        return number

    assert _together(start, start, start) == [0, 0, 0]


def test_what_was_committed_is_there_for_the_next_process(database_url: str, clock: ManualClock) -> None:
    store = Store.open(database_url, clock=clock)
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
    store.close()
    again = Store.open(database_url, clock=clock)
    with again.read() as session:
        assert session.customers.get("cus_42") == CUSTOMER
    again.close()


def test_postgresql_without_its_driver_says_what_to_install(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match="postgresql"):
        Store.open("postgresql://paygate@localhost/paygate", clock=clock)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("not a url with s3cret", "cannot be read"),
        ("postgresql://u:s3cret@db.example:notaport/x", "cannot be read"),
        ("postgresql://u:s3cret@[::1/x", "cannot be read"),
        ("mysql://root:s3cret@localhost/db", "'mysql'"),
        ("sqlite:////nowhere/at/all/paygate.db", "/nowhere/at/all/paygate.db"),
        ("postgresql://paygate:s3cret@127.0.0.1:1/db?connect_timeout=2", "postgresql://127.0.0.1/db"),
        ("postgres://paygate:s3cret@127.0.0.1:1/db?password=s3cret", "postgresql://127.0.0.1/db"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_its_password(
    url: str, message: str, clock: ManualClock
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        Store.open(url, clock=clock)
    assert "s3cret" not in str(caught.value)
