"""How values read in a mail: amounts and dates for people, texts without anything that does not belong there."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

from ..domain.followup import Next
from ..drivers.redact import mask_text
from ..money import Money

__all__ = ["amount_text", "date_text", "guarded", "next_text", "one_line", "some_lines"]

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
#: Japanese and English.
_NEXT = {
    Next.NOTHING: ("", ""),
    Next.REFUND: ("お支払いに使われたカードへ返金します。", "The money goes back to the card that was charged."),
    Next.REFUND_BY_HAND: ("返金の手続きは、当方で行います。", "We return the money to you."),
    Next.RETRY: ("次回の決済予定日に、あらためて決済します。", "We try the payment again on the next date."),
    Next.NEW_CARD: (
        "自動での決済は終了しました。ご利用を続けるには、カードの再登録が必要です。",
        "The payment is not tried again. To go on, the card has to be registered anew.",
    ),
    Next.ACT: (
        "期限までに、上記のページでお支払いの確認をお願いいたします。",
        "Please confirm the payment on that page by the date given.",
    ),
    Next.CONFIRM: (
        "自動での決済は終了しました。お支払いには、ご本人による確認またはカード情報の訂正が必要です。",
        "The payment is not tried again by itself: please confirm it, or correct the data of your card.",
    ),
    Next.CHECK: (
        "お支払いが済んでいないかを当方で確認しております。それまで決済は行いません。",
        "We check whether an earlier payment went through; nothing is charged before that.",
    ),
    Next.CORRECT: (
        "当方の設定を確認しております。それまで決済は行いません。",
        "We have to correct something on our side; nothing is charged before that.",
    ),
    Next.ENDS: ("解約日にご契約が終了します。", "The contract ends on the effective day."),
    Next.ENDED: ("ご契約は終了しました。", "The contract has ended."),
    Next.RENEWS: ("次の更新日に、ご契約が更新されます。", "The contract renews on its next renewal day."),
    Next.PAY: ("お支払いをお願いいたします。", "Please make the payment."),
    Next.RETURN_MONEY: ("返金が必要です。", "The money has to be returned."),
}
_OWN_ID = re.compile(r"[0-9a-f]{32}")
_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def amount_text(amount: Money, *, japanese: bool) -> str:
    """*amount* for people. Only the yen has a sign of its own here: ``$`` and ``¥`` belong to several currencies.

    >>> amount_text(Money(5000, "JPY"), japanese=True), amount_text(Money(5000, "JPY"), japanese=False)
    ('5,000円', '¥5,000')
    >>> amount_text(Money(1250, "USD"), japanese=True)
    'USD 12.50'
    """
    number, currency = str(amount).split(" ")
    if currency != "JPY":
        return f"{currency} {number}"
    return f"{number}円" if japanese else f"¥{number}"


def date_text(day: dt.date, *, japanese: bool) -> str:
    """A business date for people, in words of paygate's own: the machine's locale has no say.

    >>> date_text(dt.date(2026, 2, 15), japanese=True), date_text(dt.date(2026, 2, 15), japanese=False)
    ('2026年2月15日', '15 February 2026')
    """
    if japanese:
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def next_text(then: Next, *, japanese: bool) -> str:
    """What happens next, in a sentence; nothing for NOTHING."""
    return _NEXT[then][0 if japanese else 1]


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
