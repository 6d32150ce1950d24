"""The words of mails: every event in both languages, only known placeholders, and values that cannot break out."""

from __future__ import annotations

import datetime as dt
import string
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import Money
from paygate.domain.attempts import Why
from paygate.domain.contract import PaymentMethod
from paygate.domain.followup import Next, NoticeKind
from paygate.errors import ConfigurationError, InvalidValue
from paygate.messages import (
    MAILS,
    Audience,
    Event,
    Facts,
    Language,
    Templates,
    amount_text,
    check_text,
    date_text,
    render_text,
)
from paygate.provider import DeclineClass

SHIPPED = Path(__file__).parents[2] / "src" / "paygate" / "messages" / "texts"
TEMPLATES = Templates.load()
EVERY = [
    pytest.param(event, audience, language, id=f"{language.value}-{event.value}-{audience.value}")
    for event, audience in MAILS
    for language in Language
]
#: Facts from the seller's own settings, which are shown as they are.
SELLERS = {"receipt_url", "card_change_url", "contract_url", "transfer_details"}
DAY = dt.date(2026, 2, 15)
FULL = Facts(
    customer_name="山田 花子",
    contract_name="ゴールド会員",
    contract_id="con_1",
    amount=Money(5000, "JPY"),
    charged_on=DAY,
    happened_on=DAY,
    expires_on=DAY,
    receipt_url="https://shop.example/receipts/1",
    attempt=2,
    next_attempt_on=dt.date(2026, 2, 20),
    next_step=Next.RETRY,
    card_expires_on=dt.date(2026, 3, 31),
    card_change_url="https://shop.example/card",
    contract_url="https://shop.example/contracts/con_1",
    effective_on=dt.date(2026, 3, 15),
    last_day_of_use=dt.date(2026, 3, 14),
    due_on=dt.date(2026, 2, 28),
    transfer_details="みずほ銀行 0001\n本店 001\n普通 1234567",
    account="stripe",
    charge_id="ch_1",
    refund_id="re_1",
    code="insufficient_funds",
    reason="残高不足",
    message="look it up",
    situation="unknown",
    decline=DeclineClass.SOFT,
    why=Why.LIMIT,
    provider_message="Your card has insufficient funds.",
    method=PaymentMethod.CARD,
)


def known(facts: Facts, name: str, language: Language) -> str:
    """How the fact *name* reads in a mail, said once more by hand."""
    value = getattr(facts, name)
    if isinstance(value, Money):
        return "5,000円" if language is Language.JA else "¥5,000"
    if isinstance(value, dt.date):
        return (
            f"{value.year}年{value.month}月{value.day}日({'月火水木金土日'[value.weekday()]})"
            if language is Language.JA
            else f"{value:%B %Y}"
        )
    return str(value)


@pytest.mark.rule("R-271", "X-06", "X-07")
@pytest.mark.parametrize(("event", "audience", "language"), EVERY)
def test_every_mail_says_the_facts_that_its_event_is_about(event, audience, language):
    message = TEMPLATES.render(event, audience, language, FULL)

    for name in MAILS[event, audience]:
        assert known(FULL, name, language) in f"{message.subject}\n{message.body}", name
    assert "$" not in message.subject + message.body


@pytest.mark.parametrize(("event", "audience", "language"), EVERY)
def test_every_mail_reads_without_the_facts_that_are_not_known(event, audience, language):
    needed = {name: getattr(FULL, name) for name in MAILS[event, audience]}
    message = TEMPLATES.render(event, audience, language, Facts(**needed))

    labels = {line for line in message.body.splitlines() if line.rstrip().endswith(":")}
    assert labels <= {"お振込先:", "Transfer to:"}  # the bank details follow on their own lines
    assert "  " not in message.subject
    assert "\n\n\n" not in message.body
    assert message.body.endswith("\n")


@pytest.mark.parametrize(("event", "audience"), MAILS)
def test_a_missing_fact_is_refused_by_name(event, audience):
    for name in MAILS[event, audience]:
        empty = attrs.evolve(FULL, **{name: None if getattr(FULL, name) != str(getattr(FULL, name)) else ""})
        with pytest.raises(InvalidValue, match=name):
            TEMPLATES.render(event, audience, Language.JA, empty)


@pytest.mark.rule("R-178")
def test_what_concerns_the_administrator_alone_has_no_words_for_the_customer():
    with pytest.raises(InvalidValue, match="no mail tells the customer of charge_failed"):
        TEMPLATES.render(Event.CHARGE_FAILED, Audience.CUSTOMER, Language.JA, FULL)


@pytest.mark.rule("X-07")
def test_both_languages_have_the_same_files_and_no_other():
    files = {language: {path.name for path in (SHIPPED / language.value).iterdir()} for language in Language}

    assert files[Language.JA] == files[Language.EN]
    assert files[Language.JA] == {f"{event.value}.{audience.value}.txt" for event, audience in MAILS}


@pytest.mark.rule("R-271")
@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("then", [then for then in Next if then is not Next.NOTHING])
def test_what_happens_next_is_a_sentence_in_the_mails_language(then, language):
    said = render_text("", "${next_step}", language, Facts(next_step=then)).body

    assert said.endswith(".\n") if language is Language.EN else said.endswith("。\n")


def test_every_notice_of_the_domain_has_an_event_of_its_name():
    assert {kind.value for kind in NoticeKind} <= {event.value for event in Event}


@pytest.mark.rule("R-159")
def test_a_dunning_mail_has_customer_and_contract_placeholders():
    message = TEMPLATES.render(Event.DUNNING, Audience.CUSTOMER, Language.JA, FULL)

    assert message.subject == "お支払いのお願い: ゴールド会員"
    for said in ("山田 花子 様", "con_1", "5,000円", "2026年2月28日", "普通 1234567"):
        assert said in message.body


@pytest.mark.rule("R-233", "X-23")
@pytest.mark.parametrize("event", [Event.TERMINATED, Event.CANCELLATION_EFFECTIVE])
def test_the_end_of_a_contract_says_that_mails_do_not_stop_with_it(event):
    said = {language: TEMPLATES.render(event, Audience.CUSTOMER, language, FULL).body for language in Language}

    assert "停止しません" in said[Language.JA]
    assert "do not stop" in said[Language.EN]


@pytest.mark.rule("X-08")
def test_giving_notice_is_answered_with_the_last_day_of_use_and_the_end():
    body = TEMPLATES.render(Event.CANCELLATION_SCHEDULED, Audience.CUSTOMER, Language.JA, FULL).body

    assert "最終ご利用日: 2026年3月14日(土)\n解約日: 2026年3月15日(日)" in body


@pytest.mark.parametrize(
    ("money", "japanese", "english"),
    [
        (Money(5000, "JPY"), "5,000円", "¥5,000"),
        (Money(0, "JPY"), "0円", "¥0"),
        (Money(123_456_789, "USD"), "USD 1,234,567.89", "USD 1,234,567.89"),
        (Money(5, "KWD"), "KWD 0.005", "KWD 0.005"),
    ],
)
def test_amounts_read_as_people_write_them(money, japanese, english):
    assert amount_text(money, japanese=True) == japanese
    assert amount_text(money, japanese=False) == english


def test_dates_read_as_people_write_them():
    assert date_text(DAY, japanese=True) == "2026年2月15日(日)"
    assert date_text(dt.date(2026, 12, 1), japanese=False) == "1 December 2026"


# --- values ---


@given(value=st.text())
def test_no_value_adds_a_line_or_an_invisible_character(value):
    message = render_text("${customer_name}", "a\nb ${contract_name}\nc", Language.JA, Facts(
        customer_name=value, contract_name=value))  # fmt: skip

    assert len(message.subject.splitlines()) <= 1
    assert message.body.splitlines()[0] == "a"
    assert message.body.splitlines()[-1] == "c"
    assert len(message.body.splitlines()) <= 3
    assert not set(message.subject) & set("\u202e\u200b\x00\x1b\t\r\n\u2028")
    message.body.encode("utf-8")


def test_a_value_that_looks_like_a_placeholder_is_not_filled_in():
    message = render_text("${customer_name}", "${customer_name}", Language.EN, Facts(
        customer_name="${contract_id} $$", contract_id="con_1"))  # fmt: skip

    assert message.subject == "${contract_id} $$"


@pytest.mark.rule("X-20")
@pytest.mark.parametrize(
    "name", [field.name for field in attrs.fields(Facts) if field.type == "str" and field.name not in SELLERS]
)
def test_card_numbers_and_secrets_in_values_are_masked(name):
    facts = Facts(**{name: "4242-4242-4242-4242 Bearer canary sk_live_canary password=canary"})

    message = render_text(f"${{{name}}}", f"${{{name}}}", Language.EN, facts)

    assert "canary" not in message.subject + message.body
    assert "4242" not in message.subject + message.body


def test_bank_details_and_paygates_own_ids_are_no_card_numbers():
    own_id = "0199" + "4242424242424242" + "abcdefabcdef"
    facts = Facts(transfer_details="4242 4242\n42424242", charge_id=own_id)

    assert render_text("", "${transfer_details} ${charge_id}", Language.EN, facts).body == (
        f"4242 4242\n42424242 {own_id}\n"
    )


# --- the seller's own templates ---


@pytest.fixture
def own(tmp_path):
    def own(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path

    return own


def test_a_template_of_the_sellers_own_replaces_one_and_leaves_the_others(own):
    folder = own("ja/refund_done.customer.txt", "Subject: ${amount} を返金\r\n\r\n${contract_name}、$$5 引き\r\n")
    templates = Templates.load(folder)

    replaced = templates.render(Event.REFUND_DONE, Audience.CUSTOMER, Language.JA, FULL)
    kept = templates.render(Event.REFUND_DONE, Audience.CUSTOMER, Language.EN, FULL)

    assert (replaced.subject, replaced.body) == ("5,000円 を返金", "ゴールド会員、$5 引き\n")
    assert kept == TEMPLATES.render(Event.REFUND_DONE, Audience.CUSTOMER, Language.EN, FULL)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("ja/resumed.admin.txt", "Subject: a\n\n${contract_nam}", r"unknown placeholder \${contract_nam}; did you mean \${contract_name}\?"),
        ("ja/resumed.admin.txt", "Subject: a\n\n${zzz}", r"unknown placeholder \${zzz}; there are: customer_name, "),
        ("ja/resumed.admin.txt", "Subject: $zzz\n\nb", r"unknown placeholder \${zzz}"),
        ("ja/resumed.admin.txt", "Subject: a\n\nonly $5", "resumed.admin.txt: a \\$ that begins no placeholder"),
        ("ja/resumed.admin.txt", "${contract_name.__class__}", "begins no placeholder"),
        ("ja/resumed.admin.txt", "a\n\nb", "begins with 'Subject: …'"),
        ("ja/resumed.admin.txt", "Subject: \n\nb", "begins with 'Subject: …'"),
        ("ja/resumed.admin.txt", "Subject: a\n\n", "begins with 'Subject: …'"),
        ("ja/resumed.admin.txt", "件名".encode("shift_jis"), "not readable as UTF-8"),
        ("ja/resumd.admin.txt", "Subject: a\n\nb", "replaces no template of paygate; did you mean ja/resumed.admin.txt"),
        ("fr/x.txt", "Subject: a\n\nb", "replaces no template of paygate"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_template_is_named_with_its_file_when_it_is_loaded(own, name, text, says):
    with pytest.raises(ConfigurationError, match=says) as caught:
        Templates.load(own(name, text))

    assert name in str(caught.value)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere: no such directory"):
        Templates.load(tmp_path / "nowhere")


@given(text=st.text(alphabet=string.printable))
def test_a_text_that_was_queued_with_a_mistake_is_sent_as_it_is_and_never_fails(text):
    message = render_text(text, text, Language.JA, FULL)

    assert message.body.endswith("\n")
    assert "\n" not in message.subject


def test_a_step_mails_words_are_checked_by_name():
    check_text("step mail 'thanks'", "${amount} $$5")
    with pytest.raises(ConfigurationError, match=r"step mail 'thanks': unknown placeholder \${amout}; did you mean"):
        check_text("step mail 'thanks'", "${amout}")
