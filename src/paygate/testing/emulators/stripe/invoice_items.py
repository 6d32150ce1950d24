"""Invoices that somebody writes by hand, and the items that go into them (provider fact sheet §10, §13).

An item waits for the customer's next invoice, or is put into a draft that exists already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .amounts import CURRENCY, check_currency
from .customers import Customer, Customers
from .errors import ApiError
from .invoices import Invoice, Invoices, Line, pricing
from .params import METADATA, PAGE, Table, boolean, choice, integer, mapping, merged, moment, span, text
from .prices import PRICE_DATA, Price, Prices
from .resource import Object, Resource, changes, route
from .state import Call, State
from .tables import Record

__all__ = ["InvoiceItem", "InvoiceItems"]

_PERIOD = mapping({"end": moment(required=True), "start": moment(required=True)})
_ITEM: Table = {
    "amount": integer(least=-99_999_999, most=99_999_999),
    "description": text(unset=True),
    "discountable": boolean(),
    "metadata": METADATA,
    "period": _PERIOD,
    "price": text(),
    "price_data": mapping(PRICE_DATA),
    "pricing": mapping({"price": text(required=True)}),
    "quantity": integer(least=0, most=999_999),
    "unit_amount": integer(),
    "unit_amount_decimal": text(),
}
_NEW_ITEM: Table = {**_ITEM, "currency": CURRENCY, "customer": text(required=True), "invoice": text()}
_ITEMS: Table = {**PAGE, "created": span(), "customer": text(), "invoice": text(), "pending": boolean()}
_INVOICE: Table = {
    "auto_advance": boolean(),
    "collection_method": choice("charge_automatically", "send_invoice"),
    "currency": CURRENCY,
    "customer": text(required=True),
    "days_until_due": integer(least=0),
    "default_payment_method": text(),
    "description": text(unset=True),
    "due_date": moment(),
    "footer": text(unset=True),
    "metadata": METADATA,
    "pending_invoice_items_behavior": choice("exclude", "include"),
}


@attrs.define
class InvoiceItem(Record):
    """Something to be invoiced, in minor units; *invoice* is None while it waits for one."""

    customer: str
    currency: str
    unit_amount: int
    quantity: int
    start: int
    end: int
    metadata: Mapping[str, str]
    description: str | None = None
    discountable: bool = True
    invoice: str | None = None
    price: Price | None = None

    @property
    def amount(self) -> int:
        """Minor units; negative for something that is taken off."""
        return self.unit_amount * self.quantity


class InvoiceItems(Resource[InvoiceItem]):
    """``/v1/invoiceitems``, and what makes and deletes drafts of ``/v1/invoices``."""

    kind = "invoiceitem"
    prefix = "ii"
    expandable = frozenset({"customer", "invoice"})
    indexes = ("customer", "invoice")

    def __init__(self, state: State, customers: Customers, prices: Prices, invoices: Invoices) -> None:
        super().__init__(state)
        self._customers = customers
        self._prices = prices
        self._invoices = invoices

    # --- items -------------------------------------------------------------------------------------------------------

    @route("POST", "/invoiceitems", _NEW_ITEM)
    def create(self, call: Call) -> Object:
        params = call.params
        customer = self._customers.table.find(params["customer"], "customer")
        invoice = self._draft(params["invoice"], "invoice") if "invoice" in params else None
        if invoice is not None and invoice.customer != customer.id:
            raise ApiError.invalid("invoice", "The invoice belongs to another customer.")
        unit_amount, currency, price = self._priced(params)
        if customer.currency not in {None, currency} or (invoice is not None and invoice.currency != currency):
            raise ApiError.invalid("currency", "You cannot combine currencies on a single customer.")
        now = self.state.timestamp()
        period = params.get("period", {"start": now, "end": now})
        item = self.table.add(
            InvoiceItem(
                **self.birth(),
                customer=customer.id,
                currency=currency,
                unit_amount=unit_amount,
                quantity=params.get("quantity", 1),
                start=period["start"],
                end=period["end"],
                metadata=merged({}, params),
                description=params.get("description"),
                discountable=params.get("discountable", True),
                invoice=None if invoice is None else invoice.id,
                price=price,
            )
        )
        self.state.emit("invoiceitem.created", self.show(item))
        if invoice is not None:
            self._write(invoice)
        return self.show(item)

    @route("GET", "/invoiceitems", _ITEMS)
    def list(self, call: Call) -> Object:
        params, rows = call.params, None
        for name in ("customer", "invoice"):
            if name in params:
                rows = self.table.by(name, params[name])

        def wanted(one: InvoiceItem) -> bool:
            return params.get("pending") in {None, one.invoice is None} and params.get("customer") in {
                None,
                one.customer,
            }

        return self.listing("/invoiceitems", params, rows, wanted)

    @route("GET", "/invoiceitems/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/invoiceitems/{id}", _ITEM)
    def update(self, call: Call) -> Object:
        item, params = self.table.find(call.id), call.params
        invoice = None if item.invoice is None else self._draft(item.invoice, None)
        if params.keys() & {"amount", "unit_amount", "unit_amount_decimal", "price", "price_data", "pricing"}:
            unit_amount, currency, price = self._priced({**params, "currency": item.currency})
            if currency != item.currency:
                raise ApiError.invalid("price", f"The price specified has another currency than {item.currency}.")
            item.unit_amount, item.price = unit_amount, price
        item.metadata = merged(item.metadata, params)
        for name in ("description", "discountable", "quantity"):
            if name in params:
                setattr(item, name, params[name])
        if "period" in params:
            item.start, item.end = params["period"]["start"], params["period"]["end"]
        if invoice is not None:
            self._write(invoice)
        return self.show(item)

    @route("DELETE", "/invoiceitems/{id}")
    def delete(self, call: Call) -> Object:
        item = self.table.find(call.id)
        invoice = None if item.invoice is None else self._draft(item.invoice, None)
        self.table.remove(item)
        self.state.emit("invoiceitem.deleted", self.show(item))
        if invoice is not None:
            self._write(invoice)
        return {**self.head(item), "deleted": True}

    def show(self, record: InvoiceItem) -> Object:
        price = record.price
        return {
            **self.head(record),
            "amount": record.amount,
            "currency": record.currency,
            "customer": record.customer,
            "date": record.created,
            "description": record.description,
            "discountable": record.discountable,
            "discounts": [],
            "invoice": record.invoice,
            "livemode": False,
            "metadata": dict(record.metadata),
            "parent": None,
            "period": {"end": record.end, "start": record.start},
            "pricing": None if price is None else pricing(price.id, price.product, price.unit_amount),
            "proration": False,
            "quantity": record.quantity,
            "tax_rates": [],
            "test_clock": None,
        }

    # --- invoices ----------------------------------------------------------------------------------------------------

    @route("POST", "/invoices", _INVOICE)
    def write(self, call: Call) -> Object:
        params = call.params
        customer = self._customers.table.find(params["customer"], "customer")
        self._invoices.invoicing.clocks.check_idle(customer.test_clock)
        collection = params.get("collection_method", "charge_automatically")
        if collection == "send_invoice" and not params.keys() & {"days_until_due", "due_date"}:
            message = "days_until_due or due_date is required with collection_method=send_invoice."
            raise ApiError.invalid("days_until_due", message, "parameter_missing")
        if "default_payment_method" in params:
            self._invoices.invoicing.collecting.method(
                params["default_payment_method"], customer.id, "default_payment_method"
            )
        waiting: Sequence[InvoiceItem] = ()
        if params.get("pending_invoice_items_behavior") == "include":
            waiting = [item for item in self.table.by("customer", customer.id) if item.invoice is None]
        invoice = self._new(customer, params, waiting, collection)
        for item in waiting:
            self.table.move(item, "invoice", invoice.id)
        invoice.lines = self._lines(invoice)
        self._invoices.invoicing.begin(invoice)
        return self._invoices.show(invoice)

    @route("DELETE", "/invoices/{id}")
    def throw_away(self, call: Call) -> Object:
        invoice = self._draft(call.id, None)
        for item in tuple(self.table.by("invoice", invoice.id)):
            self.table.remove(item)
        self._invoices.table.remove(invoice)
        self.state.emit("invoice.deleted", self._invoices.show(invoice))
        return {"id": invoice.id, "object": "invoice", "deleted": True}

    # --- parts -------------------------------------------------------------------------------------------------------

    def _new(
        self, customer: Customer, params: Mapping[str, Any], waiting: Sequence[InvoiceItem], collection: str
    ) -> Invoice:
        now = self.state.timestamp()
        currency = params.get("currency") or customer.currency or next((item.currency for item in waiting), None)
        if any(item.currency != (currency or item.currency).lower() for item in waiting):
            raise ApiError.invalid("currency", "The pending invoice items of this customer have another currency.")
        return Invoice(
            **self._invoices.birth(),
            customer=customer.id,
            email=customer.email,
            subscription=None,
            currency=check_currency(currency or "usd"),
            lines=(),
            reason="manual",
            collection=collection,
            period_start=now,
            period_end=now,
            subscription_metadata={},
            metadata=merged({}, params),
            description=params.get("description"),
            method=params.get("default_payment_method"),
            auto_advance=params.get("auto_advance", False),
            due_date=params.get("due_date"),
            days_until_due=params.get("days_until_due"),
            test_clock=customer.test_clock,
        )

    def _priced(self, params: Mapping[str, Any]) -> tuple[int, str, Price | None]:
        """Unit amount in minor units, currency and price of an item.

        :raises ApiError: nothing says what it costs, or several things do.
        """
        said = [
            name
            for name in ("amount", "unit_amount", "unit_amount_decimal", "price", "price_data", "pricing")
            if name in params
        ]
        if len(said) != 1:
            message = "You must specify exactly one of amount, unit_amount, price_data and pricing."
            raise ApiError.invalid(said[1] if said else "amount", message, None if said else "parameter_missing")
        if said[0] in {"price", "price_data", "pricing"}:
            named = {"price": params["pricing"]["price"]} if said[0] == "pricing" else {said[0]: params[said[0]]}
            price = self._prices.chosen(named, "pricing")
            if price.interval is not None:
                raise ApiError.invalid(said[0], f"The price {price.id} is recurring: an invoice item is paid once.")
            return price.unit_amount, price.currency, price
        if "currency" not in params:
            raise ApiError.invalid("currency", "Missing required param: currency.", "parameter_missing")
        if said[0] == "amount" and params.get("quantity", 1) != 1:
            raise ApiError.invalid("quantity", "You may only use quantity with a unit amount or a price.")
        value = params[said[0]]
        if isinstance(value, str):
            value = integer().parse(said[0], value.partition(".")[0])
        return value, check_currency(params["currency"]), None

    def _draft(self, identifier: str, param: str | None) -> Invoice:
        """The invoice of that id, which can still be written.

        :raises ApiError: it is final, or a subscription made it.
        """
        invoice = self._invoices.table.find(identifier, param)
        if invoice.status != "draft" or invoice.subscription is not None:
            raise ApiError.state("This invoice is no longer editable.", "invoice_not_editable")
        return invoice

    def _write(self, invoice: Invoice) -> None:
        before = self._invoices.show(invoice)
        invoice.lines = self._lines(invoice)
        shown = self._invoices.show(invoice)
        self.state.emit("invoice.updated", shown, changes(before, shown))

    def _lines(self, invoice: Invoice) -> tuple[Line, ...]:
        known = {line.item: line.id for line in invoice.lines}
        return tuple(
            Line(
                id=known.get(item.id) or self.state.ids.new("il"),
                item=item.id,
                price=None if item.price is None else item.price.id,
                product=None if item.price is None else item.price.product,
                unit_amount=item.unit_amount,
                quantity=item.quantity,
                amount=item.amount,
                start=item.start,
                end=item.end,
                description=item.description,
                by_hand=True,
            )
            for item in self.table.by("invoice", invoice.id)
        )
