"""The table of state transitions (domain §4), as data.

Every change of status is in here and is checked against it; what is not listed does not happen. A row whose target is
its own source records that the status stays.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

import attrs

from .contract import ActorKind, Status

__all__ = ["TRANSITIONS", "Event", "Transition", "allowed", "find", "row"]


class Event(enum.Enum):
    """What can happen to a contract: operations, provider notices, and days that come."""

    CREATE = "create"
    CREATE_UNPAID = "create unpaid"
    CREATE_PAID = "create paid"
    FIRST_CHARGE_SUCCEEDED = "first charge succeeded"
    FIRST_CHARGE_FAILED = "first charge failed"
    CANCEL = "cancel"
    CANCEL_AND_REFUND = "cancel_and_refund"
    CANCEL_WITH_MANUAL_REFUND = "cancel_with_manual_refund"
    CONFIRM_PAYMENT = "confirm_payment"
    START_DUE = "start due"
    RENEWAL_DUE = "renewal due"
    CHARGE_SUCCEEDED = "period charge succeeded"
    CHARGE_FAILED = "period charge failed"
    RETRIES_USED_UP = "retries used up"
    SUBSCRIPTION_ENDED = "subscription ended"
    SUSPEND = "suspend"
    RESUME = "resume"
    RESUME_IN_FINAL_PERIOD = "resumed in the product's final period"
    RESUME_WITH_NOTICE = "resumed with a cancellation kept"
    SCHEDULE_CANCELLATION = "schedule_cancellation"
    REVOKE_CANCELLATION = "revoke_cancellation"
    CANCELLATION_DUE = "cancellation due"
    FINAL_PERIOD_BEGINS = "product's final period begins"
    FINAL_PERIOD_ENDS = "product's final period ends"
    TERMINATE = "terminate"
    ARREARS_PAID = "additional charge for arrears succeeded"
    ADDON_SETTLED = "additional charge succeeded or failed"
    REFUND_ENTRY = "refund_entry"
    MANUAL_REFUND_DONE = "mark_manual_refund_done"
    SET_EXPIRY = "set_expiry"
    SET_PRODUCT_END = "set_product_end"
    CHANGE_PAYMENT = "change_payment"
    PRODUCT_END_MOVED = "product_end_moved"
    EXPIRY_PASSED = "expiry date passed"
    REPEATED_EVENT = "repeated or overtaken provider event"
    DELETE = "delete"


@attrs.frozen
class Transition:
    """One row of the table.

    :param sources: statuses it leads from; empty for a contract that is new.
    :param targets: statuses it may lead to; empty where no contract is left, or none is made.
    :param stays: the status stays as it is, whichever of *sources* it is.
    :param guard: the condition, in words.
    """

    id: str
    sources: frozenset[Status]
    event: Event
    actors: frozenset[ActorKind]
    guard: str
    targets: frozenset[Status]
    rules: tuple[str, ...]
    stays: bool = False

    def leads(self, before: Status | None, after: Status | None) -> bool:
        """Whether this row explains the step from *before* to *after*; None stands for no contract."""
        if (before is None) != (not self.sources) or (before is not None and before not in self.sources):
            return False
        if self.stays:
            return before is after
        return not self.targets if after is None else after in self.targets


_A, _C, _P, _S = ActorKind.ADMIN, ActorKind.CUSTOMER, ActorKind.PROVIDER, ActorKind.SCHEDULER
#: Who brings the result of a charge: the provider, a run that asked for it, or a person who looked it up.
_RESULT = (_P, _S, _A)
_PENDING, _NOT_STARTED, _ESTABLISHED = Status.PENDING_PAYMENT, Status.NOT_STARTED, Status.ESTABLISHED
_ACTIVE, _SPECIAL, _PAST_DUE = Status.ACTIVE, Status.SPECIAL_PERIOD, Status.PAST_DUE
_SCHEDULED, _TERMINATED, _CANCELED = Status.CANCEL_SCHEDULED, Status.TERMINATED, Status.CANCELED
_RUNNING = (_ACTIVE, _SPECIAL)
_ANY = tuple(Status)


def _row(
    id: str,  # noqa: A002 - the table's own name for it
    sources: Iterable[Status],
    event: Event,
    actors: Iterable[ActorKind],
    guard: str,
    targets: Iterable[Status] | None,
    rules: str,
) -> Transition:
    """*targets* None: the status stays."""
    return Transition(
        id,
        frozenset(sources),
        event,
        frozenset(actors),
        guard,
        frozenset(targets or ()),
        tuple(f"R-{number}" for number in rules.split()),
        stays=targets is None,
    )


_ROWS = (
    _row("T-01", (), Event.CREATE, (_C, _A), "bank transfer, product not ended", (_PENDING,), "010"),
    _row("T-02", (), Event.CREATE_UNPAID, (_A,), "", (_PENDING,), "011"),
    _row("T-03", (), Event.CREATE_PAID, (_A,), "", (_ESTABLISHED, *_RUNNING, _NOT_STARTED, _SCHEDULED), "012"),
    _row("T-04", (), Event.FIRST_CHARGE_SUCCEEDED, (_A, _C, _P), "card, start <= today", (_ESTABLISHED, *_RUNNING, _SCHEDULED), "013 014 071"),
    _row("T-05", (), Event.FIRST_CHARGE_SUCCEEDED, (_A, _C, _P), "card, start > today", (_NOT_STARTED,), "015"),
    _row("T-06", (), Event.FIRST_CHARGE_FAILED, (_A, _C, _P), "card", (), "013"),
    _row("T-07", (), Event.CREATE, (_A, _C), "start after the product's end month", (), "071"),
    _row("T-10", (_PENDING,), Event.CANCEL, (_A, _C), "", (_CANCELED,), "085"),
    _row("T-11", (_PENDING,), Event.CONFIRM_PAYMENT, (_A, _P), "one-off, start <= today", (_ESTABLISHED,), "105 109"),
    _row("T-12", (_PENDING,), Event.CONFIRM_PAYMENT, (_A, _P), "recurring, start <= today < special end", (_SPECIAL,), "107"),
    _row("T-13", (_PENDING,), Event.CONFIRM_PAYMENT, (_A, _P), "recurring, no (more) special periods", (_ACTIVE,), "106 046"),
    _row("T-14", (_PENDING,), Event.CONFIRM_PAYMENT, (_A, _P), "start > today", (_NOT_STARTED,), "108"),
    _row("T-15", (_PENDING,), Event.CONFIRM_PAYMENT, (_A, _P), "in the product's final period", (_SCHEDULED,), "071"),
    _row("T-20", (_NOT_STARTED,), Event.CANCEL, (_A,), "recurring, today < start", (_CANCELED,), "087 088 092"),
    _row("T-21", (_NOT_STARTED,), Event.CANCEL_AND_REFUND, (_A,), "one-off, card", (_CANCELED,), "103"),
    _row("T-22", (_NOT_STARTED,), Event.CANCEL_WITH_MANUAL_REFUND, (_A,), "one-off, offline", (_CANCELED,), "103 096"),
    _row("T-23", (_NOT_STARTED,), Event.START_DUE, (_S,), "one-off, today >= start", (_ESTABLISHED,), "029 030"),
    _row("T-24", (_NOT_STARTED,), Event.START_DUE, _RESULT, "recurring with special periods", (_SPECIAL,), "030"),
    _row("T-25", (_NOT_STARTED,), Event.START_DUE, _RESULT, "recurring; final period: CANCEL_SCHEDULED", (_ACTIVE, _SCHEDULED), "030 071"),
    _row("T-26", (_NOT_STARTED,), Event.CHARGE_FAILED, _RESULT, "recurring, card, first period", (_PAST_DUE,), "145"),
    _row("T-30", (_ESTABLISHED,), Event.CANCEL_WITH_MANUAL_REFUND, (_A,), "offline", (_CANCELED,), "095 096"),
    _row("T-31", (_ESTABLISHED,), Event.CANCEL_AND_REFUND, (_A,), "card, refund accepted", (_CANCELED,), "099 098"),
    _row("T-32", (_ESTABLISHED, _NOT_STARTED), Event.CANCEL_AND_REFUND, (_A,), "card, refund refused", None, "101"),
    _row("T-40", (_ACTIVE, _SCHEDULED), Event.RENEWAL_DUE, (_S,), "offline, or nothing to charge; notice given after the due day", None, "037 041"),
    _row("T-41", (_ACTIVE, _SCHEDULED), Event.CHARGE_SUCCEEDED, _RESULT, "card; notice given while the result was awaited", None, "036 058 043"),
    _row("T-42", _RUNNING, Event.CHARGE_FAILED, _RESULT, "card", (_PAST_DUE,), "145 074 151"),
    _row("T-43", _RUNNING, Event.SUSPEND, (_A,), "offline", (_PAST_DUE,), "114"),
    _row("T-44", _RUNNING, Event.SCHEDULE_CANCELLATION, (_A, _C), "today is no renewal day", (_SCHEDULED,), "125"),
    _row("T-45", _RUNNING, Event.SCHEDULE_CANCELLATION, (_A, _C), "today is a renewal day", None, "127"),
    _row("T-46", _RUNNING, Event.FINAL_PERIOD_BEGINS, _RESULT, "", (_SCHEDULED,), "067"),
    _row("T-47", _RUNNING, Event.SUBSCRIPTION_ENDED, (_P,), "card", (_TERMINATED,), "152"),
    _row("T-50", (_SPECIAL,), Event.RENEWAL_DUE, _RESULT, "renewal 1 to N-1, charged or offline", None, "061"),
    _row("T-51", (_SPECIAL,), Event.RENEWAL_DUE, _RESULT, "renewal N, charged or offline", (_ACTIVE,), "062"),
    _row("T-52", (_SPECIAL,), Event.CHARGE_FAILED, _RESULT, "card, renewal N", (_PAST_DUE,), "066"),
    _row("T-60", (_PAST_DUE,), Event.CHARGE_SUCCEEDED, _RESULT, "card; by date", _RUNNING, "146 065 078"),
    _row("T-61", (_PAST_DUE,), Event.CHARGE_FAILED, _RESULT, "card, retry 1 or 2", None, "149 151"),
    _row("T-62", (_PAST_DUE,), Event.CHARGE_FAILED, _RESULT, "card, retry 3, usual configuration", (_TERMINATED,), "150 153 151"),
    _row("T-63", (_PAST_DUE,), Event.SUBSCRIPTION_ENDED, (_P,), "card", (_TERMINATED,), "152"),
    _row("T-64", (_PAST_DUE,), Event.RESUME, (_A,), "offline; by date", _RUNNING, "120"),
    _row("T-65", (_PAST_DUE,), Event.TERMINATE, (_A,), "any method", (_TERMINATED,), "139 140 143"),
    _row("T-66", (_PAST_DUE,), Event.ARREARS_PAID, _RESULT, "card; by date", _RUNNING, "191"),
    _row("T-67", (_PAST_DUE,), Event.RETRIES_USED_UP, _RESULT, "provider pauses: dunning exhausted", None, "156"),
    _row("T-68", (_PAST_DUE,), Event.RENEWAL_DUE, (_S,), "nothing is billed", None, "038 039"),
    _row("T-69", (_PAST_DUE,), Event.FINAL_PERIOD_ENDS, _RESULT, "", (_TERMINATED,), "070"),
    _row("T-6A", (_PAST_DUE,), Event.RESUME_IN_FINAL_PERIOD, _RESULT, "any resumption", (_SCHEDULED,), "070"),
    _row("T-6B", (_PAST_DUE,), Event.RESUME_WITH_NOTICE, _RESULT, "any resumption; TERMINATED once the effective day has come", (_SCHEDULED, _TERMINATED), "163"),
    _row("T-70", (_SCHEDULED,), Event.REVOKE_CANCELLATION, (_A, _C), "not PRODUCT_END, today < effective day", _RUNNING, "134 065"),
    _row("T-71", (_SCHEDULED,), Event.REVOKE_CANCELLATION, (_A, _C), "PRODUCT_END", None, "068"),
    _row("T-72", (_SCHEDULED,), Event.REVOKE_CANCELLATION, (_A, _C), "today >= effective day", None, "136"),
    _row("T-73", (_SCHEDULED,), Event.CANCELLATION_DUE, (_S,), "today >= effective day", (_TERMINATED,), "128 132 042"),
    _row("T-74", (_SCHEDULED,), Event.SUBSCRIPTION_ENDED, (_P,), "card", (_TERMINATED,), "152"),
    _row("T-75", (_SCHEDULED,), Event.FINAL_PERIOD_BEGINS, _RESULT, "origin becomes PRODUCT_END", None, "069"),
    _row("T-76", (_SCHEDULED,), Event.CHARGE_FAILED, _RESULT, "card, late notice for the current period", (_PAST_DUE,), "163"),
    _row("T-77", (_SCHEDULED,), Event.PRODUCT_END_MOVED, (_A,), "PRODUCT_END, and the product's final period is later now, or never", _RUNNING, "389"),
    _row("T-80", (_TERMINATED,), Event.REFUND_ENTRY, (_A,), "", None, "244"),
    _row("T-81", (_TERMINATED,), Event.ADDON_SETTLED, _RESULT, "card", None, "187 179"),
    _row("T-82", (_TERMINATED, _CANCELED), Event.CHARGE_SUCCEEDED, _RESULT, "card, late; alert", None, "144"),
    _row("T-90", (_CANCELED,), Event.MANUAL_REFUND_DONE, (_A,), "", None, "250"),
    _row("T-91", _ANY, Event.ADDON_SETTLED, _RESULT, "card, purpose ONE_OFF", None, "179 178"),
    _row("T-92", _ANY, Event.REFUND_ENTRY, (_A,), "", None, "246"),
    _row("T-92", _ANY, Event.SET_EXPIRY, (_A,), "", None, "057"),
    _row("T-92", _ANY, Event.SET_PRODUCT_END, (_A,), "", None, "389"),
    _row("T-92", (_NOT_STARTED, _ESTABLISHED, *_RUNNING, _PAST_DUE, _SCHEDULED), Event.CHANGE_PAYMENT, (_A, _C), "card", None, "400"),
    _row("T-92", _ANY, Event.EXPIRY_PASSED, (_S,), "", None, "059"),
    _row("T-93", _ANY, Event.DELETE, (_A,), "nothing pending, confirmed", (), "252"),
    _row("T-94", _ANY, Event.REPEATED_EVENT, _RESULT, "", None, "269 162 153"),
)  # fmt: skip

_BY_ID = {taken.id: taken for taken in reversed(_ROWS)}

#: All rows by event, in the order of the table.
TRANSITIONS: Mapping[Event, tuple[Transition, ...]] = {
    event: tuple(row for row in _ROWS if row.event is event) for event in Event
}


def find(before: Status | None, event: Event, after: Status | None) -> Transition | None:
    """The row that explains why *event* led from *before* to *after*; None if the table knows no such step."""
    return next((row for row in TRANSITIONS[event] if row.leads(before, after)), None)


def row(id: str) -> Transition:  # noqa: A002 - the table's own name for it
    """The row with that number, for example ``"T-52"``; the first one where a number covers several events.

    :raises KeyError: there is no such row.
    """
    return _BY_ID[id]


def allowed(before: Status | None, after: Status | None) -> bool:
    """Whether any event leads from *before* to *after*; None stands for no contract (R-022, R-025)."""
    return any(row.leads(before, after) for row in _ROWS)
