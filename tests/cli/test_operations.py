"""``paygate contracts OPERATION``: what is shown and asked before, what is done, and how it ends."""

import json
import re

import pytest
from freezegun import freeze_time

from paygate import BankTransfer, Card, Customer, Gateway, Money, Plan

BOOK = Plan.one_off("Book", Money(8000, "JPY"))


def said(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text)


@pytest.fixture
def shop(shell):
    """The prepared contracts, and one of each kind that only some operations are for, with their money at the fakes."""
    with Gateway.open(shell.folder / "paygate.toml") as gateway:
        gold = Plan.recurring("Gold", Money(3000, "JPY"))
        gateway.contracts.create(Customer("cus-w", "鈴木"), gold, BankTransfer(), contract_id="WAIT")
        gateway.contracts.create(Customer("cus-b", "佐藤"), BOOK, Card("stripe", "pm_book"), contract_id="BOOK")
        gateway.contracts.create(Customer("cus-u", "田中"), BOOK, Card("univapay", "tok-u"), contract_id="BOOK-UP")
        gateway.contracts.create(Customer("cus-k", "高橋"), BOOK, BankTransfer(), contract_id="BOOK-BANK")
        gateway.contracts.confirm_payment("BOOK-BANK")
    return shell


def status(shop, contract: str) -> str:
    return shop.json("contracts", "show", contract)["contract"]["status"]


# --- undoing ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-084", "R-085")
def test_a_contract_that_is_not_paid_yet_is_undone_and_returns_nothing(shop):
    result = shop("contracts", "cancel", "WAIT", "--reason", "a duplicate", answer="y\n")

    assert result.exit_code == 0, result.output
    assert "Undo contract WAIT and return nothing?" in result.stderr
    assert "Status CANCELED" in said(result.stdout)
    assert shop.json("audit", "WAIT")[-1]["reason"] == "a duplicate"


@pytest.mark.rule("R-097", "R-272")
def test_what_goes_back_to_the_card_is_shown_before_the_question(shop):
    result = shop("contracts", "cancel-and-refund", "BOOK", answer="n\n")

    asked = said(result.stderr)
    assert result.exit_code == 7
    assert "Customer 佐藤 (cus-b)" in asked
    assert re.search(r"Goes back 1 8,000 JPY of row \w+, through account stripe", asked)
    assert "Undo contract BOOK and return 8,000 JPY? [y/N]" in asked
    assert status(shop, "BOOK") == "ESTABLISHED"
    assert shop.json("refunds", "list") == []


@pytest.mark.rule("R-097", "R-098")
def test_agreeing_returns_the_money_and_undoes_the_contract(shop):
    result = shop("contracts", "cancel-and-refund", "BOOK", answer="y\n")

    told = said(result.stdout)
    assert result.exit_code == 0
    assert "Status CANCELED" in told
    assert re.search(r"8,000 JPY DONE no stripe", told)
    assert shop.json("ledger", "BOOK")["net"]["minor"] == 0


@pytest.mark.rule("R-100")
def test_additional_charges_are_kept_unless_they_are_to_go_back_too(shop):
    shop.json("charge", "BOOK", "500", "--consent", "phone", "--yes")

    kept = shop("contracts", "cancel-and-refund", "BOOK", answer="n\n")
    result = shop.json("contracts", "cancel-and-refund", "BOOK", "--include-addons", "--yes")

    assert "Not returned 500 JPY of additional charges; --include-addons returns them" in said(kept.stderr)
    assert sorted(refund["amount"]["minor"] for refund in result["refunds"]) == [500, 8000]


def test_a_refund_on_its_way_ends_with_6_and_says_what_to_do(shop):
    result = shop("contracts", "cancel-and-refund", "BOOK-UP", "--yes")

    assert result.exit_code == 6
    assert "run paygate reconcile" in result.stderr
    assert status(shop, "BOOK-UP") == "CANCELED"


@pytest.mark.rule("R-094", "R-096")
def test_a_purchase_without_a_card_goes_back_by_hand(shop):
    asked = shop("contracts", "cancel-with-manual-refund", "BOOK-BANK", answer="n\n")
    result = shop("contracts", "cancel-with-manual-refund", "BOOK-BANK", "--yes")
    (due,) = shop.json("refunds", "dues")

    assert "by hand: a person returns it" in asked.stderr
    assert result.exit_code == 0
    assert f"paygate refunds done {due['id']}" in result.stderr
    assert due["amount"]["minor"] == 8000


@pytest.mark.rule("R-023", "R-024", "R-102")
@pytest.mark.parametrize(
    ("command", "contract", "why"),
    [
        ("cancel", "ST-1", "not in this status"),
        ("cancel-and-refund", "BOOK-BANK", "for contracts paid by card only"),
        ("cancel-with-manual-refund", "BOOK", "the money goes back through the provider"),
        ("terminate", "ST-1", "not in this status"),
    ],
)
def test_what_is_not_offered_is_refused_with_its_reason_and_without_a_question(shop, command, contract, why):
    result = shop("contracts", command, contract)

    assert result.exit_code == 4
    assert why in result.stderr
    assert "[y/N]" not in result.stderr


@pytest.mark.parametrize("command", ["cancel", "cancel-with-manual-refund", "cancel-and-refund", "terminate"])
def test_a_program_has_to_say_yes_beforehand(shop, command):
    result = shop("contracts", command, "WAIT", "--json")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["message"].endswith("add --yes to go ahead without a question")


# --- suspending, resuming, reminding, ending -------------------------------------------------------------------------


@pytest.mark.rule("R-111", "R-119", "R-122")
def test_a_contract_is_suspended_and_resumes_when_its_payment_has_come(shop):
    stopped = shop.json("contracts", "suspend", "BT-1", "--reason", "no transfer")["contract"]
    running = shop.json("contracts", "resume", "BT-1", "--received-at", "2026-11-19 12:00")["contract"]

    assert (stopped["status"], running["status"]) == ("PAST_DUE", "ACTIVE")
    assert [one["action"] for one in shop.json("audit", "BT-1")][-2:] == ["suspend", "resume"]


@pytest.mark.rule("R-138")
def test_ending_at_once_is_asked_and_then_final(shop):
    shop.json("contracts", "suspend", "BT-1")

    refused = shop("contracts", "terminate", "BT-1", answer="n\n")
    result = shop("contracts", "terminate", "BT-1", "--reason", "gone", answer="y\n")

    assert refused.exit_code == 7
    assert "Unpaid since 2026-10-31" in said(refused.stderr)
    assert "Status TERMINATED" in said(result.stdout)
    assert "Ended 2026-11-20" in said(result.stdout)


@pytest.mark.rule("R-124", "R-133")
def test_a_scheduled_cancellation_names_its_day_and_the_last_day_of_use_and_can_be_revoked(shop):
    told = said(shop("contracts", "schedule-cancellation", "ST-1", "--reason", "asked by phone").stdout)

    assert "Status CANCEL_SCHEDULED" in told
    assert "Ends on 2026-11-30" in told
    assert "Last day of use 2026-11-29" in told
    assert shop.json("contracts", "revoke-cancellation", "ST-1")["contract"]["status"] == "ACTIVE"


@pytest.mark.rule("R-127")
def test_a_notice_on_a_renewal_day_is_refused_and_says_when_it_is_possible(shop):
    with freeze_time("2026-11-30T01:00:00Z"):
        result = shop("contracts", "schedule-cancellation", "ST-1")

    assert result.exit_code == 4
    assert "R-127" in result.stderr


@pytest.mark.rule("R-159")
def test_the_customer_is_reminded_of_a_late_payment(shop):
    shop.json("contracts", "send-dunning-mail", "WAIT", "--due-on", "2026-12-01")

    assert shop.json("audit", "WAIT")[-1]["action"] == "send_dunning_mail"


@pytest.mark.rule("R-233")
def test_mails_that_stay_queued_are_mentioned(shop):
    shop("charge", "ST-1", "5000", "--consent", "phone", "--step-mail", "--yes")

    result = shop("contracts", "schedule-cancellation", "ST-1")

    assert "1 step mail(s) are still queued" in result.stderr


# --- deleting and access ---------------------------------------------------------------------------------------------


@pytest.mark.rule("R-261", "R-262", "R-272")
def test_deleting_warns_shows_what_goes_back_and_wants_the_id_typed(shop):
    result = shop("contracts", "delete", "BOOK", "--reason", "a mistake", answer="BOK\n")

    asked = said(result.stderr)
    assert result.exit_code == 4
    assert "It is meant only for mistaken applications" in asked
    assert re.search(r"Goes back 1 8,000 JPY of row \w+ through account stripe", asked)
    assert status(shop, "BOOK") == "ESTABLISHED"


@pytest.mark.rule("R-254", "R-263")
def test_a_deleted_contract_is_gone_its_money_returned_and_its_record_stays(shop):
    result = shop("contracts", "delete", "BOOK", "--reason", "a mistake", answer="BOOK\n")

    assert result.exit_code == 0, result.output
    assert re.search(r"8,000 JPY DONE stripe", said(result.stdout))
    assert shop("contracts", "show", "BOOK").exit_code == 4
    (record,) = shop.json("audit", "BOOK")
    assert (record["action"], record["reason"]) == ("delete", "a mistake")


@pytest.mark.rule("R-260")
def test_what_only_a_person_can_return_is_named_after_deleting(shop):
    result = shop("contracts", "delete", "BOOK-BANK", "--confirm", "BOOK-BANK", "--reason", "a mistake")

    assert result.exit_code == 0
    assert "return 8,000 JPY by hand" in result.stderr


def test_a_program_confirms_a_deletion_by_option(shop):
    assert shop("contracts", "delete", "BOOK", "--reason", "a mistake", "--json").exit_code == 2
    report = shop.json("contracts", "delete", "BOOK", "--reason", "a mistake", "--confirm", "BOOK")
    assert report["tombstone"]["action"] == "delete"


@pytest.mark.rule("R-059", "R-072")
def test_access_says_what_is_open_and_why_the_rest_is_closed(shop):
    (now,) = shop.json("access", "ST-1")
    (later,) = shop.json("access", "ST-1", "--on", "2026-12-01 00:00")

    assert (now["open"], now["text"]) == (True, "paid for, and the contract runs")
    assert (later["open"], later["reason"]) == (False, "EXPIRED")
    assert "the paid time is over" in shop("access", "ST-1", "--on", "2026-12-01 00:00").stdout
