"""LOOKUP: what is found is true, and finding nothing proves what is declared."""

from __future__ import annotations

from ....provider import Lookup, Outcome
from ...emulators import CardKind
from ..acting import Acting, shown
from ..case import case
from ..needs import Need
from ..wire import On, Strike, Trouble, When

__all__ = ["Lookups"]

_LOST = Strike(Trouble.TIMEOUT, When.AFTER, On.ALL)
_LOST_BEFORE = Strike(Trouble.TIMEOUT, When.BEFORE, On.ALL)


class Lookups(Acting):
    """Finding charges by attempt and by reference, and what absence proves."""

    @case(
        "LOOKUP-01",
        claim="a charge is found by its attempt alone, with its reference, amount and result",
        why="After a lost answer nobody has a reference; the attempt's id is all there is.",
        fix="Keep request.charge_id in the charge's metadata, list by it, and compare it yourself.",
        needs=(Need.LOOKUP, Need.BOOK),
    )
    def test_a_charge_is_found_by_its_attempt(self) -> None:
        attempt = self.shop.attempt()
        made = self.settled_charge(attempt)
        self.shop.settle()
        found = self.found_charge(attempt)
        self.expect(found is not None, "a charge that was made is not found by its attempt")
        if found is not None:
            self.expect(found.outcome is Outcome.SUCCEEDED, f"a successful charge is found as {found.outcome.name}")
            self.expect(found.reference == made.reference, "another charge is found than was made")
            self.expect(found.amount in {None, attempt.amount}, f"{attempt.amount} is found as {found.amount}")
        self.moved(attempt.amount)

    @case(
        "LOOKUP-02",
        claim="looking up moves no money, however often, and whatever is looked for",
        why="Reconciliation looks every few minutes for as long as a charge is open.",
        fix="Send GET requests, or the same attempt under its own native key.",
        needs=(Need.LOOKUP, Need.BOOK),
    )
    def test_looking_up_moves_no_money(self) -> None:
        attempt = self.shop.attempt()
        result = self.settled_charge(attempt)
        for reference in (None, result.reference, "no-such-charge"):
            for _ in range(3):
                self.shop.find_charge(attempt, reference)
        self.shop.settle()
        self.moved(attempt.amount)

    @case(
        "LOOKUP-03",
        claim="a charge that was never made is not found, and not made by looking",
        why="'Not found' is what allows an operator, or paygate, to charge again.",
        fix="Answer Found(None) where the provider's list has nothing with the attempt's id.",
        needs=(Need.LOOKUP, Need.BOOK),
    )
    def test_what_was_never_made_is_not_found(self) -> None:
        self.charged()
        attempt = self.shop.attempt()
        before = self.shop.captured()
        self.expect(self.shop.find_charge(attempt, "no-such-charge") is None, "a reference that nobody knows is found")
        found = self.found_charge(attempt)
        self.shop.settle()
        taken = self.shop.captured()[len(before) :]
        if found is None or not self.native():
            said = found.outcome.name if found else ""
            self.expect(found is None, f"a charge that was never made is found as {said}")
            self.expect(not taken, "looking for a charge that was never made took its money")
        else:  # repeating the attempt under its own native key is a way of looking it up
            self.shop.charge(attempt)
            self.shop.settle()
            taken = self.shop.captured()[len(before) :]
            self.expect(
                taken == (attempt.amount,), f"looked up by its key, then charged: the book shows {shown(taken)}"
            )

    @case(
        "LOOKUP-04",
        claim="a lost charge is found once time has passed, and where absence is declared as proof, at once",
        why="Absence that counts as proof and is none charges the customer a second time.",
        fix="Declare Lookup.EVENTUAL for anything behind a search index; use a strongly consistent list.",
        needs=(Need.LOOKUP, Need.BOOK),
    )
    def test_absence_proves_what_is_declared(self) -> None:
        attempt = self.shop.attempt()
        self.world.break_line(_LOST)
        self.shop.charge(attempt)
        self.world.break_line(None)
        found = self.shop.find_charge(attempt)
        if self.capabilities.lookup is Lookup.AUTHORITATIVE:
            self.expect(
                found is not None, "declared as AUTHORITATIVE, but a charge that was just made is not found at once"
            )
        self.shop.settle()
        found = self.found_charge(attempt)
        self.expect(found is not None, "half an hour after it was made the charge is still not found")
        self.expect(
            found is None or found.outcome is Outcome.SUCCEEDED,
            f"the money has moved; the look-up says {found.outcome.name if found else ''}",
        )
        self.moved(attempt.amount)

    @case(
        "LOOKUP-05",
        claim="a declined charge, where it is found, is found as declined",
        why="An open attempt blocks the contract until it is known how it ended (R-189).",
        fix="Map the states in find_charge by the same function as in charge.",
        needs=(Need.LOOKUP, Need.BOOK),
    )
    def test_a_declined_charge_is_found_as_declined(self) -> None:
        attempt = self.shop.attempt(card=self.world.store_card(CardKind.DECLINED_SOFT))
        made = self.settled_charge(attempt)
        self.shop.settle()
        by_reference = self.shop.find_charge(attempt, made.reference) if made.reference else None
        for found in (self.found_charge(attempt), by_reference):
            self.expect(
                found is None or found.outcome is Outcome.DECLINED,
                f"a declined charge is found as {found.outcome.name if found else ''}",
            )
        self.moved()

    @case(
        "LOOKUP-06",
        claim="an attempt that was lost on its way is not found as a success",
        why="A sale in the ledger for which no money ever came.",
        fix="Believe the provider's records only.",
        needs=(Need.LOOKUP, Need.BOOK),
    )
    def test_what_was_lost_on_its_way_is_no_success(self) -> None:
        attempt = self.shop.attempt()
        self.world.break_line(_LOST_BEFORE)
        self.shop.charge(attempt)
        self.world.break_line(None)
        self.shop.settle()
        found = self.found_charge(attempt)
        taken = self.shop.captured()
        self.expect(
            found is None or found.outcome is not Outcome.SUCCEEDED or taken == (attempt.amount,),
            "a charge that never reached the provider is found as a success",
        )
        self.expect(len(taken) <= 1, f"looking took {len(taken)} payments")

    @case(
        "LOOKUP-07",
        claim="one attempt is never taken for another",
        why="Two customers with the same amount on the same day are the rule, not the exception.",
        fix="Compare the whole id of the attempt, not its beginning, the amount or the time.",
        needs=(Need.LOOKUP, Need.BOOK),
    )
    def test_one_attempt_is_not_taken_for_another(self) -> None:
        card = self.world.store_card()
        attempts = [self.shop.attempt(card=card) for _ in range(3)]
        made = [self.settled_charge(attempt) for attempt in attempts]
        self.shop.settle()
        for attempt, result in zip(attempts, made, strict=True):
            found = self.found_charge(attempt)
            self.expect(
                found is not None and found.reference == result.reference,
                f"looking for {result.reference!r} finds {found.reference if found else None!r}",
            )
