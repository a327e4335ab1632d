"""How rows get into the database: few calls of the driver, all rows, none twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

from pointsman.record import tables
from pointsman.record.migrate import upgrade
from pointsman.record.rows import Rows, rows_of
from pointsman.record.sqlite import SqliteFile, make_file, use_write_ahead_log, writing_engine
from pointsman.record.store import RowRefused, SqlStore


@pytest.fixture
def engine(db_path: Path) -> Iterator[Engine]:
    make_file(db_path)
    engine = writing_engine(db_path)
    use_write_ahead_log(engine, db_path)
    upgrade(engine, SqliteFile(db_path))
    yield engine
    engine.dispose()


def batch(make_record: Any, numbers: range) -> Rows:
    rows = Rows()
    for n in numbers:
        rows.extend(rows_of(make_record(n, prompt_json=b"{}"), store_prompts=True))
    return rows


def counts(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.records, tables.attempts, tables.prompts, tables.feedback)
        ]


def test_a_batch_was_lost_to_kill_because_every_row_waited_for_the_interpreter(
    engine: Engine, make_record: Any
) -> None:
    """A busy event loop lets the writer in only every 5 ms, at each call of the driver: so few calls, not one a row."""
    said: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_connection: Any, _cursor: Any, statement: str, _values: Any, _context: Any, many: bool) -> None:
        assert not many
        said.append(statement.split(" (")[0])

    store = SqlStore(engine)
    store.write(batch(make_record, range(500)))
    store.close()
    # 500 is 256 + 128 + 64 + 32 + 16 + 4: statements of these lengths are prepared once, and not for every batch.
    inserts = ("INSERT INTO records", "INSERT INTO attempts", "INSERT INTO prompts")
    assert said == ["BEGIN IMMEDIATE", *(insert for insert in inserts for _ in range(6))]
    assert counts(engine) == [500, 500, 500, 0]


@pytest.mark.parametrize("n", [1, 2, 863, 864, 865, 2000])
def test_batches_larger_than_a_statement_are_written_whole(engine: Engine, make_record: Any, n: int) -> None:
    store = SqlStore(engine)
    store.write(batch(make_record, range(n)))
    store.close()
    assert counts(engine) == [n, n, n, 0]


def test_rows_that_are_there_already_are_left_as_they_are(engine: Engine, make_record: Any) -> None:
    store = SqlStore(engine)
    store.write(batch(make_record, range(10)))
    store.write(rows_of(make_record(3, status="error")))
    store.write(batch(make_record, range(5, 15)))
    store.close()
    assert counts(engine) == [15, 15, 15, 0]
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).where(tables.records.c.status == "error")).scalar_one() == 0


def test_warming_up_leaves_nothing_behind(engine: Engine, make_record: Any) -> None:
    store = SqlStore(engine)
    store.warm_up()
    assert counts(engine) == [0, 0, 0, 0]
    store.write(rows_of(make_record(1)))
    store.close()
    with engine.connect() as connection:
        assert connection.execute(select(tables.records.c.id)).scalars().all() == [1]


def test_a_batch_with_a_refused_row_is_not_written_at_all(engine: Engine, make_record: Any) -> None:
    store = SqlStore(engine)
    rows = batch(make_record, range(3))
    rows.attempts[1]["status"] = None
    with pytest.raises(RowRefused, match="NOT NULL"):
        store.write(rows)
    del rows.records[0]["status"]
    with pytest.raises(RowRefused, match="KeyError"):
        store.write(rows)
    assert counts(engine) == [0, 0, 0, 0]
    store.close()
