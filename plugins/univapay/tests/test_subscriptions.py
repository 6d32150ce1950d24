"""UnivaPay's own subscriptions: started once, whatever is lost, ended with their period, stopped at once."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from paygate import Money
from paygate.drivers import HttpSettings, Lost, SyncDriver
from paygate.errors import (
    CapabilityNotSupported,
    ChargeDeclined,
    ConfigurationError,
    InvalidValue,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
)
from paygate.provider import EventKind, Renewals, SubscriptionRequest
from paygate.testing.emulators import CardKind, Fault, FaultKind, When
from paygate.testing.fakes import FakeUnivaPay
from paygate_univapay import CAPABILITIES, UnivaPay

CREATE = "POST /subscriptions"


def statuses(shop):
    return [one["status"] for one in shop.subscriptions()]


def read(shop, reference):
    return shop.api("GET", shop.path(reference))


# --- who charges renewals --------------------------------------------------------------------------------------------


@pytest.mark.rule("R-147")
def test_the_setting_says_who_charges_renewals_and_the_fake_says_the_same(renewing):
    declared = renewing.provider.capabilities()

    assert (declared.renewals, declared.starts_subscriptions) == (Renewals.PROVIDER, True)
    assert attrs.evolve(declared, starts_subscriptions=False, renewals=Renewals.MERCHANT) == CAPABILITIES
    assert FakeUnivaPay(renewals="provider").capabilities() == declared


def test_a_word_that_is_no_way_of_renewing_is_refused(shop):
    with pytest.raises(ConfigurationError, match="renewals"):
        attrs.evolve(shop.settings, renewals="univapay")


@pytest.mark.parametrize("hook", ["stop_recurring", "end_recurring", "resume_recurring"])
def test_without_subscriptions_of_its_own_the_account_refuses_and_sends_nothing(shop, renewing, hook):
    with pytest.raises(CapabilityNotSupported, match="renewals"):
        shop.driver.run(getattr(shop.provider, hook)(SubscriptionRequest("c1", shop.card)))
    with pytest.raises(CapabilityNotSupported, match="renewals"):
        shop.driver.run(shop.provider.start_recurring(renewing.wanted()))

    assert not shop.emulator.requests


# --- starting --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-015", "R-147")
def test_a_subscription_is_started_on_its_day_at_its_price_and_leads_back_to_the_contract(renewing):
    started = renewing.start()

    [made] = renewing.subscriptions()
    assert (made["id"], made["status"]) == (started.reference, "current")
    assert (made["amount"], made["currency"], made["period"]) == (3000, "JPY", "monthly")
    assert made["metadata"] == {"paygate_contract": "c1", "paygate_anchor_day": "22"}
    assert made["next_payment"]["due_date"] == "2026-12-22"
    assert renewing.book.captured() == 0
    assert renewing.card not in repr((started, started.raw))


def test_a_first_charge_of_today_is_made_at_once(renewing):
    renewing.start(renewing.wanted(starts_on=dt.date(2026, 11, 22)))

    assert renewing.taken_on() == ["2026-11-22"]


def test_a_first_charge_whose_day_has_passed_is_made_at_once_too(renewing):
    renewing.start(renewing.wanted(starts_on=dt.date(2026, 11, 20), anchor_day=20))

    assert renewing.taken_on() == ["2026-11-22"]


@pytest.mark.rule("R-032")
def test_a_contract_of_the_31st_is_charged_on_the_last_day_of_each_month(renewing):
    renewing.start(renewing.wanted(starts_on=dt.date(2027, 2, 28), anchor_day=31))
    renewing.noon(2027, 5, 1)

    assert renewing.taken_on() == ["2027-02-28", "2027-03-31", "2027-04-30"]


@pytest.mark.rule("R-190")
@pytest.mark.parametrize("days", [0, 0.5, 3, 40])
def test_starting_again_finds_the_subscription_also_after_its_key_is_forgotten(renewing, days):
    first = renewing.start(request := renewing.wanted())
    renewing.clock.advance(days=days)

    again = renewing.start(attrs.evolve(request, starts_on=max(request.starts_on, renewing.clock.now().date())))

    assert again.reference == first.reference
    assert len(renewing.subscriptions()) == 1
    assert renewing.sent("POST", "/subscriptions") == 1


def test_a_subscription_of_another_contract_is_not_taken_for_ours(renewing):
    first = renewing.start(renewing.wanted("c1"))
    second = renewing.start(renewing.wanted("c2"))

    assert first.reference != second.reference


def test_looking_for_the_subscription_stops_where_older_ones_begin(renewing):
    for number in range(101):
        renewing.api("POST", "/subscriptions", _plain(renewing, order=number))
    renewing.clock.advance(days=10)
    renewing.start()
    looks = [request for request in renewing.emulator.requests if "limit=100" in request.url]
    renewing.clock.advance(days=1)

    everything = renewing.wanted("c2", requested_at=None)
    renewing.start(everything)

    assert len(looks) == 1
    assert sum("limit=100" in request.url for request in renewing.emulator.requests) == len(looks) + 2


def _plain(shop, **metadata):
    return {
        "transaction_token_id": shop.card,
        "amount": 1000,
        "currency": "JPY",
        "period": "monthly",
        "schedule_settings": {"start_on": "2027-06-01"},
        "metadata": metadata,
    }


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.TIMEOUT, FaultKind.ERROR, FaultKind.HTML])
def test_a_start_whose_answer_was_lost_makes_one_subscription_when_it_is_repeated(renewing, kind, when):
    renewing.emulator.faults.add(Fault(kind, when), times=9, match=CREATE)
    with pytest.raises((OutcomeUnknown, ProviderUnavailable)):
        renewing.start()
    renewing.emulator.faults.clear()
    renewing.clock.advance(hours=1)

    started = renewing.start()

    assert [one["id"] for one in renewing.subscriptions()] == [started.reference]


def test_while_the_list_is_late_the_key_keeps_a_repeat_from_making_a_second_one(renewing):
    renewing.emulator.behaviour.list_delay = 3600
    renewing.emulator.faults.add(Fault(FaultKind.RESET, When.AFTER), times=3, match=CREATE)
    with pytest.raises(OutcomeUnknown):
        renewing.start()

    started = renewing.start()

    renewing.emulator.behaviour.list_delay = 0
    assert [one["id"] for one in renewing.subscriptions()] == [started.reference]


def test_a_repeat_with_another_day_under_the_same_key_is_unknown_and_makes_none(renewing):
    renewing.emulator.behaviour.list_delay = 3600
    renewing.start()

    with pytest.raises(OutcomeUnknown, match="key is in use"):
        renewing.start(renewing.wanted(starts_on=dt.date(2026, 12, 23)))

    renewing.emulator.behaviour.list_delay = 0
    assert len(renewing.subscriptions()) == 1


def test_a_look_that_fails_starts_nothing_and_says_so(renewing):
    renewing.emulator.faults.add(Fault(FaultKind.TIMEOUT), times=9, match="GET /stores/*")

    with pytest.raises(ProviderUnavailable):
        renewing.start()

    assert renewing.sent("POST", "/subscriptions") == 0


def test_wrong_credentials_start_nothing_and_say_so(renewing):
    renewing.provider = UnivaPay(attrs.evolve(renewing.settings, secret="wrong"), renewing.clock)

    with pytest.raises(ProviderUnavailable, match="app_token and secret"):
        renewing.start()


# --- when UnivaPay does not check the key ----------------------------------------------------------------------------


def twice(shop):
    """The key store is down, and the answer to the first sending is lost: the driver's repeat makes a second one."""
    shop.emulator.behaviour.key_store_down = True
    shop.emulator.faults.add(Fault(FaultKind.RESET, When.AFTER), match=CREATE)


def test_of_two_subscriptions_made_by_an_unchecked_repeat_the_older_one_stays(renewing):
    twice(renewing)

    started = renewing.start()
    renewing.noon(2027, 1, 23)

    assert statuses(renewing) == ["current", "canceled"]
    assert started.reference == renewing.subscriptions()[0]["id"]
    assert renewing.taken_on() == ["2026-12-22", "2027-01-22"]


def test_the_end_of_the_second_one_is_not_the_end_of_the_contract(renewing):
    twice(renewing)
    renewing.start()
    renewing.noon(2026, 12, 23)

    events = renewing.told()

    assert [event.kind for event in events if event.kind is not EventKind.OTHER] == [EventKind.RENEWAL]


def test_while_the_list_is_late_an_unchecked_start_is_unknown_and_the_next_one_ends_the_second(renewing):
    twice(renewing)
    renewing.emulator.behaviour.list_delay = 60
    with pytest.raises(OutcomeUnknown, match="did not check"):
        renewing.start()
    renewing.clock.advance(minutes=10)

    started = renewing.start()

    assert statuses(renewing) == ["current", "canceled"]
    assert started.reference == renewing.subscriptions()[0]["id"]


def test_the_second_one_is_ended_also_where_the_list_has_only_the_first_as_yet(renewing):
    twice(renewing)
    renewing.emulator.behaviour.list_delay = 60
    renewing.driver = SyncDriver(
        renewing.clock, settings=HttpSettings(retries=0), mounts={"https://api.univapay.com": renewing.emulator.handle}
    )
    with pytest.raises(OutcomeUnknown):
        renewing.start()
    renewing.clock.advance(seconds=59)

    def slow(request):
        answer = renewing.emulator.handle(request)
        if request.method == "POST":
            renewing.clock.advance(seconds=2)
        return answer

    driver = SyncDriver(renewing.clock, mounts={"https://api.univapay.com": slow})
    started = driver.run(renewing.provider.start_recurring(renewing.wanted()))

    renewing.clock.advance(minutes=5)
    assert statuses(renewing) == ["current", "canceled"]
    assert started.reference == renewing.subscriptions()[0]["id"]


def test_an_unchecked_start_that_made_one_stands(renewing):
    renewing.emulator.behaviour.key_store_down = True

    started = renewing.start()

    assert [one["id"] for one in renewing.subscriptions()] == [started.reference]


def test_an_unchecked_start_is_unknown_where_the_list_cannot_be_read_again(renewing):
    renewing.emulator.behaviour.key_store_down = True
    once = Once(renewing)

    with pytest.raises(OutcomeUnknown, match="unchecked"):
        renewing.driver.run(renewing.provider.start_recurring(renewing.wanted()))

    assert once.created == 1


class Once:
    """After the first creation, reading fails."""

    def __init__(self, shop):
        self.shop, self.created = shop, 0
        shop.driver = SyncDriver(
            shop.clock, settings=HttpSettings(retries=0), mounts={"https://api.univapay.com": self.handle}
        )

    def handle(self, request):
        if self.created and request.method == "GET":
            raise Lost("no answer")
        self.created += request.method == "POST"
        return self.shop.emulator.handle(request)


def test_a_second_subscription_that_cannot_be_ended_is_unknown_and_ended_by_the_next_call(renewing):
    twice(renewing)
    renewing.emulator.faults.add(Fault(FaultKind.ERROR), match="DELETE /stores/*")
    with pytest.raises(OutcomeUnknown, match="could not be ended"):
        renewing.start()

    renewing.start()

    assert statuses(renewing) == ["current", "canceled"]


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "RECURRING_TOKEN_DISABLED"),
        (400, "VALIDATION_ERROR"),
        (403, "CARD_LOCKED"),
        (400, "INVENTED_TOMORROW"),
    ],
)
def test_a_refused_subscription_is_a_final_no_with_its_code(renewing, status, code):
    renewing.emulator.refuse_next(status, code)

    with pytest.raises(ChargeDeclined) as refusal:
        renewing.start()

    assert refusal.value.code == code
    assert renewing.subscriptions() == []


@pytest.mark.rule("R-306")
@pytest.mark.parametrize(("status", "code"), [(401, "INVALID_CREDENTIALS"), (403, "INVENTED"), (403, "FORBIDDEN_IP")])
def test_an_account_that_is_refused_starts_nothing_and_declines_nothing(renewing, status, code):
    renewing.emulator.refuse_next(status, code)

    with pytest.raises(ProviderUnavailable, match="app_token and secret"):
        renewing.start()

    assert renewing.subscriptions() == []


def test_a_subscription_on_a_card_that_univapay_does_not_know_is_declined(renewing):
    with pytest.raises(ChargeDeclined) as refusal:
        renewing.start(renewing.wanted(credential="11f0b001-aaaa-4d00-8f00-00000000d999"))

    assert refusal.value.code == "NOT_FOUND"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "TRANSACTION_ALREADY_PROCESSED"), (400, "CHARGE_TOO_QUICK"), (409, "IDEMPOTENCY_KEY_CONFLICT"), (400, "")],
)
def test_a_refusal_that_may_follow_an_effect_is_unknown(renewing, status, code):
    renewing.emulator.refuse_next(status, code)

    with pytest.raises(OutcomeUnknown):
        renewing.start()


def test_too_many_requests_mean_that_nothing_was_started(renewing):
    renewing.emulator.refuse_next(429, "", times=9)

    with pytest.raises(ProviderUnavailable):
        renewing.start()


def test_a_first_charge_at_once_that_is_declined_is_a_no_with_the_charges_code(renewing):
    card = renewing.emulator.store_card(CardKind.DECLINED_HARD)

    with pytest.raises(ChargeDeclined) as refusal:
        renewing.start(renewing.wanted(credential=card, starts_on=dt.date(2026, 11, 22)))

    assert refusal.value.code == "304"
    assert statuses(renewing) == ["unconfirmed"]
    assert renewing.book.captured() == 0


def test_the_code_is_the_status_where_the_charge_cannot_be_read(renewing):
    card = renewing.emulator.store_card(CardKind.DECLINED_HARD)
    renewing.emulator.faults.add(Fault(FaultKind.TIMEOUT), times=9, match="GET */charges/latest")

    with pytest.raises(ChargeDeclined) as refusal:
        renewing.start(renewing.wanted(credential=card, starts_on=dt.date(2026, 11, 22)))

    assert refusal.value.code == "unconfirmed"


def test_a_contract_whose_subscription_has_ended_gets_no_other(renewing):
    reference = renewing.start().reference
    renewing.change("stop_recurring", reference)

    with pytest.raises(ChargeDeclined) as refusal:
        renewing.start()

    assert refusal.value.code == "canceled"
    assert len(renewing.subscriptions()) == 1


def test_a_start_that_is_not_settled_within_the_budget_stands(renewing):
    renewing.emulator.behaviour.pending = None

    started = renewing.start(renewing.wanted(starts_on=dt.date(2026, 11, 22)))

    assert read(renewing, started.reference)["status"] == "unverified"


@pytest.mark.parametrize("number", ["4000020000000000", "4000 0200 0000 0000", " 4000-0200-0000-0000 "])
def test_a_card_number_is_no_credential_and_is_neither_sent_nor_quoted(renewing, number):
    for flow in (
        renewing.provider.start_recurring(renewing.wanted(credential=number)),
        renewing.provider.charge(renewing.attempt(card=number)),
    ):
        with pytest.raises(InvalidValue, match="card number") as refusal:
            renewing.driver.run(flow)
        assert number.strip() not in str(refusal.value)

    assert not renewing.emulator.requests


# --- stopping --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-092", "R-143")
@pytest.mark.parametrize("by_reference", [True, False])
def test_a_stopped_subscription_charges_nothing_more_and_stopping_again_is_no_error(renewing, by_reference):
    reference = renewing.start().reference
    renewing.noon(2026, 12, 23)

    for _ in range(2):
        renewing.change("stop_recurring", reference if by_reference else None)
    renewing.noon(2027, 3, 1)

    assert statuses(renewing) == ["canceled"]
    assert renewing.taken_on() == ["2026-12-22"]


@pytest.mark.parametrize("hook", ["stop_recurring", "end_recurring", "resume_recurring"])
@pytest.mark.parametrize("reference", ["11f0b005-aaaa-4a00-8a00-00000000a101", None])
def test_a_subscription_that_univapay_does_not_know_is_an_error(renewing, hook, reference):
    with pytest.raises(ProviderError, match="knows no subscription"):
        renewing.change(hook, reference)


@pytest.mark.parametrize("hook", ["stop_recurring", "end_recurring"])
@pytest.mark.parametrize(
    ("kind", "when"),
    [(FaultKind.RESET, When.BEFORE), (FaultKind.RESET, When.AFTER), (FaultKind.ERROR, When.BEFORE)],
)
def test_a_change_that_is_not_seen_to_have_happened_is_an_error_and_may_be_asked_for_again(renewing, hook, kind, when):
    reference = renewing.start().reference
    renewing.emulator.faults.add(Fault(kind, when), match=lambda request: request.method in {"PATCH", "DELETE"})

    with pytest.raises(ProviderError):
        renewing.change(hook, reference)
    renewing.change(hook, reference)
    renewing.noon(2027, 1, 23)

    assert renewing.book.captured() == 0


def test_a_change_whose_answer_was_an_error_but_that_happened_is_believed_when_it_is_seen(renewing):
    reference = renewing.start().reference
    renewing.emulator.faults.add(Fault(FaultKind.HTML, When.AFTER), match="DELETE /stores/*")

    renewing.change("stop_recurring", reference)

    assert statuses(renewing) == ["canceled"]


def test_a_change_that_cannot_be_read_again_is_unknown(renewing):
    reference = renewing.start().reference
    seen = []
    renewing.emulator.faults.add(
        Fault(FaultKind.TIMEOUT),
        match=lambda request: request.method == "GET" and (seen.append(request) or len(seen) > 1),
        times=9,
    )

    with pytest.raises(OutcomeUnknown):
        renewing.change("stop_recurring", reference)


def test_a_subscription_whose_charge_is_under_way_is_not_stopped_and_that_is_an_error(renewing):
    renewing.emulator.behaviour.pending = None
    reference = renewing.start(renewing.wanted(starts_on=dt.date(2026, 11, 22))).reference

    with pytest.raises(ProviderError, match="SUBSCRIPTION_PROCESSING"):
        renewing.change("stop_recurring", reference)


# --- ending with the period, and taking that back --------------------------------------------------------------------


@pytest.mark.rule("R-130")
def test_an_ended_subscription_is_cancelled_on_its_due_day_instead_of_charged(renewing):
    reference = renewing.start().reference
    renewing.noon(2026, 12, 23)

    for _ in range(2):
        renewing.change("end_recurring", reference, ends_on=dt.date(2027, 1, 22))
    before = statuses(renewing)
    renewing.noon(2027, 1, 22)

    assert (before, statuses(renewing)) == (["current"], ["canceled"])
    assert renewing.taken_on() == ["2026-12-22"]
    assert [event.kind for event in renewing.told()][-1] is EventKind.SUBSCRIPTION_ENDED


@pytest.mark.rule("R-130", "R-133")
def test_an_end_that_is_taken_back_leaves_the_renewals_as_they_were(renewing):
    reference = renewing.start().reference
    renewing.noon(2026, 12, 23)
    renewing.change("resume_recurring", reference)
    renewing.change("end_recurring", reference, ends_on=dt.date(2027, 1, 22))

    for _ in range(2):
        renewing.change("resume_recurring", reference)
    renewing.noon(2027, 2, 23)

    assert renewing.taken_on() == ["2026-12-22", "2027-01-22", "2027-02-22"]


def test_an_end_after_the_next_payment_has_to_wait_for_it(renewing):
    reference = renewing.start().reference

    with pytest.raises(ProviderUnavailable, match="before its end"):
        renewing.change("end_recurring", reference, ends_on=dt.date(2027, 1, 22))

    assert read(renewing, reference)["next_payment"]["terminate_with_status"] is None


def test_ending_what_has_ended_is_no_error_and_resuming_it_is_one(renewing):
    reference = renewing.start().reference
    renewing.change("stop_recurring", reference)

    renewing.change("end_recurring", reference)
    with pytest.raises(ProviderError, match="canceled"):
        renewing.change("resume_recurring", reference)


def test_a_suspended_subscription_is_not_resumed_because_that_might_charge_what_was_missed(renewing):
    reference = renewing.start().reference
    renewing.noon(2026, 12, 23)
    renewing.api("PATCH", f"{renewing.path(reference)}/suspend", {})

    with pytest.raises(ProviderError, match="suspended"):
        renewing.change("resume_recurring", reference)

    assert statuses(renewing) == ["suspended"]


def test_other_subscriptions_of_the_same_card_are_left_alone(renewing):
    first = renewing.start(renewing.wanted("c1")).reference
    renewing.start(renewing.wanted("c2", price=Money(4000, "JPY")))

    renewing.change("stop_recurring", None, contract="c1")
    renewing.noon(2026, 12, 23)

    assert read(renewing, first)["status"] == "canceled"
    assert [row.amount.minor for row in renewing.book.captures] == [4000]


def test_an_answer_about_another_subscription_is_not_believed(renewing):
    reference = renewing.start().reference
    other = renewing.start(renewing.wanted("c2")).reference

    def swapped(request):
        return renewing.emulator.handle(attrs.evolve(request, url=request.url.replace(reference, other)))

    driver = SyncDriver(renewing.clock, mounts={"https://api.univapay.com": swapped})
    with pytest.raises(ProviderUnavailable, match="another subscription"):
        driver.run(renewing.provider.stop_recurring(SubscriptionRequest("c1", renewing.card, None, reference)))

    assert statuses(renewing) == ["current", "current"]
