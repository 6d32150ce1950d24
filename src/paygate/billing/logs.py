"""What paygate logs: one line for each event that somebody running a shop wants to see, with ids as structured fields.

The loggers are ``paygate.billing``, ``paygate.webhooks``, ``paygate.outbox`` and ``paygate.operator``. Each record has an
``event`` and those of the ``contract_id``, ``charge_id``, ``refund_id``, ``mail_id``, ``notice_id``, ``account``, ``code``
and counts that it is about, as attributes (``extra``). Texts that come from outside are masked; no card number, credential
or customer's name is ever among them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..domain.charge import Charge, ChargeState, Refund, RefundState
from ..drivers.redact import mask_text

if TYPE_CHECKING:
    import datetime as dt

    from ..domain.discrepancy import Discrepancy
    from ..errors import PaygateError
    from .problems import Problem

__all__ = [
    "account_paused",
    "blocked",
    "charge_settled",
    "contract_not_made",
    "discrepancy",
    "not_recorded",
    "not_withdrawn",
    "notice_failed",
    "operator_told",
    "outbox_failed",
    "outbox_late",
    "provider_not_told",
    "reconciled",
    "recording_waits",
    "refund_settled",
    "retry_planned",
    "run_finished",
    "subscription_waits",
    "vetoed",
    "webhook_failed",
    "webhook_rejected",
]

_BILLING = logging.getLogger("paygate.billing")
_WEBHOOKS = logging.getLogger("paygate.webhooks")
_OUTBOX = logging.getLogger("paygate.outbox")
_OPERATOR = logging.getLogger("paygate.operator")


def _log(logger: logging.Logger, level: int, event: str, text: str, **fields: Any) -> None:
    """One line; *fields* without a value are left out. A handler that raises changes nothing of what it reports."""
    if logger.isEnabledFor(level):
        known = {name: value for name, value in fields.items() if value is not None}
        with contextlib.suppress(Exception):
            logger.log(level, "%s", mask_text(_one_line(text)), extra={"event": event, **known})


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text[:2000])


def charge_settled(charge: Charge) -> None:
    """A decline at INFO; an attempt that was not sent, or whose outcome is unknown, at WARNING. A success is silent."""
    failure = charge.failure
    code = failure.code if failure else None
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id, "account": charge.account, "code": code}
    what = f"charge {charge.id} of contract {charge.contract_id} on {charge.account}"
    why = f" ({code})" if code else ""
    if charge.state is ChargeState.UNKNOWN:
        _log(_BILLING, logging.WARNING, "charge_unknown", f"{what}: the outcome is unknown{why}", **ids)
    elif charge.state is ChargeState.FAILED and failure is not None and not failure.sent:
        _log(_BILLING, logging.WARNING, "charge_not_sent", f"{what}: nothing was sent{why}: {failure.message}", **ids)
    elif charge.state is ChargeState.FAILED:
        _log(_BILLING, logging.INFO, "charge_declined", f"{what}: declined{why}", **ids)


def refund_settled(refund: Refund) -> None:
    """A refund that failed, or whose outcome is unknown."""
    code = refund.failure.code if refund.failure else None
    ids = {"contract_id": refund.contract_id, "refund_id": refund.id, "account": refund.account, "code": code}
    what = f"refund {refund.id} of contract {refund.contract_id} on {refund.account}"
    if refund.state is RefundState.UNKNOWN:
        _log(_BILLING, logging.WARNING, "refund_unknown", f"{what}: the outcome is unknown", **ids)
    elif refund.state is RefundState.FAILED:
        _log(_BILLING, logging.WARNING, "refund_failed", f"{what}: failed ({code or 'no code'})", **ids)


def retry_planned(contract_id: str, account: str, on: dt.date) -> None:
    """A declined renewal is charged again on a business date."""
    text = f"contract {contract_id}: the next retry on {account} is planned for {on}"
    _log(_BILLING, logging.INFO, "retry_planned", text, contract_id=contract_id, account=account, on=on.isoformat())


def blocked(problem: Problem) -> None:
    """Something that a run has to leave undone."""
    fields = {name: getattr(problem, name) for name in ("account", "contract_id", "charge_id", "refund_id", "mail_id")}
    what = ", ".join(f"{name.removesuffix('_id')} {value}" for name, value in fields.items() if value) or "an item"
    text = f"{what}: blocked: {problem.reason}"
    _log(_BILLING, logging.WARNING, "blocked", text, code=problem.code, **fields)


def provider_not_told(contract_id: str, account: str, reason: str) -> None:
    """A provider that could not be told that a contract ends; reconciliation tells it again."""
    text = f"contract {contract_id}: {account} was not told that it ends: {reason}"
    _log(_BILLING, logging.WARNING, "provider_not_told", text, contract_id=contract_id, account=account)


def contract_not_made(contract_id: str, account: str | None, reason: str) -> None:
    """A contract that does not come about, because its provider's subscription does not."""
    text = f"contract {contract_id} is not made: {reason}"
    _log(_BILLING, logging.WARNING, "contract_not_made", text, contract_id=contract_id, account=account)


def subscription_waits(contract_id: str, account: str, reason: str) -> None:
    """A provider's subscription that is not started yet; reconciliation asks again."""
    text = f"contract {contract_id}: its subscription is not started yet: {reason}"
    _log(_BILLING, logging.WARNING, "subscription_waits", text, contract_id=contract_id, account=account)


def account_paused(account: str, reason: str) -> None:
    """An account that a run does not use any more."""
    _log(_BILLING, logging.WARNING, "account_paused", reason, account=account)


def run_finished(what: str, counts: Mapping[str, int], *, attention: bool) -> None:
    """The summary of a run; at WARNING where something in it needs *attention*.

    :param what: ``billing_run`` or ``reconciliation``.
    """
    said = ", ".join(f"{name} {number}" for name, number in counts.items() if number) or "nothing to do"
    level = logging.WARNING if attention else logging.INFO
    _log(_BILLING, level, what, f"{what.replace('_', ' ')}: {said}", **{f"n_{name}": it for name, it in counts.items()})


def vetoed(error: PaygateError, contract_id: str | None, operation: str) -> None:
    """An observer refused a charge or an operation."""
    _log(_BILLING, logging.INFO, "vetoed", str(error), contract_id=contract_id, operation=operation)


def webhook_rejected(account: str, error: PaygateError, status: int | None) -> None:
    """A delivery that is forged, malformed or too large."""
    _log(_WEBHOOKS, logging.WARNING, "webhook_rejected", str(error), account=account, status=status)


def webhook_failed(account: str, event_id: str, reason: str) -> None:
    """An event of a delivery that could not be taken; the provider is asked to deliver it again."""
    text = f"{account}: event {event_id} could not be taken: {reason}"
    _log(_WEBHOOKS, logging.WARNING, "webhook_failed", text, account=account, event_id=event_id)


def notice_failed(notice_id: str, kind: str, contract_id: str | None, reason: str, *, final: bool) -> None:
    """An observer that could not be told; *final* means that it is not tried again."""
    event = "notice_undeliverable" if final else "notice_failed"
    text = f"notice {notice_id} ({kind}) {'can never be delivered' if final else 'is tried again later'}: {reason}"
    _log(_OUTBOX, logging.WARNING, event, text, notice_id=notice_id, kind=kind, contract_id=contract_id)


def recording_waits(reason: str) -> None:
    """What a provider said could not be written down at the first attempt; it is tried again for some seconds."""
    _log(_BILLING, logging.WARNING, "recording_waits", f"an outcome is not recorded yet: {reason}")


def not_recorded(charge: Charge, error: PaygateError) -> None:
    """A charge whose outcome could not be written down in a billing run."""
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id, "account": charge.account}
    _log(_BILLING, logging.ERROR, "outcome_not_recorded", str(error), **ids)


def not_withdrawn(charge: Charge, error: PaygateError) -> None:
    """A charge that the customer has not confirmed in time, and that its provider could not be told to drop."""
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id, "account": charge.account}
    text = f"charge {charge.id} waits for its customer too long and is not withdrawn yet: {error}"
    _log(_BILLING, logging.WARNING, "charge_not_withdrawn", text, **ids)


def discrepancy(found: Discrepancy) -> None:
    """What a provider reports against the record."""
    ids = {"contract_id": found.contract_id, "charge_id": found.charge_id, "refund_id": found.refund_id}
    _log(_BILLING, logging.WARNING, "discrepancy", found.describe(), account=found.account, **ids)


def outbox_failed(reason: str) -> None:
    """A round of deliveries that could not be made at all."""
    _log(_OUTBOX, logging.WARNING, "outbox_failed", f"notices could not be delivered: {reason}")


def outbox_late(seconds: float) -> None:
    """Observers that take longer than a call waits for them."""
    text = f"observers take longer than {seconds:g} seconds; the call does not wait for them"
    _log(_OUTBOX, logging.WARNING, "outbox_late", text)


def operator_told(code: str, message: str, ids: Mapping[str, object]) -> None:
    """Everything that a person has to look after, and that is no line of the log for itself."""
    _log(_OPERATOR, logging.WARNING, "operator_action_required", message, code=code, **ids)


def reconciled(charge: Charge) -> None:
    """An open attempt whose outcome was found out."""
    ids = {"contract_id": charge.contract_id, "charge_id": charge.id, "account": charge.account}
    text = f"charge {charge.id} of contract {charge.contract_id} is settled: {charge.state.value}"
    _log(_BILLING, logging.INFO, "charge_settled", text, **ids)
