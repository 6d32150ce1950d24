"""English labels that are no mere spelling of a member's name: by enumeration, as the catalogue names it, and member."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["AUDIT_ACTIONS", "ENGLISH"]

ENGLISH: Mapping[str, Mapping[str, str]] = {
    "contract.Status": {"CANCELED": "Cancelled and undone"},
    "contract.ContractType": {"LICENSE_GRANT": "Licence grant"},
    "operations.Operation": {
        "CANCEL": "Cancel",
        "CHANGE_PAYMENT": "Change the card",
        "CANCEL_WITH_MANUAL_REFUND": "Cancel, refund by hand",
        "CANCEL_AND_REFUND": "Cancel and refund",
        "CHARGE_ADDON": "Additional charge",
        "REFUND_ENTRY": "Refund",
        "MARK_MANUAL_REFUND_DONE": "Mark manual refund as done",
        "MARK_RETRIES_STOPPED": "Record that the provider's retries are stopped",
        "SET_EXPIRY": "Change the expiry date",
        "SET_PRODUCT_END": "Set the product's final month",
    },
    "attempts.Why": {
        "SCHEDULE": "the usual retry",
        "LATE": "was due earlier",
        "WAIT": "the card's network asks to wait",
        "LIMIT": "a limit of the card's network",
        "PROVIDER_OWNED": "the provider decides about retries",
        "NOTHING_FAILED": "nothing has failed",
        "OPEN": "an attempt has no result yet",
        "EXHAUSTED": "all attempts are used up",
        "FINAL_CODE": "the card's network forbids another attempt",
        "CORRECTION": "the data have to be corrected first",
        "DECLINE_CLASS": "the kind of decline forbids a retry",
    },
    "provider.DeclineClass": {
        "SOFT": "the card was declined for now, for example for its balance or limit",
        "HARD": "the card cannot be used any more",
        "ACTION": "the customer has to confirm the payment or correct the card's data",
        "CONFIG": "the account's set-up or the request has to be corrected",
        "DUPLICATE": "taken for a repetition of an earlier payment",
        "PERMISSION": "the customer's permission is closed or has expired",
        "UNKNOWN": "declined, for a reason that is not known",
    },
    "discrepancy.Source": {"ANSWER": "Response", "LOOKUP": "Look-up"},
    "planning.Work": {"NOTHING": "Not retried"},
}

#: What the audit trail calls a change that is no operation of its own.
AUDIT_ACTIONS = (
    "arrears_paid", "create", "end", "event_ignored", "import", "late_payment", "overtaken_payment", "payment_failed",
    "payment_held_back", "product_end", "renew", "resolve_charge", "resolve_discrepancy", "resolve_refund",
    "retries_stopped", "revoke_card", "second_payment", "send_step_mail", "lapse_step_mail", "start", "subscription_ended", "unlock",
    "update_customer",
)  # fmt: skip
