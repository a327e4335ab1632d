"""kill -9 while writing: the file opens, is sound, and holds everything written longer ago than the window.

`benchmarks/kill_ledger.py` does the same with the gateway over HTTP, more often; one short run of it is here too.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from benchmarks.kill_ledger import play

from pointsman.record.ledger import WINDOW_S

WRITER = """
import sys, time
from datetime import UTC, datetime
from pointsman.record import open_ledger
from pointsman.vocabulary import Attempt, AttemptStatus, Cost, Record, Usage

ledger = open_ledger(sys.argv[1], flush_ms=100)
attempt = Attempt("m", "cheap", AttemptStatus.OK, 200, None, Usage(300, 100), Cost(0.001), 1.0, 2.0)
n = int(sys.argv[2])
while True:
    n += 1
    ledger.write(Record(f"req_{n}", datetime.now(UTC), "/v1/chat/completions", None, "auto", "ok", 200, None,
                        (attempt,), attempt.usage, attempt.cost, None, Cost(None, "none")))
    sys.stdout.write(f"{n} {time.monotonic()}\\n")
    sys.stdout.flush()
    time.sleep(0.0005)
"""


def killed_while_writing(path: Path, start: int, n_lines: int) -> tuple[dict[str, float], float]:
    """Request ids with the second each was acknowledged at, and the second of the kill."""
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(start)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(n_lines)]
    killed_at_s = time.monotonic()
    os.kill(child.pid, signal.SIGKILL)
    lines += child.stdout.read().splitlines()
    child.wait()
    child.stdout.close()
    whole = [line.split() for line in lines if len(line.split()) == 2]
    return {f"req_{n.decode()}": float(at) for n, at in whole}, killed_at_s


def on_record(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        torn = "SELECT count(*) FROM records WHERE request_id NOT IN (SELECT request_id FROM attempts)"
        assert connection.execute(torn).fetchone() == (0,)
        return {row[0] for row in connection.execute("SELECT request_id FROM records")}


@pytest.mark.row("D2.44")
def test_three_kills_lose_nothing_older_than_the_window(db_path: Path, open_at: Any, make_record: Any) -> None:
    before: set[str] = set()
    for number, n_lines in enumerate((400, 1100, 1700)):
        acknowledged, killed_at_s = killed_while_writing(db_path, start=100_000 * number, n_lines=n_lines)
        found = on_record(db_path)
        missing = {id_: killed_at_s - at_s for id_, at_s in acknowledged.items() if id_ not in found}
        assert {id_: age_s for id_, age_s in missing.items() if age_s > WINDOW_S} == {}
        assert before <= found
        before = found
    assert before
    ledger = open_at(db_path)
    ledger.write(make_record(1))
    assert ledger.flush()


@pytest.mark.slow
@pytest.mark.row("D2.44")
def test_the_gateway_killed_under_load_loses_nothing_older_than_the_window(tmp_path: Path) -> None:
    rounds = play(tmp_path, tmp_path / "ledger.db", rounds=2, concurrency=8, seed=1)
    assert [one for one in rounds if not one.good] == []
    assert all(one.n_acknowledged > 0 for one in rounds)
    assert rounds[-1].n_on_record > 0
