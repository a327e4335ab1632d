"""A ledger in a file of SQLite: where it is, who may read it, which settings each connection gets."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from pointsman.errors import LedgerError

FILE_MODE = 0o600
"""Records say who asked what model when, and prompts may be among them: for the owner's eyes."""

WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut back to this size after a checkpoint; a long reader can make it grow beyond."""

WRITER_BUSY_S = 1.0
"""How long one try of the writer waits for another process's transaction. Short: its retries back off by themselves."""

OPENING_BUSY_S = 10.0
"""How long opening waits, such as for another worker that is migrating the same file."""

_WAL_TRIES = 40
_WAL_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A `Database` in a file; a relative path starts from the current folder."""

    path: Path

    @classmethod
    def at(cls, url: URL) -> SqliteFile:
        """The file that an address names.

        Raises:
            LedgerError: it is not of the form sqlite:///path/to/file.db.
        """
        expected = f"expected sqlite:///path/to/file.db, got {url.render_as_string(hide_password=True)!r}"
        if url.get_driver_name() not in {"", "pysqlite"}:
            raise LedgerError(f"a SQLite ledger is opened by Python's own sqlite3; {expected}")
        if url.host is not None or url.query:
            raise LedgerError(f"a SQLite ledger is a file on this machine, without options; {expected}")
        if url.database is None or url.database in {"", ":memory:"} or url.database.startswith("file:"):
            raise LedgerError(f"a ledger needs a file to outlive the process; {expected}")
        return cls(Path(url.database).expanduser())

    @property
    def name(self) -> str:
        """As `Database.name`."""
        return str(self.path)

    @property
    def exists(self) -> bool:
        """As `Database.exists`."""
        return self.path.is_file()

    @property
    def on_server(self) -> bool:
        """As `Database.on_server`."""
        return False

    def make(self) -> None:
        """As `Database.make`."""
        make_file(self.path)
        engine = writing_engine(self.path, busy_s=OPENING_BUSY_S)
        try:
            use_write_ahead_log(engine, self.path)
        finally:
            engine.dispose()

    def reading(self, *, wait_s: float | None = None, within_s: float | None = None) -> Engine:
        """As `Database.reading`."""
        return reading_engine(self.path, busy_s=OPENING_BUSY_S if wait_s is None else wait_s)

    def writing(self, *, wait_s: float | None = None, within_s: float | None = None) -> Engine:
        """As `Database.writing`."""
        return writing_engine(self.path, busy_s=OPENING_BUSY_S if wait_s is None else wait_s)

    def migrating(self) -> Engine:
        """As `Database.migrating`."""
        return self.writing()

    def lock_schema(self, connection: Connection) -> None:
        """Nothing: a transaction that writes has the whole file."""

    def faults(self, doing: str) -> AbstractContextManager[None]:
        """As `Database.faults`."""
        return ledger_faults(self.path, doing)


def make_file(path: Path) -> None:
    """An empty file for a new ledger, readable by its owner only; an existing file keeps its mode.

    SQLite gives the write-ahead log beside it the same mode. An existing file is not opened here: closing it again
    would drop the locks that this process holds on it through SQLite, and another process would then delete the log
    under our hands (sqlite.org/howtocorrupt.html, section 2.2).

    Raises:
        LedgerError: it cannot be made there.
    """
    try:
        if not path.exists():
            with suppress(FileExistsError):  # another process made it meanwhile
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE))
        if path.is_dir():
            raise LedgerError(f"cannot open the ledger {path}: it is a folder; expected a file")
        regular = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        raise LedgerError(f"cannot make the ledger {path}: the folder {path.parent} does not exist") from None
    except OSError as error:
        raise LedgerError(f"cannot open the ledger {path} for writing: {error.strerror}") from error
    if regular and not os.access(path, os.R_OK | os.W_OK):
        raise LedgerError(f"cannot open the ledger {path} for writing: {os.strerror(errno.EACCES)}")
    if not regular:
        raise LedgerError(f"cannot open the ledger {path}: it is not a regular file")


def writing_engine(path: Path, *, busy_s: float = WRITER_BUSY_S) -> Engine:
    """Connections that write: each transaction takes the write lock when it begins, so that it cannot fail midway.

    synchronous=NORMAL: a commit reaches the write-ahead log in the operating system, which a killed process does not
    take with it; only a power cut can lose the last commits, and never the database's integrity
    (sqlite.org/pragma.html#pragma_synchronous; docs/design/ledger.md).
    """
    pragmas = (
        f"PRAGMA busy_timeout={round(busy_s * 1000)}",
        "PRAGMA synchronous=NORMAL",
        f"PRAGMA journal_size_limit={WAL_LIMIT_BYTES}",
        # Checkpoints run elsewhere (see checkpoint.py), not inside a commit.
        "PRAGMA wal_autocheckpoint=0",
        # What is pruned is overwritten, so that a deleted prompt is gone from the file as well.
        "PRAGMA secure_delete=ON",
        "PRAGMA trusted_schema=OFF",
    )
    return _engine(path, pragmas, begin="BEGIN IMMEDIATE")


def reading_engine(path: Path, *, busy_s: float = OPENING_BUSY_S) -> Engine:
    """Connections that only read; each transaction sees one state of the database. They never hold a writer up."""
    pragmas = (
        f"PRAGMA busy_timeout={round(busy_s * 1000)}",
        "PRAGMA query_only=ON",
        "PRAGMA trusted_schema=OFF",
    )
    return _engine(path, pragmas, begin="BEGIN")


def use_write_ahead_log(engine: Engine, path: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Turns the write-ahead log on, which stays on in the file.

    Raises:
        LedgerError: the file is no database, is locked, or lies on a file system without shared memory.
    """
    for attempt in range(_WAL_TRIES):
        with ledger_faults(path, "open"):
            try:
                with engine.connect() as connection:
                    dbapi: Any = connection.connection.dbapi_connection
                    mode = dbapi.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            except (DBAPIError, sqlite3.Error) as error:
                # Two processes that switch a new file at the same moment: SQLite tells one of them at once that it is
                # busy, without the wait of busy_timeout.
                if _code(error) != sqlite3.SQLITE_BUSY or attempt == _WAL_TRIES - 1:
                    raise
                sleep(_WAL_PAUSE_S)
                continue
        if mode != "wal":
            raise LedgerError(f"cannot open the ledger {path}: its file system does not allow a write-ahead log")
        return


@contextmanager
def ledger_faults(path: Path, doing: str) -> Iterator[None]:
    """Raises what the database complains of as a `LedgerError`, in words."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = _REASONS.get(_code(error), str(cause))
        raise LedgerError(f"cannot {doing} the ledger {path}: {reason}") from error


def _code(error: Exception) -> int:
    """SQLite's primary result code; 0 for an error of another kind (sqlite.org/rescode.html)."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    extended: int = getattr(cause, "sqlite_errorcode", 0)
    return extended & 0xFF


_REASONS = {
    sqlite3.SQLITE_NOTADB: "the file is not an SQLite database",
    sqlite3.SQLITE_BUSY: "it stays locked by another process; end that process, or wait until it is done",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the permissions of the file and its folder",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it from a backup, or move it away to start anew",
}


def _engine(path: Path, pragmas: tuple[str, ...], *, begin: str) -> Engine:
    # NullPool while writing: the one writer keeps its connection itself. Readers come and go.
    pool = NullPool if begin == "BEGIN IMMEDIATE" else QueuePool
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=pool, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        # No transactions by the driver, which would leave DDL out of them; SQLAlchemy begins them below
        # (docs.sqlalchemy.org/en/20/dialects/sqlite.html, "Enabling Non-Legacy SQLite Transactional Modes").
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
