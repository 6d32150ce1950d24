"""The resource namespaces of the async face. ``resources.py`` is generated from this module."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..billing import (
    charges,
    customer_action,
    listing,
    manual_refunds,
    outbox,
    reconcile,
    refunds,
    restoring,
    running,
    step_mails,
    webhooks,
)
from ..billing.charges import ChargePreview
from ..billing.outbox import Backlog, Delivery
from ..billing.reconcile import Reconciliation
from ..billing.refunds import RefundPreview
from ..billing.running import BillingReport, Planned
from ..billing.step_mails import Release
from ..billing.webhooks import Receipt
from ..domain.audit import AuditRecord
from ..domain.charge import Charge, ChargeState, Consent, CustomerAction, Purpose, Refund
from ..domain.contract import Actor
from ..domain.discrepancy import Discrepancy
from ..domain.ledger import LedgerEntry
from ..domain.mails import StepMail, StepMailState
from ..money import Money
from ..plugins.account import Account
from ..store import OutboxRow, Restore
from .aio_contracts import AsyncNamespace
from .cursor import AsyncCursor

__all__ = [
    "AsyncAudit",
    "AsyncBilling",
    "AsyncCharges",
    "AsyncLedger",
    "AsyncProviders",
    "AsyncRefunds",
    "AsyncStepMails",
    "AsyncWebhooks",
]

ADMIN = Actor.admin()


class AsyncCharges(AsyncNamespace):
    """Additional charges (従量課金, §6.16)."""

    async def preview(
        self,
        contract_id: str,
        amount: Money | None = None,
        *,
        renew_expiry: bool | None = None,
        send_step_mail: bool | None = None,
        consent: str | Consent | None = None,
        purpose: Purpose | None = None,
        other_amount: bool = False,
        actor: Actor = ADMIN,
    ) -> ChargePreview:
        """What ``create`` would do now: nothing is written, nothing is sent (R-172, R-173, R-272).

        On a PAST_DUE contract it warns of the unpaid period and tells what is ``owed``, whatever the purpose (R-382).
        """
        return await self._run(
            charges.preview(
                self._services,
                contract_id,
                amount,
                renew_expiry=renew_expiry,
                send_step_mail=send_step_mail,
                consent=consent,
                purpose=purpose,
                other_amount=other_amount,
                actor=actor,
            )
        )

    async def create(
        self,
        contract_id: str,
        amount: Money | None = None,
        *,
        renew_expiry: bool | None = None,
        send_step_mail: bool | None = None,
        consent: str | Consent | None = None,
        idempotency_key: str | None = None,
        purpose: Purpose | None = None,
        other_amount: bool = False,
        metadata: Mapping[str, str] | None = None,
        actor: Actor = ADMIN,
    ) -> Charge:
        """Charge an additional amount to the stored card of a contract.

        :param amount: whole minor units of the contract's currency, within the provider's limits (R-171). May be left out
            for purpose ARREARS, which then takes what is owed (R-381).
        :param renew_expiry: extend the expiry by one cycle on success; None accepts what the provider always does, or
            off (R-181, R-184, R-185).
        :param send_step_mail: send the mails prepared for renewal on success; None likewise (R-182).
        :param consent: how and when the customer agreed; required (R-188).
        :param idempotency_key: the same key with the same contents returns the first attempt (R-190).
        :param purpose: ONE_OFF, or ARREARS to pay an unpaid period, with all that its renewal would have done (R-191,
            R-380). By default ONE_OFF, but on a PAST_DUE contract it has to be said (R-382).
        :param actor: an administrator; ``Actor.customer(id)`` where the shop lets customers buy (``customer_charges``).
        :param other_amount: ARREARS of another amount than the one owed are meant; the difference is in the row's
            remarks (R-381).
        :param metadata: texts of your own, by which ``list`` finds the charge; the provider gets them where it takes any, and
            they belong to what the key stands for (R-421, R-422).
        :returns: the attempt: SUCCEEDED, FAILED, PENDING or UNKNOWN; ``raise_for_failure()`` turns a failure into an
            error.
        :raises PurposeNeeded: the contract is PAST_DUE, and the purpose is not said.
        :raises Refused: or another of its subclasses, naming rule and remedy; nothing was sent, nothing has changed.
        """
        return await self._run(
            charges.create(
                self._services,
                contract_id,
                amount,
                renew_expiry=renew_expiry,
                send_step_mail=send_step_mail,
                consent=consent,
                idempotency_key=idempotency_key,
                purpose=purpose,
                other_amount=other_amount,
                metadata=metadata,
                actor=actor,
            )
        )

    async def get(self, charge_id: str) -> Charge:
        """One attempt.

        :raises NotFound: there is none.
        """
        return await self._run(listing.charge(self._services, charge_id))

    async def find(self, account: str, reference: str) -> Charge:
        """The attempt that the provider of *account* knows as *reference*, as its console shows it (R-423).

        :raises NotFound: there is none, or no such account.
        """
        return await self._run(listing.charge_by_reference(self._services, account, reference))

    def list(
        self,
        *,
        contract_id: str | None = None,
        account: str | None = None,
        state: ChargeState | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[Charge]:
        """Attempts, oldest first.

        :param reference: the provider's id of the payment, on whichever account; :meth:`find` takes it with its account.
        :param metadata: texts that all have to be there (R-421).
        """

        async def fetch(after: str | None) -> tuple[list[Charge], str | None]:
            return await self._run(
                listing.charges(
                    self._services,
                    after,
                    page_size,
                    contract_id=contract_id,
                    account=account,
                    state=state,
                    reference=reference,
                    metadata=metadata,
                )
            )

        return AsyncCursor(fetch)

    async def wait(self, charge_id: str, timeout: float = 60.0) -> Charge:  # noqa: ASYNC109 - patience, not cancellation
        """Look the result up until it is there or *timeout* seconds have passed; then the attempt as it is."""
        return await self._run(charges.wait(self._services, charge_id, timeout))

    async def action(self, charge_id: str) -> CustomerAction:
        """What a page of yours has to do for a customer whose charge waits for them: open ``url``, or post ``fields`` there.

        Show it only to whoever was sent to that page, and do not log it. See :doc:`/howto/unknown-outcomes`.

        :raises NotFound: there is no such charge.
        :raises OperationNotAllowed: it does not wait for the customer, or no longer.
        """
        return await self._run(customer_action.action(self._services, charge_id))

    async def resolve(
        self,
        charge_id: str,
        *,
        succeeded: bool,
        note: str,
        reference: str | None = None,
        charged_at: dt.datetime | None = None,
        amount: Money | None = None,
        actor: Actor = ADMIN,
    ) -> Charge:
        """Say what became of an attempt whose outcome only a person can find out, and close its discrepancies (R-311).

        :param note: where the outcome was seen.
        :param reference: the provider's id of the payment that is meant; by default all open discrepancies are closed.
        :param amount: what was really taken, where the provider reports another sum than was asked for: that is booked.
        :raises InvalidAmount: such a sum cannot be booked for this charge.
        :raises InvalidValue: the provider reports money that goes against this, and neither *reference* nor *amount* says
            which is meant (R-328).
        :raises OperationNotAllowed: the attempt has ended, and nothing contradicts that.
        """
        return await self._run(
            charges.resolve(
                self._services,
                charge_id,
                succeeded=succeeded,
                reference=reference,
                charged_at=charged_at,
                amount=amount,
                note=note,
                actor=actor,
            )
        )

    def discrepancies(
        self,
        *,
        contract_id: str | None = None,
        account: str | None = None,
        charge_id: str | None = None,
        only_open: bool = True,
        page_size: int = 100,
    ) -> AsyncCursor[Discrepancy]:
        """What providers report against the record, oldest first: second payments, other sums, late declines (R-310).

        Those of refunds are among them. They are closed by ``resolve`` of the charge or refund, or by a recorded refund of
        the second payment, and by nothing else.

        :param only_open: leave out those that are resolved.
        """

        async def fetch(after: str | None) -> tuple[list[Discrepancy], str | None]:
            return await self._run(
                listing.discrepancies(
                    self._services,
                    after,
                    page_size,
                    contract_id=contract_id,
                    account=account,
                    charge_id=charge_id,
                    only_open=only_open,
                )
            )

        return AsyncCursor(fetch)


class AsyncRefunds(AsyncNamespace):
    """Refunds of ledger rows, whole or in part (§6.22)."""

    async def preview(self, target: str, amount: Money | None = None, *, remove_license: bool = False) -> RefundPreview:
        """What ``create`` would do now (R-242, R-272)."""
        return await self._run(refunds.preview(self._services, target, amount, remove_license=remove_license))

    async def create(
        self,
        target: str,
        amount: Money | None = None,
        *,
        idempotency_key: str | None = None,
        remove_license: bool = False,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        actor: Actor = ADMIN,
    ) -> Refund:
        """部分返金: return a ledger row, or part of it where the provider can (R-241).

        :param target: the id of a charge or of a ledger row.
        :param amount: by default all that is left of the row.
        :param remove_license: remove that row's licence as well; afterwards it is too late (R-242, R-243).
        :param metadata: texts of your own, as for charges (R-421).
        :returns: the refund: DONE, FAILED, PENDING or UNKNOWN; ``by_hand`` where a person has to return the money
            (R-245, R-249).
        :raises PermissionDenied: the actor is not an administrator (R-267).
        :raises NothingToRefund: nothing is left.
        :raises RefundExceedsSale: more than is left (R-239).
        """
        return await self._run(
            refunds.create(
                self._services,
                target,
                amount,
                idempotency_key=idempotency_key,
                remove_license=remove_license,
                reason=reason,
                metadata=metadata,
                actor=actor,
            )
        )

    async def get(self, refund_id: str) -> Refund:
        """One refund.

        :raises NotFound: there is none.
        """
        return await self._run(listing.refund(self._services, refund_id))

    def list(
        self, *, contract_id: str | None = None, metadata: Mapping[str, str] | None = None, page_size: int = 100
    ) -> AsyncCursor[Refund]:
        """Refunds, oldest first; with *metadata* those that have all of these texts (R-421)."""

        async def fetch(after: str | None) -> tuple[list[Refund], str | None]:
            return await self._run(
                listing.refunds(self._services, after, page_size, contract_id=contract_id, metadata=metadata)
            )

        return AsyncCursor(fetch)

    async def wait(self, refund_id: str, timeout: float = 60.0) -> Refund:  # noqa: ASYNC109 - patience, not cancellation
        """Look the result up until it is there or *timeout* seconds have passed; then the refund as it is (R-247)."""
        return await self._run(refunds.wait(self._services, refund_id, timeout))

    async def resolve(
        self, refund_id: str, *, succeeded: bool, note: str, reference: str | None = None, actor: Actor = ADMIN
    ) -> Refund:
        """Say what became of a refund that look-ups did not settle.

        :param note: where the outcome was seen.
        :param reference: the provider's id of the refund that is meant; needed where the provider reports money otherwise.
        :raises InvalidValue: it is needed and missing (R-328).
        :raises OperationNotAllowed: the refund has ended, or is made by hand.
        """
        return await self._run(
            refunds.resolve(self._services, refund_id, succeeded=succeeded, reference=reference, note=note, actor=actor)
        )

    async def dues(self) -> tuple[LedgerEntry, ...]:
        """Refunds that a person has yet to make by hand (X-14). What deleted contracts owe comes last (R-415)."""
        return tuple(await self._run(manual_refunds.dues(self._services)))

    async def mark_done(
        self, entry_id: str, *, on: dt.date | None = None, note: str, actor: Actor = ADMIN
    ) -> LedgerEntry:
        """A manual refund has been made (R-250).

        :param entry_id: the MANUAL_REFUND_DUE row.
        :param on: JST date, by default today.
        """
        return await self._run(manual_refunds.mark_done(self._services, entry_id, on=on, note=note, actor=actor))


class AsyncLedger(AsyncNamespace):
    """The sales ledger (売上情報)."""

    async def get(self, entry_id: str) -> LedgerEntry:
        """One row.

        :raises NotFound: there is none.
        """
        return await self._run(listing.entry(self._services, entry_id))

    def list(
        self, *, contract_id: str | None = None, customer_id: str | None = None, page_size: int = 100
    ) -> AsyncCursor[LedgerEntry]:
        """Rows, oldest first."""

        async def fetch(after: str | None) -> tuple[list[LedgerEntry], str | None]:
            return await self._run(
                listing.entries(self._services, after, page_size, contract_id=contract_id, customer_id=customer_id)
            )

        return AsyncCursor(fetch)

    async def net(self, contract_id: str) -> Money:
        """Net sales of a contract: successful rows minus completed refunds (R-240)."""
        return await self._run(listing.net(self._services, contract_id))


class AsyncStepMails(AsyncNamespace):
    """The queue of step mails (配信前ステップメール, §6.21)."""

    def list(
        self, *, contract_id: str | None = None, state: StepMailState | None = None, page_size: int = 100
    ) -> AsyncCursor[StepMail]:
        """Mails, oldest first."""

        async def fetch(after: str | None) -> tuple[list[StepMail], str | None]:
            return await self._run(
                listing.mails(self._services, after, page_size, contract_id=contract_id, state=state)
            )

        return AsyncCursor(fetch)

    async def pause(self, mail_id: str, *, actor: Actor = ADMIN) -> StepMail:
        """Hold a mail back, strictly before its due instant (R-227, R-229)."""
        return await self._run(step_mails.change(self._services, mail_id, "pause", actor=actor))

    async def resume(self, mail_id: str, *, actor: Actor = ADMIN) -> StepMail:
        """Set a paused mail running; if its time has passed it goes out at the next release (R-231)."""
        return await self._run(step_mails.change(self._services, mail_id, "resume", actor=actor))

    async def delete(self, mail_id: str, *, actor: Actor = ADMIN) -> StepMail:
        """Cancel a mail's reservation for good, strictly before its due instant (R-228, R-229)."""
        return await self._run(step_mails.change(self._services, mail_id, "delete", actor=actor))

    async def release(self) -> Release:
        """Hand mails that are due to the plugins that deliver them; they stay queued while there is no such plugin."""
        return await self._run(step_mails.release(self._services))


class AsyncBilling(AsyncNamespace):
    """Work that is not about one contract."""

    async def run(
        self,
        *,
        until: dt.date | dt.datetime | None = None,
        progress: Callable[[BillingReport], None] | None = None,
    ) -> BillingReport:
        """Start contracts, charge renewals and retries, carry out due ends, release due step mails.

        Safe to run at any time, twice, and on several machines: each period is charged once (R-040). After days of
        standing still it does what was missed, each contract in date order, and records the days on which it was due
        (R-041).

        :param until: only what fell due by then: an instant, or a business day as a whole. To catch up day by day, run
            it once for each day and look in between. By default everything that is due.
        :param progress: told the report so far, after each contract.
        :raises InvalidValue: *until* has not come yet; nothing was done.
        """
        return await self._run(running.run(self._services, until=until, progress=progress))

    def plan(self, *, until: dt.date | dt.datetime | None = None, page_size: int = 100) -> AsyncCursor[Planned]:
        """What ``run`` would do, lazily; nothing is written or sent.

        :param until: what falls due by then, also in the future: supposing that every charge succeeds and nobody acts. Of
            an unpaid period it shows the next retry, and not the renewals that follow its success.
        :raises InvalidValue: *until* is more than ten years away.
        """

        async def fetch(after: Any) -> tuple[list[Planned], Any]:
            return await self._run(running.plan(self._services, after, page_size, until=until))

        return AsyncCursor(fetch)

    async def reconcile(self, *, settled_since: dt.timedelta | dt.date | dt.datetime | None = None) -> Reconciliation:
        """Settle what is PENDING or UNKNOWN: by look-up where the provider has one, else by telling an operator.

        :param settled_since: look up again, too, what succeeded from then on: for refunds and disputes whose notices were
            lost (R-329). Once a day with ``timedelta(days=7)`` makes up for a week of them.
        :raises InvalidValue: *settled_since* has not come yet, or is no time.
        """
        return await self._run(reconcile.run(self._services, settled_since))

    async def restored(self, *, actor: Actor = ADMIN) -> Restore:
        """Say that the database was restored from a backup: what happened after the backup is not in it.

        From then on a run asks the provider for a period that began by this day before it charges it, and records what it
        finds. Where the provider cannot be asked, or where not finding a charge proves nothing, the period is not charged:
        it becomes unknown, the operator is told, and ``charges.resolve`` ends it (R-286).

        :returns: when that was, and when the newest thing in the backup was written.
        """
        return await self._run(restoring.restored(self._services, actor=actor))

    async def deliver(self, *, limit: int = 100) -> Delivery:
        """Deliver notices to observers that are still waiting, for example after an observer failed.

        :param limit: how many at most. However long it takes; runs and other calls wait only for a moment.
        """
        return await self._run(outbox.deliver_now(self._services, limit=limit))

    async def backlog(self) -> Backlog:
        """How many notices wait to be delivered, and since when: whether anybody delivers at all."""
        return await self._run(outbox.backlog(self._services))

    async def redeliver(self, ids: Sequence[str] | None = None) -> int:
        """Let notices that failed be delivered at the next opportunity, without the pause after a failure.

        :param ids: of notices; None: all that have failed.
        :returns: how many.
        :raises NotFound: none of that id has failed and waits.
        """
        return await self._run(outbox.redeliver(self._services, ids))

    async def stuck(self, *, attempts: int = 3) -> tuple[OutboxRow, ...]:
        """Notices that failed at least *attempts* times, with the last error."""
        return tuple(await self._run(outbox.stuck(self._services, attempts)))

    async def purge(self, *, older_than: dt.timedelta = dt.timedelta(days=90)) -> int:
        """Remove notices that were delivered longer than *older_than* ago, a day at least; nothing else is removed.

        They have done their work; contracts, ledger and audit trail keep what they told of. Works in small lots, at any
        time, beside everything else.

        :returns: how many were removed.
        """
        return await self._run(outbox.purge(self._services, older_than))


class AsyncWebhooks(AsyncNamespace):
    """What providers tell us."""

    async def receive(self, account: str, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Take one delivery: authenticate it, store each event once and apply it once (R-194, R-269).

        :param account: the configured account that the delivery is for.
        :param headers: as they came; names in any case.
        :param body: the raw bytes.
        :raises WebhookRejected: forged, malformed or too large; ``status`` is the HTTP status to answer.
        :raises NotFound: no such account.
        """
        return await self._run(webhooks.receive(self._services, account, headers, body))


class AsyncProviders(AsyncNamespace):
    """The configured accounts."""

    def list(self) -> tuple[Account, ...]:
        """All accounts; ``account.capabilities`` says what each does."""
        return tuple(self._services.plugins)

    def get(self, name: str) -> Account:
        """One account.

        :raises NotFound: none of that name is configured.
        """
        return self._services.plugins.account(name)

    async def ping(self, name: str) -> str:
        """Check an account's credentials and that the provider can be reached."""
        return await self._run(self._services.plugins.account(name).ping())


class AsyncAudit(AsyncNamespace):
    """Who did what, when and why (R-266)."""

    def list(self, *, contract_id: str | None = None, page_size: int = 100) -> AsyncCursor[AuditRecord]:
        """Records, oldest first."""

        async def fetch(after: str | None) -> tuple[list[AuditRecord], str | None]:
            return await self._run(listing.audit(self._services, after, page_size, contract_id=contract_id))

        return AsyncCursor(fetch)
