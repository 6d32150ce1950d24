"""``/_paygate/console/…``: what the merchant does in the provider's console, and what customers' banks do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...flow import Request, Response
from .control_input import Fields, Refusal, reply

if TYPE_CHECKING:
    from .base import Emulator

__all__ = ["ConsoleControl"]


class ConsoleControl:
    """The handlers of refunds and disputes that paygate never asked for."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def refund(self, request: Request, _names: Mapping[str, str]) -> Response:
        """``{"payment": …, "amount": minor units}``; by default all that is left of the payment."""
        fields = Fields.read(request, "payment", "amount")
        payment = _named(fields)
        try:
            refund = self._emulator.refund_in_console(payment, fields.integer("amount", 1))
        except KeyError as exc:
            raise _unknown(payment) from exc
        except ValueError as exc:
            raise Refusal(400, str(exc), "give an amount up to what is left of the payment") from exc
        return reply(201, {"id": refund})

    def dispute(self, request: Request, _names: Mapping[str, str]) -> Response:
        """``{"payment": …}``."""
        payment = _named(Fields.read(request, "payment"))
        try:
            return reply(201, {"id": self._emulator.dispute(payment)})
        except KeyError as exc:
            raise _unknown(payment) from exc

    def decide(self, request: Request, names: Mapping[str, str]) -> Response:
        """``{"won": true}``, or false: the bank keeps the money."""
        fields = Fields.read(request, "won")
        won = fields.flag("won")
        if won is None:
            raise Refusal(400, "won is missing", 'write {"won": true} or {"won": false}')
        try:
            self._emulator.close_dispute(names["id"], won=won)
        except KeyError as exc:
            raise Refusal(404, f"no dispute {names['id']!r} is open", "POST console/disputes opens one") from exc
        return reply(200, {"id": names["id"], "won": won})


def _named(fields: Fields) -> str:
    payment = fields.text("payment")
    if payment is None:
        raise Refusal(400, "payment is missing", "name the payment by the provider's id, as GET book shows it")
    return payment


def _unknown(payment: str) -> Refusal:
    return Refusal(404, f"no payment {payment!r} has taken money", "GET book lists those that did")
