"""``/_paygate/webhooks``: where deliveries go, what became of them, and what a network may do to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...drivers.redact import redact_headers
from ...flow import Request, Response
from .addressing import checked_target
from .control_input import Fields, Refusal, reply
from .webhooks import Attempt, AttemptState

if TYPE_CHECKING:
    from .base import Emulator

__all__ = ["WebhookControl"]

_LIST = "GET /_paygate/webhooks lists the deliveries; the latest thousand are remembered"


class WebhookControl:
    """The handlers of ``/_paygate/webhooks``. Names come from the path."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def show(self, request: Request, _names: Mapping[str, str]) -> Response:
        query = Fields.query(request, "state", "event", "limit")
        state, event, limit = query.choice("state", AttemptState), query.text("event"), query.digits("limit")
        found = [
            attempt
            for attempt in self._emulator.outbox.attempts
            if state in {None, attempt.state} and event in {None, attempt.delivery.event}
        ]
        latest = found if limit is None else found[max(len(found) - limit, 0) :]
        return reply(200, {**self._switches(), "deliveries": [_show(attempt) for attempt in latest]})

    def one(self, _request: Request, names: Mapping[str, str]) -> Response:
        return reply(200, _show(self._find(names["id"])))

    def target(self, request: Request, _names: Mapping[str, str]) -> Response:
        url = Fields.read(request, "url").text("url")
        if url is None or checked_target(url) is None:
            raise Refusal(400, "url is missing or not an http address", "write url as http://127.0.0.1:8000/webhooks/…")
        self._emulator.set_webhook_target(url)
        return reply(200, {"url": url, "settings": self._emulator.webhook_settings()})

    def redeliver(self, request: Request, names: Mapping[str, str]) -> Response:
        Fields.read(request)
        return self._made(self._emulator.redeliver(self._find(names["id"]).delivery.id))

    def forge(self, request: Request, _names: Mapping[str, str]) -> Response:
        wanted = Fields.read(request, "id").text("id")
        if wanted is not None:
            self._find(wanted)
        try:
            return self._made(self._emulator.send_forged(wanted))
        except KeyError as exc:
            remedy = "set a target and let something happen first: the forged delivery is a copy of a real one"
            raise Refusal(404, "there is no delivery to copy", remedy) from exc

    def shuffle(self, request: Request, _names: Mapping[str, str]) -> Response:
        always, outbox = Fields.read(request, "always").flag("always"), self._emulator.outbox
        if always is not None:
            outbox.reorder = always
            return reply(200, self._switches())
        return reply(200, {**self._switches(), "shuffled": outbox.shuffle(self._emulator.clock.now())})

    def duplicate(self, request: Request, _names: Mapping[str, str]) -> Response:
        always, outbox = Fields.read(request, "always").flag("always"), self._emulator.outbox
        if always is not None:
            outbox.duplicate = always
            return reply(200, self._switches())
        return reply(200, {**self._switches(), "duplicated": outbox.duplicate_waiting()})

    def drop(self, request: Request, _names: Mapping[str, str]) -> Response:
        times = Fields.read(request, "times").integer("times")
        self._emulator.outbox.drop = 1 if times is None else times
        return reply(200, self._switches())

    def hold(self, request: Request, _names: Mapping[str, str]) -> Response:
        Fields.read(request)
        self._emulator.outbox.held = True
        return reply(200, self._switches())

    def release(self, request: Request, _names: Mapping[str, str]) -> Response:
        Fields.read(request)
        self._emulator.outbox.held = False
        self._emulator.catch_up()
        return reply(200, self._switches())

    def _find(self, delivery_id: str) -> Attempt:
        try:
            return self._emulator.outbox.find(delivery_id)
        except KeyError as exc:
            raise Refusal(404, f"no delivery {delivery_id!r}", _LIST) from exc

    def _made(self, delivery_id: str) -> Response:
        self._emulator.catch_up()
        return reply(200, _show(self._find(delivery_id)))

    def _switches(self) -> dict[str, Any]:
        outbox = self._emulator.outbox
        return {
            "always_duplicate": outbox.duplicate,
            "always_shuffle": outbox.reorder,
            "held": outbox.held,
            "to_drop": outbox.drop,
        }


def _show(attempt: Attempt) -> dict[str, Any]:
    delivery = attempt.delivery
    return {
        "id": delivery.id,
        "event": delivery.event,
        "event_id": delivery.event_id,
        "url": delivery.url,
        "attempt": delivery.attempt,
        "forged": delivery.forged,
        "at": delivery.at.isoformat(),
        "state": attempt.state.value,
        "status": attempt.status,
        "answered_at": attempt.made.isoformat() if attempt.made else None,
        "headers": redact_headers(delivery.headers),
        "body": delivery.body.decode(errors="replace"),
    }
