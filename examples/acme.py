"""A whole provider in one file: ``Gateway(providers=[Acme])``, or ``plugins = ["acme"]`` in paygate.toml."""

import json

from paygate import Capabilities, Provider
from paygate.flow import Request, send
from paygate.provider import ChargeRequest, ChargeResult


class Acme(Provider):
    """Charges stored cards at Acme Payments, and can do nothing else."""

    def capabilities(self) -> Capabilities:
        return Capabilities("Acme")

    async def charge(self, request: ChargeRequest) -> ChargeResult:
        order = {"card": request.credential, "yen": request.amount.minor, "order": request.charge_id}
        answer = await send(Request("POST", "https://api.acme.example/charges", body=json.dumps(order).encode()))
        match answer.json():
            case {"paid": str(reference)}:
                return ChargeResult.succeeded(reference)
            case {"refused": str(code)}:
                return ChargeResult.declined(code)
        return ChargeResult.unknown(f"HTTP {answer.status}")
