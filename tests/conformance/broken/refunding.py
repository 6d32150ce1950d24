"""Mistakes that give back the wrong money, or give it back twice."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from paygate.errors import OutcomeUnknown
from paygate.money import Money
from paygate.provider import Capabilities, Lookup, Provider, RefundPolicy, RefundRequest, RefundResult

from ..acme import Acme
from .ids import ids


class PaysOutMoreThanWasTaken(Acme):
    """The interface that pays to a card, instead of the one that refunds a charge."""

    CAUGHT_BY: ClassVar = {"REFUND-03"}
    ALSO: ClassVar = {"REFUND-06", "REFUND-09"}

    async def refund(self, request: RefundRequest) -> RefundResult:
        body = {"charge": request.charge_reference, "amount": request.amount.minor, "order": request.refund_id}
        return self._returned(await self._post("/payouts", body, request.key), request.amount)


class RefundsAgainWithoutAKey(Acme):
    """The answer to a refund is lost, so it is made again."""

    CAUGHT_BY: ClassVar = {"FAULT-11", "FAULT-12"}
    ALSO: ClassVar = set()

    async def refund(self, request: RefundRequest) -> RefundResult:
        try:
            return await super().refund(request)
        except OutcomeUnknown:
            path = f"/charges/{request.charge_reference}/refunds"
            body = {
                "amount": request.amount.minor,
                "currency": request.amount.currency,
                "order": request.refund_id,
            }
            return self._returned(await self._post(path, body, None), request.amount)


class RefundsTheWholeCharge(Acme):
    """There are no parts."""

    CAUGHT_BY: ClassVar = {"REFUND-02", "PROBE-11"}
    ALSO: ClassVar = {*ids("FAULT", 11, 20), "REFUND-04", "REFUND-05", "REFUND-09"}

    async def refund(self, request: RefundRequest) -> RefundResult:
        return await super().refund(attrs.evolve(request, amount=request.charged))


class TakesAnAcceptedRefundForReturned(Acme):
    """Accepted is as good as done."""

    CAUGHT_BY: ClassVar = {"REFUND-07"}
    ALSO: ClassVar = {"FAULT-20", "REFUND-01", "REFUND-02", "REFUND-05", "REFUND-08"}

    def _refund_result(self, refund: Any, asked: Money | None) -> RefundResult:
        if refund.get("state") in {"processing", "failed"}:
            return RefundResult.succeeded(str(refund["id"]))
        return super()._refund_result(refund, asked)


class RefundsThoughItSaysByHand(Acme):
    """An undeclared hook that sends."""

    CAUGHT_BY: ClassVar = {"CORE-04", "REFUND-01"}
    ALSO: ClassVar = {*ids("FAULT", 11, 20), "FAULT-22", *ids("REFUND", 2, 10), "PROBE-10", "PROBE-11", "WEBHOOK-10"}

    def capabilities(self) -> Capabilities:
        return attrs.evolve(super().capabilities(), refunds=RefundPolicy.BY_HAND, refund_lookup=Lookup.NONE)


class DeclaresALookUpThatItLacks(Acme):
    """The table says that refunds can be looked up."""

    CAUGHT_BY: ClassVar = {"CORE-03"}
    ALSO: ClassVar = {*ids("FAULT", 11, 20), "FAULT-22", *ids("REFUND", 1, 10), "CORE-22"} - {
        "REFUND-04",
        "REFUND-06",
        "REFUND-09",
    }

    find_refund = Provider.find_refund
