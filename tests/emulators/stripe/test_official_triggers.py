"""The requests that Stripe's own command line sends for ``stripe trigger``, as it sends them: plain HTTP, no version."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from paygate.clock import SystemClock
from paygate.testing.emulators import serve
from paygate.testing.emulators.stripe import StripeEmulator

ADDRESS = {"line1": "1-1 Chiyoda", "postal_code": "100-0001", "city": "Chiyoda", "state": "Tokyo", "country": "JP"}
SHIPPING = {"name": "Yamada Hanako", "address": ADDRESS}
CARDS = {"payment_method_types": ["card"]}
CUSTOMER = ("customer", "/v1/customers", {"description": "made by a trigger"})
ATTACH = ("method", "/v1/payment_methods/pm_card_visa/attach", {"customer": "${customer:id}"})
ITEM = ("item", "/v1/invoiceitems", {"amount": 2000, "currency": "usd", "customer": "${customer:id}"})
INVOICE = ("invoice", "/v1/invoices", {"customer": "${customer:id}", "pending_invoice_items_behavior": "include"})
PRODUCT = ("product", "/v1/products", {"name": "myproduct", "description": "made by a trigger"})
PAGE = ("page", "/v1/payment_pages/${session:id}", None)
WAYS = {"success_url": "https://shop.example/post", "cancel_url": "https://shop.example/post"}
CARD = (
    "method",
    "/v1/payment_methods",
    {"type": "card", "card": {"token": "tok_visa"}, "billing_details": {"email": "hanako@example.com"}},
)
SHIRTS = {"name": "t-shirt", "description": "cotton", "amount": 1500, "currency": "usd", "quantity": 2}


SOURCE = ("customer", "/v1/customers", {"description": "made by a trigger", "source": "tok_visa"})
PLAN = (
    "plan",
    "/v1/plans",
    {"currency": "usd", "interval": "month", "amount": 2000, "product": {"name": "myproduct"}},
)
SUBSCRIBED = ("sub", "/v1/subscriptions", {"customer": "${customer:id}", "items": [{"plan": "${plan:id}"}]})


def price(**more: Any) -> Any:
    return ("price", "/v1/prices", {"product": "${product:id}", "unit_amount": "1500", "currency": "usd", **more})


def confirmed(page: str, **more: Any) -> Any:
    return ("confirmed", f"/v1/payment_pages/${{{page}:id}}/confirm", {"payment_method": "${method:id}", **more})


#: By what is triggered, and which release of the command line sends it: name, path, parameters (None: a GET).
TRIGGERS: dict[tuple[str, str], list[tuple[str, str, dict[str, Any] | None]]] = {
    ("payment_intent.succeeded", "now"): [
        (
            "intent",
            "/v1/payment_intents",
            {
                "amount": 2000,
                "confirm": "true",
                "currency": "usd",
                "payment_method": "pm_card_visa",
                **CARDS,
                "shipping": SHIPPING,
            },
        )
    ],
    ("payment_intent.payment_failed", "now"): [
        (
            "intent",
            "/v1/payment_intents",
            {"amount": 2000, "confirm": "true", "currency": "usd", "payment_method": "pm_card_chargeDeclined", **CARDS},
        )
    ],
    ("setup_intent.succeeded", "now"): [
        (
            "setup",
            "/v1/setup_intents",
            {"confirm": True, "description": "made by a trigger", "payment_method": "pm_card_visa", **CARDS},
        )
    ],
    ("charge.refunded", "now"): [
        (
            "intent",
            "/v1/payment_intents",
            {"amount": 100, "currency": "usd", **CARDS, "payment_method": "pm_card_visa", "confirm": True},
        ),
        ("refund", "/v1/refunds", {"payment_intent": "${intent:id}"}),
    ],
    ("charge.refunded", "before"): [
        ("charge", "/v1/charges", {"source": "tok_visa", "amount": 100, "currency": "usd"}),
        ("refund", "/v1/refunds", {"charge": "${charge:id}"}),
    ],
    ("customer.subscription.created", "now"): [
        (
            "customer",
            "/v1/customers",
            {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}},
        ),
        PRODUCT,
        price(**{"recurring[interval]": "month"}),
        ("sub", "/v1/subscriptions", {"customer": "${customer:id}", "items": [{"price": "${price:id}"}]}),
    ],
    ("customer.subscription.updated", "before"): [
        SOURCE,
        PLAN,
        SUBSCRIBED,
        ("updated", "/v1/subscriptions/${sub:id}", {"metadata": {"foo": "bar"}}),
    ],
    ("customer.subscription.deleted", "before"): [
        SOURCE,
        PLAN,
        SUBSCRIBED,
        ("deleted", "DELETE /v1/subscriptions/${sub:id}", {}),
    ],
    ("invoice.paid", "now"): [
        CUSTOMER,
        ATTACH,
        ITEM,
        INVOICE,
        ("paid", "/v1/invoices/${invoice:id}/pay", {"payment_method": "${method:id}"}),
    ],
    ("invoice.finalized", "now"): [CUSTOMER, ITEM, INVOICE, ("final", "/v1/invoices/${invoice:id}/finalize", {})],
    ("checkout.session.completed", "now"): [
        PRODUCT,
        price(),
        (
            "session",
            "/v1/checkout/sessions",
            {
                **WAYS,
                **CARDS,
                "mode": "payment",
                "line_items": [{"price": "${price:id}", "quantity": 2}],
                "payment_intent_data": {"shipping": SHIPPING},
            },
        ),
        PAGE,
        CARD,
        confirmed("session", expected_amount=3000),
    ],
    ("checkout.session.completed", "before"): [
        (
            "session",
            "/v1/checkout/sessions",
            {**WAYS, **CARDS, "line_items": [SHIRTS], "payment_intent_data": {"shipping": SHIPPING}},
        ),
        PAGE,
        CARD,
        confirmed("page"),
    ],
    ("invoice.payment_failed", "now"): [
        CUSTOMER,
        ("method", "/v1/payment_methods/pm_card_chargeCustomerFail/attach", {"customer": "${customer:id}"}),
        ITEM,
        INVOICE,
        ("refused", "/v1/invoices/${invoice:id}/pay", {"payment_method": "${method:id}"}),
    ],
    ("invoice.sent", "now"): [
        CUSTOMER,
        ITEM,
        (*INVOICE[:2], {**INVOICE[2], "collection_method": "send_invoice", "days_until_due": 7}),
        ("sent", "/v1/invoices/${invoice:id}/send", {}),
    ],
    ("charge.captured", "now"): [
        ("charge", "/v1/charges", {"source": "tok_visa", "amount": 100, "currency": "usd", "capture": False}),
        ("captured", "/v1/charges/${charge:id}/capture", {}),
    ],
    ("charge.dispute.created", "now"): [
        (
            "intent",
            "/v1/payment_intents",
            {
                "amount": 100,
                "currency": "usd",
                **CARDS,
                "payment_method": "pm_card_createDisputeInquiry",
                "confirm": True,
            },
        ),
        ("disputes", "/v1/disputes?payment_intent=${intent:id}", None),
    ],
    ("checkout.session.expired", "now"): [
        PRODUCT,
        price(),
        (
            "session",
            "/v1/checkout/sessions",
            {**WAYS, "mode": "payment", "line_items": [{"price": "${price:id}", "quantity": 2}]},
        ),
        ("expired", "/v1/checkout/sessions/${session:id}/expire", {}),
    ],
}

#: How the last request ends, where it does not go well.
ENDS = {"payment_intent.payment_failed": 402, "invoice.payment_failed": 402}


def flat(params: dict[str, Any], within: str = "", *, positions: bool) -> Iterator[tuple[str, str]]:
    """The fields of a form; arrays as ``a[]``, as that command line writes them, or with *positions*."""
    for name, value in params.items():
        full = f"{within}[{name}]" if within else name
        if isinstance(value, dict):
            yield from flat(value, full, positions=positions)
        elif isinstance(value, list):
            for position, item in enumerate(value):
                yield from flat({str(position) if positions else "": item}, full, positions=positions)
        else:
            yield full, str(value).lower() if isinstance(value, bool) else str(value)


class Shell:
    """Sends the requests of a trigger one after the other, each with what the earlier ones answered."""

    def __init__(self, url: str, key: str, version: str | None, *, positions: bool) -> None:
        self._netloc, self._positions = urlsplit(url).netloc, positions
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-www-form-urlencoded"}
        if version is not None:
            self._headers["Stripe-Version"] = version
        self._answers: dict[str, Any] = {}

    def send(self, name: str, path: str, params: dict[str, Any] | None) -> int:
        fields = [] if params is None else list(flat(params, positions=self._positions))
        body = "&".join(f"{quote(key, safe='[]')}={quote(self._filled(value))}" for key, value in fields)
        with contextlib.closing(http.client.HTTPConnection(self._netloc, timeout=5)) as connection:
            given, _, path = path.rpartition(" ")
            method = given or ("GET" if params is None else "POST")
            connection.request(method, self._filled(path), body, self._headers)
            response = connection.getresponse()
            self._answers[name] = json.loads(response.read())
        assert response.status < 500
        self.last = self._answers[name]
        return response.status

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{(\w+):(\w+)\}", lambda found: self._answers[found[1]][found[2]], text)


@pytest.fixture
def emulator() -> StripeEmulator:
    return StripeEmulator(SystemClock())


@pytest.mark.rule("R-375")
@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("version", [None, "2019-03-14", "2020-08-27"])
@pytest.mark.parametrize("trigger", TRIGGERS, ids="-".join)
def test_a_trigger_of_the_official_command_line_brings_its_event(
    emulator: StripeEmulator, trigger: tuple[str, str], version: str | None, positions: bool
) -> None:
    event = trigger[0]
    with serve(emulator, webhooks=False) as url:
        shell = Shell(url, emulator.credentials_for_plugin()["api_key"], version, positions=positions)
        statuses = [shell.send(*step) for step in TRIGGERS[trigger]]
        shell.send("events", "/v1/events?limit=100", None)
    assert statuses == [*[200] * (len(statuses) - 1), ENDS.get(event, 200)]
    assert event in {one["type"] for one in shell.last["data"]}


@pytest.mark.rule("R-375")
@pytest.mark.parametrize("version", ["2023-10-16", "2025-03-31.basil", "2026-08-26.dahlia"])
@pytest.mark.parametrize("trigger", [one for one in TRIGGERS if one[1] == "now"], ids=lambda trigger: trigger[0])
def test_a_version_from_before_the_change_still_takes_the_types_of_methods(
    emulator: StripeEmulator, trigger: tuple[str, str], version: str
) -> None:
    with serve(emulator, webhooks=False) as url:
        shell = Shell(url, emulator.credentials_for_plugin()["api_key"], version, positions=True)
        statuses = [shell.send(*step) for step in TRIGGERS[trigger]]
    assert statuses == [*[200] * (len(statuses) - 1), ENDS.get(trigger[0], 200)]


@pytest.mark.rule("R-375")
@pytest.mark.parametrize(
    ("trigger", "version", "param"),
    [
        (("payment_intent.succeeded", "now"), "2026-09-30.endive", "payment_method_types"),
        (("setup_intent.succeeded", "now"), "2026-10-28.endive", "payment_method_types"),
        (("checkout.session.completed", "before"), "2022-11-15", "mode"),
    ],
)
def test_a_version_from_after_a_change_refuses_what_has_left(
    emulator: StripeEmulator, trigger: tuple[str, str], version: str, param: str
) -> None:
    with serve(emulator, webhooks=False) as url:
        shell = Shell(url, emulator.credentials_for_plugin()["api_key"], version, positions=True)
        assert shell.send(*TRIGGERS[trigger][0]) == 400
    assert shell.last["error"]["param"] == param


@pytest.mark.rule("R-375")
@pytest.mark.parametrize("version", ["latest", "2026-13", "2026-09-30.endive\tx", "20260930"])
def test_a_version_that_is_none_is_refused(emulator: StripeEmulator, version: str) -> None:
    with serve(emulator, webhooks=False) as url:
        shell = Shell(url, emulator.credentials_for_plugin()["api_key"], version, positions=True)
        assert shell.send("customer", "/v1/customers", {}) == 400
    assert "version" in shell.last["error"]["message"]


@pytest.mark.rule("R-375")
def test_what_is_new_is_unknown_to_an_old_version(emulator: StripeEmulator) -> None:
    body = {"amount": 500, "currency": "jpy", "allowed_payment_method_types": ["card"]}
    with serve(emulator, webhooks=False) as url:
        shell = Shell(url, emulator.credentials_for_plugin()["api_key"], "2025-03-31.basil", positions=True)
        assert shell.send("intent", "/v1/payment_intents", body) == 400
    assert shell.last["error"]["code"] == "parameter_unknown"


@pytest.mark.rule("R-375")
@pytest.mark.parametrize(("version", "status"), [("2022-11-15", 200), ("2023-08-16", 400), ("2026-10-28.endive", 400)])
def test_before_methods_that_redirect_were_offered_nobody_had_to_say_the_way_back(
    emulator: StripeEmulator, version: str, status: int
) -> None:
    body = {"amount": 100, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    with serve(emulator, webhooks=False) as url:
        shell = Shell(url, emulator.credentials_for_plugin()["api_key"], version, positions=True)
        assert shell.send("intent", "/v1/payment_intents", body) == status
