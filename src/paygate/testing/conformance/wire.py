"""The line between the provider under test and its stand-in: it records what is sent, and can break in every known way.

The faults are the driver's own: a plugin gets them without writing a line. Each strikes before or after the effect, once
or for good, on requests that change something, that read, or on all.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from ...drivers import Lost, NotSent
from ...flow import Request, Response
from ..emulators.faults import When

__all__ = ["STATUS_FIELDS", "UNKNOWN_WORD", "On", "Strike", "Trouble", "When", "Wire", "strikes"]

#: Names of JSON fields that hold a status; a provider with other names sets ``status_fields`` on its suite.
STATUS_FIELDS = ("status", "state", "result", "outcome")

#: A status that no provider has documented.
UNKNOWN_WORD = "metamorphosed"

_HTML = b"<!DOCTYPE html><html><head><title>Please wait</title></head><body><h1>Please wait</h1></body></html>"


class Trouble(enum.Enum):
    """What goes wrong on the line; the value is how a report names it."""

    TIMEOUT = "no answer in time"
    RESET = "a reset connection"
    REFUSED = "a refused connection"
    ERROR = "HTTP 500"
    HTML = "an HTML page instead of the answer"
    TRUNCATED = "half a body"
    RATE_LIMITED = "HTTP 429 with Retry-After"
    EMPTY = "HTTP 200 with an empty body"
    WRONG_TYPE = "JSON of another type"
    UNKNOWN_STATUS = "a status that nobody documented"

    @property
    def moments(self) -> tuple[When, ...]:
        """When it can strike: a connection that is refused, and a 429, say that nothing has been done."""
        if self in {Trouble.REFUSED, Trouble.RATE_LIMITED}:
            return (When.BEFORE,)
        return (When.AFTER,) if self is Trouble.UNKNOWN_STATUS else (When.BEFORE, When.AFTER)


class On(enum.Enum):
    """Which requests are struck."""

    WRITES = "requests that change something"
    READS = "requests that read"
    ALL = "all requests"

    def takes(self, request: Request) -> bool:
        """Whether *request* is one of them."""
        reads = request.method in {"GET", "HEAD"}
        return self is On.ALL or reads is (self is On.READS)


@attrs.frozen
class Strike:
    """One trouble, at one moment, on some requests.

    :param once: only the first of these requests, so that a repeat finds the line whole again.
    """

    trouble: Trouble
    when: When = When.AFTER
    on: On = On.ALL
    once: bool = False

    def __str__(self) -> str:
        return f"{self.trouble.value}, {self.when.value}, on {'the first of ' if self.once else ''}{self.on.value}"


def strikes(trouble: Trouble) -> tuple[Strike, ...]:
    """Every strike of *trouble*, before and after the effect: on the first request that changes something, so that a
    repeat finds the line whole again; on all of those; on what is read afterwards; and on everything.
    """
    hits = ((On.WRITES, True), (On.WRITES, False), (On.READS, False), (On.ALL, False))
    return tuple(Strike(trouble, when, on, once) for when in trouble.moments for on, once in hits)


class Wire:
    """A handler to be mounted in a driver, in front of an emulator or a stand-in.

    :param handler: who answers while the line is whole.
    :param status_fields: names of the JSON fields that UNKNOWN_STATUS changes.
    """

    def __init__(self, handler: Callable[[Request], Response], status_fields: Sequence[str] = STATUS_FIELDS) -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.exchanges: list[tuple[Request, Response]] = []  #: those that were answered
        self.struck = 0  #: how many requests a strike has hit
        self._fields = frozenset(status_fields)
        self._strike: Strike | None = None
        self._spent = False

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        response = self._answer(request)
        self.exchanges.append((request, response))
        return response

    def break_by(self, strike: Strike | None) -> None:
        """Let *strike* hit from now on; None makes the line whole."""
        self._strike, self._spent = strike, False

    def _answer(self, request: Request) -> Response:
        strike = self._strike
        if strike is None or self._spent or not strike.on.takes(request):
            return self.handler(request)
        self._spent = strike.once
        answer = self.handler(request) if strike.when is When.AFTER else None
        return self._spoiled(strike.trouble, answer)

    def _spoiled(self, trouble: Trouble, answer: Response | None) -> Response:
        if trouble is Trouble.UNKNOWN_STATUS:
            changed = _unknown(answer or Response(200), self._fields)
            self.struck += changed is not answer
            return changed
        self.struck += 1
        match trouble:
            case Trouble.REFUSED:
                raise NotSent("no connection in this test")
            case Trouble.TIMEOUT | Trouble.RESET:
                raise Lost(f"{trouble.value} in this test")
            case Trouble.ERROR:
                return Response(500, {"content-type": "application/json"}, b'{"message":"internal server error"}')
            case Trouble.HTML:
                return Response(200, {"content-type": "text/html; charset=utf-8"}, _HTML)
            case Trouble.RATE_LIMITED:
                return Response(429, {"retry-after": "2"})
            case Trouble.TRUNCATED:
                whole = answer or Response(200, {"content-type": "application/json"}, b'{"id":"cut-off-in-the-middle"}')
                return attrs.evolve(whole, body=whole.body[: len(whole.body) // 2])
            case Trouble.EMPTY:
                return Response(200, {"content-type": "application/json"})
        return Response(200, {"content-type": "application/json"}, b'["nothing", 42]')


def _unknown(answer: Response, fields: frozenset[str]) -> Response:
    """*answer* with an undocumented word for each status; the very same where it has none."""
    try:
        content = json.loads(answer.body)
    except ValueError:
        return attrs.evolve(answer, body=UNKNOWN_WORD.encode()) if answer.body else answer
    changed = _replaced(content, fields)
    return answer if changed == content else attrs.evolve(answer, body=json.dumps(changed).encode())


def _replaced(value: Any, fields: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: UNKNOWN_WORD if name in fields and isinstance(item, str) else _replaced(item, fields)
            for name, item in value.items()
        }
    return [_replaced(item, fields) for item in value] if isinstance(value, list) else value
