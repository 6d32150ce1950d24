"""The language of what the commands print, and where in the code their texts stand.

JSON, names of commands and options, and values that programs read are the same in every language.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator, Mapping

from ..catalogue import LANGUAGES, filled, label, translate

__all__ = [
    "ENGLISH_ONLY", "PRINTED", "japanese", "language", "named", "speak", "speaking", "texts", "tr",
]  # fmt: skip

#: For people who write plugins, not for those who run a shop: their reports are English.
ENGLISH_ONLY = frozenset(
    {"check", "emulate", "new", "matrix", "lazy", "csv_import", "csv_file", "csv_names", "wording"}
)

#: Functions that print or translate, and which of their arguments are texts of ours.
PRINTED: Mapping[str, tuple[int, ...]] = {
    "confirm": (0,),
    "facts": (0, 1),
    "note": (0,),
    "show_rows": (1, 2),
    "status": (0,),
    "table": (0, 1),
    "tr": (0,),
    "waiting": (0,),
}

_language = "en"


def language() -> str:
    """The language in which people are told."""
    return _language


def japanese() -> bool:
    """Whether people are told in Japanese."""
    return _language == "ja"


def speak(lang: str) -> None:
    """Print in *lang* from now on."""
    global _language  # noqa: PLW0603 - one process runs one command
    if lang in LANGUAGES:
        _language = lang


@contextlib.contextmanager
def speaking(lang: str) -> Iterator[None]:
    """Print in *lang* inside, and as before afterwards."""
    before = _language
    speak(lang)
    try:
        yield
    finally:
        speak(before)


def tr(text: str, **values: object) -> str:
    """*text* in the language of this run, its ``{placeholders}`` filled with *values*.

    Amounts and days stay as tables show them, so that they can be copied into the next command.
    """
    if not values:
        return translate(text, _language, "cli")
    spelt = {name: named(value) if isinstance(value, enum.Enum) else str(value) for name, value in values.items()}
    return filled(text, _language, "cli", spelt)


def named(member: enum.Enum) -> str:
    """What people read for *member*: its value in English, as programs write it; its label in Japanese."""
    return label(member, _language) if japanese() else str(member.value)


def texts() -> Iterator[str]:
    """Texts that no call of the functions above shows as a literal."""
    yield from ("yes", "no", "(none)")
