"""The door to the network: who stands there sees what passes, the last to come sees it first."""

from __future__ import annotations

import pytest

from paygate import Gateway, _door
from paygate.flow import Request, Response
from paygate.testing import FakeStripe

ASKED = Request("GET", "http://127.0.0.1/")


class Notes(_door.Watcher):
    def __init__(self, name: str, seen: list[str], answer: Response | None = None) -> None:
        self.name, self.seen, self.answer = name, seen, answer

    def opening(self, account: str, provider: object) -> None:
        self.seen.append(f"{self.name}: {account}")

    def leaving(self, request: Request) -> Response | None:
        self.seen.append(f"{self.name} asked")
        return self.answer

    def arrived(self, request: Request, response: Response) -> Response:
        self.seen.append(f"{self.name} told")
        return Response(response.status + 1)


def test_the_last_to_come_is_asked_first_and_its_answer_ends_it() -> None:
    seen: list[str] = []

    with _door.posted(Notes("a", seen)), _door.posted(Notes("b", seen, Response(204))):
        answer = _door.leaving(ASKED)

    assert (answer, seen) == (Response(204), ["b asked"])
    assert _door.leaving(ASKED) is None


def test_everybody_is_told_of_an_answer_and_may_change_it() -> None:
    seen: list[str] = []

    with _door.posted(Notes("a", seen)), _door.posted(Notes("b", seen)):
        assert _door.arrived(ASKED, Response(200)).status == 202

    assert seen == ["b told", "a told"]


def test_a_watcher_that_says_nothing_lets_everything_pass() -> None:
    with _door.posted(_door.Watcher()):
        Gateway(database="sqlite://", providers={"stripe": FakeStripe()}).close()
        assert _door.leaving(ASKED) is None
        assert _door.arrived(ASKED, answer := Response(200)) is answer


def test_every_account_of_a_gateway_is_shown() -> None:
    seen: list[str] = []

    with _door.posted(Notes("a", seen)):
        Gateway(database="sqlite://", providers={"shop": FakeStripe(), "club": FakeStripe()}).close()

    assert seen == ["a: shop", "a: club"]


def test_a_watcher_leaves_with_the_block_that_posted_it_whatever_happens() -> None:
    seen: list[str] = []

    with pytest.raises(LookupError), _door.posted(Notes("a", seen)):
        raise LookupError
    _door.withdraw(_door.Watcher())

    assert _door.leaving(ASKED) is None
    assert seen == []
