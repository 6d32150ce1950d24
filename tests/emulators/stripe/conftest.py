"""A client of the emulated Stripe that speaks its wire and knows nothing of the plugin or of the official clients."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from paygate.flow import Request, Response
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Delivery
from paygate.testing.emulators.stripe import StripeEmulator

BASE = "https://api.stripe.com/v1"


def flat(params: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """The form fields of nested *params*, arrays with positions."""
    for name, value in params.items():
        full = f"{within}[{name}]" if within else name
        if isinstance(value, Mapping):
            yield from flat(value, full)
        elif isinstance(value, list):
            yield from flat({str(position): item for position, item in enumerate(value)}, full)
        else:
            yield full, str(value).lower() if isinstance(value, bool) else str(value)


class Client:
    """Sends what it is told to, with the emulator's key."""

    def __init__(self, emulator: StripeEmulator) -> None:
        self.emulator = emulator
        self.version: str | None = None
        self.authorization: str | None = f"Bearer {emulator.credentials_for_plugin()['api_key']}"

    def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | str | bytes | None = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        sent = dict(headers or {})
        if self.authorization is not None:
            sent["Authorization"] = self.authorization
        if self.version is not None:
            sent["Stripe-Version"] = self.version
        if key is not None:
            sent["Idempotency-Key"] = key
        form = params if isinstance(params, str | bytes) else urlencode(list(flat(params or {})))
        body = form.encode() if isinstance(form, str) else form
        url = f"{BASE}{path}"
        if method != "POST":
            url, body = f"{url}?{body.decode()}" if body else url, b""
        return self.emulator.handle(Request(method, url, sent, body))

    def post(self, path: str, params: Mapping[str, Any] | str | None = None, *, key: str | None = None) -> Any:
        """The object that a successful POST answers."""
        response = self.send("POST", path, params, key=key)
        assert response.status == 200, response.body
        return response.json()

    def get(self, path: str, **params: Any) -> Any:
        """The object that a successful GET answers."""
        response = self.send("GET", path, params)
        assert response.status == 200, response.body
        return response.json()

    def delete(self, path: str) -> Any:
        response = self.send("DELETE", path)
        assert response.status == 200, response.body
        return response.json()

    def refused(
        self, path: str, params: Mapping[str, Any] | str | None = None, *, status: int = 400, method: str = "POST"
    ) -> Any:
        """The error of a request that is refused with *status*."""
        response = self.send(method, path, params)
        assert response.status == status, response.body
        return response.json()["error"]

    def pay(self, method: str = "pm_card_visa", amount: int = 3000, *, key: str | None = None, **more: Any) -> Any:
        """The answer to an off-session payment, whatever it is."""
        body = {"amount": amount, "currency": "jpy", "payment_method": method, "confirm": True, "off_session": True}
        return self.send("POST", "/payment_intents", {**body, **more}, key=key).json()

    def charge(self, credential: str, amount: int = 3000, *, key: str | None = None, **more: Any) -> Any:
        """The answer to an off-session payment with a stored card."""
        customer, method = credential.split("/")
        return self.pay(method, amount, key=key, customer=customer, **more)

    def types(self, **params: Any) -> list[str]:
        """The types of the latest events, oldest first."""
        return [event["type"] for event in self.get("/events", limit=100, **params)["data"]][::-1]


class Merchant:
    """Takes webhooks: remembers them, and says whether a signature is right."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.seen: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> int:
        self.seen.append(delivery)
        return self.status

    @staticmethod
    def signed_by(delivery: Delivery, secret: str) -> bool:
        fields = [field.split("=", 1) for field in delivery.headers["Stripe-Signature"].split(",")]
        moment = dict(fields)["t"]
        digest = hmac.new(secret.encode(), f"{moment}.".encode() + delivery.body, hashlib.sha256).hexdigest()
        return ["v1", digest] in fields

    @staticmethod
    def moment(delivery: Delivery) -> int:
        return int(delivery.headers["Stripe-Signature"].split(",")[0].removeprefix("t="))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock.jst(2026, 11, 22, 12)


@pytest.fixture
def emulator(clock: ManualClock) -> StripeEmulator:
    return StripeEmulator(clock)


@pytest.fixture
def client(emulator: StripeEmulator) -> Client:
    return Client(emulator)


@pytest.fixture
def card(emulator: StripeEmulator) -> str:
    return emulator.store_card()


@pytest.fixture
def merchant() -> Merchant:
    return Merchant()
