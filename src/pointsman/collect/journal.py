"""The journal: one line per call, on disk before its answer counts, so that a killed run pays for no answer twice.

Lines are JSON objects:
    {"kind": "begin", "format": 1}
    {"kind": "sent", "key", "max_usd"}                   before every attempt
    {"kind": "done", "key", "response", "cost_usd", …}   an answer; synced to the disk before it counts
    {"kind": "failed", "key", "error", "lost_usd"}       no answer; `lost_usd` is what it may have cost all the same
A key with more "sent" than "done" and "failed" lines was under way when its run was killed.

The window: what `kill -9` hits between an upstream's answer and the sync of its line (a few ms), and what the upstream
was still working on, may be paid for and is not kept; it is called again, with the same idempotency key. That is at
most one call per unit of concurrency. `sent` lines survive a kill (the kernel has them) though not a loss of power.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from pointsman.errors import DataError

from .calls import Done, PlannedCall

FORMAT = 1


@dataclass(slots=True)
class Past:
    """What a journal says of earlier runs."""

    done: dict[str, Done] = field(default_factory=dict)
    """Answers by key."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why the last attempt of a call without an answer failed, by key."""
    unanswered: dict[str, float | None] = field(default_factory=dict)
    """The highest cost of calls that were under way when a run was killed and have no answer yet, by key."""
    lost_usd: float = 0.0
    """The highest cost of attempts without an answer that may have been paid for, killed ones included."""
    n_lost_unpriced: int = 0
    """Such attempts whose highest cost is not known."""
    repaired_bytes: int = 0
    """Length of a torn last line that was cut off."""

    @property
    def spent_usd(self) -> float:
        """What the answers cost, as far as it is known."""
        return sum(done.cost_usd for done in self.done.values() if done.cost_usd is not None)


class Journal:
    """The journal of one folder, held by one process at a time.

    Opening it makes the file, reads it, and cuts a torn last line off. Use as a context.

    Raises (on entering):
        DataError: another process holds it, or it is damaged elsewhere than at its end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.past = Past()
        self._fd = -1
        self._waiting: list[bytes] = []
        self._n_taken = 0
        self._n_synced = 0
        self._syncing = asyncio.Lock()
        self._failure: DataError | None = None

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataError(f"{self.path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise DataError(f"{self.path} is in use by another run; wait for it to end or stop it") from None
        try:
            self.past = self._read()
            if os.fstat(self._fd).st_size == 0:
                self._write([_line({"kind": "begin", "format": FORMAT})])
                _sync_folder(self.path.parent)
        except BaseException:
            os.close(self._fd)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            os.fsync(self._fd)
        os.close(self._fd)

    def fileno(self) -> int:
        """The open file's descriptor."""
        return self._fd

    def sent(self, planned: PlannedCall) -> None:
        """Notes that a call is about to be sent. Not synced: a kill leaves it with the kernel."""
        self._append([_line({"kind": "sent", "key": planned.key, "max_usd": planned.max_usd})])

    async def done(self, answered: Done) -> None:
        """Returns once the answer is on the disk."""
        await self._synced(_line({"kind": "done", **answered.to_json()}))

    async def failed(self, planned: PlannedCall, error: str, *, lost: bool) -> None:
        """Returns once the failure is on the disk; `lost` when it may have been paid for."""
        row = {"kind": "failed", "key": planned.key, "error": error, "lost": lost, "lost_usd": None}
        if lost:
            row["lost_usd"] = planned.max_usd
        await self._synced(_line(row))

    # ------------------------------------------------------------ writing

    async def _synced(self, line: bytes) -> None:
        """Group commit: lines that come while one sync is under way share the next."""
        self._waiting.append(line)
        self._n_taken += 1
        mine = self._n_taken
        async with self._syncing:
            if self._failure is not None:
                # Lines that shared a failed write are not on the disk, though nothing of them waits any more.
                raise self._failure
            if self._n_synced >= mine:
                return
            lines, self._waiting = self._waiting, []
            upto = self._n_taken
            try:
                await asyncio.shield(asyncio.to_thread(self._write, lines))
            except DataError as error:
                self._failure = error
                raise
            self._n_synced = upto

    def _write(self, lines: list[bytes]) -> None:
        self._append(lines)
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._unwritable(error) from error

    def _append(self, lines: list[bytes]) -> None:
        # One write with O_APPEND: lines of two threads never interleave.
        data = b"".join(lines)
        try:
            n = os.write(self._fd, data)
            while n < len(data):
                n += os.write(self._fd, data[n:])
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(f"{self.path} cannot be written: {error.strerror}; answers are not kept, so the run stopped")

    # ------------------------------------------------------------ reading

    def _read(self) -> Past:
        past = Past()
        open_calls: dict[str, list[float | None]] = {}
        with self.path.open("rb") as file:
            end, size = 0, os.fstat(file.fileno()).st_size
            for number, line, start in _lines(file):
                row = _parsed(line)
                if row is None:
                    if start + len(line) < size:
                        raise DataError(f"{self.path}, line {number}: not a journal line; the file was changed")
                    break
                end = start + len(line)
                self._take(past, open_calls, row, number)
        if end < size:
            past.repaired_bytes = size - end
            os.ftruncate(self._fd, end)
            os.fsync(self._fd)
        for key, limits in open_calls.items():
            if key not in past.done:
                past.unanswered[key] = limits[-1]
            for max_usd in limits:
                past.lost_usd += 0.0 if max_usd is None else max_usd
                past.n_lost_unpriced += max_usd is None
        return past

    def _take(self, past: Past, open_calls: dict[str, list[float | None]], row: Mapping[str, Any], number: int) -> None:
        try:
            kind = row["kind"]
            if kind == "begin":
                if row["format"] != FORMAT:
                    raise DataError(f"{self.path} was written by another version (format {row['format']})")
            elif kind == "sent":
                open_calls.setdefault(row["key"], []).append(row["max_usd"])
            elif kind == "done":
                done = Done.from_json(dict(row))
                past.done[done.key] = done
                past.failed.pop(done.key, None)
                _close_one(open_calls, done.key)
            elif kind == "failed":
                past.failed[row["key"]] = row["error"]
                _close_one(open_calls, row["key"])
                if row["lost"]:
                    past.lost_usd += 0.0 if row["lost_usd"] is None else row["lost_usd"]
                    past.n_lost_unpriced += row["lost_usd"] is None
            else:
                raise KeyError(kind)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{self.path}, line {number}: not a journal line; the file was changed") from error


def _close_one(open_calls: dict[str, list[float | None]], key: str) -> None:
    waiting = open_calls.get(key)
    if waiting:
        waiting.pop()
        if not waiting:
            del open_calls[key]


def _lines(file: Any) -> Iterator[tuple[int, bytes, int]]:
    start = 0
    for number, line in enumerate(file, start=1):
        yield number, line, start
        start += len(line)


def _parsed(line: bytes) -> Mapping[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _line(row: Mapping[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _sync_folder(folder: Path) -> None:
    """A new file's name is on the disk only once its folder is."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
