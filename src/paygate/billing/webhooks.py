"""What providers tell us: authenticated by the plugin, stored once, applied once (R-194, R-269)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

import attrs

from ..domain.charge import Charge, Refund
from ..domain.contract import Actor, ActorKind
from ..domain.discrepancy import Discrepancy, Source
from ..errors import InvalidValue, NotFound, WebhookIncomplete, WebhookRejected
from ..flow import call
from ..plugins.account import Account
from ..provider import EventKind, ProviderEvent, Webhook
from ..store import Session
from ..texts import is_storable
from . import logs
from .after_deletion import reported
from .duplicates import follow_up_reported
from .outbox import deliver, operator
from .reasons import ends_everything, reason_of
from .refunds import apply_refund
from .services import Services
from .settling import apply_charge, contract_behind
from .subscriptions import apply_end, apply_renewal, contract_of
from .taken_back import by_id, taken_back

__all__ = ["MAX_BODY", "EventOutcome", "Receipt", "receive"]

#: Largest delivery that is read, in bytes; providers' events are a few kilobytes.
MAX_BODY = 1_048_576

#: The ids that paygate gives to attempts, and providers give back.
_OURS = re.compile(r"[0-9a-f]{32}")


@attrs.frozen
class EventOutcome:
    """What became of one event.

    ``applied``, ``repeated``, ``ignored`` (nothing to act on), ``unmatched`` (about nothing that paygate knows), or
    ``discrepancy``: it contradicts what is on record, was not applied, and waits for a person (R-310).

    :param checkout: the reference of a checkout that has ended, for ``checkouts.complete``; repeated events have it, too.
    """

    event_id: str
    outcome: str
    charge_id: str | None = None
    refund_id: str | None = None
    checkout: str | None = None


@attrs.frozen
class Receipt:
    """The events of one delivery. Answer the provider with 200."""

    events: tuple[EventOutcome, ...] = ()


async def receive(services: Services, account_name: str, headers: Mapping[str, str], body: bytes) -> Receipt:
    """Take one delivery for *account_name*; an event that cannot be taken does not keep the others from being stored.

    :raises WebhookRejected: forged, malformed or too large; nothing is stored.
    :raises WebhookIncomplete: an event could not be taken; the others are, and are repeats when it is delivered again.
    """
    account = services.plugins.account(account_name)
    try:
        events = await _events(account, headers, body)
    except WebhookRejected as exc:
        logs.webhook_rejected(account.name, exc, exc.status)
        raise
    outcomes = []
    failed: dict[str, Exception] = {}
    for event in events:
        try:
            outcomes.append(await call(partial(_take, services, account, event)))
        except Exception as exc:
            if ends_everything(exc):
                raise
            failed[event.event_id] = exc
            logs.webhook_failed(account.name, event.event_id, reason_of(exc))
    for outcome in outcomes:
        if outcome.charge_id is not None:
            await follow_up_reported(services, outcome.charge_id)
    if any(outcome.outcome != "repeated" for outcome in outcomes):
        await deliver(services)
    if failed:
        first = next(iter(failed.values()))
        raise WebhookIncomplete(
            f"{account.name}: {len(failed)} of {len(events)} events of the delivery could not be taken "
            f"({', '.join(failed)}: {reason_of(first)}); answer {WebhookIncomplete.status}, so that it is delivered again"
        ) from first
    return Receipt(tuple(outcomes))


async def _events(account: Account, headers: Mapping[str, str], body: bytes) -> list[ProviderEvent]:
    """The events of a delivery, authenticated by the plugin."""
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidValue(f"the body of a webhook is the raw bytes as they came, not {type(body).__name__}")
    if len(body) > MAX_BODY:
        raise WebhookRejected(
            f"{account.name}: a delivery of {len(body):,} bytes is larger than {MAX_BODY:,}", status=413
        )
    names = {str(name).lower(): str(value) for name, value in headers.items()}
    if not all(is_storable(text) for pair in names.items() for text in pair):
        raise WebhookRejected(f"{account.name}: a header of the delivery holds a control character or is not text")
    return await account.parse_webhook(Webhook(names, bytes(body)))


def _take(services: Services, account: Account, event: ProviderEvent) -> EventOutcome:
    """Store the event and apply it in one transaction: after a crash it is delivered again and applied then."""
    now = services.now()
    with services.store.write() as session:
        fresh = session.events.first_time(
            account.name, event.event_id, type=event.type or event.kind.value, at=now, payload=dict(event.raw or {})
        )
        if not fresh:
            return EventOutcome(event.event_id, "repeated", checkout=_checkout(event))
        outcome = _apply(services, session, account, event)
        session.events.set_outcome(account.name, event.event_id, outcome.outcome)
    return outcome


def _apply(services: Services, session: Session, account: Account, event: ProviderEvent) -> EventOutcome:
    now, actor = services.now(), Actor.provider(account.name)
    noted: list[Discrepancy] = []
    if event.kind is EventKind.CHARGE and event.charge is not None:
        charge = _charge(session, account.name, event)
        if charge is not None and services.in_mode(contract_behind(session, charge)):
            source = Source.WEBHOOK
            apply_charge(services, session, charge, event.charge, actor=actor, now=now, source=source, noted=noted)
            return EventOutcome(event.event_id, _applied(noted), charge_id=charge.id)
        if charge is None and (gone := _deleted(services, session, account, event)) is not None:
            return gone
    elif event.kind is EventKind.REFUND and event.refund is not None:
        refund = _refund(session, account.name, event)
        if refund is None:
            if (gone := _deleted(services, session, account, event)) is not None:
                return gone
            known, charge_id = taken_back(services, session, account.name, event)
            if known is not None:
                return EventOutcome(event.event_id, known, charge_id=charge_id)
        elif services.in_mode(session.contracts.get(refund.contract_id)):
            source = Source.WEBHOOK
            apply_refund(services, session, refund.id, event.refund, actor=actor, now=now, source=source, noted=noted)
            return EventOutcome(event.event_id, _applied(noted), refund_id=refund.id)
    elif event.kind is EventKind.DISPUTE and event.dispute is not None:
        if (gone := _deleted(services, session, account, event)) is not None:
            return gone
        known, charge_id = taken_back(services, session, account.name, event)
        if known is not None:
            return EventOutcome(event.event_id, known, charge_id=charge_id)
    elif event.kind in {EventKind.RENEWAL, EventKind.SUBSCRIPTION_ENDED}:
        contract = contract_of(services, session, account, event)
        if contract is not None and event.kind is EventKind.RENEWAL:
            charge_id = apply_renewal(services, session, account, contract, event, noted)
            said = _applied(noted) if charge_id else "ignored"
            return EventOutcome(event.event_id, said, charge_id=charge_id)
        if contract is not None:
            apply_end(services, session, account, contract, event.type)
            return EventOutcome(event.event_id, "applied")
        if (gone := _deleted(services, session, account, event)) is not None:
            return gone
    else:
        return EventOutcome(event.event_id, "ignored", checkout=_checkout(event))
    message = (
        f"{account.name} reports {event.kind.value} {event.reference or event.attempt_id or event.contract_id}, which paygate did not make "
        "or no longer has; compare with the provider's console"
    )
    ours = event.attempt_id is not None and _OURS.fullmatch(event.attempt_id) is not None
    if ours:
        message += (
            ". It carries an id of paygate's: if the database was restored from a backup, run 'paygate db restored'"
        )
    facts = {
        "variant": "ours" if ours else None,
        "account": account.name,
        "reference": event.reference or event.attempt_id or event.contract_id,
    }
    operator(services, session, "unmatched_event", message, now=now, facts=facts)
    return EventOutcome(event.event_id, "unmatched")


def _deleted(services: Services, session: Session, account: Account, event: ProviderEvent) -> EventOutcome | None:
    """What became of *event* if it is about a contract that was deleted."""
    known = reported(services, session, account.name, event)
    return None if known is None else EventOutcome(event.event_id, known[0], refund_id=known[1])


def _applied(noted: list[Discrepancy]) -> str:
    return "discrepancy" if noted else "applied"


def _checkout(event: ProviderEvent) -> str | None:
    return event.reference if event.kind is EventKind.CHECKOUT else None


def _charge(session: Session, account: str, event: ProviderEvent) -> Charge | None:
    """By our own id first: the event may come before the answer that would have told the provider's id."""
    charge = by_id(session, account, event.attempt_id)
    if charge is not None:
        return charge
    return session.charges.by_reference(account, event.reference) if event.reference else None


def _refund(session: Session, account: str, event: ProviderEvent) -> Refund | None:
    """The refund of paygate's own that *event* is about."""
    if event.attempt_id:
        try:
            refund = session.refunds.get(event.attempt_id)
        except NotFound:
            refund = None
        if refund is not None and refund.account == account:
            return refund
    refund = session.refunds.by_reference(account, event.reference) if event.reference else None
    return refund if refund is not None and refund.actor.kind is not ActorKind.PROVIDER else None
