"""Migrations: from nothing to now, and what happens to databases of other releases; indexes that queries use."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from paygate.errors import ConfigurationError, SchemaOutdated
from paygate.ids import secret_hash
from paygate.store import (
    Store,
    cards,
    charges,
    contracts,
    ledger,
    outbox,
    refunds,
    schema,
    step_mails,
    stored_cards,
)
from paygate.store.database import create_engine
from paygate.store.statements import Statement
from paygate.store.tables import metadata
from paygate.testing.clock import ManualClock

from .conftest import CUSTOMER, NOW, TODAY


def _set_version(url: str, version: str) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(sa.text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '{version}'"))
    engine.dispose()


def test_an_empty_database_is_given_its_tables_when_it_is_opened(empty_database_url: str, clock: ManualClock) -> None:
    store = Store.open(empty_database_url, clock=clock)
    with store.write() as session:
        session.customers.upsert(CUSTOMER)
    store.close()
    assert Store.upgrade(empty_database_url) == (schema.HEAD, schema.HEAD)


def test_an_upgrade_says_where_it_came_from(empty_database_url: str) -> None:
    assert Store.upgrade(empty_database_url) == (None, schema.HEAD)
    assert Store.upgrade(empty_database_url) == (schema.HEAD, schema.HEAD)


def test_the_migrations_make_the_tables_that_the_code_describes(empty_database_url: str) -> None:
    Store.upgrade(empty_database_url)
    engine = create_engine(empty_database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_conditions_of_partial_indexes_are_those_that_the_code_describes(tmp_path: Path) -> None:
    """The comparison above does not look at them."""

    def definitions(engine: sa.Engine) -> dict[str, str]:
        with engine.connect() as connection:
            rows = connection.execute(
                sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
            )
            return {name: " ".join(sql.split()) for name, sql in rows}

    Store.upgrade(f"sqlite:///{tmp_path / 'migrated.db'}")
    migrated, described = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}"), create_engine("sqlite://")
    metadata.create_all(described)
    assert definitions(migrated) == definitions(described)
    migrated.dispose()
    described.dispose()


def test_the_newest_migration_is_the_one_that_opening_asks_for() -> None:
    assert ScriptDirectory.from_config(schema.migrations()).get_heads() == [schema.HEAD]


def test_a_database_of_an_older_release_names_the_command_to_run(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "HEAD", "9999")
    with pytest.raises(SchemaOutdated, match="paygate db upgrade"):
        Store.open(database_url, clock=clock)


def test_a_database_of_a_newer_release_asks_for_a_newer_paygate(empty_database_url: str, clock: ManualClock) -> None:
    Store.upgrade(empty_database_url)
    _set_version(empty_database_url, "9999")
    with pytest.raises(SchemaOutdated, match="upgrade paygate"):
        Store.open(empty_database_url, clock=clock)
    with pytest.raises(SchemaOutdated, match="upgrade paygate"):
        Store.upgrade(empty_database_url)


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE TABLE paygate_refunds (mine INTEGER)"))  # stands in the way half-way through
    with pytest.raises((sa.exc.DatabaseError, ConfigurationError), match="paygate_refunds"):
        Store.upgrade(empty_database_url)
    assert sa.inspect(engine).get_table_names() == ["paygate_refunds"]
    engine.dispose()


def test_an_application_may_keep_tables_of_its_own_beside(empty_database_url: str, clock: ManualClock) -> None:
    engine = create_engine(empty_database_url)
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE TABLE customers (mine INTEGER)"))
    Store.open(empty_database_url, clock=clock).close()
    names = sa.inspect(engine).get_table_names()
    assert {name for name in names if not name.startswith("paygate_")} == {"customers"}
    engine.dispose()


def test_sqlite_keeps_what_was_committed_through_a_power_cut(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'paygate.db'}")
    with engine.connect() as connection:
        asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        answers = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
    engine.dispose()
    full, on = 2, 1
    assert answers == ["wal", full, on, 10_000]


LAST = {"today": TODAY, "due_on": TODAY, "id": "con_1"}


@pytest.mark.parametrize(
    ("statement", "given", "index"),
    [
        pytest.param(step_mails._DUE, {"now": NOW}, "paygate_step_mails_due", id="mails that are due"),
        pytest.param(contracts._DUE, {"today": TODAY}, "paygate_contracts_due", id="contracts that are due"),
        pytest.param(contracts._DUE_AFTER, LAST, "paygate_contracts_due", id="the next page of them"),
        pytest.param(outbox._DUE, {"present": NOW}, "paygate_outbox_due", id="notices that are due"),
        pytest.param(outbox._DUE, {"present": NOW}, "paygate_outbox_order", id="their order per contract"),
        pytest.param(charges._BY_KEY, {"account": "a", "idempotency_key": "k"}, "charges", id="a key"),
        pytest.param(
            charges._BY_REFERENCE, {"account": "a", "reference": "r"}, "paygate_charges_by_reference", id="a reference"
        ),
        pytest.param(
            charges._OPEN_FOR, {"contract_id": "c", "kind": "ADDON"}, "paygate_charges_open", id="an open attempt"
        ),
        pytest.param(
            stored_cards._ending(untold=True, since=False, account=False, after=False),
            {"until": TODAY},
            "paygate_cards_expiring",
            id="cards that end",
        ),
        pytest.param(
            stored_cards._IN_USE,
            {"account": "a", "card_hash": "h"},
            "paygate_contracts_by_card",
            id="the contracts of a card",
        ),
        pytest.param(refunds._FOR_ENTRY, {"entry_id": "e"}, "paygate_refunds_by_entry", id="refunds of a row"),
        pytest.param(
            cards._ATTEMPTS,
            {"account": "a", "credential_hash": "h"},
            "paygate_charges_by_credential",
            id="a card's attempts",
        ),
        pytest.param(
            cards._KEPT,
            {"account": "a", "credential_hash": "h"},
            "paygate_card_attempts_by_credential",
            id="those of deleted contracts",
        ),
        pytest.param(ledger._DUES, {}, "paygate_ledger_refunds_due", id="manual refunds that are due"),
        pytest.param(ledger._REFUNDS_OF, {"refunds": "e"}, "paygate_ledger_by_refunded", id="refund rows of a row"),
        pytest.param(
            ledger._LAST_PAID, {"customer_id": "c", "account": "a"}, "paygate_ledger_by_payment", id="the last payment"
        ),
    ],
)
def test_queries_find_their_rows_by_an_index_and_never_scan(
    tmp_path: Path, statement: Statement, given: dict[str, Any], index: str
) -> None:
    plan = _sqlite_plan(tmp_path, statement, given)
    assert index in plan
    assert "SCAN" not in plan.replace("SCAN paygate_ledger USING INDEX paygate_ledger_refunds_due", "")


def test_the_facts_behind_a_charge_are_looks_at_indexes_in_one_statement(tmp_path: Path) -> None:
    given = {
        "customer_id": "c", "account": "a", "contract_id": "c", "credential_hash": "h", "currency": "JPY", "amount": 1,
    }  # fmt: skip
    plan = _sqlite_plan(tmp_path, cards._FACTS, given)
    for index in (
        "paygate_ledger_by_payment",
        "paygate_charges_open",
        "paygate_charges_by_credential",
        "paygate_charges_telling",
        "paygate_card_attempts_by_credential",
        "paygate_card_attempts_telling",
    ):
        assert index in plan
    assert "TEMP B-TREE" not in plan  # newest first comes from the index


def test_postgresql_finds_what_is_due_by_an_index_too(pg_url: str) -> None:
    engine = create_engine(pg_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")  # the tables are empty; what matters is that it can
        for statement, given, index in (
            (step_mails._CLAIM, {"now": NOW}, "paygate_step_mails_due"),
            (contracts._DUE, {"today": TODAY}, "paygate_contracts_due"),
            (outbox._CLAIM, {"present": None}, "paygate_outbox_due"),
            (charges._OPEN_FOR, {"contract_id": "c", "kind": "ADDON"}, "paygate_charges_open"),
        ):
            compiled = statement.compiled(engine.dialect)
            rows = connection.exec_driver_sql(
                "EXPLAIN " + compiled.sql, compiled.parameters({"limit": 10, **given})
            ).scalars()
            assert index in "\n".join(rows)
    engine.dispose()


def _sqlite_plan(tmp_path: Path, statement: Statement, given: dict[str, Any]) -> str:
    file = tmp_path / "paygate.db"
    Store.upgrade(f"sqlite:///{file}")
    engine = create_engine("sqlite://")
    compiled = statement.compiled(engine.dialect)
    engine.dispose()
    connection = sqlite3.connect(file)
    rows = connection.execute("EXPLAIN QUERY PLAN " + compiled.sql, compiled.parameters({"limit": 10, **given}))
    plan = "\n".join(row[3] for row in rows)
    connection.close()
    return plan


@pytest.mark.rule("R-273")
def test_a_database_of_the_first_release_is_upgraded_with_its_rows(tmp_path: Path, clock: ManualClock) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = create_engine(url)
    with engine.connect() as connection:
        config = schema.migrations()
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            sa.text("INSERT INTO paygate_customers (id, name, email, updated_at) VALUES ('cus_1', '山田', '', :at)"),
            {"at": "2026-11-01T00:00:00.000000+00:00"},
        )
        connection.execute(
            sa.text(
                "INSERT INTO paygate_contracts (id, customer_id, plan, method, status, start_on, applied_at, created_by,"
                " account, credential, version, updated_at) VALUES ('con_1', 'cus_1', '{}', 'CARD', 'ACTIVE', '2026-11-01',"
                " :at, 'admin', 'stripe', 'tok_1', 1, :at)"
            ),
            {"at": "2026-11-01T00:00:00.000000+00:00"},
        )
        connection.commit()
    engine.dispose()
    with pytest.raises(SchemaOutdated, match="paygate db upgrade"):
        Store.open(url, clock=clock)

    assert Store.upgrade(url) == ("0001", schema.HEAD)
    store = Store.open(url, clock=clock)
    with store.read() as session:
        assert session.customers.get("cus_1").name == "山田"
        assert session.stored_cards.in_use("stripe", secret_hash("stripe", "tok_1")) == ["con_1"]
    store.close()
