"""The schema: from empty, from older, from a killed migration, and not from a newer version."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from pointsman.errors import LedgerError
from pointsman.record import open_ledger, open_reader
from pointsman.record.migrate import known_versions, schema_version, upgrade
from pointsman.record.migrations import HEAD, VERSION_TABLE, __path__
from pointsman.record.sqlite import SqliteFile, make_file, use_write_ahead_log, writing_engine
from pointsman.record.tables import metadata


@pytest.fixture
def engine(db_path: Path) -> Iterator[Engine]:
    make_file(db_path)
    engine = writing_engine(db_path)
    use_write_ahead_log(engine, db_path)
    yield engine
    engine.dispose()


def names_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_migrations_are_one_line_from_first_to_head() -> None:
    config = Config()
    config.set_main_option("script_location", __path__[0])
    line = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert line[0] == HEAD
    assert tuple(reversed(line)) == known_versions()


def test_the_migrations_make_exactly_the_tables_of_the_code(engine: Engine, db_path: Path) -> None:
    assert upgrade(engine, SqliteFile(db_path)) is None
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []


@pytest.mark.row("D2.54")
def test_upgrading_again_changes_nothing(engine: Engine, db_path: Path) -> None:
    upgrade(engine, SqliteFile(db_path))
    with closing(sqlite3.connect(db_path)) as connection:
        before = list(connection.iterdump())
        assert upgrade(engine, SqliteFile(db_path)) == HEAD
        assert list(connection.iterdump()) == before


def test_an_older_ledger_keeps_its_records_and_gains_the_new_tables(
    engine: Engine, db_path: Path, open_at: Any, make_record: Any
) -> None:
    upgrade(engine, SqliteFile(db_path), to="0001")
    assert "prompts" not in names_in(db_path)
    with closing(sqlite3.connect(db_path)) as connection, connection:
        connection.execute(
            "INSERT INTO records (request_id, created_at, endpoint, requested_model, status, router_cost_usd,"
            " judge_cost_usd, stream, tags, simulated) VALUES ('req_old', '2026', '/', 'auto', 'ok', 0, 0, 0, '[]', 0)"
        )
    with pytest.raises(LedgerError, match=r"is at schema 0001, expected .* run `pointsman db upgrade`"):
        open_reader(str(db_path))
    ledger = open_at(db_path, store_prompts=True)
    ledger.write(make_record(1, prompt_json=b"{}"))
    ledger.flush()
    assert ledger.reader.decision("req_old") is not None
    assert schema_version(engine, SqliteFile(db_path)) == HEAD


@pytest.mark.row("D2.54")
def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(engine: Engine, db_path: Path) -> None:
    upgrade(engine, SqliteFile(db_path))
    with closing(sqlite3.connect(db_path)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    for open_one in (open_ledger, open_reader):
        with pytest.raises(LedgerError, match=r"schema 9999.*upgrade Pointsman"):
            open_one(f"sqlite:///{db_path}")
    assert schema_version(engine, SqliteFile(db_path)) == "9999"


KILLED_MIDWAY = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from pointsman.record.sqlite import SqliteFile, make_file, use_write_ahead_log, writing_engine
from pointsman.record.migrate import upgrade
path = Path(sys.argv[1])
make_file(path)
engine = writing_engine(path)
use_write_ahead_log(engine, path)
n = 0
@event.listens_for(engine, "after_cursor_execute")
def die(connection, cursor, statement, *_):
    global n
    n += statement.startswith(("CREATE", "INSERT", "\\nCREATE"))
    if n == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
upgrade(engine, SqliteFile(path))
"""


@pytest.mark.parametrize("statement", [1, 2, 5, 9])
@pytest.mark.row("D2.54")
def test_a_migration_killed_midway_leaves_nothing_and_the_next_one_succeeds(
    db_path: Path, open_at: Any, make_record: Any, statement: int
) -> None:
    child = subprocess.run(
        [sys.executable, "-c", KILLED_MIDWAY, str(db_path), str(statement)], check=False, env=os.environ, timeout=60
    )
    assert child.returncode == -signal.SIGKILL
    assert names_in(db_path) == set()
    ledger = open_at(db_path)
    ledger.write(make_record(1))
    assert ledger.flush()
    assert ledger.reader.decision(make_record(1).request_id) is not None


OPENS_AND_WRITES = """
import sys
from datetime import UTC, datetime
from pointsman.record import open_ledger
from pointsman.vocabulary import Cost, Record
print("ready", flush=True)
sys.stdin.readline()
ledger = open_ledger(f"sqlite:///{sys.argv[1]}", flush_ms=5)
for n in range(100):
    ledger.write(Record(f"req_{sys.argv[2]}_{n}", datetime.now(UTC), "/", None, "auto", "ok", 200, None, (), None,
                        Cost(0.0), None, Cost(0.0)))
ledger.close()
sys.exit(ledger.stats.n_written != 100)
"""


@pytest.mark.row("D2.54")
def test_processes_that_start_together_migrate_once_and_all_write(db_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", OPENS_AND_WRITES, str(db_path), str(n)],
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
    reader = open_reader(str(db_path))
    assert reader.savings().real.total.n_requests == 300
    reader.close()
