"""Inserting rows, as many to a statement as the database takes.

Each call of the driver lets go of Python's interpreter lock and has to win it back from a busy event loop, which may
keep it for 5 ms (docs.python.org/3/library/sys.html#sys.setswitchinterval). A row at a time, a batch of 70 took 270 ms
of which 22 were work; so a batch is one statement per table for each bit of its number of rows; of these few lengths
the driver has prepared every statement before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter

from sqlalchemy import Connection, Table
from sqlalchemy.engine import Dialect

from .rows import Row

_MAX_VALUES = 32_000 if sqlite3.sqlite_version_info >= (3, 32) else 999
"""Values of one statement: SQLite takes 32,766, before 3.32 999 (sqlite.org/limits.html, section 9)."""


_LENGTHS = (512, 256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Rows of one statement. A statement that was never seen before takes the database longer to read than to carry out."""


class Inserter:
    """Inserts into one table; rows that are there already are left as they are.

    A batch whose commit was in doubt is written again, and what is there already must not make it fail.
    """

    def __init__(self, table: Table, dialect: Dialect) -> None:
        columns = [column for column in table.columns if column is not table.autoincrement_column]
        quote = dialect.identifier_preparer.quote
        self._names = [column.name for column in columns]
        self._blank: Row = {column.name: column.type.python_type() for column in columns}
        # The same words in SQLite and PostgreSQL, but for the placeholder.
        place = "?" if dialect.paramstyle == "qmark" else "%s"
        row_sql = f"({', '.join([place] * len(columns))})"
        head_sql = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, self._names))}) VALUES "  # noqa: S608
        self._values_of = itemgetter(*self._names)
        longest = _MAX_VALUES // len(columns)
        self._statements = [
            (n, f"{head_sql}{', '.join([row_sql] * n)} ON CONFLICT DO NOTHING") for n in _LENGTHS if n <= longest
        ]

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """All rows, in the connection's transaction."""
        at = 0
        for n, sql in self._statements:
            while len(rows) - at >= n:
                values = map(self._values_of, rows[at : at + n])
                connection.exec_driver_sql(sql, tuple(chain.from_iterable(values)))
                at += n

    def rehearse(self, connection: Connection) -> None:
        """Inserts a blank row, in a transaction that is rolled back."""
        self.insert(connection, [self._blank])
