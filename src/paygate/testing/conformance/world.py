"""The world of a provider under test: its clock, its cards, its book of money, and the line to it.

Three worlds can be had: an emulator behind the real driver (:class:`Emulated`), a fake that is a provider by itself
(:mod:`.faked`), and a bare stand-in that understands nothing (:class:`Bare`), for providers without an emulator.
"""

from __future__ import annotations

import abc
import base64
import inspect
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import anyio
import attrs

from ...drivers import AsyncDriver, SyncDriver
from ...errors import ConfigurationError
from ...flow import Flow, Request, Response
from ...provider import SubscriptionStart, Webhook
from ...settings import is_secret
from ..book import Book
from ..clock import ManualClock
from ..emulators import CardKind, Delivery, Emulator, Wish, WishKind
from .case import NotApplicable
from .wire import STATUS_FIELDS, Strike, Wire

__all__ = ["Bare", "Emulated", "Setup", "World", "make_provider", "plain", "secret_values"]

T = TypeVar("T")

#: Where the deliveries of an emulator go; they are handed over in process.
WEBHOOK_TARGET = "https://shop.example/paygate/webhooks"

_SECRET_NAME = re.compile(r"secret|token|password|passwd|pem|(?<!public_)(?<!public)key", re.IGNORECASE)
_SEED = 7


@attrs.frozen
class Setup:
    """What a suite says about its provider.

    :param provider: a provider class, or a callable without arguments that makes a provider.
    :param emulator: where it has one.
    :param settings: settings beside those that the emulator knows; they win.
    :param status_fields: names of the JSON fields that hold a status at this provider.
    :param credential: a stored credential of the right form, for a provider without an emulator.
    """

    provider: Callable[..., Any]
    emulator: type[Emulator] | None = None
    settings: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    status_fields: Sequence[str] = STATUS_FIELDS
    credential: str = attrs.field(default="card-9f3a-nobody-knows", repr=False)


class World(abc.ABC):
    """What the kit can do to a provider, and what it can know of it. Times are seconds of the clock."""

    #: Whether the provider's requests go over a line that can break.
    has_wire: ClassVar[bool] = True

    def __init__(self) -> None:
        self.clock = ManualClock.jst(2026, 1, 15, 12)
        self.provider: Any = None
        #: the truth about money moved; None where nobody knows it
        self.book: Book | None = None
        #: values that may show nowhere
        self.secrets: tuple[str, ...] = ()
        self.wire = Wire(_stray)
        self._driver: SyncDriver | None = None

    @property
    def sent(self) -> int:
        """How many requests have left the provider."""
        return len(self.wire.requests)

    def run(self, flow: Flow[T]) -> T:
        """Run *flow* by the synchronous driver."""
        return self._sync().run(flow)

    def run_on(self, backend: str, flow: Flow[T]) -> T:
        """Run *flow* by the asynchronous driver.

        :param backend: ``"asyncio"`` or ``"trio"``.
        :raises NotApplicable: the event loop's library is not installed.
        """
        driver = AsyncDriver(self.clock, mounts=self._mounts(), rng=random.Random(_SEED))
        try:
            return anyio.run(driver.run, flow, backend=backend)
        except LookupError as exc:  # what anyio says of a backend that cannot be imported
            flow.close()
            raise NotApplicable(f"{backend} is not installed") from exc

    def close(self) -> None:
        """Close the connections of the driver, where there are any."""
        if self._driver is not None:
            self._driver.close()

    def pass_time(self, seconds: float) -> None:
        """Let *seconds* pass and everything happen that is due by then."""
        self.clock.advance(seconds=seconds)

    def spoil_credentials(self) -> None:
        """From now on the provider's secrets arrive wrong, so that the other side refuses them."""
        honest = self.wire.handler

        def spoiled(request: Request) -> Response:
            headers = {name: self._without_secrets(value) for name, value in request.headers.items()}
            body = self._without_secrets(request.body.decode("latin-1")).encode("latin-1")
            return honest(attrs.evolve(request, headers=headers, body=body, url=self._without_secrets(request.url)))

        self.wire.handler = spoiled

    def _without_secrets(self, text: str) -> str:
        for secret in self.secrets:
            encoded = base64.b64encode(f"{secret}:".encode()).decode()  # as the user name of HTTP Basic
            for form in (secret, encoded):
                text = text.replace(form, form[::-1])
        return text

    def break_line(self, strike: Strike | None, hook: str = "charge") -> None:  # noqa: ARG002 - for worlds without a line
        """Break the line by *strike*, or make it whole.

        :param hook: what is going to be called.
        :raises NotApplicable: this world cannot show that.
        """
        self.wire.break_by(strike)

    @abc.abstractmethod
    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        """A stored credential that behaves as *card* says.

        :raises NotApplicable: this world cannot show that.
        """

    def store_another(self, credential: str) -> str:  # noqa: ARG002 - for worlds whose cards have owners
        """Another stored credential of the customer whose *credential* is."""
        return self.store_card()

    @abc.abstractmethod
    def wish(self, wish: Wish, *, credential: str) -> None:
        """Let the next payment with *credential* go as *wish* says.

        :raises NotApplicable: this world cannot show that.
        """

    def decline_renewals(self, credential: str, times: int) -> None:  # noqa: ARG002 - for worlds that can
        """Let the next *times* charges that the provider makes by itself with *credential* be declined."""
        raise NotApplicable("only an emulator or a fake renews by itself")

    def renew(self, start: SubscriptionStart, *, declined: bool) -> None:  # noqa: ARG002 - for worlds that can
        """Let the provider charge a period of a subscription that started elsewhere."""
        raise NotApplicable("nothing here starts a subscription elsewhere")

    @abc.abstractmethod
    def approve(self, reference: str, *, passed: bool = True) -> None:
        """Let the customer finish what waits for them, or fail at it."""

    @abc.abstractmethod
    def deliveries(self) -> list[Webhook]:
        """The webhook deliveries that are due, taken off the queue and answered with 200."""

    @abc.abstractmethod
    def fresh(self) -> Any:
        """Another instance of the provider with the same settings, as after a restart."""

    def _on_our_clock(self, provider: Any) -> Any:
        if getattr(provider, "clock", False) is None:  # what asks for a clock gets the gateway's
            provider.clock = self.clock
        return provider

    def _mounts(self) -> dict[str, Callable[[Request], Response]]:
        # a prefix that ends with a slash takes every URL that no longer prefix takes
        return {"https://": _stray, "http://": _stray}

    def _sync(self) -> SyncDriver:
        if self._driver is None:
            self._driver = SyncDriver(self.clock, mounts=self._mounts(), rng=random.Random(_SEED))
        return self._driver


class Emulated(World):
    """A provider in front of its emulator, mounted where the real interface lives."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        if setup.emulator is None:
            raise ValueError("an emulated world needs an emulator")
        self._setup = setup
        self.emulator = setup.emulator(self.clock)
        self.emulator.set_webhook_target(WEBHOOK_TARGET)
        self.wire = Wire(self.emulator.handle, setup.status_fields)
        self.book = self.emulator.book
        known = {**self.emulator.credentials_for_plugin(), **self.emulator.webhook_settings()}
        self.secrets = (*secret_values(known), *secret_values(setup.settings))
        self._known = known
        self.provider = self.fresh()

    def fresh(self) -> Any:
        return self._on_our_clock(make_provider(self._setup, self._known))

    def pass_time(self, seconds: float) -> None:
        super().pass_time(seconds)
        self.emulator.tick()

    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        return self.emulator.store_card(card)

    def store_another(self, credential: str) -> str:
        return self.emulator.store_another(credential)

    def wish(self, wish: Wish, *, credential: str) -> None:
        self.emulator.wish(wish, credential=credential)

    def decline_renewals(self, credential: str, times: int) -> None:
        self.emulator.wish(Wish(WishKind.DECLINE), credential=credential, times=times)

    def approve(self, reference: str, *, passed: bool = True) -> None:
        self.emulator.approve(reference, passed=passed)

    def deliveries(self) -> list[Webhook]:
        taken: list[Webhook] = []

        def receive(delivery: Delivery) -> None:
            headers = {name.lower(): value for name, value in delivery.headers.items()}
            taken.append(Webhook(headers, delivery.body))

        self.emulator.deliver(receive)
        return taken

    def _mounts(self) -> dict[str, Callable[[Request], Response]]:
        return {**super()._mounts(), self.emulator.origin: self.wire}


class Bare(World):
    """A provider in front of nobody who understands it: every request, wherever it goes, is answered alike."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self._setup = setup
        self.wire = Wire(lambda _request: Response(404), setup.status_fields)
        self._known = _made_up(getattr(plain(setup.provider), "Settings", None), setup.settings)
        self.secrets = secret_values({**self._known, **setup.settings})
        self.provider = self.fresh()

    def fresh(self) -> Any:
        return self._on_our_clock(make_provider(self._setup, self._known))

    def store_card(self, card: CardKind = CardKind.GOOD) -> str:
        if card is not CardKind.GOOD:
            raise NotApplicable("only an emulator or a fake has cards that fail")
        return self._setup.credential

    def wish(self, wish: Wish, *, credential: str) -> None:  # noqa: ARG002 - the base names it
        raise NotApplicable(f"only an emulator or a fake can be asked for a payment of kind {wish.kind.value}")

    def approve(self, reference: str, *, passed: bool = True) -> None:  # noqa: ARG002 - the base names it
        raise NotApplicable(f"nobody waits for a customer at {reference}: only an emulator or a fake has customers")

    def deliveries(self) -> list[Webhook]:
        return []

    def _mounts(self) -> dict[str, Callable[[Request], Response]]:
        return {"https://": self.wire, "http://": self.wire}


def secret_values(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of *settings* that by their names have to be kept to oneself."""
    return tuple(value for name, value in settings.items() if isinstance(value, str) and _SECRET_NAME.search(name))


def make_provider(setup: Setup, known: Mapping[str, Any]) -> Any:
    """An instance of the provider.

    :param known: what its emulator knows; what its settings do not take is left out.
    :raises ConfigurationError: its settings cannot be made; the message says which attribute of the suite helps.
    """
    kind = plain(setup.provider)
    declared = getattr(kind, "Settings", None) if inspect.isclass(kind) else None
    if declared is None:
        return kind()
    names = {field.alias for field in attrs.fields(declared)}
    values = {**{name: value for name, value in known.items() if name in names}, **setup.settings}
    try:
        return kind(declared(**values))
    except (TypeError, ConfigurationError) as exc:
        msg = (
            f"{kind.__name__} cannot be made from the settings {', '.join(sorted(values)) or 'none'}: {exc}; "
            "name the others in the suite: settings = {…}"
        )
        raise ConfigurationError(msg) from None


def plain(provider: Callable[..., Any]) -> Callable[..., Any]:
    """What a suite has as its provider, out of its ``staticmethod``."""
    return provider.__func__ if isinstance(provider, staticmethod) else provider


def _made_up(declared: type | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for the settings that have no default; those of secrets are canaries that can be searched for."""
    if declared is None:
        return {}
    return {
        field.alias: f"canary-{field.name}-9f86d081884c7d65"
        for field in attrs.fields(declared)
        if field.alias not in given and (field.default is attrs.NOTHING or is_secret(field))
    }


def _stray(request: Request) -> Response:
    msg = f"the provider sent a {request.method} to a place that its emulator does not stand for"
    raise AssertionError(msg)
