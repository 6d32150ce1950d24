"""UnivaPay for paygate: stored cards charged and refunded over UnivaPay's HTTP interface.

In ``paygate.toml``::

    [accounts.univapay]        # app_token, secret and webhook_auth_token come from the environment
"""

from __future__ import annotations

from .capabilities import CAPABILITIES
from .provider import UnivaPay
from .settings import UnivaPaySettings

__all__ = ["CAPABILITIES", "UnivaPay", "UnivaPaySettings"]
