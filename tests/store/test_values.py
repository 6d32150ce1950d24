"""What is stored comes back: every field, exact instants, any text; and secrets stay out of sight."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import freezegun
import pytest

from paygate.clock import SystemClock
from paygate.domain.charge import Charge, ChargeKind, Failure
from paygate.domain.contract import Actor, Contract, Customer, Money, PaymentMethod, Plan, Status
from paygate.errors import NaiveDatetime, NotFound
from paygate.store import Draft, Store

from .conftest import CUSTOMER, NOW, TODAY, TOKEN, charge, contract, entry, licence, mail, record, refund


def test_a_contract_comes_back_as_it_was(shop: Store) -> None:
    with shop.read() as session:
        assert session.contracts.get("con_1") == contract()


def test_a_contract_with_nothing_optional_comes_back_as_it_was(shop: Store) -> None:
    bare = Contract(
        "con_2", CUSTOMER.id, Plan.one_off("本", Money(1, "JPY")), PaymentMethod.MANUAL, Status.ESTABLISHED,
        TODAY, NOW, Actor.admin(),
    )  # fmt: skip
    with shop.write() as session:
        session.contracts.insert(bare)
    with shop.read() as session:
        assert session.contracts.get("con_2") == bare


def test_a_customer_comes_back_as_it_was(shop: Store) -> None:
    with shop.read() as session:
        assert session.customers.get("cus_42") == CUSTOMER


def test_a_charge_comes_back_as_it_was(shop: Store) -> None:
    bare = Charge(
        "c2", "con_1", "cus_42", "univapay", ChargeKind.PERIOD, Money(1, "JPY"), "k", "f", created_at=NOW
    )  # fmt: skip
    with shop.write() as session:
        session.charges.insert(charge())
        session.charges.insert(bare)
    with shop.read() as session:
        assert session.charges.get("c1") == charge()
        assert session.charges.get("c2") == bare


def test_ledger_rows_and_refunds_come_back_as_they_were(shop: Store) -> None:
    back = entry("e2", refunds="e1")
    by_hand = refund("r2", account=None, failure=None, reference=None, settled_at=None)
    with shop.write() as session:
        session.ledger.insert_many([entry(), back])
        session.refunds.insert(refund())
        session.refunds.insert(by_hand)
    with shop.read() as session:
        assert session.ledger.for_contract("con_1") == [entry(), back]
        assert session.refunds.get("r1") == refund()
        assert session.refunds.get("r2") == by_hand


def test_mails_licences_and_audit_records_come_back_as_they_were(shop: Store) -> None:
    with shop.write() as session:
        session.step_mails.insert_many([mail(), mail("m2", charge_id=None, sent_at=None)])
        session.licences.insert_many([licence()])
        session.audit.insert_many([record(), record("a2", contract_id=None, before={}, after={})])
    with shop.read() as session:
        assert session.step_mails.page() == [mail(), mail("m2", charge_id=None, sent_at=None)]
        assert session.licences.for_contract("con_1") == [licence()]
        assert session.audit.page() == [record(), record("a2", contract_id=None, before={}, after={})]


@pytest.mark.rule("R-013")
def test_a_draft_comes_back_as_it_was(store: Store) -> None:
    draft = Draft(Customer("cus_9", "佐藤", "s@example.com"), contract("con_9", customer_id="cus_9"))
    with store.write() as session:
        session.charges.insert(charge(contract_id="con_9", customer_id="cus_9", kind=ChargeKind.INITIAL), draft)
    with store.read() as session:
        assert session.charges.draft("c1") == draft
        assert not session.contracts.exists("con_9")


def test_every_field_of_the_test_values_is_set() -> None:
    """Otherwise a column that is forgotten would go unnoticed."""
    for value in (contract(), charge(), entry(refunds="e0"), refund(), mail(), licence(), record()):
        for field in attrs.fields(type(value)):
            if field.default is not attrs.NOTHING and not isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
                ordinary = {"state", "contract_type", "version"}
                assert getattr(value, field.name) != field.default or field.name in ordinary, field.name


@pytest.mark.parametrize(
    "failed",
    [None, Failure(), Failure("51"), Failure(None, "lost", None, sent=False)],
)
def test_a_failure_without_details_is_not_no_failure(shop: Store, failed: Failure | None) -> None:
    with shop.write() as session:
        session.charges.insert(charge(failure=failed))
    with shop.read() as session:
        assert session.charges.get("c1").failure == failed


@pytest.mark.rule("R-002")
@pytest.mark.parametrize(
    "instant",
    [
        dt.datetime(2026, 11, 22, 12, tzinfo=ZoneInfo("Asia/Tokyo")),
        dt.datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZoneInfo("America/New_York")),
        dt.datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.timezone(dt.timedelta(hours=-9, minutes=-30))),
        dt.datetime(987, 1, 1, tzinfo=dt.UTC),
    ],
    ids=str,
)
def test_an_instant_comes_back_in_utc_to_the_microsecond(shop: Store, instant: dt.datetime) -> None:
    with shop.write() as session:
        session.charges.insert(charge(created_at=instant))
    with shop.read() as session:
        stored = session.charges.get("c1").created_at
    assert stored == instant.astimezone(dt.UTC)
    assert stored.tzinfo is dt.UTC


@pytest.mark.rule("R-002")
def test_an_instant_without_a_zone_is_refused(shop: Store) -> None:
    naive = dt.datetime(2026, 11, 22, 12)  # noqa: DTZ001 - the point
    with pytest.raises(NaiveDatetime), shop.write() as session:
        session.charges.insert(charge(created_at=naive))


def test_frozen_time_goes_in_and_out(database_url: str) -> None:
    with freezegun.freeze_time("2026-11-22T23:30:00+09:00"):
        store = Store.open(database_url, clock=SystemClock())
        now = SystemClock().now()
        frozen = contract(applied_at=now, start_on=dt.date(now.year, now.month, now.day))
        assert type(frozen.start_on) is not type(TODAY)
        with store.write() as session:
            session.customers.upsert(CUSTOMER)
            session.contracts.insert(frozen)
            session.charges.insert(charge(created_at=now))
            session.outbox.put("on_refund", "con_1", {}, id="n1", at=now)
            assert [row.id for row in session.outbox.due(now)] == ["n1"]
        with store.read() as session:
            assert session.contracts.get("con_1") == frozen
            assert session.charges.get("c1").created_at == dt.datetime(2026, 11, 22, 14, 30, tzinfo=dt.UTC)
    with store.read() as session:
        assert session.contracts.get("con_1").start_on == TODAY
    store.close()


@pytest.mark.parametrize("text", ["", "'; DROP TABLE paygate_charges; --", "%s %(x)s ?", "漢字 𠮷 é 🏅", "a\nb\tc\\"])
def test_any_text_is_stored_as_it_is(shop: Store, text: str) -> None:
    with shop.write() as session:
        session.audit.insert_many([record(before={text: text}, reason=text, action=text)])
        session.ledger.insert(entry(remarks=text))
    with shop.read() as session:
        assert session.audit.page() == [record(before={text: text}, reason=text, action=text)]
        assert session.ledger.get("e1").remarks == text


def test_amounts_beyond_32_bits_are_exact(shop: Store) -> None:
    amount = Money(9_007_199_254_740_993, "JPY")  # the first whole number that a float cannot hold
    with shop.write() as session:
        session.ledger.insert(entry(amount=amount))
    with shop.read() as session:
        assert session.ledger.get("e1").amount == amount


def test_secrets_and_personal_data_are_not_in_reprs(shop: Store) -> None:
    payload = {"token": TOKEN, "email": CUSTOMER.email}
    draft = Draft(CUSTOMER, contract("con_2"))
    with shop.write() as session:
        session.charges.insert(charge(kind=ChargeKind.INITIAL), draft)
        session.step_mails.insert_many([mail(body=TOKEN)])
        session.outbox.put("on_refund", "con_1", payload, id="n1", at=NOW)
        session.events.first_time("univapay", "ev1", type="charge", at=NOW, payload=payload)
    with shop.read() as session:
        seen: list[Any] = [
            session,
            session.contracts.get("con_1"),
            session.customers.get("cus_42"),
            session.charges.get("c1"),
            session.charges.draft("c1"),
            session.step_mails.page(),
            session.outbox.due(NOW),
            session.events.page(),
        ]
        assert session.contracts.get("con_1").credential == TOKEN
    text = repr(seen) + repr(shop)
    assert TOKEN not in text
    assert CUSTOMER.email not in text
    assert CUSTOMER.name not in text
    assert charge().credential_hash not in text


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: session.contracts.get("nobody"),
        lambda session: session.contracts.lock("nobody"),
        lambda session: session.customers.get("nobody"),
        lambda session: session.charges.get("nobody"),
        lambda session: session.charges.update(charge("nobody")),
        lambda session: session.refunds.get("nobody"),
        lambda session: session.refunds.update(refund("nobody")),
        lambda session: session.ledger.get("nobody"),
        lambda session: session.ledger.set_state("nobody", entry().state),
        lambda session: session.step_mails.get("nobody"),
        lambda session: session.step_mails.update(mail("nobody")),
        lambda session: session.licences.set_state("nobody", licence().state),
        lambda session: session.outbox.delivered("nobody", NOW),
        lambda session: session.outbox.failed("nobody", "why", dt.timedelta()),
        lambda session: session.events.set_outcome("univapay", "nobody", "applied"),
    ],
)
def test_what_is_not_there_is_named(shop: Store, ask: Any) -> None:
    with pytest.raises(NotFound, match="nobody"), shop.write() as session:
        ask(session)
