"""The type of each product, fixed by its first contract (R-019)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ..domain.contract import Plan
from ..errors import InvalidValue
from .statements import Runner, Statement, value, values
from .tables import products

__all__ = ["Products"]

_GET = Statement(sa.select(products.c.type).where(products.c.code == value(products.c.code)))


def _once(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    return insert.values(values(products.c)).inline().on_conflict_do_nothing(index_elements=[products.c.code])


_INSERT = Statement(_once(sqlite.insert(products)), postgresql=_once(postgresql.insert(products)))


class Products:
    """The products that contracts have been made for."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def check(self, plan: Plan) -> None:
        """:raises InvalidValue: a product of *plan* had another type when its first contract was made (R-019)."""
        for product in plan.products:
            row = self._runner.first(_GET, {"code": product.code})
            if row is not None and row[0] != product.type.value:
                raise InvalidValue(
                    f"product {product.code!r} is {row[0]} and has contracts, so it cannot be {product.type.value}; "
                    "sell the new kind under another code",
                    rule="R-019",
                )

    def remember(self, plan: Plan) -> None:
        """Fix the types of products that are new."""
        for product in plan.products:
            self._runner.change(_INSERT, {"code": product.code, "type": product.type.value})
