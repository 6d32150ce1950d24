"""UnivaPay's two vocabularies of refusals, sorted by what they mean for the next attempt (provider fact sheet §15).

A charge that failed carries a number, a request that was refused a word. Every documented code is in one of the tables; one
that is not has class UNKNOWN, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping

from paygate.provider import DeclineClass

__all__ = ["CHARGE_CODES", "FIRST_ONE_EXISTS", "HTTP_CODES", "RESPONSE_CODES", "UNCLEAR_CODES"]

_SOFT, _HARD, _ACTION, _CONFIG = DeclineClass.SOFT, DeclineClass.HARD, DeclineClass.ACTION, DeclineClass.CONFIG


def _table(by_class: Mapping[DeclineClass, str]) -> dict[str, DeclineClass]:
    return {code: decline for decline, codes in by_class.items() for code in codes.split()}


#: ``error.code`` of a failed charge (§15.3).
CHARGE_CODES = _table(
    {
        _HARD: "301 302 303 304 305 307 308 314 319 326 332 333 334 335 340 342 351 355 356 359",
        _SOFT: "306 309 313 315 320 330 336 337 343 344 346",
        _ACTION: "322 323 327 358 363",
        _CONFIG: "310 316 317 318 321 331 341",
        DeclineClass.DUPLICATE: "311",
        # about a cancel or a refund: on a charge they say that it failed, not why
        DeclineClass.UNKNOWN: "312 329 345",
    }
)

#: ``error.code`` → the card networks' response code (ISO 8583) that says the same. UnivaPay passes the bank's own code on
#: only in its numbers, so that the networks' dated rules can read those of them that mean one thing there and here.
RESPONSE_CODES = {
    "301": "14",  # the number is wrong
    "304": "54",  # the card has expired
    "314": "43",  # reported stolen, or withdrawn by the issuer
    "330": "51",  # not enough funds
}

#: Codes with which a charge says ``failed`` while the state of the money is unclear: somebody has to look (§15.3).
UNCLEAR_CODES = frozenset({"324", "325", "328", "338", "339", "500", "501", "502", "504", "601", "602", "603", "604"})

#: Codes of HTTP 4xx refusals (§15.2).
HTTP_CODES = _table(
    {
        _CONFIG: """
            VALIDATION_ERROR RECURRING_USAGE_LIMIT_REQUIRED USAGE_LIMIT_NOT_APPLICABLE INVALID_TOKEN_TYPE
            NON_SUBSCRIPTION_PAYMENT NOT_ONE_TIME_TOKEN NOT_SUBSCRIPTION_TOKEN TOKEN_FOR_WRONG_STORE
            PROCESSING_MODE_MISMATCH NO_TEST_CARD_IN_LIVE_MODE LIVE_MODE_NOT_ENABLED_WHEN_UNVERIFIED
            CHARGE_AMOUNT_TOO_HIGH CHARGE_AMOUNT_TOO_LOW CARD_PROCESSING_DISABLED CONVENIENCE_PROCESSING_DISABLED
            QR_PROCESSING_DISABLED NO_GATEWAYS_AVAILABLE NO_DIRECT_CURRENCY_GATEWAY NOT_SUPPORTED_BY_PROCESSOR
            AUTH_NOT_SUPPORTED INVALID_QR_SCAN_GATEWAY RESOURCE_LIMIT_REACHED INVALID_PLATFORM PAYMENT_TYPE_NOT_ALLOWED
            ONE_TIME_ONLY_ALLOWED INVALID_IP_ADDRESS
            INSTALLMENT_MAX_PAYOUT_PERIOD_EXCEEDED INSTALLMENT_PAYMENT_TYPE_NOT_ALLOWED_FOR_PLAN
            INSTALLMENT_INVALID_CYCLES_COUNT INSTALLMENT_INVALID_PLAN INSTALLMENTS_NOT_ENABLED
            INSTALLMENT_PROCESSOR_INITIAL_AMOUNTS_NOT_SUPPORTED PAYMENT_EXPIRATION_EXCEEDS_PERIOD
            AUTH_HEADER_MISSING INVALID_APP_TOKEN INVALID_CREDENTIALS INVALID_DOMAIN INVALID_LOGIN_TOKEN
            EXPIRED_LOGIN_TOKEN DIRECT_CARD_TOKEN_CREATION_DISABLED INVALID_PERMISSIONS OUTDATED_APP_TOKEN AUTH_EXPIRED
        """,
        _HARD: """
            TRANSACTION_ALREADY_PROCESSED TRANSACTION_TOKEN_EXPIRED RECURRING_TOKEN_DISABLED
            RECURRING_TOKEN_NOT_ALLOWED CARD_BRAND_NOT_SUPPORTED CARD_COUNTRY_NOT_SUPPORTED FORBIDDEN_IP USER_BANNED
            NOT_FOUND
        """,
        _ACTION: """
            RECURRING_USAGE_REQUIRES_CVV CVV_REQUIRED CVV_AUTHORIZATION_NOT_COMPLETED LAST_NAME_REQUIRED
            TOKEN_MUST_BE_CONFIRMED
        """,
        _SOFT: """
            CARD_LOCKED SERVICE_RESTRICTED CARD_LIMIT_EXCEEDED_FOR_STORE TOO_MANY_REQUESTS RATE_LIMIT_EXCEEDED
            SUBSCRIPTION_PROCESSING
        """,
        DeclineClass.DUPLICATE: "CHARGE_TOO_QUICK",
        # about captures, cancels, refunds, running subscriptions, tokens, webhooks and files: in answer to a charge they
        # say that it was refused, not why
        DeclineClass.UNKNOWN: """
            ALREADY_CAPTURED CAPTURE_AMOUNT_TOO_LARGE PARTIAL_CAPTURE_NOT_SUPPORTED CANCEL_NOT_ALLOWED
            CANNOT_REFUND_UNSUCCESSFUL_CHARGE REFUND_EXCEEDS_CHARGE_AMOUNT REFUND_NOT_WITHIN_BOUNDS REFUND_NOT_ALLOWED
            REFUND_EXCEEDS_SALES CURRENCY_MUST_MATCH_CHARGE CANNOT_CHANGE_CANCELED_SUBSCRIPTION CANNOT_CHANGE_TOKEN
            SUBSCRIPTION_ALREADY_ENDED CANNOT_UPDATE_TRANSACTION_TOKEN NON_UNIQUE_ACTIVE_TOKEN WEBHOOK_URL_EXISTS
            TEST_CARD_CANNOT_BE_BANNED FILE_INVALID_TYPE FILE_MAX_SIZE_EXCEEDED
        """,
    }
)

#: Refusals that, met on a repeat, say that the first sending very probably had its effect (§20.4, step 4).
FIRST_ONE_EXISTS = frozenset({"CHARGE_TOO_QUICK", "TRANSACTION_ALREADY_PROCESSED"})
