"""Moves what waits into the store, batch by batch; tries again, ever less often, while the store cannot write."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pointsman.vocabulary import Record, ShadowLabel, WatchEvent

from .queue import Entry, EntryQueue
from .rows import Rows, feedback_rows, rows_of, shadow_rows, watch_rows
from .store import CannotWriteNow, RowRefused, Store

logger = logging.getLogger("pointsman.record")

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""A database that comes back is noticed within this time."""


class Flusher:
    """One step writes one batch. It never waits itself: a step returns how long to wait before the next.

    Args:
        batch: the most entries of one transaction.
        flush_s: how long an entry may take from being queued to being written, in seconds.
        store_prompts: whether prompts and answers are written too.

    Attributes:
        failing: why the last write failed; None when it went well.
    """

    def __init__(self, queue: EntryQueue, store: Store, *, batch: int, flush_s: float, store_prompts: bool) -> None:
        self._queue = queue
        self._store = store
        self._batch = batch
        # Half the time is for gathering a batch, half for a loaded machine to write it.
        self._gather_s = flush_s / 2
        self._store_prompts = store_prompts
        self._pause_s = FIRST_PAUSE_S
        self._prepared: list[Rows | None] = []
        self.failing: str | None = None

    def step(self) -> float:
        """Writes the oldest entries, if any; returns how many seconds to wait before the next step.

        A batch that failed is kept as it is, so that it is made into rows only once.
        """
        if not self._prepared:
            self._prepared = [self._rows(entry) for entry in self._queue.peek(self._batch)]
            if not self._prepared:
                return self._gather_s
        try:
            self._write()
        except CannotWriteNow as error:
            return self._failed(str(error))
        if self.failing is not None:
            logger.warning("the ledger writes again")
        self.failing = None
        self._pause_s = FIRST_PAUSE_S
        return 0.0 if len(self._queue) >= self._batch else max(0.0, self._gather_s - self._queue.age_s())

    def run(
        self, *, wait: Callable[[float], object], stopping: Callable[[], bool], patient: Callable[[], bool]
    ) -> None:
        """Steps until told to stop and everything is written, or patience has run out; then gives the store back.

        Args:
            wait: waits so many seconds, or less when woken.
            stopping: True once no more entries come.
            patient: False once a stopping writer shall give up on a store that does not write.
        """
        while True:
            try:
                pause_s = self.step()
            except Exception as error:  # an edge: the writer outlives whatever goes wrong in one step
                logger.exception("the ledger's writer met something unforeseen and goes on")
                pause_s = self._failed(type(error).__name__)
            if stopping():
                if not len(self._queue) or not patient():
                    break
                if self.failing is None:
                    continue
            if pause_s > 0:
                wait(pause_s)
        self._store.close()

    def _failed(self, why: str) -> float:
        if self.failing is None:
            logger.warning("the ledger cannot write and will try again: %s", why)
        self.failing = why
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s

    def _write(self) -> None:
        """The prepared batch in one transaction; with a refused row inside, entry by entry, so that only it is lost."""
        together = Rows()
        for rows in self._prepared:
            if rows is not None:
                together.extend(rows)
        try:
            self._store.write(together)
        except RowRefused:
            self._write_one_by_one()
            return
        n_refused = self._prepared.count(None)
        n_written, self._prepared = len(self._prepared) - n_refused, []
        self._queue.confirm(n_written, n_refused=n_refused)

    def _write_one_by_one(self) -> None:
        while self._prepared:
            rows = self._prepared[0]
            n_written = 1
            try:
                if rows is None:
                    n_written = 0
                else:
                    self._store.write(rows)
            except RowRefused as error:
                logger.error("the ledger dropped an entry that the database refuses: %s", error)
                n_written = 0
            self._queue.confirm(n_written, n_refused=1 - n_written)
            del self._prepared[0]

    def _rows(self, entry: Entry) -> Rows | None:
        """The entry's rows; None when it has none, since it holds what its type does not allow."""
        try:
            if isinstance(entry, Record):
                return rows_of(entry, store_prompts=self._store_prompts)
            if isinstance(entry, ShadowLabel):
                return shadow_rows(entry, store_prompts=self._store_prompts)
            if isinstance(entry, WatchEvent):
                return watch_rows(entry)
            return feedback_rows(entry)
        except (TypeError, ValueError, AttributeError) as error:
            logger.error("the ledger dropped an entry of the wrong shape: %s", type(error).__name__)
            return None
