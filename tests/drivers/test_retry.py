"""The retry table, whole histories, and the waits between."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from paygate.clock import UTC
from paygate.drivers import HttpSettings, Lost, NotSent
from paygate.drivers.retry import Deliver, Raise, RetryAfter, next_step
from paygate.errors import OutcomeUnknown, ProviderUnavailable
from paygate.flow import Replay, Request, Response

NOW = dt.datetime(2024, 11, 8, 3, 0, tzinfo=UTC)
SETTINGS = HttpSettings(retries=2, backoff_base=1, backoff_limit=3, retry_after_limit=60)
NOT_SENT, LOST, BUSY, DOWN = NotSent("refused"), Lost("reset"), Response(429), Response(503)

AGAIN, UNAVAILABLE, UNKNOWN, DELIVERED = "again", ProviderUnavailable, OutcomeUnknown, "delivered"


def step(replay: Replay, *history, settings=SETTINGS, rng=None):
    request = Request("POST", "https://key:canary@api.acme.test/charges?card=canary", replay=replay)
    return next_step(request, history, settings, now=NOW, rng=rng or random.Random(1))


def name(result):
    if isinstance(result, Raise):
        return type(result.error)
    return AGAIN if isinstance(result, RetryAfter) else DELIVERED


@pytest.mark.rule("R-193")
@pytest.mark.parametrize(
    ("outcome", "replay", "first", "exhausted"),
    [
        (NOT_SENT, Replay.SAFE, AGAIN, UNAVAILABLE),
        (NOT_SENT, Replay.SAME_KEY, AGAIN, UNAVAILABLE),
        (NOT_SENT, Replay.NEVER, AGAIN, UNAVAILABLE),
        (LOST, Replay.SAFE, AGAIN, UNAVAILABLE),
        (LOST, Replay.SAME_KEY, AGAIN, UNKNOWN),
        (LOST, Replay.NEVER, UNKNOWN, UNKNOWN),
        (BUSY, Replay.SAFE, AGAIN, DELIVERED),
        (BUSY, Replay.SAME_KEY, AGAIN, DELIVERED),
        (BUSY, Replay.NEVER, AGAIN, DELIVERED),
        *[
            (Response(status), replay, AGAIN if replay is not Replay.NEVER else DELIVERED, DELIVERED)
            for status in (502, 503, 504)
            for replay in Replay
        ],
        *[
            (Response(status), replay, DELIVERED, DELIVERED)
            for status in (200, 201, 302, 400, 401, 402, 404, 408, 409, 425, 500, 501, 505, 599)
            for replay in Replay
        ],
    ],
)
def test_the_retry_table(outcome, replay, first, exhausted) -> None:
    assert name(step(replay, outcome)) == first
    assert name(step(replay, outcome, outcome, outcome)) == exhausted


@pytest.mark.rule("R-193")
@pytest.mark.parametrize(
    ("history", "ends"),
    [
        ([LOST, NOT_SENT, NOT_SENT], UNKNOWN),
        ([DOWN, NOT_SENT, NOT_SENT], UNKNOWN),
        ([NOT_SENT, LOST, BUSY], UNKNOWN),
        ([BUSY, DOWN, BUSY], UNKNOWN),
        ([LOST, BUSY, DOWN], UNKNOWN),
        ([BUSY, NOT_SENT, BUSY], DELIVERED),
        ([NOT_SENT, BUSY, NOT_SENT], UNAVAILABLE),
        ([NOT_SENT, NOT_SENT, DOWN], DELIVERED),
        ([LOST, LOST, Response(402)], DELIVERED),  # the key was honoured: this is the answer to the first one too
        ([LOST, DOWN, Response(200)], DELIVERED),
    ],
)
def test_a_later_no_does_not_settle_what_an_earlier_attempt_may_have_done(history, ends) -> None:
    assert name(step(Replay.SAME_KEY, *history)) == ends


def test_reading_leaves_nothing_in_doubt() -> None:
    assert name(step(Replay.SAFE, LOST, LOST, NOT_SENT)) is UNAVAILABLE
    assert name(step(Replay.SAFE, LOST, LOST, BUSY)) == DELIVERED


def test_an_answer_is_delivered_untouched() -> None:
    response = Response(500, {"Request-Id": "req_1"}, b"oops")

    assert step(Replay.NEVER, response) == Deliver(response)


def test_no_retries_means_one_attempt() -> None:
    assert name(step(Replay.SAFE, NOT_SENT, settings=HttpSettings(retries=0))) is UNAVAILABLE


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 12 ", 12),
        ("3600", 60),
        ("999999999", 60),
        ("Fri, 08 Nov 2024 03:00:30 GMT", 30),
        ("Fri, 08 Nov 2024 03:00:30 -0000", 30),
        ("Fri, 08 Nov 2024 12:00:05 +0900", 5),
        ("Fri, 08 Nov 2024 02:00:00 GMT", 0),
        ("Sat, 08 Nov 2025 03:00:00 GMT", 60),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_as_seconds_or_as_a_date_up_to_the_limit(header, seconds, status) -> None:
    assert step(Replay.SAME_KEY, Response(status, {"Retry-After": header})) == RetryAfter(seconds)


@pytest.mark.parametrize("header", ["", "soon", "-5", "1e9", "inf", "9" * 5000, "٣", "1,2", "Fri, 99 Nov 2024"])
def test_an_unreadable_retry_after_falls_back_to_the_random_wait(header) -> None:
    assert step(Replay.NEVER, Response(429, {"Retry-After": header})).seconds <= 1


def test_the_random_waits_grow_up_to_their_limit_and_use_the_whole_span() -> None:
    rng = random.Random(7)
    settings = HttpSettings(retries=9, backoff_base=1, backoff_limit=3)
    for attempt, most in [(1, 1), (2, 2), (3, 3), (8, 3)]:
        waits = [step(Replay.NEVER, *[NOT_SENT] * attempt, settings=settings, rng=rng).seconds for _ in range(300)]
        assert 0 <= min(waits) < most * 0.1
        assert most * 0.9 < max(waits) <= most


def test_the_same_seed_gives_the_same_waits() -> None:
    waits = [step(Replay.NEVER, NOT_SENT, rng=random.Random(3)).seconds for _ in range(2)]

    assert waits[0] == waits[1]


@pytest.mark.parametrize("history", [[NOT_SENT] * 3, [LOST] * 3, [LOST, LOST, BUSY]])
def test_errors_name_method_and_url_without_query_and_user(history) -> None:
    message = str(step(Replay.SAME_KEY, *history).error)

    assert message.startswith("POST https://api.acme.test/charges")
    assert "3 attempts" in message
    assert "canary" not in message


@pytest.mark.parametrize(
    ("history", "repeated"),
    [
        ([Response(200)], False),
        ([NOT_SENT, BUSY, Response(200)], False),
        ([LOST, Response(409)], True),
        ([DOWN, Response(409)], True),
    ],
)
def test_an_answer_tells_whether_an_earlier_sending_may_have_had_its_effect(history, repeated) -> None:
    assert step(Replay.SAME_KEY, *history).response.repeated is repeated
