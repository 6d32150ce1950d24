r"""Text as it reads once its escapes are undone, with the way back to where each character stood.

One grammar then finds ``"cvv":"987"``, ``\\"cvv\\":\\"987\\"``, ``%22cvv%22%3A%22987%22`` and ``&quot;cvv&quot;:&quot;987&quot;``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

import attrs

__all__ = ["View"]

#: JSON in JSON in a form in JSON is as deep as anybody has seen.
_LEVELS = 4

_ESCAPE = re.compile(
    r"(?:%[0-9A-Fa-f]{2})+"
    r"|\\u[0-9A-Fa-f]{4}|(?:\\x[0-9A-Fa-f]{2})+|\\[\\\"'/nrtbf]"
    r"|&(?:quot|apos|lt|gt|amp|nbsp|lbrack|rbrack|equals|colon|num|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"
)
#: The first byte of a character in UTF-8 tells how many there are.
_SIZES = ((0xF0, 4), (0xE0, 3), (0xC0, 2))
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}


@attrs.frozen
class View:
    """*text* without escapes; character *i* of it stood at ``starts[i]`` to ``ends[i]`` of *original*."""

    original: str
    text: str
    starts: list[int] | None = None  # None: every character where it was
    ends: list[int] | None = None

    @classmethod
    def of(cls, original: str) -> View:
        """The view of *original*; the text itself where it holds no escapes."""
        text = original
        starts: list[int] | None = None
        ends: list[int] | None = None
        for _ in range(_LEVELS):
            if ("%" not in text and "\\" not in text and "&" not in text) or not _ESCAPE.search(text):
                break
            if starts is None or ends is None:
                starts, ends = list(range(len(text))), list(range(1, len(text) + 1))
            text, starts, ends = _decoded(text, starts, ends)
        return cls(original, text, starts, ends)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters from *start* to *end* of the view stood in the original."""
        if self.starts is None or self.ends is None:
            return start, end
        if start == end:
            place = self.starts[start] if start < len(self.starts) else len(self.original)
            return place, place
        return self.starts[start], self.ends[end - 1]

    def spelling(self, place: int) -> str:
        r"""How the character at *place* was written: ``"``, ``\\"``, ``%22``."""
        start, end = self.span(place, place + 1)
        return self.original[start:end]

    def escaped(self, place: int) -> bool:
        """Whether the character at *place* was written as an escape."""
        return self.starts is not None and self.ends is not None and self.ends[place] - self.starts[place] > 1


def _decoded(text: str, starts: list[int], ends: list[int]) -> tuple[str, list[int], list[int]]:
    pieces: list[str] = []
    firsts: list[int] = []
    lasts: list[int] = []
    at = 0
    for found in _ESCAPE.finditer(text):
        begin, end = found.span()
        pieces.append(text[at:begin])
        firsts += starts[at:begin]
        lasts += ends[at:begin]
        for letter, size in _letters(found[0]):
            pieces.append(letter)
            firsts.append(starts[begin])
            lasts.append(ends[begin + size - 1])
            begin += size
        at = end
    pieces.append(text[at:])
    return "".join(pieces), firsts + starts[at:], lasts + ends[at:]


def _letters(escape: str) -> Iterator[tuple[str, int]]:
    """The characters that *escape* stands for, each with the length of its part of the escape."""
    if escape.startswith("%"):
        yield from _bytes(bytes.fromhex(escape.replace("%", "")), 3)
    elif escape.startswith("\\x"):
        yield from _bytes(bytes.fromhex(escape.replace("\\x", "")), 4)
    elif escape.startswith("&"):
        yield html.unescape(escape)[:1] or " ", len(escape)
    elif escape[1] == "u":
        code = escape[2:]
        yield chr(int(code, 16)), len(escape)
    else:
        yield _SHORT.get(escape[1], escape[1]), len(escape)


def _bytes(data: bytes, width: int) -> Iterator[tuple[str, int]]:
    """The characters that *data* is in UTF-8; each byte was written in *width* characters."""
    at = 0
    while at < len(data):
        size = next((size for first, size in _SIZES if data[at] >= first), 1)
        try:
            letter = data[at : at + size].decode()
        except UnicodeDecodeError:
            letter, size = chr(data[at]), 1
        yield letter, width * size
        at += size


#: What a rule of the grammar answers: where something must not be shown, and what stands there instead.
Rule = Callable[[View], Iterator[tuple[int, int, str]]]
