"""Which cases prove which line of the declared table."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence

from .runner import CaseResult, Result

__all__ = ["PROOFS", "proof"]

#: Field of the capabilities → ids of the cases that prove it, with ``*``.
PROOFS: dict[str, tuple[str, ...]] = {
    "additional_charge": ("CHARGE-01", "CHARGE-04", "CHARGE-05"),
    "amounts": ("CHARGE-02", "CHARGE-03", "CHARGE-13", "PROBE-07"),
    "results": ("CORE-07", "CHARGE-07", "CHARGE-08", "CHARGE-09", "CHARGE-12", "PROBE-12"),
    "idempotency": ("CORE-06", "CORE-14", "CORE-15", "CHARGE-06", "PROBE-01", "PROBE-02", "PROBE-0[3-6]"),
    "duplicate_window": ("PROBE-08", "PROBE-09"),
    "lookup": ("CORE-19", "LOOKUP-*", "FAULT-21"),
    "refunds": ("REFUND-*", "FAULT-1[1-9]", "FAULT-20", "PROBE-11"),
    "refunds_asynchronous": ("REFUND-07", "PROBE-10"),
    "refund_lookup": ("REFUND-10", "FAULT-22"),
    "webhooks": ("CORE-18", "WEBHOOK-*", "FAULT-23"),
    "renewals": ("RENEWAL-*", "SUBSCRIPTION-*"),
    "starts_subscriptions": ("SUBSCRIPTION-*",),
    "checkout": ("CHECKOUT-*",),
    "changes_recurring_payment": ("CARD-03", "CARD-04"),
    "describes_cards": ("CARD-01",),
    "revokes_cards": ("CARD-02",),
}


def proof(results: Iterable[CaseResult], fields: Sequence[str]) -> str:
    """What *results* say of the capabilities *fields*: ``"held by 7 cases"``, ``"broken: REFUND-03"``, or nothing.

    A capability that only paygate itself acts by, such as the expiry, has no case.
    """
    patterns = [pattern for field in fields for pattern in PROOFS.get(field, ())]
    about = [one for one in results if any(fnmatch.fnmatchcase(one.case.id, pattern) for pattern in patterns)]
    broken = [one.case.id for one in about if one.result in {Result.FAILED, Result.KNOWN}]
    if broken:
        return f"broken: {', '.join(broken)}"
    held = sum(one.result is Result.PASSED for one in about)
    if held:
        return f"held by {held} case{'s' * (held != 1)}"
    return "refused, nothing sent" if any(one.result is Result.REFUSED for one in about) else ""
