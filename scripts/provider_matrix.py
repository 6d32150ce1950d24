"""Write the provider matrix, read from the capabilities that the providers declare, into the pages that show it.

Without options the table is printed. ``--write`` puts it between the markers of ``README.md`` and
``docs/capabilities.md``, ``--check`` fails where a page shows something else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import attrs

from paygate.domain.rules import SYSTEM_MAX_EXPIRY
from paygate.money import Money
from paygate.provider import (
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
from paygate.testing.fakes import FakeAmazonPay, FakeStripe, FakeTelecom, FakeUnivaPay

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "capabilities.md")
BEGIN, END = "<!-- provider-matrix:begin -->", "<!-- provider-matrix:end -->"

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


def _renew(declared: Capabilities) -> str:
    if declared.expiry is ExpiryPolicy.SYSTEM_MAX:
        return f"no choice: becomes {SYSTEM_MAX_EXPIRY}"
    return _OPTIONS[declared.renew_expiry]


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


ROWS = (
    Row("Charge a stored card again", ("additional_charge",), lambda it: _yes(it.additional_charge)),
    Row("Recurring contracts", ("renewals",), lambda it: _RENEWALS[it.renewals]),
    Row("`renew_expiry`", ("renew_expiry", "expiry"), _renew),
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


def declarations() -> list[Capabilities]:
    """What the four providers declare; the fakes hold the same values as the plugins, and a test keeps them equal."""
    return [fake().capabilities() for fake in (FakeUnivaPay, FakeTelecom, FakeStripe, FakeAmazonPay)]


def table() -> str:
    """The matrix as a Markdown table."""
    columns = declarations()
    lines = [
        "| | " + " | ".join(declared.name for declared in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
        *(f"| {row.title} | " + " | ".join(row.cell(declared) for declared in columns) + " |" for row in ROWS),
    ]
    return "\n".join(lines) + "\n"


def filled(text: str) -> str | None:
    """The page *text* with the current table between its markers; None where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n\n{table()}\n{end}{after}" if end else None


def main(arguments: list[str] | None = None) -> int:
    """Print, write or check the table; 1 if a page is out of date or has no place for it."""
    parser = argparse.ArgumentParser(description="The provider matrix, from the declared capabilities.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="put the table into the pages")
    what.add_argument("--check", action="store_true", help="fail if a page shows something else")
    options = parser.parse_args(arguments)
    if not (options.write or options.check):
        print(table(), end="")
        return 0
    status = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        wanted = filled(text)
        name = page.relative_to(ROOT)
        if wanted is None:
            print(f"{name}: no place for the matrix; write the lines {BEGIN} and {END}")
            status = 1
        elif wanted != text and options.check:
            print(f"{name}: the matrix is out of date; run scripts/provider_matrix.py --write")
            status = 1
        elif wanted != text:
            page.write_text(wanted, encoding="utf-8")
            print(f"{name}: written")
    return status


if __name__ == "__main__":
    sys.exit(main())
