"""The other commands: what they show, what they change, and what they leave alone."""

import contextlib
import datetime as dt
import json
import re

import pytest
from freezegun import freeze_time

from paygate.clock import SystemClock
from paygate.store import Store

CONSENT = ("--consent", "phone")


def said(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text)


def charged(shell, contract: str = "ST-1", amount: str = "5000", *options: str) -> dict:
    return shell.json("charge", contract, amount, *CONSENT, "--yes", *options)["charge"]


def charged_by_telecom(shell) -> dict:
    """Telecom's result comes by notice only; here a person says it."""
    made = json.loads(shell("charge", "TC-1", "5000", *CONSENT, "--yes", "--no-wait", "--json").stdout)["charge"]
    return shell.json("charges", "resolve", made["id"], "--succeeded", "--note", "seen on the console")


# --- contracts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (("--account", "telecom"), ["TC-1", "TC-LOST"]),
        (("--method", "bank_transfer"), ["BT-1"]),
        (("--status", "established"), ["AP-1"]),
        (("--customer", "cus-ST-1"), ["ST-1"]),
        (("--limit", "2"), ["AP-1", "BT-1"]),
        (("--limit", "0", "--account", "univapay"), ["UP-1"]),
    ],
)
def test_contracts_are_listed_by_what_is_asked_for(shell, options, ids):
    assert [contract["id"] for contract in shell.json("contracts", "list", *options)] == ids


def test_a_list_that_is_cut_says_so(shell):
    result = shell("contracts", "list", "--limit", "2")

    assert "only the first 2 are shown" in result.stderr
    assert "ST-1" not in result.stdout


def test_a_contract_is_shown_with_customer_expiry_and_ledger(shell):
    told = said(shell("contracts", "show", "UP-1").stdout)

    assert "Customer 山田 花子 (cus-UP-1)" in told
    assert "Expires 2026-11-30" in told
    assert "Can be charged until 2027-10-31 09:00 JST" in told
    assert "3,000 JPY SUCCEEDED univapay" in told


@pytest.mark.rule("R-023")
def test_operations_are_shown_with_the_reason_why_not(shell):
    offers = {offer["operation"]: offer for offer in shell.json("contracts", "operations", "BT-1")}

    assert offers["charge_addon"]["offered"] is False
    assert offers["charge_addon"]["text"] == "for contracts paid by card only"
    assert offers["suspend"]["offered"] is True
    assert "for contracts paid by card only" in shell("contracts", "operations", "BT-1").stdout


@pytest.mark.rule("R-104")
def test_a_found_payment_is_confirmed(shell):
    rows = "contract_id,customer_id,plan,kind,price,payment,start_on,status\n"
    shell.write("waiting.csv", rows + "W-1,cus-1,Gold,monthly,3000,bank_transfer,2026-11-20,pending_payment\n")
    shell.json("import", "waiting.csv")

    assert shell.json("contracts", "confirm-payment", "W-1", "--received-at", "2026-11-20 09:30")["status"] == "ACTIVE"


@pytest.mark.rule("R-056", "R-266")
def test_an_expiry_set_by_hand_is_in_the_audit_with_its_reason(shell):
    changed = shell.json("--actor", "sato", "contracts", "set-expiry", "ST-1", "2026/12/24", "--reason", "a gift")

    assert changed["expires_on"] == "2026-12-24"
    record = shell.json("audit", "ST-1")[-1]
    assert (record["actor"], record["reason"]) == ("admin:sato", "a gift")
    assert record["after"]["expires_on"] == "2026-12-24"


def test_a_change_is_shown_as_it_is_afterwards(shell):
    told = said(shell("contracts", "set-expiry", "ST-1", "2026-12-24", "--reason", "a gift").stdout)

    assert "Expires 2026-12-24" in told


@pytest.mark.parametrize("command", [("contracts", "show"), ("ledger",), ("audit",), ("charges", "show")])
def test_what_does_not_exist_is_refused(shell, command):
    result = shell(*command, "nobody")

    assert result.exit_code == 4
    assert "nobody" in result.stderr


# --- charges and refunds ---------------------------------------------------------------------------------------------


def test_charges_are_listed_by_state_and_shown_one_by_one(shell):
    made = charged(shell)
    shell("charge", "ST-NO", "5000", *CONSENT, "--yes")

    assert [one["id"] for one in shell.json("charges", "list", "--state", "succeeded")] == [made["id"]]
    assert shell.json("charges", "show", made["id"]) == made
    assert "card_declined" in shell("charges", "list", "--contract", "ST-NO").stdout


def test_an_unknown_outcome_is_resolved_by_a_person(shell):
    shell("charge", "TC-LOST", "5000", *CONSENT, "--yes")
    charge_id = shell.json("charges", "list")[0]["id"]

    settled = shell.json("charges", "resolve", charge_id, "--succeeded", "--note", "seen on the console")

    assert settled["state"] == "SUCCEEDED"
    assert shell.json("contracts", "show", "TC-LOST")["contract"]["expires_on"] == "2026-12-31"


@pytest.mark.rule("R-241", "R-272")
def test_a_part_is_refunded_after_a_preview_and_a_question(shell):
    charge_id = charged(shell)["id"]
    result = shell("refund", charge_id, "2,000", answer="y\n")

    assert result.exit_code == 0
    assert "Left afterwards 3,000 JPY" in said(result.stderr)
    assert "State DONE" in said(result.stdout)
    assert shell.json("ledger", "ST-1")["net"] == {"minor": 6000, "currency": "JPY"}


def test_declining_a_refund_returns_nothing_and_ends_with_7(shell):
    charge_id = charged(shell)["id"]

    assert shell("refund", charge_id, answer="n\n").exit_code == 7
    assert shell.json("refunds", "list") == []


@pytest.mark.rule("R-239")
def test_more_than_is_left_is_refused(shell):
    result = shell("refund", charged(shell)["id"], "5001", "--yes")

    assert result.exit_code == 4
    assert "R-239" in result.stderr


@pytest.mark.rule("R-190")
def test_a_refund_repeated_under_its_key_returns_nothing_more(shell):
    charge_id = charged(shell)["id"]
    first = shell.json("refund", charge_id, "--yes", "--idempotency-key", "rma-9")
    again = shell.json("refund", charge_id, "--yes", "--idempotency-key", "rma-9")

    assert again["refund"] == first["refund"]
    assert len(shell.json("refunds", "list")) == 1


def test_a_refund_is_shown_and_waited_for(shell):
    charge_id = charged(shell, "UP-1")["id"]
    pending = json.loads(shell("refund", charge_id, "--yes", "--no-wait", "--json").stdout)["refund"]

    assert shell("refunds", "wait", pending["id"]).exit_code == 0
    assert shell.json("refunds", "show", pending["id"])["state"] == "DONE"


@pytest.mark.rule("R-247")
def test_a_refund_without_a_result_ends_with_6_until_a_person_settles_it(shell):
    charge_id = charged(shell, "UP-1")["id"]
    result = shell("refund", charge_id, "--yes", "--no-wait")
    (refund,) = shell.json("refunds", "list")

    assert result.exit_code == 6
    assert "run paygate reconcile" in result.stderr
    settled = shell.json("refunds", "resolve", refund["id"], "--failed", "--note", "seen on the console")
    assert settled["state"] == "FAILED"
    assert "FAILED" in shell("refunds", "list", "--contract", "UP-1").stdout


def test_a_refund_is_waited_for(shell):
    charge_id = charged(shell, "UP-1")["id"]

    assert shell.json("refund", charge_id, "--yes")["refund"]["state"] == "DONE"


@pytest.mark.rule("R-190")
def test_a_ledger_row_refunded_under_a_key_is_refunded_once(shell):
    charged(shell)
    row = shell.json("ledger", "ST-1")["entries"][-1]["id"]
    first = shell.json("refund", row, "--yes", "--idempotency-key", "rma-9")

    assert shell.json("refund", row, "--yes", "--idempotency-key", "rma-9")["refund"] == first["refund"]


@pytest.mark.rule("R-249", "R-250")
def test_a_refund_by_hand_is_due_until_somebody_has_made_it(shell):
    charge_id = charged_by_telecom(shell)["id"]
    result = shell("refund", charge_id, "--yes")
    (due,) = shell.json("refunds", "dues")

    assert result.exit_code == 0
    assert f"paygate refunds done {due['id']}" in result.stderr
    assert shell.json("refunds", "done", due["id"], "--on", "2026-11-20", "--note", "bank")["done_on"] == "2026-11-20"
    assert shell.json("refunds", "dues") == []


def test_the_ledger_shows_the_sale_the_refund_and_the_net(shell):
    shell.json("refund", charged(shell)["id"], "2000", "--yes")
    told = said(shell("ledger", "ST-1").stdout)

    assert re.search(r"ADDON 5,000 JPY", told)
    assert re.search(r"REFUND 2,000 JPY DONE", told)
    assert "Net sales 6,000 JPY" in told


# --- mails, reconciliation, providers, database ----------------------------------------------------------------------


@pytest.mark.rule("R-227", "R-228")
def test_a_step_mail_is_held_back_set_running_and_deleted(shell):
    charged_by_telecom(shell)
    (mail,) = shell.json("step-mails", "list", "--contract", "TC-1")

    assert mail["due_at"] == "2026-11-20T10:05:00+09:00"
    assert shell.json("step-mails", "pause", mail["id"])["state"] == "PAUSED"
    assert shell.json("step-mails", "resume", mail["id"])["state"] == "QUEUED"
    assert shell("step-mails", "delete", mail["id"], answer="n\n").exit_code == 7
    assert shell("step-mails", "delete", mail["id"], answer="y\n").exit_code == 0
    assert [one["id"] for one in shell.json("step-mails", "list", "--state", "deleted")] == [mail["id"]]


def test_a_release_without_a_plugin_that_delivers_says_so(shell):
    assert shell.json("step-mails", "release") == {"released": [], "undeliverable": 0}


OBSERVER = """
from paygate import hookimpl

class Deaf:
    @hookimpl
    def on_charge_success(self, notice):
        raise RuntimeError("nobody home")
"""


def test_notices_that_no_observer_takes_are_shown_with_their_last_error(shell, monkeypatch):
    shell.write("deaf.py", OBSERVER)
    config = (shell.folder / "paygate.toml").read_text(encoding="utf-8")
    shell.write("paygate.toml", 'plugins = ["deaf:Deaf"]\n' + config)
    monkeypatch.syspath_prepend(shell.folder)
    charged(shell)
    with freeze_time("2026-11-22T01:00:00Z"):
        shell("reconcile")
    with freeze_time("2026-11-24T01:00:00Z"):
        result = shell("reconcile")

    assert result.exit_code == 0
    assert "Notices that no observer took" in result.stdout
    assert "nobody home" in result.stdout
    assert "Traceback" not in result.output


def test_mails_that_are_due_stay_queued_while_no_plugin_delivers_them(shell):
    charged(shell, "ST-1", "5000", "--step-mail")
    with freeze_time("2026-11-21T01:00:00Z"):
        result = shell("step-mails", "release")

    assert "1 or more are due, but no plugin delivers mail" in result.stderr


def test_reconciliation_ends_with_6_while_something_is_open_and_with_0_afterwards(shell):
    assert shell("reconcile").exit_code == 0
    shell("charge", "UP-1", "5000", *CONSENT, "--yes", "--no-wait")

    settled = shell.json("reconcile")

    assert len(settled["attempts"]["settled"]) == 1
    shell("charge", "TC-LOST", "5000", *CONSENT, "--yes")
    assert shell("reconcile").exit_code == 6


def test_the_capabilities_of_all_accounts_stand_side_by_side(shell):
    told = said(shell("providers").stdout)

    assert re.search(r"univapay +telecom|stripe", told)
    assert "renew_expiry" in told
    assert "no choice: becomes 2030-12-31" in told
    assert "refused 1 year after the last payment" in told


def test_capabilities_are_shown_without_a_database(shell):
    (shell.folder / "paygate.db").unlink()
    accounts = shell.json("providers")

    assert {account["account"] for account in accounts} == {"stripe", "telecom", "univapay", "amazonpay"}
    assert accounts[0]["capabilities"]["results"]
    assert not (shell.folder / "paygate.db").exists()


def test_an_account_is_pinged(shell):
    assert shell.json("providers", "ping", "stripe")["account"] == "stripe"
    assert shell("providers", "ping", "strpe").exit_code == 4


def test_installed_plugins_are_listed_without_a_configuration(shell):
    (shell.folder / "paygate.toml").unlink()

    assert "fake-stripe" in {plugin["name"] for plugin in shell.json("plugins")}


def test_an_empty_database_is_set_up_and_a_second_upgrade_changes_nothing(shell):
    url = "sqlite:///other.db"
    first = shell.json("db", "upgrade", "--database", url)

    assert first["before"] is None
    assert shell.json("db", "upgrade", "--database", url) == {"before": first["after"], "after": first["after"]}
    assert "Changed no" in said(shell("db", "upgrade").stdout)


def test_delivered_notices_are_removed_once_they_are_old(shell):
    def fill(days: int, *, delivered: bool) -> None:
        at = dt.datetime(2026, 11, 20, 1, tzinfo=dt.UTC) - dt.timedelta(days=days)
        store = Store.open(f"sqlite:///{shell.folder / 'paygate.db'}", clock=SystemClock())
        with contextlib.closing(store), store.write() as session:
            name = f"{days}-{delivered}"
            session.outbox.put("on_refund", None, {}, id=name, at=at)
            if delivered:
                session.outbox.delivered(name, at)

    fill(100, delivered=True)
    fill(95, delivered=False)
    fill(91, delivered=True)
    fill(40, delivered=True)

    assert shell.json("db", "purge") == {"removed": 2}
    assert "Removed 1" in said(shell("db", "purge", "--older-than", "30").stdout)
    for wrong in ("0d", "a week", "-1"):
        assert shell("db", "purge", "--older-than", wrong).exit_code == 2


@pytest.mark.rule("R-286")
def test_that_a_backup_was_restored_is_noted_and_shown(shell):
    told = shell.json("db", "restored")

    assert told["since"] is not None
    assert told["at"] >= told["since"]
    assert "Newest in the backup" in said(shell("db", "restored").stdout)
