"""Finds card numbers in text: 13 to 19 digits that pass the Luhn check, in one piece or in groups.

Two questions are asked. What may be a card's number, so that it must not be shown (:func:`card_spans`)? That one is wide. And
what is one, so that a caller's text is refused (:func:`card_numbers`)? That one knows how cards begin and how they are
grouped, because a text that is refused for a telephone number and a day is a sale that is not made.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise

from .view import View

__all__ = ["card_numbers", "card_spans", "is_card_reference", "luhn"]

SHORTEST, LONGEST = 13, 19
_LONGEST_GAP = 12
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
#: Of the networks; 1 is an airline's, 0, 7, 8 and 9 are nobody's that is usual.
_FIRST_DIGITS = frozenset({2, 3, 4, 5, 6})
#: How their numbers begin, so that dates (2026…) and times do not.
_IIN = re.compile(r"[3-6]|220[0-4]|22[2-9]|2[3-6]|27[01]|2720|2131")

# A run of digits of any script (full-width ones too).
_DIGITS = re.compile(r"\d+")
#: What parts the groups of a number that is written for people.
_GAP = re.compile(r"[\s\-_.·\u00ad\u200b-\u200d\u2010-\u2015\u2060\u2212\ufeff\uff0d\uff0e\u30fb\u30fc]{1,3}")
#: What parts them in forms and tables; sums and lists look so too, so the groups have to be those of a card.
_ODD_GAP = re.compile(r"[^\w<>{}()=]{1,12}")
_GROUPS = frozenset(
    {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1), (8, 8), (6, 10), (4, 4, 5), (4, 5, 6)}
)
#: What digits mean something else in: ids, days, instants and telephone numbers, each as a whole.
_OTHERS = re.compile(
    r"(?<![\dA-Za-z])(?:"
    # UUIDs and hashes; other ids in hex where letters and digits take turns, so that no letters glued to a card are one
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?=[0-9]{0,63}[a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})"
    r"|(?=[0-9a-f]{20,128}(?![0-9a-z]))[0-9]*[a-f]+[0-9]+[a-f]+[0-9]+[a-f][0-9a-f]*"
    # Amazon Pay's charge permissions, charges and refunds
    r"|[SBPC][0-9]{2}-[0-9]{7}-[0-9]{7}(?:-[A-Z][0-9]{6})?"
    # 2026-11-24, 2026/11/24 18:30:00, 20261124183000, 20261124-183000, 2026年11月24日 is none: letters part its digits
    r"|(?:19|20)[0-9]{2}(?P<between>[-/.])(?:0?[1-9]|1[0-2])(?P=between)(?:0?[1-9]|[12][0-9]|3[01])"
    r"(?:[T ][0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
    r"|(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[-_T]?(?:[01][0-9]|2[0-3])(?:[0-5][0-9]){1,2}Z?"
    r"|(?<![0-9][- ])(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    # telephone numbers, in the shapes of Japan: the last groups of no card are parted so
    r"|0(?:[0-9](?P<one>[- ])[0-9]{4}(?P=one)[0-9]{4}|[0-9]{2}(?P<two>[- ])[0-9]{3,4}(?P=two)[0-9]{4}"
    r"|[0-9]{3}(?P<three>[- ])(?:[0-9]{2}(?P=three)[0-9]{4}|[0-9]{3}(?P=three)[0-9]{3})"
    r"|[0-9]{4}(?P<four>[- ])[0-9](?P=four)[0-9]{4}|[5789]0[0-9]{8})"
    r")(?![\dA-Za-z])"
    r"|\+81[- ]?[0-9]{1,4}[- ][0-9]{1,4}[- ][0-9]{4}(?![\dA-Za-z])"
    r"|〒\s?[0-9]{3}-[0-9]{4}(?![\dA-Za-z])",
    re.IGNORECASE,
)
#: What follows the number on a magnetic stripe.
_TRACK = re.compile(r"(?:[=D]\d{7,24}|\^[^^\n]{2,26}\^\d{7,40})\??", re.IGNORECASE)
#: Sums of money in a row end so.
_CURRENCY = re.compile(r"\s?(?:円|(?:yen|jpy|usd|eur)\b)(?!\s?\d)", re.IGNORECASE)


def card_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where *text* holds what may be a card number. They begin and end with a group of digits, but a run of groups may hold
    more than the card, such as an amount before it, so every stretch of groups is tried, longest first.
    """
    yield from _spans(text, strict=False)


def card_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Where *text* holds a card number: of a known beginning, in one piece or grouped as on cards by one kind of sign."""
    yield from _spans(text, strict=True)


def is_card_reference(text: str) -> bool:
    """Whether *text*, which should be a provider's id, is a card number, or one with something beside it.

    An id may hold such digits behind a prefix, as in ``tok_4111111111111111``; it is no sentence and has no groups.
    """
    text = View.of(text).text.strip()
    if list(card_spans(text)) == [(0, len(text))]:
        return True
    for start, end in card_numbers(text):
        if start == 0 or not text[start:end].isdigit() or not (text[start - 1].isalnum() or text[start - 1] in "_-/"):
            return True
    return False


def _spans(text: str, *, strict: bool) -> Iterator[tuple[int, int]]:
    groups = [found.span() for found in _DIGITS.finditer(text)]
    if sum(end - start for start, end in groups) < SHORTEST:
        return
    digits = _Digits(text, groups, strict=strict)
    first = 0
    while first < len(groups):
        last = digits.last_of_card(first)
        if last is None:
            first += 1
        else:
            end = groups[last][1]
            track = _TRACK.match(text, end)
            yield groups[first][0], track.end() if track else end
            first = last + 1


class _Digits:
    """All digits of a text, group by group, with their running check sums."""

    def __init__(self, text: str, groups: list[tuple[int, int]], *, strict: bool) -> None:
        self._text, self._groups, self._strict = text, groups, strict
        self._sizes = [end - start for start, end in groups]
        self._gaps = ["", *(_gap(text, one[1], other[0]) for one, other in pairwise(groups))]
        self._values = [int(digit) for start, end in groups for digit in text[start:end]]
        self._places = [0, *accumulate(self._sizes)]
        # with the digits at even places as they are and the others doubled, and the other way round
        self._sums = [
            [0, *accumulate(one if place % 2 == odd else _DOUBLED[one] for place, one in enumerate(self._values))]
            for odd in (0, 1)
        ]
        others = [found.span() for found in _OTHERS.finditer(text)]
        begins = [start for start, _ in others]
        #: groups that mean something else
        self._other = [
            (place := bisect_right(begins, start)) > 0 and start < others[place - 1][1] for start, _ in groups
        ]

    def last_of_card(self, first: int) -> int | None:
        """The last group of the longest card number that begins with the group *first*."""
        found, plain, last = None, True, first
        start = self._places[first]
        while last < len(self._sizes) and not self._other[last]:
            if last > first:
                if not self._gaps[last]:
                    break
                plain = plain and self._gaps[last] == "plain"
            end = self._places[last + 1]
            if end - start > LONGEST:
                break
            if end - start >= SHORTEST and self._passes(start, end) and self._may_be(first, last, plain=plain):
                found = last
            last += 1
        return found

    def _may_be(self, first: int, last: int, *, plain: bool) -> bool:
        if not self._strict:
            return plain or self._is_carded(first, last)
        values = self._values[self._places[first] : self._places[last + 1]]
        if not _IIN.match("".join(map(str, values[:4]))):
            return False
        return first == last or (
            self._is_carded(first, last)
            and self._is_evenly_parted(first, last)
            and not (
                _CURRENCY.match(self._text, self._groups[last][1]) and self._text[self._groups[last][0] - 1].isspace()
            )
        )

    def _passes(self, start: int, end: int) -> bool:
        sums = self._sums[(end - 1) % 2]
        return (sums[end] - sums[start]) % 10 == 0

    def _is_carded(self, first: int, last: int) -> bool:
        sizes = tuple(self._sizes[first : last + 1])
        return (sizes in _GROUPS or set(sizes) == {1}) and self._values[self._places[first]] in _FIRST_DIGITS

    def _is_evenly_parted(self, first: int, last: int) -> bool:
        """Whether one kind of sign stands between all of the groups."""
        groups = self._groups[first : last + 1]
        return len({self._text[one[1] : other[0]].strip() for one, other in pairwise(groups)}) == 1


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
