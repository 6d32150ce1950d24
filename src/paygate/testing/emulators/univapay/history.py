"""``/transaction_history`` of the emulated UnivaPay: charges and refunds in one list (provider fact sheet §18)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ....flow import Response
from .auth import Caller
from .records import Charge, Refund
from .state import State
from .views import Views
from .wire import ApiError, page, parse_instant

__all__ = ["History"]

_TYPES = frozenset({"charge", "refund"})


#: What narrows the list, beside the names in :func:`_fields`.
_FILTERS = frozenset({"from", "to", "brand", "brand[]", "metadata", "search"})


class History:
    """Reads charges and refunds as one list."""

    def __init__(self, state: State, views: Views) -> None:
        self._state = state
        self._views = views

    def list(self, caller: Caller, query: Mapping[str, str]) -> Response:
        """A page of what passes the filters; ``from`` and ``to`` are both inclusive here."""
        if query.get("type", "charge") not in _TYPES:
            raise ApiError.invalid("type", "INVALID_FORMAT")
        begin = parse_instant("from", query["from"]) if "from" in query else None
        end = parse_instant("to", query["to"]) if "to" in query else None

        def wanted(one: Charge | Refund) -> bool:
            if (begin is not None and one.created < begin) or (end is not None and one.created > end):
                return False
            return self._state.visible(one.created) and _matches(one, query)

        row = self._state.history.row(caller.store_id)
        narrowed = self._state.behaviour.list_delay or not (_FILTERS | _FIELDS.keys()).isdisjoint(query)
        show = self._views.history_item
        return page(row, query, show, total=True, wanted=wanted if narrowed else None, since=begin)


def _charge(one: Charge | Refund) -> Charge:
    return one.charge if isinstance(one, Refund) else one


def _cardholder(one: Charge | Refund) -> str:
    return str(_charge(one).token.card["cardholder"] or "")


def _expiry(one: Charge | Refund) -> str:
    card = _charge(one).token.card
    return f"{card['exp_year']}-{card['exp_month']:02d}"


#: Filters that compare one text with one field.
_FIELDS: Mapping[str, Callable[[Charge | Refund], str | None]] = {
    "id": lambda one: one.id,
    "short_id": lambda one: one.id[-6:],
    "status": lambda one: one.status,
    "type": lambda one: "refund" if isinstance(one, Refund) else "charge",
    "email": lambda one: _charge(one).token.email,
    "card_last_four": lambda one: str(_charge(one).token.card["last_four"]),
    "card_exp": _expiry,
    "cardholder": _cardholder,
    "currency": lambda one: one.currency,
    "mode": lambda one: _charge(one).mode,
}


def _matches(one: Charge | Refund, query: Mapping[str, str]) -> bool:
    if any(read(one) != query[name] for name, read in _FIELDS.items() if name in query):
        return False
    token = _charge(one).token
    brands = query.get("brand[]") or query.get("brand")
    if brands is not None and token.card["brand"] not in brands.split(","):
        return False
    pairs = [text for key, value in one.metadata.items() for text in (f"{key}:{value}", f"{key}: {value}", str(value))]
    if "metadata" in query and query["metadata"] not in pairs:
        return False
    searched = " ".join([one.id, _cardholder(one), token.email or "", *pairs]).lower()
    return query.get("search", "").lower() in searched
