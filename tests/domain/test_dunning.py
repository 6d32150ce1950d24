import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import networks
from paygate.clock import JST, UTC
from paygate.domain.charge import ChargeState, Failure
from paygate.domain.contract import Cycle
from paygate.domain.dunning import (
    USUAL_RETRIES,
    Attempt,
    RetrySchedule,
    Why,
    default_schedule,
    plan_all,
    plan_retry,
)
from paygate.domain.network_rules import Action, CodeRule, Counts, NetworkRules, ReattemptLimit, Validity, Window
from paygate.errors import InvalidValue, NaiveDatetime
from paygate.money import Money
from paygate.provider import DeclineClass, Outcome

PRICE, OTHER = Money(3000, "JPY"), Money(500, "JPY")
SECOND, DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)
FAILED = dt.datetime(2026, 6, 1, 10, tzinfo=JST)
NOTHING_STATED = NetworkRules()
NUMBERS = itertools.count()


def tried(at: dt.datetime = FAILED, outcome: Outcome = Outcome.DECLINED, amount: Money = PRICE, **given) -> Attempt:
    facts = {"decline": DeclineClass.SOFT} | given
    return Attempt(f"charge {next(NUMBERS)}", at, outcome, amount, **facts)


def plan(*period: Attempt, schedule=USUAL_RETRIES, history=(), rules=NOTHING_STATED, now=None):
    return plan_retry(schedule, period, history, rules, now or max((a.at for a in period), default=FAILED))


def limits(maximum: int, **given) -> NetworkRules:
    facts = {"counts": Counts.ATTEMPTS, "length": 30 * DAY, "sources": ("a",)} | given
    return NetworkRules(limits=(ReattemptLimit("acme-30-days", "acme", maximum, **facts),), sources={"a": "a page"})


@pytest.fixture(scope="module")
def strict() -> NetworkRules:
    return networks.load()


@pytest.fixture(scope="module")
def lenient() -> NetworkRules:
    return networks.load("lenient")


# --- the schedule ---


@pytest.mark.rule("R-148", "R-149", "R-150", "R-154")
def test_the_usual_schedule_retries_3_5_and_7_days_after_the_previous_attempt_and_then_ends_the_contract() -> None:
    *retries, end = plan_all(USUAL_RETRIES, [tried()], [], NOTHING_STATED, FAILED)

    assert [str(retry.on) for retry in retries] == ["2026-06-04", "2026-06-09", "2026-06-16"]
    assert not any(retry.ends_contract for retry in retries)
    assert (end.next_at, end.forbidden_by.why, end.forbidden_by.rule) == (None, Why.EXHAUSTED, "R-150")
    assert end.ends_contract


@pytest.mark.parametrize(
    ("attempts", "dates"),
    [
        pytest.param(3, ["2026-06-11", "2026-06-21"], marks=pytest.mark.rule("B-078")),
        pytest.param(4, ["2026-06-08", "2026-06-15", "2026-06-22"], marks=pytest.mark.rule("B-079")),
        (1, []),
    ],
)
@pytest.mark.rule("R-155", "R-156")
def test_attempts_spread_over_the_cycle_include_the_first_and_end_in_a_pause(attempts, dates) -> None:
    *retries, end = plan_all(RetrySchedule.evenly(Cycle.MONTHLY, attempts), [tried()], [], NOTHING_STATED, FAILED)

    assert [str(retry.on) for retry in retries] == dates
    assert (end.forbidden_by.why, end.forbidden_by.rule, end.ends_contract) == (Why.EXHAUSTED, "R-156", False)


@pytest.mark.parametrize(
    ("cycle", "gaps"),
    [
        (Cycle.DAILY, ()),
        (Cycle.WEEKLY, (2, 2)),
        (Cycle.BIWEEKLY, (4, 4)),
        (Cycle.MONTHLY, (10, 10)),
        (Cycle.QUARTERLY, (30, 30)),
        (Cycle.SEMIANNUAL, (60, 60)),
        (Cycle.ANNUAL, (120, 120)),
    ],
)
@pytest.mark.rule("R-155", "R-157")
def test_the_default_is_three_attempts_over_the_cycle_in_months_of_30_days(cycle, gaps) -> None:
    schedule = default_schedule(cycle)

    assert (schedule.gaps, schedule.ends_contract) == (gaps, False)


@pytest.mark.rule("R-150", "R-154")
def test_where_contracts_end_the_default_is_the_usual_schedule() -> None:
    assert default_schedule(Cycle.MONTHLY, ends_contract=True) == USUAL_RETRIES


@pytest.mark.parametrize("attempts", [0, 8])
def test_attempts_that_do_not_fit_into_the_cycle_a_day_each_are_refused(attempts) -> None:
    with pytest.raises(InvalidValue, match="no room"):
        RetrySchedule.evenly(Cycle.WEEKLY, attempts)


@pytest.mark.parametrize("gaps", [(0,), (3, -1), (1.5,), (True,)])
@pytest.mark.rule("R-148")
def test_gaps_shorter_than_a_day_or_no_whole_days_are_refused(gaps) -> None:
    with pytest.raises(InvalidValue, match="whole days"):
        RetrySchedule(gaps)


@pytest.mark.rule("R-001")
def test_days_are_counted_on_japanese_dates_and_keep_the_time_of_the_attempt() -> None:
    just_past_midnight = dt.datetime(2026, 6, 1, 15, 0, 1, tzinfo=UTC)

    found = plan(tried(just_past_midnight))

    assert (str(found.on), found.next_at) == ("2026-06-05", dt.datetime(2026, 6, 4, 15, 0, 1, tzinfo=UTC))


def test_the_next_retry_counts_from_the_attempt_that_was_really_made() -> None:
    late = tried(FAILED + 6 * DAY)

    assert str(plan(tried(), late).on) == "2026-06-12"


@pytest.mark.parametrize(
    ("now", "next_at", "reasons"),
    [
        (FAILED + 3 * DAY - SECOND, FAILED + 3 * DAY, [Why.SCHEDULE]),
        (FAILED + 3 * DAY, FAILED + 3 * DAY, [Why.SCHEDULE]),
        (FAILED + 3 * DAY + SECOND, FAILED + 3 * DAY + SECOND, [Why.SCHEDULE, Why.LATE]),
    ],
)
@pytest.mark.rule("R-041")
def test_a_retry_whose_instant_has_passed_is_due_now(now, next_at, reasons) -> None:
    found = plan(tried(), now=now)

    assert (found.next_at, [reason.why for reason in found.because]) == (next_at, reasons)


# --- when there is nothing to plan ---


@pytest.mark.rule("R-147")
def test_a_schedule_that_the_provider_owns_is_not_second_guessed() -> None:
    found = plan(tried(), schedule=None)

    assert (found.next_at, found.forbidden_by.why, found.forbidden_by.rule) == (None, Why.PROVIDER_OWNED, "R-147")


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ([], Why.NOTHING_FAILED),
        ([Outcome.NOT_SENT], Why.NOTHING_FAILED),
        pytest.param([Outcome.DECLINED, Outcome.SUCCEEDED], Why.NOTHING_FAILED, marks=pytest.mark.rule("R-146")),
        pytest.param([Outcome.SUCCEEDED, Outcome.DECLINED], Why.NOTHING_FAILED, marks=pytest.mark.rule("R-162")),
        pytest.param([Outcome.UNKNOWN], Why.OPEN, marks=pytest.mark.rule("R-193")),
        pytest.param([Outcome.DECLINED, Outcome.PENDING], Why.OPEN, marks=pytest.mark.rule("R-193")),
    ],
)
def test_nothing_is_retried_unless_everything_sent_for_the_period_was_declined(outcomes, why) -> None:
    found = plan(*(tried(FAILED + n * DAY, outcome) for n, outcome in enumerate(outcomes)))

    assert (found.next_at, found.on, found.forbidden_by.why) == (None, None, why)


def test_an_attempt_that_never_got_there_uses_up_no_retry() -> None:
    assert plan(tried(), tried(FAILED + DAY, Outcome.NOT_SENT)).on == dt.date(2026, 6, 4)


# --- what a decline says ---


@pytest.mark.parametrize(
    "decline", [DeclineClass.HARD, DeclineClass.PERMISSION, DeclineClass.ACTION, DeclineClass.CONFIG]
)
def test_some_classes_of_declines_are_never_retried_without_a_person(decline) -> None:
    found = plan(tried(decline=decline))

    assert (found.next_at, found.forbidden_by.why) == (None, Why.DECLINE_CLASS)
    assert found.forbidden_by.rule == f"class {decline.value}"


@pytest.mark.rule("R-332")
def test_a_decline_as_a_duplicate_is_never_retried_because_the_first_may_have_gone_through() -> None:
    refused = plan(tried(decline=DeclineClass.DUPLICATE))

    assert refused.on is None
    assert "looked up first" in refused.explain()


@pytest.mark.parametrize("decline", [DeclineClass.SOFT, DeclineClass.UNKNOWN])
def test_the_other_classes_are_retried_on_the_schedule(decline) -> None:
    assert plan(tried(decline=decline)).on == dt.date(2026, 6, 4)


@pytest.mark.parametrize(
    ("network", "code", "why", "rule"),
    [
        ("visa", "04", Why.FINAL_CODE, "visa code 04"),
        ("VISA", "54", Why.CORRECTION, "visa code 54"),
        ("jcb", "G12", Why.FINAL_CODE, "code G12"),
        (None, "G42", Why.CORRECTION, "code G42"),
    ],
)
def test_after_a_final_code_or_wrong_data_nothing_is_retried(strict, network, code, why, rule) -> None:
    forbidden = plan(tried(network=network, code=code), rules=strict).forbidden_by

    assert (forbidden.why, forbidden.rule) == (why, rule)
    assert forbidden.citations


@pytest.mark.parametrize(
    ("advice", "why"),
    [("03", Why.FINAL_CODE), ("21", Why.FINAL_CODE), ("01", Why.CORRECTION), ("do_not_try_again", Why.FINAL_CODE)],
)
def test_after_advice_against_it_nothing_is_retried(strict, advice, why) -> None:
    forbidden = plan(tried(network="mastercard", advice_code=advice), rules=strict).forbidden_by

    assert forbidden.why is why


def test_the_strict_reading_forbids_what_one_source_forbids_and_the_lenient_one_what_all_do(strict, lenient) -> None:
    disputed, agreed = tried(network="visa", code="62"), tried(network="visa", code="07")

    assert plan(disputed, rules=strict).forbidden_by.why is Why.FINAL_CODE
    assert plan(disputed, rules=lenient).on == dt.date(2026, 6, 4)
    assert plan(agreed, rules=lenient).forbidden_by.why is Why.FINAL_CODE


@pytest.mark.parametrize(
    ("since", "until", "forbidden"),
    [
        ("2026-06-05", None, False),
        ("2026-06-04", None, True),
        (None, "2026-06-04", True),
        (None, "2026-06-03", False),
    ],
)
def test_a_code_means_what_it_means_on_the_day_of_the_retry(since, until, forbidden) -> None:
    days = Validity(*(text and dt.date.fromisoformat(text) for text in (since, until)))
    rules = NetworkRules((CodeRule("acme", "X1", Action.NEVER, "closed", ("a",), days),), sources={"a": "a page"})

    assert (plan(tried(network="acme", code="X1"), rules=rules).next_at is None) is forbidden


@pytest.mark.parametrize(
    ("code", "decline", "forbidden"),
    [
        ("04", DeclineClass.SOFT, True),
        ("51", DeclineClass.HARD, True),
        ("51", DeclineClass.SOFT, False),
        ("51", DeclineClass.CONFIG, False),  # that contract's request was wrong, not the card
    ],
)
def test_a_final_decline_of_the_card_in_another_contract_forbids_the_retry(strict, code, decline, forbidden) -> None:
    elsewhere = tried(FAILED - DAY, amount=OTHER, network="visa", code=code, decline=decline)

    found = plan(tried(network="visa", code="51"), history=[elsewhere], rules=strict)

    assert (found.forbidden_by is not None) is forbidden


def test_a_card_that_worked_after_a_final_decline_elsewhere_may_be_retried(strict) -> None:
    stolen = tried(FAILED - 2 * DAY, network="visa", code="43", decline=DeclineClass.HARD)
    paid = tried(FAILED - DAY, Outcome.SUCCEEDED, network="visa")

    assert plan(tried(network="visa", code="51"), history=[stolen, paid], rules=strict).on == dt.date(2026, 6, 4)
    assert plan(tried(network="visa", code="43"), history=[stolen, paid], rules=strict).next_at is None


def test_a_success_elsewhere_does_not_undo_the_periods_own_final_decline_nor_one_of_the_same_second(strict) -> None:
    own, other = tried(network="visa", code="43"), tried(amount=OTHER, network="visa", code="43")
    at_once, later = (tried(FAILED + shift, Outcome.SUCCEEDED, amount=OTHER) for shift in (0 * SECOND, SECOND))

    assert plan(own, history=[later], rules=strict).next_at is None
    assert plan(tried(network="visa"), history=[other, at_once], rules=strict).next_at is None
    assert plan(tried(network="visa"), history=[other, later], rules=strict).next_at is not None


def test_only_a_decline_speaks_for_the_card(strict) -> None:
    in_doubt = tried(FAILED - DAY, Outcome.UNKNOWN, network="visa", code="04", decline=DeclineClass.HARD)

    assert plan(tried(network="visa"), history=[in_doubt], rules=strict).on == dt.date(2026, 6, 4)


def test_the_final_code_is_named_before_what_could_be_corrected_and_before_the_class(strict) -> None:
    wrong_data = tried(FAILED + DAY, network="visa", code="54", decline=DeclineClass.ACTION)

    assert plan(tried(network="visa", code="04"), wrong_data, rules=strict).forbidden_by.rule == "visa code 04"
    assert plan(wrong_data, rules=strict).forbidden_by.rule == "visa code 54"


def test_the_end_of_the_attempts_outranks_the_code_of_the_last(strict) -> None:
    period = [tried(FAILED + n * DAY, network="visa", code="51") for n in range(3)]

    found = plan(*period, tried(FAILED + 3 * DAY, network="visa", code="04"), rules=strict)

    assert (found.forbidden_by.why, found.ends_contract) == (Why.EXHAUSTED, True)


# --- waiting ---


@pytest.mark.parametrize(
    ("advice", "days", "reasons"),
    [
        ("24", 3, [Why.SCHEDULE]),
        ("02", 3, [Why.SCHEDULE]),  # 72 hours are over on the third day, at the same time
        ("27", 4, [Why.SCHEDULE, Why.WAIT]),
        ("30", 10, [Why.SCHEDULE, Why.WAIT]),
    ],
)
def test_advice_to_wait_delays_the_retry_but_never_hastens_it(strict, advice, days, reasons) -> None:
    found = plan(tried(network="mastercard", advice_code=advice), rules=strict)

    assert found.next_at == FAILED + days * DAY
    assert [reason.why for reason in found.because] == reasons


@pytest.mark.parametrize("shift", [-SECOND, dt.timedelta(0), SECOND])
def test_a_wait_asked_for_elsewhere_on_the_card_is_over_to_the_second(strict, shift) -> None:
    elsewhere = tried(FAILED - 3 * DAY + shift, amount=OTHER, network="mastercard", advice_code="28")

    found = plan(tried(network="mastercard"), history=[elsewhere], rules=strict)

    assert found.next_at == FAILED + 3 * DAY + max(shift, dt.timedelta(0))
    assert (found.because[-1].why is Why.WAIT) is (shift > dt.timedelta(0))


# --- limits ---


def test_a_limit_reached_on_the_card_moves_the_retry_to_the_instant_when_its_window_makes_room() -> None:
    elsewhere = [tried(FAILED - n * DAY, amount=OTHER, network="acme") for n in (20, 10)]

    found = plan(tried(network="acme"), history=elsewhere, rules=limits(3))

    assert found.next_at == FAILED + 10 * DAY
    assert (found.because[-1].why, found.because[-1].rule) == (Why.LIMIT, "acme-30-days")
    assert (found.because[-1].until, found.because[-1].citations) == (found.next_at, ("a page",))


@pytest.mark.parametrize(("maximum", "days"), [(2, 27), (3, 5)])
def test_the_first_attempt_counts_where_attempts_are_counted_and_not_where_reattempts_are(maximum, days) -> None:
    first, second = tried(FAILED - 3 * DAY, network="acme"), tried(network="acme")

    assert plan(first, second, rules=limits(maximum)).next_at == FAILED + days * DAY
    assert plan(first, second, rules=limits(maximum, counts=Counts.REATTEMPTS)).next_at == FAILED + 5 * DAY
    assert plan(first, second, rules=limits(1, counts=Counts.REATTEMPTS)).next_at == FAILED + 30 * DAY


def test_of_a_wait_and_a_limit_only_the_one_that_lasts_longer_is_a_reason(strict) -> None:
    elsewhere = [tried(FAILED - DAY, network="mastercard") for _ in range(35)]

    found = plan(tried(network="mastercard", advice_code="30"), history=elsewhere, rules=strict)

    assert [reason.rule for reason in found.because] == ["R-154", "mastercard-30-days"]


def test_an_attempt_after_a_success_is_no_reattempt() -> None:
    before = [tried(FAILED - DAY * n, Outcome.SUCCEEDED, network="acme") for n in range(1, 5)]

    assert plan(tried(network="acme"), history=before, rules=limits(1, counts=Counts.REATTEMPTS)).on.day == 4


@pytest.mark.parametrize(("per_amount", "days"), [(True, 3), (False, 29)])
def test_other_amounts_count_only_where_amounts_do_not_matter(per_amount, days) -> None:
    elsewhere = tried(FAILED - DAY, amount=OTHER, network="acme")

    found = plan(tried(network="acme"), history=[elsewhere], rules=limits(2, per_amount=per_amount))

    assert found.next_at == FAILED + days * DAY


def test_an_attempt_given_twice_counts_once_and_one_that_was_not_sent_does_not_count() -> None:
    own, unsent = tried(network="acme"), tried(FAILED - DAY, Outcome.NOT_SENT, network="acme")

    assert plan(own, history=[own, own, unsent], rules=limits(2)).next_at == FAILED + 3 * DAY


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.PENDING])
def test_an_attempt_elsewhere_that_may_have_reached_the_network_counts(outcome) -> None:
    elsewhere = tried(FAILED - DAY, outcome, amount=OTHER, network="acme")

    assert plan(tried(network="acme"), history=[elsewhere], rules=limits(2)).next_at == FAILED + 29 * DAY


@pytest.mark.parametrize("network", [None, "jcb"])
def test_a_card_of_unknown_network_keeps_every_networks_limit(network) -> None:
    assert plan(tried(network=network), rules=limits(1)).next_at == FAILED + 30 * DAY


def test_a_network_known_from_another_attempt_on_the_card_holds_for_the_card() -> None:
    elsewhere = tried(FAILED - DAY, Outcome.SUCCEEDED, amount=OTHER, network="acme")

    assert plan(tried(network=None), history=[elsewhere], rules=limits(2)).next_at == FAILED + 29 * DAY


@pytest.mark.parametrize(
    ("since", "until", "next_on"),
    [
        ("2026-06-05", None, "2026-06-04"),
        ("2026-06-04", None, "2026-07-01"),
        (None, "2026-06-03", "2026-06-04"),
        (None, "2026-06-04", "2026-06-05"),  # the limit's last day is over before its window is
    ],
)
def test_a_limit_counts_only_on_the_days_on_which_it_holds(since, until, next_on) -> None:
    days = Validity(*(text and dt.date.fromisoformat(text) for text in (since, until)))

    assert str(plan(tried(network="acme"), rules=limits(1, validity=days)).on) == next_on


def test_visas_sixteenth_to_twentieth_reattempt_are_made_since_2026_04_18_by_the_lenient_reading_only(
    strict, lenient
) -> None:
    elsewhere = [tried(FAILED - n * DAY, network="visa", code="51") for n in range(1, 16)]
    before = FAILED - dt.timedelta(days=60)
    earlier = [tried(before - n * DAY, network="visa", code="51") for n in range(1, 16)]

    assert plan(tried(network="visa"), history=elsewhere, rules=lenient).next_at == FAILED + 3 * DAY
    assert plan(tried(network="visa"), history=elsewhere, rules=strict).next_at == FAILED + 16 * DAY
    assert plan(tried(before, network="visa"), history=earlier, rules=lenient).next_at == before + 16 * DAY


@pytest.mark.rule("R-150")
def test_a_retry_that_a_limit_delays_beyond_the_last_day_is_given_up_naming_the_limit_and_its_end() -> None:
    in_time, too_late = (RetrySchedule((3,), ends_contract=True, give_up_after=days) for days in (30, 29))

    assert plan(tried(network="acme"), rules=limits(1), schedule=in_time).next_at == FAILED + 30 * DAY
    found = plan(tried(network="acme"), rules=limits(1), schedule=too_late)
    assert (found.forbidden_by.why, found.forbidden_by.until) == (Why.LIMIT, FAILED + 30 * DAY)
    assert (found.forbidden_by.rule, found.ends_contract) == ("acme-30-days", True)


def test_a_schedule_that_goes_beyond_its_own_last_day_is_exhausted_there() -> None:
    *retries, end = plan_all(RetrySchedule((3, 5), give_up_after=7), [tried()], [], NOTHING_STATED, FAILED)

    assert [str(retry.on) for retry in retries] == ["2026-06-04"]
    assert end.forbidden_by.why is Why.EXHAUSTED


# --- words ---


def test_a_plan_explains_itself_to_people(strict) -> None:
    waits = plan(tried(network="mastercard", advice_code="27"), rules=strict)

    assert waits.explain() == (
        "retry on 2026-06-05: retry 1 of 3, 3 days after the attempt of 2026-06-01 (R-154); "
        "not enough funds now, after 4 d: wait until 2026-06-05 10:00:00 (mastercard advice 27)"
    )
    assert plan(tried(network="visa", code="04"), rules=strict).explain() == (
        "no retry: the issuer will never approve (visa code 04)"
    )


def test_a_stored_charge_becomes_an_attempt(make_charge, at) -> None:
    charge = make_charge(state=ChargeState.FAILED, failure=Failure("51", "no funds", DeclineClass.SOFT))
    unsent = make_charge(state=ChargeState.FAILED, failure=Failure("timeout", sent=False))

    assert Attempt.of(charge, network="Visa", advice_code="24") == Attempt(
        charge.id,
        at("2024-11-20 11:59:00"),
        Outcome.DECLINED,
        charge.amount,
        "51",
        DeclineClass.SOFT,
        "visa",
        "24",
    )
    assert Attempt.of(unsent).outcome is Outcome.NOT_SENT
    assert [Attempt.of(make_charge(state=state)).outcome for state in ChargeState] == [
        Outcome.PENDING,
        Outcome.SUCCEEDED,
        Outcome.DECLINED,
        Outcome.UNKNOWN,
    ]


@pytest.mark.rule("R-002")
def test_instants_without_a_zone_are_refused() -> None:
    naive = dt.datetime(2026, 6, 1)  # noqa: DTZ001
    with pytest.raises(NaiveDatetime):
        tried(naive)
    with pytest.raises(NaiveDatetime):
        plan(tried(), now=naive)


# --- whatever the card has been through ---

SOURCES = {"a": "", "b": ""}
ATTEMPTS = st.builds(
    tried,
    st.integers(0, 60 * 24).map(lambda hours: FAILED - dt.timedelta(hours=hours)),
    st.sampled_from([Outcome.DECLINED, Outcome.DECLINED, Outcome.SUCCEEDED, Outcome.UNKNOWN, Outcome.NOT_SENT]),
    st.sampled_from([PRICE, OTHER]),
    network=st.sampled_from(["acme", None]),
)
LIMITS = st.builds(
    ReattemptLimit,
    st.sampled_from(["month", "week", "day"]),
    st.sampled_from(["acme"]),
    st.integers(1, 6),
    st.sampled_from(Counts),
    st.integers(1, 40).map(dt.timedelta),
    st.sampled_from([("a",), ("b",)]),
    st.sampled_from(Window),
    st.booleans(),
    st.builds(Validity, st.sampled_from([None, dt.date(2026, 6, 10)]), st.sampled_from([None, dt.date(2026, 6, 20)])),
)


def within(limit: ReattemptLimit, history: list[Attempt], planned: Attempt) -> bool:
    """Whether *planned* keeps *limit*, counted attempt by attempt."""
    used = 1
    previous = None
    for attempt in sorted(history, key=lambda attempt: attempt.at):
        if attempt.outcome is Outcome.NOT_SENT or (limit.per_amount and attempt.amount != planned.amount):
            continue
        reattempt = previous is not None and previous.outcome is not Outcome.SUCCEEDED
        previous = attempt
        if limit.window is Window.CALENDAR_DAY:
            inside = attempt.at.astimezone(JST).date() == planned.at.astimezone(JST).date()
        else:
            inside = planned.at - attempt.at < limit.length
        used += inside and (reattempt or limit.counts is Counts.ATTEMPTS)
    return used <= limit.maximum


@given(st.lists(ATTEMPTS, max_size=25), st.lists(LIMITS, min_size=1, max_size=4), st.integers(0, 20))
def test_no_plan_exceeds_a_limit_or_is_before_the_schedule_whatever_happened_to_the_card(history, stated, late) -> None:
    rules = NetworkRules(limits=tuple(stated), sources=SOURCES)
    now = FAILED + late * DAY
    period = [tried(network="acme")]

    while (found := plan_retry(USUAL_RETRIES, period, history, rules, now)).next_at is not None:
        retry = tried(found.next_at, network="acme")
        assert found.next_at >= max(now, period[-1].at + USUAL_RETRIES.gaps[len(period) - 1] * DAY)
        for limit in rules.limits_on("acme", found.on):
            assert within(limit, [*history, *period], retry), limit
        period.append(retry)
        now = found.next_at

    assert len(period) == 4


@given(st.lists(ATTEMPTS, max_size=25), st.lists(LIMITS, min_size=1, max_size=4))
def test_two_contracts_that_share_a_card_keep_its_limits_together(history, stated) -> None:
    rules = NetworkRules(limits=tuple(stated), sources=SOURCES)
    made = [*history]
    contracts = [[tried(network="acme")], [tried(FAILED + SECOND, network="acme", amount=OTHER)]]
    made += [attempt for period in contracts for attempt in period]
    now = FAILED + SECOND

    while True:
        plans = [(plan_retry(USUAL_RETRIES, period, made, rules, now), period) for period in contracts]
        due = [(found.next_at, period) for found, period in plans if found.next_at is not None]
        if not due:
            break
        now, period = min(due, key=lambda item: item[0])
        retry = tried(now, amount=period[-1].amount, network="acme")
        for limit in rules.limits_on("acme", retry.at.astimezone(JST).date()):
            assert within(limit, made, retry), limit
        period.append(retry)
        made.append(retry)

    assert [len(period) for period in contracts] == [4, 4]
