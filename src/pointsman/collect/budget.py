"""Money: what is spent, what calls under way may still cost, and whether one more fits."""

from __future__ import annotations

import asyncio


class Budget:
    """A limit that is never passed: a call's highest cost is reserved before it is sent, and settled after.

    Args:
        limit_usd: None means no limit; then nothing is ever refused.
        spent_usd: what was spent before, by known answers.
        lost_usd: the highest cost of earlier calls that may have been paid for though no answer of theirs was kept.
    """

    def __init__(self, limit_usd: float | None, *, spent_usd: float = 0.0, lost_usd: float = 0.0) -> None:
        self.limit_usd = limit_usd
        self.spent_usd = spent_usd
        self.lost_usd = lost_usd
        self.reserved_usd = 0.0
        self._changed = asyncio.Condition()

    @property
    def left_usd(self) -> float | None:
        """What may still be reserved, at least 0; None without a limit."""
        if self.limit_usd is None:
            return None
        return max(0.0, self.limit_usd - self.spent_usd - self.lost_usd - self.reserved_usd)

    async def reserve(self, max_usd: float | None) -> bool:
        """Sets `max_usd` aside; waits while calls under way may yet turn out cheap enough, False when none is.

        `max_usd` None (not known) fits only where there is no limit.
        """
        if self.limit_usd is None:
            self.reserved_usd += 0.0 if max_usd is None else max_usd
            return True
        if max_usd is None:
            return False
        async with self._changed:
            while True:
                # A hair above the limit is rounding: 5 × 0.1 is more than 0.5 in binary fractions.
                if self.spent_usd + self.lost_usd + self.reserved_usd + max_usd <= self.limit_usd + 1e-12:
                    self.reserved_usd += max_usd
                    return True
                if self.reserved_usd <= 1e-12:
                    return False
                await self._changed.wait()

    async def settle(self, reserved_usd: float | None, *, cost_usd: float = 0.0, lost_usd: float = 0.0) -> None:
        """Gives a reservation back and books what it came to."""
        async with self._changed:
            self.reserved_usd -= 0.0 if reserved_usd is None else reserved_usd
            self.spent_usd += cost_usd
            self.lost_usd += lost_usd
            self._changed.notify_all()
