"""What the drivers raise leaves the store as one of paygate's own errors."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from paygate.domain.contract import Customer
from paygate.errors import (
    ChangedMeanwhile,
    ConfigurationError,
    InvalidValue,
    PaygateError,
    Retry,
    SaveUnknown,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
)
from paygate.money import Money
from paygate.store import Store
from paygate.testing.clock import ManualClock

from .conftest import CUSTOMER, charge, contract, entry, record

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.mark.rule("R-291")
def test_a_full_disk_is_told_and_nothing_is_saved(tmp_path: Path, clock: ManualClock) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'paygate.db'}", clock=clock)
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
    assert store._writer is not None
    pages = store._writer.cursor().execute("PRAGMA page_count").fetchone()[0]
    store._writer.cursor().execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        with store.write() as session:
            for number in range(1000):
                session.customers.upsert(Customer(f"cus_{number}", "x" * 500))

    with pytest.raises(StoreUnavailable, match="the disk is full; make room") as caught:
        fill()
    assert caught.value.retry is Retry.SAFE
    assert not caught.value.sent
    with store.read() as session, pytest.raises(LookupError):
        session.customers.get("cus_0")
    store.close()


@pytest.mark.rule("R-291")
def test_a_damaged_file_is_told(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "paygate.db"
    store = Store.open(f"sqlite:///{file}", clock=clock)
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
    store.close()
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))

    def read() -> None:
        with store.read() as session:
            session.customers.get("cus_42")

    with pytest.raises(StoreDamaged, match="Restore it from a backup"):
        read()
    store.close()
    file.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(ConfigurationError, match="not a database"):
        Store.open(f"sqlite:///{file}", clock=clock)


@pytest.mark.rule("R-291")
def test_a_table_that_is_gone_is_told(empty_database_url: str, clock: ManualClock) -> None:
    store = Store.open(empty_database_url, clock=clock)
    if empty_database_url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(empty_database_url.removeprefix("sqlite:///"))) as other:
            other.execute('DROP TABLE "paygate_events"')
    else:
        with psycopg.connect(empty_database_url) as connection:
            connection.execute(b'DROP TABLE "paygate_events"')

    def receive() -> None:
        with store.write() as session:
            session.events.first_time("univapay", "ev1", type="charge", at=clock.now(), payload={})

    with pytest.raises(StoreDamaged, match="paygate db upgrade"):
        receive()
    store.close()


@pytest.mark.rule("R-291")
def test_a_server_that_is_gone_while_it_saves_leaves_open_whether_it_saved(pg_url: str, clock: ManualClock) -> None:
    store = Store.open(pg_url, clock=clock)

    def write() -> None:
        with store.write() as session:
            session.customers.upsert(CUSTOMER)
            with psycopg.connect(pg_url, autocommit=True) as other:
                other.execute(CUT)

    with pytest.raises(SaveUnknown, match="may have been saved or not") as caught:
        write()
    assert caught.value.retry is Retry.AFTER_LOOKUP
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
    store.close()


@pytest.mark.rule("R-291")
def test_a_server_that_only_reads_is_told(pg_url: str, clock: ManualClock) -> None:
    name = pg_url.rsplit("/", maxsplit=1)[-1].split("?", maxsplit=1)[0]
    store = Store.open(f"{pg_url}&options=-c%20default_transaction_read_only%3Don", clock=clock)

    def write() -> None:
        with store.write() as session:
            session.customers.upsert(CUSTOMER)

    with pytest.raises(StoreUnavailable, match=f"{name}: the server takes no changes at present"):
        write()
    store.close()


@pytest.mark.rule("R-291")
def test_two_transactions_that_wait_for_each_other_are_told_to_try_again(pg_url: str, clock: ManualClock) -> None:
    store, other = Store.open(pg_url, clock=clock), Store.open(pg_url, clock=clock)
    both = threading.Barrier(2)
    said: list[type[BaseException] | None] = []

    def write(using: Store, first: str, second: str) -> None:
        try:
            with using.write() as session:
                session.customers.upsert(Customer(first, "changed"))
                both.wait(20)
                session.customers.upsert(Customer(second, "changed"))
        except PaygateError as error:
            said.append(type(error))
        else:
            said.append(None)

    with store.write() as session:
        for name in ("a", "b"):
            session.customers.upsert(Customer(name))
    threads = [threading.Thread(target=write, args=args) for args in ((store, "a", "b"), (other, "b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(map(str, said)) == sorted(map(str, [None, StoreUnavailable]))
    store.close()
    other.close()


@pytest.mark.rule("R-291")
def test_too_many_connections_are_told(database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(database_url, clock=clock)
    pool: Any = store._engine.pool
    monkeypatch.setattr(pool, "_timeout", 0.01)
    taken = [store._engine.raw_connection() for _ in range(30)]
    with pytest.raises(StoreUnavailable, match="all its connections are in use"), store.read():
        pass
    for connection in taken:
        connection.close()
    with store.read() as session:
        assert session.contracts.count() == 0
    store.close()


@pytest.mark.rule("R-291", "R-268")
def test_the_same_row_written_by_two_is_a_change_meanwhile(shop: Store) -> None:
    def twice() -> None:
        with shop.write() as session:
            session.audit.insert_many([record("a1"), record("a1")])

    with pytest.raises(ChangedMeanwhile, match="somebody else wrote the same"):
        twice()


@pytest.mark.rule("R-291")
@pytest.mark.parametrize(
    "insert",
    [
        lambda session: session.charges.insert(charge(amount=Money(2**63, "JPY"))),
        lambda session: session.ledger.insert(entry(amount=Money(2**80, "JPY"))),
        lambda session: session.customers.upsert(Customer("cus_1", "\ud800")),
    ],
    ids=["2**63", "2**80", "lone surrogate"],
)
def test_a_value_that_the_database_cannot_hold_is_bad_input(shop: Store, insert: Callable[[Any], None]) -> None:
    def write() -> None:
        with shop.write() as session:
            insert(session)

    with pytest.raises(InvalidValue, match="cannot hold"):
        write()
    with shop.read() as session:
        assert session.contracts.get("con_1") == contract()


@pytest.mark.rule("R-291")
def test_a_broken_row_is_an_error_of_the_store(shop: Store) -> None:
    def write() -> None:
        with shop.write() as session:
            session.ledger.insert(entry(customer_id=None))

    with pytest.raises(StoreError, match=r"(?i)refused a row .*not.null"):
        write()
