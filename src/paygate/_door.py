"""Who stands at the door to the network: may answer a request in its place, take note of answers, or refuse.

Nobody does in production. The test kit posts its guard against live calls and its recordings here. This module loads
nothing, so that the kit's pytest plugin can hold it in runs that have nothing to do with paygate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .flow import Request, Response

__all__ = ["Watcher", "arrived", "leaving", "opening", "post", "posted", "withdraw"]


class Watcher:
    """Sees what passes the door; the one posted last sees it first. Called from any thread."""

    def opening(self, account: str, provider: object) -> None:
        """A gateway takes in *provider* under the name *account*. Raise to refuse it."""

    def leaving(self, request: Request) -> Response | None:  # noqa: ARG002 - for those who override it
        """*request* is about to go to the network. Return an answer to keep it here, raise to refuse it."""
        return None

    def arrived(self, request: Request, response: Response) -> Response:  # noqa: ARG002
        """The network answered *request*. What is returned is the answer from here on."""
        return response


_watchers: tuple[Watcher, ...] = ()


def post(watcher: Watcher) -> None:
    """Let *watcher* stand at the door, before those already there."""
    global _watchers  # noqa: PLW0603 - the process has one door, and other threads pass it too
    _watchers = (watcher, *_watchers)


def withdraw(watcher: Watcher) -> None:
    """Let *watcher* go; nothing happens if it is not there."""
    global _watchers  # noqa: PLW0603
    _watchers = tuple(one for one in _watchers if one is not watcher)


@contextmanager
def posted(watcher: Watcher) -> Iterator[None]:
    """Let *watcher* stand at the door for the length of a ``with``."""
    post(watcher)
    try:
        yield
    finally:
        withdraw(watcher)


def opening(account: str, provider: object) -> None:
    """Tell everybody that a gateway takes in *provider*; raises what a watcher raises."""
    for watcher in _watchers:
        watcher.opening(account, provider)


def leaving(request: Request) -> Response | None:
    """The answer of the first watcher that has one, or None: the network is to be asked."""
    for watcher in _watchers:
        if (answer := watcher.leaving(request)) is not None:
            return answer
    return None


def arrived(request: Request, response: Response) -> Response:
    """*response* as the watchers let it in."""
    for watcher in _watchers:
        response = watcher.arrived(request, response)
    return response
