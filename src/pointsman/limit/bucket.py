"""A token bucket: so much a minute, with one minute's worth at once."""

from __future__ import annotations

import math

from pointsman.vocabulary import Allowance

MINUTE_S = 60.0


class TokenBucket:
    """Fills evenly, up to one minute's worth; may be overdrawn by what turned out to be more than was thought.

    Args:
        per_min: what flows in each minute, and the most that it holds.
        now_s: monotonic seconds; the bucket begins full.
    """

    def __init__(self, per_min: int, now_s: float) -> None:
        self._per_min = per_min
        self._level = float(per_min)
        self._at_s = now_s

    def wait_s(self, amount: float, now_s: float) -> float:
        """How long until `amount` can be taken; 0 when it can now. More than it ever holds waits for a full bucket."""
        lacking = min(amount, float(self._per_min)) - self._filled(now_s)
        # A rounding error of a nanosecond's flow is no reason to turn anybody away.
        return 0.0 if lacking <= 1e-9 * self._per_min else lacking * MINUTE_S / self._per_min

    def take(self, amount: float, now_s: float) -> None:
        """Takes so much, below 0 if need be; a negative amount is given back."""
        self._level = min(float(self._per_min), self._filled(now_s) - amount)

    def missing(self, now_s: float) -> float:
        """What is gone and has not flowed back."""
        return self._per_min - self._filled(now_s)

    def set_missing(self, amount: float, now_s: float) -> None:
        """Goes on with so much gone, as somebody knows who counts for more than this process."""
        self._level, self._at_s = self._per_min - amount, now_s

    def change(self, per_min: int, now_s: float) -> None:
        """Goes on with another rate; what was taken stays taken."""
        if per_min != self._per_min:
            taken = self._per_min - self._filled(now_s)
            self._per_min = per_min
            self._level = per_min - taken

    def allowance(self, now_s: float) -> Allowance:
        """What is left."""
        level = self._filled(now_s)
        full_in_s = (self._per_min - level) * MINUTE_S / self._per_min
        return Allowance(self._per_min, max(0, math.floor(level + 1e-9)), max(0.0, full_in_s))

    def is_full(self, now_s: float) -> bool:
        """True when nothing is missing, so that a new bucket would be the same."""
        return self._filled(now_s) >= self._per_min

    def _filled(self, now_s: float) -> float:
        if now_s > self._at_s:
            self._level = min(float(self._per_min), self._level + (now_s - self._at_s) * self._per_min / MINUTE_S)
            self._at_s = now_s
        return self._level
