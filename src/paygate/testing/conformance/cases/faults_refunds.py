"""FAULT, second part: a refund on a line that breaks in every known way."""

from __future__ import annotations

from ....money import Money
from ....provider import Lookup, Outcome, RefundPolicy, RefundResult
from ...emulators import CardKind
from ..acting import Acting, shown
from ..case import case
from ..needs import Need
from ..shop import Answer
from ..wire import Strike, Trouble, strikes

__all__ = ["BrokenRefunds"]

_NEEDS = (Need.REFUNDS, Need.BOOK)
_WIRE = (Need.REFUNDS, Need.BOOK, Need.WIRE)
_NOTHING = frozenset({Outcome.DECLINED, Outcome.NOT_SENT})
_FIX = "Treat a refund like a charge: unknown where the answer is lost or unreadable, the same key on every repeat."
_WHY = "A refund that is repeated blindly gives the money back twice; one that counts as failed is made again by hand."


class BrokenRefunds(Acting):
    """One case per trouble, as for charges."""

    @case(
        "FAULT-11",
        claim="a refund that gets no answer in time ends as the truth or as unknown, and can be found",
        why=_WHY,
        fix=_FIX,
        needs=_NEEDS,
    )
    def test_a_refund_without_an_answer(self) -> None:
        self._refunds_under(Trouble.TIMEOUT)

    @case(
        "FAULT-12",
        claim="a refund whose connection is reset ends as the truth or as unknown, and can be found",
        why=_WHY,
        fix=_FIX,
        needs=_NEEDS,
    )
    def test_a_refund_on_a_reset_connection(self) -> None:
        self._refunds_under(Trouble.RESET)

    @case(
        "FAULT-13",
        claim="a refund whose connection is refused is not sent, and works the next time",
        why="Nothing happened; an operator who is told 'failed' pays it out by hand.",
        fix="Let ProviderUnavailable pass.",
        needs=_NEEDS,
    )
    def test_a_refund_on_a_refused_connection(self) -> None:
        self._refunds_under(Trouble.REFUSED)

    @case(
        "FAULT-14",
        claim="a refund that is answered with HTTP 500 ends as the truth or as unknown",
        why=_WHY,
        fix=_FIX,
        needs=_WIRE,
    )
    def test_a_refund_answered_by_http_500(self) -> None:
        self._refunds_under(Trouble.ERROR)

    @case(
        "FAULT-15",
        claim="a refund that is answered with an HTML page ends as the truth or as unknown",
        why=_WHY,
        fix=_FIX,
        needs=_WIRE,
    )
    def test_a_refund_answered_by_a_page(self) -> None:
        self._refunds_under(Trouble.HTML)

    @case(
        "FAULT-16",
        claim="a refund of whose answer half is missing ends as the truth or as unknown",
        why=_WHY,
        fix=_FIX,
        needs=_WIRE,
    )
    def test_a_refund_with_half_an_answer(self) -> None:
        self._refunds_under(Trouble.TRUNCATED)

    @case(
        "FAULT-17",
        claim="a refund that is answered with HTTP 429 is not sent, and works the next time",
        why="The provider says that it did nothing.",
        fix="Answer RefundResult.not_sent(…) for 429.",
        needs=_WIRE,
    )
    def test_a_refund_answered_by_http_429(self) -> None:
        self._refunds_under(Trouble.RATE_LIMITED)

    @case(
        "FAULT-18",
        claim="a refund that is answered with an empty HTTP 200 ends as the truth or as unknown",
        why=_WHY,
        fix=_FIX,
        needs=_WIRE,
    )
    def test_a_refund_with_an_empty_answer(self) -> None:
        self._refunds_under(Trouble.EMPTY)

    @case(
        "FAULT-19",
        claim="a refund that is answered with JSON of another type ends as the truth or as unknown",
        why=_WHY,
        fix=_FIX,
        needs=_WIRE,
    )
    def test_a_refund_answered_by_other_json(self) -> None:
        self._refunds_under(Trouble.WRONG_TYPE)

    @case(
        "FAULT-20",
        claim="a refund with a status that nobody documented is neither a success nor a failure",
        why="The customer is told that the money is on its way, or that it is not, and neither is known.",
        fix="List the states you know, and answer RefundResult.unknown(…) for every other text.",
        needs=_WIRE,
    )
    def test_a_refund_with_an_undocumented_status(self) -> None:
        cards = [CardKind.GOOD]
        if self.capabilities.refunds_asynchronous:  # elsewhere a success is answered first and taken back later
            cards.append(CardKind.REFUND_FAILS)
        for card in cards:
            self._refunds_under(Trouble.UNKNOWN_STATUS, card)
        self.expect(
            self.world.wire.struck,
            "no answer had a status to change; name its fields in the suite: status_fields = (…,)",
        )

    def _refunds_under(self, trouble: Trouble, card: CardKind = CardKind.GOOD) -> None:
        for strike in strikes(trouble):
            self._refund_under(strike, card)

    def _refund_under(self, strike: Strike, card: CardKind) -> None:
        charge, charged = self.charged(card=self.world.store_card(card))
        partial = self.capabilities.refunds is RefundPolicy.PARTIAL  # so that a second refund would not fail by itself
        amount = Money(charged.minor // 3, charged.currency) if partial else charged
        attempt = self.shop.refund_attempt(charge, amount, charged)
        before = self.shop.refunded()
        self.world.break_line(strike, "refund")
        answer = self.shop.refund(attempt)
        self.world.break_line(None)
        self.shop.settle()
        given = self.shop.refunded()[len(before) :]
        self._is_an_honest_refund(strike, amount, answer, given)
        refused = answer.outcome is Outcome.DECLINED
        self.expect(card is not CardKind.GOOD or not refused, f"{strike}: nobody has refused, but it is {answer}")
        if self.capabilities.refund_lookup is not Lookup.NONE and answer.outcome in {Outcome.UNKNOWN, Outcome.PENDING}:
            found = self.found_refund(attempt)
            self.shop.settle()
            given = self.shop.refunded()[len(before) :]
            said = found.outcome.name if found else "nothing"
            expected = found is not None and found.outcome in {Outcome.SUCCEEDED, Outcome.PENDING}
            self.expect(
                expected is (given == (amount,)), f"{strike}: looked up, it is {said}; the book shows {shown(given)}"
            )
        if Need.KEYS.declared(self.capabilities):
            again = self.shop.refund(attempt)
            self.shop.settle()
            last = self.shop.refunded()[len(before) :]
            self.expect(len(last) <= 1, f"{strike}: repeated under the same key, the refund was made {len(last)} times")
            self._is_an_honest_refund(strike, amount, again, last)

    def _is_an_honest_refund(
        self, strike: Strike, amount: Money, answer: Answer[RefundResult], given: tuple[Money, ...]
    ) -> None:
        self.expect(given in {(), (amount,)}, f"{strike}: {amount} was asked for; the book shows {shown(given)}")
        self.expect(
            answer.outcome is not Outcome.SUCCEEDED or given, f"{strike}: the refund counts as made; nothing went back"
        )
        self.expect(
            answer.outcome not in _NOTHING or not given, f"{strike}: {answer}; but the book shows {shown(given)}"
        )
