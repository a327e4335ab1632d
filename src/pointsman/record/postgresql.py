"""A ledger in a database of a PostgreSQL server: how it is connected to, and how long anything may take.

Every step is bounded twice: by the server (statement_timeout, lock_timeout), which then is free again, and by us, since
a server that is frozen, or a network that swallows packets, answers nothing at all. Limits are set in each transaction
and no statement is prepared, so that a pooler that lends connections by transaction may stand between.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from pointsman.errors import LedgerAway, LedgerError

RV = TypeVar("RV")

CONNECT_S = 2
"""The least that libpq takes (postgresql.org/docs/current/libpq-connect.html, connect_timeout)."""
WAIT_S = 10.0
"""How long a command waits for others."""
WRITER_WAIT_S = 0.25
"""How long the writer waits for others; what it does not get written goes to the spool."""
WRITER_WITHIN_S = 1.0
"""How long one statement of the writer may take."""
COMMAND_WITHIN_S = 900.0
"""How long one query of a command may take, such as savings of all records by their reasons."""
MIGRATION_WITHIN_S = 3_600.0
SLACK_S = 0.5
"""How much longer than the server we wait before we take it for gone."""

SCHEMA_LOCK = 0x706F696E74736D61
"""Of pg_advisory_xact_lock: whoever holds it may change tables. The letters "pointsma"."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that waits for its server only so long at each step, and is closed when that is over."""

    answer_within_s: float = COMMAND_WITHIN_S

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """What the generator returns.

        Raises:
            psycopg.OperationalError: the server did not answer in time.
        """
        try:
            return super().wait(gen, interval, self.answer_within_s if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                # It still owes an answer, which would be taken for that of the next question.
                self.close()
            raise


class PostgresDatabase:
    """A `Database` on a server.

    Args:
        url: any address of SQLAlchemy's for PostgreSQL; options of libpq may stand in its query.
    """

    exists = True
    on_server = True

    def __init__(self, url: URL) -> None:
        driver = url.drivername.partition("+")[2]
        if driver not in {"", "psycopg"}:
            raise LedgerError(f"a ledger in PostgreSQL is opened by psycopg 3; write postgresql://…, not +{driver}")
        if not url.database:
            raise LedgerError(
                "the ledger's address names no database; expected postgresql://user@host/database, got "
                + repr(url.render_as_string(hide_password=True))
            )
        self._url = url.set(drivername="postgresql+psycopg")
        shown = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
        self.name = shown.render_as_string()

    def make(self) -> None:
        """Nothing: the database is the administrator's to make."""

    def reading(self, *, wait_s: float | None = None, within_s: float | None = None) -> Engine:
        """As `Database.reading`."""
        engine = self._engine(
            lock_s=WAIT_S if wait_s is None else wait_s, within_s=COMMAND_WITHIN_S if within_s is None else within_s
        )
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def writing(self, *, wait_s: float | None = None, within_s: float | None = None) -> Engine:
        """As `Database.writing`."""
        return self._engine(
            lock_s=WAIT_S if wait_s is None else wait_s,
            within_s=COMMAND_WITHIN_S if within_s is None else within_s,
            keep=False,
        )

    def migrating(self) -> Engine:
        """As `Database.migrating`."""
        return self._engine(lock_s=WAIT_S, within_s=MIGRATION_WITHIN_S, keep=False)

    def lock_schema(self, connection: Connection) -> None:
        """As `Database.lock_schema`."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})

    @contextmanager
    def faults(self, doing: str) -> Iterator[None]:
        """As `Database.faults`; a server that cannot be reached now is a `LedgerAway`."""
        try:
            yield
        except SQLAlchemyError as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            kind = LedgerAway if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError) else LedgerError
            raise kind(f"cannot {doing} the ledger {self.name}: {reason(cause)}") from error

    def _engine(self, *, lock_s: float, within_s: float, keep: bool = True) -> Engine:
        given = self._url.query
        options: dict[str, Any] = {
            "connect_timeout": CONNECT_S,
            "application_name": "pointsman",
            "keepalives_idle": 30,
            # Packets that nobody confirms for so many milliseconds: the other side is gone.
            "tcp_user_timeout": 10_000,
        }
        engine = create_engine(
            self._url,
            # Prompts may be among them, and SQLAlchemy's own log is no place for those.
            hide_parameters=True,
            # The one writer keeps its connection itself. Readers come and go, and theirs may have died meanwhile.
            **({"poolclass": QueuePool, "pool_pre_ping": True} if keep else {"poolclass": NullPool}),
            connect_args={name: value for name, value in options.items() if name not in given}
            | {"prepare_threshold": None},
            use_native_hstore=False,
        )

        @event.listens_for(engine, "do_connect")
        def _connect(_dialect: object, _record: object, args: Any, named: Any) -> BoundedConnection:
            connection: BoundedConnection = BoundedConnection.connect(*args, **named)
            connection.answer_within_s = within_s + SLACK_S
            return connection

        @event.listens_for(engine, "begin")
        def _bound(connection: Any) -> None:
            connection.exec_driver_sql(
                f"SELECT set_config('lock_timeout', '{round(1000 * lock_s)}', true), "
                f"set_config('statement_timeout', '{round(1000 * within_s)}', true), "
                "set_config('client_min_messages', 'warning', true)"
            )

        return engine


def reason(cause: BaseException | None) -> str:
    """The driver's words in one line, without the statement and its values."""
    said = " ".join(str(cause).split("\n", 1)[0].split())
    return said if said else type(cause).__name__
