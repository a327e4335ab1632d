"""A ledger in memory: what was recorded can be looked at, and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from dataclasses import asdict

from pointsman.vocabulary import Feedback, JSONObject, Record, ShadowLabel, WatchEvent


class MemoryLedger:
    """Keeps every record and every feedback in a list.

    Attributes:
        records: in the order in which the requests ended.
        feedback: in the order of arrival.
        watch_events: what happened to policies that are watched.
        shadows: what comparisons with the strong tier said, in the order in which they ended.
        closed: True once `aclose` was called.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.feedback: list[Feedback] = []
        self.shadows: list[ShadowLabel] = []
        self.watch_events: list[WatchEvent] = []
        self.closed = False
        self._arrived = asyncio.Event()

    def write(self, record: Record) -> None:
        """Keeps the record."""
        self.records.append(record)
        self._arrived.set()

    def write_feedback(self, feedback: Feedback) -> None:
        """Keeps the feedback."""
        self.feedback.append(feedback)

    def write_shadow(self, label: ShadowLabel) -> None:
        """Keeps the label."""
        self.shadows.append(label)
        self._arrived.set()

    def write_watch(self, event: WatchEvent) -> None:
        """Keeps the event."""
        self.watch_events.append(event)

    async def decision(self, request_id: str) -> JSONObject | None:
        """The record of that id with its feedback, None when there is none."""
        for record in self.records:
            if record.request_id == request_id:
                said = [asdict(each) for each in self.feedback if each.request_id == request_id]
                out = asdict(record) | {"saved_usd": record.saved_usd, "feedback": said}
                out.pop("prompt_json")
                return out
        return None

    async def wait_records(self, n: int = 1, *, within_s: float = 10.0) -> list[Record]:
        """The records, once there are so many.

        Raises:
            TimeoutError: there are not, within the time.
        """
        await self._wait(self.records, n, within_s)
        return self.records

    async def wait_shadows(self, n: int = 1, *, within_s: float = 10.0) -> list[ShadowLabel]:
        """The labels of comparisons, once there are so many.

        Raises:
            TimeoutError: there are not, within the time.
        """
        await self._wait(self.shadows, n, within_s)
        return self.shadows

    async def _wait(self, held: Sized, n: int, within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while len(held) < n:
                self._arrived.clear()
                await self._arrived.wait()

    async def aclose(self) -> None:
        """Marks the ledger as closed."""
        self.closed = True
