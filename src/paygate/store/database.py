"""From a URL to an engine: SQLite and PostgreSQL, set up so that the rest of the store sees no difference.

Both drivers are put into autocommit mode, and every transaction is begun and ended in words (:data:`BEGIN`): what holds
which lock, and from when on, is then the same in the code as in the database.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection

from ..errors import ConfigurationError
from ..texts import is_storable

__all__ = ["Begin", "PoolSettings", "begin_words", "create_engine", "file_of", "is_memory", "where"]

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

#: Seconds for which a SQLite writer waits for another process before it gives up.
BUSY_TIMEOUT = 10


@attrs.frozen
class Begin:
    """How a transaction is begun. A reading one sees one consistent snapshot."""

    read: str
    write: str


_BEGIN = {
    # IMMEDIATE takes the write lock at once: nobody can change what was read before the first write
    "sqlite": Begin("BEGIN", "BEGIN IMMEDIATE"),
    "postgresql": Begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "BEGIN"),
}


def begin_words(engine: sa.Engine) -> Begin:
    """How transactions begin on the database of *engine*, to read and to write."""
    return _BEGIN[engine.dialect.name]


def is_memory(url: sa.URL) -> bool:
    """Whether the database lives in this process only."""
    return url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}


def _is_uri(url: sa.URL) -> bool:
    """Whether SQLite reads the database's name as a ``file:`` URI."""
    return str(url.database).startswith("file:") and str(url.query.get("uri", "")).lower() in _YES


_YES = frozenset({"true", "yes", "on", "y", "t", "1"})


def file_of(url: sa.URL) -> Path | None:
    """The file of a SQLite database; None for one in memory, and for PostgreSQL."""
    if url.get_backend_name() != "sqlite" or is_memory(url):
        return None
    return Path(unquote(urlsplit(str(url.database)).path) if _is_uri(url) else str(url.database))


def where(url: sa.URL) -> str:
    """The database's place, for messages: no user, no password, no parameters."""
    return f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"


@attrs.frozen
class PoolSettings:
    """How many connections a process holds to its database.

    :param size: connections that are kept; as many as threads that usually work at once.
    :param overflow: further ones that are opened when all are in use, and closed after it.
    :param timeout: seconds for which a transaction waits for a connection; then it fails and nothing is sent.
    :raises ConfigurationError: a number is out of range.
    """

    size: int = attrs.field(default=10)
    overflow: int = attrs.field(default=20)
    timeout: float = attrs.field(default=30.0)

    def __attrs_post_init__(self) -> None:
        if type(self.size) is not int or self.size < 1:
            raise ConfigurationError(f"database_pool: size is a whole number of 1 or more, not {self.size!r}")
        if type(self.overflow) is not int or self.overflow < 0:
            raise ConfigurationError(f"database_pool: overflow is a whole number of 0 or more, not {self.overflow!r}")
        if type(self.timeout) not in {int, float} or not self.timeout > 0:
            raise ConfigurationError(f"database_pool: timeout is a number of seconds above 0, not {self.timeout!r}")


def create_engine(url: str, pool: PoolSettings | None = None) -> sa.Engine:
    """An engine for *url*; nothing is connected yet.

    :param pool: of its connections; a database in memory has one connection whatever it says.
    :raises ConfigurationError: the URL cannot be read, names another kind of database, or its driver is missing.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError, TypeError):
        raise ConfigurationError(
            "the database URL cannot be read; write sqlite:///paygate.db or postgresql://user@host/name"
        ) from None  # the original error may quote the URL, password and all
    _check(parsed)
    match parsed.get_backend_name():
        case "sqlite":
            _check_sqlite(parsed)
            return _sqlite(parsed.set(drivername="sqlite+pysqlite"), pool or PoolSettings())
        case "postgresql" | "postgres":
            return _postgresql(parsed.set(drivername="postgresql+psycopg"), pool or PoolSettings())
        case other:
            raise ConfigurationError(f"paygate keeps its data in SQLite or PostgreSQL, not in {other!r}")


def _check(url: sa.URL) -> None:
    """:raises ConfigurationError: a part of it holds a character that no database takes in a name."""
    query = [one for values in url.query.values() for one in ([values] if isinstance(values, str) else values)]
    for part in (url.username, url.password, url.host, url.database, *url.query, *query):
        if part is not None and not is_storable(str(part)):
            raise ConfigurationError(
                "the database URL holds a control character, a NUL or a lone surrogate (perhaps written with %); take it "
                "out, such as in sqlite:///paygate.db"
            )


def _check_sqlite(url: sa.URL) -> None:
    """Refuse what SQLite or its driver would read in another way than it is meant, or fail over.

    :raises ConfigurationError: naming what is wrong, and how it is written.
    """
    if url.host or url.username or url.password or url.port:
        raise ConfigurationError(
            f"the database URL names a server, {url.host or 'or a user'}, and SQLite has none; a file is written with three "
            "slashes, sqlite:///paygate.db, or with four where its path begins with /"
        )
    uri = _is_uri(url)
    if uri:
        name, _, rest = str(url.database).partition("?")
        in_memory = name == "file::memory:" or "mode=memory" in rest or "memory" in url.query.get("mode", ())
        if in_memory or not urlsplit(name).path.startswith("/"):
            raise ConfigurationError(
                f"the database {name} is named by a URI that is relative or in memory; write sqlite:///paygate.db for a "
                "file, sqlite:// for a database in memory, or file:/ with the whole path"
            )
    for name in url.query:
        if name in _GIVEN:
            raise ConfigurationError(
                f"the database URL has the option {name!r}, which paygate sets itself; leave it out"
            )
        if name not in _SQLITE_OPTIONS and not uri:
            raise ConfigurationError(
                f"the database URL has the option {name!r}, which SQLite's driver does not know; it knows "
                f"{', '.join(sorted(_SQLITE_OPTIONS))}"
            )
    for name in ("timeout", "cached_statements"):
        value = url.query.get(name, "1")
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value, re.ASCII):
            raise ConfigurationError(f"the database URL has {name}={value!r}; it is a number, such as {name}=10")


#: What a SQLite URL may have behind the question mark, and what of that is not the caller's to choose.
_SQLITE_OPTIONS = frozenset({"cached_statements", "timeout", "uri"})
_GIVEN = frozenset({"check_same_thread", "isolation_level", "detect_types", "factory"})


def _pool(settings: PoolSettings) -> dict[str, Any]:
    return {"pool_size": settings.size, "max_overflow": settings.overflow, "pool_timeout": settings.timeout}


def _sqlite(url: sa.URL, settings: PoolSettings) -> sa.Engine:
    memory = is_memory(url)
    # one connection for all threads keeps an in-memory database alive; the store lets only one of them in at a time
    pool: dict[str, Any] = {"poolclass": sa.StaticPool} if memory else _pool(settings)
    engine = sa.create_engine(
        url,
        json_serializer=_JSON.encode,
        connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": None, "check_same_thread": False},
        **pool,
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        if not memory:
            # A charge changes a few rows of many tables and indexes. With half the usual size, which a new file takes
            # and an older one ignores, a commit writes half as much.
            cursor.execute("PRAGMA page_size = 2048")
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut: an intent is a promise
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    return engine


def _postgresql(url: sa.URL, settings: PoolSettings) -> sa.Engine:
    try:
        engine = sa.create_engine(url, json_serializer=_JSON.encode, **_pool(settings))
    except ModuleNotFoundError as exc:
        raise ConfigurationError("PostgreSQL needs its driver: pip install 'paygate[postgresql]'") from exc

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True

    return engine
