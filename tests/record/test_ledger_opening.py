"""What cannot be opened is refused in words, and nothing is made by looking."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.record.conftest import OpenAt, record_by_hand

from pointsman.errors import LedgerError
from pointsman.record import open_ledger, open_reader
from pointsman.record.database import database_of
from pointsman.record.migrate import upgrade
from pointsman.record.sqlite import SqliteFile, make_file, use_write_ahead_log, writing_engine


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql+pymysql://user:hunter2@x", "SQLite or PostgreSQL"),
        ("sqlite+aiosqlite:///x.db", "Python's own sqlite3"),
        ("postgresql+asyncpg://user:hunter2@db/x", "psycopg 3"),
        ("postgresql://user:hunter2@db", "names no database"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///file:x.db", "needs a file"),
        ("sqlite://host/x.db", "on this machine"),
        ("sqlite:///x.db?mode=ro", "without options"),
        ("://", "cannot be read"),
    ],
)
def test_an_address_that_is_neither_a_file_nor_a_server_is_refused(url: str, words: str) -> None:
    with pytest.raises(LedgerError, match=words) as caught:
        open_ledger(url)
    assert "hunter2" not in caught.value.message


def test_addresses_and_plain_paths_name_files() -> None:
    assert database_of("sqlite:///some.db") == SqliteFile(Path("some.db"))
    assert database_of("sqlite:////var/some.db") == SqliteFile(Path("/var/some.db"))
    assert database_of("some?#%.db") == SqliteFile(Path("some?#%.db"))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"the folder .*missing does not exist"):
        open_ledger(f"sqlite:///{tmp_path}/missing/ledger.db")
    assert not (tmp_path / "missing").exists()


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="it is a folder"):
        open_ledger(f"sqlite:///{tmp_path}")


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="for writing: Not a directory"):
        open_ledger(f"sqlite:///{tmp_path}/file/ledger.db")


def test_a_device_is_no_ledger() -> None:
    with pytest.raises(LedgerError, match="not a regular file"):
        open_ledger("sqlite:////dev/null")


def test_a_file_that_is_no_database_is_refused_and_kept(db_path: Path) -> None:
    db_path.write_bytes(b"models:\n  - name: haiku\n" * 100)
    for open_one in (open_ledger, open_reader):
        with pytest.raises(LedgerError, match="not an SQLite database"):
            open_one(f"sqlite:///{db_path}")
    assert db_path.read_bytes() == b"models:\n  - name: haiku\n" * 100


def test_reading_makes_no_ledger(db_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger at"):
        open_reader(f"sqlite:///{db_path}")
    assert not db_path.exists()


def test_reading_a_database_of_something_else_is_refused(db_path: Path) -> None:
    with closing(sqlite3.connect(db_path)) as connection:
        connection.execute("CREATE TABLE other (x)")
    with pytest.raises(LedgerError, match="holds no Pointsman ledger"):
        open_reader(f"sqlite:///{db_path}")


def test_a_database_with_a_table_of_our_name_is_refused_and_left_alone(db_path: Path) -> None:
    with closing(sqlite3.connect(db_path)) as connection:
        connection.execute("CREATE TABLE attempts (x)")
    with pytest.raises(LedgerError, match=r"cannot migrate .*already exists"):
        open_ledger(f"sqlite:///{db_path}")
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("attempts",)]


def test_a_database_that_stays_locked_is_refused(db_path: Path) -> None:
    make_file(db_path)
    engine = writing_engine(db_path, busy_s=0.0)
    use_write_ahead_log(engine, db_path)
    with closing(sqlite3.connect(db_path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="locked by another process"):
            upgrade(engine, SqliteFile(db_path))
    assert upgrade(engine, SqliteFile(db_path)) is None
    engine.dispose()


def test_turning_the_log_on_waits_for_a_lock_and_then_gives_up(db_path: Path) -> None:
    make_file(db_path)
    engine = writing_engine(db_path, busy_s=0.0)
    slept: list[float] = []
    with closing(sqlite3.connect(db_path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerError, match="locked by another process"):
            use_write_ahead_log(engine, db_path, sleep=slept.append)
        assert sum(slept) == pytest.approx(1.95)

        def let_go(_seconds: float) -> None:
            holder.execute("ROLLBACK")

        use_write_ahead_log(engine, db_path, sleep=let_go)
    engine.dispose()


def test_an_existing_file_keeps_its_mode(db_path: Path, open_at: Any) -> None:
    db_path.touch()
    db_path.chmod(0o640)
    open_at(db_path)
    assert stat.S_IMODE(db_path.stat().st_mode) == 0o640


def test_importing_the_record_stage_loads_no_database_library() -> None:
    script = "import sys, pointsman.record, pointsman.record.entry; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_opening_a_ledger_twice_in_one_process_keeps_the_locks_of_the_first(db_path: Path, open_at: OpenAt) -> None:
    """Another process that comes and goes must not take itself for the last one and delete the log."""
    first, _ = open_at(db_path), open_at(db_path)
    code = "import sys; from pointsman.record import open_ledger; open_ledger(sys.argv[1]).close()"
    subprocess.run([sys.executable, "-c", code, str(db_path)], check=True, env={"PYTHONPATH": ":".join(sys.path)})
    first.write(record_by_hand(1))
    assert first.flush()
    code = "import sys; from pointsman.record import open_reader; print(len(open_reader(sys.argv[1]).logs().records))"
    seen = subprocess.run(
        [sys.executable, "-c", code, str(db_path)],
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert seen.stdout.strip() == "1"
