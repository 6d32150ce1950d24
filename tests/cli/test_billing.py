"""``paygate bill`` and ``paygate schedule``: what is due, what it costs, why then, and what became of it."""

import datetime as dt
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from freezegun import freeze_time

from paygate import BankTransfer, Card, Customer, Gateway, Money, Plan, Product, ProductType
from paygate.errors import OutcomeUnknown

GOLD = Plan.recurring("Gold", Money(3000, "JPY"))
ON_30_NOVEMBER = "2026-11-30T01:00:00Z"


def said(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text)


@pytest.fixture
def shop(empty):
    """A shop whose contracts renew on the 20th: two through stripe, one by bank transfer, one that starts later."""
    with Gateway.open(empty.folder / "paygate.toml") as gateway:
        create = gateway.contracts.create
        create(Customer("cus-1", "山田"), GOLD, Card("stripe", "pm_one"), contract_id="ST-1")
        create(Customer("cus-2", "佐藤"), GOLD, Card("stripe", "pm_two"), contract_id="ST-2")
        create(Customer("cus-3", "鈴木"), GOLD, BankTransfer(), contract_id="BT-1")
        gateway.contracts.confirm_payment("BT-1")
        create(Customer("cus-4"), GOLD, Card("stripe", "pm_4"), contract_id="LATER", start_on=dt.date(2026, 12, 1))
    return empty


@pytest.mark.rule("R-272")
def test_a_dry_run_shows_each_step_its_reason_and_the_sum_and_changes_nothing(shop):
    before = (shop.folder / "stripe.json").read_bytes()
    with freeze_time("2026-12-20T01:00:00Z"):
        told = said(shop("bill", "--dry-run").stdout)
        plan = shop.json("bill", "--dry-run")

    assert "start 2026-12-01 LATER cus-4 stripe 3,000 JPY the start date (R-029)" in told
    assert "renewal 2026-12-20 ST-1 cus-1 stripe 3,000 JPY every month from the start on 2026-11-20 (R-031)" in told
    assert "(R-031); taken as paid (R-037)" in told
    assert "stripe 3 9,000 JPY" in told
    assert "In all renewal: 3, start: 1; 3 charge(s) of 9,000 JPY in all" in told
    assert plan["counts"] == {"start": 1, "renewal": 3}
    assert plan["accounts"] == [{"account": "stripe", "charges": 3, "sum": {"minor": 9000, "currency": "JPY"}}]
    assert plan["sums"] == [{"minor": 9000, "currency": "JPY"}]
    assert (shop.folder / "stripe.json").read_bytes() == before
    assert shop.json("contracts", "show", "LATER")["contract"]["status"] == "NOT_STARTED"


def test_what_a_dry_run_does_not_show_is_in_its_sum_all_the_same(shop):
    with freeze_time("2026-12-20T01:00:00Z"):
        result = shop("bill", "--dry-run", "--limit", "1")

    assert "only the first 1 are shown" in result.stderr
    assert "3 charge(s) of 9,000 JPY in all" in said(result.stdout)


def test_nothing_due_is_said(shop):
    assert "nothing is due" in shop("bill", "--dry-run").stdout
    assert "Nothing is due but step mails" in shop("bill", answer="n\n").stderr


def test_the_question_names_counts_and_sum_and_a_no_charges_nothing(shop):
    with freeze_time("2026-12-20T01:00:00Z"):
        result = shop("bill", answer="n\n")

        assert result.exit_code == 7
        assert "Due: renewal: 3, start: 1; 3 charge(s) of 9,000 JPY in all. Go ahead? [y/N]" in said(result.stderr)
        assert len(shop.json("bill", "--dry-run")["steps"]) == 4


@pytest.mark.rule("R-036", "R-037", "R-040")
def test_a_run_reports_what_it_did_and_a_second_one_charges_nothing(shop):
    with freeze_time("2026-12-20T01:00:00Z"):
        told = said(shop("bill", answer="y\n").stdout)
        again = shop.json("bill", "--yes")

    assert "Started 1" in told
    assert "Renewed 3" in told
    assert "Charged 9,000 JPY" in told
    assert (again["renewed"], again["charged"]) == (0, {})


def test_a_program_has_to_say_yes_beforehand(shop):
    assert shop("bill", "--json").exit_code == 2


def imported(empty, *tokens: str) -> None:
    """Contracts of 31 October taken over, one for each token, that renew on 30 November."""
    columns = "contract_id,customer_id,plan,kind,price,payment,account,token,start_on,last_paid_at\n"
    rows = [
        f"C-{number},cus-{number},Gold,monthly,3000,card,stripe,{token},2026-10-31,2026-10-31 09:00\n"
        for number, token in enumerate(tokens, 1)
    ]
    empty.write("rows.csv", columns + "".join(rows))
    empty.json("import", "rows.csv")


@pytest.mark.rule("R-145")
def test_a_declined_card_is_no_failure_of_the_run(empty):
    imported(empty, "tok_declines", "pm_good")
    with freeze_time(ON_30_NOVEMBER):
        report = empty.json("bill", "--yes")

    assert (report["failed"], report["suspended"], report["renewed"]) == (1, 1, 1)


def test_charges_without_a_result_end_the_run_with_6(empty):
    imported(empty, "tok_vanishes", "tok_declines")
    with freeze_time(ON_30_NOVEMBER):
        result = empty("bill", "--yes")

    assert result.exit_code == 6
    assert "run paygate reconcile" in result.stderr


FAR = """
from paygate.testing import FakeStripe, NeverThere

class Far(FakeStripe):
    def __init__(self, settings=None):
        super().__init__(settings)
        self.script_for("tok_far", NeverThere())
"""


def test_charges_that_could_not_be_sent_end_the_run_with_5_and_are_due_again(empty, monkeypatch):
    imported(empty, "tok_far", "pm_good")
    empty.write("far.py", FAR)
    config = (empty.folder / "paygate.toml").read_text(encoding="utf-8")
    empty.write("paygate.toml", config.replace('"fake-stripe"', '"far:Far"'))
    monkeypatch.syspath_prepend(empty.folder)
    with freeze_time(ON_30_NOVEMBER):
        result = empty("bill", "--yes")
        due = empty.json("bill", "--dry-run")["steps"]

    assert result.exit_code == 5
    assert "did not reach the provider" in result.stderr
    assert [step["contract_id"] for step in due] == ["C-1"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_run_shows_its_progress_on_a_terminal_and_never_on_standard_output(empty):
    import pty

    imported(empty, "pm_one", "pm_two")
    ours, theirs = pty.openpty()
    program = (
        "from freezegun import freeze_time\n"
        "from paygate.cli import main\n"
        f"with freeze_time({ON_30_NOVEMBER!r}, tick=True):\n"
        "    main()\n"
    )
    command = [sys.executable, "-c", program, "bill", "--yes"]
    done = subprocess.run(command, cwd=empty.folder, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)

    assert done.returncode == 0
    assert "2/2" in shown
    assert "2 done, 0 declined, 0 open" in shown
    assert b"\x1b" not in done.stdout


@pytest.mark.rule("R-041")
def test_what_was_missed_is_caught_up_until_a_day_or_a_time(shop):
    with freeze_time("2027-01-25T01:00:00Z"):
        question = said(shop("bill", "--until", "2026-12-20", answer="n\n").stderr)
        started = shop.json("bill", "--yes", "--until", "2026/12/1")
        renewed = shop.json("bill", "--yes", "--until", "2026-12-20 00:00")
        rest = shop.json("bill", "--dry-run")["steps"]

    assert "Due: renewal: 3, start: 1; 3 charge(s) of 9,000 JPY in all. Go ahead?" in question
    assert (started["started"], started["renewed"]) == (1, 0)
    assert (renewed["started"], renewed["renewed"]) == (0, 3)
    assert sorted((step["contract_id"], step["on"]) for step in rest) == [
        ("BT-1", "2027-01-20"), ("LATER", "2027-01-01"), ("ST-1", "2027-01-20"), ("ST-2", "2027-01-20"),
    ]  # fmt: skip


@pytest.mark.rule("R-036", "R-272")
def test_a_plan_may_look_ahead_and_a_run_may_not(shop):
    before = (shop.folder / "stripe.json").read_bytes()
    day = said(shop("bill", "--dry-run", "--until", "2026-12-20").stdout)
    time = said(shop("bill", "--dry-run", "--until", "2026-12-19T23:59:59").stdout)
    refused = shop("bill", "--until", "2026-12-20")

    assert "Due by the end of 2026-12-20; nothing has been done" in day
    assert "In all renewal: 3, start: 1; 3 charge(s) of 9,000 JPY in all" in day
    assert "Due by 2026-12-19 23:59:59; nothing has been done" in time
    assert "In all start: 1; 1 charge(s) of 3,000 JPY in all" in time
    assert refused.exit_code == 2
    assert "2026-12-20 has not come yet; --dry-run shows what a run would do then" in refused.stderr
    assert shop("bill", "--until", "2026-11-20 10:01").exit_code == 2
    assert (shop.folder / "stripe.json").read_bytes() == before


@pytest.mark.parametrize("text", ["tomorrow", "2026-02-30", "2026-02-28 25:00"])
def test_what_is_no_day_and_no_time_is_an_error_of_usage(shop, text):
    assert shop("bill", "--dry-run", "--until", text).exit_code == 2


# --- the time line of one contract -----------------------------------------------------------------------------------


@pytest.fixture
def make(empty):
    """A contract called C-1, started on 20 November 2026 with the *plan*."""

    def make(plan: Plan, token: str = "pm_one", **options: Any) -> None:
        with Gateway.open(empty.folder / "paygate.toml") as gateway:
            gateway.contracts.create(Customer("cus-1"), plan, Card("stripe", token), contract_id="C-1", **options)

    return make


def line(shell, *options: str) -> list[tuple[str, str, int | None]]:
    events = shell.json("schedule", "C-1", *options)
    return [(event["on"], event["what"], event["amount"] and event["amount"]["minor"]) for event in events]


@pytest.mark.rule("R-031", "R-061", "R-062")
def test_the_time_line_shows_renewals_with_their_prices_and_the_end_of_the_special_period(empty, make):
    make(Plan.recurring("Gold", Money(3000, "JPY"), special_price=Money(500, "JPY"), special_periods=2))

    assert line(empty, "--months", "3") == [
        ("2026-12-20", "renewal", 500),
        ("2027-01-20", "renewal", 3000),
        ("2027-01-20", "special period ends", None),
        ("2027-02-20", "renewal", 3000),
    ]
    told = said(empty("schedule", "C-1").stdout)
    assert "2026-12-20 renewal 500 JPY every month from the start on 2026-11-20 (R-031); at the special price" in told


@pytest.mark.rule("R-067")
def test_the_time_line_ends_with_the_product(empty, make):
    make(Plan.recurring("Mag", Money(800, "JPY"), products=(Product("m", ProductType.MONTHLY_MAGAZINE, "2026-12"),)))

    assert line(empty) == [
        ("2026-12-20", "renewal", 800),
        ("2026-12-20", "final period begins", None),
        ("2027-01-20", "end", None),
    ]
    assert "the product ends with 2026-12: its last period is over (R-067)" in said(empty("schedule", "C-1").stdout)


@pytest.mark.rule("R-126", "R-128")
def test_a_scheduled_cancellation_is_the_last_event_and_says_who_asked_for_it(empty, make):
    make(GOLD)
    empty.json("contracts", "schedule-cancellation", "C-1")

    assert line(empty) == [("2026-12-20", "end", None)]
    assert "cancelled by admin:admin: the renewal day after the notice (R-126)" in empty("schedule", "C-1").stdout


@pytest.mark.rule("R-029")
def test_a_contract_that_has_not_started_shows_its_start_and_first_price(empty, make):
    make(GOLD, start_on=dt.date(2026, 12, 1))

    assert line(empty, "--months", "1") == [("2026-12-01", "start", 3000)]


@pytest.mark.rule("R-148", "R-150", "R-154")
def test_the_retries_of_an_unpaid_period_are_planned_with_their_reasons_and_what_ends_them(empty):
    imported(empty, "tok_declines")
    with freeze_time(ON_30_NOVEMBER):
        empty("bill", "--yes")
        events = empty.json("schedule", "C-1")

    assert [(event["on"], event["what"]) for event in events] == [
        ("2026-12-03", "retry"),
        ("2026-12-08", "retry"),
        ("2026-12-15", "retry"),
        ("2026-12-15", "no retry"),
    ]
    assert events[0]["why"] == "retry 1 of 3, 3 days after the attempt of 2026-11-30 (R-154)"
    assert (
        events[-1]["why"] == "if every retry fails: all 4 attempts of the period are used up: the contract ends (R-150)"
    )
    assert events[0]["amount"]["minor"] == 3000


STOLEN = """
from paygate.provider import DeclineClass
from paygate.testing import Decline, FakeStripe

class Stolen(FakeStripe):
    def __init__(self, settings=None):
        super().__init__(settings)
        self.script_for("tok_stolen", Decline("stolen_card", DeclineClass.HARD))
"""


def test_a_card_that_is_not_retried_is_named_with_what_forbids_it(empty, monkeypatch):
    imported(empty, "tok_stolen")
    empty.write("stolen.py", STOLEN)
    config = (empty.folder / "paygate.toml").read_text(encoding="utf-8")
    empty.write("paygate.toml", config.replace('"fake-stripe"', '"stolen:Stolen"'))
    monkeypatch.syspath_prepend(empty.folder)
    with freeze_time(ON_30_NOVEMBER):
        empty("bill", "--yes")
        plan = empty("bill", "--dry-run")
        (event,) = empty.json("schedule", "C-1")

    assert event["what"] == "no retry"
    assert "this card will not work" in event["why"]
    assert "no retry: this card will not work" in plan.stdout
    assert "not retried: 1; 0 charge(s)" in said(plan.stdout)


@pytest.mark.rule("R-119")
def test_a_suspended_contract_without_a_card_waits_for_its_payment(shell):
    shell.json("contracts", "suspend", "BT-1")

    assert "paid without a card: it runs again once the payment is found" in shell("schedule", "BT-1").stdout


@pytest.mark.rule("R-225", "R-227")
def test_queued_and_paused_mails_stand_in_the_time_line(shell):
    shell("charge", "ST-1", "5000", "--consent", "phone", "--step-mail", "--yes")
    queued = shell.json("schedule", "ST-1")[0]
    (mail,) = shell.json("step-mails", "list", "--contract", "ST-1")
    shell.json("step-mails", "pause", mail["id"])

    assert (queued["on"], queued["what"], queued["why"]) == (
        "2026-11-20", "step mail", "thanks, queued for 10:05 (R-225)",
    )  # fmt: skip
    assert shell.json("schedule", "ST-1")[0]["why"] == "thanks, paused: not before it is resumed (R-227)"


def test_a_contract_to_which_nothing_happens_says_so(shell):
    result = shell("schedule", "AP-1")

    assert result.exit_code == 0
    assert "nothing happens to a contract that is ESTABLISHED unless somebody acts" in result.stderr


def test_months_beyond_ten_years_are_an_error_of_usage(shell):
    assert shell("schedule", "ST-1", "--months", "121").exit_code == 2


def without_stripe(shop):
    """The configuration has no account ``stripe`` any more."""
    file = shop.folder / "paygate.toml"
    text = file.read_text(encoding="utf-8")
    begin = text.index("[accounts.stripe]")
    file.write_text(text[:begin] + text[text.index("[accounts.telecom]") :], encoding="utf-8")


@pytest.mark.rule("R-349", "R-345")
def test_a_run_in_which_something_was_blocked_says_why_does_the_rest_and_ends_with_10(shop):
    without_stripe(shop)
    with freeze_time("2026-12-20T01:00:00Z"):
        result = shop("bill", "--yes")
        second = shop("bill", "--yes", "--json")

    assert (result.exit_code, second.exit_code) == (10, 10)
    again = json.loads(second.stdout)
    assert "Renewed 1" in said(result.stdout)
    assert "Blocked 3" in said(result.stdout)
    assert "ST-1 – stripe account_missing no provider account 'stripe' is configured" in said(result.stdout)
    assert (again["renewed"], again["blocked"]) == (0, 3)
    assert [problem["contract_id"] for problem in again["problems"]] == ["LATER", "ST-1", "ST-2"]


@pytest.mark.rule("R-349", "R-345")
def test_a_reconciliation_in_which_something_was_blocked_does_not_end_with_0(shop):
    with Gateway.open(shop.folder / "paygate.toml") as gateway:
        create = gateway.contracts.create
        with pytest.raises(OutcomeUnknown):
            create(Customer("cus-5"), GOLD, Card("stripe", "tok_vanishes"), contract_id="LOST")
    without_stripe(shop)
    with freeze_time("2026-12-20T01:00:00Z"):
        result = shop("reconcile", "--json")

    assert result.exit_code == 6
    report = json.loads(result.stdout)
    assert report["attempts"]["blocked"] == 1
    assert report["attempts"]["problems"][0]["code"] == "account_missing"


@pytest.mark.rule("R-345")
def test_the_schedule_of_a_contract_whose_account_is_missing_is_shown_and_says_so(shop):
    without_stripe(shop)
    result = shop("schedule", "ST-1")

    assert result.exit_code == 0
    assert "2026-12-20" in result.stdout
    assert "account 'stripe' is missing from the configuration" in result.stderr


def test_a_dry_run_ends_like_the_run_where_something_would_be_blocked(shop):
    config = shop.folder / "paygate.toml"
    config.write_text(config.read_text().replace("[accounts.stripe]", "[accounts.other]"))
    with freeze_time("2026-12-20T01:00:00Z"):
        plan, report = shop("bill", "--dry-run"), shop("bill", "--yes")

    assert (plan.exit_code, report.exit_code) == (10, 10)
    assert "no provider account 'stripe' is configured" in said(plan.stdout)
