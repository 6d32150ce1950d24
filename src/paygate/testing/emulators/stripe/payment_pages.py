"""``/v1/payment_pages``: the page of a Checkout session as a browser fills it in, without a browser.

Stripe documents no such routes; its command line uses them to complete a session, and so can a test.
"""

from __future__ import annotations

from .amounts import AMOUNT
from .checkout_page import CheckoutPage
from .checkout_sessions import CheckoutSession, CheckoutSessions
from .errors import ApiError
from .params import Table, text
from .payment_methods import PaymentMethods
from .resource import Object, Resource, route
from .state import Call, State

__all__ = ["PaymentPages"]

_CONFIRM: Table = {"expected_amount": AMOUNT, "payment_method": text(required=True)}


class PaymentPages(Resource[CheckoutSession]):
    """The pages of all sessions, under the id of the session or under their own."""

    kind = "payment_page"
    prefix = "ppage"

    def __init__(self, state: State, sessions: CheckoutSessions, methods: PaymentMethods, pages: CheckoutPage) -> None:
        super().__init__(state)
        self._sessions = sessions
        self._methods = methods
        self._pages = pages

    @route("GET", "/payment_pages/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self._session(call.id))

    @route("POST", "/payment_pages/{id}/confirm", _CONFIRM)
    def confirm(self, call: Call) -> Object:
        session, params = self._session(call.id), call.params
        if session.status != "open":
            raise ApiError.state(f"This Checkout Session is no longer open: its status is {session.status}.")
        if params.get("expected_amount", session.total) != session.total:
            message = f"The amount has changed: it is {session.total} and not {params['expected_amount']}."
            raise ApiError.invalid("expected_amount", message)
        method = self._methods.named(params["payment_method"])
        self._methods.usable(method, session.customer)
        self._pages.finish(session, method)
        return self.show(session)

    def show(self, record: CheckoutSession) -> Object:
        return {
            "id": f"ppage_{record.id.removeprefix('cs_test_')}",
            "object": self.kind,
            "created": record.created,
            "currency": record.currency,
            "livemode": False,
            "mode": record.mode,
            "payment_intent": record.payment_intent,
            "payment_status": record.payment_status,
            "session_id": record.id,
            "setup_intent": record.setup_intent,
            "status": record.status,
            "subscription": record.subscription,
            "total": record.total,
        }

    def lookup(self, identifier: str) -> Object | None:
        session = self._sessions.table.get(f"cs_test_{identifier.removeprefix('ppage_')}")
        return None if session is None else self.show(session)

    def _session(self, identifier: str) -> CheckoutSession:
        return self._sessions.table.find(
            f"cs_test_{identifier.removeprefix('ppage_')}" if identifier.startswith("ppage_") else identifier
        )
