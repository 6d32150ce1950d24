"""Contracts and customers: identity, versions, pages, what is due."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from paygate.domain.contract import Actor, Cancellation, CancellationOrigin, Customer, PaymentMethod, Status
from paygate.errors import ChangedMeanwhile, InvalidValue
from paygate.store import Store

from .conftest import CUSTOMER, NOW, TODAY, contract


def test_a_contract_exists_from_its_insertion_on(shop: Store) -> None:
    with shop.write() as session:
        assert session.contracts.exists("con_1")
        assert not session.contracts.exists("con_2")
        session.contracts.insert(contract("con_2"))
        assert session.contracts.exists("con_2")


def test_an_id_is_used_once(shop: Store) -> None:
    with pytest.raises(InvalidValue, match="con_1"), shop.write() as session:
        session.contracts.insert(contract(status=Status.ACTIVE))
    with shop.read() as session:
        assert session.contracts.get("con_1").status is Status.CANCEL_SCHEDULED


def test_a_contract_needs_its_customer_when_the_transaction_ends_and_not_before(store: Store) -> None:
    with store.write() as session:
        session.contracts.insert(contract())
        session.customers.upsert(CUSTOMER)
    with pytest.raises(Exception, match=r"(?i)foreign key"), store.write() as session:
        session.contracts.insert(contract("con_2", customer_id="nobody"))
    with store.read() as session:
        assert not session.contracts.exists("con_2")


@pytest.mark.rule("R-268")
def test_an_update_counts_the_version_on(shop: Store) -> None:
    with shop.write() as session:
        stored = session.contracts.update(attrs.evolve(contract(), expires_on=None, cancellation=None, past_due=None))
    assert (stored.version, stored.cancellation, stored.past_due) == (2, None, None)
    with shop.read() as session:
        assert session.contracts.get("con_1") == stored


@pytest.mark.rule("R-268")
def test_the_second_of_two_updates_of_one_version_is_refused_and_changes_nothing(shop: Store) -> None:
    with shop.write() as session:
        session.contracts.update(contract(status=Status.TERMINATED))
    with pytest.raises(ChangedMeanwhile, match="con_1"), shop.write() as session:
        session.contracts.update(contract(status=Status.CANCELED))
    with shop.read() as session:
        assert session.contracts.get("con_1").status is Status.TERMINATED


def test_a_contract_that_is_gone_cannot_be_updated(shop: Store) -> None:
    with pytest.raises(ChangedMeanwhile, match="con_9"), shop.write() as session:
        session.contracts.update(contract("con_9"))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (Customer("cus_42"), CUSTOMER),
        (Customer("cus_42", name="鈴木"), Customer("cus_42", "鈴木", CUSTOMER.email)),
        (Customer("cus_42", email="new@example.com"), Customer("cus_42", CUSTOMER.name, "new@example.com")),
    ],
)
def test_an_empty_name_or_address_never_replaces_a_stored_one(shop: Store, given: Customer, kept: Customer) -> None:
    with shop.write() as session:
        session.customers.upsert(given)
        assert session.customers.get("cus_42") == kept


@pytest.fixture
def many(shop: Store) -> Store:
    with shop.write() as session:
        session.customers.upsert(Customer("cus_2"))
        session.contracts.insert(contract("con_2", customer_id="cus_2", account="stripe"))
        session.contracts.insert(contract("Con_3", status=Status.ACTIVE))
        session.contracts.insert(
            contract("con_10", method=PaymentMethod.MANUAL, account=None, credential=None, status=Status.ACTIVE)
        )
    return shop


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({}, ["Con_3", "con_1", "con_10", "con_2"]),
        ({"status": Status.ACTIVE}, ["Con_3", "con_10"]),
        ({"account": "univapay"}, ["Con_3", "con_1"]),
        ({"customer_id": "cus_2"}, ["con_2"]),
        ({"method": PaymentMethod.MANUAL}, ["con_10"]),
        ({"status": Status.ACTIVE, "account": "univapay"}, ["Con_3"]),
        ({"status": Status.TERMINATED}, []),
    ],
)
def test_contracts_are_listed_by_the_bytes_of_their_ids_and_counted(
    many: Store, filters: dict[str, Any], ids: list[str]
) -> None:
    with many.read() as session:
        assert [found.id for found in session.contracts.page(**filters)] == ids
        assert session.contracts.count(**filters) == len(ids)


def test_pages_follow_each_other_without_gap_or_repeat(many: Store) -> None:
    seen: list[str] = []
    with many.read() as session:
        while page := session.contracts.page(after=seen[-1] if seen else None, limit=3):
            seen += [found.id for found in page]
    assert seen == ["Con_3", "con_1", "con_10", "con_2"]


def _ending(on: dt.date) -> dict[str, Any]:
    return {
        "status": Status.CANCEL_SCHEDULED,
        "cancellation": Cancellation(CancellationOrigin.ADMIN, NOW, Actor.admin(), on),
    }


@pytest.mark.rule("R-041")
def test_what_is_due_is_found_by_its_date_the_longest_due_first(store: Store) -> None:
    yesterday, tomorrow = TODAY - dt.timedelta(days=1), TODAY + dt.timedelta(days=1)
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
        session.contracts.insert(contract("later", **_ending(tomorrow)))
        session.contracts.insert(contract("never", status=Status.TERMINATED))
        session.contracts.insert(contract("b", **_ending(TODAY)))
        session.contracts.insert(contract("a", **_ending(TODAY)))
        session.contracts.insert(contract("z", **_ending(yesterday)))
        session.contracts.insert(contract("new", status=Status.NOT_STARTED, start_on=TODAY, cancellation=None))

        first = session.contracts.due(TODAY, limit=2)
        rest = session.contracts.due(TODAY, after=first[-1])
        assert [found.id for found in first + rest] == ["z", "a", "b", "new"]

        session.contracts.update(attrs.evolve(first[0], status=Status.TERMINATED))
        assert "z" not in [found.id for found in session.contracts.due(TODAY)]
