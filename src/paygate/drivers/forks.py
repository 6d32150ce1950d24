"""What a forked child must not share with its parent: connections, and locks that a thread of the parent may hold.

A child inherits both. Two processes that read from one connection get one another's answers, and a lock that was held at
the instant of the fork is never released in the child. So everything of the kind is registered here and begins anew in
the child, before any other code of it runs. Nothing is closed properly there: what would be said on the connection, or
told to an event loop's selector, would reach the parent's.
"""

from __future__ import annotations

import os
import warnings
import weakref
from typing import Protocol

__all__ = ["Forked", "inherited", "on_fork"]


class Forked(Protocol):
    """Something that a child has to begin anew."""

    def forget(self) -> None:
        """Called in the child: take new locks, and let go of connections without using them."""


_registered: weakref.WeakSet[Forked] = weakref.WeakSet()

#: Connections of the parent's event loops. Collecting them would tell the loop's selector, which both processes share.
_inherited: list[object] = []


def on_fork(thing: Forked) -> None:
    """Let *thing* begin anew in every process that is forked from this one, for as long as it lives."""
    _registered.add(thing)


def inherited(thing: object) -> None:
    """Keep *thing*, which the parent goes on using, from being collected in this process."""
    _inherited.append(thing)


def _in_child() -> None:
    with warnings.catch_warnings():
        # letting go of a socket closes the child's copy of it alone, which is what is wanted
        warnings.simplefilter("ignore", ResourceWarning)
        for thing in list(_registered):
            thing.forget()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_in_child)
