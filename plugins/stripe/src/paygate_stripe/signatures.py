"""Whether a delivery comes from Stripe: an HMAC over the raw bytes, checked in constant time (provider fact sheet §9)."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable

from paygate.errors import WebhookRejected

__all__ = ["TOLERANCE", "sign", "verify"]

#: How far the time of a signature may be from ours, in either direction: an older delivery may be a replay, and one from
#: the future would be good for a replay later.
TOLERANCE = dt.timedelta(seconds=300)

_TIME = re.compile(r"[0-9]{1,12}")


def verify(header: str | None, body: bytes, secrets: Iterable[str], now: dt.datetime) -> None:
    """Check the header ``Stripe-Signature`` of a delivery.

    While a secret is being replaced the header carries one ``v1`` for each, and the account may know both. Other
    schemes than ``v1`` prove nothing.

    :param body: the raw bytes as they came.
    :param secrets: the endpoint's signing secrets (``whsec_…``), whole.
    :param now: aware.
    :raises WebhookRejected: 401; it is not signed with one of the secrets, or too long ago or ahead.
    """
    time, signatures = _parts(header or "")
    if time is None or not signatures:
        raise WebhookRejected("stripe: the delivery carries no signature of the form t=…,v1=…", status=401)
    expected = [sign(body, secret, time).encode() for secret in secrets]
    given = [signature.encode(errors="surrogatepass") for signature in signatures]
    # all are compared, however early one fits: how long it takes tells nothing
    if not any([hmac.compare_digest(one, other) for one in expected for other in given]):  # noqa: C419
        raise WebhookRejected("stripe: the delivery is not signed with the account's webhook_secret", status=401)
    if abs(now.timestamp() - int(time)) > TOLERANCE.total_seconds():
        raise WebhookRejected(
            f"stripe: the delivery was signed more than {TOLERANCE.seconds} seconds from now; "
            "if it is no replay, compare this machine's clock",
            status=401,
        )


def sign(body: bytes, secret: str, time: str) -> str:
    """The ``v1`` signature of *body*, in hexadecimal digits.

    :param time: seconds since 1970, as the header says them.
    """
    return hmac.new(secret.encode(), time.encode() + b"." + body, hashlib.sha256).hexdigest()


def _parts(header: str) -> tuple[str | None, list[str]]:
    """The time and all ``v1`` signatures; no time where there is none, or more than one."""
    items = [item.strip().partition("=") for item in header.split(",")]
    times = [value for name, _, value in items if name == "t"]
    time = times[0] if len(times) == 1 and _TIME.fullmatch(times[0]) else None
    return time, [value for name, _, value in items if name == "v1"]
