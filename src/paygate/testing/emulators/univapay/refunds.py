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
from .course import Course
from .records import Cancel, Charge, Failure, Refund
from .state import State
from .views import Views
from .wire import ApiError, among, page, read_amount, read_metadata, reply

__all__ = ["CHARGEBACK", "Cancels", "Refunds"]

#: Reason of what a cardholder's bank took back.
CHARGEBACK = "chargeback"

_REASONS = frozenset({"duplicate", "fraud", "customer_request"})


class Refunds:
    """``/stores/{store}/charges/{charge}/refunds``."""

    def __init__(self, state: State, views: Views, charges: Charges) -> None:
        self._state = state
        self._views = views
        self._charges = charges

    def create(self, caller: Caller, charge_id: str, body: Mapping[str, Any]) -> Response:
        caller.need_secret()
        charge = self._charges.find(caller.store_id, charge_id)
        amount, metadata = self._check(charge, body), read_metadata(body)
        refund = self._add(charge, amount, body.get("reason"), body.get("message"), metadata)
        self._state.later(self._state.behaviour.pending, lambda: self.settle(refund))
        return reply(201, self._views.refund(refund))

    def make_in_console(self, charge: Charge, amount: int | None = None) -> Refund:
        """Return *amount* of a charge, by default all that is left, as the merchant does in the console.

        :raises ApiError: less is left.
        """
        currency = charge.charged.currency if charge.charged else ""
        body = {"amount": self._left(charge) if amount is None else amount, "currency": currency}
        refund = self._add(charge, self._check(charge, body), "customer_request", None, {})
        self.finish(refund, "successful")
        return refund

    def charge_back(self, charge: Charge) -> Refund:
        """Let the cardholder's bank ask for the money back. ASSUMED: a refund with that reason, pending until it is decided."""
        amount = charge.charged.minor if charge.charged else 0
        return self._add(charge, amount, CHARGEBACK, None, {})

    def _add(
        self, charge: Charge, amount: int, reason: str | None, message: str | None, metadata: dict[str, Any]
    ) -> Refund:
        now = self._state.now()
        refund = Refund(
            id=self._state.new_id(),
            charge=charge,
            amount=amount,
            currency=charge.charged.currency if charge.charged else "",
            reason=reason,
            message=message,
            metadata=metadata,
            created=now,
            updated=now,
        )
        self._state.refunds.add(refund, charge.id)
        self._state.history.add(refund, charge.store_id)
        return refund

    def get(self, caller: Caller, charge_id: str, refund_id: str) -> Response:
        return reply(200, self._views.refund(self.find(caller.store_id, charge_id, refund_id)))

    def list(self, caller: Caller, charge_id: str, query: Mapping[str, str]) -> Response:
        row = self._state.refunds.row(self._charges.find(caller.store_id, charge_id).id)
        key, _, value = query.get("metadata", "").partition(":")

        def wanted(refund: Refund) -> bool:
            fits = not key or str(refund.metadata.get(key.strip(), "")) == value.strip()
            return fits and self._state.visible(refund.created)

        return page(row, query, self._views.refund, total=True, wanted=wanted)

    def patch(self, caller: Caller, charge_id: str, refund_id: str, body: Mapping[str, Any]) -> Response:
        refund = self.find(caller.store_id, charge_id, refund_id)
        metadata, reason = read_metadata(body), _reason(body.get("reason", refund.reason))
        refund.reason, refund.message = reason, body.get("message", refund.message)
        refund.metadata.update(metadata)
        refund.updated = self._state.now()
        return reply(200, self._views.refund(refund))

    def settle(self, refund: Refund) -> None:
        """End a pending refund as its card says."""
        self.finish(refund, "failed" if refund_fails(refund.charge.token.number) else "successful")

    def finish(self, refund: Refund, status: str, code: int | None = None) -> None:
        """End a pending refund with *status*."""
        if refund.settled:
            return
        refund.status, refund.updated = status, self._state.now()
        if status == "failed":
            refund.error = Failure(code or self._state.behaviour.failed_refund_code, "Refund failed")
        if status == "successful":
            disputed = refund.reason == CHARGEBACK
            if self._state.behaviour.refund_balance is not None and not disputed:
                self._state.behaviour.refund_balance -= refund.amount
            self._state.book.write(
                Movement(
                    MovementKind.DISPUTE if disputed else MovementKind.REFUND,
                    Money(refund.amount, refund.currency),
                    refund.id,
                    refund.updated,
                    attempt=str(refund.metadata.get("paygate_refund", "")),
                    credential=refund.charge.token.id,
                    charge=refund.charge.id,
                )
            )
        self._state.emit("refund_finished", refund.charge.store_id, lambda: self._views.refund(refund))

    def find(self, store_id: str, charge_id: str, refund_id: str) -> Refund:
        """That refund of that charge; 404 otherwise."""
        charge, refund = self._charges.find(store_id, charge_id), self._state.refunds.get(refund_id)
        if refund is None or refund.charge is not charge:
            raise ApiError.missing()
        return refund

    def _check(self, charge: Charge, body: Mapping[str, Any]) -> int:
        amount = read_amount(body)
        _reason(body.get("reason"))
        if charge.status != "successful" or charge.charged is None:
            raise ApiError(400, "CANNOT_REFUND_UNSUCCESSFUL_CHARGE")
        if body.get("currency") != charge.charged.currency:
            raise ApiError(400, "CURRENCY_MUST_MATCH_CHARGE")
        if amount > charge.charged.minor:
            raise ApiError(400, "REFUND_EXCEEDS_CHARGE_AMOUNT")
        if amount > self._left(charge):
            raise ApiError(400, "REFUND_NOT_WITHIN_BOUNDS")
        balance = self._state.behaviour.refund_balance
        if balance is not None and amount > balance:
            raise ApiError(400, "REFUND_EXCEEDS_SALES")
        return amount

    def _left(self, charge: Charge) -> int:
        # ASSUMED: a pending refund counts against the limit
        refunds = self._state.refunds.row(charge.id)
        given = sum(one.amount for one in refunds if one.status in {"pending", "successful"})
        return max(0, (charge.charged.minor if charge.charged else 0) - given)


class Cancels:
    """``/stores/{store}/charges/{charge}/cancels``."""

    def __init__(self, state: State, views: Views, charges: Charges, course: Course) -> None:
        self._state = state
        self._views = views
        self._charges = charges
        self._course = course

    def create(self, caller: Caller, charge_id: str, body: Mapping[str, Any]) -> Response:
        caller.need_secret()
        charge = self._charges.find(caller.store_id, charge_id)
        metadata = read_metadata(body)
        if charge.status not in {"authorized", "awaiting"}:
            raise ApiError(400, "CANCEL_NOT_ALLOWED")
        now = self._state.now()
        cancel = Cancel(id=self._state.new_id(), charge=charge, metadata=metadata, created=now, updated=now)
        self._state.cancels.add(cancel, charge.id)
        self._state.later(self._state.behaviour.pending, lambda: self._settle(cancel))
        return reply(201, self._views.cancel(cancel))

    def get(self, caller: Caller, charge_id: str, cancel_id: str) -> Response:
        return reply(200, self._views.cancel(self.find(caller.store_id, charge_id, cancel_id)))

    def list(self, caller: Caller, charge_id: str, query: Mapping[str, str]) -> Response:
        row = self._state.cancels.row(self._charges.find(caller.store_id, charge_id).id)
        return page(row, query, self._views.cancel, total=False)

    def patch(self, caller: Caller, charge_id: str, cancel_id: str, body: Mapping[str, Any]) -> Response:
        cancel = self.find(caller.store_id, charge_id, cancel_id)
        cancel.metadata.update(read_metadata(body))
        cancel.updated = self._state.now()
        return reply(200, self._views.cancel(cancel))

    def find(self, store_id: str, charge_id: str, cancel_id: str) -> Cancel:
        """That cancel of that charge; 404 otherwise."""
        charge, cancel = self._charges.find(store_id, charge_id), self._state.cancels.get(cancel_id)
        if cancel is None or cancel.charge is not charge:
            raise ApiError.missing()
        return cancel

    def _settle(self, cancel: Cancel) -> None:
        failed = cancel.charge.settled or cancel_fails(cancel.charge.token.number)
        cancel.status, cancel.updated = "failed" if failed else "successful", self._state.now()
        if failed:
            cancel.error = Failure(312, "Cancel failed")
        else:
            self._course.cancelled(cancel.charge)
        self._state.emit("cancel_finished", cancel.charge.store_id, lambda: self._views.cancel(cancel))


def _reason(reason: object) -> str | None:
    if reason is not None and not among(reason, _REASONS):
        raise ApiError.invalid("reason", "INVALID_FORMAT")
    return None if reason is None else str(reason)
