"""``paygate charge``: says what it will do, asks, and tells what became of it."""

import json
import re

import pytest

CONSENT = ("--consent", "phone, 2026-11-20")


def said(text: str) -> str:
    """*text* with runs of blanks made one, as a reader sees it."""
    return re.sub(r"[ \t]+", " ", text)


@pytest.mark.rule("R-172", "R-173", "R-272")
def test_the_confirmation_names_customer_contract_provider_amount_expiry_and_forced_effects(shell):
    result = shell("charge", "TC-1", "5,000", *CONSENT, answer="n\n")

    asked = said(result.stderr)
    assert "Customer 山田 花子 (cus-TC-1)" in asked
    assert "Contract TC-1, ゴールド会員, ACTIVE" in asked
    assert "Provider Telecom Credit (account telecom)" in asked
    assert "Amount 5,000 JPY" in asked
    assert "Expiry 2026-11-30 → 2026-12-31" in asked
    assert "Mails thanks at 2026-11-20 10:05 JST" in asked
    assert "Forced Telecom Credit always renews the expiry" in asked
    assert "Forced Telecom Credit always sends the step mails prepared for renewal" in asked
    assert "Charge 5,000 JPY to 山田 花子 (cus-TC-1) through Telecom Credit? [y/N]" in asked


@pytest.mark.rule("R-172")
@pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "just enter", "nobody there"])
def test_declining_sends_nothing_and_ends_with_7(shell, answer):
    result = shell("charge", "ST-1", "5000", *CONSENT, answer=answer)

    assert result.exit_code == 7
    assert result.stdout == ""
    assert "nothing was sent" in result.stderr
    assert shell.json("charges", "list") == []
    assert not (shell.folder / "stripe.json").exists()


def test_agreeing_charges_and_shows_the_expiry_before_and_after(shell):
    result = shell("charge", "ST-1", "5000", "--renew-expiry", *CONSENT, answer="y\n")

    assert result.exit_code == 0
    told = said(result.stdout)
    assert "State SUCCEEDED" in told
    assert "Expiry before 2026-11-30" in told
    assert "Expiry after 2026-12-31" in told
    assert "About to charge" not in told, "the question does not belong to the result"


@pytest.mark.rule("R-218")
def test_the_confirmation_says_that_the_provider_sets_the_expiry_to_the_largest_date(shell):
    result = shell("charge", "AP-1", "5000", *CONSENT, answer="n\n")

    assert "Amazon Pay always sets the expiry to the system's largest date" in result.stderr


@pytest.mark.rule("R-196")
def test_a_provider_that_leaves_the_choice_forces_nothing(shell):
    result = shell("charge", "UP-1", "5000", *CONSENT, answer="n\n")

    assert "Forced" not in result.stderr
    assert "Expiry 2026-11-30, not changed" in said(result.stderr)
    assert "Mails none" in said(result.stderr)


def test_a_result_that_comes_later_is_waited_for(shell):
    made = shell.json("charge", "UP-1", "5000", *CONSENT, "--yes")

    assert made["charge"]["state"] == "SUCCEEDED"


def test_without_waiting_a_pending_result_ends_with_6_and_says_how_to_ask_for_it(shell):
    result = shell("charge", "UP-1", "5000", *CONSENT, "--yes", "--no-wait")

    assert result.exit_code == 6
    charge_id = shell.json("charges", "list")[0]["id"]
    assert f"paygate charges wait {charge_id}" in result.stderr
    assert shell("charges", "wait", charge_id).exit_code == 0


def test_a_result_that_does_not_come_in_time_ends_with_6(shell):
    assert shell("charge", "ST-LATER", "5000", *CONSENT, "--yes", "--timeout", "3").exit_code == 6


def test_a_decline_ends_with_5_and_gives_the_provider_s_code(shell):
    result = shell("charge", "ST-NO", "5000", *CONSENT, "--yes")

    assert result.exit_code == 5
    assert "Why card_declined" in said(result.stdout)


def test_a_result_that_only_a_notice_brings_is_not_to_be_waited_for(shell):
    result = shell("charge", "TC-1", "5000", *CONSENT, "--yes", "--no-wait")

    assert result.exit_code == 6
    assert "the provider's notice brings the result" in result.stderr


@pytest.mark.rule("R-193")
def test_a_lost_answer_ends_with_6_and_warns_of_charging_again(shell):
    result = shell("charge", "TC-LOST", "5000", *CONSENT, "--yes")

    assert result.exit_code == 6
    assert "UNKNOWN" in result.stdout
    assert "do not charge again" in result.stderr


def test_a_lost_answer_that_can_be_looked_up_is_left_to_reconciliation(shell):
    result = shell("charge", "ST-LOST", "5000", *CONSENT, "--yes", "--no-wait")

    assert result.exit_code == 6
    assert "run paygate reconcile" in result.stderr


def test_a_customer_who_has_to_act_is_told_where(shell):
    result = shell("charge", "ST-ACT", "5000", *CONSENT, "--yes", "--timeout", "1")

    assert result.exit_code == 6
    assert "the customer has to act first, at https://customer.example/confirm" in result.stderr


@pytest.mark.rule("R-190")
def test_a_repeat_under_the_same_key_shows_the_first_charge_and_charges_nothing(shell):
    first = shell.json("charge", "ST-1", "5000", *CONSENT, "--yes", "--idempotency-key", "order-77")
    again = shell("charge", "ST-1", "5000", *CONSENT, "--yes", "--idempotency-key", "order-77", "--json")

    assert json.loads(again.stdout)["charge"] == first["charge"]
    assert "nothing more is charged" in again.stderr
    assert len(shell.json("charges", "list")) == 1


@pytest.mark.rule("R-190", "R-189")
def test_a_repeat_under_the_same_key_is_answered_while_the_first_charge_is_still_open(shell):
    shell("charge", "ST-LATER", "5000", *CONSENT, "--yes", "--no-wait", "--idempotency-key", "order-77")
    again = shell("charge", "ST-LATER", "5000", *CONSENT, "--yes", "--no-wait", "--idempotency-key", "order-77")

    assert again.exit_code == 6
    assert "PENDING" in again.stdout


@pytest.mark.rule("R-190")
def test_the_same_key_for_another_amount_is_refused(shell):
    shell.json("charge", "ST-1", "5000", *CONSENT, "--yes", "--idempotency-key", "order-77")
    other = shell("charge", "ST-1", "6000", *CONSENT, "--yes", "--idempotency-key", "order-77")

    assert other.exit_code == 4
    assert "R-190" in other.stderr
    assert len(shell.json("charges", "list")) == 1


@pytest.mark.rule("R-188")
def test_without_consent_the_charge_is_refused_with_the_rule_and_the_remedy(shell):
    result = shell("charge", "ST-1", "5000", "--yes")

    assert result.exit_code == 4
    assert "Rule: R-188" in said(result.stderr)
    assert "--consent" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.rule("R-185", "R-207")
def test_an_option_against_the_provider_s_fixed_behaviour_is_refused_before_anything_is_asked(shell):
    result = shell("charge", "TC-1", "5000", "--no-step-mail", *CONSENT, answer="y\n")

    assert result.exit_code == 4
    assert "R-185" in result.stderr
    assert "[y/N]" not in result.stderr


@pytest.mark.rule("R-004", "R-171")
@pytest.mark.parametrize(
    ("amount", "problem"),
    [
        ("12.5", "yen have no fractions"),
        ("5000.00", "yen have no fractions"),
        ("-5000", "an amount is not negative"),
        ("five", "not a whole number of yen"),
        ("1e3", "a whole number of yen is not shortened with E"),
        ("5,00", "not a whole number of yen"),
        ("", "not a whole number of yen"),
    ],
)
def test_an_amount_that_is_no_whole_number_of_yen_is_an_error_of_usage(shell, amount, problem):
    result = shell("charge", "ST-1", amount, *CONSENT, "--yes")

    assert result.exit_code == 2
    assert problem in result.stderr
    assert "'AMOUNT'" in result.stderr


def test_a_misspelt_option_is_not_taken_for_a_negative_amount(shell):
    result = shell("charge", "ST-1", "5000", "--consnt", "phone")

    assert result.exit_code == 2
    assert "--consnt" in result.stderr


@pytest.mark.rule("R-171")
def test_nothing_to_charge_is_refused_by_rule(shell):
    result = shell("charge", "ST-1", "0", *CONSENT, "--yes")

    assert result.exit_code == 4
    assert "R-171" in result.stderr


@pytest.mark.rule("R-167")
def test_a_contract_paid_by_bank_transfer_cannot_be_charged(shell):
    result = shell("charge", "BT-1", "5000", *CONSENT, "--yes")

    assert result.exit_code == 4
    assert "R-167" in result.stderr


def test_json_without_yes_is_refused_because_nobody_can_be_asked(shell):
    result = shell("charge", "ST-1", "5000", *CONSENT, "--json", answer="y\n")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["type"] == "UsageError"
    assert "--yes" in result.stderr
    assert shell.json("charges", "list") == []


@pytest.mark.rule("R-266")
def test_the_audit_names_who_charged(shell):
    assert shell("--actor", "sato", "charge", "ST-1", "5000", *CONSENT, "--yes").exit_code == 0

    assert [record["actor"] for record in shell.json("audit", "ST-1") if record["action"] == "charge_addon"] == [
        "admin:sato"
    ]


@pytest.mark.rule("R-168")
def test_no_command_ever_prints_the_stored_credential(shell):
    shell("charge", "ST-1", "5000", *CONSENT, "--yes")
    commands = [
        ("contracts", "list"),
        ("contracts", "show", "ST-1"),
        ("charges", "list"),
        ("ledger", "ST-1"),
        ("audit", "ST-1"),
        ("--debug", "charge", "ST-1", "5000", *CONSENT, "--yes"),
    ]

    for arguments in commands:
        for form in ([], ["--json"]):
            assert "pm_one" not in shell(*arguments, *form).output
