"""A process that ended before it could record an answer: where nobody can be asked, people hear of it at once (R-193)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from paygate import Card, ChargeState, Customer, Gateway, Money, NewContract, Plan, hookimpl
from paygate.provider import ChargeRequest, ChargeResult
from paygate.store.database import create_engine
from paygate.store.tables import charges
from paygate.testing import FakeTelecom, FakeUnivaPay, ManualClock


class Dies(FakeTelecom):
    """The process is interrupted after the money has moved."""

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        await super().charge(request)
        raise KeyboardInterrupt


class Operator:
    def __init__(self) -> None:
        self.told: list[str] = []

    @hookimpl
    def on_operator_action_required(self, notice: Any) -> None:
        self.told.append(notice.code)


@pytest.mark.rule("R-193")
def test_it_is_unknown_and_told_with_the_first_look_after_the_claim(database_url: str) -> None:
    clock, operator = ManualClock.jst(2026, 11, 22, 3), Operator()
    provider = Dies(clock=clock)
    gateway = Gateway(database=database_url, providers={"t": provider}, plugins=[operator], clock=clock)
    member = NewContract(
        contract_id="con_1",
        customer=Customer("cus_1"),
        plan=Plan.recurring("Gold", Money(3000, "JPY")),
        payment=Card("t", "tok_1"),
        start_on=clock.now().date(),
        last_paid_at=clock.now(),
    )
    gateway.contracts.import_many([member])
    clock.advance(hours=1)
    with pytest.raises(KeyboardInterrupt):
        gateway.charges.create("con_1", Money(700, "JPY"), consent="phone")
    assert provider.book.captured() == 700

    gateway.billing.reconcile()  # the process may be at it still
    (charge,) = gateway.charges.list()
    assert (charge.state, operator.told) == (ChargeState.PENDING, [])
    clock.advance(minutes=3)
    report = gateway.billing.reconcile()

    assert report.needs_operator == (charge.id,)
    assert operator.told == ["unknown_outcome"]
    assert gateway.charges.get(charge.id).state is ChargeState.UNKNOWN
    gateway.close()


@pytest.mark.rule("R-288")
def test_the_age_of_an_attempt_is_told_by_the_database_s_clock(database_url: str) -> None:
    """The host that wrote it down was a day ahead of the one that looks at it."""

    class Gone(FakeUnivaPay):
        async def charge(self, request: ChargeRequest) -> ChargeResult:
            raise KeyboardInterrupt

    clock, operator = ManualClock.jst(2026, 11, 22, 3), Operator()
    gateway = Gateway(database=database_url, providers={"t": Gone(clock=clock)}, plugins=[operator], clock=clock)
    member = NewContract(
        contract_id="con_1",
        customer=Customer("cus_1"),
        plan=Plan.recurring("Gold", Money(3000, "JPY")),
        payment=Card("t", "tok_1"),
        start_on=clock.now().date(),
        last_paid_at=clock.now(),
    )
    gateway.contracts.import_many([member])
    clock.advance(hours=1)
    with pytest.raises(KeyboardInterrupt):
        gateway.charges.create("con_1", Money(700, "JPY"), consent="phone")
    engine = create_engine(database_url)
    with engine.connect() as connection:
        connection.execute(charges.update().values(created_at=clock.now() + dt.timedelta(hours=25)))
    engine.dispose()
    clock.advance(minutes=16)
    gateway.billing.reconcile()

    assert operator.told == ["unknown_outcome"]
    gateway.close()
