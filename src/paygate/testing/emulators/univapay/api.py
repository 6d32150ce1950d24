"""The interface of the emulated UnivaPay: which resource answers which route (provider fact sheet §5), and polling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ....flow import Request, Response
from ..routing import Router
from ..webhooks import Outbox
from .accounts import Accounts
from .auth import Caller, Credentials
from .billing import Billing
from .charges import Charges
from .course import Course
from .history import History
from .hooks import Hooks
from .records import Token
from .refunds import Cancels, Refunds
from .state import State
from .subscriptions import Subscriptions
from .three_ds import TokenThreeDs
from .tokens import Tokens
from .views import Views
from .wire import ApiError, read_body, read_query

__all__ = ["Api"]

_Handler: TypeAlias = Callable[[Caller, Request, Mapping[str, str]], Response]

#: Holds the answer to a request with ``?polling=true`` until something is so, or the longest hold is over.
Hold: TypeAlias = Callable[[Request, Callable[[], bool]], None]

_STORE = "/stores/{store}"
_CHARGE = _STORE + "/charges/{charge}"
_SUBSCRIPTION = _STORE + "/subscriptions/{subscription}"


class Api:
    """All resources of one emulated UnivaPay, and their routes.

    :param known: the credentials let in, by app token.
    :param base_url: where clients reach the emulator at present.
    """

    def __init__(
        self,
        state: State,
        outbox: Outbox,
        known: Mapping[str, Credentials],
        *,
        hold: Hold,
        base_url: Callable[[], str],
    ) -> None:
        self._known = known
        self._hold = hold
        self._base_url = base_url
        self.hooks = Hooks(state, outbox)
        self.views = Views(state)
        self.course = Course(state, self.views)
        self.three_ds = TokenThreeDs(state, self.views)
        self.tokens = Tokens(state, self.views, self.course, self.three_ds)
        self.charges = Charges(state, self.views, self.course)
        self.refunds = Refunds(state, self.views, self.charges)
        self.cancels = Cancels(state, self.views, self.charges, self.course)
        self.billing = Billing(state, self.views, self.course)
        self.subscriptions = Subscriptions(state, self.views, self.billing, self.charges)
        self.history = History(state, self.views)
        self.accounts = Accounts(state, known)
        self._router: Router[_Handler] = Router()
        self._route_payments()
        self._route_subscriptions()
        self._route_the_rest()

    def find(self, request: Request, path: str, caller: Caller) -> Callable[[], Response]:
        """What answers *request*.

        :raises ApiError: 404 for an unknown route, and for a store or merchant that is not the caller's.
        """
        found = self._router.find(request.method, path)
        if found is None:
            raise ApiError.missing()
        handler, names = found
        if names.get("merchant", caller.merchant_id) != caller.merchant_id:
            raise ApiError.missing()
        store_id = names.get("store")
        if store_id is not None:
            if not self._may_read(caller, store_id):
                raise ApiError.missing()
            caller = caller.at(store_id)
        return lambda: handler(caller, request, names)

    def _may_read(self, caller: Caller, store_id: str) -> bool:
        if caller.level == "store":
            return store_id == caller.store_id
        return any(one.store_id == store_id and one.merchant_id == caller.merchant_id for one in self._known.values())

    # --- routes ------------------------------------------------------------------------------------------------------

    def _route_payments(self) -> None:
        add, tokens, charges = self._router.add, self.tokens, self.charges
        refunds, cancels, history = self.refunds, self.cancels, self.history
        token = _STORE + "/tokens/{token}"
        add("POST", "/tokens", lambda c, r, _: tokens.create(c, read_body(r)))
        for path in ("/tokens", _STORE + "/tokens"):
            add("GET", path, lambda c, r, _: tokens.list(c, read_query(r)))
        add("GET", token, self._poll_token)
        add("PATCH", token, lambda c, r, n: tokens.patch(c, n["token"], read_body(r)))
        add("DELETE", token, lambda c, _, n: tokens.delete(c, n["token"]))
        add("POST", token + "/three_ds", lambda c, r, n: tokens.three_ds_on(c, n["token"], read_body(r)))
        add("DELETE", token + "/three_ds", lambda c, _, n: tokens.three_ds_off(c, n["token"]))
        add(
            "GET",
            token + "/three_ds/issuer_token",
            lambda c, _, n: tokens.three_ds_issuer(c, n["token"], self._base_url()),
        )
        for path in ("/tokens/{token}/renew", token + "/renew"):
            add("POST", path, lambda c, r, n: tokens.renew(c, n["token"], read_body(r)))
        add("POST", token + "/confirm", lambda c, r, n: tokens.confirm(c, n["token"], read_body(r)))

        add("POST", "/charges", lambda c, r, _: charges.create(c, read_body(r)))
        for path in ("/charges", _STORE + "/charges"):
            add("GET", path, lambda c, r, _: charges.list(c, read_query(r)))
        add("GET", _CHARGE, self._poll_charge)
        add("PATCH", _CHARGE, lambda c, r, n: charges.patch(c, n["charge"], read_body(r)))
        add("POST", _CHARGE + "/capture", lambda c, r, n: charges.capture(c, n["charge"], read_body(r)))
        add("GET", _CHARGE + "/issuer_token", lambda c, _, n: charges.issuer(c, n["charge"]))
        add(
            "GET",
            _CHARGE + "/three_ds/issuer_token",
            lambda c, _, n: charges.three_ds_issuer(c, n["charge"], self._base_url()),
        )
        add("GET", _CHARGE + "/bank_transfer_ledgers", lambda c, _, n: charges.ledgers(c, n["charge"]))

        one = _CHARGE + "/refunds/{refund}"
        add("POST", _CHARGE + "/refunds", lambda c, r, n: refunds.create(c, n["charge"], read_body(r)))
        add("GET", _CHARGE + "/refunds", lambda c, r, n: refunds.list(c, n["charge"], read_query(r)))
        add("GET", one, self._poll_refund)
        add("PATCH", one, lambda c, r, n: refunds.patch(c, n["charge"], n["refund"], read_body(r)))

        one = _CHARGE + "/cancels/{cancel}"
        add("POST", _CHARGE + "/cancels", lambda c, r, n: cancels.create(c, n["charge"], read_body(r)))
        add("GET", _CHARGE + "/cancels", lambda c, r, n: cancels.list(c, n["charge"], read_query(r)))
        add("GET", one, self._poll_cancel)
        add("PATCH", one, lambda c, r, n: cancels.patch(c, n["charge"], n["cancel"], read_body(r)))

        for path in ("/transaction_history", _STORE + "/transaction_history"):
            add("GET", path, lambda c, r, _: history.list(c, read_query(r)))

    def _route_subscriptions(self) -> None:
        add, subscriptions, one = self._router.add, self.subscriptions, _SUBSCRIPTION
        payment = one + "/payments/{payment}"
        add("POST", "/subscriptions", lambda c, r, _: subscriptions.create(c, read_body(r)))
        for path in ("/subscriptions", _STORE + "/subscriptions"):
            add("GET", path, lambda c, r, _: subscriptions.list(c, read_query(r)))
            add("POST", path + "/simulate_plan", lambda c, r, _: subscriptions.simulate(c, read_body(r)))
        add("GET", one, self._poll_subscription)
        add("PATCH", one, lambda c, r, n: subscriptions.patch(c, n["subscription"], read_body(r)))
        add("DELETE", one, lambda c, _, n: subscriptions.delete(c, n["subscription"]))
        add("PATCH", one + "/suspend", lambda c, r, n: subscriptions.suspend(c, n["subscription"], read_body(r)))
        add("PATCH", one + "/unsuspend", lambda c, _, n: subscriptions.unsuspend(c, n["subscription"]))
        add("PATCH", one + "/token", lambda c, r, n: subscriptions.change_token(c, n["subscription"], read_body(r)))
        add("GET", one + "/charges/latest", lambda c, _, n: subscriptions.latest_charge(c, n["subscription"]))
        for path in (one + "/charges", "/merchants/{merchant}" + one + "/charges"):
            add("GET", path, lambda c, r, n: subscriptions.charges(c, n["subscription"], read_query(r)))
        add("GET", one + "/payments", lambda c, r, n: subscriptions.payments(c, n["subscription"], read_query(r)))
        add("GET", payment, lambda c, _, n: subscriptions.payment(c, n["subscription"], n["payment"]))
        add(
            "PATCH",
            payment,
            lambda c, r, n: subscriptions.patch_payment(c, n["subscription"], n["payment"], read_body(r)),
        )
        add(
            "GET",
            payment + "/charges",
            lambda c, r, n: subscriptions.payment_charges(c, n["subscription"], n["payment"], read_query(r)),
        )

    def _route_the_rest(self) -> None:
        add, accounts = self._router.add, self.accounts
        add("GET", "/me", lambda c, _r, _n: accounts.me(c))
        add("GET", "/checkout_info", lambda c, _r, _n: accounts.checkout_info(c))
        add("GET", "/stores", lambda c, r, _: accounts.stores(c, read_query(r)))
        add("GET", _STORE, lambda c, _, n: accounts.store(c, n["store"]))
        add("POST", _STORE + "/create_customer_id", lambda c, r, _: accounts.customer_id(c, read_body(r)))
        self._route_hooks(_STORE + "/webhooks", store=True)
        self._route_hooks("/webhooks", store=False)

    def _route_hooks(self, all_of_them: str, *, store: bool) -> None:
        add, hooks, one = self._router.add, self.hooks, all_of_them + "/{hook}"
        add("POST", all_of_them, lambda c, r, _: hooks.create(c, read_body(r), store=store))
        add("GET", all_of_them, lambda c, r, _: hooks.list(c, read_query(r), store=store))
        add("GET", one, lambda c, _, n: hooks.get(c, n["hook"], store=store))
        add("PATCH", one, lambda c, r, n: hooks.patch(c, n["hook"], read_body(r), store=store))
        add("DELETE", one, lambda c, _, n: hooks.delete(c, n["hook"], store=store))
        add("GET", one + "/events", lambda c, r, n: hooks.events(c, n["hook"], read_query(r), store=store))
        add(
            "POST",
            one + "/events/{event}/redeliver",
            lambda c, _, n: hooks.redeliver(c, n["hook"], n["event"], store=store),
        )

    # --- waiting for a result ----------------------------------------------------------------------------------------

    def _poll_token(self, caller: Caller, request: Request, names: Mapping[str, str]) -> Response:
        token = self.tokens.find(caller.store_id, names["token"])
        began = _checks(token)
        self._hold(request, lambda: began.isdisjoint({"pending", "awaiting"}) or _checks(token) != began)
        return self.tokens.get(caller, token.id)

    def _poll_charge(self, caller: Caller, request: Request, names: Mapping[str, str]) -> Response:
        charge = self.charges.find(caller.store_id, names["charge"])
        began = charge.status
        self._hold(request, lambda: charge.settled or (began == "pending" and charge.status != began))
        return self.charges.get(caller, charge.id)

    def _poll_refund(self, caller: Caller, request: Request, names: Mapping[str, str]) -> Response:
        refund = self.refunds.find(caller.store_id, names["charge"], names["refund"])
        self._hold(request, lambda: refund.settled)
        return self.refunds.get(caller, names["charge"], refund.id)

    def _poll_cancel(self, caller: Caller, request: Request, names: Mapping[str, str]) -> Response:
        cancel = self.cancels.find(caller.store_id, names["charge"], names["cancel"])
        self._hold(request, lambda: cancel.settled)
        return self.cancels.get(caller, names["charge"], cancel.id)

    def _poll_subscription(self, caller: Caller, request: Request, names: Mapping[str, str]) -> Response:
        one = self.subscriptions.find(caller.store_id, names["subscription"])
        self._hold(request, lambda: one.status != "unverified")
        return self.subscriptions.get(caller, one.id)


def _checks(token: Token) -> set[str | None]:
    """Where the checks of *token* stand: its CVV and its 3-D Secure."""
    return {token.cvv_status, token.three_ds.status if token.three_ds else None}
