"""WEBHOOK: what the provider really sent is read, in any order and any number; what it did not send is not."""

from __future__ import annotations

import itertools

import attrs

from ....errors import PaygateError, WebhookRejected
from ....provider import EventKind, Outcome, ProviderEvent, Webhook
from ...emulators import CardKind
from ..acting import Acting
from ..case import CaseFailed, NotApplicable, case
from ..needs import Need
from ..shop import Heard

__all__ = ["Webhooks"]

_DAY = 86_400.0


class Webhooks(Acting):
    """Authentic deliveries, and the many ways in which they are not."""

    def _delivered(self) -> Heard:
        """A delivery about a charge of ours that has just succeeded, and what the plugin reads in it."""
        charge, _ = self.charged()
        self.shop.events()
        for heard in reversed(self.shop.heard):
            if any(event.kind is EventKind.CHARGE and event.reference == charge.reference for event in heard.events):
                return heard
        raise CaseFailed("no delivery tells of a charge that has just succeeded")

    @case(
        "WEBHOOK-01",
        claim="an authentic delivery about a charge names the attempt, the charge and its result",
        why="Without the attempt's id paygate cannot tell whose charge it was.",
        fix="Read paygate's id from the metadata into ProviderEvent.attempt_id, the provider's into reference.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK),
    )
    def test_an_authentic_delivery_is_read(self) -> None:
        attempt = self.shop.attempt()
        self.shop.charge(attempt)
        self.shop.settle()
        events = [event for event in self.shop.events() if event.kind is EventKind.CHARGE]
        self.expect(events, "no delivery tells of a charge that has just succeeded")
        last = events[-1]
        self.expect(last.event_id, "the event has no id")
        self.expect(last.attempt_id in {attempt.charge_id, None}, "the event names another attempt")
        self.expect(last.attempt_id or last.reference, "the event names neither attempt nor charge")
        self.expect(
            last.charge is not None and last.charge.outcome is Outcome.SUCCEEDED,
            f"the charge has succeeded; the event says {last.charge.outcome.name if last.charge else 'nothing'}",
        )

    @case(
        "WEBHOOK-02",
        claim="a second delivery of the same event has the same event id, and news has another",
        why="paygate drops what it has seen (R-269). A new id for old news books it twice; an old id for news hides it.",
        fix="Take the provider's event id, or make one of the resource, its state and nothing else.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK),
    )
    def test_a_duplicate_has_the_same_event_id(self) -> None:
        first = self._delivered()
        again = self.shop.receive(first.webhook)
        self.expect(
            [event.event_id for event in again] == [event.event_id for event in first.events],
            "the same delivery has another event id the second time",
        )
        other = self._delivered()
        both = {event.event_id for event in first.events} & {event.event_id for event in other.events}
        self.expect(not both, "events of two charges have the same id")

    @case(
        "WEBHOOK-03",
        claim="headers that a proxy adds change nothing",
        why="Every shop has a proxy in front, and each adds headers of its own, some with familiar names.",
        fix="Look only at the header that the provider documents, under its lower-case name.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK),
    )
    def test_headers_of_proxies_change_nothing(self) -> None:
        heard = self._delivered()
        added = {"x-forwarded-for": "192.0.2.7", "via": "1.1 proxy", "x-signature": "0", "forwarded": "proto=https"}
        again = self.shop.receive(attrs.evolve(heard.webhook, headers={**added, **heard.webhook.headers}))
        self.expect(
            [event.event_id for event in again] == [event.event_id for event in heard.events],
            "with a proxy's headers the delivery is read as something else",
        )

    @case(
        "WEBHOOK-04",
        claim="a delivery whose proof is changed is rejected",
        why="It is what tells a delivery from a forgery.",
        fix="Compare the whole proof with hmac.compare_digest, and reject what does not have one.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK),
    )
    def test_a_changed_proof_is_rejected(self) -> None:
        webhook = self._delivered().webhook
        proofs = [name for name in webhook.headers if name not in {"content-type", "content-length", "user-agent"}]
        if not proofs:
            raise NotApplicable("this provider's deliveries carry no proof at all; only re-reading tells")
        everything = {name: _changed(value) for name, value in webhook.headers.items() if name in proofs}
        kept = {name: value for name, value in webhook.headers.items() if name not in proofs}
        for headers in ({**kept, **everything}, kept, {**kept, **dict.fromkeys(proofs, "")}):
            self._rejected(attrs.evolve(webhook, headers=headers), "a delivery with a changed proof")

    @case(
        "WEBHOOK-05",
        claim="a body that was changed on its way is rejected, or not believed",
        why="The proof may be a static word that somebody has read along; amounts and states must not come from there.",
        fix="Verify the signature over the raw bytes; where there is none, read the resource again and believe only that.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK),
    )
    def test_a_changed_body_is_not_believed(self) -> None:
        attempt = self.shop.attempt(card=self.world.store_card(CardKind.DECLINED_SOFT))
        result = self.settled_charge(attempt)
        self._delivered()
        for heard in tuple(self.shop.heard):
            for body in _tampered(heard.webhook.body):
                for event in self._heard(attrs.evolve(heard.webhook, body=body)):
                    self._is_true(event, declined=result.reference)

    @case(
        "WEBHOOK-06",
        claim="an old delivery, sent again by somebody who kept it, changes nothing",
        why="A recording of last month's success is worth a month of service.",
        fix="Check the time that is signed, both ways, by the gateway's clock; keep the event id the same.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK),
    )
    def test_an_old_delivery_changes_nothing(self) -> None:
        first = self._delivered()
        self.shop.settle(30 * _DAY)
        known = {event.event_id for event in first.events}
        for event in self._heard(first.webhook):
            self.expect(event.event_id in known, "an old delivery is accepted as a new event")

    @case(
        "WEBHOOK-07",
        claim="broken deliveries are rejected: cut off, oversized, not UTF-8, of another kind of JSON",
        why="An exception in the endpoint makes the provider try again for days, and fills the log with its body.",
        fix="Authenticate first; then read the body in a try block, and raise WebhookRejected for anything unreadable.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK),
    )
    def test_broken_deliveries_are_rejected(self) -> None:
        webhook = self._delivered().webhook
        bodies = (
            b"", b"null", b"[]", b"{}", b"42", webhook.body[: len(webhook.body) // 2], webhook.body + b"x",
            b"\xff\xfe" + webhook.body, b"[" * 5000, b" " * 3_000_000, b'{"event":[],"data":[],"id":{}}',
        )  # fmt: skip
        for body in bodies:
            self._rejected(attrs.evolve(webhook, body=body), f"a body that begins with {body[:16]!r}")

    @case(
        "WEBHOOK-08",
        claim="deliveries out of order tell the truth in the end",
        why="'Succeeded' overtakes 'pending' every day.",
        fix="Read the resource again, or let paygate sort it out: an event tells of the state it was sent for.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK),
    )
    def test_the_order_of_deliveries_does_not_matter(self) -> None:
        attempt = self.shop.attempt()
        self.shop.charge(attempt)
        self.shop.settle()
        self.shop.events()
        ended: set[Outcome] = set()
        for order in itertools.islice(itertools.permutations(self.shop.heard), 6):
            for heard in order:
                for event in (*heard.events, *self._heard(heard.webhook)):
                    if event.kind is EventKind.CHARGE and event.charge is not None:
                        ended.add(event.charge.outcome)
        wrong = ended - {Outcome.SUCCEEDED, Outcome.PENDING}
        self.expect(not wrong, f"deliveries about a successful charge say {', '.join(one.name for one in wrong)}")
        self.expect(Outcome.SUCCEEDED in ended, "no delivery says that the charge has succeeded")

    @case(
        "WEBHOOK-09",
        claim="a delivery about a decline says so, with the code",
        why="It is how a contract learns that a pending charge has failed.",
        fix="Map the resource of the event by the same function as the answer to a charge.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK),
    )
    def test_a_delivery_about_a_decline_says_so(self) -> None:
        attempt = self.shop.attempt(card=self.world.store_card(CardKind.DECLINED_SOFT))
        answer = self.shop.charge(attempt)
        reference = answer.result.reference if answer.result else None
        self.shop.settle()
        told = self.told_of(attempt, reference)
        if told is None and answer.outcome is Outcome.DECLINED:
            raise NotApplicable("declines are answered at once, and no webhook tells of them")
        self.expect(told is not None and told.outcome is Outcome.DECLINED, "no delivery says that the charge failed")
        self.expect(told is None or told.code, "the delivery about a decline has no code")

    @case(
        "WEBHOOK-10",
        claim="a delivery about a refund names the refund and its result",
        why="Refunds that end later end by this (R-247).",
        fix="Read paygate's id of the refund from its metadata into ProviderEvent.attempt_id.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.REFUNDS, Need.BOOK),
    )
    def test_a_delivery_about_a_refund_is_read(self) -> None:
        charge, amount = self.charged()
        attempt = self.shop.refund_attempt(charge, amount, amount)
        answer = self.shop.refund(attempt)
        self.shop.settle()
        events = [event for event in self.shop.events() if event.kind is EventKind.REFUND]
        if not events and answer.outcome is Outcome.SUCCEEDED:
            raise NotApplicable("refunds are answered at once, and no webhook tells of them")
        self.expect(events, "no delivery tells of a refund that has ended")
        last = events[-1]
        self.expect(last.attempt_id in {attempt.refund_id, None}, "the event names another refund")
        self.expect(
            last.refund is not None and last.refund.outcome is Outcome.SUCCEEDED,
            f"the refund has succeeded; the event says {last.refund.outcome.name if last.refund else 'nothing'}",
        )

    def _rejected(self, webhook: Webhook, what: str) -> None:
        try:
            events = self.shop.receive(webhook)
        except WebhookRejected as exc:
            self.expect(400 <= exc.status < 500, f"{what} is rejected with HTTP {exc.status}: it will come again")
        except Exception as exc:
            raise CaseFailed(f"{what} raised {type(exc).__name__}, not WebhookRejected") from exc
        else:
            raise CaseFailed(f"{what} was read as {', '.join(event.kind.value for event in events) or 'nothing'}")

    def _heard(self, webhook: Webhook) -> list[ProviderEvent]:
        """The events of a doubtful delivery; none where it is rejected or cannot be checked just now."""
        try:
            return self.shop.receive(webhook)
        except PaygateError:
            return []
        except CaseFailed:
            raise
        except Exception as exc:
            raise CaseFailed(f"a changed delivery raised {type(exc).__name__}: {exc}") from exc

    def _is_true(self, event: ProviderEvent, *, declined: str | None) -> None:
        """Hold that what *event* says of a charge is what the book says."""
        if event.kind is not EventKind.CHARGE or event.charge is None:
            return
        taken = {row.reference: row.amount for row in self.world.book.captures} if self.world.book else {}
        if event.charge.outcome is Outcome.SUCCEEDED:
            reference = event.charge.reference
            self.expect(reference in taken, f"a changed body made charge {reference!r} a success; nothing was taken")
            self.expect(
                event.charge.amount in {None, taken.get(reference or "")},
                "a changed body changed the amount of a charge",
            )
        self.expect(
            event.reference != declined or event.charge.outcome is not Outcome.SUCCEEDED,
            "a changed body made a declined charge a success",
        )


def _changed(value: str) -> str:
    """*value* with its last character changed."""
    return value[:-1] + ("0" if not value.endswith("0") else "1")


def _tampered(body: bytes) -> list[bytes]:
    """*body* with amounts, states and ids changed."""
    numbers = bytes(b"9876543210"[byte - 48] if 48 <= byte <= 57 else byte for byte in body)
    states = body
    for old, new in ((b"failed", b"successful"), (b"declined", b"paid"), (b"rel=no", b"rel=yes")):
        states = states.replace(old, new)
    return [numbers, states, body.replace(b"0", b"1"), body[:-1] + b' ,"amount":1}', body.replace(b'":', b'": ')]
