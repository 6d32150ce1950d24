"""FAULT, third part: look-ups and webhooks whose reading is disturbed."""

from __future__ import annotations

from collections.abc import Callable

from ....errors import PaygateError
from ....provider import ChargeResult, EventKind, Lookup, Outcome, ProviderEvent, RefundResult, Webhook
from ...emulators import CardKind
from ..acting import Acting
from ..case import CaseFailed, case
from ..needs import Need
from ..shop import A_WHILE
from ..wire import On, Strike, Trouble

__all__ = ["BrokenReading"]

_STRIKES = tuple(Strike(trouble, trouble.moments[-1], On.ALL, once) for trouble in Trouble for once in (True, False))


class BrokenReading(Acting):
    """What is read over a broken line is the truth, or nothing; never a guess."""

    @case(
        "FAULT-21",
        claim="a look-up of a charge on a broken line tells the truth, or nothing",
        why="An error page that counts as 'no such charge' lets paygate charge again.",
        fix="Raise ProviderUnavailable where the answer is not the provider's own; the driver does for lost answers.",
        needs=(Need.LOOKUP, Need.BOOK, Need.WIRE),
    )
    def test_a_disturbed_look_up_of_a_charge(self) -> None:
        good = self.shop.attempt()
        made = self.settled_charge(good)
        bad = self.shop.attempt(card=self.world.store_card(CardKind.DECLINED_SOFT))
        declined = self.settled_charge(bad)
        self.shop.settle()
        before = self.shop.captured()
        for strike in _STRIKES:
            for attempt, reference, truth in (
                (good, None, Outcome.SUCCEEDED),
                (good, made.reference, Outcome.SUCCEEDED),
                (bad, None, Outcome.DECLINED),
                (bad, declined.reference, Outcome.DECLINED),
            ):
                self._tells_the_truth(
                    strike,
                    lambda attempt=attempt, reference=reference: self.shop.find_charge(attempt, reference),  # type: ignore[misc]
                    truth,
                    self.capabilities.lookup,
                )
        self.moved(before=before)

    @case(
        "FAULT-22",
        claim="a look-up of a refund on a broken line tells the truth, or nothing",
        why="A refund that counts as missing is made a second time.",
        fix="Raise ProviderUnavailable where the answer is not the provider's own.",
        needs=(Need.REFUNDS, Need.REFUND_LOOKUP, Need.BOOK, Need.WIRE),
    )
    def test_a_disturbed_look_up_of_a_refund(self) -> None:
        charge, amount = self.charged()
        attempt = self.shop.refund_attempt(charge, amount, amount)
        made = self.settled_refund(attempt)
        self.shop.settle()
        for strike in _STRIKES:
            for reference in (None, made.reference):
                self._tells_the_truth(
                    strike,
                    lambda reference=reference: self.shop.find_refund(attempt, reference),  # type: ignore[misc]
                    Outcome.SUCCEEDED,
                    self.capabilities.refund_lookup,
                )
        self.returned(amount)

    @case(
        "FAULT-23",
        claim="a webhook whose resource cannot be read just now is delivered again, or tells the truth",
        why="Answering it with 200 and a guess loses the only notice that there will be.",
        fix="Let ProviderUnavailable pass out of parse_webhook; the endpoint then asks for another delivery.",
        needs=(Need.WEBHOOKS, Need.NOTIFIED, Need.BOOK, Need.WIRE),
    )
    def test_a_webhook_read_over_a_broken_line(self) -> None:
        for strike in _STRIKES:
            for card, truth in ((CardKind.GOOD, Outcome.SUCCEEDED), (CardKind.DECLINED_SOFT, Outcome.DECLINED)):
                attempt = self.shop.attempt(card=self.world.store_card(card))
                if self.shop.charge(attempt).outcome is Outcome.PENDING:
                    self.world.pass_time(A_WHILE)
                for webhook in self.world.deliveries():  # read while they are fresh: old ones are rejected unread
                    for event in self._read_under(strike, webhook):
                        said = event.charge.outcome if event.kind is EventKind.CHARGE and event.charge else truth
                        honest = said in {truth, Outcome.PENDING, Outcome.UNKNOWN}
                        self.expect(honest, f"{strike}: a charge that ended as {truth.name} is told as {said.name}")

    def _read_under(self, strike: Strike, webhook: Webhook) -> list[ProviderEvent]:
        """What the plugin reads in *webhook* while the line is broken; nothing where it says that it cannot."""
        self.world.break_line(strike, "parse_webhook")
        try:
            return self.shop.receive(webhook)
        except PaygateError:
            return []
        except Exception as exc:
            raise CaseFailed(f"{strike}: parse_webhook raised {type(exc).__name__}: {exc}") from exc
        finally:
            self.world.break_line(None)

    def _tells_the_truth(
        self, strike: Strike, look: Callable[[], ChargeResult | RefundResult | None], truth: Outcome, declared: Lookup
    ) -> None:
        self.world.break_line(strike, "find_charge")
        try:
            found = look()
        except PaygateError:
            return
        except CaseFailed:
            raise
        except Exception as exc:
            raise CaseFailed(f"{strike}: the look-up raised {type(exc).__name__}: {exc}") from exc
        finally:
            self.world.break_line(None)
        if found is None:
            self.expect(
                declared is not Lookup.AUTHORITATIVE, f"{strike}: nothing is found, which is declared to be a proof"
            )
            return
        honest = found.outcome in {truth, Outcome.PENDING, Outcome.UNKNOWN, Outcome.NOT_SENT}
        self.expect(honest, f"{strike}: {truth.name} is looked up as {found.outcome.name}")
