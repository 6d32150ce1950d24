"""Which content is open (domain §2.5, §6.8): two gates, status and expiry."""

import datetime as dt

import attrs
import pytest

from paygate.domain.access import Why, access, current
from paygate.domain.contract import (
    Actor,
    Cancellation,
    CancellationOrigin,
    PaymentMethod,
    Plan,
    Product,
    ProductType,
    Status,
)
from paygate.domain.licences import issue, remove, revoke
from paygate.domain.renewal import end, start
from paygate.errors import NaiveDatetime
from paygate.money import Money

MONTHS = [ProductType.MONTHLY_UNLOCK, ProductType.MONTHLY_MAGAZINE, ProductType.MONTHLY_SCHOOL]
RUNNING = [Status.ACTIVE, Status.SPECIAL_PERIOD, Status.CANCEL_SCHEDULED]
NOW = "2024-11-20 12:00:00"


def day(text):
    return dt.date.fromisoformat(text)


def plan(*types):
    return Plan.recurring("Club", Money(3000, "JPY"), products=tuple(Product(kind.value, kind) for kind in types))


def shop(*types):
    return Plan.one_off("Shop", Money(8000, "JPY"), products=tuple(Product(kind.value, kind) for kind in types))


@pytest.fixture
def make(make_contract):
    """A contract in the period of 2024-11-08, with the licences of October and November."""

    def make(kind, new_id, **given):
        facts = {"plan": plan(kind), "period_start": day("2024-11-08"), "expires_on": day("2024-12-08")}
        contract = make_contract(**facts | given)
        october = issue(contract, day("2024-10-08"), "row-1", (), new_id)
        return contract, (*october, *issue(contract, day("2024-11-08"), "row-2", october, new_id))

    return make


@pytest.fixture
def seen(rules, at):
    """What is open, by scope."""

    def seen(contract, licences, now=NOW):
        return {opening.scope: opening.open for opening in access(contract, licences, at(now), rules)}

    return seen


@pytest.fixture
def notice(at):
    def notice(effective):
        return Cancellation(CancellationOrigin.CUSTOMER, at("2024-10-20 10:00:00"), Actor.admin(), day(effective))

    return notice


# --- status ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-072", "R-079")
@pytest.mark.parametrize("status", RUNNING)
@pytest.mark.parametrize("kind", [ProductType.MONTHLY_ALL_ACCESS, *MONTHS])
def test_a_running_contract_opens_everything_that_was_paid(make, new_id, seen, notice, status, kind):
    kept = notice("2024-12-08") if status is Status.CANCEL_SCHEDULED else None
    contract, known = make(kind, new_id, status=status, cancellation=kept)

    assert set(seen(contract, known).values()) == {True}


@pytest.mark.rule("R-026", "R-028", "R-072", "R-081")
@pytest.mark.parametrize(
    ("status", "why"),
    [
        (Status.PENDING_PAYMENT, Why.NOT_PAID),
        (Status.NOT_STARTED, Why.NOT_STARTED),
        (Status.CANCELED, Why.UNDONE),
    ],
)
@pytest.mark.parametrize("kind", ProductType)
def test_before_payment_before_the_start_and_once_undone_nothing_is_open(
    make_contract, rules, at, new_id, status, why, kind
):
    contract = make_contract(plan=plan(kind) if kind.monthly else shop(kind), status=status)
    known = issue(contract, day("2024-10-08"), "row-1", (), new_id)

    for licences in (known, ()):
        assert {opening.why for opening in access(contract, licences, at(NOW), rules)} == {why}


@pytest.mark.rule("R-076", "R-080")
@pytest.mark.parametrize("status", [Status.PAST_DUE, Status.TERMINATED])
def test_what_is_open_as_a_whole_is_closed_as_a_whole(make, new_id, seen, status):
    contract, known = make(ProductType.MONTHLY_ALL_ACCESS, new_id, status=status)

    assert seen(contract, known) == {"all": False}


@pytest.mark.rule("R-074", "R-075")
@pytest.mark.parametrize("kind", MONTHS)
def test_a_suspension_closes_the_running_month_and_leaves_the_earlier_ones(make, new_id, seen, kind):
    contract, known = make(kind, new_id, status=Status.PAST_DUE)
    locked = revoke(contract, known, "row-2")

    assert list(seen(contract, (known[0], *locked)).values()) == [True, False]


@pytest.mark.rule("R-075")
def test_a_card_that_fails_leaves_what_was_paid_also_after_the_expiry(make_contract, seen, new_id):
    contract = make_contract(plan=plan(ProductType.MONTHLY_MAGAZINE), status=Status.PAST_DUE)
    known = issue(contract, day("2024-10-08"), "row-1", (), new_id)

    assert seen(contract, known, "2024-11-20 12:00:00") == {"2024-10": True}


@pytest.mark.rule("R-080")
@pytest.mark.parametrize("kind", MONTHS)
def test_what_was_paid_stays_after_the_end(make, new_id, seen, kind):
    contract, known = make(kind, new_id, status=Status.TERMINATED)

    assert list(seen(contract, known).values()) == [True, True]


@pytest.mark.rule("R-077")
@pytest.mark.parametrize("status", [*RUNNING, Status.PAST_DUE, Status.TERMINATED])
def test_what_was_bought_within_a_recurring_package_stays(make_contract, seen, new_id, status):
    contract = make_contract(
        plan=plan(ProductType.MONTHLY_ALL_ACCESS, ProductType.BUYOUT), status=status, expires_on=day("2024-11-08")
    )
    known = issue(contract, day("2024-10-08"), "row-1", (), new_id)
    (bought,) = (licence for licence in known if licence.product == "BUYOUT")

    assert seen(contract, [bought])["all"]


@pytest.mark.rule("R-059", "R-072")
@pytest.mark.parametrize("kind", [ProductType.BUYOUT, ProductType.BUYOUT_UNLOCK])
def test_a_purchase_does_not_expire(make_contract, seen, new_id, kind):
    contract = make_contract(plan=shop(kind), status=Status.ESTABLISHED, expires_on=day("2030-12-31"))
    known = issue(contract, day("2024-10-08"), "row-1", (), new_id)

    assert set(seen(contract, known, "2031-01-01 00:00:00").values()) == {True}


@pytest.mark.rule("R-083")
def test_locked_and_removed_licences_open_nothing_and_say_why(make, new_id, rules, at):
    contract, known = make(ProductType.MONTHLY_MAGAZINE, new_id)
    licences = (*remove(known, "row-1"), *revoke(contract, known, "row-2"))

    assert [opening.why for opening in access(contract, licences, at(NOW), rules)] == [Why.REMOVED, Why.LOCKED]


@pytest.mark.rule("R-242")
def test_what_was_never_issued_is_closed(make_contract, rules, at):
    contract = make_contract(plan=plan(ProductType.MONTHLY_MAGAZINE))

    (opening,) = access(contract, (), at(NOW), rules)

    assert (opening.open, opening.why, opening.text) == (False, Why.NOT_ISSUED, "no licence was issued")


# --- expiry ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-047", "R-059")
@pytest.mark.parametrize(
    ("expires", "now", "open_"),
    [
        pytest.param("2024-12-08", "2024-12-08 23:59:59", True, marks=pytest.mark.rule("B-040")),
        pytest.param("2024-12-08", "2024-12-09 00:00:00", False, marks=pytest.mark.rule("B-041")),
        ("2024-12-08", "2024-12-08T14:59:59Z", True),
        ("2024-12-08", "2024-12-08T15:00:00Z", False),
        pytest.param("2030-12-31", "2030-12-31 23:59:59", True, marks=pytest.mark.rule("B-042")),
        pytest.param("2030-12-31", "2031-01-01 00:00:00", False, marks=pytest.mark.rule("B-042")),
    ],
)
@pytest.mark.parametrize("status", RUNNING)
def test_the_running_periods_content_closes_after_the_expiry(make, new_id, seen, notice, expires, now, open_, status):
    kept = notice("2031-12-08") if status is Status.CANCEL_SCHEDULED else None
    contract, known = make(
        ProductType.MONTHLY_ALL_ACCESS, new_id, status=status, cancellation=kept, expires_on=day(expires)
    )

    assert seen(contract, known, now) == {"all": open_}


@pytest.mark.rule("R-059")
@pytest.mark.parametrize("kind", MONTHS)
def test_the_expiry_closes_the_running_month_only(make, new_id, seen, kind):
    contract, known = make(kind, new_id, expires_on=day("2024-11-15"))

    assert list(seen(contract, known).values()) == [True, False]


# --- days ------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-028", "R-029")
@pytest.mark.parametrize(
    ("started", "now", "open_"),
    [
        pytest.param(False, "2024-12-01 02:59:59", False, marks=pytest.mark.rule("B-034")),
        pytest.param(True, "2024-12-01 03:00:00", True, marks=pytest.mark.rule("B-035")),
    ],
)
def test_content_opens_once_the_start_is_carried_out(make_contract, rules, at, new_id, seen, started, now, open_):
    contract = make_contract(
        plan=plan(ProductType.MONTHLY_ALL_ACCESS),
        method=PaymentMethod.BANK_TRANSFER,
        status=Status.NOT_STARTED,
        start_on=day("2024-12-01"),
        period_start=None,
        expires_on=day("2025-01-01"),
    )
    known = ()
    if started:
        done = start(contract, at(now), rules, new_id)
        contract, known = done.contract, done.licences

    assert seen(contract, known, now) == {"all": open_}


@pytest.mark.rule("R-079", "R-132")
@pytest.mark.parametrize(
    ("now", "open_"),
    [
        ("2024-11-07 23:59:59", True),
        pytest.param("2024-11-08 00:00:00", False, marks=pytest.mark.rule("B-023")),
        ("2024-11-10 02:59:59", False),
    ],
)
def test_a_scheduled_end_closes_at_midnight_however_late_the_run_is(
    make_contract, notice, rules, at, new_id, seen, now, open_
):
    contract = make_contract(
        plan=plan(ProductType.MONTHLY_ALL_ACCESS),
        status=Status.CANCEL_SCHEDULED,
        cancellation=notice("2024-11-08"),
        expires_on=day("2025-06-30"),
    )
    known = issue(contract, day("2024-10-08"), "row-1", (), new_id)

    assert seen(contract, known, now) == {"all": open_}
    if now > "2024-11-10":
        ended = end(contract, day("2024-11-08"), at("2024-11-10 03:00:00"), rules, new_id).contract
        assert (ended.ended_on, seen(ended, known, "2024-11-10 03:00:00")) == (day("2024-11-08"), {"all": False})


# --- plans without products ------------------------------------------------------------------------------------------


@pytest.mark.rule("R-059", "R-072")
@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, Why.EXPIRED),
        ({"expires_on": dt.date(2024, 11, 20)}, Why.PAID),
        ({"expires_on": None}, Why.EXPIRED),
        ({"status": Status.PAST_DUE}, Why.SUSPENDED),
        ({"status": Status.TERMINATED}, Why.ENDED),
        ({"status": Status.ESTABLISHED}, Why.PAID),
    ],
)
def test_a_plan_without_products_opens_as_a_whole(make_contract, rules, at, given, why):
    contract = make_contract(**given)

    (opening,) = access(contract, (), at(NOW), rules)

    assert (opening.product, opening.scope, opening.why) == ("", "all", why)
    assert opening.why is current(contract, at(NOW), rules)


@pytest.mark.rule("R-002")
def test_a_time_without_a_zone_is_refused(make_contract, rules):
    with pytest.raises(NaiveDatetime):
        access(make_contract(), (), dt.datetime(2024, 11, 20), rules)  # noqa: DTZ001


@pytest.mark.rule("R-059")
def test_asking_for_access_changes_nothing(make, new_id, rules, at):
    contract, known = make(ProductType.MONTHLY_MAGAZINE, new_id)

    assert access(contract, known, at(NOW), rules) == access(attrs.evolve(contract), known, at(NOW), rules)
