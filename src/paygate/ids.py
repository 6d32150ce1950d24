"""Ids: UUIDv7 as 32 hexadecimal digits, so that rows sort by the time they were made."""

from __future__ import annotations

import datetime as dt
import os

__all__ = ["new_id"]


def new_id(now: dt.datetime) -> str:
    """A fresh UUIDv7 (RFC 9562) for the instant *now*: 32 lower-case hexadecimal digits."""
    milliseconds = int(now.timestamp() * 1000)
    value = milliseconds << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return f"{value:032x}"
