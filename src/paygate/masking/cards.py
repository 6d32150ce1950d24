"""Finds card numbers in text: 13 to 19 digits that pass the Luhn check, in one piece or in groups."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["card_spans"]

# A run of digits of any script (full-width ones too), grouped by spaces or dashes.
_DIGITS = re.compile(r"\d+")
_GAP = re.compile(r"[\s\-_.·\u2010-\u2015\u2212\uff0d\u30fc]{1,3}")


def card_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where *text* holds card numbers. They begin and end with a group of digits, but a run of groups may hold more
    than the card, such as an amount before it, so every stretch of groups is tried, longest first.
    """
    groups = [match.span() for match in _DIGITS.finditer(text)]
    first = 0
    while first < len(groups):
        found, digits, last = None, "", first
        while last < len(groups):
            if last > first and not _GAP.fullmatch(text, groups[last - 1][1], groups[last][0]):
                break
            digits += text[slice(*groups[last])]
            if len(digits) > 19:
                break
            if len(digits) >= 13 and _luhn(digits):
                found = last
            last += 1
        if found is None:
            first += 1
        else:
            yield groups[first][0], groups[found][1]
            first = found + 1


def _luhn(digits: str) -> bool:
    numbers = [int(digit) for digit in reversed(digits)]
    return sum(numbers[::2] + [sum(divmod(2 * number, 10)) for number in numbers[1::2]]) % 10 == 0
