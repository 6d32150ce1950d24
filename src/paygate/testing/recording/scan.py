"""Looks through cassettes for what must never be in them. No finding quotes what was found."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from ...errors import PluginError
from ...flow import Request, Response
from ...masking import secret_spans
from .allowlist import AllowList, allow_list
from .origin import Origin
from .sanitise import EMAIL, Sanitiser, stands_for_something
from .tape import read

__all__ = ["Finding", "scan_cassettes"]

_SUFFIXES = frozenset({".yaml", ".yml"})


@attrs.frozen
class Finding:
    """Something that a cassette must not hold, or does not say.

    :param path: the file.
    :param where: the place in it: ``exchange 2, response body, data.email``.
    :param problem: what is wrong, without quoting it.
    """

    path: Path
    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.where}: {self.problem}"


def scan_cassettes(path: str | os.PathLike[str], allow: Iterable[AllowList] = ()) -> list[Finding]:
    """Look through the cassette *path*, or all below the folder *path*, for card numbers (full-width digits too),
    credentials, e-mail addresses, anything that the provider's allow-list does not let through, and a missing origin.

    :param allow: lists for providers beside those that :func:`~paygate.testing.recording.allow_list` finds.
    :raises FileNotFoundError: there is no such file or folder; a scan of nothing proves nothing.
    """
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(f"{root}: no such cassette or folder")
    files = sorted(one for one in root.rglob("*") if one.suffix in _SUFFIXES) if root.is_dir() else [root]
    lists = {one.provider: one for one in allow}
    return [finding for file in files for finding in _scan(file, lists)]


def _scan(path: Path, lists: Mapping[str, AllowList]) -> Iterator[Finding]:
    try:
        content = read(path)
    except ValueError as exc:
        yield Finding(path, "the file", f"{exc}")
        return
    sanitiser = None
    try:
        origin = Origin.from_dict(content.origin)
        sanitiser = Sanitiser(lists.get(origin.provider) or allow_list(origin.provider))
    except (ValueError, PluginError) as exc:
        yield Finding(path, "origin", f"{exc}")
    for number, (request, response) in enumerate(content.exchanges, start=1):
        for where, text in [*_texts_of_request(request), *_texts_of_response(response)]:
            if problem := _problem(text):
                yield Finding(path, f"exchange {number}, {where}", problem)
        if sanitiser is not None:
            for part in _unlisted(sanitiser, request, response):
                yield Finding(path, f"exchange {number}, {part}", "holds what the allow-list does not let through")


def _problem(text: str) -> str | None:
    plain = unicodedata.normalize("NFKC", unquote(text))
    # what the sanitiser put there is no secret, whatever it is called: cvv=111
    found = {kind for start, end, kind in secret_spans(plain) if not stands_for_something(plain[start:end])}
    if "<card>" in found:
        return "a card number"
    if found:
        return "a credential"
    return "an e-mail address" if EMAIL.search(plain) else None


def _texts_of_request(request: Request) -> Iterator[tuple[str, str]]:
    parts = urlsplit(request.url)
    yield "URL", request.url
    yield from (("URL", value) for pair in parse_qsl(parts.query) for value in pair)
    yield from _headers("request", request.headers)
    yield from _body("request body", request.body)


def _texts_of_response(response: Response) -> Iterator[tuple[str, str]]:
    yield from _headers("response", response.headers)
    yield from _body("response body", response.body)


def _headers(side: str, headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        yield f"{side} header {name}", f"{name}: {value}"


def _body(where: str, body: bytes) -> Iterator[tuple[str, str]]:
    text = body.decode("utf-8", "replace")
    try:
        yield from _leaves(where, json.loads(text))  # as text its escapes would hide what they stand for
    except (ValueError, RecursionError):
        yield where, text
        yield from ((where, part) for pair in parse_qsl(text) for part in pair)


def _leaves(where: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield where, name
            yield from _leaves(f"{where}, {'…' if _problem(name) else name}", item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(where, item)
    else:
        yield where, str(value)


def _unlisted(sanitiser: Sanitiser, request: Request, response: Response) -> Iterator[str]:
    asked, answered = sanitiser.request(request), sanitiser.response(response)
    pairs = {
        "request URL": (request.url, asked.url),
        "request headers": (request.headers, asked.headers),
        "request body": (request.body, asked.body),
        "response headers": (response.headers, answered.headers),
        "response body": (response.body, answered.body),
    }
    yield from (part for part, (there, allowed) in pairs.items() if there != allowed)
