"""Errors in Stripe's format: HTTP status, wire type, code, parameter, message, and the objects that come along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .assumptions import Behaviour

__all__ = ["API_ERROR", "CARD_ERROR", "IDEMPOTENCY_ERROR", "INVALID_REQUEST", "ApiError", "doc_url"]

# The four wire types that exist (provider fact sheet §3).
API_ERROR = "api_error"
CARD_ERROR = "card_error"
IDEMPOTENCY_ERROR = "idempotency_error"
INVALID_REQUEST = "invalid_request_error"


class ApiError(Exception):
    """An answer that is not 200.

    :param executed: a 400 that comes from the state of an object, not from the parameters alone.
    :param details: further fields of the error, for example the whole ``payment_intent``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID_REQUEST,
        code: str | None = None,
        param: str | None = None,
        executed: bool = False,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code or kind}")
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.executed = executed
        self.details = details or {}

    @classmethod
    def invalid(cls, param: str, message: str, code: str | None = None) -> ApiError:
        """400 about one parameter."""
        return cls(400, message, code=code, param=param)

    @classmethod
    def missing(cls, kind: str, identifier: str, param: str | None) -> ApiError:
        """``resource_missing``: 404 for an id in the path (*param* None), 400 for one in a parameter (§3)."""
        message = f"No such {kind}: '{identifier}'"
        return cls(404 if param is None else 400, message, code="resource_missing", param=param or "id")

    @classmethod
    def state(cls, message: str, code: str | None = None, *, param: str | None = None, **details: Any) -> ApiError:
        """400 because of the state that an object is in."""
        return cls(400, message, code=code, param=param, executed=True, details=details)

    def stored(self, behaviour: Behaviour) -> bool:
        """Whether the answer is kept under its idempotency key: refusals by the card and failures of Stripe's own are,
        what was refused before its execution began (validation, 401, 409, 429) is not (§7).
        """
        return self.status in {402, 500} or (self.executed and behaviour.key_stores_state_errors)

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON object that goes out."""
        fields: dict[str, Any] = dict(self.details)
        if self.code is not None:
            fields["code"] = self.code
            fields["doc_url"] = doc_url(self.code)
        fields["message"] = self.message
        if self.param is not None:
            fields["param"] = self.param
        fields["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}?t=0"
        fields["type"] = self.kind
        return {"error": fields}


def doc_url(code: str) -> str:
    """Where the provider explains an error *code*."""
    return f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
