"""Payment methods: cards, from test tokens or test numbers, attached to customers or used once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import attrs

from .cards import CARDS, Decline, TestCard
from .customers import ADDRESS, Customer, Customers
from .errors import ApiError, doc_url
from .params import METADATA, PAGE, Table, array, choice, integer, mapping, merged, text
from .resource import Object, Resource, changes, route
from .state import Call, State
from .tables import Record
from .tokens import CARD, Tokens, check_expiry, refused
from .versions import TYPES_LEFT

__all__ = ["CHOICE", "METHOD_DATA", "PaymentMethod", "PaymentMethods", "check_types", "refusal", "requested_3ds"]

_BILLING: Table = {
    "address": mapping(ADDRESS, unset=True),
    "email": text(unset=True),
    "name": text(unset=True),
    "phone": text(unset=True),
}
_RECALLED = ("always", "limited", "unspecified")

#: What describes a new card, in ``POST /payment_methods`` and as ``payment_method_data`` of an intent.
METHOD_DATA: Table = {
    "type": choice("card", required=True),
    "card": mapping(CARD),
    "billing_details": mapping(_BILLING),
    "metadata": METADATA,
    "allow_redisplay": choice(*_RECALLED),
}

#: What names or describes the method of an intent, be it a payment or a set-up; see :meth:`PaymentMethods.chosen`.
CHOICE: Table = {
    "allowed_payment_method_types": array(text()),
    "payment_method": text(unset=True),
    "payment_method_data": mapping(METHOD_DATA),
    "payment_method_options": mapping(
        {"card": mapping({"request_three_d_secure": choice("any", "automatic", "challenge")})}
    ),
    "payment_method_types": array(text()),
}
_UPDATE: Table = {
    "allow_redisplay": choice(*_RECALLED),
    "billing_details": mapping(_BILLING),
    "card": mapping({"exp_month": integer(), "exp_year": integer()}),
    "metadata": METADATA,
}
_LIST_OF_CUSTOMER: Table = {**PAGE, "type": text(), "allow_redisplay": choice(*_RECALLED)}
_LIST: Table = {**_LIST_OF_CUSTOMER, "customer": text()}


@attrs.define
class PaymentMethod(Record):
    """A card. *set_up*: for use without the customer; *spent*: used without being attached, and so never again."""

    card: TestCard = attrs.field(repr=False)
    exp_month: int
    exp_year: int
    customer: str | None = None
    billing: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    allow_redisplay: str = "unspecified"
    set_up: bool = False
    spent: bool = False

    @property
    def credential(self) -> str:
        """What a merchant keeps in order to charge it: ``cus_…/pm_…``, or the method alone while it has no customer."""
        return self.id if self.customer is None else sys.intern(f"{self.customer}/{self.id}")


class PaymentMethods(Resource[PaymentMethod]):
    """``/v1/payment_methods`` and ``/v1/customers/{id}/payment_methods``."""

    kind = "payment_method"
    prefix = "pm"
    expandable = frozenset({"customer"})
    indexes = ("customer",)

    def __init__(self, state: State, customers: Customers, tokens: Tokens) -> None:
        super().__init__(state)
        self._tokens = tokens
        self._customers = customers
        self.table.kind = "PaymentMethod"
        customers.attach.append(self._give_to)
        customers.own = self.own
        customers.leaving.append(self._detach_all)

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("POST", "/payment_methods", METHOD_DATA)
    def create(self, call: Call) -> Object:
        return self.show(self.make(call.params))

    @route("GET", "/payment_methods", _LIST)
    def list(self, call: Call) -> Object:
        return self._listed("/payment_methods", call, call.params.get("customer"))

    @route("GET", "/payment_methods/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.find(call.id))

    @route("POST", "/payment_methods/{id}", _UPDATE)
    def update(self, call: Call) -> Object:
        method, params = self.find(call.id), call.params
        if method.customer is None:
            raise ApiError.state("A payment method has to be attached to a customer before it can be updated.")
        before, card = self.show(method), params.get("card", {})
        month, year = card.get("exp_month", method.exp_month), card.get("exp_year", method.exp_year)
        year = check_expiry(month, year, self.state.now())
        method.metadata = merged(method.metadata, params)
        method.exp_month, method.exp_year = month, year
        method.billing = {**method.billing, **params.get("billing_details", {})}
        method.allow_redisplay = params.get("allow_redisplay", method.allow_redisplay)
        shown = self.show(method)
        if previous := changes(before, shown):
            self.state.emit("payment_method.updated", shown, previous)
        return shown

    @route("POST", "/payment_methods/{id}/attach", {"customer": text(required=True)})
    def attach(self, call: Call) -> Object:
        customer = self._customers.table.find(call.params["customer"], "customer")
        return self.show(self._attach(self.named(call.id, None), customer))

    @route("POST", "/payment_methods/{id}/detach")
    def detach(self, call: Call) -> Object:
        method = self.find(call.id)
        if method.customer is None:
            message = "The payment method is not attached to a customer, so detachment is impossible."
            raise ApiError.state(message, param="payment_method")
        self._detach(method)
        return self.show(method)

    @route("GET", "/customers/{id}/payment_methods", _LIST_OF_CUSTOMER)
    def of_customer(self, call: Call) -> Object:
        customer = self._customers.table.find(call.id)
        return self._listed(f"/customers/{customer.id}/payment_methods", call, customer.id)

    @route("GET", "/customers/{id}/payment_methods/{method}")
    def one_of_customer(self, call: Call) -> Object:
        customer, method = self._customers.table.find(call.id), self.find(call.names["method"])
        if method.customer != customer.id:
            raise ApiError.missing("PaymentMethod", method.id, None)
        return self.show(method)

    def show(self, record: PaymentMethod) -> Object:
        card = record.card
        return {
            **self.head(record),
            "allow_redisplay": record.allow_redisplay,
            "billing_details": {
                "address": _address(record.billing.get("address")),
                "email": record.billing.get("email"),
                "name": record.billing.get("name"),
                "phone": record.billing.get("phone"),
                "tax_id": None,
            },
            "card": {
                "brand": card.brand,
                "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
                "country": card.country,
                "display_brand": card.brand,
                "exp_month": record.exp_month,
                "exp_year": record.exp_year,
                "fingerprint": card.fingerprint,
                "funding": "credit",
                "generated_from": None,
                "last4": card.last4,
                "networks": {"available": [card.brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "created": record.created,
            "customer": record.customer,
            "livemode": False,
            "metadata": dict(record.metadata),
            "type": "card",
        }

    # --- for other resources -----------------------------------------------------------------------------------------

    def find(self, identifier: str, param: str | None = None) -> PaymentMethod:
        """The method of that id; see :meth:`.tables.Table.find`."""
        return self.table.find(identifier, param)

    def named(self, identifier: str, param: str | None = "payment_method") -> PaymentMethod:
        """The method of that id; a test token such as ``pm_card_visa`` names a new one each time (§11).

        :raises ApiError: there is none.
        """
        card = CARDS.get(identifier.removeprefix("pm_card_")) if identifier.startswith("pm_card_") else None
        return self.find(identifier, param) if card is None else self.store(card)

    def own(self, identifier: str, customer: str) -> PaymentMethod | None:
        """The method of *customer* that *identifier* names, be it by its id or by the test token it came from.

        A test token such as ``pm_card_visa`` means the customer's latest card of that kind.
        """
        if identifier.startswith("pm_card_") and (card := CARDS.get(identifier.removeprefix("pm_card_"))) is not None:
            return next((one for one in reversed(self.table.by("customer", customer)) if one.card == card), None)
        method = self.table.get(identifier)
        return method if method is not None and method.customer == customer else None

    def paying(self, source: str | None, customer: str | None) -> PaymentMethod:
        """What pays a charge without an intent: a token, a card of the customer's, or the customer's default one.

        :raises ApiError: there is nothing to charge.
        """
        found = None if customer is None else self._customers.table.find(customer, "customer")
        if source is None:
            source = None if found is None else found.default_method
        elif source.startswith("tok_"):
            return self.make({"card": {"token": source}})
        if source is None:
            raise ApiError.invalid("source", "Must provide source or customer.", "parameter_missing")
        method = self.named(source, "source")
        self.usable(method, customer)
        return method

    def make(self, data: Mapping[str, Any]) -> PaymentMethod:
        """A new method from what :data:`METHOD_DATA` describes.

        :raises ApiError: the card cannot be read, or is none of the test cards.
        """
        if "card" not in data:
            raise ApiError.invalid("card", "Missing required param: card.", "parameter_missing")
        read = self._tokens.read(data["card"])
        return self.store(
            read.card,
            exp_month=read.exp_month,
            exp_year=read.exp_year,
            billing=data.get("billing_details", {}),
            metadata=merged({}, data),
            allow_redisplay=data.get("allow_redisplay", "unspecified"),
        )

    def store(self, card: TestCard, **more: Any) -> PaymentMethod:
        """A new method with *card*, which is valid for some years."""
        expiry = {"exp_month": 12, "exp_year": self.state.now().year + 4}
        return self.table.add(PaymentMethod(**self.birth(), card=card, **{**expiry, **more}))

    def chosen(self, params: Mapping[str, Any], customer: str | None) -> PaymentMethod | None:
        """The method that :data:`CHOICE` names or describes, if any, which *customer* may use.

        :raises ApiError: it cannot be used, or the types of methods that are allowed leave out cards.
        """
        check_types(self.state, params)
        if "payment_method_data" in params:
            method = self.make(params["payment_method_data"])
        elif params.get("payment_method") is not None:
            method = self.named(params["payment_method"])
        else:
            return None
        self.usable(method, customer)
        return method

    def error(self, reason: Decline, method: PaymentMethod, charge: str | None = None) -> Object:
        """The last error of an intent: *reason*, the whole *method*, and the failed charge if there was one."""
        shown: Object = {
            "code": reason.code,
            "doc_url": doc_url(reason.code),
            "message": reason.message,
            "payment_method": self.show(method),
            "type": reason.kind,
        }
        if charge is not None:
            shown["charge"] = charge
        if reason.decline_code is not None:
            shown["decline_code"] = reason.decline_code
        if reason.advice is not None and self.state.behaviour.advice_codes:
            shown["advice_code"] = reason.advice
        if reason.response is not None:
            shown["network_decline_code"] = reason.response
        return shown

    def keep(self, method: PaymentMethod, customer: str, *, off_session: bool) -> None:
        """Attach *method* after a payment or set-up that the customer agreed to have it saved by."""
        method.set_up = method.set_up or off_session
        if method.customer is None:
            self._give(method, customer)

    def usable(self, method: PaymentMethod, customer: str | None) -> None:
        """Check that a payment of *customer* may use *method*.

        :raises ApiError: it belongs to somebody else, or has been used up without being attached (§4).
        """
        if method.customer is not None and method.customer != customer:
            message = (
                "The provided PaymentMethod cannot be used: it belongs to a customer, and the payment has to name "
                "that customer as well."
            )
            raise ApiError.invalid("payment_method", message)
        if method.spent and method.customer is None:
            message = (
                "The provided PaymentMethod was previously used without being attached to a customer, or was "
                "detached from one, and may not be used again."
            )
            raise ApiError.invalid("payment_method", message)

    def _listed(self, url: str, call: Call, customer: str | None) -> Object:
        rows = None if customer is None else self.table.by("customer", customer)
        kind, redisplay = call.params.get("type"), call.params.get("allow_redisplay")

        def wanted(one: PaymentMethod) -> bool:
            return kind in {None, "card"} and redisplay in {None, one.allow_redisplay}

        return self.listing(url, call.params, rows, wanted)

    def _attach(self, method: PaymentMethod, customer: Customer) -> PaymentMethod:
        if method.customer is not None and method.customer != customer.id:
            raise ApiError.state("The payment method you provided has already been attached to a customer.")
        if method.spent and method.customer is None:
            self.usable(method, None)
        if method.card.refusal is not None and not method.card.attaches:  # the issuer is asked (§4)
            raise refused(method.card.refusal)
        if method.customer is None:
            self._give(method, customer.id)
        return method

    def _give_to(self, identifier: str, customer: Customer) -> str:
        """Attach the method of that id, or the card of a token, to a customer who is being made."""
        token = identifier.startswith("tok_")
        method = self.make({"card": {"token": identifier}}) if token else self.named(identifier)
        return self._attach(method, customer).id

    def _give(self, method: PaymentMethod, customer: str) -> None:
        self.table.move(method, "customer", customer)
        self.state.emit("payment_method.attached", self.show(method))

    def _detach(self, method: PaymentMethod) -> None:
        before = self.show(method)
        self.table.move(method, "customer", None)
        method.spent = True
        customer = self._customers.table.get(before["customer"])
        if customer is not None and customer.default_method == method.id:
            customer.default_method = None
        shown = self.show(method)
        self.state.emit("payment_method.detached", shown, changes(before, shown))

    def _detach_all(self, customer: Customer) -> None:
        for method in list(self.table.by("customer", customer.id)):
            self._detach(method)


def check_types(state: State, params: Mapping[str, Any]) -> None:
    """Refuse types of methods that leave out cards, and the parameter that newer versions do not know (§4).

    :raises ApiError: ``parameter_unknown``, or nothing is left to pay with.
    """
    unknown: dict[str, bool] = {
        "payment_method_types": not state.older(TYPES_LEFT),
        "allowed_payment_method_types": state.names_older(TYPES_LEFT),
    }
    for name, left in unknown.items():
        if name in params and left and state.behaviour.refuses_payment_method_types:
            raise ApiError.invalid(name, f"Received unknown parameter: {name}", "parameter_unknown")
    for name in ("allowed_payment_method_types", "payment_method_types"):
        if "card" not in params.get(name, ["card"]):
            raise ApiError.invalid(name, "The emulated Stripe has cards only, and these types leave them out.")


def requested_3ds(params: Mapping[str, Any], default: str) -> str:
    """What :data:`CHOICE` says about 3-D Secure: ``automatic`` leaves it to the card, ``any`` and ``challenge`` ask."""
    asked: str = params.get("payment_method_options", {}).get("card", {}).get("request_three_d_secure", default)
    return asked


def refusal(error: Mapping[str, Any], **objects: Object) -> ApiError:
    """The 402 that answers with the last *error* of an intent and the whole *objects* that it concerns (§3)."""
    told = ("advice_code", "charge", "decline_code", "network_decline_code", "payment_method")
    details = {name: error[name] for name in told if name in error}
    return ApiError(402, error["message"], kind=error["type"], code=error["code"], details={**details, **objects})


def _address(given: Mapping[str, Any] | None) -> Object:
    return {name: (given or {}).get(name) for name in ADDRESS}
