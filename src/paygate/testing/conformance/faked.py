"""The world of a fake: it is provider, emulator and book in one, and a lost answer is an outcome that it is told to have."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from ...provider import SubscriptionStart, Webhook
from ..emulators import CardKind, Wish, WishKind
from ..fakes import (
    Decline,
    FailLate,
    FakeProvider,
    FakeSettings,
    NeverThere,
    RequireAction,
    StayPending,
    Succeed,
    Vanish,
)
from ..fakes.outcomes import ChargeOutcome
from .case import NotApplicable
from .wire import Strike, Trouble, When
from .world import Setup, World, plain

__all__ = ["Faked", "makes_fake"]

_SECRET = "canary-webhook-secret-2c26b46b68ffc68f"  # noqa: S105 - a canary

_CARDS: dict[CardKind, ChargeOutcome] = {
    CardKind.DECLINED_SOFT: Decline(),
    CardKind.ACTION_REQUIRED: RequireAction(),
    CardKind.PENDING: StayPending(),
}


def makes_fake(setup: Setup) -> bool:
    """Whether the suite's provider is a fake."""
    kind = plain(setup.provider)
    return issubclass(kind, FakeProvider) if inspect.isclass(kind) else isinstance(kind(), FakeProvider)


class Faked(World):
    """A fake, told what to do by its script. It has no line: a request that is lost is :class:`Vanish` here."""

    has_wire: ClassVar[bool] = False

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self._setup = setup
        self.secrets = (_SECRET,)
        self.provider: FakeProvider = self.fresh()
        self._stored = 0
        self._told: list[Webhook] = []

    def fresh(self) -> Any:
        make = plain(self._setup.provider)
        takes_settings = inspect.isclass(make)
        if takes_settings:
            return make(FakeSettings(webhook_secret=_SECRET), clock=self.clock, **self._setup.settings)
        made = make()
        made.clock = self.clock
        return made

    @property
    def sent(self) -> int:
        return len(self.provider.calls)

    @property
    def book(self) -> Any:
        return self.provider.book

    @book.setter
    def book(self, _book: object) -> None:
        """The fake has its own."""

    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        self._stored += 1
        credential = f"tok_conformance_{self._stored}"
        if card is CardKind.REFUND_FAILS:
            self.provider.next_refund(FailLate())
        elif card is CardKind.DECLINED_HARD:
            self.provider.remove_credential(credential)
        elif card in _CARDS:
            self.provider.script_for(credential, _CARDS[card])
        return credential

    def wish(self, wish: Wish, *, credential: str) -> None:
        match wish.kind:
            case WishKind.SUCCEED:
                outcome: ChargeOutcome = Succeed()
            case WishKind.DECLINE:
                outcome = Decline(wish.code)
            case WishKind.ACTION:
                outcome = RequireAction()
            case WishKind.PENDING:
                outcome = StayPending(wish.seconds)
            case WishKind.ERROR:
                raise NotApplicable("a fake has no error state")
        self.provider.script_for(credential, outcome)

    def decline_renewals(self, credential: str, times: int) -> None:  # noqa: ARG002 - a fake's next ones, of any card
        self.provider.script_renewal(*[Decline()] * times)

    def renew(self, start: SubscriptionStart, *, declined: bool) -> None:
        outcome = Decline() if declined else Succeed()
        told = self.provider.renew(start.contract_id, start.credential, start.price, outcome, period_on=start.starts_on)
        self._told.append(told)

    def approve(self, reference: str, *, passed: bool = True) -> None:
        if reference.startswith("checkout_"):
            self.provider.store_card(reference, declined=None if passed else Decline())
        else:
            self.provider.finish(reference, Succeed() if passed else Decline())

    def deliveries(self) -> list[Webhook]:
        told, self._told = self._told, []
        # the notice of a renewal from elsewhere is handed out by itself; the fake queues a plain one beside it
        return [*told, *self.provider.notifications()]

    def break_line(self, strike: Strike | None, hook: str = "charge") -> None:
        if strike is None:
            return
        if strike.trouble is Trouble.REFUSED:
            fault: NeverThere | Vanish = NeverThere()
        elif strike.trouble in {Trouble.TIMEOUT, Trouble.RESET}:
            fault = Vanish(after=strike.when is When.AFTER)
        else:
            raise NotApplicable(f"a fake has no line on which to show {strike.trouble.value}")
        match hook:
            case "charge":
                self.provider.next(fault)
            case "refund":
                self.provider.next_refund(fault)
            case "start_recurring":
                self.provider.script_start(fault)
            case _:
                raise NotApplicable(f"a fake does not lose the answer of {hook}")
