"""Writing to a server that may be away: what it does not take at once goes to the spool, and from there to it later."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pointsman.errors import LedgerError
from pointsman.vocabulary import Clock

from .rows import Rows
from .spool import Spool
from .store import CannotWriteNow, RowRefused, Store

logger = logging.getLogger("pointsman.record")

GROUP_BYTES = 8 * 1024 * 1024
"""Batches of the spool that are written in one transaction take so much, about, or are one."""
QUICK_S = 0.5
"""A server that takes longer for next to nothing is given the spool's records, but the writer does not wait for it."""
LOOK_S = 0.5
"""How often is looked whether anything is in the spool."""
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
"""A server that comes back is noticed within about this time."""


class TriedStore(Store, Protocol):
    """A store that can be tried without a row."""

    def try_writing(self) -> None:
        """Nothing, when a transaction that writes can be committed.

        Raises:
            CannotWriteNow: it cannot.
        """


class SpoolingStore:
    """A `Store` that takes what its server does not.

    From the first failure on nothing waits for the server any more; `Replayer` finds out when it is back.

    Args:
        store: on the server.
        spool: on this machine.
        away: why the server is away from the beginning; None when it is not.

    Attributes:
        away: why the server is away; None while it is not.
    """

    def __init__(self, store: Store, spool: Spool, *, away: str | None = None) -> None:
        self._store = store
        self.spool = spool
        self.away = away

    def write(self, rows: Rows) -> None:
        """As `Store.write`."""
        if self.away is None:
            try:
                self._store.write(rows)
                return
            except CannotWriteNow as error:
                # Before the batch is in the spool: who finds the server back looks there.
                self.away = str(error)
                logger.warning("the ledger's server is away, records go to the spool: %s", error)
        self.spool.add(rows)

    def close(self) -> None:
        """As `Store.close`."""
        self._store.close()


class Replayer:
    """Moves the spool to the server, in a thread of its own, and finds out when the server is back.

    Args:
        spooling: whose spool and server.
        store: on the same server, with time; used by this thread only.
        prepare: brings the database to this version's schema; called until it has succeeded once.
        stopping: True once the ledger closes.
    """

    def __init__(
        self,
        spooling: SpoolingStore,
        store: TriedStore,
        *,
        prepare: Callable[[], object],
        stopping: Callable[[], bool] = lambda: False,
        uniform: Callable[[float, float], float] = random.uniform,
        clock: Clock = time.monotonic,
    ) -> None:
        self._spooling = spooling
        self._store = store
        self._prepare = prepare
        self._prepared = spooling.away is None
        self._stopping = stopping
        self._uniform = uniform
        self._clock = clock
        self._pause_s = FIRST_PAUSE_S
        self.n_refused = 0

    def step(self) -> float:
        """Moves what is there; returns how many seconds to wait before the next step."""
        spooling = self._spooling
        try:
            files = spooling.spool.files()
            if spooling.away is None and not files:
                return LOOK_S
            if not self._prepared:
                self._prepare()
                self._prepared = True
            started_s = self._clock()
            self._store.try_writing()
            quick = self._clock() - started_s < QUICK_S
            self._replay(files)
        except (CannotWriteNow, LedgerError) as error:
            logger.debug("the ledger's server is still away: %s", error)
            pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
            # Replicas that lost it together should not come back together.
            return self._uniform(0.5, 1.0) * pause_s
        self._pause_s = FIRST_PAUSE_S
        if spooling.away is not None and quick:
            logger.warning("the ledger's server is back")
            spooling.away = None
        return 0.0 if quick else LOOK_S

    def run(self, *, wait: Callable[[float], bool]) -> None:
        """Steps until `wait`, given the seconds to wait, says that it is over."""
        pause_s = 0.0
        while not wait(pause_s):
            try:
                pause_s = self.step()
            except Exception:  # an edge: moving goes on whatever goes wrong in one step
                logger.exception("the ledger's spool met something unforeseen and goes on")
                pause_s = LONGEST_PAUSE_S
        self._store.close()

    def _replay(self, files: list[Path]) -> None:
        """Writes batches, several in one transaction: a server that is slow or far counts transactions, not rows."""
        spool, together, taken, n_bytes = self._spooling.spool, Rows(), [], 0
        for place, file in enumerate(files):
            if self._stopping():
                return
            rows, size = spool.read(file)
            if rows is not None:
                together.extend(rows)
                taken.append(file)
                n_bytes += size
            if taken and (n_bytes >= GROUP_BYTES or place == len(files) - 1):
                self._write(together)
                for each in taken:
                    spool.remove(each)
                together, taken, n_bytes = Rows(), [], 0

    def _write(self, rows: Rows) -> None:
        try:
            self._store.write(rows)
        except RowRefused:
            for one in rows.one_by_one():
                try:
                    self._store.write(one)
                except RowRefused as error:
                    self.n_refused += 1
                    logger.error("the ledger dropped an entry that the database refuses: %s", error)
