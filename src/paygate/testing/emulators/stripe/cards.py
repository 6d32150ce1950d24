"""Test cards: what each does, and the refusals that a card can meet (provider fact sheet §6, §11)."""

from __future__ import annotations

import enum
from types import MappingProxyType

import attrs

from .errors import CARD_ERROR
from .ids import scramble

__all__ = [
    "CARDS",
    "NUMBERS",
    "PENDING_CARD",
    "Authentication",
    "Decline",
    "RefundCourse",
    "TestCard",
    "decline",
    "luhn",
]


class Authentication(enum.Enum):
    """When a card asks for 3-D Secure."""

    NEVER = "never"
    ALWAYS = "always"
    UNLESS_SET_UP = "unless set up for off-session use"
    ON_SESSION = "only while the customer is there"


class RefundCourse(enum.Enum):
    """How refunds to a card go."""

    SUCCEEDS = "succeeds"
    PENDING = "pending, then succeeds"
    FAILS = "succeeds, then fails"


@attrs.frozen
class Decline:
    """A refusal by the card's issuer or by Stripe's own risk rules.

    :param code: ``error.code``; :param decline_code: ``error.decline_code``, absent for some codes.
    :param advice: ``error.advice_code``, or None.
    :param response: ``error.network_decline_code``: what the network answered; None where it was not asked, or says nothing.
    :param network: whether the issuer was asked at all.
    :param kind: the wire type of the error; a customer who fails 3-D Secure is not the card's fault.
    """

    code: str
    decline_code: str | None
    message: str
    advice: str | None = None
    network: bool = True
    kind: str = CARD_ERROR
    response: str | None = None


# What comes as the code itself instead of as card_declined, and whether the decline code repeats it.
_OWN_CODES = {
    "authentication_required": True,
    "expired_card": False,
    "incorrect_cvc": False,
    "incorrect_number": False,
    "incorrect_zip": False,
    "processing_error": False,
}
_MESSAGES = {
    "authentication_required": "Your card was declined. This transaction requires authentication.",
    "authentication_not_handled": "Your card was declined: it requires an action that the request ruled out.",
    "card_velocity_exceeded": "Your card was declined for making repeated attempts too frequently.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "incorrect_number": "Your card number is incorrect.",
    "insufficient_funds": "Your card has insufficient funds.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
}
_ADVICE = {
    "generic_decline": "try_again_later",
    "insufficient_funds": "try_again_later",
    "processing_error": "try_again_later",
    "card_velocity_exceeded": "try_again_later",
    "lost_card": "do_not_try_again",
    "stolen_card": "do_not_try_again",
    "expired_card": "confirm_card_data",
    "incorrect_cvc": "confirm_card_data",
    "incorrect_number": "confirm_card_data",
}
#: What a network answers where a bank refuses for that reason: the ISO 8583 response code.
_RESPONSES = {
    "do_not_honor": "05",
    "expired_card": "54",
    "incorrect_number": "14",
    "insufficient_funds": "51",
    "lost_card": "41",
    "pickup_card": "04",
    "stolen_card": "43",
}


def decline(code: str = "generic_decline") -> Decline:
    """The refusal that *code* names, be it a decline code or one that comes as the error's code."""
    message, advice, response = _MESSAGES.get(code, "Your card was declined."), _ADVICE.get(code), _RESPONSES.get(code)
    if code in _OWN_CODES:
        return Decline(code, code if _OWN_CODES[code] else None, message, advice, response=response)
    return Decline("card_declined", code, message, advice, network=code != "fraudulent", response=response)


@attrs.frozen
class TestCard:
    """A card of the test mode. ``number`` stays inside: only the last four digits go out.

    :param refusal: how its charges are declined; :param attaches: whether it can be attached all the same.
    :param after: how a charge is declined once the customer has passed 3-D Secure.
    :param pending: whether its charges stay open until they are settled.
    :param dispute: the reason for which the holder disputes each charge, or None.
    """

    number: str = attrs.field(repr=False)
    brand: str = "visa"
    country: str = "US"
    refusal: Decline | None = None
    attaches: bool = True
    authentication: Authentication = Authentication.NEVER
    after: Decline | None = None
    pending: bool = False
    refunds: RefundCourse = RefundCourse.SUCCEEDS
    dispute: str | None = None
    inquiry: bool = False

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """The same text for the same number."""
        return scramble(self.number, 16)

    def asks(self, *, off_session: bool, set_up: bool) -> bool:
        """Whether a payment asks for 3-D Secure."""
        match self.authentication:
            case Authentication.NEVER:
                return False
            case Authentication.ALWAYS:
                return True
            case Authentication.UNLESS_SET_UP:
                return not set_up
            case Authentication.ON_SESSION:
                return not off_session


def _refused(number: str, code: str) -> TestCard:
    return TestCard(number, refusal=decline(code), attaches=False)


_DECLINED = _refused("4000000000000002", "generic_decline")

#: By the name that follows ``pm_card_`` and ``tok_``.
CARDS = MappingProxyType(
    {
        "visa": TestCard("4242424242424242"),
        "visa_debit": TestCard("4000056655665556"),
        "jp": TestCard("4000003920000003", country="JP"),
        "mastercard": TestCard("5555555555554444", "mastercard"),
        "mastercard_debit": TestCard("5200828282828210", "mastercard"),
        "mastercard_prepaid": TestCard("5105105105105100", "mastercard"),
        "discover": TestCard("6011111111111117", "discover"),
        "diners": TestCard("3056930009020004", "diners"),
        "unionpay": TestCard("6200000000000005", "unionpay", "CN"),
        "bypassPending": TestCard("4000000000000077"),
        "amex": TestCard("378282246310005", "amex"),
        "jcb": TestCard("3566002020360505", "jcb", "JP"),
        "chargeCustomerFail": TestCard("4000000000000341", refusal=decline()),
        "chargeDeclined": _DECLINED,
        "visa_chargeDeclined": _DECLINED,
        "visa_chargeDeclinedInsufficientFunds": _refused("4000000000009995", "insufficient_funds"),
        "visa_chargeDeclinedLostCard": _refused("4000000000009987", "lost_card"),
        "visa_chargeDeclinedStolenCard": _refused("4000000000009979", "stolen_card"),
        "chargeDeclinedExpiredCard": _refused("4000000000000069", "expired_card"),
        "chargeDeclinedIncorrectCvc": _refused("4000000000000127", "incorrect_cvc"),
        "chargeDeclinedProcessingError": _refused("4000000000000119", "processing_error"),
        "visa_chargeDeclinedVelocityLimitExceeded": _refused("4000000000006975", "card_velocity_exceeded"),
        "authenticationRequired": TestCard("4000002760003184", authentication=Authentication.ALWAYS),
        "authenticationRequiredOnSetup": TestCard("4000002500003155", authentication=Authentication.UNLESS_SET_UP),
        "authenticationRequiredSetupForOffSession": TestCard(
            "4000003800000446", authentication=Authentication.ON_SESSION
        ),
        "authenticationRequiredChargeDeclinedInsufficientFunds": TestCard(
            "4000008260003178", authentication=Authentication.ALWAYS, after=decline("insufficient_funds")
        ),
        "threeDSecure2Required": TestCard("4000000000003220", authentication=Authentication.ALWAYS),
        "pendingRefund": TestCard("4000000000007726", refunds=RefundCourse.PENDING),
        "refundFail": TestCard("4000000000005126", refunds=RefundCourse.FAILS),
        "createDispute": TestCard("4000000000000259", dispute="fraudulent"),
        "createDisputeProductNotReceived": TestCard("4000000000002685", dispute="product_not_received"),
        "createDisputeInquiry": TestCard("4000000000001976", dispute="fraudulent", inquiry=True),
        "riskLevelHighest": TestCard("4000000000004954", refusal=decline("fraudulent")),
    }
)

#: The same by number.
NUMBERS = MappingProxyType({card.number: card for card in CARDS.values()})

#: A card of the emulator's own, without a token: its charges stay ``processing`` until they are settled.
PENDING_CARD = TestCard("4242424242424242", pending=True)


def luhn(number: str) -> bool:
    """Whether *number* is digits of a card's length with the right check digit."""
    if not (number.isascii() and number.isdecimal() and 12 <= len(number) <= 19):
        return False
    doubled = (2 * int(digit) for digit in number[-2::-2])
    return (sum(map(int, number[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0
