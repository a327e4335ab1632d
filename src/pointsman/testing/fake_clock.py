"""A clock that moves only when told to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Monotonic and wall time together. Call it for monotonic seconds; `now` gives UTC.

    Args:
        start: the wall time at the beginning.
        monotonic_s: the monotonic time at the beginning, in seconds.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC), *, monotonic_s: float = 1000.0) -> None:
        self._wall = start
        self._monotonic_s = monotonic_s

    def __call__(self) -> float:
        """Monotonic seconds."""
        return self._monotonic_s

    def now(self) -> datetime:
        """The wall time, UTC."""
        return self._wall

    def advance(self, seconds: float) -> None:
        """Moves both forward.

        Raises:
            ValueError: `seconds` is negative; `jump_wall` sets the wall clock back.
        """
        if seconds < 0:
            raise ValueError("monotonic time does not go back")
        self._monotonic_s += seconds
        self._wall += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Moves both forward, in place of waiting; other tasks get their turn."""
        self.advance(seconds)
        await asyncio.sleep(0)

    def jump_wall(self, seconds: float) -> None:
        """Moves only the wall clock, in either direction, as an administrator or a time server does."""
        self._wall += timedelta(seconds=seconds)
