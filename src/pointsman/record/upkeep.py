"""Looking after a ledger: is it sound, and forgetting what is old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, text

from .database import Database
from .migrate import check_readable, schema_version
from .migrations import HEAD, VERSION_TABLE
from .rows import time_text
from .sqlite import SqliteFile
from .sums import take_out
from .tables import PARTS, attempts, feedback, hours, prompts, records, shadows, verdicts

PRUNE_BLOCK = 1000
"""Records of one deleting transaction; small, so that a gateway writing at the same time never waits long."""

MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Health:
    """What `check` found.

    Attributes:
        path: where the ledger is; of one on a server, its address without the password.
        schema: the revision of the database, None when it holds no ledger.
        expected_schema: the revision this version of Pointsman works with.
        faults: what SQLite's integrity check complains of, or which of PostgreSQL's indexes are not valid; empty when
            the ledger is sound.
        n_records: how many records there are, None when the schema is another.
        oldest: when the oldest was made; None when there is none.
        newest: likewise.
        n_bytes: size of the database with its write-ahead log; on a server, of all its tables and indexes.
        months: the months that have a partition, on a server.
    """

    path: str
    schema: str | None
    expected_schema: str
    faults: tuple[str, ...]
    n_records: int | None
    oldest: str | None
    newest: str | None
    n_bytes: int
    months: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Sound, and of the expected schema."""
        return not self.faults and self.schema == self.expected_schema


def check(database: Database, *, quick: bool = False) -> Health:
    """How a ledger is; changes nothing.

    Args:
        quick: leaves out whether each index of SQLite agrees with its table, which takes most of the time.

    Raises:
        LedgerError: it cannot be read at all.
    """
    engine = database.reading()
    try:
        schema = schema_version(engine, database)
        with database.faults("check"), engine.begin() as connection:
            found = _file(connection, database, quick) if isinstance(database, SqliteFile) else _server(connection)
            figures: tuple[int | None, str | None, str | None] = (None, None, None)
            if schema == HEAD:
                times = connection.execute(select(func.min(records.c.created_at), func.max(records.c.created_at))).one()
                figures = (_n_records(connection), *times)
        return Health(database.name, schema, HEAD, found[0], *figures, *found[1:])
    finally:
        engine.dispose()


def _file(connection: Connection, file: SqliteFile, quick: bool) -> tuple[tuple[str, ...], int]:
    kind = "quick_check" if quick else "integrity_check"
    said = connection.execute(text(f"PRAGMA {kind}({MAX_FAULTS})")).scalars().all()
    parts = (file.path, file.path.with_name(file.path.name + "-wal"))
    faults = () if list(said) == ["ok"] else tuple(str(line) for line in said)
    return faults, sum(part.stat().st_size for part in parts if part.exists())


def _server(connection: Connection) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    from .months import made

    broken = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid LIMIT :n"
    faults = connection.execute(text(broken), {"n": MAX_FAULTS}).scalars()
    size = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class WHERE relkind = 'r' AND relnamespace = "
    n_bytes = connection.execute(text(size + "current_schema()::regnamespace")).scalar_one()
    there = connection.execute(text("SELECT to_regclass('records_other')")).scalar_one() is not None
    return (
        tuple(f"index {name} is not valid" for name in faults),
        int(n_bytes),
        tuple(made(connection) if there else ()),
    )


def _n_records(connection: Connection) -> int:
    if connection.dialect.name != "postgresql":
        return connection.execute(select(func.count()).select_from(records)).scalar_one()
    # There, a count looks at every row; the sums know.
    sums = [connection.execute(select(func.sum(each.c.n_requests))).scalar_one() for each in (hours, PARTS["hours"])]
    return sum(0 if n is None else int(n) for n in sums)


def try_writing(database: Database) -> None:
    """Nothing, when a transaction that writes can begin; it is undone.

    Raises:
        LedgerError: it cannot, and why.
    """
    engine = database.writing(wait_s=1.0)
    try:
        with database.faults("write"), engine.connect() as connection, connection.begin() as transaction:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = version_num"))  # noqa: S608 - a constant
            transaction.rollback()
    finally:
        engine.dispose()


def count_older(database: Database, before: datetime) -> int:
    """How many records `prune` would delete.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    engine = database.reading()
    try:
        check_readable(engine, database)
        query = select(func.count()).select_from(records).where(records.c.created_at < time_text(before))
        with database.faults("read"), engine.begin() as connection:
            return connection.execute(query).scalar_one()
    finally:
        engine.dispose()


def prune(database: Database, before: datetime) -> int:
    """Deletes the records made before a time with all that belongs to them; returns how many.

    In SQLite their bytes are overwritten; the file keeps its size and uses the room again. In PostgreSQL whole months
    are dropped, which gives the room back at once; what is left of the last is deleted, and its room used again.

    Raises:
        LedgerError: the ledger cannot be written; what was deleted until then stays deleted.
    """
    engine = database.writing()
    try:
        check_readable(engine, database)
        n = drop_months(database, before) if database.on_server else 0
        with database.faults("prune"):
            while True:
                with engine.begin() as connection:
                    n_block = _prune_block(connection, time_text(before))
                n += n_block
                if n_block < PRUNE_BLOCK:
                    break
            if not database.on_server:
                with engine.connect() as connection:
                    # The old pages leave the write-ahead log too, as far as no reader still needs them.
                    cursor = connection.connection.cursor()
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    cursor.close()
        return n
    finally:
        engine.dispose()


def drop_months(database: Database, before: datetime) -> int:
    """Drops the months that end before a time, on a server; returns how many records those had.

    Raises:
        LedgerError: the ledger cannot be written now; what was dropped until then stays dropped.
    """
    from .months import MONTHS_WAIT_S, after, drop, made

    engine = database.writing(wait_s=MONTHS_WAIT_S)
    n = 0
    try:
        with database.faults("prune"):
            with engine.connect() as connection:
                old = [month for month in made(connection) if after(month) <= time_text(before)]
            for month in old:
                with engine.begin() as connection:
                    n += drop(connection, month)
        return n
    finally:
        engine.dispose()


def _prune_block(connection: Connection, before: str) -> int:
    old = records.c.created_at < before
    ids = connection.execute(
        select(records.c.request_id).where(old).order_by(records.c.created_at).limit(PRUNE_BLOCK)
    ).scalars()
    gone = list(ids)
    take_out(connection, records.c.request_id.in_(gone))
    for table in (attempts, verdicts, feedback, shadows, prompts, records):
        connection.execute(delete(table).where(table.c.request_id.in_(gone)))
    return len(gone)
