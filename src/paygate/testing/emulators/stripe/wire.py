"""The outermost layer of the emulated Stripe: who is asking, what the body says, how answers look."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from ....flow import Request, Response
from .errors import ApiError
from .forms import Form, read_form

__all__ = ["authenticate", "read_request", "reply"]

_LIVE = ("sk_live_", "rk_live_", "pk_live_")


#: What a browser does with the publishable key: make cards, and look at and confirm what it was given a secret of.
_IN_BROWSER = re.compile(
    r"POST /v1/(payment_methods|tokens)|GET /v1/(payment|setup)_intents/[^/]+|POST /v1/(payment|setup)_intents/[^/]+/confirm"
)


def authenticate(request: Request, api_key: str, publishable_key: str) -> None:
    """Check the key, sent as ``Bearer`` or as the user of ``Basic`` (provider fact sheet §14).

    :raises ApiError: 401 without a key, with another one, and with any live key (which is never repeated); 403 for what
        the publishable key may not do.
    """
    given = _key(request.headers.get("authorization", ""))
    if not given:
        message = "You did not provide an API key: send it as the Bearer token or as the user name of HTTP Basic."
        raise ApiError(401, message)
    if given.startswith(_LIVE):
        message = "This is paygate's emulated Stripe and refuses live keys; use the test key that it was given."
        raise ApiError(401, message)
    if hmac.compare_digest(given.encode(), publishable_key.encode()):
        _check_browser(request)
    elif not hmac.compare_digest(given.encode(), api_key.encode()):
        raise ApiError(401, f"Invalid API Key provided: {given[:8]}{'*' * 8}{given[-4:] if len(given) > 16 else ''}")
    if request.headers.get("stripe-account"):
        message = "The provided key does not have access to this account: the emulated Stripe has no connected ones."
        raise ApiError(403, message, code="account_invalid")


def _check_browser(request: Request) -> None:
    path = urlsplit(request.url).path
    named = f"{request.method} {path}"
    if not _IN_BROWSER.fullmatch(named):
        raise ApiError(403, "This API call cannot be made with a publishable API key. Please use a secret API key.")
    if "_intents/" in path and "client_secret" not in read_request(request):
        raise ApiError(403, "A publishable API key needs the client_secret of what it is used for.")


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
