"""How the emulated UnivaPay reads and writes: JSON, instants, amounts, metadata, errors, pages."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Container, Mapping
from typing import Any, TypeGuard, TypeVar
from urllib.parse import parse_qsl, urlsplit

from ....flow import Request, Response
from ....money import EXPONENTS
from .shelf import Record, Row

__all__ = [
    "ApiError", "among", "formatted", "instant", "page", "parse_instant", "read_amount", "read_body", "read_currency",
    "read_metadata", "read_query", "reply",
]  # fmt: skip

R = TypeVar("R", bound=Record)

#: What a value in metadata may be; lists hold these, and nothing else nests.
_PLAIN = (str, int, float, bool, type(None))


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
    return Response(status, {"Content-Type": "application/json"}, text.encode(errors="backslashreplace"))


def read_body(request: Request) -> dict[str, Any]:
    """The JSON object of *request*; an empty body is an empty object."""
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as exc:  # nested beyond reason
        raise ApiError.invalid("body", "INVALID_FORMAT") from exc
    if not isinstance(body, dict) or _has_half_letters(request.body, body):
        raise ApiError.invalid("body", "INVALID_FORMAT")
    return body


def _has_half_letters(sent: bytes, body: object) -> bool:
    """Whether a text of *body* holds half of a surrogate pair, which JSON can write and nothing can store."""
    if b"\\ud" not in sent.lower():
        return False
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def among(value: object, known: Container[Any]) -> TypeGuard[Any]:
    """Whether *value* of a body is one of *known*; a list or an object never is."""
    return not isinstance(value, list | dict) and value in known


def read_query(request: Request) -> dict[str, str]:
    """The query of *request*; of a name that comes twice, the values joined by commas."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(urlsplit(request.url).query):
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


def read_amount(body: Mapping[str, Any], field: str = "amount", *, least: int = 1) -> int:
    """A whole number of minor units, not below *least*."""
    amount = body.get(field)
    if type(amount) is not int or amount < least:
        raise ApiError.invalid(field, "INVALID_AMOUNT")
    return amount


def read_currency(body: Mapping[str, Any]) -> str:
    """An ISO 4217 code in capitals."""
    currency = body.get("currency")
    if not among(currency, EXPONENTS):
        raise ApiError.invalid("currency", "INVALID_FORMAT_CURRENCY")
    return str(currency)


def read_metadata(body: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of *body*: a flat object, or one as JSON text."""
    given = body.get("metadata")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError) as exc:
            raise ApiError.invalid("metadata", "INVALID_FORMAT") from exc
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ApiError.invalid("metadata", "INVALID_FORMAT")
    for value in given.values():
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, _PLAIN):
                raise ApiError.invalid("metadata", "NESTED_JSON_NOT_ALLOWED")
    return given


def instant(moment: dt.datetime | None) -> str | None:
    """ISO 8601 in UTC with ``Z``, trailing zeros of the fraction dropped."""
    if moment is None:
        return None
    text = moment.astimezone(dt.UTC).isoformat().removesuffix("+00:00")
    return (text.rstrip("0") if moment.microsecond else text) + "Z"


def parse_instant(field: str, text: object) -> dt.datetime:
    """An instant from a query or a body."""
    try:
        moment = dt.datetime.fromisoformat(str(text))
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
    row: Row[R],
    query: Mapping[str, str],
    show: Callable[[R], Mapping[str, Any]],
    *,
    total: bool,
    wanted: Callable[[R], bool] | None = None,
    since: dt.datetime | None = None,
) -> Response:
    """One page of *row*.

    ``limit`` is 10 by default and at most 100; ``cursor`` is the last item seen; ``cursor_direction`` is ``desc`` by
    default. ``total_hits`` goes out only with *total* and without a cursor. A row without *wanted* is never counted
    through.

    :param wanted: what is left out; :param since: nothing older can be wanted.
    """
    limit, ascending = _limit(query), query.get("cursor_direction") == "asc"
    first, last, cursor = row.since(since), len(row), query.get("cursor")
    if cursor:
        seen = row.find(cursor)
        if seen is None:
            first = last
        elif ascending:
            first = seen + 1
        else:
            last = seen
    positions = range(first, last) if ascending else range(last - 1, first - 1, -1)
    counting = total and not cursor
    if wanted is None:
        found, hits = [row[position] for position in positions[: limit + 1]], len(positions)
    else:
        matching = (row[position] for position in positions if wanted(row[position]))
        found = list(matching if counting else itertools.islice(matching, limit + 1))
        hits = len(found)
    body: dict[str, Any] = {"items": [show(one) for one in found[:limit]], "has_more": len(found) > limit}
    if counting:
        body["total_hits"] = hits
    return reply(200, body)


def _limit(query: Mapping[str, str]) -> int:
    try:
        limit = int(query.get("limit", "10"))
    except ValueError as exc:
        raise ApiError.invalid("limit", "INVALID_FORMAT") from exc
    if not 1 <= limit <= 100:
        raise ApiError.invalid("limit", "INVALID_FORMAT_LENGTH")
    return limit
