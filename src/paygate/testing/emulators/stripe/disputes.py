"""Disputes, as the test cards raise them, and their end by evidence (provider fact sheet §11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ....money import Money
from ...book import Movement, MovementKind
from .charges import Charge, Charges
from .errors import ApiError
from .params import METADATA, PAGE, Table, boolean, mapping, merged, span, text
from .paying import Payments
from .resource import Object, Resource, changes, route
from .state import Call, State
from .tables import Record

__all__ = ["Dispute", "Disputes"]

_EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy_disclosure", "cancellation_rebuttal",
    "customer_email_address", "customer_name", "customer_purchase_ip", "duplicate_charge_explanation",
    "product_description", "refund_policy_disclosure", "refund_refusal_explanation", "service_date",
    "shipping_address", "shipping_carrier", "shipping_date", "shipping_tracking_number", "uncategorized_text",
)  # fmt: skip
_UPDATE: Table = {
    "evidence": mapping({name: text(most=20_000, unset=True) for name in _EVIDENCE}),
    "metadata": METADATA,
    "submit": boolean(),
}
_LIST: Table = {**PAGE, "charge": text(), "created": span(), "payment_intent": text()}

#: What a test mode's dispute is decided by, as ``evidence[uncategorized_text]``.
_VERDICTS = {"winning_evidence": "won", "losing_evidence": "lost"}

#: Seconds that the merchant has for evidence.
_PATIENCE = 7 * 24 * 3600


@attrs.define
class Dispute(Record):
    """A dispute over a whole charge; an inquiry takes no money yet."""

    charge: Charge = attrs.field(repr=False)
    reason: str
    inquiry: bool
    status: str
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    evidence: Mapping[str, str | None] = attrs.field(factory=dict, repr=False)
    submissions: int = 0

    @property
    def charge_id(self) -> str:
        return self.charge.id

    @property
    def intent(self) -> str:
        return self.charge.intent


class Disputes(Resource[Dispute]):
    """``/v1/disputes``. Watches *payments* for charges whose card disputes them."""

    kind = "dispute"
    prefix = "dp"
    expandable = frozenset({"charge", "payment_intent"})
    indexes = ("charge_id", "intent")

    def __init__(self, state: State, charges: Charges, payments: Payments) -> None:
        super().__init__(state)
        self._charges = charges
        payments.followers.append(self._follow)

    # --- the interface -----------------------------------------------------------------------------------------------

    @route("GET", "/disputes", _LIST)
    def list(self, call: Call) -> Object:
        params = call.params
        rows: Sequence[Dispute] | None = None
        if "charge" in params:
            rows = self.table.by("charge_id", params["charge"])
        elif "payment_intent" in params:
            rows = self.table.by("intent", params["payment_intent"])
        intent = params.get("payment_intent")
        return self.listing("/disputes", params, rows, lambda one: intent in {None, one.intent})

    @route("GET", "/disputes/{id}")
    def retrieve(self, call: Call) -> Object:
        return self.show(self.table.find(call.id))

    @route("POST", "/disputes/{id}", _UPDATE)
    def update(self, call: Call) -> Object:
        dispute, params = self.table.find(call.id), call.params
        if "evidence" in params:
            self._require_open(dispute)
        before = self.show(dispute)
        dispute.metadata = merged(dispute.metadata, params)
        dispute.evidence = {**dispute.evidence, **params.get("evidence", {})}
        submitted = "evidence" in params and params.get("submit", True)
        if submitted:
            dispute.submissions += 1
            dispute.status = "warning_under_review" if dispute.inquiry else "under_review"
        shown = self.show(dispute)
        self.state.emit("charge.dispute.updated", shown, changes(before, shown))
        verdict = _VERDICTS.get(dispute.evidence.get("uncategorized_text") or "")
        if submitted and verdict is not None:
            self._close(dispute, verdict)
        return self.show(dispute)

    @route("POST", "/disputes/{id}/close")
    def close(self, call: Call) -> Object:
        dispute = self.table.find(call.id)
        self._require_open(dispute)
        self._close(dispute, "lost")
        return self.show(dispute)

    def show(self, record: Dispute) -> Object:
        charge = record.charge
        return {
            **self.head(record),
            "amount": charge.amount_captured,
            "balance_transactions": [],
            "charge": charge.id,
            "created": record.created,
            "currency": charge.currency,
            "enhanced_eligibility_types": [],
            "evidence": {name: record.evidence.get(name) for name in _EVIDENCE},
            "evidence_details": {
                "due_by": record.created + _PATIENCE,
                "has_evidence": bool(record.evidence),
                "past_due": False,
                "submission_count": record.submissions,
            },
            "is_charge_refundable": record.inquiry,
            "livemode": False,
            "metadata": dict(record.metadata),
            "payment_intent": charge.intent,
            "payment_method_details": {
                "card": {"brand": charge.method.card.brand, "case_type": "chargeback", "network_reason_code": "10"},
                "type": "card",
            },
            "reason": record.reason,
            "status": record.status,
        }

    # --- what becomes of it ------------------------------------------------------------------------------------------

    def _follow(self, charge: Charge) -> None:
        card = charge.method.card
        if card.dispute is not None:
            reason = card.dispute
            self.state.later(0, lambda: self._begin(charge, reason, inquiry=card.inquiry))

    def _begin(self, charge: Charge, reason: str, *, inquiry: bool) -> None:
        self._open(charge, reason, inquiry=inquiry)

    def _open(self, charge: Charge, reason: str, *, inquiry: bool) -> Dispute:
        status = "warning_needs_response" if inquiry else "needs_response"
        dispute = self.table.add(Dispute(**self.birth(), charge=charge, reason=reason, inquiry=inquiry, status=status))
        charge.disputed, charge.withdrawn = True, not inquiry
        self.state.emit("charge.dispute.created", self.show(dispute))
        if not inquiry:
            self.state.emit("charge.dispute.funds_withdrawn", self.show(dispute))
        return dispute

    def _close(self, dispute: Dispute, verdict: str) -> None:
        if dispute.inquiry:
            dispute.status = "warning_closed"
        else:
            dispute.status, dispute.charge.withdrawn = verdict, verdict == "lost"
            if verdict == "lost":
                self._write(dispute)
            if verdict == "won":
                self.state.emit("charge.dispute.funds_reinstated", self.show(dispute))
        self.state.emit("charge.dispute.closed", self.show(dispute))

    def open(self, charge: Charge, reason: str = "fraudulent") -> Dispute:
        """Let the bank of a charge that was paid dispute it."""
        return self._open(charge, reason, inquiry=False)

    def decide(self, dispute: Dispute, verdict: str) -> None:
        """Let the bank decide an open dispute: ``won`` or ``lost``.

        :raises KeyError: it is decided already.
        """
        if dispute.status in {"won", "lost", "warning_closed"}:
            raise KeyError(dispute.id)
        self._close(dispute, verdict)

    def _write(self, dispute: Dispute) -> None:
        charge = dispute.charge
        amount = Money(charge.amount_captured, charge.currency.upper())
        kind, at = MovementKind.DISPUTE, self.state.now()
        self.state.book.write(Movement(kind, amount, dispute.id, at, charge=charge.payment))

    def _require_open(self, dispute: Dispute) -> None:
        if dispute.status in {"won", "lost", "warning_closed"}:
            raise ApiError.state(f"This dispute is already closed: {dispute.status}.")
