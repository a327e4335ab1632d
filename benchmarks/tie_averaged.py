"""APGR of any ranking of prompts, ties broken at random and averaged, with bootstrap replicates that are paired.

RouteLLM's ten quantile thresholds (arXiv 2406.18665, section 2) do not exist for a router with few different scores:
a whole block of prompts goes to one side. Here every router has the points 0, 10, ..., 100 % of strong calls; where a
point falls inside a block of equal scores, each prompt of the block goes to the strong model with the same chance. That
is the average over all orders of the block. For a router without ties this is RouteLLM's curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.evaluate.measures import apgr
from pointsman.evaluate.paired import paired
from pointsman.evaluate.resample import interval, resampled_means
from pointsman.vocabulary import Outcomes

N_STEPS = 10

Float = NDArray[np.float64]


def strong_chances(need: NDArray[np.floating]) -> Float:
    """The chance that each prompt goes to the strong model at 0, 10, ..., 100 % of strong calls, shape (11, n).

    Args:
        need: shape (n,): the higher, the sooner a prompt goes to the strong model.
    """
    n = need.size
    _, block, sizes = np.unique(-need, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    calls = np.linspace(0.0, n, N_STEPS + 1)[:, None]
    return np.asarray(np.clip((calls - (ends - sizes)) / sizes, 0.0, 1.0)[:, block.reshape(-1)], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """One router's APGR, and what it is in each replicate."""

    apgr: float
    """NaN where the strong model is not better."""
    drawn: Float
    """Shape (replicates,); the same replicates for all routers."""

    @property
    def ci(self) -> tuple[float, float] | None:
        """The 95 % percentile interval; None when more than 5 % of the replicates have no gap."""
        return interval(self.drawn)


def ranked(
    outcomes: Outcomes, needs: Mapping[str, NDArray[np.floating]], *, n_resamples: int, seed: int
) -> dict[str, Ranked]:
    """APGR of each ranking on the same prompts and the same replicates: groups resampled within datasets.

    Args:
        outcomes: n prompts that both models, the first and the last, have a score on.
        needs: by name, shape (n,); see `strong_chances`.
        n_resamples: bootstrap replicates.
        seed: of the replicates.
    """
    data = paired(outcomes)
    cheap, strong = data.score[:, 0], data.score[:, -1]
    blocks = [cheap[None], strong[None]]
    for need in needs.values():
        chances = strong_chances(need)
        blocks += [chances, cheap + chances * (strong - cheap)]
    matrix = np.concatenate(blocks).T
    exact = matrix.mean(axis=0)[None]
    drawn = resampled_means(matrix.astype(np.float32), data, n_resamples, np.random.default_rng(seed))
    width = N_STEPS + 1
    out = {}
    for place, name in enumerate(needs):
        first = 2 + 2 * width * place
        values = [
            apgr(means[:, first : first + width], means[:, first + width : first + 2 * width], means[:, 0], means[:, 1])
            for means in (exact, drawn)
        ]
        out[name] = Ranked(float(values[0][0]), values[1])
    return out


def mean_apgr(outcomes: Outcomes, need: NDArray[np.floating]) -> float:
    """APGR of one ranking, without replicates; NaN where the strong model is not better."""
    cheap, strong = outcomes.score[:, 0].astype(np.float64), outcomes.score[:, -1].astype(np.float64)
    chances = strong_chances(need)
    quality = (cheap + chances * (strong - cheap)).mean(axis=1)
    return float(apgr(chances.mean(axis=1), quality, np.asarray(cheap.mean()), np.asarray(strong.mean())))
