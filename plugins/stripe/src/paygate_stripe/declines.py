"""What a declined card means for the next attempt (provider fact sheet §6).

Texts are for people and never decide. A code that nobody documented is a decline of class UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from paygate.provider import DeclineClass

from .resources import clean, object_in, text_in

__all__ = ["DECLINE_CODES", "REQUEST_CODES", "Decline", "is_authentication"]

_SOFT, _HARD, _ACTION, _CONFIG = DeclineClass.SOFT, DeclineClass.HARD, DeclineClass.ACTION, DeclineClass.CONFIG


def _table(by_class: Mapping[DeclineClass, str]) -> dict[str, DeclineClass]:
    return {code: decline for decline, codes in by_class.items() for code in codes.split()}


#: ``decline_code``, and the codes that come without one.
DECLINE_CODES = _table(
    {
        # the first nine are those that Stripe's own retries give up on; for the others another card has to be asked for
        _HARD: """
            incorrect_number lost_card pickup_card stolen_card revocation_of_authorization
            revocation_of_all_authorizations highest_risk_level transaction_not_allowed
            expired_card invalid_account new_account_information_available restricted_card security_violation
            stop_payment_order do_not_try_again fraudulent merchant_blacklist card_not_supported
            currency_not_supported service_not_allowed not_permitted invalid_number
        """,
        _SOFT: """
            insufficient_funds generic_decline card_declined do_not_honor call_issuer no_action_taken try_again_later
            processing_error issuer_not_available reenter_transaction approve_with_id card_velocity_exceeded
            withdrawal_count_limit_exceeded
        """,
        # the customer confirms the payment, or gives the data of the card again
        _ACTION: """
            authentication_required authentication_not_handled mobile_device_authentication_required
            payment_intent_authentication_failure
            incorrect_cvc invalid_cvc incorrect_zip incorrect_address invalid_expiry_month invalid_expiry_year
            incorrect_pin invalid_pin pin_try_exceeded offline_pin_required online_or_offline_pin_required
        """,
        _CONFIG: "invalid_amount testmode_decline",
        DeclineClass.DUPLICATE: "duplicate_transaction",
    }
)

#: ``code`` of a request that Stripe refused before it went to any bank (§3).
REQUEST_CODES = _table(
    {
        _CONFIG: """
            amount_too_small amount_too_large parameter_missing parameter_unknown parameter_invalid_integer
            parameter_invalid_empty payment_method_unactivated
        """,
        _HARD: "resource_missing",  # the customer or the card is gone
    }
)

#: Stripe's own advice, which outranks the table.
_ADVICE = {"do_not_try_again": _HARD, "try_again_later": _SOFT, "confirm_card_data": _ACTION}

_AUTHENTICATION = frozenset({"authentication_required", "authentication_not_handled"})


@attrs.frozen
class Decline:
    """One refusal of a bank.

    :param code: ``decline_code``, else ``code``; :param message: Stripe's text, for people.
    :param network: of the card, for example ``visa``; :param response_code: the network's own code, for example ``51``.
    :param advice_code: the network's advice where the network is known to give any, else Stripe's own.
    """

    code: str
    message: str
    kind: DeclineClass
    network: str | None
    advice_code: str | None
    response_code: str | None = None

    @classmethod
    def of(
        cls, error: Mapping[str, Any], charge: Mapping[str, Any] | None = None, *, otherwise: str = "card_declined"
    ) -> Decline:
        """What *error* says: that of a refused request, or ``last_payment_error``.

        :param charge: the failed charge, where it is at hand: it knows the card's network and the network's advice.
        :param otherwise: the code where there is none.
        """
        outcome = object_in(charge, "outcome")
        code = text_in(error, "decline_code") or text_in(error, "code") or otherwise
        advice = text_in(error, "advice_code") or text_in(outcome, "advice_code")
        network = _network(error, charge)
        said = text_in(error, "network_advice_code") or text_in(outcome, "network_advice_code")
        return cls(
            code,
            clean(text_in(error, "message") or ""),
            _kind(code, advice),
            network,
            said if said and (network == "mastercard" or advice is None) else advice,
            text_in(error, "network_decline_code") or text_in(outcome, "network_decline_code"),
        )


def is_authentication(code: str | None) -> bool:
    """Whether the bank wants the customer to confirm the payment (§4)."""
    return code in _AUTHENTICATION


def _kind(code: str, advice: str | None) -> DeclineClass:
    known = DECLINE_CODES.get(code, DeclineClass.UNKNOWN)
    if known is DeclineClass.DUPLICATE or advice is None:
        # the first payment may have gone through: no advice makes that right to repeat
        return known
    return _ADVICE.get(advice, known)


def _network(error: Mapping[str, Any], charge: Mapping[str, Any] | None) -> str | None:
    cards = (object_in(charge, "payment_method_details", "card"), object_in(error, "payment_method", "card"))
    names = (text_in(card, name) for card in cards for name in ("network", "brand"))
    found = next(filter(None, names), None)
    return None if found in {None, "unknown"} else found
