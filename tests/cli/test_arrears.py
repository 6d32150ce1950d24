"""``paygate charge`` on a contract with an unpaid period: it asks which of the two is meant."""

import re

import pytest
from freezegun import freeze_time

CONSENT = ("--consent", "phone, 2026-12-01")
ON_1_DECEMBER = "2026-12-01T01:00:00Z"


@pytest.fixture
def owing(empty):
    """A member whose renewal of 30 November was declined."""
    with freeze_time("2026-11-20T01:00:00Z"):
        empty.write(
            "rows.csv",
            "contract_id,customer_id,plan,kind,price,payment,account,token,start_on,last_paid_at\n"
            "C-1,cus-1,Gold,monthly,3000,card,stripe,tok_declines,2026-10-31,2026-10-31 09:00\n",
        )
        empty.json("import", "rows.csv")
    with freeze_time("2026-11-30T01:00:00Z"):
        empty("bill", "--yes")
    return empty


def said(text):
    return re.sub(r"[ \t]+", " ", text)


@pytest.mark.rule("R-382")
def test_without_a_word_the_command_warns_asks_and_does_nothing_on_enter(owing):
    with freeze_time(ON_1_DECEMBER):
        result = owing("charge", "C-1", "3000", *CONSENT, answer="\n")

    assert result.exit_code == 7
    assert "3,000 JPY of the period of 2026-11-30 is unpaid and will be charged again" in said(result.stderr)
    assert "Collect the unpaid period (3,000 JPY), or charge 3,000 JPY beside it?" in said(result.stderr)
    assert "nothing was sent" in result.stderr


@pytest.mark.rule("R-382")
def test_with_yes_nobody_can_be_asked_so_the_purpose_has_to_be_said(owing):
    with freeze_time(ON_1_DECEMBER):
        result = owing("charge", "C-1", "3000", *CONSENT, "--yes")

    assert result.exit_code == 4
    assert "R-382" in result.stderr
    assert "--arrears" in result.stderr


@pytest.mark.rule("R-381", "R-382")
def test_answering_arrears_proposes_what_is_owed_whatever_the_amount_was(owing):
    with freeze_time(ON_1_DECEMBER):
        result = owing("charge", "C-1", "50", *CONSENT, answer="arrears\nn\n")

    assert "Charge 3,000 JPY to cus-1 through Stripe?" in said(result.stderr)
    assert "Pays the unpaid period" in said(result.stderr)


@pytest.mark.rule("R-381")
def test_arrears_need_no_amount_and_another_amount_needs_a_word(owing):
    with freeze_time(ON_1_DECEMBER):
        without = owing("charge", "C-1", "--arrears", *CONSENT, answer="n\n")
        other = owing("charge", "C-1", "50", "--arrears", *CONSENT, answer="n\n")
        meant = owing("charge", "C-1", "50", "--arrears", "--other-amount", *CONSENT, answer="n\n")
        missing = owing("charge", "C-1", *CONSENT, answer="n\n")

    assert "Charge 3,000 JPY to cus-1" in said(without.stderr)
    assert (other.exit_code, "--other-amount" in other.stderr) == (4, True)
    assert "2,950 JPY less than owed" in said(meant.stderr)
    assert (missing.exit_code, "'AMOUNT'" in missing.stderr) == (2, True)


@pytest.mark.rule("R-383")
def test_recording_stopped_retries_where_none_is_pending_is_refused(owing):
    with freeze_time(ON_1_DECEMBER):
        result = owing("contracts", "retries-stopped", "C-1", "--note", "console")

    assert result.exit_code == 4
    assert "no retry of the provider is pending" in result.stderr
