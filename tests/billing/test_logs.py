"""What is logged: one line for each event, with ids as fields, and nothing secret among it (R-353)."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import pytest

from paygate import JST, Card, Customer, Gateway, Money, hookimpl
from paygate.billing.outbox import operator
from paygate.errors import Vetoed, WebhookRejected
from paygate.store import Store
from paygate.testing import Decline, FakeStripe, FakeUnivaPay, ManualClock, StayPending, Vanish

from .conftest import PLAN, World

#: What a card number, a stored credential, a customer's name and address look like in this story.
CANARIES = ("tok_stripe_", "tok_univapay_", "4111111111111111", "山田", "hanako", "@example.com", "hunter2")

#: Attributes that every record has; ids must not collide with them.
_PLAIN = set(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime"}


class Refusing:
    """An observer that vetoes charges of more than 9,000 JPY, and fails with a secret in its text."""

    @hookimpl
    def before_charge(self, proposal: Any) -> str | None:
        return "above the limit of this shop" if proposal.amount.minor > 9000 else None

    @hookimpl
    def on_charge_failure(self, notice: Any) -> None:
        raise ConnectionError("mail server: password=hunter2 card 4111 1111 1111 1111")


def _fields(records: list[logging.LogRecord], event: str) -> list[dict[str, Any]]:
    records = [record for record in records if getattr(record, "event", "") == event]
    return [{name: value for name, value in vars(record).items() if name not in _PLAIN} for record in records]


@pytest.fixture
def lines(world: World, caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """A decline, a retry, an unknown outcome, a veto, a forged webhook and a missing account, all logged."""
    world.options["plugins"] = [Refusing()]
    world.reopen()
    caplog.set_level(logging.INFO, logger="paygate")
    late, here, gone = (world.contract(name, customer=f"cus_{name}") for name in ("stripe", "univapay", "telecom"))
    world.stripe.script_for("tok_stripe_cus_stripe", Decline("insufficient_funds"))
    world.univapay.next(Vanish(after=True))
    world.charge(here)
    with pytest.raises(Vetoed):
        world.charge(late, 9500)
    world.univapay.next(StayPending())
    with pytest.raises(WebhookRejected):
        world.gateway.webhooks.receive("univapay", {"authorization": "hunter2"}, b'{"card": "4111111111111111"}')
    world.clock.set(dt.datetime(2026, 2, 15, 9, 0, tzinfo=JST))
    world.gateway.billing.run()
    del world.options["providers"]["telecom"]
    world.reopen()
    world.clock.advance(days=4)
    world.gateway.billing.run()
    world.gateway.billing.reconcile()
    assert gone.account == "telecom"
    return list(caplog.records)


@pytest.mark.rule("R-353")
def test_each_event_is_one_line_of_its_level_with_its_ids(world: World, lines: list[logging.LogRecord]) -> None:
    seen = [(getattr(line, "event", ""), line.levelname) for line in lines]

    for event, level in {
        "charge_declined": "INFO",
        "charge_unknown": "WARNING",
        "retry_planned": "INFO",
        "vetoed": "INFO",
        "webhook_rejected": "WARNING",
        "notice_failed": "WARNING",
        "billing_run": "INFO",
        "reconciliation": "INFO",
    }.items():
        assert (event, level) in seen, event
    declined = _fields(lines, "charge_declined")[0]
    [charge] = [it for it in world.gateway.charges.list(contract_id="con_0") if it.id == declined["charge_id"]]
    assert declined == {
        "event": "charge_declined",
        "contract_id": "con_0",
        "charge_id": charge.id,
        "account": "stripe",
        "code": "insufficient_funds",
    }
    [planned, *_] = _fields(lines, "retry_planned")
    assert (planned["contract_id"], planned["on"]) == ("con_0", "2026-02-18")
    assert [it["contract_id"] for it in _fields(lines, "vetoed")] == ["con_0"]
    assert _fields(lines, "webhook_rejected")[0]["account"] == "univapay"
    assert {it["n_failed"] for it in _fields(lines, "billing_run")} == {1}


@pytest.mark.rule("R-353")
def test_nothing_secret_and_nobodys_name_is_in_any_line_or_field(lines: list[logging.LogRecord]) -> None:
    assert len(lines) > 8
    for record in lines:
        told = (
            f"{record.getMessage()} {record.exc_text or ''} {[v for k, v in vars(record).items() if k not in _PLAIN]}"
        )
        assert not [canary for canary in CANARIES if canary in told], told
        assert "\n" not in record.getMessage()


@pytest.mark.rule("R-353")
def test_a_line_is_written_once_its_transaction_is_committed_and_not_if_it_is_rolled_back(database_url: str) -> None:
    done = []
    store = Store.open(database_url, clock=ManualClock.jst(2026, 1, 15, 12, 0))
    with store.write() as session:
        session.after_commit.append(lambda: done.append("committed"))
        assert done == []
    assert done == ["committed"]

    def fails() -> None:
        with store.write() as session:
            session.after_commit.append(lambda: done.append("rolled back"))
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert done == ["committed"]
    store.close()


@pytest.mark.rule("R-353")
def test_setting_up_a_database_logs_nothing_of_the_migrations(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Gateway(database=f"sqlite:///{tmp_path}/new.db", providers={"stripe": FakeStripe()}):
        pass
    assert [record.getMessage() for record in caplog.records if record.name.startswith("alembic")] == []


@pytest.mark.rule("R-353")
def test_a_shop_that_configures_no_logging_sees_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("paygate")
    assert any(isinstance(handler, logging.NullHandler) for handler in logger.handlers)
    clock = ManualClock.jst(2026, 1, 15, 12, 0)
    univapay = FakeUnivaPay(clock=clock)
    with Gateway(database="sqlite://", providers={"univapay": univapay}, clock=clock) as gateway:
        contract = gateway.contracts.create(Customer("cus_1"), PLAN, Card("univapay", "tok_x"))
        clock.advance(hours=1)
        univapay.next(Vanish(after=True))
        gateway.charges.create(contract.id, Money(500, "JPY"), consent="phone")
    assert capfd.readouterr() == ("", "")


@pytest.mark.rule("R-353")
def test_a_handler_that_raises_changes_nothing_of_what_it_is_told(world: World) -> None:
    class Full(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError(28, "no space left on device")

    full = Full()
    logger = logging.getLogger("paygate")
    logger.addHandler(full)
    try:
        contract = world.contract("univapay")
        world.univapay.next(Vanish(after=True))
        assert world.charge(contract).open
        assert world.gateway.billing.run().unknown == 0
    finally:
        logger.removeHandler(full)


@pytest.mark.rule("R-353")
def test_an_unknown_outcome_is_one_warning(lines: list[logging.LogRecord]) -> None:
    unknown = {it["charge_id"] for it in _fields(lines, "charge_unknown")}

    assert unknown
    for charge in unknown:
        warned = [it for it in lines if it.levelname == "WARNING" and getattr(it, "charge_id", None) == charge]
        assert [getattr(it, "event", "") for it in warned] == ["charge_unknown"]


@pytest.mark.rule("R-353")
def test_the_line_of_an_operators_notice_names_the_account(world: World, caplog: pytest.LogCaptureFixture) -> None:
    contract = world.contract("stripe")
    services = world.gateway._services
    with services.store.write() as session:
        operator(services, session, "manual_refund_due", "look", now=services.now(), contract_id=contract.id)

    [told] = _fields(caplog.records, "operator_action_required")
    assert (told["contract_id"], told["account"], told["code"]) == (contract.id, "stripe", "manual_refund_due")
