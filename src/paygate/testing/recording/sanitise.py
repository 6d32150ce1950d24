"""Takes out of an exchange whatever the allow-list does not name, keeping its shape.

==========================  ==========================================================================
what stood there            what takes its place
==========================  ==========================================================================
text                        ``<text:12>``, with its length
digits as text              as many ones, so that they remain digits and are no card number
number, true or false       ``0``, ``0.0``, ``false``
list                        its items replaced in turn
object under unknown name   ``{}``: its keys may be data too
id                          a made-up one, see :mod:`paygate.testing.recording.pseudonyms`
link                        its scheme and host
header that authenticates   ``<secret>``
body neither JSON nor form  ``<text:240>``
null, empty text            themselves
==========================  ==========================================================================

Sanitising twice changes nothing more.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import attrs

from ...drivers.redact import mask_text, origin
from ...flow import Request, Response
from ...masking import is_placeholder
from .allowlist import AllowList
from .pseudonyms import is_id, is_made_up

__all__ = ["EMAIL", "Ids", "Sanitiser", "same", "stands_for_something"]

#: Turns an id into the one that is shown.
Ids: TypeAlias = Callable[[str], str]

EMAIL = re.compile(r"[^\s@<>\"'&=;:,()\[\]]+@[\w-]+(?:\.[\w-]+)+")

_PLACEHOLDER = re.compile(r"<text:\d+>")
_VERSION = re.compile(r"v\d{1,3}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_AUTHENTICATING = re.compile(r"authorization|cookie|api-?key|signature|token|secret|password")


def stands_for_something(text: str) -> bool:
    """Whether *text* is what this module or :mod:`~paygate.testing.recording.pseudonyms` put in the place of something."""
    return is_placeholder(text) or not text.strip("1") or is_made_up(text)


def same(identifier: str) -> str:
    """Ids that stay as they are."""
    return identifier


@attrs.frozen
class Sanitiser:
    """Sanitises requests and responses of one provider. Pure: the ids are turned by whoever is given."""

    allow: AllowList

    def request(self, request: Request, ids: Ids = same) -> Request:
        """*request* with URL, headers and body sanitised, in this order."""
        url = self._url(request.url, ids)
        headers = self._headers(request.headers, ids)
        body = self._body(request.body, request.headers.get("content-type", ""), ids)
        return attrs.evolve(request, url=url, headers=headers, body=body)

    def response(self, response: Response, ids: Ids = same) -> Response:
        """*response* with headers and body sanitised."""
        headers = self._headers(response.headers, ids)
        body = self._body(response.body, response.headers.get("content-type", ""), ids)
        return attrs.evolve(response, headers=headers, body=body)

    # --- parts of a message ------------------------------------------------------------------------------------------

    def _url(self, url: str, ids: Ids) -> str:
        parts = urlsplit(url)
        path = "/".join(self._segment(unquote(one), ids) for one in parts.path.split("/"))
        query = self._form(parts.query, ids)
        return f"{origin(url)}{path}" + (f"?{query}" if query else "")

    def _segment(self, segment: str, ids: Ids) -> str:
        if not segment or segment in self.allow.words or _VERSION.fullmatch(segment):
            return segment
        return quote(_identifier(segment, ids), safe="<>:")

    def _headers(self, headers: Mapping[str, str], ids: Ids) -> dict[str, str]:
        return {name: self._header(name, value, ids) for name, value in headers.items()}

    def _header(self, name: str, value: str, ids: Ids) -> str:
        if name in self.allow.ids:
            return _identifier(value, ids)
        if name in self.allow.headers:
            return _kept_text(value)
        return "<secret>" if _AUTHENTICATING.search(name) else _hidden_text(value)

    def _body(self, body: bytes, content_type: str, ids: Ids) -> bytes:
        text = body.decode("utf-8", "replace")
        if "x-www-form-urlencoded" in content_type:
            return self._form(text, ids).encode()
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return _hidden_text(text).encode()
        return json.dumps(self._json(content, ids), ensure_ascii=False, separators=(",", ":")).encode()

    # --- fields ------------------------------------------------------------------------------------------------------

    def _json(self, value: Any, ids: Ids) -> Any:
        if isinstance(value, dict):
            return {_key(name): self._field(name, item, ids) for name, item in value.items()}
        if isinstance(value, list):
            return [self._json(item, ids) for item in value]
        return _hidden(value)

    def _field(self, name: str, value: Any, ids: Ids) -> Any:
        if not self.allow.knows(name):
            return _hidden(value)
        if isinstance(value, dict):
            return self._json(value, ids)
        if isinstance(value, list):
            return [self._field(name, item, ids) for item in value]
        if value is None or isinstance(value, bool):
            return value
        if name in self.allow.ids:
            shown = _identifier(str(value), ids)
            return int(shown) if isinstance(value, int) and shown.isdigit() else shown
        if name in self.allow.links:
            return _link(str(value))
        return _kept(value)

    def _form(self, text: str, ids: Ids) -> str:
        pairs = [
            (self._form_key(name), self._form_value(name, value, ids))
            for name, value in parse_qsl(text, keep_blank_values=True)
        ]
        return urlencode(pairs, safe="[]<>:")

    def _form_key(self, name: str) -> str:
        return name if all(_key(part) == part for part in _parts(name)) else _hidden_text(name)

    def _form_value(self, name: str, value: str, ids: Ids) -> str:
        *outer, last = _parts(name) or [""]
        if not all(self.allow.knows(part) for part in outer):
            return _hidden_text(value)
        shown: str = self._field(last, value, ids)
        return shown


def _parts(name: str) -> list[str]:
    """``items[0][price]`` is made of ``items`` and ``price``."""
    return [part for part in re.split(r"[\[\]]+", name) if part and not part.isdigit()]


def _key(name: str) -> str:
    return name if _FIELD.fullmatch(name) and mask_text(name) == name else _hidden_text(name)


def _identifier(text: str, ids: Ids) -> str:
    """An id, or several joined by slashes as in ``cus_1/pm_2``."""
    return "/".join(ids(part) if is_id(part) else _hidden_text(part) for part in text.split("/"))


def _link(text: str) -> str:
    home = origin(text)
    return f"{home}/hidden" if home.startswith(("http://", "https://")) else _hidden_text(text)


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return _kept_text(value)
    return 0 if mask_text(str(value)) != str(value) else value


def _kept_text(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text)
    masked = EMAIL.sub("<email>", mask_text(plain))
    return text if masked == plain else masked


def _hidden(value: Any) -> Any:
    match value:
        case None | bool():
            return None if value is None else False
        case int() | float():
            return type(value)()
        case str():
            return _hidden_text(value)
        case list():
            return [_hidden(item) for item in value]
    return {}


def _hidden_text(text: str) -> str:
    if not text or _PLACEHOLDER.fullmatch(text):
        return text
    return "1" * len(text) if text.isdigit() else f"<text:{len(text)}>"
