"""The interval of a rate."""

from __future__ import annotations

import math
from typing import Final

from .numbers import Interval

Z_95: Final = 1.959964
"""The normal distribution's 97.5 % point."""


def wilson(rate: float, n: int) -> Interval:
    """The 95 % score interval of a rate over n trials (Wilson 1927, JASA 22:209).

    For a mean of scores between 0 and 1 it is conservative: no distribution on [0, 1] with this mean varies more than
    the one with all its mass on the ends. Rates outside 0 to 1 are taken as the nearer end; n must be above 0.
    """
    p = min(1.0, max(0.0, rate))
    z2 = Z_95**2 / n
    middle = (p + z2 / 2) / (1 + z2)
    half = Z_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n)) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)
