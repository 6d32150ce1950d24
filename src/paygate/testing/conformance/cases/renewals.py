"""RENEWAL: a stored card is charged again, month after month, without the customer."""

from __future__ import annotations

from ....provider import Outcome
from ...emulators import Wish, WishKind
from ..acting import Acting
from ..case import case
from ..needs import Need

__all__ = ["MerchantRenewals"]

_MONTH = 30 * 86_400.0
_NEEDS = (Need.MERCHANT_RENEWALS, Need.BOOK)


class MerchantRenewals(Acting):
    """Renewals that paygate charges itself."""

    @case(
        "RENEWAL-01",
        claim="a stored card is charged twelve months in a row, once each",
        why="It is what a subscription business lives on.",
        fix="Charge the stored credential as a payment that the merchant initiates, with the key of each attempt.",
        needs=_NEEDS,
    )
    def test_a_stored_card_is_charged_for_a_year(self) -> None:
        card = self.world.store_card()
        attempts = []
        for month in range(12):
            attempt = self.shop.attempt(card=card)
            result = self.settled_charge(attempt)
            said = f"{result.outcome.name} {result.code or ''}".strip()
            self.expect(result.outcome is Outcome.SUCCEEDED, f"the charge of month {month + 1} ended as {said}")
            attempts.append(attempt)
            self.shop.settle(_MONTH)
        self.moved(*(attempt.amount for attempt in attempts))

    @case(
        "RENEWAL-02",
        claim="the same price on the same card every month is no duplicate",
        why="Renewals are equal by nature; a fingerprint of card and amount takes the second for a repeat.",
        fix="Tell attempts apart by their key and nothing else.",
        needs=_NEEDS,
    )
    def test_equal_renewals_are_no_duplicates(self) -> None:
        card, price = self.world.store_card(), self.shop.amount()
        for _ in range(3):
            result = self.settled_charge(self.shop.attempt(price, card=card))
            self.expect(result.outcome is Outcome.SUCCEEDED, f"an equal renewal ended as {result.outcome.name}")
            self.shop.settle(_MONTH)
        self.moved(price, price, price)

    @case(
        "RENEWAL-03",
        claim="a renewal that fails is retried with a new key days later, and then charged once",
        why="That is dunning. A retry that meets the old decline never collects; one that meets nothing collects twice.",
        fix="Let every attempt be its own payment at the provider.",
        needs=_NEEDS,
    )
    def test_a_retry_collects_once(self) -> None:
        card, price = self.world.store_card(), self.shop.amount()
        self.world.wish(Wish(WishKind.DECLINE), credential=card)
        failed = self.settled_charge(self.shop.attempt(price, card=card))
        self.expect(failed.outcome is Outcome.DECLINED, f"a declined renewal ended as {failed.outcome.name}")
        self.shop.settle(3 * 86_400.0)
        self.world.wish(Wish(WishKind.SUCCEED), credential=card)
        retried = self.settled_charge(self.shop.attempt(price, card=card))
        self.expect(retried.outcome is Outcome.SUCCEEDED, f"the retry ended as {retried.outcome.name}")
        self.moved(price)

    @case(
        "RENEWAL-04",
        claim="the renewal of one customer touches no other card",
        why="A shared customer record, or the last card seen, and somebody else pays.",
        fix="Charge request.credential, and keep no state between calls.",
        needs=_NEEDS,
    )
    def test_a_renewal_charges_its_own_card(self) -> None:
        cards = [self.world.store_card() for _ in range(3)]
        for card in cards:
            self.charged(card=card)
        book = self.world.book
        used = {row.credential for row in book.captures} if book else set()
        self.expect(len(used) == len(cards), f"three customers paid with {len(used)} cards")
