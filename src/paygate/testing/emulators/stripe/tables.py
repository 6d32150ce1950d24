"""Records in the order they were made, found by id or by an indexed attribute, and their pages, newest first."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from .errors import ApiError

__all__ = ["Page", "Record", "Table", "within"]


@attrs.define(kw_only=True)
class Record:
    """What every stored object has.

    :param created: seconds since 1970, UTC.
    :param serial: counts all objects of an emulator, so that lists have an order.
    """

    id: str
    created: int
    serial: int


R = TypeVar("R", bound=Record)


@attrs.frozen
class Page(Generic[R]):
    """One page of a list, newest first, and whether there is more in the direction of reading."""

    rows: Sequence[R]
    has_more: bool


class Table(Generic[R]):
    """All records of one kind.

    :param kind: what the object is called in ``No such …``.
    :param indexes: attributes by which :meth:`by` finds without a scan; change them only through :meth:`move`.
    """

    def __init__(self, kind: str, *indexes: str) -> None:
        self.kind = kind
        self._rows: dict[str, R] = {}
        self._ordered: list[R] = []
        self._indexes: dict[str, dict[Any, list[R]]] = {name: {} for name in indexes}

    def add(self, record: R) -> R:
        self._rows[record.id] = record
        _insert(self._ordered, record)
        for name, index in self._indexes.items():
            _insert(index.setdefault(getattr(record, name), []), record)
        return record

    def remove(self, record: R) -> None:
        del self._rows[record.id]
        _remove(self._ordered, record)
        for name, index in self._indexes.items():
            _remove(index[getattr(record, name)], record)

    def forget(self, until: int) -> None:
        """Drop the oldest records, as far as they were created before *until*."""
        expired = 0
        while expired < len(self._ordered) and self._ordered[expired].created < until:
            expired += 1
        for record in self._ordered[:expired]:
            self.remove(record)

    def move(self, record: R, name: str, value: object) -> None:
        """Set the indexed attribute *name*."""
        index = self._indexes[name]
        _remove(index[getattr(record, name)], record)
        setattr(record, name, value)
        _insert(index.setdefault(value, []), record)

    def get(self, identifier: str) -> R | None:
        return self._rows.get(identifier)

    def find(self, identifier: str, param: str | None = None) -> R:
        """The record of that id.

        :param param: the parameter that named it; None for the path.
        :raises ApiError: there is none.
        """
        if (record := self.get(identifier)) is None:
            raise ApiError.missing(self.kind, identifier, param)
        return record

    def by(self, name: str, value: object) -> Sequence[R]:
        """The records whose indexed attribute *name* is *value*, oldest first."""
        return self._indexes[name].get(value, ())

    def rows(self) -> Sequence[R]:
        """All records, oldest first."""
        return self._ordered

    def page(
        self,
        params: Mapping[str, Any],
        rows: Sequence[R] | None = None,
        wanted: Callable[[R], bool] = lambda _record: True,
    ) -> Page[R]:
        """The page that ``limit``, ``starting_after``, ``ending_before`` and ``created`` ask for (§14).

        :param rows: what to page through, oldest first; None means everything.
        :param wanted: a filter beside ``created``.
        :raises ApiError: a cursor names nothing, or both cursors came.
        """
        ordered = self.rows() if rows is None else rows
        limit = params.get("limit", 10)
        after, before = params.get("starting_after"), params.get("ending_before")
        if after is not None and before is not None:
            raise ApiError.invalid("ending_before", "starting_after and ending_before cannot be used together.")
        if before is not None:
            start = bisect.bisect_right(ordered, self.find(before, "ending_before").serial, key=_serial)
            candidates = iter(ordered[start:])
        else:
            end = len(ordered)
            if after is not None:
                end = bisect.bisect_left(ordered, self.find(after, "starting_after").serial, key=_serial)
            candidates = (ordered[position] for position in range(end - 1, -1, -1))
        found: list[R] = []
        for record in candidates:
            if within(record.created, params.get("created")) and wanted(record):
                if len(found) == limit:
                    return Page(found[::-1] if before is not None else found, has_more=True)
                found.append(record)
        return Page(found[::-1] if before is not None else found, has_more=False)


def within(moment: int, bounds: Mapping[str, int] | None) -> bool:
    """Whether *moment* fulfils a filter such as ``{"gte": 1, "lt": 9}``."""
    if not bounds:
        return True
    return (
        moment > bounds.get("gt", moment - 1)
        and moment >= bounds.get("gte", moment)
        and moment < bounds.get("lt", moment + 1)
        and moment <= bounds.get("lte", moment)
    )


def _serial(record: Record) -> int:
    return record.serial


def _insert(rows: list[R], record: R) -> None:
    if not rows or rows[-1].serial < record.serial:
        rows.append(record)
    else:
        bisect.insort(rows, record, key=_serial)


def _remove(rows: list[R], record: R) -> None:
    del rows[bisect.bisect_left(rows, record.serial, key=_serial)]
