"""Text that can be stored, and text that can be seen: what both databases, a terminal and a log line take as it is.

A NUL or a lone surrogate makes PostgreSQL refuse the whole statement and a log handler fail; a control character plays
with the terminal of whoever reads it.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["CUT", "REPLACEMENT", "invisible", "is_storable", "storable"]

#: Stands where a character cannot be kept.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

#: Stands at the end of a text that was longer.
CUT = "… [cut]"

# Control characters other than tab and line ends, lone surrogates, and the marks that turn the direction of a line.
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


#: Categories of what takes no place on paper: format characters such as a zero-width space, private and unassigned
#: characters, which every computer draws differently or not at all, and separators of lines and paragraphs.
_UNSEEN = frozenset({"Cf", "Co", "Cn", "Zl", "Zp"})

#: Letters and marks that are drawn as nothing: fillers, vowels that do not show, the joiner of marks, variation selectors.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(code) for first, last in ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF)) for code in range(first, last + 1)
}


def invisible(text: str) -> str | None:
    r"""The first character of *text* that nobody can see, by its number; None if there is none. Blanks can be seen.

    Two ids that differ by such a character look alike on every screen and are different to every computer.

    >>> invisible("order-7"), invisible("order-7\u200b"), invisible("order-7\ufeff")
    (None, 'U+200B', 'U+FEFF')
    """
    if text.isascii():
        return None
    for letter in text:
        if unicodedata.category(letter) in _UNSEEN or letter in _FILLERS:
            return f"U+{ord(letter):04X}"
    return None


def is_storable(text: str) -> bool:
    r"""Whether *text* holds nothing that :func:`storable` replaces.

    >>> is_storable("order 7"), is_storable("order \\x00")
    (True, False)
    """
    return _UNSTORABLE.search(text) is None


def storable(text: str, limit: int | None = None) -> str:
    r"""*text* with every character that cannot be kept replaced by U+FFFD, cut to *limit* characters with a mark.

    >>> storable("a\x00b\x1b[31m")
    'a�b�[31m'
    >>> storable("a" * 100, 10)
    'aaa… [cut]'
    """
    if limit is not None and len(text) > limit:
        text = text[: max(0, limit - len(CUT))] + CUT
    return _UNSTORABLE.sub(REPLACEMENT, text)
