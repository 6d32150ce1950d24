"""Customers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from .errors import ApiError
from .params import METADATA, PAGE, Table, array, choice, integer, mapping, merged, span, text
from .resource import Object, Resource, changes, route
from .search import SEARCH, Fields, search
from .state import Call, State
from .tables import Record

__all__ = ["ADDRESS", "SHIPPING", "Customer", "Customers"]

#: A postal address, wherever one is taken.
ADDRESS: Table = {name: text(unset=True) for name in ("city", "country", "line1", "line2", "postal_code", "state")}

#: Where goods go, of a customer and of a payment.
SHIPPING: Table = {"address": mapping(ADDRESS, required=True), "name": text(required=True), "phone": text(unset=True)}

_INVOICE_SETTINGS: Table = {"default_payment_method": text(unset=True), "footer": text(unset=True)}
_FIELDS: Table = {
    "address": mapping(ADDRESS, unset=True),
    "balance": integer(),
    "description": text(unset=True),
    "business_name": text(most=150, unset=True),
    "email": text(most=512, unset=True),
    "individual_name": text(most=150, unset=True),
    "invoice_settings": mapping(_INVOICE_SETTINGS),
    "metadata": METADATA,
    "name": text(most=256, unset=True),
    "phone": text(most=20, unset=True),
    "preferred_locales": array(text(), unset=True),
    "shipping": mapping(SHIPPING, unset=True),
    "tax_exempt": choice("none", "exempt", "reverse", unset=True),
}
_CREATE: Table = {**_FIELDS, "payment_method": text(), "source": text(), "test_clock": text()}
_LIST: Table = {**PAGE, "created": span(), "email": text(), "test_clock": text()}

#: Parameters that are kept and shown as they came.
_PLAIN = (
    "address", "business_name", "description", "individual_name", "name", "phone", "preferred_locales", "shipping",
    "tax_exempt",
)  # fmt: skip


@attrs.define
class Customer(Record):
    """A customer. *details* holds what is kept and shown as it came."""

    email: str | None
    details: Mapping[str, Any] = attrs.field(repr=False)
    metadata: Mapping[str, str]
    balance: int = 0  #: minor units that the next invoice adds (or, negative, takes off)
    default_method: str | None = None
    footer: str | None = None
    test_clock: str | None = None
    currency: str | None = None
    delinquent: bool = False


class Customers(Resource[Customer]):
    """``/v1/customers``.

    Other resources hook in: *attach* attaches a payment method by id, *own* finds one of a customer's, *joining* is called before a customer is there and
    *leaving* before one goes.
    """

    kind = "customer"
    prefix = "cus"
    expandable = frozenset({"invoice_settings.default_payment_method", "test_clock"})
    indexes = ("email", "test_clock")

    own: Callable[[str, str], Record | None]

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.attach: list[Callable[[str, Customer], str]] = []
        self.joining: list[Callable[[Customer], None]] = []
        self.leaving: list[Callable[[Customer], None]] = []
        self._deleted: dict[str, Customer] = {}

    @route("POST", "/customers", _CREATE)
    def create(self, call: Call) -> Object:
        params = call.params
        customer = Customer(
            **self.birth(),
            email=params.get("email"),
            details={name: params.get(name) for name in _PLAIN},
            metadata=merged({}, params),
            balance=params.get("balance", 0),
            test_clock=params.get("test_clock"),
        )
        for join in self.joining:
            join(customer)
        for attach in self.attach if "payment_method" in params else ():
            attach(params["payment_method"], customer)
        if "source" in params:  # old integrations: what pays from now on
            for attach in self.attach:
                customer.default_method = attach(params["source"], customer)
        self._set_invoicing(customer, params)
        self.table.add(customer)
        self.state.emit("customer.created", self.show(customer))
        return self.show(customer)

    @route("GET", "/customers", _LIST)
    def list(self, call: Call) -> Object:
        rows = None
        for name in ("test_clock", "email"):
            if name in call.params:
                rows = self.table.by(name, call.params[name])
        clock = call.params.get("test_clock")  # without one, customers that have a clock are left out
        return self.listing("/customers", call.params, rows, lambda one: one.test_clock == clock)

    @route("GET", "/customers/search", SEARCH)
    def search(self, call: Call) -> Object:
        fields: Fields[Customer] = {
            "created": lambda one: one.created,
            "email": lambda one: one.email,
            "metadata": lambda one: one.metadata,
            "name": lambda one: one.details["name"],
            "phone": lambda one: one.details["phone"],
        }
        return search(self, call, "/customers/search", fields)

    @route("GET", "/customers/{id}")
    def retrieve(self, call: Call) -> Object:
        if call.id in self._deleted:
            return {**self.head(self._deleted[call.id]), "deleted": True}
        return self.show(self.table.find(call.id))

    @route("POST", "/customers/{id}", _FIELDS)
    def update(self, call: Call) -> Object:
        customer, params = self.table.find(call.id), call.params
        before = self.show(customer)
        metadata = merged(customer.metadata, params)
        self._set_invoicing(customer, params)
        customer.metadata = metadata
        customer.details = {name: params.get(name, customer.details[name]) for name in _PLAIN}
        customer.balance = params.get("balance", customer.balance)
        if "email" in params:
            self.table.move(customer, "email", params["email"])
        shown = self.show(customer)
        if previous := changes(before, shown):
            self.state.emit("customer.updated", shown, previous)
        return shown

    @route("DELETE", "/customers/{id}")
    def delete(self, call: Call) -> Object:
        customer = self.table.find(call.id)
        self.remove(customer)
        return {**self.head(customer), "deleted": True}

    def remove(self, customer: Customer) -> None:
        """Delete *customer*."""
        for leave in self.leaving:
            leave(customer)
        self.table.remove(customer)
        self._deleted[customer.id] = customer
        self.state.emit("customer.deleted", self.show(customer))

    def prefer(self, customer: Customer, method_id: str) -> None:
        """Let that payment method, which is attached to *customer*, pay what names no other."""
        before = self.show(customer)
        customer.default_method = method_id
        shown = self.show(customer)
        self.state.emit("customer.updated", shown, changes(before, shown))

    def new(self, email: str) -> Customer:
        """A customer of whom nothing but the address is known."""
        details = dict.fromkeys(_PLAIN)
        customer = self.table.add(Customer(**self.birth(), email=email, details=details, metadata={}))
        self.state.emit("customer.created", self.show(customer))
        return customer

    def lookup(self, identifier: str) -> Object | None:
        if identifier in self._deleted:
            return {**self.head(self._deleted[identifier]), "deleted": True}
        return super().lookup(identifier)

    def show(self, record: Customer) -> Object:
        return {
            **self.head(record),
            **record.details,
            "balance": record.balance,
            "created": record.created,
            "currency": record.currency,
            "default_source": None,
            "delinquent": record.delinquent,
            "discount": None,
            "email": record.email,
            "invoice_prefix": record.id[-8:].upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": record.default_method,
                "footer": record.footer,
                "rendering_options": None,
            },
            "livemode": False,
            "metadata": dict(record.metadata),
            "next_invoice_sequence": 1,
            "preferred_locales": record.details["preferred_locales"] or [],
            "tax_exempt": record.details["tax_exempt"] or "none",
            "test_clock": record.test_clock,
        }

    def _set_invoicing(self, customer: Customer, params: Mapping[str, Any]) -> None:
        settings = params.get("invoice_settings", {})
        method = settings.get("default_payment_method", customer.default_method)
        if method is not None and method != customer.default_method:
            own = self.own(method, customer.id)
            if own is None:
                if not method.startswith("pm_card_"):
                    self.refer("PaymentMethod", "pm", method, "invoice_settings[default_payment_method]")
                message = f"The customer does not have a payment method with the ID {method}: attach it first."
                raise ApiError.state(message, "resource_missing", param="invoice_settings[default_payment_method]")
            method = own.id
        customer.default_method = method
        customer.footer = settings.get("footer", customer.footer)
