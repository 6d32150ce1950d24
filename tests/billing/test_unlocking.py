"""Content that opens by itself, and content of contracts that are taken over, through gateway and store."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from paygate import JST, BankTransfer, Card, Customer, Cycle, Manual, Money, Plan, Product, ProductType
from paygate.billing.importing import NewContract
from paygate.domain.contract import Status
from paygate.testing import Decline, ManualClock, Succeed

from .conftest import World

COURSE = Product("course", ProductType.BUYOUT_UNLOCK, unlock_interval=Cycle.WEEKLY)
MAGAZINE = Product("magazine", ProductType.MONTHLY_MAGAZINE)
BOUGHT = Plan.one_off("Course", Money(12_000, "JPY"), products=(COURSE,))
PACKAGE = Plan.recurring("Gold", Money(3000, "JPY"), products=(MAGAZINE, COURSE))


def _open(world: World, contract_id: str) -> list[str]:
    return [f"{one.product} {one.scope}" for one in world.gateway.contracts.access(contract_id) if one.open]


def _runs_on(world: World, clock: ManualClock, *day: int) -> Any:
    clock.set(dt.datetime(*day, 3, 0, tzinfo=JST))  # type: ignore[misc]
    return world.gateway.billing.run()


@pytest.mark.rule("R-041", "R-082")
def test_a_run_opens_the_contents_that_have_become_due_however_long_it_stood_still(
    world: World, clock: ManualClock
) -> None:
    contract = world.contract("stripe", BOUGHT)  # 15 January
    assert _open(world, contract.id) == ["course #1"]

    assert _runs_on(world, clock, 2026, 1, 21).unlocked == 0
    assert _runs_on(world, clock, 2026, 1, 22).unlocked == 1
    assert _runs_on(world, clock, 2026, 1, 22).unlocked == 0
    assert _open(world, contract.id) == ["course #1", "course #2"]
    assert _runs_on(world, clock, 2026, 2, 18).unlocked == 3
    assert _open(world, contract.id)[-1] == "course #5"
    assert world.stripe.calls == []
    assert world.gateway.contracts.get(contract.id).unlocked_on == dt.date(2026, 2, 12)
    actions = [record.action for record in world.gateway.audit.list(contract_id=contract.id)]
    assert actions.count("unlock") == 4


@pytest.mark.rule("R-082")
def test_a_plan_names_the_contents_that_would_open(world: World, clock: ManualClock) -> None:
    contract = world.contract("stripe", BOUGHT)
    clock.set(dt.datetime(2026, 1, 30, 3, 0, tzinfo=JST))
    assert [(one.contract_id, one.work.value, one.on, one.charge) for one in world.gateway.billing.plan()] == [
        (contract.id, "unlock", dt.date(2026, 1, 22), None),
        (contract.id, "unlock", dt.date(2026, 1, 29), None),
    ]


@pytest.mark.rule("R-039", "R-077", "R-082")
def test_while_a_payment_is_missing_contents_wait_and_open_once_the_contract_runs_again(
    world: World, clock: ManualClock
) -> None:
    contract = world.contract("stripe", PACKAGE)
    world.stripe.script_for("tok_stripe_cus_1", Decline("insufficient_funds"))
    report = _runs_on(world, clock, 2026, 2, 15)
    assert (report.unlocked, report.suspended) == (4, 1)
    assert _runs_on(world, clock, 2026, 2, 17).unlocked == 0
    world.stripe.script_for("tok_stripe_cus_1", Succeed())
    assert _runs_on(world, clock, 2026, 2, 20).retried == 1
    assert _runs_on(world, clock, 2026, 2, 20).unlocked == 1
    assert [one for one in _open(world, contract.id) if one.startswith("course")][-1] == "course #6"


@pytest.mark.rule("R-083", "R-242")
def test_what_was_refunded_with_its_licence_opens_nothing_more(world: World, clock: ManualClock) -> None:
    contract = world.contract("stripe", BOUGHT)
    _runs_on(world, clock, 2026, 1, 22)
    sale = world.gateway.contracts.details(contract.id).entries[0]
    world.gateway.refunds.create(sale.id, remove_license=True)

    _runs_on(world, clock, 2026, 3, 1)
    assert _open(world, contract.id) == []


# --- taken over ------------------------------------------------------------------------------------------------------


def _imported(world: World, **changes: Any) -> str:
    known: dict[str, Any] = {
        "contract_id": "con_i", "customer": Customer("cus_i"), "plan": PACKAGE, "payment": Card("stripe", "tok_i"),
        "start_on": dt.date(2025, 11, 20), "expires_on": dt.date(2026, 1, 20),
    }  # fmt: skip
    row = NewContract(**{**known, **changes})
    assert world.gateway.contracts.import_many([row]).refused == ()
    return row.contract_id


@pytest.mark.rule("R-073", "R-082")
def test_a_contract_that_is_taken_over_has_its_content_open_and_goes_on_from_there(
    world: World, clock: ManualClock
) -> None:
    imported = _imported(world)
    assert _open(world, imported) == [
        "magazine 2025-11", "magazine 2025-12", *(f"course #{number}" for number in range(1, 10)),
    ]  # fmt: skip

    assert _runs_on(world, clock, 2026, 1, 15).unlocked == 0  # the ninth opened there, today
    report = _runs_on(world, clock, 2026, 1, 22)
    assert (report.renewed, report.unlocked) == (1, 1)
    assert _open(world, imported)[2:3] == ["magazine 2026-01"]
    assert _open(world, imported)[-1] == "course #10"


@pytest.mark.rule("R-074", "R-075", "R-242")
def test_the_content_of_the_last_payment_goes_with_its_refund(world: World, clock: ManualClock) -> None:
    paid_at = dt.datetime(2025, 12, 20, 9, 0, tzinfo=JST)
    imported = _imported(world, payment=BankTransfer(), last_paid_at=paid_at)
    row = world.gateway.ledger.list(contract_id=imported).first()
    assert row is not None
    world.gateway.refunds.create(row.id, remove_license=True)
    assert [one for one in _open(world, imported) if one.startswith("magazine")] == ["magazine 2025-11"]


@pytest.mark.rule("R-073")
def test_older_periods_can_be_left_out(world: World) -> None:
    imported = _imported(world, content_from=dt.date(2025, 12, 1))
    assert [one for one in _open(world, imported) if one.startswith("magazine")] == ["magazine 2025-12"]


@pytest.mark.rule("R-026", "R-081")
def test_what_is_not_paid_yet_is_taken_over_without_content(world: World) -> None:
    imported = _imported(world, payment=Manual(), status=Status.PENDING_PAYMENT, expires_on=None)
    assert _open(world, imported) == []
    world.gateway.contracts.confirm_payment(imported)
    assert _open(world, imported) == ["magazine 2025-11", "course #1"]
    world.gateway.billing.run()
    assert _open(world, imported)[-1] == "course #9"
