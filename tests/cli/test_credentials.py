"""``paygate credentials`` and ``paygate reports expiring-cards``: no token on any screen."""

import pytest


@pytest.mark.rule("R-405", "R-408")
def test_stored_cards_are_listed_refreshed_and_revoked(shell):
    (before,) = shell.json("credentials", "list", "cus-ST-1")
    refreshed = shell.json("credentials", "refresh")
    (after,) = shell.json("credentials", "list", "cus-ST-1", "--refresh")
    refused = shell("credentials", "revoke", "cus-ST-1", after["id"], "--yes")

    assert before["brand"] is None
    assert refreshed["asked"] >= 1
    assert (after["brand"], after["last4"], after["expires_on"]) == ("visa", "4242", "2030-12-31")
    assert refused.exit_code != 0
    assert "ST-1" in refused.stderr
    assert "pm_one" not in str(after) + refused.output + shell("credentials", "list", "cus-ST-1").output


@pytest.mark.rule("R-408")
def test_cards_that_end_are_reported(shell):
    shell.json("credentials", "refresh")

    assert shell.json("reports", "expiring-cards") == []
