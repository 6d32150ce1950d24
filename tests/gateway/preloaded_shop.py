"""A tiny web shop, loaded once by its server before it forks its workers: the gateway is open and has charged by then.

``SHOP`` in the environment holds what it needs as JSON. ``POST /<contract>/<number>`` charges and answers with the charge.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from paygate import Gateway, Money
from paygate.plugins import discovery

_SHOP = json.loads(os.environ["SHOP"])


def _open() -> Gateway:
    """The shop's gateway, which has made a charge over HTTP and keeps the connection."""
    provider: Any = discovery.load(_SHOP["provider"])
    gateway = Gateway(database=_SHOP["database"], providers={"psp": provider(provider.Settings(**_SHOP["settings"]))})
    gateway.charges.create(_SHOP["own_contract"], Money(777, "JPY"), consent="phone", idempotency_key="before the fork")
    return gateway


gateway = _open()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The web application."""
    _, contract, number = environ["PATH_INFO"].split("/")
    charge = gateway.charges.create(
        contract, Money(1000 + int(number), "JPY"), consent="phone", idempotency_key=f"{contract}/{number}"
    )
    body = json.dumps([charge.id, charge.state.value, charge.reference, os.getpid()]).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
