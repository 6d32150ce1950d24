"""A database that fails at any point: what the provider did is never taken for nothing, and no driver's error leaves.

For each call the database fails at the first begin or commit, then at the second, and so on until the call gets through. It
fails once, or for good from there on. It fails as the drivers do: before the commit, so that the transaction is lost, or
behind it, when nobody can say. Afterwards it works again, and reconciliation puts everything right.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import psycopg
import pytest

from paygate import JST, Card, ChargeState, Customer, Gateway, Money, RefundState, Status
from paygate.errors import OutcomeUnknown, PaygateError, Retry, SaveUnknown, StoreError, StoreUnavailable
from paygate.provider import DeclineClass
from paygate.store import Session, Store
from paygate.testing import Decline, StayPending

from .conftest import PLAN, Renewing, World


def _full_disk() -> Exception:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"  # type: ignore[misc]
    return error


def _gone() -> Exception:
    return psycopg.OperationalError("server closed the connection unexpectedly")


@attrs.define
class Trouble:
    """The database fails at the point with the number *at*, counted from 1; 0: at none."""

    at: int = 0
    for_good: bool = False
    behind: bool = False
    passed: int = 0
    struck: int = 0

    def point(self, store: Store, *, behind: bool) -> None:
        if behind is not self.behind or not self.at:
            return
        self.passed += 1
        if self.passed == self.at or (self.for_good and self.passed > self.at):
            self.struck += 1
            if behind:
                raise SaveUnknown("the answer to the commit was lost")
            raise _full_disk() if store._engine.dialect.name == "sqlite" else _gone()


TROUBLE = Trouble()


class FailingStore(Store):
    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        with super().read() as session:
            TROUBLE.point(self, behind=False)
            yield session

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
            TROUBLE.point(self, behind=False)
        TROUBLE.point(self, behind=True)


@attrs.define
class Shop:
    world: World
    failing: Gateway
    number: int = 0

    def sign_up(self, token: str = "") -> Any:
        self.number += 1
        return self.world.gateway.contracts.create(
            Customer(f"cus_{self.number}", "", "c@example.com"),
            PLAN,
            Card("stripe", token or f"tok_{self.number}"),
            contract_id=f"con_{self.number}",
        )

    def captured(self, contract_id: str) -> int:
        attempts = {charge.id for charge in self.world.gateway.charges.list(contract_id=contract_id)}
        return sum(row.amount.minor for row in self.world.stripe.book.captures if row.attempt in attempts)

    def booked(self, contract_id: str) -> int:
        return sum(row.amount.minor for row in self.world.gateway.ledger.list(contract_id=contract_id) if row.kind.sale)


@pytest.fixture
def shop(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr("paygate.gateway.assembly.Store", FailingStore)
    with Gateway(**world.options) as failing:
        yield Shop(world, failing)
    TROUBLE.at = 0


@pytest.fixture(params=["once", "for good", "once, behind the commit", "for good, behind the commit"])
def how(request: pytest.FixtureRequest) -> dict[str, bool]:
    return {"for_good": "good" in request.param, "behind": "behind" in request.param}


def at_every_point(how: dict[str, bool], call: Callable[[], Any]) -> Iterator[BaseException | None]:
    """What *call* raised when the database failed at its first point, its second one, …"""
    for at in itertools.count(1):
        TROUBLE.__init__(at=at, **how)  # type: ignore[misc]
        try:
            call()
        except PaygateError as error:
            caught: PaygateError | None = error
        else:
            caught = None
        finally:
            TROUBLE.at = 0
        if not TROUBLE.struck:
            assert caught is None
            return
        yield caught


@pytest.mark.rule("R-292", "R-193", "X-05")
def test_a_charge_whose_outcome_cannot_be_saved_is_unknown_and_names_itself(shop: Shop, how: dict[str, bool]) -> None:
    contract = shop.sign_up()
    amounts = itertools.count(5000)
    seen = set()

    def charge() -> None:
        shop.failing.charges.create(contract.id, Money(next(amounts), "JPY"), consent="phone")

    for error in at_every_point(how, charge):
        shop.world.clock.advance(minutes=10)
        before = shop.captured(contract.id)
        known = {charge.id: charge for charge in shop.world.gateway.charges.list(contract_id=contract.id)}
        open_ones = {charge.id for charge in known.values() if charge.open}
        if isinstance(error, OutcomeUnknown):
            seen.add("unknown")
            assert error.charge_id in known
            assert (error.provider, error.retry) == ("stripe", Retry.AFTER_LOOKUP)
            assert "Do not repeat it" in str(error)
        elif error is not None:
            seen.add("not sent")
            assert isinstance(error, StoreError)
            assert not error.sent
            assert before == shop.booked(contract.id), "money was taken, and nobody was told"
        else:
            assert before == shop.booked(contract.id)
            assert not open_ones
        shop.world.gateway.billing.reconcile()
        assert shop.captured(contract.id) == before == shop.booked(contract.id)
        assert not any(charge.open for charge in shop.world.gateway.charges.list(contract_id=contract.id))
    assert "not sent" in seen
    assert ("unknown" in seen) is how["for_good"]


@pytest.mark.rule("R-292")
def test_a_first_payment_whose_outcome_cannot_be_saved_is_unknown_and_makes_its_contract_later(
    shop: Shop, how: dict[str, bool]
) -> None:
    numbers = itertools.count()

    def create() -> None:
        number = next(numbers)
        shop.failing.contracts.create(
            Customer(f"cus_{number}", "", "c@example.com"),
            PLAN,
            Card("stripe", f"tok_{number}"),
            contract_id=f"con_{number}",
        )

    before = 0
    for number, error in enumerate(at_every_point(how, create)):
        shop.world.clock.advance(minutes=10)
        taken, before = len(shop.world.stripe.book.captures) - before, len(shop.world.stripe.book.captures)
        if not isinstance(error, OutcomeUnknown) and error is not None:
            assert isinstance(error, StoreError)
            assert not error.sent
            assert not taken
        if isinstance(error, OutcomeUnknown):
            assert shop.world.gateway.charges.get(error.charge_id or "").contract_id == f"con_{number}"
        shop.world.gateway.billing.reconcile()
        made = [contract.id for contract in shop.world.gateway.contracts.list()]
        assert (f"con_{number}" in made) is bool(taken)


@pytest.mark.rule("R-292")
def test_a_refund_whose_outcome_cannot_be_saved_is_unknown_and_names_itself(shop: Shop, how: dict[str, bool]) -> None:
    amounts = itertools.count(1)
    contract = shop.sign_up()
    row = next(iter(shop.world.gateway.ledger.list(contract_id=contract.id)))

    def refund() -> None:
        shop.failing.refunds.create(row.id, Money(next(amounts), "JPY"))

    returned = 0
    for error in at_every_point(how, refund):
        shop.world.clock.advance(minutes=10)
        before, returned = returned, sum(movement.amount.minor for movement in shop.world.stripe.book.refunds)
        known = {refund.id: refund for refund in shop.world.gateway.refunds.list(contract_id=contract.id)}
        if isinstance(error, OutcomeUnknown):
            assert error.refund_id in known
            assert error.provider == "stripe"
        elif error is not None:
            assert isinstance(error, StoreError)
            assert not error.sent
            assert returned == before, "money went back, and nobody was told"
        shop.world.gateway.billing.reconcile()
        settled = shop.world.gateway.refunds.list(contract_id=contract.id).all()
        done = sum(refund.amount.minor for refund in settled if refund.state is RefundState.DONE)
        assert returned == done
        assert not any(refund.state.open for refund in settled)


@pytest.mark.rule("R-292", "R-040")
@pytest.mark.parametrize("declined", [False, True])
def test_a_run_tells_of_what_it_could_not_save_and_the_next_one_makes_it_good(
    shop: Shop, how: dict[str, bool], declined: bool
) -> None:
    for error in at_every_point(how, lambda: _due_again(shop, declined)):
        contract_id = f"con_{shop.number}"
        charges = shop.world.gateway.charges.list(contract_id=contract_id).all()
        if isinstance(error, StoreError):
            assert not any(charge.open for charge in charges if charge.id in _asked(shop)), (
                "an unknown charge is not told"
            )
        elif error is not None:
            assert isinstance(error, OutcomeUnknown)
            assert "billing.reconcile" in str(error)
        shop.world.clock.advance(minutes=10)
        shop.world.gateway.billing.reconcile()
        shop.world.gateway.billing.run()
        assert shop.captured(contract_id) == shop.booked(contract_id) == (3000 if declined else 6000)
        wanted = Status.PAST_DUE if declined else Status.ACTIVE
        assert shop.world.gateway.contracts.get(contract_id).status is wanted
        if declined:  # no later run has to look at it
            shop.world.gateway.contracts.terminate(contract_id, reason="the next one has its turn")


def _asked(shop: Shop) -> set[str]:
    """Attempts that the provider has heard of."""
    return {call.request.charge_id for call in shop.world.stripe.calls if call.hook == "charge"}


def _due_again(shop: Shop, declined: bool) -> None:
    at, TROUBLE.at = TROUBLE.at, 0
    shop.world.clock.set(dt.datetime(2026, 1, 15, 12, tzinfo=JST))
    contract = shop.sign_up()
    if declined:
        shop.world.stripe.script_for(contract.credential, Decline("insufficient_funds", DeclineClass.SOFT))
    shop.world.clock.set(dt.datetime(2026, 2, 15, 12, tzinfo=JST))
    TROUBLE.at, TROUBLE.passed = at, 0
    report = shop.failing.billing.run()
    TROUBLE.at = 0
    charges = shop.world.gateway.charges.list(contract_id=contract.id).all()
    assert report.unknown == sum(charge.open for charge in charges)


@pytest.mark.rule("R-292")
def test_an_operation_that_could_not_be_saved_is_simply_done_again(shop: Shop, how: dict[str, bool]) -> None:
    def cancel() -> None:
        at, TROUBLE.at = TROUBLE.at, 0
        contract = shop.sign_up()
        TROUBLE.at, TROUBLE.passed = at, 0
        shop.failing.contracts.schedule_cancellation(contract.id, reason="moved away")

    for error in at_every_point(how, cancel):
        if error is not None:
            assert isinstance(error, StoreError)
        contract = shop.world.gateway.contracts.get(f"con_{shop.number}")
        if contract.status is not Status.CANCEL_SCHEDULED:
            assert error is not None
            assert error.retry is not Retry.NEVER
            shop.world.gateway.contracts.schedule_cancellation(contract.id, reason="moved away")
        elif error is not None:
            assert isinstance(error, SaveUnknown)


@pytest.mark.rule("R-292", "R-269")
def test_a_delivery_that_cannot_be_saved_is_refused_and_applied_when_it_comes_again(
    shop: Shop, how: dict[str, bool]
) -> None:
    contract = shop.sign_up()
    amounts = itertools.count(5000)

    def receive() -> None:
        at, TROUBLE.at = TROUBLE.at, 0
        shop.world.stripe.notifications()
        shop.world.stripe.next(StayPending(seconds=60))
        shop.world.gateway.charges.create(contract.id, Money(next(amounts), "JPY"), consent="phone")
        shop.world.clock.advance(minutes=2)
        notices.append(shop.world.stripe.notifications())
        TROUBLE.at, TROUBLE.passed = at, 0
        for notice in notices[-1]:
            shop.failing.webhooks.receive("stripe", notice.headers, notice.body)

    notices: list[Any] = []
    for error in at_every_point(how, receive):
        if error is not None:
            assert isinstance(error, StoreError), "the caller has to answer 5xx"
            for notice in notices[-1]:
                shop.world.gateway.webhooks.receive("stripe", notice.headers, notice.body)
        charges = shop.world.gateway.charges.list(contract_id=contract.id).all()
        assert not any(charge.open for charge in charges)
        assert shop.captured(contract.id) == shop.booked(contract.id)


@pytest.mark.rule("R-292")
def test_a_subscription_whose_start_could_not_be_saved_is_started_once(
    renewing: World, monkeypatch: pytest.MonkeyPatch, how: dict[str, bool]
) -> None:
    monkeypatch.setattr("paygate.gateway.assembly.Store", FailingStore)
    with Gateway(**renewing.options) as failing:
        shop = Shop(renewing, failing)

        def create() -> None:
            shop.number += 1
            shop.failing.contracts.create(
                Customer(f"cus_{shop.number}", "", "c@example.com"),
                PLAN,
                Card("stripe", f"tok_{shop.number}"),
                contract_id=f"con_{shop.number}",
            )

        for error in at_every_point(how, create):
            assert error is None or isinstance(error, OutcomeUnknown | StoreError)
            shop.world.clock.advance(minutes=10)
            shop.world.gateway.billing.reconcile()
            made = {contract.id for contract in shop.world.gateway.contracts.list()}
            stripe = shop.world.stripe
            assert isinstance(stripe, Renewing)
            assert sorted(each.contract_id for each in stripe.subscriptions) == sorted(made)
            if f"con_{shop.number}" not in made:
                assert isinstance(error, StoreError)
                assert not error.sent


@pytest.mark.rule("R-292")
def test_an_error_that_is_none_of_paygates_becomes_an_unknown_outcome_once_the_provider_was_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = world.contract("stripe")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake in our own code")

    monkeypatch.setattr("paygate.billing.charges.apply_charge", broken)
    with pytest.raises(OutcomeUnknown, match="could not be recorded") as caught:
        world.charge(contract)
    monkeypatch.undo()
    world.clock.advance(minutes=10)
    world.gateway.billing.reconcile()
    assert world.gateway.charges.get(caught.value.charge_id).state is ChargeState.SUCCEEDED


def test_notices_that_cannot_be_saved_take_nothing_back(shop: Shop) -> None:
    contract = shop.sign_up()
    TROUBLE.__init__(at=1)  # type: ignore[misc]
    with pytest.raises(StoreUnavailable):
        shop.failing.billing.deliver()
    TROUBLE.at = 0
    assert shop.world.charge(contract).state is ChargeState.SUCCEEDED
