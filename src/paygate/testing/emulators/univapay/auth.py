"""App tokens of the emulated UnivaPay: a JWT and a secret, sent as ``Bearer {secret}.{jwt}``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ....flow import Request
from .wire import ApiError

__all__ = ["Caller", "Credentials", "authenticate"]

_DEMO_KEY = b"paygate emulator: signs nothing of value"


def _encode(part: Mapping[str, Any]) -> str:
    text = json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@attrs.frozen
class Credentials:
    """One store's app token (a JWT) and its secret, neither shown in ``repr``.

    :raises ValueError: if the app token is not a JWT with a ``store_id``.
    """

    app_token: str = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)

    @classmethod
    def for_store(cls, number: int = 1, *, mode: str = "test") -> Credentials:
        """Made-up credentials of the store *number*; the same every time."""
        claims = {
            "sub": "app_token",
            "iat": 1767225600,
            "merchant_id": "11f0a1b2-0000-4a00-8000-00000000a001",
            "store_id": f"11f0a1b2-1111-4a00-8000-{number:012x}",
            "mode": mode,
            "domains": ["shop.example"],
            "jti": f"11f0a1b2-2222-4a00-8000-{number:012x}",
        }
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        digest = hmac.new(_DEMO_KEY, signed.encode(), hashlib.sha256).digest()
        signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        secret = hashlib.sha256(_DEMO_KEY + signed.encode()).hexdigest()[:32]
        return cls(f"{signed}.{signature}", secret)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.claims.get("store_id"), str):
            raise ValueError("the app token is not a store app token: its claims name no store_id")  # noqa: TRY004

    @property
    def claims(self) -> dict[str, Any]:
        """The JWT's payload, not verified."""
        try:
            part = self.app_token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (IndexError, binascii.Error, ValueError) as exc:
            raise ValueError("the app token is not a JWT") from exc
        return claims if isinstance(claims, dict) else {}

    @property
    def store_id(self) -> str:
        return str(self.claims["store_id"])

    @property
    def mode(self) -> str:
        """``test`` or ``live``."""
        return str(self.claims.get("mode", "test"))

    @property
    def header(self) -> str:
        """The value of ``Authorization`` that a server sends."""
        return f"Bearer {self.secret}.{self.app_token}"


@attrs.frozen
class Caller:
    """Who is asking: the store of the app token, and whether the secret came along."""

    store_id: str
    merchant_id: str
    mode: str
    scope: str = attrs.field(repr=False)
    with_secret: bool = True


def authenticate(request: Request, known: Iterable[Credentials]) -> Caller:
    """Who sent *request*.

    A call without the secret is a browser's: its ``Origin`` has to be on the token's list of domains.

    :raises ApiError: 401 with the code that says why.
    """
    header = request.headers.get("authorization", "")
    if not header:
        raise ApiError(401, "AUTH_HEADER_MISSING")
    scheme, _, value = header.partition(" ")
    if scheme != "Bearer" or value.count(".") not in {2, 3}:
        raise ApiError(401, "INVALID_APP_TOKEN")
    secret, jwt = value.split(".", 1) if value.count(".") == 3 else (None, value)
    for credentials in known:
        if credentials.app_token != jwt:
            continue
        claims = credentials.claims
        if secret is None:
            origin = request.headers.get("origin", "").removeprefix("https://").partition(":")[0]
            if origin not in claims.get("domains", []):
                raise ApiError(401, "INVALID_DOMAIN")
        elif not hmac.compare_digest(secret.encode(), credentials.secret.encode()):
            raise ApiError(401, "INVALID_CREDENTIALS")
        merchant = str(claims.get("merchant_id", ""))
        return Caller(credentials.store_id, merchant, credentials.mode, jwt, secret is not None)
    raise ApiError(401, "INVALID_APP_TOKEN")
