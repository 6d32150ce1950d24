"""A billing run that is killed at any point, and what the next one makes of it: the same as if nothing had happened.

The points are right before each commit, whose transaction is then lost, and right after it, when nobody has been told. A
process that dies at any other moment leaves the same traces as at one of these: whatever it does to the world lies between
two of them, the provider's and the observers' answers too. For each kind of work the run is killed at its first point, then
at its second, and so on until it gets through.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from paygate import (
    JST,
    BankTransfer,
    Card,
    Charge,
    ChargeState,
    Contract,
    Customer,
    Gateway,
    Money,
    Plan,
    Product,
    ProductType,
    Status,
)
from paygate.domain.charge import ChargeKind
from paygate.domain.ledger import EntryKind
from paygate.domain.retry_schedule import RetrySchedule
from paygate.provider import DeclineClass
from paygate.store import Session, Store
from paygate.testing import Decline, Succeed, Vanish

from .conftest import Killed, World

MAGAZINE = Plan.recurring("Magazine", Money(800, "JPY"), products=(Product("mag", ProductType.MONTHLY_MAGAZINE),))
LAST_ISSUE = Plan.recurring(
    "Magazine", Money(800, "JPY"), products=(Product("mag", ProductType.MONTHLY_MAGAZINE, end_month="2026-02"),)
)
TRIAL = Plan.recurring("Trial", Money(3000, "JPY"), special_price=Money(500, "JPY"), special_periods=1)
START = dt.datetime(2026, 1, 15, 12, 0, tzinfo=JST)
SOFT = Decline("insufficient_funds", DeclineClass.SOFT)


@attrs.define
class Reaper:
    """Kills at the point with the number *left*, counted down; 0: at none."""

    left: int = 0

    def point(self) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                raise Killed


REAPER = Reaper()


class MortalStore(Store):
    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
            REAPER.point()
        REAPER.point()


@attrs.define
class Shop:
    """A shop whose runs may die, and one contract at a time that something is due for.

    :param doomed: the process that is killed; what comes before and after is done by another one, on the same database.
    """

    world: World
    doomed: Gateway
    number: int = 0

    @property
    def gateway(self) -> Gateway:
        return self.world.gateway

    @property
    def token(self) -> str:
        return f"tok_{self.number}"

    def at(self, text: str) -> None:
        self.world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))

    def sign_up(self, plan: Plan, account: str = "stripe", **options: Any) -> Contract:
        customer = Customer(f"cus_{self.number}", "山田花子", "hanako@example.com")
        payment = Card(account, self.token) if account else BankTransfer()
        contract = self.gateway.contracts.create(customer, plan, payment, contract_id=f"con_{self.number}", **options)
        return contract if account else self.gateway.contracts.confirm_payment(contract.id)

    def recover(self) -> None:
        """What a scheduler does anyway, some minutes later; again when the mails of a late renewal are due."""
        self.world.clock.advance(minutes=6)
        self.gateway.billing.reconcile()
        self.gateway.billing.run()
        self.world.clock.advance(minutes=6)
        self.gateway.billing.run()

    def forget(self, contract: Contract) -> None:
        """The contract is done with: no later run has to look at it."""
        for charge in self.charges(contract):
            if charge.open:
                self.gateway.charges.resolve(charge.id, succeeded=False, note="provider's console")
        if self.gateway.contracts.get(contract.id).status is Status.PAST_DUE:
            self.gateway.contracts.terminate(contract.id, reason="the next one has its turn")

    def charges(self, contract: Contract) -> list[Charge]:
        return self.gateway.charges.list(contract_id=contract.id).all()

    def captured(self, contract: Contract) -> list[int]:
        """What the provider really took, whatever we know of it."""
        attempts = {charge.id for charge in self.charges(contract)}
        account = contract.account
        book = self.world.fake(account).book.captures if account else []
        return [row.amount.minor for row in book if row.attempt in attempts]

    def told(self) -> list[object]:
        """Who was told what, each once, in the order of the first time; but not of charges that were never sent."""
        said: list[object] = []
        for hook, notice in self.world.observer.heard:
            match hook:
                case "success":
                    said.append((hook, notice.charge.period_start, notice.charge.amount))
                case "failure" if notice.charge.failure.sent:
                    said.append((hook, notice.charge.period_start, notice.charge.amount))
                case "mail":
                    said.append((hook, notice.mail.name, notice.mail.queued_at.astimezone(JST).date()))
                case "notice":
                    said.append((hook, notice.notice.kind, notice.notice.audience))
                case "operator":
                    said.append((hook, notice.code))
        return list(dict.fromkeys(said))

    def outcome(self, contract: Contract) -> dict[str, object]:
        """Everything that a run changes, without ids and times of day."""
        now = self.gateway.contracts.get(contract.id)
        rows = self.gateway.ledger.list(contract_id=contract.id)
        mails = self.gateway.step_mails.list(contract_id=contract.id)
        steps = [record.action for record in self.gateway.audit.list(contract_id=contract.id)]
        return {
            "status": now.status,
            "dates": (now.expires_on, now.period_start, now.ended_on),
            "past due": now.past_due and (now.past_due.period_start, now.past_due.failures, now.past_due.exhausted),
            "cancellation": now.cancellation and (now.cancellation.origin, now.cancellation.effective_on),
            "ledger": [(row.kind, row.purchased_on, row.target_on, row.amount.minor, row.state) for row in rows],
            "access": [(one.scope, one.open) for one in self.gateway.contracts.access(contract.id)],
            "mails": [(mail.name, mail.state) for mail in mails],
            "audit": [step for step in steps if step not in {"charge_failed", "charge_unknown"}],
            "captured": self.captured(contract),
            "open": [charge.state for charge in self.charges(contract) if charge.open],
            "told": self.told(),
        }


@pytest.fixture
def shop(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    world.options["schedules"] = {"stripe": RetrySchedule((3,), ends_contract=True)}
    world.reopen()
    monkeypatch.setattr("paygate.gateway.assembly.Store", MortalStore)
    with Gateway(**world.options) as doomed:
        yield Shop(world, doomed)


# --- what is due -----------------------------------------------------------------------------------------------------


def start(shop: Shop) -> Contract:
    contract = shop.sign_up(MAGAZINE, start_on=dt.date(2026, 2, 1))
    shop.at("2026-02-01T03:00:00")
    return contract


def renewal(shop: Shop, account: str = "stripe") -> Contract:
    contract = shop.sign_up(MAGAZINE, account)
    shop.at("2026-02-15T03:00:00")
    return contract


def missed_renewals(shop: Shop) -> Contract:
    contract = shop.sign_up(TRIAL)  # the special period ends among them
    shop.at("2026-03-16T03:00:00")
    return contract


def bank_renewals(shop: Shop) -> Contract:
    contract = shop.sign_up(MAGAZINE, account="")
    shop.at("2026-03-20T03:00:00")
    return contract


def suspension(shop: Shop) -> Contract:
    contract = shop.sign_up(MAGAZINE)
    shop.world.stripe.script_for(shop.token, SOFT)
    shop.at("2026-02-15T03:00:00")
    return contract


def retry(shop: Shop) -> Contract:
    contract = suspension(shop)
    shop.gateway.billing.run()
    shop.world.stripe.script_for(shop.token, Succeed())
    shop.at("2026-02-18T03:00:00")
    return contract


def last_retry(shop: Shop) -> Contract:
    contract = suspension(shop)
    shop.gateway.billing.run()
    shop.at("2026-02-18T03:00:00")
    return contract


def cancellation(shop: Shop) -> Contract:
    contract = shop.sign_up(MAGAZINE)
    shop.gateway.contracts.schedule_cancellation(contract.id)
    shop.at("2026-02-15T03:00:00")
    return contract


def product_end(shop: Shop) -> Contract:
    contract = shop.sign_up(LAST_ISSUE)
    shop.at("2026-03-16T03:00:00")
    return contract


def step_mails(shop: Shop) -> Contract:
    contract = shop.sign_up(MAGAZINE)
    for amount in (500, 600):
        shop.gateway.charges.create(contract.id, Money(amount, "JPY"), consent="phone", send_step_mail=True)
    shop.at("2026-01-16T03:00:00")
    return contract


def lost_answer(shop: Shop) -> Contract:
    contract = renewal(shop)
    shop.world.stripe.next(Vanish(after=True))
    shop.gateway.billing.run()
    shop.world.clock.advance(minutes=5)
    return contract


# --- and what becomes of it ------------------------------------------------------------------------------------------


def survive(
    shop: Shop, due: Callable[[Shop], Contract], work: Callable[[], object], *, killed_at: int
) -> Contract | None:
    """One contract from its application to the *work*, which is killed, and on; None if there is no such point."""
    shop.world.clock.set(START)
    shop.number += 1
    contract = due(shop)
    shop.world.observer.heard.clear()
    REAPER.left = killed_at
    try:
        work()
    except Killed:
        return contract
    else:
        return None if killed_at else contract
    finally:
        REAPER.left = 0


def at_every_point(
    shop: Shop, due: Callable[[Shop], Contract], work: Callable[[], object]
) -> Iterator[tuple[int, Contract]]:
    """The contracts that live through the death of the *work* at its first point, its second one, …; after recovery."""
    for point in itertools.count(1):
        contract = survive(shop, due, work, killed_at=point)
        if contract is None:
            return
        shop.recover()
        yield point, contract
        shop.forget(contract)


def undisturbed(shop: Shop, due: Callable[[Shop], Contract], work: Callable[[], object]) -> dict[str, object]:
    contract = survive(shop, due, work, killed_at=0)
    assert contract is not None
    shop.recover()
    outcome = shop.outcome(contract)
    shop.forget(contract)
    return outcome


@pytest.mark.rule("R-040", "R-041", "R-268", "X-05")
@pytest.mark.parametrize(
    ("due", "captured", "status"),
    [
        (start, [800], Status.ACTIVE),
        (renewal, [800, 800], Status.ACTIVE),
        (missed_renewals, [500, 3000, 3000], Status.ACTIVE),
        (bank_renewals, [], Status.ACTIVE),
        (suspension, [800], Status.PAST_DUE),
        (retry, [800, 800], Status.ACTIVE),
        (last_retry, [800], Status.TERMINATED),
        (cancellation, [800], Status.TERMINATED),
        (product_end, [800, 800], Status.TERMINATED),
        (step_mails, [800, 500, 600], Status.ACTIVE),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_run_that_is_killed_at_any_point_ends_as_if_nothing_had_happened(
    shop: Shop, due: Callable[[Shop], Contract], captured: list[int], status: Status
) -> None:
    run = shop.doomed.billing.run
    wanted = undisturbed(shop, due, run)
    assert (wanted["captured"], wanted["status"], wanted["open"]) == (captured, status, [])

    points = 0
    for point, contract in at_every_point(shop, due, run):
        assert shop.outcome(contract) == wanted, f"killed at point {point}"
        points = point

    assert points >= 8  # at least one step and one notice, which is claimed, delivered and noted


@pytest.mark.rule("R-193", "R-268")
def test_a_reconciliation_that_is_killed_at_any_point_ends_as_if_nothing_had_happened(shop: Shop) -> None:
    reconcile = shop.doomed.billing.reconcile
    wanted = undisturbed(shop, lost_answer, reconcile)
    assert wanted["captured"] == [800, 800]

    outcomes = [shop.outcome(contract) for _, contract in at_every_point(shop, lost_answer, reconcile)]

    assert len(outcomes) >= 8
    assert [outcome for outcome in outcomes if outcome != wanted] == []


@pytest.mark.rule("R-040", "R-193")
def test_where_absence_proves_nothing_a_killed_run_leaves_the_question_open_and_charges_no_second_time(
    shop: Shop,
) -> None:
    """UnivaPay's list of charges comes from a search index: not finding one there is no answer."""

    def due(shop: Shop) -> Contract:
        return renewal(shop, "univapay")

    seen = set()
    for _, contract in at_every_point(shop, due, shop.doomed.billing.run):
        shop.world.clock.advance(days=1)
        shop.recover()
        periods = [row for row in shop.gateway.ledger.list(contract_id=contract.id) if row.kind is EntryKind.PERIOD]
        (attempt,) = [charge for charge in shop.charges(contract) if charge.kind is ChargeKind.PERIOD]
        told = ("operator", "unknown_outcome") in shop.told()
        seen.add((attempt.state, len(periods), len(shop.captured(contract)), told))

    # the first payment, and the renewal once; or the renewal was never asked for, which only a person can find out
    assert seen == {(ChargeState.SUCCEEDED, 2, 2, False), (ChargeState.UNKNOWN, 1, 1, True)}
