"""What a notice for an operator says: by its code, or by code and variant where the situation has several.

English is here, and is the key of the Japanese in the catalogue. ``{placeholders}`` are facts of the notice.
"""

from __future__ import annotations

import string
from collections.abc import Mapping

from .catalogue import filled, translate

__all__ = ["OTHER", "TEXTS", "TITLES", "operator_text", "operator_title"]

TITLES: Mapping[str, str] = {
    "action_without_link": "A customer has to confirm a payment and was not mailed",
    "declined_as_duplicate": "A charge was taken for a repetition",
    "discrepancy": "The provider reports something else than is on record",
    "dispute_lost": "A dispute was lost",
    "dispute_opened": "A customer disputes a payment",
    "dispute_won": "A dispute was won",
    "late_payment": "Money came after the contract had ended",
    "late_success": "A charge succeeded after all",
    "manual_refund_due": "Money has to be returned by hand",
    "no_retry_left": "A payment is not tried again",
    "notice_undeliverable": "A mail or notice could not be delivered",
    "provider_refund": "A refund was made at the provider",
    "provider_refund_failed": "A refund made at the provider failed",
    "refund_failed": "A refund failed",
    "refund_failed_after_deletion": "A refund of a deleted contract failed",
    "refund_succeeded_late": "A refund of a deleted contract succeeded after all",
    "renewal_notice_overdue": "A renewal has not been reported",
    "second_payment": "A period was paid twice",
    "step_mails_late": "Step mails were not sent in time",
    "subscription_refused": "The provider declined a subscription",
    "unknown_outcome": "It is not known whether a charge succeeded",
    "unknown_refund": "It is not known whether a refund was made",
    "unknown_subscription": "It is not known whether a subscription was started",
    "unmatched_event": "The provider reports something that is not on record",
}

#: The title of what paygate has no title for.
OTHER = "Somebody has to look at this"

_LOOK = "Look it up in the provider's console, then record what you found"
_EVENTUAL = (
    "paygate goes on looking. If it stays open, look in the provider's console as well, then record what you found"
)

TEXTS: Mapping[str, str] = {
    "action_without_link.form": (
        "The charge of {amount} on {account} waits for the customer until {day}. No mail was sent, because the provider's page "
        "cannot be opened by a link. Send the customer to a page of the shop that posts the provider's form, and have paygate's settings name that page."
    ),
    "action_without_link.other": (
        "The charge of {amount} on {account} waits for the customer until {day}. No mail was sent, because the provider's way "
        "to confirm cannot be opened by a link. Ask the customer for another card or another way to pay."
    ),
    "declined_as_duplicate.paid": (
        "The charge of {amount} on {account} was declined as a repetition. The same amount was paid on the card by {others}: "
        "see whether the customer owes it a second time. Nothing is repeated by itself."
    ),
    "declined_as_duplicate.looked_up": (
        "The charge of {amount} on {account} was declined as a repetition, but the {count} earlier attempt(s) were looked up "
        f"and are not paid. {_LOOK}. Nothing is repeated by itself."
    ),
    "declined_as_duplicate.nothing": (
        "The charge of {amount} on {account} was declined as a repetition, and no earlier attempt could be looked up. "
        f"{_LOOK}. Nothing is repeated by itself."
    ),
    "declined_as_duplicate.waiting": (
        "The charge of {amount} on {account} was declined as a repetition. The same amount was sent before and has no result "
        "yet ({others}), so that it may still be paid. Wait for it, then see what is owed. Nothing is repeated by itself."
    ),
    "declined_as_duplicate.unseen": (
        "The charge of {amount} on {account} was declined as a repetition, and {count} earlier attempt(s) could not be looked "
        f"up. {_LOOK}. Nothing is repeated by itself."
    ),
    "declined_as_duplicate.explained": (
        "The charge of {amount} on {account} was declined as a repetition of another payment on the same card ({others}). No "
        "earlier attempt of the period took any money, so that it is tried again on {day}."
    ),
    "declined_as_duplicate.explained_late": (
        "The charge of {amount} on {account} was declined as a repetition of another payment on the same card ({others}). No "
        "earlier attempt of the period took any money, but its attempts are used up. Ask the customer to pay it."
    ),
    "discrepancy.SECOND_REFERENCE": (
        "For one payment of {amount} on {account} the provider reports a second one ({their_reference}, {their_amount}). "
        "Nothing of that has been booked. Compare with the provider's console and return there what was taken too often."
    ),
    "discrepancy.OTHER_AMOUNT": (
        "The provider {account} reports {their_amount} where {amount} is on record. Nothing of that has been booked. "
        "Compare with the provider's console and put right what differs."
    ),
    "discrepancy.OTHER_CURRENCY": (
        "The provider {account} reports {their_amount}, in another currency than the {amount} on record. Nothing of that has "
        "been booked. Compare with the provider's console and put right what differs."
    ),
    "discrepancy.DECLINE_AFTER_SUCCESS": (
        "The provider {account} says that a payment of {amount} failed which it had reported as successful. Nothing has been "
        "changed. See in the provider's console which is true."
    ),
    "discrepancy.SUCCESS_AFTER_DECLINE": (
        "The provider {account} says that a refund of {amount} succeeded which it had reported as failed. Nothing has been "
        "changed. See in the provider's console which is true."
    ),
    "discrepancy.OVER_REFUNDED": (
        "By the account of {account} more has gone back of a payment of {amount} than was paid. Nothing of that has been booked. "
        "Compare with the provider's console."
    ),
    "dispute_lost": (
        "The dispute {reference} over {amount} on {account} is lost: the money is gone. The contract goes on as it was; end it "
        "if that is what you want."
    ),
    "dispute_opened": (
        "The customer's bank disputes {amount} on {account} (dispute {reference}). Hand in evidence on the provider's screen by "
        "{due_by}. The contract goes on as it was."
    ),
    "dispute_opened.no_deadline": (
        "The customer's bank disputes {amount} on {account} (dispute {reference}). Hand in evidence on the provider's screen, "
        "which shows the deadline. The contract goes on as it was."
    ),
    "dispute_won": "The dispute {reference} over {amount} on {account} is won: the money stays.",
    "late_payment": (
        "{amount} came for the period of {period} after the contract had ended. Return it by refunding ledger row {entry_id}."
    ),
    "late_success": (
        "The charge of {amount} on {account} was recorded as failed, but the provider took the money after all. It is now in the "
        "ledger. See whether the customer paid in another way meanwhile."
    ),
    "manual_refund_due": (
        "Return {amount} to the customer by hand (payment: row {entry_id}). Once it is done, mark row {row_id} as done."
    ),
    "manual_refund_due.deleted": (
        "The contract was deleted, and {amount} of its payments may have to be returned by hand. Look through the list of refunds "
        "by hand, and end each of them, also where nothing is owed."
    ),
    "no_retry_left.NEW_CARD": (
        "The payment of {amount} for the period of {period} was declined on {account} and is not tried again. Ask the customer "
        "for another card, or end the contract."
    ),
    "no_retry_left.CONFIRM": (
        "The payment of {amount} for the period of {period} was declined on {account} and is not tried again. The customer has "
        "to confirm it, correct the card's data, or pay with another card."
    ),
    "no_retry_left.CHECK": (
        "The payment of {amount} for the period of {period} was declined on {account} and is not tried again. See in the "
        "provider's console whether an earlier payment went through, before anything is charged."
    ),
    "no_retry_left.CORRECT": (
        "The payment of {amount} for the period of {period} was declined on {account} and is not tried again. Correct the set-up, "
        "then collect the period with an additional charge for arrears."
    ),
    "notice_undeliverable": "A notice could not be delivered and is not tried again. Details: {details}",
    "provider_refund": (
        "{amount} of a payment on {account} was returned at the provider (refund {reference}). The contract goes on as it was; "
        "end it if that is what you want."
    ),
    "provider_refund.before_known": (
        "{amount} was taken on {account} ({reference}) and went back at the provider before that was known here. The charge counts "
        "as failed, and nothing was given for it."
    ),
    "provider_refund_failed": (
        "The refund {reference} of {amount} on {account}, made at the provider, did not reach the customer. See the provider's "
        "console."
    ),
    "refund_failed": "A refund of {amount} on {account} failed. See the provider's console, then return the money again.",
    "refund_failed_after_deletion": (
        "The refund of {amount} on {account} failed, of a contract that was deleted on {day}. Return it by hand, then mark {row_id} "
        "as done."
    ),
    "refund_succeeded_late": (
        "The refund of {amount} on {account} succeeded after all, of a contract that was deleted on {day}. Whoever returned it by "
        "hand as well has returned it twice."
    ),
    "renewal_notice_overdue": (
        "{provider} charges the renewals of this contract and has reported nothing about the period of {period}. Look the "
        "subscription up in the provider's console. paygate charges nothing by itself."
    ),
    "second_payment": (
        "{amount} came for the period of {period}, which was paid already. Return it by refunding ledger row {entry_id}."
    ),
    "step_mails_late": (
        "{count} step mail(s) were more than {hours} hours late; they were paused and not sent. Look through them, and release or "
        "delete them."
    ),
    "subscription_refused": (
        "The contract is paid, but {account} declined the subscription for its renewals. paygate charges them itself, beginning "
        "with {starts_on}."
    ),
    "unknown_outcome.none": (
        "It is not known whether the charge of {amount} on {account} succeeded, and {provider} cannot be asked. "
        f"{_LOOK}. Do not charge again."
    ),
    "unknown_outcome.eventual": (
        f"It is not known whether the charge of {{amount}} on {{account}} succeeded. {_EVENTUAL}. Do not charge again."
    ),
    "unknown_outcome.authoritative": (
        "It is not known whether the charge of {amount} on {account} succeeded. Run the reconciliation, which asks {provider}. "
        "Do not charge again."
    ),
    "unknown_outcome.missing": (
        "It is not known whether the charge of {amount} on {account} succeeded, and the account is missing from the "
        "configuration. Put it back, then run the reconciliation. Do not charge again."
    ),
    "unknown_outcome.still": (
        "Whether the charge of {amount} on {account} succeeded is still not known after {hours} hours of looking. "
        f"{_LOOK}. Do not charge again."
    ),
    "unknown_outcome.renewal": (
        "{provider} reports a payment of this contract that cannot be read. Nothing has been booked: look it up in the provider's "
        "console."
    ),
    "unknown_refund.none": (
        "It is not known whether the refund of {amount} on {account} was made, and {provider} cannot be asked. "
        f"{_LOOK}. Do not refund again."
    ),
    "unknown_refund.eventual": (
        f"It is not known whether the refund of {{amount}} on {{account}} was made. {_EVENTUAL}. Do not refund again."
    ),
    "unknown_refund.authoritative": (
        "It is not known whether the refund of {amount} on {account} was made. Run the reconciliation, which asks {provider}. Do "
        "not refund again."
    ),
    "unknown_refund.missing": (
        "It is not known whether the refund of {amount} on {account} was made, and the account is missing from the configuration. "
        "Put it back, then run the reconciliation. Do not refund again."
    ),
    "unknown_subscription": (
        "It is not known whether {account} has started the subscription over {amount}. paygate goes on asking. If it stays open, "
        "find it in the provider's console. Do not start another."
    ),
    "unmatched_event": (
        "{account} reports something about {reference} that paygate did not make or no longer has. Compare with the provider's "
        "console."
    ),
    "unmatched_event.deleted": (
        "{account} reports something about a payment ({reference}) of a contract that was deleted on {day}. It was not applied: "
        "compare with the provider's console."
    ),
    "unmatched_event.ours": (
        "{account} reports something about {reference}, which carries a number of paygate's but is not on record. If the database "
        "was restored from a backup, run 'paygate db restored'; else compare with the provider's console."
    ),
}


def operator_title(code: str, lang: str) -> str:
    """The situation in a few words; for a code that is not paygate's, that somebody has to look."""
    return translate(TITLES.get(code, OTHER), lang, "operator")


def operator_text(code: str, facts: Mapping[str, object], lang: str, message: str) -> str:
    """What happened and what to do; *message* where the code is not paygate's, or a fact of its text is not known."""
    text = TEXTS.get(f"{code}.{facts.get('variant')}", TEXTS.get(code))
    if text is None:
        return message
    needed = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    known = {name: fact for name, fact in facts.items() if fact not in {None, ""}}
    return filled(text, lang, "operator", known) if needed <= known.keys() else message
