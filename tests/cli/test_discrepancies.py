"""``paygate charges discrepancies``: what a provider reports against the record (R-310, R-311)."""

from __future__ import annotations

import pytest

from paygate import Gateway
from paygate.testing import FakeStripe
from paygate.testing.fakes import FakeSettings


@pytest.mark.rule("R-310", "R-311")
def test_a_second_payment_is_listed_shown_and_closed(shell):
    shell("charge", "ST-LOST", "5000", "--consent", "phone", "--yes", "--no-wait")
    [charge] = shell.json("charges", "list", "--contract", "ST-LOST")
    second = FakeStripe(FakeSettings(state_file="stripe.json")).charge_again(charge["id"])

    reconciled = shell("reconcile")
    [found] = shell.json("charges", "discrepancies", "--charge", charge["id"])
    shown = shell("charges", "show", charge["id"])
    shell.json(
        "charges", "resolve", charge["id"], "--succeeded", "--reference", second, "--note", "returned in the dashboard"
    )

    assert "charges discrepancies" in reconciled.output
    assert (found["kind"], found["their_reference"], found["their_amount"]["minor"]) == (
        "SECOND_REFERENCE",
        second,
        5000,
    )
    assert second in shown.stderr
    assert shell.json("charges", "discrepancies") == []
    [closed] = shell.json("charges", "discrepancies", "--all")
    assert closed["note"] == "returned in the dashboard"


@pytest.mark.rule("R-316")
def test_disputes_are_listed_with_their_deadline(shell):
    shell("charge", "ST-1", "5000", "--consent", "phone", "--yes")
    [charge] = shell.json("charges", "list", "--contract", "ST-1")
    fake = FakeStripe(FakeSettings(state_file="stripe.json"))
    fake.notifications()
    dispute = fake.dispute(charge["reference"])
    with Gateway(database="sqlite:///paygate.db", providers={"stripe": fake}) as gateway:
        for one in fake.notifications():
            gateway.webhooks.receive("stripe", one.headers, one.body)

    [row] = shell.json("reports", "disputed")
    shown = shell("reports", "disputed")

    assert (row["state"], row["reference"], row["amount"]["minor"]) == ("OPENED", dispute, 5000)
    assert "2026-11-27 10:00 JST" in shown.output


@pytest.mark.rule("R-329")
def test_lost_notices_are_made_up_for_by_looking_again(shell):
    shell("charge", "ST-1", "5000", "--consent", "phone", "--yes")
    charge = shell.json("charges", "list", "--contract", "ST-1")[-1]
    fake = FakeStripe(FakeSettings(state_file="stripe.json"))
    fake.refund_in_console(charge["reference"])
    fake.notifications()

    report = shell.json("reconcile", "--settled-since", "7d")
    refused = shell("reconcile", "--settled-since", "soon")

    assert report["attempts"]["corrected"] == [charge["id"]]
    assert (refused.exit_code, "settled-since" in refused.output) == (2, True)
