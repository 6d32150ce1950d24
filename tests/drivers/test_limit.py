"""The token bucket and the settings."""

from __future__ import annotations

import threading

import pytest

from paygate.drivers import HttpSettings
from paygate.drivers.limit import TokenBucket
from paygate.errors import ConfigurationError


def test_requests_are_spread_at_the_rate() -> None:
    bucket = TokenBucket(rate=4)

    assert [bucket.reserve(10) for _ in range(4)] == [0, 0.25, 0.5, 0.75]


def test_an_idle_origin_takes_a_burst_and_no_more() -> None:
    bucket = TokenBucket(rate=1, burst=3)

    assert [bucket.reserve(0) for _ in range(5)] == [0, 0, 0, 1, 2]
    assert [bucket.reserve(1000) for _ in range(4)] == [0, 0, 0, 1]


def test_who_comes_late_enough_does_not_wait() -> None:
    bucket = TokenBucket(rate=2)

    assert [bucket.reserve(now) for now in (0, 0.5, 1.0, 1.25)] == [0, 0, 0, 0.25]


def test_a_clock_that_jumps_back_does_not_hold_requests_up() -> None:
    """Frozen time has other monotonic seconds than the system."""
    bucket = TokenBucket(rate=1)
    bucket.reserve(1_700_000_000)

    assert bucket.reserve(500) == 0
    assert bucket.reserve(500) == 1


def test_threads_never_get_the_same_token() -> None:
    bucket, waits = TokenBucket(rate=1), []
    threads = [threading.Thread(target=lambda: waits.extend(bucket.reserve(0) for _ in range(200))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(waits) == list(range(1600))


@pytest.mark.parametrize(
    "wrong",
    [
        {"connect_timeout": 0},
        {"read_timeout": -1},
        {"max_response_bytes": 0},
        {"retries": -1},
        {"requests_per_second": 0},
        {"burst": 0},
        {"connections": 0},
        {"backoff_base": float("nan")},
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(wrong) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        HttpSettings(**wrong)
