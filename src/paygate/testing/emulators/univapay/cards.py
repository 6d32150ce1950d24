"""Test cards: which number does what, and failures on demand by e-mail address."""

from __future__ import annotations

import re

__all__ = ["TEST_CARDS", "brand_of", "cancel_fails", "charge_fails", "forced_code", "luhn", "made_up", "refund_fails"]

#: The published test cards, which live mode refuses: all well, charges fail, refunds fail, cancels fail.
TEST_CARDS = ("4000020000000000", "4111111111111111", "4242424242424242", "4012888888881881")

_ENDINGS = ("1111", "4242", "1881")

_FORCED = re.compile(r"\+charge-failure-([0-9]{3})@")

_BRANDS = (
    (re.compile(r"4"), "visa"),
    (re.compile(r"5[1-5]|2[2-7]"), "mastercard"),
    (re.compile(r"35"), "jcb"),
    (re.compile(r"3[47]"), "american_express"),
    (re.compile(r"3[0689]"), "diners_club"),
    (re.compile(r"6"), "discover"),
)


def luhn(number: str) -> bool:
    """Whether *number* is digits of a card's length with the right check digit."""
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
        return False
    doubled = (2 * int(digit) for digit in number[-2::-2])
    return (sum(map(int, number[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0


def brand_of(number: str) -> str:
    """The brand by the first digits; ``unknown`` for the rest."""
    return next((name for pattern, name in _BRANDS if pattern.match(number)), "unknown")


def forced_code(email: str | None) -> int | None:
    """NNN of ``…+charge-failure-NNN@…``; codes beginning with 4 or 6 cannot be forced."""
    found = _FORCED.search(email or "")
    return int(found[1]) if found and found[1][0] not in "46" else None


def charge_fails(number: str) -> bool:
    """Charges of the test card ending 1111 are declined."""
    return number.endswith("1111")


def refund_fails(number: str) -> bool:
    """Refunds on the test card ending 4242 fail."""
    return number.endswith("4242")


def cancel_fails(number: str) -> bool:
    """Cancels on the test card ending 1881 fail."""
    return number.endswith("1881")


def made_up(serial: int, ending: str = "") -> str:
    """A number for the *serial*-th card, valid by Luhn and ending in *ending*; the first is the published one.

    >>> made_up(0), made_up(1), made_up(1, "1111")
    ('4000020000000000', '4000020000100008', '4000020001401111')
    """
    digits = f"400002{serial:05d}"
    room = 16 - len(digits) - len(ending)
    for filling in range(10**room):
        number = f"{digits}{filling:0{room}d}{ending}"
        if luhn(number) and (ending or not number.endswith(_ENDINGS)):
            return number
    raise ValueError(f"no card number ends in {ending!r}")
