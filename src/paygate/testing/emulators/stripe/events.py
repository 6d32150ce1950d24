"""Events: what happened, with the object as it was at that moment; listed for 30 days (provider fact sheet §8, §9)."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from typing import Any

import attrs

from .endpoints import Endpoints
from .params import PAGE, array, boolean, span, text
from .resource import Object, Resource, route
from .state import Call, State
from .tables import Record
from .versions import API_VERSION

__all__ = ["Event", "Events"]

_LIST = {
    **PAGE,
    "created": span(),
    "type": text(),
    "types": array(text()),
    "delivery_success": boolean(),
}


@attrs.define
class Event(Record):
    """An event. *packed* is its ``data``, about an object of the kind *about*; *open* counts endpoints still to take it."""

    type: str
    about: str
    packed: bytes = attrs.field(repr=False)
    request_id: str | None
    key: str | None
    open: int


class Events(Resource[Event]):
    """``/v1/events``."""

    kind = "event"
    prefix = "evt"

    def __init__(self, state: State, endpoints: Endpoints) -> None:
        super().__init__(state)
        self._endpoints = endpoints
        state.events = self

    def emit(self, name: str, shown: Mapping[str, Any], previous: Mapping[str, Any] | None = None) -> None:
        """Record that *name* happened to the object *shown*, and queue it for the endpoints that want it.

        :param previous: the values before the change of the fields that changed, for ``….updated`` events.
        """
        data = {"object": shown} if previous is None else {"object": shown, "previous_attributes": previous}
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")
        call, about = self.state.call, str(shown["object"])
        wanting = self._endpoints.wanting(name)
        event = Event(
            **self.birth(),
            type=name,
            about=about,
            packed=self.state.packer.pack(f"event {about}", body),
            request_id=call.request_id if call else None,
            key=call.key if call else None,
            open=len(wanting),
        )
        self._forget()
        self.table.add(event)
        if wanting:
            whole = self.show(event)
            for endpoint in wanting:
                self._endpoints.send(endpoint, whole)

    def taken(self, event_id: str) -> None:
        """One endpoint more has taken the event."""
        if (event := self.table.get(event_id)) is not None and event.open:
            event.open -= 1

    def resend(self, event_id: str) -> None:
        """Queue an event again for every endpoint that wants it: same id, and a fresh signature when it leaves.

        :raises KeyError: there is no such event, or it is older than 30 days.
        """
        event = self.table.get(event_id)
        if event is None:
            raise KeyError(event_id)
        for endpoint in self._endpoints.wanting(event.type):
            self._endpoints.send(endpoint, self.show(event))

    @route("GET", "/events", _LIST)
    def list(self, call: Call) -> Object:
        self._forget()
        patterns = call.params.get("types") or [call.params.get("type", "*")]
        delivered = call.params.get("delivery_success")

        def wanted(event: Event) -> bool:
            fits = any(fnmatch.fnmatchcase(event.type, pattern) for pattern in patterns)
            return fits and (delivered is None or delivered == (event.open == 0))

        return self.listing("/events", call.params, wanted=wanted)

    @route("GET", "/events/{id}")
    def retrieve(self, call: Call) -> Object:
        self._forget()
        return self.show(self.table.find(call.id))

    def show(self, record: Event) -> Object:
        return {
            **self.head(record),
            "api_version": API_VERSION,
            "created": record.created,
            "data": json.loads(self.state.packer.unpack(f"event {record.about}", record.packed)),
            "livemode": False,
            "pending_webhooks": record.open,
            "request": {"id": record.request_id, "idempotency_key": record.key},
            "type": record.type,
        }

    def _forget(self) -> None:
        self.table.forget(int(self.state.timestamp() - self.state.behaviour.event_life))
