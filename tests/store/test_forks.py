"""A store that is taken across a fork: each process uses connections, locks and transactions of its own."""

from __future__ import annotations

import contextlib
import gc
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from paygate.domain.contract import Customer
from paygate.ids import new_id
from paygate.store import Store
from paygate.testing.clock import ManualClock

from ..forking import Child, forked
from .conftest import CUSTOMER, NOW

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

CHILDREN = 4
ROUNDS = 25
WAIT = 20


def _write(store: Store, name: str) -> None:
    with store.write() as session:
        session.customers.upsert(Customer(name, f"Customer {name}"))


def _read(store: Store, name: str) -> str:
    with store.read() as session:
        return session.customers.get(name).name


def _work(store: Store, who: str) -> int:
    """Write rows and read each again; how many came back as another's or not at all."""
    wrong = 0
    for number in range(ROUNDS):
        name = f"{who}-{number}"
        _write(store, name)
        wrong += _read(store, name) != f"Customer {name}"
    return wrong


@pytest.mark.rule("R-290")
def test_children_and_their_parent_work_at_the_same_time_and_read_their_own_rows(shop: Store) -> None:
    _work(shop, "before")
    children = [Child(lambda who=who: _work(shop, f"child{who}")) for who in range(CHILDREN)]  # type: ignore[misc]
    mine = _work(shop, "parent")

    assert [mine, *(child.result() for child in children)] == [0] * (CHILDREN + 1)
    with shop.read() as session:
        assert session.customers.get(f"child{CHILDREN - 1}-{ROUNDS - 1}")
    assert _work(shop, "after") == 0


@pytest.mark.rule("R-290")
def test_a_child_of_a_child_works_and_ending_them_leaves_the_parent_its_connections(shop: Store) -> None:
    def child() -> object:
        _write(shop, "child")
        grandchild = forked(lambda: _work(shop, "grandchild"))
        shop.close()
        gc.collect()
        return grandchild

    _write(shop, "parent")
    assert forked(child) == 0
    assert _read(shop, "parent") == "Customer parent"
    assert _read(shop, "grandchild-0") == "Customer grandchild-0"


@pytest.mark.rule("R-290")
def test_a_store_that_outlives_its_parent_keeps_what_it_writes(database_url: str, clock: ManualClock) -> None:
    def parent() -> int:
        store = Store.open(database_url, clock=clock)
        _write(store, "parent")
        go_read, go_write = os.pipe()
        if os.fork() == 0:
            with contextlib.suppress(BaseException):
                os.close(go_write)
                os.read(go_read, 1)  # ends when the parent has
                _work(store, "orphan")
            os._exit(0)
        return os.getpid()

    forked(parent)
    store = Store.open(database_url, clock=clock)
    for _ in range(400):
        with contextlib.suppress(LookupError):
            assert _read(store, f"orphan-{ROUNDS - 1}")
            break
        threading.Event().wait(0.05)
    assert _read(store, f"orphan-{ROUNDS - 1}") == f"Customer orphan-{ROUNDS - 1}"
    store.close()


@pytest.mark.rule("R-290")
def test_a_fork_waits_for_the_transaction_of_another_thread_and_the_child_is_not_locked_out(shop: Store) -> None:
    inside, may_end = threading.Event(), threading.Event()

    def write() -> None:
        with shop.write() as session:
            session.customers.upsert(Customer("slow"))
            inside.set()
            may_end.wait(WAIT)

    thread = threading.Thread(target=write)
    thread.start()
    assert inside.wait(WAIT)
    threading.Timer(0.2, may_end.set).start()

    assert forked(lambda: _read(shop, "slow")) == ""
    assert forked(lambda: _work(shop, "child")) == 0
    thread.join(WAIT)


@pytest.mark.rule("R-290")
def test_a_child_is_not_locked_out_by_a_transaction_that_does_not_end(
    shop: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paygate.store.forking._PATIENCE", 0.1)
    inside, may_end = threading.Event(), threading.Event()

    def read() -> None:
        with shop.read() as session:
            session.customers.get("cus_42")
            inside.set()
            may_end.wait(WAIT)
            session.customers.get("cus_42")

    thread = threading.Thread(target=read)
    thread.start()
    assert inside.wait(WAIT)

    assert forked(lambda: _read(shop, "cus_42")) == CUSTOMER.name
    may_end.set()
    thread.join(WAIT)
    assert _read(shop, "cus_42") == CUSTOMER.name


@pytest.mark.rule("R-290")
def test_a_transaction_that_is_open_at_the_fork_stays_the_parents(shop: Store) -> None:
    with shop.write() as session:
        session.customers.upsert(Customer("mine"))

        def child() -> None:
            session.customers.upsert(Customer("not mine"))

        assert forked(child).startswith("StoreForked: this process was forked while a transaction was open")
        assert forked(lambda: _read(shop, "cus_42")) == CUSTOMER.name
    assert _read(shop, "mine") == ""
    with pytest.raises(LookupError):
        _read(shop, "not mine")


@pytest.mark.rule("R-290")
def test_a_child_that_leaves_the_transaction_behind_does_not_end_the_parents(shop: Store) -> None:
    class Left(Exception):
        pass

    def leave() -> None:
        raise Left

    reading, writing = os.pipe()
    try:
        with shop.write() as session:
            session.customers.upsert(Customer("mine"))
            pid = os.fork()
            if pid == 0:
                leave()
            os.close(writing)
            assert os.read(reading, 100) == b"worked"
            os.waitpid(pid, 0)
    except Left:
        gc.collect()
        with contextlib.suppress(BaseException):
            os.write(writing, b"worked" if _read(shop, "cus_42") == CUSTOMER.name else b"failed")
        os._exit(0)
    os.close(reading)
    assert _read(shop, "mine") == ""


@pytest.mark.rule("R-290")
def test_a_database_in_memory_is_refused_in_a_child(clock: ManualClock) -> None:
    store = Store.open("sqlite://", clock=clock)
    _write(store, "parent")

    def child() -> str:
        store.close()
        return _read(store, "parent")

    assert forked(child).startswith("StoreForked: a database in memory stays in the process that made it")
    assert _read(store, "parent") == "Customer parent"
    store.close()


@pytest.mark.rule("R-290")
def test_no_sqlite_file_is_open_in_a_child_before_it_opens_one(tmp_path: Path, clock: ManualClock) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'paygate.db'}", clock=clock)
    _write(store, "parent")
    _read(store, "parent")

    def files() -> list[str]:
        open_files = []
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                open_files.append(str(descriptor.readlink()))
        return [name for name in open_files if name.startswith(str(tmp_path))]

    assert forked(files) == []
    store.close()


@pytest.mark.rule("R-290")
def test_the_session_of_the_parent_at_the_server_is_not_ended_by_a_child(pg_url: str, clock: ManualClock) -> None:
    store = Store.open(pg_url, clock=clock)

    def backends() -> set[int]:
        with psycopg.connect(pg_url) as other:
            rows = other.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND application_name = ''"
            ).fetchall()
        return {pid for (pid,) in rows}

    _write(store, "parent")
    before = backends()

    def child() -> int:
        _write(store, "child")
        store.close()
        gc.collect()
        return 0

    assert forked(child) == 0
    assert before
    assert before <= backends()
    store.close()


@pytest.mark.rule("R-290")
def test_ids_made_in_children_differ() -> None:
    ids = [forked(lambda: [new_id(NOW) for _ in range(50)]) for _ in range(CHILDREN)]
    assert len({each for made in ids for each in made}) == 50 * CHILDREN


@pytest.fixture(autouse=True)
def _no_file_is_damaged(tmp_path: Path) -> Iterator[None]:
    yield
    file = tmp_path / "paygate.db"
    if file.exists():
        with contextlib.closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
