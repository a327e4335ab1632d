"""Folds that keep groups together, and are alike in what they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointsman.vocabulary import Outcomes

N_FOLDS = 5


def group_folds(
    groups: NDArray[np.int64],
    n_folds: int,
    *,
    generator: np.random.Generator,
    strata: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """The fold of each row, shape (n,): rows of a group share one; folds hold nearly the same number of groups.

    With strata each of them is spread evenly as well; a group belongs to the stratum of its first row. Without it, a
    fold that happens to hold more of the hard prompts is predicted by routers that saw fewer of them, so that
    predictions of different folds are off against each other in the wrong direction (stratified cross-validation:
    Kohavi 1995, "A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model Selection").
    """
    _, first, dense = np.unique(groups, return_index=True, return_inverse=True)
    order = generator.permutation(len(first))
    if strata is not None:
        order = order[np.argsort(strata[first][order], kind="stable")]
    of_group = np.empty(len(first), dtype=np.int64)
    of_group[order] = np.arange(len(first)) % n_folds
    return np.asarray(of_group[dense], dtype=np.int64)


def strata_of(outcomes: Outcomes) -> NDArray[np.int64]:
    """A number for each prompt, shape (n,): the same for prompts with a like gain from the cheapest to the last model.

    Datasets are not strata together with it: then a fold would have each dataset's gain exactly as the other folds have
    it, and a router that has learned which datasets gain would look better than it is on new prompts.
    """
    return gain_strata(outcomes.score)


def gain_strata(score: NDArray[np.floating]) -> NDArray[np.int64]:
    """The same from scores of shape (n, models)."""
    gain = score[:, -1].astype(np.float64) - score[:, 0]
    return np.where(np.isfinite(gain), np.round(np.nan_to_num(gain)), 2).astype(np.int64)
