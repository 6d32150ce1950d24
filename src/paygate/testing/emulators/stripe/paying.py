"""How an attempt to pay goes: decided by the card, a wish, and whether the customer is there (provider fact sheet §4)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import attrs

from ..wishes import Wish, WishKind
from .cards import Decline, decline
from .charges import Charge, Charges
from .errors import API_ERROR, INVALID_REQUEST, ApiError
from .payment_methods import PaymentMethod, PaymentMethods
from .state import State, Waiting

if TYPE_CHECKING:
    from .payment_intents import PaymentIntent, PaymentIntents

__all__ = ["Failure", "Payments"]

#: What the last error of an intent says once its customer failed 3-D Secure; not a refusal by the issuer.
_NOT_AUTHENTICATED = Decline(
    "payment_intent_authentication_failure",
    None,
    "The provided PaymentMethod has failed authentication. Provide another one to try this payment again.",
    kind=INVALID_REQUEST,
)


class _Course(enum.Enum):
    SUCCEED = "succeed"
    ASK = "ask the customer"


@attrs.frozen
class _Stay:
    """Stay open; *seconds*: until it succeeds, None: until settled by hand."""

    seconds: int | None


_Way: TypeAlias = "_Course | _Stay | Decline"


@attrs.frozen
class Failure:
    """The last error of an intent: why, with which card, and the failed charge if there was one."""

    reason: Decline
    method: PaymentMethod = attrs.field(repr=False)
    charge: str | None = None


class Payments:
    """Attempts to pay an intent. Each one makes a charge of its own.

    *followers* hear of charges that took money, *mourners* of intents whose attempt has failed.
    """

    def __init__(self, state: State, intents: PaymentIntents, charges: Charges, methods: PaymentMethods) -> None:
        self._state = state
        self._intents = intents
        self._charges = charges
        self._methods = methods
        self.followers: list[Callable[[Charge], None]] = []
        self.mourners: list[Callable[[PaymentIntent], None]] = []

    def attempt(
        self, intent: PaymentIntent, method: PaymentMethod, *, off_session: bool, refuse_action: bool = False
    ) -> None:
        """Try to pay *intent* with *method*; how it went is in the intent's ``status`` and ``failure``.

        :param off_session: whether the customer is away, so that 3-D Secure is a refusal.
        :param refuse_action: ``error_on_requires_action``: 3-D Secure is a refusal although the customer is there.
        :raises ApiError: 500, if a wish says so; no money moved.
        """
        self.leave(intent)
        intent.method = method
        way = self._way(intent, method, off_session=off_session)
        if way is _Course.ASK and off_session:
            way = decline("authentication_required")
        elif way is _Course.ASK and refuse_action:
            way = decline("authentication_not_handled")
        if isinstance(way, Decline):
            self._decline(intent, method, way)
        elif isinstance(way, _Stay):
            self._stay(intent, method, way.seconds)
        elif way is _Course.ASK:
            self._ask(intent, method)
        else:
            self._succeed(intent, self._charge(intent, method))

    def settle(self, intent: PaymentIntent, refusal: Decline | None = None) -> None:
        """Bring an intent that is ``processing`` to its end; one that is not stays as it is."""
        if intent.status != "processing" or intent.method is None:
            return
        charge = self._charges.table.find(str(intent.latest_charge))
        if refusal is None:
            self._succeed(intent, charge)
        else:
            self._decline(intent, intent.method, refusal, charge)

    def confront(self, intent: PaymentIntent, method: PaymentMethod, *, passed: bool) -> None:
        """Try to pay *intent* with its customer there, who goes through 3-D Secure and passes it or not."""
        self.leave(intent)
        intent.method = method
        self._ask(intent, method)
        self._state.waiting[intent.id].finish(passed)

    def leave(self, intent: PaymentIntent) -> None:
        """Nobody waits for the customer of *intent* any longer."""
        self._state.waiting.pop(intent.id, None)
        intent.asking = False

    # --- the ways ----------------------------------------------------------------------------------------------------

    def _way(self, intent: PaymentIntent, method: PaymentMethod, *, off_session: bool) -> _Way:
        card = method.card
        if intent.asks_with == method.id:
            # a payment that needs its customer needs them until they have been there, however often it is tried (§4);
            # what waits for the next payment is not for this one
            return _Course.ASK
        wish = self._state.wishes.take(credential=method.credential, amount=intent.amount, card=card.number)
        if wish is not None:
            intent.asks_with = method.id if wish.kind is WishKind.ACTION else None
            return _wished(wish)
        if card.refusal is not None:
            return card.refusal
        if card.asks(off_session=off_session, set_up=method.set_up):
            return _Course.ASK
        if intent.three_ds != "automatic" and not off_session:
            return _Course.ASK
        return _Stay(None) if card.pending else _Course.SUCCEED

    def _charge(self, intent: PaymentIntent, method: PaymentMethod) -> Charge:
        charge = Charge(
            **self._charges.birth(),
            amount=intent.amount,
            currency=intent.currency,
            intent=intent.id,
            customer=intent.customer,
            method=method,
            metadata=intent.metadata,
            description=intent.description,
            receipt_email=intent.receipt_email,
            suffix=intent.suffix,
            shipping=intent.shipping,
        )
        intent.latest_charge = charge.id
        return self._charges.table.add(charge)

    def _succeed(self, intent: PaymentIntent, charge: Charge) -> None:
        method, capture = charge.method, intent.capture_method != "manual"
        if not self._state.behaviour.last_error_survives_success:
            intent.failure = None
        if intent.setup_future_usage is not None and intent.customer is not None:
            self._methods.keep(method, intent.customer, off_session=intent.setup_future_usage == "off_session")
        elif method.customer is None:
            method.spent = True
        self._charges.settle(charge, capture=capture)
        if capture:
            self.paid(intent, charge)
        else:
            intent.status, intent.amount_capturable = "requires_capture", charge.amount
            self._state.emit("payment_intent.amount_capturable_updated", self._intents.show(intent))
            self._state.later(self._state.behaviour.authorization_life, lambda: self._intents.expire(intent))

    def paid(self, intent: PaymentIntent, charge: Charge) -> None:
        """All of the money that *intent* will ever take has been captured."""
        intent.status, intent.amount_capturable, intent.amount_received = "succeeded", 0, charge.amount_captured
        self._state.emit("payment_intent.succeeded", self._intents.show(intent))
        for follow in self.followers:
            follow(charge)

    def _decline(
        self, intent: PaymentIntent, method: PaymentMethod, reason: Decline, charge: Charge | None = None
    ) -> None:
        asked = reason.code != "authentication_required" or self._state.behaviour.authentication_required_makes_charge
        if charge is None and asked:
            charge = self._charge(intent, method)
        if charge is not None:
            self._charges.fail(charge, reason)
        self._fail(intent, Failure(reason, method, charge.id if charge else None))

    def _fail(self, intent: PaymentIntent, failure: Failure) -> None:
        intent.status, intent.method, intent.failure = "requires_payment_method", None, failure
        self._state.emit("payment_intent.payment_failed", self._intents.show(intent))
        for mourn in self.mourners:
            mourn(intent)

    def _stay(self, intent: PaymentIntent, method: PaymentMethod, seconds: int | None) -> None:
        charge = self._charge(intent, method)
        intent.status = "processing"
        self._state.emit("charge.pending", self._charges.show(charge))
        self._state.emit("payment_intent.processing", self._intents.show(intent))
        self._state.later(seconds, lambda: self.settle(intent))

    def _ask(self, intent: PaymentIntent, method: PaymentMethod) -> None:
        intent.status, intent.asking = "requires_action", True

        def finish(passed: bool) -> str | None:
            self.leave(intent)
            if not passed:
                self._fail(intent, Failure(_NOT_AUTHENTICATED, method))
                return self._intents.returned(intent)
            intent.asks_with = None
            if method.card.after is not None:
                self._decline(intent, method, method.card.after)
            else:
                self._succeed(intent, self._charge(intent, method))
            return self._intents.returned(intent)

        self._state.waiting[intent.id] = Waiting(finish)
        self._state.emit("payment_intent.requires_action", self._intents.show(intent))


def _wished(wish: Wish) -> _Way:
    match wish.kind:
        case WishKind.SUCCEED:
            return _Course.SUCCEED
        case WishKind.DECLINE:
            return decline(wish.code or "generic_decline")
        case WishKind.ACTION:
            return _Course.ASK
        case WishKind.PENDING:
            return _Stay(wish.seconds)
        case WishKind.ERROR:
            raise ApiError(500, "Something went wrong on the emulated Stripe's end.", kind=API_ERROR, executed=True)
