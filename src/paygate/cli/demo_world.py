"""The demo's world: a shop's gateway, four providers, a clock that is moved by hand, and an observer that takes mails.

UnivaPay is its real plugin, found by its entry point, against the emulator over HTTP on loopback. Telecom Credit, Stripe
and Amazon Pay are the in-process fakes. Nothing leaves the machine.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .._markers import hookimpl
from ..billing.importing import NewContract
from ..clock import JST
from ..domain.charge import Charge
from ..domain.contract import Card
from ..domain.mails import MailSet, StepMailPlan
from ..drivers.settings import HttpSettings
from ..errors import PaygateError
from ..flow import Request
from ..gateway import Gateway
from ..money import Money
from ..notices import OperatorNotice, StepMailNotice
from ..plugins import discovery
from ..provider import Webhook
from ..testing.book import Book
from ..testing.clock import ManualClock
from ..testing.emulators import Delivery, serve
from ..testing.emulators.server import post
from ..testing.emulators.univapay import Behaviour, UnivaPayEmulator
from ..testing.fakes import FakeAmazonPay, FakeProvider, FakeSettings, FakeStripe, FakeTelecom
from .demo_endpoint import Answer, Endpoint

__all__ = ["BEGINS", "CONSENT", "HTTP", "STEP_MAILS", "UNIVAPAY", "Mailbox", "Refusal", "Sent", "World", "open_world"]

#: The account that lives on the other side of HTTP.
UNIVAPAY = "univapay"

#: Every run of the demo begins at this moment.
BEGINS = dt.datetime(2026, 11, 20, 10, 0, tzinfo=JST)

STEP_MAILS = (
    StepMailPlan("お礼", MailSet.ON_RENEWAL, delay=5 * 60, subject="ご利用ありがとうございます"),
    StepMailPlan("活用ガイド", MailSet.ON_RENEWAL, delay=3 * 86_400, subject="会員特典の使い方"),
)

#: No random wait between repeats: every run shows the same times.
HTTP = HttpSettings(backoff_base=0.0)

#: What UnivaPay sends as ``Authorization`` of its webhooks, agreed between the emulator and the plugin.
_WEBHOOK_WORD = "word-between-demo-and-emulator"


#: How the customers of the demo agreed (R-188).
CONSENT = "phone call, recorded by the support desk"

_IDS = re.compile(r"\b[0-9a-f]{32}\b")


class Mailbox:
    """The shop's observer: takes the step mails that are due, and what a person has to look at."""

    def __init__(self) -> None:
        self.mails: list[StepMailNotice] = []
        self.alerts: list[OperatorNotice] = []

    @hookimpl
    def on_step_mail_due(self, notice: StepMailNotice) -> None:
        """Take a mail; a real observer would hand it to a mail server."""
        self.mails.append(notice)

    @hookimpl
    def on_operator_action_required(self, notice: OperatorNotice) -> None:
        """Take an alert."""
        self.alerts.append(notice)


@attrs.frozen
class Sent:
    """Proof of what happened at the providers: how often they were asked, and how often money moved."""

    requests: int
    movements: int


@attrs.frozen
class Refusal:
    """What was asked, which error said no, and whether the providers heard of it or any row changed."""

    asked: str
    error: str
    rule: str
    message: str
    nothing_sent: bool


@attrs.frozen
class World:
    """Everything that a scene works with."""

    clock: ManualClock
    gateway: Gateway
    emulator: UnivaPayEmulator
    fakes: Mapping[str, FakeProvider]
    endpoint: Endpoint
    mailbox: Mailbox
    contracts: Sequence[NewContract]

    def name(self, contract_id: str) -> str:
        """The name of a contract's customer."""
        return next(row.customer.name for row in self.contracts if row.contract_id == contract_id)

    def account(self, contract_id: str) -> str:
        """The account that a contract of the file is paid through."""
        payment = next(row.payment for row in self.contracts if row.contract_id == contract_id)
        return payment.account if isinstance(payment, Card) else ""

    @property
    def books(self) -> dict[str, Book]:
        """What each provider really did, by account."""
        self.emulator.tick()
        return {UNIVAPAY: self.emulator.book, **{name: fake.book for name, fake in self.fakes.items()}}

    def sent(self) -> Sent:
        """How much the providers have been asked and have moved so far."""
        return Sent(
            len(self.emulator.requests) + sum(len(fake.calls) for fake in self.fakes.values()),
            sum(len(book.movements) for book in self.books.values()),
        )

    def charge(
        self, contract_id: str, yen: int, *, key: str, renew: bool | None = None, mail: bool | None = None
    ) -> Charge:
        """Charge additionally, let the providers' notices arrive, and return what became of it."""
        charge = self.gateway.charges.create(
            contract_id,
            Money(yen, "JPY"),
            renew_expiry=renew,
            send_step_mail=mail,
            consent=CONSENT,
            idempotency_key=key,
        )
        self.deliver()
        return self.gateway.charges.get(charge.id)

    def refusal(self, asked: str, ask: Callable[[], object]) -> Refusal:
        """Ask for something that has to be refused."""
        before = self._traces()
        try:
            ask()
        except PaygateError as exc:
            message = _IDS.sub("(id)", str(exc))  # ids differ from run to run
            return Refusal(asked, type(exc).__name__, exc.rule or "", message, self._traces() == before)
        return Refusal(asked, "(accepted)", "", "", nothing_sent=False)

    def _traces(self) -> tuple[Sent, int, int]:
        return self.sent(), len(self.gateway.charges.list().all()), len(self.gateway.ledger.list().all())

    def deliver(self) -> list[Delivery]:
        """Let every webhook that is due arrive at the shop's endpoint, over HTTP; returns what was delivered."""
        made: list[Delivery] = []

        def receive(delivery: Delivery) -> int:
            made.append(delivery)
            return post(delivery)

        self.emulator.deliver(receive)
        for name, fake in self.fakes.items():
            for notice in fake.notifications():
                receive(self._delivery(name, notice))
        return made

    def post(self, delivery: Delivery) -> Answer:
        """Deliver one webhook by hand, forged or repeated, and say how the endpoint answered."""
        post(delivery)
        return self.endpoint.answers[-1]

    def univapay_event(self, event: str, data: Mapping[str, Any], *, word: str = _WEBHOOK_WORD) -> Delivery:
        """A delivery as UnivaPay forms it; with another *word* it is a forged one."""
        body = json.dumps({"event": event, "data": dict(data)}).encode()
        return self._delivery(UNIVAPAY, Webhook({"authorization": word, "content-type": "application/json"}, body))

    def univapay_posts(self) -> list[Request]:
        """The requests with which UnivaPay was asked to charge, repeats included."""
        return [each for each in self.emulator.requests if each.method == "POST" and each.url.endswith("/charges")]

    def _delivery(self, account: str, webhook: Webhook) -> Delivery:
        return Delivery(self.endpoint.url(account), webhook.headers, webhook.body, self.clock.now())


@contextlib.contextmanager
def open_world(database: str, contracts: Sequence[NewContract], keep: Path | None = None) -> Iterator[World]:
    """Open the world; everything in it is closed when the block ends.

    :param contracts: whose UnivaPay tokens the emulator shall know.
    :param keep: a folder in which the fakes keep their state.
    :raises PluginError: the plugin ``univapay`` is not installed.
    """
    clock = ManualClock(BEGINS)
    emulator = UnivaPayEmulator(clock, behaviour=Behaviour(pending=0.0))  # the result is there at the first look
    for row in contracts:
        if isinstance(row.payment, Card) and row.payment.account == UNIVAPAY:
            emulator.add_card(email=row.customer.email, token_id=row.payment.token)
    fakes = {
        name: kind(FakeSettings(state_file=str(keep / f"{name}.json") if keep else None), clock=clock)
        for name, kind in (("telecom", FakeTelecom), ("stripe", FakeStripe), ("amazonpay", FakeAmazonPay))
    }
    mailbox = Mailbox()
    # webhooks are delivered by the scenes, one by one, so that every run shows the same
    with (
        serve(emulator, webhooks=False) as url,
        Gateway(
            database=database,
            providers={UNIVAPAY: _univapay(emulator, url), **fakes},
            plugins=[mailbox],
            clock=clock,
            step_mails=STEP_MAILS,
            http=HTTP,
        ) as gateway,
        Endpoint(gateway) as endpoint,
    ):
        emulator.add_webhook(endpoint.url(UNIVAPAY), _WEBHOOK_WORD)
        yield World(clock, gateway, emulator, fakes, endpoint, mailbox, contracts)


def _univapay(emulator: UnivaPayEmulator, url: str) -> object:
    plugin: Any = discovery.load(UNIVAPAY)
    settings = plugin.Settings(
        app_token=emulator.credentials.app_token,
        secret=emulator.credentials.secret,
        webhook_auth_token=_WEBHOOK_WORD,
        base_url=url,
    )
    return plugin(settings)
