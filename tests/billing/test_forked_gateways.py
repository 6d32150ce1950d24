"""A gateway that was opened, and used, before the process forked: workers charge at the same time as each other."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

import pytest

from paygate import ChargeState, Money
from paygate.domain.ledger import EntryKind
from paygate.provider import DeclineClass
from paygate.testing import Decline

from ..forking import Child, forked
from .conftest import World

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

WORKERS = 4
CHARGES = 5  # declined ones stay below the strictest limit of a network on one card


def _charges(world: World, contract_id: str) -> list[tuple[str, ChargeState]]:
    made = []
    for number in range(CHARGES):
        world.clock.advance(minutes=1)
        charge = world.gateway.charges.create(
            contract_id, Money(5000, "JPY"), consent="phone", idempotency_key=f"{contract_id}-{number}"
        )
        assert world.gateway.charges.get(charge.id) == charge
        made.append((charge.id, charge.state))
    return made


@pytest.mark.rule("R-290", "R-194")
def test_workers_with_equal_prices_record_their_own_answers(world: World) -> None:
    contracts = [world.contract("stripe", customer=f"cus_{number}") for number in range(WORKERS)]
    for poor in contracts[::2]:
        world.stripe.script_for(poor.credential or "", Decline("insufficient_funds", DeclineClass.SOFT))
    mine = world.contract("stripe", customer="cus_mine")

    def work(contract_id: str) -> Any:
        return lambda: _charges(world, contract_id)

    workers = [Child(work(contract.id)) for contract in contracts]
    parents = _charges(world, mine.id)
    results = [worker.result() for worker in workers]

    assert {state for _, state in parents} == {ChargeState.SUCCEEDED}
    for number, (contract, made) in enumerate(zip(contracts, results, strict=True)):
        wanted = ChargeState.SUCCEEDED if number % 2 else ChargeState.FAILED
        assert [state for _, state in made] == [wanted] * CHARGES
        stored = world.gateway.charges.list(contract_id=contract.id).all()
        assert {charge.id: charge.state for charge in stored if charge.id in dict(made)} == dict(made)
        rows = [row for row in world.gateway.ledger.list(contract_id=contract.id) if row.kind is EntryKind.ADDON]
        assert len(rows) == (CHARGES if number % 2 else 0)


@pytest.mark.rule("R-290")
def test_a_pool_of_forked_processes_charges(world: World) -> None:
    contract = world.contract("stripe")
    pool = multiprocessing.get_context("fork").Pool

    def charge(number: int) -> str:
        made = world.gateway.charges.create(
            contract.id, Money(5000 + number, "JPY"), consent="phone", idempotency_key=f"job-{number}"
        )
        return str(made.state.value)

    _jobs.append(charge)
    with pool(1) as workers:
        assert workers.map(_job, range(5)) == ["SUCCEEDED"] * 5
    assert len(world.gateway.charges.list(contract_id=contract.id).all()) == 6


_jobs: list[Any] = []


def _job(number: int) -> str:
    return str(_jobs[-1](number))


@pytest.mark.rule("R-290")
def test_a_worker_whose_parent_keeps_its_database_in_memory_is_told_so(faces: World) -> None:
    contract = faces.contract("stripe")

    said = forked(lambda: faces.gateway.contracts.get(contract.id))

    assert said.startswith("StoreForked: a database in memory stays in the process that made it")
    assert faces.gateway.contracts.get(contract.id) == contract
