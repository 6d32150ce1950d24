"""Who tells the observers, when, and how long a call waits for them (R-350 to R-352)."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from paygate import AsyncGateway, Card, ChargeState, Customer, Gateway, Money, hookimpl
from paygate.errors import ConfigurationError, NotFound
from paygate.plugins.smtp import Smtp
from paygate.plugins.smtp_settings import SmtpSettings
from paygate.testing import FakeStripe, ManualClock

from .conftest import PLAN, World


class Slow:
    """An observer that does not come back before it is let go, or fails, as it is told to."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.hangs: set[str] = set()
        self.fails: set[str] = set()
        self.heard: list[str] = []
        self.threads: set[str] = set()

    @hookimpl
    def on_charge_success(self, notice: Any) -> None:
        self.threads.add(threading.current_thread().name)
        if notice.charge.contract_id in self.fails:
            raise ConnectionError("mail server refuses")
        if notice.charge.contract_id in self.hangs:
            self.let_go.wait(30)
        self.heard.append(notice.charge.contract_id)


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.let_go.set()


@pytest.fixture
def shop(world: World, slow: Slow) -> World:
    """Two contracts, and an observer that can be made to hang."""
    world.options["plugins"] = [slow]
    world.reopen()
    for number in range(2):
        world.gateway.contracts.create(
            Customer(f"cus_{number}"), PLAN, Card("stripe", f"tok_{number}"), contract_id=f"con_{number}"
        )
        world.clock.advance(minutes=1)
    slow.heard.clear()
    slow.threads.clear()
    return world


def _charge(world: World, number: int) -> Any:
    return world.gateway.charges.create(f"con_{number}", Money(500 + number, "JPY"), consent="phone")


def _soon(condition: Any) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it has not happened within six seconds")


@pytest.mark.rule("R-350")
def test_a_call_tells_what_it_has_written_before_it_returns(shop: World, slow: Slow) -> None:
    _charge(shop, 0)
    assert slow.heard == ["con_0"]


@pytest.mark.rule("R-350")
def test_a_call_does_not_tell_the_backlog_of_others(shop: World, slow: Slow) -> None:
    slow.fails.add("con_0")
    _charge(shop, 0)
    slow.fails.clear()
    shop.clock.advance(hours=1)

    _charge(shop, 1)
    assert slow.heard == ["con_1"]

    shop.gateway.billing.run()
    assert slow.heard == ["con_1", "con_0"]


@pytest.mark.rule("R-350")
def test_an_observer_that_hangs_delays_a_charge_by_two_seconds_at_most_and_the_next_ones_not_at_all(
    shop: World, slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    slow.hangs.add("con_0")

    began = time.perf_counter()
    first = _charge(shop, 0)
    middle = time.perf_counter()
    second = _charge(shop, 1)
    ended = time.perf_counter()

    assert (first.state, second.state) == (ChargeState.SUCCEEDED, ChargeState.SUCCEEDED)
    assert 1 < middle - began < 3
    assert ended - middle < 1
    assert "outbox_late" in [getattr(record, "event", "") for record in caplog.records]
    assert shop.gateway.billing.backlog().waiting == 2

    slow.let_go.set()
    _soon(lambda: shop.gateway.billing.backlog().waiting == 1)  # what was late is finished, and not told again
    shop.gateway.billing.reconcile()
    assert slow.heard == ["con_0", "con_1"]


@pytest.mark.rule("R-350")
def test_a_webhook_waits_as_little_for_observers_that_hang(shop: World, slow: Slow) -> None:
    contract = shop.gateway.contracts.create(Customer("cus_u"), PLAN, Card("univapay", "tok_u0"), contract_id="con_u")
    slow.hangs.add(contract.id)
    shop.clock.advance(hours=1)
    shop.univapay.latency = 30
    charge = shop.gateway.charges.create("con_u", Money(700, "JPY"), consent="phone")
    shop.clock.advance(hours=1)
    [notice] = [it for it in shop.univapay.notifications() if charge.reference.encode() in it.body]

    began = time.perf_counter()
    receipt = shop.gateway.webhooks.receive("univapay", notice.headers, notice.body)

    assert time.perf_counter() - began < 3
    assert [event.outcome for event in receipt.events] == ["applied"]


@pytest.mark.rule("R-350")
def test_a_run_ends_telling_after_ten_failures_in_a_row_and_goes_on_the_next_time(shop: World, slow: Slow) -> None:
    for number in range(15):
        name = f"con_{number + 2}"
        slow.fails.add(name)
        shop.gateway.contracts.create(Customer(f"cus_{name}"), PLAN, Card("stripe", f"t_{name}"), contract_id=name)
    shop.clock.advance(hours=2)
    assert shop.gateway.billing.backlog().waiting == 15

    shop.gateway.billing.run()

    assert len(shop.gateway.billing.stuck(attempts=2)) == 10

    slow.fails.clear()
    assert shop.gateway.billing.deliver().delivered == 5


@pytest.mark.rule("R-351")
def test_a_worker_tells_and_no_call_waits_and_it_ends_with_the_gateway(shop: World, slow: Slow) -> None:
    shop.options["outbox"] = "worker"
    shop.reopen()
    assert "paygate-outbox" not in [thread.name for thread in threading.enumerate()]
    slow.hangs.add("con_0")

    began = time.perf_counter()
    _charge(shop, 0)
    assert time.perf_counter() - began < 1
    _soon(lambda: slow.threads >= {"paygate-outbox"})
    slow.let_go.set()
    _charge(shop, 1)
    _soon(lambda: slow.heard == ["con_0", "con_1"])

    shop.gateway.close()
    assert "paygate-outbox" not in [thread.name for thread in threading.enumerate()]
    shop.reopen()


@pytest.mark.rule("R-351")
def test_inline_there_is_no_thread_left_after_a_call(shop: World) -> None:
    _charge(shop, 0)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("paygate-")]


@pytest.mark.rule("R-351")
@pytest.mark.parametrize("mode", ["inline", "worker"])
def test_the_async_face_tells_by_the_same_rules(tmp_path: Any, clock: ManualClock, slow: Slow, mode: str) -> None:
    import asyncio

    async def story() -> float:
        async with AsyncGateway(
            database=f"sqlite:///{tmp_path}/a.db",
            providers={"stripe": FakeStripe(clock=clock)},
            plugins=[slow],
            clock=clock,
            outbox=mode,
        ) as gateway:
            await gateway.contracts.create(Customer("c"), PLAN, Card("stripe", "tok"), contract_id="con_0")
            clock.advance(minutes=5)
            slow.hangs.add("con_0")
            began = time.perf_counter()
            await gateway.charges.create("con_0", Money(900, "JPY"), consent="phone")
            waited = time.perf_counter() - began
            slow.let_go.set()
            return waited

    waited = asyncio.run(story())

    assert waited < (3 if mode == "inline" else 1)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("paygate-")]


@pytest.mark.rule("R-351")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_a_worker_of_its_own(tmp_path: Any, clock: ManualClock) -> None:
    told = tmp_path / "told"
    told.mkdir()

    class Writes:
        @hookimpl
        def on_charge_success(self, notice: Any) -> None:
            (told / f"{os.getpid()}-{notice.charge.id}").touch()

    with Gateway(
        database=f"sqlite:///{tmp_path}/a.db",
        providers={"stripe": FakeStripe(clock=clock)},
        plugins=[Writes()],
        clock=clock,
        outbox="worker",
    ) as gateway:
        gateway.contracts.create(Customer("c"), PLAN, Card("stripe", "tok"), contract_id="con_0")
        _soon(lambda: list(told.glob(f"{os.getpid()}-*")))
        clock.advance(minutes=5)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                gateway.charges.create("con_0", Money(900, "JPY"), consent="phone")
                for _ in range(200):
                    if list(told.glob(f"{os.getpid()}-*")):
                        code = 0
                        break
                    time.sleep(0.02)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.rule("R-350")
def test_a_notice_that_had_to_wait_for_another_call_on_its_contract_is_told_behind_it(shop: World, slow: Slow) -> None:
    slow.hangs.add("con_0")
    other = threading.Thread(target=_charge, args=(shop, 0))
    other.start()
    _soon(lambda: slow.threads)
    shop.gateway.contracts.set_expiry("con_0", shop.gateway.contracts.get("con_0").expires_on, reason="no change")
    shop.clock.advance(minutes=1)
    shop.gateway.charges.create("con_0", Money(901, "JPY"), consent="phone")
    slow.let_go.set()
    other.join()

    _soon(lambda: slow.heard == ["con_0", "con_0"])


@pytest.mark.rule("R-352")
def test_what_failed_can_be_told_again_at_once_and_what_did_not_is_named(shop: World, slow: Slow) -> None:
    slow.fails.add("con_0")
    _charge(shop, 0)
    slow.fails.clear()
    [row] = shop.gateway.billing.stuck(attempts=1)
    assert shop.gateway.billing.deliver().delivered == 0  # its pause is not over

    with pytest.raises(NotFound, match="no notice 'nobody' has failed"):
        shop.gateway.billing.redeliver(["nobody"])
    assert shop.gateway.billing.redeliver([row.id]) == 1
    assert shop.gateway.billing.deliver().delivered == 1
    assert shop.gateway.billing.redeliver() == 0


@pytest.mark.rule("R-352")
def test_the_backlog_says_how_many_wait_since_when(shop: World, slow: Slow, clock: ManualClock) -> None:
    empty = shop.gateway.billing.backlog()
    assert (empty.waiting, empty.oldest_at, empty.failing) == (0, None, 0)
    slow.fails.add("con_0")
    at = clock.now()
    _charge(shop, 0)

    left = shop.gateway.billing.backlog()

    assert (left.waiting, left.oldest_at, left.failing) == (1, at, 1)


@pytest.mark.rule("R-352")
def test_a_failed_notice_is_logged_with_its_ids(shop: World, slow: Slow, caplog: pytest.LogCaptureFixture) -> None:
    slow.fails.add("con_0")
    with caplog.at_level(logging.WARNING, logger="paygate"):
        _charge(shop, 0)

    [record] = [it for it in caplog.records if getattr(it, "event", "") == "notice_failed"]
    assert (record.contract_id, record.kind) == ("con_0", "on_charge_success")  # type: ignore[attr-defined]


def test_an_unknown_way_to_tell_is_refused() -> None:
    with pytest.raises(ConfigurationError, match='"inline" or "worker"'):
        Gateway(database="sqlite://", providers={"stripe": FakeStripe()}, outbox="later")


@pytest.mark.rule("R-350")
def test_a_mail_server_that_accepts_and_says_nothing_holds_no_charge_up(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()[:2]
        settings = SmtpSettings(
            host=host, port=port, security="none", sender="shop@example.com", admin_to="admin@example.com", timeout=3
        )
        world.options["plugins"] = [Smtp(settings)]
        world.reopen()
        began = time.perf_counter()
        contract = world.gateway.contracts.create(
            Customer("c", "山田", "c@example.com"), PLAN, Card("stripe", "tok_m"), contract_id="con_m"
        )
        world.clock.advance(minutes=5)
        charge = world.gateway.charges.create(contract.id, Money(500, "JPY"), consent="phone")
        took = time.perf_counter() - began

        assert charge.state is ChargeState.SUCCEEDED
        assert took < 3
        assert world.gateway.billing.backlog().waiting > 0
        world.gateway.close()
    world.reopen()
