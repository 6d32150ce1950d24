"""``/_paygate/faults`` and ``/_paygate/outcomes``: what goes wrong next, and what the next payments do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...flow import Request, Response
from .control_input import Fields, Refusal, reply, required
from .faults import Coming, Fault, FaultKind, When
from .wishes import Wish, Wished, WishKind

if TYPE_CHECKING:
    from .base import Emulator

__all__ = ["ComingControl"]

#: Ten years: no payment stays open longer, and no calendar ends before.
_LONGEST_PENDING = 10 * 366 * 24 * 3600

_MATCH = re.compile(r"[A-Z]+ /\S*")


class ComingControl:
    """The handlers of faults and outcomes. Names come from the path."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def list_faults(self, _request: Request, _names: Mapping[str, str]) -> Response:
        return reply(200, {"faults": [_show_fault(coming) for coming in self._emulator.faults.coming]})

    def add_fault(self, request: Request, _names: Mapping[str, str]) -> Response:
        fields = Fields.read(request, "kind", "when", "match", "times", "seconds", "status")
        kind = required(fields.choice("kind", FaultKind), "kind", FaultKind)
        when = fields.choice("when", When) or When.BEFORE
        seconds, status = fields.integer("seconds", 0, 3600), fields.integer("status", 400, 599)
        match = fields.text("match")
        if match is not None and not _MATCH.fullmatch(match):
            raise Refusal(400, "match is not a method and a path", 'write "POST /charges" or "GET /charges/*"')
        try:
            fault = Fault(kind, when, 1 if seconds is None else seconds, 500 if status is None else status)
        except ValueError as exc:
            raise Refusal(400, "a refused connection has no effect", 'leave when out, or use kind "reset"') from exc
        fault_id = self._emulator.faults.add(fault, times=fields.integer("times", 1) or 1, match=match)
        return reply(201, {"id": fault_id, "faults": [_show_fault(each) for each in self._emulator.faults.coming]})

    def remove_fault(self, _request: Request, names: Mapping[str, str]) -> Response:
        return _removed(self._emulator.faults.remove, names["id"], "faults")

    def clear_faults(self, _request: Request, _names: Mapping[str, str]) -> Response:
        self._emulator.faults.clear()
        return reply(200, {"faults": []})

    def list_outcomes(self, _request: Request, _names: Mapping[str, str]) -> Response:
        return reply(200, {"outcomes": [_show_wish(wished) for wished in self._emulator.wishes.waiting]})

    def add_outcome(self, request: Request, _names: Mapping[str, str]) -> Response:
        fields = Fields.read(request, "kind", "code", "seconds", "credential", "token", "card", "amount", "times")
        kind = required(fields.choice("kind", WishKind), "kind", WishKind)
        wish = Wish(kind, fields.text("code"), fields.integer("seconds", 0, _LONGEST_PENDING))
        wish_id = self._emulator.wishes.add(
            wish,
            credential=fields.text("credential") or fields.text("token"),
            amount=fields.integer("amount", 1),
            card=fields.text("card"),
            times=fields.integer("times", 1) or 1,
        )
        return reply(201, {"id": wish_id, "outcomes": [_show_wish(each) for each in self._emulator.wishes.waiting]})

    def remove_outcome(self, _request: Request, names: Mapping[str, str]) -> Response:
        return _removed(self._emulator.wishes.remove, names["id"], "outcomes")

    def clear_outcomes(self, _request: Request, _names: Mapping[str, str]) -> Response:
        self._emulator.wishes.clear()
        return reply(200, {"outcomes": []})


def _show_fault(coming: Coming) -> dict[str, Any]:
    fault = coming.fault
    return {
        "id": coming.id,
        "kind": fault.kind.name.lower(),
        "when": fault.when.name.lower(),
        "match": coming.match,
        "left": coming.left,
        "seconds": fault.seconds,
        "status": fault.status,
    }


def _show_wish(wished: Wished) -> dict[str, Any]:
    return {
        "id": wished.id,
        "kind": wished.wish.kind.value,
        "code": wished.wish.code,
        "seconds": wished.wish.seconds,
        "credential": wished.credential,
        "card": f"…{wished.last4}" if wished.last4 else None,
        "amount": wished.amount,
        "left": wished.left,
    }


def _removed(remove: Callable[[str], None], found: str, what: str) -> Response:
    try:
        remove(found)
    except KeyError as exc:
        raise Refusal(404, f"no {found!r} among the {what}", f"GET /_paygate/{what} lists those to come") from exc
    return reply(200, {"id": found})
