"""How the emulated UnivaPay writes: JSON, instants, errors, pages."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ....flow import Request, Response
from ....money import EXPONENTS

__all__ = ["ApiError", "formatted", "instant", "page", "parse_instant", "read_body", "reply"]

T = TypeVar("T")


class ApiError(Exception):
    """An HTTP error of the interface: status, UPPER_SNAKE code, field errors. Without a code the body is empty."""

    def __init__(self, status: int, code: str = "", *errors: tuple[str, str]) -> None:
        super().__init__(f"{status} {code}".strip())
        self.status = status
        self.code = code
        self.errors = errors

    @classmethod
    def invalid(cls, field: str, reason: str) -> ApiError:
        """400 ``VALIDATION_ERROR`` about one field."""
        return cls(400, "VALIDATION_ERROR", (field, reason))

    @classmethod
    def missing(cls) -> ApiError:
        """404, which comes without a body."""
        return cls(404)

    def response(self) -> Response:
        if not self.code:
            return Response(self.status)
        errors = [{"field": field, "reason": reason} for field, reason in self.errors]
        return reply(self.status, {"status": "error", "code": self.code, "errors": errors})


def reply(status: int, body: object) -> Response:
    """A JSON response."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(status, {"Content-Type": "application/json"}, text.encode())


def read_body(request: Request) -> dict[str, Any]:
    """The JSON object of *request*; an empty body is an empty object."""
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body)
    except ValueError as exc:
        raise ApiError.invalid("body", "INVALID_FORMAT") from exc
    if not isinstance(body, dict):
        raise ApiError.invalid("body", "INVALID_FORMAT")
    return body


def instant(moment: dt.datetime | None) -> str | None:
    """ISO 8601 in UTC with ``Z``, trailing zeros of the fraction dropped."""
    if moment is None:
        return None
    text = moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"


def parse_instant(field: str, text: str) -> dt.datetime:
    """An instant from a query or a body."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as exc:
        raise ApiError.invalid(field, "INVALID_FORMAT_DATE") from exc
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


def formatted(minor: int | None, currency: str | None) -> int | float | None:
    """The display form that UnivaPay sends beside an amount: a JSON number, never used for reckoning."""
    if minor is None or currency is None:
        return None
    exponent = EXPONENTS.get(currency, 2)
    return minor if exponent == 0 else minor / 10**exponent


def page(
    items: Sequence[T],
    query: Mapping[str, str],
    identify: Callable[[T], str],
    show: Callable[[T], Mapping[str, Any]],
    *,
    total: bool,
) -> Response:
    """One page of *items*, which come oldest first.

    ``limit`` is 10 by default and at most 100; ``cursor`` is the last item seen; ``cursor_direction`` is ``desc`` by
    default. ``total_hits`` goes out only with *total* and without a cursor.
    """
    try:
        limit = int(query.get("limit", "10"))
    except ValueError as exc:
        raise ApiError.invalid("limit", "INVALID_FORMAT") from exc
    if not 1 <= limit <= 100:
        raise ApiError.invalid("limit", "INVALID_FORMAT_LENGTH")
    ordered = list(items) if query.get("cursor_direction") == "asc" else list(reversed(items))
    start = 0
    if cursor := query.get("cursor"):
        known = [identify(item) for item in ordered]
        start = known.index(cursor) + 1 if cursor in known else len(ordered)
    body: dict[str, Any] = {
        "items": [show(item) for item in ordered[start : start + limit]],
        "has_more": start + limit < len(ordered),
    }
    if total and not cursor:
        body["total_hits"] = len(ordered)
    return reply(200, body)
