"""Drafts that wait for a subscription, and contracts whose provider has still to be asked or told about theirs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import attrs
import pytest

from paygate.domain.contract import Cancellation, CancellationOrigin, Customer, Status
from paygate.domain.subscription import Subscription, SubscriptionState
from paygate.errors import IdempotencyConflict
from paygate.store import Draft, Store, contracts, drafts
from paygate.store.statements import Statement

from .conftest import CUSTOMER, NOW, charge, contract
from .test_schema import _sqlite_plan

HANAKO = Customer("cus_42", "山田花子", "hanako@example.com")
STARTING = Subscription(SubscriptionState.STARTING, dt.date(2026, 2, 28), asked_at=NOW)


def draft(contract_id: str = "con_9") -> Draft:
    return Draft(HANAKO, contract(contract_id, customer_id="cus_42", subscription=STARTING))


def test_a_draft_waits_under_the_id_of_its_contract_until_it_is_dropped(store: Store) -> None:
    with store.write() as session:
        session.drafts.insert(draft())
    with store.write() as session:
        assert session.drafts.get("con_9") == draft()
        assert not session.contracts.exists("con_9")
        session.drafts.drop("con_9")
        assert session.drafts.get("con_9") is None


def test_a_second_draft_of_one_contract_is_refused(store: Store) -> None:
    with store.write() as session:
        session.drafts.insert(draft())
    with pytest.raises(IdempotencyConflict, match="con_9"), store.write() as session:
        session.drafts.insert(draft())


def test_a_draft_of_a_first_payment_is_none_of_them(store: Store) -> None:
    with store.write() as session:
        session.charges.insert(charge(contract_id="con_9", customer_id="cus_42"), draft())
        session.drafts.insert(draft())
        session.drafts.drop("con_9")
    with store.read() as session:
        assert (session.drafts.get("con_9"), session.drafts.page(None, 10)) == (None, [])
        assert session.charges.draft("c1") == draft()


def test_only_who_has_read_the_latest_state_of_a_draft_may_change_it(store: Store) -> None:
    idle = attrs.evolve(STARTING, asked_at=None, operator_told=True)
    with store.write() as session:
        session.drafts.insert(draft())
        changed = session.drafts.update(draft(), idle)
        assert session.drafts.update(draft(), STARTING) is None
        assert changed is not None
        assert session.drafts.get("con_9") == changed
        assert (changed.contract.subscription, changed.contract.version) == (idle, 2)
        session.drafts.drop("con_9")
        assert session.drafts.update(changed, STARTING) is None


def test_drafts_come_in_pages(store: Store) -> None:
    with store.write() as session:
        for number in (3, 1, 2):
            session.drafts.insert(draft(f"con_{number}"))
    with store.read() as session:
        first, second = session.drafts.page(None, 2), session.drafts.page("con_2", 2)

    assert [each.contract.id for each in (*first, *second)] == ["con_1", "con_2", "con_3"]


STATES = SubscriptionState
SCHEDULED = Cancellation(CancellationOrigin.ADMIN, NOW, contract().created_by, dt.date(2027, 1, 31))
PRODUCT_END = attrs.evolve(SCHEDULED, origin=CancellationOrigin.PRODUCT_END)


@pytest.mark.parametrize(
    ("state", "status", "cancellation", "found"),
    [
        (STATES.STARTING, Status.ACTIVE, None, True),
        (STATES.STARTING, Status.TERMINATED, None, True),
        (STATES.RUNNING, Status.ACTIVE, None, False),
        (STATES.RUNNING, Status.CANCEL_SCHEDULED, SCHEDULED, False),
        (STATES.RUNNING, Status.CANCEL_SCHEDULED, PRODUCT_END, True),
        (STATES.ENDING, Status.CANCEL_SCHEDULED, PRODUCT_END, False),
        (STATES.ENDING, Status.TERMINATED, None, True),
        (STATES.RUNNING, Status.CANCELED, None, True),
        (STATES.ENDED, Status.TERMINATED, None, False),
        (STATES.REFUSED, Status.ACTIVE, None, False),
        (None, Status.TERMINATED, None, False),
    ],
)
def test_what_is_out_of_step_is_found(
    store: Store, state: SubscriptionState | None, status: Status, cancellation: Cancellation | None, found: bool
) -> None:
    subscription = state and attrs.evolve(STARTING, state=state)
    made = contract(status=status, cancellation=cancellation, subscription=subscription)
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
        session.contracts.insert(made)
    with store.read() as session:
        listed = session.contracts.open_subscriptions(None, 10)
        after = session.contracts.open_subscriptions(made.id, 10)

    assert (listed, after) == ([made] if found else [], [])


def test_both_are_found_by_an_index(store: Store, tmp_path: Path) -> None:
    with store.read() as session:
        session.contracts.open_subscriptions(None, 10)
        session.drafts.page("con_1", 10)
    waiting: Statement = contracts._SUBSCRIPTIONS._pages[()]
    starting: Statement = drafts._PAGES._pages["after",]

    assert "paygate_contracts_subscriptions" in _sqlite_plan(tmp_path, waiting, {})
    assert "SCAN" not in _sqlite_plan(tmp_path, starting, {"after": "con_1"})
