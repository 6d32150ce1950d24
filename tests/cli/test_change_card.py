"""``paygate contracts change-card``: the token is asked for unseen, and nothing shows it."""

import pytest


@pytest.mark.rule("R-400")
def test_the_token_is_read_from_standard_input_and_shown_nowhere(shell):
    result = shell("contracts", "change-card", "ST-1", "stripe", "-", "--reason", "lost", answer="pm_two\n")

    assert result.exit_code == 0
    assert "pm_two" not in result.output
    assert shell.json("contracts", "show", "ST-1")["contract"]["account"] == "stripe"
    again = shell("contracts", "change-card", "ST-1", "stripe", "pm_two")
    assert "nothing was changed" in again.stderr


@pytest.mark.rule("R-400")
def test_a_token_that_is_left_out_is_asked_for_unseen(shell):
    result = shell("contracts", "change-card", "ST-1", "stripe", answer="pm_two\n")

    assert result.exit_code == 0
    assert "pm_two" not in result.output
    assert "nothing was changed" in shell("contracts", "change-card", "ST-1", "stripe", "pm_two").stderr


@pytest.mark.rule("R-402")
def test_a_card_that_cannot_take_the_contract_ends_with_a_refusal(shell):
    result = shell("contracts", "change-card", "ST-1", "amazonpay", "S01-1")

    assert result.exit_code != 0
    assert "lump-sum" in result.stderr


@pytest.mark.rule("R-403")
def test_json_shows_what_was_done_without_the_token(shell):
    done = shell.json("contracts", "change-card", "ST-1", "stripe", "pm_two", "--collect", "--yes")

    assert (done["changed"], done["charge"]) == (True, None)
    assert "pm_two" not in str(done)
