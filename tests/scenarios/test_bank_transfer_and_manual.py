"""Second manual: contracts without a provider. A person confirms, stops, resumes and ends them, button by button."""

from __future__ import annotations

import pytest

from paygate import BankTransfer, Manual
from paygate.domain.charge import RefundState
from paygate.errors import DeleteNotConfirmed, EffectiveDayReached, NotFound, OperationNotAllowed, RenewalDayError

from .shop import COURSE, HANAKO, MAGAZINE, day, magazine, yen


def applied(shop, plan=MAGAZINE, **options):
    """An application by bank transfer."""
    return shop.gateway.contracts.create(HANAKO, plan, BankTransfer(), **options)


def running(shop, plan=MAGAZINE):
    """A bank contract whose first payment has been found."""
    contract = applied(shop, plan)
    return shop.gateway.contracts.confirm_payment(contract.id)


@pytest.mark.rule(
    "R-009", "R-010", "R-026", "R-031", "R-037", "R-039", "R-074", "R-075", "R-078", "R-079", "R-080", "R-104", "R-106",
    "R-109", "R-111", "R-114", "R-116", "R-118", "R-119", "R-120", "R-122", "R-123", "R-124", "R-125", "R-128", "R-129",
    "R-158", "R-159", "R-167",
)  # fmt: skip
def test_the_life_of_a_bank_transfer_contract(offline):
    shop, buttons = offline, offline.gateway.contracts

    # 8 October: the customer applies and has not paid yet; nothing can be viewed
    contract = applied(shop)
    assert shop.status(contract) == "PENDING_PAYMENT"
    assert shop.buttons(contract) == {"cancel", "confirm_payment"}
    assert shop.open_content(contract) == []
    # both sides are told: how to pay, and that money is awaited
    assert shop.letters.messages == [("application_received", "customer"), ("application_received", "admin")]
    shop.letters.messages.clear()

    # 10 October: the transfer is found. 支払いを確認 makes sale, licence, expiry and mail
    shop.at("2024-10-10 10:00")
    buttons.confirm_payment(contract.id)
    assert (shop.status(contract), shop.expiry(contract)) == ("ACTIVE", "2024-11-08")
    assert shop.sales(contract) == ["2024-10-08 PERIOD 3000 SUCCEEDED"]
    assert (shop.open_content(contract), shop.letters.step_mails) == (["2024-10"], ["welcome"])
    # no card: nothing to charge additionally, but a person can stop it
    assert shop.buttons(contract) == {"suspend", "schedule_cancellation"}

    # 8 November: renewal day. Nobody can see the bank account, so the period opens as if it were paid
    shop.nightly_run("2024-11-08")
    assert (shop.expiry(contract), shop.open_content(contract)) == ("2024-12-08", ["2024-10", "2024-11"])
    assert shop.sales(contract)[-1] == "2024-11-08 PERIOD 3000 ASSUMED"

    # 15 November: no transfer has come. 契約の停止 locks this month, and leaves what was paid
    shop.at("2024-11-15 10:00")
    buttons.suspend(contract.id, reason="no transfer in November")
    assert shop.status(contract) == "PAST_DUE"
    assert shop.open_content(contract) == ["2024-10"]
    assert (shop.sales(contract)[-1], shop.net(contract)) == ("2024-11-08 PERIOD 3000 UNPAID", 3000)
    assert shop.buttons(contract) == {"resume", "terminate"}
    assert shop.letters.messages == []  # stopping by hand mails nobody …
    buttons.send_dunning_mail(contract.id, due_on=day("2024-11-30"))  # … a reminder is a step of its own
    assert shop.letters.messages == [("dunning", "customer")]

    # 8 December passes: while the contract stands still nothing is billed
    assert shop.nightly_run("2024-12-08").renewed == 0

    # 12 December: the late transfer is found. 契約停止の解除 gives back what was locked and moves the
    # expiry, which has passed meanwhile, so that there is something to view
    shop.at("2024-12-12 10:00")
    buttons.resume(contract.id)
    assert (shop.status(contract), shop.expiry(contract)) == ("ACTIVE", "2025-01-08")
    assert shop.open_content(contract) == ["2024-10", "2024-11"]
    assert shop.sales(contract) == ["2024-10-08 PERIOD 3000 SUCCEEDED", "2024-11-08 PERIOD 3000 SUCCEEDED"]

    # 20 December: the customer gives notice. 解約予約 for the next 8th; nothing is locked and nothing goes back
    shop.at("2024-12-20 10:00")
    given = buttons.schedule_cancellation(contract.id)
    assert (shop.status(contract), given.effective_on) == ("CANCEL_SCHEDULED", day("2025-01-08"))
    assert (shop.open_content(contract), shop.net(contract)) == (["2024-10", "2024-11"], 6000)

    # 8 January: the contract ends and is not renewed; paid months stay
    report = shop.nightly_run("2025-01-08")
    assert (report.cancelled, report.renewed, shop.status(contract)) == (1, 0, "TERMINATED")
    assert shop.open_content(contract) == ["2024-10", "2024-11"]
    assert shop.buttons(contract) == set()


@pytest.mark.rule("R-011", "R-037", "R-110", "R-115", "R-138", "R-139", "R-140", "R-141", "R-022")
def test_the_life_of_a_contract_made_by_hand(offline):
    shop, buttons = offline, offline.gateway.contracts

    # An administrator makes it, not yet paid; the money came the day before yesterday
    contract = buttons.create(HANAKO, MAGAZINE, Manual(), start_on=day("2024-10-08"))
    assert shop.status(contract) == "PENDING_PAYMENT"
    buttons.confirm_payment(contract.id, received_at=contract.applied_at)
    assert shop.status(contract) == "ACTIVE"

    # Two months run as if paid
    shop.nightly_run("2024-11-08")
    shop.nightly_run("2024-12-08")

    # December is never paid: 契約の停止, and this time 解約処理 follows
    shop.at("2024-12-16 10:00")
    buttons.suspend(contract.id)
    buttons.terminate(contract.id, reason="no payment since November")
    assert shop.status(contract) == "TERMINATED"
    # the current month counts as not paid, the earlier ones are not touched
    assert shop.sales(contract) == [
        "2024-10-08 PERIOD 3000 SUCCEEDED", "2024-11-08 PERIOD 3000 ASSUMED", "2024-12-08 PERIOD 3000 VOID",
    ]  # fmt: skip
    assert shop.letters.both("terminated") == 1

    # No button leads back
    assert shop.buttons(contract) == set()
    with pytest.raises(OperationNotAllowed):
        buttons.resume(contract.id)


@pytest.mark.rule("R-093", "R-094", "R-095", "R-096", "R-102", "R-105", "R-081", "R-250")
@pytest.mark.parametrize("payment", [BankTransfer(), Manual()])
def test_a_purchase_without_a_card_is_cancelled_and_paid_back_by_hand(offline, payment):
    shop, buttons = offline, offline.gateway.contracts
    contract = buttons.create(HANAKO, COURSE, payment)
    buttons.confirm_payment(contract.id)
    assert (shop.status(contract), shop.open_content(contract)) == ("ESTABLISHED", ["all"])

    # exactly one of the two variants is shown: キャンセル(手動返金)
    assert shop.buttons(contract) == {"cancel_with_manual_refund"}
    buttons.cancel_with_manual_refund(contract.id, reason="changed their mind")
    assert (shop.status(contract), shop.open_content(contract)) == ("CANCELED", [])

    # nothing has been returned by itself: it stands among what is due by hand …
    (due,) = shop.gateway.refunds.dues()
    assert (due.amount.minor, shop.net(contract)) == (12_000, 12_000)
    # … until somebody has made the transfer
    shop.clock.advance(days=2)
    shop.gateway.refunds.mark_done(due.id, note="transferred from the main account")
    assert (shop.gateway.refunds.dues(), shop.net(contract)) == ((), 0)


@pytest.mark.rule("R-012", "R-108")
def test_a_contract_made_by_hand_as_paid_needs_no_confirmation(offline):
    paid = offline.gateway.contracts.create(HANAKO, COURSE, Manual(), paid=True)
    later = offline.gateway.contracts.create(HANAKO, COURSE, Manual(), paid=True, start_on=day("2024-11-01"))

    assert (offline.status(paid), offline.status(later)) == ("ESTABLISHED", "NOT_STARTED")
    offline.nightly_run("2024-11-01")
    assert offline.status(later) == "ESTABLISHED"


@pytest.mark.rule("R-027", "R-081", "R-084", "R-085")
def test_an_application_that_is_never_paid_is_cancelled(offline):
    contract = applied(offline)
    offline.at("2025-04-08 10:00")  # waiting never ends by itself
    assert offline.status(contract) == "PENDING_PAYMENT"

    offline.gateway.contracts.cancel(contract.id)

    assert (offline.status(contract), offline.sales(contract)) == ("CANCELED", [])
    assert (offline.open_content(contract), offline.buttons(contract)) == ([], set())


@pytest.mark.rule("R-088", "R-386", "R-086", "R-108")
def test_before_the_start_a_bank_customer_gets_fee_and_first_period_back_by_hand(offline):
    contract = applied(offline, magazine(initial_fee=yen(1000)), start_on=day("2024-11-01"))
    offline.gateway.contracts.confirm_payment(contract.id)
    assert (offline.status(contract), offline.buttons(contract)) == ("NOT_STARTED", {"cancel"})

    offline.gateway.contracts.cancel(contract.id)

    assert offline.status(contract) == "CANCELED"
    assert [due.amount for due in offline.gateway.refunds.dues()] == [yen(1000), yen(3000)]


@pytest.mark.rule("R-060", "R-061", "R-062", "R-065", "R-107", "R-120", "R-134")
def test_a_special_period_is_left_on_its_day_and_found_again_before_it(offline):
    shop, buttons = offline, offline.gateway.contracts
    contract = running(shop, magazine(special_price=yen(1500), special_periods=2))
    assert shop.status(contract) == "SPECIAL_PERIOD"

    # stopped and resumed, or given notice and kept, before the second renewal day: still special
    shop.nightly_run("2024-11-08")
    buttons.suspend(contract.id)
    buttons.resume(contract.id)
    assert shop.status(contract) == "SPECIAL_PERIOD"
    shop.at("2024-11-20 10:00")
    buttons.schedule_cancellation(contract.id)
    buttons.revoke_cancellation(contract.id)
    assert shop.status(contract) == "SPECIAL_PERIOD"

    # the second renewal day: regular price, ordinary status
    shop.nightly_run("2024-12-08")
    assert shop.status(contract) == "ACTIVE"
    assert shop.sales(contract) == [
        "2024-10-08 PERIOD 1500 SUCCEEDED", "2024-11-08 PERIOD 1500 SUCCEEDED", "2024-12-08 PERIOD 3000 ASSUMED",
    ]  # fmt: skip


@pytest.mark.rule("R-065", "R-120")
def test_a_contract_resumed_after_its_special_period_is_an_ordinary_one(offline):
    contract = running(offline, magazine(special_price=yen(1500), special_periods=1))
    offline.gateway.contracts.suspend(contract.id)

    offline.at("2024-11-08 00:00")
    offline.gateway.contracts.resume(contract.id)

    assert offline.status(contract) == "ACTIVE"


@pytest.mark.rule("R-031", "R-035", "R-126", "R-127", "R-133", "R-135", "R-136", "R-137")
def test_notice_may_be_given_and_taken_back_but_not_on_the_8th(offline):
    shop, buttons = offline, offline.gateway.contracts
    contract = running(shop)

    # 8 October is the day of joining, not a renewal day: leaving at once is possible
    assert buttons.schedule_cancellation(contract.id).effective_on == day("2024-11-08")
    # taken back a second before the effective day, and given again, as often as one likes
    shop.at("2024-11-07 23:59:59")
    buttons.revoke_cancellation(contract.id)
    assert shop.status(contract) == "ACTIVE"

    # 8 November: the button is shown, and answers with an error; nothing has changed
    shop.at("2024-11-08 00:00")
    before = shop.contract(contract)
    assert "schedule_cancellation" in shop.buttons(contract)
    with pytest.raises(RenewalDayError):
        buttons.schedule_cancellation(contract.id)
    assert shop.contract(contract) == before

    # 9 November: for 8 December. On that day it is too late to change one's mind, run or no run
    shop.nightly_run("2024-11-08")
    shop.at("2024-11-09 00:00")
    assert buttons.schedule_cancellation(contract.id).effective_on == day("2024-12-08")
    shop.at("2024-12-08 00:00")
    assert "revoke_cancellation" not in shop.buttons(contract)
    with pytest.raises(EffectiveDayReached):
        buttons.revoke_cancellation(contract.id)


@pytest.mark.rule("R-245", "R-246", "R-083")
def test_a_bank_row_is_returned_by_hand_while_its_licence_goes_at_once(offline):
    shop = offline
    contract = running(shop)
    (row,) = shop.gateway.ledger.list(contract_id=contract.id)

    refund = shop.gateway.refunds.create(row.id, remove_license=True, reason="printed upside down")

    assert (refund.by_hand, refund.state) == (True, RefundState.PENDING)
    assert (shop.open_content(contract), shop.status(contract)) == ([], "ACTIVE")
    assert [due.amount.minor for due in shop.gateway.refunds.dues()] == [3000]


@pytest.mark.rule("R-251", "R-252", "R-260", "R-261", "R-262", "R-263")
def test_a_contract_made_by_mistake_is_deleted_as_if_it_had_never_been(offline):
    shop, buttons = offline, offline.gateway.contracts
    contract = running(shop)

    # The button warns: meant for mistakes; to return money, cancel or refund
    with pytest.raises(DeleteNotConfirmed, match="refund"):
        buttons.delete(contract.id, confirm="yes", reason="typed twice")
    assert shop.status(contract) == "ACTIVE"

    # Confirmed by the contract's id: everything is gone but the record that it was deleted
    report = buttons.delete(contract.id, confirm=contract.id, reason="typed twice")
    with pytest.raises(NotFound):
        shop.contract(contract)
    assert shop.sales(contract) == []
    # nothing is refunded by itself; the sum to return by hand is reported
    assert (report.refunds, report.by_hand.minor) == ((), 3000)
    assert [record.action for record in shop.gateway.audit.list(contract_id=contract.id)] == [report.tombstone.action]
