"""Webhooks of the emulated UnivaPay: registration, history, delivery, retries and switching off."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ....flow import Response
from ..addressing import checked_target
from ..webhooks import Delivery, Outbox
from .auth import Caller
from .shelf import Shelf
from .state import State
from .wire import ApiError, instant, page, reply

__all__ = ["Hooks"]

_STORE_EVENTS = frozenset(
    {
        "charge_updated", "charge_finished", "refund_finished", "cancel_finished", "token_created", "token_updated",
        "token_replaced", "recurring_token_deleted", "token_cvv_auth_updated", "token_cvv_auth_check_updated",
        "token_three_ds_updated", "token_three_d_s_updated", "subscription_created", "subscription_payment", "subscription_failure",
        "subscription_suspended", "subscription_canceled", "subscription_completed", "bank_transfer_status_updated",
        "customs_declaration_finished",
    }
)  # fmt: skip


#: Events about pay-outs, which belong to the merchant and to no store.
_MERCHANT_EVENTS = frozenset({"transfer_created", "transfer_updated", "transfer_finalized"})

#: The row of the merchant's own webhooks, beside those of the stores.
_MERCHANT = "merchant"


@attrs.define(kw_only=True, eq=False)
class _Hook:
    id: str
    store_id: str | None
    merchant_id: str
    triggers: list[str]
    url: str
    auth_token: str = attrs.field(repr=False)
    created: dt.datetime
    updated: dt.datetime
    serial: int = 0
    active: bool = True


@attrs.define(kw_only=True, eq=False)
class _Event:
    """:param data: the resource at the time of the event, as JSON."""

    id: str
    hook_id: str
    event: str
    data: str
    created: dt.datetime
    serial: int = 0
    successful: bool = False
    error: str | None = None


class Hooks:
    """``/stores/{store}/webhooks`` and ``/webhooks``, and what becomes of an event."""

    def __init__(self, state: State, outbox: Outbox) -> None:
        self._state = state
        self._outbox = outbox
        self._hooks: Shelf[_Hook] = Shelf()
        self._events: Shelf[_Event] = Shelf()

    # --- the interface -----------------------------------------------------------------------------------------------

    def create(self, caller: Caller, body: Mapping[str, Any], *, store: bool = True) -> Response:
        scope = self._scope(caller, store=store)
        url = _url(body.get("url"))
        hooks = self._hooks.row(scope)
        if any(hook.url == url for hook in hooks):
            raise ApiError(409, "WEBHOOK_URL_EXISTS")
        if len(hooks) >= self._state.behaviour.webhook_limit:
            raise ApiError(400, "RESOURCE_LIMIT_REACHED")
        now = self._state.now()
        hook = _Hook(
            id=self._state.new_id(),
            store_id=caller.store_id if store else None,
            merchant_id=caller.merchant_id,
            triggers=_triggers(body.get("triggers"), store=store),
            url=url,
            auth_token=str(body.get("auth_token") or ""),
            created=now,
            updated=now,
        )
        self._hooks.add(hook, scope)
        return reply(201, _show(hook))

    def get(self, caller: Caller, hook_id: str, *, store: bool = True) -> Response:
        return reply(200, _show(self._find(caller, hook_id, store=store)))

    def list(self, caller: Caller, query: Mapping[str, str], *, store: bool = True) -> Response:
        row, active = self._hooks.row(self._scope(caller, store=store)), query.get("active")
        wanted = None if active is None else lambda hook: hook.active is (active == "true")
        return page(row, query, _show, total=False, wanted=wanted)

    def patch(self, caller: Caller, hook_id: str, body: Mapping[str, Any], *, store: bool = True) -> Response:
        hook = self._find(caller, hook_id, store=store)
        url = _url(body.get("url", hook.url))
        others = self._hooks.row(self._scope(caller, store=store))
        if any(other is not hook and other.url == url for other in others):
            raise ApiError(409, "WEBHOOK_URL_EXISTS")
        if "triggers" in body:
            hook.triggers = _triggers(body["triggers"], store=store)
        hook.url = url
        hook.auth_token = str(body.get("auth_token", hook.auth_token) or "")
        hook.active = body.get("active", hook.active) is True
        hook.updated = self._state.now()
        return reply(200, _show(hook))

    def delete(self, caller: Caller, hook_id: str, *, store: bool = True) -> Response:
        hook = self._find(caller, hook_id, store=store)
        self._hooks.remove(hook, self._scope(caller, store=store))
        return Response(204)

    def events(self, caller: Caller, hook_id: str, query: Mapping[str, str], *, store: bool = True) -> Response:
        hook = self._find(caller, hook_id, store=store)
        return page(self._events.row(hook.id), query, _show_event, total=False)

    def redeliver(self, caller: Caller, hook_id: str, event_id: str, *, store: bool = True) -> Response:
        hook, event = self._find(caller, hook_id, store=store), self._events.get(event_id)
        if event is None or event.hook_id != hook.id:
            raise ApiError.missing()
        self._outbox.put(self._delivery(hook, event))
        return reply(202, {})

    # --- what becomes of an event ------------------------------------------------------------------------------------

    def emit(self, name: str, store_id: str, show: Callable[[], Mapping[str, Any]]) -> None:
        """Queue the event *name* for every active webhook of the store, and of its merchant, that wants it.

        :param show: the resource as it is now; asked once, and only where somebody wants the event.
        """
        data: str | None = None
        for scope in (store_id, _MERCHANT):
            for hook in self._hooks.row(scope):
                if not hook.active or name not in hook.triggers:
                    continue
                data = data or json.dumps(show(), ensure_ascii=False, separators=(",", ":"))
                event = _Event(
                    id=self._state.new_id(), hook_id=hook.id, event=name, data=data, created=self._state.now()
                )
                self._remember(event)
                self._outbox.put(self._delivery(hook, event))

    def _remember(self, event: _Event) -> None:
        self._events.add(event, event.hook_id)
        history = self._events.row(event.hook_id)
        while len(history) > self._state.behaviour.webhook_history:
            self._events.remove(history[0], event.hook_id)

    def answered(self, delivery: Delivery, status: int) -> None:
        """Act on the merchant's answer; ``0`` means none in time.

        2xx is the end. 3xx switches the webhook off at once, ten failures with most other statuses do; 429, 503 and
        silence are retried without switching off. UNCERTAIN (open point 14) how often; here as often as the others.
        """
        event, hook, taken = self._events.get(delivery.event_id), self._hooks.get(delivery.source), 200 <= status < 300
        if event is not None:
            event.successful, event.error = taken, None if taken else str(status)
        if taken or hook is None:
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
        headers = {"Content-Type": "application/json"}
        if hook.auth_token:
            headers["Authorization"] = self._state.behaviour.webhook_prefix + hook.auth_token
        created = instant(event.created)
        body = f'{{"id":"{event.id}","event":"{event.event}","data":{event.data},"created_on":"{created}"}}'
        return Delivery(
            url=hook.url,
            headers=headers,
            body=body.encode(errors="backslashreplace"),
            at=self._state.now(),
            event=event.event,
            event_id=event.id,
            source=hook.id,
        )

    def _find(self, caller: Caller, hook_id: str, *, store: bool) -> _Hook:
        row = self._hooks.row(self._scope(caller, store=store))
        position = row.find(hook_id)
        if position is None:
            raise ApiError.missing()
        return row[position]

    def _scope(self, caller: Caller, *, store: bool) -> str:
        """The row that the caller works on: a store's, or the merchant's."""
        caller.need_secret()
        if store:
            return caller.store_id
        if caller.level != "merchant" and not self._state.behaviour.store_manages_merchant_webhooks:
            raise ApiError(403, "INVALID_PERMISSIONS")
        return _MERCHANT


def _show(hook: _Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "merchant_id": hook.merchant_id,
        "store_id": hook.store_id,
        "triggers": list(hook.triggers),
        "url": hook.url,
        "auth_token": hook.auth_token,
        "active": hook.active,
        "is_integration": False,
        "created_on": instant(hook.created),
        "updated_on": instant(hook.updated),
    }


def _url(given: object) -> str:
    url = checked_target(given)
    if url is None:
        raise ApiError.invalid("url", "INVALID_FORMAT_URL")
    return url


def _triggers(given: object, *, store: bool) -> list[str]:
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise ApiError.invalid("triggers", "REQUIRED_VALUE")
    known = _STORE_EVENTS if store else _STORE_EVENTS | _MERCHANT_EVENTS
    if not set(given) <= known:
        raise ApiError.invalid("triggers", "INVALID_EVENT_FOR_STORE" if store else "INVALID_EVENT_FOR_MERCHANT")
    return list(given)


def _show_event(event: _Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "webhook_id": event.hook_id,
        "event": event.event,
        "data": json.loads(event.data),
        "successful": event.successful,
        "fired_on": instant(event.created),
        "error_message": event.error,
        "created_on": instant(event.created),
    }
