"""What comes over the wire before it is a request: headers and the end of a body, read strictly (RFC 9112).

A server that guesses where a body ends can be told a second request inside it. Whatever is not certain is
:class:`Unreadable`, and its connection ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from io import BufferedIOBase
from urllib.parse import quote

__all__ = ["Unreadable", "header_value", "read_body", "read_headers"]

#: Bytes of a request's body that are read at most.
_LARGEST_BODY = 16 * 1024 * 1024

#: Bytes of a line between two chunks, and how many lines may follow the last one.
_LONGEST_LINE, _MOST_TRAILERS = 8_192, 100

#: Headers that say who is asked, who asks, and how long it is: two of them are two opinions.
_ONCE = frozenset({"authorization", "content-length", "content-type", "host", "origin", "transfer-encoding"})

_DIGITS = re.compile(r"[0-9]{1,18}")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n]*)?\r?\n")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Unreadable(Exception):
    """The bytes are no request. *status* is the 4xx that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_headers(pairs: Iterable[tuple[str, str]], *, http_1_1: bool) -> dict[str, str]:
    """The headers of a request by their names in lower case; of an ordinary one that comes twice the last counts.

    :param http_1_1: whether ``Host`` has to be there.
    :raises Unreadable: a value holds a control character, as one folded over two lines does, or a header that can come
        only once comes twice.
    """
    headers: dict[str, str] = {}
    for given, value in pairs:
        name = given.lower()
        if _CONTROL.search(value):
            raise Unreadable(400, f"{name} goes over several lines or holds a control character")
        if name in _ONCE and name in headers:
            raise Unreadable(400, f"{name} comes twice")
        headers[name] = value
    if http_1_1 and "host" not in headers:
        raise Unreadable(400, "host is missing")
    return headers


def read_body(stream: BufferedIOBase, headers: Mapping[str, str]) -> bytes:
    """The body, by its length or in chunks.

    :param headers: by their names in lower case.
    :raises Unreadable: its end cannot be told, it ends too early, or it is too large.
    """
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if length is not None or coding.strip().lower() != "chunked":
            raise Unreadable(400, "a body has a content-length or comes in chunks, and nothing else")
        return _read_chunks(stream)
    if length is None:
        return b""
    if not _DIGITS.fullmatch(length.strip()):
        raise Unreadable(400, "content-length is not a number")
    return _exactly(stream, int(length), 0)


def header_value(value: str) -> str:
    """*value* as one header of an answer can hold it: what ends a line or is not ASCII is percent-encoded."""
    return "".join(
        letter if (letter.isprintable() and letter.isascii()) or letter == "\t" else quote(letter, errors="replace")
        for letter in value
    )


def _read_chunks(stream: BufferedIOBase) -> bytes:
    body = b""
    while True:
        line = stream.readline(_LONGEST_LINE)
        if (found := _SIZE.fullmatch(line)) is None:
            raise Unreadable(400, "a chunk does not begin with its size")
        size = int(found[1], 16)
        if size == 0:
            break
        body += _exactly(stream, size, len(body))
        if stream.readline(_LONGEST_LINE) not in {b"\r\n", b"\n"}:
            raise Unreadable(400, "a chunk is longer than its size")
    for _ in range(_MOST_TRAILERS):  # trailers say nothing here
        if stream.readline(_LONGEST_LINE) in {b"\r\n", b"\n"}:
            return body
    raise Unreadable(400, "the trailers do not end")


def _exactly(stream: BufferedIOBase, size: int, before: int) -> bytes:
    if before + size > _LARGEST_BODY:
        raise Unreadable(400, f"a body has at most {_LARGEST_BODY} bytes")
    body = stream.read(size)
    if len(body) < size:
        raise Unreadable(400, "the body ends before its time")
    return body
