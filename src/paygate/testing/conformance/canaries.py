"""Values that may show nowhere, planted in every answer, and the search for them.

Field names in five spellings, card numbers in digits of half and full width, grouped and not.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from ...flow import Response

__all__ = ["CARD_NUMBER", "NAMES", "found_in", "planted"]

#: A card number that every test mode knows; assembled, so that no file holds one.
CARD_NUMBER = "4242" * 4
_WIDE = CARD_NUMBER.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
_GROUPED = "-".join(["4242"] * 4)

_WORDS = """
    card number|pan|card pan|primary account number|cvc|cvv|cvv2|cvc2|security code|card code|pin|pin block|otp
    password|passwd|pass phrase|secret|client secret|shared secret|api key|api secret|private key|signing key|access key
    access token|refresh token|id token|bearer token|session token|csrf token|authorization|proxy authorization|cookie
    set cookie|webhook secret|cryptogram|cavv|xid|track data|track1|track2|emv data|iban|account number|routing number
    bank account|sort code|my number|social security number|passport number|driver licence|card holder|cardholder name
    full name|first name|last name|family name|given name|name kana|email address|contact email|phone number|mobile phone
    street address|postal code|birth date|date of birth|ip address|device fingerprint
"""
_PHRASES = [phrase.strip().split() for line in _WORDS.splitlines() for phrase in line.split("|") if phrase.strip()]


def _spellings(words: list[str]) -> Iterator[str]:
    yield "_".join(words)
    yield words[0] + "".join(word.capitalize() for word in words[1:])
    yield "".join(word.capitalize() for word in words)
    yield "-".join(words)
    yield "_".join(words).upper()


#: Every field name that is planted.
NAMES = tuple(dict.fromkeys(spelling for words in _PHRASES for spelling in _spellings(words)))

_PLANTS: dict[str, object] = {
    name: (f"canary-{number}-b5bb9d8014a0f9b1", CARD_NUMBER, _WIDE, _GROUPED, int(CARD_NUMBER), {"value": _WIDE})[
        number % 6
    ]
    for number, name in enumerate(NAMES)
}
_CANARY = re.compile(r"canary-\d+-b5bb9d8014a0f9b1")
_BETWEEN = re.compile(r"(?<=\d)[\s.\-_]+(?=\d)")


def planted(response: Response) -> Response:
    """*response* with every canary in every object of its JSON; unchanged where it is no JSON object."""
    try:
        content = json.loads(response.body)
    except ValueError:
        return response
    if not isinstance(content, Mapping):
        return response
    return attrs.evolve(response, body=json.dumps(_plant(content), ensure_ascii=False).encode())


def found_in(texts: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """What of the canaries, the card number and *secrets* shows in *texts*, in words that repeat none of it."""
    text = unicodedata.normalize("NFKC", "\n".join(texts))
    found = [f"a secret of {len(secret)} characters" for secret in secrets if secret and secret in text]
    found += [f"the value planted in the field {_field(canary)!r}" for canary in sorted(set(_CANARY.findall(text)))]
    if CARD_NUMBER in _BETWEEN.sub("", text):
        found.append("a card number")
    return found


def _plant(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {**_PLANTS, **{name: _plant(item) for name, item in value.items()}}
    return [_plant(item) for item in value] if isinstance(value, list) else value


def _field(canary: str) -> str:
    return NAMES[int(canary.split("-")[1])]
