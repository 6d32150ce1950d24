"""Charge attempts: one at a time, each key once, and the facts behind a decision."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from paygate.domain.charge import ChargeKind, ChargeState, Failure
from paygate.domain.ledger import EntryKind, EntryState
from paygate.errors import ChargeInProgress, IdempotencyConflict, InvalidValue
from paygate.money import Money
from paygate.store import Draft, Store

from .conftest import CUSTOMER, NOW, charge, contract, entry

DONE = {"state": ChargeState.SUCCEEDED, "failure": None}
MINUTE = dt.timedelta(minutes=1)


@pytest.mark.rule("R-189", "R-193")
@pytest.mark.parametrize("state", [ChargeState.PENDING, ChargeState.UNKNOWN])
def test_a_second_open_attempt_for_the_same_purpose_is_refused(shop: Store, state: ChargeState) -> None:
    with shop.write() as session:
        session.charges.insert(charge("c1", state=state))
    with pytest.raises(ChargeInProgress, match="con_1"), shop.write() as session:
        session.charges.insert(charge("c2"))
    with shop.read() as session:
        assert session.charges.page() == [charge("c1", state=state)]


@pytest.mark.rule("R-189")
def test_an_attempt_that_has_ended_or_has_another_purpose_or_contract_blocks_nobody(shop: Store) -> None:
    with shop.write() as session:
        session.charges.insert(charge("c1", **DONE))
        session.charges.insert(charge("c2", state=ChargeState.FAILED))
        session.charges.insert(charge("c3"))
        session.charges.insert(charge("c4", kind=ChargeKind.PERIOD))
        session.charges.insert(charge("c5", contract_id="con_2"))
        assert len(session.charges.page()) == 5


@pytest.mark.rule("R-190")
def test_an_idempotency_key_makes_one_attempt_per_account(shop: Store) -> None:
    with shop.write() as session:
        session.charges.insert(charge("c1", idempotency_key="order-77", **DONE))
        session.charges.insert(charge("c2", idempotency_key="order-77", account="stripe", **DONE))
    with pytest.raises(IdempotencyConflict, match="order-77"), shop.write() as session:
        session.charges.insert(charge("c3", contract_id="con_2", idempotency_key="order-77"))
    with shop.read() as session:
        assert session.charges.by_key("univapay", "order-77") == charge("c1", idempotency_key="order-77", **DONE)
        assert session.charges.by_key("stripe", "order-78") is None


def test_the_id_of_an_attempt_is_used_once(shop: Store) -> None:
    with shop.write() as session:
        session.charges.insert(charge("c1", **DONE))
    with pytest.raises(InvalidValue, match="c1"), shop.write() as session:
        session.charges.insert(charge("c1", idempotency_key="other", **DONE))


def test_a_draft_needs_the_customer_and_contract_of_nobody_else_yet(store: Store) -> None:
    with store.write() as session:
        session.charges.insert(charge("c1", kind=ChargeKind.INITIAL), Draft(CUSTOMER, contract()))
        session.charges.drop_draft("c1")
        assert session.charges.draft("c1") is None
        session.charges.drop_draft("c1")  # what is not there need not be dropped


@pytest.mark.rule("R-193")
def test_an_outcome_is_stored_and_what_was_asked_for_stays(shop: Store) -> None:
    with shop.write() as session:
        session.charges.insert(charge("c1"))
        settled = attrs.evolve(
            charge("c1"),
            state=ChargeState.SUCCEEDED,
            reference="ch_9",
            action_url=None,
            settled_at=NOW + MINUTE,
            charged_at=NOW,
            previous_expires_on=None,
            expires_on=dt.date(2027, 4, 30),
            failure=None,
            operator_told=False,
        )
        session.charges.update(attrs.evolve(settled, amount=Money(1, "JPY"), idempotency_key="forged"))
        assert session.charges.get("c1") == settled


def test_attempts_are_found_by_reference_and_by_purpose(shop: Store) -> None:
    with shop.write() as session:
        session.charges.insert(charge("c1", reference="ch_1"))
        assert session.charges.by_reference("univapay", "ch_1") == charge("c1", reference="ch_1")
        assert session.charges.by_reference("stripe", "ch_1") is None
        assert session.charges.open_for("con_1", ChargeKind.ADDON) == charge("c1", reference="ch_1")
        assert session.charges.open_for("con_1", ChargeKind.PERIOD) is None
        session.charges.update(charge("c1", **DONE))
        assert session.charges.open_for("con_1", ChargeKind.ADDON) is None


@pytest.fixture
def many(shop: Store) -> Store:
    states = [ChargeState.UNKNOWN, ChargeState.SUCCEEDED, ChargeState.PENDING, ChargeState.FAILED, ChargeState.PENDING]
    with shop.write() as session:
        # the ids fall while the rows are written: the order is that of writing
        for number, state in enumerate(states):
            account = "stripe" if number == 3 else "univapay"
            session.charges.insert(charge(f"c{9 - number}", contract_id=f"con_{number}", state=state, account=account))
    return shop


@pytest.mark.rule("R-193")
def test_unsettled_attempts_are_listed_oldest_first(many: Store) -> None:
    with many.read() as session:
        assert [found.id for found in session.charges.unsettled(None, 10)] == ["c9", "c7", "c5"]
        assert [found.id for found in session.charges.unsettled(None, 2)] == ["c9", "c7"]
        assert [found.id for found in session.charges.unsettled("c7", 2)] == ["c5"]
        assert session.charges.unsettled("c5", 2) == []


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({}, ["c9", "c8", "c7", "c6", "c5"]),
        ({"after": "c7"}, ["c6", "c5"]),
        ({"after": "c9", "limit": 2}, ["c8", "c7"]),
        ({"contract_id": "con_1"}, ["c8"]),
        ({"account": "stripe"}, ["c6"]),
        ({"state": ChargeState.PENDING, "after": "c9"}, ["c7", "c5"]),
    ],
)
def test_attempts_are_listed_newest_last(many: Store, filters: dict[str, Any], ids: list[str]) -> None:
    with many.read() as session:
        assert [found.id for found in session.charges.page(**filters)] == ids


def _facts(store: Store, amount: int = 5000) -> tuple[dt.datetime | None, str | None, dt.datetime | None]:
    with store.read() as session:
        seen = session.cards.facts(contract(), Money(amount, "JPY"), "0123abcd")
    return seen.last_paid_at, seen.open_charge, seen.similar_at


def test_without_history_there_are_no_facts(shop: Store) -> None:
    assert _facts(shop) == (None, None, None)


@pytest.mark.rule("R-197", "R-201")
@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        pytest.param({}, True, id="an additional charge"),
        pytest.param({"kind": EntryKind.INITIAL_FEE}, True, id="an initial fee"),
        pytest.param({"kind": EntryKind.PERIOD}, True, id="a period"),
        pytest.param({"contract_id": "con_2"}, True, id="another contract of the customer"),
        pytest.param({"state": EntryState.REFUND_PENDING}, True, id="being refunded"),
        pytest.param({"state": EntryState.REFUNDED}, True, id="refunded later"),
        pytest.param({"amount": Money(0, "JPY")}, False, id="zero yen"),
        pytest.param({"state": EntryState.UNPAID}, False, id="unpaid"),
        pytest.param({"state": EntryState.VOID}, False, id="void"),
        pytest.param({"kind": EntryKind.REFUND, "state": EntryState.DONE}, False, id="a refund"),
        pytest.param({"customer_id": "cus_43"}, False, id="another customer"),
        pytest.param({"account": "stripe"}, False, id="another account"),
        pytest.param({"account": None}, False, id="by bank transfer"),
    ],
)
def test_the_last_payment_is_the_last_that_really_took_money(
    shop: Store, changes: dict[str, Any], counts: bool
) -> None:
    before, later = NOW - dt.timedelta(days=400), NOW + dt.timedelta(days=1)
    with shop.write() as session:
        session.contracts.insert(contract("con_2"))
        session.ledger.insert(entry("e1", received_at=NOW))
        session.ledger.insert(entry("e0", received_at=before))
        session.ledger.insert(attrs.evolve(entry("e2", received_at=later), **changes))
        expected = later if counts else NOW
        assert session.ledger.last_paid_at("cus_42", "univapay") == expected
    assert _facts(shop)[0] == expected


@pytest.mark.rule("R-189")
@pytest.mark.parametrize(
    ("changes", "blocks"),
    [
        ({}, True),
        ({"state": ChargeState.UNKNOWN}, True),
        ({"state": ChargeState.SUCCEEDED}, False),
        ({"kind": ChargeKind.PERIOD}, False),
        ({"contract_id": "con_2"}, False),
    ],
)
def test_an_open_additional_charge_of_the_contract_is_a_fact(
    shop: Store, changes: dict[str, Any], blocks: bool
) -> None:
    with shop.write() as session:
        session.charges.insert(charge("c1", **changes))
    assert _facts(shop)[1] == ("c1" if blocks else None)


@pytest.mark.rule("R-205")
@pytest.mark.parametrize(
    ("changes", "similar"),
    [
        pytest.param({}, True, id="pending"),
        pytest.param(DONE, True, id="succeeded"),
        pytest.param({"state": ChargeState.FAILED, "failure": None}, True, id="failed without a reason"),
        pytest.param({"state": ChargeState.FAILED, "failure": Failure(sent=True)}, True, id="declined"),
        pytest.param({"state": ChargeState.FAILED, "failure": Failure(sent=False)}, False, id="never sent"),
        pytest.param({"state": ChargeState.UNKNOWN, "failure": Failure(sent=False)}, True, id="unknown"),
        pytest.param({"contract_id": "con_2"}, True, id="another contract"),
        pytest.param({"amount": Money(5001, "JPY")}, False, id="another amount"),
        pytest.param({"amount": Money(5000, "USD")}, False, id="another currency"),
        pytest.param({"credential_hash": "other"}, False, id="another card"),
        pytest.param({"account": "stripe"}, False, id="another account"),
    ],
)
def test_the_last_similar_attempt_is_a_fact(shop: Store, changes: dict[str, Any], similar: bool) -> None:
    with shop.write() as session:
        session.charges.insert(charge("c0", created_at=NOW - MINUTE, contract_id="con_0", **DONE))
        session.charges.insert(charge("c1", **{"created_at": NOW, **changes}))
    assert _facts(shop)[2] == (NOW if similar else NOW - MINUTE)
