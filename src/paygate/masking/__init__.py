"""Text without card numbers and credentials. Pure, and used wherever text from outside is kept, shown or logged.

Found by grammar: escapes are undone first (:mod:`.view`), then names and values are read in whatever syntax they are
written (:mod:`.pairs`), names are judged by their words (:mod:`.names`), and what gives itself away by its form is found
anywhere (:mod:`.credentials`, :mod:`.cards`).
"""

from __future__ import annotations

import re

from ..texts import CUT
from .cards import card_spans
from .credentials import credentials
from .names import is_sensitive
from .pairs import is_placeholder, pairs
from .view import View

__all__ = ["MAX_TEXT", "card_spans", "is_placeholder", "is_sensitive", "mask_text"]

#: Characters that are looked at; what follows is not shown at all.
MAX_TEXT = 100_000

#: Without one of these nothing can be found; most messages hold none of them.
_SUSPICIOUS = re.compile(r"[=:：＝<>%\\&,]|\d|://|_|--|bearer|basic|eyJ|AKIA|AIza|SG\.|pypi|glpat|xox", re.IGNORECASE)


def mask_text(text: str) -> str:
    """*text* without card numbers and credentials, in time that grows with its length alone.

    A card number is 13 to 19 digits that pass the Luhn check, half or full width, in one piece or in groups. A long id
    that happens to pass is masked too: losing an id is the smaller harm.

    >>> mask_text("card 4242-4242-4242-4242 refused for Bearer abc.def")
    'card <card> refused for Bearer <secret>'
    >>> mask_text("card%5Bcvc%5D=987&amount=5000")
    'card%5Bcvc%5D=<secret>&amount=5000'
    """
    if not _SUSPICIOUS.search(text):
        return text
    if len(text) > MAX_TEXT:
        text = _shortened(text)
    view = View.of(text)
    found = [*pairs(view), *credentials(view), *((*span, "<card>") for span in card_spans(view.text))]
    if not found:
        return text
    pieces, end = [], 0
    # of two that overlap the longer one that begins first covers both
    for start, stop, instead in sorted((*view.span(start, stop), instead) for start, stop, instead in found):
        if stop <= end:
            continue
        if start < end:  # the two together hide more than either
            end = stop
            continue
        pieces += [text[end:start], instead]
        end = stop
    return "".join([*pieces, text[end:]])


def _shortened(text: str) -> str:
    """The beginning of *text*, without a word or number that was cut in two."""
    head, tail = text[: MAX_TEXT - 256], text[MAX_TEXT - 256 : MAX_TEXT - len(CUT)]
    return head + re.sub(r"[\d\s.-]+\Z", "", re.sub(r"\S+\Z", "", tail)) + CUT
