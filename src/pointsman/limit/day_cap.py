"""A cap on what a day may cost that is never passed: the most a job can cost is set aside before it begins."""

from __future__ import annotations

from datetime import datetime

from .window import Window, window_start


class DayCap:
    """USD spent in the day, UTC, and set aside for jobs under way.

    Unlike a caller's budget it lets nothing begin that could cost more than is left: these jobs can be left out.

    Args:
        spent_usd: what was spent in the day of `now` before the process began.
    """

    def __init__(self, *, spent_usd: float, now: datetime) -> None:
        self._day = window_start(Window.DAY, now)
        self._spent_usd = spent_usd
        self._held_usd = 0.0
        self._n_held = 0

    def spent_usd(self, now: datetime) -> float:
        """What was spent in the day of this moment."""
        self._roll(now)
        return self._spent_usd

    def hold(self, most_usd: float, cap_usd: float, now: datetime) -> bool:
        """Sets so much aside; False, and nothing is set aside, when the cap could be passed."""
        self._roll(now)
        if self._spent_usd + self._held_usd + most_usd > cap_usd:
            return False
        self._held_usd += most_usd
        self._n_held += 1
        return True

    def settle(self, held_usd: float, spent_usd: float, now: datetime) -> None:
        """Ends a job: what was set aside is free again, what it cost is counted to the day in which it ended."""
        self._roll(now)
        self._n_held -= 1
        self._held_usd = 0.0 if self._n_held == 0 else max(0.0, self._held_usd - held_usd)
        self._spent_usd += spent_usd

    def _roll(self, now: datetime) -> None:
        """Begins a new day. A clock that is set back changes nothing: the money is spent."""
        day = window_start(Window.DAY, now)
        if day > self._day:
            self._day = day
            self._spent_usd = 0.0
