"""Prices: what one unit of a product costs, once or per interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from .amounts import CURRENCY, check_currency
from .errors import ApiError
from .params import METADATA, PAGE, Table, array, boolean, choice, integer, mapping, merged, span, text
from .periods import INTERVALS
from .resource import Object, Resource, changes, route
from .search import SEARCH, Fields, search
from .state import Call, State
from .tables import Record

if TYPE_CHECKING:
    from .products import Product, Products

__all__ = ["PRICE_DATA", "RECURRING", "TAX", "Price", "Prices"]

#: How often a price is paid.
RECURRING: Table = {
    "interval": choice(*INTERVALS, required=True),
    "interval_count": integer(least=1, most=1095),
    "usage_type": choice("licensed"),
}

#: Whether a price holds its tax.
TAX = choice("exclusive", "inclusive", "unspecified")

#: A price made on the spot, for one subscription or one checkout.
PRICE_DATA: Table = {
    "currency": attrs.evolve(CURRENCY, required=True),
    "product": text(),
    "recurring": mapping(RECURRING),
    "tax_behavior": TAX,
    "unit_amount": integer(least=0, required=True),
}

_NEW_PRICE: Table = {
    "active": boolean(),
    "billing_scheme": choice("per_unit"),
    "currency": attrs.evolve(CURRENCY, required=True),
    "lookup_key": text(most=200),
    "metadata": METADATA,
    "nickname": text(),
    "product": text(),
    "product_data": mapping({"id": text(most=100), "name": text(required=True), "metadata": METADATA}),
    "recurring": mapping(RECURRING),
    "tax_behavior": TAX,
    "transfer_lookup_key": boolean(),
    "unit_amount": integer(least=0, required=True),
}
_CHANGED_PRICE: Table = {
    "active": boolean(),
    "lookup_key": text(most=200, unset=True),
    "metadata": METADATA,
    "nickname": text(unset=True),
    "tax_behavior": TAX,
}
_PRICES: Table = {
    **PAGE,
    "active": boolean(),
    "created": span(),
    "currency": CURRENCY,
    "lookup_keys": array(text()),
    "product": text(),
    "recurring": mapping({"interval": choice(*INTERVALS), "usage_type": choice("licensed")}),
    "type": choice("one_time", "recurring"),
}


@attrs.define
class Price(Record):
    """What one unit of a product costs, in minor units, once or per interval."""

    product: str
    currency: str
    unit_amount: int
    metadata: Mapping[str, str]
    interval: str | None = None
    interval_count: int = 1
    active: bool = True
    nickname: str | None = None
    lookup_key: str | None = None
    tax_behavior: str = "unspecified"


class Prices(Resource[Price]):
    """``/v1/prices``."""

    kind = "price"
    prefix = "price"
    expandable = frozenset({"product"})
    indexes = ("product", "lookup_key")

    def __init__(self, state: State, products: Products) -> None:
        super().__init__(state)
        self._products = products

    @route("POST", "/prices", _NEW_PRICE)
    def create(self, call: Call) -> Object:
        params = call.params
        if ("product" in params) == ("product_data" in params):
            raise ApiError.invalid("product", "You must specify one of product and product_data.", "parameter_missing")
        check_currency(params["currency"])
        self._claim(params.get("lookup_key"), transfer=params.get("transfer_lookup_key", False))
        if "product" in params:
            product = self._products.table.find(params["product"], "product")
        else:
            product = self._products.new(params["product_data"]["name"], params["product_data"])
        return self.show(self.new(product, params))

    @route("GET", "/prices", _PRICES)
    def list(self, call: Call) -> Object:
        params = call.params
        rows = self.table.by("product", params["product"]) if "product" in params else None
        interval = params.get("recurring", {}).get("interval")
        wanted_type, currency = params.get("type"), params.get("currency")

        def wanted(one: Price) -> bool:
            return (
                params.get("active") in {None, one.active}
                and currency in {None, one.currency}
                and wanted_type in {None, _type(one)}
                and interval in {None, one.interval}
                and ("lookup_keys" not in params or one.lookup_key in params["lookup_keys"])
            )

        return self.listing("/prices", params, rows, wanted)

    @route("GET", "/prices/search", SEARCH)
    def search(self, call: Call) -> Object:
        fields: Fields[Price] = {
            "active": lambda one: str(one.active).lower(),
            "currency": lambda one: one.currency,
            "lookup_key": lambda one: one.lookup_key,
            "metadata": lambda one: one.metadata,
            "product": lambda one: one.product,
            "type": _type,
        }
        return search(self, call, "/prices/search", fields)

    @route("GET", "/prices/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/prices/{id}", {**_CHANGED_PRICE, "transfer_lookup_key": boolean()})
    def update(self, call: Call) -> Object:
        price, params = self.table.find(call.id), call.params
        before = self.show(price)
        if params.get("lookup_key", price.lookup_key) != price.lookup_key:
            self._claim(params["lookup_key"], transfer=params.get("transfer_lookup_key", False))
            self.table.move(price, "lookup_key", params["lookup_key"])
        price.metadata = merged(price.metadata, params)
        for name in ("active", "nickname", "tax_behavior"):
            if name in params:
                setattr(price, name, params[name])
        shown = self.show(price)
        if previous := changes(before, shown):
            self.state.emit("price.updated", shown, previous)
        return shown

    def new(self, product: Product, params: Mapping[str, Any]) -> Price:
        """A new price of *product*."""
        recurring = params.get("recurring", {})
        price = self.table.add(
            Price(
                **self.birth(),
                product=product.id,
                currency=check_currency(params["currency"]),
                unit_amount=params["unit_amount"],
                metadata=merged({}, params),
                interval=recurring.get("interval"),
                interval_count=recurring.get("interval_count", 1),
                active=params.get("active", True),
                nickname=params.get("nickname"),
                lookup_key=params.get("lookup_key"),
                tax_behavior=params.get("tax_behavior", "unspecified"),
            )
        )
        self.state.emit("price.created", self.show(price))
        return price

    def chosen(self, params: Mapping[str, Any], param: str) -> Price:
        """The price that an item names by ``price``, or describes by ``price_data``.

        :param param: the full name of the item, for errors.
        :raises ApiError: neither or both came, or there is no such price or product.
        """
        if "plan" in params and "price" not in params:
            params = {**params, "price": params["plan"]}
        if ("price" in params) == ("price_data" in params):
            message = f"You must specify one of {param}[price] and {param}[price_data]."
            raise ApiError.invalid(f"{param}[price]", message, "parameter_missing")
        if "price" in params:
            price = self.table.find(params["price"], f"{param}[price]")
            if not price.active:
                raise ApiError.invalid(f"{param}[price]", f"The price specified is inactive: {price.id}.")
            return price
        data = params["price_data"]
        if ("product" in data) == ("product_data" in data):
            message = f"You must specify one of {param}[price_data][product] and {param}[price_data][product_data]."
            raise ApiError.invalid(f"{param}[price_data][product]", message, "parameter_missing")
        if "product" in data:
            product = self._products.table.find(data["product"], f"{param}[price_data][product]")
        else:
            product = self._products.new(data["product_data"]["name"], data["product_data"])
        return self.new(product, {**data, "active": False})  # it serves this item alone

    def show(self, record: Price) -> Object:
        recurring = {
            "interval": record.interval,
            "interval_count": record.interval_count,
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        }
        return {
            **self.head(record),
            "active": record.active,
            "billing_scheme": "per_unit",
            "created": record.created,
            "currency": record.currency,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": record.lookup_key,
            "metadata": dict(record.metadata),
            "nickname": record.nickname,
            "product": record.product,
            "recurring": recurring if record.interval else None,
            "tax_behavior": record.tax_behavior,
            "tiers_mode": None,
            "transform_quantity": None,
            "type": _type(record),
            "unit_amount": record.unit_amount,
            "unit_amount_decimal": str(record.unit_amount),
        }

    def _claim(self, key: str | None, *, transfer: bool) -> None:
        """Make sure that the lookup key *key* is free, or take it from the price that has it."""
        for holder in list(self.table.by("lookup_key", key)) if key is not None else ():
            if not transfer:
                message = f"A price ({holder.id}) already uses that lookup key."
                raise ApiError.invalid("lookup_key", message)
            self.table.move(holder, "lookup_key", None)


def _type(price: Price) -> str:
    return "recurring" if price.interval else "one_time"
