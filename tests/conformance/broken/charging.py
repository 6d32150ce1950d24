"""Mistakes that take the wrong money, or take it twice."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from paygate.errors import OutcomeUnknown, ProviderUnavailable
from paygate.flow import Response
from paygate.money import Money
from paygate.provider import ChargeRequest, ChargeResult, DeclineClass, Found, LookupRequest

from ..acme import Acme
from .ids import ids


class ChargesAgainAfterALostAnswer(Acme):
    """A retry loop of its own, with a key of its own."""

    CAUGHT_BY: ClassVar = {"FAULT-01", "FAULT-02"}
    ALSO: ClassVar = {"LOOKUP-04"}

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        try:
            return await super().charge(request)
        except OutcomeUnknown:
            return await super().charge(attrs.evolve(request, key=request.key[::-1]))


class TakesANewKeyForEveryRepeat(Acme):
    """The key counts calls."""

    CAUGHT_BY: ClassVar = {"CORE-14", "CHARGE-06", "PROBE-01"}
    ALSO: ClassVar = {*ids("FAULT", 1, 10), *ids("PROBE", 2, 4), "CHARGE-14"}

    calls = 0

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        self.calls += 1
        return await super().charge(attrs.evolve(request, key=f"{request.key[:50]}-{self.calls}"))


class WritesTheTimeIntoTheBody(Acme):
    """A repeat under the same key has another body."""

    CAUGHT_BY: ClassVar = {"CORE-15"}
    ALSO: ClassVar = {"PROBE-03"}

    def _charge_body(self, request: ChargeRequest) -> dict[str, Any]:
        return {**super()._charge_body(request), "at": self.clock.now().isoformat() if self.clock else ""}


class TakesATimeOutForADecline(Acme):
    """The swallowed time-out."""

    CAUGHT_BY: ClassVar = {"CORE-11", "FAULT-01", "FAULT-02"}
    ALSO: ClassVar = set()

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        try:
            return await super().charge(request)
        except OutcomeUnknown:
            return ChargeResult.declined("timeout", decline=DeclineClass.SOFT)


class TakesATimeOutForASuccess(Acme):
    """The hopeful time-out."""

    CAUGHT_BY: ClassVar = {"CORE-11", "FAULT-01", "FAULT-02"}
    ALSO: ClassVar = set()

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        try:
            return await super().charge(request)
        except OutcomeUnknown:
            return ChargeResult.succeeded("ch_perhaps", amount=request.amount)


class TakesALostAnswerForNothingSent(Acme):
    """Safe to repeat, it says."""

    CAUGHT_BY: ClassVar = {"CORE-11", "FAULT-01", "FAULT-02"}
    ALSO: ClassVar = set()

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        try:
            return await super().charge(request)
        except OutcomeUnknown as exc:
            raise ProviderUnavailable(str(exc)) from exc


class ChargesDollarsAsIfTheyHadNoCents(Acme):
    """Wrong minor units: sent in dollars, read back in cents."""

    CAUGHT_BY: ClassVar = {"CHARGE-02"}
    ALSO: ClassVar = {"PROBE-07"}

    def _charge_body(self, request: ChargeRequest) -> dict[str, Any]:
        body = super()._charge_body(request)
        return {**body, "amount": body["amount"] // 100} if body["currency"] == "USD" else body

    def _paid(self, charge: Any, asked: Money | None) -> ChargeResult:
        times = 100 if charge["currency"] == "USD" else 1
        return super()._paid({**charge, "amount": charge["amount"] * times}, asked)


class ReckonsInFloats(Acme):
    """Yen to hundredths and back, by way of floating point."""

    CAUGHT_BY: ClassVar = {"CHARGE-13"}
    ALSO: ClassVar = set()

    def _charge_body(self, request: ChargeRequest) -> dict[str, Any]:
        minor = request.amount.minor
        return {**super()._charge_body(request), "amount": int(minor / 100 * 100) if minor > 1000 else minor}

    def _paid(self, charge: Any, asked: Money | None) -> ChargeResult:
        return super()._paid(charge, None)


class IgnoresTheCurrency(Acme):
    """Everything is yen."""

    CAUGHT_BY: ClassVar = {"CHARGE-02"}
    ALSO: ClassVar = {"PROBE-07"}

    def _charge_body(self, request: ChargeRequest) -> dict[str, Any]:
        return {**super()._charge_body(request), "currency": "JPY"}

    def _paid(self, charge: Any, asked: Money | None) -> ChargeResult:
        return super()._paid({**charge, "currency": asked.currency} if asked else charge, asked)


class ChargesUndeclaredCurrenciesAsYen(Acme):
    """What it does not take, it takes as yen."""

    CAUGHT_BY: ClassVar = {"CHARGE-03"}
    ALSO: ClassVar = set()

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        if request.amount.currency not in self.capabilities().amounts:
            request = attrs.evolve(request, amount=Money(request.amount.minor, "JPY"))
        return await super().charge(request)


class GuessesAnUnknownState(Acme):
    """What has not failed has succeeded."""

    CAUGHT_BY: ClassVar = {"FAULT-10"}
    ALSO: ClassVar = {"FAULT-21", "FAULT-23"}

    def _result(self, charge: Any, asked: Money | None) -> ChargeResult:
        if charge.get("state") in {"processing", "action", "declined"}:
            return super()._result(charge, asked)
        return ChargeResult.succeeded(str(charge["id"]), amount=asked)


class TakesProcessingForPaid(Acme):
    """An open charge is as good as paid."""

    CAUGHT_BY: ClassVar = {"CHARGE-07"}
    ALSO: ClassVar = {"FAULT-10"}

    def _result(self, charge: Any, asked: Money | None) -> ChargeResult:
        if charge.get("state") == "processing":
            return ChargeResult.succeeded(str(charge["id"]), amount=asked)
        return super()._result(charge, asked)


class TakesTooManyRequestsForADecline(Acme):
    """Rush hour at the provider, and every customer is told that their card was declined."""

    CAUGHT_BY: ClassVar = {"CORE-13", "FAULT-07"}
    ALSO: ClassVar = set()

    def _charged(self, response: Response, asked: Money) -> ChargeResult:
        if response.status == 429:
            return ChargeResult.declined("429", decline=DeclineClass.SOFT)
        return super()._charged(response, asked)


class TakesARefusedAccountForADecline(Acme):
    """The key was revoked, and every customer is told that their card was declined."""

    CAUGHT_BY: ClassVar = {"CORE-24"}
    ALSO: ClassVar = set()

    def _charged(self, response: Response, asked: Money) -> ChargeResult:
        if response.status in {401, 403}:
            return ChargeResult.declined("invented_tomorrow", decline=DeclineClass.HARD)
        return super()._charged(response, asked)


class RemembersTheLastCharge(Acme):
    """The same amount on the same card is taken for a repeat."""

    CAUGHT_BY: ClassVar = {"PROBE-09", "RENEWAL-02"}
    ALSO: ClassVar = {"CORE-15", "PROBE-02"}

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.last: dict[tuple[str, Money], ChargeResult] = {}

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        like = (request.credential, request.amount)
        if like not in self.last:
            result = await super().charge(request)
            if result.decline is not None:
                return result
            self.last[like] = result
        return self.last[like]


class LooksUpByCharging(Acme):
    """What is not found is made."""

    CAUGHT_BY: ClassVar = {"LOOKUP-03"}
    ALSO: ClassVar = ids("FAULT", 1, 9) - {"FAULT-03", "FAULT-07"}

    async def find_charge(self, request: LookupRequest) -> Found:
        found = await super().find_charge(request)
        if found.result is None and request.reference is None and isinstance(request.attempt, ChargeRequest):
            return Found(await self.charge(attrs.evolve(request.attempt, key=request.attempt.key[::-1])))
        return found
