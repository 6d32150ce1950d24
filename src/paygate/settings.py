"""How a plugin declares its settings: an attrs class whose secret fields are made with :func:`secret`, and paths with :func:`path`.

A secret ends up in a header, a login or a signature, where one character too many is an error far from its cause: a
mounted file ends with a line break, a value is pasted with its quotation marks. So all of them are checked when the
settings are made, and again when an account is opened, and refused with what to do about it. Nothing is stripped: a
secret that is not what was written down would be debugged at the provider. No message quotes a value or tells its length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

import attrs

from .errors import ConfigurationError

__all__ = [
    "check_base_url",
    "check_secret",
    "is_loopback",
    "is_path",
    "is_secret",
    "path",
    "secret",
    "secret_problem",
    "was_secret",
]

_QUOTES = "\"'`"
_BREAK_AT_END = re.compile(r"[\r\n]+\Z")
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"


def secret_problem(value: object, *, spaces: bool = True) -> str | None:
    """Why *value* cannot be a secret, with the remedy and without the value; None where it can.

    :param spaces: whether there may be blanks within it, as in a passphrase.
    """
    if not isinstance(value, str) or not value.strip():
        return "is empty or not a text; give the value that the provider shows"
    if _BREAK_AT_END.search(value):
        return (
            "ends with a line break, which a mounted file or `echo` adds; write the file with `printf %s`, or take the last "
            "line break off where the value is read"
        )
    if value[0] in _INVISIBLE or value[-1] in _INVISIBLE:
        return "begins or ends with an invisible character (a byte order mark, a zero-width space); type it anew"
    if value != value.strip():
        return "begins or ends with a blank; take it off"
    if re.search(r"[\x00-\x1f\x7f]", value):
        return "holds a line break or another control character; copy it again, as one line"
    if not value.isascii():
        return "holds a character that is not ASCII; all have to be ASCII, for headers and logins carry nothing else"
    if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES:
        return "stands in quotation marks that belong to the value; leave them out"
    if not spaces and " " in value:
        return "holds a blank; copy it again, as one word"
    return None


def check_secret(name: str, value: object, *, spaces: bool = True) -> None:
    """Refuse a *value* that cannot be the secret setting *name*; see :func:`secret_problem`.

    :raises ConfigurationError: naming the setting and the remedy, never the value.
    """
    if (problem := secret_problem(value, spaces=spaces)) is not None:
        raise ConfigurationError(f"setting {name!r} {problem}")


_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PATH = re.compile(r"(?:/[\w.~-]+)*/?", re.ASCII)


def is_loopback(url: object) -> bool:
    """Whether *url* is the plain address of something on this machine, such as an emulator."""
    parts = _split_url(url)
    return parts is not None and parts.scheme == "http" and parts.hostname in _LOOPBACK


def is_address(url: object) -> bool:
    """Whether *url* begins with https:// and a host, or is on this machine."""
    parts = _split_url(url)
    return parts is not None and ((parts.scheme == "https" and bool(parts.hostname)) or is_loopback(url))


def check_base_url(plugin: str, value: object, default: str) -> None:
    """Refuse a *value* that cannot be where the interface of *plugin* is; paths of requests are put behind it.

    :param default: the provider's own address, which has no path.
    :raises ConfigurationError: naming the setting and the remedy.
    """
    parts = _split_url(value)
    if parts is None or not is_address(value):
        raise ConfigurationError(
            f"{plugin}: base_url has to begin with https:// and a host (http:// only for an emulator on this machine); "
            f"leave it out for {default}. No blank and no line break may be in it"
        )
    bare = parts.path in {"", "/"} if parts.hostname == urlsplit(default).hostname else _PATH.fullmatch(parts.path)
    if parts.query or parts.fragment or "?" in str(value) or "#" in str(value) or "@" in parts.netloc or not bare:
        raise ConfigurationError(
            f"{plugin}: base_url is the address of the interface alone, without user, question mark or fragment, and at "
            f"the provider itself without a path; leave it out for {default}"
        )


def _split_url(value: object) -> SplitResult | None:
    """The parts of an address; None where it is none. Blanks and line breaks are not passed over, as parsing would."""
    if not isinstance(value, str) or not value.isprintable() or " " in value or "\\" in value:
        return None
    try:
        parts = urlsplit(value)
        _ = parts.port  # a port that is no number is found out here only
    except ValueError:
        return None
    return parts


#: Hashes of all secrets that settings were made with in this process, to know one again without keeping it.
_made: set[int] = set()


def was_secret(value: str) -> bool:
    """Whether settings were made with the secret *value* in this process, wherever it is kept now."""
    return hash(value) in _made


def _with_spaces(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_secret(attribute.name, value)
    _made.add(hash(value))


def _without_spaces(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_secret(attribute.name, value, spaces=False)
    _made.add(hash(value))


def secret(*, default: Any = attrs.NOTHING, spaces: bool = True) -> Any:
    r"""An attrs field for a secret: a text that can stand in a header and never shows in ``repr``.

    In ``paygate.toml`` it may be left out and come from the environment as ``PAYGATE_<ACCOUNT>_<FIELD>``.

    :param spaces: whether there may be blanks within it, as in a passphrase.

    >>> @attrs.frozen
    ... class Settings:
    ...     shop: str
    ...     api_key: str = secret()
    >>> Settings("s-1", "k-2")
    Settings(shop='s-1')
    >>> Settings("s-1", "k-2\n")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    paygate.errors.ConfigurationError: setting 'api_key' ends with a line break, ...
    """
    check = _with_spaces if spaces else _without_spaces
    validator = check if default is attrs.NOTHING else attrs.validators.optional(check)
    metadata: Mapping[str, Any] = {"paygate_secret": True, "paygate_spaces": spaces}
    return attrs.field(default=default, repr=False, validator=validator, metadata=metadata)


def path(*, default: Any = attrs.NOTHING, converter: Any = None) -> Any:
    """An attrs field for the path of a file or folder. A relative one in ``paygate.toml`` counts from that file."""
    return attrs.field(default=default, converter=converter, metadata={"paygate_path": True})


def is_path(attribute: attrs.Attribute[Any]) -> bool:
    """Whether *attribute* was made with :func:`path`."""
    return bool(attribute.metadata.get("paygate_path"))


def is_secret(attribute: attrs.Attribute[Any]) -> bool:
    """Whether *attribute* was made with :func:`secret`."""
    return bool(attribute.metadata.get("paygate_secret"))
