"""Made-up worlds of cascades whose best policy is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pointsman.learned import Known
from pointsman.vocabulary import Outcomes

Floats = NDArray[np.float64]
Judging = Literal["perfect", "useless", "errs in a quarter", "graded"]


@dataclass(frozen=True, slots=True, eq=False)
class CascadeWorld:
    """A cheap model that costs 1 and is right on the easy half, a strong one that costs 10 and is right on 90 %."""

    known: Known
    score: Floats
    cost: Floats
    hard: NDArray[np.bool_]

    def outcomes(self) -> Outcomes:
        """As outcomes, with the models "cheap" and "strong"."""
        n = len(self.score)
        names = tuple(str(i) for i in range(n))
        return Outcomes(
            models=("cheap", "strong"),
            prompt_ids=names,
            datasets=("made up",) * n,
            prompts=names,
            groups=np.arange(n),
            score=self.score.astype(np.float32),
            cost_usd=self.cost.astype(np.float32),
            confidence=np.full((n, 2), np.nan, dtype=np.float32),
            data_hash="0" * 64,
        )


def cascade_world(n: int, *, seed: int, judging: Judging = "perfect", plain_from_prompt: bool = False) -> CascadeWorld:
    """n prompts, half of them hard for the cheap model; told by the judge, by the prompt, or by nothing."""
    generator = np.random.default_rng(seed)
    hard = generator.random(n) < 0.5
    score = np.column_stack([~hard, generator.random(n) < 0.9]).astype(np.float64)
    ahead = np.where(hard, 0.05, 0.95) if plain_from_prompt else np.full(n, 0.5)
    said = ~hard
    if judging == "errs in a quarter":
        said = said ^ (generator.random(n) < 0.25)
    p_cheap = np.full(n, 0.5) if judging == "useless" else np.where(said, 0.9, 0.1)
    if judging == "graded":
        # Bayes' rule for a normal reading whose means are 1.5 standard deviations apart.
        reading = ~hard * 1.5 + generator.standard_normal(n)
        p_cheap = 1 / (1 + np.exp(-1.5 * (reading - 0.75)))
    cost = np.tile([1.0, 10.0], (n, 1))
    known = Known(
        p_ahead=np.column_stack([ahead, np.full(n, 0.9)]),
        log_cost_ahead=np.log(cost),
        p_answer=np.column_stack([p_cheap, np.full(n, 0.9)]),
        log_cost=np.log(cost),
        agreement=np.zeros((n, 2, 2)),
    )
    return CascadeWorld(known, score, cost, hard)
