"""What UnivaPay's statuses and codes mean for money (provider fact sheet §7.2, §15.2, §15.3).

Texts are for people and never decide. A status that nobody documented is an unknown outcome, and nothing but
``successful`` with the amount that was asked for is a success. Of a refused request the HTTP status decides first: 401
and 403 are about the account, whatever the code and the body; a 404 is about the card only where the store is there; an unknown code beside 400 is a decline of class UNKNOWN, beside any
other status nothing at all.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from paygate.errors import InvalidAmount
from paygate.money import Money
from paygate.provider import ChargeResult, DeclineClass, RefundResult

from .client import Reply, refused_account
from .codes import CHARGE_CODES, FIRST_ONE_EXISTS, HTTP_CODES, RESPONSE_CODES, UNCLEAR_CODES

__all__ = [
    "charge_refusal",
    "charge_result",
    "failure",
    "instant",
    "redacted",
    "refund_amount",
    "refund_refusal",
    "refund_result",
    "status_of",
    "unclear_refusal",
]

#: Statuses whose meaning is documented whatever the code is: refused, and nothing was done (§15.2, §20.2).
_SAYS_NO = frozenset({400, 401, 403, 404})

_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){11,18}")

#: Fields of a resource that may be kept; the rest may hold names, addresses, cards or credentials.
_HARMLESS = (
    "id", "store_id", "charge_id", "transaction_token_type", "subscription_id", "requested_amount",
    "requested_currency", "charged_amount", "charged_currency", "only_direct_currency", "amount", "currency", "reason",
    "status", "mode", "created_on", "updated_on",
)  # fmt: skip


# --- charges ---------------------------------------------------------------------------------------------------------


def charge_result(charge: Mapping[str, Any], asked: Money | None) -> ChargeResult:
    """What a charge resource says.

    :param asked: the amount that was asked for; None takes it from the resource, for events about attempts whose
        amount only the caller knows. A success over any other amount is an unknown outcome (§17).
    """
    reference, status, raw = str(charge["id"]), status_of(charge), redacted(charge)
    requested = _money(charge, "requested")
    if asked is not None and requested is not None and requested != asked:
        said = f"UnivaPay was asked for {requested} by this charge, paygate asked for {asked}"
        taken = _money(charge, "charged") if status == "successful" else None
        return ChargeResult.unknown(said, reference=reference, code="amount_mismatch", raw=raw, amount=taken)
    if status in {"pending", "awaiting", "authorized"}:
        # authorized: paygate charges with capture, so this one is on its way and not a failure (§7.2)
        return ChargeResult.pending(reference, raw=raw)
    if status == "successful":
        expected = asked or requested
        charged = _money(charge, "charged")
        if charged is None or charged != expected:
            said = f"UnivaPay reports {charged or 'no amount'} charged where {expected or 'an amount'} was asked for"
            return ChargeResult.unknown(said, reference=reference, code="amount_mismatch", raw=raw, amount=charged)
        return ChargeResult.succeeded(reference, amount=charged, charged_at=instant(charge.get("updated_on")), raw=raw)
    code, message = failure(charge)
    if status == "failed":
        if code in UNCLEAR_CODES:
            said = f"failed with code {code}, which leaves the state of the money open"
            return ChargeResult.unknown(said, reference=reference, code=code, raw=raw)
        decline = CHARGE_CODES.get(code, DeclineClass.UNKNOWN)
        return ChargeResult.declined(
            code or "failed",
            message,
            decline=decline,
            reference=reference,
            response_code=RESPONSE_CODES.get(code),
            raw=raw,
        )
    if status == "canceled":
        return ChargeResult.declined("canceled", message, reference=reference, raw=raw)
    said = f"status {_text(status)!r}: a person has to look at charge {_text(reference)}"
    return ChargeResult.unknown(said, reference=reference, code=code or None, raw=raw)


def charge_refusal(reply: Reply) -> ChargeResult:
    """What a POST that brought no charge says (§20.2)."""
    if reply.status == 429:
        return ChargeResult.not_sent("UnivaPay takes no more requests just now", code="429")
    unclear = unclear_refusal(reply) or _said_on_repeat(reply)
    if unclear:
        return ChargeResult.unknown(unclear, code=reply.code or None)
    if reply.refuses_account:
        said = refused_account(reply.status, reply.code)
        return ChargeResult.not_sent(said, code=reply.code or str(reply.status), decline=DeclineClass.CONFIG)
    code = reply.code or "NOT_FOUND"
    decline = HTTP_CODES.get(code, DeclineClass.UNKNOWN)
    return ChargeResult.declined(code, reply.text, decline=decline)


# --- refunds ---------------------------------------------------------------------------------------------------------


def refund_result(refund: Mapping[str, Any], asked: Money | None) -> RefundResult:
    """What a refund resource says; like :func:`charge_result`."""
    reference, status, raw = str(refund["id"]), status_of(refund), redacted(refund)
    returned = _money(refund)
    if (returned is None and status == "successful") or (asked is not None and returned not in {None, asked}):
        said = f"UnivaPay reports a refund of {returned or 'no amount'} where {asked or 'an amount'} was asked for"
        return RefundResult.unknown(said, reference=reference, raw=raw, amount=returned)
    if status == "pending":
        return RefundResult.pending(reference, raw=raw)
    if status == "successful":
        return RefundResult.succeeded(
            reference, refunded_at=instant(refund.get("updated_on")), raw=raw, amount=returned
        )
    code, message = failure(refund)
    if status == "failed" and code not in UNCLEAR_CODES:
        return RefundResult.declined(code or "failed", message, reference=reference, raw=raw)
    said = f"status {_text(status)!r}, code {code or 'none'}: a person has to look at refund {_text(reference)}"
    return RefundResult.unknown(said, reference=reference, raw=raw)


def refund_amount(refund: Mapping[str, Any]) -> Money | None:
    """How much a refund returns, whatever has become of it."""
    return _money(refund)


def refund_refusal(reply: Reply) -> RefundResult:
    """What a POST that brought no refund says. ``REFUND_EXCEEDS_SALES`` is the balance limit of R-248."""
    if reply.status == 429:
        return RefundResult.not_sent("UnivaPay takes no more requests just now", code="429")
    if unclear := unclear_refusal(reply):
        return RefundResult.unknown(unclear)
    if reply.refuses_account:
        return RefundResult.not_sent(refused_account(reply.status, reply.code), code=reply.code or str(reply.status))
    return RefundResult.declined(reply.code or "NOT_FOUND", reply.text)


# --- shared ----------------------------------------------------------------------------------------------------------


def status_of(resource: Mapping[str, Any]) -> str:
    """The status of a resource; of something that is no text, its form, which is no documented status either."""
    status = resource.get("status")
    return status if isinstance(status, str) else f"<{type(status).__name__}>"


def redacted(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of a resource may be kept, by allow-list: no card, e-mail, cardholder, credential or foreign metadata."""
    kept = {name: resource[name] for name in _HARMLESS if name in resource}
    code, message = failure(resource)
    if code:
        kept["error"] = {"code": code, "message": message}
    if metadata := _own_metadata(resource):
        kept["metadata"] = metadata
    return kept


def instant(value: object) -> dt.datetime | None:
    """An instant of the interface (ISO 8601) in UTC; None for anything else.

    A charge has no field for the instant of its success. ``updated_on`` is when it last changed, which for a settled
    charge is that (R-201); where it is missing, the time when paygate learnt it takes its place.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.astimezone(dt.UTC)


def unclear_refusal(reply: Reply) -> str | None:
    """Why a POST without a resource leaves open whether anything happened; None where it was refused for certain."""
    if reply.doubtful:
        return "an earlier answer was lost, and UnivaPay did not check the idempotency key of the repeat"
    if not 400 <= reply.status < 500:
        return f"HTTP {reply.status} {reply.code}".rstrip() + ": whether it was processed cannot be read from that"
    if reply.code == "IDEMPOTENCY_KEY_CONFLICT":
        return "the idempotency key is in use for another request: that one may have been processed"
    if not reply.code and not reply.refuses_account and not (reply.status == 404 and reply.blank):
        return f"HTTP {reply.status} without an error of UnivaPay's: somebody else may have answered"
    if reply.repeated and reply.refuses_account:
        return f"HTTP {reply.status} {reply.code or 'without a code'} on a repeat: whether the first sending was processed is open"
    if reply.status not in _SAYS_NO and reply.code not in HTTP_CODES:
        return f"HTTP {reply.status} {reply.code}: neither is documented, so whether it was processed is open"
    return None


def _said_on_repeat(reply: Reply) -> str | None:
    if reply.repeated and reply.code in FIRST_ONE_EXISTS:
        return f"{reply.code} on a repeat: the first sending was probably processed"
    return None


def failure(resource: Mapping[str, Any]) -> tuple[str, str]:
    """Code and text of ``error``, where null, missing and ``{}`` are alike (§4)."""
    error = resource.get("error")
    if not isinstance(error, Mapping) or type(error.get("code")) not in {int, str}:
        return "", ""
    return _text(error["code"]), _text(error.get("message") or "")


def _text(value: object) -> str:
    """A provider's text, short and without anything that might be a card number."""
    return _LONG_NUMBER.sub("<number>", str(value)[:200])


def _money(resource: Mapping[str, Any], prefix: str = "") -> Money | None:
    """The amount under *prefix*; None where it is not a whole number of a known currency."""
    names = ("amount", "currency") if not prefix else (f"{prefix}_amount", f"{prefix}_currency")
    amount, currency = (resource.get(name) for name in names)
    if not isinstance(amount, int) or not isinstance(currency, str):
        return None
    try:
        return Money(amount, currency)
    except InvalidAmount:
        return None


def _own_metadata(resource: Mapping[str, Any]) -> dict[str, str]:
    metadata = resource.get("metadata")
    if not isinstance(metadata, Mapping):
        return {}
    return {key: value for key, value in metadata.items() if key.startswith("paygate_") and isinstance(value, str)}
