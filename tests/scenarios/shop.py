"""What the scenarios are told with: a shop, its till, and the steps that a person takes in it.

A :class:`Till` is a provider as a scenario sees it: a fake in process, or the real plugin in front of an emulator. The
scenario does not know which.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from paygate import JST, Card, Charge, Contract, Customer, Gateway, MailSet, Money, Plan, hookimpl
from paygate import Product as Item
from paygate.billing.running import BillingReport
from paygate.cli.demo_endpoint import Endpoint
from paygate.domain.charge import ChargeState
from paygate.domain.contract import ProductType
from paygate.domain.operations import Operation
from paygate.errors import OutcomeUnknown
from paygate.provider import DeclineClass
from paygate.testing import Book, Decline, FakeProvider, ManualClock, StayPending, Succeed
from paygate.testing.emulators import Delivery, Emulator, Wish, WishKind
from paygate.testing.emulators.server import post
from paygate.testing.emulators.stripe import StripeEmulator

HANAKO = Customer("hanako", "山田花子", "hanako@example.com")
AGREED = "agreed on the phone, 2024-10-20"

#: Ten buttons of the second manual, and the charge operation of the first.
BUTTONS = (
    Operation.CANCEL, Operation.CANCEL_WITH_MANUAL_REFUND, Operation.CANCEL_AND_REFUND, Operation.CONFIRM_PAYMENT,
    Operation.SUSPEND, Operation.RESUME, Operation.SCHEDULE_CANCELLATION, Operation.REVOKE_CANCELLATION,
    Operation.TERMINATE, Operation.DELETE, Operation.CHARGE_ADDON,
)  # fmt: skip

#: What the address ends with by which a provider is asked for money.
CHARGES = {"univapay": "/charges", "stripe": "/payment_intents"}

#: A result takes "seconds to minutes" (first manual, step 4).
SECONDS_TO_A_RESULT = 20


def yen(amount: int) -> Money:
    return Money(amount, "JPY")


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def magazine(**options: Any) -> Plan:
    """A monthly magazine for 3,000 yen: each paid month opens that month's issue."""
    end_month = options.pop("end_month", None)
    products = (Item("magazine", ProductType.MONTHLY_MAGAZINE, end_month=end_month),)
    return Plan.recurring("Monthly magazine", yen(3000), products=products, **options)


MAGAZINE = magazine()
COURSE = Plan.one_off("Video course", yen(12_000), products=(Item("course", ProductType.BUYOUT),))


class Till(Protocol):
    """A provider, as far as a scenario needs to see it."""

    account: str
    provider: object
    mounts: Mapping[str, Any] | None

    @property
    def book(self) -> Book:
        """The money that really moved."""

    def card(self) -> str:
        """A card that a customer has just entered on the provider's page."""

    def decline(self, times: int) -> None:
        """The bank declines the next charges, for want of money."""

    def delay(self, seconds: int, *, refused: bool = False) -> None:
        """The next charge has no result for *seconds*; then it succeeds, or is *refused* for want of money."""

    def asked(self) -> int:
        """How many charges the provider was asked for."""

    def tell(self, gateway: Gateway) -> None:
        """What the provider has to say since the last time reaches the shop."""


class FakeTill:
    """A fake of :mod:`paygate.testing`."""

    mounts = None

    def __init__(self, account: str, provider: FakeProvider) -> None:
        self.account = account
        self.provider = provider
        self._numbers = itertools.count(1)
        provider.latency = provider.refund_latency = SECONDS_TO_A_RESULT

    @property
    def book(self) -> Book:
        return self.provider.book

    def card(self) -> str:
        return f"tok_{next(self._numbers)}"

    def decline(self, times: int) -> None:
        self.provider.script(*[Decline(None, DeclineClass.SOFT)] * times)

    def delay(self, seconds: int, *, refused: bool = False) -> None:
        self.provider.next(StayPending(seconds, then=Decline(None, DeclineClass.SOFT) if refused else Succeed()))

    def asked(self) -> int:
        return sum(call.hook == "charge" for call in self.provider.calls)

    def tell(self, gateway: Gateway) -> None:
        for notice in self.provider.notifications():
            gateway.webhooks.receive(self.account, notice.headers, notice.body)


class EmulatedTill:
    """A real plugin in front of its emulator, mounted in process."""

    def __init__(self, emulator: Emulator, provider: object, mounts: Mapping[str, Any] | None = None) -> None:
        self.account = emulator.name
        self.emulator = emulator
        self.provider = provider
        self.mounts = mounts
        self._refused_after: dt.timedelta | None = None

    @property
    def book(self) -> Book:
        self.emulator.tick()
        return self.emulator.book

    def card(self) -> str:
        return self.emulator.store_card()

    def decline(self, times: int) -> None:
        self.emulator.wish(Wish(WishKind.DECLINE), times=times)

    def delay(self, seconds: int, *, refused: bool = False) -> None:
        self.emulator.wish(Wish(WishKind.PENDING, seconds=None if refused else seconds))
        if refused:
            self._refused_after = dt.timedelta(seconds=seconds)

    def asked(self) -> int:
        return sum(one.method == "POST" and one.url.endswith(CHARGES[self.account]) for one in self.emulator.requests)

    def tell(self, gateway: Gateway) -> None:
        self._refuse(gateway)
        said: list[Delivery] = []
        self.emulator.deliver(said.append)
        for delivery in said:
            gateway.webhooks.receive(self.account, delivery.headers, delivery.body)

    def _refuse(self, gateway: Gateway) -> None:
        """Bring what was to be refused by now to its end, where the emulator leaves that to a hand."""
        for charge in gateway.charges.list() if self._refused_after is not None else ():
            waits = charge.state is ChargeState.PENDING
            if waits and self.emulator.clock.now() - charge.created_at >= self._refused_after:
                assert isinstance(self.emulator, StripeEmulator)
                self.emulator.settle(charge.reference or "", code="insufficient_funds")


class ServedTill(EmulatedTill):
    """The same over HTTP, and the notices too: they are posted to the shop's endpoint."""

    endpoint: Endpoint

    def tell_at(self, endpoint: Endpoint) -> None:
        """Notices go to *endpoint*."""
        self.endpoint = endpoint
        self.emulator.set_webhook_target(endpoint.url(self.account))

    def tell(self, gateway: Gateway) -> None:
        self._refuse(gateway)
        before = len(self.endpoint.answers)
        made = self.emulator.deliver(post)
        assert [answer.status for answer in self.endpoint.answers[before:]] == [200] * made


class LetterBox:
    """Mails as they reach people: step mails, and messages about contracts."""

    def __init__(self) -> None:
        self.step_mails: list[str] = []
        self.messages: list[tuple[str, str]] = []
        self.operator: list[str] = []

    @hookimpl
    def on_step_mail_due(self, notice: Any) -> None:
        self.step_mails.append(notice.mail.name)

    @hookimpl
    def on_contract_notice(self, notice: Any) -> None:
        self.messages.append((notice.notice.kind.value, notice.notice.audience.value))

    @hookimpl
    def on_operator_action_required(self, notice: Any) -> None:
        self.operator.append(notice.code)

    def both(self, kind: str) -> int:
        """How many messages of *kind* customer and administrator have each got."""
        counts = {self.messages.count((kind, audience)) for audience in ("customer", "admin")}
        (count,) = counts
        return count


@attrs.define
class Shop:
    """A seller with one till, or none. All times are JST."""

    gateway: Gateway
    clock: ManualClock
    letters: LetterBox
    _till: Till | None = None

    @property
    def till(self) -> Till:
        assert self._till is not None
        return self._till

    def at(self, text: str) -> None:
        """The clock shows *text*, for example ``2024-11-08 03:00``."""
        self.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))

    def sign_up(self, plan: Plan, *, start_on: str | None = None, customer: Customer = HANAKO) -> Contract:
        """The customer applies and pays by card; a minute later everything has been told."""
        card = Card(self.till.account, self.till.card())
        contract_id = f"contract-{sum(1 for _ in self.gateway.contracts.list()) + 1}"
        try:
            self.gateway.contracts.create(
                customer,
                plan,
                card,
                start_on=day(start_on) if start_on else None,
                contract_id=contract_id,
                started_elsewhere=self.till.account == "telecom" and plan.is_recurring,
            )
        except OutcomeUnknown:  # only a notice brings the result
            self.hear()
        self.hear()
        return self.gateway.contracts.get(contract_id)

    def hear(self) -> None:
        """A minute passes, and what the provider has to say arrives."""
        self.clock.advance(minutes=1)
        if self._till is not None:
            self._till.tell(self.gateway)

    def execute(self, contract: Contract, amount: int, **options: Any) -> Charge:
        """「課金を実行する」 and OK: the charge is sent."""
        return self.gateway.charges.create(contract.id, yen(amount), **{"consent": AGREED, **options})

    def message(self, charge: Charge) -> Charge:
        """The message box with the result (first manual, step 4)."""
        self.hear()
        return self.gateway.charges.get(charge.id)

    def charged(self, contract: Contract, amount: int, **options: Any) -> Charge:
        """A charge from button to result."""
        return self.message(self.execute(contract, amount, **options))

    def nightly_run(self, on: str) -> BillingReport:
        """The batch of 03:00 on the business day *on*, and the results of its charges."""
        self.at(f"{on} 03:00")
        report = self.gateway.billing.run()
        self.hear()
        return report

    def contract(self, contract: Contract) -> Contract:
        """The contract as it is now."""
        return self.gateway.contracts.get(contract.id)

    def status(self, contract: Contract) -> str:
        return self.contract(contract).status.value

    def expiry(self, contract: Contract) -> str:
        """有効期限, or an empty text."""
        expires_on = self.contract(contract).expires_on
        return expires_on.isoformat() if expires_on else ""

    def buttons(self, contract: Contract) -> set[str]:
        """The buttons that are shown now; 削除 is always there and left out."""
        offered = {offer.operation for offer in self.gateway.contracts.operations(contract.id) if offer.offered}
        return {button.value for button in BUTTONS if button in offered} - {"delete"}

    def sales(self, contract: Contract) -> list[str]:
        """The rows of the sales information: target date, kind, amount, state."""
        return [
            f"{row.target_on} {row.kind.value} {row.amount.minor} {row.state.value}"
            for row in self.gateway.ledger.list(contract_id=contract.id)
        ]

    def net(self, contract: Contract) -> int:
        return self.gateway.ledger.net(contract.id).minor

    def open_content(self, contract: Contract) -> list[str]:
        """What the customer can view: issues by month, ``all`` for a course."""
        return [opening.scope for opening in self.gateway.contracts.access(contract.id) if opening.open]

    def renewal_mails(self, contract: Contract) -> list[str]:
        """States of the mails prepared for renewal (月額課金更新時)."""
        mails = self.gateway.step_mails.list(contract_id=contract.id)
        return [mail.state.value for mail in mails if mail.set is MailSet.ON_RENEWAL]
