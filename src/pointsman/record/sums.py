"""Sums of records by hour and by key, kept beside them: a figure over millions of records is read in milliseconds.

In SQLite the sums hold every record up to an id; those after it are added up at each reading. So figures are exact at
any moment, writing a record costs nothing more, and `Summing` may lag, be killed or run in several processes at once.

In PostgreSQL, where several replicas write and ids are not committed in order, there is no such id: each writer adds
the sums of what it has just inserted as rows of their own (see parts.py), and those are added at each reading.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    delete,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError

from .tables import COUNTS, PARTS, SUMS, hours, key_days, records, summed

logger = logging.getLogger("pointsman.record")

BLOCK = 5_000
"""Records of one transaction: about 20 ms of work under the write lock."""
STEP_S = 2.0
NONE = ""
"""Stands for a tier, model, policy or key that there was none of; the tables' keys cannot be NULL."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Counts and sums over some records. Spent, router, judge, baseline and saved cover the compared ones: those of
    which cost and baseline are known.

    Attributes:
        n_compared: records of which cost and baseline are known.
        n_decided_1ms: of the `n_decided` records with a decision, those decided within 1 ms; likewise 5 and 20.
        spent_usd: calls, router and judge together.
        uncompared_usd: known costs of records without a known baseline.
    """

    n_requests: int = 0
    n_ok: int = 0
    n_errors: int = 0
    n_cancelled: int = 0
    n_incomplete: int = 0
    n_escalated: int = 0
    n_compared: int = 0
    n_unknown_cost: int = 0
    n_unknown_baseline: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    n_decided: int = 0
    n_decided_1ms: int = 0
    n_decided_5ms: int = 0
    n_decided_20ms: int = 0
    n_first_byte: int = 0
    spent_usd: float = 0.0
    router_usd: float = 0.0
    judge_usd: float = 0.0
    baseline_usd: float = 0.0
    saved_usd: float = 0.0
    uncompared_usd: float = 0.0
    decide_ms: float = 0.0
    first_byte_ms: float = 0.0

    @classmethod
    def of(cls, parts: Iterable[Sums]) -> Sums:
        """The sum of all parts."""
        rows = tuple(parts)
        added: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in COUNTS}
        added |= {name: math.fsum(getattr(row, name) for row in rows) for name in SUMS}
        return cls(**added)

    @property
    def saved_share(self) -> float | None:
        """Saved as a part of the baseline; None when nothing can be compared or the baseline is free."""
        return self.saved_usd / self.baseline_usd if self.baseline_usd > 0 else None

    @property
    def mean_decide_ms(self) -> float | None:
        """Mean time that deciding took; None without decisions."""
        return self.decide_ms / self.n_decided if self.n_decided else None

    @property
    def mean_first_byte_ms(self) -> float | None:
        """Mean time to the first byte; None where none came."""
        return self.first_byte_ms / self.n_first_byte if self.n_first_byte else None


NAMES = tuple(field.name for field in fields_of(Sums))


def read_sums(
    connection: Connection,
    table: Table,
    by: Sequence[str],
    *,
    since: str | None = None,
    until: str | None = None,
) -> dict[tuple[Any, ...], Sums]:
    """Sums by some of the table's columns, all records counted once.

    Args:
        table: `hours` or `key_days`.
        by: names of its key columns; of hours also "day".
        since: the first hour or day, in the table's own form.
        until: the first one that is left out.
    """
    statements = [_stored(table, table, by, since, until)]
    if connection.dialect.name == "postgresql":
        statements.append(_stored(PARTS[table.name], table, by, since, until))
    else:
        fresh = grouped(records, by).where(records.c.id > _last_id(connection))
        # What begins with a prefix is not before it.
        statements.append(_between(fresh, records.c.created_at, since, until))
    parts: dict[tuple[Any, ...], list[Sums]] = {}
    for statement in statements:
        for key, sums in read_grouped(connection, statement, by):
            parts.setdefault(key, []).append(sums)
    found = {key: each[0] if len(each) == 1 else Sums.of(each) for key, each in parts.items()}
    # What was written and deleted again since parts were last added together cancels out.
    return {key: sums for key, sums in found.items() if sums.n_requests}


def read_grouped(
    connection: Connection, statement: Select[Any], by: Sequence[str]
) -> Iterator[tuple[tuple[Any, ...], Sums]]:
    """The groups of a query over measures that are not empty, each with its key."""
    for row in connection.execute(statement).mappings():
        if row["n_requests"]:
            yield tuple(row[name] for name in by), Sums(**{name: row[name] for name in NAMES})


def _stored(source: Table, table: Table, by: Sequence[str], since: str | None, until: str | None) -> Select[Any]:
    """Sums of a table of sums, or of its parts."""
    time = source.c[table.primary_key.columns.values()[0].name]
    stored = [func.substr(time, _FIRST, _DAY_CHARS) if name == "day" else source.c[name] for name in by]
    named = [column.label(name) for column, name in zip(stored, by, strict=True)]
    query = select(*named, *added(source)).group_by(*stored)
    return _between(query, time, since, until)


def added(source: FromClause) -> list[ColumnElement[Any]]:
    """The sum of each measure of some rows that have them."""
    # Sums of integers are numerics in PostgreSQL.
    counts = [cast(func.sum(source.c[name]), BigInteger).label(name) for name in COUNTS]
    return [*counts, *(func.sum(source.c[name]).label(name) for name in SUMS)]


def _between(query: Select[Any], time: ColumnElement[str], since: str | None, until: str | None) -> Select[Any]:
    if since is not None:
        query = query.where(time >= since)
    return query if until is None else query.where(time < until)


def add_up(connection: Connection, *, block: int = BLOCK) -> int:
    """Adds the next block of records to the sums, in the connection's transaction; returns how many those are."""
    after = _last_id(connection)
    ids = select(records.c.id).where(records.c.id > after).order_by(records.c.id).limit(block).subquery()
    n, last = connection.execute(select(func.count(), func.max(ids.c.id))).one()
    if n == 0:
        return 0
    for table in (hours, key_days):
        _merge(connection, table, and_(records.c.id > after, records.c.id <= last), sign=1)
    connection.execute(update(summed).where(summed.c.id == 1).values(last_id=last))
    return int(n)


def take_out(connection: Connection, chosen: ColumnElement[bool]) -> None:
    """Takes records that are about to be deleted out of the sums, in the same transaction."""
    postgres = connection.dialect.name == "postgresql"
    for table in (hours, key_days):
        if postgres:
            names = key_names(table)
            rows = connection.execute(grouped(records, names).where(chosen)).mappings().all()
            if rows:
                connection.execute(PARTS[table.name].insert(), [_signed(row, names, -1) for row in rows])
        else:
            _merge(connection, table, and_(records.c.id <= _last_id(connection), chosen), sign=-1)
            connection.execute(delete(table).where(table.c.n_requests <= 0))


class Summing:
    """Adds up what was written, now and then, in a thread of its own.

    Args:
        engine: connections that may write.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def step(self) -> int:
        """Adds one block up; returns how many records it had, 0 also when the database is busy."""
        try:
            with self._engine.begin() as connection:
                return add_up(connection)
        except (SQLAlchemyError, sqlite3.Error) as error:
            logger.warning("records were not added up and will be later: %s", type(error).__name__)
            return 0

    def run(self, *, wait: Callable[[float], bool]) -> None:
        """Steps until `wait`, given the seconds to wait, says that it is over; the writer gets its turn in between."""
        pause_s = STEP_S
        while not wait(pause_s):
            pause_s = STEP_S if self.step() < BLOCK else 0.01
        self._engine.dispose()


def _last_id(connection: Connection) -> int:
    return int(connection.execute(select(summed.c.last_id).where(summed.c.id == 1)).scalar_one())


def key_names(table: Table) -> tuple[str, ...]:
    """The columns that a table of sums is keyed by; the first is the time."""
    return tuple(column.name for column in table.primary_key.columns)


def _merge(connection: Connection, table: Table, chosen: ColumnElement[bool], *, sign: int) -> None:
    names = key_names(table)
    rows = connection.execute(grouped(records, names).where(chosen)).mappings().all()
    if not rows:
        return
    insert = sqlite.insert(table)
    merged = insert.on_conflict_do_update(
        index_elements=list(names), set_={name: table.c[name] + insert.excluded[name] for name in NAMES}
    )
    connection.execute(merged, [_signed(row, names, sign) for row in rows])


def _signed(row: Mapping[Any, Any], names: Sequence[str], sign: int) -> dict[str, Any]:
    return {**{name: row[name] for name in names}, **{name: sign * row[name] for name in NAMES}}


# Constants within the SQL: what is grouped by must be the same words as what is selected, and PostgreSQL takes two
# placeholders for different ones.
_FIRST: ColumnElement[int] = literal_column("1", BigInteger)
_HOUR_CHARS: ColumnElement[int] = literal_column("13", BigInteger)
_DAY_CHARS: ColumnElement[int] = literal_column("10", BigInteger)
_NONE: ColumnElement[str] = literal_column("''", Text)


def _key(source: FromClause, name: str) -> ColumnElement[Any]:
    """A key column of the tables of sums, of records."""
    if name in {"hour", "day"}:
        return func.substr(source.c.created_at, _FIRST, _HOUR_CHARS if name == "hour" else _DAY_CHARS)
    return source.c.simulated if name == "simulated" else func.coalesce(source.c[name], _NONE)


def grouped(source: FromClause, by: Sequence[str]) -> Select[Any]:
    """Measures of records, by key columns of the tables of sums.

    Args:
        source: records, or some of them with the columns of `MEASURED`.
    """
    r = source.c
    compared = r.saved_usd.is_not(None)
    known = r.cost_usd.is_not(None)
    decided = r.decide_ms.is_not(None)
    deciding = r.router_cost_usd + r.judge_cost_usd

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    def total(condition: ColumnElement[bool], value: ColumnElement[Any]) -> ColumnElement[float]:
        return func.coalesce(func.sum(case((condition, value), else_=0.0)), 0.0)

    def tokens(column: ColumnElement[int]) -> ColumnElement[int]:
        return cast(func.coalesce(func.sum(column), 0), BigInteger)

    measures: dict[str, ColumnElement[Any]] = {
        "n_requests": func.count(),
        "n_ok": count(r.status == "ok"),
        "n_errors": count(r.status == "error"),
        "n_cancelled": count(r.status == "cancelled"),
        "n_incomplete": count(r.status == "incomplete"),
        "n_escalated": count(r.reason_code == "escalated"),
        "n_compared": count(compared),
        "n_unknown_cost": count(r.cost_usd.is_(None)),
        "n_unknown_baseline": count(and_(known, ~compared)),
        "input_tokens": tokens(r.input_tokens),
        "output_tokens": tokens(r.output_tokens),
        "n_decided": count(decided),
        "n_decided_1ms": count(r.decide_ms <= 1.0),
        "n_decided_5ms": count(r.decide_ms <= 5.0),
        "n_decided_20ms": count(r.decide_ms <= 20.0),
        "n_first_byte": count(r.first_byte_ms.is_not(None)),
        "spent_usd": total(compared, r.cost_usd + deciding),
        "router_usd": total(compared, r.router_cost_usd),
        "judge_usd": total(compared, r.judge_cost_usd),
        "baseline_usd": total(compared, r.baseline_cost_usd),
        "saved_usd": total(compared, r.saved_usd),
        "uncompared_usd": total(and_(known, ~compared), r.cost_usd + deciding),
        "decide_ms": total(decided, r.decide_ms),
        "first_byte_ms": total(r.first_byte_ms.is_not(None), r.first_byte_ms),
    }
    keys = [_key(source, name) for name in by]
    named = [key.label(name) for key, name in zip(keys, by, strict=True)]
    return select(*named, *(value.label(name) for name, value in measures.items())).select_from(source).group_by(*keys)


MEASURED = (
    "created_at",
    "simulated",
    "tier",
    "model",
    "policy",
    "key_id",
    "status",
    "reason_code",
    "cost_usd",
    "baseline_cost_usd",
    "router_cost_usd",
    "judge_cost_usd",
    "saved_usd",
    "input_tokens",
    "output_tokens",
    "decide_ms",
    "first_byte_ms",
)
"""The columns of records that sums are made of."""
