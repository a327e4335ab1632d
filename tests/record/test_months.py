"""The months of a ledger in PostgreSQL: made ahead, filled from the rest, dropped whole with what belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from pointsman.record import SqlLedger, database_of, prepare
from pointsman.record.keeper import Keeper
from pointsman.record.months import PARTITIONED, after, ahead, drop, made, make
from pointsman.record.savings import SavingsBy
from pointsman.record.upkeep import check, prune
from pointsman.vocabulary import Feedback

from .conftest import count_of

JANUARY = datetime(2031, 1, 10, tzinfo=UTC)
"""Far from the months that opening a ledger makes."""


@pytest.fixture
def url(empty_postgres_url: str) -> str:
    prepare(empty_postgres_url)
    return empty_postgres_url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = database_of(url).writing()
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(open_at: Any, url: str) -> Any:
    return open_at(url, store_prompts=True)


def months(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return made(connection)


def rows_in(url: str, suffix: str) -> dict[str, int]:
    return {table: count_of(url, f"{table}_{suffix}") for table in PARTITIONED if table != "verdicts"}


def test_months_follow_each_other_over_the_year() -> None:
    assert after("2026-11") == "2026-12"
    assert after("2026-12") == "2027-01"
    assert ahead(datetime(2026, 11, 30, 23, 59, tzinfo=UTC)) == ["2026-11", "2026-12", "2027-01"]


def test_opening_makes_this_month_and_the_next_two(engine: Engine, url: str) -> None:
    assert months(engine) == ahead(datetime.now(UTC))
    assert check(database_of(url)).months == tuple(months(engine))


def test_a_record_of_a_month_that_is_not_made_goes_to_the_rest_and_moves_when_it_is(
    ledger: SqlLedger, engine: Engine, url: str, make_record: Any
) -> None:
    record = make_record(1, created_at=JANUARY, prompt_json=b"{}")
    ledger.write(record)
    assert ledger.flush()
    assert rows_in(url, "other") == {"records": 1, "attempts": 1, "prompts": 1}
    assert make(engine, ["2031-01"]) == ["2031-01"]
    assert make(engine, ["2031-01"]) == []
    assert rows_in(url, "other") == {"records": 0, "attempts": 0, "prompts": 0}
    assert rows_in(url, "2031_01") == {"records": 1, "attempts": 1, "prompts": 1}
    ledger.write(record)  # it is known there, too
    assert ledger.flush()
    assert count_of(url, "records") == 1
    assert ledger.reader.decision(record.request_id) is not None


def test_a_dropped_month_takes_along_what_belongs_to_it_and_its_sums(
    ledger: SqlLedger, engine: Engine, url: str, make_record: Any
) -> None:
    make(engine, ["2031-01", "2031-02"])
    for n, at in enumerate((JANUARY, JANUARY + timedelta(days=21), JANUARY + timedelta(days=30))):
        ledger.write(make_record(n, created_at=at, prompt_json=b"{}"))
        ledger.write_feedback(Feedback(make_record(n).request_id, at, score=1.0))
    assert ledger.flush()
    with engine.begin() as connection:
        assert drop(connection, "2031-01") == 2
        assert drop(connection, "2031-01") == 0
    assert {table: count_of(url, table) for table in ("records", "attempts", "prompts", "feedback")} == {
        "records": 1,
        "attempts": 1,
        "prompts": 1,
        "feedback": 1,
    }
    assert sum(each.n_requests for each in ledger.reader.sums_by_hour(("tier",)).values()) == 1
    assert sum(each.n_requests for each in ledger.reader.sums_by_key(("key_id",)).values()) == 1


def test_pruning_drops_whole_months_and_deletes_what_is_left(
    ledger: SqlLedger, engine: Engine, url: str, make_record: Any
) -> None:
    make(engine, ["2031-01", "2031-02"])
    for n in range(60):
        ledger.write(make_record(n, created_at=JANUARY + timedelta(days=n)))  # to 10 March, which is not made
    assert ledger.flush()
    assert prune(database_of(url), JANUARY + timedelta(days=27)) == 27
    assert "2031-01" not in months(engine)
    assert "2031-02" in months(engine)
    assert count_of(url, "records") == 33
    total = ledger.reader.savings(by=SavingsBy.ENDPOINT).real.total
    assert ledger.reader.savings().real.total.n_requests == total.n_requests == 33


@pytest.mark.parametrize("on_server", [False, True])
def test_records_are_kept_as_long_as_configured(
    open_at: Any, url: str, db_path: Any, engine: Engine, make_record: Any, on_server: bool
) -> None:
    where = url if on_server else f"sqlite:///{db_path}"
    ledger = open_at(where)
    if on_server:
        make(engine, ["2031-01", "2031-02"])
    for n in range(40):
        ledger.write(make_record(n, created_at=JANUARY + timedelta(days=n)))
    assert ledger.flush()
    now = JANUARY + timedelta(days=60)
    keeper = Keeper(database_of(where), keep_days=30, now=lambda: now)
    # 9 February is the first day that is kept; on a server, so is the rest of its month.
    assert keeper.step() == (22 if on_server else 30)
    assert keeper.step() == 0
    assert Keeper(database_of(where), keep_days=None, now=lambda: now).step() == 0
    assert count_of(where, "records") == (18 if on_server else 10)
    if on_server:
        assert set(ahead(now)) <= set(months(engine)), "the months to come are made"


def test_a_month_that_another_replica_makes_meanwhile_is_made_once(engine: Engine) -> None:
    with engine.begin() as other:
        other.execute(text("CREATE TABLE verdicts_2031_05 (LIKE verdicts INCLUDING ALL)"))
        other.execute(
            text("ALTER TABLE verdicts ATTACH PARTITION verdicts_2031_05 FOR VALUES FROM ('2031-05') TO ('2031-06')")
        )
    assert make(engine, ["2031-05"]) == ["2031-05"]
    assert "2031-05" in months(engine)


@pytest.mark.parametrize("month", ["2031-13", "2031-1", "x'; DROP TABLE keys; --"])
def test_what_is_no_month_is_neither_made_nor_dropped(engine: Engine, month: str) -> None:
    with pytest.raises(ValueError, match="is no month"):
        make(engine, [month])
    with engine.begin() as connection, pytest.raises(ValueError, match="is no month"):
        drop(connection, month)
