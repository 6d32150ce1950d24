"""Renewals that the provider charges and paygate cannot start: named when the contract is made, missed when silent."""

import datetime as dt

import pytest

from paygate import JST, BankTransfer, Card, Customer, Money, Plan, Status
from paygate.domain.charge import Purpose
from paygate.errors import CapabilityNotSupported, InvalidValue, OutcomeUnknown, SystemMaxPassed
from paygate.provider import DeclineClass
from paygate.testing import Decline

HANAKO = Customer("cus_hanako", "山田花子", "hanako@example.com")
GOLD = Plan.recurring("Gold", Money(3000, "JPY"))
YEN = Money(3000, "JPY")


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def operators(world):
    return [notice for notice in world.observer.of("operator") if notice.code == "renewal_notice_overdue"]


@pytest.mark.rule("R-390")
def test_a_recurring_contract_that_nothing_would_renew_is_not_made_and_nothing_is_sent(world):
    with pytest.raises(CapabilityNotSupported, match="started_elsewhere=True") as refused:
        world.gateway.contracts.create(HANAKO, GOLD, Card("telecom", "member-1"))

    assert refused.value.rule == "R-390"
    assert world.telecom.calls == []
    assert world.gateway.contracts.list().all() == []


@pytest.mark.rule("R-390")
def test_the_providers_id_of_the_subscription_is_kept(world):
    with pytest.raises(OutcomeUnknown):  # Telecom's first payment is known only once its notice is delivered
        world.gateway.contracts.create(
            HANAKO, GOLD, Card("telecom", "member-1"), contract_id="con_t", subscription="TC-12345"
        )
    world.clock.advance(minutes=1)
    world.deliver("telecom")

    made = world.gateway.contracts.get("con_t")
    assert (made.status, made.subscription.reference) == (Status.ACTIVE, "TC-12345")
    assert made.subscription.starts_on == dt.date(2026, 2, 15)
    at(world, "2026-02-15T12:00:00")
    assert world.gateway.billing.run().renewed == 0
    notice = world.telecom.renew("con_t", "member-1", YEN)
    world.gateway.webhooks.receive("telecom", notice.headers, notice.body)
    assert world.gateway.contracts.get("con_t").expires_on == dt.date(2026, 3, 15)


@pytest.mark.rule("R-390")
@pytest.mark.parametrize("word", [{"subscription": "sub_1"}, {"started_elsewhere": True}])
@pytest.mark.parametrize("payment", [Card("stripe", "pm_1"), BankTransfer()])
def test_where_nothing_is_started_elsewhere_nobody_says_so(world, payment, word):
    with pytest.raises(InvalidValue) as refused:
        world.gateway.contracts.create(HANAKO, GOLD, payment, **word)

    assert refused.value.rule == "R-390"


@pytest.mark.rule("R-390", "R-190")
def test_the_same_key_with_another_subscription_is_another_request(world):
    card = Card("telecom", "member-1")
    with pytest.raises(OutcomeUnknown):
        world.gateway.contracts.create(HANAKO, GOLD, card, subscription="TC-1", idempotency_key="k")

    with pytest.raises(Exception, match="other contents"):
        world.gateway.contracts.create(HANAKO, GOLD, card, subscription="TC-2", idempotency_key="k")


@pytest.mark.rule("R-392")
def test_a_period_without_a_notice_is_reported_after_three_days_once(world):
    contract = world.contract("telecom")
    at(world, "2026-02-17T23:59:59")
    world.gateway.billing.run()
    assert operators(world) == []
    assert world.gateway.reports.overdue_renewals().all() == []

    at(world, "2026-02-18T00:00:00")
    world.gateway.billing.run()
    world.gateway.billing.run()

    (notice,) = operators(world)
    assert notice.contract_id == contract.id
    assert "2026-02-15" in notice.message
    (overdue,) = world.gateway.reports.overdue_renewals().all()
    assert (overdue.period, overdue.contract.id) == (dt.date(2026, 2, 15), contract.id)

    at(world, "2026-03-20T03:00:00")
    world.gateway.billing.run()
    assert len(operators(world)) == 1  # still the same period: nothing after it can have been charged


@pytest.mark.rule("R-392")
@pytest.mark.parametrize("outcome", [None, Decline("NG", DeclineClass.SOFT)])
def test_a_notice_that_comes_whatever_it_says_ends_the_waiting(world, outcome):
    contract = world.contract("telecom")
    at(world, "2026-02-15T12:00:00")
    notice = world.telecom.renew(contract.id, contract.credential, YEN, outcome)
    world.gateway.webhooks.receive("telecom", notice.headers, notice.body)

    at(world, "2026-02-20T03:00:00")
    world.gateway.billing.run()

    assert operators(world) == []
    assert world.gateway.reports.overdue_renewals().all() == []


# --- the system's largest date ---------------------------------------------------------------------------------------


@pytest.mark.rule("R-391", "R-054", "R-055")
@pytest.mark.parametrize("account", ["stripe", None])
def test_periods_beyond_the_largest_date_are_neither_opened_nor_charged(world, account):
    at(world, "2030-11-15T12:00:00")
    if account:
        contract = world.contract(account)
    else:
        contract = world.gateway.contracts.create(HANAKO, GOLD, BankTransfer())
        world.gateway.contracts.confirm_payment(contract.id)
    at(world, "2030-12-15T03:00:00")
    last = world.gateway.billing.run()
    assert (last.renewed, world.gateway.contracts.get(contract.id).expires_on) == (1, dt.date(2030, 12, 31))
    rows = len(world.gateway.ledger.list(contract_id=contract.id).all())

    at(world, "2031-01-15T03:00:00")
    planned = world.gateway.billing.plan().all()
    report = world.gateway.billing.run()

    assert (report.renewed, report.blocked) == (0, 1)
    assert report.problems[0].code == "system_max"
    assert "system_max_expiry" in report.problems[0].reason
    assert [(item.work.value, "R-391" in item.why) for item in planned] == [("nothing", True)]
    assert len(world.gateway.ledger.list(contract_id=contract.id).all()) == rows
    if account:
        assert world.stripe.book.captured() == 6000


@pytest.mark.rule("R-391")
def test_a_late_run_does_not_collect_a_period_that_is_over_for_good(world):
    at(world, "2030-11-15T12:00:00")
    world.contract("stripe")
    at(world, "2031-01-05T03:00:00")

    assert world.gateway.billing.run().blocked == 1
    assert world.stripe.book.captured() == 3000


@pytest.mark.rule("R-391", "R-380")
def test_arrears_that_would_open_nothing_any_more_are_refused_and_cost_nothing(world):
    at(world, "2030-11-15T12:00:00")
    contract = world.contract("stripe")
    world.stripe.next(Decline("insufficient_funds", DeclineClass.SOFT))
    at(world, "2030-12-15T03:00:00")
    world.gateway.billing.run()
    at(world, "2031-01-05T10:00:00")

    with pytest.raises(SystemMaxPassed) as refusal:
        world.charge(contract, 3000, purpose=Purpose.ARREARS)

    assert refusal.value.rule == "R-391"
    assert world.stripe.book.captured() == 3000


@pytest.mark.rule("R-391", "R-056")
def test_an_expiry_that_was_set_by_hand_beyond_the_largest_date_covers_its_periods(world):
    at(world, "2030-12-15T12:00:00")
    contract = world.contract("stripe")
    world.gateway.contracts.set_expiry(contract.id, dt.date(2031, 6, 30), reason="agreed")
    at(world, "2031-01-15T03:00:00")

    assert world.gateway.billing.run().renewed == 1


@pytest.mark.rule("R-391")
@pytest.mark.parametrize(("now", "warned"), [("2029-12-31T03:00:00", False), ("2030-01-01T03:00:00", True)])
def test_runs_say_so_from_a_year_ahead(world, now, warned):
    at(world, now)

    assert bool(world.gateway.billing.run().warnings) is warned


@pytest.mark.rule("R-391")
def test_the_forecast_ends_where_nothing_is_renewed_any_more(world):
    at(world, "2030-11-15T12:00:00")
    contract = world.contract("stripe")

    events = world.gateway.contracts.forecast(contract.id, months=6)

    assert [(event.on.isoformat(), event.what.value) for event in events] == [
        ("2030-12-15", "renewal"),
        ("2031-01-15", "not renewed"),
    ]


@pytest.mark.rule("R-391")
@pytest.mark.parametrize("payment", [Card("stripe", "pm_1"), BankTransfer()])
def test_a_recurring_contract_that_would_open_nothing_is_not_made(world, payment):
    at(world, "2031-01-01T00:00:00")

    with pytest.raises(SystemMaxPassed):
        world.gateway.contracts.create(HANAKO, GOLD, payment)

    assert world.stripe.calls == []
