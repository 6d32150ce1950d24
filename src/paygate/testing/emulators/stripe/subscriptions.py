"""Subscriptions and their items (provider fact sheet §10). What time and payments do to them is in :mod:`.billing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from .customers import Customers
from .errors import ApiError
from .params import METADATA, PAGE, Table, array, boolean, choice, either, integer, mapping, moment, span, text
from .periods import Cycle
from .resource import Object, Resource, changes, route
from .search import SEARCH, Fields, search
from .state import Call, State
from .subscription_items import ITEM, PAYMENT_BEHAVIOUR, PRORATION, Item, SubscriptionItems
from .tables import Record

if TYPE_CHECKING:
    from .billing import Billing

__all__ = ["ENDED", "Subscription", "Subscriptions"]

#: Statuses from which nothing comes back.
ENDED = frozenset({"canceled", "incomplete_expired"})

_STATUSES = ("active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid")
_COLLECTION = choice("charge_automatically", "send_invoice")
_FEEDBACK = choice(
    "customer_service", "low_quality", "missing_features", "other", "switched_service", "too_complex", "too_expensive",
    "unused", unset=True,
)  # fmt: skip

_PAYMENT_SETTINGS: Table = {
    "payment_method_types": array(text(), unset=True),
    "save_default_payment_method": choice("off", "on_subscription"),
}
_FIELDS: Table = {
    "cancel_at": moment(unset=True),
    "cancel_at_period_end": boolean(),
    "collection_method": _COLLECTION,
    "days_until_due": integer(least=0, most=365),
    "default_payment_method": text(unset=True),
    "description": text(most=500, unset=True),
    "metadata": METADATA,
    "off_session": boolean(),
    "payment_behavior": PAYMENT_BEHAVIOUR,
    "payment_settings": mapping(_PAYMENT_SETTINGS),
    "proration_behavior": PRORATION,
    "trial_end": either(moment(), choice("now")),
    "trial_settings": mapping(
        {
            "end_behavior": mapping(
                {"missing_payment_method": choice("cancel", "create_invoice", "pause", required=True)}, required=True
            )
        }
    ),
}
_CREATE: Table = {
    **_FIELDS,
    "billing_cycle_anchor": moment(),
    "billing_cycle_anchor_config": mapping(
        {
            "day_of_month": integer(least=1, most=31, required=True),
            "hour": integer(least=0, most=23),
            "minute": integer(least=0, most=59),
            "month": integer(least=1, most=12),
            "second": integer(least=0, most=59),
        }
    ),
    "billing_mode": mapping({"type": choice("flexible", required=True)}),
    "currency": text(most=3),
    "customer": text(required=True),
    "items": array(mapping(ITEM), required=True),
    "trial_period_days": integer(least=1, most=730),
}
_UPDATE: Table = {
    **_FIELDS,
    "cancellation_details": mapping({"comment": text(unset=True), "feedback": _FEEDBACK}),
    "items": array(mapping({**ITEM, "id": text(), "deleted": boolean()})),
    "pause_collection": mapping(
        {
            "behavior": choice("keep_as_draft", "mark_uncollectible", "void", required=True),
            "resumes_at": moment(),
        },
        unset=True,
    ),
}
_CANCEL: Table = {
    "cancellation_details": mapping({"comment": text(unset=True), "feedback": _FEEDBACK}),
    "invoice_now": boolean(),
    "prorate": boolean(),
}
_PAUSE: Table = {
    "bill_for": mapping({"unused_time_from": mapping({"type": choice("none", required=True)})}),
    "type": choice("subscription"),
}
_LIST: Table = {
    **PAGE,
    "collection_method": _COLLECTION,
    "created": span(),
    "customer": text(),
    "price": text(),
    "status": choice(*_STATUSES, "all", "ended"),
    "test_clock": text(),
}


@attrs.define
class Subscription(Record):
    """A subscription. Moments are seconds since 1970, UTC.

    :param cycle: where periods begin; :param anchor_config: as it was asked for.
    :param missing_method: what the end of a trial does without a payment method.
    :param saves_method: whether what pays an invoice becomes its own method.
    """

    customer: str
    items: Sequence[Item]
    cycle: Cycle
    period_start: int
    period_end: int
    status: str
    metadata: Mapping[str, str]
    collection: str = "charge_automatically"
    days_until_due: int | None = None
    method: str | None = None
    description: str | None = None
    trial_start: int | None = None
    trial_end: int | None = None
    missing_method: str = "create_invoice"
    saves_method: bool = False
    anchor_config: Mapping[str, int] | None = None
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    cancellation: Mapping[str, str | None] = attrs.field(factory=dict)
    latest_invoice: str | None = None
    pause: Mapping[str, Any] | None = None
    test_clock: str | None = None

    @property
    def currency(self) -> str:
        """Of all its prices."""
        return self.items[0].price.currency

    @property
    def ended(self) -> bool:
        """Whether it never charges again."""
        return self.status in ENDED


class Subscriptions(Resource[Subscription]):
    """``/v1/subscriptions`` and ``/v1/subscription_items``."""

    kind = "subscription"
    prefix = "sub"
    expandable = frozenset({"customer", "default_payment_method", "latest_invoice", "test_clock"})
    indexes = ("customer", "test_clock")
    billing: Billing
    items: SubscriptionItems

    def __init__(self, state: State, customers: Customers) -> None:
        super().__init__(state)
        self._customers = customers

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("POST", "/subscriptions", _CREATE)
    def create(self, call: Call) -> Object:
        customer = self._customers.table.find(call.params["customer"], "customer")
        return self.show(self.billing.subscribe(customer, self.items.new(call.params["items"]), call.params))

    @route("GET", "/subscriptions", _LIST)
    def list(self, call: Call) -> Object:
        params, rows = call.params, None
        for name in ("test_clock", "customer"):
            if name in params:
                rows = self.table.by(name, params[name])
        status, clock = params.get("status"), params.get("test_clock")
        every = clock is None and "customer" in params  # otherwise what lives by another clock is left out

        def wanted(one: Subscription) -> bool:
            fits = {None: one.status != "canceled", "all": True, "ended": one.ended}.get(status, one.status == status)
            return (
                fits
                and (every or one.test_clock == clock)
                and params.get("customer") in {None, one.customer}
                and params.get("collection_method") in {None, one.collection}
                and ("price" not in params or any(item.price.id == params["price"] for item in one.items))
            )

        return self.listing("/subscriptions", params, rows, wanted)

    @route("GET", "/subscriptions/search", SEARCH)
    def search(self, call: Call) -> Object:
        fields: Fields[Subscription] = {
            "created": lambda one: one.created,
            "metadata": lambda one: one.metadata,
            "status": lambda one: one.status,
        }
        return search(self, call, "/subscriptions/search", fields)

    @route("GET", "/subscriptions/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/subscriptions/{id}", _UPDATE)
    def update(self, call: Call) -> Object:
        subscription, params = self.table.find(call.id), call.params
        if subscription.ended and not set(params) <= {"metadata", "cancellation_details"}:
            message = "A canceled subscription can only update its metadata and cancellation_details."
            raise ApiError.invalid(next(iter(params)), message)
        self.billing.change(subscription, params)
        return self.show(subscription)

    @route("DELETE", "/subscriptions/{id}", _CANCEL)
    def cancel(self, call: Call) -> Object:
        subscription, params = self._idle(call.id), call.params
        if subscription.ended:
            raise ApiError.missing(self.kind, subscription.id, None)
        if params.get("invoice_now") or params.get("prorate"):
            raise ApiError.invalid("prorate", "The emulated Stripe knows no prorations on cancellation.")
        self.billing.end(subscription, "cancellation_requested", params.get("cancellation_details", {}))
        return self.show(subscription)

    @route("POST", "/subscriptions/{id}/pause", _PAUSE)
    def hold(self, call: Call) -> Object:
        subscription = self._idle(call.id)
        if subscription.status not in {"active", "trialing"}:
            raise self._unexpected(subscription, "paused")
        self.billing.hold(subscription)
        return self.show(subscription)

    @route(
        "POST",
        "/subscriptions/{id}/resume",
        {"billing_cycle_anchor": choice("now", "unchanged"), "proration_behavior": PRORATION},
    )
    def resume(self, call: Call) -> Object:
        subscription = self._idle(call.id)
        if subscription.status != "paused":
            raise self._unexpected(subscription, "resumed")
        self.billing.resume(subscription, anew=call.params.get("billing_cycle_anchor", "now") == "now")
        return self.show(subscription)

    # --- for billing -------------------------------------------------------------------------------------------------

    def told(self, subscription: Subscription, before: Object) -> None:
        """Emit what has changed since *before*, if anything has."""
        after = self.show(subscription)
        if previous := changes(before, after):
            self.state.emit("customer.subscription.updated", after, previous)

    def show(self, record: Subscription) -> Object:
        config = record.anchor_config
        return {
            **self.head(record),
            "application": None,
            "application_fee_percent": None,
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": int(record.cycle.anchor.timestamp()),
            "billing_cycle_anchor_config": None
            if config is None
            else {name: config.get(name) for name in ("day_of_month", "hour", "minute", "month", "second")},
            "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
            "billing_thresholds": None,
            "cancel_at": record.cancel_at,
            "cancel_at_period_end": record.cancel_at_period_end,
            "canceled_at": record.canceled_at,
            "cancellation_details": {name: record.cancellation.get(name) for name in ("comment", "feedback", "reason")},
            "collection_method": record.collection,
            "created": record.created,
            "currency": record.currency,
            "customer": record.customer,
            "days_until_due": record.days_until_due,
            "default_payment_method": record.method,
            "default_source": None,
            "default_tax_rates": [],
            "description": record.description,
            "discounts": [],
            "ended_at": record.ended_at,
            "items": {
                "object": "list",
                "data": [self.items.show(item) for item in record.items],
                "has_more": False,
                "total_count": len(record.items),
                "url": f"/v1/subscription_items?subscription={record.id}",
            },
            "latest_invoice": record.latest_invoice,
            "livemode": False,
            "metadata": dict(record.metadata),
            "next_pending_invoice_item_invoice": None,
            "on_behalf_of": None,
            "pause_collection": None if record.pause is None else {"resumes_at": None, **record.pause},
            "payment_settings": {
                "payment_method_options": None,
                "payment_method_types": None,
                "save_default_payment_method": "on_subscription" if record.saves_method else "off",
            },
            "pending_invoice_item_interval": None,
            "pending_setup_intent": None,
            "pending_update": None,
            "schedule": None,
            "start_date": record.created,
            "status": record.status,
            "test_clock": record.test_clock,
            "transfer_data": None,
            "trial_end": record.trial_end,
            "trial_settings": {"end_behavior": {"missing_payment_method": record.missing_method}},
            "trial_start": record.trial_start,
        }

    def _idle(self, identifier: str) -> Subscription:
        """The subscription of that id, which may be changed now."""
        subscription = self.table.find(identifier)
        self.billing.clocks.check_idle(subscription.test_clock)
        return subscription

    def _unexpected(self, subscription: Subscription, done: str) -> ApiError:
        return ApiError.state(f"This subscription cannot be {done}: its status is {subscription.status}.")
