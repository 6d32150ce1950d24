"""What mails tell of, to whom, and with which facts (domain §3.4, R-271)."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping

import attrs

from ..domain.attempts import Why
from ..domain.contract import PaymentMethod
from ..domain.followup import Audience, Next
from ..money import Money
from ..provider import DeclineClass
from .wording import one_line, some_lines

__all__ = ["MAILS", "PLACEHOLDERS", "Audience", "Event", "Facts", "Language"]


class Language(enum.Enum):
    """The languages that paygate's own templates are written in."""

    JA = "ja"
    EN = "en"


class Event(enum.Enum):
    """What happened. The value begins the name of the template's file.

    What a :class:`~paygate.domain.followup.NoticeKind` tells of has the same value here.
    """

    APPLICATION_RECEIVED = "application_received"  #: a payment by bank transfer is awaited
    PAYMENT_CONFIRMED = "payment_confirmed"
    RENEWAL_SUCCEEDED = "renewal_succeeded"  #: and additional charges, which share the mail set (R-224)
    RENEWAL_FAILED = "renewal_failed"  #: each failed attempt (R-151)
    ACTION_REQUIRED = "action_required"  #: the customer has to confirm a payment at a link (R-335)
    RENEWAL_HELD_BACK = "renewal_held_back"  #: the card may not be tried, or not yet (R-331)
    CHARGE_SUCCEEDED = "charge_succeeded"  #: an additional charge (R-176)
    CHARGE_FAILED = "charge_failed"
    CANCELED = "canceled"  #: キャンセル: the contract is undone
    RESUMED = "resumed"
    TERMINATED = "terminated"
    CANCELLATION_SCHEDULED = "cancellation_scheduled"
    PRODUCT_END = "product_end"  #: the contract ends with its product; this cannot be revoked (R-067)
    CANCELLATION_REVOKED = "cancellation_revoked"
    CANCELLATION_EFFECTIVE = "cancellation_effective"
    CARD_CHANGED = "card_changed"  #: another card was registered (R-400)
    CARD_EXPIRING = "card_expiring"  #: the card ends, and the contract is charged after that (R-408)
    REFUND_DONE = "refund_done"
    REFUND_FAILED = "refund_failed"
    MANUAL_REFUND_DUE = "manual_refund_due"
    DUNNING = "dunning"  #: on demand; changes no status (R-159)
    OPERATOR_ACTION = "operator_action"  #: a person has to look


@attrs.frozen(kw_only=True)
class Facts:
    """What a template may show: the names of these fields are all the placeholders there are.

    Dates are JST dates. Texts lose line breaks and control characters, so that no value can add a line to a mail or a
    header to its head; only ``message`` and ``transfer_details`` keep their lines. None and empty texts are "not known".

    :param charged_on: when the money was received; ``happened_on``: when anything else happened.
    :param receipt_url: only where a receipt is allowed (R-234).
    :param attempt: number of the failed attempt, from 1; ``next_attempt_on``: when it is tried again.
    :param action_url: the provider's page on which the customer confirms a payment.
    :param card: how a stored card is named, for example ``visa 4242``; never more of its number; ``card_expires_on``: the last day on which it can be
        charged.
    :param effective_on: the first day without the contract; ``last_day_of_use``: the day before it (X-08).
    :param due_on: until when something has to be paid or returned.
    :param reason: the administrator's; ``message``: what a person has to do, in the mail's language.
    :param situation: why a person has to look, in a few words of the mail's language.
    :param decline: what kind of no it was, for the administrator; ``provider_message``: the provider's own words.
    :param why: why a card was not tried (R-331). :param method: how the contract is paid.
    :param by_hand: whether a person returned the money.
    :param next_step: what happens next (R-271), in a sentence of the mail's language.
    :param transfer_details: the seller's own bank details, shown as they are.
    """

    customer_name: str = attrs.field(default="", converter=one_line, repr=False)
    contract_name: str = attrs.field(default="", converter=one_line)
    contract_id: str = attrs.field(default="", converter=one_line)
    amount: Money | None = None
    charged_on: dt.date | None = None
    happened_on: dt.date | None = None
    expires_on: dt.date | None = None
    receipt_url: str = attrs.field(default="", converter=one_line)
    attempt: int | None = None
    next_attempt_on: dt.date | None = None
    action_url: str = attrs.field(default="", converter=one_line)
    card_change_url: str = attrs.field(default="", converter=one_line)
    contract_url: str = attrs.field(default="", converter=one_line)
    card: str = attrs.field(default="", converter=one_line)
    card_expires_on: dt.date | None = None
    effective_on: dt.date | None = None
    last_day_of_use: dt.date | None = None
    due_on: dt.date | None = None
    next_step: Next = Next.NOTHING
    transfer_details: str = attrs.field(default="", converter=some_lines, repr=False)
    account: str = attrs.field(default="", converter=one_line)
    charge_id: str = attrs.field(default="", converter=one_line)
    refund_id: str = attrs.field(default="", converter=one_line)
    code: str = attrs.field(default="", converter=one_line)
    reason: str = attrs.field(default="", converter=one_line)
    message: str = attrs.field(default="", converter=some_lines)
    situation: str = attrs.field(default="", converter=one_line)
    decline: DeclineClass | None = None
    why: Why | None = None
    provider_message: str = attrs.field(default="", converter=one_line)
    method: PaymentMethod | None = None
    by_hand: bool = False


#: Sentences that are made of facts: what a decline asks of the customer, what a failed payment does to the contract, how to
#: change the card, when a refund is seen, and the bank details under their heading.
SENTENCES = ("advice", "consequence", "card_request", "refund_note", "transfer_to")

PLACEHOLDERS = (*(field.name for field in attrs.fields(Facts) if field.name != "by_hand"), *SENTENCES)

_CONTRACT = ("contract_name", "contract_id")
_MONEY = (*_CONTRACT, "amount")
_ENDING = (*_CONTRACT, "effective_on", "last_day_of_use")
_FAILURE = (*_MONEY, "happened_on", "attempt")

#: The mails that exist, each with the facts it cannot do without: about money these are amount, contract and date (R-271).
MAILS: Mapping[tuple[Event, Audience], tuple[str, ...]] = {
    (Event.APPLICATION_RECEIVED, Audience.CUSTOMER): (*_MONEY, "happened_on", "transfer_details"),
    (Event.APPLICATION_RECEIVED, Audience.ADMIN): (*_MONEY, "happened_on"),
    (Event.PAYMENT_CONFIRMED, Audience.CUSTOMER): (*_MONEY, "charged_on"),
    (Event.PAYMENT_CONFIRMED, Audience.ADMIN): (*_MONEY, "charged_on"),
    (Event.RENEWAL_SUCCEEDED, Audience.CUSTOMER): (*_MONEY, "charged_on"),
    (Event.RENEWAL_FAILED, Audience.CUSTOMER): _FAILURE,
    (Event.RENEWAL_FAILED, Audience.ADMIN): _FAILURE,
    (Event.ACTION_REQUIRED, Audience.CUSTOMER): (*_MONEY, "due_on"),
    (Event.ACTION_REQUIRED, Audience.ADMIN): (*_MONEY, "due_on"),
    (Event.RENEWAL_HELD_BACK, Audience.CUSTOMER): (*_MONEY, "happened_on"),
    (Event.RENEWAL_HELD_BACK, Audience.ADMIN): (*_MONEY, "happened_on"),
    (Event.CHARGE_SUCCEEDED, Audience.ADMIN): (*_MONEY, "charged_on", "charge_id"),
    (Event.CHARGE_FAILED, Audience.ADMIN): (*_MONEY, "happened_on", "charge_id"),
    (Event.CANCELED, Audience.CUSTOMER): (*_CONTRACT, "happened_on"),
    (Event.CANCELED, Audience.ADMIN): (*_CONTRACT, "happened_on"),
    (Event.RESUMED, Audience.CUSTOMER): (*_CONTRACT, "happened_on"),
    (Event.RESUMED, Audience.ADMIN): (*_CONTRACT, "happened_on"),
    (Event.TERMINATED, Audience.CUSTOMER): (*_CONTRACT, "happened_on"),
    (Event.TERMINATED, Audience.ADMIN): (*_CONTRACT, "happened_on"),
    (Event.CANCELLATION_SCHEDULED, Audience.CUSTOMER): _ENDING,
    (Event.CANCELLATION_SCHEDULED, Audience.ADMIN): _ENDING,
    (Event.PRODUCT_END, Audience.CUSTOMER): _ENDING,
    (Event.PRODUCT_END, Audience.ADMIN): _ENDING,
    (Event.CANCELLATION_REVOKED, Audience.CUSTOMER): _CONTRACT,
    (Event.CANCELLATION_REVOKED, Audience.ADMIN): _CONTRACT,
    (Event.CANCELLATION_EFFECTIVE, Audience.CUSTOMER): _ENDING,
    (Event.CANCELLATION_EFFECTIVE, Audience.ADMIN): _ENDING,
    (Event.CARD_EXPIRING, Audience.CUSTOMER): (*_CONTRACT, "card_expires_on"),
    (Event.CARD_EXPIRING, Audience.ADMIN): (*_CONTRACT, "card_expires_on"),
    (Event.CARD_CHANGED, Audience.CUSTOMER): (*_CONTRACT, "happened_on"),
    (Event.CARD_CHANGED, Audience.ADMIN): (*_CONTRACT, "happened_on"),
    (Event.REFUND_DONE, Audience.CUSTOMER): (*_MONEY, "happened_on"),
    (Event.REFUND_DONE, Audience.ADMIN): (*_MONEY, "happened_on", "refund_id"),
    (Event.REFUND_FAILED, Audience.ADMIN): (*_MONEY, "happened_on", "refund_id"),
    (Event.MANUAL_REFUND_DUE, Audience.ADMIN): ("contract_id", "message"),
    (Event.DUNNING, Audience.CUSTOMER): (*_MONEY, "due_on"),
    (Event.OPERATOR_ACTION, Audience.ADMIN): ("situation", "message"),
}
