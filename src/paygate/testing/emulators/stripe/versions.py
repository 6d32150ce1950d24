"""API versions: which one a request is read by, and what each of them takes (provider fact sheet §4, §14).

Answers look the same for every version, the pinned one's way; a version decides which parameters are taken.
"""

from __future__ import annotations

import re

from .errors import ApiError

__all__ = ["API_VERSION", "BARE_ITEMS_LEFT", "OFFERS_REDIRECTS", "TYPES_LEFT", "checked", "older"]

#: The API version that the emulator speaks, whatever version a request names.
API_VERSION = "2026-10-28.endive"

#: ``payment_method_types`` left the requests for payments, set-ups and Checkout with this one.
TYPES_LEFT = "2026-09-30"

#: Line items of Checkout without a price, and Checkout without a mode, left with this one.
BARE_ITEMS_LEFT = "2022-08-01"

#: Since this one the methods of an account's settings are offered, some of which redirect the customer; before, cards.
OFFERS_REDIRECTS = "2023-08-16"

_VERSION = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}(\.[a-z]+)?(;.*)?")


def checked(version: str | None) -> str | None:
    """The ``Stripe-Version`` of a request; None where it named none.

    :raises ApiError: it is no version.
    """
    if version and not _VERSION.fullmatch(version):
        raise ApiError(400, f"Invalid Stripe API version: {version[:40]}")
    return version or None


def older(version: str | None, than: str) -> bool:
    """Whether *version* was made before the date *than*. A request that names none is read by its account's version,
    which is as old as the account: it may still use what has left since.
    """
    return version is None or version[:10] < than
