"""What is PostgreSQL's own: its schema, many processes at once, COPY, and how long a connection waits."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError
from tests.line import line_to
from tests.postgres import PostgresServer

from pointsman.errors import LedgerAway, LedgerError
from pointsman.record import database_of, open_ledger, open_reader, prepare
from pointsman.record.copying import PostgresStore
from pointsman.record.migrations import HEAD, VERSION_TABLE
from pointsman.record.months import PARTITIONED
from pointsman.record.rows import Rows, rows_of
from pointsman.record.savings import SavingsBy
from pointsman.record.store import CannotWriteNow, RowRefused
from pointsman.record.tables import metadata, postgres_only

from .conftest import count_of


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = database_of(postgres_url).writing()
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> Iterator[PostgresStore]:
    store = PostgresStore(engine)
    yield store
    store.close()


def batch(make_record: Any, numbers: range) -> Rows:
    rows = Rows()
    for n in numbers:
        rows.extend(rows_of(make_record(n, prompt_json=b"{}"), store_prompts=True))
    return rows


def test_the_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    found = inspect(engine)
    for table in (*metadata.sorted_tables, *postgres_only.sorted_tables):
        if table.name == "summed":
            assert not found.has_table("summed")
            continue
        names = [column["name"] for column in found.get_columns(table.name)]
        of_month = {"created_at"} if table.name in PARTITIONED else set()
        assert set(names) == {column.name for column in table.columns} | of_month
        nullable = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        for column in table.columns:
            assert nullable[column.name] == column.nullable, (table.name, column.name)


def test_times_are_compared_byte_by_byte_whatever_the_servers_locale(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = connection.execute(
            text(
                "SELECT table_name, column_name, collation_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND column_name IN ('created_at', 'hour', 'day') ORDER BY 1"
            )
        ).all()
    assert {collation for _, _, collation in rows} == {"C"}
    assert {name for name, _, _ in rows} >= {"records", "attempts", "hours", "key_days", "hour_parts", "shadows"}


OPENS_AND_WRITES = """
import sys
from datetime import UTC, datetime
from pointsman.record import open_ledger
from pointsman.vocabulary import Cost, Record
print("ready", flush=True)
sys.stdin.readline()
ledger = open_ledger(sys.argv[1], flush_ms=5)
for n in range(200):
    ledger.write(Record(f"req_{sys.argv[2]}_{n}", datetime.now(UTC), "/", None, "auto", "ok", 200, None, (), None,
                        Cost(0.0), None, Cost(0.0)))
    ledger.write(Record(f"req_shared_{n}", datetime(2026, 11, 2, tzinfo=UTC), "/", None, "auto", "ok", 200, None, (),
                        None, Cost(0.0), None, Cost(0.0)))
ledger.close()
sys.exit(ledger.stats.n_written != 400)
"""


@pytest.mark.row("D2.54")
def test_processes_that_start_together_migrate_once_and_what_several_write_counts_once(empty_postgres_url: str) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", OPENS_AND_WRITES, empty_postgres_url, str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for n in range(3)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)
    assert [child.returncode for child in children] == [0, 0, 0]
    reader = open_reader(empty_postgres_url)
    assert reader.savings(by=SavingsBy.ENDPOINT).real.total.n_requests == 3 * 200 + 200
    assert reader.savings().real.total.n_requests == 3 * 200 + 200, "the sums say the same"
    reader.close()
    with psycopg.connect(empty_postgres_url) as connection:
        row = connection.execute("SELECT count(*), count(DISTINCT id) FROM records").fetchone()
    assert row == (800, 800), "no number is given twice"


@pytest.mark.row("D2.54")
def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(empty_postgres_url: str) -> None:
    prepare(empty_postgres_url)
    assert prepare(empty_postgres_url)[1] == HEAD
    with psycopg.connect(empty_postgres_url) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'".encode())
    for open_one in (open_ledger, open_reader):
        with pytest.raises(LedgerError, match=r"schema 9999.*upgrade Pointsman"):
            open_one(empty_postgres_url)


def test_a_database_of_something_else_is_refused_by_who_only_reads(empty_postgres_url: str) -> None:
    with pytest.raises(LedgerError, match="holds no Pointsman ledger"):
        open_reader(empty_postgres_url)


def test_a_batch_with_a_refused_row_is_not_written_at_all(
    store: PostgresStore, postgres_url: str, make_record: Any
) -> None:
    rows = batch(make_record, range(3))
    rows.attempts[1]["status"] = None
    with pytest.raises(RowRefused, match="NotNullViolation"):
        store.write(rows)
    rows.attempts[1]["status"] = "o\x00k"
    with pytest.raises(RowRefused, match="DataError"):
        store.write(rows)
    del rows.records[0]["status"]
    with pytest.raises(RowRefused, match="KeyError"):
        store.write(rows)
    assert count_of(postgres_url, "records") == count_of(postgres_url, "hour_parts") == 0
    store.write(batch(make_record, range(3)))
    assert count_of(postgres_url, "records") == 3


def test_what_is_not_the_rows_fault_is_tried_again(store: PostgresStore, postgres_url: str, make_record: Any) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("ALTER TABLE attempts RENAME TO elsewhere")
        try:
            with pytest.raises(CannotWriteNow, match="UndefinedTable"):
                store.write(batch(make_record, range(3)))
        finally:
            other.execute("ALTER TABLE elsewhere RENAME TO attempts")
    store.write(batch(make_record, range(3)))
    assert count_of(postgres_url, "attempts") == 3


def test_a_table_that_somebody_locks_holds_the_writer_up_for_its_time_only(postgres_url: str, make_record: Any) -> None:
    engine = database_of(postgres_url).writing(wait_s=0.1, within_s=5.0)
    store = PostgresStore(engine)
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE records IN ACCESS EXCLUSIVE MODE")
        started_s = time.perf_counter()
        with pytest.raises(CannotWriteNow, match="LockNotAvailable"):
            store.write(batch(make_record, range(3)))
        assert time.perf_counter() - started_s < 3.0
    store.write(batch(make_record, range(3)))
    store.close()
    engine.dispose()


def test_a_statement_that_takes_too_long_is_ended_by_the_server(postgres_url: str) -> None:
    engine = database_of(postgres_url).reading(within_s=0.1)
    with pytest.raises(DBAPIError, match="statement timeout"), engine.begin() as connection:
        connection.execute(text("SELECT pg_sleep(20)"))
    engine.dispose()


def test_a_server_that_says_nothing_is_given_up(postgres: PostgresServer, postgres_url: str) -> None:
    with line_to(postgres.port) as line:
        database = database_of(postgres_url.replace(str(postgres.port), str(line.port)))
        engine = database.reading(within_s=0.1)
        started_s = time.perf_counter()
        with pytest.raises(LedgerAway), database.faults("read"), engine.begin() as connection:
            line.swallows = True
            connection.execute(text("SELECT 1"))
        assert time.perf_counter() - started_s < 5.0
        engine.dispose()


def test_who_reads_cannot_write(postgres_url: str) -> None:
    engine = database_of(postgres_url).reading()
    with pytest.raises(DBAPIError, match="read-only"), engine.begin() as connection:
        connection.execute(text("DELETE FROM records"))
    engine.dispose()


@pytest.mark.parametrize(
    "address",
    ["postgresql://me:hunter2@127.0.0.1:1/x?password=hunter2", "postgresql+psycopg://me:hunter2@127.0.0.1:1/x"],
)
def test_the_password_is_in_no_message(address: str) -> None:
    with pytest.raises(LedgerAway) as caught:
        open_ledger(address)
    assert "hunter2" not in caught.value.message
    assert "postgresql://me@127.0.0.1:1/x" in caught.value.message
