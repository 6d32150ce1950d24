"""Stripe for paygate: stored cards charged and refunded through the official ``stripe`` package.

In ``paygate.toml``::

    [accounts.stripe]          # api_key and webhook_secret come from the environment
"""

from __future__ import annotations

from .capabilities import CAPABILITIES
from .provider import Stripe
from .settings import StripeSettings

__all__ = ["CAPABILITIES", "Stripe", "StripeSettings"]
