"""A database that cannot write: nothing is lost up to the bound, what is lost is counted, and it resumes by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from pointsman.record.flusher import LONGEST_PAUSE_S, Flusher
from pointsman.record.migrate import upgrade
from pointsman.record.queue import EntryQueue
from pointsman.record.rows import Row, Rows
from pointsman.record.sqlite import SqliteFile, make_file, use_write_ahead_log, writing_engine
from pointsman.record.store import CannotWriteNow, RowRefused, SqlStore
from pointsman.testing import FakeClock


class ListStore:
    """A store in memory that fails as told."""

    def __init__(self) -> None:
        self.records: list[Row] = []
        self.down: str | None = None
        self.refused_ids: set[str] = set()
        self.n_tries = 0
        self.closed = False

    def write(self, rows: Rows) -> None:
        self.n_tries += 1
        if self.down is not None:
            raise CannotWriteNow(self.down)
        if any(row["request_id"] in self.refused_ids for row in rows.records):
            raise RowRefused("a row that no database takes")
        self.records += rows.records

    def close(self) -> None:
        self.closed = True


class Bench:
    """A flusher on a fake clock, stepped by hand."""

    def __init__(self, *, max_entries: int = 100, max_bytes: int = 10**9, batch: int = 10) -> None:
        self.clock = FakeClock()
        self.store = ListStore()
        self.n_woken = 0
        self.queue = EntryQueue(
            max_entries=max_entries, max_bytes=max_bytes, wake_at=batch, wake=self.woken, clock=self.clock
        )
        self.flusher = Flusher(self.queue, self.store, batch=batch, flush_s=0.2, store_prompts=False)

    def woken(self) -> None:
        self.n_woken += 1

    def run_for(self, seconds: float) -> None:
        """Steps and lets the pauses pass, until so much time is over."""
        end_s = self.clock() + seconds
        while self.clock() < end_s:
            self.clock.advance(self.flusher.step())

    @property
    def stats(self) -> Any:
        return self.queue.stats(failing=self.flusher.failing, window_s=0.5)


def test_a_step_without_work_waits_half_the_flush_time() -> None:
    bench = Bench()
    assert bench.flusher.step() == 0.1
    assert bench.store.n_tries == 0


def test_what_came_in_during_a_slow_write_waits_that_much_less(make_record: Any) -> None:
    bench = Bench()
    bench.queue.put(make_record(1))
    plain_write = bench.store.write

    def slow_write(rows: Rows) -> None:
        bench.queue.put(make_record(2))
        bench.clock.advance(0.06)
        plain_write(rows)

    bench.store.write = slow_write  # type: ignore[method-assign]
    assert bench.flusher.step() == pytest.approx(0.04)


def test_a_backlog_is_written_batch_after_batch_without_a_pause(make_record: Any) -> None:
    bench = Bench(batch=10)
    for n in range(25):
        bench.queue.put(make_record(n))
    assert [bench.flusher.step() for _ in range(3)] == [0.0, 0.1, 0.1]
    assert len(bench.store.records) == 25
    assert bench.n_woken == 1


@pytest.mark.row("D2.41")
def test_locked_for_thirty_seconds_loses_nothing_and_resumes(make_record: Any) -> None:
    bench = Bench()
    bench.store.down = "database is locked"
    for n in range(15):
        bench.queue.put(make_record(n))
    bench.run_for(30)
    assert bench.stats.degraded
    assert bench.stats.lag_s == pytest.approx(30, abs=LONGEST_PAUSE_S)
    assert bench.stats.last_error == "database is locked"
    assert bench.store.n_tries < 40  # it backs off to once a second
    bench.store.down = None
    bench.run_for(1)
    assert [row["request_id"] for row in bench.store.records] == [make_record(n).request_id for n in range(15)]
    stats = bench.stats
    assert (stats.n_queued, stats.n_written, stats.n_dropped, stats.lag_s) == (0, 15, 0, 0.0)
    assert not stats.degraded
    assert stats.last_error is None


@pytest.mark.row("D2.41")
def test_beyond_the_bound_the_newest_are_dropped_and_counted(make_record: Any) -> None:
    bench = Bench(max_entries=20)
    bench.store.down = "database or disk is full"
    taken = [bench.queue.put(make_record(n)) for n in range(30)]
    assert taken == [True] * 20 + [False] * 10
    assert (bench.stats.n_queued, bench.stats.n_dropped) == (20, 10)
    bench.store.down = None
    bench.run_for(1)
    assert (bench.stats.n_written, bench.stats.n_dropped) == (20, 10)


def test_the_bound_in_bytes_counts_prompts_and_answers(make_record: Any) -> None:
    bench = Bench(max_bytes=50_000)
    assert bench.queue.put(make_record(1, prompt_json=b"x" * 30_000))
    assert not bench.queue.put(make_record(2, answer_text="x" * 30_000))
    assert bench.queue.put(make_record(3))
    bench.run_for(1)
    assert bench.queue.put(make_record(4, prompt_json=b"x" * 30_000))


def test_a_refused_row_is_the_only_one_lost(make_record: Any) -> None:
    bench = Bench()
    bench.store.refused_ids = {make_record(3).request_id}
    for n in range(8):
        bench.queue.put(make_record(n))
    bench.run_for(1)
    assert len(bench.store.records) == 7
    assert (bench.stats.n_written, bench.stats.n_dropped, bench.stats.n_queued) == (7, 1, 0)


def test_a_store_that_fails_between_single_rows_loses_and_doubles_nothing(make_record: Any) -> None:
    bench = Bench()
    bench.store.refused_ids = {make_record(3).request_id}
    for n in range(5):
        bench.queue.put(make_record(n))
    plain_write = bench.store.write

    def fail_at_second_single(rows: Rows) -> None:
        if len(rows.records) == 1 and rows.records[0]["request_id"] == make_record(1).request_id:
            raise CannotWriteNow("database is locked")
        plain_write(rows)

    bench.store.write = fail_at_second_single  # type: ignore[method-assign]
    bench.flusher.step()
    assert len(bench.store.records) == 1
    bench.store.write = plain_write  # type: ignore[method-assign]
    bench.run_for(1)
    written = [row["request_id"] for row in bench.store.records]
    assert written == [make_record(n).request_id for n in (0, 1, 2, 4)]


def test_an_entry_of_the_wrong_shape_is_dropped_alone(make_record: Any) -> None:
    bench = Bench()
    bench.queue.put(make_record(1))
    bench.queue.put(make_record(2, tags=None))
    bench.queue.put(make_record(3))
    bench.run_for(1)
    assert (bench.stats.n_written, bench.stats.n_dropped) == (2, 1)


def test_the_loop_outlives_a_fault_it_does_not_know(make_record: Any) -> None:
    bench = Bench()
    bench.queue.put(make_record(1))
    plain_write, faults = bench.store.write, [ZeroDivisionError("a bug")]

    def fail_once(rows: Rows) -> None:
        if faults:
            raise faults.pop()
        plain_write(rows)

    bench.store.write = fail_once  # type: ignore[method-assign]
    bench.queue.close()
    bench.flusher.run(wait=bench.clock.advance, stopping=lambda: True, patient=lambda: True)
    assert len(bench.store.records) == 1
    assert bench.store.closed


def test_closing_gives_up_on_a_store_that_stays_down(make_record: Any) -> None:
    bench = Bench()
    bench.queue.put(make_record(1))
    bench.store.down = "database is locked"
    end_s = bench.clock() + 5
    bench.flusher.run(wait=bench.clock.advance, stopping=lambda: True, patient=lambda: bench.clock() < end_s)
    assert bench.queue.abandon() == 1
    assert bench.stats.n_dropped == 1
    bench.queue.confirm(1)  # a write that came back after all
    assert (bench.stats.n_written, bench.stats.n_dropped) == (0, 1)


@pytest.mark.row("D2.42")
def test_a_full_disk_keeps_records_until_there_is_room(db_path: Path, make_record: Any) -> None:
    make_file(db_path)
    engine = writing_engine(db_path)
    use_write_ahead_log(engine, db_path)
    upgrade(engine, SqliteFile(db_path))
    limit = ["PRAGMA max_page_count=60"]

    @event.listens_for(engine, "connect")
    def _fill(connection: Any, _record: object) -> None:
        for pragma in limit:
            connection.execute(pragma).close()

    clock = FakeClock()
    queue = EntryQueue(max_entries=1000, max_bytes=10**9, wake_at=1000, wake=lambda: None, clock=clock)
    flusher = Flusher(queue, SqlStore(engine), batch=500, flush_s=0.2, store_prompts=False)
    for n in range(500):
        queue.put(make_record(n))
    flusher.step()
    stats = queue.stats(failing=flusher.failing, window_s=0.5)
    assert stats.last_error is not None
    assert "full" in stats.last_error
    assert (stats.n_written, stats.n_queued) == (0, 500)
    limit.clear()
    flusher.step()
    stats = queue.stats(failing=flusher.failing, window_s=0.5)
    assert (stats.n_written, stats.n_queued, stats.last_error) == (500, 0, None)
    flusher.run(wait=clock.advance, stopping=lambda: True, patient=lambda: True)
    engine.dispose()


@pytest.mark.row("D2.41")
def test_a_really_locked_database_is_told_apart_from_a_bad_row(db_path: Path, make_record: Any) -> None:
    make_file(db_path)
    engine = writing_engine(db_path, busy_s=0.0)
    use_write_ahead_log(engine, db_path)
    upgrade(engine, SqliteFile(db_path))
    store = SqlStore(engine)
    with engine.begin(), pytest.raises(CannotWriteNow, match="locked"):
        store.write(Rows())
    with pytest.raises(RowRefused):
        store.write(Rows(feedback=[{"feedback_id": "1", "request_id": None, "created_at": ""}]))
    store.write(Rows())
    store.close()
    engine.dispose()
