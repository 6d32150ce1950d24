"""The clock of a served emulator, and the control interface to it."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from paygate.clock import JST, SystemClock
from paygate.errors import NaiveDatetime
from paygate.flow import Request
from paygate.testing.clock import EmulatorClock, ManualClock
from paygate.testing.emulators.univapay import UnivaPayEmulator

START = dt.datetime(2026, 1, 1, tzinfo=JST)


@pytest.fixture
def system():
    """A clock in the system's place, which the test moves."""
    return ManualClock.jst(2030, 6, 1)


def ask(emulator, method, path, body=None):
    content = b"" if body is None else json.dumps(body).encode()
    response = emulator.handle(Request(method, f"{emulator.origin}/_paygate/{path}", body=content))
    return response.status, response.json()


# --- the clock -------------------------------------------------------------------------------------------------------


def test_the_clock_of_an_emulator_runs_from_where_it_was_put(system):
    clock = EmulatorClock(START, system=system)
    system.advance(hours=2)

    assert clock.now() == START + dt.timedelta(hours=2)
    assert clock.now().tzinfo is dt.UTC


def test_it_begins_with_the_present_unless_told_otherwise(system):
    assert EmulatorClock(system=system).now() == system.now()
    assert abs(EmulatorClock().now() - SystemClock().now()) < dt.timedelta(seconds=5)


def test_it_runs_on_after_a_move(system):
    clock = EmulatorClock(START, system=system)

    assert clock.advance(days=1, seconds=5) == START + dt.timedelta(days=1, seconds=5)
    system.advance(seconds=1)
    assert clock.now() == START + dt.timedelta(days=1, seconds=6)
    clock.set(START)
    system.advance(seconds=1)
    assert clock.now() == START + dt.timedelta(seconds=1)


def test_it_stands_still_where_it_is_told_to_and_runs_on_from_there(system):
    clock = EmulatorClock(START, running=False, system=system)
    system.advance(hours=1)
    stood = clock.now()
    clock.running = True
    system.advance(hours=1)
    clock.running = False
    system.advance(hours=1)

    assert stood == START
    assert clock.now() == START + dt.timedelta(hours=1)
    assert not clock.running


def test_whoever_waits_by_it_waits_for_real_even_while_it_stands_still(system):
    clock = EmulatorClock(START, running=False, system=system)
    before = clock.monotonic()
    system.advance(seconds=3)

    assert clock.skip(60) is False
    assert clock.monotonic() - before == 3
    assert clock.now() == START


def test_an_instant_without_a_zone_is_refused(system):
    with pytest.raises(NaiveDatetime):
        EmulatorClock(dt.datetime(2026, 1, 1), system=system)  # noqa: DTZ001 - the mistake under test
    with pytest.raises(NaiveDatetime):
        EmulatorClock(START, system=system).set(dt.datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake under test


# --- the interface ---------------------------------------------------------------------------------------------------


@pytest.fixture
def stopped():
    """An emulator whose clock stands still."""
    return UnivaPayEmulator(EmulatorClock(START, running=False))


def test_the_clock_is_told_in_both_zones_and_whether_it_runs(stopped):
    assert ask(stopped, "GET", "clock") == (
        200,
        {"now": "2025-12-31T15:00:00+00:00", "jst": "2026-01-01T00:00:00+09:00", "running": False},
    )


@pytest.mark.parametrize(
    ("move", "jst"),
    [
        ({"seconds": 1.5}, "2026-01-01T00:00:01.500000+09:00"),
        ({"minutes": 1, "hours": 1, "days": 1}, "2026-01-02T01:01:00+09:00"),
        ({"to": "2026-02-01T00:00:00+09:00"}, "2026-02-01T00:00:00+09:00"),
        ({"to": "2026-01-31T15:00:00Z"}, "2026-02-01T00:00:00+09:00"),
    ],
)
def test_it_is_moved_by_a_span_or_to_an_instant(stopped, move, jst):
    status, clock = ask(stopped, "POST", "clock/advance", move)

    assert (status, clock["jst"]) == (200, jst)


def test_it_is_set_back_and_told_to_run(stopped):
    status, clock = ask(stopped, "PUT", "clock", {"now": "2020-01-01T00:00:00+09:00", "running": True})

    assert (status, clock["running"]) == (200, True)
    assert clock["jst"].startswith("2020-01-01T00:00:0")
    assert ask(stopped, "PUT", "clock", {"running": False})[1]["running"] is False


@pytest.mark.parametrize(
    ("method", "path", "body", "remedy"),
    [
        ("PUT", "clock", {}, "send"),
        ("PUT", "clock", {"now": "2026-01-01T00:00:00"}, "+09:00"),
        ("PUT", "clock", {"now": "soon"}, "+09:00"),
        ("PUT", "clock", {"now": 1767225600}, "+09:00"),
        ("PUT", "clock", {"now": "9999-12-31T23:59:59Z"}, "between 1970 and 8999"),
        ("PUT", "clock", {"now": "0001-01-01T00:00:00+09:00"}, "+09:00"),
        ("PUT", "clock", {"running": "no"}, "true or false"),
        ("POST", "clock/advance", {}, "days"),
        ("POST", "clock/advance", {"days": 1, "to": "2027-01-01T00:00:00Z"}, "days"),
        ("POST", "clock/advance", {"days": -1}, "PUT clock"),
        ("POST", "clock/advance", {"days": "1"}, "as a number"),
        ("POST", "clock/advance", {"days": True}, "as a number"),
        ("POST", "clock/advance", {"days": 10**9}, "by less"),
        ("POST", "clock/advance", {"days": 10**400}, "by less"),
        ("POST", "clock/advance", {"days": 365 * 7200}, "between 1970 and 8999"),
        ("POST", "clock/advance", {"to": "2020-01-01T00:00:00Z"}, "PUT clock"),
    ],
)
def test_an_impossible_move_is_refused_and_moves_nothing(stopped, method, path, body, remedy):
    status, answer = ask(stopped, method, path, body)

    assert status == 400
    assert remedy in answer["error"]["remedy"]
    assert stopped.clock.now() == START


def test_a_clock_that_cannot_be_moved_says_so():
    emulator = UnivaPayEmulator(SystemClock())

    assert ask(emulator, "GET", "clock")[1]["running"] is True
    assert ask(emulator, "POST", "clock/advance", {"days": 1})[0] == 400
    assert ask(emulator, "PUT", "clock", {"now": "2026-01-01T00:00:00Z"})[0] == 400


def test_a_manual_clock_is_moved_too_but_cannot_be_told_to_run(emulator, clock):
    status, shown = ask(emulator, "POST", "clock/advance", {"days": 1})

    assert (status, shown["running"]) == (200, False)
    assert clock.now() == dt.datetime(2026, 11, 23, 12, tzinfo=JST)
    moved, refusal = ask(emulator, "PUT", "clock", {"now": "2026-01-01T00:00:00Z", "running": True})
    assert (moved, "EmulatorClock" in refusal["error"]["remedy"]) == (400, True)
    assert clock.now() == dt.datetime(2026, 11, 23, 12, tzinfo=JST)


def test_after_a_move_everything_that_is_due_has_happened(client, card):
    emulator, told = client.emulator, []
    emulator.set_webhook_target("https://shop.example/hooks")
    emulator.receiver = lambda delivery: told.append(delivery.event)
    client.charge(card, 3000)
    assert ask(emulator, "GET", "book")[1]["movements"] == []

    ask(emulator, "POST", "clock/advance", {"seconds": 5})

    assert told == ["charge_finished"]
    assert ask(emulator, "GET", "book")[1]["totals"] == {"JPY": {"captured": 3000, "refunded": 0}}
