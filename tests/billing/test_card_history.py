"""A card's history outlives the contracts that it belongs to, and a final no has no age (R-337, R-338)."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from paygate import JST, Card, ChargeState, Customer, Gateway, Status
from paygate.domain.retry_schedule import RetrySchedule
from paygate.errors import CardHeldBack, Refused
from paygate.store.database import create_engine
from paygate.testing import Decline

TOKEN = "tok_shared"
STOLEN = Decline("stolen_card", network="visa")


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def delete(world, contract):
    world.gateway.contracts.delete(contract.id, confirm=contract.id, reason="the customer left")


def charged(world, account="stripe"):
    return [call for call in world.fake(account).calls if call.hook == "charge"]


@pytest.mark.rule("R-337", "R-331")
def test_a_stolen_card_is_not_sent_again_once_the_contract_that_learnt_of_it_is_deleted(world):
    learnt, other = (world.contract("stripe", customer=f"cus_{n}", token=TOKEN) for n in range(2))
    world.stripe.next(STOLEN)
    world.charge(learnt, 500)
    delete(world, learnt)
    world.stripe.calls.clear()
    at(world, "2026-02-15T03:00:00")

    report = world.gateway.billing.run()

    assert (report.held_back, charged(world)) == (1, [])
    assert world.gateway.contracts.get(other.id).status is Status.PAST_DUE
    with pytest.raises(CardHeldBack):
        world.gateway.contracts.create(Customer("cus_9", "九"), world.plan, Card("stripe", TOKEN))


@pytest.mark.rule("R-337", "R-331")
def test_deleting_contracts_gives_a_card_no_attempts_back(world):
    world.gateway.close()
    world.options["schedules"] = {"stripe": RetrySchedule((1,) * 25)}
    world.gateway = Gateway(**world.options)
    contracts = [world.contract("stripe", customer=f"cus_{n}", token=TOKEN) for n in range(3)]
    world.stripe.script_for(TOKEN, Decline("insufficient_funds", network="visa"))
    at(world, "2026-02-15T03:00:00")
    sent = 0
    for day in range(25):
        world.stripe.calls.clear()
        world.gateway.billing.run()
        sent += len(charged(world))
        world.clock.advance(days=1)
        if day in {6, 12}:
            delete(world, contracts[day // 10])

    assert sent == 16  # the first attempt, and fifteen more within 30 days


@pytest.mark.rule("R-337", "R-205")
def test_the_providers_window_remembers_the_attempt_of_a_deleted_contract(world):
    first, second = (world.contract("univapay", customer=f"cus_{n}", token=TOKEN) for n in range(2))
    world.clock.advance(minutes=1)
    world.deliver("univapay")
    world.univapay.next(Decline("306"))
    world.charge(first, 700)
    world.clock.advance(seconds=5)
    world.deliver("univapay")
    delete(world, first)

    with pytest.raises(Refused, match="for the same stored card"):
        world.charge(second, 700)


@pytest.mark.rule("R-337", "R-252")
def test_what_is_kept_of_a_card_names_no_person_and_no_contract(world):
    contract = world.contract("stripe", customer="cus_yamada", token=TOKEN)
    world.stripe.next(STOLEN)
    charge = world.charge(contract, 500)
    delete(world, contract)

    engine = create_engine(world.url)
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(sa.text("SELECT * FROM paygate_card_attempts")).mappings()]
    engine.dispose()

    assert [row["state"] for row in rows] == ["SUCCEEDED", "FAILED"]
    assert (rows[1]["id"], rows[1]["failure_code"], rows[1]["network"], rows[1]["amount"]) == (
        charge.id,
        "stolen_card",
        "visa",
        500,
    )
    kept = " ".join(str(value) for row in rows for value in row.values())
    for word in ("cus_yamada", contract.id, TOKEN, "the customer left"):
        assert word not in kept


@pytest.mark.rule("R-338", "R-331")
@pytest.mark.parametrize("deleted", [False, True])
def test_a_final_no_does_not_expire(world, deleted):
    learnt = world.contract("stripe", customer="cus_1", token=TOKEN)
    world.stripe.next(STOLEN)
    world.charge(learnt, 500)
    if deleted:
        delete(world, learnt)
    world.clock.advance(days=800)

    with pytest.raises(CardHeldBack, match="will not work"):
        world.gateway.contracts.create(Customer("cus_2", "二"), world.plan, Card("stripe", TOKEN))


@pytest.mark.rule("R-338", "R-404")
def test_a_final_no_ends_with_the_credential(world):
    contract = world.contract("stripe", customer="cus_1", token=TOKEN)
    world.stripe.next(STOLEN)
    world.charge(contract, 500)
    world.clock.advance(days=10)

    world.gateway.contracts.change_payment(contract.id, Card("stripe", "tok_new"))

    assert world.charge(contract, 500).state is ChargeState.SUCCEEDED
