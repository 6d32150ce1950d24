"""What waits: step mails, notices to observers, events of providers."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from paygate.domain.mails import StepMailState
from paygate.errors import InvalidValue
from paygate.store import Store

from .conftest import NOW, contract, mail

SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)


@pytest.mark.rule("R-229", "R-231")
def test_a_mail_is_due_at_its_instant_and_not_a_moment_before(shop: Store) -> None:
    with shop.write() as session:
        session.step_mails.insert_many([mail("m1", due_at=NOW)])
        assert session.step_mails.due(NOW - dt.timedelta(microseconds=1)) == []
        assert session.step_mails.due(NOW) == [mail("m1", due_at=NOW)]


@pytest.mark.rule("R-227", "R-228")
def test_only_queued_mails_are_due_the_longest_due_first(shop: Store) -> None:
    with shop.write() as session:
        session.step_mails.insert_many(
            [
                mail("m1", due_at=NOW),
                mail("m2", due_at=NOW - HOUR),
                *(mail(state.value, due_at=NOW, state=state) for state in StepMailState if state.name != "QUEUED"),
            ]
        )
        assert [found.id for found in session.step_mails.due(NOW)] == ["m2", "m1"]
        assert [found.id for found in session.step_mails.due(NOW, 1)] == ["m2"]


def test_an_update_of_a_mail_moves_it_and_keeps_what_it_says(shop: Store) -> None:
    with shop.write() as session:
        session.step_mails.insert_many([mail("m1"), mail("m0")])
        sent = mail("m1", state=StepMailState.SENT, due_at=NOW + HOUR, sent_at=NOW + HOUR)
        session.step_mails.update(attrs.evolve(sent, body="forged"))
        assert session.step_mails.get("m1") == sent
        assert session.step_mails.page(contract_id="con_1", after="m1") == [mail("m0")]
        assert session.step_mails.page(state=StepMailState.SENT) == [sent]


def _put(store: Store, *rows: tuple[str, str | None], at: dt.datetime = NOW) -> None:
    with store.write() as session:
        for row, contract_id in rows:
            session.outbox.put("on_refund", contract_id, {"名": row}, id=row, at=at)


def _due(store: Store, now: dt.datetime = NOW, limit: int = 100) -> list[str]:
    with store.read() as session:
        return [row.id for row in session.outbox.due(now, limit)]


def test_a_notice_is_due_at_once_and_until_it_is_delivered(store: Store) -> None:
    _put(store, ("n1", "con_1"))
    with store.read() as session:
        (row,) = session.outbox.due(NOW)
        assert (row.kind, row.contract_id, row.payload, row.at, row.next_at) == (
            "on_refund", "con_1", {"名": "n1"}, NOW, NOW,
        )  # fmt: skip
        assert (row.attempts, row.last_error) == (0, None)
    assert _due(store, NOW - SECOND) == []
    with store.write() as session:
        session.outbox.delivered("n1", NOW)
    assert _due(store) == []


def test_of_each_contract_only_the_oldest_undelivered_notice_is_due(store: Store) -> None:
    # ids that fall within one frozen instant: the order is that of writing
    _put(store, ("n9", "con_1"), ("n8", "con_1"), ("n7", "con_2"), ("n6", None), ("n5", None))
    assert _due(store) == ["n9", "n7", "n6", "n5"]
    assert _due(store, limit=2) == ["n9", "n7"]
    with store.write() as session:
        session.outbox.delivered("n9", NOW)
    assert _due(store) == ["n8", "n7", "n6", "n5"]


def test_a_failed_notice_waits_and_holds_back_what_follows_it_on_its_contract(store: Store) -> None:
    _put(store, ("n1", "con_1"), ("n2", "con_1"), ("n3", "con_2"))
    with store.write() as session:
        session.outbox.failed("n1", "mailer: 接続できません", HOUR, NOW)
    assert _due(store) == ["n3"]
    assert _due(store, NOW + HOUR - SECOND) == ["n3"]
    assert _due(store, NOW + HOUR) == ["n3", "n1"]
    with store.read() as session:
        (row,) = session.outbox.stuck(1)
    assert (row.id, row.attempts, row.last_error) == ("n1", 1, "mailer: 接続できません")


def test_a_notice_is_stuck_after_enough_failures_and_until_delivered(store: Store) -> None:
    _put(store, ("n1", "con_1"))
    with store.write() as session:
        for _ in range(4):
            session.outbox.failed("n1", "no", dt.timedelta(), NOW)
        assert session.outbox.stuck() == []
        session.outbox.failed("n1", "no", dt.timedelta(), NOW)
        assert [row.id for row in session.outbox.stuck()] == ["n1"]
        session.outbox.delivered("n1", NOW)
        assert session.outbox.stuck() == []


def test_claimed_notices_are_given_to_nobody_else_until_the_lease_is_over(store: Store) -> None:
    _put(store, ("n1", "con_1"), ("n2", "con_1"), ("n3", None))
    with store.write() as session:
        assert [row.id for row in session.outbox.due(NOW, lease=HOUR)] == ["n1", "n3"]
    with store.write() as session:
        assert session.outbox.due(NOW + HOUR - SECOND) == []
    assert _due(store, NOW + HOUR) == ["n1", "n3"]


def test_looking_claims_nothing(store: Store) -> None:
    _put(store, ("n1", "con_1"))
    assert _due(store) == _due(store) == ["n1"]


def test_a_claim_that_is_rolled_back_claims_nothing(store: Store) -> None:
    _put(store, ("n1", "con_1"))

    def crash() -> None:
        with store.write() as session:
            assert session.outbox.due(NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    assert _due(store) == ["n1"]


@pytest.mark.rule("R-269")
def test_an_event_comes_for_the_first_time_once_per_account(store: Store) -> None:
    def first(account: str, event_id: str) -> bool:
        with store.write() as session:
            return session.events.first_time(account, event_id, type="charge", at=NOW, payload={"名": "値"})

    assert [first("univapay", "ev1"), first("univapay", "ev1"), first("stripe", "ev1"), first("univapay", "ev2")] == [
        True,
        False,
        True,
        True,
    ]
    with store.write() as session:
        session.events.set_outcome("univapay", "ev1", "applied")
    with store.read() as session:
        page = session.events.page()
        assert [(event.account, event.event_id, event.outcome) for event in page] == [
            ("univapay", "ev1", "applied"),
            ("stripe", "ev1", None),
            ("univapay", "ev2", None),
        ]
        assert (page[0].type, page[0].at, page[0].payload) == ("charge", NOW, {"名": "値"})
        assert session.events.page(account="univapay", after=page[0].seq) == page[2:]
        assert session.events.page(outcome="applied", limit=5) == page[:1]


@pytest.mark.rule("R-269")
def test_an_event_whose_application_failed_comes_for_the_first_time_again(shop: Store) -> None:
    def apply_in_vain() -> None:
        with shop.write() as session:
            assert session.events.first_time("univapay", "ev1", type="charge", at=NOW, payload={})
            session.contracts.insert(contract("con_1"))  # raises: it is there

    for _ in range(2):
        with pytest.raises(InvalidValue, match="con_1"):
            apply_in_vain()
    assert _events(shop) == []


def _events(store: Store) -> list[str]:
    with store.read() as session:
        return [event.event_id for event in session.events.page()]
