"""PROBE: the declared table, reproduced by driving the provider. What the table says, the book shows."""

from __future__ import annotations

from ....money import Money
from ....provider import (
    ChargeRequest,
    DeclineClass,
    IdempotencyKind,
    Outcome,
    RefundPolicy,
    Results,
)
from ...emulators import Wish, WishKind
from ..acting import Acting, shown
from ..case import NotApplicable, case
from ..needs import Need

__all__ = ["Probe"]

#: Days after which a key that is remembered for ever is still tried.
_FOR_EVER = 400 * 86_400.0


class Probe(Acting):
    """Keys, limits, windows, results: each line of the table that the provider matrix prints."""

    @case(
        "PROBE-01",
        claim="keys do what is declared: NATIVE and BEST_EFFORT charge once, NONE charges again",
        why="The driver repeats a request by this line, and an operator decides by it whether to.",
        fix="Declare the IdempotencyKind that the provider really has.",
        needs=Need.BOOK,
    )
    def test_the_kind_of_keys(self) -> None:
        attempt = self.shop.attempt()
        self.shop.charge(attempt)
        self.shop.settle(60.0)
        self.shop.charge(attempt)
        self.shop.settle()
        kind = self.capabilities.idempotency.kind
        expected = (attempt.amount,) if kind is not IdempotencyKind.NONE else (attempt.amount, attempt.amount)
        taken = self.shop.captured()
        self.expect(taken == expected, f"declared {kind.name}: a repeat under one key left {shown(taken)} in the book")

    @case(
        "PROBE-02",
        claim="a key is remembered as long as is declared, and no longer",
        why="Beyond the window a repeat is a new payment; reconciliation stops repeating in time by this number.",
        fix="Declare the documented window in seconds; None only where keys live for ever.",
        needs=(Need.KEYS, Need.BOOK),
    )
    def test_the_window_of_keys(self) -> None:
        window = self.capabilities.idempotency.window
        attempt = self.shop.attempt()
        self.shop.charge(attempt)
        inside = _FOR_EVER if window is None else window - 60.0
        self.shop.settle(inside)
        self.shop.charge(attempt)
        self.shop.settle(30.0)
        taken = self.shop.captured()
        self.expect(taken == (attempt.amount,), f"{inside:.0f} s after it was used, the key is forgotten")
        if window is not None:
            self.shop.settle(120.0)
            self.shop.charge(attempt)
            self.shop.settle()
            self.expect(
                len(self.shop.captured()) == 2, f"the key is still remembered after {window} s; declare a longer window"
            )

    @case(
        "PROBE-03",
        claim="where errors are declared as replayed, a decline is answered again under its key",
        why="A dunning retry under the old key would hear the old decline for ever.",
        fix="Declare errors_replayed as the provider documents it.",
        needs=(Need.KEYS, Need.BOOK),
    )
    def test_replayed_errors(self) -> None:
        if not self.capabilities.idempotency.errors_replayed:
            raise NotApplicable("errors are not declared as replayed")
        card = self.world.store_card()
        self.world.wish(Wish(WishKind.DECLINE), credential=card)
        attempt = self.shop.attempt(card=card)
        first = self.settled_charge(attempt)
        self.expect(first.outcome is Outcome.DECLINED, f"a declined charge ended as {first.outcome.name}")
        self.shop.settle(60.0)
        self.world.wish(Wish(WishKind.SUCCEED), credential=card)
        again = self.settled_charge(attempt)
        self.expect(again.outcome is Outcome.DECLINED, f"the repeat under the same key ended as {again.outcome.name}")
        self.expect(again.code == first.code, f"the code was {first.code}, the repeat says {again.code}")
        self.moved()

    @case(
        "PROBE-04",
        claim="the same key with another amount never moves the other amount",
        why="Two orders that got one key by mistake must not become one payment of the wrong amount.",
        fix="Declare body_must_match as the provider documents it, and read its conflict as no success.",
        needs=(Need.KEYS, Need.BOOK),
    )
    def test_another_body_under_the_same_key(self) -> None:
        attempt = self.shop.attempt()
        self.shop.charge(attempt)
        self.shop.settle()
        other = self.shop.attempt(card=attempt.credential, key=attempt.key)
        answer = self.shop.charge(other)
        self.shop.settle()
        taken = self.shop.captured()
        self.expect(taken == (attempt.amount,), f"under one key the book shows {shown(taken)}")
        if self.capabilities.idempotency.body_must_match:
            self.expect(
                answer.outcome not in {Outcome.SUCCEEDED, Outcome.PENDING},
                f"another amount under a used key is answered with {answer}; declare body_must_match=False",
            )

    @case(
        "PROBE-05",
        claim="the tell-tale header is there when a key was honoured",
        why="It is the only way to tell a repeat that was checked from one that charged again.",
        fix="Declare the header's name as the provider documents it: Idempotency(…, header='…').",
        needs=(Need.KEYS, Need.BOOK, Need.WIRE, Need.EMULATOR),
    )
    def test_the_header_that_tells(self) -> None:
        header = self.capabilities.idempotency.header
        if header is None:
            raise NotApplicable("no tell-tale header is declared")
        attempt = self.shop.attempt()
        self.shop.charge(attempt)
        self.shop.charge(attempt)
        told = [
            response.headers.get(header.lower())
            for request, response in self.world.wire.exchanges
            if request.method not in {"GET", "HEAD"}
        ]
        self.expect(told and all(told), f"the answers to keyed requests do not carry the header {header}")
        self.expect(len(set(told)) > 1, f"the header {header} says the same of a new request and of a repeat")

    @case(
        "PROBE-06",
        claim="a key of the greatest length and every character of the alphabet is taken",
        why="A provider that cuts keys, or ignores case, makes one payment of two.",
        fix="Declare max_length and alphabet as the provider documents them.",
        needs=(Need.KEYS, Need.BOOK),
    )
    def test_the_longest_keys(self) -> None:
        keys = self.capabilities.idempotency
        letters = keys.alphabet
        longest = (letters * keys.max_length)[: keys.max_length]
        turned = longest[:-1] + next(letter for letter in letters if letter != longest[-1])
        swapped = "".join(letter.swapcase() if letter.swapcase() in letters else letter for letter in longest)
        made: list[ChargeRequest] = []
        for key in {longest, turned, swapped}:
            attempt = self.shop.attempt(key=key)
            result = self.settled_charge(attempt)
            said = f"{result.outcome.name} {result.code or ''}".strip()
            self.expect(result.outcome is Outcome.SUCCEEDED, f"a key of {len(key)} characters ended as {said}")
            made.append(attempt)
        self.moved(*(attempt.amount for attempt in made))

    @case(
        "PROBE-07",
        claim="amounts at the declared limits are charged, and beyond them refused, with nothing moved",
        why="paygate refuses by these limits before anything is sent, and promises what lies within.",
        fix="Declare the documented limits in minor units; refuse what is beyond, or let the provider do it.",
        needs=Need.BOOK,
    )
    def test_the_limits_of_amounts(self) -> None:
        for currency, limits in self.capabilities.amounts.items():
            inside = [limits.minimum] if limits.maximum is None else [limits.minimum, limits.maximum]
            for minor in inside:
                amount = Money(minor, currency)
                before = self.shop.captured()
                result = self.settled_charge(self.shop.attempt(amount))
                said = f"{result.outcome.name} {result.code or ''}".strip()
                self.expect(result.outcome is Outcome.SUCCEEDED, f"{amount} is within the limits; it ended as {said}")
                self.moved(amount, before=before)
            outside = [limits.minimum - 1] if limits.maximum is None else [limits.minimum - 1, limits.maximum + 1]
            for minor in outside:
                amount = Money(minor, currency)
                before = self.shop.captured()
                answer = self.shop.charge(self.shop.attempt(amount))
                self.shop.settle()
                self.expect(
                    answer.outcome not in {Outcome.SUCCEEDED, Outcome.PENDING},
                    f"{amount} is beyond the limits; it is answered with {answer}",
                )
                self.moved(before=before)

    @case(
        "PROBE-08",
        claim="within the duplicate window the same amount on the same card is refused, and after it taken",
        why="paygate refuses it before anything is sent, and tells how long to wait (R-205).",
        fix="Declare the seconds that the provider documents, and map its code to DeclineClass.DUPLICATE.",
        needs=(Need.DUPLICATE_WINDOW, Need.BOOK),
    )
    def test_the_duplicate_window(self) -> None:
        window = self.capabilities.duplicate_window or 0
        card, amount = self.world.store_card(), self.shop.amount()
        self.shop.charge(self.shop.attempt(amount, card=card))
        within = self.shop.attempt(amount, card=card)
        answer = self.shop.charge(within)
        kind = answer.result.decline if answer.result else None
        self.expect(
            answer.outcome is Outcome.DECLINED and kind is DeclineClass.DUPLICATE,
            f"the same amount on the same card within {window} s: {answer} of class {kind}",
        )
        self.shop.settle(window + 31.0)
        self.settled_charge(self.shop.attempt(amount, card=card))
        self.moved(amount, amount)

    @case(
        "PROBE-09",
        claim="without a declared duplicate window two equal charges in a row are two charges",
        why="Two colleagues order the same thing in the same minute.",
        fix="Declare duplicate_window in seconds if the provider refuses the second.",
        needs=Need.BOOK,
    )
    def test_no_duplicate_window(self) -> None:
        if self.capabilities.duplicate_window is not None:
            raise NotApplicable("a duplicate window is declared")
        card, amount = self.world.store_card(), self.shop.amount()
        for _ in range(2):
            result = self.settled_charge(self.shop.attempt(amount, card=card))
            self.expect(result.outcome is Outcome.SUCCEEDED, f"the same amount again ended as {result.outcome.name}")
        self.moved(amount, amount)

    @case(
        "PROBE-10",
        claim="refunds end when it is declared: at once, or later",
        why="A shop tells the customer 'done' or 'on its way' by this.",
        fix="Declare refunds_asynchronous, and answer PENDING until the provider says that it is final.",
        needs=(Need.REFUNDS, Need.BOOK),
    )
    def test_when_refunds_end(self) -> None:
        charge, amount = self.charged()
        answer = self.shop.refund(self.shop.refund_attempt(charge, amount, amount))
        expected = {Outcome.SUCCEEDED} if not self.capabilities.refunds_asynchronous else _LATER
        self.expect(
            answer.outcome in expected,
            f"refunds are declared {'' if len(expected) > 1 else 'not '}asynchronous; this one is {answer}",
        )

    @case(
        "PROBE-11",
        claim="parts are refunded where RefundPolicy.PARTIAL is declared, and only there",
        why="The console offers a field for the amount, or a single button, by this.",
        fix="Declare the RefundPolicy that the provider has.",
        needs=(Need.REFUNDS, Need.BOOK),
    )
    def test_the_refund_policy(self) -> None:
        charge, amount = self.charged()
        part = Money(max(amount.minor // 2, 1), amount.currency)
        answer = self.shop.refund(self.shop.refund_attempt(charge, part, amount))
        self.shop.settle()
        if self.capabilities.refunds is RefundPolicy.PARTIAL:
            self.returned(part)
        else:
            self.expect(answer.outcome is not Outcome.SUCCEEDED, "a part was refunded; declare RefundPolicy.PARTIAL")
            self.returned()

    @case(
        "PROBE-12",
        claim="results become known in every declared way: at once, by looking, by webhook",
        why="Whoever waits for a webhook that never comes waits for ever.",
        fix="Declare the Results that the provider has, no more and no fewer.",
        needs=Need.BOOK,
    )
    def test_the_ways_of_results(self) -> None:
        attempt = self.shop.attempt()
        answer = self.shop.charge(attempt)
        reference = answer.result.reference if answer.result else None
        ways = self.capabilities.results
        if Results.IMMEDIATE not in ways and not self.waits_for_results():
            self.expect(answer.outcome is Outcome.PENDING, f"results are not IMMEDIATE, but this one is {answer}")
        self.shop.settle()
        if Results.POLLED in ways:
            found = self.shop.find_charge(attempt, reference)
            said = found.outcome.name if found else "nothing"
            self.expect(found is not None and found.outcome is Outcome.SUCCEEDED, f"POLLED, but a look finds {said}")
        if Results.NOTIFIED in ways:
            told = self.told_of(attempt, reference)
            said = told.outcome.name if told else "nothing"
            self.expect(told is not None and told.outcome is Outcome.SUCCEEDED, f"NOTIFIED, but webhooks say {said}")

    def waits_for_results(self) -> bool:
        """Whether the plugin waits within the flow for a result that the provider gives later."""
        return Results.POLLED in self.capabilities.results


_LATER = frozenset({Outcome.SUCCEEDED, Outcome.PENDING})
