"""Values of a CSV file that have names: cycles, statuses, products; in English or Japanese (no click here)."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Mapping
from typing import TypeVar

from ..domain.contract import Cycle, PlanKind, Product, ProductType
from ..errors import InvalidValue
from . import csv_names

__all__ = ["cycle_of", "member", "one_of", "products_of", "whole_periods"]

_CYCLES = {cycle.value.lower(): cycle for cycle in Cycle}
_RECURRING = re.compile(r"(?:recurring|定期|定期購入|定期課金|継続課金)[\s:+/]+(\w+)")

_KINDS = csv_names.spelt(csv_names.KIND_NAMES)
_PRODUCT_TYPES = csv_names.spelt(csv_names.PRODUCT_TYPE_NAMES)

E = TypeVar("E", bound=enum.Enum)


def one_of(*words: str) -> str:
    """What is wrong with a word that is none of *words*."""
    return f"not known; write one of {', '.join(words)}"


def member(members: type[E], text: str, names: Mapping[str, str]) -> E:
    """The one of *members* that *text* names, in paygate's words or one of *names*.

    :raises InvalidValue: it names none.
    """
    own = names.get(csv_names.plain(text))
    if own is None:
        raise InvalidValue(one_of(*(str(member.value) for member in members)))
    return members(own)


def cycle_of(text: str) -> Cycle | PlanKind:
    """The cycle of a recurring plan, or ONE_OFF."""
    text = unicodedata.normalize("NFKC", text).lower()
    if text in {"recurring", "定期", "定期購入", "定期課金", "継続課金"}:
        raise InvalidValue("a recurring plan needs its cycle; write for example monthly or 'recurring monthly'")
    match = _RECURRING.fullmatch(text)
    kind = _KINDS.get(csv_names.plain(match[1] if match else text))
    if kind is None or (match and kind == "one_off"):
        raise InvalidValue(one_of("one_off", *_CYCLES))
    return PlanKind.ONE_OFF if kind == "one_off" else _CYCLES[kind]


def whole_periods(text: str) -> int:
    """A number of periods.

    :raises InvalidValue: not a whole number from 1 to 9999.
    """
    text = unicodedata.normalize("NFKC", text)
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise InvalidValue("not a whole number of periods; write 1, 2, 3 …")
    return int(text)


def products_of(text: str) -> tuple[Product, ...]:
    """The products of a plan: ``code:TYPE``, several joined by a vertical bar.

    :raises InvalidValue: another form, an unknown type, or one product twice.
    """
    products = []
    for part in text.split("|"):
        code, colon, kind = (piece.strip() for piece in part.partition(":"))
        if not (code and colon and kind):
            raise InvalidValue("not a list of products; write code:TYPE, several joined by |")
        products.append(Product(code, member(ProductType, kind, _PRODUCT_TYPES)))
    codes = [product.code for product in products]
    if len(set(codes)) != len(codes):
        raise InvalidValue("a product is named twice; name each once")
    return tuple(products)
