"""The filters of lists of charges (provider fact sheet §7.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .records import Charge, Token
from .wire import ApiError, parse_instant

__all__ = ["Condition", "conditions"]

#: Whether a charge is wanted.
Condition: TypeAlias = Callable[[Charge], bool]

#: These work only all four together.
_CARD = ("last_four", "name", "exp_month", "exp_year")


def conditions(query: Mapping[str, str]) -> list[Condition]:
    """What the filters of *query* demand of a charge.

    :raises ApiError: a filter cannot be read, or only a part of a card is given.
    """
    found = [_FILTERS[name](text) for name, text in query.items() if name in _FILTERS]
    missing = [name for name in _CARD if name not in query]
    if 0 < len(missing) < len(_CARD):
        raise ApiError.invalid(missing[0], "REQUIRED_VALUE")
    if not missing:
        card = {name: query[name] for name in _CARD}
        found.append(lambda charge: _card(charge.token) == card)
    return found


def _from(text: str) -> Condition:
    moment = parse_instant("from", text)
    return lambda charge: charge.created >= moment


def _to(text: str) -> Condition:
    """Exclusive, unlike ``from``."""
    moment = parse_instant("to", text)
    return lambda charge: charge.created < moment


def _amount_from(text: str) -> Condition:
    least = _whole("amount_from", text)
    return lambda charge: charge.amount >= least


def _amount_to(text: str) -> Condition:
    """Exclusive, unlike ``amount_from``."""
    most = _whole("amount_to", text)
    return lambda charge: charge.amount < most


def _metadata(text: str) -> Condition:
    """UNCERTAIN (open point 4) what it matches; here ``key: value``, one key with its whole value."""
    key, _, value = (part.strip() for part in text.partition(":"))
    return lambda charge: str(charge.metadata.get(key, "")) == value


def _equals(read: Callable[[Charge], Any]) -> Callable[[str], Condition]:
    return lambda text: lambda charge: bool(read(charge) == text)


_FILTERS: Mapping[str, Callable[[str], Condition]] = {
    "from": _from,
    "to": _to,
    "amount_from": _amount_from,
    "amount_to": _amount_to,
    "metadata": _metadata,
    "currency": _equals(lambda charge: charge.currency),
    "mode": _equals(lambda charge: charge.mode),
    "email": _equals(lambda charge: charge.token.email),
    "phone": _equals(lambda charge: (charge.token.billing["phone_number"] or {}).get("local_number")),
}


def _whole(field: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as exc:
        raise ApiError.invalid(field, "INVALID_AMOUNT") from exc


def _card(token: Token) -> dict[str, str]:
    shown = token.card | {"name": token.card["cardholder"]}
    return {name: str(shown[name]) for name in _CARD}
