"""Batches on this machine's disk: whole or not there, for the owner's eyes, and none that stops the others."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pointsman.errors import LedgerError
from pointsman.record.rows import Row, Rows, rows_of
from pointsman.record.spool import ENDING, Spool
from pointsman.record.spooling import LONGEST_PAUSE_S, Replayer, SpoolingStore
from pointsman.record.store import CannotWriteNow, RowRefused
from pointsman.testing import FakeClock


class Server:
    """A store that fails as told and knows every record once."""

    def __init__(self) -> None:
        self.down = False
        self.slow_s = 0.0
        self.refused: set[str] = set()
        self.records: dict[str, Row] = {}
        self.n_tries = 0
        self.n_transactions = 0
        self.clock = FakeClock()

    def try_writing(self) -> None:
        self.n_tries += 1
        self.clock.advance(self.slow_s)
        if self.down:
            raise CannotWriteNow("it is away")

    def write(self, rows: Rows) -> None:
        self.try_writing()
        self.n_transactions += 1
        if any(row["request_id"] in self.refused for row in rows.records):
            raise RowRefused("a row that no database takes")
        for row in rows.records:
            self.records.setdefault(row["request_id"], row)

    def close(self) -> None:
        pass


class Bench:
    def __init__(self, folder: Path, *, away: str | None = None, max_bytes: int = 10**9) -> None:
        self.server = Server()
        self.spool = Spool(folder, max_bytes=max_bytes)
        self.store = SpoolingStore(self.server, self.spool, away=away)
        self.n_prepared = 0
        self.replayer = Replayer(
            self.store, self.server, prepare=self.prepare, uniform=lambda _, most: most, clock=self.server.clock
        )

    def prepare(self) -> None:
        if self.server.down:
            raise LedgerError("it is away")
        self.n_prepared += 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some" / "spool"


def batch(make_record: Any, *numbers: int) -> Rows:
    rows = Rows()
    for n in numbers:
        rows.extend(rows_of(make_record(n, prompt_json=b"\xff\x00 any bytes", answer_text="ü"), store_prompts=True))
    return rows


def test_a_batch_comes_back_as_it_went_in(folder: Path, make_record: Any) -> None:
    spool = Spool(folder, max_bytes=10**6)
    spool.add(batch(make_record, 1, 2))
    (file,) = spool.files()
    assert spool.read(file) == (batch(make_record, 1, 2), file.stat().st_size)
    assert spool.n_bytes == file.stat().st_size
    spool.remove(file)
    assert spool.files() == []
    assert spool.n_bytes == 0


def test_only_the_owner_may_look_into_it(folder: Path, make_record: Any) -> None:
    spool = Spool(folder, max_bytes=10**6)
    spool.add(batch(make_record, 1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(spool.files()[0].stat().st_mode) == 0o600


def test_it_is_bounded(folder: Path, make_record: Any) -> None:
    spool = Spool(folder, max_bytes=5_000)
    with pytest.raises(CannotWriteNow, match="full"):
        for n in range(100):
            spool.add(batch(make_record, n))
    assert sum(file.stat().st_size for file in folder.iterdir()) == spool.n_bytes <= 5_000


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot keep records in the spool"):
        Spool(tmp_path / "file" / "spool", max_bytes=1)


def test_a_damaged_batch_is_put_aside_and_stops_no_other(folder: Path, make_record: Any) -> None:
    bench = Bench(folder, away="it is away")
    bench.store.write(batch(make_record, 1))
    bench.store.write(batch(make_record, 2))
    bench.spool.files()[0].write_bytes(b"")
    bench.replayer.step()
    assert list(bench.server.records) == [make_record(2).request_id]
    assert [file.suffix for file in folder.iterdir()] == [".damaged"]


def test_what_a_killed_process_had_not_finished_is_not_taken_and_goes_later(folder: Path) -> None:
    Spool(folder, max_bytes=1)
    fresh, old = folder / "a.new", folder / "b.new"
    fresh.write_bytes(b"{")
    old.write_bytes(b"{")
    os.utime(old, (1, 1))
    assert Spool(folder, max_bytes=1).files() == []
    assert list(folder.iterdir()) == [fresh]


def test_from_the_first_failure_on_nothing_waits_for_the_server(folder: Path, make_record: Any) -> None:
    bench = Bench(folder)
    bench.server.down = True
    for n in range(5):
        bench.store.write(batch(make_record, n))
    assert bench.server.n_tries == 1
    assert len(bench.spool.files()) == 5
    assert bench.store.away == "it is away"


def test_it_is_asked_ever_less_often_and_all_goes_there_once_it_is_back(folder: Path, make_record: Any) -> None:
    bench = Bench(folder)
    bench.server.down = True
    for n in range(5):
        bench.store.write(batch(make_record, n))
    pauses = [bench.replayer.step() for _ in range(8)]
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    bench.server.down = False
    assert bench.replayer.step() == 0.0
    assert len(bench.server.records) == 5
    assert bench.server.n_transactions == 1, "several batches go in one transaction"
    assert bench.store.away is None
    assert bench.spool.files() == []


def test_a_ledger_that_opened_without_its_server_is_prepared_once_it_is_there(folder: Path, make_record: Any) -> None:
    bench = Bench(folder, away="it is away")
    bench.server.down = True
    bench.replayer.step()
    assert bench.n_prepared == 0
    bench.server.down = False
    bench.replayer.step()
    bench.store.write(batch(make_record, 1))
    assert (bench.n_prepared, len(bench.server.records), bench.store.away) == (1, 1, None)


def test_a_slow_server_gets_the_records_and_the_writer_does_not_wait_for_it(folder: Path, make_record: Any) -> None:
    bench = Bench(folder, away="it took too long")
    bench.server.slow_s = 2.0
    bench.store.write(batch(make_record, 1))
    bench.replayer.step()
    assert len(bench.server.records) == 1
    assert bench.store.away == "it took too long"
    bench.server.slow_s = 0.0
    bench.replayer.step()
    assert bench.store.away is None


def test_of_a_batch_with_a_refused_row_only_that_is_lost(folder: Path, make_record: Any) -> None:
    bench = Bench(folder, away="it is away")
    bench.store.write(batch(make_record, 1, 2, 3))
    bench.server.refused = {make_record(2).request_id}
    bench.replayer.step()
    assert list(bench.server.records) == [make_record(1).request_id, make_record(3).request_id]
    assert bench.replayer.n_refused == 1
    assert bench.spool.files() == []


def test_two_processes_may_share_the_folder(folder: Path, make_record: Any) -> None:
    one, other = Bench(folder, away="it is away"), Bench(folder)
    one.store.write(batch(make_record, 1))
    files = other.spool.files()
    one.replayer.step()
    assert other.spool.read(files[0]) == (None, 0), "the other was faster"
    other.spool.remove(files[0])
    other.replayer.step()
    assert not list(folder.glob(f"*{ENDING}"))
