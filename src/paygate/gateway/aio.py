"""The async face. ``sync.py`` is generated from this module."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

from ..billing.outbox import close as close_outbox
from ..billing.outbox import collecting
from ..billing.services import Services, Waiting
from ..clock import JST, Clock
from ..domain.deleting import REFUND_CUT_OFF
from ..domain.mails import StepMailPlan
from ..domain.retry_schedule import RetrySchedule
from ..domain.rules import SYSTEM_MAX_EXPIRY
from ..drivers.aio import AsyncDriver
from ..drivers.settings import HttpSettings
from ..flow import Flow
from ..provider import Mode
from ..store import PoolSettings
from .aio_checkouts import AsyncCheckouts
from .aio_contracts import AsyncContracts
from .aio_customers import AsyncCredentials, AsyncCustomers
from .aio_reports import AsyncReports
from .aio_resources import (
    AsyncAudit,
    AsyncBilling,
    AsyncCharges,
    AsyncLedger,
    AsyncProviders,
    AsyncRefunds,
    AsyncStepMails,
    AsyncWebhooks,
)
from .assembly import assemble, from_file

__all__ = ["AsyncGateway"]

T = TypeVar("T")


class AsyncGateway:
    """One contract and billing API in front of all configured providers.

    :param database: ``sqlite:///file.db``, ``sqlite://`` for one in memory, or ``postgresql://…``. A database that does not
        exist is made; an older one is an error that says which command to run.
    :param providers: account name → provider, for example ``{"univapay": UnivaPay(settings)}``; or a list of
        :class:`~paygate.provider.Provider` classes or instances, whose accounts are named like their classes in lower case.
    :param plugins: observers, and wrappers of provider hooks.
    :param clock: where the time comes from; by default the system, so that ``freezegun.freeze_time`` works.
    :param step_mails: the prepared mails (R-224).
    :param overrides: capability settings by account, for example ``{"univapay": {"charge_window_years": 0}}`` (R-203).
    :param modes: account name → ``Mode.TEST`` or ``Mode.LIVE``, where the provider cannot tell by its credentials. Contracts
        keep the mode that they were made in, and are never used in the other one (X-24).
    :param schedules: account name → when a failed renewal is tried again; by default as is usual for its provider (R-148,
        R-155).
    :param network_rules: how to read the card networks' rules on retries where sources disagree: ``"strict"``,
        ``"lenient"`` or a source; see :func:`paygate.networks.load`.
    :param refund_cut_off: the last JST date whose payments deleting does not return (R-257); None: no such day.
    :param customer_charges: whether customers may start additional charges on their own contracts, for a shop that sells
        on its pages: ``charges.create(…, actor=Actor.customer(id))``. By default administrators alone do (R-169).
    :param payment_due_days: days after which a payment that a mail asks for is due: an application by bank transfer, and a
        reminder that names no day of its own (R-430).
    :param action_page: the address of a page of the shop, with ``{charge_id}`` in it, that customers are mailed where their
        provider wants a form posted; the page posts what ``charges.action`` gives (R-342).
    :param outbox: who tells the observers: ``"inline"``, each call what it has written, for a second or two at most; or
        ``"worker"``, a thread that starts with the first notice. See :doc:`/howto/operate`.
    :param allow_card_like: arguments whose numbers may look like a card's although they are none, for example
        ``["idempotency_key", "customer.id"]``; everywhere else such a number is refused (R-362).
    :param database_pool: how many connections to the database this process holds; by default 10, and up to 20 more while
        all are in use.
    :param mounts: URL prefix → in-process handler, used instead of the network; for emulators and tests.
    :raises ConfigurationError: before anything is sent.
    """

    def __init__(
        self,
        *,
        database: str,
        providers: Mapping[str, object] | Sequence[object],
        plugins: Sequence[object] = (),
        clock: Clock | None = None,
        step_mails: Sequence[StepMailPlan] = (),
        zone: dt.tzinfo = JST,
        system_max_expiry: dt.date = SYSTEM_MAX_EXPIRY,
        waiting: Waiting | None = None,
        http: HttpSettings | None = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        modes: Mapping[str, Mode] | None = None,
        schedules: Mapping[str, RetrySchedule] | None = None,
        network_rules: str = "strict",
        refund_cut_off: dt.date | None = REFUND_CUT_OFF,
        customer_charges: bool = False,
        payment_due_days: int = 7,
        action_page: str = "",
        outbox: str = "inline",
        database_pool: PoolSettings | None = None,
        allow_card_like: Iterable[str] = (),
        mounts: Mapping[str, Any] | None = None,
    ) -> None:
        services = assemble(
            database=database,
            providers=providers,
            plugins=plugins,
            clock=clock,
            step_mails=step_mails,
            zone=zone,
            system_max_expiry=system_max_expiry,
            waiting=waiting,
            overrides=overrides,
            modes=modes,
            schedules=schedules,
            network_rules=network_rules,
            refund_cut_off=refund_cut_off,
            customer_charges=customer_charges,
            payment_due_days=payment_due_days,
            action_page=action_page,
            http=http,
            outbox=outbox,
            database_pool=database_pool,
            allow_card_like=allow_card_like,
        )
        self._start(services, http or HttpSettings(), mounts)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        clock: Clock | None = None,
        mounts: Mapping[str, Any] | None = None,
        create: bool | None = None,
    ) -> Self:
        """Open the gateway that a ``paygate.toml`` describes; see :mod:`paygate.config`.

        :param create: what becomes of a database that does not exist. None: the first contract, import or checkout makes
            it, and any other call raises DatabaseMissing, so that a wrong place is noticed. True: it is made at once.
            False: opening raises DatabaseMissing.
        :raises ConfigurationError: naming the file, the key and the remedy.
        """
        services, http = from_file(path, clock, create=create)
        gateway = cls.__new__(cls)
        gateway._start(services, http, mounts)  # noqa: SLF001 - a second constructor
        return gateway

    def _start(self, services: Services, http: HttpSettings, mounts: Mapping[str, Any] | None) -> None:
        self._services = services
        self._driver = AsyncDriver(services.clock, settings=http, mounts=mounts)
        self.contracts = AsyncContracts(self)
        self.checkouts = AsyncCheckouts(self)
        self.customers = AsyncCustomers(self)
        self.credentials = AsyncCredentials(self)
        self.charges = AsyncCharges(self)
        self.refunds = AsyncRefunds(self)
        self.ledger = AsyncLedger(self)
        self.step_mails = AsyncStepMails(self)
        self.billing = AsyncBilling(self)
        self.webhooks = AsyncWebhooks(self)
        self.providers = AsyncProviders(self)
        self.audit = AsyncAudit(self)
        self.reports = AsyncReports(self)

    @property
    def clock(self) -> Clock:
        """The gateway's clock."""
        return self._services.clock

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow of your own on the gateway's driver."""
        return await self._driver.run(collecting(flow))

    async def aclose(self) -> None:
        """Close connections. What is open at a provider stays recorded and is settled by ``billing.reconcile``.

        A worker that delivers notices has a moment to come to its end.
        """
        await self._driver.run(close_outbox(self._services))
        await self._driver.aclose()
        self._services.store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
