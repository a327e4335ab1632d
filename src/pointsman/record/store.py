"""Writing rows in one transaction, and telling a database that cannot write now from a row that it never will."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from . import tables
from .migrations import VERSION_TABLE
from .rows import Row, Rows


class CannotWriteNow(Exception):
    """The database is locked, full, read-only or gone; the same rows may go in later. Stays inside this package."""


class RowRefused(Exception):
    """The database will never take one of these rows. Stays inside this package."""


class Store(Protocol):
    """Where the writer thread puts rows."""

    def write(self, rows: Rows) -> None:
        """All of them in one transaction, or none. Rows that are there already are left as they are.

        Raises:
            CannotWriteNow: try again later.
            RowRefused: one of the rows cannot be written.
        """

    def close(self) -> None:
        """Gives the connection back."""


class SqlStore:
    """A `Store` over SQLAlchemy; keeps one connection. Used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        insert: Callable[[Table], Any] = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
        # A batch whose commit was in doubt is written again; what is there already must not make it fail.
        self._inserts = {
            name: insert(table).on_conflict_do_nothing()
            for name, table in (
                ("records", tables.records),
                ("attempts", tables.attempts),
                ("prompts", tables.prompts),
                ("feedback", tables.feedback),
            )
        }

    def warm_up(self) -> None:
        """Connects and commits once, so that a new write-ahead log's first sync is over before requests come.

        Raises:
            DBAPIError: the database cannot be written.
        """
        self._connection = self._engine.connect()
        with self._connection.begin():
            # An update that changes no value still goes through the log.
            self._connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = version_num"))  # noqa: S608

    def write(self, rows: Rows) -> None:
        """As `Store.write`."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                for name, insert in self._inserts.items():
                    batch: list[Row] = getattr(rows, name)
                    if batch:
                        self._connection.execute(insert, batch)
        except OperationalError as error:
            self.close()
            raise CannotWriteNow(_reason(error)) from error
        except DBAPIError as error:
            self.close()
            if type(error.orig) is sqlite3.DatabaseError:  # such as "malformed": the file, not the row
                raise CannotWriteNow(_reason(error)) from error
            raise RowRefused(_reason(error)) from error
        except (SQLAlchemyError, OverflowError, UnicodeError, TypeError, ValueError) as error:
            self.close()
            raise RowRefused(type(error).__name__) from error

    def close(self) -> None:
        """Gives the connection back; the next write takes a fresh one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except SQLAlchemyError:
                connection.invalidate()


def _reason(error: DBAPIError) -> str:
    """The driver's words, without the statement and its values."""
    return f"{type(error.orig).__name__}: {error.orig}"
