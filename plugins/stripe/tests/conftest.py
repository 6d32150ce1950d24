"""Shops for the plugin's tests: one whose answers are written by hand."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from paygate import JST, Money
from paygate.drivers import HttpSettings, SyncDriver
from paygate.flow import Request, Response
from paygate.provider import (
    ChargeRequest,
    ChargeResult,
    CheckoutRequest,
    Found,
    LookupRequest,
    ProviderEvent,
    RefundRequest,
    RefundResult,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)
from paygate.testing.clock import ManualClock
from paygate_stripe import Stripe, StripeSettings
from paygate_stripe.signatures import sign

BASE_URL = "https://api.stripe.com"
API_KEY = "sk_test_canary0key"
WEBHOOK_SECRET = "whsec_canary0secret"
CARD = "cus_Hanako/pm_Visa"


class HandMade:
    """The plugin in front of somebody who gives the prepared answers, one after the other, the last again and again."""

    def __init__(self, clock: ManualClock, **settings: Any) -> None:
        self.clock = clock
        self.settings = StripeSettings(**{"api_key": API_KEY, "webhook_secret": WEBHOOK_SECRET, **settings})
        self.provider = Stripe(self.settings, clock)
        self.requests: list[Request] = []
        self._answers: list[Response | Exception] = [Response(500)]
        self._numbers = itertools.count(1)
        self.driver = self.patient(retries=0)

    def answers(self, *answers: object, status: int = 200) -> HandMade:
        """Prepare answers: responses, exceptions to be thrown, or bodies to be answered with *status*."""
        self._answers = [
            one if isinstance(one, Response | Exception) else Response(status, {}, json.dumps(one).encode())
            for one in answers
        ]
        return self

    def _handle(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def patient(self, retries: int = 2) -> SyncDriver:
        """A driver that repeats what it may."""
        return SyncDriver(
            self.clock, settings=HttpSettings(retries=retries), mounts={BASE_URL: self._handle}, rng=random.Random(7)
        )

    def sent(self) -> list[str]:
        """Method and path of what was sent."""
        return [f"{request.method} {urlsplit(request.url).path}" for request in self.requests]

    def form(self, number: int = -1) -> dict[str, str]:
        """The parameters of a request, wherever they are; by default of the last one."""
        request = self.requests[number]
        return dict(parse_qsl(request.body.decode() or urlsplit(request.url).query, keep_blank_values=True))

    # --- requests ---

    def attempt(self, amount: int = 3980, *, card: str = CARD, description: str = "") -> ChargeRequest:
        charge_id = f"{next(self._numbers):032x}"
        return ChargeRequest(
            charge_id=charge_id,
            key=charge_id,
            amount=Money(amount, "JPY"),
            credential=card,
            metadata={"paygate_charge": charge_id, "paygate_contract": "c" * 32},
            description=description,
            requested_at=self.clock.now(),
        )

    def refund_attempt(self, amount: int = 1000, *, charge: str = "pi_1", reason: str = "") -> RefundRequest:
        refund_id = f"{next(self._numbers):032x}"
        return RefundRequest(
            refund_id=refund_id,
            key=refund_id,
            amount=Money(amount, "JPY"),
            charge_reference=charge,
            charged=Money(3980, "JPY"),
            reason=reason,
            metadata={"paygate_refund": refund_id},
            requested_at=self.clock.now(),
        )

    # --- hooks ---

    def run(self, flow: Any) -> Any:
        return self.driver.run(flow)

    def charge(self, request: ChargeRequest | int = 3980) -> ChargeResult:
        attempt = self.attempt(request) if isinstance(request, int) else request
        return self.run(self.provider.charge(attempt))

    def find_charge(self, attempt: ChargeRequest, reference: str | None = None) -> Found:
        return self.run(self.provider.find_charge(LookupRequest(attempt, reference)))

    def refund(self, request: RefundRequest) -> RefundResult:
        return self.run(self.provider.refund(request))

    def find_refund(self, attempt: RefundRequest, reference: str | None = None) -> Found:
        return self.run(self.provider.find_refund(LookupRequest(attempt, reference)))

    def start(self, **changes: Any) -> SubscriptionStart:
        values: dict[str, Any] = {
            "contract_id": "c" * 32,
            "key": "c" * 32,
            "credential": CARD,
            "price": Money(3000, "JPY"),
            "months": 1,
            "starts_on": self.clock.now().astimezone(JST).date(),
            "description": "Gold",
            "metadata": {"paygate_contract": "c" * 32},
        }
        return SubscriptionStart(**{**values, **changes})

    def about_subscription(self, reference: str | None = "sub_1") -> SubscriptionRequest:
        return SubscriptionRequest("c" * 32, CARD, reference=reference)

    def checkout_request(self, **changes: Any) -> CheckoutRequest:
        values: dict[str, Any] = {
            "checkout_id": "d" * 32,
            "key": "d" * 32,
            "customer_id": "42",
            "email": "hanako@example.com",
            "return_url": "https://shop.example/done",
        }
        return CheckoutRequest(**{**values, **changes})

    def hear(self, event: object) -> list[ProviderEvent]:
        """Deliver *event*, signed now."""
        body = json.dumps(event).encode()
        time = str(int(self.clock.now().timestamp()))
        headers = {"stripe-signature": f"t={time},v1={sign(body, self.settings.webhook_secrets[0], time)}"}
        return self.run(self.provider.parse_webhook(Webhook(headers, body)))

    def event(self, kind: str, told: object, **changes: Any) -> dict[str, Any]:
        """An event as Stripe writes it."""
        return {
            "id": "evt_1",
            "object": "event",
            "type": kind,
            "api_version": "2024-06-20",  # an endpoint keeps the version that it was made with
            "livemode": False,
            "data": {"object": told},
            **changes,
        }

    # --- what Stripe writes ---

    @staticmethod
    def intent(status: str = "succeeded", **changes: Any) -> dict[str, Any]:
        """A PaymentIntent as Stripe writes it, as far as the plugin reads it."""
        paid = status == "succeeded"
        return {
            "id": "pi_1",
            "object": "payment_intent",
            "amount": 3980,
            "amount_received": 3980 if paid else 0,
            "currency": "jpy",
            "status": status,
            "created": 1_795_316_400,
            "livemode": False,
            "customer": "cus_Hanako",
            "metadata": {"paygate_charge": f"{1:032x}"},
            "latest_charge": {"id": "ch_1", "object": "charge", "created": 1_795_316_401} if paid else None,
            **changes,
        }

    @staticmethod
    def error(code: str | None = None, *, kind: str = "invalid_request_error", **fields: Any) -> dict[str, Any]:
        """The body of an error."""
        named = {} if code is None else {"code": code}
        return {"error": {"type": kind, **named, "message": "it did not work", **fields}}

    @staticmethod
    def decline(code: str = "card_declined", **fields: Any) -> Response:
        """The answer to a charge that a bank refused."""
        body = HandMade.error(code, kind="card_error", **fields)
        inside = {name: value for name, value in body["error"].items() if name != "payment_intent"}
        body["error"].setdefault(
            "payment_intent", HandMade.intent("requires_payment_method", last_payment_error=inside)
        )
        return Response(402, {}, json.dumps(body).encode())

    @staticmethod
    def page(*items: Mapping[str, Any], more: bool = False) -> dict[str, Any]:
        """A page of a list."""
        return {"object": "list", "data": list(items), "has_more": more, "url": "/v1/things"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock.jst(2026, 11, 22, 12)


@pytest.fixture
def shop(clock: ManualClock) -> HandMade:
    return HandMade(clock)


@pytest.fixture
def shops(clock: ManualClock) -> Callable[..., HandMade]:
    """Makes shops with settings of their own."""
    return lambda **settings: HandMade(clock, **settings)
