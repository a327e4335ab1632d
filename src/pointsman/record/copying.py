"""Writing rows to a ledger in PostgreSQL, in one transaction: COPY, then everything that is not there yet.

COPY knows no ON CONFLICT, so a batch goes into temporary tables of the connection first. Records, attempts, verdicts
and prompts come by the thousand and go this way; the rest is little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from . import parts, tables
from .inserting import Inserter
from .migrations import VERSION_TABLE
from .months import PARTITIONED
from .postgresql import reason
from .rows import Row, Rows
from .store import CannotWriteNow, RowRefused
from .sums import MEASURED

_ROWS_REFUSED = (psycopg.DataError, psycopg.IntegrityError)
"""Everything else, such as a missing permission, is not the row's fault."""


class _Copied:
    """One table that is written by COPY."""

    def __init__(self, table: Table) -> None:
        columns = [Column(column.name, column.type) for column in table.columns if column.name != "id"]
        if "created_at" not in table.c:
            columns.append(Column("created_at", Text))  # by which a row finds its month
        self.names = [column.name for column in columns]
        target = table if table is tables.records else Table(table.name, MetaData(), *columns)
        new = Table(f"new_{table.name}", MetaData(), *(Column(column.name, column.type) for column in columns))
        listed = ", ".join(self.names)
        # A pooler may lend another connection each time, so that it may have to be made in any transaction.
        copy_of = f"AS SELECT {listed} FROM {table.name} WITH NO DATA"  # noqa: S608 - names of ours
        self.make_sql = f"CREATE TEMPORARY TABLE IF NOT EXISTS {new.name} ON COMMIT DELETE ROWS {copy_of}"
        self.copy_sql = f"COPY {new.name} ({listed}) FROM STDIN"
        move = postgresql.insert(target).from_select(self.names, select(*(new.c[name] for name in self.names)))
        self.move: Any = move.on_conflict_do_nothing()
        if table is tables.records:
            self.move = parts.note(self.move.returning(*(table.c[name] for name in MEASURED)).cte("inserted"))

    def values(self, row: Row, times: dict[str, str]) -> list[Any]:
        """The row in the order of the columns."""
        return [times[row["request_id"]] if name == "created_at" else row[name] for name in self.names]


class PostgresStore:
    """A `Store` over a server; keeps one connection. Used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._copied = {name: _Copied(tables.metadata.tables[name]) for name in PARTITIONED}
        self._inserted = {
            name: Inserter(tables.metadata.tables[name], engine.dialect)
            for name in ("feedback", "shadows", "watch_events")
        }

    def try_writing(self) -> None:
        """Nothing, when a transaction that writes can be committed.

        Raises:
            CannotWriteNow: it cannot.
        """
        try:
            with self._connected().begin():
                self._connected().execute(text(f"UPDATE {VERSION_TABLE} SET version_num = version_num"))  # noqa: S608
        except (SQLAlchemyError, psycopg.Error) as error:
            self._drop()
            raise CannotWriteNow(_said(error)) from error

    def write(self, rows: Rows) -> None:
        """As `Store.write`."""
        try:
            connection = self._connected()
            with connection.begin():
                self._write(connection, rows)
        except (DBAPIError, psycopg.Error) as error:
            self._drop()
            cause = error.orig if isinstance(error, DBAPIError) else error
            mine = isinstance(cause, psycopg.ProgrammingError) and cause.sqlstate is None  # a value no type takes
            if isinstance(cause, _ROWS_REFUSED) or mine:
                raise RowRefused(_said(error)) from error
            raise CannotWriteNow(_said(error)) from error
        except (SQLAlchemyError, OverflowError, UnicodeError, TypeError, ValueError, KeyError) as error:
            self._drop()
            raise RowRefused(type(error).__name__) from error

    def close(self) -> None:
        """As `Store.close`."""
        self._drop()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()

    def _write(self, connection: Connection, rows: Rows) -> None:
        driver: Any = connection.connection.dbapi_connection
        times = {row["request_id"]: row["created_at"] for row in rows.records}
        for name, copied in self._copied.items():
            listed: Sequence[Row] = getattr(rows, name)
            if not listed:
                continue
            with driver.cursor() as cursor:
                cursor.execute(copied.make_sql)
                with cursor.copy(copied.copy_sql) as copy:
                    for row in listed:
                        copy.write_row(copied.values(row, times))
            connection.execute(copied.move)
        for name, inserter in self._inserted.items():
            inserter.insert(connection, getattr(rows, name))


def _said(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(cause).__name__}: {reason(cause)}"
