"""The provider matrix: what each capability means, in the words of a table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import attrs

from ..money import Money
from ..provider import (
    Capabilities,
    ExpiryPolicy,
    Idempotency,
    IdempotencyKind,
    Lookup,
    OptionPolicy,
    RefundPolicy,
    Renewals,
    Results,
)

__all__ = ["Row", "rows"]

_OPTIONS = {
    OptionPolicy.OPTIONAL: "your choice, default off",
    OptionPolicy.FORCED_ON: "always",
    OptionPolicy.UNAVAILABLE: "no choice",
}
_LOOKUP = {
    Lookup.NONE: "no: an operator is told",
    Lookup.EVENTUAL: "yes; absence proves nothing",
    Lookup.AUTHORITATIVE: "yes; absence is proof",
}
_REFUNDS = {
    RefundPolicy.BY_HAND: "by hand, recorded as due",
    RefundPolicy.FULL: "whole charges",
    RefundPolicy.PARTIAL: "any amount, repeatedly",
}
_RENEWALS = {
    Renewals.NONE: "no, lump-sum only",
    Renewals.MERCHANT: "yes, charged by paygate",
    Renewals.PROVIDER: "yes, charged by the provider",
}
_RESULTS = {Results.IMMEDIATE: "at once", Results.POLLED: "by polling", Results.NOTIFIED: "by notification"}
_KEYS = {
    IdempotencyKind.NONE: "not honoured: a repeat charges again",
    IdempotencyKind.BEST_EFFORT: "best effort",
    IdempotencyKind.NATIVE: "honoured",
}


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _renew(declared: Capabilities, system_max: dt.date) -> str:
    if declared.expiry is ExpiryPolicy.SYSTEM_MAX:
        return f"no choice: becomes {system_max}"
    return _OPTIONS[declared.renew_expiry]


def _exhausted(declared: Capabilities) -> str:
    if declared.renewals is Renewals.NONE:
        return "–"
    return "the contract ends" if declared.ends_after_retries else "the contract stays past due"


def _recurring(declared: Capabilities) -> str:
    text = _RENEWALS[declared.renewals]
    if declared.renewals is Renewals.PROVIDER:
        return f"{text}; {'started by paygate' if declared.starts_subscriptions else 'started elsewhere'}"
    return text


def _window(declared: Capabilities) -> str:
    years = declared.charge_window_years
    return "no limit" if years is None else f"refused {years} year{'s' * (years != 1)} after the last payment"


def _duplicates(declared: Capabilities) -> str:
    return "accepted" if declared.duplicate_window is None else f"refused within {declared.duplicate_window} s"


def _amounts(declared: Capabilities) -> str:
    def one(currency: str) -> str:
        limits = declared.amounts[currency]
        smallest = Money(limits.minimum, currency)
        return f"from {smallest}" if limits.maximum is None else f"{smallest} to {Money(limits.maximum, currency)}"

    return "; ".join(one(currency) for currency in declared.amounts)


def _results(declared: Capabilities) -> str:
    return ", ".join(_RESULTS[way] for way in declared.results)


def _keys(declared: Capabilities) -> str:
    keys: Idempotency = declared.idempotency
    text = _KEYS[keys.kind]
    if keys.kind is IdempotencyKind.NONE:
        return text
    if keys.header:
        text += f", `{keys.header}` tells"
    period = "for ever" if keys.window is None else f"for {keys.window // 3600} h"
    return f"{text}, {period}, up to {keys.max_length} characters"


def _repeats(declared: Capabilities) -> str:
    keys = declared.idempotency
    if keys.kind is IdempotencyKind.NONE:
        return "–"
    errors = "errors answered again" if keys.errors_replayed else "errors not kept"
    return f"{errors}, other body {'refused' if keys.body_must_match else 'ignored'}"


def _refunds(declared: Capabilities) -> str:
    text = _REFUNDS[declared.refunds]
    return f"{text}, result later" if declared.refunds_asynchronous else text


@attrs.frozen
class Row:
    """One line of the table: what it says, and the fields of the capabilities that it says it of."""

    title: str
    fields: tuple[str, ...]
    cell: Callable[[Capabilities], str]


def rows(system_max: dt.date) -> tuple[Row, ...]:
    """The lines of the table.

    :param system_max: the largest expiry date that the system sets by itself (R-055).
    """
    return (
        Row("Charge a stored card again", ("additional_charge",), lambda it: _yes(it.additional_charge)),
        Row("Withdraw a charge that waits for the customer", ("cancels_charges",), lambda it: _yes(it.cancels_charges)),
        Row(
            "Give its subscriptions another card",
            ("changes_recurring_payment",),
            lambda it: _yes(it.changes_recurring_payment),
        ),
        Row(
            "Tell about a stored card, revoke it",
            ("describes_cards", "revokes_cards"),
            lambda it: f"{_yes(it.describes_cards)}, {_yes(it.revokes_cards)}",
        ),
        Row("Store a card on the provider's page", ("checkout",), lambda it: _yes(it.checkout)),
        Row("Recurring contracts", ("renewals", "starts_subscriptions"), _recurring),
        Row("After the last failed retry", ("ends_after_retries",), _exhausted),
        Row("`renew_expiry`", ("renew_expiry", "expiry"), lambda it: _renew(it, system_max)),
        Row("`send_step_mail`", ("send_step_mail",), lambda it: _OPTIONS[it.send_step_mail]),
        Row("Time since the last payment", ("charge_window_years",), _window),
        Row("Amounts", ("amounts",), _amounts),
        Row("Same amount, same card", ("duplicate_window",), _duplicates),
        Row("Result arrives", ("results",), _results),
        Row("Webhooks", ("webhooks",), lambda it: _yes(it.webhooks)),
        Row("Idempotency key", ("idempotency",), _keys),
        Row("Repeat under the same key", ("idempotency",), _repeats),
        Row("Look up a lost charge", ("lookup",), lambda it: _LOOKUP[it.lookup]),
        Row("Refunds", ("refunds", "refunds_asynchronous"), _refunds),
        Row(
            "Look up a lost refund",
            ("refund_lookup",),
            lambda it: "–" if it.refunds is RefundPolicy.BY_HAND else _LOOKUP[it.refund_lookup],
        ),
    )
