"""What a resource is: a class with a table of records, routes, and one way to show a record."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import attrs

from .errors import ApiError
from .params import Table as Params
from .state import Call, State
from .tables import Page, Record, Table

__all__ = ["Object", "Resource", "Route", "changes", "route"]

R = TypeVar("R", bound=Record)
S = TypeVar("S", bound="Resource[Any]")
Object = dict[str, Any]


@attrs.frozen
class Route:
    """A method and a path pattern with its parameter table, and the function that answers."""

    method: str
    pattern: str
    params: Params
    answer: Callable[[Call], Object]

    def __call__(self, call: Call) -> Object:
        return self.answer(call)


_Handler = Callable[[S, Call], Object]


def route(method: str, pattern: str, params: Params | None = None) -> Callable[[_Handler[S]], _Handler[S]]:
    """Mark a method of a :class:`Resource` as the answer to *method* on ``/v1`` + *pattern*."""

    def mark(handler: _Handler[S]) -> _Handler[S]:
        vars(handler)["_route"] = (method, "/v1" + pattern, params or {})
        return handler

    return mark


class Resource(abc.ABC, Generic[R]):
    """Base of the resources. A subclass names its object, the prefix of its ids, and what can be expanded.

    :cvar kind: the ``object`` of what it shows.
    :cvar prefix: what comes before the last underscore of an id; references of that form can be expanded.
    :cvar expandable: the fields that hold an id and may be expanded, nested ones with dots.
    :cvar indexes: attributes of the record that :meth:`.tables.Table.by` shall find without a scan.

    :attr:`enclosures` are the fields that only an expansion shows, such as ``charge.refunds``: functions of the
    object's id, added by whoever knows the value.
    """

    kind: ClassVar[str]
    prefix: ClassVar[str]
    expandable: ClassVar[frozenset[str]] = frozenset()
    indexes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, state: State) -> None:
        self.state = state
        self.table: Table[R] = Table(self.kind, *self.indexes)
        self.enclosures: dict[str, Callable[[str], Object]] = {}
        state.resources[self.prefix] = self

    @abc.abstractmethod
    def show(self, record: R) -> Object:
        """The object as it goes out, with ids where it refers to others; every container in it is a fresh one."""

    def lookup(self, identifier: str) -> Object | None:
        """The shown object of that id, for an expansion."""
        record = self.table.get(identifier)
        return None if record is None else self.show(record)

    def check_secret(self, record: Record, params: Mapping[str, Any]) -> None:
        """Refuse a ``client_secret`` that is not the one of *record*.

        :raises ApiError: it is another one.
        """
        secret = self.state.ids.secret(record.id)
        if params.get("client_secret", secret) != secret:
            raise ApiError.invalid("client_secret", f"The client_secret does not belong to this {self.kind}.")

    def refer(self, kind: str, prefix: str, identifier: str, param: str) -> Object:
        """The shown object of another resource that the parameter *param* names.

        :raises ApiError: there is none of that id.
        """
        target = self.state.resources.get(prefix)
        shown = target.lookup(identifier) if target is not None else None
        if shown is None or shown.get("deleted"):
            raise ApiError.missing(kind, identifier, param)
        return shown

    def routes(self) -> Iterator[Route]:
        """The routes that :func:`route` marked, in the order they were written."""
        for cls in reversed(type(self).__mro__):
            for name, member in vars(cls).items():
                if marked := getattr(member, "_route", None):
                    method, pattern, params = marked
                    yield Route(method, pattern, params, getattr(self, name))

    def head(self, record: Record) -> Object:
        """The fields that begin every object."""
        return {"id": record.id, "object": self.kind}

    def birth(self) -> dict[str, Any]:
        """The arguments that every new record takes: an id, the present second, the next serial."""
        return {"id": self.state.ids.new(self.prefix), "created": self.state.timestamp(), "serial": self.state.serial()}

    def listing(
        self,
        url: str,
        params: Mapping[str, Any],
        rows: Sequence[R] | None = None,
        wanted: Callable[[R], bool] = lambda _record: True,
    ) -> Object:
        """The list object for :meth:`.tables.Table.page`; *url* is a path after ``/v1``."""
        return self.listed(url, self.table.page(params, rows, wanted))

    def listed(self, url: str, page: Page[R]) -> Object:
        data = [self.show(record) for record in page.rows]
        return {"object": "list", "data": data, "has_more": page.has_more, "url": f"/v1{url}"}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Object:
    """The ``previous_attributes`` of an event: what the fields that changed were *before*."""
    return {name: value for name, value in before.items() if after.get(name) != value}
