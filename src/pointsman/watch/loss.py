"""How much worse than the strong tier's are the answers that were served? A bound that holds however often one looks.

A gambler bets, comparison after comparison, that the loss is above m. He begins with 1, and a stake λ on each
comparison multiplies his capital by 1 + λ (x - m), never below 0. If the expected loss is at most m each time, whatever
came before, the capital is a nonnegative supermartingale, and by Ville's inequality it ever reaches 1/level with a
chance of at most `level`. So the losses m at which it has reached that are ruled out, at all times together
(I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86(1), 2024, arXiv
2010.09686, sections 4 and 5).

Two mixtures of such gamblers, which again are supermartingales, stand for what is not known ahead: the stake, over
powers of two; and since when the loss is higher, over gamblers who join at every 100th comparison with 1/2, 1/6, 1/12 …
of the money. Without the latter, a long good time would have to be outweighed before a bad one is seen.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float: TypeAlias = NDArray[np.float64]

JOIN_EVERY: Final = 100
MAX_JOINED: Final = 200
"""Gamblers; a bad time that begins after 20,000 comparisons is looked at from there."""
STAKES: Final = 2.0 ** -np.arange(1, 10)
"""As shares of the boldest stake, at which one comparison could cost everything."""
TOLERANCE: Final = 1e-4
"""To which the bound is worked out; it is rounded down."""


class LossBound:
    """Bounds on the mean of losses in {-1, 0, 1}, one at a time.

    A loss is 1 where the strong answer was better, -1 where the served one was, 0 for a tie.

    Args:
        level: the chance, in (0, 1), that the lower bound is ever above the true loss; the same for the upper one.

    Attributes:
        n: how many losses were seen.
    """

    def __init__(self, level: float) -> None:
        self.level = level
        self.n = 0
        self._counts = np.zeros(3, dtype=np.int64)
        """Of -1, 0 and 1."""
        self._bounds_at, self._bounds = 0, (-1.0, 1.0)
        self._at_joining: list[NDArray[np.int64]] = [self._counts.copy()]

    def add(self, loss: int) -> None:
        """Takes one loss."""
        if self.n and self.n % JOIN_EVERY == 0 and len(self._at_joining) < MAX_JOINED:
            self._at_joining.append(self._counts.copy())
        self._counts[loss + 1] += 1
        self.n += 1

    @property
    def mean(self) -> float:
        """The mean loss; NaN when there is none."""
        return float(self._counts[2] - self._counts[0]) / self.n if self.n else float("nan")

    def is_above(self, loss: float) -> bool:
        """True when the true loss has been shown to be above this one."""
        return self._log_capital(loss, self._since_joining()) >= -math.log(self.level)

    @property
    def lower(self) -> float:
        """The greatest loss that is ruled out as too small; -1 while none is."""
        return self._both()[0]

    @property
    def upper(self) -> float:
        """The least loss that is ruled out as too great; 1 while none is."""
        return self._both()[1]

    def _both(self) -> tuple[float, float]:
        """Worked out once for each number of losses: it takes milliseconds, and metrics ask again and again."""
        if self._bounds_at != self.n:
            since = self._since_joining()
            self._bounds = self._bound(since), -self._bound(since[:, ::-1])
            self._bounds_at = self.n
        return self._bounds

    def _since_joining(self) -> NDArray[np.int64]:
        return self._counts - np.stack(self._at_joining)

    def _bound(self, counts: NDArray[np.int64]) -> float:
        """By bisection: the capital falls as m rises."""
        goal = -math.log(self.level)
        steps = range(round(2.0 / TOLERANCE))
        first_kept = bisect_left(steps, True, lo=1, key=lambda k: self._log_capital(k * TOLERANCE - 1.0, counts) < goal)
        return -1.0 if first_kept <= 1 else (first_kept - 1) * TOLERANCE - 1.0

    def _log_capital(self, m: float, counts: NDArray[np.int64]) -> float:
        """The logarithm of what all gamblers have together. Every factor falls as m rises, so the whole does."""
        if m >= 1.0:
            return float("-inf")
        m = max(m, -1.0 + TOLERANCE)
        won = np.array([-1.0, 0.0, 1.0]) - m
        # Shape (stakes, 3): what one comparison multiplies the capital by.
        factors = np.log1p(STAKES[:, None] * won / (1.0 + m))
        by_stake = counts @ factors.T
        highest = by_stake.max(axis=1, keepdims=True)
        by_gambler = highest[:, 0] + np.log(np.exp(by_stake - highest).mean(axis=1))
        k = np.arange(1, len(counts) + 1)
        weighed = by_gambler - np.log(k * (k + 1.0))
        # Those who have not joined still hold their part: the sum of 1 / (k (k + 1)) from here on.
        waiting = -np.log(len(counts) + 1.0)
        return float(np.logaddexp.reduce(np.append(weighed, waiting)))
