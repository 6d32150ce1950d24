"""CORE, second part: what a plugin makes of answers that mean nothing, and what it puts on the wire. Needs no emulator.

A stand-in answers every request alike. It understands nothing, so nobody may conclude that money moved.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ....drivers import Lost, NotSent
from ....errors import ConfigurationError, PaygateError, WebhookRejected
from ....flow import Request, Response
from ....provider import ChargeRequest, Found, Lookup, Outcome, Webhook
from ..base import Cases
from ..case import CaseFailed, NotApplicable, case
from ..needs import Need
from ..shop import Answer, Shop
from ..world import Bare

__all__ = ["OnTheWire"]

_JSON = {"content-type": "application/json"}
_PAGE = b"<!DOCTYPE html><title>Sign in to the network</title>"

#: Bodies from which nothing can be concluded.
_NONSENSE = (
    b"",
    b"null",
    b"true",
    b"42",
    b"[]",
    b'"ok"',
    b"{}",
    b'{"metamorphosed":{}}',
    b'{"id":',
    b"\xff\xfe\x00",
    _PAGE,
    b"[" * 5000,
)

#: An error in the forms that providers give it, with codes that none of them has.
_REFUSAL = (
    b'{"status":"error","code":"INVENTED_TOMORROW","message":"no","errors":[],'
    b'"error":{"type":"invalid_request_error","code":"invented_tomorrow","message":"no"}}'
)


def _answers(statuses: tuple[int, ...]) -> Iterator[Response]:
    for status in statuses:
        for body in _NONSENSE:
            yield Response(status, {"content-type": "text/html"} if body == _PAGE else _JSON, body)


class OnTheWire(Cases):
    """Answers that mean nothing, connections that fail, and the request itself."""

    def _stand_in(self, handler: Callable[[Request], Response]) -> None:
        self.world.wire.handler = handler

    def _charge_at(self, handler: Callable[[Request], Response]) -> Answer[object]:
        self._stand_in(handler)
        return self.shop.charge()  # type: ignore[return-value]

    @case(
        "CORE-09",
        claim="an answer that means nothing is an unknown outcome: no success, no decline, no crash",
        why="A proxy, a sign-in page or a broken deployment answers too, and the money may have moved all the same.",
        fix="Read the states that are documented, and end with ChargeResult.unknown(…) for everything else.",
        needs=Need.WIRE,
    )
    def test_nonsense_is_an_unknown_outcome(self) -> None:
        for response in _answers((200, 201, 202, 204, 302, 500, 502)):
            answer = self._charge_at(lambda _request, response=response: response)  # type: ignore[misc]
            said = f"HTTP {response.status} with {response.body[:24]!r}"
            self.expect(answer.sent, "the provider charged without sending a request")
            self.expect(answer.outcome is Outcome.UNKNOWN, f"{said} was read as {answer}")

    @case(
        "CORE-10",
        claim="a refusal that means nothing is no success and no pending charge",
        why="HTTP 4xx says that somebody refused; a plugin that sees a success in it reads the wrong thing.",
        fix="Take a success only from the documented status and state together.",
        needs=Need.WIRE,
    )
    def test_a_nonsensical_refusal_is_no_success(self) -> None:
        for response in _answers((400, 403, 404, 409, 422)):
            answer = self._charge_at(lambda _request, response=response: response)  # type: ignore[misc]
            said = f"HTTP {response.status} with {response.body[:24]!r}"
            self.expect(answer.outcome not in {Outcome.SUCCEEDED, Outcome.PENDING}, f"{said} was read as {answer}")

    @case(
        "CORE-11",
        claim="a lost answer is an unknown outcome",
        why="The request may have arrived. Who takes the silence for a no charges again, and takes the money twice.",
        fix="Let OutcomeUnknown pass, or answer ChargeResult.unknown(…); never turn it into a decline.",
        needs=Need.WIRE,
    )
    def test_a_lost_answer_is_an_unknown_outcome(self) -> None:
        def lose(_request: Request) -> Response:
            raise Lost("no answer in this test")

        answer = self._charge_at(lose)
        self.expect(
            answer.outcome in {Outcome.UNKNOWN, Outcome.PENDING}, f"a charge whose answer was lost counts as {answer}"
        )

    @case(
        "CORE-12",
        claim="where no connection came about, nothing happened, and the plugin says so",
        why="It is the one case that can be repeated without a thought; reported as a decline it ends a contract.",
        fix="Let ProviderUnavailable pass, or answer ChargeResult.not_sent(…).",
        needs=Need.WIRE,
    )
    def test_no_connection_means_that_nothing_happened(self) -> None:
        def refuse(_request: Request) -> Response:
            raise NotSent("no connection in this test")

        answer = self._charge_at(refuse)
        self.expect(
            answer.outcome in {Outcome.NOT_SENT, Outcome.UNKNOWN}, f"a charge without a connection counts as {answer}"
        )

    @case(
        "CORE-13",
        claim="HTTP 429 is no decline of the card",
        why="The provider wants fewer requests; the customer's card is fine, and a dunning mail would be a lie.",
        fix="Answer ChargeResult.not_sent(…) for 429: the driver has repeated it already.",
        needs=Need.WIRE,
    )
    def test_too_many_requests_is_no_decline(self) -> None:
        answer = self._charge_at(lambda _request: Response(429, {"retry-after": "1"}))
        self.expect(answer.outcome in {Outcome.NOT_SENT, Outcome.UNKNOWN}, f"HTTP 429 counts as {answer}")

    @case(
        "CORE-24",
        claim="HTTP 401 and 403 with an error that nobody has documented are no decline of the card",
        why="They are about the account. A revoked key read as a decline puts every customer past due in one night.",
        fix="Let the status decide: answer ChargeResult.not_sent(…, decline=DeclineClass.CONFIG), or raise ConfigurationError.",
        needs=Need.WIRE,
    )
    def test_a_refused_account_is_no_decline(self) -> None:
        for status in (401, 403):
            answer = self._charge_at(lambda _request, status=status: Response(status, _JSON, _REFUSAL))  # type: ignore[misc]
            self.expect(
                answer.outcome in {Outcome.NOT_SENT, Outcome.UNKNOWN},
                f"HTTP {status} with a code that nobody knows counts as {answer}",
            )

    @case(
        "CORE-14",
        claim="the idempotency key goes out as it was given, and stays the same on every sending",
        why="A new key for a repeat is a new payment to the provider.",
        fix="Send request.key as the provider documents, in a header or the body, and make no key of your own.",
        needs=(Need.KEYS, Need.WIRE),
    )
    def test_the_key_goes_out_unchanged(self) -> None:
        self._stand_in(lambda _request: Response(503))
        for keyed in (self.shop.attempt(), self._longest_key()):
            before = self.world.sent
            self.shop.charge(keyed)
            writes = [one for one in self.world.wire.requests[before:] if one.method not in {"GET", "HEAD"}]
            self.expect(writes, "the charge sent nothing that could change anything")
            for one in writes:
                self.expect(_carries(one, keyed.key), "a request went out without the key of the attempt")

    @case(
        "CORE-15",
        claim="a repeat under the same key is the same request, byte for byte, whenever it is made",
        why="The provider refuses, or worse, charges again, where the body under a known key has changed.",
        fix="Build the body from the request alone: no clock, no random numbers, no counters; sort what has no order.",
        needs=(Need.KEYS, Need.WIRE),
    )
    def test_a_repeat_is_the_same_request(self) -> None:
        if not self.capabilities.idempotency.body_must_match:
            raise NotApplicable("the provider declares that the body under a key does not matter")
        self._stand_in(lambda _request: Response(400, _JSON, b"{}"))
        attempt = self.shop.attempt()
        first = self._written(attempt)
        self.world.pass_time(97.0)
        self.expect(self._written(attempt) == first, "the second request differs from the first")
        self.world.provider = self.world.fresh()
        self.expect(self._written(attempt) == first, "after a restart the request differs")

    @case(
        "CORE-16",
        claim="paygate's id of the attempt travels with the charge",
        why="It is the thread by which a charge is found again after its answer was lost, and told apart from others.",
        fix="Send request.charge_id, or the metadata, in the field that the provider keeps and gives back.",
        needs=Need.WIRE,
    )
    def test_the_id_of_the_attempt_travels_along(self) -> None:
        self._stand_in(lambda _request: Response(400, _JSON, b"{}"))
        attempt = self.shop.attempt()
        self.shop.charge(attempt)
        requests = self.world.wire.requests
        known = {attempt.charge_id, attempt.key}
        self.expect(
            any(_carries(one, text) for one in requests for text in known),
            "no request of the charge carries the id of the attempt or its key",
        )

    @case(
        "CORE-17",
        claim="asyncio and trio see the same requests and the same outcome as a thread",
        why="A shop on either must not learn something else about its money.",
        fix="Keep no state between calls, and nothing that belongs to an event loop.",
    )
    def test_asyncio_and_trio_do_the_same(self) -> None:
        if self.world.has_wire:
            self._stand_in(lambda _request: Response(500, _JSON, b"{}"))
        outcomes = []
        for backend in ("asyncio", "trio"):
            attempt = self.shop.attempt()
            before = self.world.sent
            result = None
            with contextlib.suppress(PaygateError):
                result = self.world.run_on(backend, self.shop.flow("charge", request=attempt))
            asynchronous = result.outcome if result is not None else Outcome.UNKNOWN
            sent = self.world.sent - before
            answer = self.shop.charge(self.shop.attempt())
            outcomes.append((backend, asynchronous, sent, answer.outcome, answer.sent))
        for backend, asynchronous, sent, synchronous, also_sent in outcomes:
            self.expect(
                (asynchronous, sent) == (synchronous, also_sent or sent),
                f"{backend}: {asynchronous.name} after {sent} requests; a thread: {synchronous.name} after {also_sent}",
            )

    @case(
        "CORE-18",
        claim="a webhook that is not the provider's is rejected, whatever it looks like",
        why="Anybody can post to the endpoint. A forged success is goods for nothing; a crash is an endpoint to switch off.",
        fix="Authenticate the raw bytes first, in constant time; raise WebhookRejected(…, status=401), 400 for nonsense.",
        needs=Need.WEBHOOKS,
    )
    def test_forged_webhooks_are_rejected(self) -> None:
        for headers, body in _forgeries():
            try:
                events = self.shop.receive(Webhook(headers, body))
            except WebhookRejected as exc:
                self.expect(400 <= exc.status < 500, f"rejected with HTTP {exc.status}, which makes senders try again")
            except CaseFailed:
                raise
            except Exception as exc:
                raise CaseFailed(
                    f"a forged delivery ({body[:24]!r}) raised {type(exc).__name__}, not WebhookRejected"
                ) from exc
            else:
                self.expect(False, f"a forged delivery ({body[:24]!r}) was read as {events!r}")
        self.expect(self.world.sent == 0 or not self.world.has_wire, "a forged delivery made the plugin send requests")

    @case(
        "CORE-19",
        claim="an answer that means nothing is no proof that there was no charge",
        why="Where the look-up is authoritative, 'not found' lets paygate charge again.",
        fix="Answer Found(None) only where the provider's own list or resource says so; else raise ProviderUnavailable.",
        needs=(Need.LOOKUP, Need.WIRE),
    )
    def test_nonsense_proves_no_absence(self) -> None:
        shop = self.shop
        for response in _answers((200, 500, 502)):
            if response.body == b"{}" and response.status == 200:
                continue  # an empty object can be an empty list to one and a missing thing to another
            self._stand_in(lambda _request, response=response: response)  # type: ignore[misc]
            for reference in (None, "a-charge"):
                said = f"a look-up answered by HTTP {response.status} with {response.body[:24]!r}"
                found = _looked_up(shop, shop.attempt(), reference, said)
                absent = found is not None and found.result is None
                self.expect(
                    not absent or self.capabilities.lookup is Lookup.EVENTUAL, f"{said} counts as proof of absence"
                )
                seen = found.result.outcome if found is not None and found.result is not None else Outcome.UNKNOWN
                self.expect(seen is Outcome.UNKNOWN, f"{said} was read as {seen.name}")

    @case(
        "CORE-23",
        claim="ping answers with the right credentials, and names the setting where they are refused",
        why="It is what an operator tries first; a ping that says 'fine' to a wrong key sends them the wrong way.",
        fix="Read something that needs the credentials, and raise ConfigurationError for HTTP 401 and 403.",
    )
    def test_ping_tells_whether_the_credentials_work(self) -> None:
        if not self.shop.has("ping"):
            raise NotApplicable("the plugin has no ping")
        if isinstance(self.world, Bare):
            raise NotApplicable("nobody is there who could answer; name an emulator")
        said = self.shop.ask("ping")
        self.expect(isinstance(said, str) and said, f"ping answered {said!r}, not a text")
        if not self.world.has_wire:
            return
        self.world.spoil_credentials()
        try:
            self.shop.ask("ping")
        except ConfigurationError:
            return
        except PaygateError as exc:
            raise CaseFailed(f"refused credentials make ping raise {type(exc).__name__}: {exc}") from exc
        raise CaseFailed("ping is content with credentials that the provider refuses")

    def _longest_key(self) -> ChargeRequest:
        keys = self.capabilities.idempotency
        return self.shop.attempt(key=(keys.alphabet * keys.max_length)[: keys.max_length])

    def _written(self, attempt: ChargeRequest) -> list[tuple[str, str, bytes]]:
        before = self.world.sent
        self.shop.charge(attempt)
        sent = self.world.wire.requests[before:]
        return [(one.method, one.url, one.body) for one in sent if one.method not in {"GET", "HEAD"}]


def _looked_up(shop: Shop, attempt: ChargeRequest, reference: str | None, said: str) -> Found | None:
    """What a look-up answers; None where it raised an error of paygate's."""
    from ....provider import LookupRequest  # noqa: PLC0415

    try:
        found: Found = shop.ask("find_charge", request=LookupRequest(attempt, reference))
    except PaygateError:
        return None
    except Exception as exc:
        raise CaseFailed(f"{said} made find_charge raise {type(exc).__name__}: {exc}") from exc
    return found


def _carries(request: Request, text: str) -> bool:
    data = text.encode()
    return data in request.body or text in request.url or any(text in value for value in request.headers.values())


def _forgeries() -> list[tuple[dict[str, str], bytes]]:
    body = (
        b'{"id":"evt_1","type":"charge.succeeded","event":"charge_finished","data":{"id":"ch_1","status":"successful"}}'
    )
    headers: list[dict[str, str]] = [
        {},
        {"authorization": "Bearer guessed", "stripe-signature": "t=1,v1=00"},
        {"authorization": "\udcff", "stripe-signature": "", "x-signature": "0" * 64, "content-type": "text/plain"},
        {"authorization": "a" * 10_000, "x-amz-sns-message-type": "Notification"},
    ]
    bodies = [
        body,
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe\xfd",
        b"[" * 5000,
        b'{"data":' * 500,
        b"{" + b" " * 2_000_000 + b"}",
        "{“full-width”：１２３}".encode(),
    ]
    return [(head, text) for head in headers for text in (bodies if head is headers[0] else bodies[:1])]
