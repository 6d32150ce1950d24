"""What becomes of a charge of the emulated UnivaPay: from pending to its end, and into the book of money."""

from __future__ import annotations

import types
from collections.abc import Callable

from ....money import EXPONENTS, Money
from ...book import Movement, MovementKind
from .cards import charge_fails, forced_code
from .limits import CardLimits
from .records import Charge, ChargePlan, Failure, Token
from .state import State
from .views import Views

__all__ = ["Course"]

#: How a charge goes when nothing is wrong: one value for all of them.
_WELL = ChargePlan()


class Course:
    """The life of charges, whoever made them: a merchant, a subscription, or the check of a CVV."""

    def __init__(self, state: State, views: Views) -> None:
        self._state = state
        self._views = views
        self.limits = CardLimits(state)
        #: Hears of every change of a charge that belongs to a subscription.
        self.follower: Callable[[Charge], None] = lambda _charge: None

    def plan(self, token: Token, amount: int) -> ChargePlan:
        """How a charge of *amount* will go: as planned by hand, as wished, or as its card says."""
        if self._state.plans:
            return self._state.plans.pop(0)
        if wish := self._state.wishes.take(credential=token.id, amount=amount, card=token.number):
            return ChargePlan.wished(wish)
        if token.plan is not None:
            return token.plan
        if code := forced_code(token.email):
            return ChargePlan("failed", code)
        if charge_fails(token.number):
            return ChargePlan("failed", self._state.behaviour.declined_card_code)
        return _WELL

    def begin(self, charge: Charge, *, customer: bool = False) -> None:
        """Take *charge* in; it stays pending for its time, and then waits for the customer or settles.

        :param customer: whether 3-D Secure is demanded of it.
        """
        rows = [charge.store_id, charge.token.id]
        if charge.subscription is not None and charge.payment is not None:
            rows += [charge.subscription.id, charge.payment.id]
        self._state.charges.add(charge, *rows)
        self._state.history.add(charge, charge.store_id)
        charge.token.used = charge.created
        plan = charge.plan
        wait = self._state.behaviour.pending if isinstance(plan.pending, types.EllipsisType) else plan.pending
        waits = customer or plan.customer
        self._state.later(wait, lambda: self._await(charge) if waits else self.settle(charge))

    def settle(self, charge: Charge) -> None:
        """Bring an open charge to the end of its plan."""
        if charge.settled:
            return
        plan = charge.plan
        if charge.status != "authorized" and (plan.authorized or not charge.capture) and plan.status == "successful":
            self._change(charge, "authorized")
            if charge.capture:
                self._state.later(plan.authorized, lambda: self.settle(charge))
            else:
                self._hold(charge)
            return
        if charge.capture or plan.status != "successful":
            code = {"failed": plan.code or 306, "error": plan.code or 500}.get(plan.status)
            failure = None if code is None else Failure(code)
            self._finish(charge, plan.status, failure, plan.charged)

    def capture(self, charge: Charge, amount: int | None = None) -> None:
        """Take what was authorised, or *amount* of it, after the usual time."""
        charge.capturing = True
        taken = Money(charge.amount if amount is None else amount, charge.currency)
        self._state.later(self._state.behaviour.pending, lambda: self._finish(charge, "successful", charged=taken))

    def customer_returns(self, charge: Charge, *, passed: bool) -> None:
        """The customer has been through 3-D Secure.

        :raises ValueError: *charge* waits for nobody.
        """
        if charge.status != "awaiting":
            raise ValueError(f"charge {charge.id} does not wait for the customer: it is {charge.status}")
        if passed:
            self.settle(charge)
        else:
            self._finish(charge, "failed", Failure(358))

    def cancelled(self, charge: Charge) -> None:
        """A cancel succeeded."""
        self._finish(charge, "canceled")

    def _hold(self, charge: Charge) -> None:
        if charge.token.cvv_charge == charge.id:  # the check of a CVV stays as it is
            return
        life = self._state.behaviour.authorization_life
        self._state.later(life, lambda: self._expire(charge, "authorized", 313))
        if charge.capture_at is not None:
            self._state.at(charge.capture_at, lambda: None if charge.settled else self.capture(charge))

    def _await(self, charge: Charge) -> None:
        if charge.status == "pending":
            self._state.awaiting[charge.id] = charge
            self._change(charge, "awaiting")
            self._state.later(self._state.behaviour.customer_patience, lambda: self._expire(charge, "awaiting", 327))

    def _expire(self, charge: Charge, status: str, code: int) -> None:
        if charge.status == status:
            self._finish(charge, "failed", Failure(code))

    def _change(self, charge: Charge, status: str) -> None:
        if status != "awaiting":
            self._state.awaiting.pop(charge.id, None)
        charge.status = status
        charge.updated = self._state.now()
        self._tell(charge, "charge_updated")

    def _finish(
        self, charge: Charge, status: str, failure: Failure | None = None, charged: Money | None = None
    ) -> None:
        if charge.settled:
            return
        now = self._state.now()
        self._state.awaiting.pop(charge.id, None)
        charge.status, charge.error, charge.updated = status, failure, now
        if status == "successful":
            charge.charged = charged or self._converted(charge)
            charge.token.last_paid = now
            self._state.book.write(
                Movement(
                    MovementKind.CAPTURE,
                    charge.charged,
                    charge.id,
                    now,
                    attempt=str(charge.metadata.get("paygate_charge", "")),
                    credential=charge.token.id,
                )
            )
        elif status == "failed":
            self.limits.failed(charge.token)
        self._tell(charge, "charge_finished")

    def _tell(self, charge: Charge, event: str) -> None:
        self._state.emit(event, charge.store_id, lambda: self._views.charge(charge))
        if charge.subscription is not None:
            self.follower(charge)

    def _converted(self, charge: Charge) -> Money:
        """What is taken: in yen where the merchant's account turns the currency into yen."""
        rate = self._state.behaviour.yen_per_unit.get(charge.currency)
        if rate is None or charge.currency == "JPY":
            return Money(charge.amount, charge.currency)
        return Money(charge.amount * rate // 10 ** EXPONENTS[charge.currency], "JPY")
