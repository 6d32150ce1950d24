"""The tables. What changes here needs a migration; a test compares the two on both databases.

Rows that are only ever appended carry ``seq``, which counts in the order of writing: ids made within one millisecond,
or under a frozen clock, do not sort by age. Amounts are minor units beside their currency. Instants are UTC, dates
business dates. All names begin with ``paygate_``, so that the database may be shared with an application. Foreign keys
are checked at commit, so that one transaction may write its rows in any order.
"""

from __future__ import annotations

import enum
from typing import Any

import sqlalchemy as sa

from ..domain.after_deletion import RemainderKind
from ..domain.charge import ChargeState, RefundState
from ..domain.contract import CancellationOrigin, Status
from ..domain.ledger import EntryKind, EntryState
from ..domain.subscription import SubscriptionState
from ..provider import DeclineClass
from .column_types import JSON, Id, Instant

__all__ = [
    "ASSUMED",
    "DISPUTES",
    "DUPLICATE",
    "FAILED",
    "KEPT_TELLING",
    "OPEN_CHARGE",
    "OPEN_DISCREPANCY",
    "OPEN_REFUND",
    "PAID",
    "REFUND_DUE",
    "REMAINDER_DUE",
    "RETURNED",
    "STARTING_DRAFT",
    "SUBSCRIPTION_OPEN",
    "UNDELIVERED",
    "audit",
    "card_attempts",
    "card_notices",
    "cards",
    "charges",
    "checkouts",
    "contracts",
    "customers",
    "discrepancies",
    "drafts",
    "events",
    "labels",
    "ledger",
    "licences",
    "metadata",
    "modes",
    "one_of",
    "outbox",
    "paid",
    "products",
    "refunds",
    "remainders",
    "restores",
    "returns",
    "step_mails",
]

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    }
)


def one_of(
    column: sa.ColumnElement[Any],
    *values: enum.Enum,
) -> sa.ColumnElement[bool]:
    """``column IN (…)`` with the values written out: only then do both databases use the partial index of the same words."""
    return column.in_([sa.literal_column(f"'{value.value}'") for value in values])


def _seq() -> sa.Column[int]:
    return sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True)


def _contract_columns() -> list[sa.Column[Any]]:
    """What a contract consists of, whether it exists or waits for its first payment."""
    return [
        sa.Column("customer_id", Id, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),  # JSON; text, because the same few plans are read again and again
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("start_on", sa.Date, nullable=False),
        sa.Column("applied_at", Instant, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("account", Id),
        sa.Column("credential", sa.Text),
        sa.Column("expires_on", sa.Date),
        sa.Column("period_start", sa.Date),
        sa.Column("ended_on", sa.Date),
        sa.Column("cancellation_origin", sa.Text),
        sa.Column("cancellation_requested_at", Instant),
        sa.Column("cancellation_by", sa.Text),
        sa.Column("cancellation_effective_on", sa.Date),
        sa.Column("past_due_since", Instant),
        sa.Column("past_due_period_start", sa.Date),
        sa.Column("past_due_failures", sa.Integer),
        sa.Column("past_due_retry_pending", sa.Boolean),
        sa.Column("past_due_exhausted", sa.Boolean),
        sa.Column("subscription_state", sa.Text),
        sa.Column("subscription_starts_on", sa.Date),
        sa.Column("subscription_reference", Id),
        sa.Column("subscription_asked_at", Instant),
        sa.Column("subscription_operator_told", sa.Boolean),
        sa.Column("mode", sa.Text),
        sa.Column("unlocked_on", sa.Date),
        sa.Column("overdue_period", sa.Date),
        sa.Column("past_due_given_up", sa.Boolean),
        sa.Column("metadata", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
    ]


def _contract_id() -> sa.Column[str]:
    return sa.Column(
        "contract_id",
        Id,
        sa.ForeignKey("paygate_contracts.id", deferrable=True, initially="DEFERRED"),
        nullable=False,
    )


customers = sa.Table(
    "paygate_customers",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

contracts = sa.Table(
    "paygate_contracts",
    metadata,
    sa.Column("id", Id, primary_key=True),
    *_contract_columns(),
    sa.Column("card_hash", Id),  # the stored card, recognisable without holding it
    sa.Column("due_on", sa.Date),  # when a billing run next has something to do for it; work is found by this alone
    sa.Column("updated_at", Instant, nullable=False),
    sa.ForeignKeyConstraint(["customer_id"], ["paygate_customers.id"], deferrable=True, initially="DEFERRED"),
    sa.Index("paygate_contracts_by_status", "status", "id"),
    sa.Index("paygate_contracts_by_customer", "customer_id", "id"),
    sa.Index("paygate_contracts_by_account", "account", "id"),
)

#: The type that each product has had since its first contract (R-019).
products = sa.Table(
    "paygate_products",
    metadata,
    sa.Column("code", Id, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
)

#: The mode that each account was last seen in, LIVE for ever once it was LIVE (X-24).
modes = sa.Table(
    "paygate_modes",
    metadata,
    sa.Column("account", Id, primary_key=True),
    sa.Column("mode", sa.Text, nullable=False),
)

#: Whether a key of a checkout comes with the contents it came with before; the checkout itself is nowhere.
checkouts = sa.Table(
    "paygate_checkouts",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("account", Id, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

#: When each kind of run came to its end for the last time, for whoever watches that they do.
runs = sa.Table(
    "paygate_runs",
    metadata,
    sa.Column("kind", Id, primary_key=True),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant, nullable=False),
    sa.Column("blocked", sa.BigInteger, nullable=False),
)

#: What providers have told of stored cards (R-405).
cards = sa.Table(
    "paygate_cards",
    metadata,
    sa.Column("account", Id, primary_key=True),
    sa.Column("card_hash", Id, primary_key=True),
    sa.Column("brand", sa.Text),
    sa.Column("last4", sa.Text),
    sa.Column("expires_on", sa.Date),
    sa.Column("revoked_at", Instant),
    sa.Column("seen_at", Instant, nullable=False),
)
_EXPIRES = cards.c.expires_on.is_not(None)
sa.Index("paygate_cards_expiring", cards.c.expires_on, sqlite_where=_EXPIRES, postgresql_where=_EXPIRES)

#: Of which cards' last day people have been told, once for each contract (R-408).
card_notices = sa.Table(
    "paygate_card_notices",
    metadata,
    sa.Column("contract_id", Id, primary_key=True),
    sa.Column("card_hash", Id, primary_key=True),
    sa.Column("expires_on", sa.Date, primary_key=True),
    sa.Column("at", Instant, nullable=False),
)

_CARD = contracts.c.card_hash.is_not(None)
sa.Index("paygate_contracts_by_card", contracts.c.card_hash, sqlite_where=_CARD, postgresql_where=_CARD)

_DUE = contracts.c.due_on.is_not(None)
sa.Index("paygate_contracts_due", contracts.c.due_on, contracts.c.id, sqlite_where=_DUE, postgresql_where=_DUE)

# What is looked through by date: a contract is in one of these only while it ends or its payment is missing.
_ENDING = contracts.c.cancellation_effective_on.is_not(None)
sa.Index(
    "paygate_contracts_ending",
    contracts.c.cancellation_effective_on,
    contracts.c.id,
    sqlite_where=_ENDING,
    postgresql_where=_ENDING,
)
_MISSING = contracts.c.past_due_since.is_not(None)
sa.Index(
    "paygate_contracts_past_due",
    contracts.c.past_due_since,
    contracts.c.id,
    sqlite_where=_MISSING,
    postgresql_where=_MISSING,
)

#: Contracts whose provider has still to be told or asked about its subscription: it is starting, or its contract has
#: ended, or ends with its product, and the subscription does not.
SUBSCRIPTION_OPEN = sa.or_(
    one_of(contracts.c.subscription_state, SubscriptionState.STARTING),
    sa.and_(
        one_of(contracts.c.subscription_state, SubscriptionState.RUNNING, SubscriptionState.ENDING),
        one_of(contracts.c.status, Status.TERMINATED, Status.CANCELED),
    ),
    sa.and_(
        one_of(contracts.c.subscription_state, SubscriptionState.RUNNING),
        one_of(contracts.c.cancellation_origin, CancellationOrigin.PRODUCT_END),
    ),
)
sa.Index(
    "paygate_contracts_subscriptions",
    contracts.c.id,
    sqlite_where=SUBSCRIPTION_OPEN,
    postgresql_where=SUBSCRIPTION_OPEN,
)

charges = sa.Table(
    "paygate_charges",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    # no foreign keys: the contract and its customer come into being with the first payment
    sa.Column("contract_id", Id, nullable=False),
    sa.Column("customer_id", Id, nullable=False),
    sa.Column("account", Id, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("idempotency_key", Id, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("renew_expiry", sa.Boolean, nullable=False),
    sa.Column("send_step_mail", sa.Boolean, nullable=False),
    sa.Column("consent_how", sa.Text),
    sa.Column("consent_obtained_at", Instant),
    sa.Column("consent_recorded_by", sa.Text),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("period_start", sa.Date),
    sa.Column("reference", Id),
    sa.Column("action_url", sa.Text),
    sa.Column("settled_at", Instant),
    sa.Column("charged_at", Instant),
    sa.Column("previous_expires_on", sa.Date),
    sa.Column("expires_on", sa.Date),
    sa.Column("failure_code", sa.Text),
    sa.Column("failure_message", sa.Text),
    sa.Column("failure_decline", sa.Text),
    sa.Column("failure_sent", sa.Boolean),
    sa.Column("network", sa.Text),
    sa.Column("advice_code", sa.Text),
    sa.Column("credential_hash", Id, nullable=False),
    sa.Column("operator_told", sa.Boolean, nullable=False),
    sa.Column("claim_until", Instant),
    sa.Column("written_at", Instant),
    sa.Column("response_code", sa.Text),
    sa.Column("action_until", Instant),
    sa.Column("metadata", sa.Text),
    sa.Column("cleared_by", sa.Text),
    sa.Column("action_method", sa.Text),
    sa.Column("action_fields", sa.Text),  # JSON: names and values of a form
    sa.UniqueConstraint("account", "idempotency_key", name="paygate_charges_key"),
    sa.Index("paygate_charges_by_contract", "contract_id", "seq"),
    sa.Index("paygate_charges_by_credential", "account", "credential_hash", "created_at"),
)

#: The attempts whose result is still to come.
OPEN_CHARGE = one_of(charges.c.state, ChargeState.PENDING, ChargeState.UNKNOWN)

# One open attempt per contract and purpose, whoever asks at the same time.
sa.Index(
    "paygate_charges_open",
    charges.c.contract_id,
    charges.c.kind,
    unique=True,
    sqlite_where=OPEN_CHARGE,
    postgresql_where=OPEN_CHARGE,
)
#: Charges that ended without money.
FAILED = one_of(charges.c.state, ChargeState.FAILED)
sa.Index("paygate_charges_failed", charges.c.settled_at, charges.c.seq, sqlite_where=FAILED, postgresql_where=FAILED)
#: Attempts that say something about their card: that it was declined, or which network it is of.
TELLING = sa.or_(FAILED, charges.c.network.is_not(None))
sa.Index(
    "paygate_charges_telling",
    charges.c.account,
    charges.c.credential_hash,
    charges.c.created_at,
    sqlite_where=TELLING,
    postgresql_where=TELLING,
)
#: Charges that the provider took for the repetition of another one (R-332).
DUPLICATE = sa.and_(FAILED, one_of(charges.c.failure_decline, DeclineClass.DUPLICATE))
sa.Index("paygate_charges_duplicates", charges.c.seq, sqlite_where=DUPLICATE, postgresql_where=DUPLICATE)
_TOLD = charges.c.reference.is_not(None)
sa.Index(
    "paygate_charges_by_reference",
    charges.c.account,
    charges.c.reference,
    sqlite_where=_TOLD,
    postgresql_where=_TOLD,
)

#: The contract that a first payment will create, and its customer (R-013); without a charge: that the start of the
#: provider's subscription will create.
drafts = sa.Table(
    "paygate_drafts",
    metadata,
    _seq(),
    sa.Column(
        "charge_id",
        Id,
        sa.ForeignKey("paygate_charges.id", deferrable=True, initially="DEFERRED"),
        unique=True,
    ),
    sa.Column("customer_name", sa.Text, nullable=False),
    sa.Column("customer_email", sa.Text, nullable=False),
    sa.Column("id", Id, nullable=False),
    *_contract_columns(),
)

#: Drafts that wait for the provider's subscription; each contract is started once at a time.
STARTING_DRAFT = drafts.c.charge_id.is_(None)
sa.Index(
    "paygate_drafts_starting",
    drafts.c.id,
    unique=True,
    sqlite_where=STARTING_DRAFT,
    postgresql_where=STARTING_DRAFT,
)

ledger = sa.Table(
    "paygate_ledger",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    _contract_id(),
    sa.Column("customer_id", Id, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("purchased_on", sa.Date, nullable=False),
    sa.Column("target_on", sa.Date, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("account", Id),
    sa.Column("reference", Id),
    sa.Column("charge_id", Id),
    sa.Column("refunds", Id, sa.ForeignKey("paygate_ledger.id", deferrable=True, initially="DEFERRED")),
    sa.Column("consent", sa.Text, nullable=False),
    sa.Column("remarks", sa.Text, nullable=False),
    sa.Column("done_on", sa.Date),
    sa.Column("due_by", Instant),
    sa.Index("paygate_ledger_by_contract", "contract_id", "seq"),
    sa.Index("paygate_ledger_by_payment", "customer_id", "account", "received_at"),
)


def paid(rows: sa.FromClause) -> sa.ColumnElement[bool]:
    """Payments that were really made, in the ledger or an alias of it: a refunded one still counts, zero yen does not (R-201)."""
    return sa.and_(
        one_of(rows.c.kind, EntryKind.INITIAL_FEE, EntryKind.PERIOD, EntryKind.ADDON),
        one_of(rows.c.state, *(state for state in EntryState if state.received)),
        rows.c.amount > sa.literal_column("0"),
    )


PAID = paid(ledger)
sa.Index("paygate_ledger_paid", ledger.c.received_at, ledger.c.seq, sqlite_where=PAID, postgresql_where=PAID)

#: Renewals without a card that were taken as paid (R-037).
ASSUMED = one_of(ledger.c.state, EntryState.ASSUMED)
sa.Index("paygate_ledger_assumed", ledger.c.target_on, ledger.c.seq, sqlite_where=ASSUMED, postgresql_where=ASSUMED)

#: Rows that stand for a period which counts; a void one may be followed by another.
_PERIOD = sa.and_(one_of(ledger.c.kind, EntryKind.PERIOD), ledger.c.state != sa.literal_column("'VOID'"))
_REFUNDS = ledger.c.refunds.is_not(None)
sa.Index("paygate_ledger_by_refunded", ledger.c.refunds, sqlite_where=_REFUNDS, postgresql_where=_REFUNDS)

# A period is charged once, whatever runs the billing.
sa.Index(
    "paygate_ledger_period",
    ledger.c.contract_id,
    ledger.c.target_on,
    unique=True,
    sqlite_where=_PERIOD,
    postgresql_where=_PERIOD,
)

#: Money that a person still has to return (R-096, R-250).
REFUND_DUE = sa.and_(
    one_of(ledger.c.kind, EntryKind.MANUAL_REFUND_DUE),
    ledger.c.state != sa.literal_column("'DONE'"),
)
sa.Index(
    "paygate_ledger_refunds_due", ledger.c.target_on, ledger.c.seq, sqlite_where=REFUND_DUE, postgresql_where=REFUND_DUE
)

#: What customers' banks have taken back, or asked about (R-316).
DISPUTES = one_of(ledger.c.kind, EntryKind.DISPUTE)
sa.Index(
    "paygate_ledger_disputes", ledger.c.received_at, ledger.c.seq, sqlite_where=DISPUTES, postgresql_where=DISPUTES
)

refunds = sa.Table(
    "paygate_refunds",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    _contract_id(),
    sa.Column("account", Id, nullable=False),  # empty for money that is returned without a provider
    sa.Column(
        "entry_id", Id, sa.ForeignKey("paygate_ledger.id", deferrable=True, initially="DEFERRED"), nullable=False
    ),
    sa.Column(
        "refund_entry_id", Id, sa.ForeignKey("paygate_ledger.id", deferrable=True, initially="DEFERRED"), nullable=False
    ),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("idempotency_key", Id, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("by_hand", sa.Boolean, nullable=False),
    sa.Column("remove_license", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("reference", Id),
    sa.Column("settled_at", Instant),
    sa.Column("failure_code", sa.Text),
    sa.Column("failure_message", sa.Text),
    sa.Column("failure_decline", sa.Text),
    sa.Column("failure_sent", sa.Boolean),
    sa.Column("claim_until", Instant),
    sa.Column("metadata", sa.Text),
    sa.Column("written_at", Instant),
    sa.UniqueConstraint("account", "idempotency_key", name="paygate_refunds_key"),
    sa.Index("paygate_refunds_by_contract", "contract_id", "seq"),
    sa.Index("paygate_refunds_by_entry", "entry_id", "seq"),
    sa.Index("paygate_refunds_by_reference", "account", "reference"),
)

#: Refunds whose result is still to come from a provider.
OPEN_REFUND = one_of(refunds.c.state, RefundState.PENDING, RefundState.UNKNOWN)
sa.Index("paygate_refunds_unsettled", refunds.c.seq, sqlite_where=OPEN_REFUND, postgresql_where=OPEN_REFUND)

#: Money that went back.
RETURNED = one_of(refunds.c.state, RefundState.DONE)
sa.Index("paygate_refunds_done", refunds.c.settled_at, refunds.c.seq, sqlite_where=RETURNED, postgresql_where=RETURNED)

step_mails = sa.Table(
    "paygate_step_mails",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    _contract_id(),
    sa.Column("customer_id", Id, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("mail_set", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("queued_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("charge_id", Id),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Index("paygate_step_mails_by_contract", "contract_id", "seq"),
    sa.Index("paygate_step_mails_due", "state", "due_at", "seq"),
)

licences = sa.Table(
    "paygate_licences",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    _contract_id(),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("entry_id", Id, nullable=False),
    sa.Column("issued_on", sa.Date, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Index("paygate_licences_by_contract", "contract_id", "seq"),
)

audit = sa.Table(
    "paygate_audit",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("contract_id", Id),  # no foreign key: the records outlive the contract
    sa.Column("before", JSON, nullable=False),
    sa.Column("after", JSON, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("paygate_audit_by_contract", "contract_id", "seq"),
)

outbox = sa.Table(
    "paygate_outbox",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("contract_id", Id),
    sa.Column("payload", JSON, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", Instant, nullable=False),
    sa.Column("last_error", sa.Text),
    sa.Column("delivered_at", Instant),
)

#: What is still to be delivered.
UNDELIVERED = outbox.c.delivered_at.is_(None)
sa.Index("paygate_outbox_due", outbox.c.next_at, outbox.c.seq, sqlite_where=UNDELIVERED, postgresql_where=UNDELIVERED)
sa.Index(
    "paygate_outbox_order", outbox.c.contract_id, outbox.c.seq, sqlite_where=UNDELIVERED, postgresql_where=UNDELIVERED
)

events = sa.Table(
    "paygate_events",
    metadata,
    _seq(),
    sa.Column("account", Id, nullable=False),
    sa.Column("event_id", Id, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("payload", JSON, nullable=False),
    sa.Column("outcome", sa.Text),
    sa.UniqueConstraint("account", "event_id", name="paygate_events_once"),
)

#: Reports of providers that contradict the record (R-310). No foreign keys: the evidence outlives what it is about.
discrepancies = sa.Table(
    "paygate_discrepancies",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    sa.Column("attempt_id", Id, nullable=False),  # of the charge or the refund
    sa.Column("charge_id", Id),
    sa.Column("refund_id", Id),
    sa.Column("contract_id", Id, nullable=False),
    sa.Column("account", Id, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("our_reference", Id),
    sa.Column("our_amount", sa.BigInteger, nullable=False),
    sa.Column("our_currency", sa.Text, nullable=False),
    sa.Column("our_state", sa.Text, nullable=False),
    sa.Column("their_reference", Id, nullable=False),  # empty where the provider named none
    sa.Column("their_amount", sa.BigInteger, nullable=False),  # -1, without a currency, where it named no sum
    sa.Column("their_currency", sa.Text, nullable=False),
    sa.Column("their_state", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("resolved_at", Instant),
    sa.Column("resolved_by", sa.Text),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("returned", sa.BigInteger, nullable=False, server_default="0"),  # of their_amount
    sa.UniqueConstraint(
        "attempt_id", "kind", "their_reference", "their_amount", "their_currency", name="paygate_discrepancies_once"
    ),
    sa.Index("paygate_discrepancies_by_reference", "account", "their_reference"),
    sa.Index("paygate_discrepancies_by_contract", "contract_id", "seq"),
)

#: Discrepancies that nobody has resolved.
OPEN_DISCREPANCY = discrepancies.c.resolved_at.is_(None)
sa.Index(
    "paygate_discrepancies_open",
    discrepancies.c.seq,
    sqlite_where=OPEN_DISCREPANCY,
    postgresql_where=OPEN_DISCREPANCY,
)

#: What providers report to have gone back of charges, or to be disputed, without paygate's asking (R-314).
returns = sa.Table(
    "paygate_returns",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    sa.Column("account", Id, nullable=False),
    sa.Column("charge_id", Id, nullable=False),  # empty, like the next, while nobody knows whose payment it is
    sa.Column("contract_id", Id, nullable=False),  # no foreign key: it may come before the contract's first payment
    sa.Column("charge_reference", Id),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("reference", Id, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("due_by", Instant),
    sa.Column("reason", sa.Text, nullable=False),
    sa.UniqueConstraint("account", "kind", "reference", name="paygate_returns_once"),
    sa.Index("paygate_returns_by_charge", "charge_id", "seq"),
    sa.Index("paygate_returns_by_payment", "account", "charge_reference"),
)

restores = sa.Table(
    "paygate_restores",
    metadata,
    _seq(),
    sa.Column("at", Instant, nullable=False),
    sa.Column("since", Instant),
)

#: The money of deleted contracts by number (R-415): what is owed, and what a provider may still report. No personal data.
remainders = sa.Table(
    "paygate_remainders",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    sa.Column("contract_id", Id, nullable=False),  # no foreign key: the contract is gone
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("account", Id),
    sa.Column("reference", Id),
    sa.Column("charge_id", Id),
    sa.Column("entry_id", Id),
    sa.Column("refund_id", Id),
    sa.Column("done_on", sa.Date),
    sa.Column("remarks", sa.Text, nullable=False),
    sa.Index("paygate_remainders_by_contract", "contract_id", "seq"),
    sa.Index("paygate_remainders_by_reference", "account", "reference"),
    sa.Index("paygate_remainders_by_charge", "charge_id", "seq"),
)

#: What deleted contracts still owe.
REMAINDER_DUE = sa.and_(
    one_of(remainders.c.kind, RemainderKind.DUE),
    one_of(remainders.c.state, EntryState.PENDING),
)
sa.Index("paygate_remainders_due", remainders.c.seq, sqlite_where=REMAINDER_DUE, postgresql_where=REMAINDER_DUE)

#: What the attempts of deleted contracts say about their cards (R-337): a digest of the credential, no person, no contract.
card_attempts = sa.Table(
    "paygate_card_attempts",
    metadata,
    _seq(),
    sa.Column("id", Id, nullable=False, unique=True),
    sa.Column("account", Id, nullable=False),
    sa.Column("credential_hash", Id, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("failure_code", sa.Text),
    sa.Column("failure_decline", sa.Text),
    sa.Column("failure_sent", sa.Boolean),
    sa.Column("network", sa.Text),
    sa.Column("advice_code", sa.Text),
    sa.Column("response_code", sa.Text),
    sa.Index("paygate_card_attempts_by_credential", "account", "credential_hash", "created_at"),
)

#: Those of them that say something about their card.
KEPT_TELLING = sa.or_(one_of(card_attempts.c.state, ChargeState.FAILED), card_attempts.c.network.is_not(None))
sa.Index(
    "paygate_card_attempts_telling",
    card_attempts.c.account,
    card_attempts.c.credential_hash,
    sqlite_where=KEPT_TELLING,
    postgresql_where=KEPT_TELLING,
)

#: By which metadata contracts, charges and refunds are found (R-421); a digest of key and text, for both may be long.
labels = sa.Table(
    "paygate_metadata",
    metadata,
    _seq(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("id", Id, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("digest", Id, nullable=False),
    sa.Index("paygate_metadata_by_text", "digest", "kind"),
    sa.Index("paygate_metadata_by_id", "id", "kind"),
)
