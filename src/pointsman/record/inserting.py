"""Inserting rows many to a statement.

Each statement of the driver lets go of Python's interpreter lock and has to win it back from a busy event loop; under
load that waiting, not SQLite, is what a batch costs. A statement of many rows waits once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from .rows import Row

_SIZES = (16, 4, 1)
"""Rows of one statement, tried from the left. 16 records are 592 values; SQLite before 3.32 takes 999
(sqlite.org/limits.html, section 9)."""


class Inserter:
    """Inserts into one table; rows that are there already are left as they are.

    A batch whose commit was in doubt is written again, and what is there already must not make it fail.
    """

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self._table = table
        self._statements = {size: _Statement(table, dialect, size) for size in _SIZES}

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """All rows, in the connection's transaction."""
        done = 0
        for size in _SIZES:
            while len(rows) - done >= size:
                self._statements[size].execute(connection, rows[done : done + size])
                done += size

    def rehearse(self, connection: Connection) -> None:
        """Runs each statement once with blank rows, for a transaction that is rolled back."""
        blank = {column.name: column.type.python_type() for column in _columns(self._table)}
        for size, statement in self._statements.items():
            statement.execute(connection, [blank] * size)


class _Statement:
    """The SQL of so many rows, made once by SQLAlchemy for the database at hand."""

    def __init__(self, table: Table, dialect: Dialect, size: int) -> None:
        insert: Callable[[Table], Any] = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
        names = [column.name for column in _columns(table)]
        values: list[dict[str, Any]] = [{name: bindparam(f"{name}_{row}") for name in names} for row in range(size)]
        compiled = insert(table).values(values).on_conflict_do_nothing().compile(dialect=dialect)
        places = {f"{name}_{row}": (row, name) for name in names for row in range(size)}
        self._sql = str(compiled)
        self._places = [places[key] for key in compiled.positiontup]

    def execute(self, connection: Connection, rows: Sequence[Row]) -> None:
        connection.exec_driver_sql(self._sql, tuple(rows[row][name] for row, name in self._places))


def _columns(table: Table) -> list[Any]:
    """The columns that a row gives a value for."""
    return [column for column in table.columns if column is not table.autoincrement_column]
