"""From the call of an operation to the mail in somebody's box: gateway, outbox, the plugin ``smtp``, a real server.

Who hears of what is the table of domain §3.4; the last words of each subject tell the mails apart.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from paygate import JST, BankTransfer, Card, Customer, Cycle, Gateway, Manual, Money, Plan, Product, ProductType
from paygate.errors import ConfigurationError
from paygate.plugins.smtp import Smtp
from paygate.plugins.smtp_settings import SmtpSettings
from paygate.testing import Decline, FailLate, FakeStripe, ManualClock, StayPending

from .conftest import Mailbox, Start

GOLD = Plan.recurring("Gold", Money(3000, "JPY"), Cycle.MONTHLY, initial_fee=Money(1000, "JPY"))
COURSE = Plan.one_off("Course", Money(12_000, "JPY"))
HANAKO = Customer("cus_1", "山田 花子", "hanako@example.com")
SHOP, CUSTOMER = "admin@shop.example", "hanako@example.com"


@attrs.define
class Shop:
    """A gateway whose mails arrive in *box*."""

    gateway: Any
    clock: ManualClock
    stripe: FakeStripe
    box: Mailbox

    def made(self, plan: Plan, payment: Any, **options: Any) -> str:
        """A contract; afterwards the box is empty."""
        contract_id = self.gateway.contracts.create(HANAKO, plan, payment, contract_id="con_1", **options).id
        self.taken()
        return str(contract_id)

    def taken(self) -> list[tuple[str, str, str]]:
        """To whom, subject and body of the mails that have come since."""
        mails = [
            (to, str(mail["Subject"]), mail.get_content())
            for to, mail in zip(self.box.recipients, self.box.mails, strict=True)
        ]
        self.box.recipients.clear()
        self.box.mails.clear()
        return mails

    def subjects(self) -> list[tuple[str, str]]:
        return [(to, subject) for to, subject, _ in self.taken()]


@pytest.fixture(params=["ja", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shop(start: Start, language: str) -> Iterator[Shop]:
    box, port = start()
    settings = SmtpSettings(
        host="127.0.0.1", port=port, security="none", sender="Shop <billing@shop.example>", admin_to=SHOP,
        language=language, transfer_details="みずほ銀行 本店\n普通 1234567", console_url="https://shop.example/console",
    )  # fmt: skip
    clock = ManualClock(dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST))
    stripe = FakeStripe(clock=clock)
    with Gateway(database="sqlite://", providers={"stripe": stripe}, plugins=[Smtp(settings)], clock=clock) as gateway:
        yield Shop(gateway, clock, stripe, box)


def _both(language: str, ja: tuple[str, str], en: tuple[str, str]) -> list[tuple[str, str]]:
    """The mail to the customer, then that to the shop."""
    customer, admin = ja if language == "ja" else en
    return [(CUSTOMER, customer), (SHOP, admin)]


@pytest.mark.rule("X-07")
def test_an_application_by_bank_transfer_tells_how_to_pay_and_that_money_is_awaited(shop: Shop, language: str) -> None:
    shop.gateway.contracts.create(HANAKO, GOLD, BankTransfer(), contract_id="con_1")

    (to, subject, body), (admin, told, _) = shop.taken()
    expected = _both(
        language,
        ("お申し込みを受け付けました: Gold", "[申込] Gold 4,000円"),
        ("We received your application: Gold", "[Application] Gold ¥4,000"),
    )
    assert [(to, subject), (admin, told)] == expected
    assert "みずほ銀行 本店" in body
    assert ("4,000円" if language == "ja" else "¥4,000") in body


def test_what_an_administrator_keeps_by_hand_or_a_card_pays_is_no_application(shop: Shop) -> None:
    shop.gateway.contracts.create(HANAKO, GOLD, Manual(), contract_id="by hand")
    shop.gateway.contracts.create(HANAKO, GOLD, Card("stripe", "tok_1"), contract_id="by card")
    assert shop.taken() == []


@pytest.mark.rule("R-081", "R-096", "R-250", "X-07")
def test_what_is_undone_is_told_to_both_and_the_refund_by_hand_once_it_is_made(shop: Shop, language: str) -> None:
    contract_id = shop.made(COURSE, Manual(), paid=True)
    shop.gateway.contracts.cancel_with_manual_refund(contract_id, reason="wrong course")
    undone = _both(
        language,
        ("ご契約をキャンセルしました: Course", "[キャンセル] Course"),
        ("Your contract is undone: Course", "[Undone] Course"),
    )
    by_hand = (
        "[要対応] 手動返金: con_1 12,000円" if language == "ja" else "[Action required] refund by hand: con_1 ¥12,000"
    )
    mails = shop.taken()
    assert sorted((to, subject) for to, subject, _ in mails) == sorted([*undone, (SHOP, by_hand)])
    bodies = {subject: body for _, subject, body in mails}
    assert "wrong course" in bodies[undone[1][1]]

    (due,) = shop.gateway.refunds.dues()
    shop.gateway.refunds.mark_done(due.id, note="bank transfer")
    done = _both(
        language,
        ("返金の手続きが完了しました: Course", "[返金 完了] Course 12,000円"),
        ("Your refund is complete: Course", "[Refund done] Course ¥12,000"),
    )
    assert sorted(shop.subjects()) == sorted(done)


@pytest.mark.rule("R-098", "R-101", "R-247", "X-07")
def test_a_refund_that_fails_late_is_told_to_the_shop_alone(shop: Shop, language: str) -> None:
    contract_id = shop.made(COURSE, Card("stripe", "tok_1"))
    shop.stripe.next_refund(FailLate(seconds=60))
    shop.gateway.contracts.cancel_and_refund(contract_id)
    shop.taken()
    shop.clock.advance(minutes=5)
    for notice in shop.stripe.notifications():
        shop.gateway.webhooks.receive("stripe", notice.headers, notice.body)

    ((to, subject),) = shop.subjects()
    assert (to, subject) == (
        SHOP,
        "[返金 失敗] Course 12,000円" if language == "ja" else "[Refund failed] Course ¥12,000",
    )


@pytest.mark.rule("R-118", "R-120", "R-159", "X-07")
def test_a_suspension_by_hand_is_silent_a_dunning_mail_is_on_demand_and_resuming_is_told_to_both(
    shop: Shop, language: str
) -> None:
    contract_id = shop.made(GOLD, BankTransfer())
    shop.gateway.contracts.confirm_payment(contract_id)
    shop.gateway.contracts.suspend(contract_id)
    assert shop.taken() == []

    shop.gateway.contracts.send_dunning_mail(contract_id)
    assert [to for to, _ in shop.subjects()] == [CUSTOMER]
    shop.gateway.contracts.resume(contract_id)
    assert shop.subjects() == _both(
        language,
        ("ご契約を再開しました: Gold", "[再開] Gold"),
        ("Your contract continues: Gold", "[Resumed] Gold"),
    )


@pytest.mark.rule("R-151", "R-145", "X-06")
def test_a_failed_card_is_told_to_both_and_says_that_the_contract_is_suspended(shop: Shop, language: str) -> None:
    shop.made(GOLD, Card("stripe", "tok_1"))
    shop.stripe.script_for("tok_1", Decline("insufficient_funds"))
    shop.clock.set(dt.datetime(2026, 2, 15, 9, 0, tzinfo=JST))
    shop.gateway.billing.run()

    customer, admin = shop.taken()
    assert (customer[0], admin[0]) == (CUSTOMER, SHOP)
    assert ("停止しております" if language == "ja" else "suspended") in customer[2]
    assert "https://shop.example/console/contracts/con_1" in admin[2]


@pytest.mark.rule("R-125", "R-128", "R-134", "X-07", "X-08")
def test_notice_revocation_and_the_end_are_told_to_both_with_their_day(shop: Shop, language: str) -> None:
    contract_id = shop.made(GOLD, Card("stripe", "tok_1"))
    shop.clock.advance(days=1)

    def told(act: Callable[[], Any]) -> list[tuple[str, str, str]]:
        act()
        mails = shop.taken()
        assert sorted(to for to, _, _ in mails) == [SHOP, CUSTOMER]
        return mails

    scheduled = told(lambda: shop.gateway.contracts.schedule_cancellation(contract_id))
    day = "2026年2月15日" if language == "ja" else "15 February 2026"
    assert all(day in body for _, _, body in scheduled)
    told(lambda: shop.gateway.contracts.revoke_cancellation(contract_id))
    told(lambda: shop.gateway.contracts.schedule_cancellation(contract_id))
    shop.clock.set(dt.datetime(2026, 2, 15, 9, 0, tzinfo=JST))
    ended = told(shop.gateway.billing.run)
    assert all(day in body for _, _, body in ended)


@pytest.mark.rule("R-139", "X-07")
def test_an_end_for_want_of_payment_is_told_to_both(shop: Shop, language: str) -> None:
    contract_id = shop.made(GOLD, Manual(), paid=True)
    shop.gateway.contracts.suspend(contract_id)
    shop.gateway.contracts.terminate(contract_id)
    assert shop.subjects() == _both(
        language,
        ("ご契約が終了しました: Gold", "[解約] Gold"),
        ("Your contract has ended: Gold", "[Terminated] Gold"),
    )


@pytest.mark.rule("R-430", "R-159")
def test_a_reminder_names_a_day_that_is_still_to_come(shop: Shop, language: str) -> None:
    contract_id = shop.made(GOLD, BankTransfer())
    shop.gateway.contracts.send_dunning_mail(contract_id)
    ((_, _, body),) = shop.taken()

    day = "2026年1月22日(木)" if language == "ja" else "22 January 2026"  # a week after the 15th
    assert day in body
    assert "カード" not in body
    assert "card" not in body


@pytest.mark.rule("R-430")
@pytest.mark.parametrize(("days", "day"), [(0, "2026年1月15日(木)"), (14, "2026年1月29日(木)")])
def test_how_long_a_customer_has_to_pay_is_a_setting(start: Start, days: int, day: str) -> None:
    box, port = start()
    settings = SmtpSettings(
        host="127.0.0.1",
        port=port,
        security="none",
        sender="b@shop.example",
        admin_to=SHOP,
        transfer_details="普通 1234567",
    )
    clock = ManualClock(dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST))
    plugins = [Smtp(settings)]
    with Gateway(database="sqlite://", providers={}, plugins=plugins, clock=clock, payment_due_days=days) as gateway:
        gateway.contracts.create(HANAKO, GOLD, BankTransfer(), contract_id="con_1")

    assert all(f"お支払い期限: {day}" in mail.get_content() for mail in box.mails)
    assert len(box.mails) == 2


@pytest.mark.rule("R-430")
@pytest.mark.parametrize("wrong", [-1, 366, True, "7"])
def test_a_number_of_days_that_is_none_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="payment_due_days is a whole number"):
        Gateway(database="sqlite://", providers={}, payment_due_days=wrong)


@pytest.mark.rule("R-431")
def test_a_refund_is_never_announced_after_it_was_made(shop: Shop, language: str) -> None:
    contract_id = shop.made(COURSE, Card("stripe", "tok_1"))
    shop.gateway.contracts.cancel_and_refund(contract_id)

    to_customer = [body for to, _, body in shop.taken() if to == CUSTOMER]
    done, announced = (
        ("返金いたしました", "返金いたします") if language == "ja" else ("We returned", "The money goes back")
    )
    assert any(done in body for body in to_customer)
    assert not any(announced in body for body in to_customer)
    assert any(("返金済みです" if language == "ja" else "has gone back") in body for body in to_customer)


@pytest.mark.rule("R-431")
def test_a_refund_that_is_still_under_way_is_announced_first(shop: Shop, language: str) -> None:
    contract_id = shop.made(COURSE, Card("stripe", "tok_1"))
    shop.stripe.next_refund(StayPending(seconds=60))
    shop.gateway.contracts.cancel_and_refund(contract_id)
    first = [body for to, _, body in shop.taken() if to == CUSTOMER]
    shop.clock.advance(minutes=5)
    shop.gateway.billing.reconcile()
    then = [body for to, _, body in shop.taken() if to == CUSTOMER]

    assert len(first) == len(then) == 1
    assert ("返金いたします" if language == "ja" else "The money goes back") in first[0]
    assert ("返金いたしました" if language == "ja" else "We returned") in then[0]


@pytest.mark.rule("R-431")
def test_after_a_deletion_the_reason_is_in_words_and_no_link_leads_nowhere(shop: Shop, language: str) -> None:
    contract_id = shop.made(COURSE, Card("stripe", "tok_1"))
    shop.gateway.contracts.delete(contract_id, confirm=contract_id, reason="mistake")

    found = [body for to, _, body in shop.taken() if to == SHOP]
    assert all("/contracts/" not in body for body in found)
    assert all(" delete\n" not in body for body in found)


@pytest.mark.rule("R-431", "R-389")
def test_the_end_of_a_product_is_told_as_such_and_not_as_a_cancellation_that_can_be_taken_back(
    shop: Shop, language: str
) -> None:
    plan = attrs.evolve(GOLD, products=(Product("mag", ProductType.MONTHLY_MAGAZINE, end_month="2026-02"),))
    shop.made(plan, Card("stripe", "tok_1"))
    shop.clock.set(dt.datetime(2026, 2, 15, 3, 0, tzinfo=JST))
    shop.gateway.billing.run()

    customer = next(body for to, _, body in shop.taken() if to == CUSTOMER)
    assert ("提供終了" if language == "ja" else "comes to its end") in customer
    assert ("取り消すことができます" if language == "ja" else "change your mind") not in customer
    assert ("2026年3月15日(日)" if language == "ja" else "15 March 2026") in customer
