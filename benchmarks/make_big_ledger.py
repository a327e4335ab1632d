"""A ledger of so many made-up records, to measure pages and commands on: about 1 GB for a million.

    python benchmarks/make_big_ledger.py LEDGER [--records 10000000] [--days 90]

LEDGER is a file, or the address of a database of a PostgreSQL server that is empty.

Records are of two tiers, three policies and forty keys, 1.5 % of them failed, each with a decision and an attempt. They
go in past the ledger's own writer, indexes last; then the ledger adds them up, as it does by itself.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter as time_s
from typing import Any

from sqlalchemy import insert

from pointsman.record import database_of, prepare_database
from pointsman.record.database import Database
from pointsman.record.months import after, ahead, made, make, month_of
from pointsman.record.rows import rows_of
from pointsman.record.sqlite import SqliteFile, writing_engine
from pointsman.record.sums import BLOCK as SUMMED
from pointsman.record.sums import NAMES, Summing, add_up, grouped, key_names
from pointsman.record.tables import hours, key_days, records
from pointsman.record.upkeep import check
from pointsman.vocabulary import Alternative, Attempt, AttemptStatus, Cost, Decision, Dialect, Record, Usage

N_KINDS = 5_000
"""Different records; each comes back with another id and time."""
BLOCK = 500_000
N_SMALL_BLOCKS = 50


def kinds(seed: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(record, attempt) as rows, to be repeated."""
    rng = random.Random(seed)
    for number in range(N_KINDS):
        p = rng.betavariate(4, 1.6)
        model, tier = ("small", "cheap") if p >= 0.62 else ("large", "strong")
        usage = Usage(int(rng.lognormvariate(6.5, 0.8)), int(rng.lognormvariate(5.2, 0.7)))
        cheap_usd = 1e-6 * usage.input_tokens + 5e-6 * usage.output_tokens
        cost = Cost(cheap_usd if tier == "cheap" else 5 * cheap_usd)
        failed = rng.random() < 0.015
        attempt = Attempt(
            model,
            tier,
            AttemptStatus.ERROR if failed else AttemptStatus.OK,
            503 if failed else 200,
            "upstream_busy" if failed else None,
            None if failed else usage,
            Cost(0.0) if failed else cost,
            None if failed else 300.0,
            900.0,
        )
        decision = Decision(
            request_id="",
            model=model,
            tier=tier,
            policy=("auto", "auto", "auto", "best", "saving")[number % 5],
            policy_kind="threshold",
            reason=f"P(cheap answer is good enough) is {p:.2f}, the threshold 0.62",
            reason_code="score",
            p_cheap=p,
            threshold=0.62,
            alternatives=(
                Alternative("small", "cheap", cheap_usd, p, tier == "cheap", "costs less"),
                Alternative("large", "strong", 5 * cheap_usd, 1.0, tier == "strong", "costs more"),
            ),
            estimated_cost_usd=cost.usd,
            estimated_baseline_cost_usd=5 * cheap_usd,
        )
        record = Record(
            request_id="",
            created_at=datetime.now(UTC),
            endpoint="/v1/chat/completions",
            dialect=Dialect.OPENAI_CHAT,
            requested_model="auto",
            status="error" if failed else "ok",
            http_status=attempt.http_status,
            decision=decision,
            attempts=(attempt,),
            usage=attempt.usage,
            cost=attempt.cost,
            baseline_model="large",
            baseline_cost=Cost(0.0 if failed else 5 * cheap_usd),
            session_id=f"session-{number}",
            key_id=f"key-{number % 40}",
            tags=("support",) if number % 4 == 0 else (),
            decide_ms=0.3 + rng.expovariate(1.5),
            first_byte_ms=attempt.first_byte_ms,
            total_ms=900.0,
        )
        rows = rows_of(record)
        yield rows.records[0], rows.attempts[0]


def fill(path: Path, n: int, days: float) -> None:
    """Puts the records in; the database repeats the kinds by itself, which is what makes it fast."""
    prepared = tuple(kinds(1))
    now = datetime.now(UTC)
    # Days since noon of 24 November 4714 before our era, as SQLite counts them (sqlite.org/lang_datefunc.html).
    end_day = now.timestamp() / 86_400 + 2_440_587.5
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        indexes = connection.execute("SELECT name, sql FROM sqlite_master WHERE type='index' AND sql IS NOT NULL")
        made = indexes.fetchall()
        for name, _ in made:
            connection.execute(f"DROP INDEX {name}")
        for place, table in enumerate(("records", "attempts")):
            rows = [kind[place] for kind in prepared]
            columns = [name for name in rows[0] if name not in ("request_id", "created_at")]
            listed = ", ".join(columns)
            connection.execute(f"CREATE TEMP TABLE kind_{table} (number INTEGER PRIMARY KEY, {listed})")
            connection.executemany(
                f"INSERT INTO kind_{table} VALUES ({', '.join('?' * (1 + len(columns)))})",
                ((number, *(row[name] for name in columns)) for number, row in enumerate(rows)),
            )
            own = "request_id, created_at" if table == "records" else "request_id"
            time = f"strftime('%Y-%m-%dT%H:%M:%f', {end_day!r} - {days!r} * ({n} - n) / {n}) || '000Z'"
            mine = f"printf('req_%032x', n){f', {time}' if table == 'records' else ''}"
            for first in range(0, n, BLOCK):
                connection.execute(
                    f"WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers "
                    f"WHERE n + 1 < {min(n, first + BLOCK)}) INSERT INTO {table} ({own}, {listed}) "
                    f"SELECT {mine}, {listed} FROM numbers JOIN kind_{table} ON number = n * 7919 % {N_KINDS}"
                )
                print(f"{table}: {min(n, first + BLOCK):,}", flush=True)
        for name, sql in made:
            print(f"index {name}", flush=True)
            connection.execute(sql)


def fill_server(database: Database, n: int, days: float) -> None:
    """The same on a server: kinds go there by COPY, each month is filled without indexes and gets them at the end."""
    prepared = tuple(kinds(1))
    end = datetime.now(UTC)
    begin = end - timedelta(days=days)
    moment = f"timestamp '{begin:%Y-%m-%d %H:%M:%S.%f}' + n * interval '{1e6 * days * 86_400 / n:.6f} microseconds'"
    time = f"""to_char({moment}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    months = [month_of(begin)]
    while months[-1] < month_of(end):
        months.append(after(months[-1]))
    engine = database.migrating()
    with engine.connect() as held:
        driver: Any = held.connection.dbapi_connection
        driver.rollback()
        driver.autocommit = True
        cursor = driver.cursor()
        for month in made(held):
            for table in ("records", "attempts"):
                cursor.execute(f"DROP TABLE {table}_{month.replace('-', '_')}")
        for place, table in enumerate(("records", "attempts")):
            rows = [kind[place] for kind in prepared]
            columns = [name for name in rows[0] if name not in ("request_id", "created_at")]
            listed = ", ".join(columns)
            cursor.execute(
                f"CREATE TEMPORARY TABLE kind_{table} AS SELECT 0 AS number, {listed} FROM {table} WITH NO DATA"
            )
            with cursor.copy(f"COPY kind_{table} FROM STDIN") as copy:
                for number, row in enumerate(rows):
                    copy.write_row((number, *(row[name] for name in columns)))
            cursor.execute(f"ANALYZE kind_{table}")
            for month in months:
                until, name = after(month), f"{table}_{month.replace('-', '_')}"
                first = max(0, int(_share(begin, end, month) * n) - 1)
                last = min(n - 1, int(_share(begin, end, until) * n) + 1)
                cursor.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS)")
                cursor.execute(
                    f"INSERT INTO {name} (request_id, created_at, {listed}) "
                    f"SELECT 'req_' || lpad(to_hex(n), 32, '0'), at, {listed} "
                    f"FROM (SELECT n, {time} AS at FROM generate_series({first}, {last}) AS n) AS made "
                    f"JOIN kind_{table} ON number = n::bigint * 7919 % {N_KINDS} "
                    f"WHERE at >= '{month}' AND at < '{until}'"
                )
                print(f"{name}: {cursor.rowcount:,}", flush=True)
                cursor.execute(
                    f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{month}') TO ('{until}')"
                )
                cursor.execute(f"VACUUM (ANALYZE) {name}")
        driver.autocommit = False
    started_s = time_s()
    with engine.begin() as connection:
        for sums in (hours, key_days):
            names = key_names(sums)
            connection.execute(insert(sums).from_select([*names, *NAMES], grouped(records, names)))
    print(f"added up in {time_s() - started_s:.0f} s", flush=True)
    make(engine, ahead(end))
    engine.dispose()


def _share(begin: datetime, end: datetime, month: str) -> float:
    """Which part of the span is over when a month begins."""
    return (datetime.fromisoformat(f"{month}-01T00:00:00+00:00") - begin) / (end - begin)


def add_all(path: Path) -> None:
    """Adds the records up: some as a running ledger does, a small block at a time, the rest in large ones."""
    engine = writing_engine(path)
    summing, steps = Summing(engine), []
    started_s = time_s()
    for _ in range(N_SMALL_BLOCKS):
        step_s = time_s()
        if summing.step() == 0:
            break
        steps.append(1000 * (time_s() - step_s))
    if steps:
        print(f"a block of {SUMMED:,} is added up in {statistics.median(steps):.0f} ms, at most {max(steps):.0f}")
    n = SUMMED
    while n > 0:
        with engine.begin() as connection:
            n = add_up(connection, block=BLOCK)
    engine.dispose()
    print(f"added up in {time_s() - started_s:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ledger")
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--days", type=float, default=90.0)
    chosen = parser.parse_args()
    database = database_of(chosen.ledger)
    if isinstance(database, SqliteFile) and database.exists:
        sys.exit(f"{database.name} is there already")
    prepare_database(database)
    started_s = time_s()
    if isinstance(database, SqliteFile):
        fill(database.path, chosen.records, chosen.days)
    else:
        fill_server(database, chosen.records, chosen.days)
    print(f"filled in {time_s() - started_s:.0f} s, {check(database, quick=True).n_bytes / 1e9:.1f} GB", flush=True)
    if isinstance(database, SqliteFile):
        add_all(database.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
