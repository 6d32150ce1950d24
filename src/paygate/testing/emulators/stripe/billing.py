"""What time and payments do to subscriptions and their invoices (provider fact sheet §10).

A period ends, an invoice is drafted, an hour later it is final and charged; a payment that fails is tried again, and when
the tries are used up the subscription is what the account's setting says.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from .charges import Charge
from .customers import Customer, Customers
from .errors import ApiError
from .invoices import Invoice, Invoices, Line
from .params import merged
from .payment_intents import PaymentIntent, PaymentIntents
from .payment_methods import PaymentMethod, PaymentMethods
from .periods import Cycle, first_anchor
from .resource import Object
from .state import State, Waiting
from .subscriptions import Item, Subscription, Subscriptions, check_items
from .timeline import Timeline, instant_of, stamp

__all__ = ["Billing"]

_Params: TypeAlias = Mapping[str, Any]

#: Decline codes after which Stripe plans retries and never sends them, until the method changes (§6).
_HARD = frozenset(
    {
        "authentication_required",
        "highest_risk_level",
        "incorrect_number",
        "lost_card",
        "pickup_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "transaction_not_allowed",
    }
)

_WAITING_FOR_MONEY = frozenset({"past_due", "unpaid"})


class Billing:
    """The engine between :class:`Subscriptions`, :class:`Invoices` and the payments. *timelines*: a customer's time."""

    def __init__(
        self,
        state: State,
        customers: Customers,
        methods: PaymentMethods,
        intents: PaymentIntents,
        subscriptions: Subscriptions,
        invoices: Invoices,
        timelines: Callable[[str | None], Timeline],
    ) -> None:
        self._state = state
        self._customers = customers
        self._methods = methods
        self._intents = intents
        self._subscriptions = subscriptions
        self._invoices = invoices
        self._timelines = timelines
        self._numbers: dict[str, int] = {}
        self._by_intent: dict[str, str] = {}
        subscriptions.billing = invoices.billing = self
        intents.payments.followers.append(self._took_money)
        customers.leaving.append(self._leave)

    # --- subscriptions -----------------------------------------------------------------------------------------------

    def subscribe(self, customer: Customer, items: Sequence[Item], params: _Params) -> Subscription:
        """Start a subscription; charge its first period now, unless it begins with a trial.

        :raises ApiError: 402, with ``payment_behavior=error_if_incomplete``, if the first payment is refused.
        """
        timeline = self._timelines(customer.test_clock)
        now = timeline.now().replace(microsecond=0)
        method = params.get("default_payment_method")
        if method is not None:
            self.method(method, customer.id, "default_payment_method")
        trial_end = _trial_end(params, now)
        cycle, first_end = _cycle(items, params, now, trial_end)
        subscription = Subscription(
            **{**self._subscriptions.birth(), "created": stamp(now)},
            customer=customer.id,
            items=list(items),
            cycle=cycle,
            period_start=stamp(now),
            period_end=stamp(first_end),
            status="trialing" if trial_end else "incomplete",
            metadata=merged({}, params),
            collection=params.get("collection_method", "charge_automatically"),
            days_until_due=params.get("days_until_due"),
            method=method,
            description=params.get("description"),
            trial_start=stamp(now) if trial_end else None,
            trial_end=stamp(trial_end) if trial_end else None,
            missing_method=_missing_method(params, "create_invoice"),
            anchor_config=params.get("billing_cycle_anchor_config"),
            test_clock=customer.test_clock,
        )
        self._end_when(subscription, params, now)
        if subscription.collection == "send_invoice" and subscription.days_until_due is None:
            message = "days_until_due is required with collection_method=send_invoice."
            raise ApiError.invalid("days_until_due", message, "parameter_missing")
        if customer.currency not in {None, subscription.currency}:
            message = f"You cannot combine currencies on a single customer: this one is billed in {customer.currency}."
            raise ApiError.invalid("customer", message)
        behaviour = params.get("payment_behavior", "allow_incomplete")
        if behaviour == "error_if_incomplete" and trial_end is None:
            self._try_card(subscription, customer)
        customer.currency = subscription.currency
        self._subscriptions.table.add(subscription)
        self._plan_turn(subscription)
        first = self._draft(subscription, "subscription_create", stamp(now), stamp(now), trial=trial_end is not None)
        self._state.emit("customer.subscription.created", self._subscriptions.show(subscription))
        self._state.emit("invoice.created", self._invoices.show(first))
        self.finalize(first, collect=behaviour != "default_incomplete")
        if subscription.status == "incomplete" and subscription.collection == "send_invoice":
            self._set_status(subscription, "active")
        if subscription.status == "incomplete":
            expires = now + dt.timedelta(seconds=self._state.behaviour.incomplete_life)
            timeline.at(expires, lambda: self._expire(subscription))
        return subscription

    def change(self, subscription: Subscription, params: _Params) -> None:
        """Apply an update. The caller emits what changed.

        :raises ApiError: the change would need prorations, which the emulator does not know, or names something wrong.
        """
        timeline = self._timelines(subscription.test_clock)
        now = timeline.now().replace(microsecond=0)
        if params.get("default_payment_method") is not None:
            self.method(params["default_payment_method"], subscription.customer, "default_payment_method")
        if "items" in params:
            subscription.items = self._changed_items(subscription, params)
        for name, attribute in (
            ("collection_method", "collection"),
            ("days_until_due", "days_until_due"),
            ("default_payment_method", "method"),
            ("description", "description"),
            ("pause_collection", "pause"),
        ):
            if name in params:
                setattr(subscription, attribute, params[name])
        subscription.metadata = merged(subscription.metadata, params)
        subscription.missing_method = _missing_method(params, subscription.missing_method)
        if "cancellation_details" in params:
            subscription.cancellation = {**subscription.cancellation, **params["cancellation_details"]}
        self._end_when(subscription, params, now)
        if "trial_end" in params:
            self._move_trial(subscription, params["trial_end"], now)

    def end(self, subscription: Subscription, reason: str, details: Mapping[str, str | None] | None = None) -> None:
        """Cancel *subscription* now. Its invoices are collected no more."""
        now = stamp(self._timelines(subscription.test_clock).now())
        subscription.status = "canceled"
        subscription.ended_at = now
        if subscription.canceled_at is None:
            subscription.canceled_at = now
        subscription.cancellation = {**subscription.cancellation, **(details or {}), "reason": reason}
        self._stop_collecting(subscription)
        self._state.emit("customer.subscription.deleted", self._subscriptions.show(subscription))

    def hold(self, subscription: Subscription) -> None:
        """Pause *subscription*: no periods, no invoices, until it is resumed."""
        before = self._subscriptions.show(subscription)
        subscription.status = "paused"
        self._subscriptions.told(subscription, before)
        self._state.emit("customer.subscription.paused", self._subscriptions.show(subscription))

    def resume(self, subscription: Subscription, *, anew: bool) -> None:
        """Let a paused subscription go on. *anew*: a new period begins now; else the old periods go on."""
        before = self._subscriptions.show(subscription)
        now = self._timelines(subscription.test_clock).now().replace(microsecond=0)
        subscription.status = "active"
        if anew:
            subscription.cycle = attrs.evolve(subscription.cycle, anchor=now, day=now.day)
            subscription.period_end = stamp(now)
        self._subscriptions.told(subscription, before)
        self._state.emit("customer.subscription.resumed", self._subscriptions.show(subscription))
        self._plan_turn(subscription)

    def method(self, identifier: str, customer: str, param: str) -> PaymentMethod:
        """The payment method that belongs to *customer*.

        :raises ApiError: there is none of that id, or it belongs to somebody else.
        """
        method = self._methods.named(identifier, param)
        if method.customer != customer:
            message = f"The customer does not have a payment method with the ID {identifier}: attach it first."
            raise ApiError.invalid(param, message, "resource_missing")
        return method

    # --- time --------------------------------------------------------------------------------------------------------

    def _plan_turn(self, subscription: Subscription) -> None:
        planned = subscription.period_end

        def turn() -> None:
            if subscription.period_end == planned and not subscription.ended and subscription.status != "paused":
                self._turn(subscription)

        self._timelines(subscription.test_clock).at(instant_of(planned), turn)

    def _turn(self, subscription: Subscription) -> None:
        """A period is over: the next one begins, or the subscription ends."""
        if subscription.status == "incomplete":
            return  # it expires before it could begin a second period
        cancels = subscription.cancel_at is not None and subscription.cancel_at <= subscription.period_end
        if subscription.cancel_at_period_end or cancels:
            self.end(subscription, "cancellation_requested")
            return
        trial_over = subscription.status == "trialing"
        if trial_over and self._method_of(subscription) is None and subscription.missing_method != "create_invoice":
            if subscription.missing_method == "cancel":
                self.end(subscription, "payment_failed")
            else:
                self.hold(subscription)
            return
        before = self._subscriptions.show(subscription)
        last_start, start = subscription.period_start, subscription.period_end
        subscription.period_start = start
        subscription.period_end = stamp(subscription.cycle.after(instant_of(start)))
        if trial_over:
            subscription.status = "active"
        invoice = self._draft(subscription, "subscription_cycle", last_start, start)
        self._subscriptions.told(subscription, before)
        self._plan_turn(subscription)
        self._state.emit("invoice.created", self._invoices.show(invoice))
        self._plan_finalization(subscription, invoice)

    def _plan_finalization(self, subscription: Subscription, invoice: Invoice) -> None:
        pause = subscription.pause
        if subscription.status == "unpaid" or (pause is not None and pause["behavior"] == "keep_as_draft"):
            invoice.auto_advance = False
            return
        if pause is not None:
            self.finalize(invoice, collect=False)
            (self.void if pause["behavior"] == "void" else self.give_up)(invoice)
            return
        timeline = self._timelines(invoice.test_clock)
        when = timeline.now() + dt.timedelta(seconds=self._state.behaviour.draft_life)
        invoice.finalizes_at = invoice.next_attempt = stamp(when)

        def finish() -> None:
            if invoice.status == "draft" and invoice.auto_advance:
                self.finalize(invoice)

        timeline.at(when, finish)

    def _expire(self, subscription: Subscription) -> None:
        """The first payment did not come in time (§10)."""
        if subscription.status != "incomplete":
            return
        for invoice in self._invoices.table.by("subscription", subscription.id):
            if invoice.status == "open":
                self.void(invoice)
        self._set_status(subscription, "incomplete_expired")

    # --- invoices ----------------------------------------------------------------------------------------------------

    def finalize(self, invoice: Invoice, *, collect: bool = True) -> None:
        """Make a draft final, and charge it where that is due."""
        now = stamp(self._timelines(invoice.test_clock).now())
        number = self._numbers[invoice.customer] = self._numbers.get(invoice.customer, 0) + 1
        invoice.number = f"{invoice.customer[-8:].upper()}-{number:04}"
        invoice.status, invoice.finalized_at, invoice.next_attempt = "open", now, None
        subscription = self._subscriptions.table.find(invoice.subscription)
        invoice.subscription_metadata = subscription.metadata
        if invoice.collection == "send_invoice":
            invoice.due_date = now + (subscription.days_until_due or 0) * 24 * 3600
        if not invoice.total:
            self._state.emit("invoice.finalized", self._invoices.show(invoice))
            self._paid(invoice)
            return
        intent = self._intent(invoice, subscription)
        self._state.emit("invoice.finalized", self._invoices.show(invoice))
        if invoice.collection == "send_invoice":
            self._state.emit("invoice.sent", self._invoices.show(invoice))
        elif collect and invoice.auto_advance:
            self._collect(invoice, intent)

    def pay(self, invoice: Invoice, params: _Params) -> None:
        """Pay an invoice on demand; not counted as an attempt (§10).

        :raises ApiError: 402, if the payment is refused, or there is no card to charge.
        """
        if invoice.status == "draft":
            self.finalize(invoice, collect=False)
        if params.get("paid_out_of_band"):
            invoice.out_of_band = True
            self._paid(invoice)
            return
        subscription = self._subscriptions.table.find(invoice.subscription)
        method = self._method_of(subscription, invoice)
        if "payment_method" in params:
            method = self.method(params["payment_method"], invoice.customer, "payment_method")
        if method is None:
            message = "There is no default payment method on this invoice, its subscription or its customer."
            raise ApiError.invalid("payment_method", message, "resource_missing")
        intent = self._intents.table.find(str(invoice.intent))
        self._intents.payments.attempt(intent, method, off_session=params.get("off_session", True))
        invoice.attempted = True
        if intent.status == "requires_payment_method" and intent.failure is not None:
            self._state.emit("invoice.payment_failed", self._invoices.show(invoice))
            raise self._intents.refusal(intent, intent.failure)

    def void(self, invoice: Invoice) -> None:
        """Take an invoice back."""
        invoice.status, invoice.next_attempt = "void", None
        invoice.voided_at = stamp(self._timelines(invoice.test_clock).now())
        self._drop_intent(invoice, "void_invoice")
        self._state.emit("invoice.voided", self._invoices.show(invoice))

    def give_up(self, invoice: Invoice) -> None:
        """Mark an invoice as uncollectible; it can still be paid."""
        if invoice.status == "draft":
            self.finalize(invoice, collect=False)
        invoice.status, invoice.next_attempt = "uncollectible", None
        invoice.uncollectible_at = stamp(self._timelines(invoice.test_clock).now())
        self._state.emit("invoice.marked_uncollectible", self._invoices.show(invoice))

    def preview(self, params: _Params) -> Object:
        """The next invoice of a subscription, which does not exist yet.

        :raises ApiError: no subscription was named, or it will not be charged again.
        """
        if "subscription" not in params:
            raise ApiError.invalid("subscription", "The emulated Stripe previews invoices of a subscription.")
        subscription = self._subscriptions.table.find(params["subscription"], "subscription")
        if subscription.ended or subscription.cancel_at_period_end:
            message = f"No upcoming invoices for subscription {subscription.id}"
            raise ApiError.invalid("subscription", message, "invoice_upcoming_none")
        start = subscription.period_end
        end = stamp(subscription.cycle.after(instant_of(start)))
        lines = self._lines(subscription, start, end, whole=True)
        invoice = self._new_invoice(subscription, "upcoming", lines, subscription.period_start, start)
        invoice.created = start
        return {**self._invoices.show(invoice), "id": f"upcoming_{invoice.id}"}

    def _draft(self, subscription: Subscription, reason: str, start: int, end: int, *, trial: bool = False) -> Invoice:
        """A new invoice for the running period of *subscription*; its own period is the one before (§10)."""
        lines = self._lines(subscription, subscription.period_start, subscription.period_end, whole=False)
        if trial:
            lines = tuple(attrs.evolve(line, amount=0, unit_amount=0) for line in lines)
        invoice = self._invoices.table.add(self._new_invoice(subscription, reason, lines, start, end))
        subscription.latest_invoice = invoice.id
        return invoice

    def _new_invoice(
        self, subscription: Subscription, reason: str, lines: tuple[Line, ...], start: int, end: int
    ) -> Invoice:
        customer = self._customers.table.get(subscription.customer)
        now = stamp(self._timelines(subscription.test_clock).now())
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

    def _lines(self, subscription: Subscription, start: int, end: int, *, whole: bool) -> tuple[Line, ...]:
        """The lines for a period; one that is shorter than its cycle is charged by its share of seconds."""
        ends = instant_of(end)
        share = (end - start, end - stamp(subscription.cycle.before(ends)))
        if whole or share[0] >= share[1]:
            share = (1, 1)
        lines = []
        for item in subscription.items:
            full = item.price.unit_amount * item.quantity
            name = self._state.resources["prod"].lookup(item.price.product) or {}
            lines.append(
                Line(
                    id=self._state.ids.new("il"),
                    item=item.id,
                    price=item.price.id,
                    product=item.price.product,
                    unit_amount=item.price.unit_amount,
                    quantity=item.quantity,
                    amount=full * share[0] // share[1],
                    start=start,
                    end=end,
                    description=f"{item.quantity} × {name.get('name', item.price.product)}",
                )
            )
        return tuple(lines)

    # --- payments ----------------------------------------------------------------------------------------------------

    def _intent(self, invoice: Invoice, subscription: Subscription) -> PaymentIntent:
        first = invoice.reason == "subscription_create"
        intent = PaymentIntent(
            **{**self._intents.birth(), "created": stamp(self._timelines(invoice.test_clock).now())},
            amount=invoice.total,
            currency=invoice.currency,
            customer=invoice.customer,
            metadata={},
            description=f"Subscription {'creation' if first else 'update'}",
        )
        invoice.intent = intent.id
        self._by_intent[intent.id] = invoice.id
        self._invoices.payments.open(invoice, intent.id)
        return self._intents.add(intent, self._method_of(subscription, invoice))

    def _collect(self, invoice: Invoice, intent: PaymentIntent) -> None:
        """Charge an open invoice, as its first attempt or as a retry."""
        subscription = self._subscriptions.table.find(invoice.subscription)
        method = self._method_of(subscription, invoice)
        invoice.attempted, invoice.next_attempt = True, None
        invoice.attempt_count += 1
        if method is not None:
            try:
                self._intents.payments.attempt(intent, method, off_session=True)
            except ApiError:  # an error of Stripe's own took no money, and a retry is due like after a decline
                intent.status = "requires_payment_method"
        if intent.status not in {"succeeded", "processing"}:
            self._missed(invoice, subscription, intent)

    def _missed(self, invoice: Invoice, subscription: Subscription, intent: PaymentIntent) -> None:
        """An attempt to collect *invoice* failed."""
        retries = self._state.behaviour.invoice_retries if subscription.status != "incomplete" else ()
        exhausted = invoice.attempt_count > len(retries)
        if not exhausted:
            self._plan_retry(invoice, intent, retries[invoice.attempt_count - 1])
        shown = self._invoices.show(invoice)
        asks = intent.failure is not None and intent.failure.reason.code == "authentication_required"
        if asks:
            self._wait_for_customer(invoice, intent)
            self._state.emit("invoice.payment_action_required", shown)
        self._state.emit("invoice.payment_failed", shown)
        if subscription.status in {"active", "trialing"}:
            self._set_status(subscription, "past_due")
        if exhausted and subscription.status == "past_due":
            self._exhausted(subscription, invoice)

    def _plan_retry(self, invoice: Invoice, intent: PaymentIntent, seconds: float) -> None:
        timeline = self._timelines(invoice.test_clock)
        when = timeline.now() + dt.timedelta(seconds=seconds)
        planned = invoice.next_attempt = stamp(when)
        failed = intent.failure

        def again() -> None:
            if invoice.status != "open" or invoice.next_attempt != planned or not invoice.auto_advance:
                return
            subscription = self._subscriptions.table.find(invoice.subscription)
            reason = failed.reason if failed is not None else None
            code = None if reason is None else reason.decline_code or reason.code
            same = failed is not None and self._method_of(subscription, invoice) is failed.method
            if code in _HARD and same:
                invoice.attempt_count += 1
                self._skip(invoice, subscription, intent)
            else:
                self._collect(invoice, intent)

        timeline.at(when, again)

    def _skip(self, invoice: Invoice, subscription: Subscription, intent: PaymentIntent) -> None:
        """A retry that was planned and is not sent, because the card would refuse it anyhow (§6)."""
        retries = self._state.behaviour.invoice_retries
        if invoice.attempt_count > len(retries):
            invoice.next_attempt = None
            self._exhausted(subscription, invoice)
        else:
            self._plan_retry(invoice, intent, retries[invoice.attempt_count - 1])

    def _exhausted(self, subscription: Subscription, invoice: Invoice) -> None:
        """The retries are used up; what follows is a setting of the dashboard (§10)."""
        match self._state.behaviour.after_retries:
            case "canceled":
                invoice.auto_advance = False
                self.end(subscription, "payment_failed")
            case "unpaid":
                self._set_status(subscription, "unpaid")
            case _:
                pass

    def _took_money(self, charge: Charge) -> None:
        invoice = self._invoices.table.get(self._by_intent.get(str(charge.intent), ""))
        if invoice is not None and invoice.status in {"open", "uncollectible"}:
            self._paid(invoice)

    def _paid(self, invoice: Invoice) -> None:
        self._state.waiting.pop(invoice.id, None)
        invoice.status, invoice.next_attempt = "paid", None
        invoice.attempted = invoice.attempted or bool(invoice.total)
        invoice.paid_at = stamp(self._timelines(invoice.test_clock).now())
        invoice.amount_paid = 0 if invoice.out_of_band else invoice.total
        if invoice.out_of_band:
            self._drop_intent(invoice, "automatic")
        payments = self._invoices.payments
        payments.end(invoice, "paid", lambda paid: self._state.emit("invoice_payment.paid", payments.show(paid)))
        shown = self._invoices.show(invoice)
        self._state.emit("invoice.paid", shown)
        self._state.emit("invoice.payment_succeeded", shown)
        subscription = self._subscriptions.table.find(invoice.subscription)
        newest = subscription.latest_invoice == invoice.id
        if subscription.status == "incomplete" or (subscription.status in _WAITING_FOR_MONEY and newest):
            self._set_status(subscription, "active")

    def _wait_for_customer(self, invoice: Invoice, intent: PaymentIntent) -> None:
        """The hosted page of *invoice* lets its customer confirm the payment, or fail at it."""
        method = intent.failure.method if intent.failure is not None else None

        def finish(passed: bool) -> None:
            self._state.waiting.pop(invoice.id, None)
            if method is None or invoice.status != "open" or not passed:
                return
            self._intents.payments.attempt(intent, method, off_session=False)
            if intent.asking:
                self._state.waiting[intent.id].finish(passed)

        self._state.waiting[invoice.id] = Waiting(finish)

    def _drop_intent(self, invoice: Invoice, reason: str) -> None:
        self._invoices.payments.end(invoice, "canceled")
        intent = self._intents.table.get(invoice.intent or "")
        if intent is not None and intent.status not in {"canceled", "succeeded", "processing"}:
            self._intents.end(intent, reason)

    def _try_card(self, subscription: Subscription, customer: Customer) -> None:
        """With ``error_if_incomplete`` a card that would be refused starts nothing."""
        method = self._method_of(subscription)
        if method is None:
            message = "This customer has no attached payment source or default payment method."
            raise ApiError.invalid("customer", message, "resource_missing")
        refused = method.card.refusal
        if refused is not None:
            intent = PaymentIntent(
                **self._intents.birth(),
                amount=sum(item.price.unit_amount * item.quantity for item in subscription.items),
                currency=subscription.currency,
                customer=customer.id,
                metadata={},
            )
            self._intents.add(intent, method)
            self._intents.payments.attempt(intent, method, off_session=True)
            if intent.failure is not None:
                raise self._intents.refusal(intent, intent.failure)

    # --- small steps -------------------------------------------------------------------------------------------------

    def _method_of(self, subscription: Subscription, invoice: Invoice | None = None) -> PaymentMethod | None:
        """What pays: the invoice's own method, then the subscription's, then the customer's (§4)."""
        customer = self._customers.table.get(subscription.customer)
        for identifier in (
            invoice.method if invoice is not None else None,
            subscription.method,
            customer.default_method if customer is not None else None,
        ):
            method = self._methods.table.get(identifier) if identifier is not None else None
            if method is not None and method.customer == subscription.customer:
                return method
        return None

    def _set_status(self, subscription: Subscription, status: str) -> None:
        before = self._subscriptions.show(subscription)
        subscription.status = status
        self._subscriptions.told(subscription, before)

    def _stop_collecting(self, subscription: Subscription) -> None:
        for invoice in self._invoices.table.by("subscription", subscription.id):
            if invoice.status in {"draft", "open"}:
                invoice.auto_advance, invoice.next_attempt = False, None

    def _leave(self, customer: Customer) -> None:
        """A deleted customer's subscriptions end."""
        for subscription in self._subscriptions.table.by("customer", customer.id):
            if not subscription.ended:
                self.end(subscription, "cancellation_requested")

    def _end_when(self, subscription: Subscription, params: _Params, now: dt.datetime) -> None:
        if params.get("cancel_at") is not None and params.get("cancel_at_period_end"):
            raise ApiError.invalid("cancel_at", "You may give only one of cancel_at and cancel_at_period_end.")
        if "cancel_at_period_end" in params:
            subscription.cancel_at_period_end = params["cancel_at_period_end"]
            subscription.cancel_at = subscription.period_end if subscription.cancel_at_period_end else None
        elif "cancel_at" in params:
            subscription.cancel_at, subscription.cancel_at_period_end = params["cancel_at"], False
            self._plan_cancellation(subscription, now)
        else:
            return
        wanted = subscription.cancel_at is not None
        subscription.canceled_at = stamp(now) if wanted else None
        subscription.cancellation = {
            **subscription.cancellation,
            "reason": "cancellation_requested" if wanted else None,
        }

    def _plan_cancellation(self, subscription: Subscription, now: dt.datetime) -> None:
        planned = subscription.cancel_at
        if planned is None:
            return
        if planned <= stamp(now):
            raise ApiError.invalid("cancel_at", "cancel_at must be in the future.")

        def finish() -> None:
            if subscription.cancel_at == planned and not subscription.ended:
                self.end(subscription, "cancellation_requested")

        self._timelines(subscription.test_clock).at(instant_of(planned), finish)

    def _move_trial(self, subscription: Subscription, until: int | str, now: dt.datetime) -> None:
        ends = now if until == "now" else instant_of(int(until))
        if until != "now" and ends <= now:
            raise ApiError.invalid("trial_end", "trial_end must be in the future, or now.")
        if until == "now" and subscription.status != "trialing":
            return
        if subscription.status != "trialing":
            subscription.trial_start, subscription.period_start = stamp(now), stamp(now)
            subscription.status = "trialing"
        subscription.trial_end = subscription.period_end = stamp(ends)
        subscription.cycle = attrs.evolve(subscription.cycle, anchor=ends, day=ends.day)
        self._plan_turn(subscription)

    def _changed_items(self, subscription: Subscription, params: _Params) -> list[Item]:
        if params.get("proration_behavior") != "none":
            message = "The emulated Stripe knows no prorations: send proration_behavior=none with items."
            raise ApiError.invalid("proration_behavior", message)
        items = {item.id: item for item in subscription.items}
        for position, one in enumerate(params["items"]):
            known = items.get(one.get("id", ""))
            if "id" in one and known is None:
                raise ApiError.missing("subscription item", one["id"], f"items[{position}][id]")
            if known is None:
                (added,) = self._subscriptions.new_items([one])
                items[added.id] = added
            elif one.get("deleted"):
                del items[known.id]
            else:
                items[known.id] = self._changed_item(known, one)
        if not items:
            raise ApiError.invalid("items", "A subscription must have at least one item.")
        check_items(list(items.values()))
        first = next(iter(items.values())).price
        subscription.cycle = attrs.evolve(subscription.cycle, interval=str(first.interval), count=first.interval_count)
        return list(items.values())

    def _changed_item(self, item: Item, one: Mapping[str, Any]) -> Item:
        price = item.price
        if "price" in one or "price_data" in one:
            (replacement,) = self._subscriptions.new_items([one])
            price = replacement.price
        return attrs.evolve(
            item, price=price, quantity=one.get("quantity", item.quantity), metadata=merged(item.metadata, one)
        )


def _missing_method(params: _Params, known: str) -> str:
    chosen: str = params.get("trial_settings", {}).get("end_behavior", {}).get("missing_payment_method", known)
    return chosen


def _trial_end(params: _Params, now: dt.datetime) -> dt.datetime | None:
    """When the trial that *params* ask for ends; None for no trial.

    :raises ApiError: two ways of saying it, or an end that is not in the future.
    """
    if "trial_end" in params and "trial_period_days" in params:
        raise ApiError.invalid("trial_end", "You may give only one of trial_end and trial_period_days.")
    if "trial_period_days" in params:
        return now + dt.timedelta(days=params["trial_period_days"])
    until = params.get("trial_end", "now")
    if until == "now":
        return None
    ends = instant_of(until)
    if ends <= now:
        raise ApiError.invalid("trial_end", "trial_end must be in the future.")
    if ends > now + dt.timedelta(days=5 * 366):
        raise ApiError.invalid("trial_end", "trial_end must be at most five years in the future.")
    return ends


def _cycle(
    items: Sequence[Item], params: _Params, now: dt.datetime, trial_end: dt.datetime | None
) -> tuple[Cycle, dt.datetime]:
    """Where periods begin, and where the first one ends.

    :raises ApiError: an anchor that is not in the future, or two of them.
    """
    price = items[0].price
    start, day = trial_end or now, None
    if "billing_cycle_anchor" in params and "billing_cycle_anchor_config" in params:
        message = "You may give only one of billing_cycle_anchor and billing_cycle_anchor_config."
        raise ApiError.invalid("billing_cycle_anchor", message)
    anchor = start
    if "billing_cycle_anchor" in params:
        anchor = instant_of(params["billing_cycle_anchor"])
        if anchor < now:
            raise ApiError.invalid("billing_cycle_anchor", "billing_cycle_anchor must be in the future.")
    elif "billing_cycle_anchor_config" in params:
        if price.interval not in {"month", "year"}:
            message = "billing_cycle_anchor_config goes with prices per month or year."
            raise ApiError.invalid("billing_cycle_anchor_config", message)
        config = params["billing_cycle_anchor_config"]
        anchor, day = first_anchor(config, now), config["day_of_month"]
    cycle = Cycle(str(price.interval), price.interval_count, anchor, day or anchor.day)
    if trial_end is not None:
        return cycle, trial_end
    return cycle, anchor if anchor > now else cycle.after(now)
