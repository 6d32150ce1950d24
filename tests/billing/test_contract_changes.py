"""The hook on_contract_change: every change of a contract, at least once, in the order of the changes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from paygate import JST, Actor, BankTransfer, Card, Customer, Gateway, Money, NewContract, Plan, Status, hookimpl
from paygate.errors import ChargeDeclined
from paygate.testing import Decline, FakeStripe
from paygate.testing.fakes import FakeTelecom

HANAKO = Customer("cus_1", "山田花子", "hanako@example.com")
GOLD = Plan.recurring("Gold", Money(3000, "JPY"))
CARD = Card("stripe", "tok_hanako")


class Changes:
    """Writes down what it is told, after raising as often as it is told to."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.raises = 0

    @hookimpl
    def on_contract_change(self, notice: Any) -> None:
        self.heard.append(notice)
        if self.raises:
            self.raises -= 1
            raise ConnectionError("the shop's search index is down")

    def of(self, contract_id: str) -> list[Any]:
        return [notice for notice in self.heard if notice.contract_id == contract_id]


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def gateway(database_url, clock, changes):
    stripe, telecom = FakeStripe(clock=clock), FakeTelecom(clock=clock)
    with Gateway(
        database=database_url, providers={"stripe": stripe, "telecom": telecom}, plugins=[changes], clock=clock
    ) as gateway:
        gateway.fakes = {"stripe": stripe, "telecom": telecom}
        yield gateway


def steps(changes, contract_id="con_1"):
    return [(notice.action, notice.status_before, notice.status_after) for notice in changes.of(contract_id)]


@pytest.mark.rule("R-025", "R-266")
def test_the_whole_life_of_a_contract_is_told_in_order(gateway, clock, changes):
    gateway.contracts.create(HANAKO, GOLD, CARD, contract_id="con_1")
    gateway.contracts.set_expiry("con_1", dt.date(2027, 1, 1), reason="a present")
    clock.set(dt.datetime(2026, 2, 15, 3, 0, tzinfo=JST))
    gateway.fakes["stripe"].next(Decline("insufficient_funds"))
    gateway.billing.run()
    clock.advance(days=4)
    gateway.billing.run()
    clock.advance(days=1)
    gateway.contracts.schedule_cancellation("con_1", actor=Actor.customer("cus_1"), reason="moving away")
    clock.advance(days=60)
    gateway.billing.run()
    gateway.contracts.delete("con_1", confirm="con_1", reason="asked for")

    active, ends = Status.ACTIVE, Status.CANCEL_SCHEDULED
    assert steps(changes) == [
        ("create", None, active),
        ("set_expiry", active, active),
        ("payment_failed", active, Status.PAST_DUE),
        ("resume", Status.PAST_DUE, active),
        ("schedule_cancellation", active, ends),
        ("end", ends, Status.TERMINATED),
        ("delete", Status.TERMINATED, None),
    ]
    scheduled = changes.heard[4]
    assert (scheduled.actor, scheduled.reason, scheduled.transition) == (
        Actor.customer("cus_1"),
        "moving away",
        "T-44",
    )
    assert scheduled.fields == ("status", "cancellation")


@pytest.mark.rule("R-056")
def test_a_change_of_the_expiry_alone_says_from_when_to_when_and_when_it_was(gateway, clock, changes):
    gateway.contracts.create(HANAKO, GOLD, CARD, contract_id="con_1")
    clock.advance(hours=1)
    gateway.contracts.set_expiry("con_1", dt.date(2027, 1, 1), reason="a present")

    notice = changes.heard[-1]
    assert (notice.fields, notice.expires_on_before, notice.expires_on_after) == (
        ("expires_on",),
        dt.date(2026, 2, 15),
        dt.date(2027, 1, 1),
    )
    assert notice.at == clock.now()


def test_contracts_made_without_a_card_by_import_and_by_confirmation_are_told(gateway, changes):
    gateway.contracts.create(HANAKO, GOLD, BankTransfer(), contract_id="con_1")
    gateway.contracts.confirm_payment("con_1")
    gateway.contracts.create(HANAKO, GOLD, BankTransfer(), contract_id="con_2", paid=True)
    gateway.contracts.import_many([NewContract("con_3", HANAKO, GOLD, CARD, dt.date(2025, 1, 15))])

    waiting = Status.PENDING_PAYMENT
    assert steps(changes) == [("create", None, waiting), ("confirm_payment", waiting, Status.ACTIVE)]
    assert steps(changes, "con_2") == [("create", None, Status.ACTIVE)]
    assert steps(changes, "con_3") == [("import", None, Status.ACTIVE)]


def test_a_providers_event_tells_of_the_change_it_makes(gateway, clock, changes):
    gateway.contracts.import_many([NewContract("con_1", HANAKO, GOLD, Card("telecom", "t"), dt.date(2025, 1, 15))])
    end = gateway.fakes["telecom"].end_subscription("con_1")
    gateway.webhooks.receive("telecom", end.headers, end.body)

    (_, ended) = changes.of("con_1")
    assert (ended.action, ended.actor, ended.status_after) == (
        "subscription_ended",
        Actor.provider("telecom"),
        Status.TERMINATED,
    )


@pytest.mark.rule("R-013")
def test_what_makes_or_changes_no_contract_is_not_told(gateway, clock, changes):
    gateway.fakes["stripe"].next(Decline())
    with pytest.raises(ChargeDeclined):
        gateway.contracts.create(HANAKO, GOLD, CARD, contract_id="con_1")
    assert changes.heard == []

    gateway.contracts.create(HANAKO, GOLD, CARD, contract_id="con_1")
    gateway.charges.create("con_1", Money(500, "JPY"), consent="phone")
    gateway.billing.run()
    assert steps(changes) == [("create", None, Status.ACTIVE)]


def test_an_observer_that_raises_hears_the_same_notice_again_before_any_later_one(gateway, clock, changes):
    changes.raises = 2
    gateway.contracts.create(HANAKO, GOLD, CARD, contract_id="con_1")
    gateway.contracts.set_expiry("con_1", dt.date(2027, 1, 1), reason="a present")
    gateway.contracts.create(HANAKO, GOLD, CARD, contract_id="con_2")
    for _ in range(4):
        clock.advance(minutes=10)
        gateway.billing.deliver()

    assert [notice.action for notice in changes.of("con_1")] == ["create", "create", "set_expiry"]
    creations = {notice.id for notice in changes.of("con_1") if notice.action == "create"}
    assert len(creations) == 1
    assert [notice.action for notice in changes.of("con_2")] == ["create", "create"]


def test_no_credential_is_in_a_notice(gateway, changes):
    gateway.contracts.create(HANAKO, GOLD, CARD, contract_id="con_1")

    assert "tok_hanako" not in repr(changes.heard)


def test_nothing_is_queued_where_nobody_listens(database_url, clock):
    with Gateway(database=database_url, providers={"stripe": FakeStripe(clock=clock)}, clock=clock) as gateway:
        gateway.contracts.create(HANAKO, GOLD, CARD, contract_id="con_1")
        assert gateway.billing.stuck(attempts=0) == ()
