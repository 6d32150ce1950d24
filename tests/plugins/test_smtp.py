"""Mails over a real SMTP server: who is told what, what happens when the server will not, and what must never leave."""

from __future__ import annotations

import datetime as dt
import socket

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import JST, UTC, BankTransfer, Card, Customer, Gateway, MailSet, Money, Plan, Refund, StepMailPlan
from paygate.config import load
from paygate.domain.charge import Charge, ChargeKind, ChargeState, Failure, RefundState
from paygate.domain.contract import Actor, Contract, PaymentMethod, Status
from paygate.domain.followup import Audience, Next, Notice, NoticeKind
from paygate.domain.ledger import EntryKind, EntryState, LedgerEntry
from paygate.domain.mails import StepMail, StepMailState
from paygate.errors import ConfigurationError, Undeliverable
from paygate.messages import Facts, Language, render_text
from paygate.notices import ChargeNotice, ContractNotice, OperatorNotice, RefundNotice, StepMailNotice
from paygate.plugins.smtp import MailNotSent, Smtp, _Letter
from paygate.plugins.smtp_settings import SmtpSettings
from paygate.testing import Decline, FakeStripe, ManualClock

from .conftest import PASSWORD

NOON = dt.datetime(2026, 2, 14, 16, 0, tzinfo=UTC)  # 15 February, one in the morning, in Japan
GOLD = Plan.recurring("ゴールド会員", Money(5000, "JPY"))
COURSE = Plan.one_off("動画講座", Money(12_000, "JPY"))
HANAKO = Customer("cus_1", "山田　花子", "hanako@example.com")
ID = "0199aabbccddeeff" * 2
CARD_NUMBER = "4242 4242 4242 4242"


def settings(port: int, **changes) -> SmtpSettings:
    return SmtpSettings(
        **{
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "sender": "金の店 <billing@shop.example>",
            "admin_to": "admin@shop.example",
            "receipt_base_url": "https://shop.example/receipts",
            "card_change_url": "https://shop.example/card",
            "console_url": "https://shop.example/console",
            **changes,
        }
    )


def plugin(port: int, **changes) -> Smtp:
    return Smtp(settings(port, **changes), clock=ManualClock(NOON))


def contract(**changes) -> Contract:
    made = Contract(
        "con_1", "cus_1", GOLD, PaymentMethod.CARD, Status.ACTIVE, dt.date(2026, 1, 15), NOON, Actor.admin(),
        account="stripe", credential="pm_canary_credential", expires_on=dt.date(2026, 3, 15),
    )  # fmt: skip
    return attrs.evolve(made, **changes)


def charge(kind: ChargeKind, state: ChargeState, **changes) -> Charge:
    made = Charge(
        ID, "con_1", "cus_1", "stripe", kind, Money(5000, "JPY"), "order-77", "fingerprint", state,
        created_at=NOON, settled_at=NOON,
    )  # fmt: skip
    return attrs.evolve(made, **changes)


def failed(failure: Failure | None = None) -> ChargeNotice:
    """An additional charge failed."""
    failure = failure or Failure("insufficient_funds", "残高が足りません")
    return ChargeNotice("n1", charge(ChargeKind.ADDON, ChargeState.FAILED, failure=failure), contract(), HANAKO)


def renewal_failed(audience: Audience = Audience.CUSTOMER, then: Next = Next.RETRY, **changes) -> ContractNotice:
    facts = {
        "amount": Money(5000, "JPY"), "attempt": 2, "happened_on": dt.date(2026, 2, 15), "code": "insufficient_funds",
        "reason": "残高が足りません", **changes,
    }  # fmt: skip
    late = contract(status=Status.PAST_DUE)
    return ContractNotice("n1", Notice(NoticeKind.RENEWAL_FAILED, audience, late.id, then, facts), late, HANAKO)


def refunded(state: RefundState, failure: Failure | None = None) -> RefundNotice:
    refund = Refund(
        ID, "con_1", "stripe", "e1", "e2", Money(2000, "JPY"), "rma-9", "fingerprint", state, created_at=NOON,
        settled_at=NOON, failure=failure,
    )  # fmt: skip
    return RefundNotice("n3", refund, sale("e1"), contract(), HANAKO)


def sale(entry_id: str) -> LedgerEntry:
    day = dt.date(2026, 2, 15)
    return LedgerEntry(
        entry_id, "con_1", "cus_1", EntryKind.ADDON, Money(5000, "JPY"), EntryState.SUCCEEDED, day, day, NOON,
        Actor.admin(),
    )  # fmt: skip


def step_mail(subject: str = "", body: str = "", mail_set: MailSet = MailSet.ON_RENEWAL) -> StepMail:
    return StepMail("m1", "con_1", "cus_1", "thanks", mail_set, StepMailState.SENT, NOON, NOON, ID, subject, body, NOON)


def text(mail) -> str:
    return mail.get_content()


# --- who is told what ---


@pytest.mark.rule("R-151", "R-271", "X-06")
def test_a_failed_renewal_is_told_to_both_sides_with_amount_attempt_next_attempt_and_how_to_change_the_card(start):
    box, port = start()
    mails = plugin(port)

    for audience in Audience:
        mails.on_contract_notice(renewal_failed(audience, next_attempt_on=dt.date(2026, 2, 20)))

    assert box.recipients == ["hanako@example.com", "admin@shop.example"]
    customer, admin = box.mails
    assert customer["Subject"] == "お支払いを確認できませんでした: ゴールド会員"
    for said in (
        "ゴールド会員",
        "con_1",
        "5,000円",
        "2026年2月15日",
        "2回目",
        "2026年2月20日",
        "https://shop.example/card",
    ):
        assert said in text(customer)
    assert "あらためて決済いたします" in text(customer)
    assert "insufficient_funds 残高が足りません" in text(admin)
    assert "https://shop.example/console/contracts/con_1" in text(admin)
    assert "insufficient_funds" not in text(customer)


@pytest.mark.rule("R-160", "R-271")
def test_after_the_last_attempt_no_date_is_promised_but_a_new_card_asked_for(start):
    box, port = start()

    plugin(port).on_contract_notice(renewal_failed(then=Next.NEW_CARD))

    assert "次回の決済" not in text(box.mails[0])
    assert "カードのご登録が必要です" in text(box.mails[0])


@pytest.mark.rule("R-151")
def test_a_charge_of_a_renewal_says_nothing_by_itself(start):
    box, port = start()
    notice = failed()

    plugin(port).on_charge_failure(attrs.evolve(notice, charge=attrs.evolve(notice.charge, kind=ChargeKind.PERIOD)))

    assert box.mails == []


@pytest.mark.rule("R-096")
def test_a_refund_by_hand_that_a_cancellation_leaves_is_told_once(start):
    box, port = start()
    mails = plugin(port)
    facts = {"amount": Money(5000, "JPY"), "refund_id": "r1", "message": "return it"}
    due = Notice(NoticeKind.MANUAL_REFUND_DUE, Audience.ADMIN, "con_1", Next.RETURN_MONEY, facts)

    mails.on_contract_notice(ContractNotice("n1", due, contract(), HANAKO))
    mails.on_operator_action_required(OperatorNotice("n2", "manual_refund_due", "return it", "con_1", refund_id="r1"))

    assert [mail["Subject"] for mail in box.mails] == ["[要対応] 手動返金: con_1"]


@pytest.mark.rule("R-409", "X-06")
@pytest.mark.parametrize("kind", [NoticeKind.RENEWAL_FAILED, NoticeKind.RENEWAL_HELD_BACK, NoticeKind.CARD_EXPIRING])
def test_mails_that_ask_for_another_card_link_to_the_contracts_own_page(start, kind):
    box, port = start()
    day = dt.date(2026, 2, 15)
    facts = {"amount": Money(5000, "JPY"), "attempt": 1, "happened_on": day, "card_expires_on": day}
    mails = plugin(port, card_change_url="https://shop.example/card/{contract_id}?from=mail")

    mails.on_contract_notice(
        ContractNotice("n1", Notice(kind, Audience.CUSTOMER, "con_1", Next.NEW_CARD, facts), contract(), HANAKO)
    )

    assert "https://shop.example/card/con_1?from=mail" in box.mails[0].get_content()


@pytest.mark.rule("R-409")
@pytest.mark.parametrize("page", ["https://shop.example/{customer}", "https://shop.example/{", "card/{contract_id}"])
def test_a_page_for_new_cards_with_an_unknown_placeholder_is_refused(page):
    with pytest.raises(ConfigurationError, match="card_change_url"):
        settings(25, card_change_url=page)


@pytest.mark.rule("X-07")
@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize("kind", [kind for kind in NoticeKind if kind is not NoticeKind.MANUAL_REFUND_DUE])
def test_every_notice_about_a_contract_has_a_mail_or_says_that_there_is_none(start, kind, audience):
    box, port = start()
    day = dt.date(2026, 2, 15)
    facts = {
        "amount": Money(5000, "JPY"), "attempt": 1, "happened_on": day, "effective_on": day, "last_day_of_use": day,
        "due_on": day, "card_expires_on": day, "code": "late_payment", "message": "return it", "something_new": 1,
    }  # fmt: skip
    awaited = kind is NoticeKind.APPLICATION_RECEIVED
    told = contract(method=PaymentMethod.BANK_TRANSFER, account=None) if awaited else contract()
    notice = ContractNotice("n1", Notice(kind, audience, "con_1", Next.NOTHING, facts), told, HANAKO)
    mails = plugin(port, transfer_details="みずほ銀行 本店\n普通 1234567")
    alone = {NoticeKind.DUNNING: Audience.CUSTOMER, NoticeKind.OPERATOR_ACTION: Audience.ADMIN}

    if alone.get(kind, audience) is audience:
        mails.on_contract_notice(notice)
        assert box.recipients == ["hanako@example.com" if audience is Audience.CUSTOMER else "admin@shop.example"]
    else:
        with pytest.raises(Undeliverable, match="no mail tells"):
            mails.on_contract_notice(notice)


@pytest.mark.rule("R-159")
def test_a_dunning_mail_tells_how_to_pay_by_the_contracts_own_means(start):
    box, port = start()
    mails = plugin(port, transfer_details="みずほ銀行 本店\n普通 1234567")
    facts = {"amount": Money(5000, "JPY"), "due_on": dt.date(2026, 2, 28)}
    told = Notice(NoticeKind.DUNNING, Audience.CUSTOMER, "con_1", Next.PAY, facts)

    mails.on_contract_notice(ContractNotice("n1", told, contract(), HANAKO))
    mails.on_contract_notice(ContractNotice("n2", told, contract(method=PaymentMethod.BANK_TRANSFER), HANAKO))

    card, transfer = (text(mail) for mail in box.mails)
    assert "https://shop.example/card" in card
    assert "普通 1234567" not in card
    assert "みずほ銀行 本店\n普通 1234567" in transfer
    assert "https://shop.example/card" not in transfer


@pytest.mark.rule("R-176", "X-04")
@pytest.mark.parametrize(
    ("hook", "notice", "subject"),
    [
        (
            "on_charge_success",
            ChargeNotice("n2", charge(ChargeKind.ADDON, ChargeState.SUCCEEDED, charged_at=NOON), contract(), HANAKO),
            "[追加請求 成功] ゴールド会員 5,000円",
        ),
        ("on_charge_failure", failed(), "[追加請求 失敗] ゴールド会員 5,000円"),
    ],
)
def test_the_result_of_an_additional_charge_is_told_to_the_administrator_alone(start, hook, notice, subject):
    box, port = start()

    getattr(plugin(port), hook)(notice)

    assert box.recipients == ["admin@shop.example"]
    assert box.mails[0]["Subject"] == subject
    assert "山田　花子" in text(box.mails[0])


def test_first_payments_are_told_to_the_administrator_only_if_wanted(start):
    box, port = start()
    notice = ChargeNotice("n2", charge(ChargeKind.INITIAL, ChargeState.SUCCEEDED), contract(), HANAKO)

    plugin(port).on_charge_success(notice)
    assert box.mails == []
    plugin(port, tell_admin_of_payments="true").on_charge_success(notice)

    assert box.mails[0]["Subject"] == "[入金] ゴールド会員 5,000円"


def test_a_first_charge_that_failed_made_no_contract_and_sends_no_mail():
    Smtp(settings(closed_port())).on_charge_failure(
        ChargeNotice("n1", charge(ChargeKind.INITIAL, ChargeState.FAILED), None)
    )


@pytest.mark.rule("R-247", "R-271", "X-07", "X-25")
def test_a_refund_is_told_to_both_sides_with_amount_date_and_a_link_to_its_row(start):
    box, port = start()

    plugin(port).on_refund(refunded(RefundState.DONE))

    assert box.recipients == ["admin@shop.example", "hanako@example.com"]
    for said in ("2,000円", "2026年2月15日", "https://shop.example/receipts/e2"):
        assert said in text(box.mails[1])


@pytest.mark.rule("R-247")
def test_a_failed_refund_is_told_to_the_administrator_alone_and_once(start):
    box, port = start()
    mails = plugin(port)

    mails.on_refund(refunded(RefundState.FAILED, Failure("balance_limit", "over the limit")))
    mails.on_operator_action_required(OperatorNotice("n4", "refund_failed", "refund failed", "con_1"))

    assert box.recipients == ["admin@shop.example"]
    assert "balance_limit over the limit" in text(box.mails[0])


@pytest.mark.rule("R-096", "X-14")
def test_the_administrator_is_told_what_has_to_be_done_by_hand(start):
    box, port = start()
    mails = plugin(port)

    mails.on_operator_action_required(
        OperatorNotice("n5", "manual_refund_due", "return 5,000 JPY by hand", "con_1", refund_id="ref_1", at=NOON)
    )
    mails.on_operator_action_required(OperatorNotice("n6", "unknown_outcome", "look it up", "con_1", ID, at=NOON))

    assert [mail["Subject"] for mail in box.mails] == ["[要対応] 手動返金: con_1", "[要対応] 請求の結果が分かりません"]
    assert "return 5,000 JPY by hand" in text(box.mails[0])
    assert ID in text(box.mails[1])


def test_the_language_is_a_setting(start):
    box, port = start()

    plugin(port, language="en").on_contract_notice(renewal_failed())

    assert box.mails[0]["Subject"] == "Your payment did not go through: ゴールド会員"
    assert "¥5,000" in text(box.mails[0])
    assert "15 February 2026" in text(box.mails[0])


# --- step mails ---


@pytest.mark.rule("R-234", "X-25")
def test_a_step_mails_own_words_are_filled_in_with_the_receipt_where_one_is_allowed(start):
    box, port = start()
    own = step_mail(
        "${customer_name} 様、${amount}を承りました",
        "${contract_name} (${contract_id}) ${charged_on} ${expires_on}\n領収書 ${receipt_url}\n以上",
    )
    notice = StepMailNotice("n1", own, HANAKO, sale("e1"), contract(), (sale("e1"), sale("e2")))

    plugin(port).on_step_mail_due(notice)
    plugin(port).on_step_mail_due(attrs.evolve(notice, receipt=None))

    assert box.mails[0]["Subject"] == "山田　花子 様、10,000円を承りました"
    assert text(box.mails[0]).splitlines() == [
        "ゴールド会員 (con_1) 2026年2月15日(日) 2026年3月15日(日)",
        "領収書 https://shop.example/receipts/e1",
        "以上",
    ]
    assert "領収書" not in text(box.mails[1])


@pytest.mark.rule("R-224")
def test_a_step_mail_without_words_says_what_its_event_says(start):
    box, port = start()
    mails = plugin(port)

    for mail_set in (MailSet.ON_PAYMENT_COMPLETE, MailSet.ON_RENEWAL):
        mails.on_step_mail_due(
            StepMailNotice("n", step_mail(mail_set=mail_set), HANAKO, None, contract(), (sale("e1"),))
        )
    ended = contract(status=Status.TERMINATED, ended_on=dt.date(2026, 3, 15))
    mails.on_step_mail_due(StepMailNotice("n", step_mail(mail_set=MailSet.ON_RECURRING_CANCEL), HANAKO, None, ended))

    assert [mail["Subject"] for mail in box.mails] == [
        "お支払いを確認しました: ゴールド会員",
        "お支払いを確認しました: ゴールド会員",
        "ご契約が終了しました: ゴールド会員",
    ]
    assert "最終ご利用日: 2026年3月14日" in text(box.mails[2])


def test_a_step_mail_that_lacks_a_fact_can_never_go_out():
    with pytest.raises(Undeliverable, match="needs amount, charged_on"):
        plugin(closed_port()).on_step_mail_due(StepMailNotice("n", step_mail(), HANAKO, None, contract()))


# --- how a mail is made ---


def test_a_mail_is_proper_mime_and_recognisable_when_it_comes_again(start):
    box, port = start()
    mails = plugin(port, reply_to="help@shop.example")

    for _ in range(2):
        mails.on_refund(refunded(RefundState.DONE))

    admin, customer, *again = box.mails
    assert (admin["Message-ID"], customer["Message-ID"]) == ("<n3.admin@shop.example>", "<n3.customer@shop.example>")
    assert [mail["Message-ID"] for mail in again] == [admin["Message-ID"], customer["Message-ID"]]
    assert customer["Date"].datetime == NOON
    assert customer["From"].addresses[0].display_name == "金の店"
    assert customer["To"].addresses[0].display_name == "山田　花子"
    assert customer["Reply-To"] == "help@shop.example"
    assert customer["Auto-Submitted"] == "auto-generated"
    assert customer.get_content_type() == "text/plain"
    assert customer.get_content_charset() == "utf-8"
    assert all(raw.isascii() for raw in box.raw)


def test_a_long_japanese_subject_survives_folding(start):
    box, port = start()
    subject = "いつもご利用いただき誠にありがとうございます。" * 8

    plugin(port).on_step_mail_due(StepMailNotice("n", step_mail(subject, "本文"), HANAKO))

    assert box.mails[0]["Subject"] == subject
    assert max(len(line) for line in box.raw[0].splitlines()) <= 998


@given(name=st.text(), contract_name=st.text())
def test_no_name_adds_a_header_or_a_recipient(name, contract_name):
    message = render_text(
        "${customer_name} ${contract_name}", "x", Language.JA, Facts(customer_name=name, contract_name=contract_name)
    )

    mime = plugin(25)._mime(_Letter("m1", "hanako@example.com", name, message))

    head = mime.as_bytes().split(b"\n\n")[0]
    names = [line.split(b":")[0] for line in head.splitlines() if not line.startswith((b" ", b"\t"))]
    assert sorted(names) == sorted(key.encode() for key in mime)
    assert [address.addr_spec for address in mime["To"].addresses] == ["hanako@example.com"]


def test_an_injected_header_becomes_a_harmless_word(start):
    box, port = start()
    rogue = Customer("cus_1", "Hanako\r\nBcc: everybody@example.com", "hanako@example.com")

    plugin(port).on_step_mail_due(StepMailNotice("n", step_mail("Hello ${customer_name}\nX-A: b", "x"), rogue))

    assert box.recipients == ["hanako@example.com"]
    assert box.mails[0]["Bcc"] is None
    assert box.mails[0]["X-A"] is None
    assert box.mails[0]["Subject"] == "Hello Hanako Bcc: everybody@example.com X-A: b"


@pytest.mark.rule("X-20")
def test_no_mail_shows_a_card_number_a_credential_or_a_password(start):
    box, port = start()
    mails = plugin(port)
    leaky = Failure("declined", f"card {CARD_NUMBER} api_key=canary-key Bearer canary-bearer")
    customer = Customer("cus_1", f"花子 {CARD_NUMBER}", "hanako@example.com")
    named = contract(plan=Plan.recurring("Gold sk_live_canary", Money(5000, "JPY")))

    mails.on_charge_failure(attrs.evolve(failed(leaky), contract=named, customer=customer))
    mails.on_contract_notice(
        attrs.evolve(renewal_failed(Audience.ADMIN, reason=leaky.message), contract=named, customer=customer)
    )
    mails.on_refund(attrs.evolve(refunded(RefundState.FAILED, leaky), contract=named, customer=customer))
    mails.on_operator_action_required(OperatorNotice("n4", "unknown_outcome", leaky.message, "con_1"))
    mails.on_step_mail_due(
        StepMailNotice("n5", step_mail("${customer_name}", "${contract_name}"), customer, None, named)
    )

    assert len(box.mails) == 5
    for mail in box.mails:
        everything = f"{mail.as_string()} {mail['Subject']} {mail['To']} {text(mail)}"
        assert "canary" not in everything
        assert "4242" not in everything


# --- the connection ---


def test_starttls_with_a_login_encrypts_and_authenticates(start, certificate):
    cert, context = certificate
    box, port = start(login=True, tls_context=context)
    mails = plugin(port, security="starttls", ca_file=str(cert), username="billing", password=PASSWORD)

    mails.on_charge_failure(failed())

    assert box.encrypted == [True]
    assert box.logins == ["billing"]


def test_tls_from_the_first_byte(start, certificate):
    cert, context = certificate
    box, port = start(ssl_context=context)

    plugin(port, security="tls", ca_file=str(cert)).on_charge_failure(failed())

    assert box.encrypted == [False]  # of STARTTLS: the socket was encrypted before the session began
    assert len(box.mails) == 1


def test_an_unknown_certificate_is_refused_before_anything_is_sent(start, certificate):
    box, port = start(tls_context=certificate[1])

    with pytest.raises(MailNotSent, match="CERTIFICATE_VERIFY_FAILED"):
        plugin(port, security="starttls").on_charge_failure(failed())

    assert box.mails == []


def test_a_server_without_starttls_gets_nothing(start):
    box, port = start()

    with pytest.raises(MailNotSent, match="STARTTLS"):
        plugin(port, security="starttls").on_charge_failure(failed())

    assert box.mails == []


def test_a_wrong_password_is_an_error_that_does_not_show_it(start, certificate):
    cert, context = certificate
    _, port = start(login=True, tls_context=context)
    mails = plugin(port, security="starttls", ca_file=str(cert), username="billing", password="canary-wrong")

    with pytest.raises(MailNotSent, match="SMTPAuthenticationError 535") as caught:
        mails.on_charge_failure(failed())

    assert "canary" not in f"{caught.value} {mails.settings!r}"
    assert caught.value.__suppress_context__


# --- refusals ---


def test_a_refused_address_is_final_names_the_mail_and_not_the_address_and_keeps_no_other_mail_back(start):
    box, port = start()
    box.refuse["hanako@example.com"] = "550 <hanako@example.com> no such user"

    with pytest.raises(Undeliverable) as caught:
        plugin(port).on_refund(refunded(RefundState.DONE))

    assert box.recipients == ["admin@shop.example"]
    assert str(caught.value) == (
        "mail n3.customer to h***@example.com: the server answered 550 <h***@example.com> no such user"
    )


def test_a_message_that_the_server_will_not_have_is_final(start):
    box, port = start()
    box.answer = "554 looks like spam"

    with pytest.raises(Undeliverable, match=r"n1.admin to a\*\*\*@shop.example: the server answered 554"):
        plugin(port).on_charge_failure(failed())


def test_come_back_later_is_not_final(start):
    box, port = start()
    box.refuse["admin@shop.example"] = "451 greylisted"

    with pytest.raises(MailNotSent, match=r"451 greylisted; it is tried again"):
        plugin(port).on_charge_failure(failed())


@pytest.mark.parametrize("address", ["", "hanako", "a@b@c", "a b@example.com", "花子@example.com", "x@y\r\nBcc: z@y"])
def test_what_is_no_address_is_not_sent_to(start, address):
    box, port = start()

    with pytest.raises(Undeliverable, match="mail m1: no address"):
        plugin(port).on_step_mail_due(StepMailNotice("n", step_mail("s", "b"), Customer("cus_1", "", address)))

    assert box.mails == []


# --- behind a gateway ---


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


STEP_MAILS = (
    StepMailPlan(
        "receipt", MailSet.ON_PAYMENT_COMPLETE, subject="領収書のご案内", body="領収書: ${receipt_url}\n${amount}"
    ),
)


@pytest.fixture
def shop(database_url):
    clock = ManualClock(dt.datetime(2026, 2, 15, 12, 0, tzinfo=JST))
    opened = []

    def shop(port: int, **changes) -> tuple[Gateway, FakeStripe, ManualClock]:
        stripe = FakeStripe(clock=clock)
        gateway = Gateway(
            database=database_url,
            providers={"stripe": stripe},
            plugins=[Smtp(settings(port, **changes))],
            clock=clock,
            step_mails=STEP_MAILS,
        )
        opened.append(gateway)
        return gateway, stripe, clock

    yield shop
    for gateway in opened:
        gateway.close()


@pytest.mark.rule("R-234", "X-25")
def test_the_first_mail_of_a_one_off_purchase_carries_the_receipt_link(start, shop):
    box, port = start()
    gateway, _, _ = shop(port)

    bought = gateway.contracts.create(HANAKO, COURSE, Card("stripe", "pm_1"))
    gateway.contracts.create(Customer("cus_2", "", "taro@example.com"), GOLD, Card("stripe", "pm_2"))

    row = gateway.ledger.list(contract_id=bought.id).all()[0]
    assert text(box.mails[0]) == f"領収書: https://shop.example/receipts/{row.id}\n12,000円\n"
    assert text(box.mails[1]) == "5,000円\n"
    assert box.mails[0]["Date"].datetime == dt.datetime(2026, 2, 15, 12, 0, tzinfo=JST)


@pytest.mark.rule("R-234", "R-109")
def test_a_purchase_by_bank_transfer_gets_its_receipt_when_the_payment_is_confirmed(start, shop):
    box, port = start()
    gateway, _, clock = shop(port, transfer_details="みずほ銀行 本店")
    bought = gateway.contracts.create(HANAKO, COURSE, BankTransfer())
    assert not any("receipts" in text(mail) for mail in box.mails)  # of the application, to both
    box.mails.clear()

    clock.advance(days=1)
    gateway.contracts.confirm_payment(bought.id)

    row = gateway.ledger.list(contract_id=bought.id).all()[0]
    assert text(box.mails[0]) == f"領収書: https://shop.example/receipts/{row.id}\n12,000円\n"


@pytest.mark.rule("R-176")
def test_while_the_server_is_away_notices_wait_and_go_out_in_order_once_it_is_back(start, shop):
    port = closed_port()
    gateway, stripe, clock = shop(port)
    bought = gateway.contracts.create(HANAKO, GOLD, Card("stripe", "pm_1"))
    stripe.next(Decline("card_declined"))
    first = gateway.charges.create(bought.id, Money(700, "JPY"), consent="phone")
    clock.advance(minutes=2)
    second = gateway.charges.create(bought.id, Money(800, "JPY"), consent="phone")

    assert (first.state, second.state) == (ChargeState.FAILED, ChargeState.SUCCEEDED)
    waiting = gateway.billing.stuck(attempts=1)
    assert "127.0.0.1" in waiting[0].last_error
    assert "hanako" not in waiting[0].last_error
    box, _ = start(port=port)
    for _ in range(5):
        clock.advance(hours=1)
        gateway.billing.deliver()

    assert [mail["Subject"] for mail in box.mails] == [
        "領収書のご案内",
        "[追加請求 失敗] ゴールド会員 700円",
        "[追加請求 成功] ゴールド会員 800円",
    ]
    assert gateway.billing.stuck(attempts=1) == ()


def test_a_refused_customer_is_given_up_reported_to_the_operator_and_holds_up_nothing(start, shop, caplog):
    box, port = start()
    box.refuse["hanako@example.com"] = "550 no such user"
    gateway, _, clock = shop(port)

    bought = gateway.contracts.create(HANAKO, COURSE, Card("stripe", "pm_1"))
    for _ in range(3):
        clock.advance(hours=2)
        gateway.billing.deliver()

    assert [mail["Subject"] for mail in box.mails] == ["[要対応] 届けられなかった通知があります"]
    assert bought.id in text(box.mails[0])
    assert "h***@example.com: the server answered 550 no such user" in text(box.mails[0])
    assert gateway.billing.stuck(attempts=1) == ()
    assert "hanako@example.com" not in caplog.text


def test_a_refused_administrator_is_not_reported_to_the_administrator(start, shop):
    box, port = start()
    box.refuse |= {"hanako@example.com": "550 gone", "admin@shop.example": "550 gone"}
    gateway, _, clock = shop(port)

    gateway.contracts.create(HANAKO, COURSE, Card("stripe", "pm_1"))
    clock.advance(hours=2)
    delivery = gateway.billing.deliver()

    assert (delivery.delivered, delivery.failed) == (0, 0)
    assert box.mails == []


# --- settings ---

TOML = """
database = "sqlite://"
[plugins.smtp]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "billing@shop.example"
admin_to = "admin@shop.example"
[[step_mails]]
name = "thanks"
set = "ON_RENEWAL"
subject = "${{contract_name}}"
"""


def test_the_plugin_is_set_up_by_the_configuration_file_and_the_environment(start, tmp_path):
    box, port = start()
    path = tmp_path / "paygate.toml"
    path.write_text(TOML.format(port=port), encoding="utf-8")

    config = load(path, environ={"PAYGATE_SMTP_LANGUAGE": "en", "PAYGATE_SMTP_TIMEOUT": "3"})
    config.plugins[0].on_charge_failure(failed())

    assert config.plugins[0].settings.timeout == 3
    assert box.mails[0]["Subject"] == "[Additional charge failed] ゴールド会員 ¥5,000"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"host": ""}, "host is a text"),
        ({"port": "smtp"}, "port is a whole number from 1 to 65535"),
        ({"timeout": 0}, "timeout is a whole number from 1 to 300"),
        ({"security": "ssl"}, "security is one of 'starttls', 'tls', 'none'"),
        ({"language": "fr"}, "language is one of 'ja', 'en'"),
        ({"sender": "shop"}, "sender is an address"),
        ({"sender": "Shop\r\nBcc: x@y <a@b.example>"}, "sender is an address"),
        ({"admin_to": "a@x, b@x"}, "admin_to is one mail address"),
        ({"reply_to": "nobody"}, "reply_to is one mail address"),
        ({"receipt_base_url": "javascript:alert(1)"}, "receipt_base_url begins with https://"),
        ({"console_url": "https://user:canary@shop.example"}, "console_url begins with https://"),
        ({"username": "billing"}, "username and password belong together"),
        ({"password": "canary"}, "username and password belong together"),
        ({"username": "billing", "password": "canaryé"}, "have to be ASCII"),
        ({"username": "b", "password": "canary", "host": "mail.example"}, "not sent unencrypted"),
        ({"ca_file": "/nowhere.pem"}, "no readable PEM file"),
        ({"templates": "/nowhere"}, "no such directory"),
        ({"tell_admin_of_payments": "perhaps"}, "true or false"),
    ],
)
def test_wrong_settings_are_named_without_showing_a_secret(changes, says):
    with pytest.raises(ConfigurationError, match=says) as caught:
        plugin(**{"port": 25, **changes})

    assert "canary" not in str(caught.value)


def test_the_password_shows_nowhere():
    assert "canary" not in repr(settings(587, security="tls", username="billing", password="canary"))


@pytest.mark.rule("R-335")
@pytest.mark.parametrize("audience", Audience)
def test_the_link_at_which_the_customer_confirms_a_payment_is_mailed_whole(start, audience):
    box, port = start()
    link = "https://hooks.stripe.com/redirect/authenticate/src_1?client_secret=src_client_secret_4242424242424242"
    facts = {"amount": Money(3000, "JPY"), "due_on": dt.date(2026, 2, 18), "action_url": link, "charge_id": "ch1"}
    told = Notice(NoticeKind.ACTION_REQUIRED, audience, "con_1", Next.ACT, facts)

    plugin(port).on_contract_notice(ContractNotice("n1", told, contract(), HANAKO))

    (mail,) = box.mails
    body = mail.get_content()
    assert link in body
    assert "3,000円" in body
    assert "2026年2月18日" in body


@pytest.mark.rule("R-333")
def test_a_failure_mail_without_a_retry_says_that_another_card_is_needed(start):
    box, port = start()
    facts = {"amount": Money(3000, "JPY"), "attempt": 1, "happened_on": dt.date(2026, 2, 15), "code": "stolen_card"}
    told = Notice(NoticeKind.RENEWAL_FAILED, Audience.CUSTOMER, "con_1", Next.NEW_CARD, facts)

    plugin(port).on_contract_notice(ContractNotice("n1", told, contract(), HANAKO))

    body = box.mails[0].get_content()
    assert "カードのご登録が必要です" in body
    assert "次回の決済予定日" not in body
