"""The secrets that a plugin was given, in every spelling in which they can come back in a text."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import attrs

from ..settings import is_secret, was_secret

__all__ = ["Scrubber", "known_secrets", "secret_settings"]

#: How deep in a plugin's attributes its settings are looked for; a client that keeps them is one step down.
_DEPTH = 4

#: Shorter values are replaced only where they stand alone: "test" is part of too many words.
_LONG = 8
_SHORTEST = 4

_PLACEHOLDER = "<secret>"


def known_secrets(plugin: object) -> frozenset[str]:
    """The values of all settings of *plugin* that were declared with :func:`paygate.secret`, wherever it keeps them.

    A plugin may keep its settings, or take a value out of them and keep that.
    """
    declared = {value for _, value in secret_settings(plugin)}
    return frozenset(declared | {text for text in _texts(plugin, _DEPTH, set()) if was_secret(text)})


def secret_settings(plugin: object) -> Iterator[tuple[attrs.Attribute[Any], str]]:
    """The settings of *plugin* that were declared as secrets, with their values."""
    return _found(plugin, _DEPTH, set())


def _found(thing: object, depth: int, seen: set[int]) -> Iterator[tuple[attrs.Attribute[Any], str]]:
    if depth < 0 or id(thing) in seen or isinstance(thing, str | bytes | int | float | type | None):
        return
    seen.add(id(thing))
    kind = type(thing)
    for field in attrs.fields(kind) if attrs.has(kind) else ():
        value = getattr(thing, field.name, None)
        if is_secret(field) and isinstance(value, str):
            yield field, value
    for child in _children(thing):
        yield from _found(child, depth - 1, seen)


def _texts(thing: object, depth: int, seen: set[int]) -> Iterator[str]:
    """Every text that *thing* keeps."""
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, bytes):
        yield thing.decode(errors="replace")
    if depth < 0 or id(thing) in seen or isinstance(thing, str | bytes | int | float | type | None):
        return
    seen.add(id(thing))
    for child in _children(thing):
        yield from _texts(child, depth - 1, seen)


def _children(thing: object) -> list[object]:
    if isinstance(thing, Mapping):
        return list(thing.values())[:100]
    if isinstance(thing, list | tuple | set | frozenset):
        return list(thing)[:100]
    kind = type(thing)
    fields = [field.name for field in attrs.fields(kind)] if attrs.has(kind) else []
    slots = [name for base in kind.__mro__ for name in getattr(base, "__slots__", ()) if isinstance(name, str)]
    names = dict.fromkeys([*fields, *slots])
    return [*(getattr(thing, name, None) for name in names), *getattr(thing, "__dict__", {}).values()]


class Scrubber:
    """Replaces known secrets, also percent-encoded, escaped for JSON or HTML, and as Basic credentials."""

    __slots__ = ("_pattern",)

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
        parts = [_part(one) for one in sorted(spellings, key=len, reverse=True)]
        self._pattern = re.compile("|".join(parts)) if parts else None

    def __call__(self, text: str) -> str:
        """*text* with every known secret replaced."""
        return self._pattern.sub(_PLACEHOLDER, text) if self._pattern else text

    def finds(self, text: str) -> bool:
        """Whether *text* holds a known secret."""
        return bool(self._pattern and self._pattern.search(text))


def _part(spelling: str) -> str:
    part = re.escape(spelling)
    return part if len(spelling) >= _LONG else rf"(?<![\w-]){part}(?![\w-])"


def _spellings(secret: str) -> Iterator[str]:
    stripped = secret.strip()
    if len(stripped) < _SHORTEST:
        return
    for value in {secret, stripped}:
        yield value
        escaped = json.dumps(value)[1:-1]
        yield from {quote(value, safe=""), quote(value), quote_plus(value), escaped, json.dumps(escaped)[1:-1]}
        yield from {json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value), repr(value)[1:-1]}
    for pair in (stripped, f"{stripped}:", f":{stripped}"):
        data = pair.encode("utf-8", "surrogatepass")
        # without the last characters, which depend on what follows
        for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
            text = encoded.decode().rstrip("=")
            if len(text) >= _LONG:
                yield text
