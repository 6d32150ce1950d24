"""The contracts namespace of the async face. ``sync_contracts.py`` is generated from this module."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..billing import application, contracts, deleting, forecast, importing, listing, new_card, operations
from ..billing.contracts import ContractDetails
from ..billing.deleting import DeletionReport
from ..billing.importing import ImportReport, NewContract
from ..billing.new_card import PaymentChange
from ..billing.operations import OperationResult
from ..domain.access import Opening
from ..domain.charge import Consent
from ..domain.contract import Actor, Card, Contract, Customer, Payment, PaymentMethod, Plan, Status
from ..domain.creation import Creation
from ..domain.deleting import Deletion
from ..domain.forecast import Forecast
from ..domain.operations import Offer
from ..money import Money
from .checking import check_public_methods
from .cursor import AsyncCursor

if TYPE_CHECKING:
    from .aio import AsyncGateway

__all__ = ["AsyncContracts", "AsyncNamespace"]

ADMIN = Actor.admin()


class AsyncNamespace:
    """What all namespaces share: the services, and the gateway's way to run a flow."""

    def __init_subclass__(cls) -> None:
        check_public_methods(cls)

    def __init__(self, gateway: AsyncGateway) -> None:
        self._gateway = gateway
        self._services = gateway._services  # noqa: SLF001 - one class in several parts
        self._run = gateway.run


class AsyncContracts(AsyncNamespace):
    """Contracts: create, read, import, and what may be done with them."""

    async def create(
        self,
        customer: Customer,
        plan: Plan,
        payment: Payment,
        *,
        start_on: dt.date | None = None,
        contract_id: str | None = None,
        paid: bool = False,
        subscription: str | None = None,
        started_elsewhere: bool = False,
        idempotency_key: str | None = None,
        metadata: Mapping[str, str] | None = None,
        actor: Actor = ADMIN,
    ) -> Contract:
        """Make a contract; a card contract's first payment is charged at once (R-013 to R-015).

        Where the account has its provider charge the renewals, the provider is then asked to start its subscription,
        once. What it answers is in ``contract.subscription``; ``billing.reconcile`` asks again for what got no answer.

        :param payment: ``Card(account, token)``, ``BankTransfer()`` or ``Manual()``.
        :param start_on: JST date: in the future, today (the default), or the first day of this month (R-016).
        :param paid: for a manual contract: it is paid already (R-012).
        :param subscription: where the provider charges the renewals and paygate cannot start them: the provider's id of the
            subscription that was started there. :param started_elsewhere: without an id, that there is one (R-390).
        :param idempotency_key: the same key with the same contents returns the contract that it made.
        :param metadata: texts of your own by which ``list`` finds the contract: at most 50 keys of 40 characters, each text at
            most 500. What is charged for the contract carries them to the provider, where it takes any (R-421, R-422).
        :raises ChargeDeclined: the first payment was declined, or the subscription where nothing was to be paid first; no
            contract was made (R-013).
        :raises ProviderUnavailable: the provider was never reached, and no contract was made.
        :raises OutcomeUnknown: the first payment, or the subscription where nothing was to be paid first, has no result
            yet; the contract appears once it succeeds. The error carries ``charge_id`` where there is a charge.
        """
        return await self._run(
            contracts.create(
                self._services,
                customer,
                plan,
                payment,
                start_on=start_on,
                contract_id=contract_id,
                paid=paid,
                subscription=subscription,
                started_elsewhere=started_elsewhere,
                idempotency_key=idempotency_key,
                metadata=metadata,
                actor=actor,
            )
        )

    async def preview_create(
        self,
        customer: Customer,
        plan: Plan,
        payment: Payment,
        *,
        start_on: dt.date | None = None,
        contract_id: str | None = None,
        paid: bool = False,
        subscription: str | None = None,
        started_elsewhere: bool = False,
        metadata: Mapping[str, str] | None = None,
        actor: Actor = ADMIN,
    ) -> Creation:
        """What :meth:`create` would do with the same arguments; nothing is written or sent (R-272, R-418).

        ``due`` is the first payment, ``charge_now`` says whether it is charged to the card at once. Raises what
        :meth:`create` raises before anything is sent.
        """
        return await self._run(
            application.preview(
                self._services,
                customer,
                plan,
                payment,
                start_on=start_on,
                contract_id=contract_id,
                paid=paid,
                subscription=subscription,
                started_elsewhere=started_elsewhere,
                metadata=metadata,
                actor=actor,
            )
        )

    async def get(self, contract_id: str) -> Contract:
        """One contract.

        :raises NotFound: there is none.
        """
        return await self._run(contracts.get(self._services, contract_id))

    async def details(self, contract_id: str) -> ContractDetails:
        """A contract with its customer, next renewal, ledger, open charge and the close of its charge window."""
        return await self._run(contracts.details(self._services, contract_id))

    def list(
        self,
        *,
        status: Status | None = None,
        account: str | None = None,
        customer_id: str | None = None,
        method: PaymentMethod | None = None,
        metadata: Mapping[str, str] | None = None,
        page_size: int = 100,
    ) -> AsyncCursor[Contract]:
        """All contracts that fit, by id; with *metadata* those that have all of these texts (R-421)."""

        async def fetch(after: str | None) -> tuple[list[Contract], str | None]:
            return await self._run(
                listing.contracts(
                    self._services,
                    after,
                    page_size,
                    status=status,
                    account=account,
                    customer_id=customer_id,
                    method=method,
                    metadata=metadata,
                )
            )

        return AsyncCursor(fetch)

    async def operations(self, contract_id: str) -> tuple[Offer, ...]:
        """Every operation: offered now, or why not (R-023; domain §3.1). Asking changes nothing."""
        return await self._run(contracts.operations(self._services, contract_id))

    async def forecast(self, contract_id: str, *, months: int = 12) -> tuple[Forecast, ...]:
        """What will happen to a contract in the next *months* (1 to 120), day by day and why; nothing is changed.

        It supposes that every payment succeeds and nobody acts; an unpaid period is shown with its retries.
        """
        return await self._run(forecast.forecast(self._services, contract_id, months=months))

    async def confirm_payment(
        self,
        contract_id: str,
        *,
        received_at: dt.datetime | None = None,
        amount: Money | None = None,
        actor: Actor = ADMIN,
    ) -> Contract:
        """支払いを確認: the payment of a PENDING_PAYMENT contract has been found (R-104 to R-110).

        :param amount: what came in, by default all that was asked for: the initial fee and the first period. A part is
            booked to the fee first, and the row's remarks say what is open (R-386).
        :raises InvalidAmount: more than was asked for.
        """
        return await self._run(
            contracts.confirm_payment(
                self._services, contract_id, received_at=received_at, received=amount, actor=actor
            )
        )

    async def cancel(self, contract_id: str, *, reason: str = "", actor: Actor = ADMIN) -> OperationResult:
        """キャンセル: undo a contract that is not paid yet, or a recurring one before its start (R-084 to R-092)."""
        return await self._run(operations.cancel(self._services, contract_id, actor=actor, reason=reason))

    async def cancel_with_manual_refund(
        self, contract_id: str, *, reason: str = "", actor: Actor = ADMIN
    ) -> OperationResult:
        """キャンセル(手動返金): undo a purchase paid without a card; a person returns the money (R-093 to R-096)."""
        return await self._run(
            operations.cancel_with_manual_refund(self._services, contract_id, actor=actor, reason=reason)
        )

    async def cancel_and_refund(
        self, contract_id: str, *, include_addons: bool = False, reason: str = "", actor: Actor = ADMIN
    ) -> OperationResult:
        """キャンセルして返金: undo a purchase paid by card and return the money (R-097 to R-103).

        :param include_addons: return additional charges too (R-100).
        :raises RefundFailed: the provider refused; the contract stays as it is (R-101).
        """
        return await self._run(
            operations.cancel_and_refund(
                self._services, contract_id, include_addons=include_addons, actor=actor, reason=reason
            )
        )

    async def suspend(self, contract_id: str, *, reason: str = "", actor: Actor = ADMIN) -> OperationResult:
        """契約の停止: a payment without a card is missing (R-111 to R-118)."""
        return await self._run(operations.suspend(self._services, contract_id, actor=actor, reason=reason))

    async def resume(
        self,
        contract_id: str,
        *,
        received_at: dt.datetime | None = None,
        reason: str = "",
        actor: Actor = ADMIN,
    ) -> OperationResult:
        """契約停止の解除: the missing payment has come (R-119 to R-123)."""
        return await self._run(
            operations.resume(self._services, contract_id, received_at=received_at, actor=actor, reason=reason)
        )

    async def schedule_cancellation(
        self, contract_id: str, *, reason: str = "", actor: Actor = ADMIN
    ) -> OperationResult:
        """解約予約: end the contract on its next renewal day (R-124 to R-131).

        :returns: with ``effective_on`` and ``last_day_of_use``.
        :raises RenewalDayError: today is a renewal day (R-127).
        """
        return await self._run(
            operations.schedule_cancellation(self._services, contract_id, actor=actor, reason=reason)
        )

    async def revoke_cancellation(self, contract_id: str, *, reason: str = "", actor: Actor = ADMIN) -> OperationResult:
        """解約の取消: keep the contract, before its effective day (R-133 to R-137).

        :raises NotRevocable: the product ends (R-068).
        :raises EffectiveDayReached: it is too late (R-136).
        """
        return await self._run(operations.revoke_cancellation(self._services, contract_id, actor=actor, reason=reason))

    async def terminate(self, contract_id: str, *, reason: str = "", actor: Actor = ADMIN) -> OperationResult:
        """解約処理: end a PAST_DUE contract at once (R-138 to R-143)."""
        return await self._run(operations.terminate(self._services, contract_id, actor=actor, reason=reason))

    async def mark_retries_stopped(self, contract_id: str, *, note: str, actor: Actor = ADMIN) -> OperationResult:
        """Record that the provider's retries of the unpaid period were stopped on its own screen (R-383).

        From then on the period can be collected with ``charges.create(purpose=Purpose.ARREARS)`` (R-161).

        :param note: where and when it was done; kept in the audit trail.
        :raises OperationNotAllowed: no retry of the provider is pending.
        """
        return await self._run(operations.mark_retries_stopped(self._services, contract_id, note=note, actor=actor))

    async def mark_paid(
        self,
        contract_id: str,
        period: dt.date,
        *,
        received_at: dt.datetime | None = None,
        reason: str = "",
        actor: Actor = ADMIN,
    ) -> OperationResult:
        """The payment of one period of a contract without a card has been found, or is confirmed (R-387).

        Confirming an ASSUMED period changes no status and mails nobody, also while an end is scheduled. Where the
        contract stands still for that period, it resumes.

        :param period: the first day of the period, the ``target_on`` of its ledger row.
        :param received_at: when the money came in; by default now.
        :raises NotFound: no period of the contract begins on that day.
        """
        return await self._run(
            operations.mark_paid(
                self._services, contract_id, period, received_at=received_at, actor=actor, reason=reason
            )
        )

    async def mark_unpaid(
        self, contract_id: str, period: dt.date, *, reason: str = "", actor: Actor = ADMIN
    ) -> OperationResult:
        """The payment of one period of a contract without a card has not come: its row no longer counts (R-388).

        The content of that month is locked. The running period of a contract that runs is suspended by it; while an end is
        scheduled the status stays, and once the contract has ended the row is VOID, so that nothing is ever returned for it.

        :param period: the first day of the period, the ``target_on`` of its ledger row.
        """
        return await self._run(operations.mark_unpaid(self._services, contract_id, period, actor=actor, reason=reason))

    async def change_payment(
        self,
        contract_id: str,
        card: Card,
        *,
        collect: bool = False,
        consent: str | Consent | None = None,
        changed_elsewhere: bool = False,
        idempotency_key: str | None = None,
        revoke_old: bool = False,
        reason: str = "",
        actor: Actor = ADMIN,
    ) -> PaymentChange:
        """Pay a card contract from another card from now on: the way out of PAST_DUE (R-400 to R-404).

        What happened to the old card no longer counts: an unpaid period is tried with the new one by the next run, from the
        first attempt on. A subscription that the provider runs is given the card first; if that is refused, nothing changes.
        Both sides are told.

        :param card: of the same account or another one that can take the contract's payments.
        :param collect: charge the unpaid period at once, with purpose ARREARS; nothing if nothing is unpaid.
        :param consent: how the customer agreed to that; needed with *collect* where a period is unpaid.
        :param changed_elsewhere: the card was changed on the screen of a provider that charges the renewals; this records it.
        :param idempotency_key: of the charge: the same call again charges nothing more. The same card changes nothing.
        :param revoke_old: have the provider forget the old card afterwards, where no other contract is paid from it; this is the
            last moment, for its token is kept nowhere else. A failure is in ``not_revoked`` and undoes nothing.
        :returns: the contract, and the charge with its state; a decline leaves the new card in place.
        :raises OperationNotAllowed: not paid by card, not paid yet, or ended.
        :raises ChargeInProgress: a charge of the contract has no result yet (R-401).
        :raises CapabilityNotSupported: the provider that charges the renewals takes no other card from here (R-402).
        :raises ConsentRequired: *collect* without a consent; nothing was changed.
        """
        return await self._run(
            new_card.change_payment(
                self._services,
                contract_id,
                card,
                collect=collect,
                consent=consent,
                changed_elsewhere=changed_elsewhere,
                idempotency_key=idempotency_key,
                revoke_old=revoke_old,
                reason=reason,
                actor=actor,
            )
        )

    async def send_dunning_mail(
        self, contract_id: str, *, due_on: dt.date | None = None, actor: Actor = ADMIN
    ) -> OperationResult:
        """催促メール送信: remind the customer of a late payment (R-159)."""
        return await self._run(operations.send_dunning_mail(self._services, contract_id, due_on=due_on, actor=actor))

    async def preview_delete(self, contract_id: str, *, actor: Actor = ADMIN) -> Deletion:
        """What ``delete`` would do with the money; nothing is written or sent (R-272)."""
        return await self._run(deleting.preview(self._services, contract_id, actor=actor))

    async def delete(self, contract_id: str, *, confirm: str, reason: str, actor: Actor = ADMIN) -> DeletionReport:
        """削除: refund every payment that can be refunded, then remove the contract for good (R-251 to R-265).

        It is meant for mistaken applications only; to return money, cancel or refund (R-262).

        :param confirm: the contract's id, typed out (R-261).
        :raises DeleteNotConfirmed: it is not; the message is the warning.
        :raises PendingMoney: a charge or refund has no result yet (R-265).
        """
        return await self._run(
            deleting.delete(self._services, contract_id, confirm=confirm, reason=reason, actor=actor)
        )

    async def access(self, contract_id: str, *, on: dt.datetime | None = None) -> tuple[Opening, ...]:
        """Which product contents are open, and why (domain §2.5, R-059, R-072).

        :param on: an instant, by default now.
        """
        return await self._run(contracts.access(self._services, contract_id, on=on))

    async def set_expiry(
        self, contract_id: str, expires_on: dt.date, *, reason: str = "", actor: Actor = ADMIN
    ) -> Contract:
        """有効期限の手動変更: set the expiry date by hand; audited, no mail, no sale (R-056, R-057)."""
        return await self._run(
            contracts.set_expiry(self._services, contract_id, expires_on, reason=reason, actor=actor)
        )

    async def set_product_end(
        self,
        contract_id: str,
        end_month: str | None,
        *,
        product: str | None = None,
        reason: str = "",
        actor: Actor = ADMIN,
    ) -> OperationResult:
        """Set the final month of a running contract's products, or clear it (R-067, R-389).

        In the final period the contract is CANCEL_SCHEDULED and both sides are told; cleared or moved again, it runs on.

        :param end_month: ``"YYYY-MM"``, in which the last period begins; None: the product does not end.
        :param product: the code of one product; by default all of the plan.
        :raises InvalidValue: not a month, or one before the period that is being served.
        """
        return await self._run(
            operations.set_product_end(
                self._services, contract_id, end_month, product=product, actor=actor, reason=reason
            )
        )

    async def import_many(
        self,
        rows: Sequence[NewContract],
        *,
        skip_invalid: bool = False,
        check_only: bool = False,
        actor: Actor = ADMIN,
    ) -> ImportReport:
        """Take over contracts that run elsewhere, in one transaction: nothing is charged, nothing is mailed.

        :param skip_invalid: import the good ones although some are refused; by default one refusal imports nothing.
        :param check_only: import nothing; only say what would be refused.
        :returns: ids of what was imported, and each refused row with its reason.
        """
        return await self._run(
            importing.import_many(self._services, rows, skip_invalid=skip_invalid, check_only=check_only, actor=actor)
        )
