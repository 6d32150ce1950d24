"""The life of an invoice: drafted for a period, final an hour later, then paid, void or given up (fact sheet §10)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from .collecting import Collecting
from .customers import Customers
from .errors import ApiError
from .invoices import Invoice, Invoices, Line
from .payment_intents import PaymentIntent
from .products import Products
from .resource import Object
from .state import State
from .subscriptions import Subscription, Subscriptions
from .test_clocks import TestClocks
from .timeline import instant_of, stamp

__all__ = ["Invoicing"]


class Invoicing:
    """Makes invoices of subscriptions and carries them through their states."""

    def __init__(
        self,
        state: State,
        customers: Customers,
        products: Products,
        subscriptions: Subscriptions,
        invoices: Invoices,
        collecting: Collecting,
        clocks: TestClocks,
    ) -> None:
        self._state = state
        self._customers = customers
        self._products = products
        self._subscriptions = subscriptions
        self._invoices = invoices
        self.collecting = collecting
        self.clocks = clocks
        self._numbers: dict[str, int] = {}
        invoices.invoicing = self

    # --- drafts ------------------------------------------------------------------------------------------------------

    def draft(self, subscription: Subscription, reason: str, start: int, end: int, *, free: bool = False) -> Invoice:
        """A new invoice for the running period of *subscription*.

        :param start: of the invoice's own period, which is the one before, in seconds since 1970; :param end: likewise.
        :param free: nothing is asked for, as for a trial.
        """
        lines = self._lines(subscription, subscription.period_start, subscription.period_end)
        if free:
            lines = tuple(attrs.evolve(line, amount=0, unit_amount=0) for line in lines)
        invoice = self._invoices.table.add(self._new(subscription, reason, lines, start, end))
        subscription.latest_invoice = invoice.id
        return invoice

    def issue(self, subscription: Subscription, invoice: Invoice) -> None:
        """Tell of a draft, and let it become final when that is due, or at once what a pause of the collection says."""
        pause = subscription.pause["behavior"] if subscription.pause is not None else None
        timeline = self.clocks.timeline(invoice.test_clock)
        when = timeline.now() + dt.timedelta(seconds=self._state.behaviour.draft_life)
        if subscription.status == "unpaid" or pause == "keep_as_draft":
            invoice.auto_advance = False
        elif pause is None:
            invoice.finalizes_at = invoice.next_attempt = stamp(when)
        self._state.emit("invoice.created", self._invoices.show(invoice))
        if pause in {"mark_uncollectible", "void"}:
            self.finalize(invoice, collect=False)
            (self.void if pause == "void" else self.give_up)(invoice)

        self._at(invoice, when)

    def begin(self, invoice: Invoice) -> None:
        """Let an invoice that somebody wrote by hand begin its life as a draft."""
        self._invoices.table.add(invoice)
        if invoice.auto_advance:
            self._finish_later(invoice)
        self._state.emit("invoice.created", self._invoices.show(invoice))

    def preview(self, params: Mapping[str, Any]) -> Object:
        """The next invoice of a subscription, which does not exist yet.

        :raises ApiError: no subscription was named, or it will not be charged again.
        """
        subscription = self._subscriptions.table.find(params["subscription"], "subscription")
        if params.get("customer", subscription.customer) != subscription.customer:
            raise ApiError.invalid("customer", f"The customer does not have the subscription {subscription.id}.")
        ends = subscription.cancel_at is not None and subscription.cancel_at <= subscription.period_end
        if subscription.ended or ends or subscription.status == "paused":
            message = f"No upcoming invoices for subscription {subscription.id}"
            raise ApiError.invalid("subscription", message, "invoice_upcoming_none")
        start = subscription.period_end
        lines = self._lines(subscription, start, stamp(subscription.cycle.after(instant_of(start))))
        invoice = self._new(subscription, "upcoming", lines, subscription.period_start, start)
        invoice.created = start
        return {**self._invoices.show(invoice), "id": f"upcoming_{invoice.id}"}

    # --- from draft to the end ---------------------------------------------------------------------------------------

    def finalize(
        self, invoice: Invoice, *, collect: bool = True, off_session: bool = True, paid: PaymentIntent | None = None
    ) -> None:
        """Make a draft final, and charge it where that is due.

        :param collect: False leaves the payment to the customer or the merchant.
        :param paid: the intent that has begun to pay it already.
        """
        now = self._now(invoice)
        number = self._numbers[invoice.customer] = self._numbers.get(invoice.customer, 0) + 1
        invoice.number = f"{invoice.customer[-8:].upper()}-{number:04}"
        invoice.status, invoice.finalized_at, invoice.next_attempt = "open", now, None
        subscription = self.collecting.subscription_of(invoice)
        if subscription is not None:
            invoice.subscription_metadata = subscription.metadata
            invoice.days_until_due = subscription.days_until_due
        if invoice.collection == "send_invoice" and invoice.due_date is None:
            invoice.due_date = now + (invoice.days_until_due or 0) * 24 * 3600
        if invoice.total:
            self.collecting.expect(invoice, subscription, paid)
        self._state.emit("invoice.finalized", self._invoices.show(invoice))
        if not invoice.total:
            self.collecting.settle(invoice)
        elif invoice.collection == "send_invoice":
            self._state.emit("invoice.sent", self._invoices.show(invoice))
        elif paid is not None:
            invoice.attempted, invoice.attempt_count = True, 1
            if paid.status == "succeeded":
                self.collecting.settle(invoice)
        elif collect and invoice.auto_advance:
            self.collecting.collect(invoice, off_session=off_session)

    def pay(self, invoice: Invoice, params: Mapping[str, Any]) -> None:
        """Pay an invoice on demand; counted as an attempt only if it is the first (§10).

        :raises ApiError: 402, if the payment is refused; 400, if there is no card to charge.
        """
        method = None
        if "payment_method" in params:
            method = self.collecting.method(params["payment_method"], invoice.customer, "payment_method")
        if invoice.status == "draft":
            self.finalize(invoice, collect=False)
        if invoice.status == "paid":
            return
        if params.get("paid_out_of_band"):
            invoice.out_of_band = True
            self.collecting.settle(invoice)
        else:
            self.collecting.pay(invoice, method, off_session=params.get("off_session", True))

    def void(self, invoice: Invoice) -> None:
        """Take an invoice back."""
        invoice.status, invoice.next_attempt = "void", None
        invoice.voided_at = self._now(invoice)
        self.collecting.drop(invoice, "void_invoice")
        self._state.emit("invoice.voided", self._invoices.show(invoice))

    def give_up(self, invoice: Invoice) -> None:
        """Mark an invoice as uncollectible; it can still be paid."""
        if invoice.status == "draft":
            self.finalize(invoice, collect=False)
        if invoice.status == "open":
            invoice.status, invoice.next_attempt = "uncollectible", None
            invoice.uncollectible_at = self._now(invoice)
            self._state.emit("invoice.marked_uncollectible", self._invoices.show(invoice))

    # --- parts -------------------------------------------------------------------------------------------------------

    def total(self, subscription: Subscription) -> int:
        """What the running period of *subscription* costs, in minor units."""
        return sum(
            line.amount for line in self._lines(subscription, subscription.period_start, subscription.period_end)
        )

    def _new(self, subscription: Subscription, reason: str, lines: tuple[Line, ...], start: int, end: int) -> Invoice:
        customer = self._customers.table.get(subscription.customer)
        now = stamp(self.clocks.timeline(subscription.test_clock).now())
        return Invoice(
            **{**self._invoices.birth(), "created": now},
            customer=subscription.customer,
            email=customer.email if customer is not None else None,
            subscription=subscription.id,
            currency=subscription.currency,
            lines=lines,
            reason=reason,
            collection=subscription.collection,
            period_start=start,
            period_end=end,
            subscription_metadata=subscription.metadata,
            test_clock=subscription.test_clock,
        )

    def _lines(self, subscription: Subscription, start: int, end: int) -> tuple[Line, ...]:
        """The lines for a period; one that is shorter than its cycle is charged by its share of seconds."""
        whole = end - stamp(subscription.cycle.before(instant_of(end)))
        part = min(end - start, whole)
        lines = []
        for item in subscription.items:
            product = self._products.table.find(item.price.product)
            lines.append(
                Line(
                    id=self._state.ids.new("il"),
                    item=item.id,
                    price=item.price.id,
                    product=item.price.product,
                    unit_amount=item.price.unit_amount,
                    quantity=item.quantity,
                    amount=item.price.unit_amount * item.quantity * part // whole,
                    start=start,
                    end=end,
                    description=f"{item.quantity} × {product.name}",
                )
            )
        return tuple(lines)

    def _finish_later(self, invoice: Invoice) -> None:
        when = self.clocks.timeline(invoice.test_clock).now() + dt.timedelta(seconds=self._state.behaviour.draft_life)
        invoice.finalizes_at = invoice.next_attempt = stamp(when)
        self._at(invoice, when)

    def _at(self, invoice: Invoice, when: dt.datetime) -> None:
        """The draft becomes final at *when*, unless somebody has decided otherwise by then."""

        def finish() -> None:
            if invoice.status == "draft" and invoice.auto_advance and self._invoices.table.get(invoice.id) is invoice:
                self.finalize(invoice)

        self.clocks.timeline(invoice.test_clock).at(when, finish)

    def _now(self, invoice: Invoice) -> int:
        return stamp(self.clocks.timeline(invoice.test_clock).now())
