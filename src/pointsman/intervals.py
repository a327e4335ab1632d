"""The interval of a rate, in one place for every stage that tells one."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


def wilson(rate: float, n: int) -> tuple[float, float]:
    """The 95 % score interval of a rate over n trials, both ends in [0, 1]; (0, 1) when n is 0.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927). For a mean of
    scores between 0 and 1 it is conservative: no distribution on [0, 1] with this mean varies more than the one with
    all its mass on the ends. Rates outside 0 to 1 are taken as the nearer end.
    """
    if n == 0:
        return 0.0, 1.0
    p, z2 = min(1.0, max(0.0, rate)), Z_95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Share:
    """k of n with its 95 % interval; `k` may be a sum of scores in [0, 1]."""

    k: float
    n: int

    @property
    def value(self) -> float:
        """The share; NaN when n is 0."""
        return self.k / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound; (0, 1) when n is 0."""
        return wilson(self.k / self.n, self.n) if self.n else (0.0, 1.0)

    def __str__(self) -> str:
        if self.n == 0:
            return "none"
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}]"
