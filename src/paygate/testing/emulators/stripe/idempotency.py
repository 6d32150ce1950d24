"""Idempotency keys, native and for 24 hours (provider fact sheet §7).

The first answer under a key is stored once its request began to be executed, declines and HTTP 500 included; what was
refused before that (validation, 401, 409, 429) is not, and the same key may be sent again.
"""

from __future__ import annotations

import hashlib
import json

import attrs

from .assumptions import Behaviour
from .errors import IDEMPOTENCY_ERROR, ApiError
from .forms import Form
from .state import State

__all__ = ["Kept", "KeyStore", "key_in_use"]

_LONGEST = 255


@attrs.frozen
class Kept:
    """A stored answer: status and body, and the id of the request that it was given to."""

    status: int
    body: bytes
    request_id: str


@attrs.frozen
class _Entry:
    target: str
    fingerprint: bytes
    status: int
    packed: bytes
    request_id: str
    stored: int


class KeyStore:
    """The answers by key, oldest first, and the keys whose first request is still running."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._entries: dict[str, _Entry] = {}
        self._running: set[str] = set()
        self._swept = state.timestamp()

    def begin(self, key: str, target: str, form: Form) -> Kept | None:
        """Reserve *key* for a new request on *target* (its path), or return what is kept under it.

        :raises ApiError: the key is too long, was used for another request, or is in use at this moment.
        """
        if len(key) > _LONGEST:
            raise ApiError(400, f"Idempotency keys have at most {_LONGEST} characters; this one has {len(key)}.")
        if key in self._running:
            raise key_in_use(self._state.behaviour)
        entry = self._find(key)
        if entry is None:
            self._running.add(key)
            return None
        if entry.target != target:
            message = f"Keys for idempotent requests belong to one endpoint, and this one was used on {entry.target}."
            raise ApiError(400, message, kind=IDEMPOTENCY_ERROR)
        if entry.fingerprint != _fingerprint(form):
            message = "Keys for idempotent requests belong to one set of parameters, and this one was used with others."
            raise ApiError(400, message, kind=IDEMPOTENCY_ERROR)
        return Kept(entry.status, self._state.packer.unpack(_kind(target), entry.packed), entry.request_id)

    def end(self, key: str, target: str, form: Form, kept: Kept | None) -> None:
        """The request under *key* is over: keep its answer, or nothing where it was refused before it was executed."""
        self._running.discard(key)
        if kept is not None:
            packed = self._state.packer.pack(_kind(target), kept.body)
            entry = _Entry(target, _fingerprint(form), kept.status, packed, kept.request_id, self._state.timestamp())
            self._entries[key] = entry

    def _find(self, key: str) -> _Entry | None:
        now, life = self._state.timestamp(), self._state.behaviour.key_life
        if now - self._swept > life:  # all at once, now and then: no cost that every request would bear
            self._entries = {key: entry for key, entry in self._entries.items() if now - entry.stored < life}
            self._swept = now
        entry = self._entries.get(key)
        return entry if entry is not None and now - entry.stored < life else None


def key_in_use(behaviour: Behaviour) -> ApiError:
    """409: the first request under the key has not been answered yet."""
    message = "A request under the same idempotency key is still in progress; try again later."
    return ApiError(409, message, kind=behaviour.key_in_use_type, code="idempotency_key_in_use")


def _fingerprint(form: Form) -> bytes:
    return hashlib.blake2b(json.dumps(form, sort_keys=True).encode(), digest_size=16).digest()


def _kind(target: str) -> str:
    """What answers on *target* resemble: those of the same collection."""
    return f"answer {target.split('/')[2]}"
