"""Made-up ids in place of real ones: of the same form and prefix, and the same for the same id throughout a cassette.

Ids are numbered in the order in which they are met. A replay meets them in the same order as the recording did, so an
id that the test makes up anew in each run gets the same number each time, and requests match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...drivers.redact import mask_text

__all__ = ["Pseudonyms", "is_id", "is_made_up"]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)
_PREFIXED = re.compile(r"((?:[A-Za-z]+_)+)([A-Za-z0-9]+)|([A-Za-z][0-9]{2}-)([A-Za-z0-9-]+)")
_MADE_UP = re.compile(
    r"aaaaaaaa-aaaa-4aaa-8aaa-a*\d+|a{16,}\d+|[89]9{5,}\d*|(?:(?:[A-Za-z]+_)+|[A-Za-z][0-9]{2}-)x+\d+|id-x+\d+"
)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")


def is_id(text: str) -> bool:
    """Whether *text* has the form of an id and does not look like a credential or a card number.

    >>> is_id("ch_3OqX9")
    True
    >>> is_id("hanako@example.com")
    False
    """
    # by accident the digits of a UUID may pass for a card's
    formed = _UUID.fullmatch(text) or _HEX.fullmatch(text)
    return bool(formed or (_ID.fullmatch(text) and mask_text(text) == text))


def is_made_up(text: str) -> bool:
    """Whether *text* has the form of a made-up id.

    >>> is_made_up("ch_xxx1"), is_made_up("ch_3OqX9")
    (True, False)
    """
    return bool(_MADE_UP.fullmatch(text))


class Pseudonyms:
    """The made-up ids of one cassette, in one run."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}  # real id → made-up one
        self._meant: dict[str, str] = {}  # and back
        self._shown: set[str] = set()  # made-up ids that this run has only from the cassette
        self._count = 0

    def know(self, ids: Iterable[str]) -> None:
        """Number ids that the test holds before any exchange."""
        for one in ids:
            self.replace(one)

    def replace(self, real: str) -> str:
        """The made-up id for *real*; one that came from the cassette stays as it is."""
        if real in self._shown:
            return real
        known = self._given.get(real)
        if known is None:
            self._count += 1
            known = self._given[real] = _made_up(real, self._count)
            self._meant[known] = real
        return known

    def restore(self, made_up: str) -> str:
        """What a replay shows for an id in the cassette: the test's own id where it stands for one."""
        real = self._meant.get(made_up)
        if real is None and made_up not in self._shown:
            self._count += 1
            self._shown.add(made_up)
        return made_up if real is None else real


def _made_up(real: str, number: int) -> str:
    """Letters fill the place of digits, because a long run of digits might pass for a card number."""
    if _UUID.fullmatch(real):
        return f"aaaaaaaa-aaaa-4aaa-8aaa-{number:a>12}"
    if _HEX.fullmatch(real):
        return f"{number:a>{len(real)}}"
    if real.isdigit():
        digits = f"{number:9>{len(real)}}"
        return digits if mask_text(digits) == digits else f"8{digits[1:]}"
    if found := _PREFIXED.fullmatch(real):
        prefix, rest = found[1] or found[3], found[2] or found[4]
        return f"{prefix}{number:x>{len(rest)}}"
    return f"id-{number:x>4}"
