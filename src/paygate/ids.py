"""Ids: UUIDv7 as 32 hexadecimal digits, so that rows sort by the time they were made."""

from __future__ import annotations

import datetime as dt
import hashlib
import os

__all__ = ["derived_id", "new_id", "secret_hash"]


def new_id(now: dt.datetime) -> str:
    """A fresh UUIDv7 (RFC 9562) for the instant *now*: 32 lower-case hexadecimal digits."""
    milliseconds = int(now.timestamp() * 1000)
    value = milliseconds << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return f"{value:032x}"


def derived_id(*parts: str) -> str:
    """The id that *parts* always have: 32 lower-case hexadecimal digits, the same on every machine and in every year.

    For an attempt that must be recognised by its provider although the database has forgotten it (R-284).

    >>> derived_id("period", "stripe", "con_1", "2026-11-01", "1") == derived_id("period", "stripe", "con_1", "2026-11-01", "1")
    True
    """
    text = "".join(f"{len(part)}:{part}" for part in parts)  # lengths, so that no part runs into the next
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def secret_hash(account: str, credential: str | None) -> str:
    """A digest that recognises the same stored credential again without holding it."""
    return hashlib.sha256(f"{account}\0{credential or ''}".encode()).hexdigest()[:32]
