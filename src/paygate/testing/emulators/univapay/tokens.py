"""Transaction tokens: stored and one-time cards of the emulated UnivaPay."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from ....flow import Response
from .auth import Caller
from .cards import TEST_CARDS, brand_of, charge_fails, luhn
from .course import Course
from .records import Charge, ChargePlan, Token
from .state import State
from .three_ds import TokenThreeDs, issuer_token
from .views import Views
from .wire import ApiError, among, page, read_metadata, reply

__all__ = ["Tokens"]

_TYPES = frozenset({"one_time", "subscription", "recurring"})
_LIMITS = frozenset({"daily", "weekly", "monthly", "annually"})
_BILLING = ("line1", "line2", "state", "city", "country", "zip")

#: Payment types that UnivaPay knows and this emulator does not take, with the code that says so.
_OTHERS = {
    "konbini": "CONVENIENCE_PROCESSING_DISABLED", "qr_scan": "QR_PROCESSING_DISABLED",
    "qr_merchant": "QR_PROCESSING_DISABLED", "online": "PAYMENT_TYPE_NOT_ALLOWED", "paidy": "PAYMENT_TYPE_NOT_ALLOWED",
    "bank_transfer": "PAYMENT_TYPE_NOT_ALLOWED", "apple_pay": "PAYMENT_TYPE_NOT_ALLOWED",
}  # fmt: skip

#: Amount, in minor units, of the charge that checks a CVV.
_CHECK_AMOUNT = 1


class Tokens:
    """``/tokens`` and ``/stores/{store}/tokens``."""

    def __init__(self, state: State, views: Views, course: Course, three_ds: TokenThreeDs) -> None:
        self._state = state
        self._views = views
        self._course = course
        self._three_ds = three_ds

    def create(self, caller: Caller, body: Mapping[str, Any], token_id: str | None = None) -> Response:
        caller.need_store()
        token = self._token(caller, body, token_id)
        data = body["data"]
        asked = data.get("three_ds")
        if isinstance(asked, Mapping) and asked.get("enabled"):
            self._three_ds.begin(token, asked.get("redirect_endpoint"))
        self._add(token)
        check = data.get("cvv_authorize")
        if isinstance(check, Mapping) and check.get("enabled"):
            self._check_cvv(token, str(check.get("currency") or "JPY"))
        self._emit("token_created", token)
        return reply(201, self._views.token(token))

    def get(self, caller: Caller, token_id: str) -> Response:
        return reply(200, self._views.token(self.find(caller.store_id, token_id)))

    def list(self, caller: Caller, query: Mapping[str, str]) -> Response:
        if query.get("type") == "recurring":
            caller.need_secret()
        return page(
            self._state.tokens.row(caller.store_id),
            query,
            self._views.token_item,
            total=True,
            wanted=lambda token: self._state.visible(token.created) and _wanted(token, query),
        )

    def patch(self, caller: Caller, token_id: str, body: Mapping[str, Any]) -> Response:
        token = self.find(caller.store_id, token_id)
        data = body.get("data")
        changes: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        if set(body) - {"data"} or set(changes) - {"cvv"}:
            caller.need_secret()
        metadata = read_metadata(body)
        if changes:
            self._change_card(token, changes)
        if "email" in body:
            token.email = body["email"]
        token.metadata.update(metadata)
        token.updated = self._state.now()
        self._emit("token_updated", token)
        return reply(200, self._views.token(token))

    def delete(self, caller: Caller, token_id: str) -> Response:
        token = self.find(caller.store_id, token_id)
        if any(charge.status == "pending" for charge in self._state.charges.row(token.id)):
            raise ApiError(400, "UNFINISHED_CHARGES_EXIST_FOR_TOKEN")
        kept = not self._state.behaviour.delete_token_with_subscription
        if kept and any(one.token is token and not one.ended for one in self._state.subscriptions):
            raise ApiError(400, "ONGOING_SUBSCRIPTIONS_EXIST_FOR_TOKEN")
        self._deactivate(token)
        if token.type == "recurring":
            self._emit("recurring_token_deleted", token)
        return Response(204)

    def renew(self, caller: Caller, token_id: str, body: Mapping[str, Any]) -> Response:
        """Put new card data in the place of the old: a new token, and the end of the one before."""
        caller.need_secret()
        old = self.find(caller.store_id, token_id)
        if not old.active:
            raise ApiError(400, "CANNOT_UPDATE_TRANSACTION_TOKEN")
        data = body.get("data")
        if not isinstance(data, Mapping):
            raise ApiError.invalid("data", "REQUIRED_VALUE")
        now = self._state.now()
        token = attrs.evolve(
            old,
            id=self._state.new_id(),
            previous_id=old.id,
            card=dict(old.card),
            billing=dict(old.billing),
            metadata=dict(old.metadata),
            created=now,
            updated=now,
        )
        self._change_card(token, data)
        self._add(token)
        self._deactivate(old)
        self._emit("token_replaced", token)
        return reply(201, self._views.token(token))

    def confirm(self, caller: Caller, token_id: str, body: Mapping[str, Any]) -> Response:
        """Confirm a token made with ``use_confirmation`` by the code that was mailed to the customer."""
        token = self.find(caller.store_id, token_id)
        if token.confirmation_code is None or body.get("confirmation_code") != token.confirmation_code:
            raise ApiError.invalid("confirmation_code", "INVALID_FORMAT")
        token.confirmed = True
        return reply(200, self._views.token(token))

    def three_ds_on(self, caller: Caller, token_id: str, body: Mapping[str, Any]) -> Response:
        caller.need_secret()
        token = self.find(caller.store_id, token_id)
        self._three_ds.begin(token, body.get("redirect_endpoint"))
        return reply(200, self._views.token(token))

    def three_ds_off(self, caller: Caller, token_id: str) -> Response:
        caller.need_secret()
        token = self.find(caller.store_id, token_id)
        self._three_ds.end(token)
        return reply(200, self._views.token(token))

    def three_ds_issuer(self, caller: Caller, token_id: str, origin: str) -> Response:
        token = self.find(caller.store_id, token_id)
        if token.three_ds is None or token.three_ds.status != "awaiting":
            raise ApiError(400, "INVALID_THREE_DS_STATUS")
        return issuer_token(origin, token.store_id, token.id, "transaction_token")

    def find(self, store_id: str, token_id: str) -> Token:
        """The token of that store; 404 otherwise."""
        token = self._state.tokens.get(token_id)
        if token is None or token.store_id != store_id:
            raise ApiError.missing()
        return token

    # --- making and changing -----------------------------------------------------------------------------------------

    def _token(self, caller: Caller, body: Mapping[str, Any], token_id: str | None) -> Token:
        behaviour, now = self._state.behaviour, self._state.now()
        if refused := _OTHERS.get(str(body.get("payment_type"))):
            raise ApiError(400, refused)
        if body.get("payment_type") != "card":
            raise ApiError.invalid("payment_type", "INVALID_FORMAT")
        kind, data = body.get("type"), body.get("data")
        if not among(kind, _TYPES):
            raise ApiError.invalid("type", "INVALID_FORMAT")
        if not isinstance(data, Mapping):
            raise ApiError.invalid("data", "REQUIRED_VALUE")
        if not behaviour.raw_cards and caller.with_secret:
            raise ApiError(401, "DIRECT_CARD_TOKEN_CREATION_DISABLED")
        email = _email(body.get("email"), required=behaviour.email_required)
        usage_limit = body.get("usage_limit")
        if kind == "recurring":
            _check_privilege(behaviour.recurring_privilege, usage_limit)
        number = _number(data, caller.mode)
        month, year = _expiry(data, now)
        self._check_given_cvv(data)
        code = f"{len(self._state.tokens) + 1:06d}" if body.get("use_confirmation") else None
        return Token(
            id=token_id or self._state.new_id(),
            store_id=caller.store_id,
            merchant_id=caller.merchant_id,
            mode=caller.mode,
            type=kind,
            email=email,
            number=number,
            card=_card(number, data.get("cardholder"), month, year),
            billing={name: data.get(name) for name in _BILLING} | {"phone_number": _phone(data)},
            metadata=read_metadata(body),
            created=now,
            updated=now,
            usage_limit=usage_limit,
            ip_address=body.get("ip_address"),
            confirmation_code=code,
            confirmed=None if code is None else False,
        )

    def _change_card(self, token: Token, data: Mapping[str, Any]) -> None:
        card = token.card
        if "card_number" in data:
            token.number = _number(data, token.mode)
            card |= _card(token.number, card["cardholder"], card["exp_month"], card["exp_year"])
        if "exp_month" in data or "exp_year" in data:
            whole = {"exp_month": card["exp_month"], "exp_year": card["exp_year"], **data}
            card["exp_month"], card["exp_year"] = _expiry(whole, self._state.now())
        if "cvv" in data:
            self._check_given_cvv(data)
            token.cvv_fresh = True
        card["cardholder"] = data.get("cardholder", card["cardholder"])
        token.billing |= {name: data[name] for name in _BILLING if name in data}
        if "phone_number" in data:
            token.billing["phone_number"] = _phone(data)

    def _check_given_cvv(self, data: Mapping[str, Any]) -> None:
        cvv = data.get("cvv")
        if cvv is None:
            if self._state.behaviour.cvv_required:
                raise ApiError(400, "CVV_REQUIRED")
        elif not (str(cvv).isdigit() and len(str(cvv)) in {3, 4}):
            raise ApiError.invalid("data.cvv", "INVALID_CVV")

    def _add(self, token: Token) -> None:
        self._state.tokens.add(token, token.store_id)

    def _deactivate(self, token: Token) -> None:
        token.active = False
        token.updated = self._state.now()

    def _check_cvv(self, token: Token, currency: str) -> None:
        """The check makes a small charge that ends ``authorized`` and is not a payment."""
        now, fails = self._state.now(), charge_fails(token.number)
        charge = Charge(
            id=self._state.new_id(),
            token=token,
            amount=_CHECK_AMOUNT,
            currency=currency,
            capture=False,
            metadata={},
            created=now,
            updated=now,
            plan=ChargePlan("failed", self._state.behaviour.declined_card_code) if fails else ChargePlan(),
        )
        token.cvv_status, token.cvv_charge, token.cvv_currency = "pending", charge.id, currency
        self._course.begin(charge)
        token.used = None  # a one-time token is still good for its charge

        def known() -> None:
            token.cvv_status = "failed" if fails else "current"
            self._emit("token_cvv_auth_updated", token)

        self._state.later(self._state.behaviour.pending, known)

    def _emit(self, event: str, token: Token) -> None:
        self._state.emit(event, token.store_id, lambda: self._views.token(token))


def _wanted(token: Token, query: Mapping[str, str]) -> bool:
    """Whether the list shows *token*: never a one-time one, and without ``active`` in the query only active ones."""
    active = {"inactive": {False}, "all": {True, False}}.get(query.get("active", ""), {True})
    if token.type == "one_time" or token.active not in active:
        return False
    searched = " ".join(filter(None, (token.email, token.card["cardholder"], token.id))).lower()
    fields = {
        "type": token.type,
        "mode": token.mode,
        "payment_type": "card",
        "customer_id": token.metadata.get("univapay-customer-id"),
        "previous_transaction_token_id": token.previous_id,
    }
    return query.get("search", "").lower() in searched and all(
        query[name] == value for name, value in fields.items() if name in query
    )


def _email(given: object, *, required: bool) -> str | None:
    if given is None or given == "":
        if required:
            raise ApiError.invalid("email", "REQUIRED_VALUE")
        return None
    if "@" not in str(given):
        raise ApiError.invalid("email", "INVALID_FORMAT_EMAIL")
    return str(given)


def _number(data: Mapping[str, Any], mode: str) -> str:
    number = str(data.get("card_number", "")).replace(" ", "").replace("-", "")
    if not luhn(number):
        raise ApiError.invalid("data.card_number", "INVALID_CARD_NUMBER")
    if mode == "live" and number in TEST_CARDS:
        raise ApiError(400, "NO_TEST_CARD_IN_LIVE_MODE")
    return number


def _card(number: str, cardholder: object, month: int, year: int) -> dict[str, Any]:
    return {
        "cardholder": cardholder,
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
    }


def _phone(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """A country code is text on the way in and a number on the way out; a local number has up to 15 digits."""
    given = data.get("phone_number")
    if not isinstance(given, Mapping):
        return None
    code, local = str(given.get("country_code", "")), str(given.get("local_number", ""))
    if not code.isdigit() or not local.isdigit() or len(local) > 15:
        raise ApiError.invalid("data.phone_number", "INVALID_PHONE_NUMBER")
    return {"country_code": int(code), "local_number": local}


def _check_privilege(privilege: str, usage_limit: object) -> None:
    if privilege == "none":
        raise ApiError(400, "RECURRING_TOKEN_DISABLED")
    if privilege == "bounded" and not among(usage_limit, _LIMITS):
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
