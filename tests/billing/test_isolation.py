"""Each account's and each item's trouble is its own: it is reported, and everything else goes on (R-345 to R-349)."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from paygate import JST, BankTransfer, Card, Customer, Money
from paygate.billing.importing import NewContract
from paygate.billing.running import BillingReport, Work
from paygate.domain.charge import ChargeState, RefundState
from paygate.domain.contract import Status
from paygate.errors import ConfigurationError, InvalidValue, NotFound, ProviderUnavailable, WebhookIncomplete
from paygate.provider import ChargeRequest, ChargeResult, Found, LookupRequest, ProviderEvent, Webhook
from paygate.store import tables
from paygate.store.database import create_engine
from paygate.testing import Decline, FakeStripe, FakeUnivaPay, ManualClock, StayPending, Vanish

from .conftest import PLAN, World

RENEWAL = dt.datetime(2026, 2, 15, 9, 0, tzinfo=JST)


class Troubled(FakeStripe):
    """A Stripe that raises what it is told to, from the hooks that it is told to."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.raising: dict[str, Callable[[], Exception]] = {}
        self.asked = 0
        self.refused: set[str] = set()

    def _trouble(self, hook: str) -> None:
        self.asked += 1
        if hook in self.raising:
            error = self.raising[hook]()
            raise error

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        self._trouble("charge")
        if request.credential in self.refused:
            raise InvalidValue("a stored card is 'cus_…/pm_…'; this one cannot be charged")
        return await super().charge(request)

    async def find_charge(self, request: LookupRequest) -> Found:
        self._trouble("find_charge")
        return await super().find_charge(request)

    async def find_refund(self, request: LookupRequest) -> Found:
        self._trouble("find_refund")
        return await super().find_refund(request)


@pytest.fixture
def troubled(world: World) -> World:
    """The world with a Stripe that can be made to raise."""
    world.stripe = Troubled(world.clock)
    world.options["providers"]["stripe"] = world.stripe
    world.reopen()
    return world


def _without(world: World, account: str) -> None:
    """The configuration has no such account any more."""
    del world.options["providers"][account]
    world.reopen()


def _damage(world: World, contract_id: str, plan: str = "{}") -> str:
    """What is stored of a contract's plan cannot be read any more; returns what it was."""
    engine = create_engine(world.url)
    with engine.begin() as connection:
        given = {"id": contract_id, "plan": plan}
        before = connection.execute(
            sa.text(f"SELECT plan FROM {tables.contracts.name} WHERE id = :id"), given
        ).scalar_one()
        connection.execute(sa.text(f"UPDATE {tables.contracts.name} SET plan = :plan WHERE id = :id"), given)
    engine.dispose()
    return str(before)


def _codes(report: Any) -> list[tuple[str | None, str]]:
    return [(problem.contract_id, problem.code) for problem in report.problems]


# --- the billing run -------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-345")
def test_an_account_that_is_missing_from_the_configuration_blocks_only_its_own_contracts(world: World) -> None:
    gone, here = world.contract("univapay"), world.contract("stripe", customer="cus_2")
    _without(world, "univapay")
    world.clock.set(RENEWAL)

    planned = {item.contract_id: item for item in world.gateway.billing.plan()}
    report = world.gateway.billing.run()

    assert (report.renewed, report.blocked) == (1, 1)
    assert _codes(report) == [(gone.id, "account_missing")]
    assert "no provider account 'univapay' is configured" in report.problems[0].reason
    assert planned[gone.id].work is Work.NOTHING
    assert "'univapay' is configured" in planned[gone.id].why
    assert planned[here.id].work is Work.RENEWAL
    assert world.gateway.contracts.get(gone.id).status is Status.ACTIVE


@pytest.mark.rule("R-345")
def test_what_needs_no_provider_is_done_although_the_account_is_missing(world: World) -> None:
    contract = world.contract("univapay")
    world.gateway.contracts.schedule_cancellation(contract.id)
    _without(world, "univapay")
    world.clock.set(RENEWAL)

    report = world.gateway.billing.run()

    assert (report.cancelled, report.blocked) == (1, 0)
    assert world.gateway.contracts.get(contract.id).status is Status.TERMINATED


@pytest.mark.rule("R-345")
def test_a_retry_whose_account_is_missing_is_blocked_and_the_other_retries_are_made(troubled: World) -> None:
    stays, goes = troubled.contract("stripe"), troubled.contract("univapay", customer="cus_2")
    troubled.stripe.script_for("tok_stripe_cus_1", Decline("insufficient_funds"))
    troubled.univapay.script_for("tok_univapay_cus_2", Decline())
    troubled.clock.set(RENEWAL)
    troubled.gateway.billing.run()
    troubled.clock.advance(minutes=5)
    troubled.deliver("univapay")
    assert {troubled.gateway.contracts.get(it.id).status for it in (stays, goes)} == {Status.PAST_DUE}
    _without(troubled, "univapay")
    troubled.clock.advance(days=60)

    report = troubled.gateway.billing.run()

    assert (report.failed, report.blocked) == (1, 1)
    assert _codes(report) == [(goes.id, "account_missing")]
    assert troubled.gateway.contracts.get(stays.id).past_due is not None
    assert [item.contract_id for item in troubled.gateway.billing.plan() if item.work is Work.NOTHING] == [goes.id]


@pytest.mark.rule("R-346")
@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("stripe: the key is not accepted (HTTP 401)"),
        ProviderUnavailable("stripe: connection refused"),
    ],
    ids=["refuses its key", "down"],
)
def test_an_account_that_sends_nothing_three_times_in_a_row_is_left_alone_and_nobody_is_past_due(
    troubled: World, error: Exception
) -> None:
    contracts = [troubled.contract("stripe", customer=f"cus_{number}") for number in range(6)]
    other = troubled.contract("univapay", customer="cus_7")
    troubled.stripe.raising["charge"] = lambda: error
    troubled.stripe.asked = 0
    troubled.clock.set(RENEWAL)

    report = troubled.gateway.billing.run()

    assert troubled.stripe.asked == 3
    assert (report.unsent, report.blocked, report.suspended) == (3, 3, 0)
    assert {code for _, code in _codes(report)} == {"account_paused"}
    assert str(error) in report.problems[0].reason
    assert {troubled.gateway.contracts.get(contract.id).status for contract in contracts} == {Status.ACTIVE}
    [charge] = [it for it in troubled.gateway.charges.list(contract_id=other.id) if it.period_start == RENEWAL.date()]
    assert charge.account == "univapay"

    troubled.stripe.raising.clear()
    assert troubled.gateway.billing.run().renewed == 6


@pytest.mark.rule("R-346")
def test_attempts_that_a_plugin_refuses_for_what_is_asked_keep_no_other_from_being_made(troubled: World) -> None:
    contracts = [troubled.contract("stripe", customer=f"cus_{number}") for number in range(6)]
    troubled.stripe.refused = {f"tok_stripe_cus_{number}" for number in range(5)}
    troubled.clock.set(RENEWAL)

    report = troubled.gateway.billing.run()

    assert (report.unsent, report.blocked, report.renewed) == (5, 0, 1)
    assert troubled.gateway.contracts.get(contracts[5].id).expires_on == dt.date(2026, 3, 15)


@pytest.mark.rule("R-346")
def test_an_account_that_leaves_every_outcome_unknown_is_not_asked_more_than_ten_times(troubled: World) -> None:
    rows = [
        NewContract(f"con_{number}", Customer(f"cus_{number}"), PLAN, Card("stripe", "t"), dt.date(2026, 1, 15))
        for number in range(14)
    ]
    troubled.gateway.contracts.import_many(rows)
    troubled.stripe.raising["charge"] = lambda: KeyError("payment_method")
    troubled.stripe.asked = 0
    troubled.clock.set(RENEWAL)

    report = troubled.gateway.billing.run()

    assert (troubled.stripe.asked, report.unknown, report.blocked, report.suspended) == (10, 10, 4, 0)
    assert {code for _, code in _codes(report)} == {"account_paused"}


@pytest.mark.rule("R-345")
def test_a_contract_that_cannot_be_read_is_blocked_and_the_others_are_renewed(world: World) -> None:
    contracts = [world.contract("stripe", customer=f"cus_{number}") for number in range(3)]
    _damage(world, contracts[0].id)
    world.clock.set(RENEWAL)

    planned = {item.contract_id: item.work for item in world.gateway.billing.plan()}
    report = world.gateway.billing.run()

    assert (report.renewed, report.blocked) == (2, 1)
    assert _codes(report) == [(contracts[0].id, "unexpected")]
    assert report.problems[0].reason.startswith("KeyError: ")
    assert planned == {contracts[0].id: Work.NOTHING, contracts[1].id: Work.RENEWAL, contracts[2].id: Work.RENEWAL}


@pytest.mark.rule("R-345")
def test_a_report_describes_the_first_hundred_problems_and_counts_all(world: World) -> None:
    row = NewContract("", Customer("cus_x"), PLAN, Card("univapay", "tok_x"), dt.date(2026, 1, 1))
    many = [_numbered(row, number) for number in range(120)]
    world.gateway.contracts.import_many(many)
    _without(world, "univapay")
    world.clock.set(RENEWAL)

    report = world.gateway.billing.run()

    assert (report.blocked, len(report.problems)) == (120, 100)


def _numbered(row: NewContract, number: int) -> NewContract:
    return attrs.evolve(row, contract_id=f"con_{number:03}", customer=Customer(f"cus_{number}"))


@pytest.mark.rule("R-345")
def test_an_interrupt_still_ends_the_run(world: World) -> None:
    world.contract("stripe")
    world.contract("stripe", customer="cus_2")
    world.clock.set(RENEWAL)
    seen: list[BillingReport] = []

    def interrupt(report: BillingReport) -> None:
        seen.append(report)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.gateway.billing.run(progress=interrupt)

    assert [report.renewed for report in seen] == [1]


@pytest.mark.rule("R-347")
def test_a_database_that_is_gone_ends_the_run_and_is_no_trouble_of_a_contract(world: World) -> None:
    world.contract("stripe")
    world.contract("stripe", customer="cus_2")
    world.clock.set(RENEWAL)
    engine = create_engine(world.url)

    def lose_the_audit(report: BillingReport) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {tables.audit.name} RENAME TO gone")

    with pytest.raises(Exception, match=tables.audit.name):
        world.gateway.billing.run(progress=lose_the_audit)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE gone RENAME TO {tables.audit.name}")
    engine.dispose()


@pytest.mark.rule("R-345")
def test_a_step_mail_that_cannot_be_read_stays_queued_and_the_others_are_released(world: World) -> None:
    contracts = [world.contract("stripe", customer=f"cus_{number}") for number in range(3)]
    world.clock.set(RENEWAL)
    world.gateway.billing.run()
    engine = create_engine(world.url)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                f"UPDATE {tables.step_mails.name} SET mail_set = 'NO_SUCH_SET' WHERE contract_id = :id AND name = 'thanks'"
            ),
            {"id": contracts[0].id},
        )
    engine.dispose()
    world.clock.advance(hours=1)

    report = world.gateway.billing.run()

    assert (report.mails, report.blocked) == (2, 1)
    assert report.problems[0].mail_id is not None
    assert len([notice for notice in world.observer.of("mail") if notice.mail.name == "thanks"]) == 2


# --- reconciliation --------------------------------------------------------------------------------------------------


def _lost(world: World, *accounts: str) -> list[Any]:
    """Charges whose answers were lost, one for each account."""
    charges = []
    for number, account in enumerate(accounts):
        contract = world.contract(account, customer=f"cus_{number}")
        world.fake(account).next(Vanish(after=True))
        charges.append(world.charge(contract))
    world.clock.advance(hours=1)
    return charges


@pytest.mark.rule("R-345")
def test_an_account_that_is_missing_keeps_nothing_else_from_being_reconciled(world: World) -> None:
    gone, here = _lost(world, "univapay", "stripe")
    _without(world, "univapay")

    report = world.gateway.billing.reconcile()

    assert (report.settled, report.blocked) == ((here.id,), 1)
    assert gone.id in report.still_open
    assert [(problem.charge_id, problem.code) for problem in report.problems] == [(gone.id, "account_missing")]


@pytest.mark.rule("R-345")
@pytest.mark.parametrize("error", [KeyError("data"), ConfigurationError("the key is not accepted")])
def test_a_plugin_that_raises_in_a_look_up_blocks_its_own_charge_only(troubled: World, error: Exception) -> None:
    broken, here = _lost(troubled, "stripe", "univapay")
    troubled.stripe.raising["find_charge"] = lambda: error

    report = troubled.gateway.billing.reconcile()

    assert report.settled == (here.id,)
    assert [problem.charge_id for problem in report.problems] == [broken.id]
    assert troubled.gateway.charges.get(broken.id).state is ChargeState.UNKNOWN

    troubled.stripe.raising.clear()
    assert troubled.gateway.billing.reconcile().settled == (broken.id,)


@pytest.mark.rule("R-345", "R-193")
def test_an_attempt_that_cannot_be_looked_up_becomes_unknown_and_is_reported_to_the_operator(troubled: World) -> None:
    contract = troubled.contract("stripe")
    troubled.stripe.next(StayPending(10**7))
    charge = troubled.charge(contract)
    assert charge.state is ChargeState.PENDING
    troubled.stripe.raising["find_charge"] = lambda: KeyError("data")
    troubled.clock.advance(days=2)

    troubled.gateway.billing.reconcile()

    assert troubled.gateway.charges.get(charge.id).state is ChargeState.UNKNOWN
    assert [notice.charge_id for notice in troubled.observer.of("operator")] == [charge.id]


@pytest.mark.rule("R-346")
@pytest.mark.parametrize("error", [ProviderUnavailable("connection refused"), ConfigurationError("key refused")])
def test_a_provider_that_cannot_be_asked_is_asked_three_times_in_a_run(troubled: World, error: Exception) -> None:
    charges = _lost(troubled, *["stripe"] * 6)
    troubled.stripe.raising["find_charge"] = lambda: error
    troubled.stripe.asked = 0

    report = troubled.gateway.billing.reconcile()

    assert troubled.stripe.asked == 3
    assert report.still_open == tuple(charge.id for charge in charges)
    assert [problem.code for problem in report.problems][-3:] == ["account_paused"] * 3


@pytest.mark.rule("R-345")
def test_a_refund_that_cannot_be_looked_up_blocks_itself_only(troubled: World) -> None:
    refunds = []
    for number in range(2):
        contract = troubled.contract("stripe", customer=f"cus_{number}")
        charge = troubled.settled(contract)
        troubled.stripe.next_refund(Vanish(after=True))
        refunds.append(troubled.gateway.refunds.create(charge.id, Money(1000, "JPY")))
    assert {refund.state for refund in refunds} == {RefundState.UNKNOWN}
    troubled.clock.advance(hours=1)
    first = [True]

    def once() -> Exception:
        if first:
            first.pop()
            return KeyError("refund")
        troubled.stripe.raising.clear()
        return ProviderUnavailable("a blip")

    troubled.stripe.raising["find_refund"] = once

    report = troubled.gateway.billing.reconcile()

    assert [problem.refund_id for problem in report.problems] == [refunds[0].id]
    assert troubled.gateway.billing.reconcile().settled == tuple(refund.id for refund in refunds)


# --- deliveries, notices, imports ------------------------------------------------------------------------------------


class Batching(FakeUnivaPay):
    """A UnivaPay that delivers all its notices at once."""

    held: tuple[Any, ...] = ()

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        events: list[ProviderEvent] = []
        for notice in self.held:
            events += await super().parse_webhook(Webhook(notice.headers, notice.body))
        return events


@pytest.mark.rule("R-348", "R-194")
def test_one_event_that_cannot_be_taken_does_not_lose_the_others_of_its_delivery(world: World) -> None:
    world.univapay = Batching(clock=world.clock)
    world.options["providers"]["univapay"] = world.univapay
    world.reopen()
    charges, held = [], []
    for number in range(3):
        contract = world.contract("univapay", customer=f"cus_{number}")
        world.univapay.next(StayPending())
        charges.append(world.charge(contract))
        world.univapay.finish(charges[-1].reference)
        held += world.univapay.notifications()
    world.univapay.held = tuple(held)
    good = _damage(world, charges[1].contract_id)

    with pytest.raises(WebhookIncomplete, match="1 of 3 events") as caught:
        world.gateway.webhooks.receive("univapay", {}, b"{}")

    assert caught.value.status == 500
    states = [world.gateway.charges.get(charge.id).state for charge in charges]
    assert states == [ChargeState.SUCCEEDED, ChargeState.PENDING, ChargeState.SUCCEEDED]

    _damage(world, charges[1].contract_id, good)
    receipt = world.gateway.webhooks.receive("univapay", {}, b"{}")
    assert [event.outcome for event in receipt.events] == ["repeated", "applied", "repeated"]


@pytest.mark.rule("R-348")
def test_a_notice_whose_subject_is_gone_does_not_keep_back_those_of_others(world: World) -> None:
    first, second = world.contract("stripe"), world.contract("stripe", customer="cus_2")
    broken = world.charge(first)
    engine = create_engine(world.url)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                f"UPDATE {tables.outbox.name} SET delivered_at = NULL, payload = :payload WHERE contract_id = :id AND kind = :kind"
            ),
            {"payload": '{"charge_id": "gone"}', "id": first.id, "kind": "on_charge_success"},
        )
    engine.dispose()
    world.observer.heard.clear()

    world.clock.advance(hours=1)

    charge = world.charge(second)
    world.gateway.billing.deliver()

    assert [notice.charge.id for notice in world.observer.of("success")] == [charge.id]
    assert broken.state is ChargeState.SUCCEEDED
    assert "notice_undeliverable" in [notice.code for notice in world.observer.of("operator")]


@pytest.mark.rule("R-348")
def test_a_row_that_cannot_be_stored_does_not_keep_the_others_from_being_imported(world: World) -> None:
    rows = [
        NewContract(name, Customer(f"cus_{name}", name=called), PLAN, BankTransfer(), dt.date(2026, 1, 1))
        for name, called in (("A", "山田"), ("B", "lone \ud800 surrogate"), ("C", "佐藤"))
    ]

    report = world.gateway.contracts.import_many(rows, skip_invalid=True)

    assert report.imported == ("A", "C")
    [(index, error)] = report.refused
    assert index == 1
    assert isinstance(error, InvalidValue)


# --- what is logged of it --------------------------------------------------------------------------------------------


@pytest.mark.rule("R-345")
def test_what_is_blocked_is_logged_with_its_ids(world: World, caplog: pytest.LogCaptureFixture) -> None:
    contract = world.contract("univapay")
    _without(world, "univapay")
    world.clock.set(RENEWAL)

    with caplog.at_level(logging.INFO, logger="paygate"):
        world.gateway.billing.run()

    [record] = [it for it in caplog.records if getattr(it, "event", "") == "blocked"]
    assert (record.levelname, record.contract_id, record.code) == ("WARNING", contract.id, "account_missing")  # type: ignore[attr-defined]
    assert record.account == "univapay"  # type: ignore[attr-defined]
    [summary] = [it for it in caplog.records if getattr(it, "event", "") == "billing_run"]
    assert summary.n_blocked == 1  # type: ignore[attr-defined]


@pytest.mark.rule("R-345")
def test_a_contract_whose_account_is_missing_can_be_looked_at(world: World) -> None:
    contract = world.contract("univapay")
    _without(world, "univapay")
    world.clock.set(RENEWAL)

    assert world.gateway.contracts.details(contract.id).contract.id == contract.id
    offers = {offer.operation.value: offer for offer in world.gateway.contracts.operations(contract.id)}
    assert not offers["charge_addon"].offered
    assert next(item.on for item in world.gateway.contracts.forecast(contract.id, months=2)) == RENEWAL.date()
    with pytest.raises(NotFound, match="'univapay' is configured"):
        world.charge(contract)
