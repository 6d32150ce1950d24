"""Webhook endpoints, and the deliveries to them: signed when they leave, retried until taken (provider fact sheet §9)."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from ..addressing import checked_target
from ..webhooks import Delivery, Outbox
from .errors import ApiError
from .params import METADATA, PAGE, array, boolean, merged, text
from .resource import Object, Resource, route
from .state import Call, State
from .tables import Record

__all__ = ["Endpoint", "Endpoints", "sign"]

_EVENT = re.compile(r"\*|[a-z0-9_]+(?:\.[a-z0-9_]+)+")

#: How long the old secret signs beside the new one after a roll.
_ROLL_OVER = dt.timedelta(hours=24)

_CREATE = {
    "url": text(required=True),
    "enabled_events": array(text(), required=True),
    "api_version": text(),
    "connect": boolean(),
    "description": text(unset=True),
    "metadata": METADATA,
}
_UPDATE = {
    "url": text(),
    "enabled_events": array(text()),
    "description": text(unset=True),
    "disabled": boolean(),
    "metadata": METADATA,
}


@attrs.define
class Endpoint(Record):
    """A registered address. *old_secret* signs beside *secret* until *old_until*."""

    url: str
    events: Sequence[str]
    secret: str = attrs.field(repr=False)
    api_version: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    enabled: bool = True
    old_secret: str | None = attrs.field(default=None, repr=False)
    old_until: dt.datetime | None = None


class Endpoints(Resource[Endpoint]):
    """``/v1/webhook_endpoints``."""

    kind = "webhook_endpoint"
    prefix = "we"

    def __init__(self, state: State, outbox: Outbox) -> None:
        super().__init__(state)
        self._outbox = outbox

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("POST", "/webhook_endpoints", _CREATE)
    def create(self, call: Call) -> Object:
        params = call.params
        endpoint = self.register(
            _url(params["url"]),
            _events(params["enabled_events"]),
            self.state.ids.new("whsec"),
            api_version=params.get("api_version"),
            description=params.get("description"),
            metadata=merged({}, params),
        )
        return {**self.show(endpoint), "secret": endpoint.secret}

    @route("GET", "/webhook_endpoints", PAGE)
    def list(self, call: Call) -> Object:
        return self.listing("/webhook_endpoints", call.params)

    @route("GET", "/webhook_endpoints/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/webhook_endpoints/{id}", _UPDATE)
    def update(self, call: Call) -> Object:
        endpoint, params = self.table.find(call.id), call.params
        url = _url(params.get("url", endpoint.url))
        events = _events(params.get("enabled_events", endpoint.events))
        endpoint.metadata = merged(endpoint.metadata, params)
        endpoint.url, endpoint.events = url, events
        endpoint.description = params.get("description", endpoint.description)
        endpoint.enabled = not params.get("disabled", not endpoint.enabled)
        return self.show(endpoint)

    @route("DELETE", "/webhook_endpoints/{id}")
    def delete(self, call: Call) -> Object:
        endpoint = self.table.find(call.id)
        self.table.remove(endpoint)
        return {**self.head(endpoint), "deleted": True}

    def show(self, record: Endpoint) -> Object:
        return {
            **self.head(record),
            "api_version": record.api_version,
            "application": None,
            "created": record.created,
            "description": record.description,
            "enabled_events": list(record.events),
            "livemode": False,
            "metadata": dict(record.metadata),
            "status": "enabled" if record.enabled else "disabled",
            "url": record.url,
        }

    # --- deliveries --------------------------------------------------------------------------------------------------

    def register(self, url: str, events: Sequence[str], secret: str, **more: Any) -> Endpoint:
        """A new endpoint for *events* whose deliveries *secret* signs."""
        return self.table.add(Endpoint(**self.birth(), url=url, events=tuple(events), secret=secret, **more))

    def roll(self, endpoint: Endpoint) -> str:
        """Give *endpoint* a new secret, which is returned; the old one signs beside it for 24 hours."""
        endpoint.old_secret, endpoint.old_until = endpoint.secret, self.state.now() + _ROLL_OVER
        endpoint.secret = self.state.ids.new("whsec")
        return endpoint.secret

    def wanting(self, name: str) -> Sequence[Endpoint]:
        """The endpoints that take events of type *name*."""
        return [one for one in self.table.rows() if one.enabled and ("*" in one.events or name in one.events)]

    def send(self, endpoint: Endpoint, event: Mapping[str, Any]) -> None:
        """Queue *event* for *endpoint*, written as no JSON library does by itself: re-encoding breaks the signature."""
        self._outbox.put(
            Delivery(
                url=endpoint.url,
                headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "Stripe/1.0"},
                body=json.dumps(event, ensure_ascii=False, separators=(",\n  ", ": ")).encode(
                    errors="backslashreplace"
                ),
                at=self.state.now(),
                event=event["type"],
                event_id=event["id"],
                source=endpoint.id,
            )
        )

    def signed(self, delivery: Delivery) -> Delivery | None:
        """*delivery* as it leaves now, with the present second in its signature; None once its endpoint is gone."""
        endpoint = self.table.get(delivery.source)
        if endpoint is None:
            return None
        now = self.state.now()
        secrets = [endpoint.secret]
        if endpoint.old_secret is not None and endpoint.old_until is not None and now < endpoint.old_until:
            secrets.append(endpoint.old_secret)
        signature = sign(delivery.body, int(now.timestamp()), secrets)
        return attrs.evolve(delivery, headers={**delivery.headers, "Stripe-Signature": signature})

    def answered(self, delivery: Delivery, status: int) -> bool:
        """Whether *status*, the merchant's answer, is a success (any 2xx); plans the next try if it is not."""
        if 200 <= status < 300:
            return True
        waits = self.state.behaviour.webhook_retries
        if delivery.attempt <= len(waits):
            at = self.state.now() + dt.timedelta(seconds=waits[delivery.attempt - 1])
            self._outbox.put(attrs.evolve(delivery, at=at, attempt=delivery.attempt + 1))
        return False


def sign(body: bytes, moment: int, secrets: Sequence[str]) -> str:
    """The value of ``Stripe-Signature`` for *body* sent at *moment* (seconds since 1970), one ``v1`` a secret."""
    message = f"{moment}.".encode() + body
    digests = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={moment}", *(f"v1={digest}" for digest in digests)])


def _url(url: str) -> str:
    if checked_target(url) is None:
        raise ApiError.invalid("url", "Invalid URL: an endpoint is an absolute http or https address.", "url_invalid")
    return url


def _events(names: Sequence[str]) -> Sequence[str]:
    for position, name in enumerate(names):
        if not _EVENT.fullmatch(name):
            raise ApiError.invalid(f"enabled_events[{position}]", "Invalid enabled_events: not the name of an event.")
    return names
