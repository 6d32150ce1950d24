# mypy: disable-error-code="empty-body"
"""The hooks of paygate, documented like an API.

**Provider hooks** are answered by exactly one account's provider: capabilities, charge, refund, find_charge,
find_refund, begin_checkout, complete_checkout, parse_webhook, start_recurring, stop_recurring, end_recurring,
resume_recurring, change_recurring_payment, describe_card, revoke_card, ping. Those that talk to the provider are flows: ``async def`` that awaits only :mod:`paygate.flow`.

**Observer hooks** are plain functions; every plugin may implement them. Those after the fact run from the outbox: at
least once, in order per contract, retried with growing pauses. An observer that raises never undoes money.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._markers import hookspec

if TYPE_CHECKING:
    from .notices import (
        ChargeNotice,
        ChargeProposal,
        ContractChange,
        ContractNotice,
        OperationProposal,
        OperatorNotice,
        RefundNotice,
        StepMailNotice,
    )
    from .provider import (
        Capabilities,
        ChangedPayment,
        ChargeRequest,
        ChargeResult,
        Checkout,
        CheckoutRequest,
        CheckoutResult,
        CredentialDescription,
        CredentialRequest,
        Found,
        LookupRequest,
        ProviderEvent,
        RefundRequest,
        RefundResult,
        StartedSubscription,
        SubscriptionPayment,
        SubscriptionRequest,
        SubscriptionStart,
        Webhook,
    )

__all__ = [
    "before_charge",
    "before_operation",
    "begin_checkout",
    "cancel_charge",
    "capabilities",
    "change_recurring_payment",
    "charge",
    "complete_checkout",
    "describe_card",
    "end_recurring",
    "find_charge",
    "find_refund",
    "on_charge_failure",
    "on_charge_success",
    "on_contract_change",
    "on_contract_notice",
    "on_operator_action_required",
    "on_refund",
    "on_step_mail_due",
    "parse_webhook",
    "ping",
    "refund",
    "resume_recurring",
    "revoke_card",
    "start_recurring",
    "stop_recurring",
]

#: Hooks that one account's provider answers.
PROVIDER_HOOKS = frozenset(
    {
        "begin_checkout",
        "cancel_charge",
        "capabilities",
        "change_recurring_payment",
        "charge",
        "complete_checkout",
        "describe_card",
        "end_recurring",
        "find_charge",
        "find_refund",
        "parse_webhook",
        "ping",
        "refund",
        "resume_recurring",
        "revoke_card",
        "start_recurring",
        "stop_recurring",
    }
)


@hookspec(firstresult=True)
def capabilities() -> Capabilities:
    """Declare what the provider does.

    Called once when the account is opened; the answer is kept. Must not do I/O and must always answer the same value.

    :returns: one frozen :class:`~paygate.capabilities.Capabilities`.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def charge(request: ChargeRequest) -> ChargeResult:
    """Move ``request.amount`` from the stored credential to the seller.

    Called once per attempt, after the intent is committed, for exactly one account. A flow. May be called again with
    the same ``request.key`` after an answer that certainly never reached the provider.

    Must not retry, wait for real, log bodies, or guess: an unknown text is :meth:`ChargeResult.unknown
    <paygate.provider.ChargeResult.unknown>`.

    :param request: amount in minor units, credential, key, metadata.
    :returns: succeeded, pending, declined, not sent or unknown; never an exception for a decline.
    :raises ProviderUnavailable: only where certainly nothing happened.
    :raises OutcomeUnknown: the answer was lost; the same as returning ``unknown``.
    :raises ConfigurationError: the provider refuses the account (HTTP 401, 403): not sent, class CONFIG. Whatever else is
        raised is not sent where the driver has put nothing on the wire that may move money, and unknown after that.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def refund(request: RefundRequest) -> RefundResult:
    """Return ``request.amount`` of an earlier charge.

    Called once per attempt, after the intent is committed, only where ``capabilities().refunds`` is not BY_HAND, and
    with a partial amount only where it is PARTIAL. A flow.

    Must not send more than asked, and must not turn an unknown answer into a decline.

    :returns: succeeded, pending, declined, not sent or unknown.
    :raises ProviderUnavailable: only where certainly nothing happened.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def find_charge(request: LookupRequest) -> Found:
    """Find out what became of a charge whose result is not known.

    Called by polling and reconciliation, any number of times, only where ``capabilities().lookup`` is not NONE. A flow.

    Must not move money that the attempt had not already moved, except by the provider's own native idempotency key. Say
    what has gone back of the charge, whoever asked for that (``result.refunded``), what is disputed (``result.disputes``),
    and every further payment that carries the attempt (``result.others``). Do not let a list begin with the attempt's
    ``requested_at``: the host's clock may have been ahead.

    :param request: the attempt as it was sent, and the provider's reference if it is known. Where ``request.contract`` is
        set, the database was restored from a backup: list every payment of the contract as well (``Found.payments``), if
        that is possible.
    :returns: ``Found(result)``, or ``Found(None)`` where nothing was found; what that proves is declared.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def cancel_charge(request: LookupRequest) -> Found:
    """Withdraw a charge that waits for the customer, so that it takes no money any more.

    Called by reconciliation when the time in which the customer may act is over, after a look-up that found it still
    PENDING, only where ``capabilities().cancels_charges``. May be called again. A flow.

    Must not return money, and not raise where the charge has ended meanwhile: it answers what the charge is now.

    :param request: the attempt as it was sent, and the provider's reference.
    :returns: ``Found(result)`` with the charge as it is now: declined where it was withdrawn, succeeded where the customer
        was faster, pending where the provider still thinks about it. ``Found(None)`` where there is no such charge.

    .. versionadded:: 0.2
    """


@hookspec(firstresult=True)
async def find_refund(request: LookupRequest) -> Found:
    """Find out what became of a refund; see :func:`find_charge`.

    Called only where ``capabilities().refund_lookup`` is not NONE. A flow.

    Must not start another refund.

    :returns: ``Found(result)`` or ``Found(None)``.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def begin_checkout(request: CheckoutRequest) -> Checkout:
    """Prepare a page on which a customer stores a card.

    Called when a shop wants a card stored, only where ``capabilities().checkout``. A flow. May be called again with the
    same ``request.key``, and must then answer the same checkout where the provider can.

    Must not charge the card, and must not ask the shop for its number.

    :param request: whose card, where to return to, the key.
    :returns: where to send the customer, and the reference to ask :func:`complete_checkout` with.
    :raises ProviderError: the provider refused or did not answer; no card is stored.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def complete_checkout(reference: str) -> CheckoutResult:
    """Say what became of a checkout, and hand over the credential of the stored card.

    Called any number of times, when the customer is back or an event of kind CHECKOUT has come, only where
    ``capabilities().checkout``. A flow.

    Must believe only the provider's own answer, never what the customer's browser brought; must be safe to repeat and
    must not charge the card. A state that nobody documented is no COMPLETED.

    :param reference: as :func:`begin_checkout` gave it.
    :returns: open, completed with a credential that :func:`charge` takes, expired or failed.
    :raises NotFound: the provider knows no such checkout.
    :raises ProviderError: the provider refused or did not answer; ask again later.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def parse_webhook(webhook: Webhook) -> list[ProviderEvent]:
    """Authenticate a delivery and say what it means.

    Called once per delivery, before anything is stored, only where ``capabilities().webhooks``. A flow: where the
    provider's proof is weak, re-read the resource with ``send`` and believe only that.

    Must compare secrets in constant time, and must not trust an amount, state or id of an unauthenticated body. Must report
    refunds and disputes of charges whoever made them: one that paygate did not ask for is an event of kind REFUND or DISPUTE
    that names the charge (``charge_reference``, ``charge_id``) and no attempt. Events may be repeated and come in any order.

    :param webhook: raw headers (lower-case names) and body.
    :returns: events; an authentic delivery that paygate does not act on is one event of kind OTHER.
    :raises WebhookRejected: forged (401) or malformed (400).

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def start_recurring(request: SubscriptionStart) -> StartedSubscription:
    """Start the provider's own subscription of a contract.

    Called once the contract is written down, only where ``capabilities().starts_subscriptions``. A flow. Called again
    with the same contract and key after a lost answer, minutes or days later.

    Must first be safe to repeat: the same key and contract never make a second subscription. Where the provider forgets
    keys, look for the contract's subscription (by its metadata) before making one.

    The charges of the subscription, the first included, are reported by webhooks as events of kind RENEWAL that name the
    contract; the answer tells nothing about money.

    :param request: contract, key, credential, price and length of a period, and the date of the first charge.
    :returns: the provider's reference of the subscription.
    :raises ChargeDeclined: a final no; there is no subscription.
    :raises ProviderUnavailable: only where certainly nothing happened.
    :raises OutcomeUnknown: the answer was lost; there may be a subscription.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def stop_recurring(request: SubscriptionRequest) -> None:
    """End the provider's own subscription now, and let it retry nothing any more (R-092, R-143).

    Called before the contract changes, and again by reconciliation once it has ended, only where
    ``capabilities().renewals`` is PROVIDER. A flow. Must be idempotent: a subscription that has ended already, or that was
    never started because the answer to its start was lost, is no error. Without ``request.reference`` look for the
    contract's subscription by what :func:`start_recurring` left with it.

    :param request: which contract, its stored credential, and the reference of the subscription if paygate started it.
    :raises ProviderError: the provider refused or did not answer; the contract then stays as it is.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def end_recurring(request: SubscriptionRequest) -> None:
    """Let the provider's own subscription charge no further renewal (R-130).

    Called like :func:`stop_recurring`, when a cancellation is scheduled or the product's final period has begun. A flow.
    Must be idempotent.

    :param request: which contract, and the business date on which its period ends.
    :raises ProviderError: the provider refused or did not answer; the contract then stays as it is.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def resume_recurring(request: SubscriptionRequest) -> None:
    """Let the provider's own subscription charge renewals again (R-130).

    Called like :func:`stop_recurring`, when a scheduled cancellation is revoked. A flow. Must be idempotent.

    :param request: which contract.
    :raises ProviderError: the provider refused or did not answer; the contract then stays as it is.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def change_recurring_payment(request: SubscriptionPayment) -> ChangedPayment:
    """Charge the provider's own subscription to another stored card from now on (R-403).

    Called where ``Capabilities.changes_recurring_payment`` is declared, when the card of a contract is changed; the contract is
    written after it. A flow. Must be idempotent: a subscription that has the new card already is success.

    With ``request.collect`` what is unpaid is charged to it at once, where the provider can; a decline of that charge is no
    error here, for an event tells of it. Must not charge anything without.

    :param request: which contract, the card so far and the new one.
    :raises InvalidValue: the new card is none that this subscription can be charged to; nothing was changed.
    :raises ProviderError: the provider refused or did not answer; the contract then stays as it is.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def describe_card(request: CredentialRequest) -> CredentialDescription:
    """Tell what the provider knows about a stored card.

    Called where ``Capabilities.describes_cards`` is declared, when somebody asks. A flow. Must not move money, and must
    not answer more of a number than its last four digits.

    :returns: state, brand, last digits and last month, as far as they are told. A card that the provider does not know any more
        is REVOKED.
    :raises ProviderError: the provider refused or did not answer.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def revoke_card(request: CredentialRequest) -> None:
    """Have the provider forget a stored card for good (R-405).

    Called where ``Capabilities.revokes_cards`` is declared, for a card that no living contract is paid from. A flow. Must
    be idempotent: one that is gone already is success.

    :param request: which card.
    :raises ProviderError: the provider refused or did not answer; whether the card is gone is then asked for by a repeat.

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
async def ping() -> str:
    """Check that the provider can be reached with these credentials.

    Called only when somebody asks. A flow. Must not move money.

    :returns: a short text for people, without secrets.
    :raises ConfigurationError: the provider refuses the credentials.
    :raises ProviderUnavailable: it cannot be reached.

    .. versionadded:: 0.1
    """


@hookspec
def before_charge(proposal: ChargeProposal) -> str | None:
    """Look at a charge before anything is written or sent; a reason vetoes it.

    Called on every plugin, outside any transaction, before each attempt. The first reason given wins.

    Must not block for long: somebody waits.

    :param proposal: contract, customer, account, amount, options and effects.
    :returns: None to let it pass, or the reason for the veto, shown to the caller as ``Vetoed``.

    .. versionadded:: 0.1
    """


@hookspec
def before_operation(proposal: OperationProposal) -> str | None:
    """Say whether somebody may do what they ask for; a reason refuses it (X-21).

    Called on every plugin, outside any transaction, before each call of the gateway that names an actor and would change
    something: every operation on a contract, its creation, charges, refunds, deletion, imports, and a person's word on an
    open outcome. The roles of the seller's staff are the seller's own: look them up by ``proposal.actor``. Not called for
    what a billing run or a provider's notice brings about, nor for a repeat under an idempotency key that is known
    already. The first reason given wins; the refusal is in the audit trail. An observer that raises refuses as well.

    Must not block for long: somebody waits.

    :param proposal: what is asked for, by whom, for which contract and amount.
    :returns: None to let it pass, or the reason for the refusal, shown to the caller as ``Vetoed``.

    .. versionadded:: 0.1
    """


@hookspec
def on_charge_success(notice: ChargeNotice) -> None:
    """A charge succeeded and is recorded. Called from the outbox, at least once. Must be idempotent.

    :param notice: the charge, its contract, and the expiry before and after.

    .. versionadded:: 0.1
    """


@hookspec
def on_charge_failure(notice: ChargeNotice) -> None:
    """A charge failed and is recorded (R-176). Called from the outbox, at least once. Must be idempotent.

    :param notice: the charge with the provider's code and class of decline.

    .. versionadded:: 0.1
    """


@hookspec
def on_refund(notice: RefundNotice) -> None:
    """A refund ended, well or not (R-247). Called from the outbox, at least once. Must be idempotent.

    :param notice: the refund and the ledger row that it returns.

    .. versionadded:: 0.1
    """


@hookspec
def on_step_mail_due(notice: StepMailNotice) -> None:
    """A step mail is due (R-225). Called from the outbox, at least once; deliver it, by its id once.

    :param notice: the mail and the customer's address.

    .. versionadded:: 0.1
    """


@hookspec
def on_contract_change(notice: ContractChange) -> None:
    """A contract was made, changed or deleted. Called from the outbox, at least once, in the order of the changes.

    Told of everything that changes a contract's status or another of its facts, whoever brought it about: operations,
    charges, billing runs, providers' events, imports. Must be idempotent, by the notice's id. Deleting a contract removes
    what was not delivered about it before; the deletion itself is told.

    Must not call the provider: what it wants to do to the contract, it does through the gateway, later.

    :param notice: operation or event, actor, instant, status and expiry before and after, and the names of what changed.

    .. versionadded:: 0.1
    """


@hookspec
def on_contract_notice(notice: ContractNotice) -> None:
    """Customer or administrator is to be told what has become of a contract. Called from the outbox, at least once.

    One notice has one audience. Deliver it, by its id once.

    :param notice: what happened (domain §3.4), to whom it is to be told, and the facts to show (R-271).

    .. versionadded:: 0.1
    """


@hookspec
def on_operator_action_required(notice: OperatorNotice) -> None:
    """A person has to look: an outcome that nobody can look up, a report against the record, a dispute, money to be returned.

    ``notice.code`` says which: among others ``unknown_outcome``, ``discrepancy``, ``late_success``, ``provider_refund``,
    ``provider_refund_failed``, ``dispute_opened``, ``dispute_lost``, ``dispute_won``, ``manual_refund_due``,
    ``refund_failed``, ``unmatched_event``.

    Called from the outbox, at least once. Must be idempotent.

    :param notice: what happened, to which contract, and what to do.

    .. versionadded:: 0.1
    """
