"""Which operation is offered in which status: the table of domain §3.1, as data (R-023, R-084 to R-138, R-187, R-251).

:func:`operations` draws the buttons with the reason behind each that is missing; :func:`require` refuses a call with the
typed error for the same reason. Both only look.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping

import attrs

from ..catalogue import label
from ..clock import business_date, require_aware
from ..errors import (
    ChargeInProgress,
    ChargeWindowExpired,
    EffectiveDayReached,
    NotCardCustomer,
    NothingToRefund,
    NotRevocable,
    OperationNotAllowed,
    PermissionDenied,
    ProviderNotCapable,
    Refused,
    RenewalDayError,
)
from ..provider import Capabilities
from .calendar import is_renewal_day
from .charging import window_closes_at
from .contract import Actor, ActorKind, CancellationOrigin, Contract, Status
from .rules import Rules
from .running import product_ends_on

__all__ = [
    "ACTORS",
    "TABLE",
    "Facts",
    "Offer",
    "Operation",
    "Reason",
    "authorise",
    "operations",
    "permit",
    "require",
    "require_admin",
]


class Operation(enum.Enum):
    """Everything that can be asked for on a contract (domain §1.4)."""

    CANCEL = "cancel"
    CANCEL_WITH_MANUAL_REFUND = "cancel_with_manual_refund"
    CANCEL_AND_REFUND = "cancel_and_refund"
    CONFIRM_PAYMENT = "confirm_payment"
    SUSPEND = "suspend"
    RESUME = "resume"
    SCHEDULE_CANCELLATION = "schedule_cancellation"
    REVOKE_CANCELLATION = "revoke_cancellation"
    TERMINATE = "terminate"
    DELETE = "delete"
    CHARGE_ADDON = "charge_addon"
    REFUND_ENTRY = "refund_entry"
    SET_EXPIRY = "set_expiry"
    SET_PRODUCT_END = "set_product_end"
    CHANGE_PAYMENT = "change_payment"
    SEND_DUNNING_MAIL = "send_dunning_mail"
    MARK_RETRIES_STOPPED = "mark_retries_stopped"
    MARK_PAID = "mark_paid"
    MARK_UNPAID = "mark_unpaid"
    MARK_MANUAL_REFUND_DONE = "mark_manual_refund_done"
    PAUSE_STEP_MAIL = "pause_step_mail"
    RESUME_STEP_MAIL = "resume_step_mail"
    DELETE_STEP_MAIL = "delete_step_mail"


class Reason(enum.StrEnum):
    """Why an operation is missing or refuses (X-09). The value is the text for people."""

    STATUS = "not in this status"
    ONE_OFF_ONLY = "for one-off purchases only"
    RECURRING_ONLY = "for recurring contracts only"
    START_REACHED = "the start date has come"
    CARD_ONLY = "for contracts paid by card only"
    CARD_ONLY_AUTOMATIC = "paid by card: the provider's notices do this by themselves"
    NOT_CARD = "paid by card: the money goes back through the provider"
    RENEWAL_DAY = "refused on a renewal day; possible again tomorrow"
    PRODUCT_END = "the product ends; this cannot be revoked"
    EFFECTIVE_DAY_REACHED = "the cancellation has taken effect"
    PROVIDER_NOT_CAPABLE = "the provider cannot charge additionally, or is not set up"
    CHARGE_IN_PROGRESS = "an earlier charge has no result yet"
    NEVER_PAID = "no stored credential, or no successful payment through this account"
    WINDOW_EXPIRED = "the provider's window since the last payment has closed"
    NOTHING_TO_REFUND = "nothing is left to refund"
    NO_MANUAL_REFUND = "no manual refund is due"
    NO_MAIL = "no step mail of that state is in the queue"
    NO_RETRY = "no retry of the provider is pending"
    NOTHING_UNPAID = "no period is unpaid or only assumed to be paid"
    NOTHING_PAID = "no period counts as paid"


@attrs.frozen
class Facts:
    """What the stored rows of the contract say, for the operations that depend on more than the contract itself.

    :param last_paid_at: as in :class:`~paygate.domain.charging.ChargeFacts`, UTC.
    :param open_charge: whether an additional charge is PENDING or UNKNOWN (R-189).
    :param refundable: whether a row is left to refund (R-241).
    :param manual_refund_due: whether a manual refund waits to be done (R-250).
    :param queued_mails, paused_mails: numbers of step mails that can still be held back (R-227).
    :param unconfirmed: whether a period is ASSUMED, UNPAID or VOID (R-387); :param counted: whether one is ASSUMED or paid
        (R-388).
    """

    last_paid_at: dt.datetime | None = None
    open_charge: bool = False
    refundable: bool = False
    manual_refund_due: bool = False
    queued_mails: int = 0
    paused_mails: int = 0
    unconfirmed: bool = False
    counted: bool = False


@attrs.frozen
class Offer:
    """One operation, whether it is offered, and why not.

    :param reason: the name of a :class:`Reason`, empty if there is nothing to say. Scheduling a cancellation on a
        renewal day is offered and refuses, so it has a reason as well (R-127).
    :param text: the reason in words.
    """

    operation: Operation
    offered: bool
    reason: str = ""
    text: str = ""

    def label(self, lang: str = "en") -> str:
        """What the operation is called in *lang* (``"ja"`` or ``"en"``), for a button."""
        return label(self.operation, lang)

    def why_not(self, lang: str = "en") -> str:
        """The reason in words of *lang*; empty where there is nothing to say."""
        return label(Reason[self.reason], lang) if self.reason else ""


@attrs.frozen
class _Case:
    contract: Contract
    now: dt.datetime
    today: dt.date
    rules: Rules
    capabilities: Capabilities | None
    facts: Facts


_Guard = Callable[[_Case], Reason | None]


def _always(_: _Case) -> None:
    return None


def _offline(case: _Case) -> Reason | None:
    return Reason.NOT_CARD if case.contract.is_card else None


def _card(case: _Case) -> Reason | None:
    return None if case.contract.is_card else Reason.CARD_ONLY


def _not_automatic(case: _Case) -> Reason | None:
    return Reason.CARD_ONLY_AUTOMATIC if case.contract.is_card else None


def _recurring(case: _Case) -> Reason | None:
    return None if case.contract.plan.is_recurring else Reason.RECURRING_ONLY


def _recurring_before_start(case: _Case) -> Reason | None:
    if not case.contract.plan.is_recurring:
        return Reason.RECURRING_ONLY
    return None if case.today < case.contract.start_on else Reason.START_REACHED


def _one_off(guard: _Guard) -> _Guard:
    return lambda case: Reason.ONE_OFF_ONLY if case.contract.plan.is_recurring else guard(case)


def _not_on_renewal_day(case: _Case) -> Reason | None:
    contract = case.contract
    cycle = contract.plan.cycle
    on_it = cycle is not None and is_renewal_day(contract.start_on, cycle, case.today)
    return Reason.RENEWAL_DAY if on_it else None


def _revocable(case: _Case) -> Reason | None:
    notice = case.contract.cancellation
    if notice is None:
        return Reason.STATUS
    product_end = product_ends_on(case.contract.plan, case.contract.start_on)
    # the final period has begun as soon as the notice reaches the product's end, whether or not a run has seen it
    if notice.origin is CancellationOrigin.PRODUCT_END or (product_end and product_end <= notice.effective_on):
        return Reason.PRODUCT_END
    return None if case.today < notice.effective_on else Reason.EFFECTIVE_DAY_REACHED


def _chargeable(case: _Case) -> Reason | None:
    if not case.contract.is_card:
        return Reason.CARD_ONLY
    if case.capabilities is None or not case.capabilities.additional_charge:
        return Reason.PROVIDER_NOT_CAPABLE
    if case.facts.open_charge:
        return Reason.CHARGE_IN_PROGRESS
    if case.contract.credential is None or case.facts.last_paid_at is None:
        return Reason.NEVER_PAID
    closes_at = window_closes_at(case.facts.last_paid_at, case.capabilities, case.rules.zone)
    return Reason.WINDOW_EXPIRED if closes_at is not None and case.now >= closes_at else None


def _refundable(case: _Case) -> Reason | None:
    return None if case.facts.refundable else Reason.NOTHING_TO_REFUND


def _manual_refund_due(case: _Case) -> Reason | None:
    return None if case.facts.manual_refund_due else Reason.NO_MANUAL_REFUND


def _queued(case: _Case) -> Reason | None:
    return None if case.facts.queued_mails else Reason.NO_MAIL


def _paused(case: _Case) -> Reason | None:
    return None if case.facts.paused_mails else Reason.NO_MAIL


def _deletable(case: _Case) -> Reason | None:
    return None if case.facts.queued_mails or case.facts.paused_mails else Reason.NO_MAIL


def _retrying(case: _Case) -> Reason | None:
    missing = case.contract.past_due
    return None if missing is not None and missing.retry_pending else Reason.NO_RETRY


def _markable_paid(case: _Case) -> Reason | None:
    return _not_automatic(case) or (None if case.facts.unconfirmed else Reason.NOTHING_UNPAID)


def _markable_unpaid(case: _Case) -> Reason | None:
    return _not_automatic(case) or (None if case.facts.counted else Reason.NOTHING_PAID)


def _in(guard: _Guard, *statuses: Status) -> dict[Status, _Guard]:
    return dict.fromkeys(statuses, guard)


_EVERY = tuple(Status)
_PAID = tuple(status for status in Status if status is not Status.PENDING_PAYMENT)
_LIVING = tuple(status for status in _PAID if status is not Status.CANCELED)
_RUNNING = (Status.ACTIVE, Status.SPECIAL_PERIOD)
#: In which a recurring contract has periods.
_BEGUN = (*_RUNNING, Status.PAST_DUE, Status.CANCEL_SCHEDULED, Status.TERMINATED)

#: Domain §3.1: what is not listed is not offered; what is listed is offered where its guard has no reason against it.
TABLE: Mapping[Operation, Mapping[Status, _Guard]] = {
    Operation.CANCEL: _in(_always, Status.PENDING_PAYMENT) | _in(_recurring_before_start, Status.NOT_STARTED),
    Operation.CANCEL_WITH_MANUAL_REFUND: (
        _in(_one_off(_offline), Status.NOT_STARTED) | _in(_offline, Status.ESTABLISHED)
    ),
    Operation.CANCEL_AND_REFUND: _in(_one_off(_card), Status.NOT_STARTED) | _in(_card, Status.ESTABLISHED),
    Operation.CONFIRM_PAYMENT: _in(_always, Status.PENDING_PAYMENT),
    Operation.SUSPEND: _in(_not_automatic, *_RUNNING),
    Operation.RESUME: _in(_not_automatic, Status.PAST_DUE),
    Operation.SCHEDULE_CANCELLATION: _in(_not_on_renewal_day, *_RUNNING),
    Operation.REVOKE_CANCELLATION: _in(_revocable, Status.CANCEL_SCHEDULED),
    Operation.TERMINATE: _in(_always, Status.PAST_DUE),
    Operation.DELETE: _in(_always, *_EVERY),
    Operation.CHARGE_ADDON: _in(_chargeable, *_LIVING),
    Operation.REFUND_ENTRY: _in(_refundable, *_PAID),
    Operation.SET_EXPIRY: _in(_always, *_LIVING),
    Operation.SET_PRODUCT_END: _in(
        _recurring, Status.PENDING_PAYMENT, Status.NOT_STARTED, *_RUNNING, Status.PAST_DUE, Status.CANCEL_SCHEDULED
    ),
    Operation.CHANGE_PAYMENT: _in(
        _card, Status.NOT_STARTED, Status.ESTABLISHED, *_RUNNING, Status.PAST_DUE, Status.CANCEL_SCHEDULED
    ),
    Operation.SEND_DUNNING_MAIL: _in(_always, Status.PENDING_PAYMENT, Status.PAST_DUE),
    Operation.MARK_RETRIES_STOPPED: _in(_retrying, Status.PAST_DUE),
    Operation.MARK_PAID: _in(_markable_paid, *_BEGUN),
    Operation.MARK_UNPAID: _in(_markable_unpaid, *_BEGUN),
    Operation.MARK_MANUAL_REFUND_DONE: _in(_manual_refund_due, *_EVERY),
    Operation.PAUSE_STEP_MAIL: _in(_queued, *_EVERY),
    Operation.RESUME_STEP_MAIL: _in(_paused, *_EVERY),
    Operation.DELETE_STEP_MAIL: _in(_deletable, *_EVERY),
}

_ADMIN = frozenset({ActorKind.ADMIN})
_CUSTOMER_TOO = _ADMIN | {ActorKind.CUSTOMER}

#: Who may ask for an operation (R-267); a customer only for the own contract, and for cancel only before payment (R-091).
#: A provider that ends its subscription does not ask: that is an event (R-152).
ACTORS: Mapping[Operation, frozenset[ActorKind]] = dict.fromkeys(Operation, _ADMIN) | {
    Operation.CANCEL: _CUSTOMER_TOO,
    Operation.CHANGE_PAYMENT: _CUSTOMER_TOO,
    Operation.SCHEDULE_CANCELLATION: _CUSTOMER_TOO,
    Operation.REVOKE_CANCELLATION: _CUSTOMER_TOO,
    Operation.CONFIRM_PAYMENT: _ADMIN | {ActorKind.PROVIDER},
}

#: Offered although it refuses: the customer sees the button and learns why (R-127).
_SHOWN = frozenset({Reason.RENEWAL_DAY})


def _offer(operation: Operation, reason: Reason | None) -> Offer:
    if reason is None:
        return Offer(operation, offered=True)
    return Offer(operation, reason in _SHOWN, reason.name, reason.value)


def _not_in_this_status(_: _Case) -> Reason:
    return Reason.STATUS


#: The table turned round, for a list of all operations at once: status → for each of them its guard, and the offers that
#: the guard's answers make. There are few offers, so they are made once.
_ROWS: Mapping[Status, tuple[tuple[_Guard, Mapping[Reason | None, Offer]], ...]] = {
    status: tuple(
        (
            TABLE[operation].get(status, _not_in_this_status),
            {reason: _offer(operation, reason) for reason in (None, *Reason)},
        )
        for operation in Operation
    )
    for status in Status
}

_ERRORS: Mapping[Reason, tuple[type[Refused], str]] = {
    Reason.RENEWAL_DAY: (RenewalDayError, "R-127"),
    Reason.PRODUCT_END: (NotRevocable, "R-068"),
    Reason.EFFECTIVE_DAY_REACHED: (EffectiveDayReached, "R-136"),
    Reason.CARD_ONLY: (NotCardCustomer, "R-167"),
    Reason.PROVIDER_NOT_CAPABLE: (ProviderNotCapable, "R-165"),
    Reason.CHARGE_IN_PROGRESS: (ChargeInProgress, "R-189"),
    Reason.WINDOW_EXPIRED: (ChargeWindowExpired, "R-197"),
    Reason.NOTHING_TO_REFUND: (NothingToRefund, "R-241"),
}


def operations(
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    *,
    capabilities: Capabilities | None = None,
    facts: Facts | None = None,
) -> tuple[Offer, ...]:
    """Every operation, offered or with the reason why not, in the order of the table; changes nothing (R-023).

    :param capabilities: of the contract's account; None for a contract without one.
    :raises NaiveDatetime: *now* has no zone (R-002).
    """
    case = _Case(contract, now, business_date(now, rules.zone), rules, capabilities, facts or Facts())
    return tuple([offers[guard(case)] for guard, offers in _ROWS[contract.status]])


def _reason(operation: Operation, case: _Case) -> Reason | None:
    guard = TABLE[operation].get(case.contract.status)
    return Reason.STATUS if guard is None else guard(case)


def require(
    operation: Operation,
    contract: Contract,
    now: dt.datetime,
    rules: Rules,
    *,
    capabilities: Capabilities | None = None,
    facts: Facts | None = None,
) -> None:
    """Refuse *operation* if it is not possible now (R-024).

    :raises OperationNotAllowed: or its more exact sibling, naming status, operation and reason.
    """
    case = _Case(contract, now, business_date(now, rules.zone), rules, capabilities, facts or Facts())
    reason = _reason(operation, case)
    if reason is None:
        return
    error, rule = _ERRORS.get(reason, (OperationNotAllowed, "R-024"))
    if error is NotCardCustomer and operation is not Operation.CHARGE_ADDON:
        error, rule = OperationNotAllowed, "R-024"
    raise error(
        f"contract {contract.id} is {contract.status.value}: {operation.value} is not possible ({reason.value})",
        rule=rule,
    ).about(contract_id=contract.id, status=contract.status, operation=operation, reason=reason)


def authorise(operation: Operation, contract: Contract, actor: Actor) -> None:
    """Refuse *actor* what others may do (R-091, R-131, R-169, R-267).

    :raises PermissionDenied: the kind of actor may not do this, or it is another customer's contract.
    """
    allowed = actor.kind in ACTORS[operation]
    if allowed and actor.kind is ActorKind.CUSTOMER:
        allowed = actor.id == contract.customer_id and (
            operation is not Operation.CANCEL or contract.status is Status.PENDING_PAYMENT
        )
    if not allowed:
        rule = "R-169" if operation is Operation.CHARGE_ADDON else "R-267"
        raise PermissionDenied(f"{actor} may not {operation.value} contract {contract.id}", rule=rule)


def require_admin(actor: Actor, what: str) -> None:
    """Refuse anybody but an administrator what is no operation on one contract.

    :param what: a sentence's end, such as "starts a refund".
    :raises PermissionDenied: the actor is none (R-267).
    """
    if actor.kind is not ActorKind.ADMIN:
        raise PermissionDenied(f"only an administrator {what}, not {actor}", rule="R-267")


def permit(
    operation: Operation,
    contract: Contract,
    actor: Actor,
    now: dt.datetime,
    rules: Rules,
    facts: Facts | None = None,
) -> dt.datetime:
    """Let *actor* carry out *operation* at *now*, or refuse: who asks is checked before what is asked (R-024, R-267).

    :returns: *now* in UTC.
    :raises PermissionDenied: the actor may not do this.
    :raises OperationNotAllowed: or its more exact sibling: the operation is not possible now.
    :raises NaiveDatetime: *now* has no zone (R-002).
    """
    now = require_aware(now, "now")
    authorise(operation, contract, actor)
    require(operation, contract, now, rules, facts=facts)
    return now
