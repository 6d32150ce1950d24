"""A safe few cases against a provider's real sandbox: what can be told without a book, with one test card.

Never with a live key: :func:`live_suite` refuses an account that is not certainly in test mode. The requests go over the
network by the real driver; time is real, so a pending result is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs

from ...clock import SystemClock
from ...drivers import HttpSettings, SyncDriver
from ...errors import ConfigurationError, WebhookRejected
from ...flow import Request, Response, sleep
from ...ids import new_id
from ...money import Money
from ...plugins.manager import Plugins
from ...provider import ChargeRequest, ChargeResult, Mode, Outcome, RefundRequest, Webhook
from ..emulators import CardKind, Wish
from .acting import Acting
from .case import CaseFailed, NotApplicable, case
from .needs import Need
from .world import World

__all__ = ["LiveSuite", "live_suite"]

#: Seconds between two looks at a pending result, and how often to look.
_PAUSE, _LOOKS = 2.0, 15

_CLOCK = SystemClock()


class _Sandbox(World):
    """The provider's own sandbox, over the network."""

    has_wire: ClassVar[bool] = False

    def __init__(self, provider: Any, card: str | None, http: HttpSettings | None) -> None:
        super().__init__()
        self.provider = provider
        self._card = card
        self._driver = SyncDriver(_CLOCK, settings=http)
        if getattr(provider, "clock", False) is None:
            provider.clock = _CLOCK

    def pass_time(self, seconds: float) -> None:
        async def wait() -> None:
            await sleep(min(seconds, _PAUSE))

        self.run(wait())

    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        if self._card is None or card is not CardKind.GOOD:
            raise NotApplicable("name a stored test card: --card CREDENTIAL")
        return self._card

    def wish(self, wish: Wish, *, credential: str) -> None:  # noqa: ARG002 - the base names it
        raise NotApplicable("a sandbox does not do as it is told")

    def approve(self, reference: str, *, passed: bool = True) -> None:  # noqa: ARG002 - the base names it
        raise NotApplicable("nobody finishes a page here")

    def deliveries(self) -> list[Webhook]:
        return []

    def fresh(self) -> Any:
        return self.provider

    def _mounts(self) -> dict[str, Callable[[Request], Response]]:
        return {}


class LiveSuite(Acting):
    """The cases for a sandbox; made for one account by :func:`live_suite`."""

    card: ClassVar[str | None] = None
    http: ClassVar[HttpSettings | None] = None

    @classmethod
    def new_world(cls) -> World:
        return _Sandbox(cls.provider(), cls.card, cls.http)

    def attempt(self) -> ChargeRequest:
        """A charge as small as is allowed, with an id of its own in every run."""
        charge_id = new_id(_CLOCK.now())
        limits = self.capabilities.amounts[self.shop.currency]
        # other than the one before, for providers that refuse the same amount on the same card
        amount = Money(max(limits.minimum, 100) + int(charge_id[-3:], 16), self.shop.currency)
        return attrs.evolve(
            self.shop.attempt(amount),
            charge_id=charge_id,
            key=self.capabilities.idempotency.key_for(charge_id),
            metadata={"paygate_charge": charge_id},
            requested_at=_CLOCK.now(),
        )

    def ended(self, attempt: ChargeRequest) -> ChargeResult:
        """Charge, and wait for the result as long as is bearable."""
        answer = self.shop.charge(attempt)
        result = answer.result
        if result is None:
            raise CaseFailed(f"the charge ended as {answer}")
        for _ in range(_LOOKS):
            if result.outcome is not Outcome.PENDING or not Need.LOOKUP.declared(self.capabilities):
                break
            self.world.pass_time(_PAUSE)
            result = self.shop.find_charge(attempt, result.reference) or result
        return result

    @case(
        "LIVE-01",
        claim="the sandbox answers, and takes the credentials",
        why="Everything else would fail for this reason.",
        fix="Check the settings of the account, and that the machine reaches the provider.",
    )
    def test_the_sandbox_answers(self) -> None:
        if not self.shop.has("ping"):
            raise NotApplicable("the plugin has no ping")
        self.expect(isinstance(self.shop.ask("ping"), str), "ping does not answer a text")

    @case(
        "LIVE-02",
        claim="a forged webhook is rejected",
        why="It needs no network, and must not use it.",
        fix="See CORE-18.",
        needs=Need.WEBHOOKS,
    )
    def test_a_forged_webhook_is_rejected(self) -> None:
        try:
            events = self.shop.receive(Webhook({"authorization": "guessed", "stripe-signature": "t=1,v1=00"}, b"{}"))
        except WebhookRejected:
            return
        raise CaseFailed(f"a forged webhook was read as {events!r}")

    @case(
        "LIVE-03",
        claim="a stored card that does not exist is declined",
        why="What the documents call an error, the sandbox may answer with another code.",
        fix="Map what it answers to a decline of class HARD.",
    )
    def test_an_unknown_card_is_declined(self) -> None:
        known = self.world.store_card()
        strange = known[:-4] + ("0000" if not known.endswith("0000") else "1111")
        answer = self.shop.charge(attrs.evolve(self.attempt(), credential=strange))
        self.expect(answer.outcome is Outcome.DECLINED, f"a card that nobody knows: {answer}")

    @case(
        "LIVE-04",
        claim="a charge on the test card succeeds, and is found by its attempt",
        why="It is the plugin's whole purpose, against the real thing.",
        fix="See CHARGE-01 and LOOKUP-01; compare the recorded exchange with the provider's documents.",
    )
    def test_a_charge_succeeds_and_is_found(self) -> None:
        attempt = self.attempt()
        result = self.ended(attempt)
        said = f"{result.outcome.name} {result.code or ''}".strip()
        self.expect(result.outcome is Outcome.SUCCEEDED, f"a charge of {attempt.amount} ended as {said}")
        self.expect(result.reference, "the charge has no reference")
        if Need.LOOKUP.declared(self.capabilities):
            found = self._looked_for(attempt)
            self.expect(
                found is not None and found.reference == result.reference, "looking finds another charge, or none"
            )

    @case(
        "LIVE-05",
        claim="a repeat under the same key is the same charge",
        why="Emulators do what documents say about keys; sandboxes do what the provider does.",
        fix="See CHARGE-06.",
        needs=Need.KEYS,
    )
    def test_a_repeat_is_the_same_charge(self) -> None:
        attempt = self.attempt()
        first, second = self.ended(attempt), self.ended(attempt)
        self.expect(first.reference is not None, "the charge has no reference")
        self.expect(first.reference == second.reference, "the repeat under the same key made another charge")

    @case(
        "LIVE-06",
        claim="a charge is refunded, and not a second time",
        why="Whatever was charged for the test goes back, and the limit holds.",
        fix="See REFUND-01 and REFUND-03.",
        needs=Need.REFUNDS,
    )
    def test_a_charge_is_refunded_once(self) -> None:
        attempt = self.attempt()
        charge = self.ended(attempt)
        self.expect(charge.outcome is Outcome.SUCCEEDED, f"the charge to be refunded ended as {charge.outcome.name}")
        made = self.shop.refund(self._refund_of(charge, attempt.amount))
        self.expect(made.outcome in {Outcome.SUCCEEDED, Outcome.PENDING}, f"the refund: {made}")
        again = self.shop.refund(self._refund_of(charge, attempt.amount))
        self.expect(again.outcome is Outcome.DECLINED, f"the same charge refunded again: {again}")

    def _refund_of(self, charge: ChargeResult, amount: Money) -> RefundRequest:
        refund_id = new_id(_CLOCK.now())
        return attrs.evolve(
            self.shop.refund_attempt(charge, amount, amount),
            refund_id=refund_id,
            key=self.capabilities.idempotency.key_for(refund_id),
            metadata={"paygate_refund": refund_id},
            requested_at=_CLOCK.now(),
        )

    def _looked_for(self, attempt: ChargeRequest) -> ChargeResult | None:
        for _ in range(_LOOKS):
            if (found := self.shop.find_charge(attempt)) is not None:
                return found
            self.world.pass_time(_PAUSE)
        return None


def live_suite(
    account: str, provider: Any, *, modes: Mapping[str, Mode], card: str | None, http: HttpSettings | None = None
) -> type[LiveSuite]:
    """The suite for one configured account.

    :param modes: what the configuration says about accounts whose provider cannot tell.
    :param card: a stored credential of the sandbox, to be charged small amounts.
    :raises ConfigurationError: the account is in live mode, or nobody says that it is not. Nothing was sent.
    """
    given = {name: mode for name, mode in modes.items() if name == account}
    mode = Plugins({account: provider}, modes=given).account(account).mode
    if mode is Mode.LIVE:
        raise ConfigurationError(
            f"account {account!r} is in live mode: a check would move real money; nothing was sent"
        )
    if mode is None:
        raise ConfigurationError(
            f'nobody says whether account {account!r} is for tests: write mode = "test" in its table; nothing was sent'
        )
    return type("LiveCheck", (LiveSuite,), {"provider": staticmethod(lambda: provider), "card": card, "http": http})
