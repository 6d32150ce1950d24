"""Amounts: whole minor units, a smallest amount for each currency, at most eight digits (provider fact sheet §4)."""

from __future__ import annotations

from ....money import EXPONENTS
from .errors import ApiError
from .params import Param, integer, text
from .state import State

__all__ = ["AMOUNT", "CURRENCY", "check_amount", "check_currency"]

#: A positive amount; 0 or less is ``parameter_invalid_integer``.
AMOUNT: Param = integer(least=1)

CURRENCY: Param = text(most=3)

#: Smallest charge in minor units; about half a US dollar, so for most currencies 50.
_SMALLEST = {"GBP": 30, "HKD": 400, "KRW": 500, "THB": 1000, "TWD": 2000, "VND": 10_000, "BHD": 200, "KWD": 200}
_USUAL_SMALLEST = 50


def check_currency(given: str) -> str:
    """The currency in lower case, as it is shown.

    :raises ApiError: none that the emulator knows.
    """
    if given.upper() not in EXPONENTS:
        known = ", ".join(sorted(code.lower() for code in EXPONENTS))
        raise ApiError.invalid("currency", f"Invalid currency: {given[:3]}. The emulated Stripe takes {known}.")
    return given.lower()


def check_amount(state: State, amount: int, currency: str, param: str = "amount") -> None:
    """Refuse amounts that are too small or too large for *currency*.

    :raises ApiError: ``amount_too_small`` or ``amount_too_large``.
    """
    smallest = _SMALLEST.get(currency.upper(), _USUAL_SMALLEST)
    if amount < smallest:
        message = f"Amount must be at least {smallest} {currency} in the smallest unit of the currency."
        raise ApiError.invalid(param, message, "amount_too_small")
    largest = state.behaviour.largest_amount
    if amount > largest:
        message = f"Amount must be no more than {largest} {currency} in the smallest unit of the currency."
        raise ApiError.invalid(param, message, "amount_too_large")
