"""Webhooks of the emulated UnivaPay: registration, history, delivery, retries and switching off."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import attrs

from ....flow import Response
from ..webhooks import Delivery, Outbox
from .auth import Caller
from .state import State
from .wire import ApiError, instant, page, reply

__all__ = ["Hooks"]

_TRIGGERS = frozenset(
    {
        "charge_updated", "charge_finished", "refund_finished", "cancel_finished", "token_created", "token_updated",
        "token_replaced", "recurring_token_deleted", "token_cvv_auth_updated", "token_cvv_auth_check_updated",
        "token_three_ds_updated", "subscription_created", "subscription_payment", "subscription_failure",
        "subscription_suspended", "subscription_canceled", "subscription_completed", "bank_transfer_status_updated",
        "customs_declaration_finished",
    }
)  # fmt: skip


@attrs.define
class _Hook:
    id: str
    store_id: str
    triggers: list[str]
    url: str
    auth_token: str = attrs.field(repr=False)
    created: dt.datetime
    updated: dt.datetime
    active: bool = True


@attrs.define
class _Event:
    id: str
    hook_id: str
    event: str
    data: Mapping[str, Any]
    created: dt.datetime
    successful: bool = False
    error: str | None = None


class Hooks:
    """``/stores/{store}/webhooks``, and what becomes of an event."""

    def __init__(self, state: State, outbox: Outbox) -> None:
        self._state = state
        self._outbox = outbox
        self._hooks: dict[str, _Hook] = {}
        self._events: dict[str, _Event] = {}

    # --- the interface -----------------------------------------------------------------------------------------------

    def create(self, caller: Caller, body: Mapping[str, Any]) -> Response:
        if not caller.with_secret:
            raise ApiError(403, "INVALID_PERMISSIONS")
        url = body.get("url")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise ApiError.invalid("url", "INVALID_FORMAT_URL")
        if any(hook.store_id == caller.store_id and hook.url == url for hook in self._hooks.values()):
            raise ApiError(409, "WEBHOOK_URL_EXISTS")
        now = self._state.now()
        hook = _Hook(
            id=self._state.new_id(),
            store_id=caller.store_id,
            triggers=_triggers(body.get("triggers")),
            url=url,
            auth_token=str(body.get("auth_token") or ""),
            created=now,
            updated=now,
        )
        self._hooks[hook.id] = hook
        return reply(201, self._show(hook))

    def get(self, caller: Caller, hook_id: str) -> Response:
        return reply(200, self._show(self._find(caller, hook_id)))

    def list(self, caller: Caller, query: Mapping[str, str]) -> Response:
        found = [hook for hook in self._hooks.values() if hook.store_id == caller.store_id]
        return page(found, query, lambda hook: hook.id, self._show, total=False)

    def patch(self, caller: Caller, hook_id: str, body: Mapping[str, Any]) -> Response:
        hook = self._find(caller, hook_id)
        if "triggers" in body:
            hook.triggers = _triggers(body["triggers"])
        hook.url = str(body.get("url", hook.url))
        hook.auth_token = str(body.get("auth_token", hook.auth_token))
        hook.active = body.get("active", hook.active) is True
        hook.updated = self._state.now()
        return reply(200, self._show(hook))

    def delete(self, caller: Caller, hook_id: str) -> Response:
        del self._hooks[self._find(caller, hook_id).id]
        return Response(204)

    def events(self, caller: Caller, hook_id: str, query: Mapping[str, str]) -> Response:
        hook = self._find(caller, hook_id)
        found = [event for event in self._events.values() if event.hook_id == hook.id]
        return page(found, query, lambda event: event.id, _show_event, total=False)

    def redeliver(self, caller: Caller, hook_id: str, event_id: str) -> Response:
        hook, event = self._find(caller, hook_id), self._events.get(event_id)
        if event is None or event.hook_id != hook.id:
            raise ApiError.missing()
        self._outbox.put(self._delivery(hook, event))
        return reply(202, {})

    # --- what becomes of an event ------------------------------------------------------------------------------------

    def emit(self, name: str, store_id: str, data: Mapping[str, Any]) -> None:
        """Queue the event *name* for every active webhook of the store that wants it."""
        for hook in self._hooks.values():
            if hook.active and hook.store_id == store_id and name in hook.triggers:
                event = _Event(self._state.new_id(), hook.id, name, data, self._state.now())
                self._events[event.id] = event
                self._outbox.put(self._delivery(hook, event))

    def answered(self, delivery: Delivery, status: int) -> None:
        """Act on the merchant's answer; ``0`` means none in time.

        2xx is the end. 3xx switches the webhook off at once, ten failures with most other statuses do; 429, 503 and
        silence are retried without switching off. UNCERTAIN (open point 14) how often; here as often as the others.
        """
        event = self._events[delivery.event_id]
        event.successful, event.error = 200 <= status < 300, None if 200 <= status < 300 else str(status)
        hook = self._hooks.get(delivery.source)
        if event.successful or hook is None:
            return
        waits = self._state.behaviour.webhook_retries
        if 300 <= status < 400:
            hook.active = False
        elif delivery.attempt <= len(waits):
            at = self._state.now() + dt.timedelta(minutes=waits[delivery.attempt - 1])
            self._outbox.put(attrs.evolve(delivery, at=at, attempt=delivery.attempt + 1))
        elif status not in {0, 429, 503}:
            hook.active = False

    def _delivery(self, hook: _Hook, event: _Event) -> Delivery:
        envelope = {"id": event.id, "event": event.event, "data": event.data, "created_on": instant(event.created)}
        headers = {"Content-Type": "application/json"}
        if hook.auth_token:
            headers["Authorization"] = self._state.behaviour.webhook_prefix + hook.auth_token
        return Delivery(
            url=hook.url,
            headers=headers,
            body=json.dumps(envelope, ensure_ascii=False).encode(),
            at=self._state.now(),
            event=event.event,
            event_id=event.id,
            source=hook.id,
        )

    def _find(self, caller: Caller, hook_id: str) -> _Hook:
        hook = self._hooks.get(hook_id)
        if hook is None or hook.store_id != caller.store_id:
            raise ApiError.missing()
        return hook

    def _show(self, hook: _Hook) -> dict[str, Any]:
        return {
            "id": hook.id,
            "store_id": hook.store_id,
            "triggers": list(hook.triggers),
            "url": hook.url,
            "auth_token": hook.auth_token,
            "active": hook.active,
            "is_integration": False,
            "created_on": instant(hook.created),
            "updated_on": instant(hook.updated),
        }


def _triggers(given: object) -> list[str]:
    if not isinstance(given, list) or not given:
        raise ApiError.invalid("triggers", "REQUIRED_VALUE")
    if not set(given) <= _TRIGGERS:
        raise ApiError.invalid("triggers", "INVALID_EVENT_FOR_STORE")
    return list(given)


def _show_event(event: _Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "webhook_id": event.hook_id,
        "event": event.event,
        "data": event.data,
        "successful": event.successful,
        "fired_on": instant(event.created),
        "error_message": event.error,
        "created_on": instant(event.created),
    }
