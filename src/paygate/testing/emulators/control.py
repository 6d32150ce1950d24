"""The control interface of every emulator, under ``/_paygate/``: what a test does to the provider's world, over HTTP.

JSON in and out; a refusal is ``{"error": {"message": …, "remedy": …}}`` with status 400, 403, 404 or 405. No provider's
credentials are asked for, no fault strikes here, and nothing of it appears among the requests.

=========================================  =====================================================================
``GET /_paygate/``                         provider, address, made-up credentials, and this table
``GET PUT clock``, ``POST clock/advance``  the emulator's time; after a move everything due happens
``GET book``                               the money that moved, whatever was answered
``GET POST DELETE faults``                 what goes wrong next; ``DELETE faults/{id}`` takes one back
``GET POST DELETE outcomes``               what the next matching payments do; ``DELETE outcomes/{id}``
``POST cards``                             stores a card by what it does
``GET POST approve``                       what waits for the customer, and how the customer decides
``GET POST customer/{id}``                 the same as a page for a browser
``POST console/refunds``                   the merchant returns a payment in the console
``POST console/disputes``                  a bank disputes a payment; ``console/disputes/{id}`` decides that
``GET webhooks``, ``PUT webhooks/target``  deliveries, and where they go; see :mod:`.control_webhooks` for the rest
``GET DELETE requests``                    what was received, redacted
``POST reset``                             everything as at the start; the clock stays where it is
=========================================  =====================================================================
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable
from urllib.parse import unquote, urlsplit

from ...clock import JST
from ...flow import Request, Response
from ..clock import YEARS
from .addressing import host_of, origin_host
from .control_coming import ComingControl
from .control_console import ConsoleControl
from .control_input import Fields, Refusal, reply
from .control_page import CustomerPage
from .control_webhooks import WebhookControl
from .routing import Router
from .wishes import CardKind

if TYPE_CHECKING:
    from ..book import Book, Movement
    from .base import Emulator

__all__ = ["PREFIX", "Control", "is_loopback", "refuse_strangers"]

#: Where the control interface lives. No provider has such paths.
PREFIX = "/_paygate/"

_Handler: TypeAlias = Callable[[Request, Mapping[str, str]], Response]

_STEPS = ("seconds", "minutes", "hours", "days")


@runtime_checkable
class _Movable(Protocol):
    """A clock that can be moved."""

    def set(self, now: dt.datetime) -> None: ...


class Control:
    """Answers requests under ``/_paygate/`` for one emulator.

    :ivar prepare: called after each reset; what it returns is the answer. Whoever serves the emulator puts back here
        what was there when it began to serve, such as a stored card.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.prepare: Callable[[], Mapping[str, Any]] = dict
        self._router = self._routes()

    def answer(self, request: Request) -> Response:
        """Perform *request*, whose path begins with :data:`PREFIX`."""
        # "$control_url/clock" has two slashes, because the address that was told ends with one
        path = PREFIX + urlsplit(request.url).path.removeprefix(PREFIX).lstrip("/")
        found = self._router.find(request.method, path)
        if found is None:
            return self._unknown(request.method, path).response()
        handler, names = found
        try:
            return handler(request, {name: unquote(value) for name, value in names.items()})
        except Refusal as refusal:
            return refusal.response()

    def _unknown(self, method: str, path: str) -> Refusal:
        if methods := self._router.methods(path):
            return Refusal(405, f"{path} does not take {method}", f"use {' or '.join(methods)}")
        return Refusal(404, f"no {path} here", f"GET {PREFIX} lists what there is")

    # --- the front page ----------------------------------------------------------------------------------------------

    def _index(self, _request: Request, _names: Mapping[str, str]) -> Response:
        emulator = self._emulator
        return reply(
            200,
            {
                "provider": emulator.name,
                "base_url": emulator.base_url,
                "credentials": emulator.credentials_for_plugin(),
                **emulator.public_credentials(),
                "webhook_settings": emulator.webhook_settings(),
                "routes": self._router.patterns(),
            },
        )

    def _reset(self, request: Request, _names: Mapping[str, str]) -> Response:
        Fields.read(request)
        self._emulator.reset()
        return reply(200, dict(self.prepare()))

    # --- time --------------------------------------------------------------------------------------------------------

    def _clock(self, _request: Request, _names: Mapping[str, str]) -> Response:
        clock = self._emulator.clock
        now = clock.now()
        running = getattr(clock, "running", not isinstance(clock, _Movable))
        return reply(200, {"now": now.isoformat(), "jst": now.astimezone(JST).isoformat(), "running": running})

    def _set_clock(self, request: Request, names: Mapping[str, str]) -> Response:
        fields = Fields.read(request, "now", "running")
        now, running = fields.instant("now"), fields.flag("running")
        if now is None and running is None:
            raise Refusal(400, "neither now nor running is given", 'send {"now": "2026-01-01T00:00:00+09:00"}')
        clock: Any = self._emulator.clock
        if running is not None and not hasattr(clock, "running"):
            raise Refusal(400, "this clock cannot be told to run or stand still", "serve it on an EmulatorClock")
        if now is not None:
            self._move(now)
        if running is not None:
            clock.running = running
        self._emulator.catch_up()
        return self._clock(request, names)

    def _advance(self, request: Request, names: Mapping[str, str]) -> Response:
        fields = Fields.read(request, *_STEPS, "to")
        now, to = self._emulator.clock.now(), fields.instant("to")
        if (to is None) == (not fields.has(*_STEPS)):
            raise Refusal(400, "say how far, or until when", 'send {"days": 30} or {"to": "2026-01-01T00:00:00+09:00"}')
        if to is None:
            try:
                to = now + dt.timedelta(**{name: fields.number(name) for name in _STEPS})
            except OverflowError as exc:
                raise Refusal(400, "no calendar goes that far", "advance by less") from exc
        elif to < now:
            raise Refusal(400, "that instant has passed", "PUT clock sets it back")
        self._move(to)
        self._emulator.catch_up()
        return self._clock(request, names)

    def _move(self, to: dt.datetime) -> None:
        clock = self._emulator.clock
        if not isinstance(clock, _Movable):
            raise Refusal(400, "this emulator lives by a clock that cannot be moved", "serve it on an EmulatorClock")
        if to.year not in YEARS:
            raise Refusal(400, f"the year {to.year} is out of reach", f"stay between {YEARS[0]} and {YEARS[-1]}")
        clock.set(to)

    # --- money -------------------------------------------------------------------------------------------------------

    def _book(self, request: Request, _names: Mapping[str, str]) -> Response:
        after = Fields.query(request, "after").digits("after") or 0
        movements = self._emulator.book.movements
        shown = [_show_movement(row) for row in movements[after:]]
        return reply(200, {"movements": shown, "count": len(movements), "totals": _totals(self._emulator.book)})

    # --- cards and customers -----------------------------------------------------------------------------------------

    def _store_card(self, request: Request, _names: Mapping[str, str]) -> Response:
        kind = Fields.read(request, "kind").choice("kind", CardKind) or CardKind.GOOD
        return reply(201, {"credential": self._emulator.store_card(kind), "kind": kind.value})

    def _waiting(self, _request: Request, _names: Mapping[str, str]) -> Response:
        return reply(200, {"waiting": list(self._emulator.awaiting())})

    def _approve(self, request: Request, _names: Mapping[str, str]) -> Response:
        fields = Fields.read(request, "id", "passed")
        identifier, passed = fields.text("id"), fields.flag("passed")
        if identifier is None:
            raise Refusal(400, "id is missing", "GET /_paygate/approve lists what waits for the customer")
        try:
            self._emulator.approve(identifier, passed=passed is not False)
        except KeyError as exc:
            raise Refusal(
                404,
                f"nothing of the id {identifier!r} waits",
                "GET /_paygate/approve lists what waits for the customer",
            ) from exc
        self._emulator.catch_up()
        back = self._emulator.return_url(identifier)
        return reply(200, {"id": identifier, "passed": passed is not False, "return_url": back})

    # --- requests ----------------------------------------------------------------------------------------------------

    def _requests(self, _request: Request, _names: Mapping[str, str]) -> Response:
        allow = self._emulator.shown_fields
        return reply(200, {"requests": [row.show(allow) for row in self._emulator.journal.rows]})

    def _clear_requests(self, _request: Request, _names: Mapping[str, str]) -> Response:
        self._emulator.journal.clear()
        return reply(200, {"requests": []})

    # --- routes ------------------------------------------------------------------------------------------------------

    def _routes(self) -> Router[_Handler]:
        coming, console, hooks, page = (
            ComingControl(self._emulator),
            ConsoleControl(self._emulator),
            WebhookControl(self._emulator),
            CustomerPage(self._emulator),
        )
        table: tuple[tuple[str, str, _Handler], ...] = (
            ("GET", "", self._index),
            ("GET", "clock", self._clock),
            ("PUT", "clock", self._set_clock),
            ("POST", "clock/advance", self._advance),
            ("GET", "book", self._book),
            ("GET", "faults", coming.list_faults),
            ("POST", "faults", coming.add_fault),
            ("DELETE", "faults", coming.clear_faults),
            ("DELETE", "faults/{id}", coming.remove_fault),
            ("GET", "outcomes", coming.list_outcomes),
            ("POST", "outcomes", coming.add_outcome),
            ("DELETE", "outcomes", coming.clear_outcomes),
            ("DELETE", "outcomes/{id}", coming.remove_outcome),
            ("POST", "cards", self._store_card),
            ("GET", "approve", self._waiting),
            ("POST", "approve", self._approve),
            ("GET", "customer/{id}", page.show),
            ("POST", "customer/{id}", page.decide),
            ("POST", "console/refunds", console.refund),
            ("POST", "console/disputes", console.dispute),
            ("POST", "console/disputes/{id}", console.decide),
            ("GET", "webhooks", hooks.show),
            ("PUT", "webhooks/target", hooks.target),
            ("POST", "webhooks/shuffle", hooks.shuffle),
            ("POST", "webhooks/duplicate", hooks.duplicate),
            ("POST", "webhooks/drop", hooks.drop),
            ("POST", "webhooks/hold", hooks.hold),
            ("POST", "webhooks/release", hooks.release),
            ("POST", "webhooks/forge", hooks.forge),
            ("GET", "webhooks/{id}", hooks.one),
            ("POST", "webhooks/{id}/redeliver", hooks.redeliver),
            ("GET", "requests", self._requests),
            ("DELETE", "requests", self._clear_requests),
            ("POST", "reset", self._reset),
        )
        router: Router[_Handler] = Router()
        for method, path, handler in table:
            router.add(method, PREFIX + path, handler)
        return router


# --- who may ask -----------------------------------------------------------------------------------------------------


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address without port, is this machine and no other."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_strangers(request: Request, *, any_host: bool) -> Response | None:
    """The refusal of a control request that a web page sent, or that reached this machine under a foreign name.

    A page in a browser could otherwise drive the emulator: directly, which its ``Origin`` gives away, or by a domain of
    its own that it lets point to this machine, which the ``Host`` gives away.

    :param any_host: whether the emulator serves beyond loopback on purpose, under whatever name.
    """
    host = host_of(request.headers.get("host", ""))
    origin = request.headers.get("origin")
    sender = origin_host(origin) if origin is not None else host
    if (
        origin is None
        and request.method not in {"GET", "HEAD"}
        and request.headers.get("sec-fetch-site") == "cross-site"
    ):
        sender = None  # a browser that keeps the page's address to itself
    if host is not None and sender is not None:
        if is_loopback(host) and is_loopback(sender):
            return None
        if any_host and sender == host:
            return None
    message = "the control interface takes requests from this machine only"
    return Refusal(403, message, "call it as http://127.0.0.1:PORT/_paygate/, not from a web page").response()


# --- how things are shown --------------------------------------------------------------------------------------------


def _show_movement(row: Movement) -> dict[str, Any]:
    return {
        "kind": row.kind.value,
        "id": row.reference,
        "charge": row.charge or None,
        "amount": row.amount.minor,
        "currency": row.amount.currency,
        "at": row.at.isoformat(),
        "attempt": row.attempt or None,
    }


def _totals(book: Book) -> dict[str, dict[str, int]]:
    """Minor units by currency."""
    totals: dict[str, dict[str, int]] = {}
    for name, rows in (("captured", book.captures), ("refunded", book.refunds)):
        for row in rows:
            of = totals.setdefault(row.amount.currency, {"captured": 0, "refunded": 0})
            of[name] += row.amount.minor
    return totals
