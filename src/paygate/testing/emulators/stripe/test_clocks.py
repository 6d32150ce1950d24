"""Test clocks: the time that some customers and their subscriptions live by (provider fact sheet §10).

Only what belongs to billing moves with a clock. Payments, events, webhooks and idempotency keys keep to the emulator's.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import attrs

from .customers import Customer, Customers
from .errors import ApiError
from .params import PAGE, Table, moment, text
from .periods import Cycle
from .resource import Object, Resource, route
from .state import Call, State
from .tables import Record
from .timeline import Agenda, Timeline, instant_of, stamp

if TYPE_CHECKING:
    from .subscriptions import Subscriptions

__all__ = ["TestClock", "TestClocks"]

_CREATE: Table = {"customer": text(), "frozen_time": moment(required=True), "name": text(most=300)}

#: How many customers a clock has, and how many subscriptions each of them.
_CUSTOMERS, _SUBSCRIPTIONS = 3, 3

#: Seconds after which a clock and everything on it is deleted.
_LIFE = 30 * 24 * 3600

#: How far a clock without subscriptions moves at once.
_FREE = dt.timedelta(days=2 * 365)


@attrs.define
class TestClock(Record):
    """A clock that stands still until it is advanced. *target*: where it is on its way to, in seconds since 1970."""

    name: str | None
    agenda: Agenda = attrs.field(repr=False)
    target: int | None = None

    @property
    def frozen_time(self) -> int:
        """What it shows, in seconds since 1970."""
        return stamp(self.agenda.now())


class TestClocks(Resource[TestClock]):
    """``/v1/test_helpers/test_clocks``."""

    kind = "test_helpers.test_clock"
    prefix = "clock"

    def __init__(self, state: State, customers: Customers, subscriptions: Subscriptions) -> None:
        super().__init__(state)
        self._customers = customers
        self._subscriptions = subscriptions
        customers.joining.append(self._join)

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("POST", "/test_helpers/test_clocks", _CREATE)
    def create(self, call: Call) -> Object:
        params = call.params
        customer = None
        if "customer" in params:
            customer = self._customers.table.find(params["customer"], "customer")
            if customer.test_clock is not None or self._subscriptions.table.by("customer", customer.id):
                message = "This customer already has a test clock, or subscriptions that live without one."
                raise ApiError.invalid("customer", message)
        clock = self.table.add(
            TestClock(**self.birth(), name=params.get("name"), agenda=Agenda(instant_of(params["frozen_time"])))
        )
        if customer is not None:
            self._customers.table.move(customer, "test_clock", clock.id)
        self.state.later(_LIFE, lambda: self._delete(clock))
        self.state.emit("test_helpers.test_clock.created", self.show(clock))
        return self.show(clock)

    @route("GET", "/test_helpers/test_clocks", PAGE)
    def list(self, call: Call) -> Object:
        return self.listing("/test_helpers/test_clocks", call.params)

    @route("GET", "/test_helpers/test_clocks/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/test_helpers/test_clocks/{id}/advance", {"frozen_time": moment(required=True)})
    def advance(self, call: Call) -> Object:
        clock, target = self.table.find(call.id), instant_of(call.params["frozen_time"])
        self.check_idle(clock.id)
        if target <= clock.agenda.now():
            raise ApiError.invalid("frozen_time", "A test clock moves forward only.")
        if target > self._farthest(clock):
            message = "A test clock moves by at most two intervals of its shortest subscription, or two years, at once."
            raise ApiError.invalid("frozen_time", message)
        clock.target = stamp(target)
        self.state.emit("test_helpers.test_clock.advancing", self.show(clock))
        self.state.later(self.state.behaviour.advance_seconds, lambda: self._arrive(clock))
        return self.show(clock)

    @route("DELETE", "/test_helpers/test_clocks/{id}")
    def delete(self, call: Call) -> Object:
        clock = self.table.find(call.id)
        self._delete(clock)
        return {**self.head(clock), "deleted": True}

    def show(self, record: TestClock) -> Object:
        advancing = {"target_frozen_time": record.target}
        return {
            **self.head(record),
            "created": record.created,
            "deletes_after": record.created + _LIFE,
            "frozen_time": record.frozen_time,
            "livemode": False,
            "name": record.name,
            "status": "ready" if record.target is None else "advancing",
            "status_details": {} if record.target is None else {"advancing": advancing},
        }

    # --- for billing -------------------------------------------------------------------------------------------------

    def timeline(self, identifier: str | None) -> Timeline:
        """The time that objects of the test clock *identifier* live by; without one, the emulator's."""
        return self.state if identifier is None else self.table.find(identifier).agenda

    def check_idle(self, identifier: str | None) -> None:
        """Refuse to touch objects of a clock that is on its way.

        :raises ApiError: 429, the clock is advancing.
        """
        clock = self.table.get(identifier or "")
        if clock is not None and clock.target is not None:
            raise ApiError(429, "Test clock advancement underway - cannot perform modifications.", code="rate_limit")

    def check_room(self, customer: Customer) -> None:
        """Refuse a subscription too many.

        :raises ApiError: 400, the customer lives by a clock and has three of them.
        """
        if customer.test_clock is None:
            return
        if sum(not one.ended for one in self._subscriptions.table.by("customer", customer.id)) >= _SUBSCRIPTIONS:
            message = f"A customer with a test clock has at most {_SUBSCRIPTIONS} subscriptions."
            raise ApiError.invalid("customer", message)

    # --- steps -------------------------------------------------------------------------------------------------------

    def _join(self, customer: Customer) -> None:
        """A customer is being created, and names a clock to live by."""
        if customer.test_clock is None:
            return
        clock = self.table.find(customer.test_clock, "test_clock")
        self.check_idle(clock.id)
        if len(self._customers.table.by("test_clock", clock.id)) >= _CUSTOMERS:
            raise ApiError.invalid("test_clock", f"A test clock has at most {_CUSTOMERS} customers.")
        customer.created = clock.frozen_time

    def _farthest(self, clock: TestClock) -> dt.datetime:
        now = clock.agenda.now()
        ends = [
            Cycle(one.cycle.interval, one.cycle.count, now, now.day).boundary(2)
            for one in self._subscriptions.table.by("test_clock", clock.id)
            if not one.ended
        ]
        return min(ends, default=now + _FREE)

    def _arrive(self, clock: TestClock) -> None:
        if clock.target is None or self.table.get(clock.id) is None:
            return
        clock.agenda.move(instant_of(clock.target))
        clock.target = None
        self.state.emit("test_helpers.test_clock.ready", self.show(clock))

    def _delete(self, clock: TestClock) -> None:
        if self.table.get(clock.id) is None:
            return
        for subscription in tuple(self._subscriptions.table.by("test_clock", clock.id)):
            self._subscriptions.billing.forget(subscription)
        for customer in tuple(self._customers.table.by("test_clock", clock.id)):
            self._customers.remove(customer)
        self.table.remove(clock)
        self.state.emit("test_helpers.test_clock.deleted", self.show(clock))
