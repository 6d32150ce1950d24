"""Invoices, of subscriptions or written by hand, and the payments that were made for them (provider fact sheet §10, §13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from .errors import ApiError
from .invoice_payments import InvoicePayments
from .params import METADATA, PAGE, Table, boolean, choice, merged, span, text
from .resource import Object, Resource, changes, route
from .search import SEARCH, Fields, search
from .state import Call, State
from .tables import Record

if TYPE_CHECKING:
    from .invoicing import Invoicing

__all__ = ["Invoice", "Invoices", "Line", "pricing"]

_STATUSES = ("draft", "open", "paid", "uncollectible", "void")
_COLLECTION = ("charge_automatically", "send_invoice")

_LIST: Table = {
    **PAGE,
    "collection_method": choice(*_COLLECTION),
    "created": span(),
    "customer": text(),
    "status": choice(*_STATUSES),
    "subscription": text(),
}
_UPDATE: Table = {
    "auto_advance": boolean(),
    "default_payment_method": text(unset=True),
    "description": text(unset=True),
    "metadata": METADATA,
}
_PAY: Table = {
    "forgive": boolean(),
    "off_session": boolean(),
    "paid_out_of_band": boolean(),
    "payment_method": text(),
}
_PREVIEW: Table = {"customer": text(), "subscription": text(required=True)}


@attrs.frozen
class Line:
    """One line: so many units of a price for a period, in minor units and seconds since 1970."""

    id: str
    item: str  #: of a subscription or, in an invoice written by hand, the invoice item
    price: str | None
    product: str | None
    unit_amount: int
    quantity: int
    amount: int
    start: int
    end: int
    description: str | None
    by_hand: bool = False


@attrs.define
class Invoice(Record):
    """An invoice. Amounts are minor units, moments seconds since 1970.

    :param secret: of the hosted page's address; :param intent: the payment intent that is to pay it.
    """

    customer: str
    email: str | None
    subscription: str | None
    currency: str
    lines: tuple[Line, ...]
    reason: str
    collection: str
    period_start: int
    period_end: int
    subscription_metadata: Mapping[str, str]
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    description: str | None = None
    status: str = "draft"
    number: str | None = None
    intent: str | None = None
    method: str | None = None
    attempt_count: int = 0
    attempted: bool = False
    auto_advance: bool = True
    finalizes_at: int | None = None
    next_attempt: int | None = None
    amount_paid: int = 0
    due_date: int | None = None
    days_until_due: int | None = None
    finalized_at: int | None = None
    paid_at: int | None = None
    voided_at: int | None = None
    uncollectible_at: int | None = None
    test_clock: str | None = None
    out_of_band: bool = False

    @property
    def total(self) -> int:
        """What is asked for."""
        return max(sum(line.amount for line in self.lines), 0)  # what is taken off never becomes a payment back

    @property
    def remaining(self) -> int:
        """What is still to be paid; nothing once it is paid, however."""
        return 0 if self.status == "paid" else self.total - self.amount_paid


class Invoices(Resource[Invoice]):
    """``/v1/invoices``. What happens to an invoice is decided in :mod:`.invoicing`."""

    kind = "invoice"
    prefix = "in"
    expandable = frozenset(
        {
            "customer",
            "default_payment_method",
            "parent.subscription_details.subscription",
            "test_clock",
        }
    )
    indexes = ("customer", "subscription")
    invoicing: Invoicing

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.payments = InvoicePayments(state, self)
        self.enclosures["payments"] = self._payments_of
        self.enclosures["confirmation_secret"] = self._confirmation

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("GET", "/invoices", _LIST)
    def list(self, call: Call) -> Object:
        params, rows = call.params, None
        for name in ("customer", "subscription"):
            if name in params:
                rows = self.table.by(name, params[name])

        def wanted(one: Invoice) -> bool:
            return (
                params.get("status") in {None, one.status}
                and params.get("collection_method") in {None, one.collection}
                and params.get("customer") in {None, one.customer}
            )

        return self.listing("/invoices", params, rows, wanted)

    @route("GET", "/invoices/search", SEARCH)
    def search(self, call: Call) -> Object:
        fields: Fields[Invoice] = {
            "created": lambda one: one.created,
            "currency": lambda one: one.currency,
            "customer": lambda one: one.customer,
            "metadata": lambda one: one.metadata,
            "number": lambda one: one.number,
            "status": lambda one: one.status,
            "subscription": lambda one: one.subscription,
            "total": lambda one: one.total,
        }
        return search(self, call, "/invoices/search", fields)

    @route("POST", "/invoices/create_preview", _PREVIEW)
    def preview(self, call: Call) -> Object:
        return self.invoicing.preview(call.params)

    @route("GET", "/invoices/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/invoices/{id}", _UPDATE)
    def update(self, call: Call) -> Object:
        invoice, params = self.table.find(call.id), call.params
        if params.get("default_payment_method") is not None:
            self.invoicing.collecting.method(
                params["default_payment_method"], invoice.customer, "default_payment_method"
            )
        before = self.show(invoice)
        invoice.metadata = merged(invoice.metadata, params)
        for name, attribute in (
            ("auto_advance", "auto_advance"),
            ("default_payment_method", "method"),
            ("description", "description"),
        ):
            if name in params:
                setattr(invoice, attribute, params[name])
        shown = self.show(invoice)
        if previous := changes(before, shown):
            self.state.emit("invoice.updated", shown, previous)
        return shown

    @route("GET", "/invoices/{id}/lines", PAGE)
    def lines(self, call: Call) -> Object:
        return self._lines(call.id, call.params)

    @route("POST", "/invoices/{id}/send")
    def send(self, call: Call) -> Object:
        invoice = self._idle(call.id)
        self._require(invoice, "sent", "draft", "open")
        if invoice.collection != "send_invoice":
            raise ApiError.state("You can only send invoices whose collection_method is send_invoice.")
        if invoice.status == "draft":
            self.invoicing.finalize(invoice)
        else:
            self.state.emit("invoice.sent", self.show(invoice))
        return self.show(invoice)

    @route("POST", "/invoices/{id}/finalize", {"auto_advance": boolean()})
    def finalize(self, call: Call) -> Object:
        invoice = self._idle(call.id)
        self._require(invoice, "finalized", "draft")
        invoice.auto_advance = call.params.get("auto_advance", invoice.auto_advance)
        self.invoicing.finalize(invoice)
        return self.show(invoice)

    @route("POST", "/invoices/{id}/pay", _PAY)
    def pay(self, call: Call) -> Object:
        invoice = self._idle(call.id)
        if invoice.status == "paid":
            raise ApiError.state("Invoice is already paid", "invoice_already_paid")
        self._require(invoice, "paid", "draft", "open", "uncollectible")
        self.invoicing.pay(invoice, call.params)
        return self.show(invoice)

    @route("POST", "/invoices/{id}/void")
    def void(self, call: Call) -> Object:
        invoice = self._idle(call.id)
        self._require(invoice, "voided", "open", "uncollectible")
        self.invoicing.void(invoice)
        return self.show(invoice)

    @route("POST", "/invoices/{id}/mark_uncollectible")
    def give_up(self, call: Call) -> Object:
        invoice = self._idle(call.id)
        self._require(invoice, "marked uncollectible", "draft", "open")
        self.invoicing.give_up(invoice)
        return self.show(invoice)

    def show(self, record: Invoice) -> Object:
        return {
            **self.head(record),
            "account_country": "JP",
            "account_name": "Example KK",
            "amount_due": record.total,
            "amount_overpaid": 0,
            "amount_paid": record.amount_paid,
            "amount_remaining": record.remaining,
            "attempt_count": record.attempt_count,
            "attempted": record.attempted,
            "auto_advance": record.auto_advance and record.status in {"draft", "open"},
            "automatically_finalizes_at": record.finalizes_at if record.status == "draft" else None,
            "billing_reason": record.reason,
            "collection_method": record.collection,
            "created": record.created,
            "currency": record.currency,
            "customer": record.customer,
            "customer_email": record.email,
            "default_payment_method": record.method,
            "description": record.description,
            "due_date": record.due_date,
            "effective_at": record.finalized_at,
            "ending_balance": None if record.status == "draft" else 0,
            "hosted_invoice_url": None if record.status == "draft" else self._hosted(record),
            "invoice_pdf": None if record.status == "draft" else f"{self._hosted(record)}/pdf",
            "lines": {
                "object": "list",
                "data": [self._line(record, line) for line in record.lines],
                "has_more": False,
                "total_count": len(record.lines),
                "url": f"/v1/invoices/{record.id}/lines",
            },
            "livemode": False,
            "metadata": dict(record.metadata),
            "next_payment_attempt": record.next_attempt if record.status in {"draft", "open"} else None,
            "number": record.number,
            "parent": _parent(record),
            "period_end": record.period_end,
            "period_start": record.period_start,
            "starting_balance": 0,
            "status": record.status,
            "status_transitions": {
                "finalized_at": record.finalized_at,
                "marked_uncollectible_at": record.uncollectible_at,
                "paid_at": record.paid_at,
                "voided_at": record.voided_at,
            },
            "subtotal": record.total,
            "subtotal_excluding_tax": record.total,
            "test_clock": record.test_clock,
            "total": record.total,
            "total_discount_amounts": [],
            "total_excluding_tax": record.total,
            "total_taxes": [],
        }

    # --- parts -------------------------------------------------------------------------------------------------------

    def _hosted(self, invoice: Invoice) -> str:
        return self.state.customer_url(invoice.id)

    def _line(self, invoice: Invoice, line: Line) -> Object:
        return {
            "id": line.id,
            "object": "line_item",
            "amount": line.amount,
            "currency": invoice.currency,
            "description": line.description,
            "discount_amounts": [],
            "discountable": True,
            "invoice": invoice.id,
            "livemode": False,
            "metadata": dict(invoice.subscription_metadata),
            "parent": _parent_of_line(invoice, line),
            "period": {"end": line.end, "start": line.start},
            "pricing": None if line.price is None else pricing(line.price, line.product, line.unit_amount),
            "quantity": line.quantity,
            "subtotal": line.amount,
            "taxes": [],
        }

    def _lines(self, identifier: str, params: Mapping[str, Any]) -> Object:
        invoice = self.table.find(identifier)
        shown, limit = [self._line(invoice, line) for line in invoice.lines], params.get("limit", 10)
        ids = [line["id"] for line in shown]
        start = ids.index(params["starting_after"]) + 1 if params.get("starting_after") in ids else 0
        return {
            "object": "list",
            "data": shown[start : start + limit],
            "has_more": len(shown) > start + limit,
            "url": f"/v1/invoices/{invoice.id}/lines",
        }

    def _payments_of(self, identifier: str) -> Object:
        rows = self.payments.table.by("invoice", identifier)
        data = [self.payments.show(payment) for payment in reversed(rows)]
        return {"object": "list", "data": data, "has_more": False, "url": "/v1/invoice_payments"}

    def _confirmation(self, identifier: str) -> Object:
        intent = self.table.find(identifier).intent
        secret = None if intent is None else self.state.ids.secret(intent)
        return {"object": "invoice.confirmation_secret", "client_secret": secret, "type": "payment_intent"}

    def _idle(self, identifier: str) -> Invoice:
        """The invoice of that id, which may be changed now."""
        invoice = self.table.find(identifier)
        self.invoicing.clocks.check_idle(invoice.test_clock)
        return invoice

    def _require(self, invoice: Invoice, done: str, *statuses: str) -> None:
        if invoice.status not in statuses:
            message = f"This invoice could not be {done}: its status is {invoice.status}."
            raise ApiError.state(message, "invoice_not_editable")


def pricing(price: str, product: str | None, unit_amount: int) -> Object:
    """What one unit of a line costs, in minor units, and by which price."""
    return {
        "price_details": {"price": price, "product": product},
        "type": "price_details",
        "unit_amount_decimal": str(unit_amount),
    }


def _parent(invoice: Invoice) -> Object | None:
    if invoice.subscription is None:
        return None
    details = {"metadata": dict(invoice.subscription_metadata), "subscription": invoice.subscription}
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}


def _parent_of_line(invoice: Invoice, line: Line) -> Object:
    proration = {"proration": False, "proration_details": None, "subscription": invoice.subscription}
    if line.by_hand:
        details = {"invoice_item": line.item, **proration}
        return {
            "invoice_item_details": details,
            "subscription_item_details": None,
            "type": "invoice_item_details",
        }
    details = {"invoice_item": None, **proration, "subscription_item": line.item}
    return {"invoice_item_details": None, "subscription_item_details": details, "type": "subscription_item_details"}
