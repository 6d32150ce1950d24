"""What cases about money do again and again: charge and wait, refund and wait, hear of it, count."""

from __future__ import annotations

from ...money import Money
from ...provider import ChargeRequest, ChargeResult, EventKind, IdempotencyKind, Outcome, RefundRequest, RefundResult
from .base import Cases
from .case import CaseFailed
from .needs import Need

__all__ = ["Acting", "shown"]


def shown(amounts: tuple[Money, ...]) -> str:
    """Amounts in words."""
    return ", ".join(map(str, amounts)) or "nothing"


class Acting(Cases):
    """Base of the groups that move money."""

    def moved(self, *amounts: Money, before: tuple[Money, ...] = ()) -> None:
        """Hold that exactly *amounts* were captured since *before* (what :meth:`.Shop.captured` said then)."""
        taken = self.shop.captured()[len(before) :]
        self.expect(taken == amounts, f"{shown(amounts)} should have been taken; the book shows {shown(taken)}")

    def returned(self, *amounts: Money) -> None:
        """Hold that exactly *amounts* were given back."""
        given = self.shop.refunded()
        self.expect(given == amounts, f"{shown(amounts)} should have been returned; the book shows {shown(given)}")

    def settled_charge(self, attempt: ChargeRequest) -> ChargeResult:
        """Charge, and learn the result in one of the declared ways."""
        answer = self.shop.charge(attempt)
        if answer.outcome is not Outcome.PENDING or answer.result is None:
            return answer.result or ChargeResult(answer.outcome, message=str(answer.error))
        self.shop.settle()
        if Need.LOOKUP.declared(self.capabilities):
            return self.shop.find_charge(attempt, answer.result.reference) or answer.result
        return self.told_of(attempt, answer.result.reference) or answer.result

    def charged(self, amount: Money | None = None, *, card: str | None = None) -> tuple[ChargeResult, Money]:
        """A charge that has succeeded, and its amount.

        :raises CaseFailed: it did not.
        """
        attempt = self.shop.attempt(amount, card=card)
        result = self.settled_charge(attempt)
        if result.outcome is not Outcome.SUCCEEDED:
            raise CaseFailed(f"a charge on a good card ended as {result.outcome.name} {result.code or ''}".strip())
        return result, attempt.amount

    def settled_refund(self, attempt: RefundRequest) -> RefundResult:
        """Refund, and learn the result in one of the declared ways."""
        answer = self.shop.refund(attempt)
        if answer.outcome is not Outcome.PENDING or answer.result is None:
            return answer.result or RefundResult(answer.outcome, message=str(answer.error))
        self.shop.settle()
        if Need.REFUND_LOOKUP.declared(self.capabilities):
            return self.shop.find_refund(attempt, answer.result.reference) or answer.result
        return self._told_of_refund(attempt) or answer.result

    def told_of(self, attempt: ChargeRequest, reference: str | None) -> ChargeResult | None:
        """What the webhooks say last about *attempt*."""
        told = None
        for event in self.shop.events():
            ours = event.attempt_id == attempt.charge_id or (reference is not None and event.reference == reference)
            if event.kind is EventKind.CHARGE and ours:
                told = event.charge
        return told

    def found_charge(self, attempt: ChargeRequest) -> ChargeResult | None:
        """What a look-up by the attempt alone finds, followed by its reference where it is still open."""
        found = self.shop.find_charge(attempt)
        if found is not None and found.outcome is Outcome.PENDING and found.reference is not None:
            found = self.shop.find_charge(attempt, found.reference)
        return found

    def found_refund(self, attempt: RefundRequest) -> RefundResult | None:
        """The same for a refund."""
        found = self.shop.find_refund(attempt)
        if found is not None and found.outcome is Outcome.PENDING and found.reference is not None:
            found = self.shop.find_refund(attempt, found.reference)
        return found

    def native(self) -> bool:
        """Whether keys are native, so that a look-up may repeat the attempt under its key (see the hook find_charge)."""
        return self.capabilities.idempotency.kind is IdempotencyKind.NATIVE

    def _told_of_refund(self, attempt: RefundRequest) -> RefundResult | None:
        told = None
        for event in self.shop.events():
            if event.kind is EventKind.REFUND and event.attempt_id == attempt.refund_id:
                told = event.refund
        return told
