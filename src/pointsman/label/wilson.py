"""A share with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Share:
    """k of n, with the 95 % interval of E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical
    Inference", JASA 22 (1927). `k` may be a sum of scores in [0, 1]: their variance is at most that of a yes or no, so
    the interval is then wider than needed."""

    k: float
    n: int

    @property
    def value(self) -> float:
        """The share; NaN when n is 0."""
        return self.k / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound; (0, 1) when n is 0."""
        if self.n == 0:
            return 0.0, 1.0
        n, p, z2 = self.n, self.k / self.n, Z_95**2
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = Z_95 / (1 + z2 / n) * math.sqrt(max(0.0, p * (1 - p) / n + z2 / (4 * n * n)))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        if self.n == 0:
            return "none"
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}]"
