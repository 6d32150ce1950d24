"""Charges: one for each attempt of a payment, good or bad, and what became of its money since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ....money import Money
from ...book import Movement, MovementKind
from ..wishes import WishKind
from .amounts import AMOUNT, CURRENCY, check_amount, check_currency
from .cards import Decline, decline
from .customers import SHIPPING
from .errors import API_ERROR, ApiError
from .params import METADATA, PAGE, Table, boolean, mapping, merged, span, text
from .payment_methods import PaymentMethod, PaymentMethods
from .resource import Object, Resource, changes, route
from .search import SEARCH, Fields, search
from .state import Call, State
from .tables import Record
from .tokens import refused

__all__ = ["Charge", "Charges"]

_LIST: Table = {**PAGE, "created": span(), "customer": text(), "payment_intent": text()}
_CREATE: Table = {
    "amount": attrs.evolve(AMOUNT, required=True),
    "capture": boolean(),
    "currency": attrs.evolve(CURRENCY, required=True),
    "customer": text(),
    "description": text(unset=True),
    "metadata": METADATA,
    "receipt_email": text(unset=True),
    "shipping": mapping(SHIPPING),
    "source": text(),
    "statement_descriptor": text(most=22),
    "statement_descriptor_suffix": text(most=22),
    "transfer_group": text(),
}
_UPDATE: Table = {
    "description": text(unset=True),
    "metadata": METADATA,
    "receipt_email": text(unset=True),
    "shipping": mapping(SHIPPING),
}


@attrs.define
class Charge(Record):
    """One attempt to move money. *status* is ``succeeded``, ``pending`` or ``failed``; amounts are minor units."""

    amount: int
    currency: str
    intent: str  #: empty for a charge that a token made
    customer: str | None
    method: PaymentMethod = attrs.field(repr=False)
    metadata: Mapping[str, str]
    description: str | None
    receipt_email: str | None
    suffix: str | None
    shipping: Mapping[str, Any] | None = attrs.field(repr=False)
    status: str = "pending"
    refusal: Decline | None = None
    amount_captured: int = 0
    amount_refunded: int = 0
    captured: bool = False
    disputed: bool = False
    withdrawn: bool = False  #: a dispute holds the money, or has taken it for good

    @property
    def payment(self) -> str:
        """What the book calls the payment: its intent or, where it has none, the charge itself."""
        return self.intent or self.id


class Charges(Resource[Charge]):
    """``/v1/charges``; new ones come from payment intents, or from a token as in old integrations."""

    kind = "charge"
    prefix = "ch"
    expandable = frozenset({"balance_transaction", "customer", "payment_intent", "payment_method"})
    indexes = ("intent", "customer")

    def __init__(self, state: State, methods: PaymentMethods) -> None:
        super().__init__(state)
        self._methods = methods

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("POST", "/charges", _CREATE)
    def create(self, call: Call) -> Object:
        """Charge a token, or the default method of a customer, at once and without 3-D Secure."""
        params = call.params
        currency = check_currency(params["currency"])
        check_amount(self.state, params["amount"], currency)
        method = self._methods.paying(params.get("source"), params.get("customer"))
        charge = self.table.add(
            Charge(
                **self.birth(),
                amount=params["amount"],
                currency=currency,
                intent="",
                customer=params.get("customer"),
                method=method,
                metadata=merged({}, params),
                description=params.get("description"),
                receipt_email=params.get("receipt_email"),
                suffix=params.get("statement_descriptor_suffix"),
                shipping=params.get("shipping"),
            )
        )
        refusal = self._refusal(method, params["amount"])
        if refusal is not None:
            self.fail(charge, refusal)
            raise refused(refusal, charge=charge.id)
        self.settle(charge, capture=params.get("capture", True))
        return self.show(charge)

    @route("POST", "/charges/{id}/capture", {"amount": AMOUNT, "receipt_email": text(), "statement_descriptor": text()})
    def take(self, call: Call) -> Object:
        charge = self.table.find(call.id)
        amount = call.params.get("amount", charge.amount)
        if charge.intent or charge.captured or charge.status != "succeeded" or charge.amount_refunded:
            raise ApiError.state(f"Charge {charge.id} cannot be captured.", "charge_already_captured")
        if amount > charge.amount:
            raise ApiError.invalid("amount", f"This charge holds no more than {charge.amount}.", "amount_too_large")
        self.capture(charge, amount)
        self.state.emit("charge.captured", self.show(charge))
        return self.show(charge)

    @route("GET", "/charges", _LIST)
    def list(self, call: Call) -> Object:
        params, rows = call.params, None
        if "payment_intent" in params:
            rows = self.table.by("intent", params["payment_intent"])
        elif "customer" in params:
            rows = self.table.by("customer", params["customer"])
        customer = params.get("customer")
        return self.listing("/charges", params, rows, lambda one: customer in {None, one.customer})

    @route("GET", "/charges/search", SEARCH)
    def search(self, call: Call) -> Object:
        fields: Fields[Charge] = {
            "amount": lambda one: one.amount,
            "created": lambda one: one.created,
            "currency": lambda one: one.currency,
            "customer": lambda one: one.customer,
            "metadata": lambda one: one.metadata,
            "status": lambda one: one.status,
        }
        return search(self, call, "/charges/search", fields)

    @route("GET", "/charges/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/charges/{id}", _UPDATE)
    def update(self, call: Call) -> Object:
        charge, params = self.table.find(call.id), call.params
        before = self.show(charge)
        charge.metadata = merged(charge.metadata, params)
        charge.description = params.get("description", charge.description)
        charge.receipt_email = params.get("receipt_email", charge.receipt_email)
        charge.shipping = params.get("shipping", charge.shipping)
        shown = self.show(charge)
        if previous := changes(before, shown):
            self.state.emit("charge.updated", shown, previous)
        return shown

    def show(self, record: Charge) -> Object:
        failed, card = record.refusal, record.method.card
        method = self._methods.show(record.method)
        return {
            **self.head(record),
            "amount": record.amount,
            "amount_captured": record.amount_captured,
            "amount_refunded": record.amount_refunded,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": f"txn_{record.id.removeprefix('ch_')}" if record.amount_captured else None,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": "EXAMPLE KK",
            "captured": record.captured,
            "created": record.created,
            "currency": record.currency,
            "customer": record.customer,
            "description": record.description,
            "disputed": record.disputed,
            "failure_balance_transaction": None,
            "failure_code": failed.code if failed else None,
            "failure_message": failed.message if failed else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(record.metadata),
            "on_behalf_of": None,
            "outcome": _outcome(record),
            "paid": record.status == "succeeded",
            "payment_intent": record.intent or None,
            "payment_method": record.method.id,
            "payment_method_details": {
                "card": {
                    "amount_authorized": record.amount if record.status == "succeeded" else None,
                    "brand": card.brand,
                    "checks": method["card"]["checks"],
                    "country": card.country,
                    "exp_month": record.method.exp_month,
                    "exp_year": record.method.exp_year,
                    "fingerprint": card.fingerprint,
                    "funding": "credit",
                    "last4": card.last4,
                    "network": card.brand,
                    "three_d_secure": None,
                    "wallet": None,
                },
                "type": "card",
            },
            "receipt_email": record.receipt_email,
            "receipt_number": None,
            "receipt_url": None,
            "refunded": 0 < record.amount_refunded == (record.amount_captured or record.amount),
            "review": None,
            "shipping": record.shipping,
            "source_transfer": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": record.suffix,
            "status": record.status,
            "transfer_data": None,
            "transfer_group": None,
        }

    def _refusal(self, method: PaymentMethod, amount: int) -> Decline | None:
        """How the issuer declines, if it does: as an outcome says, else as the card does."""
        wish = self.state.wishes.take(credential=method.credential, amount=amount, card=method.card.number)
        if wish is None:
            asks = method.card.asks(off_session=True, set_up=method.set_up)
            return method.card.refusal or (decline("authentication_required") if asks else None)
        match wish.kind:
            case WishKind.DECLINE:
                return decline(wish.code or "generic_decline")
            case WishKind.ACTION:
                return decline("authentication_required")
            case WishKind.ERROR:
                raise ApiError(500, "Something went wrong on the emulated Stripe's end.", kind=API_ERROR, executed=True)
            case _:  # a card that is charged at once has no open end
                return None

    # --- for other resources -----------------------------------------------------------------------------------------

    def settle(self, charge: Charge, *, capture: bool) -> None:
        """The issuer said yes: the money moves now, or is held until it is captured."""
        charge.status = "succeeded"
        if capture:
            self.capture(charge, charge.amount)
        self.state.emit("charge.succeeded", self.show(charge))

    def capture(self, charge: Charge, amount: int) -> None:
        """Take *amount* minor units and write it into the book."""
        charge.captured, charge.amount_captured = True, amount
        movement = Movement(
            kind=MovementKind.CAPTURE,
            amount=Money(amount, charge.currency.upper()),
            reference=charge.payment,
            at=self.state.now(),
            attempt=charge.metadata.get("paygate_charge", ""),
            credential=charge.method.credential,
        )
        self.state.book.write(movement)

    def fail(self, charge: Charge, refusal: Decline) -> None:
        """The issuer, or Stripe itself, said no."""
        charge.status, charge.refusal = "failed", refusal
        self.state.emit("charge.failed", self.show(charge))

    def release(self, charge: Charge, event: str) -> None:
        """Let a hold go that was never captured."""
        charge.amount_refunded = charge.amount
        self.state.emit(event, self.show(charge))

    def refundable(self, charge: Charge) -> int:
        """How much is left to refund, in minor units.

        :raises ApiError: there is nothing to refund, and why.
        """
        if charge.status != "succeeded":
            raise ApiError.state(f"Charge {charge.id} did not succeed, so there is nothing to refund.")
        if not charge.captured:
            message = f"Charge {charge.id} has not been captured: cancel its PaymentIntent instead of refunding it."
            raise ApiError.state(message)
        if charge.withdrawn:
            raise ApiError.state(f"Charge {charge.id} is disputed.", "charge_disputed")
        return charge.amount_captured - charge.amount_refunded


def _outcome(charge: Charge) -> Object | None:
    if charge.status == "pending":
        return None
    refusal = charge.refusal
    if refusal is None:
        kind, status, reason, message = "authorized", "approved_by_network", None, "Payment complete."
    elif refusal.network:
        kind, status = "issuer_declined", "declined_by_network"
        reason, message = refusal.decline_code or refusal.code, "The bank did not approve the payment."
    else:
        kind, status, reason, message = "blocked", "not_sent_to_network", "highest_risk_level", "Stripe blocked this."
    risk = "highest" if kind == "blocked" else "normal"
    return {
        "advice_code": refusal.advice if refusal else None,
        "network_advice_code": None,
        "network_decline_code": refusal.response if refusal else None,
        "network_status": status,
        "reason": reason,
        "risk_level": risk,
        "risk_score": 95 if risk == "highest" else 24,
        "seller_message": message,
        "type": kind,
    }
