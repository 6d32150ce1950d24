"""What invoices and ends of Stripe's own subscriptions mean for a contract (§10, §13, R-145 to R-164)."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate.flow import Response
from paygate.provider import DeclineClass, EventKind, Outcome

CONTRACT = "c" * 32
NOON = 1_795_316_400  # 22 November 2026, 12:00 in Japan
DAY = 86_400


def invoice(status="paid", **changes):
    """An invoice of a renewal as the pinned version writes it."""
    paid = status == "paid"
    return {
        "id": "in_1",
        "object": "invoice",
        "status": status,
        "billing_reason": "subscription_cycle",
        "currency": "jpy",
        "total": 3000,
        "amount_due": 3000,
        "amount_paid": 3000 if paid else 0,
        "attempt_count": 1,
        "next_payment_attempt": None if paid else NOON + 3 * DAY,
        "period_start": NOON - 30 * DAY,
        "hosted_invoice_url": "https://invoice.stripe.com/i/1",
        "customer_email": "hanako@example.com",
        "status_transitions": {"paid_at": NOON + 60 if paid else None},
        "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"paygate_contract": CONTRACT}}},
        "lines": {
            "data": [
                {"period": {"start": NOON, "end": NOON + 30 * DAY}, "parent": {"subscription_item_details": {}}},
            ]
        },
        "payments": {
            "data": [{"status": "paid" if paid else "open", "payment": {"payment_intent": "pi_1"}}],
        },
        **changes,
    }


def hear(shop, kind, now, *more, told=None):
    (event,) = shop.answers(now, *more).hear(shop.event(kind, told or {"id": "in_1", "attempt_count": 1}))
    return event


@pytest.mark.rule("R-146", "R-164")
def test_a_paid_invoice_is_a_period_that_was_charged(shop):
    event = hear(shop, "invoice.paid", invoice())

    assert shop.sent() == ["GET /v1/invoices/in_1"]
    assert shop.form() == {"expand[0]": "payments"}
    assert (event.kind, event.type, event.contract_id) == (EventKind.RENEWAL, "invoice.paid", CONTRACT)
    assert event.period_on == dt.date(2026, 11, 22)
    assert (event.charge.outcome, event.charge.reference) == (Outcome.SUCCEEDED, "pi_1")
    assert event.charge.amount.minor == 3000
    assert event.charge.charged_at == dt.datetime(2026, 11, 22, 3, 1, tzinfo=dt.UTC)
    assert "hanako" not in repr(event.raw)


@pytest.mark.rule("R-269")
def test_one_payment_is_one_event_however_often_it_is_told(shop):
    first = hear(shop, "invoice.paid", invoice())
    again = hear(shop, "invoice.paid", invoice())

    assert first.event_id == again.event_id == "in_1/paid"


def failed(shop, *, attempt=1, next_at=NOON + 3 * DAY, error=None, kind="invoice.payment_failed", now=None):
    told = {"id": "in_1", "attempt_count": attempt, "next_payment_attempt": next_at}
    said = {"code": "card_declined", "decline_code": "insufficient_funds"} if error is None else error
    intent = shop.intent("requires_payment_method", last_payment_error=said)
    return hear(shop, kind, now or invoice("open"), intent, told=told)


@pytest.mark.rule("R-145", "R-149", "R-161")
def test_a_failed_payment_is_a_failed_attempt_of_the_period(shop):
    event = failed(shop, attempt=2)

    assert shop.sent() == ["GET /v1/invoices/in_1", "GET /v1/payment_intents/pi_1"]
    assert (event.kind, event.contract_id, event.period_on) == (EventKind.RENEWAL, CONTRACT, dt.date(2026, 11, 22))
    assert (event.attempt, event.retries, event.next_on) == (2, True, dt.date(2026, 11, 25))
    assert (event.charge.outcome, event.charge.code) == (Outcome.DECLINED, "insufficient_funds")
    assert event.charge.decline is DeclineClass.SOFT


@pytest.mark.rule("R-150")
def test_after_the_last_attempt_stripe_tries_no_more(shop):
    event = failed(shop, attempt=4, next_at=None)

    assert (event.attempt, event.retries, event.next_on) == (4, False, None)


@pytest.mark.rule("R-162")
def test_which_attempt_failed_is_the_events_own_word_however_far_the_invoice_has_come(shop):
    event = failed(shop, attempt=1, now=invoice("open", attempt_count=3, next_payment_attempt=NOON + 9 * DAY))

    assert (event.attempt, event.next_on) == (1, dt.date(2026, 11, 25))


@pytest.mark.rule("R-162")
def test_a_failure_that_was_overtaken_by_the_payment_is_still_told_as_the_failure_it_was(shop):
    told = {"id": "in_1", "attempt_count": 1, "next_payment_attempt": NOON}

    event = hear(shop, "invoice.payment_failed", invoice("paid", attempt_count=2), shop.intent(), told=told)

    assert (event.charge.outcome, event.attempt) == (Outcome.DECLINED, 1)
    assert event.charge.code == "payment_failed"


def test_an_attempt_that_the_event_does_not_count_is_the_invoices(shop):
    event = failed(shop, attempt=None, now=invoice("open", attempt_count=2))

    assert event.attempt == 2


def test_an_attempt_that_nobody_counts_is_left_open(shop):
    event = failed(shop, attempt=None, now=invoice("open", attempt_count=None))

    assert event.attempt is None


def test_a_payment_that_the_bank_wants_confirmed_is_the_same_failed_attempt_and_keeps_the_customers_link(shop):
    required = {"code": "authentication_required"}
    failure = failed(shop, error=required)
    action = failed(shop, error=required, kind="invoice.payment_action_required")

    assert failure.event_id == action.event_id == "in_1/failed/1"
    assert action.charge.decline is DeclineClass.ACTION
    assert action.charge.raw["hosted_invoice_url"] == "https://invoice.stripe.com/i/1"
    assert action.action_url == "https://invoice.stripe.com/i/1"


@pytest.mark.parametrize("attempt", [1, 2])
def test_each_attempt_is_an_event_of_its_own(shop, attempt):
    assert failed(shop, attempt=attempt).event_id == f"in_1/failed/{attempt}"


def test_a_failure_without_a_payment_is_a_failure_all_the_same(shop):
    event = hear(shop, "invoice.payment_failed", invoice("open", payments={"data": []}, hosted_invoice_url=None))

    assert (event.charge.outcome, event.charge.code, event.charge.reference) == (
        Outcome.DECLINED,
        "payment_failed",
        None,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"total": 0, "amount_paid": 0},  # a trial
        {"total": None},
        {"billing_reason": "subscription_update"},
        {"billing_reason": "manual"},
        {"status": "open"},
        {"status": "void"},
        {"payments": {"data": []}},  # paid elsewhere, or from a balance
        {"payments": {"data": [{"status": "open", "payment": {"payment_intent": "pi_1"}}]}},
        {"payments": {"data": [{"status": "paid", "payment": {"type": "payment_record"}}]}},
        {"payments": None},
        {"amount_paid": None},
        {"currency": "yen"},
    ],
)
def test_an_invoice_without_a_periods_money_from_stripe_is_nothing_to_act_on(shop, change):
    assert hear(shop, "invoice.paid", invoice(**change)).kind is EventKind.OTHER


def test_the_first_invoice_of_a_subscription_is_a_period_as_well(shop):
    assert hear(shop, "invoice.paid", invoice(billing_reason="subscription_create")).kind is EventKind.RENEWAL


def test_a_contract_that_was_noted_after_the_invoice_was_made_is_found_at_the_subscription(shop):
    later = invoice(parent={"subscription_details": {"subscription": "sub_1", "metadata": {}}})

    event = hear(shop, "invoice.paid", later, {"id": "sub_1", "metadata": {"paygate_contract": CONTRACT}})

    assert shop.sent()[1] == "GET /v1/subscriptions/sub_1"
    assert event.contract_id == CONTRACT


@pytest.mark.parametrize("parent", [None, {}, {"subscription_details": None}, {"quote_details": {}}])
def test_an_invoice_without_a_subscription_is_nothing_to_act_on(shop, parent):
    assert hear(shop, "invoice.paid", invoice(parent=parent)).kind is EventKind.OTHER


def test_the_period_is_that_of_the_subscriptions_line(shop):
    lines = [
        {"period": {"start": NOON - 5 * DAY}, "parent": {"invoice_item_details": {}}},
        {"period": {"start": NOON}, "parent": {"subscription_item_details": {}}},
    ]

    assert hear(shop, "invoice.paid", invoice(lines={"data": lines})).period_on == dt.date(2026, 11, 22)


@pytest.mark.parametrize("lines", [None, {}, {"data": []}, {"data": [{}]}, {"data": [{"period": {"start": "x"}}]}])
def test_a_period_that_no_line_names_is_left_to_the_contract(shop, lines):
    assert hear(shop, "invoice.paid", invoice(lines=lines)).period_on is None


def test_a_period_begins_on_the_business_date_in_japan(shop):
    evening = [{"period": {"start": NOON + 4 * 3600}}, {"period": {"start": NOON + 12 * 3600}}]  # 16:00, next midnight

    assert hear(shop, "invoice.paid", invoice(lines={"data": evening})).period_on == dt.date(2026, 11, 23)


# --- the end ---------------------------------------------------------------------------------------------------------


def subscription(status, **changes):
    return {
        "id": "sub_1",
        "object": "subscription",
        "status": status,
        "metadata": {"paygate_contract": CONTRACT},
        **changes,
    }


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("customer.subscription.deleted", "canceled"),
        ("customer.subscription.updated", "canceled"),
        ("customer.subscription.updated", "incomplete_expired"),
    ],
)
@pytest.mark.rule("R-152", "R-153")
def test_an_ended_subscription_ends_the_contract_once(shop, kind, status):
    (event,) = shop.answers(subscription(status)).hear(shop.event(kind, {"id": "sub_1"}))

    assert (event.kind, event.contract_id) == (EventKind.SUBSCRIPTION_ENDED, CONTRACT)
    assert (event.event_id, event.reference) == ("sub_1/ended", "sub_1")


@pytest.mark.parametrize("status", ["active", "past_due", "unpaid", "trialing", "incomplete", "paused", "new", None])
@pytest.mark.rule("R-156")
def test_any_other_change_of_a_subscription_is_nothing_to_act_on(shop, status):
    (event,) = shop.answers(subscription(status)).hear(shop.event("customer.subscription.updated", {"id": "sub_1"}))

    assert event.kind is EventKind.OTHER


def test_a_subscription_that_is_not_paygates_is_nothing_to_act_on(shop):
    foreign = subscription("canceled", metadata={})

    (event,) = shop.answers(foreign).hear(shop.event("customer.subscription.deleted", {"id": "sub_1"}))

    assert event.kind is EventKind.OTHER


def test_an_invoice_whose_subscription_is_gone_is_nothing_to_act_on(shop):
    gone = Response(404, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}')
    orphan = invoice(parent={"subscription_details": {"subscription": "sub_1"}})

    assert hear(shop, "invoice.paid", orphan, gone).kind is EventKind.OTHER
