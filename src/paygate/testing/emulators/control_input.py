"""Reading what was sent to the control interface: a JSON object with known fields of known types, or a refusal."""

from __future__ import annotations

import datetime as dt
import enum
import json
import sys
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import attrs

from ...clock import require_aware
from ...errors import NaiveDatetime
from ...flow import Request, Response

__all__ = ["Fields", "Refusal", "reply", "required"]

E = TypeVar("E", bound=enum.Enum)
T = TypeVar("T")

#: More digits than any count of ours has, and fewer than Python refuses to read.
_MOST_DIGITS = 18

_INSTANT = "write an instant with its offset, such as 2026-01-01T00:00:00+09:00"


def reply(status: int, body: object) -> Response:
    """A JSON response. Half a surrogate pair, which JSON can name and UTF-8 cannot hold, stays escaped."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(status, {"Content-Type": "application/json; charset=utf-8"}, text.encode(errors="backslashreplace"))


class Refusal(Exception):
    """Why the control interface does not do what it was asked, and what to do about it."""

    def __init__(self, status: int, message: str, remedy: str) -> None:
        super().__init__(message)
        self.status = status
        self.remedy = remedy

    def response(self) -> Response:
        return reply(self.status, {"error": {"message": str(self), "remedy": self.remedy}})


@attrs.frozen
class Fields:
    """The fields of a request's JSON object; an empty body has none. Readers return None for what is not there."""

    _values: dict[str, Any] = attrs.field(repr=False)

    @classmethod
    def read(cls, request: Request, *known: str) -> Fields:
        """The fields of *request*.

        :raises Refusal: the body is no JSON object, or has other fields than the *known* ones.
        """
        expected = f"send a JSON object with {' or '.join(known)}" if known else "send no body"
        try:
            values = json.loads(request.body) if request.body.strip() else {}
        except (ValueError, RecursionError) as exc:
            raise Refusal(400, "the body is not JSON", expected) from exc
        if not isinstance(values, dict):
            raise Refusal(400, "the body is not a JSON object", expected)
        if unknown := sorted(set(values) - set(known)):
            raise Refusal(400, f"unknown field {unknown[0]!r}", expected)
        return cls(values)

    @classmethod
    def query(cls, request: Request, *known: str) -> Fields:
        """The parameters of *request*'s query, as texts.

        :raises Refusal: there are others than the *known* ones.
        """
        values = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
        if unknown := sorted(set(values) - set(known)):
            raise Refusal(400, f"unknown parameter {unknown[0]!r}", f"use {' or '.join(known)}")
        return cls(values)

    def digits(self, name: str) -> int | None:
        """A whole number that is written as a text, as in a query."""
        text = self.text(name)
        if text is not None and not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
            raise Refusal(400, f"{name} is not a whole number", f"write ?{name}=10")
        return None if text is None else int(text)

    def has(self, *names: str) -> list[str]:
        """Which of *names* have a value."""
        return [name for name in names if self._values.get(name) is not None]

    def text(self, name: str) -> str | None:
        return self._typed(name, str, f"write {name} as a text")

    def flag(self, name: str) -> bool | None:
        return self._typed(name, bool, f"write {name} as true or false")

    def integer(self, name: str, least: int = 0, most: int | None = None) -> int | None:
        """A whole number from *least* to *most*."""
        span = f"from {least}" if most is None else f"from {least} to {most}"
        remedy = f"write {name} as a whole number {span}"
        value = self._typed(name, int, remedy)
        if value is not None and (value < least or (most is not None and value > most)):
            raise Refusal(400, f"{name} is {value}", remedy)
        return value

    def number(self, name: str) -> float:
        """A number that is not negative; 0 where it is missing."""
        value = self._values.get(name)
        if value is None:
            return 0.0
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise Refusal(400, f"{name} is not a number from 0 up", f"write {name} as a number; PUT clock goes back")
        return float(min(value, sys.float_info.max))  # a whole number may be larger than any float

    def instant(self, name: str) -> dt.datetime | None:
        """An aware instant."""
        text = self._typed(name, str, _INSTANT)
        if text is None:
            return None
        try:
            return require_aware(dt.datetime.fromisoformat(text), name)
        except (ValueError, OverflowError, NaiveDatetime) as exc:
            raise Refusal(400, f"{name} is not an instant with an offset", _INSTANT) from exc

    def choice(self, name: str, kinds: type[E]) -> E | None:
        """A member of *kinds* by its name in lower case."""
        members = {member.name.lower(): member for member in kinds}
        remedy = f"write {name} as one of {', '.join(members)}"
        text = self._typed(name, str, remedy)
        if text is not None and text not in members:
            raise Refusal(400, f"unknown {name}", remedy)
        return None if text is None else members[text]

    def _typed(self, name: str, kind: type[T], remedy: str) -> T | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Refusal(400, f"{name} is not a {kind.__name__}", remedy)
        return value


def required(value: E | None, name: str, kinds: type[E]) -> E:
    """*value*, which has to be there."""
    if value is None:
        members = ", ".join(member.name.lower() for member in kinds)
        raise Refusal(400, f"{name} is missing", f"write {name} as one of {members}")
    return value
