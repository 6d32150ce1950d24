"""Transaction tokens: stored and one-time cards of the emulated UnivaPay."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping
from typing import Any

from ....flow import Response
from .auth import Caller
from .cards import brand_of, luhn
from .state import Charge, ChargePlan, State, Token, merge_metadata
from .wire import ApiError, instant, page, reply

__all__ = ["Tokens"]

_TYPES = frozenset({"one_time", "subscription", "recurring"})
_LIMITS = frozenset({"daily", "weekly", "monthly", "annually"})
_BILLING = ("line1", "line2", "state", "city", "country", "zip")


class Tokens:
    """``/tokens`` and ``/stores/{store}/tokens``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create(self, caller: Caller, body: Mapping[str, Any], token_id: str | None = None) -> Response:
        token = self._token(caller, body, token_id)
        self._state.tokens[token.id] = token
        if body["data"].get("cvv_authorize", {}).get("enabled"):
            self._check_cvv(token)
        self._state.emit("token_created", token.store_id, self.show(token))
        return reply(201, self.show(token))

    def get(self, caller: Caller, token_id: str) -> Response:
        return reply(200, self.show(self.find(caller.store_id, token_id)))

    def list(self, caller: Caller, query: Mapping[str, str]) -> Response:
        wanted = {"active": {True}, "inactive": {False}, "all": {True, False}}.get(query.get("active", "active"), set())
        found = [
            token
            for token in self._state.tokens.values()
            if token.store_id == caller.store_id
            and token.type != "one_time"
            and token.active in wanted
            and query.get("type", token.type) == token.type
            and self._state.visible(token.created)
        ]
        return page(found, query, lambda token: token.id, self._show_item, total=True)

    def patch(self, caller: Caller, token_id: str, body: Mapping[str, Any]) -> Response:
        token = self.find(caller.store_id, token_id)
        if "email" in body:
            token.email = body["email"]
        merge_metadata(token.metadata, body.get("metadata"))
        token.updated = self._state.now()
        self._state.emit("token_updated", token.store_id, self.show(token))
        return reply(200, self.show(token))

    def delete(self, caller: Caller, token_id: str) -> Response:
        token = self.find(caller.store_id, token_id)
        if any(charge.token is token and charge.status == "pending" for charge in self._state.charges.values()):
            raise ApiError(400, "UNFINISHED_CHARGES_EXIST_FOR_TOKEN")
        token.active = False
        token.updated = self._state.now()
        if token.type == "recurring":
            self._state.emit("recurring_token_deleted", token.store_id, self.show(token))
        return Response(204)

    def find(self, store_id: str, token_id: str) -> Token:
        """The token of that store; 404 otherwise."""
        token = self._state.tokens.get(token_id)
        if token is None or token.store_id != store_id:
            raise ApiError.missing()
        return token

    def _token(self, caller: Caller, body: Mapping[str, Any], token_id: str | None) -> Token:
        behaviour, now = self._state.behaviour, self._state.now()
        if body.get("payment_type") != "card":
            raise ApiError.invalid("payment_type", "INVALID_FORMAT")
        kind, data = body.get("type"), body.get("data")
        if kind not in _TYPES:
            raise ApiError.invalid("type", "INVALID_FORMAT")
        if not isinstance(data, Mapping):
            raise ApiError.invalid("data", "REQUIRED_VALUE")
        if not behaviour.raw_cards and caller.with_secret:
            raise ApiError(401, "DIRECT_CARD_TOKEN_CREATION_DISABLED")
        usage_limit = body.get("usage_limit")
        if kind == "recurring":
            _check_privilege(behaviour.recurring_privilege, usage_limit)
        number = str(data.get("card_number", "")).replace(" ", "")
        if not luhn(number):
            raise ApiError.invalid("data.card_number", "INVALID_CARD_NUMBER")
        month, year = _expiry(data, now)
        phone = dict(data["phone_number"]) if isinstance(data.get("phone_number"), Mapping) else None
        if phone and str(phone.get("country_code", "")).isdigit():
            phone["country_code"] = int(phone["country_code"])  # a string on the way in, a number on the way out
        return Token(
            id=token_id or self._state.new_id(),
            store_id=caller.store_id,
            mode=caller.mode,
            type=kind,
            email=body.get("email"),
            number=number,
            card={
                "cardholder": data.get("cardholder"),
                "exp_month": month,
                "exp_year": year,
                "card_bin": number[:6],
                "last_four": number[-4:],
                "brand": brand_of(number),
                "card_type": "credit",
                "country": "JP",
                "category": "classic",
                "issuer": "EXAMPLE BANK",
                "sub_brand": "none",
            },
            billing={name: data.get(name) for name in _BILLING} | {"phone_number": phone},
            metadata=dict(body.get("metadata") or {}),
            created=now,
            updated=now,
            usage_limit=usage_limit,
            ip_address=body.get("ip_address"),
        )

    def _check_cvv(self, token: Token) -> None:
        """The CVV check makes a small charge that stays ``authorized`` and is not a payment."""
        now = self._state.now()
        charge = Charge(
            id=self._state.new_id(),
            store_id=token.store_id,
            mode=token.mode,
            token=token,
            amount=1,
            currency="JPY",
            capture=False,
            metadata={},
            created=now,
            updated=now,
            plan=ChargePlan(status="authorized"),
            status="authorized",
        )
        self._state.charges[charge.id] = charge
        token.cvv_charge = charge.id

    def show(self, token: Token) -> dict[str, Any]:
        """The resource as it goes out: never the whole number, never the CVV."""
        checked = token.cvv_charge is not None
        return {
            "id": token.id,
            "store_id": token.store_id,
            "email": token.email,
            "payment_type": "card",
            "active": token.active,
            "mode": token.mode,
            "type": token.type,
            "ip_address": token.ip_address,
            "usage_limit": token.usage_limit,
            "confirmed": None,
            "metadata": dict(token.metadata),
            "created_on": instant(token.created),
            "updated_on": instant(token.updated),
            "last_used_on": instant(token.used),
            "data": {
                "card": dict(token.card),
                "billing": dict(token.billing),
                "cvv_authorize": {
                    "enabled": checked,
                    "status": "current" if checked else None,
                    "charge_id": token.cvv_charge,
                    "credentials_id": None,
                    "currency": "JPY" if checked else None,
                },
                "cvv_authorize_check": {"status": None, "charge_id": None, "date": None},
                "three_ds": {"enabled": False, "status": None, "redirect_endpoint": None, "error": None},
            },
        }

    def _show_item(self, token: Token) -> dict[str, Any]:
        names = ("id", "store_id", "email", "payment_type", "active", "mode", "type", "created_on", "updated_on")
        whole = self.show(token)
        user = {"cardholder_name": token.card["cardholder"], "email": token.email, "brand": token.card["brand"]}
        item = {name: whole[name] for name in names}
        return item | {"merchant_name": "Example KK", "store_name": "Main shop", "user_data": user}


def _check_privilege(privilege: str, usage_limit: object) -> None:
    if privilege == "none":
        raise ApiError(400, "RECURRING_TOKEN_DISABLED")
    if privilege == "bounded" and usage_limit not in _LIMITS:
        raise ApiError(400, "RECURRING_USAGE_LIMIT_REQUIRED")
    if privilege == "infinite" and usage_limit is not None:
        raise ApiError(400, "USAGE_LIMIT_NOT_APPLICABLE")


def _expiry(data: Mapping[str, Any], now: dt.datetime) -> tuple[int, int]:
    """Month and four-digit year, which come as strings or numbers and must not lie behind us."""
    try:
        month, year = int(data.get("exp_month", "")), int(data.get("exp_year", ""))
        year += 2000 if year < 100 else 0
        last = dt.date(year, month, calendar.monthrange(year, month)[1])
    except ValueError as exc:
        raise ApiError.invalid("data.exp_month", "INVALID_CARD_EXPIRATION") from exc
    if last < now.date():
        raise ApiError.invalid("data.exp_year", "INVALID_CARD_EXPIRATION")
    return month, year
