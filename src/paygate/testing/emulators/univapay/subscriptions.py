"""``/subscriptions`` of the emulated UnivaPay: created, read, changed, paused, ended, and previewed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from ....flow import Response
from .auth import Caller
from .billing import Billing
from .charges import Charges
from .plans import TERMINATION_MODES, read_date, read_interval, read_limits, read_period, read_settings, simulate
from .records import Payment, Subscription, Token
from .state import State
from .three_ds import read_three_ds
from .views import Views
from .wire import ApiError, among, page, read_amount, read_currency, read_metadata, reply

__all__ = ["Subscriptions"]

_TERMINATIONS = frozenset({"suspended", "canceled", None})

#: What is fixed once a payment has been made.
_PLANNED = frozenset({"period", "cyclical_period", "initial_amount", "subscription_plan", "installment_plan"})

#: A change that was found to be right and waits to be made.
_Change: TypeAlias = Callable[[], None]


class Subscriptions:
    """``/subscriptions`` and ``/stores/{store}/subscriptions``."""

    def __init__(self, state: State, views: Views, billing: Billing, charges: Charges) -> None:
        self._state = state
        self._views = views
        self._billing = billing
        self._charges = charges

    # --- creation ----------------------------------------------------------------------------------------------------

    def create(self, caller: Caller, body: Mapping[str, Any]) -> Response:
        caller.need_store()
        token = self._startable(caller, body)
        amount, currency, initial = read_amount(body), read_currency(body), self._initial(caller, body)
        metadata, three_ds = read_metadata(body), read_three_ds(self._state, caller, body)
        settings = read_settings(body, self._state.now())
        authorization_only, capture_after = _first_charge(body)
        limits = read_limits(body)
        if limits.installment_plan is not None:
            self._check_installments(initial)
        now = self._state.now()
        one = Subscription(
            id=self._state.new_id(),
            token=token,
            amount=amount,
            currency=currency,
            initial_amount=initial,
            period=body.get("period"),
            cyclical_period=body.get("cyclical_period"),
            start_on=settings.start_on,
            zone_id=settings.zone_id,
            preserve_end_of_month=settings.preserve_end_of_month,
            retry_interval=settings.retry_interval,
            termination_mode=settings.termination_mode,
            subscription_plan=limits.subscription_plan,
            installment_plan=limits.installment_plan,
            authorization_only=authorization_only,
            capture_after=capture_after,
            only_direct_currency=bool(body.get("only_direct_currency")),
            descriptor=body.get("descriptor"),
            metadata=metadata,
            three_ds=three_ds,
            created=now,
            updated=now,
            plan=settings.plan(read_period(body), amount, initial, limits),
        )
        self._billing.start(one)
        return reply(201, self._views.subscription(one))

    def simulate(self, caller: Caller, body: Mapping[str, Any]) -> Response:
        """Preview the payments that a subscription would have; creates nothing."""
        caller.need_store()
        if body.get("payment_type") != "card":
            raise ApiError.invalid("payment_type", "REQUIRED_VALUE" if "payment_type" not in body else "INVALID_FORMAT")
        return reply(200, simulate(body, self._state.now(), self._state.behaviour.simulated_payments))

    # --- reading -----------------------------------------------------------------------------------------------------

    def get(self, caller: Caller, subscription_id: str) -> Response:
        return reply(200, self._views.subscription(self.find(caller.store_id, subscription_id)))

    def list(self, caller: Caller, query: Mapping[str, str]) -> Response:
        """A page of the store's; ``search`` looks into the values of metadata."""
        statuses = {
            text for name in ("status", "statuses", "statuses[]") if name in query for text in query[name].split(",")
        }

        def wanted(one: Subscription) -> bool:
            values = [str(value) for pair in one.metadata.items() for value in (pair[1], f"{pair[0]}:{pair[1]}")]
            return (
                self._state.visible(one.created)
                and (not statuses or one.status in statuses)
                and query.get("mode", one.mode) == one.mode
                and ("search" not in query or any(query["search"] in value for value in values))
            )

        row = self._state.subscriptions.row(caller.store_id)
        return page(row, query, self._views.subscription_item, total=True, wanted=wanted)

    def charges(self, caller: Caller, subscription_id: str, query: Mapping[str, str]) -> Response:
        one = self.find(caller.store_id, subscription_id)
        return self._charges.list(caller, query, self._state.charges.row(one.id))

    def latest_charge(self, caller: Caller, subscription_id: str) -> Response:
        charges = self._state.charges.row(self.find(caller.store_id, subscription_id).id)
        if not charges:
            raise ApiError.missing()
        return reply(200, self._views.charge(charges[len(charges) - 1]))

    def find(self, store_id: str, subscription_id: str) -> Subscription:
        """The subscription of that store; 404 otherwise."""
        one = self._state.subscriptions.get(subscription_id)
        if one is None or one.store_id != store_id:
            raise ApiError.missing()
        return one

    # --- changing ----------------------------------------------------------------------------------------------------

    def patch(self, caller: Caller, subscription_id: str, body: Mapping[str, Any]) -> Response:
        """Change what *body* names: all of it, or nothing where a part of it is refused."""
        caller.need_secret()
        one = _changeable(self.find(caller.store_id, subscription_id))
        metadata, changes = read_metadata(body), list[_Change]()
        if "amount" in body:
            changes.append(self._amount_change(one, body))
        if _PLANNED & set(body):
            changes.append(self._plan_change(caller, one, body))
        if isinstance(body.get("schedule_settings"), Mapping):
            changes.append(_settings_change(one, body["schedule_settings"]))
        if isinstance(body.get("next_payment"), Mapping) and one.payment is not None:
            changes.append(self._payment_change(one, one.payment, body["next_payment"]))
        if "transaction_token_id" in body:
            changes.append(self._token_change(one, caller, body))
        if "status" in body:
            changes.append(self._status_change(one, body["status"]))
        for change in changes:
            change()
        one.metadata.update(metadata)
        one.updated = self._state.now()
        return reply(200, self._views.subscription(one))

    def suspend(self, caller: Caller, subscription_id: str, body: Mapping[str, Any]) -> Response:
        caller.need_secret()
        one = _changeable(self.find(caller.store_id, subscription_id))
        settings = body.get("schedule_settings")
        given = settings.get("termination_mode") if isinstance(settings, Mapping) else None
        if (given or one.termination_mode) == "on_next_payment" and one.status == "current" and one.payment is not None:
            one.payment.terminate_with = "suspended"
        else:
            self._status_change(one, "suspended")()
        return reply(200, self._views.subscription(one))

    def unsuspend(self, caller: Caller, subscription_id: str) -> Response:
        caller.need_secret()
        one = _changeable(self.find(caller.store_id, subscription_id))
        self._status_change(one, "unpaid")()
        return reply(200, self._views.subscription(one))

    def change_token(self, caller: Caller, subscription_id: str, body: Mapping[str, Any]) -> Response:
        caller.need_secret()
        one = _changeable(self.find(caller.store_id, subscription_id))
        self._token_change(one, caller, body)()
        return reply(200, self._views.subscription(one))

    def delete(self, caller: Caller, subscription_id: str) -> Response:
        caller.need_secret()
        self._billing.cancel(_idle(_changeable(self.find(caller.store_id, subscription_id))))
        return Response(204)

    # --- scheduled payments ------------------------------------------------------------------------------------------

    def payments(self, caller: Caller, subscription_id: str, query: Mapping[str, str]) -> Response:
        one = self.find(caller.store_id, subscription_id)
        row = self._state.payments.row(one.id)
        return page(row, query, lambda payment: self._views.payment(one, payment), total=False)

    def payment(self, caller: Caller, subscription_id: str, payment_id: str) -> Response:
        one = self.find(caller.store_id, subscription_id)
        return reply(200, self._views.payment(one, self._payment(one, payment_id)))

    def payment_charges(
        self, caller: Caller, subscription_id: str, payment_id: str, query: Mapping[str, str]
    ) -> Response:
        one = self.find(caller.store_id, subscription_id)
        payment = self._payment(one, payment_id)
        return self._charges.list(caller, query, self._state.charges.row(payment.id))

    def patch_payment(self, caller: Caller, subscription_id: str, payment_id: str, body: Mapping[str, Any]) -> Response:
        caller.need_secret()
        one = _changeable(self.find(caller.store_id, subscription_id))
        payment = self._payment(one, payment_id)
        if payment.is_paid:
            raise ApiError.invalid("is_paid", "FORBIDDEN_PARAMETER")
        self._payment_change(one, payment, body)()
        if body.get("is_paid") is True:
            self._billing.paid_elsewhere(one, payment)
        return reply(200, self._views.payment(one, payment))

    def _payment(self, one: Subscription, payment_id: str) -> Payment:
        row = self._state.payments.row(one.id)
        position = row.find(payment_id)
        if position is None:
            raise ApiError.missing()
        return row[position]

    # --- what a request is checked for -------------------------------------------------------------------------------

    def _startable(self, caller: Caller, body: Mapping[str, Any]) -> Token:
        token_id, behaviour = body.get("transaction_token_id"), self._state.behaviour
        if not isinstance(token_id, str):
            raise ApiError.invalid("transaction_token_id", "REQUIRED_VALUE")
        token = self._state.tokens.get(token_id)
        if token is None:
            raise ApiError.missing()
        if token.type != "subscription" or not behaviour.browser_charges:
            caller.need_secret()
        if token.store_id != caller.store_id:
            raise ApiError(400, "TOKEN_FOR_WRONG_STORE")
        if token.mode != caller.mode:
            raise ApiError(400, "PROCESSING_MODE_MISMATCH")
        if token.type == "one_time":
            raise ApiError(400, "NOT_SUBSCRIPTION_TOKEN")
        if not token.active:
            raise ApiError(400, behaviour.deleted_token_code)
        if token.cvv_status in {"pending", "failed"}:
            raise ApiError(400, "CVV_AUTHORIZATION_NOT_COMPLETED")
        if token.type == "subscription":
            if len(self._state.subscriptions.row(token.id)):
                raise ApiError(400, "TRANSACTION_ALREADY_PROCESSED")
            if (self._state.now() - token.created).total_seconds() > behaviour.one_time_token_life:
                raise ApiError(400, "TRANSACTION_TOKEN_EXPIRED")
        return token

    def _initial(self, caller: Caller, body: Mapping[str, Any]) -> int | None:
        if body.get("initial_amount") is None:
            return None
        caller.need_secret()
        return read_amount(body, "initial_amount", least=0 if self._state.behaviour.free_first_payment else 1)

    def _check_installments(self, initial: int | None) -> None:
        if not self._state.behaviour.installments:
            raise ApiError(403, "INSTALLMENTS_NOT_ENABLED")
        if initial is not None:
            raise ApiError(403, "INSTALLMENT_PROCESSOR_INITIAL_AMOUNTS_NOT_SUPPORTED")

    # --- changes: checked first, made when all of a request is known to be right -------------------------------------

    def _amount_change(self, one: Subscription, body: Mapping[str, Any]) -> _Change:
        if one.subscription_plan or one.installment_plan:
            raise ApiError.invalid("amount", "FORBIDDEN_PARAMETER")
        amount = read_amount(body)
        return lambda: self._billing.change_amount(one, amount)

    def _plan_change(self, caller: Caller, one: Subscription, body: Mapping[str, Any]) -> _Change:
        """What only a subscription without a payment made can change."""
        payment = one.payment
        if one.paid_count or one.charging or payment is None:
            field = next(name for name in body if name in _PLANNED)
            raise ApiError.invalid(field, "FORBIDDEN_PARAMETER")
        period = read_period(body) if {"period", "cyclical_period"} & set(body) else None
        limits = read_limits(body) if {"subscription_plan", "installment_plan"} & set(body) else None
        initial = self._initial(caller, body) if "initial_amount" in body else one.initial_amount
        if limits is not None and limits.installment_plan is not None:
            self._check_installments(initial)

        def change() -> None:
            if period is not None:
                one.period, one.cyclical_period = body.get("period"), body.get("cyclical_period")
                one.plan = attrs.evolve(one.plan, period=period)
            if limits is not None:
                one.subscription_plan, one.installment_plan = limits.subscription_plan, limits.installment_plan
                one.plan = attrs.evolve(one.plan, cycles=limits.cycles, target=limits.target)
            one.initial_amount = initial
            one.plan = attrs.evolve(one.plan, first_amount=one.amount if initial is None else initial)
            payment.amount, payment.is_last = one.plan.takes(0, 0), one.plan.ends(0, 0)

        return change

    def _payment_change(self, one: Subscription, payment: Payment, body: Mapping[str, Any]) -> _Change:
        _idle(one)
        amount = read_amount(body) if "amount" in body else payment.amount
        terminate_with = body.get("terminate_with_status", payment.terminate_with)
        if not among(terminate_with, _TERMINATIONS):
            raise ApiError.invalid("terminate_with_status", "INVALID_FORMAT")
        interval = read_interval("retry_interval", body.get("retry_interval", payment.retry_interval))
        due = None if body.get("due_date") is None else read_date("due_date", body["due_date"])
        if due is not None and due < self._billing.today(one):
            raise ApiError.invalid("due_date", "MUST_BE_FUTURE_TIME")

        def change() -> None:
            payment.amount, payment.terminate_with, payment.retry_interval = amount, terminate_with, interval
            payment.updated = self._state.now()
            if due is not None:
                self._billing.move(one, payment, due)

        return change

    def _token_change(self, one: Subscription, caller: Caller, body: Mapping[str, Any]) -> _Change:
        token_id = body.get("transaction_token_id")
        token = self._state.tokens.get(token_id) if isinstance(token_id, str) else None
        if token is None:
            raise ApiError.invalid("transaction_token_id", "INVALID_UUID")
        if token.store_id != caller.store_id:
            raise ApiError(400, "TOKEN_FOR_WRONG_STORE")
        if token.type == "one_time":
            raise ApiError(400, "NOT_SUBSCRIPTION_TOKEN")
        if not token.active or token.mode != one.mode or one.status in {"unverified", "authorized"}:
            raise ApiError(400, "CANNOT_CHANGE_TOKEN")

        def change() -> None:
            one.token, one.updated = token, self._state.now()
            if one.status == "unconfirmed" and self._state.behaviour.new_token_retries_first:
                self._billing.begin(one)

        return change

    def _status_change(self, one: Subscription, status: object) -> _Change:
        """``suspended`` pauses what runs, ``unpaid`` resumes what is paused."""
        _idle(one)
        if status == "suspended" and one.status in {"current", "unpaid"}:
            return lambda: self._billing.suspend(one)
        if status == "unpaid" and one.status == "suspended":
            return lambda: self._billing.resume(one)
        raise ApiError.invalid("status", "FORBIDDEN_PARAMETER")


def _changeable(one: Subscription) -> Subscription:
    if one.status == "canceled":
        raise ApiError(400, "CANNOT_CHANGE_CANCELED_SUBSCRIPTION")
    if one.status == "completed":
        raise ApiError(400, "SUBSCRIPTION_ALREADY_ENDED")
    return one


def _idle(one: Subscription) -> Subscription:
    if one.charging:
        raise ApiError(400, "SUBSCRIPTION_PROCESSING")
    return one


def _settings_change(one: Subscription, settings: Mapping[str, Any]) -> _Change:
    mode = settings.get("termination_mode", one.termination_mode)
    if not among(mode, TERMINATION_MODES):
        raise ApiError.invalid("schedule_settings.termination_mode", "INVALID_FORMAT")
    interval = read_interval("schedule_settings.retry_interval", settings.get("retry_interval", one.retry_interval))

    def change() -> None:
        one.termination_mode, one.retry_interval = mode, interval

    return change


def _first_charge(body: Mapping[str, Any]) -> tuple[bool, str | None]:
    """Whether the first charge only authorises, and after how long it is captured: one to six days."""
    only, after = body.get("first_charge_authorization_only") is True, body.get("first_charge_capture_after")
    if after is None:
        return only, None
    waits = read_interval("first_charge_capture_after", after)
    if not only or waits not in {f"P{days}D" for days in range(1, 7)}:
        raise ApiError.invalid("first_charge_capture_after", "INVALID_TIME_PERIOD")
    return only, waits
