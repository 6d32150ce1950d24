"""Exact amounts."""

from __future__ import annotations

from typing import Self

import attrs

from .errors import InvalidAmount

__all__ = ["Money"]

#: ISO 4217 currencies that paygate knows, with the number of their minor digits.
EXPONENTS = {
    "AUD": 2, "BHD": 3, "CAD": 2, "CHF": 2, "CNY": 2, "EUR": 2, "GBP": 2, "HKD": 2, "JPY": 0,
    "KRW": 0, "KWD": 3, "NZD": 2, "SGD": 2, "THB": 2, "TWD": 2, "USD": 2, "VND": 0,
}  # fmt: skip


def _whole(_instance: object, _attribute: object, value: int) -> None:
    if type(value) is not int:  # bool is an int to isinstance; float and Decimal would round silently
        msg = f"an amount is a whole number of minor units, not {value!r}; for 1,000 yen write Money(1000, 'JPY')"
        raise InvalidAmount(msg, rule="R-004")
    if value < 0:
        msg = f"an amount is not negative, got {value}; money back is a refund"
        raise InvalidAmount(msg, rule="R-004")


def _known(_instance: object, _attribute: object, value: str) -> None:
    if value not in EXPONENTS:
        msg = f"unknown currency {value!r}; use an ISO 4217 code in capitals, for example 'JPY'"
        raise InvalidAmount(msg, rule="R-004")


@attrs.frozen(order=False)
class Money:
    """An exact amount: a whole, non-negative number of *minor* units of one ISO 4217 currency (R-004).

    :param minor: minor units; for JPY, which has none, yen.
    :param currency: ISO 4217 code in capitals.
    :raises InvalidAmount: for a float, bool, negative number, string or unknown currency.

    >>> Money(1200, "JPY")
    Money(minor=1200, currency='JPY')
    >>> Money(1200, "JPY") + Money(34, "JPY")
    Money(minor=1234, currency='JPY')
    >>> str(Money(1250, "USD"))
    '12.50 USD'
    """

    minor: int = attrs.field(validator=_whole)
    currency: str = attrs.field(validator=_known)

    def _same(self, other: object) -> int:
        if not isinstance(other, Money):
            msg = f"an amount can only be combined with an amount, not {other!r}"
            raise InvalidAmount(msg)
        if other.currency != self.currency:
            msg = f"cannot combine {self.currency} with {other.currency}"
            raise InvalidAmount(msg)
        return other.minor

    def __add__(self, other: Money) -> Self:
        return type(self)(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Self:
        return type(self)(self.minor - self._same(other), self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        exponent = EXPONENTS[self.currency]
        if not exponent:
            return f"{self.minor:,} {self.currency}"
        whole, rest = divmod(self.minor, 10**exponent)
        return f"{whole:,}.{rest:0{exponent}d} {self.currency}"
