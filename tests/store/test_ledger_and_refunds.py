"""Ledger rows change state and nothing else; refunds point to them."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from paygate.domain.charge import RefundState
from paygate.domain.ledger import EntryKind, EntryState
from paygate.domain.licences import LicenseState
from paygate.errors import ChangedMeanwhile, IdempotencyConflict, InvalidValue
from paygate.store import Store

from .conftest import NOW, TODAY, charge, contract, entry, licence, record, refund

PERIOD = {"kind": EntryKind.PERIOD}


def test_a_period_is_charged_once(shop: Store) -> None:
    with shop.write() as session:
        session.ledger.insert(entry("e1", **PERIOD))
    with pytest.raises(ChangedMeanwhile, match="2026-11-22"), shop.write() as session:
        session.ledger.insert(entry("e2", **PERIOD))
    with shop.read() as session:
        assert session.ledger.for_contract("con_1") == [entry("e1", **PERIOD)]


def test_a_void_period_may_be_followed_by_another_and_not_come_back_beside_it(shop: Store) -> None:
    with shop.write() as session:
        session.ledger.insert(entry("e1", **PERIOD))
        session.ledger.set_state("e1", EntryState.VOID)
        session.ledger.insert(entry("e2", **PERIOD))
    with pytest.raises(ChangedMeanwhile, match="e1"), shop.write() as session:
        session.ledger.set_state("e1", EntryState.SUCCEEDED)


def test_other_days_kinds_and_contracts_have_rows_of_their_own(shop: Store) -> None:
    with shop.write() as session:
        session.contracts.insert(contract("con_2"))
        session.ledger.insert_many(
            [
                entry("e1", **PERIOD),
                entry("e2", target_on=TODAY + dt.timedelta(days=1), **PERIOD),
                entry("e3", contract_id="con_2", **PERIOD),
                entry("e4"),
                entry("e5"),
            ]
        )
        assert len(session.ledger.page()) == 5


def test_the_id_of_a_row_is_used_once(shop: Store) -> None:
    with shop.write() as session:
        session.ledger.insert(entry("e1"))
    with pytest.raises(InvalidValue, match="e1"), shop.write() as session:
        session.ledger.insert(entry("e1"))


@pytest.mark.rule("R-235", "R-250")
def test_a_change_of_state_keeps_what_is_not_given(shop: Store) -> None:
    with shop.write() as session:
        session.ledger.insert(entry("e1", done_on=None))
        session.ledger.set_state("e1", EntryState.REFUND_PENDING)
        assert session.ledger.get("e1") == entry("e1", state=EntryState.REFUND_PENDING, done_on=None)
        session.ledger.set_state("e1", EntryState.REFUNDED, remarks="済", reference="re_1", done_on=TODAY)
        assert session.ledger.get("e1") == entry(
            "e1", state=EntryState.REFUNDED, remarks="済", reference="re_1", done_on=TODAY
        )


@pytest.mark.rule("R-238")
def test_rows_are_found_by_contract_customer_charge_and_what_they_refund(shop: Store) -> None:
    # written in an order that is not that of their ids
    rows = [entry("e9"), entry("e2", refunds="e9", charge_id=None), entry("e5", customer_id="cus_7", charge_id="c2")]
    with shop.write() as session:
        session.charges.insert(charge("c1"))
        session.ledger.insert_many(rows)
    with shop.read() as session:
        assert session.ledger.for_contract("con_1") == rows
        assert session.ledger.for_contract("con_2") == []
        assert session.ledger.for_charge("c1") == rows[:1]
        assert session.ledger.refunds_of("e9") == rows[1:2]
        assert session.ledger.page(customer_id="cus_42") == rows[:2]
        assert session.ledger.page(contract_id="con_1", after="e9", limit=1) == rows[1:2]
        assert session.ledger.page(contract_id="con_1", after="e5") == []


@pytest.mark.rule("R-096", "R-250")
def test_manual_refunds_are_due_until_they_are_done(shop: Store) -> None:
    due = {"kind": EntryKind.MANUAL_REFUND_DUE, "state": EntryState.PENDING, "done_on": None}
    with shop.write() as session:
        session.ledger.insert(entry("e0"))
        session.ledger.insert(entry("e1", **due))
        session.ledger.insert(entry("e2", target_on=TODAY - dt.timedelta(days=3), **due))
        assert [row.id for row in session.ledger.dues()] == ["e2", "e1"]
        session.ledger.set_state("e2", EntryState.DONE, done_on=TODAY)
        assert [row.id for row in session.ledger.dues()] == ["e1"]


@pytest.mark.rule("R-201")
def test_nobody_has_paid_before_the_first_payment(shop: Store) -> None:
    with shop.read() as session:
        assert session.ledger.last_paid_at("cus_42", "univapay") is None


@pytest.fixture
def refunding(shop: Store) -> Store:
    with shop.write() as session:
        session.ledger.insert_many([entry("e1"), entry("e2", refunds="e1")])
        session.refunds.insert(refund("r2"))
        session.refunds.insert(refund("r1", account=None, state=RefundState.UNKNOWN))
        session.refunds.insert(refund("r3", state=RefundState.DONE))
    return shop


def test_refunds_are_found_by_key_reference_and_row(refunding: Store) -> None:
    with refunding.read() as session:
        assert session.refunds.by_key("univapay", "key-r2") == refund("r2")
        assert session.refunds.by_key("univapay", "key-r1") is None
        by_hand = refund("r1", account=None, state=RefundState.UNKNOWN)
        assert session.refunds.by_key("", "key-r1") == session.refunds.by_key(None, "key-r1") == by_hand
        assert session.refunds.by_reference("univapay", "ref-r3") == refund("r3", state=RefundState.DONE)
        assert session.refunds.by_reference("univapay", "ref-r9") is None
        assert [found.id for found in session.refunds.for_entry("e1")] == ["r2", "r1", "r3"]
        assert session.refunds.for_entry("e2") == []


def test_refunds_are_listed_in_the_order_of_writing(refunding: Store) -> None:
    with refunding.read() as session:
        assert [found.id for found in session.refunds.unsettled(None, 10)] == ["r2", "r1"]
        assert [found.id for found in session.refunds.unsettled("r2", 10)] == ["r1"]
        assert [found.id for found in session.refunds.page(contract_id="con_1", after="r2")] == ["r1", "r3"]
        assert [found.id for found in session.refunds.page(state=RefundState.DONE, account="univapay")] == ["r3"]


@pytest.mark.rule("R-190")
def test_the_key_and_the_id_of_a_refund_are_used_once(refunding: Store) -> None:
    with pytest.raises(IdempotencyConflict, match="key-r2"), refunding.write() as session:
        session.refunds.insert(refund("r9", idempotency_key="key-r2"))
    with pytest.raises(InvalidValue, match="r2"), refunding.write() as session:
        session.refunds.insert(refund("r2", idempotency_key="other"))


def test_a_refund_needs_the_rows_it_speaks_of(refunding: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)foreign key"), refunding.write() as session:
        session.refunds.insert(refund("r9", entry_id="nothing"))


def test_the_outcome_of_a_refund_is_stored_and_what_was_asked_for_stays(refunding: Store) -> None:
    done = attrs.evolve(
        refund("r2"), state=RefundState.DONE, reference="re_1", settled_at=NOW + dt.timedelta(days=1), failure=None
    )
    with refunding.write() as session:
        session.refunds.update(attrs.evolve(done, reason="forged"))
        assert session.refunds.get("r2") == done


def test_a_licence_that_is_known_takes_its_new_state_and_keeps_its_place(shop: Store) -> None:
    with shop.write() as session:
        session.licences.insert_many([licence("l9"), licence("l1")])
        session.licences.insert_many([licence("l9", state=LicenseState.REMOVED, product="other"), licence("l5")])
        session.licences.set_state("l1", LicenseState.ACTIVE)
        session.licences.insert_many([])
        assert session.licences.for_contract("con_1") == [
            licence("l9", state=LicenseState.REMOVED),
            licence("l1", state=LicenseState.ACTIVE),
            licence("l5"),
        ]
        assert session.licences.for_contract("con_2") == []


@pytest.mark.rule("R-266")
def test_audit_records_are_listed_in_the_order_of_writing(shop: Store) -> None:
    with shop.write() as session:
        session.audit.insert_many([record("a9"), record("a1", contract_id=None), record("a5")])
    with shop.read() as session:
        assert [found.id for found in session.audit.page()] == ["a9", "a1", "a5"]
        assert [found.id for found in session.audit.page(contract_id="con_1", after="a9")] == ["a5"]
        assert [found.id for found in session.audit.page(limit=1)] == ["a9"]
