"""Runs of case ids."""

from __future__ import annotations


def ids(group: str, first: int, last: int) -> set[str]:
    """The ids of *group* from *first* to *last*."""
    return {f"{group}-{number:02}" for number in range(first, last + 1)}
