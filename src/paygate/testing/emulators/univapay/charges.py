"""``/charges`` of the emulated UnivaPay: created pending, settled later, declined inside the resource."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from ....flow import Response
from .auth import Caller
from .course import Course
from .filters import conditions
from .records import Charge, ChargePlan, Token
from .shelf import ALL, Row
from .state import State
from .three_ds import issuer_token, read_three_ds
from .views import Views
from .wire import (
    ApiError,
    page,
    parse_instant,
    read_amount,
    read_currency,
    read_metadata,
    reply,
)

__all__ = ["Charges", "check_bounds"]

_DIRECT = frozenset({"JPY", "USD"})
_WINDOWS = {"daily": 1, "weekly": 7, "monthly": 30, "annually": 365}
_TRANSACTION_ID = re.compile(r"[A-Za-z0-9]{1,32}")


class Charges:
    """``/charges`` and ``/stores/{store}/charges``."""

    def __init__(self, state: State, views: Views, course: Course) -> None:
        self._state = state
        self._views = views
        self._course = course

    def create(self, caller: Caller, body: Mapping[str, Any]) -> Response:
        caller.need_store()
        token = self._chargeable(caller, body)
        amount, currency = read_amount(body), read_currency(body)
        metadata, three_ds = read_metadata(body), read_three_ds(self._state, caller, body)
        check_bounds(self._state, amount, currency)
        self._check_options(body, currency)
        capture, capture_at = self._capture(body)
        self._course.limits.check_lock(token)
        self._check_cvv(token, amount, currency)
        plan = self._plan(token, amount, currency)
        now = self._state.now()
        self._course.limits.asked(token, amount, currency)
        charge = Charge(
            id=self._state.new_id(),
            token=token,
            amount=amount,
            currency=currency,
            capture=capture,
            capture_at=capture_at,
            metadata=metadata,
            created=now,
            updated=now,
            plan=plan,
            redirect=dict(body["redirect"]) if isinstance(body.get("redirect"), Mapping) else None,
            only_direct_currency=bool(body.get("only_direct_currency")),
            descriptor=body.get("descriptor"),
            merchant_transaction_id=body.get("merchant_transaction_id"),
            three_ds=three_ds,
        )
        self._course.begin(charge, customer=self._asks_customer(token, three_ds))
        return reply(201, self._views.charge(charge))

    def get(self, caller: Caller, charge_id: str) -> Response:
        return reply(200, self._views.charge(self.find(caller.store_id, charge_id)))

    def list(self, caller: Caller, query: Mapping[str, str], row: Row[Charge] | None = None) -> Response:
        """A page of *row*; by default of the charges of the caller's store, or of the token that the query names."""
        wanted = conditions(query)
        token_id = query.get("transaction_token_id")
        if row is None:
            row = self._row(caller, token_id)
        elif token_id is not None:
            wanted.append(lambda charge: charge.token.id == token_id)
        if self._state.behaviour.list_delay:
            wanted.append(lambda charge: self._state.visible(charge.created))
        return page(
            row,
            query,
            self._views.charge_item,
            total=True,
            wanted=(lambda charge: all(holds(charge) for holds in wanted)) if wanted else None,
            since=parse_instant("from", query["from"]) if "from" in query else None,
        )

    def patch(self, caller: Caller, charge_id: str, body: Mapping[str, Any]) -> Response:
        charge = self.find(caller.store_id, charge_id)
        charge.metadata.update(read_metadata(body))
        charge.updated = self._state.now()
        return reply(200, self._views.charge(charge))

    def capture(self, caller: Caller, charge_id: str, body: Mapping[str, Any]) -> Response:
        caller.need_secret()
        charge = self.find(caller.store_id, charge_id)
        check = charge.token.cvv_charge == charge.id  # the check of a CVV, which is no payment
        if charge.status != "authorized" or charge.capture or charge.capturing or check:
            raise ApiError(400, "ALREADY_CAPTURED")
        amount = read_amount(body) if "amount" in body else charge.amount
        if amount > charge.amount:
            raise ApiError(400, "CAPTURE_AMOUNT_TOO_LARGE")
        if body.get("currency", charge.currency) != charge.currency:
            raise ApiError.invalid("currency", "INVALID_CURRENCY")
        if amount < charge.amount and not self._state.behaviour.partial_capture:
            raise ApiError(400, "PARTIAL_CAPTURE_NOT_SUPPORTED")
        self._course.capture(charge, amount)
        return reply(200, {})

    def three_ds_issuer(self, caller: Caller, charge_id: str, origin: str) -> Response:
        charge = self.find(caller.store_id, charge_id)
        if charge.status != "awaiting":
            raise ApiError(400, "INVALID_THREE_DS_STATUS")
        return issuer_token(origin, charge.store_id, charge.id, "charge")

    def issuer(self, caller: Caller, charge_id: str) -> Response:
        """The instruction for online payments, which a card has none of."""
        self.find(caller.store_id, charge_id)
        raise ApiError(400, "ISSUER_TOKEN_EMPTY")

    def ledgers(self, caller: Caller, charge_id: str) -> Response:
        """Deposits of a bank transfer, which a card has none of; for the merchant's app token only."""
        if caller.level != "merchant":
            raise ApiError(403, "INVALID_PERMISSIONS")
        self.find(caller.store_id, charge_id)
        return reply(200, {"items": [], "has_more": False})

    def find(self, store_id: str, charge_id: str) -> Charge:
        """The charge of that store; 404 otherwise."""
        charge = self._state.charges.get(charge_id)
        if charge is None or charge.store_id != store_id:
            raise ApiError.missing()
        return charge

    def _row(self, caller: Caller, token_id: str | None) -> Row[Charge]:
        if token_id is None:
            return self._state.charges.row(caller.store_id)
        token = self._state.tokens.get(token_id)
        known = token is not None and caller.store_id in {ALL, token.store_id}
        return self._state.charges.row(token_id) if known else Row({})

    # --- what a creation is checked for ------------------------------------------------------------------------------

    def _chargeable(self, caller: Caller, body: Mapping[str, Any]) -> Token:
        behaviour, now = self._state.behaviour, self._state.now()
        token_id = body.get("transaction_token_id")
        if not isinstance(token_id, str):
            raise ApiError.invalid("transaction_token_id", "REQUIRED_VALUE")
        token = self._state.tokens.get(token_id)
        if token is None:
            raise ApiError.missing()
        if token.type != "one_time" or not behaviour.browser_charges:
            caller.need_secret()
        if token.store_id != caller.store_id:
            raise ApiError(400, "TOKEN_FOR_WRONG_STORE")
        if token.mode != caller.mode:
            raise ApiError(400, "PROCESSING_MODE_MISMATCH")
        if not token.active:
            raise ApiError(400, behaviour.deleted_token_code)
        if token.type == "subscription":
            raise ApiError(400, "NON_SUBSCRIPTION_PAYMENT")
        if token.type == "one_time":
            if token.used is not None:
                raise ApiError(400, "TRANSACTION_ALREADY_PROCESSED")
            if (now - token.created).total_seconds() > behaviour.one_time_token_life:
                raise ApiError(400, "TRANSACTION_TOKEN_EXPIRED")
        if token.confirmed is False:
            raise ApiError(400, "TOKEN_MUST_BE_CONFIRMED")
        if token.type == "recurring":
            self._check_recurring(token, now)
        return token

    def _check_recurring(self, token: Token, now: dt.datetime) -> None:
        behaviour = self._state.behaviour
        idle_days = behaviour.one_year_days
        if idle_days is not None and now - (token.last_paid or token.created) >= dt.timedelta(days=idle_days):
            raise ApiError(400, behaviour.one_year_code)
        if token.used is None and (now - token.created).total_seconds() < behaviour.charge_wait_period:
            raise ApiError(400, behaviour.charge_wait_code)
        if behaviour.usage_limit_code and token.usage_limit and token.last_paid is not None:
            window = dt.timedelta(days=_WINDOWS[token.usage_limit])
            if now - token.last_paid < window:
                raise ApiError(400, behaviour.usage_limit_code)

    def _check_cvv(self, token: Token, amount: int, currency: str) -> None:
        if token.cvv_status in {"pending", "failed"}:
            raise ApiError(400, "CVV_AUTHORIZATION_NOT_COMPLETED")
        threshold = self._state.behaviour.cvv_threshold.get(currency)
        if token.type == "recurring" and threshold is not None and amount > threshold:
            if not token.cvv_fresh:
                raise ApiError(400, "RECURRING_USAGE_REQUIRES_CVV")
            token.cvv_fresh = False

    def _check_options(self, body: Mapping[str, Any], currency: str) -> None:
        if body.get("only_direct_currency") and currency not in _DIRECT:
            raise ApiError(400, "NO_DIRECT_CURRENCY_GATEWAY")
        if body.get("descriptor") is not None and not self._state.behaviour.descriptors:
            raise ApiError.invalid("descriptor", "NOT_SUPPORTED_BY_PROCESSOR")
        transaction_id = body.get("merchant_transaction_id")
        if transaction_id is not None and not _TRANSACTION_ID.fullmatch(str(transaction_id)):
            raise ApiError.invalid("merchant_transaction_id", "INVALID_FORMAT")

    def _capture(self, body: Mapping[str, Any]) -> tuple[bool, dt.datetime | None]:
        capture = body.get("capture", True) is not False
        if body.get("capture_at") is None:
            return capture, None
        at = parse_instant("capture_at", body["capture_at"])
        if capture or at <= self._state.now():
            raise ApiError(400, "INVALID_SCHEDULED_CAPTURE_DATE")
        return capture, at

    def _plan(self, token: Token, amount: int, currency: str) -> ChargePlan:
        """How the charge will go; the 30-second rule and a token without its 3-D Secure come first."""
        behaviour = self._state.behaviour
        if self._course.limits.too_quick(token, amount, currency):
            if not behaviour.duplicate_as_charge_311:
                raise ApiError(400, "CHARGE_TOO_QUICK")
            return ChargePlan("failed", 311)
        if token.three_ds is not None and token.three_ds.status != "successful":
            return ChargePlan("failed", behaviour.unverified_token_code)
        return self._course.plan(token, amount)

    def _asks_customer(self, token: Token, three_ds: Mapping[str, Any] | None) -> bool:
        """Whether 3-D Secure is demanded of the charge; a token with one of its own has passed it or has failed."""
        mode = three_ds["mode"] if three_ds is not None else None
        if token.three_ds is not None:
            return token.three_ds.status == "successful" and mode in {"require", "force"}
        by_policy = self._state.behaviour.three_ds_required and mode in {None, "normal", "if_available"}
        return by_policy or mode in {"require", "force"}


def check_bounds(state: State, amount: int, currency: str) -> None:
    """Refuse what is outside the merchant's limits.

    :raises ApiError: 400 with the code that says on which side.
    """
    least, most = state.behaviour.charge_bounds.get(currency, (amount, amount))
    if amount < least:
        raise ApiError(400, "CHARGE_AMOUNT_TOO_LOW")
    if amount > most:
        raise ApiError(400, "CHARGE_AMOUNT_TOO_HIGH")
