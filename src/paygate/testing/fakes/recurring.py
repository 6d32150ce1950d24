"""How a fake runs subscriptions of its own and stores cards on a page of its own, where its capabilities say so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import ClassVar

import attrs

from ...errors import ChargeDeclined, InvalidValue, NotFound
from ...provider import (
    Capabilities,
    ChangedPayment,
    Checkout,
    CheckoutRequest,
    CheckoutResult,
    CheckoutState,
    CredentialDescription,
    CredentialRequest,
    CredentialState,
    Outcome,
    Renewals,
    StartedSubscription,
    SubscriptionPayment,
    SubscriptionRequest,
    SubscriptionStart,
)
from ..book import MovementKind
from .agreements import FakeCheckout, FakeSubscription
from .answering import AnsweringProvider, HookCall
from .course import ending
from .memory import Memory, Payment, fingerprint
from .outcomes import Decline, RemoveCredential, Succeed

__all__ = ["RecurringProvider", "with_renewals"]

_A_DAY = dt.timedelta(days=1)


class RecurringProvider(AnsweringProvider):
    """The hooks of a fake about subscriptions, cards and checkouts; what it charges by itself comes true with the clock."""

    #: Whether a subscription that is given a new card can be made to collect what is unpaid at once.
    collects_at_once: ClassVar[bool] = False

    # --- subscriptions -----------------------------------------------------------------------------------------------

    async def start_recurring(self, request: SubscriptionStart) -> StartedSubscription:
        if not self._capabilities.starts_subscriptions:
            raise self._not_capable("start subscriptions")
        self.calls.append(HookCall("start_recurring", request))
        with self._at_work() as (memory, _now):
            known = memory.subscriptions.get(request.contract_id)
            fault, course = self._script.next_start(acts=known is None)

            def make() -> StartedSubscription:
                if known is None and isinstance(course, Decline):
                    code = course.code or self.codes.declined
                    raise ChargeDeclined(
                        f"{self._capabilities.name} declined the subscription",
                        provider=self._capabilities.name,
                        code=code,
                    )
                return StartedSubscription((known or self._subscribe(memory, request)).reference)

            return self._answer(fault, None, make)

    def _subscribe(self, memory: Memory, request: SubscriptionStart) -> FakeSubscription:
        made = FakeSubscription(
            reference=f"sub_{len(memory.subscriptions) + 1}",
            contract_id=request.contract_id,
            key=request.key,
            credential=fingerprint(request.credential),
            price=request.price,
            months=request.months,
            starts_on=request.starts_on,
            anchor_day=request.anchor_day or request.starts_on.day,
        )
        memory.subscriptions[request.contract_id] = made
        return made

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        self._tell("stop_recurring", request, lambda known: attrs.evolve(known, stopped=True))

    async def end_recurring(self, request: SubscriptionRequest) -> None:
        self._tell("end_recurring", request, lambda known: attrs.evolve(known, ends_on=request.ends_on))

    async def resume_recurring(self, request: SubscriptionRequest) -> None:
        self._tell("resume_recurring", request, lambda known: attrs.evolve(known, ends_on=None))

    async def change_recurring_payment(self, request: SubscriptionPayment) -> ChangedPayment:
        if self._capabilities.renewals is not Renewals.PROVIDER or not self._capabilities.changes_recurring_payment:
            raise self._not_capable("charge its subscriptions to another card")
        self._reach(HookCall("change_recurring_payment", request))
        with self._at_work() as (memory, now):
            known = memory.subscriptions.get(request.contract_id)
            if known is None:
                raise InvalidValue(f"{self._capabilities.name} knows no subscription of {request.contract_id!r}")
            changed = attrs.evolve(known, credential=fingerprint(request.new_credential))
            memory.subscriptions[request.contract_id] = changed
            return ChangedPayment(request.collect and self.collects_at_once and self._collect(memory, changed, now))

    def _collect(self, memory: Memory, known: FakeSubscription, now: dt.datetime) -> bool:
        """Charge the last period that was declined to the card of *known*; whether there is one."""
        made = [one for one in memory.payments.values() if one.contract == known.contract_id and one.period]
        if not made or made[-1].at(now).state is not Outcome.DECLINED:
            return False
        last = made[-1]
        tries = sum(one.period == last.period for one in made)
        outcome = memory.blocked.get(known.credential) or self._script.next_renewal() or Succeed()
        memory.add(
            attrs.evolve(
                last,
                reference=f"{last.reference}_{tries + 1}",
                credential=known.credential,
                steps=(ending(outcome, now, self.codes),),
            )
        )
        return True

    # --- stored cards ------------------------------------------------------------------------------------------------

    async def describe_card(self, request: CredentialRequest) -> CredentialDescription:
        if not self._capabilities.describes_cards:
            raise self._not_capable("tell about stored cards")
        self._reach(HookCall("describe_card", request))
        with self._at_work() as (memory, _now):
            card = fingerprint(request.credential)
            gone = memory.blocked.get(card) == self._block(RemoveCredential())
            expires = memory.expiries.get(card, "2030-12")
        if gone:
            return CredentialDescription(CredentialState.REVOKED)
        return CredentialDescription(brand="visa", last4="4242", expires=expires)

    async def revoke_card(self, request: CredentialRequest) -> None:
        if not self._capabilities.revokes_cards:
            raise self._not_capable("revoke stored cards")
        self._reach(HookCall("revoke_card", request))
        with self._at_work() as (memory, _now):
            memory.blocked[fingerprint(request.credential)] = self._block(RemoveCredential())

    def _tell(
        self, hook: str, request: SubscriptionRequest, change: Callable[[FakeSubscription], FakeSubscription]
    ) -> None:
        if self._capabilities.renewals is not Renewals.PROVIDER:
            raise self._not_capable("charge renewals by itself")
        self._reach(HookCall(hook, request))
        with self._at_work() as (memory, _now):
            known = memory.subscriptions.get(request.contract_id)
            if known is not None:
                memory.subscriptions[request.contract_id] = change(known)

    def _come_true(self, memory: Memory, now: dt.datetime) -> None:
        """Charge what the subscriptions have due by *now*."""
        for known in list(memory.subscriptions.values()):
            number = known.charged
            for day, at in known.due(now):
                number += 1
                outcome = self._script.next_renewal()
                blocked = memory.blocked.get(known.credential)
                memory.add(
                    Payment(
                        MovementKind.CAPTURE,
                        f"{self.prefixes[MovementKind.CAPTURE]}{known.reference}_{number}",
                        known.price,
                        (ending(blocked or outcome or Succeed(), at, self.codes),),
                        credential=known.credential,
                        contract=known.contract_id,
                        period=day.isoformat(),
                    )
                )
            if number != known.charged:
                memory.subscriptions[known.contract_id] = attrs.evolve(known, charged=number)

    # --- checkouts ---------------------------------------------------------------------------------------------------

    async def begin_checkout(self, request: CheckoutRequest) -> Checkout:
        self._has_checkouts()
        self._reach(HookCall("begin_checkout", request))
        reference = f"checkout_{request.checkout_id}"
        with self._at_work() as (memory, now):
            case = memory.checkouts.setdefault(
                reference,
                FakeCheckout(reference, request.key, request.return_url, now + _A_DAY, metadata=dict(request.metadata)),
            )
        return Checkout(reference, url=f"https://pay.example/{reference}", expires_at=case.expires_at)

    async def complete_checkout(self, reference: str) -> CheckoutResult:
        self._has_checkouts()
        self._reach(HookCall("complete_checkout", reference))
        with self._at_work() as (memory, now):
            known = memory.checkouts.get(reference)
            if known is None:
                raise NotFound(f"{self._capabilities.name} knows no checkout {reference!r}")
            case = known.at(now)
        if case.state is not CheckoutState.COMPLETED:
            return CheckoutResult(case.state, code=case.code, metadata=case.metadata)
        return CheckoutResult(
            case.state, case.credential, network="visa", last4="4242", expires="2030-12", metadata=case.metadata
        )

    def _has_checkouts(self) -> None:
        if not self._capabilities.checkout:
            raise self._not_capable("store a card on a page of its own")


def with_renewals(declared: Capabilities, renewals: str) -> Capabilities:
    """What a provider declares whose account is set to *renewals*: ``"merchant"`` or ``"provider"``.

    :raises InvalidValue: something else.
    """
    if renewals not in {"merchant", "provider"}:
        raise InvalidValue(f"renewals is 'merchant' or 'provider', not {renewals!r}")
    if renewals == "merchant":
        return declared
    return attrs.evolve(declared, renewals=Renewals.PROVIDER, starts_subscriptions=True)
