"""App tokens of the emulated UnivaPay: a JWT and a secret, sent as ``Bearer {secret}.{jwt}``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import attrs

from ....flow import Request
from .wire import ApiError

__all__ = ["Caller", "Credentials", "authenticate"]

_MERCHANT_ID = "11f0a1b2-0000-4a00-8000-00000000a001"

_DEMO_KEY = b"paygate emulator: signs nothing of value"


def _encode(part: Mapping[str, Any]) -> str:
    text = json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@attrs.frozen
class Credentials:
    """An app token (a JWT) and its secret, neither shown in ``repr``: of one store, or of the whole merchant.

    :raises ValueError: if the app token is not a JWT that names a ``merchant_id`` or a ``store_id``.
    """

    app_token: str = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)
    #: The JWT's payload, not verified.
    claims: Mapping[str, Any] = attrs.field(init=False, repr=False, eq=False)

    @claims.default
    def _claims(self) -> Mapping[str, Any]:
        try:
            part = self.app_token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (IndexError, binascii.Error, ValueError) as exc:
            raise ValueError("the app token is not a JWT") from exc
        if not isinstance(claims, dict) or not (claims.get("store_id") or claims.get("merchant_id")):
            raise ValueError("the app token is of no store and no merchant: its claims name neither")
        return claims

    @classmethod
    def for_store(cls, number: int = 1, *, mode: str = "test") -> Credentials:
        """Made-up credentials of the store *number*; the same every time."""
        return cls._made_up(
            {
                "sub": "app_token",
                "iat": 1767225600,
                "merchant_id": _MERCHANT_ID,
                "store_id": f"11f0a1b2-1111-4a00-8000-{number:012x}",
                "mode": mode,
                "domains": ["shop.example"],
                "jti": f"11f0a1b2-2222-4a00-8000-{number:012x}",
            }
        )

    @classmethod
    def for_merchant(cls) -> Credentials:
        """Made-up credentials of the merchant, which read all its stores and charge nothing; the same every time."""
        jti = "11f0a1b2-2222-4a00-8000-0000000000ff"
        return cls._made_up({"sub": "app_token", "iat": 1767225600, "merchant_id": _MERCHANT_ID, "jti": jti})

    @classmethod
    def _made_up(cls, claims: Mapping[str, Any]) -> Credentials:
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        digest = hmac.new(_DEMO_KEY, signed.encode(), hashlib.sha256).digest()
        signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        secret = hashlib.sha256(_DEMO_KEY + signed.encode()).hexdigest()[:32]
        return cls(f"{signed}.{signature}", secret)

    @property
    def store_id(self) -> str:
        """The store; empty for the merchant's own."""
        return str(self.claims.get("store_id", ""))

    @property
    def merchant_id(self) -> str:
        return str(self.claims.get("merchant_id", ""))

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
    """Who is asking: the store of the app token (empty for the merchant's), and whether the secret came along.

    :param scope: what idempotency keys belong to; :param level: the store of the app token, whatever store a path names.
    """

    store_id: str
    merchant_id: str
    mode: str
    scope: str = attrs.field(repr=False)
    with_secret: bool = True
    level: str = attrs.field(default="store", kw_only=True)

    @classmethod
    def of(cls, credentials: Credentials, *, with_secret: bool = True) -> Caller:
        level = "store" if credentials.store_id else "merchant"
        return cls(
            credentials.store_id, credentials.merchant_id, credentials.mode, credentials.app_token, with_secret,
            level=level,
        )  # fmt: skip

    def need_secret(self) -> None:
        """Refuse a browser.

        :raises ApiError: 403 ``INVALID_PERMISSIONS``.
        """
        if not self.with_secret:
            raise ApiError(403, "INVALID_PERMISSIONS")

    def need_store(self) -> None:
        """Refuse the merchant's app token, which creates nothing.

        :raises ApiError: 403 ``INVALID_PERMISSIONS``.
        """
        if self.level != "store":
            raise ApiError(403, "INVALID_PERMISSIONS")

    def at(self, store_id: str) -> Caller:
        """The same caller asking for a store that it may read."""
        return attrs.evolve(self, store_id=store_id)


def authenticate(request: Request, known: Mapping[str, Credentials]) -> Caller:
    """Who sent *request*.

    A call without the secret is a browser's: its ``Origin`` has to be on the token's list of domains.

    :param known: the credentials let in, by app token.
    :raises ApiError: 401 with the code that says why.
    """
    header = request.headers.get("authorization", "")
    if not header:
        raise ApiError(401, "AUTH_HEADER_MISSING")
    scheme, _, value = header.partition(" ")
    if scheme != "Bearer" or value.count(".") not in {2, 3}:
        raise ApiError(401, "INVALID_APP_TOKEN")
    secret, jwt = value.split(".", 1) if value.count(".") == 3 else (None, value)
    credentials = known.get(jwt)
    if credentials is None:
        raise ApiError(401, "INVALID_APP_TOKEN")
    if secret is None:
        origin = request.headers.get("origin", "").removeprefix("https://").partition(":")[0]
        if origin not in credentials.claims.get("domains", []):
            raise ApiError(401, "INVALID_DOMAIN")
    elif not hmac.compare_digest(secret.encode(), credentials.secret.encode()):
        raise ApiError(401, "INVALID_CREDENTIALS")
    return Caller.of(credentials, with_secret=secret is not None)
