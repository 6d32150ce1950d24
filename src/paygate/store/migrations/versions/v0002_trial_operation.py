"""What trial operation showed to be missing: columns and tables added to those of 0001.

Revision 0002, after 0001. Types are written out here once more on purpose: a migration stays what it was.
"""

import datetime as dt
import hashlib

import sqlalchemy as sa
from alembic import op

from paygate.clock import SystemClock

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INSTANT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNRESOLVED = sa.text("resolved_at IS NULL")
OWED = sa.text("kind IN ('DUE') AND state IN ('PENDING')")
DUPLICATE = sa.text("state IN ('FAILED') AND failure_decline IN ('duplicate')")
TELLING = sa.text("state IN ('FAILED') OR network IS NOT NULL")
DISPUTES = sa.text("kind IN ('DISPUTE')")
PAID = sa.text(
    "kind IN ('INITIAL_FEE', 'PERIOD', 'ADDON') AND state IN ('SUCCEEDED', 'REFUND_PENDING', 'PARTLY_REFUNDED',"
    " 'REFUNDED') AND amount > 0"
)


def upgrade() -> None:
    """Add columns, tables and indexes; every new column has a default or may be NULL, so that old rows stay valid."""
    _runs()
    _discrepancies()
    _claims()
    _charges_of_cards()
    _returns()
    _restores()
    _cards()
    _remainders()
    _card_attempts()
    _metadata()
    for table in ("paygate_contracts", "paygate_drafts"):
        op.add_column(table, sa.Column("overdue_period", sa.Date()))
        op.add_column(table, sa.Column("past_due_given_up", sa.Boolean()))
    op.create_table(
        "paygate_checkouts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("account", ID, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )


def _runs() -> None:
    """When the runs came to their end for the last time."""
    op.create_table(
        "paygate_runs",
        sa.Column("kind", ID, primary_key=True),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=False),
        sa.Column("blocked", sa.BigInteger(), nullable=False),
    )


def _discrepancies() -> None:
    """Reports of providers that contradict the record."""
    op.create_table(
        "paygate_discrepancies",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("attempt_id", ID, nullable=False),
        sa.Column("charge_id", ID),
        sa.Column("refund_id", ID),
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("our_reference", ID),
        sa.Column("our_amount", sa.BigInteger(), nullable=False),
        sa.Column("our_currency", sa.Text(), nullable=False),
        sa.Column("our_state", sa.Text(), nullable=False),
        sa.Column("their_reference", ID, nullable=False),
        sa.Column("their_amount", sa.BigInteger(), nullable=False),
        sa.Column("their_currency", sa.Text(), nullable=False),
        sa.Column("their_state", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("resolved_at", INSTANT),
        sa.Column("resolved_by", sa.Text()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("seq", name="paygate_discrepancies_pkey"),
        sa.UniqueConstraint("id", name="paygate_discrepancies_id_key"),
        sa.UniqueConstraint(
            "attempt_id", "kind", "their_reference", "their_amount", "their_currency", name="paygate_discrepancies_once"
        ),
    )
    op.create_index("paygate_discrepancies_by_reference", "paygate_discrepancies", ["account", "their_reference"])
    op.create_index("paygate_discrepancies_by_contract", "paygate_discrepancies", ["contract_id", "seq"])
    op.create_index(
        "paygate_discrepancies_open",
        "paygate_discrepancies",
        ["seq"],
        sqlite_where=UNRESOLVED,
        postgresql_where=UNRESOLVED,
    )


def _claims() -> None:
    """Until when a process may be sending an attempt. What is open now may be on its way in one that still runs."""
    until = SystemClock().now() + dt.timedelta(minutes=2)
    bind = op.get_bind()
    text = until.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    given = {"until": until if bind.dialect.name == "postgresql" else text}
    for table in ("paygate_charges", "paygate_refunds"):
        op.add_column(table, sa.Column("claim_until", INSTANT, nullable=True))
        op.add_column(table, sa.Column("written_at", INSTANT, nullable=True))
        open_ones = f"UPDATE {table} SET claim_until = :until WHERE state = 'PENDING' AND reference IS NULL"  # noqa: S608 - our own names
        bind.execute(sa.text(open_ones), given)


def _charges_of_cards() -> None:
    """What the card's network answered to a charge, and until when the customer may act on it."""
    op.add_column("paygate_charges", sa.Column("response_code", sa.Text()))
    op.add_column("paygate_charges", sa.Column("action_until", INSTANT))
    op.add_column("paygate_charges", sa.Column("cleared_by", sa.Text()))
    op.add_column("paygate_charges", sa.Column("action_method", sa.Text()))
    op.add_column("paygate_charges", sa.Column("action_fields", sa.Text()))
    op.create_index(
        "paygate_charges_duplicates",
        "paygate_charges",
        ["seq"],
        sqlite_where=DUPLICATE,
        postgresql_where=DUPLICATE,
    )
    op.create_index(
        "paygate_charges_telling",
        "paygate_charges",
        ["account", "credential_hash", "created_at"],
        sqlite_where=TELLING,
        postgresql_where=TELLING,
    )


def _returns() -> None:
    """Refunds and disputes that were made at providers; sales say that a part of them has gone back."""
    op.create_table(
        "paygate_returns",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("charge_id", ID, nullable=False),
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("charge_reference", ID),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", ID, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("due_by", INSTANT),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="paygate_returns_pkey"),
        sa.UniqueConstraint("id", name="paygate_returns_id_key"),
        sa.UniqueConstraint("account", "kind", "reference", name="paygate_returns_once"),
    )
    op.create_index("paygate_returns_by_charge", "paygate_returns", ["charge_id", "seq"])
    op.create_index("paygate_returns_by_payment", "paygate_returns", ["account", "charge_reference"])
    op.create_index(
        "paygate_ledger_disputes",
        "paygate_ledger",
        ["received_at", "seq"],
        sqlite_where=DISPUTES,
        postgresql_where=DISPUTES,
    )
    op.add_column("paygate_ledger", sa.Column("due_by", INSTANT))
    op.drop_index("paygate_ledger_paid", "paygate_ledger")
    op.create_index(
        "paygate_ledger_paid", "paygate_ledger", ["received_at", "seq"], sqlite_where=PAID, postgresql_where=PAID
    )
    # rows of which a part went back before there was a state for that
    op.execute(
        "UPDATE paygate_ledger SET state = 'PARTLY_REFUNDED' WHERE state = 'SUCCEEDED' AND id IN ("
        "SELECT refunds FROM paygate_ledger AS back WHERE back.refunds IS NOT NULL AND back.state = 'DONE')"
    )


def _restores() -> None:
    """When the database was restored from a backup."""
    op.create_table(
        "paygate_restores",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("since", INSTANT),
        sa.PrimaryKeyConstraint("seq", name="paygate_restores_pkey"),
    )


def _remainders() -> None:
    """The money of deleted contracts, by number."""
    op.create_table(
        "paygate_remainders",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("account", ID),
        sa.Column("reference", ID),
        sa.Column("charge_id", ID),
        sa.Column("entry_id", ID),
        sa.Column("refund_id", ID),
        sa.Column("done_on", sa.Date()),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="paygate_remainders_pkey"),
        sa.UniqueConstraint("id", name="paygate_remainders_id_key"),
    )
    op.create_index("paygate_remainders_by_contract", "paygate_remainders", ["contract_id", "seq"])
    op.create_index("paygate_remainders_by_reference", "paygate_remainders", ["account", "reference"])
    op.create_index("paygate_remainders_by_charge", "paygate_remainders", ["charge_id", "seq"])
    op.create_index("paygate_remainders_due", "paygate_remainders", ["seq"], sqlite_where=OWED, postgresql_where=OWED)


def _card_attempts() -> None:
    """What the attempts of deleted contracts say about their cards."""
    op.create_table(
        "paygate_card_attempts",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("credential_hash", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("failure_code", sa.Text()),
        sa.Column("failure_decline", sa.Text()),
        sa.Column("failure_sent", sa.Boolean()),
        sa.Column("network", sa.Text()),
        sa.Column("advice_code", sa.Text()),
        sa.Column("response_code", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name="paygate_card_attempts_pkey"),
        sa.UniqueConstraint("id", name="paygate_card_attempts_id_key"),
    )
    op.create_index(
        "paygate_card_attempts_by_credential",
        "paygate_card_attempts",
        ["account", "credential_hash", "created_at"],
    )
    op.create_index(
        "paygate_card_attempts_telling",
        "paygate_card_attempts",
        ["account", "credential_hash"],
        sqlite_where=TELLING,
        postgresql_where=TELLING,
    )


def _metadata() -> None:
    """Callers' own texts beside contracts, charges and refunds, and the index to find them by."""
    for table in ("paygate_contracts", "paygate_drafts", "paygate_charges", "paygate_refunds"):
        op.add_column(table, sa.Column("metadata", sa.Text()))
    op.create_table(
        "paygate_metadata",
        sa.Column("seq", SEQ, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", ID, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="paygate_metadata_pkey"),
    )
    op.create_index("paygate_metadata_by_text", "paygate_metadata", ["digest", "kind"])
    op.create_index("paygate_metadata_by_id", "paygate_metadata", ["id", "kind"])


def _cards() -> None:
    """What providers tell of stored cards; contracts name theirs by a digest."""
    op.create_table(
        "paygate_cards",
        sa.Column("account", ID, nullable=False),
        sa.Column("card_hash", ID, nullable=False),
        sa.Column("brand", sa.Text()),
        sa.Column("last4", sa.Text()),
        sa.Column("expires_on", sa.Date()),
        sa.Column("revoked_at", INSTANT),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("account", "card_hash", name="paygate_cards_pkey"),
    )
    expires = sa.text("expires_on IS NOT NULL")
    op.create_index(
        "paygate_cards_expiring", "paygate_cards", ["expires_on"], sqlite_where=expires, postgresql_where=expires
    )
    op.create_table(
        "paygate_card_notices",
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("card_hash", ID, nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("contract_id", "card_hash", "expires_on", name="paygate_card_notices_pkey"),
    )
    op.add_column("paygate_contracts", sa.Column("card_hash", ID))
    known = sa.text("card_hash IS NOT NULL")
    op.create_index(
        "paygate_contracts_by_card", "paygate_contracts", ["card_hash"], sqlite_where=known, postgresql_where=known
    )
    bind, after = op.get_bind(), ""
    page = sa.text(
        "SELECT id, account, credential FROM paygate_contracts"
        " WHERE id > :after AND credential IS NOT NULL ORDER BY id LIMIT 1000"
    )
    write = sa.text("UPDATE paygate_contracts SET card_hash = :card_hash WHERE id = :id")
    while rows := bind.execute(page, {"after": after}).all():
        after = rows[-1][0]
        digests = [
            {"id": id_, "card_hash": hashlib.sha256(f"{account}\0{credential}".encode()).hexdigest()[:32]}
            for id_, account, credential in rows
        ]
        bind.execute(write, digests)
