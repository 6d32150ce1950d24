"""First manual: charging for what was used (従量課金), through each of the four providers.

The five steps are the manual's own; a customer who already pays by card is charged once more, without entering anything.
"""

from __future__ import annotations

import pytest

from paygate.domain.charge import ChargeState
from paygate.errors import (
    CapabilityNotSupported,
    ChargeInProgress,
    ChargeWindowExpired,
    ConsentRequired,
    OptionNotSupported,
    PermissionClosed,
    SystemMaxPassed,
)

from .shop import COURSE, HANAKO, MAGAZINE, day, yen


@pytest.mark.rule(
    "R-165", "R-166", "R-167", "R-168", "R-169", "R-171", "R-172", "R-173", "R-174", "R-175", "R-176", "R-177", "R-188",
    "R-189", "R-195", "R-236",
)  # fmt: skip
def test_a_charge_goes_from_the_sales_detail_to_a_row_in_the_sales_information(any_provider):
    shop = any_provider
    # Amazon Pay knows lump sums only; the others charge a monthly member
    plan = COURSE if shop.till.account == "amazonpay" else MAGAZINE
    contract = shop.sign_up(plan)
    if shop.till.account in {"stripe", "amazonpay"}:
        shop.till.delay(20)  # these two usually answer at once
    sent = shop.till.asked()

    # Step 1: open the customer's sales detail
    detail = shop.gateway.contracts.details(contract.id)
    assert detail.customer == HANAKO
    rows_before = len(detail.entries)

    # Step 2: the contract information has the charge operation, for somebody who pays by card
    assert "charge_addon" in shop.buttons(contract)

    # Step 3: enter the amount and press 「課金を実行する」; a message box says what is going to happen
    box = shop.gateway.charges.preview(contract.id, yen(980), consent="agreed by mail")
    assert (box.customer, box.contract.id, box.amount) == (HANAKO, contract.id, yen(980))
    assert box.provider
    # … nothing has been sent: whoever does not press OK leaves no trace
    assert (shop.till.asked(), len(shop.sales(contract))) == (sent, rows_before)

    # … the customer has to have agreed beforehand
    with pytest.raises(ConsentRequired):
        shop.execute(contract, 980, consent=None)

    # … OK
    charge = shop.execute(contract, 980)

    # Step 4: after seconds or minutes a message box appears; until then nobody can click a second time
    assert charge.state is ChargeState.PENDING
    with pytest.raises(ChargeInProgress):
        shop.execute(contract, 500)
    message = shop.message(charge)
    assert message.state is ChargeState.SUCCEEDED

    # Step 5: the charge stands in the sales information, once
    *_, row = shop.gateway.contracts.details(contract.id).entries
    assert (row.amount, row.account, row.reference) == (yen(980), shop.till.account, message.reference)
    assert len(shop.sales(contract)) == rows_before + 1
    assert shop.till.asked() == sent + 1
    assert [one.amount for one in shop.till.book.captures].count(yen(980)) == 1


@pytest.mark.rule("R-176", "R-178", "R-192", "R-232")
def test_a_charge_that_fails_adds_nothing_but_its_attempt(any_provider):
    shop = any_provider
    contract = shop.sign_up(COURSE)
    before = shop.contract(contract), shop.sales(contract), shop.renewal_mails(contract)
    shop.till.decline(1)

    message = shop.charged(contract, 980)

    assert message.state is ChargeState.FAILED
    assert message.failure is not None
    assert (shop.contract(contract), shop.sales(contract), shop.renewal_mails(contract)) == before
    assert shop.gateway.charges.list(contract_id=contract.id).all()[-1] == message
    # nobody tries it again by itself
    asked = shop.till.asked()
    shop.nightly_run("2024-10-09")
    assert shop.till.asked() == asked


@pytest.mark.rule("R-049", "R-052", "R-179", "R-180", "R-181", "R-182", "R-183", "R-184", "R-186", "R-196", "R-224")
def test_univapay_leaves_both_boxes_to_the_administrator(univapay):
    shop = univapay
    member = shop.sign_up(MAGAZINE)
    assert shop.expiry(member) == "2024-11-08"

    # The manual's example: a member buys a single item. Both boxes stay off, the expiry stays where it was.
    shop.charged(member, 980)
    assert (shop.expiry(member), shop.renewal_mails(member)) == ("2024-11-08", [])

    # 「有効期限を更新する」 on: one payment cycle further, and still no mail
    shop.charged(member, 3100, renew_expiry=True)
    assert (shop.expiry(member), shop.renewal_mails(member)) == ("2024-12-08", [])

    # 「ステップメールを送信する」 on: the mails prepared for renewal, and the expiry stays
    shop.charged(member, 1200, send_step_mail=True)
    assert (shop.expiry(member), shop.renewal_mails(member)) == ("2024-12-08", ["QUEUED"])

    # None of it was the regular charge: status and renewal day are what they were
    detail = shop.gateway.contracts.details(member.id)
    assert (shop.status(member), detail.next_renewal_on) == ("ACTIVE", day("2024-11-08"))


@pytest.mark.rule("R-214", "R-052", "R-181", "R-182", "R-183", "R-186")
def test_stripe_leaves_both_boxes_to_the_administrator(stripe):
    member = stripe.sign_up(MAGAZINE)

    stripe.charged(member, 980)
    assert (stripe.expiry(member), stripe.renewal_mails(member)) == ("2024-11-08", [])
    stripe.charged(member, 3100, renew_expiry=True, send_step_mail=True)
    assert (stripe.expiry(member), stripe.renewal_mails(member)) == ("2024-12-08", ["QUEUED"])


@pytest.mark.rule("R-185", "R-206", "R-207", "R-208", "R-210", "R-212")
def test_telecom_credit_has_no_boxes_and_does_both(telecom):
    member = telecom.sign_up(MAGAZINE)

    # there is no box to untick, and asking for it is refused before anything is sent
    asked = telecom.till.asked()
    for option in ("renew_expiry", "send_step_mail"):
        with pytest.raises(OptionNotSupported):
            telecom.execute(member, 980, **{option: False})
    assert telecom.till.asked() == asked

    message = telecom.charged(member, 980)

    # the expiry moved by one cycle, and the result says from where to where
    assert (message.previous_expires_on, message.expires_on) == (day("2024-11-08"), day("2024-12-08"))
    # the mails prepared for renewal are on their way
    assert telecom.renewal_mails(member) == ["QUEUED"]


@pytest.mark.rule("R-056", "R-057", "R-207", "R-208", "R-209", "R-210", "R-211", "R-225", "R-226", "R-228")
def test_the_telecom_workaround_charges_without_mail_and_without_a_longer_expiry(telecom):
    # Beforehand: the mail for renewal goes out five minutes after the receipt, not at once
    member = telecom.sign_up(MAGAZINE)
    box = telecom.gateway.charges.preview(member.id, yen(980), consent="agreed by mail")
    assert "pause or delete it before" in box.warnings[0]

    # 1. Charge. The expiry and the mail cannot be held back beforehand.
    message = telecom.charged(member, 980)
    assert telecom.expiry(member) == "2024-12-08"

    # 2. Within the five minutes the mail stands in the queue of mails to be sent: delete it
    (mail,) = [mail for mail in telecom.gateway.step_mails.list(contract_id=member.id) if mail.name == "thank-you"]
    assert (mail.due_at - mail.queued_at).total_seconds() == 300
    telecom.gateway.step_mails.delete(mail.id)

    # 3. Set the old expiry, which the result states, by hand
    telecom.gateway.contracts.set_expiry(member.id, message.previous_expires_on, reason="single item")
    assert telecom.expiry(member) == "2024-11-08"

    # Afterwards: the mail never goes out, and neither renewal day nor status has moved
    telecom.clock.advance(minutes=10)
    telecom.gateway.step_mails.release()
    assert "thank-you" not in telecom.letters.step_mails
    detail = telecom.gateway.contracts.details(member.id)
    assert (telecom.status(member), detail.next_renewal_on) == ("ACTIVE", day("2024-11-08"))
    # who changed the date, when, and from what, is on record
    record = telecom.gateway.audit.list(contract_id=member.id).all()[-2:]
    assert "set_expiry" in {one.action for one in record}


@pytest.mark.rule("R-053", "R-182", "R-185", "R-217", "R-218", "R-219")
def test_amazon_pay_offers_the_mail_box_only_and_fixes_the_expiry(amazonpay):
    buyer = amazonpay.sign_up(COURSE)

    # the expiry cannot be chosen
    for value in (True, False):
        with pytest.raises(OptionNotSupported):
            amazonpay.execute(buyer, 980, renew_expiry=value)

    # an earlier date set by hand is overwritten by the next receipt
    amazonpay.gateway.contracts.set_expiry(buyer.id, day("2025-03-31"), reason="trial")
    amazonpay.charged(buyer, 980)
    assert (amazonpay.expiry(buyer), amazonpay.renewal_mails(buyer)) == ("2030-12-31", [])

    # the mail can
    amazonpay.charged(buyer, 990, send_step_mail=True)
    assert (amazonpay.expiry(buyer), amazonpay.renewal_mails(buyer)) == ("2030-12-31", ["QUEUED"])


@pytest.mark.rule("R-220", "R-221")
def test_amazon_pay_knows_lump_sums_only_and_refuses_once_its_fixed_expiry_has_passed(amazonpay):
    with pytest.raises(CapabilityNotSupported):
        amazonpay.sign_up(MAGAZINE)
    assert amazonpay.till.asked() == 0

    buyer = amazonpay.sign_up(COURSE)
    amazonpay.at("2030-12-31 23:59")
    assert amazonpay.charged(buyer, 980).state is ChargeState.SUCCEEDED
    amazonpay.at("2031-01-01 00:00")
    with pytest.raises(SystemMaxPassed):
        amazonpay.execute(buyer, 990)


@pytest.mark.rule("R-222", "R-223")
def test_amazon_pay_refuses_when_the_customer_has_withdrawn_the_permission(amazonpay):
    buyer = amazonpay.sign_up(COURSE)
    amazonpay.at("2026-10-09 12:00")  # no one-year limit of ours here
    assert amazonpay.charged(buyer, 980).state is ChargeState.SUCCEEDED

    amazonpay.till.provider.close_permission(buyer.credential)

    with pytest.raises(PermissionClosed):
        amazonpay.charged(buyer, 990).raise_for_failure()


@pytest.mark.rule("R-197", "R-198", "R-199", "R-202")
def test_univapay_refuses_a_year_after_the_very_last_payment_and_each_charge_starts_the_year_anew(univapay):
    shop = univapay
    buyer = shop.sign_up(COURSE)
    paid_at = shop.gateway.contracts.details(buyer.id).last_paid_at
    assert paid_at is not None

    # A second before the year is over the charge is taken, and counts as a payment itself
    shop.clock.set(paid_at.replace(year=2025))
    shop.clock.advance(seconds=-1)
    assert shop.charged(buyer, 980).state is ChargeState.SUCCEEDED
    detail = shop.gateway.contracts.details(buyer.id)
    assert detail.addon_window_closes_at == detail.last_paid_at.replace(year=2026)

    # At the very end of the new year it is refused, and UnivaPay hears nothing of it
    shop.clock.set(detail.addon_window_closes_at)
    asked = shop.till.asked()
    with pytest.raises(ChargeWindowExpired):
        shop.execute(buyer, 990)
    assert shop.till.asked() == asked
    assert "charge_addon" not in shop.buttons(buyer)


@pytest.mark.rule("R-203", "R-213", "R-216")
def test_the_others_know_no_such_limit(telecom_or_stripe):
    shop = telecom_or_stripe
    buyer = shop.sign_up(COURSE)

    shop.at("2026-10-09 12:00")

    assert shop.charged(buyer, 980).state is ChargeState.SUCCEEDED
