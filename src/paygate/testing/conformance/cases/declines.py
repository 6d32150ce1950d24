"""DECLINE: a no is a no, with the provider's own code and what it means; somebody else's no is not the card's."""

from __future__ import annotations

from ....provider import DeclineClass, Outcome
from ...emulators import CardKind, Wish, WishKind
from ..acting import Acting
from ..case import NotApplicable, case
from ..needs import Need

__all__ = ["Declines"]

#: A decline code that no provider has documented.
_NEW_CODE = "999"


class Declines(Acting):
    """Declines of the card, of the request, and of the account."""

    @case(
        "DECLINE-01",
        claim="a decline is a decline, keeps the provider's code, and moves nothing",
        why="The code is what support, dunning and the card networks' rules go by.",
        fix="ChargeResult.declined(code, decline=…) with the provider's own code, unchanged.",
        needs=Need.BOOK,
    )
    def test_a_decline_keeps_its_code(self) -> None:
        result = self.settled_charge(self.shop.attempt(card=self.world.store_card(CardKind.DECLINED_SOFT)))
        self.expect(result.outcome is Outcome.DECLINED, f"a declined charge ended as {result.outcome.name}")
        self.expect(result.code, "the decline has no code")
        self.expect(result.decline is not None, "the decline has no class; UNKNOWN is one too")
        self.moved()

    @case(
        "DECLINE-02",
        claim="a decline for good is not taken for one that may pass",
        why="Trying a stolen card again and again costs fees and, in the end, the right to accept cards.",
        fix="Map the provider's codes for lost, stolen, closed and expired cards to DeclineClass.HARD.",
        needs=Need.BOOK,
    )
    def test_a_hard_decline_is_not_soft(self) -> None:
        result = self.settled_charge(self.shop.attempt(card=self.world.store_card(CardKind.DECLINED_HARD)))
        self.expect(result.outcome is Outcome.DECLINED, f"a declined charge ended as {result.outcome.name}")
        self.expect(
            result.decline not in {None, DeclineClass.SOFT}, f"code {result.code} of a dead card counts as SOFT"
        )
        self.moved()

    @case(
        "DECLINE-03",
        claim="a decline with a code that nobody knows is a decline of class UNKNOWN, with that code",
        why="Providers add codes without notice. None of them may crash the plugin, and none is a success.",
        fix="codes.get(code, DeclineClass.UNKNOWN), and keep the text of the code.",
        needs=Need.BOOK,
    )
    def test_an_unknown_code_is_a_decline_of_unknown_class(self) -> None:
        card = self.world.store_card()
        self.world.wish(Wish(WishKind.DECLINE, _NEW_CODE), credential=card)
        result = self.settled_charge(self.shop.attempt(card=card))
        self.expect(
            result.outcome in {Outcome.DECLINED, Outcome.UNKNOWN},
            f"a decline with a new code ended as {result.outcome.name}",
        )
        declined = result.outcome is Outcome.DECLINED
        self.expect(not declined or result.decline is DeclineClass.UNKNOWN, f"a new code counts as {result.decline}")
        silent = self.known_code() is not None and result.code == self.known_code()
        self.expect(silent or _NEW_CODE in (result.code or ""), f"the code {_NEW_CODE} became {result.code!r}")
        self.moved()

    @case(
        "DECLINE-04",
        claim="a stored card that the provider does not know is declined, not unknown and not a crash",
        why="Customers delete cards at the provider; the contract has to learn that it needs another one.",
        fix="Map the provider's 'no such card' to a decline of class HARD.",
        needs=(Need.BOOK, Need.EMULATOR),
    )
    def test_an_unknown_card_is_declined(self) -> None:
        good = self.world.store_card()
        strange = good[:-4] + ("0000" if not good.endswith("0000") else "1111")
        answer = self.shop.charge(self.shop.attempt(card=strange))
        self.expect(answer.outcome is Outcome.DECLINED, f"a card that nobody knows: {answer}")
        self.expect(
            answer.result is not None and answer.result.decline is not DeclineClass.SOFT,
            "a card that nobody knows counts as SOFT: it would be tried again",
        )
        self.moved()

    @case(
        "DECLINE-05",
        claim="credentials that the provider refuses are a matter of the set-up, never a decline of the card",
        why="One wrong key in the configuration would tell every customer that their card was declined.",
        fix="Raise ConfigurationError for HTTP 401 and 403, or decline with DeclineClass.CONFIG.",
        needs=(Need.BOOK, Need.WIRE, Need.EMULATOR),
    )
    def test_refused_credentials_are_no_decline_of_the_card(self) -> None:
        attempt = self.shop.attempt()
        self.world.spoil_credentials()
        answer = self.shop.charge(attempt)
        self.moved()
        if answer.outcome is Outcome.DECLINED and answer.result is not None:
            self.expect(
                answer.result.decline is DeclineClass.CONFIG,
                f"refused credentials count as a decline of class {answer.result.decline}",
            )
        else:
            self.expect(
                answer.outcome in {Outcome.NOT_SENT, Outcome.UNKNOWN}, f"refused credentials were read as {answer}"
            )

    @case(
        "DECLINE-06",
        claim="after a decline a new attempt with a new key can succeed",
        why="That is what dunning does: the customer pays their bank, the next attempt goes through.",
        fix="Make the key from the attempt and not from the contract or the card.",
        needs=Need.BOOK,
    )
    def test_a_new_attempt_after_a_decline_can_succeed(self) -> None:
        card = self.world.store_card()
        self.world.wish(Wish(WishKind.DECLINE), credential=card)
        declined = self.settled_charge(self.shop.attempt(card=card))
        self.expect(declined.outcome is Outcome.DECLINED, f"a declined charge ended as {declined.outcome.name}")
        self.shop.settle(3600.0)
        self.world.wish(Wish(WishKind.SUCCEED), credential=card)
        attempt = self.shop.attempt(card=card)
        result = self.settled_charge(attempt)
        self.expect(result.outcome is Outcome.SUCCEEDED, f"the next attempt ended as {result.outcome.name}")
        self.moved(attempt.amount)

    @case(
        "DECLINE-07",
        claim="the provider's own error state of a charge is unknown or a decline, never a success",
        why="Some providers say 'error' and settle by hand days later.",
        fix="Map it to ChargeResult.unknown(…) where money may have moved, and let an operator look.",
        needs=Need.BOOK,
    )
    def test_an_error_state_is_no_success(self) -> None:
        card = self.world.store_card()
        self.world.wish(Wish(WishKind.ERROR), credential=card)
        result = self.settled_charge(self.shop.attempt(card=card))
        taken = self.shop.captured()
        if taken:
            raise NotApplicable("this provider's error state takes the money")
        self.expect(result.outcome is not Outcome.SUCCEEDED, "a charge in the error state counts as a success")

    def known_code(self) -> str | None:
        """The only code that a provider has which never says why; None for all others."""
        codes = getattr(self.world.provider, "codes", None)
        return codes.declined if codes is not None and codes.silent else None
