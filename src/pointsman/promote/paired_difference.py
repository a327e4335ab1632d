"""The mean of paired differences, and how sure its sign and its size are. numpy only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float: TypeAlias = NDArray[np.float64]
Int: TypeAlias = NDArray[np.int64]

LEAST_DIFFERING: Final = 6
"""Fewer prompts that differ prove nothing: were each as likely to go one way as the other, all five would go the same
way with a chance of 1 in 32."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How much worse the candidate is, per prompt; positive is worse."""

    mean: float
    lower: float
    upper: float
    """One-sided bounds, each at the confidence asked for."""
    p_worse: float
    """Of "the candidate is no worse": small speaks for worse."""
    p_better: float
    n: int
    """Different prompts."""
    n_differing: int


def paired_difference(worse_by: Float, groups: Int, *, level: float) -> PairedDifference:
    """The difference averaged over each group, then over groups.

    P-values are of the score test, sum / sqrt(sum of squares) against the normal distribution: for many prompts that
    is flipping the signs of all differences. With fewer than `LEAST_DIFFERING` prompts that differ they are 1.
    The bounds add z^2 to the sum of squares: with no difference seen on n prompts the upper bound is then z^2 / n, near
    the rule of three, and never 0.

    Args:
        worse_by: shape (n,), at most 1 in size. groups: shape (n,), the same number for the same prompt.
    """
    _, member, size = np.unique(groups, return_inverse=True, return_counts=True)
    each = np.bincount(member.reshape(-1), weights=worse_by) / size
    n = each.size
    differing = int(np.count_nonzero(np.abs(each) > 1e-12))
    squares = float(np.square(each).sum())
    mean = float(each.mean())
    z = NormalDist().inv_cdf(1 - level)
    centred = max(squares - n * mean * mean, 0.0)
    half = z * math.sqrt(centred + z * z * float(np.max(np.abs(each), initial=0.0) if differing else 1.0) ** 2) / n
    if differing < LEAST_DIFFERING:
        p_worse = p_better = 1.0
    else:
        score = float(each.sum()) / math.sqrt(squares)
        p_worse, p_better = NormalDist().cdf(-score), NormalDist().cdf(score)
    return PairedDifference(mean, mean - half, mean + half, p_worse, p_better, n, differing)
