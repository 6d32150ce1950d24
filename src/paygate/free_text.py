"""Text that callers hand in: refused where it holds a card number, or a character that cannot be stored.

Every argument of the gateway's public methods passes :meth:`TextRules.check`, with the texts inside customers, plans,
consents, actors, lists and mappings. A card number that is typed into a free text would be stored, shown and sent on.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from .bounds import field_names
from .errors import CardNumberInText, InvalidValue
from .masking.cards import SHORTEST, card_numbers, is_card_reference
from .masking.view import View
from .money import Money
from .texts import invisible, is_storable

__all__ = ["TextRules"]

#: Arguments and fields of a contract to import that hold a provider's id, which paygate did not choose.
_REFERENCES = frozenset(
    {
        "reference",
        "subscription",
        "payment.token",
        "card.token",
        "row.reference",
        "row.subscription",
        "row.payment.token",
    }
)
#: What contracts, customers, products, payments and attempts are found by again, beside what ends in ``_id``.
_IDS = frozenset(
    {
        "account",
        "code",
        "credential",
        "email",
        "id",
        "idempotency_key",
        "product",
        "reference",
        "subscription",
        "target",
        "token",
    }
)
_DEPTH = 8
#: What holds no text; a currency is one of a table.
_WITHOUT = (int, float, bytes, enum.Enum, type, Money)


@attrs.frozen
class TextRules:
    """What callers may write where.

    :param allow_card_like: arguments whose numbers may look like a card's, because they are the shop's own: ``"consent"``,
        ``"customer.id"``, or the last part of a name alone, ``"id"``.
    """

    allow_card_like: frozenset[str] = frozenset()

    def check(self, name: str, value: object, *, looked_up: bool = False) -> None:
        """Check every text in *value*, the argument *name*.

        :param looked_up: it names something that exists already or does not; nothing of it is written.
        :raises InvalidValue: a text cannot be stored: it holds a NUL, a lone surrogate or another control character; or it is
            an id that something new gets, and holds a character that nobody can see (R-424).
        :raises CardNumberInText: it holds 13 to 19 digits that pass the Luhn check.
        """
        if isinstance(value, str):
            self._text(name, value, name in _REFERENCES, looked_up)
            return
        if value is None or isinstance(value, _WITHOUT):
            return
        for where, text, is_reference in _texts(name, value, _DEPTH):
            self._text(where, text, is_reference, looked_up)

    def _text(self, name: str, text: str, is_reference: bool, looked_up: bool) -> None:
        if type(text) is str and len(text) < SHORTEST and text.isascii() and text.isprintable():
            return  # neither holds a character that cannot be stored, nor has room for a card number
        if not is_storable(text):
            raise InvalidValue(
                f"{name} holds a character that cannot be stored (NUL, half of a surrogate pair, or another control "
                "character); leave it out. Nothing was sent, nothing has changed",
                rule="R-363",
            )
        last = name.rpartition(".")[2]
        if not looked_up and not _in_metadata(name) and is_id(last) and (hidden := invisible(text)) is not None:
            raise InvalidValue(
                f"{name} holds a character that nobody can see ({hidden}): two such ids look alike and are different ones; "
                "type it anew. Nothing was sent, nothing has changed",
                rule="R-424",
            )
        if looked_up or name in self.allow_card_like or last in self.allow_card_like:
            return
        if len(text) < SHORTEST or not (is_card_reference(text) if is_reference else _holds_card(text)):
            return
        remedy = "give the provider's id and nothing else" if is_reference else "put a letter between its digits"
        raise CardNumberInText(
            f"{name} holds what looks like a card number (13 to 19 digits that pass the Luhn check); paygate never "
            f"stores one. If it is a number of your own that only looks so, {remedy}, or allow it with "
            f'allow_card_like = ["{name}"]. Nothing was sent, nothing has changed',
            argument=name,
        )


def _holds_card(text: str) -> bool:
    r"""Whether *text* holds a card number, as it stands or once its escapes are undone (``%20``, ``\u0020``, ``&nbsp;``)."""
    if next(card_numbers(text), None) is not None:
        return True
    read = View.of(text).text
    return read is not text and next(card_numbers(read), None) is not None


def _texts(name: str, value: Any, depth: int) -> Iterator[tuple[str, str, bool]]:
    """Every text inside *value*, with the name of its place, and whether it is a provider's id by its type or field.

    A card checks its own token. What a mapping calls a token or a reference is the caller's word for it, and no such id.
    """
    if isinstance(value, str):
        yield name, value, False
    elif depth <= 0 or value is None or isinstance(value, _WITHOUT):
        return
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(name, key, depth - 1)
            yield from _texts(f"{name}.{key}" if _is_name(key) else name, item, depth - 1)
    elif isinstance(value, list | tuple | set | frozenset):
        items: Iterable[Any] = value
        for item in items:
            yield from _texts(name, item, depth - 1)
    elif attrs.has(type(value)):
        for field in field_names(type(value)):
            where, item = f"{name}.{field}", getattr(value, field)
            if isinstance(item, str) and where in _REFERENCES:
                yield where, item, True
            else:
                yield from _texts(where, item, depth - 1)


def is_id(name: str) -> bool:
    """Whether the argument or field *name* holds what something is found by again."""
    return name in _IDS or name.endswith("_id")


def _in_metadata(name: str) -> bool:
    """Whether the last part of *name* is a key that the caller chose: it says nothing of what the text is."""
    return "metadata" in name.split(".")[:-1]


def _is_name(key: object) -> bool:
    return isinstance(key, str) and key.isidentifier() and key.isascii() and len(key) < 40
