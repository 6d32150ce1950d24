"""What the tests of the rules start from: instants, contracts and providers as data."""

import datetime as dt
import itertools
from collections.abc import Callable

import pytest

from paygate.clock import JST, UTC
from paygate.domain.charge import Charge, ChargeKind, ChargeState, Consent
from paygate.domain.contract import Actor, Contract, Customer, PaymentMethod, Plan, Status
from paygate.domain.ledger import EntryKind, EntryState, LedgerEntry
from paygate.domain.mails import MailSet, StepMailPlan
from paygate.domain.rules import Rules
from paygate.money import Money
from paygate.provider import AmountRange, Capabilities, ExpiryPolicy, OptionPolicy, RefundPolicy, Renewals

PROVIDERS = {
    "univapay": Capabilities(
        "UnivaPay", charge_window_years=1, duplicate_window=30, refunds=RefundPolicy.PARTIAL, refunds_asynchronous=True
    ),
    "telecom": Capabilities(
        "Telecom Credit", renew_expiry=OptionPolicy.FORCED_ON, send_step_mail=OptionPolicy.FORCED_ON
    ),
    "stripe": Capabilities("Stripe", amounts={"JPY": AmountRange(50, 99_999_999)}, refunds=RefundPolicy.PARTIAL),
    "amazonpay": Capabilities(
        "Amazon Pay",
        renew_expiry=OptionPolicy.UNAVAILABLE,
        expiry=ExpiryPolicy.SYSTEM_MAX,
        renewals=Renewals.NONE,
        refunds=RefundPolicy.PARTIAL,
    ),
    "full-refunds": Capabilities("Whole Charges", refunds=RefundPolicy.FULL),
}


@pytest.fixture
def providers() -> dict[str, Capabilities]:
    return PROVIDERS


@pytest.fixture
def at() -> Callable[[str], dt.datetime]:
    """An instant from text: wall-clock time in Japan, or UTC with a trailing Z."""

    def at(text: str) -> dt.datetime:
        zone = UTC if text.endswith("Z") else JST
        return dt.datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=zone).astimezone(UTC)

    return at


@pytest.fixture
def new_id() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"id-{next(numbers)}"


@pytest.fixture
def rules() -> Rules:
    return Rules(
        step_mails=(
            StepMailPlan("welcome", MailSet.ON_PAYMENT_COMPLETE, 60),
            StepMailPlan("thanks", MailSet.ON_RENEWAL, 300),
            StepMailPlan("goodbye", MailSet.ON_RECURRING_CANCEL, 60),
        )
    )


@pytest.fixture
def customer() -> Customer:
    return Customer("cus-1", "Hanako", "hanako@example.com")


@pytest.fixture
def gold() -> Plan:
    return Plan.recurring("Gold", Money(3000, "JPY"))


@pytest.fixture
def book() -> Plan:
    return Plan.one_off("Book", Money(8000, "JPY"))


@pytest.fixture
def make_contract(gold: Plan, at: Callable[[str], dt.datetime]) -> Callable[..., Contract]:
    """A running monthly contract paid by card since 2024-10-08, except for what is given."""

    def make(**given: object) -> Contract:
        facts: dict[str, object] = {
            "id": "con-1",
            "customer_id": "cus-1",
            "plan": gold,
            "method": PaymentMethod.CARD,
            "status": Status.ACTIVE,
            "start_on": dt.date(2024, 10, 8),
            "applied_at": at("2024-10-08 09:00:00"),
            "created_by": Actor.customer("cus-1"),
            "expires_on": dt.date(2024, 11, 8),
            "period_start": dt.date(2024, 10, 8),
        } | given
        if facts["method"] is PaymentMethod.CARD:
            facts = {"account": "main", "credential": "tok-1"} | facts
        return Contract(**facts)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_charge(at: Callable[[str], dt.datetime]) -> Callable[..., Charge]:
    """A successful additional charge of 5,000 yen, except for what is given."""

    def make(**given: object) -> Charge:
        facts: dict[str, object] = {
            "id": "c" * 32,
            "contract_id": "con-1",
            "customer_id": "cus-1",
            "account": "main",
            "kind": ChargeKind.ADDON,
            "amount": Money(5000, "JPY"),
            "idempotency_key": "order-77",
            "fingerprint": "f",
            "state": ChargeState.SUCCEEDED,
            "consent": Consent("phone, 2024-11-20"),
            "actor": Actor.admin("ito"),
            "created_at": at("2024-11-20 11:59:00"),
            "reference": "ref-1",
        } | given
        return Charge(**facts)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_entry(at: Callable[[str], dt.datetime]) -> Callable[..., LedgerEntry]:
    """A paid period of 3,000 yen, except for what is given."""

    def make(**given: object) -> LedgerEntry:
        facts: dict[str, object] = {
            "id": "row-1",
            "contract_id": "con-1",
            "customer_id": "cus-1",
            "kind": EntryKind.PERIOD,
            "amount": Money(3000, "JPY"),
            "state": EntryState.SUCCEEDED,
            "purchased_on": dt.date(2024, 11, 8),
            "target_on": dt.date(2024, 11, 8),
            "received_at": at("2024-11-08 07:00:00"),
            "actor": Actor.scheduler(),
            "account": "main",
            "reference": "ref-1",
            "charge_id": "c" * 32,
        } | given
        return LedgerEntry(**facts)  # type: ignore[arg-type]

    return make
