"""The ground that all cases stand on: the suite's attributes, the shop, and how a case that needs too much turns round."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ...errors import CapabilityNotSupported, Refused
from ...money import Money
from ...plugins.declared import required_hooks
from ...provider import (
    Capabilities,
    ChargeResult,
    CredentialRequest,
    LookupRequest,
    Outcome,
    SubscriptionPayment,
    Webhook,
)
from ..emulators import Emulator
from .case import Case, CaseFailed, NotApplicable
from .needs import Need
from .shop import Shop
from .wire import STATUS_FIELDS
from .world import Bare, Emulated, Setup, World

__all__ = ["Cases"]


class Cases:
    """Base of the groups of cases. A suite is a subclass of all of them; see :class:`.ProviderConformance`.

    Every case has a world of its own, made when the case first asks for it.
    """

    #: The provider's class, or a callable without arguments that makes one.
    provider: ClassVar[Any]
    #: Its emulator; without one the cases that need to know what money moved do not apply.
    emulator: ClassVar[type[Emulator] | None] = None
    #: Settings beside those that the emulator knows.
    settings: ClassVar[Mapping[str, Any]] = {}
    #: Names of the JSON fields in which this provider puts a status.
    status_fields: ClassVar[Sequence[str]] = STATUS_FIELDS

    #: A stored credential in the form that the provider takes; the emulator's own where there is one.
    credential: ClassVar[str] = "card-9f3a-nobody-knows"

    #: The undeclared capability for which this case has turned round, see :meth:`unmet`.
    turned: Need | None = None

    @functools.cached_property
    def world(self) -> World:
        """The world of this case."""
        return self.new_world()

    @functools.cached_property
    def shop(self) -> Shop:
        """The shop of this case."""
        return Shop(self.world)

    @property
    def capabilities(self) -> Capabilities:
        """What the provider declares."""
        return self.shop.capabilities

    def teardown_method(self) -> None:
        """Let go of the world, where one was made; called by pytest and by the runner."""
        if "world" in vars(self):
            self.world.close()

    @classmethod
    def new_world(cls) -> World:
        """Another world like this case's, untouched."""
        from .faked import Faked, makes_fake  # noqa: PLC0415 - fakes load when they are wanted

        provider: Callable[..., Any] = inspect.getattr_static(cls, "provider")
        setup = Setup(provider, cls.emulator, cls.settings, cls.status_fields, cls.credential)
        if setup.emulator is not None:
            return Emulated(setup)
        return Faked(setup) if makes_fake(setup) else Bare(setup)

    @staticmethod
    def expect(holds: object, otherwise: str) -> None:
        """Fail the case with *otherwise* unless *holds*.

        :raises CaseFailed: it does not hold.
        """
        if not holds:
            raise CaseFailed(otherwise)

    def calls_of_declared_hooks(self) -> list[tuple[str, dict[str, Any]]]:
        """A plausible call of every hook that is declared, and of ``ping`` where there is one."""
        hooks = [*required_hooks(self.capabilities), *(["ping"] if self.shop.has("ping") else [])]
        return [(hook, arguments) for hook in hooks for arguments in self._asked(hook)]

    # --- what a case needs -------------------------------------------------------------------------------------------

    def unmet(self, declared: Case) -> Need | None:
        """The undeclared capability that the case needs, after every hook of it has refused; None: the case is to run.

        :raises NotApplicable: there is nothing to try.
        :raises CaseFailed: a hook did not refuse.
        """
        for need in declared.needs:
            if not need.declared(self.capabilities):
                if not need.hooks:
                    raise NotApplicable(f"the provider does not declare {need.value}")
                self.refuses(need)
                return need
            if (need is Need.BOOK and self.world.book is None) or (
                need is Need.EMULATOR and not isinstance(self.world, Emulated)
            ):
                raise NotApplicable(f"needs {need.value}; name one: emulator = …")
            if need is Need.WIRE and not self.world.has_wire:
                raise NotApplicable(f"needs {need.value}")
        return None

    def refuses(self, need: Need) -> None:
        """Hold that every hook of the undeclared capability *need* refuses with nothing sent and no money moved."""
        for hook in need.hooks:
            for arguments in self._asked(hook, need):
                before = self.world.sent, len(self.shop.captured()), len(self.shop.refunded())
                error = self._refusal(hook, arguments)
                self.expect(
                    isinstance(error, CapabilityNotSupported)
                    or (need is Need.PARTIAL_REFUNDS and isinstance(error, Refused)),
                    f"{need.value} are not declared, but {hook} {_said(error)}; it has to raise CapabilityNotSupported",
                )
                after = self.world.sent, len(self.shop.captured()), len(self.shop.refunded())
                self.expect(
                    after == before, f"{need.value} are not declared, but {hook} sent something before it refused"
                )

    def _refusal(self, hook: str, arguments: Mapping[str, Any]) -> BaseException | None:
        if getattr(self.world.provider, hook, None) is None:
            return CapabilityNotSupported("a module without this hook has nothing to refuse with")
        try:
            self.shop.ask(hook, **arguments)
        except Exception as exc:  # noqa: BLE001 - any error but the right one fails the case
            return exc
        return None

    def _asked(self, hook: str, need: Need | None = None) -> list[dict[str, Any]]:
        """Plausible arguments of *hook*: whoever does not refuse them has something to send."""
        match hook:
            case "ping":
                return [{}]
            case "charge":
                return [{"request": self.shop.attempt()}]
            case "refund":
                charged = self.shop.amount()
                amount = (
                    Money(max(charged.minor // 2, 1), charged.currency) if need is Need.PARTIAL_REFUNDS else charged
                )
                result = ChargeResult(Outcome.SUCCEEDED, "a-charge-that-was-made")
                return [{"request": self.shop.refund_attempt(result, amount, charged)}]
            case "find_charge":
                attempt = self.shop.attempt()
                return [{"request": LookupRequest(attempt)}, {"request": LookupRequest(attempt, "a-charge")}]
            case "find_refund":
                charged = self.shop.amount()
                result = ChargeResult(Outcome.SUCCEEDED, "a-charge-that-was-made")
                refund = self.shop.refund_attempt(result, charged, charged)
                return [{"request": LookupRequest(refund)}, {"request": LookupRequest(refund, "a-refund")}]
            case "parse_webhook":
                return [{"webhook": Webhook({}, b"{}")}]
            case "start_recurring":
                return [{"request": self.shop.subscription()}]
            case "begin_checkout":
                return [{"request": self.shop.checkout_request()}]
            case "complete_checkout":
                return [{"reference": "a-checkout"}]
            case "describe_card" | "revoke_card":
                return [{"request": CredentialRequest(self.world.store_card())}]
        start = self.shop.subscription()
        if hook == "change_recurring_payment":
            new = self.world.store_another(start.credential)
            return [{"request": SubscriptionPayment(start.contract_id, start.credential, new, "a-subscription")}]
        return [{"request": self.shop.own_subscription(start, "a-subscription")}]


def _said(error: BaseException | None) -> str:
    return "went ahead" if error is None else f"raised {type(error).__name__}: {error}"
