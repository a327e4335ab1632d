"""Writing through the front door: what goes in is found again, bounded, from any thread, with prompts only if told."""

from __future__ import annotations

import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from pointsman.errors import LedgerError
from pointsman.record.json_form import record_json
from pointsman.record.rows import clean, rows_of
from pointsman.vocabulary import Feedback, Ledger, Record

from .conftest import count_of
from .test_record_rows import any_record

SAID = datetime(2026, 11, 2, tzinfo=UTC)


async def test_a_written_record_is_found(open_at: Any, ledger_url: str, make_record: Any) -> None:
    ledger: Ledger = open_at(ledger_url)
    ledger.write(make_record(7))
    await ledger.aclose()
    found = await open_at(ledger_url).decision(make_record(7).request_id)
    assert found is not None
    assert found["model"] == "cheap-model"
    assert found["attempts"][0]["usage"]["output_tokens"] == 100


async def test_a_record_is_found_before_it_is_on_disk(open_at: Any, ledger_url: str, make_record: Any) -> None:
    ledger = open_at(ledger_url, flush_ms=500)
    ledger.write(make_record(7))
    ledger.write_feedback(Feedback(make_record(7).request_id, SAID, score=0.5))
    before = await ledger.decision(make_record(7).request_id)
    ledger.flush()
    after = await ledger.decision(make_record(7).request_id)
    assert before == after
    assert before["feedback"] == [
        {"created_at": "2026-11-02T00:00:00.000000Z", "score": 0.5, "label": None, "comment": None}
    ]


async def test_an_unknown_request_is_none(open_at: Any, ledger_url: str) -> None:
    assert await open_at(ledger_url).decision("req_none") is None


async def test_feedback_joins_in_order_even_when_it_came_first(open_at: Any, ledger_url: str, make_record: Any) -> None:
    ledger = open_at(ledger_url)
    id_ = make_record(1).request_id
    ledger.write_feedback(Feedback(id_, SAID, label="bad", comment="no\x00good"))
    ledger.flush()
    ledger.write(make_record(1))
    ledger.write_feedback(Feedback(id_, SAID, score=1.0))
    ledger.flush()
    found = await ledger.decision(id_)
    assert [(said["label"], said["score"], said["comment"]) for said in found["feedback"]] == [
        ("bad", None, "no�good"),
        (None, 1.0, None),
    ]


def test_prompts_are_not_stored_unless_told(open_at: Any, ledger_url: str, make_record: Any, tmp_path: Path) -> None:
    secret = make_record(1, prompt_json=b'{"secret words": 1}', answer_text="secret answer")
    silent = open_at(ledger_url)
    silent.write(secret)
    silent.close()
    assert b"secret" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert count_of(ledger_url, "prompts") == 0
    keeping = open_at(ledger_url, store_prompts=True)
    keeping.write(make_record(2, prompt_json=b'{"secret words": 1}', answer_text="secret answer"))
    keeping.flush()
    (block,) = keeping.reader.export(with_prompts=True)
    assert [(one["prompt"], one["answer"]) for one in block] == [
        (None, None),
        ('{"secret words": 1}', "secret answer"),
    ]
    (block,) = keeping.reader.export()
    assert "prompt" not in block[0]


def test_the_file_and_its_log_are_for_the_owner_only(open_at: Any, db_path: Path, make_record: Any) -> None:
    ledger = open_at(db_path)
    ledger.write(make_record())
    ledger.flush()
    files = sorted(db_path.parent.iterdir())
    assert [file.name for file in files] == ["ledger.db", "ledger.db-shm", "ledger.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_many_threads_write_without_losing_any(open_at: Any, ledger_url: str, make_record: Any) -> None:
    ledger = open_at(ledger_url, flush_ms=1)

    def work(start: int) -> None:
        for n in range(start, start + 250):
            ledger.write(make_record(n))

    threads = [threading.Thread(target=work, args=(1000 * k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.flush()
    stats = ledger.stats
    assert (stats.n_written, stats.n_dropped, stats.n_queued, stats.queued_bytes) == (2000, 0, 0, 0)
    assert ledger.reader.savings().real.total.n_requests == 2000


@pytest.mark.row("D2.54")
def test_two_ledgers_write_one_file_at_a_time(open_at: Any, ledger_url: str, make_record: Any) -> None:
    one, other = open_at(ledger_url, flush_ms=1), open_at(ledger_url, flush_ms=1)
    for n in range(300):
        (one if n % 2 else other).write(make_record(n))
    assert one.flush()
    assert other.flush()
    assert one.reader.savings().real.total.n_requests == 300


def test_a_request_recorded_twice_counts_once(open_at: Any, ledger_url: str, make_record: Any) -> None:
    ledger = open_at(ledger_url)
    for _ in range(3):
        ledger.write(make_record(1))
        ledger.flush()
    assert ledger.reader.savings().real.total.n_requests == 1
    assert len(ledger.reader.decision(make_record(1).request_id)["attempts"]) == 1


def test_after_closing_what_comes_is_dropped_and_counted(open_at: Any, ledger_url: str, make_record: Any) -> None:
    ledger = open_at(ledger_url)
    ledger.close()
    ledger.close()
    ledger.write(make_record())
    assert ledger.stats.n_dropped == 1


@pytest.mark.parametrize("flush_ms", [0, 501])
def test_a_window_beyond_the_documented_one_is_refused(open_at: Any, ledger_url: str, flush_ms: int) -> None:
    with pytest.raises(LedgerError, match="flush_ms"):
        open_at(ledger_url, flush_ms=flush_ms)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=any_record)
def test_any_record_comes_back_from_the_database_as_it_went_in(open_at: Any, fresh_url: Any, record: Record) -> None:
    url = fresh_url()
    ledger = open_at(url, flush_ms=500)
    ledger.write(record)
    ledger.close()
    assert ledger.stats.n_dropped == 0
    rows = rows_of(record)
    reread = open_at(url)
    found = reread.reader.decision(clean(record.request_id))
    reread.close()
    assert found == record_json(rows.records[0], rows.attempts, rows.verdicts, [])
