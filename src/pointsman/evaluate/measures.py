"""The field's measures of a cost-quality curve, each with its definition and source.

Arrays may carry leading axes (bootstrap replicates); the last axis runs along the curve.
"""

from __future__ import annotations

import numpy as np

from .paired import Float

ARENA_BETA = 0.1
ARENA_MAX_USD = 200.0
ARENA_MIN_USD = 0.0044


def apgr(share: Float, quality: Float, weak: Float, strong: Float) -> Float:
    """Average performance gap recovered, shape (...): 0.5 for random routing, 1 for the strong model's quality at once.

    The area between the router's quality and the weak model's over the share of strong calls, as a share of the area
    between strong and weak (RouteLLM, arXiv 2406.18665, section 2; `apgr_metric` in the released `evals/evaluate.py`:
    trapezoids over the points of ten quantile thresholds, 0 % and 100 % included). NaN where strong is not above weak.

    Args:
        share: shape (..., k), shares of strong calls, falling or rising along the curve.
        quality: shape (..., k).
        weak: shape (...).
        strong: shape (...).
    """
    widths = np.abs(np.diff(share, axis=-1))
    area = (widths * (quality[..., 1:] + quality[..., :-1]) / 2).sum(axis=-1)
    width = widths.sum(axis=-1)
    gap = np.where(strong > weak, strong - weak, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((area - weak * width) / (gap * width), dtype=np.float64)


def cpt(share: Float, quality: Float, weak: float, strong: float, recovered: float) -> float:
    """Call-performance threshold: the least share of strong calls at which `recovered` of the gap is recovered.

    RouteLLM, arXiv 2406.18665, section 2; straight lines between the points, as `pct_call_metric` in the released
    `evals/evaluate.py`. Where the curve is not monotone the first crossing counts (the paper's minimum; the code's
    `np.interp` is defined for rising curves only). NaN where strong is not above weak.

    Args:
        share: shape (k,), rising.
        quality: shape (k,).
        weak: quality of the weak model.
        strong: quality of the strong model.
        recovered: share of the gap, 0 to 1.
    """
    if not strong > weak:
        return float("nan")
    target = weak + recovered * (strong - weak)
    # Sums of the same scores in another order differ in the last bits; without slack, 100 % would not be reached.
    reached = np.flatnonzero(quality >= target - 1e-12)
    if reached.size == 0:
        return float("nan")
    place = int(reached[0])
    if place == 0:
        return float(share[0])
    rise = quality[place] - quality[place - 1]
    part = (target - quality[place - 1]) / rise if rise > 0 else 1.0
    return float(share[place - 1] + min(1.0, part) * (share[place] - share[place - 1]))


def hull(cost: Float, quality: Float) -> tuple[Float, Float]:
    """The non-decreasing upper hull of points, by rising cost: what mixing between points can reach at each cost.

    RouterBench, arXiv 2403.12031, section 3: linear interpolation of two routers is a router, and spending more must
    not lower quality.

    Args:
        cost: shape (k,).
        quality: shape (k,).
    """
    order = np.lexsort((-quality, cost))
    kept: list[int] = []
    for place in order.tolist():
        if kept and quality[place] <= quality[kept[-1]]:
            continue
        while len(kept) >= 2 and _under(kept[-2], kept[-1], place, cost, quality):
            kept.pop()
        kept.append(place)
    return cost[kept], quality[kept]


def _under(a: int, b: int, c: int, cost: Float, quality: Float) -> bool:
    """True when b lies on or under the line from a to c."""
    return bool((quality[b] - quality[a]) * (cost[c] - cost[a]) <= (quality[c] - quality[a]) * (cost[b] - cost[a]))


def aiq(cost: Float, quality: Float, low: float, high: float) -> float:
    """Average improvement in quality: the mean height of the points' non-decreasing hull from cost `low` to `high`.

    RouterBench, arXiv 2403.12031, section 3. Below the cheapest point its quality stands, above the dearest the best.
    NaN when `low` is not below `high`.
    """
    if not low < high:
        return float("nan")
    x, y = hull(cost, quality)
    inner = x[(x > low) & (x < high)]
    grid = np.concatenate([[low], inner, [high]])
    heights = np.interp(grid, x, y)
    return float((np.diff(grid) * (heights[1:] + heights[:-1]) / 2).sum() / (high - low))


def arena_score(cost_usd: float, quality: float) -> float:
    """RouterArena's score, 0 to 1: a weighted harmonic mean of quality and logarithmic cheapness.

    (1 + b) A C / (b A + C) with b = 0.1, A the mean score and C = (log2 200 - log2 c) / (log2 200 - log2 0.0044), c in
    USD per 1,000 requests (RouterArena, arXiv 2510.00202; `compute_arena_score` in the released
    `llm_evaluation/run.py`). C is kept within 0 and 1.

    Args:
        cost_usd: USD per request.
        quality: mean score, 0 to 1.
    """
    if cost_usd <= 0:
        cheapness = 1.0
    else:
        span = np.log2(ARENA_MAX_USD) - np.log2(ARENA_MIN_USD)
        cheapness = float(np.clip((np.log2(ARENA_MAX_USD) - np.log2(1000 * cost_usd)) / span, 0.0, 1.0))
    below = ARENA_BETA * quality + cheapness
    return 0.0 if below == 0 else float((1 + ARENA_BETA) * quality * cheapness / below)


def least_cost(cost: Float, quality: Float, target: Float) -> Float:
    """The least cost on the curve at which quality reaches the target, shape (...); NaN where none does.

    Args:
        cost: shape (..., k).
        quality: shape (..., k).
        target: shape (...).
    """
    reached = quality >= target[..., None] - 1e-12
    least = np.where(reached, cost, np.inf).min(axis=-1)
    return np.where(np.isfinite(least), least, np.nan)
