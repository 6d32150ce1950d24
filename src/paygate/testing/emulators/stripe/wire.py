"""The outermost layer of the emulated Stripe: who is asking, what the body says, how answers look."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from ....flow import Request, Response
from .errors import ApiError
from .forms import Form, read_form

__all__ = ["authenticate", "read_request", "reply"]

_LIVE = ("sk_live_", "rk_live_")


def authenticate(request: Request, api_key: str) -> None:
    """Check the key, sent as ``Bearer`` or as the user of ``Basic`` (provider fact sheet §14).

    :raises ApiError: 401 without a key, with another one, and with any live key (which is never repeated).
    """
    given = _key(request.headers.get("authorization", ""))
    if not given:
        message = "You did not provide an API key: send it as the Bearer token or as the user name of HTTP Basic."
        raise ApiError(401, message)
    if given.startswith(_LIVE):
        message = "This is paygate's emulated Stripe and refuses live keys; use the test key that it was given."
        raise ApiError(401, message)
    if not hmac.compare_digest(given.encode(), api_key.encode()):
        raise ApiError(401, f"Invalid API Key provided: {given[:8]}{'*' * 8}{given[-4:] if len(given) > 16 else ''}")
    if request.headers.get("stripe-account"):
        message = "The provided key does not have access to this account: the emulated Stripe has no connected ones."
        raise ApiError(403, message, code="account_invalid")


def _key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, ValueError):
            return ""
    return ""


def read_request(request: Request) -> Form:
    """The parameters: the query of GET and DELETE, the form of a POST.

    :raises ApiError: the body is no form.
    """
    text = urlsplit(request.url).query
    if request.method != "POST":
        return read_form(text)
    kind = request.headers.get("content-type", "application/x-www-form-urlencoded")
    if request.body and kind.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise ApiError(400, "Invalid request: a POST carries application/x-www-form-urlencoded.")
    try:
        body = request.body.decode()
    except UnicodeDecodeError as exc:
        raise ApiError(400, "Invalid request: the body is not UTF-8.") from exc
    return read_form(body if not text else f"{text}&{body}" if body else text)


def reply(status: int, body: object, headers: Mapping[str, str]) -> Response:
    """A JSON response."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(status, {"Content-Type": "application/json", **headers}, text.encode(errors="backslashreplace"))
