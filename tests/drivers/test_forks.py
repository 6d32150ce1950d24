"""A forked child shares nothing with its parent that two processes cannot use: connections, locks, chance."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from paygate.clock import SystemClock
from paygate.drivers import AsyncDriver, HttpSettings, SyncDriver
from paygate.flow import Request, send

from ..forking import Child

QUICK = HttpSettings(connect_timeout=2, read_timeout=5, retries=0, backoff_base=0)

pytestmark = pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="nothing forks here")


def in_children(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What *work* returns in each of *count* children at once, or the text of what it raises there."""
    children = [Child(functools.partial(work, number)) for number in range(count)]
    return [child.result() for child in children]


async def echo(url: str, text: str) -> str:
    answer = await send(Request("POST", f"{url}/ok", body=text.encode()))
    return str(answer.json()["body"])


@pytest.mark.rule("R-300")
def test_children_of_a_driver_with_open_connections_get_their_own_answers(server) -> None:
    driver = SyncDriver(SystemClock(), settings=QUICK)
    assert driver.run(echo(server.url, "parent")) == "parent"

    def work(number: int) -> list[str]:
        return [driver.run(echo(server.url, f"{number}/{turn}")) for turn in range(25)]

    answers = in_children(4, work)

    assert answers == [[f"{number}/{turn}" for turn in range(25)] for number in range(4)]
    assert driver.run(echo(server.url, "parent again")) == "parent again"
    assert len(server._connections) == 5, "the parent keeps its connection, and each child opened one"
    driver.close()


@pytest.mark.rule("R-300")
def test_a_lock_that_a_thread_of_the_parent_holds_does_not_stop_a_child(server) -> None:
    driver = SyncDriver(SystemClock(), settings=HttpSettings(requests_per_second=1000, burst=10, retries=0))
    driver.run(echo(server.url, "parent"))
    bucket = next(iter(driver._conductor._buckets.values()))
    with driver._lock, driver._conductor._lock, bucket._lock:
        assert in_children(2, lambda number: driver.run(echo(server.url, str(number)))) == ["0", "1"]
    driver.close()


@pytest.mark.rule("R-300")
def test_children_do_not_wait_by_the_same_chance(server) -> None:
    driver = SyncDriver(SystemClock(), settings=QUICK)
    waits = in_children(3, lambda _: driver._conductor._rng.random())

    assert len({*waits, driver._conductor._rng.random()}) == 4


@pytest.mark.rule("R-300")
@pytest.mark.parametrize("client", ["httpx", "aiohttp"])
def test_children_of_an_async_driver_open_connections_on_loops_of_their_own(server, monkeypatch, client) -> None:
    if client == "httpx":
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    driver = AsyncDriver(SystemClock(), settings=QUICK)

    async def several(name: str) -> list[str]:
        return [await driver.run(echo(server.url, f"{name}/{turn}")) for turn in range(10)]

    with asyncio.Runner() as parent:
        assert parent.run(several("parent"))[0] == "parent/0"

        def work(number: int) -> list[str]:
            asyncio.events._set_running_loop(None)
            said = asyncio.run(several(str(number)))
            gc.collect()
            return said + asyncio.run(several(f"{number} again"))

        answers = in_children(3, work)
        assert [said[0] for said in answers] == ["0/0", "1/0", "2/0"]
        assert [said[-1] for said in answers] == ["0 again/9", "1 again/9", "2 again/9"]
        assert parent.run(several("parent"))[-1] == "parent/9"
    assert len(server._connections) == 1 + 3 * 2


@pytest.mark.rule("R-300")
def test_a_fork_while_other_threads_send_leaves_both_sides_whole(server) -> None:
    driver = SyncDriver(SystemClock(), settings=QUICK)
    stop, wrong = threading.Event(), []

    def busy(name: str) -> None:
        with contextlib.suppress(OSError):
            turn = 0
            while not stop.is_set():
                turn += 1
                if driver.run(echo(server.url, f"{name}/{turn}")) != f"{name}/{turn}":
                    wrong.append(f"{name}/{turn}")

    threads = [threading.Thread(target=busy, args=(f"thread {number}",)) for number in range(3)]
    for one in threads:
        one.start()
    try:
        for _ in range(3):
            answers = in_children(
                2,
                lambda number: [driver.run(echo(server.url, f"{number}/{turn}")) for turn in range(10)],
            )
            assert answers == [[f"{number}/{turn}" for turn in range(10)] for number in range(2)]
    finally:
        stop.set()
        for one in threads:
            one.join(10)
    assert wrong == []
    driver.close()
