"""The emulated Stripe: authentication, routes, idempotency, and handles for tests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Self
from urllib.parse import unquote, urlsplit

import attrs

from ....clock import Clock
from ....flow import Request, Response
from ..base import Emulator
from ..routing import Router
from ..webhooks import Delivery, Receiver
from ..wishes import CardKind
from .assumptions import Behaviour
from .billing import Billing
from .billing_portal import PortalSessions
from .cards import CARDS, PENDING_CARD, decline
from .charges import Charge, Charges
from .checkout_page import CheckoutPage
from .checkout_sessions import CheckoutSessions
from .collecting import Collecting
from .customers import Customers
from .disputes import Disputes
from .endpoints import Endpoint, Endpoints, sign
from .errors import API_ERROR, INVALID_REQUEST, ApiError
from .events import Events
from .expand import expand
from .forms import Form
from .idempotency import Kept, KeyStore, key_in_use
from .ids import Ids, scramble
from .invoice_items import InvoiceItems
from .invoices import Invoices
from .invoicing import Invoicing
from .ledger import Account, BalanceTransactions
from .params import read
from .payment_intents import PaymentIntents
from .payment_methods import PaymentMethods
from .payment_pages import PaymentPages
from .plans import Plans
from .products import Products
from .refunds import Refunds
from .resource import Object, Route
from .setup_intents import SetupIntents
from .state import Call, State
from .subscription_items import SubscriptionItems
from .subscriptions import Subscriptions
from .test_clocks import TestClocks
from .tokens import Tokens
from .versions import API_VERSION, checked
from .wire import authenticate, read_request, reply

__all__ = ["EVENTS", "StripeEmulator"]

#: The events that paygate acts on (provider fact sheet §9).
EVENTS = (
    "charge.dispute.closed", "charge.dispute.created", "charge.refunded", "checkout.session.completed",
    "checkout.session.expired", "customer.subscription.deleted", "customer.subscription.updated", "invoice.paid",
    "invoice.payment_action_required", "invoice.payment_failed", "payment_intent.canceled",
    "payment_intent.payment_failed", "payment_intent.requires_action", "payment_intent.succeeded",
    "payment_method.attached", "payment_method.automatically_updated", "payment_method.detached", "refund.created",
    "refund.failed", "refund.updated", "setup_intent.setup_failed", "setup_intent.succeeded",
)  # fmt: skip

_SECRET_KEY = re.compile(r"[sr]k_test_\w+", re.ASCII)
_PUBLIC_KEY = re.compile(r"pk_test_\w+", re.ASCII)
_WEBHOOK_SECRET = re.compile(r"whsec_[\w+/=-]+", re.ASCII)

_CARDS = {
    CardKind.GOOD: CARDS["visa"],
    CardKind.DECLINED_SOFT: CARDS["chargeCustomerFail"],
    CardKind.DECLINED_HARD: CARDS["visa_chargeDeclinedLostCard"],
    CardKind.ACTION_REQUIRED: CARDS["authenticationRequired"],
    CardKind.PENDING: PENDING_CARD,
    CardKind.REFUND_FAILS: CARDS["refundFail"],
}


class StripeEmulator(Emulator):
    """Stripe's interface for cards over its own state; see :class:`Behaviour` for what can be turned.

    :param clock: where the emulator gets the time from.
    :param api_key: the secret key that it takes, ``sk_test_…``; made up if left out.
    :param publishable_key: the key that a browser uses, ``pk_test_…``; made up if left out.
    :param webhook_secret: what signs the deliveries to :meth:`set_webhook_target`, ``whsec_…``; made up if left out.
    :param behaviour: switches; may be changed at any time through :attr:`behaviour`.
    :raises ValueError: a key is not one of the test mode.
    """

    name = "stripe"
    origin = "https://api.stripe.com"
    fixed_credentials = ("api_key", "publishable_key", "webhook_secret")

    def __init__(
        self,
        clock: Clock,
        *,
        api_key: str | None = None,
        publishable_key: str | None = None,
        webhook_secret: str | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        super().__init__(clock)
        for name, value, form, wanted in (
            ("api_key", api_key, _SECRET_KEY, "test keys only: sk_test_… or rk_test_…"),
            ("publishable_key", publishable_key, _PUBLIC_KEY, "publishable test keys only: pk_test_…"),
            ("webhook_secret", webhook_secret, _WEBHOOK_SECRET, "signing secrets only: whsec_…"),
        ):
            if value is not None and not form.fullmatch(value):
                raise ValueError(f"{name}: the emulated Stripe takes {wanted}, with letters and digits behind")
        self._publishable_key = publishable_key or f"pk_test_{_made_up('publishable key')}"
        self._api_key = api_key or f"sk_test_{_made_up('key')}"
        self._webhook_secret = webhook_secret or f"whsec_{_made_up('webhook')}"
        self.behaviour = behaviour or Behaviour()
        self._begin()

    @classmethod
    def with_credentials(cls, clock: Clock, given: Mapping[str, str]) -> Self:
        return cls(
            clock,
            api_key=given.get("api_key"),
            publishable_key=given.get("publishable_key"),
            webhook_secret=given.get("webhook_secret"),
        )

    def _begin(self) -> None:
        seed = f"{self.clock.now().timestamp()}"
        self._state = State(
            clock=self.clock,
            book=self.book,
            wishes=self.wishes,
            behaviour=self.behaviour,
            ids=Ids(seed),
            customer_url=self.customer_url,
        )
        self._keys = KeyStore(self._state)
        self._endpoints = Endpoints(self._state, self.outbox)
        self._events = Events(self._state, self._endpoints)
        self._customers = Customers(self._state)
        self._methods = PaymentMethods(self._state, self._customers, Tokens(self._state))
        self._charges = Charges(self._state, self._methods)
        self._intents = PaymentIntents(self._state, self._customers, self._methods, self._charges)
        self._setups = SetupIntents(self._state, self._customers, self._methods)
        self._refunds = Refunds(self._state, self._charges, self._intents)
        self._disputes = Disputes(self._state, self._charges, self._intents.payments)
        BalanceTransactions(self._state, self._charges, self._refunds)
        Account(self._state)
        self._begin_billing()
        self._target: Endpoint | None = None  # what set_webhook_target registered
        self._returned: dict[str, str | None] = {}
        self._router: Router[Route] = Router()
        for resource in self._state.resources.values():
            for one in resource.routes():
                self._router.add(one.method, one.pattern, one)

    def _begin_billing(self) -> None:
        state, customers, intents = self._state, self._customers, self._intents
        products = Products(state)
        subscriptions, invoices = Subscriptions(state, customers), Invoices(state)
        items = SubscriptionItems(state, products.prices, subscriptions)
        clocks = TestClocks(state, customers, subscriptions)
        collecting = Collecting(state, customers, self._methods, intents, invoices, subscriptions, clocks)
        invoicing = Invoicing(state, customers, products, subscriptions, invoices, collecting, clocks)
        billing = Billing(state, customers, subscriptions, items, invoices, invoicing, collecting, clocks)
        Plans(state, products)
        InvoiceItems(state, customers, products.prices, invoices)
        PortalSessions(state, customers, self._methods, subscriptions, billing)
        sessions = CheckoutSessions(state, customers, products.prices)
        self._pages = CheckoutPage(state, sessions, customers, self._methods, self._setups, intents, items, billing)
        PaymentPages(state, sessions, self._methods, self._pages)

    # --- what every emulator offers ----------------------------------------------------------------------------------

    def credentials_for_plugin(self) -> dict[str, str]:
        return {"api_key": self._api_key}

    def public_credentials(self) -> dict[str, str]:
        return {"publishable_key": self._publishable_key}

    def webhook_settings(self) -> dict[str, str]:
        return {"webhook_secret": self._webhook_secret}

    def set_webhook_target(self, url: str) -> None:
        with self.changed:
            if self._target is not None and self._endpoints.table.get(self._target.id) is not None:
                self._endpoints.table.remove(self._target)
            self._target = self._endpoints.register(url, EVENTS, self._webhook_secret)

    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        """A customer with one attached card, ready for use without them: ``cus_…/pm_…``.

        Stripe has no card that asks for 3-D Secure while the customer is away and then waits for them: with
        ``ACTION_REQUIRED`` an off-session payment is refused with ``authentication_required``, and only a payment with
        the customer there waits for :meth:`approve`.
        """
        with self.changed:
            customer = self._customers.new("hanako@example.com")
            method = self._methods.store(_CARDS[card])
            self._methods.keep(method, customer.id, off_session=True)
            return method.credential

    def store_another(self, credential: str, card: CardKind = CardKind.GOOD) -> str:
        with self.changed:
            customer = self._customers.table.find(credential.partition("/")[0])
            method = self._methods.store(_CARDS[card])
            self._methods.keep(method, customer.id, off_session=True)
            return method.credential

    def approve(self, identifier: str, *, passed: bool = True) -> None:
        with self.changed:
            self._state.tick()
            waiting = self._state.waiting[identifier]
            self._returned[identifier] = waiting.finish(passed)
            self.changed.notify_all()

    def awaiting(self) -> Sequence[str]:
        with self.changed:
            self._state.tick()
            return tuple(self._state.waiting)

    def return_url(self, identifier: str) -> str | None:
        return self._returned.get(identifier)

    def error_response(self, status: int) -> Response:
        with self.changed:
            request_id = self._state.ids.new("req")
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        if status == 429:
            error = ApiError(429, "Too many requests hit the API too quickly.", code="rate_limit")
            headers["Stripe-Rate-Limited-Reason"] = "global-rate"
        elif status == 409:
            error = key_in_use(self.behaviour)
        else:
            kind = API_ERROR if status >= 500 else INVALID_REQUEST
            error = ApiError(status, "An error of the emulated Stripe's own.", kind=kind)
        return reply(status, error.body(request_id), headers)

    def forge(self, delivery: Delivery) -> Delivery:
        signature = sign(delivery.body, self._state.timestamp(), ["whsec_of_somebody_else"])
        return attrs.evolve(delivery, headers={**delivery.headers, "Stripe-Signature": signature})

    def reset(self) -> None:
        with self.changed:
            super().reset()
            self._begin()

    # --- handles for tests -------------------------------------------------------------------------------------------

    def settle(self, intent_id: str, *, code: str | None = None) -> None:
        """Bring a payment that is ``processing`` to its end: paid, or refused with the decline *code*.

        :raises KeyError: there is no such payment intent.
        """
        with self.changed:
            intent = self._intents.table.get(intent_id)
            if intent is None:
                raise KeyError(intent_id)
            self._intents.payments.settle(intent, None if code is None else decline(code))
            self.changed.notify_all()

    def settle_refund(self, refund_id: str, *, failure: str | None = None) -> None:
        """Let a pending refund arrive, or any refund come back for the reason *failure*.

        A refund that had arrived stays in the book when it comes back: the book is never edited.

        :raises KeyError: there is no such refund.
        """
        with self.changed:
            refund = self._refunds.table.get(refund_id)
            if refund is None:
                raise KeyError(refund_id)
            if failure is None:
                self._refunds.settle(refund)
            else:
                self._refunds.fail(refund, failure)
            self.changed.notify_all()

    def refund_in_console(self, payment: str, amount: int | None = None) -> str:
        with self.changed:
            charge = self._paid(payment)
            try:
                refund = self._refunds.make(charge, amount)
            except ApiError as exc:
                raise ValueError(str(exc)) from exc
            self.changed.notify_all()
            return refund.id

    def dispute(self, payment: str) -> str:
        with self.changed:
            dispute = self._disputes.open(self._paid(payment))
            self.changed.notify_all()
            return dispute.id

    def close_dispute(self, dispute: str, *, won: bool) -> None:
        with self.changed:
            found = self._disputes.table.get(dispute)
            if found is None:
                raise KeyError(dispute)
            self._disputes.decide(found, "won" if won else "lost")
            self.changed.notify_all()

    def _paid(self, payment: str) -> Charge:
        intent = self._intents.table.get(payment)
        charge = self._charges.table.get((intent.latest_charge if intent is not None else payment) or "")
        if charge is None or charge.status != "succeeded":
            raise KeyError(payment)
        return charge

    def fill_in(self, session_id: str, card: CardKind) -> None:
        """Let the customer on a page of Checkout fill in another card than a good one, the next time they agree.

        :raises KeyError: there is no such page, or nobody waits on it any more.
        """
        with self.changed:
            self._state.tick()
            self._pages.fill_in(session_id, _CARDS[card])

    def resend(self, event_id: str) -> None:
        """Deliver an event once more, to every endpoint that wants it.

        :raises KeyError: there is no such event.
        """
        with self.changed:
            self._events.resend(event_id)

    def roll_webhook_secret(self, endpoint_id: str) -> str:
        """Give an endpoint a new signing secret, which is returned; the old one signs beside it for 24 hours.

        :raises KeyError: there is no such endpoint.
        """
        with self.changed:
            endpoint = self._endpoints.table.get(endpoint_id)
            if endpoint is None:
                raise KeyError(endpoint_id)
            return self._endpoints.roll(endpoint)

    # --- the emulator ------------------------------------------------------------------------------------------------

    def respond(self, request: Request) -> Response:
        request_id = self._state.ids.new("req")
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        key = (request.headers.get("idempotency-key") or None) if request.method == "POST" else None
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            version = checked(request.headers.get("stripe-version"))
            headers["Stripe-Version"] = version or API_VERSION
            return self._answer(request, Call({}, {}, request_id, key, version), headers)
        except ApiError as error:
            if error.status == 401:
                headers["WWW-Authenticate"] = 'Bearer realm="Stripe"'
            return reply(error.status, error.body(request_id), headers)

    def tick(self) -> None:
        with self.changed:
            self._state.tick()

    def deliver(self, receiver: Receiver) -> int:
        """As in the base class; what leaves is signed in the second in which it leaves."""

        def send(delivery: Delivery) -> int | None:
            if delivery.forged:
                return receiver(delivery)
            with self.changed:
                signed = self._endpoints.signed(delivery)
            return 200 if signed is None else receiver(signed)

        return super().deliver(send)

    def answered(self, delivery: Delivery, status: int) -> None:
        with self.changed:
            if self._endpoints.answered(delivery, status):
                self._events.taken(delivery.event_id)

    def _answer(self, request: Request, call: Call, headers: dict[str, str]) -> Response:
        authenticate(request, self._api_key, self._publishable_key)
        path = urlsplit(request.url).path
        found = self._router.find(request.method, path)
        if found is None:
            raise ApiError(404, f"Unrecognized request URL ({request.method}: {path}).")
        route, segments = found
        call = attrs.evolve(call, names={name: unquote(segment) for name, segment in segments.items()})
        form, key, request_id = read_request(request), call.key, call.request_id
        if key is None:
            return reply(200, self._execute(route, form, call), headers)
        kept = self._keys.begin(key, path, form)
        if kept is not None:
            again = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
            return Response(kept.status, {"Content-Type": "application/json", **headers, **again}, kept.body)
        response = None
        try:
            self._take_time()
            response = reply(200, self._execute(route, form, call), headers)
        except ApiError as error:
            if not error.stored(self.behaviour):
                raise
            response = reply(error.status, error.body(request_id), headers)
        finally:
            self._keys.end(
                key, path, form, None if response is None else Kept(response.status, response.body, request_id)
            )
        return response

    def _execute(self, route: Route, form: Form, call: Call) -> Object:
        params = read(route.params, form)
        paths = params.pop("expand", ())
        self._state.call = attrs.evolve(call, params=params)
        try:
            return expand(self._state, route(self._state.call), paths)
        finally:
            self._state.call = None

    def _take_time(self) -> None:
        """Let a write take as long as :attr:`Behaviour.write_seconds` says, with the lock released."""
        ends = self.clock.monotonic() + self.behaviour.write_seconds
        while (left := ends - self.clock.monotonic()) > 0 and self.wait(left):
            continue


def _made_up(purpose: str) -> str:
    """A secret of the emulator's own, the same every time."""
    return scramble(f"paygate emulated stripe {purpose}", 32)
