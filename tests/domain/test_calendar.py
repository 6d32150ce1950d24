import datetime as dt
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.clock import JST, UTC, business_date, require_aware
from paygate.domain.calendar import (
    advance,
    is_renewal_day,
    next_renewal,
    period_containing,
    renewal_day,
    renewal_days,
    years_later,
)
from paygate.domain.contract import Cycle
from paygate.errors import InvalidValue, NaiveDatetime

DATES = st.dates(dt.date(2000, 1, 1), dt.date(2100, 12, 31))
CYCLES = st.sampled_from(Cycle)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.rule("R-006", "R-034")
@pytest.mark.parametrize(
    ("start", "cycle", "expected"),
    [
        pytest.param("2024-10-08", Cycle.MONTHLY, "2024-11-08 2024-12-08 2025-01-08", marks=pytest.mark.rule("R-031")),
        ("2024-01-10", Cycle.MONTHLY, "2024-02-10 2024-03-10"),
        pytest.param(
            "2024-01-31",
            Cycle.MONTHLY,
            "2024-02-29 2024-03-31 2024-04-30 2024-05-31 2024-06-30",
            marks=pytest.mark.rule("R-032"),
        ),
        ("2023-01-31", Cycle.MONTHLY, "2023-02-28 2023-03-31 2023-04-30"),
        ("2024-01-30", Cycle.MONTHLY, "2024-02-29 2024-03-30 2024-04-30"),
        ("2024-12-29", Cycle.MONTHLY, "2025-01-29 2025-02-28 2025-03-29"),
        ("2024-02-29", Cycle.MONTHLY, "2024-03-29 2024-04-29"),
        pytest.param("2024-04-30", Cycle.MONTHLY, "2024-05-30 2024-06-30 2024-07-30", marks=pytest.mark.rule("R-033")),
        ("2024-08-31", Cycle.QUARTERLY, "2024-11-30 2025-02-28 2025-05-31"),
        ("2024-08-31", Cycle.SEMIANNUAL, "2025-02-28 2025-08-31"),
        ("2024-02-29", Cycle.ANNUAL, "2025-02-28 2026-02-28 2027-02-28 2028-02-29"),
        ("2024-10-08", Cycle.WEEKLY, "2024-10-15 2024-10-22"),
        ("2024-10-08", Cycle.BIWEEKLY, "2024-10-22 2024-11-05"),
        ("2024-12-31", Cycle.DAILY, "2025-01-01 2025-01-02"),
    ],
)
def test_renewal_days_count_from_the_start_date_and_clip_short_months(start, cycle, expected):
    days = [day(text) for text in expected.split()]

    assert list(islice(renewal_days(day(start), cycle), len(days))) == days


@pytest.mark.rule("R-006", "R-032")
def test_a_leap_day_start_returns_to_its_day_after_a_common_february():
    days = list(islice(renewal_days(day("2024-02-29"), Cycle.MONTHLY), 13))

    assert days[-3:] == [day("2025-01-29"), day("2025-02-28"), day("2025-03-29")]


@pytest.mark.rule("R-035")
@pytest.mark.parametrize("cycle", Cycle)
def test_the_start_date_is_no_renewal_day(cycle):
    start = day("2024-10-08")

    assert not is_renewal_day(start, cycle, start)
    assert renewal_day(start, cycle, 0) == start
    assert next_renewal(start, cycle, start) == renewal_day(start, cycle, 1)


def test_before_the_start_the_next_renewal_is_the_first_one():
    assert next_renewal(day("2024-10-08"), Cycle.MONTHLY, day("2020-01-01")) == day("2024-11-08")
    assert not is_renewal_day(day("2024-10-08"), Cycle.MONTHLY, day("2024-09-08"))


def test_a_negative_number_of_a_renewal_day_is_refused():
    with pytest.raises(InvalidValue):
        renewal_day(day("2024-10-08"), Cycle.MONTHLY, -1)


def test_the_renewal_days_end_with_the_calendar():
    assert list(renewal_days(day("9999-10-31"), Cycle.MONTHLY)) == [day("9999-11-30"), day("9999-12-31")]
    assert list(renewal_days(day("9999-12-30"), Cycle.DAILY)) == [day("9999-12-31")]


def test_a_period_runs_from_its_first_day_up_to_the_next_renewal_day():
    start = day("2024-01-31")

    assert period_containing(start, Cycle.MONTHLY, start) == (start, day("2024-02-29"))
    assert period_containing(start, Cycle.MONTHLY, day("2024-02-28")) == (start, day("2024-02-29"))
    assert period_containing(start, Cycle.MONTHLY, day("2024-02-29")) == (day("2024-02-29"), day("2024-03-31"))


def test_no_period_contains_a_day_before_the_start():
    with pytest.raises(InvalidValue, match="before the contract starts"):
        period_containing(day("2024-01-31"), Cycle.MONTHLY, day("2024-01-30"))


@pytest.mark.rule("R-051")
def test_advancing_keeps_the_days_own_day_of_month_unless_an_anchor_is_given():
    assert advance(day("2024-01-31"), Cycle.MONTHLY) == day("2024-02-29")
    assert advance(day("2024-02-29"), Cycle.MONTHLY) == day("2024-03-29")
    assert advance(day("2024-02-29"), Cycle.MONTHLY, anchor_day=31) == day("2024-03-31")
    assert advance(day("2024-11-15"), Cycle.WEEKLY, 2) == day("2024-11-29")


@pytest.mark.rule("R-006", "R-034")
@given(DATES, CYCLES, st.integers(1, 400))
def test_every_renewal_day_is_found_again_and_is_the_next_after_the_one_before(start, cycle, k):
    here, before = renewal_day(start, cycle, k), renewal_day(start, cycle, k - 1)

    assert before < here
    assert is_renewal_day(start, cycle, here)
    assert next_renewal(start, cycle, before) == here
    assert next_renewal(start, cycle, here - dt.timedelta(days=1)) == here
    assert period_containing(start, cycle, here - dt.timedelta(days=1)) == (before, here)


@pytest.mark.rule("R-126")
@given(
    st.dates(dt.date(2020, 1, 1), dt.date(2024, 12, 31)), CYCLES, st.dates(dt.date(2019, 1, 1), dt.date(2026, 12, 31))
)
def test_the_next_renewal_is_what_walking_all_renewal_days_finds(start, cycle, after):
    assert next_renewal(start, cycle, after) == next(day for day in renewal_days(start, cycle) if day > after)


@pytest.mark.rule("R-001", "R-003")
@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2024-11-07T14:59:59+00:00", "2024-11-07"),
        ("2024-11-07T15:00:00+00:00", "2024-11-08"),
        ("2024-11-07T10:00:00-05:00", "2024-11-08"),
        ("2024-11-08T00:00:00+09:00", "2024-11-08"),
    ],
)
def test_an_instant_belongs_to_the_day_it_is_in_japan(instant, expected):
    assert business_date(dt.datetime.fromisoformat(instant)) == day(expected)


@pytest.mark.rule("R-002")
@pytest.mark.parametrize("ask", [business_date, require_aware, lambda instant: years_later(instant, 1)])
def test_an_instant_without_a_zone_is_refused(ask):
    with pytest.raises(NaiveDatetime) as refused:
        ask(dt.datetime(2024, 11, 8))  # noqa: DTZ001

    assert refused.value.rule == "R-002"


@pytest.mark.rule("R-199")
@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2023-03-10T12:00:00+09:00", "2024-03-10T12:00:00+09:00"),
        ("2024-02-29T10:00:00+09:00", "2025-02-28T10:00:00+09:00"),
        ("2023-02-28T23:59:59+09:00", "2024-02-28T23:59:59+09:00"),
        ("2024-02-28T15:30:00+00:00", "2025-02-27T15:30:00+00:00"),  # in Japan it was the leap day already
    ],
)
def test_a_calendar_year_later_is_counted_on_the_clocks_of_japan(instant, expected):
    later = years_later(dt.datetime.fromisoformat(instant), 1)

    assert later == dt.datetime.fromisoformat(expected)
    assert later.tzinfo is UTC


@pytest.mark.rule("R-199")
def test_from_leap_day_to_leap_day_the_29th_stays():
    leap = dt.datetime(2024, 2, 29, 10, tzinfo=JST)

    assert years_later(leap, 4) == dt.datetime(2028, 2, 29, 10, tzinfo=JST)
