"""Moving the write-ahead log into the database file, in a thread of its own.

A checkpoint waits for the disk (fsync), long when other programs keep it busy. SQLite's automatic checkpoint runs
inside whichever commit fills the log, so the writer would wait with it, and a kill would lose what came in meanwhile. A
passive checkpoint from another connection holds up neither readers nor the writer (sqlite.org/wal.html,
sqlite.org/c3ref/wal_checkpoint_v2.html).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger("pointsman.record")

LOG_BYTES = 16 * 1024 * 1024
"""A log of this size is moved: about 4,000 requests. Each time, one later commit waits for the disk once, since SQLite
syncs the header of a log that begins anew; a smaller log would make that wait more frequent."""

CHECK_S = 1.0


class Checkpointer:
    """Looks at the log's size now and then.

    Args:
        engine: connections that may write.
        path: the database file.
        log_bytes: the size from which the log is moved.
    """

    def __init__(self, engine: Engine, path: Path, *, log_bytes: int = LOG_BYTES) -> None:
        self._engine = engine
        self._log = path.with_name(path.name + "-wal")
        self._log_bytes = log_bytes

    def step(self) -> bool:
        """Moves the log when it is large; True when it did."""
        try:
            if self._log.stat().st_size < self._log_bytes:
                return False
        except OSError:  # no log yet
            return False
        try:
            # Outside of any transaction, so past SQLAlchemy's own.
            connection = self._engine.raw_connection()
            try:
                cursor: Any = connection.cursor()
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
                cursor.close()
            finally:
                connection.close()
        except (SQLAlchemyError, sqlite3.Error) as error:
            logger.warning("the ledger's log was not moved and will be later: %s", type(error).__name__)
            return False
        return True

    def run(self, *, wait: Callable[[float], bool]) -> None:
        """Steps until `wait`, given the seconds to wait, says that it is over."""
        while not wait(CHECK_S):
            self.step()
        self._engine.dispose()
