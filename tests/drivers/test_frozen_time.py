"""Plain ``freeze_time`` works: nothing hangs, nothing waits, timeouts still hold."""

from __future__ import annotations

import time

import attrs
import pytest
from freezegun import freeze_time

from paygate.clock import SystemClock
from paygate.errors import OutcomeUnknown
from paygate.flow import Request, Response, call, send, sleep


async def everything(url: str) -> tuple[str, int]:
    await sleep(3600)
    today = await call(lambda: SystemClock().now().date().isoformat())
    response: Response = await send(Request("GET", f"{url}/ok"))
    return today, response.status


def test_flows_run_inside_a_freeze_time_block(run, server, in_time) -> None:
    def work() -> tuple[str, int]:
        with freeze_time("2024-11-08 00:00:00"):
            return run(everything(server.url))

    assert in_time(20, work) == ("2024-11-08", 200)


def test_flows_run_under_the_freeze_time_decorator(run, server, in_time) -> None:
    @freeze_time("2024-02-29", tick=True)
    def work() -> tuple[str, int]:
        return run(everything(server.url))

    assert in_time(20, work) == ("2024-02-29", 200)


def test_many_requests_and_their_pace_do_not_hang_in_frozen_time(run, server, in_time, quick) -> None:
    def work() -> tuple[str, int]:
        with freeze_time("2024-11-08"):
            return run(*[everything(server.url) for _ in range(5)], settings=attrs.evolve(quick, requests_per_second=1))

    assert in_time(20, work) == ("2024-11-08", 200)


@pytest.mark.parametrize("fault", ["silent", "close", "partial"])
def test_timeouts_hold_in_frozen_time(run, server, in_time, quick, fault) -> None:
    async def charge() -> None:
        await send(Request("POST", f"{server.url}/{fault}", timeout=0.2))

    def work() -> None:
        with freeze_time("2024-11-08"):
            run(charge())

    started = time.perf_counter()
    with pytest.raises(OutcomeUnknown):
        in_time(20, work)
    assert time.perf_counter() - started < 5


def test_a_driver_used_before_during_and_after_a_freeze_keeps_working(run, server, in_time) -> None:
    async def thrice() -> list[int]:
        before = await send(Request("GET", f"{server.url}/ok"))
        with freeze_time("2024-11-08"):
            during = await everything(server.url)
        await sleep(0.01)
        after = await send(Request("GET", f"{server.url}/ok"))
        return [before.status, during[1], after.status]

    assert in_time(20, lambda: run(thrice())) == [200, 200, 200]
