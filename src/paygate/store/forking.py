"""Forks: a child inherits no connection that it would use, no lock that nobody holds, and no half of a transaction.

Before this process forks, each store lets the transactions of other threads end and holds new ones back for that moment;
then it closes what it keeps open to a SQLite file, because SQLite must not be taken across a fork in any form. In the child
each store begins anew. Connections to PostgreSQL are left alone there: closing one would end the parent's session.

This costs nothing between forks but a set of the open transactions, and it needs no help from whoever forks: ``os.fork``,
``multiprocessing``, gunicorn with ``--preload`` and Celery's prefork all come by here (``os.register_at_fork``).
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy.pool import PoolProxiedConnection

    from .statements import Runner

__all__ = ["Gate", "keep_for_ever", "watch_forks"]

#: Seconds for which a fork waits for the transactions of other threads; one that takes longer is cut off in the child.
_PATIENCE = 5.0


class Gate:
    """The transactions that are open now, one for each thread, and the door that a fork shuts."""

    def __init__(self) -> None:
        self._renew()
        self._inside: dict[int, tuple[Runner, PoolProxiedConnection] | None] = {}
        self._shut = False

    def _renew(self) -> None:
        self._lock = threading.Lock()  # taken as it is: the condition's own way to it is written in Python
        self._condition = threading.Condition(self._lock)

    @property
    def entered(self) -> bool:
        """Whether the calling thread has a transaction open."""
        return threading.get_ident() in self._inside

    def enter(self) -> None:
        """Wait until no fork is under way."""
        with self._lock:
            while self._shut:
                self._condition.wait()
            self._inside[threading.get_ident()] = None

    def hold(self, runner: Runner, connection: PoolProxiedConnection) -> None:
        """Note what the transaction of the calling thread works with."""
        self._inside[threading.get_ident()] = (runner, connection)

    def leave(self) -> None:
        """The calling thread's transaction has ended."""
        with self._lock:
            self._inside.pop(threading.get_ident(), None)
            if self._shut:
                self._condition.notify_all()

    def shut(self) -> None:
        """Hold new transactions back, and wait for those of other threads to end."""
        me = threading.get_ident()
        with self._condition:
            self._shut = True
            self._condition.wait_for(lambda: not (self._inside.keys() - {me}), _PATIENCE)

    def open(self) -> None:
        """Let transactions in again."""
        with self._condition:
            self._shut = False
            self._condition.notify_all()

    def cut_off(self) -> None:
        """In the child: whatever is open belongs to the parent and is never touched again."""
        self._renew()  # another thread may have held the lock at that moment
        for held in self._inside.values():
            if held is not None:
                held[0].cut_off()
                keep_for_ever(held)


class _Forks(Protocol):
    def before_fork(self) -> None: ...
    def after_fork_in_parent(self) -> None: ...
    def after_fork_in_child(self) -> None: ...


_watching: weakref.WeakSet[_Forks] = weakref.WeakSet()
_one_at_a_time = threading.Lock()
_prepared: list[_Forks] = []
_kept: list[Any] = []


def watch_forks(store: _Forks) -> None:
    """Tell *store* of every fork of this process, for as long as it lives."""
    _watching.add(store)


def keep_for_ever(thing: object) -> None:
    """Never let *thing*, which belongs to the parent process, be closed by the garbage collector of this one."""
    _kept.append(thing)


def _before() -> None:
    _one_at_a_time.acquire()
    for store in list(_watching):
        _prepared.append(store)
        store.before_fork()


def _in_parent() -> None:
    for store in _prepared:
        store.after_fork_in_parent()
    _prepared.clear()
    _one_at_a_time.release()


def _in_child() -> None:
    global _one_at_a_time  # noqa: PLW0603 - the parent keeps its own
    _one_at_a_time = threading.Lock()
    _prepared.clear()
    for store in list(_watching):
        store.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
