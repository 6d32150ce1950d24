import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.clock import UTC
from paygate.domain.calendar import is_renewal_day
from paygate.domain.contract import Actor, Cycle, Plan, Status
from paygate.domain.expiry import SYSTEM_MAX_EXPIRY, after_receipt, extended, first_expiry, is_open, set_expiry
from paygate.errors import InvalidValue, OperationNotAllowed, PermissionDenied
from paygate.money import Money
from paygate.provider import ExpiryPolicy

DATES = st.dates(dt.date(2015, 1, 1), dt.date(2035, 12, 31))
PRICE = Money(3000, "JPY")
ONE_OFF = Plan.one_off("Book", PRICE)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def recurring(cycle: Cycle = Cycle.MONTHLY) -> Plan:
    return Plan.recurring("Gold", PRICE, cycle)


@pytest.mark.rule("R-048")
@pytest.mark.parametrize(
    ("start", "paid", "expected"),
    [
        ("2024-10-08", "2024-10-08", "2024-11-08"),
        ("2024-12-01", "2024-11-20", "2025-01-01"),
        pytest.param("2024-10-08", "2024-11-20", "2024-12-08", marks=pytest.mark.rule("B-036")),
        ("2024-10-08", "2024-11-08", "2024-12-08"),
    ],
)
def test_the_first_expiry_is_the_first_renewal_day_after_start_and_payment(start, paid, expected):
    assert first_expiry(recurring(), day(start), day(paid)) == day(expected)


@pytest.mark.rule("R-053", "R-055")
def test_without_a_cycle_the_expiry_is_the_system_maximum_which_is_a_setting():
    assert first_expiry(ONE_OFF, day("2024-10-08"), day("2024-10-08")) == SYSTEM_MAX_EXPIRY == day("2030-12-31")
    assert first_expiry(ONE_OFF, day("2024-10-08"), day("2024-10-08"), day("2040-12-31")) == day("2040-12-31")


@pytest.mark.rule("R-049", "R-050", "R-058")
@pytest.mark.parametrize(
    ("start", "cycle", "current", "receipt", "expected"),
    [
        ("2024-10-08", Cycle.MONTHLY, "2024-12-08", "2024-11-20", "2025-01-08"),
        ("2024-10-08", Cycle.MONTHLY, "2024-11-08", "2024-11-08", "2024-12-08"),
        ("2024-10-08", Cycle.MONTHLY, "2024-11-08", "2024-11-20", "2024-12-08"),
        ("2024-01-08", Cycle.MONTHLY, "2024-06-08", "2024-11-20", "2024-12-08"),
        pytest.param(
            "2024-10-08", Cycle.MONTHLY, "2024-11-15", "2024-11-10", "2024-12-15", marks=pytest.mark.rule("R-051")
        ),
        pytest.param(
            "2024-01-08", Cycle.MONTHLY, "2024-05-15", "2024-07-20", "2024-08-15", marks=pytest.mark.rule("R-051")
        ),
        ("2024-01-31", Cycle.MONTHLY, "2024-02-29", "2024-02-10", "2024-03-31"),
        ("2024-01-31", Cycle.MONTHLY, "2024-04-30", "2024-04-30", "2024-05-31"),
        pytest.param(
            "2024-01-08", Cycle.MONTHLY, "2024-01-31", "2024-01-20", "2024-02-29", marks=pytest.mark.rule("R-051")
        ),
        ("2024-02-29", Cycle.ANNUAL, "2025-02-28", "2024-09-01", "2026-02-28"),
        pytest.param(
            "2024-10-15", Cycle.MONTHLY, "2030-12-15", "2030-12-01", "2030-12-31", marks=pytest.mark.rule("R-054")
        ),
        pytest.param(
            "2024-10-08", Cycle.MONTHLY, "2030-12-31", "2024-10-08", "2030-12-31", marks=pytest.mark.rule("R-054")
        ),
    ],
)
def test_an_extension_follows_the_table(start, cycle, current, receipt, expected):
    assert extended(day(current), recurring(cycle), day(start), day(receipt)) == day(expected)


@pytest.mark.rule("R-050", "R-180", "B-044")
def test_the_receipt_date_counts_not_the_date_of_the_request():
    asked, received = day("2024-12-07"), day("2024-12-08")
    plan, start, current = recurring(), day("2024-10-08"), day("2024-11-08")

    assert extended(current, plan, start, asked) == day("2024-12-08")
    assert extended(current, plan, start, received) == day("2025-01-08")


@pytest.mark.rule("R-053", "B-045")
def test_without_a_cycle_an_extension_stays_at_the_system_maximum():
    assert extended(SYSTEM_MAX_EXPIRY, ONE_OFF, day("2024-10-08"), day("2024-11-20")) == SYSTEM_MAX_EXPIRY


@pytest.mark.rule("R-054")
def test_a_date_beyond_the_maximum_that_was_set_by_hand_is_not_shortened():
    assert extended(day("2031-06-01"), recurring(), day("2024-10-08"), day("2024-11-20")) == day("2031-06-01")


@pytest.mark.rule("R-050", "R-054")
@given(DATES, DATES, DATES, st.sampled_from(Cycle))
def test_an_extension_never_moves_back_and_never_passes_the_maximum(start, current, receipt, cycle):
    new = extended(current, recurring(cycle), start, receipt)

    assert new >= current
    assert new <= max(current, SYSTEM_MAX_EXPIRY)
    assert new > receipt or new >= SYSTEM_MAX_EXPIRY


@pytest.mark.rule("R-050", "R-051")
@given(DATES, DATES, DATES, st.sampled_from(Cycle))
def test_an_extension_stays_on_its_grid(start, current, receipt, cycle):
    new = extended(current, recurring(cycle), start, receipt)

    if new < SYSTEM_MAX_EXPIRY:
        anchor = start if is_renewal_day(start, cycle, current) else current
        assert is_renewal_day(anchor, cycle, new)


@pytest.mark.rule("R-052", "R-181", "B-043")
def test_with_the_option_off_the_expiry_is_exactly_as_it_was(make_contract):
    contract = make_contract(expires_on=day("2024-11-15"))

    assert after_receipt(contract, ExpiryPolicy.BY_CYCLE, day("2024-12-20"), renew=False) == day("2024-11-15")


@pytest.mark.rule("R-049", "R-181")
def test_with_the_option_on_the_expiry_advances_by_the_cycle(make_contract):
    contract = make_contract(expires_on=day("2024-12-08"))

    assert after_receipt(contract, ExpiryPolicy.BY_CYCLE, day("2024-11-20"), renew=True) == day("2025-01-08")


@pytest.mark.rule("R-218", "R-219", "B-108")
@pytest.mark.parametrize("renew", [True, False])
def test_a_provider_with_the_fixed_date_overwrites_what_was_set_by_hand(make_contract, renew):
    contract = make_contract(plan=ONE_OFF, status=Status.ESTABLISHED, expires_on=day("2026-03-31"))

    assert after_receipt(contract, ExpiryPolicy.SYSTEM_MAX, day("2024-11-20"), renew=renew) == SYSTEM_MAX_EXPIRY


@pytest.mark.parametrize("policy", ExpiryPolicy)
def test_a_contract_without_expiry_gets_none_by_a_charge(make_contract, policy):
    assert after_receipt(make_contract(expires_on=None), policy, day("2024-11-20"), renew=True) is None


@pytest.mark.rule("R-047")
@pytest.mark.parametrize(
    ("expires_on", "instant", "open_"),
    [
        pytest.param("2024-12-08", "2024-12-08 23:59:59", True, marks=pytest.mark.rule("B-040")),
        pytest.param("2024-12-08", "2024-12-09 00:00:00", False, marks=pytest.mark.rule("B-041")),
        ("2024-12-08", "2024-12-08T14:59:59Z", True),
        ("2024-12-08", "2024-12-08T15:00:00Z", False),
        pytest.param("2030-12-31", "2030-12-31 23:59:59", True, marks=pytest.mark.rule("B-042")),
        pytest.param("2030-12-31", "2031-01-01 00:00:00", False, marks=pytest.mark.rule("B-042")),
    ],
)
def test_the_expiry_date_is_paid_time_to_its_last_second_in_japan(at, expires_on, instant, open_):
    assert is_open(day(expires_on), at(instant)) is open_


@pytest.mark.rule("R-047")
def test_nothing_is_open_before_there_is_an_expiry():
    assert not is_open(None, dt.datetime(2024, 1, 1, tzinfo=UTC))


@pytest.mark.rule("R-056", "R-057", "R-209", "T-92")
@pytest.mark.parametrize("to", ["2020-01-01", "2024-11-08", "2099-12-31"])
def test_an_administrator_sets_any_date_and_only_that_changes(make_contract, at, new_id, to):
    contract = make_contract()

    settled = set_expiry(
        contract, day(to), actor=Actor.admin("ito"), now=at("2024-10-20 10:00:00"), new_id=new_id, reason="goodwill"
    )

    assert settled.contract.expires_on == day(to)
    assert (settled.contract.status, settled.contract.period_start) == (contract.status, contract.period_start)
    assert not settled.entries
    assert not settled.mails
    (record,) = settled.audit
    assert (record.actor, record.reason, record.at) == (Actor.admin("ito"), "goodwill", at("2024-10-20 10:00:00"))


@pytest.mark.rule("R-056", "R-266")
def test_setting_the_expiry_records_the_old_and_the_new_date(make_contract, at, new_id):
    settled = set_expiry(
        make_contract(), day("2025-05-05"), actor=Actor.admin(), now=at("2024-10-20 10:00:00"), new_id=new_id
    )

    assert settled.audit[0].before == {"expires_on": "2024-11-08"}
    assert settled.audit[0].after == {"expires_on": "2025-05-05"}


@pytest.mark.rule("R-267")
def test_a_customer_cannot_set_an_expiry(make_contract, at, new_id):
    with pytest.raises(PermissionDenied):
        set_expiry(
            make_contract(),
            day("2025-05-05"),
            actor=Actor.customer("cus-1"),
            now=at("2024-10-20 10:00:00"),
            new_id=new_id,
        )


@pytest.mark.rule("R-024")
@pytest.mark.parametrize("status", [Status.PENDING_PAYMENT, Status.CANCELED])
def test_there_is_no_expiry_to_set_before_payment_or_after_cancellation(make_contract, at, new_id, status):
    with pytest.raises(OperationNotAllowed, match=status.value):
        set_expiry(
            make_contract(status=status),
            day("2025-05-05"),
            actor=Actor.admin(),
            now=at("2024-10-20 10:00:00"),
            new_id=new_id,
        )


@pytest.mark.parametrize("value", ["2025-05-05", dt.datetime(2025, 5, 5, tzinfo=UTC), None])
def test_only_a_date_is_an_expiry(make_contract, at, new_id, value):
    with pytest.raises(InvalidValue):
        set_expiry(make_contract(), value, actor=Actor.admin(), now=at("2024-10-20 10:00:00"), new_id=new_id)
