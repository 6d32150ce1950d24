"""The life of subscriptions of the emulated UnivaPay: due dates, charges, retries and ends (provider fact sheet §11.3)."""

from __future__ import annotations

import datetime as dt

import attrs

from .course import Course
from .records import Charge, ChargePlan, Payment, Subscription
from .schedule import duration, zone
from .state import State
from .views import Views

__all__ = ["Billing"]

#: Between two missed payments that a resumed subscription catches up with.
_CATCH_UP = dt.timedelta(minutes=20)


class Billing:
    """Charges what is due when the clock passes it, and follows the charges to the subscription's status."""

    def __init__(self, state: State, views: Views, course: Course) -> None:
        self._state = state
        self._views = views
        self._course = course
        course.follower = self._followed

    # --- beginning and ending ----------------------------------------------------------------------------------------

    def start(self, one: Subscription) -> None:
        """Take *one* in: its first charge goes out at once, or on its first day where that lies ahead."""
        self._state.subscriptions.add(one, one.store_id, one.token.id)
        self._plan_payment(one)
        self._tell(one, "subscription_created")
        self.begin(one)

    def begin(self, one: Subscription) -> None:
        """Charge the first payment, or find out that nothing is to be charged yet."""
        payment = _next(one)
        one.status = "unverified"
        if payment.due <= self.today(one) and payment.amount > 0:
            self._charge(one, payment)
        else:
            self._state.later(self._state.behaviour.pending, lambda: self._run(one))

    def suspend(self, one: Subscription) -> None:
        """Pause *one* now."""
        _next(one).turn += 1
        self._become(one, "suspended")
        self._tell(one, "subscription_suspended")

    def resume(self, one: Subscription) -> None:
        """Resume a suspended *one*: ``unpaid`` until the next payment succeeds.

        The tries are not given back: where they were used up, one more failure suspends again.
        """
        payment = _next(one)
        payment.retry_on = None
        payment.terminate_with = None
        self._become(one, "unpaid")
        if not self._state.behaviour.resume_charges_arrears:
            while self._moment(one, payment.due) <= self._state.now():
                one.step += 1
                payment.due = one.plan.due(one.step)
        self._schedule(one, payment)

    def cancel(self, one: Subscription) -> None:
        """End *one* for good."""
        _next(one).turn += 1
        self._become(one, "canceled")
        self._tell(one, "subscription_canceled")

    # --- payments ----------------------------------------------------------------------------------------------------

    def move(self, one: Subscription, payment: Payment, due: dt.date) -> None:
        """Put an unpaid payment on another day; those after it keep their rhythm."""
        payment.due, payment.retry_on = due, None
        self._schedule(one, payment)

    def paid_elsewhere(self, one: Subscription, payment: Payment) -> None:
        """Take note that the merchant got the money by other means: no charge, and the next payment is planned."""
        self._paid(one, payment, told=False)

    def today(self, one: Subscription) -> dt.date:
        """The date in the subscription's zone."""
        return self._state.now().astimezone(zone(one.zone_id)).date()

    def _run(self, one: Subscription) -> None:
        """Without a first charge: a free payment is done with, one that lies ahead waits for its day."""
        payment = _next(one)
        if one.status != "unverified":
            return
        if payment.amount == 0:
            self._paid(one, payment, told=False)
        else:
            self._become(one, "current")
            self._schedule(one, payment)

    def _plan_payment(self, one: Subscription) -> None:
        """Make the next payment of the plan."""
        now = self._state.now()
        payment = Payment(
            id=self._state.new_id(),
            due=one.plan.due(one.step),
            amount=one.plan.takes(one.paid_count, one.paid),
            created=now,
            updated=now,
            is_last=one.plan.ends(one.paid_count, one.paid),
        )
        one.payment = payment
        self._state.payments.add(payment, one.id)

    def _schedule(self, one: Subscription, payment: Payment) -> None:
        """Let *payment* be charged on its day, and nothing that was planned for it before."""
        payment.turn += 1
        turn, now = payment.turn, self._state.now()
        moment = self._moment(one, payment.retry_on or payment.due)
        if moment < now:  # its day has passed while it was suspended, or while the one before it was tried
            moment = now if one.status == "unpaid" else now + _CATCH_UP

        def due() -> None:
            if payment.turn == turn:
                self._due(one, payment)

        self._state.at(moment, due)

    def _due(self, one: Subscription, payment: Payment) -> None:
        if payment.terminate_with == "suspended":
            payment.terminate_with = None
            self.suspend(one)
        elif payment.terminate_with == "canceled":
            self.cancel(one)
        else:
            self._charge(one, payment)

    def _charge(self, one: Subscription, payment: Payment) -> None:
        behaviour, now, token = self._state.behaviour, self._state.now(), one.token
        first = one.paid_count == 0
        with_customer = one.status == "unverified"  # who is there now, and not on a later first day
        if token.active:
            plan = self._course.plan(token, payment.amount)
        else:
            plan = ChargePlan("failed", behaviour.subscription_without_token_code)
        hold = first and one.authorization_only
        charge = Charge(
            id=self._state.new_id(),
            token=token,
            amount=payment.amount,
            currency=one.currency,
            capture=not hold,
            capture_at=now + duration(one.capture_after) if hold and one.capture_after else None,
            metadata=dict(one.metadata) if behaviour.charges_carry_metadata else {},
            created=now,
            updated=now,
            plan=plan,
            only_direct_currency=one.only_direct_currency,
            descriptor=one.descriptor,
            three_ds=dict(one.three_ds) if with_customer and one.three_ds else None,
            subscription=one,
            payment=payment,
        )
        one.charging = True
        demanded = with_customer and one.three_ds is not None and one.three_ds["mode"] in {"require", "force"}
        self._course.begin(charge, customer=demanded)

    def _followed(self, charge: Charge) -> None:
        """A charge of a subscription has changed."""
        one, payment = charge.subscription, charge.payment
        if one is None or payment is None or charge.status in {"pending", "awaiting"}:
            return
        if charge.status == "authorized":
            if not charge.capture:
                one.charging = False
                self._become(one, "authorized")
            return
        one.charging = False
        if charge.status == "successful":
            self._paid(one, payment)
        else:
            self._failed(one, payment)

    def _paid(self, one: Subscription, payment: Payment, *, told: bool = True) -> None:
        payment.is_paid, payment.paid_on, payment.retry_on = True, self.today(one), None
        payment.turn += 1
        payment.updated = self._state.now()
        one.paid += payment.amount
        one.paid_count += 1
        one.tries = 0
        one.step += 1
        if payment.is_last:
            self._become(one, "completed")
        else:
            self._become(one, "current")
            self._plan_payment(one)
            self._schedule(one, _next(one))
        if told:
            self._tell(one, "subscription_payment")
        if payment.is_last:
            self._tell(one, "subscription_completed")

    def _failed(self, one: Subscription, payment: Payment) -> None:
        behaviour = self._state.behaviour
        late = one.paid_count == 0 and one.status == "current" and behaviour.late_first_failure == "unconfirmed"
        if one.status in {"unverified", "authorized"} or late:
            self._become(one, "unconfirmed")
            self._tell(one, "subscription_failure")
            return
        one.tries += 1
        payment.updated = self._state.now()
        if one.tries < behaviour.subscription_tries:
            payment.retry_on = self.today(one) + self._interval(one, payment)
            self._become(one, "unpaid")
            self._tell(one, "subscription_failure")
            self._schedule(one, payment)
            return
        self._become(one, "unpaid")
        self._tell(one, "subscription_failure")
        if behaviour.subscription_exhausted == "canceled":
            self.cancel(one)
        else:
            self.suspend(one)

    def _interval(self, one: Subscription, payment: Payment) -> dt.timedelta:
        """Between two tries: as given, or the length of a cycle by the number of tries, rounded down."""
        given = payment.retry_interval or one.retry_interval
        if given is not None:
            return max(duration(given), dt.timedelta(days=1))
        return dt.timedelta(days=max(one.plan.period.length // self._state.behaviour.subscription_tries, 1))

    def _moment(self, one: Subscription, day: dt.date) -> dt.datetime:
        """When what is due on *day* is charged."""
        hour = dt.time(self._state.behaviour.subscription_hour)
        return dt.datetime.combine(day, hour, zone(one.zone_id)).astimezone(dt.UTC)

    def _become(self, one: Subscription, status: str) -> None:
        one.status, one.updated = status, self._state.now()

    def _tell(self, one: Subscription, event: str) -> None:
        self._state.emit(event, one.store_id, lambda: self._views.subscription(one))

    def change_amount(self, one: Subscription, amount: int) -> None:
        """Take *amount* from the payment after the next one on."""
        one.amount = amount
        one.plan = attrs.evolve(one.plan, amount=amount)


def _next(one: Subscription) -> Payment:
    """The payment that is planned or was the last one."""
    assert one.payment is not None, "a subscription has a payment from its start on"  # noqa: S101 - says what holds
    return one.payment
