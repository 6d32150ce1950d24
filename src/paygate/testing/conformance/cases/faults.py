"""FAULT, first part: a charge on a line that breaks in every known way, before and after the effect.

Whatever the plugin answers is held against the book: no success without money, no 'nothing happened' with it, and a
repeat under the same key moves it no second time.
"""

from __future__ import annotations

from ....money import Money
from ....provider import ChargeResult, Lookup, Outcome
from ...emulators import CardKind
from ..acting import Acting, shown
from ..case import case
from ..needs import Need
from ..shop import Answer
from ..wire import Strike, Trouble, strikes

__all__ = ["BrokenCharges"]

_NEEDS = (Need.BOOK,)
_WIRE = (Need.BOOK, Need.WIRE)
_NOTHING = frozenset({Outcome.DECLINED, Outcome.NOT_SENT})


class BrokenCharges(Acting):
    """One case per trouble; each tries every moment, kind of request and number of times."""

    @case(
        "FAULT-01",
        claim="a charge that gets no answer in time ends as the truth or as unknown, and can be found",
        why="Time-outs are the commonest way in which customers are charged twice.",
        fix="Let OutcomeUnknown pass; find the charge by the attempt's id; repeat only under the same key.",
        needs=_NEEDS,
    )
    def test_a_charge_without_an_answer(self) -> None:
        self._charges_under(Trouble.TIMEOUT)

    @case(
        "FAULT-02",
        claim="a charge whose connection is reset ends as the truth or as unknown, and can be found",
        why="A reset comes before the provider acted, or after; nobody can tell which.",
        fix="Treat it like a time-out.",
        needs=_NEEDS,
    )
    def test_a_charge_on_a_reset_connection(self) -> None:
        self._charges_under(Trouble.RESET)

    @case(
        "FAULT-03",
        claim="a charge whose connection is refused is not sent, and works the next time",
        why="It is the one failure after which a repeat is always safe.",
        fix="Let ProviderUnavailable pass.",
        needs=_NEEDS,
    )
    def test_a_charge_on_a_refused_connection(self) -> None:
        self._charges_under(Trouble.REFUSED)

    @case(
        "FAULT-04",
        claim="a charge that is answered with HTTP 500 ends as the truth or as unknown",
        why="Servers fail after the money has moved as well as before.",
        fix="Answer ChargeResult.unknown(…) for 5xx; it says nothing about the money.",
        needs=_WIRE,
    )
    def test_a_charge_answered_by_http_500(self) -> None:
        self._charges_under(Trouble.ERROR)

    @case(
        "FAULT-05",
        claim="a charge that is answered with an HTML page ends as the truth or as unknown",
        why="Gateways and proxies answer with HTTP 200 and a page of their own.",
        fix="Answer ChargeResult.unknown(…) for whatever is not the provider's JSON.",
        needs=_WIRE,
    )
    def test_a_charge_answered_by_a_page(self) -> None:
        self._charges_under(Trouble.HTML)

    @case(
        "FAULT-06",
        claim="a charge of whose answer half is missing ends as the truth or as unknown",
        why="Half an answer can end right after the word that looks like success.",
        fix="Parse the whole answer, and answer ChargeResult.unknown(…) where that fails.",
        needs=_WIRE,
    )
    def test_a_charge_with_half_an_answer(self) -> None:
        self._charges_under(Trouble.TRUNCATED)

    @case(
        "FAULT-07",
        claim="a charge that is answered with HTTP 429 is not sent, and works the next time",
        why="The provider says that it did nothing; a decline would send a dunning mail for its rush hour.",
        fix="Answer ChargeResult.not_sent(…) for 429; the driver waits and repeats before you see it.",
        needs=_WIRE,
    )
    def test_a_charge_answered_by_http_429(self) -> None:
        self._charges_under(Trouble.RATE_LIMITED)

    @case(
        "FAULT-08",
        claim="a charge that is answered with an empty HTTP 200 ends as the truth or as unknown",
        why="200 is the answer of whoever stands in between, not the provider's word about the money.",
        fix="Read the state from the body; no body is no state.",
        needs=_WIRE,
    )
    def test_a_charge_with_an_empty_answer(self) -> None:
        self._charges_under(Trouble.EMPTY)

    @case(
        "FAULT-09",
        claim="a charge that is answered with JSON of another type ends as the truth or as unknown",
        why="A list where an object was is an exception in the middle of a payment.",
        fix="Check the type of what you read before you read it.",
        needs=_WIRE,
    )
    def test_a_charge_answered_by_other_json(self) -> None:
        self._charges_under(Trouble.WRONG_TYPE)

    @case(
        "FAULT-10",
        claim="a status that nobody documented is no guess: neither success nor decline",
        why="'Not failed' is not 'succeeded', and the other way round. Providers add states without notice.",
        fix="List the states you know, and answer ChargeResult.unknown(…) for every other text.",
        needs=_WIRE,
    )
    def test_a_charge_with_an_undocumented_status(self) -> None:
        for card in (CardKind.GOOD, CardKind.DECLINED_SOFT, CardKind.PENDING):
            self._charges_under(Trouble.UNKNOWN_STATUS, card)
        self.hit("status_fields = (…,)")

    def hit(self, remedy: str) -> None:
        """Hold that the trouble has struck at all; else the case would prove nothing."""
        self.expect(self.world.wire.struck, f"no answer had a status to change; name its fields in the suite: {remedy}")

    def _charges_under(self, trouble: Trouble, card: CardKind = CardKind.GOOD) -> None:
        for strike in strikes(trouble):
            self._charge_under(strike, card)

    def _charge_under(self, strike: Strike, card: CardKind) -> None:
        attempt = self.shop.attempt(card=self.world.store_card(card))
        before = self.shop.captured()
        self.world.break_line(strike)
        answer = self.shop.charge(attempt)
        self.world.break_line(None)
        self.shop.settle()
        taken = self.shop.captured()[len(before) :]
        self._is_an_honest_charge(strike, attempt.amount, answer, taken)
        refused = answer.outcome is Outcome.DECLINED
        self.expect(card is not CardKind.GOOD or not refused, f"{strike}: nobody has declined, but it is {answer}")
        if self.capabilities.lookup is not Lookup.NONE and (
            answer.outcome in {Outcome.UNKNOWN, Outcome.PENDING} or not self.native()
        ):
            found = self.found_charge(attempt)
            taken = self.shop.captured()[len(before) :]
            said = found.outcome.name if found else "nothing"
            self.expect(
                (found is not None and found.outcome is Outcome.SUCCEEDED) is (taken == (attempt.amount,)),
                f"{strike}: looked up, the charge is {said}; the book shows {shown(taken)}",
            )
        if Need.KEYS.declared(self.capabilities):
            again = self.shop.charge(attempt)
            self.shop.settle()
            last = self.shop.captured()[len(before) :]
            self.expect(len(last) <= 1, f"{strike}: repeated under the same key, the charge was made {len(last)} times")
            self._is_an_honest_charge(strike, attempt.amount, again, last)

    def _is_an_honest_charge(
        self, strike: Strike, amount: Money, answer: Answer[ChargeResult], taken: tuple[Money, ...]
    ) -> None:
        self.expect(taken in {(), (amount,)}, f"{strike}: {amount} was asked for; the book shows {shown(taken)}")
        self.expect(
            answer.outcome is not Outcome.SUCCEEDED or taken, f"{strike}: the charge counts as made; nothing was taken"
        )
        self.expect(
            answer.outcome not in _NOTHING or not taken, f"{strike}: {answer}; but the book shows {shown(taken)}"
        )
