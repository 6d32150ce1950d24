"""What may be written to logs and kept in the database. By allow-list: what is not known to be harmless goes.

A query string, user information and every path segment that does not read like a word (ids, stored-card references,
tokens) are left out of URLs; values under unknown keys become typed placeholders; free text from providers is searched
for card numbers and credentials.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..flow import Request
from ..masking import mask_text

__all__ = ["describe", "mask_text", "origin", "redact_headers", "redact_json"]

#: Response and request headers whose values help and tell nothing.
HARMLESS_HEADERS = frozenset(
    {
        "accept",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "idempotent-replayed",
        "original-request",
        "request-id",
        "retry-after",
        "server",
        "stripe-should-retry",
        "stripe-version",
        "user-agent",
        "x-amz-pay-request-id",
        "x-request-id",
    }
)

_DEFAULT_PORTS = {"http": 80, "https": 443}
_WORD = re.compile(r"v\d{1,2}|[a-z]{1,20}\d?(?:[._-][a-z]{1,20}){0,4}", re.IGNORECASE | re.ASCII)


def origin(url: str) -> str:
    """Scheme, host and port of *url*, without user information.

    >>> origin("https://key:secret@api.acme.test:8443/charges?card=1")
    'https://api.acme.test:8443'
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "<invalid url>"
    if ":" in host:
        host = f"[{host}]"
    shown = f":{port}" if port not in {None, _DEFAULT_PORTS.get(parts.scheme)} else ""
    return f"{parts.scheme}://{host}{shown}"


def describe(request: Request) -> str:
    """Method and URL for logs and errors: words of the path stay, everything else of it is an ellipsis.

    >>> describe(Request("GET", "https://api.acme.test/v1/charges/ch_3OqX9?expand=card"))
    'GET https://api.acme.test/v1/charges/…'
    """
    base = origin(request.url)
    if base == "<invalid url>":
        return f"{request.method} {base}"
    segments = urlsplit(request.url).path.split("/")
    return f"{request.method} {base}" + "/".join(
        part if not part or _WORD.fullmatch(part) else "…" for part in segments
    )


def redact_headers(headers: Mapping[str, str], allow: frozenset[str] = HARMLESS_HEADERS) -> dict[str, str]:
    """Lower-case names, with the values of the allowed ones; the others become ``<str>``."""
    return {
        name.lower(): mask_text(value) if name.lower() in allow else "<str>" for name, value in sorted(headers.items())
    }


def redact_json(value: Any, allow: frozenset[str]) -> Any:
    """A copy of decoded JSON in which only values under the keys of *allow* are kept.

    What an allowed key holds is looked at in turn: the keys of an object need to be allowed too, text is masked.
    Everything else becomes ``<str>``, ``<int>``, ``<float>``, ``<bool>``, ``<list>`` or ``<dict>``. None stays None.

    >>> redact_json({"status": "ok", "card": {"cvv": "123"}, "name": "花子"}, frozenset({"status"}))
    {'status': 'ok', 'card': '<dict>', 'name': '<str>'}
    """
    if isinstance(value, Mapping):
        return {
            # A key that is not allowed may itself be data: {"4242 4242 4242 4242": true}.
            mask_text(str(key)): _keep(item, allow) if key in allow else _placeholder(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_json(item, allow) for item in value]
    return _placeholder(value)


def _keep(value: Any, allow: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return redact_json(value, allow)
    if isinstance(value, list | tuple):
        return [_keep(item, allow) for item in value]
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, int) and mask_text(str(value)) == "<card>":
        return "<card>"
    return value


def _placeholder(value: object) -> str | None:
    return None if value is None else f"<{type(value).__name__}>"
