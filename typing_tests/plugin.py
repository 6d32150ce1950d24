"""What a type checker says to the author of a plugin; checked by ``make types``, never run."""

from typing import assert_type

import attrs

from paygate import Capabilities, Provider, hookimpl, secret
from paygate.flow import Request, Response, call, send, sleep
from paygate.notices import ChargeNotice, ChargeProposal, OperationProposal
from paygate.provider import ChargeRequest, ChargeResult, Found, LookupRequest, RefundRequest, RefundResult


@attrs.frozen
class AcmeSettings:
    shop: str
    api_key: str = secret()


class Acme(Provider):
    Settings = AcmeSettings

    def __init__(self, settings: AcmeSettings) -> None:
        self._settings = settings

    def capabilities(self) -> Capabilities:
        return Capabilities(name="Acme")

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        answer = await send(Request("POST", "https://api.acme.test/charges"))
        assert_type(answer, Response)
        assert_type(answer.status, int)
        await sleep(0.5)
        assert_type(await call(lambda: 42), int)
        return ChargeResult.succeeded("ch_1")

    async def refund(self, request: RefundRequest) -> RefundResult:
        assert_type(request.charge_reference, str)
        return RefundResult.declined("no")

    async def find_charge(self, request: LookupRequest) -> Found:
        assert_type(request.attempt, ChargeRequest | RefundRequest)
        return Found(None)


class WrongProvider(Provider):
    def charge(self, request: ChargeRequest) -> ChargeResult:  # type: ignore[override]  # a hook is a flow
        return ChargeResult.not_sent()


class Observer:
    @hookimpl
    def before_charge(self, proposal: ChargeProposal) -> str | None:
        return None if proposal.amount.minor < 50_000 else "too much"

    @hookimpl
    def before_operation(self, proposal: OperationProposal) -> str | None:
        assert_type(proposal.operation, str)
        return None if proposal.actor.id in {"hanako", "taro"} else "ask the accountants"

    @hookimpl
    def on_charge_success(self, notice: ChargeNotice) -> None:
        assert_type(notice.id, str)
