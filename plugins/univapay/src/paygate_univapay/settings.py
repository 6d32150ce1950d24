"""Settings of one UnivaPay account, checked once; what the app token says about itself."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import attrs

import paygate
from paygate.errors import ConfigurationError
from paygate.settings import check_base_url, check_secret

__all__ = ["UnivaPaySettings"]


def _base_url(_instance: object, _attribute: object, value: str) -> None:
    check_base_url("univapay", value, "https://api.univapay.com")


def _number(value: object) -> object:
    """A setting from the environment is text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _budget(_instance: object, _attribute: object, value: int) -> None:
    if type(value) is not int or value < 0:
        raise ConfigurationError(f"univapay: poll_budget is a whole number of seconds from 0 up, got {value!r}")


def _renewals(_instance: object, _attribute: object, value: str) -> None:
    if value not in {"merchant", "provider"}:
        raise ConfigurationError(f"univapay: renewals is one of merchant, provider, got {value!r}")


def _app_token(_instance: object, _attribute: object, value: str) -> None:
    check_secret("app_token", value, spaces=False)
    claims = _claims(value)
    if not isinstance(claims.get("store_id"), str) or not claims["store_id"]:
        raise ConfigurationError(
            "univapay: app_token is no store app token (its claims name no store_id); "
            "a merchant app token cannot charge: create an app token of the store"
        )
    if claims.get("mode") not in {"live", "test", "live_test"}:
        raise ConfigurationError("univapay: app_token does not say whether it is for live or test mode")


def _claims(app_token: object) -> Mapping[str, Any]:
    """The payload of the JWT, not verified: it tells which store is meant, and authenticates nobody."""
    try:
        part = str(app_token).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, binascii.Error, ValueError):
        claims = None
    if not isinstance(claims, dict):
        # nothing of the value is quoted, and no cause is chained: both would show a part of the credential
        raise ConfigurationError(
            "univapay: app_token is not a JWT; copy it from the dashboard's app tokens (three parts with two dots)"
        ) from None
    return claims


@attrs.frozen(kw_only=True)
class UnivaPaySettings:
    """How to reach one store of UnivaPay.

    :param app_token: the store app token, a JWT; it says which store and whether test or live.
    :param secret: the secret that was shown once when the app token was made.
    :param webhook_auth_token: the value that UnivaPay sends as ``Authorization`` of its webhooks. There is no other
        proof of where an event comes from, so it is required.
    :param base_url: where the interface is.
    :param poll_budget: seconds that a charge or refund may wait for its result before it is left pending; each look
        is held open by UnivaPay for up to 3 seconds. 0: never wait, the webhook and reconciliation bring the result.
    :param renewals: ``merchant``: paygate charges renewals; ``provider``: UnivaPay's subscriptions do.
    :raises ConfigurationError: naming the setting and the remedy, without the value of a secret.
    """

    app_token: str = attrs.field(repr=False, validator=_app_token, metadata={"paygate_secret": True})
    secret: str = paygate.secret(spaces=False)
    webhook_auth_token: str = paygate.secret()
    base_url: str = attrs.field(default="https://api.univapay.com", validator=_base_url)
    poll_budget: int = attrs.field(default=11, converter=_number, validator=_budget)
    renewals: str = attrs.field(default="merchant", validator=_renewals)

    @property
    def store_id(self) -> str:
        """The store that the app token belongs to."""
        return str(_claims(self.app_token)["store_id"])

    @property
    def mode(self) -> str:
        """``live``, ``test`` or ``live_test``."""
        return str(_claims(self.app_token)["mode"])
