"""A process whose claim on an attempt has run out sends nothing any more, whatever it was waiting for."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from paygate.drivers import HttpSettings, Lost
from paygate.errors import OutcomeUnknown, ProviderUnavailable
from paygate.flow import Replay, Request, Response, Sending, send, turn
from paygate.testing.clock import ManualClock

SITE = "https://api.acme.test"


def until(deadline: float, monotonic: Callable[[], float], *, placed: bool = False) -> Sending:
    return Sending("acme", deadline, monotonic, placed)


async def charge(url: str, sending: Sending, replay: Replay = Replay.NEVER) -> Response:
    return await send(Request("POST", url, body=b"amount=5000", replay=replay, sending=sending))


async def read(url: str, sending: Sending) -> Response:
    return await send(Request("GET", url, sending=sending))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock.jst(2026, 11, 22)


@pytest.mark.rule("R-280")
def test_nothing_is_sent_once_the_claim_has_run_out(run, server) -> None:
    with pytest.raises(ProviderUnavailable, match="was not sent") as caught:
        run(charge(f"{server.url}/ok", until(10, lambda: 10.0)))

    assert server.seen == []
    assert "is over" in str(caught.value)


@pytest.mark.rule("R-280")
def test_the_claim_is_looked_at_once_more_when_the_connection_stands(run, server) -> None:
    """Getting a connection takes its time, and the machine may have been suspended meanwhile."""

    def suspended_after_one_look() -> Sending:
        readings = itertools.chain([0.0], itertools.repeat(11.0))
        return until(10, lambda: next(readings))

    with pytest.raises(ProviderUnavailable, match="was not sent"):
        run(charge(f"{server.url}/ok", suspended_after_one_look()))
    assert server.seen == []
    kept_open = charge(f"{server.url}/ok", until(10, lambda: 0.0))
    with pytest.raises(ProviderUnavailable, match="was not sent"):
        run(kept_open, charge(f"{server.url}/ok", suspended_after_one_look()))
    assert len(server.seen) == 1


@pytest.mark.rule("R-280")
def test_reading_goes_on_because_it_moves_no_money(run, server) -> None:
    assert run(read(f"{server.url}/ok", until(10, lambda: 11.0))).status == 200


@pytest.mark.rule("R-280", "R-193")
def test_a_lost_answer_is_not_asked_for_again_after_the_claim(run, clock) -> None:
    sent = []

    def handle(request: Request) -> Response:
        sent.append(request)
        clock.advance(seconds=30)
        raise Lost("reset")

    settings = HttpSettings(retries=5, backoff_base=0)
    with pytest.raises(OutcomeUnknown):
        run(
            charge(SITE, until(50, clock.monotonic), Replay.SAME_KEY), clock=clock, settings=settings,
            mounts={SITE: handle},
        )  # fmt: skip

    assert len(sent) == 2


@pytest.mark.rule("R-280")
@pytest.mark.parametrize(("left", "sendings", "waited"), [(60, 1, 0), (61, 2, 60)])
def test_a_retry_after_that_ends_after_the_claim_is_not_waited_for(run, clock, left, sendings, waited) -> None:
    answers = [Response(429, {"retry-after": "60"}), Response(200)]
    sent = []

    def handle(request: Request) -> Response:
        sent.append(request)
        return answers[len(sent) - 1]

    asked = charge(SITE, until(left, clock.monotonic))
    response = run(asked, clock=clock, settings=HttpSettings(), mounts={SITE: handle})

    assert (len(sent), clock.monotonic()) == (sendings, waited)
    assert response.status == answers[sendings - 1].status


@pytest.mark.rule("R-280")
def test_a_turn_that_comes_after_the_claim_is_not_waited_for_and_not_taken(run, clock) -> None:
    sent = []

    def handle(request: Request) -> Response:
        sent.append(clock.monotonic())
        return Response(200)

    async def flow() -> None:
        await charge(SITE, until(100, clock.monotonic))
        for _ in range(3):
            with pytest.raises(ProviderUnavailable, match="configured pace"):
                await charge(SITE, until(9, clock.monotonic))
        await charge(SITE, until(100, clock.monotonic))

    run(flow(), clock=clock, settings=HttpSettings(requests_per_second=0.1), mounts={SITE: handle})

    assert sent == [0, 10]


@pytest.mark.rule("R-281")
def test_who_has_waited_for_a_turn_is_not_paced_again_and_repeats_are(run, clock) -> None:
    sent = []

    def handle(request: Request) -> Response:
        sent.append(clock.monotonic())
        return Response(429, {"retry-after": "0"}) if len(sent) == 3 else Response(200)

    async def flow() -> None:
        for _ in range(3):
            await turn("acme")
            await charge(SITE, until(1000, clock.monotonic, placed=True))

    run(flow(), clock=clock, settings=HttpSettings(requests_per_second=0.1), mounts={SITE: handle})

    assert sent == [0, 10, 20, 30]


@pytest.mark.rule("R-281")
def test_turns_that_were_taken_before_the_origin_was_known_count_for_it(run, clock) -> None:
    sent = []

    def handle(request: Request) -> Response:
        sent.append(clock.monotonic())
        return Response(200)

    async def flow() -> None:
        await turn("acme")
        await turn("acme")  # somebody else's, who has sent nothing yet
        await charge(SITE, until(1000, clock.monotonic, placed=True))
        await charge(SITE, until(1000, clock.monotonic))  # a second request of an attempt

    run(flow(), clock=clock, settings=HttpSettings(requests_per_second=0.1), mounts={SITE: handle})

    assert sent == [10, 20]


def test_without_a_pace_a_turn_is_given_at_once(run, clock) -> None:
    async def flow() -> float:
        await turn("acme")
        return clock.monotonic()

    assert run(flow(), clock=clock) == 0
