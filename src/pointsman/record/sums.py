"""Sums of records by hour and by key, kept beside them: a figure over millions of records is read in milliseconds.

The sums hold every record up to an id; those after it are added up at each reading. So figures are exact at any moment,
writing a record costs nothing more, and `Summing` may lag, be killed or run in several processes at once.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from .tables import COUNTS, SUMS, hours, key_days, records, summed

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


_NAMES = tuple(field.name for field in fields_of(Sums))


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
    time = table.primary_key.columns.values()[0]
    last_id = _last_id(connection)
    stored = [func.substr(time, 1, 10) if name == "day" else table.c[name] for name in by]
    named = [column.label(name) for column, name in zip(stored, by, strict=True)]
    query = select(*named, *(func.sum(table.c[name]).label(name) for name in _NAMES)).group_by(*stored)
    fresh = _grouped(records.c.id > last_id, by)
    if since is not None:
        query = query.where(time >= since)
        # What begins with a prefix is not before it.
        fresh = fresh.where(records.c.created_at >= since)
    if until is not None:
        query = query.where(time < until)
        fresh = fresh.where(records.c.created_at < until)
    parts: dict[tuple[Any, ...], list[Sums]] = {}
    for statement in (query, fresh):
        for row in connection.execute(statement).mappings():
            if row["n_requests"]:
                key = tuple(row[name] for name in by)
                parts.setdefault(key, []).append(Sums(**{name: row[name] for name in _NAMES}))
    return {key: each[0] if len(each) == 1 else Sums.of(each) for key, each in parts.items()}


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
    counted = and_(records.c.id <= _last_id(connection), chosen)
    for table in (hours, key_days):
        _merge(connection, table, counted, sign=-1)
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


def _merge(connection: Connection, table: Table, chosen: ColumnElement[bool], *, sign: int) -> None:
    names = tuple(column.name for column in table.primary_key.columns)
    rows = connection.execute(_grouped(chosen, names)).mappings().all()
    if not rows:
        return
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    merged = insert.on_conflict_do_update(
        index_elements=list(names), set_={name: table.c[name] + insert.excluded[name] for name in _NAMES}
    )
    connection.execute(merged, [_signed(row, names, sign) for row in rows])


def _signed(row: Mapping[Any, Any], names: Sequence[str], sign: int) -> dict[str, Any]:
    return {**{name: row[name] for name in names}, **{name: sign * row[name] for name in _NAMES}}


_R = records.c
_KEYS: dict[str, ColumnElement[Any]] = {
    "hour": func.substr(_R.created_at, 1, 13),
    "day": func.substr(_R.created_at, 1, 10),
    "simulated": _R.simulated,
    "tier": func.coalesce(_R.tier, NONE),
    "model": func.coalesce(_R.model, NONE),
    "policy": func.coalesce(_R.policy, NONE),
    "key_id": func.coalesce(_R.key_id, NONE),
}


def _grouped(chosen: ColumnElement[bool], by: Sequence[str]) -> Any:
    """Measures of the chosen records, by key columns of the tables of sums."""
    compared = _R.saved_usd.is_not(None)
    known = _R.cost_usd.is_not(None)
    decided = _R.decide_ms.is_not(None)
    deciding = _R.router_cost_usd + _R.judge_cost_usd

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    def total(condition: ColumnElement[bool], value: ColumnElement[Any]) -> ColumnElement[float]:
        return func.coalesce(func.sum(case((condition, value), else_=0.0)), 0.0)

    measures: dict[str, ColumnElement[Any]] = {
        "n_requests": func.count(),
        "n_ok": count(_R.status == "ok"),
        "n_errors": count(_R.status == "error"),
        "n_cancelled": count(_R.status == "cancelled"),
        "n_incomplete": count(_R.status == "incomplete"),
        "n_escalated": count(_R.reason_code == "escalated"),
        "n_compared": count(compared),
        "n_unknown_cost": count(_R.cost_usd.is_(None)),
        "n_unknown_baseline": count(and_(known, ~compared)),
        "input_tokens": func.coalesce(func.sum(_R.input_tokens), 0),
        "output_tokens": func.coalesce(func.sum(_R.output_tokens), 0),
        "n_decided": count(decided),
        "n_decided_1ms": count(_R.decide_ms <= 1.0),
        "n_decided_5ms": count(_R.decide_ms <= 5.0),
        "n_decided_20ms": count(_R.decide_ms <= 20.0),
        "n_first_byte": count(_R.first_byte_ms.is_not(None)),
        "spent_usd": total(compared, _R.cost_usd + deciding),
        "router_usd": total(compared, _R.router_cost_usd),
        "judge_usd": total(compared, _R.judge_cost_usd),
        "baseline_usd": total(compared, _R.baseline_cost_usd),
        "saved_usd": total(compared, _R.saved_usd),
        "uncompared_usd": total(and_(known, ~compared), _R.cost_usd + deciding),
        "decide_ms": total(decided, _R.decide_ms),
        "first_byte_ms": total(_R.first_byte_ms.is_not(None), _R.first_byte_ms),
    }
    keys = [_KEYS[name] for name in by]
    named = [key.label(name) for key, name in zip(keys, by, strict=True)]
    return select(*named, *(value.label(name) for name, value in measures.items())).where(chosen).group_by(*keys)
