"""Finds card numbers in text: 13 to 19 digits that pass the Luhn check, in one piece or in groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate, pairwise

__all__ = ["card_spans", "luhn"]

SHORTEST, LONGEST = 13, 19
_LONGEST_GAP = 12
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
#: Of the networks; 1 is an airline's, 0, 7, 8 and 9 are nobody's that is usual.
_FIRST_DIGITS = frozenset({2, 3, 4, 5, 6})

# A run of digits of any script (full-width ones too).
_DIGITS = re.compile(r"\d+")
#: What parts the groups of a number that is written for people.
_GAP = re.compile(r"[\s\-_.·\u00ad\u200b-\u200d\u2010-\u2015\u2060\u2212\ufeff\uff0d\uff0e\u30fb\u30fc]{1,3}")
#: What parts them in forms and tables; sums and lists look so too, so the groups have to be those of a card.
_ODD_GAP = re.compile(r"[^\w<>{}()=]{1,12}")
_GROUPS = frozenset(
    {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1), (8, 8), (6, 10), (4, 4, 5), (4, 5, 6)}
)
#: UUIDs and hashes: their digits mean nothing.
_HEX = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?=[0-9]{0,63}[a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}))(?![0-9A-Za-z])",
    re.IGNORECASE,
)
#: What follows the number on a magnetic stripe.
_TRACK = re.compile(r"(?:[=D]\d{7,24}|\^[^^\n]{2,26}\^\d{7,40})\??", re.IGNORECASE)


def card_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where *text* holds card numbers. They begin and end with a group of digits, but a run of groups may hold more
    than the card, such as an amount before it, so every stretch of groups is tried, longest first.
    """
    groups = [found.span() for found in _DIGITS.finditer(text)]
    if sum(end - start for start, end in groups) < SHORTEST:
        return
    digits = _Digits(text, groups)
    hashes = [found.span() for found in _HEX.finditer(text)]
    hashes.reverse()
    first = 0
    while first < len(groups):
        start = groups[first][0]
        while hashes and hashes[-1][1] <= start:
            hashes.pop()
        last = None if hashes and hashes[-1][0] <= start else digits.last_of_card(first)
        if last is None:
            first += 1
        else:
            end = groups[last][1]
            track = _TRACK.match(text, end)
            yield start, track.end() if track else end
            first = last + 1


class _Digits:
    """All digits of a text, group by group, with their running check sums."""

    def __init__(self, text: str, groups: list[tuple[int, int]]) -> None:
        self._sizes = [end - start for start, end in groups]
        self._gaps = ["", *(_gap(text, one[1], other[0]) for one, other in pairwise(groups))]
        self._values = [int(digit) for start, end in groups for digit in text[start:end]]
        self._places = [0, *accumulate(self._sizes)]
        # with the digits at even places as they are and the others doubled, and the other way round
        self._sums = [
            [0, *accumulate(one if place % 2 == odd else _DOUBLED[one] for place, one in enumerate(self._values))]
            for odd in (0, 1)
        ]

    def last_of_card(self, first: int) -> int | None:
        """The last group of the longest card number that begins with the group *first*."""
        found, plain, last = None, True, first
        start = self._places[first]
        while last < len(self._sizes):
            if last > first:
                if not self._gaps[last]:
                    break
                plain = plain and self._gaps[last] == "plain"
            end = self._places[last + 1]
            if end - start > LONGEST:
                break
            if end - start >= SHORTEST and self._passes(start, end) and (plain or self._is_carded(first, last)):
                found = last
            last += 1
        return found

    def _passes(self, start: int, end: int) -> bool:
        sums = self._sums[(end - 1) % 2]
        return (sums[end] - sums[start]) % 10 == 0

    def _is_carded(self, first: int, last: int) -> bool:
        sizes = tuple(self._sizes[first : last + 1])
        return (sizes in _GROUPS or set(sizes) == {1}) and self._values[self._places[first]] in _FIRST_DIGITS


def _gap(text: str, start: int, end: int) -> str:
    """Whether what is between two groups parts those of one number: ``plain``, ``odd``, or not at all."""
    if end - start > _LONGEST_GAP:
        return ""
    if _GAP.fullmatch(text, start, end):
        return "plain"
    return "odd" if _ODD_GAP.fullmatch(text, start, end) else ""


def luhn(digits: str) -> bool:
    """Whether *digits* end with the check digit that card numbers have."""
    numbers = [int(digit) for digit in reversed(digits)]
    return sum(numbers[::2] + [_DOUBLED[number] for number in numbers[1::2]]) % 10 == 0
