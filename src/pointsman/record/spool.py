"""Batches that wait on this machine's disk while the ledger's server is away.

A batch is one file, made whole under another name first, so that there is never half of one. Every row in it bears an
id by which the database knows it again: a batch that is written twice, by whichever process, counts once.
"""

from __future__ import annotations

import base64
import itertools
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import orjson

from pointsman.errors import LedgerError

from .rows import Row, Rows
from .store import CannotWriteNow, RowRefused

logger = logging.getLogger("pointsman.record")

ENDING = ".batch"
DAMAGED = ".damaged"
_UNFINISHED = ".new"
UNFINISHED_S = 600.0
"""A file that is not whole after so long is of a process that was killed; what it was to hold was never taken."""
_TABLES = tuple(field.name for field in fields(Rows))


class Spool:
    """A folder of batches. Used by any number of threads and processes.

    Args:
        folder: made when it is not there; for its owner's eyes only, as a ledger's file is.
        max_bytes: the most that it may hold, about.
        now_ns: wall clock, by which files are ordered.

    Raises:
        LedgerError: it cannot be made or written.
    """

    def __init__(self, folder: Path, *, max_bytes: int, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._now_ns = now_ns
        self._serial = itertools.count()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = folder / f"{uuid.uuid4().hex}{_UNFINISHED}"
            probe.touch(mode=0o600)
            probe.unlink()
            for file in folder.iterdir():
                if file.name.endswith(_UNFINISHED) and now_ns() / 1e9 - file.stat().st_mtime > UNFINISHED_S:
                    file.unlink(missing_ok=True)
        except OSError as error:
            raise LedgerError(f"cannot keep records in the spool {folder}: {error.strerror}") from error
        self.n_bytes = 0
        self.files()

    def add(self, rows: Rows) -> None:
        """Puts a batch on disk.

        Raises:
            CannotWriteNow: the folder is full, or the disk does not take it.
            RowRefused: it has no form on disk.
        """
        try:
            body = orjson.dumps({name: [_plain(row) for row in getattr(rows, name)] for name in _TABLES})
        except TypeError as error:
            raise RowRefused(type(error).__name__) from error
        if self.n_bytes + len(body) > self.max_bytes:
            raise CannotWriteNow(f"the ledger's server is away and its spool is full ({self.max_bytes:,} bytes)")
        name = f"{self._now_ns():020}-{next(self._serial):06}-{uuid.uuid4().hex}"
        unfinished = self.folder / f"{name}{_UNFINISHED}"
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(body)
            unfinished.rename(self.folder / f"{name}{ENDING}")
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise CannotWriteNow(f"the ledger's server is away, and its spool: {error.strerror}") from error
        self.n_bytes += len(body)

    def files(self) -> list[Path]:
        """The batches, oldest first; what they take is counted anew.

        Raises:
            CannotWriteNow: the folder cannot be read.
        """
        n_bytes, found = 0, []
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(ENDING):
                        with suppress(FileNotFoundError):  # another process was faster
                            n_bytes += entry.stat().st_size
                            found.append(self.folder / entry.name)
        except OSError as error:
            raise CannotWriteNow(f"the spool cannot be read: {error.strerror}") from error
        self.n_bytes = n_bytes
        return sorted(found)

    def read(self, file: Path) -> tuple[Rows | None, int]:
        """The batch in a file and its size; None when there is none any more, or it is damaged, and then put aside.

        Raises:
            CannotWriteNow: the disk does not give it.
        """
        try:
            body = file.read_bytes()
        except FileNotFoundError:
            return None, 0
        except OSError as error:
            raise CannotWriteNow(f"the spool cannot be read: {error.strerror}") from error
        try:
            held = orjson.loads(body)
            return Rows(**{name: _rows(held.get(name, ())) for name in _TABLES}), len(body)
        except (ValueError, TypeError, AttributeError, KeyError):
            # A crash of the machine may leave a file without its bytes.
            logger.error("a batch of the ledger's spool is damaged and put aside: %s", file.name)
            with suppress(OSError):
                file.rename(file.with_suffix(DAMAGED))
            return None, 0

    def remove(self, file: Path) -> None:
        """Forgets a batch that has been written."""
        with suppress(OSError):  # left there, it is written again, which changes nothing
            file.unlink()


def _plain(row: Row) -> Row:
    body = row.get("body")
    return row if not isinstance(body, bytes) else {**row, "body": base64.b64encode(body).decode()}


def _rows(held: Iterable[Row]) -> list[Row]:
    return [{**row, "body": base64.b64decode(row["body"])} if row.get("body") is not None else row for row in held]
