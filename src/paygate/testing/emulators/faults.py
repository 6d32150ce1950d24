"""Faults that an emulator can be told to show: what goes wrong, before or after the effect, for which requests.

A fault *before* the effect leaves the emulator's state and book untouched; one *after* the effect moves the money and
then spoils the answer. Both look the same to the client, which is the point.
"""

from __future__ import annotations

import enum
import fnmatch
import threading
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import urlsplit

import attrs

from ...flow import Request, Response

__all__ = ["Broken", "Fault", "FaultKind", "Faults", "Match", "When"]


class FaultKind(enum.Enum):
    """What the client sees."""

    REFUSED = "connection refused"  #: no connection at all; over loopback, where one exists already, a reset
    TIMEOUT = "no answer"
    RESET = "connection reset"
    ERROR = "HTTP 500"
    HTML = "an HTML page instead of JSON"
    TRUNCATED = "half a body"
    RATE_LIMITED = "HTTP 429"
    SLOW = "a late answer"


class When(enum.Enum):
    """On which side of the effect the fault strikes."""

    BEFORE = "before the effect"
    AFTER = "after the effect"


@attrs.frozen
class Fault:
    """One thing that goes wrong.

    :param seconds: for SLOW how late the answer is, for RATE_LIMITED the value of ``Retry-After``.
    :param status: HTTP status of ERROR and HTML.
    """

    kind: FaultKind
    when: When = When.BEFORE
    seconds: int = 1
    status: int = 500

    def __attrs_post_init__(self) -> None:
        if self.kind is FaultKind.REFUSED and self.when is When.AFTER:
            msg = "a refused connection has no effect: Fault(FaultKind.REFUSED) can only strike BEFORE"
            raise ValueError(msg)


@attrs.frozen
class Broken:
    """Instead of a response: the connection ends without one, or with the first half of *response*."""

    kind: FaultKind
    response: Response | None = None


#: Which requests a fault strikes: a predicate, or ``"POST /charges"`` where the path may hold ``*``.
Match: TypeAlias = Callable[[Request], bool] | str


def _matcher(match: Match | None) -> Callable[[Request], bool]:
    if match is None:
        return lambda _request: True
    if not isinstance(match, str):
        return match
    method, _, pattern = match.partition(" ")

    def by_text(request: Request) -> bool:
        return request.method == method and fnmatch.fnmatchcase(urlsplit(request.url).path, pattern)

    return by_text


@attrs.define
class _Entry:
    fault: Fault
    matches: Callable[[Request], bool]
    left: int


class Faults:
    """The faults still to come, first in first out among those that match a request. Thread-safe."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault, *, times: int = 1, match: Match | None = None) -> None:
        """Let *fault* strike the next *times* requests that *match*.

        :param match: a predicate, or text such as ``"GET /stores/*/charges/*"``; None strikes any request.
        """
        with self._lock:
            self._entries.append(_Entry(fault, _matcher(match), times))

    def take(self, request: Request) -> Fault | None:
        """The fault that strikes *request*, counted down, or None."""
        with self._lock:
            for entry in self._entries:
                if entry.matches(request):
                    entry.left -= 1
                    if entry.left <= 0:
                        self._entries.remove(entry)
                    return entry.fault
        return None

    def clear(self) -> None:
        """Forget all faults still to come."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        with self._lock:
            return sum(entry.left for entry in self._entries)


_HTML = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"


def spoil(fault: Fault, answer: Callable[[], Response]) -> Response | Broken:
    """What the client gets when *fault* strikes a request whose effect *answer* performs.

    SLOW is not handled here: its answer is a good one, and waiting is the caller's business.
    """
    effect = answer() if fault.when is When.AFTER else None
    match fault.kind:
        case FaultKind.REFUSED | FaultKind.TIMEOUT | FaultKind.RESET:
            return Broken(fault.kind)
        case FaultKind.ERROR:
            body = b'{"status":"error","code":"UNKNOWN_ERROR","errors":[]}'
            return Response(fault.status, {"Content-Type": "application/json"}, body)
        case FaultKind.HTML:
            return Response(fault.status, {"Content-Type": "text/html; charset=utf-8"}, _HTML)
        case FaultKind.RATE_LIMITED:
            return Response(429, {"Retry-After": str(fault.seconds)})
        case FaultKind.TRUNCATED:
            whole = effect or Response(200, {"Content-Type": "application/json"}, b'{"id":"cut","status":"cut"}')
            return Broken(fault.kind, whole)
        case FaultKind.SLOW:
            return effect or answer()
