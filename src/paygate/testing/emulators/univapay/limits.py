"""Limits of the emulated UnivaPay: requests a minute, the same charge again, and cards that fail too often."""

from __future__ import annotations

import collections
import datetime as dt
import re

import attrs

from ....flow import Request
from .records import Token
from .state import State
from .wire import ApiError

__all__ = ["CardLimits", "RateLimit"]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: A bucket holds this part of a minute's requests.
_BURST = 4


@attrs.define
class _Bucket:
    left: float
    filled: dt.datetime


class RateLimit:
    """Token buckets for the exact path and for the route (provider fact sheet §14)."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, request: Request, path: str) -> tuple[bool, dict[str, str]]:
        """Whether *request* is let in, and the headers that its reply carries; none where there is no limit."""
        limits = self._state.behaviour.rate_limit
        if limits is None:
            return True, {}
        exact, route = limits
        left = (
            self._take(f"{request.method} {path}", exact),
            self._take(f"{request.method} {_UUID.sub('{id}', path)} (route)", route),
        )
        headers = {
            "X-Remaining-Requests-Exact": str(max(left[0], 0)),
            "X-Remaining-Requests-Route": str(max(left[1], 0)),
            "X-Requests-Per-Minute-Exact": str(exact),
            "X-Requests-Per-Minute-Route": str(route),
        }
        return min(left) >= 0, headers

    def _take(self, name: str, per_minute: int) -> int:
        now, size = self._state.now(), max(per_minute // _BURST, 1)
        bucket = self._buckets.setdefault(name, _Bucket(size, now))
        passed = (now - bucket.filled).total_seconds()
        bucket.left = min(bucket.left + passed * per_minute / 60, size)
        bucket.filled = now
        if bucket.left < 1:
            return -1
        bucket.left -= 1
        return int(bucket.left)


class CardLimits:
    """What a card may not do: the same amount twice within 30 seconds, or fail too often."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._latest: collections.OrderedDict[tuple[str, int, str], dt.datetime] = collections.OrderedDict()
        self._failures: dict[str, list[dt.datetime]] = {}

    def too_quick(self, token: Token, amount: int, currency: str) -> bool:
        """Whether the same amount was asked of the same card within the window."""
        window = self._state.behaviour.duplicate_window
        latest = self._latest.get((token.number, amount, currency))
        return window is not None and latest is not None and (self._state.now() - latest).total_seconds() < window

    def asked(self, token: Token, amount: int, currency: str) -> None:
        """Remember that *amount* was asked of the card; forget what no window reaches any more."""
        now, window = self._state.now(), self._state.behaviour.duplicate_window or 0.0
        while self._latest and (now - next(iter(self._latest.values()))).total_seconds() >= window:
            self._latest.popitem(last=False)
        self._latest[token.number, amount, currency] = now
        self._latest.move_to_end((token.number, amount, currency))

    def failed(self, token: Token) -> None:
        """Count a failed charge of the card."""
        lock = self._state.behaviour.card_lock
        if lock is not None:
            self._failures[token.number] = [*self._failures.get(token.number, [])[1 - lock[0] :], self._state.now()]

    def check_lock(self, token: Token) -> None:
        """Refuse a card that failed too often a short time ago.

        :raises ApiError: 403 ``CARD_LOCKED``.
        """
        lock = self._state.behaviour.card_lock
        failures = self._failures.get(token.number, [])
        if lock is None or len(failures) < lock[0]:
            return
        if (self._state.now() - failures[-1]).total_seconds() < lock[1]:
            raise ApiError(403, "CARD_LOCKED")
        del self._failures[token.number]
