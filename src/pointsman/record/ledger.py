"""The ledger that a router writes to: a queue, one writer thread, and a reader."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from datetime import datetime
from functools import partial
from pathlib import Path

from pointsman.errors import LedgerError
from pointsman.vocabulary import Clock, Feedback, JSONObject, Record, ShadowLabel, WatchEvent

from .checkpoint import Checkpointer
from .database import (
    OPENING_BUSY_S,
    WRITER_BUSY_S,
    ledger_faults,
    make_file,
    reading_engine,
    sqlite_path,
    use_write_ahead_log,
    writing_engine,
)
from .flusher import Flusher
from .json_form import feedback_json, record_json
from .logs import LogFilter, LogPage
from .migrate import upgrade
from .queue import EntryQueue, LedgerStats
from .reader import Reader
from .rows import feedback_rows, rows_of
from .savings import Savings, SavingsBy
from .store import SqlStore, Store
from .sums import Summing

logger = logging.getLogger("pointsman.record")

MAX_FLUSH_MS = 500
WINDOW_S = 0.5
"""What was written longer ago than this is on disk, as long as the disk takes it: kill -9 loses at most so much."""

MAX_QUEUED = 20_000
MAX_QUEUED_BYTES = 128 * 1024 * 1024
BATCH = 512
"""Entries of one transaction: about 30 ms of work, so the writer never holds the lock, or the interpreter, long."""

CLOSE_TIMEOUT_S = 5.0


class SqlLedger:
    """A `Ledger` in a database. `write` and `write_feedback` may be called from any thread, without an event loop.

    Open it after forking: neither its thread nor its connections survive a fork.

    Args:
        store: where rows go; used by the writer thread only.
        reader: where they are read back.
        checkpointer: keeps the write-ahead log small, in a thread of its own.
        summing: keeps the sums of records, likewise.
        store_prompts: keep prompts and answers too.
        flush_ms: how long a record may take to be on disk, as long as the disk keeps up; 1 to 500.
        max_queued: the most entries that wait; further ones are dropped and counted.
        max_queued_bytes: the most memory that they may take, about.
    """

    def __init__(
        self,
        *,
        store: Store,
        reader: Reader,
        checkpointer: Checkpointer | None = None,
        summing: Summing | None = None,
        store_prompts: bool = False,
        flush_ms: int = 200,
        max_queued: int = MAX_QUEUED,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
        clock: Clock = time.monotonic,
    ) -> None:
        if not 1 <= flush_ms <= MAX_FLUSH_MS:
            raise LedgerError(f"flush_ms is {flush_ms}; expected 1 to {MAX_FLUSH_MS}")
        self.reader = reader
        self._store_prompts = store_prompts
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._give_up_at_s = float("inf")
        self._queue = EntryQueue(
            max_entries=max_queued, max_bytes=max_queued_bytes, wake_at=BATCH, wake=self._wake.set, clock=clock
        )
        self._flusher = Flusher(self._queue, store, batch=BATCH, flush_s=flush_ms / 1000, store_prompts=store_prompts)
        self._thread = threading.Thread(target=self._write_on, name="pointsman-ledger", daemon=True)
        self._thread.start()
        self._beside: list[threading.Thread] = []
        for name, task in (("log", checkpointer), ("sums", summing)):
            if task is not None:
                run = partial(task.run, wait=self._stopping.wait)
                self._beside.append(threading.Thread(target=run, name=f"pointsman-ledger-{name}", daemon=True))
                self._beside[-1].start()
        # A program that forgets to close still leaves nothing behind when it ends in order.
        atexit.register(self.close)

    # ------------------------------------------------------------ writing

    def write(self, record: Record) -> None:
        """Takes the record, in microseconds; it is on disk within the window. Never blocks, never raises."""
        self._queue.put(record)

    def write_feedback(self, feedback: Feedback) -> None:
        """Takes the feedback, like `write`."""
        self._queue.put(feedback)

    def write_shadow(self, label: ShadowLabel) -> None:
        """Takes the label, like `write`."""
        self._queue.put(label)

    def write_watch(self, event: WatchEvent) -> None:
        """Takes the event, like `write`."""
        self._queue.put(event)

    @property
    def stats(self) -> LedgerStats:
        """How it is doing."""
        return self._queue.stats(failing=self._flusher.failing, window_s=WINDOW_S)

    def flush(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Waits until all that was taken so far is on disk; False when that takes longer than the timeout."""
        self._wake.set()
        return self._queue.wait_written(timeout_s)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Writes what still waits, for at most about the timeout, and closes; the second time it does nothing.

        What a locked or full disk did not take by then is dropped, counted and logged.
        """
        if self._stopping.is_set():
            return
        atexit.unregister(self.close)
        self._queue.close()
        self._give_up_at_s = self._clock() + timeout_s
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout_s + WRITER_BUSY_S)
        for thread in self._beside:
            thread.join(timeout_s)
        n_lost = self._queue.abandon()
        if n_lost:
            logger.error("the ledger closed with %d entries that could not be written", n_lost)
        self.reader.close()

    async def aclose(self) -> None:
        """As `close`, without holding up the event loop."""
        await asyncio.to_thread(self.close)

    def _write_on(self) -> None:
        self._flusher.run(
            wait=self._wait, stopping=self._stopping.is_set, patient=lambda: self._clock() < self._give_up_at_s
        )

    def _wait(self, seconds: float) -> None:
        # A store that fails is left alone for its pause; only the end of all cuts it short.
        event = self._wake if self._flusher.failing is None else self._stopping
        event.wait(seconds)
        self._wake.clear()

    # ------------------------------------------------------------ reading

    async def decision(self, request_id: str) -> JSONObject | None:
        """One record with its decision, attempts and feedback; what still waits to be written is found too.

        Raises:
            LedgerError: the database cannot be read.
        """
        return await asyncio.to_thread(self._decision, request_id)

    async def savings(
        self, *, since: datetime | None = None, until: datetime | None = None, by: SavingsBy | None = None
    ) -> Savings:
        """As `Reader.savings`."""
        return await asyncio.to_thread(self.reader.savings, since=since, until=until, by=by)

    async def logs(self, chosen: LogFilter = LogFilter(), *, limit: int = 50, cursor: str | None = None) -> LogPage:  # noqa: B008 - frozen
        """As `Reader.logs`."""
        return await asyncio.to_thread(self.reader.logs, chosen, limit=limit, cursor=cursor)

    def _decision(self, request_id: str) -> JSONObject | None:
        record: Record | None = None
        said: list[Feedback] = []
        for entry in self._queue.waiting():
            if not isinstance(entry, WatchEvent) and entry.request_id == request_id:
                if isinstance(entry, Record):
                    record = entry
                elif isinstance(entry, Feedback):
                    said.append(entry)
        found = self.reader.decision(request_id)
        if found is None and record is not None:
            rows = rows_of(record)
            found = record_json(rows.records[0], rows.attempts, rows.verdicts, self.reader.feedback(request_id))
        if found is not None:
            for feedback in said:
                known = feedback_json(feedback_rows(feedback).feedback[0])
                if known not in found["feedback"]:
                    found["feedback"].append(known)
        return found


def open_ledger(
    url: str,
    *,
    store_prompts: bool = False,
    flush_ms: int = 200,
    max_queued: int = MAX_QUEUED,
    max_queued_bytes: int = MAX_QUEUED_BYTES,
    clock: Clock = time.monotonic,
) -> SqlLedger:
    """The ledger at an address such as "sqlite:///pointsman.db", made when it is not there, migrated when it is older.

    Raises:
        LedgerError: it cannot be opened, or a newer version of Pointsman made it.
    """
    path, _ = prepare(url)
    store = SqlStore(writing_engine(path))
    with ledger_faults(path, "write"):
        store.warm_up()
    return SqlLedger(
        store=store,
        reader=Reader(path, reading_engine(path)),
        checkpointer=Checkpointer(writing_engine(path), path),
        summing=Summing(writing_engine(path)),
        store_prompts=store_prompts,
        flush_ms=flush_ms,
        max_queued=max_queued,
        max_queued_bytes=max_queued_bytes,
        clock=clock,
    )


def prepare(url: str) -> tuple[Path, str | None]:
    """Makes the file when it is not there and migrates it; returns where it is and which schema it had before.

    Raises:
        LedgerError: as `open_ledger`.
    """
    path = sqlite_path(url)
    make_file(path)
    engine = writing_engine(path, busy_s=OPENING_BUSY_S)
    try:
        use_write_ahead_log(engine, path)
        return path, upgrade(engine, path)
    finally:
        engine.dispose()
