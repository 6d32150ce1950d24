"""What a test must not touch unless it says so: hosts beyond this machine, and keys with which real money moves."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import NoReturn
from urllib.parse import urlsplit

import attrs
import pytest

from ..drivers.redact import describe
from ..flow import Request

__all__ = ["is_live_key", "is_this_machine", "refuse_live_call", "refuse_live_headers", "refuse_live_keys"]

_LIVE = re.compile(r"(?<![A-Za-z0-9])[sr]k_live_\w+")
_JWT = re.compile(r"eyJ[\w-]+\.([\w-]+)\.")

#: How deep settings may lie inside a provider: provider, its client, the client's settings.
_DEPTH = 3


def is_this_machine(host: str | bytes) -> bool:
    """Whether *host*, a name or an address, is this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name in {"", "localhost"}


def is_live_key(text: str) -> bool:
    """Whether *text* holds a key of a provider's live mode: Stripe's by its prefix, UnivaPay's by the claims of the JWT.

    >>> is_live_key("sk_test_1")
    False
    """
    return bool(_LIVE.search(text)) or any(_mode(payload) == "live" for payload in _JWT.findall(text))


def refuse_live_keys(account: str, provider: object, environ: Mapping[str, str] = os.environ) -> None:
    """Fail the test if the settings of *provider* or the environment hold a live key. Shows where, and nothing of it."""
    for name, text in _texts(provider, _DEPTH):
        if is_live_key(text):
            _refuse_key(f"setting {name!r} of account {account!r}")
    for name, text in environ.items():
        if is_live_key(text):
            _refuse_key(f"environment variable {name}")


def refuse_live_headers(request: Request) -> None:
    """Fail the test if *request* carries a live key."""
    for name, text in request.headers.items():
        if is_live_key(text):
            _refuse_key(f"header {name!r} of {describe(request)}")


def refuse_live_call(request: Request) -> None:
    """Fail the test if *request* would leave this machine."""
    host = urlsplit(request.url).hostname or ""
    if not is_this_machine(host):
        pytest.fail(
            f"{describe(request)}: the test would reach {host!r}, and paygate's tests stay on this machine. Mount an "
            "emulator, use a fake or a cassette; or allow it with @pytest.mark.paygate_live or --paygate-live",
            pytrace=False,
        )


def _refuse_key(where: str) -> NoReturn:
    pytest.fail(
        f"{where} holds a live key: with it a test could move real money. Use a key of the test mode; "
        "@pytest.mark.paygate_live(keys=True) allows it for one test",
        pytrace=False,
    )


def _mode(payload: str) -> object:
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        return None
    return claims.get("mode") if isinstance(claims, dict) else None


def _texts(value: object, depth: int) -> Iterator[tuple[str, str]]:
    """The texts among the attributes of *value* and of the attrs values in them."""
    kind = type(value)
    if attrs.has(kind):
        named = {field.name: getattr(value, field.name) for field in attrs.fields(kind)}
    else:
        named = dict(getattr(value, "__dict__", {}))
    for name, item in named.items():
        if isinstance(item, str):
            yield name, item
        elif depth > 1 and attrs.has(type(item)):
            yield from _texts(item, depth - 1)
