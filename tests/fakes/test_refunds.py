"""What the fakes do with refunds."""

from __future__ import annotations

import attrs
import pytest

from paygate import Money
from paygate.errors import InvalidValue, OutcomeUnknown, ProviderNotCapable, ProviderUnavailable
from paygate.provider import Outcome, RefundPolicy
from paygate.testing import (
    AnswerTwice,
    Decline,
    FailLate,
    FakeAmazonPay,
    FakeProvider,
    FakeStripe,
    FakeTelecom,
    FakeUnivaPay,
    NeverThere,
    RefuseRefund,
    StayPending,
    Vanish,
)

S, P, D = Outcome.SUCCEEDED, Outcome.PENDING, Outcome.DECLINED


def test_a_refund_returns_money_of_its_charge(refunding):
    desk = refunding
    charge = desk.paid(1000)

    desk.refund(desk.refund_request(charge, 400))

    (row,) = desk.fake.book.refunds
    assert (row.amount, row.charge, desk.fake.book.refunded(charge[0])) == (Money(400, "JPY"), charge[0], 400)


@pytest.mark.rule("R-239", "R-241")
def test_parts_are_refunded_up_to_the_charged_amount_and_not_a_yen_more(refunding):
    desk = refunding
    charge = desk.paid(1000)

    results = [desk.refund(desk.refund_request(charge, minor)) for minor in (400, 600, 1)]

    assert [result.outcome is not D for result in results] == [True, True, False]
    assert results[2].code == desk.fake.codes.refund_exceeds
    assert desk.fake.book.refunded() == 1000


@pytest.mark.rule("R-239")
def test_a_pending_refund_counts_and_a_failed_one_does_not(at):
    desk = at(FakeUnivaPay())
    charge = desk.paid(1000)
    desk.fake.script_refund(StayPending(60, then=Decline("329")))

    assert desk.refund(desk.refund_request(charge, 600)).outcome is P
    assert desk.refund(desk.refund_request(charge, 600)).outcome is D
    desk.clock.advance(seconds=60)
    assert desk.refund(desk.refund_request(charge, 600)).outcome is P
    assert desk.fake.book.refunded() == 600


@pytest.mark.rule("R-247")
@pytest.mark.parametrize(("kind", "outcome"), [(FakeUnivaPay, P), (FakeAmazonPay, P), (FakeStripe, S)])
def test_a_refund_ends_later_where_the_provider_says_so(at, kind, outcome):
    desk = at(kind())
    desk.fake.refund_latency = 3600
    charge = desk.paid()
    request = desk.refund_request(charge, 1000)

    result = desk.refund(request)

    assert result.outcome is outcome
    assert desk.fake.book.refunded() == (1000 if outcome is S else 0)
    desk.clock.advance(hours=1)
    assert desk.find_refund(request, result.reference).outcome is S
    assert desk.fake.book.refunded() == 1000


@pytest.mark.rule("R-248")
def test_univapay_refuses_a_refund_beyond_its_balance_and_takes_it_later(at):
    desk = at(FakeUnivaPay())
    charge = desk.paid()
    desk.fake.next_refund(RefuseRefund())
    request = desk.refund_request(charge, 1000)

    refused, later = desk.refund(request), desk.refund(request)

    assert (refused.outcome, refused.code) == (D, "REFUND_EXCEEDS_SALES")
    assert (later.outcome, desk.fake.book.refunded()) == (P, 1000)


def test_a_refusal_may_carry_a_code_and_a_text_of_its_own(refunding):
    desk = refunding
    desk.fake.next_refund(RefuseRefund("balance", "too little on the account"))

    result = desk.refund(desk.refund_request(desk.paid(), 1))

    assert (result.code, result.message) == ("balance", "too little on the account")


@pytest.mark.rule("R-247")
def test_a_refund_that_fails_late_returns_no_money_and_says_so_in_a_second_notice(at):
    desk = at(FakeStripe())
    charge = desk.paid()
    desk.fake.next_refund(FailLate("expired_or_canceled_card", seconds=3600))
    request = desk.refund_request(charge, 1000)
    first = desk.refund(request)
    before = [(event.type, event.refund and event.refund.outcome) for event in desk.events()]
    desk.clock.advance(hours=1)

    (late,) = desk.events()

    assert (first.outcome, desk.find_refund(request).outcome) == (S, D)
    assert before == [("charge.succeeded", None), ("refund.succeeded", S)]
    assert (late.type, late.attempt_id, late.refund.code) == (
        "refund.failed",
        request.refund_id,
        "expired_or_canceled_card",
    )
    assert desk.fake.book.refunds == ()


@pytest.mark.rule("R-247")
def test_where_refunds_are_asynchronous_a_late_failure_follows_a_pending_one(at):
    desk = at(FakeAmazonPay())
    charge = desk.paid()
    desk.fake.next_refund(FailLate("AmazonRejected", seconds=60))
    request = desk.refund_request(charge, 1000)

    assert desk.refund(request).outcome is P
    desk.clock.advance(seconds=60)
    assert (desk.find_refund(request).outcome, desk.fake.book.refunded()) == (P, 0)  # the stored answer of the key
    assert [event.type for event in desk.events()] == ["charge.succeeded", "refund.failed"]


def test_a_pending_refund_can_be_finished_by_hand(at):
    desk = at(FakeUnivaPay())
    charge = desk.paid()
    desk.fake.next_refund(StayPending(None))
    request = desk.refund_request(charge, 1000)
    desk.refund(request)

    desk.fake.finish(request.refund_id)

    assert desk.fake.book.refunded() == 1000


def test_a_refund_may_be_notified_twice(at):
    desk = at(FakeStripe())
    charge = desk.paid()
    desk.fake.notifications()
    desk.fake.next_refund(AnswerTwice())
    desk.refund(desk.refund_request(charge, 1000))

    assert len({event.event_id for event in desk.events()}) == 1
    assert len(desk.fake.notifications(again=True)) == 3


@pytest.mark.rule("R-190")
def test_a_repeated_refund_returns_the_money_once_and_another_body_is_refused(refunding):
    desk = refunding
    request = desk.refund_request(desk.paid(), 300)

    first, second = desk.refund(request), desk.refund(request)
    other = desk.refund(attrs.evolve(request, amount=Money(301, "JPY")))

    assert first.reference == second.reference
    assert other.code == desk.fake.codes.key_reused
    assert desk.fake.book.refunded() == 300


@pytest.mark.parametrize(("fault", "refunded"), [(Vanish(), 300), (Vanish(after=False), 0)])
def test_a_lost_answer_to_a_refund_may_hide_either(refunding, fault, refunded):
    desk = refunding
    request = desk.refund_request(desk.paid(), 300)
    desk.fake.next_refund(fault)

    with pytest.raises(OutcomeUnknown):
        desk.refund(request)

    assert desk.fake.book.refunded() == refunded


def test_a_refund_that_never_reached_the_provider_says_so(refunding):
    desk = refunding
    request = desk.refund_request(desk.paid(), 300)
    desk.fake.next_refund(NeverThere())

    with pytest.raises(ProviderUnavailable):
        desk.refund(request)

    assert desk.fake.book.refunds == ()


def test_stripes_list_proves_that_a_refund_was_not_made(at):
    desk = at(FakeStripe())
    request = desk.refund_request(desk.paid(), 300)

    assert (desk.find_refund(request), desk.find_refund(request, "nothing")) == (None, None)
    assert desk.fake.book.refunds == ()


def test_univapays_index_lags_behind_for_refunds_as_well(at):
    desk = at(FakeUnivaPay())
    desk.fake.index_delay = 40
    request = desk.refund_request(desk.paid(), 300)
    desk.fake.next_refund(Vanish())
    with pytest.raises(OutcomeUnknown):
        desk.refund(request)

    assert desk.find_refund(request) is None
    desk.clock.advance(seconds=40)
    assert desk.find_refund(request).outcome is S


def test_amazon_pay_is_asked_again_for_a_lost_refund(at):
    desk = at(FakeAmazonPay())
    request = desk.refund_request(desk.paid(), 300)
    desk.fake.next_refund(Vanish(after=False))
    with pytest.raises(OutcomeUnknown):
        desk.refund(request)

    assert [desk.find_refund(request).outcome, desk.find_refund(request).outcome] == [P, P]
    assert desk.fake.book.refunded() == 300


@pytest.mark.parametrize("outcome", [Decline(), StayPending(None)])
def test_only_a_charge_that_succeeded_can_be_refunded(refunding, outcome):
    desk = refunding
    desk.fake.next(outcome)
    request = desk.request()
    desk.charge(request)
    reference = desk.fake.prefixes[next(iter(desk.fake.prefixes))] + request.charge_id

    result = desk.refund(desk.refund_request((reference, request.amount), 1))

    assert (result.outcome, result.code) == (D, desk.fake.codes.not_refundable)


def test_a_refund_of_nothing_or_in_another_currency_or_under_a_bad_key_is_refused(refunding):
    desk = refunding
    charge = desk.paid()
    request = desk.refund_request(charge, 1)

    codes = [
        desk.refund(attrs.evolve(request, amount=Money(0, "JPY"))).code,
        desk.refund(attrs.evolve(request, amount=Money(1, "USD"))).code,
        desk.refund(attrs.evolve(request, key="no blanks")).code,
    ]

    assert codes == [desk.fake.codes.too_small, desk.fake.codes.currency, desk.fake.codes.key_malformed]
    assert desk.fake.book.refunds == ()


@pytest.mark.rule("R-249")
def test_telecom_refunds_nothing_by_interface_and_is_sent_nothing(at):
    desk = at(FakeTelecom())
    charge = desk.paid()
    desk.fake.calls.clear()
    request = desk.refund_request(charge, 1000)

    with pytest.raises(ProviderNotCapable, match="by hand"):
        desk.refund(request)
    with pytest.raises(ProviderNotCapable):
        desk.find_refund(request)

    assert (desk.fake.calls, desk.fake.book.refunds) == ([], ())


@pytest.mark.rule("R-241")
def test_a_provider_of_whole_refunds_is_sent_no_part(at):
    desk = at(FakeProvider(attrs.evolve(FakeStripe().capabilities(), refunds=RefundPolicy.FULL)))
    charge = desk.paid()

    with pytest.raises(ProviderNotCapable, match="a part"):
        desk.refund(desk.refund_request(charge, 999))

    assert desk.refund(desk.refund_request(charge, 1000)).outcome is S


def test_what_is_no_outcome_of_a_refund_is_refused_when_it_is_scripted():
    with pytest.raises(InvalidValue, match="not an outcome of a refund"):
        FakeStripe().next_refund(Decline())
