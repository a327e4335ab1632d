"""Looking after a ledger: is it sound, and forgetting what is old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, func, select, text

from .database import OPENING_BUSY_S, ledger_faults, reading_engine, writing_engine
from .migrate import check_readable, schema_version
from .migrations import HEAD
from .rows import time_text
from .sums import take_out
from .tables import attempts, feedback, prompts, records, shadows, verdicts

PRUNE_BLOCK = 1000
"""Records of one deleting transaction; small, so that a gateway writing at the same time never waits long."""

MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Health:
    """What `check` found.

    Attributes:
        schema: the revision of the database, None when it holds no ledger.
        expected_schema: the revision this version of Pointsman works with.
        faults: what SQLite's integrity check complains of; empty when the file is sound.
        n_records: how many records there are, None when the schema is another.
        oldest: when the oldest was made; None when there is none.
        newest: likewise.
        n_bytes: size of the database with its write-ahead log.
    """

    path: str
    schema: str | None
    expected_schema: str
    faults: tuple[str, ...]
    n_records: int | None
    oldest: str | None
    newest: str | None
    n_bytes: int

    @property
    def ok(self) -> bool:
        """Sound, and of the expected schema."""
        return not self.faults and self.schema == self.expected_schema


def check(path: Path, *, quick: bool = False) -> Health:
    """How a ledger's file is; changes nothing.

    Args:
        quick: leaves out whether each index agrees with its table, which takes most of the time.

    Raises:
        LedgerError: it cannot be read at all.
    """
    kind = "quick_check" if quick else "integrity_check"
    engine = reading_engine(path)
    try:
        schema = schema_version(engine, path)
        with ledger_faults(path, "check"), engine.begin() as connection:
            said = connection.execute(text(f"PRAGMA {kind}({MAX_FAULTS})")).scalars().all()
            n_records: int | None = None
            oldest: str | None = None
            newest: str | None = None
            if schema == HEAD:
                figures = select(func.count(), func.min(records.c.created_at), func.max(records.c.created_at))
                n_records, oldest, newest = connection.execute(figures.select_from(records)).one()
        return Health(
            path=str(path),
            schema=schema,
            expected_schema=HEAD,
            faults=() if list(said) == ["ok"] else tuple(str(line) for line in said),
            n_records=n_records,
            oldest=oldest,
            newest=newest,
            n_bytes=sum(file.stat().st_size for file in (path, path.with_name(path.name + "-wal")) if file.exists()),
        )
    finally:
        engine.dispose()


def try_writing(path: Path) -> None:
    """Nothing, when a transaction that writes can begin; it is undone.

    Raises:
        LedgerError: it cannot, and why.
    """
    engine = writing_engine(path)
    try:
        with ledger_faults(path, "write"), engine.connect() as connection, connection.begin() as transaction:
            connection.execute(text("CREATE TABLE doctor_was_here (n INTEGER)"))
            transaction.rollback()
    finally:
        engine.dispose()


def count_older(path: Path, before: datetime) -> int:
    """How many records `prune` would delete.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    engine = reading_engine(path)
    try:
        check_readable(engine, path)
        query = select(func.count()).select_from(records).where(records.c.created_at < time_text(before))
        with ledger_faults(path, "read"), engine.begin() as connection:
            return connection.execute(query).scalar_one()
    finally:
        engine.dispose()


def prune(path: Path, before: datetime) -> int:
    """Deletes the records made before a time with all that belongs to them; returns how many.

    Their bytes are overwritten. The file keeps its size and uses the room again.

    Raises:
        LedgerError: the ledger cannot be written; what was deleted until then stays deleted.
    """
    engine = writing_engine(path, busy_s=OPENING_BUSY_S)
    n = 0
    try:
        check_readable(engine, path)
        with ledger_faults(path, "prune"):
            while True:
                with engine.begin() as connection:
                    n_block = _prune_block(connection, time_text(before))
                n += n_block
                if n_block < PRUNE_BLOCK:
                    break
            with engine.connect() as connection:
                # The old pages leave the write-ahead log too, as far as no reader still needs them.
                cursor = connection.connection.cursor()
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                cursor.close()
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
