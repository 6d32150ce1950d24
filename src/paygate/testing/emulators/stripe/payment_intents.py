"""Payment intents: the life of one payment, over as many attempts as it takes (provider fact sheet §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .amounts import AMOUNT, CURRENCY, check_amount, check_currency
from .charges import Charges
from .customers import SHIPPING, Customers
from .errors import ApiError
from .params import METADATA, PAGE, Table, boolean, choice, either, mapping, merged, span, text
from .paying import Failure, Payments
from .payment_methods import CHOICE, PaymentMethod, PaymentMethods, refusal, requested_3ds
from .resource import Object, Resource, route
from .search import SEARCH, Fields, search
from .state import Call, State
from .tables import Record
from .versions import OFFERS_REDIRECTS
from .waiting import came_back, next_action

__all__ = ["PaymentIntent", "PaymentIntents"]

_OFF_SESSION = either(boolean(), choice("one_off", "recurring"))
_USAGE = ("off_session", "on_session")

_FIELDS: Table = {
    **CHOICE,
    "capture_method": choice("automatic", "automatic_async", "manual"),
    "customer": text(),
    "description": text(unset=True),
    "metadata": METADATA,
    "receipt_email": text(unset=True),
    "setup_future_usage": choice(*_USAGE, unset=True),
    "shipping": mapping(SHIPPING, unset=True),
    "statement_descriptor": text(most=22, unset=True),
    "statement_descriptor_suffix": text(most=22, unset=True),
    "transfer_group": text(unset=True),
}
_CONFIRMATION: Table = {
    "error_on_requires_action": boolean(),
    "off_session": _OFF_SESSION,
    "return_url": text(),
    "use_stripe_sdk": boolean(),
}
_CREATE: Table = {
    **_FIELDS,
    **_CONFIRMATION,
    "amount": attrs.evolve(AMOUNT, required=True),
    "automatic_payment_methods": mapping(
        {"enabled": boolean(required=True), "allow_redirects": choice("always", "never")}
    ),
    "confirm": boolean(),
    "confirmation_method": choice("automatic", "manual"),
    "currency": attrs.evolve(CURRENCY, required=True),
}
_UPDATE: Table = {**_FIELDS, "amount": AMOUNT, "currency": CURRENCY}
_CONFIRM: Table = {
    **CHOICE,
    **_CONFIRMATION,
    "capture_method": choice("automatic", "automatic_async", "manual"),
    "client_secret": text(),
    "receipt_email": text(unset=True),
    "setup_future_usage": choice(*_USAGE, unset=True),
    "shipping": mapping(SHIPPING, unset=True),
}
_CAPTURE: Table = {
    "amount_to_capture": AMOUNT,
    "final_capture": boolean(),
    "metadata": METADATA,
    "statement_descriptor_suffix": text(most=22),
}
_CANCEL: Table = {
    "cancellation_reason": choice("abandoned", "duplicate", "fraudulent", "requested_by_customer"),
}
_LIST: Table = {**PAGE, "created": span(), "customer": text()}

#: Parameters that are kept as they came, and the attributes that keep them.
_KEPT = {
    "capture_method": "capture_method",
    "description": "description",
    "receipt_email": "receipt_email",
    "return_url": "return_url",
    "setup_future_usage": "setup_future_usage",
    "shipping": "shipping",
    "statement_descriptor": "descriptor",
    "statement_descriptor_suffix": "suffix",
    "transfer_group": "transfer_group",
}

_TYPES = ("allowed_payment_method_types", "payment_method_types")

_OPEN = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
_CANCELABLE = _OPEN | {"requires_capture"}


@attrs.define
class PaymentIntent(Record):
    """A payment. *method* is None after a refusal; amounts are minor units; *asking*: the customer has to act."""

    amount: int
    currency: str
    customer: str | None
    metadata: Mapping[str, str]
    status: str = "requires_payment_method"
    method: PaymentMethod | None = attrs.field(default=None, repr=False)
    latest_charge: str | None = None
    failure: Failure | None = None
    asking: bool = False
    asks_with: str | None = None  #: the method with which an outcome wants the customer, until they have been there
    return_url: str | None = None
    capture_method: str = "automatic_async"
    confirmation_method: str = "automatic"
    amount_capturable: int = 0
    amount_received: int = 0
    description: str | None = None
    receipt_email: str | None = None
    setup_future_usage: str | None = None
    shipping: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    descriptor: str | None = None
    suffix: str | None = None
    transfer_group: str | None = None
    redirects: bool = True  #: whether methods that redirect the customer are allowed
    types: tuple[str, ...] | None = None
    three_ds: str = "automatic"
    canceled_at: int | None = None
    cancellation_reason: str | None = None


class PaymentIntents(Resource[PaymentIntent]):
    """``/v1/payment_intents``. :attr:`payments` is how an attempt to pay goes."""

    kind = "payment_intent"
    prefix = "pi"
    expandable = frozenset({"customer", "latest_charge", "payment_method"})
    indexes = ("customer",)

    def __init__(self, state: State, customers: Customers, methods: PaymentMethods, charges: Charges) -> None:
        super().__init__(state)
        self._customers = customers
        self._methods = methods
        self._charges = charges
        self.payments = Payments(state, self, charges, methods)

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("POST", "/payment_intents", _CREATE)
    def create(self, call: Call) -> Object:
        params = call.params
        confirm = params.get("confirm", False)
        for name in () if confirm else ("off_session", "return_url", "error_on_requires_action"):
            if name in params:
                raise ApiError.invalid(name, f"The parameter {name} needs confirm=true.")
        currency = check_currency(params["currency"])
        check_amount(self.state, params["amount"], currency)
        if "customer" in params:
            self._customers.table.find(params["customer"], "customer")
        method = self._methods.chosen(params, params.get("customer"))
        automatic = params.get("automatic_payment_methods", {})
        intent = PaymentIntent(
            **self.birth(),
            amount=params["amount"],
            currency=currency,
            customer=params.get("customer"),
            metadata=merged({}, params),
            confirmation_method=params.get("confirmation_method", "automatic"),
            redirects=automatic.get("allow_redirects") != "never",
        )
        self._set(intent, params)
        chosen = self._confirmable(intent, method, params) if confirm else None
        self.add(intent, method)
        if chosen is not None:
            self._confirm(intent, chosen, params)
        return self.show(intent)

    @route("GET", "/payment_intents", _LIST)
    def list(self, call: Call) -> Object:
        customer = call.params.get("customer")
        rows = None if customer is None else self.table.by("customer", customer)
        return self.listing("/payment_intents", call.params, rows)

    @route("GET", "/payment_intents/search", SEARCH)
    def search(self, call: Call) -> Object:
        fields: Fields[PaymentIntent] = {
            "amount": lambda one: one.amount,
            "created": lambda one: one.created,
            "currency": lambda one: one.currency,
            "customer": lambda one: one.customer,
            "metadata": lambda one: one.metadata,
            "status": lambda one: one.status,
        }
        return search(self, call, "/payment_intents/search", fields)

    @route("GET", "/payment_intents/{id}", {"client_secret": text()})
    def retrieve(self, call: Call) -> Object:
        intent = self.table.find(call.id)
        self.check_secret(intent, call.params)
        return self.show(intent)

    @route("POST", "/payment_intents/{id}", _UPDATE)
    def update(self, call: Call) -> Object:
        intent, params = self.table.find(call.id), call.params
        if not set(params) <= {"metadata", "description"}:
            self._require(intent, _OPEN, "updated")
        amount, currency = params.get("amount", intent.amount), check_currency(params.get("currency", intent.currency))
        check_amount(self.state, amount, currency)
        customer = params.get("customer", intent.customer)
        if customer is not None and customer != intent.customer:
            self._customers.table.find(customer, "customer")
        metadata = merged(intent.metadata, params)
        method = self._methods.chosen(params, customer)
        intent.amount, intent.currency, intent.metadata = amount, currency, metadata
        self.table.move(intent, "customer", customer)
        self._set(intent, params)
        if method is not None:
            self.payments.leave(intent)
            intent.method, intent.failure, intent.status = method, None, "requires_confirmation"
        return self.show(intent)

    @route("POST", "/payment_intents/{id}/confirm", _CONFIRM)
    def confirm(self, call: Call) -> Object:
        intent, params = self.table.find(call.id), call.params
        self.check_secret(intent, params)
        self._require(intent, _OPEN, "confirmed")
        method = self._methods.chosen(params, intent.customer) or intent.method
        self._set(intent, params)
        self._confirm(intent, self._confirmable(intent, method, params), params)
        return self.show(intent)

    @route("POST", "/payment_intents/{id}/capture", _CAPTURE)
    def capture(self, call: Call) -> Object:
        intent, params = self.table.find(call.id), call.params
        self._require(intent, frozenset({"requires_capture"}), "captured")
        amount = params.get("amount_to_capture", intent.amount_capturable)
        if amount > intent.amount_capturable:
            message = f"The remaining amount capturable is {intent.amount_capturable}, which is less than {amount}."
            raise ApiError.state(message, "amount_too_large", param="amount_to_capture")
        intent.metadata = merged(intent.metadata, params)
        charge = self._charges.table.find(str(intent.latest_charge))
        self._charges.capture(charge, amount)
        self.state.emit("charge.captured", self._charges.show(charge))
        self.payments.paid(intent, charge)
        return self.show(intent)

    @route("POST", "/payment_intents/{id}/cancel", _CANCEL)
    def cancel(self, call: Call) -> Object:
        intent = self.table.find(call.id)
        self._require(intent, _CANCELABLE, "canceled")
        self.end(intent, call.params.get("cancellation_reason"))
        return self.show(intent)

    def show(self, record: PaymentIntent) -> Object:
        automatic = {"allow_redirects": "always" if record.redirects else "never", "enabled": True}
        return {
            **self.head(record),
            "allowed_payment_method_types": list(record.types) if record.types else None,
            "amount": record.amount,
            "amount_capturable": record.amount_capturable,
            "amount_details": {"tip": {}},
            "amount_received": record.amount_received,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": None if record.types else automatic,
            "canceled_at": record.canceled_at,
            "cancellation_reason": record.cancellation_reason,
            "capture_method": record.capture_method,
            "client_secret": self.state.ids.secret(record.id),
            "confirmation_method": record.confirmation_method,
            "created": record.created,
            "currency": record.currency,
            "customer": record.customer,
            "description": record.description,
            "last_payment_error": self._error(record.failure) if record.failure else None,
            "latest_charge": record.latest_charge,
            "livemode": False,
            "metadata": dict(record.metadata),
            "next_action": self._next_action(record) if record.asking else None,
            "on_behalf_of": None,
            "payment_method": record.method.id if record.method else None,
            "payment_method_configuration_details": None,
            "payment_method_options": {
                "card": {"installments": None, "network": None, "request_three_d_secure": record.three_ds}
            },
            "payment_method_types": ["card"],
            "processing": None,
            "receipt_email": record.receipt_email,
            "review": None,
            "setup_future_usage": record.setup_future_usage,
            "shipping": record.shipping,
            "statement_descriptor": record.descriptor,
            "statement_descriptor_suffix": record.suffix,
            "status": record.status,
            "transfer_data": None,
            "transfer_group": record.transfer_group,
        }

    # --- for other resources -----------------------------------------------------------------------------------------

    def add(self, intent: PaymentIntent, method: PaymentMethod | None) -> PaymentIntent:
        """Let *intent* begin its life, with *method* chosen but not charged yet."""
        intent.method = method
        intent.status = "requires_payment_method" if method is None else "requires_confirmation"
        self.table.add(intent)
        self.state.emit("payment_intent.created", self.show(intent))
        return intent

    def end(self, intent: PaymentIntent, reason: str | None) -> None:
        """Cancel *intent*, and let go what it held."""
        held = intent.status == "requires_capture"
        self.payments.leave(intent)
        intent.status, intent.amount_capturable = "canceled", 0
        intent.canceled_at, intent.cancellation_reason = self.state.timestamp(), reason
        if held:
            charge = self._charges.table.find(str(intent.latest_charge))
            self._charges.release(charge, "charge.expired" if reason == "expired" else "charge.refunded")
        self.state.emit("payment_intent.canceled", self.show(intent))

    def expire(self, intent: PaymentIntent) -> None:
        """The hold is over, if the money is still only held."""
        if intent.status == "requires_capture":
            self.end(intent, "expired")

    def returned(self, intent: PaymentIntent) -> str | None:
        """Where the customer goes after 3-D Secure, with how it went."""
        went_well = intent.status in {"succeeded", "requires_capture", "processing"}
        secret = self.state.ids.secret(intent.id)
        return came_back(intent.return_url, self.kind, intent.id, secret, succeeded=went_well)

    def refusal(self, intent: PaymentIntent, failure: Failure) -> ApiError:
        """The 402 that a refused attempt answers, with the whole intent in it (§3)."""
        return refusal(self._error(failure), payment_intent=self.show(intent))

    def _confirm(self, intent: PaymentIntent, method: PaymentMethod, params: Mapping[str, Any]) -> None:
        off_session = bool(params.get("off_session", False))
        refuse_action = params.get("error_on_requires_action", False)
        self.payments.attempt(intent, method, off_session=off_session, refuse_action=refuse_action)
        if intent.status == "requires_payment_method" and intent.failure is not None:
            raise self.refusal(intent, intent.failure)

    def _set(self, intent: PaymentIntent, params: Mapping[str, Any]) -> None:
        """Take over what creating, updating and confirming have in common."""
        for name in _TYPES:
            if name in params:
                intent.types = tuple(params[name])
        intent.three_ds = requested_3ds(params, intent.three_ds)
        for name, attribute in _KEPT.items():
            if name in params:
                setattr(intent, attribute, params[name])

    def _confirmable(
        self, intent: PaymentIntent, method: PaymentMethod | None, params: Mapping[str, Any]
    ) -> PaymentMethod:
        """A confirmation needs a method and, unless no method can send the customer away, their way back (§4)."""
        if method is None:
            message = "You cannot confirm this PaymentIntent because it's missing a payment method."
            raise self._unexpected(intent, message)
        away = params.get("off_session", False)
        cards_only = intent.types is not None or self.state.names_older(OFFERS_REDIRECTS)
        if not away and intent.return_url is None and intent.redirects and not cards_only:
            message = (
                "This PaymentIntent accepts payment methods that redirect the customer: provide a return_url, or set "
                "automatic_payment_methods[allow_redirects] to never."
            )
            raise ApiError.invalid("return_url", message)
        return method

    def _require(self, intent: PaymentIntent, statuses: frozenset[str], done: str) -> None:
        if intent.status not in statuses:
            raise self._unexpected(intent, f"This PaymentIntent could not be {done}: its status is {intent.status}.")

    def _unexpected(self, intent: PaymentIntent, message: str) -> ApiError:
        return ApiError.state(message, "payment_intent_unexpected_state", payment_intent=self.show(intent))

    def _error(self, failure: Failure) -> Object:
        return self._methods.error(failure.reason, failure.method, failure.charge)

    def _next_action(self, intent: PaymentIntent) -> Object:
        return next_action(self.state.customer_url(intent.id), intent.return_url)
