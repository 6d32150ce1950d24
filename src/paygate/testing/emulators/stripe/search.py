"""The search language (provider fact sheet §8): ``status:"succeeded" AND metadata["order"]:"42"``.

The index lags behind: what was created within :attr:`.assumptions.Behaviour.search_delay` is not found yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

import attrs

from .errors import ApiError
from .params import Table, integer, text
from .resource import Object, Resource
from .state import Call
from .tables import Record

__all__ = ["SEARCH", "Fields", "search"]

R = TypeVar("R", bound=Record)

#: What can be searched: a field's name and how to read it; ``metadata`` reads as a mapping.
Fields: TypeAlias = Mapping[str, Callable[[R], Any]]

#: The parameters of every search.
SEARCH: Table = {"query": text(required=True), "limit": integer(least=1, most=100), "page": text()}

_CLAUSE = re.compile(
    r"""\s*(?P<negated>-)?(?P<field>[a-z_]+)(?:\[(?P<quote>["'])(?P<key>.*?)(?P=quote)\])?\s*
        (?P<operator>>=|<=|[:~><])\s*(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w.-]+)\s*""",
    re.VERBOSE,
)
_JOINT = re.compile(r"(AND|OR|and|or)\b")


@attrs.frozen
class _Clause:
    field: str
    key: str | None
    operator: str
    value: str | None  #: None is ``null``
    negated: bool

    def holds(self, found: Any) -> bool:
        if self.key is not None:
            found = found.get(self.key)
        return self._compares(found) is not self.negated

    def _compares(self, found: Any) -> bool:
        if found is None or self.value is None:
            return found is None and self.value is None
        if self.operator == "~":
            return self.value.lower() in str(found).lower()
        if self.operator == ":":
            return str(found).lower() == self.value.lower()
        number, bound = int(found), int(self.value)
        return {">": number > bound, "<": number < bound, ">=": number >= bound, "<=": number <= bound}[self.operator]


def search(resource: Resource[R], call: Call, url: str, fields: Fields[R]) -> Object:
    """The answer to a search for *resource*, newest first, as far as the index knows.

    :raises ApiError: the query or the page cannot be read.
    """
    params = call.params
    clauses, every = _parse(params["query"], fields)
    known = resource.state.now().timestamp() - resource.state.behaviour.search_delay
    below = _page(params.get("page"))
    limit = params.get("limit", 10)
    found: list[R] = []
    for record in reversed(resource.table.rows()):
        if record.created > known or (below is not None and record.serial >= below):
            continue
        verdicts = (clause.holds(fields[clause.field](record)) for clause in clauses)
        if all(verdicts) if every else any(verdicts):
            found.append(record)
            if len(found) > limit:
                break
    more = len(found) > limit
    return {
        "object": "search_result",
        "data": [resource.show(record) for record in found[:limit]],
        "has_more": more,
        "next_page": f"page_{found[limit - 1].serial}" if more else None,
        "url": f"/v1{url}",
    }


def _parse(query: str, fields: Iterable[str]) -> tuple[list[_Clause], bool]:
    """The clauses of *query*, and whether all of them have to hold (AND) or one (OR)."""
    clauses: list[_Clause] = []
    joints: set[str] = set()
    position = 0
    while True:
        clause = _CLAUSE.match(query, position)
        if clause is None or clause["field"] not in fields or (clause["field"] == "metadata") != bool(clause["quote"]):
            raise ApiError.invalid("query", "We were unable to parse your search query: a clause is field:value.")
        clauses.append(_clause(clause))
        position = clause.end()
        if position == len(query):
            break
        joint = _JOINT.match(query, position)
        if joint is None:
            raise ApiError.invalid("query", "We were unable to parse your search query: clauses join by AND or OR.")
        joints.add(joint[0].upper())
        position = joint.end()
    if len(joints) > 1:
        raise ApiError.invalid("query", "A search query uses AND or OR, not both.")
    return clauses, joints != {"OR"}


def _clause(found: re.Match[str]) -> _Clause:
    value, operator = found["value"], found["operator"]
    quoted = value[0] in "\"'"
    content = re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else None if value == "null" else value
    if operator in {">", "<", ">=", "<="} and not (content or "").isdecimal():
        raise ApiError.invalid("query", f"The operator {operator} compares with a whole number.")
    return _Clause(found["field"], found["key"], operator, content, bool(found["negated"]))


def _page(token: str | None) -> int | None:
    if token is None:
        return None
    if (found := re.fullmatch(r"page_([0-9]{1,18})", token)) is None:
        raise ApiError.invalid("page", "Invalid page: use next_page of the answer before.")
    return int(found[1])
