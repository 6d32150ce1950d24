"""Settings of one Stripe account, checked once; what its secret key says about itself."""

from __future__ import annotations

import re

import attrs

from paygate.errors import ConfigurationError
from paygate.settings import check_base_url, check_secret, is_address, is_loopback

__all__ = ["StripeSettings"]

_CHOICES = {"renewals": ("merchant", "provider"), "checkout": ("hosted", "setup_intent")}

_KEY = re.compile(r"[sr]k_(test|live)_\w{4,}", re.ASCII)
_SIGNING_SECRET = re.compile(r"whsec_[\w+/=-]{4,}", re.ASCII)
_ACCOUNT = re.compile(r"acct_\w{4,}", re.ASCII)


def _api_key(_instance: object, _attribute: object, value: str) -> None:
    check_secret("api_key", value, spaces=False)
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        # the value is not quoted: it may be most of a key
        raise ConfigurationError(
            "stripe: api_key is no secret or restricted key (sk_test_…, sk_live_…, rk_test_… or rk_live_…); "
            "copy it from the dashboard's API keys. A publishable key (pk_…) cannot charge"
        )


def _webhook_secret(_instance: object, _attribute: object, value: str) -> None:
    check_secret("webhook_secret", value)
    parts = _split(value) if isinstance(value, str) else ()
    if not 1 <= len(parts) <= 2 or not all(_SIGNING_SECRET.fullmatch(part) for part in parts):
        raise ConfigurationError(
            "stripe: webhook_secret is the signing secret of the webhook endpoint (whsec_…), or, while it is being "
            "replaced, the new and the old one with a comma between them"
        )


def _split(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _base_url(instance: StripeSettings, _attribute: object, value: str) -> None:
    check_base_url("stripe", value, "https://api.stripe.com")
    if is_loopback(value) and instance.mode == "live":
        raise ConfigurationError(
            "stripe: base_url is an emulator's and api_key is a live key; use a key that begins with sk_test_"
        )


def _account(_instance: object, _attribute: object, value: str | None) -> None:
    if value is not None and not _ACCOUNT.fullmatch(value):
        raise ConfigurationError(f"stripe: stripe_account is the id of a connected account (acct_…), got {value!r}")


def _choice(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    known = _CHOICES[attribute.name]
    if value not in known:
        raise ConfigurationError(f"stripe: {attribute.name} is one of {', '.join(known)}, got {value!r}")


def _return_url(_instance: object, _attribute: object, value: str | None) -> None:
    if value is not None and not is_address(value):
        raise ConfigurationError(
            f"stripe: return_url is an address of your site that begins with https://, got {value!r}"
        )


@attrs.frozen(kw_only=True)
class StripeSettings:
    """How to reach one account of Stripe.

    :param api_key: secret or restricted key; it says whether test or live mode is meant.
    :param webhook_secret: signing secret of the webhook endpoint; while it is being replaced the new and the old one,
        with a comma between them.
    :param base_url: where the interface is.
    :param stripe_account: the connected account to act for, if the key is a platform's.
    :param renewals: ``merchant``: paygate charges renewals; ``provider``: Stripe's subscriptions do.
    :param checkout: how a card is stored: ``hosted`` on Stripe's page, ``setup_intent`` in a form of your own page.
    :param return_url: where a customer lands after an identity check. With it a charge that the bank wants confirmed
        waits for the customer, and comes with a link for them; without it such a charge is declined.
    :raises ConfigurationError: naming the setting and the remedy, without the value of a secret.
    """

    api_key: str = attrs.field(repr=False, validator=_api_key, metadata={"paygate_secret": True})
    webhook_secret: str = attrs.field(repr=False, validator=_webhook_secret, metadata={"paygate_secret": True})
    base_url: str = attrs.field(default="https://api.stripe.com", validator=_base_url)
    stripe_account: str | None = attrs.field(default=None, validator=_account)
    renewals: str = attrs.field(default="merchant", validator=_choice)
    checkout: str = attrs.field(default="hosted", validator=_choice)
    return_url: str | None = attrs.field(default=None, validator=_return_url)

    @property
    def mode(self) -> str:
        """``live`` or ``test``, as the key says."""
        match = _KEY.fullmatch(self.api_key)
        return match[1] if match else "test"

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The signing secrets that a delivery may be signed with."""
        return _split(self.webhook_secret)
