"""Synthetic worlds with known answers, for the tests of the evaluation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointsman.vocabulary import Outcomes

Float = NDArray[np.float64]


def world(
    score: Float | NDArray[np.float32],
    cost: tuple[float, ...] | Float | None = (1.0, 10.0),
    datasets: tuple[str, ...] | None = None,
    groups: NDArray[np.int64] | None = None,
) -> Outcomes:
    """Outcomes of models "cheap", "strong" (and "middle" between) with these scores, shape (n, m)."""
    n, m = score.shape
    if cost is None:
        costs = np.full((n, m), np.nan)
    else:
        costs = np.broadcast_to(np.asarray(cost, dtype=np.float64), (n, m))
    names = ("cheap", "strong") if m == 2 else ("cheap", *(f"middle{j}" for j in range(m - 2)), "strong")
    return Outcomes(
        models=names,
        prompt_ids=tuple(str(i) for i in range(n)),
        datasets=datasets if datasets is not None else ("d",) * n,
        prompts=("",) * n,
        groups=np.arange(n, dtype=np.int64) if groups is None else groups,
        score=score.astype(np.float32),
        cost_usd=costs.astype(np.float32),
        confidence=np.full((n, m), np.nan, dtype=np.float32),
        data_hash="0" * 64,
    )


def graded(n: int, generator: np.random.Generator, gap: float = 0.35) -> tuple[Outcomes, Float]:
    """A world where difficulty is known: P(cheap right) = 1 - d, P(strong right) = 1 - (1 - gap) d; and that 1 - d."""
    difficulty = generator.random(n)
    score = np.stack([generator.random(n) < 1 - difficulty, generator.random(n) < 1 - (1 - gap) * difficulty], axis=1)
    return world(score.astype(np.float64)), 1 - difficulty
