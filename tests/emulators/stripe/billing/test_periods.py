"""Where the billing periods of the emulated Stripe begin."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.testing.emulators.stripe.periods import INTERVALS, Cycle, first_anchor

ANCHOR = dt.datetime(2026, 1, 31, 3, tzinfo=dt.UTC)


def test_the_end_of_a_month_stays_the_end_of_a_month() -> None:
    cycle = Cycle("month", 1, ANCHOR, 31)

    assert [cycle.boundary(number).day for number in range(5)] == [31, 28, 31, 30, 31]


def test_a_cycle_may_begin_in_a_month_that_is_too_short_for_its_day() -> None:
    cycle = Cycle("month", 1, dt.datetime(2026, 2, 28, 3, tzinfo=dt.UTC), 31)

    assert [cycle.boundary(number).strftime("%m-%d") for number in range(3)] == ["02-28", "03-31", "04-30"]


@pytest.mark.parametrize(
    ("interval", "count", "second"),
    [("day", 3, "2026-02-03"), ("week", 2, "2026-02-14"), ("month", 3, "2026-04-30"), ("year", 1, "2027-01-31")],
)
def test_intervals_and_their_counts_make_a_period(interval: str, count: int, second: str) -> None:
    assert Cycle(interval, count, ANCHOR, 31).boundary(1).date().isoformat() == second


@given(
    interval=st.sampled_from(INTERVALS),
    count=st.integers(1, 36),
    day=st.integers(1, 31),
    seconds=st.integers(-(10**8), 10**9),
)
def test_every_moment_lies_between_two_boundaries_that_follow_each_other(
    interval: str, count: int, day: int, seconds: int
) -> None:
    cycle = Cycle(interval, count, ANCHOR.replace(day=min(day, 31)), day)
    moment = ANCHOR + dt.timedelta(seconds=seconds)

    later = cycle.after(moment)

    assert cycle.before(later) <= moment < later
    assert cycle.after(cycle.before(later)) == later


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"day_of_month": 20, "hour": 3, "minute": 0, "second": 0}, "2026-02-20T03:00:00"),
        ({"day_of_month": 5}, "2026-03-05T12:30:15"),
        ({"day_of_month": 31, "hour": 3, "minute": 0, "second": 0}, "2026-02-28T03:00:00"),
        ({"day_of_month": 1, "month": 1}, "2027-01-01T12:30:15"),
        ({"day_of_month": 10}, "2026-02-10T12:30:15"),
    ],
)
def test_the_first_anchor_is_the_next_instant_that_fits(config: dict[str, int], expected: str) -> None:
    now = dt.datetime(2026, 2, 10, 12, 30, 15, 250, tzinfo=dt.UTC)

    assert first_anchor(config, now).replace(tzinfo=None).isoformat() == expected
