"""The store: where transactions begin and end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection

from ..clock import Clock
from ..errors import StoreForked
from . import schema
from .database import PoolSettings, begin_words, create_engine, is_memory, where
from .failures import is_driver_error, reachable, translated
from .forking import Gate, keep_for_ever, watch_forks
from .session import Session
from .statements import Runner

__all__ = ["Store"]


class Store:
    """Everything that paygate remembers, in SQLite or PostgreSQL. Safe to share between threads and across a fork.

    Work happens in transactions::

        with store.write() as session:
            contract = session.contracts.lock(contract_id)
            session.charges.insert(charge)

    A thread has at most one transaction of a store open at a time: a second one inside the first would wait for it for
    ever on one database and overtake it on the other, so it is refused with RuntimeError.

    Whatever the database or its driver raises leaves as a :class:`~paygate.errors.StoreError`; a value that it cannot
    hold is InvalidValue, and a row that another process wrote at the same moment ChangedMeanwhile.

    A forked child opens connections of its own (:mod:`.forking`). A database in memory is the parent's alone.
    """

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        """Made by :meth:`open`."""
        self._engine = engine
        self._clock = clock
        self._begin = begin_words(engine)
        self._memory = is_memory(engine.url)
        self._writer: PoolProxiedConnection | None = None
        #: whether there is no database yet; see :meth:`open`
        self.missing = False
        self._parents = False
        self._begin_anew()
        watch_forks(self)

    def _begin_anew(self) -> None:
        """Locks that nobody holds, and no transaction open."""
        # SQLite has one writer at a time and makes the others poll. Within this process they queue here instead.
        lock = threading.Lock() if self._engine.dialect.name == "sqlite" else None
        self._write_lock = lock
        self._read_lock = lock if self._memory else None
        self._gate = Gate()

    @classmethod
    def open(cls, url: str, *, clock: Clock, pool: PoolSettings | None = None, create: bool | None = True) -> Store:
        """Open the database at *url*.

        :param url: ``sqlite:///paygate.db``, ``sqlite://`` (in memory, gone when closed) or
            ``postgresql://user:password@host/name``.
        :param clock: stamps the rows that record when they were written.
        :param pool: how many connections it holds.
        :param create: what becomes of a database that does not exist, or has no tables: True makes it at once, False
            refuses it, None waits for :meth:`create` and refuses all transactions before. One in memory is always made.
        :raises ConfigurationError: the URL is wrong or the database cannot be reached.
        :raises DatabaseMissing: there is none, and *create* is False.
        :raises SchemaOutdated: it was made by another release; the message says what to do.
        """
        engine = create_engine(url, pool)
        try:
            with reachable(engine):
                if create is False and not is_memory(engine.url):
                    schema.must_exist(engine)
                missing = create is None and not is_memory(engine.url) and schema.is_missing(engine)
                if not missing:
                    schema.make_sure(engine)
        except BaseException:
            engine.dispose()
            raise
        store = cls(engine, clock)
        store.missing = missing
        return store

    def create(self) -> None:
        """Make the database if it was :attr:`missing` when it was opened; else nothing."""
        if self.missing:
            with reachable(self._engine):
                schema.make_sure(self._engine)
            self.missing = False

    @classmethod
    def upgrade(cls, url: str) -> tuple[str | None, str]:
        """Bring the tables at *url* up to this release, in one transaction.

        :returns: the schema versions before (None: there were no tables) and after.
        :raises ConfigurationError: the URL is wrong or the database cannot be reached.
        :raises SchemaOutdated: it was made by a newer release.
        """
        engine = create_engine(url)
        try:
            with reachable(engine):
                return schema.upgrade(engine)
        finally:
            engine.dispose()

    @classmethod
    def make(cls, url: str) -> tuple[str, bool]:
        """Make the database at *url*, if there is none.

        :returns: its place, without user and password, and whether it was made now.
        :raises ConfigurationError: the URL is wrong or the database cannot be reached.
        :raises SchemaOutdated: there is one of another release.
        """
        engine = create_engine(url)
        try:
            with reachable(engine):
                missing = schema.is_missing(engine)
                schema.make_sure(engine)
            return where(engine.url), missing
        finally:
            engine.dispose()

    def close(self) -> None:
        """Close the connections; transactions that other threads have open end first."""
        if self._parents:
            return
        with self._write_lock or contextlib.nullcontext():
            self._close_idle()

    def _close_idle(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        self._engine.dispose()

    def before_fork(self) -> None:
        """Let other threads' transactions end, and close what SQLite must not find open in a child."""
        self._gate.shut()
        if self._write_lock is not None and not self._memory:
            self._close_idle()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._gate.open()

    def after_fork_in_child(self) -> None:
        """Begin anew, and leave alone what is the parent's."""
        self._gate.cut_off()
        keep_for_ever((self._writer, self._engine.pool))
        self._writer = None
        if self._memory:
            self._parents = True
        else:
            self._engine.dispose(close=False)
        self._begin_anew()

    def read(self) -> AbstractContextManager[Session]:
        """One transaction that only reads and sees one consistent snapshot.

        :raises RuntimeError: this thread has a transaction open already, or tries to change something in this one.
        """
        return self._transaction(self._begin.read, self._read_lock, writes=False)

    def write(self) -> AbstractContextManager[Session]:
        """One transaction that is committed when the block ends, and rolled back if it raises anything.

        On SQLite there is one at a time; on PostgreSQL ``session.contracts.lock`` serialises what touches one contract.

        :raises RuntimeError: this thread has a transaction open already.
        """
        return self._transaction(self._begin.write, self._write_lock, writes=True)

    @contextlib.contextmanager
    def _transaction(self, begin: str, lock: threading.Lock | None, *, writes: bool) -> Iterator[Session]:
        if self._parents:
            raise StoreForked(
                "a database in memory stays in the process that made it, and this one was forked from that; "
                "use a file (sqlite:///paygate.db) or PostgreSQL, or open a gateway after the fork"
            )
        if self.missing:
            self._look_again()
        if self._gate.entered:
            raise RuntimeError("this thread has a transaction open already; end it before the next one")
        session: Session | None = None
        with lock or contextlib.nullcontext():
            gate = self._gate
            gate.enter()
            committing = False
            try:
                connection = self._begun(begin, self._kept() if writes else None)
                runner = Runner(connection.cursor(), self._engine.dialect, clock=self._clock, writes=writes)
                gate.hold(runner, connection)
                try:
                    session = Session(runner)
                    yield session
                    committing = writes
                    runner.commit()
                    committing = False
                except BaseException:
                    if not runner.left_behind:
                        self._undo(connection)
                        connection.close()
                    raise
                if writes and self._write_lock is not None:
                    self._writer = connection
                else:
                    connection.close()
            except Exception as error:
                if is_driver_error(error, self._engine.dialect):
                    raise translated(error, self._engine, committing=committing) from error
                raise
            finally:
                gate.leave()
        for act in session.after_commit:
            act()

    def _look_again(self) -> None:
        """Another process may have made the database meanwhile."""
        with reachable(self._engine):
            schema.must_exist(self._engine)
            schema.make_sure(self._engine)
        self.missing = False

    def _kept(self) -> PoolProxiedConnection | None:
        """The connection of the last writer: on SQLite the writers queue at one lock, so they can hand one on.

        That spares each transaction a way to the pool and back.
        """
        kept, self._writer = self._writer, None
        return kept

    def _begun(self, begin: str, kept: PoolProxiedConnection | None) -> PoolProxiedConnection:
        """A connection with a transaction begun on it.

        A kept connection may have been cut while nobody looked. Beginning shows it, and nothing has happened yet: the
        kept ones are thrown away and a fresh one is asked.
        """
        connection = kept or self._engine.raw_connection()
        try:
            connection.cursor().execute(begin)
        except Exception as error:
            if not self._cut(error, connection):
                connection.close()
                raise
            connection.invalidate(error)
            self._engine.dispose()
            connection = self._engine.raw_connection()
            connection.cursor().execute(begin)
        return connection

    def _cut(self, error: Exception, connection: PoolProxiedConnection) -> bool:
        dialect = self._engine.dialect
        return isinstance(error, dialect.loaded_dbapi.Error) and dialect.is_disconnect(error, connection, None)

    @staticmethod
    def _undo(connection: PoolProxiedConnection) -> None:
        """Roll back; a connection that cannot even do that is gone, and its transaction with it."""
        try:
            connection.rollback()
        except Exception as error:  # noqa: BLE001 - the error that led here is the one to raise
            connection.invalidate(error)
