"""The emulated Stripe: customers, cards, payments, refunds, subscriptions, events and webhooks of its HTTP interface.

Behaves as the provider fact sheet says; what that leaves open is in :mod:`.assumptions`.

To add a resource, write a module with its parameter tables, a record and a :class:`.resource.Resource`::

    _CREATE: Table = {"name": text(required=True), "active": boolean(), "metadata": METADATA}

    @attrs.define
    class Product(Record):            # id, created, serial come from Record
        name: str
        active: bool
        metadata: Mapping[str, str]   # never changed in place: records and events share it

    class Products(Resource[Product]):
        kind = "product"              # the object's name, also in "No such product"
        prefix = "prod"               # of its ids; references of that form can be expanded
        expandable = frozenset({"default_price"})
        indexes = ("active",)         # self.table.by("active", True) without a scan; change by self.table.move()

        @route("POST", "/products", _CREATE)
        def create(self, call: Call) -> Object:
            product = Product(
                **self.birth(),
                name=call.params["name"],
                active=call.params.get("active", True),
                metadata=merged({}, call.params),
            )
            self.table.add(product)
            self.state.emit("product.created", self.show(product))
            return self.show(product)

        @route("GET", "/products", PAGE)
        def list(self, call: Call) -> Object:
            return self.listing("/products", call.params)

        @route("GET", "/products/{id}")
        def retrieve(self, call: Call) -> Object:
            return self.show(self.table.find(call.id))

        def show(self, record: Product) -> Object: ...

and construct it in ``StripeEmulator._begin``; its routes are found from there. The frame reads and refuses parameters
by the table, keeps answers under idempotency keys, expands references, and delivers events. What happens later goes to
``state.later(seconds, action)`` or ``state.at(instant, action)``, what waits for the customer into ``state.waiting``,
and every movement of money into ``state.book``.
"""

from .assumptions import Behaviour
from .emulator import StripeEmulator

__all__ = ["Behaviour", "StripeEmulator"]
