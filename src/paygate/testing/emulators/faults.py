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

__all__ = ["Broken", "Coming", "Fault", "FaultKind", "Faults", "Match", "When"]


class FaultKind(enum.Enum):
    """What the client sees."""

    REFUSED = "connection refused"  #: no connection at all; over loopback, where one exists already, a reset
    TIMEOUT = "no answer"
    RESET = "connection reset"
    ERROR = "HTTP 500"  #: or another status, in the provider's own format
    HTML = "an HTML page instead of JSON"
    TRUNCATED = "half a body"  #: a whole HTTP message around half of the JSON
    CUT = "connection cut in the middle of the answer"
    TRICKLE = "an answer in small pieces"
    RATE_LIMITED = "HTTP 429"
    SLOW = "a late answer"


class When(enum.Enum):
    """On which side of the effect the fault strikes."""

    BEFORE = "before the effect"
    AFTER = "after the effect"


@attrs.frozen
class Fault:
    """One thing that goes wrong.

    :param seconds: for SLOW how late the answer is, for TRICKLE how long it takes to arrive, for RATE_LIMITED the value
        of ``Retry-After``.
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
    """Instead of an ordinary response: the connection ends without one, or *response* goes out badly.

    :param response: for CUT the one of which half goes out, for TRICKLE the one that arrives over *seconds*.
    """

    kind: FaultKind
    response: Response | None = None
    seconds: int = 0


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


@attrs.frozen
class Coming:
    """A fault still to come, as lists show it.

    :param id: for taking it back; :param left: how many requests it still strikes.
    :param match: which ones: the text it was added with, None for any; ``"(a function)"`` for a predicate.
    """

    id: str
    fault: Fault
    left: int
    match: str | None = None


@attrs.define
class _Entry:
    shown: Coming
    matches: Callable[[Request], bool]


class Faults:
    """The faults still to come, first in first out among those that match a request. Thread-safe."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._made = 0
        self._lock = threading.Lock()

    def add(self, fault: Fault, *, times: int = 1, match: Match | None = None) -> str:
        """Let *fault* strike the next *times* requests that *match*.

        :param match: a predicate, or text such as ``"GET /stores/*/charges/*"``; None strikes any request.
        :returns: the id by which it can be taken back.
        """
        text = match if match is None or isinstance(match, str) else "(a function)"
        with self._lock:
            self._made += 1
            shown = Coming(f"fault_{self._made}", fault, times, text)
            self._entries.append(_Entry(shown, _matcher(match)))
            return shown.id

    def take(self, request: Request) -> Fault | None:
        """The fault that strikes *request*, counted down, or None."""
        with self._lock:
            for entry in self._entries:
                if entry.matches(request):
                    entry.shown = attrs.evolve(entry.shown, left=entry.shown.left - 1)
                    if entry.shown.left <= 0:
                        self._entries.remove(entry)
                    return entry.shown.fault
        return None

    def remove(self, fault_id: str) -> None:
        """Take one fault back.

        :raises KeyError: no fault of that id is still to come.
        """
        with self._lock:
            found = next((entry for entry in self._entries if entry.shown.id == fault_id), None)
            if found is None:
                raise KeyError(fault_id)
            self._entries.remove(found)

    def clear(self) -> None:
        """Forget all faults still to come."""
        with self._lock:
            self._entries.clear()

    @property
    def coming(self) -> tuple[Coming, ...]:
        """The faults still to come, oldest first."""
        with self._lock:
            return tuple(entry.shown for entry in self._entries)

    def __len__(self) -> int:
        return sum(shown.left for shown in self.coming)


_HTML = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"

_NOTHING_DONE = Response(200, {"Content-Type": "application/json"}, b'{"id":"cut","status":"cut"}')


def spoil(fault: Fault, answer: Callable[[], Response], error: Callable[[int], Response]) -> Response | Broken:
    """What the client gets when *fault* strikes a request whose effect *answer* performs.

    SLOW is not handled here: its answer is a good one, and waiting is the caller's business.

    :param error: the provider's own error response of a status.
    """
    effect = answer() if fault.when is When.AFTER else None
    match fault.kind:
        case FaultKind.REFUSED | FaultKind.TIMEOUT | FaultKind.RESET:
            return Broken(fault.kind)
        case FaultKind.ERROR:
            return error(fault.status)
        case FaultKind.HTML:
            return Response(fault.status, {"Content-Type": "text/html; charset=utf-8"}, _HTML)
        case FaultKind.RATE_LIMITED:
            refusal = error(429)
            return Response(429, {**refusal.headers, "Retry-After": str(fault.seconds)}, refusal.body)
        case FaultKind.TRUNCATED:
            whole = effect or _NOTHING_DONE
            return Response(whole.status, whole.headers, whole.body[: len(whole.body) // 2])
        case FaultKind.CUT:
            return Broken(fault.kind, effect or _NOTHING_DONE)
        case FaultKind.TRICKLE:
            return Broken(fault.kind, effect or answer(), fault.seconds)
        case FaultKind.SLOW:
            return effect or answer()
