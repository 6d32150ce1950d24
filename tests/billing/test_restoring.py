"""After a backup was restored nothing is charged again that the database has forgotten (R-284, R-286).

The provider goes on knowing what it did; the database holds the rows that it had when the backup was made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from paygate import (
    Actor,
    Card,
    ChargeState,
    Customer,
    Gateway,
    Money,
    NewContract,
    Plan,
    Purpose,
    RefundState,
    Status,
    hookimpl,
)
from paygate.errors import OutcomeUnknown, ProviderUnavailable
from paygate.provider import Capabilities, Lookup
from paygate.store.database import create_engine
from paygate.store.tables import metadata
from paygate.testing import Decline, FakeStripe, FakeUnivaPay, Faults, ManualClock, NeverThere
from paygate.testing.emulators import Fault, FaultKind
from paygate.testing.emulators.stripe import StripeEmulator
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate_stripe import Stripe
from paygate_univapay import UnivaPay

GOLD = Plan.recurring("Gold", Money(3000, "JPY"))
YEN = Money(500, "JPY")


class Blind(FakeStripe):
    """A provider that cannot be asked what it did."""

    def capabilities(self) -> Capabilities:
        return attrs.evolve(super().capabilities(), lookup=Lookup.NONE)


class Operator:
    """Hears what a person has to do."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @hookimpl
    def on_operator_action_required(self, notice: Any) -> None:
        self.heard.append(notice)


@attrs.define
class Shop:
    """A shop whose database can be set back to what it was, in front of providers that cannot."""

    url: str
    clock: ManualClock
    stripe: FakeStripe
    univapay: FakeUnivaPay
    blind: Blind
    operator: Operator
    gateway: Gateway = attrs.field(init=False)
    _rows: dict[str, list[dict[str, Any]]] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        providers = {"stripe": self.stripe, "univapay": self.univapay, "blind": self.blind}
        self.gateway = Gateway(database=self.url, providers=providers, clock=self.clock, plugins=[self.operator])

    def back_up(self) -> None:
        engine = create_engine(self.url)
        with engine.connect() as connection:
            for table in metadata.sorted_tables:
                self._rows[table.name] = [dict(row._mapping) for row in connection.execute(sa.select(table))]
        engine.dispose()

    def restore(self, *, told: bool = True) -> None:
        self.gateway.close()
        engine = create_engine(self.url)
        with engine.connect() as connection:
            connection.execute(sa.text("BEGIN"))
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
            for table in metadata.sorted_tables:
                for row in self._rows[table.name]:
                    connection.execute(table.insert().values(row))
            connection.execute(sa.text("COMMIT"))
        engine.dispose()
        self.open()
        if told:
            self.gateway.billing.restored()

    def member(self, account: str, contract_id: str = "con_1") -> None:
        """A contract whose next renewal is due on 22 December."""
        member = NewContract(
            contract_id=contract_id,
            customer=Customer(f"cus_{contract_id}"),
            plan=GOLD,
            payment=Card(account, f"tok_{contract_id}"),
            start_on=dt.date(2026, 11, 22),
            last_paid_at=self.clock.now(),
        )
        self.gateway.contracts.import_many([member])

    def fake(self, account: str) -> Any:
        return getattr(self, account)

    def paid_periods(self, contract_id: str = "con_1") -> list[int]:
        return [row.target_on.month for row in self.gateway.ledger.list(contract_id=contract_id) if row.target_on]


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    clock = ManualClock.jst(2026, 11, 22, 12)
    shop = Shop(database_url, clock, FakeStripe(clock=clock), FakeUnivaPay(clock=clock), Blind(clock=clock), Operator())
    yield shop
    shop.gateway.close()


def lose_a_night(shop: Shop, account: str, *, days_later: float = 1) -> None:
    """The renewal is charged in the night after the backup, and the backup is restored."""
    shop.member(account)
    shop.clock.set(ManualClock.jst(2026, 12, 21, 23).now())
    shop.back_up()
    shop.clock.set(ManualClock.jst(2026, 12, 22, 3).now())
    shop.gateway.billing.run()
    if account == "univapay":
        shop.clock.advance(minutes=5)
        shop.gateway.billing.reconcile()
    assert shop.fake(account).book.captured() == 3000
    shop.clock.advance(days=days_later)


@pytest.mark.rule("R-284")
def test_a_renewal_repeated_from_a_backup_meets_what_the_provider_remembers(shop: Shop) -> None:
    """Also where nobody says that a backup was restored, as long as the provider remembers keys."""
    lose_a_night(shop, "stripe", days_later=0.5)
    shop.restore(told=False)
    report = shop.gateway.billing.run()

    assert (report.renewed, shop.stripe.book.captured()) == (1, 3000)
    assert shop.paid_periods() == [11, 12]


@pytest.mark.rule("R-284")
def test_an_order_and_a_refund_repeated_under_their_keys_meet_what_the_provider_remembers(shop: Shop) -> None:
    shop.member("stripe")
    shop.clock.advance(minutes=5)
    shop.back_up()

    def order_and_return() -> None:
        charge = shop.gateway.charges.create("con_1", YEN, consent="form", idempotency_key="order-1")
        shop.gateway.refunds.create(charge.id, Money(200, "JPY"), idempotency_key="rma-1")

    def sign_up() -> None:
        card = Card("stripe", "tok_2")
        shop.gateway.contracts.create(Customer("cus_2"), GOLD, card, contract_id="con_2", idempotency_key="signup-2")

    order_and_return()
    sign_up()
    shop.clock.advance(hours=2)
    shop.restore()
    order_and_return()
    sign_up()

    assert (shop.stripe.book.captured(), shop.stripe.book.refunded()) == (500 + 3000, 200)


@pytest.mark.rule("R-286")
@pytest.mark.parametrize("account", ["stripe", "univapay"])
def test_a_run_after_a_restore_finds_last_week_s_renewal_instead_of_charging_it(shop: Shop, account: str) -> None:
    """Keys are long forgotten by then."""
    lose_a_night(shop, account, days_later=7)
    shop.restore()
    calls = len([call for call in shop.fake(account).calls if call.hook == "charge"])
    report = shop.gateway.billing.run()

    assert report.renewed == 1
    assert shop.fake(account).book.captured() == 3000
    assert len([call for call in shop.fake(account).calls if call.hook == "charge"]) == calls
    assert shop.paid_periods() == [11, 12]


@pytest.mark.rule("R-286")
def test_what_the_provider_certainly_does_not_have_is_charged(shop: Shop) -> None:
    shop.member("stripe")
    shop.clock.set(ManualClock.jst(2026, 12, 21, 23).now())
    shop.back_up()
    shop.clock.set(ManualClock.jst(2026, 12, 29, 3).now())
    shop.restore()
    report = shop.gateway.billing.run()

    assert (report.renewed, shop.stripe.book.captured()) == (1, 3000)


@pytest.mark.rule("R-286")
def test_an_attempt_after_one_that_was_never_sent_is_found_too(shop: Shop) -> None:
    """In the night that was lost the first attempt did not get there, and the second one did."""
    shop.member("stripe")
    shop.clock.set(ManualClock.jst(2026, 12, 21, 23).now())
    shop.back_up()
    shop.clock.set(ManualClock.jst(2026, 12, 22, 3).now())
    shop.stripe.next(NeverThere())
    assert shop.gateway.billing.run().unsent == 1
    assert shop.gateway.billing.run().renewed == 1
    shop.clock.advance(days=2)
    shop.restore()

    assert shop.gateway.billing.run().renewed == 1
    assert shop.stripe.book.captured() == 3000
    assert shop.paid_periods() == [11, 12]


@pytest.mark.rule("R-286")
def test_a_decline_that_was_forgotten_is_recorded_and_not_asked_for_again(shop: Shop) -> None:
    shop.member("stripe")
    shop.clock.set(ManualClock.jst(2026, 12, 21, 23).now())
    shop.back_up()
    shop.clock.set(ManualClock.jst(2026, 12, 22, 3).now())
    shop.stripe.next(Decline("insufficient_funds"))
    assert shop.gateway.billing.run().failed == 1
    shop.clock.advance(days=1)
    shop.restore()
    asked = len([call for call in shop.stripe.calls if call.hook == "charge"])
    report = shop.gateway.billing.run()

    assert (report.failed, shop.gateway.contracts.get("con_1").status) == (1, Status.PAST_DUE)
    assert len([call for call in shop.stripe.calls if call.hook == "charge"]) == asked


@pytest.mark.rule("R-286")
def test_nothing_is_charged_while_the_provider_gives_no_answer(shop: Shop) -> None:
    lose_a_night(shop, "stripe", days_later=7)
    shop.restore()
    shop.stripe.faults = Faults(1, never_there=1)
    report = shop.gateway.billing.run()
    shop.stripe.faults = None

    assert (report.renewed, report.blocked) == (0, 1)
    assert "was paid" in report.problems[0].reason
    assert shop.gateway.billing.run().renewed == 1
    assert shop.stripe.book.captured() == 3000


@pytest.mark.rule("R-286")
@pytest.mark.parametrize("account", ["blind", "univapay"])
@pytest.mark.parametrize("paid", [True, False])
def test_where_nothing_proves_that_it_was_not_charged_a_person_looks(shop: Shop, account: str, paid: bool) -> None:
    shop.member(account)
    shop.clock.set(ManualClock.jst(2026, 12, 21, 23).now())
    shop.back_up()
    shop.clock.set(ManualClock.jst(2026, 12, 23, 3).now())
    shop.restore()
    before = shop.fake(account).book.captured()
    report = shop.gateway.billing.run()
    (charge,) = [one for one in shop.gateway.charges.list(contract_id="con_1") if one.open]

    assert (report.renewed, report.unknown) == (0, 1)
    assert (charge.state, shop.fake(account).book.captured()) == (ChargeState.UNKNOWN, before)
    assert [notice.charge_id for notice in shop.operator.heard if notice.code == "unknown_outcome"] == [charge.id]
    assert "restored from a backup" in shop.operator.heard[-1].message
    shop.gateway.billing.reconcile()
    shop.gateway.charges.resolve(charge.id, succeeded=paid, note="console, 2026-12-23")
    contract = shop.gateway.contracts.get("con_1")
    shop.gateway.billing.run()
    shop.clock.advance(minutes=10)
    shop.gateway.billing.reconcile()

    assert contract.status is Status.ACTIVE  # nobody has declined anything
    assert shop.fake(account).book.captured() - before == (0 if paid else 3000)
    assert shop.paid_periods() == [11, 12]


@pytest.mark.rule("R-286")
def test_periods_that_begin_after_the_restore_are_charged_as_ever(shop: Shop) -> None:
    shop.member("blind")
    shop.back_up()
    shop.restore()
    shop.clock.set(ManualClock.jst(2026, 12, 22, 3).now())
    before = shop.blind.book.captured()

    assert shop.gateway.billing.run().renewed == 1
    assert shop.blind.book.captured() - before == 3000


@pytest.mark.rule("R-286")
def test_what_was_held_back_is_still_looked_for_from_before_the_backup_on(shop: Shop) -> None:
    """A list that is late shows it in the end."""
    lose_a_night(shop, "univapay", days_later=7)
    shop.restore()
    shop.univapay.index_delay = 8 * 86_400
    assert shop.gateway.billing.run().unknown == 1
    shop.clock.advance(days=2)
    (settled,) = shop.gateway.billing.reconcile().settled

    assert shop.gateway.charges.get(settled).state is ChargeState.SUCCEEDED
    assert shop.univapay.book.captured() == 3000


@pytest.mark.rule("R-286")
def test_a_restore_is_in_the_audit_trail(shop: Shop) -> None:
    shop.member("stripe")
    shop.back_up()
    shop.clock.advance(days=1)
    shop.restore()
    (record,) = [one for one in shop.gateway.audit.list() if one.action == "restored"]

    assert (record.actor.id, record.at) == ("admin", shop.clock.now())


@pytest.mark.rule("R-286")
def test_a_notice_about_a_forgotten_attempt_says_what_to_do_after_a_restore(shop: Shop) -> None:
    lose_a_night(shop, "stripe")
    shop.restore(told=False)
    for delivery in shop.stripe.notifications():
        receipt = shop.gateway.webhooks.receive("stripe", delivery.headers, delivery.body)

        assert [event.outcome for event in receipt.events] == ["unmatched"]
    assert "paygate db restored" in shop.operator.heard[-1].message


@pytest.mark.rule("R-284")
def test_an_order_repeated_with_other_contents_is_no_decline_while_the_provider_remembers_the_first(shop: Shop) -> None:
    shop.member("stripe")
    shop.clock.advance(minutes=5)
    shop.back_up()
    shop.gateway.charges.create("con_1", YEN, consent="form", idempotency_key="order-1")
    shop.clock.advance(hours=2)
    shop.restore()
    again = shop.gateway.charges.create("con_1", Money(700, "JPY"), consent="form", idempotency_key="order-1")

    assert again.state is ChargeState.UNKNOWN
    assert shop.stripe.book.captured() == 500


# --- what a repeat of the word, other writers and other payments must not hide ----------------------------------------


def lose_a_charged_night(shop: Shop, emulator: Any, days: float = 4) -> None:
    """The renewal is charged in the night after the backup, at a provider whose lists have dates."""
    shop.clock.set(ManualClock.jst(2026, 12, 21, 22).now())
    shop.back_up()
    shop.clock.set(ManualClock.jst(2026, 12, 22, 3).now())
    assert shop.gateway.billing.run().renewed == 1
    assert emulator.book.captured() == 6000
    shop.clock.advance(days=days)


@attrs.define
class AtStripe(Shop):
    """The shop with the real plugin in front of the emulator."""

    emulator: StripeEmulator = attrs.field(kw_only=True)

    def open(self) -> None:
        settings = {**self.emulator.credentials_for_plugin(), **self.emulator.webhook_settings()}
        providers = {"stripe": Stripe(Stripe.Settings(**settings))}
        mounts = {"https://api.stripe.com": self.emulator.handle}
        self.gateway = Gateway(database=self.url, providers=providers, clock=self.clock, mounts=mounts)

    def sign_up(self) -> None:
        card = Card("stripe", self.emulator.store_card())
        self.gateway.contracts.create(Customer("cus_1"), GOLD, card, contract_id="con_1")


@pytest.fixture
def at_stripe(database_url: str) -> Iterator[AtStripe]:
    clock = ManualClock.jst(2026, 11, 22, 3)
    fakes = FakeStripe(clock=clock), FakeUnivaPay(clock=clock), Blind(clock=clock)
    shop = AtStripe(database_url, clock, *fakes, Operator(), emulator=StripeEmulator(clock))
    shop.sign_up()
    yield shop
    shop.gateway.close()


@pytest.mark.rule("R-287")
@pytest.mark.parametrize("times", [2, 3])
def test_saying_again_that_a_backup_was_restored_hides_nothing(at_stripe: AtStripe, times: int) -> None:
    lose_a_charged_night(at_stripe, at_stripe.emulator)
    at_stripe.restore(told=False)
    since = set()
    for _ in range(times):
        since.add(at_stripe.gateway.billing.restored().since)
        at_stripe.clock.advance(minutes=5)

    assert at_stripe.gateway.billing.run().renewed == 1
    assert at_stripe.emulator.book.captured() == 6000
    assert len(since) == 1


@pytest.mark.rule("R-287")
def test_what_is_written_before_the_word_hides_nothing(at_stripe: AtStripe) -> None:
    """A web process was quicker than the operator."""
    lose_a_charged_night(at_stripe, at_stripe.emulator)
    at_stripe.restore(told=False)
    gateway = at_stripe.gateway
    gateway.contracts.set_expiry("con_1", dt.date(2027, 1, 31), reason="support", actor=Actor.admin("a"))
    gateway.billing.restored()

    assert gateway.billing.run().renewed == 1
    assert at_stripe.emulator.book.captured() == 6000


@pytest.mark.rule("R-286")
@pytest.mark.parametrize("unsent", [4, 9])
def test_any_number_of_attempts_that_were_not_sent_hides_no_payment(shop: Shop, unsent: int) -> None:
    shop.member("stripe")
    shop.clock.set(ManualClock.jst(2026, 12, 21, 23).now())
    shop.back_up()
    shop.clock.set(ManualClock.jst(2026, 12, 22, 3).now())
    for _ in range(unsent):
        shop.stripe.next(NeverThere())
        assert shop.gateway.billing.run().unsent == 1
        shop.clock.advance(hours=1)
    assert shop.gateway.billing.run().renewed == 1
    shop.clock.advance(days=2)
    shop.restore()

    assert shop.gateway.billing.run().renewed == 1
    assert shop.stripe.book.captured() == 3000


@pytest.mark.rule("R-286")
def test_a_plugin_that_lists_no_payments_is_asked_for_more_attempts(shop: Shop) -> None:
    shop.stripe.lists_payments = False
    test_any_number_of_attempts_that_were_not_sent_hides_no_payment(shop, 9)


@pytest.mark.rule("R-287")
@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("account", ["stripe", "univapay"])
def test_arrears_collected_since_the_backup_are_not_collected_again(shop: Shop, account: str, listed: bool) -> None:
    fake = shop.fake(account)
    fake.lists_payments = listed
    shop.member(account)
    shop.clock.set(ManualClock.jst(2026, 12, 22, 3).now())
    fake.next(Decline("insufficient_funds"))
    shop.gateway.billing.run()
    shop.clock.advance(minutes=10)
    shop.gateway.billing.reconcile()
    assert shop.gateway.contracts.get("con_1").status is Status.PAST_DUE
    shop.clock.advance(hours=20)
    shop.back_up()
    shop.clock.advance(hours=10)
    paid = shop.gateway.charges.create("con_1", None, purpose=Purpose.ARREARS, consent="phone", idempotency_key="a-1")
    shop.clock.advance(minutes=10)
    shop.gateway.billing.reconcile()
    paid = shop.gateway.charges.get(paid.id)
    assert paid.state is ChargeState.SUCCEEDED
    shop.restore()
    for _ in range(10):
        shop.gateway.billing.run()
        shop.clock.advance(minutes=20)
        shop.gateway.billing.reconcile()
        shop.clock.advance(days=1)
    (held,) = [one for one in shop.gateway.charges.list(contract_id="con_1") if one.open]
    told = [notice for notice in shop.operator.heard if notice.charge_id == held.id]

    assert fake.book.captured() == 3000
    assert len(told) == 1
    assert not listed or paid.reference in told[0].message
    settled = shop.gateway.charges.resolve(held.id, succeeded=True, reference=paid.reference, note="console")
    assert (settled.state, shop.gateway.contracts.get("con_1").status) == (ChargeState.SUCCEEDED, Status.ACTIVE)


@pytest.mark.rule("R-286")
def test_a_forgotten_decline_proves_nothing_about_the_attempts_after_it(shop: Shop) -> None:
    """Found where not finding proves nothing: the retry that was paid may be missing from the list."""
    shop.member("univapay")
    shop.clock.set(ManualClock.jst(2026, 12, 21, 22).now())
    shop.back_up()
    shop.clock.set(ManualClock.jst(2026, 12, 22, 3).now())
    shop.univapay.next(Decline("301"))
    while shop.univapay.book.captured() < 3000:
        shop.gateway.billing.run()
        shop.clock.advance(minutes=10)
        shop.gateway.billing.reconcile()
        shop.clock.advance(days=1)
    made = shop.clock.now() - ManualClock.jst(2026, 12, 22, 3).now()
    shop.restore()
    shop.univapay.index_delay = made.total_seconds() - 3600  # the list has the first attempt, and not the second
    for _ in range(12):
        shop.gateway.billing.run()
        shop.univapay.index_delay = 1e9
        shop.clock.advance(days=1)

    assert shop.univapay.book.captured() == 3000
    assert [one.state for one in shop.gateway.charges.list(contract_id="con_1")] == [
        ChargeState.FAILED,
        ChargeState.UNKNOWN,
    ]


@pytest.mark.rule("R-288")
@pytest.mark.parametrize(
    ("emulator", "plugin", "base"),
    [
        (StripeEmulator, Stripe, "https://api.stripe.com"),
        (UnivaPayEmulator, UnivaPay, "https://api.univapay.com"),
    ],
)
@pytest.mark.parametrize("ahead", [dt.timedelta(minutes=6), dt.timedelta(hours=25), dt.timedelta(days=300)])
def test_a_charge_made_by_a_host_whose_clock_is_ahead_is_found(
    emulator: Any, plugin: Any, base: str, ahead: dt.timedelta
) -> None:
    theirs = ManualClock.jst(2026, 11, 22, 12)
    ours = ManualClock(theirs.now() + ahead)
    there = emulator(theirs)
    lose: list[bool] = []

    def handle(request: Any) -> Any:
        answer = there.handle(request)
        if lose and request.method == "POST":
            raise OutcomeUnknown("the answer was lost")
        return answer

    settings = {**there.credentials_for_plugin(), **there.webhook_settings()}
    gateway = Gateway(
        database="sqlite://", providers={"acme": plugin(plugin.Settings(**settings))}, clock=ours, mounts={base: handle}
    )
    card = Card("acme", there.store_card())
    gateway.contracts.create(Customer("cus_1"), Plan.one_off("Gold", Money(3000, "JPY")), card, contract_id="con_1")
    theirs.advance(minutes=2)
    ours.advance(minutes=2)
    lose.append(True)
    charge = gateway.charges.create("con_1", YEN, consent="form")
    lose.clear()
    theirs.advance(minutes=30)
    ours.advance(minutes=30)
    gateway.billing.reconcile()

    assert gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
    assert there.book.captured() == 3500
    gateway.close()


@pytest.mark.rule("R-284")
@pytest.mark.parametrize("later", [dt.timedelta(hours=30), dt.timedelta(days=20)])
def test_an_order_repeated_under_its_key_is_found_when_the_provider_has_forgotten_the_key(
    at_stripe: AtStripe, later: dt.timedelta
) -> None:
    at_stripe.clock.advance(minutes=5)
    at_stripe.back_up()
    card = Card("stripe", at_stripe.emulator.store_card())

    def order_and_sign_up() -> list[Any]:
        gateway = at_stripe.gateway
        order = gateway.charges.create("con_1", YEN, consent="form", idempotency_key="order-9")
        made = gateway.contracts.create(Customer("cus_2"), GOLD, card, contract_id="con_2", idempotency_key="signup-2")
        return [order.state, order.reference, made.status]

    before = order_and_sign_up()
    at_stripe.clock.advance(seconds=int(later.total_seconds()))
    at_stripe.restore()
    assert order_and_sign_up() == before
    assert at_stripe.emulator.book.captured() == 3000 + 500 + 3000

    at_stripe.gateway.charges.create("con_1", Money(700, "JPY"), consent="form", idempotency_key="order-10")
    assert at_stripe.emulator.book.captured() == 3000 + 500 + 3000 + 700


@pytest.mark.rule("R-284")
def test_an_order_is_not_sent_while_nobody_says_whether_it_was_before_the_restore(shop: Shop) -> None:
    shop.member("stripe")
    shop.clock.advance(minutes=5)
    shop.back_up()
    shop.gateway.charges.create("con_1", YEN, consent="form", idempotency_key="order-9")
    shop.clock.advance(days=2)
    shop.restore()
    shop.stripe.faults = Faults(1, never_there=1)
    with pytest.raises(ProviderUnavailable, match="same key"):
        shop.gateway.charges.create("con_1", YEN, consent="form", idempotency_key="order-9")
    shop.stripe.faults = None
    again = shop.gateway.charges.create("con_1", YEN, consent="form", idempotency_key="order-9")

    assert (again.state, shop.stripe.book.captured()) == (ChargeState.SUCCEEDED, 500)


@pytest.mark.rule("R-284")
@pytest.mark.parametrize("answers", [True, False])
def test_a_refund_repeated_under_its_key_is_found_when_the_provider_has_forgotten_the_key(
    at_stripe: AtStripe, answers: bool
) -> None:
    (first,) = at_stripe.gateway.charges.list()
    at_stripe.clock.advance(minutes=5)
    at_stripe.back_up()
    at_stripe.gateway.refunds.create(first.id, Money(200, "JPY"), idempotency_key="rma-1")
    at_stripe.clock.advance(days=2)
    at_stripe.restore()
    if not answers:
        for _ in range(3):
            at_stripe.emulator.faults.add(Fault(FaultKind.HTML, status=500))
    again = at_stripe.gateway.refunds.create(first.id, Money(200, "JPY"), idempotency_key="rma-1")
    assert again.state is (RefundState.DONE if answers else RefundState.UNKNOWN)
    for _ in range(3):
        at_stripe.clock.advance(minutes=20)
        at_stripe.gateway.billing.reconcile()

    assert at_stripe.gateway.refunds.get(again.id).state is RefundState.DONE
    assert at_stripe.emulator.book.refunded() == 200
