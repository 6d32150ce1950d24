"""The provider that all fakes share: in process, on an injected clock, true to the capabilities it declares.

This half is what a test says and reads; :mod:`.answering` and :mod:`.recurring` are what paygate sees. A fake of one more provider is a
:class:`~paygate.capabilities.Capabilities` value and a table of codes::

    class FakeAcme(FakeProvider):
        codes = Codes(declined="acme_no")

        def __init__(self, settings=None, *, clock=None):
            super().__init__(ACME_CAPABILITIES, settings, clock=clock)
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import attrs

from ...clock import Clock
from ...errors import InvalidValue
from ...money import Money
from ...provider import Capabilities, CheckoutState, Outcome, Webhook
from ..book import Book, MovementKind
from .agreements import FakeSubscription
from .answering import FakeSettings, HookCall
from .console import ConsoleProvider
from .course import ending
from .memory import Memory, Payment, fingerprint
from .notices import checkout_notice, dispute_notice, notice, subscription_notice
from .outcomes import (
    ChargeOutcome,
    ClosePermission,
    Decline,
    Ending,
    RefundOutcome,
    RemoveCredential,
    StartOutcome,
    Succeed,
)
from .refusals import Codes

if TYPE_CHECKING:
    from ..faults import Faults

__all__ = ["Codes", "FakeProvider", "FakeSettings", "HookCall"]


class FakeProvider(ConsoleProvider):
    """An in-process provider that keeps a book of the money that really moved.

    :param capabilities: what it declares, and does.
    :param settings: see :class:`FakeSettings`.
    :param clock: where it takes the time from; None: the system's clock, which freezegun may hold.

    Attributes that a test may set at any time (times in seconds):

    ``clock``
        as above; a gateway may put its own there.
    ``latency``, ``refund_latency``
        until a charge or refund ends, where the provider does not answer at once (R-175, R-247).
    ``index_delay``
        until a new charge or refund is found by its attempt, where the look-up is EVENTUAL.
    ``keys_down``
        the provider's store of keys is broken: a repeat is processed again, and says so in the tell-tale header,
        where the idempotency is BEST_EFFORT.

    ``calls`` lists every hook call, so that a test can prove that nothing was sent.
    """

    def __init__(
        self, capabilities: Capabilities, settings: FakeSettings | None = None, *, clock: Clock | None = None
    ) -> None:
        super().__init__(capabilities, settings, clock)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._memory.payments)} payments>"

    # --- what happens next -------------------------------------------------------------------------------------------

    def next(self, outcome: ChargeOutcome) -> None:
        """Let the next charge end like *outcome*; the same as ``script(outcome)``."""
        self.script(outcome)

    def script(self, *outcomes: ChargeOutcome) -> None:
        """Queue outcomes of charges. Each answers one charge; afterwards charges succeed again.

        A repeat that is answered from its key, and a charge that the provider refuses by rule, use none up; a lost
        answer (:class:`~.outcomes.Vanish`, :class:`~.outcomes.NeverThere`) hits whichever call comes next.

        :raises InvalidValue: for anything that is not an outcome of a charge.
        """
        self._script.queue_charges(outcomes)

    def script_for(self, credential: str, outcome: ChargeOutcome) -> None:
        """Let every charge on *credential* end like *outcome*, whatever is queued.

        ``tok_declines``, ``tok_pending`` (a minute), ``tok_action``, ``tok_vanishes`` and ``tok_removed`` do so from
        the start.

        :raises InvalidValue: as for :meth:`script`.
        """
        self._script.stick(credential, outcome)

    def next_refund(self, outcome: RefundOutcome) -> None:
        """Let the next refund end like *outcome*; the same as ``script_refund(outcome)``."""
        self.script_refund(outcome)

    def script_refund(self, *outcomes: RefundOutcome) -> None:
        """Queue outcomes of refunds, as :meth:`script` does for charges.

        :raises InvalidValue: for anything that is not an outcome of a refund.
        """
        self._script.queue_refunds(outcomes)

    def script_start(self, *outcomes: StartOutcome) -> None:
        """Queue outcomes of starting a subscription, as :meth:`script` does for charges.

        :raises InvalidValue: for anything but Succeed, Decline, Vanish and NeverThere.
        """
        self._script.queue_starts(outcomes)

    def script_renewal(self, *outcomes: Ending) -> None:
        """Queue outcomes of the charges that the provider makes by its own subscriptions; afterwards they succeed.

        :raises InvalidValue: for anything but Succeed and Decline.
        """
        self._script.queue_renewals(outcomes)

    @property
    def faults(self) -> Faults | None:
        """Random trouble on the wire, beside what is scripted."""
        return self._script.faults

    @faults.setter
    def faults(self, faults: Faults | None) -> None:
        self._script.faults = faults

    # --- what happens at the provider --------------------------------------------------------------------------------

    def finish(self, reference: str, outcome: Ending | None = None, *, amount: Money | None = None) -> None:
        """End a pending payment now, as *outcome* says; by default well.

        :param reference: the provider's, or paygate's id of the attempt.
        :param amount: what was taken, where that is not what was asked for, such as a part of it.
        :raises InvalidValue: nothing of that name is pending.
        """
        with self._at_work() as (memory, now):
            named = memory.payments.get(reference)
            for payment in [
                *([named] if named else []),
                *memory.of_attempt(MovementKind.CAPTURE, reference),
                *memory.of_attempt(MovementKind.REFUND, reference),
            ]:
                if payment.at(now).state is Outcome.PENDING:
                    if amount is not None:
                        payment = attrs.evolve(payment, amount=amount)  # noqa: PLW2901 - the payment as it ends
                    memory.extend(payment, ending(outcome or Succeed(), now, self.codes))
                    return
        raise InvalidValue(f"no payment {reference!r} is pending at {self._capabilities.name}")

    def remove_credential(self, credential: str) -> None:
        """The customer's card is gone: every later charge on it is declined."""
        with self._at_work() as (memory, _now):
            memory.blocked[fingerprint(credential)] = self._block(RemoveCredential())

    def set_expiry(self, credential: str, expires: str) -> None:
        """The stored card is good until the end of *expires*, for example ``"2026-03"``; others are until 2030-12."""
        with self._at_work() as (memory, _now):
            memory.expiries[fingerprint(credential)] = expires

    def close_permission(self, credential: str) -> None:
        """The customer withdraws the permission: every later charge on it is declined (R-222)."""
        with self._at_work() as (memory, _now):
            memory.blocked[fingerprint(credential)] = self._block(ClosePermission())

    def charge_again(self, attempt: str, outcome: Ending | None = None, *, amount: Money | None = None) -> str:
        """A second payment of an attempt, as a repeat makes one where the provider did not check its key.

        :param attempt: paygate's id of the charge.
        :param amount: by default that of the first.
        :returns: its reference. Its notification names the attempt.
        :raises InvalidValue: there is no payment of that attempt yet.
        """
        with self._at_work() as (memory, now):
            made = memory.of_attempt(MovementKind.CAPTURE, attempt)
            if not made:
                raise InvalidValue(f"there is no charge of attempt {attempt!r} at {self._capabilities.name}")
            reference = self._reference(memory, MovementKind.CAPTURE, attempt)
            steps = (ending(outcome or Succeed(), now, self.codes),)
            twin = Payment(
                MovementKind.CAPTURE,
                reference,
                amount or made[0].amount,
                steps,
                attempt=attempt,
                credential=made[0].credential,
            )
            memory.add(twin)
            return reference

    def charge_unasked(self, credential: str, amount: Money, outcome: Ending | None = None) -> str:
        """A charge that paygate did not ask for: the provider's own renewal, or one made on its console.

        :returns: its reference. The notification about it names no attempt.
        """
        with self._at_work() as (memory, now):
            reference = f"{self.prefixes[MovementKind.CAPTURE]}unasked_{len(memory.payments) + 1}"
            steps = (ending(outcome or Succeed(), now, self.codes),)
            memory.add(Payment(MovementKind.CAPTURE, reference, amount, steps, credential=fingerprint(credential)))
            return reference

    def renew(
        self,
        contract_id: str,
        credential: str,
        amount: Money,
        outcome: Ending | None = None,
        *,
        period_on: dt.date | None = None,
        attempt: int | None = None,
        retries: bool = True,
        action_url: str | None = None,
    ) -> Webhook:
        """The provider's own subscription charges a period by itself, where it owns the renewals.

        :param attempt: which attempt of the period it is; None: this provider does not say.
        :param retries: whether it would try again after a failure.
        :param action_url: where the customer can confirm the payment, if it is told.
        :returns: the delivery that tells of it, for ``gateway.webhooks.receive``.
        """
        reference = self.charge_unasked(credential, amount, outcome)
        with self._at_work() as (memory, _now):
            return subscription_notice(
                f"evt_renewal_{reference}",
                contract_id,
                self._settings.webhook_secret,
                payment=memory.payments[reference],
                period_on=period_on,
                attempt=attempt,
                retries=retries,
                action_url=action_url,
            )

    def end_subscription(self, contract_id: str) -> Webhook:
        """The provider ends its own subscription (R-152).

        :returns: the delivery that tells of it; the same event each time.
        """
        return subscription_notice(f"evt_end_{contract_id}", contract_id, self._settings.webhook_secret)

    def store_card(self, reference: str, *, credential: str = "", declined: Decline | None = None) -> str:
        """The customer finishes a checkout on the provider's page.

        :param credential: of the card that is stored; by default one made of *reference*.
        :param declined: the card was refused instead.
        :returns: the credential; empty where none was stored.
        :raises InvalidValue: no checkout of that reference is open.
        """
        with self._at_work() as (memory, now):
            case = memory.checkouts.get(reference)
            if case is None or case.at(now).state is not CheckoutState.OPEN:
                raise InvalidValue(f"no checkout {reference!r} is open at {self._capabilities.name}")
            stored = "" if declined else credential or f"tok_{reference}"
            state = CheckoutState.FAILED if declined else CheckoutState.COMPLETED
            code = (declined.code or self.codes.declined) if declined else None
            memory.checkouts[reference] = attrs.evolve(case, state=state, credential=stored or None, code=code)
            memory.notices.append((reference, 0))
        return stored

    # --- what has happened -------------------------------------------------------------------------------------------

    @property
    def book(self) -> Book:
        """The ground truth of money moved up to now."""
        with self._at_work() as (memory, _now):
            return memory.book

    @property
    def subscriptions(self) -> list[FakeSubscription]:
        """The subscriptions of its own that were ever started, oldest first."""
        with self._at_work() as (memory, _now):
            return list(memory.subscriptions.values())

    def notifications(self, *, again: bool = False) -> list[Webhook]:
        """The deliveries about payments and checkouts that have ended since the last call, in the order in which they ended.

        Hand them to ``gateway.webhooks.receive``: once, twice, out of order (:mod:`paygate.testing.faults`), late or
        never.

        :param again: all deliveries since the beginning, with the same event ids.
        """
        if not self._capabilities.webhooks:
            return []
        with self._at_work() as (memory, _now):
            first = 0 if again else memory.announced
            memory.announced = len(memory.notices)
            return [
                delivery
                for reference, index in memory.notices[first:]
                for delivery in self._deliveries(memory, reference, index)
            ]

    def _deliveries(self, memory: Memory, reference: str, index: int) -> list[Webhook]:
        secret = self._settings.webhook_secret
        if reference in memory.checkouts:
            return [checkout_notice(reference, secret)]
        if reference in memory.disputes:
            return [dispute_notice(memory.disputes[reference], index, secret)]
        payment = memory.payments[reference]
        if not payment.contract:
            return [notice(payment, index, secret)] * payment.notices
        period_on = dt.date.fromisoformat(payment.period)
        event_id = f"evt_{reference}"
        return [
            subscription_notice(event_id, payment.contract, secret, payment=payment, period_on=period_on, attempt=1)
        ]
