"""Databases for all tests: SQLite and a PostgreSQL server of our own.

``database_url``
    a fresh database with its tables; the test runs once on each of the two
``empty_database_url``
    the same without tables
``pg_url``
    a fresh PostgreSQL database with its tables, for what only PostgreSQL does

Where PostgreSQL cannot be started its tests are skipped, and the summary says so; with PAYGATE_REQUIRE_POSTGRESQL=1 they
fail instead.

Generated examples are the same in every run, so that a change is judged by what it changes; PAYGATE_FUZZ=1 draws new ones.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from paygate.store import Store
from paygate.store.tables import metadata

from .postgres import CannotStart, Server

_REASON = pytest.StashKey[str]()

# tables are as wide as what is in them, however wide the terminal is in which the tests run
os.environ.pop("COLUMNS", None)

# no deadline: how long an example takes says something about the machine only
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("fuzz", deadline=None)
settings.load_profile("fuzz" if os.environ.get("PAYGATE_FUZZ") else "same")


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server of this run."""
    required = os.environ.get("PAYGATE_REQUIRE_POSTGRESQL") == "1"
    try:
        server = Server.start()
    except CannotStart as error:
        reason = f"PostgreSQL was left out: {error}"
        if required:
            pytest.fail(reason, pytrace=False)
        request.config.stash[_REASON] = reason
        pytest.skip(reason)
    yield server
    server.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if reason := config.stash.get(_REASON, ""):
        terminalreporter.section("half of the database tests did not run", red=True, bold=True)
        terminalreporter.write_line(reason, red=True, bold=True)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("database") / "template.db"
    Store.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def _pg_template(postgresql: Server) -> str:
    name = postgresql.create()
    Store.upgrade(postgresql.url(name))
    return name


@pytest.fixture(scope="session")
def _pg_spares() -> list[str]:
    """Databases that an earlier test has finished with."""
    return []


@pytest.fixture
def pg_url(postgresql: Server, _pg_template: str, _pg_spares: list[str]) -> Iterator[str]:
    """A PostgreSQL database with its tables. Tests may write rows into them but must not change them."""
    name = _pg_spares.pop() if _pg_spares else postgresql.create(_pg_template)
    yield postgresql.url(name)
    postgresql.empty(name, [table.name for table in reversed(metadata.sorted_tables)])
    _pg_spares.append(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with its tables, on SQLite and on PostgreSQL."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("pg_url"))
    shutil.copy(request.getfixturevalue("_sqlite_template"), tmp_path / "paygate.db")
    return f"sqlite:///{tmp_path / 'paygate.db'}"


@pytest.fixture
def empty_pg_url(postgresql: Server) -> Iterator[str]:
    name = postgresql.create()
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables, on SQLite and on PostgreSQL."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("empty_pg_url"))
    return f"sqlite:///{tmp_path / 'empty.db'}"
