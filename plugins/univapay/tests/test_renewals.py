"""What UnivaPay's subscriptions charge, as paygate is told of it: periods, attempts, retries, ends (domain §6.15)."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from paygate import JST, Money
from paygate.drivers import SyncDriver
from paygate.errors import ProviderUnavailable
from paygate.flow import Response
from paygate.provider import DeclineClass, EventKind, Outcome, Webhook
from paygate.testing.emulators import Fault, FaultKind, Wish, WishKind
from paygate.testing.emulators.univapay import ChargePlan

RENEWAL, ENDED, OTHER = EventKind.RENEWAL, EventKind.SUBSCRIPTION_ENDED, EventKind.OTHER
DECLINE = Wish(WishKind.DECLINE)


def day(text):
    return dt.date.fromisoformat(text)


def renewals(events):
    return [event for event in events if event.kind is RENEWAL]


def short(event):
    """Period, attempt, whether it was paid, whether and when it is tried again."""
    paid = event.charge.outcome is Outcome.SUCCEEDED
    return str(event.period_on), event.attempt, paid, event.retries, event.next_on and str(event.next_on)


# --- payments --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-146", "R-269")
def test_a_payment_is_told_as_the_renewal_of_its_period_and_contract_by_whichever_delivery(renewing):
    renewing.start()
    renewing.noon(2026, 12, 23)

    told = [(json.loads(one.body)["event"], renewing.hear(one)) for one in renewing.deliveries()]

    by_event = dict(told)
    [charged], [paid] = by_event["charge_finished"], by_event["subscription_payment"]
    assert charged.event_id == paid.event_id
    assert (charged.kind, charged.contract_id, charged.reference) == (RENEWAL, "c1", paid.reference)
    assert (charged.charge.outcome, charged.charge.amount) == (Outcome.SUCCEEDED, Money(3000, "JPY"))
    assert charged.charge.charged_at.date() == dt.date(2026, 12, 21), "seven in the morning in Japan is 22:00 UTC"
    assert short(charged) == ("2026-12-22", 1, True, False, None)
    assert [event.kind for event in by_event["subscription_created"]] == [OTHER]


def test_a_pending_charge_of_a_subscription_is_not_told(renewing):
    renewing.emulator.behaviour.pending = None
    reference = renewing.start(renewing.wanted(starts_on=dt.date(2026, 11, 22))).reference

    [event] = renewing.hear_body("subscription_payment", id=reference)

    assert event.kind is OTHER


@pytest.mark.rule("R-161")
def test_a_subscription_charge_that_waits_for_the_customer_is_not_told(renewing):
    renewing.emulator.plan(ChargePlan(customer=True))
    renewing.start()
    renewing.clock.set(dt.datetime(2026, 12, 22, 7, 0, tzinfo=JST))
    renewing.emulator.tick()
    renewing.clock.advance(seconds=1)
    renewing.emulator.tick()

    assert renewing.emulator.charges[0].status == "awaiting"
    assert renewals(renewing.told()) == []


@pytest.mark.rule("R-032", "R-164")
def test_a_payment_is_told_with_the_contracts_own_day(renewing):
    renewing.start(renewing.wanted(starts_on=dt.date(2027, 2, 28), anchor_day=30))
    renewing.noon(2027, 4, 1)

    assert [str(event.period_on) for event in renewals(renewing.told())] == ["2027-02-28", "2027-03-30"]
    assert renewing.taken_on() == ["2027-02-28", "2027-03-31"]


@pytest.mark.rule("R-162", "R-269")
def test_deliveries_that_come_twice_and_backwards_tell_the_same(renewing):
    renewing.start()
    renewing.noon(2026, 12, 23)
    renewing.emulator.wish(DECLINE)
    renewing.noon(2027, 2, 2)
    taken = renewing.deliveries()

    told = {event.event_id: short(event) for one in [*taken[::-1], *taken] for event in renewals(renewing.hear(one))}

    assert sorted(told.values()) == [
        ("2026-12-22", 1, True, False, None),
        ("2027-01-22", 1, False, True, "2027-02-01"),
        ("2027-01-22", 2, True, False, None),
    ]


def test_a_delivery_that_was_lost_is_made_up_for_by_the_next(renewing):
    renewing.start()
    renewing.emulator.wish(DECLINE)
    renewing.noon(2026, 12, 23)
    assert renewing.deliveries()  # lost
    renewing.noon(2027, 1, 2)

    assert [short(event)[:3] for event in renewals(renewing.told())] == [
        ("2026-12-22", 1, False),
        ("2026-12-22", 2, True),
    ]


def test_months_of_lost_deliveries_are_made_up_for_oldest_first(renewing):
    renewing.start()
    renewing.noon(2027, 2, 23)

    told = renewals(renewing.hear(renewing.deliveries()[-1]))

    assert [str(event.period_on) for event in told] == ["2026-12-22", "2027-01-22", "2027-02-22"]


@pytest.mark.parametrize("month", [0, 3, 6])
def test_a_charge_of_long_ago_that_is_delivered_again_is_told_with_its_own_period(renewing, month):
    renewing.start()
    renewing.noon(2027, 9, 23)
    old = renewing.emulator.charges[month]

    told = renewals(renewing.hear_body("charge_finished", id=old.id))

    [event] = [event for event in told if event.reference == old.id]
    assert event.period_on == old.payment.due
    assert [event.period_on for event in told] == sorted(event.period_on for event in told)


def test_a_charge_whose_age_is_not_told_is_told_without_its_period(shop):
    charge = {**CHARGE, "status": "successful", "charged_amount": 3000, "charged_currency": "JPY", "created_on": None}
    [event] = hear_from(shop, charges=[charge], event="charge_finished", listed=())

    assert (event.charge.outcome, event.period_on, event.attempt) == (Outcome.SUCCEEDED, None, None)


def test_while_the_list_is_late_a_charge_is_told_all_the_same(renewing):
    renewing.start()
    renewing.emulator.behaviour.list_delay = 3600
    renewing.noon(2026, 12, 22)
    renewing.emulator.behaviour.list_delay = 24 * 3600

    [event] = renewals(renewing.told())

    assert (event.charge.outcome, event.period_on) == (Outcome.SUCCEEDED, None)


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-145", "R-149", "R-155", "R-156")
def test_every_failed_attempt_is_told_and_after_the_last_that_it_was_the_last(renewing):
    renewing.start()
    renewing.emulator.wish(DECLINE, times=3)
    told = []
    for month, number in ((12, 22), (1, 1), (1, 11)):
        renewing.noon(2026 + (month == 1), month, number)
        told += renewals(renewing.told())

    told = list({event.event_id: event for event in told}.values())
    assert [short(event) for event in told] == [
        ("2026-12-22", 1, False, True, "2027-01-01"),
        ("2026-12-22", 2, False, True, "2027-01-11"),
        ("2026-12-22", 3, False, False, None),
    ]
    assert {(event.charge.code, event.charge.decline, event.charge.network) for event in told} == {
        ("306", DeclineClass.SOFT, "visa")
    }
    assert [one["status"] for one in renewing.subscriptions()] == ["suspended"]


@pytest.mark.rule("R-156")
def test_a_suspension_is_no_end(renewing):
    renewing.start()
    renewing.emulator.wish(DECLINE, times=3)
    renewing.noon(2027, 1, 12)

    kinds = {event.kind for event in renewing.told()}

    assert kinds == {RENEWAL, OTHER}


@pytest.mark.rule("R-146", "R-164")
def test_a_retry_that_succeeds_counts_for_its_period_and_the_rhythm_stays(renewing):
    renewing.start()
    renewing.emulator.wish(DECLINE)
    renewing.noon(2027, 1, 23)

    paid = [short(event)[:2] for event in renewals(renewing.told()) if event.charge.outcome is Outcome.SUCCEEDED]

    assert paid == [("2026-12-22", 2), ("2027-01-22", 1)]
    assert renewing.taken_on() == ["2027-01-01", "2027-01-22"]


@pytest.mark.parametrize("code", ["500", "339"])
@pytest.mark.parametrize("kind", [WishKind.ERROR, WishKind.DECLINE])
def test_a_charge_that_leaves_the_money_open_is_a_failure_once_univapay_goes_on_to_collect(renewing, kind, code):
    renewing.start()
    renewing.emulator.wish(Wish(kind, code=code))
    renewing.noon(2026, 12, 23)

    [event] = renewals(renewing.told())

    assert (event.charge.outcome, event.charge.decline) == (Outcome.DECLINED, DeclineClass.UNKNOWN)
    assert event.charge.code == code
    assert event.retries


def test_a_payment_over_another_amount_than_was_asked_for_is_unknown(renewing):
    renewing.start()
    renewing.emulator.plan(ChargePlan(charged=Money(29, "USD")))
    renewing.noon(2026, 12, 23)

    [event] = renewals(renewing.told())

    assert event.charge.outcome is Outcome.UNKNOWN


# --- answers written by hand -----------------------------------------------------------------------------------------

SUBSCRIPTION = {
    "id": "s1",
    "status": "unpaid",
    "transaction_token_id": "t1",
    "metadata": {"paygate_contract": "c1", "paygate_anchor_day": "22"},
}
PAYMENT = {"id": "p1", "due_date": "2026-12-22", "is_paid": False, "retry_date": "2027-01-01"}
CHARGE = {
    "id": "ch1",
    "status": "failed",
    "subscription_id": "s1",
    "requested_amount": 3000,
    "requested_currency": "JPY",
    "error": {"code": 306},
    "created_on": "2026-12-21T22:00:00Z",
}


def hear_from(
    shop, subscription=SUBSCRIPTION, payment=PAYMENT, charges=(CHARGE,), event="subscription_failure", listed=None
):
    """What a delivery tells where UnivaPay answers like this."""

    def handle(request):
        path = request.url.partition("?")[0]
        body = {"items": list(charges if listed is None else listed)}
        if path.endswith("/payments"):
            body = {"items": [payment]}
        elif path.endswith("/subscriptions/s1"):
            body = subscription
        elif path.endswith("/charges/ch1"):
            body = charges[0]
        elif "/tokens/" in path:
            return Response(404)
        return Response(200, {}, json.dumps(body).encode())

    driver = SyncDriver(shop.clock, mounts={"https://api.univapay.com": handle})
    body = {"event": event, "data": {"id": "ch1" if event.startswith("charge") else "s1"}}
    headers = {"authorization": shop.settings.webhook_auth_token}
    return driver.run(shop.provider.parse_webhook(Webhook(headers, json.dumps(body).encode())))


def test_a_failure_is_told_as_the_answers_say(shop):
    [event] = hear_from(shop)

    assert short(event) == ("2026-12-22", 1, False, True, "2027-01-01")


@pytest.mark.parametrize("event", ["charge_finished", "subscription_failure"])
def test_a_failure_that_univapay_has_not_drawn_its_conclusions_from_yet_waits_for_the_next_event(shop, event):
    [told] = hear_from(shop, {**SUBSCRIPTION, "status": "current"}, event=event)

    assert told.kind is OTHER


@pytest.mark.parametrize("status", ["error", "failed"])
def test_a_charge_that_leaves_the_money_open_is_not_told_before_univapay_has_decided(shop, status):
    charge = {**CHARGE, "status": status, "error": {"code": 500}}
    [early] = hear_from(shop, {**SUBSCRIPTION, "status": "current"}, charges=[charge])
    [late] = hear_from(shop, charges=[charge])

    assert early.kind is OTHER
    assert late.charge.outcome is Outcome.DECLINED


def test_a_charge_in_a_state_that_nobody_documented_is_unknown_and_never_a_success(shop):
    [event] = hear_from(shop, charges=[{**CHARGE, "status": "settled_twice"}])

    assert event.charge.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("retry_date", [None, "", 20270101, "soon"])
def test_a_retry_without_a_readable_day_is_told_without(shop, retry_date):
    [event] = hear_from(shop, payment={**PAYMENT, "retry_date": retry_date})

    assert short(event) == ("2026-12-22", 1, False, True, None)


def test_a_charge_that_leaves_the_money_open_for_a_payment_that_is_made_is_not_told(shop):
    [event] = hear_from(shop, payment={**PAYMENT, "is_paid": True}, charges=[{**CHARGE, "status": "error"}])

    assert event.kind is OTHER


def test_a_failed_first_charge_is_told_as_one_that_is_not_tried_again(shop):
    [event] = hear_from(shop, {**SUBSCRIPTION, "status": "unconfirmed"})

    assert short(event)[2:4] == (False, False)


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {}},
        {"metadata": None},
        {"store_id": "11f0a1b2-1111-4a00-8000-00000000ffff"},
        {"mode": "live"},
    ],
)
def test_a_subscription_that_is_not_paygates_is_other(shop, change):
    [event] = hear_from(shop, {**SUBSCRIPTION, **change})

    assert event.kind is OTHER


@pytest.mark.parametrize("subscription_id", [None, 7, "../tokens/t1", ""])
def test_a_charge_whose_subscription_has_no_readable_id_is_other(shop, subscription_id):
    [event] = hear_from(shop, charges=[{**CHARGE, "subscription_id": subscription_id}], event="charge_finished")

    assert event.kind is OTHER


def test_what_is_told_of_a_subscription_is_asked_of_univapay_and_not_of_the_body(shop):
    with pytest.raises(ProviderUnavailable):
        hear_from(shop, {**SUBSCRIPTION, "id": "s2"})


# --- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-152", "R-153")
def test_the_end_is_told_once_however_it_came_about(renewing):
    reference = renewing.start().reference
    renewing.noon(2026, 12, 23)
    renewing.told()
    renewing.api("DELETE", renewing.path(reference))

    events = renewing.told()
    again = renewing.hear_body("subscription_canceled", id=reference)

    ended = [event for event in [*events, *again] if event.kind is ENDED]
    assert {event.event_id for event in ended} == {f"{reference}:ended"}
    assert (ended[0].contract_id, ended[0].reference) == ("c1", reference)


@pytest.mark.rule("R-152")
def test_exhausted_tries_end_the_subscription_where_the_dashboard_says_so(renewing):
    renewing.emulator.behaviour.subscription_exhausted = "canceled"
    renewing.start()
    renewing.emulator.wish(DECLINE, times=3)
    renewing.noon(2027, 1, 12)

    events = renewing.told()

    assert events[-1].kind is ENDED
    assert [short(event)[1:4] for event in renewals(events)] == [(1, False, True), (2, False, True), (3, False, False)]


def test_a_body_that_claims_an_end_is_not_believed(renewing):
    reference = renewing.start().reference

    [event] = renewing.hear_body("subscription_canceled", id=reference, status="canceled")

    assert event.kind is OTHER


def test_a_subscription_that_does_not_exist_is_other(renewing):
    [event] = renewing.hear_body("subscription_canceled", id="11f0b005-aaaa-4a00-8a00-00000000a101")

    assert event.kind is OTHER


def test_while_the_subscription_cannot_be_read_the_delivery_is_not_taken(renewing):
    renewing.start()
    renewing.noon(2026, 12, 23)
    delivery = renewing.deliveries()[-1]
    renewing.emulator.faults.add(Fault(FaultKind.TIMEOUT), times=9)

    with pytest.raises(ProviderUnavailable):
        renewing.hear(delivery)
