"""Made-up outcomes of two models for the benchmarks' tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointsman.vocabulary import Outcomes


def outcomes_of(score: NDArray[np.floating], prompts: tuple[str, ...] = ()) -> Outcomes:
    """Outcomes of a cheap and a strong model with these scores, shape (n, 2); no costs."""
    n = len(score)
    unknown = np.full((n, 2), np.nan, dtype=np.float32)
    return Outcomes(
        models=("cheap", "strong"),
        prompt_ids=tuple(map(str, range(n))),
        datasets=("one",) * n,
        prompts=prompts or tuple(f"prompt {i}" for i in range(n)),
        groups=np.arange(n, dtype=np.int64),
        score=score.astype(np.float32),
        cost_usd=unknown,
        confidence=unknown,
    )


def drawn(n: int, seed: int = 0) -> Outcomes:
    """Cheap right in a half, strong in eight tenths, independently."""
    generator = np.random.default_rng(seed)
    return outcomes_of((generator.random((n, 2)) < [0.5, 0.8]).astype(np.float64))
