"""An operator's word about an attempt that cannot be looked up, or contradicts itself (design §6.5, R-311)."""

from __future__ import annotations

import datetime as dt

import attrs

from ..clock import require_aware
from ..domain.charge import Charge, ChargeKind, ChargeState
from ..domain.contract import Actor, ActorKind
from ..domain.discrepancy import NO_REFERENCE, Discrepancy, DiscrepancyKind, Source
from ..errors import ChargeInProgress, InvalidAmount, InvalidValue, OperationNotAllowed, PermissionDenied
from ..flow import call
from ..money import Money
from ..notices import OperationProposal
from ..provider import ChargeResult, Outcome
from ..store import Session
from . import permission
from .discrepancies import chosen, close
from .duplicates import clear
from .outbox import deliver
from .restoring import HELD
from .services import Services
from .settling import apply_charge, contract_behind

__all__ = ["check_resolution", "resolve"]

_TAKES = frozenset({Outcome.SUCCEEDED, Outcome.UNKNOWN, Outcome.PENDING})


def check_resolution(note: str, actor: Actor) -> None:
    """Hold an operator's word about an outcome to what makes it provable later.

    :raises PermissionDenied: the actor is not an administrator (R-267).
    :raises InvalidValue: the note does not say where the outcome was seen.
    """
    if actor.kind is not ActorKind.ADMIN:
        raise PermissionDenied(f"only an administrator resolves an unknown outcome, not {actor}", rule="R-267")
    if not isinstance(note, str) or not note.strip():
        raise InvalidValue("say in the note where the outcome was seen, for example 'provider console, 2026-11-20'")


async def resolve(
    services: Services,
    charge_id: str,
    *,
    succeeded: bool,
    reference: str | None,
    charged_at: dt.datetime | None,
    note: str,
    actor: Actor,
    amount: Money | None = None,
) -> Charge:
    """An operator says what became of an attempt that cannot be looked up, or contradicts itself (design §6.5, R-311).

    A decline as a duplicate can be resolved as well: as paid, or as not paid, after which its period is tried again.

    The open discrepancies about *reference* and *amount*, or all of the attempt where neither is named, are closed with the
    note. Where the provider reports money that goes against what is said, it has to be named (R-328).

    :param amount: what was really taken, where that is not what was asked for.
    :raises ChargeInProgress: a process may still be sending it (R-283).
    """
    check_resolution(note, actor)
    if amount is not None and not isinstance(amount, Money):
        raise InvalidAmount(f"give the amount as Money, for example Money(1000, 'JPY'), not {amount!r}", rule="R-004")

    def proposal(session: Session) -> OperationProposal:
        charge = session.charges.get(charge_id)
        return OperationProposal("resolve_charge", actor, contract_behind(session, charge), charge.amount)

    def write() -> Charge:
        with services.store.write() as session:
            charge, now = session.charges.get(charge_id), services.now()
            known = [one for one in session.discrepancies.of_attempt(charge_id) if one.open]
            meant = chosen(known, reference) if not charge.open else _about(known, reference)
            meant = [one for one in meant if amount in {None, one.their_amount}]
            _check_named(charge, meant, succeeded=succeeded, reference=reference, amount=amount)
            if not charge.open and not meant and not charge.doubted:
                raise OperationNotAllowed(
                    f"charge {charge_id} has ended as {charge.state.value}; there is nothing to resolve"
                )
            if (until := session.charges.claimed_until(charge_id)) is not None:
                raise ChargeInProgress(
                    f"charge {charge_id} may still be sent by the process that made it until {until:%Y-%m-%d %H:%M:%S} "
                    "UTC; resolve it after that, if it is still open then",
                    rule="R-283",
                )
            close(services, session, meant, note, actor=actor, now=now)
            if succeeded and charge.state is ChargeState.SUCCEEDED:
                return charge
            if charge.state is ChargeState.SUCCEEDED:
                raise OperationNotAllowed(
                    f"charge {charge_id} is in the ledger as SUCCEEDED; give its money back with refunds.create, or say "
                    "that it succeeded once the provider's console shows the money",
                    rule="R-311",
                )
            if not succeeded and charge.doubted:
                return clear(services, session, charge, str(actor), actor, note)
            if not succeeded and not charge.open:
                return charge
            at = require_aware(charged_at, "charged_at") if charged_at else None
            if succeeded:
                named = reference or _only(meant, charge_id) or charge.reference or f"{NO_REFERENCE}{charge_id}"
                charge = _taken(session, charge, amount)
                result = ChargeResult.succeeded(named, charged_at=at)
            else:
                result = ChargeResult.declined("resolved_by_operator", note)
                if charge.failure is not None and charge.failure.code == HELD:
                    result = ChargeResult.not_sent(note, code=HELD)  # nobody has declined anything
            return apply_charge(services, session, charge, result, actor=actor, now=now, source=Source.OPERATOR)

    await permission.ask(services, proposal)
    resolved = await call(write)
    await deliver(services)
    return resolved


def _about(known: list[Discrepancy], reference: str | None) -> list[Discrepancy]:
    """The discrepancies that go with an open attempt: its own reference has none, and then none of them is closed."""
    return [one for one in known if reference in {None, one.their_reference}]


def _check_named(
    charge: Charge, meant: list[Discrepancy], *, succeeded: bool, reference: str | None, amount: Money | None
) -> None:
    """Hold back what would make money disappear that the provider says it took (R-328).

    :raises InvalidValue: the payment or sum that is meant has to be named.
    :raises InvalidAmount: the sum cannot be booked.
    """
    taken = [one for one in meant if one.kind is not DiscrepancyKind.OVER_REFUNDED and one.their_state in _TAKES]
    said = "; ".join(one.describe() for one in taken)
    if charge.open and taken and reference is None and amount is None:
        second = any(one.their_reference != charge.reference for one in taken)
        if not succeeded or (second and charge.reference is not None):
            raise InvalidValue(
                f"{said}. Name by reference or amount which payment you mean: it is booked if you say that it succeeded, and "
                "counts as returned or never taken if not",
                rule="R-328",
            )
    if not succeeded or charge.state is ChargeState.SUCCEEDED:
        return
    if amount is None and any(one.their_amount not in {None, charge.amount} for one in taken):
        raise InvalidValue(f"{said}. Say by amount how much was taken; that is what is booked", rule="R-328")
    if amount is None or amount == charge.amount:
        return
    if amount.currency != charge.amount.currency or amount.minor < 1 or charge.kind is ChargeKind.INITIAL:
        raise InvalidAmount(
            f"charge {charge.id} is over {charge.amount}; {amount} cannot be booked for it: return it at the provider, then "
            "say that the charge has not succeeded, and name the payment",
            rule="R-328",
        )


def _taken(session: Session, charge: Charge, amount: Money | None) -> Charge:
    """*charge* over what was really taken of it."""
    if amount is None or amount == charge.amount:
        return charge
    session.charges.set_amount(charge.id, amount)
    return attrs.evolve(charge, amount=amount)


def _only(meant: list[Discrepancy], charge_id: str) -> str | None:
    """The one payment that *meant* are about, to be booked as the success of the attempt.

    :raises InvalidValue: they are about several, and nobody said which is meant.
    """
    told = {one.their_reference for one in meant if one.their_reference}
    if len(told) > 1:
        raise InvalidValue(
            f"charge {charge_id} has several payments at the provider ({', '.join(sorted(told))}): say by its reference "
            "which of them paid for it",
            rule="R-311",
        )
    return next(iter(told), None)
