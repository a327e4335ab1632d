"""The months of a ledger in PostgreSQL: each has a partition of its own, made ahead, and dropped whole when it is old.

What no month has been made for goes to the partition that takes the rest; making a month moves its records there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, func, select, text

from .parts import MERGE_LOCK
from .rows import time_text
from .tables import PARTS, feedback, hours, key_days, records, shadows

PARTITIONED = ("records", "attempts", "verdicts", "prompts")
AHEAD = 2
"""Months made ahead."""
MONTHS_WAIT_S = 1.0
"""How long making or dropping a month waits for others, who queue up behind it meanwhile."""

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def month_of(moment: datetime) -> str:
    """The month of a time, such as "2026-11"."""
    return time_text(moment)[:7]


def after(month: str) -> str:
    """The month after a month."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def ahead(now: datetime) -> list[str]:
    """The months that should be there at a time."""
    months = [month_of(now)]
    while len(months) <= AHEAD:
        months.append(after(months[-1]))
    return months


def made(connection: Connection) -> list[str]:
    """The months that have a partition, oldest first."""
    names = connection.execute(
        text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = 'records'::regclass"
        )
    ).scalars()
    found = (name.removeprefix("records_").replace("_", "-") for name in names)
    return sorted(month for month in found if _MONTH.fullmatch(month))


def make(engine: Engine, months: Iterable[str]) -> list[str]:
    """Makes partitions for months that have none; returns those.

    Raises:
        DBAPIError: it cannot be done now, such as while a long query runs.
    """
    with engine.connect() as connection:
        missing = [month for month in dict.fromkeys(months) if month not in made(connection)]
    for month in missing:
        for table in reversed(PARTITIONED):  # records last: its partition says that all are there
            with engine.begin() as connection:
                _make(connection, table, month)
    return missing


def _make(connection: Connection, table: str, month: str) -> None:
    if _MONTH.fullmatch(month) is None:
        raise ValueError(f"{month!r} is no month")
    name, until = f"{table}_{month.replace('-', '_')}", after(month)
    within = f"created_at >= '{month}' AND created_at < '{until}'"
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MERGE_LOCK})
    if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is not None:
        return  # another replica made it
    for statement in (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
        # Attaching looks for rows of the month among the rest, and refuses where it finds some.
        f"WITH moved AS (DELETE FROM {table}_other WHERE {within} RETURNING *) "  # noqa: S608 - a checked month
        f"INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{month}') TO ('{until}')",
    ):
        connection.execute(text(statement))


def drop(connection: Connection, month: str) -> int:
    """Drops a month with all that belongs to it, in the connection's transaction; returns how many records it had."""
    if _MONTH.fullmatch(month) is None:
        raise ValueError(f"{month!r} is no month")
    suffix, until = month.replace("-", "_"), after(month)
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MERGE_LOCK})
    if month not in made(connection):
        return 0  # another replica dropped it
    within = (records.c.created_at >= month, records.c.created_at < until)
    n: int = connection.execute(select(func.count()).select_from(records).where(*within)).scalar_one()
    ids = select(records.c.request_id).where(*within)
    for joined in (feedback, shadows):
        connection.execute(delete(joined).where(joined.c.request_id.in_(ids)))
    for table in (hours, key_days):
        for sums in (table, PARTS[table.name]):
            time = sums.c[table.primary_key.columns.values()[0].name]
            connection.execute(delete(sums).where(time >= month, time < until))
    for name in PARTITIONED:
        connection.execute(text(f"DROP TABLE {name}_{suffix}"))
    return n
