"""Texts for people in the languages that paygate speaks: a gettext catalogue that ships with it, read once.

English is the language of the code, so the English form of a text is its key in the catalogue. A context tells texts apart
that read the same in English and differently elsewhere. ``locales/ja/LC_MESSAGES/paygate.po`` holds the Japanese
ones, is read as it is, and is kept by ``scripts/catalogue.py``.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import json
from collections.abc import Mapping
from importlib import resources

from .clock import JST
from .label_texts import ENGLISH
from .money import Money

__all__ = [
    "LANGUAGES", "amount_text", "context_of", "date_text", "english", "filled", "keys", "label", "language_of", "shown", "translate",
]  # fmt: skip

#: The languages that every text has.
LANGUAGES = ("en", "ja")

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = "月火水木金土日"


@functools.cache
def _catalogue(language: str) -> Mapping[tuple[str, str], str]:
    """Context and English of every text, with its translation, as ``paygate.po`` has them."""
    path = resources.files(__package__) / "locales" / language / "LC_MESSAGES" / "paygate.po"
    found: dict[tuple[str, str], str] = {}
    entry: dict[str, str] = {}
    field = ""
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith(("msgctxt ", "msgid ", "msgstr ")):
            field, _, quoted = line.partition(" ")
            entry[field] = json.loads(quoted)  # PO quotes as JSON does
        elif line.startswith('"'):
            entry[field] += json.loads(line)
        elif entry:
            if entry.get("msgid") and entry.get("msgstr"):
                found[entry.get("msgctxt", ""), entry["msgid"]] = entry["msgstr"]
            entry = {}
    return found


def translate(text: str, language: str, context: str = "") -> str:
    """*text* in *language*; the English text itself where it is English or has no translation.

    >>> translate("Past due", "ja", "contract.Status")
    '未納停止中'
    """
    if language != "ja" or not text:
        return text
    return _catalogue(language).get((context, text), text)


def keys(language: str) -> tuple[tuple[str, str], ...]:
    """Context and English of every text that the catalogue of *language* has."""
    return tuple(_catalogue(language))


def filled(text: str, language: str, context: str, facts: Mapping[str, object]) -> str:
    """*text* in *language* with its ``{placeholders}`` replaced by *facts* as that language writes them."""
    values = {name: shown(value, language) for name, value in facts.items()}
    return translate(text, language, context).format_map(_Blank(values))


class _Blank(dict[str, str]):
    """What is not known is left out of a text."""

    def __missing__(self, key: str) -> str:
        return ""


def shown(value: object, language: str) -> str:
    """A value for people: amounts and days as the language writes them, everything else as its text."""
    match value:
        case None:
            return ""
        case Money():
            return amount_text(value, japanese=language == "ja")
        case dt.datetime():
            local = value.astimezone(JST)
            return f"{date_text(local.date(), japanese=language == 'ja')} {local:%H:%M}"
        case dt.date():
            return date_text(value, japanese=language == "ja")
        case bool():
            return translate("yes" if value else "no", language, "cli")
        case enum.Enum():
            return label(value, language)
        case _:
            return str(value)


def context_of(kind: type[enum.Enum]) -> str:
    """Under which the labels of an enumeration stand in the catalogue, for example ``contract.Status``."""
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def english(member: enum.Enum) -> str:
    """The English label of *member*: its own text where its value is a sentence, else its name spelt for people."""
    known = ENGLISH.get(context_of(type(member)), {}).get(member.name)
    if known is not None:
        return known
    if isinstance(member, enum.StrEnum) or " " in str(member.value):
        return str(member.value)
    return member.name.replace("_", " ").capitalize()


def label(member: enum.Enum, language: str = "en") -> str:
    """What *member* is called in *language*. The value of an enumeration is for programs and has no language."""
    return translate(english(member), language, context_of(type(member)))


def amount_text(amount: Money, *, japanese: bool) -> str:
    """*amount* for people. Only the yen has a sign of its own here: ``$`` and ``¥`` belong to several currencies.

    >>> amount_text(Money(5000, "JPY"), japanese=True), amount_text(Money(5000, "JPY"), japanese=False)
    ('5,000円', '¥5,000')
    >>> amount_text(Money(1250, "USD"), japanese=True)
    'USD 12.50'
    """
    number, currency = str(amount).split(" ")
    if currency != "JPY":
        return f"{currency} {number}"
    return f"{number}円" if japanese else f"¥{number}"


def date_text(day: dt.date, *, japanese: bool) -> str:
    """A business date for people, in words of paygate's own: the machine's locale has no say.

    >>> date_text(dt.date(2026, 2, 15), japanese=True), date_text(dt.date(2026, 2, 15), japanese=False)
    ('2026年2月15日(日)', '15 February 2026')
    """
    if japanese:
        return f"{day.year}年{day.month}月{day.day}日({_WEEKDAYS[day.weekday()]})"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def language_of(environment: Mapping[str, str]) -> str:
    """The language that *environment* asks for: ``PAYGATE_LANG``, else the locale of messages; English if none is known.

    >>> language_of({"LANG": "ja_JP.UTF-8"}), language_of({"LANG": "ja_JP.UTF-8", "LC_ALL": "C"})
    ('ja', 'en')
    """
    for name in ("PAYGATE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name, ""):
            return "ja" if value.lower().replace("-", "_").split(".")[0].split("_")[0] == "ja" else "en"
    return "en"
