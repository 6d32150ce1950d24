"""CHARGE: money moves exactly as asked, once, and the answer says so. Counted in the book."""

from __future__ import annotations

import datetime as dt

from ....money import EXPONENTS, Money
from ....provider import ChargeRequest, Outcome, Results
from ...emulators import CardKind, Wish, WishKind
from ..acting import Acting, shown
from ..case import NotApplicable, case
from ..needs import Need

__all__ = ["Charges"]

_ABSENT = {"USD", "EUR", "JPY", "KRW"}


class Charges(Acting):
    """Successes, amounts and currencies, pending results."""

    @case(
        "CHARGE-01",
        claim="a charge takes exactly the amount that was asked for, once",
        why="It is what everything else is about.",
        fix="Send request.amount.minor in the unit that the provider takes, one request per charge.",
        needs=Need.BOOK,
    )
    def test_a_charge_takes_the_amount_once(self) -> None:
        attempt = self.shop.attempt()
        final = self.settled_charge(attempt)
        self.expect(final.outcome is Outcome.SUCCEEDED, f"a charge on a good card ended as {final.outcome.name}")
        self.moved(attempt.amount)

    @case(
        "CHARGE-02",
        claim="every declared currency is charged in its own minor units",
        why="Yen have no minor unit and dollars have two: a factor of a hundred is the classic of payment mistakes.",
        fix="Money.minor is in minor units already. Convert it only where the provider takes something else.",
        needs=Need.BOOK,
    )
    def test_every_currency_is_charged_in_its_minor_units(self) -> None:
        for currency in self.capabilities.amounts:
            amount = self.shop.amount(currency)
            attempt = self.shop.attempt(amount)
            before = self.shop.captured()
            final = self.settled_charge(attempt)
            self.expect(final.outcome is Outcome.SUCCEEDED, f"a charge of {amount} ended as {final.outcome.name}")
            self.moved(amount, before=before)

    @case(
        "CHARGE-03",
        claim="a currency that is not declared never moves money in another one",
        why="1,050 dollars that are charged as 1,050 yen, or the other way round, are found out by the customer.",
        fix="Send the currency along, and refuse what you do not declare before anything is sent.",
        needs=Need.BOOK,
    )
    def test_an_undeclared_currency_moves_nothing_else(self) -> None:
        for currency in sorted(_ABSENT - set(self.capabilities.amounts)):
            amount = Money(1050 * 10 ** EXPONENTS[currency], currency)
            before = self.shop.captured()
            answer = self.shop.charge(self.shop.attempt(amount))
            self.shop.settle()
            taken = self.shop.captured()[len(before) :]
            self.expect(taken in {(), (amount,)}, f"asked for {amount}, the book shows {shown(taken)}")
            self.expect(
                taken or answer.outcome is not Outcome.SUCCEEDED, f"{amount} counts as charged, and nothing moved"
            )

    @case(
        "CHARGE-04",
        claim="the answer names the charge, its amount and when it succeeded",
        why="Refunds, look-ups and webhooks need the reference; the expiry counts from the instant (R-201).",
        fix="ChargeResult.succeeded(reference, amount=…, charged_at=…) with an aware instant in UTC, or none.",
        needs=Need.BOOK,
    )
    def test_a_success_names_what_was_charged(self) -> None:
        attempt = self.shop.attempt()
        began = self.world.clock.now()
        result = self.settled_charge(attempt)
        self.expect(result.reference, "the charge succeeded without a reference")
        book = self.world.book
        known = {row.reference for row in book.captures} if book else set()
        self.expect(result.reference in known, f"the provider knows no charge {result.reference!r}")
        self.expect(result.amount in {None, attempt.amount}, f"{attempt.amount} was asked for, not {result.amount}")
        if result.charged_at is not None:
            self.expect(result.charged_at.tzinfo is not None, "charged_at has no time zone")
            late = result.charged_at - began
            near = dt.timedelta(minutes=-1) <= late <= self.world.clock.now() - began + dt.timedelta(minutes=1)
            self.expect(near, f"charged_at is {late} after the charge was made")

    @case(
        "CHARGE-05",
        claim="two attempts are two charges",
        why="A plugin that remembers the last answer, or makes keys from amounts, swallows the second sale.",
        fix="Keep no state between calls; take the key from the request.",
        needs=Need.BOOK,
    )
    def test_two_attempts_are_two_charges(self) -> None:
        card = self.world.store_card()
        first, second = self.shop.attempt(card=card), self.shop.attempt(card=card)
        results = [self.settled_charge(first), self.settled_charge(second)]
        self.expect(all(one.outcome is Outcome.SUCCEEDED for one in results), "two charges did not both succeed")
        self.expect(results[0].reference != results[1].reference, "two charges have the same reference")
        self.moved(first.amount, second.amount)

    @case(
        "CHARGE-06",
        claim="a repeat under the same key moves the money once, at once and an hour later",
        why="The driver repeats a request whose answer was lost wherever keys are declared.",
        fix="Send request.key; declare IdempotencyKind.NONE if the provider has no keys.",
        needs=(Need.KEYS, Need.BOOK),
    )
    def test_a_repeat_under_the_same_key_charges_once(self) -> None:
        attempt = self.shop.attempt()
        for wait in (0.0, 5.0, 3600.0):
            self.shop.settle(wait)
            self.expect(
                self.shop.charge(attempt).outcome not in {Outcome.DECLINED, Outcome.NOT_SENT},
                "the repeat of a successful charge says that nothing was charged",
            )
        self.shop.settle()
        self.moved(attempt.amount)

    @case(
        "CHARGE-07",
        claim="a charge that stays open is pending, neither a success nor a decline",
        why="Goods for a payment that may still fail, or a dunning mail for one that may still succeed.",
        fix="Map the provider's open states to ChargeResult.pending(reference).",
        needs=Need.BOOK,
    )
    def test_an_open_charge_is_pending(self) -> None:
        attempt = self.shop.attempt(card=self.world.store_card(CardKind.PENDING))
        answer = self.shop.charge(attempt)
        self.expect(answer.outcome is Outcome.PENDING, f"a charge that stays open was read as {answer}")
        self.moved()

    @case(
        "CHARGE-08",
        claim="a pending charge is settled by looking it up",
        why="It is how a charge ends whose webhook never comes.",
        fix="find_charge by request.reference reads the resource and maps its state like charge does.",
        needs=(Need.LOOKUP, Need.BOOK),
    )
    def test_a_pending_charge_is_settled_by_looking(self) -> None:
        attempt = self._opened(seconds=60)
        answer = self.shop.charge(attempt)
        reference = answer.result.reference if answer.result else None
        self.shop.settle(120.0)
        found = self.shop.find_charge(attempt, reference)
        self.expect(found is not None, "the pending charge is not found any more")
        self.expect(
            found is None or found.outcome is Outcome.SUCCEEDED,
            f"the charge has succeeded, the look-up says {found.outcome.name if found else None}",
        )
        self.moved(attempt.amount)

    @case(
        "CHARGE-09",
        claim="a pending charge is settled by its webhook, before or after the look-up, to the same result",
        why="Notices overtake answers. Whatever comes first has to tell the same story about the same charge.",
        fix="Give events of kind CHARGE the attempt's id from the metadata, and the result that a look-up gives.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK),
    )
    def test_webhook_and_look_up_tell_the_same_in_both_orders(self) -> None:
        for webhook_first in (True, False):
            attempt = self._opened(seconds=60)
            answer = self.shop.charge(attempt)
            reference = answer.result.reference if answer.result else None
            self.shop.settle(120.0)
            told = self.told_of(attempt, reference) if webhook_first else None
            found = self.shop.find_charge(attempt, reference) if Need.LOOKUP.declared(self.capabilities) else None
            told = told or self.told_of(attempt, reference)
            self.expect(told is not None, "no webhook tells that the pending charge has succeeded")
            if told is not None:
                self.expect(told.outcome is Outcome.SUCCEEDED, f"the webhook says {told.outcome.name}")
                self.expect(
                    found is None or (found.outcome, found.reference) == (told.outcome, told.reference),
                    "webhook and look-up tell of different charges or results",
                )

    @case(
        "CHARGE-10",
        claim="a charge that waits for the customer says where the customer has to go",
        why="Without the link nobody can finish it, and it stays open until the provider gives it up.",
        fix="ChargeResult.pending(reference, action_url=…); without a link it is a decline of class ACTION.",
        needs=Need.BOOK,
    )
    def test_an_action_has_a_link(self) -> None:
        attempt = self.shop.attempt(card=self.world.store_card(CardKind.ACTION_REQUIRED))
        answer = self.shop.charge(attempt)
        self.moved()
        if answer.outcome is Outcome.DECLINED:
            declined = answer.result.decline if answer.result else None
            self.expect(declined is not None and declined.value == "action", "a decline that is not of class ACTION")
            return
        self.expect(answer.outcome is Outcome.PENDING, f"a charge that waits for the customer was read as {answer}")
        if answer.result is not None:
            link = answer.result.action_url or ""
            self.expect(link.startswith(("https://", "http://127.0.0.1")), f"the customer has no link: {link!r}")

    @case(
        "CHARGE-11",
        claim="once the customer has finished, the charge ends as they left it",
        why="A confirmed payment that is never noticed is money without goods.",
        fix="Read the state anew in find_charge and in parse_webhook; the answer to charge is history by then.",
        needs=(Need.LOOKUP, Need.BOOK),
    )
    def test_a_finished_action_ends_the_charge(self) -> None:
        for passed in (True, False):
            attempt = self.shop.attempt(card=self.world.store_card(CardKind.ACTION_REQUIRED))
            answer = self.shop.charge(attempt)
            reference = answer.result.reference if answer.result else None
            if answer.outcome is not Outcome.PENDING or reference is None:
                raise NotApplicable("a charge that needs the customer is a decline here")
            before = self.shop.captured()
            self.world.approve(reference, passed=passed)
            self.shop.settle(120.0)
            found = self.shop.find_charge(attempt, reference)
            expected = Outcome.SUCCEEDED if passed else Outcome.DECLINED
            said = found.outcome.name if found else "nothing"
            self.expect(
                found is not None and found.outcome is expected,
                f"the customer {'agreed' if passed else 'failed'}, the look-up says {said}",
            )
            self.moved(*((attempt.amount,) if passed else ()), before=before)

    @case(
        "CHARGE-12",
        claim="where results are declared as immediate, an ordinary charge is answered with its result",
        why="A shop waits at the till for an answer that it was promised.",
        fix="Declare Results.POLLED or NOTIFIED only, or wait for the result within the flow.",
        needs=Need.BOOK,
    )
    def test_immediate_results_are_immediate(self) -> None:
        if Results.IMMEDIATE not in self.capabilities.results:
            raise NotApplicable("results are not declared as immediate")
        answer = self.shop.charge()
        self.expect(answer.outcome is Outcome.SUCCEEDED, f"an ordinary charge was answered with {answer}")

    @case(
        "CHARGE-13",
        claim="amounts that floating point cannot hold are charged to the last unit",
        why="1,003 / 100 * 100 is 1,002.9999999999999, and somebody cuts it off.",
        fix="Reckon in whole minor units; where the provider wants decimals, use decimal.Decimal or divmod.",
        needs=Need.BOOK,
    )
    def test_no_amount_is_lost_in_floats(self) -> None:
        limits = self.capabilities.amounts[self.shop.currency]
        for minor in (1003, 1606, 1699, 4358, 9031, 16_373, 100_447):
            if limits.minimum <= minor <= (limits.maximum or minor):
                amount = Money(minor, self.shop.currency)
                before = self.shop.captured()
                self.settled_charge(self.shop.attempt(amount))
                self.moved(amount, before=before)

    @case(
        "CHARGE-14",
        claim="on asyncio and on trio a charge takes the amount once, and a repeat under its key nothing more",
        why="AsyncGateway runs the very same flows; what works in a thread has to work there.",
        fix="Await only paygate.flow, and keep nothing that belongs to an event loop or a thread.",
        needs=Need.BOOK,
    )
    def test_a_charge_on_asyncio_and_on_trio(self) -> None:
        for backend in ("asyncio", "trio"):
            attempt = self.shop.attempt()
            before = self.shop.captured()
            for _ in range(2 if Need.KEYS.declared(self.capabilities) else 1):
                result = self.world.run_on(backend, self.shop.flow("charge", request=attempt))
                self.expect(
                    result.outcome in {Outcome.SUCCEEDED, Outcome.PENDING},
                    f"{backend}: a charge on a good card is {result.outcome.name}",
                )
            self.shop.settle()
            self.moved(attempt.amount, before=before)

    def _opened(self, seconds: int) -> ChargeRequest:
        card = self.world.store_card()
        self.world.wish(Wish(WishKind.PENDING, seconds=seconds), credential=card)
        return self.shop.attempt(card=card)
