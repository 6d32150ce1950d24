"""The customer portal: a page of Stripe's own on which customers change their card or end a subscription.

The provider fact sheet names the resource only (§2), so what the page does is the least that its two flows promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .billing import Billing
from .cards import CARDS
from .customers import Customers
from .errors import ApiError
from .params import Table, choice, mapping, text
from .payment_methods import PaymentMethods
from .resource import Object, Resource, route
from .state import Call, State, Waiting
from .subscriptions import Subscriptions
from .tables import Record

__all__ = ["PortalSession", "PortalSessions"]

_FLOW: Table = {
    "subscription_cancel": mapping({"subscription": text(required=True)}),
    "type": choice("payment_method_update", "subscription_cancel", required=True),
}
_CREATE: Table = {
    "customer": text(required=True),
    "flow_data": mapping(_FLOW),
    "locale": text(most=10),
    "return_url": text(),
}


@attrs.define
class PortalSession(Record):
    """A visit. *flow* is what the page leads straight to, if anything."""

    customer: str
    flow: Mapping[str, Any] | None
    locale: str | None
    return_url: str | None


class PortalSessions(Resource[PortalSession]):
    """``/v1/billing_portal/sessions``. A customer who agrees gets a new card, or an end of the subscription."""

    kind = "billing_portal.session"
    prefix = "bps"

    def __init__(
        self,
        state: State,
        customers: Customers,
        methods: PaymentMethods,
        subscriptions: Subscriptions,
        billing: Billing,
    ) -> None:
        super().__init__(state)
        self._customers = customers
        self._methods = methods
        self._subscriptions = subscriptions
        self._billing = billing

    @route("POST", "/billing_portal/sessions", _CREATE)
    def create(self, call: Call) -> Object:
        params = call.params
        customer, flow = self._customers.table.find(params["customer"], "customer"), params.get("flow_data")
        if flow is not None and flow["type"] == "subscription_cancel":
            self._check_cancellation(flow, customer.id)
        session = self.table.add(
            PortalSession(
                **self.birth(),
                customer=customer.id,
                flow=flow,
                locale=params.get("locale"),
                return_url=params.get("return_url"),
            )
        )
        self.state.waiting[session.id] = Waiting(lambda passed: self._leave(session, agreed=passed))
        return self.show(session)

    def show(self, record: PortalSession) -> Object:
        return {
            **self.head(record),
            "configuration": "bpc_1EmulatedByPaygate",
            "created": record.created,
            "customer": record.customer,
            "flow": None if record.flow is None else {"after_completion": {"type": "portal_homepage"}, **record.flow},
            "livemode": False,
            "locale": record.locale,
            "on_behalf_of": None,
            "return_url": record.return_url,
            "url": self.state.customer_url(record.id),
        }

    def _check_cancellation(self, flow: Mapping[str, Any], customer: str) -> None:
        param = "flow_data[subscription_cancel][subscription]"
        if "subscription_cancel" not in flow:
            raise ApiError.invalid(param, f"Missing required param: {param}.", "parameter_missing")
        subscription = self._subscriptions.table.find(flow["subscription_cancel"]["subscription"], param)
        if subscription.customer != customer or subscription.ended:
            raise ApiError.invalid(param, "The customer has no such subscription that could be canceled.")

    def _leave(self, session: PortalSession, *, agreed: bool) -> str | None:
        self.state.waiting.pop(session.id, None)
        customer = self._customers.table.get(session.customer)
        if agreed and customer is not None and session.flow is not None:
            if session.flow["type"] == "payment_method_update":
                method = self._methods.store(CARDS["visa"])
                self._methods.keep(method, customer.id, off_session=True)
                self._customers.prefer(customer, method.id)
            else:
                subscription = self._subscriptions.table.find(session.flow["subscription_cancel"]["subscription"])
                if not subscription.ended:
                    self._billing.change(subscription, {"cancel_at_period_end": True})
        return session.return_url
