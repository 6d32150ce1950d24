"""Text that can be stored: what both databases, a terminal and a log line take as it is.

A NUL or a lone surrogate makes PostgreSQL refuse the whole statement and a log handler fail; a control character plays
with the terminal of whoever reads it.
"""

from __future__ import annotations

import re

__all__ = ["CUT", "REPLACEMENT", "is_storable", "storable"]

#: Stands where a character cannot be kept.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

#: Stands at the end of a text that was longer.
CUT = "… [cut]"

# Control characters other than tab and line ends, lone surrogates, and the marks that turn the direction of a line.
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


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
