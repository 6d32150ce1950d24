"""``paygate contracts create``: shown, asked for, charged once, and the same command makes no second contract."""

from __future__ import annotations

import datetime as dt

import pytest
from freezegun import freeze_time

from .conftest import NOW

CARD = ("contracts", "create", "cus-9", "Gold", "3000", "--cycle", "monthly", "--card", "stripe", "--token", "pm_new")


def contracts(shell, customer="cus-9"):
    return shell.json("contracts", "list", "--customer", customer)


@pytest.mark.rule("R-418", "R-013")
def test_what_is_charged_now_is_shown_before_anything_is_sent(shell):
    result = shell(*CARD, "--initial-fee", "1,000", "--name", "山田", "--email", "y@example.com", answer="n\n")

    assert result.exit_code == 7
    assert "4,000 JPY" in result.stderr
    assert "Charge 4,000 JPY to the card of cus-9 now" in result.stderr
    assert contracts(shell) == []


@pytest.mark.rule("R-418")
def test_a_card_contract_is_made_and_charged(shell):
    made = shell.json(
        *CARD, "--id", "K-1", "--initial-fee", "1000", "--special-price", "500", "--special-periods", "3",
        "--product", "news:MONTHLY_ALL_ACCESS", "--product-end", "2027-03", "--name", "山田", "--email", "y@example.com",
        "--yes",
    )  # fmt: skip

    assert (made["id"], made["status"], made["account"]) == ("K-1", "SPECIAL_PERIOD", "stripe")
    assert made["plan"]["initial_fee"] == {"minor": 1000, "currency": "JPY"}
    assert made["plan"]["products"][0]["end_month"] == "2027-03"
    [charge] = shell.json("charges", "list", "--contract", "K-1")
    assert charge["amount"]["minor"] == 1500
    details = shell.json("contracts", "show", "K-1")
    assert (details["customer"]["name"], details["customer"]["email"]) == ("山田", "y@example.com")
    assert "pm_new" not in shell("contracts", "show", "K-1").output


@pytest.mark.rule("R-418")
@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--bank-transfer"], "PENDING_PAYMENT", "To be received"),
        (["--manual"], "PENDING_PAYMENT", "To be received"),
        (["--manual", "--paid"], "ACTIVE", "nothing"),
        (["--card", "stripe", "--token", "pm_x", "--start", "2026-12-24"], "NOT_STARTED", "nothing"),
        (["--card", "telecom", "--token", "m-9", "--subscription", "sub-9"], "ACTIVE", "3,000 JPY"),
    ],
)
def test_every_way_to_pay_makes_a_contract(shell, options, status, words):
    result = shell("contracts", "create", "cus-9", "Gold", "3000", "--cycle", "MONTHLY", *options, answer="y\n")

    assert result.exit_code in {0, 6}, result.output
    assert words in result.stderr
    if result.exit_code == 0:
        assert [one["status"] for one in contracts(shell)] == [status]


@pytest.mark.rule("R-418", "R-379")
@pytest.mark.parametrize("paid_by", [["--card", "stripe", "--token", "pm_new"], ["--bank-transfer"]])
@pytest.mark.parametrize("own_id", [[], ["--id", "K-1"]])
def test_the_same_command_makes_one_contract_within_hours_and_another_when_told_to(shell, paid_by, own_id):
    command = ("contracts", "create", "cus-9", "Course", "9000", *paid_by, *own_id, "--yes")
    first = shell.json(*command)

    with freeze_time(dt.datetime.fromisoformat(NOW) + dt.timedelta(hours=14)):
        again = shell(*command)
        assert again.exit_code == 0, again.output
        assert first["id"] in again.stderr
        assert "nothing more is charged" in again.stderr
        assert shell.json(*command)["id"] == first["id"]
        assert len(contracts(shell)) == 1

        more = shell(*command, "--again")
        if own_id:
            assert more.exit_code == 2
        else:
            assert more.exit_code == 0
            assert shell(*command).exit_code == 0
        assert len(contracts(shell)) == (1 if own_id else 2)


@pytest.mark.rule("R-418", "R-379")
def test_a_corrected_address_is_no_other_contract(shell):
    first = shell.json(*CARD, "--email", "y@example,com", "--yes")

    assert shell.json(*CARD, "--email", "y@example.com", "--yes")["id"] == first["id"]


@pytest.mark.rule("R-418", "R-013")
def test_after_a_decline_the_same_command_tries_again(shell):
    declined = (*CARD[:-1], "tok_declines")

    assert [shell(*declined, "--yes").exit_code for _ in range(2)] == [5, 5]
    assert contracts(shell) == []
    assert shell(*CARD, "--yes").exit_code == 0


@pytest.mark.rule("R-418", "R-013")
def test_a_lost_answer_is_looked_up_by_the_same_command_and_not_charged_again(shell):
    lost = (*CARD[:-1], "tok_vanishes")

    assert [shell(*lost, "--yes").exit_code for _ in range(2)] == [6, 0]

    [made] = contracts(shell)
    assert len(shell.json("charges", "list", "--contract", made["id"])) == 1


@pytest.mark.rule("R-418")
@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--bank-transfer", "--manual"],
        ["--bank-transfer", "--token", "pm_1"],
        ["--bank-transfer", "--special-price", "5"],
        ["--bank-transfer", "--product-end", "2027-01"],
        ["--bank-transfer", "--product", "news"],
        ["--bank-transfer", "--product", "news:NOTHING"],
    ],
)
def test_what_does_not_fit_together_is_an_error_of_usage(shell, wrong):
    result = shell("contracts", "create", "cus-9", "Gold", "3000", "--cycle", "monthly", *wrong, "--yes")

    assert result.exit_code == 2, result.output
    assert contracts(shell) == []


@pytest.mark.rule("R-418")
def test_the_token_may_come_from_standard_input(shell):
    made = shell(*CARD[:-1], "-", "--yes", "--json", answer="pm_typed\n")

    assert made.exit_code == 0, made.output
    assert "pm_typed" not in made.output


@pytest.mark.rule("R-418", "R-272")
def test_a_program_has_to_say_yes(shell):
    assert shell(*CARD, "--json").exit_code == 2
    assert contracts(shell) == []
