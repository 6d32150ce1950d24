"""Second manual: the buttons of contracts paid by card, where the money goes back by itself."""

from __future__ import annotations

import pytest

from paygate.domain.charge import RefundState
from paygate.errors import (
    LicenseRemovalTooLate,
    NotRevocable,
    OperationNotAllowed,
    ProductEnded,
    RefundExceedsSale,
)

from .shop import COURSE, MAGAZINE, day, magazine, yen


@pytest.mark.rule("R-081", "R-097", "R-098", "R-099", "R-100", "R-102", "R-238", "R-240", "R-247")
def test_a_course_paid_through_univapay_is_cancelled_and_refunded(univapay):
    shop = univapay
    contract = shop.sign_up(COURSE)
    shop.charged(contract, 980)
    # exactly one of the two variants is shown: キャンセルして返金
    assert shop.buttons(contract) == {"cancel_and_refund", "charge_addon"}

    shop.gateway.contracts.cancel_and_refund(contract.id, reason="within the week")
    shop.hear()

    # The purchase goes back, the additional charge was a sale of its own and stays
    assert (shop.status(contract), shop.open_content(contract)) == ("CANCELED", [])
    assert (shop.till.book.refunded(), shop.net(contract)) == (12_000, 980)
    refund = shop.gateway.refunds.list(contract_id=contract.id).first()
    assert (refund.state, refund.amount) == (RefundState.DONE, yen(12_000))


@pytest.mark.rule("R-098", "R-099", "R-100")
def test_stripe_and_amazon_pay_return_the_additional_charges_too_if_asked(stripe_or_amazonpay):
    shop = stripe_or_amazonpay
    contract = shop.sign_up(COURSE)
    shop.charged(contract, 980)

    shop.gateway.contracts.cancel_and_refund(contract.id, include_addons=True)
    shop.hear()

    assert shop.status(contract) == "CANCELED"
    assert (shop.till.book.refunded(), shop.net(contract)) == (12_980, 0)


@pytest.mark.rule("R-249")
def test_telecom_credit_cannot_refund_so_a_person_is_told_to(telecom):
    contract = telecom.sign_up(COURSE)

    telecom.gateway.contracts.cancel_and_refund(contract.id)

    assert telecom.status(contract) == "CANCELED"
    assert telecom.till.book.refunded() == 0  # claiming a refund that does not happen would be the worse error
    assert [due.amount for due in telecom.gateway.refunds.dues()] == [COURSE.price]
    assert telecom.letters.operator == ["manual_refund_due"]


@pytest.mark.rule("R-015", "R-028", "R-086", "R-087", "R-090")
def test_before_its_start_a_monthly_contract_is_cancelled_and_the_initial_fee_goes_back(univapay):
    shop = univapay
    contract = shop.sign_up(magazine(initial_fee=yen(1000)), start_on="2024-11-01")
    # only the initial fee has been charged; nothing opens before the start
    assert (shop.till.book.captured(), shop.status(contract)) == (1000, "NOT_STARTED")
    assert shop.open_content(contract) == []

    # until the last second of October
    shop.at("2024-10-31 23:59:59")
    shop.gateway.contracts.cancel(contract.id)
    shop.hear()

    assert (shop.status(contract), shop.till.book.refunded()) == ("CANCELED", 1000)
    # 1 November charges nobody
    shop.nightly_run("2024-11-01")
    assert shop.till.book.captured() == 1000


@pytest.mark.rule("R-089", "R-090")
def test_without_an_initial_fee_no_money_moves_and_on_the_start_date_it_is_too_late(stripe):
    free = stripe.sign_up(MAGAZINE, start_on="2024-11-01")
    late = stripe.sign_up(MAGAZINE, start_on="2024-11-01")

    stripe.gateway.contracts.cancel(free.id)
    stripe.at("2024-11-01 00:00")
    with pytest.raises(OperationNotAllowed):
        stripe.gateway.contracts.cancel(late.id)

    assert (stripe.status(free), stripe.status(late)) == ("CANCELED", "NOT_STARTED")
    assert stripe.till.book.movements == ()


@pytest.mark.rule("R-015", "R-029", "R-030", "R-036", "R-043", "R-045", "R-058", "R-048")
def test_a_monthly_contract_starts_and_renews_on_its_day(univapay):
    shop = univapay
    contract = shop.sign_up(magazine(initial_fee=yen(1000)), start_on="2024-11-01")

    shop.nightly_run("2024-11-01")
    assert (shop.status(contract), shop.expiry(contract)) == ("ACTIVE", "2024-12-01")
    shop.nightly_run("2024-12-01")

    assert (shop.expiry(contract), shop.open_content(contract)) == ("2025-01-01", ["2024-11", "2024-12"])
    assert shop.sales(contract)[1:] == ["2024-11-01 PERIOD 3000 SUCCEEDED", "2024-12-01 PERIOD 3000 SUCCEEDED"]
    assert shop.till.book.captured() == 7000
    # the renewal sends what was prepared for it, five minutes later
    assert shop.renewal_mails(contract) == ["QUEUED"]
    shop.clock.advance(minutes=5)
    shop.gateway.step_mails.release()
    assert shop.letters.step_mails[-1] == "thank-you"


@pytest.mark.rule("R-079", "R-113", "R-121", "R-124", "R-125", "R-128", "R-129", "R-131", "R-134", "R-233")
def test_notice_is_given_taken_back_given_again_and_takes_effect(univapay):
    shop, buttons = univapay, univapay.gateway.contracts
    contract = shop.sign_up(MAGAZINE)
    # for a card there is no button to stop or resume
    assert shop.buttons(contract) == {"schedule_cancellation", "charge_addon"}

    shop.at("2024-10-20 10:00")
    given = buttons.schedule_cancellation(contract.id)
    assert (shop.status(contract), given.last_day_of_use) == ("CANCEL_SCHEDULED", day("2024-11-07"))
    assert shop.buttons(contract) == {"revoke_cancellation", "charge_addon"}
    buttons.revoke_cancellation(contract.id)
    assert shop.status(contract) == "ACTIVE"

    buttons.schedule_cancellation(contract.id)
    shop.at("2024-11-07 23:59:59")
    assert shop.open_content(contract) == ["2024-10"]
    shop.nightly_run("2024-11-08")

    assert shop.status(contract) == "TERMINATED"
    assert (shop.till.book.captured(), shop.till.book.refunded()) == (3000, 0)  # no renewal, no refund
    assert shop.letters.step_mails[-1] == "goodbye"
    assert shop.letters.both("cancellation_scheduled") == 2
    assert shop.letters.both("cancellation_effective") == 1


@pytest.mark.rule("R-130")
def test_a_provider_that_charges_the_renewals_itself_is_told_to_end_and_to_go_on(telecom):
    contract = telecom.sign_up(MAGAZINE)
    telecom.at("2024-10-20 10:00")

    telecom.gateway.contracts.schedule_cancellation(contract.id)
    telecom.gateway.contracts.revoke_cancellation(contract.id)

    told = [call.hook for call in telecom.till.provider.calls if call.hook.endswith("_recurring")]
    assert told == ["end_recurring", "resume_recurring"]


@pytest.mark.rule("R-067", "R-068", "R-069", "R-071", "R-042")
def test_a_product_that_ends_in_november_takes_its_contracts_with_it(univapay):
    shop, buttons = univapay, univapay.gateway.contracts
    last_issue = magazine(end_month="2024-11")
    contract = shop.sign_up(last_issue)

    # 8 November: the final period begins, is paid, and the end is reserved by itself
    shop.nightly_run("2024-11-08")
    assert (shop.status(contract), shop.open_content(contract)) == ("CANCEL_SCHEDULED", ["2024-10", "2024-11"])
    # 解約の取消 is not possible
    assert "revoke_cancellation" not in shop.buttons(contract)
    with pytest.raises(NotRevocable):
        buttons.revoke_cancellation(contract.id)
    # nobody can begin after the end
    with pytest.raises(ProductEnded):
        shop.sign_up(last_issue, start_on="2024-12-01")

    # 8 December: the end
    shop.nightly_run("2024-12-08")
    assert (shop.status(contract), shop.till.book.captured()) == ("TERMINATED", 6000)


@pytest.mark.rule("R-060", "R-061", "R-062")
def test_a_special_period_is_charged_at_its_price(univapay):
    shop = univapay
    contract = shop.sign_up(magazine(special_price=yen(500), special_periods=1))
    assert (shop.status(contract), shop.till.book.captured()) == ("SPECIAL_PERIOD", 500)

    shop.nightly_run("2024-11-08")

    assert (shop.status(contract), shop.till.book.captured()) == ("ACTIVE", 3500)


@pytest.mark.rule("R-083", "R-238", "R-239", "R-240", "R-241", "R-242", "R-243", "R-246", "R-247")
def test_one_month_is_returned_with_its_licence_and_another_in_part(univapay):
    shop, refunds = univapay, univapay.gateway.refunds
    contract = shop.sign_up(MAGAZINE)
    shop.nightly_run("2024-11-08")
    october, november = shop.gateway.ledger.list(contract_id=contract.id)

    # 部分返金 of October, with ライセンス削除; the dialog says what will happen
    box = refunds.preview(october.id, remove_license=True)
    assert box.licenses == ("magazine",)
    refund = refunds.create(october.id, remove_license=True)
    assert refund.state is RefundState.PENDING  # UnivaPay's refunds take their time
    shop.hear()
    assert refunds.get(refund.id).state is RefundState.DONE
    assert (shop.open_content(contract), shop.status(contract)) == (["2024-11"], "ACTIVE")

    # A part of November, twice, and never more than was paid
    for amount in (1000, 500):
        refunds.create(november.id, yen(amount))
        shop.hear()
    with pytest.raises(RefundExceedsSale):
        refunds.create(november.id, yen(1501))
    assert (shop.till.book.refunded(), shop.net(contract)) == (4500, 1500)
    assert shop.open_content(contract) == ["2024-11"]

    # Once all of it is back, it is too late for the licence
    refunds.create(november.id)
    shop.hear()
    with pytest.raises(LicenseRemovalTooLate):
        refunds.create(november.id, remove_license=True)
    assert shop.net(contract) == 0


@pytest.mark.rule("R-244")
def test_a_row_of_an_ended_contract_can_still_be_returned(stripe):
    contract = stripe.sign_up(MAGAZINE)
    stripe.gateway.contracts.schedule_cancellation(contract.id)
    stripe.nightly_run("2024-11-08")
    (row,) = stripe.gateway.ledger.list(contract_id=contract.id)

    stripe.gateway.refunds.create(row.id)

    assert (stripe.status(contract), stripe.net(contract)) == ("TERMINATED", 0)


@pytest.mark.rule("R-227", "R-228", "R-229", "R-230", "R-231", "R-233")
def test_step_mails_are_paused_set_running_and_deleted_before_they_are_due(stripe):
    contract = stripe.sign_up(MAGAZINE)
    assert stripe.letters.step_mails == ["welcome"]  # no delay: out at the receipt, and never held back
    queue = stripe.gateway.step_mails
    for amount in (980, 990, 1000):
        stripe.execute(contract, amount, send_step_mail=True)
    paused, deleted, left = [mail for mail in queue.list(contract_id=contract.id) if mail.name == "thank-you"]

    # 一時停止 and 稼働中, ステップメールを削除する; giving notice is not unsubscribing
    queue.pause(paused.id)
    queue.delete(deleted.id)
    stripe.gateway.contracts.schedule_cancellation(contract.id)
    stripe.clock.advance(minutes=5)
    assert queue.release().released == (left.id,)

    # set running after its time, it goes out with the next dispatch; the deleted one never does
    stripe.clock.advance(hours=1)
    queue.resume(paused.id)
    assert queue.release().released == (paused.id,)
    assert stripe.letters.step_mails == ["welcome", "thank-you", "thank-you"]
    assert sorted(stripe.renewal_mails(contract)) == ["DELETED", "SENT", "SENT"]


@pytest.mark.rule("R-253", "R-254", "R-255", "R-258", "R-259", "R-263")
def test_deleting_a_card_contract_returns_every_payment_that_is_left(univapay):
    shop = univapay
    contract = shop.sign_up(MAGAZINE)
    shop.charged(contract, 980)
    shop.nightly_run("2024-11-08")
    first = shop.gateway.ledger.list(contract_id=contract.id).first()
    shop.gateway.refunds.create(first.id)
    shop.hear()

    report = shop.gateway.contracts.delete(contract.id, confirm=contract.id, reason="applied twice by mistake")
    shop.hear()

    # the past month, and the additional charge; what went back already is skipped
    assert sorted(refund.amount.minor for refund in report.refunds) == [980, 3000]
    assert shop.till.book.refunded() == shop.till.book.captured() == 6980
    assert list(shop.gateway.contracts.list()) == []
