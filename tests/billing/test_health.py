"""One look at everything that somebody has to be woken for (R-354)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from paygate import JST, Card, Customer, Gateway, hookimpl
from paygate.errors import ConfigurationError, ProviderUnavailable, StoreUnavailable
from paygate.store import PoolSettings, Store
from paygate.testing import FakeStripe, ManualClock, Vanish

from .conftest import PLAN, World

pytestmark = pytest.mark.rule("R-354")


def _health(world: World, *, ping: bool = True) -> Any:
    return world.gateway.reports.health(ping=ping)


def test_a_shop_in_order_has_nothing_to_look_after_and_its_runs_are_known(world: World) -> None:
    world.contract("stripe")
    world.gateway.billing.run()
    world.gateway.billing.reconcile()
    at = world.clock.now()

    found = _health(world)

    assert found.troubles == ()
    assert {it.account: it.reached for it in found.accounts} == dict.fromkeys(
        ("univapay", "telecom", "stripe", "amazonpay"), True
    )
    assert [(run.kind, run.finished_at, run.blocked) for run in found.runs] == [
        ("billing_run", at, 0),
        ("reconciliation", at, 0),
    ]
    assert (found.oldest_open_at, found.due_since, found.backlog.waiting) == (None, None, 0)


def test_looking_writes_nothing_and_asks_nobody_who_is_not_to_be_asked(world: World) -> None:
    found = _health(world, ping=False)
    assert {it.reached for it in found.accounts} == {None}
    assert world.stripe.calls == []


class Down(FakeStripe):
    """A Stripe that cannot be reached, or whose plugin is broken."""

    error: Exception = ProviderUnavailable("connection refused")

    async def ping(self) -> str:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [ProviderUnavailable("no connection"), ConfigurationError("the key is not accepted"), KeyError("id")],
)
def test_an_account_that_cannot_be_used_says_why_and_the_others_are_asked_all_the_same(
    clock: ManualClock, error: Exception
) -> None:
    down = Down(clock=clock)
    down.error = error
    with Gateway(database="sqlite://", providers={"down": down, "up": FakeStripe(clock=clock)}, clock=clock) as gateway:
        found = gateway.reports.health()

    assert [(it.account, it.reached) for it in found.accounts] == [("down", False), ("up", True)]
    [trouble] = found.troubles
    assert trouble.startswith("account down: ")


def test_an_attempt_without_a_result_for_more_than_a_day_is_somebodys_business(world: World) -> None:
    contract = world.contract("stripe")
    world.stripe.next(Vanish(after=True))
    begun = world.clock.now()
    world.charge(contract)
    world.clock.advance(hours=2)
    assert (_health(world).oldest_open_at, _health(world).troubles) == (begun, ())

    world.clock.advance(days=2)
    [trouble] = _health(world).troubles
    assert "no result for 2 day(s)" in trouble


def test_what_is_due_and_was_not_dealt_with_and_a_run_that_stays_away_are_reported(world: World) -> None:
    world.contract("stripe")
    world.gateway.billing.run()
    world.clock.set(dt.datetime(2026, 2, 17, 9, 0, tzinfo=JST))

    found = _health(world)

    assert found.due_since == dt.date(2026, 2, 15)
    assert [trouble.split(":")[0] for trouble in found.troubles] == [
        "contracts are due since 2026-02-15 and were not dealt with",
        "the last billing run came to its end 32 day(s) ago",
    ]


def test_a_run_that_had_to_leave_something_undone_and_notices_that_nobody_delivers_are_reported(world: World) -> None:
    class Deaf:
        @hookimpl
        def on_charge_success(self, notice: Any) -> None:
            raise ConnectionError

    world.options["plugins"] = [Deaf()]
    world.reopen()
    contract = world.contract("univapay")
    world.contract("stripe", customer="cus_2")
    world.clock.set(dt.datetime(2026, 2, 15, 9, 0, tzinfo=JST))
    del world.options["providers"]["univapay"]
    world.reopen()
    world.gateway.billing.run()

    troubles = _health(world).troubles

    assert any("the last billing run had to leave 1 item(s) undone" in it for it in troubles)
    assert any("notice(s) wait to be delivered, the oldest for 30 day(s)" in it for it in troubles)
    assert contract.account == "univapay"


# --- the connections to the database ---------------------------------------------------------------------------------


@pytest.mark.rule("R-355")
def test_a_process_holds_as_many_connections_as_it_is_told_and_waits_for_them_as_long(database_url: str) -> None:
    store = Store.open(
        database_url, clock=ManualClock.jst(2026, 1, 15, 12, 0), pool=PoolSettings(size=1, overflow=0, timeout=0.2)
    )
    try:
        import threading

        errors: list[Exception] = []

        def read() -> None:
            try:
                with store.read():
                    pass
            except StoreUnavailable as exc:
                errors.append(exc)

        with store.read():
            second = threading.Thread(target=read)
            second.start()
            second.join()
        assert "all its connections are in use" in str(errors[0])
        read()
        assert len(errors) == 1
    finally:
        store.close()


@pytest.mark.rule("R-355")
@pytest.mark.parametrize("wrong", [{"size": 0}, {"overflow": -1}, {"timeout": 0}, {"size": True}])
def test_a_pool_of_no_size_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="database_pool"):
        PoolSettings(**wrong)


@pytest.mark.rule("R-355")
def test_the_pool_the_outbox_and_http_are_settings_of_the_file(tmp_path: Any) -> None:
    from paygate.config import load

    file = tmp_path / "paygate.toml"
    file.write_text(
        'database = "sqlite:///a.db"\noutbox = "worker"\n[database_pool]\nsize = 3\noverflow = 0\n'
        "[http]\nconnections = 7\n[accounts.stripe]\nprovider = 'fake-stripe'\n",
        encoding="utf-8",
    )
    config = load(file, {})
    assert (config.database_pool, config.outbox) == (PoolSettings(size=3, overflow=0), "worker")
    assert config.http.connections == 7

    file.write_text('outbox = "later"\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r'outbox: write "inline" or "worker"'):
        load(file, {})
    file.write_text("[database_pool]\nsise = 3\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"did you mean 'size'"):
        load(file, {})
    file.write_text("[database_pool]\nsize = 0\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="size is a whole number"):
        load(file, {})


@pytest.mark.rule("R-355")
def test_a_gateway_takes_the_pool_as_a_value(tmp_path: Any, clock: ManualClock) -> None:
    with Gateway(
        database=f"sqlite:///{tmp_path}/a.db",
        providers={"stripe": FakeStripe(clock=clock)},
        clock=clock,
        database_pool=PoolSettings(size=2),
    ) as gateway:
        assert gateway.contracts.create(Customer("c"), PLAN, Card("stripe", "t")).customer_id == "c"
