"""The column types that SQLite and PostgreSQL store differently and paygate reads and writes alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ..clock import require_aware

__all__ = ["JSON", "Id", "Instant"]

#: Ids and other names that are compared and sorted: by their bytes on both databases, whatever the server's language.
Id = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

#: Plain JSON values. None is SQL NULL, not JSON's null.
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Instant(sa.types.TypeDecorator[dt.datetime]):
    """An instant: aware on the way in, UTC on the way out.

    ``timestamptz`` on PostgreSQL. On SQLite text of a fixed width, ``2026-11-22T03:00:00.000000Z``, so that comparing
    the texts compares the instants.

    :raises NaiveDatetime: when a datetime without a zone is to be stored (R-002).
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        return dialect.type_descriptor(sa.Text())

    # Both directions are given as plain functions: they run several times for each row.

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[dt.datetime | None], dt.datetime | str | None]:
        return _utc if dialect.name == "postgresql" else _text

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], dt.datetime | None]:  # noqa: ARG002
        return _utc if dialect.name == "postgresql" else _instant


def _utc(value: dt.datetime | None) -> dt.datetime | None:
    return None if value is None else require_aware(value)


#: The latest instant that was written, and its text: what one transaction writes has mostly the same.
_latest: tuple[dt.datetime | None, str] = (None, "")


def _text(value: dt.datetime | None) -> str | None:
    global _latest  # noqa: PLW0603 - one assignment of a pair, which no other thread sees by halves
    if value is None:
        return None
    known, text = _latest
    if value is known:
        return text
    text = require_aware(value).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    _latest = (value, text)
    return text


def _instant(value: str | None) -> dt.datetime | None:
    return None if value is None else dt.datetime.fromisoformat(value)
