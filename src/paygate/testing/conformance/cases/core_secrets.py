"""CORE, third part: secrets show nowhere, in no repr, error, log line or kept answer."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable, Iterator

import attrs

from ....drivers import Lost
from ....errors import PaygateError
from ....flow import Request, Response
from ....money import Money
from ....provider import Outcome
from ...emulators import Wish, WishKind
from ..acting import Acting
from ..canaries import found_in, planted
from ..case import case
from ..needs import Need

__all__ = ["Secrets"]


class Secrets(Acting):
    """What is printed, raised, logged and kept."""

    @case(
        "CORE-20",
        claim="printing the provider, its settings or what it holds shows no secret",
        why="Tracebacks, debuggers and error trackers print local variables.",
        fix="Declare secrets with paygate.secret(), and keep the settings, not copies of their values.",
    )
    def test_printing_shows_no_secret(self) -> None:
        provider = self.world.provider
        texts = [repr(provider), str(provider), repr(getattr(provider, "__dict__", ""))]
        texts += [repr(held) for held in getattr(provider, "__dict__", {}).values()]
        self._nothing_shows(texts)

    @case(
        "CORE-21",
        claim="whatever goes wrong, no error, log line or answer holds a secret or a stored credential",
        why="Errors are mailed, logs are shipped to other companies, and a key in either is a key lost.",
        fix="Name settings in messages and never their values; quote no header and no body.",
    )
    def test_nothing_that_goes_wrong_shows_a_secret(self) -> None:
        cards = [self.world.store_card()]
        with self.shop.listening() as lines:
            for hook, arguments in self.calls_of_declared_hooks():
                cards += [str(one.credential) for one in arguments.values() if hasattr(one, "credential")]
                for handler in self._mirrors() if self.world.has_wire else [None]:
                    if handler is not None:
                        self.world.wire.handler = handler
                    self._tried(hook, arguments)
        self._nothing_shows([*self._seen(), *lines], *cards)

    @case(
        "CORE-22",
        claim="of what the provider answers only what is known to be harmless is kept",
        why="Answers hold names, addresses and card data in fields that appear from one day to the next.",
        fix="Build raw by an allow-list of fields; leave everything else out.",
        needs=(Need.BOOK, Need.WIRE, Need.EMULATOR),
    )
    def test_hundreds_of_planted_fields_are_not_kept(self) -> None:
        honest = self.world.wire.handler
        self.world.wire.handler = lambda request: planted(honest(request))
        cards = [self.world.store_card() for _ in range(2)]
        with self.shop.listening() as lines:
            attempt = self.shop.attempt(card=cards[0])
            charge = self.settled_charge(attempt)
            self.expect(charge.outcome is Outcome.SUCCEEDED, f"with new fields a charge is {charge.outcome.name}")
            self.world.wish(Wish(WishKind.DECLINE), credential=cards[1])
            self.settled_charge(self.shop.attempt(card=cards[1]))
            if Need.LOOKUP.declared(self.capabilities):
                self.shop.find_charge(attempt)
            if Need.REFUNDS.declared(self.capabilities):
                self.settled_refund(self.shop.refund_attempt(charge, attempt.amount, attempt.amount))
            self._refused(attempt.amount)
            self.shop.settle()
            self.shop.hear()
        self._nothing_shows([*self._seen(), *lines], *cards)

    def _refused(self, amount: Money) -> None:
        """What the provider says about a request that makes no sense."""
        none = Money(0, amount.currency)
        self.shop.charge(self.shop.attempt(none))

    def _mirrors(self) -> Iterator[Callable[[Request], Response]]:
        """Stand-ins that say everything back that they were told."""
        for status in (400, 401, 404, 500):

            def mirror(request: Request, status: int = status) -> Response:
                told = {
                    "message": f"invalid credentials: {dict(request.headers)}",
                    "code": "invalid",
                    "error": {"message": request.body.decode("utf-8", "replace"), "code": "invalid"},
                    "echo": dict(request.headers),
                    "url": request.url,
                }
                return Response(
                    status, {**request.headers, "content-type": "application/json"}, json.dumps(told).encode()
                )

            yield mirror

        def lose(_request: Request) -> Response:
            raise Lost("no answer in this test")

        yield lose

    def _tried(self, hook: str, arguments: dict[str, object]) -> None:
        try:
            self.shop.ask(hook, **arguments)
        except PaygateError:
            return
        except Exception:  # noqa: BLE001 - it is among what was seen; that it was raised is another case's matter
            return

    def _seen(self) -> Iterator[str]:
        """Every answer and error of the shop as text, as a careless program would print it."""
        for one in self.shop.seen:
            if isinstance(one, BaseException):
                yield "".join(traceback.format_exception(one, limit=0))
                yield repr(one.__dict__)
            else:
                yield repr(one)
                for each in one if isinstance(one, list) else [one]:
                    if attrs.has(type(each)):
                        yield json.dumps(_raws(each), default=str, ensure_ascii=False)

    def _nothing_shows(self, texts: list[str], *credentials: str) -> None:
        secrets = [*self.world.secrets, *credentials]
        coded = [base64.b64encode(secret.encode()).decode() for secret in secrets]
        found = found_in(texts, [*secrets, *coded])
        self.expect(not found, f"this shows: {'; '.join(found[:5])}")


def _raws(value: object) -> list[object]:
    """The raw answers that *value* keeps, also those of the results within it."""
    kept: list[object] = []
    for field in attrs.fields(type(value)):  # type: ignore[arg-type]
        held = getattr(value, field.name)
        if field.name == "raw" and held is not None:
            kept.append(held)
        elif attrs.has(type(held)):
            kept += _raws(held)
    return kept
