"""Mistakes that tell paygate something else than what happened."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from paygate.errors import ConfigurationError, ProviderUnavailable
from paygate.flow import Response
from paygate.money import Money
from paygate.provider import (
    Capabilities,
    ChargeResult,
    DeclineClass,
    EventKind,
    Found,
    LookupRequest,
    Outcome,
    ProviderEvent,
    Webhook,
)
from paygate.testing.emulators import Delivery

from ..acme import Acme, AcmeEmulator


class AcceptsForgedWebhooks(Acme):
    """Nobody else knows the address."""

    CAUGHT_BY: ClassVar = {"CORE-18", "WEBHOOK-04"}
    ALSO: ClassVar = {"WEBHOOK-07"}

    def _authenticate(self, webhook: Webhook) -> None:
        pass


class WordOnly(AcmeEmulator):
    """An Acme whose webhooks carry a word, and no signature."""

    def _emit(self, event: str, data: dict[str, Any]) -> None:
        data = {**data, **self._records.get(f"{event}s", {}).get(str(data.get("id")), {})}
        super()._emit(event, data)
        if self.outbox.waiting:
            last: Delivery | None = self.outbox.take(self.clock.now())
            held = []
            while last is not None:
                held.append(last)
                last = self.outbox.take(self.clock.now())
            for one in held:
                self.outbox.put(attrs.evolve(one, headers={"Authorization": self.webhook_secret}))


class BelievesTheBodyOfAWebhook(Acme):
    """The word is right, so the amount will be."""

    emulator: ClassVar = WordOnly
    CAUGHT_BY: ClassVar = {"WEBHOOK-05"}
    ALSO: ClassVar = {"WEBHOOK-07"}

    def _authenticate(self, webhook: Webhook) -> None:
        if webhook.headers.get("authorization") != self.settings.webhook_secret:
            super()._authenticate(webhook)

    async def _event(self, event_id: str, event: str, data: Mapping[str, Any]) -> ProviderEvent:
        if event != "charge":
            return await super()._event(event_id, event, data)
        return ProviderEvent(
            event_id,
            EventKind.CHARGE,
            event,
            reference=data["id"],
            attempt_id=data["order"] or None,
            charge=self._result(data, None),
        )


class MakesUpEventIds(Acme):
    """Every delivery is news."""

    CAUGHT_BY: ClassVar = {"WEBHOOK-02"}
    ALSO: ClassVar = {"WEBHOOK-03"}

    async def _event(self, event_id: str, event: str, data: Mapping[str, Any]) -> ProviderEvent:
        return await super()._event(f"{event_id}-{secrets.token_hex(4)}", event, data)


class CrashesOnABrokenWebhook(Acme):
    """What is no event ends in an exception."""

    CAUGHT_BY: ClassVar = {"CORE-18"}
    ALSO: ClassVar = {"WEBHOOK-07"}

    async def parse_webhook(self, webhook: Webhook) -> list[ProviderEvent]:
        json.loads(webhook.body)
        return await super().parse_webhook(webhook)


class DropsTheCode(Acme):
    """A decline is a decline."""

    CAUGHT_BY: ClassVar = {"DECLINE-03"}
    ALSO: ClassVar = set()

    def _result(self, charge: Mapping[str, Any], asked: Money | None) -> ChargeResult:
        result = super()._result(charge, asked)
        return attrs.evolve(result, code="declined") if result.outcome is Outcome.DECLINED else result


class TakesEveryDeclineForSoft(Acme):
    """Every card gets another try, stolen ones too."""

    CAUGHT_BY: ClassVar = {"DECLINE-02"}
    ALSO: ClassVar = set()

    def _result(self, charge: Mapping[str, Any], asked: Money | None) -> ChargeResult:
        result = super()._result(charge, asked)
        hard = result.decline is DeclineClass.HARD
        return attrs.evolve(result, decline=DeclineClass.SOFT) if hard else result


class TakesAWrongKeyForADecline(Acme):
    """401 is a no as well."""

    CAUGHT_BY: ClassVar = {"CORE-24", "DECLINE-05"}
    ALSO: ClassVar = set()

    async def _post(self, path: str, body: Mapping[str, Any], key: str | None) -> Response:
        try:
            return await super()._post(path, body, key)
        except ConfigurationError:
            return Response(402, body=b'{"id":"none","state":"declined","code":"no_funds"}')


class LeavesTheLinkOut(Acme):
    """The customer has to act, and is not told where."""

    CAUGHT_BY: ClassVar = {"CHARGE-10"}
    ALSO: ClassVar = set()

    def _result(self, charge: Mapping[str, Any], asked: Money | None) -> ChargeResult:
        return attrs.evolve(super()._result(charge, asked), action_url=None)


class ProvesAbsenceByASearchIndex(Acme):
    """Declared as authoritative, and a minute late."""

    CAUGHT_BY: ClassVar = {"LOOKUP-04"}
    ALSO: ClassVar = set()

    async def _listed(self, path: str, field: str, value: str) -> list[Mapping[str, Any]]:
        return await super()._listed("/search" if path == "/charges" else path, field, value)


class FindsTheFirstChargeItSees(Acme):
    """One of the charges of that contract will be it."""

    CAUGHT_BY: ClassVar = {"LOOKUP-07"}
    ALSO: ClassVar = set()

    first = ""

    async def find_charge(self, request: LookupRequest) -> Found:
        found = await super().find_charge(request)
        if isinstance(found.result, ChargeResult) and request.reference is None:
            self.first = self.first or found.result.reference or ""
            return Found(attrs.evolve(found.result, reference=self.first))
        return found


class ChangesItsMind(Acme):
    """Declares something else each time."""

    CAUGHT_BY: ClassVar = {"CORE-01"}
    ALSO: ClassVar = {"CORE-03"}

    asked = 0

    def capabilities(self) -> Capabilities:
        self.asked += 1
        return attrs.evolve(super().capabilities(), name=f"Acme {self.asked}")


class TakesAnErrorForAbsence(Acme):
    """What cannot be read is not there."""

    CAUGHT_BY: ClassVar = {"CORE-19", "FAULT-21", "FAULT-22"}
    ALSO: ClassVar = set()

    async def _get(self, path: str) -> Any:
        try:
            return await super()._get(path)
        except ProviderUnavailable:
            return None


class GuessesWhatItCannotRead(Acme):
    """The webhook came, so something will have failed."""

    CAUGHT_BY: ClassVar = {"FAULT-23"}
    ALSO: ClassVar = set()

    async def _read_record(self, kind: str, reference: str) -> Mapping[str, Any]:
        try:
            return await super()._read_record(kind, reference)
        except ProviderUnavailable:
            return {"id": reference, "order": "", "state": "declined", "code": "unreadable"}
