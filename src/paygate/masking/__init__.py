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

__all__ = ["MAX_TEXT", "card_spans", "is_placeholder", "is_sensitive", "mask_text", "secret_spans"]

#: Characters that are looked at; what follows is not shown at all.
MAX_TEXT = 100_000

#: Without one of these nothing can be found; most messages hold none of them.
_SUSPICIOUS = re.compile(
    r"[=:：＝>%\\&,]|\d(?:\D{0,12}\d){2}|--|(?:live|test|whsec|secret|pat|gh[a-z]|hf|npm|shp[a-z]{2})_|bearer|basic|eyJ|SG\.|pypi|glpat|xox|LIVE-|DBOX-|パスワード|--?u",
    re.IGNORECASE,
)

#: Whole texts in which the grammar never finds anything, and of which answers are full: ids, instants, short numbers.
_PLAIN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[0-9]{0,31}[a-f])[0-9a-f]{32}|[0-9]{1,12}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)


def mask_text(text: str) -> str:
    """*text* without card numbers and credentials, in time that grows with its length alone.

    A card number is 13 to 19 digits that pass the Luhn check, half or full width, in one piece or in groups. A long id
    that happens to pass is masked too: losing an id is the smaller harm.

    >>> mask_text("card 4242-4242-4242-4242 refused for Bearer abc.def")
    'card <card> refused for Bearer <secret>'
    >>> mask_text("card%5Bcvc%5D=987&amount=5000")
    'card%5Bcvc%5D=<secret>&amount=5000'
    """
    if len(text) > MAX_TEXT:
        text = _shortened(text)
    pieces, end = [], 0
    for start, stop, instead in secret_spans(text):
        pieces += [text[end:start], instead]
        end = stop
    return "".join([*pieces, text[end:]]) if end else text


def secret_spans(text: str) -> list[tuple[int, int, str]]:
    """Where *text* holds card numbers and credentials, and what is to stand there, in order and without overlaps."""
    if not _SUSPICIOUS.search(text) or _PLAIN.fullmatch(text):
        return []
    view = View.of(text)
    found = [*pairs(view), *credentials(view), *((*span, "<card>") for span in card_spans(view.text))]
    spans: list[tuple[int, int, str]] = []
    for start, stop, instead in sorted((*view.span(start, stop), instead) for start, stop, instead in found):
        if start == stop:
            continue
        if spans and start < spans[-1][1]:  # the two together hide more than either
            spans[-1] = (spans[-1][0], max(stop, spans[-1][1]), spans[-1][2])
        else:
            spans.append((start, stop, instead))
    return spans


def _shortened(text: str) -> str:
    """The beginning of *text*, without a word or number that was cut in two."""
    head, tail = text[: MAX_TEXT - 256], text[MAX_TEXT - 256 : MAX_TEXT - len(CUT)]
    return head + re.sub(r"[\d\s.-]+\Z", "", re.sub(r"\S+\Z", "", tail)) + CUT
