"""Products and the prices they are sold at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .amounts import CURRENCY, check_currency
from .errors import ApiError
from .params import METADATA, PAGE, Table, array, boolean, choice, integer, mapping, merged, span, text
from .periods import INTERVALS
from .resource import Object, Resource, changes, route
from .search import SEARCH, Fields, search
from .state import Call, State
from .tables import Record

__all__ = ["PRICE_DATA", "Price", "Prices", "Product", "Products"]

_RECURRING: Table = {
    "interval": choice(*INTERVALS, required=True),
    "interval_count": integer(least=1, most=1095),
    "usage_type": choice("licensed"),
}
_TAX = choice("exclusive", "inclusive", "unspecified")

#: A price made on the spot, for one subscription or one checkout.
PRICE_DATA: Table = {
    "currency": attrs.evolve(CURRENCY, required=True),
    "product": text(required=True),
    "recurring": mapping(_RECURRING),
    "tax_behavior": _TAX,
    "unit_amount": integer(least=0, required=True),
}

_PRODUCT: Table = {
    "active": boolean(),
    "description": text(unset=True),
    "images": array(text()),
    "metadata": METADATA,
    "statement_descriptor": text(most=22),
    "tax_code": text(unset=True),
    "unit_label": text(most=12, unset=True),
    "url": text(unset=True),
}
_NEW_PRODUCT: Table = {
    **_PRODUCT,
    "id": text(most=100),
    "name": text(required=True),
    "type": choice("good", "service"),
    "default_price_data": mapping(
        {
            "currency": attrs.evolve(CURRENCY, required=True),
            "metadata": METADATA,
            "recurring": mapping(_RECURRING),
            "tax_behavior": _TAX,
            "unit_amount": integer(least=0, required=True),
        }
    ),
}
_PRODUCTS: Table = {**PAGE, "active": boolean(), "created": span(), "ids": array(text()), "url": text()}

_NEW_PRICE: Table = {
    "active": boolean(),
    "billing_scheme": choice("per_unit"),
    "currency": attrs.evolve(CURRENCY, required=True),
    "lookup_key": text(most=200),
    "metadata": METADATA,
    "nickname": text(),
    "product": text(),
    "product_data": mapping({"id": text(most=100), "name": text(required=True), "metadata": METADATA}),
    "recurring": mapping(_RECURRING),
    "tax_behavior": _TAX,
    "transfer_lookup_key": boolean(),
    "unit_amount": integer(least=0, required=True),
}
_CHANGED_PRICE: Table = {
    "active": boolean(),
    "lookup_key": text(most=200, unset=True),
    "metadata": METADATA,
    "nickname": text(unset=True),
    "tax_behavior": _TAX,
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

#: Parameters of a product that are kept and shown as they came.
_PLAIN = ("description", "statement_descriptor", "tax_code", "unit_label", "url")


@attrs.define
class Product(Record):
    """Something sold."""

    name: str
    metadata: Mapping[str, str]
    details: Mapping[str, Any]
    images: tuple[str, ...] = ()
    active: bool = True
    default_price: str | None = None
    updated: int = 0


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


class Products(Resource[Product]):
    """``/v1/products``."""

    kind = "product"
    prefix = "prod"
    expandable = frozenset({"default_price"})

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.prices = Prices(state, self)
        self._deleted: dict[str, Product] = {}

    @route("POST", "/products", _NEW_PRODUCT)
    def create(self, call: Call) -> Object:
        params = call.params
        product = self.new(params["name"], params)
        if "default_price_data" in params:
            product.default_price = self.prices.new(product, params["default_price_data"]).id
        return self.show(product)

    @route("GET", "/products", _PRODUCTS)
    def list(self, call: Call) -> Object:
        active, ids = call.params.get("active"), call.params.get("ids")
        return self.listing(
            "/products",
            call.params,
            wanted=lambda one: active in {None, one.active} and (ids is None or one.id in ids),
        )

    @route("GET", "/products/search", SEARCH)
    def search(self, call: Call) -> Object:
        fields: Fields[Product] = {
            "active": lambda one: str(one.active).lower(),
            "description": lambda one: one.details["description"],
            "metadata": lambda one: one.metadata,
            "name": lambda one: one.name,
        }
        return search(self, call, "/products/search", fields)

    @route("GET", "/products/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/products/{id}", {**_PRODUCT, "name": text(), "default_price": text()})
    def update(self, call: Call) -> Object:
        product, params = self.table.find(call.id), call.params
        before = self.show(product)
        if "default_price" in params:
            price = self.prices.table.find(params["default_price"], "default_price")
            if price.product != product.id:
                raise ApiError.invalid("default_price", f"The price {price.id} belongs to another product.")
            product.default_price = price.id
        product.metadata = merged(product.metadata, params)
        product.name = params.get("name", product.name)
        product.details = {name: params.get(name, product.details[name]) for name in _PLAIN}
        product.images = tuple(params.get("images", product.images))
        product.active = params.get("active", product.active)
        shown = self.show(product)
        if previous := changes(before, shown):
            product.updated = self.state.timestamp()
            self.state.emit("product.updated", self.show(product), previous)
        return self.show(product)

    @route("DELETE", "/products/{id}")
    def delete(self, call: Call) -> Object:
        product = self.table.find(call.id)
        if self.prices.table.by("product", product.id):
            message = "This product cannot be deleted because it has one or more user-created prices."
            raise ApiError.state(message, None)
        self.table.remove(product)
        self._deleted[product.id] = product
        self.state.emit("product.deleted", self.show(product))
        return {**self.head(product), "deleted": True}

    def new(self, name: str, params: Mapping[str, Any]) -> Product:
        """A new product, with the id that *params* ask for.

        :raises ApiError: there is one of that id.
        """
        birth = self.birth()
        if "id" in params:
            if self.table.get(params["id"]) is not None or params["id"] in self._deleted:
                message = f"Product already exists: {params['id']}"
                raise ApiError.state(message, "resource_already_exists", param="id")
            birth["id"] = params["id"]
        product = self.table.add(
            Product(
                **birth,
                name=name,
                metadata=merged({}, params),
                details={name: params.get(name) for name in _PLAIN},
                images=tuple(params.get("images", ())),
                active=params.get("active", True),
                updated=birth["created"],
            )
        )
        self.state.emit("product.created", self.show(product))
        return product

    def show(self, record: Product) -> Object:
        return {
            **self.head(record),
            **record.details,
            "active": record.active,
            "created": record.created,
            "default_price": record.default_price,
            "images": list(record.images),
            "livemode": False,
            "marketing_features": [],
            "metadata": dict(record.metadata),
            "name": record.name,
            "package_dimensions": None,
            "shippable": None,
            "type": "service",
            "updated": record.updated,
        }


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
        if ("price" in params) == ("price_data" in params):
            message = f"You must specify one of {param}[price] and {param}[price_data]."
            raise ApiError.invalid(f"{param}[price]", message, "parameter_missing")
        if "price" in params:
            price = self.table.find(params["price"], f"{param}[price]")
            if not price.active:
                raise ApiError.invalid(f"{param}[price]", f"The price specified is inactive: {price.id}.")
            return price
        data = params["price_data"]
        product = self._products.table.find(data["product"], f"{param}[price_data][product]")
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
