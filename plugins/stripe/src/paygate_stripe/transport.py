"""The ``stripe`` package, carried by paygate's driver: its HTTP client awaits :func:`paygate.flow.send` and does no I/O.

Only the ``…_async`` methods of the package work with it. Importing this module imports the package, which takes a
moment, so it is imported when an account is opened and not when plugins are listed (provider fact sheet §1).
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any

import stripe

from paygate.flow import Replay, Request, Response, send

from .settings import StripeSettings

__all__ = ["REPEATED", "STRIPE_VERSION", "Unreadable", "connect", "unlogged"]

#: The version of Stripe's interface that this plugin was written for, whatever a later ``stripe`` package prefers.
STRIPE_VERSION = "2026-10-28.endive"

#: Name under which an answer's headers tell that the driver sent the request more than once.
REPEATED = "paygate-repeated"

#: What of the package's own request headers is sent; the rest tells about the machine that it runs on.
_SENT = frozenset({"authorization", "content-type", "idempotency-key", "stripe-account", "stripe-version"})

_unlogged: ContextVar[bool] = ContextVar("paygate_stripe_unlogged", default=False)


class Unreadable(Exception):
    """Whoever answered was not Stripe's own code: no JSON object, or an error without the form of Stripe's errors.

    :param status: of the HTTP answer.
    :param repeated: the driver sent the request more than once.
    """

    def __init__(self, status: int, *, repeated: bool) -> None:
        super().__init__(f"HTTP {status} without an answer of Stripe's own form")
        self.status = status
        self.repeated = repeated


class _FlowClient(stripe.HTTPClient):
    """Performs nothing: each request becomes an effect of the running flow.

    Repeats, time-outs and waits are the driver's. A POST carries its idempotency key, and cancelling twice is
    cancelling once, so the driver may repeat both (§7).
    """

    name = "paygate"

    def __init__(self) -> None:
        super().__init__()
        self._agent = f"paygate-stripe/{version('paygate-stripe')} PythonBindings/{stripe.VERSION}"

    async def request_with_retries_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,
        max_network_retries: int | None = None,  # noqa: ARG002 - the driver repeats
        *,
        _usage: list[str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        verb = method.upper()
        body = post_data.encode() if isinstance(post_data, str) else b""
        replay = Replay.SAFE if verb == "GET" else Replay.SAME_KEY
        own = {name: value for name, value in headers.items() if name.lower() in _SENT}
        return _readable(await send(Request(verb, url, {**own, "User-Agent": self._agent}, body, replay=replay)))


def _readable(response: Response) -> tuple[bytes, int, Mapping[str, str]]:
    """The answer as the package takes it.

    :raises Unreadable: the package would stumble over it, each time in another way.
    """
    try:
        content = json.loads(response.body)
    except (ValueError, RecursionError):
        content = None
    failed = not 200 <= response.status < 300
    if not isinstance(content, dict) or (failed and not isinstance(content.get("error"), dict)):
        raise Unreadable(response.status, repeated=response.repeated)
    # a notice for developers would become a warning in the middle of a payment (§1)
    headers = {name: value for name, value in response.headers.items() if name != "stripe-notice"}
    if response.repeated:
        headers[REPEATED] = "true"
    return response.body, response.status, headers


class _Discreet(logging.Filter):
    """Keeps what the package logs about our requests out of the logs: it quotes whole bodies."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - it depends on who logs, not on what
        return not _unlogged.get()


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """Log nothing of the ``stripe`` package within this block; what others do with it is logged as before."""
    _unlogged.set(True)
    try:
        yield
    finally:
        _unlogged.set(False)


_DISCREET = _Discreet()


def connect(settings: StripeSettings) -> stripe.StripeClient:
    """A client of the package for one account.

    The package's telemetry has only one switch for the whole process; it is turned off, because it would write an id
    into the user's home folder and send it (§1).
    """
    stripe.enable_telemetry = False
    logging.getLogger("stripe").addFilter(_DISCREET)  # adding the same one again changes nothing
    return stripe.StripeClient(
        settings.api_key,
        stripe_account=settings.stripe_account,
        stripe_version=STRIPE_VERSION,
        base_addresses={"api": settings.base_url.rstrip("/")},
        max_network_retries=0,
        http_client=_FlowClient(),
    )
