"""The words of paygate's mails, in Japanese and English (domain §3.4).

Templates are plain text files with ``${placeholders}``; nothing in them is executed. A directory of the seller's own
may replace any of them.
"""

from __future__ import annotations

from .events import MAILS, PLACEHOLDERS, Audience, Event, Facts, Language
from .rendering import Message, Templates, check_text, render_text
from .wording import DELETED, amount_text, date_text, guarded, said

__all__ = [
    "DELETED",
    "MAILS",
    "PLACEHOLDERS",
    "Audience",
    "Event",
    "Facts",
    "Language",
    "Message",
    "Templates",
    "amount_text",
    "check_text",
    "date_text",
    "guarded",
    "render_text",
    "said",
]
