"""Products: what is sold, at the prices of :mod:`.prices`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .amounts import CURRENCY
from .errors import ApiError
from .params import METADATA, PAGE, Table, array, boolean, choice, integer, mapping, merged, span, text
from .prices import RECURRING, TAX, Prices
from .resource import Object, Resource, changes, route
from .search import SEARCH, Fields, search
from .state import Call, State
from .tables import Record

__all__ = ["Product", "Products"]

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
            "recurring": mapping(RECURRING),
            "tax_behavior": TAX,
            "unit_amount": integer(least=0, required=True),
        }
    ),
}
_PRODUCTS: Table = {**PAGE, "active": boolean(), "created": span(), "ids": array(text()), "url": text()}

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
