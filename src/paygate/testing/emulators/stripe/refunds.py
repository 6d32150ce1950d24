"""Refunds: whole or partial, repeated until nothing is left, sometimes pending, sometimes failing late (fact sheet §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ....money import Money
from ...book import Movement, MovementKind
from .cards import RefundCourse
from .charges import Charge, Charges
from .errors import ApiError
from .params import METADATA, PAGE, Table, choice, integer, merged, span, text
from .payment_intents import PaymentIntents
from .resource import Object, Resource, changes, route
from .state import Call, State
from .tables import Record

__all__ = ["Refund", "Refunds"]

_CREATE: Table = {
    "amount": integer(least=1),
    "charge": text(),
    "currency": text(most=3),
    "metadata": METADATA,
    "payment_intent": text(),
    "reason": choice("duplicate", "fraudulent", "requested_by_customer", unset=True),
}
_LIST: Table = {**PAGE, "charge": text(), "created": span(), "payment_intent": text()}


@attrs.define
class Refund(Record):
    """Money on its way back, in minor units. *status* is ``pending``, ``succeeded`` or ``failed``."""

    amount: int
    charge: Charge = attrs.field(repr=False)
    reason: str | None
    metadata: Mapping[str, str]
    status: str
    failure_reason: str | None = None

    @property
    def charge_id(self) -> str:
        return self.charge.id

    @property
    def intent(self) -> str:
        return self.charge.intent


class Refunds(Resource[Refund]):
    """``/v1/refunds``."""

    kind = "refund"
    prefix = "re"
    expandable = frozenset({"balance_transaction", "charge", "failure_balance_transaction", "payment_intent"})
    indexes = ("charge_id", "intent")

    def __init__(self, state: State, charges: Charges, intents: PaymentIntents) -> None:
        super().__init__(state)
        self._charges = charges
        self._intents = intents
        charges.enclosures["refunds"] = lambda charge_id: self._of(charge_id, {})

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("POST", "/refunds", _CREATE)
    def create(self, call: Call) -> Object:
        params = call.params
        charge = self._charge(params.get("charge"), params.get("payment_intent"))
        metadata = merged({}, params)
        if params.get("currency", charge.currency).lower() != charge.currency:
            self._charges.refundable(charge)
            raise ApiError.invalid("currency", f"The charge is in {charge.currency}, and so is every refund of it.")
        return self.show(self.make(charge, params.get("amount"), reason=params.get("reason"), metadata=metadata))

    def make(
        self,
        charge: Charge,
        amount: int | None = None,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Refund:
        """Return *amount* of a charge, by default all that is left; whoever asked for it.

        :raises ApiError: less is left, or nothing.
        """
        left = self._charges.refundable(charge)
        if amount is None:
            amount = left
        if left == 0:
            raise ApiError.state(f"Charge {charge.id} has already been refunded.", "charge_already_refunded")
        if amount > left:
            message = f"Refund amount ({amount}) is greater than the unrefunded amount on the charge ({left})."
            raise ApiError.state(message, param="amount")
        course = charge.method.card.refunds
        refund = Refund(
            **self.birth(),
            amount=amount,
            charge=charge,
            reason=reason,
            metadata=dict(metadata or {}),
            status="pending" if course is RefundCourse.PENDING else "succeeded",
        )
        self.table.add(refund)
        charge.amount_refunded += amount
        if course is RefundCourse.SUCCEEDS:
            self._write(refund)
        self.state.emit("refund.created", self.show(refund))
        self.state.emit("charge.refunded", self._charges.show(charge))
        if course is RefundCourse.PENDING:
            self.state.later(self.state.behaviour.refund_pending, lambda: self.settle(refund))
        elif course is RefundCourse.FAILS:
            self.state.later(self.state.behaviour.refund_fails_after, lambda: self.fail(refund, "unknown"))
        return refund

    @route("GET", "/refunds", _LIST)
    def list(self, call: Call) -> Object:
        params = call.params
        rows: Sequence[Refund] | None = None
        if "charge" in params:
            rows = self.table.by("charge_id", params["charge"])
        elif "payment_intent" in params:
            rows = self.table.by("intent", params["payment_intent"])
        intent = params.get("payment_intent")
        return self.listing("/refunds", params, rows, lambda one: intent in {None, one.intent})

    @route("GET", "/refunds/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/refunds/{id}", {"metadata": METADATA})
    def update(self, call: Call) -> Object:
        refund = self.table.find(call.id)
        refund.metadata = merged(refund.metadata, call.params)
        return self._updated(refund)

    @route("POST", "/refunds/{id}/cancel")
    def cancel(self, call: Call) -> Object:
        refund = self.table.find(call.id)
        raise ApiError.state(f"Refund {refund.id} cannot be canceled: it does not wait for the customer.")

    @route("GET", "/charges/{id}/refunds", PAGE)
    def of_charge(self, call: Call) -> Object:
        return self._of(self._charges.table.find(call.id).id, call.params)

    def show(self, record: Refund) -> Object:
        core = record.id.removeprefix("re_")
        failed = record.status == "failed"
        shown: Object = {
            **self.head(record),
            "amount": record.amount,
            "balance_transaction": f"txn_{core}",
            "charge": record.charge.id,
            "created": record.created,
            "currency": record.charge.currency,
            "destination_details": {
                "card": {
                    "reference": "0000000000000000",
                    "reference_status": "available",
                    "reference_type": "acquirer_reference_number",
                    "type": "refund",
                },
                "type": "card",
            },
            "metadata": dict(record.metadata),
            "payment_intent": record.charge.intent or None,
            "pending_reason": "processing" if record.status == "pending" else None,
            "reason": record.reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": record.status,
            "transfer_reversal": None,
        }
        if failed:
            shown["failure_reason"] = record.failure_reason
            shown["failure_balance_transaction"] = f"txn_{core}"
        return shown

    # --- later -------------------------------------------------------------------------------------------------------

    def settle(self, refund: Refund) -> None:
        """A pending refund arrives; one that is not pending stays as it is."""
        if refund.status == "pending":
            refund.status = "succeeded"
            self._write(refund)
            self._updated(refund, {"status": "pending", "pending_reason": "processing"})

    def fail(self, refund: Refund, reason: str) -> None:
        """A refund comes back: what it gave can be refunded again."""
        if refund.status == "failed":
            return
        before = self.show(refund)
        refund.status, refund.failure_reason = "failed", reason
        refund.charge.amount_refunded -= refund.amount
        shown = self.show(refund)
        self.state.emit("refund.failed", shown)
        self._updated(refund, changes(before, shown))

    def _updated(self, refund: Refund, previous: Mapping[str, object] | None = None) -> Object:
        shown = self.show(refund)
        self.state.emit("refund.updated", shown, previous)
        self.state.emit("charge.refund.updated", shown, previous)
        return shown

    def _charge(self, charge_id: str | None, intent_id: str | None) -> Charge:
        if charge_id is not None:
            charge = self._charges.table.find(charge_id, "charge")
            if intent_id not in {None, charge.intent}:
                raise ApiError.invalid("payment_intent", "The charge does not belong to this PaymentIntent.")
            return charge
        if intent_id is None:
            message = "One of the following params should be provided for this request: payment_intent or charge."
            raise ApiError.invalid("payment_intent", message, "parameter_missing")
        intent = self._intents.table.find(intent_id, "payment_intent")
        if intent.latest_charge is None:
            raise ApiError.state("This PaymentIntent does not have a successful charge to refund.")
        return self._charges.table.find(intent.latest_charge)

    def _of(self, charge_id: str, params: Mapping[str, object]) -> Object:
        return self.listing(f"/charges/{charge_id}/refunds", params, self.table.by("charge_id", charge_id))

    def _write(self, refund: Refund) -> None:
        charge = refund.charge
        movement = Movement(
            kind=MovementKind.REFUND,
            amount=Money(refund.amount, charge.currency.upper()),
            reference=refund.id,
            at=self.state.now(),
            attempt=refund.metadata.get("paygate_refund", ""),
            charge=charge.payment,
        )
        self.state.book.write(movement)
