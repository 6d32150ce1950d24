"""Records of one kind in the order they were made, findable by id and by what they belong to.

No request looks at all records: a list is a row that was kept while the records came in, and a page starts at its
cursor without counting up to it.
"""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar

__all__ = ["ALL", "Record", "Row", "Shelf"]

#: The row of everything on a shelf.
ALL = ""

#: Counts records of all shelves, so that one can stand on two of them.
_SERIALS = itertools.count(1)


class Record(Protocol):
    """What can be kept on a shelf: ``serial`` is 0 until it is, and then counts upwards."""

    id: str
    serial: int
    created: dt.datetime


R = TypeVar("R", bound=Record)


class Row(Generic[R]):
    """Some records of a shelf, oldest first."""

    __slots__ = ("_known", "_latest", "_records")

    def __init__(self, known: Mapping[str, R]) -> None:
        self._known = known
        self._records: list[R] = []
        self._latest: list[dt.datetime] = []  # the latest creation up to each record: sorted, even if a clock went back

    def append(self, record: R) -> None:
        latest = max(self._latest[-1], record.created) if self._latest else record.created
        self._records.append(record)
        self._latest.append(latest)

    def remove(self, record: R) -> None:
        position = self._place(record)
        del self._records[position], self._latest[position]

    def find(self, record_id: str) -> int | None:
        """The position of that record; None where it is not in this row."""
        record = self._known.get(record_id)
        if record is None:
            return None
        position = self._place(record)
        return position if position < len(self) and self._records[position] is record else None

    def since(self, moment: dt.datetime | None) -> int:
        """The first position that can hold a record made at *moment* or later."""
        return 0 if moment is None else bisect.bisect_left(self._latest, moment)

    def _place(self, record: R) -> int:
        return bisect.bisect_left(self._records, record.serial, key=lambda one: one.serial)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, position: int) -> R:
        return self._records[position]

    def __iter__(self) -> Iterator[R]:
        return iter(self._records)


class Shelf(Generic[R]):
    """All records of a kind, by id and in rows.

    >>> from types import SimpleNamespace
    >>> made = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    >>> shelf = Shelf()
    >>> shelf.add(SimpleNamespace(id="c1", serial=0, created=made), "store-1", "token-1")
    >>> len(shelf.row("token-1")), len(shelf.row("token-2"))
    (1, 0)
    """

    def __init__(self) -> None:
        self._by_id: dict[str, R] = {}
        self._rows: dict[str, Row[R]] = {}

    def add(self, record: R, *rows: str) -> None:
        """Keep *record*, in :data:`ALL` and in each of *rows*."""
        record.serial = record.serial or next(_SERIALS)
        self._by_id[record.id] = record
        for name in (ALL, *rows):
            self._rows.setdefault(name, Row(self._by_id)).append(record)

    def remove(self, record: R, *rows: str) -> None:
        """Forget *record*, which is in :data:`ALL` and in each of *rows*."""
        for name in (ALL, *rows):
            self._rows[name].remove(record)
        del self._by_id[record.id]

    def get(self, record_id: str) -> R | None:
        return self._by_id.get(record_id)

    def __getitem__(self, record_id: str) -> R:
        return self._by_id[record_id]

    def __iter__(self) -> Iterator[R]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def row(self, name: str = ALL) -> Row[R]:
        """The records that were added to the row *name*, oldest first."""
        return self._rows.get(name) or Row(self._by_id)
