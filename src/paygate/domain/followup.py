"""What follows a decision outside the contract: what its provider has to be told, and what people are told.

Values only. Who carries them out reads them from a :class:`~paygate.domain.settlement.Settlement`; the texts of the mails
in Japanese and English are somebody else's.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping

import attrs

from ..provider import Capabilities, Renewals
from .contract import Contract

__all__ = ["Audience", "Fact", "Next", "Notice", "NoticeKind", "ProviderAction", "Wanted", "tell", "tell_both", "want"]


class ProviderAction(enum.Enum):
    """What a provider that charges the renewals itself has to be told about its subscription."""

    STOP = "stop"  #: end it now and retry nothing any more (R-092, R-143, R-264)
    END_AT_PERIOD_END = "end at period end"  #: charge no further renewal (R-130)
    GO_ON = "go on"  #: charge renewals again (R-130)
    NEW_CARD = "new card"  #: charge renewals to another card (R-403)


@attrs.frozen
class Wanted:
    """An instruction to the provider. It is carried out first; if it fails, nothing of the settlement is written (R-130).

    :param account: the contract's account.
    :param on: the business date on which the period ends, for END_AT_PERIOD_END.
    :param credential: the stored card to charge from now on, and :param collect: whether what is unpaid is to be charged to
        it at once, for NEW_CARD.
    """

    account: str
    action: ProviderAction
    on: dt.date | None = None
    credential: str | None = attrs.field(default=None, repr=False)
    collect: bool = False


class NoticeKind(enum.Enum):
    """What people are told of (domain §3.4)."""

    APPLICATION_RECEIVED = "application_received"  #: its bank transfer is awaited
    CANCELED = "canceled"  #: キャンセル: the contract is undone
    RENEWAL_FAILED = "renewal_failed"  #: one failed attempt (R-151)
    ACTION_REQUIRED = "action_required"  #: the customer has to confirm a payment at a link (R-335)
    RENEWAL_HELD_BACK = "renewal_held_back"  #: the card may not be tried, or not yet (R-331)
    RESUMED = "resumed"
    TERMINATED = "terminated"  #: 解約, after retries, by an administrator or by the provider
    CANCELLATION_SCHEDULED = "cancellation_scheduled"
    CANCELLATION_REVOKED = "cancellation_revoked"
    CANCELLATION_EFFECTIVE = "cancellation_effective"
    CARD_CHANGED = "card_changed"  #: another card was registered (R-400)
    CARD_EXPIRING = "card_expiring"  #: the card ends, and the contract is charged after that (R-408)
    MANUAL_REFUND_DUE = "manual_refund_due"
    DUNNING = "dunning"  #: a reminder that an administrator sends (R-159)
    OPERATOR_ACTION = "operator_action"  #: a person has to look


class Audience(enum.Enum):
    """Who is told."""

    CUSTOMER = "customer"
    ADMIN = "admin"


class Next(enum.StrEnum):
    """What happens next (R-271)."""

    NOTHING = "nothing"
    REFUND = "the money goes back through the provider"
    REFUNDED = "the money has gone back through the provider"
    REFUND_BY_HAND = "the seller returns the money by hand"
    RETRY = "the payment is tried again"
    NEW_CARD = "nothing is tried any more; the customer has to register a card anew"
    REPLACE_CARD = "the customer registers another card before this one ends"
    ACT = "the customer confirms the payment at the link, by the day given"
    CONFIRM = "nothing is tried any more; the customer has to confirm the payment, or correct the card's data"
    CHECK = "nothing is tried before the seller has seen whether an earlier payment went through"
    CORRECT = "nothing is tried before the seller has corrected something"
    ENDS = "the contract ends on the effective day"
    ENDED = "the contract has ended"
    RENEWS = "the contract renews on its next renewal day"
    PAY = "the customer has to pay"
    RETURN_MONEY = "the money has to be returned"


#: A fact that a mail may show. Named like the placeholders of the mails' templates, so that they can be passed on.
Fact = object


@attrs.frozen
class Notice:
    """One message about one contract to one audience.

    :param facts: what the text may show, by name: ``amount`` (Money), ``attempt`` (from 1), ``happened_on``,
        ``next_attempt_on``, ``effective_on``, ``last_day_of_use``, ``due_on`` (business dates), ``code``, ``reason``,
        ``message``, ``action_url``, ``charge_id``, ``card``, ``card_expires_on``, ``decline`` (:class:`~paygate.provider.DeclineClass`), ``why``
        (:class:`~paygate.domain.attempts.Why`). Contract, plan and customer are read from their own records.
    """

    kind: NoticeKind
    audience: Audience
    contract_id: str
    next: Next
    facts: Mapping[str, Fact] = attrs.field(factory=dict)


def tell(kind: NoticeKind, audience: Audience, contract: Contract, then: Next, **facts: Fact) -> Notice:
    """A notice with those *facts* that are known."""
    known = {name: value for name, value in facts.items() if value is not None}
    return Notice(kind, audience, contract.id, then, known)


def tell_both(kind: NoticeKind, contract: Contract, then: Next, **facts: Fact) -> tuple[Notice, ...]:
    """The same notice to customer and administrator."""
    return tuple(tell(kind, audience, contract, then, **facts) for audience in Audience)


def want(
    contract: Contract, capabilities: Capabilities | None, action: ProviderAction, on: dt.date | None = None
) -> tuple[Wanted, ...]:
    """The instruction, if there is anybody to instruct: where paygate charges the renewals it just stops doing so."""
    if contract.account is None or capabilities is None:
        return ()
    if contract.subscription is None:
        provided = capabilities.renewals is Renewals.PROVIDER and not capabilities.starts_subscriptions
    else:
        provided = contract.subscription.state.stands
    if not provided:
        return ()
    return (Wanted(contract.account, action, on),)
