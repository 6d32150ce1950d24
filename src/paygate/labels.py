"""What the values of paygate are called, in Japanese and English: statuses, operations, reasons, results, errors.

The value of an enumeration is for programs and stays the same in every language; its label is for people.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from .catalogue import LANGUAGES, context_of, english, label, shown, translate
from .checkout import CheckoutState
from .dispute import DisputeState
from .domain import (
    access,
    attempts,
    charge,
    contract,
    deleting,
    discrepancy,
    due,
    followup,
    forecast,
    ledger,
    licences,
    mails,
    operations,
    subscription,
)
from .errors import InvalidValue, PaygateError
from .label_texts import AUDIT_ACTIONS
from .provider import DeclineClass, EventKind, Mode, Outcome

__all__ = ["LABELLED", "audit_label", "entries", "text"]

#: The enumerations whose members have labels.
LABELLED: tuple[type[enum.Enum], ...] = (
    contract.Status, contract.PlanKind, contract.Cycle, contract.ContractType, contract.ProductType,
    contract.PaymentMethod, contract.CancellationOrigin, contract.ActorKind,
    charge.ChargeState, charge.ChargeKind, charge.Purpose, charge.RefundState,
    ledger.EntryKind, ledger.EntryState, licences.LicenseState,
    operations.Operation, operations.Reason, access.Why, attempts.Why, followup.Next,
    mails.MailSet, mails.StepMailState, subscription.SubscriptionState,
    discrepancy.DiscrepancyKind, discrepancy.Source, deleting.Kept, due.StepKind, forecast.Coming,
    Outcome, DeclineClass, EventKind, Mode, CheckoutState, DisputeState,
)  # fmt: skip


def entries() -> Iterator[tuple[str, str]]:
    """Context and English label of everything that has a label, for the catalogue."""
    for kind in LABELLED:
        for member in kind:
            yield context_of(kind), english(member)
    for name in AUDIT_ACTIONS:
        yield "audit", name.replace("_", " ")


def audit_label(action: str, lang: str = "en") -> str:
    """What the audit trail's *action* is called; the name itself where paygate does not know it."""
    refused = action.removesuffix("_refused")
    try:
        said = text(operations.Operation(refused), lang)
    except ValueError:
        said = translate(refused.replace("_", " "), lang, "audit")
    return said if refused == action else f"{said}{'(お断り)' if lang == 'ja' else ' (refused)'}"


def text(value: object, lang: str = "en") -> str:
    """What *value* is called in *lang*: a status, an operation, an offer, a reason, an error, an amount or a day.

    >>> from paygate import Money, Status
    >>> text(Status.PAST_DUE), text(Status.PAST_DUE, lang="ja"), text(Money(3000, "JPY"), lang="ja")
    ('Past due', '未納停止中', '3,000円')

    :param lang: ``"ja"`` or ``"en"``.
    :raises InvalidValue: for another language.
    """
    if lang not in LANGUAGES:
        raise InvalidValue(f"lang is one of {', '.join(map(repr, LANGUAGES))}, got {lang!r}")
    if isinstance(value, enum.Enum):
        return label(value, lang)
    if isinstance(value, operations.Offer):
        return value.label(lang)
    if isinstance(value, PaygateError):
        return value.text(lang)
    return shown(value, lang)
