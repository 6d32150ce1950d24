"""Nothing that paygate keeps, shows or logs holds a secret of the account, however the charges end."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from paygate import Card, Customer, Gateway, Money, Plan
from paygate.errors import PaygateError, WebhookRejected
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Fault, FaultKind, When
from paygate.testing.emulators.univapay import ChargePlan, UnivaPayEmulator
from paygate_univapay import UnivaPay, UnivaPaySettings

BASE_URL = "https://api.univapay.com"
WORD = "canary-webhook-word"


def test_secrets_are_in_no_log_no_error_no_repr_and_not_in_the_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = ManualClock.jst(2026, 1, 15, 12)
    emulator = UnivaPayEmulator(clock)
    emulator.add_webhook("https://shop.example/hooks", WORD)
    keys = emulator.credentials
    settings = UnivaPaySettings(app_token=keys.app_token, secret=keys.secret, webhook_auth_token=WORD)
    seen: list[object] = [settings]
    card = emulator.add_card()
    database = tmp_path / "shop.db"
    with Gateway(
        database=f"sqlite:///{database}",
        providers={"univapay": UnivaPay(settings)},
        clock=clock,
        mounts={BASE_URL: emulator.handle},
    ) as gateway:
        contract = gateway.contracts.create(
            Customer("cus_1", "山田花子", "hanako@example.com"),
            Plan.recurring("Gold", Money(3000, "JPY")),
            Card("univapay", card),
        )
        seen += [contract, gateway, gateway.providers.list()]
        for number, trouble in enumerate([None, "declined", "lost", "html"], start=1):
            clock.advance(minutes=1)
            if trouble == "declined":
                emulator.plan(ChargePlan("failed", 306))
            elif trouble == "lost":
                emulator.faults.add(Fault(FaultKind.RESET, When.AFTER), times=9, match="POST /charges")
            elif trouble == "html":
                emulator.faults.clear()
                emulator.faults.add(Fault(FaultKind.HTML, When.AFTER), times=9, match="POST /charges")
            seen.append(gateway.charges.create(contract.id, Money(100 + number, "JPY"), consent="phone"))
            emulator.faults.clear()
            clock.advance(minutes=20)
            seen.append(gateway.billing.reconcile())
        emulator.deliver(
            lambda delivery: seen.append(gateway.webhooks.receive("univapay", delivery.headers, delivery.body))
        )
        with pytest.raises(WebhookRejected) as forged:
            gateway.webhooks.receive("univapay", {"authorization": "wrong"}, b"{}")
        seen.append(str(forged.value))
        try:
            gateway.charges.create(contract.id, Money(0, "JPY"), consent="phone")
        except PaygateError as exc:
            seen.append(str(exc))
        for rows in (gateway.charges, gateway.ledger, gateway.audit):
            seen += rows.list().all()
    shown = "\n".join(map(repr, seen)) + "\n" + "\n".join(map(str, seen)) + "\n" + caplog.text
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    for secret in (keys.secret, keys.app_token, WORD, "4000020000000000"):
        assert secret not in shown
        assert secret.encode() not in stored
    assert card.encode() in stored  # to be charged again, which also shows that the scan sees what is there
    assert card not in shown
