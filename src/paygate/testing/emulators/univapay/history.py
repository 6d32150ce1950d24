"""``/transaction_history`` of the emulated UnivaPay: charges and refunds in one list (provider fact sheet §18)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....flow import Response
from .auth import Caller
from .records import Charge, Refund
from .shelf import Shelf
from .state import State
from .views import Views
from .wire import ApiError, page, parse_instant

__all__ = ["History"]

_TYPES = frozenset({"charge", "refund"})


class History:
    """Reads the shelves of charges and refunds as one; made for people, not for every request of a shop."""

    def __init__(self, state: State, views: Views) -> None:
        self._state = state
        self._views = views

    def list(self, caller: Caller, query: Mapping[str, str]) -> Response:
        """A page of what passes the filters; ``from`` and ``to`` are both inclusive here."""
        if query.get("type", "charge") not in _TYPES:
            raise ApiError.invalid("type", "INVALID_FORMAT")
        begin = parse_instant("from", query["from"]) if "from" in query else None
        end = parse_instant("to", query["to"]) if "to" in query else None
        merged: Shelf[_Line] = Shelf()
        rows = [*self._state.charges.row(caller.store_id), *self._state.refunds.row(caller.store_id)]
        for one in sorted(rows, key=lambda one: (one.created, one.id)):
            merged.add(_Line(one))

        def wanted(line: _Line) -> bool:
            if (begin is not None and line.created < begin) or (end is not None and line.created > end):
                return False
            return self._state.visible(line.created) and _matches(line.one, query)

        return page(merged.row(), query, lambda line: self._views.history_item(line.one), total=True, wanted=wanted)


class _Line:
    """A place in the merged list, which numbers its lines anew."""

    __slots__ = ("created", "id", "one", "serial")

    def __init__(self, one: Charge | Refund) -> None:
        self.one, self.id, self.created, self.serial = one, one.id, one.created, 0


def _matches(one: Charge | Refund, query: Mapping[str, str]) -> bool:
    charge = one.charge if isinstance(one, Refund) else one
    token = charge.token
    cardholder = str(token.card["cardholder"] or "")
    fields: dict[str, Any] = {
        "id": one.id,
        "short_id": one.id[-6:],
        "status": one.status,
        "type": "refund" if isinstance(one, Refund) else "charge",
        "email": token.email,
        "card_last_four": token.card["last_four"],
        "card_exp": f"{token.card['exp_year']}-{token.card['exp_month']:02d}",
        "cardholder": cardholder,
        "currency": one.currency,
        "mode": charge.mode,
    }
    if any(query[name] != value for name, value in fields.items() if name in query):
        return False
    brands = query.get("brand[]") or query.get("brand")
    if brands is not None and token.card["brand"] not in brands.split(","):
        return False
    pairs = [text for key, value in one.metadata.items() for text in (f"{key}:{value}", f"{key}: {value}", str(value))]
    if "metadata" in query and query["metadata"] not in pairs:
        return False
    searched = " ".join([one.id, cardholder, token.email or "", *pairs]).lower()
    return query.get("search", "").lower() in searched
