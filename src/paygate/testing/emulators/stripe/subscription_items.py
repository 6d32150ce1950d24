"""The items of subscriptions: so many units of a price each (provider fact sheet §13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from .errors import ApiError
from .params import METADATA, PAGE, Table, boolean, choice, integer, mapping, merged, text
from .prices import PRICE_DATA, Price, Prices
from .resource import Object, Resource, route
from .state import Call, State
from .tables import Record

if TYPE_CHECKING:
    from .billing import Billing
    from .subscriptions import Subscription, Subscriptions

__all__ = ["ITEM", "PAYMENT_BEHAVIOUR", "PRORATION", "Item", "SubscriptionItems"]

PRORATION = choice("always_invoice", "create_prorations", "none")
PAYMENT_BEHAVIOUR = choice("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete")

#: What describes an item.
ITEM: Table = {
    "metadata": METADATA,
    "plan": text(),
    "price": text(),
    "price_data": mapping(PRICE_DATA),
    "quantity": integer(least=0, most=1_000_000),
}
_HOW: Table = {"payment_behavior": PAYMENT_BEHAVIOUR, "proration_behavior": PRORATION}


@attrs.define
class Item(Record):
    """So many units of a price; always of one subscription."""

    price: Price
    quantity: int
    metadata: Mapping[str, str]
    subscription: str = ""


class SubscriptionItems(Resource[Item]):
    """``/v1/subscription_items``; the subscription itself holds them in their order."""

    kind = "subscription_item"
    prefix = "si"
    indexes = ("subscription",)
    billing: Billing

    def __init__(self, state: State, prices: Prices, subscriptions: Subscriptions) -> None:
        super().__init__(state)
        self._prices = prices
        self._subscriptions = subscriptions
        subscriptions.items = self

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("GET", "/subscription_items", {**PAGE, "subscription": text(required=True)})
    def list(self, call: Call) -> Object:
        subscription = self._subscriptions.table.find(call.params["subscription"], "subscription")
        return self.listing("/subscription_items", call.params, subscription.items)

    @route("POST", "/subscription_items", {**ITEM, **_HOW, "subscription": text(required=True)})
    def create(self, call: Call) -> Object:
        subscription = self._subscriptions.table.find(call.params["subscription"], "subscription")
        self._change(subscription, call.params, {name: call.params[name] for name in ITEM if name in call.params})
        return self.show(subscription.items[-1])

    @route("GET", "/subscription_items/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/subscription_items/{id}", {**ITEM, **_HOW})
    def update(self, call: Call) -> Object:
        item = self.table.find(call.id)
        change = {name: call.params[name] for name in ITEM if name in call.params}
        self._change(self._subscriptions.table.find(item.subscription), call.params, {**change, "id": item.id})
        return self.show(self.table.find(item.id))

    @route("DELETE", "/subscription_items/{id}", {"clear_usage": boolean(), **_HOW})
    def delete(self, call: Call) -> Object:
        item = self.table.find(call.id)
        self._change(self._subscriptions.table.find(item.subscription), call.params, {"id": item.id, "deleted": True})
        return {**self.head(item), "deleted": True}

    def show(self, record: Item) -> Object:
        subscription = self._subscriptions.table.find(record.subscription)
        return {
            **self.head(record),
            "billing_thresholds": None,
            "created": record.created,
            "current_period_end": subscription.period_end,
            "current_period_start": subscription.period_start,
            "discounts": [],
            "metadata": dict(record.metadata),
            "price": self._prices.show(record.price),
            "quantity": record.quantity,
            "subscription": subscription.id,
            "tax_rates": [],
        }

    # --- for subscriptions -------------------------------------------------------------------------------------------

    def new(self, asked: Sequence[Mapping[str, Any]]) -> Sequence[Item]:
        """New items as *asked* for; :meth:`keep` makes them known.

        :raises ApiError: prices that cannot stand together.
        """
        found = [self._described(one, position) for position, one in enumerate(asked)]
        _check(found)
        return found

    def changed(self, subscription: Subscription, params: Mapping[str, Any]) -> Sequence[Item]:
        """The items of *subscription* after an update.

        :raises ApiError: the change would need prorations or another period, or names something that is not there.
        """
        if params.get("proration_behavior") != "none" and subscription.status != "trialing":
            message = "The emulated Stripe knows no prorations: send proration_behavior=none with items."
            raise ApiError.invalid("proration_behavior", message)
        items = {item.id: item for item in subscription.items}
        for position, one in enumerate(params["items"]):
            known = items.get(one.get("id", ""))
            if "id" in one and known is None:
                raise ApiError.missing("subscription item", one["id"], f"items[{position}][id]")
            if known is None:
                added = self._described(one, position)
                items[added.id] = added
            elif one.get("deleted"):
                del items[known.id]
            else:
                replaced = bool(one.keys() & {"plan", "price", "price_data"})
                items[known.id] = attrs.evolve(
                    known,
                    price=self._prices.chosen(one, f"items[{position}]") if replaced else known.price,
                    quantity=one.get("quantity", known.quantity),
                    metadata=merged(known.metadata, one),
                )
        found = tuple(items.values())
        if not found:
            raise ApiError.invalid("items", "A subscription must have at least one item.")
        _check((*subscription.items[:1], *found))
        return found

    def forget(self, subscription: Subscription) -> None:
        """Let the items of *subscription* be found no longer."""
        for known in tuple(self.table.by("subscription", subscription.id)):
            self.table.remove(known)

    def keep(self, subscription: Subscription) -> None:
        """Let the items of *subscription* be found, and those that it had no longer."""
        self.forget(subscription)
        for item in subscription.items:
            item.subscription = subscription.id
            self.table.add(item)

    def made(self, price: Price, quantity: int, metadata: Mapping[str, str] | None = None) -> Item:
        """A new item of no subscription yet."""
        return Item(**self.birth(), price=price, quantity=quantity, metadata=metadata or {})

    def _described(self, one: Mapping[str, Any], position: int) -> Item:
        return self.made(self._prices.chosen(one, f"items[{position}]"), one.get("quantity", 1), merged({}, one))

    def _change(self, subscription: Subscription, params: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        how = {name: params[name] for name in _HOW if name in params}
        self.billing.change(subscription, {**how, "items": [change]})


def _check(items: Sequence[Item]) -> None:
    """Refuse items whose prices cannot be paid together.

    :raises ApiError: a price is paid once only, or the prices differ in currency or interval.
    """
    first = items[0].price
    for position, item in enumerate(items):
        name, price = f"items[{position}][price]", item.price
        if price.interval is None:
            raise ApiError.invalid(name, f"The price specified is set to `type=one_time`: {price.id} cannot recur.")
        if price.currency != first.currency:
            raise ApiError.invalid(name, "All prices of a subscription have the same currency.")
        if (price.interval, price.interval_count) != (first.interval, first.interval_count):
            raise ApiError.invalid(name, "The emulated Stripe takes prices of one interval in a subscription.")
