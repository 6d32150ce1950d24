"""A fake that keeps its state in a file goes on where another process stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paygate.errors import ConfigurationError, OutcomeUnknown
from paygate.provider import DeclineClass, Outcome
from paygate.testing import (
    AnswerTwice,
    ClosePermission,
    Decline,
    FakeAmazonPay,
    FakeSettings,
    FakeStripe,
    FakeUnivaPay,
    RequireAction,
    StayPending,
    Vanish,
)


@pytest.fixture
def settings(tmp_path: Path) -> FakeSettings:
    return FakeSettings(state_file=str(tmp_path / "fake.json"))


def test_another_process_sees_the_same_book(at, settings):
    desk, other = at(FakeStripe(settings)), at(FakeStripe(settings))
    desk.charge(minor=500)
    desk.refund(desk.refund_request(desk.paid(700), 200))

    assert other.fake.book.movements == desk.fake.book.movements
    assert [row.amount.minor for row in other.fake.book.movements] == [500, 700, 200]


@pytest.mark.rule("R-190")
def test_a_key_is_honoured_by_another_process(at, settings):
    desk, other = at(FakeStripe(settings)), at(FakeStripe(settings))
    desk.fake.next(Vanish())
    request = desk.request()
    with pytest.raises(OutcomeUnknown):
        desk.charge(request)

    assert other.charge(request).outcome is Outcome.SUCCEEDED
    assert other.fake.book.captured() == 1000


@pytest.mark.rule("R-205")
def test_the_duplicate_window_holds_across_processes(at, settings):
    at(FakeUnivaPay(settings)).charge()

    assert at(FakeUnivaPay(settings)).charge().decline is DeclineClass.DUPLICATE


def test_what_is_pending_ripens_in_another_process(at, settings):
    desk = at(FakeStripe(settings))
    desk.fake.script(StayPending(60), RequireAction("https://bank.example/3ds"), Decline("expired_card"))
    requests = [desk.request(minor=minor) for minor in (100, 200, 300)]
    for request in requests:
        desk.charge(request)
    desk.clock.advance(minutes=2)
    other = at(FakeStripe(settings))

    found = [other.find(request) for request in requests]

    assert [(each.outcome, each.code) for each in found] == [
        (Outcome.SUCCEEDED, None),
        (Outcome.PENDING, None),
        (Outcome.DECLINED, "expired_card"),
    ]
    assert found[1].action_url == "https://bank.example/3ds"
    assert other.fake.book.captured() == 100


def test_a_delivery_that_was_handed_out_is_not_handed_out_again(at, settings):
    desk = at(FakeStripe(settings))
    desk.fake.next(AnswerTwice())
    desk.charge()
    assert len(desk.fake.notifications()) == 2
    desk.charge(minor=2000)
    other = at(FakeStripe(settings))

    assert [event.charge.amount.minor for event in other.events()] == [2000]
    assert len(other.fake.notifications(again=True)) == 3


@pytest.mark.rule("R-222")
def test_a_closed_permission_stays_closed(at, settings):
    desk = at(FakeAmazonPay(settings))
    desk.fake.next(ClosePermission())
    desk.charge()

    assert at(FakeAmazonPay(settings)).charge(minor=2).decline is DeclineClass.PERMISSION


def test_the_file_holds_no_credential_and_no_secret(at, settings):
    desk = at(FakeStripe(FakeSettings(settings.state_file, webhook_secret="hush-hush")))
    desk.charge(credential="tok_very_secret")
    desk.fake.close_permission("tok_very_secret")

    text = Path(settings.state_file).read_text(encoding="utf-8")

    assert json.loads(text)["payments"]
    assert "tok_very_secret" not in text
    assert "hush-hush" not in text


def test_nothing_is_left_beside_the_file(at, settings):
    at(FakeStripe(settings)).charge()

    assert [path.name for path in Path(settings.state_file).parent.iterdir()] == ["fake.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"payments": [{"kind": "gift"}], "notices": []}'])
def test_a_file_that_is_something_else_is_not_overwritten(at, settings, text):
    path = Path(settings.state_file)
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match="not the state of a fake"):
        at(FakeStripe(settings)).charge()

    assert path.read_text(encoding="utf-8") == text
