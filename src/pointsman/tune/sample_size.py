"""How many labelled prompts a limit needs."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

from .betting import BOLDEST

POWER: Final = 0.8
"""The chance of success that "probably" stands for."""


def least_prompts(max_loss: float, strong_quality: float, *, relative: bool, confidence: float) -> int | None:
    """The fewest prompts on which any policy could be certified: those needed when no answer ever gets worse.

    Every prompt then has an excess of -max_loss (times the strong model's quality when the limit is relative), and the
    boldest bet multiplies the capital by 1 + stake * that. None when the limit leaves no room at all.
    """
    room = max_loss * strong_quality if relative else max_loss
    if room <= 0:
        return None
    return math.ceil(-math.log(1 - confidence) / math.log1p(BOLDEST / (1 - max_loss) * room))


def prompts_needed(mean: float, variance: float, *, confidence: float, least: int | None) -> int | None:
    """Prompts at which a policy of this mean and variance of excess is certified with a chance of about `POWER`.

    By the normal approximation, ((z_confidence + z_power) * sd / mean)^2, never below `least`. The betting test is
    close to it (docs/design/guarantee.md); the estimate is as good as the estimated mean. None when the mean is not
    below zero: no number of prompts will do.
    """
    if mean >= 0 or least is None:
        return None
    normal = NormalDist()
    z = normal.inv_cdf(confidence) + normal.inv_cdf(POWER)
    return max(least, math.ceil(z * z * variance / (mean * mean)))
