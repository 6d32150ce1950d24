"""The emulated UnivaPay: authentication, and handles for tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import attrs

from ....clock import Clock
from ....flow import Request, Response
from ..base import Emulator
from ..webhooks import Delivery
from ..wishes import CardKind
from .api import Api
from .assumptions import Behaviour
from .auth import Caller, Credentials, authenticate
from .cards import TEST_CARDS, made_up
from .idempotency import KeyStore
from .limits import RateLimit
from .records import Charge, ChargePlan, Refund, Subscription, Token
from .refunds import CHARGEBACK
from .state import State
from .three_ds import issuer_page
from .wire import ApiError, read_query, reply

__all__ = ["EVENTS", "GOOD_CARD", "UnivaPayEmulator"]

#: Widely published test card that always works (provider fact sheet §16).
GOOD_CARD = TEST_CARDS[0]

#: The events that paygate acts on.
EVENTS = (
    "charge_updated", "charge_finished", "refund_finished", "cancel_finished", "subscription_created",
    "subscription_payment", "subscription_failure", "subscription_suspended", "subscription_canceled",
    "subscription_completed",
)  # fmt: skip

#: What deliveries to the address of :meth:`UnivaPayEmulator.set_webhook_target` carry in ``Authorization``.
_WEBHOOK_WORD = "emulated-webhook-word"

#: A secret that fits into a header beside an app token, whose dots part the two.
_WORD = re.compile(r"[\w-]{8,}", re.ASCII)

_ISSUER_PAGE = "/three_ds/issuer_token/test/response"


class UnivaPayEmulator(Emulator):
    """UnivaPay's interface for cards over its own state; see :class:`Behaviour` for what can be turned.

    :param clock: where the emulator gets the time from.
    :param credentials: the store's app token and secret; made up if left out.
    :param webhook_auth_token: what deliveries to :meth:`set_webhook_target` carry in ``Authorization``; made up if left
        out.
    :param behaviour: switches; may be changed at any time through :attr:`behaviour`.
    :raises ValueError: the credentials are not those of a store.
    """

    name = "univapay"
    origin = "https://api.univapay.com"
    fixed_credentials = ("app_token", "secret", "webhook_secret")

    def __init__(
        self,
        clock: Clock,
        *,
        credentials: Credentials | None = None,
        webhook_auth_token: str | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        super().__init__(clock)
        self.credentials = credentials or Credentials.for_store()
        if not self.credentials.store_id:
            raise ValueError("the emulator's own credentials are those of a store")
        self._webhook_word = webhook_auth_token or _WEBHOOK_WORD
        self.behaviour = behaviour or Behaviour()
        self._behaviour_at_first = attrs.evolve(self.behaviour)
        self._known = {self.credentials.app_token: self.credentials}
        self._begin()

    @classmethod
    def with_credentials(cls, clock: Clock, given: Mapping[str, str]) -> Self:
        for name in ("secret", "webhook_secret"):
            if name in given and not _WORD.fullmatch(given[name]):
                raise ValueError(f"{name} of the emulated UnivaPay is letters, digits, - and _, 8 at least")
        made_up = Credentials.for_store()
        credentials = Credentials(given.get("app_token", made_up.app_token), given.get("secret", made_up.secret))
        if credentials.mode != "test":
            raise ValueError("the emulated UnivaPay takes app tokens of the test mode only")
        return cls(clock, credentials=credentials, webhook_auth_token=given.get("webhook_secret"))

    def _begin(self) -> None:
        self._state = State(self.clock, self.book, self.behaviour, self.wishes, self._emit)
        self._keys = KeyStore(self._state)
        self._rate_limit = RateLimit(self._state)
        self._api = Api(self._state, self.outbox, self._known, hold=self._hold, base_url=lambda: self.base_url)
        self._refusals: list[ApiError] = []
        self._target: str | None = None  # id of the webhook that set_webhook_target registered

    # --- what every emulator offers ----------------------------------------------------------------------------------

    def credentials_for_plugin(self) -> dict[str, str]:
        return {"app_token": self.credentials.app_token, "secret": self.credentials.secret}

    def ids_in_credentials(self) -> tuple[str, ...]:
        return (self.credentials.store_id,) if self.credentials.store_id else ()

    def webhook_settings(self) -> dict[str, str]:
        return {"webhook_auth_token": self._webhook_word}

    def set_webhook_target(self, url: str) -> None:
        with self.changed:
            if self._target is not None:
                self._api.hooks.delete(self._owner(), self._target)
            self._target = self.add_webhook(url, self.webhook_secret, triggers=EVENTS)

    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        """Store a card that behaves as *card* says; each has a number of its own, so none is too quick for another.

        :returns: the transaction token's id.
        """
        ending = {CardKind.DECLINED_SOFT: "1111", CardKind.REFUND_FAILS: "4242"}.get(card, "")
        email = "hanako+charge-failure-304@example.com" if card is CardKind.DECLINED_HARD else "hanako@example.com"
        with self.changed:
            token_id = self.add_card(made_up(len(self._state.tokens), ending), email=email)
            self._state.tokens[token_id].plan = {
                CardKind.ACTION_REQUIRED: ChargePlan(customer=True),
                CardKind.PENDING: ChargePlan(pending=None),
            }.get(card)
            return token_id

    def approve(self, identifier: str, *, passed: bool = True) -> None:
        """Let the customer of an awaiting charge, token or subscription (its first charge) come back.

        :raises KeyError: nothing of that id waits.
        """
        with self.changed:
            self._state.tick()
            waiting = self._waiting(identifier)
            if isinstance(waiting, Token):
                self._api.three_ds.customer_returns(waiting, passed=passed)
            else:
                self._api.course.customer_returns(waiting, passed=passed)
            self.changed.notify_all()

    def awaiting(self) -> tuple[str, ...]:
        with self.changed:
            self._state.tick()
            return tuple(self._state.awaiting)

    def return_url(self, identifier: str) -> str | None:
        with self.changed:
            record = self._state.charges.get(identifier) or self._state.tokens.get(identifier)
            if isinstance(record, Token):
                return record.three_ds.redirect_endpoint if record.three_ds else None
            return None if record is None or record.three_ds is None else record.three_ds["redirect_endpoint"]

    def error_response(self, status: int) -> Response:
        # too many requests are refused without a body (provider fact sheet §14)
        return ApiError(status, "" if status == 429 else "UNKNOWN_ERROR").response()

    def reset(self) -> None:
        with self.changed:
            super().reset()
            for field in attrs.fields(Behaviour):
                setattr(self.behaviour, field.name, getattr(self._behaviour_at_first, field.name))
            self._begin()

    # --- handles for tests -------------------------------------------------------------------------------------------

    def add_store(self, credentials: Credentials) -> None:
        """Let a further app token in: of a store of the same merchant, or the merchant's own."""
        with self.changed:
            self._known[credentials.app_token] = credentials

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
            created: str = _json(self._api.tokens.create(caller, body, token_id))["id"]
            return created

    def add_webhook(self, url: str, auth_token: str, *, triggers: tuple[str, ...] | None = None) -> str:
        """Register a webhook of the first store; returns its id."""
        chosen = triggers or ("charge_updated", "charge_finished", "refund_finished", "cancel_finished")
        with self.changed:
            body = {"url": url, "auth_token": auth_token, "triggers": list(chosen)}
            created: str = _json(self._api.hooks.create(self._owner(), body))["id"]
            return created

    def plan(self, *plans: ChargePlan) -> None:
        """Let the next charges go as *plans* say, one each, whatever their cards say."""
        with self.changed:
            self._state.plans.extend(plans)

    def refuse_next(self, status: int, code: str, *, times: int = 1) -> None:
        """Answer the next *times* creations of charges, refunds or subscriptions with this HTTP error, without effect."""
        with self.changed:
            self._refusals.extend([ApiError(status, code)] * times)

    def settle(self, charge_id: str) -> None:
        """Bring an open charge to its end now, whatever time it had left."""
        with self.changed:
            self._api.course.settle(self.charge(charge_id))
            self.changed.notify_all()

    def settle_refund(self, refund_id: str, status: str | None = None, *, code: int | None = None) -> None:
        """Bring a pending refund to its end now: as its card says, or with *status* and *code*."""
        with self.changed:
            refund = self.refund(refund_id)
            if status is None:
                self._api.refunds.settle(refund)
            else:
                self._api.refunds.finish(refund, status, code)
            self.changed.notify_all()

    def refund_in_console(self, payment: str, amount: int | None = None) -> str:
        with self.changed:
            try:
                refund = self._api.refunds.make_in_console(self.charge(payment), amount)
            except ApiError as exc:
                raise ValueError(str(exc)) from exc
            self.changed.notify_all()
            return refund.id

    def dispute(self, payment: str) -> str:
        """A chargeback, which is listed among the refunds of the charge (provider fact sheet §9)."""
        with self.changed:
            charge = self.charge(payment)
            if charge.status != "successful":
                raise KeyError(payment)
            return self._api.refunds.charge_back(charge).id

    def close_dispute(self, dispute: str, *, won: bool) -> None:
        with self.changed:
            refund = self.refund(dispute)
            if refund.settled or refund.reason != CHARGEBACK:
                raise KeyError(dispute)
            self._api.refunds.finish(refund, "failed" if won else "successful")
            self.changed.notify_all()

    def customer_returns(self, charge_id: str, *, passed: bool = True) -> None:
        """Let the customer of an awaiting charge come back from 3-D Secure.

        :raises ValueError: it does not wait for anybody.
        """
        with self.changed:
            self._api.course.customer_returns(self.charge(charge_id), passed=passed)
            self.changed.notify_all()

    def confirmation_code(self, token_id: str) -> str | None:
        """The code that the customer of a token made with ``use_confirmation`` finds in their mail.

        :raises KeyError: there is no token of that id.
        """
        with self.changed:
            return self._state.tokens[token_id].confirmation_code

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
            return tuple(self._state.charges)

    def refund(self, refund_id: str) -> Refund:
        """The record of a refund.

        :raises KeyError: there is none of that id.
        """
        with self.changed:
            return self._state.refunds[refund_id]

    def subscription(self, subscription_id: str) -> Subscription:
        """The record of a subscription.

        :raises KeyError: there is none of that id.
        """
        with self.changed:
            return self._state.subscriptions[subscription_id]

    # --- the emulator ------------------------------------------------------------------------------------------------

    def respond(self, request: Request) -> Response:
        path = urlsplit(request.url).path
        admitted, headers = self._rate_limit.admit(request, path)
        response = self._respond(request, path) if admitted else Response(429)
        return Response(response.status, {**response.headers, **headers}, response.body) if headers else response

    def _respond(self, request: Request, path: str) -> Response:
        try:
            if path == "/heartbeat":
                return reply(200, {})
            if path.endswith(_ISSUER_PAGE) and request.method == "POST":
                return issuer_page(self._state, self._api.course, self._api.three_ds, request)
            caller = authenticate(request, self._known)
            answer = self._api.find(request, path, caller)
        except ApiError as error:
            return error.response()

        def action() -> Response:
            try:
                if self._refusals and request.method == "POST" and path.endswith(_CREATIONS):
                    raise self._refusals.pop(0)
                return answer()
            except ApiError as error:
                return error.response()

        return self._keys.perform(request, caller.scope, action)

    def tick(self) -> None:
        with self.changed:
            self._state.tick()

    def answered(self, delivery: Delivery, status: int) -> None:
        with self.changed:
            self._api.hooks.answered(delivery, status)

    def _emit(self, name: str, store_id: str, show: Callable[[], Mapping[str, Any]]) -> None:
        self._api.hooks.emit(name, store_id, show)

    def _owner(self) -> Caller:
        return Caller.of(self.credentials)

    def _waiting(self, identifier: str) -> Charge | Token:
        waiting = self._state.awaiting.get(identifier)
        if waiting is None:  # a subscription waits with its first charge
            charges = self._state.charges.row(identifier)
            waiting = next((one for one in charges if one.status == "awaiting"), None)
        if waiting is None:
            raise KeyError(identifier)
        return waiting

    def _hold(self, request: Request, done: Callable[[], bool]) -> None:
        """With ``?polling=true``, hold the answer until *done* or the longest hold is over."""
        if read_query(request).get("polling") != "true":
            return
        state = self._state
        ends = self.clock.monotonic() + self.behaviour.polling_hold
        while not done() and (left := ends - self.clock.monotonic()) > 0:
            due = state.due_in()
            # a microsecond more than due, for clocks that count in fractions of one
            if not self.wait(left if due is None else min(left, max(due, 0.0) + 1e-6)):
                return
            state.tick()


#: Endings of the paths that :meth:`UnivaPayEmulator.refuse_next` is about.
_CREATIONS = ("/charges", "/refunds", "/subscriptions")


def _json(response: Response) -> Any:
    return response.json()
