"""Nothing that paygate keeps, shows or logs holds a secret of the account, however the charges end."""

from __future__ import annotations

import logging

import pytest

from paygate import Card, Customer, Gateway, Money, Plan
from paygate.errors import PaygateError, WebhookRejected
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Fault, FaultKind, When, Wish, WishKind
from paygate.testing.emulators.stripe import StripeEmulator
from paygate_stripe import Stripe, StripeSettings


def test_secrets_are_in_no_log_no_error_no_repr_and_not_in_the_database(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    clock = ManualClock.jst(2026, 1, 15, 12)
    emulator = StripeEmulator(clock)
    emulator.set_webhook_target("https://shop.example/hooks")
    settings = StripeSettings(**emulator.credentials_for_plugin(), **emulator.webhook_settings())
    seen: list[object] = [settings]
    card = emulator.store_card()
    with Gateway(
        database=f"sqlite:///{tmp_path / 'shop.db'}",
        providers={"stripe": Stripe(settings)},
        clock=clock,
        mounts={StripeEmulator.origin: emulator.handle},
    ) as gateway:
        contract = gateway.contracts.create(
            Customer("cus_1", "山田花子", "hanako@example.com"),
            Plan.recurring("Gold", Money(3000, "JPY")),
            Card("stripe", card),
        )
        seen += [contract, gateway, gateway.providers.list()]
        troubles = {
            "declined": lambda: emulator.wish(Wish(WishKind.DECLINE)),
            "lost": lambda: emulator.faults.add(Fault(FaultKind.RESET, When.AFTER), times=9, match="POST /v1/*"),
            "html": lambda: emulator.faults.add(Fault(FaultKind.HTML, When.AFTER), times=9, match="POST /v1/*"),
            "error": lambda: emulator.faults.add(Fault(FaultKind.ERROR), times=9, match="POST /v1/*"),
            "none": lambda: None,
        }
        for number, trouble in enumerate(troubles, start=1):
            clock.advance(minutes=1)
            troubles[trouble]()
            seen.append(gateway.charges.create(contract.id, Money(100 + number, "JPY"), consent="phone"))
            emulator.faults.clear()
            clock.advance(minutes=20)
            seen.append(gateway.billing.reconcile())
        refunded = gateway.charges.list(contract_id=contract.id).all()[-1]
        seen.append(gateway.refunds.create(refunded.id, Money(50, "JPY")))
        emulator.deliver(
            lambda delivery: seen.append(gateway.webhooks.receive("stripe", delivery.headers, delivery.body))
        )
        with pytest.raises(WebhookRejected) as forged:
            gateway.webhooks.receive("stripe", {"stripe-signature": "t=1,v1=00"}, b"{}")
        seen.append(str(forged.value))
        try:
            gateway.charges.create(contract.id, Money(49, "JPY"), consent="phone")
        except PaygateError as exc:
            seen.append(str(exc))
        for rows in (gateway.charges, gateway.ledger, gateway.audit):
            seen += rows.list().all()
    shown = "\n".join(map(repr, seen)) + "\n" + "\n".join(map(str, seen)) + "\n" + caplog.text
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    customer, _, method = card.partition("/")
    for secret in (settings.api_key, settings.webhook_secret, "4242424242424242", "_secret_"):
        assert secret not in shown
        assert secret.encode() not in stored
    assert card.encode() in stored  # to be charged again, which also shows that the scan sees what is there
    assert method not in shown
    assert customer not in shown
