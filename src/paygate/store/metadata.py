"""Metadata of contracts, charges and refunds as rows: as a text beside each, and as an index to find them by (R-421).

The index holds a digest of key and text together, because a text may be longer than what a database indexes.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from ..domain.metadata import EMPTY, Metadata
from .statements import Runner, Statement, insert_all
from .tables import labels

__all__ = [
    "CHARGE",
    "CONTRACT",
    "REFUND",
    "forget",
    "label",
    "labelled",
    "metadata_of",
    "metadata_text",
    "sought",
]

#: What a row of the index is about.
CONTRACT, CHARGE, REFUND = "contract", "charge", "refund"

_INSERT = Statement(insert_all(labels))


def metadata_text(metadata: Mapping[str, str]) -> str | None:
    """The text that is stored beside a contract, charge or refund; None where there is nothing."""
    return json.dumps(dict(metadata), ensure_ascii=False, separators=(",", ":")) if metadata else None


@functools.lru_cache(maxsize=256)
def metadata_of(stored: str | None) -> Metadata:
    """The reverse of :func:`metadata_text`."""
    return EMPTY if stored is None else Metadata(json.loads(stored))


def label(runner: Runner, kind: str, id: str, metadata: Mapping[str, str]) -> None:  # noqa: A002
    """Make what is new findable by its *metadata*."""
    runner.change_many(
        _INSERT,
        ({"kind": kind, "id": id, "key": key, "digest": _digest(key, text)} for key, text in metadata.items()),
    )


def sought(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """The filters that find what has all of *metadata*, for :class:`~.statements.Pages` with :func:`labelled`."""
    digests = sorted(_digest(key, text) for key, text in (metadata or {}).items())
    return {f"label_{number}": digest for number, digest in enumerate(digests)}


def labelled(kind: str, key: sa.Column[str]) -> Callable[[str], sa.ColumnElement[bool] | None]:
    """The condition of a filter of :func:`sought` on rows of that *kind*, whose ids are in *key*."""

    def condition(name: str) -> sa.ColumnElement[bool] | None:
        if not name.startswith("label_"):
            return None
        return key.in_(
            sa.select(labels.c.id).where(
                labels.c.kind == sa.literal_column(f"'{kind}'"),
                labels.c.digest == sa.bindparam(name, type_=labels.c.digest.type),
            )
        )

    return condition


def forget(kind: str, ids: sa.Select[tuple[str]]) -> sa.Delete:
    """Remove what is known of those *ids*."""
    return labels.delete().where(labels.c.kind == sa.literal_column(f"'{kind}'"), labels.c.id.in_(ids))


def _digest(key: str, text: str) -> str:
    return hashlib.sha256(f"{key}\0{text}".encode()).hexdigest()
