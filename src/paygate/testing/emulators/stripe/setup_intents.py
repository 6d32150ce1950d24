"""Setup intents: storing a card for later use, with 3-D Secure where the card asks for it (provider fact sheet §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .cards import Authentication, Decline
from .customers import Customers
from .errors import INVALID_REQUEST, ApiError
from .params import METADATA, PAGE, Table, boolean, choice, mapping, merged, span, text
from .payment_methods import CHOICE, PaymentMethod, PaymentMethods, refusal, requested_3ds
from .resource import Object, Resource, route
from .state import Call, State, Waiting
from .tables import Record
from .versions import OFFERS_REDIRECTS
from .waiting import came_back, next_action

__all__ = ["SetupIntent", "SetupIntents"]

_FIELDS: Table = {**CHOICE, "customer": text(), "description": text(unset=True), "metadata": METADATA}
_CREATE: Table = {
    **_FIELDS,
    "automatic_payment_methods": mapping(
        {"enabled": boolean(required=True), "allow_redirects": choice("always", "never")}
    ),
    "confirm": boolean(),
    "return_url": text(),
    "usage": choice("off_session", "on_session"),
    "use_stripe_sdk": boolean(),
}
_CONFIRM: Table = {**CHOICE, "client_secret": text(), "return_url": text(), "use_stripe_sdk": boolean()}
_CANCEL: Table = {"cancellation_reason": choice("abandoned", "duplicate", "requested_by_customer")}
_LIST: Table = {**PAGE, "created": span(), "customer": text(), "payment_method": text()}

_OPEN = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})

#: What the last error says once the customer failed 3-D Secure.
_FAILED = Decline(
    "setup_intent_authentication_failure",
    None,
    "The provided PaymentMethod has failed authentication. Provide another one to try this setup again.",
    kind=INVALID_REQUEST,
)


@attrs.define
class SetupIntent(Record):
    """An intent to store a card. *asking*: the customer has to act."""

    customer: str | None
    metadata: Mapping[str, str]
    usage: str = "off_session"
    description: str | None = None
    status: str = "requires_payment_method"
    method: PaymentMethod | None = attrs.field(default=None, repr=False)
    failure: tuple[Decline, PaymentMethod] | None = attrs.field(default=None, repr=False)
    return_url: str | None = None
    asking: bool = False
    redirects: bool = True  #: whether methods that redirect the customer are allowed
    types: tuple[str, ...] | None = None
    three_ds: str = "automatic"
    cancellation_reason: str | None = None


class SetupIntents(Resource[SetupIntent]):
    """``/v1/setup_intents``."""

    kind = "setup_intent"
    prefix = "seti"
    expandable = frozenset({"customer", "payment_method"})
    indexes = ("customer",)

    def __init__(self, state: State, customers: Customers, methods: PaymentMethods) -> None:
        super().__init__(state)
        self._customers = customers
        self._methods = methods

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("POST", "/setup_intents", _CREATE)
    def create(self, call: Call) -> Object:
        params = call.params
        confirm = params.get("confirm", False)
        if "return_url" in params and not confirm:
            raise ApiError.invalid("return_url", "The parameter return_url needs confirm=true.")
        if "customer" in params:
            self._customers.table.find(params["customer"], "customer")
        method = self._methods.chosen(params, params.get("customer"))
        intent = SetupIntent(
            **self.birth(),
            customer=params.get("customer"),
            metadata=merged({}, params),
            usage=params.get("usage", "off_session"),
            redirects=params.get("automatic_payment_methods", {}).get("allow_redirects") != "never",
        )
        self._set(intent, params)
        chosen = self._confirmable(intent, method) if confirm else None
        self.add(intent, method)
        if chosen is not None:
            self._confirm(intent, chosen)
        return self.show(intent)

    @route("GET", "/setup_intents", _LIST)
    def list(self, call: Call) -> Object:
        customer, method = call.params.get("customer"), call.params.get("payment_method")
        rows = None if customer is None else self.table.by("customer", customer)

        def wanted(one: SetupIntent) -> bool:
            return method is None or (one.method is not None and one.method.id == method)

        return self.listing("/setup_intents", call.params, rows, wanted)

    @route("GET", "/setup_intents/{id}", {"client_secret": text()})
    def retrieve(self, call: Call) -> Object:
        intent = self.table.find(call.id)
        self.check_secret(intent, call.params)
        return self.show(intent)

    @route("POST", "/setup_intents/{id}", _FIELDS)
    def update(self, call: Call) -> Object:
        intent, params = self.table.find(call.id), call.params
        if not set(params) <= {"metadata", "description"}:
            self._require_open(intent, "updated")
        customer = params.get("customer", intent.customer)
        if customer is not None and customer != intent.customer:
            self._customers.table.find(customer, "customer")
        metadata = merged(intent.metadata, params)
        method = self._methods.chosen(params, customer)
        intent.metadata = metadata
        self.table.move(intent, "customer", customer)
        self._set(intent, params)
        if method is not None:
            self._leave(intent)
            intent.method, intent.failure, intent.status = method, None, "requires_confirmation"
        return self.show(intent)

    @route("POST", "/setup_intents/{id}/confirm", _CONFIRM)
    def confirm(self, call: Call) -> Object:
        intent, params = self.table.find(call.id), call.params
        self._require_open(intent, "confirmed")
        method = self._methods.chosen(params, intent.customer) or intent.method
        self._set(intent, params)
        self._confirm(intent, self._confirmable(intent, method))
        return self.show(intent)

    @route("POST", "/setup_intents/{id}/cancel", _CANCEL)
    def cancel(self, call: Call) -> Object:
        intent = self.table.find(call.id)
        self._require_open(intent, "canceled")
        self.end(intent, call.params.get("cancellation_reason"))
        return self.show(intent)

    def show(self, record: SetupIntent) -> Object:
        automatic = {"allow_redirects": "always" if record.redirects else "never", "enabled": True}
        waiting = next_action(self.state.customer_url(record.id), record.return_url) if record.asking else None
        return {
            **self.head(record),
            "allowed_payment_method_types": list(record.types) if record.types else None,
            "application": None,
            "automatic_payment_methods": None if record.types else automatic,
            "cancellation_reason": record.cancellation_reason,
            "client_secret": self.state.ids.secret(record.id),
            "created": record.created,
            "customer": record.customer,
            "description": record.description,
            "flow_directions": None,
            "last_setup_error": self._methods.error(*record.failure) if record.failure else None,
            "latest_attempt": None,
            "livemode": False,
            "mandate": None,
            "metadata": dict(record.metadata),
            "next_action": waiting,
            "on_behalf_of": None,
            "payment_method": record.method.id if record.method else None,
            "payment_method_options": {
                "card": {"mandate_options": None, "network": None, "request_three_d_secure": record.three_ds}
            },
            "payment_method_types": ["card"],
            "single_use_mandate": None,
            "status": record.status,
            "usage": record.usage,
        }

    # --- for other resources -----------------------------------------------------------------------------------------

    def add(self, intent: SetupIntent, method: PaymentMethod | None = None) -> SetupIntent:
        """Let *intent* begin its life, with *method* chosen but not checked yet."""
        intent.method = method
        intent.status = "requires_payment_method" if method is None else "requires_confirmation"
        self.table.add(intent)
        self.state.emit("setup_intent.created", self.show(intent))
        return intent

    def end(self, intent: SetupIntent, reason: str | None) -> None:
        """Cancel *intent*."""
        self._leave(intent)
        intent.status, intent.cancellation_reason = "canceled", reason
        self.state.emit("setup_intent.canceled", self.show(intent))

    def attempt(self, intent: SetupIntent, method: PaymentMethod, *, authenticated: bool = False) -> None:
        """Try to store *method*; how it went is in the intent's ``status`` and ``failure``.

        :param authenticated: the customer has been through 3-D Secure already.
        """
        self._leave(intent)
        intent.method, card = method, method.card
        asks = card.authentication in {Authentication.ALWAYS, Authentication.UNLESS_SET_UP} and not method.set_up
        asks = asks or intent.three_ds != "automatic"
        if card.refusal is not None and not card.attaches:
            self._fail(intent, card.refusal, method)
        elif asks and not authenticated:
            self._ask(intent, method)
        else:
            self._succeed(intent, method)

    def _confirm(self, intent: SetupIntent, method: PaymentMethod) -> None:
        self.attempt(intent, method)
        if intent.status == "requires_payment_method" and intent.failure is not None:
            raise refusal(self._methods.error(*intent.failure), setup_intent=self.show(intent))

    def _confirmable(self, intent: SetupIntent, method: PaymentMethod | None) -> PaymentMethod:
        if method is None:
            message = "You cannot confirm this SetupIntent because it's missing a payment method."
            raise self._unexpected(intent, message)
        cards_only = intent.types is not None or self.state.names_older(OFFERS_REDIRECTS)
        if intent.return_url is None and intent.redirects and not cards_only:
            message = (
                "This SetupIntent accepts payment methods that redirect the customer: provide a return_url, or set "
                "automatic_payment_methods[allow_redirects] to never."
            )
            raise ApiError.invalid("return_url", message)
        return method

    def _set(self, intent: SetupIntent, params: Mapping[str, Any]) -> None:
        for name in ("allowed_payment_method_types", "payment_method_types"):
            if name in params:
                intent.types = tuple(params[name])
        intent.three_ds = requested_3ds(params, intent.three_ds)
        for name in ("description", "return_url"):
            if name in params:
                setattr(intent, name, params[name])

    def _require_open(self, intent: SetupIntent, done: str) -> None:
        if intent.status not in _OPEN:
            raise self._unexpected(intent, f"This SetupIntent could not be {done}: its status is {intent.status}.")

    def _unexpected(self, intent: SetupIntent, message: str) -> ApiError:
        return ApiError.state(message, "setup_intent_unexpected_state", setup_intent=self.show(intent))

    def _leave(self, intent: SetupIntent) -> None:
        self.state.waiting.pop(intent.id, None)
        intent.asking = False

    def _succeed(self, intent: SetupIntent, method: PaymentMethod) -> None:
        intent.status, intent.failure = "succeeded", None
        if intent.customer is not None:
            self._methods.keep(method, intent.customer, off_session=intent.usage == "off_session")
        self.state.emit("setup_intent.succeeded", self.show(intent))

    def _fail(self, intent: SetupIntent, reason: Decline, method: PaymentMethod) -> None:
        intent.status, intent.method, intent.failure = "requires_payment_method", None, (reason, method)
        self.state.emit("setup_intent.setup_failed", self.show(intent))

    def _ask(self, intent: SetupIntent, method: PaymentMethod) -> None:
        intent.status, intent.asking = "requires_action", True

        def finish(passed: bool) -> str | None:
            self._leave(intent)
            if passed:
                self._succeed(intent, method)
            else:
                self._fail(intent, _FAILED, method)
            secret = self.state.ids.secret(intent.id)
            return came_back(intent.return_url, self.kind, intent.id, secret, succeeded=passed)

        self.state.waiting[intent.id] = Waiting(finish)
        self.state.emit("setup_intent.requires_action", self.show(intent))
