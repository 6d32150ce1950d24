"""How the money of an invoice comes in: first attempt, retries, 3-D Secure, payments on demand (provider fact sheet §10)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from .charges import Charge
from .customers import Customers
from .errors import CARD_ERROR, ApiError
from .invoices import Invoice, Invoices
from .payment_intents import PaymentIntent, PaymentIntents
from .payment_methods import PaymentMethod, PaymentMethods
from .state import State, Waiting
from .subscriptions import Subscription, Subscriptions
from .test_clocks import TestClocks
from .timeline import stamp

__all__ = ["Collecting"]

#: Decline codes after which Stripe plans retries and never sends them, until the method changes (§6).
_HARD = frozenset(
    {
        "authentication_required", "highest_risk_level", "incorrect_number", "lost_card", "pickup_card",
        "revocation_of_all_authorizations", "revocation_of_authorization", "stolen_card", "transaction_not_allowed",
    }
)  # fmt: skip

_FINAL = frozenset({"canceled", "succeeded"})


class Collecting:
    """Attempts to collect invoices. Tells what became of them by :attr:`collected` and :attr:`missed`."""

    #: Called once an invoice is paid, however.
    collected: Callable[[Invoice], None]
    #: Called after each attempt that failed, with whether it was the last one.
    missed: Callable[[Invoice, bool], None]

    def __init__(
        self,
        state: State,
        customers: Customers,
        methods: PaymentMethods,
        intents: PaymentIntents,
        invoices: Invoices,
        subscriptions: Subscriptions,
        clocks: TestClocks,
    ) -> None:
        self._state = state
        self._customers = customers
        self._methods = methods
        self._intents = intents
        self._invoices = invoices
        self._subscriptions = subscriptions
        self._clocks = clocks
        self._by_intent: dict[str, str] = {}
        intents.payments.followers.append(self._took_money)
        intents.payments.mourners.append(self._refused)

    # --- who pays ----------------------------------------------------------------------------------------------------

    def method(self, identifier: str, customer: str, param: str) -> PaymentMethod:
        """The payment method of that id, which belongs to *customer*.

        :raises ApiError: there is none, or it belongs to somebody else.
        """
        method = self._methods.named(identifier, param)
        if method.customer != customer:
            message = f"The customer does not have a payment method with the ID {identifier}: attach it first."
            raise ApiError.invalid(param, message, "resource_missing")
        return method

    def method_of(self, subscription: Subscription | None, invoice: Invoice | None = None) -> PaymentMethod | None:
        """What pays: the invoice's own method, then the subscription's, then the customer's (§4)."""
        payers = [one for one in (invoice, subscription) if one is not None]
        customer = self._customers.table.get(payers[0].customer)
        methods = [*(payer.method for payer in payers), customer.default_method if customer is not None else None]
        for identifier in methods:
            method = self._methods.table.get(identifier) if identifier is not None else None
            if method is not None and method.customer == payers[0].customer:
                return method
        return None

    def subscription_of(self, invoice: Invoice) -> Subscription | None:
        """What *invoice* is for; None for one that somebody wrote by hand."""
        return None if invoice.subscription is None else self._subscriptions.table.find(invoice.subscription)

    # --- paying ------------------------------------------------------------------------------------------------------

    def intent(self, subscription: Subscription, amount: int, *, first: bool) -> PaymentIntent:
        """A new intent over *amount* minor units for an invoice of *subscription*."""
        now = self._clocks.timeline(subscription.test_clock).now()
        return PaymentIntent(
            **{**self._intents.birth(), "created": stamp(now)},
            amount=amount,
            currency=subscription.currency,
            customer=subscription.customer,
            metadata={},
            description="Subscription creation" if first else "Subscription update",
            setup_future_usage="off_session" if subscription.saves_method else None,
        )

    def expect(self, invoice: Invoice, subscription: Subscription | None, paid: PaymentIntent | None = None) -> None:
        """Let an intent pay *invoice*: a new one, or *paid*, which has begun already."""
        intent = paid
        if intent is None and subscription is not None:
            intent = self.intent(subscription, invoice.total, first=invoice.reason == "subscription_create")
        elif intent is None:
            intent = PaymentIntent(
                **{**self._intents.birth(), "created": self._now(invoice)},
                amount=invoice.total,
                currency=invoice.currency,
                customer=invoice.customer,
                metadata={},
                description=f"Payment for Invoice {invoice.number}",
            )
        if paid is None:
            self._intents.add(intent, self.method_of(subscription, invoice))
        invoice.intent = intent.id
        self._by_intent[intent.id] = invoice.id
        self._invoices.payments.open(invoice, intent.id, self._now(invoice))

    def paid_by(self, invoice: Invoice) -> PaymentMethod | None:
        """What paid *invoice*; None where no card did."""
        intent = self._intents.table.get(invoice.intent or "")
        return intent.method if intent is not None and intent.status == "succeeded" else None

    def attempt_first(
        self, subscription: Subscription, amount: int, *, off_session: bool, confronts: bool = False
    ) -> PaymentIntent:
        """Pay the first period before there is a subscription, so that a refusal starts nothing (§10).

        :param confronts: the customer passes 3-D Secure on the way.
        :raises ApiError: 402, the payment was refused or needs its customer; 400, there is nothing to pay with.
        """
        method = self.method_of(subscription)
        if method is None:
            raise _nothing_to_charge("customer")
        intent = self.intent(subscription, amount, first=True)
        self._intents.add(intent, method)
        self._intents.payments.attempt(intent, method, off_session=off_session)
        if intent.asking and confronts:
            self._state.waiting[intent.id].finish(True)
        if intent.asking:
            self._intents.end(intent, "failed_invoice")
            raise self._needs_customer(intent, "subscription_payment_intent_requires_action")
        if intent.status == "requires_payment_method" and intent.failure is not None:
            raise self._intents.refusal(intent, intent.failure)
        return intent

    def collect(self, invoice: Invoice, *, off_session: bool = True) -> None:
        """Charge an open invoice, as its first attempt or as a retry."""
        subscription = self.subscription_of(invoice)
        method = self.method_of(subscription, invoice)
        invoice.attempted, invoice.next_attempt = True, None
        invoice.attempt_count += 1
        if method is None:
            self._miss(invoice, None)
            return
        intent = self._living(invoice, subscription)
        try:
            self._intents.payments.attempt(intent, method, off_session=off_session)
        except ApiError:  # an error of Stripe's own took no money, and a retry is due like after a decline
            self._miss(invoice, intent)
            return
        if intent.asking:
            self._miss(invoice, intent)

    def pay(self, invoice: Invoice, method: PaymentMethod | None, *, off_session: bool) -> None:
        """Pay an open invoice on demand, with *method* or with what pays it anyhow.

        :raises ApiError: 402, the payment was refused or needs the customer; 400, nothing can be charged.
        """
        subscription = self.subscription_of(invoice)
        method = method or self.method_of(subscription, invoice)
        if method is None:
            raise _nothing_to_charge("payment_method")
        intent = self._living(invoice, subscription)
        if intent.status == "processing":
            raise ApiError.state("A payment of this invoice is being processed already.", "invoice_not_editable")
        self._intents.payments.attempt(intent, method, off_session=off_session)
        if intent.asking:
            self._refused(intent)
            raise self._needs_customer(intent, "invoice_payment_intent_requires_action")
        if intent.status == "requires_payment_method" and intent.failure is not None:
            raise self._intents.refusal(intent, intent.failure)

    def settle(self, invoice: Invoice) -> None:
        """*invoice* is paid: by its intent, by other means, or because there was nothing to pay."""
        self._state.waiting.pop(invoice.id, None)
        invoice.status, invoice.next_attempt, invoice.attempted = "paid", None, True
        invoice.paid_at = self._now(invoice)
        invoice.amount_paid = 0 if invoice.out_of_band else invoice.total
        if invoice.out_of_band:
            self.drop(invoice, "automatic")
        self._invoices.payments.paid(invoice, invoice.paid_at)
        shown = self._invoices.show(invoice)
        self._state.emit("invoice.paid", shown)
        self._state.emit("invoice.payment_succeeded", shown)
        if invoice.subscription is not None:
            self.collected(invoice)

    def drop(self, invoice: Invoice, reason: str) -> None:
        """No intent is to pay *invoice* any more."""
        self._state.waiting.pop(invoice.id, None)
        self._invoices.payments.cancel(invoice, self._now(invoice))
        intent = self._intents.table.get(invoice.intent or "")
        if intent is not None and intent.status not in {*_FINAL, "processing"}:
            self._intents.end(intent, reason)

    # --- what became of it -------------------------------------------------------------------------------------------

    def _took_money(self, charge: Charge) -> None:
        invoice = self._invoices.table.get(self._by_intent.get(charge.intent, ""))
        if invoice is not None and invoice.status in {"open", "uncollectible"}:
            invoice.attempt_count = invoice.attempt_count or 1  # whatever pays first counts as the first attempt
            self.settle(invoice)

    def _refused(self, intent: PaymentIntent) -> None:
        invoice = self._invoices.table.get(self._by_intent.get(intent.id, ""))
        if invoice is not None and invoice.status in {"open", "uncollectible"}:
            invoice.attempted, invoice.attempt_count = True, invoice.attempt_count or 1
            self._miss(invoice, intent)

    def _miss(self, invoice: Invoice, intent: PaymentIntent | None) -> None:
        """An attempt to pay *invoice* has failed. A retry that is planned already stays."""
        self._state.waiting.pop(invoice.id, None)
        subscription = self.subscription_of(invoice)
        begins = subscription is not None and subscription.status == "incomplete"
        retries = () if begins else self._state.behaviour.invoice_retries
        last = invoice.attempt_count > len(retries)
        if not last and invoice.next_attempt is None and _retried(invoice):
            self._plan_retry(invoice, intent, retries[invoice.attempt_count - 1])
        shown = self._invoices.show(invoice)
        if intent is not None and (method := _waits_with(intent)) is not None:
            self._wait_for_customer(invoice, intent, method)
            self._state.emit("invoice.payment_action_required", shown)
        self._state.emit("invoice.payment_failed", shown)
        if subscription is not None:
            self.missed(invoice, last)

    def _plan_retry(self, invoice: Invoice, intent: PaymentIntent | None, seconds: float) -> None:
        timeline = self._clocks.timeline(invoice.test_clock)
        when = timeline.now() + dt.timedelta(seconds=seconds)
        planned = invoice.next_attempt = stamp(when)
        failure = intent.failure if intent is not None else None

        def again() -> None:
            if invoice.status != "open" or invoice.next_attempt != planned or not _retried(invoice):
                return
            subscription = self.subscription_of(invoice)
            refused = failure is not None and self.method_of(subscription, invoice) is failure.method
            if failure is not None and refused and (failure.reason.decline_code or failure.reason.code) in _HARD:
                self._skip(invoice, intent)
            elif self._living(invoice, subscription).status != "processing":
                self.collect(invoice)

        timeline.at(when, again)

    def _skip(self, invoice: Invoice, intent: PaymentIntent | None) -> None:
        """A retry was planned and is not sent, because the card would refuse it anyhow (§6)."""
        retries = self._state.behaviour.invoice_retries
        invoice.attempt_count += 1
        invoice.next_attempt = None
        last = invoice.attempt_count > len(retries)
        if not last:
            self._plan_retry(invoice, intent, retries[invoice.attempt_count - 1])
        self._state.emit("invoice.updated", self._invoices.show(invoice))
        if invoice.subscription is not None:
            self.missed(invoice, last)

    def _wait_for_customer(self, invoice: Invoice, intent: PaymentIntent, method: PaymentMethod) -> None:
        """The hosted page of *invoice* lets its customer confirm the payment, or fail at it."""

        def finish(passed: bool) -> None:
            self._state.waiting.pop(invoice.id, None)
            if intent.asking:
                self._state.waiting[intent.id].finish(passed)
            elif intent.status == "requires_payment_method":
                self._intents.payments.confront(intent, method, passed=passed)

        self._state.waiting[invoice.id] = Waiting(finish)

    # --- small steps -------------------------------------------------------------------------------------------------

    def _living(self, invoice: Invoice, subscription: Subscription | None) -> PaymentIntent:
        """The intent that pays *invoice*; a new one, if somebody has canceled it."""
        if self._intents.table.find(str(invoice.intent)).status == "canceled":
            self._invoices.payments.cancel(invoice, self._now(invoice))
            self.expect(invoice, subscription)
        return self._intents.table.find(str(invoice.intent))

    def _needs_customer(self, intent: PaymentIntent, code: str) -> ApiError:
        message = "This payment requires additional user action before it can be completed successfully."
        return ApiError(
            402,
            message,
            kind=CARD_ERROR,
            code=code,
            executed=True,
            details={"payment_intent": self._intents.show(intent)},
        )

    def _now(self, invoice: Invoice) -> int:
        return stamp(self._clocks.timeline(invoice.test_clock).now())


def _waits_with(intent: PaymentIntent) -> PaymentMethod | None:
    """The card with which *intent* needs its customer, for 3-D Secure; None where it does not."""
    if intent.asking:
        return intent.method
    failure = intent.failure
    return failure.method if failure is not None and failure.reason.code == "authentication_required" else None


def _retried(invoice: Invoice) -> bool:
    return invoice.auto_advance and invoice.collection == "charge_automatically"


def _nothing_to_charge(param: str) -> ApiError:
    message = "This customer has no attached payment source or default payment method."
    return ApiError.invalid(param, message, "resource_missing")
