"""Writing rows in one transaction, and telling a database that cannot write now from a row that it never will."""

from __future__ import annotations

import sqlite3
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from . import tables
from .inserting import Inserter
from .migrations import VERSION_TABLE
from .rows import Rows


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
        self._inserters = {
            name: Inserter(tables.metadata.tables[name], engine.dialect)
            for name in ("records", "attempts", "verdicts", "prompts", "feedback", "shadows", "watch_events")
        }

    def warm_up(self) -> None:
        """Does once, before requests come, what makes a first write slow: connecting, compiling, syncing a new log.

        Raises:
            DBAPIError: the database cannot be written.
        """
        self._connection = self._engine.connect()
        with self._connection.begin() as transaction:
            for inserter in self._inserters.values():
                inserter.rehearse(self._connection)
            transaction.rollback()
        with self._connection.begin():
            # An update that changes no value still goes through the log.
            self._connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = version_num"))  # noqa: S608

    def write(self, rows: Rows) -> None:
        """As `Store.write`."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                for name, inserter in self._inserters.items():
                    inserter.insert(self._connection, getattr(rows, name))
        except OperationalError as error:
            self.close()
            raise CannotWriteNow(_reason(error)) from error
        except DBAPIError as error:
            self.close()
            if type(error.orig) is sqlite3.DatabaseError:  # such as "malformed": the file, not the row
                raise CannotWriteNow(_reason(error)) from error
            raise RowRefused(_reason(error)) from error
        except (SQLAlchemyError, OverflowError, UnicodeError, TypeError, ValueError, KeyError) as error:
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
