"""Parts of values that several tables hold, as columns and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..domain.charge import Failure
from ..domain.contract import Actor, ActorKind
from ..errors import NotFound
from ..provider import DeclineClass
from .statements import Row

__all__ = ["actor", "failure", "failure_columns", "found"]


def actor(text: str) -> Actor:
    """The actor that ``str(actor)`` was stored of; no kind has a colon in its name, ids may."""
    kind, _, name = text.partition(":")
    return Actor(ActorKind(kind), name)


def failure_columns(failed: Failure | None) -> Mapping[str, Any]:
    """The columns that hold a failure; all empty where there is none."""
    if failed is None:
        return {"failure_code": None, "failure_message": None, "failure_decline": None, "failure_sent": None}
    return {
        "failure_code": failed.code,
        "failure_message": failed.message,
        "failure_decline": failed.decline and failed.decline.value,
        "failure_sent": failed.sent,
    }


def failure(code: str | None, message: str | None, decline: str | None, sent: bool | None) -> Failure | None:
    """The reverse; a failure always says whether it was sent."""
    if sent is None:
        return None
    return Failure(code, message or "", DeclineClass(decline) if decline else None, sent)


def found(row: Row | None, what: str, name: str) -> Row:
    """*row*, which was asked for by its id.

    :raises NotFound: there is none.
    """
    if row is None:
        raise NotFound(f"there is no {what} {name!r}")
    return row
