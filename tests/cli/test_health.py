"""``paygate health``: what a monitor reads from its exit code."""

import logging

import pytest
from freezegun import freeze_time

from paygate import Card, Customer, Gateway, Money, Plan

pytestmark = pytest.mark.rule("R-354")


def test_a_shop_in_order_ends_with_0_and_one_that_nobody_bills_with_10(empty):
    assert empty("health").exit_code == 0
    with Gateway.open(empty.folder / "paygate.toml") as gateway:
        gold = Plan.recurring("Gold", Money(3000, "JPY"))
        gateway.contracts.create(Customer("cus-1"), gold, Card("stripe", "pm_one"), contract_id="ST-1")
    found = empty.json("health")
    assert found["troubles"] == []
    assert {it["account"]: it["reached"] for it in found["accounts"]}["stripe"] is True

    with freeze_time("2026-12-23T01:00:00Z"):
        result = empty("health", "--no-ping")
    assert result.exit_code == 10
    assert "contracts are due since 2026-12-20" in result.stdout


def test_a_database_that_is_not_paygates_ends_with_its_own_code(empty):
    (empty.folder / "paygate.db").unlink(missing_ok=True)
    (empty.folder / "paygate.db").write_bytes(b"not a database" * 100)
    assert empty("health").exit_code in {3, 9}


def test_logging_is_shown_on_standard_error_where_it_is_asked_for(empty):
    before = logging.getLogger("paygate").level
    result = empty("--log", "info", "bill", "--yes")
    assert "INFO paygate.billing: billing run: nothing to do" in result.stderr
    assert "INFO" not in empty("bill", "--yes").stderr
    assert (
        logging.getLogger("paygate").level == before
    )  # whoever calls the command in the own process keeps the own level
