"""Plans: recurring prices as old integrations make and name them."""

from __future__ import annotations

import attrs

from .amounts import CURRENCY, check_currency
from .errors import ApiError
from .params import METADATA, PAGE, Table, boolean, choice, either, integer, mapping, text
from .periods import INTERVALS
from .prices import Price, Prices
from .products import Products
from .resource import Object, Resource, route
from .state import Call, State

__all__ = ["Plans"]

_CREATE: Table = {
    "active": boolean(),
    "amount": integer(least=0, required=True),
    "currency": attrs.evolve(CURRENCY, required=True),
    "interval": choice(*INTERVALS, required=True),
    "interval_count": integer(least=1, most=1095),
    "metadata": METADATA,
    "nickname": text(),
    "product": attrs.evolve(
        either(mapping({"name": text(required=True), "metadata": METADATA}), text()), required=True
    ),
}


class Plans(Resource[Price]):
    """``/v1/plans``: each is the recurring price of the same id."""

    kind = "plan"
    prefix = "plan"

    def __init__(self, state: State, products: Products) -> None:
        super().__init__(state)
        self._products = products
        self._prices: Prices = products.prices

    @route("POST", "/plans", _CREATE)
    def create(self, call: Call) -> Object:
        params = call.params
        check_currency(params["currency"])
        given = params["product"]
        if isinstance(given, str):
            product = self._products.table.find(given, "product")
        else:
            product = self._products.new(given["name"], given)
        interval = {name: params[name] for name in ("interval", "interval_count") if name in params}
        price = self._prices.new(product, {**params, "unit_amount": params["amount"], "recurring": interval})
        self.state.emit("plan.created", self.show(price))
        return self.show(price)

    @route("GET", "/plans", PAGE)
    def list(self, call: Call) -> Object:
        page = self._prices.table.page(call.params, wanted=lambda one: one.interval is not None)
        return self.listed("/plans", page)

    @route("GET", "/plans/{id}")
    def retrieve(self, call: Call) -> Object:
        price = self._prices.table.find(call.id)
        if price.interval is None:
            raise ApiError.missing("plan", call.id, None)
        return self.show(price)

    def show(self, record: Price) -> Object:
        return {
            **self.head(record),
            "active": record.active,
            "amount": record.unit_amount,
            "billing_scheme": "per_unit",
            "created": record.created,
            "currency": record.currency,
            "interval": record.interval,
            "interval_count": record.interval_count,
            "livemode": False,
            "metadata": dict(record.metadata),
            "nickname": record.nickname,
            "product": record.product,
            "trial_period_days": None,
            "usage_type": "licensed",
        }
