"""What a merchant does in a provider's console, and what banks do: refunds and disputes that paygate never asked for."""

from __future__ import annotations

import datetime as dt

import attrs

from ...dispute import Dispute, DisputeState
from ...errors import InvalidValue
from ...money import Money
from ...provider import Outcome
from ..book import MovementKind
from .agreements import FakeDispute
from .course import refund_steps
from .memory import Memory, Payment
from .outcomes import FailLate, StayPending, Succeed
from .recurring import RecurringProvider

__all__ = ["ConsoleProvider"]


class ConsoleProvider(RecurringProvider):
    """The part of a fake that moves money without being asked by paygate."""

    def refund_in_console(
        self, reference: str, amount: Money | None = None, outcome: Succeed | StayPending | FailLate | None = None
    ) -> str:
        """The merchant returns a charge, or a part of it, in the provider's console.

        :param reference: the provider's, or paygate's id of the charge.
        :param amount: by default all that is left of it.
        :returns: the reference of the refund. Its notification names the charge, and no attempt.
        :raises InvalidValue: there is no such charge that took money, or less of it is left.
        """
        with self._at_work() as (memory, now):
            charge = self._paid(memory, reference, now)
            alive = [one for one in memory.refunds_of(charge.reference) if one.steps[-1].state is not Outcome.DECLINED]
            left = charge.amount.minor - sum(one.amount.minor for one in alive)
            value = amount or Money(left, charge.amount.currency)
            if not 0 < value.minor <= left or value.currency != charge.amount.currency:
                raise InvalidValue(f"{Money(left, charge.amount.currency)} is left of {charge.reference}, not {value}")
            name = f"{self.prefixes[MovementKind.REFUND]}console_{len(memory.payments) + 1}"
            steps = refund_steps(outcome or Succeed(), now, self.codes, None)
            memory.add(Payment(MovementKind.REFUND, name, value, steps, charge=charge.reference))
            return name

    def dispute(
        self,
        reference: str,
        amount: Money | None = None,
        *,
        due_by: dt.datetime | None = None,
        reason: str = "fraudulent",
    ) -> str:
        """A customer's bank disputes a charge, or a part of it.

        :param reference: as for :meth:`refund_in_console`.
        :param due_by: until when evidence can be handed in; by default a week from now.
        :returns: the reference of the dispute, for :meth:`close_dispute`.
        :raises InvalidValue: there is no such charge that took money.
        """
        with self._at_work() as (memory, now):
            charge = self._paid(memory, reference, now)
            opened = Dispute(
                f"dispute_{len(memory.disputes) + 1}_{charge.reference}",
                DisputeState.OPENED,
                amount or charge.amount,
                due_by or now + dt.timedelta(days=7),
                reason,
            )
            memory.dispute(FakeDispute(charge.reference, charge.attempt, (opened,)), now)
            return opened.reference

    def close_dispute(self, reference: str, *, won: bool) -> None:
        """The bank decides a dispute: the money stays, or is gone.

        :raises InvalidValue: there is no such dispute, or it is decided already.
        """
        with self._at_work() as (memory, now):
            dispute = memory.disputes.get(reference)
            if dispute is None or dispute.now.state is not DisputeState.OPENED:
                raise InvalidValue(f"no dispute {reference!r} is open at {self._capabilities.name}")
            state = DisputeState.WON if won else DisputeState.LOST
            closed = attrs.evolve(dispute.now, state=state)
            memory.dispute(attrs.evolve(dispute, states=(*dispute.states, closed)), now)

    def _paid(self, memory: Memory, reference: str, now: dt.datetime) -> Payment:
        named = memory.payments.get(reference)
        for charge in [*([named] if named else []), *memory.of_attempt(MovementKind.CAPTURE, reference)]:
            if charge.kind is MovementKind.CAPTURE and charge.at(now).state is Outcome.SUCCEEDED:
                return charge
        raise InvalidValue(f"no charge {reference!r} has taken money at {self._capabilities.name}")
