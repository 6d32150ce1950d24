"""The plugin for Acme. Small, and written so that a broken variant overrides one method."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

import attrs

from paygate import secret
from paygate.clock import Clock
from paygate.errors import (
    ChargeDeclined,
    ConfigurationError,
    InvalidAmount,
    NotFound,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    WebhookRejected,
)
from paygate.flow import Replay, Request, Response, send
from paygate.money import Money
from paygate.provider import (
    AmountRange,
    Capabilities,
    ChangedPayment,
    ChargeRequest,
    ChargeResult,
    Checkout,
    CheckoutRequest,
    CheckoutResult,
    CheckoutState,
    CredentialDescription,
    CredentialRequest,
    CredentialState,
    DeclineClass,
    EventKind,
    Found,
    Idempotency,
    IdempotencyKind,
    Lookup,
    LookupRequest,
    Provider,
    ProviderEvent,
    RefundPolicy,
    RefundRequest,
    RefundResult,
    Renewals,
    Results,
    StartedSubscription,
    SubscriptionPayment,
    SubscriptionRequest,
    SubscriptionStart,
    Webhook,
)

__all__ = ["Acme", "AcmeSettings"]

CAPABILITIES = Capabilities(
    name="Acme",
    amounts={"JPY": AmountRange(50, 9_999_999), "USD": AmountRange(50, 99_999_999)},
    results=Results.IMMEDIATE | Results.POLLED | Results.NOTIFIED,
    idempotency=Idempotency(IdempotencyKind.NATIVE, window=86_400, max_length=64, errors_replayed=True),
    lookup=Lookup.AUTHORITATIVE,
    refunds=RefundPolicy.PARTIAL,
    refunds_asynchronous=True,
    refund_lookup=Lookup.AUTHORITATIVE,
    webhooks=True,
    renewals=Renewals.MERCHANT,
    checkout=True,
    changes_recurring_payment=True,
    describes_cards=True,
    revokes_cards=True,
)

_MEANS = {
    "no_funds": DeclineClass.SOFT,
    "try_again": DeclineClass.SOFT,
    "stolen": DeclineClass.HARD,
    "expired": DeclineClass.HARD,
    "unknown_card": DeclineClass.HARD,
    "ask_customer": DeclineClass.ACTION,
    "bad_amount": DeclineClass.CONFIG,
    "amount_out_of_range": DeclineClass.CONFIG,
}
_KEPT = ("id", "state", "amount", "currency", "code", "order", "contract")
_TOLERANCE = 300


@attrs.frozen(kw_only=True)
class AcmeSettings:
    """How to reach Acme."""

    api_key: str = secret()
    webhook_secret: str = secret()
    renewals: str = "merchant"
    url: str = "https://api.acme.test"


class Acme(Provider):
    """Acme Payments."""

    Settings: ClassVar[type | None] = AcmeSettings

    def __init__(self, settings: AcmeSettings) -> None:
        self.settings = settings
        self.clock: Clock | None = None  # the gateway's

    def capabilities(self) -> Capabilities:
        if self.settings.renewals == "merchant":
            return CAPABILITIES
        return attrs.evolve(CAPABILITIES, renewals=Renewals.PROVIDER, starts_subscriptions=True)

    # --- the wire ----------------------------------------------------------------------------------------------------

    async def _post(self, path: str, body: Mapping[str, Any], key: str | None) -> Response:
        headers = {"authorization": f"Bearer {self.settings.api_key}", "content-type": "application/json"}
        if key is not None:
            headers["idempotency-key"] = key
        data = json.dumps(body, sort_keys=True).encode()
        replay = Replay.SAME_KEY if key is not None else Replay.NEVER
        response = await send(Request("POST", self.settings.url + path, headers, data, replay=replay))
        if response.status == 401:
            raise ConfigurationError("acme: the api_key is refused; set PAYGATE_ACME_API_KEY")
        return response

    async def _get(self, path: str) -> Any:
        headers = {"authorization": f"Bearer {self.settings.api_key}"}
        response = await send(Request("GET", self.settings.url + path, headers))
        if response.status == 401:
            raise ConfigurationError("acme: the api_key is refused; set PAYGATE_ACME_API_KEY")
        body = read(response)
        if response.status == 404 and body.get("error") == "not_found":
            return None
        if response.status != 200 or not body:
            raise ProviderUnavailable(f"acme: a look-up was answered by HTTP {response.status}; look again later")
        return body

    async def _named(self, kind: str, reference: str) -> Mapping[str, Any] | None:
        """The record of that id; None where Acme says that there is none."""
        record = await self._get(f"/{kind}/{quote(reference, safe='')}")
        if record is not None and record.get("id") != reference:
            raise ProviderUnavailable("acme: a look-up was answered with something else; look again later")
        return None if record is None else dict(record)

    async def _listed(self, path: str, field: str, value: str) -> list[Mapping[str, Any]]:
        found = (await self._get(f"{path}?{field}={quote(value, safe='')}") or {}).get("list")
        if not isinstance(found, list):
            raise ProviderUnavailable("acme: a list was answered by something else; look again later")
        return found

    # --- charges -----------------------------------------------------------------------------------------------------

    def _charge_body(self, request: ChargeRequest) -> dict[str, Any]:
        return {
            "card": request.credential,
            "amount": request.amount.minor,
            "currency": request.amount.currency,
            "order": request.charge_id,
            "contract": request.metadata.get("paygate_contract", ""),
        }

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        if request.amount.currency not in CAPABILITIES.amounts:
            raise InvalidAmount(f"acme takes no {request.amount.currency}; nothing was sent")
        response = await self._post("/charges", self._charge_body(request), request.key)
        return self._charged(response, request.amount)

    def _charged(self, response: Response, asked: Money) -> ChargeResult:
        body = read(response)
        if response.status == 429:
            return ChargeResult.not_sent("acme takes no more requests just now", code="429")
        if response.status in {201, 402} and isinstance(body.get("id"), str):
            return self._result(body, asked)
        if response.status == 422 and isinstance(body.get("error"), str):
            code = body["error"]
            return ChargeResult.declined(code, decline=_MEANS.get(code, DeclineClass.UNKNOWN))
        return ChargeResult.unknown(f"HTTP {response.status}: what it means is not documented")

    def _result(self, charge: Mapping[str, Any], asked: Money | None) -> ChargeResult:
        reference, raw = str(charge["id"]), self._kept(charge)
        match charge.get("state"):
            case "paid":
                return self._paid(charge, asked)
            case "processing":
                return ChargeResult.pending(reference, raw=raw)
            case "action":
                return ChargeResult.pending(reference, action_url=charge.get("link"), raw=raw)
            case "declined":
                code = str(charge.get("code"))
                decline = _MEANS.get(code, DeclineClass.UNKNOWN)
                return ChargeResult.declined(code, decline=decline, reference=reference, raw=raw)
        return ChargeResult.unknown("a state that nobody documented", reference=reference, raw=raw)

    def _paid(self, charge: Mapping[str, Any], asked: Money | None) -> ChargeResult:
        amount = money(charge)
        if amount is None or amount != (asked or amount):
            return ChargeResult.unknown("another amount than was asked for", reference=str(charge["id"]))
        at = dt.datetime.fromisoformat(charge["paid_at"])
        return ChargeResult.succeeded(str(charge["id"]), amount=amount, charged_at=at, raw=self._kept(charge))

    def _kept(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: record[name] for name in _KEPT if name in record}

    async def find_charge(self, request: LookupRequest) -> Found:
        attempt = request.attempt
        assert isinstance(attempt, ChargeRequest)
        if request.reference is not None:
            charge = await self._named("charges", request.reference)
            return Found(self._result(charge, attempt.amount) if charge else None)
        found = await self._listed("/charges", "order", attempt.charge_id)
        paid = [charge for charge in found if charge["state"] == "paid"]
        if len(paid) > 1:
            return Found(ChargeResult.unknown("charged more than once"))
        best = paid or found[-1:]
        return Found(self._result(best[0], attempt.amount) if best else None)

    # --- refunds -----------------------------------------------------------------------------------------------------

    async def refund(self, request: RefundRequest) -> RefundResult:
        path = f"/charges/{quote(request.charge_reference, safe='')}/refunds"
        body = {
            "amount": request.amount.minor,
            "currency": request.amount.currency,
            "order": request.refund_id,
        }
        return self._returned(await self._post(path, body, request.key), request.amount)

    def _returned(self, response: Response, asked: Money) -> RefundResult:
        body = read(response)
        if response.status == 429:
            return RefundResult.not_sent("acme takes no more requests just now", code="429")
        if response.status == 201 and isinstance(body.get("id"), str):
            return self._refund_result(body, asked)
        if response.status == 422 and isinstance(body.get("error"), str):
            return RefundResult.declined(body["error"])
        return RefundResult.unknown(f"HTTP {response.status}: what it means is not documented")

    def _refund_result(self, refund: Mapping[str, Any], asked: Money | None) -> RefundResult:
        reference, raw = str(refund["id"]), self._kept(refund)
        match refund.get("state"):
            case "returned" if money(refund) in {asked, None} or asked is None:
                at = dt.datetime.fromisoformat(refund["returned_at"])
                return RefundResult.succeeded(reference, refunded_at=at, raw=raw)
            case "processing":
                return RefundResult.pending(reference, raw=raw)
            case "failed":
                return RefundResult.declined(str(refund.get("code")), reference=reference, raw=raw)
        return RefundResult.unknown("a state that nobody documented", reference=reference, raw=raw)

    async def find_refund(self, request: LookupRequest) -> Found:
        attempt = request.attempt
        assert isinstance(attempt, RefundRequest)
        if request.reference is not None:
            refund = await self._named("refunds", request.reference)
            return Found(self._refund_result(refund, attempt.amount) if refund else None)
        found = await self._listed("/refunds", "order", attempt.refund_id)
        return Found(self._refund_result(found[-1], attempt.amount) if found else None)

    # --- webhooks ----------------------------------------------------------------------------------------------------

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        self._authenticate(webhook)
        try:
            envelope = json.loads(webhook.body)
            event_id, event, data = str(envelope["id"]), envelope["event"], envelope["data"]
            return [await self._event(event_id, event, data)]
        except (ValueError, KeyError, TypeError):
            raise WebhookRejected("acme: the delivery is not an event of Acme") from None

    def _authenticate(self, webhook: Webhook) -> None:
        given = webhook.headers.get("acme-signature", "")
        parts = dict(part.split("=", 1) for part in given.split(",") if "=" in part)
        stamp, proof = parts.get("t", ""), parts.get("v1", "")
        expected = hmac.new(
            self.settings.webhook_secret.encode(), stamp.encode(errors="replace") + b"." + webhook.body, hashlib.sha256
        ).hexdigest()
        if not hmac.compare_digest(proof.encode(errors="replace"), expected.encode()):
            raise WebhookRejected("acme: the delivery is not signed by Acme", status=401)
        now = self.clock.now().timestamp() if self.clock is not None else 0.0
        if abs(now - int(stamp)) > _TOLERANCE:
            raise WebhookRejected("acme: the delivery is too old or from the future", status=401)

    async def _event(self, event_id: str, event: str, data: Mapping[str, Any]) -> ProviderEvent:
        match event:
            case "charge":
                charge = await self._read_record("charges", data["id"])
                return ProviderEvent(
                    event_id,
                    EventKind.CHARGE,
                    event,
                    reference=charge["id"],
                    attempt_id=charge["order"] or None,
                    charge=self._result(charge, None),
                )
            case "refund":
                refund = await self._read_record("refunds", data["id"])
                return ProviderEvent(
                    event_id,
                    EventKind.REFUND,
                    event,
                    reference=refund["id"],
                    attempt_id=refund["order"] or None,
                    refund=self._refund_result(refund, None),
                )
            case "renewal":
                charge = await self._read_record("charges", data["charge"])
                return ProviderEvent(
                    event_id,
                    EventKind.RENEWAL,
                    event,
                    reference=charge["id"],
                    charge=self._result(charge, None),
                    contract_id=data["contract"],
                    period_on=dt.date.fromisoformat(data["period"]),
                    attempt=data["attempt"],
                    retries=data["retries"],
                    next_on=dt.date.fromisoformat(data["next"]) if data.get("next") else None,
                )
            case "ended":
                return ProviderEvent(event_id, EventKind.SUBSCRIPTION_ENDED, event, contract_id=data["contract"])
            case "checkout":
                return ProviderEvent(event_id, EventKind.CHECKOUT, event, reference=data["id"])
        return ProviderEvent(event_id, EventKind.OTHER, event)

    async def _read_record(self, kind: str, reference: str) -> Mapping[str, Any]:
        record = await self._named(kind, reference)
        if record is None:
            raise ProviderUnavailable("acme: what a delivery tells of cannot be read just now")
        return record

    # --- subscriptions and checkouts ---------------------------------------------------------------------------------

    async def start_recurring(self, request: SubscriptionStart) -> StartedSubscription:
        if self.settings.renewals != "provider":
            return await super().start_recurring(request)
        for known in await self._listed("/subscriptions", "contract", request.contract_id):
            return StartedSubscription(str(known["id"]))
        body = {
            "contract": request.contract_id,
            "card": request.credential,
            "amount": request.price.minor,
            "currency": request.price.currency,
            "months": request.months,
            "starts": request.starts_on.isoformat(),
        }
        response = await self._post("/subscriptions", body, request.key)
        made = read(response)
        if response.status == 422 and isinstance(made.get("error"), str):
            raise ChargeDeclined("acme: no subscription on that card", code=made["error"])
        if response.status == 429:
            raise ProviderUnavailable("acme takes no more requests just now")
        if response.status != 201 or not isinstance(made.get("id"), str):
            raise OutcomeUnknown(f"HTTP {response.status}: whether there is a subscription is not known")
        return StartedSubscription(made["id"])

    async def stop_recurring(self, request: SubscriptionRequest) -> None:
        await self._change(request, "stop")

    async def end_recurring(self, request: SubscriptionRequest) -> None:
        await self._change(request, "end")

    async def resume_recurring(self, request: SubscriptionRequest) -> None:
        await self._change(request, "resume")

    async def change_recurring_payment(self, request: SubscriptionPayment) -> ChangedPayment:
        if self.settings.renewals != "provider":
            return await super().change_recurring_payment(request)
        for subscription in await self._listed("/subscriptions", "contract", request.contract_id):
            await self._give_card(subscription, request.new_credential)
        return ChangedPayment()

    async def _give_card(self, subscription: Mapping[str, Any], card: str) -> None:
        response = await self._post(f"/subscriptions/{subscription['id']}/card", {"card": card}, None)
        if response.status != 200 or read(response).get("card") != card:
            raise ProviderError(f"acme: HTTP {response.status} to the wish to change a subscription's card")

    async def describe_card(self, request: CredentialRequest) -> CredentialDescription:
        card = await self._named("cards", request.credential)
        if card is None:
            return CredentialDescription(CredentialState.REVOKED)
        return CredentialDescription(brand=card.get("brand"), last4=card.get("last4"), expires=card.get("until"))

    async def revoke_card(self, request: CredentialRequest) -> None:
        response = await self._post(f"/cards/{quote(request.credential, safe='')}/forget", {}, None)
        if response.status != 200 or read(response).get("state") != "forgotten":
            raise ProviderError(f"acme: HTTP {response.status} to the wish to forget a card")

    async def _change(self, request: SubscriptionRequest, change: str) -> None:
        if self.settings.renewals != "provider":
            await super().stop_recurring(request)
        found = await self._listed("/subscriptions", "contract", request.contract_id)
        for subscription in found:
            response = await self._post(f"/subscriptions/{subscription['id']}/{change}", {}, None)
            if response.status == 429:
                raise ProviderUnavailable("acme takes no more requests just now")
            if response.status != 200 or "state" not in read(response):
                raise ProviderError(f"acme: HTTP {response.status} to the wish to {change} a subscription")

    async def begin_checkout(self, request: CheckoutRequest) -> Checkout:
        body = {"customer": request.customer_id, "return": request.return_url, "notes": dict(request.metadata)}
        response = await self._post("/checkouts", body, request.key)
        made = read(response)
        if response.status == 429:
            raise ProviderUnavailable("acme takes no more requests just now")
        if response.status != 201 or not isinstance(made.get("url"), str):
            raise ProviderError(f"acme: HTTP {response.status} to the wish for a checkout")
        return Checkout(str(made["id"]), made["url"])

    async def complete_checkout(self, reference: str) -> CheckoutResult:
        checkout = await self._get(f"/checkouts/{quote(reference, safe='')}")
        if checkout is None:
            raise NotFound("acme knows no such checkout")
        notes = checkout.get("notes")
        kept = notes if isinstance(notes, dict) else {}
        match checkout.get("state"):
            case "open":
                return CheckoutResult(CheckoutState.OPEN, metadata=kept)
            case "done" if isinstance(checkout.get("card"), str):
                return CheckoutResult(
                    CheckoutState.COMPLETED,
                    checkout["card"],
                    checkout.get("brand"),
                    checkout.get("last4"),
                    metadata=kept,
                )
            case "late":
                return CheckoutResult(CheckoutState.EXPIRED, metadata=kept)
            case "refused":
                return CheckoutResult(CheckoutState.FAILED, code=checkout.get("code"), metadata=kept)
        raise ProviderError("acme: a checkout in a state that nobody documented")

    async def ping(self) -> str:
        await self._get("/me")
        return "Acme answers"


def read(response: Response) -> Mapping[str, Any]:
    """The JSON object in the body; an empty one where there is none."""
    try:
        body = response.json()
    except OutcomeUnknown:
        return {}
    return body if isinstance(body, dict) else {}


def money(record: Mapping[str, Any]) -> Money | None:
    """The amount of a record."""
    try:
        return Money(record["amount"], record["currency"])
    except (KeyError, InvalidAmount, TypeError):
        return None
