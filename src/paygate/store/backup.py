"""Backups: one file with everything, taken while others go on working, and checked before it is called one."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import sqlalchemy as sa

from ..errors import ConfigurationError, StoreDamaged, StoreUnavailable
from . import schema
from .database import create_engine, file_of, is_memory, where
from .failures import reachable, translated

__all__ = ["Backup", "backup"]


@attrs.frozen
class Backup:
    """A backup that was written and checked.

    :param database: where it was taken from, without user and password.
    :param size: in bytes.
    :param schema: the version of its tables; None if it has none.
    :param checked: how it was checked.
    """

    database: str
    path: Path
    size: int
    schema: str | None
    checked: str


def backup(url: str, target: Path, *, force: bool = False) -> Backup:
    """Write what is committed now in the database at *url* to *target*, readable for its owner only.

    SQLite's is taken with its own online backup in one step: writers go on, in WAL mode they do not even wait. It is
    checked for damage, and is one file without ``-wal``. PostgreSQL's is taken by ``pg_dump`` as an archive for
    ``pg_restore``. *target* appears once it is complete, and is never half a backup.

    :param force: replace a *target* that exists.
    :raises DatabaseMissing: there is no database.
    :raises ConfigurationError: *target* exists or cannot be written, the database is in memory, or pg_dump is missing; the
        message says which command to use.
    :raises StoreUnavailable: the database or the disk failed; *target* is as it was.
    :raises StoreDamaged: the copy is damaged, and with it the database.
    """
    engine = create_engine(url)
    try:
        if is_memory(engine.url):
            raise ConfigurationError("a database in memory has no backup; it is gone with its process")

        with reachable(engine):
            schema.must_exist(engine)
            with engine.connect() as connection:
                version = schema.revision(connection)
        source = file_of(engine.url)
        with _beside(target, source, force=force) as unfinished:
            if engine.dialect.name == "sqlite":
                _copy(engine, unfinished)
                checked = "integrity_check and foreign_key_check: ok"
            else:
                checked = _dump(engine.url, unfinished)
            size = unfinished.stat().st_size
        return Backup(where(engine.url), target, size, version, checked)
    finally:
        engine.dispose()


@contextlib.contextmanager
def _beside(target: Path, source: Path | None, *, force: bool) -> Iterator[Path]:
    """A new file in the folder of *target*, which takes its place when the block ends well, and is gone if not."""
    if target.is_dir():
        raise ConfigurationError(f"{target} is a directory; name a file in it")
    if not target.parent.is_dir():
        raise ConfigurationError(f"the directory {target.parent} does not exist; make it, or name another file")
    if source is not None and target.resolve() in {Path(f"{source.resolve()}{end}") for end in ("", "-wal", "-shm")}:
        raise ConfigurationError(f"{target} is the database itself; name another file")
    if target.exists() and not force:
        raise ConfigurationError(f"{target} exists already; name another file, or replace it with --force")
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # readable for its owner only
    except OSError as exc:
        raise ConfigurationError(f"{target.parent} cannot be written: {exc.strerror}") from exc
    os.close(number)
    unfinished = Path(name)
    try:
        yield unfinished
        _sync(unfinished)
        if force:
            unfinished.replace(target)
        else:
            _place(unfinished, target)
        _sync(target.parent)
    except OSError as exc:
        raise StoreUnavailable(f"the backup {target} could not be written: {exc.strerror or exc}") from exc
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            Path(f"{unfinished}{end}").unlink(missing_ok=True)


def _place(unfinished: Path, target: Path) -> None:
    """Give *unfinished* its name, unless somebody else has taken that meanwhile."""
    try:
        os.link(unfinished, target)
    except FileExistsError:
        raise ConfigurationError(f"{target} exists already; name another file, or replace it with --force") from None
    except OSError:  # a file system without links
        unfinished.replace(target)


def _sync(path: Path) -> None:
    """Have what is at *path* on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _copy(engine: sa.Engine, target: Path) -> None:
    taken = engine.raw_connection()
    try:
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
            taken.driver_connection.backup(copy)  # type: ignore[union-attr]
            copy.execute("PRAGMA journal_mode = DELETE")  # the backup is this one file
            problems = [row[0] for row in copy.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
            problems += [f"foreign key of {row[0]}, row {row[1]}" for row in copy.execute("PRAGMA foreign_key_check")]
        if problems:
            raise StoreDamaged(
                f"the database {where(engine.url)} is damaged, and so is its copy, which was not kept: "
                f"{'; '.join(problems[:5])}. Restore an earlier backup"
            )
    except sqlite3.Error as exc:
        raise translated(exc, engine) from exc
    finally:
        taken.close()


def _dump(url: sa.URL, target: Path) -> str:
    """Have ``pg_dump`` write an archive; the password goes by the environment, where no list of processes shows it."""
    query = {name: value for name, value in url.query.items() if name != "password"}
    plain = sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    place = plain.render_as_string(hide_password=False)
    command = ["pg_dump", "--format=custom", "--no-password", f"--file={target}", f"--dbname={place}"]
    program = shutil.which("pg_dump")
    if program is None:
        said = shlex.join(["pg_dump", "--format=custom", "--file=FILE", f"--dbname={place}"])
        raise ConfigurationError(
            f"pg_dump, which makes the backups of PostgreSQL, is not installed here; run this where it is: {said}"
        )
    password = url.password or url.query.get("password")
    secret = {"PGPASSWORD": str(password)} if password else {}
    done = subprocess.run(  # noqa: S603 - our own arguments; the URL is one of them and no shell reads it
        [program, *command[1:]], capture_output=True, text=True, check=False, env={**os.environ, **secret}
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        why = lines[0] if lines else f"it ended with {done.returncode}"
        if password:
            why = why.replace(str(password), "***")
        raise StoreUnavailable(f"pg_dump could not back up {where(url)}: {why}")
    restore = shutil.which("pg_restore")
    if restore is None:
        return "pg_dump ended well"
    listed = subprocess.run(  # noqa: S603 - as above
        [restore, "--list", str(target)], capture_output=True, text=True, check=False
    )
    if listed.returncode != 0 or schema.VERSION_TABLE not in listed.stdout:
        raise StoreUnavailable(f"the archive of {where(url)} cannot be read again by pg_restore; it was not kept")
    return "pg_restore reads its list of contents"
