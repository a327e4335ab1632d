"""A ledger whose server is stopped, cut off, silent or slow: nothing waits, nothing is lost, nothing counts twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.line import Line, line_to
from tests.postgres import PostgresServer

from pointsman.errors import LedgerAway
from pointsman.record import SqlLedger, open_ledger, open_reader
from pointsman.record.ledger import READ_WITHIN_S
from pointsman.record.savings import SavingsBy

from .conftest import count_of

N = 40


@pytest.fixture
def line(postgres: PostgresServer) -> Iterator[Line]:
    """A line to the server."""
    with line_to(postgres.port) as line:
        yield line


@pytest.fixture
def url(postgres_url: str, postgres: PostgresServer, line: Line) -> str:
    """A ledger's address over the line."""
    return postgres_url.replace(str(postgres.port), str(line.port))


@pytest.fixture
def ledger(open_at: Any, url: str, tmp_path: Path) -> Any:
    """A ledger over the line, with a spool."""
    return open_at(url, spool=tmp_path / "spool", flush_ms=20)


def until(true: Callable[[], bool], within_s: float = 30.0) -> None:
    """Returns once it is true."""
    end_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end_s, "it does not become true"
        time.sleep(0.02)


def recovered(ledger: SqlLedger) -> bool:
    stats = ledger.stats
    return not stats.away and stats.spooled_bytes == 0 and stats.n_queued == 0


def check_counted_once(url: str, n: int) -> None:
    """Records, attempts and sums say that there were so many requests."""
    reader = open_reader(url)
    by_sums = sum(each.n_requests for each in reader.sums_by_hour(("tier",)).values())
    by_day = sum(each.n_requests for each in reader.sums_by_key(("key_id",)).values())
    by_records = reader.savings(by=SavingsBy.ENDPOINT).real.total.n_requests
    reader.close()
    assert (by_records, count_of(url, "attempts"), by_sums, by_day) == (n, n, n, n)


def stop(line: Line) -> None:
    line.target = None
    line.cut()


def silence(line: Line) -> None:
    line.swallows = True


def slow_down(line: Line) -> None:
    line.delay_s = 2.0


def cut_in_transactions(line: Line) -> None:
    line.reset_after_bytes = 10_000
    line.cut()


FAULTS = [stop, silence, slow_down, cut_in_transactions]


@pytest.mark.row("D2.43")
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_happens_to_the_server_nothing_waits_and_all_is_there_once(
    ledger: SqlLedger, line: Line, postgres: PostgresServer, postgres_url: str, make_record: Any, fault: Any
) -> None:
    good = line.target
    for n in range(N):
        ledger.write(make_record(n))
    assert ledger.flush()
    fault(line)
    slowest_s = 0.0
    for n in range(N, 3 * N):
        started_s = time.perf_counter()
        ledger.write(make_record(n))
        slowest_s = max(slowest_s, time.perf_counter() - started_s)
        time.sleep(0.005)
    assert slowest_s < 0.25
    assert ledger.flush(20), "what the server does not take is on this machine's disk"
    until(lambda: ledger.stats.away)
    stats = ledger.stats
    assert (stats.degraded, stats.n_dropped, stats.spooled_bytes > 0) == (True, 0, True)
    line.target, line.swallows, line.delay_s, line.reset_after_bytes = good, False, 0.0, None
    line.cut()
    until(lambda: recovered(ledger))
    for n in range(3 * N, 4 * N):
        ledger.write(make_record(n))
    assert ledger.flush()
    until(lambda: recovered(ledger))
    check_counted_once(postgres_url, 4 * N)
    assert ledger.stats.n_dropped == 0


@pytest.mark.row("D2.43")
@pytest.mark.parametrize("fault", [stop, silence, slow_down])
async def test_a_decision_is_not_waited_for_longer_than_the_documented_time(
    ledger: SqlLedger, line: Line, make_record: Any, fault: Any
) -> None:
    ledger.write(make_record(1))
    assert ledger.flush()
    assert await ledger.decision(make_record(1).request_id) is not None
    fault(line)
    for _ in range(6):  # more than there are threads to read
        started_s = time.perf_counter()
        with pytest.raises(LedgerAway):
            await ledger.decision(make_record(1).request_id)
        assert time.perf_counter() - started_s < READ_WITHIN_S + 0.25


@pytest.mark.row("D2.43")
def test_a_commit_whose_answer_is_lost_counts_once(
    ledger: SqlLedger, line: Line, postgres: PostgresServer, postgres_url: str, make_record: Any
) -> None:
    ledger.write(make_record(0))
    assert ledger.flush()
    for n in range(1, 8):
        ledger.write(make_record(n))
        # The server goes on with what it has got, and nobody hears of it.
        line.swallows = n % 2 == 1
        assert ledger.flush(20)
        line.swallows = False
        line.cut()
        until(lambda: recovered(ledger))
    check_counted_once(postgres_url, 8)


WRITER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from pointsman.record import open_ledger
from pointsman.vocabulary import Attempt, AttemptStatus, Cost, Record, Usage
ledger = open_ledger(sys.argv[1], flush_ms=20, spool=Path(sys.argv[2]))
attempt = Attempt("m", "cheap", AttemptStatus.OK, 200, None, Usage(300, 100), Cost(0.001), 1.0, 2.0)
for n in range(int(sys.argv[3]), int(sys.argv[3]) + 50):
    ledger.write(Record(f"req_{n}", datetime.now(UTC), "/v1/chat/completions", None, "auto", "ok", 200, None,
                        (attempt,), attempt.usage, attempt.cost, None, Cost(None, "none")))
    time.sleep(0.002)
assert ledger.flush(20)
print("written", flush=True)
time.sleep(60)
"""


@pytest.mark.row("D2.43")
def test_what_a_killed_replica_left_in_its_spool_is_written_by_the_next_once(
    line: Line, url: str, postgres_url: str, tmp_path: Path, open_at: Any
) -> None:
    stop(line)
    target = int(postgres_url.rpartition(":")[2].partition("/")[0])
    for replica in range(2):  # the second starts with the spool of the first, and the server still away
        command = [sys.executable, "-c", WRITER, url, str(tmp_path / "spool"), str(1000 * replica)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    line.target = target
    both = [open_at(url, spool=tmp_path / "spool") for _ in range(2)]  # they share the folder, too
    until(lambda: all(recovered(each) for each in both))
    check_counted_once(postgres_url, 100)


@pytest.mark.row("D2.43")
def test_a_server_that_crashes_and_starts_again_is_found(
    postgres_alone: PostgresServer, tmp_path: Path, make_record: Any
) -> None:
    url = postgres_alone.url("ledger")
    ledger = open_ledger(url, spool=tmp_path / "spool", flush_ms=20)
    try:
        ledger.write(make_record(1))
        assert ledger.flush()
        postgres_alone.stop(signal.SIGQUIT)
        ledger.write(make_record(2))
        assert ledger.flush(20)
        until(lambda: ledger.stats.away)
        postgres_alone.start()
        until(lambda: recovered(ledger))
        check_counted_once(url, 2)
    finally:
        ledger.close()


@pytest.mark.row("D2.43")
def test_a_ledger_whose_server_is_down_at_the_start_opens_with_a_spool_and_not_without(
    line: Line, url: str, postgres_url: str, tmp_path: Path, open_at: Any, make_record: Any
) -> None:
    target, line.target = line.target, None
    with pytest.raises(LedgerAway, match="cannot read the ledger"):
        open_at(url)
    ledger = open_at(url, spool=tmp_path / "spool")
    ledger.write(make_record(1))
    assert ledger.flush()
    assert ledger.stats.away
    line.target = target
    until(lambda: recovered(ledger))
    check_counted_once(postgres_url, 1)


def test_a_spool_that_is_full_fills_the_queue_and_then_drops_and_counts(
    line: Line, url: str, postgres_url: str, tmp_path: Path, open_at: Any, make_record: Any
) -> None:
    ledger = open_at(url, spool=tmp_path / "spool", max_spool_bytes=20_000, max_queued=30, flush_ms=20)
    good = line.target
    stop(line)
    for n in range(200):
        ledger.write(make_record(n))
        time.sleep(0.002)
    until(lambda: ledger.stats.n_queued == 30)
    stats = ledger.stats
    assert stats.n_dropped > 0
    assert stats.spooled_bytes <= 20_000
    assert "spool is full" in str(stats.last_error)
    line.target = good
    until(lambda: recovered(ledger))
    check_counted_once(postgres_url, 200 - ledger.stats.n_dropped)
