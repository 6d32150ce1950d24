"""What was read a moment ago is read again in a cheaper way, and never missed when somebody has changed it."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from paygate.domain.charge import ChargeState, Failure
from paygate.domain.contract import Status
from paygate.errors import NotFound
from paygate.provider import DeclineClass
from paygate.store import Store

from .conftest import NOW, charge, contract

DAY = dt.date(2026, 3, 1)


@pytest.mark.rule("R-268")
def test_a_contract_that_nobody_changed_is_the_one_that_is_known(shop: Store) -> None:
    with shop.read() as session:
        known = session.contracts.get("con_1")
    with shop.write() as session:
        assert session.contracts.lock_again(known) is known


@pytest.mark.rule("R-268")
def test_a_contract_that_was_changed_meanwhile_is_read_anew(shop: Store) -> None:
    with shop.read() as session:
        known = session.contracts.get("con_1")
    with shop.write() as session:
        changed = session.contracts.update(contract(status=Status.TERMINATED))
    with shop.write() as session:
        assert session.contracts.lock_again(known) == changed


def test_a_contract_that_is_gone_cannot_be_locked_again(shop: Store) -> None:
    with pytest.raises(NotFound, match="con_2"), shop.write() as session:
        session.contracts.lock_again(contract("con_2"))


def test_an_attempt_that_nobody_touched_is_the_one_that_is_known(shop: Store) -> None:
    known = charge("c1")
    with shop.write() as session:
        session.charges.insert(known)
    with shop.write() as session:
        assert session.charges.get_again(known)[0] is known


@pytest.mark.parametrize(
    "change",
    [
        {"state": ChargeState.UNKNOWN},
        {"reference": "ch_9"},
        {"action_url": "https://bank.example/3ds"},
        {"settled_at": NOW},
        {"charged_at": NOW},
        {"previous_expires_on": DAY},
        {"expires_on": DAY},
        {"failure": Failure("51", "no funds", DeclineClass.SOFT, sent=True)},
        {"network": "visa"},
        {"advice_code": "03"},
        {"operator_told": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_the_outcome_changes_is_noticed(shop: Store, change: dict[str, object]) -> None:
    known = charge("c1", state=ChargeState.PENDING, failure=None, reference=None, expires_on=None, settled_at=None)
    known = attrs.evolve(
        known, charged_at=None, previous_expires_on=None, network=None, advice_code=None, operator_told=False
    )
    with shop.write() as session:
        session.charges.insert(known)
    with shop.write() as session:
        session.charges.update(attrs.evolve(known, **change))
    with shop.write() as session:
        assert session.charges.get_again(known)[0] == attrs.evolve(known, **change) != known


def test_an_attempt_that_is_gone_cannot_be_read_again(shop: Store) -> None:
    with pytest.raises(NotFound, match="c9"), shop.read() as session:
        session.charges.get_again(charge("c9"))
