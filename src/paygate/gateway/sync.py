"""The sync face: generated from ``aio.py`` by ``scripts/make_sync_gateway.py``; change it there."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

from ..billing import charges, contracts, importing, listing, outbox, reconcile, refunds, step_mails, webhooks
from ..billing.charges import ChargePreview
from ..billing.contracts import ContractDetails
from ..billing.importing import ImportReport, NewContract
from ..billing.outbox import Delivery
from ..billing.reconcile import Reconciliation
from ..billing.refunds import RefundPreview
from ..billing.services import Services, Waiting
from ..billing.step_mails import Release
from ..billing.webhooks import Receipt
from ..clock import JST, Clock
from ..domain.audit import AuditRecord
from ..domain.charge import Charge, ChargeState, Consent, Purpose, Refund
from ..domain.contract import Actor, Contract, Customer, Payment, PaymentMethod, Plan, Status
from ..domain.ledger import LedgerEntry
from ..domain.mails import StepMail, StepMailPlan, StepMailState
from ..domain.operations import Offer
from ..domain.rules import SYSTEM_MAX_EXPIRY
from ..drivers.settings import HttpSettings
from ..drivers.sync import SyncDriver
from ..flow import Flow
from ..money import Money
from ..plugins.account import Account
from ..store import OutboxRow
from .assembly import assemble, from_file
from .cursor import Cursor

__all__ = ["Gateway"]

T = TypeVar("T")

ADMIN = Actor.admin()


class Gateway:
    """One contract and billing API in front of all configured providers.

    :param database: ``sqlite:///file.db``, ``sqlite://`` for one in memory, or ``postgresql://…``. An empty database is
        set up; an older one is an error that says which command to run.
    :param providers: account name → provider, for example ``{"univapay": UnivaPay(settings)}``.
    :param plugins: observers, and wrappers of provider hooks.
    :param clock: where the time comes from; by default the system, so that ``freezegun.freeze_time`` works.
    :param step_mails: the prepared mails (R-224).
    :param overrides: capability settings by account, for example ``{"univapay": {"charge_window_years": 0}}`` (R-203).
    :param mounts: URL prefix → in-process handler, used instead of the network; for emulators and tests.
    :raises ConfigurationError: before anything is sent.
    """

    def __init__(
        self,
        *,
        database: str,
        providers: Mapping[str, object],
        plugins: Sequence[object] = (),
        clock: Clock | None = None,
        step_mails: Sequence[StepMailPlan] = (),
        zone: dt.tzinfo = JST,
        system_max_expiry: dt.date = SYSTEM_MAX_EXPIRY,
        waiting: Waiting | None = None,
        http: HttpSettings | None = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
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
        )
        self._start(services, http or HttpSettings(), mounts)

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, clock: Clock | None = None, mounts: Mapping[str, Any] | None = None
    ) -> Self:
        """Open the gateway that a ``paygate.toml`` describes; see :mod:`paygate.config`.

        :raises ConfigurationError: naming the file, the key and the remedy.
        """
        services, http = from_file(path, clock)
        gateway = cls.__new__(cls)
        gateway._start(services, http, mounts)  # noqa: SLF001 - a second constructor
        return gateway

    def _start(self, services: Services, http: HttpSettings, mounts: Mapping[str, Any] | None) -> None:
        self._services = services
        self._driver = SyncDriver(services.clock, settings=http, mounts=mounts)
        self.contracts = Contracts(self)
        self.charges = Charges(self)
        self.refunds = Refunds(self)
        self.ledger = Ledger(self)
        self.step_mails = StepMails(self)
        self.billing = Billing(self)
        self.webhooks = Webhooks(self)
        self.providers = Providers(self)
        self.audit = Audit(self)

    @property
    def clock(self) -> Clock:
        """The gateway's clock."""
        return self._services.clock

    def run(self, flow: Flow[T]) -> T:
        """Run a flow of your own on the gateway's driver."""
        return self._driver.run(flow)

    def close(self) -> None:
        """Close connections. What is open at a provider stays recorded and is settled by ``billing.reconcile``."""
        self._driver.close()
        self._services.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Namespace:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._services = gateway._services  # noqa: SLF001 - one class in several parts
        self._run = gateway.run


class Contracts(_Namespace):
    """Contracts: create, read, import, and what may be done with them."""

    def create(
        self,
        customer: Customer,
        plan: Plan,
        payment: Payment,
        *,
        start_on: dt.date | None = None,
        contract_id: str | None = None,
        paid: bool = False,
        idempotency_key: str | None = None,
        actor: Actor = ADMIN,
    ) -> Contract:
        """Make a contract; a card contract's first payment is charged at once (R-013 to R-015).

        :param payment: ``Card(account, token)``, ``BankTransfer()`` or ``Manual()``.
        :param start_on: JST date: in the future, today (the default), or the first day of this month (R-016).
        :param paid: for a manual contract: it is paid already (R-012).
        :param idempotency_key: the same key with the same contents returns the contract that it made.
        :raises ChargeDeclined: the first payment was declined; no contract was made (R-013).
        :raises OutcomeUnknown: the first payment has no result yet; the contract appears once it succeeds. The error
            carries ``charge_id``.
        """
        return self._run(
            contracts.create(
                self._services,
                customer,
                plan,
                payment,
                start_on=start_on,
                contract_id=contract_id,
                paid=paid,
                idempotency_key=idempotency_key,
                actor=actor,
            )
        )

    def get(self, contract_id: str) -> Contract:
        """One contract.

        :raises NotFound: there is none.
        """
        return self._run(contracts.get(self._services, contract_id))

    def details(self, contract_id: str) -> ContractDetails:
        """A contract with its customer, next renewal, ledger, open charge and the close of its charge window."""
        return self._run(contracts.details(self._services, contract_id))

    def list(
        self,
        *,
        status: Status | None = None,
        account: str | None = None,
        customer_id: str | None = None,
        method: PaymentMethod | None = None,
        page_size: int = 100,
    ) -> Cursor[Contract]:
        """All contracts that fit, by id."""

        def fetch(after: str | None) -> tuple[list[Contract], str | None]:
            return self._run(
                listing.contracts(
                    self._services,
                    after,
                    page_size,
                    status=status,
                    account=account,
                    customer_id=customer_id,
                    method=method,
                )
            )

        return Cursor(fetch)

    def operations(self, contract_id: str) -> tuple[Offer, ...]:
        """Every operation: offered now, or why not (R-023; domain §3.1). Asking changes nothing."""
        return self._run(contracts.operations(self._services, contract_id))

    def confirm_payment(
        self, contract_id: str, *, received_at: dt.datetime | None = None, actor: Actor = ADMIN
    ) -> Contract:
        """支払いを確認: the payment of a PENDING_PAYMENT contract has been found (R-104 to R-110)."""
        return self._run(contracts.confirm_payment(self._services, contract_id, received_at=received_at, actor=actor))

    def set_expiry(self, contract_id: str, expires_on: dt.date, *, reason: str = "", actor: Actor = ADMIN) -> Contract:
        """有効期限の手動変更: set the expiry date by hand; audited, no mail, no sale (R-056, R-057)."""
        return self._run(contracts.set_expiry(self._services, contract_id, expires_on, reason=reason, actor=actor))

    def import_many(
        self, rows: Sequence[NewContract], *, skip_invalid: bool = False, actor: Actor = ADMIN
    ) -> ImportReport:
        """Take over contracts that run elsewhere, in one transaction: nothing is charged, nothing is mailed.

        :param skip_invalid: import the good ones although some are refused; by default one refusal imports nothing.
        :returns: ids of what was imported, and each refused row with its reason.
        """
        return self._run(importing.import_many(self._services, rows, skip_invalid=skip_invalid, actor=actor))


class Charges(_Namespace):
    """Additional charges (従量課金, §6.16)."""

    def preview(
        self,
        contract_id: str,
        amount: Money,
        *,
        renew_expiry: bool | None = None,
        send_step_mail: bool | None = None,
        consent: str | Consent | None = None,
        purpose: Purpose = Purpose.ONE_OFF,
        actor: Actor = ADMIN,
    ) -> ChargePreview:
        """What ``create`` would do now: nothing is written, nothing is sent (R-172, R-173, R-272)."""
        return self._run(
            charges.preview(
                self._services,
                contract_id,
                amount,
                renew_expiry=renew_expiry,
                send_step_mail=send_step_mail,
                consent=consent,
                purpose=purpose,
                actor=actor,
            )
        )

    def create(
        self,
        contract_id: str,
        amount: Money,
        *,
        renew_expiry: bool | None = None,
        send_step_mail: bool | None = None,
        consent: str | Consent | None = None,
        idempotency_key: str | None = None,
        purpose: Purpose = Purpose.ONE_OFF,
        actor: Actor = ADMIN,
    ) -> Charge:
        """Charge an additional amount to the stored card of a contract.

        :param amount: whole minor units of the contract's currency, within the provider's limits (R-171).
        :param renew_expiry: extend the expiry by one cycle on success; None accepts what the provider always does, or
            off (R-181, R-184, R-185).
        :param send_step_mail: send the mails prepared for renewal on success; None likewise (R-182).
        :param consent: how and when the customer agreed; required (R-188).
        :param idempotency_key: the same key with the same contents returns the first attempt (R-190).
        :param purpose: ONE_OFF, or ARREARS to pay an unpaid period (R-191).
        :returns: the attempt: SUCCEEDED, FAILED, PENDING or UNKNOWN; ``raise_for_failure()`` turns a failure into an
            error.
        :raises Refused: one of its subclasses, naming rule and remedy; nothing was sent, nothing has changed.
        """
        return self._run(
            charges.create(
                self._services,
                contract_id,
                amount,
                renew_expiry=renew_expiry,
                send_step_mail=send_step_mail,
                consent=consent,
                idempotency_key=idempotency_key,
                purpose=purpose,
                actor=actor,
            )
        )

    def get(self, charge_id: str) -> Charge:
        """One attempt.

        :raises NotFound: there is none.
        """
        return self._run(listing.charge(self._services, charge_id))

    def list(
        self,
        *,
        contract_id: str | None = None,
        account: str | None = None,
        state: ChargeState | None = None,
        page_size: int = 100,
    ) -> Cursor[Charge]:
        """Attempts, oldest first."""

        def fetch(after: str | None) -> tuple[list[Charge], str | None]:
            return self._run(
                listing.charges(self._services, after, page_size, contract_id=contract_id, account=account, state=state)
            )

        return Cursor(fetch)

    def wait(self, charge_id: str, timeout: float = 60.0) -> Charge:
        """Look the result up until it is there or *timeout* seconds have passed; then the attempt as it is."""
        return self._run(charges.wait(self._services, charge_id, timeout))

    def resolve(
        self,
        charge_id: str,
        *,
        succeeded: bool,
        note: str,
        reference: str | None = None,
        charged_at: dt.datetime | None = None,
        actor: Actor = ADMIN,
    ) -> Charge:
        """Say what became of an attempt whose outcome only a person can find out.

        :param note: where the outcome was seen.
        :raises OperationNotAllowed: the attempt has ended.
        """
        return self._run(
            charges.resolve(
                self._services,
                charge_id,
                succeeded=succeeded,
                reference=reference,
                charged_at=charged_at,
                note=note,
                actor=actor,
            )
        )


class Refunds(_Namespace):
    """Refunds of ledger rows, whole or in part (§6.22)."""

    def preview(self, target: str, amount: Money | None = None, *, remove_license: bool = False) -> RefundPreview:
        """What ``create`` would do now (R-242, R-272)."""
        return self._run(refunds.preview(self._services, target, amount, remove_license=remove_license))

    def create(
        self,
        target: str,
        amount: Money | None = None,
        *,
        idempotency_key: str | None = None,
        remove_license: bool = False,
        reason: str = "",
        actor: Actor = ADMIN,
    ) -> Refund:
        """部分返金: return a ledger row, or part of it where the provider can (R-241).

        :param target: the id of a charge or of a ledger row.
        :param amount: by default all that is left of the row.
        :param remove_license: remove that row's licence as well; afterwards it is too late (R-242, R-243).
        :returns: the refund: DONE, FAILED, PENDING or UNKNOWN; ``by_hand`` where a person has to return the money
            (R-245, R-249).
        :raises NothingToRefund: nothing is left.
        :raises RefundExceedsSale: more than is left (R-239).
        """
        return self._run(
            refunds.create(
                self._services,
                target,
                amount,
                idempotency_key=idempotency_key,
                remove_license=remove_license,
                reason=reason,
                actor=actor,
            )
        )

    def get(self, refund_id: str) -> Refund:
        """One refund.

        :raises NotFound: there is none.
        """
        return self._run(listing.refund(self._services, refund_id))

    def list(self, *, contract_id: str | None = None, page_size: int = 100) -> Cursor[Refund]:
        """Refunds, oldest first."""

        def fetch(after: str | None) -> tuple[list[Refund], str | None]:
            return self._run(listing.refunds(self._services, after, page_size, contract_id=contract_id))

        return Cursor(fetch)

    def wait(self, refund_id: str, timeout: float = 60.0) -> Refund:
        """Look the result up until it is there or *timeout* seconds have passed; then the refund as it is (R-247)."""
        return self._run(refunds.wait(self._services, refund_id, timeout))

    def dues(self) -> tuple[LedgerEntry, ...]:
        """Refunds that a person has yet to make by hand (X-14)."""
        return tuple(self._run(refunds.dues(self._services)))

    def mark_done(self, entry_id: str, *, on: dt.date | None = None, note: str, actor: Actor = ADMIN) -> LedgerEntry:
        """A manual refund has been made (R-250).

        :param entry_id: the MANUAL_REFUND_DUE row.
        :param on: JST date, by default today.
        """
        return self._run(refunds.mark_done(self._services, entry_id, on=on, note=note, actor=actor))


class Ledger(_Namespace):
    """The sales ledger (売上情報)."""

    def get(self, entry_id: str) -> LedgerEntry:
        """One row.

        :raises NotFound: there is none.
        """
        return self._run(listing.entry(self._services, entry_id))

    def list(
        self, *, contract_id: str | None = None, customer_id: str | None = None, page_size: int = 100
    ) -> Cursor[LedgerEntry]:
        """Rows, oldest first."""

        def fetch(after: str | None) -> tuple[list[LedgerEntry], str | None]:
            return self._run(
                listing.entries(self._services, after, page_size, contract_id=contract_id, customer_id=customer_id)
            )

        return Cursor(fetch)

    def net(self, contract_id: str) -> Money:
        """Net sales of a contract: successful rows minus completed refunds (R-240)."""
        return self._run(listing.net(self._services, contract_id))


class StepMails(_Namespace):
    """The queue of step mails (配信前ステップメール, §6.21)."""

    def list(
        self, *, contract_id: str | None = None, state: StepMailState | None = None, page_size: int = 100
    ) -> Cursor[StepMail]:
        """Mails, oldest first."""

        def fetch(after: str | None) -> tuple[list[StepMail], str | None]:
            return self._run(listing.mails(self._services, after, page_size, contract_id=contract_id, state=state))

        return Cursor(fetch)

    def pause(self, mail_id: str, *, actor: Actor = ADMIN) -> StepMail:
        """Hold a mail back, strictly before its due instant (R-227, R-229)."""
        return self._run(step_mails.change(self._services, mail_id, "pause", actor=actor))

    def resume(self, mail_id: str, *, actor: Actor = ADMIN) -> StepMail:
        """Set a paused mail running; if its time has passed it goes out at the next release (R-231)."""
        return self._run(step_mails.change(self._services, mail_id, "resume", actor=actor))

    def delete(self, mail_id: str, *, actor: Actor = ADMIN) -> StepMail:
        """Cancel a mail's reservation for good, strictly before its due instant (R-228, R-229)."""
        return self._run(step_mails.change(self._services, mail_id, "delete", actor=actor))

    def release(self) -> Release:
        """Hand mails that are due to the plugins that deliver them; they stay queued while there is no such plugin."""
        return self._run(step_mails.release(self._services))


class Billing(_Namespace):
    """Work that is not about one contract."""

    def reconcile(self) -> Reconciliation:
        """Settle what is PENDING or UNKNOWN: by look-up where the provider has one, else by telling an operator."""
        return self._run(reconcile.run(self._services))

    def deliver(self) -> Delivery:
        """Deliver notices to observers that are still waiting, for example after an observer failed."""
        return self._run(outbox.deliver(self._services))

    def stuck(self, *, attempts: int = 3) -> tuple[OutboxRow, ...]:
        """Notices that failed at least *attempts* times, with the last error."""
        return tuple(self._run(outbox.stuck(self._services, attempts)))


class Webhooks(_Namespace):
    """What providers tell us."""

    def receive(self, account: str, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Take one delivery: authenticate it, store each event once and apply it once (R-194, R-269).

        :param account: the configured account that the delivery is for.
        :param headers: as they came; names in any case.
        :param body: the raw bytes.
        :raises WebhookRejected: forged, malformed or too large; ``status`` is the HTTP status to answer.
        :raises NotFound: no such account.
        """
        return self._run(webhooks.receive(self._services, account, headers, body))


class Providers(_Namespace):
    """The configured accounts."""

    def list(self) -> tuple[Account, ...]:
        """All accounts; ``account.capabilities`` says what each does."""
        return tuple(self._services.plugins)

    def get(self, name: str) -> Account:
        """One account.

        :raises NotFound: none of that name is configured.
        """
        return self._services.plugins.account(name)

    def ping(self, name: str) -> str:
        """Check an account's credentials and that the provider can be reached."""
        return self._run(self._services.plugins.account(name).ping())


class Audit(_Namespace):
    """Who did what, when and why (R-266)."""

    def list(self, *, contract_id: str | None = None, page_size: int = 100) -> Cursor[AuditRecord]:
        """Records, oldest first."""

        def fetch(after: str | None) -> tuple[list[AuditRecord], str | None]:
            return self._run(listing.audit(self._services, after, page_size, contract_id=contract_id))

        return Cursor(fetch)
