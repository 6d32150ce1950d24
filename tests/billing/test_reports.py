"""Lists by date over all contracts, and what has to be looked after in time (X-13, X-15, X-26)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from paygate import JST, BankTransfer, Card, Customer, Gateway, Manual, Money
from paygate.billing.importing import NewContract
from paygate.errors import InvalidValue, NotFound
from paygate.testing import Decline, FakeStripe, FakeUnivaPay, ManualClock

from .conftest import ONE_OFF, PLAN, World

DAY = dt.timedelta(days=1)


def _imported(gateway: Any, name: str, account: str, last_paid_at: dt.datetime | None, **changes: Any) -> str:
    """A running contract of the customer *name* who last paid at that instant."""
    row = NewContract(
        contract_id=changes.pop("contract_id", f"con_{name}"),
        customer=Customer(name, name.title(), f"{name}@example.com"),
        plan=changes.pop("plan", PLAN),
        payment=changes.pop("payment", Card(account, f"tok_{name}")),
        start_on=dt.date(2020, 1, 8),
        last_paid_at=last_paid_at,
        **changes,
    )
    report = gateway.contracts.import_many([row])
    assert report.refused == ()
    return row.contract_id


def _closing(gateway: Any, **options: Any) -> list[tuple[str, dt.datetime]]:
    return [(one.customer.id, one.closes_at.astimezone(JST)) for one in gateway.reports.closing_windows(**options)]


# --- the one-year window ---------------------------------------------------------------------------------------


@pytest.mark.rule("X-13", "R-197", "R-199")
def test_a_customer_is_listed_from_so_many_days_before_the_window_closes_until_it_has_closed(
    world: World, clock: ManualClock
) -> None:
    paid_at = dt.datetime(2025, 6, 10, 12, 0, tzinfo=JST)
    closes_at = dt.datetime(2026, 6, 10, 12, 0, tzinfo=JST)
    _imported(world.gateway, "hanako", "univapay", paid_at)
    second = dt.timedelta(seconds=1)

    for now, listed in (
        (closes_at - 30 * DAY - second, False),
        (closes_at - 30 * DAY, True),
        (closes_at - second, True),
        (closes_at, False),
    ):
        clock.set(now)
        assert _closing(world.gateway, within_days=30) == ([("hanako", closes_at)] if listed else [])


@pytest.mark.rule("X-13", "R-199")
@pytest.mark.parametrize(
    ("paid_at", "closes_at"),
    [
        ((2024, 2, 29, 1, 30), (2025, 2, 28, 1, 30)),
        ((2024, 2, 28, 23, 30), (2025, 2, 28, 23, 30)),
        ((2023, 3, 1, 0, 0), (2024, 3, 1, 0, 0)),
    ],
)
def test_the_window_closes_on_the_japanese_calendar_also_in_leap_years(
    paid_at: tuple[int, ...], closes_at: tuple[int, ...]
) -> None:
    closing = dt.datetime(*closes_at, tzinfo=JST)  # type: ignore[misc]
    clock = ManualClock(closing - 2 * DAY)
    with Gateway(database="sqlite://", providers={"univapay": FakeUnivaPay(clock=clock)}, clock=clock) as gateway:
        _imported(gateway, "hanako", "univapay", dt.datetime(*paid_at, tzinfo=JST))  # type: ignore[misc]
        assert _closing(gateway, within_days=2) == [("hanako", closing)]
        assert _closing(gateway, within_days=1) == []


@pytest.mark.rule("X-13", "R-198", "R-200", "R-201")
def test_the_last_payment_over_all_contracts_through_that_account_counts(world: World, clock: ManualClock) -> None:
    clock.set(dt.datetime(2026, 6, 1, 9, 0, tzinfo=JST))
    year_ago = dt.datetime(2025, 6, 10, 9, 0, tzinfo=JST)
    gold = _imported(world.gateway, "hanako", "univapay", year_ago)
    silver = _imported(world.gateway, "hanako", "univapay", None, contract_id="con_silver")
    _imported(world.gateway, "hanako", "stripe", year_ago + 90 * DAY, contract_id="con_stripe")
    assert _closing(world.gateway) == [("hanako", year_ago.replace(year=2026))]
    assert next(iter(world.gateway.reports.closing_windows())).contract_ids == (gold, silver)

    charge = world.settled(world.gateway.contracts.get(silver))  # restarts the year of the customer
    assert _closing(world.gateway) == []
    world.gateway.refunds.create(charge.id)  # a payment that is refunded later still counts
    assert _closing(world.gateway) == []


@pytest.mark.rule("X-13", "R-187")
def test_who_has_nothing_left_to_charge_is_not_listed(world: World, clock: ManualClock) -> None:
    clock.set(dt.datetime(2026, 6, 1, 9, 0, tzinfo=JST))
    year_ago = dt.datetime(2025, 6, 10, 9, 0, tzinfo=JST)
    contract_id = _imported(world.gateway, "hanako", "univapay", year_ago, plan=ONE_OFF)
    assert len(_closing(world.gateway)) == 1
    world.gateway.contracts.cancel_and_refund(contract_id)
    assert _closing(world.gateway) == []


@pytest.mark.rule("X-13", "R-203")
def test_only_accounts_with_a_window_have_closing_ones_and_it_can_be_switched_on_and_off(clock: ManualClock) -> None:
    clock.set(dt.datetime(2026, 6, 1, 9, 0, tzinfo=JST))
    fakes = {"stripe": FakeStripe(clock=clock), "univapay": FakeUnivaPay(clock=clock)}

    def listed(overrides: dict[str, Any], **options: Any) -> list[str]:
        with Gateway(database="sqlite://", providers=fakes, clock=clock, overrides=overrides) as gateway:
            _imported(gateway, "hanako", "univapay", dt.datetime(2025, 6, 10, 9, 0, tzinfo=JST))
            _imported(gateway, "taro", "stripe", dt.datetime(2024, 6, 5, 9, 0, tzinfo=JST))
            return [name for name, _ in _closing(gateway, **options)]

    both = {"stripe": {"charge_window_years": 2}}
    assert listed({}) == ["hanako"]
    assert listed(both) == ["taro", "hanako"]
    assert listed(both, page_size=1) == ["taro", "hanako"]
    assert listed(both, account="stripe") == ["taro"]
    assert listed({"univapay": {"charge_window_years": 0}}) == []


@pytest.mark.rule("X-13")
def test_closing_windows_are_read_in_pages(world: World, clock: ManualClock) -> None:
    clock.set(dt.datetime(2026, 6, 1, 9, 0, tzinfo=JST))
    for number in range(7):
        _imported(world.gateway, f"cus_{number}", "univapay", dt.datetime(2025, 6, 2 + number // 2, 9, 0, tzinfo=JST))
    whole = _closing(world.gateway)
    assert len(whole) == 7
    for page_size in (1, 2, 7):
        assert _closing(world.gateway, page_size=page_size) == whole


@pytest.mark.parametrize("days", [-1, 3661, 1.5, True, None])
def test_days_are_a_whole_number(world: World, days: Any) -> None:
    with pytest.raises(InvalidValue, match="whole number of days"):
        world.gateway.reports.closing_windows(within_days=days).all()
    with pytest.raises(InvalidValue, match="whole number of days"):
        world.gateway.reports.assumed(days=days).all()


# --- assumed renewals ------------------------------------------------------------------------------------------


@pytest.mark.rule("X-15", "R-037", "R-116", "R-122")
def test_assumed_renewals_are_listed_once_they_are_old_enough_until_somebody_settles_them(
    world: World, clock: ManualClock
) -> None:
    contracts = world.gateway.contracts
    made = contracts.create(
        Customer("cus_b"), PLAN, Manual(), contract_id="con_b", paid=True, start_on=dt.date(2026, 1, 15)
    )
    clock.set(dt.datetime(2026, 2, 15, 3, 0, tzinfo=JST))
    world.gateway.billing.run()

    def listed(days: int) -> list[dt.date]:
        return [row.target_on for row in world.gateway.reports.assumed(days=days)]

    assert listed(0) == [dt.date(2026, 2, 15)]
    assert listed(1) == []
    clock.set(dt.datetime(2026, 3, 16, 23, 59, tzinfo=JST))
    world.gateway.billing.run()
    assert listed(29) == [dt.date(2026, 2, 15)]
    assert listed(30) == []
    clock.set(dt.datetime(2026, 3, 17, 0, 0, tzinfo=JST))
    assert listed(30) == [dt.date(2026, 2, 15)]
    assert listed(0) == [dt.date(2026, 2, 15), dt.date(2026, 3, 15)]
    contracts.suspend(made.id)  # the row of March is UNPAID: known to be missing, and not assumed any more
    assert listed(0) == [dt.date(2026, 2, 15)]


# --- views by date ---------------------------------------------------------------------------------------------


def _ids(cursor: Any) -> list[tuple[dt.date, str]]:
    return [(one.on, one.contract.id) for one in cursor]


@pytest.mark.rule("X-26")
def test_contracts_are_listed_by_start_end_and_missing_payment(faces: World, clock: ManualClock) -> None:
    gateway = faces.gateway
    starting = gateway.contracts.create(
        Customer("cus_s"), PLAN, Card("stripe", "tok_s"), contract_id="starts", start_on=dt.date(2026, 2, 20)
    )
    ending = faces.contract("stripe", customer="cus_e")
    gateway.contracts.schedule_cancellation(ending.id)
    late = faces.contract("stripe", customer="cus_p")
    faces.stripe.script_for("tok_stripe_cus_p", Decline("card_declined"))
    clock.set(dt.datetime(2026, 2, 16, 0, 30, tzinfo=JST))
    gateway.billing.run()
    again = faces.contract("stripe", customer="cus_a")
    gateway.contracts.schedule_cancellation(again.id)

    reports = gateway.reports
    assert _ids(reports.starting()) == [(dt.date(2026, 2, 20), starting.id)]
    assert _ids(reports.ending()) == [(dt.date(2026, 3, 16), again.id)]  # the other one has ended
    assert _ids(reports.past_due()) == [(dt.date(2026, 2, 16), late.id)]
    assert _ids(reports.past_due(until=dt.date(2026, 2, 15))) == []
    assert _ids(reports.past_due(since=dt.date(2026, 2, 16), until=dt.date(2026, 2, 16))) == [
        (dt.date(2026, 2, 16), late.id)
    ]
    assert _ids(reports.due(until=dt.date(2026, 3, 1))) == [(dt.date(2026, 2, 20), starting.id)]
    assert _ids(reports.due(since=dt.date(2026, 3, 1), account="univapay")) == []


@pytest.mark.rule("X-26", "R-001")
def test_money_is_listed_by_its_japanese_day(faces: World, clock: ManualClock) -> None:
    clock.set(dt.datetime(2026, 3, 1, 0, 10, tzinfo=JST))  # 28 February 15:10 UTC
    contract = faces.contract("stripe")
    charge = faces.settled(contract, 5000)
    faces.stripe.next(Decline("card_declined"))
    clock.set(dt.datetime(2026, 3, 2, 0, 0, tzinfo=JST))
    declined = faces.settled(contract, 700)
    refund = faces.gateway.refunds.create(charge.id, Money(2000, "JPY"))

    reports, first, second = faces.gateway.reports, dt.date(2026, 3, 1), dt.date(2026, 3, 2)
    assert [row.amount.minor for row in reports.charged(since=first, until=first)] == [3000, 5000]
    assert [row.amount.minor for row in reports.charged(until=first - DAY)] == []
    assert [row.amount.minor for row in reports.charged(since=second)] == []
    assert [row.id for row in reports.failed(since=second)] == [declined.id]
    assert [row.id for row in reports.failed(until=first)] == []
    assert [row.id for row in reports.refunded(since=second, account="stripe")] == [refund.id]
    assert [row.id for row in reports.refunded(account="univapay")] == []


@pytest.mark.rule("X-26")
def test_only_money_that_moved_is_listed_as_charged_and_refunded(world: World) -> None:
    made = world.gateway.contracts.create(Customer("cus_m"), ONE_OFF, Manual(), contract_id="con_m", paid=True)
    world.gateway.contracts.cancel_with_manual_refund(made.id)
    assert world.gateway.reports.charged().all() == []  # paid, but through no provider
    assert world.gateway.reports.refunded().all() == []  # due, but not done

    due = world.gateway.refunds.dues()[0]
    world.gateway.refunds.mark_done(due.id, note="bank transfer")
    assert [row.by_hand for row in world.gateway.reports.refunded()] == [True]


def test_a_span_that_is_none_and_an_account_that_does_not_exist_are_errors(world: World) -> None:
    reports = world.gateway.reports
    with pytest.raises(InvalidValue, match="are none"):
        reports.due(since=dt.date(2026, 2, 2), until=dt.date(2026, 2, 1)).all()
    with pytest.raises(InvalidValue, match=r"since is a datetime.date"):
        reports.charged(since=world.clock.now()).all()
    with pytest.raises(NotFound, match="strype"):
        reports.failed(account="strype").all()
    with pytest.raises(InvalidValue, match="page_size"):
        reports.refunded(page_size=0).all()


def test_a_contract_without_an_account_is_in_the_lists_as_well(world: World) -> None:
    made = world.gateway.contracts.create(
        Customer("cus_b"), PLAN, BankTransfer(), contract_id="con_b", start_on=dt.date(2026, 1, 15)
    )
    world.gateway.contracts.confirm_payment(made.id)
    assert _ids(world.gateway.reports.due()) == [(dt.date(2026, 2, 15), "con_b")]
