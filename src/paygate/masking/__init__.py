"""Text without card numbers and credentials. Pure, and used wherever text from outside is kept, shown or logged."""

from __future__ import annotations

import re

from .cards import card_spans

__all__ = ["card_spans", "mask_text"]

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*KEY-----.*?(?:-----END [A-Z ]*KEY-----|\Z)", re.DOTALL), "<key>"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{4,}", re.IGNORECASE), r"\1 <secret>"),
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)?"), "<jwt>"),
    (re.compile(r"\b(?:sk|rk|pk)_(?:live|test)_\w+"), "<secret>"),
    (re.compile(r"\bwhsec_[\w+/=]+"), "<secret>"),
    (re.compile(r"(?<=://)[^\s/@]+@"), ""),
    (
        re.compile(
            r"(?<![\w-])([\w-]{0,40}?(?:secret|password|passwd|api[_-]?key|cv[vc]2?|security_?code))"
            r"""(["']?\s*[:=]\s*["']?)[^\s"'&,;<>}]+""",
            re.IGNORECASE,
        ),
        r"\1\2<secret>",
    ),
    # "Invalid token: card expired" is a sentence worth keeping; token=… and "token": … are not
    (
        re.compile(
            r"""(?<![\w-])([\w-]{0,40}?token)(["']\s*:\s*["']?|["']?\s*=\s*["']?)[^\s"'&,;<>}]+""", re.IGNORECASE
        ),
        r"\1\2<secret>",
    ),
)


def mask_text(text: str) -> str:
    """*text* without card numbers and credentials.

    A card number is 13 to 19 digits that pass the Luhn check, half or full width, in one piece or in groups parted by
    spaces, dashes or dots. A long id that happens to pass is masked too: losing an id is the smaller harm.

    >>> mask_text("card 4242-4242-4242-4242 refused for Bearer abc.def")
    'card <card> refused for Bearer <secret>'
    """
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    pieces, end = [], 0
    for start, stop in card_spans(text):
        pieces += [text[end:start], "<card>"]
        end = stop
    return "".join([*pieces, text[end:]])
