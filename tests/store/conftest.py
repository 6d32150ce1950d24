"""A store on each of the two databases, and the values that the tests keep in it.

The values have every field set, so that a column which is forgotten shows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from paygate.domain.audit import AuditRecord
from paygate.domain.charge import Charge, ChargeKind, ChargeState, Consent, Failure, Purpose, Refund, RefundState
from paygate.domain.contract import (
    Actor,
    Cancellation,
    CancellationOrigin,
    Contract,
    Customer,
    Cycle,
    PastDue,
    PaymentMethod,
    Plan,
    Product,
    ProductType,
    Status,
)
from paygate.domain.ledger import EntryKind, EntryState, LedgerEntry
from paygate.domain.licences import License, LicenseState
from paygate.domain.mails import MailSet, StepMail, StepMailState
from paygate.domain.metadata import Metadata
from paygate.domain.subscription import Subscription, SubscriptionState
from paygate.money import Money
from paygate.provider import DeclineClass, Mode
from paygate.store import Store
from paygate.testing.clock import ManualClock

NOW = dt.datetime(2026, 11, 22, 3, 4, 5, 678901, tzinfo=dt.UTC)
TODAY = dt.date(2026, 11, 22)
TOKEN = "tok_4f9c0a77d2"

CUSTOMER = Customer("cus_42", "山田 花子", "hanako@example.com")
PLAN = Plan.recurring(
    "ゴールド会員 🏅",
    Money(3000, "JPY"),
    Cycle.QUARTERLY,
    initial_fee=Money(0, "JPY"),
    special_price=Money(100, "JPY"),
    special_periods=2,
    products=(
        Product("mag", ProductType.MONTHLY_MAGAZINE, end_month="2027-03"),
        Product("vol", ProductType.MONTHLY_UNLOCK, unlock_interval=Cycle.WEEKLY),
    ),
)


def contract(id: str = "con_1", **changes: Any) -> Contract:  # noqa: A002
    whole = Contract(
        id=id,
        customer_id=CUSTOMER.id,
        plan=PLAN,
        method=PaymentMethod.CARD,
        status=Status.CANCEL_SCHEDULED,
        start_on=dt.date(2026, 1, 31),
        applied_at=NOW,
        created_by=Actor.customer("cus:42"),
        account="univapay",
        credential=TOKEN,
        expires_on=dt.date(2027, 1, 31),
        period_start=dt.date(2026, 10, 31),
        ended_on=dt.date(2027, 2, 1),
        cancellation=Cancellation(CancellationOrigin.CUSTOMER, NOW, Actor.customer("cus:42"), dt.date(2027, 1, 31)),
        past_due=PastDue(NOW, dt.date(2026, 10, 31), failures=3, retry_pending=True, exhausted=True),
        subscription=Subscription(SubscriptionState.RUNNING, dt.date(2026, 2, 28), "sub_1", NOW, operator_told=True),
        mode=Mode.LIVE,
        unlocked_on=dt.date(2026, 2, 27),
        overdue_period=dt.date(2026, 1, 31),
        version=1,
        metadata=Metadata({"order": "77", "部門": "営業"}),
    )
    return attrs.evolve(whole, **changes)


def charge(id: str = "c1", **changes: Any) -> Charge:  # noqa: A002
    whole = Charge(
        id=id,
        contract_id="con_1",
        customer_id=CUSTOMER.id,
        account="univapay",
        kind=ChargeKind.ADDON,
        amount=Money(5000, "JPY"),
        idempotency_key=f"key-{id}",
        fingerprint="f1ngerpr1nt",
        state=ChargeState.PENDING,
        purpose=Purpose.ARREARS,
        renew_expiry=True,
        send_step_mail=True,
        consent=Consent("電話", NOW, "admin:suzuki"),
        actor=Actor.admin("suzuki"),
        created_at=NOW,
        period_start=dt.date(2026, 10, 31),
        reference=f"ref-{id}",
        action_url="https://pay.test/3ds",
        settled_at=NOW,
        charged_at=NOW,
        previous_expires_on=dt.date(2026, 10, 31),
        expires_on=dt.date(2027, 1, 31),
        failure=Failure("51", "残高不足", DeclineClass.SOFT, sent=False),
        network="visa",
        advice_code="03",
        response_code="51",
        action_until=NOW + dt.timedelta(days=3),
        credential_hash="0123abcd",
        operator_told=True,
        metadata=Metadata({"order": "78"}),
        action_method="POST",
        action_fields=(("payload", "x"),),
        cleared_by="admin:sato",
    )
    return attrs.evolve(whole, **changes)


def entry(id: str = "e1", **changes: Any) -> LedgerEntry:  # noqa: A002
    whole = LedgerEntry(
        id=id,
        contract_id="con_1",
        customer_id=CUSTOMER.id,
        kind=EntryKind.ADDON,
        amount=Money(5000, "JPY"),
        state=EntryState.SUCCEEDED,
        purchased_on=TODAY,
        target_on=TODAY,
        received_at=NOW,
        actor=Actor.provider("univapay"),
        account="univapay",
        reference="ref-c1",
        charge_id="c1",
        consent="電話",
        remarks="備考\nsecond line",
        done_on=TODAY,
        due_by=NOW,
    )
    return attrs.evolve(whole, **changes)


def refund(id: str = "r1", **changes: Any) -> Refund:  # noqa: A002
    whole = Refund(
        id=id,
        contract_id="con_1",
        account="univapay",
        entry_id="e1",
        refund_entry_id="e2",
        amount=Money(2000, "JPY"),
        idempotency_key=f"key-{id}",
        fingerprint="f1ngerpr1nt",
        state=RefundState.PENDING,
        by_hand=True,
        remove_license=True,
        reason="返品",
        actor=Actor.admin("suzuki"),
        created_at=NOW,
        reference=f"ref-{id}",
        settled_at=NOW,
        failure=Failure("x", "y", DeclineClass.HARD, sent=True),
        metadata=Metadata({"ticket": "T-9"}),
    )
    return attrs.evolve(whole, **changes)


def mail(id: str = "m1", **changes: Any) -> StepMail:  # noqa: A002
    whole = StepMail(
        id=id,
        contract_id="con_1",
        customer_id=CUSTOMER.id,
        name="thanks",
        set=MailSet.ON_RENEWAL,
        state=StepMailState.QUEUED,
        queued_at=NOW,
        due_at=NOW + dt.timedelta(seconds=300),
        charge_id="c1",
        subject="ありがとうございます",
        body="本文",
        sent_at=NOW,
    )
    return attrs.evolve(whole, **changes)


def licence(id: str = "l1", **changes: Any) -> License:  # noqa: A002
    whole = License(id, "con_1", "mag", "2026-11", "e1", TODAY, LicenseState.REVOKED)
    return attrs.evolve(whole, **changes)


def record(id: str = "a1", **changes: Any) -> AuditRecord:  # noqa: A002
    whole = AuditRecord(
        id,
        NOW,
        Actor.admin("suzuki"),
        "set_expiry",
        "con_1",
        before={"expires_on": None, "nested": [1, {"名": "値"}]},
        after={"expires_on": "2027-01-31", "ok": True},
        reason="電話での依頼",
    )
    return attrs.evolve(whole, **changes)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def store(database_url: str, clock: ManualClock) -> Iterator[Store]:
    """A store without rows, on each database."""
    opened = Store.open(database_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def shop(store: Store) -> Store:
    """The store with one customer and one contract, con_1."""
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
        session.contracts.insert(contract())
    return store
