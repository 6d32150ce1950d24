"""Card data: test tokens, tokens made from test numbers, and the test numbers themselves (provider fact sheet §11)."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from .cards import CARDS, NUMBERS, Decline, TestCard, decline, luhn
from .errors import CARD_ERROR, ApiError
from .params import Table, integer, mapping, text
from .resource import Object, Resource, route
from .state import Call
from .tables import Record

__all__ = ["CARD", "CardData", "Tokens", "check_expiry", "refused"]

_NUMBER: Table = {
    "number": text(),
    "exp_month": integer(),
    "exp_year": integer(),
    "cvc": text(),
    "name": text(unset=True),
}

#: How a new card is given: a token, or a number with its expiry.
CARD: Table = {**{name: param for name, param in _NUMBER.items() if name != "name"}, "token": text()}


@attrs.frozen
class CardData:
    """A test card with an expiry."""

    card: TestCard = attrs.field(repr=False)
    exp_month: int
    exp_year: int


@attrs.define
class Token(Record):
    """A card that can become a payment method once."""

    data: CardData
    used: bool = False


class Tokens(Resource[Token]):
    """``/v1/tokens``."""

    kind = "token"
    prefix = "tok"

    @route("POST", "/tokens", {"card": mapping(_NUMBER, required=True)})
    def create(self, call: Call) -> Object:
        return self.show(self.table.add(Token(**self.birth(), data=self._numbered(call.params["card"]))))

    @route("GET", "/tokens/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    def show(self, record: Token) -> Object:
        data, card = record.data, record.data.card
        return {
            **self.head(record),
            "card": {
                "id": f"card_{record.id.removeprefix('tok_')}",
                "object": "card",
                "brand": card.brand,
                "country": card.country,
                "exp_month": data.exp_month,
                "exp_year": data.exp_year,
                "fingerprint": card.fingerprint,
                "funding": "credit",
                "last4": card.last4,
                "metadata": {},
            },
            "client_ip": None,
            "created": record.created,
            "livemode": False,
            "type": "card",
            "used": record.used,
        }

    def read(self, given: Mapping[str, Any]) -> CardData:
        """The card that :data:`CARD` describes: ``tok_visa`` and its like, a token of ours, or a test number.

        :raises ApiError: it cannot be read, has been used, or is none of the test cards.
        """
        if "token" not in given:
            return self._numbered(given)
        identifier = given["token"]
        if (known := CARDS.get(identifier.removeprefix("tok_"))) is not None and identifier.startswith("tok_"):
            return CardData(known, 12, self.state.now().year + 4)
        token = self.table.find(identifier, "card[token]")
        if token.used:
            message = f"You cannot use a Stripe token more than once: {token.id}."
            raise ApiError.invalid("card[token]", message, "token_already_used")
        token.used = True
        return token.data

    def _numbered(self, given: Mapping[str, Any]) -> CardData:
        for name in ("number", "exp_month", "exp_year"):
            if name not in given:
                raise ApiError.invalid(f"card[{name}]", f"Missing required param: card[{name}].", "parameter_missing")
        if not self.state.behaviour.raw_cards:
            message = "Sending card numbers directly to the API is not enabled for this account: use a test token."
            raise ApiError(402, message, kind=CARD_ERROR)
        number = "".join(given["number"].split()).replace("-", "")
        if not luhn(number):
            raise refused(decline("incorrect_number"), "card[number]")
        if number not in NUMBERS:
            raise refused(decline("testmode_decline"), "card[number]")
        year = check_expiry(given["exp_month"], given["exp_year"], self.state.now())
        cvc = given.get("cvc", "000")
        if not (cvc.isascii() and cvc.isdecimal() and 3 <= len(cvc) <= 4):
            message = "Your card's security code is invalid."
            raise ApiError(402, message, kind=CARD_ERROR, code="invalid_cvc", param="card[cvc]")
        return CardData(NUMBERS[number], given["exp_month"], year)


def refused(reason: Decline, param: str | None = None, *, charge: str | None = None) -> ApiError:
    """402: the card is refused outside of any intent; *charge* is the failed one, where there was one."""
    more = {} if reason.decline_code is None else {"decline_code": reason.decline_code}
    more |= {} if charge is None else {"charge": charge}
    return ApiError(402, reason.message, kind=CARD_ERROR, code=reason.code, param=param, details=more)


def check_expiry(month: int, year: int, now: dt.datetime) -> int:
    """Refuse an expiry that does not exist, lies behind *now*, or too far ahead; returns the year in four digits.

    :raises ApiError: ``invalid_expiry_month`` or ``invalid_expiry_year``.
    """
    if not 1 <= month <= 12:
        message = "Your card's expiration month is invalid."
        raise ApiError(402, message, kind=CARD_ERROR, code="invalid_expiry_month", param="card[exp_month]")
    full = year + 2000 if 0 <= year < 100 else year
    if not now.year <= full <= now.year + 50 or _last_day(full, month) < now.date():
        message = "Your card's expiration year is invalid."
        raise ApiError(402, message, kind=CARD_ERROR, code="invalid_expiry_year", param="card[exp_year]")
    return full


def _last_day(year: int, month: int) -> dt.date:
    return dt.date(year, month, calendar.monthrange(year, month)[1])
