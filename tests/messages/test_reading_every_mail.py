"""Every mail in both languages, read as a customer or an administrator would, over all that can vary in it."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from pathlib import Path

import attrs
import pytest

import paygate.billing
from paygate import Money
from paygate.catalogue import date_text
from paygate.domain.attempts import Why
from paygate.domain.contract import PaymentMethod
from paygate.domain.followup import Next
from paygate.messages import MAILS, Audience, Event, Facts, Language, Templates
from paygate.operator_texts import TEXTS, TITLES, operator_text, operator_title
from paygate.provider import DeclineClass

TEMPLATES = Templates.load()
DAY = dt.date(2026, 3, 15)  # a Sunday
#: What a seller, a customer or a provider brought in, in whichever language: taken away before a mail is read.
GIVEN = {
    "customer_name": "山田 花子",
    "contract_name": "ゴールド会員",
    "contract_id": "con-71",
    "receipt_url": "https://shop.example/receipts/1",
    "action_url": "https://pay.example/act/1",
    "card_change_url": "https://shop.example/card",
    "contract_url": "https://shop.example/contracts/con-71",
    "transfer_details": "みずほ銀行 本店\n普通 1234567",
    "account": "acct",
    "charge_id": "ch-1",
    "refund_id": "re-1",
    "code": "insufficient_funds",
    "reason": "お電話",
    "provider_message": "Your card has insufficient funds.",
}
MESSAGE = {Language.JA: "管理画面で確認してください。", Language.EN: "Look into the console."}
SITUATION = {Language.JA: "二重の入金", Language.EN: "A period was paid twice"}

CARD_MAILS = {
    Event.RENEWAL_FAILED,
    Event.RENEWAL_HELD_BACK,
    Event.ACTION_REQUIRED,
    Event.CHARGE_SUCCEEDED,
    Event.CHARGE_FAILED,
    Event.CARD_CHANGED,
    Event.CARD_EXPIRING,
}
NEXT = {
    Event.RENEWAL_FAILED: [Next.RETRY, Next.NEW_CARD, Next.CONFIRM, Next.CHECK, Next.CORRECT, Next.ENDED],
    Event.RENEWAL_HELD_BACK: [Next.RETRY, Next.NEW_CARD],
    Event.CANCELED: [Next.NOTHING, Next.REFUND, Next.REFUNDED, Next.REFUND_BY_HAND],
    Event.RESUMED: [Next.RENEWS, Next.ENDS],
    Event.DUNNING: [Next.PAY],
    Event.CARD_EXPIRING: [Next.REPLACE_CARD],
    Event.CARD_CHANGED: [Next.RETRY, Next.ENDS, Next.RENEWS, Next.NOTHING],
}


def stories():
    """Event, audience and facts of every mail that can be sent."""
    for event, audience in MAILS:
        methods = [PaymentMethod.CARD] if event in CARD_MAILS else list(PaymentMethod)
        declines = (
            list(DeclineClass) if event in {Event.RENEWAL_FAILED, Event.CHARGE_FAILED, Event.CARD_CHANGED} else [None]
        )
        whys = list(Why) if event is Event.RENEWAL_HELD_BACK else [None]
        for then, method, decline, why in itertools.product(NEXT.get(event, [Next.NOTHING]), methods, declines, whys):
            if method is not PaymentMethod.CARD and then in {Next.REFUND, Next.REFUNDED}:
                continue  # nothing goes back to a card that never paid
            facts = Facts(
                **GIVEN,
                amount=Money(3000, "JPY"),
                charged_on=DAY,
                happened_on=DAY,
                expires_on=DAY,
                attempt=2,
                next_attempt_on=DAY if then is Next.RETRY else None,
                effective_on=DAY,
                last_day_of_use=DAY - dt.timedelta(days=1),
                due_on=DAY,
                card_expires_on=DAY,
                next_step=then,
                decline=decline,
                why=why,
                method=method,
                by_hand=method is not PaymentMethod.CARD,
            )
            if method is not PaymentMethod.CARD:
                facts = attrs.evolve(facts, card_change_url="")
            if method is not PaymentMethod.BANK_TRANSFER:
                facts = attrs.evolve(
                    facts, transfer_details="" if event is not Event.APPLICATION_RECEIVED else "普通 1234567"
                )
            yield event, audience, facts


STORIES = list(stories())


def read(event: Event, audience: Audience, language: Language, facts: Facts) -> str:
    """Subject and body."""
    facts = attrs.evolve(facts, message=MESSAGE[language], situation=SITUATION[language])
    mail = TEMPLATES.render(event, audience, language, facts)
    return f"{mail.subject}\n\n{mail.body}"


def own(text: str) -> str:
    """*text* without what others brought into it."""
    for value in sorted(GIVEN.values(), key=len, reverse=True):
        for line in value.split("\n"):
            text = text.replace(line, "")
    return text


def told(language: Language):
    """Each story once, as its mail in *language*."""
    return {(e.value, a.value, f): read(e, a, language, f) for e, a, f in STORIES}


@pytest.mark.rule("R-431")
def test_no_japanese_mail_holds_a_word_of_english_or_a_raw_code() -> None:
    found = {word for text in told(Language.JA).values() for word in re.findall(r"[A-Za-z_]{3,}", own(text))}

    assert found <= {"paygate"}


@pytest.mark.rule("R-431")
def test_no_english_mail_holds_a_word_of_japanese() -> None:
    assert not {
        word for text in told(Language.EN).values() for word in re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]+", own(text))
    }


@pytest.mark.rule("R-431")
@pytest.mark.parametrize(("language", "card"), [(Language.JA, "カード"), (Language.EN, "card")])
def test_nobody_who_pays_otherwise_reads_of_a_card(language, card) -> None:
    for (event, audience, facts), text in told(language).items():
        if facts.method is not PaymentMethod.CARD:
            assert card not in own(text), (event, audience, facts.next_step)


@pytest.mark.rule("R-431")
def test_amounts_days_and_names_read_as_japanese_offices_write_them() -> None:
    for (event, audience, _), text in told(Language.JA).items():
        body = own(text)
        assert not re.search(r"JPY|¥|\d{4}-\d\d-\d\d", body), event
        for day in re.findall(r"\d{4}年\d+月\d+日.{3}", body):
            assert day.endswith(("(日)", "(土)")), (event, day)
        if audience == "customer":
            assert "山田 花子 様" in text, event
        if "お客様: 山田" in text:
            assert "お客様: 山田 花子 様" in text


@pytest.mark.rule("R-431")
@pytest.mark.parametrize(
    ("then", "promises", "never"),
    [
        (Next.ENDED, ["ご契約は終了いたしました", "今後のお支払いはありません"], ["変更", "停止しております", "あらためて決済", "お知らせください", "ご用意ください", "ご登録ください"]),
        (Next.RETRY, ["あらためて決済いたします", "次回の決済予定日"], ["契約は終了", "自動での決済は行いません"]),
        (Next.NEW_CARD, ["自動での決済は行いません", "ご登録が必要です"], ["終了いたしました", "次回の決済"]),
        (Next.CHECK, ["確認が済むまで決済は行いません"], ["カードを変更", "カードの変更", "次回の決済"]),
        (Next.CORRECT, ["確認が済むまで決済は行いません"], ["カードを変更", "カードの変更", "次回の決済"]),
    ],
)  # fmt: skip
def test_a_failure_mail_says_what_follows_and_nothing_against_it(then, promises, never) -> None:
    for event, audience, facts in STORIES:
        if event is not Event.RENEWAL_FAILED or audience is not Audience.CUSTOMER or facts.next_step is not then:
            continue
        text = own(read(event, audience, Language.JA, facts))
        for said in promises:
            assert said in text
        for said in never:
            assert said not in text, facts.decline


@pytest.mark.rule("R-431")
@pytest.mark.parametrize("language", Language)
def test_each_kind_of_decline_has_words_of_its_own(language) -> None:
    def admin(decline: DeclineClass) -> str:
        return read(
            Event.CHARGE_FAILED, Audience.ADMIN, language, next(f for e, _, f in STORIES if f.decline is decline)
        )

    assert len({admin(decline) for decline in DeclineClass}) == len(DeclineClass)


@pytest.mark.rule("R-432")
@pytest.mark.parametrize("key", TEXTS)
def test_every_notice_for_an_operator_has_a_text_in_both_languages_with_its_facts(key) -> None:
    code, _, variant = key.partition(".")
    facts = {
        "variant": variant or None, "amount": Money(3000, "JPY"), "account": "acct", "provider": "Acme", "period": DAY,
        "reference": "re-9", "their_reference": "re-8", "their_amount": Money(500, "JPY"), "entry_id": "row-1",
        "row_id": "row-2", "others": "ch-7", "count": 2, "hours": 72, "due_by": dt.datetime(2026, 3, 15, 5, tzinfo=dt.UTC),
        "starts_on": DAY, "day": DAY, "details": "550",
    }  # fmt: skip

    japanese, english = (operator_text(code, facts, lang, "fallback") for lang in ("ja", "en"))

    assert "fallback" not in {japanese, english}
    assert "{" not in japanese + english
    if "{amount}" in TEXTS[key]:
        assert "3,000円" in japanese
        assert "¥3,000" in english
    if "{period}" in TEXTS[key] or "{due_by}" in TEXTS[key]:
        assert "2026年3月15日(日)" in japanese
    known = r"acct|Acme|re-9|re-8|row-1|row-2|ch-7|paygate( db restored)?"
    assert not re.search(r"[A-Za-z_]{3,}", re.sub(known, "", japanese))
    assert operator_title(code, "ja") != operator_title(code, "en") == TITLES[code]


@pytest.mark.rule("R-432")
def test_a_notice_whose_facts_are_not_known_says_its_message() -> None:
    assert operator_text("late_success", {}, "ja", "charge ch-1 …") == "charge ch-1 …"
    assert operator_text("of_a_plugin", {"amount": Money(1, "JPY")}, "ja", "look") == "look"
    assert operator_title("of_a_plugin", "ja") == "対応が必要です"


def test_days_have_their_weekday_in_japanese() -> None:
    week = [date_text(DAY + dt.timedelta(days=n), japanese=True)[-3:] for n in range(7)]

    assert week == ["(日)", "(月)", "(火)", "(水)", "(木)", "(金)", "(土)"]


@pytest.mark.rule("R-432")
def test_every_code_that_an_operator_is_told_has_a_title() -> None:
    """Read from the source: the literals that are given as codes, and those chosen for one."""
    source = Path(paygate.billing.__file__).parent
    told = "\n".join(path.read_text(encoding="utf-8") for path in source.glob("*.py"))
    given = set(re.findall(r'(?:operator|_tell)\(\s*services,\s*session,\s*"(\w+)"', told))
    chosen = set(re.findall(r'code, what = "(\w+)"', told))

    assert len(given) > 12
    assert len(chosen) > 4
    assert given | chosen <= set(TITLES)
