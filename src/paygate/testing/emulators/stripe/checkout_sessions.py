"""Checkout: Stripe's own page, on which a customer stores a card, pays, or subscribes (provider fact sheet §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from .amounts import CURRENCY, check_currency
from .customers import SHIPPING, Customers
from .errors import ApiError
from .params import METADATA, PAGE, Table, array, boolean, choice, integer, mapping, merged, moment, span, text
from .payment_methods import check_types
from .prices import PRICE_DATA, Price, Prices
from .resource import Object, Resource, route
from .state import Call, State
from .tables import Record
from .timeline import instant_of
from .versions import BARE_ITEMS_LEFT

if TYPE_CHECKING:
    from .checkout_page import CheckoutPage

__all__ = ["CheckoutSession", "CheckoutSessions", "LineItem"]

#: What an item of an older version says in place of a price.
_BARE_ITEM: Table = {
    "amount": integer(least=0),
    "currency": CURRENCY,
    "description": text(),
    "images": array(text()),
    "name": text(),
}
_LINE_ITEM: Table = {
    **_BARE_ITEM,
    "metadata": METADATA,
    "price": text(),
    "price_data": mapping(
        {
            **PRICE_DATA,
            "product_data": mapping({"name": text(required=True), "description": text(), "metadata": METADATA}),
        }
    ),
    "quantity": integer(least=1, most=999_999),
}
_SUBSCRIPTION_DATA: Table = {
    "billing_cycle_anchor": moment(),
    "description": text(most=500),
    "metadata": METADATA,
    "proration_behavior": choice("create_prorations", "none"),
    "trial_end": moment(),
    "trial_period_days": integer(least=1, most=730),
    "trial_settings": mapping(
        {
            "end_behavior": mapping(
                {"missing_payment_method": choice("cancel", "create_invoice", "pause", required=True)}
            )
        }
    ),
}
_PAYMENT_DATA: Table = {
    "capture_method": choice("automatic", "automatic_async", "manual"),
    "description": text(),
    "metadata": METADATA,
    "receipt_email": text(),
    "setup_future_usage": choice("off_session", "on_session"),
    "shipping": mapping(SHIPPING),
    "statement_descriptor": text(most=22),
    "statement_descriptor_suffix": text(most=22),
    "transfer_group": text(),
}
_CREATE: Table = {
    "allowed_payment_method_types": array(text()),
    "billing_address_collection": choice("auto", "required"),
    "cancel_url": text(),
    "client_reference_id": text(most=200),
    "currency": CURRENCY,
    "customer": text(),
    "customer_creation": choice("always", "if_required"),
    "customer_email": text(most=800),
    "expires_at": moment(),
    "line_items": array(mapping(_LINE_ITEM)),
    "locale": text(most=10),
    "metadata": METADATA,
    "mode": choice("payment", "setup", "subscription"),
    "payment_intent_data": mapping(_PAYMENT_DATA),
    "payment_method_collection": choice("always", "if_required"),
    "payment_method_types": array(text()),
    "phone_number_collection": mapping({"enabled": boolean(required=True)}),
    "redirect_on_completion": choice("always", "if_required", "never"),
    "return_url": text(),
    "setup_intent_data": mapping({"description": text(), "metadata": METADATA}),
    "submit_type": choice("auto", "book", "donate", "pay", "subscribe"),
    "subscription_data": mapping(_SUBSCRIPTION_DATA),
    "success_url": text(),
    "ui_mode": choice("elements", "embedded_page", "form", "hosted_page"),
}
_LIST: Table = {
    **PAGE,
    "created": span(),
    "customer": text(),
    "payment_intent": text(),
    "status": choice("complete", "expired", "open"),
    "subscription": text(),
}

#: What only one mode takes.
_OF_MODE = {
    "payment_intent_data": "payment",
    "setup_intent_data": "setup",
    "subscription_data": "subscription",
    "customer_creation": "payment",
}

#: Seconds that a page may stay open.
_SHORTEST, _LONGEST = 30 * 60, 24 * 3600

_PLAIN = (
    "billing_address_collection", "cancel_url", "client_reference_id", "customer_creation", "customer_email", "locale",
    "payment_method_collection", "redirect_on_completion", "return_url", "submit_type", "success_url",
)  # fmt: skip


@attrs.frozen
class LineItem:
    """So many units of a price."""

    id: str
    price: Price
    quantity: int

    @property
    def amount(self) -> int:
        """Minor units."""
        return self.price.unit_amount * self.quantity


@attrs.define
class CheckoutSession(Record):
    """A page. Moments are seconds since 1970.

    :param data: the ``…_data`` of its mode: what the payment, set-up or subscription is to have.
    :param details: what is shown as it came.
    """

    mode: str
    customer: str | None
    currency: str | None
    items: Sequence[LineItem]
    expires_at: int
    metadata: Mapping[str, str]
    data: Mapping[str, Any]
    details: Mapping[str, Any] = attrs.field(repr=False)
    ui_mode: str = "hosted_page"
    types: tuple[str, ...] | None = None
    status: str = "open"
    payment_status: str = "unpaid"
    setup_intent: str | None = None
    payment_intent: str | None = None
    subscription: str | None = None
    invoice: str | None = None

    @property
    def total(self) -> int | None:
        """Minor units; None where nothing is sold."""
        return sum(item.amount for item in self.items) if self.items else None


class CheckoutSessions(Resource[CheckoutSession]):
    """``/v1/checkout/sessions``. What the customer does on a page is in :mod:`.checkout_page`."""

    kind = "checkout.session"
    prefix = "cs_test"
    expandable = frozenset({"customer", "invoice", "payment_intent", "setup_intent", "subscription"})
    indexes = ("customer", "payment_intent", "subscription")
    page: CheckoutPage

    def __init__(self, state: State, customers: Customers, prices: Prices) -> None:
        super().__init__(state)
        self._customers = customers
        self._prices = prices
        self.enclosures["line_items"] = lambda identifier: self._items(self.table.find(identifier))

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("POST", "/checkout/sessions", _CREATE)
    def create(self, call: Call) -> Object:
        params = self._modern(call.params)
        self._check(params)
        items = self._chosen(params)
        birth = self.birth()
        currency = items[0].price.currency if items else params.get("currency")
        session = CheckoutSession(
            **birth,
            mode=params["mode"],
            customer=params.get("customer"),
            currency=None if currency is None else check_currency(currency),
            items=items,
            expires_at=params.get("expires_at", birth["created"] + _LONGEST),
            metadata=merged({}, params),
            data=next((params[name] for name in _OF_MODE if name.endswith("_data") and name in params), {}),
            details={name: params.get(name) for name in _PLAIN},
            ui_mode=params.get("ui_mode", "hosted_page"),
            types=tuple(params["allowed_payment_method_types"]) if "allowed_payment_method_types" in params else None,
        )
        self.table.add(session)
        self.page.open(session)
        self.state.at(instant_of(session.expires_at), lambda: self._lapse(session))
        return self.show(session)

    @route("GET", "/checkout/sessions", _LIST)
    def list(self, call: Call) -> Object:
        params, rows = call.params, None
        for name in ("customer", "payment_intent", "subscription"):
            if name in params:
                rows = self.table.by(name, params[name])
        status = params.get("status")
        return self.listing("/checkout/sessions", params, rows, lambda one: status in {None, one.status})

    @route("GET", "/checkout/sessions/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/checkout/sessions/{id}", {"metadata": METADATA})
    def update(self, call: Call) -> Object:
        session = self.table.find(call.id)
        session.metadata = merged(session.metadata, call.params)
        return self.show(session)

    @route("POST", "/checkout/sessions/{id}/expire")
    def expire(self, call: Call) -> Object:
        session = self.table.find(call.id)
        if session.status != "open":
            raise ApiError.state(f"Only Checkout Sessions with a status of open can be expired: {session.status}.")
        self._lapse(session)
        return self.show(session)

    @route("GET", "/checkout/sessions/{id}/line_items", PAGE)
    def line_items(self, call: Call) -> Object:
        return self._items(self.table.find(call.id))

    def show(self, record: CheckoutSession) -> Object:
        hosted = record.ui_mode == "hosted_page"
        open_ = record.status == "open"
        customer = self._customers.table.get(record.customer or "")
        email = customer.email if customer is not None else record.details["customer_email"]
        details = {"address": None, "email": email, "name": None, "phone": None, "tax_exempt": "none", "tax_ids": None}
        return {
            **self.head(record),
            **record.details,
            "allowed_payment_method_types": list(record.types) if record.types else None,
            "amount_subtotal": record.total,
            "amount_total": record.total,
            "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
            "client_secret": None if hosted or not open_ else self.state.ids.secret(record.id),
            "created": record.created,
            "currency": record.currency,
            "customer": record.customer,
            "customer_details": None if open_ and email is None else details,
            "expires_at": record.expires_at,
            "invoice": record.invoice,
            "livemode": False,
            "metadata": dict(record.metadata),
            "mode": record.mode,
            "payment_intent": record.payment_intent,
            "payment_link": None,
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "payment_status": record.payment_status,
            "setup_intent": record.setup_intent,
            "status": record.status,
            "subscription": record.subscription,
            "total_details": None
            if record.total is None
            else {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": record.ui_mode,
            "url": self.state.customer_url(record.id) if hosted and open_ else None,
        }

    # --- parts -------------------------------------------------------------------------------------------------------

    def _check(self, params: Mapping[str, Any]) -> None:
        mode = params["mode"]
        if "customer" in params:
            self._customers.table.find(params["customer"], "customer")
            if "customer_email" in params:
                raise ApiError.invalid("customer_email", "You may give only one of customer and customer_email.")
        for name, only in _OF_MODE.items():
            if name in params and mode != only:
                raise ApiError.invalid(name, f"You can not pass {name} in {mode} mode.")
        check_types(self.state, params)
        typed = "allowed_payment_method_types" in params or "payment_method_types" in params
        if mode == "setup" and not typed and "currency" not in params:
            message = "In setup mode, currency is required unless the types of payment methods are given."
            raise ApiError.invalid("currency", message, "parameter_missing")
        way_back = "success_url" if params.get("ui_mode", "hosted_page") == "hosted_page" else "return_url"
        if way_back not in params and params.get("redirect_on_completion") != "never":
            raise ApiError.invalid(way_back, f"Missing required param: {way_back}.", "parameter_missing")
        if "expires_at" in params:
            ahead = params["expires_at"] - self.state.timestamp()
            if not _SHORTEST <= ahead <= _LONGEST:
                raise ApiError.invalid("expires_at", "expires_at must be between 30 minutes and 24 hours from now.")

    def _modern(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """*params* as the pinned version has them: older ones knew items without a price, and one mode by default.

        :raises ApiError: the request's version knows none of that any more.
        """
        if not self.state.older(BARE_ITEMS_LEFT):
            if "mode" not in params:
                raise ApiError.invalid("mode", "Missing required param: mode.", "parameter_missing")
            for position, item in enumerate(params.get("line_items", ())):
                for name in _BARE_ITEM.keys() & item.keys():
                    full = f"line_items[{position}][{name}]"
                    raise ApiError.invalid(full, f"Received unknown parameter: {full}", "parameter_unknown")
            return params
        items = [_priced(item) for item in params.get("line_items", ())]
        return {"mode": "payment", **params, **({"line_items": items} if items else {})}

    def _chosen(self, params: Mapping[str, Any]) -> Sequence[LineItem]:
        mode, asked = params["mode"], params.get("line_items", [])
        if bool(asked) == (mode == "setup"):
            message = "You can not pass line_items in setup mode." if asked else "Missing required param: line_items."
            raise ApiError.invalid("line_items", message, None if asked else "parameter_missing")
        found: tuple[LineItem, ...] = ()
        for position, one in enumerate(asked):
            price = self._prices.chosen(one, f"line_items[{position}]")
            if (price.interval is not None) != (mode == "subscription"):
                wanted = "recurring" if mode == "subscription" else "one-time"
                message = f"The emulated Stripe takes only {wanted} prices in {mode} mode."
                raise ApiError.invalid(f"line_items[{position}][price]", message)
            if found and found[0].price.currency != price.currency:
                message = "All prices of a Checkout Session have the same currency."
                raise ApiError.invalid(f"line_items[{position}][price]", message)
            found = (*found, LineItem(self.state.ids.new("li"), price, one.get("quantity", 1)))
        return found

    def _lapse(self, session: CheckoutSession) -> None:
        if session.status == "open":
            session.status = "expired"
            self.page.close(session)
            self.state.emit("checkout.session.expired", self.show(session))

    def _items(self, session: CheckoutSession) -> Object:
        data = [
            {
                "id": item.id,
                "object": "item",
                "amount_discount": 0,
                "amount_subtotal": item.amount,
                "amount_tax": 0,
                "amount_total": item.amount,
                "currency": item.price.currency,
                "description": item.price.product,
                "price": self._prices.show(item.price),
                "quantity": item.quantity,
            }
            for item in session.items
        ]
        url = f"/v1/checkout/sessions/{session.id}/line_items"
        return {"object": "list", "data": data, "has_more": False, "url": url}


def _priced(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """*item* with a price made on the spot, where it says what it costs by itself."""
    if "amount" not in item and "name" not in item:
        return item
    product = {name: item[name] for name in ("name", "description") if name in item}
    price = {"unit_amount": item.get("amount", 0), "currency": item.get("currency", ""), "product_data": product}
    return {**{name: value for name, value in item.items() if name not in _BARE_ITEM}, "price_data": price}
