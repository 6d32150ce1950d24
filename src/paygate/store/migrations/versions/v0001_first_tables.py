"""The first tables.

Revision 0001, after nothing. Types are written out here once more on purpose: a migration stays what it was.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

REFUND_DUE = sa.text("kind IN ('MANUAL_REFUND_DUE') AND state != 'DONE'")
PERIOD = sa.text("kind IN ('PERIOD') AND state != 'VOID'")
OPEN = sa.text("state IN ('PENDING', 'UNKNOWN')")
UNDELIVERED = sa.text("delivered_at IS NULL")
DUE = sa.text("due_on IS NOT NULL")
TOLD = sa.text("reference IS NOT NULL")
REFUNDS = sa.text("refunds IS NOT NULL")
ENDING = sa.text("cancellation_effective_on IS NOT NULL")
MISSING = sa.text("past_due_since IS NOT NULL")
FAILED = sa.text("state IN ('FAILED')")
ASSUMED = sa.text("state IN ('ASSUMED')")
DONE = sa.text("state IN ('DONE')")
PAID = sa.text(
    "kind IN ('INITIAL_FEE', 'PERIOD', 'ADDON') AND state IN ('SUCCEEDED', 'REFUND_PENDING', 'REFUNDED') AND amount > 0"
)
STARTING_DRAFT = sa.text("charge_id IS NULL")
SUBSCRIPTION_OPEN = sa.text(
    "subscription_state IN ('STARTING')"
    " OR subscription_state IN ('RUNNING', 'ENDING') AND status IN ('TERMINATED', 'CANCELED')"
    " OR subscription_state IN ('RUNNING') AND cancellation_origin IN ('PRODUCT_END')"
)


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "paygate_customers",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="paygate_customers_pkey"),
    )

    op.create_table(
        "paygate_products",
        sa.Column("code", ID, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="paygate_products_pkey"),
    )

    op.create_table(
        "paygate_modes",
        sa.Column("account", ID, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", name="paygate_modes_pkey"),
    )

    op.create_table(
        "paygate_contracts",
        sa.Column("id", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("applied_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("account", ID),
        sa.Column("credential", sa.Text()),
        sa.Column("expires_on", sa.Date()),
        sa.Column("period_start", sa.Date()),
        sa.Column("ended_on", sa.Date()),
        sa.Column("cancellation_origin", sa.Text()),
        sa.Column("cancellation_requested_at", INSTANT),
        sa.Column("cancellation_by", sa.Text()),
        sa.Column("cancellation_effective_on", sa.Date()),
        sa.Column("past_due_since", INSTANT),
        sa.Column("past_due_period_start", sa.Date()),
        sa.Column("past_due_failures", sa.Integer()),
        sa.Column("past_due_retry_pending", sa.Boolean()),
        sa.Column("past_due_exhausted", sa.Boolean()),
        sa.Column("subscription_state", sa.Text()),
        sa.Column("subscription_starts_on", sa.Date()),
        sa.Column("subscription_reference", ID),
        sa.Column("subscription_asked_at", INSTANT),
        sa.Column("subscription_operator_told", sa.Boolean()),
        sa.Column("mode", sa.Text()),
        sa.Column("unlocked_on", sa.Date()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date()),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["paygate_customers.id"],
            name="paygate_contracts_customer_id_fkey",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name="paygate_contracts_pkey"),
    )
    op.create_index("paygate_contracts_by_account", "paygate_contracts", ["account", "id"])
    op.create_index("paygate_contracts_by_customer", "paygate_contracts", ["customer_id", "id"])
    op.create_index("paygate_contracts_by_status", "paygate_contracts", ["status", "id"])
    op.create_index(
        "paygate_contracts_due", "paygate_contracts", ["due_on", "id"], sqlite_where=DUE, postgresql_where=DUE
    )
    op.create_index(
        "paygate_contracts_ending",
        "paygate_contracts",
        ["cancellation_effective_on", "id"],
        sqlite_where=ENDING,
        postgresql_where=ENDING,
    )
    op.create_index(
        "paygate_contracts_past_due",
        "paygate_contracts",
        ["past_due_since", "id"],
        sqlite_where=MISSING,
        postgresql_where=MISSING,
    )
    op.create_index(
        "paygate_contracts_subscriptions",
        "paygate_contracts",
        ["id"],
        sqlite_where=SUBSCRIPTION_OPEN,
        postgresql_where=SUBSCRIPTION_OPEN,
    )

    op.create_table(
        "paygate_charges",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("idempotency_key", ID, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("renew_expiry", sa.Boolean(), nullable=False),
        sa.Column("send_step_mail", sa.Boolean(), nullable=False),
        sa.Column("consent_how", sa.Text()),
        sa.Column("consent_obtained_at", INSTANT),
        sa.Column("consent_recorded_by", sa.Text()),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("period_start", sa.Date()),
        sa.Column("reference", ID),
        sa.Column("action_url", sa.Text()),
        sa.Column("settled_at", INSTANT),
        sa.Column("charged_at", INSTANT),
        sa.Column("previous_expires_on", sa.Date()),
        sa.Column("expires_on", sa.Date()),
        sa.Column("failure_code", sa.Text()),
        sa.Column("failure_message", sa.Text()),
        sa.Column("failure_decline", sa.Text()),
        sa.Column("failure_sent", sa.Boolean()),
        sa.Column("network", sa.Text()),
        sa.Column("advice_code", sa.Text()),
        sa.Column("credential_hash", ID, nullable=False),
        sa.Column("operator_told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="paygate_charges_pkey"),
        sa.UniqueConstraint("account", "idempotency_key", name="paygate_charges_key"),
        sa.UniqueConstraint("id", name="paygate_charges_id_key"),
    )
    op.create_index("paygate_charges_by_contract", "paygate_charges", ["contract_id", "seq"])
    op.create_index("paygate_charges_by_credential", "paygate_charges", ["account", "credential_hash", "created_at"])
    op.create_index(
        "paygate_charges_failed",
        "paygate_charges",
        ["settled_at", "seq"],
        sqlite_where=FAILED,
        postgresql_where=FAILED,
    )
    op.create_index(
        "paygate_charges_by_reference",
        "paygate_charges",
        ["account", "reference"],
        sqlite_where=TOLD,
        postgresql_where=TOLD,
    )
    op.create_index(
        "paygate_charges_open",
        "paygate_charges",
        ["contract_id", "kind"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )

    op.create_table(
        "paygate_drafts",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("charge_id", ID),
        sa.Column("customer_name", sa.Text(), nullable=False),
        sa.Column("customer_email", sa.Text(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("applied_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("account", ID),
        sa.Column("credential", sa.Text()),
        sa.Column("expires_on", sa.Date()),
        sa.Column("period_start", sa.Date()),
        sa.Column("ended_on", sa.Date()),
        sa.Column("cancellation_origin", sa.Text()),
        sa.Column("cancellation_requested_at", INSTANT),
        sa.Column("cancellation_by", sa.Text()),
        sa.Column("cancellation_effective_on", sa.Date()),
        sa.Column("past_due_since", INSTANT),
        sa.Column("past_due_period_start", sa.Date()),
        sa.Column("past_due_failures", sa.Integer()),
        sa.Column("past_due_retry_pending", sa.Boolean()),
        sa.Column("past_due_exhausted", sa.Boolean()),
        sa.Column("subscription_state", sa.Text()),
        sa.Column("subscription_starts_on", sa.Date()),
        sa.Column("subscription_reference", ID),
        sa.Column("subscription_asked_at", INSTANT),
        sa.Column("subscription_operator_told", sa.Boolean()),
        sa.Column("mode", sa.Text()),
        sa.Column("unlocked_on", sa.Date()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["charge_id"],
            ["paygate_charges.id"],
            name="paygate_drafts_charge_id_fkey",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("seq", name="paygate_drafts_pkey"),
        sa.UniqueConstraint("charge_id", name="paygate_drafts_charge_id_key"),
    )
    op.create_index(
        "paygate_drafts_starting",
        "paygate_drafts",
        ["id"],
        unique=True,
        sqlite_where=STARTING_DRAFT,
        postgresql_where=STARTING_DRAFT,
    )

    op.create_table(
        "paygate_ledger",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("purchased_on", sa.Date(), nullable=False),
        sa.Column("target_on", sa.Date(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("account", ID),
        sa.Column("reference", ID),
        sa.Column("charge_id", ID),
        sa.Column("refunds", ID),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.Column("done_on", sa.Date()),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["paygate_contracts.id"],
            name="paygate_ledger_contract_id_fkey",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["refunds"],
            ["paygate_ledger.id"],
            name="paygate_ledger_refunds_fkey",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("seq", name="paygate_ledger_pkey"),
        sa.UniqueConstraint("id", name="paygate_ledger_id_key"),
    )
    op.create_index("paygate_ledger_by_contract", "paygate_ledger", ["contract_id", "seq"])
    op.create_index(
        "paygate_ledger_assumed",
        "paygate_ledger",
        ["target_on", "seq"],
        sqlite_where=ASSUMED,
        postgresql_where=ASSUMED,
    )
    op.create_index(
        "paygate_ledger_paid", "paygate_ledger", ["received_at", "seq"], sqlite_where=PAID, postgresql_where=PAID
    )
    op.create_index("paygate_ledger_by_payment", "paygate_ledger", ["customer_id", "account", "received_at"])
    op.create_index(
        "paygate_ledger_by_refunded", "paygate_ledger", ["refunds"], sqlite_where=REFUNDS, postgresql_where=REFUNDS
    )
    op.create_index(
        "paygate_ledger_period",
        "paygate_ledger",
        ["contract_id", "target_on"],
        unique=True,
        sqlite_where=PERIOD,
        postgresql_where=PERIOD,
    )
    op.create_index(
        "paygate_ledger_refunds_due",
        "paygate_ledger",
        ["target_on", "seq"],
        sqlite_where=REFUND_DUE,
        postgresql_where=REFUND_DUE,
    )

    op.create_table(
        "paygate_refunds",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("refund_entry_id", ID, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("idempotency_key", ID, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("remove_license", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("reference", ID),
        sa.Column("settled_at", INSTANT),
        sa.Column("failure_code", sa.Text()),
        sa.Column("failure_message", sa.Text()),
        sa.Column("failure_decline", sa.Text()),
        sa.Column("failure_sent", sa.Boolean()),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["paygate_contracts.id"],
            name="paygate_refunds_contract_id_fkey",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["paygate_ledger.id"],
            name="paygate_refunds_entry_id_fkey",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["refund_entry_id"],
            ["paygate_ledger.id"],
            name="paygate_refunds_refund_entry_id_fkey",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("seq", name="paygate_refunds_pkey"),
        sa.UniqueConstraint("account", "idempotency_key", name="paygate_refunds_key"),
        sa.UniqueConstraint("id", name="paygate_refunds_id_key"),
    )
    op.create_index("paygate_refunds_by_contract", "paygate_refunds", ["contract_id", "seq"])
    op.create_index("paygate_refunds_by_entry", "paygate_refunds", ["entry_id", "seq"])
    op.create_index("paygate_refunds_by_reference", "paygate_refunds", ["account", "reference"])
    op.create_index(
        "paygate_refunds_done", "paygate_refunds", ["settled_at", "seq"], sqlite_where=DONE, postgresql_where=DONE
    )
    op.create_index("paygate_refunds_unsettled", "paygate_refunds", ["seq"], sqlite_where=OPEN, postgresql_where=OPEN)

    op.create_table(
        "paygate_step_mails",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mail_set", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("queued_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("charge_id", ID),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sent_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["paygate_contracts.id"],
            name="paygate_step_mails_contract_id_fkey",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("seq", name="paygate_step_mails_pkey"),
        sa.UniqueConstraint("id", name="paygate_step_mails_id_key"),
    )
    op.create_index("paygate_step_mails_by_contract", "paygate_step_mails", ["contract_id", "seq"])
    op.create_index("paygate_step_mails_due", "paygate_step_mails", ["state", "due_at", "seq"])

    op.create_table(
        "paygate_licences",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"],
            ["paygate_contracts.id"],
            name="paygate_licences_contract_id_fkey",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("seq", name="paygate_licences_pkey"),
        sa.UniqueConstraint("id", name="paygate_licences_id_key"),
    )
    op.create_index("paygate_licences_by_contract", "paygate_licences", ["contract_id", "seq"])

    op.create_table(
        "paygate_audit",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("contract_id", ID),
        sa.Column("before", JSON, nullable=False),
        sa.Column("after", JSON, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="paygate_audit_pkey"),
        sa.UniqueConstraint("id", name="paygate_audit_id_key"),
    )
    op.create_index("paygate_audit_by_contract", "paygate_audit", ["contract_id", "seq"])

    op.create_table(
        "paygate_outbox",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("contract_id", ID),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", INSTANT, nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("delivered_at", INSTANT),
        sa.PrimaryKeyConstraint("seq", name="paygate_outbox_pkey"),
        sa.UniqueConstraint("id", name="paygate_outbox_id_key"),
    )
    op.create_index(
        "paygate_outbox_due",
        "paygate_outbox",
        ["next_at", "seq"],
        sqlite_where=UNDELIVERED,
        postgresql_where=UNDELIVERED,
    )
    op.create_index(
        "paygate_outbox_order",
        "paygate_outbox",
        ["contract_id", "seq"],
        sqlite_where=UNDELIVERED,
        postgresql_where=UNDELIVERED,
    )

    op.create_table(
        "paygate_events",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name="paygate_events_pkey"),
        sa.UniqueConstraint("account", "event_id", name="paygate_events_once"),
    )
