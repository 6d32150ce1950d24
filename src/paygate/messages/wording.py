"""How values read in a mail: amounts and dates for people, texts without anything that does not belong there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from ..catalogue import amount_text, date_text, translate
from ..domain.contract import PaymentMethod
from ..domain.followup import Next
from ..drivers.redact import mask_text
from ..provider import DeclineClass

__all__ = [
    "DELETED", "advice_text", "amount_text", "card_request_text", "consequence_text", "date_text", "guarded", "next_text",
    "one_line", "refund_note_text", "said", "sentences", "some_lines", "transfer_text",
]  # fmt: skip

#: What happens next, for both sides; NOTHING is not spoken of.
NEXT: Mapping[Next, str] = {
    Next.NOTHING: "",
    Next.REFUND: "The money goes back to the card that was charged.",
    Next.REFUNDED: "The money has gone back to the card that was charged.",
    Next.REFUND_BY_HAND: "We return the money to you.",
    Next.RETRY: "We try the payment again on the next date.",
    Next.NEW_CARD: "The payment is not tried again. To go on, the card has to be registered anew.",
    Next.REPLACE_CARD: "Please register another card before this one ends.",
    Next.ACT: "Please confirm the payment on that page by the date given.",
    Next.CONFIRM: "The payment is not tried again by itself: please confirm it, or correct the data of your card.",
    Next.CHECK: "We check whether an earlier payment went through; nothing is charged before that.",
    Next.CORRECT: "We have to correct something on our side; nothing is charged before that.",
    Next.ENDS: "The contract ends on the effective day.",
    Next.ENDED: "Nothing more will be charged for this contract.",
    Next.RENEWS: "The contract renews on its next renewal day.",
    Next.PAY: "Please make the payment.",
    Next.RETURN_MONEY: "The money has to be returned.",
}
#: What a decline asks of the customer; nothing where only the seller can do something.
ADVICE: Mapping[DeclineClass, str] = {
    DeclineClass.SOFT: "Please check the balance and the limit of your card.",
    DeclineClass.HARD: "This card cannot be used any more. Please register another one.",
    DeclineClass.ACTION: "Your card company asks you to confirm the payment, or to correct the data of your card.",
    DeclineClass.CONFIG: "",
    DeclineClass.DUPLICATE: "",
    DeclineClass.PERMISSION: "Your permission to be charged has ended. Please register a way to pay anew.",
    DeclineClass.UNKNOWN: "Please check the balance, the limit and the expiry date of your card.",
}
_SUSPENDED = "Until the payment is made, your contract is suspended."
_ENDED = "As the payment could not be collected, your contract has ended."
_BY_REPLY = "To change the card, please reply to this mail."
_ON_A_PAGE = "You can change the card on this page:"
_REFUND_NOTES: Mapping[PaymentMethod, str] = {
    PaymentMethod.CARD: "It may take your card company some days to show it.",
    PaymentMethod.BANK_TRANSFER: "Where it is returned by bank transfer, it may take some days to reach your account.",
    PaymentMethod.MANUAL: "",
}
_TRANSFER_TO = "Transfer to:"
#: Where a new card helps.
_CARD_HELPS = frozenset({Next.RETRY, Next.NEW_CARD, Next.CONFIRM, Next.PAY, Next.REPLACE_CARD})


def sentences() -> Iterator[str]:
    """Every sentence here, for the catalogue."""
    yield from filter(None, (*NEXT.values(), *ADVICE.values(), *_REFUND_NOTES.values()))
    yield from (_SUSPENDED, _ENDED, _BY_REPLY, _ON_A_PAGE, _TRANSFER_TO, DELETED)


#: Why money went back, where the contract was deleted.
DELETED = "The contract is deleted."


_OWN_ID = re.compile(r"[0-9a-f]{32}")
_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def next_text(then: Next, language: str) -> str:
    """What happens next, in a sentence; nothing for NOTHING."""
    return said(NEXT[then], language)


def advice_text(decline: DeclineClass, then: Next, language: str) -> str:
    """What the customer can do about a decline; nothing where there is nothing to do, or it is too late."""
    return said(ADVICE[decline], language) if then in _CARD_HELPS else ""


def consequence_text(then: Next, language: str) -> str:
    """What a payment that failed does to the use of the contract."""
    return said(_ENDED if then is Next.ENDED else _SUSPENDED, language)


def card_request_text(then: Next, method: PaymentMethod | None, page: str, language: str) -> str:
    """How to change the card, where that helps; never to who pays otherwise.

    :param page: the address of the page on which that is done; empty: by answering the mail.
    """
    if method is not PaymentMethod.CARD or then not in _CARD_HELPS:
        return ""
    return f"{said(_ON_A_PAGE, language)}\n{page}" if page else said(_BY_REPLY, language)


def refund_note_text(method: PaymentMethod, language: str) -> str:
    """When the customer sees the money."""
    return said(_REFUND_NOTES[method], language)


def transfer_text(details: str, language: str) -> str:
    """The seller's bank details under their heading."""
    return f"{said(_TRANSFER_TO, language)}\n{details}" if details else ""


def said(sentence: str, language: str) -> str:
    """A sentence of the mails in *language*."""
    return translate(sentence, language, "mail")


def one_line(text: str) -> str:
    r"""*text* on one line, without control and invisible formatting characters.

    >>> one_line("Hanako\r\nBcc: everybody@example.com")
    'Hanako Bcc: everybody@example.com'
    """
    return " ".join(some_lines(text).split("\n")).strip()


def some_lines(text: str) -> str:
    r"""*text* with its line breaks as ``\n``, otherwise as :func:`one_line`."""
    text = _LINE_BREAK.sub("\n", text)
    return "".join(kept for character in text if (kept := _kept(character))).strip()


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if character == "\n" or not category.startswith("C"):
        return character
    # "Cc" such as a tab parts words; "Cf" (direction marks above all) and lone surrogates only deceive or do not encode
    return " " if category == "Cc" else character if category == "Co" else ""


def guarded(value: str) -> str:
    """*value* without card numbers and credentials (X-20).

    paygate's own ids are left alone: about one in a thousand holds digits that could be a card's, and a link with a
    masked id leads nowhere.
    """
    return value if _OWN_ID.fullmatch(value) else mask_text(value)
