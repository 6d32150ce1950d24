"""A client of the emulated UnivaPay that speaks its wire and knows nothing of the plugin."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from paygate.flow import Request, Response
from paygate.testing.clock import ManualClock
from paygate.testing.emulators.univapay import UnivaPayEmulator

BASE = "https://api.univapay.com"


class Client:
    """Sends what it is told to, with the credentials of the emulator's first store."""

    def __init__(self, emulator: UnivaPayEmulator) -> None:
        self.emulator = emulator
        self.authorization: str | None = emulator.credentials.header
        self.store = f"/stores/{emulator.credentials.store_id}"

    def send(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, headers: dict[str, str] | None = None
    ) -> Response:
        sent = dict(headers or {})
        if self.authorization is not None:
            sent["Authorization"] = self.authorization
        if key is not None:
            sent["Idempotency-Key"] = key
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.emulator.handle(Request(method, BASE + path, sent, data))

    def get(self, path: str, **query: str) -> Any:
        response = self.send("GET", f"{self.store}{path}" + (f"?{urlencode(query)}" if query else ""))
        assert response.status == 200, response
        return response.json()

    def token(self, number: str = "4000020000000000", **changes: Any) -> Response:
        data = {"cardholder": "TARO YAMADA", "card_number": number, "exp_month": "12", "exp_year": "2031", "cvv": "123"}
        data |= changes.pop("data", {})
        body = {"payment_type": "card", "type": "recurring", "email": "taro@example.com", "data": data, **changes}
        return self.send("POST", "/tokens", body)

    def charge(self, card: str, amount: Any = 3980, *, key: str | None = None, **more: Any) -> Response:
        body = {"transaction_token_id": card, "amount": amount, "currency": "JPY", **more}
        return self.send("POST", "/charges", body, key=key)

    def paid(self, card: str, amount: int = 3980) -> str:
        """The id of a charge that went through."""
        charge_id: str = self.charge(card, amount).json()["id"]
        self.emulator.settle(charge_id)
        return charge_id

    def refund(self, charge_id: str, amount: Any, **more: Any) -> Response:
        body = {"amount": amount, "currency": "JPY", **more}
        return self.send("POST", f"{self.store}/charges/{charge_id}/refunds", body)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock.jst(2026, 11, 22, 12)


@pytest.fixture
def emulator(clock: ManualClock) -> UnivaPayEmulator:
    return UnivaPayEmulator(clock)


@pytest.fixture
def client(emulator: UnivaPayEmulator) -> Client:
    return Client(emulator)


@pytest.fixture
def card(emulator: UnivaPayEmulator) -> str:
    return emulator.add_card()
