"""Notices that have done their work are removed once they are old, and nothing else is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from paygate import Customer, Gateway, Manual, Money, Plan, hookimpl
from paygate.billing import outbox
from paygate.errors import InvalidValue
from paygate.testing import ManualClock

from .conftest import World

COURSE = Plan.one_off("Course", Money(12_000, "JPY"))


def test_only_what_was_delivered_long_ago_is_removed(faces: World, clock: ManualClock) -> None:
    contract = faces.contract("stripe")
    faces.settled(contract)
    clock.advance(days=60)
    faces.settled(contract, 700)
    records = list(faces.gateway.audit.list())

    assert faces.gateway.billing.purge() == 0
    clock.advance(days=31)
    first = faces.gateway.billing.purge()  # of the contract's making and the first charge
    assert first > 0
    assert faces.gateway.billing.purge() == 0
    assert faces.gateway.billing.purge(older_than=dt.timedelta(days=30)) > 0  # of the second charge

    assert list(faces.gateway.audit.list()) == records
    assert len(list(faces.gateway.ledger.list(contract_id=contract.id))) == 3


@attrs.define
class Listener:
    """Hears of contracts, once it is there to hear."""

    away: bool = True
    heard: list[str] = attrs.field(factory=list)

    @hookimpl
    def on_contract_notice(self, notice: Any) -> None:
        if self.away:
            raise ConnectionError("nobody answers")
        self.heard.append(notice.notice.kind.value)


def test_what_could_not_be_delivered_stays_and_is_delivered_in_the_end(database_url: str, clock: ManualClock) -> None:
    listener = Listener()
    with Gateway(database=database_url, providers={}, plugins=[listener], clock=clock) as gateway:
        made = gateway.contracts.create(Customer("cus_1"), COURSE, Manual(), paid=True)
        gateway.contracts.cancel_with_manual_refund(made.id)
        clock.advance(days=400)
        assert gateway.billing.purge(older_than=dt.timedelta(days=1)) == 0

        listener.away = False
        clock.advance(hours=2)
        gateway.billing.deliver()
        assert "canceled" in listener.heard


def test_a_large_heap_is_removed_lot_by_lot(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener(away=False)
    with Gateway(database=database_url, providers={}, plugins=[listener], clock=clock) as gateway:
        for _ in range(7):
            made = gateway.contracts.create(Customer("cus_1"), COURSE, Manual(), paid=True)
            gateway.contracts.cancel_with_manual_refund(made.id)
        clock.advance(days=2)
        monkeypatch.setattr(outbox, "_LOT", 2)
        assert gateway.billing.purge(older_than=dt.timedelta(days=1)) == len(listener.heard)


@pytest.mark.parametrize("older_than", [dt.timedelta(hours=23), dt.timedelta(0), dt.timedelta(days=-1), 90, None])
def test_what_is_younger_than_a_day_is_never_removed(world: World, older_than: Any) -> None:
    with pytest.raises(InvalidValue, match="a day or more"):
        world.gateway.billing.purge(older_than=older_than)
