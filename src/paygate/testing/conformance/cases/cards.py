"""CARD: what a stored card is told to be, that it can be forgotten, and that another one can take its place."""

from __future__ import annotations

import re

from ....errors import PaygateError
from ....provider import (
    ChangedPayment,
    CredentialDescription,
    CredentialRequest,
    CredentialState,
    Outcome,
    SubscriptionPayment,
    SubscriptionStart,
)
from ..case import CaseFailed, case
from ..needs import Need
from ..recurring import Recurring

__all__ = ["StoredCards"]

_MONTH = 31
_CHANGES = (Need.CHANGES_CARDS, Need.STARTS_SUBSCRIPTIONS, Need.BOOK)
_LONG_NUMBER = re.compile(r"[0-9]{5,}")


class StoredCards(Recurring):
    """Describing, revoking and replacing."""

    @case(
        "CARD-01",
        claim="a stored card is described by its last four digits and its last month, and nothing is charged for it",
        why="People are warned a month before a card ends; a wrong month warns the wrong people.",
        fix="Read the stored card; answer expires as 2030-12 and at most four digits of the number.",
        needs=(Need.DESCRIBES_CARDS, Need.BOOK),
    )
    def test_a_stored_card_is_described(self) -> None:
        described = self._described(self.world.store_card())
        self.expect(described.state is CredentialState.USABLE, f"a card just stored is {described.state.value}")
        self.expect(described.last4 is None or re.fullmatch("[0-9]{4}", described.last4), "last4 is not four digits")
        self.expect(
            described.expires is None or re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", described.expires),
            f"expires is {described.expires!r}, not like 2030-12",
        )
        told = (described.brand, described.last4)
        self.expect(not any(text and _LONG_NUMBER.search(text) for text in told), "more than four digits are told")
        self.moved()

    @case(
        "CARD-02",
        claim="a revoked card cannot be charged any more, others can, and revoking it again is no error",
        why="The customer wanted it forgotten; charging it afterwards is a complaint.",
        fix="Delete the stored card at the provider; take 'already gone' for success.",
        needs=(Need.REVOKES_CARDS, Need.BOOK),
    )
    def test_a_revoked_card_is_gone(self) -> None:
        card, other = self.world.store_card(), self.world.store_card()
        for _ in range(2):
            self.shop.ask("revoke_card", request=CredentialRequest(card))
        if self.shop.capabilities.describes_cards:
            state = self._described(card).state
            self.expect(state is CredentialState.REVOKED, f"a revoked card is described as {state.value}")
        refused = self.settled_charge(self.shop.attempt(card=card))
        self.expect(refused.outcome is not Outcome.SUCCEEDED, "a revoked card was charged")
        attempt = self.shop.attempt(card=other)
        kept = self.settled_charge(attempt)
        self.expect(kept.outcome is Outcome.SUCCEEDED, f"another card ended as {kept.outcome.name}")
        self.moved(attempt.amount)

    @case(
        "CARD-03",
        claim="a subscription that is given another card charges that one, once a month, and giving it twice is no error",
        why="The old card is lost or has ended; what charges it on leaves the customer past due.",
        fix="Change the subscription's own card at the provider, not the customer's default alone.",
        needs=(*_CHANGES, Need.REVOKES_CARDS),
    )
    def test_a_subscription_charges_the_new_card(self) -> None:
        start, reference = self.started()
        self.live(2)
        new = self.world.store_another(start.credential)
        for _ in range(2):
            answer = self._change(start, reference, new)
            self.expect(isinstance(answer, ChangedPayment), f"answered {type(answer).__name__}, not ChangedPayment")
        self.expect(self.paid(start) == 1, "giving another card charged something")
        self.shop.ask("revoke_card", request=CredentialRequest(start.credential))
        self.live(_MONTH + 1)
        self.expect(self.paid(start) == 2, f"a month later {self.paid(start)} periods have been charged, not 2")

    @case(
        "CARD-04",
        claim="another card for one subscription leaves the customer's others with theirs",
        why="A customer pays two contracts from two cards on purpose.",
        fix="Find the subscription by its reference or the contract's id, never by customer or card alone.",
        needs=(*_CHANGES, Need.EMULATOR),
    )
    def test_other_subscriptions_keep_their_card(self) -> None:
        card = self.world.store_card()
        first, reference = self.started(card=card)
        second, _ = self.started(card=card)
        self.live(2)
        new = self.world.store_another(card)
        self._change(first, reference, new)
        self.world.decline_renewals(new, 60)
        self.live(_MONTH + 1)
        self.expect(self.paid(first) == 1, "the subscription that was given another card charged the old one")
        self.expect(self.paid(second) == 2, f"the other subscription was charged {self.paid(second)} times, not twice")

    def _described(self, card: str) -> CredentialDescription:
        described = self.shop.ask("describe_card", request=CredentialRequest(card))
        if not isinstance(described, CredentialDescription):
            raise CaseFailed(f"describe_card answered {type(described).__name__}, not CredentialDescription")
        return described

    def _change(self, start: SubscriptionStart, reference: str, new: str) -> object:
        request = SubscriptionPayment(start.contract_id, start.credential, new, reference)
        try:
            return self.shop.ask("change_recurring_payment", request=request)
        except PaygateError as exc:
            raise CaseFailed(f"change_recurring_payment raised {type(exc).__name__}: {exc}") from exc
