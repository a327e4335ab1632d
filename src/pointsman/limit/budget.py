"""Money per day and per month: set aside before a call, counted after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pointsman.errors import BudgetSpent, RateLimited

from .window import Window, window_end, window_start

HELD_RETRY_S = 1.0
"""Requests under way end any moment, and what they had set aside is then free again."""

_WINDOWS = tuple(Window)


class Purse:
    """What was spent in this day and this month (UTC), and what is set aside for requests under way.

    Args:
        whose: for messages, such as "the budget of this key".
    """

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self._held_usd = 0.0
        self._n_held = 0
        self._spent_usd: dict[Window, float] = dict.fromkeys(Window, 0.0)
        self._start: dict[Window, datetime] = {}
        self._day_ends: datetime | None = None

    def spent_usd(self, window: Window, now: datetime) -> float:
        """What was spent in the window of this moment."""
        self._roll(now)
        return self._spent_usd[window]

    def check(self, budget: Mapping[Window, float], now: datetime) -> None:
        """Nothing, when something is left of every budget.

        Raises:
            BudgetSpent: one has nothing left.
        """
        self._roll(now)
        for window, limit_usd in budget.items():
            if self._spent_usd[window] >= limit_usd:
                raise self.nothing_left(window, limit_usd, now)

    def hold(self, most_usd: float, budget: Mapping[Window, float], now: datetime) -> None:
        """Sets so much aside.

        A request that is alone may begin as long as anything is left, though it could cost more: else the rest of a
        budget could never be used. So a budget is overspent by one request at most.

        Raises:
            BudgetSpent: a budget has nothing left.
            RateLimited: what is left is set aside for others.
        """
        self.check(budget, now)
        for window, limit_usd in budget.items():
            if self._n_held > 0 and self._spent_usd[window] + self._held_usd + most_usd > limit_usd:
                raise self.rest_is_held(window, limit_usd)
        self.set_aside(most_usd)

    def set_aside(self, usd: float) -> None:
        """Sets so much aside without asking: somebody has asked who counts for more than this process."""
        self._held_usd += usd
        self._n_held += 1

    def free(self, held_usd: float) -> None:
        """Undoes one `hold` of so much."""
        self._n_held -= 1
        # With nothing held the sum is exactly 0 again, whatever rounding left behind.
        self._held_usd = 0.0 if self._n_held == 0 else max(0.0, self._held_usd - held_usd)

    def spend(self, usd: float, now: datetime) -> None:
        """Counts what was spent."""
        self._roll(now)
        for window in _WINDOWS:
            self._spent_usd[window] += usd

    def restore(self, window: Window, usd: float, now: datetime) -> None:
        """Adds what was spent in the window of this moment before the process began."""
        self._roll(now)
        self._spent_usd[window] += usd

    def surely_pays(self, most_usd: float, window: Window, limit_usd: float, now: datetime) -> bool:
        """True when so much can be spent beside what is set aside without passing this limit; `hold` asks for less."""
        self._roll(now)
        return self._spent_usd[window] + self._held_usd + most_usd < limit_usd

    def learn(self, window: Window, usd: float, now: datetime) -> None:
        """Takes over that at least so much was spent in the window of this moment; less than known changes nothing."""
        self._roll(now)
        self._spent_usd[window] = max(self._spent_usd[window], usd)

    def rest_is_held(self, window: Window, limit_usd: float) -> RateLimited:
        """The error of a budget whose rest is set aside for others."""
        return RateLimited(
            f"what is left of {self._whose} of {limit_usd:g} USD per {window} is set aside for requests under "
            "way; a lower limit of output tokens sets less aside",
            retry_after_s=HELD_RETRY_S,
        )

    def nothing_left(self, window: Window, limit_usd: float, now: datetime) -> BudgetSpent:
        """The error of a budget that has nothing left."""
        end = window_end(window, now)
        return BudgetSpent(
            f"{self._whose} of {limit_usd:g} USD per {window} is spent; it begins anew at {end:%Y-%m-%d %H:%M} UTC",
            retry_after_s=max(1.0, (end - now).total_seconds()),
        )

    def _roll(self, now: datetime) -> None:
        """Begins a new window. A clock that is set back changes nothing: the money is spent."""
        if self._day_ends is not None and now < self._day_ends:
            return
        self._day_ends = window_end(Window.DAY, now)
        for window in _WINDOWS:
            start = window_start(window, now)
            known = self._start.get(window)
            if known is None or start > known:
                self._start[window] = start
                if known is not None:
                    self._spent_usd[window] = 0.0
