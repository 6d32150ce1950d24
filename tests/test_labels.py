"""What values, offers and errors are called, in Japanese and English."""

from __future__ import annotations

import datetime as dt
import enum
import re

import pytest

import paygate.errors
from paygate import JST, Card, Customer, Gateway, Money, Plan, Status
from paygate.catalogue import english, language_of
from paygate.domain.operations import Operation, Reason
from paygate.error_texts import SENTENCES
from paygate.errors import CardHeldBack, ChargeDeclined, InvalidValue, OutcomeUnknown, PaygateError, PermissionDenied
from paygate.labels import LABELLED, audit_label, text
from paygate.testing import FakeStripe, ManualClock

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
ERRORS = sorted(
    (kind for kind in vars(paygate.errors).values() if isinstance(kind, type) and issubclass(kind, PaygateError)),
    key=lambda kind: kind.__name__,
)


@pytest.mark.rule("R-433")
@pytest.mark.parametrize("kind", LABELLED, ids=lambda kind: kind.__name__)
def test_every_member_is_called_something_in_both_languages(kind: type[enum.Enum]) -> None:
    for member in kind:
        assert JAPANESE.search(text(member, "ja")), member
        assert text(member, "en") == text(member) == english(member)
        assert not JAPANESE.search(text(member))
    assert len({text(member, "ja") for member in kind}) == len(kind)


@pytest.mark.rule("R-433")
def test_values_are_written_as_the_language_does() -> None:
    assert text(Status.PAST_DUE, lang="ja") == "未納停止中"
    assert (text(Money(3000, "JPY"), "ja"), text(Money(3000, "JPY"))) == ("3,000円", "¥3,000")
    assert text(dt.date(2026, 3, 15), "ja") == "2026年3月15日(日)"
    assert text(dt.datetime(2026, 3, 14, 20, tzinfo=dt.UTC), "ja") == "2026年3月15日(日) 05:00"
    assert (text(True, "ja"), text("as it is", "ja"), text(None, "ja")) == ("はい", "as it is", "")


@pytest.mark.rule("R-433")
def test_another_language_is_refused_by_name() -> None:
    with pytest.raises(InvalidValue, match="'en', 'ja'"):
        text(Status.ACTIVE, "fr")


@pytest.mark.rule("R-433", "R-023")
def test_an_offer_says_what_it_is_and_why_it_is_not_offered() -> None:
    clock = ManualClock(dt.datetime(2026, 1, 15, 12, tzinfo=JST))
    with Gateway(database="sqlite://", providers={"stripe": FakeStripe(clock=clock)}, clock=clock) as gateway:
        plan = Plan.recurring("Gold", Money(3000, "JPY"))
        contract = gateway.contracts.create(Customer("cus_1"), plan, Card("stripe", "tok_1"))
        offers = {offer.operation: offer for offer in gateway.contracts.operations(contract.id)}
        with pytest.raises(PaygateError) as refused:
            gateway.contracts.suspend(contract.id)

    assert offers[Operation.SUSPEND].label("ja") == text(offers[Operation.SUSPEND], "ja") == "契約の停止"
    assert offers[Operation.SUSPEND].why_not("ja") == "カード払いのため、決済会社の通知により自動で行われます"
    assert offers[Operation.RESUME].why_not() == Reason.STATUS.value
    assert offers[Operation.CHARGE_ADDON].why_not("ja") == ""
    said = refused.value.text("ja")
    assert said.startswith("現在の契約の状態では、この操作は行えません。(")
    assert f"契約: {contract.id}、状態: 有効、操作: 契約の停止、理由: カード払いのため" in said
    assert "ACTIVE" in str(refused.value)  # the message for engineers stays


@pytest.mark.rule("R-434")
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_sentence_of_its_own_in_both_languages(kind: type[PaygateError]) -> None:
    error = kind("the message")

    assert kind.__name__ in SENTENCES
    assert JAPANESE.search(error.text("ja"))
    assert error.text() == error.text("en") != error.text("ja")
    assert not JAPANESE.search(error.text())
    assert "the message" not in error.text("ja")


@pytest.mark.rule("R-434")
def test_an_error_says_the_facts_that_are_safe() -> None:
    error = ChargeDeclined("no", provider="stripe", code="card_declined", charge_id="ch-1")
    assert error.text("ja") == (
        "決済が承認されませんでした。請求は行われていません。(決済会社: stripe、コード: card_declined、請求: ch-1)"
    )
    held = CardHeldBack("no", network="visa", until=dt.datetime(2026, 3, 14, 20, tzinfo=dt.UTC))
    assert "可能になる日時: 2026年3月15日(日) 05:00" in held.text("ja")
    assert PermissionDenied("no", rule="R-169").text("ja").startswith("追加請求を行えるのは、管理者だけです。")


@pytest.mark.rule("R-434")
def test_an_error_of_a_plugin_says_what_the_nearest_kind_says() -> None:
    class Lost(OutcomeUnknown):
        pass

    assert Lost("x").text("ja") == OutcomeUnknown("x").text("ja")


@pytest.mark.rule("R-433")
def test_the_audit_trail_has_words_for_what_it_records() -> None:
    assert audit_label("schedule_cancellation", "ja") == "解約予約"
    assert audit_label("terminate_refused", "ja") == "解約(お断り)"
    assert audit_label("payment_failed", "ja") == "決済の失敗"
    assert audit_label("of_a_plugin", "ja") == "of a plugin"


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "ja"}, "ja"),
        ({"LANG": "ja_JP.UTF-8", "PAYGATE_LANG": "en"}, "en"),
        ({"PAYGATE_LANG": "JA-jp"}, "ja"),
        ({"LANG": "jam_JM"}, "en"),
    ],
)
def test_the_environment_says_which_language(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language
