"""The ledger that a router writes to: a queue, one writer thread, and a reader."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pointsman.errors import LedgerAway, LedgerError
from pointsman.vocabulary import Clock, Feedback, JSONObject, Record, ShadowLabel, WatchEvent

from .checkpoint import Checkpointer
from .database import Database, database_of
from .flusher import Flusher
from .json_form import feedback_json, record_json
from .keeper import Keeper
from .logs import LogFilter, LogPage
from .migrate import upgrade
from .queue import EntryQueue, LedgerStats
from .reader import Reader
from .rows import feedback_rows, rows_of
from .savings import Savings, SavingsBy
from .spool import Spool
from .spooling import Replayer, SpoolingStore
from .sqlite import WRITER_BUSY_S, SqliteFile
from .store import SqlStore, Store
from .sums import Summing

logger = logging.getLogger("pointsman.record")

MAX_FLUSH_MS = 500
WINDOW_S = 0.5
"""What was written longer ago than this is on disk, as long as the disk takes it: kill -9 loses at most so much."""

MAX_QUEUED = 20_000
MAX_QUEUED_BYTES = 128 * 1024 * 1024
MAX_SPOOL_BYTES = 1024 * 1024 * 1024
"""About 200,000 records."""
BATCH = 512
"""Entries of one transaction: about 30 ms of work, so the writer never holds the lock, or the interpreter, long."""

CLOSE_TIMEOUT_S = 5.0

READ_WITHIN_S = 0.25
"""How long a request waits for a ledger on a server."""
HURRIED_THREADS = 4
PAGES_WITHIN_S = 10.0
"""How long one query of a page may take on a server."""


class Beside(Protocol):
    """What is done beside writing."""

    def run(self, *, wait: Callable[[float], bool]) -> None:
        """Goes on until `wait`, given the seconds to wait, says that it is over."""


class SqlLedger:
    """A `Ledger` in a database. `write` and `write_feedback` may be called from any thread, without an event loop.

    Open it after forking: neither its thread nor its connections survive a fork.

    Args:
        store: where rows go; used by the writer thread only.
        reader: where they are read back.
        beside: what else the ledger needs done, each in a thread of its own, by name.
        stopping: set once the ledger closes, for those beside it.
        hurried: reads what a request waits for; without one, `reader` does, and takes its time.
        spooling: the store, where it is one with a spool.
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
        beside: Mapping[str, Beside] | None = None,
        stopping: threading.Event | None = None,
        hurried: Reader | None = None,
        spooling: SpoolingStore | None = None,
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
        self._stopping = threading.Event() if stopping is None else stopping
        self._hurried = hurried
        self._readers = None if hurried is None else ThreadPoolExecutor(HURRIED_THREADS, "pointsman-ledger-read")
        self._spooling = spooling
        self._give_up_at_s = float("inf")
        self._queue = EntryQueue(
            max_entries=max_queued, max_bytes=max_queued_bytes, wake_at=BATCH, wake=self._wake.set, clock=clock
        )
        self._flusher = Flusher(self._queue, store, batch=BATCH, flush_s=flush_ms / 1000, store_prompts=store_prompts)
        self._thread = threading.Thread(target=self._write_on, name="pointsman-ledger", daemon=True)
        self._thread.start()
        self._beside: list[threading.Thread] = []
        for name, task in ({} if beside is None else beside).items():
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
        stats = self._queue.stats(failing=self._flusher.failing, window_s=WINDOW_S)
        if self._spooling is None:
            return stats
        away, n_bytes = self._spooling.away, self._spooling.spool.n_bytes
        return replace(
            stats,
            degraded=stats.degraded or away is not None or n_bytes > 0,
            last_error=away if stats.last_error is None else stats.last_error,
            spooled_bytes=n_bytes,
            away=away is not None,
        )

    def flush(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Waits until all that was taken so far is on disk; False when that takes longer than the timeout.

        Where the server of a ledger is away, that is this machine's disk.
        """
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
        if self._readers is not None:
            self._readers.shutdown(wait=False, cancel_futures=True)
        if self._hurried is not None:
            self._hurried.close()

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
            LedgerAway: the server did not answer within 250 ms.
            LedgerError: the database cannot be read.
        """
        if self._readers is None:
            return await asyncio.to_thread(self._decision, request_id)
        # In threads of their own: those that a server keeps waiting are nobody else's.
        found = asyncio.get_running_loop().run_in_executor(self._readers, self._decision, request_id)
        try:
            return await asyncio.wait_for(found, READ_WITHIN_S)
        except TimeoutError:
            raise LedgerAway(f"the ledger did not answer within {1000 * READ_WITHIN_S:.0f} ms; try again") from None

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
        reader = self.reader if self._hurried is None else self._hurried
        found = reader.decision(request_id)
        if found is None and record is not None:
            rows = rows_of(record)
            found = record_json(rows.records[0], rows.attempts, rows.verdicts, reader.feedback(request_id))
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
    spool: Path | None = None,
    max_spool_bytes: int = MAX_SPOOL_BYTES,
    keep_days: int | None = None,
    clock: Clock = time.monotonic,
) -> SqlLedger:
    """The ledger at an address such as "sqlite:///pointsman.db", made when it is not there, migrated when it is older.

    Args:
        spool: folder for what a server does not take; with one, a ledger whose server is away opens all the same. A
            file needs none.
        keep_days: how many days records are kept; None keeps all.

    Raises:
        LedgerError: it cannot be opened, or a newer version of Pointsman made it.
        LedgerAway: its server cannot be reached, and there is no spool.
    """
    database = database_of(url)
    opened = _open_file if isinstance(database, SqliteFile) else _open_server
    return opened(
        database,
        partial(
            SqlLedger,
            store_prompts=store_prompts,
            flush_ms=flush_ms,
            max_queued=max_queued,
            max_queued_bytes=max_queued_bytes,
            clock=clock,
        ),
        spool=None if spool is None else partial(Spool, spool, max_bytes=max_spool_bytes),
        keep_days=keep_days,
    )


def _open_file(
    database: Any, ledger: Callable[..., SqlLedger], *, spool: Callable[[], Spool] | None, keep_days: int | None
) -> SqlLedger:
    prepare_database(database)
    store = SqlStore(database.writing(wait_s=WRITER_BUSY_S))
    with database.faults("write"):
        store.warm_up()
    beside: dict[str, Beside] = {
        "log": Checkpointer(database.writing(wait_s=WRITER_BUSY_S), database.path),
        "sums": Summing(database.writing(wait_s=WRITER_BUSY_S)),
    }
    if keep_days is not None:
        beside["keep"] = Keeper(database, keep_days=keep_days)
    return ledger(store=store, reader=Reader(database, database.reading()), beside=beside)


def _open_server(
    database: Any, ledger: Callable[..., SqlLedger], *, spool: Callable[[], Spool] | None, keep_days: int | None
) -> SqlLedger:
    from .copying import PostgresStore
    from .parts import Merging
    from .postgresql import WRITER_WAIT_S, WRITER_WITHIN_S

    away: str | None = None
    try:
        prepare_database(database)
    except LedgerAway as error:
        if spool is None:
            raise
        away = error.message
        logger.warning("%s", away)
    store: Store = PostgresStore(database.writing(wait_s=WRITER_WAIT_S, within_s=WRITER_WITHIN_S))
    stopping, spooling = threading.Event(), None
    beside: dict[str, Beside] = {
        "sums": Merging(database.writing(wait_s=1.0, within_s=PAGES_WITHIN_S)),
        "keep": Keeper(database, keep_days=keep_days),
    }
    if spool is not None:
        folder = spool()
        if away is None and folder.n_bytes:
            # Until it is there what an earlier process left behind counts as missing, and budgets may depend on it.
            away = "the spool is not empty"
        store = spooling = SpoolingStore(store, folder, away=away)
        beside["spool"] = Replayer(
            spooling,
            PostgresStore(database.writing(wait_s=1.0, within_s=PAGES_WITHIN_S)),
            prepare=partial(prepare_database, database),
            stopping=stopping.is_set,
        )
    return ledger(
        store=store,
        reader=Reader(database, database.reading(within_s=PAGES_WITHIN_S)),
        hurried=Reader(database, database.reading(wait_s=READ_WITHIN_S, within_s=READ_WITHIN_S)),
        beside=beside,
        stopping=stopping,
        spooling=spooling,
    )


def prepare(url: str) -> tuple[Database, str | None]:
    """Makes the database when it is not there and migrates it; returns it and which schema it had before.

    Raises:
        LedgerError: as `open_ledger`.
    """
    database = database_of(url)
    return database, prepare_database(database)


def prepare_database(database: Database) -> str | None:
    """As `prepare`, for a database; returns which schema it had before."""
    database.make()
    engine = database.migrating()
    try:
        before = upgrade(engine, database)
        if engine.dialect.name == "postgresql":
            from .months import ahead, make

            with database.faults("make the months of"):
                make(engine, ahead(datetime.now(UTC)))
        return before
    finally:
        engine.dispose()
