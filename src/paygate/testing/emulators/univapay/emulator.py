"""The emulated UnivaPay: routes, authentication, polling, and handles for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import attrs

from ....clock import Clock
from ....flow import Request, Response
from ..base import Emulator
from ..routing import Router
from ..webhooks import Delivery
from ..wishes import CardKind
from .assumptions import Behaviour
from .auth import Caller, Credentials, authenticate
from .charges import Charges
from .hooks import Hooks
from .idempotency import KeyStore
from .refunds import Cancels, Refunds
from .state import Charge, ChargePlan, Refund, State
from .tokens import Tokens
from .wire import ApiError, read_body, reply

__all__ = ["UnivaPayEmulator"]

_Handler: TypeAlias = Callable[[Caller, Request, Mapping[str, str]], Response]

#: Widely published test card that always works (provider fact sheet §16).
GOOD_CARD = "4000020000000000"

#: Test cards whose charges are declined and whose refunds fail (provider fact sheet §16).
_DECLINED_CARD, _NO_REFUND_CARD = "4111111111111111", "4242424242424242"

#: What deliveries to the address of :meth:`UnivaPayEmulator.set_webhook_target` carry in ``Authorization``.
_WEBHOOK_WORD = "emulated-webhook-word"


class UnivaPayEmulator(Emulator):
    """UnivaPay's interface for cards over its own state; see :class:`Behaviour` for what can be turned.

    :param clock: where the emulator gets the time from.
    :param credentials: the store's app token and secret; made up if left out.
    :param behaviour: switches; may be changed at any time through :attr:`behaviour`.
    """

    name = "univapay"
    origin = "https://api.univapay.com"

    def __init__(
        self, clock: Clock, *, credentials: Credentials | None = None, behaviour: Behaviour | None = None
    ) -> None:
        super().__init__(clock)
        self.credentials = credentials or Credentials.for_store()
        self.behaviour = behaviour or Behaviour()
        self._stores = [self.credentials]
        self._begin()

    def _begin(self) -> None:
        self._state = State(self.clock, self.book, self.behaviour, self.wishes, self._emit)
        self._keys = KeyStore(self._state)
        self._tokens = Tokens(self._state)
        self._charges = Charges(self._state, self._tokens)
        self._refunds = Refunds(self._state, self._charges)
        self._cancels = Cancels(self._state, self._charges)
        self._hooks = Hooks(self._state, self.outbox)
        self._refusals: list[ApiError] = []
        self._target: str | None = None  # id of the webhook that set_webhook_target registered
        self._router = self._routes()

    # --- what every emulator offers ----------------------------------------------------------------------------------

    def credentials_for_plugin(self) -> dict[str, str]:
        return {"app_token": self.credentials.app_token, "secret": self.credentials.secret}

    def webhook_settings(self) -> dict[str, str]:
        return {"webhook_auth_token": _WEBHOOK_WORD}

    def set_webhook_target(self, url: str) -> None:
        with self.changed:
            if self._target is not None:
                self._hooks.delete(self._owner(), self._target)
            self._target = self.add_webhook(url, self.webhook_secret)

    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        number = {CardKind.DECLINED_SOFT: _DECLINED_CARD, CardKind.REFUND_FAILS: _NO_REFUND_CARD}.get(card, GOOD_CARD)
        email = "hanako+charge-failure-304@example.com" if card is CardKind.DECLINED_HARD else "hanako@example.com"
        plans = {
            CardKind.ACTION_REQUIRED: ChargePlan(customer=True),
            CardKind.PENDING: ChargePlan(pending=None),
        }
        with self.changed:
            token_id = self.add_card(number, email=email)
            if plan := plans.get(card):
                self._state.card_plans[token_id] = plan
            return token_id

    def approve(self, identifier: str, *, passed: bool = True) -> None:
        with self.changed:
            if identifier not in self.awaiting():
                raise KeyError(identifier)
            self.customer_returns(identifier, passed=passed)

    def awaiting(self) -> tuple[str, ...]:
        with self.changed:
            self._state.tick()
            return tuple(charge.id for charge in self._state.charges.values() if charge.status == "awaiting")

    def error_response(self, status: int) -> Response:
        # too many requests are refused without a body (provider fact sheet §14)
        return ApiError(status, "" if status == 429 else "UNKNOWN_ERROR").response()

    def reset(self) -> None:
        with self.changed:
            super().reset()
            self._stores = [self.credentials]
            self._begin()

    # --- handles for tests -------------------------------------------------------------------------------------------

    def add_store(self, credentials: Credentials) -> None:
        """Let a further store of the same merchant in."""
        with self.changed:
            self._stores.append(credentials)

    def add_card(
        self,
        number: str = GOOD_CARD,
        *,
        email: str = "hanako@example.com",
        kind: str = "recurring",
        token_id: str | None = None,
    ) -> str:
        """Store a card as the browser widget would; returns the transaction token's id.

        :param token_id: the id that it shall have, for tokens that somebody already holds; made up if left out.
        """
        body = {
            "payment_type": "card",
            "type": kind,
            "email": email,
            "data": {
                "cardholder": "HANAKO YAMADA",
                "card_number": number,
                "exp_month": "12",
                "exp_year": str(self.clock.now().year + 4),
                "cvv": "123",
            },
        }
        with self.changed:
            caller = attrs.evolve(self._owner(), with_secret=False)
            created: str = _json(self._tokens.create(caller, body, token_id))["id"]
            return created

    def add_webhook(self, url: str, auth_token: str, *, triggers: tuple[str, ...] | None = None) -> str:
        """Register a webhook of the first store; returns its id."""
        chosen = triggers or ("charge_updated", "charge_finished", "refund_finished", "cancel_finished")
        with self.changed:
            body = {"url": url, "auth_token": auth_token, "triggers": list(chosen)}
            created: str = _json(self._hooks.create(self._owner(), body))["id"]
            return created

    def _owner(self) -> Caller:
        return Caller(self.credentials.store_id, "", self.credentials.mode, "")

    def plan(self, *plans: ChargePlan) -> None:
        """Let the next charges go as *plans* say, one each, whatever their cards say."""
        with self.changed:
            self._state.plans.extend(plans)

    def refuse_next(self, status: int, code: str, *, times: int = 1) -> None:
        """Answer the next *times* creations of charges or refunds with this HTTP error; they have no effect."""
        with self.changed:
            self._refusals.extend([ApiError(status, code)] * times)

    def settle(self, charge_id: str) -> None:
        """Bring an open charge to its end now, whatever time it had left."""
        with self.changed:
            self._charges.settle(self.charge(charge_id))
            self.changed.notify_all()

    def settle_refund(self, refund_id: str, status: str | None = None, *, code: int | None = None) -> None:
        """Bring a pending refund to its end now: as its card says, or with *status* and *code*."""
        with self.changed:
            refund = self.refund(refund_id)
            if status is None:
                self._refunds.settle(refund)
            else:
                self._refunds.finish(refund, status, code)
            self.changed.notify_all()

    def customer_returns(self, charge_id: str, *, passed: bool = True) -> None:
        """Let the customer of an awaiting charge come back from 3-D Secure."""
        with self.changed:
            self._charges.customer_returns(self.charge(charge_id), passed=passed)
            self.changed.notify_all()

    def charge(self, charge_id: str) -> Charge:
        """The record of a charge.

        :raises KeyError: there is none of that id.
        """
        with self.changed:
            return self._state.charges[charge_id]

    @property
    def charges(self) -> tuple[Charge, ...]:
        """All charges, oldest first."""
        with self.changed:
            return tuple(self._state.charges.values())

    def refund(self, refund_id: str) -> Refund:
        """The record of a refund.

        :raises KeyError: there is none of that id.
        """
        with self.changed:
            return {one: refund for of in self._state.refunds.values() for one, refund in of.items()}[refund_id]

    # --- the emulator ------------------------------------------------------------------------------------------------

    def respond(self, request: Request) -> Response:
        target = urlsplit(request.url)
        try:
            if target.path == "/heartbeat":
                return reply(200, {})
            caller = authenticate(request, self._stores)
            found = self._router.find(request.method, target.path)
            if found is None or found[1].get("store", caller.store_id) != caller.store_id:
                raise ApiError.missing()
            handler, names = found
        except ApiError as error:
            return error.response()

        def action() -> Response:
            try:
                if self._refusals and request.method == "POST" and target.path.endswith(("/charges", "/refunds")):
                    raise self._refusals.pop(0)
                return handler(caller, request, names)
            except ApiError as error:
                return error.response()

        return self._keys.perform(request, caller.scope, action)

    def tick(self) -> None:
        with self.changed:
            self._state.tick()

    def answered(self, delivery: Delivery, status: int) -> None:
        with self.changed:
            self._hooks.answered(delivery, status)

    def _emit(self, name: str, store_id: str, data: Mapping[str, Any]) -> None:
        self._hooks.emit(name, store_id, data)

    def _hold(self, request: Request, done: Callable[[], bool]) -> None:
        """With ``?polling=true``, hold the answer until *done* or the longest hold is over."""
        if _query(request).get("polling") != "true":
            return
        ends = self.clock.monotonic() + self.behaviour.polling_hold
        while not done() and (left := ends - self.clock.monotonic()) > 0:
            due = self._state.due_in()
            # a microsecond more than due, for clocks that count in fractions of one
            if not self.wait(left if due is None else min(left, max(due, 0.0) + 1e-6)):
                return
            self._state.tick()

    def _poll_charge(self, caller: Caller, request: Request, names: Mapping[str, str]) -> Response:
        charge = self._charges.find(caller.store_id, names["charge"])
        began = charge.status
        self._hold(request, lambda: charge.settled or (began == "pending" and charge.status != began))
        return self._charges.get(caller, charge.id)

    def _poll_refund(self, caller: Caller, request: Request, names: Mapping[str, str]) -> Response:
        refund = self._refunds.find(caller.store_id, names["charge"], names["refund"])
        self._hold(request, lambda: refund.settled)
        return self._refunds.get(caller, names["charge"], refund.id)

    def _poll_cancel(self, caller: Caller, request: Request, names: Mapping[str, str]) -> Response:
        cancel = self._cancels.find(caller.store_id, names["charge"], names["cancel"])
        self._hold(request, lambda: cancel.settled)
        return self._cancels.get(caller, names["charge"], cancel.id)

    def _me(self, caller: Caller, _request: Request, _names: Mapping[str, str]) -> Response:
        configuration = {
            "recurring_token_configuration": {"recurring_type": self.behaviour.recurring_privilege},
            "card_configuration": {"enabled": True, "allow_direct_token_creation": self.behaviour.raw_cards},
        }
        return reply(200, {"id": caller.merchant_id, "name": "Example KK", "configuration": configuration})

    def _routes(self) -> Router[_Handler]:
        router: Router[_Handler] = Router()
        tokens, charges, refunds, cancels, hooks = (
            self._tokens, self._charges, self._refunds, self._cancels, self._hooks,
        )  # fmt: skip
        store = "/stores/{store}"
        charge = store + "/charges/{charge}"
        hook = store + "/webhooks/{hook}"

        router.add("GET", "/me", self._me)

        router.add("POST", "/tokens", lambda c, r, _: tokens.create(c, read_body(r)))
        router.add("GET", "/tokens", lambda c, r, _: tokens.list(c, _query(r)))
        router.add("GET", store + "/tokens", lambda c, r, _: tokens.list(c, _query(r)))
        router.add("GET", store + "/tokens/{token}", lambda c, _, n: tokens.get(c, n["token"]))
        router.add("PATCH", store + "/tokens/{token}", lambda c, r, n: tokens.patch(c, n["token"], read_body(r)))
        router.add("DELETE", store + "/tokens/{token}", lambda c, _, n: tokens.delete(c, n["token"]))

        router.add("POST", "/charges", lambda c, r, _: charges.create(c, read_body(r)))
        router.add("GET", "/charges", lambda c, r, _: charges.list(c, _query(r)))
        router.add("GET", store + "/charges", lambda c, r, _: charges.list(c, _query(r)))
        router.add("GET", charge, self._poll_charge)
        router.add("PATCH", charge, lambda c, r, n: charges.patch(c, n["charge"], read_body(r)))
        router.add("POST", charge + "/capture", lambda c, r, n: charges.capture(c, n["charge"], read_body(r)))
        router.add("GET", charge + "/three_ds/issuer_token", lambda c, _, n: charges.issuer_token(c, n["charge"]))

        router.add("POST", charge + "/refunds", lambda c, r, n: refunds.create(c, n["charge"], read_body(r)))
        router.add("GET", charge + "/refunds", lambda c, r, n: refunds.list(c, n["charge"], _query(r)))
        router.add("GET", charge + "/refunds/{refund}", self._poll_refund)
        router.add(
            "PATCH",
            charge + "/refunds/{refund}",
            lambda c, r, n: refunds.patch(c, n["charge"], n["refund"], read_body(r)),
        )

        router.add("POST", charge + "/cancels", lambda c, r, n: cancels.create(c, n["charge"], read_body(r)))
        router.add("GET", charge + "/cancels", lambda c, r, n: cancels.list(c, n["charge"], _query(r)))
        router.add("GET", charge + "/cancels/{cancel}", self._poll_cancel)
        router.add(
            "PATCH",
            charge + "/cancels/{cancel}",
            lambda c, r, n: cancels.patch(c, n["charge"], n["cancel"], read_body(r)),
        )

        router.add("POST", store + "/webhooks", lambda c, r, _: hooks.create(c, read_body(r)))
        router.add("GET", store + "/webhooks", lambda c, r, _: hooks.list(c, _query(r)))
        router.add("GET", hook, lambda c, _, n: hooks.get(c, n["hook"]))
        router.add("PATCH", hook, lambda c, r, n: hooks.patch(c, n["hook"], read_body(r)))
        router.add("DELETE", hook, lambda c, _, n: hooks.delete(c, n["hook"]))
        router.add("GET", hook + "/events", lambda c, r, n: hooks.events(c, n["hook"], _query(r)))
        router.add(
            "POST", hook + "/events/{event}/redeliver", lambda c, _, n: hooks.redeliver(c, n["hook"], n["event"])
        )
        return router


def _query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query))


def _json(response: Response) -> Any:
    return response.json()
