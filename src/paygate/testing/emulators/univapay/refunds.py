"""Refunds and cancels of the emulated UnivaPay; neither changes what the customer was charged before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....flow import Response
from ....money import Money
from ...book import Movement, MovementKind
from .auth import Caller
from .cards import cancel_fails, refund_fails
from .charges import Charges
from .state import Cancel, Charge, Failure, Refund, State, merge_metadata
from .wire import ApiError, formatted, instant, page, reply

__all__ = ["Cancels", "Refunds"]

_REASONS = frozenset({"duplicate", "fraud", "customer_request"})


class Refunds:
    """``/stores/{store}/charges/{charge}/refunds``."""

    def __init__(self, state: State, charges: Charges) -> None:
        self._state = state
        self._charges = charges

    def create(self, caller: Caller, charge_id: str, body: Mapping[str, Any]) -> Response:
        charge = self._charges.find(caller.store_id, charge_id)
        amount = self._check(charge, body)
        now = self._state.now()
        refund = Refund(
            id=self._state.new_id(),
            charge=charge,
            amount=amount,
            currency=charge.currency,
            reason=body.get("reason"),
            message=body.get("message"),
            metadata=dict(body.get("metadata") or {}),
            created=now,
            updated=now,
        )
        self._of(charge)[refund.id] = refund
        self._state.later(self._state.behaviour.pending, lambda: self.settle(refund))
        return reply(201, self.show(refund))

    def get(self, caller: Caller, charge_id: str, refund_id: str) -> Response:
        return reply(200, self.show(self.find(caller.store_id, charge_id, refund_id)))

    def list(self, caller: Caller, charge_id: str, query: Mapping[str, str]) -> Response:
        charge = self._charges.find(caller.store_id, charge_id)
        found = [refund for refund in self._of(charge).values() if self._state.visible(refund.created)]
        return page(found, query, lambda refund: refund.id, self.show, total=True)

    def patch(self, caller: Caller, charge_id: str, refund_id: str, body: Mapping[str, Any]) -> Response:
        refund = self.find(caller.store_id, charge_id, refund_id)
        refund.reason = body.get("reason", refund.reason)
        refund.message = body.get("message", refund.message)
        merge_metadata(refund.metadata, body.get("metadata"))
        refund.updated = self._state.now()
        return reply(200, self.show(refund))

    def settle(self, refund: Refund) -> None:
        """End a pending refund as its card says, or as its plan was set by hand."""
        self.finish(refund, "failed" if refund_fails(refund.charge.token.number) else "successful")

    def finish(self, refund: Refund, status: str, code: int | None = None) -> None:
        """End a pending refund with *status*."""
        if refund.settled:
            return
        refund.status, refund.updated = status, self._state.now()
        if status == "failed":
            refund.error = Failure(code or self._state.behaviour.failed_refund_code, "Refund failed")
        if status == "successful":
            if self._state.behaviour.refund_balance is not None:
                self._state.behaviour.refund_balance -= refund.amount
            self._state.book.write(
                Movement(
                    MovementKind.REFUND,
                    Money(refund.amount, refund.currency),
                    refund.id,
                    refund.updated,
                    attempt=str(refund.metadata.get("paygate_refund", "")),
                    credential=refund.charge.token.id,
                    charge=refund.charge.id,
                )
            )
        self._state.emit("refund_finished", refund.charge.store_id, self.show(refund))

    def find(self, store_id: str, charge_id: str, refund_id: str) -> Refund:
        """That refund of that charge; 404 otherwise."""
        refund = self._of(self._charges.find(store_id, charge_id)).get(refund_id)
        if refund is None:
            raise ApiError.missing()
        return refund

    def _of(self, charge: Charge) -> dict[str, Refund]:
        return self._state.refunds.setdefault(charge.id, {})

    def _check(self, charge: Charge, body: Mapping[str, Any]) -> int:
        amount, currency = body.get("amount"), body.get("currency")
        if type(amount) is not int or amount < 1:
            raise ApiError.invalid("amount", "INVALID_AMOUNT")
        if body.get("reason") not in _REASONS | {None}:
            raise ApiError.invalid("reason", "INVALID_FORMAT")
        if charge.status != "successful" or charge.charged is None:
            raise ApiError(400, "CANNOT_REFUND_UNSUCCESSFUL_CHARGE")
        if currency != charge.charged.currency:
            raise ApiError(400, "CURRENCY_MUST_MATCH_CHARGE")
        if amount > charge.charged.minor:
            raise ApiError(400, "REFUND_EXCEEDS_CHARGE_AMOUNT")
        # ASSUMED: a pending refund counts against the limit
        given = sum(one.amount for one in self._of(charge).values() if one.status in {"pending", "successful"})
        if given + amount > charge.charged.minor:
            raise ApiError(400, "REFUND_NOT_WITHIN_BOUNDS")
        balance = self._state.behaviour.refund_balance
        if balance is not None and amount > balance:
            raise ApiError(400, "REFUND_EXCEEDS_SALES")
        return amount

    def show(self, refund: Refund) -> dict[str, Any]:
        """The resource as it goes out."""
        return {
            "id": refund.id,
            "store_id": refund.charge.store_id,
            "charge_id": refund.charge.id,
            "ledger_id": None,
            "status": refund.status,
            "amount": refund.amount,
            "currency": refund.currency,
            "amount_formatted": formatted(refund.amount, refund.currency),
            "reason": refund.reason,
            "message": refund.message,
            "error": refund.error.show() if refund.error else None,
            "metadata": dict(refund.metadata),
            "mode": refund.charge.mode,
            "created_on": instant(refund.created),
            "updated_on": instant(refund.updated),
        }


class Cancels:
    """``/stores/{store}/charges/{charge}/cancels``."""

    def __init__(self, state: State, charges: Charges) -> None:
        self._state = state
        self._charges = charges

    def create(self, caller: Caller, charge_id: str, body: Mapping[str, Any]) -> Response:
        charge = self._charges.find(caller.store_id, charge_id)
        if charge.status not in {"authorized", "awaiting"}:
            raise ApiError(400, "CANCEL_NOT_ALLOWED")
        now = self._state.now()
        cancel = Cancel(self._state.new_id(), charge, dict(body.get("metadata") or {}), now, now)
        self._of(charge)[cancel.id] = cancel
        self._state.later(self._state.behaviour.pending, lambda: self._settle(cancel))
        return reply(201, self.show(cancel))

    def get(self, caller: Caller, charge_id: str, cancel_id: str) -> Response:
        return reply(200, self.show(self.find(caller.store_id, charge_id, cancel_id)))

    def list(self, caller: Caller, charge_id: str, query: Mapping[str, str]) -> Response:
        charge = self._charges.find(caller.store_id, charge_id)
        return page(list(self._of(charge).values()), query, lambda cancel: cancel.id, self.show, total=False)

    def patch(self, caller: Caller, charge_id: str, cancel_id: str, body: Mapping[str, Any]) -> Response:
        cancel = self.find(caller.store_id, charge_id, cancel_id)
        merge_metadata(cancel.metadata, body.get("metadata"))
        cancel.updated = self._state.now()
        return reply(200, self.show(cancel))

    def find(self, store_id: str, charge_id: str, cancel_id: str) -> Cancel:
        """That cancel of that charge; 404 otherwise."""
        cancel = self._of(self._charges.find(store_id, charge_id)).get(cancel_id)
        if cancel is None:
            raise ApiError.missing()
        return cancel

    def _of(self, charge: Charge) -> dict[str, Cancel]:
        return self._state.cancels.setdefault(charge.id, {})

    def _settle(self, cancel: Cancel) -> None:
        failed = cancel.charge.settled or cancel_fails(cancel.charge.token.number)
        cancel.status, cancel.updated = "failed" if failed else "successful", self._state.now()
        if failed:
            cancel.error = Failure(312, "Cancel failed")
        else:
            self._charges.cancelled(cancel.charge)
        self._state.emit("cancel_finished", cancel.charge.store_id, self.show(cancel))

    def show(self, cancel: Cancel) -> dict[str, Any]:
        """The resource as it goes out."""
        return {
            "id": cancel.id,
            "charge_id": cancel.charge.id,
            "store_id": cancel.charge.store_id,
            "status": cancel.status,
            "error": cancel.error.show() if cancel.error else None,
            "metadata": dict(cancel.metadata),
            "mode": cancel.charge.mode,
            "created_on": instant(cancel.created),
            "updated_on": instant(cancel.updated),
        }
