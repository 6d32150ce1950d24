"""One line per exchange, and no secret in any line of any logger."""

from __future__ import annotations

import logging

import attrs
import pytest

from paygate.drivers import Lost, NotSent
from paygate.errors import OutcomeUnknown, ProviderUnavailable
from paygate.flow import Request, Response, send
from paygate.testing.clock import ManualClock

CANARY = "canary-4242424242424242"


async def charge(url: str) -> Response:
    return await send(
        Request("POST", f"{url}?token={CANARY}", {"Authorization": f"Bearer {CANARY}"}, f"card={CANARY}".encode())
    )


def test_each_exchange_is_one_debug_line(run, quick, caplog) -> None:
    clock = ManualClock.jst(2024, 11, 8)
    outcomes = [NotSent("ConnectError"), Response(429, {"Retry-After": "3"}), Response(201)]

    def acme(_: Request) -> Response:
        clock.advance(seconds=0.25)
        outcome = outcomes.pop(0)
        if isinstance(outcome, Response):
            return outcome
        raise outcome

    with caplog.at_level(logging.DEBUG, "paygate.http"):
        run(
            charge("https://api.acme.test/charges"),
            clock=clock,
            mounts={"https://api.acme.test": acme},
            settings=attrs.evolve(quick, retries=2),
        )

    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "paygate.http"]
    assert lines == [
        ("DEBUG", "POST https://api.acme.test/charges: not sent (ConnectError) in 250 ms, attempt 1"),
        ("DEBUG", "POST https://api.acme.test/charges: 429 in 250 ms, attempt 2"),
        ("DEBUG", "POST https://api.acme.test/charges: 201 in 250 ms, attempt 3"),
    ]


def test_a_lost_answer_says_so(run, caplog) -> None:
    def vanish(_: Request) -> Response:
        raise Lost("ReadTimeout")

    with caplog.at_level(logging.DEBUG, "paygate.http"), pytest.raises(OutcomeUnknown):
        run(charge("https://api.acme.test/charges"), mounts={"https://api.acme.test": vanish})

    assert "answer lost (ReadTimeout)" in caplog.text


@pytest.mark.parametrize("fault", ["ok", "close", "silent", "partial", "garbage"])
def test_no_secret_is_in_any_log_line_or_error_on_the_real_network(run, server, quick, caplog, fault) -> None:
    caplog.set_level(logging.DEBUG, "paygate")
    caplog.set_level(logging.DEBUG)
    texts = []
    try:
        run(charge(f"{server.url}/{fault}"), settings=attrs.evolve(quick, read_timeout=0.2))
    except OutcomeUnknown as exc:
        texts = [f"{error!s} {error!r}" for error in (exc, exc.__cause__)]
    assert CANARY.encode() in server.seen[0].body

    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith(f"POST {server.url}/{fault}: ") for line in lines)
    assert not [line for line in [*lines, *texts] if "canary" in line or "42424242" in line]


def test_no_secret_is_in_the_error_of_an_unreachable_provider(run, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ProviderUnavailable) as caught:
        run(charge("http://127.0.0.1:9/charges"))

    assert "canary" not in caplog.text + str(caught.value) + repr(caught.value.__cause__)
