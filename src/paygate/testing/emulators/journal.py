"""The requests that an emulator received: the latest of them, within bounds, and how they are shown to people.

Shown by allow-list: headers and body fields that are not known to be harmless become placeholders, since a client may
send real credentials or a real card by mistake.
"""

from __future__ import annotations

import collections
import datetime as dt
import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs

from ...drivers.redact import mask_text, redact_headers, redact_json
from ...flow import Request

__all__ = ["SHOWN_FIELDS", "Journal", "Received"]

#: How many requests are kept at most, and how many bytes of them.
_KEPT_REQUESTS, _KEPT_BYTES = 10_000, 2 * 1024 * 1024

#: What a request takes beside its texts, roughly.
_OVERHEAD = 1_000

#: Fields of bodies and queries whose values help and tell nothing.
SHOWN_FIELDS = frozenset(
    {
        "active", "amount", "cancel_at_period_end", "capture", "capture_method", "chargePermissionId", "charge_id",
        "collection_method", "confirm", "created", "currency", "currencyCode", "cursor", "cursor_direction",
        "description", "ending_before", "enabled", "event", "expand", "from", "initial_amount", "interval",
        "interval_count", "items", "limit", "metadata", "mode", "off_session", "only_direct_currency", "payment_type",
        "paygate_charge", "paygate_contract", "paygate_refund", "period", "polling", "quantity", "reason", "recurring",
        "schedule_settings", "start_on", "starting_after", "status", "three_ds", "to", "triggers", "type",
        "unit_amount", "usage", "usage_limit",
    }
)  # fmt: skip


@attrs.define
class Received:
    """A request, when it came, and the HTTP status of the answer; None where there was none (yet)."""

    request: Request
    at: dt.datetime
    status: int | None = None

    @property
    def size(self) -> int:
        request = self.request
        headers = sum(len(name) + len(value) for name, value in request.headers.items())
        return _OVERHEAD + len(request.url) + len(request.body) + headers

    def show(self, allow: frozenset[str] = SHOWN_FIELDS) -> dict[str, Any]:
        """For people: without credentials and card numbers."""
        target = urlsplit(self.request.url)
        return {
            "method": self.request.method,
            "path": mask_text(target.path),
            "query": _show_form(target.query, allow),
            "headers": redact_headers(self.request.headers),
            "body": _show_body(self.request, allow),
            "status": self.status,
            "at": self.at.isoformat(),
        }


class Journal:
    """The latest requests, oldest first. Thread-safe."""

    def __init__(self) -> None:
        self._rows: collections.deque[Received] = collections.deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def write(self, request: Request, at: dt.datetime) -> Received:
        """Keep *request*; the row that comes back is for noting the status of the answer."""
        row = Received(request, at)
        with self._lock:
            self._rows.append(row)
            self._bytes += row.size
            while len(self._rows) > _KEPT_REQUESTS or self._bytes > _KEPT_BYTES:
                self._bytes -= self._rows.popleft().size
        return row

    def clear(self) -> None:
        with self._lock:
            self._rows.clear()
            self._bytes = 0

    @property
    def rows(self) -> tuple[Received, ...]:
        with self._lock:
            return tuple(self._rows)


def _show_body(request: Request, allow: frozenset[str]) -> Any:
    if not request.body:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            return _show_form(request.body.decode(), allow)
        return redact_json(json.loads(request.body), allow)
    except (ValueError, RecursionError):
        return f"<{len(request.body)} bytes>"


def _show_form(text: str, allow: frozenset[str]) -> Mapping[str, Any]:
    """The pairs of a form or a query. ``card[number]`` is judged by ``number``, ``expand[]`` and ``items[0]`` by the name
    in front of the brackets.
    """
    shown: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        words = [part for part in name.replace("]", "").split("[") if part and not part.isdigit()]
        shown[mask_text(name)] = mask_text(value) if words and words[-1] in allow else "<str>"
    return shown
