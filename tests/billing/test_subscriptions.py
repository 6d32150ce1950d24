"""Renewals that the provider owns: its notices drive the contract (R-145 to R-153, R-161 to R-164, R-270)."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate import JST, Money, Purpose, Status
from paygate.domain.ledger import EntryKind
from paygate.errors import RetryPending
from paygate.provider import DeclineClass
from paygate.testing import Decline

YEN = Money(3000, "JPY")
NO = Decline("rel=no", DeclineClass.SOFT)


@pytest.fixture
def contract(world):
    made = world.contract("telecom")
    world.clock.set(dt.datetime(2026, 2, 15, 3, 0, tzinfo=JST))
    return made


def tell(world, webhook):
    return world.gateway.webhooks.receive("telecom", webhook.headers, webhook.body).events[0].outcome


def report(world, contract, outcome=None, **options):
    return world.telecom.renew(contract.id, contract.credential, YEN, outcome, **options)


def now(world, contract):
    return world.gateway.contracts.get(contract.id)


def periods(world, contract):
    rows = world.gateway.ledger.list(contract_id=contract.id)
    return [row.target_on.isoformat() for row in rows if row.kind is EntryKind.PERIOD]


@pytest.mark.rule("R-036", "R-043", "R-270", "T-41")
def test_a_success_opens_the_period_and_our_own_run_charges_nothing(world, contract):
    run = world.gateway.billing.run()
    outcome = tell(world, report(world, contract))

    assert (run.renewed, run.charged, outcome) == (0, {}, "applied")
    assert periods(world, contract) == ["2026-01-15", "2026-02-15"]
    assert now(world, contract).expires_on == dt.date(2026, 3, 15)
    assert [call.hook for call in world.telecom.calls if call.hook == "charge"] == []
    assert world.telecom.book.captured() == 6000


@pytest.mark.rule("R-040", "R-269", "B-075")
def test_the_same_notice_twice_changes_once_and_mails_once(world, contract):
    notice = report(world, contract, NO, attempt=1)

    outcomes = [tell(world, notice), tell(world, notice)]

    told = [n.notice.audience.value for n in world.observer.of("notice") if n.notice.kind.value == "renewal_failed"]
    assert outcomes == ["applied", "repeated"]
    assert now(world, contract).past_due.failures == 1
    assert told == ["customer", "admin"]


@pytest.mark.rule("R-145", "R-146", "R-164", "R-078")
def test_a_failure_suspends_and_a_later_success_resumes_without_anybody(world, contract):
    tell(world, report(world, contract, NO, attempt=1))
    suspended = now(world, contract)
    world.clock.advance(days=10)
    tell(world, report(world, contract, attempt=2))

    assert suspended.status is Status.PAST_DUE
    assert (now(world, contract).status, now(world, contract).past_due) == (Status.ACTIVE, None)
    assert periods(world, contract)[-1] == "2026-02-15"
    assert world.gateway.contracts.details(contract.id).next_renewal_on == dt.date(2026, 3, 15)


@pytest.mark.rule("R-162", "B-076")
def test_a_failure_notice_that_was_overtaken_by_the_success_changes_nothing(world, contract):
    late = report(world, contract, NO, period_on=dt.date(2026, 2, 15), attempt=1)
    tell(world, report(world, contract, period_on=dt.date(2026, 2, 15), attempt=2))

    tell(world, late)

    assert now(world, contract).status is Status.ACTIVE


@pytest.mark.rule("R-152", "R-153", "B-074")
def test_the_end_ends_once_whatever_arrives_after_it(world, contract):
    tell(world, report(world, contract, NO, attempt=1))
    end = world.telecom.end_subscription(contract.id)

    outcomes = [tell(world, end), tell(world, end)]
    tell(world, report(world, contract, NO, attempt=2))

    ended = now(world, contract)
    terminations = [n for n in world.observer.of("notice") if n.notice.kind.value == "terminated"]
    assert outcomes == ["applied", "repeated"]
    assert (ended.status, ended.ended_on) == (Status.TERMINATED, dt.date(2026, 2, 15))
    assert len(terminations) == 2


@pytest.mark.rule("R-144", "T-82", "B-077")
def test_money_that_comes_after_the_end_revives_nothing_and_is_reported(world, contract):
    tell(world, world.telecom.end_subscription(contract.id))

    tell(world, report(world, contract))

    assert now(world, contract).status is Status.TERMINATED
    assert any(n.notice.kind.value == "operator_action" for n in world.observer.of("notice"))
    assert world.gateway.ledger.net(contract.id).minor == world.telecom.book.captured()


@pytest.mark.rule("R-161", "R-191", "B-113", "T-66")
def test_arrears_wait_until_the_provider_retries_no_more(world, contract):
    tell(world, report(world, contract, NO, attempt=1, retries=True))

    with pytest.raises(RetryPending):
        world.charge(contract, 3000, purpose=Purpose.ARREARS)
    tell(world, report(world, contract, NO, attempt=2, retries=False))
    charge = world.charge(contract, 3000, purpose=Purpose.ARREARS)
    world.clock.advance(minutes=1)
    world.deliver("telecom")

    assert world.gateway.charges.get(charge.id).state.value == "SUCCEEDED"
    assert now(world, contract).status is Status.ACTIVE


@pytest.mark.rule("R-163", "T-76", "T-6B")
def test_a_late_failure_keeps_the_notice_that_was_given(world, contract):
    tell(world, report(world, contract))
    world.clock.advance(days=1)
    world.gateway.contracts.schedule_cancellation(contract.id)
    world.clock.set(dt.datetime(2026, 3, 1, 3, 0, tzinfo=JST))

    assert now(world, contract).status is Status.CANCEL_SCHEDULED
    assert tell(world, report(world, contract, NO, period_on=dt.date(2026, 3, 15), attempt=1)) == "applied"
    assert now(world, contract).cancellation is not None


@pytest.mark.rule("R-269")
def test_a_renewal_of_an_unknown_contract_is_stored_and_reported(world, contract):
    notice = world.telecom.renew("con_nowhere", "tok_x", YEN)

    assert tell(world, notice) == "unmatched"
    assert "unmatched_event" in [told.code for told in world.observer.of("operator")]


@pytest.mark.rule("R-162", "R-269", "T-94")
def test_a_success_that_the_next_one_has_overtaken_pays_its_own_period(world, contract):
    february = report(world, contract, period_on=dt.date(2026, 2, 15), attempt=1)
    world.clock.set(dt.datetime(2026, 3, 15, 3, 0, tzinfo=JST))
    march = report(world, contract, period_on=dt.date(2026, 3, 15), attempt=1)

    outcomes = [tell(world, march), tell(world, february), tell(world, february)]

    assert outcomes == ["applied", "applied", "repeated"]
    assert sorted(periods(world, contract)) == ["2026-01-15", "2026-02-15", "2026-03-15"]
    assert now(world, contract).period_start == dt.date(2026, 3, 15)
    assert now(world, contract).expires_on == dt.date(2026, 4, 15)
    assert not any(n.notice.kind.value == "operator_action" for n in world.observer.of("notice"))
    assert world.gateway.ledger.net(contract.id).minor == world.telecom.book.captured()


@pytest.mark.rule("R-162", "T-94")
def test_an_overtaken_success_does_not_make_up_for_the_period_that_is_missing(world, contract):
    february = report(world, contract, period_on=dt.date(2026, 2, 15), attempt=1)
    world.clock.set(dt.datetime(2026, 3, 15, 3, 0, tzinfo=JST))
    tell(world, report(world, contract, NO, period_on=dt.date(2026, 3, 15), attempt=1))

    tell(world, february)

    late = now(world, contract)
    assert (late.status, late.past_due.period_start) == (Status.PAST_DUE, dt.date(2026, 3, 15))
    assert periods(world, contract)[-1] == "2026-02-15"
    assert late.expires_on == dt.date(2026, 3, 15)


@pytest.mark.rule("T-94")
def test_a_second_payment_of_a_period_is_to_be_returned_however_late_it_comes(world, contract):
    again = report(world, contract, period_on=dt.date(2026, 2, 15), attempt=2)
    tell(world, report(world, contract, period_on=dt.date(2026, 2, 15), attempt=1))
    world.clock.set(dt.datetime(2026, 3, 15, 3, 0, tzinfo=JST))
    tell(world, report(world, contract, period_on=dt.date(2026, 3, 15), attempt=1))

    tell(world, again)

    assert periods(world, contract) == ["2026-01-15", "2026-02-15", "2026-03-15"]
    assert [n.notice.kind.value for n in world.observer.of("notice")].count("operator_action") == 1


def test_a_payment_that_cannot_be_read_books_nothing_and_calls_an_operator(puzzling, clock):
    contract = puzzling.contract("telecom")
    clock.set(dt.datetime(2026, 2, 15, 3, 0, tzinfo=JST))
    notice = report(puzzling, contract, period_on=dt.date(2026, 2, 15))

    tell(puzzling, notice)
    tell(puzzling, notice)

    (told,) = puzzling.observer.of("operator")
    assert periods(puzzling, contract) == ["2026-01-15"]
    assert "period of 2026-02-15" in told.message
    assert "30 JPY instead of 3,000" in told.message
    assert told.code == "unknown_outcome"
