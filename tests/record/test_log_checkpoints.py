"""The write-ahead log is moved into the file by a connection of its own, and never by a commit."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from pointsman.record.checkpoint import Checkpointer
from pointsman.record.sqlite import writing_engine


def frames_moved(path: Path) -> int:
    """Pages in the database file itself, the log aside."""
    return path.stat().st_size // 4096


def test_commits_leave_the_log_alone_and_the_checkpointer_moves_it(
    open_at: Any, db_path: Path, make_record: Any
) -> None:
    ledger = open_at(db_path)
    before = frames_moved(db_path)
    for n in range(3000):
        ledger.write(make_record(n))
    assert ledger.flush()
    assert frames_moved(db_path) == before
    engine = writing_engine(db_path)
    assert not Checkpointer(engine, db_path, log_bytes=10**9).step()
    assert frames_moved(db_path) == before
    assert Checkpointer(engine, db_path, log_bytes=1).step()
    assert frames_moved(db_path) > before
    engine.dispose()


def test_a_log_that_was_moved_is_used_again_from_its_start(open_at: Any, db_path: Path, make_record: Any) -> None:
    ledger = open_at(db_path)
    engine = writing_engine(db_path)
    checkpointer = Checkpointer(engine, db_path, log_bytes=1)
    sizes = []
    for batch in range(4):
        for n in range(500):
            ledger.write(make_record(1000 * batch + n))
        assert ledger.flush()
        assert checkpointer.step()
        sizes.append(db_path.with_name("ledger.db-wal").stat().st_size)
    assert max(sizes) < 2 * sizes[0]
    engine.dispose()


def test_without_a_log_there_is_nothing_to_do(db_path: Path) -> None:
    engine = writing_engine(db_path)
    assert not Checkpointer(engine, db_path).step()
    engine.dispose()


def test_a_log_that_cannot_be_moved_now_is_left_for_later(open_at: Any, db_path: Path, make_record: Any) -> None:
    ledger = open_at(db_path)
    ledger.write(make_record())
    assert ledger.flush()
    engine = writing_engine(db_path, busy_s=0.0)
    checkpointer = Checkpointer(engine, db_path, log_bytes=1)
    with closing(sqlite3.connect(db_path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchone()
        checkpointer.step()  # holds nobody up
        ledger.write(make_record(2))
        assert ledger.flush()
        reader.execute("COMMIT")
    assert checkpointer.step()
    engine.dispose()


def test_the_loop_ends_when_told() -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 3

    path = Path("none.db")
    Checkpointer(writing_engine(path), path).run(wait=wait)
    assert waits == [1.0, 1.0, 1.0]
