"""Which day a payment of UnivaPay's stands for (R-031 to R-035)."""

from __future__ import annotations

import datetime as dt

import pytest

from paygate_univapay.periods import period_of, rhythm

TODAY = dt.date(2026, 11, 22)


def day(text):
    return dt.date.fromisoformat(text)


@pytest.mark.rule("R-006", "R-008")
@pytest.mark.parametrize(
    ("months", "asked"),
    [
        (1, {"period": "monthly"}),
        (2, {"cyclical_period": "P2M"}),
        (3, {"period": "quarterly"}),
        (6, {"period": "semiannually"}),
        (12, {"period": "annually"}),
    ],
)
def test_a_period_of_months_is_asked_for_in_univapays_words(months, asked):
    fields = rhythm(months, TODAY, 22, TODAY)

    assert {name: fields[name] for name in fields if name != "schedule_settings"} == asked


@pytest.mark.parametrize(
    ("starts_on", "sent"), [("2026-11-21", None), ("2026-11-22", None), ("2026-11-23", "2026-11-23")]
)
def test_only_a_first_charge_that_lies_ahead_is_given_its_day(starts_on, sent):
    settings = rhythm(1, day(starts_on), 22, TODAY)["schedule_settings"]

    assert settings.get("start_on") == sent
    assert settings["zone_id"] == "Asia/Tokyo"


@pytest.mark.rule("R-032")
@pytest.mark.parametrize(
    ("starts_on", "anchor", "month_end"),
    [
        ("2027-01-31", 31, True),
        ("2027-02-28", 31, True),
        ("2027-02-28", 30, True),
        ("2027-02-28", 29, True),
        ("2027-02-28", 28, False),
        ("2027-04-30", 30, False),
        ("2026-12-22", 22, False),
        ("2027-02-03", 30, False),
    ],
)
def test_the_end_of_the_month_is_kept_where_it_stands_for_the_contracts_day(starts_on, anchor, month_end):
    settings = rhythm(1, day(starts_on), anchor, TODAY)["schedule_settings"]

    assert settings["preserve_end_of_month"] is month_end


@pytest.mark.rule("R-032", "R-034", "R-164")
@pytest.mark.parametrize(
    ("due", "anchor", "period"),
    [
        ("2027-03-22", "22", "2027-03-22"),
        ("2027-03-25", "22", "2027-03-22"),  # begun late
        ("2027-03-02", "30", "2027-02-28"),  # begun late, in the next month
        ("2027-01-05", "22", "2026-12-22"),
        ("2027-02-28", "31", "2027-02-28"),
        ("2027-03-31", "31", "2027-03-31"),
        ("2027-03-31", "30", "2027-03-30"),  # the end of the month stands for the 30th
        ("2027-03-28", "30", "2027-03-30"),  # so does the 28th, if the day of a short month is kept
        ("2028-02-29", "30", "2028-02-29"),
        ("2027-03-22", None, "2027-03-22"),  # of a subscription that was taken over
        ("2027-03-22", "0", "2027-03-22"),
        ("2027-03-22", "32", "2027-03-22"),
        ("2027-03-22", "x", "2027-03-22"),
        ("2027-03-22", 22, "2027-03-22"),
    ],
)
def test_a_payment_stands_for_the_contracts_own_day(due, anchor, period):
    metadata = {} if anchor is None else {"paygate_anchor_day": anchor}

    assert period_of({"metadata": metadata}, {"due_date": due}) == day(period)


@pytest.mark.parametrize("due", [None, "", "soon", 20270322])
def test_a_payment_without_a_date_stands_for_none(due):
    assert period_of({"metadata": {"paygate_anchor_day": "22"}}, {"due_date": due}) is None
    assert period_of({}, {}) is None
