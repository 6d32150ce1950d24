"""Refunds and disputes in the dashboard, from the emulated Stripe to the ledger (R-314 to R-319)."""

from __future__ import annotations

import json

import pytest

from paygate import Card, ChargeState, Customer, Cycle, Gateway, Money, Plan
from paygate.domain.ledger import EntryKind, EntryState
from paygate.flow import Request
from paygate.testing.emulators import Fault, FaultKind, When
from paygate.testing.emulators.stripe import StripeEmulator
from paygate_stripe import Stripe, StripeSettings

URL = "https://api.stripe.com"


class Dashboard:
    """A shop on the emulated Stripe, with its webhooks."""

    def __init__(self, clock):
        self.clock = clock
        self.emulator = StripeEmulator(clock)
        self.emulator.set_webhook_target("https://shop.example/hooks")
        given = {**self.emulator.credentials_for_plugin(), **self.emulator.webhook_settings()}
        self.gateway = Gateway(
            database="sqlite://",
            providers={"stripe": Stripe(StripeSettings(**given), clock)},
            clock=clock,
            mounts={URL: self.emulator.handle},
        )
        card = Card("stripe", token=self.emulator.store_card())
        plan = Plan.recurring("Gold", price=Money(3000, "JPY"), cycle=Cycle.MONTHLY)
        self.contract = self.gateway.contracts.create(Customer("cus_42", email="h@example.com"), plan, card)
        self.clock.advance(minutes=1)
        self.deliver()

    def charge(self, **options):
        return self.gateway.charges.create(self.contract.id, Money(5000, "JPY"), consent="phone", **options)

    def deliver(self):
        """Deliver what is due; what became of it."""
        outcomes = []

        def receive(one):
            receipt = self.gateway.webhooks.receive("stripe", one.headers, one.body)
            outcomes.extend(event.outcome for event in receipt.events)

        self.emulator.tick()
        self.emulator.deliver(receive)
        return outcomes

    def rows(self, charge, kind):
        return [row for row in self.gateway.ledger.list() if row.charge_id == charge.id and row.kind is kind]

    def sale(self, charge):
        return self.rows(charge, EntryKind.ADDON)[0]


@pytest.fixture
def dashboard(clock):
    shop = Dashboard(clock)
    yield shop
    shop.gateway.close()


@pytest.mark.rule("R-314", "R-318", "R-320")
def test_refunds_of_both_sides_are_counted_once(dashboard):
    charge = dashboard.charge()
    dashboard.gateway.refunds.create(charge.id, Money(1000, "JPY"))
    reference = dashboard.emulator.refund_in_console(charge.reference, 500)

    outcomes = dashboard.deliver()

    assert "unmatched" not in outcomes
    done = [row for row in dashboard.rows(charge, EntryKind.REFUND) if row.state is EntryState.DONE]
    assert sorted(row.amount.minor for row in done) == [500, 1000]
    assert [row.reference for row in done if row.origin == "provider"] == [reference]
    assert dashboard.sale(charge).state is EntryState.PARTLY_REFUNDED
    assert dashboard.gateway.refunds.preview(charge.id).amount == Money(3500, "JPY")
    assert dashboard.emulator.book.refunded() == 1500


@pytest.mark.rule("R-316")
@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_is_on_record_from_its_opening_to_its_end(dashboard, won):
    charge = dashboard.charge()
    dispute = dashboard.emulator.dispute(charge.reference)
    assert "unmatched" not in dashboard.deliver()
    [row] = dashboard.rows(charge, EntryKind.DISPUTE)
    assert (row.state, row.amount.minor, row.reference) == (EntryState.OPENED, 5000, dispute)
    assert row.due_by is not None

    dashboard.emulator.close_dispute(dispute, won=won)
    assert "unmatched" not in dashboard.deliver()

    [row] = dashboard.rows(charge, EntryKind.DISPUTE)
    assert row.state is (EntryState.WON if won else EntryState.LOST)
    assert dashboard.emulator.book.disputed() == (0 if won else 5000)
    assert dashboard.gateway.ledger.net(dashboard.contract.id).minor == 3000 + (5000 if won else 0)


@pytest.mark.rule("R-315")
@pytest.mark.parametrize("taken_back", ["refund_in_console", "dispute"])
def test_an_unknown_charge_whose_money_went_back_extends_nothing(dashboard, taken_back):
    dashboard.emulator.faults.add(Fault(FaultKind.TIMEOUT, When.AFTER), times=9, match="POST /v1/payment_intents")
    charge = dashboard.charge(renew_expiry=True)
    dashboard.emulator.faults.clear()
    assert charge.state is ChargeState.UNKNOWN
    reference = dashboard.emulator.book.captures[-1].reference
    dispute = getattr(dashboard.emulator, taken_back)(reference)
    if taken_back == "dispute":
        dashboard.emulator.close_dispute(dispute, won=False)
    dashboard.clock.advance(minutes=5)

    dashboard.gateway.billing.reconcile()
    dashboard.deliver()

    assert dashboard.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
    assert dashboard.gateway.contracts.get(dashboard.contract.id).expires_on == dashboard.contract.expires_on
    assert dashboard.sale(charge).state is EntryState.REFUNDED
    assert dashboard.gateway.ledger.net(dashboard.contract.id).minor == 3000


@pytest.mark.rule("R-317", "R-263")
def test_what_deleting_a_contract_returned_is_no_alarm_and_a_dispute_of_it_is(dashboard):
    charge = dashboard.charge()
    dashboard.gateway.contracts.delete(dashboard.contract.id, confirm=dashboard.contract.id, reason="mistake")
    assert "unmatched" not in dashboard.deliver()

    dashboard.emulator.dispute(charge.reference)

    assert "unmatched" in dashboard.deliver()


@pytest.fixture
def console(dashboard):
    """A payment that took 5,000 yen, and a way to ask the control interface about it."""
    payment = dashboard.charge().reference

    def send(path, body):
        request = Request("POST", f"{URL}/_paygate/console/{path}", body=json.dumps(body).encode())
        response = dashboard.emulator.handle(request)
        return response.status, response.json()

    return payment, send


def test_over_http_a_payment_is_returned_in_part_and_then_to_the_end(dashboard, console):
    payment, send = console

    first, _ = send("refunds", {"payment": payment, "amount": 1000})
    too_much, refusal = send("refunds", {"payment": payment, "amount": 4001})
    rest, body = send("refunds", {"payment": payment})

    assert (first, too_much, rest) == (201, 400, 201)
    assert "what is left" in refusal["error"]["remedy"]
    assert body["id"] == dashboard.emulator.book.refunds[-1].reference
    assert dashboard.emulator.book.refunded(payment) == 5000


def test_over_http_a_dispute_is_opened_and_decided_once(dashboard, console):
    payment, send = console

    status, opened = send("disputes", {"payment": payment})
    undecided, refusal = send(f"disputes/{opened['id']}", {})
    decided = send(f"disputes/{opened['id']}", {"won": False})
    again, _ = send(f"disputes/{opened['id']}", {"won": True})

    assert (status, undecided, again) == (201, 400, 404)
    assert "won" in refusal["error"]["message"]
    assert decided == (200, {"id": opened["id"], "won": False})
    assert dashboard.emulator.book.disputed(payment) == 5000


@pytest.mark.parametrize("path", ["refunds", "disputes", "disputes/nothing"])
def test_over_http_what_is_not_there_is_refused_with_what_is(console, path):
    _, send = console

    status, body = send(path, {"won": True} if "/" in path else {"payment": "nothing"})
    missing, _ = send(path, {})

    assert (status, missing) == (404, 400)
    assert body["error"]["remedy"]
