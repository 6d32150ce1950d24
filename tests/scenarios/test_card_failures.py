"""Both manuals: a renewal that the card declines. It stops by itself, is retried by itself, and may be collected by hand.

The second manual tells what happens by itself; the first adds the additional charge that collects what is missing (不足金).
"""

from __future__ import annotations

import pytest

from paygate import Purpose
from paygate.domain.charge import ChargeState
from paygate.errors import OperationNotAllowed, RetryPending
from paygate.provider import DeclineClass
from paygate.testing import Decline

from .shop import MAGAZINE, day, magazine, yen

#: The first retry of a renewal of 8 November: three days later, or a third of thirty days (R-154, R-155).
FIRST_RETRY = {"stripe": "2024-11-11", "univapay": "2024-11-18"}
NO_MONEY = Decline(None, DeclineClass.SOFT)


def tell(shop, notice):
    """One notice of the provider about its own subscription arrives."""
    shop.gateway.webhooks.receive(shop.till.account, notice.headers, notice.body)


def failing_renewal(shop, *, declines=1):
    """A member whose renewal of 8 November was declined."""
    member = shop.sign_up(MAGAZINE)
    shop.till.decline(declines)
    shop.nightly_run("2024-11-08")
    return member


@pytest.mark.rule(
    "R-074", "R-075", "R-142", "R-145", "R-147", "R-148", "R-149", "R-150", "R-151", "R-154", "R-153", "R-270"
)
def test_stripe_tries_three_times_more_and_the_third_failure_ends_the_contract(stripe):
    # 8 November: declined. Nobody presses a button: payment unconfirmed, this month locked, last month open
    member = failing_renewal(stripe, declines=4)
    assert stripe.status(member) == "PAST_DUE"
    assert stripe.open_content(member) == ["2024-10"]
    assert stripe.sales(member) == ["2024-10-08 PERIOD 3000 SUCCEEDED"]
    # 解約処理 is shown and hardly needed; there is no 契約停止の解除
    assert stripe.buttons(member) == {"terminate", "charge_addon"}

    # Days apart, first and second retry: still waiting
    for retry_day in ("2024-11-11", "2024-11-16"):
        assert stripe.nightly_run(retry_day).failed == 1
        assert stripe.status(member) == "PAST_DUE"

    # The third one: ended
    assert stripe.nightly_run("2024-11-23").terminated == 1
    assert stripe.status(member) == "TERMINATED"

    # Four failures, four mails to the customer and four to the administrator; one end, told once
    assert stripe.letters.both("renewal_failed") == 4
    assert stripe.letters.both("terminated") == 1
    # nothing is tried any more
    asked = stripe.till.asked()
    stripe.nightly_run("2024-12-08")
    assert (stripe.till.asked(), stripe.till.book.captured()) == (asked, 3000)


@pytest.mark.rule("R-145", "R-151", "R-155", "R-156", "R-138", "R-143")
def test_univapay_tries_three_times_in_all_and_then_pauses_until_somebody_acts(univapay):
    shop = univapay
    # 8, 18 and 28 November: thirty days in three parts
    member = failing_renewal(shop, declines=3)
    asked = shop.till.asked()
    for quiet, busy in (("2024-11-17", "2024-11-18"), ("2024-11-27", "2024-11-28")):
        shop.nightly_run(quiet)
        assert shop.till.asked() == asked
        shop.nightly_run(busy)
        asked += 1
        assert shop.till.asked() == asked
    assert shop.letters.both("renewal_failed") == 3

    # paused, not ended: payment unconfirmed, and nothing more happens by itself
    assert shop.contract(member).past_due.exhausted
    shop.nightly_run("2024-12-08")
    assert (shop.status(member), shop.till.asked()) == ("PAST_DUE", asked)

    # until an administrator ends it
    shop.gateway.contracts.terminate(member.id, reason="no answer")
    assert shop.status(member) == "TERMINATED"
    assert shop.till.book.captured() == 3000


@pytest.mark.rule("R-078", "R-121", "R-146", "R-164", "R-270")
def test_a_retry_that_succeeds_lifts_the_stop_by_itself(stripe_or_univapay):
    shop = stripe_or_univapay
    member = failing_renewal(shop)
    assert shop.open_content(member) == ["2024-10"]
    with pytest.raises(OperationNotAllowed):
        shop.gateway.contracts.resume(member.id)  # never by hand for a card

    shop.nightly_run(FIRST_RETRY[shop.till.account])

    assert (shop.status(member), shop.open_content(member)) == ("ACTIVE", ["2024-10", "2024-11"])
    assert shop.letters.both("resumed") == 1
    # the payment counts for the period it belongs to, and the renewal day stays the 8th
    assert shop.sales(member)[-1] == "2024-11-08 PERIOD 3000 SUCCEEDED"
    assert shop.gateway.contracts.details(member.id).next_renewal_on == day("2024-12-08")
    assert shop.expiry(member) == "2024-12-08"


@pytest.mark.rule("R-066", "R-146")
def test_the_first_regular_price_may_fail_and_succeed_later(stripe):
    member = stripe.sign_up(magazine(special_price=yen(500), special_periods=1))
    stripe.till.decline(1)

    stripe.nightly_run("2024-11-08")
    assert stripe.status(member) == "PAST_DUE"
    stripe.nightly_run("2024-11-11")

    assert (stripe.status(member), stripe.till.book.captured()) == ("ACTIVE", 3500)


@pytest.mark.rule("R-050", "R-059", "R-078", "R-170", "R-181", "R-191")
def test_arrears_are_collected_by_an_additional_charge(stripe_or_univapay):
    shop = stripe_or_univapay
    member = failing_renewal(shop)

    # An ordinary additional charge has nothing to do with the unpaid month
    shop.at("2024-11-09 10:00")
    assert shop.charged(member, 980, purpose=Purpose.ONE_OFF).state is ChargeState.SUCCEEDED
    assert shop.status(member) == "PAST_DUE"

    # The customer calls: the card is fine again. One with the purpose ARREARS pays the month and does what its
    # renewal would have done: the paid time, which ran out yesterday, goes on …
    message = shop.charged(member, 3000, purpose=Purpose.ARREARS)
    assert (message.state, shop.expiry(member)) == (ChargeState.SUCCEEDED, "2024-12-08")
    assert (shop.status(member), shop.open_content(member)) == ("ACTIVE", ["2024-10", "2024-11"])
    assert shop.letters.both("resumed") == 1

    # … and no retry of it follows: the customer has paid the month once
    for retry_day in ("2024-11-11", "2024-11-18", "2024-11-28"):
        shop.nightly_run(retry_day)
    assert shop.till.book.captured() == 3000 + 980 + 3000
    # the next renewal is the ordinary one
    shop.nightly_run("2024-12-08")
    assert shop.till.book.captured() == 3000 + 980 + 3000 + 3000


@pytest.mark.rule("R-178", "R-191", "R-192")
def test_arrears_that_are_declined_leave_everything_as_it_was(univapay):
    shop = univapay
    member = failing_renewal(shop, declines=2)
    before = shop.contract(member)
    shop.at("2024-11-09 10:00")

    message = shop.charged(member, 3000, purpose=Purpose.ARREARS)

    assert message.state is ChargeState.FAILED
    assert shop.contract(member) == before
    assert shop.letters.both("renewal_failed") == 1  # the attempt is nobody's renewal


@pytest.mark.rule("R-161", "R-191")
def test_while_an_arrears_charge_is_on_its_way_the_renewal_is_not_retried_beside_it(stripe):
    member = failing_renewal(stripe)
    stripe.at("2024-11-11 02:59")
    stripe.till.delay(90)
    assert stripe.execute(member, 3000, purpose=Purpose.ARREARS).state is ChargeState.PENDING

    stripe.nightly_run("2024-11-11")
    stripe.hear()

    assert (stripe.status(member), stripe.till.book.captured()) == ("ACTIVE", 6000)


@pytest.mark.rule("R-161", "R-191")
def test_while_a_retry_is_on_its_way_the_arrears_are_not_charged_beside_it(stripe):
    member = failing_renewal(stripe)
    stripe.till.delay(90)
    stripe.nightly_run("2024-11-11")

    with pytest.raises(RetryPending):
        stripe.execute(member, 3000, purpose=Purpose.ARREARS)

    stripe.hear()
    assert (stripe.status(member), stripe.till.book.captured()) == ("ACTIVE", 6000)


@pytest.mark.rule("R-036", "R-161", "R-191", "R-207", "R-208", "R-270")
def test_arrears_wait_while_telecom_credit_still_retries_by_itself(telecom):
    member = telecom.sign_up(MAGAZINE)
    fake = telecom.till.provider

    # 8 November: Telecom Credit charges the renewal by itself, is declined, and is going to try again
    telecom.nightly_run("2024-11-08")
    tell(telecom, fake.renew(member.id, member.credential, yen(3000), NO_MONEY, attempt=1, retries=True))
    assert telecom.status(member) == "PAST_DUE"

    # Collecting now could charge the customer twice: check with the provider first
    asked = telecom.till.asked()
    with pytest.raises(RetryPending):
        telecom.execute(member, 3000, purpose=Purpose.ARREARS)
    assert telecom.till.asked() == asked

    # It tries a second time and gives up: now the arrears may be charged
    telecom.at("2024-11-18 07:00")
    tell(telecom, fake.renew(member.id, member.credential, yen(3000), NO_MONEY, attempt=2, retries=False))
    assert telecom.charged(member, 3000, purpose=Purpose.ARREARS).state is ChargeState.SUCCEEDED

    assert (telecom.status(member), telecom.open_content(member)) == ("ACTIVE", ["2024-10", "2024-11"])
    # as with every additional charge there: expiry and mails follow by themselves
    assert telecom.expiry(member) == "2024-12-08"
    assert telecom.renewal_mails(member) == ["QUEUED"]
    assert telecom.till.book.captured() == 6000


@pytest.mark.rule("R-144", "R-152", "R-153")
def test_what_the_provider_ends_is_ended_and_late_money_revives_nothing(telecom):
    member = telecom.sign_up(MAGAZINE)
    fake = telecom.till.provider
    telecom.at("2024-11-08 07:00")

    # the end is synchronised at once, whatever the status was, and once only
    end = fake.end_subscription(member.id)
    tell(telecom, end)
    tell(telecom, end)
    assert telecom.status(member) == "TERMINATED"
    assert telecom.letters.both("terminated") == 1

    # a success that still arrives is recorded, and somebody is told to return it
    tell(telecom, fake.renew(member.id, member.credential, yen(3000), attempt=1))
    assert (telecom.status(member), telecom.net(member)) == ("TERMINATED", 6000)
    assert ("operator_action", "admin") in telecom.letters.messages


@pytest.mark.rule("R-163")
def test_notice_is_given_while_a_renewal_has_no_result_and_neither_fact_is_lost(stripe):
    member = stripe.sign_up(MAGAZINE)
    # 8 November: the renewal is on its way, and has no result on the 9th, when the customer gives notice
    stripe.till.delay(36 * 3600, refused=True)
    stripe.nightly_run("2024-11-08")
    stripe.at("2024-11-09 10:00")
    assert stripe.gateway.contracts.schedule_cancellation(member.id).effective_on == day("2024-12-08")

    # 9 November, 15:00: declined. Payment unconfirmed, and the notice is kept
    stripe.at("2024-11-09 15:00")
    stripe.hear()
    assert stripe.status(member) == "PAST_DUE"
    assert stripe.contract(member).cancellation.effective_on == day("2024-12-08")

    # 12 November: a retry succeeds. Back to 解約予約, not to running on for ever
    stripe.nightly_run("2024-11-12")
    assert (stripe.status(member), stripe.open_content(member)) == ("CANCEL_SCHEDULED", ["2024-10", "2024-11"])

    stripe.nightly_run("2024-12-08")
    assert (stripe.status(member), stripe.till.book.captured()) == ("TERMINATED", 6000)
