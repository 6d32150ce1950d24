"""Idempotency keys of the emulated UnivaPay: best effort, 24 hours, POST and PATCH."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections.abc import Callable

import attrs

from ....flow import Request, Response
from .state import State
from .wire import ApiError

__all__ = ["KeyStore"]


@attrs.frozen
class _Entry:
    """What is kept under a key: a reply without its headers, which are the same for all."""

    fingerprint: bytes
    status: int
    body: bytes
    stored: dt.datetime


class KeyStore:
    """Remembers the first reply under each key. ASSUMED: the key's scope is the app token, the body counts bytewise."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._entries: dict[tuple[str, str], _Entry] = {}

    def perform(self, request: Request, scope: str, action: Callable[[], Response]) -> Response:
        """Perform *action* unless its reply is known, and say in ``Idempotency-Status`` what was done."""
        key = request.headers.get("idempotency-key")
        if key is None:
            return action()
        if request.method not in {"POST", "PATCH"}:
            return _marked(action(), "disabled")
        behaviour = self._state.behaviour
        if behaviour.key_store_down:
            return _marked(action(), "error")
        fingerprint = hashlib.sha256(f"{request.method} {request.url}\n".encode() + request.body).digest()
        entry = self._entries.get((scope, key))
        if entry is not None and (self._state.now() - entry.stored).total_seconds() < self._life:
            if entry.fingerprint != fingerprint:
                return _marked(ApiError(409, "IDEMPOTENCY_KEY_CONFLICT").response(), "conflicting_key")
            if behaviour.key_result_lost:
                return _marked(ApiError(500, "UNABLE_TO_GET_IDEMPOTENT_RESULT").response(), "error")
            stored = Response(entry.status, {"Content-Type": "application/json"} if entry.body else {}, entry.body)
            return _marked(stored, "retrieved_idempotent_response")
        response = action()
        if response.status >= 400 and not behaviour.key_stores_errors:
            return _marked(response, "not_stored")
        self._keep(scope, key, _Entry(fingerprint, response.status, response.body, self._state.now()))
        return _marked(response, "successfully_stored")

    def _keep(self, scope: str, key: str, entry: _Entry) -> None:
        """Store *entry*, the newest, and forget the oldest that nobody can ask for any more."""
        self._entries.pop((scope, key), None)
        self._entries[scope, key] = entry
        for oldest, old in list(itertools.islice(self._entries.items(), 2)):  # faster than they come in
            if old is not entry and (entry.stored - old.stored).total_seconds() >= self._life:
                del self._entries[oldest]

    @property
    def _life(self) -> float:
        return self._state.behaviour.key_life


def _marked(response: Response, status: str) -> Response:
    return Response(response.status, {**response.headers, "Idempotency-Status": status}, response.body)
