"""Reading everything in blocks, checking the file, and forgetting what is old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pointsman.errors import LedgerError
from pointsman.record.database import database_of
from pointsman.record.migrations import HEAD
from pointsman.record.upkeep import PRUNE_BLOCK, check, count_older, prune
from pointsman.vocabulary import Feedback

from .conftest import count_of

START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def filled(open_at: Any, ledger_url: str, make_record: Any) -> Any:
    """Ten records, a minute apart, with prompts; feedback on the third."""
    ledger = open_at(ledger_url, store_prompts=True)
    for n in range(10):
        ledger.write(make_record(n, prompt_json=b"secret words"))
    ledger.write_feedback(Feedback(make_record(2).request_id, START, label="good"))
    ledger.flush()
    return ledger


def test_blocks_hold_every_record_in_order_with_what_belongs_to_it(filled: Any, make_record: Any) -> None:
    blocks = list(filled.reader.export(block=4))
    assert [len(block) for block in blocks] == [4, 4, 2]
    records = [record for block in blocks for record in block]
    assert [record["request_id"] for record in records] == [make_record(n).request_id for n in range(10)]
    assert [len(record["attempts"]) for record in records] == [1] * 10
    assert [said["label"] for said in records[2]["feedback"]] == ["good"]
    assert records[2] == filled.reader.decision(make_record(2).request_id)


def test_an_export_is_lazy_and_ends_although_records_keep_coming(filled: Any, make_record: Any) -> None:
    n = 0
    for block in filled.reader.export(block=2):
        n += len(block)
        filled.write(make_record(100 + n))
        assert filled.flush()
    assert n == 10


def test_an_export_of_a_span_of_time(filled: Any) -> None:
    blocks = filled.reader.export(since=START + timedelta(minutes=2), until=START + timedelta(minutes=4), block=1)
    assert [record["created_at"][14:16] for block in blocks for record in block] == ["02", "03"]


def test_an_export_of_nothing_has_no_blocks(open_at: Any, ledger_url: str) -> None:
    assert list(open_at(ledger_url).reader.export()) == []


def test_a_sound_ledger_is_found_sound(filled: Any, ledger_url: str) -> None:
    health = check(database_of(ledger_url))
    assert health.ok
    assert (health.schema, health.n_records, health.faults) == (HEAD, 10, ())
    assert (health.oldest, health.newest) == ("2026-11-01T00:00:00.000000Z", "2026-11-01T00:09:00.000000Z")
    assert health.n_bytes > 0


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_damaged_file_is_found_damaged(filled: Any, db_path: Path) -> None:
    filled.close()
    content = bytearray(db_path.read_bytes())
    for page in range(3, len(content) // 4096):
        content[page * 4096 : page * 4096 + 16] = b"\xff" * 16
    db_path.write_bytes(content)
    try:
        damaged = not check(database_of(str(db_path))).ok
    except LedgerError as error:
        damaged = "damaged" in error.message
    assert damaged


def test_pruning_deletes_the_old_with_all_that_belongs_to_them(filled: Any, ledger_url: str, make_record: Any) -> None:
    before = START + timedelta(minutes=5)
    database = database_of(ledger_url)
    assert count_older(database, before) == 5
    assert prune(database, before) == 5
    assert prune(database, before) == 0
    left = {table: count_of(ledger_url, table) for table in ("records", "attempts", "prompts", "feedback")}
    assert left == {"records": 5, "attempts": 5, "prompts": 5, "feedback": 0}
    filled.write(make_record(50))
    assert filled.flush()


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_pruned_prompt_is_gone_from_the_files(filled: Any, db_path: Path) -> None:
    assert prune(database_of(str(db_path)), START + timedelta(days=1)) == 10
    filled.close()
    assert b"secret words" not in b"".join(file.read_bytes() for file in db_path.parent.iterdir())


def test_pruning_more_than_one_block(open_at: Any, ledger_url: str, make_record: Any) -> None:
    ledger = open_at(ledger_url)
    n = 2 * PRUNE_BLOCK + 1
    for number in range(n):
        ledger.write(make_record(number))
    assert ledger.flush(30)
    assert prune(database_of(ledger_url), START + timedelta(days=2)) == n
