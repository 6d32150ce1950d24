"""SUBSCRIPTION: the provider charges the periods by itself, and paygate is told of every one."""

from __future__ import annotations

import datetime as dt

from ....clock import business_date
from ....errors import ChargeDeclined, PaygateError, ProviderError
from ....provider import EventKind, Outcome, SubscriptionStart
from ...emulators import CardKind
from ..case import CaseFailed, NotApplicable, case
from ..needs import Need
from ..recurring import Recurring
from ..wire import On, Strike, Trouble, When

__all__ = ["Subscriptions"]

_STARTS = (Need.STARTS_SUBSCRIPTIONS, Need.BOOK)
_MONTH = 31


class Subscriptions(Recurring):
    """Starting, renewing, failing, ending, stopping and resuming."""

    @case(
        "SUBSCRIPTION-01",
        claim="a started subscription charges the first period, and a renewal event tells of it",
        why="The contract becomes active by this event, and by nothing else.",
        fix="Put the contract's id in the subscription's metadata, and read it into ProviderEvent.contract_id.",
        needs=_STARTS,
    )
    def test_the_first_period_is_charged_and_told(self) -> None:
        start, _ = self.started()
        self.live(2)
        self.expect(self.paid(start) == 1, f"two days after the start {self.paid(start)} periods have been charged")
        events = self.renewals(start)
        self.expect(events, "no renewal event names the contract")
        first = events[-1]
        result = first.charge
        self.expect(
            result is not None and result.outcome is Outcome.SUCCEEDED, "the event does not say that it succeeded"
        )
        self.expect(result is None or result.amount in {None, start.price}, "the event names another amount")
        self.expect(first.reference or (result and result.reference), "the event does not name the charge")
        self.expect(first.period_on in {None, start.starts_on}, f"the first period is told as {first.period_on}")

    @case(
        "SUBSCRIPTION-02",
        claim="every month is charged once and told once, with its own period",
        why="A month that is told twice is booked twice; one that is not told leaves a paying customer locked out.",
        fix="Make the event id of the provider's event; take period_on from the charged period, not from today.",
        needs=_STARTS,
    )
    def test_every_month_is_charged_and_told_once(self) -> None:
        start, _ = self.started()
        self.live(2 + 3 * _MONTH)
        told = [event for event in self.renewals(start) if event.charge and event.charge.outcome is Outcome.SUCCEEDED]
        self.expect(self.paid(start) == 4, f"three months after the start {self.paid(start)} periods have been charged")
        charges = {event.reference for event in told}
        self.expect(len(charges) == 4, f"four periods were charged; the events name {len(charges)} charges")
        periods = [event.period_on for event in told if event.period_on is not None]
        self.expect(len(set(periods)) == len(periods), f"two charges are told for one period: {sorted(periods)}")

    @case(
        "SUBSCRIPTION-03",
        claim="starting twice makes one subscription: at once, an hour later, and days after keys are forgotten",
        why="paygate repeats a start whose answer was lost, days later if need be. Two subscriptions charge for ever.",
        fix="Look for the contract's subscription by its metadata before making one; the key alone forgets.",
        needs=_STARTS,
    )
    def test_starting_twice_makes_one_subscription(self) -> None:
        start, reference = self.started()
        for seconds in (0.0, 3600.0, 3 * 86_400.0):
            self.shop.settle(seconds)
            again = self.start(start)
            self.expect(again == reference, "the repeated start answers another subscription")
        self.live(_MONTH)
        self.expect(self.paid(start) == 2, f"after a month and two starts {self.paid(start)} periods have been charged")

    @case(
        "SUBSCRIPTION-04",
        claim="a start whose answer is lost makes one subscription when it is repeated",
        why="It is the ordinary way in which two subscriptions come about.",
        fix="Let OutcomeUnknown pass, and be safe to repeat.",
        needs=_STARTS,
    )
    def test_a_lost_start_is_repeated_safely(self) -> None:
        for when in When:
            for trouble in (Trouble.TIMEOUT, *((Trouble.ERROR, Trouble.EMPTY) if self.world.has_wire else ())):
                self._started_under(Strike(trouble, when, On.WRITES, once=False))
        if self.world.has_wire:
            self._started_under(Strike(Trouble.TIMEOUT, When.AFTER, On.ALL, once=False))

    @case(
        "SUBSCRIPTION-05",
        claim="a renewal that fails is told as a decline, with whether and when it is tried again",
        why="The customer is asked for another card, and told how long there is (R-145, R-161).",
        fix="RENEWAL events with a declined charge, attempt, retries and next_on.",
        needs=_STARTS,
    )
    def test_a_failed_renewal_is_told(self) -> None:
        start, _ = self.started()
        self.live(2)
        self.world.decline_renewals(start.credential, 1)
        self.live(_MONTH)
        failed = [event for event in self.renewals(start) if event.charge and event.charge.outcome is Outcome.DECLINED]
        self.expect(failed, "no event tells of the renewal that failed")
        for event in failed:
            self.expect(event.charge is None or event.charge.code, "the failed renewal has no code")
            self.expect(event.attempt is None or event.attempt >= 1, f"attempts count from 1, this is {event.attempt}")
            today = business_date(self.world.clock.now())
            self.expect(
                event.next_on is None or event.next_on > start.starts_on + dt.timedelta(days=20),
                f"the next attempt is told for {event.next_on}; today is {today}",
            )

    @case(
        "SUBSCRIPTION-06",
        claim="when the last retry has failed, an event says so, and nothing more is charged",
        why="Without it the contract stays 'being retried' for ever, and the content open (R-150, R-156).",
        fix="retries=False on the last failure, and SUBSCRIPTION_ENDED where the provider ends it.",
        needs=(*_STARTS, Need.EMULATOR),
    )
    def test_the_last_failure_is_told(self) -> None:
        start, _ = self.started()
        self.live(2)
        paid = self.paid(start)
        self.world.decline_renewals(start.credential, 60)
        self.live(_MONTH + 45)
        ended = [
            event
            for event in self.shop.events()
            if event.contract_id == start.contract_id and event.kind is EventKind.SUBSCRIPTION_ENDED
        ]
        last = [
            event
            for event in self.renewals(start)
            if event.charge and event.charge.outcome is Outcome.DECLINED and not event.retries
        ]
        self.expect(ended or last, "no event says that the provider has given up")
        self.expect(self.paid(start) == paid, "money was taken for a period that failed")

    @case(
        "SUBSCRIPTION-07",
        claim="a stopped subscription charges nothing more, and stopping it again is no error",
        why="The customer has cancelled. The next charge is a complaint at the card network.",
        fix="End it at the provider at once; take 'already ended' for success.",
        needs=_STARTS,
    )
    def test_a_stopped_subscription_charges_nothing(self) -> None:
        start, reference = self.started()
        self.live(2)
        self.change("stop_recurring", start, reference)
        self.change("stop_recurring", start, reference)
        self.live(2 * _MONTH)
        self.change("stop_recurring", start, reference)
        self.expect(self.paid(start) == 1, f"after it was stopped {self.paid(start) - 1} periods were charged")

    @case(
        "SUBSCRIPTION-08",
        claim="an ended subscription charges no further renewal, and ending it again is no error",
        why="The customer keeps what is paid for and pays no more (R-130).",
        fix="Let it run out at the end of its period; take 'already ends' for success.",
        needs=_STARTS,
    )
    def test_an_ended_subscription_is_not_renewed(self) -> None:
        start, reference = self.started()
        self.live(2)
        self.change("end_recurring", start, reference)
        self.change("end_recurring", start, reference)
        self.live(2 * _MONTH)
        self.expect(self.paid(start) == 1, f"after it was ended {self.paid(start) - 1} periods were charged")

    @case(
        "SUBSCRIPTION-09",
        claim="a subscription that is resumed before its end renews once a month again",
        why="The customer has changed their mind; a month that is not charged, or charged twice, is found out later.",
        fix="Take the ending back at the provider; resuming what runs is no error.",
        needs=_STARTS,
    )
    def test_a_resumed_subscription_renews_again(self) -> None:
        start, reference = self.started()
        self.live(2)
        self.change("end_recurring", start, reference)
        self.change("resume_recurring", start, reference)
        self.change("resume_recurring", start, reference)
        self.live(2 * _MONTH)
        self.expect(self.paid(start) == 3, f"two months after it was resumed {self.paid(start)} periods were charged")

    @case(
        "SUBSCRIPTION-10",
        claim="stopping one subscription leaves the others alone",
        why="A customer has two contracts and cancels one.",
        fix="Find the subscription by its reference or the contract's id, never by customer or card alone.",
        needs=_STARTS,
    )
    def test_other_subscriptions_are_left_alone(self) -> None:
        card = self.world.store_card()
        first, reference = self.started(card=card)
        second, _ = self.started(card=card)
        self.live(2)
        self.change("stop_recurring", first, reference)
        self.live(_MONTH)
        self.expect(self.paid(first) == 1, "the stopped subscription was charged")
        self.expect(self.paid(second) == 2, f"the other subscription was charged {self.paid(second)} times, not twice")

    @case(
        "SUBSCRIPTION-11",
        claim="a subscription by the quarter is charged by the quarter",
        why="Twelve charges for a yearly plan are found out after the second.",
        fix="Translate request.months into the provider's interval.",
        needs=_STARTS,
    )
    def test_periods_have_their_length(self) -> None:
        start, _ = self.started(months=3)
        self.live(2)
        self.expect(self.paid(start) == 1, f"two days after the start {self.paid(start)} periods were charged")
        self.live(2 * _MONTH)
        self.expect(self.paid(start) == 1, f"within the first quarter {self.paid(start)} periods were charged")
        self.live(_MONTH)
        self.expect(self.paid(start) == 2, f"after three months {self.paid(start)} periods were charged")

    @case(
        "SUBSCRIPTION-12",
        claim="a subscription on a card that is declined takes nothing, and says so",
        why="A contract that counts as paid and never was.",
        fix="Raise ChargeDeclined, or report the failed first charge as a RENEWAL event.",
        needs=(*_STARTS, Need.EMULATOR),
    )
    def test_a_declined_start_takes_nothing(self) -> None:
        start = self.shop.subscription(card=self.world.store_card(CardKind.DECLINED_SOFT))
        declined = False
        try:
            self.start(start)
        except ChargeDeclined as exc:
            declined = True
            self.expect(exc.code, "the decline has no code")
        except ProviderError as exc:
            raise CaseFailed(f"a declined start raised {type(exc).__name__}: {exc}") from exc
        self.live(2)
        told = [event for event in self.renewals(start) if event.charge and event.charge.outcome is Outcome.DECLINED]
        self.expect(self.paid(start) == 0, "money was taken from a card that is declined")
        self.expect(declined or told, "neither an error nor an event says that the first charge failed")

    @case(
        "SUBSCRIPTION-13",
        claim="a stop whose answer is lost is an error, and a stop that is answered has stopped",
        why="The contract is cancelled on the strength of this answer.",
        fix="Raise ProviderError unless the provider has said that it ended; be safe to repeat.",
        needs=(*_STARTS, Need.WIRE),
    )
    def test_a_lost_stop_is_no_stop(self) -> None:
        for trouble in Trouble:
            for when in trouble.moments:
                start, reference = self.started()
                self.live(1)
                before = self.paid(start)
                strike = Strike(trouble, when, On.ALL)
                stopped = self._changed_under(strike, "stop_recurring", start, reference)
                self.live(_MONTH + 1)
                extra = self.paid(start) - before
                self.expect(
                    not stopped or extra == 0,
                    f"{strike}: stop_recurring said nothing, and {extra} periods were charged",
                )
                self.change("stop_recurring", start, reference)

    @case(
        "SUBSCRIPTION-14",
        claim="a renewal of a subscription that started elsewhere is told with its contract and result",
        why="Some providers own the renewals and let nobody start them; what they charge has to be booked all the same.",
        fix="Read the contract's id from what the provider gives back with each payment.",
        needs=(Need.OWN_SUBSCRIPTIONS, Need.WEBHOOKS, Need.BOOK),
    )
    def test_a_renewal_from_elsewhere_is_told(self) -> None:
        start = self.shop.subscription()
        for declined in (False, True):
            self.world.renew(start, declined=declined)
        outcomes = {event.charge.outcome for event in self.renewals(start) if event.charge}
        expected = {Outcome.SUCCEEDED, Outcome.DECLINED}
        self.expect(outcomes == expected, f"a success and a decline are told as {sorted(one.name for one in outcomes)}")
        self.expect(self.paid(start) == 1, f"{self.paid(start)} periods were charged, not one")

    @case(
        "SUBSCRIPTION-15",
        claim="an end whose answer is lost is an error, and an end that is answered lets nothing be renewed",
        why="The customer is told that they will not be charged again.",
        fix="Raise ProviderError unless the provider has said that it will end; be safe to repeat.",
        needs=(*_STARTS, Need.WIRE),
    )
    def test_a_lost_end_is_no_end(self) -> None:
        for trouble in (Trouble.TIMEOUT, Trouble.ERROR, Trouble.HTML, Trouble.EMPTY, Trouble.WRONG_TYPE):
            for when in trouble.moments:
                start, reference = self.started()
                self.live(1)
                before = self.paid(start)
                strike = Strike(trouble, when, On.ALL)
                ended = self._changed_under(strike, "end_recurring", start, reference)
                self.live(_MONTH + 1)
                extra = self.paid(start) - before
                self.expect(
                    not ended or extra == 0, f"{strike}: end_recurring said nothing, and {extra} periods were charged"
                )
                self.change("stop_recurring", start, reference)

    def _started_under(self, strike: Strike) -> None:
        start = self.shop.subscription()
        self.world.break_line(strike, "start_recurring")
        try:
            self.start(start)
        except PaygateError:
            pass
        except (CaseFailed, NotApplicable):
            raise
        except Exception as exc:
            raise CaseFailed(f"{strike}: start_recurring raised {type(exc).__name__}: {exc}") from exc
        finally:
            self.world.break_line(None)
        self.shop.settle()
        self.start(start)
        self.live(2 + _MONTH)
        paid = self.paid(start)
        self.expect(paid == 2, f"{strike}: started again, the first month charged {paid} periods and not 2")

    def _changed_under(self, strike: Strike, hook: str, start: SubscriptionStart, reference: str) -> bool:
        self.world.break_line(strike, hook)
        try:
            self.change(hook, start, reference)
        except PaygateError:
            return False
        except Exception as exc:
            raise CaseFailed(f"{strike}: {hook} raised {type(exc).__name__}: {exc}") from exc
        finally:
            self.world.break_line(None)
        return True
