"""Stripe's own subscriptions: started once, ended, stopped, resumed (§10, R-092, R-130, R-143, R-147)."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest

from paygate.drivers import Lost, NotSent
from paygate.errors import (
    CapabilityNotSupported,
    ChargeDeclined,
    ConfigurationError,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
)
from paygate.flow import Response
from paygate.provider import Renewals
from paygate.testing.clock import ManualClock
from paygate_stripe.subscriptions import first_charge_at

CONTRACT = "c" * 32
MISSING = Response(404, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}')
NOON = 1_795_316_400  # 22 November 2026, 12:00 in Japan


@pytest.fixture
def shop(shops):
    return shops(renewals="provider")


def subscription(status="active", *, ending=False, contract=CONTRACT, **changes):
    return {
        "id": "sub_1",
        "object": "subscription",
        "status": status,
        "cancel_at_period_end": ending,
        "metadata": {"paygate_contract": contract},
        **changes,
    }


def product_id(name="Gold"):
    return f"paygate_{hashlib.sha256(name.encode()).hexdigest()[:24]}"


def start(shop, request, *, product=None):
    """Start where Stripe knows no subscription of the contract yet."""
    shop.answers(shop.page(), product or {"id": product_id()}, subscription("trialing"))
    return shop.run(shop.provider.start_recurring(request))


@pytest.mark.rule("R-147")
def test_the_account_says_whether_stripe_owns_its_renewals(shops):
    merchant, provider = shops().provider.capabilities(), shops(renewals="provider").provider.capabilities()

    assert (merchant.renewals, merchant.starts_subscriptions) == (Renewals.MERCHANT, False)
    assert (provider.renewals, provider.starts_subscriptions) == (Renewals.PROVIDER, True)


@pytest.mark.parametrize("hook", ["stop_recurring", "end_recurring", "resume_recurring", "start_recurring"])
def test_without_that_the_hooks_refuse_with_nothing_sent(shops, hook):
    shop = shops()
    request = shop.start() if hook == "start_recurring" else shop.about_subscription()

    with pytest.raises(CapabilityNotSupported):
        shop.run(getattr(shop.provider, hook)(request))

    assert shop.requests == []


# --- starting --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-147")
def test_a_subscription_charges_the_stored_card_by_the_plans_price(shop):
    answer = start(shop, shop.start(starts_on=dt.date(2026, 12, 22), months=3))

    assert answer.reference == "sub_1"
    assert shop.sent() == ["GET /v1/subscriptions", f"GET /v1/products/{product_id()}", "POST /v1/subscriptions"]
    assert shop.form() == {
        "customer": "cus_Hanako",
        "default_payment_method": "pm_Visa",
        "items[0][price_data][currency]": "jpy",
        "items[0][price_data][product]": product_id(),
        "items[0][price_data][unit_amount]": "3000",
        "items[0][price_data][recurring][interval]": "month",
        "items[0][price_data][recurring][interval_count]": "3",
        "collection_method": "charge_automatically",
        "payment_behavior": "allow_incomplete",
        "off_session": "true",
        "description": "Gold",
        "metadata[paygate_contract]": CONTRACT,
        "trial_end": str(NOON + 30 * 86_400),
    }
    assert shop.requests[-1].headers["idempotency-key"] == CONTRACT


def test_the_subscriptions_of_the_customer_are_looked_through_whatever_their_state(shop):
    start(shop, shop.start())

    assert shop.form(0) == {"customer": "cus_Hanako", "status": "all", "limit": "100"}


def test_a_plan_without_a_name_has_one_all_the_same(shop):
    start(shop, shop.start(description=""), product={"id": product_id("paygate")})

    assert "description" not in shop.form()
    assert shop.form()["items[0][price_data][product]"] == product_id("paygate")


def test_the_product_of_a_plan_is_made_with_the_first_of_its_subscriptions(shop):
    shop.answers(shop.page(), MISSING, {"id": product_id()}, subscription())

    shop.run(shop.provider.start_recurring(shop.start()))

    assert shop.sent()[2:] == ["POST /v1/products", "POST /v1/subscriptions"]
    assert shop.form(2) == {"id": product_id(), "name": "Gold"}


@pytest.mark.parametrize(
    ("now", "charged"),
    [
        ((2026, 11, 22, 0), NOON),  # the 21st in UTC, in which Stripe counts days
        ((2026, 11, 22, 8), NOON),
        ((2026, 11, 22, 11, 54), NOON),
        ((2026, 11, 22, 11, 55), None),  # too near to be named as lying ahead
        ((2026, 11, 22, 12), None),
        ((2026, 11, 22, 23), None),
        ((2026, 11, 24, 9), None),
    ],
)
@pytest.mark.rule("R-032")
def test_the_first_charge_is_on_its_day_in_japan_and_in_utc(now, charged):
    clock = ManualClock.jst(*now)

    begin = first_charge_at(dt.date(2026, 11, 22), clock.now())

    assert (begin and int(begin.timestamp())) == charged


@pytest.mark.parametrize(
    ("starts_on", "anchor", "named"),
    [
        (dt.date(2027, 2, 28), 31, "31"),
        (dt.date(2027, 2, 28), 28, None),
        (dt.date(2027, 2, 28), None, None),
        (dt.date(2027, 4, 30), 31, "31"),
        (dt.date(2027, 1, 31), 31, None),
        (dt.date(2027, 1, 23), 22, None),  # begun late: the day of the first charge is kept
        (dt.date(2027, 1, 23), 28, None),
    ],
)
@pytest.mark.rule("R-032")
def test_the_day_of_the_month_is_kept_through_short_months(shop, starts_on, anchor, named):
    start(shop, shop.start(starts_on=starts_on, anchor_day=anchor))

    form = shop.form()
    assert form.get("billing_cycle_anchor_config[day_of_month]") == named
    assert form.get("billing_cycle_anchor_config[hour]") == (named and "3")  # noon in Japan


@pytest.mark.parametrize("status", ["active", "trialing", "incomplete", "past_due", "unpaid", "paused", "new"])
@pytest.mark.rule("R-147")
def test_a_contract_never_gets_a_second_subscription(shop, status):
    foreign = subscription(contract="e" * 32, id="sub_9")

    answer = shop.answers(shop.page(foreign, subscription(status))).run(shop.provider.start_recurring(shop.start()))

    assert answer.reference == "sub_1"
    assert shop.sent() == ["GET /v1/subscriptions"]


def test_one_that_lives_counts_before_one_that_has_ended(shop):
    page = shop.page(subscription("canceled", id="sub_2"), subscription())

    assert shop.answers(page).run(shop.provider.start_recurring(shop.start())).reference == "sub_1"


@pytest.mark.parametrize("status", ["canceled", "incomplete_expired"])
@pytest.mark.rule("R-160")
def test_a_subscription_that_has_ended_is_not_started_again(shop, status):
    with pytest.raises(ChargeDeclined) as refused:
        shop.answers(shop.page(subscription(status))).run(shop.provider.start_recurring(shop.start()))

    assert refused.value.code == status
    assert len(shop.requests) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (NotSent("no connection"), ProviderUnavailable),
        (Lost("timed out"), OutcomeUnknown),
        (Response(500), OutcomeUnknown),
        (Response(200, {}, b"<html>"), OutcomeUnknown),
        (Response(200, {}, b"{}"), OutcomeUnknown),
        (Response(409, {}, b'{"error": {"type": "invalid_request_error"}}'), OutcomeUnknown),
        (Response(400, {}, b'{"error": {"type": "idempotency_error"}}'), OutcomeUnknown),
        (Response(429, {}, b'{"error": {"type": "invalid_request_error"}}'), ProviderUnavailable),
        (Response(401, {}, b'{"error": {"type": "invalid_request_error"}}'), ConfigurationError),
        (Response(402, {}, b'{"error": {"type": "card_error", "code": "card_declined"}}'), ChargeDeclined),
        (Response(400, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}'), ProviderError),
    ],
)
def test_what_became_of_the_start_is_told_by_the_kind_of_error(shop, answer, error):
    shop.answers(shop.page(), {"id": product_id()}, answer)

    with pytest.raises(error) as raised:
        shop.run(shop.provider.start_recurring(shop.start()))

    assert type(raised.value) is error


@pytest.mark.parametrize("status", [429, 401])
def test_a_refusal_of_a_repeated_start_says_nothing_about_the_first_sending(shop, status):
    shop.driver = shop.patient()
    refused = Response(status, {}, b'{"error": {"type": "invalid_request_error"}}')
    shop.answers(shop.page(), {"id": product_id()}, Lost("timed out"), refused)

    with pytest.raises(OutcomeUnknown):
        shop.run(shop.provider.start_recurring(shop.start()))


# --- ending, stopping, resuming --------------------------------------------------------------------------------------


@pytest.mark.rule("R-092", "R-143")
def test_stopping_cancels_at_once(shop):
    shop.answers(subscription(), subscription("canceled")).run(shop.provider.stop_recurring(shop.about_subscription()))

    assert shop.sent() == ["GET /v1/subscriptions/sub_1", "DELETE /v1/subscriptions/sub_1"]


@pytest.mark.rule("R-130")
def test_ending_lets_the_running_period_be_the_last(shop):
    shop.answers(subscription(), subscription(ending=True))

    shop.run(shop.provider.end_recurring(shop.about_subscription()))

    assert shop.sent() == ["GET /v1/subscriptions/sub_1", "POST /v1/subscriptions/sub_1"]
    assert shop.form() == {"cancel_at_period_end": "true"}


@pytest.mark.rule("R-130")
def test_resuming_takes_that_back(shop):
    shop.answers(subscription(ending=True), subscription())

    shop.run(shop.provider.resume_recurring(shop.about_subscription()))

    assert shop.form() == {"cancel_at_period_end": "false"}


@pytest.mark.rule("R-137")
def test_each_change_has_a_key_of_its_own_so_that_no_stored_answer_stands_in_for_it(shop):
    for hook, now in (("end_recurring", False), ("resume_recurring", True), ("end_recurring", False)):
        shop.answers(subscription(ending=now), subscription(ending=not now))
        shop.run(getattr(shop.provider, hook)(shop.about_subscription()))

    keys = [one.headers["idempotency-key"] for one in shop.requests if one.method == "POST"]
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("hook", "now"),
    [
        ("stop_recurring", subscription("canceled")),
        ("stop_recurring", subscription("incomplete_expired")),
        ("end_recurring", subscription("canceled")),
        ("end_recurring", subscription(ending=True)),
        ("resume_recurring", subscription()),
    ],
)
def test_what_is_so_already_changes_nothing(shop, hook, now):
    shop.answers(now).run(getattr(shop.provider, hook)(shop.about_subscription()))

    assert len(shop.requests) == 1


def test_what_has_ended_cannot_be_resumed(shop):
    with pytest.raises(ProviderError, match="ended"):
        shop.answers(subscription("canceled")).run(shop.provider.resume_recurring(shop.about_subscription()))


def test_a_change_that_stripe_did_not_make_is_an_error(shop):
    with pytest.raises(ProviderError, match="not changed"):
        shop.answers(subscription(), subscription()).run(shop.provider.end_recurring(shop.about_subscription()))


@pytest.mark.parametrize("hook", ["stop_recurring", "end_recurring", "resume_recurring"])
def test_without_its_id_the_subscription_is_found_by_the_contract(shop, hook):
    ending = hook == "resume_recurring"
    shop.answers(shop.page(subscription(ending=ending)), subscription(ending=not ending))

    shop.run(getattr(shop.provider, hook)(shop.about_subscription(reference=None)))

    assert shop.sent()[0] == "GET /v1/subscriptions"
    assert shop.sent()[1].endswith("/v1/subscriptions/sub_1")


@pytest.mark.parametrize("reference", ["sub_1", None])
@pytest.mark.parametrize("hook", ["stop_recurring", "end_recurring", "resume_recurring"])
def test_a_subscription_that_cannot_be_found_is_not_taken_for_ended(shop, hook, reference):
    with pytest.raises(ProviderError, match="knows no subscription"):
        shop.answers(shop.page() if reference is None else MISSING).run(
            getattr(shop.provider, hook)(shop.about_subscription(reference))
        )


def test_the_second_page_of_subscriptions_is_asked_for(shop):
    shop.answers(shop.page(subscription(contract="e" * 32), more=True), shop.page(subscription()))

    assert shop.run(shop.provider.start_recurring(shop.start())).reference == "sub_1"
    assert shop.form()["starting_after"] == "sub_1"
