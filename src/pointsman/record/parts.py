"""Sums of a ledger in PostgreSQL: what a batch adds, and adding the batches' parts together.

A batch's part goes in with the batch, in one transaction and as new rows, so that replicas never wait for each other's,
and what was inserted is counted exactly once, whatever is written again after a commit in doubt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import psycopg
from sqlalchemy import CTE, Connection, Engine, Executable, Table, delete, func, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError

from .sums import NAMES, STEP_S, added, grouped, key_names
from .tables import PARTS, hours, key_days

logger = logging.getLogger("pointsman.record")

MERGE_LOCK = 0x706F696E74736D62
"""Of pg_advisory_xact_lock: whoever holds it may change the sums that are not parts."""


def note(inserted: CTE) -> Executable:
    """The statement that inserts records (the common table expression does, returning `sums.MEASURED`) and notes what
    they add to the sums."""
    by_hour, by_day = (
        insert(PARTS[table.name]).from_select([*key_names(table), *NAMES], grouped(inserted, key_names(table)))
        for table in (hours, key_days)
    )
    return by_day.add_cte(by_hour.cte("by_hour"))


def merge(connection: Connection) -> int:
    """Adds the parts together, in the connection's transaction; returns how many those were, 0 also when another
    process is at it."""
    if not connection.execute(select(func.pg_try_advisory_xact_lock(MERGE_LOCK))).scalar_one():
        return 0
    return sum(_merge(connection, table, PARTS[table.name]) for table in (hours, key_days))


def _merge(connection: Connection, table: Table, parts: Table) -> int:
    names = key_names(table)
    n_parts = connection.execute(select(func.count()).select_from(parts)).scalar_one()
    if n_parts == 0:
        return 0
    gone = delete(parts).returning(*parts.c).cte("gone")
    keys = [gone.c[name] for name in names]
    fresh = postgresql.insert(table).from_select([*names, *NAMES], select(*keys, *added(gone)).group_by(*keys))
    connection.execute(
        fresh.on_conflict_do_update(
            index_elements=list(names), set_={name: table.c[name] + fresh.excluded[name] for name in NAMES}
        )
    )
    connection.execute(delete(table).where(table.c.n_requests <= 0))
    return n_parts


class Merging:
    """Adds parts together now and then, in a thread of its own; in several replicas they take turns.

    Args:
        engine: connections that may write.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def step(self) -> int:
        """Adds them together once; returns how many those were, 0 also when the server is away."""
        try:
            with self._engine.begin() as connection:
                return merge(connection)
        except (SQLAlchemyError, psycopg.Error) as error:
            logger.debug("sums were not added together and will be later: %s", type(error).__name__)
            return 0

    def run(self, *, wait: Callable[[float], bool]) -> None:
        """Steps until `wait`, given the seconds to wait, says that it is over."""
        while not wait(STEP_S):
            self.step()
        self._engine.dispose()
