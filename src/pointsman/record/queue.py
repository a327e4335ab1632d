"""What waits to be written: bounded in entries and in bytes, filled from any thread, emptied by one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from pointsman.vocabulary import Clock, Feedback, Record, ShadowLabel, WatchEvent

Entry: TypeAlias = Record | Feedback | ShadowLabel | WatchEvent

_ENTRY_BYTES = 4096
"""What a record with its decision takes in memory, about; its prompt and answer come on top."""


@dataclass(frozen=True, slots=True)
class LedgerStats:
    """How the ledger is doing, for metrics and health.

    Attributes:
        n_queued: entries that wait to be written.
        queued_bytes: what they take in memory, about.
        n_written: entries written since opening.
        n_dropped: entries lost since opening: the queue was full, the ledger closed, or the database refused them.
        lag_s: the age of the oldest waiting entry, in seconds; 0 when none waits.
        degraded: True when writing fails at the moment, or lags behind the documented window.
        last_error: why the last failed write failed, without any of the data; None when the last one went well.
        spooled_bytes: what waits on this machine's disk for a server that is or was away; 0 without a spool.
        away: True while the ledger's server is away.
    """

    n_queued: int
    queued_bytes: int
    n_written: int
    n_dropped: int
    lag_s: float
    degraded: bool
    last_error: str | None
    spooled_bytes: int = 0
    away: bool = False


class EntryQueue:
    """First in, first out. An entry stays inside until it is confirmed as written, so that a failed write loses none.

    Args:
        max_entries: the most that may wait.
        max_bytes: the most memory that they may take, about.
        wake_at: how many waiting entries call `wake`, for a writer that should not sleep on.
    """

    def __init__(
        self, *, max_entries: int, max_bytes: int, wake_at: int, wake: Callable[[], None], clock: Clock
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._wake_at = wake_at
        self._wake = wake
        self._clock = clock
        self._changed = threading.Condition(threading.Lock())
        self._entries: deque[tuple[Entry, int, float]] = deque()
        self._bytes = 0
        self._closed = False
        self._abandoned = False
        self._n_put = 0
        self._n_gone = 0
        self._n_written = 0
        self._n_dropped = 0

    def put(self, entry: Entry) -> bool:
        """Takes the entry; False, and one more dropped, when there is no room or the queue is closed."""
        n_bytes = _ENTRY_BYTES
        if isinstance(entry, Record):
            if entry.prompt_json is not None:
                n_bytes += len(entry.prompt_json)
            if entry.answer_text is not None:
                n_bytes += 4 * len(entry.answer_text)
        elif isinstance(entry, ShadowLabel) and entry.strong_answer is not None:
            n_bytes += 4 * len(entry.strong_answer)
        with self._changed:
            n_entries = len(self._entries) + 1
            if n_entries > self._max_entries or self._bytes + n_bytes > self._max_bytes or self._closed:
                self._n_dropped += 1
                return False
            self._entries.append((entry, n_bytes, self._clock()))
            self._bytes += n_bytes
            self._n_put += 1
        if n_entries == self._wake_at:
            self._wake()
        return True

    def __len__(self) -> int:
        return len(self._entries)

    def peek(self, n: int) -> list[Entry]:
        """The oldest `n` entries, or as many as there are; they stay."""
        with self._changed:
            return [entry for entry, _, _ in islice(self._entries, n)]

    def confirm(self, n_written: int, *, n_refused: int = 0) -> None:
        """Removes the oldest entries: so many were written, and so many will never be."""
        with self._changed:
            if self._abandoned:
                return
            for _ in range(n_written + n_refused):
                _, n_bytes, _ = self._entries.popleft()
                self._bytes -= n_bytes
            self._n_gone += n_written + n_refused
            self._n_written += n_written
            self._n_dropped += n_refused
            self._changed.notify_all()

    def age_s(self) -> float:
        """How long the oldest entry has waited, in seconds; 0 when none waits."""
        with self._changed:
            return self._age_s()

    def waiting(self) -> list[Entry]:
        """All that waits, oldest first."""
        with self._changed:
            return [entry for entry, _, _ in self._entries]

    def wait_written(self, timeout_s: float) -> bool:
        """Waits until everything put in so far is gone; False when that takes longer."""
        with self._changed:
            mark = self._n_put
            return self._changed.wait_for(lambda: self._n_gone >= mark, timeout_s)

    def close(self) -> None:
        """Takes nothing more."""
        with self._changed:
            self._closed = True

    def abandon(self) -> int:
        """Drops all that waits, for good; returns how many that were. A write still under way counts as dropped."""
        with self._changed:
            self._abandoned = True
            n = len(self._entries)
            self._entries.clear()
            self._bytes = 0
            self._n_gone += n
            self._n_dropped += n
            self._changed.notify_all()
            return n

    def stats(self, *, failing: str | None, window_s: float) -> LedgerStats:
        """The figures now. `failing` is why the last write failed; a lag beyond `window_s` counts as degraded."""
        with self._changed:
            lag_s = self._age_s()
            return LedgerStats(
                n_queued=len(self._entries),
                queued_bytes=self._bytes,
                n_written=self._n_written,
                n_dropped=self._n_dropped,
                lag_s=lag_s,
                degraded=failing is not None or lag_s > window_s,
                last_error=failing,
            )

    def _age_s(self) -> float:
        return max(0.0, self._clock() - self._entries[0][2]) if self._entries else 0.0
