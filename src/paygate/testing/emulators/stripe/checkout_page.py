"""What a customer does on a page of Checkout: fill in a card, agree, and go back to the shop (provider fact sheet §4)."""

from __future__ import annotations

from .billing import Billing
from .cards import CARDS, TestCard, decline
from .charges import Charge
from .checkout_sessions import CheckoutSession, CheckoutSessions
from .customers import Customers
from .errors import ApiError
from .params import merged
from .payment_intents import PaymentIntent, PaymentIntents
from .payment_methods import PaymentMethod, PaymentMethods
from .setup_intents import SetupIntent, SetupIntents
from .state import State, Waiting
from .subscription_items import SubscriptionItems
from .tokens import refused

__all__ = ["CheckoutPage"]

#: What a customer fills in who fails, and everybody else.
_BAD, _GOOD = CARDS["chargeDeclined"], CARDS["visa"]

#: How the shop's address names the session.
_PLACE = "{CHECKOUT_SESSION_ID}"

#: What a payment takes over from ``payment_intent_data``, and the attributes that keep it.
_KEPT = {
    "capture_method": "capture_method",
    "description": "description",
    "receipt_email": "receipt_email",
    "setup_future_usage": "setup_future_usage",
    "statement_descriptor": "descriptor",
    "statement_descriptor_suffix": "suffix",
    "transfer_group": "transfer_group",
}


class CheckoutPage:
    """The pages of all sessions. One at which the customer fails stays open: they may try another card."""

    def __init__(
        self,
        state: State,
        sessions: CheckoutSessions,
        customers: Customers,
        methods: PaymentMethods,
        setups: SetupIntents,
        intents: PaymentIntents,
        items: SubscriptionItems,
        billing: Billing,
    ) -> None:
        self._state = state
        self._sessions = sessions
        self._customers = customers
        self._methods = methods
        self._setups = setups
        self._intents = intents
        self._items = items
        self._billing = billing
        self._cards: dict[str, TestCard] = {}
        sessions.page = self
        intents.payments.followers.append(self._took_money)
        intents.payments.mourners.append(self._refused)

    def open(self, session: CheckoutSession) -> None:
        """Let the page of *session* wait for the customer."""
        if session.mode == "setup":
            intent = SetupIntent(
                **self._setups.birth(),
                customer=session.customer,
                metadata=merged({}, session.data),
                description=session.data.get("description"),
            )
            session.setup_intent = self._setups.add(intent).id
        self._state.waiting[session.id] = Waiting(lambda passed: self._submit(session, passed))

    def close(self, session: CheckoutSession) -> None:
        """Nobody fills in the page of *session* any more."""
        self._leave(session)
        if session.setup_intent is not None:
            self._setups.end(self._setups.table.find(session.setup_intent), None)
        if session.payment_intent is not None:
            self._intents.end(self._intents.table.find(session.payment_intent), None)

    def fill_in(self, session_id: str, card: TestCard) -> None:
        """Let the customer of that page fill in *card* the next time that they agree.

        :raises KeyError: there is no such page, or nobody waits on it.
        """
        if session_id not in self._state.waiting or self._sessions.table.get(session_id) is None:
            raise KeyError(session_id)
        self._cards[session_id] = card

    # --- the customer agrees -----------------------------------------------------------------------------------------

    def _submit(self, session: CheckoutSession, passed: bool) -> str | None:
        card = self._cards.pop(session.id, _GOOD) if passed else _BAD
        try:
            return self.finish(session, self._methods.store(card))
        except ApiError:  # the page says so to the customer, and stays
            return None

    def finish(self, session: CheckoutSession, method: PaymentMethod) -> str | None:
        """The customer agrees with *method*. Returns where their browser goes, if anywhere.

        :raises ApiError: the card was refused; the page stays as it is.
        """
        match session.mode:
            case "setup":
                status = self._set_up(session, method)
            case "payment":
                status = self._pay(session, method)
            case _:
                status = self._subscribe(session, method)
        if status is None:
            raise refused(method.card.refusal or decline())
        self._leave(session)
        session.status, session.payment_status = "complete", status
        self._state.emit("checkout.session.completed", self._sessions.show(session))
        back = session.details["success_url"] or session.details["return_url"]
        return None if back is None else str(back).replace(_PLACE, session.id)

    def _set_up(self, session: CheckoutSession, method: PaymentMethod) -> str | None:
        """Store the card. Returns the session's payment status; None, if the customer has to try again."""
        intent = self._setups.table.find(str(session.setup_intent))
        self._setups.attempt(intent, method, authenticated=True)
        return "no_payment_required" if intent.status == "succeeded" else None

    def _pay(self, session: CheckoutSession, method: PaymentMethod) -> str | None:
        if session.details["customer_creation"] == "always":
            self._known(session)
        if session.payment_intent is None:
            intent = PaymentIntent(
                **self._intents.birth(),
                amount=session.total or 0,
                currency=str(session.currency),
                customer=session.customer,
                metadata=merged({}, session.data),
                **{attribute: session.data[name] for name, attribute in _KEPT.items() if name in session.data},
            )
            self._intents.add(intent, method)
            self._sessions.table.move(session, "payment_intent", intent.id)
        intent = self._intents.table.find(str(session.payment_intent))
        self._intents.payments.attempt(intent, method, off_session=False)
        if intent.asking:  # the page leads through 3-D Secure
            self._state.waiting[intent.id].finish(True)
        if intent.status in {"succeeded", "processing", "requires_capture"}:
            return "paid" if intent.status == "succeeded" else "unpaid"
        return None

    def _subscribe(self, session: CheckoutSession, method: PaymentMethod) -> str | None:
        if method.card.refusal is not None and not method.card.attaches:
            return None
        customer = self._customers.table.find(self._known(session), "customer")
        self._methods.keep(method, customer.id, off_session=True)
        params = {**session.data, "default_payment_method": method.id, "payment_behavior": "error_if_incomplete"}
        items = [self._items.made(item.price, item.quantity) for item in session.items]
        subscription = self._billing.subscribe(customer, items, params, confronts=True)
        self._sessions.table.move(session, "subscription", subscription.id)
        session.invoice = subscription.latest_invoice
        return {"trialing": "no_payment_required", "active": "paid"}.get(subscription.status, "unpaid")

    # --- what becomes of it later ------------------------------------------------------------------------------------

    def _took_money(self, charge: Charge) -> None:
        for session in self._unpaid(charge.intent):
            session.payment_status = "paid"
            self._state.emit("checkout.session.async_payment_succeeded", self._sessions.show(session))

    def _refused(self, intent: PaymentIntent) -> None:
        for session in self._unpaid(intent.id):
            self._state.emit("checkout.session.async_payment_failed", self._sessions.show(session))

    def _unpaid(self, intent_id: str) -> list[CheckoutSession]:
        """The sessions that are complete and wait for the money of that intent."""
        found = self._sessions.table.by("payment_intent", intent_id)
        return [one for one in found if (one.status, one.payment_status) == ("complete", "unpaid")]

    # --- steps -------------------------------------------------------------------------------------------------------

    def _known(self, session: CheckoutSession) -> str:
        """The customer of *session*; a new one, if nobody has said who it is."""
        if session.customer is None:
            email = session.details["customer_email"] or "customer@example.com"
            self._sessions.table.move(session, "customer", self._customers.new(email).id)
        return str(session.customer)

    def _leave(self, session: CheckoutSession) -> None:
        self._state.waiting.pop(session.id, None)
        self._cards.pop(session.id, None)
