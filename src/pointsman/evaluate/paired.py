"""The outcomes that can be compared in pairs: prompts every model has a score on, with a cost for each answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.vocabulary import Outcomes

Float: TypeAlias = NDArray[np.float64]
Int: TypeAlias = NDArray[np.int64]

MIN_PROMPTS = 30
"""Below this an interval for a rate spans a third of its range (a half-width of 0.18 at 0.5), and says nothing."""
MIN_STRATUM = 20
"""Datasets with fewer groups share one stratum: a bootstrap within g groups loses 1/g of their variance."""


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """n prompts with the score and cost of all m models."""

    models: tuple[str, ...]
    rows: Int
    """Shape (n,): where each prompt stands in the outcomes."""
    score: Float
    """Shape (n, m), 0 to 1."""
    cost: Float
    """Shape (n, m): USD, or the place of the model, 0 to 1, when nothing is priced."""
    priced: bool
    dataset: Int
    """Shape (n,): the number of each prompt's dataset in `dataset_names`."""
    dataset_names: tuple[str, ...]
    group: Int
    """Shape (n,): 0 to n_groups - 1."""
    stratum: Int
    """Shape (n_groups,): within which groups are resampled and folds are spread."""
    n_left_out: int
    """Prompts that lack the score of some model."""
    n_costs_filled: int
    """Costs that were not known and stand in as the mean of the model's known ones in the dataset."""

    @property
    def n(self) -> int:
        """How many prompts there are."""
        return int(self.rows.size)

    @property
    def m(self) -> int:
        """How many models there are."""
        return len(self.models)

    @property
    def n_groups(self) -> int:
        """How many prompts differ once normalised."""
        return int(self.stratum.size)


def paired(outcomes: Outcomes) -> Paired:
    """The part of the outcomes that paired measures use.

    Raises:
        DataError: fewer than two models, fewer than `MIN_PROMPTS` complete prompts, or costs known for some of more
            than two models only.
    """
    if len(outcomes.models) < 2:
        raise DataError(f"outcomes of {', '.join(outcomes.models)} only; routing needs at least two models")
    rows = np.flatnonzero(np.isfinite(outcomes.score).all(axis=1))
    if rows.size < MIN_PROMPTS:
        raise DataError(
            f"{rows.size} prompts have a score of every model ({', '.join(outcomes.models)}); "
            f"at least {MIN_PROMPTS} are needed to say anything of routing"
        )
    names, dataset = np.unique(np.asarray(outcomes.datasets)[rows], return_inverse=True)
    dataset = dataset.reshape(-1).astype(np.int64)
    _, first, group = np.unique(outcomes.groups[rows], return_index=True, return_inverse=True)
    priced, cost, n_filled = _costs(outcomes, rows, dataset)
    return Paired(
        models=outcomes.models,
        rows=rows,
        score=outcomes.score[rows].astype(np.float64),
        cost=cost,
        priced=priced,
        dataset=dataset,
        dataset_names=tuple(str(name) for name in names),
        group=group.reshape(-1).astype(np.int64),
        stratum=_strata(dataset[first]),
        n_left_out=outcomes.n - int(rows.size),
        n_costs_filled=n_filled,
    )


def _strata(dataset_of_group: Int) -> Int:
    sizes = np.bincount(dataset_of_group)
    small = sizes < MIN_STRATUM
    names = np.where(small, -1, np.arange(sizes.size))[dataset_of_group]
    return np.asarray(np.unique(names, return_inverse=True)[1].reshape(-1), dtype=np.int64)


def _costs(outcomes: Outcomes, rows: Int, dataset: Int) -> tuple[bool, Float, int]:
    cost = outcomes.cost_usd[rows].astype(np.float64)
    known = np.isfinite(cost)
    unpriced = [model for model, some in zip(outcomes.models, known.T, strict=True) if not some.any()]
    if unpriced and len(unpriced) < len(outcomes.models):
        raise DataError(
            f"no cost is known of {', '.join(unpriced)}; give one with --price MODEL=USD_PER_CALL, or none at all"
        )
    m = len(outcomes.models)
    if unpriced:
        if m > 2:
            raise DataError("no cost is known; more than two models need prices: --price MODEL=USD_PER_CALL")
        return False, np.tile(np.linspace(0.0, 1.0, m), (rows.size, 1)), 0
    for column in range(m):
        gaps = ~known[:, column]
        if gaps.any():
            there = known[:, column]
            n_known = np.bincount(dataset[there], minlength=int(dataset.max()) + 1)
            sums = np.bincount(dataset[there], weights=cost[there, column], minlength=n_known.size)
            mean = np.where(n_known > 0, sums / np.maximum(n_known, 1), cost[there, column].mean())
            cost[gaps, column] = mean[dataset[gaps]]
    return True, cost, int((~known).sum())
