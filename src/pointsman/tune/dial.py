"""A router's dial: what each threshold sends to the strong model and loses, on prompts it did not learn from."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.vocabulary import DialPoint, Outcomes

from .candidates import by_group, taken, threshold_candidates
from .estimates import measure
from .limit import QualityLimit

N_POINTS: Final = 41
"""Shares of strong calls from none to all in steps of 2.5 %."""
_NEVER_SEEN: Final = 3.0
"""A loss that did not occur in n prompts may still have a rate of 3/n (the rule of three: Hanley and Lippman-Hand 1983,
"If Nothing Goes Wrong, Is Everything All Right?"); without it a handful of prompts would promise 0."""


def dial_points(outcomes: Outcomes, p_good: NDArray[np.floating]) -> tuple[DialPoint, ...]:
    """The dial by rising threshold, from all cheap to all strong.

    A table to read, not a promise: the upper bounds hold for each threshold by itself. `tune_threshold` promises.

    Args:
        outcomes: n prompts with a score of every model; others are left out.
        p_good: P(good enough), shape (n, m) or (n, m - 1), or (n,) for the cheap one of two models; held out.
    """
    rows = np.flatnonzero(np.isfinite(outcomes.score).all(axis=1))
    p = np.asarray(p_good, dtype=np.float64)[rows]
    m = len(outcomes.models)
    if p.ndim == 2 and p.shape[1] == m - 1:
        p = np.column_stack((p, np.ones(len(p))))
    # Where a prompt leaves the strong model is settled by the best of its cheaper models.
    best = p if p.ndim == 1 else p[:, :-1].max(axis=1)
    inner = np.quantile(best, np.linspace(0, 1, N_POINTS)[1:-1]) if len(best) else np.zeros(0)
    grid = (0.0, *np.unique(np.round(inner, 4)).tolist(), 1.0)
    candidates = threshold_candidates(p, m, grid)
    groups = outcomes.groups[rows]
    score = np.asarray(outcomes.score[rows], dtype=np.float64)
    strong = np.asarray(by_group(score[:, -1:], groups), dtype=np.float64)
    quality = by_group(taken(score, candidates.choice), groups)
    limit = QualityLimit(0.0)
    measured = measure(
        strong=strong[:, 0],
        quality=quality,
        strong_share=by_group(candidates.choice == m - 1, groups).mean(axis=0, dtype=np.float64),
        rank=candidates.choice.mean(axis=0, dtype=np.float64),
        strong_rank=float(m - 1),
        strong_cost=None,
        cost=None,
        excess=limit.excess(strong.astype(np.float32), quality),
        limit=limit,
        router_cost_usd=0.0,
    )
    points = []
    unseen = _NEVER_SEEN / max(strong.shape[0] * measured.strong_quality, _NEVER_SEEN)
    for j in range(candidates.thresholds.size - 1, -1, -1):
        found = measured.expected(j)
        all_strong = found.strong_share == 1.0
        points.append(
            DialPoint(
                threshold=float(candidates.thresholds[j]),
                strong_share=round(found.strong_share, 4),
                quality_loss=0.0 if all_strong else round(found.quality_loss, 5),
                quality_loss_upper=0.0 if all_strong else round(found.quality_loss_ci[1] + unseen, 5),
            )
        )
    return tuple(points)
