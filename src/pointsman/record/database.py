"""Where a ledger is: a file of SQLite, or a database of a PostgreSQL server. Whoever needs a connection asks it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pointsman.errors import LedgerError

from .sqlite import SqliteFile

FORMS = "sqlite:///path/to/file.db or postgresql://user@host/database"


class Database(Protocol):
    """One database; making one opens nothing."""

    @property
    def name(self) -> str:
        """As messages call it; without a password."""

    @property
    def exists(self) -> bool:
        """False for a file that is yet to be made; a server is taken to be there."""

    @property
    def on_server(self) -> bool:
        """True where it may be away, and where many write at once."""

    def make(self) -> None:
        """Makes what has to be there before the tables can be made.

        Raises:
            LedgerError: it cannot be made.
        """

    def reading(self, *, wait_s: float | None = None, within_s: float | None = None) -> Engine:
        """Connections that only read; each transaction sees one state.

        Args:
            wait_s: how long they wait for others.
            within_s: how long one query may take; without meaning for a file.
            None stands for times that suit commands.
        """

    def writing(self, *, wait_s: float | None = None, within_s: float | None = None) -> Engine:
        """Connections that write; times as in `reading`."""

    def migrating(self) -> Engine:
        """Connections that change tables, which takes as long as it takes."""

    def lock_schema(self, connection: Connection) -> None:
        """Waits until no other process changes tables; holds until the transaction ends."""

    def faults(self, doing: str) -> AbstractContextManager[None]:
        """Raises what the database complains of as a `LedgerError`, in words."""


def database_of(address: str) -> Database:
    """The database of an address; a plain path is a file.

    Raises:
        LedgerError: the address is of another form, or what it needs is not installed.
    """
    if "://" not in address:
        return SqliteFile(Path(address).expanduser())
    try:
        parsed = make_url(address)
    except ArgumentError:
        raise LedgerError(f"the ledger's address cannot be read; expected {FORMS}") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return SqliteFile.at(parsed)
    if backend in {"postgresql", "postgres"}:
        try:
            from .postgresql import PostgresDatabase
        except ModuleNotFoundError as error:
            raise LedgerError(f"a ledger in PostgreSQL needs {error.name}: pip install 'pointsman[postgres]'") from None
        return PostgresDatabase(parsed)
    got = parsed.render_as_string(hide_password=True)
    raise LedgerError(f"a ledger is kept in SQLite or PostgreSQL; expected {FORMS}, got {got!r}")
