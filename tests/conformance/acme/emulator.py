"""The emulated Acme: charges, refunds, subscriptions and checkouts over JSON; keys for a day; signed webhooks.

``GET /charges?order=`` and ``GET /refunds?order=`` are complete at once; ``GET /search?order=`` is a minute late.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs

from paygate.clock import JST, Clock
from paygate.flow import Request, Response
from paygate.money import Money
from paygate.testing.book import Movement, MovementKind
from paygate.testing.emulators import CardKind, Delivery, Emulator, Wish, WishKind
from paygate.testing.emulators.routing import Router

__all__ = ["AcmeEmulator"]

KEY = "acme_secret_key_77de68daecd823ba"
WORD = "acme_webhook_word_1f0e3dad99908345"
KEY_LIFE = dt.timedelta(days=1)
INDEX_LAG = dt.timedelta(minutes=1)
LIMITS = {"JPY": (50, 9_999_999), "USD": (50, 99_999_999)}

#: What Acme's decline codes mean, as its documents have it.
DECLINES = {"no_funds": "later", "try_again": "later", "stolen": "never", "expired": "never", "ask_customer": "ask"}

_KINDS = {
    CardKind.DECLINED_SOFT: Wish(WishKind.DECLINE, "no_funds"),
    CardKind.DECLINED_HARD: Wish(WishKind.DECLINE, "stolen"),
    CardKind.ACTION_REQUIRED: Wish(WishKind.ACTION),
    CardKind.PENDING: Wish(WishKind.PENDING),
}


class Refused(Exception):
    """An HTTP error with Acme's body."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@attrs.define
class Key:
    """What is remembered under an idempotency key."""

    fingerprint: str
    response: Response
    at: dt.datetime


class AcmeEmulator(Emulator):
    """Acme's interface over its own state."""

    name = "acme"
    origin = "https://api.acme.test"

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.key_life = KEY_LIFE
        self._begin()
        self._router: Router[Callable[[dict[str, Any], dict[str, str], Mapping[str, str]], Response]] = Router()
        for method, path, handler in (
            ("GET", "/me", lambda *_: reply(200, {"shop": "s-1"})),
            ("POST", "/charges", self._charge),
            ("GET", "/charges/{id}", self._shown("charges")),
            ("GET", "/charges", self._listed("charges")),
            ("GET", "/search", lambda body, query, names: self._search(query)),
            ("POST", "/charges/{id}/refunds", self._refund),
            ("POST", "/payouts", self._payout),
            ("GET", "/refunds/{id}", self._shown("refunds")),
            ("GET", "/refunds", self._listed("refunds")),
            ("POST", "/subscriptions", self._subscribe),
            ("GET", "/subscriptions", self._listed("subscriptions")),
            ("POST", "/subscriptions/{id}/{change}", self._change),
            ("GET", "/cards/{id}", self._card),
            ("POST", "/cards/{id}/forget", self._forget),
            ("POST", "/checkouts", self._checkout),
            ("GET", "/checkouts/{id}", self._shown("checkouts")),
        ):
            self._router.add(method, path, handler)

    def _begin(self) -> None:
        self._made = 0
        self._records: dict[str, dict[str, dict[str, Any]]] = {
            kind: {} for kind in ("charges", "refunds", "subscriptions", "checkouts")
        }
        self._cards: dict[str, CardKind] = {}
        self._keys: dict[str, Key] = {}
        self._due: list[tuple[dt.datetime, Callable[[], None]]] = []
        self._target: str | None = None

    # --- what every emulator offers ----------------------------------------------------------------------------------

    def credentials_for_plugin(self) -> dict[str, str]:
        return {"api_key": KEY}

    def webhook_settings(self) -> dict[str, str]:
        return {"webhook_secret": WORD}

    def set_webhook_target(self, url: str) -> None:
        self._target = url

    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        self._made += 1
        credential = "card_" + hashlib.sha256(b"%d" % self._made).hexdigest()[:16]
        self._cards[credential] = card
        return credential

    def approve(self, identifier: str, *, passed: bool = True) -> None:
        if (checkout := self._records["checkouts"].get(identifier)) and checkout["state"] == "open":
            if passed:
                checkout |= {"state": "done", "card": self.store_card(), "brand": "visa", "last4": "4242"}
            else:
                checkout |= {"state": "refused", "code": "stolen"}
            self._emit("checkout", {"id": identifier, "state": checkout["state"]})
            return
        charge = self._records["charges"].get(identifier)
        if charge is None or charge["state"] != "action":
            raise KeyError(identifier)
        self._finish(charge, None if passed else "ask_customer")

    def reset(self) -> None:
        with self.changed:
            super().reset()
            self._begin()

    def tick(self) -> None:
        with self.changed:
            while due := [entry for entry in self._due if entry[0] <= self.clock.now()]:
                first = min(due, key=lambda entry: entry[0])
                self._due.remove(first)
                first[1]()

    def answered(self, delivery: Delivery, status: int) -> None:
        if not 200 <= status < 300 and delivery.attempt < 3:
            later = self.clock.now() + dt.timedelta(hours=1)
            self.outbox.put(attrs.evolve(delivery, at=later, attempt=delivery.attempt + 1))

    def respond(self, request: Request) -> Response:
        target = urlsplit(request.url)
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {KEY}".encode()):
            return reply(401, {"error": "bad_credentials"})
        found = self._router.find(request.method, target.path)
        if found is None:
            return reply(404, {"error": "not_found"})
        try:
            return self._keyed(request, found[0], dict(parse_qsl(target.query)), found[1])
        except Refused as exc:
            return reply(exc.status, {"error": exc.code})

    def _keyed(self, request: Request, handler: Any, query: dict[str, str], names: Mapping[str, str]) -> Response:
        key = request.headers.get("idempotency-key")
        if key is None or request.method == "GET":
            return handler(json.loads(request.body or b"{}"), query, names)
        now, fingerprint = self.clock.now(), hashlib.sha256(request.url.encode() + request.body).hexdigest()
        known = self._keys.get(key)
        if known is not None and now - known.at < self.key_life:
            if known.fingerprint != fingerprint:
                raise Refused(409, "key_in_use")
            return known.response
        response = handler(json.loads(request.body or b"{}"), query, names)
        self._keys[key] = Key(fingerprint, response, now)  # declines are kept as well
        return response

    # --- charges and refunds -----------------------------------------------------------------------------------------

    def _new(self, kind: str, **fields: Any) -> dict[str, Any]:
        self._made += 1
        record = {"id": f"{kind[:2]}_{self._made}", "created": self.clock.now().isoformat(), **fields}
        self._records[kind][record["id"]] = record
        return record

    def _charge(self, body: dict[str, Any], _query: object, _names: object) -> Response:
        charge = self._attempted(body)
        if charge["state"] == "declined":
            return reply(402, charge)
        return reply(201, charge)

    def _attempted(self, body: dict[str, Any]) -> dict[str, Any]:
        card, amount, currency = body.get("card"), body.get("amount"), body.get("currency")
        if card not in self._cards:
            raise Refused(422, "unknown_card")
        if currency not in LIMITS or type(amount) is not int:
            raise Refused(422, "bad_amount")
        if not LIMITS[currency][0] <= amount <= LIMITS[currency][1]:
            raise Refused(422, "amount_out_of_range")
        wish = self.wishes.take(credential=card, amount=amount) or _KINDS.get(self._cards[card])
        charge = self._new(
            "charges",
            state="processing",
            amount=amount,
            currency=currency,
            card=card,
            order=body.get("order", ""),
            contract=body.get("contract", ""),
        )
        match wish:
            case Wish(WishKind.DECLINE, code) | Wish(WishKind.ERROR, code):
                self._finish(charge, code or "no_funds")
            case Wish(WishKind.ACTION):
                charge |= {"state": "action", "link": f"{self.origin}/confirm/{charge['id']}"}
            case Wish(WishKind.PENDING, _, seconds):
                if seconds is not None:
                    self._later(dt.timedelta(seconds=seconds), lambda: self._finish(charge, None))
            case _:
                self._finish(charge, None)
        return charge

    def _finish(self, charge: dict[str, Any], code: str | None) -> None:
        now = self.clock.now()
        if code is None:
            charge |= {"state": "paid", "paid_at": now.isoformat()}
            amount = Money(charge["amount"], charge["currency"])
            self.book.write(Movement(MovementKind.CAPTURE, amount, charge["id"], now, charge["order"], charge["card"]))
        else:
            charge |= {"state": "declined", "code": code, "means": DECLINES.get(code, "?"), "text": "No."}
        if not charge.get("subscription"):
            self._emit("charge", {"id": charge["id"], "state": charge["state"], "order": charge["order"]})

    def _refund(self, body: dict[str, Any], _query: object, names: Mapping[str, str]) -> Response:
        charge = self._records["charges"].get(names["id"])
        amount = body.get("amount")
        if charge is None or charge["state"] != "paid":
            raise Refused(422, "nothing_to_refund")
        if type(amount) is not int or amount < 1 or body.get("currency") != charge["currency"]:
            raise Refused(422, "bad_amount")
        taken = sum(
            one["amount"]
            for one in self._records["refunds"].values()
            if one["charge"] == charge["id"] and one["state"] != "failed"
        )
        if taken + amount > charge["amount"]:
            raise Refused(422, "more_than_was_charged")
        return reply(201, self._returned(charge, amount, body.get("order", "")))

    def _payout(self, body: dict[str, Any], _query: object, _names: object) -> Response:
        """Money to a card, whatever was taken from it: not what a refund should be made with."""
        charge = self._records["charges"][body["charge"]]
        return reply(201, self._returned(charge, body["amount"], body.get("order", "")))

    def _returned(self, charge: dict[str, Any], amount: int, order: str) -> dict[str, Any]:
        refund = self._new(
            "refunds",
            state="processing",
            charge=charge["id"],
            amount=amount,
            currency=charge["currency"],
            order=order,
        )
        fails = self._cards.get(charge["card"]) is CardKind.REFUND_FAILS
        self._later(dt.timedelta(minutes=5), lambda: self._refunded(refund, fails=fails))
        return refund

    def _refunded(self, refund: dict[str, Any], *, fails: bool) -> None:
        now = self.clock.now()
        if fails:
            refund |= {"state": "failed", "code": "account_closed"}
        else:
            refund |= {"state": "returned", "returned_at": now.isoformat()}
            amount = Money(refund["amount"], refund["currency"])
            self.book.write(
                Movement(MovementKind.REFUND, amount, refund["id"], now, refund["order"], charge=refund["charge"])
            )
        self._emit("refund", {"id": refund["id"], "state": refund["state"], "order": refund["order"]})

    # --- reading -----------------------------------------------------------------------------------------------------

    def _shown(self, kind: str) -> Any:
        def handler(_body: object, _query: object, names: Mapping[str, str]) -> Response:
            record = self._records[kind].get(names["id"])
            if record is None:
                raise Refused(404, "not_found")
            return reply(200, record)

        return handler

    def _listed(self, kind: str) -> Any:
        def handler(_body: object, query: dict[str, str], _names: object) -> Response:
            ((field, value),) = query.items()
            found = [record for record in self._records[kind].values() if record.get(field) == value]
            return reply(200, {"list": found})

        return handler

    def _search(self, query: dict[str, str]) -> Response:
        known = self.clock.now() - INDEX_LAG
        found = [
            charge
            for charge in self._records["charges"].values()
            if charge["order"] == query["order"] and dt.datetime.fromisoformat(charge["created"]) <= known
        ]
        return reply(200, {"list": found})

    # --- subscriptions -----------------------------------------------------------------------------------------------

    def _subscribe(self, body: dict[str, Any], _query: object, _names: object) -> Response:
        if body.get("card") not in self._cards:
            raise Refused(422, "unknown_card")
        starts = dt.date.fromisoformat(body["starts"])
        subscription = self._new("subscriptions", state="running", number=0, tries=0, ends=False, **body)
        at = dt.datetime.combine(starts, dt.time(9), JST)
        self._at(max(at, self.clock.now() + dt.timedelta(minutes=1)), lambda: self._period(subscription))
        return reply(201, subscription)

    def _period(self, subscription: dict[str, Any]) -> None:
        if subscription["ends"]:
            subscription["state"] = "ended"
        if subscription["state"] != "running":
            return
        period = add_months(
            dt.date.fromisoformat(subscription["starts"]), subscription["number"] * subscription["months"]
        )
        body = {name: subscription[name] for name in ("card", "amount", "currency", "contract")}
        subscription["tries"] += 1
        charge = self._attempted({**body, "order": ""}) | {"subscription": subscription["id"]}
        paid = charge["state"] == "paid"
        last = not paid and subscription["tries"] >= 3
        told = {
            "contract": subscription["contract"],
            "charge": charge["id"],
            "period": period.isoformat(),
            "attempt": subscription["tries"],
            "retries": not paid and not last,
        }
        if paid:
            subscription |= {"number": subscription["number"] + 1, "tries": 0}
            following = add_months(
                dt.date.fromisoformat(subscription["starts"]), subscription["number"] * subscription["months"]
            )
            self._at(dt.datetime.combine(following, dt.time(9), JST), lambda: self._period(subscription))
        elif not last:
            again = self.clock.now() + dt.timedelta(days=3)
            told["next"] = again.astimezone(JST).date().isoformat()
            self._at(again, lambda: self._period(subscription))
        self._emit("renewal", told)
        if last:
            subscription["state"] = "ended"
            self._emit("ended", {"contract": subscription["contract"]})

    def _card(self, _body: object, _query: object, names: Mapping[str, str]) -> Response:
        if names["id"] not in self._cards:
            raise Refused(404, "not_found")
        return reply(200, {"id": names["id"], "brand": "visa", "last4": "4242", "until": "2030-12"})

    def _forget(self, _body: object, _query: object, names: Mapping[str, str]) -> Response:
        self._cards.pop(names["id"], None)
        return reply(200, {"id": names["id"], "state": "forgotten"})

    def _change(self, body: dict[str, Any], _query: object, names: Mapping[str, str]) -> Response:
        subscription = self._records["subscriptions"].get(names["id"])
        if subscription is None:
            raise Refused(404, "not_found")
        match names["change"]:
            case "stop":
                subscription["state"] = "ended"
            case "card" if body.get("card") not in self._cards:
                raise Refused(422, "unknown_card")
            case "card":
                subscription["card"] = body["card"]
            case "end":
                subscription["ends"] = True
            case "resume" if subscription["state"] == "ended":
                raise Refused(409, "already_ended")
            case "resume":
                subscription["ends"] = False
        return reply(200, subscription)

    def _checkout(self, body: dict[str, Any], _query: object, _names: object) -> Response:
        checkout = self._new("checkouts", state="open", customer=body["customer"], notes=body.get("notes", {}))
        checkout["url"] = f"{self.origin}/pages/{checkout['id']}"
        self._later(dt.timedelta(days=1), lambda: self._expire(checkout))
        return reply(201, checkout)

    def _expire(self, checkout: dict[str, Any]) -> None:
        if checkout["state"] == "open":
            checkout["state"] = "late"

    # --- webhooks and time -------------------------------------------------------------------------------------------

    def _emit(self, event: str, data: dict[str, Any]) -> None:
        if self._target is None:
            return
        self._made += 1
        now = self.clock.now()
        body = json.dumps({"id": f"ev_{self._made}", "event": event, "data": data}).encode()
        stamp = str(int(now.timestamp()))
        proof = hmac.new(WORD.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "Acme-Signature": f"t={stamp},v1={proof}"}
        self.outbox.put(Delivery(self._target, headers, body, now, event, f"ev_{self._made}"))

    def _later(self, delay: dt.timedelta, action: Callable[[], None]) -> None:
        self._at(self.clock.now() + delay, action)

    def _at(self, moment: dt.datetime, action: Callable[[], None]) -> None:
        self._due.append((moment, action))


def add_months(day: dt.date, months: int) -> dt.date:
    """*day* so many months later, clipped to the month's end."""
    years, month = divmod(day.month - 1 + months, 12)
    first = dt.date(day.year + years, month + 1, 1)
    following = dt.date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return first.replace(day=min(day.day, (following - dt.timedelta(days=1)).day))


def reply(status: int, body: object) -> Response:
    """A JSON response."""
    return Response(status, {"Content-Type": "application/json"}, json.dumps(body).encode())
