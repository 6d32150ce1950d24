"""Subscriptions of the emulated UnivaPay: when they charge, and what becomes of them."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from paygate.clock import JST
from paygate.testing.emulators.univapay import ChargePlan, Credentials

URL = "https://shop.example/hooks"


def code(response):
    return response.status, response.json()["code"]


class Shop:
    """A client with one subscription and the events that it was told."""

    def __init__(self, client, clock):
        self.client = client
        self.clock = clock
        self.emulator = client.emulator
        self.emulator.set_webhook_target(URL)
        self.card = self.emulator.add_card()

    def create(self, **changes):
        body = {"transaction_token_id": self.card, "amount": 1980, "currency": "JPY", "period": "monthly", **changes}
        return self.client.send("POST", "/subscriptions", {name: one for name, one in body.items() if one is not None})

    def start(self, **changes):
        created = self.create(**changes)
        assert created.status == 201, created
        self.id = created.json()["id"]
        self.path = f"/subscriptions/{self.id}"
        self.clock.advance(seconds=1)
        return created.json()

    def read(self):
        return self.client.get(self.path)

    def status(self):
        return self.read()["status"]

    def send(self, method, path="", body=None):
        return self.client.send(method, f"{self.client.store}{self.path}{path}", body)

    def charges(self):
        """Local time and amount of what was taken, oldest first."""
        self.emulator.tick()
        rows = self.emulator.book.captures
        return [(row.at.astimezone(JST).strftime("%Y-%m-%d %H:%M"), row.amount.minor) for row in rows]

    def until(self, year, month, day, hour=12):
        self.clock.set(dt.datetime(year, month, day, hour, tzinfo=JST))

    def events(self):
        seen = []
        self.emulator.deliver(lambda delivery: seen.append(json.loads(delivery.body)))
        return [(one["event"], one["data"]["status"]) for one in seen]


@pytest.fixture
def shop(client, clock):
    return Shop(client, clock)


# --- the first charge ------------------------------------------------------------------------------------------------


def test_a_subscription_charges_at_once_and_then_every_month_at_seven(shop):
    created = shop.start(metadata={"plan": "gold"})
    shop.until(2027, 1, 31)

    assert (created["status"], created["next_payment"]["due_date"]) == ("unverified", "2026-11-22")
    assert shop.charges() == [("2026-11-22 12:00", 1980), ("2026-12-22 07:00", 1980), ("2027-01-22 07:00", 1980)]
    running = shop.read()
    assert (running["status"], running["next_payment"]["due_date"]) == ("current", "2027-02-22")
    assert running["metadata"] == {"plan": "gold"}


def test_an_initial_amount_is_taken_at_once_and_the_cycles_begin_on_their_day(shop):
    shop.start(initial_amount=980, schedule_settings={"start_on": "2026-12-01"})
    shop.until(2027, 1, 2)

    assert shop.charges() == [("2026-11-22 12:00", 980), ("2026-12-01 07:00", 1980), ("2027-01-01 07:00", 1980)]


def test_a_start_that_lies_ahead_charges_nothing_before_it(shop):
    shop.start(schedule_settings={"start_on": "2026-12-05"})
    early = shop.status(), shop.charges(), code_of_latest(shop)
    shop.until(2026, 12, 6)

    assert early == ("current", [], 404)
    assert shop.charges() == [("2026-12-05 07:00", 1980)]
    assert shop.read()["next_payment"]["due_date"] == "2027-01-05"


def code_of_latest(shop):
    return shop.send("GET", "/charges/latest").status


def test_an_initial_amount_of_nothing_makes_the_first_month_free_unless_it_is_refused(shop):
    shop.start(initial_amount=0)
    shop.until(2026, 12, 23)
    shop.emulator.behaviour.free_first_payment = False

    assert shop.charges() == [("2026-12-22 07:00", 1980)]
    assert code(shop.create(initial_amount=0)) == (400, "VALIDATION_ERROR")


def test_the_events_of_a_subscription_tell_its_life_in_order(shop):
    shop.start()
    shop.until(2026, 12, 23)
    shop.send("DELETE")

    assert shop.events() == [
        ("subscription_created", "unverified"),
        ("charge_finished", "successful"),
        ("subscription_payment", "current"),
        ("charge_finished", "successful"),
        ("subscription_payment", "current"),
        ("subscription_canceled", "canceled"),
    ]


def test_polling_waits_until_the_first_charge_is_through(shop):
    shop.id = shop.create().json()["id"]

    assert shop.client.get(f"/subscriptions/{shop.id}", polling="true")["status"] == "current"


def test_a_declined_first_charge_leaves_the_subscription_unconfirmed_for_good(shop):
    shop.emulator.plan(ChargePlan("failed", 306))
    shop.start()
    first = shop.status()
    shop.until(2027, 3, 1)

    assert (first, shop.status(), shop.charges()) == ("unconfirmed", "unconfirmed", [])
    assert shop.events()[-1] == ("subscription_failure", "unconfirmed")


@pytest.mark.parametrize(("retried", "status", "taken"), [(True, "current", 1), (False, "unconfirmed", 0)])
def test_a_new_card_tries_the_first_charge_again(shop, retried, status, taken):
    shop.emulator.behaviour.new_token_retries_first = retried
    shop.emulator.plan(ChargePlan("failed", 306))
    shop.start()
    card = shop.emulator.add_card("5555555555554444")
    shop.send("PATCH", "/token", {"transaction_token_id": card})
    shop.clock.advance(seconds=1)

    assert (shop.status(), len(shop.charges())) == (status, taken)


@pytest.mark.parametrize(("how", "status"), [("unpaid", "unpaid"), ("unconfirmed", "unconfirmed")])
def test_a_first_charge_that_fails_on_a_later_day_is_retried_or_not(shop, how, status):
    shop.emulator.behaviour.late_first_failure = how
    shop.start(schedule_settings={"start_on": "2026-12-05"})
    shop.emulator.plan(ChargePlan("failed", 306))
    shop.until(2026, 12, 6)

    assert shop.status() == status


def test_a_demanded_identity_check_waits_for_the_customer_of_the_subscription(shop):
    shop.start(three_ds={"mode": "force", "redirect_endpoint": "https://shop.example/back"})
    waiting = shop.status(), shop.charges()
    shop.emulator.approve(shop.id)
    shop.until(2026, 12, 23)

    assert waiting == ("unverified", [])
    assert len(shop.charges()) == 2
    assert shop.read()["three_ds"]["mode"] == "force"


def test_a_first_charge_can_be_held_and_captured_days_later(shop):
    shop.start(first_charge_authorization_only=True, first_charge_capture_after="P3D")
    held = shop.status()
    shop.until(2026, 11, 26)

    assert held == "authorized"
    assert shop.charges() == [("2026-11-25 12:00", 1980)]
    assert shop.status() == "current"


# --- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "period", "due"),
    [
        ({"start_on": "2026-12-31"}, {"period": "monthly"}, ["2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31"]),
        (
            {"start_on": "2027-02-28", "preserve_end_of_month": True},
            {"period": "monthly"},
            ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"],
        ),
        ({"start_on": "2027-02-28"}, {"period": "monthly"}, ["2027-02-28", "2027-03-28", "2027-04-28", "2027-05-28"]),
        ({}, {"period": "biweekly"}, ["2026-11-22", "2026-12-06", "2026-12-20", "2027-01-03"]),
        ({}, {"period": "annually"}, ["2026-11-22", "2027-11-22", "2028-11-22", "2029-11-22"]),
        ({}, {"period": None, "cyclical_period": "P10D"}, ["2026-11-22", "2026-12-02", "2026-12-12", "2026-12-22"]),
    ],
)
def test_due_dates_keep_their_rhythm_and_the_preview_knows_them(shop, settings, period, due):
    preview = {"amount": 1980, "currency": "JPY", "payment_type": "card", "schedule_settings": settings, **period}
    preview = {name: one for name, one in preview.items() if one is not None}
    simulated = shop.client.send("POST", f"{shop.client.store}/subscriptions/simulate_plan", preview).json()
    shop.start(schedule_settings=settings, **period)
    shop.until(2029, 11, 23)

    paid = shop.client.get(f"{shop.path}/payments", limit="100", cursor_direction="asc")["items"]
    assert [one["due_date"] for one in simulated[:4]] == due
    assert [one["due_date"] for one in paid[:4]] == due


def test_the_day_begins_in_the_zone_of_the_subscription(shop):
    shop.start(initial_amount=1, schedule_settings={"start_on": "2026-12-01", "zone_id": "America/New_York"})
    shop.until(2026, 12, 2, 0)

    assert shop.charges()[1] == ("2026-12-01 21:00", 1980)


def test_the_hour_of_the_charges_can_be_turned(shop):
    shop.emulator.behaviour.subscription_hour = 9
    shop.start()
    shop.until(2026, 12, 23)

    assert shop.charges()[1] == ("2026-12-22 09:00", 1980)


# --- failures and retries --------------------------------------------------------------------------------------------


def test_a_failed_charge_is_tried_three_times_ten_days_apart_and_then_suspends(shop):
    shop.start(schedule_settings={"start_on": "2027-06-01"}, initial_amount=1)
    shop.emulator.plan(*[ChargePlan("failed", 306)] * 3)
    shop.until(2027, 6, 2)
    unpaid = shop.read()
    shop.until(2027, 6, 30)

    tried = shop.client.get(f"{shop.path}/charges", cursor_direction="asc")["items"][1:]
    assert (unpaid["status"], unpaid["next_payment"]["retry_date"]) == ("unpaid", "2027-06-11")
    assert [one["created_on"][:10] for one in tried] == ["2027-05-31", "2027-06-10", "2027-06-20"]  # 07:00 JST in UTC
    assert shop.status() == "suspended"
    assert shop.events()[-3:] == [
        ("charge_finished", "failed"),
        ("subscription_failure", "unpaid"),
        ("subscription_suspended", "suspended"),
    ]


def test_a_retry_that_succeeds_gives_the_tries_back_and_keeps_the_rhythm(shop):
    shop.start(schedule_settings={"start_on": "2027-06-01"}, initial_amount=1)
    shop.emulator.plan(ChargePlan("failed", 306), ChargePlan("failed", 306))
    shop.until(2027, 6, 22)

    assert shop.charges()[1] == ("2027-06-21 07:00", 1980)
    assert shop.read()["next_payment"]["due_date"] == "2027-07-01"
    assert shop.emulator.subscription(shop.id).tries == 0


@pytest.mark.parametrize(("given", "retry"), [("P5D", "2027-06-06"), ("PT72H", "2027-06-04"), ("PT1H", "2027-06-02")])
def test_the_interval_of_retries_can_be_given(shop, given, retry):
    shop.start(schedule_settings={"start_on": "2027-06-01", "retry_interval": given}, initial_amount=1)
    shop.emulator.plan(ChargePlan("failed", 306))
    shop.until(2027, 6, 1)

    assert shop.read()["next_payment"]["retry_date"] == retry


def test_used_up_tries_can_end_a_subscription(shop):
    shop.emulator.behaviour.subscription_exhausted = "canceled"
    shop.emulator.behaviour.subscription_tries = 1
    shop.start()
    shop.emulator.plan(ChargePlan("failed", 306))
    shop.until(2026, 12, 23)

    assert shop.status() == "canceled"
    assert shop.read()["next_payment"] is None


def test_a_subscription_whose_card_was_deleted_stops_working(shop):
    shop.start()
    shop.client.send("DELETE", f"{shop.client.store}/tokens/{shop.card}")
    shop.until(2026, 12, 23)

    latest = shop.send("GET", "/charges/latest").json()
    assert (latest["status"], latest["error"]["code"], shop.status()) == ("failed", 307, "unpaid")


def test_a_card_with_a_running_subscription_may_be_kept_from_deletion(shop):
    shop.emulator.behaviour.delete_token_with_subscription = False
    shop.start()
    path = f"{shop.client.store}/tokens/{shop.card}"
    refused = code(shop.client.send("DELETE", path))
    shop.send("DELETE")

    assert refused == (400, "ONGOING_SUBSCRIPTIONS_EXIST_FOR_TOKEN")
    assert shop.client.send("DELETE", path).status == 204


# --- pausing, resuming, ending ---------------------------------------------------------------------------------------


def test_a_paused_subscription_charges_nothing_and_goes_on_at_the_nearest_coming_date(shop):
    shop.start()
    paused = shop.send("PATCH", "/suspend")
    shop.until(2027, 2, 10)
    resumed = shop.send("PATCH", "/unsuspend").json()
    shop.until(2027, 2, 23)

    assert (paused.status, paused.json()["status"]) == (200, "suspended")
    assert (resumed["status"], resumed["next_payment"]["due_date"]) == ("unpaid", "2027-02-22")
    assert shop.charges()[1:] == [("2027-02-22 07:00", 1980)]
    assert shop.status() == "current"


def test_resuming_may_charge_what_was_missed_every_twenty_minutes(shop):
    shop.emulator.behaviour.resume_charges_arrears = True
    shop.start()
    shop.send("PATCH", body={"status": "suspended"})
    shop.until(2027, 2, 10)
    shop.send("PATCH", body={"status": "unpaid"})
    shop.clock.advance(hours=1)

    assert shop.charges()[1:] == [("2027-02-10 12:00", 1980), ("2027-02-10 12:20", 1980)]
    assert shop.read()["next_payment"]["due_date"] == "2027-02-22"


def test_after_used_up_tries_one_more_failure_suspends_again(shop):
    shop.emulator.behaviour.subscription_tries = 2
    shop.start()
    shop.emulator.plan(*[ChargePlan("failed", 306)] * 3)
    shop.until(2027, 1, 20)
    shop.send("PATCH", "/unsuspend")
    shop.until(2027, 1, 23)

    assert shop.status() == "suspended"
    assert len(shop.client.get(f"{shop.path}/charges")["items"]) == 4


def test_a_pause_or_an_end_can_wait_for_the_next_payment(shop):
    shop.start(schedule_settings={"termination_mode": "on_next_payment"})
    waits = shop.send("PATCH", "/suspend").json()
    shop.until(2026, 12, 23)
    paused = shop.status()
    shop.send("PATCH", "/unsuspend")
    shop.send("PATCH", body={"next_payment": {"terminate_with_status": "canceled"}})
    shop.until(2027, 2, 1)

    assert (waits["status"], waits["next_payment"]["terminate_with_status"]) == ("current", "suspended")
    assert (paused, shop.status(), len(shop.charges())) == ("suspended", "canceled", 1)


def test_a_planned_end_can_be_taken_back(shop):
    shop.start(schedule_settings={"termination_mode": "on_next_payment"})
    shop.send("PATCH", "/suspend", {"schedule_settings": {"termination_mode": "on_next_payment"}})
    shop.send("PATCH", body={"next_payment": {"terminate_with_status": None}})
    shop.until(2026, 12, 23)

    assert (shop.status(), len(shop.charges())) == ("current", 2)


def test_an_ended_subscription_charges_nothing_and_cannot_be_changed(shop):
    shop.start()
    deleted = shop.send("DELETE")
    shop.until(2027, 12, 1)

    assert (deleted.status, deleted.body, shop.status(), len(shop.charges())) == (204, b"", "canceled", 1)
    for method, path in [("PATCH", ""), ("PATCH", "/suspend"), ("PATCH", "/unsuspend"), ("DELETE", "")]:
        assert code(shop.send(method, path)) == (400, "CANNOT_CHANGE_CANCELED_SUBSCRIPTION")


def test_nothing_is_paused_or_ended_while_a_charge_is_under_way(shop):
    shop.emulator.behaviour.pending = None
    shop.start()

    assert code(shop.send("PATCH", "/suspend")) == (400, "SUBSCRIPTION_PROCESSING")
    assert code(shop.send("DELETE")) == (400, "SUBSCRIPTION_PROCESSING")


@pytest.mark.parametrize("path", ["/suspend", "/unsuspend"])
def test_only_what_runs_is_paused_and_only_what_is_paused_resumes(shop, path):
    shop.start()
    if path == "/suspend":
        shop.send("PATCH", "/suspend")

    assert code(shop.send("PATCH", path)) == (400, "VALIDATION_ERROR")


# --- limited runs ----------------------------------------------------------------------------------------------------


def test_a_run_of_fixed_cycles_counts_down_and_completes(shop):
    created = shop.start(subscription_plan={"plan_type": "fixed_cycles", "fixed_cycles": 3}, initial_amount=500)
    left = [(created["cycles_left"], created["amount_left"])]
    for month in (12, 13):
        now = shop.read()
        left.append((now["cycles_left"], now["amount_left"]))
        shop.until(2026 + month // 13, (month - 1) % 12 + 1, 23)
    ended = shop.read()
    shop.until(2028, 1, 1)

    assert left == [(3, 4460), (2, 3960), (1, 1980)]
    assert (ended["status"], ended["cycles_left"], ended["amount_left"], ended["next_payment"]) == (
        "completed",
        0,
        0,
        None,
    )
    assert len(shop.charges()) == 3
    assert shop.events()[-2:] == [("subscription_payment", "completed"), ("subscription_completed", "completed")]
    assert code(shop.send("DELETE")) == (400, "SUBSCRIPTION_ALREADY_ENDED")


def test_a_run_up_to_a_sum_ends_with_what_is_left_of_it(shop):
    created = shop.start(subscription_plan={"plan_type": "fixed_cycle_amount", "fixed_cycle_amount": 5000})
    shop.until(2028, 1, 1)

    assert (created["cycles_left"], created["amount_left"]) == (3, 5000)
    assert [amount for _, amount in shop.charges()] == [1980, 1980, 1040]
    assert shop.read()["amount_left_formatted"] == 0


def test_a_preview_of_a_run_up_to_a_sum_ends_like_the_run(shop):
    plan = {"plan_type": "fixed_cycle_amount", "fixed_cycle_amount": 5000}
    body = {"amount": 1980, "currency": "JPY", "payment_type": "card", "period": "monthly", "subscription_plan": plan}
    shown = shop.client.send("POST", "/subscriptions/simulate_plan", {**body, "initial_amount": 980}).json()

    assert [(one["amount"], one["is_last_payment"]) for one in shown] == [
        (980, False),
        (1980, False),
        (1980, False),
        (60, True),
    ]


def test_instalments_of_the_card_company_are_one_charge_where_the_store_may_have_them(shop):
    plan = {"plan_type": "fixed_cycles", "fixed_cycles": 12}
    refused = code(shop.create(installment_plan=plan))
    shop.emulator.behaviour.installments = True
    initial = code(shop.create(installment_plan=plan, initial_amount=1))
    shop.start(installment_plan=plan, amount=120_000)

    done = shop.read()
    assert refused == (403, "INSTALLMENTS_NOT_ENABLED")
    assert initial == (403, "INSTALLMENT_PROCESSOR_INITIAL_AMOUNTS_NOT_SUPPORTED")
    assert (done["status"], [amount for _, amount in shop.charges()]) == ("completed", [120_000])
    assert done["charge_id"] == shop.emulator.book.captures[0].reference


# --- what cannot be created ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"currency": "YEN"}, "currency"),
        ({"period": None}, "period"),
        ({"period": "hourly"}, "period"),
        ({"cyclical_period": "P1D"}, "period"),
        ({"period": None, "cyclical_period": "PT5H"}, "cyclical_period"),
        ({"period": None, "cyclical_period": "P11Y"}, "cyclical_period"),
        ({"period": None, "cyclical_period": "often"}, "cyclical_period"),
        ({"initial_amount": -1}, "initial_amount"),
        ({"metadata": {"a": {"b": 1}}}, "metadata"),
        ({"schedule_settings": {"start_on": "2026-11-21"}}, "schedule_settings.start_on"),
        ({"schedule_settings": {"start_on": "soon"}}, "schedule_settings.start_on"),
        ({"schedule_settings": {"zone_id": "Moon/Base"}}, "schedule_settings.zone_id"),
        ({"schedule_settings": {"retry_interval": "later"}}, "schedule_settings.retry_interval"),
        ({"schedule_settings": {"termination_mode": "never"}}, "schedule_settings.termination_mode"),
        ({"first_charge_capture_after": "P3D"}, "first_charge_capture_after"),
        (
            {"first_charge_authorization_only": True, "first_charge_capture_after": "P7D"},
            "first_charge_capture_after",
        ),
        ({"subscription_plan": {"plan_type": "forever"}}, "subscription_plan.plan_type"),
        ({"subscription_plan": {"plan_type": "fixed_cycles"}}, "fixed_cycles"),
        (
            {"subscription_plan": {"plan_type": "fixed_cycles"}, "installment_plan": {"plan_type": "revolving"}},
            "installment_plan",
        ),
        ({"transaction_token_id": None}, "transaction_token_id"),
    ],
)
def test_a_wrong_subscription_is_refused_by_field(shop, changes, field):
    response = shop.create(**changes)

    assert code(response) == (400, "VALIDATION_ERROR")
    assert response.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({"plan_type": "whenever"}, "INSTALLMENT_INVALID_PLAN"),
        ({"plan_type": "fixed_cycles", "fixed_cycles": 4}, "INSTALLMENT_INVALID_CYCLES_COUNT"),
    ],
)
def test_instalments_that_no_card_company_has_are_refused(shop, plan, expected):
    shop.emulator.behaviour.installments = True

    assert code(shop.create(installment_plan=plan)) == (400, expected)


def test_a_subscription_token_starts_one_subscription_within_five_minutes(shop):
    first = shop.emulator.add_card(kind="subscription")
    late = shop.emulator.add_card(kind="subscription")
    shop.start(transaction_token_id=first)
    again = code(shop.create(transaction_token_id=first))
    shop.clock.advance(minutes=5, seconds=1)

    assert shop.status() == "current"
    assert again == (400, "TRANSACTION_ALREADY_PROCESSED")
    assert code(shop.create(transaction_token_id=late)) == (400, "TRANSACTION_TOKEN_EXPIRED")


def test_cards_that_are_not_for_subscriptions_are_refused(shop):
    once = shop.emulator.add_card(kind="one_time")
    gone = shop.emulator.add_card()
    shop.client.send("DELETE", f"{shop.client.store}/tokens/{gone}")

    assert code(shop.create(transaction_token_id=once)) == (400, "NOT_SUBSCRIPTION_TOKEN")
    assert code(shop.create(transaction_token_id=gone)) == (400, "RECURRING_TOKEN_DISABLED")
    assert shop.create(transaction_token_id="11f0b001-aaaa-4d00-8f00-00000000d999").status == 404


def test_a_card_of_another_store_starts_no_subscription(shop):
    other = Credentials.for_store(2)
    shop.emulator.add_store(other)
    shop.client.authorization = other.header

    assert code(shop.create()) == (400, "TOKEN_FOR_WRONG_STORE")


# --- reading and changing --------------------------------------------------------------------------------------------


def test_payments_and_their_charges_can_be_read_and_belong_together(shop):
    shop.start()
    shop.until(2026, 12, 23)

    coming, second, first = shop.client.get(f"{shop.path}/payments")["items"]
    [charge] = shop.client.get(f"{shop.path}/payments/{second['id']}/charges")["items"]
    merchant = shop.emulator.credentials.merchant_id
    everything = shop.client.send("GET", f"/merchants/{merchant}{shop.client.store}{shop.path}/charges").json()
    assert (first["is_paid"], second["is_paid"], coming["is_paid"]) == (True, True, False)
    assert second["successful_payment_date"] == "2026-12-22"
    assert shop.client.get(f"{shop.path}/payments/{second['id']}") == second
    assert (charge["subscription_id"], charge["transaction_token_type"]) == (shop.id, "subscription")
    assert everything["total_hits"] == 2
    assert shop.send("GET", "/charges/latest").json()["id"] == charge["id"]
    assert shop.send("GET", "/payments/none").status == 404
    assert shop.client.send("GET", f"/merchants/none{shop.client.store}{shop.path}/charges").status == 404


def test_a_list_shows_and_filters_subscriptions(shop):
    shop.start(metadata={"plan": "gold", "order_id": "12345"})
    shop.send("PATCH", "/suspend")
    gold = shop.id
    shop.start(metadata={"plan": "silver"})

    def ids(**query):
        return [one["id"] for one in shop.client.get("/subscriptions", **query)["items"]]

    assert ids() == [shop.id, gold]
    assert ids(status="suspended") == [gold]
    assert ids(**{"statuses[]": "current"}) == [shop.id]
    assert ids(search="gold") == ids(search="order_id:12345") == [gold]
    assert ids(mode="live") == []
    [item] = shop.client.get("/subscriptions", status="current")["items"]
    assert (item["next_payment_date"], item["payment_type"]) == ("2026-12-22", "card")


def test_a_new_amount_holds_from_the_payment_after_the_next(shop):
    shop.start()
    shop.send("PATCH", body={"amount": 2500, "metadata": {"plan": "gold"}})
    shop.until(2027, 1, 23)

    assert [amount for _, amount in shop.charges()] == [1980, 1980, 2500]
    assert shop.read()["metadata"] == {"plan": "gold"}


def test_the_next_payment_alone_can_be_changed_and_the_rhythm_stays(shop):
    shop.start()
    shop.send("PATCH", body={"next_payment": {"amount": 100, "due_date": "2026-12-25"}})
    shop.until(2027, 1, 23)

    assert shop.charges()[1:] == [("2026-12-25 07:00", 100), ("2027-01-22 07:00", 1980)]


def test_a_payment_made_elsewhere_is_not_charged(shop):
    shop.start()
    payment = shop.read()["next_payment"]["id"]
    patched = shop.send("PATCH", f"/payments/{payment}", {"is_paid": True, "retry_interval": "P2D"})
    shop.until(2027, 1, 23)

    assert patched.json()["is_paid"] is True
    assert shop.charges()[1:] == [("2027-01-22 07:00", 1980)]
    assert code(shop.send("PATCH", f"/payments/{payment}", {"due_date": "2027-05-01"})) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"next_payment": {"due_date": "2026-11-21"}}, "due_date"),
        ({"next_payment": {"terminate_with_status": "completed"}}, "terminate_with_status"),
        ({"next_payment": {"retry_interval": "x"}}, "retry_interval"),
        ({"period": "weekly"}, "period"),
        ({"status": "completed"}, "status"),
        ({"schedule_settings": {"termination_mode": "x"}}, "schedule_settings.termination_mode"),
        ({"transaction_token_id": "none"}, "transaction_token_id"),
    ],
)
def test_a_wrong_change_of_a_running_subscription_is_refused_by_field(shop, body, field):
    shop.start()
    response = shop.send("PATCH", body=body)

    assert code(response) == (400, "VALIDATION_ERROR")
    assert response.json()["errors"][0]["field"] == field


def test_before_its_first_payment_a_subscription_can_be_planned_anew(shop):
    shop.start(schedule_settings={"start_on": "2026-12-05"})
    shop.send(
        "PATCH",
        body={
            "period": "weekly",
            "initial_amount": 10,
            "subscription_plan": {"plan_type": "fixed_cycles", "fixed_cycles": 2},
            "schedule_settings": {"retry_interval": "P1D", "termination_mode": "on_next_payment"},
        },
    )
    shop.until(2027, 6, 1)

    assert shop.charges() == [("2026-12-05 07:00", 10), ("2026-12-12 07:00", 1980)]
    settings = shop.read()["schedule_settings"]
    assert (settings["retry_interval"], settings["termination_mode"]) == ("P1D", "on_next_payment")


def test_the_amount_of_a_limited_run_is_fixed(shop):
    shop.start(subscription_plan={"plan_type": "fixed_cycles", "fixed_cycles": 2})

    assert code(shop.send("PATCH", body={"amount": 1})) == (400, "VALIDATION_ERROR")


def test_a_new_card_pays_from_the_next_payment_on(shop):
    shop.start()
    card = shop.emulator.add_card("5555555555554444")
    changed = shop.send("PATCH", "/token", {"transaction_token_id": card})
    shop.until(2026, 12, 23)

    assert changed.json()["transaction_token_id"] == card
    assert len(shop.charges()) == 2
    assert [row.credential for row in shop.emulator.book.captures] == [shop.card, card]


def test_a_card_that_will_not_do_does_not_take_over(shop):
    shop.start()
    once, gone = shop.emulator.add_card(kind="one_time"), shop.emulator.add_card()
    shop.client.send("DELETE", f"{shop.client.store}/tokens/{gone}")

    def change(card):
        return code(shop.send("PATCH", "/token", {"transaction_token_id": card}))

    assert change(once) == (400, "NOT_SUBSCRIPTION_TOKEN")
    assert change(gone) == (400, "CANNOT_CHANGE_TOKEN")


@pytest.mark.parametrize("carried", [False, True])
def test_whether_charges_carry_the_metadata_is_an_assumption_that_can_be_turned(shop, carried):
    shop.emulator.behaviour.charges_carry_metadata = carried
    shop.start(metadata={"plan": "gold"})

    assert shop.send("GET", "/charges/latest").json()["metadata"] == ({"plan": "gold"} if carried else {})


def test_a_change_that_is_refused_in_part_changes_nothing(shop):
    shop.start()
    before = shop.read()
    refused = shop.send(
        "PATCH",
        body={"amount": 1, "metadata": {"a": "1"}, "next_payment": {"amount": 1}, "status": "completed"},
    )

    assert code(refused) == (400, "VALIDATION_ERROR")
    assert shop.read() == before


def test_a_card_whose_security_code_was_refused_starts_no_subscription(shop):
    checked = {"cvv_authorize": {"enabled": True}}
    token = shop.client.token("4111111111111111", data=checked).json()["id"]
    shop.clock.advance(seconds=1)

    assert code(shop.create(transaction_token_id=token)) == (400, "CVV_AUTHORIZATION_NOT_COMPLETED")


def test_a_subscription_of_another_store_is_not_there(shop):
    shop.start()
    other = Credentials.for_store(2)
    shop.emulator.add_store(other)
    shop.client.authorization, shop.client.store = other.header, f"/stores/{other.store_id}"
    theirs = shop.emulator.add_card("5555555555554444")

    assert shop.send("GET").status == 404
    mine = shop.client.token().json()["id"]
    shop.start(transaction_token_id=mine)
    assert code(shop.send("PATCH", "/token", {"transaction_token_id": theirs})) == (400, "TOKEN_FOR_WRONG_STORE")


@pytest.mark.parametrize("payment_type", [None, "konbini"])
def test_a_preview_is_for_cards(shop, payment_type):
    body = {"amount": 1980, "currency": "JPY", "period": "monthly"} | (
        {"payment_type": payment_type} if payment_type else {}
    )

    assert code(shop.client.send("POST", "/subscriptions/simulate_plan", body)) == (400, "VALIDATION_ERROR")


def test_before_its_first_payment_a_subscription_becomes_one_of_instalments_where_the_store_may(shop):
    shop.start(schedule_settings={"start_on": "2026-12-05"})
    refused = shop.send("PATCH", body={"installment_plan": {"plan_type": "revolving"}})
    shop.emulator.behaviour.installments = True
    shop.send("PATCH", body={"installment_plan": {"plan_type": "revolving"}})
    shop.until(2026, 12, 6)

    assert code(refused) == (403, "INSTALLMENTS_NOT_ENABLED")
    assert shop.status() == "completed"
