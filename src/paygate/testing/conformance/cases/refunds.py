"""REFUND: money goes back exactly as asked, once, and never more than was taken. Counted in the book."""

from __future__ import annotations

from ....errors import Refused
from ....money import Money
from ....provider import ChargeResult, EventKind, Outcome
from ...emulators import CardKind
from ..acting import Acting, shown
from ..case import case
from ..needs import Need

__all__ = ["Refunds"]


class Refunds(Acting):
    """Whole and partial refunds, limits, repeats, and refunds that fail later."""

    @case(
        "REFUND-01",
        claim="a refund of a whole charge gives back exactly what was taken",
        why="The ledger says that it went back; the customer counts.",
        fix="Send request.amount.minor and the reference of the charge.",
        needs=(Need.REFUNDS, Need.BOOK),
    )
    def test_a_whole_charge_is_returned(self) -> None:
        charge, amount = self.charged()
        result = self.settled_refund(self.shop.refund_attempt(charge, amount, amount))
        self.expect(result.outcome is Outcome.SUCCEEDED, f"a refund of {amount} ended as {result.outcome.name}")
        self.expect(result.reference, "the refund succeeded without a reference")
        self.returned(amount)

    @case(
        "REFUND-02",
        claim="parts of a charge are given back one after the other, up to all of it",
        why="Two of three items come back on different days (R-241).",
        fix="Send the amount of the part, not the whole charge; declare RefundPolicy.FULL if there are no parts.",
        needs=(Need.PARTIAL_REFUNDS, Need.BOOK),
    )
    def test_parts_are_returned_up_to_the_whole(self) -> None:
        charge, amount = self.charged()
        part = Money(amount.minor // 3, amount.currency)
        parts = (part, part, amount - part - part)
        for one in parts:
            result = self.settled_refund(self.shop.refund_attempt(charge, one, amount))
            self.expect(result.outcome is Outcome.SUCCEEDED, f"a part of {one} ended as {result.outcome.name}")
        self.returned(*parts)

    @case(
        "REFUND-03",
        claim="never more goes back than was taken: in one refund, or in several together",
        why="A refund above the capture is the seller's own money, given to whoever asks (R-239).",
        fix="Use the interface that refunds a charge, not one that pays out; never turn its refusal into a success.",
        needs=(Need.REFUNDS, Need.BOOK),
    )
    def test_never_more_is_returned_than_was_taken(self) -> None:
        charge, amount = self.charged()
        more = Money(amount.minor + 1, amount.currency)
        above = self.shop.refund(self.shop.refund_attempt(charge, more, more))
        self.shop.settle()
        given = self.shop.refunded()
        self.expect(
            above.outcome not in {Outcome.SUCCEEDED, Outcome.PENDING} and not given,
            f"{more} of a charge of {amount}: {above}; the book shows {shown(given)}",
        )
        whole = self.settled_refund(self.shop.refund_attempt(charge, amount, amount))
        self.expect(whole.outcome is Outcome.SUCCEEDED, f"the refund of {amount} ended as {whole.outcome.name}")
        again = self.shop.refund(self.shop.refund_attempt(charge, amount, amount))
        self.shop.settle()
        self.expect(again.outcome not in {Outcome.SUCCEEDED, Outcome.PENDING}, f"a second refund of the whole: {again}")
        self.returned(amount)

    @case(
        "REFUND-04",
        claim="a repeat under the same key gives the money back once",
        why="The answer to a refund gets lost as easily as that to a charge.",
        fix="Send request.key with the refund, and the same body each time.",
        needs=(Need.PARTIAL_REFUNDS, Need.KEYS, Need.BOOK),
    )
    def test_a_repeated_refund_returns_once(self) -> None:
        charge, amount = self.charged()
        part = Money(amount.minor // 3, amount.currency)
        attempt = self.shop.refund_attempt(charge, part, amount)
        for wait in (0.0, 5.0, 3600.0):
            self.shop.settle(wait)
            answer = self.shop.refund(attempt)
            self.expect(
                answer.outcome not in {Outcome.DECLINED, Outcome.NOT_SENT},
                f"the repeat of a successful refund says that nothing was returned: {answer}",
            )
        self.shop.settle()
        self.returned(part)

    @case(
        "REFUND-05",
        claim="two equal refunds with two keys are two refunds",
        why="Two items at the same price come back; one of them must not vanish behind the other.",
        fix="Take the key from the request.",
        needs=(Need.PARTIAL_REFUNDS, Need.BOOK),
    )
    def test_two_equal_refunds_are_two(self) -> None:
        charge, amount = self.charged()
        part = Money(amount.minor // 3, amount.currency)
        results = [self.settled_refund(self.shop.refund_attempt(charge, part, amount)) for _ in range(2)]
        self.expect(results[0].reference != results[1].reference, "two refunds have the same reference")
        self.returned(part, part)

    @case(
        "REFUND-06",
        claim="a charge that does not exist, or took nothing, is not refunded",
        why="The answer has to be a no, and not an unknown that somebody has to look into by hand.",
        fix="Map the provider's 'no such charge' and 'nothing to refund' to RefundResult.declined(code).",
        needs=(Need.REFUNDS, Need.BOOK),
    )
    def test_what_took_nothing_is_not_refunded(self) -> None:
        declined = self.settled_charge(self.shop.attempt(card=self.world.store_card(CardKind.DECLINED_SOFT)))
        amount = self.shop.amount()
        nobody = ChargeResult(Outcome.SUCCEEDED, "no-such-charge")
        for charge in (nobody, *((declined,) if declined.reference else ())):
            answer = self.shop.refund(self.shop.refund_attempt(charge, amount, amount))
            refused = answer.outcome is Outcome.DECLINED or isinstance(answer.error, Refused)
            self.expect(refused, f"a refund of a charge that took nothing: {answer}")
        self.shop.settle()
        self.returned()

    @case(
        "REFUND-07",
        claim="a refund that fails later ends as a failure, with its code, and no money counts as returned",
        why="The customer waits for money that is not coming; somebody has to be told (R-247).",
        fix="Read the refund anew in find_refund and in parse_webhook; do not answer success before it is final.",
        needs=(Need.REFUNDS, Need.BOOK),
    )
    def test_a_refund_that_fails_later_is_a_failure(self) -> None:
        charge, amount = self.charged(card=self.world.store_card(CardKind.REFUND_FAILS))
        attempt = self.shop.refund_attempt(charge, amount, amount)
        answer = self.shop.refund(attempt)
        self.shop.settle()
        reference = answer.result.reference if answer.result else None
        last = answer.result
        for event in self.shop.events() if self.capabilities.webhooks else ():
            if event.kind is EventKind.REFUND and event.reference == reference and event.refund is not None:
                last = event.refund
        if Need.REFUND_LOOKUP.declared(self.capabilities) and reference is not None:
            last = self.shop.find_refund(attempt, reference) or last
        self.returned()
        self.expect(
            last is not None and last.outcome is Outcome.DECLINED,
            f"the refund has failed at the provider; paygate is told {last.outcome.name if last else 'nothing'}",
        )
        self.expect(last is None or last.code, "the failed refund has no code")

    @case(
        "REFUND-08",
        claim="a refund leaves every other charge alone",
        why="The wrong customer's money is the hardest to get back.",
        fix="Send the reference of the charge from the request, escaped, and nothing that is found by amount.",
        needs=(Need.REFUNDS, Need.BOOK),
    )
    def test_a_refund_is_of_its_own_charge(self) -> None:
        card = self.world.store_card()
        first, amount = self.charged(card=card)
        self.charged(card=card)
        self.settled_refund(self.shop.refund_attempt(first, amount, amount))
        book = self.world.book
        charges = {row.charge for row in book.refunds} if book else set()
        self.expect(charges == {first.reference}, f"{first.reference!r} was to be refunded, not {charges}")

    @case(
        "REFUND-09",
        claim="a refund in another currency than the charge moves nothing",
        why="One hundred dollars back for one hundred yen.",
        fix="Send the currency along, or refuse it before anything is sent.",
        needs=(Need.REFUNDS, Need.BOOK),
    )
    def test_a_refund_in_another_currency_moves_nothing(self) -> None:
        charge, amount = self.charged()
        other = Money(amount.minor, "USD" if amount.currency != "USD" else "EUR")
        answer = self.shop.refund(self.shop.refund_attempt(charge, other, amount))
        self.shop.settle()
        self.expect(answer.outcome is not Outcome.SUCCEEDED, f"{other} back for a charge of {amount}: {answer}")
        self.returned()

    @case(
        "REFUND-10",
        claim="a refund is found again by its attempt and by its reference, and one that was never made is not",
        why="It is how a refund ends whose answer was lost.",
        fix="Keep request.refund_id in the refund's metadata and look for it; compare it yourself.",
        needs=(Need.REFUNDS, Need.REFUND_LOOKUP, Need.BOOK),
    )
    def test_a_refund_is_found_again(self) -> None:
        charge, amount = self.charged()
        attempt = self.shop.refund_attempt(charge, amount, amount)
        never = self.shop.refund_attempt(charge, amount, amount)
        made = self.settled_refund(attempt)
        self.shop.settle()
        by_attempt, by_reference = self.found_refund(attempt), self.shop.find_refund(attempt, made.reference)
        for found, how in ((by_attempt, "its attempt"), (by_reference, "its reference")):
            said = found.outcome.name if found else "nothing"
            self.expect(
                found is not None and found.outcome is Outcome.SUCCEEDED and found.reference == made.reference,
                f"looking a refund up by {how} finds {said}",
            )
        self.returned(amount)
        self.expect(self.found_refund(never) is None or self.native(), "a refund is found that was never made")
        self.returned(amount)
