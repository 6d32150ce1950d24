"""What requests, time and payments do to subscriptions (provider fact sheet §10).

A period ends, the next invoice is drafted, and what becomes of that decides about the subscription: see :mod:`.invoicing`
and :mod:`.collecting`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from .collecting import Collecting
from .customers import Customer, Customers
from .errors import ApiError
from .invoices import Invoice, Invoices
from .invoicing import Invoicing
from .params import merged
from .payment_intents import PaymentIntent
from .state import State
from .subscription_items import Item, SubscriptionItems
from .subscriptions import Subscription, Subscriptions
from .terms import check_ending, first_cycle, missing_method, saves_method, trial_end
from .test_clocks import TestClocks
from .timeline import instant_of, stamp

__all__ = ["Billing"]

_WAITING_FOR_MONEY = frozenset({"past_due", "unpaid"})

#: Parameters of an update that are kept as they came, and the attributes that keep them.
_KEPT = {
    "collection_method": "collection",
    "days_until_due": "days_until_due",
    "default_payment_method": "method",
    "description": "description",
    "pause_collection": "pause",
}


class Billing:
    """Starts, changes, renews and ends subscriptions."""

    def __init__(
        self,
        state: State,
        customers: Customers,
        subscriptions: Subscriptions,
        items: SubscriptionItems,
        invoices: Invoices,
        invoicing: Invoicing,
        collecting: Collecting,
        clocks: TestClocks,
    ) -> None:
        self._state = state
        self._subscriptions = subscriptions
        self._items = items
        self._invoices = invoices
        self._invoicing = invoicing
        self._collecting = collecting
        self.clocks = clocks
        subscriptions.billing = items.billing = self
        collecting.collected, collecting.missed = self._collected, self._missed
        customers.leaving.append(self._leave)

    # --- what requests do --------------------------------------------------------------------------------------------

    def subscribe(
        self, customer: Customer, items: Sequence[Item], params: Mapping[str, Any], *, confronts: bool = False
    ) -> Subscription:
        """Start a subscription to new *items*; charge its first period now, unless it begins with a trial.

        :param confronts: the customer is there and passes 3-D Secure, as on a page of Stripe's.
        :raises ApiError: 402, with ``payment_behavior=error_if_incomplete``, if the first payment is refused.
        """
        self.clocks.check_idle(customer.test_clock)
        self.clocks.check_room(customer)
        timeline = self.clocks.timeline(customer.test_clock)
        now = timeline.now().replace(microsecond=0)
        if (method := params.get("default_payment_method")) is not None:
            self._collecting.method(method, customer.id, "default_payment_method")
        check_ending(params, now)
        trial = trial_end(params, now)
        cycle, first_end = first_cycle(items[0].price, params, now, trial)
        subscription = Subscription(
            **{**self._subscriptions.birth(), "created": stamp(now)},
            customer=customer.id,
            items=items,
            cycle=cycle,
            period_start=stamp(now),
            period_end=stamp(first_end),
            status="incomplete" if trial is None else "trialing",
            metadata=merged({}, params),
            collection=params.get("collection_method", "charge_automatically"),
            days_until_due=params.get("days_until_due"),
            method=method,
            description=params.get("description"),
            trial_start=None if trial is None else stamp(now),
            trial_end=None if trial is None else stamp(trial),
            missing_method=missing_method(params, "create_invoice"),
            saves_method=saves_method(params, known=False),
            anchor_config=params.get("billing_cycle_anchor_config"),
            test_clock=customer.test_clock,
        )
        for item in items:
            item.created = subscription.created
        self._check(subscription, customer)
        free = trial is not None or (params.get("proration_behavior") == "none" and first_end == cycle.anchor)
        behaviour, paid = params.get("payment_behavior", "allow_incomplete"), None
        present = not params.get("off_session", False)
        if behaviour == "error_if_incomplete" and not free and (total := self._invoicing.total(subscription)):
            paid = self._collecting.attempt_first(subscription, total, off_session=not present, confronts=confronts)
        self._begin(
            subscription, customer, free=free, paid=paid, present=present, collect=behaviour != "default_incomplete"
        )
        self._end_when(subscription, params, now)
        if subscription.status == "incomplete":
            expires = now + dt.timedelta(seconds=self._state.behaviour.incomplete_life)
            timeline.at(expires, lambda: self._expire(subscription))
        return subscription

    def change(self, subscription: Subscription, params: Mapping[str, Any]) -> None:
        """Apply an update as a whole, and emit what has changed.

        :raises ApiError: the change would need prorations, which the emulator does not know, or names something wrong.
        """
        self.clocks.check_idle(subscription.test_clock)
        now = self.clocks.timeline(subscription.test_clock).now().replace(microsecond=0)
        before = self._subscriptions.show(subscription)
        if params.get("default_payment_method") is not None:
            self._collecting.method(params["default_payment_method"], subscription.customer, "default_payment_method")
        check_ending(params, now)
        until = trial_end(params, now) if "trial_end" in params else None
        metadata = merged(subscription.metadata, params)
        items: Sequence[Item] = subscription.items
        if "items" in params:
            items = self._items.changed(subscription, params)
        # nothing is refused from here on
        subscription.items, subscription.metadata = items, metadata
        self._items.keep(subscription)
        for name, attribute in _KEPT.items():
            if name in params:
                setattr(subscription, attribute, params[name])
        subscription.missing_method = missing_method(params, subscription.missing_method)
        subscription.saves_method = saves_method(params, known=subscription.saves_method)
        if "cancellation_details" in params:
            subscription.cancellation = {**subscription.cancellation, **params["cancellation_details"]}
        if params.get("pause_collection") and "resumes_at" in params["pause_collection"]:
            self._plan_collection(subscription, params["pause_collection"])
        if until is not None or (params.get("trial_end") == "now" and subscription.status == "trialing"):
            self._move_trial(subscription, until or now, now)
        self._end_when(subscription, params, now)
        self._subscriptions.told(subscription, before)

    def end(self, subscription: Subscription, reason: str, details: Mapping[str, str | None] | None = None) -> None:
        """Cancel *subscription* now. Its invoices are collected no more."""
        now = stamp(self.clocks.timeline(subscription.test_clock).now())
        subscription.status, subscription.ended_at = "canceled", now
        if subscription.canceled_at is None:
            subscription.canceled_at = now
        subscription.cancellation = {**subscription.cancellation, **(details or {}), "reason": reason}
        for invoice in self._invoices.table.by("subscription", subscription.id):
            if invoice.status in {"draft", "open"}:
                invoice.auto_advance, invoice.next_attempt = False, None
        self._state.emit("customer.subscription.deleted", self._subscriptions.show(subscription))

    def forget(self, subscription: Subscription) -> None:
        """Delete *subscription* and its invoices, as the end of its test clock does."""
        subscription.status = "canceled"
        for invoice in tuple(self._invoices.table.by("subscription", subscription.id)):
            self._state.waiting.pop(invoice.id, None)
            self._invoices.payments.forget(invoice)
            self._invoices.table.remove(invoice)
        self._items.forget(subscription)
        self._subscriptions.table.remove(subscription)

    def hold(self, subscription: Subscription) -> None:
        """Pause *subscription*: no periods, no invoices, until it is resumed."""
        self._set_status(subscription, "paused")
        self._state.emit("customer.subscription.paused", self._subscriptions.show(subscription))

    def resume(self, subscription: Subscription, *, anew: bool) -> None:
        """Let a paused subscription go on. *anew*: a new period begins, and is charged, now; else the old ones go on."""
        before = self._subscriptions.show(subscription)
        now = self.clocks.timeline(subscription.test_clock).now().replace(microsecond=0)
        last_start, subscription.status = subscription.period_start, "active"
        if anew:
            subscription.cycle = attrs.evolve(subscription.cycle, anchor=now, day=now.day)
        end = subscription.cycle.after(now)
        subscription.period_start = stamp(now if anew else subscription.cycle.before(end))
        subscription.period_end = stamp(end)
        invoice = self._invoicing.draft(subscription, "subscription_cycle", last_start, stamp(now)) if anew else None
        self._subscriptions.told(subscription, before)
        self._state.emit("customer.subscription.resumed", self._subscriptions.show(subscription))
        self._plan_turn(subscription)
        if invoice is not None:
            self._state.emit("invoice.created", self._invoices.show(invoice))
            self._invoicing.finalize(invoice)

    # --- what time does ----------------------------------------------------------------------------------------------

    def _plan_turn(self, subscription: Subscription) -> None:
        planned = subscription.period_end

        def turn() -> None:
            if subscription.period_end == planned and subscription.status not in {"incomplete", "paused"}:
                self._turn(subscription)

        self._plan(subscription, planned, turn)

    def _plan(self, subscription: Subscription, when: int, action: Callable[[], None]) -> None:
        def act() -> None:
            if not subscription.ended:
                action()

        self.clocks.timeline(subscription.test_clock).at(instant_of(when), act)

    def _turn(self, subscription: Subscription) -> None:
        """A period is over: the next one begins, or the subscription ends."""
        if subscription.cancel_at is not None and subscription.cancel_at <= subscription.period_end:
            self.end(subscription, "cancellation_requested")
            return
        trial_over = subscription.status == "trialing"
        if trial_over and self._collecting.method_of(subscription) is None:
            if subscription.missing_method == "cancel":
                self.end(subscription, "payment_failed")
                return
            if subscription.missing_method == "pause":
                self.hold(subscription)
                return
        before = self._subscriptions.show(subscription)
        last_start, start = subscription.period_start, subscription.period_end
        subscription.period_start = start
        subscription.period_end = stamp(subscription.cycle.after(instant_of(start)))
        if trial_over:
            subscription.status = "active"
        invoice = self._invoicing.draft(subscription, "subscription_cycle", last_start, start)
        self._subscriptions.told(subscription, before)
        self._plan_turn(subscription)
        self._invoicing.issue(subscription, invoice)

    def _expire(self, subscription: Subscription) -> None:
        """The first payment did not come in time (§10)."""
        if subscription.status != "incomplete":
            return
        for invoice in self._invoices.table.by("subscription", subscription.id):
            if invoice.status == "open":
                self._invoicing.void(invoice)
        self._set_status(subscription, "incomplete_expired")

    # --- what payments do --------------------------------------------------------------------------------------------

    def _collected(self, invoice: Invoice) -> None:
        subscription = self._subscriptions.table.find(str(invoice.subscription))
        before = self._subscriptions.show(subscription)
        newest = subscription.latest_invoice == invoice.id
        if subscription.status == "incomplete" or (subscription.status in _WAITING_FOR_MONEY and newest):
            subscription.status = "active"
        method = self._collecting.paid_by(invoice)
        if subscription.saves_method and method is not None:
            subscription.method = method.id
        self._subscriptions.told(subscription, before)

    def _missed(self, invoice: Invoice, last: bool) -> None:
        subscription = self._subscriptions.table.find(str(invoice.subscription))
        if subscription.status in {"active", "trialing"}:
            self._set_status(subscription, "past_due")
        if last and subscription.status == "past_due":
            match self._state.behaviour.after_retries:
                case "canceled":
                    self.end(subscription, "payment_failed")
                case "unpaid":
                    self._set_status(subscription, "unpaid")

    # --- steps -------------------------------------------------------------------------------------------------------

    def _check(self, subscription: Subscription, customer: Customer) -> None:
        if subscription.collection == "send_invoice" and subscription.days_until_due is None:
            message = "days_until_due is required with collection_method=send_invoice."
            raise ApiError.invalid("days_until_due", message, "parameter_missing")
        if customer.currency not in {None, subscription.currency}:
            message = f"You cannot combine currencies on a single customer: this one is billed in {customer.currency}."
            raise ApiError.invalid("customer", message)

    def _begin(
        self,
        subscription: Subscription,
        customer: Customer,
        *,
        free: bool,
        paid: PaymentIntent | None,
        present: bool,
        collect: bool,
    ) -> None:
        """Let *subscription* begin its life with its first invoice, which is final at once."""
        start = subscription.period_start
        customer.currency = subscription.currency
        self._subscriptions.table.add(subscription)
        self._items.keep(subscription)
        self._plan_turn(subscription)
        first = self._invoicing.draft(subscription, "subscription_create", start, start, free=free)
        self._state.emit("customer.subscription.created", self._subscriptions.show(subscription))
        self._state.emit("invoice.created", self._invoices.show(first))
        self._invoicing.finalize(first, collect=collect, off_session=not present, paid=paid)
        if subscription.status == "incomplete" and subscription.collection == "send_invoice":
            self._set_status(subscription, "active")

    def _end_when(self, subscription: Subscription, params: Mapping[str, Any], now: dt.datetime) -> None:
        """Plan the end that *params* ask for, or take it back; :func:`check_ending` has seen them."""
        if "cancel_at_period_end" in params:
            subscription.cancel_at_period_end = params["cancel_at_period_end"]
            subscription.cancel_at = subscription.period_end if subscription.cancel_at_period_end else None
        elif "cancel_at" in params:
            planned = subscription.cancel_at = params["cancel_at"]
            subscription.cancel_at_period_end = False
            if planned is not None:
                self._plan(subscription, planned, lambda: self._end_at(subscription, planned))
        else:
            return
        wanted = subscription.cancel_at is not None
        subscription.canceled_at = stamp(now) if wanted else None
        reason = "cancellation_requested" if wanted else None
        subscription.cancellation = {**subscription.cancellation, "reason": reason}

    def _end_at(self, subscription: Subscription, planned: int) -> None:
        if subscription.cancel_at == planned:
            self.end(subscription, "cancellation_requested")

    def _plan_collection(self, subscription: Subscription, pause: Mapping[str, Any]) -> None:
        """The collection goes on by itself when its pause says so."""

        def go_on() -> None:
            if subscription.pause is pause:
                before = self._subscriptions.show(subscription)
                subscription.pause = None
                self._subscriptions.told(subscription, before)

        self._plan(subscription, pause["resumes_at"], go_on)

    def _move_trial(self, subscription: Subscription, ends: dt.datetime, now: dt.datetime) -> None:
        if subscription.status != "trialing":
            subscription.trial_start = subscription.period_start = stamp(now)
            subscription.status = "trialing"
        subscription.trial_end = subscription.period_end = stamp(ends)
        subscription.cycle = attrs.evolve(subscription.cycle, anchor=ends, day=ends.day)
        if subscription.cancel_at_period_end:
            subscription.cancel_at = subscription.period_end
        self._plan_turn(subscription)

    def _set_status(self, subscription: Subscription, status: str) -> None:
        before = self._subscriptions.show(subscription)
        subscription.status = status
        self._subscriptions.told(subscription, before)

    def _leave(self, customer: Customer) -> None:
        """A deleted customer's subscriptions end."""
        for subscription in self._subscriptions.table.by("customer", customer.id):
            if not subscription.ended:
                self.end(subscription, "cancellation_requested")
