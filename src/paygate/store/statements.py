"""Statements written in SQLAlchemy Core and compiled once, and the thin layer that runs them.

Running a Core statement through an SQLAlchemy connection costs 75 to 130 µs of Python each time; a charge consists of
ten of them. Here each statement is compiled once for each kind of database, and then goes to the driver as text and
parameters. SQLAlchemy still decides the SQL, the types and their conversions, and keeps the pool.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

import attrs
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import SelectBase

from ..clock import Clock, SystemClock
from ..errors import InvalidValue, StoreForked

__all__ = ["Pages", "Row", "Runner", "Statement", "insert_all", "value", "values"]

_HOST = SystemClock()

#: One row, by position, in the order of the selected columns.
Row = Sequence[Any]

_Convert = Callable[[Any], Any]


def value(column: sa.Column[Any]) -> sa.BindParameter[Any]:
    """The parameter that carries the value of *column*, named like it."""
    return sa.bindparam(column.key, type_=column.type)


def values(columns: Iterable[sa.Column[Any]]) -> dict[sa.Column[Any], sa.BindParameter[Any]]:
    """One parameter for each of *columns*, for ``insert`` and ``update``."""
    return {column: value(column) for column in columns}


def insert_all(table: sa.Table) -> sa.Insert:
    """Insert a row with all columns of *table* but the counter; ``inline`` because nobody asks for the number given."""
    return table.insert().values(values(column for column in table.c if column.key != "seq")).inline()


@attrs.frozen
class _Compiled:
    """The text of a statement for one kind of database, with what has to be converted on the way in and out.

    :param names: the parameters in the order in which the text has them.
    :param by_name: whether the driver takes parameters by name.
    :param constants: parameters that the statement brings along.
    :param writers: positions of the parameters that have to be converted; NULL never has to be.
    :param readers: positions of the selected columns that have to be converted.
    """

    sql: str
    names: tuple[str, ...]
    by_name: bool
    constants: Mapping[str, Any]
    writers: tuple[tuple[int, _Convert], ...]
    readers: tuple[tuple[int, _Convert], ...]
    _pick: Callable[[Mapping[str, Any]], tuple[Any, ...]] = attrs.field(init=False)

    @_pick.default
    def _picker(self) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        # itemgetter is several times as fast as a loop, but answers a single name without a tuple around it
        return (
            itemgetter(*self.names) if len(self.names) > 1 else lambda given: tuple(given[name] for name in self.names)
        )

    def parameters(self, given: Mapping[str, Any]) -> Any:
        chosen = list(self._pick({**self.constants, **given} if self.constants else given))
        for position, write in self.writers:
            if chosen[position] is not None:
                chosen[position] = write(chosen[position])
        return dict(zip(self.names, chosen, strict=True)) if self.by_name else chosen

    def read(self, row: Row) -> Row:
        if not self.readers:
            return row
        converted = list(row)
        for position, convert in self.readers:
            converted[position] = convert(converted[position])
        return converted


def _compile(element: sa.ClauseElement, dialect: sa.Dialect) -> _Compiled:
    compiled = cast("SQLCompiler", element.compile(dialect=dialect))
    writers: dict[str, _Convert | None] = {}
    constants: dict[str, Any] = {}
    for parameter, name in compiled.bind_names.items():
        writers[name] = _writer(parameter.type, dialect)
        if not parameter.required:
            constants[name] = parameter.effective_value
    readers: list[tuple[int, _Convert]] = []
    if isinstance(element, SelectBase):
        for position, column in enumerate(element.selected_columns):
            reader = column.type.dialect_impl(dialect).result_processor(dialect, None)
            if reader is not None:
                readers.append((position, reader))
    names = tuple((compiled.positiontup if compiled.positional else writers) or ())
    writing = tuple((place, write) for place, name in enumerate(names) if (write := writers[name]) is not None)
    return _Compiled(compiled.string, names, not compiled.positional, constants, writing, tuple(readers))


def _writer(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> _Convert | None:
    plain_date = isinstance(kind, sa.Date) and dialect.name == "sqlite"
    return _day if plain_date else kind.dialect_impl(dialect).bind_processor(dialect)


def _day(value: dt.date) -> str:
    """As SQLAlchemy writes it, which goes by a format string."""
    return value.isoformat() if type(value) is dt.date else f"{value.year:04d}-{value.month:02d}-{value.day:02d}"


class Statement:
    """A Core statement that is compiled once for each kind of database.

    :param element: the statement; its parameters are named ``bindparam`` objects.
    :param postgresql: what to run on PostgreSQL instead, where the two need different words.
    """

    __slots__ = ("_compiled", "_element", "_postgresql")

    def __init__(self, element: sa.ClauseElement, *, postgresql: sa.ClauseElement | None = None) -> None:
        self._element = element
        self._postgresql = postgresql
        self._compiled: dict[str, _Compiled] = {}

    def compiled(self, dialect: sa.Dialect) -> _Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            other = self._postgresql if dialect.name == "postgresql" else None
            found = self._compiled[dialect.name] = _compile(self._element if other is None else other, dialect)
        return found


class Pages:
    """Keyset pages of one table: equality filters that may be left out, rows after a given one, a limit.

    One statement is compiled for each combination of filters that is really asked for.

    :param columns: what to select.
    :param order: the column that orders the pages; it is unique.
    :param key: the column of the ids that callers continue after, where it is not *order* itself.
    :param only: conditions that always hold.
    :param further: makes the condition of a filter that is no column, of its name; None where it does not know it.
    """

    def __init__(
        self,
        columns: Sequence[sa.Column[Any]],
        order: sa.Column[Any],
        key: sa.Column[Any] | None = None,
        *only: sa.ColumnElement[bool],
        further: Callable[[str], sa.ColumnElement[bool] | None] = lambda _: None,
    ) -> None:
        self._columns = columns
        self._order = order
        self._key = order if key is None else key
        self._table = order.table
        self._only = only
        self._further = further
        self._pages: dict[tuple[str, ...], Statement] = {}
        self._counts: dict[tuple[str, ...], Statement] = {}
        self._keys: Pages | None = None

    def rows(self, runner: Runner, filters: Mapping[str, Any], after: object, limit: int) -> list[Row]:
        """The rows after the one whose key is *after*; filters that are None do not filter."""
        given = _given({**filters, "after": after})
        names = tuple(given)
        statement = self._pages.get(names)
        if statement is None:
            statement = self._pages[names] = Statement(
                sa.select(*self._columns)
                .where(*self._only, *map(self._condition, names))
                .order_by(self._order)
                .limit(sa.bindparam("limit", type_=sa.Integer))
            )
        return runner.all(statement, {**given, "limit": limit})

    def keys(self, runner: Runner, filters: Mapping[str, Any], after: object, limit: int) -> list[Any]:
        """The keys of the rows that :meth:`rows` gives, for when one of those rows cannot be read as a value."""
        return [key for (key,) in self._of_keys().rows(runner, filters, after, limit)]

    def _of_keys(self) -> Pages:
        if self._keys is None:
            self._keys = Pages([self._key], self._order, self._key, *self._only, further=self._further)
        return self._keys

    def count(self, runner: Runner, filters: Mapping[str, Any]) -> int:
        """How many rows there are on all pages together."""
        given = _given(filters)
        names = tuple(given)
        statement = self._counts.get(names)
        if statement is None:
            statement = self._counts[names] = Statement(
                sa.select(sa.func.count()).select_from(self._table).where(*self._only, *map(self._condition, names))
            )
        return int(runner.all(statement, given)[0][0])

    def _condition(self, name: str) -> sa.ColumnElement[bool]:
        if (condition := self._further(name)) is not None:
            return condition
        if name != "after":
            column = self._table.c[name]
            return column == value(column)
        last: sa.ColumnElement[Any] = sa.bindparam("after", type_=self._key.type)
        if self._key is not self._order:
            twin = self._table.alias()
            last = sa.select(twin.c[self._order.key]).where(twin.c[self._key.key] == last).scalar_subquery()
        return self._order > last


def _given(filters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: wanted for name, wanted in filters.items() if wanted is not None}


class Runner:
    """Runs statements inside one transaction.

    :param clock: tells the present instant for rows that record when they were written.
    :param writes: whether the transaction may change anything.
    """

    __slots__ = ("_clock", "_cursor", "_dialect", "integrity_error", "left_behind", "now", "writes")

    def __init__(self, cursor: DBAPICursor, dialect: sa.Dialect, *, clock: Clock, writes: bool) -> None:
        self._cursor = cursor
        self._dialect = dialect
        self._clock = clock
        self.now = clock.now
        self.writes = writes
        #: what the driver raises when a unique rule is broken; :meth:`breaks` says which
        self.integrity_error: type[Exception] = dialect.loaded_dbapi.IntegrityError
        #: whether this process was forked in mid-transaction: the connection is the parent's
        self.left_behind = False

    @property
    def concurrent(self) -> bool:
        """Whether other transactions may write at the same time, so that more than rows may have to be locked."""
        return self._dialect.name == "postgresql"

    @property
    def held(self) -> bool:
        """Whether a test moves the clock, or holds it."""
        return self._clock.skip(0.0)

    def present(self) -> dt.datetime | None:
        """The instant by which claims and leases begin and end, UTC; None: the database server's own (R-282).

        Hosts' clocks differ, so none of them judges what another host has claimed. SQLite has no clock but that of the
        host that its processes share. A clock that a test moves or holds rules everything.
        """
        if self.held:
            return self.now()
        return None if self._dialect.name == "postgresql" else _HOST.now()

    def first(self, statement: Statement, given: Mapping[str, Any]) -> Row | None:
        """The first row, or None."""
        compiled = self._run(statement, given)
        row = self._cursor.fetchone()
        return None if row is None else compiled.read(row)

    def all(self, statement: Statement, given: Mapping[str, Any]) -> list[Row]:
        """All rows."""
        compiled = self._run(statement, given)
        return [compiled.read(row) for row in self._cursor.fetchall()]

    def change(self, statement: Statement, given: Mapping[str, Any]) -> int:
        """Run a statement that changes rows.

        :returns: how many rows it found.
        :raises RuntimeError: in a transaction that only reads.
        """
        self._must_write()
        self._run(statement, given)
        return self._cursor.rowcount

    def change_many(self, statement: Statement, given: Iterable[Mapping[str, Any]]) -> None:
        """Run a statement once for each set of parameters, in their order; none at all is nothing to do."""
        self._must_write()
        self._must_be_here()
        compiled = statement.compiled(self._dialect)
        try:
            if rows := [compiled.parameters(one) for one in given]:
                self._cursor.executemany(compiled.sql, rows)
        except (OverflowError, UnicodeError) as exc:
            raise _unstorable(exc) from exc

    def commit(self) -> None:
        """End the transaction; what it changed is kept."""
        self._must_be_here()
        self._cursor.execute("COMMIT")
        self._cursor.close()

    def cut_off(self) -> None:
        """Never touch the connection again: this process is a forked child, and it is the parent's."""
        self.left_behind = True

    def _run(self, statement: Statement, given: Mapping[str, Any]) -> _Compiled:
        if self.left_behind:
            self._must_be_here()
        compiled = statement.compiled(self._dialect)
        try:
            self._cursor.execute(compiled.sql, compiled.parameters(given))
        except (OverflowError, UnicodeError) as exc:
            raise _unstorable(exc) from exc
        return compiled

    def _must_be_here(self) -> None:
        if self.left_behind:
            raise StoreForked(
                "this process was forked while a transaction was open, which belongs to the parent; begin one of its own"
            )

    def breaks(self, error: Exception, rule: sa.Index | sa.Constraint) -> bool:
        """Whether *error* was raised because *rule*, a unique index or constraint, would be broken."""
        if self._dialect.name == "postgresql":
            diagnostics: Any = getattr(error, "diag", None)
            return diagnostics is not None and bool(diagnostics.constraint_name == rule.name)
        columns = rule.columns if isinstance(rule, sa.Index | sa.UniqueConstraint | sa.PrimaryKeyConstraint) else ()
        names = ", ".join(f"{column.table.name}.{column.name}" for column in columns)
        return str(error) == f"UNIQUE constraint failed: {names}"

    def _must_write(self) -> None:
        if not self.writes:
            raise RuntimeError("this transaction only reads; changes belong into store.write()")


def _unstorable(error: Exception) -> InvalidValue:
    """For a number, date or text that the driver cannot even hand over."""
    return InvalidValue(f"the database cannot hold one of the values given ({error}); nothing of this step was saved")
