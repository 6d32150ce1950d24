"""3-D Secure of the emulated UnivaPay: what a request asks for, the check of a stored card, the issuer's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from ....flow import Request, Response
from .auth import Caller
from .course import Course
from .records import Failure, ThreeDs, Token
from .state import State
from .views import Views
from .wire import ApiError, among, reply

__all__ = ["TokenThreeDs", "issuer_page", "issuer_token", "read_three_ds"]

_MODES = frozenset({"normal", "require", "force", "skip", "if_available"})

#: Proof of an own merchant plug-in: all six together (provider fact sheet §8).
_PROOF = (
    "authentication_value", "eci", "ds_transaction_id", "server_transaction_id", "message_version",
    "transaction_status",
)  # fmt: skip


def read_three_ds(state: State, caller: Caller, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The ``three_ds`` of a charge or a subscription as the resource shows it; None where the request has none."""
    given = body.get("three_ds")
    if not isinstance(given, Mapping):
        return None
    mode = given.get("mode")
    if mode is not None and not among(mode, _MODES):
        raise ApiError.invalid("three_ds.mode", "INVALID_FORMAT")
    if mode == "skip":
        caller.need_secret()
    proof = [name for name in _PROOF if given.get(name) is not None]
    if proof:
        if len(proof) < len(_PROOF):
            missing = next(name for name in _PROOF if name not in proof)
            raise ApiError.invalid(f"three_ds.{missing}", "REQUIRED_VALUE")
        mode = "provided"
    return {"redirect_endpoint": given.get("redirect_endpoint"), "redirect_id": state.new_id(), "mode": mode}


def issuer_token(origin: str, store_id: str, resource_id: str, resource_type: str) -> Response:
    """Where the customer's browser goes; the page there answers at *origin* itself."""
    return reply(
        200,
        {
            "issuer_token": f"{origin}/stores/{store_id}/three_ds/issuer_token/test/response",
            "call_method": "http_post",
            "payload": {"resource_id": resource_id, "resource_type": resource_type},
            "payment_type": "card",
            "content_type": "application/x-www-form-urlencoded; charset=UTF-8",
        },
    )


class TokenThreeDs:
    """3-D Secure of recurring tokens: pending, awaiting, and then successful or failed."""

    def __init__(self, state: State, views: Views) -> None:
        self._state = state
        self._views = views

    def begin(self, token: Token, redirect_endpoint: object) -> None:
        """Ask the customer of *token* to prove themselves."""
        if token.type != "recurring":
            raise ApiError(400, "INVALID_TOKEN_TYPE")
        endpoint = None if redirect_endpoint is None else str(redirect_endpoint)
        token.three_ds = ThreeDs(status="pending", redirect_endpoint=endpoint, redirect_id=self._state.new_id())
        begun = token.three_ds
        self._state.later(self._state.behaviour.pending, lambda: self._await(token, begun))

    def end(self, token: Token) -> None:
        """Switch it off."""
        self._state.awaiting.pop(token.id, None)
        token.three_ds = None
        token.updated = self._state.now()

    def customer_returns(self, token: Token, *, passed: bool) -> None:
        """The customer has been to the issuer."""
        if token.three_ds is None or token.three_ds.status != "awaiting":
            raise ValueError(f"token {token.id} does not wait for the customer")
        del self._state.awaiting[token.id]
        token.three_ds.error = None if passed else Failure(358, "Identity check failed")
        self._change(token, token.three_ds, "successful" if passed else "failed")

    def _await(self, token: Token, begun: ThreeDs) -> None:
        if token.three_ds is begun:
            self._state.awaiting[token.id] = token
            self._change(token, begun, "awaiting")

    def _change(self, token: Token, three_ds: ThreeDs, status: str) -> None:
        three_ds.status = status
        token.updated = self._state.now()
        self._state.emit(self._state.behaviour.three_ds_event, token.store_id, lambda: self._views.token(token))


def issuer_page(state: State, course: Course, tokens: TokenThreeDs, request: Request) -> Response:
    """The test page of the issuer: the browser's form says who comes, and ``outcome=failed`` lets them fail.

    Sends the customer back to the ``redirect_endpoint`` of the request, where it named one.
    """
    form = {name: values[-1] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
    waiting = state.awaiting.get(form.get("resource_id", ""))
    if waiting is None:
        raise ApiError.missing()
    passed = form.get("outcome") != "failed"
    if isinstance(waiting, Token):
        back = waiting.three_ds.redirect_endpoint if waiting.three_ds else None
        tokens.customer_returns(waiting, passed=passed)
    else:
        back = (waiting.three_ds or {}).get("redirect_endpoint")
        course.customer_returns(waiting, passed=passed)
    if back:
        return Response(303, {"Location": str(back)})
    return Response(200, {"Content-Type": "text/html; charset=utf-8"}, b"<!DOCTYPE html><title>Done</title><p>Done.")
