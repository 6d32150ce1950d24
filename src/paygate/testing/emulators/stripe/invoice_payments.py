"""Which payment intents pay an invoice, or were meant to (provider fact sheet §13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from .params import PAGE, Table, choice, mapping, span, text
from .resource import Object, Resource, route
from .state import Call, State
from .tables import Record

if TYPE_CHECKING:
    from .invoices import Invoice, Invoices

__all__ = ["InvoicePayment", "InvoicePayments"]

_PAYMENTS: Table = {
    **PAGE,
    "created": span(),
    "invoice": text(),
    "payment": mapping({"payment_intent": text(), "type": choice("payment_intent", required=True)}),
    "status": choice("canceled", "open", "paid"),
}


@attrs.define
class InvoicePayment(Record):
    """A payment for an invoice, made or to be made, by a payment intent."""

    invoice: str
    intent: str
    amount: int
    currency: str
    status: str = "open"
    paid_at: int | None = None
    canceled_at: int | None = None


class InvoicePayments(Resource[InvoicePayment]):
    """``/v1/invoice_payments``: which payment intent paid which invoice (§13)."""

    kind = "invoice_payment"
    prefix = "inpay"
    expandable = frozenset({"invoice", "payment.payment_intent"})
    indexes = ("invoice", "intent")

    def __init__(self, state: State, invoices: Invoices) -> None:
        super().__init__(state)
        self._invoices = invoices

    @route("GET", "/invoice_payments", _PAYMENTS)
    def list(self, call: Call) -> Object:
        params, rows = call.params, None
        if "invoice" in params:
            self._invoices.table.find(params["invoice"], "invoice")
            rows = self.table.by("invoice", params["invoice"])
        elif "payment_intent" in params.get("payment", {}):
            rows = self.table.by("intent", params["payment"]["payment_intent"])
        return self.listing("/invoice_payments", params, rows, lambda one: params.get("status") in {None, one.status})

    @route("GET", "/invoice_payments/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    def open(self, invoice: Invoice, intent: str, now: int) -> None:
        """From *now* on, in seconds since 1970, *intent* is to pay *invoice*."""
        self.table.add(
            InvoicePayment(
                **{**self.birth(), "created": now},
                invoice=invoice.id,
                intent=intent,
                amount=invoice.total,
                currency=invoice.currency,
            )
        )

    def paid(self, invoice: Invoice, now: int) -> None:
        """The open payment of *invoice* has been made *now*."""
        for payment in self._open(invoice):
            payment.status, payment.paid_at = "paid", now
            self.state.emit("invoice_payment.paid", self.show(payment))

    def cancel(self, invoice: Invoice, now: int) -> None:
        """The open payment of *invoice* is not to be made any more."""
        for payment in self._open(invoice):
            payment.status, payment.canceled_at = "canceled", now

    def forget(self, invoice: Invoice) -> None:
        """Delete the payments of *invoice*."""
        for payment in tuple(self.table.by("invoice", invoice.id)):
            self.table.remove(payment)

    def show(self, record: InvoicePayment) -> Object:
        return {
            **self.head(record),
            "amount_paid": record.amount if record.status == "paid" else None,
            "amount_requested": record.amount,
            "created": record.created,
            "currency": record.currency,
            "invoice": record.invoice,
            "is_default": True,
            "livemode": False,
            "payment": {"payment_intent": record.intent, "type": "payment_intent"},
            "status": record.status,
            "status_transitions": {"canceled_at": record.canceled_at, "paid_at": record.paid_at},
        }

    def _open(self, invoice: Invoice) -> Sequence[InvoicePayment]:
        return [payment for payment in self.table.by("invoice", invoice.id) if payment.status == "open"]
