"""Reading addresses that somebody else wrote: request targets, ``Host``, ``Origin``, and where webhooks shall go.

All of them are text from outside, and joining them to an address of our own would let them change it: ``GET .evil/x``
after ``http://127.0.0.1:8700`` names another machine. So each is read by its own grammar (RFC 9112 §3.2, RFC 6454 §7),
and what does not fit is refused, never repaired.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

__all__ = ["checked_target", "host_of", "origin_host", "request_path"]

#: A name, an IPv4 address or a bracketed IPv6 address, with or without a port.
_AUTHORITY = re.compile(
    r"(?P<host>[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5})?)?"
)

#: What a path with its query may hold: printable ASCII without the characters that end it or begin something else.
_PATH = re.compile(r"/[!\"$-;=?-\[\]-~%]*")

_LARGEST_PORT = 65_535


def host_of(authority: str) -> str | None:
    """The host that ``Host`` or an address names, in lower case, without port, brackets and closing dot.

    :returns: None where *authority* is no host with an optional port: user names, garbage after the port, letters
        beyond ASCII and an IPv6 address without brackets or with a zone are not taken.
    """
    found = _AUTHORITY.fullmatch(authority) if authority.isascii() else None
    if found is None or int(found["port"] or 0) > _LARGEST_PORT:
        return None
    host = found["host"].lower()
    if not host.startswith("["):
        return host.removesuffix(".")
    try:
        return str(ipaddress.IPv6Address(host[1:-1]))
    except ValueError:
        return None


def origin_host(origin: str) -> str | None:
    """The host of the page that sent ``Origin``; None for ``null``, for a page without a host, and for no origin at all."""
    scheme, separator, authority = origin.partition("://")
    if not separator or scheme not in {"http", "https"}:
        return None
    return host_of(authority)


def request_path(target: str) -> tuple[str, str | None] | None:
    """Path and query of a request's target, and the authority where the target names one itself.

    Takes ``/path?query`` and, as every server has to, ``http://host/path?query``, whose host counts instead of
    ``Host``. Returns None for all else: ``host:port``, ``*``, a relative path, a fragment, control characters.
    """
    authority: str | None = None
    for scheme in ("http://", "https://"):
        if target[: len(scheme)].lower() == scheme:
            authority, slash, rest = target[len(scheme) :].partition("/")
            authority, mark, query = authority.partition("?")
            if mark:  # a query right behind the host: the path is empty
                rest = f"?{query}{slash}{rest}"
            target = f"/{rest}"
            break
    return (target, authority) if _PATH.fullmatch(target) else None


def checked_target(url: object) -> str | None:
    """*url* if webhooks can be sent there: http or https, one host, a possible port, no user name, nothing unprintable.

    :returns: None where it is none of these. The host may be another machine's: a shop in the next container is one.
    """
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts: SplitResult = urlsplit(url)
    except ValueError:  # brackets that hold no address
        return None
    if parts.scheme not in {"http", "https"} or host_of(parts.netloc) is None or parts.fragment:
        return None
    return url
